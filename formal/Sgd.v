(** * SGD: the threshold for every delay *)

Require Import Reals Lra Psatz.
From DelayStability Require Import Loop Branch Trigonometry.
Open Scope R_scope.

Definition sgd_threshold (n : nat) := 2 * sin (PI / (4 * INR n + 2)).

Section SGD.
Variable n : nat.
Let N := INR n.
Let T := PI / (2 * N + 1).

Lemma sgd_angle : 0 < T /\ T <= PI /\ T / 2 = PI / (4 * N + 2) /\ (2 * N + 1) * T = PI.
Proof.
  pose proof PI_RGT_0. pose proof (pos_INR n) as p. fold N in p. unfold T.
  assert (0 < / (2 * N + 1)) by (apply Rinv_0_lt_compat; lra).
  repeat split; [unfold Rdiv; nra| | field; lra | field; lra].
  apply Rmult_le_reg_r with (2 * N + 1); [lra|]. unfold Rdiv. rewrite Rmult_assoc, Rinv_l by lra. nra.
Qed.

(** On the ray of angle t, with S and C the sine and cosine of n t. *)
Lemma sgd_polar a r t : sgd n a (polar r t) =
  (r ^ n * ((r * cos t - 1) * cos (N * t) - r * sin t * sin (N * t)) + a,
   r ^ n * ((r * cos t - 1) * sin (N * t) + r * sin t * cos (N * t))).
Proof.
  unfold sgd. rewrite Cpow_polar. unfold polar, Cplus, Cmult, Cminus, Copp, Cplus, RtoC; simpl fst;
  simpl snd. apply pair_equal_spec; split; unfold N; ring.
Qed.

Definition sgd_imaginary (t r : R) := r * sin ((N + 1) * t) - sin (N * t).

Lemma sgd_imaginary_positive t r : 0 < t < T -> 1 <= r -> 0 < sgd_imaginary t r.
Proof.
  intros b r1. destruct sgd_angle as [T0 [TP [_ full]]].
  pose proof PI_RGT_0. pose proof (pos_INR n) as p. fold N in p.
  assert ((2 * N + 1) * t < PI) by nra.
  assert (e : sin ((N + 1) * t) - sin (N * t) = 2 * cos ((2 * N + 1) * t / 2) * sin (t / 2)).
  { rewrite form4. replace (((N + 1) * t + N * t) / 2) with ((2 * N + 1) * t / 2) by field.
    replace (((N + 1) * t - N * t) / 2) with (t / 2) by field. ring. }
  assert (0 < cos ((2 * N + 1) * t / 2)) by (apply cos_gt_0; nra).
  assert (0 < sin (t / 2)) by (apply half_positive; lra).
  assert (0 < sin ((N + 1) * t)) by (apply sin_gt_0; nra).
  assert (0 < 2 * cos ((2 * N + 1) * t / 2) * sin (t / 2)) by (apply Rmult_lt_0_compat; lra).
  unfold sgd_imaginary. nra.
Qed.

Lemma sgd_stable_side a r t : 0 < a < sgd_threshold n -> 1 <= r -> 0 <= t <= PI ->
  sgd n a (polar r t) <> RtoC 0.
Proof.
  intros [a0 low] r1 [t0 tp] root. rewrite sgd_polar in root.
  apply pair_equal_spec in root; destruct root as [re im].
  destruct sgd_angle as [T0 [TP [half full]]].
  assert (p1 : 1 <= r ^ n) by (apply pow_R1_Rle; exact r1).
  destruct (Rlt_le_dec t T) as [h|h].
  - destruct (Rle_lt_or_eq_dec 0 t t0) as [pos|z].
    + pose proof (sgd_imaginary_positive t r ltac:(lra) r1) as g. unfold sgd_imaginary in g.
      rewrite sin_next in g. nra.
    + rewrite <- z in re. rewrite !Rmult_0_r, cos_0, sin_0 in re.
      assert (0 <= r ^ n * (r - 1)) by nra. lra.
  - set (S := sin (N * t)) in *. set (C := cos (N * t)) in *.
    pose proof (circle (N * t)) as circ. fold S C in circ. pose proof (circle t) as circ1.
    pose proof (modulus_squared _ _ _ _ _ _ circ re im) as sq.
    replace ((r * cos t - 1) * (r * cos t - 1) + r * sin t * (r * sin t))
      with (r * r + 1 - 2 * r * cos t) in sq by
      (transitivity (r * r * (sin t * sin t + cos t * cos t) + 1 - 2 * r * cos t);
        [rewrite circ1|]; ring).
    pose proof (COS_bound t) as [_ cb].
    pose proof (distance_from_one r (cos t) r1) as d.
    assert (m : 4 * (sin (t / 2) * sin (t / 2)) <= a * a).
    { rewrite sq. rewrite (cos_half t) in *. set (k := sin (t / 2) * sin (t / 2)) in *.
      set (e := r * r + 1 - 2 * r * (1 - 2 * k)) in *. assert (0 <= k) by (unfold k; nra).
      assert (4 * k <= e) by nra. assert (1 <= r ^ n * r ^ n) by nra. nra. }
    assert (sin (T / 2) <= sin (t / 2)) by (apply sin_mono; lra).
    assert (0 < sin (T / 2)) by (apply half_positive; lra).
    unfold sgd_threshold in low. fold N in low. rewrite <- half in low. nra.
