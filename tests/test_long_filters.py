"""Long tables: closed forms, proofs that fail when they should, and refusals at once."""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
import pytest

import delaystability as ds
from delaystability.numerics.crossings import counted_crossings
from delaystability.numerics.crossings.circle_count import no_crossing_up_to, roots_outside
from delaystability.numerics.crossings.counted_crossings import CountedCrossings
from delaystability.numerics.crossings.crossings import (
    all_crossings,
    filter_threshold,
    stable_intervals,
)
from delaystability.numerics.crossings.long_filter import LongFilter
from delaystability.numerics.crossings.phase_rows import PhaseRows
from delaystability.numerics.tables.filter_phase import FilterPhase
from delaystability.numerics.tables.loop_filter import loop_filter
from delaystability.numerics.tables.table_rows import TableRows
from tests.helpers import EPS


def _mean(optimizer, law):
    return ds.stability_threshold(optimizer, law, moment="mean")


@pytest.mark.parametrize("lags", [40, 100, 256, 1001, 4096])
def test_uniform_delays_have_their_closed_form(lags):
    # (z - 1) + a (1 - z^-n)/(n (1 - z^-1)): with u = theta/2 the boundary is at n u = pi/2 and
    # the gain 2 n sin(u)^2.
    found = _mean(ds.SGD(), ds.RandomDelay(np.full(lags, 1 / lags)))
    assert found == pytest.approx(2 * lags * np.sin(np.pi / (2 * lags)) ** 2, rel=64 * EPS)


@pytest.mark.slow
def test_both_ways_agree_where_they_meet():
    random = np.random.default_rng(2)
    for lags in (30, 50, 61):
        for momentum in (0.0, 0.6, 0.99):
            pmf = random.dirichlet(np.full(lags, 0.3))
            a, b = np.array([1.0, -momentum]), pmf
            exact, exact_angle = filter_threshold(a, b, 2)
            filter_ = LongFilter(PhaseRows.one(TableRows.of_dense(a), TableRows.of_dense(b), 2), 0)
            found, angle = filter_.threshold()
            assert found == pytest.approx(exact, rel=1e-12)
            assert angle == pytest.approx(exact_angle, rel=1e-9)
            ends = np.array(filter_.stable_intervals())
            assert ends == pytest.approx(np.array(stable_intervals(a, b, 2)), rel=1e-11)


def test_long_random_tables_cross_the_circle_at_their_threshold():
    random = np.random.default_rng(3)
    for lags in (90, 200):
        b = random.normal(size=lags) / lags
        b[0] += 1.0
        a = np.array([1.0, -1.2, 0.7])
        found, _ = filter_threshold(a, b, 3)
        for factor, outside in ((1 - 1e-6, 0), (1 + 1e-6, 2)):
            polynomial = np.zeros(lags + 4)
            polynomial[:3] += a
            polynomial[1:4] -= a
            polynomial[4:] += found * factor * b
            assert np.count_nonzero(np.abs(np.roots(polynomial)) > 1) in (outside, outside / 2)


def test_the_proof_fails_just_above_a_threshold():
    b = np.full(100, 0.01)
    threshold, _ = filter_threshold(np.ones(1), b, 0)
    loop = PhaseRows.one(TableRows.of_dense(np.ones(1)), TableRows.of_dense(b), 0)
    assert no_crossing_up_to(loop, np.array([threshold * 0.999])) == [True]
    assert no_crossing_up_to(loop, np.array([threshold * 1.001])) == [False]
    # A window of stable gains above does not hide the crossings below it.
    a, b = np.array([[1, -0.94, 0.55]] * 2), np.array([[0.74, -0.27, 0.29]] * 2)
    loops = PhaseRows(*(TableRows.of(np.arange(3.0), t) for t in (a, b)), np.zeros(2))
    assert no_crossing_up_to(loops, np.array([1.30, 2.0])).tolist() == [True, False]


def test_a_downward_crossing_that_begins_on_a_whole_turn_is_solved_where_it_is():
    # z - 1/2 + gain (-1 + z^-1/4): the root z = 1 of gain 2/3 is the start of a falling phase.
    a, b = np.array([1.0, -0.5]), np.array([-1.0, 0.25])
    loop = PhaseRows.one(*map(TableRows.of_dense, (a, b)), 0, integrates=False)
    gain, angle = loop.first_crossings(loop.scan())
    assert gain == pytest.approx([2 / 3], rel=1e-14)
    assert angle == [0.0]


