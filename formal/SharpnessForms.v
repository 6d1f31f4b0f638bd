(** * How sharp the other forms and the bounds of heavy ball are, and those of every sequence of delays *)

Require Import Reals Lra Lia Psatz.
From Coquelicot Require Import Coquelicot.
From DelayStability Require Import Loop Branch Chebyshev ArbitraryDelaysUnstable MomentumOne Printed Variants
  Sharpness.
From DelayStability Require Theorems.
Open Scope R_scope.

(** ** Every sequence of delays *)

Lemma arbitrary_threshold_0 : arbitrary_threshold 0 = 2.
Proof.
  unfold arbitrary_threshold. change ((2 * 0 + 1) / 3)%nat with O. simpl INR.
  replace ((0 + 1 + 0) ^ 2 - 4 * 0 * (0 + 1)) with 1 by ring. rewrite sqrt_1. field.
Qed.

Lemma arbitrary_threshold_1 : arbitrary_threshold 1 = 1.
Proof.
  unfold arbitrary_threshold. change ((2 * 1 + 1) / 3)%nat with 1%nat. simpl INR.
  replace ((1 + 1 + 1) ^ 2 - 4 * 1 * (1 + 1)) with 1 by ring. rewrite sqrt_1. field.
Qed.

Lemma any_sequence_sgd_upper_bound_factor_false : ~ any_sequence_sgd_upper_bound_factor.
Proof.
  intro h. pose proof (h 1%nat _ (arbitrary_is_threshold 1)) as b. rewrite arbitrary_threshold_1 in b.
  simpl INR in b. lra.
Qed.

Lemma any_sequence_sgd_upper_bound_strict_1_false : ~ any_sequence_sgd_upper_bound_strict_1.
Proof.
  intro h. pose proof (h 1%nat _ (arbitrary_is_threshold 1)) as b. rewrite arbitrary_threshold_1 in b.
  simpl INR in b. lra.
Qed.

Lemma any_sequence_root : sqrt (3 / 4 + (1 / 2 + INR 0) ^ 2) = 1.
Proof. replace (3 / 4 + (1 / 2 + INR 0) ^ 2) with 1 by (simpl INR; field). exact sqrt_1. Qed.

Lemma any_sequence_sgd_lower_bound_factor_false : ~ any_sequence_sgd_lower_bound_factor.
Proof.
  intro h. pose proof (h O _ (arbitrary_is_threshold 0)) as b.
  rewrite arbitrary_threshold_0, any_sequence_root in b. simpl INR in b. lra.
Qed.

Lemma any_sequence_sgd_lower_bound_strict_1_false : ~ any_sequence_sgd_lower_bound_strict_1.
Proof.
  intro h. pose proof (h O _ (arbitrary_is_threshold 0)) as b.
  rewrite arbitrary_threshold_0, any_sequence_root in b. simpl INR in b. lra.
Qed.

(** ** Other forms of heavy ball *)

Lemma heavy_ball_parametric_factor_false : ~ heavy_ball_parametric_factor.
Proof.
  intro h. destruct (h 1%nat 0 ltac:(simpl; lra) ltac:(lra) ltac:(lra)) as [T [aT t]].
  destruct (Theorems.heavy_ball_parametric 1%nat 0 ltac:(simpl; lra) ltac:(lra) ltac:(lra)) as [S [aS s]].
  same_angle T S aT aS. apply (not_twice _ _ _ s t). unfold factor. simpl Nat.even. cbn iota. lra.
Qed.

Lemma heavy_ball_parametric_closed_1_false : ~ heavy_ball_parametric_closed_1.
Proof.
  intro h. destruct (h 2%nat (-1) ltac:(simpl; lra) ltac:(lra) ltac:(lra)) as [T [_ [p _]]].
  simpl Nat.even in p. cbn iota in p.
  match type of p with _ < Rmin ?a ?b => pose proof (Rmin_l a b) end. lra.
Qed.

Lemma heavy_ball_parametric_closed_2_false : ~ heavy_ball_parametric_closed_2.
Proof.
  intro h. destruct (h 1%nat 1 ltac:(simpl; lra) ltac:(lra) ltac:(lra)) as [T [_ t]].
  exact (no_threshold _ _ t (heavy_ball_momentum_one 1)).
Qed.

