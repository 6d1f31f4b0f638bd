"""The figure of the experiment on advice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from delaystability.plot.charts import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    PINK,
    RED,
    SKY,
    WIDTH,
    finish,
    panels,
)

__all__ = ["costs_figure"]

_COLOURS = (BLUE, ORANGE, RED, GREEN, PINK, SKY)
_MARKERS = ("o", "s", "^", "D", "v", "P")
_TICKS = (0, 0.01, 0.03, 0.1, 0.3, 1)


def costs_figure(costs: Mapping[str, Sequence[Any]]) -> Figure:
    """What each rule costs, one panel for each type of optimizer and a mark for each setting.

    Full marks are tasks on which constants were chosen, open ones are held out, and a black bar is
    the mean over all settings. The scale is linear below 0.01 and logarithmic above.

    Parameters
    ----------
    costs : mapping from the title of a rule to a sequence of `Share`
    """
    kinds = list(dict.fromkeys(entry.kind for found in costs.values() for entry in found))
    delays = sorted({entry.delay for found in costs.values() for entry in found})
    height = len(kinds) * (0.45 * len(costs) + 0.4) + 1.2
    figure, drawn = panels(WIDTH, height, 1, len(kinds), sharex=True)
    for axes, kind in zip(drawn, kinds, strict=True):
        _draw(axes, kind, costs, delays)
        axes.set_title(kind, fontsize=10.5)
        axes.set_yticks(range(len(costs)), [fill(title, 24) for title in costs])
        axes.set_ylim(len(costs) - 0.5, -0.5)
    drawn[-1].set_xlabel("cost: 0 is the best rate of the grid,\n1 is nothing learnt")
    figure = finish(figure, *drawn)
    figure.legend(
        handles=_legend(delays), loc="outside lower center", ncols=3, frameon=False, fontsize=9
    )
    return figure


def _draw(axes: Axes, kind: str, costs: Mapping[str, Sequence[Any]], delays: Sequence[int]) -> None:
    for place, found in enumerate(costs.values()):
        own = [entry for entry in found if entry.kind == kind]
        axes.axhline(place, color="0.92", lw=0.8, zorder=0)
        if not own:
            place_of_words = axes.get_yaxis_transform()
            axes.text(
                0.5,
                place,
                "not for this type",
                color="0.5",
                fontsize=8.5,
                ha="center",
                va="center",
                transform=place_of_words,
                backgroundcolor="white",
            )
            continue
        for entry in own:
            number = delays.index(entry.delay)
            colour = _COLOURS[number % len(_COLOURS)]
            axes.plot(
                entry.share,
                place + 0.5 * (number / max(1, len(delays) - 1) - 0.5),
                _MARKERS[number % len(_MARKERS)],
                color=colour,
                mfc="white" if entry.task.held_out else colour,
                ms=5.5,
                alpha=0.85,
            )
        mean = float(np.mean([entry.share for entry in own]))
        axes.plot([mean, mean], [place - 0.42, place + 0.42], color=BLACK, lw=2.2)
    axes.set_xscale("symlog", linthresh=0.01, linscale=0.5)
    axes.set_xlim(-0.012, 1.25)
    axes.xaxis.set_major_locator(FixedLocator(_TICKS))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _legend(delays: Sequence[int]) -> list[Line2D]:
    entries = [
        Line2D([], [], ls="none", marker=_MARKERS[number % len(_MARKERS)],
               color=_COLOURS[number % len(_COLOURS)], label=f"delay {delay}")
        for number, delay in enumerate(delays)
    ]  # fmt: skip
    return [
        *entries,
        Line2D([], [], ls="none", marker="o", color="0.4", mfc="white", label="held out"),
        Line2D([], [], color=BLACK, lw=2.2, label="mean"),
    ]
