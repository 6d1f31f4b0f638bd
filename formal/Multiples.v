(** * Sines of multiples of an angle: how their quotients grow and fall *)

Require Import Reals Lra Lia Psatz.
From DelayStability Require Import Loop Trigonometry.
Open Scope R_scope.

Lemma sine_of_multiple n x : 0 <= x -> INR n * x <= PI -> x <= PI -> sin (INR n * x) <= INR n * sin x.
Proof.
  intros x0. induction n as [|n IH]; intros h xp.
  - simpl INR. rewrite !Rmult_0_l, sin_0. lra.
  - rewrite S_INR in *. pose proof (pos_INR n). specialize (IH ltac:(nra) xp). rewrite sin_next.
    assert (0 <= sin x) by (apply sin_ge_0; lra). assert (0 <= sin (INR n * x)) by (apply sin_ge_0; nra).
    pose proof (COS_bound x). pose proof (COS_bound (INR n * x)). nra.
Qed.

Lemma sine_above_multiple n x : 0 <= x -> INR n * x <= PI / 2 ->
  INR n * (sin x * cos (INR n * x)) <= sin (INR n * x).
Proof.
  intros x0. induction n as [|n IH]; intro h.
  - simpl INR. rewrite !Rmult_0_l, sin_0. lra.
  - rewrite S_INR in *. pose proof (pos_INR n). pose proof PI_RGT_0. specialize (IH ltac:(nra)).
    rewrite sin_next, cos_next.
    assert (0 <= sin x) by (apply sin_ge_0; nra). assert (0 <= cos x) by (apply cos_ge_0; nra).
    assert (0 <= sin (INR n * x)) by (apply sin_ge_0; nra).
    assert (0 <= cos (INR n * x)) by (apply cos_ge_0; nra). pose proof (COS_bound x).
    set (S := sin (INR n * x)) in *. set (C := cos (INR n * x)) in *.
    set (s := sin x) in *. set (c := cos x) in *.
    assert (0 <= S * s) by (apply Rmult_le_pos; lra). assert (0 <= s * C) by (apply Rmult_le_pos; lra).
    assert (INR n * (s * C) * c <= S * c) by (apply Rmult_le_compat_r; lra).
    assert (0 <= (INR n + 1) * (s * (S * s))) by (apply Rmult_le_pos; [lra|apply Rmult_le_pos; lra]).
    assert (s * C * c <= s * C) by nra. lra.
Qed.

(** The quotient sin (n t) / sin t falls. *)
Lemma sine_chord n s t : 0 < s -> s <= t -> INR n * t <= PI -> t <= PI ->
  sin (INR n * t) * sin s <= sin (INR n * s) * sin t.
Proof.
  intros s0 st. induction n as [|n IH]; intros h tp.
  - simpl INR. rewrite !Rmult_0_l, sin_0. lra.
  - rewrite S_INR in *. pose proof (pos_INR n). specialize (IH ltac:(nra) tp). rewrite !sin_next.
    assert (0 <= sin s) by (apply sin_ge_0; lra). assert (0 <= sin t) by (apply sin_ge_0; lra).
    assert (0 <= sin (INR n * t)) by (apply sin_ge_0; nra).
    assert (cos t <= cos s) by (apply cos_decr_1; lra).
    assert (cos (INR n * t) <= cos (INR n * s)) by (apply cos_decr_1; nra).
    assert (a : sin (INR n * t) * sin s * cos t <= sin (INR n * s) * sin t * cos s).
    { apply Rle_trans with (sin (INR n * t) * sin s * cos s).
      - apply Rmult_le_compat_l; [apply Rmult_le_pos; lra|lra].
      - destruct (Rle_lt_dec 0 (cos s)) as [c|c]; [apply Rmult_le_compat_r; lra|].
        assert (s < t \/ s = t) as [l|l] by lra; [|subst t; lra].
        assert (PI / 2 < s) by (apply Rnot_le_lt; intro q; assert (0 <= cos s) by (apply cos_ge_0; lra); lra).
        destruct n as [|[|k]].
        + simpl INR. rewrite !Rmult_0_l, sin_0. lra.
        + simpl INR. rewrite !Rmult_1_l. lra.
        + rewrite !S_INR in h. pose proof (pos_INR k). nra. }
    assert (b : cos (INR n * t) * (sin t * sin s) <= cos (INR n * s) * (sin t * sin s))
      by (apply Rmult_le_compat_r; [apply Rmult_le_pos|]; lra).
    lra.
