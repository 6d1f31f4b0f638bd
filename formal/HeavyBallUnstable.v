(** * Heavy ball: from the threshold on there is a root outside; the theorem *)

Require Import Reals Lra Lia Psatz.
From DelayStability Require Import Loop Branch Trigonometry HeavyBall.
Open Scope R_scope.

(** ** Beyond the threshold there is one *)

Section Unstable.
Variables (m : R) (n : nat) (T : R).
Hypothesis m1 : -1 < m < 1.
Hypothesis n1 : (1 <= n)%nat.
Hypothesis angle : heavy_ball_angle m n T.
Let N := INR n.
Let U := PI / (N + 1).

Lemma hb_interval : 1 <= N /\ (N + 1) * U = PI /\ 0 < T /\ T < U /\ U <= PI / 2 /\ 2 * N * T < PI.
Proof.
  pose proof (N_one n n1) as N1. fold N in N1. destruct (T_bounds m n T m1 n1 angle) as [T0 TN].
  fold N in TN. pose proof PI_RGT_0.
  assert (NU : (N + 1) * U = PI) by (unfold U; field; lra). repeat split; try lra; nra.
Qed.

Lemma hb_signs t : T <= t <= U -> 0 < sin (N * t) /\ 0 < sin T /\ sin T <= sin t /\
  0 < sin (t / 2) /\ 0 < cos (t / 2) /\ 0 <= cos t.
Proof.
  intro b. destruct hb_interval as [N1 [NU [T0 [TU [U2 _]]]]]. pose proof PI_RGT_0.
  repeat split; [apply sin_gt_0|apply sin_gt_0|apply sin_mono|apply sin_gt_0|apply cos_gt_0|
    apply cos_ge_0]; nra.
Qed.

Lemma hb_next_positive t : T <= t < U -> 0 < sin (N * t) * cos t + cos (N * t) * sin t.
Proof.
  intro b. destruct hb_interval as [N1 [NU [T0 [TU [U2 _]]]]]. rewrite <- sin_next.
  apply sin_gt_0; nra.
Qed.

(** X is negative beyond T. *)
Lemma X_beyond t : T <= t < U -> hb_X m n t <= 0 /\ (hb_X m n t = 0 -> 2 * N * t < PI).
Proof.
  intro b. destruct hb_interval as [N1 [NU [T0 [TU [U2 TN]]]]]. pose proof PI_RGT_0.
  destruct (hb_signs t ltac:(lra)) as [S [_ [_ [sh [ch _]]]]].
  destruct (Rlt_le_dec (2 * N * t) PI) as [h|h].
  - split; [|intros _; exact h].
    pose proof (X_T m n T angle) as XT. unfold hb_X in *. fold N in XT |- *.
    destruct (hb_signs T ltac:(lra)) as [ST [_ [_ [shT [chT _]]]]].
    assert (sin (N * T) <= sin (N * t)) by (apply sin_mono; nra).
    assert (sin (T / 2) <= sin (t / 2)) by (apply sin_mono; lra).
    assert (cos (N * t) <= cos (N * T)) by (apply cos_decr_1; nra).
    assert (cos (t / 2) <= cos (T / 2)) by (apply cos_decr_1; lra).
    assert (0 < cos (N * t)) by (apply cos_gt_0; nra).
    assert (sin (N * T) * sin (T / 2) <= sin (N * t) * sin (t / 2)) by (apply Rmult_le_compat; lra).
    assert (cos (N * t) * cos (t / 2) <= cos (N * T) * cos (T / 2)) by (apply Rmult_le_compat; lra).
    nra.
  - assert (cos (N * t) <= 0) by (apply cos_le_0; nra).
    assert (p : hb_X m n t < 0).
    { unfold hb_X. fold N. assert (0 < sin (N * t) * sin (t / 2)) by (apply Rmult_lt_0_compat; lra).
      assert (cos (N * t) * cos (t / 2) <= 0) by nra. nra. }
    split; lra.
Qed.

