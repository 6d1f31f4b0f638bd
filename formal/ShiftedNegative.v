(** * Shifted momentum: the threshold for negative momentum, and the theorem for every momentum

    The imaginary part of the equation no longer keeps its sign below the angle. The argument of
    m - a z/(z - 1) does: it grows with the modulus of z. *)

Require Import Reals Lra Lia Psatz.
From DelayStability Require Import Loop Branch Trigonometry Multiples HeavyBall Shifted.
Open Scope R_scope.

(** The equation of the angle in the halves of (n + 1) t and of n t. *)
Lemma shifted_X_halves m n t : shifted_X m n t =
  (1 - m) * (cos ((INR n + 1) * t / 2) * cos (INR n * t / 2)) -
  (1 + m) * (sin ((INR n + 1) * t / 2) * sin (INR n * t / 2)).
Proof.
  unfold shifted_X. replace (t * (1 / 2 + INR n)) with ((INR n + 1) * t / 2 + INR n * t / 2) by field.
  replace (t / 2) with ((INR n + 1) * t / 2 - INR n * t / 2) by field. rewrite cos_plus, cos_minus. ring.
Qed.

Lemma shifted_X_falls m n s t : -1 < m < 1 -> 0 < s -> s <= t -> (INR n + 1) * t <= PI ->
  shifted_X m n t <= shifted_X m n s.
Proof.
  intros m1 s0 st tp. pose proof (pos_INR n) as N0. pose proof PI_RGT_0. rewrite !shifted_X_halves.
  set (N := INR n) in *. assert (Nst : N * s <= N * t) by (apply Rmult_le_compat_l; lra).
  assert (Ns : 0 <= N * s) by (apply Rmult_le_pos; lra).
  assert (0 <= cos ((N + 1) * t / 2)) by (apply cos_ge_0; lra).
  assert (0 <= cos (N * t / 2)) by (apply cos_ge_0; lra).
  assert (cos ((N + 1) * t / 2) <= cos ((N + 1) * s / 2)) by (apply cos_decr_1; lra).
  assert (cos (N * t / 2) <= cos (N * s / 2)) by (apply cos_decr_1; lra).
  assert (0 <= sin ((N + 1) * s / 2)) by (apply sin_ge_0; lra).
  assert (0 <= sin (N * s / 2)) by (apply sin_ge_0; lra).
  assert (sin ((N + 1) * s / 2) <= sin ((N + 1) * t / 2)) by (apply sin_mono; lra).
  assert (sin (N * s / 2) <= sin (N * t / 2)) by (apply sin_mono; lra).
  assert (cos ((N + 1) * t / 2) * cos (N * t / 2) <= cos ((N + 1) * s / 2) * cos (N * s / 2))
    by (apply Rmult_le_compat; lra).
  assert (sin ((N + 1) * s / 2) * sin (N * s / 2) <= sin ((N + 1) * t / 2) * sin (N * t / 2))
    by (apply Rmult_le_compat; lra).
  assert ((1 - m) * (cos ((N + 1) * t / 2) * cos (N * t / 2)) <=
    (1 - m) * (cos ((N + 1) * s / 2) * cos (N * s / 2))) by (apply Rmult_le_compat_l; lra).
  assert ((1 + m) * (sin ((N + 1) * s / 2) * sin (N * s / 2)) <=
    (1 + m) * (sin ((N + 1) * t / 2) * sin (N * t / 2))) by (apply Rmult_le_compat_l; lra). lra.
Qed.

(** At pi/(n + 1) it is negative. *)
Lemma shifted_X_end m n : -1 < m < 1 -> (1 <= n)%nat -> shifted_X m n (PI / (INR n + 1)) < 0.
Proof.
  intros m1 n1. apply (le_INR 1) in n1. simpl in n1. pose proof PI_RGT_0. set (N := INR n) in *.
  rewrite shifted_X_halves. fold N. replace ((N + 1) * (PI / (N + 1)) / 2) with (PI / 2) by (field; lra).
  rewrite cos_PI2, sin_PI2. assert (e : (N + 1) * (PI / (N + 1)) = PI) by (field; lra).
  assert (0 < sin (N * (PI / (N + 1)) / 2)) by (apply sin_gt_0; nra). nra.
Qed.

Section Negative.
Variables (m : R) (n : nat) (T : R).
Hypothesis m1 : -1 < m < 0.
Hypothesis n1 : (1 <= n)%nat.
Hypothesis angle : shifted_angle m n T.
Let N := INR n.

Lemma negative_T : 1 <= N /\ 0 < T /\ (N + 1) * T < PI /\ PI <= (2 * N + 1) * T /\ shifted_X m n T = 0.
Proof.
  pose proof (N_one n n1) as N1. fold N in N1. pose proof PI_RGT_0.
  destruct angle as [[T0 TP] [eq below]]. simpl in eq. split; [exact N1|]. split; [exact T0|].
  assert (X : shifted_X m n T = 0) by (unfold shifted_X; lra). split; [|split; [|exact X]].
  - set (U := PI / (N + 1)). assert (NU : (N + 1) * U = PI) by (unfold U; field; lra).
    pose proof (shifted_X_end m n ltac:(lra) n1) as e. fold N U in e.
    assert (U0 : 0 < U) by (unfold U; apply Rdiv_lt_0_compat; lra).
    destruct (Rtotal_order T U) as [h|[h|h]]; [nra|rewrite <- h in e; lra|].
    specialize (below U ltac:(lra)). simpl in below. unfold shifted_X in e. lra.
  - apply Rnot_lt_le. intro h. fold N in eq.
    assert (0 < cos (T * (1 / 2 + N))) by (apply cos_gt_0; nra).
    assert (0 <= cos (T / 2)) by (apply cos_ge_0; nra). nra.
