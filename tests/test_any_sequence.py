"""Every sequence of delays up to a bound: the closed form of SGD, and bounds of other loops."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from scipy.optimize import linprog

import delaystability as ds
from delaystability.model.delay_data import delay_from_dict, delay_to_dict
from delaystability.numerics.sequences.delay_matrices import DelayMatrices
from delaystability.numerics.sequences.polytope_norm import contracted_polytope
from delaystability.numerics.sequences.small_gain import _root_above, small_gain_threshold

TWO_LAGS = ds.LinearOptimizer({1: 0.3, 2: -0.2}, {0: 1, 1: 0.5})


def bounded(delay, optimizer=ds.SGD(), **more):  # noqa: B008
    return ds.Loop(optimizer, ds.BoundedDelay(delay), **more)


def next_swing(gain, delay, u):
    """The next maximum over the last, where the iterate is at -u as it turns."""
    return -u + gain * sum(min(1, gain * s + u) for s in range(delay + 1))


def largest_swing(gain, delay):
    """Of every u in [0, gain]: the function is linear between the kinks, where gain s + u = 1."""
    kinks = [1 - gain * s for s in range(delay + 1)]
    return max(next_swing(gain, delay, u) for u in [0, gain, *(k for k in kinks if 0 < k < gain)])


def radius_of_words(optimizer, gain, delay, length):
    """The largest spectral radius, for each update, of all words of this length."""
    steps = DelayMatrices.of(bounded(delay, optimizer), delay).at(gain)
    products = steps
    for _ in range(length - 1):
        products = np.einsum("aij,bjk->abik", products, steps).reshape(-1, *steps.shape[1:])
    return float(np.abs(np.linalg.eigvals(products)).max() ** (1 / length))


def run(optimizer, gain, delays, start):
    """The iterates of any linear optimizer, from its definition; all iterates before were start."""
    tables = optimizer.coefficients(0)
    iterates, updates, gradients = [start], [], []

    def at(values, index, before):
        return values[index] if index >= 0 else before

    for t, delay in enumerate(delays):
        gradients.append(gain * at(iterates, t - delay, start))
        updates.append(
            sum(f * at(updates, t - lag, 0) for lag, f in tables.feedback)
            + sum(b * at(gradients, t - lag, 0) for lag, b in tables.feedforward)
        )
        iterates.append(iterates[-1] - updates[-1])
    return iterates


# SGD: the closed form.


@pytest.mark.slow
def test_the_closed_form_is_where_the_largest_swing_is_one():
    delays = np.random.default_rng(0).integers(1, 400, 60)
    for delay in delays.tolist():
        found = ds.stability_threshold(ds.SGD(), ds.BoundedDelay(delay))
        for factor, below in ((1 - 1e-12, True), (1 + 1e-12, False)):
            assert (largest_swing(Fraction(found) * Fraction(factor), delay) < 1) == below


@pytest.mark.parametrize("delay", [1, 4, 7, 10, 3 * 10**6 + 1, 2**53 - 1])
def test_it_is_rational_where_three_divides(delay):
    assert (2 * delay + 1) % 3 == 0
    found = ds.stability_threshold(ds.SGD(), ds.BoundedDelay(delay))
    assert found == pytest.approx(3 / (2 * delay + 1), rel=4e-16)


def test_it_is_at_most_5_percent_below_the_fixed_delay():
    delays = np.unique(np.geomspace(1, 10**7, 200).astype(int))
    fixed = ds.stability_threshold(ds.SGD(), delays)
    found = [ds.stability_threshold(ds.SGD(), ds.BoundedDelay(int(delay))) for delay in delays]
    ratio = np.array(found) / fixed
    assert ratio.min() > 0.9477 and ratio.max() == pytest.approx(1, abs=1e-15)
    assert ratio[-1] == pytest.approx(3 / np.pi, rel=1e-6)


@pytest.mark.parametrize("delay", [0, 1, 2, 3, 8, 21, 64])
def test_the_extremal_log_turns_an_iterate_into_minus_the_swing(delay):
    bound = ds.BoundedDelay(delay)
    log = bound.extremal_log().sequence.tolist()
    edge = ds.stability_threshold(ds.SGD(), bound)
    for factor in (Fraction(999, 1000), Fraction(1001, 1000)):
        gain = Fraction(edge) * factor
        iterates = run(ds.SGD(), gain, log * 3, Fraction(1))
        plateau = bound.plateau
        swing = (delay + 1 + plateau) * gain - plateau * (plateau + 1) * gain**2 / 2 - 1
        turns = iterates[:: len(log)]
        assert [turns[k + 1] / turns[k] for k in range(3)] == [-swing] * 3
        assert (swing < 1) == (factor < 1)
        # Next below the threshold no other swing is larger.
        assert factor > 1 or not delay or swing == largest_swing(gain, delay)


@pytest.mark.parametrize("delay", [1, 2, 3, 5, 8])
def test_a_replay_of_the_extremal_log_has_the_closed_form(delay):
    bound = ds.BoundedDelay(delay)
    found = ds.replay_threshold(ds.SGD(), bound.extremal_log())
    assert found == pytest.approx(ds.stability_threshold(ds.SGD(), bound), rel=1e-10)


@pytest.mark.parametrize(("delay", "length"), [(1, 9), (2, 6), (3, 5)])
def test_no_word_grows_below_it(delay, length):
    edge = ds.stability_threshold(ds.SGD(), ds.BoundedDelay(delay))
    for n in range(1, length + 1):
        assert radius_of_words(ds.SGD(), edge * (1 - 1e-6), delay, n) < 1
    longest = 1 + delay + ds.BoundedDelay(delay).plateau
    assert radius_of_words(ds.SGD(), edge * (1 + 1e-6), delay, longest) > 1


def test_swings_of_any_sequence_are_bounded():
    """The other half of the proof, on sequences that an adversary and chance choose."""
    generator = np.random.default_rng(1)
    swings = 0
    for _ in range(120):
        delay = int(generator.integers(1, 20))
        gain = ds.stability_threshold(ds.SGD(), ds.BoundedDelay(delay)) * generator.uniform(0.8, 1)
        iterates = list(generator.standard_normal(delay + 1))
        for t in range(delay, 12 * delay + 20):
            window = iterates[t - delay : t + 1]
            greedy = np.argmax(np.multiply(window, np.sign(iterates[t]) or 1))
            read = window[int(generator.integers(delay + 1))] if t % 3 == 0 else window[greedy]
            iterates.append(iterates[t] - gain * read)
        values = np.array(iterates)
        for k in range(3 * delay, values.size - 1):
            sign = np.sign(values[k + 1])
            if sign and values[k] * sign <= 0:
                later = values[k + 1 :] * sign
                end = np.argmax(later <= 0) or later.size
                before = np.abs(values[k - 2 * delay : k + 1]).max()
                assert later[:end].max() <= largest_swing(gain, delay) * before * (1 + 1e-12)
                swings += 1
    assert swings > 500


# Other loops: the small gain.


def scanned_small_gain(loop, delay, angles):
    """One over the maximum of b(theta), from the formula."""
    z = np.exp(1j * angles)
    tables = loop.tables().converted(float)
    a, b = (sum(v * z**-k for k, v in table.items()) for table in tables)
    free = (z - 1) * a + loop.decay * (b if loop.coupled else a)
    h = b / free
    inside = (delay * np.abs(z - 1) * np.abs(h)) ** 2 - h.imag**2
    with np.errstate(invalid="ignore"):
        return 1 / np.nanmax(-h.real + np.sqrt(inside))


@pytest.mark.quick(13)
@pytest.mark.parametrize("seed", range(40))
def test_the_small_gain_is_that_of_a_dense_scan(seed):
    generator = np.random.default_rng(seed)
    poles = generator.uniform(-0.95, 0.95, 2)
    optimizer = ds.LinearOptimizer(
        {1: poles.sum(), 2: -poles.prod()}, {0: 1.0, 1: float(generator.uniform(-0.6, 0.9))}
    )
    delay = int(generator.integers(1, 40))
    decay = float(generator.choice([0, 1e-4, 0.05]))
    loop = bounded(delay, optimizer, decay=decay, coupled=seed % 2 == 0)
    angles = np.concatenate(
        [np.geomspace(1e-4 / delay, np.pi, 40_000), np.linspace(0.01, 3.14, 40_000)]
    )
    found = small_gain_threshold(loop, delay)
    scanned = scanned_small_gain(loop, delay, angles)
    assert found <= scanned
    assert found == pytest.approx(scanned, rel=1e-6)


@pytest.mark.parametrize("optimizer", [ds.HeavyBall(0.9), ds.Nesterov(0.9), TWO_LAGS], ids=repr)
def test_a_bound_below_the_maximum_is_not_proved(optimizer):
    loop = bounded(8, optimizer)
    bound = 1 / small_gain_threshold(loop, 8)
    assert _root_above(loop, bound * (1 + 1e-9), 8) is None
    assert _root_above(loop, bound * (1 - 1e-6), 8) > bound * (1 - 1e-6)


@pytest.mark.parametrize("delay", [10**3, 10**6])
def test_the_small_gain_of_long_delays_is_proved(delay):
    found = [
        ds.stability_threshold(optimizer, ds.BoundedDelay(delay)) * delay / ds_scale
        for optimizer, ds_scale in ((ds.HeavyBall(0.5), 0.5), (ds.EMAMomentum(0.5), 1.0))
    ]
    # 1/tau: the norm of the operator alone.
    assert found == pytest.approx([1, 1], rel=2e-3)


@pytest.mark.parametrize("optimizer", [ds.HeavyBall(0.6), ds.Nesterov(0.8), TWO_LAGS], ids=repr)
def test_a_greedy_adversary_does_not_grow_below_the_small_gain(optimizer):
    generator = np.random.default_rng(5)
    for delay in (1, 3, 9):
        gain = ds.stability_threshold(optimizer, ds.BoundedDelay(delay)) * 0.97
        steps = DelayMatrices.of(bounded(delay, optimizer), delay).at(gain)
        state = generator.standard_normal(steps.shape[1])
        size = np.abs(state).max()
        for t in range(3000):
            choices = steps @ state
            state = choices[
                int(generator.integers(delay + 1)) if t % 5 == 0
                else int(np.argmax(np.abs(choices[:, 0])))
            ]  # fmt: skip
        assert np.abs(state).max() < 1e-3 * size


# Both sides.


@pytest.mark.parametrize("delay", [1, 2, 3])
def test_polytopes_come_close_to_the_closed_form(delay):
    """The set of matrices of SGD, without its closed form."""
    matrices = DelayMatrices.of(bounded(delay), delay)
    edge = ds.stability_threshold(ds.SGD(), ds.BoundedDelay(delay))
    assert contracted_polytope(matrices.at(0.99 * edge)) is not None
    assert contracted_polytope(matrices.at(1.001 * edge)) is None


@pytest.mark.slow
def test_every_image_lies_inside_of_the_polytope():
    steps = DelayMatrices.of(bounded(2, ds.HeavyBall(0.5)), 2).at(0.26)
    vertices = contracted_polytope(steps)
    rest = np.ones(len(vertices))
    for step in steps:
        for vertex in vertices:
            image = step @ vertex
            # The least sum of weights >= 0 with which vertices make the image is its norm.
            norm = linprog(rest, A_eq=vertices.T, b_eq=image, bounds=(0, None)).fun
            assert norm < 1 - 0.9e-4


@pytest.mark.quick(1)
@pytest.mark.parametrize(
    ("optimizer", "delay", "gap"),
    [(ds.HeavyBall(0.9), 2, 0.01), (ds.HeavyBall(-0.5), 2, 0.005), (ds.Nesterov(0.9), 1, 0.002)],
    ids=repr,
)
def test_short_delays_are_all_but_settled(optimizer, delay, gap):
    found = ds.bounded_delay_threshold(optimizer, delay)
    assert 0 < found.gap < gap
    assert found.sufficient >= ds.stability_threshold(optimizer, ds.BoundedDelay(delay))
    assert radius_of_words(optimizer, found.sufficient * 0.999, delay, 6) < 1


@pytest.mark.quick(1)
@pytest.mark.parametrize("optimizer", [ds.HeavyBall(0.5), ds.Nesterov(0.9), TWO_LAGS], ids=repr)
@pytest.mark.parametrize("delay", [4, 9])
def test_the_worst_sequence_that_is_found_grows_above_its_threshold(optimizer, delay):
    found = ds.bounded_delay_threshold(optimizer, delay)
    assert found.sufficient < found.necessary < ds.stability_threshold(optimizer, delay)
    assert found.sequence.maximum <= delay
    for factor in (0.98, 1.02):
        log = found.sequence.sequence.tolist()
        values = np.abs(run(optimizer, found.necessary * factor, log * (6000 // len(log)), 1.0))
        assert (values[-100:].max() > 1) == (factor > 1)


def test_sgd_is_exact_and_scales_with_its_gradient():
    plain = ds.bounded_delay_threshold(ds.SGD(), 5)
    scaled = ds.bounded_delay_threshold(ds.LinearOptimizer({}, {0: 0.5}), ds.BoundedDelay(5))
    assert plain.method == scaled.method == "exact"
    assert plain.gap == 0 and scaled.sufficient == 2 * plain.sufficient == scaled.necessary
    assert plain.sequence == ds.BoundedDelay(5).extremal_log()


@pytest.mark.quick(11)
@pytest.mark.parametrize("decay", [1e-6, 1e-3, 0.03, 0.2, 0.7])
@pytest.mark.parametrize("delay", [1, 2, 3, 9, 30])
def test_sgd_with_decay_is_sharp(delay, decay):
    found = ds.bounded_delay_threshold(ds.SGD(), delay, decay=decay)
    assert found.method == "exact" and found.gap == 0
    replayed = ds.replay_threshold(ds.Loop(ds.SGD(), found.sequence, decay))
    assert found.sufficient == pytest.approx(replayed, rel=1e-11)
    # SGD's own threshold, as the decay vanishes.
    plain = ds.stability_threshold(ds.SGD(), ds.BoundedDelay(delay))
    assert decay > 1e-6 or found.sufficient == pytest.approx(plain, rel=3e-5)
    coupled = ds.stability_threshold(ds.SGD(), ds.BoundedDelay(delay), decay=decay, coupled=True)
    assert coupled == found.sufficient


@pytest.mark.quick(4)
@pytest.mark.parametrize("decay", [0.01, 0.3])
@pytest.mark.parametrize("delay", [1, 2, 3])
def test_polytopes_confirm_sgd_with_decay(delay, decay):
    loop = bounded(delay, decay=decay)
    matrices = DelayMatrices.of(loop, delay)
    edge = ds.stability_threshold(loop)
    assert contracted_polytope(matrices.at(0.99 * edge)) is not None
    assert contracted_polytope(matrices.at(1.001 * edge)) is None


def test_what_the_swings_of_sgd_leave_open_has_two_sides():
    for loop in (bounded(600, decay=0.01), bounded(3, TWO_LAGS, decay=0.1)):
        found = ds.bounded_delay_threshold(loop)
        assert found.method != "exact" and 0 < found.sufficient < found.necessary


def test_a_decay_beyond_one_leaves_what_shrinks_and_no_more():
    found = ds.bounded_delay_threshold(bounded(3, decay=1.2))
    assert found.method == "exact"
    assert found.sufficient == found.necessary == pytest.approx(0.8, rel=1e-12)


def test_questions_about_rates_follow():
    bound, optimizer = ds.BoundedDelay(6), ds.HeavyBall(np.array([0.0, 0.5]))
    edges = ds.stability_threshold(optimizer, bound)
    assert edges.shape == (2,)
    assert edges[0] == ds.stability_threshold(ds.SGD(), bound)
    np.testing.assert_array_equal(ds.max_learning_rate(4.0, optimizer, bound), edges / 4)
    np.testing.assert_array_equal(ds.max_sharpness(0.1, optimizer, bound), edges / 0.1)
    stable = ds.is_stable(0.1, edges[0] * 10 * np.array([0.99, 1.01]), ds.SGD(), bound)
    assert stable.tolist() == [True, False]


def test_its_log_is_read_back_from_a_file(tmp_path):
    log = BOUND.extremal_log()
    path = tmp_path / "worst.csv"
    path.write_text("delay\n" + "\n".join(map(str, log.sequence.tolist())), encoding="utf-8")
    assert ds.MeasuredDelay.from_log(path) == log


def test_rates_are_adjusted_to_it():
    edges = [ds.stability_threshold(ds.SGD(), delay) for delay in (0, BOUND)]
    adjusted = ds.adjust_learning_rate(0.1, ds.SGD(), 0, BOUND)
    assert adjusted == pytest.approx(0.1 * edges[1] / edges[0], rel=1e-15)
    back = ds.adjust_learning_rate(adjusted, ds.SGD(), BOUND, 0)
    assert back == pytest.approx(0.1, rel=1e-15)


@pytest.mark.quick(2)
@pytest.mark.parametrize("optimizer", [ds.SGD(), ds.HeavyBall(0.9), ds.HeavyBall(-0.5)], ids=repr)
def test_the_longest_bound_is_exact_at_its_boundary(optimizer):
    gains = np.array([3.9, 0.9, 0.3, 0.02])
    found = ds.max_delay(0.1, gains / 0.1, optimizer, every_sequence=True)
    for gain, bound in zip(gains, found.tolist(), strict=True):
        assert bound < 0 or gain < ds.stability_threshold(optimizer, ds.BoundedDelay(bound))
        assert gain >= ds.stability_threshold(optimizer, ds.BoundedDelay(bound + 1))
    assert np.all(found <= ds.max_delay(0.1, gains / 0.1, optimizer))
    assert isinstance(ds.max_delay(0.1, 3.0, optimizer, every_sequence=True), int)


@pytest.mark.slow
def test_thresholds_fall_with_the_bound():
    """What the bisection rests on, on every bound up to 12."""
    for optimizer in (ds.SGD(), ds.HeavyBall(0.9), ds.Nesterov(0.5), TWO_LAGS):
        edges = [ds.stability_threshold(optimizer, ds.BoundedDelay(d)) for d in range(13)]
        assert np.all(np.diff(edges) < 0)


def test_decay_is_an_argument_too():
    loop = ds.Loop(ds.HeavyBall(0.9), BOUND, 0.01, coupled=True)
    options = {"decay": 0.01, "coupled": True}
    edge = ds.stability_threshold(ds.HeavyBall(0.9), BOUND, **options)
    assert edge == ds.stability_threshold(loop)
    found = ds.bounded_delay_threshold(ds.HeavyBall(0.9), 4, **options)
    assert found == ds.bounded_delay_threshold(
        ds.Loop(ds.HeavyBall(0.9), ds.BoundedDelay(4), 0.01, True)
    )
    several = ds.stability_threshold(
        ds.HeavyBall(0.9), BOUND, decay=np.array([0, 0.01]), coupled=True
    )
    assert several[1] == edge


@pytest.mark.slow
def test_one_trains_with_one_of_its_sequences():
    torch = pytest.importorskip("torch")
    weight = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))

    def growth(factor):
        lr = factor * ds.stability_threshold(ds.SGD(), BOUND)
        plain = torch.optim.SGD([weight], lr=lr)
        late = ds.delayed(plain, delay=BOUND.extremal_log())
        with torch.no_grad():
            weight.fill_(1)
        for _ in range(300):
            late.zero_grad()
            (weight**2 / 2).sum().backward()
            late.step()
        return abs(weight.item())

    assert growth(0.9) < 0.1 and growth(1.1) > 10
    with pytest.raises(TypeError, match="train with one of its sequences"):
        ds.delayed(torch.optim.SGD([weight], lr=0.1), delay=BOUND)


def test_a_filter_that_is_unstable_at_small_gains_has_no_threshold():
    assert ds.stability_threshold(ds.LinearOptimizer({}, {0: -1}), ds.BoundedDelay(3)) == 0
    found = ds.bounded_delay_threshold(ds.LinearOptimizer({1: 0.5}, {0: -1}), 3)
    assert found.sufficient == found.necessary == 0


# The object.


def test_the_bound_zero_is_no_delay():
    bound = ds.BoundedDelay(0)
    for optimizer in (ds.SGD(), ds.HeavyBall(0.9)):
        assert ds.stability_threshold(optimizer, bound) == ds.stability_threshold(optimizer, 0)
        assert ds.bounded_delay_threshold(optimizer, 0).method == "exact"
    assert ds.spectral_radius(ds.SGD(), bound, 0.5) == 0.5
    assert bound.probability(0) == 1 and bound.mean == 0
    assert ds.replay_threshold(ds.SGD(), bound.extremal_log()) == 2


def test_it_is_written_and_read_back():
    assert delay_to_dict(ds.BoundedDelay(8)) == {"kind": "bounded", "max_delay": 8}
    assert delay_from_dict({"kind": "bounded", "max_delay": 8}) == ds.BoundedDelay(8)


def test_momentum_has_an_answer_for_the_longest_bounds():
    # For long delays the small gain is A(1)/(B(1) tau) where that is the peak of |B/A|.
    for bound, optimizer in ((10**9, ds.HeavyBall(-0.5)), (2**53, ds.HeavyBall(0.9))):
        found = ds.stability_threshold(optimizer, ds.BoundedDelay(bound)) * bound
        expected = min(abs(1 - optimizer.momentum), abs(1 + optimizer.momentum))
        assert expected * (1 - 1e-5) < found < expected * (1 + 1e-9)


def test_the_refusal_of_a_bound_speaks_of_one_integer():
    for wrong in (-1, 1.5, float("nan"), 2**53 + 2):
        with pytest.raises(ValueError, match="max_delay must be an integer >= 0") as refusal:
            ds.BoundedDelay(wrong)
        assert "array" not in str(refusal.value) and "FixedDelay" not in str(refusal.value)


BOUND = ds.BoundedDelay(3)
NEEDS_PROBABILITIES = {
    "stable_gains": lambda: ds.stable_gains(ds.SGD(), BOUND),
    "crossings": lambda: ds.crossings(ds.SGD(), BOUND),
    "spectral_radius": lambda: ds.spectral_radius(ds.SGD(), BOUND, 0.1),
    "escape_rate": lambda: ds.escape_rate(ds.SGD(), BOUND, 3.0),
    "fastest_gain": lambda: ds.fastest_gain(ds.SGD(), BOUND),
    "max_momentum": lambda: ds.max_momentum(0.1, 1.0, "heavy-ball", BOUND),
    "stationary_variance": lambda: ds.stationary_variance(ds.SGD(), BOUND, 0.1),
    "almost_sure_threshold": lambda: ds.almost_sure_threshold(ds.SGD(), BOUND),
    "certify": lambda: ds.certify(ds.SGD(), BOUND),
    "recommend_learning_rate": lambda: ds.recommend_learning_rate(0.1, ds.HeavyBall(0.9), BOUND),
    "mean_square": lambda: ds.mean_square_learning_rate([[[1.0]]], ds.SGD(), BOUND),
    "decay": lambda: ds.stable_gains(bounded(3, decay=0.1)),
    "pmf": lambda: BOUND.pmf,
    "sample": lambda: BOUND.sample(np.random.default_rng(0), 3),
}


@pytest.mark.parametrize("name", NEEDS_PROBABILITIES)
def test_what_needs_probabilities_refuses_it(name):
    with pytest.raises(TypeError, match=r"every sequence of delays from 0 to 3|probabilities"):
        NEEDS_PROBABILITIES[name]()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ds.BoundedDelay(-1), ValueError, "max_delay must be an integer >= 0"),
        (lambda: ds.BoundedDelay(1.5), ValueError, "max_delay must be an integer >= 0"),
        (lambda: ds.BoundedDelay([1, 2]), TypeError, "max_delay must be a single integer"),
        (lambda: ds.BoundedDelay("8"), TypeError, "max_delay must be"),
        (lambda: ds.BoundedDelay(2**53 + 2), ValueError, "max_delay must be"),
        (lambda: BOUND.extremal_log(0), ValueError, "updates must be an integer >= 1"),
        (lambda: BOUND.extremal_log(2**22), ValueError, "updates must be at most"),
        (lambda: ds.BoundedDelay(10**7).extremal_log(), ValueError, "max_delay must be <= 1258290"),
        (
            lambda: ds.stability_threshold(ds.SGD(), BOUND, moment="mean"),
            ValueError,
            "moment must be left out beside BoundedDelay",
        ),
        (
            lambda: ds.is_stable(0.1, 1.0, ds.SGD(), BOUND, curvature_noise=0.5),
            ValueError,
            "curvature_noise must be left out beside BoundedDelay",
        ),
        (
            lambda: ds.stability_threshold(ds.ShiftedMomentum(0.5), BOUND),
            ValueError,
            "optimizer must have coefficients that do not depend on the delay",
        ),
        (lambda: ds.bounded_delay_threshold(ds.SGD()), TypeError, "delay must be"),
        (
            lambda: ds.adjust_learning_rate(0.1, ds.HeavyBall(0.9), BOUND, 4),
            ValueError,
            "delay must have a threshold that is exact for HeavyBall",
        ),
        (
            lambda: ds.bounded_delay_threshold(ds.Loop(ds.SGD(), 3)),
            TypeError,
            "optimizer must be a Loop with a BoundedDelay",
        ),
        (lambda: ds.bounded_delay_threshold(ds.Adam(), 3), TypeError, "optimizer must be"),
        (
            lambda: ds.bounded_delay_threshold(ds.HeavyBall([0.1, 0.2]), 3),
            ValueError,
            "optimizer must have one number as momentum",
        ),
    ],
)  # fmt: skip
def test_bad_input_is_refused_by_name(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_words_are_all_sequences():
    """A check of the oracle: products of single steps, one by one."""
    steps = DelayMatrices.of(bounded(2), 2).at(0.5)
    radii = [
        np.abs(np.linalg.eigvals(steps[a] @ steps[b] @ steps[c])).max()
        for a, b, c in product(range(3), repeat=3)
    ]
    assert radius_of_words(ds.SGD(), 0.5, 2, 3) == pytest.approx(max(radii) ** (1 / 3), rel=1e-9)


@pytest.mark.parametrize("coupled", [False, True])
def test_decay_keeps_a_share_for_every_bound(coupled):
    """Beyond the bounds of the swings too: the largest iterate shrinks."""
    loop = {"decay": 0.3, "coupled": coupled}
    found = [
        ds.stability_threshold(ds.SGD(), ds.BoundedDelay(n), **loop) for n in (512, 513, 10**6)
    ]
    assert found[1:] == pytest.approx([0.3, 0.3], rel=1e-12)
    assert found[0] >= found[1]
    assert ds.is_stable(0.1, 0.5, ds.SGD(), ds.BoundedDelay(513), **loop)
    with pytest.raises(ValueError, match="every delay: the decay decides"):
        ds.max_delay(0.1, 0.5, ds.SGD(), every_sequence=True, **loop)
    assert ds.max_delay(0.1, 9.0, ds.SGD(), every_sequence=True, **loop) >= 0


def test_a_filter_without_feedback_of_updates_contracts():
    """Random reads of three lags with a decay, at a share of the bound and far beyond it."""
    filter_ = ds.LinearOptimizer({}, {0: 0.5, 1: -0.2, 3: 0.4})
    found = ds.bounded_delay_threshold(filter_, 600, decay=0.4)
    assert (found.method, found.sufficient) == ("contraction", pytest.approx(0.4 / 1.1))
    generator, sizes = np.random.default_rng(3), []
    for gain in (0.99 * found.sufficient, 4 * found.necessary):
        weights = [1.0] * 700
        for delay in generator.integers(0, 601, 3000):
            late = sum(b * weights[-1 - delay - k] for k, b in ((0, 0.5), (1, -0.2), (3, 0.4)))
            weights.append(0.6 * weights[-1] - gain * late)
        sizes.append(max(map(abs, weights[-700:])))
    assert sizes[0] < 1 < sizes[1]


def test_poles_next_to_the_circle_are_refused_soon():
    slow = ds.LinearOptimizer({1: 1.999, 2: -0.99998}, {0: 1.0})
    with pytest.raises(ArithmeticError, match="poles so near the unit circle"):
        ds.bounded_delay_threshold(slow, 3)
