"""Pictures of the experiment on random delays, drawn without pyplot's global state."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from delaystability.model.catalogue import CATALOGUE
from delaystability.plot.style import tidy
from delaystability.validation.experiments.random_delay_verdict import EARLY, LATE, Ensemble
from delaystability.validation.statistics import Interval, median_interval

__all__ = ["growth_figure", "thresholds_figure"]

# Okabe and Ito's palette, told apart with every common colour vision.
_TYPICAL, _SQUARE, _MEAN, _FIXED = "#0072B2", "#D55E00", "#009E73", "#000000"
_PREDICTIONS = (
    ("almost_sure", "almost sure (simulated, or log replayed)", _TYPICAL, "-"),
    ("mean_square", "mean square", _SQUARE, "--"),
    ("mean", "mean polynomial", _MEAN, "-."),
    ("fixed", "fixed mean delay", _FIXED, ":"),
)


def thresholds_figure(found: Sequence[Ensemble]) -> Figure:
    """Predicted (lines) and measured (marks) thresholds of each kind of delay.

    One panel for each optimizer. Bars are 95 % intervals over all runs.

    Parameters
    ----------
    found : sequence of Ensemble
    """
    names = list(dict.fromkeys(each.optimizer for each in found))
    figure = Figure(figsize=(max(6.4, 4.6 * len(names)), 5.4), layout="constrained")
    panels = figure.subplots(1, len(names), squeeze=False)[0]
    for axes, name in zip(panels, names, strict=True):
        shown = [each for each in found if each.optimizer == name]
        for place, each in enumerate(shown):
            for field, label, colour, style in _PREDICTIONS:
                axes.plot(
                    [place - 0.36, place + 0.36],
                    [getattr(each, field)] * 2,
                    color=colour,
                    ls=style,
                    lw=1.8,
                    label=f"predicted: {label}" if not place else None,
                )
            for shift, interval, label, colour, marker in (
                (-0.2, each.typical(), "median run", _TYPICAL, "o"),
                (0.0, each.mean_square_measured(LATE), _square_label(each, LATE), _SQUARE, "s"),
                (0.2, each.mean_square_measured(EARLY), _square_label(each, EARLY), _SQUARE, "D"),
            ):
                _mark(axes, place + shift, interval, label if not place else None, colour, marker)
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.set_xticks(range(len(shown)), [each.kind for each in shown])
        axes.set_xlabel("distribution of the delay (mean 7 updates)")
        axes.set_title(CATALOGUE[name].title, fontsize=11)
        tidy(axes)
    panels[0].set_ylabel("largest stable learning rate × sharpness")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    return figure


def growth_figure(found: Sequence[Ensemble]) -> Figure:
    """Growth of the median run and of the mean square against the gain, one panel an ensemble.

    Vertical lines are the predicted thresholds that lie inside the panel.

    Parameters
    ----------
    found : sequence of Ensemble
    """
    names = list(dict.fromkeys(each.optimizer for each in found))
    columns = max(sum(each.optimizer == name for each in found) for name in names)
    if len(names) == 1 and columns > 2:
        columns = 2
    rows = ceil(len(found) / columns)
    figure = Figure(figsize=(max(6.4, 3.1 * columns), 2.9 * rows + 1.2), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False)
    for axes, each in zip(panels.flat, found, strict=False):
        gains = each.gains
        axes.axhline(0, color="0.3", lw=0.9)
        for field, label, colour, style in _PREDICTIONS:
            place = getattr(each, field)
            inside = 0.98 * gains[0] <= place <= 1.02 * gains[-1]
            axes.plot([], [], color=colour, ls=style, lw=1.4, label=f"predicted: {label}")
            if inside:
                axes.axvline(place, color=colour, ls=style, lw=1.4)
        typical = [median_interval(row.ravel()) for row in each.rates]
        value, low, high = (
            np.array([getattr(entry, name) for entry in typical])
            for name in ("value", "low", "high")
        )
        axes.errorbar(
            gains,
            value,
            [value - low, high - value],
            fmt="o-",
            color=_TYPICAL,
            lw=0.8,
            ms=4.5,
            capsize=2,
            label="median run",
        )
        for windows, marker in ((LATE, "s"), (EARLY, "D")):
            axes.plot(
                gains,
                each.mean_square_rates(windows),
                marker + "-",
                color=_SQUARE,
                mfc="none" if windows == EARLY else _SQUARE,
                lw=0.8,
                ms=4.5,
                label=_square_label(each, windows),
            )
        axes.set_title(f"{each.kind}, {CATALOGUE[each.optimizer].title}", fontsize=10)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.ticklabel_format(axis="y", style="sci", scilimits=(-2, 2))
        tidy(axes)
    for axes in panels[:, 0]:
        axes.set_ylabel("growth (nats an update)")
    for axes in panels[-1]:
        axes.set_xlabel("learning rate × sharpness")
    handles, labels = panels.flat[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=2 if columns < 3 else 4, frameon=False
    )
    return figure


def _square_label(each: Ensemble, windows: tuple[int, int]) -> str:
    """When the growth of the mean square was measured: between the centres of two windows."""
    first, last = (each.spacing * (window % each.levels.shape[1] + 1) for window in windows)
    return f"mean square, updates {first} to {last}"


def _mark(
    axes: Axes, place: float, interval: Interval, label: str | None, colour: str, marker: str
) -> None:
    if not np.isfinite(interval.value):
        return
    ends = np.array([interval.value - interval.low, interval.high - interval.value])
    bars = np.nan_to_num(np.maximum(ends, 0))[:, None]
    axes.errorbar(
        place,
        interval.value,
        bars,
        fmt=marker,
        color=colour,
        mfc="white" if marker == "D" else colour,
        ms=6,
        capsize=2.5,
        label=f"measured: {label}" if label else None,
    )
