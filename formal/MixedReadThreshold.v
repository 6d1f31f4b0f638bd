(** * Mixed reads: the threshold of gradients that are mostly late, for every delay *)

Require Import Reals Lra Lia Psatz.
From DelayStability Require Import Loop RootsInside Branch Trigonometry Multiples HeavyBall Ema
  Shifted ShiftedNegative ShiftedNegativeUnstable MixedReadUnstable.
Open Scope R_scope.

(** ** No root outside below it *)
Section Stable.
Variables (m : R) (n : nat) (T : R).
Hypothesis m1 : -1 < m < 1.
Hypothesis n1 : (1 <= n)%nat.
Hypothesis angle : shifted_angle m n T.
Let N := INR n.
Let g := fresh_gain n T.

Lemma mixed_T : 0 < T /\ (N + 1) * T < PI.
Proof.
  pose proof PI_RGT_0. pose proof (N_one n n1) as N1. fold N in N1.
  destruct (Rle_lt_dec 0 m) as [h|h].
  - destruct (shifted_T m n T ltac:(lra) angle) as [a b]. fold N in b. split; [exact a|nra].
  - destruct (negative_T m n T ltac:(lra) n1 angle) as [_ [a [b _]]]. now split.
Qed.

Lemma fresh_step t : sin ((N + 1) * t) - sin (N * t) = 2 * sin (t / 2) * cos (t * (1 / 2 + N)).
Proof.
  replace ((N + 1) * t) with (t * (1 / 2 + N) + t / 2) by field.
  replace (N * t) with (t * (1 / 2 + N) - t / 2) by field. rewrite sin_plus, sin_minus. ring.
Qed.

Lemma mixed_at : sin ((N + 1) * T) = sin (N * T) + m * sin T.
Proof.
  pose proof (fresh_step T) as e. destruct angle as [_ [eq _]]. simpl in eq. fold N in eq.
  rewrite eq in e. rewrite (sin_half T). lra.
Qed.

Let T1 : 0 < T /\ (N + 1) * T <= PI.
Proof. destruct mixed_T. lra. Qed.

Lemma mixed_facts : 1 <= N /\ 0 < T /\ (N + 1) * T < PI /\ 0 < sin T /\ 0 < sin (N * T).
Proof.
  destruct (fresh_T m n T ltac:(lra) n1 T1) as [N1 [T0 [_ [s [S _]]]]]. destruct mixed_T as [_ TU]. now repeat split.
Qed.

Lemma mixed_gain : 0 < g /\ g * sin (N * T) = sin T /\ g <= 1 /\
  (1 + m * g) * sin (N * T) = sin ((N + 1) * T) /\
  2 * (1 - cos T) * (1 + m * g) = (1 - m * m) * (g * g).
Proof. exact (fresh_gain_facts m n T ltac:(lra) n1 T1 mixed_at). Qed.

Lemma fresh_below t : 0 < t < T -> sin (N * t) + m * sin t < sin ((N + 1) * t).
Proof.
  intro b. destruct mixed_facts as [N1 [T0 [TU _]]]. pose proof PI_RGT_0.
  pose proof (fresh_step t) as e. destruct angle as [_ [_ below]]. specialize (below t b). simpl in below.
  fold N in below. assert (s : 0 < sin (t / 2)) by (apply half_positive; nra). rewrite (sin_half t).
  assert (0 < sin (t / 2) * (cos (t * (1 / 2 + N)) - m * cos (t / 2))) by (apply Rmult_lt_0_compat; lra).
  lra.
Qed.

(** For momentum up to 0 the modulus is too large from the angle on. *)
Lemma fresh_modulus b r t : m <= 0 -> 0 < b < g -> 1 <= r -> T <= t <= PI ->
  b * b < r * r + (1 + m * b) * (1 + m * b) - 2 * r * (1 + m * b) * cos t.