Lemma hb_once t r s : T <= t < U -> 1 <= r < s -> 0 <= hb_F m n t r -> 0 < hb_F m n t s.
Proof.
  intros b rs F. destruct hb_interval as [N1 [NU [T0 [TU [U2 TN]]]]].
  destruct (hb_signs t ltac:(lra)) as [S [_ [_ [sh [ch _]]]]].
  destruct (X_beyond t b) as [X zero]. pose proof (hb_F_one m n t) as F1.
  destruct (Rle_lt_or_eq_dec 1 r) as [h|h]; [lra| |].
  - pose proof (hb_next_positive t b) as lead.
    assert (chord : (r - 1) * hb_F m n t s = (s - 1) * hb_F m n t r - (s - r) * hb_F m n t 1
      + (sin (N * t) * cos t + cos (N * t) * sin t) * ((s - 1) * ((s - r) * (r - 1))))
      by (unfold hb_F; fold N; ring).
    assert (hb_F m n t 1 <= 0) by (rewrite F1; nra).
    assert (0 <= (s - 1) * hb_F m n t r) by (apply Rmult_le_pos; lra).
    assert (0 <= (s - r) * - hb_F m n t 1) by (apply Rmult_le_pos; lra).
    assert (0 < (sin (N * t) * cos t + cos (N * t) * sin t) * ((s - 1) * ((s - r) * (r - 1)))).
    { apply Rmult_lt_0_compat; [exact lead|]. apply Rmult_lt_0_compat; nra. }
    nra.
  - subst r. assert (z : hb_X m n t = 0) by nra.
    apply (gap_from_X m n m1 n1); [lra|apply zero, z|lra|lra].
Qed.

Definition hb_G (t r : R) := r ^ n * ((r - m / r) * sin t) / sin (N * t).

Lemma hb_G_start : hb_G T 1 = heavy_ball_gain m T.
Proof.
  destruct hb_interval as [N1 [NU [T0 [TU [U2 TN]]]]]. pose proof PI_RGT_0.
  destruct (hb_signs T ltac:(lra)) as [S [_ [_ [sh [ch _]]]]].
  unfold hb_G. rewrite pow1. pose proof (heavy_ball_gain_positive m T m1 ltac:(lra)) as g0.
  assert (p : 0 < 1 * ((1 - m / 1) * sin T) / sin (N * T)).
  { assert (0 < sin T) by (apply sin_gt_0; lra). apply Rdiv_lt_0_compat; nra. }
  apply Rsqr_inj; [lra|lra|]. unfold Rsqr. rewrite heavy_ball_gain_squared by exact m1.
  pose proof (X_T m n T angle) as X. unfold hb_X in X. fold N in X.
  pose proof (circle (N * T)) as c1. pose proof (circle (T / 2)) as c2.
  rewrite (sin_half T). set (s := sin (T / 2)) in *. set (c := cos (T / 2)) in *.
  set (S0 := sin (N * T)) in *. set (C0 := cos (N * T)) in *.
  assert (e : (1 - m) * (1 - m) * (c * c) = S0 * S0 * ((1 - m) * (1 - m) + 4 * m * (s * s))).
  { assert (x : (1 - m) * (C0 * c) * ((1 - m) * (C0 * c)) = (1 + m) * (S0 * s) * ((1 + m) * (S0 * s)))
      by (replace ((1 - m) * (C0 * c)) with ((1 + m) * (S0 * s)) by lra; ring).
    assert (C0 * C0 = 1 - S0 * S0) by lra. assert (c * c = 1 - s * s) by lra.
    replace ((1 - m) * (C0 * c) * ((1 - m) * (C0 * c))) with
      ((1 - m) * (1 - m) * (1 - S0 * S0) * (c * c)) in x by (rewrite <- H0; ring).
    replace ((1 + m) * (S0 * s) * ((1 + m) * (S0 * s))) with
      ((1 + m) * (1 + m) * (S0 * S0) * (s * s)) in x by ring.
    assert ((1 - m) * (1 - m) * (c * c) = S0 * S0 * ((1 + m) * (1 + m) * (s * s)
      + (1 - m) * (1 - m) * (c * c))) by lra.
    rewrite H2. rewrite H1. ring. }
  apply Rmult_eq_reg_r with (S0 * S0); [|nra].
  transitivity (4 * (s * s) * ((1 - m) * (1 - m) * (c * c))); [field; lra|]. rewrite e. ring.
Qed.

Lemma hb_branch a : heavy_ball_gain m T <= a ->
  exists z, 1 <= Cmod z /\ heavy_ball m n a z = RtoC 0.
