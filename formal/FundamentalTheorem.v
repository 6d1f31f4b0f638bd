(** * Every polynomial over the complex numbers has a root

    A polynomial is the list of its coefficients, the constant one first. The modulus of its values has
    a minimum, since it is large far away and the plane is compact near by; and where a value is not 0
    a smaller one lies next to it, in the direction of a root of a complex number. *)

Require Import Reals Lra Lia Psatz List Rpower.
From Coquelicot Require Import Coquelicot.
From DelayStability Require Import Loop.
Import ListNotations.
Open Scope R_scope.

Local Arguments Cmod x%C_scope.

Fixpoint value (p : list C) (z : C) : C :=
  match p with [] => RtoC 0 | a :: p => (a + z * value p z)%C end.

Arguments value p z%C_scope.

(** The quotient of p(z) - p(r) by z - r. *)
Fixpoint quotient (r : C) (p : list C) : list C :=
  match p with
  | [] => []
  | _ :: p' => match p' with [] => [] | _ => value p' r :: quotient r p' end
  end.

Definition leading (p : list C) : C := last p (RtoC 0).

Lemma quotient_value r p z : value p z = (value p r + (z - r) * value (quotient r p) z)%C.
Proof.
  induction p as [|a [|b p] IH]; [simpl; ring|simpl; ring|].
  change (value (a :: b :: p) z) with (a + z * value (b :: p) z)%C.
  change (value (a :: b :: p) r) with (a + r * value (b :: p) r)%C.
  change (value (quotient r (a :: b :: p)) z) with
    (value (b :: p) r + z * value (quotient r (b :: p)) z)%C.
  rewrite IH. ring.
Qed.

Lemma quotient_length r p n : length p = S n -> length (quotient r p) = n.
Proof.
  revert n. induction p as [|a [|b p] IH]; intros n h; [discriminate|now injection h as <-|].
  change (S (length (quotient r (b :: p))) = n). destruct n as [|n]; [discriminate|].
  f_equal. apply IH. simpl in *. lia.
Qed.

Lemma quotient_leading r p n : length p = S (S n) -> leading (quotient r p) = leading p.
Proof.
  unfold leading. revert n. induction p as [|a [|b [|c p]] IH]; intros n h; try discriminate.
  - simpl. ring.
  - change (quotient r (a :: b :: c :: p)) with (value (b :: c :: p) r :: quotient r (b :: c :: p)).
    change (last (a :: b :: c :: p) (RtoC 0)) with (last (b :: c :: p) (RtoC 0)).
    destruct n as [|n]; [discriminate|]. rewrite <- (IH n) by (simpl in *; lia). reflexivity.
Qed.

(** ** The modulus: bounded and steady near by, large far away *)

Lemma value_bounded p R : exists B, 0 <= B /\ forall z, Cmod z <= R -> Cmod (value p z) <= B.
Proof.
  induction p as [|a p [B [B0 IH]]].
  - exists 0. split; [lra|]. intros z _. simpl. rewrite Cmod_0. lra.
  - exists (Cmod a + Rabs R * B). pose proof (Cmod_ge_0 a). pose proof (Rabs_pos R).
    split; [assert (0 <= Rabs R * B) by (apply Rmult_le_pos; lra); lra|].
    intros z h. simpl. eapply Rle_trans; [apply Cmod_triangle|]. rewrite Cmod_mult.
    assert (Cmod z * Cmod (value p z) <= Rabs R * B); [|lra].
    apply Rmult_le_compat; [apply Cmod_ge_0|apply Cmod_ge_0| |now apply IH].
    pose proof (Rle_abs R). lra.
Qed.

Lemma value_steady p R : exists L, 0 <= L /\ forall z w, Cmod z <= R -> Cmod w <= R ->
  Cmod (value p z - value p w) <= L * Cmod (z - w).
