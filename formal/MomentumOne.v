(** * Momentum 1: no gain is stable, with any delay

    At 1 the derivative of the polynomial equals its value, which is too little for roots inside. *)

Require Import Reals Lra Lia Psatz List.
From Coquelicot Require Import Coquelicot.
From DelayStability Require Import Loop FundamentalTheorem Recursion RootsInside.
Import ListNotations.
Open Scope R_scope.

Local Arguments Cmod x%C_scope.

Lemma momentum_one_outside n (p : list C) : length p = S (S (S n)) -> leading p <> RtoC 0 ->
  (RtoC 1 * derivative p (RtoC 1))%C = value p (RtoC 1) -> ~ (forall z, value p z = RtoC 0 -> Cmod z < 1).
Proof.
  intros len lead same.
  apply (root_outside (S (S n)) p (RtoC 1) (value p (RtoC 1)) (value p (RtoC 1))); auto.
  - lia.
  - unfold squared_modulus. simpl. ring.
  - rewrite !S_INR. pose proof (pos_INR n). unfold squared_modulus. apply Rmult_le_compat_r; [|lra].
    apply Rplus_le_le_0_compat; exact (Rle_0_sqr _).
Qed.

Lemma heavy_ball_momentum_one n a : ~ stable (heavy_ball 1 n) a.
Proof.
  intro st. apply (momentum_one_outside n
    (added (late n [RtoC 1; RtoC (-2); RtoC 1]) [RtoC 0; RtoC a])).
  - rewrite added_length; rewrite late_length; simpl; lia.
  - rewrite added_leading, late_leading; [|discriminate|rewrite late_length; simpl; lia].
    unfold leading. simpl. exact one_not_zero.
  - rewrite derivative_added, Cmult_plus_distr_l, derivative_late, value_added, value_late, power_of_one.
    simpl. unfold Cplus, Cmult, RtoC. simpl. apply pair_equal_spec. split; ring.
  - intros z e. apply st. rewrite <- e, value_added, value_late. unfold heavy_ball. simpl.
    replace (RtoC (-2)) with (- RtoC 1 - RtoC 1)%C; [ring|].
    unfold Cminus, Copp, Cplus, RtoC. simpl. apply pair_equal_spec. split; ring.
Qed.

Lemma shifted_momentum_one n a : ~ stable (shifted_momentum 1 n) a.
Proof.
  intro st. apply (momentum_one_outside n
    (added (late (S n) [(- RtoC 1)%C; RtoC 1]) [RtoC 1; RtoC (a - 1)])).
  - rewrite added_length; rewrite late_length; simpl; lia.
  - rewrite added_leading, late_leading; [|discriminate|rewrite late_length; simpl; lia].
    unfold leading. simpl. exact one_not_zero.
  - rewrite derivative_added, Cmult_plus_distr_l, derivative_late, value_added, value_late, power_of_one.
    simpl value. simpl derivative. unfold Cplus, Cmult, Copp, RtoC. simpl. apply pair_equal_spec. split; ring.
  - intros z e. apply st. rewrite <- e, value_added, value_late. unfold shifted_momentum. simpl.
    rewrite RtoC_minus. ring.
Qed.

Lemma no_threshold p a : threshold p a -> (forall gain, ~ stable p gain) -> False.
Proof. intros [a0 t] none. apply (none (a / 2)), t. lra. Qed.
