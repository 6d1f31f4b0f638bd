(** * Nesterov momentum beyond its threshold, and the theorem *)

Require Import Reals Lra Lia Psatz.
From DelayStability Require Import Loop Branch Trigonometry Multiples HeavyBall Nesterov.
Open Scope R_scope.

Section Unstable.
Variables (m : R) (n : nat) (T : R).
Hypothesis m1 : 0 <= m < 1.
Hypothesis n1 : (1 <= n)%nat.
Hypothesis angle : nesterov_angle m n T.
Let N := INR n.
Let U := PI / (N + 1).

Lemma nag_interval : 1 <= N /\ (N + 1) * U = PI /\ 0 < T /\ T < U /\ U <= PI / 2 /\ 2 * N * T < PI.
Proof.
  destruct (nag_T m n T m1 n1 angle) as [N1 [T0 TN]]. fold N in N1, TN. pose proof PI_RGT_0.
  assert (NU : (N + 1) * U = PI) by (unfold U; field; lra). repeat split; try lra; nra.
Qed.

Lemma nag_signs t : T <= t <= U -> 0 < sin (N * t) /\ 0 < sin T /\ sin T <= sin t /\
  0 < sin (t / 2) /\ 0 < cos (t / 2) /\ 0 <= cos t.
Proof.
  intro b. destruct nag_interval as [N1 [NU [T0 [TU [U2 _]]]]]. pose proof PI_RGT_0.
  repeat split; [apply sin_gt_0|apply sin_gt_0|apply sin_mono|apply sin_gt_0|apply cos_gt_0|
    apply cos_ge_0]; nra.
Qed.

Lemma nag_next t : T <= t < U -> 0 < sin (N * t) * cos t + cos (N * t) * sin t.
Proof.
  intro b. destruct nag_interval as [N1 [NU [T0 [TU [U2 _]]]]]. rewrite <- sin_next.
  apply sin_gt_0; nra.
Qed.

