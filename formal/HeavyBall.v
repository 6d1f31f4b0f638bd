(** * Heavy ball: the threshold for every delay and every momentum between -1 and 1 *)

Require Import Reals Lra Lia Psatz.
From DelayStability Require Import Loop Branch Trigonometry.
Open Scope R_scope.

(** The gain of the crossing at an angle. *)
Definition heavy_ball_gain (m t : R) : R :=
  2 * sqrt (4 * m * sin (t / 2) ^ 2 + (1 - m) ^ 2) * sin (t / 2).

(** The equation of the angle. *)
Definition heavy_ball_angle (m : R) (n : nat) : R -> Prop :=
  first_root (fun t => cos (t * (INR n + 1 / 2))) (fun t => m * cos (t * (INR n - 1 / 2))) PI.

(** z^n (z - 1)(z - m)/z on the ray of angle t: the factor W = u + v i. *)
Definition hb_u (m t r : R) := (r + m / r) * cos t - (1 + m).
Definition hb_v (m t r : R) := (r - m / r) * sin t.

Lemma heavy_ball_polar m n a r t : 0 < r ->
  heavy_ball m n a (polar r t) = (polar r t *
  (r ^ n * (hb_u m t r * cos (INR n * t) - hb_v m t r * sin (INR n * t)) + a,
   r ^ n * (hb_u m t r * sin (INR n * t) + hb_v m t r * cos (INR n * t)))%R)%C.
Proof.
  intro r0. unfold heavy_ball. rewrite Cpow_polar.
  set (q := r ^ n). pose proof (circle t) as circ. unfold polar.
  set (p := cos (INR n * t)). set (k := sin (INR n * t)). set (c := cos t) in *. set (s := sin t) in *.
  set (w := (hb_u m t r, hb_v m t r) : C). set (z := (r * c, r * s) : C).
  assert (W : (z * w = (z - 1) * (z - m))%C).
  { unfold z, w, hb_u, hb_v, Cplus, Cmult, Cminus, Copp, Cplus, RtoC; simpl fst; simpl snd. fold c s.
    apply pair_equal_spec; split; field_simplify; try lra.
    replace (s ^ 2) with (1 - c ^ 2) by nra. ring. }
  transitivity ((q * p, q * k)%R * (z * w) + a * z)%C.
  { rewrite W. ring. }
  unfold z, w, Cplus, Cmult, RtoC; simpl fst; simpl snd. apply pair_equal_spec; split; ring.
Qed.

Lemma polar_nonzero r t : 0 < r -> polar r t <> RtoC 0.
Proof.
  intros r0 e. apply (f_equal Cmod) in e. rewrite Cmod_polar, Cmod_0 in e; lra.
Qed.

Lemma heavy_ball_root m n a r t : 0 < r -> (heavy_ball m n a (polar r t) = RtoC 0 <->
  r ^ n * (hb_u m t r * cos (INR n * t) - hb_v m t r * sin (INR n * t)) + a = 0 /\
  r ^ n * (hb_u m t r * sin (INR n * t) + hb_v m t r * cos (INR n * t)) = 0).
Proof.
  intro r0. rewrite heavy_ball_polar by exact r0. split.
  - intro e. destruct (Ceq_dec (r ^ n * (hb_u m t r * cos (INR n * t) - hb_v m t r * sin (INR n * t)) + a,
      r ^ n * (hb_u m t r * sin (INR n * t) + hb_v m t r * cos (INR n * t))) (RtoC 0)) as [z|z].
    + now apply pair_equal_spec in z.
    + destruct (Cmult_neq_0 _ _ (polar_nonzero r t r0) z e).
  - intros [re im]. rewrite re, im. apply Cmult_0_r.
Qed.

(** The modulus of W. *)
Lemma hb_modulus m t r : 0 < r -> hb_u m t r * hb_u m t r + hb_v m t r * hb_v m t r =
  (r * r + 1 - 2 * r * cos t) * (r * r + m * m - 2 * m * r * cos t) / (r * r).
