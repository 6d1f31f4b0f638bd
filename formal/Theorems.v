(** * The theorems: each proves the statement that the registry prints *)

Require Import Reals Lra Lia Psatz.
From Coquelicot Require Import Coquelicot.
From DelayStability Require Import Loop Sgd Bounds HeavyBall Ema Statements.
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
