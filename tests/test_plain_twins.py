"""Steps of the numerics, each beside a twin that reads like its formula."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from flint import fmpq, fmpq_poly

import delaystability as ds
from delaystability.model.loop import Decay, Loop
from delaystability.numerics.crossings import merged_replicas
from delaystability.numerics.crossings.long_filter import LongFilter
from delaystability.numerics.crossings.merged_replicas import MergedCurve
from delaystability.numerics.crossings.phase_rows import PhaseRows
from delaystability.numerics.exact.rational_polynomial import positive_roots
from delaystability.numerics.exact.rational_text import rational_from_text, rational_text
from delaystability.numerics.moments.adaptive_cycle import balanced, cycle_correction
from delaystability.numerics.moments.decayed_loop import decayed_growth
from delaystability.numerics.replay.adaptive_runs import simulated_rms
from delaystability.numerics.replay.panels import zeros_of_growth
from delaystability.numerics.replay.replayed_loop import ReplayedLoop, replayed_loop
from delaystability.numerics.roots import fastest
from delaystability.numerics.sequences import small_gain
from delaystability.numerics.tables.double_double import DoubleDouble
from delaystability.numerics.tables.loop_filter import optimizer_tables
from delaystability.numerics.tables.split_loop import split_loop
from delaystability.numerics.tables.table_rows import TableRows
from tests.helpers import EPS


def exact(value):
    """A number of twice the precision as a fraction."""
    return Fraction(float(value.high)) + Fraction(float(value.low))


def test_every_operation_of_twice_the_precision_is_that_of_fractions():
    random = np.random.default_rng(0)
    for _ in range(12):
        high = random.normal(size=2) * 10.0 ** random.integers(-3, 4, 2)
        low = random.uniform(-1, 1, 2)
        x, y = (DoubleDouble(h, part * abs(h) * EPS / 4) for h, part in zip(high, low, strict=True))
        p, q = exact(x), exact(y)
        number = 3 if random.random() < 0.5 else float(random.normal())
        pairs = [
            (x + y, p + q, abs(p) + abs(q)),
            (x - y, p - q, abs(p) + abs(q)),
            (number - x, Fraction(number) - p, abs(p) + abs(Fraction(number))),
            (x * y, p * q, abs(p * q)),
            (x / y, p / q, abs(p / q)),
            (number / x, Fraction(number) / p, abs(Fraction(number) / p)),
            (x**5, p**5, abs(p**5)),
        ]
        for found, known, size in pairs:
            # A few units of 2^-106, the last place of two floats, for each operation.
            assert abs(exact(found) - known) <= 40 * Fraction(1, 2**106) * size
            assert abs(found.low) <= abs(found.high) * EPS
    powers = DoubleDouble(np.array([3.0, 3.0, 3.0])) ** np.array([0, 1, 4])
    assert powers.high.tolist() == [1, 3, 81]
    with pytest.raises(TypeError, match="whole number >= 0; got"):
        x**-1


def test_roots_that_several_polynomials_share_are_listed_once():
    def through(*roots):
        product = fmpq_poly([1])
        for root in roots:
            product *= fmpq_poly([-root, 1])
        return product

    third = fmpq(1, 3)
    ends = positive_roots(through(third, 4, -1), through(third, 2, 4), through(0, 2, 5))
    assert len(ends) == 4
    for (low, high), root in zip(ends, (third, 2, 4, 5), strict=True):
        assert low <= root <= high and high - low < fmpq(1, 10**15)
    assert positive_roots(fmpq_poly([0]), through(1)) == []


def test_a_rational_of_more_bits_than_allowed_is_refused_and_one_of_as_many_read():
    most = Fraction(2**262144 - 1, 3)
    assert rational_from_text("x", rational_text(most)) == most
    with pytest.raises(ValueError, match="x must have at most 262144 bits; got 262145"):
        rational_from_text("x", rational_text(Fraction(2**262144, 3)))


# Crossings.


def outside(a, b, delay, gain):
    """How many roots of (z - 1) A + gain z^-delay B are outside, by all of them."""
    row = np.zeros(1 + max(len(a), delay + len(b)))
    row[: len(a)] += a
    row[1 : 1 + len(a)] -= a
    row[delay + 1 : delay + 1 + len(b)] += gain * np.asarray(b)
    return int(np.count_nonzero(np.abs(np.roots(row)) > 1 + 1e-9))


POLES = {
    "inside, though the table does not show it": [1.0, -1.6, 0.8],
    "outside": [1.0, -2.1, 1.2],
    "outside, of a long table": [1.0, *[0.0] * 69, -40.0],
}


@pytest.mark.parametrize("name", POLES)
def test_a_long_filter_is_stable_at_small_gains_if_its_poles_are_inside(name):
    a, b, delay = np.array(POLES[name]), np.array([1.0, 0.4]), 2
    loop = LongFilter(PhaseRows.one(TableRows.of_dense(a), TableRows.of_dense(b), delay), 0)
    threshold, _ = loop.threshold()
    begins = outside(a, b, delay, 1e-6) == 0
    assert (threshold > 0) == begins == name.startswith("inside")
    intervals = loop.stable_intervals()
    for gain in np.linspace(0.003, 3, 15):
        stable = any(low < gain < high for low, high in intervals)
        assert stable == (outside(a, b, delay, gain) == 0)


@pytest.mark.parametrize("lags", [2, 70])
def test_a_pole_on_the_circle_is_refused_by_a_long_filter(lags):
    a = np.zeros(1 + lags)
    a[[0, -1]] = 1.0, -1.0
    tables = TableRows.of_dense(a), TableRows.of_dense(np.array([1.0, 0.4]))
    with pytest.raises((ValueError, ArithmeticError), match=r"pole on the unit|too near"):
        LongFilter(PhaseRows.one(*tables, 2), 0).threshold()


@pytest.mark.parametrize("optimizer", [ds.HeavyBall(0.6), ds.Nesterov(0.9)])
def test_the_count_of_merged_replicas_sees_rates_that_are_too_large(optimizer, monkeypatch):
    # So many cells are left in doubt at a root before its place is told.
    monkeypatch.setattr(merged_replicas, "_MOST_CELLS", 2000)
    loop = ds.OuterLoop(optimizer, 1.0, 10, sync_delay=4, alpha=0.5)
    table, m = optimizer.coefficients(0).feedforward, optimizer.momentum
    a, b = np.array([1.0, -m]), np.array([*[value for _, value in table], 0.0][:2])
    curve = MergedCurve(a, b, 0.5, 10 / 6, (1.0, 1.0), 0.2, 0.9)
    curvatures = 1 - np.linspace(0.2, 0.9, 5) ** (1 / 6)
    least = loop.threshold(curvatures).min()
    assert curve.undecided(0.95 * least) is None
    for factor in (1.0005, 1.05, 3.0):
        found = curve.undecided(factor * least)
        assert loop.threshold(1 - found ** (1 / 6)) < 1.01 * factor * least


class _NeverEmpty(MergedCurve):
    """A curve of which every cell is looked at more closely, in either direction in turn."""

    def _empty(self, theta, x, half, rate):
        cells.append((theta, x, half))
        return np.full(theta.size, len(cells) == 5), ([1.0, 0.0], [0.0, 1.0])[len(cells) % 2]


cells = []


def test_cells_that_are_divided_still_cover_all_angles_and_curvatures():
    cells.clear()
    curve = _NeverEmpty(np.ones(1), np.ones(1), 0.5, 2.0, (1.0, 1.0), 0.25, 0.75)
    assert curve.undecided(1.0) is None and len(cells) == 5
    for theta, x, half in cells:
        for centres, width, low, high in ((theta, half[0], 0, np.pi), (x, half[1], 0.25, 0.75)):
            expected = np.arange(low + width, high, 2 * width)
            assert np.unique(np.round(centres, 9)) == pytest.approx(expected, abs=1e-8)
        assert len({*zip(theta.tolist(), x.tolist(), strict=True)}) == theta.size
        assert theta.size * half[0] * half[1] * 4 == pytest.approx(np.pi / 2)


# Second moments.


@pytest.mark.parametrize("divides_first", [False, True])
@pytest.mark.parametrize("share", [0.0, 0.35])
def test_the_correction_of_a_cycle_with_an_offset_is_its_formula(share, divides_first):
    optimizer, delay, angle = ds.LinearOptimizer({1: 0.4, 2: -0.2}, {0: 1.0, 1: 0.3}), 3, 0.7
    found = cycle_correction(
        Loop(optimizer, delay).tables().converted(float),
        delay,
        angle,
        offset_share=share,
        divides_first=divides_first,
    )

    def filtered(z):
        return (1 + 0.3 / z) / (1 - 0.4 / z + 0.2 / z**2)

    def logarithm(z):
        return np.log((z - 1) * z**delay / filtered(z))

    z, h = np.exp(1j * angle), 1e-6
    slope = 1j * z * (logarithm(z * (1 + h)) - logarithm(z * (1 - h))) / (2 * h * z)
    f, steady = (1.0, 1.0) if divides_first else (filtered(z), filtered(1.0))
    w = (1 - share) * np.conj(f) / (4 * f * (1 - z**-2)) + share * steady / (f * (1 - 1 / z))
    assert found.size == pytest.approx(w.imag * slope.real / slope.imag - w.real, rel=1e-8)
    offset = (1 - share) * (np.conj(f) / (1 - 1 / z)).real / steady
    assert found.offset == pytest.approx(offset, rel=1e-12)


@pytest.mark.parametrize("read", [3, ds.MixedRead({0: 0.4, 3: 0.6})])
def test_a_preconditioner_balances_the_noise_that_it_sees(read):
    loop, noise, epsilon = Loop(ds.EMAMomentum(0.9), read), 0.3, 0.02
    threshold = ds.stability_threshold(ds.EMAMomentum(0.9), read)
    found = balanced(loop, threshold, 0.05, epsilon=epsilon, noise=noise)
    assert found.settled and found.sign_changes == 1 and 0 < found.gain < threshold
    # All that a run sees, by the response to one unit of noise.
    weights = {3: 1.0} if read == 3 else dict(read.weights)
    past, update, response, late = [0.0] * 4, 0.0, [], []
    for t in range(3000):
        gradient = sum(w * past[-1 - lag] for lag, w in weights.items())
        update = 0.9 * update + 0.1 * (gradient + (t == 0))
        past.append(past[-1] - found.gain * update)
        response.append(past[-1])
        late.append(gradient)
    amplified = float(np.square(late).sum())
    assert found.variance == pytest.approx(noise**2 * amplified, rel=1e-6)
    assert found.scatter == pytest.approx(noise**2 * np.square(response).sum(), rel=1e-6)
    root = noise * np.sqrt(1 + amplified)
    assert 0.05 / found.gain == pytest.approx(epsilon + root, rel=1e-6)
    plain = balanced(loop, threshold, 0.05)
    assert (plain.gain, plain.variance) == (threshold, (0.05 / threshold) ** 2)


def test_a_delay_that_is_seldom_different_still_lowers_the_threshold_under_decay():
    chance = 1e-9
    law = ds.RandomDelay({0: 1 - chance, 1: chance})
    loop = ds.Loop(ds.HeavyBall(0.5), law, 0.05)
    found = ds.stability_threshold(loop, moment="mean-square")
    mean = ds.stability_threshold(loop, moment="mean")
    assert chance / 100 < 1 - found / mean < 100 * chance


@pytest.mark.parametrize(("coupled", "momentum"), [(True, 0.6), (False, 0.6), (False, 0.0)])
def test_the_growth_under_decay_is_that_of_a_run(coupled, momentum):
    delay, decay, gain = 2, 0.04, 0.3
    loop = Loop(ds.HeavyBall(momentum), delay, decay, coupled=coupled)
    past, update, sizes = [1.0] * (delay + 1), 0.0, []
    for _ in range(1500):
        gradient = gain * past[-1 - delay] + (decay * past[-1] if coupled else 0.0)
        update = momentum * update + gradient
        past.append(past[-1] * (1.0 if coupled else 1 - decay) - update)
        sizes.append(np.log(max(np.abs(past[-9:]))))
    grown = (sizes[-1] - sizes[500]) / (len(sizes) - 501)
    assert decayed_growth(loop, gain) == pytest.approx(grown, abs=2e-3)
    wide = Loop(ds.HeavyBall(momentum), 600, decay)
    with pytest.raises(ValueError, match="at most 500 lags where weights decay; got 60"):
        decayed_growth(wide, gain)


# Replayed logs.


def test_a_sign_change_of_a_smooth_growth_is_found_in_a_dozen_steps():
    looked_at = []

    def multipliers(gains):
        looked_at.append(len(gains))
        return SimpleNamespace(growth=np.exp(gains) - places[: len(gains)] * 0 - np.exp(0.7))

    places, low, high = np.full(3, 0.7), np.array([0.1, 0.6, 0.69]), np.array([2.0, 5.0, 0.9])
    before, after = (np.exp(each) - np.exp(0.7) for each in (low, high))
    found = zeros_of_growth(SimpleNamespace(multipliers=multipliers), low, high, before, after)
    assert found == pytest.approx(places, rel=1e-13)
    # Halving takes 45.
    assert len(looked_at) <= 12


def test_the_parts_of_a_replayed_loop_are_those_of_the_whole():
    log = [0, 3, 1, 0, 2] * 16 + [5]
    whole = replayed_loop(Loop(ds.HeavyBall(0.5), ds.MeasuredDelay(np.array(log))))
    tables = optimizer_tables(ds.HeavyBall(0.5), ds.MeasuredDelay(np.array(log)))
    parts = ReplayedLoop(np.array(log)[:, None], [tables], whole.scale)
    assert parts.rate(0.0) == pytest.approx(0.0, abs=1e-12)
    assert parts.rate(0.1) == pytest.approx(whole.rate(0.1), abs=1e-12) != 0
    none = ReplayedLoop(np.array(log)[:, None], [tables], 0.0)
    assert none.gains().intervals == () and none.threshold() == 0


@pytest.mark.parametrize("optimizer", [ds.Adam(0.5, 0.9), ds.SignSGD(), ds.RMSProp(0.9, 0.5)])
def test_the_root_mean_square_of_runs_is_that_of_their_second_half(optimizer):
    delay, updates, starts = 1, 9, 4
    weight = np.random.default_rng(0).uniform(-4, 4, starts)
    kept = optimizer.second_moment_kept
    momentum = getattr(optimizer, "beta1", getattr(optimizer, "momentum", 0.0))
    scale = 1 - momentum if isinstance(optimizer, ds.Adam) else 1.0
    past, update, square, seen = [weight, weight], 0.0, 0.0, []
    for t in range(updates):
        gradient = past[-1 - delay]
        update = momentum * update + scale * gradient
        square = kept * square + (1 - kept) * gradient**2
        root = np.sqrt(square / (1 - kept ** (t + 1))) if kept else abs(update)
        past.append(past[-1] - update / root)
        seen.append(past[-1])
    expected = np.sqrt(np.mean(np.square(seen[4:])))
    found = simulated_rms(optimizer, delay, starts=starts, updates=updates)
    assert found == pytest.approx(expected, rel=1e-12)


# Sequences of delays.


@pytest.mark.parametrize(("decay", "coupled"), [(0.0, True), (0.1, True), (0.1, False)])
def test_the_slopes_of_the_small_gain_are_those_of_its_functions(decay, coupled):
    loop = Loop(ds.Nesterov(0.6), 0, decay, coupled=coupled)
    angles, h = np.linspace(0.2, 3.0, 7), 1e-5

    def jets(at):
        on = small_gain._on_circle(loop, at)
        named = [on.a, on.b, on.free, on.modulus, on.turn]
        return named + list(small_gain._conditions(on, 3.0, 2))

    for here, below, above in zip(*map(jets, (angles, angles - h, angles + h)), strict=True):
        assert here.slope == pytest.approx((above.value - below.value) / (2 * h), abs=1e-7)
        assert here.curvature == pytest.approx((above.slope - below.slope) / (2 * h), abs=1e-7)
    on, z = small_gain._on_circle(loop, angles), np.exp(1j * angles)
    a, b = 1 - 0.6 / z, 1.6 - 0.6 / z
    free = (z - 1) * a + decay * (b if coupled else a)
    for jet, value in ((on.a, a), (on.b, b), (on.free, free), (on.modulus, abs(z - 1))):
        assert jet.value == pytest.approx(value, abs=1e-14)
    # The first two conditions, as the beginning of the module states them, but for |z - 1|.
    none, positive, vertex = (jet.value for jet in small_gain._conditions(on, 3.0, 2))
    product, reach = b * np.conj(free), 2 * abs(z - 1)
    scaled = 1.0 if decay else 1 / abs(z - 1) ** 2
    expected = scaled * (product.imag**2 - reach**2 * abs(product) ** 2)
    assert none == pytest.approx(expected, abs=1e-12)
    assert positive == pytest.approx(abs(3 * free + b) ** 2 - reach**2 * abs(b) ** 2, abs=1e-12)
    assert vertex == pytest.approx(((3 * free + b) * np.conj(free)).real, abs=1e-12)


@pytest.mark.parametrize(("decay", "coupled"), [(0.0, True), (0.1, True), (0.1, False)])
def test_the_bounds_of_the_small_gain_are_above_its_functions_and_reached_by_some(decay, coupled):
    angles, reached = np.linspace(0, np.pi, 41), []
    for optimizer in (ds.SGD(), ds.HeavyBall(0.5), ds.LinearOptimizer({1: -0.5}, {0: 1.0, 2: 0.5})):
        loop = Loop(optimizer, 0, decay, coupled=coupled)
        on, limit = small_gain._on_circle(loop, angles), small_gain._bounded(loop, 2.0)
        pairs = [(getattr(on, name), getattr(limit, name)) for name in ("a", "b", "free", "turn")]
        conditions = [small_gain._conditions(each, 3.0, 2) for each in (on, limit)]
        for here, most in [*pairs, *zip(*conditions, strict=True)]:
            for part in ("value", "slope", "curvature"):
                largest = np.abs(getattr(here, part)).max()
                assert largest <= getattr(most, part) * (1 + 8 * EPS)
                reached.append(largest / getattr(most, part) if getattr(most, part) else 1.0)
    # They are no larger than sums of moduli make them.
    assert np.median(reached) > 0.3


# Levels of the radius.


@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("optimizer", [ds.HeavyBall(0.5), ds.Nesterov(0.7), ds.SGD()], ids=repr)
def test_the_gains_of_a_level_are_those_with_a_root_on_its_circle(optimizer, decay):
    delay, sigma, largest = 4, -0.11, 2.0
    loop = split_loop(optimizer, np.array([delay]), np.ones(1), Decay(decay, False))

    def moduli(gain):
        table = optimizer.coefficients(delay)
        a = np.zeros(3)
        a[0] = 1
        for lag, value in table.feedback:
            a[lag] -= value
        row = np.zeros(delay + 4)
        row[:4] = np.convolve(a, [1, -(1 - decay)])
        for lag, value in table.feedforward:
            row[delay + 1 + lag] += gain * value
        return np.abs(np.roots(np.trim_zeros(row)))

    def beyond(gain):
        return int(np.count_nonzero(moduli(gain) > np.exp(sigma)))

    gains = fastest._crossing_gains(loop, sigma, largest)
    assert gains.size and np.all(gains < largest) and np.all(np.diff(gains) >= 0)
    for gain in gains:
        assert np.abs(np.log(moduli(gain)) - sigma).min() < 1e-9
    # Between two of them the number of roots beyond is the same.
    ends = np.concatenate([[1e-9], gains, [largest]])
    counts = []
    for low, high in pairwise(ends):
        if high - low > 1e-6:
            inside = {beyond(low + share * (high - low)) for share in (0.02, 0.5, 0.98)}
            assert len(inside) == 1
            counts += inside
    inward = fastest._crossing_gains(loop, sigma, largest, inward=True)
    assert set(inward) <= set(gains)
    for gain in inward:
        assert np.abs(np.log(moduli(gain)) - sigma).min() < 1e-9
    missed = set(gains) - set(inward)
    assert all(beyond(gain * (1 + 1e-6)) > beyond(gain * (1 - 1e-6)) for gain in missed)