(** Beyond T the equation of the angle keeps its sign. *)
Lemma nag_X_beyond t : T <= t < U -> nesterov_left m n t <= 0.
Proof.
  intro b. destruct nag_interval as [N1 [NU [T0 [TU [U2 TN]]]]]. pose proof PI_RGT_0.
  destruct (nag_signs t ltac:(lra)) as [S [_ [_ [sh [ch _]]]]].
  destruct (nag_factors m m1 t) as [al be].
  destruct (Rle_lt_dec (cos (t * (1 / 2 + N))) 0) as [h|h].
  - destruct (Rle_lt_dec (cos (N * t)) 0) as [c|c].
    + rewrite nag_X_form. fold N.
      assert (0 < sin (N * t) * sin (t / 2) * nag_beta m t)
        by (apply Rmult_lt_0_compat; [apply Rmult_lt_0_compat|]; lra).
      assert (0 <= - cos (N * t) * cos (t / 2) * nag_alpha m t)
        by (apply Rmult_le_pos; [apply Rmult_le_pos|]; lra). lra.
    + rewrite nag_X_tangent. fold N.
      assert (0 < sin (t * (1 / 2 + N))) by (apply sin_gt_0; nra).
      assert (0 <= m * (sin (t / 2) * sin (t / 2))) by (apply Rmult_le_pos; nra).
      assert (0 < 1 - m + 2 * m * (2 + m) * (sin (t / 2) * sin (t / 2))) by nra.
      assert (0 <= m * m * (sin (t / 2) * cos (t / 2)) * sin (t * (1 / 2 + N))).
      { apply Rmult_le_pos; [apply Rmult_le_pos|]; nra. }
      nra.
  - (* both angles are below pi/(2 n + 1): divide by the cosines *)
    destruct (nag_signs T ltac:(lra)) as [_ [_ [_ [shT [chT _]]]]].
    destruct angle as [_ [eq _]]. rewrite nag_X_tangent in eq |- *. fold N in eq |- *.
    assert (half : t * (1 / 2 + N) <= PI / 2).
    { apply Rnot_lt_le. intro l. assert (cos (t * (1 / 2 + N)) <= 0) by (apply cos_le_0; nra). lra. }
    assert (hT : 0 < cos (T * (1 / 2 + N))).
    { destruct (Rle_lt_or_eq_dec T t) as [l|l]; [lra| |rewrite l; exact h]. apply cos_gt_0; nra. }
    pose proof (tangent_ratio n t T T0 ltac:(lra) ltac:(fold N; nra) ltac:(lra)) as ratio. fold N in ratio.
    assert (smono : sin (T / 2) <= sin (t / 2)) by (apply sin_mono; lra).
    set (c := cos (t * (1 / 2 + N))) in *. set (s := sin (t * (1 / 2 + N))) in *.
    set (cT := cos (T * (1 / 2 + N))) in *. set (sT := sin (T * (1 / 2 + N))) in *.
    set (p := sin (t / 2)) in *. set (q := cos (t / 2)) in *.
    set (pT := sin (T / 2)) in *. set (qT := cos (T / 2)) in *.
    set (Q := s * q / (c * p)). set (QT := sT * qT / (cT * pT)).
    assert (cp : 0 < c * p) by (apply Rmult_lt_0_compat; lra).
    assert (cpT : 0 < cT * pT) by (apply Rmult_lt_0_compat; lra).
    assert (QQ : QT <= Q).
    { apply Rmult_le_reg_r with (c * p * (cT * pT)); [apply Rmult_lt_0_compat; lra|].
      replace (QT * (c * p * (cT * pT))) with (sT * qT * (c * p)) by (unfold QT; field; lra).
      replace (Q * (c * p * (cT * pT))) with (s * q * (cT * pT)) by (unfold Q; field; lra). exact ratio. }
    assert (eT : 1 - m = 2 * m * (pT * pT) * (m * QT - (2 + m))).
    { apply Rmult_eq_reg_r with cT; [|lra].
      replace (2 * m * (pT * pT) * (m * QT - (2 + m)) * cT) with
        (2 * m * m * (pT * qT) * sT - 2 * m * (2 + m) * (pT * pT) * cT) by (unfold QT; field; lra). lra. }
    assert (pos : 0 < m * QT - (2 + m)).
    { apply Rnot_le_lt. intro l. assert (0 <= m * (pT * pT)) by (apply Rmult_le_pos; nra). nra. }
    assert (pp : pT * pT <= p * p) by nra.
    assert (grow : 2 * m * (pT * pT) * (m * QT - (2 + m)) <= 2 * m * (p * p) * (m * Q - (2 + m))).
    { apply Rmult_le_compat; [nra|lra|nra|].
      assert (m * QT <= m * Q) by (apply Rmult_le_compat_l; lra). lra. }
    replace (c * (1 - m + 2 * m * (2 + m) * (p * p)) - 2 * m * m * (p * q) * s) with
      (c * (1 - m - 2 * m * (p * p) * (m * Q - (2 + m)))) by (unfold Q; field; lra).
    assert (1 - m - 2 * m * (p * p) * (m * Q - (2 + m)) <= 0) by lra. nra.
Qed.

(** Where the equation holds beyond 0, the angle is below pi/(2 n). *)
Lemma nag_X_zero t : T <= t < U -> nesterov_left m n t = 0 -> 2 * N * t < PI.
Proof.
  intros b z. destruct nag_interval as [N1 [NU [T0 [TU [U2 TN]]]]]. pose proof PI_RGT_0.
  destruct (nag_signs t ltac:(lra)) as [S [_ [_ [sh [ch _]]]]]. destruct (nag_factors m m1 t) as [al be].
  apply Rnot_le_lt. intro l. assert (cos (N * t) <= 0) by (apply cos_le_0; nra).
  rewrite nag_X_form in z. fold N in z.
  assert (0 < sin (N * t) * sin (t / 2) * nag_beta m t)
    by (apply Rmult_lt_0_compat; [apply Rmult_lt_0_compat|]; lra).
  assert (0 <= - cos (N * t) * cos (t / 2) * nag_alpha m t)
    by (apply Rmult_le_pos; [apply Rmult_le_pos|]; lra). lra.