(** Without delay the angle is pi, and the quotient is 0. *)
Lemma heavy_ball_parametric_moved_1_false : ~ heavy_ball_parametric_moved_1.
Proof.
  intro h. destruct (h O 0 ltac:(simpl; lra) ltac:(lra) ltac:(lra)) as [T [[_ [e _]] [p _]]].
  simpl Nat.even in p. cbn iota in p. simpl in e.
  replace (T * (1 / 2 + 0)) with (T / 2) in e by field.
  rewrite (Trigonometry.sin_half T), e in p. unfold Rdiv in p.
  match type of p with _ < Rmin ?a ?b => pose proof (Rmin_r a b) end. lra.
Qed.

Lemma heavy_ball_even_delay_factor_false : ~ heavy_ball_even_delay_factor.
Proof.
  intro h. destruct (h O 0 eq_refl ltac:(lra) ltac:(lra)) as [T [aT t]].
  destruct (Theorems.heavy_ball_even_delay O 0 eq_refl ltac:(lra) ltac:(lra)) as [S [aS s]].
  same_angle T S aT aS. apply (not_twice _ _ _ s t). unfold factor. lra.
Qed.

Lemma heavy_ball_even_delay_closed_1_false : ~ heavy_ball_even_delay_closed_1.
Proof. intro h. destruct (h O (-1) eq_refl ltac:(lra) ltac:(lra)) as [T [_ [p _]]]. lra. Qed.

Lemma heavy_ball_even_delay_closed_2_false : ~ heavy_ball_even_delay_closed_2.
Proof.
  intro h. destruct (h O 1 eq_refl ltac:(lra) ltac:(lra)) as [T [_ t]].
  exact (no_threshold _ _ t (heavy_ball_momentum_one 0)).
Qed.

Lemma heavy_ball_algebraic_factor_false : ~ heavy_ball_algebraic_factor.
Proof.
  intro h. destruct (h 1%nat 0 ltac:(simpl; lra) ltac:(lra) ltac:(lra)) as [T [aT t]].
  destruct (Theorems.heavy_ball_algebraic 1%nat 0 ltac:(simpl; lra) ltac:(lra) ltac:(lra)) as [S [aS s]].
  same_angle T S aT aS. apply (not_twice _ _ _ s t). unfold factor. simpl Nat.even. cbn iota. lra.
Qed.

Lemma heavy_ball_algebraic_closed_1_false : ~ heavy_ball_algebraic_closed_1.
Proof.
  intro h. destruct (h 2%nat (-1) ltac:(simpl; lra) ltac:(lra) ltac:(lra)) as [T [_ [p _]]].
  simpl Nat.even in p. cbn iota in p.
  match type of p with _ < Rmin ?a ?b => pose proof (Rmin_l a b) end. lra.
Qed.

Lemma heavy_ball_algebraic_closed_2_false : ~ heavy_ball_algebraic_closed_2.
Proof.
  intro h. destruct (h 1%nat 1 ltac:(simpl; lra) ltac:(lra) ltac:(lra)) as [T [_ t]].
  exact (no_threshold _ _ t (heavy_ball_momentum_one 1)).
Qed.

(** Without delay Rocq divides by the polynomial of degree -1, which is 0. *)
Lemma heavy_ball_algebraic_moved_1_false : ~ heavy_ball_algebraic_moved_1.
Proof.
  intro h. destruct (h O 0 ltac:(simpl; lra) ltac:(lra) ltac:(lra)) as [T [_ [p _]]].
  simpl Nat.even in p. cbn iota in p. change (chebyshev_U (Z.of_nat 0 - 1) (cos T)) with 0 in p.
  unfold Rdiv in p. rewrite Rinv_0, Rmult_0_r in p.
  match type of p with _ < Rmin ?a ?b => pose proof (Rmin_r a b) end. lra.
Qed.

Lemma heavy_ball_tangent_factor_false : ~ heavy_ball_tangent_factor.
Proof.
  intro h. destruct (h 1%nat 0 ltac:(simpl; lra) ltac:(lra) ltac:(lra)) as [T [aT t]].
  destruct (Theorems.heavy_ball_tangent 1%nat 0 ltac:(simpl; lra) ltac:(lra) ltac:(lra)) as [S [aS s]].
  same_angle T S aT aS. apply (not_twice _ _ _ s t). unfold factor. simpl Nat.even. cbn iota. lra.
Qed.

Lemma heavy_ball_tangent_closed_1_false : ~ heavy_ball_tangent_closed_1.
Proof.
  intro h. destruct (h 2%nat (-1) ltac:(simpl; lra) ltac:(lra) ltac:(lra)) as [T [_ [p _]]].
  simpl Nat.even in p. cbn iota in p.
  match type of p with _ < Rmin ?a ?b => pose proof (Rmin_l a b) end. lra.
Qed.

