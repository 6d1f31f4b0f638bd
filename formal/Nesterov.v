(** * Nesterov momentum: the threshold for every delay and momentum from 0 on *)

Require Import Reals Lra Lia Psatz.
From DelayStability Require Import Loop Branch Trigonometry HeavyBall.
Open Scope R_scope.

(** The gain of the crossing at an angle, and the equation of the angle. *)
Definition nesterov_gain (m t : R) : R :=
  2 * sin (t / 2) * sqrt (((1 - m) ^ 2 + 4 * m * sin (t / 2) ^ 2)
    / (1 + 4 * m * (1 + m) * sin (t / 2) ^ 2)).

Definition nesterov_left (m : R) (n : nat) (t : R) : R :=
  (1 + m + m ^ 2) * cos (t * (1 / 2 + INR n)) - m * cos (t * (3 / 2 + INR n))
  - m * (1 + m) * cos (t * (INR n - 1 / 2)).

Definition nesterov_angle (m : R) (n : nat) : R -> Prop :=
  first_root (nesterov_left m n) (fun _ => 0) PI.

(** The equation in two other forms, with s = sin (t/2) and its cofactors. *)
Definition nag_alpha (m t : R) := 1 - m + 4 * m * (sin (t / 2) * sin (t / 2)).
Definition nag_beta (m t : R) := 1 - m + 2 * m * m + 4 * m * (sin (t / 2) * sin (t / 2)).

Lemma nag_X_form m n t : nesterov_left m n t =
  cos (INR n * t) * cos (t / 2) * nag_alpha m t - sin (INR n * t) * sin (t / 2) * nag_beta m t.
Proof.
  unfold nesterov_left, nag_alpha, nag_beta. rewrite (Rplus_comm (1 / 2)), cos_half_after, cos_half_before.
  replace (t * (3 / 2 + INR n)) with (INR n * t + (t + t / 2)) by field.
  rewrite cos_plus, (cos_plus t), (sin_plus t), (sin_half t), (cos_half t).
  pose proof (circle (t / 2)) as c. set (s := sin (t / 2)) in *. set (h := cos (t / 2)) in *.
  assert (e : h * h = 1 - s * s) by lra. set (C := cos (INR n * t)). set (S := sin (INR n * t)).
  transitivity (C * h * ((1 + m + m ^ 2) - m * (1 - 4 * (s * s)) - m * (1 + m))
    - S * s * ((1 + m + m ^ 2) - m * ((1 - 2 * (s * s)) + 2 * (h * h)) + m * (1 + m))).
  - ring.
  - rewrite e. ring.
Qed.

Lemma nag_X_tangent m n t : nesterov_left m n t =
  cos (t * (1 / 2 + INR n)) * (1 - m + 2 * m * (2 + m) * (sin (t / 2) * sin (t / 2)))
  - 2 * m * m * (sin (t / 2) * cos (t / 2)) * sin (t * (1 / 2 + INR n)).
Proof.
  rewrite nag_X_form. unfold nag_alpha, nag_beta.
  replace (t * (1 / 2 + INR n)) with (INR n * t + t / 2) by field. rewrite cos_plus, sin_plus.
  pose proof (circle (t / 2)) as c. set (s := sin (t / 2)) in *. set (h := cos (t / 2)) in *.
  set (C := cos (INR n * t)). set (S := sin (INR n * t)).
  assert (e : h * h = 1 - s * s) by lra.
  transitivity (C * h * (1 - m + 2 * m * (2 + m) * (s * s)) - S * s * (1 - m + 2 * m * (2 + m) * (s * s))
    - 2 * m * m * (S * s * (h * h)) - 2 * m * m * (C * h * (s * s))); [|ring].
  rewrite e. ring.
Qed.

(** ** The polynomial on the ray of angle t

    Multiplied by the conjugate of B = (1 + m) z - m it is z^n (u + v i) + a |B|^2. *)
