"""The figure of the momentum experiment."""

from __future__ import annotations

from math import pi
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from delaystability.model.catalogue import SGD
from delaystability.numerics.statistics import median_of
from delaystability.plot.charts import (
    BLACK,
    BLUE,
    GREEN,
    PINK,
    RED,
    WIDTH,
    delay_axis,
    finish,
    mark,
    panels,
)
from delaystability.questions.bounds import stability_threshold

__all__ = ["momentum_figure"]

_STYLES = {
    "sgd": (BLACK, "o"),
    "heavy-ball": (BLUE, "s"),
    "shifted-momentum": (RED, "^"),
    "nesterov": (GREEN, "D"),
    "spike-compensation": (PINK, "v"),
}
_LINES = ("-", "--", ":")


def momentum_figure(found: Any) -> Figure:
    """Effective thresholds against delay, and relative to SGD's, predicted and measured.

    Marks are medians over the minima with 95 % intervals; full marks and solid lines belong to the
    largest momentum.

    Parameters
    ----------
    found : Thresholds
    """
    figure, (above, below) = panels(WIDTH, 9.6, 1, 2)
    momenta = sorted({rule[1] for rule in found.rules if rule[1] is not None}, reverse=True)
    dense = np.arange(found.delays[-1] + 1)
    reference = np.asarray(stability_threshold(SGD(), dense))
    for rule in found.rules:
        name, momentum = rule
        rank = 0 if momentum is None else momenta.index(momentum)
        colour, marker = _STYLES[name]
        optimizer = found.cells[rule, found.delays[0]][0].update_rule
        predicted = np.array([float(stability_threshold(optimizer, delay)) for delay in dense])
        predicted /= 1 - (momentum or 0.0)
        for axes, scale in ((above, 1.0), (below, reference)):
            axes.plot(dense + 1, predicted / scale, _LINES[rank], color=colour, lw=1.1)
        marks = {
            "fmt": marker, "color": colour, "mfc": "white" if rank else colour, "ms": 5, "lw": 1.0
        }  # fmt: skip
        for place, delay in enumerate(found.delays):
            label = None if place else found.title(rule)
            ratios, _ = found.ratio(rule, ("sgd", None), delay)
            for axes, sample in ((above, found.measured(rule, delay)), (below, ratios)):
                mark(axes, delay + 1, median_of(sample), label=label, **marks)
    above.set_ylabel("largest stable effective learning rate × sharpness")
    above.set_title("Measured at minima (marks) and predicted (lines)", fontsize=11)
    for value, text in ((2 / pi, "2/π"), (4 / pi, "4/π")):
        below.axhline(value, color="0.55", lw=0.9, ls="-.")
        below.text(found.delays[-1] + 1.5, value, text, va="bottom", ha="right", fontsize=9)
    below.set_ylabel("relative to SGD")
    below.set_title("2/π, 4/π: limits for momentum to 1, then long delay", fontsize=11)
    for axes in (above, below):
        axes.set_yscale("log")
        delay_axis(axes, found.delays)
    below.set_yticks([0.5, 0.7, 1, 1.5, 2, 4, 8, 16])
    below.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    below.yaxis.set_minor_formatter(NullFormatter())
    return finish(figure, above, below, ncols=2)
