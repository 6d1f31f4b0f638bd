(** * Variants of the statements: a formula off by 1e-9, a wider domain, a strict bound

    Printed from the registry, not written by hand. Sharpness.v says of each whether it is true. *)

Require Import Reals.
From Coquelicot Require Import Coquelicot.
From DelayStability Require Import Loop Chebyshev ArbitraryDelays MixedRead.
Open Scope R_scope.

(** the formula off by 1e-9 *)
Definition sgd_factor : Prop :=
  forall tau : nat,
  threshold (sgd tau) (1000000001 * sin (PI / (2 + 4 * INR tau)) / 500000000).

(** the formula off by 1e-9 *)
Definition sgd_upper_bound_factor : Prop :=
  forall tau : nat,
  forall a_star : R, threshold (sgd tau) a_star ->
  a_star <= 999999999 * PI / (1000000000 * (1 + 2 * INR tau)).

(** a_star < PI / (1 + 2 * INR tau) *)
Definition sgd_upper_bound_strict_1 : Prop :=
  forall tau : nat,
  forall a_star : R, threshold (sgd tau) a_star ->
  a_star < PI / (1 + 2 * INR tau).

(** the formula off by 1e-9 *)
Definition sgd_lower_bound_factor : Prop :=
  forall tau : nat,
  forall a_star : R, threshold (sgd tau) a_star ->
  a_star >= 1000000001 * PI / (1000000000 * (1 + 2 * INR tau)) - 1000000001 * PI ^ 3 / (1000000000 * (24 * (1 + 2 * INR tau) ^ 3)).

(** a_star > PI / (1 + 2 * INR tau) - PI ^ 3 / (24 * (1 + 2 * INR tau) ^ 3) *)
Definition sgd_lower_bound_strict_1 : Prop :=
  forall tau : nat,
  forall a_star : R, threshold (sgd tau) a_star ->
  a_star > PI / (1 + 2 * INR tau) - PI ^ 3 / (24 * (1 + 2 * INR tau) ^ 3).

(** the formula off by 1e-9 *)
Definition sgd_long_delay_factor : Prop :=
  forall a_star : nat -> R, (forall tau : nat, threshold (sgd tau) (a_star tau)) ->
  is_lim_seq (fun tau : nat => a_star tau * (1 + 2 * INR tau))
    (Finite (1000000001 * PI / 1000000000)).

(** the formula off by 1e-9 *)
Definition any_sequence_sgd_factor : Prop :=
  forall tau : nat,
  let J := IZR (Int_part ((1 + 2 * INR tau) / 3)) in
  sequence_threshold tau (1000000001 / (250000000 * (1 + J + INR tau + sqrt ((1 + J + INR tau) ^ 2 - 4 * J * (1 + J))))).

(** the formula off by 1e-9 *)
Definition heavy_ball_factor : Prop :=
  forall tau : nat,
  forall m : R,
  m > -1 ->
  m < 1 ->
  exists theta : R, first_root
    (fun theta : R => cos (theta * (1 / 2 + INR tau)))
    (fun theta : R => m * cos (theta * (INR tau - 1 / 2)))
    PI theta /\
  threshold (heavy_ball m tau) (1000000001 * (if Nat.even tau then Rmin (2 * (1 + m)) (2 * sin (theta / 2) * sqrt ((1 - m) ^ 2 + 4 * m * sin (theta / 2) ^ 2)) else 2 * sin (theta / 2) * sqrt ((1 - m) ^ 2 + 4 * m * sin (theta / 2) ^ 2)) / 1000000000).

(** m >= -1 *)
Definition heavy_ball_closed_1 : Prop :=
  forall tau : nat,
  forall m : R,
  m >= -1 ->
  m < 1 ->
  exists theta : R, first_root
    (fun theta : R => cos (theta * (1 / 2 + INR tau)))
    (fun theta : R => m * cos (theta * (INR tau - 1 / 2)))
    PI theta /\
  threshold (heavy_ball m tau) (if Nat.even tau then Rmin (2 * (1 + m)) (2 * sin (theta / 2) * sqrt ((1 - m) ^ 2 + 4 * m * sin (theta / 2) ^ 2)) else 2 * sin (theta / 2) * sqrt ((1 - m) ^ 2 + 4 * m * sin (theta / 2) ^ 2)).

(** m <= 1 *)
Definition heavy_ball_closed_2 : Prop :=
  forall tau : nat,
  forall m : R,
  m > -1 ->
  m <= 1 ->
  exists theta : R, first_root
    (fun theta : R => cos (theta * (1 / 2 + INR tau)))
    (fun theta : R => m * cos (theta * (INR tau - 1 / 2)))
    PI theta /\
  threshold (heavy_ball m tau) (if Nat.even tau then Rmin (2 * (1 + m)) (2 * sin (theta / 2) * sqrt ((1 - m) ^ 2 + 4 * m * sin (theta / 2) ^ 2)) else 2 * sin (theta / 2) * sqrt ((1 - m) ^ 2 + 4 * m * sin (theta / 2) ^ 2)).

(** the formula off by 1e-9 *)
Definition heavy_ball_quotient_factor : Prop :=
  forall tau : nat,
  forall m : R,
  INR tau >= 1 ->
  m > -1 ->
  m < 1 ->
  exists theta : R, first_root
    (fun theta : R => cos (theta * (1 / 2 + INR tau)))
    (fun theta : R => m * cos (theta * (INR tau - 1 / 2)))
    PI theta /\
  threshold (heavy_ball m tau) (1000000001 * (if Nat.even tau then Rmin (2 * (1 + m)) (((1 - m) * sin theta) / sin (theta * INR tau)) else ((1 - m) * sin theta) / sin (theta * INR tau)) / 1000000000).

(** m >= -1 *)
Definition heavy_ball_quotient_closed_1 : Prop :=
  forall tau : nat,
  forall m : R,
  INR tau >= 1 ->
  m >= -1 ->
  m < 1 ->
  exists theta : R, first_root
    (fun theta : R => cos (theta * (1 / 2 + INR tau)))
    (fun theta : R => m * cos (theta * (INR tau - 1 / 2)))
    PI theta /\
  threshold (heavy_ball m tau) (if Nat.even tau then Rmin (2 * (1 + m)) (((1 - m) * sin theta) / sin (theta * INR tau)) else ((1 - m) * sin theta) / sin (theta * INR tau)).

(** m <= 1 *)
Definition heavy_ball_quotient_closed_2 : Prop :=
  forall tau : nat,
  forall m : R,
  INR tau >= 1 ->
  m > -1 ->
  m <= 1 ->
  exists theta : R, first_root
    (fun theta : R => cos (theta * (1 / 2 + INR tau)))
    (fun theta : R => m * cos (theta * (INR tau - 1 / 2)))
    PI theta /\
  threshold (heavy_ball m tau) (if Nat.even tau then Rmin (2 * (1 + m)) (((1 - m) * sin theta) / sin (theta * INR tau)) else ((1 - m) * sin theta) / sin (theta * INR tau)).

