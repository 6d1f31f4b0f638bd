(** * Shifted momentum: the threshold for every delay and momentum from 0 on *)

Require Import Reals Lra Lia Psatz.
From DelayStability Require Import Loop Branch Trigonometry HeavyBall.
Open Scope R_scope.

(** The gain of the crossing at an angle, and the equation of the angle. *)
Definition shifted_gain (m : R) (n : nat) (t : R) : R :=
  2 * sin (t / 2) * sqrt ((1 - m) ^ 2 + 4 * m * sin (t * (1 + INR n) / 2) ^ 2).

Definition shifted_angle (m : R) (n : nat) : R -> Prop :=
  first_root (fun t => cos (t * (1 / 2 + INR n))) (fun t => m * cos (t / 2)) PI.

Definition shifted_X (m : R) (n : nat) (t : R) : R := cos (t * (1 / 2 + INR n)) - m * cos (t / 2).

(** ** The polynomial on the ray of angle t

    It is z times z^n (z - 1) - m (1 - 1/z) + a. *)
Definition shifted_F (m : R) (n : nat) (t r : R) : R :=
  r ^ n * (r * (r * sin ((INR n + 1) * t) - sin (INR n * t))) - m * sin t.

Lemma shifted_polar m n a r t : 0 < r -> shifted_momentum m n a (polar r t) =
  (polar r t *
  (r ^ n * (r * cos ((INR n + 1) * t) - cos (INR n * t)) - m * (1 - cos t / r) + a,
   shifted_F m n t r / r)%R)%C.
Proof.
  intro r0. unfold shifted_momentum. change (polar r t ^ S n)%C with (polar r t * polar r t ^ n)%C.
  rewrite Cpow_polar. unfold shifted_F. rewrite sin_next, cos_next.
  set (q := r ^ n). pose proof (circle t) as circ. unfold polar.
  set (p := cos (INR n * t)). set (k := sin (INR n * t)). set (c := cos t) in *. set (s := sin t) in *.
  set (z := (r * c, r * s) : C). set (w := (q * p, q * k) : C).
  set (v := (1 - c / r, s / r) : C).
  assert (e : (z * v = z - 1)%C).
  { unfold z, v, Cplus, Cmult, Cminus, Copp, Cplus, RtoC; simpl fst; simpl snd.
    apply pair_equal_spec; split; field_simplify; lra. }
  transitivity (z * (w * (z - 1) - m * v + a))%C.
  - transitivity ((z - 1) * (z * w) - m * (z * v) + a * z)%C; [rewrite e|]; ring.
  - apply f_equal. unfold z, w, v, Cplus, Cmult, Cminus, Copp, Cplus, RtoC; simpl fst; simpl snd.
    apply pair_equal_spec; split; field; lra.
Qed.

Lemma shifted_root m n a r t : 0 < r -> (shifted_momentum m n a (polar r t) = RtoC 0 <->
  r ^ n * (r * cos ((INR n + 1) * t) - cos (INR n * t)) - m * (1 - cos t / r) + a = 0 /\
  shifted_F m n t r = 0).
Proof.
  intro r0. rewrite shifted_polar by exact r0. split.
  - intro e. destruct (Ceq_dec (r ^ n * (r * cos ((INR n + 1) * t) - cos (INR n * t))
      - m * (1 - cos t / r) + a, shifted_F m n t r / r) (RtoC 0)) as [z|z].
    + apply pair_equal_spec in z. destruct z as [re im]. split; [exact re|].
      apply Rmult_eq_reg_r with (/ r); [|apply Rinv_neq_0_compat; lra].
      rewrite Rmult_0_l. exact im.
    + destruct (Cmult_neq_0 _ _ (polar_nonzero r t r0) z e).
  - intros [re im]. rewrite re, im. unfold Rdiv. rewrite Rmult_0_l. apply Cmult_0_r.
Qed.

