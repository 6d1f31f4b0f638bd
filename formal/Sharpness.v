(** * How sharp the theorems are: of each variant that claims more, whether it is false

    A formula that is off by 1e-9 is false, a domain that is wider by an end point or a bound that is
    strict mostly so. [variant_false] proves the negation; where a variant is true, [variant_true]
    proves it. The proofs stand in the chapters Sharpness..., with what they share here. *)

Require Import Reals Lra Lia Psatz.
From Coquelicot Require Import Coquelicot.
From DelayStability Require Import Loop Sgd Bounds HeavyBall HeavyBallUnstable Printed.
From DelayStability Require Theorems.
Open Scope R_scope.

(** ** Tools *)

Definition factor : R := 1000000001 / 1000000000.

Lemma not_twice p a b : threshold p a -> threshold p b -> b <> factor * a.
Proof.
  intros s t e. pose proof (threshold_unique p a b s t). destruct s as [p0 _]. unfold factor in e. lra.
Qed.

(** With momentum 0 there is one more root, 0. *)
Lemma without_momentum n a : threshold (sgd n) a -> threshold (heavy_ball 0 n) a.
Proof.
  intros [a0 t]. split; [exact a0|]. intro g. rewrite <- t.
  assert (same : forall z, heavy_ball 0 n g z = (z * sgd n g z)%C).
  { intro z. unfold heavy_ball, sgd. ring. }
  split; intros h z e.
  - apply h. rewrite same, e. ring.
  - rewrite same in e. destruct (Ceq_dec z (RtoC 0)) as [->|nz]; [rewrite Cmod_0; lra|]. apply h.
    destruct (Ceq_dec (sgd n g z) (RtoC 0)) as [q|q]; [exact q|]. destruct (Cmult_neq_0 _ _ nz q e).
Qed.

Lemma without_shifted_momentum n a : threshold (sgd n) a -> threshold (shifted_momentum 0 n) a.
Proof.
  intro t. destruct (without_momentum n a t) as [a0 s]. split; [exact a0|]. intro g. rewrite <- s.
  assert (same : forall z, shifted_momentum 0 n g z = heavy_ball 0 n g z).
  { intro z. unfold shifted_momentum, heavy_ball. simpl Cpow. ring. }
  split; intros h z e; apply h; rewrite <- e; [|symmetry]; apply same.
Qed.

Lemma reciprocal_square_small e : 0 < e -> exists n, / (1 + 2 * INR n) ^ 2 < e.
Proof.
  intro e0. assert (0 < / e) by (apply Rinv_0_lt_compat, e0). destruct (archimed (/ e)) as [h _].
  set (n := Z.to_nat (up (/ e))). exists n. assert (/ e < INR n).
  { unfold n. rewrite INR_IZR_INZ, Z2Nat.id; [exact h|]. apply le_IZR. lra. }
  apply Rlt_trans with (/ INR n).
  - apply Rinv_lt_contravar; nra.
  - rewrite <- (Rinv_inv e). apply Rinv_lt_contravar; [apply Rmult_lt_0_compat|]; lra.
Qed.

