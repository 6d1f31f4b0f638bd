(** * The printed formulas are those of the chapters in another order *)

Require Import Reals Lra Lia Psatz.
From Coquelicot Require Import Coquelicot.
From DelayStability Require Import Loop Sgd Bounds HeavyBall HeavyBallUnstable Ema Shifted
  ShiftedUnstable ShiftedNegative Nesterov ArbitraryDelays ArbitraryDelaysUnstable Effective
  OtherForms.
Open Scope R_scope.

Lemma sgd_printed n : sgd_threshold n = 2 * sin (PI / (2 + 4 * INR n)).
Proof. unfold sgd_threshold. now rewrite (Rplus_comm 2). Qed.

Lemma sgd_of n a : threshold (sgd n) a -> a = sgd_threshold n.
Proof. intro t. exact (threshold_unique _ _ _ t (sgd_is_threshold n)). Qed.

Lemma heavy_ball_gain_printed m t :
  heavy_ball_gain m t = 2 * sin (t / 2) * sqrt ((1 - m) ^ 2 + 4 * m * sin (t / 2) ^ 2).
Proof. unfold heavy_ball_gain. rewrite (Rplus_comm ((1 - m) ^ 2)). ring. Qed.

Lemma heavy_ball_threshold_printed m n t : heavy_ball_threshold m n t =
  if Nat.even n
  then Rmin (2 * (1 + m)) (2 * sin (t / 2) * sqrt ((1 - m) ^ 2 + 4 * m * sin (t / 2) ^ 2))
  else 2 * sin (t / 2) * sqrt ((1 - m) ^ 2 + 4 * m * sin (t / 2) ^ 2).
Proof.
  unfold heavy_ball_threshold. rewrite <- heavy_ball_gain_printed, (Rplus_comm 1 m), Rmin_comm.
  reflexivity.
Qed.

Lemma first_root_ext f g f' g' u t : (forall s, f s = f' s) -> (forall s, g s = g' s) ->
  first_root f g u t -> first_root f' g' u t.
Proof.
  intros ef eg [b [e below]]. repeat split; try apply b; [now rewrite <- ef, <- eg|].
  intros s bs. rewrite <- ef, <- eg. now apply below.
Qed.

Lemma heavy_ball_angle_printed m n t : heavy_ball_angle m n t ->
  first_root (fun t => cos (t * (1 / 2 + INR n))) (fun t => m * cos (t * (INR n - 1 / 2))) PI t.
Proof.
  apply first_root_ext; intro s; [|reflexivity]. now rewrite (Rplus_comm (1 / 2)).
Qed.

Lemma plateau_printed n : IZR (Int_part ((1 + 2 * INR n) / 3)) = INR ((2 * n + 1) / 3).
Proof.
  destruct (plateau_bounds n) as [_ b]. destruct (base_Int_part ((1 + 2 * INR n) / 3)) as [l h].
  rewrite (INR_IZR_INZ (_ / _)) in *. set (k := Z.of_nat _) in *.
  set (p := Int_part _) in *. apply f_equal, Z.le_antisymm; apply Z.lt_succ_r, lt_IZR;
  rewrite succ_IZR; lra.
Qed.

Lemma delay_zero n : INR n = 0 -> n = O.
Proof. intro h. now apply INR_eq. Qed.

Lemma delay_one n : INR n = 1 -> n = 1%nat.
Proof. intro h. now apply INR_eq. Qed.

Lemma delay_two n : INR n = 2 -> n = 2%nat.
Proof. intro h. apply INR_eq. simpl. lra. Qed.

Lemma delay_positive n : INR n >= 1 -> (1 <= n)%nat.
Proof. intro h. apply INR_le. simpl. lra. Qed.

Lemma heavy_ball_undelayed m : -1 < m < 1 -> threshold (Loop.heavy_ball m 0) (2 * (1 + m)).
Proof.
  intro m1. destruct (heavy_ball_is_threshold 0 m ltac:(lra) ltac:(lra)) as [T [angle t]].
  unfold heavy_ball_threshold in t. simpl Nat.even in t. cbn iota in t.
  rewrite (hb_angle_zero m T m1 angle), hb_gain_zero, Rmin_left, (Rplus_comm m) in t by lra. exact t.
Qed.

Lemma shifted_gain_quotient m n T : -1 < m < 1 -> (1 <= n)%nat -> shifted_angle m n T ->
  0 < cos (T / 2) /\ 0 < T /\ (INR n + 1) * T < PI /\
  shifted_gain m n T = 2 * (sin (T / 2) / cos (T / 2)) * sin ((INR n + 1) * T).
Proof.
  intros m1 n1 angle. pose proof PI_RGT_0. assert (N1 : 1 <= INR n) by (apply (le_INR 1); exact n1).
  destruct (Rle_lt_dec 0 m) as [pos|neg].
  - destruct (shifted_T m n T ltac:(lra) angle) as [T0 TN].
    assert (h : 0 < cos (T / 2)) by (apply cos_gt_0; nra). split; [exact h|]. split; [exact T0|].
    split; [nra|]. assert (s : 0 < sin (T / 2)) by (apply sin_gt_0; nra).
    rewrite <- (shifted_G_start m n T ltac:(lra) n1 angle). unfold shifted_G.
    rewrite pow1, (Trigonometry.sin_half T), (Trigonometry.cos_half T). field. split; lra.
  - destruct (negative_T m n T ltac:(lra) n1 angle) as [_ [T0 [TU _]]].
    destruct (negative_gain m n T ltac:(lra) n1 angle) as [s [h [_ [_ [e _]]]]].
    repeat split; try assumption. apply Rmult_eq_reg_r with (cos (T / 2)); [|lra]. rewrite e. field. lra.
Qed.

Lemma heavy_ball_of m n a : 0 <= m < 1 -> (1 <= n)%nat -> threshold (Loop.heavy_ball m n) a ->
  exists T, heavy_ball_angle m n T /\ a = (1 - m) * (sin T / sin (INR n * T)).
Proof.
  intros m1 n1 t. destruct (heavy_ball_is_threshold n m ltac:(lra) ltac:(lra)) as [T [angle s]].
  exists T. split; [exact angle|]. rewrite (threshold_unique _ _ _ t s).
  rewrite heavy_ball_threshold_gain by exact m1.
  rewrite (heavy_ball_gain_quotient m n T ltac:(lra) n1 angle), (Rmult_comm T). unfold Rdiv. ring.
Qed.

Lemma shifted_of m n a : 0 <= m < 1 -> threshold (Loop.shifted_momentum m n) a ->
  exists T, shifted_angle m n T /\ a = shifted_gain m n T.
Proof.
  intros m1 t. destruct (shifted_is_threshold n m ltac:(lra) ltac:(lra)) as [T [angle s]].
  exists T. split; [exact angle|]. exact (threshold_unique _ _ _ t s).
Qed.

Lemma any_sequence_of n a : sequence_threshold n a -> a = arbitrary_threshold n.
Proof.
  intros [a0 t]. destruct (arbitrary_is_threshold n) as [b0 s]. set (b := arbitrary_threshold n) in *.
  destruct (Rtotal_order a b) as [h|[h|h]]; [|exact h|].
  - assert (u : stable_for_every_sequence n a) by (apply s; lra). apply t in u. lra.
  - assert (u : stable_for_every_sequence n b) by (apply t; lra). apply s in u. lra.
Qed.
