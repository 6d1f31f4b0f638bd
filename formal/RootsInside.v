(** * Roots inside the circle, and the derivative on it

    If all roots of a polynomial p of degree d lie inside the unit circle, the real part of z p'(z)/p(z)
    is at least d/2 at every z on the circle: it is the sum of the z/(z - root), each more than a half.
    So where this fails, there is a root outside or on the circle: an instability without a search for
    the root. *)

Require Import Reals Lra Lia Psatz List.
From Coquelicot Require Import Coquelicot.
From DelayStability Require Import Loop FundamentalTheorem Recursion.
Import ListNotations.
Open Scope R_scope.

Local Arguments Cmod x%C_scope.

Fixpoint derivative (p : list C) (z : C) : C :=
  match p with [] => RtoC 0 | _ :: p => (value p z + z * derivative p z)%C end.

Lemma derivative_quotient r p z : derivative p z =
  (value (quotient r p) z + (z - r) * derivative (quotient r p) z)%C.
Proof.
  induction p as [|a [|b p] IH]; [simpl; ring|simpl; ring|].
  change (derivative (a :: b :: p) z) with (value (b :: p) z + z * derivative (b :: p) z)%C.
  change (quotient r (a :: b :: p)) with (value (b :: p) r :: quotient r (b :: p)).
  change (value (value (b :: p) r :: quotient r (b :: p)) z) with
    (value (b :: p) r + z * value (quotient r (b :: p)) z)%C.
  change (derivative (value (b :: p) r :: quotient r (b :: p)) z) with
    (value (quotient r (b :: p)) z + z * derivative (quotient r (b :: p)) z)%C.
  rewrite IH, (quotient_value r (b :: p) z). ring.
Qed.

Lemma derivative_added p q z : derivative (added p q) z = (derivative p z + derivative q z)%C.
Proof.
  revert q. induction p as [|a p IH]; intros [|b q]; simpl; try ring. rewrite IH, value_added. ring.
Qed.

Lemma derivative_late n p z :
  (z * derivative (late n p) z = z ^ n * (INR n * value p z + z * derivative p z))%C.
Proof.
  induction n as [|n IH]; [unfold late; simpl; ring|].
  change (derivative (late (S n) p) z) with (value (late n p) z + z * derivative (late n p) z)%C.
  rewrite IH, value_late, S_INR, RtoC_plus. simpl. ring.
Qed.

Lemma power_of_one n : (RtoC 1 ^ n)%C = RtoC 1.
Proof. rewrite Cpow_real, pow1. reflexivity. Qed.

Definition squared_modulus (z : C) : R := fst z * fst z + snd z * snd z.

Lemma squared_modulus_positive z : z <> RtoC 0 -> 0 < squared_modulus z.
Proof.
  destruct z as [x y]. intro nz. unfold squared_modulus. simpl.
  destruct (Req_dec x 0) as [->|nx]; [|nra]. destruct (Req_dec y 0) as [->|ny]; [|nra].
  destruct (nz eq_refl).
Qed.

Lemma real_part_of_quotient v w : fst (v / w)%C = (fst v * fst w + snd v * snd w) / squared_modulus w.
Proof.
  destruct v as [a b], w as [x y]. unfold Cdiv, Cmult, Cinv, squared_modulus. cbn [fst snd].
  replace (x ^ 2 + y ^ 2) with (x * x + y * y) by ring. unfold Rdiv. ring.
Qed.

(** A root inside counts for more than a half. *)
Lemma root_inside_counts z r : squared_modulus z = 1 -> Cmod r < 1 ->
  (z - r)%C <> RtoC 0 /\ 1 / 2 < fst (z / (z - r))%C.
Proof.
  intros z1 r1. assert (r2 : squared_modulus r < 1).
  { unfold Cmod in r1. unfold squared_modulus. apply Rnot_le_lt. intro h.
    assert (1 <= sqrt (fst r ^ 2 + snd r ^ 2)); [|lra].
    rewrite <- sqrt_1 at 1. apply sqrt_le_1_alt. lra. }
  assert (nz : (z - r)%C <> RtoC 0).
  { intro e. assert (f : z = r) by (replace z with (z - r + r)%C by ring; rewrite e; ring).
    rewrite f in z1. lra. }
  split; [exact nz|]. rewrite real_part_of_quotient. pose proof (squared_modulus_positive _ nz) as d0.
  assert (d1 : 1 / 2 * squared_modulus (z - r)%C < fst z * fst (z - r)%C + snd z * snd (z - r)%C).
  { destruct z as [x y], r as [a b]. unfold squared_modulus, Cminus, Cplus, Copp in *. simpl in *. lra. }
  set (d := squared_modulus (z - r)%C) in *. apply Rmult_lt_reg_r with d; [exact d0|].
  unfold Rdiv at 2. rewrite Rmult_assoc, Rinv_l, Rmult_1_r by lra. exact d1.
