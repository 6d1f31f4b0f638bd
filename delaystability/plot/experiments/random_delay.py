"""Figures of the experiment on random delays."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from delaystability.numerics.statistics import median_interval
from delaystability.plot.charts import (
    BLACK,
    BLUE,
    GREEN,
    RED,
    WIDTH,
    bars,
    finish,
    mark,
    panels,
    plain_ticks,
)

__all__ = ["growth_figure", "thresholds_figure"]

_PREDICTIONS = (
    ("almost_sure", "almost sure (simulated, or log replayed)", BLUE, "-"),
    ("mean_square", "mean square", RED, "--"),
    ("mean", "mean polynomial", GREEN, "-."),
    ("fixed", "fixed mean delay", BLACK, ":"),
)

Windows = tuple[int, int]


def thresholds_figure(found: Sequence[Any], early: Windows, late: Windows) -> Figure:
    """Predicted (lines) and measured (marks) thresholds of each kind of delay.

    One panel for each optimizer. Bars are 95 % intervals over all runs.

    Parameters
    ----------
    found : sequence of Cell
    early, late : two window numbers each
        Between which growth is measured.
    """
    names = list(dict.fromkeys(cell.predicted.optimizer for cell in found))
    figure, drawn = panels(WIDTH, 4.2 * len(names) + 1.2, 1, len(names))
    for axes, name in zip(drawn, names, strict=True):
        shown = [cell for cell in found if cell.predicted.optimizer == name]
        for place, cell in enumerate(shown):
            ends = [place - 0.36, place + 0.36]
            for field, label, colour, style in _PREDICTIONS:
                told = f"predicted: {label}" if not place else None
                height = [getattr(cell.predicted, field)] * 2
                axes.plot(ends, height, color=colour, ls=style, lw=1.8, label=told)
            for shift, interval, label, colour, marker in (
                (-0.2, cell.typical(), "median run", BLUE, "o"),
                (0.0, cell.mean_square_measured(late), _square(cell, late), RED, "s"),
                (0.2, cell.mean_square_measured(early), _square(cell, early), RED, "D"),
            ):
                mark(
                    axes,
                    place + shift,
                    interval,
                    fmt=marker,
                    color=colour,
                    mfc="white" if marker == "D" else colour,
                    label=f"measured: {label}" if not place else None,
                )
        axes.set_yscale("log")
        plain_ticks(axes.yaxis, (1, 2, 5))
        axes.set_xticks(range(len(shown)), [cell.predicted.kind for cell in shown])
        axes.set_xlabel("distribution of the delay (mean 7 updates)")
        axes.set_title(shown[0].predicted.update_rule.title, fontsize=11)
    figure.supylabel("largest stable learning rate × sharpness", fontsize=10)
    return finish(figure, *drawn, ncols=1)


def growth_figure(found: Sequence[Any], early: Windows, late: Windows) -> Figure:
    """Growth of the median run and of the mean square against the gain, one panel an ensemble.

    Vertical lines are the predicted thresholds that lie inside the panel.

    Parameters
    ----------
    found : sequence of Cell
    early, late : two window numbers each
        Between which growth is measured.
    """
    columns = min(2, len(found))
    rows = ceil(len(found) / columns)
    figure, drawn = panels(WIDTH, 2.4 * rows + 2.0, columns, rows)
    for axes, cell in zip(drawn, found, strict=False):
        gains = cell.gains
        axes.axhline(0, color="0.3", lw=0.9)
        for field, label, colour, style in _PREDICTIONS:
            place = getattr(cell.predicted, field)
            inside = 0.98 * gains[0] <= place <= 1.02 * gains[-1]
            axes.plot([], [], color=colour, ls=style, lw=1.4, label=f"predicted: {label}")
            if inside:
                axes.axvline(place, color=colour, ls=style, lw=1.4)
        typical = [median_interval(row.ravel()) for row in cell.rates]
        middles = [interval.value for interval in typical]
        axes.errorbar(
            gains,
            middles,
            bars(typical),
            fmt="o-",
            color=BLUE,
            lw=0.8,
            ms=4.5,
            capsize=2,
            label="median run",
        )
        for windows, marker, face in ((late, "s", RED), (early, "D", "none")):
            axes.plot(
                gains,
                cell.mean_square_rates(windows),
                marker + "-",
                color=RED,
                mfc=face,
                lw=0.8,
                ms=4.5,
                label=_square(cell, windows),
            )
        axes.set_title(f"{cell.predicted.kind}, {cell.predicted.update_rule.title}", fontsize=10)
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.ticklabel_format(axis="y", style="sci", scilimits=(-2, 2))
    for axes in drawn[::columns]:
        axes.set_ylabel("growth (nats an update)")
    for axes in drawn[-columns:]:
        axes.set_xlabel("learning rate × sharpness")
    shown = drawn[: len(found)]
    return finish(figure, *shown, ncols=1)


def _square(cell: Any, windows: Windows) -> str:
    """When the growth of the mean square was measured: between the centres of two windows."""
    first, last = (cell.spacing * (window % cell.levels.shape[1] + 1) for window in windows)
    return f"mean square, updates {first} to {last}"