(** INR tau >= 0 *)
Definition heavy_ball_quotient_moved_1 : Prop :=
  forall tau : nat,
  forall m : R,
  INR tau >= 0 ->
  m > -1 ->
  m < 1 ->
  exists theta : R, first_root
    (fun theta : R => cos (theta * (1 / 2 + INR tau)))
    (fun theta : R => m * cos (theta * (INR tau - 1 / 2)))
    PI theta /\
  threshold (heavy_ball m tau) (if Nat.even tau then Rmin (2 * (1 + m)) (((1 - m) * sin theta) / sin (theta * INR tau)) else ((1 - m) * sin theta) / sin (theta * INR tau)).

(** the formula off by 1e-9 *)
Definition heavy_ball_delay_0_factor : Prop :=
  forall tau : nat,
  forall m : R,
  INR tau = 0 ->
  m > -1 ->
  m < 1 ->
  threshold (heavy_ball m tau) (1000000001 * (1 + m) / 500000000).

(** m >= -1 *)
Definition heavy_ball_delay_0_closed_1 : Prop :=
  forall tau : nat,
  forall m : R,
  INR tau = 0 ->
  m >= -1 ->
  m < 1 ->
  threshold (heavy_ball m tau) (2 * (1 + m)).

(** m <= 1 *)
Definition heavy_ball_delay_0_closed_2 : Prop :=
  forall tau : nat,
  forall m : R,
  INR tau = 0 ->
  m > -1 ->
  m <= 1 ->
  threshold (heavy_ball m tau) (2 * (1 + m)).

(** the formula off by 1e-9 *)
Definition heavy_ball_delay_1_factor : Prop :=
  forall tau : nat,
  forall m : R,
  INR tau = 1 ->
  m > -1 ->
  m < 1 ->
  threshold (heavy_ball m tau) (1000000001 / 1000000000 - 1000000001 * m / 1000000000).

(** m >= -1 *)
Definition heavy_ball_delay_1_closed_1 : Prop :=
  forall tau : nat,
  forall m : R,
  INR tau = 1 ->
  m >= -1 ->
  m < 1 ->
  threshold (heavy_ball m tau) (1 - m).

(** m <= 1 *)
Definition heavy_ball_delay_1_closed_2 : Prop :=
  forall tau : nat,
  forall m : R,
  INR tau = 1 ->
  m > -1 ->
  m <= 1 ->
  threshold (heavy_ball m tau) (1 - m).

(** the formula off by 1e-9 *)
Definition shifted_momentum_delay_0_factor : Prop :=
  forall tau : nat,
  forall m : R,
  m > -1 ->
  m < 1 ->
  INR tau = 0 ->
  threshold (shifted_momentum m tau) (1000000001 * (1 + m) / 500000000).

(** m >= -1 *)
Definition shifted_momentum_delay_0_closed_1 : Prop :=
  forall tau : nat,
  forall m : R,
  m >= -1 ->
  m < 1 ->
  INR tau = 0 ->
  threshold (shifted_momentum m tau) (2 * (1 + m)).

(** m <= 1 *)
Definition shifted_momentum_delay_0_closed_2 : Prop :=
  forall tau : nat,
  forall m : R,
  m > -1 ->
  m <= 1 ->
  INR tau = 0 ->
  threshold (shifted_momentum m tau) (2 * (1 + m)).

(** the formula off by 1e-9 *)
Definition nesterov_factor : Prop :=
  forall tau : nat,
  forall m : R,
  m >= 0 ->
  m < 1 ->
  exists theta : R, first_root
    (fun theta : R => (1 + m + m ^ 2) * cos (theta * (1 / 2 + INR tau)) - m * cos (theta * (3 / 2 + INR tau)) - m * (1 + m) * cos (theta * (INR tau - 1 / 2)))
    (fun theta : R => 0)
    PI theta /\
  threshold (nesterov m tau) (1000000001 * sin (theta / 2) * sqrt (((1 - m) ^ 2 + 4 * m * sin (theta / 2) ^ 2) / (1 + 4 * m * (1 + m) * sin (theta / 2) ^ 2)) / 500000000).

(** m <= 1 *)
Definition nesterov_closed_1 : Prop :=
  forall tau : nat,
  forall m : R,
  m >= 0 ->
  m <= 1 ->
  exists theta : R, first_root
    (fun theta : R => (1 + m + m ^ 2) * cos (theta * (1 / 2 + INR tau)) - m * cos (theta * (3 / 2 + INR tau)) - m * (1 + m) * cos (theta * (INR tau - 1 / 2)))
    (fun theta : R => 0)
    PI theta /\
  threshold (nesterov m tau) (2 * sin (theta / 2) * sqrt (((1 - m) ^ 2 + 4 * m * sin (theta / 2) ^ 2) / (1 + 4 * m * (1 + m) * sin (theta / 2) ^ 2))).

(** the formula off by 1e-9 *)
Definition nesterov_delay_0_factor : Prop :=
  forall tau : nat,
  forall m : R,
  m >= 0 ->
  m < 1 ->
  INR tau = 0 ->
  threshold (nesterov m tau) (1000000001 * (1 + m) / (500000000 * (1 + 2 * m))).

(** m <= 1 *)
Definition nesterov_delay_0_closed_1 : Prop :=
  forall tau : nat,
  forall m : R,
  m >= 0 ->
  m <= 1 ->
  INR tau = 0 ->
  threshold (nesterov m tau) ((2 * (1 + m)) / (1 + 2 * m)).

(** the formula off by 1e-9 *)
Definition ema_momentum_factor : Prop :=
  forall tau : nat,
  forall m : R,
  m > -1 ->
  m < 1 ->
  exists theta : R, first_root
    (fun theta : R => cos (theta * (1 / 2 + INR tau)))
    (fun theta : R => m * cos (theta * (INR tau - 1 / 2)))
    PI theta /\
  threshold (ema_momentum m tau) (1000000001 * (if Nat.even tau then Rmin (2 * (1 + m)) (2 * sin (theta / 2) * sqrt ((1 - m) ^ 2 + 4 * m * sin (theta / 2) ^ 2)) else 2 * sin (theta / 2) * sqrt ((1 - m) ^ 2 + 4 * m * sin (theta / 2) ^ 2)) / (1000000000 * (1 - m))).

(** m >= -1 *)
Definition ema_momentum_closed_1 : Prop :=
  forall tau : nat,
  forall m : R,
  m >= -1 ->
  m < 1 ->
  exists theta : R, first_root
    (fun theta : R => cos (theta * (1 / 2 + INR tau)))
    (fun theta : R => m * cos (theta * (INR tau - 1 / 2)))
    PI theta /\
  threshold (ema_momentum m tau) ((if Nat.even tau then Rmin (2 * (1 + m)) (2 * sin (theta / 2) * sqrt ((1 - m) ^ 2 + 4 * m * sin (theta / 2) ^ 2)) else 2 * sin (theta / 2) * sqrt ((1 - m) ^ 2 + 4 * m * sin (theta / 2) ^ 2)) / (1 - m)).

(** m <= 1 *)
Definition ema_momentum_closed_2 : Prop :=
  forall tau : nat,
  forall m : R,
  m > -1 ->
  m <= 1 ->
  exists theta : R, first_root
    (fun theta : R => cos (theta * (1 / 2 + INR tau)))
    (fun theta : R => m * cos (theta * (INR tau - 1 / 2)))
    PI theta /\
  threshold (ema_momentum m tau) ((if Nat.even tau then Rmin (2 * (1 + m)) (2 * sin (theta / 2) * sqrt ((1 - m) ^ 2 + 4 * m * sin (theta / 2) ^ 2)) else 2 * sin (theta / 2) * sqrt ((1 - m) ^ 2 + 4 * m * sin (theta / 2) ^ 2)) / (1 - m)).