Proof.
  intro r0. pose proof (circle t) as circ. unfold hb_u, hb_v.
  replace ((r - m / r) * sin t * ((r - m / r) * sin t)) with
    ((r - m / r) * (r - m / r) * (1 - cos t * cos t)) by (rewrite <- circ; ring).
  field. lra.
Qed.

(** The imaginary part, times r and over r^n. *)
Definition hb_F (m : R) (n : nat) (t r : R) :=
  r * r * (sin (INR n * t) * cos t + cos (INR n * t) * sin t) - (1 + m) * r * sin (INR n * t)
  + m * (sin (INR n * t) * cos t - cos (INR n * t) * sin t).

Lemma hb_F_imaginary m n t r : 0 < r ->
  hb_F m n t r = r * (hb_u m t r * sin (INR n * t) + hb_v m t r * cos (INR n * t)).
Proof. intro. unfold hb_F, hb_u, hb_v. field. lra. Qed.

(** At r = 1 it has the sign of the equation of the angle. *)
Definition hb_X (m : R) (n : nat) (t : R) :=
  (1 - m) * (cos (INR n * t) * cos (t / 2)) - (1 + m) * (sin (INR n * t) * sin (t / 2)).

Lemma hb_X_angle m n t :
  hb_X m n t = cos (t * (INR n + 1 / 2)) - m * cos (t * (INR n - 1 / 2)).
Proof. rewrite cos_half_after, cos_half_before. unfold hb_X. ring. Qed.

Lemma hb_F_one m n t : hb_F m n t 1 = 2 * sin (t / 2) * hb_X m n t.
Proof.
  unfold hb_F, hb_X. rewrite (sin_half t), (cos_half t).
  pose proof (circle (t / 2)) as circ. set (s := sin (t / 2)) in *. set (c := cos (t / 2)) in *.
  assert (e : c * c = 1 - s * s) by lra.
  transitivity (2 * s * ((1 - m) * (cos (INR n * t) * c) - (1 + m) * (sin (INR n * t) * s)));
  [ring|reflexivity].
Qed.

(** ** Below the angle there is no root outside *)
Section Delayed.
Variables (m : R) (n : nat) (T : R).
Hypothesis m1 : -1 < m < 1.
Hypothesis n1 : (1 <= n)%nat.
Hypothesis angle : heavy_ball_angle m n T.
Let N := INR n.

Lemma N_one : 1 <= N.
Proof. unfold N. apply (le_INR 1) in n1. exact n1. Qed.

Lemma T_bounds : 0 < T /\ 2 * N * T < PI.
Proof.
  destruct angle as [[T0 TP] [eq below]]. split; [exact T0|]. pose proof N_one as N1.
  pose proof PI_RGT_0 as pi0. fold N in eq, below.
  set (u := PI / (2 * N)). assert (u0 : 0 < u) by (apply Rdiv_lt_0_compat; lra).
  assert (Nu : N * u = PI / 2) by (unfold u; field; lra).
  assert (neg : hb_X m n u < 0).
  { unfold hb_X. fold N. rewrite Nu, cos_PI2, sin_PI2.
    assert (0 < sin (u / 2)) by (apply half_positive; nra). nra. }
  rewrite hb_X_angle in neg. fold N in neg.
  destruct (Rtotal_order T u) as [h|[h|h]]; [nra|rewrite h in eq; lra|].
  specialize (below u ltac:(lra)). lra.
Qed.

Lemma X_T : hb_X m n T = 0.
Proof. destruct angle as [_ [eq _]]. rewrite hb_X_angle. lra. Qed.

Lemma X_below t : 0 < t < T -> 0 < hb_X m n t.
Proof. intro b. destruct angle as [_ [_ below]]. specialize (below t b). rewrite hb_X_angle. lra. Qed.

