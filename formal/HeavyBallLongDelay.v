(** * Heavy ball: the law of long delays *)

Require Import Reals Lra Lia Psatz.
From Coquelicot Require Import Coquelicot.
From DelayStability Require Import Loop Trigonometry Bounds HeavyBall HeavyBallUnstable OtherForms.
Open Scope R_scope.

Lemma natural_above x : exists n, x < INR n.
Proof.
  destruct (archimed (Rmax x 0)) as [h _]. exists (Z.to_nat (up (Rmax x 0))).
  pose proof (Rmax_l x 0). pose proof (Rmax_r x 0).
  rewrite INR_IZR_INZ, Z2Nat.id; [lra|]. apply le_IZR. lra.
Qed.

(** A sequence whose distance from a number is at most c/n. *)
Lemma limit_by_rate (u : nat -> R) l c N : (forall n, (N <= n)%nat -> (1 <= n)%nat -> Rabs (u n - l) <= c / INR n) ->
  is_lim_seq u l.
Proof.
  intro close. apply is_lim_seq_spec. intros [e e0]. simpl.
  destruct (natural_above (c / e)) as [M hM]. exists (N + M + 1)%nat. intros n hn.
  specialize (close n ltac:(lia) ltac:(lia)). eapply Rle_lt_trans; [exact close|].
  assert (Mn : INR M <= INR n) by (apply le_INR; lia).
  assert (n0 : 0 < INR n) by (apply lt_0_INR; lia).
  apply Rmult_lt_reg_r with (INR n); [exact n0|]. replace (c / INR n * INR n) with c by (field; lra).
  assert (c / e * e < INR n * e) by (apply Rmult_lt_compat_r; lra).
  replace (c / e * e) with c in H by (field; lra). lra.
Qed.

Section Angle.
Variables (m : R) (n : nat) (T : R).
Hypothesis m1 : -1 < m < 1.
Hypothesis n1 : (1 <= n)%nat.
Hypothesis angle : heavy_ball_angle m n T.
Let N := INR n.
Let k := (1 + m) / (1 - m).

Lemma long_cosine : 1 <= N /\ 0 < k /\ 0 < T /\ 2 * N * T < PI /\ 0 < cos (N * T) /\
  N * cos (N * T) <= k * PI / 2.
Proof.
  pose proof (N_one n n1) as N1. fold N in N1. destruct (T_bounds m n T m1 n1 angle) as [T0 TN].
  fold N in TN. destruct (hb_angle_signs m n T m1 n1 angle) as [S [C [s c]]]. fold N in S, C.
  assert (k0 : 0 < k) by (apply Rdiv_lt_0_compat; lra). pose proof PI_RGT_0.
  repeat (split; [assumption|]).
  pose proof (X_T m n T angle) as X. unfold hb_X in X. fold N in X.
  assert (sc : sin (T / 2) <= cos (T / 2)) by (rewrite <- sin_shift; apply sin_mono; nra).
  pose proof (circle (T / 2)) as circ. assert (half : 1 / 2 <= cos (T / 2)) by nra.
  pose proof (sine_below (T / 2) ltac:(lra)) as st. pose proof (SIN_bound (N * T)) as [_ S1].
  assert (e : cos (N * T) * cos (T / 2) = k * (sin (N * T) * sin (T / 2))).
  { apply Rmult_eq_reg_l with (1 - m); [|lra]. unfold k.
    transitivity ((1 + m) * (sin (N * T) * sin (T / 2))); [lra|field; lra]. }
  assert (u : sin (N * T) * sin (T / 2) <= T / 2) by nra.
  assert (v : cos (N * T) * (1 / 2) <= k * (T / 2)).
  { apply Rle_trans with (cos (N * T) * cos (T / 2)); [apply Rmult_le_compat_l; lra|].
    rewrite e. apply Rmult_le_compat_l; lra. }
  apply Rle_trans with (N * (k * T)); [apply Rmult_le_compat_l; lra|].
  replace (N * (k * T)) with (k * (N * T)) by ring. replace (k * PI / 2) with (k * (PI / 2)) by field.
  apply Rmult_le_compat_l; lra.
Qed.

