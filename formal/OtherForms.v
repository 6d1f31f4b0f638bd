(** * Other forms of the gain at the angle of a threshold *)

Require Import Reals Lra Lia Psatz ZArith.
From DelayStability Require Import Loop Trigonometry Chebyshev HeavyBall HeavyBallUnstable Shifted
  Effective.
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

(** In Chebyshev polynomials of the cosine the equation of the angle is algebraic. *)
Lemma hb_X_algebraic m n t : (1 <= n)%nat -> sin t * (chebyshev_U (Z.of_nat n) (cos t)
  + m * chebyshev_U (Z.of_nat n - 2) (cos t) - (1 + m) * chebyshev_U (Z.of_nat n - 1) (cos t)) =
  2 * sin (t / 2) * hb_X m n t.
Proof.
  intro n1. rewrite <- hb_F_one. unfold hb_F.
  transitivity (sin t * chebyshev_U (Z.of_nat n) (cos t) + m * (sin t * chebyshev_U (Z.of_nat n - 2) (cos t))
    - (1 + m) * (sin t * chebyshev_U (Z.of_nat n - 1) (cos t))); [ring|].
  rewrite !chebyshev_U_means, !minus_IZR, <- INR_IZR_INZ by lia. set (N := INR n).
  replace ((N - 2 + 1) * t) with (N * t - t) by ring. replace ((N - 1 + 1) * t) with (N * t) by ring.
  rewrite sin_next, sin_minus. ring.
Qed.

Lemma heavy_ball_angle_algebraic m n T : -1 < m < 1 -> (1 <= n)%nat -> heavy_ball_angle m n T ->
  first_root (fun t => chebyshev_U (Z.of_nat n) (cos t) + m * chebyshev_U (Z.of_nat n - 2) (cos t))
    (fun t => (1 + m) * chebyshev_U (Z.of_nat n - 1) (cos t)) PI T.
Proof.
  intros m1 n1 angle. destruct (T_bounds m n T m1 n1 angle) as [T0 TN]. pose proof (N_one n n1) as N1.
  pose proof PI_RGT_0. assert (TP : T < PI) by nra. split; [lra|].
  assert (s : forall t, 0 < t <= T -> 0 < sin t /\ 0 < sin (t / 2)).
  { intros t b. split; apply sin_gt_0; lra. }
  split.
  - pose proof (hb_X_algebraic m n T n1) as e. rewrite (X_T m n T angle), Rmult_0_r in e.
    destruct (s T ltac:(lra)) as [p _]. apply Rmult_integral in e. destruct e; lra.
  - intros t b. pose proof (hb_X_algebraic m n t n1) as e. pose proof (X_below m n T angle t b) as X.
    destruct (s t ltac:(lra)) as [p q].
    assert (0 < 2 * sin (t / 2) * hb_X m n t) by (repeat apply Rmult_lt_0_compat; lra).
    apply Rminus_gt_0_lt. apply Rmult_lt_reg_l with (sin t); [exact p|]. rewrite Rmult_0_r, e. assumption.
Qed.

Lemma heavy_ball_gain_algebraic m n T : -1 < m < 1 -> (1 <= n)%nat -> heavy_ball_angle m n T ->
  heavy_ball_gain m T = (1 - m) / chebyshev_U (Z.of_nat n - 1) (cos T).
Proof.
  intros m1 n1 angle. rewrite (heavy_ball_gain_quotient m n T m1 n1 angle), (Rmult_comm T).
  destruct (hb_angle_signs m n T m1 n1 angle) as [S _].
  assert (e : sin T * chebyshev_U (Z.of_nat n - 1) (cos T) = sin (INR n * T)).
  { rewrite chebyshev_U_means, minus_IZR, <- INR_IZR_INZ by lia. f_equal. ring. }
  assert (p : chebyshev_U (Z.of_nat n - 1) (cos T) <> 0) by (intro z; rewrite z, Rmult_0_r in e; lra).
  assert (s : sin T <> 0) by (intro z; rewrite z, Rmult_0_l in e; lra).
  rewrite <- e. field. split; assumption.
Qed.

(** In the tangent y of half the angle the equation is one of arc tangents. *)
Section Tangent.
Variables (m : R) (n : nat) (T : R).
Hypothesis m1 : -1 < m < 1.
Hypothesis n1 : (1 <= n)%nat.
Hypothesis angle : heavy_ball_angle m n T.
Let y := tan (T / 2).

