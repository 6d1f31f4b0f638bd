"""The figure of the experiment on adaptive optimizers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from delaystability.numerics.statistics import median_of
from delaystability.plot.charts import BLUE, GREEN, RED, finish, mark, panels, plain_ticks

__all__ = ["adaptive_figure"]

_LOOKS = {
    "AdamW": {"color": BLUE, "marker": "o", "ls": "-"},
    "RMSProp": {"color": RED, "marker": "s", "ls": "--"},
    "Muon": {"color": GREEN, "marker": "^", "ls": ":"},
}


def adaptive_figure(
    full: Sequence[Any], pairs: Sequence[Any], between: tuple[float, float], costly: float
) -> Figure:
    """Swing over the delay, cost over the predicted cost, and loss over r, below each other.

    Parameters
    ----------
    full : sequence of AdaptiveRun
        On full batches.
    pairs : sequence of Compared
        On mini-batches.
    between : (float, float)
        The values of r that are on neither side.
    costly : float
        The quotient of losses from which on late gradients cost something.
    """
    figure, drawn = panels(4.6, 10.2, 1, 3)
    for title, look in _LOOKS.items():
        own = [run for run in full if run.title_of_optimizer == title]
        _swings(drawn[0], title, look, own)
        _costs(drawn[1], title, look, [run for run in own if np.isfinite(run.floor)])
        _losses(
            drawn[2], title, look, [pair for pair in pairs if pair.late.title_of_optimizer == title]
        )
    swings, costs, losses = drawn
    swings.set(xlabel="delay (updates)", ylabel="swing (rms) / lr")
    swings.set_title("Lines: predicted. Marks: networks", fontsize=10.5)
    delays = sorted({run.delay for run in full}) or [1]
    swings.set_xticks(delays)
    swings.minorticks_off()
    swings.set_xlim(0.75 * delays[0], 1.33 * delays[-1])
    plain_ticks(swings.xaxis)
    plain_ticks(swings.yaxis, (1, 2, 5))
    floors = [run.floor for run in full if np.isfinite(run.floor)]
    if floors:
        ends = [0.7 * min(floors), 1.4 * max(floors)]
        costs.plot(ends, ends, color="0.4", lw=1.0, label="equal")
    costs.set(xlabel="predicted by the optimizer's state (loss_floor)")
    costs.set_ylabel("what the swing costs in the loss")
    losses.axhline(costly, color="0.4", lw=1.0, ls=":")
    losses.axvspan(*between, color="0.9", lw=0)
    losses.set(xlabel="r = lr × sharpness without delay / a*(delay)")
    losses.set_ylabel("loss / loss without delay")
    losses.set_title("Open: images. Filled: text", fontsize=10.5)
    plain_ticks(losses.xaxis)
    plain_ticks(losses.yaxis, (1, 2, 5))
    for axes in drawn:
        axes.legend(frameon=False, fontsize=9, loc="upper left")
    return finish(figure, *drawn)


def _swings(axes: Axes, title: str, look: dict[str, Any], runs: Sequence[Any]) -> None:
    axes.set(xscale="log", yscale="log")
    delays = sorted({run.delay for run in runs})
    said = [runs[0].swing_at(delay) / runs[0].rate for delay in delays]
    axes.plot(delays, said, color=look["color"], ls=look["ls"], lw=1.4)
    for delay in delays:
        mark(
            axes,
            delay,
            median_of([run.swing / run.rate for run in runs if run.delay == delay]),
            fmt=look["marker"],
            color=look["color"],
            label=title if delay == delays[0] else None,
        )


def _costs(axes: Axes, title: str, look: dict[str, Any], runs: Sequence[Any]) -> None:
    axes.set(xscale="log", yscale="log")
    if runs:
        places, costs = [run.floor for run in runs], [run.cost for run in runs]
        style = {"color": look["color"], "mfc": "none", "ms": 5, "label": title}
        axes.plot(places, costs, look["marker"], **style)


def _losses(axes: Axes, title: str, look: dict[str, Any], pairs: Sequence[Any]) -> None:
    axes.set(xscale="log", yscale="log")
    for data, inside in (("digits", "none"), ("text", look["color"])):
        own = [pair for pair in pairs if pair.data == data]
        if own:
            places, costs = [pair.r for pair in own], [pair.cost for pair in own]
            style = {"color": look["color"], "mfc": inside, "ms": 5}
            label = title if data == pairs[0].data else None
            axes.plot(places, costs, look["marker"], label=label, **style)
