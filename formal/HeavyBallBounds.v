(** * Heavy ball: two bounds of the threshold in closed form, for every delay

    With v = tan(x)^2 the quotient tan(n x) / tan(x) is n / (1 - v g), where g is a rational function of
    v. The sum formula of the tangent is a recursion for g that shows two things at once: g grows with
    v, and it is at least its value (n^2 - 1) / 3 at 0. The equation of the angle gives 1 / sin(x)^2 in
    g, for x half the angle; so it lies between two numbers that need no angle. *)

Require Import Reals Lra Lia Psatz.
From DelayStability Require Import Loop Branch Trigonometry Multiples HeavyBall HeavyBallUnstable
  Effective.
Open Scope R_scope.

(** The function g of the multiple n = k + 1. *)
Fixpoint tangent_defect (k : nat) (v : R) : R :=
  match k with
  | O => 0
  | S j => INR (S j) * (tangent_defect j v + INR (S j) + 1) / (INR (S j) + 1 - v * tangent_defect j v)
  end.

Definition tangent_squared (x : R) : R := sin x * sin x / (cos x * cos x).

(** ** What it means *)

Section Angle.
Variable x : R.
Hypothesis x0 : 0 < x.
Let v := tangent_squared x.
Let g k := tangent_defect k v.

Lemma defect_signs k : INR (S k) * x < PI / 2 ->
  0 < sin x /\ 0 < cos x /\ 0 < sin (INR (S k) * x) /\ 0 < cos (INR (S k) * x).
Proof.
  intro h. rewrite S_INR in *. pose proof (pos_INR k). pose proof PI_RGT_0. assert (x < PI / 2) by nra.
  assert (0 < (INR k + 1) * x) by nra.
  repeat split; [apply sin_gt_0|apply cos_gt_0|apply sin_gt_0|apply cos_gt_0]; lra.
Qed.

Lemma defect_positive k : INR (S k) * (sin x * cos (INR (S k) * x)) =
  sin (INR (S k) * x) * cos x * (1 - v * g k) -> INR (S k) * x < PI / 2 -> 0 < 1 - v * g k.
Proof.
  intros e h. destruct (defect_signs k h) as [s [c [S C]]]. assert (0 < INR (Datatypes.S k)) by (apply lt_0_INR; lia).
  assert (p : 0 < INR (Datatypes.S k) * (sin x * cos (INR (Datatypes.S k) * x)))
    by (repeat apply Rmult_lt_0_compat; assumption).
  rewrite e in p. apply Rmult_lt_reg_l with (sin (INR (Datatypes.S k) * x) * cos x).
  - now apply Rmult_lt_0_compat.
  - now rewrite Rmult_0_r.
Qed.

Lemma defect_means k : INR (S k) * x < PI / 2 ->
  INR (S k) * (sin x * cos (INR (S k) * x)) = sin (INR (S k) * x) * cos x * (1 - v * g k).
Proof.
  induction k as [|k IH]; intro h.
  - unfold g. simpl. rewrite !Rmult_1_l. ring.
  - rewrite S_INR in h. assert (hk : INR (S k) * x < PI / 2) by lra. specialize (IH hk).
    destruct (defect_signs k hk) as [s [c [S C]]]. pose proof (defect_positive k IH hk) as q.
    assert (n0 : 0 < INR (Datatypes.S k)) by (apply lt_0_INR; lia).
    rewrite (S_INR (Datatypes.S k)). set (n := INR (Datatypes.S k)) in *.
    rewrite sin_next, cos_next.
    assert (step : 1 - v * g (Datatypes.S k) = (n + 1) * (1 - v * g k - v * n) / (n + 1 - v * g k)).
    { unfold g at 1. cbn [tangent_defect]. fold n. fold (g k). field. lra. }
    rewrite step. set (w := v * g k) in *.
    assert (eC : cos (n * x) = sin (n * x) * cos x * (1 - w) / (n * sin x)).
    { rewrite <- IH. field. lra. }
    rewrite eC. unfold v, tangent_squared. field. repeat split; lra.
Qed.

Lemma defect_inside k : INR (S k) * x < PI / 2 -> 0 < 1 - v * g k.
Proof. intro h. exact (defect_positive k (defect_means k h) h). Qed.

Lemma tangent_squared_positive : x < PI / 2 -> 0 < v.
Proof.
  intro h. destruct (defect_signs 0) as [s [c _]]; [simpl; lra|]. unfold v, tangent_squared.
  apply Rdiv_lt_0_compat; now apply Rmult_lt_0_compat.
Qed.

