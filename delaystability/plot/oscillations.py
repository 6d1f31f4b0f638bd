"""How far weights swing, and what it costs, with optimizers that do not come to rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullFormatter
from numpy.typing import NDArray

from delaystability.model.adaptive import Adam, AdaptiveOptimizer, RMSProp
from delaystability.model.arguments import checked_count
from delaystability.model.delays import delay_array
from delaystability.model.sign_optimizers import Lion, Muon, SignSGD
from delaystability.numerics.replay.adaptive_runs import simulated_rms
from delaystability.plot.charts import delay_axis
from delaystability.plot.labels import plain_number
from delaystability.plot.style import canvas, check_told_apart, legend_below, look, tidy
from delaystability.questions.oscillation import oscillation

__all__ = ["oscillations"]

Array = NDArray[np.float64]

_MOST_STARTS = 1000


def oscillations(
    optimizers: Sequence[AdaptiveOptimizer] | None = None,
    delays: Any = (0, 1, 2, 4, 8, 16),
    *,
    loss: bool = False,
    starts: int = 0,
    axes: Axes | None = None,
    size: str = "column",
    progress: Callable[[float, str], None] | None = None,
) -> Axes:
    """Draw the root mean square of the oscillation of each optimizer, or its loss, over the delay.

    Parameters
    ----------
    optimizers : sequence of Adam, NAdam, RMSProp, SignSGD, Lion or Muon, up to seven
        By default Adam, RMSProp 0.999, signSGD, Lion and Muon.
    delays : integer array of shape (n,)
    loss : bool
        Draw the loss floor, in units of the squared learning rate times the trace of the Hessian:
        what the oscillation adds to the loss of a quadratic with a diagonal one.
    starts : int, 0 to 1000
        Put the marks where so many simulated runs are, in place of the lines: some tenths of
        a second each mark.
    axes : Axes, optional
    size : "column", "page" or "slide", for a figure of its own
    progress : callable, optional
        Called with the share done, 0 to 1, and a message.

    Returns
    -------
    Axes
        Its lines are, for each optimizer, that of `oscillation`, its marks, its open marks where
        that is undecided, and an entry of the legend.

    Raises
    ------
    ValueError, TypeError
        For bad arguments.
    """
    ordinary = (Adam(), RMSProp(0.999), SignSGD(), Lion(), Muon())
    chosen = ordinary if optimizers is None else tuple(optimizers)
    check_told_apart("optimizers", chosen)
    for optimizer in chosen:
        if not isinstance(optimizer, AdaptiveOptimizer):
            raise TypeError(f"optimizers must hold adaptive or sign optimizers; got {optimizer!r}")
    lags = np.unique(delay_array(delays, "delays")).tolist()
    if not lags:
        raise ValueError(f"delays must have an entry; got {delays!r}")
    count = checked_count("starts", starts, 0, _MOST_STARTS)

    with canvas(axes, size, height=1.2) as drawn:
        for number, optimizer in enumerate(chosen):
            found = [oscillation(1.0, optimizer, lag) for lag in lags]
            predicted = np.array([one.rms for one in found])
            runs = [simulated_rms(optimizer, lag, starts=count) for lag in lags if count]
            decided = np.array([one.status != "undecided" for one in found])
            _draw(drawn, number, optimizer.title, lags, predicted, runs, decided, loss)
            if progress is not None:
                progress((number + 1) / len(chosen), optimizer.title)
        drawn.set_yscale("log")
        delay_axis(drawn, lags)
        drawn.yaxis.set_major_formatter(FuncFormatter(lambda value, _: plain_number(value)))
        drawn.yaxis.set_minor_formatter(NullFormatter())
        drawn.set_ylabel("loss floor / (lr² × trace)" if loss else "rms / learning rate")
        drawn.set_title("Loss floor of oscillations" if loss else "Oscillation around a minimum")
        legend_below(drawn)
        tidy(drawn)
    return drawn


def _draw(
    drawn: Axes,
    number: int,
    title: str,
    lags: list[int],
    predicted: Array,
    runs: list[float],
    decided: NDArray[np.bool_],
    loss: bool,
) -> None:
    """The line of an optimizer, its marks, and an entry of the legend that shows both."""
    colour, dashes, marker = look(number)
    places = np.array(lags) + 1
    lines = predicted**2 / 2 if loss else predicted
    marks = np.array(runs) ** (2 if loss else 1) / (2 if loss else 1) if runs else lines
    drawn.plot(places, lines, color=colour, ls=dashes, gid="predicted")
    style: dict[str, Any] = {"color": colour, "marker": marker, "ls": ""}
    drawn.plot(places[decided], marks[decided], **style, gid="decided")
    drawn.plot(places[~decided], marks[~decided], **style, mfc="white", gid="undecided")
    drawn.plot([], [], **style | {"ls": dashes}, label=title)