(** The same equation, solved for z^(n + 1) (z - 1) = (m - a) z - m, in moduli. *)
Lemma shifted_modulus m n a r t : 0 < r -> shifted_momentum m n a (polar r t) = RtoC 0 ->
  r ^ n * r ^ n * (r * r + 1 - 2 * r * cos t) =
  (m - a) * (m - a) + m * m / (r * r) - 2 * m * (m - a) * cos t / r.
Proof.
  intros r0 root. apply shifted_root in root; [|exact r0]. destruct root as [re im].
  unfold shifted_F in im. pose proof (circle (INR n * t)) as c1. pose proof (circle t) as c2.
  rewrite sin_next in im. rewrite cos_next in re.
  set (q := r ^ n) in *. set (p := cos (INR n * t)) in *. set (k := sin (INR n * t)) in *.
  set (c := cos t) in *. set (s := sin t) in *.
  assert (A : q * ((r * c - 1) * p - r * s * k) = m * (1 - c / r) - a) by lra.
  assert (B : q * ((r * c - 1) * k + r * s * p) = m * s / r).
  { apply Rmult_eq_reg_r with r; [|lra]. replace (m * s / r * r) with (m * s) by (field; lra). lra. }
  transitivity ((q * ((r * c - 1) * p - r * s * k)) * (q * ((r * c - 1) * p - r * s * k)) +
    (q * ((r * c - 1) * k + r * s * p)) * (q * ((r * c - 1) * k + r * s * p))).
  - transitivity (q * q * (r * r * (s * s + c * c) + 1 - 2 * r * c) * (k * k + p * p)).
    + rewrite c1, c2. ring.
    + ring.
  - rewrite A, B. transitivity ((m * (1 - c / r) - a) * (m * (1 - c / r) - a)
      + m * m * (1 - c * c) / (r * r)).
    + replace (1 - c * c) with (s * s) by lra. field. lra.
    + field. lra.
Qed.

(** The difference of the two sides grows with r, whatever c = cos t is. *)
Lemma shifted_slope m d c r : 0 <= m < 1 -> -1 < d <= m -> -1 <= c <= 1 -> 1 <= r ->
  0 <= r * r * (r + 1) - 2 * c * (r * r) + m * m * (r + 1) - 2 * m * d * c * r.
Proof.
  intros m1 d1 cb r1.
  assert (rr : 1 <= r * r) by nra. assert (lead : 0 <= r * r * (r + 1)) by (apply Rmult_le_pos; lra).
  assert (mm : 0 <= m * m <= 1) by nra. assert (rest : 0 <= m * m * (r + 1)) by (apply Rmult_le_pos; lra).
  destruct (Rle_lt_dec c 0) as [cn|cp].
  - assert (0 <= - c * (r * r)) by (apply Rmult_le_pos; lra).
    destruct (Rle_lt_dec 0 d) as [dp|dn].
    + assert (0 <= m * d * (- c * r)) by (apply Rmult_le_pos; apply Rmult_le_pos; lra). lra.
    + assert (m * - d <= 1) by nra. assert (0 <= - c * r) by (apply Rmult_le_pos; lra).
      assert (m * - d * (- c * r) <= 1 * (- c * r)) by (apply Rmult_le_compat_r; lra).
      assert (- c * r * 1 <= - c * r * r) by (apply Rmult_le_compat_l; lra). lra.
  - assert (p : 0 <= r + 1 - 2 * c) by lra.
    assert (p2 : 1 * (r + 1 - 2 * c) <= r * r * (r + 1 - 2 * c)) by (apply Rmult_le_compat_r; lra).
    assert (cr : 0 <= c * r) by (apply Rmult_le_pos; lra).
    destruct (Rle_lt_dec d 0) as [dn|dp].
    + assert (0 <= m * - d * (c * r)) by (apply Rmult_le_pos; [apply Rmult_le_pos|]; lra). lra.
    + assert (m * d <= m * m) by (apply Rmult_le_compat_l; lra).
      assert (m * d * (c * r) <= m * m * (c * r)) by (apply Rmult_le_compat_r; lra).
      destruct (Rle_lt_dec 0 (r + 1 - 2 * c * r)) as [w|w].
      * assert (0 <= m * m * (r + 1 - 2 * c * r)) by (apply Rmult_le_pos; lra). lra.
      * assert (1 * (r + 1 - 2 * c * r) <= m * m * (r + 1 - 2 * c * r)) by nra.
        assert (0 <= (r + 1) * (1 - c)) by (apply Rmult_le_pos; lra). lra.