Qed.

(** The gain at the angle: with s and h the sine and cosine of T/2, g h = 2 s sin ((n + 1) T). *)
Lemma negative_gain : let s := sin (T / 2) in let h := cos (T / 2) in let g := shifted_gain m n T in
  0 < s /\ 0 < h /\ 0 < sin ((N + 1) * T) /\ 0 < g /\ g * h = 2 * s * sin ((N + 1) * T) /\
  g * g = 4 * (s * s) * (1 - m * m + m * g) /\
  cos ((N + 1) * T) * g * h = sin ((N + 1) * T) * s * (2 * m - g).
Proof.
  intros s h g. destruct negative_T as [N1 [T0 [TU [TL _]]]]. pose proof PI_RGT_0.
  assert (s0 : 0 < s) by (apply sin_gt_0; nra). assert (h0 : 0 < h) by (apply cos_gt_0; nra).
  assert (S0 : 0 < sin ((N + 1) * T)) by (apply sin_gt_0; nra).
  destruct angle as [_ [eq _]]. simpl in eq. fold N h in eq.
  set (A := sin (T * (1 / 2 + N))).
  assert (A0 : 0 <= A) by (apply sin_ge_0; nra).
  assert (k : s * s + h * h = 1) by exact (circle (T / 2)).
  assert (AA : A * A = 1 - m * m * (h * h)).
  { pose proof (circle (T * (1 / 2 + N))) as c. fold A in c. rewrite eq in c. lra. }
  assert (A1 : 0 < A + m * s).
  { assert (m * m < 1) by nra. assert (m * m * (s * s) < A * A) by (rewrite AA; nra).
    assert (- (m * s) < A); [|lra]. apply Rnot_le_lt. intro l.
    assert (A * A <= - (m * s) * - (m * s)) by (apply Rmult_le_compat; lra). lra. }
  assert (eS : sin ((N + 1) * T) = h * (A + m * s)).
  { replace ((N + 1) * T) with (T * (1 / 2 + N) + T / 2) by field. rewrite sin_plus, eq. fold A s h. ring. }
  assert (eC : cos ((N + 1) * T) = m * (h * h) - A * s).
  { replace ((N + 1) * T) with (T * (1 / 2 + N) + T / 2) by field. rewrite cos_plus, eq. fold A s h. ring. }
  assert (e : (1 - m) ^ 2 + 4 * m * sin (T * (1 + N) / 2) ^ 2 = (A + m * s) * (A + m * s)).
  { pose proof (cos_half (T * (1 + N))) as f. replace (T * (1 + N)) with ((N + 1) * T) in f at 1 by ring.
    rewrite eC in f. replace (sin (T * (1 + N) / 2) ^ 2) with ((1 - (m * (h * h) - A * s)) / 2)
      by (simpl; lra).
    replace ((A + m * s) * (A + m * s)) with (A * A + 2 * m * (A * s) + m * m * (s * s)) by ring.
    rewrite AA. replace (s * s) with (1 - h * h) by lra. field. }
  assert (eg : g = 2 * s * (A + m * s)).
  { unfold g, shifted_gain. fold s N. rewrite e, sqrt_square by lra. reflexivity. }
  repeat split; try assumption.
  - rewrite eg. apply Rmult_lt_0_compat; lra.
  - rewrite eg, eS. ring.
  - transitivity (4 * (s * s) * (A * A + 2 * m * (A * s) + m * m * (s * s))); [rewrite eg; ring|].
    rewrite AA, eg. replace (h * h) with (1 - s * s) by lra. ring.
  - rewrite eC, eS, eg. replace (h * h) with (1 - s * s) by lra. ring.
Qed.

(** ** Below the angle there is no root outside *)

Lemma negative_below a r t : 0 < a < shifted_gain m n T -> 0 < t < T -> 1 <= r ->
  shifted_momentum m n a (polar r t) <> RtoC 0.