Lemma heavy_ball_tangent_closed_2_false : ~ heavy_ball_tangent_closed_2.
Proof.
  intro h. destruct (h 1%nat 1 ltac:(simpl; lra) ltac:(lra) ltac:(lra)) as [T [_ t]].
  exact (no_threshold _ _ t (heavy_ball_momentum_one 1)).
Qed.

(** Without delay the arc tangent would have to reach pi/2. *)
Lemma heavy_ball_tangent_moved_1_false : ~ heavy_ball_tangent_moved_1.
Proof.
  intro h. destruct (h O 0 ltac:(simpl; lra) ltac:(lra) ltac:(lra)) as [y [[_ [e _]] _]]. simpl INR in e.
  pose proof (atan_bound (y * (1 + 0) / (1 - 0))). lra.
Qed.

Lemma heavy_ball_delay_2_factor_false : ~ heavy_ball_delay_2_factor.
Proof.
  intro h. pose proof (h 2%nat 0 ltac:(simpl; ring) ltac:(lra) ltac:(lra)) as t.
  pose proof (Theorems.heavy_ball_delay_2 2%nat 0 ltac:(simpl; ring) ltac:(lra) ltac:(lra)) as s.
  apply (not_twice _ _ _ s t). unfold factor. lra.
Qed.

Lemma heavy_ball_delay_2_closed_1_false : ~ heavy_ball_delay_2_closed_1.
Proof.
  intro h. destruct (h 2%nat (-1) ltac:(simpl; ring) ltac:(lra) ltac:(lra)) as [p _].
  destruct (Rlt_dec (-1) (- (1 / 2))); lra.
Qed.

Lemma heavy_ball_delay_2_closed_2_false : ~ heavy_ball_delay_2_closed_2.
Proof.
  intro h. exact (no_threshold _ _ (h 2%nat 1 ltac:(simpl; ring) ltac:(lra) ltac:(lra))
    (heavy_ball_momentum_one 2)).
Qed.

(** ** Heavy ball with long delays *)

Lemma heavy_ball_long_delay_factor_false : ~ heavy_ball_long_delay_factor.
Proof.
  intro h. set (t := fun n => without_momentum n _ (Theorems.sgd n)).
  pose proof (h 0 ltac:(lra) ltac:(lra) _ t) as x.
  pose proof (Theorems.heavy_ball_long_delay 0 ltac:(lra) ltac:(lra) _ t) as y.
  apply is_lim_seq_unique in x, y. rewrite x in y. injection y. pose proof PI_RGT_0. lra.
Qed.

(** Without delay neither momentum -1 nor momentum 1 has a threshold. *)
Lemma momentum_minus_one g : 0 <= g -> ~ stable (heavy_ball (-1) 0) g.
Proof.
  intros g0 st.
  destruct (real_root (fun z => heavy_ball (-1) 0 g (- z)%C) (fun x => (x + 1) * (x - 1) - g * x) (1 + g))
    as [x [x1 e]].
  - intro x. continuous.
  - intro x. unfold heavy_ball. simpl Cpow. unfold Cplus, Cmult, Cminus, Copp, Cplus, RtoC; simpl.
    apply pair_equal_spec; split; ring.
  - lra.
  - lra.
  - lra.
  - specialize (st _ e). rewrite Cmod_opp, Cmod_R, Rabs_pos_eq in st; lra.
Qed.

Lemma heavy_ball_long_delay_closed_1_true : heavy_ball_long_delay_closed_1.
Proof.
  intros m low high a t. destruct (Rle_lt_or_eq_dec (-1) m ltac:(lra)) as [l|<-].
  { now apply Theorems.heavy_ball_long_delay. }
  destruct (t O) as [p s]. destruct (momentum_minus_one (a O / 2)); [lra|]. apply s. lra.
Qed.

Lemma heavy_ball_long_delay_closed_2_true : heavy_ball_long_delay_closed_2.
Proof.
  intros m low high a t. destruct (Rle_lt_or_eq_dec m 1 ltac:(lra)) as [l|e].
  { now apply Theorems.heavy_ball_long_delay. }
  subst m. destruct (no_threshold _ _ (t O) (heavy_ball_momentum_one 0)).
Qed.

(** ** Bounds of heavy ball: each is attained *)

Lemma lower_bound_start : 2 * sqrt (4 * 0 + (4 * 0 * INR 0 / (1 - 0) +
  1 / sin (PI / (2 + 4 * INR 0)) ^ 2) * (1 - 0) ^ 2) /
  (4 * 0 * INR 0 / (1 - 0) + 1 / sin (PI / (2 + 4 * INR 0)) ^ 2) = 2.
