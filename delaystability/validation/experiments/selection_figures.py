"""Pictures of the selection experiment, drawn without pyplot's global state."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator
from numpy.typing import ArrayLike, NDArray

from delaystability.plot.style import tidy
from delaystability.validation.experiments.selection_verdict import Runs, series_title
from delaystability.validation.statistics import median_interval

__all__ = ["selection_figure", "usable_figure"]

# Okabe and Ito's palette, told apart with every common colour vision.
_STYLES = {
    "adjusted": ("#0072B2", "o", "-", "adjusted: lr0 a*(delay)/a*(0)"),
    "kept": ("#D55E00", "s", "--", "kept: lr0"),
    "inverse": ("#009E73", "^", ":", "control: lr0/(delay + 1)"),
    "root": ("#CC79A7", "v", "-.", "control: lr0/√(delay + 1)"),
}


def selection_figure(found: Runs) -> Figure:
    """Final sharpness over the synchronous edge, and test error, against the delay.

    Marks are medians over the starts with 95 % intervals; crosses at the top of the test errors
    mark where runs diverged, with their number.

    Parameters
    ----------
    found : Runs
    """
    every = found.all_series
    width = max(7.5, 4.2 * len(every) + 0.6)
    figure = Figure(figsize=(width, 7.0), layout="constrained")
    panels = figure.subplots(2, len(every), squeeze=False, sharex=True, sharey="row")
    for column, series in enumerate(every):
        upper, lower = panels[:, column]
        runs = found.of_series(series)
        upper.axhline(1, color="0.2", lw=1.0, label="edge of the synchronous run, a*(0)/lr0")
        delays = np.array(runs.values("delay"))
        for place, (rule, (colour, marker, style, title)) in enumerate(_STYLES.items()):
            chosen = runs.where(rule=rule, edge=found.edge)
            if not chosen.rows:
                continue
            shift = 0.07 * (place - 1.5)
            limits = [chosen.where(delay=delay).rows[0].limit / found.edge for delay in delays]
            if rule != "adjusted":
                upper.plot(_places(delays), limits, style, color=colour, lw=1.0)
            _marks(upper, chosen, delays, shift, "sharpness", 1 / found.edge, colour, marker, title)
            _marks(lower, chosen, delays, shift, "error_rate", 100.0, colour, marker, title)
        for delay in delays:
            lost = sum(run.diverged for run in runs.where(delay=delay, edge=found.edge).rows)
            if lost:
                lower.text(
                    _places(delay), 0.98, f"{lost} ×", ha="center", va="top", fontsize=8,
                    transform=lower.get_xaxis_transform(),
                )  # fmt: skip
        upper.set_yscale("log")
        upper.set_title(series_title(series), fontsize=11)
        lower.set_xlabel("delay (updates)")
        lower.set_xticks(_places(delays), [str(delay) for delay in delays])
        for axes in (upper, lower):
            tidy(axes)
    panels[0, 0].set_ylim(0.01, 2.0)
    low, high = panels[1, 0].get_ylim()
    panels[1, 0].set_ylim(low, high + 0.15 * (high - low))
    panels[0, 0].yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panels[0, 0].yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    panels[0, 0].yaxis.set_minor_formatter(NullFormatter())
    panels[0, 0].set_ylabel("final sharpness / synchronous edge")
    panels[1, 0].set_ylabel("test error (%)")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=3 if len(every) > 1 else 2,
        frameon=False,
        fontsize=9,
    )
    figure.suptitle(
        "What training selects under delay\n(lines: each rule's edge; n ×: runs that diverged)",
        fontsize=11,
    )
    return figure


def usable_figure(found: Runs) -> Figure:
    """Left: the largest usable learning rate. Right: final sharpness at a kept learning rate.

    Both fall as the exact threshold does, close to 1/delay.

    Parameters
    ----------
    found : Runs
    """
    figure = Figure(figsize=(10.0, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    rates = found.largest_usable()
    delays = np.array(list(rates))
    # Fractional delays draw a smooth curve between the whole ones.
    every = np.geomspace(1, delays.max() + 1, 200) - 1
    exact = _exact(every)
    known = {delay: values[np.isfinite(values)] for delay, values in rates.items()}
    known = {delay: values for delay, values in known.items() if len(values)}
    scale = float(np.median([np.median(v) / _exact(delay) for delay, v in known.items()]))
    late = every[every >= 1]
    left.plot(every + 1, scale * exact, "-", color="0.2", lw=1.2, label="∝ a*(delay), exact")
    left.plot(late + 1, scale * np.pi / (2 * late), ":", color="0.4", label="∝ π/(2 delay)")
    left.plot(
        every + 1, scale * exact[0] / np.sqrt(every + 1), "-.", color="#CC79A7",
        label="control: ∝ 1/√(delay + 1)",
    )  # fmt: skip
    for delay, values in known.items():
        middle = median_interval(values)
        left.errorbar(
            delay + 1, middle.value, _bars(middle.value, middle.low, middle.high), fmt="o",
            color="#0072B2", ms=6, capsize=3,
            label="largest that trains" if delay == min(known) else None,
        )  # fmt: skip
    left.set_ylabel("learning rate")
    left.set_title("Largest learning rate that trains from the start (SGD)", fontsize=11)

    kept = found.where(kind="selection", rule="kept", optimizer="sgd", batch=None)
    for place, edge in enumerate(kept.values("edge")):
        colour, marker = (("#0072B2", "o"), ("#D55E00", "s"))[place]
        runs = kept.where(edge=edge)
        rate = runs.rows[0].learning_rate
        right.plot(every + 1, exact / rate, "-", color=colour, lw=1.2)
        right.plot([], [], color=colour, lw=1.2, label=f"edge a*(delay)/lr, lr = {rate:.3g}")
        _marks(
            right, runs, delays, 0.0, "sharpness", 1.0, colour, marker, f"measured, lr = {rate:.3g}"
        )
    right.set_ylabel("final sharpness")
    right.set_title("Final sharpness with the learning rate kept (SGD)", fontsize=11)
    for axes in (left, right):
        axes.set(xscale="log", yscale="log", xlabel="delay (updates)")
        axes.set_xticks(delays + 1, [str(delay) for delay in delays])
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.xaxis.set_minor_locator(NullLocator())
        axes.legend(frameon=False, fontsize=9)
        tidy(axes)
    return figure


def _exact(delays: ArrayLike) -> NDArray[np.float64]:
    """SGD's threshold ``2 sin(pi / (2 (2 delay + 1)))``, for fractions of an update as well."""
    return np.asarray(2 * np.sin(np.pi / (2 * (2 * np.asarray(delays) + 1))))


