(** * How sharp the thresholds of averaged momentum and the effective rates are *)

Require Import Reals Lra Lia Psatz.
From Coquelicot Require Import Coquelicot.
From DelayStability Require Import Loop Branch Sgd Bounds Ema Nesterov MixedRead Effective
  MomentumOne Printed Variants Sharpness.
From DelayStability Require Theorems.
Open Scope R_scope.

(** ** EMA momentum: with momentum 1 the value is 0 *)

Lemma ema_momentum_factor_false : ~ ema_momentum_factor.
Proof.
  intro h. destruct (h 1%nat 0 ltac:(lra) ltac:(lra)) as [T [aT t]].
  destruct (Theorems.ema_momentum 1%nat 0 ltac:(lra) ltac:(lra)) as [S [aS s]]. same_angle T S aT aS.
  apply (not_twice _ _ _ s t). unfold factor. simpl Nat.even. cbn iota. field.
Qed.

Lemma ema_momentum_closed_1_false : ~ ema_momentum_closed_1.
Proof.
  intro h. destruct (h O (-1) ltac:(lra) ltac:(lra)) as [T [_ [p _]]]. simpl Nat.even in p. cbn iota in p.
  match type of p with _ < Rmin ?a ?b / _ => pose proof (Rmin_l a b) end. lra.
Qed.

Lemma ema_momentum_closed_2_false : ~ ema_momentum_closed_2.
Proof. intro h. destruct (h O 1 ltac:(lra) ltac:(lra)) as [T [_ [p _]]]. no_value p. Qed.

Lemma adam_frozen_factor_false : ~ adam_frozen_factor.
Proof.
  intro h. destruct (h 1%nat 0 ltac:(lra) ltac:(lra)) as [T [aT t]].
  destruct (Theorems.adam_frozen 1%nat 0 ltac:(lra) ltac:(lra)) as [S [aS s]]. same_angle T S aT aS.
  apply (not_twice _ _ _ s t). unfold factor. field.
Qed.

Lemma adam_frozen_closed_1_false : ~ adam_frozen_closed_1.
Proof. intro h. destruct (h O 1 ltac:(lra) ltac:(lra)) as [T [_ [p _]]]. no_value p. Qed.

Lemma adam_frozen_delay_0_factor_false : ~ adam_frozen_delay_0_factor.
Proof.
  intro h. apply (not_twice _ _ _ (Theorems.adam_frozen_delay_0 O 0 ltac:(lra) ltac:(lra) eq_refl)
    (h O 0 ltac:(lra) ltac:(lra) eq_refl)). unfold factor. field.
Qed.

Lemma adam_frozen_delay_0_closed_1_false : ~ adam_frozen_delay_0_closed_1.
Proof. intro h. destruct (h O 1 ltac:(lra) ltac:(lra) eq_refl) as [p _]. no_value p. Qed.

(** ** Effective rates *)

Lemma effective_heavy_ball_factor_false : ~ effective_heavy_ball_factor.
Proof.
  intro h. destruct (h 1%nat 0 ltac:(lra) ltac:(lra) ltac:(simpl; lra)) as [T [aT t]].
  destruct (Theorems.effective_heavy_ball 1%nat 0 ltac:(lra) ltac:(lra) ltac:(simpl; lra)) as [S [aS s]].
  same_angle T S aT aS. apply (not_twice _ _ _ s t). unfold factor. destruct s as [s0 _].
  assert (sin (S * INR 1) <> 0) by (intro e; rewrite e in s0; unfold Rdiv in s0; rewrite Rinv_0 in s0; lra).
  field. assumption.
Qed.

(** With momentum 1 the gain does not move the root 1. *)
Lemma effective_heavy_ball_closed_1_false : ~ effective_heavy_ball_closed_1.
Proof.
  intro h. destruct (h 1%nat 1 ltac:(lra) ltac:(lra) ltac:(simpl; lra)) as [T [_ t]].
  set (a := sin T / sin (T * INR 1)) in *. apply (outside _ (a / 2) (RtoC 1) a t).
  - unfold ema_momentum. simpl Cpow. ring.
  - exact Cmod_one.
  - destruct t. lra.
Qed.

