(** * Weight decay: the threshold of SGD that shrinks its present weights, for every delay *)

Require Import Reals Lra Lia Psatz List.
From DelayStability Require Import Loop FundamentalTheorem Recursion RootsInside Trigonometry
  Multiples Branch Chebyshev.
Import ListNotations.
Open Scope R_scope.

(** The equation of the angle, and the gain there: the distance from what the decay leaves. *)
Definition decay_angle (c : R) (n : nat) : R -> Prop :=
  first_root (fun t => sin (t * (1 + INR n))) (fun t => (1 - c) * sin (t * INR n)) PI.

Definition decay_gain (c T : R) : R := sqrt (1 + (1 - c) ^ 2 - 2 * (1 - c) * cos T).

Section Decay.
Variables (c : R) (n : nat) (T : R).
Hypothesis c1 : 0 <= c <= 1.
Hypothesis angle : decay_angle c n T.
Let N := INR n.
Let p := 1 - c.
Let g := decay_gain c T.

Lemma decay_T : 0 <= N /\ 0 < T /\ (N + 1) * T <= PI /\ sin ((N + 1) * T) = p * sin (N * T) /\
  (forall t, 0 < t < T -> p * sin (N * t) < sin ((N + 1) * t)).
Proof.
  pose proof (pos_INR n) as N0. fold N in N0. pose proof PI_RGT_0.
  destruct angle as [[T0 TP] [eq below]]. simpl in eq. fold N p in eq.
  assert (order : forall t, t * (1 + N) = (N + 1) * t /\ t * N = N * t) by (intro t; split; ring).
  rewrite (proj1 (order T)), (proj2 (order T)) in eq.
  assert (low : forall t, 0 < t < T -> p * sin (N * t) < sin ((N + 1) * t)).
  { intros t b. specialize (below t b). simpl in below. fold N p in below.
    now rewrite (proj1 (order t)), (proj2 (order t)) in below. }
  repeat split; try assumption. apply Rnot_lt_le. intro h. set (U := PI / (N + 1)).
  assert (NU : (N + 1) * U = PI) by (unfold U; field; lra). assert (U0 : 0 < U) by (unfold U; apply Rdiv_lt_0_compat; lra).
  specialize (low U ltac:(nra)). rewrite NU, sin_PI in low.
  assert (0 <= sin (N * U)) by (apply sin_ge_0; nra). unfold p in low. nra.
Qed.

(** At the angle z^n (z - p) is real and negative. *)
Lemma decay_gain_facts : 0 < g /\ g * g = 1 + p * p - 2 * p * cos T /\
  cos ((N + 1) * T) - p * cos (N * T) = - g /\ p <= (N + 1) * g.