Proof.
  intro high. destruct hb_interval as [N1 [NU [T0 [TU [U2 TN]]]]]. pose proof PI_RGT_0.
  destruct (branch T U (hb_F m n) hb_G TU) with (a := a) as [t [r [b [r1 [z g]]]]].
  - intros r t. unfold hb_F. continuous.
  - intros t r. unfold hb_F. continuous.
  - intros f t b f1 cm. unfold hb_G. continuous.
    + apply Rgt_not_eq; lra.
    + destruct (hb_signs t ltac:(lra)) as [S _]. apply Rgt_not_eq; lra.
  - intros t b. rewrite hb_F_one. destruct (X_beyond t b) as [X _].
    destruct (hb_signs t ltac:(lra)) as [_ [_ [_ [sh _]]]]. nra.
  - exact hb_once.
  - intros t b. pose proof (hb_next_positive t b) as lead.
    pose proof (SIN_bound (N * t)). pose proof (SIN_bound (N * t - t)) as sb.
    rewrite sin_minus in sb. unfold hb_F. fold N.
    set (L := sin (N * t) * cos t + cos (N * t) * sin t) in *.
    set (M := sin (N * t) * cos t - cos (N * t) * sin t) in *.
    exists (1 + 4 / L). assert (0 < 4 / L) by (apply Rdiv_lt_0_compat; lra). split; [lra|].
    assert (e : (1 + 4 / L) * L = L + 4) by (field; lra). set (r := 1 + 4 / L) in *.
    assert (r * r * L = r * (L + 4)) by (rewrite <- e; ring).
    assert (-1 <= m * M) by nra. assert ((1 + m) * r * sin (N * t) <= 2 * r).
    { apply Rle_trans with ((1 + m) * r * 1); [apply Rmult_le_compat_l|]; nra. }
    nra.
  - rewrite hb_F_one, (X_T m n T angle). ring.
  - intros r r1. unfold hb_F. fold N. rewrite <- sin_next, NU, sin_PI.
    destruct (hb_signs U ltac:(lra)) as [S [sT [sU [_ [_ c0]]]]].
    assert (z : sin (N * U) * cos U + cos (N * U) * sin U = 0) by (rewrite <- sin_next, NU; apply sin_PI).
    pose proof (circle U). assert (cos U < 1) by nra.
    replace (sin (N * U) * cos U - cos (N * U) * sin U) with (2 * (sin (N * U) * cos U)) by lra.
    assert (2 * (m * cos U) < (1 + m) * r).
    { destruct (Rle_lt_dec 0 m); [|nra]. assert (m * cos U <= m) by nra. nra. }
    nra.
  - intro A. destruct (hb_signs T ltac:(lra)) as [_ [sT _]].
    exists (1 + Rabs A / sin T). pose proof (Rabs_pos A).
    assert (0 <= Rabs A / sin T) by (apply Rmult_le_pos; [lra|]; left; now apply Rinv_0_lt_compat).
    split; [lra|]. intros t r b big _. destruct (hb_signs t ltac:(lra)) as [S [_ [sm _]]].
    pose proof (SIN_bound (N * t)). unfold hb_G.
    assert (m / r <= 1).
    { apply Rmult_le_reg_r with r; [lra|]. replace (m / r * r) with m by (field; lra). lra. }
    apply Rle_trans with ((r - 1) * sin T).
    + apply Rle_trans with (Rabs A); [apply Rle_abs|].
      apply Rle_trans with (Rabs A / sin T * sin T); [right; field; lra|].
      apply Rmult_le_compat_r; lra.
    + assert (p : (r - 1) * sin T <= (r - m / r) * sin t) by (apply Rmult_le_compat; lra).
      assert (1 <= r ^ n) by (apply pow_R1_Rle; lra).
      assert (q : 0 <= (r - 1) * sin T) by (apply Rmult_le_pos; lra).
      apply Rmult_le_reg_r with (sin (N * t)); [exact S|].
      replace (r ^ n * ((r - m / r) * sin t) / sin (N * t) * sin (N * t)) with
        (r ^ n * ((r - m / r) * sin t)) by (field; lra).
      set (w := (r - m / r) * sin t) in *. nra.
  - rewrite hb_G_start. exact high.
  - exists (polar r t). rewrite Cmod_polar by lra. split; [exact r1|].
    destruct (hb_signs t ltac:(lra)) as [S _].
    apply heavy_ball_root; [lra|]. rewrite hb_F_imaginary in z by lra.
    assert (im : hb_u m t r * sin (N * t) + hb_v m t r * cos (N * t) = 0).
    { apply Rmult_integral in z. destruct z; [lra|assumption]. }
    fold N. rewrite im. split; [|ring].
    rewrite (real_part_from_imaginary (r ^ n) (hb_u m t r) (hb_v m t r) _ _ a (circle (N * t)));
      [ring|lra|exact im|]. rewrite <- g. unfold hb_G, hb_v. field. lra.
