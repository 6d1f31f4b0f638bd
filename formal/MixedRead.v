(** * Mixed reads: gradients that are mostly fresh tolerate every sequence of delays

    Each gradient is taken at a share l of the present weights and the rest of late ones. *)

Require Import Reals Lra Lia Psatz.
From Coquelicot Require Import Coquelicot.
From DelayStability Require Import ArbitraryDelays.
Open Scope R_scope.

Definition mixed_run (l : R) (tau : nat) (a : R) (x : nat -> R) : Prop :=
  forall t, exists d, (d <= tau)%nat /\ (d <= t)%nat /\
  x (S t) = x t - a * (l * x t + (1 - l) * x (t - d)%nat).

(** The gains below the threshold are those with which every run tends to zero, whatever bound the
    delays have. *)
Definition mixed_sequence_threshold (l a : R) : Prop :=
  0 < a /\ forall gain : R,
  (forall tau x, mixed_run l tau gain x -> is_lim_seq x 0) <-> 0 < gain < a.

Lemma mixed_factor l a : 1 / 2 < l -> 0 < a -> a < 2 -> a * (2 * l - 1) < 2 ->
  Rabs (1 - a * l) + a * Rabs (1 - l) < 1.
Proof.
  intros l0 a0 a2 al. unfold Rabs. destruct (Rcase_abs (1 - a * l)), (Rcase_abs (1 - l)); nra.
Qed.

Lemma mixed_step l a x t d B : 0 < a -> x (S t) = x t - a * (l * x t + (1 - l) * x (t - d)%nat) ->
  Rabs (x t) <= B -> Rabs (x (t - d)%nat) <= B ->
  Rabs (x (S t)) <= (Rabs (1 - a * l) + a * Rabs (1 - l)) * B.
Proof.
  intros a0 e bt bd. rewrite e.
  replace (x t - a * (l * x t + (1 - l) * x (t - d)%nat)) with
    ((1 - a * l) * x t + - (a * (1 - l)) * x (t - d)%nat) by ring.
  eapply Rle_trans; [apply Rabs_triang|]. rewrite !Rabs_mult, Rabs_Ropp, Rabs_mult.
  rewrite (Rabs_pos_eq a) by lra. pose proof (Rabs_pos (1 - a * l)). pose proof (Rabs_pos (1 - l)).
  assert (Rabs (1 - a * l) * Rabs (x t) <= Rabs (1 - a * l) * B) by (apply Rmult_le_compat_l; lra).
  assert (0 <= a * Rabs (1 - l)) by (apply Rmult_le_pos; lra).
  assert (a * Rabs (1 - l) * Rabs (x (t - d)%nat) <= a * Rabs (1 - l) * B)
    by (apply Rmult_le_compat_l; lra). lra.
Qed.

Theorem mixed_stable l tau a x : 1 / 2 < l -> 0 < a -> a < 2 -> a * (2 * l - 1) < 2 ->
  mixed_run l tau a x -> is_lim_seq x 0.
Proof.
  intros l0 a0 a2 al run. pose proof (mixed_factor l a l0 a0 a2 al) as q1.
  set (q := Rabs (1 - a * l) + a * Rabs (1 - l)) in *. set (M := Rabs (x O)).
  assert (M0 : 0 <= M) by apply Rabs_pos.
  assert (q0 : 0 <= q).
  { unfold q. pose proof (Rabs_pos (1 - a * l)). pose proof (Rabs_pos (1 - l)). nra. }
  assert (always : forall t, Rabs (x t) <= M).
  { intro t. induction t as [t IH] using lt_wf_ind. destruct t as [|t]; [unfold M; lra|].
    destruct (run t) as [d [d1 [d2 e]]].
    pose proof (mixed_step l a x t d M a0 e (IH t ltac:(lia)) (IH (t - d)%nat ltac:(lia))) as h.
    fold q in h. nra. }
  assert (powers : forall k t, (k * S tau <= t)%nat -> Rabs (x t) <= q ^ k * M).
  { induction k as [|k IH]; intros t ht; [simpl; rewrite Rmult_1_l; apply always|].
    destruct t as [|t]; [simpl in ht; lia|]. destruct (run t) as [d [d1 [d2 e]]].
    assert (b1 : (k * S tau <= t)%nat) by (simpl in ht; lia).
    assert (b2 : (k * S tau <= t - d)%nat) by (simpl in ht; lia).
    pose proof (mixed_step l a x t d (q ^ k * M) a0 e (IH _ b1) (IH _ b2)) as h.
    fold q in h. simpl. lra. }
  apply small_eventually. intros e e0. destruct (Rle_lt_or_eq_dec 0 q q0) as [qp|qz].
  - destruct (power_small q M e ltac:(lra) M0 e0) as [k hk]. exists (k * S tau)%nat. intros t ht.
    specialize (powers k t ht). lra.
  - exists (1 * S tau)%nat. intros t ht. specialize (powers 1%nat t ht). rewrite <- qz in powers.
    simpl in powers. lra.
Qed.

(** ** Runs that do not tend to zero *)

Lemma power_not_small q : 1 <= Rabs q -> ~ is_lim_seq (fun t => q ^ t) 0.
Proof.
  intros h c. apply is_lim_seq_spec in c. destruct (c (mkposreal 1 Rlt_0_1)) as [N s].
  specialize (s N (le_n _)). simpl in s. rewrite Rminus_0_r, <- RPow_abs in s.
  assert (1 <= Rabs q ^ N) by (apply pow_R1_Rle; exact h). lra.
Qed.

