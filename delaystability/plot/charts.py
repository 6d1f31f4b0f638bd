"""What the figures of experiments share: panels, intervals as bars, axes of delays, legends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator
from numpy.typing import ArrayLike, NDArray

from delaystability.model.catalogue import CATALOGUE
from delaystability.numerics.statistics import Interval
from delaystability.plot.style import COLOURS, look, tidy

__all__ = [
    "BLACK",
    "BLUE",
    "GREEN",
    "ORANGE",
    "PINK",
    "RED",
    "SKY",
    "WIDTH",
    "bars",
    "dashes",
    "delay_axis",
    "finish",
    "mark",
    "panels",
    "plain_ticks",
    "series",
]

BLACK, BLUE, ORANGE, GREEN, PINK, RED, SKY = COLOURS

WIDTH = 5.6
"""Inches of a figure whose text is still read where it is as wide as a phone."""


def panels(
    width: float, height: float, columns: int = 1, rows: int = 1, **options: Any
) -> tuple[Figure, list[Axes]]:
    """Make a new figure with panels, row by row.

    Parameters
    ----------
    width, height : float
        Of the figure, in inches.
    columns, rows : int
    **options
        Of `matplotlib.figure.Figure.subplots`.
    """
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, list(figure.subplots(rows, columns, squeeze=False, **options).flat)


def series(name: str) -> dict[str, Any]:
    """Choose colour and marker of an optimizer of the catalogue, the same in all figures."""
    colour, _, marker = look(list(CATALOGUE).index(name))
    return {"color": colour, "marker": marker}


def dashes(name: str) -> Any:
    """Choose the line style of an optimizer of the catalogue."""
    return look(list(CATALOGUE).index(name)).dashes


def bars(estimates: Sequence[Interval]) -> NDArray[np.float64]:
    """Compute the lengths of the bars down and up, (2, n); none where the sample is too small."""
    ends = [[entry.value - entry.low for entry in estimates],
            [entry.high - entry.value for entry in estimates]]  # fmt: skip
    return np.maximum(np.nan_to_num(ends, nan=0.0), 0.0)


def mark(axes: Axes, place: float, estimate: Interval, **style: Any) -> None:
    """Draw a mark with its interval as a bar; nothing where there is no estimate."""
    if np.isfinite(estimate.value):
        style = {"ms": 6, "capsize": 2.5} | style
        axes.errorbar(place, estimate.value, bars([estimate]), **style)


def plain_ticks(axis: Axis, subs: Sequence[float] | None = None) -> None:
    """Write numbers without exponents on a logarithmic axis, and none between the ticks.

    Parameters
    ----------
    axis : matplotlib axis
    subs : sequence of float, optional
        Where ticks are in each decade.
    """
    if subs is not None:
        axis.set_major_locator(LogLocator(subs=subs))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def delay_axis(axes: Axes, delays: ArrayLike) -> None:
    """Make the axis logarithmic in delay + 1, so that a delay of 0 has a place."""
    chosen = np.asarray(delays)
    axes.set_xscale("log")
    axes.set_xlabel("delay (updates)")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(chosen + 1, [str(delay) for delay in chosen])


def finish(figure: Figure, *drawn: Axes, ncols: int = 0, fontsize: float = 9) -> Figure:
    """Tidy panels, and one legend below all of them, with the entries of the first.

    Parameters
    ----------
    figure : Figure
    *drawn : Axes
    ncols : int
        Columns of the legend; 0 for none.
    fontsize : float
        Of the legend, in points.
    """
    for axes in drawn:
        tidy(axes)
    if ncols:
        figure.legend(
            *drawn[0].get_legend_handles_labels(),
            loc="outside lower center",
            ncols=ncols,
            frameon=False,
            fontsize=fontsize,
        )
    return figure