Definition nag_K (m t r : R) := (1 + m) ^ 2 * (r * r) + m ^ 2 - 2 * m * (1 + m) * r * cos t.
Definition nag_u (m t r : R) := (1 + m) * r ^ 3 * cos t - m * r ^ 2 * (2 * cos t ^ 2 - 1)
  - (1 + m) ^ 2 * r ^ 2 + 2 * m * (1 + m) * r * cos t - m ^ 2.
Definition nag_v (m t r : R) := r ^ 2 * sin t * ((1 + m) * r - 2 * m * cos t).

Definition nag_F (m : R) (n : nat) (t r : R) :=
  nag_u m t r * sin (INR n * t) + nag_v m t r * cos (INR n * t).

Lemma nag_K_positive m t r : 0 <= m < 1 -> 1 <= r -> 0 < nag_K m t r.
Proof.
  intros m1 r1. pose proof (COS_bound t). unfold nag_K.
  assert (0 <= 2 * m * (1 + m) * r * (1 - cos t)) by (apply Rmult_le_pos; [apply Rmult_le_pos|]; nra).
  assert (1 <= (1 + m) * r - m) by nra.
  assert (0 < ((1 + m) * r - m) * ((1 + m) * r - m)) by nra. nra.
Qed.

Lemma nesterov_polar m n a r t :
  (nesterov m n a (polar r t) * ((1 + m) * Cconj (polar r t) - m) =
  (r ^ n * (nag_u m t r * cos (INR n * t) - nag_v m t r * sin (INR n * t)) + a * nag_K m t r,
   r ^ n * nag_F m n t r)%R)%C.
Proof.
  unfold nesterov, nag_F. rewrite Cpow_polar.
  set (q := (r ^ n)%R). pose proof (circle t) as circ. unfold polar, Cconj. simpl fst. simpl snd.
  set (p := cos (INR n * t)). set (k := sin (INR n * t)). unfold nag_u, nag_v, nag_K.
  set (c := cos t) in *. set (s := sin t) in *.
  assert (e : (s * s)%R = (1 - c * c)%R) by lra.
  set (z := (r * c, r * s)%R : C). set (y := (r * c, - (r * s))%R : C). set (w := (q * p, q * k)%R : C).
  set (V := ((1 + m) * r ^ 3 * c - m * r ^ 2 * (2 * c ^ 2 - 1) - (1 + m) ^ 2 * r ^ 2
    + 2 * m * (1 + m) * r * c - m ^ 2, r ^ 2 * s * ((1 + m) * r - 2 * m * c))%R : C).
  assert (eV : ((z - 1) * (z - m) * ((1 + m) * y - m) = V)%C).
  { unfold z, y, V, Cplus, Cmult, Cminus, Copp, Cplus, RtoC; simpl fst; simpl snd.
    apply pair_equal_spec; split; ring_simplify; replace (s ^ 3)%R with (s * (1 - c * c))%R by
      (rewrite <- e; ring); replace (s ^ 2)%R with (1 - c * c)%R by (rewrite <- e; ring); ring. }
  assert (eK : (((1 + m) * z - m) * ((1 + m) * y - m) =
    RtoC ((1 + m) ^ 2 * (r * r) + m ^ 2 - 2 * m * (1 + m) * r * c)%R)%C).
  { unfold z, y, Cplus, Cmult, Cminus, Copp, Cplus, RtoC; simpl fst; simpl snd.
    apply pair_equal_spec; split; ring_simplify; try ring.
    replace (s ^ 2)%R with (1 - c * c)%R by (rewrite <- e; ring). ring. }
  transitivity (w * ((z - 1) * (z - m) * ((1 + m) * y - m)) + a * (((1 + m) * z - m) * ((1 + m) * y - m)))%C.
  - ring.
  - rewrite eV, eK. unfold w, V, Cplus, Cmult, RtoC; simpl fst; simpl snd.
    apply pair_equal_spec; split; ring.
Qed.

Lemma nesterov_root m n a r t : 0 <= m < 1 -> 1 <= r -> (nesterov m n a (polar r t) = RtoC 0 <->
  r ^ n * (nag_u m t r * cos (INR n * t) - nag_v m t r * sin (INR n * t)) + a * nag_K m t r = 0 /\
  nag_F m n t r = 0).