Lemma defect_at_least k : INR (S k) * x < PI / 2 -> INR k * (INR k + 2) / 3 <= g k.
Proof.
  induction k as [|k IH]; intro h.
  - unfold g. simpl. lra.
  - rewrite S_INR in h. assert (hk : INR (S k) * x < PI / 2) by lra. specialize (IH hk).
    pose proof (defect_inside k hk) as q. pose proof (pos_INR k) as k0. rewrite S_INR in *.
    assert (xp : x < PI / 2) by nra. pose proof (tangent_squared_positive xp) as v0.
    unfold g at 1. cbn [tangent_defect]. fold (g k). rewrite S_INR. set (n := INR k + 1) in *.
    assert (n0 : 1 <= n) by (unfold n; lra).
    assert (g0 : 0 <= g k) by (assert (0 <= INR k * (INR k + 2)) by nra; lra).
    assert (0 <= v * g k) by (apply Rmult_le_pos; lra).
    apply Rle_trans with (n * (g k + n + 1) / (n + 1)).
    + apply Rmult_le_reg_r with (n + 1); [lra|].
      replace (n * (g k + n + 1) / (n + 1) * (n + 1)) with (n * (g k + n + 1)) by (field; lra).
      unfold n in *. nra.
    + apply Rmult_le_compat_l; [apply Rmult_le_pos; lra|]. apply Rinv_le_contravar; lra.
Qed.

Lemma defect_nonnegative k : INR (S k) * x < PI / 2 -> 0 <= g k.
Proof.
  intro h. pose proof (defect_at_least k h). pose proof (pos_INR k).
  assert (0 <= INR k * (INR k + 2)) by nra. lra.
Qed.
End Angle.

(** ** It grows *)

Lemma tangent_squared_grows x y : 0 < x -> x <= y -> y < PI / 2 -> tangent_squared x <= tangent_squared y.
Proof.
  intros x0 xy yp. pose proof PI_RGT_0. unfold tangent_squared.
  assert (0 < sin x) by (apply sin_gt_0; lra). assert (sin x <= sin y) by (apply sin_mono; lra).
  assert (0 < cos y) by (apply cos_gt_0; lra). assert (cos y <= cos x) by (apply cos_decr_1; lra).
  apply Rmult_le_compat; [nra| |nra|apply Rinv_le_contravar; nra].
  left. apply Rinv_0_lt_compat. nra.
Qed.

Lemma defect_grows k x y : 0 < x -> x <= y -> INR (S k) * y < PI / 2 ->
  tangent_defect k (tangent_squared x) <= tangent_defect k (tangent_squared y).
Proof.
  intros x0 xy. induction k as [|k IH]; intro h; [simpl; lra|].
  rewrite S_INR in h. assert (hy : INR (S k) * y < PI / 2) by lra. specialize (IH hy).
  assert (n0 : 0 < INR (S k)) by (apply lt_0_INR; lia).
  assert (hx : INR (S k) * x < PI / 2) by nra. assert (y2 : y < PI / 2) by nra.
  pose proof (defect_inside y ltac:(lra) k hy) as q. pose proof (defect_nonnegative x x0 k hx) as gx.
  pose proof (tangent_squared_grows x y x0 xy y2) as vw.
  pose proof (tangent_squared_positive x x0 ltac:(lra)) as v0.
  cbn [tangent_defect]. set (n := INR (S k)) in *.
  set (v := tangent_squared x) in *. set (w := tangent_squared y) in *.
  set (a := tangent_defect k v) in *. set (b := tangent_defect k w) in *.
  assert (v * a <= w * b) by (apply Rmult_le_compat; lra).
  apply Rmult_le_compat; [apply Rmult_le_pos; lra| | |apply Rinv_le_contravar; lra].
  - left. apply Rinv_0_lt_compat. lra.
  - apply Rmult_le_compat_l; lra.
Qed.

(** ** The gain as a falling function of 1 / sin(angle / 2)^2 *)

Definition gain_of_cosecant (m q : R) : R := 2 * sqrt (4 * m + q * (1 - m) ^ 2) / q.

Lemma gain_of_cosecant_form m q : 0 <= m -> 0 < q ->
  gain_of_cosecant m q = 2 * sqrt ((1 - m) ^ 2 * / q + 4 * m * (/ q * / q)).
Proof.
  intros m0 q0. unfold gain_of_cosecant.
  replace ((1 - m) ^ 2 * / q + 4 * m * (/ q * / q)) with ((4 * m + q * (1 - m) ^ 2) / (q * q))
    by (field; lra).
  rewrite sqrt_div_alt by nra. rewrite sqrt_square by lra. unfold Rdiv. ring.
Qed.

Lemma gain_of_cosecant_falls m p q : 0 <= m -> 0 < p -> p <= q -> gain_of_cosecant m q <= gain_of_cosecant m p.
Proof.
  intros m0 p0 pq. rewrite !gain_of_cosecant_form by lra. apply Rmult_le_compat_l; [lra|].
  apply sqrt_le_1_alt. assert (/ q <= / p) by (apply Rinv_le_contravar; lra).
  assert (0 < / q) by (apply Rinv_0_lt_compat; lra). apply Rplus_le_compat.
  - apply Rmult_le_compat_l; [apply pow2_ge_0|assumption].
  - apply Rmult_le_compat_l; [lra|]. apply Rmult_le_compat; lra.
