(** * Arbitrary delays: from the threshold on one run does not tend to zero; the theorem *)

Require Import Reals Lra Lia Psatz.
From Coquelicot Require Import Coquelicot.
From DelayStability Require Import ArbitraryDelays.
Open Scope R_scope.

(** ** From the threshold on one run does not tend to zero

    The delays 0, 1, ..., tau, and then K times tau, multiply an iterate by q: here q <= -1. *)
Section Sharp.
Variables (tau K : nat) (a : R).
Hypothesis Ktau : (K <= tau)%nat.
Let q := 1 - a * (INR tau + 1 + INR K) + a ^ 2 * (INR K * (INR K + 1) / 2).
Hypothesis grows : q <= -1.

(** One block of length L, from 1 to q. *)
Let L := (tau + 1 + K)%nat.
Definition block (i : nat) : R :=
  1 - a * INR i + a ^ 2 * (INR (i - S tau) * (INR (i - S tau) + 1) / 2).

Definition repeated (t : nat) : R := q ^ (t / L) * block (t mod L).

Lemma L_pos : L <> O.
Proof. unfold L. lia. Qed.

Lemma block_zero : block 0 = 1.
Proof. unfold block. simpl. lra. Qed.

Lemma block_end : block L = q.
Proof.
  unfold block, L, q. replace (tau + 1 + K - S tau)%nat with K by lia. rewrite !plus_INR. simpl INR.
  reflexivity.
Qed.

Lemma block_step i : (i < L)%nat -> exists d, (d <= tau)%nat /\ (d <= i)%nat /\
  block (S i) = block i - a * block (i - d).
Proof.
  intro h. destruct (le_lt_dec i tau) as [g|g].
  - exists i. split; [exact g|]. split; [lia|]. rewrite Nat.sub_diag, block_zero. unfold block.
    replace (S i - S tau)%nat with O by lia. replace (i - S tau)%nat with O by lia.
    rewrite S_INR. simpl INR. ring.
  - exists tau. split; [lia|]. split; [lia|]. unfold block.
    replace (S i - S tau)%nat with (S (i - S tau)) by lia.
    replace (i - tau - S tau)%nat with O by (unfold L in h; lia).
    replace (i - tau)%nat with (S (i - S tau)) by lia. rewrite !S_INR. simpl INR. field.
Qed.

