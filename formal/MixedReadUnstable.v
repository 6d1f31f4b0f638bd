(** * Mixed reads: no gain from the threshold on is stable, for every delay

    A share l of the gradient is fresh, the rest late. In units of the late share the loop is
    z^n (z - 1 - m b) + b with m = -l/(1 - l), whose angle is that of shifted momentum m. *)

Require Import Reals Lra Lia Psatz List.
From DelayStability Require Import Loop FundamentalTheorem Recursion RootsInside Branch Trigonometry
  Multiples HeavyBall.
Import ListNotations.
Open Scope R_scope.

Definition fresh_loop (m : R) (n : nat) : loop := fun b z => (z ^ n * (z - 1 - m * b) + b)%C.

Definition fresh_gain (n : nat) (T : R) : R := sin T / sin (INR n * T).

(** ** The gain at an angle, and no gain from it on

    At the angle the derivative speaks of every greater gain: the root there leaves the circle, and the
    polynomial is linear in the gain. *)
Section Unstable.
Variables (m : R) (n : nat) (T : R).
Hypothesis m1 : -1 <= m < 1.
Hypothesis n1 : (1 <= n)%nat.
Hypothesis T1 : 0 < T /\ (INR n + 1) * T <= PI.
Hypothesis at_T : sin ((INR n + 1) * T) = sin (INR n * T) + m * sin T.
Let N := INR n.
Let g := fresh_gain n T.

Lemma fresh_T : 1 <= N /\ 0 < T /\ (N + 1) * T <= PI /\ 0 < sin T /\ 0 < sin (N * T) /\ 0 <= sin ((N + 1) * T).
Proof.
  pose proof (N_one n n1) as N1. fold N in N1. destruct T1 as [a b]. fold N in b. pose proof PI_RGT_0.
  repeat split; try assumption; [apply sin_gt_0|apply sin_gt_0|apply sin_ge_0]; nra.
Qed.

Lemma fresh_gain_facts : 0 < g /\ g * sin (N * T) = sin T /\ g <= 1 /\
  (1 + m * g) * sin (N * T) = sin ((N + 1) * T) /\
  2 * (1 - cos T) * (1 + m * g) = (1 - m * m) * (g * g).
Proof.
  destruct fresh_T as [N1 [T0 [TU [s [S Q]]]]]. pose proof PI_RGT_0.
  assert (gS : g * sin (N * T) = sin T) by (unfold g, fresh_gain; fold N; field; lra).
  assert (g0 : 0 < g) by (apply Rdiv_lt_0_compat; assumption).
  assert (pS : (1 + m * g) * sin (N * T) = sin ((N + 1) * T)).
  { unfold N. rewrite at_T. fold N. rewrite <- gS. ring. }
  split; [exact g0|]. split; [exact gS|]. split; [|split; [exact pS|]].
  - apply Rmult_le_reg_r with (sin (N * T)); [exact S|]. rewrite gS, Rmult_1_l.
    destruct (Rle_lt_dec (N * T) (PI / 2)) as [h|h]; [apply sin_mono; nra|].
    rewrite <- (sin_PI_x (N * T)). apply sin_mono; lra.
  - rewrite sin_next in pS. pose proof (circle (N * T)) as c1. pose proof (circle T) as c2.
    set (S' := sin (N * T)) in *. set (C := cos (N * T)) in *. set (s' := sin T) in *. set (c := cos T) in *.
    set (p := 1 + m * g) in *. assert (e : (c - p) * S' = - (C * s')) by lra.
    assert (f : (c - p) * (c - p) + s' * s' = g * g).
    { apply Rmult_eq_reg_r with (S' * S'); [|apply Rgt_not_eq, Rmult_lt_0_compat; lra].
      transitivity ((c - p) * S' * ((c - p) * S') + s' * s' * (S' * S')); [ring|]. rewrite e.
      transitivity (s' * s' * (S' * S' + C * C)); [ring|]. rewrite c1, Rmult_1_r.
      transitivity (g * S' * (g * S')); [now rewrite gS|ring]. }
    replace (g * g) with (1 * (g * g)) in f by ring. unfold p in *. nra.
Qed.

Lemma fresh_polar b r t : fresh_loop m n b (polar r t) =
  (r ^ n * ((r * cos t - (1 + m * b)) * cos (N * t) - r * sin t * sin (N * t)) + b,
   r ^ n * ((r * cos t - (1 + m * b)) * sin (N * t) + r * sin t * cos (N * t))).
Proof.
  unfold fresh_loop. rewrite Cpow_polar. unfold polar, Cplus, Cmult, Cminus, Copp, Cplus, RtoC; simpl fst;
  simpl snd. apply pair_equal_spec; split; unfold N; ring.
Qed.