Qed.

(** The coefficients of F in powers of r - 1 change their sign once. *)
Lemma nag_coefficients t : T <= t < U -> 0 < 2 * nag_F m n t 1 + nag_P1 m n t ->
  0 <= nag_F m n t 1 + nag_P2 m n t.
Proof.
  intros b p. destruct (nag_signs t ltac:(lra)) as [S [_ [_ [_ [_ c0]]]]]. pose proof (COS_bound t) as cb.
  pose proof (nag_next t b) as lead.
  set (L := sin (N * t) * cos t + cos (N * t) * sin t) in *.
  assert (e1 : 2 * nag_F m n t 1 + nag_P1 m n t =
    L * (3 + 3 * m - 4 * m * cos t) - 2 * sin (N * t) * (1 + m + m ^ 2 - m * (1 + m) * cos t)).
  { unfold nag_F, nag_u, nag_v, nag_P1, L. fold N. ring. }
  assert (e2 : nag_F m n t 1 + nag_P2 m n t =
    L * (3 + 3 * m - 2 * m * cos t) - sin (N * t) * (1 + m + m ^ 2)).
  { unfold nag_F, nag_u, nag_v, nag_P2, L. fold N. ring. }
  rewrite e1 in p. rewrite e2. set (c := cos t) in *. set (k := sin (N * t)) in *.
  assert (d : 0 < 3 + 3 * m - 4 * m * c) by nra. assert (d2 : 0 < 3 + 3 * m - 2 * m * c) by nra.
  assert (f : 0 <= 3 * (1 + m + m ^ 2) - 6 * m * (1 + m) * c + 4 * m ^ 2 * c ^ 2).
  { assert (0 <= m * (1 - c)) by (apply Rmult_le_pos; lra).
    assert (0 <= 3 - 3 * m + m ^ 2 + (1 - c) * (m * (6 + 2 * m - 4 * m * c))); [|lra].
    assert (m * c <= m) by nra.
    assert (0 <= m * (1 - c) * (6 + 2 * m - 4 * (m * c))) by (apply Rmult_le_pos; lra).
    assert (0 <= 3 - 3 * m + m ^ 2) by nra. lra. }
  assert (g : (1 + m + m ^ 2) * (3 + 3 * m - 4 * m * c) <=
    2 * (1 + m + m ^ 2 - m * (1 + m) * c) * (3 + 3 * m - 2 * m * c)).
  { assert (0 <= (1 + m) * (3 * (1 + m + m ^ 2) - 6 * m * (1 + m) * c + 4 * m ^ 2 * c ^ 2))
      by (apply Rmult_le_pos; lra). lra. }
  assert (x : 0 <= (L * (3 + 3 * m - 2 * m * c) - k * (1 + m + m ^ 2)) * (3 + 3 * m - 4 * m * c)).
  { assert (0 < (L * (3 + 3 * m - 4 * m * c) - 2 * k * (1 + m + m ^ 2 - m * (1 + m) * c))
      * (3 + 3 * m - 2 * m * c)) by (apply Rmult_lt_0_compat; lra).
    assert (k * ((1 + m + m ^ 2) * (3 + 3 * m - 4 * m * c)) <=
      k * (2 * (1 + m + m ^ 2 - m * (1 + m) * c) * (3 + 3 * m - 2 * m * c)))
      by (apply Rmult_le_compat_l; lra). lra. }
  apply Rnot_lt_le. intro l. nra.
Qed.