Qed.

Lemma heavy_ball_gain_cosecant m t : 0 <= m -> 0 < sin (t / 2) ->
  heavy_ball_gain m t = gain_of_cosecant m (1 / sin (t / 2) ^ 2).
Proof.
  intros m0 s0. set (s := sin (t / 2)) in *.
  rewrite gain_of_cosecant_form; [|exact m0|apply Rdiv_lt_0_compat; [lra|nra]].
  unfold heavy_ball_gain. fold s.
  replace ((1 - m) ^ 2 * / (1 / s ^ 2) + 4 * m * (/ (1 / s ^ 2) * / (1 / s ^ 2))) with
    ((4 * m * s ^ 2 + (1 - m) ^ 2) * (s * s)) by (field; lra).
  assert (0 <= s ^ 2) by apply pow2_ge_0. assert (0 <= (1 - m) ^ 2) by apply pow2_ge_0.
  rewrite sqrt_mult_alt by nra. rewrite sqrt_square by lra. ring.
Qed.

(** ** Between two numbers without an angle *)

Section Bounds.
Variables (m : R) (n : nat) (T : R).
Hypothesis m1 : 0 <= m < 1.
Hypothesis n1 : (1 <= n)%nat.
Hypothesis angle : heavy_ball_angle m n T.
Let N := INR n.
Let x := T / 2.
Let k := (2 * n - 1)%nat.

Lemma cosecant_multiple : INR (S k) = 2 * N /\ INR k = 2 * N - 1.
Proof.
  assert (e : S k = (2 * n)%nat) by (unfold k; lia). assert (f : INR (S k) = 2 * N).
  { rewrite e, mult_INR. unfold N. simpl. ring. }
  split; [exact f|]. rewrite S_INR in f. lra.
Qed.

Lemma cosecant_angle : 1 <= N /\ 0 < x /\ x <= PI / (4 * N + 2) /\ (4 * N + 2) * (PI / (4 * N + 2)) = PI.
Proof.
  pose proof (N_one n n1) as N1. fold N in N1. destruct (hb_angle_below m n T m1 n1 angle) as [a b].
  fold N in b. split; [exact N1|]. split; [unfold x; lra|]. split; [|field; lra].
  replace (PI / (4 * N + 2)) with (PI / (2 * N + 1) / 2) by (field; lra). unfold x. lra.
Qed.

(** The equation of the angle. *)
Lemma cosecant_from_angle :
  1 / sin x ^ 2 = 2 * N * ((1 + m) / (1 - m)) + 1 + tangent_defect k (tangent_squared x).
Proof.
  destruct cosecant_angle as [N1 [x0 [xb e]]]. destruct cosecant_multiple as [kS _]. pose proof PI_RGT_0.
  assert (h : INR (S k) * x < PI / 2) by (rewrite kS; nra).
  pose proof (defect_means x x0 k h) as means. destruct (defect_signs x x0 k h) as [s [c [S C]]].
  rewrite kS in means, S, C. pose proof (X_T m n T angle) as X. unfold hb_X in X. fold x N in X.
  replace (N * T) with (2 * N * x) in X by (unfold x; field). pose proof (circle x) as circ.
  set (g := tangent_defect k (tangent_squared x)) in *. unfold tangent_squared in means.
  set (sx := sin x) in *. set (cx := cos x) in *. set (Sn := sin (2 * N * x)) in *.
  set (Cn := cos (2 * N * x)) in *.
  assert (key : 2 * N * (1 + m) * (sx * sx) = (1 - m) * (cx * cx - sx * sx * g)).
  { apply Rmult_eq_reg_l with Sn; [|lra].
    transitivity (2 * N * sx * ((1 + m) * (Sn * sx))); [ring|].
    replace ((1 + m) * (Sn * sx)) with ((1 - m) * (Cn * cx)) by lra.
    transitivity ((1 - m) * cx * (2 * N * (sx * Cn))); [ring|]. rewrite means. field. lra. }
  apply Rmult_eq_reg_r with ((1 - m) * (sx * sx)); [|apply Rgt_not_eq; repeat apply Rmult_lt_0_compat; lra].
  transitivity (1 - m); [field; lra|].
  transitivity (2 * N * (1 + m) * (sx * sx) + (1 - m) * (sx * sx) * (1 + g)); [|field; lra].
  rewrite key. replace (cx * cx) with (1 - sx * sx) by lra. ring.
Qed.

