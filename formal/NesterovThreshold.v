(** * Nesterov momentum: the theorem, and the case without delay *)

Require Import Reals Lra Lia Psatz.
From DelayStability Require Import Loop Branch Trigonometry Multiples Nesterov NesterovUnstable.
Open Scope R_scope.

(** ** The theorem *)

Lemma nesterov_angle_exists m n : 0 <= m < 1 -> exists T, nesterov_angle m n T.
Proof.
  intro m1. pose proof PI_RGT_0. destruct (nag_factors m m1 PI) as [_ _].
  assert (stop : exists u, 0 < u <= PI /\ nesterov_left m n u <= 0).
  { destruct n as [|k].
    - exists PI. split; [lra|]. rewrite nag_X_form. simpl INR. rewrite Rmult_0_l, sin_0, cos_PI2. lra.
    - pose proof (pos_INR k). set (N := INR (S k)). assert (N1 : 1 <= N) by (unfold N; rewrite S_INR; lra).
      exists (PI / (2 * N)). assert (e : N * (PI / (2 * N)) = PI / 2) by (field; lra).
      assert (u0 : 0 < PI / (2 * N)) by (apply Rdiv_lt_0_compat; lra).
      assert (u1 : PI / (2 * N) <= PI) by nra. split; [lra|].
      rewrite nag_X_form. fold N. rewrite e, cos_PI2, sin_PI2.
      destruct (nag_factors m m1 (PI / (2 * N))) as [_ be].
      pose proof (half_positive (PI / (2 * N)) ltac:(lra)). nra. }
  destruct stop as [u [b X]].
  destruct (first_root_exists (nesterov_left m n) (fun _ => 0) u PI) as [T [_ r]].
  - intro s. unfold nesterov_left. continuous.
  - intro s. continuous.
  - unfold nesterov_left. rewrite !Rmult_0_l, cos_0. nra.
  - exact b.
  - exact X.
  - exists T. exact r.
Qed.

(** Without delay the angle is pi, and the polynomial is quadratic. *)
Section Undelayed.
Variables (m T : R).
Hypothesis m1 : 0 <= m < 1.
Hypothesis angle : nesterov_angle m 0 T.

Lemma nag_zero_angle : T = PI.
Proof.
  destruct angle as [[T0 TP] [eq _]]. pose proof PI_RGT_0.
  destruct (Rle_lt_or_eq_dec _ _ TP) as [h|h]; [|exact h]. exfalso.
  rewrite nag_X_form in eq. simpl INR in eq. rewrite Rmult_0_l, sin_0, cos_0 in eq.
  destruct (nag_factors m m1 T) as [al _]. assert (0 < cos (T / 2)) by (apply cos_gt_0; lra).
  assert (0 < cos (T / 2) * nag_alpha m T) by (apply Rmult_lt_0_compat; lra). lra.
Qed.

Lemma nag_zero_gain : nesterov_gain m T * (1 + 2 * m) = 2 * (1 + m).
Proof.
  rewrite nag_zero_angle. unfold nesterov_gain. rewrite sin_PI2.
  replace (((1 - m) ^ 2 + 4 * m * 1 ^ 2) / (1 + 4 * m * (1 + m) * 1 ^ 2)) with
    ((1 + m) / (1 + 2 * m) * ((1 + m) / (1 + 2 * m))).
  2:{ field. split; [|lra]. assert (0 <= m * m) by nra. apply Rgt_not_eq. nra. }
  rewrite sqrt_square by (apply Rmult_le_pos; [lra|left; apply Rinv_0_lt_compat; lra]). field. lra.
Qed.

Lemma nag_zero_stable a r t : 0 < a < nesterov_gain m T -> 1 <= r -> 0 < t <= PI ->
  nesterov m 0 a (polar r t) <> RtoC 0.
Proof.
  intros b r1 bt root. apply nesterov_root in root; [|exact m1|exact r1]. destruct root as [re im].
  pose proof nag_zero_gain as g. unfold nag_F in im. simpl INR in re, im.
  rewrite Rmult_0_l, sin_0, cos_0 in re, im. pose proof (COS_bound t) as cb.
  destruct (Rle_lt_or_eq_dec t PI) as [h|h]; [lra| |].
  - assert (0 < sin t) by (apply sin_gt_0; lra).
    assert (0 < nag_v m t r); [|lra]. unfold nag_v.
    assert (0 < (1 + m) * r - 2 * m * cos t) by nra.
    apply Rmult_lt_0_compat; [apply Rmult_lt_0_compat|]; nra.
  - subst t. unfold nag_u, nag_v, nag_K in re. rewrite cos_PI, sin_PI in re. simpl pow in re.
    assert (e : a * ((1 + m) * r + m) * ((1 + m) * r + m) =
      (1 + r) * (r + m) * ((1 + m) * r + m)) by lra.
    assert (B : 0 < (1 + m) * r + m) by nra.
    apply Rmult_eq_reg_r in e; [|lra].
    assert (p : 0 <= (r - 1) * ((1 + 2 * m) * r + m)) by (apply Rmult_le_pos; nra).
    assert (q : 2 * (1 + m) * ((1 + m) * r + m) <= (1 + 2 * m) * ((1 + r) * (r + m))) by lra.
    assert (a * (1 + 2 * m) < nesterov_gain m T * (1 + 2 * m)) by (apply Rmult_lt_compat_r; lra).
    rewrite <- e in q. nra.