Qed.

(** ** The angle and the gain *)
Section Shifted.
Variables (m : R) (n : nat) (T : R).
Hypothesis m1 : 0 <= m < 1.
Hypothesis angle : shifted_angle m n T.
Let N := INR n.

Lemma shifted_X_form t : shifted_X m n t =
  (cos (N * t) - m) * cos (t / 2) - sin (N * t) * sin (t / 2).
Proof.
  unfold shifted_X. fold N. rewrite (Rplus_comm (1 / 2)), cos_half_after. ring.
Qed.

Lemma shifted_F_one t : shifted_F m n t 1 = 2 * sin (t / 2) * shifted_X m n t.
Proof.
  rewrite shifted_X_form. unfold shifted_F. fold N. rewrite pow1, sin_next, (sin_half t), (cos_half t).
  ring.
Qed.

Lemma shifted_T : 0 < T /\ (2 * N + 1) * T <= PI.
Proof.
  destruct angle as [[T0 TP] [eq below]]. split; [exact T0|].
  assert (N0 : 0 <= N) by apply pos_INR. pose proof PI_RGT_0.
  set (u := PI / (2 * N + 1)). assert (e : (2 * N + 1) * u = PI) by (unfold u; field; lra).
  assert (u0 : 0 < u) by (unfold u; apply Rdiv_lt_0_compat; lra).
  destruct (Rle_lt_dec T u) as [h|h]; [nra|]. specialize (below u ltac:(lra)). simpl in below.
  replace (u * (1 / 2 + INR n)) with (PI / 2) in below by (fold N; lra). rewrite cos_PI2 in below.
  assert (0 <= cos (u / 2)) by (apply cos_ge_0; nra). nra.
Qed.

Lemma shifted_gap t r : 0 < t < T -> 1 <= r -> 0 < shifted_F m n t r.
Proof.
  intros b r1. destruct shifted_T as [T0 TN]. assert (N0 : 0 <= N) by apply pos_INR.
  pose proof PI_RGT_0. destruct angle as [_ [_ below]]. specialize (below t b). simpl in below.
  assert (X : 0 < shifted_X m n t) by (unfold shifted_X; lra).
  assert (sh : 0 < sin (t / 2)) by (apply half_positive; nra).
  assert (F1 : 0 < shifted_F m n t 1) by (rewrite shifted_F_one; apply Rmult_lt_0_compat; lra).
  unfold shifted_F in *. fold N in F1 |- *. rewrite pow1 in F1.
  assert (s0 : 0 <= sin t) by (apply sin_ge_0; nra).
  assert (S0 : 0 <= sin ((N + 1) * t)) by (apply sin_ge_0; nra).
  assert (q : 1 <= r ^ n) by (apply pow_R1_Rle; exact r1).
  set (w := sin ((N + 1) * t) - sin (N * t)).
  assert (w0 : 0 < w) by (unfold w; nra).
  assert (w <= r * sin ((N + 1) * t) - sin (N * t)) by (unfold w; nra).
  assert (w <= r * (r * sin ((N + 1) * t) - sin (N * t))) by nra.
  assert (w <= r ^ n * (r * (r * sin ((N + 1) * t) - sin (N * t)))) by nra.
  unfold w in *. lra.
Qed.

