(** * The theorems: each proves the statement that the registry prints *)

Require Import Reals Lra Lia Psatz.
From Coquelicot Require Import Coquelicot.
From DelayStability Require Import Loop Sgd Bounds HeavyBall Ema Shifted ShiftedNegative Nesterov
  NesterovUnstable ArbitraryDelays MixedRead Effective Statements.
Open Scope R_scope.

(** The printed formulas are those of the chapters in another order. *)
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

Theorem sgd : sgd_statement.
Proof. intro n. rewrite <- sgd_printed. apply sgd_is_threshold. Qed.

Theorem sgd_upper_bound : sgd_upper_bound_statement.
Proof.
  intros n a t. rewrite (sgd_of n a t), (Rplus_comm 1). apply sgd_threshold_upper.
Qed.

Theorem sgd_lower_bound : sgd_lower_bound_statement.
Proof.
  intros n a t. rewrite (sgd_of n a t), (Rplus_comm 1). apply Rle_ge, sgd_threshold_lower.
Qed.

Theorem sgd_long_delay : sgd_long_delay_statement.
Proof.
  intros a t. eapply is_lim_seq_ext; [|exact sgd_long_delay_limit].
  intro n. simpl. rewrite (sgd_of n (a n) (t n)). ring.
Qed.

Theorem heavy_ball : heavy_ball_statement.
Proof.
  intros n m low high. destruct (heavy_ball_is_threshold n m ltac:(lra) high) as [T [angle t]].
  exists T. split; [exact (heavy_ball_angle_printed m n T angle)|].
  rewrite heavy_ball_threshold_printed in t. exact t.
Qed.

Theorem ema_momentum : ema_momentum_statement.
Proof.
  intros n m low high. destruct (ema_is_threshold n m ltac:(lra) high) as [T [angle t]].
  exists T. split; [exact (heavy_ball_angle_printed m n T angle)|].
  rewrite heavy_ball_threshold_printed in t. exact t.
Qed.

Theorem adam_frozen : adam_frozen_statement.
Proof.
  intros n m low high. destruct (ema_is_threshold n m ltac:(lra) high) as [T [angle t]].
  exists T. split; [exact (heavy_ball_angle_printed m n T angle)|].
  rewrite <- heavy_ball_gain_printed. rewrite heavy_ball_threshold_gain in t by lra. exact t.
Qed.

Theorem adjustment : adjustment_statement.
Proof.
  intros before after a_1 a_2 eta_1 eta_2 e t1 t2.
  rewrite (same_minima_rule before after a_1 a_2 eta_1 eta_2 t1 t2 e).
  replace (a_2 * eta_1 / a_1) with (eta_1 * (a_2 / a_1)) by (destruct t1; field; lra). reflexivity.
Qed.

Theorem adjustment_sgd : adjustment_sgd_statement.
Proof.
  intros n eta_0 eta e. rewrite (Rplus_comm 2). now apply same_minima_sgd.
Qed.

Theorem adjustment_sgd_upper : adjustment_sgd_upper_statement.
Proof.
  intros n eta_0 eta e same. apply (same_minima_sgd n eta_0 eta e) in same. rewrite same.
  pose proof (sgd_threshold_upper n) as b. unfold sgd_threshold in b. pose proof (pos_INR n).
  replace (PI * eta_0 / (2 * (1 + 2 * INR n))) with (eta_0 * (PI / (2 * INR n + 1) / 2))
    by (field; lra).
  apply Rmult_le_compat_l; lra.
Qed.

Theorem adjustment_sgd_lower : adjustment_sgd_lower_statement.
Proof.
  intros n eta_0 eta e same. apply (same_minima_sgd n eta_0 eta e) in same. rewrite same.
  pose proof (sgd_threshold_lower n) as b. unfold sgd_threshold in b. pose proof (pos_INR n).
  replace (PI * eta_0 / (2 * (1 + 2 * INR n)) * (1 - PI ^ 2 / (24 * (1 + 2 * INR n) ^ 2))) with
    (eta_0 * ((PI / (2 * INR n + 1) - PI ^ 3 / (24 * (2 * INR n + 1) ^ 3)) / 2)) by (field; lra).
  apply Rle_ge, Rmult_le_compat_l; lra.
