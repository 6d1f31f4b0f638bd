"""Figures of the escape experiment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from delaystability.model.catalogue import CATALOGUE
from delaystability.plot.charts import WIDTH, dashes, finish, panels, plain_ticks, series

__all__ = ["critical_figure", "rates_figure"]


def critical_figure(cells: Sequence[Any]) -> Figure:
    """Critical learning rate times sharpness against delay, and its ratio to the prediction.

    Lines are predictions, marks the medians over the minima. Bars are the learning rates that
    enclose the critical ones of all minima: below them every run returns, above them every run
    leaves.

    Parameters
    ----------
    cells : sequence of Escape
    """
    figure, (top, bottom) = panels(WIDTH, 7.4, 1, 2, sharex=True, height_ratios=(2.2, 1))
    delays = sorted({cell.delay for cell in cells})
    names = [name for name in CATALOGUE if any(cell.optimizer == name for cell in cells)]
    for place, name in enumerate(names):
        own = [cell for cell in cells if cell.optimizer == name]
        its = sorted({cell.delay for cell in own})
        minima = [[cell for cell in own if cell.delay == delay] for delay in its]
        predicted = np.array([some[0].threshold for some in minima])
        low, middle, high = np.array(
            [
                (
                    min(cell.bracket[0] * cell.sharpness for cell in some),
                    np.median([cell.measured for cell in some]),
                    max(cell.bracket[1] * cell.sharpness for cell in some),
                )
                for some in minima
            ]
        ).T
        # Several optimizers at one delay, side by side.
        where = np.searchsorted(delays, its) + 0.5 * ((place + 0.5) / len(names) - 0.5)
        style = series(name)
        top.plot(where, predicted, color=style["color"], ls=dashes(name), lw=1.2)
        for axes, scale in ((top, np.ones_like(predicted)), (bottom, predicted)):
            axes.errorbar(
                where,
                middle / scale,
                np.abs(np.array([middle - low, high - middle])) / scale,
                ls="none",
                ms=6,
                mec="white",
                mew=0.6,
                elinewidth=1.0,
                capsize=2,
                label=CATALOGUE[name].title,
                **style,
            )
    bottom.axhspan(0.97, 1.03, color="0.5", alpha=0.18, lw=0, label="required: within 3 %")
    bottom.axhline(1, color="0.3", lw=1.0)
    top.set_yscale("log")
    plain_ticks(top.yaxis, (1, 3))
    top.set_ylabel("critical learning rate × sharpness")
    top.legend(
        frameon=False,
        fontsize=9,
        title="measured (marks), predicted (lines),\nbars: highest return to lowest escape",
    )
    bottom.legend(handles=[bottom.patches[-1]], frameon=False, fontsize=9, loc="upper right")
    bottom.set(ylabel="measured / predicted", xlabel="delay (updates)", ylim=(0.94, 1.06))
    bottom.set_xticks(range(len(delays)), [str(delay) for delay in delays])
    count = len({cell.minimum_seed for cell in cells})
    top.set_title(f"Critical learning rates at {count} trained minima", fontsize=12)
    return finish(figure, top, bottom)


def rates_figure(cells: Sequence[Any]) -> Figure:
    """Measured against predicted growth rates above the threshold, and their ratio.

    Open marks are not well resolved; bars are the uncertainties.

    Parameters
    ----------
    cells : sequence of Escape
    """
    figure, (top, bottom) = panels(WIDTH, 7.4, 1, 2, sharex=True, height_ratios=(2.2, 1))
    names = np.array([cell.optimizer for cell in cells])
    rates, predicted, uncertainties, above, resolved = (
        np.array([getattr(cell, name) for cell in cells])
        for name in ("rates", "predicted_rates", "uncertainties", "growing", "resolved")
    )
    growing = above & (rates > 0)
    limits = predicted[growing].min() / 1.5, predicted[growing].max() * 1.5
    top.plot(limits, limits, color="0.45", lw=1.2, label="equal")
    for name in (name for name in CATALOGUE if name in names):
        for filled in (False, True):
            chosen = growing & (names == name)[:, None] & (resolved == filled)
            style = series(name)
            marks = style | {
                "ls": "none",
                "ms": 4.5,
                "mew": 0.7,
                "mfc": style["color"] if filled else "none",
                "alpha": 0.85,
            }
            label = CATALOGUE[name].title if filled else None
            top.plot(predicted[chosen], rates[chosen], label=label, **marks)
            ratios, errors = (
                values[chosen] / predicted[chosen] for values in (rates, uncertainties)
            )
            bottom.errorbar(predicted[chosen], ratios, errors, elinewidth=0.7, **marks)
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
    top.set_title(
        f"Escape rates above the threshold:\n{int((growing & resolved).sum())} of "
        f"{int(above.sum())} runs are well resolved (filled)",
        fontsize=11,
    )
    top.legend(frameon=False, fontsize=9)
    return finish(figure, top, bottom)
