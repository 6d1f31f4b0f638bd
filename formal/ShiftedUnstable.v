(** * Shifted momentum from 0 on: from the threshold on there is a root outside; the theorem *)

Require Import Reals Lra Lia Psatz.
From DelayStability Require Import Loop Branch Trigonometry HeavyBall HeavyBallUnstable Shifted.
Open Scope R_scope.

(** ** Beyond the threshold there is a root outside *)
Section Unstable.
Variables (m : R) (n : nat) (T : R).
Hypothesis m1 : 0 <= m < 1.
Hypothesis n1 : (1 <= n)%nat.
Hypothesis angle : shifted_angle m n T.
Let N := INR n.
Let U := PI / (N + 1).

Lemma shifted_interval : 1 <= N /\ (N + 1) * U = PI /\ 0 < T /\ T < U /\ U <= PI / 2.
Proof.
  pose proof (N_one n n1) as N1. fold N in N1. destruct (shifted_T m n T m1 angle) as [T0 TN].
  fold N in TN. pose proof PI_RGT_0.
  assert (NU : (N + 1) * U = PI) by (unfold U; field; lra). repeat split; try lra; nra.
Qed.

(** Also sin (n t) is at least sin t, as n t lies between t and pi - t. *)
Lemma shifted_signs t : T <= t <= U -> 0 < sin t /\ sin t <= sin (N * t) /\
  0 < sin (t / 2) /\ 0 < cos (t / 2).
Proof.
  intro b. destruct shifted_interval as [N1 [NU [T0 [TU U2]]]]. pose proof PI_RGT_0.
  assert (Nt : (N + 1) * t <= PI) by nra. assert (t <= N * t) by nra.
  repeat split; [apply sin_gt_0| |apply sin_gt_0|apply cos_gt_0]; try lra.
  destruct (Rle_lt_dec (N * t) (PI / 2)) as [h|h]; [apply sin_mono; lra|].
  rewrite <- (sin_PI_x (N * t)). apply sin_mono; lra.
Qed.

Lemma shifted_next t : T <= t < U -> 0 < sin ((N + 1) * t).
Proof.
  intro b. destruct shifted_interval as [N1 [NU [T0 [TU U2]]]]. apply sin_gt_0; nra.
Qed.

Lemma shifted_X_beyond t : T <= t < U -> shifted_X m n t <= 0.
Proof.
  intro b. destruct shifted_interval as [N1 [NU [T0 [TU U2]]]]. pose proof PI_RGT_0.
  destruct (shifted_signs t ltac:(lra)) as [st [sm [sh ch]]].
  destruct (shifted_signs T ltac:(lra)) as [sT [smT [shT chT]]].
  destruct angle as [_ [eq _]]. simpl in eq.
  assert (XT : shifted_X m n T = 0) by (unfold shifted_X; lra).
  rewrite shifted_X_form in XT by assumption. rewrite shifted_X_form by assumption. fold N in XT |- *.
  destruct (Rle_lt_dec (cos (N * t)) m) as [h|h].
  { assert (0 <= sin (N * t) * sin (t / 2)) by (apply Rmult_le_pos; lra). nra. }
  assert (Nt : N * t <= PI / 2).
  { apply Rnot_lt_le. intro l. assert (cos (N * t) <= 0) by (apply cos_le_0; nra). lra. }
  assert (cos (N * t) <= cos (N * T)) by (apply cos_decr_1; nra).
  assert (cos (t / 2) <= cos (T / 2)) by (apply cos_decr_1; lra).
  assert (sin (N * T) <= sin (N * t)) by (apply sin_mono; nra).
  assert (sin (T / 2) <= sin (t / 2)) by (apply sin_mono; lra).
  assert (sin (N * T) * sin (T / 2) <= sin (N * t) * sin (t / 2)) by (apply Rmult_le_compat; lra).
  assert ((cos (N * t) - m) * cos (t / 2) <= (cos (N * T) - m) * cos (T / 2))
    by (apply Rmult_le_compat; lra).
  lra.
Qed.

Definition shifted_G (t r : R) : R := r ^ n * sin ((N + 1) * t) * (r * r + 1 - 2 * r * cos t) / sin t.

(** Where the imaginary part vanishes, the real part is minus this gain. *)
Lemma shifted_G_root t r : 0 < r -> 0 < sin t -> shifted_F m n t r = 0 ->
  shifted_momentum m n (shifted_G t r) (polar r t) = RtoC 0.
