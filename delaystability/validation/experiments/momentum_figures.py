"""The picture of the momentum experiment, drawn without pyplot's global state."""

from __future__ import annotations

from math import pi

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

from delaystability.model.catalogue import optimizer_from_name
from delaystability.questions.bounds import stability_threshold
from delaystability.validation.experiments.momentum_verdict import Rule, Thresholds, rule_title
from delaystability.validation.experiments.rule import rule_of
from delaystability.validation.statistics import median_interval

__all__ = ["momentum_figure"]

# Okabe and Ito's palette, told apart with every common colour vision.
_STYLES = {
    "sgd": ("#000000", "o"),
    "heavy-ball": ("#0072B2", "s"),
    "shifted-momentum": ("#D55E00", "^"),
    "nesterov": ("#009E73", "D"),
    "spike-compensation": ("#CC79A7", "v"),
}
_LINES = ("-", "--", ":")


def momentum_figure(found: Thresholds) -> Figure:
    """Effective thresholds against delay, and relative to SGD's, predicted and measured.

    Marks are medians over the minima with 95 % intervals; full marks and solid lines belong to the
    largest momentum.

    Parameters
    ----------
    found : Thresholds
    """
    figure = Figure(figsize=(11.0, 5.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    momenta = sorted({rule[1] for rule in found.rules if rule[1] is not None}, reverse=True)
    every = np.arange(found.delays[-1] + 1)
    reference = np.asarray(stability_threshold(optimizer_from_name("sgd"), every))
    sgd: Rule = ("sgd", None)
    for rule in found.rules:
        name, momentum = rule
        rank = 0 if momentum is None else momenta.index(momentum)
        colour, marker = _STYLES[name]
        optimizer = rule_of(name, momentum)
        predicted = np.array([float(stability_threshold(optimizer, delay)) for delay in every])
        predicted /= 1 - (momentum or 0.0)
        face = colour if rank == 0 else "white"
        left.plot(every + 1, predicted, _LINES[rank], color=colour, lw=1.1)
        right.plot(every + 1, predicted / reference, _LINES[rank], color=colour, lw=1.1)
        for place, delay in enumerate(found.delays):
            label = rule_title(rule) if place == 0 else None
            values = found.measured[rule, delay]
            ratios, _ = found.ratio(rule, sgd, delay)
            for axes, sample in ((left, values), (right, ratios)):
                _mark(axes, delay, sample, colour, marker, face, label)
    left.set_ylabel("largest stable effective learning rate × sharpness")
    left.set_title("Measured at minima (marks) and predicted (lines)", fontsize=11)
    for value, text in ((2 / pi, "2/π"), (4 / pi, "4/π")):
        right.axhline(value, color="0.55", lw=0.9, ls="-.")
        right.text(found.delays[-1] + 1.5, value, text, va="bottom", ha="right", fontsize=9)
    right.set_ylabel("relative to SGD")
    right.set_title("2/π, 4/π: limits for momentum to 1, then long delay", fontsize=11)
    for axes in (left, right):
        axes.set(xscale="log", yscale="log", xlabel="delay (updates)")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xticks([delay + 1 for delay in found.delays], [str(d) for d in found.delays])
        axes.spines["top"].set_visible(False)
        axes.spines["right"].set_visible(False)
        axes.grid(alpha=0.25, lw=0.6)
    right.set_yticks([0.5, 0.7, 1, 1.5, 2, 4, 8, 16])
    right.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    right.yaxis.set_minor_formatter(NullFormatter())
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, frameon=False, fontsize=9)
    return figure


def _mark(
    axes: Axes,
    delay: int,
    values: np.ndarray,
    colour: str,
    marker: str,
    face: str,
    label: str | None,
) -> None:
    known = values[np.isfinite(values)]
    if not len(known):
        return
    found = median_interval(known)
    ends = np.nan_to_num([found.value - found.low, found.high - found.value], nan=0.0)
    bars = np.maximum(ends, 0.0)[:, None]
    axes.errorbar(
        delay + 1, found.value, bars, fmt=marker, color=colour, mfc=face, ms=5, capsize=2.5,
        lw=1.0, label=label,
    )  # fmt: skip