Lemma fresh_root b r t : 1 <= r -> fresh_loop m n b (polar r t) = RtoC 0 ->
  b * sin (N * t) = r ^ n * (r * sin t) /\ r * sin ((N + 1) * t) = (1 + m * b) * sin (N * t) /\
  r * r + (1 + m * b) * (1 + m * b) - 2 * r * (1 + m * b) * cos t <= b * b.
Proof.
  intros r1 root. rewrite fresh_polar in root. apply pair_equal_spec in root. destruct root as [re im].
  assert (q1 : 1 <= r ^ n) by (apply pow_R1_Rle; exact r1). rewrite sin_next.
  pose proof (circle (N * t)) as circ. pose proof (circle t) as circ1.
  pose proof (modulus_squared _ _ _ _ _ _ circ re im) as sq.
  assert (e : (r * cos t - (1 + m * b)) * sin (N * t) + r * sin t * cos (N * t) = 0).
  { apply Rmult_integral in im. destruct im; [lra|assumption]. }
  set (S := sin (N * t)) in *. set (C := cos (N * t)) in *. set (s := sin t) in *. set (c := cos t) in *.
  set (p := 1 + m * b) in *. set (q := r ^ n) in *.
  split; [|split; [lra|]].
  - assert (f : (q * ((r * c - p) * C - r * s * S) + b) * S = q * (r * s) * - (S * S + C * C) + b * S
      + q * C * ((r * c - p) * S + r * s * C)) by ring.
    rewrite re, circ, e in f. lra.
  - assert (d : (r * c - p) * (r * c - p) + r * s * (r * s) = r * r + p * p - 2 * r * p * c).
    { transitivity (r * r * (s * s + c * c) + p * p - 2 * r * p * c); [ring|]. rewrite circ1. ring. }
    rewrite d in sq. rewrite sq. assert (d0 : 0 <= r * r + p * p - 2 * r * p * c).
    { rewrite <- d. apply Rplus_le_le_0_compat; exact (Rle_0_sqr _). }
    assert (1 <= q * q) by nra. nra.
Qed.

Let w := polar 1 (N * T).

Definition fresh_polynomial (b : R) : list C :=
  added (late n [RtoC (- (1 + m * b)); RtoC 1]) [RtoC b].

Lemma fresh_polynomial_value b z : value (fresh_polynomial b) z = fresh_loop m n b z.
Proof.
  unfold fresh_polynomial. rewrite value_added, value_late. unfold fresh_loop. simpl.
  rewrite RtoC_opp, RtoC_plus, RtoC_mult. ring.
Qed.

Lemma fresh_power : (polar 1 T ^ n)%C = w.
Proof. rewrite Cpow_polar, pow1. reflexivity. Qed.

Lemma fresh_value b : fresh_loop m n b (polar 1 T) = (RtoC (b - g) * (1 - m * w))%C.
Proof.
  destruct fresh_T as [N1 [T0 [TU [sT [ST _]]]]]. destruct fresh_gain_facts as [g0 [gS [_ [pS _]]]].
  rewrite fresh_polar, pow1, !Rmult_1_l. rewrite sin_next in pS. unfold w, polar.
  pose proof (circle (N * T)) as c1.
  unfold RtoC, Cmult, Cminus, Cplus, Copp; simpl fst; simpl snd.
  set (S := sin (N * T)) in *. set (C := cos (N * T)) in *. set (s := sin T) in *. set (c := cos T) in *.
  assert (e : c - (1 + m * g) = - (C * g)).
  { apply Rmult_eq_reg_r with S; [|lra]. transitivity (c * S - (1 + m * g) * S); [ring|]. rewrite pS.
    replace (- (C * g) * S) with (- (C * (g * S))) by ring. rewrite gS. ring. }
  rewrite <- gS. replace (c - (1 + m * b)) with (- (C * g) - m * (b - g)) by (rewrite <- e; ring).
  apply pair_equal_spec. split; [|ring].
  transitivity (- g * (S * S + C * C) - m * (b - g) * C + b); [ring|]. rewrite c1. ring.
Qed.

Lemma fresh_derivative b : (polar 1 T * derivative (fresh_polynomial b) (polar 1 T))%C =
  (RtoC (N + 1) * (fresh_loop m n b (polar 1 T) - b) + RtoC (1 + m * b) * w)%C.
Proof.
  unfold fresh_polynomial. rewrite derivative_added.
  transitivity (polar 1 T * derivative (late n [RtoC (- (1 + m * b)); RtoC 1]) (polar 1 T) +
    polar 1 T * derivative [RtoC b] (polar 1 T))%C; [ring|]. rewrite derivative_late.
  unfold fresh_loop. rewrite fresh_power. simpl value. simpl derivative. fold N.
  rewrite RtoC_opp, !RtoC_plus, RtoC_mult. ring.
Qed.

