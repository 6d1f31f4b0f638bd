(** * Arbitrary delays: SGD with any sequence of delays up to a bound

    Below the threshold every run tends to 0; at the threshold one run does not. *)

Require Import Reals Lra Lia Psatz.
From Coquelicot Require Import Coquelicot.
Open Scope R_scope.

(** A run of SGD with gain a: each update reads an iterate that is at most tau updates old. *)
Definition late_run (tau : nat) (a : R) (x : nat -> R) : Prop :=
  forall t, exists d, (d <= tau)%nat /\ (d <= t)%nat /\ x (S t) = x t - a * x (t - d)%nat.

(** A gain is stable for every sequence of delays if every run tends to zero. *)
Definition stable_for_every_sequence (tau : nat) (a : R) : Prop :=
  forall x, late_run tau a x -> is_lim_seq x 0.

Definition sequence_threshold (tau : nat) (a : R) : Prop :=
  0 < a /\ forall gain : R, stable_for_every_sequence tau gain <-> 0 < gain < a.

(** ** What a swing can reach

    The sum of the smaller ones of M and y + a s M for s < n. *)
Fixpoint reach (a y M : R) (n : nat) : R :=
  match n with O => 0 | S s => reach a y M s + Rmin M (y + a * INR s * M) end.

Lemma reach_monotone a b y M n : 0 <= M -> a <= b -> reach a y M n <= reach b y M n.
Proof.
  intros M0 ab. induction n as [|n IH]; [simpl; lra|]. cbn [reach].
  assert (a * INR n * M <= b * INR n * M).
  { pose proof (pos_INR n). apply Rmult_le_compat_r; [lra|]. apply Rmult_le_compat_r; lra. }
  assert (Rmin M (y + a * INR n * M) <= Rmin M (y + b * INR n * M)) by (apply Rle_min_compat_l; lra).
  lra.
Qed.

(** The first j terms are at most y + a s M, the others at most M. *)
Lemma reach_linear a y M n j : (j <= n)%nat ->
  reach a y M n <= INR j * y + a * M * (INR j * (INR j - 1) / 2) + (INR n - INR j) * M.
Proof.
  intro h. induction h as [|n h IH].
  - induction j as [|j IH]; [simpl; lra|]. cbn [reach]. pose proof (Rmin_r M (y + a * INR j * M)).
    rewrite S_INR. replace (a * M * ((INR j + 1) * (INR j + 1 - 1) / 2)) with
      (a * M * (INR j * (INR j - 1) / 2) + a * INR j * M) by field. lra.
  - cbn [reach]. pose proof (Rmin_l M (y + a * INR n * M)). rewrite S_INR. lra.
Qed.

(** ** The threshold: the smaller root of a quadratic equation between 1/(J + 1) and 1/J *)
Section Arbitrary.
Variables (tau J : nat) (b : R).
Hypothesis b0 : 0 < b.
Hypothesis Jtau : (J <= tau)%nat.
Hypothesis below : b * INR J <= 1.
Hypothesis above : 1 <= b * (INR J + 1).
Hypothesis equation : (INR tau + 1 + INR J) * b - INR J * (INR J + 1) / 2 * b ^ 2 = 2.