Proof.
  intros r0 st F. apply shifted_root; [exact r0|]. split; [|exact F].
  unfold shifted_F, shifted_G in *. fold N in F |- *. rewrite sin_next, cos_next in *.
  set (q := r ^ n) in *. set (p := cos (N * t)) in *. set (k := sin (N * t)) in *.
  pose proof (circle t) as circ. set (c := cos t) in *. set (s := sin t) in *.
  apply Rmult_eq_reg_r with (s * r); [|nra]. rewrite Rmult_0_l.
  transitivity (q * (r * (p * c - k * s) - p) * (s * r) - m * s * (r - c)
    + q * (k * c + p * s) * (r * r + 1 - 2 * r * c) * r); [field; lra|].
  replace (m * s) with (q * (r * (r * (k * c + p * s) - k))) by lra.
  transitivity (q * r * k * r * (1 - (s * s + c * c))); [ring|rewrite circ; ring].
Qed.

Lemma shifted_G_start : shifted_G T 1 = shifted_gain m n T.
Proof.
  destruct shifted_interval as [N1 [NU [T0 [TU U2]]]].
  destruct (shifted_signs T ltac:(lra)) as [sT [smT [shT chT]]].
  destruct (shifted_gain_form m n T m1 angle) as [A0 [AA e]]. fold N in A0, AA, e. rewrite e.
  unfold shifted_G. rewrite pow1.
  replace ((N + 1) * T) with (T * (1 / 2 + N) + T / 2) by field. rewrite sin_plus.
  destruct angle as [_ [eq _]]. simpl in eq. fold N in eq. rewrite eq.
  pose proof (circle (T / 2)) as c.
  rewrite (sin_half T), (cos_half T). set (s := sin (T / 2)) in *. field. split; lra.
Qed.

Lemma shifted_branch a : shifted_gain m n T <= a ->
  exists z, 1 <= Cmod z /\ shifted_momentum m n a z = RtoC 0.
