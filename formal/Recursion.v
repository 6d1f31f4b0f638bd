(** * What stable means: every run of the update rule tends to zero

    A run solves a linear recursion whose coefficients are those of the characteristic polynomial. The
    polynomial has a root, the recursion splits into a filter of degree one and a shorter recursion, and
    a filter whose pole lies inside the circle lets nothing remain. A root outside is itself a run. *)

Require Import Reals Lra Lia Psatz List.
From Coquelicot Require Import Coquelicot.
From DelayStability Require Import Loop FundamentalTheorem.
Import ListNotations.
Open Scope R_scope.

Local Arguments Cmod x%C_scope.

(** The sum of p_k x(t + k). *)
Fixpoint applied (p : list C) (x : nat -> C) (t : nat) : C :=
  match p with [] => RtoC 0 | a :: p => (a * x t + applied p x (S t))%C end.

Definition vanishes (x : nat -> C) : Prop := is_lim_seq (fun t => Cmod (x t)) 0.

Lemma applied_ext p x y t : (forall t, x t = y t) -> applied p x t = applied p y t.
Proof. intro e. revert t. induction p as [|a p IH]; intro t; simpl; [reflexivity|]. now rewrite e, IH. Qed.

(** A root of the polynomial splits off a filter. *)
Lemma applied_quotient r p x t : applied p x t =
  (value p r * x t + applied (quotient r p) (fun t => x (S t) - r * x t) t)%C.
Proof.
  revert t. induction p as [|a [|b p] IH]; intro t; [simpl; ring|simpl; ring|].
  change (applied (a :: b :: p) x t) with (a * x t + applied (b :: p) x (S t))%C.
  change (applied (quotient r (a :: b :: p)) (fun t => x (S t) - r * x t)%C t) with
    (value (b :: p) r * (x (S t) - r * x t) +
     applied (quotient r (b :: p)) (fun t => x (S t) - r * x t) (S t))%C.
  change (value (a :: b :: p) r) with (a + r * value (b :: p) r)%C. rewrite IH. ring.
Qed.

(** ** A filter of degree one forgets *)

Lemma filter_forgets q (u e : nat -> R) : 0 <= q < 1 -> (forall t, 0 <= u t) ->
  (forall t, u (S t) <= q * u t + e t) -> is_lim_seq e 0 -> is_lim_seq u 0.
Proof.
  intros q1 pos step small. apply is_lim_seq_spec. intros [d d0]. simpl.
  apply is_lim_seq_spec in small.
  destruct (small (mkposreal (d / 2 * (1 - q)) ltac:(apply Rmult_lt_0_compat; lra))) as [N hN]. simpl in hN.
  assert (decay : forall k, u (N + k)%nat <= q ^ k * u N + d / 2).
  { induction k as [|k IH]; [rewrite Nat.add_0_r; simpl; lra|]. rewrite Nat.add_succ_r.
    specialize (hN (N + k)%nat ltac:(lia)). rewrite Rminus_0_r in hN. apply Rabs_def2 in hN.
    specialize (step (N + k)%nat). simpl.
    assert (q * u (N + k)%nat <= q * (q ^ k * u N + d / 2)) by (apply Rmult_le_compat_l; lra). lra. }
  pose proof (is_lim_seq_geom q) as g. rewrite Rabs_pos_eq in g by lra. specialize (g ltac:(lra)).
  apply is_lim_seq_spec in g. specialize (pos N) as uN.
  destruct (g (mkposreal (d / 2 / (u N + 1)) ltac:(apply Rdiv_lt_0_compat; lra))) as [K hK]. simpl in hK.
  exists (N + K)%nat. intros t ht. replace t with (N + (t - N))%nat by lia.
  specialize (hK (t - N)%nat ltac:(lia)). rewrite Rminus_0_r in hK |- *. apply Rabs_def2 in hK.
  specialize (decay (t - N)%nat). specialize (pos (N + (t - N))%nat). rewrite Rabs_pos_eq by exact pos.
  assert (0 <= q ^ (t - N)) by (apply pow_le; lra).
  assert (q ^ (t - N) * (u N + 1) < d / 2 / (u N + 1) * (u N + 1)) by (apply Rmult_lt_compat_r; lra).
  replace (d / 2 / (u N + 1) * (u N + 1)) with (d / 2) in H0 by (field; lra). lra.
