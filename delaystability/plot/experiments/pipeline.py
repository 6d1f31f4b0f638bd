"""The figure of the experiment on pipelines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from delaystability.model.catalogue import CATALOGUE
from delaystability.model.pipelines import SCHEDULES
from delaystability.plot.charts import BLACK, BLUE, GREEN, ORANGE, WIDTH, finish, panels

__all__ = ["rates_figure"]


def rates_figure(found: Sequence[Any], models: Sequence[str], near: float) -> Figure:
    """Measured and safe learning rates of each pipeline in units of the exact one.

    A panel for each schedule; the minima of one network and optimizer share a line.

    Parameters
    ----------
    found : sequence of Pipeline
    models : sequence of str
        The two kinds of delay.
    near : float
        Share within which a measured one agrees.
    """
    schedules = sorted({cell.schedule for cell in found})
    lines = sorted({(cell.layers, cell.optimizer) for cell in found})
    height = 1.8 + len(schedules) * (0.5 + 0.25 * len(lines))
    figure, drawn = panels(WIDTH, height, 1, len(schedules), sharex=True)
    for axes, schedule in zip(drawn, schedules, strict=True):
        cells = [cell for cell in found if cell.schedule == schedule]
        place = [lines.index((cell.layers, cell.optimizer)) for cell in cells]
        axes.axvspan(1 - near, 1 + near, color="0.85", lw=0, label=f"exact, ± {100 * near:g} %")
        axes.axvline(1.0, color=BLACK, lw=1.0)
        for values, marker, colour, face, label in (
            (
                _in_units(cells, "uniform"),
                "s",
                ORANGE,
                ORANGE,
                "safe: longest delay in every stage",
            ),
            (_in_units(cells, "safe"), "D", GREEN, GREEN, "safe: with the sharpness of each stage"),
            (_in_units(cells, "critical", 0), "o", BLUE, "none", f"measured: {models[0]}"),
            (_in_units(cells, "critical", 1), "x", BLACK, BLACK, f"measured: {models[1]}"),
        ):
            axes.plot(values, place, marker, color=colour, mfc=face, ms=6, label=label)
        names = [f"{layers} stages, {CATALOGUE[name].title}" for layers, name in lines]
        axes.set_yticks(range(len(lines)), names)
        axes.set(xlim=(0, 1.15), ylim=(len(lines) - 0.4, -0.6))
        axes.set_title(SCHEDULES[schedule].title.split(" (")[0], fontsize=10)
    drawn[-1].set_xlabel("learning rate / exact largest stable learning rate")
    uniform, safe = (100 * np.median(_in_units(found, name)) for name in ("uniform", "safe"))
    figure.suptitle(
        f"The worst delay for all stages allows {uniform:.0f} % of the exact rate\n"
        f"(median), the sharpness of each stage {safe:.0f} %",
        fontsize=10,
    )
    return finish(figure, *drawn, ncols=1)


def _in_units(cells: Sequence[Any], name: str, *place: Any) -> NDArray[np.float64]:
    """A learning rate of each pipeline over the exact one."""
    return np.array([np.asarray(getattr(cell, name))[place] / cell.exact for cell in cells])
