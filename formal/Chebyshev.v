(** * Chebyshev polynomials of the second kind: the sine of a multiple over the sine *)

Require Import Reals Lra Lia Psatz ZArith.
From DelayStability Require Import Branch.
Open Scope R_scope.

(** Those of degree k - 1 and k; that of degree -1 is 0. *)
Fixpoint chebyshev (k : nat) (x : R) : R * R :=
  match k with
  | O => (0, 1)
  | S j => (snd (chebyshev j x), 2 * x * snd (chebyshev j x) - fst (chebyshev j x))
  end.

Definition chebyshev_U (degree : Z) (x : R) : R := fst (chebyshev (Z.to_nat (degree + 1)) x).

Lemma chebyshev_means k t : sin t * fst (chebyshev k (cos t)) = sin (INR k * t) /\
  sin t * snd (chebyshev k (cos t)) = sin ((INR k + 1) * t).
Proof.
  induction k as [|k [a b]].
  - simpl. rewrite Rmult_0_l, sin_0. replace ((0 + 1) * t) with t by ring. split; ring.
  - rewrite S_INR. cbn [chebyshev fst snd]. split; [exact b|].
    transitivity (2 * cos t * (sin t * snd (chebyshev k (cos t))) - sin t * fst (chebyshev k (cos t))); [ring|].
    rewrite a, b. replace ((INR k + 1 + 1) * t) with ((INR k + 1) * t + t) by ring.
    replace (INR k * t) with ((INR k + 1) * t - t) by ring. rewrite sin_plus, sin_minus. ring.
Qed.

Lemma chebyshev_U_means d t : (-1 <= d)%Z -> sin t * chebyshev_U d (cos t) = sin ((IZR d + 1) * t).
Proof.
  intro h. unfold chebyshev_U. destruct (chebyshev_means (Z.to_nat (d + 1)) t) as [e _]. rewrite e.
  rewrite INR_IZR_INZ, Z2Nat.id, plus_IZR by lia. reflexivity.
Qed.

Lemma chebyshev_start k : fst (chebyshev k (cos 0)) = INR k /\ snd (chebyshev k (cos 0)) = INR k + 1.
Proof.
  induction k as [|k [a b]]; [simpl; split; ring|]. rewrite S_INR. cbn [chebyshev fst snd].
  rewrite a, b, cos_0. split; ring.
Qed.

Lemma chebyshev_continuous k t : continuity_pt (fun t => fst (chebyshev k (cos t))) t /\
  continuity_pt (fun t => snd (chebyshev k (cos t))) t.
Proof. induction k as [|k [a b]]; cbn [chebyshev fst snd]; split; continuous. Qed.