Proof.
  intros m1 r1. pose proof (nesterov_polar m n a r t) as e.
  assert (q : 1 <= r ^ n) by (apply pow_R1_Rle; exact r1). split.
  - intro z. rewrite z, Cmult_0_l in e. symmetry in e. apply pair_equal_spec in e.
    destruct e as [re im]. split; [exact re|]. apply Rmult_integral in im. destruct im; [lra|assumption].
  - intros [re im]. rewrite re, im, Rmult_0_r in e.
    destruct (Ceq_dec (nesterov m n a (polar r t)) (RtoC 0)) as [z|z]; [exact z|]. exfalso.
    apply (Cmult_neq_0 _ _ z) in e; [exact e|]. intro b. apply pair_equal_spec in b.
    unfold polar, Cconj, Cplus, Cmult, Cminus, Copp, Cplus, RtoC in b; simpl fst in b; simpl snd in b.
    destruct b as [b1 b2]. pose proof (circle t). ring_simplify in b1. ring_simplify in b2.
    assert (k : nag_K m t r = 0); [|pose proof (nag_K_positive m t r m1 r1); lra].
    unfold nag_K. set (c := cos t) in *. set (s := sin t) in *.
    assert (x1 : (1 + m) * (r * c) = m) by lra. assert (x2 : (1 + m) * (r * s) = 0) by lra.
    transitivity ((1 + m) * (r * c) * ((1 + m) * (r * c)) + (1 + m) * (r * s) * ((1 + m) * (r * s))
      + m ^ 2 - 2 * m * ((1 + m) * (r * c))).
    + replace ((1 + m) ^ 2 * (r * r)) with ((1 + m) ^ 2 * (r * r) * (s * s + c * c))
        by (rewrite H; ring). ring.
    + rewrite x1, x2. ring.
Qed.

Lemma nag_modulus m t r : nag_u m t r * nag_u m t r + nag_v m t r * nag_v m t r =
  (r * r + 1 - 2 * r * cos t) * (r * r + m * m - 2 * m * r * cos t) * nag_K m t r.
Proof.
  pose proof (circle t) as circ. unfold nag_u, nag_v, nag_K.
  replace (r ^ 2 * sin t * ((1 + m) * r - 2 * m * cos t) * (r ^ 2 * sin t * ((1 + m) * r - 2 * m * cos t)))
    with ((1 - cos t * cos t) * (r ^ 2 * ((1 + m) * r - 2 * m * cos t)) ^ 2)
    by (rewrite <- circ; ring). ring.
Qed.

(** F in powers of r - 1: the constant term has the sign of the equation of the angle. *)
Lemma nag_F_one m n t : nag_F m n t 1 = 2 * sin (t / 2) * nesterov_left m n t.
Proof.
  rewrite nag_X_form. unfold nag_F, nag_u, nag_v, nag_alpha, nag_beta. rewrite (sin_half t), (cos_half t).
  pose proof (circle (t / 2)) as c. set (s := sin (t / 2)) in *. set (h := cos (t / 2)) in *. ring.
Qed.

Definition nag_P1 (m : R) (n : nat) (t : R) :=
  sin (INR n * t) * ((1 - m) * cos t + 2 * m ^ 2 * (1 - cos t)) + (1 + m) * (sin t * cos (INR n * t)).
Definition nag_P2 (m : R) (n : nat) (t : R) :=
  2 * (1 + m) * ((1 - m) * (cos t * sin (INR n * t)) + sin t * cos (INR n * t))
  + m ^ 2 * sin (INR n * t).
Definition nag_P3 (m : R) (n : nat) (t : R) :=
  (1 + m) * (sin (INR n * t) * cos t + cos (INR n * t) * sin t).

Lemma nag_F_taylor m n t r : nag_F m n t r = nag_F m n t 1
  + (r - 1) * (2 * nag_F m n t 1 + nag_P1 m n t)
  + (r - 1) ^ 2 * (nag_F m n t 1 + nag_P2 m n t) + (r - 1) ^ 3 * nag_P3 m n t.
