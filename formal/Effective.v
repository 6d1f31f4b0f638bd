(** * The effective rate: bounds of the thresholds of heavy ball and shifted momentum, over 1 - m *)

Require Import Reals Lra Lia Psatz.
From DelayStability Require Import Loop Branch Trigonometry Multiples HeavyBall Ema Shifted
  ShiftedUnstable Nesterov.
Open Scope R_scope.

(** ** Heavy ball *)
Section HeavyBall.
Variables (m : R) (n : nat) (T : R).
Hypothesis m1 : 0 <= m < 1.
Hypothesis n1 : (1 <= n)%nat.
Hypothesis angle : heavy_ball_angle m n T.
Let N := INR n.
Let T0 := PI / (2 * N + 1).

Lemma fixed_angle : 1 <= N /\ 0 < T0 /\ (2 * N + 1) * T0 = PI.
Proof.
  pose proof (N_one n n1) as N1. fold N in N1. pose proof PI_RGT_0.
  split; [exact N1|]. split; [apply Rdiv_lt_0_compat; lra|unfold T0; field; lra].
Qed.

Lemma hb_angle_below : 0 < T <= T0.
Proof.
  destruct fixed_angle as [N1 [T00 e]]. pose proof PI_RGT_0. destruct angle as [[p TP] [eq below]].
  split; [exact p|]. apply Rnot_lt_le. intro h. specialize (below T0 ltac:(lra)). simpl in below.
  replace (T0 * (INR n + 1 / 2)) with (PI / 2) in below by (fold N; lra). rewrite cos_PI2 in below.
  assert (0 <= cos (T0 * (INR n - 1 / 2))) by (apply cos_ge_0; fold N; nra). nra.
Qed.

Lemma hb_sine : 0 < sin (N * T) /\ 0 < sin T.
Proof.
  destruct fixed_angle as [N1 [T00 e]]. destruct hb_angle_below as [p q]. pose proof PI_RGT_0.
  split; apply sin_gt_0; nra.
Qed.

Lemma hb_effective_upper : sin T / sin (N * T) <= 2 * sin (PI / (4 * N + 2)).
Proof.
  destruct fixed_angle as [N1 [T00 e]]. destruct hb_angle_below as [p q]. pose proof PI_RGT_0.
  destruct hb_sine as [S s]. pose proof (sine_chord n T T0 p q ltac:(fold N; nra) ltac:(nra)) as h.
  fold N in h. replace (PI / (4 * N + 2)) with (T0 / 2) by (unfold T0; field; lra).
  replace (N * T0) with (PI / 2 - T0 / 2) in h by lra. rewrite sin_shift, (sin_half T0) in h.
  assert (c : 0 < cos (T0 / 2)) by (apply cos_gt_0; nra).
  apply Rmult_le_reg_r with (sin (N * T)); [exact S|].
  replace (sin T / sin (N * T) * sin (N * T)) with (sin T) by (field; lra).
  apply Rmult_le_reg_l with (cos (T0 / 2)); [exact c|]. lra.
Qed.

Lemma hb_effective_lower : / N <= sin T / sin (N * T).
Proof.
  destruct fixed_angle as [N1 [T00 e]]. destruct hb_angle_below as [p q]. pose proof PI_RGT_0.
  destruct hb_sine as [S s]. pose proof (sine_of_multiple n T ltac:(lra) ltac:(fold N; nra) ltac:(nra)) as h.
  fold N in h. apply Rmult_le_reg_r with (N * sin (N * T)); [nra|].
  replace (/ N * (N * sin (N * T))) with (sin (N * T)) by (field; lra).
  replace (sin T / sin (N * T) * (N * sin (N * T))) with (N * sin T) by (field; lra). exact h.
Qed.
End HeavyBall.

(** ** Shifted momentum *)
Section Shifted.
Variables (m : R) (n : nat) (T : R).
Hypothesis m1 : 0 <= m < 1.
Hypothesis n1 : (1 <= n)%nat.
Hypothesis angle : shifted_angle m n T.
Let N := INR n.
Let T0 := PI / (2 * N + 1).
Let x := T / 2.
Let x0 := T0 / 2.

Lemma shifted_halves : 1 <= N /\ 0 < x <= x0 /\ (2 * N + 1) * (2 * x0) = PI.
Proof.
  destruct (fixed_angle n n1) as [N1 [T00 e]]. fold N in N1. fold N T0 in T00, e.
  destruct (shifted_T m n T m1 angle) as [p q]. fold N in q. unfold x, x0.
  split; [exact N1|]. split; [|lra]. split; [lra|]. assert (T <= T0) by nra. lra.
Qed.

(** The threshold over 1 - m. *)
Definition shifted_effective (x : R) : R := 2 * (cos ((N + 1) * x) * sin x) / sin (N * x).

