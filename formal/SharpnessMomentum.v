(** * How sharp the thresholds of heavy ball, shifted and Nesterov momentum are *)

Require Import Reals Lra Lia Psatz.
From Coquelicot Require Import Coquelicot.
From DelayStability Require Import Loop Branch Sgd Bounds Ema Nesterov MixedRead Effective
  MomentumOne Printed Variants Sharpness.
From DelayStability Require Theorems.
Open Scope R_scope.

(** ** Heavy ball *)

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
  rewrite (delay_one n one).
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
  subst m. rewrite (delay_zero n zero).
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