(** the formula off by 1e-9 *)
Definition adam_frozen_factor : Prop :=
  forall tau : nat,
  forall m : R,
  m >= 0 ->
  m < 1 ->
  exists theta : R, first_root
    (fun theta : R => cos (theta * (1 / 2 + INR tau)))
    (fun theta : R => m * cos (theta * (INR tau - 1 / 2)))
    PI theta /\
  threshold (ema_momentum m tau) (1000000001 * sin (theta / 2) * sqrt ((1 - m) ^ 2 + 4 * m * sin (theta / 2) ^ 2) / (500000000 * (1 - m))).

(** m <= 1 *)
Definition adam_frozen_closed_1 : Prop :=
  forall tau : nat,
  forall m : R,
  m >= 0 ->
  m <= 1 ->
  exists theta : R, first_root
    (fun theta : R => cos (theta * (1 / 2 + INR tau)))
    (fun theta : R => m * cos (theta * (INR tau - 1 / 2)))
    PI theta /\
  threshold (ema_momentum m tau) ((2 * sin (theta / 2) * sqrt ((1 - m) ^ 2 + 4 * m * sin (theta / 2) ^ 2)) / (1 - m)).

(** the formula off by 1e-9 *)
Definition adam_frozen_delay_0_factor : Prop :=
  forall tau : nat,
  forall m : R,
  m >= 0 ->
  m < 1 ->
  INR tau = 0 ->
  threshold (ema_momentum m tau) (1000000001 * (1 + m) / (500000000 * (1 - m))).

(** m <= 1 *)
Definition adam_frozen_delay_0_closed_1 : Prop :=
  forall tau : nat,
  forall m : R,
  m >= 0 ->
  m <= 1 ->
  INR tau = 0 ->
  threshold (ema_momentum m tau) ((2 * (1 + m)) / (1 - m)).

(** the formula off by 1e-9 *)
Definition effective_heavy_ball_factor : Prop :=
  forall tau : nat,
  forall m : R,
  m >= 0 ->
  m < 1 ->
  INR tau >= 1 ->
  exists theta : R, first_root
    (fun theta : R => cos (theta * (1 / 2 + INR tau)) / cos (theta * (INR tau - 1 / 2)))
    (fun theta : R => m)
    (PI / (1 + 2 * INR tau)) theta /\
  threshold (ema_momentum m tau) (1000000001 * sin theta / (1000000000 * sin (theta * INR tau))).

(** m <= 1 *)
Definition effective_heavy_ball_closed_1 : Prop :=
  forall tau : nat,
  forall m : R,
  m >= 0 ->
  m <= 1 ->
  INR tau >= 1 ->
  exists theta : R, first_root
    (fun theta : R => cos (theta * (1 / 2 + INR tau)) / cos (theta * (INR tau - 1 / 2)))
    (fun theta : R => m)
    (PI / (1 + 2 * INR tau)) theta /\
  threshold (ema_momentum m tau) (sin theta / sin (theta * INR tau)).

(** INR tau >= 0 *)
Definition effective_heavy_ball_moved_1 : Prop :=
  forall tau : nat,
  forall m : R,
  m >= 0 ->
  m < 1 ->
  INR tau >= 0 ->
  exists theta : R, first_root
    (fun theta : R => cos (theta * (1 / 2 + INR tau)) / cos (theta * (INR tau - 1 / 2)))
    (fun theta : R => m)
    (PI / (1 + 2 * INR tau)) theta /\
  threshold (ema_momentum m tau) (sin theta / sin (theta * INR tau)).

(** the formula off by 1e-9 *)
Definition effective_heavy_ball_upper_factor : Prop :=
  forall tau : nat,
  forall m : R,
  m >= 0 ->
  m < 1 ->
  INR tau >= 1 ->
  forall a_star : R, threshold (heavy_ball m tau) a_star ->
  a_star <= 999999999 * (1 - m) * sin (PI / (2 + 4 * INR tau)) / 500000000.

(** m <= 1 *)
Definition effective_heavy_ball_upper_closed_1 : Prop :=
  forall tau : nat,
  forall m : R,
  m >= 0 ->
  m <= 1 ->
  INR tau >= 1 ->
  forall a_star : R, threshold (heavy_ball m tau) a_star ->
  a_star <= 2 * (1 - m) * sin (PI / (2 + 4 * INR tau)).

(** INR tau >= 0 *)
Definition effective_heavy_ball_upper_moved_1 : Prop :=
  forall tau : nat,
  forall m : R,
  m >= 0 ->
  m < 1 ->
  INR tau >= 0 ->
  forall a_star : R, threshold (heavy_ball m tau) a_star ->
  a_star <= 2 * (1 - m) * sin (PI / (2 + 4 * INR tau)).

(** a_star < 2 * (1 - m) * sin (PI / (2 + 4 * INR tau)) *)
Definition effective_heavy_ball_upper_strict_1 : Prop :=
  forall tau : nat,
  forall m : R,
  m >= 0 ->
  m < 1 ->
  INR tau >= 1 ->
  forall a_star : R, threshold (heavy_ball m tau) a_star ->
  a_star < 2 * (1 - m) * sin (PI / (2 + 4 * INR tau)).

(** the formula off by 1e-9 *)
Definition effective_heavy_ball_lower_factor : Prop :=
  forall tau : nat,
  forall m : R,
  m >= 0 ->
  m < 1 ->
  INR tau >= 1 ->
  forall a_star : R, threshold (heavy_ball m tau) a_star ->
  a_star >= 1000000001 * (1 - m) / (1000000000 * INR tau).

(** m <= 1 *)
Definition effective_heavy_ball_lower_closed_1 : Prop :=
  forall tau : nat,
  forall m : R,
  m >= 0 ->
  m <= 1 ->
  INR tau >= 1 ->
  forall a_star : R, threshold (heavy_ball m tau) a_star ->
  a_star >= (1 - m) / INR tau.

(** INR tau >= 0 *)
Definition effective_heavy_ball_lower_moved_1 : Prop :=
  forall tau : nat,
  forall m : R,
  m >= 0 ->
  m < 1 ->
  INR tau >= 0 ->
  forall a_star : R, threshold (heavy_ball m tau) a_star ->
  a_star >= (1 - m) / INR tau.

(** a_star > (1 - m) / INR tau *)
Definition effective_heavy_ball_lower_strict_1 : Prop :=
  forall tau : nat,
  forall m : R,
  m >= 0 ->
  m < 1 ->
  INR tau >= 1 ->
  forall a_star : R, threshold (heavy_ball m tau) a_star ->
  a_star > (1 - m) / INR tau.

(** the formula off by 1e-9 *)
Definition effective_shifted_lower_factor : Prop :=
  forall tau : nat,
  forall m : R,
  m >= 0 ->
  m < 1 ->
  forall a_star : R, threshold (shifted_momentum m tau) a_star ->
  a_star >= 1000000001 * (1 - m) * sin (PI / (2 + 4 * INR tau)) / 500000000.

