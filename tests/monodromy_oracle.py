"""An independent oracle of replayed logs: the product of the steps of a period, in 50 digits."""

from __future__ import annotations

import mpmath
import numpy as np

import delaystability as ds

CLOSE = 1e-10
"""Relative distance of an end from a sign change of the oracle: a tenth of what is asked for."""


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

    states = np.eye(3 * kept)
    for delay in log:
        states = step(states, delay)
    return float(np.log(np.abs(np.linalg.eigvals(states)).max()))


def precise_rate(optimizer: ds.Optimizer, log: list[int], gain: mpmath.mpf) -> mpmath.mpf:
    """The same for short logs, in 50 digits, from past iterates alone."""
    with mpmath.workdps(50):
        table = optimizer.coefficients(0)
        forward = [(term.lag, mpmath.mpf(float(term.coefficient))) for term in table.feedforward]
        back = [(term.lag, mpmath.mpf(float(term.coefficient))) for term in table.feedback]
        size = 2 + max(log) + max(lag for lag, _ in (*forward, *back, (0, 0)))
        rows = [[mpmath.mpf(i == j) for j in range(size)] for i in range(size)]
        for time in range(len(log)):
            factors = [mpmath.mpf(lag == 0) for lag in range(size)]
            for lag, value in back:
                factors[lag - 1] += value
                factors[lag] -= value
            for lag, value in forward:
                factors[lag + log[time - lag]] -= value * gain
            used = [(factor, row) for factor, row in zip(factors, rows, strict=True) if factor]
            new = [mpmath.fdot((factor, row[j]) for factor, row in used) for j in range(size)]
            rows = [new, *rows[:-1]]
        values = mpmath.eig(mpmath.matrix(rows), left=False, right=False)
        largest = max(abs(value) for value in values)
        return mpmath.log(largest) if largest else mpmath.mpf("-inf")


def random_case(seed: int) -> tuple[ds.Optimizer, list[int]]:
    """Periods up to 30, entries 0 to 3, momentum 0 to .95."""
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


def _is_window(optimizer: ds.Optimizer, log: list[int], end: float, step: float) -> bool:
    """Whether there is a sign change in a window about as narrow as floats are dense."""
    with mpmath.workdps(50):
        width = 4 * mpmath.mpf(step) + 2 * mpmath.mpf(np.spacing(end))
        places = [mpmath.mpf(end) + width * k / 64 for k in range(-64, 65)]
        signs = {precise_rate(optimizer, log, gain) < 0 for gain in places}
    return signs == {True, False}


def wrong_ends(optimizer: ds.Optimizer, log: list[int], gains: int = 40) -> list[str]:
    """Where the oracle contradicts the intervals: beside every end, and on a grid."""
    found = ds.replay_gains(optimizer, log)
    ends = [end for interval in found for end in interval if 0 < end < np.inf]
    wrong = []
    for number, end in enumerate(ends):
        # No other end between the two points, however narrow the window.
        near = [abs(other - end) for k, other in enumerate(ends) if k != number]
        step = min([CLOSE * end, *(distance / 4 for distance in near)])
        if step < 2 * np.spacing(end):
            if not _is_window(optimizer, log, end, step):
                wrong.append(f"{optimizer} {log} nothing at {end!r}")
            continue
        below, above = (
            precise_rate(optimizer, log, mpmath.mpf(end) + side * mpmath.mpf(step))
            for side in (-1, 1)
        )
        stable_below = any(low < end <= high for low, high in found)
        if not (below < 0 < above if stable_below else above < 0 < below):
            wrong.append(f"{optimizer} {log} end {end!r}: {float(below)} {float(above)}")
    for gain in ends[0] * np.geomspace(0.02, 20, gains) if ends else []:
        inside = any(low < gain < high for low, high in found)
        rate = slow_rate(optimizer, log, gain)
        if abs(rate) > 1e-9 and (rate < 0) != inside:
            wrong.append(f"{optimizer} {log} gain {gain!r}: {rate}")
    return wrong
