"""Figures of the parameter-server experiment."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from delaystability.model.catalogue import CATALOGUE
from delaystability.plot.charts import BLUE, GREEN, ORANGE, PINK, RED, WIDTH, finish, panels

__all__ = ["critical_figure", "delays_figure"]

_PREDICTIONS = (
    ("own", "its own log, replayed in order", BLUE, "o"),
    ("mean", "its own log, delays independent (mean)", GREEN, "s"),
    ("mean_square", "the same, mean square (noisy curvature)", PINK, "P"),
    ("mean_delay", "the mean delay, fixed", ORANGE, "D"),
    ("longest_delay", "the longest delay, fixed", RED, "v"),
)
_TICKS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 1.5)


def critical_figure(cells: Sequence[Any], near: float) -> Figure:
    """Predicted over measured critical learning rate, a panel for each W.

    Parameters
    ----------
    cells : sequence of ServerTrial
    near : float
        Share within which a prediction agrees.
    """
    groups = _by_workers(cells)
    lines = {count: list(dict.fromkeys(map(_name, shown))) for count, shown in groups.items()}
    sizes = [len(own) + 2 for own in lines.values()]
    height = 2.0 + 0.3 * sum(sizes)
    figure, drawn = panels(WIDTH, height, 1, len(groups), sharex=True, height_ratios=sizes)
    for axes, (count, shown) in zip(drawn, groups.items(), strict=True):
        axes.axvspan(1 / (1 + near), 1 + near, color="0.9", lw=0, label=f"within {100 * near:g} %")
        axes.axvline(1, color="0.3", lw=0.9)
        for name, label, colour, marker in _PREDICTIONS:
            own = name == "own"
            places = [
                (1 + cell.error(name), lines[count].index(_name(cell)))
                for cell in shown
                if getattr(cell, name) is not None
            ]
            look: dict[str, Any] = {
                "color": colour,
                "mfc": colour if own else "none",
                "ms": 6.5 if own else 5.5,
            }
            x, y = np.array(places).reshape(-1, 2).T
            axes.plot(x, y, marker, label=label, zorder=3 if own else 2, **look)
        axes.set_xscale("log")
        axes.set_xticks(_TICKS, [f"{tick:g}" for tick in _TICKS])
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_yticks(range(len(lines[count])), [fill(line, 28) for line in lines[count]])
        axes.set_ylim(len(lines[count]) - 0.5, -0.5)
        axes.set_title(f"{count} worker processes", fontsize=11)
    drawn[-1].set_xlabel("critical learning rate,\npredicted / measured")
    return finish(figure, *drawn, ncols=1)


def delays_figure(cells: Sequence[Any]) -> Figure:
    """The share of each delay in the logs, all runs together, with and without a slowed worker.

    Parameters
    ----------
    cells : sequence of ServerTrial
    """
    groups = _by_workers(cells)
    figure, drawn = panels(WIDTH, 3.4 * len(groups), 1, len(groups), sharex=True)
    for axes, (count, shown) in zip(drawn, groups.items(), strict=True):
        for slowed, colour, marker in ((False, BLUE, "o"), (True, RED, "s")):
            logs = [cell.delay_counts for cell in shown if cell.slowed == slowed]
            if not logs:
                continue
            total = np.zeros(max(map(len, logs)))
            for log in logs:
                total[: len(log)] += log
            mean = total @ np.arange(len(total)) / total.sum()
            seen = np.flatnonzero(total)
            told = "one slowed" if slowed else "all alike"
            label = f"{told}: mean {mean:.2f}, longest {len(total) - 1}"
            share, style = total[seen] / total.sum(), marker + "-"
            axes.plot(seen, share, style, color=colour, lw=0.8, ms=3.5, label=label)
        axes.axvline(count - 1, color="0.3", lw=0.9, ls=":", label=f"W - 1 = {count - 1}")
        axes.set_xscale("symlog", linthresh=10)
        axes.set_yscale("log")
        axes.set_xlim(-0.5, None)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.set_title(f"{count} worker processes", fontsize=11)
        axes.set_ylabel("share of the updates")
        axes.set_ylim(None, 4)  # room for the legend
        axes.legend(frameon=False, fontsize=8, loc="upper right")
    drawn[-1].set_xlabel("delay (updates)")
    return finish(figure, *drawn)


def _by_workers(cells: Sequence[Any]) -> dict[int, list[Any]]:
    counts = sorted({cell.workers for cell in cells})
    return {count: [cell for cell in cells if cell.workers == count] for count in counts}


def _name(cell: Any) -> str:
    slowed = ", one slowed" if cell.slowed else ""
    return f"{cell.problem}, {CATALOGUE[cell.optimizer].title}{slowed}"