Qed.

Theorem roots_inside_forget n p : length p = S n -> leading p <> RtoC 0 ->
  (forall z, value p z = RtoC 0 -> Cmod z < 1) ->
  forall x, vanishes (applied p x) -> vanishes x.
Proof.
  revert p. induction n as [|n IH]; intros p len lead inside x small.
  - destruct p as [|a [|? ?]]; try discriminate. unfold leading in lead. simpl in lead.
    pose proof (proj1 (Cmod_gt_0 a) lead) as a0.
    apply (is_lim_seq_ext (fun t => / Cmod a * Cmod (applied [a] x t))).
    + intro t. simpl. replace (a * x t + 0)%C with (a * x t)%C by ring. rewrite Cmod_mult. field. lra.
    + replace 0 with (/ Cmod a * 0) by ring. now apply (is_lim_seq_scal_l _ (/ Cmod a) 0).
  - destruct (fundamental_theorem p n len lead) as [r root]. specialize (inside r root) as r1.
    set (y := (fun t => x (S t) - r * x t)%C).
    assert (vy : vanishes y).
    { apply (IH (quotient r p)).
      - now apply quotient_length.
      - now rewrite (quotient_leading r p n len).
      - intros z hz. apply inside. rewrite (quotient_value r p z), root, hz. ring.
      - eapply is_lim_seq_ext; [|exact small]. intro t. simpl. f_equal.
        rewrite (applied_quotient r p x t), root. unfold y. ring. }
    apply (filter_forgets (Cmod r) _ (fun t => Cmod (y t))); [pose proof (Cmod_ge_0 r); lra| | |exact vy].
    + intro t. apply Cmod_ge_0.
    + intro t. unfold y. replace (x (S t)) with (r * x t + (x (S t) - r * x t))%C at 1 by ring.
      eapply Rle_trans; [apply Cmod_triangle|]. rewrite Cmod_mult. lra.
Qed.

(** ** A root is a run, and so is its real or its imaginary part *)

Lemma applied_powers p z t : applied p (fun t => z ^ t)%C t = (z ^ t * value p z)%C.
Proof. revert t. induction p as [|a p IH]; intro t; simpl; [ring|]. rewrite IH. simpl. ring. Qed.

(** Powers of a number outside the open disc do not vanish in both of their parts. *)
Lemma powers_stay z : 1 <= Cmod z ->
  ~ (is_lim_seq (fun t => fst (z ^ t)%C) 0 /\ is_lim_seq (fun t => snd (z ^ t)%C) 0).
Proof.
  intros z1 [re im]. apply is_lim_seq_spec in re, im.
  destruct (re (mkposreal (1 / 2) ltac:(lra))) as [N hN]. destruct (im (mkposreal (1 / 2) ltac:(lra))) as [M hM].
  simpl in hN, hM. specialize (hN (N + M)%nat ltac:(lia)). specialize (hM (N + M)%nat ltac:(lia)).
  rewrite Rminus_0_r in hN, hM. pose proof (Cmod_pow z (N + M)) as e.
  assert (1 <= Cmod z ^ (N + M)) by (apply pow_R1_Rle; exact z1).
  destruct (z ^ (N + M))%C as [a b]. pose proof (Cmod_le_sum a b). simpl in hN, hM. lra.
Qed.

Lemma vanishes_real (w : nat -> R) : vanishes (fun t => RtoC (w t)) <-> is_lim_seq w 0.
Proof.
  unfold vanishes. split; intro h.
  - apply (is_lim_seq_abs_0 w). eapply is_lim_seq_ext; [|exact h]. intro t. apply Cmod_R.
  - apply (is_lim_seq_abs_0 w) in h. eapply is_lim_seq_ext; [|exact h]. intro t. symmetry. apply Cmod_R.
