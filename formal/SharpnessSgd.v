(** * How sharp the theorems about SGD, the learning rate and mostly fresh gradients are *)

Require Import Reals Lra Lia Psatz.
From Coquelicot Require Import Coquelicot.
From DelayStability Require Import Loop Branch Sgd Bounds Ema Nesterov ArbitraryDelays MixedRead
  Effective MomentumOne Printed Variants Sharpness.
From DelayStability Require Theorems.
Open Scope R_scope.

(** ** SGD *)

Lemma sgd_factor_false : ~ sgd_factor.
Proof.
  intro h. apply (not_twice _ _ _ (Theorems.sgd O) (h O)). unfold factor. field.
Qed.

Lemma sgd_upper_bound_factor_false : ~ sgd_upper_bound_factor.
Proof.
  intro h. destruct (upper_bound_is_sharp (999999999 / 1000000000)) as [n l]; [lra|].
  specialize (h n _ (Theorems.sgd n)). pose proof (pos_INR n).
  replace (999999999 * PI / (1000000000 * (1 + 2 * INR n))) with
    (999999999 / 1000000000 * PI / (1 + 2 * INR n)) in h by (field; lra). lra.
Qed.

Lemma sgd_upper_bound_strict_1_true : sgd_upper_bound_strict_1.
Proof.
  intros n a t. rewrite (sgd_of n a t). unfold sgd_threshold. pose proof (pos_INR n).
  pose proof PI_RGT_0. assert (0 < PI / (4 * INR n + 2)) by (apply Rdiv_lt_0_compat; lra).
  replace (PI / (1 + 2 * INR n)) with (2 * (PI / (4 * INR n + 2))) by (field; lra).
  pose proof (sin_lt_x (PI / (4 * INR n + 2)) ltac:(lra)). lra.
Qed.

Lemma sgd_lower_bound_factor_false : ~ sgd_lower_bound_factor.
Proof.
  intro h. destruct (lower_bound_is_sharp factor) as [n l]; [unfold factor; lra|].
  specialize (h n _ (Theorems.sgd n)). pose proof (pos_INR n). unfold factor in l.
  match type of h with _ >= ?x => replace x with (1000000001 / 1000000000 *
    (PI / (1 + 2 * INR n) - PI ^ 3 / (24 * (1 + 2 * INR n) ^ 3))) in h by (field; lra) end. lra.
Qed.

Lemma sine_above_strict x : 0 < x -> x <= 4 -> x - x ^ 3 / 6 < sin x.
Proof.
  intros h k. destruct (pre_sin_bound x 1 ltac:(lra) k) as [low _]. unfold sin_approx, sin_term in low.
  simpl in low. assert (0 < x ^ 5) by (apply pow_lt; lra). assert (x * x <= 16) by nra.
  assert (x ^ 5 * (x * x) <= x ^ 5 * 16) by (apply Rmult_le_compat_l; lra).
  eapply Rlt_le_trans; [|exact low]. simpl in *. lra.
Qed.

Lemma sgd_strictly_above n : PI / (1 + 2 * INR n) - PI ^ 3 / (24 * (1 + 2 * INR n) ^ 3) < sgd_threshold n.
Proof.
  pose proof (pos_INR n). pose proof PI_RGT_0. pose proof PI_4. unfold sgd_threshold.
  set (x := PI / (4 * INR n + 2)). assert (x0 : 0 < x) by (apply Rdiv_lt_0_compat; lra).
  assert (e : (4 * INR n + 2) * x = PI) by (unfold x; field; lra).
  pose proof (sine_above_strict x x0 ltac:(nra)).
  replace (PI / (1 + 2 * INR n) - PI ^ 3 / (24 * (1 + 2 * INR n) ^ 3)) with (2 * (x - x ^ 3 / 6));
    [lra|unfold x; field; lra].
Qed.

Lemma sgd_lower_bound_strict_1_true : sgd_lower_bound_strict_1.
Proof. intros n a t. rewrite (sgd_of n a t). apply sgd_strictly_above. Qed.

Lemma sgd_long_delay_factor_false : ~ sgd_long_delay_factor.
Proof.
  intro h. specialize (h _ Theorems.sgd). pose proof (Theorems.sgd_long_delay _ Theorems.sgd) as t.
  apply is_lim_seq_unique in h, t. rewrite h in t. injection t. pose proof PI_RGT_0. lra.
