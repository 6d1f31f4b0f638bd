"""Figures of the selection experiment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, NullLocator
from numpy.typing import ArrayLike, NDArray

from delaystability.numerics.statistics import median_of
from delaystability.plot.charts import (
    BLUE,
    GREEN,
    PINK,
    RED,
    WIDTH,
    delay_axis,
    finish,
    mark,
    panels,
    plain_ticks,
)

__all__ = ["images_figure", "selection_figure", "usable_figure"]

Array = NDArray[np.float64]

_STYLES = {
    "adjusted": (BLUE, "o", "-", "adjusted: lr0 a*(delay)/a*(0)"),
    "kept": (RED, "s", "--", "kept: lr0"),
    "inverse": (GREEN, "^", ":", "control: lr0/(delay + 1)"),
    "root": (PINK, "v", "-.", "control: lr0/√(delay + 1)"),
}


def selection_figure(found: Any, titles: Mapping[Any, str]) -> Figure:
    """Final sharpness over the synchronous edge, and test error, against the delay.

    Marks are medians over the starts with 95 % intervals; crosses at the top of the test errors
    mark where runs diverged, with their number.

    Parameters
    ----------
    found : Runs
    titles : mapping from each series to its title
    """
    columns, edge = len(titles), found.lowest_edge
    figure, drawn = panels(WIDTH * columns, 7.4, columns, 2, sharex=True, sharey="row")
    for (series, title), upper, lower in zip(
        titles.items(), drawn[:columns], drawn[columns:], strict=True
    ):
        runs = found.of_series(series)
        upper.axhline(1, color="0.2", lw=1.0, label="edge of the synchronous run, a*(0)/lr0")
        delays = np.array(runs.values("delay"))
        for place, (rule, (colour, marker, dashes, label)) in enumerate(_STYLES.items()):
            chosen = runs.where(rule=rule, edge=edge)
            if not chosen.rows:
                continue
            limits = [chosen.where(delay=delay).rows[0].limit / edge for delay in delays]
            if rule != "adjusted":
                upper.plot(delays + 1.0, limits, dashes, color=colour, lw=1.0)
            style = {"fmt": marker, "color": colour, "label": label}
            shift = 1 + 0.07 * (place - 1.5)
            _marks(upper, chosen, delays, "sharpness", 1 / edge, shift, **style)
            _marks(lower, chosen, delays, "error_rate", 100.0, shift, **style)
        for delay in delays:
            lost = sum(run.diverged for run in runs.where(delay=delay, edge=edge).rows)
            if lost:
                place_of: dict[str, Any] = {"ha": "center", "va": "top", "fontsize": 8}
                across = lower.get_xaxis_transform()
                lower.text(delay + 1.0, 0.98, f"{lost} ×", transform=across, **place_of)
        upper.set_yscale("log")
        upper.set_title(title, fontsize=11)
        lower.set_xlabel("delay (updates)")
        lower.set_xticks(delays + 1.0, [str(delay) for delay in delays])
    first, below = drawn[0], drawn[columns]
    first.set_ylim(0.01, 2.0)
    low, high = below.get_ylim()
    below.set_ylim(low, high + 0.15 * (high - low))
    plain_ticks(first.yaxis, (1, 2, 5))
    first.set_ylabel("final sharpness / synchronous edge")
    below.set_ylabel("test error (%)")
    figure.suptitle(
        "What training selects under delay\n(lines: each rule's edge; n ×: runs that diverged)",
        fontsize=11,
    )
    return finish(figure, *drawn, ncols=3 if columns > 1 else 1)


def usable_figure(found: Any, rates: Mapping[int, Array]) -> Figure:
    """Above: the largest usable learning rate. Below: final sharpness at a kept learning rate.

    Both fall as the exact threshold does, close to 1/delay.

    Parameters
    ----------
    found : Runs
    rates : mapping from delay to the largest learning rates that train
    """
    figure, (above, below) = panels(WIDTH, 9.0, 1, 2)
    delays = np.array(list(rates))
    # Fractional delays draw a smooth curve between the whole ones.
    dense = np.geomspace(1, delays.max() + 1, 200) - 1
    exact = _exact(dense)
    medians = {delay: median_of(values) for delay, values in rates.items()}
    known = {delay: middle for delay, middle in medians.items() if middle.count}
    scale = float(np.median([middle.value / _exact(delay) for delay, middle in known.items()]))
    late = dense[dense >= 1]
    above.plot(dense + 1, scale * exact, "-", color="0.2", lw=1.2, label="∝ a*(delay), exact")
    above.plot(late + 1, scale * np.pi / (2 * late), ":", color="0.4", label="∝ π/(2 delay)")
    control = scale * exact[0] / np.sqrt(dense + 1)
    above.plot(dense + 1, control, "-.", color=PINK, label="control: ∝ 1/√(delay + 1)")
    for delay, middle in known.items():
        label = "largest that trains" if delay == min(known) else None
        mark(above, delay + 1, middle, fmt="o", color=BLUE, capsize=3, label=label)
    above.set_ylabel("learning rate")
    above.set_title("Largest learning rate that trains from the start (SGD)", fontsize=11)

    kept = found.where(kind="selection", rule="kept", optimizer="sgd", batch=None)
    for (colour, marker), edge in zip(((BLUE, "o"), (RED, "s")), kept.values("edge"), strict=False):
        runs = kept.where(edge=edge)
        rate = runs.rows[0].learning_rate
        below.plot(dense + 1, exact / rate, "-", color=colour, lw=1.2)
        below.plot([], [], color=colour, lw=1.2, label=f"edge a*(delay)/lr, lr = {rate:.3g}")
        label = f"measured, lr = {rate:.3g}"
        _marks(below, runs, delays, "sharpness", fmt=marker, color=colour, label=label)
    below.set_ylabel("final sharpness")
    below.set_title("Final sharpness with the learning rate kept (SGD)", fontsize=11)
    for axes in (above, below):
        axes.set_yscale("log")
        delay_axis(axes, delays)
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.legend(frameon=False, fontsize=9)
    return finish(figure, above, below)


def _exact(delays: ArrayLike) -> Array:
    """SGD's threshold ``2 sin(pi / (2 (2 delay + 1)))``, for fractions of an update as well."""
    return np.asarray(2 * np.sin(np.pi / (2 * (2 * np.asarray(delays) + 1))))