def test_a_scan_that_misses_a_crossing_is_refused(monkeypatch):
    first = PhaseRows.first_crossings

    def later(self, scan):
        gain, angle = first(self, scan)
        return 1.01 * gain, angle

    monkeypatch.setattr(PhaseRows, "first_crossings", later)
    with pytest.raises(ArithmeticError, match="could not be counted"):
        filter_threshold(np.ones(1), np.full(100, 0.01), 0)


def test_roots_outside_the_circle_are_counted():
    random = np.random.default_rng(4)
    for size in (2, 5, 30, 120):
        for _ in range(10):
            polynomial = random.normal(size=size)
            expected = np.count_nonzero(np.abs(np.roots(polynomial)) > 1)
            assert roots_outside(polynomial) == expected
    with pytest.raises(ArithmeticError, match="too near"):
        roots_outside(np.array([1.0, 0.0, 1.0]))


def test_both_ways_agree_where_poles_are_outside():
    random = np.random.default_rng(5)
    stable = 0
    for _ in range(20):
        radius, angle = random.uniform(0.95, 1.2), random.uniform(0, np.pi)
        nearer = radius * random.uniform(0.5, 0.9)
        a = np.array([1, -2 * radius * np.cos(angle), radius**2])
        b = np.array([1, -2 * nearer * np.cos(angle), nearer**2, 0.05 * random.normal()])
        exact = stable_intervals(a, b, 0)
        found = LongFilter.of(FilterPhase.from_tables(a, b, 0)).stable_intervals()
        assert len(found) == len(exact)
        np.testing.assert_allclose(found, exact, rtol=1e-11)
        stable += bool(exact)
    assert 0 < stable < 20


@pytest.mark.parametrize(
    ("feedback", "feedforward", "intervals"),
    [
        ({1: 1.1}, {0: 1, 1: -0.8, 80: 0.05}, 1),
        # Two poles outside, of which z = -1 lets one in: no gain is stable.
        ({1: -1.82, 2: -1.18}, {0: 1, 1: 0.84, 2: 0.25, 78: -0.002}, 0),
    ],
)
def test_each_pole_outside_is_counted_where_tables_are_long(feedback, feedforward, intervals):
    optimizer = ds.LinearOptimizer(feedback, feedforward)
    found = ds.stable_gains(optimizer, 0)
    assert len(found) == intervals
    assert ds.stability_threshold(optimizer, 0) == 0
    a, b, _ = loop_filter(optimizer, 0)
    ends = np.array(
        [gain * share for gain in (0.01, 1.7, *sum(found, ())) for share in (0.99, 1.01)]
    )
    for gain in ends:
        polynomial = np.zeros(1 + max(a.size, b.size))
        polynomial[: a.size] += a
        polynomial[1 : a.size + 1] -= a
        polynomial[1 : b.size + 1] += gain * b
        stable = bool(np.all(np.abs(np.roots(polynomial)) < 1))
        assert stable == any(low < gain < high for low, high in found)


def random_law(lags: int, seed: int) -> ds.RandomDelay:
    return ds.RandomDelay(np.random.default_rng(seed).dirichlet(np.ones(lags)))


@pytest.mark.quick(2)
@pytest.mark.parametrize("seed", range(4))
def test_every_gap_between_crossings_has_the_roots_of_the_companion_matrix(seed: int) -> None:
    optimizer = (ds.SGD(), ds.HeavyBall(0.9))[seed % 2]
    a, b, delay = loop_filter(optimizer, random_law(80 + 10 * seed, seed))
    found = all_crossings(FilterPhase.from_tables(a, b, delay))
    assert found.counted_up_to == np.inf
    passed = np.concatenate([[0], np.cumsum(found.leaving)])
    for k, (low, high) in enumerate(pairwise([0.0, *found.gains, 2 * found.gains[-1]])):
        polynomial = np.zeros(1 + max(a.size, b.size))
        polynomial[: a.size] += a
        polynomial[1 : a.size + 1] -= a
        polynomial[1 : b.size + 1] += (low + high) / 2 * b
        assert np.count_nonzero(np.abs(np.roots(polynomial)) > 1) == passed[k]


