"""How fast a run leaves a minimum above the threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter, PercentFormatter
from numpy.typing import ArrayLike, NDArray

from delaystability.files.summaries import readable
from delaystability.files.sweep_file import read_trials
from delaystability.model.arguments import checked_optimizer, positive
from delaystability.model.catalogue import CATALOGUE, Optimizer
from delaystability.model.delays import delay_array
from delaystability.plot.labels import described
from delaystability.plot.style import (
    COLOURS,
    DASHES,
    MARKERS,
    canvas,
    check_told_apart,
    legend_below,
    tidy,
)
from delaystability.questions.bounds import stability_threshold
from delaystability.questions.dynamics import escape_rate

__all__ = ["escape", "read_rates"]

Array = NDArray[np.float64]
_POINTS = 60


def escape(
    optimizer: Optimizer,
    delays: Sequence[int] = (0, 1, 4, 16),
    *,
    excess: ArrayLike | None = None,
    measured: Mapping[int, tuple[ArrayLike, ArrayLike]] | None = None,
    axes: Axes | None = None,
    size: str = "column",
) -> Axes:
    """The escape rate ln|z_max| against how far the learning rate is above its largest stable one.

    Parameters
    ----------
    optimizer : Optimizer with scalar parameters
    delays : sequence of int, up to seven
    excess : array of shape (n,), positive, optional
        Learning rates as lr / lr_max - 1; 60 from 1 % to 100 % by default.
    measured : mapping from delay to (gains, rates), optional
        Measured growth in nats an update at gains lr * sharpness, drawn as marks; see
        `read_rates`. Gains at or below the threshold are not drawn.
    axes : Axes, optional
    size : "column", "page" or "slide", for a figure of its own

    Returns
    -------
    Axes
        Its first lines are those of the delays, in order.

    Raises
    ------
    ValueError, TypeError
        For bad arguments, or an optimizer without a stable learning rate.
    """
    checked_optimizer(optimizer)
    lags = [int(lag) for lag in np.atleast_1d(delay_array(list(delays)))]
    check_told_apart("delays", lags)
    beyond = (
        np.geomspace(0.01, 1, _POINTS) if excess is None else np.sort(positive("excess", excess))
    )
    thresholds = [float(stability_threshold(optimizer, lag)) for lag in lags]
    if not all(0 < threshold < np.inf for threshold in thresholds):
        raise ValueError(f"optimizer must have a stability threshold; got {optimizer!r}")
    unknown = set(measured or {}) - set(lags)
    if unknown:
        raise ValueError(f"measured must hold some of the delays {lags}; got {sorted(unknown)}")
    with canvas(axes, size, height=1.15) as drawn:
        for number, (lag, threshold) in enumerate(zip(lags, thresholds, strict=True)):
            drawn.plot(
                beyond,
                escape_rate(optimizer, lag, threshold * (1 + beyond)),
                color=COLOURS[number],
                ls=DASHES[number],
                label=f"delay {lag}",
            )
        for number, (lag, threshold) in enumerate(zip(lags, thresholds, strict=True)):
            if measured and lag in measured:
                gains, rates = (np.asarray(entry, dtype=np.float64) for entry in measured[lag])
                shown = (gains > threshold * (1 + beyond[0] / 2)) & (rates > 0)
                drawn.plot(
                    gains[shown] / threshold - 1,
                    rates[shown],
                    MARKERS[number],
                    color=COLOURS[number],
                    mec="white",
                    mew=0.3 * matplotlib.rcParams["lines.linewidth"],
                )
        drawn.set(xscale="log", yscale="log", xlabel="learning rate above the largest stable one")
        drawn.set_ylabel("escape rate (nats/update)")
        drawn.xaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
        drawn.xaxis.set_minor_formatter(NullFormatter())
        drawn.yaxis.set_minor_formatter(NullFormatter())
        marks = ", measured (marks)" if measured else ""
        drawn.set_title(f"Escape with {described(optimizer)}{marks}")
        legend_below(drawn)
        tidy(drawn)
    return drawn


def read_rates(path: str | Path, optimizer: Optimizer) -> dict[int, tuple[Array, Array]]:
    """Measured growth rates of an optimizer from the file of the experiment ``escape``.

    Parameters
    ----------
    path : path of the SQLite file that ``delaystability validate escape`` writes
    optimizer : Optimizer of the catalogue, with the momentum of the experiment

    Returns
    -------
    dict from delay to (gains, rates), arrays of one shape
        Gains are learning rate times sharpness; rates are in nats an update.

    Raises
    ------
    ValueError
        If the file is not one of that experiment, or has no run of this optimizer.
    """
    trials = read_trials(path)
    names = {trial.trial.experiment for trial in trials}
    if names - {"escape"}:
        raise ValueError(f"path must hold the experiment escape; {str(path)!r} holds {names.pop()}")
    found: dict[int, list[tuple[float, float]]] = {}
    with readable(path):
        for trial in trials:
            settings, result = trial.settings, trial.result
            name = settings["optimizer"]
            if CATALOGUE[name].example(momentum=trial.common["momentum"]) == optimizer:
                gains = [rate * result["sharpness"] for rate in result["learning_rates"]]
                pairs = zip(gains, result["rates"], strict=True)
                found.setdefault(settings["delay"], []).extend(pairs)
        arrays = {lag: np.array(pairs, dtype=np.float64).T for lag, pairs in sorted(found.items())}
    if not found:
        raise ValueError(f"path must hold runs of {optimizer!r}; {str(path)!r} has none")
    return {lag: (pairs[0], pairs[1]) for lag, pairs in arrays.items()}
