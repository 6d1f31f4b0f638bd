(** * The loop: complex numbers, what stable means, and the loops of the optimizers *)

Require Import Reals Lra Psatz Ranalysis5.
From Coquelicot Require Export Complex.
Open Scope R_scope.

(** ** Powers and the polar form *)

Fixpoint Cpow (z : C) (n : nat) : C :=
  match n with O => RtoC 1 | S k => Cmult z (Cpow z k) end.

Infix "^" := Cpow : C_scope.

Definition polar (r t : R) : C := (r * cos t, r * sin t).

(** ** A loop is a characteristic polynomial for every gain

    The gain is the learning rate times the curvature. A loop is stable if every complex root of its
    characteristic polynomial lies inside the unit circle; its threshold is the number below which
    exactly the positive gains are stable. *)

Definition loop := R -> C -> C.

Definition stable (loop : loop) (gain : R) : Prop :=
  forall z : C, loop gain z = RtoC 0 -> Cmod z < 1.

Definition threshold (loop : loop) (a : R) : Prop :=
  0 < a /\ forall gain : R, stable loop gain <-> 0 < gain < a.

(** With weight decay the gain 0 may be stable, and some below it: only positive gains count. *)
Definition decayed_threshold (loop : loop) (a : R) : Prop :=
  0 < a /\ forall gain : R, 0 < gain -> (stable loop gain <-> gain < a).

(** With A and B the denominator and numerator of an optimizer, the polynomial is
    z^delay (z - 1) A(z) + gain B(z), multiplied by the power of z that makes it one. *)

Definition sgd (delay : nat) : loop := fun a z =>
  (z ^ delay * (z - 1) + a)%C.

Definition heavy_ball (m : R) (delay : nat) : loop := fun a z =>
  (z ^ delay * (z - 1) * (z - m) + a * z)%C.

Definition ema_momentum (m : R) (delay : nat) : loop := fun a z =>
  (z ^ delay * (z - 1) * (z - m) + a * (1 - m) * z)%C.

Definition nesterov (m : R) (delay : nat) : loop := fun a z =>
  (z ^ delay * (z - 1) * (z - m) + a * ((1 + m) * z - m))%C.

Definition shifted_momentum (m : R) (delay : nat) : loop := fun a z =>
  ((z - 1) * (z ^ (S delay) - m) + a * z)%C.

(** A share l of the gradient is fresh, the rest late. *)
Definition mixed_read (l : R) (delay : nat) : loop := fun a z =>
  (z ^ delay * (z - 1) + a * ((1 - l) + l * z ^ delay))%C.

(** SGD whose present weights shrink by the share c in each update. *)
Definition decayed_sgd (c : R) (delay : nat) : loop := fun a z =>
  (z ^ delay * (z - (1 - c)) + a)%C.

(** ** The angle of a threshold: the first root of an equation *)

Definition first_root (left right : R -> R) (upper angle : R) : Prop :=
  0 < angle <= upper /\ left angle = right angle /\
  forall s, 0 < s < angle -> right s < left s.

(** ** Rules for the learning rate

    Two loops have the same accessible minima if every curvature is stable for both or for none. *)

Definition same_minima (before : loop) (rate : R) (after : loop) (new_rate : R) : Prop :=
  forall curvature : R, stable before (rate * curvature) <-> stable after (new_rate * curvature).

(** ** First consequences *)

Lemma threshold_unique p a b : threshold p a -> threshold p b -> a = b.
Proof.
  intros [a0 A] [b0 B].
  destruct (Rtotal_order a b) as [h|[h|h]]; [|exact h|].
  - assert (stable p a) as s by (apply B; lra). apply A in s. lra.
  - assert (stable p b) as s by (apply A; lra). apply B in s. lra.
Qed.

Lemma first_root_unique f g u s t : first_root f g u s -> first_root f g u t -> s = t.
Proof.
  intros [s0 [es bs]] [t0 [et bt]].
  destruct (Rtotal_order s t) as [h|[h|h]]; [|exact h|].
  - specialize (bt s ltac:(lra)). lra.
  - specialize (bs t ltac:(lra)). lra.
Qed.

Lemma Cpow_polar r t n : Cpow (polar r t) n = polar (r ^ n) (INR n * t).
Proof.
  induction n as [|n IH].
  - unfold polar, RtoC; simpl. rewrite Rmult_0_l, cos_0, sin_0. apply pair_equal_spec; split; ring.
  - simpl Cpow. rewrite IH, S_INR. unfold polar, Cmult; simpl fst; simpl snd.
    replace ((INR n + 1) * t) with (INR n * t + t) by ring.
    rewrite cos_plus, sin_plus; simpl pow. apply pair_equal_spec; split; ring.
Qed.

Lemma Cpow_real x n : Cpow (RtoC x) n = RtoC (x ^ n).
Proof.
  induction n as [|n IH]; [reflexivity|]. simpl. rewrite IH, <- RtoC_mult. reflexivity.
Qed.

Lemma Cconj_mult a b : Cconj (a * b)%C = (Cconj a * Cconj b)%C.
Proof. destruct a, b; unfold Cconj, Cmult; simpl. f_equal; ring. Qed.

Lemma Cconj_plus a b : Cconj (a + b)%C = (Cconj a + Cconj b)%C.
Proof. destruct a, b; unfold Cconj, Cplus; simpl. f_equal; ring. Qed.

Lemma Cconj_minus a b : Cconj (a - b)%C = (Cconj a - Cconj b)%C.
Proof. destruct a, b; unfold Cconj, Cminus, Cplus, Copp; simpl. f_equal; ring. Qed.

Lemma Cconj_real x : Cconj (RtoC x) = RtoC x.
Proof. unfold Cconj, RtoC; simpl. f_equal; ring. Qed.