Proof.
  intros b bt r1 root. apply shifted_root in root; [|lra]. destruct root as [re im].
  destruct negative_T as [N1 [T0 [TU [TL _]]]].
  destruct negative_gain as [sT [hT [ST [g0 [_ [_ eT]]]]]]. set (g := shifted_gain m n T) in *.
  pose proof PI_RGT_0. assert (Nt : (N + 1) * t < (N + 1) * T) by (apply Rmult_lt_compat_l; lra).
  assert (st : 0 < sin (t / 2)) by (apply sin_gt_0; nra). assert (ht : 0 < cos (t / 2)) by (apply cos_gt_0; nra).
  assert (S0 : 0 < sin ((N + 1) * t)) by (apply sin_gt_0; nra).
  unfold shifted_F in im. fold N in re, im.
  replace (N * t) with ((N + 1) * t - t) in re, im by ring. rewrite cos_minus in re. rewrite sin_minus in im.
  pose proof (cotangents_fall n t T n1 ltac:(lra) ltac:(lra) ltac:(fold N; lra)) as fall. fold N in fall.
  set (S := sin ((N + 1) * t)) in *. set (C := cos ((N + 1) * t)) in *.
  pose proof (circle t) as circ. set (c := cos t) in *. set (s := sin t) in *. set (q := r ^ n) in *.
  set (D := r * r + 1 - 2 * r * c).
  (* the two parts of z^(n + 1) = m - a z/(z - 1) *)
  assert (A : (q * r * C - m) * (r - c) - q * r * S * s = - (a * r)).
  { assert (e : r * (q * (r * C - (C * c + S * s)) - m * (1 - c / r) + a) = 0) by (rewrite re; ring).
    replace (r * (q * (r * C - (C * c + S * s)) - m * (1 - c / r) + a)) with
      ((q * r * C - m) * (r - c) - q * r * S * s + a * r) in e by (field; lra). lra. }
  assert (B : (q * r * C - m) * s + q * r * S * (r - c) = 0) by lra.
  assert (eD : D = (r - c) * (r - c) + s * s) by (unfold D; rewrite <- circ; ring).
  assert (Y : q * r * S * D = a * r * s).
  { rewrite eD. transitivity (((q * r * C - m) * s + q * r * S * (r - c)) * (r - c)
      - s * ((q * r * C - m) * (r - c) - q * r * S * s)); [ring|]. rewrite A, B. ring. }
  assert (X : (q * r * C - m) * D = - (a * r * (r - c))).
  { rewrite eD. transitivity ((r - c) * ((q * r * C - m) * (r - c) - q * r * S * s)
      + s * ((q * r * C - m) * s + q * r * S * (r - c))); [ring|]. rewrite A, B. ring. }
  (* their quotient *)
  assert (Z : C * (a * s) * r = S * (m * D - a * r * (r - c))).
  { transitivity (C * (q * r * S * D)); [rewrite Y; ring|].
    transitivity (S * ((q * r * C - m) * D + m * D)); [ring|]. rewrite X. ring. }
  assert (low : C * (a * s) <= S * ((1 - c) * (2 * m - a))).
  { apply Rmult_le_reg_r with r; [lra|]. rewrite Z.
    replace (S * ((1 - c) * (2 * m - a)) * r) with (S * ((1 - c) * (2 * m - a) * r)) by ring.
    apply Rmult_le_compat_l; [lra|].
    assert (0 <= - m * ((r - 1) * (r - 1))) by (apply Rmult_le_pos; [lra|nra]).
    assert (0 <= a * (r * (r - 1))) by (apply Rmult_le_pos; [lra|apply Rmult_le_pos; lra]). unfold D. lra. }
  assert (half : C * (a * cos (t / 2)) <= S * (sin (t / 2) * (2 * m - a))).
  { apply Rmult_le_reg_l with (2 * sin (t / 2)); [lra|]. unfold s, c in low.
    rewrite (sin_half t), (cos_half t) in low. lra. }
  set (p := sin (t / 2)) in *. set (h := cos (t / 2)) in *.
  set (pT := sin (T / 2)) in *. set (kT := cos (T / 2)) in *.
  set (SS := sin ((N + 1) * T)) in *. set (CC := cos ((N + 1) * T)) in *.
  (* CC kT S p <= C h SS pT, with the two equations multiplied by a and by g *)
  assert (w : 0 < S * p * (SS * pT)) by (repeat apply Rmult_lt_0_compat; lra).
  assert (l1 : g * (C * (a * h)) * (SS * pT) <= g * (S * (p * (2 * m - a))) * (SS * pT)).
  { apply Rmult_le_compat_r; [left; now apply Rmult_lt_0_compat|]. apply Rmult_le_compat_l; lra. }
  assert (l2 : g * a * (CC * kT * (S * p)) <= g * a * (C * h * (SS * pT))).
  { apply Rmult_le_compat_l; [left; apply Rmult_lt_0_compat; lra|exact fall]. }
  assert (l3 : g * a * (CC * kT * (S * p)) = a * (S * p) * (SS * pT * (2 * m - g))) by (rewrite <- eT; ring).
  assert (l4 : 0 < - m * (g - a) * (S * p * (SS * pT))) by (apply Rmult_lt_0_compat; [nra|exact w]). lra.
Qed.

(** ** Beyond the angle the moduli do not agree *)

Lemma negative_beyond a r t : 0 < a < shifted_gain m n T -> T <= t <= PI -> 1 <= r ->
  shifted_momentum m n a (polar r t) <> RtoC 0.
