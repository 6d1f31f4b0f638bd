"""The figure of the experiment on pipelines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from delaystability.model.pipelines import SCHEDULES
from delaystability.plot.charts import BLACK, BLUE, GREEN, ORANGE, finish, panels

__all__ = ["rates_figure"]


def rates_figure(found: Sequence[Any], models: Sequence[str], near: float) -> Figure:
    """Measured and safe learning rates of each pipeline in units of the exact one.

    Parameters
    ----------
    found : sequence of Pipeline
    models : sequence of str
        The two kinds of delay.
    near : float
        Share within which a measured one agrees.
    """
    cells = sorted(found, key=lambda cell: (cell.schedule, cell.layers, cell.optimizer))
    place = np.arange(len(cells))
    figure, (axes,) = panels(9.0, 2.0 + 0.24 * len(cells))
    axes.axvspan(1 - near, 1 + near, color="0.85", lw=0, label=f"exact, ± {100 * near:g} %")
    axes.axvline(1.0, color=BLACK, lw=1.0)
    uniform, safe, first, second = np.array(
        [np.array([cell.uniform, cell.safe, *cell.critical]) / cell.exact for cell in cells]
    ).T
    for values, marker, colour, face, label in (
        (uniform, "s", ORANGE, ORANGE, "safe: longest delay in every stage"),
        (safe, "D", GREEN, GREEN, "safe: with the sharpness of each stage"),
        (first, "o", BLUE, "none", f"measured: {models[0]}"),
        (second, "x", BLACK, BLACK, f"measured: {models[1]}"),
    ):
        axes.plot(values, place, marker, color=colour, mfc=face, ms=6, label=label)
    names = [
        f"{SCHEDULES[cell.schedule].title.split(' (')[0]}, {cell.layers} stages, "
        f"{cell.update_rule.title}"
        for cell in cells
    ]
    axes.set_yticks(place, names, fontsize=8)
    axes.set_ylabel("pipeline")
    axes.set_xlabel("learning rate / exact largest stable learning rate")
    axes.set(xlim=(0, 1.15), ylim=(len(cells) - 0.4, -0.6))
    axes.set_title(
        f"The worst delay for all stages allows {100 * np.median(uniform):.0f} % of the exact rate "
        f"(median),\nthe sharpness of each stage {100 * np.median(safe):.0f} %",
        fontsize=10,
    )
    return finish(figure, axes, ncols=3)
