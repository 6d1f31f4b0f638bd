(** * Intermediate values: first roots exist, and a branch of roots reaches every greater gain *)

Require Import Reals Lra Psatz Ranalysis5.
From DelayStability Require Import Loop.
Open Scope R_scope.

(** ** Sign and continuity *)

Section Continuity.
Variables (f g : R -> R) (x : R).
Hypothesis cf : continuity_pt f x.
Hypothesis cg : continuity_pt g x.

Lemma continuous_plus : continuity_pt (fun t => f t + g t) x.
Proof. exact (continuity_pt_plus f g x cf cg). Qed.

Lemma continuous_minus : continuity_pt (fun t => f t - g t) x.
Proof. exact (continuity_pt_minus f g x cf cg). Qed.

Lemma continuous_mult : continuity_pt (fun t => f t * g t) x.
Proof. exact (continuity_pt_mult f g x cf cg). Qed.

Lemma continuous_inv : f x <> 0 -> continuity_pt (fun t => / f t) x.
Proof. exact (continuity_pt_inv f x cf). Qed.

Lemma continuous_opp : continuity_pt (fun t => - f t) x.
Proof. exact (continuity_pt_opp f x cf). Qed.

Lemma continuous_sin : continuity_pt (fun t => sin (f t)) x.
Proof. exact (continuity_pt_comp f sin x cf (continuity_sin _)). Qed.

Lemma continuous_cos : continuity_pt (fun t => cos (f t)) x.
Proof. exact (continuity_pt_comp f cos x cf (continuity_cos _)). Qed.

Lemma continuous_pow n : continuity_pt (fun t => f t ^ n) x.
Proof.
  exact (continuity_pt_comp f (fun y => y ^ n) x cf
    (derivable_continuous_pt _ _ (derivable_pt_pow n _))).
Qed.
End Continuity.

Lemma continuous_const k x : continuity_pt (fun _ => k) x.
Proof. apply continuity_pt_const. now intros ? ?. Qed.

Lemma continuous_id x : continuity_pt (fun t => t) x.
Proof. exact (derivable_continuous_pt _ _ (derivable_pt_id x)). Qed.

(** Continuity by the form of a function; denominators are left to show. *)
Ltac continuous := repeat first
  [ assumption | apply continuous_const | apply continuous_id | apply continuous_plus
  | apply continuous_minus | apply continuous_mult | apply continuous_opp | apply continuous_inv
  | apply continuous_sin | apply continuous_cos | apply continuous_pow ].

Lemma positive_nearby f x : continuity_pt f x -> 0 < f x ->
  exists d, 0 < d /\ forall s, Rabs (s - x) < d -> 0 < f s.
Proof.
  intros c p. destruct (c (f x) p) as [d [d0 h]]. exists d. split; [exact d0|].
  intros s close. destruct (Req_dec s x) as [->|ne]; [exact p|].
  specialize (h s). simpl in h. unfold R_dist in h.
  assert (q : Rabs (f s - f x) < f x).
  { apply h. split; [|exact close]. split; [exact I|]. intro e; apply ne; now rewrite e. }
  apply Rabs_def2 in q. lra.
Qed.

Lemma negative_nearby f x : continuity_pt f x -> f x < 0 ->
  exists d, 0 < d /\ forall s, Rabs (s - x) < d -> f s < 0.
Proof.
  intros c p. destruct (positive_nearby (fun s => - f s) x) as [d [d0 h]].
  - apply continuity_pt_opp, c.
  - lra.
  - exists d. split; [exact d0|]. intros s q. specialize (h s q). simpl in h. lra.
Qed.

Lemma first_root_exists f g u upper : (forall s, continuity_pt f s) ->
  (forall s, continuity_pt g s) -> g 0 < f 0 -> 0 < u <= upper -> f u <= g u ->
  exists t, t <= u /\ first_root f g upper t.