Lemma effective_heavy_ball_moved_1_false : ~ effective_heavy_ball_moved_1.
Proof.
  intro h. destruct (h O 0 ltac:(lra) ltac:(lra) ltac:(simpl; lra)) as [T [_ [p _]]]. simpl INR in p.
  rewrite Rmult_0_r, sin_0 in p. no_value p.
Qed.

Lemma effective_heavy_ball_upper_factor_false : ~ effective_heavy_ball_upper_factor.
Proof.
  intro h. pose proof (Theorems.sgd 1%nat) as t. pose proof (h 1%nat 0 ltac:(lra) ltac:(lra) ltac:(simpl; lra)
    _ (without_momentum _ _ t)) as b. destruct t as [p _]. lra.
Qed.

(** Without delay the threshold is 2 (1 + m). *)
Lemma effective_heavy_ball_upper_moved_1_false : ~ effective_heavy_ball_upper_moved_1.
Proof.
  intro h. pose proof (h O (1 / 2) ltac:(lra) ltac:(lra) ltac:(simpl; lra) _
    (heavy_ball_undelayed (1 / 2) ltac:(lra))) as b.
  pose proof (SIN_bound (PI / (2 + 4 * INR 0))). nra.
Qed.

Lemma effective_heavy_ball_upper_strict_1_false : ~ effective_heavy_ball_upper_strict_1.
Proof.
  intro h. pose proof (h 1%nat 0 ltac:(lra) ltac:(lra) ltac:(simpl; lra)
    _ (without_momentum _ _ (Theorems.sgd 1%nat))). lra.
Qed.

Lemma effective_heavy_ball_lower_factor_false : ~ effective_heavy_ball_lower_factor.
Proof.
  intro h. pose proof (h 1%nat 0 ltac:(lra) ltac:(lra) ltac:(simpl; lra)
    _ (Theorems.heavy_ball_delay_1 1%nat 0 eq_refl ltac:(lra) ltac:(lra))) as b. simpl INR in b. lra.
Qed.

(** With momentum 1 the bound is 0. *)
Lemma effective_heavy_ball_lower_closed_1_true : effective_heavy_ball_lower_closed_1.
Proof.
  intros n m low high delay a t. destruct (Rle_lt_or_eq_dec m 1 ltac:(lra)) as [l|e].
  { exact (Theorems.effective_heavy_ball_lower n m low l delay a t). }
  rewrite e, Rminus_diag_eq by reflexivity. unfold Rdiv. rewrite Rmult_0_l. destruct t. lra.
Qed.

(** Rocq divides by 0, with the value 0. *)
Lemma effective_heavy_ball_lower_moved_1_true : effective_heavy_ball_lower_moved_1.
Proof.
  intros n m low high delay a t. destruct n as [|n].
  - simpl INR. unfold Rdiv. rewrite Rinv_0, Rmult_0_r. destruct t. lra.
  - apply (Theorems.effective_heavy_ball_lower (S n) m low high); [|exact t]. rewrite S_INR.
    pose proof (pos_INR n). lra.
Qed.

Lemma effective_heavy_ball_lower_strict_1_false : ~ effective_heavy_ball_lower_strict_1.
Proof.
  intro h. pose proof (h 1%nat 0 ltac:(lra) ltac:(lra) ltac:(simpl; lra)
    _ (Theorems.heavy_ball_delay_1 1%nat 0 eq_refl ltac:(lra) ltac:(lra))) as b. simpl INR in b. lra.
Qed.

Lemma effective_shifted_lower_factor_false : ~ effective_shifted_lower_factor.
Proof.
  intro h. pose proof (Theorems.sgd O) as t. pose proof (h O 0 ltac:(lra) ltac:(lra)
    _ (without_shifted_momentum _ _ t)) as b. destruct t as [p _]. lra.
Qed.

Lemma effective_shifted_lower_closed_1_true : effective_shifted_lower_closed_1.
Proof.
  intros n m low high a t. destruct (Rle_lt_or_eq_dec m 1 ltac:(lra)) as [l|e].
  { exact (Theorems.effective_shifted_lower n m low l a t). }
  rewrite e, Rminus_diag_eq by reflexivity. rewrite Rmult_0_r, Rmult_0_l. destruct t. lra.
Qed.

Lemma effective_shifted_lower_strict_1_false : ~ effective_shifted_lower_strict_1.
Proof.
  intro h. pose proof (h O 0 ltac:(lra) ltac:(lra) _ (without_shifted_momentum _ _ (Theorems.sgd O))). lra.