Lemma reach_at_threshold y M : 0 <= M -> b * reach b y M (S tau) <= M + y.
Proof.
  intro M0. pose proof (reach_linear b y M (S tau) J ltac:(lia)) as p.
  pose proof (reach_linear b y M (S tau) (S J) ltac:(lia)) as q.
  pose proof below as lo. pose proof above as hi. pose proof equation as eq.
  rewrite (S_INR tau) in p, q. rewrite (S_INR J) in q. set (X := reach b y M (S tau)) in *.
  set (j := INR J) in *. set (n := INR tau) in *.
  assert (P : (b * (j + 1) - 1) * X <=
    (b * (j + 1) - 1) * (j * y + b * M * (j * (j - 1) / 2) + (n + 1 - j) * M))
    by (apply Rmult_le_compat_l; lra).
  assert (Q : (1 - b * j) * X <= (1 - b * j) *
    ((j + 1) * y + b * M * ((j + 1) * (j + 1 - 1) / 2) + (n + 1 - (j + 1)) * M))
    by (apply Rmult_le_compat_l; lra).
  assert (e : M * ((n + 1 + j) * b - j * (j + 1) / 2 * b ^ 2) = M * 2) by now rewrite eq.
  assert (sum : (b * (j + 1) - 1) * (j * y + b * M * (j * (j - 1) / 2) + (n + 1 - j) * M) +
    (1 - b * j) * ((j + 1) * y + b * M * ((j + 1) * (j + 1 - 1) / 2) + (n + 1 - (j + 1)) * M) =
    y + M * ((n + 1 + j) * b - j * (j + 1) / 2 * b ^ 2) - M) by field.
  lra.
Qed.

Variables (a : R).
Hypothesis a0 : 0 < a.
Hypothesis ab : a < b.
Let rho := a / b.

Lemma rho_bounds : 0 < rho < 1.
Proof.
  split; [apply Rdiv_lt_0_compat; lra|]. apply Rmult_lt_reg_r with b; [lra|].
  unfold rho. replace (a / b * b) with a by (field; lra). lra.
Qed.

Lemma reach_below y M : 0 <= M -> 0 <= y -> a * reach a y M (S tau) - y <= rho * M.
Proof.
  intros M0 y0. pose proof rho_bounds as r. pose proof (reach_at_threshold y M M0) as h.
  pose proof (reach_monotone a b y M (S tau) M0 ltac:(lra)) as mono.
  assert (e : a = rho * b) by (unfold rho; field; lra).
  assert (a * reach a y M (S tau) <= rho * (M + y)).
  { apply Rle_trans with (a * reach b y M (S tau)); [apply Rmult_le_compat_l; lra|].
    rewrite e. rewrite Rmult_assoc. apply Rmult_le_compat_l; lra. }
  assert (0 <= (1 - rho) * y) by (apply Rmult_le_pos; lra). lra.
Qed.

(** ** A swing from below zero rises at most to rho M *)

Lemma swing x M k p : late_run tau a x -> (2 * tau <= k)%nat -> 0 <= M ->
  (forall j, (k - 2 * tau <= j <= k)%nat -> Rabs (x j) <= M) ->
  x k <= 0 -> (forall j, (k < j < k + p)%nat -> 0 < x j) -> x (k + p)%nat <= rho * M \/ p = O.