def _marks(
    axes: Axes,
    runs: Any,
    delays: NDArray[np.int64],
    name: str,
    factor: float = 1.0,
    shift: float = 1.0,
    *,
    label: str,
    **style: Any,
) -> None:
    """Medians of an attribute at each delay."""
    told: str | None = label
    for delay in delays:
        cell = [getattr(run, name) for run in runs.where(delay=delay).rows]
        middle = median_of([factor * value for value in cell if value is not None])
        place = (delay + 1.0) * shift
        mark(axes, place, middle, ms=5, mfc="white", lw=1.0, label=told, **style)
        told = None if middle.count else told
    axes.set_xscale("log")
    axes.xaxis.set_minor_locator(NullLocator())


_IMAGE_RULES = {
    "adjusted": (BLUE, "o", "adjusted by the rule"),
    "kept": (RED, "s", "kept"),
    "inverse": (GREEN, "^", "divided by 1 + delay"),
}
_IMAGE_ROWS = (
    ("error_rate", 100.0, "test error (%)"),
    ("loss", 1.0, "training loss"),
    ("sharpness", 1.0, "final sharpness"),
)


def images_figure(runs: Any, titles: Mapping[Any, str]) -> Figure:
    """Test error, training loss and sharpness against the delay, a column for each optimizer.

    Marks are medians over the starts with 95 % intervals, of runs that did not diverge.

    Parameters
    ----------
    runs : ImageRuns
        Of one network and batch.
    titles : mapping from each series to its title
    """
    series = runs.by_series()
    columns = len(series)
    figure, drawn = panels(
        WIDTH if columns < 4 else 1.9 * columns,
        7.6,
        columns,
        len(_IMAGE_ROWS),
        sharex=True,
        sharey="row",
    )
    for rule in (rule for rule in _IMAGE_RULES if runs.where(rule=rule).rows):
        colour, marker, told = _IMAGE_RULES[rule]
        drawn[0].plot([], [], marker, color=colour, ms=5, mfc="white", label=told)
    for column, (key, own) in enumerate(series.items()):
        delays = own.values("delay")
        for row, (name, factor, label) in enumerate(_IMAGE_ROWS):
            axes = drawn[row * columns + column]
            _image_marks(axes, own, name, factor)
            axes.set_xscale("log")
            axes.set_xticks([delay + 1.0 for delay in delays], [str(delay) for delay in delays])
            axes.minorticks_off()
            if name != "error_rate":
                axes.set_yscale("log")
                plain_ticks(axes.yaxis, (1, 2, 5))
            if column == 0:
                axes.set_ylabel(label)
        drawn[column].set_title(titles[key].replace(", ", ",\n"), fontsize=10)
        drawn[(len(_IMAGE_ROWS) - 1) * columns + column].set_xlabel("delay (updates)")
    return finish(figure, *drawn, ncols=3 if columns > 1 else 2)


def _image_marks(axes: Axes, runs: Any, name: str, factor: float) -> None:
    """Medians of an attribute by rule and delay, of the runs that did not diverge."""
    for place, (rule, (colour, marker, _)) in enumerate(_IMAGE_RULES.items()):
        style: dict[str, Any] = {"fmt": marker, "color": colour, "ms": 5, "mfc": "white", "lw": 1.0}
        for delay in runs.values("delay"):
            alive = runs.where(rule=rule, delay=delay, diverged=False).rows
            middle = median_of([factor * getattr(run, name) for run in alive])
            mark(axes, (delay + 1.0) * (1 + 0.08 * (place - 1)), middle, **style)