Qed.

(** A loop whose runs are sequences of reals that solve its recursion: it is stable if and only if all
    of them tend to 0. *)
Lemma stable_means (loop : C -> C) (p : list C) (n : nat) (run : (nat -> R) -> Prop) :
  length p = S n -> leading p <> RtoC 0 -> (forall z, value p z = loop z) ->
  (forall w, run w -> exists N, forall t, (N <= t)%nat -> applied p (fun t => RtoC (w t)) t = RtoC 0) ->
  (forall z, 1 <= Cmod z -> loop z = RtoC 0 ->
    run (fun t => fst (z ^ t)%C) /\ run (fun t => snd (z ^ t)%C)) ->
  ((forall z, loop z = RtoC 0 -> Cmod z < 1) <-> forall w, run w -> is_lim_seq w 0).
Proof.
  intros len lead same solves parts. split.
  - intros inside w hw. apply vanishes_real. apply (roots_inside_forget n p len lead).
    + intro z. rewrite same. apply inside.
    + destruct (solves w hw) as [N h]. unfold vanishes.
      apply (is_lim_seq_ext_loc (fun _ => 0)); [|apply is_lim_seq_const].
      exists N. intros t ht. rewrite (h t ht), Cmod_0. reflexivity.
  - intros all z e. apply Rnot_le_lt. intro z1. destruct (parts z z1 e) as [re im].
    apply (powers_stay z z1). split; now apply all.
Qed.

(** ** Polynomials of the loops *)

Fixpoint added (p q : list C) : list C :=
  match p, q with
  | [], _ => q
  | _, [] => p
  | a :: p, b :: q => (a + b)%C :: added p q
  end.

Definition late (n : nat) (p : list C) : list C := repeat (RtoC 0) n ++ p.

Lemma value_added p q z : value (added p q) z = (value p z + value q z)%C.
Proof. revert q. induction p as [|a p IH]; intros [|b q]; simpl; try ring. rewrite IH. ring. Qed.

Lemma applied_added p q x t : applied (added p q) x t = (applied p x t + applied q x t)%C.
Proof. revert q t. induction p as [|a p IH]; intros [|b q] t; simpl; try ring. rewrite IH. ring. Qed.

Lemma value_late n p z : value (late n p) z = (z ^ n * value p z)%C.
Proof. unfold late. induction n as [|n IH]; simpl; [ring|]. rewrite IH. ring. Qed.

Lemma applied_late n p x t : applied (late n p) x t = applied p x (n + t).
Proof.
  unfold late. revert t. induction n as [|n IH]; intro t; simpl; [reflexivity|]. rewrite IH.
  rewrite Nat.add_succ_r. simpl. ring.
Qed.

Lemma late_length n p : length (late n p) = (n + length p)%nat.
Proof. unfold late. now rewrite app_length, repeat_length. Qed.

Lemma late_leading n p : p <> [] -> leading (late n p) = leading p.
Proof.
  intro h. unfold leading, late. induction n as [|n IH]; [reflexivity|].
  change (repeat (RtoC 0) (S n) ++ p) with (RtoC 0 :: (repeat (RtoC 0) n ++ p)).
  destruct (repeat (RtoC 0) n ++ p) eqn:e; [|exact IH]. apply app_eq_nil in e. now destruct e.
Qed.

Lemma added_length p q : (length q <= length p)%nat -> length (added p q) = length p.
Proof.
  revert q. induction p as [|a p IH]; intros [|b q] h; simpl in *; try lia. rewrite IH; lia.
Qed.

Lemma added_leading p q : (length q < length p)%nat -> leading (added p q) = leading p.
Proof.
  unfold leading. revert q. induction p as [|a p IH]; intros [|b q] h; simpl in h; try lia; [reflexivity|].
  simpl added. destruct p as [|c p]; [simpl in h; lia|].
  change (last (a :: c :: p) (RtoC 0)) with (last (c :: p) (RtoC 0)).
  rewrite <- (IH q) by (simpl in *; lia). destruct q; reflexivity.
Qed.

