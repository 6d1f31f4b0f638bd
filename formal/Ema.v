(** * EMA momentum: heavy ball with the gain multiplied by 1 - m *)

Require Import Reals Lra Psatz.
From DelayStability Require Import Loop HeavyBall HeavyBallUnstable.
Open Scope R_scope.

Lemma threshold_scaled p k a : 0 < k -> threshold p a -> threshold (fun g => p (g * k)) (a / k).
Proof.
  intros k0 [a0 t]. split; [apply Rdiv_lt_0_compat; lra|]. intro g.
  change (stable (fun h => p (h * k)) g) with (stable p (g * k)). rewrite t.
  assert (e : a = a / k * k) by (field; lra). rewrite e at 1. split; intros [u v].
  - split; apply Rmult_lt_reg_r with k; lra.
  - split; [apply Rmult_lt_0_compat|apply Rmult_lt_compat_r]; lra.
Qed.

Lemma ema_is_heavy_ball m n g z : ema_momentum m n g z = heavy_ball m n (g * (1 - m)) z.
Proof. unfold ema_momentum, heavy_ball. now rewrite RtoC_mult, RtoC_minus. Qed.

Theorem ema_is_threshold : forall (tau : nat) (m : R), -1 < m -> m < 1 -> exists theta,
  heavy_ball_angle m tau theta /\
  threshold (ema_momentum m tau) (heavy_ball_threshold m tau theta / (1 - m)).
Proof.
  intros n m low high. destruct (heavy_ball_is_threshold n m low high) as [T [angle t]].
  exists T. split; [exact angle|].
  destruct (threshold_scaled _ (1 - m) _ ltac:(lra) t) as [a0 s]. split; [exact a0|].
  intro g. rewrite <- s. split; intros h z e; apply h; rewrite <- e; [|symmetry];
  apply ema_is_heavy_ball.
Qed.