(** m <= 1 *)
Definition effective_shifted_lower_closed_1 : Prop :=
  forall tau : nat,
  forall m : R,
  m >= 0 ->
  m <= 1 ->
  forall a_star : R, threshold (shifted_momentum m tau) a_star ->
  a_star >= 2 * (1 - m) * sin (PI / (2 + 4 * INR tau)).

(** a_star > 2 * (1 - m) * sin (PI / (2 + 4 * INR tau)) *)
Definition effective_shifted_lower_strict_1 : Prop :=
  forall tau : nat,
  forall m : R,
  m >= 0 ->
  m < 1 ->
  forall a_star : R, threshold (shifted_momentum m tau) a_star ->
  a_star > 2 * (1 - m) * sin (PI / (2 + 4 * INR tau)).

(** the formula off by 1e-9 *)
Definition effective_shifted_upper_factor : Prop :=
  forall tau : nat,
  forall m : R,
  m >= 0 ->
  m < 1 ->
  INR tau >= 1 ->
  forall a_star : R, threshold (shifted_momentum m tau) a_star ->
  a_star <= 999999999 * (1 - m) / (500000000 * INR tau).

(** m <= 1 *)
Definition effective_shifted_upper_closed_1 : Prop :=
  forall tau : nat,
  forall m : R,
  m >= 0 ->
  m <= 1 ->
  INR tau >= 1 ->
  forall a_star : R, threshold (shifted_momentum m tau) a_star ->
  a_star <= (2 * (1 - m)) / INR tau.

(** INR tau >= 0 *)
Definition effective_shifted_upper_moved_1 : Prop :=
  forall tau : nat,
  forall m : R,
  m >= 0 ->
  m < 1 ->
  INR tau >= 0 ->
  forall a_star : R, threshold (shifted_momentum m tau) a_star ->
  a_star <= (2 * (1 - m)) / INR tau.

(** a_star < (2 * (1 - m)) / INR tau *)
Definition effective_shifted_upper_strict_1 : Prop :=
  forall tau : nat,
  forall m : R,
  m >= 0 ->
  m < 1 ->
  INR tau >= 1 ->
  forall a_star : R, threshold (shifted_momentum m tau) a_star ->
  a_star < (2 * (1 - m)) / INR tau.

(** the formula off by 1e-9 *)
Definition adjustment_factor : Prop :=
  forall (before after : loop) (a_1 a_2 eta_1 eta_2 : R), 0 < eta_1 ->
  threshold before a_1 -> threshold after a_2 ->
  same_minima before eta_1 after eta_2 <->
  eta_2 = 1000000001 * a_2 * eta_1 / (1000000000 * a_1).

(** 0 <= eta_1 *)
Definition adjustment_closed_1 : Prop :=
  forall (before after : loop) (a_1 a_2 eta_1 eta_2 : R), 0 <= eta_1 ->
  threshold before a_1 -> threshold after a_2 ->
  same_minima before eta_1 after eta_2 <->
  eta_2 = eta_1 * (a_2 / a_1).

(** the formula off by 1e-9 *)
Definition adjustment_sgd_factor : Prop :=
  forall (tau : nat) (eta_0 eta : R), 0 < eta_0 ->
  same_minima (sgd 0) eta_0 (sgd tau) eta <->
  eta = 1000000001 * eta_0 * sin (PI / (2 + 4 * INR tau)) / 1000000000.

(** 0 <= eta_0 *)
Definition adjustment_sgd_closed_1 : Prop :=
  forall (tau : nat) (eta_0 eta : R), 0 <= eta_0 ->
  same_minima (sgd 0) eta_0 (sgd tau) eta <->
  eta = eta_0 * sin (PI / (2 + 4 * INR tau)).

(** the formula off by 1e-9 *)
Definition adjustment_sgd_upper_factor : Prop :=
  forall (tau : nat) (eta_0 eta : R), 0 < eta_0 ->
  same_minima (sgd 0) eta_0 (sgd tau) eta ->
  eta <= 999999999 * PI * eta_0 * (1 / (2 * (1 + 2 * INR tau))) / 1000000000.

(** 0 <= eta_0 *)
Definition adjustment_sgd_upper_closed_1 : Prop :=
  forall (tau : nat) (eta_0 eta : R), 0 <= eta_0 ->
  same_minima (sgd 0) eta_0 (sgd tau) eta ->
  eta <= (PI * eta_0) / (2 * (1 + 2 * INR tau)).

(** eta < (PI * eta_0) / (2 * (1 + 2 * INR tau)) *)
Definition adjustment_sgd_upper_strict_1 : Prop :=
  forall (tau : nat) (eta_0 eta : R), 0 < eta_0 ->
  same_minima (sgd 0) eta_0 (sgd tau) eta ->
  eta < (PI * eta_0) / (2 * (1 + 2 * INR tau)).

(** the formula off by 1e-9 *)
Definition adjustment_sgd_lower_factor : Prop :=
  forall (tau : nat) (eta_0 eta : R), 0 < eta_0 ->
  same_minima (sgd 0) eta_0 (sgd tau) eta ->
  eta >= 1000000001 * PI * eta_0 * (1 / (2 * (1 + 2 * INR tau))) * (1 - PI ^ 2 / (24 * (1 + 2 * INR tau) ^ 2)) / 1000000000.

(** 0 <= eta_0 *)
Definition adjustment_sgd_lower_closed_1 : Prop :=
  forall (tau : nat) (eta_0 eta : R), 0 <= eta_0 ->
  same_minima (sgd 0) eta_0 (sgd tau) eta ->
  eta >= ((PI * eta_0) / (2 * (1 + 2 * INR tau))) * (1 - PI ^ 2 / (24 * (1 + 2 * INR tau) ^ 2)).

(** eta > ((PI * eta_0) / (2 * (1 + 2 * INR tau))) * (1 - PI ^ 2 / (24 * (1 + 2 * INR tau) ^ 2)) *)
Definition adjustment_sgd_lower_strict_1 : Prop :=
  forall (tau : nat) (eta_0 eta : R), 0 < eta_0 ->
  same_minima (sgd 0) eta_0 (sgd tau) eta ->
  eta > ((PI * eta_0) / (2 * (1 + 2 * INR tau))) * (1 - PI ^ 2 / (24 * (1 + 2 * INR tau) ^ 2)).

(** the formula off by 1e-9 *)
Definition mostly_fresh_read_factor : Prop :=
  forall l : R,
  l > 1 / 2 ->
  mixed_sequence_threshold l (1000000001 * Rmin 2 (2 / (2 * l - 1)) / 1000000000).

(** l >= 1 / 2 *)
Definition mostly_fresh_read_closed_1 : Prop :=
  forall l : R,
  l >= 1 / 2 ->
  mixed_sequence_threshold l (Rmin 2 (2 / (2 * l - 1))).

(** the formula off by 1e-9 *)
Definition shifted_momentum_factor : Prop :=
  forall tau : nat,
  forall m : R,
  m > -1 ->
  m < 1 ->
  exists theta : R, first_root
    (fun theta : R => cos (theta * (1 / 2 + INR tau)))
    (fun theta : R => m * cos (theta / 2))
    PI theta /\
  threshold (shifted_momentum m tau) (1000000001 * sin (theta / 2) * sqrt ((1 - m) ^ 2 + 4 * m * sin (theta * (1 + INR tau) / 2) ^ 2) / 500000000).

