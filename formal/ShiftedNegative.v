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