Qed.

(** ** The ratio sin ((n + 1) t) / sin (n t) falls *)

Lemma sine_ratio n t s : 0 < s -> s <= t -> INR n * t <= PI -> t <= PI ->
  0 <= sin (INR n * t) * sin ((INR n + 1) * s) - sin ((INR n + 1) * t) * sin (INR n * s).
Proof.
  intros s0 st. induction n as [|n IH]; intros nt tp.
  - simpl INR. rewrite !Rmult_0_l, sin_0. lra.
  - rewrite S_INR in *. set (N := INR n) in *. assert (N0 : 0 <= N) by apply pos_INR.
    assert (step : forall x, sin ((N + 1 + 1) * x) = 2 * cos x * sin ((N + 1) * x) - sin (N * x)).
    { intro x. replace ((N + 1 + 1) * x) with ((N + 1) * x + x) by ring.
      replace (N * x) with ((N + 1) * x - x) by ring. rewrite sin_plus, sin_minus. ring. }
    rewrite !step. specialize (IH ltac:(nra) tp).
    assert (0 <= sin ((N + 1) * t)) by (apply sin_ge_0; nra).
    assert (0 <= sin ((N + 1) * s)) by (apply sin_ge_0; nra).
    assert (cos t <= cos s) by (apply cos_decr_1; lra).
    assert (0 <= sin ((N + 1) * t) * sin ((N + 1) * s)) by (apply Rmult_le_pos; lra).
    assert (0 <= sin ((N + 1) * t) * sin ((N + 1) * s) * (cos s - cos t)) by (apply Rmult_le_pos; lra).
    lra.
Qed.

(** With it, tan ((n + 1/2) t) / tan (t/2) rises: in sines and cosines, without quotients. *)
Lemma tangent_ratio n t s : 0 < s -> s <= t -> INR n * t <= PI -> t <= PI ->
  sin (s * (1 / 2 + INR n)) * cos (s / 2) * (cos (t * (1 / 2 + INR n)) * sin (t / 2)) <=
  sin (t * (1 / 2 + INR n)) * cos (t / 2) * (cos (s * (1 / 2 + INR n)) * sin (s / 2)).
Proof.
  intros s0 st nt tp. pose proof (sine_ratio n t s s0 st nt tp) as h. set (N := INR n) in *.
  assert (sc : forall x, 2 * (sin (x * (1 / 2 + N)) * cos (x / 2)) = sin ((N + 1) * x) + sin (N * x)).
  { intro x. replace ((N + 1) * x) with (x * (1 / 2 + N) + x / 2) by field.
    replace (N * x) with (x * (1 / 2 + N) - x / 2) by field. rewrite sin_plus, sin_minus. ring. }
  assert (cs : forall x, 2 * (cos (x * (1 / 2 + N)) * sin (x / 2)) = sin ((N + 1) * x) - sin (N * x)).
  { intro x. replace ((N + 1) * x) with (x * (1 / 2 + N) + x / 2) by field.
    replace (N * x) with (x * (1 / 2 + N) - x / 2) by field. rewrite sin_plus, sin_minus. ring. }
  pose proof (sc s) as e1. pose proof (cs t) as e2. pose proof (sc t) as e3. pose proof (cs s) as e4.
  assert (4 * (sin (s * (1 / 2 + N)) * cos (s / 2) * (cos (t * (1 / 2 + N)) * sin (t / 2))) <=
    4 * (sin (t * (1 / 2 + N)) * cos (t / 2) * (cos (s * (1 / 2 + N)) * sin (s / 2)))); [|lra].
  replace (4 * (sin (s * (1 / 2 + N)) * cos (s / 2) * (cos (t * (1 / 2 + N)) * sin (t / 2)))) with
    (2 * (sin (s * (1 / 2 + N)) * cos (s / 2)) * (2 * (cos (t * (1 / 2 + N)) * sin (t / 2)))) by ring.
  replace (4 * (sin (t * (1 / 2 + N)) * cos (t / 2) * (cos (s * (1 / 2 + N)) * sin (s / 2)))) with
    (2 * (sin (t * (1 / 2 + N)) * cos (t / 2)) * (2 * (cos (s * (1 / 2 + N)) * sin (s / 2)))) by ring.
  rewrite e1, e2, e3, e4. lra.
