"""Pictures of the experiment on pipelines, drawn without pyplot's global state."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from delaystability.model.catalogue import CATALOGUE
from delaystability.model.pipelines import SCHEDULES
from delaystability.plot.style import COLOURS, tidy
from delaystability.validation.experiments.pipeline_runs import MODELS
from delaystability.validation.experiments.pipeline_verdict import NEAR, Pipelines

__all__ = ["rates_figure"]

_BLACK, _BLUE, _ORANGE, _GREEN = COLOURS[:4]


def rates_figure(found: Pipelines) -> Figure:
    """Measured and safe learning rates of each pipeline in units of the exact one.

    Parameters
    ----------
    found : Pipelines
    """
    order = np.lexsort((found.optimizer, found.layers, found.schedule))
    place = np.arange(len(order))
    figure = Figure(figsize=(9.0, 2.0 + 0.24 * len(order)), layout="constrained")
    axes = figure.subplots()
    axes.axvspan(1 - NEAR, 1 + NEAR, color="0.85", lw=0, label=f"exact, ± {100 * NEAR:g} %")
    axes.axvline(1.0, color=_BLACK, lw=1.0)
    exact = found.exact[order]
    for values, marker, colour, face, label in (
        (found.uniform, "s", _ORANGE, _ORANGE, "safe: longest delay in every stage"),
        (found.safe, "D", _GREEN, _GREEN, "safe: with the sharpness of each stage"),
        (found.measured[:, 0], "o", _BLUE, "none", f"measured: {MODELS[0]}"),
        (found.measured[:, 1], "x", _BLACK, _BLACK, f"measured: {MODELS[1]}"),
    ):
        axes.plot(values[order] / exact, place, marker, color=colour, mfc=face, ms=6, label=label)
    names = [
        f"{SCHEDULES[found.schedule[k]].title.split(' (')[0]}, {found.layers[k]} stages, "
        f"{CATALOGUE[found.optimizer[k]].title}"
        for k in order
    ]
    axes.set_yticks(place, names, fontsize=8)
    axes.set_ylabel("pipeline")
    axes.set_xlabel("learning rate / exact largest stable learning rate")
    axes.set(xlim=(0, 1.15), ylim=(len(order) - 0.4, -0.6))
    share = float(np.median(found.uniform / found.exact))
    better = float(np.median(found.safe / found.exact))
    axes.set_title(
        f"The worst delay for all stages allows {100 * share:.0f} % of the exact rate (median),\n"
        f"the sharpness of each stage {100 * better:.0f} %",
        fontsize=10,
    )
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    tidy(axes)
    return figure
