"""Pictures of the edge-of-stability experiment, drawn without pyplot's global state.

Each function returns a `matplotlib.figure.Figure`; save it with ``figure.savefig(path)``.
"""

from __future__ import annotations

from math import ceil

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from delaystability.bounds import stability_threshold
from delaystability.optimizers import CATALOGUE, optimizer_from_name
from delaystability.validation.edge_result import BAND, EdgeResult, EdgeRun

__all__ = ["edge_figure", "predicted_measured_figure"]

# Okabe and Ito's palette, told apart with every common colour vision.
_RATIO, _LOSS, _EDGE, _SHADE = "#0072B2", "#D55E00", "#000000", "#009E73"
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_MARKERS = ("o", "s", "^", "D", "v", "P")
_COLUMNS = 3
_RATIO_LABEL = r"learning rate $\times$ sharpness / threshold"


def edge_figure(result: EdgeResult) -> Figure:
    """Ratio ``lr * sharpness / threshold`` and training loss against updates, one panel a run.

    The line at 1 is the predicted edge, the horizontal band where the median over the last third
    (shaded) must lie.

    Parameters
    ----------
    result : EdgeResult
    """
    runs = result.runs
    columns = min(_COLUMNS, len(runs))
    rows = ceil(len(runs) / columns)
    figure = Figure(figsize=(max(7.0, 4.1 * columns + 0.6), 3.0 * rows + 1.1), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True)
    top = 1.12 * max(1.2, *(float(np.nanmax(run.ratio)) for run in runs))
    losses = np.concatenate([run.loss[np.isfinite(run.loss)] for run in runs])
    for place, axes in enumerate(panels.flat):
        if place >= len(runs):
            axes.set_visible(False)
            continue
        loss_axes = _run_panel(axes, runs[place])
        axes.set_ylim(0, top)
        loss_axes.set_ylim(losses.min() / 1.5, losses.max() * 1.5)
        column = place % columns
        last_column = column == columns - 1 or place == len(runs) - 1
        if column == 0:
            axes.set_ylabel(_RATIO_LABEL, color=_RATIO, fontsize=9)
        if last_column:
            loss_axes.set_ylabel("training loss", color=_LOSS)
        else:
            loss_axes.yaxis.set_major_formatter(NullFormatter())
        if place + columns >= len(runs):
            axes.set_xlabel("updates (thousands)")
    found = sum(run.at_edge for run in runs)
    figure.suptitle(
        f"Edge of stability under delay: {found} of {len(runs)} runs at their predicted edge",
        fontsize=13,
    )
    handles, labels = panels.flat[0].get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=2 * columns - 1,
        frameon=False,
    )
    return figure


def predicted_measured_figure(result: EdgeResult) -> Figure:
    """Predicted thresholds against delay with trained runs on them, and the sharpness they reach.

    Left: the curve of each optimizer's threshold a* and, on it, ``lr`` times the median sharpness
    of each trained run. Right: sharpness against gradient-flow time, of the runs at the edge and
    of the free run.

    Parameters
    ----------
    result : EdgeResult
    """
    figure = Figure(figsize=(11.0, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    longest = max(8, *(run.delay for run in result.runs)) + 2
    delays = np.arange(longest + 1)
    families: dict[str, list[EdgeRun]] = {}
    for run in result.runs:
        families.setdefault(_family(run), []).append(run)
    for place, (title, runs) in enumerate(families.items()):
        colour, marker = _COLOURS[place % 6], _MARKERS[place % 6]
        if runs[0].optimizer in CATALOGUE:
            optimizer = optimizer_from_name(runs[0].optimizer, **runs[0].parameters)
            left.plot(delays, stability_threshold(optimizer, delays), color=colour, lw=1.3)
        left.plot(
            [run.delay for run in runs],
            [run.learning_rate * run.median_sharpness for run in runs],
            marker,
            color=colour,
            ms=8,
            mec="white",
            label=title,
        )
        for run in runs:
            flow = run.updates * run.effective_learning_rate
            right.plot(flow, run.sharpness, color=colour, lw=1.0, alpha=0.85)
    left.set_yscale("log")
    left.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    left.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    left.yaxis.set_minor_formatter(NullFormatter())
    left.set(xlabel="delay (updates)", ylabel=r"learning rate $\times$ sharpness")
    left.set_title("Threshold (lines) and trained networks (marks)", fontsize=11)
    left.legend(frameon=False)

    free, edge = result.free, result.runs[0].critical_sharpness
    right.plot(
        free.updates * free.effective_learning_rate,
        free.sharpness,
        color="0.35",
        lw=1.8,
        ls="--",
        label=f"free: SGD at {free.critical_sharpness / edge:.3g} times smaller learning rate",
    )
    right.axhline(edge, color=_EDGE, lw=1.0, label=f"predicted edge of all runs, {edge:g}")
    right.set(
        xlabel=r"updates $\times$ effective learning rate", ylabel="sharpness", ylim=(0, None)
    )
    right.set_title("Sharpness during training", fontsize=11)
    right.legend(frameon=False, loc="lower right")
    for axes in (left, right):
        _tidy(axes)
    return figure


def _run_panel(axes: Axes, run: EdgeRun) -> Axes:
    """Draw one run; returns the second axes, of the loss."""
    thousands = run.updates / 1000
    axes.axhspan(*BAND, color=_SHADE, alpha=0.18, lw=0, label="accepted median, 0.9 to 1.1")
    axes.axvspan(
        *thousands[run.last_third][[0, -1]], color="0.5", alpha=0.13, lw=0, label="last third"
    )
    axes.axhline(1, color=_EDGE, lw=1.0, ls="--", label="predicted edge")
    axes.plot(thousands, run.ratio, color=_RATIO, lw=1.6, label=_RATIO_LABEL)
    loss_axes = axes.twinx()
    loss_axes.plot(thousands, run.loss, color=_LOSS, lw=1.1, alpha=0.9)
    axes.plot([], [], color=_LOSS, lw=1.1, label="training loss (right, log scale)")
    loss_axes.set_yscale("log")
    loss_axes.tick_params(labelcolor=_LOSS)
    axes.tick_params(axis="y", labelcolor=_RATIO)
    outcome = "diverged" if run.diverged else f"median {run.median:.3f}"
    axes.set_title(f"{run.setting}\nlearning rate {run.learning_rate:.3g}, {outcome}", fontsize=9.5)
    axes.set_xlim(0, thousands[-1])
    _tidy(axes)
    loss_axes.spines["top"].set_visible(False)
    axes.set_zorder(loss_axes.get_zorder() + 1)
    axes.patch.set_visible(False)
    return loss_axes


def _family(run: EdgeRun) -> str:
    """The title of a run's optimizer, without its delay."""
    return run.setting.rpartition(",")[0]


def _tidy(axes: Axes) -> None:
    axes.spines["top"].set_visible(False)
    axes.grid(alpha=0.25, lw=0.6)