Lemma tangent_angle : 0 < T / 2 < PI / 4 /\ 0 < y /\ y <= 1 /\ atan y = T / 2 /\
  y * cos (T / 2) = sin (T / 2).
Proof.
  destruct (T_bounds m n T m1 n1 angle) as [T0 TN]. pose proof (N_one n n1) as N1. pose proof PI_RGT_0.
  assert (b : 0 < T / 2 < PI / 4) by nra. assert (c : 0 < cos (T / 2)) by (apply cos_gt_0; lra).
  assert (e : y * cos (T / 2) = sin (T / 2)) by (unfold y, tan; field; lra).
  split; [exact b|]. split; [unfold y; apply tan_gt_0; lra|]. split; [|split; [unfold y; apply atan_tan; lra|exact e]].
  left. unfold y. rewrite <- tan_PI4. apply tan_increasing; lra.
Qed.

Lemma tangent_equation : 2 * atan y * INR n + atan (y * (1 + m) / (1 - m)) = PI / 2.
Proof.
  destruct tangent_angle as [b [y0 [y1 [ay e]]]]. destruct (hb_angle_signs m n T m1 n1 angle) as [S [C [s c]]].
  destruct (T_bounds m n T m1 n1 angle) as [T0 TN]. pose proof (N_one n n1) as N1. pose proof PI_RGT_0.
  rewrite ay. pose proof (X_T m n T angle) as X. unfold hb_X in X.
  assert (q : y * (1 + m) / (1 - m) = / tan (INR n * T)).
  { unfold tan. apply Rmult_eq_reg_r with ((1 - m) * cos (T / 2) * sin (INR n * T));
      [|apply Rgt_not_eq; repeat apply Rmult_lt_0_compat; lra].
    transitivity ((1 + m) * (sin (INR n * T) * (y * cos (T / 2)))); [field; lra|]. rewrite e.
    transitivity ((1 - m) * (cos (INR n * T) * cos (T / 2))); [lra|field; split; lra]. }
  rewrite q, atan_inv by (apply tan_gt_0; nra). rewrite atan_tan by nra. lra.
Qed.

Lemma heavy_ball_angle_tangent : first_root (fun _ => PI / 2)
  (fun y => 2 * atan y * INR n + atan (y * (1 + m) / (1 - m))) PI y.
Proof.
  destruct tangent_angle as [b [y0 [y1 [ay e]]]]. destruct (hb_angle_signs m n T m1 n1 angle) as [S [C [s c]]].
  destruct (T_bounds m n T m1 n1 angle) as [T0 TN]. pose proof (N_one n n1) as N1. pose proof PI_RGT_0. pose proof PI2_1.
  split; [lra|]. split.
  - now rewrite tangent_equation.
  - intros r br. assert (u : atan r < T / 2) by (rewrite <- ay; apply atan_increasing; lra).
    assert (v : atan (r * (1 + m) / (1 - m)) < atan (y * (1 + m) / (1 - m))).
    { apply atan_increasing. unfold Rdiv. rewrite !Rmult_assoc. apply Rmult_lt_compat_r; [|lra].
      apply Rmult_lt_0_compat; [lra|apply Rinv_0_lt_compat; lra]. }
    assert (atan r * INR n <= T / 2 * INR n) by (apply Rmult_le_compat_r; lra).
    pose proof tangent_equation as at_y. rewrite ay in at_y. lra.
Qed.

Lemma heavy_ball_gain_tangent :
  heavy_ball_gain m T = 2 * y * sqrt ((1 - m) ^ 2 + y ^ 2 * (1 + m) ^ 2) / (1 + y ^ 2).