(** m >= -1 *)
Definition shifted_momentum_closed_1 : Prop :=
  forall tau : nat,
  forall m : R,
  m >= -1 ->
  m < 1 ->
  exists theta : R, first_root
    (fun theta : R => cos (theta * (1 / 2 + INR tau)))
    (fun theta : R => m * cos (theta / 2))
    PI theta /\
  threshold (shifted_momentum m tau) (2 * sin (theta / 2) * sqrt ((1 - m) ^ 2 + 4 * m * sin (theta * (1 + INR tau) / 2) ^ 2)).

(** m <= 1 *)
Definition shifted_momentum_closed_2 : Prop :=
  forall tau : nat,
  forall m : R,
  m > -1 ->
  m <= 1 ->
  exists theta : R, first_root
    (fun theta : R => cos (theta * (1 / 2 + INR tau)))
    (fun theta : R => m * cos (theta / 2))
    PI theta /\
  threshold (shifted_momentum m tau) (2 * sin (theta / 2) * sqrt ((1 - m) ^ 2 + 4 * m * sin (theta * (1 + INR tau) / 2) ^ 2)).

(** the formula off by 1e-9 *)
Definition shifted_momentum_parametric_factor : Prop :=
  forall tau : nat,
  forall m : R,
  m > -1 ->
  m < 1 ->
  INR tau >= 1 ->
  exists theta : R, first_root
    (fun theta : R => cos (theta * (1 / 2 + INR tau)) / cos (theta / 2))
    (fun theta : R => m)
    (PI / (1 + INR tau)) theta /\
  threshold (shifted_momentum m tau) (1000000001 * tan (theta / 2) * sin (theta * (1 + INR tau)) / 500000000).

(** m >= -1 *)
Definition shifted_momentum_parametric_closed_1 : Prop :=
  forall tau : nat,
  forall m : R,
  m >= -1 ->
  m < 1 ->
  INR tau >= 1 ->
  exists theta : R, first_root
    (fun theta : R => cos (theta * (1 / 2 + INR tau)) / cos (theta / 2))
    (fun theta : R => m)
    (PI / (1 + INR tau)) theta /\
  threshold (shifted_momentum m tau) (2 * tan (theta / 2) * sin (theta * (1 + INR tau))).

(** m <= 1 *)
Definition shifted_momentum_parametric_closed_2 : Prop :=
  forall tau : nat,
  forall m : R,
  m > -1 ->
  m <= 1 ->
  INR tau >= 1 ->
  exists theta : R, first_root
    (fun theta : R => cos (theta * (1 / 2 + INR tau)) / cos (theta / 2))
    (fun theta : R => m)
    (PI / (1 + INR tau)) theta /\
  threshold (shifted_momentum m tau) (2 * tan (theta / 2) * sin (theta * (1 + INR tau))).

(** INR tau >= 0 *)
Definition shifted_momentum_parametric_moved_1 : Prop :=
  forall tau : nat,
  forall m : R,
  m > -1 ->
  m < 1 ->
  INR tau >= 0 ->
  exists theta : R, first_root
    (fun theta : R => cos (theta * (1 / 2 + INR tau)) / cos (theta / 2))
    (fun theta : R => m)
    (PI / (1 + INR tau)) theta /\
  threshold (shifted_momentum m tau) (2 * tan (theta / 2) * sin (theta * (1 + INR tau))).

(** the formula off by 1e-9 *)
Definition shifted_momentum_delay_1_factor : Prop :=
  forall tau : nat,
  forall m : R,
  m > -1 ->
  m < 1 ->
  INR tau = 1 ->
  threshold (shifted_momentum m tau) (1000000001 / 1000000000 - 1000000001 * m ^ 2 / 1000000000).

(** m >= -1 *)
Definition shifted_momentum_delay_1_closed_1 : Prop :=
  forall tau : nat,
  forall m : R,
  m >= -1 ->
  m < 1 ->
  INR tau = 1 ->
  threshold (shifted_momentum m tau) (1 - m ^ 2).

(** m <= 1 *)
Definition shifted_momentum_delay_1_closed_2 : Prop :=
  forall tau : nat,
  forall m : R,
  m > -1 ->
  m <= 1 ->
  INR tau = 1 ->
  threshold (shifted_momentum m tau) (1 - m ^ 2).

(** the formula off by 1e-9 *)
Definition any_sequence_sgd_upper_bound_factor : Prop :=
  forall tau : nat,
  forall a_star : R, sequence_threshold tau a_star ->
  a_star <= 2999999997 / (1000000000 * (1 + 2 * INR tau)).

(** a_star < 3 / (1 + 2 * INR tau) *)
Definition any_sequence_sgd_upper_bound_strict_1 : Prop :=
  forall tau : nat,
  forall a_star : R, sequence_threshold tau a_star ->
  a_star < 3 / (1 + 2 * INR tau).

(** the formula off by 1e-9 *)
Definition any_sequence_sgd_lower_bound_factor : Prop :=
  forall tau : nat,
  forall a_star : R, sequence_threshold tau a_star ->
  a_star >= 3000000003 / (1000000000 * (1 / 2 + INR tau + sqrt (3 / 4 + (1 / 2 + INR tau) ^ 2))).

(** a_star > 3 / (1 / 2 + INR tau + sqrt (3 / 4 + (1 / 2 + INR tau) ^ 2)) *)
Definition any_sequence_sgd_lower_bound_strict_1 : Prop :=
  forall tau : nat,
  forall a_star : R, sequence_threshold tau a_star ->
  a_star > 3 / (1 / 2 + INR tau + sqrt (3 / 4 + (1 / 2 + INR tau) ^ 2)).

(** the formula off by 1e-9 *)
Definition heavy_ball_parametric_factor : Prop :=
  forall tau : nat,
  forall m : R,
  INR tau >= 1 ->
  m > -1 ->
  m < 1 ->
  exists theta : R, first_root
    (fun theta : R => cos (theta * (1 / 2 + INR tau)))
    (fun theta : R => m * cos (theta * (INR tau - 1 / 2)))
    PI theta /\
  threshold (heavy_ball m tau) (1000000001 * (if Nat.even tau then Rmin (2 * (1 + m)) ((2 * sin theta * sin (theta / 2)) / cos (theta * (INR tau - 1 / 2))) else (2 * sin theta * sin (theta / 2)) / cos (theta * (INR tau - 1 / 2))) / 1000000000).

(** m >= -1 *)
Definition heavy_ball_parametric_closed_1 : Prop :=
  forall tau : nat,
  forall m : R,
  INR tau >= 1 ->
  m >= -1 ->
  m < 1 ->
  exists theta : R, first_root
    (fun theta : R => cos (theta * (1 / 2 + INR tau)))
    (fun theta : R => m * cos (theta * (INR tau - 1 / 2)))
    PI theta /\
  threshold (heavy_ball m tau) (if Nat.even tau then Rmin (2 * (1 + m)) ((2 * sin theta * sin (theta / 2)) / cos (theta * (INR tau - 1 / 2))) else (2 * sin theta * sin (theta / 2)) / cos (theta * (INR tau - 1 / 2))).