Lemma Cconj_pow z n : Cconj (Cpow z n) = Cpow (Cconj z) n.
Proof.
  induction n as [|n IH]; simpl; [apply Cconj_real|]. now rewrite Cconj_mult, IH.
Qed.

(** Rewrites the conjugate of a polynomial with real coefficients. *)
Ltac conjugate :=
  repeat (rewrite ?Cconj_plus, ?Cconj_minus, ?Cconj_mult, ?Cconj_pow, ?Cconj_real);
  try reflexivity.

Lemma Cconj_conj z : Cconj (Cconj z) = z.
Proof. destruct z; unfold Cconj; simpl. f_equal; ring. Qed.

Lemma Cmod_conj z : Cmod (Cconj z) = Cmod z.
Proof. unfold Cmod, Cconj; simpl. f_equal; ring. Qed.

Lemma Cmod_polar r t : 0 <= r -> Cmod (polar r t) = r.
Proof.
  intro h. unfold Cmod, polar; simpl fst; simpl snd.
  replace ((r * cos t) ^ 2 + (r * sin t) ^ 2) with (r * r * ((sin t)² + (cos t)²))
    by (unfold Rsqr; ring).
  rewrite sin2_cos2, Rmult_1_r. apply sqrt_square, h.
Qed.

Lemma polar_exists z : exists t, 0 <= t <= PI /\
  (z = polar (Cmod z) t \/ Cconj z = polar (Cmod z) t).
Proof.
  destruct (Ceq_dec z (RtoC 0)) as [->|nz].
  { exists 0. pose proof PI_RGT_0. split; [lra|]. left. rewrite Cmod_0. unfold polar, RtoC.
    f_equal; ring. }
  pose proof (Cmod_gt_0 z) as [pos _]. specialize (pos nz).
  destruct z as [x y]. set (r := Cmod (x, y)) in *.
  assert (sq : r * r = x * x + y * y).
  { unfold r, Cmod; simpl fst; simpl snd. rewrite sqrt_sqrt; nra. }
  assert (xr : -1 <= x / r <= 1).
  { split; [apply Rmult_le_reg_r with r | apply Rmult_le_reg_r with r]; try exact pos;
    unfold Rdiv; rewrite Rmult_assoc, Rinv_l by lra; nra. }
  exists (acos (x / r)). split; [apply acos_bound|].
  assert (c : r * cos (acos (x / r)) = x) by (rewrite cos_acos by exact xr; field; lra).
  assert (s : r * sin (acos (x / r)) = Rabs y).
  { rewrite sin_acos by exact xr. rewrite <- (sqrt_square r) at 1 by lra.
    rewrite <- sqrt_mult; [|nra|unfold Rsqr; nra].
    rewrite <- sqrt_Rsqr_abs. f_equal. unfold Rsqr.
    replace (r * r * (1 - x / r * (x / r))) with (r * r - x * x) by (field; lra). lra. }
  unfold polar, Cconj; simpl fst; simpl snd. rewrite c, s.
  destruct (Rle_dec 0 y) as [h|h].
  - left. rewrite Rabs_pos_eq by exact h. reflexivity.
  - right. rewrite Rabs_left by lra. reflexivity.
Qed.

(** What is to be shown for a threshold: no root outside below it, one outside from it on, and one
    for every gain that is not positive. *)
Lemma threshold_intro p a : 0 < a ->
  (forall g z, p g (Cconj z) = Cconj (p g z)) ->
  (forall g r t, 0 < g < a -> 1 <= r -> 0 <= t <= PI -> p g (polar r t) <> RtoC 0) ->
  (forall g, a <= g -> exists z, 1 <= Cmod z /\ p g z = RtoC 0) ->
  (forall g, g <= 0 -> exists x, 1 <= x /\ p g (RtoC x) = RtoC 0) ->
  threshold p a.
Proof.
  intros apos conj inside outside negative. split; [exact apos|]. intro g. split.
  - intro st. destruct (Rle_lt_dec a g) as [h|h].
    { destruct (outside g h) as [z [m e]]. specialize (st z e). lra. }
    destruct (Rle_lt_dec g 0) as [n|n]; [|lra].
    destruct (negative g n) as [x [m e]]. specialize (st _ e). rewrite Cmod_R in st.
    rewrite Rabs_pos_eq in st; lra.
  - intros h z e. destruct (Rlt_le_dec (Cmod z) 1) as [l|l]; [exact l|]. exfalso.
    destruct (polar_exists z) as [t [b [q|q]]].
    + apply (inside g (Cmod z) t h l b). rewrite <- q. exact e.
    + apply (inside g (Cmod z) t h l b). rewrite <- q, conj, e. apply Cconj_real.
Qed.

(** A root from 1 on for a polynomial that is real on the real axis. *)
Lemma real_root (p : C -> C) (f : R -> R) (X : R) : continuity f ->
  (forall x, p (RtoC x) = RtoC (f x)) -> 1 <= X -> f 1 <= 0 -> 0 <= f X ->
  exists x, 1 <= x /\ p (RtoC x) = RtoC 0.
Proof.
  intros cont real X1 low high.
  destruct (Rle_lt_or_eq_dec _ _ low) as [l|l]; [|exists 1; split; [lra|]; now rewrite real, l].
  destruct (Rle_lt_or_eq_dec _ _ high) as [h|h]; [|exists X; split; [lra|]; now rewrite real, <- h].
  destruct (IVT f 1 X cont) as [x [b e]]; [|exact l|exact h|].
  - destruct (Rle_lt_or_eq_dec _ _ X1) as [q|q]; [exact q|]. rewrite <- q in h. lra.
  - exists x. split; [lra|]. now rewrite real, e.
Qed.