(** SGD's threshold is closer to its two bounds than any factor. *)
Lemma upper_bound_is_sharp k : k < 1 ->
  exists n, k * PI / (1 + 2 * INR n) < 2 * sin (PI / (2 + 4 * INR n)).
Proof.
  intro k1. pose proof PI_RGT_0. assert (p3 : 0 < PI ^ 3) by (apply pow_lt; lra).
  destruct (reciprocal_square_small (24 * (1 - k) * PI / PI ^ 3)) as [n h].
  { apply Rdiv_lt_0_compat; [nra|exact p3]. }
  exists n. pose proof (sgd_threshold_lower n) as low. pose proof (pos_INR n).
  rewrite sgd_printed in low. rewrite (Rplus_comm (2 * INR n)) in low.
  eapply Rlt_le_trans; [|exact low]. set (w := 1 + 2 * INR n) in *. assert (w0 : 0 < w) by (unfold w; lra).
  assert (q : PI ^ 3 * / w ^ 2 < 24 * (1 - k) * PI).
  { apply Rmult_lt_reg_l with (/ PI ^ 3); [now apply Rinv_0_lt_compat|].
    replace (/ PI ^ 3 * (PI ^ 3 * / w ^ 2)) with (/ w ^ 2) by (field; lra).
    replace (/ PI ^ 3 * (24 * (1 - k) * PI)) with (24 * (1 - k) * PI / PI ^ 3) by (field; lra). exact h. }
  apply Rmult_lt_reg_r with w; [exact w0|].
  replace (k * PI / w * w) with (k * PI) by (field; lra).
  replace ((PI / w - PI ^ 3 / (24 * w ^ 3)) * w) with (PI - PI ^ 3 * / w ^ 2 / 24) by (field; lra). lra.
Qed.

Lemma lower_bound_is_sharp k : 1 < k -> exists n, 2 * sin (PI / (2 + 4 * INR n)) <
  k * (PI / (1 + 2 * INR n) - PI ^ 3 / (24 * (1 + 2 * INR n) ^ 3)).
Proof.
  intro k1. pose proof PI_RGT_0. assert (p3 : 0 < k * PI ^ 3)
    by (apply Rmult_lt_0_compat; [|apply pow_lt]; lra).
  destruct (reciprocal_square_small (24 * (k - 1) * PI / (k * PI ^ 3))) as [n h].
  { apply Rdiv_lt_0_compat; [nra|exact p3]. }
  exists n. pose proof (sgd_threshold_upper n) as high. pose proof (pos_INR n).
  rewrite sgd_printed, (Rplus_comm (2 * INR n)) in high.
  eapply Rle_lt_trans; [exact high|]. set (w := 1 + 2 * INR n) in *. assert (w0 : 0 < w) by (unfold w; lra).
  assert (q : k * PI ^ 3 * / w ^ 2 < 24 * (k - 1) * PI).
  { apply Rmult_lt_reg_l with (/ (k * PI ^ 3)); [now apply Rinv_0_lt_compat|].
    replace (/ (k * PI ^ 3) * (k * PI ^ 3 * / w ^ 2)) with (/ w ^ 2) by (field; split; lra).
    replace (/ (k * PI ^ 3) * (24 * (k - 1) * PI)) with (24 * (k - 1) * PI / (k * PI ^ 3))
      by (field; split; lra). exact h. }
  apply Rmult_lt_reg_r with w; [exact w0|].
  replace (PI / w * w) with PI by (field; lra).
  replace (k * (PI / w - PI ^ 3 / (24 * w ^ 3)) * w) with (k * PI - k * PI ^ 3 * / w ^ 2 / 24)
    by (field; lra). lra.
Qed.

(** A polynomial of degree two with small coefficients has its roots inside. *)
Lemma quadratic_stable b c z : Rabs c < 1 -> Rabs b < 1 + c ->
  (z * z + b * z + c)%C = RtoC 0 -> Cmod z < 1.
Proof.
  intros hc hb e. apply Rabs_def2 in hc. apply Rabs_def2 in hb. destruct z as [x y].
  apply pair_equal_spec in e. unfold Cmult, Cplus, RtoC in e; simpl fst in e; simpl snd in e.
  destruct e as [re im]. unfold Cmod; simpl fst; simpl snd. rewrite <- sqrt_1. apply sqrt_lt_1_alt.
  split; [nra|]. destruct (Req_dec y 0) as [->|ny].
  - assert (x < 1) by (apply Rnot_le_lt; intro; nra). assert (-1 < x) by (apply Rnot_le_lt; intro; nra). nra.
  - assert (2 * x + b = 0) by (apply Rmult_eq_reg_r with y; [lra|exact ny]). nra.
Qed.

Lemma outside p g z a : threshold p a -> p g z = RtoC 0 -> 1 <= Cmod z -> 0 < g < a -> False.
Proof. intros [_ t] e m b. apply t in b. specialize (b z e). lra. Qed.

Lemma Cmod_one : 1 <= Cmod (RtoC 1).
Proof. rewrite Cmod_R, Rabs_R1. lra. Qed.

Lemma Cmod_imaginary y : Cmod (0, y) = Rabs y.
Proof.
  unfold Cmod; simpl fst; simpl snd. replace (0 ^ 2 + y ^ 2) with (y * y) by ring. apply sqrt_Rsqr_abs.
Qed.

(** Both name the same angle, so that the thresholds would be equal. *)
Ltac same_angle T S aT aS := rewrite <- (first_root_unique _ _ _ _ _ aS aT) in *; clear T aT.

(** The value would be 0, or what Rocq makes of a division by 0. *)
Ltac no_value p := unfold Rdiv in p; rewrite ?(Rminus_diag_eq 1 1 eq_refl), ?Rmult_0_r, ?Rinv_0, ?Rmult_0_r in p; lra.

(** ** The signs in the definitions

    The end of the interval is unstable, so is the gain 0, and a root on the circle does not count as
    stable: with one of these signs made weak no loop has a threshold. *)

Lemma threshold_excludes_its_end p a b : threshold p a -> 0 < b ->
  ~ (forall gain, stable p gain <-> 0 < gain <= b).
Proof.
  intros [a0 t] b0 u. assert (s : stable p b) by (apply u; lra). apply t in s.
  destruct (Rlt_le_dec b ((a + b) / 2)) as [l|l]; [|lra].
  assert (s2 : stable p ((a + b) / 2)) by (apply t; lra). apply u in s2. lra.
Qed.

Lemma threshold_excludes_zero p b : p 0 (RtoC 1) = RtoC 0 -> 0 < b ->
  ~ (forall gain, stable p gain <-> 0 <= gain < b).
Proof.
  intros e b0 u. assert (s : stable p 0) by (apply u; lra). specialize (s _ e).
  rewrite Cmod_R, Rabs_R1 in s. lra.
Qed.

Lemma roots_on_the_circle_are_not_stable n b :
  ~ (forall gain, (forall z, sgd n gain z = RtoC 0 -> Cmod z <= 1) <-> 0 < gain < b).
Proof.
  intro u. destruct (proj1 (u 0)) as [z0 _]; [|lra]. intros z e.
  assert (f : (z ^ n * (z - 1))%C = RtoC 0) by (rewrite <- e; unfold sgd; ring).
  destruct (Ceq_dec (z - 1)%C (RtoC 0)) as [q|q].
  - replace z with (z - 1 + 1)%C by ring. rewrite q, Cplus_0_l, Cmod_1. lra.
  - destruct (Ceq_dec z (RtoC 0)) as [->|nz]; [rewrite Cmod_0; lra|]. exfalso.
    assert (p : (z ^ n)%C <> RtoC 0).
    { clear - nz. induction n as [|k IH]; simpl; [intro h; injection h; lra|].
      now apply Cmult_neq_0. }
    exact (Cmult_neq_0 _ _ p q f).
Qed.

Lemma first_root_excludes_itself f g u t :
  ~ (0 < t <= u /\ f t = g t /\ forall s, 0 < s <= t -> g s < f s).
Proof. intros [b [e below]]. specialize (below t ltac:(lra)). lra. Qed.

(** Without delay the angle is the end pi of its interval. *)
Lemma first_root_reaches_its_end m T : -1 < m < 1 -> heavy_ball_angle m 0 T -> ~ T < PI.
Proof. intros m1 angle. rewrite (hb_angle_zero m T m1 angle). lra. Qed.