Proof.
  intros run k2 M0 bound low positive.
  (* looking back, the iterate was at most a M lower for each step *)
  assert (back : forall s, (s <= tau)%nat -> - x (k - s)%nat <= - x k + a * INR s * M).
  { induction s as [|s IH]; intro hs.
    - rewrite Nat.sub_0_r. simpl. lra.
    - destruct (run (k - S s)%nat) as [d [d1 [d2 e]]].
      replace (S (k - S s)) with (k - s)%nat in e by lia.
      specialize (IH ltac:(lia)). rewrite S_INR.
      pose proof (bound (k - S s - d)%nat ltac:(lia)) as bd. apply Rabs_le_between in bd. nra. }
  assert (term : forall s, (s <= tau)%nat -> - x (k - s)%nat <= Rmin M (- x k + a * INR s * M)).
  { intros s hs. apply Rmin_glb; [|now apply back].
    pose proof (bound (k - s)%nat ltac:(lia)) as bd. apply Rabs_le_between in bd. lra. }
  assert (nonneg : forall s, 0 <= Rmin M (- x k + a * INR s * M)).
  { intro s. pose proof (pos_INR s). apply Rmin_glb; [exact M0|].
    assert (0 <= a * INR s * M) by (apply Rmult_le_pos; [apply Rmult_le_pos|]; lra). lra. }
  assert (order : forall s t, (s <= t)%nat ->
    Rmin M (- x k + a * INR s * M) <= Rmin M (- x k + a * INR t * M)).
  { intros s t st. apply Rle_min_compat_l. apply le_INR in st.
    assert (a * INR s * M <= a * INR t * M) by
      (apply Rmult_le_compat_r; [lra|apply Rmult_le_compat_l; lra]). lra. }
  set (R_ := reach a (- x k) M).
  assert (rise : forall q, (q <= p)%nat ->
    x (k + q)%nat <= x k + a * (R_ (S tau) - R_ (S tau - q)%nat)).
  { induction q as [|q IH]; intro hq.
    - rewrite Nat.add_0_r, Nat.sub_0_r. lra.
    - specialize (IH ltac:(lia)). destruct (run (k + q)%nat) as [d [d1 [d2 e]]].
      replace (k + S q)%nat with (S (k + q)) by lia. rewrite e.
      destruct (le_lt_dec q tau) as [h|h].
      + assert (step : R_ (S tau - q)%nat =
          R_ (S tau - S q)%nat + Rmin M (- x k + a * INR (tau - q) * M)).
        { replace (S tau - q)%nat with (S (tau - q)) by lia.
          replace (S tau - S q)%nat with (tau - q)%nat by lia. reflexivity. }
        assert (- x (k + q - d)%nat <= Rmin M (- x k + a * INR (tau - q) * M)).
        { destruct (le_lt_dec (k + q - d) k) as [g|g].
          - replace (k + q - d)%nat with (k - (d - q))%nat by lia.
            apply Rle_trans with (Rmin M (- x k + a * INR (d - q) * M));
            [apply term; lia|apply order; lia].
          - pose proof (positive (k + q - d)%nat ltac:(lia)).
            pose proof (nonneg (tau - q)%nat). lra. }
        assert (- (a * x (k + q - d)%nat) <= a * Rmin M (- x k + a * INR (tau - q) * M)) by nra.
        rewrite step in IH. lra.
      + replace (S tau - S q)%nat with (S tau - q)%nat by lia.
        pose proof (positive (k + q - d)%nat ltac:(lia)).
        assert (0 <= a * x (k + q - d)%nat) by (apply Rmult_le_pos; lra). lra. }
  destruct p as [|p]; [now right|left].
  apply Rle_trans with (a * R_ (S tau) - - x k); [|apply reach_below; lra].
  specialize (rise (S p) (le_n _)).
  assert (0 <= R_ (S tau - S p)%nat).
  { unfold R_. generalize (S tau - S p)%nat as n. induction n as [|n IH]; [simpl; lra|].
    cbn [reach]. pose proof (nonneg n). lra. }
  assert (0 <= a * R_ (S tau - S p)%nat) by (apply Rmult_le_pos; lra). lra.
Qed.

(** ** Every run is bounded, and its bound shrinks by rho again and again *)

(** Where an iterate is not positive there is a last one before it. *)
Lemma last_low (x : nat -> R) n t : (n <= t)%nat -> x n <= 0 ->
  exists k, (n <= k <= t)%nat /\ x k <= 0 /\ forall j, (k < j <= t)%nat -> 0 < x j.
Proof.
  intros h low. induction h as [|t h IH].
  - exists n. split; [lia|]. split; [exact low|]. intros j bj. lia.
  - destruct (Rle_lt_dec (x (S t)) 0) as [l|l].
    + exists (S t). split; [lia|]. split; [exact l|]. intros j bj. lia.
    + destruct IH as [k [bk [lk pk]]]. exists k. split; [lia|]. split; [exact lk|].
      intros j bj. destruct (Nat.eq_dec j (S t)) as [->|ne]; [exact l|apply pk; lia].
Qed.

