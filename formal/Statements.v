(** * What the theorems state: printed from the registry, not written by hand *)

Require Import Reals.
From Coquelicot Require Import Coquelicot.
From DelayStability Require Import Loop Chebyshev ArbitraryDelays MixedRead.
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

Definition any_sequence_sgd_statement : Prop :=
  forall tau : nat,
  let J := IZR (Int_part ((1 + 2 * INR tau) / 3)) in
  sequence_threshold tau (4 / (1 + J + INR tau + sqrt ((1 + J + INR tau) ^ 2 - 4 * J * (1 + J)))).

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

Definition heavy_ball_quotient_statement : Prop :=
  forall tau : nat,
  forall m : R,
  INR tau >= 1 ->
  m > -1 ->
  m < 1 ->
  exists theta : R, first_root
    (fun theta : R => cos (theta * (1 / 2 + INR tau)))
    (fun theta : R => m * cos (theta * (INR tau - 1 / 2)))
    PI theta /\
  threshold (heavy_ball m tau) (if Nat.even tau then Rmin (2 * (1 + m)) (((1 - m) * sin theta) / sin (theta * INR tau)) else ((1 - m) * sin theta) / sin (theta * INR tau)).

Definition heavy_ball_delay_0_statement : Prop :=
  forall tau : nat,
  forall m : R,
  INR tau = 0 ->
  m > -1 ->
  m < 1 ->
  threshold (heavy_ball m tau) (2 * (1 + m)).

Definition heavy_ball_delay_1_statement : Prop :=
  forall tau : nat,
  forall m : R,
  INR tau = 1 ->
  m > -1 ->
  m < 1 ->
  threshold (heavy_ball m tau) (1 - m).

Definition shifted_momentum_delay_0_statement : Prop :=
  forall tau : nat,
  forall m : R,
  m > -1 ->
  m < 1 ->
  INR tau = 0 ->
  threshold (shifted_momentum m tau) (2 * (1 + m)).

Definition nesterov_statement : Prop :=
  forall tau : nat,
  forall m : R,
  m >= 0 ->
  m < 1 ->
  exists theta : R, first_root
    (fun theta : R => (1 + m + m ^ 2) * cos (theta * (1 / 2 + INR tau)) - m * cos (theta * (3 / 2 + INR tau)) - m * (1 + m) * cos (theta * (INR tau - 1 / 2)))
    (fun theta : R => 0)
    PI theta /\
  threshold (nesterov m tau) (2 * sin (theta / 2) * sqrt (((1 - m) ^ 2 + 4 * m * sin (theta / 2) ^ 2) / (1 + 4 * m * (1 + m) * sin (theta / 2) ^ 2))).

Definition nesterov_delay_0_statement : Prop :=
  forall tau : nat,
  forall m : R,
  m >= 0 ->
  m < 1 ->
  INR tau = 0 ->
  threshold (nesterov m tau) ((2 * (1 + m)) / (1 + 2 * m)).

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

Definition adam_frozen_delay_0_statement : Prop :=
  forall tau : nat,
  forall m : R,
  m >= 0 ->
  m < 1 ->
  INR tau = 0 ->
  threshold (ema_momentum m tau) ((2 * (1 + m)) / (1 - m)).

Definition effective_heavy_ball_statement : Prop :=
  forall tau : nat,
  forall m : R,
  m >= 0 ->
  m < 1 ->
  INR tau >= 1 ->
  exists theta : R, first_root
    (fun theta : R => cos (theta * (1 / 2 + INR tau)) / cos (theta * (INR tau - 1 / 2)))
    (fun theta : R => m)
    (PI / (1 + 2 * INR tau)) theta /\
  threshold (ema_momentum m tau) (sin theta / sin (theta * INR tau)).

Definition effective_heavy_ball_upper_statement : Prop :=
  forall tau : nat,
  forall m : R,
  m >= 0 ->
  m < 1 ->
  INR tau >= 1 ->
  forall a_star : R, threshold (heavy_ball m tau) a_star ->
  a_star <= 2 * (1 - m) * sin (PI / (2 + 4 * INR tau)).

Definition effective_heavy_ball_lower_statement : Prop :=
  forall tau : nat,
  forall m : R,
  m >= 0 ->
  m < 1 ->
  INR tau >= 1 ->
  forall a_star : R, threshold (heavy_ball m tau) a_star ->
  a_star >= (1 - m) / INR tau.