Qed.
End Unstable.

(** ** The theorem *)

(** Without delay the angle is pi; an even delay has a root at -1 or beyond from the gain 2 (1 + m). *)
Lemma hb_angle_zero m T : -1 < m < 1 -> heavy_ball_angle m 0 T -> T = PI.
Proof.
  intros m1 [[T0 TP] [eq below]]. simpl in eq. pose proof PI_RGT_0.
  destruct (Rle_lt_or_eq_dec _ _ TP) as [h|h]; [|exact h]. exfalso.
  replace (T * (0 + 1 / 2)) with (T / 2) in eq by field.
  replace (T * (0 - 1 / 2)) with (- (T / 2)) in eq by field. rewrite cos_neg in eq.
  assert (0 < cos (T / 2)) by (apply cos_gt_0; lra). nra.
Qed.

Lemma hb_gain_zero m : -1 < m < 1 -> heavy_ball_gain m PI = 2 * (m + 1).
Proof.
  intro m1. unfold heavy_ball_gain. rewrite sin_PI2.
  replace (4 * m * 1 ^ 2 + (1 - m) ^ 2) with ((m + 1) * (m + 1)) by ring.
  rewrite sqrt_square by lra. ring.
Qed.

Lemma hb_even_unstable m n a : -1 < m < 1 -> Nat.even n = true -> 2 * (m + 1) <= a ->
  exists z, 1 <= Cmod z /\ heavy_ball m n a z = RtoC 0.
Proof.
  intros m1 even high.
  destruct (real_root (fun z => heavy_ball m n a (- z)%C) (fun x => x ^ n * (x + 1) * (x + m) - a * x)
    (1 + a)) as [x [x1 e]].
  - intro x. continuous.
  - intro x. unfold heavy_ball. rewrite <- RtoC_opp, Cpow_real.
    replace ((- x) ^ n) with (x ^ n).
    2:{ apply Nat.even_spec in even. destruct even as [k ->]. rewrite !pow_mult. f_equal. simpl. ring. }
    rewrite <- !RtoC_minus, <- !RtoC_mult, <- RtoC_plus. apply f_equal. ring.
  - lra.
  - rewrite pow1. lra.
  - assert (1 <= (1 + a) ^ n) by (apply pow_R1_Rle; lra).
    assert (0 <= (1 + a + 1) * (1 + a + m)) by (apply Rmult_le_pos; lra).
    assert (a * (1 + a) <= (1 + a + 1) * (1 + a + m)) by nra. nra.
  - exists (- RtoC x)%C. rewrite Cmod_opp, Cmod_R, Rabs_pos_eq by lra. split; assumption.
Qed.

Definition heavy_ball_threshold (m : R) (n : nat) (T : R) : R :=
  if Nat.even n then Rmin (heavy_ball_gain m T) (2 * (m + 1)) else heavy_ball_gain m T.

Lemma hb_X_stop m n : -1 < m < 1 -> exists u, 0 < u <= PI /\ hb_X m n u <= 0.
Proof.
  intro m1. pose proof PI_RGT_0 as pi0. destruct n as [|k].
  - exists PI. split; [lra|]. unfold hb_X. simpl. rewrite Rmult_0_l, sin_0, cos_PI2. lra.
  - pose proof (pos_INR k). set (N := INR (S k)). assert (N1 : 1 <= N) by (unfold N; rewrite S_INR; lra).
    exists (PI / (2 * N)). assert (e : N * (PI / (2 * N)) = PI / 2) by (field; lra).
    assert (u0 : 0 < PI / (2 * N)) by (apply Rdiv_lt_0_compat; lra).
    assert (u1 : PI / (2 * N) <= PI) by nra. split; [lra|].
    unfold hb_X. fold N. rewrite e, cos_PI2, sin_PI2.
    pose proof (half_positive (PI / (2 * N)) ltac:(lra)). nra.