(** m <= 1 *)
Definition heavy_ball_parametric_closed_2 : Prop :=
  forall tau : nat,
  forall m : R,
  INR tau >= 1 ->
  m > -1 ->
  m <= 1 ->
  exists theta : R, first_root
    (fun theta : R => cos (theta * (1 / 2 + INR tau)))
    (fun theta : R => m * cos (theta * (INR tau - 1 / 2)))
    PI theta /\
  threshold (heavy_ball m tau) (if Nat.even tau then Rmin (2 * (1 + m)) ((2 * sin theta * sin (theta / 2)) / cos (theta * (INR tau - 1 / 2))) else (2 * sin theta * sin (theta / 2)) / cos (theta * (INR tau - 1 / 2))).

(** INR tau >= 0 *)
Definition heavy_ball_parametric_moved_1 : Prop :=
  forall tau : nat,
  forall m : R,
  INR tau >= 0 ->
  m > -1 ->
  m < 1 ->
  exists theta : R, first_root
    (fun theta : R => cos (theta * (1 / 2 + INR tau)))
    (fun theta : R => m * cos (theta * (INR tau - 1 / 2)))
    PI theta /\
  threshold (heavy_ball m tau) (if Nat.even tau then Rmin (2 * (1 + m)) ((2 * sin theta * sin (theta / 2)) / cos (theta * (INR tau - 1 / 2))) else (2 * sin theta * sin (theta / 2)) / cos (theta * (INR tau - 1 / 2))).

(** the formula off by 1e-9 *)
Definition heavy_ball_even_delay_factor : Prop :=
  forall tau : nat,
  forall m : R,
  Nat.even tau = true ->
  m > -1 ->
  m < 1 ->
  exists theta : R, first_root
    (fun theta : R => cos (theta * (1 / 2 + INR tau)))
    (fun theta : R => m * cos (theta * (INR tau - 1 / 2)))
    PI theta /\
  threshold (heavy_ball m tau) (1000000001 * (1 + m) * Rmin 1 (sin (theta / 2) ^ 2 / cos (theta * INR tau)) / 500000000).

(** m >= -1 *)
Definition heavy_ball_even_delay_closed_1 : Prop :=
  forall tau : nat,
  forall m : R,
  Nat.even tau = true ->
  m >= -1 ->
  m < 1 ->
  exists theta : R, first_root
    (fun theta : R => cos (theta * (1 / 2 + INR tau)))
    (fun theta : R => m * cos (theta * (INR tau - 1 / 2)))
    PI theta /\
  threshold (heavy_ball m tau) (2 * (1 + m) * Rmin 1 (sin (theta / 2) ^ 2 / cos (theta * INR tau))).

(** m <= 1 *)
Definition heavy_ball_even_delay_closed_2 : Prop :=
  forall tau : nat,
  forall m : R,
  Nat.even tau = true ->
  m > -1 ->
  m <= 1 ->
  exists theta : R, first_root
    (fun theta : R => cos (theta * (1 / 2 + INR tau)))
    (fun theta : R => m * cos (theta * (INR tau - 1 / 2)))
    PI theta /\
  threshold (heavy_ball m tau) (2 * (1 + m) * Rmin 1 (sin (theta / 2) ^ 2 / cos (theta * INR tau))).

(** the formula off by 1e-9 *)
Definition heavy_ball_long_delay_factor : Prop :=
  forall m : R,
  m > -1 ->
  m < 1 ->
  forall a_star : nat -> R, (forall tau : nat, threshold (heavy_ball m tau) (a_star tau)) ->
  is_lim_seq (fun tau : nat => INR tau * a_star tau)
    (Finite (1000000001 * PI * (1 - m) / 2000000000)).

(** m >= -1 *)
Definition heavy_ball_long_delay_closed_1 : Prop :=
  forall m : R,
  m >= -1 ->
  m < 1 ->
  forall a_star : nat -> R, (forall tau : nat, threshold (heavy_ball m tau) (a_star tau)) ->
  is_lim_seq (fun tau : nat => INR tau * a_star tau)
    (Finite ((1 - m) * (PI / 2))).

(** m <= 1 *)
Definition heavy_ball_long_delay_closed_2 : Prop :=
  forall m : R,
  m > -1 ->
  m <= 1 ->
  forall a_star : nat -> R, (forall tau : nat, threshold (heavy_ball m tau) (a_star tau)) ->
  is_lim_seq (fun tau : nat => INR tau * a_star tau)
    (Finite ((1 - m) * (PI / 2))).

(** the formula off by 1e-9 *)
Definition heavy_ball_lower_bound_factor : Prop :=
  forall tau : nat,
  forall m : R,
  m >= 0 ->
  m < 1 ->
  let Q := (4 * m * INR tau) / (1 - m) + 1 / sin (PI / (2 + 4 * INR tau)) ^ 2 in
  forall a_star : R, threshold (heavy_ball m tau) a_star ->
  a_star >= 1000000001 * sqrt (4 * m + Q * (1 - m) ^ 2) / (500000000 * Q).

(** m <= 1 *)
Definition heavy_ball_lower_bound_closed_1 : Prop :=
  forall tau : nat,
  forall m : R,
  m >= 0 ->
  m <= 1 ->
  let Q := (4 * m * INR tau) / (1 - m) + 1 / sin (PI / (2 + 4 * INR tau)) ^ 2 in
  forall a_star : R, threshold (heavy_ball m tau) a_star ->
  a_star >= (2 * sqrt (4 * m + Q * (1 - m) ^ 2)) / Q.

(** a_star > (2 * sqrt (4 * m + Q * (1 - m) ^ 2)) / Q *)
Definition heavy_ball_lower_bound_strict_1 : Prop :=
  forall tau : nat,
  forall m : R,
  m >= 0 ->
  m < 1 ->
  let Q := (4 * m * INR tau) / (1 - m) + 1 / sin (PI / (2 + 4 * INR tau)) ^ 2 in
  forall a_star : R, threshold (heavy_ball m tau) a_star ->
  a_star > (2 * sqrt (4 * m + Q * (1 - m) ^ 2)) / Q.

(** the formula off by 1e-9 *)
Definition heavy_ball_upper_bound_factor : Prop :=
  forall tau : nat,
  forall m : R,
  m >= 0 ->
  m < 1 ->
  let Q := (2 + 4 * INR tau ^ 2) / 3 + 2 * INR tau * ((1 + m) / (1 - m)) in
  forall a_star : R, threshold (heavy_ball m tau) a_star ->
  a_star <= 999999999 * sqrt (4 * m + Q * (1 - m) ^ 2) / (500000000 * Q).

(** m <= 1 *)
Definition heavy_ball_upper_bound_closed_1 : Prop :=
  forall tau : nat,
  forall m : R,
  m >= 0 ->
  m <= 1 ->
  let Q := (2 + 4 * INR tau ^ 2) / 3 + 2 * INR tau * ((1 + m) / (1 - m)) in
  forall a_star : R, threshold (heavy_ball m tau) a_star ->
  a_star <= (2 * sqrt (4 * m + Q * (1 - m) ^ 2)) / Q.