Lemma long_gain_below : (1 - m) * (PI / 2 - (3 * k * PI / 2 + 2) / N) <= N * heavy_ball_gain m T.
Proof.
  destruct long_cosine as [N1 [k0 [T0 [TN [C0 C]]]]]. pose proof PI_RGT_0. pose proof PI_4.
  destruct (hb_angle_signs m n T m1 n1 angle) as [S _]. fold N in S.
  rewrite (heavy_ball_gain_quotient m n T m1 n1 angle). fold N. rewrite (Rmult_comm T N).
  pose proof (SIN_bound (N * T)) as [_ S1].
  set (d := PI / 2 - N * T). assert (d0 : 0 < d) by (unfold d; lra). assert (d2 : d <= 2) by (unfold d; nra).
  assert (dC : d <= 3 * cos (N * T)).
  { pose proof (sine_above d ltac:(lra) ltac:(lra)) as low.
    replace (sin d) with (cos (N * T)) in low by (unfold d; now rewrite sin_shift).
    assert (d ^ 3 <= 4 * d) by (simpl; nra). lra. }
  assert (NT3 : N * N * (N * T ^ 3) <= 8).
  { replace (N * N * (N * T ^ 3)) with ((N * T) ^ 3) by ring.
    replace 8 with (2 ^ 3) by ring. apply pow_incr. split; [nra|lra]. }
  assert (T3 : N * T ^ 3 <= 8 / N).
  { apply Rmult_le_reg_r with N; [lra|]. replace (8 / N * N) with 8 by (field; lra).
    assert (0 <= N * T ^ 3) by (apply Rmult_le_pos; [lra|apply pow_le; lra]). nra. }
  assert (low : T - T ^ 3 / 6 <= sin T) by (apply sine_above; nra).
  assert (dN : d <= 3 * k * PI / 2 / N).
  { apply Rmult_le_reg_r with N; [lra|]. replace (3 * k * PI / 2 / N * N) with (3 * (k * PI / 2))
      by (field; lra). nra. }
  assert (main : PI / 2 - (3 * k * PI / 2 + 2) / N <= N * sin T).
  { replace ((3 * k * PI / 2 + 2) / N) with (3 * k * PI / 2 / N + 8 / N / 4) by (field; lra).
    assert (N * (T - T ^ 3 / 6) <= N * sin T) by (apply Rmult_le_compat_l; lra).
    assert (0 < 8 / N) by (apply Rdiv_lt_0_compat; lra). unfold d in dN. lra. }
  assert (s0 : 0 < sin T) by (apply sin_gt_0; nra).
  apply Rle_trans with ((1 - m) * (N * sin T)); [apply Rmult_le_compat_l; lra|].
  apply Rmult_le_reg_r with (sin (N * T)); [exact S|].
  replace (N * ((1 - m) * sin T / sin (N * T)) * sin (N * T)) with ((1 - m) * (N * sin T) * 1)
    by (field; lra).
  apply Rmult_le_compat_l; [repeat apply Rmult_le_pos; lra|lra].
Qed.

Lemma long_gain_above : k * PI <= N -> N * heavy_ball_gain m T <= (1 - m) * (PI / 2 + k * PI * PI / 2 / N).
Proof.
  intro long. destruct long_cosine as [N1 [k0 [T0 [TN [C0 C]]]]]. pose proof PI_RGT_0.
  destruct (hb_angle_signs m n T m1 n1 angle) as [S _]. fold N in S.
  rewrite (heavy_ball_gain_quotient m n T m1 n1 angle). fold N. rewrite (Rmult_comm T N).
  pose proof (SIN_bound (N * T)) as [_ S1]. pose proof (COS_bound (N * T)) as [_ C1].
  set (e := k * PI / 2 / N). assert (eN : e * N = k * PI / 2) by (unfold e; field; lra).
  assert (e0 : 0 < e) by (unfold e; apply Rdiv_lt_0_compat; [nra|lra]).
  assert (e2 : e <= 1 / 2) by (apply Rmult_le_reg_r with N; lra).
  assert (Ce : cos (N * T) <= e) by (apply Rmult_le_reg_r with N; lra).
  pose proof (circle (N * T)) as circ. assert (Se : 1 - e <= sin (N * T)) by nra.
  pose proof (sine_below T ltac:(lra)) as st.
  apply Rmult_le_reg_r with (sin (N * T)); [exact S|].
  replace (N * ((1 - m) * sin T / sin (N * T)) * sin (N * T)) with ((1 - m) * (N * sin T)) by (field; lra).
  replace (PI / 2 + k * PI * PI / 2 / N) with (PI / 2 * (1 + 2 * e)) by (unfold e; field; lra).
  replace ((1 - m) * (PI / 2 * (1 + 2 * e)) * sin (N * T)) with
    ((1 - m) * (PI / 2 * ((1 + 2 * e) * sin (N * T)))) by ring.
  apply Rmult_le_compat_l; [lra|]. apply Rle_trans with (PI / 2 * 1); [nra|].
  apply Rmult_le_compat_l; [lra|]. nra.
