(** * Other forms of the gain at the angle of a threshold *)

Require Import Reals Lra Lia Psatz.
From DelayStability Require Import Loop Trigonometry HeavyBall Shifted Effective.
Open Scope R_scope.

Section HeavyBall.
Variables (m : R) (n : nat) (T : R).
Hypothesis m1 : -1 < m < 1.
Hypothesis n1 : (1 <= n)%nat.
Hypothesis angle : heavy_ball_angle m n T.
Let N := INR n.

Lemma heavy_ball_gain_quotient : heavy_ball_gain m T = (1 - m) * sin T / sin (T * INR n).
Proof.
  rewrite <- (hb_G_start m n T m1 n1 angle). unfold hb_G. rewrite pow1.
  rewrite (Rmult_comm T). unfold Rdiv. rewrite Rinv_1. ring.
Qed.

Lemma hb_angle_signs : 0 < sin (N * T) /\ 0 < cos (N * T) /\ 0 < sin (T / 2) /\ 0 < cos (T / 2).
Proof.
  destruct (T_bounds m n T m1 n1 angle) as [T0 TN]. fold N in TN. pose proof (N_one n n1) as N1. fold N in N1.
  pose proof PI_RGT_0. assert (T < PI) by nra. assert (0 < N * T) by nra.
  repeat split; [apply sin_gt_0|apply cos_gt_0|apply sin_gt_0|apply cos_gt_0]; lra.
Qed.

(** The momentum is gone. *)
Lemma heavy_ball_gain_parametric :
  heavy_ball_gain m T = 2 * sin T * sin (T / 2) / cos (T * (N - 1 / 2)).
Proof.
  destruct hb_angle_signs as [S [C [s c]]]. rewrite heavy_ball_gain_quotient. fold N.
  rewrite (Rmult_comm T N). destruct angle as [_ [eq _]]. simpl in eq. fold N in eq.
  assert (e : (1 - m) * cos (T * (N - 1 / 2)) = 2 * (sin (N * T) * sin (T / 2))).
  { rewrite cos_half_before, cos_half_after in *. lra. }
  assert (p : 0 < cos (T * (N - 1 / 2))).
  { apply Rmult_lt_reg_l with (1 - m); [lra|]. rewrite e, Rmult_0_r.
    assert (0 < sin (N * T) * sin (T / 2)) by (apply Rmult_lt_0_compat; lra). lra. }
  apply Rmult_eq_reg_r with (sin (N * T) * cos (T * (N - 1 / 2))); [|apply Rgt_not_eq, Rmult_lt_0_compat; lra].
  transitivity (sin T * ((1 - m) * cos (T * (N - 1 / 2)))); [field; lra|]. rewrite e. field. lra.
Qed.

Lemma heavy_ball_gain_cosine : heavy_ball_gain m T = 2 * (1 + m) * (sin (T / 2) ^ 2 / cos (T * N)).
Proof.
  destruct hb_angle_signs as [S [C [s c]]]. rewrite heavy_ball_gain_quotient. fold N.
  rewrite (Rmult_comm T N), (sin_half T). pose proof (X_T m n T angle) as X. unfold hb_X in X. fold N in X.
  apply Rmult_eq_reg_r with (sin (N * T) * cos (N * T)); [|apply Rgt_not_eq, Rmult_lt_0_compat; lra].
  transitivity (2 * sin (T / 2) * ((1 - m) * (cos (N * T) * cos (T / 2)))); [field; lra|].
  replace ((1 - m) * (cos (N * T) * cos (T / 2))) with ((1 + m) * (sin (N * T) * sin (T / 2))) by lra.
  field. lra.
Qed.
End HeavyBall.

(** The two values of an even delay over the greater one, without delay too. *)
Lemma heavy_ball_even_threshold m n T : -1 < m < 1 -> Nat.even n = true -> heavy_ball_angle m n T ->
  heavy_ball_threshold m n T = 2 * (1 + m) * Rmin 1 (sin (T / 2) ^ 2 / cos (T * INR n)).
Proof.
  intros m1 even angle. unfold heavy_ball_threshold. rewrite even.
  assert (e : heavy_ball_gain m T = 2 * (1 + m) * (sin (T / 2) ^ 2 / cos (T * INR n))).
  { destruct (Nat.eq_dec n 0) as [->|nz]; [|apply heavy_ball_gain_cosine; auto; lia].
    rewrite (hb_angle_zero m T m1 angle), hb_gain_zero, sin_PI2 by exact m1. simpl INR.
    rewrite Rmult_0_r, cos_0. field. }
  rewrite e. set (q := sin (T / 2) ^ 2 / cos (T * INR n)).
  unfold Rmin. destruct (Rle_dec (2 * (1 + m) * q) (2 * (m + 1))), (Rle_dec 1 q); try lra; nra.
Qed.

Section Shifted.
Variables (m : R) (n : nat) (T : R).
Hypothesis m1 : 0 <= m < 1.
Hypothesis n1 : (1 <= n)%nat.
Hypothesis angle : shifted_angle m n T.
Let N := INR n.

Lemma shifted_gain_sines :
  shifted_gain m n T = (1 - m) * (sin (T * (2 + N) / 2) / sin (T * N / 2) - 1).
Proof.
  rewrite (shifted_gain_effective m n T m1 n1 angle). f_equal. unfold shifted_effective. fold N.
  destruct (shifted_halves m n T m1 n1 angle) as [N1 [b e]]. fold N in N1, b, e. pose proof PI_RGT_0.
  replace (T * N / 2) with (N * (T / 2)) by field.
  assert (S : 0 < sin (N * (T / 2))) by (apply sin_gt_0; nra).
  replace (T * (2 + N) / 2) with ((N + 1) * (T / 2) + T / 2) by field.
  assert (two : 2 * (cos ((N + 1) * (T / 2)) * sin (T / 2)) =
    sin ((N + 1) * (T / 2) + T / 2) - sin (N * (T / 2))).
  { replace (N * (T / 2)) with ((N + 1) * (T / 2) - T / 2) by field. rewrite sin_plus, sin_minus. ring. }
  rewrite two. field. lra.
Qed.

(** The angle lies below that without momentum, where its equation may be divided by a cosine. *)
Lemma shifted_angle_quotient :
  first_root (fun t => cos (t * (1 / 2 + N)) / cos (t / 2)) (fun _ => m) (PI / (1 + 2 * N)) T.
Proof.
  destruct (shifted_halves m n T m1 n1 angle) as [N1 [b e]]. fold N in N1, b, e. pose proof PI_RGT_0.
  assert (pos : forall s, 0 < s <= T -> 0 < cos (s / 2)) by (intros; apply cos_gt_0; nra).
  destruct angle as [[T0 _] [eq below]]. simpl in eq. fold N in eq, below. repeat split.
  - exact T0.
  - rewrite (Rplus_comm 1). lra.
  - rewrite eq. pose proof (pos T ltac:(lra)). field. lra.
  - intros s bs. specialize (below s bs). simpl in below. pose proof (pos s ltac:(lra)) as c.
    apply Rmult_lt_reg_r with (cos (s / 2)); [exact c|].
    replace (cos (s * (1 / 2 + N)) / cos (s / 2) * cos (s / 2)) with (cos (s * (1 / 2 + N)))
      by (field; lra). exact below.
Qed.
End Shifted.