Qed.

(** ** Shifted and Nesterov momentum *)

Theorem shifted_momentum : shifted_momentum_statement.
Proof. intros n m low high. exact (shifted_is_threshold_everywhere n m ltac:(lra) high). Qed.

Theorem nesterov : nesterov_statement.
Proof. intros n m low high. exact (nesterov_is_threshold n m ltac:(lra) high). Qed.

(** ** Every sequence of delays *)

Lemma plateau_printed n : IZR (Int_part ((1 + 2 * INR n) / 3)) = INR ((2 * n + 1) / 3).
Proof.
  destruct (plateau_bounds n) as [_ b]. destruct (base_Int_part ((1 + 2 * INR n) / 3)) as [l h].
  rewrite (INR_IZR_INZ (_ / _)) in *. set (k := Z.of_nat _) in *.
  set (p := Int_part _) in *. apply f_equal, Z.le_antisymm; apply Z.lt_succ_r, lt_IZR;
  rewrite succ_IZR; lra.
Qed.

Theorem any_sequence_sgd : any_sequence_sgd_statement.
Proof.
  intros n J. pose proof (arbitrary_is_threshold n) as t.
  replace (4 / (1 + J + INR n + sqrt ((1 + J + INR n) ^ 2 - 4 * J * (1 + J)))) with
    (arbitrary_threshold n); [exact t|].
  unfold arbitrary_threshold, J. rewrite plateau_printed. set (j := INR ((2 * n + 1) / 3)).
  now replace (INR n + 1 + j) with (1 + j + INR n) by ring; rewrite (Rplus_comm j 1).
Qed.

(** ** Short delays, and another form of the gain *)

Lemma delay_zero n : INR n = 0 -> n = O.
Proof. intro h. now apply INR_eq. Qed.

Lemma delay_one n : INR n = 1 -> n = 1%nat.
Proof. intro h. now apply INR_eq. Qed.

Lemma delay_positive n : INR n >= 1 -> (1 <= n)%nat.
Proof. intro h. apply INR_le. simpl. lra. Qed.

Lemma heavy_ball_undelayed m : -1 < m < 1 -> threshold (Loop.heavy_ball m 0) (2 * (1 + m)).
Proof.
  intro m1. destruct (heavy_ball_is_threshold 0 m ltac:(lra) ltac:(lra)) as [T [angle t]].
  unfold heavy_ball_threshold in t. simpl Nat.even in t. cbn iota in t.
  rewrite (hb_angle_zero m T m1 angle), hb_gain_zero, Rmin_left, (Rplus_comm m) in t by lra. exact t.
Qed.

Theorem heavy_ball_delay_0 : heavy_ball_delay_0_statement.
Proof.
  intros n m zero low high. rewrite (delay_zero n zero). apply heavy_ball_undelayed. lra.
Qed.

Theorem shifted_momentum_delay_0 : shifted_momentum_delay_0_statement.
Proof.
  intros n m low high zero. rewrite (delay_zero n zero).
  destruct (heavy_ball_undelayed m ltac:(lra)) as [p t]. split; [exact p|]. intro a. rewrite <- t.
  assert (same : forall z, Loop.shifted_momentum m 0 a z = Loop.heavy_ball m 0 a z).
  { intro z. unfold Loop.shifted_momentum, Loop.heavy_ball. simpl Cpow. ring. }
  split; intros h z e; apply h; rewrite <- e; [|symmetry]; apply same.
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