Lemma shifted_gain_effective : shifted_gain m n T = (1 - m) * shifted_effective x.
Proof.
  destruct shifted_halves as [N1 [b e]]. pose proof PI_RGT_0.
  rewrite <- (shifted_G_start m n T m1 n1 angle). unfold shifted_G, shifted_effective. rewrite pow1. fold N.
  assert (c : 0 < cos x) by (apply cos_gt_0; nra). assert (s : 0 < sin x) by (apply sin_gt_0; nra).
  assert (S : 0 < sin (N * x)) by (apply sin_gt_0; nra).
  assert (em : (1 - m) * cos x = 2 * (sin ((N + 1) * x) * sin (N * x))).
  { destruct angle as [_ [eq _]]. simpl in eq. fold N in eq. fold x in eq.
    replace (T * (1 / 2 + N)) with ((N + 1) * x + N * x) in eq by (unfold x; field).
    rewrite cos_plus in eq. replace (cos x) with (cos ((N + 1) * x - N * x)) in eq |- *
      by (f_equal; ring). rewrite cos_minus in *. lra. }
  replace ((N + 1) * T) with (2 * ((N + 1) * x)) by (unfold x; field). rewrite sin_2a.
  rewrite (sin_half T), (cos_half T). fold x.
  apply Rmult_eq_reg_r with (cos x * sin (N * x)); [|apply Rgt_not_eq; nra].
  transitivity (2 * sin x * cos ((N + 1) * x) * (2 * (sin ((N + 1) * x) * sin (N * x)))).
  - field. split; lra.
  - rewrite <- em. field. lra.
Qed.

Lemma shifted_effective_start : shifted_effective x0 = 2 * sin (PI / (4 * N + 2)).
Proof.
  destruct shifted_halves as [N1 [b e]]. pose proof PI_RGT_0. unfold shifted_effective.
  replace (PI / (4 * N + 2)) with x0 by (unfold x0, T0; field; lra).
  replace ((N + 1) * x0) with (PI / 2 - N * x0) by lra. rewrite cos_shift.
  assert (0 < sin (N * x0)) by (apply sin_gt_0; nra). field. lra.
Qed.

Lemma shifted_effective_lower : 2 * sin (PI / (4 * N + 2)) <= shifted_effective x.
Proof.
  destruct shifted_halves as [N1 [b e]]. pose proof PI_RGT_0. rewrite <- shifted_effective_start.
  assert (x00 : 0 < x0) by lra. assert (x1 : x0 <= PI) by nra.
  pose proof (sine_ratio n x0 x ltac:(lra) ltac:(lra) ltac:(fold N; nra) x1) as h. fold N in h.
  pose proof (sine_ratio (S n) x0 x ltac:(lra) ltac:(lra) ltac:(rewrite S_INR; fold N; nra) x1) as k.
  rewrite S_INR in k. fold N in k.
  assert (two : forall y, 2 * (cos ((N + 1) * y) * sin y) = sin ((N + 1 + 1) * y) - sin (N * y)).
  { intro y. replace ((N + 1 + 1) * y) with ((N + 1) * y + y) by ring.
    replace (N * y) with ((N + 1) * y - y) by ring. rewrite sin_plus, sin_minus. ring. }
  unfold shifted_effective. rewrite !two.
  assert (S : 0 < sin (N * x)) by (apply sin_gt_0; nra).
  assert (S0 : 0 < sin (N * x0)) by (apply sin_gt_0; nra).
  assert (Q : 0 < sin ((N + 1) * x)) by (apply sin_gt_0; nra).
  assert (Q0 : 0 < sin ((N + 1) * x0)) by (apply sin_gt_0; nra).
  assert (P : 0 <= sin ((N + 1 + 1) * x)) by (apply sin_ge_0; nra).
  set (s := sin (N * x)) in *. set (s0 := sin (N * x0)) in *. set (q := sin ((N + 1) * x)) in *.
  set (q0 := sin ((N + 1) * x0)) in *. set (p := sin ((N + 1 + 1) * x)) in *.
  set (p0 := sin ((N + 1 + 1) * x0)) in *.
  assert (ratio : p0 * s <= p * s0).
  { apply Rmult_le_reg_r with q; [exact Q|]. apply Rle_trans with (p * q0 * s).
    - replace (p0 * s * q) with (p0 * q * s) by ring. apply Rmult_le_compat_r; lra.
    - replace (p * q0 * s) with (p * (q0 * s)) by ring. replace (p * s0 * q) with (p * (s0 * q)) by ring.
      apply Rmult_le_compat_l; lra. }
  apply Rmult_le_reg_r with (s * s0); [apply Rmult_lt_0_compat; lra|].
  replace ((p0 - s0) / s0 * (s * s0)) with (p0 * s - s * s0) by (field; lra).
  replace ((p - s) / s * (s * s0)) with (p * s0 - s * s0) by (field; lra). lra.
Qed.

Lemma shifted_effective_below : shifted_effective x < 2 / N.
Proof.
  destruct shifted_halves as [N1 [b e]]. pose proof PI_RGT_0.
  pose proof (sine_above_multiple n x ltac:(lra) ltac:(fold N; nra)) as h. fold N in h.
  assert (S : 0 < sin (N * x)) by (apply sin_gt_0; nra). assert (s : 0 < sin x) by (apply sin_gt_0; nra).
  assert (c : cos ((N + 1) * x) < cos (N * x)) by (apply cos_decreasing_1; nra).
  unfold shifted_effective. apply Rmult_lt_reg_r with (N * sin (N * x)); [nra|].
  replace (2 * (cos ((N + 1) * x) * sin x) / sin (N * x) * (N * sin (N * x))) with
    (2 * (N * (sin x * cos ((N + 1) * x)))) by (field; lra).
  replace (2 / N * (N * sin (N * x))) with (2 * sin (N * x)) by (field; lra).
  assert (N * (sin x * cos ((N + 1) * x)) < N * (sin x * cos (N * x))).
  { apply Rmult_lt_compat_l; [lra|]. apply Rmult_lt_compat_l; lra. }
  lra.
Qed.

Lemma shifted_effective_upper : shifted_effective x <= 2 / N.
Proof. left. exact shifted_effective_below. Qed.
End Shifted.