Qed.

Theorem roots_inside_derivative n p z : length p = S n -> leading p <> RtoC 0 -> squared_modulus z = 1 ->
  (forall r, value p r = RtoC 0 -> Cmod r < 1) -> value p z <> RtoC 0 /\
  INR n / 2 <= fst (z * derivative p z / value p z)%C /\
  ((1 <= n)%nat -> INR n / 2 < fst (z * derivative p z / value p z)%C).
Proof.
  intros len lead z1. revert p len lead. induction n as [|n IH]; intros p len lead inside.
  - destruct p as [|a [|? ?]]; try discriminate. unfold leading in lead. simpl in lead.
    assert (v : value [a] z = a) by (simpl; ring). rewrite v.
    split; [exact lead|]. split; [|lia].
    replace (z * derivative [a] z / a)%C with (RtoC 0) by (simpl; field; exact lead). simpl. lra.
  - destruct (fundamental_theorem p n len lead) as [r root]. pose proof (inside r root) as r1.
    destruct (root_inside_counts z r z1 r1) as [nz half].
    destruct (IH (quotient r p)) as [qz [q _]].
    + now apply quotient_length.
    + now rewrite (quotient_leading r p n len).
    + intros s hs. apply inside. rewrite (quotient_value r p s), root, hs. ring.
    + assert (v : value p z = ((z - r) * value (quotient r p) z)%C)
        by (rewrite (quotient_value r p z), root; ring).
      assert (nv : value p z <> RtoC 0) by (rewrite v; now apply Cmult_neq_0).
      assert (e : (z * derivative p z / value p z)%C =
        (z / (z - r) + z * derivative (quotient r p) z / value (quotient r p) z)%C).
      { rewrite v, (derivative_quotient r p). field. now split. }
      rewrite e. change (fst (?x + ?y)%C) with (fst x + fst y). rewrite S_INR.
      split; [exact nv|]. split; [|intros _]; lra.
Qed.

(** The criterion, in real and imaginary parts: V is the value and D the derivative times z. *)
Theorem root_outside n p z V D : length p = S n -> (1 <= n)%nat -> leading p <> RtoC 0 ->
  squared_modulus z = 1 -> value p z = V -> (z * derivative p z)%C = D ->
  2 * (fst D * fst V + snd D * snd V) <= INR n * squared_modulus V ->
  ~ (forall r, value p r = RtoC 0 -> Cmod r < 1).
Proof.
  intros len n1 lead z1 <- <- low inside.
  destruct (roots_inside_derivative n p z len lead z1 inside) as [nz [_ h]]. specialize (h n1).
  rewrite real_part_of_quotient in h. pose proof (squared_modulus_positive _ nz) as v0.
  set (v := squared_modulus (value p z)) in *.
  apply Rmult_lt_compat_r with (r := v) in h; [|exact v0].
  unfold Rdiv in h at 2. rewrite Rmult_assoc, Rinv_l, Rmult_1_r in h by lra. lra.
Qed.

(** A threshold without a search for the roots beyond it. *)
Lemma threshold_by_instability p a : 0 < a ->
  (forall g z, p g (Cconj z) = Cconj (p g z)) ->
  (forall g r t, 0 < g < a -> 1 <= r -> 0 <= t <= PI -> p g (polar r t) <> RtoC 0) ->
  (forall g, a <= g -> ~ stable p g) -> (forall g, g <= 0 -> ~ stable p g) -> threshold p a.
Proof.
  intros a0 conj inside above negative. split; [exact a0|]. intro g. split.
  - intro st. split; apply Rnot_le_lt; intro h; [apply (negative g h st)|apply (above g h st)].
  - intros b z e. apply Rnot_le_lt. intro z1. destruct (polar_exists z) as [t [bt [q|q]]].
    + apply (inside g (Cmod z) t b z1 bt). now rewrite <- q.
    + apply (inside g (Cmod z) t b z1 bt). rewrite <- q, conj, e. apply Cconj_real.
Qed.
