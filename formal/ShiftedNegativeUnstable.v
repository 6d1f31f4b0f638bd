(** * Shifted momentum below 0: from the threshold on there is a root outside; the theorem *)

Require Import Reals Lra Lia Psatz.
From DelayStability Require Import Loop Branch Trigonometry Multiples Shifted ShiftedUnstable
  ShiftedNegative.
Open Scope R_scope.

(** ** Beyond the threshold there is a root outside

    At a fixed gain a the argument of z^(n + 1) = m - a z/(z - 1) gives the modulus as a function of the
    angle, from 1 at an angle V <= T on; the modulus of the equation is then met by continuity. *)
Section Unstable.
Variables (m : R) (n : nat) (T a : R).
Hypothesis m1 : -1 < m < 0.
Hypothesis n1 : (1 <= n)%nat.
Hypothesis angle : shifted_angle m n T.
Hypothesis high : shifted_gain m n T <= a.
Let N := INR n.
Let U := PI / (N + 1).
Let k := - m / a.

(** The argument of the equation. *)
Definition argument_F (t r : R) : R :=
  ((1 + k) * (r * r) + k) * sin ((N + 1) * t) - r * (sin (N * t) + 2 * k * cos t * sin ((N + 1) * t)).

(** Its value at the modulus 1. *)
Definition argument_Z (t : R) : R :=
  (1 + 2 * k) * (sin ((N + 1) * t) * sin (t / 2)) + cos ((N + 1) * t) * cos (t / 2).

Lemma gain_positive : 0 < a /\ 0 < k /\ k * a = - m.
Proof.
  destruct (negative_gain m n T m1 n1 angle) as [_ [_ [_ [g0 _]]]].
  assert (a0 : 0 < a) by lra. split; [exact a0|]. split; [apply Rdiv_lt_0_compat; lra|].
  unfold k. field. lra.
Qed.

Lemma argument_F_one t : argument_F t 1 = 2 * sin (t / 2) * argument_Z t.
Proof.
  unfold argument_F, argument_Z. replace (N * t) with ((N + 1) * t - t) by ring. rewrite sin_minus.
  rewrite (sin_half t), (cos_half t). ring.
Qed.

Lemma negative_interval : 1 <= N /\ (N + 1) * U = PI /\ U <= PI / 2 /\ 0 < U /\ 0 < T /\ T < U.
Proof.
  destruct (negative_T m n T m1 n1 angle) as [N1 [T0 [TU _]]]. fold N in N1, TU. pose proof PI_RGT_0.
  assert (NU : (N + 1) * U = PI) by (unfold U; field; lra).
  assert (U0 : 0 < U) by (unfold U; apply Rdiv_lt_0_compat; lra). repeat split; try lra; nra.
Qed.

(** Up to U the sines are positive, and sin (n t) is at least sin t. *)
Lemma negative_signs t : 0 < t <= U -> 0 < sin t /\ sin t <= sin (N * t) /\ 0 < sin (t / 2) /\
  0 < cos (t / 2) /\ (t < U -> 0 < sin ((N + 1) * t)).
Proof.
  intro b. destruct negative_interval as [N1 [NU [U2 [U0 _]]]]. pose proof PI_RGT_0.
  assert (Nt : (N + 1) * t <= PI) by nra. assert (t <= N * t) by nra.
  repeat split; [apply sin_gt_0| |apply sin_gt_0|apply cos_gt_0|]; try lra.
  - destruct (Rle_lt_dec (N * t) (PI / 2)) as [h|h]; [apply sin_mono; lra|].
    rewrite <- (sin_PI_x (N * t)). apply sin_mono; lra.
  - intro l. apply sin_gt_0; nra.
Qed.

