"""Pictures of the parameter-server experiment, drawn without pyplot's global state."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from delaystability.model.catalogue import CATALOGUE
from delaystability.plot.style import tidy
from delaystability.validation.experiments.parameter_server_verdict import NEAR, Cell, cells
from delaystability.validation.sweeps.trial import FinishedTrial

__all__ = ["critical_figure", "delays_figure"]

# Okabe and Ito's palette, told apart with every common colour vision.
_PREDICTIONS = (
    ("own", "its own log, replayed in order", "#0072B2", "o"),
    ("mean", "its own log, delays independent (mean)", "#009E73", "s"),
    ("mean_square", "the same, mean square (noisy curvature)", "#CC79A7", "P"),
    ("mean_delay", "the mean delay, fixed", "#E69F00", "D"),
    ("longest_delay", "the longest delay, fixed", "#D55E00", "v"),
)
_TICKS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 1.5)


def critical_figure(trials: Sequence[FinishedTrial]) -> Figure:
    """Predicted over measured critical learning rate, one line a cell, a panel for each W.

    Parameters
    ----------
    trials : sequence of FinishedTrial
    """
    found = cells(trials)
    counts = sorted({cell.settings["workers"] for cell in found})
    most = max(sum(cell.settings["workers"] == count for cell in found) for count in counts)
    figure = Figure(figsize=(3.2 + 3.4 * len(counts), 2.2 + 0.3 * most + 0.2), layout="constrained")
    panels = figure.subplots(1, len(counts), squeeze=False, sharex=True)[0]
    for axes, count in zip(panels, counts, strict=True):
        shown = [cell for cell in found if cell.settings["workers"] == count]
        axes.axvspan(1 / (1 + NEAR), 1 + NEAR, color="0.9", lw=0, label=f"within {100 * NEAR:g} %")
        axes.axvline(1, color="0.3", lw=0.9)
        for name, label, colour, marker in _PREDICTIONS:
            places = [
                (1 + cell.error(name), row)
                for row, cell in enumerate(shown)
                if name == "own" or cell.result[name] is not None
            ]
            axes.plot(
                [x for x, _ in places],
                [y for _, y in places],
                marker,
                color=colour,
                ms=6.5 if name == "own" else 5.5,
                mfc=colour if name == "own" else "none",
                label=label,
                zorder=3 if name == "own" else 2,
            )
        axes.set_xscale("log")
        axes.set_xticks(_TICKS, [f"{tick:g}" for tick in _TICKS])
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_yticks(range(len(shown)), [_name(cell) for cell in shown])
        axes.set_ylim(len(shown) - 0.5, -0.5)
        axes.set_title(f"{count} worker processes", fontsize=11)
        axes.set_xlabel("critical learning rate, predicted / measured")
        if axes is not panels[0]:
            axes.tick_params(labelleft=False)
        tidy(axes)
    handles, labels = panels[0].get_legend_handles_labels()
    columns = 2 if len(counts) < 3 else 3
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False)
    return figure


def delays_figure(trials: Sequence[FinishedTrial]) -> Figure:
    """The share of each delay in the logs, all runs together, with and without a slowed worker.

    Parameters
    ----------
    trials : sequence of FinishedTrial
    """
    found = cells(trials)
    counts = sorted({cell.settings["workers"] for cell in found})
    figure = Figure(figsize=(1.2 + 3.9 * len(counts), 3.6), layout="constrained")
    panels = figure.subplots(1, len(counts), squeeze=False, sharey=True)[0]
    for axes, count in zip(panels, counts, strict=True):
        for slowed, colour, marker in ((False, "#0072B2", "o"), (True, "#D55E00", "s")):
            logs = [
                np.array(cell.result["delay_counts"])
                for cell in found
                if (cell.settings["workers"], cell.settings["slowed"]) == (count, slowed)
            ]
            if not logs:
                continue
            total = np.zeros(max(map(len, logs)))
            for log in logs:
                total[: len(log)] += log
            mean = total @ np.arange(len(total)) / total.sum()
            seen = np.flatnonzero(total)
            axes.plot(
                seen,
                total[seen] / total.sum(),
                marker + "-",
                color=colour,
                lw=0.8,
                ms=3.5,
                label=f"{'one slowed' if slowed else 'all alike'}: mean {mean:.2f}, "
                f"longest {len(total) - 1}",
            )
        axes.axvline(count - 1, color="0.3", lw=0.9, ls=":", label=f"W - 1 = {count - 1}")
        axes.set_xscale("symlog", linthresh=10)
        axes.set_yscale("log")
        axes.set_xlim(-0.5, None)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.set_title(f"{count} worker processes", fontsize=11)
        axes.set_xlabel("delay (updates)")
        axes.set_ylim(None, 4)  # room for the legend
        axes.legend(frameon=False, fontsize=8, loc="upper right")
        tidy(axes)
    panels[0].set_ylabel("share of the updates")
    return figure


def _name(cell: Cell) -> str:
    settings = cell.settings
    slowed = ", one slowed" if settings["slowed"] else ""
    return f"{settings['problem']}, {CATALOGUE[settings['optimizer']].title}{slowed}"
