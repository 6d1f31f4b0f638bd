(** * How sharp the theorems are: of each variant that claims more, whether it is false

    A formula that is off by 1e-9 is false, a domain that is wider by an end point or a bound that is
    strict mostly so. [variant_false] proves the negation; where a variant is true,
    [variant_true] proves it. In words only:

    - effective_heavy_ball_upper_closed_1: with momentum 1 no gain is stable, so that nothing is claimed
    - effective_shifted_upper_closed_1: with momentum 1 no gain is stable, so that nothing is claimed *)

Require Import Reals Lra Lia Psatz.
From Coquelicot Require Import Coquelicot.
From DelayStability Require Import Loop Branch Sgd Bounds HeavyBall Ema Shifted ShiftedNegative
  Nesterov NesterovUnstable
  ArbitraryDelays MixedRead Effective Variants.
From DelayStability Require Theorems.
Open Scope R_scope.

(** ** Tools *)

Definition factor : R := 1000000001 / 1000000000.

Lemma not_twice p a b : threshold p a -> threshold p b -> b <> factor * a.
Proof.
  intros s t e. pose proof (threshold_unique p a b s t). destruct s as [p0 _]. unfold factor in e. lra.
Qed.

(** With momentum 0 there is one more root, 0. *)
Lemma without_momentum n a : threshold (sgd n) a -> threshold (heavy_ball 0 n) a.
Proof.
  intros [a0 t]. split; [exact a0|]. intro g. rewrite <- t.
  assert (same : forall z, heavy_ball 0 n g z = (z * sgd n g z)%C).
  { intro z. unfold heavy_ball, sgd. ring. }
  split; intros h z e.
  - apply h. rewrite same, e. ring.
  - rewrite same in e. destruct (Ceq_dec z (RtoC 0)) as [->|nz]; [rewrite Cmod_0; lra|]. apply h.
    destruct (Ceq_dec (sgd n g z) (RtoC 0)) as [q|q]; [exact q|]. destruct (Cmult_neq_0 _ _ nz q e).
Qed.

Lemma without_shifted_momentum n a : threshold (sgd n) a -> threshold (shifted_momentum 0 n) a.
Proof.
  intro t. destruct (without_momentum n a t) as [a0 s]. split; [exact a0|]. intro g. rewrite <- s.
  assert (same : forall z, shifted_momentum 0 n g z = heavy_ball 0 n g z).
  { intro z. unfold shifted_momentum, heavy_ball. simpl Cpow. ring. }
  split; intros h z e; apply h; rewrite <- e; [|symmetry]; apply same.
Qed.

Lemma reciprocal_square_small e : 0 < e -> exists n, / (1 + 2 * INR n) ^ 2 < e.
Proof.
  intro e0. assert (0 < / e) by (apply Rinv_0_lt_compat, e0). destruct (archimed (/ e)) as [h _].
  set (n := Z.to_nat (up (/ e))). exists n. assert (/ e < INR n).
  { unfold n. rewrite INR_IZR_INZ, Z2Nat.id; [exact h|]. apply le_IZR. lra. }
  apply Rlt_trans with (/ INR n).
  - apply Rinv_lt_contravar; nra.
  - rewrite <- (Rinv_inv e). apply Rinv_lt_contravar; [apply Rmult_lt_0_compat|]; lra.
Qed.