(** ** The update rules

    The gradient a w(t) of the iterate at time t arrives delay updates later. *)

Definition sgd_run (delay : nat) (a : R) (w : nat -> R) : Prop :=
  forall t, w (delay + S t)%nat = w (delay + t)%nat - a * w t.

(** The velocity is v = m v + c g, the update d g + e v. *)
Definition momentum_run (m c d e : R) (delay : nat) (a : R) (w : nat -> R) : Prop :=
  exists v : nat -> R, forall t, v (S t) = m * v t + c * (a * w t) /\
  w (delay + S t)%nat = w (delay + t)%nat - (d * (a * w t) + e * v (S t)).

Definition heavy_ball_run (m : R) := momentum_run m 1 0 1.
Definition ema_momentum_run (m : R) := momentum_run m (1 - m) 0 1.
Definition nesterov_run (m : R) := momentum_run m 1 1 m.

(** The velocity is late too. *)
Definition shifted_momentum_run (m : R) (delay : nat) (a : R) (w : nat -> R) : Prop :=
  exists v : nat -> R, forall t, v (delay + S t)%nat = m * v t + a * w t /\
  w (delay + S t)%nat = w (delay + t)%nat - v (delay + S t)%nat.

(** The present weights shrink by the share c. *)
Definition decayed_sgd_run (c : R) (delay : nat) (a : R) (w : nat -> R) : Prop :=
  forall t, w (delay + S t)%nat = (1 - c) * w (delay + t)%nat - a * w t.

(** A share l of the gradient is that of the iterate itself. *)
Definition mixed_read_run (l : R) (delay : nat) (a : R) (w : nat -> R) : Prop :=
  forall t, w (delay + S t)%nat = w (delay + t)%nat - a * ((1 - l) * w t + l * w (delay + t)%nat).

Lemma one_not_zero : RtoC 1 <> RtoC 0.
Proof. intro e. injection e. lra. Qed.

Lemma Cpow_sum z i j : (z ^ (i + j))%C = (z ^ i * z ^ j)%C.
Proof. induction i as [|i IH]; simpl; [ring|]. rewrite IH. ring. Qed.

Lemma parts_scale (k : R) (z : C) : fst (RtoC k * z)%C = k * fst z /\ snd (RtoC k * z)%C = k * snd z.
Proof. unfold Cmult, RtoC; simpl. split; ring. Qed.

Lemma parts_minus (x y : C) : fst (x - y)%C = fst x - fst y /\ snd (x - y)%C = snd x - snd y.
Proof. unfold Cminus, Cplus, Copp; simpl. split; ring. Qed.

Lemma parts_plus (x y : C) : fst (x + y)%C = fst x + fst y /\ snd (x + y)%C = snd x + snd y.
Proof. unfold Cplus; simpl. split; ring. Qed.

(** Takes the equation of complex numbers apart. *)
Ltac parts e := let re := fresh "re" in let im := fresh "im" in
  pose proof (f_equal fst e) as re; pose proof (f_equal snd e) as im;
  repeat rewrite ?(proj1 (parts_minus _ _)), ?(proj1 (parts_plus _ _)), ?(proj1 (parts_scale _ _)) in re;
  repeat rewrite ?(proj2 (parts_minus _ _)), ?(proj2 (parts_plus _ _)), ?(proj2 (parts_scale _ _)) in im.

Lemma away_from_pole (z : C) m : -1 < m < 1 -> 1 <= Cmod z -> (z - m)%C <> RtoC 0.
Proof.
  intros m1 z1 e. assert (z = RtoC m) as f by (replace z with (z - m + m)%C by ring; rewrite e; ring).
  rewrite f, Cmod_R in z1. unfold Rabs in z1. destruct (Rcase_abs m); lra.
Qed.

Theorem sgd_stable_means delay a : stable (sgd delay) a <->
  forall w, sgd_run delay a w -> is_lim_seq w 0.
