"""Ways through the numerics that few questions take, each against what is plain and slow."""

from __future__ import annotations

from fractions import Fraction
from math import inf, nan

import mpmath
import numpy as np
import pytest
from scipy.stats import binomtest

import delaystability as ds
from delaystability.numerics.certificates.named_loop import loop_from_labels, named_loop
from delaystability.numerics.crossings.free_part import free_gains, free_threshold
from delaystability.numerics.crossings.merged_replicas import _cosines, _local_minimum
from delaystability.numerics.crossings.outside_count import _expansion
from delaystability.numerics.exact.rational_text import table_from_text
from delaystability.numerics.replay.floquet import FloquetGrowth
from delaystability.numerics.replay.periodic_loop import periodic_loop, reduced_period
from delaystability.numerics.statistics import (
    UNKNOWN,
    median_interval,
    median_of,
    share_interval,
    share_of,
)
from delaystability.numerics.tables import table_rows
from delaystability.numerics.tables.filter_phase import Table
from delaystability.numerics.tables.loop_filter import optimizer_tables
from delaystability.numerics.tables.table_rows import TableRows
from tests.helpers import EPS
from tests.monodromy_oracle import slow_rate


def mostly_fresh(share, delay):
    """By the two triangles of its theorem, in forty digits."""
    with mpmath.workdps(40):
        share = mpmath.mpf(share)
        late, at_odd, turns = abs(1 - share), 2 / (2 * share - 1), 2 * delay + 1
        fits, other = (at_odd, 2) if delay % 2 else (2, at_odd)
        if fits < other or share >= turns * late:
            return fits
        low, high = mpmath.pi / turns / 10**9, mpmath.pi / (2 * delay + 2)
        half = mpmath.findroot(
            lambda x: mpmath.sin(turns * x) * late - share * mpmath.sin(x),
            (low, high),
            solver="bisect",
            maxsteps=300,
            tol=1e-70,
        )
        return mpmath.sin(2 * half) / (late * mpmath.sin(2 * delay * half))


@pytest.mark.parametrize("share", [0.5 + 1e-9, 0.55, 0.75, 0.875 - 1e-9, 0.95, 1.05, 1.5, 4.0])
def test_mostly_fresh_gradients_have_the_gain_of_their_triangles(share):
    for delay in (1000, 51, 2, 1, 3):
        found = ds.stability_threshold(ds.SGD(), ds.MixedRead.partly_fresh(share, delay))
        expected = mostly_fresh(share, delay)
        # A quotient of two sines, each of a rounded angle.
        assert abs(found - expected) <= 8 * EPS * expected, delay
    # Negative control: it is no other share's.
    assert abs(found - mostly_fresh(share + 0.01, 3)) > 1e-6


LABELS = {
    "a law over two": "0: 1 over 0: 1 over 0: 1",
    "no law": "",
    "a law over nothing": "0: 1 over ",
    "nothing over a law": " over 0: 1",
}


@pytest.mark.parametrize("law", LABELS.values(), ids=LABELS)
def test_labels_with_no_law_of_delays_name_no_loop(law):
    with pytest.raises(ValueError, match="must be a table, or a table over a table"):
        loop_from_labels("sgd", {"delay distribution": law}, 0)
    whole = loop_from_labels("sgd", {"delay distribution": "0: 1/2, 1: 1/2"}, 2)
    halves = ((0, Fraction(1, 2)), (1, Fraction(1, 2)))
    assert (whole.a, whole.b, whole.delay) == (((0, Fraction(1)),), halves, 2)
    ratio = loop_from_labels("sgd", {"delay distribution": "0: 1/2 over 0: 1, 1: -1/2"}, 2)
    assert (ratio.a, ratio.b) == (((0, 1), (1, Fraction(-1, 2))), halves[:1])


class Unlisted(ds.ShiftedMomentum):
    """An optimizer that depends on the delay and is in no catalogue."""