Definition effective_shifted_lower_statement : Prop :=
  forall tau : nat,
  forall m : R,
  m >= 0 ->
  m < 1 ->
  forall a_star : R, threshold (shifted_momentum m tau) a_star ->
  a_star >= 2 * (1 - m) * sin (PI / (2 + 4 * INR tau)).

Definition effective_shifted_upper_statement : Prop :=
  forall tau : nat,
  forall m : R,
  m >= 0 ->
  m < 1 ->
  INR tau >= 1 ->
  forall a_star : R, threshold (shifted_momentum m tau) a_star ->
  a_star <= (2 * (1 - m)) / INR tau.

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

Definition mostly_fresh_read_statement : Prop :=
  forall l : R,
  l > 1 / 2 ->
  mixed_sequence_threshold l (Rmin 2 (2 / (2 * l - 1))).

Definition shifted_momentum_statement : Prop :=
  forall tau : nat,
  forall m : R,
  m > -1 ->
  m < 1 ->
  exists theta : R, first_root
    (fun theta : R => cos (theta * (1 / 2 + INR tau)))
    (fun theta : R => m * cos (theta / 2))
    PI theta /\
  threshold (shifted_momentum m tau) (2 * sin (theta / 2) * sqrt ((1 - m) ^ 2 + 4 * m * sin (theta * (1 + INR tau) / 2) ^ 2)).

Definition shifted_momentum_parametric_statement : Prop :=
  forall tau : nat,
  forall m : R,
  m > -1 ->
  m < 1 ->
  INR tau >= 1 ->
  exists theta : R, first_root
    (fun theta : R => cos (theta * (1 / 2 + INR tau)) / cos (theta / 2))
    (fun theta : R => m)
    (PI / (1 + INR tau)) theta /\
  threshold (shifted_momentum m tau) (2 * tan (theta / 2) * sin (theta * (1 + INR tau))).

Definition shifted_momentum_delay_1_statement : Prop :=
  forall tau : nat,
  forall m : R,
  m > -1 ->
  m < 1 ->
  INR tau = 1 ->
  threshold (shifted_momentum m tau) (1 - m ^ 2).

Definition any_sequence_sgd_upper_bound_statement : Prop :=
  forall tau : nat,
  forall a_star : R, sequence_threshold tau a_star ->
  a_star <= 3 / (1 + 2 * INR tau).

Definition any_sequence_sgd_lower_bound_statement : Prop :=
  forall tau : nat,
  forall a_star : R, sequence_threshold tau a_star ->
  a_star >= 3 / (1 / 2 + INR tau + sqrt (3 / 4 + (1 / 2 + INR tau) ^ 2)).

Definition heavy_ball_parametric_statement : Prop :=
  forall tau : nat,
  forall m : R,
  INR tau >= 1 ->
  m > -1 ->
  m < 1 ->
  exists theta : R, first_root
    (fun theta : R => cos (theta * (1 / 2 + INR tau)))
    (fun theta : R => m * cos (theta * (INR tau - 1 / 2)))
    PI theta /\
  threshold (heavy_ball m tau) (if Nat.even tau then Rmin (2 * (1 + m)) ((2 * sin theta * sin (theta / 2)) / cos (theta * (INR tau - 1 / 2))) else (2 * sin theta * sin (theta / 2)) / cos (theta * (INR tau - 1 / 2))).

Definition heavy_ball_even_delay_statement : Prop :=
  forall tau : nat,
  forall m : R,
  Nat.even tau = true ->
  m > -1 ->
  m < 1 ->
  exists theta : R, first_root
    (fun theta : R => cos (theta * (1 / 2 + INR tau)))
    (fun theta : R => m * cos (theta * (INR tau - 1 / 2)))
    PI theta /\
  threshold (heavy_ball m tau) (2 * (1 + m) * Rmin 1 (sin (theta / 2) ^ 2 / cos (theta * INR tau))).

Definition heavy_ball_long_delay_statement : Prop :=
  forall m : R,
  m > -1 ->
  m < 1 ->
  forall a_star : nat -> R, (forall tau : nat, threshold (heavy_ball m tau) (a_star tau)) ->
  is_lim_seq (fun tau : nat => INR tau * a_star tau)
    (Finite ((1 - m) * (PI / 2))).

Definition heavy_ball_lower_bound_statement : Prop :=
  forall tau : nat,
  forall m : R,
  m >= 0 ->
  m < 1 ->
  let Q := (4 * m * INR tau) / (1 - m) + 1 / sin (PI / (2 + 4 * INR tau)) ^ 2 in
  forall a_star : R, threshold (heavy_ball m tau) a_star ->
  a_star >= (2 * sqrt (4 * m + Q * (1 - m) ^ 2)) / Q.