Proof.
  apply (stable_means _ (added (late delay [(- RtoC 1)%C; RtoC 1]) [RtoC a]) (S delay)).
  - rewrite added_length; rewrite late_length; simpl; lia.
  - rewrite added_leading, late_leading; [|discriminate|rewrite late_length; simpl; lia].
    unfold leading. simpl. exact one_not_zero.
  - intro z. rewrite value_added, value_late. unfold sgd. simpl. ring.
  - intros w run. exists O. intros t _. rewrite applied_added, applied_late. simpl.
    specialize (run t). rewrite <- Nat.add_succ_r, run. rewrite RtoC_minus, RtoC_mult. ring.
  - intros z _ e. unfold sgd in e.
    assert (step : forall t, (z ^ (delay + S t) = z ^ (delay + t) - a * z ^ t)%C).
    { intro t. rewrite !Cpow_sum. simpl. transitivity (z ^ delay * z ^ t + z ^ t * (z ^ delay * (z - 1)))%C;
      [ring|]. replace (z ^ delay * (z - 1))%C with (z ^ delay * (z - 1) + a - a)%C by ring.
      rewrite e. ring. }
    split; intro t; specialize (step t); parts step; assumption.
Qed.

Lemma momentum_stable_means (m c d e : R) delay (a : R) : -1 < m < 1 ->
  (forall z, (z ^ delay * (z - 1) * (z - m) + a * (d * (z - m) + e * c * z))%C = RtoC 0 -> Cmod z < 1) <->
  forall w, momentum_run m c d e delay a w -> is_lim_seq w 0.
Proof.
  intro m1. apply (stable_means (fun z => z ^ delay * (z - 1) * (z - m) + a * (d * (z - m) + e * c * z))%C
    (added (late delay [RtoC m; RtoC (- (1 + m)); RtoC 1])
      [RtoC (- (m * d * a)); RtoC ((d + e * c) * a)]) (S (S delay))).
  - rewrite added_length; rewrite late_length; simpl; lia.
  - rewrite added_leading, late_leading; [|discriminate|rewrite late_length; simpl; lia].
    unfold leading. simpl. exact one_not_zero.
  - intro z. rewrite value_added, value_late. simpl.
    rewrite !RtoC_opp, !RtoC_mult, !RtoC_plus, !RtoC_mult. ring.
  - intros w [v run]. exists O. intros t _. rewrite applied_added, applied_late. simpl.
    destruct (run t) as [_ w1]. destruct (run (S t)) as [v2 w2].
    rewrite <- !Nat.add_succ_r.
    assert (ev : e * v (S t) = w (delay + t)%nat - w (delay + S t)%nat - d * (a * w t)) by lra.
    assert (zero : m * w (delay + t)%nat + - (1 + m) * w (delay + S t)%nat + w (delay + S (S t))%nat
      + - (m * d * a) * w t + (d + e * c) * a * w (S t) = 0).
    { rewrite w2, v2. replace (e * (m * v (S t) + c * (a * w (S t)))) with
        (m * (e * v (S t)) + e * c * (a * w (S t))) by ring. rewrite ev. ring. }
    apply (f_equal RtoC) in zero. etransitivity; [|exact zero].
    repeat rewrite ?RtoC_plus, ?RtoC_opp, ?RtoC_mult. ring.
  - intros z z1 root. pose proof (away_from_pole z m m1 z1) as nz.
    set (V := fun t => (c * (a * z ^ t) / (z - m))%C).
    assert (v : forall t, (V (S t) = m * V t + c * (a * z ^ t))%C) by (intro t; unfold V; simpl; field; exact nz).
    assert (w : forall t, (z ^ (delay + S t) = z ^ (delay + t) - (d * (a * z ^ t) + e * V (S t)))%C).
    { intro t. unfold V. rewrite !Cpow_sum. simpl.
      transitivity (z ^ delay * z ^ t + z ^ t * (z ^ delay * (z - 1) * (z - m)
        + a * (d * (z - m) + e * c * z)) / (z - m) - z ^ t * (a * (d * (z - m) + e * c * z)) / (z - m))%C.
      - field. exact nz.
      - rewrite root. field. exact nz. }
    split; [exists (fun t => fst (V t))|exists (fun t => snd (V t))]; intro t;
    specialize (v t); specialize (w t); parts v; parts w; split; assumption.