Proof.
  intros neg bg r1 bt. destruct mixed_facts as [N1 [T0 [TU _]]]. destruct mixed_gain as [g0 [_ [g1 [_ e]]]].
  assert (c : cos t <= cos T) by (apply cos_decr_1; lra).
  set (p := 1 + m * b). assert (p0 : 0 < p) by (unfold p; nra). assert (p1 : p <= 1) by (unfold p; nra).
  assert (cT : (1 - m * m) * (b * b) < 2 * (1 - cos T) * p).
  { assert (k0 : 0 < 1 + m * g) by nra. apply Rmult_lt_reg_r with (1 + m * g); [exact k0|].
    replace (2 * (1 - cos T) * p * (1 + m * g)) with (2 * (1 - cos T) * (1 + m * g) * p) by ring. rewrite e.
    assert (d : 0 < g * g * p - b * b * (1 + m * g)).
    { replace (g * g * p - b * b * (1 + m * g)) with ((g - b) * (g + b + m * (b * g))) by (unfold p; ring).
      apply Rmult_lt_0_compat; [lra|]. assert (b * g <= b) by nra. assert (0 <= b * g) by nra. nra. }
    assert (0 < (1 - m * m) * (g * g * p - b * b * (1 + m * g))) by (apply Rmult_lt_0_compat; nra). lra. }
  assert (f : 0 < 1 + p * p - b * b - 2 * p * cos T).
  { replace (1 + p * p - b * b - 2 * p * cos T) with (2 * (1 - cos T) * p - (1 - m * m) * (b * b))
      by (unfold p; ring). lra. }
  assert (h : 0 <= (r - 1) * (r - (p * p - b * b))) by (apply Rmult_le_pos; nra).
  assert (k : 0 <= r * (1 + p * p - b * b - 2 * p * cos T) - (1 + p * p - b * b - 2 * p * cos T)) by nra.
  assert (w : r * p * cos t <= r * p * cos T) by (apply Rmult_le_compat_l; [nra|exact c]).
  nra.
Qed.

(** For positive momentum the sine chord, and beyond pi/n the distance from the ray. *)
Lemma fresh_chord b r t : 0 < m -> 0 < b < g -> 1 <= r -> T <= t < PI ->
  fresh_loop m n b (polar r t) <> RtoC 0.
Proof.
  intros pos bg r1 bt root. destruct mixed_facts as [N1 [T0 [TU [sT ST]]]].
  destruct mixed_gain as [g0 [gS [g1 _]]]. pose proof PI_RGT_0.
  destruct (shifted_T m n T ltac:(lra) angle) as [_ TN]. fold N in TN.
  destruct (fresh_root m n b r t r1 root) as [im [_ md]]. fold N in im.
  assert (s : 0 < sin t) by (apply sin_gt_0; lra).
  assert (q1 : 1 <= r ^ n) by (apply pow_R1_Rle; exact r1).
  assert (big : sin t <= b * sin (N * t)).
  { rewrite im. assert (1 <= r ^ n * r) by nra. replace (r ^ n * (r * sin t)) with (r ^ n * r * sin t) by ring. nra. }
  destruct (Rle_lt_dec (N * t) PI) as [h|h].
  - pose proof (sine_chord n T t T0 ltac:(lra) h ltac:(lra)) as chord. fold N in chord.
    assert (S0 : 0 < sin (N * t)) by (apply Rmult_lt_reg_l with b; lra).
    assert (u : sin (N * T) * sin t <= sin (N * T) * (b * sin (N * t))) by (apply Rmult_le_compat_l; lra).
    assert (v : 0 < (g - b) * (sin (N * T) * sin (N * t))) by (repeat apply Rmult_lt_0_compat; lra).
    rewrite <- gS in chord. lra.
  - set (p := 1 + m * b) in *. assert (p1 : 1 <= p) by (unfold p; nra).
    assert (dist : sin t * sin t <= b * b \/ 1 <= b * b).
    { pose proof (circle t) as c1. destruct (Rle_lt_dec 0 (cos t)) as [c0|c0].
      - left. pose proof (Rle_0_sqr (r - p * cos t)) as sq. unfold Rsqr in sq.
        assert (e : r * r + p * p - 2 * r * p * cos t = (r - p * cos t) * (r - p * cos t) + p * p * (sin t * sin t)).
        { replace (sin t * sin t) with (1 - cos t * cos t) by lra. ring. }
        assert (pp : 1 <= p * p) by nra. assert (ss : 0 <= sin t * sin t) by (apply Rmult_le_pos; lra).
        assert (sin t * sin t <= p * p * (sin t * sin t)) by nra. lra.
      - right. assert (rp : 0 < r * p) by nra. assert (0 < r * p * - cos t) by (apply Rmult_lt_0_compat; lra).
        nra. }
    assert (b1 : b < 1) by lra.
    destruct dist as [d|d]; [|nra]. set (y := PI / (2 * N + 1)).
    assert (ey : (2 * N + 1) * y = PI) by (unfold y; field; lra).
    assert (n2 : 2 <= N).
    { unfold N. destruct n as [|[|k]]; [lia| |rewrite !S_INR; pose proof (pos_INR k); lra].
      exfalso. unfold N in h. simpl in h. lra. }
    assert (y0 : 0 < y) by nra. assert (y4 : y <= PI / 4) by nra.
    assert (low : 2 * sin (y / 2) <= sin (2 * y)).
    { rewrite sin_2a, (sin_half y). pose proof (circle (PI / 4)) as c4.
      assert (c0 : 0 < cos (PI / 4)) by (apply cos_gt_0; lra).
      assert (sc : sin (PI / 4) = cos (PI / 4)) by apply sin_cos_PI4.
      assert (c1 : cos (PI / 4) <= cos y) by (apply cos_decr_1; lra).
      assert (c2 : cos (PI / 4) <= cos (y / 2)) by (apply cos_decr_1; lra).
      assert (1 / 2 <= cos (y / 2) * cos y).
      { apply Rle_trans with (cos (PI / 4) * cos (PI / 4)); [rewrite sc in c4; lra|apply Rmult_le_compat; lra]. }
      assert (0 < sin (y / 2)) by (apply sin_gt_0; lra). nra. }
    assert (gy : g <= 2 * sin (y / 2)).
    { pose proof (sine_chord n T y T0 ltac:(nra) ltac:(fold N; nra) ltac:(lra)) as chord. fold N in chord.
      replace (N * y) with (PI / 2 - y / 2) in chord by lra. rewrite sin_shift, (sin_half y) in chord.
      assert (c0 : 0 < cos (y / 2)) by (apply cos_gt_0; lra).
      apply Rmult_le_reg_r with (sin (N * T)); [exact ST|]. rewrite gS.
      apply Rmult_le_reg_l with (cos (y / 2)); [exact c0|]. lra. }
    assert (y2 : sin (2 * y) <= sin t).
    { destruct (Rle_lt_dec t (PI / 2)) as [k|k]; [apply sin_mono; nra|].
      destruct (Rle_lt_dec 0 (cos t)) as [c0|c0].
      - exfalso. assert (cos t < 0) by (apply cos_lt_0; lra). lra.
      - exfalso. assert (rp : 0 < r * p) by nra.
        assert (0 < r * p * - cos t) by (apply Rmult_lt_0_compat; lra). nra. }
    assert (0 < sin (y / 2)) by (apply sin_gt_0; lra). nra.