def _marks(
    axes: Axes,
    runs: Runs,
    delays: NDArray[np.int64],
    shift: float,
    name: str,
    factor: float,
    colour: str,
    marker: str,
    title: str,
) -> None:
    first = True
    for delay in delays:
        cell = [getattr(run, name) for run in runs.where(delay=delay).rows]
        values = factor * np.array([value for value in cell if value is not None], dtype=float)
        if not len(values):
            continue
        found = median_interval(values)
        axes.errorbar(
            _places(delay) * (1 + shift),
            found.value,
            _bars(found.value, found.low, found.high),
            fmt=marker,
            color=colour,
            ms=5,
            mfc="white",
            capsize=2.5,
            lw=1.0,
            label=title if first else None,
        )
        first = False
    axes.set_xscale("log")
    axes.xaxis.set_minor_locator(NullLocator())


def _places(delays: int | NDArray[np.int64]) -> NDArray[np.float64]:
    """A delay of 0 has a place on a logarithmic axis of delay + 1."""
    return np.asarray(delays) + 1.0


def _bars(value: float, low: float, high: float) -> list[list[float]]:
    """Lengths of the bars down and up; none where the sample is too small."""
    ends = np.nan_to_num([value - low, high - value], nan=0.0)
    return [[max(0.0, float(ends[0]))], [max(0.0, float(ends[1]))]]