(** With A = sin ((n + 1/2) T) the gain is 2 sin (T/2) (A + m sin (T/2)). *)
Lemma shifted_gain_form : let s := sin (T / 2) in let A := sin (T * (1 / 2 + N)) in
  0 <= A /\ A * A = 1 - m * m * (cos (T / 2) * cos (T / 2)) /\
  shifted_gain m n T = 2 * s * (A + m * s).
Proof.
  intros s A. destruct shifted_T as [T0 TN]. assert (N0 : 0 <= N) by apply pos_INR. pose proof PI_RGT_0.
  destruct angle as [_ [eq _]]. simpl in eq. fold N in eq.
  assert (A0 : 0 <= A) by (apply sin_ge_0; nra). split; [exact A0|].
  assert (AA : A * A = 1 - m * m * (cos (T / 2) * cos (T / 2))).
  { pose proof (circle (T * (1 / 2 + N))) as c. fold A in c. rewrite eq in c. lra. }
  split; [exact AA|]. unfold shifted_gain. fold s N.
  assert (s0 : 0 < s) by (apply half_positive; nra).
  assert (e : (1 - m) ^ 2 + 4 * m * sin (T * (1 + N) / 2) ^ 2 = (A + m * s) * (A + m * s)).
  { pose proof (cos_half (T * (1 + N))) as h.
    replace (T * (1 + N)) with (T * (1 / 2 + N) + T / 2) in h at 1 by field.
    rewrite cos_plus, eq in h. fold s A in h. pose proof (circle (T / 2)) as c. fold s in c.
    replace (sin (T * (1 + N) / 2) ^ 2) with
      ((1 - (m * cos (T / 2) * cos (T / 2) - A * s)) / 2) by (simpl; lra).
    replace ((A + m * s) * (A + m * s)) with (A * A + 2 * m * (A * s) + m * m * (s * s)) by ring.
    rewrite AA. replace (s * s) with (1 - cos (T / 2) * cos (T / 2)) by lra. field. }
  rewrite e, sqrt_square by nra. reflexivity.
Qed.

Lemma shifted_gain_facts : let g := shifted_gain m n T in let S := sin (T / 2) * sin (T / 2) in
  0 < g /\ g * (g - 4 * m * S) = 4 * S * (1 - m * m) /\ ((1 <= n)%nat -> g <= 1 + m).
Proof.
  intros g S. destruct shifted_gain_form as [A0 [AA e]]. destruct shifted_T as [T0 TN].
  assert (N0 : 0 <= N) by apply pos_INR. pose proof PI_RGT_0.
  set (s := sin (T / 2)) in *. set (A := sin (T * (1 / 2 + N))) in *.
  assert (s0 : 0 < s) by (apply half_positive; nra).
  pose proof (circle (T / 2)) as c. fold s in c.
  assert (A1 : 0 < A) by nra.
  assert (g0 : 0 < g) by (unfold g; rewrite e; apply Rmult_lt_0_compat; nra).
  split; [exact g0|]. split.
  - unfold g, S. rewrite e.
    transitivity (4 * (s * s) * (A * A - m * m * (s * s))); [ring|]. rewrite AA.
    replace (cos (T / 2) * cos (T / 2)) with (1 - s * s) by lra. ring.
  - intro n1. apply le_INR in n1. fold N in n1. simpl in n1.
    assert (s <= 1 / 2).
    { unfold s. rewrite <- sin_PI6. apply sin_mono; nra. }
    pose proof (SIN_bound (T * (1 / 2 + N))) as b. fold A in b.
    unfold g. rewrite e. assert (m * s <= m) by nra. assert (0 <= m * s) by nra.
    assert (s * (A + m * s) <= 1 / 2 * (A + m * s)) by (apply Rmult_le_compat_r; lra). lra.
Qed.

(** Beyond the angle the moduli do not agree. *)
Lemma shifted_beyond a r t : (1 <= n)%nat -> 0 < a < shifted_gain m n T -> T <= t <= PI -> 1 <= r ->
  shifted_momentum m n a (polar r t) <> RtoC 0.