Proof.
  intros b bt r1 root. apply shifted_modulus in root; [|lra]. destruct negative_T as [N1 [T0 [TU [TL _]]]].
  destruct negative_gain as [sT [_ [_ [g0 [_ [eg _]]]]]]. set (g := shifted_gain m n T) in *.
  pose proof PI_RGT_0. rewrite (cos_half t) in root.
  assert (sm : sin (T / 2) <= sin (t / 2)) by (apply sin_mono; lra).
  (* the sine of T/2 is at least 1/(2 n + 1), as the angle is at least pi/(2 n + 1) *)
  assert (large : 1 <= 4 * N * sin (t / 2)).
  { set (x := PI / (2 * (2 * N + 1))). assert (ex : (2 * N + 1) * x = PI / 2) by (unfold x; field; lra).
    assert (x0 : 0 < x) by (unfold x; apply Rdiv_lt_0_compat; lra).
    assert (eM : INR (2 * n + 1) = 2 * N + 1) by (rewrite plus_INR, mult_INR; fold N; simpl; ring).
    assert (xT : x <= T / 2) by (apply Rmult_le_reg_l with (2 * N + 1); lra).
    pose proof (sine_of_multiple (2 * n + 1) x ltac:(lra) ltac:(rewrite eM; lra) ltac:(lra)) as h.
    rewrite eM, ex, sin_PI2 in h. assert (sin x <= sin (T / 2)) by (apply sin_mono; lra). nra. }
  set (p := sin (t / 2)) in *. set (k := p * p) in *. set (S := sin (T / 2) * sin (T / 2)) in *.
  assert (Sk : 0 < S <= k) by (unfold S, k; split; nra).
  set (e := a - m). set (mu := - m). assert (mu0 : 0 < mu < 1) by (unfold mu; lra).
  assert (low : 0 < 1 - mu * mu - mu * g).
  { apply Rnot_le_lt. intro l. assert (g * g <= 0); [|nra]. rewrite eg. 
    replace (1 - m * m + m * g) with (1 - mu * mu - mu * g) by (unfold mu; ring). nra. }
  assert (small : a * a < 4 * k * (1 - mu * e)).
  { assert (a * a < g * g) by nra. assert (mu * a < mu * g) by nra.
    assert (S * (1 - mu * mu - mu * g) <= k * (1 - mu * mu - mu * g)) by (apply Rmult_le_compat_r; lra).
    assert (k * (1 - mu * mu - mu * g) <= k * (1 - mu * e)).
    { apply Rmult_le_compat_l; [lra|]. unfold e, mu in *. lra. }
    replace (m * m - m * g) with (mu * mu + mu * g) in * by (unfold mu; ring).
    replace (g * g) with (4 * S * (1 - mu * mu - mu * g)) in H0 by (rewrite eg; unfold mu; ring). lra. }
  assert (e0 : 0 < e) by (unfold e; lra). assert (me : 0 < mu * e) by (apply Rmult_lt_0_compat; lra).
  assert (k0 : 0 < k) by lra.
  assert (me1 : mu * e < 1) by (apply Rnot_le_lt; intro l; nra).
  assert (eq_ : mu * e = mu * mu + a * mu) by (unfold e, mu; ring).
  assert (am : a * mu <= 4 * k * N).
  { assert (p0 : 0 < p) by lra.
    assert (sq : (a * mu) * (a * mu) <= k).
    { assert (q : 0 <= (1 - 2 * (mu * mu)) * (1 - 2 * (mu * mu))) by apply Rle_0_sqr.
      assert (kk : k * (mu * mu) <= k * (mu * e)).
      { apply Rmult_le_compat_l; [lra|]. rewrite eq_. assert (0 < a * mu) by (apply Rmult_lt_0_compat; lra). lra. }
      assert (l : a * a * (mu * mu) <= 4 * k * (1 - mu * mu) * (mu * mu)).
      { apply Rmult_le_compat_r; [nra|lra]. }
      assert (k * 0 <= k * ((1 - 2 * (mu * mu)) * (1 - 2 * (mu * mu)))) by (apply Rmult_le_compat_l; lra). lra. }
    assert (a * mu <= p).
    { apply Rnot_lt_le. intro l. assert (0 < a * mu) by (apply Rmult_lt_0_compat; lra). unfold k in sq. nra. }
    assert (p * 1 <= p * (4 * N * p)) by (apply Rmult_le_compat_l; lra). unfold k. lra. }
  assert (ae : a * e <= 4 * k * (N + 1)).
  { assert (0 < k * (mu * e)) by (apply Rmult_lt_0_compat; lra). assert (a * a <= 4 * k) by lra. replace (a * e) with (a * a + a * mu) by (unfold e, mu; ring). lra. }
  assert (ee : e * e <= 1 + a * e).
  { replace (e * e) with (mu * e + a * e) by (unfold e, mu; ring). lra. }
  set (x := r - 1). assert (x0 : 0 <= x) by (unfold x; lra).
  assert (bern : 1 + (N + 1) * x <= r * r ^ n).
  { destruct (Rle_lt_or_eq_dec 0 x x0) as [l|l].
    - pose proof (poly (Datatypes.S n) x l) as h. replace (1 + x) with r in h by (unfold x; ring).
      rewrite S_INR in h. fold N in h. exact h.
    - assert (e1 : r = 1) by (unfold x in l; lra). rewrite <- l, e1, pow1. lra. }
  assert (P : (1 + (N + 1) * x) * (1 + (N + 1) * x) <= r * r ^ n * (r * r ^ n)).
  { assert (0 <= (N + 1) * x) by (apply Rmult_le_pos; lra). apply Rmult_le_compat; lra. }
  assert (D0 : 0 <= x * x + 4 * k * (1 + x)) by nra.
  assert (root' : r * r ^ n * (r * r ^ n) * (x * x + 4 * k * (1 + x)) =
    (a + e * x) * (a + e * x) + 4 * k * (mu * e) * (1 + x)).
  { transitivity (r * r * (r ^ n * r ^ n * (r * r + 1 - 2 * r * (1 - 2 * k)))); [unfold x; ring|].
    fold k in root. rewrite root. unfold e, mu, x. field. lra. }
  assert (bound : (1 + (N + 1) * x) * (1 + (N + 1) * x) * (x * x + 4 * k * (1 + x)) <=
    (a + e * x) * (a + e * x) + 4 * k * (mu * e) * (1 + x)).
  { rewrite <- root'. apply Rmult_le_compat_r; [exact D0|exact P]. }
  set (M := N + 1) in *. assert (M2 : 2 <= M) by (unfold M; lra).
  assert (kM : 0 < k * M) by (apply Rmult_lt_0_compat; lra).
  assert (c0 : 0 < 4 * k - a * a - 4 * k * (mu * e)) by lra.
  assert (c1 : 0 <= x * (4 * k * (1 - mu * e) + 8 * (k * M) - 2 * (a * e))).
  { apply Rmult_le_pos; [exact x0|]. assert (0 <= 4 * k * (1 - mu * e)) by (apply Rmult_le_pos; lra). lra. }
  assert (c2 : 0 <= x * x * (1 + 8 * (k * M) + 4 * (k * M) * M - e * e)).
  { apply Rmult_le_pos; [nra|]. assert (0 < k * M * M) by (apply Rmult_lt_0_compat; lra). lra. }
  assert (c3 : 0 <= x * x * x * (2 * M + 4 * (k * M * M))).
  { apply Rmult_le_pos; [repeat apply Rmult_le_pos; lra|].
    assert (0 < k * M * M) by (apply Rmult_lt_0_compat; lra). lra. }
  assert (c4 : 0 <= x * x * (x * x) * (M * M)) by (apply Rmult_le_pos; nra). lra.
Qed.

Lemma negative_no_positive_root a r : 0 < a -> 1 <= r -> shifted_momentum m n a (polar r 0) <> RtoC 0.
Proof.
  intros a0 r1 root. apply shifted_root in root; [|lra]. destruct root as [re _].
  rewrite !Rmult_0_r, cos_0 in re.
  assert (q : 1 <= r ^ n) by (apply pow_R1_Rle; exact r1). assert (i : 0 < / r) by (apply Rinv_0_lt_compat; lra).
  assert (e : 1 - 1 / r = (r - 1) * / r) by (field; lra). rewrite e in re.
  assert (0 <= (r - 1) * / r) by (apply Rmult_le_pos; lra).
  assert (0 <= r ^ n * (r * 1 - 1)) by (apply Rmult_le_pos; lra). nra.
Qed.
End Negative.

(** ** Beyond the threshold there is a root outside

    At a fixed gain a the argument of z^(n + 1) = m - a z/(z - 1) gives the modulus as a function of the
    angle, from 1 at an angle V <= T on; the modulus of the equation is then met by continuity. *)
Section Unstable.
Variables (m : R) (n : nat) (T a : R).
Hypothesis m1 : -1 < m < 0.
Hypothesis n1 : (1 <= n)%nat.
Hypothesis angle : shifted_angle m n T.
Hypothesis high : shifted_gain m n T <= a.
Let N := INR n.
Let U := PI / (N + 1).
Let k := - m / a.

(** The argument of the equation. *)
Definition argument_F (t r : R) : R :=
  ((1 + k) * (r * r) + k) * sin ((N + 1) * t) - r * (sin (N * t) + 2 * k * cos t * sin ((N + 1) * t)).

(** Its value at the modulus 1. *)
Definition argument_Z (t : R) : R :=
  (1 + 2 * k) * (sin ((N + 1) * t) * sin (t / 2)) + cos ((N + 1) * t) * cos (t / 2).

Lemma gain_positive : 0 < a /\ 0 < k /\ k * a = - m.
Proof.
  destruct (negative_gain m n T m1 n1 angle) as [_ [_ [_ [g0 _]]]].
  assert (a0 : 0 < a) by lra. split; [exact a0|]. split; [apply Rdiv_lt_0_compat; lra|].
  unfold k. field. lra.
Qed.

Lemma argument_F_one t : argument_F t 1 = 2 * sin (t / 2) * argument_Z t.
Proof.
  unfold argument_F, argument_Z. replace (N * t) with ((N + 1) * t - t) by ring. rewrite sin_minus.
  rewrite (sin_half t), (cos_half t). ring.
Qed.

Lemma negative_interval : 1 <= N /\ (N + 1) * U = PI /\ U <= PI / 2 /\ 0 < U /\ 0 < T /\ T < U.
Proof.
  destruct (negative_T m n T m1 n1 angle) as [N1 [T0 [TU _]]]. fold N in N1, TU. pose proof PI_RGT_0.
  assert (NU : (N + 1) * U = PI) by (unfold U; field; lra).
  assert (U0 : 0 < U) by (unfold U; apply Rdiv_lt_0_compat; lra). repeat split; try lra; nra.
Qed.

(** Up to U the sines are positive, and sin (n t) is at least sin t. *)
Lemma negative_signs t : 0 < t <= U -> 0 < sin t /\ sin t <= sin (N * t) /\ 0 < sin (t / 2) /\
  0 < cos (t / 2) /\ (t < U -> 0 < sin ((N + 1) * t)).
Proof.
  intro b. destruct negative_interval as [N1 [NU [U2 [U0 _]]]]. pose proof PI_RGT_0.
  assert (Nt : (N + 1) * t <= PI) by nra. assert (t <= N * t) by nra.
  repeat split; [apply sin_gt_0| |apply sin_gt_0|apply cos_gt_0|]; try lra.
  - destruct (Rle_lt_dec (N * t) (PI / 2)) as [h|h]; [apply sin_mono; lra|].
    rewrite <- (sin_PI_x (N * t)). apply sin_mono; lra.
  - intro l. apply sin_gt_0; nra.
Qed.

Lemma start_exists : exists V, 0 < V /\ V <= T /\ argument_Z V = 0.
Proof.
  destruct gain_positive as [a0 [k0 ka]]. destruct negative_interval as [N1 [NU [U2 [U0 [T0 TU]]]]].
  destruct (negative_gain m n T m1 n1 angle) as [sT [hT [ST [g0 [_ [_ e]]]]]]. fold N in ST, e.
  set (g := shifted_gain m n T) in *.
  destruct (first_root_exists argument_Z (fun _ => 0) T T) as [V [VT [[V0 _] [z _]]]].
  - intro s. unfold argument_Z, Rdiv. continuous.
  - intro s. continuous.
  - unfold argument_Z. replace (0 / 2) with 0 by field. rewrite Rmult_0_r, sin_0, cos_0. lra.
  - lra.
  - (* g Z(T) = 2 (g k + m) sin sin, and g k <= - m *)
    set (w := sin ((N + 1) * T) * sin (T / 2)) in *. assert (w0 : 0 < w) by (apply Rmult_lt_0_compat; lra).
    assert (gZ : g * argument_Z T = 2 * (g * k + m) * w).
    { unfold argument_Z. fold w. replace (g * ((1 + 2 * k) * w + cos ((N + 1) * T) * cos (T / 2))) with
        (g * (1 + 2 * k) * w + cos ((N + 1) * T) * g * cos (T / 2)) by ring. rewrite e. unfold w. ring. }
    assert (gk : g * k <= - m) by (rewrite <- ka, (Rmult_comm k); apply Rmult_le_compat_r; lra).
    apply Rnot_lt_le. intro l. assert (0 < g * argument_Z T) by (apply Rmult_lt_0_compat; lra).
    assert (0 <= - (g * k + m) * w) by (apply Rmult_le_pos; lra). lra.
  - exists V. repeat split; assumption.
Qed.

(** Once 0, Z is not positive any more. *)
Lemma argument_Z_beyond V t : 0 < V -> argument_Z V = 0 -> V <= t -> t < U -> argument_Z t <= 0.
Proof.
  intros V0 z Vt tU. destruct negative_interval as [N1 [NU [U2 [U0 [T0 TU]]]]].
  destruct (negative_signs V ltac:(lra)) as [_ [_ [pV [_ SV]]]]. specialize (SV ltac:(lra)).
  destruct (negative_signs t ltac:(lra)) as [_ [_ [p [_ S]]]]. specialize (S ltac:(lra)).
  pose proof (cotangents_fall n V t n1 V0 Vt ltac:(fold N; nra)) as fall. fold N in fall.
  unfold argument_Z in *. set (w := sin ((N + 1) * t) * sin (t / 2)) in *.
  set (wV := sin ((N + 1) * V) * sin (V / 2)) in *.
  assert (w0 : 0 < w) by (apply Rmult_lt_0_compat; lra).
  assert (wV0 : 0 < wV) by (apply Rmult_lt_0_compat; lra).
  apply Rmult_le_reg_r with wV; [exact wV0|]. rewrite Rmult_0_l.
  replace (cos ((N + 1) * V) * cos (V / 2)) with (- ((1 + 2 * k) * wV)) in fall by lra. lra.
Qed.

Lemma argument_once V t r s : 0 < V -> argument_Z V = 0 -> V <= t < U -> 1 <= r < s ->
  0 <= argument_F t r -> 0 < argument_F t s.
Proof.
  intros V0 z b rs F. destruct gain_positive as [a0 [k0 _]].
  destruct (negative_signs t ltac:(lra)) as [_ [_ [p [_ S]]]]. specialize (S ltac:(lra)).
  pose proof (argument_Z_beyond V t V0 z ltac:(lra) ltac:(lra)) as Z. pose proof (argument_F_one t) as F1.
  assert (F1' : argument_F t 1 <= 0) by (rewrite F1; nra).
  destruct (Rle_lt_or_eq_dec 1 r) as [h|h]; [lra| |].
  - assert (chord : (r - 1) * argument_F t s = (s - 1) * argument_F t r - (s - r) * argument_F t 1
      + (1 + k) * sin ((N + 1) * t) * ((s - 1) * ((s - r) * (r - 1)))) by (unfold argument_F; ring).
    assert (0 <= (s - 1) * argument_F t r) by (apply Rmult_le_pos; lra).
    assert (0 <= (s - r) * - argument_F t 1) by (apply Rmult_le_pos; lra).
    assert (0 < (1 + k) * sin ((N + 1) * t) * ((s - 1) * ((s - r) * (r - 1)))).
    { apply Rmult_lt_0_compat; [apply Rmult_lt_0_compat; lra|].
      apply Rmult_lt_0_compat; [lra|apply Rmult_lt_0_compat; lra]. }
    apply Rmult_lt_reg_l with (r - 1); [lra|]. lra.
  - subst r. assert (e : argument_F t 1 = 0) by lra.
    assert (d : argument_F t s - s * argument_F t 1 = (s - 1) * sin ((N + 1) * t) * ((1 + k) * s - k))
      by (unfold argument_F; ring).
    assert (0 < (s - 1) * sin ((N + 1) * t) * ((1 + k) * s - k)).
    { apply Rmult_lt_0_compat; [apply Rmult_lt_0_compat; lra|nra]. } 
    rewrite e in d. lra.
Qed.

(** The gain where V is the angle is at most a. *)
Lemma start_gain V : 0 < V -> V <= T -> argument_Z V = 0 -> shifted_G n V 1 <= a.
Proof.
  intros V0 VT z. destruct gain_positive as [a0 [k0 ka]].
  destruct negative_interval as [N1 [NU [U2 [U0 [T0 TU]]]]].
  destruct (negative_signs V ltac:(lra)) as [sV [_ [p [h S]]]]. specialize (S ltac:(lra)).
  destruct (negative_T m n T m1 n1 angle) as [_ [_ [_ [_ XT]]]].
  pose proof (shifted_X_falls m n V T ltac:(lra) V0 VT ltac:(fold N; nra)) as X. rewrite XT in X.
  unfold shifted_X in X. fold N in X.
  unfold argument_Z in z. assert (c : cos (V * (1 / 2 + N)) =
    cos ((N + 1) * V) * cos (V / 2) + sin ((N + 1) * V) * sin (V / 2)).
  { rewrite <- cos_minus. f_equal. field. }
  rewrite c in X. unfold shifted_G. fold N. rewrite pow1, (sin_half V), (cos_half V).
  set (S1 := sin ((N + 1) * V)) in *. set (q := sin (V / 2)) in *. set (d := cos (V / 2)) in *.
  apply Rmult_le_reg_r with d; [exact h|].
  replace (1 * S1 * (1 * 1 + 1 - 2 * 1 * (1 - 2 * (q * q))) / (2 * q * d) * d) with (2 * (S1 * q))
    by (field; lra).
  (* - 2 k S q = cos + S q >= m cos (V/2) *)
  assert (l : 2 * k * (S1 * q) <= - m * d) by lra. rewrite <- ka in l.
  apply Rmult_le_reg_l with k; lra.
Qed.

Lemma negative_branch : exists z, 1 <= Cmod z /\ shifted_momentum m n a z = RtoC 0.
Proof.
  destruct gain_positive as [a0 [k0 ka]]. destruct negative_interval as [N1 [NU [U2 [U0 [T0 TU]]]]].
  destruct start_exists as [V [V0 [VT z]]]. pose proof PI_RGT_0.
  destruct (branch V U argument_F (shifted_G n) ltac:(lra)) with (a := a) as [t [r [b [r1 [F g]]]]].
  - intros r t. unfold argument_F. continuous.
  - intros t r. unfold argument_F. continuous.
  - intros f t b f1 cm. unfold shifted_G. continuous.
    destruct (negative_signs t ltac:(lra)) as [st _]. apply Rgt_not_eq; lra.
  - intros t b. rewrite argument_F_one. destruct (negative_signs t ltac:(lra)) as [_ [_ [p _]]].
    pose proof (argument_Z_beyond V t V0 z ltac:(lra) ltac:(lra)). nra.
  - intros t r s b rs. now apply (argument_once V).
  - intros t b. destruct (negative_signs t ltac:(lra)) as [_ [_ [_ [_ S]]]]. specialize (S ltac:(lra)).
    set (S1 := sin ((N + 1) * t)) in *. pose proof (SIN_bound (N * t)). pose proof (COS_bound t).
    pose proof (SIN_bound ((N + 1) * t)) as Sb. fold S1 in Sb.
    exists (1 + (2 + 2 * k) / S1). assert (q0 : 0 < (2 + 2 * k) / S1) by (apply Rdiv_lt_0_compat; lra).
    split; [lra|]. set (r := 1 + (2 + 2 * k) / S1) in *. assert (r1 : 1 < r) by (unfold r; lra).
    assert (e : r * S1 = S1 + (2 + 2 * k)) by (unfold r; field; lra). unfold argument_F. fold S1.
    replace (((1 + k) * (r * r) + k) * S1) with ((1 + k) * r * (r * S1) + k * S1) by ring. rewrite e.
    assert (cS : cos t * S1 <= 1) by nra.
    assert (kc : k * (cos t * S1) <= k * 1) by (apply Rmult_le_compat_l; lra).
    assert (u : sin (N * t) + 2 * k * cos t * S1 < (1 + k) * (S1 + (2 + 2 * k))) by nra.
    assert (r * (sin (N * t) + 2 * k * cos t * S1) < r * ((1 + k) * (S1 + (2 + 2 * k))))
      by (apply Rmult_lt_compat_l; lra).
    assert (0 < k * S1) by (apply Rmult_lt_0_compat; lra). lra.
  - rewrite argument_F_one, z. ring.
  - intros r r1. unfold argument_F. rewrite NU, sin_PI.
    destruct (negative_signs U ltac:(lra)) as [su [sn _]].
    assert (0 < r * sin (N * U)) by (apply Rmult_lt_0_compat; lra). lra.
  - intro A. pose proof (Rabs_pos A). pose proof (Rle_abs A).
    exists (2 + Rabs A * (1 + 4 * k)). assert (0 <= Rabs A * (1 + 4 * k)) by (apply Rmult_le_pos; lra).
    split; [lra|]. intros t r b big F.
    destruct (negative_signs t ltac:(lra)) as [st [sn [_ [_ S]]]]. specialize (S ltac:(lra)).
    unfold argument_F in F. unfold shifted_G. fold N.
    set (S1 := sin ((N + 1) * t)) in *. pose proof (COS_bound t) as cb. set (c := cos t) in *.
    assert (r1 : 1 <= r) by lra. assert (q : 1 <= r ^ n) by (apply pow_R1_Rle; exact r1).
    assert (low : sin t <= (1 + 4 * k) * (r * S1)).
    { apply Rmult_le_reg_l with r; [lra|].
      assert (r * sin t <= r * sin (N * t)) by (apply Rmult_le_compat_l; lra).
      assert (rS : 0 < r * S1) by (apply Rmult_lt_0_compat; lra).
      assert (kr : 0 <= k * (r * S1) * (1 + c)) by (apply Rmult_le_pos; [apply Rmult_le_pos|]; lra).
      assert (kr2 : 0 <= k * S1 * ((r - 1) * (3 * r + 1))).
      { apply Rmult_le_pos; [apply Rmult_le_pos|apply Rmult_le_pos]; lra. }
      assert (r * sin (N * t) = ((1 + k) * (r * r) + k) * S1 - 2 * k * c * (r * S1)) by lra.
      lra. }
    assert (dist : (r - 1) * (r - 1) <= r * r + 1 - 2 * r * c) by nra.
    set (D := r * r + 1 - 2 * r * c) in *.
    apply Rle_trans with (Rabs A); [assumption|].
    apply Rmult_le_reg_r with ((1 + 4 * k) * (r * sin t)); [apply Rmult_lt_0_compat; [lra|nra]|].
    replace (r ^ n * S1 * D / sin t * ((1 + 4 * k) * (r * sin t))) with
      (r ^ n * (((1 + 4 * k) * (r * S1)) * D)) by (field; lra).
    assert (p : sin t * ((r - 1) * (r - 1)) <= (1 + 4 * k) * (r * S1) * D)
      by (apply Rmult_le_compat; nra).
    assert (p0 : 0 <= sin t * ((r - 1) * (r - 1))) by (apply Rmult_le_pos; nra).
    assert (p1 : 1 * ((1 + 4 * k) * (r * S1) * D) <= r ^ n * ((1 + 4 * k) * (r * S1) * D))
      by (apply Rmult_le_compat_r; lra).
    assert (rr : Rabs A * (1 + 4 * k) * r <= (r - 1) * (r - 1)).
    { apply Rle_trans with ((r - 2) * r); [apply Rmult_le_compat_r; lra|nra]. }
    assert (sin t * (Rabs A * (1 + 4 * k) * r) <= sin t * ((r - 1) * (r - 1)))
      by (apply Rmult_le_compat_l; lra). lra.
  - now apply start_gain.
  - exists (polar r t). rewrite Cmod_polar by lra. split; [exact r1|].
    destruct (negative_signs t ltac:(lra)) as [st [_ [_ [_ S]]]]. rewrite <- g.
    apply shifted_G_root; [lra|exact st|].
    unfold shifted_G in g. unfold argument_F in F. unfold shifted_F. fold N in g |- *.
    set (S1 := sin ((N + 1) * t)) in *. set (q := r ^ n) in *.
    assert (gs : q * S1 * (r * r + 1 - 2 * r * cos t) = a * sin t).
    { rewrite <- g. field. lra. }
    apply Rmult_eq_reg_l with a; [|lra]. rewrite Rmult_0_r.
    (* a (r (r S1 - S)) = m S1 D, times r^n *)
    assert (e : r * (r * S1 - sin (N * t)) = - (k * S1 * (r * r + 1 - 2 * r * cos t))) by lra. rewrite e.
    transitivity (- (k * a) * (q * S1 * (r * r + 1 - 2 * r * cos t)) - a * m * sin t); [ring|].
    rewrite gs, ka. ring.
Qed.
End Unstable.

(** ** The theorem *)

Theorem shifted_is_threshold_everywhere : forall (tau : nat) (m : R), -1 < m -> m < 1 -> exists theta,
  shifted_angle m tau theta /\ threshold (shifted_momentum m tau) (shifted_gain m tau theta).
Proof.
  intros n m low high. destruct (Rle_lt_dec 0 m) as [pos|neg]; [now apply shifted_is_threshold|].
  destruct (Nat.eq_dec n 0) as [->|nz].
  { destruct (first_root_exists (fun t => cos (t * (1 / 2 + INR 0))) (fun t => m * cos (t / 2)) PI PI)
      as [T [_ angle]].
    - intro s. continuous.
    - intro s. unfold Rdiv. continuous.
    - unfold Rdiv. rewrite !Rmult_0_l, cos_0. lra.
    - pose proof PI_RGT_0. lra.
    - simpl INR. replace (PI * (1 / 2 + 0)) with (PI / 2) by field. rewrite cos_PI2. lra.
    - exists T. split; [exact angle|]. apply shifted_zero; [lra|exact angle]. }
  assert (n1 : (1 <= n)%nat) by lia. pose proof (shifted_X_end m n ltac:(lra) n1) as stop.
  assert (N1 : 1 <= INR n) by (apply (le_INR 1); exact n1). pose proof PI_RGT_0.
  assert (U0 : 0 < PI / (INR n + 1)) by (apply Rdiv_lt_0_compat; lra).
  assert (NU : (INR n + 1) * (PI / (INR n + 1)) = PI) by (field; lra).
  unfold shifted_X in stop.
  destruct (first_root_exists (fun t => cos (t * (1 / 2 + INR n))) (fun t => m * cos (t / 2))
    (PI / (INR n + 1)) PI) as [T [_ angle]].
  - intro s. continuous.
  - intro s. unfold Rdiv. continuous.
  - unfold Rdiv. rewrite !Rmult_0_l, cos_0. lra.
  - split; [exact U0|nra].
  - lra.
  - assert (m1 : -1 < m < 0) by lra. exists T. split; [exact angle|].
    destruct (negative_gain m n T m1 n1 angle) as [_ [_ [_ [g0 _]]]].
    destruct (negative_T m n T m1 n1 angle) as [_ [T0 _]].
    apply threshold_intro.
    + exact g0.
    + intros a z. unfold shifted_momentum. conjugate.
    + intros a r t b r1 bt root. destruct (Rlt_le_dec t T) as [h|h].
      * destruct (Rle_lt_or_eq_dec 0 t) as [p|p]; [lra| |].
        -- apply (negative_below m n T m1 n1 angle a r t b ltac:(lra) r1 root).
        -- subst t. apply (negative_no_positive_root m n m1 a r ltac:(lra) r1 root).
      * apply (negative_beyond m n T m1 n1 angle a r t b ltac:(lra) r1 root).
    + intros a h. now apply (negative_branch m n T a m1 n1 angle).
    + intros a neg_a. apply shifted_negative_gain; lra.
Qed.