Qed.

(** With delay 1 the threshold is 1 - m^2, close to 2 (1 - m) for momentum close to 1. *)
Lemma effective_shifted_upper_factor_false : ~ effective_shifted_upper_factor.
Proof.
  intro h. set (m := 9999999999 / 10000000000).
  pose proof (Theorems.shifted_momentum_delay_1 1%nat m ltac:(unfold m; lra) ltac:(unfold m; lra) eq_refl) as t.
  pose proof (h 1%nat m ltac:(unfold m; lra) ltac:(unfold m; lra) ltac:(simpl; lra) _ t) as b.
  simpl INR in b. unfold m in b. lra.
Qed.

(** Without delay the bound is 0, as Rocq divides by 0. *)
Lemma effective_shifted_upper_moved_1_false : ~ effective_shifted_upper_moved_1.
Proof.
  intro h. pose proof (Theorems.shifted_momentum_delay_0 O 0 ltac:(lra) ltac:(lra) eq_refl) as t.
  pose proof (h O 0 ltac:(lra) ltac:(lra) ltac:(simpl; lra) _ t) as b. destruct t as [p _].
  simpl INR in b. unfold Rdiv in b. rewrite Rinv_0 in b. lra.
Qed.

Lemma effective_shifted_upper_strict_1_true : effective_shifted_upper_strict_1.
Proof.
  intros n m low high delay a t. pose proof (delay_positive n delay) as n1.
  destruct (shifted_of m n a ltac:(lra) t) as [T [angle ->]].
  rewrite (shifted_gain_effective m n T ltac:(lra) n1 angle).
  pose proof (shifted_effective_below m n T ltac:(lra) n1 angle) as b.
  replace (2 * (1 - m) / INR n) with ((1 - m) * (2 / INR n)) by (field; lra).
  apply Rmult_lt_compat_l; lra.
Qed.

Lemma effective_shifted_factor_false : ~ effective_shifted_factor.
Proof.
  intro h. destruct (h 1%nat 0 ltac:(lra) ltac:(lra) ltac:(simpl; lra)) as [T [aT t]].
  destruct (Theorems.effective_shifted 1%nat 0 ltac:(lra) ltac:(lra) ltac:(simpl; lra)) as [S [aS s]].
  same_angle T S aT aS. apply (not_twice _ _ _ s t). unfold factor. lra.
Qed.

Lemma effective_shifted_closed_1_false : ~ effective_shifted_closed_1.
Proof.
  intro h. destruct (h 1%nat 1 ltac:(lra) ltac:(lra) ltac:(simpl; lra)) as [T [_ [p _]]].
  rewrite Rminus_diag_eq, Rmult_0_l in p by reflexivity. lra.
Qed.

(** Without delay the quotient is 1, or what Rocq makes of 0/0. *)
Lemma effective_shifted_moved_1_false : ~ effective_shifted_moved_1.
Proof.
  intro h. destruct (h O (1 / 2) ltac:(lra) ltac:(lra) ltac:(simpl; lra)) as [T [[_ [e _]] _]]. simpl in e.
  replace (T * (1 / 2 + 0)) with (T / 2) in e by field. destruct (Req_dec (cos (T / 2)) 0) as [z|nz].
  - rewrite z in e. unfold Rdiv in e. lra.
  - replace (cos (T / 2) / cos (T / 2)) with 1 in e by (field; exact nz). lra.
Qed.

(** With momentum 1 no gain is stable, so that nothing is claimed. *)
Lemma effective_heavy_ball_upper_closed_1_true : effective_heavy_ball_upper_closed_1.
Proof.
  intros n m low high delay a t. destruct (Rle_lt_or_eq_dec m 1 ltac:(lra)) as [l|e].
  { now apply (Theorems.effective_heavy_ball_upper n m low l delay). }
  subst m. destruct (no_threshold _ _ t (heavy_ball_momentum_one n)).
Qed.

Lemma effective_shifted_upper_closed_1_true : effective_shifted_upper_closed_1.
Proof.
  intros n m low high delay a t. destruct (Rle_lt_or_eq_dec m 1 ltac:(lra)) as [l|e].
  { now apply (Theorems.effective_shifted_upper n m low l delay). }
  subst m. destruct (no_threshold _ _ t (shifted_momentum_one n)).
Qed.
