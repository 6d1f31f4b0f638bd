"""Thresholds and stable sets of any filter: adversarial tables against exact arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import pytest

import delaystability as ds
from delaystability.model.optimizer import Coefficients, Term
from delaystability.numerics.crossings.batch_scan import batch_thresholds
from delaystability.numerics.crossings.phase_rows import PhaseRows
from tests.adversarial_tables import KINDS, adversarial_tables, tables_with_poles_on_the_circle
from tests.exact_oracle import crossing_gains, exact_stable_set, parts, stable
from tests.helpers import EPS

CLOSE = Fraction(1, 10**9)
REENTRANT = ds.LinearOptimizer({1: 0.94, 2: -0.55}, {0: 0.74, 1: -0.27, 2: 0.29})


def _same(found: float, exact: Fraction | None) -> bool:
    if exact is None or found == np.inf:
        return exact is None and found == np.inf
    return abs(Fraction(found) - exact) <= CLOSE * exact


def _wrong(feedback, feedforward, delay) -> str | None:
    """What the package says of a table, where exact arithmetic says something else."""
    exact = exact_stable_set(*parts(feedback, feedforward, delay))
    optimizer = ds.LinearOptimizer(feedback, feedforward)
    threshold = ds.stability_threshold(optimizer, delay)
    intervals = ds.stable_gains(optimizer, delay)
    first = exact[0][1] if exact and exact[0][0] == 0 else Fraction(0)
    ends = [
        (found, end)
        for pair in zip(intervals, exact, strict=False)
        for found, end in zip(*pair, strict=True)
    ]
    if _same(threshold, first) and len(intervals) == len(exact) and all(_same(*e) for e in ends):
        return None
    return f"{optimizer} at delay {delay}: {threshold}, {intervals}; exactly {exact}"


def _all_wrong(tables) -> list[str]:
    return [wrong for table in tables if (wrong := _wrong(*table))]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.quick(2)
def test_adversarial_tables_agree_with_exact_arithmetic(kind):
    assert not _all_wrong(adversarial_tables(kind, 20, seed=3))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_many_adversarial_tables_agree_with_exact_arithmetic(kind):
    assert not _all_wrong(adversarial_tables(kind, 200, seed=4))


@pytest.mark.slow
def test_poles_and_zeros_on_the_circle_are_decided_exactly():
    tables = list(tables_with_poles_on_the_circle(80, seed=5))
    assert not _all_wrong(tables)
    positive = [ds.stability_threshold(ds.LinearOptimizer(a, b), d) > 0 for a, b, d in tables]
    assert 4 < sum(positive) < len(tables) - 4


def test_the_exact_oracle_sees_a_threshold_that_is_off_by_2e_9():
    feedback, feedforward, delay = {1: 1.8, 2: -0.9}, {0: 1.0, 1: -0.6}, 3
    found = ds.stability_threshold(ds.LinearOptimizer(feedback, feedforward), delay)
    exact = crossing_gains(*parts(feedback, feedforward, delay))[0]
    assert _same(found, exact)
    assert not _same(found * (1 + 2e-9), exact)


@pytest.mark.parametrize("kind", KINDS)
def test_a_threshold_is_stable_just_below_and_unstable_just_above(kind):
    for feedback, feedforward, delay in adversarial_tables(kind, 12, seed=6):
        found = ds.stability_threshold(ds.LinearOptimizer(feedback, feedforward), delay)
        p, q = parts(feedback, feedforward, delay)
        if found == 0:
            first = min(crossing_gains(p, q), default=Fraction(1))
            assert not stable(p, q, first / 3)
        elif found < np.inf:
            assert stable(p, q, Fraction(found) * (1 - CLOSE))
            assert not stable(p, q, Fraction(found) * (1 + CLOSE))


NEAR_CANCELLING = ds.LinearOptimizer(
    {1: 2 * 0.99999 * np.cos(0.3), 2: -(0.99999**2)},
    {0: 1.0, 1: -2 * 0.99997 * np.cos(0.300003), 2: 0.99997**2},
)


@pytest.mark.parametrize(
    ("optimizer", "delay", "expected"),
    [
        (NEAR_CANCELLING, 5, 0.10148358803233465),
        (ds.SpikeCompensation(Fraction(10**12 - 1, 10**12)), 1, 9.999990000015e-07),
        (ds.LinearOptimizer({1: Fraction(10**12 - 1, 10**12)}, {0: 1}), 1, 1e-12),
    ],
)
def test_thresholds_that_rounding_spoiled(optimizer, delay, expected):
    assert ds.stability_threshold(optimizer, delay) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("gap", [1e-6, 1e-9, 1e-12, 2.0**-53])
def test_stable_gains_of_momenta_next_to_one_equal_the_fast_kernels(gap):
    for cls in (ds.HeavyBall, ds.Nesterov, ds.SpikeCompensation, ds.WeightPrediction):
        for delay in (1, 4, 100):
            ((low, high),) = ds.stable_gains(cls(1 - gap), delay)
            assert low == 0
            assert high == pytest.approx(ds.stability_threshold(cls(1 - gap), delay), rel=1e-12)


@pytest.mark.parametrize("gap", [1e-9, 1e-12, 2.0**-53])
def test_random_delays_of_momenta_next_to_one_have_their_first_order(gap):
    # As m -> 1 the loop is the differential equation v' = -(1 - m) v + g of a late gradient: with
    # delays 0 and 2 in equal parts, mean 1, the threshold is (1 - m)/1 to first order.
    found = ds.stability_threshold(
        ds.HeavyBall(1 - gap), ds.RandomDelay({0: 0.5, 2: 0.5}), moment="mean"
    )
    assert found == pytest.approx(gap, rel=4 * gap + 1e-9)


@pytest.mark.parametrize("scale", [1e-300, 1e-200, 1e160, 1e300, 2.0**-900])
def test_scaling_the_feedforward_table_scales_the_threshold_inversely(scale):
    a, b = {1: 0.94, 2: -0.495}, {0: 0.74, 1: -0.27, 2: 0.29}
    scaled = ds.LinearOptimizer(a, {lag: value * scale for lag, value in b.items()})
    for delay in (0, 3):
        plain = ds.stability_threshold(ds.LinearOptimizer(a, b), delay)
        assert ds.stability_threshold(scaled, delay) * scale == pytest.approx(plain, rel=8 * EPS)
        (_, plain_end), *_ = ds.stable_gains(ds.LinearOptimizer(a, b), delay)
        (_, end), *_ = ds.stable_gains(scaled, delay)
        assert end * scale == pytest.approx(plain_end, rel=8 * EPS)


def test_a_threshold_beyond_the_floats_is_refused():
    tiny = ds.LinearOptimizer({1: 0.94, 2: -0.495}, {0: 1e-320})
    with pytest.raises(ValueError, match=r"optimizer must.*threshold is a float.*2\*\*10"):
        ds.stability_threshold(tiny, 2)


@pytest.mark.slow
def test_arrays_of_delays_equal_single_answers():
    delays = np.array([*range(40), 999, 1000, 10**6, 10**9 + 1, 2**50, 2**53])
    for optimizer in (REENTRANT, NEAR_CANCELLING, ds.LinearOptimizer({1: 1.5, 2: -0.9}, {1: 1.0})):
        found = ds.stability_threshold(optimizer, delays)
        single = [ds.stability_threshold(optimizer, int(delay)) for delay in delays]
        assert found == pytest.approx(single, rel=1e-12)


def test_the_stable_set_alternates_with_exact_counts_between_its_ends():
    for delay in (0, 1, 2):
        p, q = parts(REENTRANT.feedback, REENTRANT.feedforward, delay)
        ends = [0.0, *ds.crossings(REENTRANT, delay).gains]
        for low, high in pairwise(ends):
            inside = any(a <= low and high <= b for a, b in ds.stable_gains(REENTRANT, delay))
            assert stable(p, q, Fraction((low + high) / 2)) == inside


@pytest.mark.parametrize("optimizer", [ds.SGD(), ds.HeavyBall(0.9)])
def test_crossings_of_long_delays_keep_their_closed_form(optimizer):
    delay = 20_000
    found = ds.crossings(optimizer, delay)
    assert found.gains.size == delay // 2 + 1
    assert np.all(found.leaving > 0)
    m = getattr(optimizer, "momentum", 0.0)
    # Half the angle equation, tan(delay theta) tan(theta/2) = (1 - m)/(1 + m), without poles.
    theta = found.angles[found.angles < 3]
    left = np.sin(delay * theta) * np.sin(theta / 2) * (1 + m)
    right = np.cos(delay * theta) * np.cos(theta / 2) * (1 - m)
    assert left == pytest.approx(right, abs=delay * 8 * EPS)


def test_too_many_crossings_are_refused_before_any_is_computed():
    with pytest.raises(ValueError, match="delay must leave at most 1048576 crossings"):
        ds.crossings(ds.SGD(), 10**9)
    ((low, high),) = ds.stable_gains(ds.SGD(), 10**9)
    expected = ds.stability_threshold(ds.SGD(), 10**9)
    assert (low, high) == (0, pytest.approx(expected, rel=4 * EPS))


def test_a_double_pole_at_one_is_stable_where_a_zero_pulls_it_in():
    # z^2 - 2z + 1 + g (2z - 1): the product of the roots is 1 - g.
    nesterov = ds.LinearOptimizer({1: 1.0}, {0: 2.0, 1: -1.0})
    assert ds.stability_threshold(nesterov, 0) == pytest.approx(4 / 3, rel=4 * EPS)
    assert ds.stability_threshold(ds.LinearOptimizer({1: 1.0}, {0: 1.0}), 0) == 0
    assert ds.stable_gains(ds.LinearOptimizer({1: 1.0}, {0: 1.0}), 0) == []


@dataclass(frozen=True)
class TwoLags(ds.Optimizer):
    """Two poles and two zeros, with arrays as parameters."""

    first: Any
    second: Any
    name: ClassVar[str] = "two-lags"
    title: ClassVar[str] = "Two lags"

    def coefficients(self, delay):
        return Coefficients(
            (Term(1, self.first), Term(2, self.second)), (Term(0, 0.74), Term(1, -0.27))
        )


def test_arrays_of_parameters_equal_single_answers():
    random = np.random.default_rng(7)
    modulus, angle = random.uniform(0.2, 1.02, 60), random.uniform(0.05, 3.1, 60)
    first, second = 2 * modulus * np.cos(angle), -(modulus**2)
    delays = random.integers(0, 50, 60)
    found = ds.stability_threshold(TwoLags(first, second), delays)
    single = [
        ds.stability_threshold(TwoLags(*map(float, entry)), int(delay))
        for *entry, delay in zip(first, second, delays, strict=True)
    ]
    assert found == pytest.approx(single, rel=1e-11)
    assert 0 in found


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_is_right_wherever_it_claims_to_be(kind):
    tables = list(adversarial_tables(kind, 40, seed=8))
    a = np.array(
        [[1.0, *(-feedback[lag] for lag in sorted(feedback))] for feedback, _, _ in tables]
    )
    b = np.array([[forward[lag] for lag in sorted(forward)] for _, forward, _ in tables])
    delays = np.array([delay for *_, delay in tables], dtype=float)
    found, _, clear = batch_thresholds(a, b, delays)
    for row in np.flatnonzero(clear):
        exact = exact_stable_set(*parts(*tables[row]))
        first = exact[0][1] if exact and exact[0][0] == 0 else Fraction(0)
        assert _same(found[row], first), tables[row]
    if kind == "scaled":
        assert clear.mean() > 0.9


def test_a_batch_whose_crossing_is_missed_is_not_clear(monkeypatch):
    first = PhaseRows.first_crossings

    def later(self, scan):
        gain, angle = first(self, scan)
        return 1.01 * gain, angle

    a, b = np.array([[1, -0.94, 0.55]] * 3), np.array([[0.74, -0.27, 0.29]] * 3)
    delays = np.array([0.0, 1.0, 30.0])
    assert np.all(batch_thresholds(a, b, delays)[2])
    monkeypatch.setattr(PhaseRows, "first_crossings", later)
    assert not np.any(batch_thresholds(a, b, delays)[2])


@pytest.mark.parametrize("feedback", [{}, {1: 0.5}, {1: 0.5, 2: 0.1}])
def test_no_shape_of_table_overflows_without_a_word(feedback):
    for feedforward in ({0: 1e-320}, {0: 1e-320, 1: 1e-321}):
        with pytest.raises(ValueError, match=r"optimizer must.*threshold is a float"):
            ds.stability_threshold(ds.LinearOptimizer(feedback, feedforward), 2)
    large = ds.stability_threshold(ds.LinearOptimizer(feedback, {0: 1e300}), 2)
    assert large * 1e300 == pytest.approx(
        ds.stability_threshold(ds.LinearOptimizer(feedback, {0: 1.0}), 2), rel=8 * EPS
    )