Qed.

End SGD.

(** Without delay the only root is 1 - a; with delay the branch starts at T and ends at pi/(n + 1). *)
Lemma sgd_unstable_side n a : sgd_threshold n <= a ->
  exists z, 1 <= Cmod z /\ sgd n a z = RtoC 0.
Proof.
  intro high. destruct (sgd_angle n) as [T0 [TP [half full]]].
  set (N := INR n) in *. set (T := PI / (2 * N + 1)) in *. pose proof PI_RGT_0 as pi0.
  unfold sgd_threshold in high. fold N in high. rewrite <- half in high.
  destruct (Req_dec N 0) as [n0|n0].
  { rewrite n0 in *. assert (T = PI) as e by lra. rewrite e, sin_PI2 in high.
    apply INR_eq with (m := O) in n0. subst n. exists (RtoC (1 - a)).
    rewrite Cmod_R, Rabs_left by lra. split; [lra|]. unfold sgd, Cpow. 
    unfold Cplus, Cmult, Cminus, Copp, Cplus, RtoC; simpl. apply pair_equal_spec; split; ring. }
  assert (N1 : 1 <= N).
  { unfold N in *. destruct n; [simpl in n0; lra|]. rewrite S_INR. pose proof (pos_INR n). lra. }
  set (U := PI / (N + 1)).
  assert (NU : (N + 1) * U = PI) by (unfold U; field; lra).
  assert (TU : T < U) by nra. assert (U2 : U <= PI / 2) by nra.
  assert (sines : forall t, T <= t <= U -> 0 < sin (N * t) /\ sin T <= sin t /\ 0 < sin T).
  { intros t b. repeat split; [apply sin_gt_0; nra|apply sin_mono; lra|apply sin_gt_0; lra]. }
  set (G := fun t r => r ^ S n * sin t / sin (N * t)).
  destruct (branch T U (sgd_imaginary n) G TU) with (a := a) as [t [r [bt [r1 [z g]]]]].
  - intros r t. unfold sgd_imaginary. continuous.
  - intros t r. unfold sgd_imaginary. continuous.
  - intros m t b _ cm. unfold G. continuous. pose proof (sines t ltac:(lra)). apply Rgt_not_eq; lra.
  - intros t b. unfold sgd_imaginary. fold N. rewrite Rmult_1_l.
    replace (sin ((N + 1) * t)) with (2 * cos ((2 * N + 1) * t / 2) * sin (t / 2) + sin (N * t)).
    2:{ rewrite <- (Rplus_0_r (sin (N * t))) at 1. 
        assert (e : sin ((N + 1) * t) - sin (N * t) = 2 * cos ((2 * N + 1) * t / 2) * sin (t / 2)).
        { rewrite form4. replace (((N + 1) * t + N * t) / 2) with ((2 * N + 1) * t / 2) by field.
          replace (((N + 1) * t - N * t) / 2) with (t / 2) by field. ring. }
        lra. }
    assert (0 < sin (t / 2)) by (apply half_positive; lra).
    assert (cos ((2 * N + 1) * t / 2) <= 0).
    { apply cos_le_0; nra. }
    nra.
  - intros t r s b rs z. unfold sgd_imaginary in *. fold N in z |- *.
    pose proof (sines t ltac:(lra)). assert (0 < sin ((N + 1) * t)) by (apply sin_gt_0; nra). nra.
  - intros t b. unfold sgd_imaginary. fold N.
    assert (0 < sin ((N + 1) * t)) by (apply sin_gt_0; nra).
    exists (1 + 2 / sin ((N + 1) * t)). pose proof (SIN_bound (N * t)).
    assert (0 < 2 / sin ((N + 1) * t)) by (apply Rdiv_lt_0_compat; lra).
    split; [lra|]. replace ((1 + 2 / sin ((N + 1) * t)) * sin ((N + 1) * t)) with
      (sin ((N + 1) * t) + 2) by (field; lra). lra.
  - unfold sgd_imaginary. fold N.
    replace ((N + 1) * T) with (PI - N * T) by lra. rewrite sin_PI_x. ring.
  - intros r r1. unfold sgd_imaginary. fold N. rewrite NU, sin_PI. pose proof (sines U ltac:(lra)).
    lra.
  - intro A. destruct (sines T ltac:(lra)) as [_ [_ sT]].
    exists (1 + Rabs A / sin T). pose proof (Rabs_pos A).
    assert (0 <= Rabs A / sin T) by (apply Rmult_le_pos; [lra|]; left; now apply Rinv_0_lt_compat).
    split; [lra|]. intros t r b big _. destruct (sines t ltac:(lra)) as [p [q _]].
    unfold G. apply Rle_trans with (r * sin t).
    + apply Rle_trans with (Rabs A); [apply Rle_abs|].
      apply Rle_trans with (Rabs A / sin T * sin T); [right; field; lra|].
      apply Rmult_le_compat; lra.
    + assert (r <= r ^ S n) by (simpl; assert (1 <= r ^ n) by (apply pow_R1_Rle; lra); nra).
      pose proof (SIN_bound (N * t)).
      assert (0 < sin t) by lra. apply Rmult_le_reg_r with (sin (N * t)); [exact p|].
      replace (r ^ S n * sin t / sin (N * t) * sin (N * t)) with (r ^ S n * sin t) by (field; lra).
      apply Rle_trans with (r * sin t * 1).
      * apply Rmult_le_compat_l; [apply Rmult_le_pos|]; lra.
      * rewrite Rmult_1_r. apply Rmult_le_compat_r; lra.
  - unfold G. rewrite pow1, Rmult_1_l.
    replace (sin (N * T)) with (sin ((N + 1) * T)).
    2:{ replace ((N + 1) * T) with (PI - N * T) by lra. apply sin_PI_x. }
    replace ((N + 1) * T) with (T / 2 + PI / 2) by lra. rewrite sin_plus, cos_PI2, sin_PI2.
    assert (0 < cos (T / 2)) by (apply cos_gt_0; nra).
    rewrite (sin_half T). apply Rle_trans with (2 * sin (T / 2)); [right; field|]; lra.
  - exists (polar r t). rewrite Cmod_polar by lra. split; [exact r1|].
    rewrite sgd_polar. fold N. pose proof (sines t ltac:(lra)) as [s0 _].
    unfold sgd_imaginary in z. fold N in z. rewrite sin_next in z.
    assert (im : (r * cos t - 1) * sin (N * t) + r * sin t * cos (N * t) = 0) by lra.
    apply pair_equal_spec; split; [|rewrite im; ring].
    rewrite (real_part_from_imaginary (r ^ n) (r * cos t - 1) (r * sin t) _ _ a (circle (N * t)));
      [ring|lra|exact im|]. rewrite <- g. unfold G. simpl pow. field. lra.
Qed.

Theorem sgd_is_threshold : forall tau : nat, threshold (sgd tau) (sgd_threshold tau).
Proof.
  intro n. apply threshold_intro.
  - destruct (sgd_angle n) as [T0 [TP [half _]]]. unfold sgd_threshold. rewrite <- half.
    pose proof (half_positive _ (conj T0 TP)). lra.
  - intros a z. unfold sgd. conjugate.
  - intros a r t b r1 bt. now apply sgd_stable_side.
  - apply sgd_unstable_side.
  - intros a neg. apply real_root with (f := fun x => x ^ n * (x - 1) + a) (X := 1 - a).
    + intro x. continuous.
    + intro x. unfold sgd. rewrite Cpow_real.
      rewrite <- RtoC_minus, <- RtoC_mult, <- RtoC_plus. reflexivity.
    + lra.
    + rewrite pow1. lra.
    + assert (1 <= (1 - a) ^ n) by (apply pow_R1_Rle; lra). nra.
Qed.