def test_tables_that_depend_on_the_delay_are_named_for_one_delay_and_refused_for_a_law():
    half = Fraction(1, 2)
    for delay in (1, 4):
        mine, listed = (named_loop(kind(half), delay) for kind in (Unlisted, ds.ShiftedMomentum))
        assert (mine.a, mine.b) == (listed.a, listed.b)
    with pytest.raises(ValueError, match="do not depend on the delay"):
        named_loop(Unlisted(half), ds.RandomDelay({1: half, 3: half}))
    with pytest.raises(TypeError, match="delay must be one integer"):
        named_loop(ds.SGD(), [1, 2])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (3, "must be a table as text"),
        ("0 1", "got the entry"),
        ("x: 1", "got the entry"),
        ("0: 1, 0: 2", "got the lag 0 twice"),
        ("1: 1", "got the lag 1 twice or too large"),
        (", ".join(f"{lag}: 1" for lag in range(8193)), "at most 8192 lags; got 8193"),
    ],
)
def test_a_text_that_is_no_table_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        table_from_text("table", text, 2 if text == "1: 1" else 0)
    assert table_from_text("table", "2: 1/3, 5: -1", 2) == ((2, Fraction(1, 3)), (5, Fraction(-1)))


@pytest.mark.parametrize("terms", [3, 40])
def test_sums_taken_block_by_block_are_those_taken_at_once(terms, monkeypatch):
    random = np.random.default_rng(terms)
    lags, theta = np.arange(0.0, 3 * terms, 3), random.uniform(0, np.pi, 23)
    table = TableRows.of(lags, random.normal(size=(2, terms)))
    which = random.integers(0, 2, theta.size)
    for rows in (1, which):
        values = table.values[rows] if isinstance(rows, int) else table.values[which]
        turns = np.exp(-1j * np.multiply.outer(theta, lags))
        expected = (values * turns).sum(axis=-1), (-lags * values * turns).sum(axis=-1)
        for block in (1, 5 * terms, 2**20):
            monkeypatch.setattr(table_rows, "_BLOCK", block)
            found = table.at(theta, rows, slope=True)
            for mine, other in zip(found, expected, strict=True):
                np.testing.assert_allclose(mine, other, rtol=0, atol=1e-11)
            # So many products are held at a time, and no angle is left out.
            blocks = [part for part, _, _ in table._blocks(100, 0)] if terms > 32 else []
            held = [len(range(100)[part]) for part in blocks]
            assert not held or (sum(held) == 100 and max(held) == min(100, max(1, block // terms)))


def test_a_long_table_is_summed_in_two_short_rows_as_term_by_term():
    random = np.random.default_rng(1)
    lags = np.sort(random.choice(900, size=100, replace=False)).astype(float)
    values = random.normal(size=100)
    zeta = random.uniform(-0.001, 0.001, 7) + 1j * random.uniform(0, np.pi, 7)
    found = Table(lags, values, tuple(values)).at(zeta)
    terms = values * np.exp(-np.multiply.outer(zeta, lags))
    assert found[0] == pytest.approx(terms.sum(axis=1), abs=1e-11)
    assert found[1] == pytest.approx((-lags * terms).sum(axis=1), abs=1e-8)


def growth_of(optimizer, log):
    delay = ds.MeasuredDelay(np.array(log))
    tables = [optimizer_tables(optimizer, delay)]
    return FloquetGrowth(periodic_loop(reduced_period(delay), tables))


def test_rates_far_from_the_threshold_are_as_good_as_those_next_to_it():
    """Multipliers of a turn from e^-90 to e^300, whose residuals are relative."""
    log = np.random.default_rng(3).integers(0, 5, 300).tolist()
    growth, optimizer = growth_of(ds.HeavyBall(0.5), log), ds.HeavyBall(0.5)
    for gain in (0.3, 0.15, 0.02, 0.9, 3.0):
        rate = slow_rate(optimizer, log, gain) / len(log)
        assert growth.rate(gain) == pytest.approx(rate, abs=1e-9)


def test_the_coefficients_of_a_period_step_the_loop_as_it_is_written():
    log = [0, 2, 1]
    delay = ds.MeasuredDelay(np.array(log))
    tables = [optimizer_tables(ds.HeavyBall(0.5), delay)]
    without, with_gain = periodic_loop(reduced_period(delay), tables).tables()
    random = np.random.default_rng(0)
    iterates, gain = list(random.normal(size=4)), 0.3
    plain, update = list(iterates), iterates[-2] - iterates[-1]
    for t in range(9):
        update = 0.5 * update + gain * plain[-1 - log[t % 3]]
        plain.append(plain[-1] - update)
        row = without[t % 3] + gain * with_gain[t % 3]
        iterates.append(sum(row[lag] * iterates[-1 - lag] for lag in range(row.size)))
    assert iterates == pytest.approx(plain, rel=1e-12)


def roots_outside_by_eigenvalues(feedback, feedforward, delay, gain):
    """How many roots of (z - 1) A + gain z^-delay B are outside, by all of them."""
    row = np.zeros(2 + max(max(feedback, default=0), delay + max(feedforward)))
    row[:2] = 1, -1
    for lag, value in feedback.items():
        row[lag] -= value
        row[lag + 1] += value
    for lag, value in feedforward.items():
        row[lag + delay + 1] += gain * value
    return int(np.count_nonzero(np.abs(np.roots(row)) > 1))


LONG = {
    "an echo": ({}, {0: 1.0, 70: -0.6}, 3),
    "a late echo": ({}, {0: 1.0, 90: 0.9}, 0),
    "a filter": ({1: 0.4, 80: 0.3}, {0: 1.0, 1: -0.2}, 0),
    "an echo that is never stable": ({1: 0.4}, {0: 1.0, 80: -1.5}, 0),
}


@pytest.mark.parametrize("name", LONG)
def test_crossings_of_long_filters_change_the_number_of_roots_outside(name):
    feedback, feedforward, delay = LONG[name]
    optimizer = ds.LinearOptimizer(feedback, feedforward)

    def outside(gain):
        return roots_outside_by_eigenvalues(feedback, feedforward, delay, gain)

    found = ds.crossings(optimizer, delay)
    gains = np.asarray(found.gains)
    ends = np.concatenate([[0], np.sort(gains), [2 * gains.max()]])
    between = [k for k in range(len(ends) - 1) if ends[k + 1] - ends[k] > 1e-6 * ends[k + 1]]
    for k in between[:: max(1, len(between) // 6)]:
        middle = (ends[k] + ends[k + 1]) / 2
        left = int(np.sum(np.asarray(found.leaving)[gains < middle]))
        assert outside(middle) - outside(1e-9 * ends[1]) == left
    stable = ds.stable_gains(optimizer, delay)
    for gain in np.linspace(0.01, 1.1 * min(ends[-1], 4), 7):
        assert (outside(gain) == 0) == any(low < gain < high for low, high in stable)


def test_a_loop_that_uses_no_gradient_has_no_stable_gain():
    free, late = np.array([1.0, -0.9]), np.zeros(2)
    assert free_threshold(free, late, 3) == (0.0, 0.0)
    assert free_gains(free, late, 3) == []


def test_a_sum_of_cosines_is_the_quotient_that_it_replaces():
    theta = np.linspace(0.1, 3, 9)
    for lag in (1, 2, 7):
        expected = np.sin(lag * theta) / np.tan(theta / 2)
        assert _cosines(theta, lag) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("place", [0.05, 0.4, 0.93])
def test_golden_sections_find_a_minimum_on_either_side(place):
    found = _local_minimum(lambda x: 2 + abs(x - place), 0.0, 1.0)
    assert found == pytest.approx(2, abs=1e-8)


def test_statistics_of_nothing_are_unknown_and_others_leave_out_what_is_none():
    assert median_of([nan, inf]) is UNKNOWN and share_of([]) is UNKNOWN
    assert median_of([3.0, nan, 1.0, 2.0]) == median_interval([3.0, 1.0, 2.0])
    share, wilson = share_of([True, False, True]), binomtest(2, 3).proportion_ci(method="wilson")
    assert (share.low, share.high) == (wilson.low, wilson.high)
    assert share == share_interval(2, 3)
    for ask, message in (
        (lambda: median_interval([[1.0]]), "values must be one or more numbers"),
        (lambda: median_interval([]), "values must be one or more numbers"),
        (lambda: median_interval([1.0, nan]), "values must be one or more numbers"),
        (lambda: median_interval([1.0], 1.0), "level must be a number in"),
        (lambda: share_interval(1, 2, 0.0), "level must be a number in"),
        (lambda: share_interval(3, 2), "got 3 and 2"),
        (lambda: share_interval(-1, 2), "got -1 and 2"),
        (lambda: share_interval(0, 0), "got 0 and 0"),
    ):
        with pytest.raises(ValueError, match=message):
            ask()


@pytest.mark.parametrize(("momentum", "delay", "decay"), [(0.5, 3, 0.1), (0.0, 0, 0.3)])
def test_radii_and_the_fastest_gain_under_decay_are_those_of_all_roots(momentum, delay, decay):
    optimizer, decays = ds.HeavyBall(momentum), {"decay": decay}

    def radius(gain):
        row = np.zeros(delay + 3)
        row[:3] = 1, -(1 - decay) - momentum, momentum * (1 - decay)
        row[delay + 1] += gain
        return np.abs(np.roots(row)).max()

    for gain in (0.05, 0.2):
        assert ds.spectral_radius(optimizer, delay, gain, **decays) == pytest.approx(
            radius(gain), rel=1e-9
        )
    best, fastest = ds.fastest_gain(optimizer, delay, **decays)
    assert radius(best) == pytest.approx(fastest, abs=1e-6)
    end = ds.stability_threshold(optimizer, delay, **decays)
    grid = [radius(gain) for gain in np.linspace(0, end, 20)]
    assert fastest <= min(grid) + 1e-6


def test_the_longest_delay_under_decay_is_the_one_found_by_trial():
    optimizer, gain = ds.HeavyBall(0.5), 0.35
    ends = [ds.stability_threshold(optimizer, delay, decay=0.05) for delay in range(8)]
    assert ends[0] > gain > ends[-1]
    longest = next(delay for delay, end in enumerate(ends) if not gain < end) - 1
    found = ds.max_delay(gain, 1.0, optimizer, decay=0.05)
    assert found == longest


def test_roots_that_pass_through_one_under_decay_leave_or_enter_as_eigenvalues_do():
    random, seen = np.random.default_rng(2), set()
    for _ in range(24):
        feedback = dict(zip((1, 2), random.normal(size=2).tolist(), strict=True))
        feedforward = dict(zip((0, 1), random.normal(size=2).tolist(), strict=True))
        delay, decay = int(random.integers(0, 3)), 0.3
        found = ds.crossings(ds.LinearOptimizer(feedback, feedforward), delay, decay=decay)

        def outside(gain, feedback=feedback, feedforward=feedforward, delay=delay):
            a = np.array([1.0, -feedback[1], -feedback[2]])
            row = np.zeros(4 + delay)
            row[:4] = np.convolve(a, [1, -0.7])
            for lag, value in feedforward.items():
                row[lag + delay + 1] += gain * value
            return np.count_nonzero(np.abs(np.roots(row)) > 1)

        for gain, angle, leaving in zip(found.gains, found.angles, found.leaving, strict=True):
            if angle == 0:
                assert outside(gain * (1 + 1e-7)) - outside(gain * (1 - 1e-7)) == leaving
                seen.add(int(leaving))
    assert seen == {1, -1}


def test_squares_next_to_one_are_their_expansion():
    table, theta = np.array([[1.0, -0.4, 0.3, 0.2]]), 0.01
    constant, first, second = _expansion(table, np.zeros(1), table.sum())
    y = np.sin(theta / 2) ** 2
    exact = abs(table[0] @ np.exp(-1j * theta * np.arange(4))) ** 2
    # The next term is of the order of y^3, 1.6e-14.
    assert (constant + first * y + second * y * y).item() == pytest.approx(exact, abs=1e-12)
    assert abs((second * y * y).item()) > 1e-10
