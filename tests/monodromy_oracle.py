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
    """The same in 50 digits, from past iterates alone, for long logs too.

    A period begins where the fewest iterates are read later: the columns of all others are zero.
    """
    with mpmath.workdps(50):
        updates = _updates(optimizer, log)
        begin, ages = _fewest_read_later(updates)
        past = {-age: [mpmath.mpf(age == other) for other in ages] for age in ages}
        for time in range(len(log)):
            terms = updates[(begin + time) % len(log)].items()
            used = [
                (present + read * gain, past[time - lag])
                for lag, (present, read) in terms
                if time - lag in past
            ]
            past[time + 1] = [
                mpmath.fdot((factor, row[j]) for factor, row in used) for j in range(len(ages))
            ]
        matrix = mpmath.matrix([past[len(log) - age] for age in ages])
        values = mpmath.eig(matrix, left=False, right=False) if len(ages) > 1 else [matrix[0]]
        largest = max(abs(value) for value in values)
        return mpmath.log(largest) if largest else mpmath.mpf("-inf")


def _updates(optimizer: ds.Optimizer, log: list[int]) -> list[dict[int, list[mpmath.mpf]]]:
    """For each update, the coefficients of past iterates by lag, without and with the gain."""
    table, found = optimizer.coefficients(0), []
    for time in range(len(log)):
        factors: dict[int, list[mpmath.mpf]] = {0: [mpmath.mpf(1), mpmath.mpf(0)]}
        for lag, coefficient in table.feedback:
            for place, sign in ((lag - 1, 1), (lag, -1)):
                pair = factors.setdefault(place, [mpmath.mpf(0), mpmath.mpf(0)])
                pair[0] += sign * mpmath.mpf(float(coefficient))
        for lag, coefficient in table.feedforward:
            place = lag + log[(time - lag) % len(log)]
            pair = factors.setdefault(place, [mpmath.mpf(0), mpmath.mpf(0)])
            pair[1] -= mpmath.mpf(float(coefficient))
        found.append({lag: pair for lag, pair in factors.items() if any(pair)})
    return found


def _fewest_read_later(updates: list[dict[int, list[mpmath.mpf]]]) -> tuple[int, list[int]]:
    """The update before which the fewest iterates are read later, and their ages there."""
    read = [set() for _ in updates]
    for time, factors in enumerate(updates):
        for lag in factors:
            for age in range(lag + 1):
                read[(time - lag + age) % len(updates)].add(age)
    begin = min(range(len(updates)), key=lambda update: len(read[update]))
    return begin, sorted(read[begin])


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


def peaked_case(seed: int) -> tuple[ds.Optimizer, list[int]]:
    """Periods of 10 to 630 updates with small delays, among them one to eight of up to 600."""
    random = np.random.default_rng(seed)
    momentum = float(random.choice([0.3, 0.5, 0.7, 0.9, 0.95, 0.99]))
    odd = ds.LinearOptimizer(
        dict(zip((1, 3), random.uniform(-0.4, 0.4, 2).tolist(), strict=True)),
        {0: 1.0, 2: float(random.uniform(-0.5, 0.5))},
    )
    kinds = [ds.SGD(), ds.HeavyBall(momentum), ds.Nesterov(momentum), ds.EMAMomentum(momentum), odd]
    log = random.integers(0, random.integers(1, 5), int(10 ** random.uniform(1, 2.8)))
    peaks = random.integers(0, len(log), int(random.choice([1, 2, 3, 8])))
    log[peaks] = (10 ** random.uniform(0.7, np.log10(600), len(peaks))).astype(int)
    return kinds[seed % len(kinds)], log.tolist()


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
    for gain in (ends[0] * np.geomspace(0.02, 20, gains)).tolist() if ends else []:
        inside = any(low < gain < high for low, high in found)
        rate = precise_rate(optimizer, log, mpmath.mpf(gain))
        if abs(rate) > 1e-9 and (rate < 0) != inside:
            wrong.append(f"{optimizer} {log} gain {gain!r}: {rate}")
    return wrong
