"""The stable gains of a replayed log: exact on short logs, resolved on long ones."""

from __future__ import annotations

import os
from pathlib import Path

import mpmath
import numpy as np
import pytest

import delaystability as ds
from delaystability.numerics.floquet import FloquetGrowth
from delaystability.numerics.loop_filter import optimizer_tables
from delaystability.numerics.periodic_loop import periodic_loop, reduced_period
from delaystability.numerics.replayed_gains import windows_of_growth

SHARED = Path(os.environ.get("DELAYSTABILITY_SHARED", Path(__file__).parents[2] / "shared"))
LOGS = sorted((SHARED / "data" / "delay-logs").glob("*.csv"))


def slow_rate(optimizer: ds.Optimizer, log: list[int], gain: float) -> float:
    """Largest log modulus of the eigenvalues of the product of steps of (w, gradients, updates)."""
    table = optimizer.coefficients(0)
    kept = 1 + max(max(log), *(term.lag for part in table for term in part), 0)

    def step(state: np.ndarray, delay: int) -> np.ndarray:
        w, g, u = np.split(state, 3)
        g = np.concatenate([[gain * w[delay]], g[:-1]])
        new = sum(term.coefficient * g[term.lag] for term in table.feedforward)
        new += sum(term.coefficient * u[term.lag - 1] for term in table.feedback)
        return np.concatenate([[w[0] - new], w[:-1], g, [new], u[:-1]])

    states = list(np.eye(3 * kept))
    for delay in log:
        states = [step(state, delay) for state in states]
    return float(np.log(np.abs(np.linalg.eigvals(np.array(states).T)).max()))


def precise_rate(optimizer: ds.Optimizer, log: list[int], gain: float) -> mpmath.mpf:
    """The same for short logs, in 50 digits, from past iterates alone."""
    with mpmath.workdps(50):
        table = optimizer.coefficients(0)
        forward = [(term.lag, mpmath.mpf(float(term.coefficient))) for term in table.feedforward]
        back = [(term.lag, mpmath.mpf(float(term.coefficient))) for term in table.feedback]
        size = 2 + max(log) + max(lag for lag, _ in (*forward, *back, (0, 0)))
        states = mpmath.eye(size)
        for time in range(len(log)):
            step = mpmath.zeros(size)
            step[0, 0] = mpmath.mpf(1)
            for lag, value in back:
                step[0, lag - 1] += value
                step[0, lag] -= value
            for lag, value in forward:
                step[0, lag + log[time - lag]] -= value * gain
            for row in range(1, size):
                step[row, row - 1] = mpmath.mpf(1)
            states = step * states
        values = mpmath.eig(states, left=False, right=False)
        return mpmath.log(max(abs(value) for value in values))


def random_case(seed: int) -> tuple[ds.Optimizer, list[int]]:
    random = np.random.default_rng(seed)
    momentum = float(random.uniform(0, 0.95))
    optimizer = [ds.HeavyBall(momentum), ds.HeavyBall(momentum), ds.SGD(), ds.Nesterov(momentum)][
        seed % 4
    ]
    length = int(random.integers(2, 31))
    if seed % 3:
        return optimizer, random.integers(0, 4, length).tolist()
    # Blocks of equal delays have windows more often.
    blocks = np.repeat(random.integers(0, 4, 8), random.integers(1, 8, 8))
    return optimizer, blocks[:length].tolist()


def wrong_ends(optimizer: ds.Optimizer, log: list[int]) -> list[str]:
    """Where the slow twin contradicts the intervals: beside every end, and on a grid."""
    found = ds.replay_gains(optimizer, log)
    wrong = []
    ends = [end for interval in found for end in interval if 0 < end < np.inf]
    for low, high in found:
        if high - low < 1e-6 * high:
            # Multipliers may move by e^10 within 1e-9 of a gain: floats do not see such a window.
            if precise_rate(optimizer, log, (low + high) / 2) >= 0:
                wrong.append(f"{optimizer} {log} narrow window at {low!r}")
            continue
        for end, sign in ((low, 1), (high, -1)):
            if not 0 < end < np.inf:
                continue
            inside = slow_rate(optimizer, log, end * (1 + sign * 1e-9))
            outside = slow_rate(optimizer, log, end * (1 - sign * 1e-9))
            if inside == outside:
                # A rate that is flat at its end, such as 3 (a - 1)^3, is rounded to zero.
                inside, outside = (
                    precise_rate(optimizer, log, end * (1 + side * sign * 1e-9)) for side in (1, -1)
                )
            if not inside < outside or inside > 1e-11 or outside < -1e-11:
                wrong.append(f"{optimizer} {log} end {end!r}: {inside} {outside}")
    for gain in found.intervals[0][1] * np.geomspace(0.02, 20, 40) if ends else []:
        inside = any(low < gain < high for low, high in found)
        rate = slow_rate(optimizer, log, gain)
        if abs(rate) > 1e-9 and (rate < 0) != inside:
            wrong.append(f"{optimizer} {log} gain {gain!r}: {rate}")
    return wrong


def test_a_window_of_growth_below_stable_gains_is_found():
    found = ds.replay_gains(ds.HeavyBall(0.9), [0, 0, 0, 1, 1, 1, 1, 1, 0])
    assert found.method == "exact"
    assert len(found) == 2
    assert found[0] == pytest.approx((0, 0.1158972627812), abs=1e-12)
    assert found[1] == pytest.approx((0.12992212495, 0.18794262485), abs=1e-10)
    threshold = ds.replay_threshold(ds.HeavyBall(0.9), [0, 0, 0, 1, 1, 1, 1, 1, 0])
    assert threshold == found[0][1]


@pytest.mark.parametrize("seed", range(24))
@pytest.mark.quick(8)
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
