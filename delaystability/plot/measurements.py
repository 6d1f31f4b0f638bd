"""Predicted against measured: from arrays, or from the files of the experiments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from numpy.typing import NDArray

from delaystability.files.summaries import read_summary, readable
from delaystability.files.sweep_file import read_trials
from delaystability.files.trials import FinishedTrial
from delaystability.model.catalogue import CATALOGUE, SGD
from delaystability.plot.labels import plain_number
from delaystability.plot.style import COLOURS, MARKERS, canvas, legend_below, tidy

__all__ = ["Measurements", "measured"]

Array = NDArray[np.float64]
_BAND = 0.03


@dataclass(frozen=True, eq=False)
class Measurements:
    """Predicted and measured values of one quantity, in named series.

    Parameters
    ----------
    quantity : str
        What is compared, with its unit, for the axes.
    series : sequence of str of shape (n,)
        The name of the series of each value: up to seven different ones.
    predicted, measured : arrays of shape (n,), positive; a measured one may be NaN
    low, high : arrays of shape (n,), optional
        The ends of an interval around the measured values.

    Raises
    ------
    ValueError
        If the arrays differ in shape, nothing is positive or there are too many series.
    """

    quantity: str
    series: tuple[str, ...]
    predicted: Array
    measured: Array
    low: Array | None = None
    high: Array | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "series", tuple(str(name) for name in self.series))
        for name in ("predicted", "measured", "low", "high"):
            value = getattr(self, name)
            if value is None:
                continue
            values = np.asarray(value, dtype=np.float64)
            if values.shape != (len(self.series),):
                raise ValueError(
                    f"{name} must have one number for each of the {len(self.series)} names in "
                    f"series; got the shape {values.shape}"
                )
            object.__setattr__(self, name, values)
        if (self.low is None) != (self.high is None):
            raise ValueError("low and high must be given together")
        wrong = self.predicted[~(self.predicted > 0)]
        if wrong.size or not self.predicted.size:
            raise ValueError(
                f"predicted must be positive; got {wrong[0] if wrong.size else 'none'}"
            )
        if len(self.names) > len(COLOURS):
            raise ValueError(f"series must hold up to {len(COLOURS)} names; got {len(self.names)}")

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the series, each once, in the order in which they come."""
        return tuple(dict.fromkeys(self.series))

    @staticmethod
    def from_file(path: str | Path) -> Measurements:
        """From a file of ``delaystability validate``.

        Parameters
        ----------
        path : the ``.json`` of the experiments edge or momentum, or the ``.sqlite`` of escape,
            momentum or noise

        Raises
        ------
        ValueError
            For any other file.
        """
        rows: list[Row] = []
        quantity = ""
        with readable(path):
            if Path(path).suffix.lower() == ".json":
                found = read_summary(path)
                if found["experiment"] in _IN_SUMMARIES:
                    quantity, lines = _IN_SUMMARIES[found["experiment"]]
                    rows = list(lines(found["verdict"]))
            else:
                trials = read_trials(path)
                if trials and trials[0].trial.experiment in _IN_TRIALS:
                    quantity, row = _IN_TRIALS[trials[0].trial.experiment]
                    rows = [row(trial) for trial in sorted(trials, key=_place)]
        if not rows:
            raise ValueError(
                "path must be the .json of the experiment edge or momentum, or the .sqlite of "
                f"escape, momentum or noise, with trials in it; got {str(path)!r}"
            )
        names, *columns = zip(*rows, strict=True)
        with readable(path):
            numbers = [np.array(column, dtype=np.float64) for column in columns]
        return Measurements(quantity, names, *numbers)


Row = tuple[str, float, float, float, float]


def _titled(optimizer: str, momentum: float | None) -> str:
    return CATALOGUE[optimizer].title + ("" if momentum is None else f" {momentum:g}")


def _place(trial: FinishedTrial) -> tuple[Any, ...]:
    """Series come in the order of the catalogue."""
    settings, places = trial.settings, {name: place for place, name in enumerate(CATALOGUE)}
    momentum = settings.get("momentum") or 0.0
    return places[settings["optimizer"]], momentum, settings["delay"], trial.trial.key


def _edge(verdict: dict[str, Any]) -> Iterator[Row]:
    for line in verdict["lines"]:
        for cell in line["statistics"].get("cells", []):
            ratio, scale = cell["ratio"], cell["threshold"]
            # Where a sample is too small, there is no interval.
            ends = (ratio[name] for name in ("value", "low", "high"))
            values = (np.nan if end is None else scale * end for end in ends)
            yield (_titled(cell["optimizer"], cell["momentum"]), scale, *values)


def _momentum_ratios(verdict: dict[str, Any]) -> Iterator[Row]:
    """Every ratio of two rules, which the table of their thresholds names."""
    table: dict[str, dict[str, float]] = {}
    for entry in verdict["summary"]["table"]:
        table.setdefault(entry["rule"], {})[str(entry["delay"])] = entry["predicted"]
    sgd = table[SGD.title]
    for line in verdict["lines"]:
        delays = line["statistics"].get("delays", {})
        ratios = {delay: entry["predicted"] for delay, entry in delays.items()}
        names = [
            f"{rule} over {SGD.title}"
            for rule, predicted in table.items()
            if ratios and ratios == {delay: predicted[delay] / sgd[delay] for delay in ratios}
        ]
        for entry in delays.values():
            yield names[0], entry["predicted"], entry["value"], entry["low"], entry["high"]