Qed.

(** Below the angle the imaginary part does not vanish. *)
Lemma fresh_gap b r t : 0 < b < g -> 1 <= r -> 0 < t < T -> fresh_loop m n b (polar r t) <> RtoC 0.
Proof.
  intros bg r1 bt root. destruct mixed_facts as [N1 [T0 [TU [sT ST]]]]. pose proof PI_RGT_0.
  destruct mixed_gain as [g0 [gS [g1 [pS _]]]]. destruct (fresh_root m n b r t r1 root) as [im [e _]]. fold N in im, e.
  assert (s : 0 < sin t) by (apply sin_gt_0; nra). assert (S : 0 < sin (N * t)) by (apply sin_gt_0; nra).
  assert (Q : 0 < sin ((N + 1) * t)) by (apply sin_gt_0; nra).
  assert (rQ : sin ((N + 1) * t) <= r * sin ((N + 1) * t)) by nra.
  destruct (Rle_lt_dec m 0) as [neg|pos].
  - pose proof (fresh_below t bt) as X. assert (q1 : 1 <= r ^ n) by (apply pow_R1_Rle; exact r1).
    assert (big : sin t <= b * sin (N * t)).
    { rewrite im. assert (1 <= r ^ n * r) by nra.
      replace (r ^ n * (r * sin t)) with (r ^ n * r * sin t) by ring. nra. }
    nra.
  - pose proof (sine_ratio n T t ltac:(lra) ltac:(lra) ltac:(fold N; nra) ltac:(nra)) as k. fold N in k.
    rewrite <- pS in k. assert (mb : m * b < m * g) by nra.
    assert (0 < sin (N * T) * ((m * g - m * b) * sin (N * t))) by (repeat apply Rmult_lt_0_compat; lra). nra.
Qed.

