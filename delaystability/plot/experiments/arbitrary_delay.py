"""The figure of the experiment on arbitrary delays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from delaystability.plot.charts import BLACK, BLUE, GREEN, ORANGE, RED, finish, panels

__all__ = ["critical_figure"]

_MARKS = {"worst": ("worst sequence", RED, "o"), "longest": ("longest delay", BLUE, "s")}
_RANDOM = ((GREEN, "D"), (ORANGE, "^"), (BLACK, "v"))


def critical_figure(cells: Sequence[Any]) -> Figure:
    """Critical learning rates over those of the longest delay, one panel a loop, random ones last.

    Parameters
    ----------
    cells : sequence of LateReads
    """
    titles = list(dict.fromkeys(cell.title for cell in cells))
    bounds = sorted({cell.longest for cell in cells})
    figure, drawn = panels(6.4, 2.5 * (len(titles) + 1) + 0.4, 1, len(titles) + 1, sharex=True)
    for axes, title in zip(drawn, titles, strict=False):
        own = [cell for cell in cells if cell.title == title]
        _loop(axes, own, bounds)
        axes.set_title(title, fontsize=11)
    _random(drawn[-1], cells, titles, bounds)
    drawn[-1].set_title("Delays drawn from 0 to the longest", fontsize=11)
    drawn[-1].set_xticks(range(len(bounds)), [str(bound) for bound in bounds])
    drawn[-1].set_xlabel("longest delay (updates)")
    figure.supylabel("critical learning rate (longest delay in every update = 1)", fontsize=11)
    return finish(figure, *drawn)


def _loop(axes: Any, own: Sequence[Any], bounds: Sequence[int]) -> None:
    known = [next(cell for cell in own if cell.longest == bound) for bound in bounds]
    places = np.arange(len(bounds))
    safe, worst = (
        [getattr(cell, name) / cell.fixed for cell in known] for name in ("sufficient", "necessary")
    )
    floor = 2 * min(safe) - 1.12
    axes.fill_between(places, floor, safe, color="0.85", lw=0, label="safe: predicted")
    axes.plot(places, worst, color=BLACK, lw=1.4, label="worst sequence: predicted")
    axes.axhline(1, color="0.4", lw=1.0, ls=":")
    for shift, (kind, (label, colour, marker)) in zip((-0.02, 0.02), _MARKS.items(), strict=True):
        some = [cell for cell in own if cell.kind == kind]
        where = [bounds.index(cell.longest) + shift for cell in some]
        ratios = [cell.critical / cell.fixed for cell in some]
        face = "none" if kind == "longest" else colour
        axes.plot(where, ratios, marker, color=colour, mfc=face, ms=6, label=f"{label}: measured")
    axes.set_ylim(floor, 1.04)
    axes.set_xlim(-0.3, len(bounds) - 0.7)
    axes.legend(frameon=False, fontsize=9, loc="lower left", ncols=2)


def _random(axes: Any, cells: Sequence[Any], titles: Sequence[str], bounds: Sequence[int]) -> None:
    for place, title in enumerate(titles):
        colour, marker = _RANDOM[place % len(_RANDOM)]
        some = [cell for cell in cells if cell.kind == "random" and cell.title == title]
        where = [bounds.index(cell.longest) + 0.05 * place for cell in some]
        ratios = [cell.critical / cell.fixed for cell in some]
        axes.plot(where, ratios, marker, color=colour, ms=6)
    axes.axhline(1, color="0.4", lw=1.0, ls=":")
    marks = [
        Line2D([], [], ls="none", color=colour, marker=marker, label=title)
        for (colour, marker), title in zip(_RANDOM, titles, strict=False)
    ]
    axes.legend(handles=marks, frameon=False, fontsize=9, loc="upper left", ncols=2)
    axes.set_ylim(0.8, None)
    axes.margins(y=0.25)