(** F(1) and the two other coefficients of F in powers of r - 1. *)
Lemma hb_F_taylor t r : hb_F m n t r = hb_F m n t 1
  + (r - 1) * (hb_F m n t 1 + (1 - m) * (cos t * sin (N * t)) + (1 + m) * (sin t * cos (N * t)))
  + (r - 1) * (r - 1) * (sin (N * t) * cos t + cos (N * t) * sin t).
Proof. unfold hb_F. fold N. ring. Qed.

Lemma signs t : 0 < t -> 2 * N * t < PI ->
  0 < sin (N * t) /\ 0 < cos (N * t) /\ 0 < sin t /\ 0 < cos t /\ 0 < sin (t / 2).
Proof.
  clear angle m1 T m. intros t0 tN. pose proof N_one. pose proof PI_RGT_0.
  assert (t < PI / 2) by nra. assert (N * t < PI / 2) by nra. assert (0 < N * t) by nra.
  repeat split; [apply sin_gt_0|apply cos_gt_0|apply sin_gt_0|apply cos_gt_0|apply sin_gt_0]; lra.
Qed.

Lemma gap_from_X t r : 0 < t -> 2 * N * t < PI -> 0 <= hb_X m n t -> 1 < r -> 0 < hb_F m n t r.
Proof.
  intros t0 tN X r1. destruct (signs t t0 tN) as [S [C [s [c h]]]].
  rewrite hb_F_taylor. rewrite hb_F_one.
  assert (0 < cos t * sin (N * t)) by (apply Rmult_lt_0_compat; lra).
  assert (0 < sin t * cos (N * t)) by (apply Rmult_lt_0_compat; lra).
  assert (0 <= 2 * sin (t / 2) * hb_X m n t) by (apply Rmult_le_pos; lra).
  assert (0 < 2 * sin (t / 2) * hb_X m n t + (1 - m) * (cos t * sin (N * t))
    + (1 + m) * (sin t * cos (N * t))) by nra.
  assert (0 < (r - 1) * (2 * sin (t / 2) * hb_X m n t + (1 - m) * (cos t * sin (N * t))
    + (1 + m) * (sin t * cos (N * t)))) by (apply Rmult_lt_0_compat; lra).
  assert (0 <= (r - 1) * (r - 1) * (sin (N * t) * cos t + cos (N * t) * sin t)).
  { apply Rmult_le_pos; nra. }
  lra.
Qed.

Lemma gap t r : 0 < t < T -> 1 <= r -> 0 < hb_F m n t r.
Proof.
  intros b r1. destruct T_bounds as [T0 TN]. pose proof N_one. pose proof (X_below t b) as X.
  assert (tN : 2 * N * t < PI) by nra.
  destruct (Rle_lt_or_eq_dec _ _ r1) as [h|h]; [apply gap_from_X; lra|].
  rewrite <- h, hb_F_one. destruct (signs t ltac:(lra) tN) as [_ [_ [_ [_ p]]]].
  apply Rmult_lt_0_compat; lra.
Qed.