def _escape(trial: FinishedTrial) -> Row:
    settings, result = trial.settings, trial.result
    has_momentum = "momentum" in CATALOGUE[settings["optimizer"]].parameter_names()
    momentum = trial.common["momentum"] if has_momentum else None
    low, high = (np.nan if end is None else end for end in result["halves"])
    critical = np.nan if result["critical"] is None else result["critical"]
    scale = result["sharpness"]
    name = _titled(settings["optimizer"], momentum)
    return name, result["threshold"], critical * scale, low * scale, high * scale


def _momentum(trial: FinishedTrial) -> Row:
    settings, result = trial.settings, trial.result
    value = np.nan if result["measured"] is None else result["measured"]
    name = _titled(settings["optimizer"], settings["momentum"])
    return name, result["predicted"], value, value, value


def _noise(trial: FinishedTrial) -> Row:
    settings, result = trial.settings, trial.result
    values = np.array(result["measured"], dtype=np.float64)
    found = values[np.isfinite(values)]
    name = _titled(settings["optimizer"], settings["momentum"])
    if not found.size:
        return name, result["all_directions"], np.nan, np.nan, np.nan
    middle = float(np.median(found))
    return name, result["all_directions"], middle, float(found.min()), float(found.max())


_IN_SUMMARIES: dict[str, tuple[str, Any]] = {
    "edge": ("learning rate × sharpness", _edge),
    "momentum": ("ratio of effective learning rates", _momentum_ratios),
}
_IN_TRIALS: dict[str, tuple[str, Any]] = {
    "escape": ("critical learning rate × sharpness", _escape),
    "momentum": ("effective learning rate × sharpness", _momentum),
    "noise": ("critical learning rate × sharpness", _noise),
}


def measured(
    source: Measurements | str | Path,
    *,
    ratio: bool = False,
    axes: Axes | None = None,
    size: str = "column",
) -> Axes:
    """Measured against predicted values, or their ratio against the predicted ones.

    Parameters
    ----------
    source : Measurements, or the path of a file that `Measurements.from_file` reads
    ratio : bool
        Draw measured / predicted, with a band of 3 % around 1.
    axes : Axes, optional
    size : "column", "page" or "slide", for a figure of its own

    Returns
    -------
    Axes

    Raises
    ------
    ValueError, TypeError
        For a bad source, axes or size.
    """
    data = source if isinstance(source, Measurements) else Measurements.from_file(source)
    limits = np.array([data.predicted.min() / 1.4, data.predicted.max() * 1.4])
    with canvas(axes, size, height=1.35) as drawn:
        thickness = matplotlib.rcParams["lines.linewidth"]
        if ratio:
            drawn.axhspan(1 - _BAND, 1 + _BAND, color="0.5", alpha=0.18, lw=0)
            drawn.axhline(1, color="0.4", lw=0.8 * thickness)
        else:
            drawn.plot(limits, limits, color="0.4", lw=0.8 * thickness, label="equal")
        scale = data.predicted if ratio else np.ones_like(data.predicted)
        for number, name in enumerate(data.names):
            own = np.array([entry == name for entry in data.series])
            values = (data.measured / scale)[own]
            bars = None
            if data.low is not None and data.high is not None:
                ends = np.stack([data.measured - data.low, data.high - data.measured]) / scale
                bars = np.clip(np.nan_to_num(ends[:, own]), 0, None)
            drawn.errorbar(
                data.predicted[own],
                values,
                bars,
                fmt=MARKERS[number],
                color=COLOURS[number],
                mec="white",
                mew=0.3 * thickness,
                elinewidth=0.6 * thickness,
                label=name,
            )
        drawn.set(xscale="log", yscale="linear" if ratio else "log", xlim=limits)
        drawn.set_xlabel(f"predicted {data.quantity}")
        drawn.set_ylabel("measured / predicted" if ratio else f"measured {data.quantity}")
        subs = (1.0,) if limits[1] > 100 * limits[0] else (1.0, 2.0, 5.0)
        for axis in (drawn.xaxis,) if ratio else (drawn.xaxis, drawn.yaxis):
            axis.set_major_locator(LogLocator(subs=subs))
            axis.set_major_formatter(FuncFormatter(lambda value, _: plain_number(value)))
            axis.set_minor_formatter(NullFormatter())
        compared = np.isfinite(data.measured)
        within = np.abs(data.measured / data.predicted - 1)[compared] <= _BAND
        count = f"{int(within.sum())} of {compared.size} within {100 * _BAND:g} %"
        drawn.set_title(f"Measured against predicted: {count}")
        if ratio:
            low, high = drawn.get_ylim()
            drawn.set_ylim(min(low, 1 - 1.5 * _BAND), max(high, 1 + 1.5 * _BAND))
        legend_below(drawn)
        tidy(drawn)
    return drawn
