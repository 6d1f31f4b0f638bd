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

(** ** Beyond the threshold there is a root outside *)
Section Unstable.
Variables (m : R) (n : nat) (T : R).
Hypothesis m1 : 0 <= m < 1.
Hypothesis n1 : (1 <= n)%nat.
Hypothesis angle : shifted_angle m n T.
Let N := INR n.
Let U := PI / (N + 1).

Lemma shifted_interval : 1 <= N /\ (N + 1) * U = PI /\ 0 < T /\ T < U /\ U <= PI / 2.
Proof.
  pose proof (N_one n n1) as N1. fold N in N1. destruct (shifted_T m n T m1 angle) as [T0 TN].
  fold N in TN. pose proof PI_RGT_0.
  assert (NU : (N + 1) * U = PI) by (unfold U; field; lra). repeat split; try lra; nra.
Qed.

(** Also sin (n t) is at least sin t, as n t lies between t and pi - t. *)
Lemma shifted_signs t : T <= t <= U -> 0 < sin t /\ sin t <= sin (N * t) /\
  0 < sin (t / 2) /\ 0 < cos (t / 2).
Proof.
  intro b. destruct shifted_interval as [N1 [NU [T0 [TU U2]]]]. pose proof PI_RGT_0.
  assert (Nt : (N + 1) * t <= PI) by nra. assert (t <= N * t) by nra.
  repeat split; [apply sin_gt_0| |apply sin_gt_0|apply cos_gt_0]; try lra.
  destruct (Rle_lt_dec (N * t) (PI / 2)) as [h|h]; [apply sin_mono; lra|].
  rewrite <- (sin_PI_x (N * t)). apply sin_mono; lra.
Qed.

Lemma shifted_next t : T <= t < U -> 0 < sin ((N + 1) * t).
Proof.
  intro b. destruct shifted_interval as [N1 [NU [T0 [TU U2]]]]. apply sin_gt_0; nra.
Qed.

Lemma shifted_X_beyond t : T <= t < U -> shifted_X m n t <= 0.
Proof.
  intro b. destruct shifted_interval as [N1 [NU [T0 [TU U2]]]]. pose proof PI_RGT_0.
  destruct (shifted_signs t ltac:(lra)) as [st [sm [sh ch]]].
  destruct (shifted_signs T ltac:(lra)) as [sT [smT [shT chT]]].
  destruct angle as [_ [eq _]]. simpl in eq.
  assert (XT : shifted_X m n T = 0) by (unfold shifted_X; lra).
  rewrite shifted_X_form in XT by assumption. rewrite shifted_X_form by assumption. fold N in XT |- *.
  destruct (Rle_lt_dec (cos (N * t)) m) as [h|h].
  { assert (0 <= sin (N * t) * sin (t / 2)) by (apply Rmult_le_pos; lra). nra. }
  assert (Nt : N * t <= PI / 2).
  { apply Rnot_lt_le. intro l. assert (cos (N * t) <= 0) by (apply cos_le_0; nra). lra. }
  assert (cos (N * t) <= cos (N * T)) by (apply cos_decr_1; nra).
  assert (cos (t / 2) <= cos (T / 2)) by (apply cos_decr_1; lra).
  assert (sin (N * T) <= sin (N * t)) by (apply sin_mono; nra).
  assert (sin (T / 2) <= sin (t / 2)) by (apply sin_mono; lra).
  assert (sin (N * T) * sin (T / 2) <= sin (N * t) * sin (t / 2)) by (apply Rmult_le_compat; lra).
  assert ((cos (N * t) - m) * cos (t / 2) <= (cos (N * T) - m) * cos (T / 2))
    by (apply Rmult_le_compat; lra).
  lra.
Qed.

Definition shifted_G (t r : R) : R := r ^ n * sin ((N + 1) * t) * (r * r + 1 - 2 * r * cos t) / sin t.

(** Where the imaginary part vanishes, the real part is minus this gain. *)
Lemma shifted_G_root t r : 0 < r -> 0 < sin t -> shifted_F m n t r = 0 ->
  shifted_momentum m n (shifted_G t r) (polar r t) = RtoC 0.