Proof. unfold nag_F, nag_u, nag_v, nag_P1, nag_P2, nag_P3. ring. Qed.

Section Nesterov.
Variables (m : R) (n : nat) (T : R).
Hypothesis m1 : 0 <= m < 1.
Hypothesis n1 : (1 <= n)%nat.
Hypothesis angle : nesterov_angle m n T.
Let N := INR n.
Let U := PI / (N + 1).

Lemma nag_factors t : 0 < nag_alpha m t /\ 0 < nag_beta m t.
Proof.
  unfold nag_alpha, nag_beta. pose proof (sin_squared_bound (t / 2)).
  assert (0 <= m * (sin (t / 2) * sin (t / 2))) by (apply Rmult_le_pos; lra). nra.
Qed.

Lemma nag_T : 1 <= N /\ 0 < T /\ 2 * N * T < PI.
Proof.
  pose proof (N_one n n1) as N1. fold N in N1. split; [exact N1|].
  destruct angle as [[T0 TP] [eq below]]. split; [exact T0|]. pose proof PI_RGT_0.
  set (u := PI / (2 * N)). assert (u0 : 0 < u) by (apply Rdiv_lt_0_compat; lra).
  assert (Nu : N * u = PI / 2) by (unfold u; field; lra).
  assert (neg : nesterov_left m n u < 0).
  { rewrite nag_X_form. fold N. rewrite Nu, cos_PI2, sin_PI2. destruct (nag_factors u) as [_ b].
    assert (0 < sin (u / 2)) by (apply half_positive; nra).
    assert (0 < sin (u / 2) * nag_beta m u) by (apply Rmult_lt_0_compat; lra). lra. }
  destruct (Rtotal_order T u) as [h|[h|h]]; [nra|rewrite h in eq; lra|].
  specialize (below u ltac:(lra)). simpl in below. lra.
Qed.

Lemma nag_gap_from_X t r : 0 < t -> 2 * N * t < PI -> 0 <= nesterov_left m n t -> 1 < r ->
  0 < nag_F m n t r.
Proof.
  intros t0 tN X r1. destruct (signs n n1 t t0 tN) as [S [C [s [c h]]]].
  pose proof (COS_bound t) as cb. fold N in S, C.
  assert (F0 : 0 <= nag_F m n t 1) by (rewrite nag_F_one; apply Rmult_le_pos; nra).
  assert (cS : 0 < cos t * sin (N * t)) by (apply Rmult_lt_0_compat; lra).
  assert (sC : 0 < sin t * cos (N * t)) by (apply Rmult_lt_0_compat; lra).
  assert (p1 : 0 < nag_P1 m n t).
  { unfold nag_P1. fold N. assert (0 <= (1 - m) * cos t + 2 * m ^ 2 * (1 - cos t)).
    { assert (0 <= m ^ 2 * (1 - cos t)) by (apply Rmult_le_pos; nra). nra. }
    assert (0 <= sin (N * t) * ((1 - m) * cos t + 2 * m ^ 2 * (1 - cos t)))
      by (apply Rmult_le_pos; lra). nra. }
  assert (p2 : 0 <= nag_P2 m n t).
  { unfold nag_P2. fold N. assert (0 <= (1 - m) * (cos t * sin (N * t))) by (apply Rmult_le_pos; lra).
    assert (0 <= m ^ 2 * sin (N * t)) by (apply Rmult_le_pos; nra).
    assert (0 <= 2 * (1 + m) * ((1 - m) * (cos t * sin (N * t)) + sin t * cos (N * t)))
      by (apply Rmult_le_pos; lra). lra. }
  assert (p3 : 0 <= nag_P3 m n t) by (unfold nag_P3; fold N; apply Rmult_le_pos; lra).
  rewrite nag_F_taylor.
  assert (0 < (r - 1) * (2 * nag_F m n t 1 + nag_P1 m n t)) by (apply Rmult_lt_0_compat; lra).
  assert (0 <= (r - 1) ^ 2 * (nag_F m n t 1 + nag_P2 m n t)) by (apply Rmult_le_pos; [apply pow_le|]; lra).
  assert (0 <= (r - 1) ^ 3 * nag_P3 m n t) by (apply Rmult_le_pos; [apply pow_le|]; lra). lra.
