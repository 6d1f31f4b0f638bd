"""What a share of fresh weights in every gradient is worth: thresholds over that share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from delaystability.model.arguments import checked_optimizer, scalar_optimizer
from delaystability.model.catalogue import SGD, Optimizer
from delaystability.model.delays import delay_array
from delaystability.model.mixed_read import MixedRead
from delaystability.plot.labels import described
from delaystability.plot.style import canvas, legend_below, line, tidy
from delaystability.questions.bounds import stability_threshold

__all__ = ["partly_fresh"]

_MOST_DELAYS = 7


def partly_fresh(
    optimizer: Optimizer | None = None,
    delays: Any = (1, 4, 16),
    *,
    shares: Sequence[float] | NDArray[np.float64] | None = None,
    axes: Axes | None = None,
    size: str = "column",
) -> Axes:
    """Thresholds where a share of the weights that gradients are taken at is present.

    Parameters
    ----------
    optimizer : Optimizer with scalar parameters, SGD by default
        Its tables must not depend on the delay.
    delays : integer array of shape (n,), at least 1
        Of the rest; up to seven.
    shares : array of shape (m,), optional
        From -1 to 1 by default; negative where too much is late.
    axes : Axes, optional
    size : "column", "page" or "slide", for a figure of its own

    Returns
    -------
    Axes
        A line for each delay; for SGD also 2, up to which more than one half is stable for every
        sequence of delays.

    Raises
    ------
    ValueError, TypeError
        For bad arguments.
    """
    chosen = scalar_optimizer(checked_optimizer(SGD() if optimizer is None else optimizer))
    lags = np.unique(delay_array(delays, "delays"))
    if not 1 <= lags.size <= _MOST_DELAYS or lags[0] < 1:
        raise ValueError(f"delays must be one to seven integers >= 1; got {delays!r}")
    # Next to one half a threshold of a long delay changes fast.
    places = np.concatenate([np.linspace(-1, 0.25, 26), np.linspace(0.275, 1, 30)])
    fresh = np.unique(places if shares is None else np.asarray(shares, dtype=np.float64))
    with canvas(axes, size) as drawn:
        for number, lag in enumerate(lags.tolist()):
            reads = [MixedRead.partly_fresh(share, lag) for share in fresh.tolist()]
            drawn.semilogy(
                fresh,
                [stability_threshold(chosen, read) for read in reads],
                **line(number, fresh.size),
                label=f"the rest {lag} late",
            )
        if isinstance(chosen, SGD):
            drawn.plot([0.5, 1], [2, 2], color="0.4", lw=1, label="every sequence of delays")
        drawn.axvline(0.5, color="0.8", lw=0.8, zorder=0)
        drawn.set(xlabel="share of present weights", ylabel="learning rate × sharpness")
        drawn.set_title(f"Gradients that are partly fresh: {described(chosen)}")
        legend_below(drawn)
        tidy(drawn)
    return drawn