Theorem shifted_momentum_delay_1 : shifted_momentum_delay_1_statement.
Proof.
  intros n m low high one. assert (m1 : -1 < m < 1) by lra. rewrite (delay_one n one).
  destruct (shifted_is_threshold_everywhere 1 m ltac:(lra) high) as [T [angle t]].
  destruct (shifted_gain_quotient m 1 T m1 (le_n _) angle) as [h [_ [_ g]]].
  replace (1 - m ^ 2) with (shifted_gain m 1 T); [exact t|]. rewrite g. clear g t.
  destruct angle as [_ [e _]]. simpl in e. simpl INR.
  replace (T * (1 / 2 + 1)) with (T + T / 2) in e by field. replace ((1 + 1) * T) with (2 * T) by ring.
  rewrite cos_plus in e. rewrite (sin_2a T), (Trigonometry.sin_half T), (Trigonometry.cos_half T) in *.
  pose proof (Trigonometry.circle (T / 2)) as k. set (s := sin (T / 2)) in *. set (c := cos (T / 2)) in *.
  assert (q : 1 - 4 * (s * s) = m) by (apply Rmult_eq_reg_r with c; lra).
  transitivity (8 * (s * s) * (1 - 2 * (s * s))); [field; lra|]. rewrite <- q. ring.
Qed.

Theorem shifted_momentum_parametric : shifted_momentum_parametric_statement.
Proof.
  intros n m low high delay. pose proof (delay_positive n delay) as n1. assert (m1 : -1 < m < 1) by lra.
  destruct (shifted_is_threshold_everywhere n m ltac:(lra) high) as [T [angle t]]. exists T.
  destruct (shifted_gain_quotient m n T m1 n1 angle) as [h [T0 [TU g]]]. pose proof PI_RGT_0.
  assert (e : (INR n + 1) * (PI / (INR n + 1)) = PI) by (field; lra).
  assert (pos : forall s, 0 < s <= T -> 0 < cos (s / 2)) by (intros; apply cos_gt_0; nra).
  destruct angle as [_ [eq below]]. simpl in eq. split.
  - repeat split.
    + exact T0.
    + rewrite (Rplus_comm 1). apply Rmult_le_reg_l with (INR n + 1); lra.
    + rewrite eq. field. lra.
    + intros s b. specialize (below s b). simpl in below. pose proof (pos s ltac:(lra)) as c.
      apply Rmult_lt_reg_r with (cos (s / 2)); [exact c|].
      replace (cos (s * (1 / 2 + INR n)) / cos (s / 2) * cos (s / 2)) with (cos (s * (1 / 2 + INR n)))
        by (field; lra). exact below.
  - rewrite g in t. unfold tan. replace (T * (1 + INR n)) with ((INR n + 1) * T) by ring. exact t.
Qed.

Theorem nesterov_delay_0 : nesterov_delay_0_statement.
Proof.
  intros n m low high zero. rewrite (delay_zero n zero).
  destruct (nesterov_is_threshold 0 m ltac:(lra) high) as [T [angle t]].
  pose proof (nag_zero_gain m T ltac:(lra) angle) as g.
  replace (2 * (1 + m) / (1 + 2 * m)) with (nesterov_gain m T) by (rewrite <- g; field; lra). exact t.
Qed.

Theorem adam_frozen_delay_0 : adam_frozen_delay_0_statement.
Proof.
  intros n m low high zero. rewrite (delay_zero n zero).
  destruct (threshold_scaled _ (1 - m) _ ltac:(lra) (heavy_ball_undelayed m ltac:(lra))) as [p t].
  split; [exact p|]. intro g. rewrite <- t.
  split; intros h z e; apply h; rewrite <- e; [|symmetry]; apply ema_is_heavy_ball.
Qed.

Lemma heavy_ball_gain_quotient m n T : -1 < m < 1 -> (1 <= n)%nat -> heavy_ball_angle m n T ->
  heavy_ball_gain m T = (1 - m) * sin T / sin (T * INR n).