Definition heavy_ball_upper_bound_statement : Prop :=
  forall tau : nat,
  forall m : R,
  m >= 0 ->
  m < 1 ->
  let Q := (2 + 4 * INR tau ^ 2) / 3 + 2 * INR tau * ((1 + m) / (1 - m)) in
  forall a_star : R, threshold (heavy_ball m tau) a_star ->
  a_star <= (2 * sqrt (4 * m + Q * (1 - m) ^ 2)) / Q.

Definition effective_shifted_statement : Prop :=
  forall tau : nat,
  forall m : R,
  m >= 0 ->
  m < 1 ->
  INR tau >= 1 ->
  exists theta : R, first_root
    (fun theta : R => cos (theta * (1 / 2 + INR tau)) / cos (theta / 2))
    (fun theta : R => m)
    (PI / (1 + 2 * INR tau)) theta /\
  threshold (shifted_momentum m tau) ((1 - m) * (sin (theta * (2 + INR tau) / 2) / sin (theta * INR tau / 2) - 1)).

Definition mixed_read_statement : Prop :=
  forall tau : nat,
  forall l : R,
  l < 1 / 2 ->
  INR tau >= 1 ->
  exists theta : R, first_root
    (fun theta : R => l * cos (theta / 2) + (1 - l) * cos (theta * (1 / 2 + INR tau)))
    (fun theta : R => 0)
    PI theta /\
  threshold (mixed_read l tau) (sin theta / ((1 - l) * sin (theta * INR tau))).

Definition heavy_ball_delay_2_statement : Prop :=
  forall tau : nat,
  forall m : R,
  INR tau = 2 ->
  m > -1 ->
  m < 1 ->
  threshold (heavy_ball m tau) (if Rlt_dec m (- (1 / 2)) then 2 * (1 + m) else (sqrt (5 + m ^ 2 - 2 * m) - (1 + m)) / 2).

Definition weight_decay_statement : Prop :=
  forall tau : nat,
  forall c : R,
  c >= 0 ->
  c < 1 ->
  exists theta : R, first_root
    (fun theta : R => sin (theta * (1 + INR tau)))
    (fun theta : R => (1 - c) * sin (theta * INR tau))
    PI theta /\
  decayed_threshold (decayed_sgd c tau) (sqrt (1 + (1 - c) ^ 2 - 2 * (1 - c) * cos theta)).

Definition weight_decay_raises_statement : Prop :=
  forall tau : nat,
  forall c : R,
  INR tau >= 1 ->
  c >= 0 ->
  c < 1 ->
  forall a_star : R, decayed_threshold (decayed_sgd c tau) a_star ->
  a_star >= Rmax c (2 * sin (PI / (2 + 4 * INR tau))).

Definition heavy_ball_algebraic_statement : Prop :=
  forall tau : nat,
  forall m : R,
  INR tau >= 1 ->
  m > -1 ->
  m < 1 ->
  exists theta : R, first_root
    (fun theta : R => chebyshev_U (Z.of_nat tau) (cos theta) + m * chebyshev_U (Z.of_nat tau - 2) (cos theta))
    (fun theta : R => (1 + m) * chebyshev_U (Z.of_nat tau - 1) (cos theta))
    PI theta /\
  threshold (heavy_ball m tau) (if Nat.even tau then Rmin (2 * (1 + m)) ((1 - m) / chebyshev_U (Z.of_nat tau - 1) (cos theta)) else (1 - m) / chebyshev_U (Z.of_nat tau - 1) (cos theta)).

Definition heavy_ball_tangent_statement : Prop :=
  forall tau : nat,
  forall m : R,
  INR tau >= 1 ->
  m > -1 ->
  m < 1 ->
  exists y : R, first_root
    (fun y : R => PI / 2)
    (fun y : R => 2 * atan y * INR tau + atan ((y * (1 + m)) / (1 - m)))
    PI y /\
  threshold (heavy_ball m tau) (if Nat.even tau then Rmin (2 * (1 + m)) ((2 * y * sqrt ((1 - m) ^ 2 + y ^ 2 * (1 + m) ^ 2)) / (1 + y ^ 2)) else (2 * y * sqrt ((1 - m) ^ 2 + y ^ 2 * (1 + m) ^ 2)) / (1 + y ^ 2)).
