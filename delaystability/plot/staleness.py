"""Measured staleness: its histogram, and the thresholds that readings of it imply."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from delaystability.model.arguments import checked_optimizer, nonnegative, positive
from delaystability.model.catalogue import Optimizer
from delaystability.model.delays import Delay, law_or_log
from delaystability.plot.labels import described
from delaystability.plot.style import COLOURS, canvas, legend_below, tidy
from delaystability.questions.bounds import stability_threshold
from delaystability.questions.dynamics import replay_threshold

__all__ = ["ImpliedThresholds", "implied_thresholds", "staleness_histogram"]


@dataclass(frozen=True)
class ImpliedThresholds:
    """Readings of the same delays, as largest stable learning rate times sharpness.

    Attributes
    ----------
    replayed : float or None
        For a log, in its order and without curvature noise: what a run with it does.
    mean, mean_square : float
        For independent delays with these frequencies: of the mean of a perturbation, and of its
        mean square.
    mean_delay, longest_delay : float
        For the mean delay, rounded, and the longest one, as if they were fixed. None where there is
        no longest one.
    """

    replayed: float | None
    mean: float
    mean_square: float
    mean_delay: float
    longest_delay: float | None = None

    @staticmethod
    def of(
        optimizer: Optimizer, delay: Delay, *, curvature_noise: float = 0.0
    ) -> ImpliedThresholds:
        """The thresholds of this optimizer; see `stability_threshold` for the arguments."""
        noise = float(nonnegative("curvature_noise", curvature_noise))
        random = {
            moment: stability_threshold(optimizer, delay, moment=moment, curvature_noise=noise)
            for moment in ("mean", "mean-square")
        }
        fixed = [
            stability_threshold(optimizer, int(lag), curvature_noise=noise)
            for lag in (round(float(delay.mean)), delay.maximum)
            if lag < inf
        ]
        replayed = None if delay.sequence is None else replay_threshold(optimizer, delay)
        return ImpliedThresholds(replayed, random["mean"], random["mean-square"], *fixed)


def staleness_histogram(delay: Any, *, axes: Axes | None = None, size: str = "column") -> Axes:
    """The frequencies of the delays, with their mean and the longest one.

    Parameters
    ----------
    delay : delay object, or what `MeasuredDelay.from_log` reads
    axes : Axes, optional
    size : "column", "page" or "slide", for a figure of its own

    Returns
    -------
    Axes
        Its first patches are the bars, one for each delay that occurs, in increasing order.

    Raises
    ------
    ValueError, TypeError
        For bad arguments.
    """
    chosen = law_or_log(delay)
    # Without a longest delay, all but one gradient in a thousand.
    table = chosen.table(0 if chosen.maximum < inf else 1e-3)
    pmf = {lag: float(probability) for lag, probability in table.items()}
    with canvas(axes, size) as drawn:
        thickness = matplotlib.rcParams["lines.linewidth"]
        drawn.bar(
            list(pmf),
            [100 * probability for probability in pmf.values()],
            width=1.0,
            color="#56B4E9",
            edgecolor="white",
            lw=0.4 * thickness if len(pmf) < 60 else 0,
        )
        mean, longest = float(chosen.mean), float(chosen.maximum)
        for place, dashes, name in (
            (mean, "--", f"mean, {mean:.3g}"),
            (longest, ":", f"longest, {longest:g}"),
        ):
            if place == inf:
                continue
            drawn.axvline(place, color=COLOURS[0], ls=dashes, lw=1.1 * thickness, label=name)
        drawn.set(xlabel="delay (updates)", ylabel="gradients (%)")
        drawn.xaxis.set_major_locator(MaxNLocator(integer=True))
        log = chosen.sequence
        count = "" if log is None else f" of {log.size:,} gradients"
        drawn.set_title(f"Delays{count}")
        legend_below(drawn)
        tidy(drawn)
        drawn.grid(visible=False, axis="x")
    return drawn


def implied_thresholds(
    optimizer: Optimizer,
    delay: Any,
    *,
    sharpness: float | None = None,
    curvature_noise: float = 0.0,
    axes: Axes | None = None,
    size: str = "column",
) -> Axes:
    """The largest stable learning rates that readings of the same delays imply.

    Parameters
    ----------
    optimizer : Optimizer with scalar parameters, whose tables do not depend on the delay
    delay : delay object, or what `MeasuredDelay.from_log` reads
    sharpness : number, optional
        Curvature of the minimum; without it the axis is learning rate times sharpness.
    curvature_noise : number; see `stability_threshold`
    axes : Axes, optional
    size : "column", "page" or "slide", for a figure of its own

    Returns
    -------
    Axes
        One bar for each reading, that of a replayed log first: see `ImpliedThresholds`.

    Raises
    ------
    ValueError, TypeError
        For bad arguments.
    """
    chosen = law_or_log(delay)
    found = ImpliedThresholds.of(
        checked_optimizer(optimizer), chosen, curvature_noise=curvature_noise
    )
    scale = 1.0 if sharpness is None else float(positive("sharpness", sharpness))
    rows = [
        ("independent,\nmean square", found.mean_square, COLOURS[1], ""),
        ("independent,\nmean", found.mean, COLOURS[6], ""),
        (f"mean delay {round(float(chosen.mean))}", found.mean_delay, "0.75", "////"),
    ]
    if found.longest_delay is not None:
        rows.append((f"longest delay {chosen.maximum:g}", found.longest_delay, "0.75", r"\\\\"))
    if found.replayed is not None:
        rows.insert(0, ("in its order", found.replayed, COLOURS[3], ""))
    with canvas(axes, size, height=0.75) as drawn:
        values = [value / scale for _, value, _, _ in rows]
        for place, (_, _, colour, hatch) in enumerate(rows):
            drawn.barh(
                place, values[place], height=0.62, color=colour, hatch=hatch, edgecolor="white"
            )
            drawn.annotate(
                f"{values[place]:.4g}",
                (values[place], place),
                xytext=(0.35 * matplotlib.rcParams["font.size"], 0),
                textcoords="offset points",
                va="center",
                fontsize="small",
            )
        drawn.set_yticks(range(len(rows)), [name for name, *_ in rows])
        drawn.invert_yaxis()
        drawn.set_xlim(0, 1.22 * max(values))
        drawn.xaxis.set_major_locator(MaxNLocator(5))
        drawn.set_xlabel(
            "largest stable learning rate × sharpness"
            if sharpness is None
            else f"largest stable learning rate (sharpness {scale:g})"
        )
        drawn.set_title(f"Implied for {described(optimizer)}")
        tidy(drawn)
        drawn.grid(visible=False, axis="y")
    return drawn
