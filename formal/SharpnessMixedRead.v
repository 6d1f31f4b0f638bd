(** * How sharp the threshold of mixed reads is: it holds for one half too *)

Require Import Reals Lra Lia Psatz.
From DelayStability Require Import Loop RootsInside HeavyBall MixedReadUnstable MixedReadThreshold
  Printed Variants Sharpness.
From DelayStability Require Theorems.
Open Scope R_scope.

Lemma mixed_read_factor_false : ~ mixed_read_factor.
Proof.
  intro h. destruct (h 1%nat 0 ltac:(lra) ltac:(simpl; lra)) as [T [aT t]].
  destruct (Theorems.mixed_read 1%nat 0 ltac:(lra) ltac:(simpl; lra)) as [S [aS s]].
  same_angle T S aT aS. apply (not_twice _ _ _ s t). unfold factor. destruct s as [s0 _].
  assert (sin (S * INR 1) <> 0).
  { intro e. rewrite e, Rmult_0_r in s0. unfold Rdiv in s0. rewrite Rinv_0 in s0. lra. }
  field. assumption.
Qed.

(** Without delay Rocq divides by 0. *)
Lemma mixed_read_moved_1_false : ~ mixed_read_moved_1.
Proof.
  intro h. destruct (h O 0 ltac:(lra) ltac:(simpl; lra)) as [T [_ [p _]]]. simpl INR in p.
  rewrite Rmult_0_r, sin_0 in p. no_value p.
Qed.

(** ** One half: every gain up to 2 is stable *)
Section Half.
Variable n : nat.
Hypothesis n1 : (1 <= n)%nat.
Let N := INR n.
Let T := PI / (N + 1).

Lemma half_T : 1 <= N /\ 0 < T /\ (N + 1) * T = PI.
Proof.
  pose proof (N_one n n1) as N1. fold N in N1. pose proof PI_RGT_0.
  split; [exact N1|]. split; [apply Rdiv_lt_0_compat; lra|unfold T; field; lra].
Qed.

Lemma half_angle : mixed_read_angle (1 / 2) n T.
Proof.
  destruct half_T as [N1 [T0 e]]. pose proof PI_RGT_0.
  assert (f : forall t, 1 / 2 * cos (t / 2) + (1 - 1 / 2) * cos (t * (1 / 2 + INR n)) =
    cos ((N + 1) * t / 2) * cos (N * t / 2)).
  { intro t. fold N. replace (t * (1 / 2 + N)) with ((N + 1) * t / 2 + N * t / 2) by field.
    replace (t / 2) with ((N + 1) * t / 2 - N * t / 2) at 1 by field. rewrite cos_plus, cos_minus. field. }
  split; [split; [exact T0|nra]|]. split.
  - rewrite f, e, cos_PI2. ring.
  - intros s b. rewrite f. apply Rmult_lt_0_compat; apply cos_gt_0; nra.
Qed.

Lemma half_gain : sin T = sin (N * T) /\ 0 < sin T.
Proof.
  destruct half_T as [N1 [T0 e]]. pose proof PI_RGT_0. split; [|apply sin_gt_0; nra].
  replace (N * T) with (PI - T) by lra. now rewrite sin_PI_x.
Qed.

Lemma half_stable_side b r t : 0 < b < 1 -> 1 <= r -> 0 <= t <= PI ->
  fresh_loop (-1) n b (polar r t) <> RtoC 0.
Proof.
  intros b1 r1 bt root. destruct (fresh_root (-1) n b r t r1 root) as [_ [_ d]].
  destruct (Rle_lt_or_eq_dec 0 t ltac:(lra)) as [t0|<-].
  - assert (c : cos t < 1) by (rewrite <- cos_0; apply cos_decreasing_1; lra).
    assert (0 < 2 * r * (1 - b) * (1 - cos t)) by (repeat apply Rmult_lt_0_compat; lra).
    assert (0 <= (r - 1) * (r - 1 + 2 * b)) by (apply Rmult_le_pos; lra). lra.
  - rewrite fresh_polar in root. apply pair_equal_spec in root. destruct root as [re _].
    rewrite !Rmult_0_r, cos_0, sin_0 in re. assert (q : 1 <= r ^ n) by (apply pow_R1_Rle; exact r1).
    assert (0 <= r ^ n * (r - 1 + b)) by (apply Rmult_le_pos; lra). lra.
Qed.

Lemma half_is_threshold : threshold (mixed_read (1 / 2) n) (sin T / ((1 - 1 / 2) * sin (T * INR n))).
Proof.
  destruct half_T as [N1 [T0 e]]. destruct half_gain as [g s]. fold N. rewrite (Rmult_comm T), <- g.
  replace (sin T / ((1 - 1 / 2) * sin T)) with (1 / (1 - 1 / 2)) by (field; lra).
  apply (mixed_from_fresh (1 / 2) (-1) n); [lra|lra|]. apply threshold_by_instability; [lra| | | |].
  - intros b z. unfold fresh_loop. conjugate.
  - exact half_stable_side.
  - intros b h. apply (fresh_unstable (-1) n T); [lra|exact n1|fold N; lra| |].
    + fold N. rewrite e, sin_PI, <- g. ring.
    + unfold fresh_gain. fold N. rewrite <- g. replace (sin T / sin T) with 1 by (field; lra). exact h.
  - intros b h. apply fresh_negative; lra.
Qed.
End Half.

Lemma mixed_read_closed_1_true : mixed_read_closed_1.
Proof.
  intros n l low delay. pose proof (delay_positive n delay) as n1.
  destruct (Rle_lt_or_eq_dec l (1 / 2) ltac:(lra)) as [h| ->].
  - now apply Theorems.mixed_read.
  - exists (PI / (INR n + 1)). split; [exact (half_angle n n1)|exact (half_is_threshold n n1)].
Qed.