Lemma start_exists : exists V, 0 < V /\ V <= T /\ argument_Z V = 0.
Proof.
  destruct gain_positive as [a0 [k0 ka]]. destruct negative_interval as [N1 [NU [U2 [U0 [T0 TU]]]]].
  destruct (negative_gain m n T m1 n1 angle) as [sT [hT [ST [g0 [_ [_ e]]]]]]. fold N in ST, e.
  set (g := shifted_gain m n T) in *.
  destruct (first_root_exists argument_Z (fun _ => 0) T T) as [V [VT [[V0 _] [z _]]]].
  - intro s. unfold argument_Z, Rdiv. continuous.
  - intro s. continuous.
  - unfold argument_Z. replace (0 / 2) with 0 by field. rewrite Rmult_0_r, sin_0, cos_0. lra.
  - lra.
  - (* g Z(T) = 2 (g k + m) sin sin, and g k <= - m *)
    set (w := sin ((N + 1) * T) * sin (T / 2)) in *. assert (w0 : 0 < w) by (apply Rmult_lt_0_compat; lra).
    assert (gZ : g * argument_Z T = 2 * (g * k + m) * w).
    { unfold argument_Z. fold w. replace (g * ((1 + 2 * k) * w + cos ((N + 1) * T) * cos (T / 2))) with
        (g * (1 + 2 * k) * w + cos ((N + 1) * T) * g * cos (T / 2)) by ring. rewrite e. unfold w. ring. }
    assert (gk : g * k <= - m) by (rewrite <- ka, (Rmult_comm k); apply Rmult_le_compat_r; lra).
    apply Rnot_lt_le. intro l. assert (0 < g * argument_Z T) by (apply Rmult_lt_0_compat; lra).
    assert (0 <= - (g * k + m) * w) by (apply Rmult_le_pos; lra). lra.
  - exists V. repeat split; assumption.
Qed.

(** Once 0, Z is not positive any more. *)
Lemma argument_Z_beyond V t : 0 < V -> argument_Z V = 0 -> V <= t -> t < U -> argument_Z t <= 0.
Proof.
  intros V0 z Vt tU. destruct negative_interval as [N1 [NU [U2 [U0 [T0 TU]]]]].
  destruct (negative_signs V ltac:(lra)) as [_ [_ [pV [_ SV]]]]. specialize (SV ltac:(lra)).
  destruct (negative_signs t ltac:(lra)) as [_ [_ [p [_ S]]]]. specialize (S ltac:(lra)).
  pose proof (cotangents_fall n V t n1 V0 Vt ltac:(fold N; nra)) as fall. fold N in fall.
  unfold argument_Z in *. set (w := sin ((N + 1) * t) * sin (t / 2)) in *.
  set (wV := sin ((N + 1) * V) * sin (V / 2)) in *.
  assert (w0 : 0 < w) by (apply Rmult_lt_0_compat; lra).
  assert (wV0 : 0 < wV) by (apply Rmult_lt_0_compat; lra).
  apply Rmult_le_reg_r with wV; [exact wV0|]. rewrite Rmult_0_l.
  replace (cos ((N + 1) * V) * cos (V / 2)) with (- ((1 + 2 * k) * wV)) in fall by lra. lra.
Qed.

Lemma argument_once V t r s : 0 < V -> argument_Z V = 0 -> V <= t < U -> 1 <= r < s ->
  0 <= argument_F t r -> 0 < argument_F t s.