Proof.
  destruct decay_T as [N0 [T0 [TU [eq _]]]]. pose proof PI_RGT_0.
  pose proof (circle (N * T)) as c2. pose proof (circle T) as c3.
  rewrite sin_next in eq. rewrite cos_next. pose proof (COS_bound T) as [_ cT].
  assert (k : 0 <= 1 + (1 - c) ^ 2 - 2 * (1 - c) * cos T).
  { fold p. assert (0 <= p) by (unfold p; lra). pose proof (Rle_0_sqr (1 - p)) as sq. unfold Rsqr in sq. nra. }
  assert (gg : g * g = 1 + p * p - 2 * p * cos T).
  { unfold g, decay_gain. rewrite sqrt_sqrt by exact k. fold p. ring. }
  assert (g0 : 0 <= g) by apply sqrt_pos.
  assert (sT : 0 <= sin T) by (apply sin_ge_0; nra).
  set (S := sin (N * T)) in *. set (C := cos (N * T)) in *. set (s := sin T) in *. set (d := cos T) in *.
  (* the real part times S is - s *)
  assert (re : (C * d - S * s - p * C) * S = - s).
  { transitivity (C * (S * d + C * s) - s * (S * S + C * C) - p * C * S); [ring|]. rewrite eq, c2. ring. }
  assert (sq : (C * d - S * s - p * C) * (C * d - S * s - p * C) = g * g).
  { rewrite gg. assert (e : (S * d + C * s - p * S) * (S * d + C * s - p * S) = 0) by (rewrite eq; ring).
    transitivity ((S * S + C * C) * (s * s + d * d + p * p - 2 * p * d) -
      (S * d + C * s - p * S) * (S * d + C * s - p * S)); [ring|]. rewrite e, c2, c3. ring. }
  assert (neg : C * d - S * s - p * C < 0).
  { destruct (Nat.eq_dec n 0) as [z|nz].
    - assert (N = 0) as z' by (unfold N; now rewrite z). unfold S, C, d, s in *. rewrite z', Rmult_0_l, cos_0, sin_0 in *.
      (* the angle is pi *)
      assert (T = PI) as ->.
      { destruct (Rle_lt_or_eq_dec T PI ltac:(nra)) as [l|e]; [|exact e]. exfalso.
        assert (0 < sin T) by (apply sin_gt_0; lra). lra. }
      rewrite cos_PI. unfold p. lra.
    - assert (N1 : 1 <= N) by (unfold N; apply (le_INR 1); lia).
      assert (S0 : 0 < S) by (apply sin_gt_0; nra). assert (s0 : 0 < s) by (apply sin_gt_0; nra). nra. }
  assert (e : C * d - S * s - p * C = - g) by nra.
  assert (gp : 0 < g) by lra. repeat split; try assumption.
  destruct (Nat.eq_dec n 0) as [z|nz].
  - assert (N = 0) as z' by (unfold N; now rewrite z). unfold C, S in *. rewrite z', Rmult_0_l, cos_0, sin_0 in *.
    assert (d = -1).
    { assert (s = 0) by lra. assert (d * d = 1) by nra. assert (d < 1 \/ d = 1) as [q|q] by lra; [nra|].
      exfalso. rewrite q in neg. unfold p in neg. lra. }
    lra.
  - assert (N1 : 1 <= N) by (unfold N; apply (le_INR 1); lia).
    assert (S0 : 0 < S) by (apply sin_gt_0; nra).
    pose proof (sine_of_multiple (Datatypes.S n) T ltac:(lra) ltac:(rewrite S_INR; fold N; lra) ltac:(nra)) as mult.
    rewrite S_INR in mult. fold N s in mult. rewrite sin_next in mult. fold S C d s in mult.
    apply Rmult_le_reg_r with S; [exact S0|]. assert (gS : g * S = s) by (rewrite e in re; lra).
    replace ((N + 1) * g * S) with ((N + 1) * (g * S)) by ring. rewrite gS, <- eq. exact mult.
Qed.

(** ** No root outside below it *)

Lemma decay_polar a r t : decayed_sgd c n a (polar r t) =
  (r ^ n * ((r * cos t - p) * cos (N * t) - r * sin t * sin (N * t)) + a,
   r ^ n * ((r * cos t - p) * sin (N * t) + r * sin t * cos (N * t))).
Proof.
  unfold decayed_sgd. rewrite Cpow_polar. unfold polar, Cplus, Cmult, Cminus, Copp, Cplus, RtoC; simpl fst;
  simpl snd. apply pair_equal_spec; split; unfold N, p; ring.
Qed.

Lemma decay_stable_side a r t : 0 < a < g -> 1 <= r -> 0 <= t <= PI ->
  decayed_sgd c n a (polar r t) <> RtoC 0.