Proof.
  intros cf cg start [u0 up] stop.
  set (h := fun s => f s - g s).
  assert (ch : forall s, continuity_pt h s) by (intro s; apply continuity_pt_minus; auto).
  set (E := fun x => 0 <= x <= u /\ forall s, 0 <= s <= x -> 0 < h s).
  assert (E0 : E 0).
  { split; [lra|]. intros s b. replace s with 0 by lra. unfold h. lra. }
  destruct (completeness E) as [t [bound least]].
  { exists u. intros x [b _]. lra. }
  { exists 0. exact E0. }
  pose proof (bound 0 E0) as t0.
  assert (tu : t <= u) by (apply least; intros x [b _]; lra).
  assert (below : forall s, 0 <= s < t -> 0 < h s).
  { intros s b. destruct (Rlt_le_dec 0 (h s)) as [p|n]; [exact p|]. exfalso.
    assert (t <= s); [|lra]. apply least. intros x [bx px].
    destruct (Rle_lt_dec x s) as [q|q]; [exact q|]. specialize (px s ltac:(lra)). lra. }
  assert (zero : h t = 0).
  { destruct (Rtotal_order (h t) 0) as [n|[e|p]]; [|exact e|].
    - destruct (negative_nearby h t (ch t) n) as [d [d0 close]].
      destruct (Rle_lt_or_eq_dec 0 t t0) as [tp|tz].
      + pose proof (Rmin_l d t). pose proof (Rmin_r d t).
        pose proof (Rmin_glb_lt d t 0 d0 tp).
        specialize (close (t - Rmin d t / 2)). specialize (below (t - Rmin d t / 2)).
        rewrite Rabs_left in close; lra.
      + rewrite <- tz in n. unfold h in n. lra.
    - exfalso. destruct (positive_nearby h t (ch t) p) as [d [d0 close]].
      assert (tn : t < u).
      { destruct (Rle_lt_or_eq_dec t u tu) as [q|q]; [exact q|]. rewrite q in p. unfold h in p. lra. }
      pose proof (Rmin_l (d / 2) (u - t)). pose proof (Rmin_r (d / 2) (u - t)).
      pose proof (Rmin_glb_lt (d / 2) (u - t) 0 ltac:(lra) ltac:(lra)).
      assert (E (t + Rmin (d / 2) (u - t))) as big.
      { split; [lra|]. intros s b. destruct (Rlt_le_dec s t) as [q|q]; [apply below; lra|].
        apply close. rewrite Rabs_pos_eq; lra. }
      apply bound in big. lra. }
  exists t. split; [exact tu|]. unfold first_root.
  assert (t <> 0) by (intro e; rewrite e in zero; unfold h in zero; lra).
  unfold h in *. repeat split; try lra. intros s b. specialize (below s ltac:(lra)). lra.
Qed.

(** ** A branch of roots

    F is the imaginary part at an angle t and a modulus r, up to a positive factor; G is the gain.
    Beyond the angle T, F changes its sign once as r grows from 1, at one modulus; as t tends to U
    this modulus grows beyond all bounds. It depends continuously on t, and with it the gain. *)

Section Branch.
Variables (T U : R) (F G : R -> R -> R).
Hypothesis TU : T < U.
Hypothesis F_angle : forall r t, continuity_pt (fun t => F t r) t.
Hypothesis F_modulus : forall t, continuity (F t).
Hypothesis G_along : forall (modulus : R -> R) t, T <= t < U -> 1 <= modulus t ->
  continuity_pt modulus t ->
  continuity_pt (fun t => G t (modulus t)) t.
Hypothesis start : forall t, T <= t < U -> F t 1 <= 0.
Hypothesis once : forall t r s, T <= t < U -> 1 <= r < s -> 0 <= F t r -> 0 < F t s.
Hypothesis positive : forall t, T <= t < U -> exists r, 1 <= r /\ 0 < F t r.
Hypothesis at_start : F T 1 = 0.
Hypothesis at_end : forall r, 1 <= r -> F U r < 0.
Hypothesis unbounded : forall A, exists R0, 1 <= R0 /\
  forall t r, T <= t < U -> R0 <= r -> F t r = 0 -> A <= G t r.