(** On the real axis. *)
Lemma power_against_line u : 0 <= u -> forall k, (1 + u) ^ k * (1 - INR k * u) <= 1.
Proof.
  clear. intros u0 k. induction k as [|k IH]; [simpl; lra|]. rewrite S_INR. simpl.
  pose proof (pos_INR k). assert (0 <= (1 + u) ^ k) by (apply pow_le; lra).
  assert (0 <= (1 + u) ^ k * ((INR k + 1) * (u * u))) by (repeat apply Rmult_le_pos; nra).
  replace ((1 + u) * (1 + u) ^ k * (1 - (INR k + 1) * u)) with
    ((1 + u) ^ k * (1 - INR k * u) - (1 + u) ^ k * ((INR k + 1) * (u * u))) by ring. lra.
Qed.

Lemma fresh_slope : 0 < m -> N * (m * g) <= 1.
Proof.
  intro pos. destruct mixed_facts as [N1 [T0 [TU [sT ST]]]]. destruct mixed_gain as [g0 [gS [_ [pS _]]]].
  destruct (shifted_T m n T ltac:(lra) angle) as [_ TN]. fold N in TN. pose proof PI_RGT_0.
  pose proof (sine_above_multiple n T ltac:(lra) ltac:(fold N; nra)) as h. fold N in h.
  rewrite sin_next in pS. pose proof (COS_bound T) as [_ c].
  apply Rmult_le_reg_r with (sin (N * T)); [exact ST|].
  assert (e : N * (m * g) * sin (N * T) = N * ((1 + m * g) * sin (N * T)) - N * sin (N * T)) by ring.
  rewrite e, pS. assert (N * (sin (N * T) * cos T) <= N * (sin (N * T) * 1)).
  { apply Rmult_le_compat_l; [lra|]. apply Rmult_le_compat_l; lra. }
  lra.
Qed.

Lemma fresh_no_positive_root b r : 0 < b < g -> 1 <= r -> fresh_loop m n b (polar r 0) <> RtoC 0.
Proof.
  intros bg r1 root. rewrite fresh_polar in root. apply pair_equal_spec in root. destruct root as [re _].
  rewrite !Rmult_0_r, cos_0, sin_0 in re. destruct mixed_facts as [N1 _].
  assert (q1 : 1 <= r ^ n) by (apply pow_R1_Rle; exact r1).
  set (e := m * b). replace (1 + m * b) with (1 + e) in re by reflexivity.
  destruct (Rle_lt_dec e (r - 1)) as [h|h].
  - assert (0 <= r ^ n * (r - (1 + e))) by (apply Rmult_le_pos; lra). lra.
  - assert (pos : 0 < m).
    { apply Rnot_le_lt. intro neg. assert (e <= 0) by (unfold e; nra). lra. }
    pose proof (fresh_slope pos) as slope. assert (eg : e <= m * g) by (unfold e; nra).
    assert (e0 : 0 <= e) by (unfold e; nra). assert (ne : N * e <= 1) by nra.
    set (u := r - 1) in *. assert (u0 : 0 <= u) by (unfold u; lra).
    pose proof (power_against_line u u0 n) as line. replace (1 + u) with r in line by (unfold u; ring).
    fold N in line. assert (k : 0 < 1 - N * u) by nra.
    assert (le : r ^ n * (e - u) <= e).
    { apply Rmult_le_reg_r with (1 - N * u); [exact k|]. apply Rle_trans with (1 * (e - u)).
      - replace (r ^ n * (e - u) * (1 - N * u)) with (r ^ n * (1 - N * u) * (e - u)) by ring.
        apply Rmult_le_compat_r; lra.
      - assert (0 <= u * (1 - N * e)) by (apply Rmult_le_pos; lra). lra. }
    assert (e < b) by (unfold e; nra).
    replace (r * 1 - (1 + e)) with (- (e - u)) in re by (unfold u; ring). lra.
Qed.

Lemma fresh_stable_side b r t : 0 < b < g -> 1 <= r -> 0 <= t <= PI ->
  fresh_loop m n b (polar r t) <> RtoC 0.