Proof.
  intro high. destruct shifted_interval as [N1 [NU [T0 [TU U2]]]]. pose proof PI_RGT_0.
  assert (F_0 : forall t r, shifted_F m n t r =
    r ^ n * (r * (r * sin ((N + 1) * t) - sin (N * t))) - m * sin t) by reflexivity.
  destruct (branch T U (shifted_F m n) shifted_G TU) with (a := a) as [t [r [b [r1 [z g]]]]].
  - intros r t. unfold shifted_F. continuous.
  - intros t r. unfold shifted_F. continuous.
  - intros f t b f1 cm. unfold shifted_G. continuous.
    destruct (shifted_signs t ltac:(lra)) as [st _]. apply Rgt_not_eq; lra.
  - intros t b. rewrite shifted_F_one. pose proof (shifted_X_beyond t b).
    destruct (shifted_signs t ltac:(lra)) as [_ [_ [sh _]]]. nra.
  - intros t r s b rs F. pose proof (shifted_next t b) as lead.
    destruct (shifted_signs t ltac:(lra)) as [st [sm _]]. rewrite F_0 in *.
    assert (q : 1 <= r ^ n) by (apply pow_R1_Rle; lra).
    assert (rsn : r ^ n <= s ^ n) by (apply pow_incr; lra).
    set (w := r * sin ((N + 1) * t) - sin (N * t)) in *.
    set (v := s * sin ((N + 1) * t) - sin (N * t)).
    assert (wv : w < v) by (unfold w, v; nra). assert (ms : 0 <= m * sin t) by nra.
    assert (w0 : 0 <= w).
    { apply Rnot_lt_le. intro l. assert (r ^ n * (r * w) < 0); [|lra].
      assert (0 < r ^ n * r) by nra. nra. }
    assert (r * w < s * v) by nra. assert (0 <= r * w) by nra.
    assert (r ^ n * (r * w) <= s ^ n * (r * w)) by (apply Rmult_le_compat_r; lra).
    assert (s ^ n * (r * w) < s ^ n * (s * v)) by (apply Rmult_lt_compat_l; lra). lra.
  - intros t b. pose proof (shifted_next t b) as lead. exists (1 + 3 / sin ((N + 1) * t)).
    assert (0 < 3 / sin ((N + 1) * t)) by (apply Rdiv_lt_0_compat; lra). split; [lra|]. rewrite F_0.
    assert (e : (1 + 3 / sin ((N + 1) * t)) * sin ((N + 1) * t) = sin ((N + 1) * t) + 3)
      by (field; lra).
    assert (r1 : 1 <= 1 + 3 / sin ((N + 1) * t)) by lra.
    set (r := 1 + 3 / sin ((N + 1) * t)) in *. rewrite e.
    assert (q : 1 <= r ^ n) by (apply pow_R1_Rle; lra).
    pose proof (SIN_bound (N * t)). pose proof (SIN_bound t).
    set (w := sin ((N + 1) * t) + 3 - sin (N * t)). assert (2 < w) by (unfold w; lra).
    assert (2 < r * w) by nra. assert (2 < r ^ n * (r * w)) by nra. assert (m * sin t <= 1) by nra. lra.
  - rewrite shifted_F_one. destruct angle as [_ [eq _]]. simpl in eq.
    replace (shifted_X m n T) with 0 by (unfold shifted_X; lra). ring.
  - intros r r1. rewrite F_0, NU, sin_PI. destruct (shifted_signs U ltac:(lra)) as [st [sm _]].
    assert (q : 1 <= r ^ n) by (apply pow_R1_Rle; lra).
    assert (0 < r ^ n * (r * sin (N * U))) by (apply Rmult_lt_0_compat; nra).
    assert (0 <= m * sin U) by nra. lra.
  - intro A. exists (Rabs A + 3). pose proof (Rabs_pos A). split; [lra|].
    intros t r b big z. destruct (shifted_signs t ltac:(lra)) as [st [sm _]].
    pose proof (shifted_next t b) as lead. pose proof (COS_bound t) as cb. rewrite F_0 in z.
    assert (q : 1 <= r ^ n) by (apply pow_R1_Rle; lra).
    assert (low : sin t <= r * sin ((N + 1) * t)).
    { apply Rle_trans with (sin (N * t)); [exact sm|]. apply Rnot_lt_le. intro l.
      assert (0 < r ^ n * r) by nra. assert (0 <= m * sin t) by nra. nra. }
    assert (dist : (r - 1) * (r - 1) <= r * r + 1 - 2 * r * cos t) by nra.
    unfold shifted_G. apply Rle_trans with (r - 2); [pose proof (Rle_abs A); lra|].
    apply Rmult_le_reg_r with (r * sin t); [nra|].
    replace (r ^ n * sin ((N + 1) * t) * (r * r + 1 - 2 * r * cos t) / sin t * (r * sin t)) with
      (r ^ n * ((r * sin ((N + 1) * t)) * (r * r + 1 - 2 * r * cos t))) by (field; lra).
    assert (p : sin t * ((r - 1) * (r - 1)) <= r * sin ((N + 1) * t) * (r * r + 1 - 2 * r * cos t))
      by (apply Rmult_le_compat; nra).
    assert (p0 : 0 <= sin t * ((r - 1) * (r - 1))) by (apply Rmult_le_pos; nra).
    assert ((r - 2) * (r * sin t) <= sin t * ((r - 1) * (r - 1))) by nra.
    set (w := r * sin ((N + 1) * t) * (r * r + 1 - 2 * r * cos t)) in *. nra.
  - rewrite shifted_G_start. exact high.
  - exists (polar r t). rewrite Cmod_polar by lra. split; [exact r1|].
    destruct (shifted_signs t ltac:(lra)) as [st _]. rewrite <- g. apply shifted_G_root; lra.
Qed.
End Unstable.

(** ** The theorem *)

Lemma shifted_angle_exists m n : 0 <= m < 1 -> exists T, shifted_angle m n T.
Proof.
  intro m1. pose proof PI_RGT_0. pose proof (pos_INR n) as N0. set (u := PI / (2 * INR n + 1)).
  assert (e : (2 * INR n + 1) * u = PI) by (unfold u; field; lra).
  assert (u0 : 0 < u) by (unfold u; apply Rdiv_lt_0_compat; lra).
  destruct (first_root_exists (fun t => cos (t * (1 / 2 + INR n))) (fun t => m * cos (t / 2)) u PI)
    as [T [_ r]].
  - intro s. continuous.
  - intro s. unfold Rdiv. continuous.
  - unfold Rdiv. rewrite !Rmult_0_l, cos_0. lra.
  - nra.
  - replace (u * (1 / 2 + INR n)) with (PI / 2) by lra. rewrite cos_PI2.
    assert (0 <= cos (u / 2)) by (apply cos_ge_0; nra). nra.
  - exists T. exact r.
Qed.

