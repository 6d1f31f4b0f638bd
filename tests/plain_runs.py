"""The loop run as it is written, update by update: the slow twin of all that replays a log."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

import delaystability as ds


def plain_run(
    optimizer: ds.Optimizer,
    rows: Sequence[Sequence[int]],
    gain: float,
    curvatures: Sequence[float] | None = None,
) -> np.ndarray:
    """``w_1, w_2, ...`` from w = 1 before the run: w <- w - u, u the filtered gradients."""
    w, g, u = [1.0], [], []
    for t, row in enumerate(rows):
        curvature = 1.0 if curvatures is None else curvatures[t]
        g.append(gain * curvature * np.mean([w[max(0, t - delay)] for delay in row]))
        # An optimizer whose table depends on the delay has the one of this update.
        feedback, feedforward = optimizer.coefficients(int(row[0]))
        new = sum(c * g[t - k] for k, c in feedforward if k <= t)
        u.append(new + sum(c * u[t - j] for j, c in feedback if j <= t))
        w.append(w[-1] - u[-1])
    return np.array(w[1:])


def growth_of_halves(
    optimizer: ds.Optimizer, delays: Sequence[int], gain: float
) -> tuple[float, float]:
    """Nats an update in either half of a run, of the largest of the last iterates."""
    reach, half = 2 + max(delays), len(delays) // 2
    w, g, u = np.ones(reach), np.zeros(reach), np.zeros(reach)
    feedback, feedforward = optimizer.coefficients(0)
    scale, levels = 0.0, []
    for t, delay in enumerate(delays):
        g[t % reach] = gain * w[(t - delay) % reach]
        u[t % reach] = sum(c * g[(t - k) % reach] for k, c in feedforward) + sum(
            c * u[(t - j) % reach] for j, c in feedback
        )
        w[(t + 1) % reach] = w[t % reach] - u[t % reach]
        size = np.abs(w).max()
        if not 1e-100 < size < 1e100:
            w, g, u, scale = w / size, g / size, u / size, scale + np.log(size)
        if t + 1 in (half, 2 * half):
            levels.append(scale + np.log(np.abs(w).max()))
    return levels[0] / half, (levels[1] - levels[0]) / half
