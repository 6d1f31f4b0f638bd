"""Figures of the edge experiment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from delaystability.model.optimizer import steady_gain
from delaystability.plot.charts import GREEN, finish, panels
from delaystability.plot.style import look
from delaystability.questions.bounds import stability_threshold

__all__ = ["courses_figure", "thresholds_figure"]

_STEP = 0.07  # between two optimizers at one delay, in units of the distance of two delays
_COLUMNS = 2


def thresholds_figure(cells: Sequence[Any], band: tuple[float, float]) -> Figure:
    """Predicted thresholds against delay with trained networks on them, and the ratio of the two.

    Above, curves are thresholds in the effective learning rate, in which the optimizers can be
    compared. Below, bars are from the lowest to the highest seed, with the median of all; runs that
    diverged are left out.

    Parameters
    ----------
    cells : sequence of Cell
    band : two floats
        Where the ratio must lie.
    """
    figure, (above, below) = panels(7.2, 8.4, 1, 2, height_ratios=[1.15, 1])
    delays = sorted({cell.delay for cell in cells})
    curve = np.unique(np.geomspace(1, delays[-1] + 1, 80).round().astype(int)) - 1
    below.axhspan(*band, color=GREEN, alpha=0.16, lw=0, label=f"accepted, {band[0]} to {band[1]}")
    below.axhline(1, color="0.3", lw=1.0, ls="--", label="predicted edge")
    families = _families(cells)
    for number, (title, own) in enumerate(families.items()):
        colour, dashes, marker = look(number)
        rule = own[0].update_rule
        gains = np.array([steady_gain(rule, int(delay)) for delay in curve])
        effective = stability_threshold(rule, curve) * gains
        above.plot(curve + 1, effective, color=colour, ls=dashes, lw=1.3)
        shift = _STEP * (number - (len(families) - 1) / 2)
        at = np.array([delays.index(cell.delay) + shift for cell in own])
        values = np.array([cell.settled.interval.value for cell in own])
        measured = [
            value * cell.runs[0].threshold * cell.runs[0].steady_gain
            for value, cell in zip(values, own, strict=True)
        ]
        marks: dict[str, Any] = {
            "ls": "none",
            "ms": 6.5,
            "mec": "white",
            "mew": 0.6,
            "label": title,
        }
        marks |= {"color": colour, "marker": marker, "label": title}
        above.plot([cell.delay + 1 for cell in own], measured, **marks)
        seeds = [cell.settled.medians if cell.surviving else np.array([np.nan]) for cell in own]
        # A median of all measurements may lie outside the medians of the seeds.
        spread = [
            values - [each.min() for each in seeds],
            [each.max() for each in seeds] - values,
        ]
        bars = np.clip(spread, 0, None)
        below.errorbar(at, values, bars, elinewidth=1.0, capsize=2, ecolor=colour, **marks)
        lost = [place for place, cell in enumerate(own) if cell.diverged]
        hollow = marks | {"mec": colour, "mew": 1.2, "mfc": "white", "zorder": 3, "label": None}
        below.plot(at[lost], values[lost], **hollow)
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
    return finish(figure, above, below)


def courses_figure(cells: Sequence[Any], free: Sequence[Any], band: tuple[float, float]) -> Figure:
    """Sharpness over its predicted edge against gradient-flow time, one panel for each delay.

    The first seed of each optimizer; shaded is the last third, over which the median is taken. The
    free run is drawn in the first panel, over the edge of the others.

    Parameters
    ----------
    cells : sequence of Cell
    free : sequence of EdgeRun
    band : two floats
        Where the ratio must lie.
    """
    delays = sorted({cell.delay for cell in cells})
    columns = min(_COLUMNS, len(delays) + 1)
    rows = -(-(len(delays) + 1) // columns)
    figure, drawn = panels(2.55 * columns + 0.6, 2.5 * rows + 0.3, columns, rows, sharey=True)
    runs = [run for cell in cells for run in cell.runs]
    length = min(run.updates * run.learning_rate * run.steady_gain for run in runs)
    for place, (axes, delay) in enumerate(zip(drawn, delays, strict=False)):
        axes.axhspan(*band, color=GREEN, alpha=0.16, lw=0)
        axes.axvspan(2 / 3, 1, color="0.5", alpha=0.13, lw=0)
        axes.axhline(1, color="0.3", lw=0.9, ls="--")
        for number, own in enumerate(_families(cells).values()):
            for run in (cell.runs[0] for cell in own if cell.delay == delay):
                share = run.times / run.times[-1]
                every: dict[str, Any] = {"markevery": (number, 8), "ms": 3.5}
                axes.plot(share, run.sharpness / run.edge, **_line(number), **every)
        if place == 0 and free:
            share = free[0].times / free[0].times[-1]
            edge = cells[0].runs[0].edge
            axes.plot(share, free[0].sharpness / edge, color="0.35", lw=2.0, ls=":")
        axes.set_title(f"delay {delay}", fontsize=10)
    highest = [float(np.nanmax(cell.runs[0].ratio)) for cell in cells]
    highest += [float(np.nanmax(run.sharpness)) / cells[0].runs[0].edge for run in free[:1]]
    drawn[0].set_ylim(0, 1.06 * max(highest))
    for axes in drawn[len(delays) :]:
        axes.set_axis_off()
    _key(drawn[len(delays)], cells, bool(free))
    figure.supxlabel(f"share of the run (gradient-flow time of {length:.3g} or more)", fontsize=10)
    figure.supylabel("sharpness / predicted edge", fontsize=10)
    return finish(figure, *drawn[: len(delays)])


def _families(cells: Sequence[Any]) -> dict[str, list[Any]]:
    """The cells by the title of their optimizer."""
    families: dict[str, list[Any]] = {}
    for cell in cells:
        families.setdefault(cell.update_rule.title, []).append(cell)
    return families


def _line(number: int) -> dict[str, Any]:
    colour, dashes, marker = look(number)
    return {"color": colour, "ls": dashes, "marker": marker, "lw": 1.1}


def _key(axes: Axes, cells: Sequence[Any], free: bool) -> None:
    """The legend, in a panel by itself."""
    for number, title in enumerate(_families(cells)):
        axes.plot([], [], ms=4, label=title, **_line(number))
    if free:
        axes.plot([], [], color="0.35", lw=2.0, ls=":", label="free run (delay 0)")
    axes.plot([], [], color="0.3", lw=0.9, ls="--", label="predicted edge")
    axes.fill_between([], [], color=GREEN, alpha=0.16, lw=0, label="accepted median")
    axes.fill_between([], [], color="0.5", alpha=0.13, lw=0, label="last third")
    axes.legend(frameon=False, fontsize=8.5, loc="center")


def _limits(cells: Sequence[Any]) -> tuple[float, float]:
    values = np.concatenate([cell.settled.medians for cell in cells])
    values = values[np.isfinite(values)]
    if not values.size:
        return 0.8, 1.2
    return min(0.85, float(values.min()) - 0.03), max(1.15, float(values.max()) + 0.03)
