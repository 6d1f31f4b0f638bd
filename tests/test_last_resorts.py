"""What the numerics do where their first way does not decide: the next one, or a refusal."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from flint import ctx, fmpz_poly

import delaystability as ds
from delaystability.model.loop import Decay, Loop
from delaystability.numerics import lanczos
from delaystability.numerics.crossings import long_filter
from delaystability.numerics.crossings.circle_cells import CircleCells
from delaystability.numerics.crossings.long_filter import LongFilter
from delaystability.numerics.crossings.merged_replicas import worst_threshold
from delaystability.numerics.crossings.phase_rows import PhaseRows
from delaystability.numerics.exact.exact_filter import ExactFilter, rational_table, sided_roots
from delaystability.numerics.exact.exact_loop import exact_loop
from delaystability.numerics.moments import decayed_loop
from delaystability.numerics.moments.first_gain import first_gain
from delaystability.numerics.replay.replayed_gains import ReplayGains, windows_of_growth
from delaystability.numerics.replay.replayed_loop import ReplayedLoop, replayed_loop
from delaystability.numerics.roots import fastest
from delaystability.numerics.roots.root_search import searched_root
from delaystability.numerics.statistics import Interval
from delaystability.numerics.tables.loop_filter import optimizer_tables
from delaystability.numerics.tables.table_rows import TableRows
from delaystability.numerics.top_eigenvalues import top_eigenvalues

# Eigenvalues.


def _symmetric(size):
    root = np.random.default_rng(size).normal(size=(size, size))
    return torch.from_numpy(root + root.T)


def test_the_largest_eigenvalue_from_a_mixed_start_is_that_of_the_matrix():
    matrices = torch.stack([_symmetric(9), -_symmetric(9)])
    exact = torch.linalg.eigvalsh(matrices)[:, -1]
    generator = torch.Generator().manual_seed(0)
    first, noise = (torch.randn(2, 9, generator=generator).double() for _ in range(2))
    first /= torch.linalg.vector_norm(first, dim=1, keepdim=True)
    start = lanczos.mixed_start(first, noise, 0.25)
    away = start - first
    assert torch.allclose(torch.linalg.vector_norm(away, dim=1), torch.full((2,), 0.25).double())
    # The noise keeps its direction.
    assert torch.allclose(away * torch.linalg.vector_norm(noise, dim=1, keepdim=True), 0.25 * noise)

    def product(vectors):
        return torch.einsum("rij,rj->ri", matrices, vectors)

    found = lanczos.largest_eigenvalues(product, start, tolerance=1e-10)
    assert found.values.shape == (2,) and found.vectors.shape == (2, 9)
    assert torch.allclose(found.values, exact, rtol=1e-9)
    for wrong, message in (
        ({"largest": 0}, "largest or smallest must be at least 1; got 0 for both"),
        ({"tolerance": 0.0}, "tolerance must be a number > 0; got 0.0"),
    ):
        with pytest.raises(ValueError, match=message):
            lanczos.extreme_eigenvalues(product, start, **wrong)
    with pytest.raises(ValueError, match="start must be a finite, nonzero vector"):
        lanczos.extreme_eigenvalues(product, 0 * start)


def test_the_same_eigenvalues_come_from_two_halves_that_add_what_they_know():
    matrix = _symmetric(8)
    exact = torch.linalg.eigvalsh(matrix)
    start = torch.ones(1, 8).double() + torch.arange(8)
    # One process whose halves are added is two: all inner products are twice as large.
    whole = lanczos.extreme_eigenvalues(
        lambda v: v @ matrix, start, smallest=1, tolerance=1e-10, reduce=lambda t: t.clone()
    )
    assert float(whole.largest.values[0, 0]) == pytest.approx(float(exact[-1]), rel=1e-9)
    assert float(whole.smallest.values[0, 0]) == pytest.approx(float(exact[0]), rel=1e-9)


def test_a_search_that_may_not_go_on_does_not_say_that_it_is_complete():
    matrix = torch.diag(torch.tensor([3.0, 3.0, 2.0, 1.0, 0.5, 0.1]).double())
    generator = torch.Generator().manual_seed(1)

    def found(most):
        return top_eigenvalues(
            lambda v: v @ matrix,
            lambda: torch.randn(1, 6, generator=generator).double(),
            2,
            tolerance=1e-9,
            max_products=most,
        )

    enough, short = found(100), found(6)
    assert enough.complete and enough.values.tolist() == pytest.approx([3.0, 3.0])
    assert not short.complete and short.products == 6


# Roots of whole polynomials.


def test_roots_are_on_the_side_of_the_circle_that_their_factors_have():
    salem = fmpz_poly([1, -1, -1, -1, 1])
    sides = sorted(root.side for root in sided_roots(salem))
    assert sides == [-1, 0, 0, 1]
    pair = fmpz_poly([-2, 1]) ** 2 * fmpz_poly([-1, 2]) ** 3 * fmpz_poly([1, 1]) * salem
    found = {(root.side, root.multiplicity) for root in sided_roots(pair) if root.multiplicity > 1}
    assert found == {(1, 2), (-1, 3)}
    # So near to the circle that 53 bits do not tell it from one that is on it.
    near = fmpz_poly([-(10**30) - 1, 10**30])
    assert [root.side for root in sided_roots(near * fmpz_poly([-3, 1]))] == [1, 1]
    assert [root.side for root in sided_roots(fmpz_poly([-(10**30), 10**30 + 1]))] == [-1]


TABLES = {
    "a pole": ([1, Fraction(-1, 2)], [1]),
    "a pole of the other sign": ([1, Fraction(3, 4)], [1]),
    "a zero": ([1], [1, Fraction(-1, 2)]),
    "a pole outside": ([1, -3], [1]),
    "a zero outside": ([1], [1, -4]),
    "a late zero": ([1], [0, 0, 1, Fraction(1, 3)]),
}


@pytest.mark.parametrize("name", TABLES)
def test_the_steepest_fall_of_a_phase_is_that_of_its_samples(name):
    a, b = TABLES[name]
    with ctx.workprec(128):
        cells = CircleCells(ExactFilter.from_tables(rational_table(a), rational_table(b)))
        bound = cells.steepest_fall()
    theta = np.linspace(0, np.pi, 4001)

    def at(table):
        return np.exp(-1j * np.outer(theta, np.arange(len(table)))) @ np.array(table, dtype=float)

    phase = theta / 2 + np.unwrap(np.angle(at(a))) - np.unwrap(np.angle(at(b)))
    steepest = -(np.diff(phase) / np.diff(theta)).min()
    assert steepest <= bound <= steepest + 1e-3


# Long filters.


def _long(a, b, delay):
    tables = TableRows.of_dense(np.array(a)), TableRows.of_dense(np.array(b))
    return LongFilter(PhaseRows.one(*tables, delay), 0)


def test_a_list_of_crossings_is_refuted_if_one_is_missing_and_proved_if_none_is():
    a, b = np.array([1.0, -0.5]), np.array([1.0, *np.zeros(8), 0.6])
    loop = _long(a, b, 2)
    gains, angles, leaving = loop._sorted(loop._all_crossings(loop.loop.scan())[0])
    outside = np.concatenate([[0], np.cumsum(leaving)])
    assert np.all(angles <= np.pi) and loop._counted(gains, outside)
    for left_out in range(2):
        fewer = np.concatenate([[0], np.cumsum(np.delete(leaving, left_out))])
        assert not loop._counted(np.delete(gains, left_out), fewer)
    assert not loop._counted(gains, outside - 2 * (outside == outside.max()) * outside.max())
    row = np.zeros(13)
    row[:3] = 1, -1.5, 0.5
    row[3:] = 0.3 * b
    assert loop._characteristic(0.3) == pytest.approx(row, abs=0)


def test_long_filters_that_are_too_long_to_count_or_to_list_are_refused(monkeypatch):
    short = _long([1.0], [1.0, 0.3, 0.1], 40)
    monkeypatch.setattr(long_filter, "_LONGEST_COUNTED", 39)
    for ask in (short.crossings, lambda: short._characteristic(1.0)):
        with pytest.raises(ValueError, match="delay must be at most 39 where lags reach beyond 64"):
            ask()
    monkeypatch.undo()
    monkeypatch.setattr(long_filter, "_MOST_TERMS", 10)
    with pytest.raises(ValueError, match="at most 10 crossings times lags to list; got 2"):
        short.crossings()
    rising = _long([1.0], [1.0], 40)
    assert rising.crossings()[0].size == 21
    monkeypatch.setattr(long_filter, "_MOST_CROSSINGS", 20)
    with pytest.raises(ValueError, match="delay must leave at most 20 crossings to list; got 2"):
        _long([1.0], [1.0], 42).crossings()
    assert _long([1.0], [1.0, -1.0], 3).stable_intervals() == []
    with pytest.raises(ValueError, match=r"threshold is a float; got one near 2\*\*"):
        LongFilter(PhaseRows.one(*rising_tables(), 1), 1070)._scaled(2.0)


def rising_tables():
    return TableRows.of_dense(np.ones(1)), TableRows.of_dense(np.ones(1))


# The worst of a curve.


def _curve(undecided):
    return SimpleNamespace(low=0.0, high=1.0, undecided=undecided)


def test_a_dip_that_all_samples_miss_is_found_where_the_count_sees_it():
    def threshold(x):
        return 1.0 + x / 10 - 0.5 * max(0.0, 1 - abs(x - 0.597) / 0.03)

    def undecided(rate):
        return 0.602 if rate > threshold(0.597) else None

    assert worst_threshold(_curve(undecided), threshold) == pytest.approx(0.5597, rel=1e-6)
    # Negative control: without the count it is the smallest of the samples.
    assert worst_threshold(_curve(lambda rate: None), threshold) == pytest.approx(1.0)


def test_a_curve_that_is_never_decided_is_refused_and_one_without_a_stable_rate_has_none():
    with pytest.raises(ArithmeticError, match=r"near the threshold 1\.0 could not be counted"):
        worst_threshold(_curve(lambda rate: 0.5), lambda x: 1.0 + (x - 0.25) ** 2)
    assert worst_threshold(_curve(lambda rate: None), lambda x: x - 0.3) == 0.0


# The first gain of an amplification.


def test_the_first_gain_is_found_however_small_it_is():
    assert first_gain(lambda gain: gain * 1e295, 1.0, 1 - 1e-12) == pytest.approx(1e-295, rel=1e-9)
    # A pole at the mean threshold: c x/(1 - x) is 1 at 1/(1 + c).
    found = first_gain(lambda gain: 0.25 * gain / (2 - gain), 2.0, 2 * (1 - 1e-12))
    assert found == pytest.approx(1.6, rel=1e-12)
    assert first_gain(lambda gain: 0.25 * gain, 2.0, 2 * (1 - 1e-12)) == 2.0


@pytest.mark.parametrize(("above", "crosses"), [(1e-8, True), (-1e-8, False)])
def test_a_peak_that_hardly_reaches_one_is_told_from_one_that_hardly_does_not(above, crosses):
    def amplification(gain):
        return (1 + above) * np.exp(-(((gain - 0.5) / 0.1) ** 2))

    found = first_gain(amplification, 1.0, 1 - 1e-12)
    end = 0.5 - 0.1 * np.sqrt(np.log1p(1e-8)) if crosses else 1.0
    assert found == pytest.approx(end, abs=1e-9)


# Weight decay.


def test_questions_about_loops_that_decay_are_refused_where_they_have_no_answer(monkeypatch):
    loop = Loop(ds.LinearOptimizer({1: 0.5}, {0: 0.0}), 2, 0.1)
    with pytest.raises(ValueError, match="optimizer must use the gradient; got"):
        decayed_loop.decayed_crossings(loop)
    with pytest.raises(ValueError, match="below 1, or the variance grows without end"):
        decayed_loop.decayed_variance(Loop(ds.SGD(), 1, 0.1), 0.8, 3.0)
    monkeypatch.setattr(decayed_loop, "_MOST_TRIED", 12)
    with pytest.raises(ValueError, match="is stable at every delay up to 12: decay may keep it"):
        ds.max_delay(0.01, 1.0, ds.SGD(), decay=0.5)


@pytest.mark.parametrize("coupled", [True, False])
def test_a_root_among_lags_of_several_scales_is_the_largest_of_the_polynomial(coupled):
    optimizer, delay, gain, decay = ds.LinearOptimizer({250: 0.3}, {0: 1.0, 1: 0.2}), 30, 0.02, 0.05
    exact = exact_loop(optimizer, delay, gain, Decay(decay, coupled))
    row = np.zeros(300)
    row[[0, 250]] = 1, -0.3
    row[[1, 251]] += -1, 0.3
    if coupled:
        row[[1, 2]] += decay * np.array([1, 0.2])
    else:
        row[[1, 251]] += decay * np.array([1, -0.3])
    row[[31, 32]] += gain * np.array([1, 0.2])
    largest = np.abs(np.roots(np.trim_zeros(row))).max()
    assert searched_root(None, exact).real == pytest.approx(np.log(largest), rel=1e-9)


def test_the_fastest_gain_is_refused_or_has_no_place_where_roots_meet(monkeypatch):
    with pytest.raises(ValueError, match="must have lags that are short or follow the delay"):
        ds.fastest_gain(ds.LinearOptimizer({150: 0.3}, {0: 1.0}), 40)
    best, radius = ds.fastest_gain(ds.ShiftedMomentum(0.3), 2)

    def modulus(gain):
        return np.abs(np.roots([1, -1, 0, gain - 0.3, 0.3])).max()

    assert modulus(best) == pytest.approx(radius, abs=1e-7)
    assert min(map(modulus, np.linspace(0.001, 1, 400))) >= radius - 1e-7
    monkeypatch.setattr(fastest, "_MOST_CROSSINGS", 1)
    with pytest.raises(ArithmeticError, match="more than 1 roots are on one circle"):
        ds.fastest_gain(ds.HeavyBall(0.5), 20)


# Replayed logs.


class _Growth:
    """A growth rate that changes its sign at given gains, as a polynomial does."""

    period, short, long = 10, False, False

    def __init__(self, ends, sign=1):
        self.ends, self.sign, self.asked = ends, sign, 0

    def rate(self, gain):
        self.asked += 1
        return -self.sign * float(np.prod([np.log(end / gain) for end in self.ends])) / 10

    def rate_and_sign(self, gain, *, rough=False):
        return self.rate(gain), 1


def test_windows_of_growth_are_between_the_gains_at_which_it_changes_its_sign():
    found = windows_of_growth(_Growth([0.9, 1.7, 5.0]), 1.0)
    ends = [end for interval in found.intervals for end in interval]
    assert ends == pytest.approx([0, 0.9, 1.7, 5.0], rel=1e-9)
    assert found.threshold == pytest.approx(0.9, rel=1e-9)
    assert found.searched == (1 / 64, pytest.approx(64, rel=1e-12))
    first = windows_of_growth(_Growth([0.9, 1.7, 5.0]), 1.0, first=True)
    assert first.threshold == pytest.approx(0.9, rel=1e-9) and first.searched[1] < 5
    # The last window does not end where the scan does, and is said to go so far.
    open_ = windows_of_growth(_Growth([0.9, 1.7]), 1.0)
    assert open_.intervals[1] == (pytest.approx(1.7, rel=1e-9), open_.searched[1])
    # A threshold far below where it is looked for is found by halving the lowest gain.
    small = windows_of_growth(_Growth([1e-4]), 1.0)
    assert small.threshold == pytest.approx(1e-4, rel=1e-9) and small.searched[0] < 1e-4
    late = windows_of_growth(_Growth([0.9, 1.7], -1), 1.0)
    assert late.threshold == 0 and len(late) == 1
    assert late[0] == pytest.approx((0.9, 1.7), rel=1e-9)


def test_stable_gains_are_listed_with_their_method():
    gains = ReplayGains(((0.5, 1.0), (2.0, 3.0)), "exact", 0.0, (0.0, np.inf))
    assert gains._rows() == [
        {"low": 0.5, "high": 1.0, "method": "exact"},
        {"low": 2.0, "high": 3.0, "method": "exact"},
    ]
    assert list(gains) == [gains[0], gains[1]] and gains.threshold == 0.0
    assert ReplayGains(((0.0, 1.0),), "exact", 0.0, (0.0, 1.0)).threshold == 1.0


def test_each_update_of_a_replay_has_its_own_table():
    rows, random = np.array([[1], [3], [0], [2]]), np.random.default_rng(0)
    momenta = [0.2, 0.7, 0.2, 0.5]
    tables = [optimizer_tables(ds.HeavyBall(m), ds.FixedDelay(0)) for m in momenta]
    loop = ReplayedLoop(rows, tables, 1.0)
    gain, past, update, seen = 0.2, list(random.normal(size=4)), 0.0, []
    for t in range(400):
        update = momenta[t % 4] * update + gain * past[-1 - int(rows[t % 4, 0])]
        past.append(past[-1] - update)
        seen.append(np.log(np.abs(past[-20:]).max()))
    # The feedback of an update is the momentum of that update.
    assert loop.rate(gain) == pytest.approx((seen[-1] - seen[99]) / 300, abs=0.02)
    same = ReplayedLoop(rows, tables[:1] * 4, 1.0), ReplayedLoop(rows, tables[:1], 1.0)
    assert same[0].rate(gain) == same[1].rate(gain) != loop.rate(gain)


def test_one_pass_of_a_replay_is_that_of_its_recurrence():
    log, gain = [0, 2, 1, 0, 3, 1], 0.4
    loop = replayed_loop(Loop(ds.HeavyBall(0.5), ds.MeasuredDelay(np.array(log))))
    past, update, expected = [1.0] * 4, 0.0, []
    for delay in log:
        update = 0.5 * update + gain * past[-1 - delay]
        past.append(past[-1] - update)
        expected.append(np.log(abs(past[-1])))
    assert loop.logarithms(gain) == pytest.approx(expected, abs=1e-12)
    tables = [optimizer_tables(ds.SGD(), ds.FixedDelay(0))]
    with pytest.raises(ValueError, match="updates times longest delay <= 20000000; got 3 updates"):
        ReplayedLoop(np.array([[0], [1], [10**7]]), tables, 1.0).rate(0.1)


# Statistics.


def test_an_interval_says_its_value_its_ends_and_its_size():
    found = Interval(0.25, 0.125, 0.5, 0.9, 7)
    assert found.text("g", 100.0, " %") == "25 % (90 % interval 12.5 to 50 %, n = 7)"
    assert found.to_dict() == {"value": 0.25, "low": 0.125, "high": 0.5, "level": 0.9, "count": 7}
    assert all(low < high for low, high in pairwise([found.low, found.value, found.high]))