Proof.
  induction p as [|a p [L [L0 IH]]].
  - exists 0. split; [lra|]. intros z w _ _. simpl.
    replace (RtoC 0 - RtoC 0)%C with (RtoC 0) by ring. rewrite Cmod_0. lra.
  - destruct (value_bounded p R) as [B [B0 bound]]. exists (B + Rabs R * L). pose proof (Rabs_pos R).
    split; [assert (0 <= Rabs R * L) by (apply Rmult_le_pos; lra); lra|]. intros z w hz hw. simpl.
    replace (a + z * value p z - (a + w * value p w))%C with
      ((z - w) * value p z + w * (value p z - value p w))%C by ring.
    eapply Rle_trans; [apply Cmod_triangle|]. rewrite !Cmod_mult. pose proof (Rle_abs R).
    pose proof (Cmod_ge_0 (z - w)%C). pose proof (Cmod_ge_0 w). pose proof (Cmod_ge_0 (value p z - value p w)%C).
    assert (Cmod (z - w) * Cmod (value p z) <= Cmod (z - w) * B)
      by (apply Rmult_le_compat_l; [lra|now apply bound]).
    assert (Cmod w * Cmod (value p z - value p w) <= Rabs R * (L * Cmod (z - w)))
      by (apply Rmult_le_compat; [lra|lra|lra|now apply IH]). lra.
Qed.

Lemma Cmod_minus_ge a b : Cmod b - Cmod a <= Cmod (a + b).
Proof.
  pose proof (Cmod_triangle (a + b)%C (- a)%C) as t. replace (a + b + - a)%C with b in t by ring.
  rewrite Cmod_opp in t. lra.
Qed.

Lemma value_grows p n M : length p = S (S n) -> leading p <> RtoC 0 ->
  exists R, 1 <= R /\ forall z, R <= Cmod z -> M <= Cmod (value p z).
Proof.
  unfold leading. revert p M. induction n as [|n IH]; intros [|a [|b p]] M h lead; try discriminate.
  - destruct p; [|discriminate]. simpl in lead. pose proof (proj1 (Cmod_gt_0 b) lead) as b0.
    pose proof (Rabs_pos M). pose proof (Cmod_ge_0 a). pose proof (Rle_abs M).
    assert (0 <= (Rabs M + Cmod a) / Cmod b)
      by (apply Rmult_le_pos; [lra|left; now apply Rinv_0_lt_compat]).
    exists (1 + (Rabs M + Cmod a) / Cmod b). split; [lra|]. intros z hz. simpl.
    replace (a + z * (b + z * 0))%C with (a + z * b)%C by ring.
    eapply Rle_trans; [|apply Cmod_minus_ge]. rewrite Cmod_mult.
    assert ((Rabs M + Cmod a) / Cmod b * Cmod b <= Cmod z * Cmod b) by (apply Rmult_le_compat_r; lra).
    replace ((Rabs M + Cmod a) / Cmod b * Cmod b) with (Rabs M + Cmod a) in H3 by (field; lra). lra.
  - destruct p as [|c p]; [discriminate|].
    destruct (IH (b :: c :: p) (Rabs M + Cmod a)) as [R [R1 far]].
    { simpl in *. lia. }
    { exact lead. }
    exists R. split; [exact R1|]. intros z hz. specialize (far z hz).
    change (value (a :: b :: c :: p) z) with (a + z * value (b :: c :: p) z)%C.
    eapply Rle_trans; [|apply Cmod_minus_ge]. rewrite Cmod_mult.
    pose proof (Cmod_ge_0 (value (b :: c :: p) z)). pose proof (Rle_abs M).
    assert (1 * Cmod (value (b :: c :: p) z) <= Cmod z * Cmod (value (b :: c :: p) z))
      by (apply Rmult_le_compat_r; lra). lra.
Qed.

(** ** The minimum *)

