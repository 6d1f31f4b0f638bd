"""The stable gains of a replayed log: exact on short logs, resolved on long ones."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import delaystability as ds
from delaystability.numerics.replay.floquet import FloquetGrowth, LiveGrowth
from delaystability.numerics.replay.live_loop import LiveLoop
from delaystability.numerics.replay.periodic_loop import periodic_loop, reduced_period
from delaystability.numerics.replay.replayed_gains import windows_of_growth, windows_on_panels
from delaystability.numerics.replay.replayed_loop import replayed_loop
from delaystability.numerics.tables.loop_filter import optimizer_tables
from tests.monodromy_oracle import peaked_case, random_case, slow_rate, wrong_ends

SHARED = Path(os.environ.get("DELAYSTABILITY_SHARED", Path(__file__).parents[2] / "shared"))
LOGS = sorted((SHARED / "data" / "delay-logs").glob("*.csv"))


def test_a_window_of_growth_below_stable_gains_is_found():
    found = ds.replay_gains(ds.HeavyBall(0.9), [0, 0, 0, 1, 1, 1, 1, 1, 0])
    assert found.method == "exact"
    assert len(found) == 2
    assert found[0] == pytest.approx((0, 0.1158972627812), abs=1e-12)
    assert found[1] == pytest.approx((0.12992212495, 0.18794262485), abs=1e-10)
    threshold = ds.replay_threshold(ds.HeavyBall(0.9), [0, 0, 0, 1, 1, 1, 1, 1, 0])
    assert threshold == found[0][1]


@pytest.mark.parametrize("seed", range(24))
@pytest.mark.quick(3)
def test_ends_of_random_short_logs_are_those_of_the_monodromy(seed):
    assert not wrong_ends(*random_case(seed))


def test_the_slow_twin_notices_an_end_that_is_off(monkeypatch):
    optimizer, log = random_case(0)
    found = ds.replay_gains(optimizer, log)
    moved = type(found)(((0.0, found[0][1] * (1 + 1e-7)),), "exact", 0.0, found.searched)
    monkeypatch.setattr(ds, "replay_gains", lambda *_: moved)
    assert wrong_ends(optimizer, log)


@pytest.mark.parametrize("delay", [0, 1, 5, 2000])
@pytest.mark.parametrize(
    "optimizer", [ds.SGD(), ds.HeavyBall(0.99), ds.Nesterov(0.9), ds.EMAMomentum(0.9)]
)
def test_a_constant_log_is_the_fixed_delay(optimizer, delay):
    found = ds.replay_threshold(optimizer, [delay] * 3)
    assert found == pytest.approx(ds.stability_threshold(optimizer, delay), rel=1e-12)


def test_a_log_that_repeats_itself_is_its_period():
    period = [0, 0, 2, 1]
    once = ds.replay_gains(ds.HeavyBall(0.5), period)
    assert ds.replay_gains(ds.HeavyBall(0.5), period * 500) == once
    assert ds.replay_gains(ds.HeavyBall(0.5), [*period * 2, 0]) != once


def test_the_scan_finds_what_the_polynomial_finds():
    optimizer = ds.HeavyBall(0.9)
    log = ds.MeasuredDelay(np.array([0, 0, 0, 1, 1, 1, 1, 1, 0]))
    loop = periodic_loop(reduced_period(log), [optimizer_tables(optimizer, log)])
    scanned = windows_of_growth(FloquetGrowth(loop), 0.1)
    assert scanned.method == "resolved"
    exact = np.array(ds.replay_gains(optimizer, log).intervals)
    assert np.array(scanned.intervals) == pytest.approx(exact, rel=1e-9)


@pytest.mark.skipif(not LOGS, reason="the measured delay logs are not on this machine")
@pytest.mark.slow
@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.stem)
def test_measured_logs_change_sign_at_their_ends_and_nowhere_else(path):
    log = ds.MeasuredDelay.from_log(path)
    found = ds.replay_gains(ds.SGD(), log)
    growth = FloquetGrowth(periodic_loop(reduced_period(log), [optimizer_tables(ds.SGD(), log)]))
    for gain in found[0][1] * np.geomspace(0.05, 20, 400):
        assert (growth.rate(gain) < 0) == any(low < gain < high for low, high in found)


@pytest.mark.slow
def test_a_short_period_that_reaches_far_has_the_growth_of_its_monodromy():
    """All multipliers of such a loop are of nearly one size: few directions do not settle."""
    optimizer, log = ds.HeavyBall(0.5), [0, 60, 3]
    loop = replayed_loop(ds.Loop(optimizer, ds.MeasuredDelay(log)))
    end = ds.replay_threshold(optimizer, log)
    below, above = (slow_rate(optimizer, log, end * side) for side in (1 - 1e-7, 1 + 1e-7))
    assert below < 0 < above
    for gain in end * np.array([0.3, 0.9, 1.5]):
        rate = slow_rate(optimizer, log, gain) / len(log)
        assert loop.rate(gain) == pytest.approx(rate, abs=1e-10)


@pytest.mark.parametrize(
    ("feedback", "feedforward", "log"),
    [
        (
            {5: 0.5785806614963818, 6: 0.40011439875731947},
            {4: 0.22516314181300645},
            [20] * 25 + [32] * 9,
        ),
        ({1: 0.8782073008029767}, {7: 0.61711144284243}, [32] * 5 + [34] * 40),
    ],
)
@pytest.mark.quick(1)
def test_a_rough_rate_with_the_wrong_sign_is_not_where_the_scan_ends(feedback, feedforward, log):
    optimizer = ds.LinearOptimizer(feedback, feedforward)
    end = ds.replay_threshold(optimizer, log)
    below, above = (slow_rate(optimizer, log, end * side) for side in (1 - 1e-6, 1 + 1e-6))
    assert below < 0 < above
    assert ds.replay_gains(optimizer, log)[0][1] == pytest.approx(end, rel=1e-9)


@pytest.mark.parametrize("factor", [1e-1, 1e3, 1e6])
def test_the_first_end_does_not_depend_on_where_the_search_begins(factor):
    loop = replayed_loop(
        ds.Loop(ds.HeavyBall(0.9), ds.MeasuredDelay(np.random.default_rng(0).integers(0, 8, 300)))
    )
    moved = replace(loop, scale=loop.scale * factor)
    assert moved.threshold() == pytest.approx(loop.threshold(), rel=1e-10)


@pytest.mark.parametrize("table", [{0: -1.0, 1: -0.25}, {0: 1.0}])
def test_the_search_begins_at_the_threshold_that_decay_makes(table):
    """Without decay no gain of the first table is stable; the second tolerates much less."""
    optimizer = ds.LinearOptimizer({1: 0.5 if len(table) > 1 else 0.99}, table)
    log = np.repeat([0, 8, 2], 44)
    found = ds.replay_gains(ds.Loop(optimizer, ds.MeasuredDelay(log), decay=0.75))
    assert found.method == "resolved"
    assert found.threshold > 0
    alone = ds.replay_threshold(ds.Loop(optimizer, ds.MeasuredDelay(log), decay=0.75))
    assert alone == pytest.approx(found.threshold, rel=1e-8)


@pytest.mark.parametrize("degree", [0, 225])
def test_early_windows_of_a_log_with_one_long_delay_are_found(degree, monkeypatch):
    # By the oracle the run grows between .0431 and .0472, far below where it grows for good.
    monkeypatch.setattr("delaystability.numerics.replay.replayed_loop._EXACT_DEGREE", degree)
    found = ds.replay_gains(ds.HeavyBall(0.99), [0] * 24 + [8] + [0] * 5)
    assert found.method == ("exact" if degree else "resolved")
    assert found.threshold == pytest.approx(0.04311315634899, rel=1e-9)
    assert found[1] == pytest.approx((0.0471878204375, 0.0972684003234), rel=1e-9)


def _live(optimizer, log):
    delay = ds.MeasuredDelay(np.array(log))
    return LiveLoop(periodic_loop(reduced_period(delay), [optimizer_tables(optimizer, delay)]))


@pytest.mark.parametrize(
    ("log", "ends"),
    [
        # One multiplier: (1 - a)^400 ((1 - a)^600 - a), and (1 - a)^100 ((1 - a)^100 - a).
        ([0] * 1000 + [600], [1.99918250948956, 2.0, 2.00155407860172]),
        ([0] * 200 + [100], [2.0, 2.00010000916752, 2.00888434550996]),
    ],
)
def test_windows_of_logs_with_one_very_long_delay(log, ends):
    found = [end for interval in ds.replay_gains(ds.SGD(), log) for end in interval]
    assert found[1:] == pytest.approx(ends, rel=1e-12)
    assert ds.replay_threshold(ds.SGD(), log) == pytest.approx(ends[0], rel=1e-12)


@pytest.mark.parametrize("delay", [200, pytest.param(600, marks=pytest.mark.slow)])
def test_a_short_period_with_one_very_long_delay(delay):
    """By hand: with the period as the step, z^(n + 1) = (1 - a)^3 (z^n - a) for n = delay / 4."""
    end = ds.replay_threshold(ds.SGD(), [delay, 0, 0, 0])
    radii = []
    for gain in end * np.array([1 - 1e-9, 1 + 1e-9]):
        shrinks = (1 - gain) ** 3
        polynomial = [1.0, -shrinks, *[0.0] * (delay // 4 - 1), shrinks * gain]
        radii.append(np.abs(np.roots(polynomial)).max())
    assert radii[0] < 1 < radii[1]


@pytest.mark.quick(22)
@pytest.mark.parametrize("seed", range(30))
def test_live_iterates_have_the_multipliers_of_the_whole_state(seed):
    random = np.random.default_rng(seed)
    optimizer = [ds.SGD(), ds.HeavyBall(0.8), ds.LinearOptimizer({1: 0.5, 3: -0.2}, {0: 1, 2: 0.3})]
    log = random.integers(0, [3, 7, 30][seed % 3], random.integers(1, 12)).tolist()
    live = _live(optimizer[seed // 3 % 3], log)
    log = log[: live.period]
    gains = np.array([0.1, 0.7, 3.0])
    expected = [slow_rate(optimizer[seed // 3 % 3], log, gain) for gain in gains]
    for found in (live.multipliers(gains).growth, live.multipliers(np.tile(gains, 99)).growth[:3]):
        assert found == pytest.approx(expected, rel=1e-8, abs=1e-8)
    assert LiveGrowth(live).rate(0.7) == pytest.approx(expected[1] / live.period, abs=1e-8)


def test_both_ways_to_carry_many_gains_agree():
    live = _live(ds.HeavyBall(0.9), np.random.default_rng(0).integers(0, 9, 3000))
    gains = np.geomspace(0.01, 1, 600)
    many, few = live.multipliers(gains), [live.multipliers(gains[k : k + 1]) for k in (0, 300, 599)]
    for place, one in zip((0, 300, 599), few, strict=True):
        assert many.growth[place] == pytest.approx(one.growth[0], rel=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 2, 4, 6])
def test_ends_of_peaked_logs_are_those_of_the_monodromy(seed):
    assert not wrong_ends(*peaked_case(seed), gains=4)


def test_narrow_windows_of_a_long_log_are_found():
    """In 50 digits the run is stable in the middle of each window, and grows beside it."""
    log = np.random.default_rng(0).integers(0, 9, 1000).tolist()
    found = ds.replay_gains(ds.SGD(), log)
    assert len(found) == 3
    ends = [0.509123497007974, 0.509128952129613, 0.52710459888081, 0.527104732899297]
    assert [end for interval in found.intervals[1:] for end in interval] == pytest.approx(
        ends, rel=1e-11
    )


def test_a_scan_and_panels_find_the_same_windows():
    live = _live(ds.HeavyBall(0.9), [0, 0, 0, 1, 1, 1, 1, 1, 0])
    exact = np.array(ds.replay_gains(ds.HeavyBall(0.9), [0, 0, 0, 1, 1, 1, 1, 1, 0]).intervals)
    assert np.array(windows_on_panels(live, 0.1).intervals) == pytest.approx(exact, rel=1e-12)
    scanned = windows_of_growth(LiveGrowth(live), 0.1)
    assert np.array(scanned.intervals) == pytest.approx(exact, rel=1e-9)