Lemma repeated_run : late_run tau a repeated.
Proof.
  intro t. pose proof (Nat.mod_upper_bound t L L_pos) as m.
  pose proof (Nat.div_mod t L L_pos) as e. set (p := (t / L)%nat) in *. set (i := (t mod L)%nat) in *.
  destruct (block_step i m) as [d [d1 [d2 step]]]. exists d. split; [exact d1|]. split; [lia|].
  assert (at_ : forall j, (j < L)%nat -> repeated (L * p + j) = q ^ p * block j).
  { intros j hj. unfold repeated.
    rewrite <- (Nat.div_unique (L * p + j) L p j hj eq_refl),
      <- (Nat.mod_unique (L * p + j) L p j hj eq_refl). reflexivity. }
  assert (next : repeated (S t) = q ^ p * block (S i)).
  { destruct (Nat.eq_dec (S i) L) as [w|w].
    - rewrite w, block_end. unfold repeated.
      assert (e' : S t = (L * S p + 0)%nat) by lia.
      rewrite <- (Nat.div_unique (S t) L (S p) 0 ltac:(lia) e'),
        <- (Nat.mod_unique (S t) L (S p) 0 ltac:(lia) e'), block_zero. simpl. ring.
    - replace (S t) with (L * p + S i)%nat by lia. apply at_. lia. }
  rewrite next, step. replace (t - d)%nat with (L * p + (i - d))%nat by lia.
  rewrite e, !at_ by lia. ring.
Qed.

Theorem not_every_run_stable : exists x, late_run tau a x /\ ~ is_lim_seq x 0.
Proof.
  exists repeated. split; [exact repeated_run|]. intro c. apply is_lim_seq_spec in c.
  destruct (c (mkposreal 1 Rlt_0_1)) as [N h]. specialize (h (L * N)%nat). simpl in h.
  assert (value : repeated (L * N) = q ^ N).
  { unfold repeated. rewrite Nat.mul_comm, Nat.div_mul, Nat.mod_mul by apply L_pos.
    rewrite block_zero. ring. }
  rewrite value, Rminus_0_r, <- RPow_abs in h. pose proof L_pos. specialize (h ltac:(nia)).
  rewrite Rabs_left in h by lra. assert (1 <= (- q) ^ N) by (apply pow_R1_Rle; lra). lra.
Qed.
End Sharp.

(** A gain that is not positive does not bring an iterate closer to zero. *)
Lemma not_positive_gain tau a : a <= 0 -> exists x, late_run tau a x /\ ~ is_lim_seq x 0.
Proof.
  intro neg. exists (fun t => (1 - a) ^ t). split.
  - intro t. exists O. split; [lia|]. split; [lia|]. rewrite Nat.sub_0_r. simpl. ring.
  - intro c. apply is_lim_seq_spec in c. destruct (c (mkposreal 1 Rlt_0_1)) as [N h].
    specialize (h N (le_n _)). simpl in h. rewrite Rminus_0_r in h.
    assert (1 <= (1 - a) ^ N) by (apply pow_R1_Rle; lra). rewrite Rabs_pos_eq in h; lra.
Qed.

(** ** The threshold in closed form *)

Definition arbitrary_threshold (tau : nat) : R :=
  let J := INR ((2 * tau + 1) / 3) in
  let S := INR tau + 1 + J in 4 / (S + sqrt (S ^ 2 - 4 * J * (J + 1))).

Lemma plateau_bounds tau : let J := ((2 * tau + 1) / 3)%nat in
  (J <= tau)%nat /\ 3 * INR J <= 2 * INR tau + 1 < 3 * (INR J + 1).
Proof.
  intro J. assert (J3 : (3 * J <= 2 * tau + 1)%nat) by (apply Nat.mul_div_le; lia).
  assert (J3' : (2 * tau + 1 < 3 * S J)%nat) by (apply Nat.mul_succ_div_gt; lia).
  assert (Jt : (J <= tau)%nat) by lia. split; [exact Jt|]. clearbody J.
  apply le_INR in J3. apply lt_INR in J3'. rewrite plus_INR, !mult_INR in J3.
  rewrite plus_INR, !mult_INR, (S_INR J) in J3'. simpl in J3, J3'. lra.
Qed.

Lemma arbitrary_threshold_spec tau : let J := ((2 * tau + 1) / 3)%nat in
  let b := arbitrary_threshold tau in 0 < b /\ (J <= tau)%nat /\ b * INR J <= 1 /\
  1 <= b * (INR J + 1) /\ (INR tau + 1 + INR J) * b - INR J * (INR J + 1) / 2 * b ^ 2 = 2.
Proof.
  intros J b. destruct (plateau_bounds tau) as [Jt nj]. fold J in Jt, nj.
  pose proof (le_INR _ _ Jt) as n1. pose proof (pos_INR J) as j0.
  unfold b, arbitrary_threshold. fold J.
  set (j := INR J) in *. set (n := INR tau) in *. set (S := n + 1 + j).
  set (D := S ^ 2 - 4 * j * (j + 1)).
  assert (low : (n - j) * (n - j) <= D).
  { assert (0 <= j * (n - j)) by (apply Rmult_le_pos; lra). unfold D, S. lra. }
  assert (D0 : 0 <= D) by nra. pose proof (sqrt_sqrt D D0) as sq. pose proof (sqrt_pos D) as s0.
  set (s := sqrt D) in *. assert (S0 : 0 < S) by (unfold S; lra).
  (* the square root lies between 3 j - 1 - n and n + 1 *)
  assert (s1 : 3 * j - 1 - n <= s).
  { apply Rnot_lt_le. intro h.
    assert (s * s < (3 * j - 1 - n) * (3 * j - 1 - n)) by nra.
    assert (0 <= (j + 1) * (2 * n + 1 - 3 * j)) by (apply Rmult_le_pos; lra).
    unfold D, S in sq. nra. }
  assert (s2 : s <= n + 1).
  { apply Rnot_lt_le. intro h. assert ((n + 1) * (n + 1) < s * s) by nra.
    assert (0 <= j * (3 * (j + 1) - (2 * n + 1))) by (apply Rmult_le_pos; lra).
    unfold D, S in sq. nra. }
  split; [apply Rdiv_lt_0_compat; lra|]. split; [exact Jt|].
  split; [|split].
  - apply Rmult_le_reg_r with (S + s); [lra|].
    replace (4 / (S + s) * j * (S + s)) with (4 * j) by (field; lra). unfold S. lra.
  - apply Rmult_le_reg_r with (S + s); [lra|].
    replace (4 / (S + s) * (j + 1) * (S + s)) with (4 * (j + 1)) by (field; lra).
    apply Rnot_lt_le. intro h. assert (3 * j + 3 - n < s) by (unfold S in h; lra).
    assert ((3 * j + 3 - n) * (3 * j + 3 - n) < s * s) by nra.
    unfold D, S in sq. nra.
  - apply Rmult_eq_reg_r with ((S + s) * (S + s)); [|nra].
    transitivity (4 * S * (S + s) - 8 * (j * (j + 1))).
    { fold S. field. lra. }
    transitivity (2 * S ^ 2 + 4 * S * s + 2 * (s * s)); [rewrite sq; unfold D|]; ring.
Qed.

Theorem arbitrary_is_threshold tau : sequence_threshold tau (arbitrary_threshold tau).
Proof.
  destruct (arbitrary_threshold_spec tau) as [b0 [Jt [lo [hi eq]]]].
  set (b := arbitrary_threshold tau) in *. set (J := ((2 * tau + 1) / 3)%nat) in *.
  split; [exact b0|]. intro g. split.
  - intro all. destruct (Rle_lt_dec g 0) as [n|n].
    { destruct (not_positive_gain tau g n) as [x [run c]]. destruct (c (all x run)). }
    split; [exact n|]. destruct (Rlt_le_dec g b) as [l|l]; [exact l|]. exfalso.
    assert (t0 : 0 <= INR tau) by apply pos_INR. assert (j0 : 0 <= INR J) by apply pos_INR.
    destruct (Rle_lt_dec 2 (g * (INR tau + 1))) as [h|h].
    + destruct (not_every_run_stable tau 0 g ltac:(lia)) as [x [run c]]; [simpl; lra|].
      destruct (c (all x run)).
    + destruct (not_every_run_stable tau J g Jt) as [x [run c]]; [|destruct (c (all x run))].
      (* the quadratic lies below its value at b as long as g is below the other root *)
      assert (J3 : (3 * J <= 2 * tau + 1)%nat) by (apply Nat.mul_div_le; lia).
      apply le_INR in J3. rewrite plus_INR, !mult_INR in J3. simpl in J3.
      set (j := INR J) in *. set (n' := INR tau) in *.
      assert (0 <= (g - b) * ((n' + 1 + j) - j * (j + 1) / 2 * (g + b))).
      { apply Rmult_le_pos; [lra|]. assert (g * (n' + 1) < 2) by lra.
        assert (b * j <= 1) by exact lo. assert (3 * j <= 2 * n' + 1) by lra.
        assert (g * j * (3 * (j + 1) / 2) <= 2 * j + g * j) by nra.
        assert (b * j * (j + 1) <= j + 1) by nra. nra. }
      nra.
  - intros [g0 gb] x. now apply (arbitrary_delays_stable tau _ _ b0 Jt lo hi eq g g0 gb).
Qed.