Proof.
  intros r0 st F. apply shifted_root; [exact r0|]. split; [|exact F].
  unfold shifted_F, shifted_G in *. fold N in F |- *. rewrite sin_next, cos_next in *.
  set (q := r ^ n) in *. set (p := cos (N * t)) in *. set (k := sin (N * t)) in *.
  pose proof (circle t) as circ. set (c := cos t) in *. set (s := sin t) in *.
  apply Rmult_eq_reg_r with (s * r); [|nra]. rewrite Rmult_0_l.
  transitivity (q * (r * (p * c - k * s) - p) * (s * r) - m * s * (r - c)
    + q * (k * c + p * s) * (r * r + 1 - 2 * r * c) * r); [field; lra|].
  replace (m * s) with (q * (r * (r * (k * c + p * s) - k))) by lra.
  transitivity (q * r * k * r * (1 - (s * s + c * c))); [ring|rewrite circ; ring].
Qed.

Lemma shifted_G_start : shifted_G T 1 = shifted_gain m n T.
Proof.
  destruct shifted_interval as [N1 [NU [T0 [TU U2]]]].
  destruct (shifted_signs T ltac:(lra)) as [sT [smT [shT chT]]].
  destruct (shifted_gain_form m n T m1 angle) as [A0 [AA e]]. fold N in A0, AA, e. rewrite e.
  unfold shifted_G. rewrite pow1.
  replace ((N + 1) * T) with (T * (1 / 2 + N) + T / 2) by field. rewrite sin_plus.
  destruct angle as [_ [eq _]]. simpl in eq. fold N in eq. rewrite eq.
  pose proof (circle (T / 2)) as c.
  rewrite (sin_half T), (cos_half T). set (s := sin (T / 2)) in *. field. split; lra.
Qed.

Lemma shifted_branch a : shifted_gain m n T <= a ->
  exists z, 1 <= Cmod z /\ shifted_momentum m n a z = RtoC 0.
