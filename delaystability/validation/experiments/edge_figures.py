"""Pictures of the edge experiment, drawn without pyplot's global state."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from delaystability.model.optimizer import steady_gain
from delaystability.plot.style import look, tidy
from delaystability.questions.bounds import stability_threshold
from delaystability.validation.experiments.edge_runs import BAND, Cell, EdgeRun

__all__ = ["courses_figure", "thresholds_figure"]

_SHADE = "#009E73"
_STEP = 0.07  # between two optimizers at one delay, in units of the distance of two delays
_COLUMNS = 4


def thresholds_figure(cells: Sequence[Cell]) -> Figure:
    """Predicted thresholds against delay with trained networks on them, and the ratio of the two.

    Above, curves are thresholds in the effective learning rate, in which the optimizers can be
    compared. Below, bars are from the lowest to the highest seed, with the median of all; runs that
    diverged are left out.

    Parameters
    ----------
    cells : sequence of Cell
    """
    figure = Figure(figsize=(7.2, 8.4), layout="constrained")
    above, below = figure.subplots(2, 1, height_ratios=[1.15, 1])
    delays = sorted({cell.runs[0].delay for cell in cells})
    places = {delay: place for place, delay in enumerate(delays)}
    families = _families(cells)
    curve = np.unique(np.geomspace(1, delays[-1] + 1, 80).round().astype(int)) - 1
    below.axhspan(*BAND, color=_SHADE, alpha=0.16, lw=0, label=f"accepted, {BAND[0]} to {BAND[1]}")
    below.axhline(1, color="0.3", lw=1.0, ls="--", label="predicted edge")
    for number, (title, own) in enumerate(families.items()):
        colour, dashes, marker = look(number)
        style = {"color": colour, "marker": marker}
        optimizer = own[0].runs[0].optimizer
        gains = np.array([steady_gain(optimizer, int(delay)) for delay in curve])
        above.plot(
            curve + 1,
            stability_threshold(optimizer, curve) * gains,
            color=style["color"],
            ls=dashes,
            lw=1.3,
        )
        at, values, spread = [], [], []
        for cell in own:
            run, median = cell.runs[0], cell.interval.value
            at.append(places[run.delay] + _STEP * (number - (len(families) - 1) / 2))
            values.append(median)
            seeds = cell.medians if len(cell.medians) else np.array([np.nan])
            spread.append([median - seeds.min(), seeds.max() - median])
        measured = [
            value * cell.runs[0].threshold * cell.runs[0].steady_gain
            for value, cell in zip(values, own, strict=True)
        ]
        marks = {"ls": "none", "ms": 6.5, "mec": "white", "mew": 0.6, "label": title, **style}
        above.plot([cell.runs[0].delay + 1 for cell in own], measured, **marks)
        # A median of all measurements may lie outside the medians of the seeds.
        bars = np.clip(np.array(spread).T, 0, None)
        below.errorbar(at, values, bars, elinewidth=1.0, capsize=2, ecolor=style["color"], **marks)
        lost = [place for place, cell in enumerate(own) if cell.diverged]
        hollow = {
            **marks,
            "mec": style["color"],
            "mew": 1.2,
            "mfc": "white",
            "zorder": 3,
            "label": None,
        }
        below.plot(np.array(at)[lost], np.array(values)[lost], **hollow)
    above.set(
        xscale="log",
        yscale="log",
        xlabel="delay + 1 (updates)",
        ylabel="effective learning rate × sharpness",
    )
    for axis in (above.xaxis, above.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    above.xaxis.set_major_locator(FixedLocator([delay + 1 for delay in delays]))
    above.xaxis.set_minor_locator(NullLocator())
    above.set_title("Thresholds (lines) and trained networks (marks)", fontsize=11)
    above.legend(frameon=False, fontsize=9, ncols=2)
    good = sum(cell.at_edge for cell in cells)
    below.set(
        xlabel="delay (updates)",
        ylabel="learning rate × sharpness / threshold",
        xticks=range(len(delays)),
        xticklabels=delays,
        ylim=_limits(cells),
    )
    below.set_title(f"Measured over predicted: {good} of {len(cells)} at the edge", fontsize=11)
    handles, labels = below.get_legend_handles_labels()
    handles, labels = handles[:2], labels[:2]
    if any(cell.diverged for cell in cells):
        handles += below.plot([], [], "o", mec="0.2", mfc="white", ms=6.5, mew=1.2)
        labels.append("open: some seeds diverged")
    below.legend(handles, labels, frameon=False, fontsize=9, loc="lower right")
    for axes in (above, below):
        tidy(axes)
    return figure


def courses_figure(cells: Sequence[Cell], free: Sequence[EdgeRun]) -> Figure:
    """Sharpness over its predicted edge against gradient-flow time, one panel for each delay.

    The first seed of each optimizer; shaded is the last third, over which the median is taken. The
    free run is drawn in the first panel, over the edge of the others.

    Parameters
    ----------
    cells : sequence of Cell
    free : sequence of EdgeRun
    """
    delays = sorted({cell.runs[0].delay for cell in cells})
    columns = min(_COLUMNS, len(delays) + 1)
    rows = -(-(len(delays) + 1) // columns)
    figure = Figure(figsize=(2.55 * columns + 0.6, 2.5 * rows + 0.3), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True)
    length = min(float(run.flow[-1]) for cell in cells for run in cell.runs)
    for place, (axes, delay) in enumerate(zip(panels.flat, delays, strict=False)):
        axes.axhspan(*BAND, color=_SHADE, alpha=0.16, lw=0)
        axes.axvspan(2 / 3, 1, color="0.5", alpha=0.13, lw=0)
        axes.axhline(1, color="0.3", lw=0.9, ls="--")
        for number, own in enumerate(_families(cells).values()):
            for cell in own:
                if cell.runs[0].delay == delay:
                    _course(axes, cell.runs[0], cell.runs[0].edge, number)
        if place == 0 and free:
            edge = cells[0].runs[0].edge
            share = free[0].updates / free[0].updates[-1]
            axes.plot(share, free[0].sharpness / edge, color="0.35", lw=2.0, ls=":")
        axes.set_title(f"delay {delay}", fontsize=10)
        tidy(axes)
    highest = [float(np.nanmax(run.ratio)) for cell in cells for run in cell.runs[:1]]
    highest += [float(np.nanmax(run.sharpness)) / cells[0].runs[0].edge for run in free[:1]]
    panels[0, 0].set_ylim(0, 1.06 * max(highest))
    for axes in panels.flat[len(delays) :]:
        axes.set_axis_off()
    _key(panels.flat[len(delays)], cells, bool(free))
    figure.supxlabel(f"share of the run (gradient-flow time of {length:.3g} or more)", fontsize=10)
    figure.supylabel("sharpness / predicted edge", fontsize=10)
    return figure


def _families(cells: Sequence[Cell]) -> dict[str, list[Cell]]:
    """The cells by the title of their optimizer."""
    families: dict[str, list[Cell]] = {}
    for cell in cells:
        families.setdefault(cell.runs[0].optimizer.title, []).append(cell)
    return families


def _course(axes: Axes, run: EdgeRun, edge: float, number: int) -> None:
    colour, dashes, marker = look(number)
    axes.plot(
        run.updates / run.updates[-1],
        run.sharpness / edge,
        color=colour,
        ls=dashes,
        marker=marker,
        markevery=(number, 8),
        ms=3.5,
        lw=1.1,
    )


def _key(axes: Axes, cells: Sequence[Cell], free: bool) -> None:
    """The legend, in a panel of its own."""
    for number, title in enumerate(_families(cells)):
        colour, dashes, marker = look(number)
        axes.plot([], [], color=colour, ls=dashes, marker=marker, ms=4, lw=1.1, label=title)
    if free:
        axes.plot([], [], color="0.35", lw=2.0, ls=":", label="free run (delay 0)")
    axes.plot([], [], color="0.3", lw=0.9, ls="--", label="predicted edge")
    axes.fill_between([], [], color=_SHADE, alpha=0.16, lw=0, label="accepted median")
    axes.fill_between([], [], color="0.5", alpha=0.13, lw=0, label="last third")
    axes.legend(frameon=False, fontsize=8.5, loc="center")


def _limits(cells: Sequence[Cell]) -> tuple[float, float]:
    values = np.concatenate([cell.medians for cell in cells])
    values = values[np.isfinite(values)]
    if not values.size:
        return 0.8, 1.2
    return min(0.85, float(values.min()) - 0.03), max(1.15, float(values.max()) + 0.03)