Qed.

Theorem heavy_ball_stable_means m delay a : -1 < m < 1 ->
  stable (heavy_ball m delay) a <-> forall w, heavy_ball_run m delay a w -> is_lim_seq w 0.
Proof.
  intro m1. unfold heavy_ball_run. rewrite <- momentum_stable_means by exact m1.
  split; intros h z e; apply h; (etransitivity; [|exact e]); unfold heavy_ball; ring.
Qed.

Theorem ema_momentum_stable_means m delay a : -1 < m < 1 ->
  stable (ema_momentum m delay) a <-> forall w, ema_momentum_run m delay a w -> is_lim_seq w 0.
Proof.
  intro m1. unfold ema_momentum_run. rewrite <- momentum_stable_means by exact m1.
  split; intros h z e; apply h; (etransitivity; [|exact e]); unfold ema_momentum; rewrite ?RtoC_minus; ring.
Qed.

Theorem nesterov_stable_means m delay a : -1 < m < 1 ->
  stable (nesterov m delay) a <-> forall w, nesterov_run m delay a w -> is_lim_seq w 0.
Proof.
  intro m1. unfold nesterov_run. rewrite <- momentum_stable_means by exact m1.
  split; intros h z e; apply h; (etransitivity; [|exact e]); unfold nesterov; ring.
Qed.

Theorem shifted_momentum_stable_means m delay a : -1 < m < 1 ->
  stable (shifted_momentum m delay) a <-> forall w, shifted_momentum_run m delay a w -> is_lim_seq w 0.
Proof.
  intro m1. apply (stable_means _ (added (late (S delay) [(- RtoC 1)%C; RtoC 1]) [RtoC m; RtoC (a - m)])
    (S (S delay))).
  - rewrite added_length; rewrite late_length; simpl; lia.
  - rewrite added_leading, late_leading; [|discriminate|rewrite late_length; simpl; lia].
    unfold leading. simpl. exact one_not_zero.
  - intro z. rewrite value_added, value_late. unfold shifted_momentum. simpl.
    rewrite RtoC_minus. ring.
  - intros w [v run]. exists delay. intros t ht. rewrite applied_added, applied_late. simpl.
    replace t with (delay + (t - delay))%nat by lia. set (s := (t - delay)%nat).
    destruct (run s) as [_ w1]. destruct (run (delay + S s)%nat) as [v2 w2].
    replace (S (delay + (delay + s)))%nat with (delay + (delay + S s))%nat by lia.
    replace (S (delay + (delay + S s)))%nat with (delay + S (delay + S s))%nat by lia.
    replace (S (S (delay + (delay + s))))%nat with (delay + S (delay + S s))%nat by lia.
    replace (S (delay + s))%nat with (delay + S s)%nat by lia.
    assert (ev : v (delay + S s)%nat = w (delay + s)%nat - w (delay + S s)%nat) by lra.
    assert (zero : - w (delay + (delay + S s))%nat + w (delay + S (delay + S s))%nat
      + m * w (delay + s)%nat + (a - m) * w (delay + S s)%nat = 0).
    { rewrite w2, v2, ev. ring. }
    apply (f_equal RtoC) in zero. etransitivity; [|exact zero].
    repeat rewrite ?RtoC_plus, ?RtoC_opp, ?RtoC_mult. ring.
  - intros z z1 root. unfold shifted_momentum in root.
    assert (nz : (z ^ S delay - m)%C <> RtoC 0).
    { apply away_from_pole; [exact m1|]. rewrite Cmod_pow. apply pow_R1_Rle, z1. }
    set (V := fun t => (a * z ^ t / (z ^ S delay - m))%C).
    assert (power : forall t, (z ^ (delay + S t) = z ^ S delay * z ^ t)%C).
    { intro t. rewrite Cpow_sum. simpl. ring. }
    assert (v : forall t, (V (delay + S t)%nat = m * V t + a * z ^ t)%C).
    { intro t. unfold V. rewrite power. field. exact nz. }
    assert (w : forall t, (z ^ (delay + S t) = z ^ (delay + t) - V (delay + S t)%nat)%C).
    { intro t. unfold V. rewrite power, Cpow_sum. simpl Cpow. simpl Cpow in root, nz.
      transitivity (z ^ delay * z ^ t + z ^ delay * z ^ t * ((z - 1) * (z * z ^ delay - m) + a * z)
        / (z * z ^ delay - m) - a * (z * z ^ delay * z ^ t) / (z * z ^ delay - m))%C.
      - field. exact nz.
      - rewrite root. field. exact nz. }
    split; [exists (fun t => fst (V t))|exists (fun t => snd (V t))]; intro t;
    specialize (v t); specialize (w t); parts v; parts w; split; assumption.
