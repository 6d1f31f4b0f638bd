"""What a delay that varies costs: thresholds for every sequence, over that of the fixed delay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from delaystability.model.arguments import checked_optimizer, scalar_optimizer
from delaystability.model.bounded_delay import BoundedDelay
from delaystability.model.catalogue import SGD, Optimizer
from delaystability.model.delays import delay_array
from delaystability.model.loop import Loop
from delaystability.plot.labels import described
from delaystability.plot.style import canvas, legend_below, line, tidy
from delaystability.questions.any_sequence import bounded_delay_threshold, small_gain
from delaystability.questions.bounds import stability_threshold

__all__ = ["any_sequence"]

_SIDES = "sufficient", "necessary"


def any_sequence(
    optimizer: Optimizer | None = None,
    delays: Any = None,
    *,
    axes: Axes | None = None,
    size: str = "column",
    progress: Callable[[float, str], None] | None = None,
) -> Axes:
    """Thresholds for every sequence of delays up to a bound, over that of the fixed delay.

    Parameters
    ----------
    optimizer : Optimizer with scalar parameters, SGD by default
    delays : integer array of shape (n,), at least 1
        The bounds; 1 to 32 by default. Some tenths of a second each, but for SGD.
    axes : Axes, optional
    size : "column", "page" or "slide", for a figure of its own
    progress : callable, optional
        Called with the share done, 0 to 1, and a message.

    Returns
    -------
    Axes
        Its lines are the fixed delay, what no sequence may exceed (for SGD the exact threshold),
        and the small gain, which is safe for every sequence; grey is what is not decided.

    Raises
    ------
    ValueError, TypeError
        For bad arguments.
    """
    chosen = scalar_optimizer(checked_optimizer(SGD() if optimizer is None else optimizer))
    bounds = np.unique(delay_array(np.arange(1, 33) if delays is None else delays, "delays"))
    if not bounds.size or bounds[0] < 1:
        raise ValueError(f"delays must be integers >= 1; got {delays!r}")
    fixed = np.atleast_1d(stability_threshold(chosen, bounds))
    found = []
    for done, bound in enumerate(bounds.tolist(), 1):
        found.append(bounded_delay_threshold(chosen, bound))
        if progress is not None:
            progress(done / bounds.size, f"delay {bound}")
    safe = [small_gain(Loop(chosen, BoundedDelay(int(bound)))) for bound in bounds]
    exact = all(entry.method == "exact" for entry in found)
    series = (
        ("fixed delay", fixed),
        ("every sequence: exact" if exact else "worst sequence found",
         np.array([entry.necessary for entry in found])),
        ("every sequence: small gain", np.array(safe)),
    )  # fmt: skip
    with canvas(axes, size, height=1.15) as drawn:
        if not exact:
            # A norm may close some of the gap that the small gain leaves.
            low, high = ([getattr(entry, side) for entry in found] / fixed for side in _SIDES)
            drawn.fill_between(bounds, low, high, color="0.88", lw=0, label="not decided")
        for number, (label, values) in enumerate(series):
            drawn.plot(bounds, values / fixed, **line(number, bounds.size), label=label)
        drawn.set(xlabel="longest delay (updates)", ylabel="threshold / that of the fixed delay")
        drawn.set_title(f"Delays that vary: {described(chosen)}")
        drawn.set_ylim(0, 1.08)
        drawn.xaxis.set_major_locator(MaxNLocator(integer=True))
        legend_below(drawn)
        tidy(drawn)
    return drawn