(** Without delay, shifted momentum is heavy ball, and the angle is pi. *)
Lemma shifted_zero m T : -1 < m < 1 -> shifted_angle m 0 T ->
  threshold (shifted_momentum m 0) (shifted_gain m 0 T).
Proof.
  intros m1 angle. destruct (heavy_ball_is_threshold 0 m ltac:(lra) ltac:(lra)) as [S [aS [p t]]].
  assert (TP : T = PI).
  { destruct angle as [[T0 TP] [eq below]]. simpl in eq. pose proof PI_RGT_0.
    destruct (Rle_lt_or_eq_dec _ _ TP) as [h|h]; [|exact h]. exfalso.
    replace (T * (1 / 2 + 0)) with (T / 2) in eq by field.
    assert (0 < cos (T / 2)) by (apply cos_gt_0; lra). nra. }
  assert (g : shifted_gain m 0 T = heavy_ball_threshold m 0 S).
  { unfold heavy_ball_threshold. simpl Nat.even. cbn iota.
    rewrite (hb_angle_zero m S ltac:(lra) aS), hb_gain_zero, Rmin_left by lra.
    rewrite TP. unfold shifted_gain. simpl INR. replace (PI * (1 + 0) / 2) with (PI / 2) by field.
    rewrite sin_PI2. replace ((1 - m) ^ 2 + 4 * m * 1 ^ 2) with ((m + 1) * (m + 1)) by ring.
    rewrite sqrt_square by lra. ring. }
  rewrite g. split; [exact p|]. intro a. rewrite <- t.
  assert (same : forall z, shifted_momentum m 0 a z = heavy_ball m 0 a z).
  { intro z. unfold shifted_momentum, heavy_ball. simpl Cpow. ring. }
  split; intros h z e; apply h; rewrite <- e; [|symmetry]; apply same.
Qed.

(** A gain that is not positive leaves a root from 1 on. *)
Lemma shifted_negative_gain m n a : -1 < m < 1 -> a <= 0 ->
  exists x, 1 <= x /\ shifted_momentum m n a (RtoC x) = RtoC 0.
Proof.
  intros m1 neg.
  apply real_root with (f := fun x => (x - 1) * (x ^ S n - m) + a * x) (X := 2 - a).
  + intro x. continuous.
  + intro x. unfold shifted_momentum. rewrite Cpow_real.
    rewrite <- !RtoC_minus, <- !RtoC_mult, <- RtoC_plus. reflexivity.
  + lra.
  + rewrite pow1. lra.
  + assert (1 <= (2 - a) ^ n) by (apply pow_R1_Rle; lra). simpl pow.
    assert (2 - a - m <= (2 - a) * (2 - a) ^ n - m) by nra.
    assert ((2 - a - 1) * (2 - a - m) <= (2 - a - 1) * ((2 - a) * (2 - a) ^ n - m))
      by (apply Rmult_le_compat_l; lra).
    assert (- a * (2 - a) <= (2 - a - 1) * (2 - a - m)) by nra. lra.
Qed.

Theorem shifted_is_threshold : forall (tau : nat) (m : R), 0 <= m -> m < 1 -> exists theta,
  shifted_angle m tau theta /\ threshold (shifted_momentum m tau) (shifted_gain m tau theta).
Proof.
  intros n m low high. assert (m1 : 0 <= m < 1) by lra.
  destruct (shifted_angle_exists m n m1) as [T angle]. exists T. split; [exact angle|].
  destruct (Nat.eq_dec n 0) as [->|nz]; [apply shifted_zero; [lra|exact angle]|]. assert (n1 : (1 <= n)%nat) by lia.
  destruct (shifted_T m n T m1 angle) as [T0 _].
  apply threshold_intro.
  - apply shifted_gain_facts; assumption.
  - intros a z. unfold shifted_momentum. conjugate.
  - intros a r t b r1 bt root. destruct (Rlt_le_dec t T) as [h|h].
    + destruct (Rle_lt_or_eq_dec 0 t) as [p|p]; [lra| |].
      * pose proof (shifted_gap m n T m1 angle t r ltac:(lra) r1).
        apply shifted_root in root; [|lra]. lra.
      * subst t. apply (shifted_no_positive_root m n m1 a r ltac:(lra) r1 root).
    + apply (shifted_beyond m n T m1 angle a r t n1 b ltac:(lra) r1 root).
  - intros a. now apply shifted_branch.
  - intros a neg. apply shifted_negative_gain; lra.
Qed.