Proof.
  intros m1 n1 angle. rewrite <- (hb_G_start m n T m1 n1 angle). unfold hb_G. rewrite pow1.
  rewrite (Rmult_comm T). unfold Rdiv. rewrite Rinv_1. ring.
Qed.

Theorem heavy_ball_quotient : heavy_ball_quotient_statement.
Proof.
  intros n m delay low high. assert (m1 : -1 < m < 1) by lra.
  destruct (heavy_ball_is_threshold n m ltac:(lra) high) as [T [angle t]].
  exists T. split; [exact (heavy_ball_angle_printed m n T angle)|].
  rewrite <- (heavy_ball_gain_quotient m n T m1 (delay_positive n delay) angle).
  rewrite Rmin_comm, (Rplus_comm 1 m). exact t.
Qed.

Theorem heavy_ball_delay_1 : heavy_ball_delay_1_statement.
Proof.
  intros n m one low high. assert (m1 : -1 < m < 1) by lra. rewrite (delay_one n one).
  destruct (heavy_ball_is_threshold 1 m ltac:(lra) high) as [T [angle t]].
  unfold heavy_ball_threshold in t. simpl Nat.even in t. cbn iota in t.
  rewrite (heavy_ball_gain_quotient m 1 T m1 (le_n _) angle) in t. simpl INR in t.
  rewrite Rmult_1_r in t. destruct (T_bounds m 1 T m1 (le_n _) angle) as [T0 TN]. simpl in TN.
  assert (0 < sin T) by (apply sin_gt_0; lra).
  replace ((1 - m) * sin T / sin T) with (1 - m) in t by (field; lra). exact t.
Qed.

(** ** Gradients that are mostly fresh *)

Theorem mostly_fresh_read : mostly_fresh_read_statement.
Proof. intros l h. apply mixed_is_threshold. lra. Qed.

(** ** Bounds of the effective rate *)

Lemma heavy_ball_of m n a : 0 <= m < 1 -> (1 <= n)%nat -> threshold (Loop.heavy_ball m n) a ->
  exists T, heavy_ball_angle m n T /\ a = (1 - m) * (sin T / sin (INR n * T)).
Proof.
  intros m1 n1 t. destruct (heavy_ball_is_threshold n m ltac:(lra) ltac:(lra)) as [T [angle s]].
  exists T. split; [exact angle|]. rewrite (threshold_unique _ _ _ t s).
  rewrite heavy_ball_threshold_gain by exact m1.
  rewrite (heavy_ball_gain_quotient m n T ltac:(lra) n1 angle), (Rmult_comm T). unfold Rdiv. ring.
Qed.

Theorem effective_heavy_ball_upper : effective_heavy_ball_upper_statement.
Proof.
  intros n m low high delay a t. pose proof (delay_positive n delay) as n1.
  destruct (heavy_ball_of m n a ltac:(lra) n1 t) as [T [angle ->]].
  pose proof (hb_effective_upper m n T ltac:(lra) n1 angle) as b. rewrite (Rplus_comm 2).
  replace (2 * (1 - m) * sin (PI / (4 * INR n + 2))) with ((1 - m) * (2 * sin (PI / (4 * INR n + 2))))
    by ring.
  apply Rmult_le_compat_l; lra.
Qed.

Theorem effective_heavy_ball_lower : effective_heavy_ball_lower_statement.
Proof.
  intros n m low high delay a t. pose proof (delay_positive n delay) as n1.
  destruct (heavy_ball_of m n a ltac:(lra) n1 t) as [T [angle ->]].
  pose proof (hb_effective_lower m n T ltac:(lra) n1 angle) as b.
  apply Rle_ge. unfold Rdiv at 1. apply Rmult_le_compat_l; lra.
Qed.

Lemma shifted_of m n a : 0 <= m < 1 -> threshold (Loop.shifted_momentum m n) a ->
  exists T, shifted_angle m n T /\ a = shifted_gain m n T.
