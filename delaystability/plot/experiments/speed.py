"""Figures of the experiment on speed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from delaystability.plot.charts import finish, panels
from delaystability.plot.style import look

__all__ = ["courses_figure", "losses_figure", "shares_figure"]


def shares_figure(runs: Sequence[Any]) -> Figure:
    """Shares of the limit against the delay, one panel a condition number.

    Parameters
    ----------
    runs : sequence of SpeedRun, on quadratics
    """
    numbers = sorted({run.condition_number for run in runs})
    delays = sorted({run.delay for run in runs})
    figure, drawn = panels(6.4, 2.3 * len(numbers) + 0.9, 1, len(numbers), sharex=True)
    for axes, number in zip(drawn, numbers, strict=True):
        for family, (title, colour, dashes, marker) in _styles(runs).items():
            own = [run for run in runs if (run.condition_number, run.family) == (number, family)]
            places = [delays.index(run.delay) for run in own]
            for name, style in (
                ("predicted", {"ls": dashes, "lw": 1.3}),
                ("measured", {"ls": "none", "label": title, **_mark(family, marker)}),
            ):
                shares = [getattr(run, name) / run.limit for run in own]
                axes.plot(places, shares, color=colour, **style)
        axes.set_title(f"condition number {number:g}", fontsize=11)
        axes.set_ylim(0, None)
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    drawn[-1].set_xticks(range(len(delays)), [str(delay) for delay in delays])
    drawn[-1].set_xlabel("delay (updates)")
    figure.supylabel("share of the limit (nats an update)", fontsize=11)
    return finish(figure, *drawn, ncols=2, fontsize=10)


def courses_figure(runs: Sequence[Any]) -> Figure:
    """Distances to the first minimum against updates, one panel a delay.

    Parameters
    ----------
    runs : sequence of SpeedRun, next to minima
    """
    first = [run for run in runs if run.minimum_seed == runs[0].minimum_seed]
    delays = sorted({run.delay for run in first})
    figure, drawn = panels(6.4, 2.3 * len(delays) + 0.9, 1, len(delays))
    styles = _styles(runs)
    for axes, delay in zip(drawn, delays, strict=True):
        for run in (run for run in first if run.delay == delay):
            title, colour, dashes, marker = styles[run.family]
            times = np.linspace(0, run.updates, len(run.course))
            axes.plot(times, run.predicted_course, color=colour, ls=dashes, lw=1.3)
            shown = slice(0, None, 4)
            style = {"ls": "none", "label": title, **_mark(run.family, marker)}
            axes.plot(times[shown], run.course[shown], color=colour, **style)
        axes.set_yscale("log")
        axes.set_title(f"delay {delay}", fontsize=11)
    drawn[-1].set_xlabel("updates")
    figure.supylabel("distance to the minimum", fontsize=11)
    return finish(figure, *drawn, ncols=2, fontsize=10)


def losses_figure(runs: Sequence[Any]) -> Figure:
    """Training losses of all seeds and their medians, at each delay.

    Parameters
    ----------
    runs : sequence of SpeedRun, in training
    """
    delays = sorted({run.delay for run in runs})
    figure, (axes,) = panels(6.4, 4.2)
    styles = _styles(runs)
    for run in runs:
        _, colour, _, marker = styles[run.family]
        place = delays.index(run.delay) + 0.18 * (list(styles).index(run.family) - 1.5)
        losses = run.losses[np.isfinite(run.losses)]
        axes.plot(np.full(len(losses), place), losses, ".", color=colour, ms=4, alpha=0.7)
        axes.plot(place, np.median(run.losses), marker, color=colour, ms=8, mec="white", mew=0.6)
    axes.set_yscale("log")
    axes.set_xticks(range(len(delays)), [str(delay) for delay in delays])
    axes.set(xlabel="delay (updates)", ylabel="training loss at the end")
    axes.legend(
        handles=[
            Line2D([], [], ls="none", color=colour, marker=marker, label=title)
            for title, colour, _, marker in styles.values()
        ],
        frameon=False,
        fontsize=10,
    )
    return finish(figure, axes)


def _styles(runs: Sequence[Any]) -> dict[str, tuple[str, Any, Any, Any]]:
    """Title, colour, dashes and marker of each family."""
    titles = dict.fromkeys((run.family, run.title) for run in runs)
    return {family: (title, *look(place)) for place, (family, title) in enumerate(titles)}


def _mark(family: str, marker: str) -> dict[str, Any]:
    """Heavy ball is drawn about SGD, which it coincides with."""
    around = {"ms": 10, "mfc": "none", "mew": 1.3} if family == "heavy-ball" else {"ms": 5}
    return {"marker": marker, **around}