Lemma fresh_unstable b : g <= b -> ~ stable (fresh_loop m n) b.
Proof.
  intros high st. destruct fresh_T as [N1 [T0 [TU [sT [ST Q]]]]].
  destruct fresh_gain_facts as [g0 [gS [_ [pS _]]]]. pose proof PI_RGT_0.
  destruct (Rle_lt_or_eq_dec _ _ high) as [h|<-].
  2:{ assert (e : fresh_loop m n g (polar 1 T) = RtoC 0) by (rewrite fresh_value, Rminus_diag_eq by reflexivity; ring).
      specialize (st _ e). rewrite Cmod_polar in st; lra. }
  apply (root_outside (S n) (fresh_polynomial b) (polar 1 T) _ _ ) with (6 := fresh_derivative b)
    (5 := fresh_polynomial_value b (polar 1 T)).
  - unfold fresh_polynomial. rewrite added_length; rewrite late_length; simpl; lia.
  - lia.
  - unfold fresh_polynomial. rewrite added_leading, late_leading; [|discriminate|rewrite late_length; simpl; lia].
    unfold leading. simpl. exact one_not_zero.
  - unfold squared_modulus, polar. simpl fst. simpl snd. pose proof (circle T). lra.
  - rewrite fresh_value. rewrite S_INR. fold N. unfold squared_modulus, w, polar.
    unfold RtoC, Cmult, Cminus, Cplus, Copp; simpl fst; simpl snd. pose proof (circle (N * T)) as c1.
    pose proof (COS_bound (N * T)) as [_ C1].
    pose proof (sine_of_multiple (S n) T ltac:(lra) ltac:(rewrite S_INR; fold N; lra) ltac:(nra)) as mult.
    rewrite S_INR in mult. fold N in mult.
    set (S' := sin (N * T)) in *. set (C := cos (N * T)) in *.
    assert (start : (1 + m * g) * (C - m) <= (N + 1) * g * (1 - m * C)).
    { apply Rmult_le_reg_r with S'; [exact ST|].
      replace ((1 + m * g) * (C - m) * S') with ((1 + m * g) * S' * (C - m)) by ring.
      replace ((N + 1) * g * (1 - m * C) * S') with ((N + 1) * (g * S') * (1 - m * C)) by ring.
      rewrite pS, gS. assert (C - m <= 1 - m * C) by nra. assert (0 <= 1 - m * C) by nra.
      destruct (Rle_lt_dec (C - m) 0).
      - apply Rle_trans with 0; [nra|]. apply Rmult_le_pos; [apply Rmult_le_pos; lra|lra].
      - apply Rmult_le_compat; lra. }
    assert (fall : 2 * m * (C - m) <= (N + 1) * (1 - m * m)).
    { assert (0 <= 1 - m * m) by nra. assert (m * C <= 1) by (assert (- 1 <= C) by apply COS_bound; nra).
      apply Rle_trans with (2 * (1 - m * m)); [lra|apply Rmult_le_compat_r; lra]. }
    set (d := b - g) in *. assert (d0 : 0 < d) by (unfold d; lra).
    replace b with (g + d) by (unfold d; ring). clearbody d.
    assert (S2 : S' * S' = 1 - C * C) by lra.
    match goal with |- ?l <= ?r => assert (e : l - r = d * (2 * ((1 + m * g) * (C - m) - (N + 1) * g * (1 - m * C))
      + d * (2 * m * (C - m) - (N + 1) * (1 - m * m)))) end.
    { ring_simplify. replace (S' ^ 2) with (1 - C * C) by (rewrite <- S2; ring). ring. }
    assert (0 <= d * (2 * ((N + 1) * g * (1 - m * C) - (1 + m * g) * (C - m))
      + d * ((N + 1) * (1 - m * m) - 2 * m * (C - m)))).
    { apply Rmult_le_pos; [lra|]. assert (0 <= d * ((N + 1) * (1 - m * m) - 2 * m * (C - m)))
        by (apply Rmult_le_pos; lra). lra. }
    lra.
  - intros r e. apply st. now rewrite <- fresh_polynomial_value.
Qed.

Lemma fresh_negative b : b <= 0 -> ~ stable (fresh_loop m n) b.
Proof.
  intros neg st.
  destruct (real_root (fresh_loop m n b) (fun x => x ^ n * (x - 1 - m * b) + b) (2 - 2 * b)) as [x [x1 e]].
  - intro x. continuous.
  - intro x. unfold fresh_loop. rewrite Cpow_real. rewrite <- RtoC_mult, <- !RtoC_minus, <- RtoC_mult, <- RtoC_plus.
    reflexivity.
  - lra.
  - rewrite pow1. nra.
  - assert (1 <= (2 - 2 * b) ^ n) by (apply pow_R1_Rle; lra).
    assert (- b <= 2 - 2 * b - 1 - m * b) by nra. nra.
  - specialize (st _ e). rewrite Cmod_R, Rabs_pos_eq in st; lra.
Qed.

End Unstable.