(** The mirrored sum, for the angle d = pi - t. *)
Lemma mirrored d r : 0 < d < T -> 1 <= r -> hb_F m n (PI - d) r <> 0.
Proof.
  intros b r1. destruct T_bounds as [T0 TN]. pose proof N_one.
  destruct (signs d ltac:(lra) ltac:(nra)) as [S [C [s [c h]]]].
  assert (turn : (sin (N * (PI - d)) = - (cos (N * PI) * sin (N * d))) /\
                 (cos (N * (PI - d)) = cos (N * PI) * cos (N * d)) /\ cos (N * PI) <> 0).
  { assert (z : sin (N * PI) = 0).
    { unfold N. clear. induction n as [|k IH]; [simpl; rewrite Rmult_0_l; apply sin_0|].
      rewrite S_INR. replace ((INR k + 1) * PI) with (INR k * PI + PI) by ring.
      rewrite neg_sin, IH. ring. }
    replace (N * (PI - d)) with (N * PI - N * d) by ring. rewrite sin_minus, cos_minus, z.
    repeat split; try ring. intro e. pose proof (circle (N * PI)) as q. rewrite e, z in q. lra. }
  destruct turn as [es [ec ne]]. unfold hb_F. fold N. rewrite es, ec.
  rewrite sin_PI_x, Rtrigo_facts.cos_pi_minus. set (E := cos (N * PI)) in *.
  assert (p : 0 < r * r * (sin (N * d) * cos d + cos (N * d) * sin d) + (1 + m) * r * sin (N * d)
    + m * (sin (N * d) * cos d - cos (N * d) * sin d)).
  { assert (0 < cos d * sin (N * d)) by (apply Rmult_lt_0_compat; lra).
    assert (0 < sin d * cos (N * d)) by (apply Rmult_lt_0_compat; lra).
    assert (0 < (1 + m) * r * sin (N * d)) by (apply Rmult_lt_0_compat; nra).
    assert (1 <= r * r) by nra. nra. }
  intro e. apply ne. apply Rmult_eq_reg_r with (r * r * (sin (N * d) * cos d + cos (N * d) * sin d)
    + (1 + m) * r * sin (N * d) + m * (sin (N * d) * cos d - cos (N * d) * sin d)); [|lra].
  rewrite Rmult_0_l, <- e. ring.
Qed.
End Delayed.

(** ** The gain at the angle *)

Lemma hb_square_positive m k : -1 < m < 1 -> 0 <= k <= 1 -> 0 < 4 * m * k + (1 - m) ^ 2.
Proof.
  intros. destruct (Rle_lt_dec 0 m); [nra|].
  assert (0 < 4 * m * 1 + (1 - m) ^ 2) by nra. assert (m * 1 <= m * k) by nra. lra.
Qed.

Lemma sin_squared_bound t : 0 <= sin t * sin t <= 1.
Proof. pose proof (circle t). nra. Qed.

Lemma heavy_ball_gain_squared m t : -1 < m < 1 -> heavy_ball_gain m t * heavy_ball_gain m t =
  4 * (sin (t / 2) * sin (t / 2)) * ((1 - m) * (1 - m) + 4 * m * (sin (t / 2) * sin (t / 2))).
Proof.
  intro m1. unfold heavy_ball_gain. pose proof (sin_squared_bound (t / 2)) as b.
  set (s := sin (t / 2)) in *.
  pose proof (hb_square_positive m (s * s) m1 b) as p.
  assert (e : 4 * m * s ^ 2 + (1 - m) ^ 2 = 4 * m * (s * s) + (1 - m) ^ 2) by ring. rewrite e.
  transitivity (4 * (s * s) * (sqrt (4 * m * (s * s) + (1 - m) ^ 2) * sqrt (4 * m * (s * s) + (1 - m) ^ 2)));
  [ring|]. rewrite sqrt_sqrt by lra. ring.
Qed.

Lemma heavy_ball_gain_positive m t : -1 < m < 1 -> 0 < t <= PI -> 0 < heavy_ball_gain m t.
Proof.
  intros m1 b. unfold heavy_ball_gain. pose proof (sin_squared_bound (t / 2)) as k.
  pose proof (hb_square_positive m _ m1 k) as p.
  replace (sin (t / 2) ^ 2) with (sin (t / 2) * sin (t / 2)) by ring.
  apply Rmult_lt_0_compat; [|apply half_positive, b].
  apply Rmult_lt_0_compat; [lra|apply sqrt_lt_R0, p].
Qed.

(** ** No root outside below the threshold *)

(** Away from both ends of the half circle, the modulus is smallest at the angle T and at r = 1. *)
Lemma hb_modulus_bound m T t r : -1 < m < 1 -> 0 < T -> T <= t <= PI - T -> 1 <= r ->
  heavy_ball_gain m T * heavy_ball_gain m T <=
  hb_u m t r * hb_u m t r + hb_v m t r * hb_v m t r.