Qed.

Lemma any_sequence_sgd_factor_false : ~ any_sequence_sgd_factor.
Proof.
  intro h. destruct (h O) as [h0 ht]. destruct (Theorems.any_sequence_sgd O) as [t0 t].
  set (J := IZR (Int_part ((1 + 2 * INR 0) / 3))) in *.
  set (s := 1 + J + INR 0 + sqrt ((1 + J + INR 0) ^ 2 - 4 * J * (1 + J))) in *.
  assert (s0 : s <> 0) by (intro e; rewrite e in t0; unfold Rdiv in t0; rewrite Rinv_0 in t0; lra).
  assert (e : 1000000001 / (250000000 * s) = factor * (4 / s)) by (unfold factor; field; lra).
  rewrite e in *. set (b := 4 / s) in *. unfold factor in *.
  assert (st : stable_for_every_sequence 0 b) by (apply ht; lra). apply t in st. lra.
Qed.

(** ** Rules for the learning rate *)

Lemma adjustment_factor_false : ~ adjustment_factor.
Proof.
  intro h. pose proof (Theorems.sgd O) as t. set (a := 2 * sin (PI / (2 + 4 * INR 0))) in *.
  assert (a0 : 0 < a) by exact (proj1 t).
  pose proof (proj2 (h (sgd 0) (sgd 0) a a 1 factor ltac:(lra) t t)) as same.
  pose proof (proj1 (Theorems.adjustment (sgd 0) (sgd 0) a a 1 factor ltac:(lra) t t)) as e.
  assert (f : factor = 1 * (a / a)).
  { apply e, same. unfold factor. field. lra. }
  replace (1 * (a / a)) with 1 in f by (field; lra). unfold factor in f. lra.
Qed.

(** A rate of 0 keeps the minima of a rate of 0: none. *)
Lemma adjustment_closed_1_true : adjustment_closed_1.
Proof.
  intros before after a_1 a_2 eta_1 eta_2 e t1 t2.
  destruct (Rle_lt_or_eq_dec 0 eta_1 e) as [l|<-]; [now apply Theorems.adjustment|].
  rewrite Rmult_0_l. destruct t1 as [p1 t1], t2 as [p2 t2]. split.
  - intro same. destruct (Req_dec eta_2 0) as [z|nz]; [exact z|]. exfalso.
    specialize (same (a_2 / 2 / eta_2)).
    replace (eta_2 * (a_2 / 2 / eta_2)) with (a_2 / 2) in same by (field; exact nz).
    rewrite Rmult_0_l, t1, t2 in same. lra.
  - intros -> c. rewrite t1, t2, Rmult_0_l. lra.
Qed.

Lemma same_minima_scaled n k :
  same_minima (sgd 0) 1 (sgd n) k <-> k = 1 * sin (PI / (2 + 4 * INR n)).
Proof. apply Theorems.adjustment_sgd. lra. Qed.

Lemma adjustment_sgd_factor_false : ~ adjustment_sgd_factor.
Proof.
  intro h. set (s := sin (PI / (2 + 4 * INR 0))). pose proof (proj1 (Theorems.sgd O)) as p. fold s in p.
  pose proof (proj1 (h O 1 (1 * s) ltac:(lra)) (proj2 (same_minima_scaled O (1 * s)) eq_refl)) as e.
  fold s in e. lra.
Qed.

Lemma adjustment_sgd_closed_1_true : adjustment_sgd_closed_1.
Proof.
  intros n eta_0 eta e. rewrite (adjustment_closed_1_true _ _ _ _ eta_0 eta e (Theorems.sgd O) (Theorems.sgd n)).
  simpl INR. replace (PI / (2 + 4 * 0)) with (PI / 2) by field. rewrite sin_PI2.
  replace (2 * sin (PI / (2 + 4 * INR n)) / (2 * 1)) with (sin (PI / (2 + 4 * INR n))) by field. reflexivity.
Qed.