Lemma Cmod_le_sum x y : Cmod (x, y) <= Rabs x + Rabs y.
Proof.
  unfold Cmod; simpl fst; simpl snd. pose proof (Rabs_pos x). pose proof (Rabs_pos y).
  rewrite <- (sqrt_square (Rabs x + Rabs y)) by lra. apply sqrt_le_1_alt.
  assert (x ^ 2 = Rabs x * Rabs x) by (rewrite <- Rabs_mult, Rabs_pos_eq; nra).
  assert (y ^ 2 = Rabs y * Rabs y) by (rewrite <- Rabs_mult, Rabs_pos_eq; nra). nra.
Qed.

Lemma minimum_exists p n : length p = S (S n) -> leading p <> RtoC 0 ->
  exists z, forall w, Cmod (value p z) <= Cmod (value p w).
Proof.
  intros len lead. set (f := fun z => Cmod (value p z)).
  destruct (completeness (fun x => forall w, x <= f w)) as [m [bound least]].
  { exists (f (RtoC 0)). intros x h. apply h. }
  { exists 0. intro w. apply Cmod_ge_0. }
  assert (low : forall w, m <= f w) by (intro w; apply least; intros x h; apply h).
  destruct (Classical_Prop.classic (exists z, f z <= m)) as [[z hz]|none].
  { exists z. intro w. specialize (low w). unfold f in *. lra. }
  exfalso. assert (above : forall w, m < f w).
  { intro w. apply Rnot_le_lt. intro h. apply none. now exists w. }
  destruct (value_grows p n (m + 1) len lead) as [R [R1 far]].
  destruct (value_steady p (2 * R + 2)) as [L [L0 steady]].
  (* each point has a neighborhood in which the values stay above m by the width of it *)
  assert (width : forall u v, 0 < Rmin 1 ((f (u, v) - m) / (4 * L + 4))).
  { intros u v. specialize (above (u, v)). apply Rmin_glb_lt; [lra|apply Rdiv_lt_0_compat; lra]. }
  destruct (compactness_value_2d (- R) R (- R) R (fun u v => mkposreal _ (width u v))) as [d hd].
  assert (d0 : 0 < d) by apply cond_pos.
  assert (more : forall w, m + Rmin 1 d <= f w).
  { intro w. destruct (Rle_lt_dec R (Cmod w)) as [h|h].
    { specialize (far w h). pose proof (Rmin_l 1 d). unfold f. lra. }
    destruct w as [x y]. pose proof (Rmax_Cmod (x, y)) as k. simpl in k.
    pose proof (Rmax_l (Rabs x) (Rabs y)). pose proof (Rmax_r (Rabs x) (Rabs y)).
    assert (bx : - R <= x <= R) by (apply Rabs_le_between; lra).
    assert (by_ : - R <= y <= R) by (apply Rabs_le_between; lra).
    apply Rnot_lt_le. intro small. apply (hd x y bx by_). intros [u [v [bu [bv [cu [cv dd]]]]]].
    simpl in cu, cv, dd. set (e := (f (u, v) - m) / (4 * L + 4)) in *.
    pose proof (Rmin_l 1 e). pose proof (Rmin_r 1 e). pose proof (Rmin_r 1 d).
    assert (ee : e * (4 * L + 4) = f (u, v) - m) by (unfold e; field; lra).
    assert (near : Cmod (value p (u, v) - value p (x, y)) <= L * (2 * e)).
    { eapply Rle_trans; [apply steady|].
      - eapply Rle_trans; [apply Cmod_le_sum|]. apply Rabs_le_between in bu, bv. lra.
      - lra.
      - apply Rmult_le_compat_l; [exact L0|]. unfold Cminus, Cplus, Copp; simpl fst; simpl snd.
        eapply Rle_trans; [apply Cmod_le_sum|].
        replace (u + - x) with (- (x - u)) by ring. replace (v + - y) with (- (y - v)) by ring.
        rewrite !Rabs_Ropp. lra. }
    pose proof (Cmod_triangle (value p (u, v) - value p (x, y))%C (value p (x, y))) as t.
    replace (value p (u, v) - value p (x, y) + value p (x, y))%C with (value p (u, v)) in t by ring.
    fold (f (u, v)) (f (x, y)) in t. assert (e0 : 0 < e) by (pose proof (width u v) as wd; fold e in wd; lra).
    nra. }
  specialize (bound (m + Rmin 1 d) more). pose proof (Rmin_glb_lt 1 d 0 ltac:(lra) d0). lra.