Qed.

Theorem mixed_read_stable_means l delay a : stable (mixed_read l delay) a <->
  forall w, mixed_read_run l delay a w -> is_lim_seq w 0.
Proof.
  apply (stable_means _ (added (late delay [RtoC (a * l - 1); RtoC 1]) [RtoC (a * (1 - l))]) (S delay)).
  - rewrite added_length; rewrite late_length; simpl; lia.
  - rewrite added_leading, late_leading; [|discriminate|rewrite late_length; simpl; lia].
    unfold leading. simpl. exact one_not_zero.
  - intro z. rewrite value_added, value_late. unfold mixed_read. simpl.
    rewrite !RtoC_minus, !RtoC_mult, RtoC_minus. ring.
  - intros w run. exists O. intros t _. rewrite applied_added, applied_late. simpl.
    specialize (run t). rewrite <- Nat.add_succ_r, run.
    rewrite !RtoC_minus, !RtoC_mult, RtoC_plus, !RtoC_mult, RtoC_minus. ring.
  - intros z _ e. unfold mixed_read in e.
    assert (step : forall t, (z ^ (delay + S t) =
      z ^ (delay + t) - (RtoC (a * (1 - l)) * z ^ t + RtoC (a * l) * z ^ (delay + t)))%C).
    { intro t. rewrite !Cpow_sum, !RtoC_mult, RtoC_minus. simpl.
      transitivity (z ^ t * (z ^ delay * (z - 1) + a * ((1 - l) + l * z ^ delay)) + z ^ delay * z ^ t
        - (a * (1 - l) * z ^ t + a * l * (z ^ delay * z ^ t)))%C; [ring|]. rewrite e. ring. }
    split; intro t; specialize (step t); parts step; lra.
Qed.

Theorem decayed_sgd_stable_means c delay a : stable (decayed_sgd c delay) a <->
  forall w, decayed_sgd_run c delay a w -> is_lim_seq w 0.
Proof.
  apply (stable_means _ (added (late delay [RtoC (- (1 - c)); RtoC 1]) [RtoC a]) (S delay)).
  - rewrite added_length; rewrite late_length; simpl; lia.
  - rewrite added_leading, late_leading; [|discriminate|rewrite late_length; simpl; lia].
    unfold leading. simpl. exact one_not_zero.
  - intro z. rewrite value_added, value_late. unfold decayed_sgd. simpl.
    rewrite RtoC_opp, RtoC_minus. ring.
  - intros w run. exists O. intros t _. rewrite applied_added, applied_late. simpl.
    specialize (run t). rewrite <- Nat.add_succ_r, run.
    rewrite RtoC_minus, !RtoC_mult, RtoC_opp. ring.
  - intros z _ e. unfold decayed_sgd in e.
    assert (step : forall t, (z ^ (delay + S t) = RtoC (1 - c) * z ^ (delay + t) - RtoC a * z ^ t)%C).
    { intro t. rewrite !Cpow_sum, RtoC_minus. simpl.
      transitivity (z ^ t * (z ^ delay * (z - (1 - c)) + a) + (1 - c) * (z ^ delay * z ^ t) - a * z ^ t)%C;
        [ring|]. rewrite e. ring. }
    split; intro t; specialize (step t); parts step; lra.
Qed.