def test_a_crossing_that_a_scan_invents_is_not_listed() -> None:
    # Next to a near zero of B, sixteen points a lag had two too many.
    random = np.random.default_rng(0)
    laws = [random.dirichlet(np.ones(lags)) for lags in (100, 300, 1000)]
    a, b, delay = loop_filter(ds.SGD(), ds.RandomDelay(laws[-1]))
    loop = LongFilter.of(FilterPhase.from_tables(a, b, delay))
    gains, angles, leaving, counted = loop.crossings()
    assert counted == np.inf
    assert gains.size == 329
    rough = loop._scanned_crossings(loop.loop.scan(8))
    assert rough.shape[1] == 330
    assert np.all(angles[leaving == 2] < np.pi)


def test_what_is_not_counted_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    # A uniform law has all its zeros on the circle; a gain there has no bound.
    found = ds.crossings(ds.HeavyBall(0.9), ds.RandomDelay(np.ones(100) / 100))
    largest = found.gains[found.angles < np.pi].max()
    assert 10 * largest < found.counted_up_to < np.inf
    assert ds.crossings(ds.HeavyBall(0.9), 40).counted_up_to == np.inf
    # Fewer cells, less that is sure, nothing that is wrong.
    loop = LongFilter.of(FilterPhase.from_tables(*loop_filter(ds.SGD(), random_law(300, 1))))
    all_arcs = CountedCrossings.of(loop.loop.a, loop.loop.b, loop.delay)
    for name, value in (("_CELLS_PER_LAG", 1), ("_LARGEST_GRID", 1), ("_MOST_LEVELS", 3)):
        monkeypatch.setattr(counted_crossings, name, value)
    some = CountedCrossings.of(loop.loop.a, loop.loop.b, loop.delay)
    assert all_arcs.up_to == np.inf
    assert some.up_to < np.inf
    exact, *_ = loop._crossings_between(*in_arcs(all_arcs))
    seen, *_ = loop._crossings_between(*in_arcs(some))
    assert np.count_nonzero(seen < some.up_to) == np.count_nonzero(exact < some.up_to)
    assert seen.size < exact.size


def in_arcs(counted: CountedCrossings) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    return (counted.low, counted.high), (counted.start, counted.stop)


@pytest.mark.parametrize("delay", [10, 1001, 50_000])
def test_crossings_of_shifted_momentum_start_with_its_threshold(delay):
    optimizer = ds.ShiftedMomentum(0.9)
    threshold = ds.stability_threshold(optimizer, delay)
    assert ds.crossings(optimizer, delay).gains[0] == pytest.approx(threshold, rel=1e-12)
    ((low, high),) = ds.stable_gains(optimizer, delay)
    assert (low, high) == (0, pytest.approx(threshold, rel=1e-12))


REFUSED = [
    (lambda: _mean(ds.SGD(), ds.MeasuredDelay([1] * 1000 + [10**9])), "^delay must span at most"),
    (lambda: _mean(ds.SGD(), ds.MeasuredDelay([0, 3, 10**7])), "^delay must span at most"),
    (lambda: ds.stable_gains(ds.SGD(), ds.RandomDelay({0: 0.5, 10**15: 0.5})), "^delay must span"),
    (lambda: ds.stable_gains(ds.ShiftedMomentum(0.5), 10**12), "^delay must keep the lags"),
    (
        lambda: ds.stability_threshold(ds.LinearOptimizer({1: 0.5, 10**9: 0.1}, {0: 1}), 1),
        "^optimizer must have lags of at most 65536",
    ),
]


@pytest.mark.parametrize(("call", "message"), REFUSED)
def test_what_is_too_long_is_refused_at_once_and_by_its_own_name(call, message):
    start = time.process_time()
    with pytest.raises(ValueError, match=message):
        call()
    assert time.process_time() - start < 1


def test_a_long_certain_part_of_a_law_costs_nothing():
    law = ds.MeasuredDelay([10**9, 10**9 + 3])
    between = [ds.stability_threshold(ds.SGD(), 10**9 + late) for late in (3, 0)]
    assert between[0] < _mean(ds.SGD(), law) < between[1]


def test_a_crossing_less_than_a_thousandth_below_what_the_scan_shows_is_found():
    # Companion roots (degree 1000) reach the circle between these; the scan alone says .0075258.
    threshold = ds.stability_threshold(ds.LinearOptimizer({999: 0.95}, {0: 1}), 7)
    assert 0.00751893 < threshold < 0.00751922