Lemma modulus_exists t : T <= t < U -> { r | 1 <= r /\ F t r = 0 }.
Proof.
  intro b. destruct (Rle_lt_dec 0 (F t 1)) as [z|n].
  { exists 1. split; [lra|]. pose proof (start t b). lra. }
  assert (E : exists r, 1 <= r /\ 0 < F t r) by (apply positive, b).
  assert (pick : { X | 1 <= X /\ 0 < F t X }).
  { (* the supremum of the moduli where F is negative, plus one *)
    destruct (completeness (fun x => 1 <= x /\ F t x < 0)) as [X [bound _]].
    - destruct E as [r [r1 p]]. exists r. intros x [x1 q].
      destruct (Rle_lt_dec x r) as [h|h]; [exact h|].
      pose proof (once t r x b ltac:(lra) ltac:(lra)). lra.
    - exists 1. lra.
    - exists (X + 2). assert (1 <= X) by (apply bound; lra). split; [lra|].
      destruct (Rle_lt_dec 0 (F t (X + 1))) as [h|h].
      + apply (once t (X + 1)); lra.
      + assert (X + 1 <= X) by (apply bound; lra). lra. }
  destruct pick as [X [X1 p]].
  destruct (IVT (F t) 1 X (F_modulus t)) as [r [rb e]]; [|exact n|exact p|].
  - destruct (Rle_lt_or_eq_dec 1 X X1) as [h|h]; [exact h|]. rewrite <- h in p. lra.
  - exists r. split; [lra|exact e].
Qed.

Definition modulus (t : R) : R :=
  match Rle_lt_dec T t with
  | left h => match Rlt_le_dec t U with
    | left k => proj1_sig (modulus_exists t (conj h k))
    | right _ => 1 end
  | right _ => 1 end.

Lemma modulus_spec t : T <= t < U -> 1 <= modulus t /\ F t (modulus t) = 0.
Proof.
  intro b. unfold modulus. destruct (Rle_lt_dec T t); [|lra]. destruct (Rlt_le_dec t U); [|lra].
  apply proj2_sig.
Qed.

Lemma modulus_above t r : T <= t < U -> 1 <= r -> F t r < 0 -> r < modulus t.
Proof.
  intros b r1 n. destruct (modulus_spec t b) as [m1 z].
  destruct (Rtotal_order (modulus t) r) as [h|[h|h]]; [|rewrite <- h in n; lra|exact h].
  pose proof (once t (modulus t) r b ltac:(lra) ltac:(lra)). lra.
Qed.

Lemma modulus_below t r : T <= t < U -> 1 <= r -> 0 < F t r -> modulus t < r.
Proof.
  intros b r1 n. destruct (modulus_spec t b) as [m1 z].
  destruct (Rtotal_order (modulus t) r) as [h|[h|h]]; [exact h|rewrite h in z; lra|].
  pose proof (once t r (modulus t) b ltac:(lra) ltac:(lra)). lra.
Qed.

Lemma modulus_start : modulus T = 1.
Proof.
  destruct (modulus_spec T ltac:(lra)) as [m1 z].
  destruct (Rle_lt_or_eq_dec _ _ m1) as [h|h]; [|now rewrite h].
  pose proof (once T 1 (modulus T) ltac:(lra) ltac:(lra) ltac:(lra)). lra.
Qed.

(** On [T, V] with V < U, extended by constants, the modulus is continuous. *)
Section Continuous.
Variable V : R.
Hypothesis TV : T < V.
Hypothesis VU : V < U.

Definition clamp (t : R) : R := Rmax T (Rmin V t).

Lemma clamp_in t : T <= clamp t <= V.
Proof.
  unfold clamp. split; [apply Rmax_l|]. apply Rmax_lub; [lra|apply Rmin_l].
Qed.

Lemma clamp_id t : T <= t <= V -> clamp t = t.
Proof. intro b. unfold clamp. rewrite Rmin_right, Rmax_right; lra. Qed.

Lemma clamp_close s t : Rabs (clamp s - clamp t) <= Rabs (s - t).
Proof.
  unfold clamp, Rmax, Rmin; repeat destruct (Rle_dec _ _); unfold Rabs;
  repeat destruct (Rcase_abs _); lra.
Qed.