Proof.
  intros m1 t. destruct (shifted_is_threshold n m ltac:(lra) ltac:(lra)) as [T [angle s]].
  exists T. split; [exact angle|]. exact (threshold_unique _ _ _ t s).
Qed.

Theorem effective_shifted_upper : effective_shifted_upper_statement.
Proof.
  intros n m low high delay a t. pose proof (delay_positive n delay) as n1.
  destruct (shifted_of m n a ltac:(lra) t) as [T [angle ->]].
  rewrite (shifted_gain_effective m n T ltac:(lra) n1 angle).
  pose proof (shifted_effective_upper m n T ltac:(lra) n1 angle) as b.
  replace (2 * (1 - m) / INR n) with ((1 - m) * (2 / INR n)) by (field; lra).
  apply Rmult_le_compat_l; lra.
Qed.

Theorem effective_shifted_lower : effective_shifted_lower_statement.
Proof.
  intros n m low high a t. apply Rle_ge. rewrite (Rplus_comm 2).
  replace (2 * (1 - m) * sin (PI / (4 * INR n + 2))) with ((1 - m) * (2 * sin (PI / (4 * INR n + 2))))
    by ring.
  destruct (Nat.eq_dec n 0) as [->|nz].
  - assert (u : threshold (Loop.shifted_momentum m 0) (2 * (1 + m))).
    { apply (shifted_momentum_delay_0 O m); simpl; lra. }
    rewrite (threshold_unique _ _ _ t u). simpl INR. replace (PI / (4 * 0 + 2)) with (PI / 2) by field.
    rewrite sin_PI2. lra.
  - destruct (shifted_of m n a ltac:(lra) t) as [T [angle ->]].
    rewrite (shifted_gain_effective m n T ltac:(lra) ltac:(lia) angle).
    pose proof (shifted_effective_lower m n T ltac:(lra) ltac:(lia) angle) as b.
    apply Rmult_le_compat_l; lra.
Qed.

Theorem effective_heavy_ball : effective_heavy_ball_statement.
Proof.
  intros n m low high delay. pose proof (delay_positive n delay) as n1. assert (m1 : 0 <= m < 1) by lra.
  destruct (ema_is_threshold n m ltac:(lra) high) as [T [angle t]]. exists T.
  destruct (hb_angle_below m n T m1 n1 angle) as [T0 TU]. pose proof PI_RGT_0.
  assert (N1 : 1 <= INR n) by lra. assert (e : (2 * INR n + 1) * (PI / (2 * INR n + 1)) = PI) by (field; lra).
  assert (pos : forall s, 0 < s <= T -> 0 < cos (s * (INR n - 1 / 2))) by (intros; apply cos_gt_0; nra).
  pose proof angle as [[_ TP] [eq below]]. simpl in eq. split.
  - repeat split.
    + exact T0.
    + rewrite (Rplus_comm 1). exact TU.
    + rewrite (Rplus_comm (1 / 2)), eq. pose proof (pos T ltac:(lra)). field. lra.
    + intros s b. specialize (below s b). simpl in below. pose proof (pos s ltac:(lra)) as c.
      rewrite (Rplus_comm (1 / 2)). apply Rmult_lt_reg_r with (cos (s * (INR n - 1 / 2))); [exact c|].
      replace (cos (s * (INR n + 1 / 2)) / cos (s * (INR n - 1 / 2)) * cos (s * (INR n - 1 / 2)))
        with (cos (s * (INR n + 1 / 2))) by (field; lra). exact below.
  - rewrite heavy_ball_threshold_gain, (heavy_ball_gain_quotient m n T ltac:(lra) n1 angle) in t by exact m1.
    replace (sin T / sin (T * INR n)) with ((1 - m) * sin T / sin (T * INR n) / (1 - m)); [exact t|].
    destruct (hb_sine m n T m1 n1 angle) as [S _]. rewrite (Rmult_comm (INR n)) in S.
    field. split; lra.
Qed.