Qed.

Lemma heavy_ball_angle_exists m n : -1 < m < 1 -> exists T, heavy_ball_angle m n T.
Proof.
  intro m1. destruct (hb_X_stop m n m1) as [u [b X]]. rewrite hb_X_angle in X.
  destruct (first_root_exists (fun t => cos (t * (INR n + 1 / 2)))
    (fun t => m * cos (t * (INR n - 1 / 2))) u PI) as [T [_ r]].
  - intro s. continuous.
  - intro s. continuous.
  - rewrite !Rmult_0_l, cos_0. lra.
  - exact b.
  - lra.
  - exists T. exact r.
Qed.

Theorem heavy_ball_is_threshold : forall (tau : nat) (m : R), -1 < m -> m < 1 -> exists theta,
  heavy_ball_angle m tau theta /\ threshold (heavy_ball m tau) (heavy_ball_threshold m tau theta).
Proof.
  intros n m low high. assert (m1 : -1 < m < 1) by lra.
  destruct (heavy_ball_angle_exists m n m1) as [T angle]. exists T. split; [exact angle|].
  assert (b : 0 < T <= PI) by apply angle.
  pose proof (heavy_ball_gain_positive m T m1 b) as g0.
  apply threshold_intro.
  - unfold heavy_ball_threshold. destruct (Nat.even n); [apply Rmin_glb_lt|]; lra.
  - intros a z. unfold heavy_ball. conjugate.
  - intros a r t [a0 below] r1 bt. unfold heavy_ball_threshold in below.
    apply (heavy_ball_stable_side m n T a r t m1 angle); [|intro e; rewrite e in below|lra|exact bt].
    + pose proof (Rmin_l (heavy_ball_gain m T) (2 * (m + 1))). destruct (Nat.even n); lra.
    + pose proof (Rmin_r (heavy_ball_gain m T) (2 * (m + 1))). lra.
  - intros a above. unfold heavy_ball_threshold in above. destruct (Nat.eq_dec n 0) as [z|nz].
    + apply hb_even_unstable; [exact m1|now subst n|]. subst n. simpl in above.
      rewrite (hb_angle_zero m T m1 angle), hb_gain_zero, Rmin_left in above; lra.
    + assert (n1 : (1 <= n)%nat) by lia.
      destruct (Rle_lt_dec (heavy_ball_gain m T) a) as [h|h].
      { apply (hb_branch m n T m1 n1 angle a h). }
      destruct (Nat.even n) eqn:even; [|lra]. apply hb_even_unstable; [exact m1|exact even|].
      unfold Rmin in above. destruct (Rle_dec _ _) in above; lra.
  - intros a neg. apply real_root with (f := fun x => x ^ n * (x - 1) * (x - m) + a * x) (X := 2 - a).
    + intro x. continuous.
    + intro x. unfold heavy_ball. rewrite Cpow_real.
      rewrite <- !RtoC_minus, <- !RtoC_mult, <- RtoC_plus. reflexivity.
    + lra.
    + rewrite pow1. lra.
    + assert (1 <= (2 - a) ^ n) by (apply pow_R1_Rle; lra).
      assert (0 <= (2 - a - 1) * (2 - a - m)) by (apply Rmult_le_pos; lra).
      assert (- a * (2 - a) <= (2 - a - 1) * (2 - a - m)) by nra. nra.
Qed.

(** For momentum from 0 on the root at -1 needs no smaller gain. *)
Lemma heavy_ball_threshold_gain m n T : 0 <= m < 1 ->
  heavy_ball_threshold m n T = heavy_ball_gain m T.
Proof.
  intro m1. unfold heavy_ball_threshold. destruct (Nat.even n); [|reflexivity].
  apply Rmin_left. unfold heavy_ball_gain. pose proof (sin_squared_bound (T / 2)) as k.
  pose proof (SIN_bound (T / 2)) as s.
  assert (q : sqrt (4 * m * sin (T / 2) ^ 2 + (1 - m) ^ 2) <= m + 1).
  { rewrite <- (sqrt_square (m + 1)) by lra. apply sqrt_le_1_alt. nra. }
  pose proof (sqrt_pos (4 * m * sin (T / 2) ^ 2 + (1 - m) ^ 2)).
  destruct (Rle_lt_dec 0 (sin (T / 2))) as [h|h]; nra.
Qed.