Qed.

Lemma nag_gap t r : 0 < t < T -> 1 <= r -> 0 < nag_F m n t r.
Proof.
  intros b r1. destruct nag_T as [N1 [T0 TN]]. destruct angle as [_ [_ below]].
  specialize (below t b). simpl in below. assert (tN : 2 * N * t < PI) by nra.
  destruct (Rle_lt_or_eq_dec _ _ r1) as [h|h]; [apply nag_gap_from_X; lra|].
  rewrite <- h, nag_F_one. destruct (signs n n1 t ltac:(lra) tN) as [_ [_ [_ [_ p]]]].
  apply Rmult_lt_0_compat; lra.
Qed.

(** ** The modulus beyond the angle *)

Lemma nag_gain_squared t : nesterov_gain m t * nesterov_gain m t *
  (1 + 4 * m * (1 + m) * (sin (t / 2) * sin (t / 2))) =
  4 * (sin (t / 2) * sin (t / 2)) * ((1 - m) * (1 - m) + 4 * m * (sin (t / 2) * sin (t / 2))).
Proof.
  unfold nesterov_gain. pose proof (sin_squared_bound (t / 2)) as b. set (s := sin (t / 2)) in *.
  replace (s ^ 2) with (s * s) by ring.
  assert (k : 0 < 1 + 4 * m * (1 + m) * (s * s)).
  { assert (0 <= m * (1 + m) * (s * s)) by (apply Rmult_le_pos; nra). lra. }
  assert (p : 0 <= (1 - m) ^ 2 + 4 * m * (s * s)).
  { assert (0 <= m * (s * s)) by (apply Rmult_le_pos; lra). nra. }
  set (X := ((1 - m) ^ 2 + 4 * m * (s * s)) / (1 + 4 * m * (1 + m) * (s * s))).
  assert (x : 0 <= X) by (apply Rmult_le_pos; [exact p|left; apply Rinv_0_lt_compat, k]).
  transitivity (4 * (s * s) * (sqrt X * sqrt X) * (1 + 4 * m * (1 + m) * (s * s))); [ring|].
  rewrite sqrt_sqrt by exact x. unfold X. field. lra.
Qed.

Lemma nag_gain_positive t : 0 < t <= PI -> 0 < nesterov_gain m t.
Proof.
  intro b. pose proof (half_positive t b) as s0. pose proof (nag_gain_squared t) as e.
  assert (0 <= nesterov_gain m t).
  { unfold nesterov_gain. apply Rmult_le_pos; [lra|apply sqrt_pos]. }
  set (s := sin (t / 2)) in *. assert (0 < s * s) by nra.
  assert (0 < (1 - m) * (1 - m)) by nra. assert (0 <= m * (s * s)) by (apply Rmult_le_pos; lra).
  assert (0 < 4 * (s * s) * ((1 - m) * (1 - m) + 4 * m * (s * s))) by (apply Rmult_lt_0_compat; lra).
  destruct (Rle_lt_or_eq_dec 0 (nesterov_gain m t)) as [h|h]; [assumption|exact h|].
  rewrite <- h in e. lra.
Qed.

Lemma nag_K_grows t r : 1 <= r -> nag_K m t r <= r ^ 4 * nag_K m t 1.
Proof.
  intro r1. pose proof (COS_bound t) as cb. unfold nag_K.
  assert (p : 0 <= (r - 1) * (r - m) * (r ^ 2 + (1 + m) * r - m)).
  { apply Rmult_le_pos; [apply Rmult_le_pos; lra|]. nra. }
  assert (q : 0 <= 2 * m * (1 + m) * (1 - cos t) * (r * ((r - 1) * (r ^ 2 + r + 1)))).
  { apply Rmult_le_pos; [apply Rmult_le_pos; nra|].
    apply Rmult_le_pos; [lra|]. apply Rmult_le_pos; nra. }
  assert (e : r ^ 4 * ((1 + m) ^ 2 * (1 * 1) + m ^ 2 - 2 * m * (1 + m) * 1 * cos t)
    - ((1 + m) ^ 2 * (r * r) + m ^ 2 - 2 * m * (1 + m) * r * cos t) =
    (r - 1) * (r - m) * (r ^ 2 + (1 + m) * r - m)
    + 2 * m * (1 + m) * (1 - cos t) * (r * ((r - 1) * (r ^ 2 + r + 1)))) by ring.
  lra.