(** a_star < (2 * sqrt (4 * m + Q * (1 - m) ^ 2)) / Q *)
Definition heavy_ball_upper_bound_strict_1 : Prop :=
  forall tau : nat,
  forall m : R,
  m >= 0 ->
  m < 1 ->
  let Q := (2 + 4 * INR tau ^ 2) / 3 + 2 * INR tau * ((1 + m) / (1 - m)) in
  forall a_star : R, threshold (heavy_ball m tau) a_star ->
  a_star < (2 * sqrt (4 * m + Q * (1 - m) ^ 2)) / Q.

(** the formula off by 1e-9 *)
Definition effective_shifted_factor : Prop :=
  forall tau : nat,
  forall m : R,
  m >= 0 ->
  m < 1 ->
  INR tau >= 1 ->
  exists theta : R, first_root
    (fun theta : R => cos (theta * (1 / 2 + INR tau)) / cos (theta / 2))
    (fun theta : R => m)
    (PI / (1 + 2 * INR tau)) theta /\
  threshold (shifted_momentum m tau) (1000000001 * (1 - m) * (sin (theta * (2 + INR tau) / 2) / sin (theta * INR tau / 2) - 1) / 1000000000).

(** m <= 1 *)
Definition effective_shifted_closed_1 : Prop :=
  forall tau : nat,
  forall m : R,
  m >= 0 ->
  m <= 1 ->
  INR tau >= 1 ->
  exists theta : R, first_root
    (fun theta : R => cos (theta * (1 / 2 + INR tau)) / cos (theta / 2))
    (fun theta : R => m)
    (PI / (1 + 2 * INR tau)) theta /\
  threshold (shifted_momentum m tau) ((1 - m) * (sin (theta * (2 + INR tau) / 2) / sin (theta * INR tau / 2) - 1)).

(** INR tau >= 0 *)
Definition effective_shifted_moved_1 : Prop :=
  forall tau : nat,
  forall m : R,
  m >= 0 ->
  m < 1 ->
  INR tau >= 0 ->
  exists theta : R, first_root
    (fun theta : R => cos (theta * (1 / 2 + INR tau)) / cos (theta / 2))
    (fun theta : R => m)
    (PI / (1 + 2 * INR tau)) theta /\
  threshold (shifted_momentum m tau) ((1 - m) * (sin (theta * (2 + INR tau) / 2) / sin (theta * INR tau / 2) - 1)).

(** the formula off by 1e-9 *)
Definition mixed_read_factor : Prop :=
  forall tau : nat,
  forall l : R,
  l < 1 / 2 ->
  INR tau >= 1 ->
  exists theta : R, first_root
    (fun theta : R => l * cos (theta / 2) + (1 - l) * cos (theta * (1 / 2 + INR tau)))
    (fun theta : R => 0)
    PI theta /\
  threshold (mixed_read l tau) (1000000001 * sin theta * (1 / ((1 - l) * sin (theta * INR tau))) / 1000000000).

(** l <= 1 / 2 *)
Definition mixed_read_closed_1 : Prop :=
  forall tau : nat,
  forall l : R,
  l <= 1 / 2 ->
  INR tau >= 1 ->
  exists theta : R, first_root
    (fun theta : R => l * cos (theta / 2) + (1 - l) * cos (theta * (1 / 2 + INR tau)))
    (fun theta : R => 0)
    PI theta /\
  threshold (mixed_read l tau) (sin theta / ((1 - l) * sin (theta * INR tau))).

(** INR tau >= 0 *)
Definition mixed_read_moved_1 : Prop :=
  forall tau : nat,
  forall l : R,
  l < 1 / 2 ->
  INR tau >= 0 ->
  exists theta : R, first_root
    (fun theta : R => l * cos (theta / 2) + (1 - l) * cos (theta * (1 / 2 + INR tau)))
    (fun theta : R => 0)
    PI theta /\
  threshold (mixed_read l tau) (sin theta / ((1 - l) * sin (theta * INR tau))).

(** the formula off by 1e-9 *)
Definition heavy_ball_delay_2_factor : Prop :=
  forall tau : nat,
  forall m : R,
  INR tau = 2 ->
  m > -1 ->
  m < 1 ->
  threshold (heavy_ball m tau) (1000000001 * (if Rlt_dec m (- (1 / 2)) then 2 * (1 + m) else (sqrt (5 + m ^ 2 - 2 * m) - (1 + m)) / 2) / 1000000000).

(** m >= -1 *)
Definition heavy_ball_delay_2_closed_1 : Prop :=
  forall tau : nat,
  forall m : R,
  INR tau = 2 ->
  m >= -1 ->
  m < 1 ->
  threshold (heavy_ball m tau) (if Rlt_dec m (- (1 / 2)) then 2 * (1 + m) else (sqrt (5 + m ^ 2 - 2 * m) - (1 + m)) / 2).

(** m <= 1 *)
Definition heavy_ball_delay_2_closed_2 : Prop :=
  forall tau : nat,
  forall m : R,
  INR tau = 2 ->
  m > -1 ->
  m <= 1 ->
  threshold (heavy_ball m tau) (if Rlt_dec m (- (1 / 2)) then 2 * (1 + m) else (sqrt (5 + m ^ 2 - 2 * m) - (1 + m)) / 2).

(** the formula off by 1e-9 *)
Definition weight_decay_factor : Prop :=
  forall tau : nat,
  forall c : R,
  c >= 0 ->
  c < 1 ->
  exists theta : R, first_root
    (fun theta : R => sin (theta * (1 + INR tau)))
    (fun theta : R => (1 - c) * sin (theta * INR tau))
    PI theta /\
  decayed_threshold (decayed_sgd c tau) (1000000001 * sqrt (1 + (1 - c) ^ 2 - 2 * (1 - c) * cos theta) / 1000000000).

(** c <= 1 *)
Definition weight_decay_closed_1 : Prop :=
  forall tau : nat,
  forall c : R,
  c >= 0 ->
  c <= 1 ->
  exists theta : R, first_root
    (fun theta : R => sin (theta * (1 + INR tau)))
    (fun theta : R => (1 - c) * sin (theta * INR tau))
    PI theta /\
  decayed_threshold (decayed_sgd c tau) (sqrt (1 + (1 - c) ^ 2 - 2 * (1 - c) * cos theta)).

(** the formula off by 1e-9 *)
Definition weight_decay_raises_factor : Prop :=
  forall tau : nat,
  forall c : R,
  INR tau >= 1 ->
  c >= 0 ->
  c < 1 ->
  forall a_star : R, decayed_threshold (decayed_sgd c tau) a_star ->
  a_star >= 1000000001 * Rmax c (2 * sin (PI / (2 + 4 * INR tau))) / 1000000000.

(** c <= 1 *)
Definition weight_decay_raises_closed_1 : Prop :=
  forall tau : nat,
  forall c : R,
  INR tau >= 1 ->
  c >= 0 ->
  c <= 1 ->
  forall a_star : R, decayed_threshold (decayed_sgd c tau) a_star ->
  a_star >= Rmax c (2 * sin (PI / (2 + 4 * INR tau))).