Proof.
  intros n1 b bt r1 root. apply shifted_modulus in root; [|lra].
  destruct shifted_gain_facts as [g0 [eq small]]. specialize (small n1). destruct shifted_T as [T0 TN].
  set (g := shifted_gain m n T) in *. set (S := sin (T / 2) * sin (T / 2)) in *.
  assert (s0 : 0 < sin (T / 2)) by (apply half_positive; lra).
  assert (sm : sin (T / 2) <= sin (t / 2)) by (apply sin_mono; lra).
  pose proof (COS_bound t) as cb.
  assert (D1 : 0 < 2 - 2 * cos t - (m - a) * (m - a) - m * m + 2 * m * (m - a) * cos t).
  { rewrite cos_half. set (k := sin (t / 2) * sin (t / 2)).
    assert (Sk : S <= k) by (unfold S, k; nra).
    assert (a * (a - 4 * m * S) < 4 * S * (1 - m * m)).
    { rewrite <- eq. assert (0 < S) by (unfold S; nra).
      destruct (Rle_lt_dec (a - 4 * m * S) 0); [|nra].
      assert (0 < 4 * S * (1 - m * m)) by (apply Rmult_lt_0_compat; nra). nra. }
    assert (S * (1 - m * m + m * a) <= k * (1 - m * m + m * a)) by (apply Rmult_le_compat_r; nra).
    lra. }
  set (c := cos t) in *. set (d := m - a) in *.
  assert (d1 : -1 < d <= m) by (unfold d; lra).
  assert (E : 0 <= r * r * (r + 1) - 2 * c * (r * r) + m * m * (r + 1) - 2 * m * d * c * r).
  { apply shifted_slope; lra. }
  assert (q : 1 <= r ^ n) by (apply pow_R1_Rle; exact r1).
  assert (qq : 1 <= r ^ n * r ^ n) by nra.
  assert (dist : 0 <= r * r + 1 - 2 * r * c) by nra.
  assert (less : r * r + 1 - 2 * r * c <= d * d + m * m / (r * r) - 2 * m * d * c / r).
  { rewrite <- root. set (Q := r ^ n * r ^ n) in *. nra. }
  assert (i : 0 < / r <= 1).
  { split; [apply Rinv_0_lt_compat; lra|]. rewrite <- Rinv_1. apply Rinv_le_contravar; lra. }
  assert (contra : 0 <= (r - 1) * (r * r * (r + 1) - 2 * c * (r * r) + m * m * (r + 1) - 2 * m * d * c * r)
    / (r * r)).
  { apply Rmult_le_pos; [apply Rmult_le_pos; lra|]. left. apply Rinv_0_lt_compat. nra. }
  replace ((r - 1) * (r * r * (r + 1) - 2 * c * (r * r) + m * m * (r + 1) - 2 * m * d * c * r)
    / (r * r)) with (r * r + 1 - 2 * r * c - (d * d + m * m / (r * r) - 2 * m * d * c / r) -
    (2 - 2 * c - d * d - m * m + 2 * m * d * c)) in contra by (field; lra).
  lra.
Qed.

Lemma shifted_no_positive_root a r : 0 < a -> 1 <= r -> shifted_momentum m n a (polar r 0) <> RtoC 0.
Proof.
  intros a0 r1 root. apply shifted_root in root; [|lra]. destruct root as [re _].
  rewrite !Rmult_0_r, cos_0 in re.
  assert (q : 1 <= r ^ n) by (apply pow_R1_Rle; exact r1).
  assert (i : 0 < / r <= 1).
  { split; [apply Rinv_0_lt_compat; lra|]. rewrite <- Rinv_1. apply Rinv_le_contravar; lra. }
  assert (e : 1 - 1 / r = (r - 1) * / r) by (field; lra). rewrite e in re.
  assert (m * / r <= 1) by nra.
  assert (0 <= (r - 1) * (r ^ n - m * / r)) by (apply Rmult_le_pos; lra). nra.
Qed.
End Shifted.