Lemma run_opposite x : late_run tau a x -> late_run tau a (fun t => - x t).
Proof.
  intros run t. destruct (run t) as [d [d1 [d2 e]]]. exists d. rewrite e. repeat split; try assumption.
  ring.
Qed.

(** After a low iterate whose history is known to be bounded by M, all are at most rho M. *)
Lemma after_low x M n t : late_run tau a x -> (2 * tau <= n)%nat -> 0 <= M ->
  (forall j, (n - 2 * tau <= j <= t)%nat -> Rabs (x j) <= M) -> (n <= t)%nat -> x n <= 0 ->
  forall d, (d <= tau)%nat -> x (S t) = x t - a * x (t - d)%nat -> x (S t) <= rho * M.
Proof.
  intros run n2 M0 bound nt low d dt e. pose proof rho_bounds as r.
  destruct (Rle_lt_dec (x (S t)) 0) as [l|l].
  { assert (0 <= rho * M) by (apply Rmult_le_pos; lra). lra. }
  destruct (last_low x n t nt low) as [k [bk [lk pk]]].
  destruct (swing x M k (S t - k) run ltac:(lia) M0) as [h|h].
  - intros j bj. apply bound. lia.
  - exact lk.
  - intros j bj. apply pk. lia.
  - replace (k + (S t - k))%nat with (S t) in h by lia. exact h.
  - lia.
Qed.

Lemma bounded_after x M n : late_run tau a x -> (3 * tau <= n)%nat -> 0 <= M ->
  (forall j, (n - 3 * tau <= j <= n)%nat -> Rabs (x j) <= M) ->
  forall t, (n - 3 * tau <= t)%nat -> Rabs (x t) <= M.
Proof.
  intros run n3 M0 bound. pose proof rho_bounds as r.
  assert (half : forall y, late_run tau a y -> forall t, (n <= t)%nat ->
    (forall j, (n - 3 * tau <= j <= t)%nat -> Rabs (y j) <= M) -> y (S t) <= M).
  { intros y runy t nt by_. destruct (runy t) as [d [d1 [d2 e]]].
    assert (by_t := by_ t ltac:(lia)). apply Rabs_le_between in by_t.
    destruct (Rle_lt_dec (y (t - d)%nat) 0) as [l|l].
    - assert (c : y (S t) <= rho * M).
      { apply (after_low y M (t - d) t runy) with (d := d); try assumption; try lia.
        intros j bj. apply by_. lia. }
      assert (rho * M <= 1 * M) by (apply Rmult_le_compat_r; lra). lra.
    - assert (0 <= a * y (t - d)%nat) by (apply Rmult_le_pos; lra). lra. }
  intros t ht. induction t as [t IH] using lt_wf_ind.
  destruct (le_lt_dec t n) as [g|g]; [apply bound; lia|].
  destruct t as [|t]; [lia|].
  apply Rabs_le_between. split.
  - assert (- x (S t) <= M); [|lra].
    apply (half (fun t => - x t) (run_opposite x run) t ltac:(lia)).
    intros j bj. rewrite Rabs_Ropp. apply IH; lia.
  - apply (half x run t ltac:(lia)). intros j bj. apply IH; lia.
Qed.

(** ** Every run tends to zero *)

Lemma small_eventually x : (forall e, 0 < e -> exists N, forall t, (N <= t)%nat -> Rabs (x t) <= e) ->
  is_lim_seq x 0.
Proof.
  intro h. apply is_lim_seq_spec. intros [e e0]. simpl. destruct (h (e / 2) ltac:(lra)) as [N b_].
  exists N. intros t ht. specialize (b_ t ht). rewrite Rminus_0_r. lra.
Qed.

