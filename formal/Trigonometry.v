(** * Trigonometry: sums of angles, and signs on the angles that matter *)

Require Import Reals Lra Psatz.
From DelayStability Require Import Loop.
Open Scope R_scope.

(** The angles N t plus or minus t and plus or minus t/2, in sines and cosines of N t, t and t/2. *)

Lemma sin_next N t : sin ((N + 1) * t) = sin (N * t) * cos t + cos (N * t) * sin t.
Proof. rewrite <- sin_plus. f_equal; ring. Qed.

Lemma cos_next N t : cos ((N + 1) * t) = cos (N * t) * cos t - sin (N * t) * sin t.
Proof. rewrite <- cos_plus. f_equal; ring. Qed.

Lemma cos_half_after N t : cos (t * (N + 1 / 2)) =
  cos (N * t) * cos (t / 2) - sin (N * t) * sin (t / 2).
Proof. rewrite <- cos_plus. f_equal; field. Qed.

Lemma cos_half_before N t : cos (t * (N - 1 / 2)) =
  cos (N * t) * cos (t / 2) + sin (N * t) * sin (t / 2).
Proof. rewrite <- cos_minus. f_equal; field. Qed.

Lemma sin_half t : sin t = 2 * sin (t / 2) * cos (t / 2).
Proof. rewrite <- sin_2a. f_equal; field. Qed.

Lemma cos_half t : cos t = 1 - 2 * (sin (t / 2) * sin (t / 2)).
Proof. replace t with (2 * (t / 2)) at 1 by field. rewrite cos_2a_sin. ring. Qed.

Lemma circle t : sin t * sin t + cos t * cos t = 1.
Proof. exact (sin2_cos2 t). Qed.

Lemma sin_mono x y : 0 <= x -> x <= y -> y <= PI / 2 -> sin x <= sin y.
Proof. intros. apply sin_incr_1; pose proof PI_RGT_0; lra. Qed.

Lemma half_positive t : 0 < t <= PI -> 0 < sin (t / 2).
Proof. intro. apply sin_gt_0; pose proof PI_RGT_0; lra. Qed.

(** ** A root on the ray of angle t

    For a loop that reads z^N W(z) = -a, with W(z) = u + v i, C and S the cosine and sine of N t: if the
    imaginary part of z^N W(z) vanishes, its real part is -a exactly for a = r^N v / S. *)
Lemma real_part_from_imaginary q u v C S a :
  S * S + C * C = 1 -> S <> 0 -> u * S + v * C = 0 -> a * S = q * v -> q * (u * C - v * S) = - a.
Proof.
  intros circ s im gain. apply Rmult_eq_reg_r with S; [|exact s].
  assert (e : q * (u * C - v * S) * S = q * C * (u * S + v * C) - q * v * (S * S + C * C)) by ring.
  rewrite e, im, circ. transitivity (- (a * S)); [rewrite gain|]; ring.
Qed.

(** The distances of z = r (cos t + i sin t) from 1 and from m grow by at least sqrt r each. *)
Lemma distance_from_one r c : 1 <= r -> (2 - 2 * c) * r <= r * r + 1 - 2 * r * c.
Proof. intro. assert (0 <= (r - 1) * (r - 1)) by nra. nra. Qed.

Lemma distance_from_pole r m c : 1 <= r -> -1 < m < 1 ->
  (1 + m * m - 2 * m * c) * r <= r * r + m * m - 2 * m * r * c.
Proof. intros. assert (0 <= (r - 1) * (r - m * m)) by (apply Rmult_le_pos; nra). nra. Qed.

(** The squared modulus of what the gain balances. *)
Lemma modulus_squared q u v C S a : S * S + C * C = 1 ->
  q * (u * C - v * S) + a = 0 -> q * (u * S + v * C) = 0 -> a * a = q * q * (u * u + v * v).
Proof.
  intros circ re im. replace a with (- (q * (u * C - v * S))) by lra.
  transitivity (q * q * (u * u + v * v) * (S * S + C * C) - q * (u * S + v * C) * (q * (u * S + v * C))).
  - ring.
  - rewrite circ, im. ring.
Qed.