Qed.
End Angle.

Theorem heavy_ball_long_delay_limit m (a : nat -> R) : -1 < m < 1 ->
  (forall n, threshold (heavy_ball m n) (a n)) -> is_lim_seq (fun n => INR n * a n) ((1 - m) * (PI / 2)).
Proof.
  intros m1 t. set (k := (1 + m) / (1 - m)). pose proof PI_RGT_0.
  assert (k0 : 0 < k) by (apply Rdiv_lt_0_compat; lra).
  assert (p0 : 0 < PI / (1 + m)) by (apply Rdiv_lt_0_compat; lra).
  destruct (natural_above (k * PI + 2 * (PI / (1 + m)))) as [N0 big].
  assert (kp : 0 < k * PI) by (apply Rmult_lt_0_compat; lra).
  apply (limit_by_rate _ _ ((1 - m) * (3 * k * PI / 2 + 2 + k * PI * PI / 2)) N0). intros n hn n1.
  apply le_INR in hn. destruct (heavy_ball_is_threshold n m ltac:(lra) ltac:(lra)) as [T [angle s]].
  rewrite (threshold_unique _ _ _ (t n) s).
  pose proof (long_gain_below m n T m1 n1 angle) as low. fold k in low.
  pose proof (long_gain_above m n T m1 n1 angle ltac:(fold k; lra)) as high. fold k in high.
  set (N := INR n) in *. assert (N1 : 0 < N) by lra.
  assert (e : heavy_ball_threshold m n T = heavy_ball_gain m T).
  { unfold heavy_ball_threshold. destruct (Nat.even n); [|reflexivity]. apply Rmin_left.
    assert (kN : k * PI * PI / 2 / N <= PI / 2).
    { apply Rmult_le_reg_r with N; [lra|]. replace (k * PI * PI / 2 / N * N) with (k * PI * (PI / 2))
        by (field; lra). rewrite (Rmult_comm (PI / 2)). apply Rmult_le_compat_r; lra. }
    assert (N * heavy_ball_gain m T <= 2 * PI).
    { eapply Rle_trans; [exact high|]. apply Rle_trans with (2 * PI); [nra|lra]. }
    apply Rmult_le_reg_l with N; [exact N1|].
    apply Rle_trans with (2 * PI); [assumption|].
    replace (2 * PI) with (2 * (PI / (1 + m)) * (m + 1)) by (field; lra).
    replace (N * (2 * (m + 1))) with (2 * N * (m + 1)) by ring.
    apply Rmult_le_compat_r; lra. }
  rewrite e. apply Rabs_le.
  replace ((1 - m) * (3 * k * PI / 2 + 2 + k * PI * PI / 2) / N) with
    ((1 - m) * ((3 * k * PI / 2 + 2) / N) + (1 - m) * (k * PI * PI / 2 / N)) by (field; lra).
  assert (0 <= (1 - m) * ((3 * k * PI / 2 + 2) / N)).
  { apply Rmult_le_pos; [lra|]. left. apply Rdiv_lt_0_compat; lra. }
  assert (0 <= (1 - m) * (k * PI * PI / 2 / N)).
  { apply Rmult_le_pos; [lra|]. left. apply Rdiv_lt_0_compat; [nra|lra]. }
  split; lra.
Qed.