Lemma cosecant_above : 2 * N * ((1 + m) / (1 - m)) + (2 + 4 * N ^ 2) / 3 <= 1 / sin x ^ 2.
Proof.
  destruct cosecant_angle as [N1 [x0 [xb e]]]. destruct cosecant_multiple as [kS kN]. pose proof PI_RGT_0.
  rewrite cosecant_from_angle. pose proof (defect_at_least x x0 k ltac:(rewrite kS; nra)) as low.
  rewrite kN in low. lra.
Qed.

Lemma cosecant_below : 1 / sin x ^ 2 <= 4 * m * N / (1 - m) + 1 / sin (PI / (4 * N + 2)) ^ 2.
Proof.
  destruct cosecant_angle as [N1 [x0 [xb e]]]. destruct cosecant_multiple as [kS kN]. pose proof PI_RGT_0.
  set (y := PI / (4 * N + 2)) in *. assert (y0 : 0 < y) by lra.
  assert (h : INR (S k) * y < PI / 2) by (rewrite kS; lra). rewrite cosecant_from_angle.
  pose proof (defect_grows k x y x0 xb h) as grow.
  pose proof (defect_means y y0 k h) as means. destruct (defect_signs y y0 k h) as [s [c _]].
  rewrite kS in means. replace (2 * N * y) with (PI / 2 - y) in means by lra.
  rewrite cos_shift, sin_shift in means.
  set (g := tangent_defect k (tangent_squared y)) in *. unfold tangent_squared in means.
  pose proof (circle y) as circ. set (sy := sin y) in *. set (cy := cos y) in *.
  assert (end_ : 1 / sy ^ 2 = 2 * N + 1 + g).
  { apply Rmult_eq_reg_r with (sy * sy); [|nra]. transitivity 1; [field; lra|].
    transitivity (2 * N * (sy * sy) + sy * sy * (1 + g)); [|ring]. rewrite means.
    transitivity (cy * cy - sy * sy * g + sy * sy * (1 + g)); [|field; lra]. lra. }
  replace (2 * N * ((1 + m) / (1 - m))) with (4 * m * N / (1 - m) + 2 * N) by (field; lra). lra.
Qed.

Lemma heavy_ball_gain_bounds :
  gain_of_cosecant m (4 * m * N / (1 - m) + 1 / sin (PI / (4 * N + 2)) ^ 2) <= heavy_ball_gain m T /\
  heavy_ball_gain m T <= gain_of_cosecant m (2 * N * ((1 + m) / (1 - m)) + (2 + 4 * N ^ 2) / 3).
Proof.
  destruct cosecant_angle as [N1 [x0 [xb e]]]. pose proof PI_RGT_0.
  assert (s : 0 < sin (T / 2)) by (apply sin_gt_0; fold x; nra).
  rewrite heavy_ball_gain_cosecant by (try exact s; lra). fold x.
  assert (q : 0 < 1 / sin x ^ 2) by (apply Rdiv_lt_0_compat; [lra|apply pow_lt; exact s]).
  assert (u : 0 <= 2 * N * ((1 + m) / (1 - m))).
  { apply Rmult_le_pos; [lra|]. left. apply Rdiv_lt_0_compat; lra. }
  split; apply gain_of_cosecant_falls; try lra.
  - exact cosecant_below.
  - nra.
  - exact cosecant_above.
Qed.
End Bounds.

(** Without delay the lower bound is the threshold, and the upper one is above it. *)
Theorem heavy_ball_between m n a : 0 <= m < 1 -> threshold (heavy_ball m n) a ->
  gain_of_cosecant m (4 * m * INR n / (1 - m) + 1 / sin (PI / (4 * INR n + 2)) ^ 2) <= a /\
  a <= gain_of_cosecant m (2 * INR n * ((1 + m) / (1 - m)) + (2 + 4 * INR n ^ 2) / 3).
Proof.
  intros m1 t. destruct (heavy_ball_is_threshold n m ltac:(lra) ltac:(lra)) as [T [angle s]].
  rewrite (threshold_unique _ _ _ t s), heavy_ball_threshold_gain by exact m1.
  destruct (Nat.eq_dec n 0) as [->|nz]; [|apply heavy_ball_gain_bounds; try assumption; lia].
  rewrite (hb_angle_zero m T ltac:(lra) angle), hb_gain_zero by lra. simpl INR.
  replace (PI / (4 * 0 + 2)) with (PI / 2) by field. rewrite sin_PI2.
  assert (e : gain_of_cosecant m 1 = 2 * (m + 1)).
  { unfold gain_of_cosecant. replace (4 * m + 1 * (1 - m) ^ 2) with ((m + 1) * (m + 1)) by ring.
    rewrite sqrt_square by lra. field. }
  split.
  - right. rewrite <- e. f_equal. field. lra.
  - rewrite <- e. apply gain_of_cosecant_falls; lra.
Qed.