Qed.

Lemma nag_beyond a r t : 0 < a < nesterov_gain m T -> T <= t <= PI -> 1 <= r ->
  nesterov m n a (polar r t) <> RtoC 0.
Proof.
  intros b bt r1 root. apply nesterov_root in root; [|exact m1|exact r1]. destruct root as [re im].
  unfold nag_F in im. destruct nag_T as [N1 [T0 TN]].
  assert (im' : r ^ n * (nag_u m t r * sin (INR n * t) + nag_v m t r * cos (INR n * t)) = 0)
    by (rewrite im; ring).
  pose proof (modulus_squared _ _ _ _ _ _ (circle (INR n * t)) re im') as sq. rewrite nag_modulus in sq.
  pose proof (nag_K_positive m t r m1 r1) as K0. pose proof (nag_K_positive m t 1 m1 (Rle_refl 1)) as K1.
  pose proof (nag_K_grows t r r1) as Kr.
  pose proof (distance_from_one r (cos t) r1) as d1.
  pose proof (distance_from_pole r m (cos t) r1 ltac:(lra)) as d2.
  assert (p : r <= r ^ n).
  { destruct n as [|k]; [lia|]. simpl. assert (1 <= r ^ k) by (apply pow_R1_Rle; lra). nra. }
  assert (s0 : 0 < sin (T / 2)) by (apply half_positive; nra).
  assert (sm : sin (T / 2) <= sin (t / 2)) by (apply sin_mono; lra).
  pose proof (nag_gain_squared T) as eg.
  set (M := 1 + m * m - 2 * m * cos t) in *. set (D := 2 - 2 * cos t) in *.
  set (E1 := r * r + 1 - 2 * r * cos t) in *. set (E2 := r * r + m * m - 2 * m * r * cos t) in *.
  assert (eM : M = (1 - m) * (1 - m) + 4 * m * (sin (t / 2) * sin (t / 2)))
    by (unfold M; rewrite (cos_half t); ring).
  assert (eD : D = 4 * (sin (t / 2) * sin (t / 2))) by (unfold D; rewrite (cos_half t); ring).
  assert (eK : nag_K m t 1 = 1 + 4 * m * (1 + m) * (sin (t / 2) * sin (t / 2)))
    by (unfold nag_K; rewrite (cos_half t); ring).
  set (k := sin (t / 2) * sin (t / 2)) in *. set (S := sin (T / 2) * sin (T / 2)) in *.
  assert (Sk : 0 < S <= k) by (unfold S, k; split; nra).
  assert (M0 : 0 <= M) by (rewrite eM; nra). assert (D0 : 0 <= D) by lra.
  assert (rr : r * r <= r ^ n * r ^ n) by nra.
  assert (prod : D * M * (r * r) <= E1 * E2).
  { replace (D * M * (r * r)) with (D * r * (M * r)) by ring. apply Rmult_le_compat; nra. }
  (* a^2 K(r) = r^(2n) E1 E2 is at least r^4 D M, and K(r) at most r^4 K(1) *)
  assert (low : r ^ 4 * (D * M) <= a * a * nag_K m t r).
  { apply Rmult_le_reg_r with (nag_K m t r); [exact K0|].
    replace (a * a * nag_K m t r * nag_K m t r) with (a * nag_K m t r * (a * nag_K m t r)) by ring.
    rewrite sq. replace (r ^ n * r ^ n * (E1 * E2 * nag_K m t r)) with
      (r ^ n * r ^ n * (E1 * E2) * nag_K m t r) by ring.
    apply Rmult_le_compat_r; [lra|]. replace (r ^ 4 * (D * M)) with (r * r * (D * M * (r * r))) by ring.
    assert (0 <= D * M) by (apply Rmult_le_pos; lra). assert (0 <= r * r) by nra.
    apply Rmult_le_compat; [lra|apply Rmult_le_pos; lra|exact rr|exact prod]. }
  assert (r4 : 1 <= r ^ 4) by (apply pow_R1_Rle; exact r1).
  assert (bound : D * M <= a * a * nag_K m t 1).
  { apply Rmult_le_reg_l with (r ^ 4); [lra|].
    apply Rle_trans with (a * a * nag_K m t r); [exact low|].
    replace (r ^ 4 * (a * a * nag_K m t 1)) with (a * a * (r ^ 4 * nag_K m t 1)) by ring.
    apply Rmult_le_compat_l; nra. }
  set (g := nesterov_gain m T) in *. rewrite eD, eM, eK in bound.
  assert (kS : 0 < 1 + 4 * m * (1 + m) * S).
  { assert (0 <= m * (1 + m) * S) by (apply Rmult_le_pos; nra). lra. }
  assert (kk : 0 < 1 + 4 * m * (1 + m) * k) by (rewrite <- eK; exact K1).
  assert (less : a * a < g * g) by nra.
  assert (rise : S * ((1 - m) * (1 - m) + 4 * m * S) * (1 + 4 * m * (1 + m) * k) <=
    k * ((1 - m) * (1 - m) + 4 * m * k) * (1 + 4 * m * (1 + m) * S)).
  { assert (0 <= (k - S) * ((1 - m) * (1 - m) + 4 * m * (k + S) + 16 * m * m * (1 + m) * (k * S))).
    { apply Rmult_le_pos; [lra|]. assert (0 <= k * S) by nra.
      assert (0 <= m * (k + S)) by (apply Rmult_le_pos; lra).
      assert (0 <= m * m * (1 + m) * (k * S)) by (apply Rmult_le_pos; nra). nra. }
    lra. }
  assert (x : a * a * ((1 + 4 * m * (1 + m) * k) * (1 + 4 * m * (1 + m) * S)) <
    g * g * ((1 + 4 * m * (1 + m) * k) * (1 + 4 * m * (1 + m) * S))).
  { apply Rmult_lt_compat_r; [apply Rmult_lt_0_compat; lra|exact less]. }
  assert (y : g * g * (1 + 4 * m * (1 + m) * S) * (1 + 4 * m * (1 + m) * k) =
    4 * S * ((1 - m) * (1 - m) + 4 * m * S) * (1 + 4 * m * (1 + m) * k)) by (now rewrite eg).
  assert (z : 4 * k * ((1 - m) * (1 - m) + 4 * m * k) * (1 + 4 * m * (1 + m) * S) <=
    a * a * (1 + 4 * m * (1 + m) * k) * (1 + 4 * m * (1 + m) * S))
    by (apply Rmult_le_compat_r; lra).
  lra.
Qed.
End Nesterov.

Lemma nag_no_positive_root m n a r : 0 <= m < 1 -> 0 < a -> 1 <= r ->
  nesterov m n a (polar r 0) <> RtoC 0.
Proof.
  intros m1 a0 r1 root. apply nesterov_root in root; [|exact m1|exact r1]. destruct root as [re _].
  pose proof (nag_K_positive m 0 r m1 r1) as K.
  unfold nag_u, nag_v in re. rewrite Rmult_0_r, cos_0, sin_0 in re.
  assert (q : 1 <= r ^ n) by (apply pow_R1_Rle; exact r1).
  assert (p : 0 <= (r - 1) * (r - m) * ((1 + m) * r - m))
    by (apply Rmult_le_pos; [apply Rmult_le_pos|]; nra).
  assert (0 <= r ^ n * ((r - 1) * (r - m) * ((1 + m) * r - m))) by (apply Rmult_le_pos; lra).
  assert (0 < a * nag_K m 0 r) by (apply Rmult_lt_0_compat; lra). nra.
Qed.
