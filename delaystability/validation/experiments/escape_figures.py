"""Pictures of the escape experiment, drawn without pyplot's global state."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from numpy.typing import NDArray

from delaystability.model.catalogue import CATALOGUE
from delaystability.plot.style import look, tidy
from delaystability.validation.experiments.escape_verdict import Escapes

__all__ = ["critical_figure", "rates_figure"]

# Okabe and Ito's palette, told apart with every common colour vision.


def critical_figure(found: Escapes) -> Figure:
    """Critical learning rate times sharpness against delay, and its ratio to the prediction.

    Lines are predictions, marks the medians over the minima. Bars are the learning rates that
    enclose the critical ones of all minima: below them every run returns, above them every run
    leaves.

    Parameters
    ----------
    found : Escapes
    """
    figure = Figure(figsize=(7.6, 7.4), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(2.2, 1))
    delays = np.unique(found.delay)
    names = [name for name in CATALOGUE if name in found.optimizer]
    for place, name in enumerate(names):
        colour, dashes, marker = look(list(CATALOGUE).index(name))
        shown = found.optimizer == name
        its = np.unique(found.delay[shown])
        cells = [shown & (found.delay == delay) for delay in its]
        predicted = np.array([found.threshold[cell][0] for cell in cells])
        low, middle, high = (
            np.array([reduce(values[cell]) for cell in cells])
            for reduce, values in (
                (np.min, found.low * found.sharpness),
                (np.median, found.measured),
                (np.max, found.high * found.sharpness),
            )
        )
        where = _spread(np.searchsorted(delays, its), place, len(names))
        top.plot(where, predicted, color=colour, ls=dashes, lw=1.2)
        for axes, scale in ((top, np.ones_like(predicted)), (bottom, predicted)):
            axes.errorbar(
                where,
                middle / scale,
                np.abs(np.array([middle - low, high - middle])) / scale,
                fmt=marker,
                color=colour,
                ms=6,
                mec="white",
                mew=0.6,
                elinewidth=1.0,
                capsize=2,
                label=CATALOGUE[name].title,
            )
    bottom.axhspan(0.97, 1.03, color="0.5", alpha=0.18, lw=0, label="required: within 3 %")
    bottom.axhline(1, color="0.3", lw=1.0)
    top.set_yscale("log")
    top.yaxis.set_major_locator(LogLocator(subs=(1, 3)))
    top.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    top.yaxis.set_minor_formatter(NullFormatter())
    top.set_ylabel("critical learning rate × sharpness")
    top.legend(
        frameon=False,
        fontsize=9,
        title="measured (marks), predicted (lines),\nbars: highest return to lowest escape",
    )
    bottom.legend(handles=[bottom.patches[-1]], frameon=False, fontsize=9, loc="upper right")
    bottom.set(ylabel="measured / predicted", xlabel="delay (updates)", ylim=(0.94, 1.06))
    bottom.set_xticks(range(len(delays)), [str(delay) for delay in delays])
    minima = len(np.unique(found.minimum))
    top.set_title(f"Critical learning rates at {minima} trained minima", fontsize=12)
    for axes in (top, bottom):
        tidy(axes)
    return figure


def rates_figure(found: Escapes) -> Figure:
    """Measured against predicted growth rates above the threshold, and their ratio.

    Open marks are not well resolved; bars are the uncertainties.

    Parameters
    ----------
    found : Escapes
    """
    figure = Figure(figsize=(7.6, 7.4), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(2.2, 1))
    growing = found.growing & (found.rates > 0)
    limits = found.predicted[growing].min() / 1.5, found.predicted[growing].max() * 1.5
    top.plot(limits, limits, color="0.45", lw=1.2, label="equal")
    names = [name for name in CATALOGUE if name in found.optimizer]
    for name in names:
        colour, _, marker = look(list(CATALOGUE).index(name))
        for resolved in (False, True):
            chosen = growing & (found.optimizer == name)[:, None] & (found.resolved == resolved)
            predicted, rates = found.predicted[chosen], found.rates[chosen]
            marks = {
                "color": colour,
                "ms": 4.5,
                "mew": 0.7,
                "mfc": colour if resolved else "none",
                "alpha": 0.85,
            }
            label = CATALOGUE[name].title if resolved else None
            top.plot(predicted, rates, marker, label=label, **marks)
            bottom.errorbar(
                predicted,
                rates / predicted,
                found.uncertainties[chosen] / predicted,
                fmt=marker,
                elinewidth=0.7,
                **marks,
            )
    bottom.axhline(1, color="0.3", lw=1.0)
    top.set(
        xscale="log",
        yscale="log",
        ylabel="measured growth of the distance\n(nats an update)",
        xlim=limits,
        ylim=limits,
    )
    bottom.set(
        xlabel=r"predicted escape rate $\ln|z_{\max}|$ (nats an update)",
        ylabel="measured / predicted",
        ylim=(0.9, 1.1),
    )
    top.xaxis.set_minor_formatter(NullFormatter())
    count = int((growing & found.resolved).sum())
    top.set_title(
        f"Escape rates above the threshold: {count} of {int(found.growing.sum())} runs are well "
        "resolved (filled)",
        fontsize=11,
    )
    top.legend(frameon=False, fontsize=9)
    for axes in (top, bottom):
        tidy(axes)
    return figure


def _spread(places: NDArray[np.int64], place: int, count: int) -> NDArray[np.float64]:
    """Marks of several optimizers at one delay, side by side."""
    return places.astype(np.float64) + 0.5 * ((place + 0.5) / count - 0.5)