Qed.

(** ** A smaller value next to one that is not 0 *)

Lemma complex_root w k : (1 <= k)%nat -> exists z, (z ^ k)%C = w.
Proof.
  intro k1. destruct (Ceq_dec w (RtoC 0)) as [->|nz].
  { exists (RtoC 0). destruct k; [lia|]. simpl. ring. }
  pose proof (proj1 (Cmod_gt_0 w) nz) as r0. destruct (polar_exists w) as [t [_ h]].
  assert (K : 0 < INR k) by (apply lt_0_INR; lia).
  set (z := polar (Rpower (Cmod w) (/ INR k)) (t / INR k)).
  assert (e : (z ^ k)%C = polar (Cmod w) t).
  { unfold z. rewrite Cpow_polar. f_equal; [|field; lra].
    rewrite <- Rpower_pow by apply exp_pos. rewrite Rpower_mult, Rinv_l, Rpower_1 by lra. reflexivity. }
  destruct h as [h|h].
  - exists z. now rewrite e.
  - exists (Cconj z). rewrite <- Cconj_pow, e, <- h. apply Cconj_conj.
Qed.

Lemma Cmod_pow z k : Cmod (z ^ k) = (Cmod z ^ k)%R.
Proof. induction k as [|k IH]; simpl; [apply Cmod_1|]. now rewrite Cmod_mult, IH. Qed.

Lemma Cpow_product a b k : ((a * b) ^ k)%C = (a ^ k * b ^ k)%C.
Proof. induction k as [|k IH]; simpl; [ring|]. rewrite IH. ring. Qed.

(** The first coefficient of p around a point that is not 0, behind the constant one. *)
Lemma first_coefficient p n r : length p = S (S n) -> leading p <> RtoC 0 ->
  exists k q, (1 <= k)%nat /\ value q r <> RtoC 0 /\
  forall z, value p z = (value p r + (z - r) ^ k * value q z)%C.
Proof.
  revert p. induction n as [|n IH]; intros p len lead;
    pose proof (quotient_length r p _ len) as l; pose proof (quotient_leading r p _ len) as ll.
  - exists 1%nat, (quotient r p). split; [lia|]. split.
    + destruct (quotient r p) as [|c [|? ?]]; try discriminate. unfold leading in ll. simpl in ll.
      simpl. replace (c + r * 0)%C with c by ring. now rewrite ll.
    + intro z. rewrite (quotient_value r p z). simpl. ring.
  - destruct (Ceq_dec (value (quotient r p) r) (RtoC 0)) as [zero|nz].
    + destruct (IH (quotient r p) l ltac:(now rewrite ll)) as [k [q [k1 [qr e]]]].
      exists (S k), q. split; [lia|]. split; [exact qr|]. intro z.
      rewrite (quotient_value r p z), (e z), zero. simpl. ring.
    + exists 1%nat, (quotient r p). split; [lia|]. split; [exact nz|]. intro z.
      rewrite (quotient_value r p z). simpl. ring.
Qed.

Lemma smaller_value p n r : length p = S (S n) -> leading p <> RtoC 0 -> value p r <> RtoC 0 ->
  exists w, Cmod (value p w) < Cmod (value p r).
