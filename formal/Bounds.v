(** * SGD's threshold between two simple bounds, its law for long delays, and rules for the rate *)

Require Import Reals Lra Psatz.
From Coquelicot Require Import Coquelicot.
From DelayStability Require Import Loop Sgd.
Open Scope R_scope.

(** ** The sine between two polynomials *)

Lemma sine_below x : 0 <= x -> sin x <= x.
Proof.
  intro h. destruct (Rle_lt_or_eq_dec _ _ h) as [p|<-]; [|rewrite sin_0; lra].
  left. apply sin_lt_x, p.
Qed.

Lemma sine_above x : 0 <= x -> x <= 4 -> x - x ^ 3 / 6 <= sin x.
Proof.
  intros h k. destruct (pre_sin_bound x 0 h k) as [low _]. unfold sin_approx, sin_term in low.
  simpl in low. lra.
Qed.

Lemma sgd_threshold_upper n : sgd_threshold n <= PI / (2 * INR n + 1).
Proof.
  pose proof (pos_INR n). pose proof PI_RGT_0. unfold sgd_threshold.
  assert (0 < PI / (4 * INR n + 2)) by (apply Rdiv_lt_0_compat; lra).
  replace (PI / (2 * INR n + 1)) with (2 * (PI / (4 * INR n + 2))) by (field; lra).
  pose proof (sine_below (PI / (4 * INR n + 2)) ltac:(lra)). lra.
Qed.

Lemma sgd_threshold_lower n :
  PI / (2 * INR n + 1) - PI ^ 3 / (24 * (2 * INR n + 1) ^ 3) <= sgd_threshold n.
Proof.
  pose proof (pos_INR n). pose proof PI_RGT_0. pose proof PI_4. unfold sgd_threshold.
  set (x := PI / (4 * INR n + 2)).
  assert (x0 : 0 < x) by (apply Rdiv_lt_0_compat; lra).
  assert (e : (4 * INR n + 2) * x = PI) by (unfold x; field; lra).
  assert (x4 : x <= 4) by nra.
  pose proof (sine_above x ltac:(lra) x4).
  replace (PI / (2 * INR n + 1) - PI ^ 3 / (24 * (2 * INR n + 1) ^ 3)) with (2 * (x - x ^ 3 / 6)).
  - lra.
  - unfold x. field. lra.
Qed.

Lemma sgd_long_delay_limit : is_lim_seq (fun n => (2 * INR n + 1) * sgd_threshold n) PI.
Proof.
  pose proof PI_RGT_0 as pi0.
  apply is_lim_seq_le_le with (u := fun n => PI - PI ^ 3 / 24 * (/ (INR n + 1))) (w := fun _ => PI).
  - intro n. pose proof (pos_INR n) as p. split.
    + apply Rle_trans with ((2 * INR n + 1) *
        (PI / (2 * INR n + 1) - PI ^ 3 / (24 * (2 * INR n + 1) ^ 3))).
      * replace ((2 * INR n + 1) * (PI / (2 * INR n + 1) - PI ^ 3 / (24 * (2 * INR n + 1) ^ 3)))
          with (PI - PI ^ 3 / 24 * / (2 * INR n + 1) ^ 2) by (field; lra).
        assert (0 < PI ^ 3 / 24) by (assert (0 < PI ^ 3) by (apply pow_lt; lra); lra).
        assert (/ (2 * INR n + 1) ^ 2 <= / (INR n + 1)) by (apply Rinv_le_contravar; nra). nra.
      * apply Rmult_le_compat_l; [lra|apply sgd_threshold_lower].
    + apply Rle_trans with ((2 * INR n + 1) * (PI / (2 * INR n + 1))).
      * apply Rmult_le_compat_l; [lra|apply sgd_threshold_upper].
      * right. field. lra.
  - replace PI with (PI - PI ^ 3 / 24 * 0) at 1 by ring.
    apply (is_lim_seq_minus' (fun _ => PI) _ PI (PI ^ 3 / 24 * 0)); [apply is_lim_seq_const|].
    apply (is_lim_seq_scal_l _ (PI ^ 3 / 24) 0).
    apply (is_lim_seq_ext (fun n => / INR (S n))).
    { intro n. now rewrite S_INR. }
    apply (is_lim_seq_incr_1 (fun n => / INR n)).
    apply (is_lim_seq_inv INR p_infty is_lim_seq_INR). discriminate.
  - apply is_lim_seq_const.
Qed.

(** ** Rules that keep the accessible minima *)

Lemma same_minima_rule before after a_1 a_2 eta_1 eta_2 : threshold before a_1 -> threshold after a_2 ->
  0 < eta_1 -> (same_minima before eta_1 after eta_2 <-> eta_2 = a_2 * eta_1 / a_1).
Proof.
  intros [p1 t1] [p2 t2] e1. unfold same_minima. split.
  - intro same.
    assert (iff : forall h, 0 < eta_1 * h < a_1 <-> 0 < eta_2 * h < a_2).
    { intro h. rewrite <- t1, <- t2. apply same. }
    assert (e2 : 0 < eta_2).
    { destruct (proj1 (iff (a_1 / (2 * eta_1)))) as [u _].
      - replace (eta_1 * (a_1 / (2 * eta_1))) with (a_1 / 2) by (field; lra). lra.
      - assert (0 < a_1 / (2 * eta_1)) by (apply Rdiv_lt_0_compat; lra). nra. }
    destruct (Rtotal_order (eta_2 * a_1) (a_2 * eta_1)) as [h|[h|h]].
    + destruct (proj2 (iff (a_1 / eta_1))) as [_ u].
      * split; [apply Rmult_lt_0_compat; [lra|]; apply Rdiv_lt_0_compat; lra|].
        apply Rmult_lt_reg_r with eta_1; [lra|].
        replace (eta_2 * (a_1 / eta_1) * eta_1) with (eta_2 * a_1) by (field; lra). exact h.
      * replace (eta_1 * (a_1 / eta_1)) with a_1 in u by (field; lra). lra.
    + apply Rmult_eq_reg_r with a_1; [|lra]. rewrite h. field. lra.
    + destruct (proj1 (iff (a_2 / eta_2))) as [_ u].
      * split; [apply Rmult_lt_0_compat; [lra|]; apply Rdiv_lt_0_compat; lra|].
        apply Rmult_lt_reg_r with eta_2; [lra|].
        replace (eta_1 * (a_2 / eta_2) * eta_2) with (a_2 * eta_1) by (field; lra). lra.
      * replace (eta_2 * (a_2 / eta_2)) with a_2 in u by (field; lra). lra.
  - intros e h. rewrite t1, t2.
    assert (q : eta_2 * h = a_2 / a_1 * (eta_1 * h)) by (rewrite e; field; lra). rewrite q.
    assert (0 < a_2 / a_1) by (apply Rdiv_lt_0_compat; lra).
    assert (s : a_2 / a_1 * a_1 = a_2) by (field; lra). set (k := a_2 / a_1) in *.
    set (g := eta_1 * h). rewrite <- s. split; intros [u v].
    + split; [apply Rmult_lt_0_compat; lra|apply Rmult_lt_compat_l; lra].
    + split; [|apply Rmult_lt_reg_l with k; lra].
      apply Rmult_lt_reg_l with k; lra.
Qed.

Lemma sgd_threshold_zero : sgd_threshold 0 = 2.
Proof.
  unfold sgd_threshold. simpl. replace (PI / (4 * 0 + 2)) with (PI / 2) by (field). rewrite sin_PI2. ring.
Qed.

Lemma same_minima_sgd n eta_0 eta : 0 < eta_0 ->
  (same_minima (sgd 0) eta_0 (sgd n) eta <-> eta = eta_0 * sin (PI / (4 * INR n + 2))).
Proof.
  intro e0. rewrite (same_minima_rule _ _ _ _ eta_0 eta (sgd_is_threshold 0) (sgd_is_threshold n) e0).
  rewrite sgd_threshold_zero. unfold sgd_threshold.
  replace (2 * sin (PI / (4 * INR n + 2)) * eta_0 / 2) with (eta_0 * sin (PI / (4 * INR n + 2)))
    by field. reflexivity.
Qed.