(** SGD's threshold is closer to its two bounds than any factor. *)
Lemma upper_bound_is_sharp k : k < 1 ->
  exists n, k * PI / (1 + 2 * INR n) < 2 * sin (PI / (2 + 4 * INR n)).
Proof.
  intro k1. pose proof PI_RGT_0. assert (p3 : 0 < PI ^ 3) by (apply pow_lt; lra).
  destruct (reciprocal_square_small (24 * (1 - k) * PI / PI ^ 3)) as [n h].
  { apply Rdiv_lt_0_compat; [nra|exact p3]. }
  exists n. pose proof (sgd_threshold_lower n) as low. pose proof (pos_INR n).
  rewrite Theorems.sgd_printed in low. rewrite (Rplus_comm (2 * INR n)) in low.
  eapply Rlt_le_trans; [|exact low]. set (w := 1 + 2 * INR n) in *. assert (w0 : 0 < w) by (unfold w; lra).
  assert (q : PI ^ 3 * / w ^ 2 < 24 * (1 - k) * PI).
  { apply Rmult_lt_reg_l with (/ PI ^ 3); [now apply Rinv_0_lt_compat|].
    replace (/ PI ^ 3 * (PI ^ 3 * / w ^ 2)) with (/ w ^ 2) by (field; lra).
    replace (/ PI ^ 3 * (24 * (1 - k) * PI)) with (24 * (1 - k) * PI / PI ^ 3) by (field; lra). exact h. }
  apply Rmult_lt_reg_r with w; [exact w0|].
  replace (k * PI / w * w) with (k * PI) by (field; lra).
  replace ((PI / w - PI ^ 3 / (24 * w ^ 3)) * w) with (PI - PI ^ 3 * / w ^ 2 / 24) by (field; lra). lra.
Qed.

Lemma lower_bound_is_sharp k : 1 < k -> exists n, 2 * sin (PI / (2 + 4 * INR n)) <
  k * (PI / (1 + 2 * INR n) - PI ^ 3 / (24 * (1 + 2 * INR n) ^ 3)).
Proof.
  intro k1. pose proof PI_RGT_0. assert (p3 : 0 < k * PI ^ 3)
    by (apply Rmult_lt_0_compat; [|apply pow_lt]; lra).
  destruct (reciprocal_square_small (24 * (k - 1) * PI / (k * PI ^ 3))) as [n h].
  { apply Rdiv_lt_0_compat; [nra|exact p3]. }
  exists n. pose proof (sgd_threshold_upper n) as high. pose proof (pos_INR n).
  rewrite Theorems.sgd_printed, (Rplus_comm (2 * INR n)) in high.
  eapply Rle_lt_trans; [exact high|]. set (w := 1 + 2 * INR n) in *. assert (w0 : 0 < w) by (unfold w; lra).
  assert (q : k * PI ^ 3 * / w ^ 2 < 24 * (k - 1) * PI).
  { apply Rmult_lt_reg_l with (/ (k * PI ^ 3)); [now apply Rinv_0_lt_compat|].
    replace (/ (k * PI ^ 3) * (k * PI ^ 3 * / w ^ 2)) with (/ w ^ 2) by (field; split; lra).
    replace (/ (k * PI ^ 3) * (24 * (k - 1) * PI)) with (24 * (k - 1) * PI / (k * PI ^ 3))
      by (field; split; lra). exact h. }
  apply Rmult_lt_reg_r with w; [exact w0|].
  replace (PI / w * w) with PI by (field; lra).
  replace (k * (PI / w - PI ^ 3 / (24 * w ^ 3)) * w) with (k * PI - k * PI ^ 3 * / w ^ 2 / 24)
    by (field; lra). lra.
Qed.

(** A polynomial of degree two with small coefficients has its roots inside. *)
Lemma quadratic_stable b c z : Rabs c < 1 -> Rabs b < 1 + c ->
  (z * z + b * z + c)%C = RtoC 0 -> Cmod z < 1.
Proof.
  intros hc hb e. apply Rabs_def2 in hc. apply Rabs_def2 in hb. destruct z as [x y].
  apply pair_equal_spec in e. unfold Cmult, Cplus, RtoC in e; simpl fst in e; simpl snd in e.
  destruct e as [re im]. unfold Cmod; simpl fst; simpl snd. rewrite <- sqrt_1. apply sqrt_lt_1_alt.
  split; [nra|]. destruct (Req_dec y 0) as [->|ny].
  - assert (x < 1) by (apply Rnot_le_lt; intro; nra). assert (-1 < x) by (apply Rnot_le_lt; intro; nra). nra.
  - assert (2 * x + b = 0) by (apply Rmult_eq_reg_r with y; [lra|exact ny]). nra.
Qed.

Lemma outside p g z a : threshold p a -> p g z = RtoC 0 -> 1 <= Cmod z -> 0 < g < a -> False.
Proof. intros [_ t] e m b. apply t in b. specialize (b z e). lra. Qed.

Lemma Cmod_one : 1 <= Cmod (RtoC 1).
Proof. rewrite Cmod_R, Rabs_R1. lra. Qed.

Lemma Cmod_imaginary y : Cmod (0, y) = Rabs y.
Proof.
  unfold Cmod; simpl fst; simpl snd. replace (0 ^ 2 + y ^ 2) with (y * y) by ring. apply sqrt_Rsqr_abs.
Qed.

(** ** The signs in the definitions

    The end of the interval is unstable, so is the gain 0, and a root on the circle does not count as
    stable: with one of these signs made weak no loop has a threshold. *)

Lemma threshold_excludes_its_end p a b : threshold p a -> 0 < b ->
  ~ (forall gain, stable p gain <-> 0 < gain <= b).
Proof.
  intros [a0 t] b0 u. assert (s : stable p b) by (apply u; lra). apply t in s.
  destruct (Rlt_le_dec b ((a + b) / 2)) as [l|l]; [|lra].
  assert (s2 : stable p ((a + b) / 2)) by (apply t; lra). apply u in s2. lra.
Qed.

Lemma threshold_excludes_zero p b : p 0 (RtoC 1) = RtoC 0 -> 0 < b ->
  ~ (forall gain, stable p gain <-> 0 <= gain < b).
Proof.
  intros e b0 u. assert (s : stable p 0) by (apply u; lra). specialize (s _ e).
  rewrite Cmod_R, Rabs_R1 in s. lra.
Qed.

Lemma roots_on_the_circle_are_not_stable n b :
  ~ (forall gain, (forall z, sgd n gain z = RtoC 0 -> Cmod z <= 1) <-> 0 < gain < b).
Proof.
  intro u. destruct (proj1 (u 0)) as [z0 _]; [|lra]. intros z e.
  assert (f : (z ^ n * (z - 1))%C = RtoC 0) by (rewrite <- e; unfold sgd; ring).
  destruct (Ceq_dec (z - 1)%C (RtoC 0)) as [q|q].
  - replace z with (z - 1 + 1)%C by ring. rewrite q, Cplus_0_l, Cmod_1. lra.
  - destruct (Ceq_dec z (RtoC 0)) as [->|nz]; [rewrite Cmod_0; lra|]. exfalso.
    assert (p : (z ^ n)%C <> RtoC 0).
    { clear - nz. induction n as [|k IH]; simpl; [intro h; injection h; lra|].
      now apply Cmult_neq_0. }
    exact (Cmult_neq_0 _ _ p q f).
Qed.

Lemma first_root_excludes_itself f g u t :
  ~ (0 < t <= u /\ f t = g t /\ forall s, 0 < s <= t -> g s < f s).
Proof. intros [b [e below]]. specialize (below t ltac:(lra)). lra. Qed.

(** Without delay the angle is the end pi of its interval. *)
Lemma first_root_reaches_its_end m T : -1 < m < 1 -> heavy_ball_angle m 0 T -> ~ T < PI.
Proof. intros m1 angle. rewrite (hb_angle_zero m T m1 angle). lra. Qed.

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
  intros n a t. rewrite (Theorems.sgd_of n a t). unfold sgd_threshold. pose proof (pos_INR n).
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
Proof. intros n a t. rewrite (Theorems.sgd_of n a t). apply sgd_strictly_above. Qed.

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

(** ** Heavy ball *)

(** Both name the same angle, so that the thresholds would be equal. *)
Ltac same_angle T S aT aS := rewrite <- (first_root_unique _ _ _ _ _ aS aT) in *; clear T aT.

Lemma heavy_ball_factor_false : ~ heavy_ball_factor.
Proof.
  intro h. destruct (h 1%nat 0 ltac:(lra) ltac:(lra)) as [T [aT t]].
  destruct (Theorems.heavy_ball 1%nat 0 ltac:(lra) ltac:(lra)) as [S [aS s]]. same_angle T S aT aS.
  apply (not_twice _ _ _ s t). unfold factor. simpl Nat.even. cbn iota. field.
Qed.

(** The value is not positive. *)
Lemma heavy_ball_closed_1_false : ~ heavy_ball_closed_1.
Proof.
  intro h. destruct (h O (-1) ltac:(lra) ltac:(lra)) as [T [_ [p _]]]. simpl Nat.even in p. cbn iota in p.
  match type of p with _ < Rmin ?a ?b => pose proof (Rmin_l a b) end. lra.
Qed.

(** There is no angle. *)
Lemma heavy_ball_closed_2_false : ~ heavy_ball_closed_2.
Proof.
  intro h. destruct (h O 1 ltac:(lra) ltac:(lra)) as [T [[[T0 _] [_ below]] _]].
  specialize (below (T / 2) ltac:(lra)). simpl in below.
  replace (T / 2 * (0 - 1 / 2)) with (- (T / 2 * (1 / 2 + 0))) in below by field.
  rewrite cos_neg in below. lra.
Qed.

Lemma heavy_ball_quotient_factor_false : ~ heavy_ball_quotient_factor.
Proof.
  intro h. destruct (h 1%nat 0 ltac:(simpl; lra) ltac:(lra) ltac:(lra)) as [T [aT t]].
  destruct (Theorems.heavy_ball_quotient 1%nat 0 ltac:(simpl; lra) ltac:(lra) ltac:(lra)) as [S [aS s]].
  same_angle T S aT aS. apply (not_twice _ _ _ s t). unfold factor. simpl Nat.even. cbn iota. lra.
Qed.

Lemma heavy_ball_quotient_closed_1_false : ~ heavy_ball_quotient_closed_1.
Proof.
  intro h. destruct (h 2%nat (-1) ltac:(simpl; lra) ltac:(lra) ltac:(lra)) as [T [_ [p _]]].
  simpl Nat.even in p. cbn iota in p.
  match type of p with _ < Rmin ?a ?b => pose proof (Rmin_l a b) end. lra.
Qed.

Lemma heavy_ball_quotient_closed_2_false : ~ heavy_ball_quotient_closed_2.
Proof.
  intro h. destruct (h 1%nat 1 ltac:(simpl; lra) ltac:(lra) ltac:(lra)) as [T [_ [p _]]].
  simpl Nat.even in p. cbn iota in p. unfold Rdiv in p. rewrite Rminus_diag_eq, !Rmult_0_l in p by lra. lra.
Qed.

Lemma heavy_ball_quotient_moved_1_false : ~ heavy_ball_quotient_moved_1.
Proof.
  intro h. destruct (h O 0 ltac:(simpl; lra) ltac:(lra) ltac:(lra)) as [T [_ [p _]]].
  simpl Nat.even in p. cbn iota in p. simpl INR in p. unfold Rdiv in p.
  rewrite Rmult_0_r, sin_0, Rinv_0, Rmult_0_r in p.
  match type of p with _ < Rmin ?a ?b => pose proof (Rmin_r a b) end. lra.
Qed.

Lemma heavy_ball_delay_0_factor_false : ~ heavy_ball_delay_0_factor.
Proof.
  intro h. apply (not_twice _ _ _ (Theorems.heavy_ball_delay_0 O 0 eq_refl ltac:(lra) ltac:(lra))
    (h O 0 eq_refl ltac:(lra) ltac:(lra))). unfold factor. field.
Qed.

Lemma heavy_ball_delay_0_closed_1_false : ~ heavy_ball_delay_0_closed_1.
Proof. intro h. destruct (h O (-1) eq_refl ltac:(lra) ltac:(lra)). lra. Qed.

(** With momentum 1 and gain 2 the polynomial is z^2 + 1. *)
Lemma heavy_ball_delay_0_closed_2_false : ~ heavy_ball_delay_0_closed_2.
Proof.
  intro h. apply (outside _ 2 (0, 1) _ (h O 1 eq_refl ltac:(lra) ltac:(lra))).
  - unfold heavy_ball. simpl Cpow. unfold Cplus, Cmult, Cminus, Copp, Cplus, RtoC; simpl.
    apply pair_equal_spec; split; ring.
  - rewrite Cmod_imaginary, Rabs_R1. lra.
  - lra.
Qed.

Lemma heavy_ball_delay_1_factor_false : ~ heavy_ball_delay_1_factor.
Proof.
  intro h. apply (not_twice _ _ _ (Theorems.heavy_ball_delay_1 1%nat 0 eq_refl ltac:(lra) ltac:(lra))
    (h 1%nat 0 eq_refl ltac:(lra) ltac:(lra))). unfold factor. field.
Qed.

(** With momentum -1 the polynomial is z (z^2 - 1 + a): the theorem holds there too. *)
Lemma heavy_ball_delay_1_closed_1_true : heavy_ball_delay_1_closed_1.
Proof.
  intros n m one low high. destruct (Rle_lt_or_eq_dec (-1) m ltac:(lra)) as [l|<-].
  { now apply Theorems.heavy_ball_delay_1. }
  rewrite (Theorems.delay_one n one).
  assert (same : forall g z, heavy_ball (-1) 1 g z = (z * (z * z + 0 * z + (g - 1)))%C).
  { intros g z. unfold heavy_ball. simpl Cpow.
    destruct z as [x y]. unfold Cplus, Cmult, Cminus, Copp, Cplus, RtoC; simpl.
    apply pair_equal_spec; split; ring. }
  split; [lra|]. intro g. split.
  - intro st.
    destruct (Rlt_le_dec 0 g) as [p|p].
    + destruct (Rlt_le_dec g 2) as [q|q]; [lra|]. exfalso.
      assert (e : heavy_ball (-1) 1 g (0, sqrt (g - 1)) = RtoC 0).
      { rewrite same. pose proof (sqrt_sqrt (g - 1) ltac:(lra)) as sq.
        unfold Cplus, Cmult, Cminus, Copp, Cplus, RtoC; simpl. apply pair_equal_spec; split; nra. }
      specialize (st _ e). rewrite Cmod_imaginary, Rabs_pos_eq in st by apply sqrt_pos.
      assert (1 <= sqrt (g - 1)) by (rewrite <- sqrt_1 at 1; apply sqrt_le_1_alt; lra). lra.
    + exfalso. assert (e : heavy_ball (-1) 1 g (RtoC (sqrt (1 - g))) = RtoC 0).
      { rewrite same. pose proof (sqrt_sqrt (1 - g) ltac:(lra)) as sq.
        unfold Cplus, Cmult, Cminus, Copp, Cplus, RtoC; simpl. apply pair_equal_spec; split; nra. }
      specialize (st _ e). rewrite Cmod_R, Rabs_pos_eq in st by apply sqrt_pos.
      assert (1 <= sqrt (1 - g)) by (rewrite <- sqrt_1 at 1; apply sqrt_le_1_alt; lra). lra.
  - intros b z e. rewrite same in e. destruct (Ceq_dec z (RtoC 0)) as [->|nz]; [rewrite Cmod_0; lra|].
    destruct (Ceq_dec (z * z + 0 * z + (g - 1))%C (RtoC 0)) as [q|q].
    + apply (quadratic_stable 0 (g - 1)); [apply Rabs_def1; lra|rewrite Rabs_R0; lra|].
      now rewrite RtoC_minus.
    + destruct (Cmult_neq_0 _ _ nz q e).
Qed.

Lemma heavy_ball_delay_1_closed_2_false : ~ heavy_ball_delay_1_closed_2.
Proof. intro h. destruct (h 1%nat 1 eq_refl ltac:(lra) ltac:(lra)). lra. Qed.

(** ** Shifted momentum *)

Lemma shifted_momentum_delay_0_factor_false : ~ shifted_momentum_delay_0_factor.
Proof.
  intro h. apply (not_twice _ _ _ (Theorems.shifted_momentum_delay_0 O 0 ltac:(lra) ltac:(lra) eq_refl)
    (h O 0 ltac:(lra) ltac:(lra) eq_refl)). unfold factor. field.
Qed.

Lemma shifted_momentum_delay_0_closed_1_false : ~ shifted_momentum_delay_0_closed_1.
Proof. intro h. destruct (h O (-1) ltac:(lra) ltac:(lra) eq_refl). lra. Qed.

Lemma shifted_momentum_delay_0_closed_2_false : ~ shifted_momentum_delay_0_closed_2.
Proof.
  intro h. apply (outside _ 2 (0, 1) _ (h O 1 ltac:(lra) ltac:(lra) eq_refl)).
  - unfold shifted_momentum. simpl Cpow. unfold Cplus, Cmult, Cminus, Copp, Cplus, RtoC; simpl.
    apply pair_equal_spec; split; ring.
  - rewrite Cmod_imaginary, Rabs_R1. lra.
  - lra.
Qed.

Lemma shifted_momentum_factor_false : ~ shifted_momentum_factor.
Proof.
  intro h. destruct (h 1%nat 0 ltac:(lra) ltac:(lra)) as [T [aT t]].
  destruct (Theorems.shifted_momentum 1%nat 0 ltac:(lra) ltac:(lra)) as [S [aS s]].
  same_angle T S aT aS. apply (not_twice _ _ _ s t). unfold factor. field.
Qed.

(** Without delay the angle is pi, and the value is 0. *)
Lemma shifted_momentum_closed_1_false : ~ shifted_momentum_closed_1.
Proof.
  intro h. destruct (h O (-1) ltac:(lra) ltac:(lra)) as [T [[_ [e _]] [p _]]]. simpl in e, p.
  replace (T * (1 / 2 + 0)) with (T / 2) in e by field. assert (c : cos (T / 2) = 0) by lra.
  pose proof (Trigonometry.circle (T / 2)) as k. rewrite c in k.
  replace (T * (1 + 0) / 2) with (T / 2) in p by field.
  match type of p with context [sqrt ?x] => replace x with 0 in p by lra end. rewrite sqrt_0 in p. lra.
Qed.

Lemma shifted_momentum_closed_2_false : ~ shifted_momentum_closed_2.
Proof.
  intro h. destruct (h O 1 ltac:(lra) ltac:(lra)) as [T [[[T0 _] [_ below]] _]].
  specialize (below (T / 2) ltac:(lra)). simpl in below.
  replace (T / 2 * (1 / 2 + 0)) with (T / 2 / 2) in below by field. lra.
Qed.

Lemma shifted_momentum_delay_1_factor_false : ~ shifted_momentum_delay_1_factor.
Proof.
  intro h. apply (not_twice _ _ _ (Theorems.shifted_momentum_delay_1 1%nat 0 ltac:(lra) ltac:(lra) eq_refl)
    (h 1%nat 0 ltac:(lra) ltac:(lra) eq_refl)). unfold factor. lra.
Qed.

Lemma shifted_momentum_delay_1_closed_1_false : ~ shifted_momentum_delay_1_closed_1.
Proof. intro h. destruct (h 1%nat (-1) ltac:(lra) ltac:(lra) eq_refl). lra. Qed.

Lemma shifted_momentum_delay_1_closed_2_false : ~ shifted_momentum_delay_1_closed_2.
Proof. intro h. destruct (h 1%nat 1 ltac:(lra) ltac:(lra) eq_refl). lra. Qed.

Lemma shifted_momentum_parametric_factor_false : ~ shifted_momentum_parametric_factor.
Proof.
  intro h. destruct (h 1%nat 0 ltac:(lra) ltac:(lra) ltac:(simpl; lra)) as [T [aT t]].
  destruct (Theorems.shifted_momentum_parametric 1%nat 0 ltac:(lra) ltac:(lra) ltac:(simpl; lra))
    as [S [aS s]].
  same_angle T S aT aS. apply (not_twice _ _ _ s t). unfold factor. lra.
Qed.

(** With delay 1 the equation of the angle is 2 cos theta - 1 = m. *)
Lemma parametric_delay_1 T m : 0 < T <= PI / (1 + INR 1) ->
  cos (T * (1 / 2 + INR 1)) / cos (T / 2) = m -> 2 * cos T - 1 = m.
Proof.
  intros b e. simpl INR in *. pose proof PI_RGT_0. assert (c : 0 < cos (T / 2)) by (apply cos_gt_0; lra).
  apply Rmult_eq_reg_r with (cos (T / 2)); [|lra].
  rewrite <- e. replace (cos (T * (1 / 2 + 1)) / cos (T / 2) * cos (T / 2)) with (cos (T * (1 / 2 + 1)))
    by (field; lra).
  replace (T * (1 / 2 + 1)) with (T + T / 2) by field. rewrite cos_plus.
  rewrite (Trigonometry.sin_half T), (Trigonometry.cos_half T).
  pose proof (Trigonometry.circle (T / 2)) as k. set (s := sin (T / 2)) in *. set (h := cos (T / 2)) in *. lra.
Qed.

(** There the angle is pi/2, and the value is 0. *)
Lemma shifted_momentum_parametric_closed_1_false : ~ shifted_momentum_parametric_closed_1.
Proof.
  intro h. destruct (h 1%nat (-1) ltac:(lra) ltac:(lra) ltac:(simpl; lra)) as [T [[b [e _]] [p _]]].
  apply (parametric_delay_1 T _ b) in e. simpl INR in p. replace (T * (1 + 1)) with (2 * T) in p by ring.
  rewrite sin_2a in p. replace (cos T) with 0 in p by lra. lra.
Qed.

(** The angle would be 0. *)
Lemma shifted_momentum_parametric_closed_2_false : ~ shifted_momentum_parametric_closed_2.
Proof.
  intro h. destruct (h 1%nat 1 ltac:(lra) ltac:(lra) ltac:(simpl; lra)) as [T [[b [e _]] _]].
  apply (parametric_delay_1 T _ b) in e. simpl INR in b. pose proof PI_RGT_0.
  assert (0 < sin T) by (apply sin_gt_0; lra). pose proof (Trigonometry.circle T). nra.
Qed.

(** Without delay the quotient is 1, or what Rocq makes of 0/0. *)
Lemma shifted_momentum_parametric_moved_1_false : ~ shifted_momentum_parametric_moved_1.
Proof.
  intro h. destruct (h O (1 / 2) ltac:(lra) ltac:(lra) ltac:(simpl; lra)) as [T [[_ [e _]] _]]. simpl in e.
  replace (T * (1 / 2 + 0)) with (T / 2) in e by field. destruct (Req_dec (cos (T / 2)) 0) as [z|nz].
  - rewrite z in e. unfold Rdiv in e. lra.
  - replace (cos (T / 2) / cos (T / 2)) with 1 in e by (field; exact nz). lra.
Qed.

(** ** Nesterov momentum *)

Lemma nesterov_factor_false : ~ nesterov_factor.
Proof.
  intro h. destruct (h 1%nat 0 ltac:(lra) ltac:(lra)) as [T [aT t]].
  destruct (Theorems.nesterov 1%nat 0 ltac:(lra) ltac:(lra)) as [S [aS s]].
  same_angle T S aT aS. apply (not_twice _ _ _ s t). unfold factor. field.
Qed.

(** With delay and momentum 1 the difference is negative at once: there is no angle. *)
Lemma nesterov_closed_1_false : ~ nesterov_closed_1.
Proof.
  intro h. destruct (h 1%nat 1 ltac:(lra) ltac:(lra)) as [T [[[T0 TP] [_ below]] _]].
  specialize (below (T / 4) ltac:(lra)). pose proof PI_RGT_0. set (t := T / 4) in *.
  pose proof (nag_X_form 1 1 t) as e. unfold nesterov_left in e. unfold nag_alpha, nag_beta in e.
  simpl INR in below, e. rewrite e in below. replace (1 * t) with t in below by ring.
  assert (0 < sin (t / 2)) by (apply sin_gt_0; unfold t; lra).
  assert (0 < cos (t / 2)) by (apply cos_gt_0; unfold t; lra).
  pose proof (COS_bound t). rewrite (Trigonometry.sin_half t) in below.
  set (s := sin (t / 2)) in *. set (c := cos (t / 2)) in *.
  assert (0 <= s * s * s * c * (1 - cos t)) by (repeat apply Rmult_le_pos; lra).
  assert (0 < s * s * c) by (repeat apply Rmult_lt_0_compat; lra).
  assert (0 <= s * s * s * c * s) by (repeat apply Rmult_le_pos; lra). nra.
Qed.

Lemma nesterov_delay_0_factor_false : ~ nesterov_delay_0_factor.
Proof.
  intro h. apply (not_twice _ _ _ (Theorems.nesterov_delay_0 O 0 ltac:(lra) ltac:(lra) eq_refl)
    (h O 0 ltac:(lra) ltac:(lra) eq_refl)). unfold factor. field.
Qed.

(** Without delay Nesterov momentum is stable with momentum 1 too: z^2 + (2 a - 2) z + 1 - a. *)
Lemma nesterov_delay_0_closed_1_true : nesterov_delay_0_closed_1.
Proof.
  intros n m low high zero. destruct (Rle_lt_or_eq_dec m 1 ltac:(lra)) as [l|e1].
  { now apply Theorems.nesterov_delay_0. }
  subst m. rewrite (Theorems.delay_zero n zero).
  assert (same : forall g z, nesterov 1 0 g z = (z * z + RtoC (2 * g - 2)%R * z + RtoC (1 - g)%R)%C).
  { intros g [x y]. unfold nesterov. simpl Cpow. unfold Cplus, Cmult, Cminus, Copp, Cplus, RtoC; simpl.
    apply pair_equal_spec; split; ring. }
  split; [lra|]. intro g. split.
  - intro st. destruct (Rle_lt_dec g 0) as [p|p]; [|destruct (Rlt_le_dec g (4 / 3)) as [q|q]; [lra|]]; exfalso.
    + destruct (real_root (nesterov 1 0 g) (fun x => x * x + (2 * g - 2) * x + (1 - g)) (3 - 2 * g))
        as [x [x1 e]].
      * intro x. continuous.
      * intro x. rewrite same, <- !RtoC_mult, <- !RtoC_plus. reflexivity.
      * lra.
      * lra.
      * nra.
      * specialize (st _ e). rewrite Cmod_R, Rabs_pos_eq in st; lra.
    + destruct (real_root (fun z => nesterov 1 0 g (- z)%C) (fun x => x * x - (2 * g - 2) * x + (1 - g))
        (1 + 2 * g)) as [x [x1 e]].
      * intro x. continuous.
      * intro x. rewrite same, <- RtoC_opp, <- !RtoC_mult, <- !RtoC_plus. apply f_equal. ring.
      * lra.
      * lra.
      * nra.
      * specialize (st _ e). rewrite Cmod_opp, Cmod_R, Rabs_pos_eq in st; lra.
  - intros b z e. rewrite same in e. apply (quadratic_stable _ _ _) in e; [exact e| |]; apply Rabs_def1; lra.
Qed.

(** ** EMA momentum: with momentum 1 the value is 0 *)

Lemma ema_momentum_factor_false : ~ ema_momentum_factor.
Proof.
  intro h. destruct (h 1%nat 0 ltac:(lra) ltac:(lra)) as [T [aT t]].
  destruct (Theorems.ema_momentum 1%nat 0 ltac:(lra) ltac:(lra)) as [S [aS s]]. same_angle T S aT aS.
  apply (not_twice _ _ _ s t). unfold factor. simpl Nat.even. cbn iota. field.
Qed.

Lemma ema_momentum_closed_1_false : ~ ema_momentum_closed_1.
Proof.
  intro h. destruct (h O (-1) ltac:(lra) ltac:(lra)) as [T [_ [p _]]]. simpl Nat.even in p. cbn iota in p.
  match type of p with _ < Rmin ?a ?b / _ => pose proof (Rmin_l a b) end. lra.
Qed.

Ltac no_value p := unfold Rdiv in p; rewrite ?(Rminus_diag_eq 1 1 eq_refl), ?Rmult_0_r, ?Rinv_0, ?Rmult_0_r in p; lra.

Lemma ema_momentum_closed_2_false : ~ ema_momentum_closed_2.
Proof. intro h. destruct (h O 1 ltac:(lra) ltac:(lra)) as [T [_ [p _]]]. no_value p. Qed.

Lemma adam_frozen_factor_false : ~ adam_frozen_factor.
Proof.
  intro h. destruct (h 1%nat 0 ltac:(lra) ltac:(lra)) as [T [aT t]].
  destruct (Theorems.adam_frozen 1%nat 0 ltac:(lra) ltac:(lra)) as [S [aS s]]. same_angle T S aT aS.
  apply (not_twice _ _ _ s t). unfold factor. field.
Qed.

Lemma adam_frozen_closed_1_false : ~ adam_frozen_closed_1.
Proof. intro h. destruct (h O 1 ltac:(lra) ltac:(lra)) as [T [_ [p _]]]. no_value p. Qed.

Lemma adam_frozen_delay_0_factor_false : ~ adam_frozen_delay_0_factor.
Proof.
  intro h. apply (not_twice _ _ _ (Theorems.adam_frozen_delay_0 O 0 ltac:(lra) ltac:(lra) eq_refl)
    (h O 0 ltac:(lra) ltac:(lra) eq_refl)). unfold factor. field.
Qed.

Lemma adam_frozen_delay_0_closed_1_false : ~ adam_frozen_delay_0_closed_1.
Proof. intro h. destruct (h O 1 ltac:(lra) ltac:(lra) eq_refl) as [p _]. no_value p. Qed.

(** ** Effective rates *)

Lemma effective_heavy_ball_factor_false : ~ effective_heavy_ball_factor.
Proof.
  intro h. destruct (h 1%nat 0 ltac:(lra) ltac:(lra) ltac:(simpl; lra)) as [T [aT t]].
  destruct (Theorems.effective_heavy_ball 1%nat 0 ltac:(lra) ltac:(lra) ltac:(simpl; lra)) as [S [aS s]].
  same_angle T S aT aS. apply (not_twice _ _ _ s t). unfold factor. destruct s as [s0 _].
  assert (sin (S * INR 1) <> 0) by (intro e; rewrite e in s0; unfold Rdiv in s0; rewrite Rinv_0 in s0; lra).
  field. assumption.
Qed.

(** With momentum 1 the gain does not move the root 1. *)
Lemma effective_heavy_ball_closed_1_false : ~ effective_heavy_ball_closed_1.
Proof.
  intro h. destruct (h 1%nat 1 ltac:(lra) ltac:(lra) ltac:(simpl; lra)) as [T [_ t]].
  set (a := sin T / sin (T * INR 1)) in *. apply (outside _ (a / 2) (RtoC 1) a t).
  - unfold ema_momentum. simpl Cpow. ring.
  - exact Cmod_one.
  - destruct t. lra.
Qed.

Lemma effective_heavy_ball_moved_1_false : ~ effective_heavy_ball_moved_1.
Proof.
  intro h. destruct (h O 0 ltac:(lra) ltac:(lra) ltac:(simpl; lra)) as [T [_ [p _]]]. simpl INR in p.
  rewrite Rmult_0_r, sin_0 in p. no_value p.
Qed.

Lemma effective_heavy_ball_upper_factor_false : ~ effective_heavy_ball_upper_factor.
Proof.
  intro h. pose proof (Theorems.sgd 1%nat) as t. pose proof (h 1%nat 0 ltac:(lra) ltac:(lra) ltac:(simpl; lra)
    _ (without_momentum _ _ t)) as b. destruct t as [p _]. lra.
Qed.

(** Without delay the threshold is 2 (1 + m). *)
Lemma effective_heavy_ball_upper_moved_1_false : ~ effective_heavy_ball_upper_moved_1.
Proof.
  intro h. pose proof (h O (1 / 2) ltac:(lra) ltac:(lra) ltac:(simpl; lra) _
    (Theorems.heavy_ball_undelayed (1 / 2) ltac:(lra))) as b.
  pose proof (SIN_bound (PI / (2 + 4 * INR 0))). nra.
Qed.

Lemma effective_heavy_ball_upper_strict_1_false : ~ effective_heavy_ball_upper_strict_1.
Proof.
  intro h. pose proof (h 1%nat 0 ltac:(lra) ltac:(lra) ltac:(simpl; lra)
    _ (without_momentum _ _ (Theorems.sgd 1%nat))). lra.
Qed.

Lemma effective_heavy_ball_lower_factor_false : ~ effective_heavy_ball_lower_factor.
Proof.
  intro h. pose proof (h 1%nat 0 ltac:(lra) ltac:(lra) ltac:(simpl; lra)
    _ (Theorems.heavy_ball_delay_1 1%nat 0 eq_refl ltac:(lra) ltac:(lra))) as b. simpl INR in b. lra.
Qed.

(** With momentum 1 the bound is 0. *)
Lemma effective_heavy_ball_lower_closed_1_true : effective_heavy_ball_lower_closed_1.
Proof.
  intros n m low high delay a t. destruct (Rle_lt_or_eq_dec m 1 ltac:(lra)) as [l|e].
  { exact (Theorems.effective_heavy_ball_lower n m low l delay a t). }
  rewrite e, Rminus_diag_eq by reflexivity. unfold Rdiv. rewrite Rmult_0_l. destruct t. lra.
Qed.

(** Rocq divides by 0, with the value 0. *)
Lemma effective_heavy_ball_lower_moved_1_true : effective_heavy_ball_lower_moved_1.
Proof.
  intros n m low high delay a t. destruct n as [|n].
  - simpl INR. unfold Rdiv. rewrite Rinv_0, Rmult_0_r. destruct t. lra.
  - apply (Theorems.effective_heavy_ball_lower (S n) m low high); [|exact t]. rewrite S_INR.
    pose proof (pos_INR n). lra.
Qed.

Lemma effective_heavy_ball_lower_strict_1_false : ~ effective_heavy_ball_lower_strict_1.
Proof.
  intro h. pose proof (h 1%nat 0 ltac:(lra) ltac:(lra) ltac:(simpl; lra)
    _ (Theorems.heavy_ball_delay_1 1%nat 0 eq_refl ltac:(lra) ltac:(lra))) as b. simpl INR in b. lra.
Qed.

Lemma effective_shifted_lower_factor_false : ~ effective_shifted_lower_factor.
Proof.
  intro h. pose proof (Theorems.sgd O) as t. pose proof (h O 0 ltac:(lra) ltac:(lra)
    _ (without_shifted_momentum _ _ t)) as b. destruct t as [p _]. lra.
Qed.

Lemma effective_shifted_lower_closed_1_true : effective_shifted_lower_closed_1.
Proof.
  intros n m low high a t. destruct (Rle_lt_or_eq_dec m 1 ltac:(lra)) as [l|e].
  { exact (Theorems.effective_shifted_lower n m low l a t). }
  rewrite e, Rminus_diag_eq by reflexivity. rewrite Rmult_0_r, Rmult_0_l. destruct t. lra.
Qed.

Lemma effective_shifted_lower_strict_1_false : ~ effective_shifted_lower_strict_1.
Proof.
  intro h. pose proof (h O 0 ltac:(lra) ltac:(lra) _ (without_shifted_momentum _ _ (Theorems.sgd O))). lra.
Qed.

(** With delay 1 the threshold is 1 - m^2, close to 2 (1 - m) for momentum close to 1. *)
Lemma effective_shifted_upper_factor_false : ~ effective_shifted_upper_factor.
Proof.
  intro h. set (m := 9999999999 / 10000000000).
  pose proof (Theorems.shifted_momentum_delay_1 1%nat m ltac:(unfold m; lra) ltac:(unfold m; lra) eq_refl) as t.
  pose proof (h 1%nat m ltac:(unfold m; lra) ltac:(unfold m; lra) ltac:(simpl; lra) _ t) as b.
  simpl INR in b. unfold m in b. lra.
Qed.

(** Without delay the bound is 0, as Rocq divides by 0. *)
Lemma effective_shifted_upper_moved_1_false : ~ effective_shifted_upper_moved_1.
Proof.
  intro h. pose proof (Theorems.shifted_momentum_delay_0 O 0 ltac:(lra) ltac:(lra) eq_refl) as t.
  pose proof (h O 0 ltac:(lra) ltac:(lra) ltac:(simpl; lra) _ t) as b. destruct t as [p _].
  simpl INR in b. unfold Rdiv in b. rewrite Rinv_0 in b. lra.
Qed.

Lemma effective_shifted_upper_strict_1_true : effective_shifted_upper_strict_1.
Proof.
  intros n m low high delay a t. pose proof (Theorems.delay_positive n delay) as n1.
  destruct (Theorems.shifted_of m n a ltac:(lra) t) as [T [angle ->]].
  rewrite (shifted_gain_effective m n T ltac:(lra) n1 angle).
  pose proof (shifted_effective_below m n T ltac:(lra) n1 angle) as b.
  replace (2 * (1 - m) / INR n) with ((1 - m) * (2 / INR n)) by (field; lra).
  apply Rmult_lt_compat_l; lra.
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
  pose proof (sgd_strictly_above n) as b. rewrite Theorems.sgd_printed in b. pose proof (pos_INR n).
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