Proof.
  intros len lead nz. destruct (first_coefficient p n r len lead) as [k [q [k1 [qr e]]]].
  set (b := value p r) in *. set (c := value q r) in *.
  destruct (complex_root (- b / c)%C k k1) as [o ho].
  destruct (value_steady q (Cmod r + Cmod o)) as [L [L0 steady]].
  pose proof (proj1 (Cmod_gt_0 b) nz) as b0. pose proof (Cmod_ge_0 o) as o0. pose proof (Cmod_ge_0 r).
  set (A := (Cmod o ^ k * (L * Cmod o))%R).
  assert (A0 : 0 <= A) by (apply Rmult_le_pos; [apply pow_le|apply Rmult_le_pos]; lra).
  set (s := Rmin 1 (Cmod b / (2 * (A + 1)))).
  assert (s0 : 0 < s) by (apply Rmin_glb_lt; [lra|apply Rdiv_lt_0_compat; lra]).
  assert (s1 : s <= 1) by apply Rmin_l.
  assert (sA : s * A < Cmod b).
  { assert (s * (2 * (A + 1)) <= Cmod b / (2 * (A + 1)) * (2 * (A + 1)))
      by (apply Rmult_le_compat_r; [lra|apply Rmin_r]).
    replace (Cmod b / (2 * (A + 1)) * (2 * (A + 1))) with (Cmod b) in H0 by (field; lra). nra. }
  set (h := (RtoC s * o)%C). exists (r + h)%C.
  assert (mh : Cmod h = s * Cmod o) by (unfold h; rewrite Cmod_mult, Cmod_R, Rabs_pos_eq; lra).
  assert (sk : (h ^ k)%C = (RtoC (s ^ k) * (- b / c))%C).
  { unfold h. now rewrite Cpow_product, Cpow_real, ho. }
  assert (p0 : 0 < s ^ k) by (apply pow_lt; lra).
  assert (p1 : s ^ k <= s).
  { destruct k as [|k]; [lia|]. simpl. assert (s ^ k <= 1) by (rewrite <- (pow1 k); apply pow_incr; lra).
    assert (0 < s ^ k) by (apply pow_lt; lra). nra. }
  assert (p11 : s ^ k <= 1) by lra.
  rewrite (e (r + h)%C). replace (r + h - r)%C with h by ring.
  replace (b + h ^ k * value q (r + h))%C with
    (RtoC (1 - s ^ k) * b + h ^ k * (value q (r + h) - c))%C.
  2:{ rewrite sk, RtoC_minus. field. exact qr. }
  eapply Rle_lt_trans; [apply Cmod_triangle|]. rewrite !Cmod_mult, Cmod_R, Rabs_pos_eq by lra.
  assert (d : Cmod (value q (r + h) - c) <= L * (s * Cmod o)).
  { unfold c. eapply Rle_trans; [apply steady|].
    - eapply Rle_trans; [apply Cmod_triangle|]. rewrite mh. nra.
    - lra.
    - replace (r + h - r)%C with h by ring. rewrite mh. lra. }
  rewrite Cmod_pow, mh, Rpow_mult_distr.
  assert (s ^ k * Cmod o ^ k * Cmod (value q (r + h) - c) <= s ^ k * Cmod o ^ k * (L * (s * Cmod o))).
  { apply Rmult_le_compat_l; [|exact d]. apply Rmult_le_pos; [lra|apply pow_le; lra]. }
  replace (s ^ k * Cmod o ^ k * (L * (s * Cmod o))) with (s ^ k * (s * A)) in H0 by (unfold A; ring).
  assert (s ^ k * (s * A) < s ^ k * Cmod b) by (apply Rmult_lt_compat_l; lra). lra.
Qed.

Theorem fundamental_theorem p n : length p = S (S n) -> leading p <> RtoC 0 ->
  exists z, value p z = RtoC 0.
Proof.
  intros len lead. destruct (minimum_exists p n len lead) as [z least]. exists z.
  destruct (Ceq_dec (value p z) (RtoC 0)) as [e|nz]; [exact e|]. exfalso.
  destruct (smaller_value p n z len lead nz) as [w h]. specialize (least w). lra.
Qed.