Proof.
  intro high. destruct shifted_interval as [N1 [NU [T0 [TU U2]]]]. pose proof PI_RGT_0.
  assert (F_0 : forall t r, shifted_F m n t r =
    r ^ n * (r * (r * sin ((N + 1) * t) - sin (N * t))) - m * sin t) by reflexivity.
  destruct (branch T U (shifted_F m n) shifted_G TU) with (a := a) as [t [r [b [r1 [z g]]]]].
  - intros r t. unfold shifted_F. continuous.
  - intros t r. unfold shifted_F. continuous.
  - intros f t b f1 cm. unfold shifted_G. continuous.
    destruct (shifted_signs t ltac:(lra)) as [st _]. apply Rgt_not_eq; lra.
  - intros t b. rewrite shifted_F_one. pose proof (shifted_X_beyond t b).
    destruct (shifted_signs t ltac:(lra)) as [_ [_ [sh _]]]. nra.
  - intros t r s b rs F. pose proof (shifted_next t b) as lead.
    destruct (shifted_signs t ltac:(lra)) as [st [sm _]]. rewrite F_0 in *.
    assert (q : 1 <= r ^ n) by (apply pow_R1_Rle; lra).
    assert (rsn : r ^ n <= s ^ n) by (apply pow_incr; lra).
    set (w := r * sin ((N + 1) * t) - sin (N * t)) in *.
    set (v := s * sin ((N + 1) * t) - sin (N * t)).
    assert (wv : w < v) by (unfold w, v; nra). assert (ms : 0 <= m * sin t) by nra.
    assert (w0 : 0 <= w).
    { apply Rnot_lt_le. intro l. assert (r ^ n * (r * w) < 0); [|lra].
      assert (0 < r ^ n * r) by nra. nra. }
    assert (r * w < s * v) by nra. assert (0 <= r * w) by nra.
    assert (r ^ n * (r * w) <= s ^ n * (r * w)) by (apply Rmult_le_compat_r; lra).
    assert (s ^ n * (r * w) < s ^ n * (s * v)) by (apply Rmult_lt_compat_l; lra). lra.
  - intros t b. pose proof (shifted_next t b) as lead. exists (1 + 3 / sin ((N + 1) * t)).
    assert (0 < 3 / sin ((N + 1) * t)) by (apply Rdiv_lt_0_compat; lra). split; [lra|]. rewrite F_0.
    assert (e : (1 + 3 / sin ((N + 1) * t)) * sin ((N + 1) * t) = sin ((N + 1) * t) + 3)
      by (field; lra).
    assert (r1 : 1 <= 1 + 3 / sin ((N + 1) * t)) by lra.
    set (r := 1 + 3 / sin ((N + 1) * t)) in *. rewrite e.
    assert (q : 1 <= r ^ n) by (apply pow_R1_Rle; lra).
    pose proof (SIN_bound (N * t)). pose proof (SIN_bound t).
    set (w := sin ((N + 1) * t) + 3 - sin (N * t)). assert (2 < w) by (unfold w; lra).
    assert (2 < r * w) by nra. assert (2 < r ^ n * (r * w)) by nra. assert (m * sin t <= 1) by nra. lra.
  - rewrite shifted_F_one. destruct angle as [_ [eq _]]. simpl in eq.
    replace (shifted_X m n T) with 0 by (unfold shifted_X; lra). ring.
  - intros r r1. rewrite F_0, NU, sin_PI. destruct (shifted_signs U ltac:(lra)) as [st [sm _]].
    assert (q : 1 <= r ^ n) by (apply pow_R1_Rle; lra).
    assert (0 < r ^ n * (r * sin (N * U))) by (apply Rmult_lt_0_compat; nra).
    assert (0 <= m * sin U) by nra. lra.
  - intro A. exists (Rabs A + 3). pose proof (Rabs_pos A). split; [lra|].
    intros t r b big z. destruct (shifted_signs t ltac:(lra)) as [st [sm _]].
    pose proof (shifted_next t b) as lead. pose proof (COS_bound t) as cb. rewrite F_0 in z.
    assert (q : 1 <= r ^ n) by (apply pow_R1_Rle; lra).
    assert (low : sin t <= r * sin ((N + 1) * t)).
    { apply Rle_trans with (sin (N * t)); [exact sm|]. apply Rnot_lt_le. intro l.
      assert (0 < r ^ n * r) by nra. assert (0 <= m * sin t) by nra. nra. }
    assert (dist : (r - 1) * (r - 1) <= r * r + 1 - 2 * r * cos t) by nra.
    unfold shifted_G. apply Rle_trans with (r - 2); [pose proof (Rle_abs A); lra|].
    apply Rmult_le_reg_r with (r * sin t); [nra|].
    replace (r ^ n * sin ((N + 1) * t) * (r * r + 1 - 2 * r * cos t) / sin t * (r * sin t)) with
      (r ^ n * ((r * sin ((N + 1) * t)) * (r * r + 1 - 2 * r * cos t))) by (field; lra).
    assert (p : sin t * ((r - 1) * (r - 1)) <= r * sin ((N + 1) * t) * (r * r + 1 - 2 * r * cos t))
      by (apply Rmult_le_compat; nra).
    assert (p0 : 0 <= sin t * ((r - 1) * (r - 1))) by (apply Rmult_le_pos; nra).
    assert ((r - 2) * (r * sin t) <= sin t * ((r - 1) * (r - 1))) by nra.
    set (w := r * sin ((N + 1) * t) * (r * r + 1 - 2 * r * cos t)) in *. nra.
  - rewrite shifted_G_start. exact high.
  - exists (polar r t). rewrite Cmod_polar by lra. split; [exact r1|].
    destruct (shifted_signs t ltac:(lra)) as [st _]. rewrite <- g. apply shifted_G_root; lra.
Qed.
End Unstable.

(** ** The theorem *)

Lemma shifted_angle_exists m n : 0 <= m < 1 -> exists T, shifted_angle m n T.
Proof.
  intro m1. pose proof PI_RGT_0. pose proof (pos_INR n) as N0. set (u := PI / (2 * INR n + 1)).
  assert (e : (2 * INR n + 1) * u = PI) by (unfold u; field; lra).
  assert (u0 : 0 < u) by (unfold u; apply Rdiv_lt_0_compat; lra).
  destruct (first_root_exists (fun t => cos (t * (1 / 2 + INR n))) (fun t => m * cos (t / 2)) u PI)
    as [T [_ r]].
  - intro s. continuous.
  - intro s. unfold Rdiv. continuous.
  - unfold Rdiv. rewrite !Rmult_0_l, cos_0. lra.
  - nra.
  - replace (u * (1 / 2 + INR n)) with (PI / 2) by lra. rewrite cos_PI2.
    assert (0 <= cos (u / 2)) by (apply cos_ge_0; nra). nra.
  - exists T. exact r.
Qed.

