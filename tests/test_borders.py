"""At the borders of the numerics: nothing to compute, what is just taken, and what is refused."""

from __future__ import annotations

from fractions import Fraction
from math import pi
from types import SimpleNamespace

import numpy as np
import pytest

import delaystability as ds
from delaystability.model.loop import Decay, Loop
from delaystability.numerics.moments.adaptive_cycle import balanced, two_cycle_radius
from delaystability.numerics.moments.second_moment import noise_amplification
from delaystability.numerics.replay import replayed_mean_square
from delaystability.numerics.replay.live_loop import LiveLoop, Multipliers
from delaystability.numerics.replay.periodic_loop import periodic_loop
from delaystability.numerics.replay.replayed_gains import windows_on_panels
from delaystability.numerics.roots import fastest
from delaystability.numerics.sequences.polytope_norm import contracted_polytope
from delaystability.numerics.sequences.worst_sequence import _ramps
from delaystability.numerics.stages import stage_threshold as stages
from delaystability.numerics.tables.exact_tables import exact_number, plain_optimizer, single_tables
from delaystability.numerics.tables.loop_filter import decay_through, optimizer_tables
from delaystability.numerics.tables.split_loop import split_loop
from delaystability.numerics.tables.table_rows import TableRows
from delaystability.numerics.thresholds.momentum_of_law import largest_momentum_of_law
from delaystability.numerics.thresholds.pole_zero_threshold import _turning_points


def test_an_optimizer_without_gradients_has_no_stable_gain_at_any_delay():
    still = ds.LinearOptimizer({1: 0.5}, {0: 0.0})
    assert ds.stability_threshold(still, np.arange(4)).tolist() == [0, 0, 0, 0]
    assert ds.stability_threshold(still, 3) == 0
    assert list(ds.stable_gains(still, 3)) == []


@pytest.mark.parametrize("pole", [2.0, -1.5])
def test_a_pole_outside_leaves_no_gain_at_any_of_many_delays(pole):
    grows = ds.LinearOptimizer({1: pole}, {0: 1.0})
    delays = np.arange(1, 9)
    assert not ds.stability_threshold(grows, delays).any()
    inside = ds.LinearOptimizer({1: pole / 4}, {0: 1.0})
    each = [ds.stability_threshold(inside, int(delay)) for delay in delays]
    assert ds.stability_threshold(inside, delays) == pytest.approx(each, rel=1e-13)


@pytest.mark.parametrize("table", [{0: -0.3, 1: 1.3}, {0: 1.0}, {0: 0.7, 3: 0.2}], ids=repr)
def test_the_longest_delay_is_that_of_a_scan_whatever_the_sign_of_the_first_coefficient(table):
    optimizer, delays = ds.LinearOptimizer({1: 0.3}, table), np.arange(40)
    stable = ds.stability_threshold(optimizer, delays)
    for gain in (0.06, 0.1):
        assert ds.max_delay(gain, 1.0, optimizer) == np.flatnonzero(stable <= gain)[0] - 1


# Tables and numbers.


def test_numbers_of_any_kind_are_taken_exactly_and_those_beyond_floats_refused():
    assert exact_number(np.array(0.1)) == Fraction(0.1) != Fraction(1, 10)
    assert exact_number(SimpleNamespace(p=2, q=3)) == Fraction(2, 3)
    with pytest.raises(ValueError, match="numbers that floats can hold; got Fraction"):
        plain_optimizer(ds.LinearOptimizer({1: Fraction(10**400)}, {0: 1}))
    rounded, exact = plain_optimizer(ds.HeavyBall(Fraction(1, 3)))
    assert (rounded.momentum, type(rounded.momentum), exact) == (1 / 3, float, True)
    tables = Loop(ds.HeavyBall(0.5), 1).tables()
    several = tables._replace(b={0: np.ones(2)})
    with pytest.raises(TypeError, match="must have single numbers here; got array"):
        single_tables(several, float)


def test_decay_through_an_optimizer_counts_the_denominator_of_a_law_and_one_past_it_does_not():
    loop = Loop(
        ds.Nesterov(Fraction(1, 2)), ds.GeometricDelay(Fraction(1, 3)), Fraction(1, 20), True
    )
    # (3/2 - 1/2 z) (1 - 1/3 z), where the law is 2/3 over 1 - 1/3 z.
    through = decay_through(loop).through
    assert list(through.values()) == [Fraction(3, 2), -1, Fraction(1, 6)]
    past = Loop(loop.optimizer, loop.delay, loop.decay, False)
    assert decay_through(past) == past.shrinkage