Lemma fresh_run l a : mixed_run l 0 a (fun t => (1 - a) ^ t).
Proof.
  intro t. exists O. split; [lia|]. split; [lia|]. rewrite Nat.sub_0_r. simpl. ring.
Qed.

(** With the delay 1 from the second update on. *)
Fixpoint alternating (l a : R) (t : nat) : R :=
  match t with
  | O => 1
  | S k => match k with
    | O => 1 - a
    | S j => (1 - a * l) * alternating l a k - a * (1 - l) * alternating l a j
    end
  end.

Lemma alternating_run l a : mixed_run l 1 a (alternating l a).
Proof.
  intros [|t].
  - exists O. split; [lia|]. split; [lia|]. simpl. ring.
  - exists 1%nat. split; [lia|]. split; [lia|]. replace (S t - 1)%nat with t by lia.
    change (alternating l a (S (S t))) with
      ((1 - a * l) * alternating l a (S t) - a * (1 - l) * alternating l a t). ring.
Qed.

Lemma alternating_stays l a : 1 < l -> 0 < a -> 2 <= a * (2 * l - 1) ->
  ~ is_lim_seq (alternating l a) 0.
Proof.
  intros l1 a0 al c. set (b := 1 - a * l). set (k := a * (1 - l)).
  assert (kn : k < 0) by (unfold k; nra).
  assert (D : 0 < b * b - 4 * k) by nra. pose proof (sqrt_sqrt _ (Rlt_le _ _ D)) as sq.
  pose proof (sqrt_pos (b * b - 4 * k)) as s0. set (s := sqrt (b * b - 4 * k)) in *.
  set (z1 := (b - s) / 2). set (z2 := (b + s) / 2).
  assert (sum : z1 + z2 = b) by (unfold z1, z2; lra).
  assert (prod : z1 * z2 = k).
  { unfold z1, z2. replace ((b - s) / 2 * ((b + s) / 2)) with ((b * b - s * s) / 4) by field.
    rewrite sq. field. }
  assert (low : z1 <= -1).
  { assert (value : (-1 - z1) * (-1 - z2) <= 0).
    { replace ((-1 - z1) * (-1 - z2)) with (1 + (z1 + z2) + z1 * z2) by ring.
      rewrite sum, prod. unfold b, k. lra. }
    assert (z1 <= z2) by (unfold z1, z2; lra). apply Rnot_lt_le. intro h. nra. }
  set (y := fun t => alternating l a (S t) - z2 * alternating l a t).
  assert (y0 : y O <> 0).
  { unfold y. simpl. intro h. assert (e : z2 = 1 - a) by lra.
    assert (w : z2 * z2 - b * z2 + k = 0) by (rewrite <- sum, <- prod; ring).
    rewrite e in w. unfold b, k in w. assert (0 < a * a * (l - 1)) by (apply Rmult_lt_0_compat; nra).
    nra. }
  assert (powers : forall t, y t = z1 ^ t * y O).
  { induction t as [|t IH]; [simpl; ring|].
    assert (e : y (S t) = z1 * y t).
    { unfold y. change (alternating l a (S (S t))) with
        (b * alternating l a (S t) - k * alternating l a t). rewrite <- sum, <- prod. ring. }
    rewrite e, IH. simpl. ring. }
  assert (cy : is_lim_seq y 0).
  { replace 0 with (0 - z2 * 0) by ring. apply is_lim_seq_minus'.
    - apply (is_lim_seq_incr_1 (alternating l a)). exact c.
    - apply (is_lim_seq_scal_l _ z2 0). exact c. }
  apply (power_not_small z1).
  - rewrite Rabs_left by lra. lra.
  - apply (is_lim_seq_ext (fun t => / y O * y t)).
    + intro t. rewrite (powers t). field. exact y0.
    + replace 0 with (/ y O * 0) by ring. apply (is_lim_seq_scal_l _ (/ y O) 0). exact cy.
Qed.

Theorem mixed_is_threshold l : 1 / 2 < l -> mixed_sequence_threshold l (Rmin 2 (2 / (2 * l - 1))).
Proof.
  intro l0. assert (p : 0 < 2 / (2 * l - 1)) by (apply Rdiv_lt_0_compat; lra).
  assert (e : 2 / (2 * l - 1) * (2 * l - 1) = 2) by (field; lra).
  pose proof (Rmin_l 2 (2 / (2 * l - 1))) as m1. pose proof (Rmin_r 2 (2 / (2 * l - 1))) as m2.
  split; [apply Rmin_glb_lt; lra|]. intro a. split.
  - intro all. destruct (Rle_lt_dec a 0) as [n|n].
    { destruct (power_not_small (1 - a)); [rewrite Rabs_pos_eq; lra|]. exact (all O _ (fresh_run l a)). }
    split; [exact n|]. apply Rnot_le_lt. intro h. destruct (Rle_lt_dec 2 a) as [a2|a2].
    + destruct (power_not_small (1 - a)); [rewrite Rabs_left1; lra|]. exact (all O _ (fresh_run l a)).
    + assert (q : 2 / (2 * l - 1) <= a) by (unfold Rmin in h; destruct (Rle_dec _ _) in h; lra).
      assert (w : 2 <= a * (2 * l - 1)).
      { rewrite <- e at 1. apply Rmult_le_compat_r; lra. }
      assert (l1 : 1 < l) by nra.
      exact (alternating_stays l a l1 n w (all 1%nat _ (alternating_run l a))).
  - intros [a0 am] tau x. apply mixed_stable; try lra.
    apply Rlt_le_trans with (2 / (2 * l - 1) * (2 * l - 1)); [|lra]. apply Rmult_lt_compat_r; lra.
Qed.
