(** * Arbitrary delays: two bounds of the threshold that need no rounding *)

Require Import Reals Lra Lia Psatz.
From DelayStability Require Import ArbitraryDelaysUnstable.
Open Scope R_scope.

(** With y = (2 tau + 1)/3 and d = y - J, from 0 to 2/3, the number under the root is
    (tau + d)^2 + 4 d (1 - d). *)
Section Bounds.
Variable tau : nat.
Let n := INR tau.
Let J := INR ((2 * tau + 1) / 3).
Let s := sqrt ((n + 1 + J) ^ 2 - 4 * J * (J + 1)).

Lemma plateau_distance : 0 <= n /\ 0 <= J /\ 0 <= (2 * n + 1) / 3 - J <= 2 / 3.
Proof.
  pose proof (pos_INR tau) as n0. fold n in n0. split; [exact n0|]. split; [apply pos_INR|].
  destruct (plateau_bounds tau) as [_ [low _]]. fold n J in low. split; [lra|].
  assert (h : (2 * tau + 1 <= 3 * ((2 * tau + 1) / 3) + 2)%nat).
  { pose proof (Nat.mul_succ_div_gt (2 * tau + 1) 3 ltac:(lia)). lia. }
  apply le_INR in h. rewrite !plus_INR, !mult_INR in h. simpl (INR 1) in h. simpl (INR 2) in h.
  simpl (INR 3) in h. fold n J in h. lra.
Qed.

Lemma plateau_root : let d := (2 * n + 1) / 3 - J in s * s = (n + d) ^ 2 + 4 * d * (1 - d) /\ 0 <= s.
Proof.
  intro d. destruct plateau_distance as [n0 [j0 b]]. fold d in b.
  assert (e : (n + 1 + J) ^ 2 - 4 * J * (J + 1) = (n + d) ^ 2 + 4 * d * (1 - d)) by (unfold d; field).
  split; [|apply sqrt_pos]. unfold s. rewrite sqrt_sqrt; [exact e|]. rewrite e.
  assert (0 <= d * (1 - d)) by (apply Rmult_le_pos; lra). pose proof (pow2_ge_0 (n + d)). lra.
Qed.

Lemma arbitrary_threshold_upper : arbitrary_threshold tau <= 3 / (2 * n + 1).
Proof.
  destruct plateau_distance as [n0 [j0 b]]. destruct plateau_root as [ss s0].
  set (d := (2 * n + 1) / 3 - J) in *.
  assert (low : n + d <= s).
  { apply Rnot_lt_le. intro h. assert (0 <= d * (1 - d)) by (apply Rmult_le_pos; lra).
    assert (s * s < (n + d) * (n + d)) by nra. lra. }
  unfold arbitrary_threshold. fold n J s. assert (e : J = (2 * n + 1) / 3 - d) by (unfold d; ring).
  replace (3 / (2 * n + 1)) with (4 / (4 * (2 * n + 1) / 3)) by (field; lra).
  apply Rmult_le_compat_l; [lra|]. apply Rinv_le_contravar; lra.
Qed.

Lemma arbitrary_threshold_lower : 3 / (1 / 2 + n + sqrt (3 / 4 + (1 / 2 + n) ^ 2)) <= arbitrary_threshold tau.
Proof.
  destruct plateau_distance as [n0 [j0 b]]. destruct plateau_root as [ss s0].
  set (d := (2 * n + 1) / 3 - J) in *. set (w := sqrt (3 / 4 + (1 / 2 + n) ^ 2)).
  assert (ww : w * w = 3 / 4 + (1 / 2 + n) ^ 2) by (apply sqrt_sqrt; pose proof (pow2_ge_0 (1 / 2 + n)); lra).
  assert (w0 : 0 <= w) by apply sqrt_pos.
  assert (w1 : 1 <= w) by (apply Rnot_lt_le; intro h; nra).
  assert (wn : n + 1 / 2 <= w) by (apply Rnot_lt_le; intro h; nra).
  assert (high : s <= d + (4 * w / 3 - (n + 2) / 3)).
  { apply Rnot_lt_le. intro h.
    assert (q : 0 <= d + (4 * w / 3 - (n + 2) / 3)) by lra.
    assert (l : (d + (4 * w / 3 - (n + 2) / 3)) * (d + (4 * w / 3 - (n + 2) / 3)) < s * s) by nra.
    assert (0 <= (2 * d + (2 * w / 3 - (2 * n + 4) / 3)) ^ 2) by apply pow2_ge_0.
    rewrite ss in l. nra. }
  unfold arbitrary_threshold. fold n J s. assert (e : J = (2 * n + 1) / 3 - d) by (unfold d; ring).
  replace (3 / (1 / 2 + n + w)) with (4 / (4 * (1 / 2 + n + w) / 3)) by (field; lra).
  apply Rmult_le_compat_l; [lra|]. apply Rinv_le_contravar; lra.
Qed.
End Bounds.