Lemma power_small q M e : 0 < q < 1 -> 0 <= M -> 0 < e -> exists k, q ^ k * M <= e.
Proof.
  intros q1 M0 e0. pose proof (is_lim_seq_geom q) as g. rewrite Rabs_pos_eq in g by lra.
  specialize (g ltac:(lra)). apply is_lim_seq_spec in g.
  assert (p : 0 < e / (M + 1)) by (apply Rdiv_lt_0_compat; lra).
  destruct (g (mkposreal _ p)) as [k h]. specialize (h k (le_n _)). simpl in h.
  rewrite Rminus_0_r, Rabs_pos_eq in h by (apply pow_le; lra). exists k.
  assert (q ^ k * (M + 1) <= e / (M + 1) * (M + 1)) by (apply Rmult_le_compat_r; lra).
  replace (e / (M + 1) * (M + 1)) with e in H by (field; lra).
  assert (0 <= q ^ k) by (apply pow_le; lra). lra.
Qed.

(** A run that stays positive falls at least by the factor 1 - a in each update. *)
Lemma positive_tail x N : late_run tau a x -> (forall t, (N <= t)%nat -> 0 < x t) -> is_lim_seq x 0.
Proof.
  intros run pos.
  assert (falls : forall t, (N + tau <= t)%nat -> x (S t) <= x t).
  { intros t ht. destruct (run t) as [d [d1 [d2 e]]]. pose proof (pos (t - d)%nat ltac:(lia)).
    assert (0 <= a * x (t - d)%nat) by (apply Rmult_le_pos; lra). lra. }
  assert (order : forall s t, (N + tau <= s)%nat -> (s <= t)%nat -> x t <= x s).
  { intros s t hs st. induction st as [|t st IH]; [lra|]. pose proof (falls t ltac:(lia)). lra. }
  assert (shrinks : forall t, (N + 2 * tau <= t)%nat -> x (S t) <= (1 - a) * x t).
  { intros t ht. destruct (run t) as [d [d1 [d2 e]]].
    pose proof (order (t - d)%nat t ltac:(lia) ltac:(lia)).
    assert (a * x t <= a * x (t - d)%nat) by (apply Rmult_le_compat_l; lra). lra. }
  set (n := (N + 2 * tau)%nat).
  assert (a1 : 0 < 1 - a).
  { pose proof (shrinks n (le_n _)). pose proof (pos (S n) ltac:(unfold n; lia)).
    pose proof (pos n ltac:(unfold n; lia)). nra. }
  assert (geometric : forall k, x (n + k)%nat <= (1 - a) ^ k * x n).
  { induction k as [|k IH]; [rewrite Nat.add_0_r; simpl; lra|].
    rewrite Nat.add_succ_r. pose proof (shrinks (n + k)%nat ltac:(unfold n; lia)). simpl. nra. }
  apply small_eventually. intros e e0.
  destruct (power_small (1 - a) (x n) e ltac:(lra) ltac:(left; apply pos; unfold n; lia) e0) as [k hk].
  exists (n + k)%nat. intros t ht. pose proof (pos t ltac:(unfold n in ht; lia)).
  rewrite Rabs_pos_eq by lra. pose proof (order (n + k)%nat t ltac:(unfold n; lia) ht).
  pose proof (geometric k). lra.
Qed.

Lemma all_bounded x n : exists M, 0 <= M /\ forall j, (j <= n)%nat -> Rabs (x j) <= M.
Proof.
  induction n as [|n [M [M0 IH]]].
  - exists (Rabs (x O)). split; [apply Rabs_pos|]. intros j h. replace j with O by lia. lra.
  - exists (Rmax M (Rabs (x (S n)))). pose proof (Rmax_l M (Rabs (x (S n)))).
    pose proof (Rmax_r M (Rabs (x (S n)))). split; [lra|]. intros j h.
    destruct (Nat.eq_dec j (S n)) as [->|ne]; [lra|]. specialize (IH j ltac:(lia)). lra.
Qed.