Proof.
  intros m1 T0 b r1. rewrite heavy_ball_gain_squared by exact m1. rewrite hb_modulus by lra.
  pose proof (distance_from_one r (cos t) r1) as d1.
  pose proof (distance_from_pole r m (cos t) r1 m1) as d2.
  assert (lowT : sin (T / 2) <= sin (t / 2)) by (apply sin_mono; lra).
  assert (s0 : 0 < sin (T / 2)) by (apply half_positive; lra).
  assert (high : sin (t / 2) <= cos (T / 2)).
  { rewrite <- sin_shift. apply sin_mono; lra. }
  pose proof (circle (T / 2)) as cT. rewrite cos_half in *.
  set (K := sin (T / 2) * sin (T / 2)) in *. set (k := sin (t / 2) * sin (t / 2)) in *.
  assert (Kk : 0 < K <= k) by (unfold K, k; split; nra).
  assert (k1 : k <= 1 - K) by (unfold K, k in *; nra).
  assert (p1 : 4 * k * r <= r * r + 1 - 2 * r * (1 - 2 * k)) by lra.
  assert (p2 : ((1 - m) * (1 - m) + 4 * m * k) * r <= r * r + m * m - 2 * m * r * (1 - 2 * k)) by lra.
  assert (w : 0 < (1 - m) * (1 - m) + 4 * m * k).
  { pose proof (hb_square_positive m k m1 ltac:(lra)). lra. }
  assert (rise : 4 * K * ((1 - m) * (1 - m) + 4 * m * K) <= 4 * k * ((1 - m) * (1 - m) + 4 * m * k)).
  { assert (0 <= (1 - m) * (1 - m) + 4 * m * (K + k)).
    { destruct (Rle_lt_dec 0 m); [nra|]. assert (m * 1 <= m * (K + k)) by nra. nra. }
    assert (0 <= (k - K) * ((1 - m) * (1 - m) + 4 * m * (K + k))) by (apply Rmult_le_pos; lra). lra. }
  apply Rle_trans with (4 * k * ((1 - m) * (1 - m) + 4 * m * k)); [exact rise|].
  apply Rmult_le_reg_r with (r * r); [nra|].
  replace ((r * r + 1 - 2 * r * (1 - 2 * k)) * (r * r + m * m - 2 * m * r * (1 - 2 * k)) / (r * r)
    * (r * r)) with ((r * r + 1 - 2 * r * (1 - 2 * k)) *
    (r * r + m * m - 2 * m * r * (1 - 2 * k))) by (field; lra).
  replace (4 * k * ((1 - m) * (1 - m) + 4 * m * k) * (r * r)) with
    (4 * k * r * (((1 - m) * (1 - m) + 4 * m * k) * r)) by ring.
  apply Rmult_le_compat; nra.
Qed.

(** The positive half line, and the negative one, where only even delays have roots. *)
Lemma hb_no_positive_root m n a r : -1 < m < 1 -> 0 < a -> 1 <= r -> heavy_ball m n a (polar r 0) <> RtoC 0.
Proof.
  intros m1 a0 r1 e. apply heavy_ball_root in e; [|lra]. destruct e as [re _].
  unfold hb_u, hb_v in re. rewrite Rmult_0_r, cos_0, sin_0 in re.
  assert (1 <= r ^ n) by (apply pow_R1_Rle; exact r1).
  assert (p : 0 <= (r + m / r) * 1 - (1 + m)).
  { replace ((r + m / r) * 1 - (1 + m)) with ((r - 1) * (r - m) / r) by (field; lra).
    apply Rmult_le_pos; [nra|]. left. apply Rinv_0_lt_compat. lra. }
  assert (0 <= r ^ n * ((r + m / r) * 1 - (1 + m))) by (apply Rmult_le_pos; lra). lra.
Qed.

Lemma hb_no_negative_root m n a r : -1 < m < 1 -> 0 < a -> (Nat.even n = true -> a < 2 * (1 + m)) ->
  1 <= r -> heavy_ball m n a (polar r PI) <> RtoC 0.