Proof.
  intros V0 z b rs F. destruct gain_positive as [a0 [k0 _]].
  destruct (negative_signs t ltac:(lra)) as [_ [_ [p [_ S]]]]. specialize (S ltac:(lra)).
  pose proof (argument_Z_beyond V t V0 z ltac:(lra) ltac:(lra)) as Z. pose proof (argument_F_one t) as F1.
  assert (F1' : argument_F t 1 <= 0) by (rewrite F1; nra).
  destruct (Rle_lt_or_eq_dec 1 r) as [h|h]; [lra| |].
  - assert (chord : (r - 1) * argument_F t s = (s - 1) * argument_F t r - (s - r) * argument_F t 1
      + (1 + k) * sin ((N + 1) * t) * ((s - 1) * ((s - r) * (r - 1)))) by (unfold argument_F; ring).
    assert (0 <= (s - 1) * argument_F t r) by (apply Rmult_le_pos; lra).
    assert (0 <= (s - r) * - argument_F t 1) by (apply Rmult_le_pos; lra).
    assert (0 < (1 + k) * sin ((N + 1) * t) * ((s - 1) * ((s - r) * (r - 1)))).
    { apply Rmult_lt_0_compat; [apply Rmult_lt_0_compat; lra|].
      apply Rmult_lt_0_compat; [lra|apply Rmult_lt_0_compat; lra]. }
    apply Rmult_lt_reg_l with (r - 1); [lra|]. lra.
  - subst r. assert (e : argument_F t 1 = 0) by lra.
    assert (d : argument_F t s - s * argument_F t 1 = (s - 1) * sin ((N + 1) * t) * ((1 + k) * s - k))
      by (unfold argument_F; ring).
    assert (0 < (s - 1) * sin ((N + 1) * t) * ((1 + k) * s - k)).
    { apply Rmult_lt_0_compat; [apply Rmult_lt_0_compat; lra|nra]. } 
    rewrite e in d. lra.
Qed.

(** The gain where V is the angle is at most a. *)
Lemma start_gain V : 0 < V -> V <= T -> argument_Z V = 0 -> shifted_G n V 1 <= a.
Proof.
  intros V0 VT z. destruct gain_positive as [a0 [k0 ka]].
  destruct negative_interval as [N1 [NU [U2 [U0 [T0 TU]]]]].
  destruct (negative_signs V ltac:(lra)) as [sV [_ [p [h S]]]]. specialize (S ltac:(lra)).
  destruct (negative_T m n T m1 n1 angle) as [_ [_ [_ [_ XT]]]].
  pose proof (shifted_X_falls m n V T ltac:(lra) V0 VT ltac:(fold N; nra)) as X. rewrite XT in X.
  unfold shifted_X in X. fold N in X.
  unfold argument_Z in z. assert (c : cos (V * (1 / 2 + N)) =
    cos ((N + 1) * V) * cos (V / 2) + sin ((N + 1) * V) * sin (V / 2)).
  { rewrite <- cos_minus. f_equal. field. }
  rewrite c in X. unfold shifted_G. fold N. rewrite pow1, (sin_half V), (cos_half V).
  set (S1 := sin ((N + 1) * V)) in *. set (q := sin (V / 2)) in *. set (d := cos (V / 2)) in *.
  apply Rmult_le_reg_r with d; [exact h|].
  replace (1 * S1 * (1 * 1 + 1 - 2 * 1 * (1 - 2 * (q * q))) / (2 * q * d) * d) with (2 * (S1 * q))
    by (field; lra).
  (* - 2 k S q = cos + S q >= m cos (V/2) *)
  assert (l : 2 * k * (S1 * q) <= - m * d) by lra. rewrite <- ka in l.
  apply Rmult_le_reg_l with k; lra.
Qed.

Lemma negative_branch : exists z, 1 <= Cmod z /\ shifted_momentum m n a z = RtoC 0.
Proof.
  destruct gain_positive as [a0 [k0 ka]]. destruct negative_interval as [N1 [NU [U2 [U0 [T0 TU]]]]].
  destruct start_exists as [V [V0 [VT z]]]. pose proof PI_RGT_0.
  destruct (branch V U argument_F (shifted_G n) ltac:(lra)) with (a := a) as [t [r [b [r1 [F g]]]]].
  - intros r t. unfold argument_F. continuous.
  - intros t r. unfold argument_F. continuous.
  - intros f t b f1 cm. unfold shifted_G. continuous.
    destruct (negative_signs t ltac:(lra)) as [st _]. apply Rgt_not_eq; lra.
  - intros t b. rewrite argument_F_one. destruct (negative_signs t ltac:(lra)) as [_ [_ [p _]]].
    pose proof (argument_Z_beyond V t V0 z ltac:(lra) ltac:(lra)). nra.
  - intros t r s b rs. now apply (argument_once V).
  - intros t b. destruct (negative_signs t ltac:(lra)) as [_ [_ [_ [_ S]]]]. specialize (S ltac:(lra)).
    set (S1 := sin ((N + 1) * t)) in *. pose proof (SIN_bound (N * t)). pose proof (COS_bound t).
    pose proof (SIN_bound ((N + 1) * t)) as Sb. fold S1 in Sb.
    exists (1 + (2 + 2 * k) / S1). assert (q0 : 0 < (2 + 2 * k) / S1) by (apply Rdiv_lt_0_compat; lra).
    split; [lra|]. set (r := 1 + (2 + 2 * k) / S1) in *. assert (r1 : 1 < r) by (unfold r; lra).
    assert (e : r * S1 = S1 + (2 + 2 * k)) by (unfold r; field; lra). unfold argument_F. fold S1.
    replace (((1 + k) * (r * r) + k) * S1) with ((1 + k) * r * (r * S1) + k * S1) by ring. rewrite e.
    assert (cS : cos t * S1 <= 1) by nra.
    assert (kc : k * (cos t * S1) <= k * 1) by (apply Rmult_le_compat_l; lra).
    assert (u : sin (N * t) + 2 * k * cos t * S1 < (1 + k) * (S1 + (2 + 2 * k))) by nra.
    assert (r * (sin (N * t) + 2 * k * cos t * S1) < r * ((1 + k) * (S1 + (2 + 2 * k))))
      by (apply Rmult_lt_compat_l; lra).
    assert (0 < k * S1) by (apply Rmult_lt_0_compat; lra). lra.
  - rewrite argument_F_one, z. ring.
  - intros r r1. unfold argument_F. rewrite NU, sin_PI.
    destruct (negative_signs U ltac:(lra)) as [su [sn _]].
    assert (0 < r * sin (N * U)) by (apply Rmult_lt_0_compat; lra). lra.
  - intro A. pose proof (Rabs_pos A). pose proof (Rle_abs A).
    exists (2 + Rabs A * (1 + 4 * k)). assert (0 <= Rabs A * (1 + 4 * k)) by (apply Rmult_le_pos; lra).
    split; [lra|]. intros t r b big F.
    destruct (negative_signs t ltac:(lra)) as [st [sn [_ [_ S]]]]. specialize (S ltac:(lra)).
    unfold argument_F in F. unfold shifted_G. fold N.
    set (S1 := sin ((N + 1) * t)) in *. pose proof (COS_bound t) as cb. set (c := cos t) in *.
    assert (r1 : 1 <= r) by lra. assert (q : 1 <= r ^ n) by (apply pow_R1_Rle; exact r1).
    assert (low : sin t <= (1 + 4 * k) * (r * S1)).
    { apply Rmult_le_reg_l with r; [lra|].
      assert (r * sin t <= r * sin (N * t)) by (apply Rmult_le_compat_l; lra).
      assert (rS : 0 < r * S1) by (apply Rmult_lt_0_compat; lra).
      assert (kr : 0 <= k * (r * S1) * (1 + c)) by (apply Rmult_le_pos; [apply Rmult_le_pos|]; lra).
      assert (kr2 : 0 <= k * S1 * ((r - 1) * (3 * r + 1))).
      { apply Rmult_le_pos; [apply Rmult_le_pos|apply Rmult_le_pos]; lra. }
      assert (r * sin (N * t) = ((1 + k) * (r * r) + k) * S1 - 2 * k * c * (r * S1)) by lra.
      lra. }
    assert (dist : (r - 1) * (r - 1) <= r * r + 1 - 2 * r * c) by nra.
    set (D := r * r + 1 - 2 * r * c) in *.
    apply Rle_trans with (Rabs A); [assumption|].
    apply Rmult_le_reg_r with ((1 + 4 * k) * (r * sin t)); [apply Rmult_lt_0_compat; [lra|nra]|].
    replace (r ^ n * S1 * D / sin t * ((1 + 4 * k) * (r * sin t))) with
      (r ^ n * (((1 + 4 * k) * (r * S1)) * D)) by (field; lra).
    assert (p : sin t * ((r - 1) * (r - 1)) <= (1 + 4 * k) * (r * S1) * D)
      by (apply Rmult_le_compat; nra).
    assert (p0 : 0 <= sin t * ((r - 1) * (r - 1))) by (apply Rmult_le_pos; nra).
    assert (p1 : 1 * ((1 + 4 * k) * (r * S1) * D) <= r ^ n * ((1 + 4 * k) * (r * S1) * D))
      by (apply Rmult_le_compat_r; lra).
    assert (rr : Rabs A * (1 + 4 * k) * r <= (r - 1) * (r - 1)).
    { apply Rle_trans with ((r - 2) * r); [apply Rmult_le_compat_r; lra|nra]. }
    assert (sin t * (Rabs A * (1 + 4 * k) * r) <= sin t * ((r - 1) * (r - 1)))
      by (apply Rmult_le_compat_l; lra). lra.
  - now apply start_gain.
  - exists (polar r t). rewrite Cmod_polar by lra. split; [exact r1|].
    destruct (negative_signs t ltac:(lra)) as [st [_ [_ [_ S]]]]. rewrite <- g.
    apply shifted_G_root; [lra|exact st|].
    unfold shifted_G in g. unfold argument_F in F. unfold shifted_F. fold N in g |- *.
    set (S1 := sin ((N + 1) * t)) in *. set (q := r ^ n) in *.
    assert (gs : q * S1 * (r * r + 1 - 2 * r * cos t) = a * sin t).
    { rewrite <- g. field. lra. }
    apply Rmult_eq_reg_l with a; [|lra]. rewrite Rmult_0_r.
    (* a (r (r S1 - S)) = m S1 D, times r^n *)
    assert (e : r * (r * S1 - sin (N * t)) = - (k * S1 * (r * r + 1 - 2 * r * cos t))) by lra. rewrite e.
    transitivity (- (k * a) * (q * S1 * (r * r + 1 - 2 * r * cos t)) - a * m * sin t); [ring|].
    rewrite gs, ka. ring.
Qed.
End Unstable.

(** ** The theorem *)

Theorem shifted_is_threshold_everywhere : forall (tau : nat) (m : R), -1 < m -> m < 1 -> exists theta,
  shifted_angle m tau theta /\ threshold (shifted_momentum m tau) (shifted_gain m tau theta).
Proof.
  intros n m low high. destruct (Rle_lt_dec 0 m) as [pos|neg]; [now apply shifted_is_threshold|].
  destruct (Nat.eq_dec n 0) as [->|nz].
  { destruct (first_root_exists (fun t => cos (t * (1 / 2 + INR 0))) (fun t => m * cos (t / 2)) PI PI)
      as [T [_ angle]].
    - intro s. continuous.
    - intro s. unfold Rdiv. continuous.
    - unfold Rdiv. rewrite !Rmult_0_l, cos_0. lra.
    - pose proof PI_RGT_0. lra.
    - simpl INR. replace (PI * (1 / 2 + 0)) with (PI / 2) by field. rewrite cos_PI2. lra.
    - exists T. split; [exact angle|]. apply shifted_zero; [lra|exact angle]. }
  assert (n1 : (1 <= n)%nat) by lia. pose proof (shifted_X_end m n ltac:(lra) n1) as stop.
  assert (N1 : 1 <= INR n) by (apply (le_INR 1); exact n1). pose proof PI_RGT_0.
  assert (U0 : 0 < PI / (INR n + 1)) by (apply Rdiv_lt_0_compat; lra).
  assert (NU : (INR n + 1) * (PI / (INR n + 1)) = PI) by (field; lra).
  unfold shifted_X in stop.
  destruct (first_root_exists (fun t => cos (t * (1 / 2 + INR n))) (fun t => m * cos (t / 2))
    (PI / (INR n + 1)) PI) as [T [_ angle]].
  - intro s. continuous.
  - intro s. unfold Rdiv. continuous.
  - unfold Rdiv. rewrite !Rmult_0_l, cos_0. lra.
  - split; [exact U0|nra].
  - lra.
  - assert (m1 : -1 < m < 0) by lra. exists T. split; [exact angle|].
    destruct (negative_gain m n T m1 n1 angle) as [_ [_ [_ [g0 _]]]].
    destruct (negative_T m n T m1 n1 angle) as [_ [T0 _]].
    apply threshold_intro.
    + exact g0.
    + intros a z. unfold shifted_momentum. conjugate.
    + intros a r t b r1 bt root. destruct (Rlt_le_dec t T) as [h|h].
      * destruct (Rle_lt_or_eq_dec 0 t) as [p|p]; [lra| |].
        -- apply (negative_below m n T m1 n1 angle a r t b ltac:(lra) r1 root).
        -- subst t. apply (negative_no_positive_root m n m1 a r ltac:(lra) r1 root).
      * apply (negative_beyond m n T m1 n1 angle a r t b ltac:(lra) r1 root).
    + intros a h. now apply (negative_branch m n T a m1 n1 angle).
    + intros a neg_a. apply shifted_negative_gain; lra.
Qed.