Lemma nag_once t r s : T <= t < U -> 1 <= r < s -> 0 <= nag_F m n t r -> 0 < nag_F m n t s.
Proof.
  intros b rs F. destruct nag_interval as [N1 [NU [T0 [TU [U2 TN]]]]].
  destruct (nag_signs t ltac:(lra)) as [S [_ [_ [sh [ch _]]]]].
  pose proof (nag_X_beyond t b) as X. pose proof (nag_F_one m n t) as F1.
  pose proof (nag_coefficients t b) as signs. pose proof (nag_next t b) as lead.
  destruct (Rle_lt_or_eq_dec 1 r) as [h|h]; [lra| |].
  - assert (f0 : nag_F m n t 1 <= 0) by (rewrite F1; nra).
    assert (p3 : 0 < nag_P3 m n t) by (unfold nag_P3; fold N; apply Rmult_lt_0_compat; lra).
    rewrite nag_F_taylor in F |- *.
    set (f0' := nag_F m n t 1) in *. set (f1 := 2 * f0' + nag_P1 m n t) in *.
    set (f2 := f0' + nag_P2 m n t) in *. set (f3 := nag_P3 m n t) in *.
    set (x := r - 1) in *. set (y := s - 1). assert (x0 : 0 < x) by (unfold x; lra).
    assert (xy : x < y) by (unfold x, y; lra).
    assert (x2 : x ^ 2 < y ^ 2) by nra. assert (x3 : x ^ 3 < y ^ 3) by (simpl; nra).
    destruct (Rle_lt_dec f1 0) as [n0|p0].
    + (* F over the square of r - 1 rises *)
      assert (e : (f0' + y * f1 + y ^ 2 * f2 + y ^ 3 * f3) * x ^ 2 =
        (f0' + x * f1 + x ^ 2 * f2 + x ^ 3 * f3) * y ^ 2 - f0' * (y ^ 2 - x ^ 2)
        - f1 * (x * y * (y - x)) + f3 * (x ^ 2 * y ^ 2 * (y - x))) by ring.
      assert (0 <= (f0' + x * f1 + x ^ 2 * f2 + x ^ 3 * f3) * y ^ 2) by (apply Rmult_le_pos; nra).
      assert (0 <= - f0' * (y ^ 2 - x ^ 2)) by (apply Rmult_le_pos; lra).
      assert (xyy : 0 < x * y * (y - x)) by (apply Rmult_lt_0_compat; nra).
      assert (0 <= - f1 * (x * y * (y - x))) by (apply Rmult_le_pos; lra).
      assert (0 < x ^ 2 * y ^ 2 * (y - x)) by (apply Rmult_lt_0_compat; [apply Rmult_lt_0_compat|]; nra).
      assert (0 < f3 * (x ^ 2 * y ^ 2 * (y - x))) by (apply Rmult_lt_0_compat; lra).
      assert (0 < x ^ 2) by nra. apply Rnot_le_lt. intro l. nra.
    + specialize (signs p0). assert (x * f1 < y * f1) by (apply Rmult_lt_compat_r; lra).
      assert (x ^ 2 * f2 <= y ^ 2 * f2) by (apply Rmult_le_compat_r; lra).
      assert (x ^ 3 * f3 < y ^ 3 * f3) by (apply Rmult_lt_compat_r; lra). lra.
  - subst r. assert (z : nesterov_left m n t = 0) by nra.
    apply (nag_gap_from_X m n m1 n1); [lra|apply nag_X_zero; assumption|lra|lra].
Qed.

Definition nag_G (t r : R) : R := r ^ n * nag_v m t r / (nag_K m t r * sin (N * t)).

Lemma nag_G_start : nag_G T 1 = nesterov_gain m T.
Proof.
  destruct nag_interval as [N1 [NU [T0 [TU [U2 TN]]]]]. pose proof PI_RGT_0.
  destruct (nag_signs T ltac:(lra)) as [S [sT [_ [sh [ch _]]]]]. destruct (nag_factors m m1 T) as [al be].
  pose proof (nag_gain_positive m m1 T ltac:(lra)) as g0. pose proof (nag_gain_squared m m1 T) as eg.
  pose proof (nag_K_positive m T 1 m1 (Rle_refl 1)) as K1.
  destruct angle as [_ [eq _]]. rewrite nag_X_form in eq. fold N in eq.
  pose proof (circle (N * T)) as c1. pose proof (circle (T / 2)) as c2.
  assert (v1 : nag_v m T 1 = 2 * sin (T / 2) * cos (T / 2) * nag_alpha m T).
  { unfold nag_v, nag_alpha. rewrite (sin_half T), (cos_half T). ring. }
  assert (eK : nag_K m T 1 = 1 + 4 * m * (1 + m) * (sin (T / 2) * sin (T / 2)))
    by (unfold nag_K; rewrite (cos_half T); ring).
  unfold nag_G. rewrite pow1, Rmult_1_l, v1. rewrite <- eK in eg.
  set (K := nag_K m T 1) in *. set (s := sin (T / 2)) in *. set (h := cos (T / 2)) in *.
  set (S0 := sin (N * T)) in *. set (C0 := cos (N * T)) in *.
  assert (p : 0 < 2 * s * h * nag_alpha m T / (K * S0)).
  { apply Rdiv_lt_0_compat; repeat apply Rmult_lt_0_compat; lra. }
  apply Rsqr_inj; [lra|lra|]. unfold Rsqr.
  assert (e : h * h * (nag_alpha m T * nag_alpha m T) =
    S0 * S0 * (((1 - m) * (1 - m) + 4 * m * (s * s)) * K)).
  { assert (x : C0 * h * nag_alpha m T * (C0 * h * nag_alpha m T) =
      S0 * s * nag_beta m T * (S0 * s * nag_beta m T))
      by (replace (C0 * h * nag_alpha m T) with (S0 * s * nag_beta m T) by lra; ring).
    assert (y : h * h * (nag_alpha m T * nag_alpha m T) =
      S0 * S0 * (h * h * (nag_alpha m T * nag_alpha m T) + s * s * (nag_beta m T * nag_beta m T))).
    { transitivity ((S0 * S0 + C0 * C0) * (h * h * (nag_alpha m T * nag_alpha m T)));
      [rewrite c1; ring|]. lra. }
    rewrite y. rewrite eK. unfold nag_alpha, nag_beta. fold s.
    replace (h * h) with (1 - s * s) by lra. ring. }
  apply Rmult_eq_reg_r with (K * (K * (S0 * S0))); [|apply Rgt_not_eq; repeat apply Rmult_lt_0_compat; lra].
  transitivity (4 * (s * s) * (h * h * (nag_alpha m T * nag_alpha m T)) * 1); [field; lra|].
  rewrite e.
  transitivity (nesterov_gain m T * nesterov_gain m T * K * (K * (S0 * S0))); [rewrite eg|]; ring.
Qed.

Lemma nag_branch a : nesterov_gain m T <= a -> exists z, 1 <= Cmod z /\ nesterov m n a z = RtoC 0.
Proof.
  intro high. destruct nag_interval as [N1 [NU [T0 [TU [U2 TN]]]]]. pose proof PI_RGT_0.
  destruct (branch T U (nag_F m n) nag_G TU) with (a := a) as [t [r [b [r1 [z g]]]]].
  - intros r t. unfold nag_F, nag_u, nag_v. continuous.
  - intros t r. unfold nag_F, nag_u, nag_v. continuous.
  - intros f t b f1 cm. unfold nag_G, nag_v. continuous.
    + unfold nag_K. continuous.
    + destruct (nag_signs t ltac:(lra)) as [S _]. pose proof (nag_K_positive m t (f t) m1 f1).
      apply Rgt_not_eq, Rlt_gt. apply Rmult_lt_0_compat; assumption.
  - intros t b. rewrite nag_F_one. pose proof (nag_X_beyond t b).
    destruct (nag_signs t ltac:(lra)) as [_ [_ [_ [sh _]]]]. nra.
  - exact nag_once.
  - intros t b. pose proof (nag_next t b) as lead.
    set (L := sin (N * t) * cos t + cos (N * t) * sin t) in *.
    exists (1 + 10 / L). assert (0 < 10 / L) by (apply Rdiv_lt_0_compat; lra). split; [lra|].
    assert (e : (1 + 10 / L) * L = L + 10) by (field; lra).
    assert (r1 : 1 <= 1 + 10 / L) by lra. set (r := 1 + 10 / L) in *.
    assert (f : nag_F m n t r = (1 + m) * r ^ 2 * (r * L) - r ^ 2 * (m * (2 * cos t * L - sin (N * t))
      + (1 + m) ^ 2 * sin (N * t)) + 2 * m * (1 + m) * r * (cos t * sin (N * t)) - m ^ 2 * sin (N * t)).
    { unfold nag_F, nag_u, nag_v, L. fold N. ring. }
    rewrite f, e. destruct (nag_signs t ltac:(lra)) as [S [_ [_ [_ [_ c0]]]]].
    pose proof (SIN_bound (N * t)). pose proof (COS_bound t).
    pose proof (SIN_bound ((N + 1) * t)) as Lb. rewrite sin_next in Lb. fold L in Lb.
    assert (0 <= 2 * m * (1 + m) * r * (cos t * sin (N * t))).
    { apply Rmult_le_pos; [apply Rmult_le_pos|apply Rmult_le_pos]; nra. }
    assert (cL : cos t * L <= 1 * 1) by (apply Rmult_le_compat; lra).
    assert (m * (2 * cos t * L - sin (N * t)) <= 1 * 2).
    { destruct (Rle_lt_dec (2 * cos t * L - sin (N * t)) 0); [nra|]. apply Rmult_le_compat; lra. }
    assert (mm : 0 <= m ^ 2 <= 1) by nra. assert (MM : 0 <= (1 + m) ^ 2 <= 4) by nra.
    assert ((1 + m) ^ 2 * sin (N * t) <= 4 * 1) by (apply Rmult_le_compat; lra).
    assert (m ^ 2 * sin (N * t) <= 1 * 1) by (apply Rmult_le_compat; lra).
    assert (r2 : 1 <= r ^ 2) by nra.
    assert (10 * r ^ 2 <= (1 + m) * r ^ 2 * (L + 10)).
    { replace (10 * r ^ 2) with (1 * r ^ 2 * 10) by ring.
      apply Rmult_le_compat; [nra|lra|apply Rmult_le_compat_r; lra|lra]. }
    assert (r ^ 2 * (m * (2 * cos t * L - sin (N * t)) + (1 + m) ^ 2 * sin (N * t)) <= r ^ 2 * 6)
      by (apply Rmult_le_compat_l; lra). lra.
  - rewrite nag_F_one. destruct angle as [_ [eq _]]. rewrite eq. ring.
  - intros r r1. destruct (nag_signs U ltac:(lra)) as [S [_ [_ [_ [_ c0]]]]]. pose proof (COS_bound U).
    assert (z : sin (N * U) * cos U + cos (N * U) * sin U = 0) by (rewrite <- sin_next, NU; apply sin_PI).
    assert (f : nag_F m n U r = (1 + m) * r ^ 3 * (sin (N * U) * cos U + cos (N * U) * sin U)
      - 2 * m * r ^ 2 * cos U * (sin (N * U) * cos U + cos (N * U) * sin U)
      - sin (N * U) * ((1 + m + m ^ 2) * r ^ 2 - 2 * m * (1 + m) * r * cos U + m ^ 2)).
    { unfold nag_F, nag_u, nag_v. fold N. ring. }
    rewrite f, z.
    assert (0 < (1 + m + m ^ 2) * r ^ 2 - 2 * m * (1 + m) * r * cos U + m ^ 2).
    { assert (0 <= 2 * m * (1 + m) * r * (1 - cos U)).
      { apply Rmult_le_pos; [apply Rmult_le_pos|]; nra. }
      assert (0 < r * ((1 + m) * r - 2 * m)) by (apply Rmult_lt_0_compat; nra).
      assert (0 <= m ^ 2 * (r - 1) ^ 2) by (apply Rmult_le_pos; nra). nra. }
    nra.
  - intro A. destruct (nag_signs T ltac:(lra)) as [_ [sT _]].
    exists (1 + 9 * (Rabs A / sin T)). pose proof (Rabs_pos A).
    assert (A0 : 0 <= Rabs A / sin T)
      by (apply Rmult_le_pos; [lra|]; left; now apply Rinv_0_lt_compat).
    split; [lra|]. intros t r b big _. destruct (nag_signs t ltac:(lra)) as [S [_ [sm [_ [_ c0]]]]].
    pose proof (SIN_bound (N * t)). pose proof (COS_bound t) as cb.
    pose proof (nag_K_positive m t r m1 ltac:(lra)) as K0.
    assert (r1 : 1 <= r) by lra. assert (q : 1 <= r ^ n) by (apply pow_R1_Rle; exact r1).
    assert (K9 : nag_K m t r <= 9 * r ^ 2).
    { unfold nag_K. assert (0 <= 2 * m * (1 + m) * r * cos t).
      { apply Rmult_le_pos; [apply Rmult_le_pos|]; nra. }
      assert ((1 + m) ^ 2 * (r * r) <= 4 * (r * r)) by (apply Rmult_le_compat_r; nra). nra. }
    assert (v : r ^ 2 * sin T * (r - 1) <= nag_v m t r).
    { unfold nag_v. apply Rmult_le_compat; [nra|lra|apply Rmult_le_compat_l; nra|].
      assert (m * cos t <= m) by nra. nra. }
    assert (v0 : 0 <= r ^ 2 * sin T * (r - 1)) by (apply Rmult_le_pos; nra).
    unfold nag_G. apply Rle_trans with (Rabs A); [apply Rle_abs|].
    apply Rmult_le_reg_r with (nag_K m t r * sin (N * t)); [apply Rmult_lt_0_compat; lra|].
    replace (r ^ n * nag_v m t r / (nag_K m t r * sin (N * t)) * (nag_K m t r * sin (N * t)))
      with (r ^ n * nag_v m t r) by (field; split; lra).
    assert (eA : Rabs A = Rabs A / sin T * sin T) by (field; lra).
    assert (9 * Rabs A <= (r - 1) * sin T) by (rewrite eA; nra).
    apply Rle_trans with (Rabs A * (9 * r ^ 2)).
    + apply Rmult_le_compat_l; [lra|]. assert (nag_K m t r * sin (N * t) <= nag_K m t r * 1)
        by (apply Rmult_le_compat_l; lra). lra.
    + apply Rle_trans with (nag_v m t r); [|nra].
      apply Rle_trans with (r ^ 2 * sin T * (r - 1)); [|exact v].
      replace (Rabs A * (9 * r ^ 2)) with (r ^ 2 * (9 * Rabs A)) by ring.
      rewrite Rmult_assoc. apply Rmult_le_compat_l; nra.
  - rewrite nag_G_start. exact high.
  - exists (polar r t). rewrite Cmod_polar by lra. split; [exact r1|].
    destruct (nag_signs t ltac:(lra)) as [S _]. pose proof (nag_K_positive m t r m1 r1) as K0.
    apply nesterov_root; [exact m1|exact r1|]. split; [|exact z].
    unfold nag_F in z. fold N in z |- *.
    rewrite (real_part_from_imaginary (r ^ n) (nag_u m t r) (nag_v m t r) _ _ (a * nag_K m t r)
      (circle (N * t))); [ring|lra|exact z|]. rewrite <- g. unfold nag_G. field. split; lra.
Qed.
End Unstable.
