"""The batch sharpness at which small batches, and not the delay, limit the learning rate."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from delaystability.model.arguments import checked_optimizer, positive, scalar_optimizer
from delaystability.model.catalogue import SGD, Optimizer
from delaystability.model.delays import delay_array
from delaystability.model.optimizer import steady_gain
from delaystability.plot.labels import described
from delaystability.plot.style import canvas, check_told_apart, legend_below, line, tidy
from delaystability.questions.minibatches import batch_sharpness_edge

__all__ = ["batch_edge"]


def batch_edge(
    optimizer: Optimizer | None = None,
    delays: Any = (0, 1, 4, 16),
    noise: Any = None,
    *,
    axes: Axes | None = None,
    size: str = "column",
) -> Axes:
    """Draw the learning rate times batch sharpness at the edge, over the noise of batches.

    Parameters
    ----------
    optimizer : Optimizer with scalar parameters, SGD by default
    delays : integer array of shape (n,), up to seven
    noise : array of shape (m,), positive
        The variance of the curvature of batches over its squared mean; 60 from 0.001 to 1e5 by
        default.
    axes : Axes, optional
    size : "column", "page" or "slide", for a figure of its own

    Returns
    -------
    Axes
        A line for each delay, from the threshold of full batches on the left to the plateau
        of small ones, ``2 A(1)/B(1)``, which is drawn in grey.

    Raises
    ------
    ValueError, TypeError
        For bad arguments.
    """
    chosen = scalar_optimizer(checked_optimizer(SGD() if optimizer is None else optimizer))
    lags = np.unique(delay_array(delays, "delays"))
    check_told_apart("delays", lags)
    values = np.unique(positive("noise", np.geomspace(1e-3, 1e5, 60) if noise is None else noise))
    if not values.size:
        raise ValueError(f"noise must have an entry; got {noise!r}")
    edges = [np.asarray(batch_sharpness_edge(chosen, int(lag), values)) for lag in lags]
    steady = steady_gain(chosen, int(lags[0]))
    if not (steady > 0 and any(np.any(edge > 0) for edge in edges)):
        raise ValueError(f"optimizer must have gains that are stable; got {chosen!r}")
    plateau = 2 / steady
    with canvas(axes, size, height=1.2) as drawn:
        drawn.axhline(plateau, color="0.7", lw=3, zorder=0, label=f"small batches: {plateau:.3g}")
        for number, (lag, edge) in enumerate(zip(lags.tolist(), edges, strict=True)):
            drawn.plot(values, edge, **line(number, values.size, 8), label=f"delay {lag}")
        drawn.set(xscale="log", yscale="log", xlabel="curvature noise of a batch")
        drawn.set(ylabel="learning rate × batch sharpness")
        drawn.set_title(f"Batch sharpness at the edge: {described(chosen)}")
        legend_below(drawn)
        tidy(drawn)
    return drawn