Lemma modulus_continuous t : T <= t <= V -> continuity_pt (fun s => modulus (clamp s)) t.
Proof.
  intros b e e0. set (m := modulus t).
  assert (bt : T <= t < U) by lra.
  destruct (modulus_spec t bt) as [m1 z]. fold m in m1, z.
  assert (high : 0 < F t (m + e)) by (apply (once t m (m + e)); lra).
  destruct (positive_nearby _ t (F_angle (m + e) t) high) as [d1 [p1 c1]].
  assert (low : exists d, 0 < d /\ forall s, T <= s < U -> Rabs (s - t) < d -> m - e < modulus s).
  { destruct (Rlt_le_dec (m - e) 1) as [q|q].
    - exists 1. split; [lra|]. intros s bs _. destruct (modulus_spec s bs). lra.
    - assert (n : F t (m - e) < 0).
      { destruct (Rlt_le_dec (F t (m - e)) 0) as [h|h]; [exact h|].
        pose proof (once t (m - e) m bt ltac:(lra) h). lra. }
      destruct (negative_nearby _ t (F_angle (m - e) t) n) as [d [p c]].
      exists d. split; [exact p|]. intros s bs cs. apply modulus_above; [exact bs|lra|auto]. }
  destruct low as [d2 [p2 c2]].
  exists (Rmin d1 d2). split; [apply Rmin_glb_lt; lra|].
  intros s [_ close]. simpl in *. unfold R_dist in *.
  pose proof (clamp_in s) as bs. rewrite (clamp_id t b).
  assert (cl : Rabs (clamp s - t) < Rmin d1 d2).
  { rewrite <- (clamp_id t b) at 1. eapply Rle_lt_trans; [apply clamp_close|exact close]. }
  pose proof (Rmin_l d1 d2). pose proof (Rmin_r d1 d2). fold m.
  assert (modulus (clamp s) < m + e) by (apply modulus_below; [lra|lra|apply c1; lra]).
  assert (m - e < modulus (clamp s)) by (apply c2; lra).
  apply Rabs_def1; lra.
Qed.
End Continuous.

Theorem branch a : G T 1 <= a -> exists t r, T <= t < U /\ 1 <= r /\ F t r = 0 /\ G t r = a.
Proof.
  intro low. destruct (Rle_lt_or_eq_dec _ _ low) as [l|l].
  2:{ exists T, 1. destruct (modulus_spec T ltac:(lra)) as [_ z]. rewrite modulus_start in z.
      repeat split; lra. }
  destruct (unbounded (a + 1)) as [R0 [R1 big]].
  destruct (negative_nearby _ U (F_angle R0 U) (at_end R0 R1)) as [d [d0 close]].
  set (V := U - Rmin (d / 2) ((U - T) / 2)).
  pose proof (Rmin_l (d / 2) ((U - T) / 2)). pose proof (Rmin_r (d / 2) ((U - T) / 2)).
  pose proof (Rmin_glb_lt (d / 2) ((U - T) / 2) 0 ltac:(lra) ltac:(lra)).
  assert (TV : T < V) by (unfold V; lra). assert (VU : V < U) by (unfold V; lra).
  assert (n : F V R0 < 0) by (apply close; unfold V; rewrite Rabs_left; lra).
  pose proof (modulus_above V R0 ltac:(lra) R1 n) as above.
  destruct (modulus_spec V ltac:(lra)) as [_ zV].
  set (f := fun s => G s (modulus (clamp V s)) - a).
  destruct (IVT_interv f T V) as [t [bt e]].
  - intros s bs. apply continuity_pt_minus; [|apply continuity_pt_const; now intros ? ?].
    apply (G_along (fun s => modulus (clamp V s))); [lra| |].
    { rewrite clamp_id by lra. apply modulus_spec. lra. }
    apply (modulus_continuous V TV VU s bs).
  - exact TV.
  - unfold f. rewrite clamp_id by lra. rewrite modulus_start. lra.
  - unfold f. rewrite clamp_id by lra.
    specialize (big V (modulus V) ltac:(lra) ltac:(lra) zV). lra.
  - unfold f in e. rewrite clamp_id in e by lra.
    destruct (modulus_spec t ltac:(lra)) as [m1 z].
    exists t, (modulus t). repeat split; lra.
Qed.
End Branch.
