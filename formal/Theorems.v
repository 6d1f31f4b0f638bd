(** * The theorems: each proves the statement that the registry prints *)

Require Import Reals Lra Lia Psatz.
From Coquelicot Require Import Coquelicot.
From DelayStability Require Import Loop Sgd Bounds HeavyBall HeavyBallUnstable Ema Shifted
  ShiftedUnstable ShiftedNegativeUnstable Nesterov NesterovThreshold ArbitraryDelaysUnstable
  ArbitraryBounds MixedRead MixedReadThreshold Effective OtherForms HeavyBallBounds
  HeavyBallLongDelay WeightDecay Printed Statements.
Open Scope R_scope.

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

Theorem any_sequence_sgd : any_sequence_sgd_statement.
Proof.
  intros n J. pose proof (arbitrary_is_threshold n) as t.
  replace (4 / (1 + J + INR n + sqrt ((1 + J + INR n) ^ 2 - 4 * J * (1 + J)))) with
    (arbitrary_threshold n); [exact t|].
  unfold arbitrary_threshold, J. rewrite plateau_printed. set (j := INR ((2 * n + 1) / 3)).
  now replace (INR n + 1 + j) with (1 + j + INR n) by ring; rewrite (Rplus_comm j 1).
Qed.

(** ** Short delays, and another form of the gain *)

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

Theorem heavy_ball_algebraic : heavy_ball_algebraic_statement.
Proof.
  intros n m delay low high. assert (m1 : -1 < m < 1) by lra. pose proof (delay_positive n delay) as n1.
  destruct (heavy_ball_is_threshold n m ltac:(lra) high) as [T [angle t]].
  exists T. split; [exact (heavy_ball_angle_algebraic m n T m1 n1 angle)|].
  rewrite <- (heavy_ball_gain_algebraic m n T m1 n1 angle), Rmin_comm, (Rplus_comm 1 m). exact t.
Qed.

Theorem heavy_ball_tangent : heavy_ball_tangent_statement.
Proof.
  intros n m delay low high. assert (m1 : -1 < m < 1) by lra. pose proof (delay_positive n delay) as n1.
  destruct (heavy_ball_is_threshold n m ltac:(lra) high) as [T [angle t]].
  exists (tan (T / 2)). split; [exact (heavy_ball_angle_tangent m n T m1 n1 angle)|].
  rewrite <- (heavy_ball_gain_tangent m n T m1 n1 angle), Rmin_comm, (Rplus_comm 1 m). exact t.
Qed.

Theorem heavy_ball_delay_2 : heavy_ball_delay_2_statement.
Proof.
  intros n m two low high. assert (m1 : -1 < m < 1) by lra. rewrite (delay_two n two).
  destruct (heavy_ball_is_threshold 2 m ltac:(lra) high) as [T [angle t]].
  rewrite (heavy_ball_threshold_delay_2 m T m1 angle) in t. exact t.
Qed.

(** ** Gradients that are in part fresh *)

Theorem mostly_fresh_read : mostly_fresh_read_statement.
Proof. intros l h. apply mixed_is_threshold. lra. Qed.

Theorem mixed_read : mixed_read_statement.
Proof.
  intros n l low delay. exact (mixed_read_is_threshold l n low (delay_positive n delay)).
Qed.

(** ** Weight decay *)

Theorem weight_decay : weight_decay_statement.
Proof.
  intros n c low high. destruct (decay_angle_exists c n ltac:(lra)) as [T angle].
  exists T. split; [exact angle|]. exact (decay_printed c n T ltac:(lra) angle).
Qed.

Theorem weight_decay_raises : weight_decay_raises_statement.
Proof.
  intros n c delay low high a t. apply Rle_ge.
  exact (decay_maximum c n a ltac:(lra) (delay_positive n delay) t).
Qed.

(** ** Bounds of the effective rate *)

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

(** ** Other forms and bounds of heavy ball *)

Theorem heavy_ball_parametric : heavy_ball_parametric_statement.
Proof.
  intros n m delay low high. assert (m1 : -1 < m < 1) by lra.
  destruct (heavy_ball_is_threshold n m ltac:(lra) high) as [T [angle t]].
  exists T. split; [exact (heavy_ball_angle_printed m n T angle)|].
  rewrite <- (heavy_ball_gain_parametric m n T m1 (delay_positive n delay) angle).
  rewrite Rmin_comm, (Rplus_comm 1 m). exact t.
Qed.

Theorem heavy_ball_even_delay : heavy_ball_even_delay_statement.
Proof.
  intros n m even low high. assert (m1 : -1 < m < 1) by lra.
  destruct (heavy_ball_is_threshold n m ltac:(lra) high) as [T [angle t]].
  exists T. split; [exact (heavy_ball_angle_printed m n T angle)|].
  rewrite (heavy_ball_even_threshold m n T m1 even angle) in t. exact t.
Qed.

Theorem heavy_ball_long_delay : heavy_ball_long_delay_statement.
Proof. intros m low high a t. apply heavy_ball_long_delay_limit; [lra|exact t]. Qed.

Theorem heavy_ball_lower_bound : heavy_ball_lower_bound_statement.
Proof.
  intros n m low high Q a t. apply Rle_ge. unfold Q. rewrite (Rplus_comm 2).
  exact (proj1 (heavy_ball_between m n a ltac:(lra) t)).
Qed.

Theorem heavy_ball_upper_bound : heavy_ball_upper_bound_statement.
Proof.
  intros n m low high Q a t. unfold Q. rewrite (Rplus_comm (_ / 3)).
  exact (proj2 (heavy_ball_between m n a ltac:(lra) t)).
Qed.

Theorem any_sequence_sgd_upper_bound : any_sequence_sgd_upper_bound_statement.
Proof. intros n a t. rewrite (any_sequence_of n a t), (Rplus_comm 1). apply arbitrary_threshold_upper. Qed.

Theorem any_sequence_sgd_lower_bound : any_sequence_sgd_lower_bound_statement.
Proof. intros n a t. rewrite (any_sequence_of n a t). apply Rle_ge, arbitrary_threshold_lower. Qed.

Theorem effective_shifted : effective_shifted_statement.
Proof.
  intros n m low high delay. pose proof (delay_positive n delay) as n1. assert (m1 : 0 <= m < 1) by lra.
  destruct (shifted_is_threshold n m ltac:(lra) high) as [T [angle t]]. exists T.
  split; [exact (shifted_angle_quotient m n T m1 n1 angle)|].
  rewrite (shifted_gain_sines m n T m1 n1 angle) in t. exact t.
Qed.