Proof.
  intros ag r1 bt root. rewrite decay_polar in root. apply pair_equal_spec in root. destruct root as [re im].
  destruct decay_T as [N0 [T0 [TU [eq below]]]]. destruct decay_gain_facts as [g0 [gg _]]. pose proof PI_RGT_0.
  assert (q1 : 1 <= r ^ n) by (apply pow_R1_Rle; exact r1). assert (p1 : 0 <= p <= 1) by (unfold p; lra).
  destruct (Rlt_le_dec t T) as [h|h].
  - destruct (Rle_lt_or_eq_dec 0 t ltac:(lra)) as [t0|<-].
    + specialize (below t ltac:(lra)). rewrite sin_next in below.
      assert (Q : 0 <= sin (N * t) * cos t + cos (N * t) * sin t)
        by (rewrite <- sin_next; apply sin_ge_0; nra).
      assert (im' : (r * cos t - p) * sin (N * t) + r * sin t * cos (N * t) = 0).
      { apply Rmult_integral in im. destruct im; [lra|assumption]. }
      nra.
    + rewrite !Rmult_0_r, cos_0, sin_0 in re. assert (0 <= r ^ n * (r - p)) by (apply Rmult_le_pos; lra). lra.
  - pose proof (circle (N * t)) as circ. pose proof (circle t) as circ1.
    pose proof (modulus_squared _ _ _ _ _ _ circ re im) as sq.
    assert (d : (r * cos t - p) * (r * cos t - p) + r * sin t * (r * sin t) = r * r + p * p - 2 * r * p * cos t).
    { transitivity (r * r * (sin t * sin t + cos t * cos t) + p * p - 2 * r * p * cos t); [ring|].
      rewrite circ1. ring. }
    rewrite d in sq. assert (ct : cos t <= cos T) by (apply cos_decr_1; nra).
    assert (k : 0 <= (r - 1) * (r - p * p)) by (apply Rmult_le_pos; nra).
    assert (w : r * p * cos t <= r * p * cos T) by (apply Rmult_le_compat_l; [nra|exact ct]).
    assert (low : g * g <= r * r + p * p - 2 * r * p * cos t).
    { apply Rle_trans with (r * (g * g)); [nra|]. rewrite gg. nra. }
    assert (qq : 1 <= r ^ n * r ^ n) by nra. assert (0 < g * g) by nra.
    assert (g * g <= a * a) by (rewrite sq; nra). nra.
Qed.

(** ** And one from it on *)

Definition decay_polynomial (a : R) : list C := added (late n [RtoC (- p); RtoC 1]) [RtoC a].

Lemma decay_value a z : value (decay_polynomial a) z = decayed_sgd c n a z.
Proof.
  unfold decay_polynomial. rewrite value_added, value_late. unfold decayed_sgd, p. simpl.
  rewrite RtoC_opp, RtoC_minus. ring.
Qed.

Lemma decay_value_there a : decayed_sgd c n a (polar 1 T) = RtoC (a - g).
Proof.
  destruct decay_T as [_ [_ [_ [eq _]]]]. destruct decay_gain_facts as [_ [_ [e _]]].
  rewrite sin_next in eq. rewrite cos_next in e. rewrite decay_polar, pow1. unfold RtoC.
  apply pair_equal_spec; split; lra.
Qed.

Lemma decay_derivative a : (polar 1 T * derivative (decay_polynomial a) (polar 1 T))%C =
  (- ((N + 1) * g) + p * cos (N * T), p * sin (N * T)).
Proof.
  destruct decay_T as [_ [_ [_ [eq _]]]]. destruct decay_gain_facts as [_ [_ [e _]]].
  unfold decay_polynomial. rewrite derivative_added, Cmult_plus_distr_l, derivative_late, Cpow_polar, pow1.
  fold N. rewrite sin_next in eq. rewrite cos_next in e. simpl value. simpl derivative.
  unfold polar, Cplus, Cmult, RtoC; simpl fst; simpl snd.
  set (S := sin (N * T)) in *. set (C := cos (N * T)) in *. set (s := sin T) in *. set (d := cos T) in *.
  apply pair_equal_spec; split; [|].
  - replace g with (- (C * d - S * s - p * C)) by lra. ring.
  - transitivity ((N + 1) * (S * d + C * s - p * S) + p * S); [ring|]. rewrite eq. ring.
Qed.

Lemma decay_unstable a : g <= a -> ~ stable (decayed_sgd c n) a.
Proof.
  intros high st. destruct decay_T as [N0 _]. destruct decay_gain_facts as [g0 [_ [_ pg]]].
  destruct (Rle_lt_or_eq_dec _ _ high) as [h|<-].
  2:{ assert (e : decayed_sgd c n g (polar 1 T) = RtoC 0) by (rewrite decay_value_there; f_equal; ring).
      specialize (st _ e). rewrite Cmod_polar in st; lra. }
  apply (root_outside (S n) (decay_polynomial a) (polar 1 T) _ _) with (6 := decay_derivative a)
    (5 := decay_value a (polar 1 T)).
  - unfold decay_polynomial. rewrite added_length; rewrite late_length; simpl; lia.
  - lia.
  - unfold decay_polynomial. rewrite added_leading, late_leading; [|discriminate|rewrite late_length; simpl; lia].
    unfold leading. simpl. exact one_not_zero.
  - unfold squared_modulus, polar. simpl fst. simpl snd. pose proof (circle T). lra.
  - rewrite decay_value_there. rewrite S_INR. fold N. unfold squared_modulus, RtoC. cbn [fst snd].
    pose proof (COS_bound (N * T)) as [_ C1]. assert (p0 : 0 <= p) by (unfold p; lra).
    assert (p * cos (N * T) <= p) by nra.
    assert (0 <= (a - g) * ((N + 1) * g - p * cos (N * T))) by (apply Rmult_le_pos; lra).
    assert (0 <= (N + 1) * ((a - g) * (a - g))) by (apply Rmult_le_pos; nra). lra.
  - intros r e. apply st. now rewrite <- decay_value.
Qed.

Theorem decay_is_threshold : decayed_threshold (decayed_sgd c n) g.
Proof.
  destruct decay_gain_facts as [g0 _]. split; [exact g0|]. intros a a0. split.
  - intro st. apply Rnot_le_lt. intro h. exact (decay_unstable a h st).
  - intros l z e. apply Rnot_le_lt. intro z1. destruct (polar_exists z) as [t [bt [q|q]]].
    + apply (decay_stable_side a (Cmod z) t ltac:(lra) z1 bt). now rewrite <- q.
    + apply (decay_stable_side a (Cmod z) t ltac:(lra) z1 bt). rewrite <- q.
      replace (decayed_sgd c n a (Cconj z)) with (Cconj (decayed_sgd c n a z))
        by (unfold decayed_sgd; conjugate). rewrite e. apply Cconj_real.
Qed.

(** ** Decay raises the threshold *)

Lemma decay_at_least_decay : c <= g.
Proof.
  destruct decay_gain_facts as [g0 [gg _]]. pose proof (COS_bound T) as [_ d]. apply Rnot_lt_le. intro h.
  assert (0 <= p) by (unfold p; lra). assert (g * g < c * c) by nra. unfold p in *. nra.
Qed.

Lemma decay_raises : (1 <= n)%nat -> 2 * sin (PI / (4 * N + 2)) <= g.
Proof.
  intro n1. destruct decay_T as [N0 [T0 [TU [eq _]]]]. destruct decay_gain_facts as [g0 [_ [re _]]].
  assert (N1 : 1 <= N) by (unfold N; apply (le_INR 1); exact n1). pose proof PI_RGT_0.
  set (y := PI / (2 * N + 1)). assert (ey : (2 * N + 1) * y = PI) by (unfold y; field; lra).
  assert (y0 : 0 < y) by (unfold y; apply Rdiv_lt_0_compat; lra).
  assert (S : 0 < sin (N * T)) by (apply sin_gt_0; nra).
  assert (gS : g * sin (N * T) = sin T).
  { rewrite sin_next in eq. rewrite cos_next in re. pose proof (circle (N * T)) as c2.
    transitivity (- (cos (N * T) * cos T - sin (N * T) * sin T - p * cos (N * T)) * sin (N * T)); [rewrite re; ring|].
    transitivity (sin T * (sin (N * T) * sin (N * T) + cos (N * T) * cos (N * T)) - cos (N * T) *
      (sin (N * T) * cos T + cos (N * T) * sin T - p * sin (N * T))); [ring|]. rewrite eq, c2. ring. }
  assert (yT : y <= T).
  { apply Rnot_lt_le. intro h. assert (e : sin ((N + 1) * T) - sin (N * T) = 2 * cos ((2 * N + 1) * T / 2) * sin (T / 2)).
    { rewrite form4. replace (((N + 1) * T + N * T) / 2) with ((2 * N + 1) * T / 2) by field.
      replace (((N + 1) * T - N * T) / 2) with (T / 2) by field. ring. }
    assert (0 < cos ((2 * N + 1) * T / 2)) by (apply cos_gt_0; nra).
    assert (0 < sin (T / 2)) by (apply half_positive; nra).
    assert (0 < cos ((2 * N + 1) * T / 2) * sin (T / 2)) by (apply Rmult_lt_0_compat; lra).
    unfold p in eq. nra. }
  pose proof (sine_chord n y T y0 yT ltac:(fold N; nra) ltac:(nra)) as chord. fold N in chord.
  replace (PI / (4 * N + 2)) with (y / 2) by (unfold y; field; lra).
  replace (N * y) with (PI / 2 - y / 2) in chord by lra. rewrite sin_shift, (sin_half y) in chord.
  assert (c0 : 0 < cos (y / 2)) by (apply cos_gt_0; nra).
  apply Rmult_le_reg_r with (sin (N * T)); [exact S|]. rewrite gS.
  apply Rmult_le_reg_l with (cos (y / 2)); [exact c0|]. lra.
Qed.
End Decay.

(** ** The angle exists

    The equation holds at 0 too; divided by sin t it does not. *)

Lemma decay_angle_exists c n : 0 <= c <= 1 -> exists T, decay_angle c n T.
Proof.
  intro c1. pose proof PI_RGT_0. pose proof (pos_INR n) as N0. destruct (Nat.eq_dec n 0) as [->|nz].
  { exists PI. split; [lra|]. simpl INR. split.
    - rewrite Rmult_0_r, Rplus_0_r, Rmult_1_r, sin_PI, sin_0. ring.
    - intros s b. rewrite Rmult_0_r, Rplus_0_r, Rmult_1_r, sin_0, Rmult_0_r. apply sin_gt_0; lra. }
  assert (N1 : 1 <= INR n) by (apply (le_INR 1); lia). set (U := PI / (INR n + 1)).
  assert (NU : (INR n + 1) * U = PI) by (unfold U; field; lra).
  assert (U0 : 0 < U) by (unfold U; apply Rdiv_lt_0_compat; lra). assert (UP : U < PI) by nra.
  assert (sU : 0 < sin U) by (apply sin_gt_0; lra).
  destruct (first_root_exists (fun t => snd (chebyshev n (cos t))) (fun t => (1 - c) * fst (chebyshev n (cos t)))
    U PI) as [T [TU [b [eq below]]]].
  - intro s. apply chebyshev_continuous.
  - intro s. apply continuous_mult; [apply continuous_const|apply chebyshev_continuous].
  - destruct (chebyshev_start n) as [-> ->]. nra.
  - lra.
  - destruct (chebyshev_means n U) as [a d]. rewrite NU, sin_PI in d.
    assert (0 <= sin (INR n * U)) by (apply sin_ge_0; nra).
    assert (z : snd (chebyshev n (cos U)) = 0) by (apply Rmult_eq_reg_l with (sin U); lra).
    rewrite z. apply Rmult_le_pos; [lra|]. apply Rmult_le_reg_l with (sin U); lra.
  - exists T. split; [exact b|].
    assert (order : forall t, t * (1 + INR n) = (INR n + 1) * t /\ t * INR n = INR n * t) by (intro t; split; ring).
    split.
    + rewrite (proj1 (order T)), (proj2 (order T)). destruct (chebyshev_means n T) as [<- <-]. rewrite eq. ring.
    + intros s bs. rewrite (proj1 (order s)), (proj2 (order s)). destruct (chebyshev_means n s) as [<- <-].
      specialize (below s bs). assert (0 < sin s) by (apply sin_gt_0; lra).
      replace ((1 - c) * (sin s * fst (chebyshev n (cos s)))) with (sin s * ((1 - c) * fst (chebyshev n (cos s)))) by ring.
      apply Rmult_lt_compat_l; assumption.
Qed.

(** ** As printed *)

Lemma decay_printed c n T : 0 <= c <= 1 -> decay_angle c n T -> decayed_threshold (decayed_sgd c n)
  (sqrt (1 + (1 - c) ^ 2 - 2 * (1 - c) * cos T)).
Proof. intros c1 angle. exact (decay_is_threshold c n T c1 angle). Qed.

Lemma decayed_threshold_unique p a b : decayed_threshold p a -> decayed_threshold p b -> a = b.
Proof.
  intros [a0 A] [b0 B]. destruct (Rtotal_order a b) as [h|[h|h]]; [|exact h|].
  - assert (s : stable p a) by (apply B; lra). apply A in s; lra.
  - assert (s : stable p b) by (apply A; lra). apply B in s; lra.
Qed.

Theorem decay_maximum c n a : 0 <= c <= 1 -> (1 <= n)%nat -> decayed_threshold (decayed_sgd c n) a ->
  Rmax c (2 * sin (PI / (2 + 4 * INR n))) <= a.
Proof.
  intros c1 n1 t. destruct (decay_angle_exists c n c1) as [T angle].
  rewrite (decayed_threshold_unique _ _ _ t (decay_is_threshold c n T c1 angle)), (Rplus_comm 2).
  apply Rmax_lub; [exact (decay_at_least_decay c n T c1 angle)|exact (decay_raises c n T c1 angle n1)].
Qed.