Proof.
  simpl INR. replace (PI / (2 + 4 * 0)) with (PI / 2) by field. rewrite sin_PI2.
  replace (4 * 0 * 0 / (1 - 0) + 1 / 1 ^ 2) with 1 by field.
  replace (4 * 0 + 1 * (1 - 0) ^ 2) with 1 by ring. rewrite sqrt_1. field.
Qed.

Lemma heavy_ball_lower_bound_factor_false : ~ heavy_ball_lower_bound_factor.
Proof.
  intro h. pose proof (h O 0 ltac:(lra) ltac:(lra) _ (heavy_ball_undelayed 0 ltac:(lra))) as b.
  pose proof lower_bound_start as e. set (Q := 4 * 0 * INR 0 / (1 - 0) + 1 / sin (PI / (2 + 4 * INR 0)) ^ 2) in *.
  set (r := sqrt (4 * 0 + Q * (1 - 0) ^ 2)) in *.
  assert (q : Q <> 0) by (intro z; rewrite z in e; unfold Rdiv in e; rewrite Rinv_0 in e; lra).
  replace (1000000001 * r / (500000000 * Q)) with (factor * (2 * r / Q)) in b by (unfold factor; field; exact q).
  rewrite e in b. unfold factor in b. lra.
Qed.

Lemma heavy_ball_lower_bound_closed_1_true : heavy_ball_lower_bound_closed_1.
Proof.
  intros n m low high Q a t. destruct (Rle_lt_or_eq_dec m 1 ltac:(lra)) as [l|e].
  { now apply (Theorems.heavy_ball_lower_bound n m low l a). }
  subst m. destruct (no_threshold _ _ t (heavy_ball_momentum_one n)).
Qed.

Lemma heavy_ball_lower_bound_strict_1_false : ~ heavy_ball_lower_bound_strict_1.
Proof.
  intro h. pose proof (h O 0 ltac:(lra) ltac:(lra) _ (heavy_ball_undelayed 0 ltac:(lra))) as b.
  cbv zeta in b. rewrite lower_bound_start in b. lra.
Qed.

Lemma upper_bound_start :
  2 * sqrt (4 * 0 + ((2 + 4 * INR 1 ^ 2) / 3 + 2 * INR 1 * ((1 + 0) / (1 - 0))) * (1 - 0) ^ 2) /
  ((2 + 4 * INR 1 ^ 2) / 3 + 2 * INR 1 * ((1 + 0) / (1 - 0))) = 1.
Proof.
  simpl INR. replace ((2 + 4 * 1 ^ 2) / 3 + 2 * 1 * ((1 + 0) / (1 - 0))) with 4 by field.
  replace (4 * 0 + 4 * (1 - 0) ^ 2) with (2 * 2) by ring. rewrite sqrt_square by lra. field.
Qed.

Lemma heavy_ball_upper_bound_factor_false : ~ heavy_ball_upper_bound_factor.
Proof.
  intro h. pose proof (h 1%nat 0 ltac:(lra) ltac:(lra) _
    (Theorems.heavy_ball_delay_1 1%nat 0 eq_refl ltac:(lra) ltac:(lra))) as b.
  pose proof upper_bound_start as e. set (Q := (2 + 4 * INR 1 ^ 2) / 3 + 2 * INR 1 * ((1 + 0) / (1 - 0))) in *.
  set (r := sqrt (4 * 0 + Q * (1 - 0) ^ 2)) in *.
  assert (q : Q <> 0) by (intro z; rewrite z in e; unfold Rdiv in e; rewrite Rinv_0 in e; lra).
  replace (999999999 * r / (500000000 * Q)) with (999999999 / 1000000000 * (2 * r / Q)) in b
    by (field; exact q).
  rewrite e in b. lra.
Qed.

Lemma heavy_ball_upper_bound_closed_1_true : heavy_ball_upper_bound_closed_1.
Proof.
  intros n m low high Q a t. destruct (Rle_lt_or_eq_dec m 1 ltac:(lra)) as [l|e].
  { now apply (Theorems.heavy_ball_upper_bound n m low l a). }
  subst m. destruct (no_threshold _ _ t (heavy_ball_momentum_one n)).
Qed.

Lemma heavy_ball_upper_bound_strict_1_false : ~ heavy_ball_upper_bound_strict_1.
Proof.
  intro h. pose proof (h 1%nat 0 ltac:(lra) ltac:(lra) _
    (Theorems.heavy_ball_delay_1 1%nat 0 eq_refl ltac:(lra) ltac:(lra))) as b.
  cbv zeta in b. rewrite upper_bound_start in b. lra.
Qed.