Qed.

(** ** cot ((n + 1) t) cot (t/2) falls, up to pi/(n + 1) *)

Lemma cotangents_fall n s t : (1 <= n)%nat -> 0 < s -> s <= t -> (INR n + 1) * t <= PI ->
  cos ((INR n + 1) * t) * cos (t / 2) * (sin ((INR n + 1) * s) * sin (s / 2)) <=
  cos ((INR n + 1) * s) * cos (s / 2) * (sin ((INR n + 1) * t) * sin (t / 2)).
Proof.
  intros n1 s0 st tp. apply le_INR in n1. simpl in n1. set (N := INR n) in *. pose proof PI_RGT_0.
  destruct (Rle_lt_or_eq_dec s t st) as [l|<-]; [|lra].
  set (d := (t - s) / 2). set (o := (t + s) / 2). set (M := (2 * S n)%nat).
  assert (eM : INR M = 2 * (N + 1)) by (unfold M; rewrite mult_INR, (S_INR n); fold N; simpl; ring).
  assert (sum : 0 <= sin (INR M * d) * sin o + sin (INR M * o) * sin d).
  { assert (d0 : 0 < d) by (unfold d; lra). assert (od : d < o) by (unfold d, o; lra).
    assert (Md : INR M * d = (N + 1) * t - (N + 1) * s) by (rewrite eM; unfold d; field).
    assert (Mo : INR M * o = (N + 1) * t + (N + 1) * s) by (rewrite eM; unfold o; field).
    assert (ns : 0 < (N + 1) * s) by (apply Rmult_lt_0_compat; lra).
    assert (o2 : o <= PI / 2) by (unfold o; nra).
    assert (sd : 0 < sin d) by (apply sin_gt_0; lra). assert (so : 0 < sin o) by (apply sin_gt_0; lra).
    assert (SM : 0 <= sin (INR M * d)) by (apply sin_ge_0; nra).
    destruct (Rle_lt_dec (INR M * o) PI) as [h|h].
    { assert (0 <= sin (INR M * o)) by (apply sin_ge_0; nra).
      assert (0 <= sin (INR M * o) * sin d) by (apply Rmult_le_pos; lra).
      assert (0 <= sin (INR M * d) * sin o) by (apply Rmult_le_pos; lra). lra. }
    set (p := 2 * PI / INR M - o). assert (M0 : 0 < INR M) by lra.
    assert (Mp : INR M * p = 2 * PI - INR M * o) by (unfold p; field; lra).
    assert (dp : d <= p) by (apply Rmult_le_reg_l with (INR M); lra).
    assert (po : p < o) by (apply Rmult_lt_reg_l with (INR M); lra).
    pose proof (sine_chord M d p d0 dp ltac:(lra) ltac:(lra)) as chord.
    assert (turn : sin (INR M * p) = - sin (INR M * o)).
    { rewrite Mp, <- sin_neg, <- (sin_period (- (INR M * o)) 1). f_equal. simpl (INR 1). lra. }
    rewrite turn in chord.
    assert (sin p <= sin o) by (apply sin_mono; lra).
    assert (sin (INR M * d) * sin p <= sin (INR M * d) * sin o) by (apply Rmult_le_compat_l; lra). lra. }
  assert (e : 2 * (cos ((N + 1) * s) * cos (s / 2) * (sin ((N + 1) * t) * sin (t / 2))
    - cos ((N + 1) * t) * cos (t / 2) * (sin ((N + 1) * s) * sin (s / 2))) =
    sin (INR M * d) * sin o + sin (INR M * o) * sin d).
  { replace (INR M * d) with ((N + 1) * t - (N + 1) * s) by (rewrite eM; unfold d; field).
    replace (INR M * o) with ((N + 1) * t + (N + 1) * s) by (rewrite eM; unfold o; field).
    replace o with (t / 2 + s / 2) by (unfold o; field). replace d with (t / 2 - s / 2) by (unfold d; field).
    rewrite !sin_plus, !sin_minus. ring. }
  lra.
Qed.
