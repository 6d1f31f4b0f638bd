(** * How sharp the threshold with weight decay is: it holds too if all of the weights decay *)

Require Import Reals Lra Lia Psatz.
From DelayStability Require Import Loop WeightDecay Printed Variants Sharpness.
From DelayStability Require Theorems.
Open Scope R_scope.

Lemma weight_decay_factor_false : ~ weight_decay_factor.
Proof.
  intro h. destruct (h 1%nat 0 ltac:(lra) ltac:(lra)) as [T [aT t]].
  destruct (Theorems.weight_decay 1%nat 0 ltac:(lra) ltac:(lra)) as [S [aS s]]. same_angle T S aT aS.
  pose proof (decayed_threshold_unique _ _ _ s t) as e. destruct s as [p _]. lra.
Qed.

Lemma weight_decay_closed_1_true : weight_decay_closed_1.
Proof.
  intros n c low high. destruct (decay_angle_exists c n ltac:(lra)) as [T angle].
  exists T. split; [exact angle|]. exact (decay_printed c n T ltac:(lra) angle).
Qed.

(** Without decay the threshold is that of SGD. *)
Lemma without_decay n a : threshold (sgd n) a -> decayed_threshold (decayed_sgd 0 n) a.
Proof.
  intros [a0 t]. split; [exact a0|]. intros g g0.
  assert (same : forall z, decayed_sgd 0 n g z = sgd n g z).
  { intro z. unfold decayed_sgd, sgd. ring. }
  assert (e : stable (decayed_sgd 0 n) g <-> stable (sgd n) g)
    by (split; intros h z q; apply h; rewrite <- q; [|symmetry]; apply same).
  rewrite e, t. lra.
Qed.

Lemma weight_decay_raises_factor_false : ~ weight_decay_raises_factor.
Proof.
  intro h. pose proof (Theorems.sgd 1%nat) as t.
  pose proof (h 1%nat 0 ltac:(simpl; lra) ltac:(lra) ltac:(lra) _ (without_decay _ _ t)) as b.
  destruct t as [p _]. rewrite Rmax_right in b by lra. lra.
Qed.

Lemma weight_decay_raises_closed_1_true : weight_decay_raises_closed_1.
Proof.
  intros n c delay low high a t. apply Rle_ge.
  exact (decay_maximum c n a ltac:(lra) (delay_positive n delay) t).
Qed.

Lemma weight_decay_raises_strict_1_false : ~ weight_decay_raises_strict_1.
Proof.
  intro h. pose proof (Theorems.sgd 1%nat) as t.
  pose proof (h 1%nat 0 ltac:(simpl; lra) ltac:(lra) ltac:(lra) _ (without_decay _ _ t)) as b.
  destruct t as [p _]. rewrite Rmax_right in b by lra. lra.
Qed.

(** Without delay decay lowers the threshold: 2 - c. *)
Lemma weight_decay_raises_moved_1_false : ~ weight_decay_raises_moved_1.
Proof.
  intro h. destruct (decay_angle_exists (1 / 2) 0 ltac:(lra)) as [T angle].
  pose proof (decay_is_threshold (1 / 2) 0 T ltac:(lra) angle) as t.
  pose proof (h O (1 / 2) ltac:(simpl; lra) ltac:(lra) ltac:(lra) _ t) as b. simpl INR in b.
  replace (PI / (2 + 4 * 0)) with (PI / 2) in b by field. rewrite sin_PI2 in b.
  pose proof (Rmax_r (1 / 2) (2 * 1)) as m.
  destruct (decay_gain_facts (1 / 2) 0 T ltac:(lra) angle) as [_ [gg _]].
  pose proof (COS_bound T) as [k _]. nra.
Qed.