(** INR tau >= 0 *)
Definition weight_decay_raises_moved_1 : Prop :=
  forall tau : nat,
  forall c : R,
  INR tau >= 0 ->
  c >= 0 ->
  c < 1 ->
  forall a_star : R, decayed_threshold (decayed_sgd c tau) a_star ->
  a_star >= Rmax c (2 * sin (PI / (2 + 4 * INR tau))).

(** a_star > Rmax c (2 * sin (PI / (2 + 4 * INR tau))) *)
Definition weight_decay_raises_strict_1 : Prop :=
  forall tau : nat,
  forall c : R,
  INR tau >= 1 ->
  c >= 0 ->
  c < 1 ->
  forall a_star : R, decayed_threshold (decayed_sgd c tau) a_star ->
  a_star > Rmax c (2 * sin (PI / (2 + 4 * INR tau))).

(** the formula off by 1e-9 *)
Definition heavy_ball_algebraic_factor : Prop :=
  forall tau : nat,
  forall m : R,
  INR tau >= 1 ->
  m > -1 ->
  m < 1 ->
  exists theta : R, first_root
    (fun theta : R => chebyshev_U (Z.of_nat tau) (cos theta) + m * chebyshev_U (Z.of_nat tau - 2) (cos theta))
    (fun theta : R => (1 + m) * chebyshev_U (Z.of_nat tau - 1) (cos theta))
    PI theta /\
  threshold (heavy_ball m tau) (1000000001 * (if Nat.even tau then Rmin (2 * (1 + m)) ((1 - m) / chebyshev_U (Z.of_nat tau - 1) (cos theta)) else (1 - m) / chebyshev_U (Z.of_nat tau - 1) (cos theta)) / 1000000000).

(** m >= -1 *)
Definition heavy_ball_algebraic_closed_1 : Prop :=
  forall tau : nat,
  forall m : R,
  INR tau >= 1 ->
  m >= -1 ->
  m < 1 ->
  exists theta : R, first_root
    (fun theta : R => chebyshev_U (Z.of_nat tau) (cos theta) + m * chebyshev_U (Z.of_nat tau - 2) (cos theta))
    (fun theta : R => (1 + m) * chebyshev_U (Z.of_nat tau - 1) (cos theta))
    PI theta /\
  threshold (heavy_ball m tau) (if Nat.even tau then Rmin (2 * (1 + m)) ((1 - m) / chebyshev_U (Z.of_nat tau - 1) (cos theta)) else (1 - m) / chebyshev_U (Z.of_nat tau - 1) (cos theta)).

(** m <= 1 *)
Definition heavy_ball_algebraic_closed_2 : Prop :=
  forall tau : nat,
  forall m : R,
  INR tau >= 1 ->
  m > -1 ->
  m <= 1 ->
  exists theta : R, first_root
    (fun theta : R => chebyshev_U (Z.of_nat tau) (cos theta) + m * chebyshev_U (Z.of_nat tau - 2) (cos theta))
    (fun theta : R => (1 + m) * chebyshev_U (Z.of_nat tau - 1) (cos theta))
    PI theta /\
  threshold (heavy_ball m tau) (if Nat.even tau then Rmin (2 * (1 + m)) ((1 - m) / chebyshev_U (Z.of_nat tau - 1) (cos theta)) else (1 - m) / chebyshev_U (Z.of_nat tau - 1) (cos theta)).

(** INR tau >= 0 *)
Definition heavy_ball_algebraic_moved_1 : Prop :=
  forall tau : nat,
  forall m : R,
  INR tau >= 0 ->
  m > -1 ->
  m < 1 ->
  exists theta : R, first_root
    (fun theta : R => chebyshev_U (Z.of_nat tau) (cos theta) + m * chebyshev_U (Z.of_nat tau - 2) (cos theta))
    (fun theta : R => (1 + m) * chebyshev_U (Z.of_nat tau - 1) (cos theta))
    PI theta /\
  threshold (heavy_ball m tau) (if Nat.even tau then Rmin (2 * (1 + m)) ((1 - m) / chebyshev_U (Z.of_nat tau - 1) (cos theta)) else (1 - m) / chebyshev_U (Z.of_nat tau - 1) (cos theta)).

(** the formula off by 1e-9 *)
Definition heavy_ball_tangent_factor : Prop :=
  forall tau : nat,
  forall m : R,
  INR tau >= 1 ->
  m > -1 ->
  m < 1 ->
  exists y : R, first_root
    (fun y : R => PI / 2)
    (fun y : R => 2 * atan y * INR tau + atan ((y * (1 + m)) / (1 - m)))
    PI y /\
  threshold (heavy_ball m tau) (1000000001 * (if Nat.even tau then Rmin (2 * (1 + m)) ((2 * y * sqrt ((1 - m) ^ 2 + y ^ 2 * (1 + m) ^ 2)) / (1 + y ^ 2)) else (2 * y * sqrt ((1 - m) ^ 2 + y ^ 2 * (1 + m) ^ 2)) / (1 + y ^ 2)) / 1000000000).

(** m >= -1 *)
Definition heavy_ball_tangent_closed_1 : Prop :=
  forall tau : nat,
  forall m : R,
  INR tau >= 1 ->
  m >= -1 ->
  m < 1 ->
  exists y : R, first_root
    (fun y : R => PI / 2)
    (fun y : R => 2 * atan y * INR tau + atan ((y * (1 + m)) / (1 - m)))
    PI y /\
  threshold (heavy_ball m tau) (if Nat.even tau then Rmin (2 * (1 + m)) ((2 * y * sqrt ((1 - m) ^ 2 + y ^ 2 * (1 + m) ^ 2)) / (1 + y ^ 2)) else (2 * y * sqrt ((1 - m) ^ 2 + y ^ 2 * (1 + m) ^ 2)) / (1 + y ^ 2)).

(** m <= 1 *)
Definition heavy_ball_tangent_closed_2 : Prop :=
  forall tau : nat,
  forall m : R,
  INR tau >= 1 ->
  m > -1 ->
  m <= 1 ->
  exists y : R, first_root
    (fun y : R => PI / 2)
    (fun y : R => 2 * atan y * INR tau + atan ((y * (1 + m)) / (1 - m)))
    PI y /\
  threshold (heavy_ball m tau) (if Nat.even tau then Rmin (2 * (1 + m)) ((2 * y * sqrt ((1 - m) ^ 2 + y ^ 2 * (1 + m) ^ 2)) / (1 + y ^ 2)) else (2 * y * sqrt ((1 - m) ^ 2 + y ^ 2 * (1 + m) ^ 2)) / (1 + y ^ 2)).

(** INR tau >= 0 *)
Definition heavy_ball_tangent_moved_1 : Prop :=
  forall tau : nat,
  forall m : R,
  INR tau >= 0 ->
  m > -1 ->
  m < 1 ->
  exists y : R, first_root
    (fun y : R => PI / 2)
    (fun y : R => 2 * atan y * INR tau + atan ((y * (1 + m)) / (1 - m)))
    PI y /\
  threshold (heavy_ball m tau) (if Nat.even tau then Rmin (2 * (1 + m)) ((2 * y * sqrt ((1 - m) ^ 2 + y ^ 2 * (1 + m) ^ 2)) / (1 + y ^ 2)) else (2 * y * sqrt ((1 - m) ^ 2 + y ^ 2 * (1 + m) ^ 2)) / (1 + y ^ 2)).