Proof.
  destruct tangent_angle as [b [y0 [y1 [ay e]]]]. pose proof PI_RGT_0. pose proof (circle (T / 2)) as k.
  assert (c : 0 < cos (T / 2)) by (apply cos_gt_0; lra). unfold heavy_ball_gain.
  rewrite <- e in *. set (c' := cos (T / 2)) in *.
  assert (cc : c' * c' * (1 + y ^ 2) = 1) by lra.
  replace (4 * m * (y * c') ^ 2 + (1 - m) ^ 2) with ((c' * c') * ((1 - m) ^ 2 + y ^ 2 * (1 + m) ^ 2)).
  2:{ transitivity (c' * c' * (4 * m * y ^ 2) + (1 - m) ^ 2 * (c' * c' * (1 + y ^ 2))); [ring|]. rewrite cc. ring. }
  rewrite sqrt_mult_alt by nra. rewrite sqrt_square by lra.
  set (r := sqrt ((1 - m) ^ 2 + y ^ 2 * (1 + m) ^ 2)).
  apply Rmult_eq_reg_r with (1 + y ^ 2); [|nra].
  transitivity (2 * y * r * (c' * c' * (1 + y ^ 2))); [ring|]. rewrite cc. field. nra.
Qed.
End Tangent.

(** Delay 2: the angle is gone, for the gain solves a^2 + (1 + m) a = 1 - m. *)
Lemma heavy_ball_gain_delay_2 m T : -1 < m < 1 -> heavy_ball_angle m 2 T ->
  heavy_ball_gain m T = (sqrt (5 + m ^ 2 - 2 * m) - (1 + m)) / 2.
Proof.
  intros m1 angle. assert (n1 : (1 <= 2)%nat) by lia.
  destruct (hb_angle_signs m 2 T m1 n1 angle) as [S [C [s h]]].
  pose proof (heavy_ball_gain_quotient m 2 T m1 n1 angle) as g. pose proof (X_T m 2 T angle) as X.
  unfold hb_X in X. replace (INR 2) with 2 in * by (simpl; ring). rewrite (Rmult_comm T), (sin_2a T) in g.
  rewrite (sin_2a T) in X, S. rewrite (cos_2a_cos T) in X. pose proof (circle (T / 2)) as k.
  rewrite (sin_half T) in *. pose proof (cos_half T) as cT.
  set (s' := sin (T / 2)) in *. set (h' := cos (T / 2)) in *. set (c := cos T) in *.
  assert (c0 : 0 < c) by (apply Rmult_lt_reg_l with (2 * (2 * s' * h')); [nra|lra]).
  assert (e : 4 * (c * c) - 2 * (1 + m) * c - (1 - m) = 0).
  { apply Rmult_eq_reg_r with h'; [|lra]. rewrite Rmult_0_l.
    transitivity ((1 - m) * ((2 * c * c - 1) * h') - (1 + m) * (2 * (2 * s' * h') * c * s'));
      [|exact X]. replace c with (1 - 2 * (s' * s')) by lra. ring. }
  assert (a0 : heavy_ball_gain m T = (1 - m) / (2 * c)) by (rewrite g; field; split; [|split]; lra).
  set (a := heavy_ball_gain m T) in *. assert (p : 0 < a) by (rewrite a0; apply Rdiv_lt_0_compat; lra).
  assert (q : 2 * a * c = 1 - m) by (rewrite a0; field; lra).
  assert (sq : (2 * a + 1 + m) * (2 * a + 1 + m) = 5 + m ^ 2 - 2 * m).
  { assert (f : a * a + (1 + m) * a - (1 - m) = 0).
    { apply Rmult_eq_reg_r with (4 * (c * c)); [|apply Rgt_not_eq; nra]. rewrite Rmult_0_l.
      transitivity (2 * a * c * (2 * a * c) + 2 * (1 + m) * c * (2 * a * c) - (1 - m) * (4 * (c * c))); [ring|].
      rewrite q. transitivity (- (1 - m) * (4 * (c * c) - 2 * (1 + m) * c - (1 - m))); [ring|]. rewrite e. ring. }
    nra. }
  rewrite <- sq, sqrt_square by lra. field.
Qed.

Lemma heavy_ball_threshold_delay_2 m T : -1 < m < 1 -> heavy_ball_angle m 2 T ->
  heavy_ball_threshold m 2 T =
  if Rlt_dec m (- (1 / 2)) then 2 * (1 + m) else (sqrt (5 + m ^ 2 - 2 * m) - (1 + m)) / 2.
Proof.
  intros m1 angle. unfold heavy_ball_threshold. simpl Nat.even. cbn iota.
  rewrite (heavy_ball_gain_delay_2 m T m1 angle).
  assert (d0 : 0 <= 5 + m ^ 2 - 2 * m) by nra. pose proof (sqrt_sqrt _ d0) as sq. pose proof (sqrt_pos (5 + m ^ 2 - 2 * m)).
  set (r := sqrt (5 + m ^ 2 - 2 * m)) in *.
  destruct (Rlt_dec m (- (1 / 2))) as [l|l]; [rewrite Rmin_right|rewrite Rmin_left]; try lra.
  - apply Rnot_lt_le. intro k. assert (r < 5 + 5 * m) by lra. nra.
  - apply Rnot_lt_le. intro k. assert (5 + 5 * m < r) by lra. nra.
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