Lemma shrink_once x M N : late_run tau a x -> 0 <= M ->
  (forall n, exists t, (n <= t)%nat /\ x t <= 0) -> (forall n, exists t, (n <= t)%nat /\ 0 <= x t) ->
  (forall t, (N <= t)%nat -> Rabs (x t) <= M) ->
  exists N', forall t, (N' <= t)%nat -> Rabs (x t) <= rho * M.
Proof.
  intros run M0 low high bound.
  assert (half : forall y, late_run tau a y -> (forall n, exists t, (n <= t)%nat /\ y t <= 0) ->
    (forall t, (N <= t)%nat -> Rabs (y t) <= M) -> exists n, forall t, (n <= t)%nat -> y t <= rho * M).
  { intros y runy lowy boundy. destruct (lowy (N + 2 * tau)%nat) as [n [hn ln]].
    exists (S n). intros t ht. destruct t as [|t]; [lia|]. destruct (runy t) as [d [d1 [d2 e]]].
    apply (after_low y M n t runy) with (d := d); try assumption; try lia.
    intros j bj. apply boundy. lia. }
  destruct (half x run low bound) as [n up].
  destruct (half (fun t => - x t) (run_opposite x run)) as [n' down].
  - intro k. destruct (high k) as [t [ht q]]. exists t. split; [exact ht|]. simpl. lra.
  - intros t ht. simpl. rewrite Rabs_Ropp. now apply bound.
  - exists (n + n')%nat. intros t ht. specialize (up t ltac:(lia)). specialize (down t ltac:(lia)).
    simpl in down. apply Rabs_le_between. lra.
Qed.

Theorem arbitrary_delays_stable x : late_run tau a x -> is_lim_seq x 0.
Proof.
  intro run. pose proof rho_bounds as r.
  destruct (Classical_Prop.classic (exists N, forall t, (N <= t)%nat -> 0 < x t)) as [[N p]|no_p].
  { exact (positive_tail x N run p). }
  destruct (Classical_Prop.classic (exists N, forall t, (N <= t)%nat -> x t < 0)) as [[N p]|no_n].
  { apply (is_lim_seq_ext (fun t => - - x t)); [intro; ring|]. rewrite <- Ropp_0.
    apply (is_lim_seq_opp _ 0). apply (positive_tail (fun t => - x t) N (run_opposite x run)).
    intros t ht. specialize (p t ht). lra. }
  assert (low : forall n, exists t, (n <= t)%nat /\ x t <= 0).
  { intro n. apply Classical_Prop.NNPP. intro c. apply no_p. exists n. intros t ht.
    destruct (Rle_lt_dec (x t) 0) as [l|l]; [|exact l]. exfalso. apply c. now exists t. }
  assert (high : forall n, exists t, (n <= t)%nat /\ 0 <= x t).
  { intro n. apply Classical_Prop.NNPP. intro c. apply no_n. exists n. intros t ht.
    destruct (Rle_lt_dec 0 (x t)) as [l|l]; [|exact l]. exfalso. apply c. now exists t. }
  destruct (all_bounded x (3 * tau)) as [M [M0 bound]].
  assert (always : forall t, Rabs (x t) <= M).
  { intro t. apply (bounded_after x M (3 * tau) run (le_n _) M0); [|lia]. intros j bj. apply bound. lia. }
  assert (powers : forall k, exists N, forall t, (N <= t)%nat -> Rabs (x t) <= rho ^ k * M).
  { induction k as [|k [N IH]].
    - exists O. intros t _. simpl. rewrite Rmult_1_l. apply always.
    - destruct (shrink_once x (rho ^ k * M) N run) as [N' h]; try assumption.
      + apply Rmult_le_pos; [apply pow_le; lra|exact M0].
      + exists N'. intros t ht. simpl. rewrite Rmult_assoc. now apply h. }
  apply small_eventually. intros e e0. destruct (power_small rho M e r M0 e0) as [k hk].
  destruct (powers k) as [N h]. exists N. intros t ht. specialize (h t ht). lra.
Qed.
End Arbitrary.