(** Without delay, shifted momentum is heavy ball, and the angle is pi. *)
Lemma shifted_zero m T : -1 < m < 1 -> shifted_angle m 0 T ->
  threshold (shifted_momentum m 0) (shifted_gain m 0 T).
Proof.
  intros m1 angle. destruct (heavy_ball_is_threshold 0 m ltac:(lra) ltac:(lra)) as [S [aS [p t]]].
  assert (TP : T = PI).
  { destruct angle as [[T0 TP] [eq below]]. simpl in eq. pose proof PI_RGT_0.
    destruct (Rle_lt_or_eq_dec _ _ TP) as [h|h]; [|exact h]. exfalso.
    replace (T * (1 / 2 + 0)) with (T / 2) in eq by field.
    assert (0 < cos (T / 2)) by (apply cos_gt_0; lra). nra. }
  assert (g : shifted_gain m 0 T = heavy_ball_threshold m 0 S).
  { unfold heavy_ball_threshold. simpl Nat.even. cbn iota.
    rewrite (hb_angle_zero m S ltac:(lra) aS), hb_gain_zero, Rmin_left by lra.
    rewrite TP. unfold shifted_gain. simpl INR. replace (PI * (1 + 0) / 2) with (PI / 2) by field.
    rewrite sin_PI2. replace ((1 - m) ^ 2 + 4 * m * 1 ^ 2) with ((m + 1) * (m + 1)) by ring.
    rewrite sqrt_square by lra. ring. }
  rewrite g. split; [exact p|]. intro a. rewrite <- t.
  assert (same : forall z, shifted_momentum m 0 a z = heavy_ball m 0 a z).
  { intro z. unfold shifted_momentum, heavy_ball. simpl Cpow. ring. }
  split; intros h z e; apply h; rewrite <- e; [|symmetry]; apply same.
Qed.

(** A gain that is not positive leaves a root from 1 on. *)
Lemma shifted_negative_gain m n a : -1 < m < 1 -> a <= 0 ->
  exists x, 1 <= x /\ shifted_momentum m n a (RtoC x) = RtoC 0.
Proof.
  intros m1 neg.
  apply real_root with (f := fun x => (x - 1) * (x ^ S n - m) + a * x) (X := 2 - a).
  + intro x. continuous.
  + intro x. unfold shifted_momentum. rewrite Cpow_real.
    rewrite <- !RtoC_minus, <- !RtoC_mult, <- RtoC_plus. reflexivity.
  + lra.
  + rewrite pow1. lra.
  + assert (1 <= (2 - a) ^ n) by (apply pow_R1_Rle; lra). simpl pow.
    assert (2 - a - m <= (2 - a) * (2 - a) ^ n - m) by nra.
    assert ((2 - a - 1) * (2 - a - m) <= (2 - a - 1) * ((2 - a) * (2 - a) ^ n - m))
      by (apply Rmult_le_compat_l; lra).
    assert (- a * (2 - a) <= (2 - a - 1) * (2 - a - m)) by nra. lra.
Qed.

Theorem shifted_is_threshold : forall (tau : nat) (m : R), 0 <= m -> m < 1 -> exists theta,
  shifted_angle m tau theta /\ threshold (shifted_momentum m tau) (shifted_gain m tau theta).
Proof.
  intros n m low high. assert (m1 : 0 <= m < 1) by lra.
  destruct (shifted_angle_exists m n m1) as [T angle]. exists T. split; [exact angle|].
  destruct (Nat.eq_dec n 0) as [->|nz]; [apply shifted_zero; [lra|exact angle]|]. assert (n1 : (1 <= n)%nat) by lia.
  destruct (shifted_T m n T m1 angle) as [T0 _].
  apply threshold_intro.
  - apply shifted_gain_facts; assumption.
  - intros a z. unfold shifted_momentum. conjugate.
  - intros a r t b r1 bt root. destruct (Rlt_le_dec t T) as [h|h].
    + destruct (Rle_lt_or_eq_dec 0 t) as [p|p]; [lra| |].
      * pose proof (shifted_gap m n T m1 angle t r ltac:(lra) r1).
        apply shifted_root in root; [|lra]. lra.
      * subst t. apply (shifted_no_positive_root m n m1 a r ltac:(lra) r1 root).
    + apply (shifted_beyond m n T m1 angle a r t n1 b ltac:(lra) r1 root).
  - intros a. now apply shifted_branch.
  - intros a neg. apply shifted_negative_gain; lra.
Qed.