Qed.

Lemma nag_zero_unstable a : nesterov_gain m T <= a ->
  exists z, 1 <= Cmod z /\ nesterov m 0 a z = RtoC 0.
Proof.
  intro high. pose proof nag_zero_gain as g.
  assert (h : 2 * (1 + m) <= a * (1 + 2 * m)) by (rewrite <- g; apply Rmult_le_compat_r; lra).
  assert (a0 : 0 <= a) by nra.
  destruct (real_root (fun z => nesterov m 0 a (- z)%C)
    (fun x => (x + 1) * (x + m) - a * ((1 + m) * x + m)) (1 + 2 * a)) as [x [x1 e]].
  - intro x. continuous.
  - intro x. unfold nesterov. simpl Cpow. rewrite <- RtoC_opp.
    rewrite <- !RtoC_plus, <- !RtoC_minus, <- !RtoC_mult, <- !RtoC_minus, <- !RtoC_mult, <- RtoC_plus.
    apply f_equal. ring.
  - lra.
  - lra.
  - assert (a * ((1 + m) * (1 + 2 * a) + m) <= a * (2 * (1 + 2 * a) + 1)) by nra.
    assert ((1 + 2 * a + 1) * (1 + 2 * a) <= (1 + 2 * a + 1) * (1 + 2 * a + m))
      by (apply Rmult_le_compat_l; lra). nra.
  - exists (- RtoC x)%C. rewrite Cmod_opp, Cmod_R, Rabs_pos_eq by lra. split; assumption.
Qed.
End Undelayed.

Theorem nesterov_is_threshold : forall (tau : nat) (m : R), 0 <= m -> m < 1 -> exists theta,
  nesterov_angle m tau theta /\ threshold (nesterov m tau) (nesterov_gain m theta).
Proof.
  intros n m low high. assert (m1 : 0 <= m < 1) by lra.
  destruct (nesterov_angle_exists m n m1) as [T angle]. exists T. split; [exact angle|].
  assert (bT : 0 < T <= PI) by apply angle.
  apply threshold_intro.
  - now apply nag_gain_positive.
  - intros a z. unfold nesterov. conjugate.
  - intros a r t b r1 bt root. destruct (Rle_lt_or_eq_dec 0 t) as [p|p]; [lra| |].
    2:{ subst t. apply (nag_no_positive_root m n a r m1 ltac:(lra) r1 root). }
    destruct (Nat.eq_dec n 0) as [->|nz].
    { apply (nag_zero_stable m T m1 angle a r t b r1 ltac:(lra) root). }
    assert (n1 : (1 <= n)%nat) by lia. destruct (Rlt_le_dec t T) as [h|h].
    + pose proof (nag_gap m n T m1 n1 angle t r ltac:(lra) r1).
      apply nesterov_root in root; [|exact m1|exact r1]. lra.
    + apply (nag_beyond m n T m1 n1 angle a r t b ltac:(lra) r1 root).
  - intros a h. destruct (Nat.eq_dec n 0) as [->|nz].
    + now apply (nag_zero_unstable m T m1 angle).
    + apply (nag_branch m n T m1 ltac:(lia) angle a h).
  - intros a neg. apply real_root with
      (f := fun x => x ^ n * (x - 1) * (x - m) + a * ((1 + m) * x - m)) (X := 2 - 2 * a).
    + intro x. continuous.
    + intro x. unfold nesterov. rewrite Cpow_real.
      rewrite <- !RtoC_plus, <- !RtoC_minus, <- !RtoC_mult, <- !RtoC_minus, <- !RtoC_mult, <- RtoC_plus.
      reflexivity.
    + lra.
    + rewrite pow1. lra.
    + assert (1 <= (2 - 2 * a) ^ n) by (apply pow_R1_Rle; lra).
      assert (0 <= (2 - 2 * a - 1) * (2 - 2 * a - m)) by (apply Rmult_le_pos; lra).
      assert ((2 - 2 * a - 1) * (1 - 2 * a) <= (2 - 2 * a - 1) * (2 - 2 * a - m))
        by (apply Rmult_le_compat_l; lra).
      assert (- a * ((1 + m) * (2 - 2 * a) - m) <= - a * (2 * (2 - 2 * a)))
        by (apply Rmult_le_compat_l; nra). nra.
Qed.