Lemma adjustment_sgd_upper_factor_false : ~ adjustment_sgd_upper_factor.
Proof.
  intro h. destruct (upper_bound_is_sharp (999999999 / 1000000000)) as [n l]; [lra|].
  specialize (h n 1 _ ltac:(lra) (proj2 (same_minima_scaled n _) eq_refl)). pose proof (pos_INR n).
  match type of h with _ <= ?x => replace x with
    (999999999 / 1000000000 * PI / (1 + 2 * INR n) / 2) in h by (field; lra) end. lra.
Qed.

Lemma adjustment_sgd_upper_closed_1_true : adjustment_sgd_upper_closed_1.
Proof.
  intros n eta_0 eta e same. destruct (Rle_lt_or_eq_dec 0 eta_0 e) as [l|<-].
  { now apply Theorems.adjustment_sgd_upper. }
  apply adjustment_sgd_closed_1_true in same; [|lra]. rewrite same. unfold Rdiv. lra.
Qed.

Lemma adjustment_sgd_upper_strict_1_true : adjustment_sgd_upper_strict_1.
Proof.
  intros n eta_0 eta e same. apply (Theorems.adjustment_sgd n eta_0 eta e) in same. rewrite same.
  pose proof (sgd_upper_bound_strict_1_true n _ (Theorems.sgd n)) as b. pose proof (pos_INR n).
  replace (PI * eta_0 / (2 * (1 + 2 * INR n))) with (eta_0 * (PI / (1 + 2 * INR n) / 2)) by (field; lra).
  apply Rmult_lt_compat_l; lra.
Qed.

Lemma adjustment_sgd_lower_factor_false : ~ adjustment_sgd_lower_factor.
Proof.
  intro h. destruct (lower_bound_is_sharp factor) as [n l]; [unfold factor; lra|].
  specialize (h n 1 _ ltac:(lra) (proj2 (same_minima_scaled n _) eq_refl)). pose proof (pos_INR n).
  match type of h with _ >= ?x => replace x with (factor *
    (PI / (1 + 2 * INR n) - PI ^ 3 / (24 * (1 + 2 * INR n) ^ 3)) / 2) in h
    by (unfold factor; field; lra) end. lra.
Qed.

Lemma adjustment_sgd_lower_closed_1_true : adjustment_sgd_lower_closed_1.
Proof.
  intros n eta_0 eta e same. destruct (Rle_lt_or_eq_dec 0 eta_0 e) as [l|<-].
  { now apply Theorems.adjustment_sgd_lower. }
  apply adjustment_sgd_closed_1_true in same; [|lra]. rewrite same. unfold Rdiv. lra.
Qed.

Lemma adjustment_sgd_lower_strict_1_true : adjustment_sgd_lower_strict_1.
Proof.
  intros n eta_0 eta e same. apply (Theorems.adjustment_sgd n eta_0 eta e) in same. rewrite same.
  pose proof (sgd_strictly_above n) as b. rewrite sgd_printed in b. pose proof (pos_INR n).
  replace (PI * eta_0 / (2 * (1 + 2 * INR n)) * (1 - PI ^ 2 / (24 * (1 + 2 * INR n) ^ 2))) with
    (eta_0 * ((PI / (1 + 2 * INR n) - PI ^ 3 / (24 * (1 + 2 * INR n) ^ 3)) / 2)) by (field; lra).
  apply Rmult_lt_compat_l; lra.
Qed.

(** ** Gradients that are mostly fresh *)

Lemma mostly_fresh_read_factor_false : ~ mostly_fresh_read_factor.
Proof.
  intro h. destruct (h 1 ltac:(lra)) as [_ u]. destruct (Theorems.mostly_fresh_read 1 ltac:(lra)) as [_ t].
  rewrite Rmin_left in u, t by (apply Req_le; field). specialize (u 2). specialize (t 2).
  assert (s : 0 < 2 < 2) by (apply t; apply u; lra). lra.
Qed.

(** At one half Rocq's 2 / 0 is 0, which is no threshold. *)
Lemma mostly_fresh_read_closed_1_false : ~ mostly_fresh_read_closed_1.
Proof.
  intro h. destruct (h (1 / 2) ltac:(lra)) as [p _].
  replace (2 * (1 / 2) - 1) with 0 in p by field. unfold Rdiv in p. rewrite Rinv_0, Rmult_0_r in p.
  pose proof (Rmin_r 2 0). lra.
Qed.