def test_lags_of_several_scales_make_no_split_loop_and_long_tables_no_dense_one():
    one = np.ones(1)
    assert split_loop(ds.ShiftedMomentum(0.5), np.array([900]), one, Decay(0.1, False)) is None
    assert split_loop(ds.LinearOptimizer({}, {0: 1.0, 900: 0.1}), np.array([3]), one) is None
    assert split_loop(ds.ShiftedMomentum(0.5), np.array([900]), one) is not None
    table = TableRows.of(np.array([0.0, 1e7]), np.ones(2))
    with pytest.raises(ValueError, match="must have lags of at most .*; got 10000000"):
        table.dense()


# Replayed logs.


def test_a_loop_that_forgets_everything_has_no_multipliers():
    delay = ds.MeasuredDelay(np.zeros(3, dtype=int))
    forgets = periodic_loop(np.zeros((3, 1), dtype=int), [optimizer_tables(ds.SGD(), delay)])
    live = LiveLoop(forgets)
    # Each update combines a present weight, without the gain and with it, and a late one.
    assert live.size == 1 and live.work == len(live._times) == 3
    gains = np.array([0.25, 1.0])
    with np.errstate(divide="ignore"):
        expected = 3 * np.log(np.abs(1 - gains))
    assert live.multipliers(gains).growth == pytest.approx(expected)
    nothing = SimpleNamespace(size=0, largest=0)
    nothing._multipliers = lambda gains: LiveLoop._multipliers(nothing, gains)
    assert np.all(LiveLoop.multipliers(nothing, gains).growth == -np.inf)


def test_the_gain_that_grows_first_is_looked_for_up_to_four_times_the_guess(monkeypatch):
    monkeypatch.setattr(replayed_mean_square, "_FEWEST_UPDATES", 40)
    rows = np.array([[0], [1]])
    delay = ds.MeasuredDelay(rows[:, 0])
    loop = periodic_loop(rows, [optimizer_tables(ds.SGD(), delay)])
    with pytest.raises(ArithmeticError, match=r"no gain up to 0\.5 grows"):
        replayed_mean_square.first_growing_gain(loop, 0.1, 0.125)
    # A quarter of the guess, where all of them grow.
    assert replayed_mean_square.first_growing_gain(loop, 0.1, 40.0) == 10.0


# Sequences of delays.


@pytest.mark.parametrize(
    ("max_delay", "angle", "longest"), [(3, 0.9, 13), (2, 3.0, 5), (1, 0.01, 72)]
)
def test_the_ramps_of_an_adversary_have_all_lengths_up_to_three_half_swings(
    max_delay, angle, longest
):
    asked = []

    def growths(gain, delays, lengths):
        asked.append((list(delays), list(lengths)))
        return [gain * length for length in lengths]

    found = list(_ramps(SimpleNamespace(size=4, growths=growths), 0.5, max_delay, angle))
    assert longest == int(min(max_delay + 3 * pi / angle, 8 * max_delay + 64))
    lengths = list(range(max_delay + 1, longest + 2))
    assert [each[1] for each in asked] == [lengths] * 3
    for shift, (delays, _) in zip((-1, 0, 1), asked, strict=True):
        assert delays == [min(max_delay, max(0, k + shift)) for k in range(longest + 1)]
    for one in found:
        assert one.growth == 0.5 * len(one.cycle) and one.shortness == -len(one.cycle)
    assert {one.cycle for one in found} >= {tuple(range(max_delay + 1))}


def test_a_polytope_is_mapped_into_itself_and_growing_matrices_have_none():
    turn = np.array([[np.cos(0.7), -np.sin(0.7)], [np.sin(0.7), np.cos(0.7)]])
    steps = np.stack([0.6 * turn, np.array([[0.3, 0.5], [0.0, 0.2]])])
    vertices = contracted_polytope(steps)
    from scipy.spatial import ConvexHull

    faces = ConvexHull(vertices).equations
    for step in steps:
        assert ((vertices @ step.T) @ faces[:, :-1].T + faces[:, -1]).max() <= 1e-9
    assert contracted_polytope(np.stack([1.5 * turn])) is None


# Second moments.


def test_a_pole_and_a_zero_that_cancel_amplify_noise_as_sgd_of_another_rate_does():
    cancels = ds.LinearOptimizer({1: 0.5}, {0: 2.0, 1: -1.0})
    for gain in (0.05, 0.2):
        sgd = noise_amplification(ds.SGD(), 3, 2 * gain, 0.4)
        assert noise_amplification(cancels, 3, gain, 0.4) == pytest.approx(sgd, rel=1e-14)