Proof.
  intros bg r1 bt root. destruct mixed_facts as [N1 [T0 _]]. destruct mixed_gain as [_ [_ [g1 _]]].
  destruct (Rle_lt_or_eq_dec 0 t ltac:(lra)) as [t0|t0].
  2:{ subst t. exact (fresh_no_positive_root b r bg r1 root). }
  destruct (Rlt_le_dec t T) as [h|h]; [exact (fresh_gap b r t bg r1 ltac:(lra) root)|].
  destruct (Rle_lt_dec m 0) as [neg|pos].
  - pose proof (fresh_modulus b r t neg bg r1 ltac:(lra)). destruct (fresh_root m n b r t r1 root) as [_ [_ d]]. lra.
  - destruct (Rle_lt_or_eq_dec t PI ltac:(lra)) as [l|e].
    + exact (fresh_chord b r t pos bg r1 ltac:(lra) root).
    + destruct (fresh_root m n b r t r1 root) as [_ [_ d]]. rewrite e, cos_PI in d.
      assert (p : 1 <= 1 + m * b) by nra. nra.
Qed.

Theorem fresh_is_threshold : threshold (fresh_loop m n) g.
Proof.
  apply threshold_by_instability.
  - apply mixed_gain.
  - intros b z. unfold fresh_loop. conjugate.
  - exact fresh_stable_side.
  - intros b h. exact (fresh_unstable m n T ltac:(lra) n1 T1 mixed_at b h).
  - intros b h. exact (fresh_negative m n ltac:(lra) b h).
Qed.
End Stable.

(** ** The theorem *)

(** The equation of the angle in the share. *)
Definition mixed_read_angle (l : R) (n : nat) : R -> Prop :=
  first_root (fun t => l * cos (t / 2) + (1 - l) * cos (t * (1 / 2 + INR n))) (fun _ => 0) PI.

Lemma mixed_read_angle_shifted l n T : l < 1 / 2 -> shifted_angle (- l / (1 - l)) n T ->
  mixed_read_angle l n T.
Proof.
  intros l1 [b [eq below]]. simpl in eq.
  assert (e : forall x, l * x = - ((1 - l) * (- l / (1 - l) * x))) by (intro x; field; lra).
  split; [exact b|]. split.
  - rewrite eq, (e (cos (T / 2))). ring.
  - intros s bs. specialize (below s bs). simpl in below. rewrite (e (cos (s / 2))).
    assert (0 < (1 - l) * (cos (s * (1 / 2 + INR n)) - - l / (1 - l) * cos (s / 2)))
      by (apply Rmult_lt_0_compat; lra). lra.
Qed.

Lemma mixed_from_fresh l m n a : l < 1 -> m * (1 - l) = - l -> threshold (fresh_loop m n) a ->
  threshold (mixed_read l n) (a / (1 - l)).
Proof.
  intros l1 ml t. destruct (threshold_scaled _ (1 - l) _ ltac:(lra) t) as [p s].
  split; [exact p|]. intro g. rewrite <- s.
  assert (same : forall z, fresh_loop m n (g * (1 - l)) z = mixed_read l n g z).
  { intro z. unfold fresh_loop, mixed_read.
    assert (e : (RtoC m * RtoC (g * (1 - l)))%C = RtoC (- (g * l))).
    { rewrite <- RtoC_mult. f_equal. replace (m * (g * (1 - l))) with (g * (m * (1 - l))) by ring.
      rewrite ml. ring. }
    rewrite e, RtoC_opp, !RtoC_mult, RtoC_minus. ring. }
  split; intros h z e; apply h; rewrite <- e; [symmetry|]; apply same.
Qed.

Theorem mixed_read_is_threshold l n : l < 1 / 2 -> (1 <= n)%nat -> exists T,
  mixed_read_angle l n T /\ threshold (mixed_read l n) (sin T / ((1 - l) * sin (T * INR n))).
Proof.
  intros l1 n1. set (m := - l / (1 - l)). assert (e : m * (1 - l) = - l) by (unfold m; field; lra).
  assert (m1 : -1 < m < 1) by (split; apply Rmult_lt_reg_r with (1 - l); lra).
  destruct (shifted_is_threshold_everywhere n m ltac:(lra) ltac:(lra)) as [T [angle _]]. exists T.
  split; [exact (mixed_read_angle_shifted l n T l1 angle)|].
  destruct (mixed_facts m n T m1 n1 angle) as [_ [_ [_ [_ S]]]].
  replace (sin T / ((1 - l) * sin (T * INR n))) with (fresh_gain n T / (1 - l)).
  - apply (mixed_from_fresh l m n); [lra|exact e|]. exact (fresh_is_threshold m n T m1 n1 angle).
  - unfold fresh_gain. rewrite (Rmult_comm T). field. split; lra.
Qed.
