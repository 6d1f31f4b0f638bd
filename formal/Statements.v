(** * What the theorems state: printed from the registry, not written by hand *)

Require Import Reals.
From Coquelicot Require Import Coquelicot.
From DelayStability Require Import Loop.
Open Scope R_scope.

Definition sgd_statement : Prop :=
  forall tau : nat,
  threshold (sgd tau) (2 * sin (PI / (2 + 4 * INR tau))).

Definition sgd_upper_bound_statement : Prop :=
  forall tau : nat,
  forall a_star : R, threshold (sgd tau) a_star ->
  a_star <= PI / (1 + 2 * INR tau).

Definition sgd_lower_bound_statement : Prop :=
  forall tau : nat,
  forall a_star : R, threshold (sgd tau) a_star ->
  a_star >= PI / (1 + 2 * INR tau) - PI ^ 3 / (24 * (1 + 2 * INR tau) ^ 3).

Definition sgd_long_delay_statement : Prop :=
  forall a_star : nat -> R, (forall tau : nat, threshold (sgd tau) (a_star tau)) ->
  is_lim_seq (fun tau : nat => a_star tau * (1 + 2 * INR tau))
    (Finite PI).

Definition heavy_ball_statement : Prop :=
  forall tau : nat,
  forall m : R,
  m > -1 ->
  m < 1 ->
  exists theta : R, first_root
    (fun theta : R => cos (theta * (1 / 2 + INR tau)))
    (fun theta : R => m * cos (theta * (INR tau - 1 / 2)))
    PI theta /\
  threshold (heavy_ball m tau) (if Nat.even tau then Rmin (2 * (1 + m)) (2 * sin (theta / 2) * sqrt ((1 - m) ^ 2 + 4 * m * sin (theta / 2) ^ 2)) else 2 * sin (theta / 2) * sqrt ((1 - m) ^ 2 + 4 * m * sin (theta / 2) ^ 2)).

Definition ema_momentum_statement : Prop :=
  forall tau : nat,
  forall m : R,
  m > -1 ->
  m < 1 ->
  exists theta : R, first_root
    (fun theta : R => cos (theta * (1 / 2 + INR tau)))
    (fun theta : R => m * cos (theta * (INR tau - 1 / 2)))
    PI theta /\
  threshold (ema_momentum m tau) ((if Nat.even tau then Rmin (2 * (1 + m)) (2 * sin (theta / 2) * sqrt ((1 - m) ^ 2 + 4 * m * sin (theta / 2) ^ 2)) else 2 * sin (theta / 2) * sqrt ((1 - m) ^ 2 + 4 * m * sin (theta / 2) ^ 2)) / (1 - m)).

Definition adam_frozen_statement : Prop :=
  forall tau : nat,
  forall m : R,
  m >= 0 ->
  m < 1 ->
  exists theta : R, first_root
    (fun theta : R => cos (theta * (1 / 2 + INR tau)))
    (fun theta : R => m * cos (theta * (INR tau - 1 / 2)))
    PI theta /\
  threshold (ema_momentum m tau) ((2 * sin (theta / 2) * sqrt ((1 - m) ^ 2 + 4 * m * sin (theta / 2) ^ 2)) / (1 - m)).

Definition adjustment_statement : Prop :=
  forall (before after : loop) (a_1 a_2 eta_1 eta_2 : R), 0 < eta_1 ->
  threshold before a_1 -> threshold after a_2 ->
  same_minima before eta_1 after eta_2 <->
  eta_2 = eta_1 * (a_2 / a_1).

Definition adjustment_sgd_statement : Prop :=
  forall (tau : nat) (eta_0 eta : R), 0 < eta_0 ->
  same_minima (sgd 0) eta_0 (sgd tau) eta <->
  eta = eta_0 * sin (PI / (2 + 4 * INR tau)).

Definition adjustment_sgd_upper_statement : Prop :=
  forall (tau : nat) (eta_0 eta : R), 0 < eta_0 ->
  same_minima (sgd 0) eta_0 (sgd tau) eta ->
  eta <= (PI * eta_0) / (2 * (1 + 2 * INR tau)).

Definition adjustment_sgd_lower_statement : Prop :=
  forall (tau : nat) (eta_0 eta : R), 0 < eta_0 ->
  same_minima (sgd 0) eta_0 (sgd tau) eta ->
  eta >= ((PI * eta_0) / (2 * (1 + 2 * INR tau))) * (1 - PI ^ 2 / (24 * (1 + 2 * INR tau) ^ 2)).