def test_without_noise_a_preconditioner_settles_where_decay_balances_the_minimum():
    loop = Loop(ds.EMAMomentum(0.9), 2, 0.1)
    still = balanced(loop, 0.5, 0.02)
    assert (still.offset, still.settled) == (0.0, False)
    drawn = balanced(loop, 0.5, 0.02, minimum=3.0)
    # a h = pull/sqrt(v) with sqrt(v) = |offset|, the gradient where decay and curvature agree.
    assert drawn.settled and drawn.offset == pytest.approx(-0.3 / (drawn.gain + 0.1), rel=1e-12)
    assert 0.02 / drawn.gain == pytest.approx(abs(drawn.offset), rel=1e-9)
    tables = Loop(ds.SGD(), 600).tables().converted(float)
    assert np.isnan(two_cycle_radius(tables, 600, 1.0, keeps=0.9))


# Pipelines.


def test_the_nearest_eigenvalue_is_the_same_from_all_and_from_the_search_around_it(monkeypatch):
    random = np.random.default_rng(0)
    matrix = random.normal(size=(30, 30)) + 1j * random.normal(size=(30, 30))
    loop = SimpleNamespace(turned=lambda angles: matrix[None])
    values = np.linalg.eigvals(matrix)
    for wanted in (0.3 + 0.2j, -4.0 + 1j):
        nearest = values[np.argmin(np.abs(values - wanted))]
        for rows in (100, 2):
            monkeypatch.setattr(stages, "_FEW_ROWS", rows)
            assert stages._nearest(loop, 0.1, wanted) == pytest.approx(nearest, abs=1e-9)


def test_a_mixture_with_coupled_decay_is_not_simulated():
    from delaystability.numerics.replay.simulation import almost_sure_threshold

    mixture = ds.MixedRead({0: 0.5, 2: 0.5})
    with pytest.raises(ValueError, match="delay must be no mixture where decay is coupled"):
        almost_sure_threshold(ds.SGD(), mixture, 0.1, updates=1000, decay=Decay(0.1, True))


def test_stable_gains_far_above_the_first_window_are_followed_to_where_they_end():
    def multipliers(gains):
        # One multiplier, 1 at the gains 0, 1, 2 and 200, and nowhere -1 between them.
        values = 1 + 1e-8 * gains * (gains - 1) * (gains - 2) * (gains - 200)
        return Multipliers(values[:, None].astype(complex), np.zeros(len(gains)))

    loop = SimpleNamespace(multipliers=multipliers, size=1)
    found = windows_on_panels(loop, 1.0)
    ends = [end for interval in found.intervals for end in interval]
    assert ends == pytest.approx([0, 1, 2, 200], rel=1e-8)
    assert found.searched[1] > 200
    # The first alone is not looked for so far.
    assert windows_on_panels(loop, 1.0, first=True).searched[1] <= 64


def test_a_law_of_as_many_lags_as_are_counted_has_a_largest_momentum_and_a_longer_one_is_refused():
    def largest(lags):
        loop = Loop(ds.SGD(), ds.RandomDelay(dict.fromkeys(range(lags), Fraction(1, lags))))
        return largest_momentum_of_law(ds.EMAMomentum, loop, 0.03)

    assert 0 < largest(31) <= 1
    with pytest.raises(ValueError, match="delay must have at most 32 lags .* tends to 1; got 33"):
        largest(32)


def test_the_turning_points_of_a_gain_are_the_roots_of_their_quadratics():
    table = np.random.default_rng(0).normal(size=(3, 40))
    table[0, ::2] *= 1e-3
    found = _turning_points(*table)
    assert found.shape == (2, 40)
    for points, (c0, c1, c2) in zip(found.T, table.T, strict=True):
        squares = np.roots([c2, c1, c0])
        expected = np.sqrt(sorted(squares.real[(squares.imag == 0) & (squares.real > 0)]))
        assert sorted(points[np.isfinite(points)]) == pytest.approx(expected, rel=1e-9)
    # One at infinity, where the quadratic is none.
    assert sorted(_turning_points(*np.array([[-2.0], [1.0], [0.0]])).ravel()) == [2**0.5, np.inf]


def test_the_fastest_gain_of_some_intervals_is_closed_in_four_times(monkeypatch):
    def rates(optimizer, delay, gains, decay):
        return (gains - 0.3) ** 2 - 0.5 + 0j

    monkeypatch.setattr(fastest, "dominant_roots", rates)
    ends = np.array([0.0, 0.6]), np.array([0.5, 1.0])
    best, rate = fastest._least(ds.SGD(), 0, Decay(0.0), *ends)
    # Each time to a quarter: the last step is 0.5/8/64.
    assert abs(best - 0.3) <= 0.5 / 8 / 64 and rate == (best - 0.3) ** 2 - 0.5