Proof.
  intros m1 a0 even r1 e. apply heavy_ball_root in e; [|lra]. destruct e as [re _].
  unfold hb_u, hb_v in re. rewrite cos_PI, sin_PI in re.
  assert (1 <= r ^ n) by (apply pow_R1_Rle; exact r1).
  assert (p : 2 * (1 + m) <= (r + m / r) + (1 + m)).
  { assert (0 <= (r - 1) * (r - m) / r).
    { apply Rmult_le_pos; [nra|]. left. apply Rinv_0_lt_compat. lra. }
    replace ((r - 1) * (r - m) / r) with (r + m / r - (1 + m)) in * by (field; lra). lra. }
  destruct (Nat.even n) eqn:parity.
  - apply Nat.even_spec in parity. destruct parity as [k ->].
    replace (INR (2 * k) * PI) with (0 + 2 * INR k * PI) in re by (rewrite mult_INR; simpl; ring).
    rewrite cos_period, cos_0 in re. specialize (even eq_refl). nra.
  - assert (odd : Nat.odd n = true) by (unfold Nat.odd; now rewrite parity).
    apply Nat.odd_spec in odd. destruct odd as [k ->].
    replace (INR (2 * k + 1) * PI) with (PI + 2 * INR k * PI) in re
      by (rewrite plus_INR, mult_INR; simpl; ring).
    rewrite cos_period, cos_PI in re. nra.
Qed.

Lemma heavy_ball_stable_side m n T a r t : -1 < m < 1 -> heavy_ball_angle m n T ->
  0 < a < heavy_ball_gain m T -> (Nat.even n = true -> a < 2 * (1 + m)) ->
  1 <= r -> 0 <= t <= PI -> heavy_ball m n a (polar r t) <> RtoC 0.
Proof.
  intros m1 angle [a0 low] even r1 [t0 tp] root.
  destruct (Rle_lt_or_eq_dec _ _ t0) as [pos|z];
    [|apply (hb_no_positive_root m n a r m1 a0 r1); subst t; exact root].
  destruct (Rle_lt_or_eq_dec _ _ tp) as [below|z];
    [|apply (hb_no_negative_root m n a r m1 a0 even r1); subst t; exact root].
  apply heavy_ball_root in root; [|lra]. destruct root as [re im].
  assert (q1 : 1 <= r ^ n) by (apply pow_R1_Rle; exact r1).
  assert (F0 : hb_F m n t r = 0).
  { rewrite hb_F_imaginary by lra. apply Rmult_integral in im. destruct im as [h|h]; [lra|].
    rewrite h. ring. }
  destruct (Nat.eq_dec n 0) as [zero|nonzero].
  { subst n. unfold hb_F in F0. simpl in F0. rewrite Rmult_0_l, sin_0, cos_0 in F0.
    assert (0 < sin t) by (apply sin_gt_0; lra).
    assert (0 < sin t * (r * r - m)) by (apply Rmult_lt_0_compat; nra). lra. }
  assert (n1 : (1 <= n)%nat) by lia.
  destruct (T_bounds m n T m1 n1 angle) as [T0 TN].
  destruct (Rlt_le_dec t T) as [h|h].
  { pose proof (gap m n T m1 n1 angle t r ltac:(lra) r1). lra. }
  destruct (Rle_lt_dec t (PI - T)) as [k|k].
  - pose proof (modulus_squared _ _ _ _ _ _ (circle (INR n * t)) re im) as sq.
    pose proof (hb_modulus_bound m T t r m1 T0 (conj h k) r1) as bound.
    set (M := hb_u m t r * hb_u m t r + hb_v m t r * hb_v m t r) in *.
    assert (1 <= r ^ n * r ^ n) by nra. nra.
  - apply (mirrored m n T m1 n1 angle (PI - t) r ltac:(lra) r1).
    replace (PI - (PI - t)) with t by ring. exact F0.
Qed.
