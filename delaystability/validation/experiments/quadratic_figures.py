"""Pictures of the experiment on quadratics, drawn without pyplot's global state."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from delaystability.model.catalogue import CATALOGUE
from delaystability.plot.style import look, tidy
from delaystability.validation.experiments.quadratic_verdict import WRONG, Decisions
from delaystability.validation.statistics import share_interval

__all__ = ["decisions_figure", "rates_figure"]

# Okabe and Ito's palette, told apart with every common colour vision.
_SCALAR, _MATRIX, _SHADE = "#0072B2", "#D55E00", "#009E73"
_INSIDE, _OUTSIDE = 3, 5  # bins on each side of the threshold, inside and outside the band
_DRAWN = 40  # marks for each optimizer


def decisions_figure(found: Decisions) -> Figure:
    """The share of misclassified recursions against their distance from the threshold.

    Bars are Wilson's 95 % intervals; where none is misclassified, an open mark shows the
    interval's upper end. Inside the band (shaded) nothing is claimed.

    Parameters
    ----------
    found : Decisions
    """
    figure = Figure(figsize=(7.6, 5.0), layout="constrained")
    axes = figure.subplots()
    farthest = float(np.abs(found.distances).max())
    nearest = found.band / 20
    axes.axvspan(
        nearest,
        found.band,
        color=_SHADE,
        alpha=0.18,
        lw=0,
        label=f"band to {100 * found.band:g} %: nothing claimed",
    )
    edges = np.concatenate(
        [
            np.geomspace(nearest, found.band, _INSIDE + 1),
            np.geomspace(found.band, farthest, _OUTSIDE + 1)[1:],
        ]
    )
    edges[-1] *= 1 + 1e-9  # the last bin holds the farthest
    every = np.ones_like(found.matrix)
    controls = f"control, {100 * WRONG:g} % too"
    for rows, factor, colour, style, name in (
        (~found.matrix, 1.0, _SCALAR, "o-", f"scalar, {found.distances[~found.matrix].size:,}"),
        (found.matrix, 1.0, _MATRIX, "s--", f"matrix, {found.distances[found.matrix].size:,}"),
        (every, 1 + WRONG, "0.2", "^:", f"{controls} high"),
        (every, 1 - WRONG, "0.55", "v-.", f"{controls} low"),
    ):
        distances = np.abs(found.distances[rows]).ravel()
        wrong = found.wrong(factor)[rows].ravel()
        places = np.digitize(distances, edges) - 1
        bins = np.unique(places[(places >= 0) & (places < len(edges) - 1)])
        shares = [share_interval(int(wrong[places == k].sum()), (places == k).sum()) for k in bins]
        middles = np.sqrt(edges[bins] * edges[bins + 1])
        some = np.array([share.value > 0 for share in shares], dtype=bool)
        limits = np.array([[share.low, share.value or share.high, share.high] for share in shares])
        axes.plot(middles, limits[:, 1], style, color=colour, lw=1.0, ms=6, mfc="white", label=name)
        axes.errorbar(
            middles[some],
            limits[some, 1],
            np.abs(limits[some][:, [0, 2]] - limits[some, 1:2]).T,
            fmt=style[0],
            color=colour,
            ms=6,
            capsize=2.5,
        )
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="distance |gain / threshold - 1|; gain = learning rate × largest curvature",
        ylabel="misclassified recursions",
        xlim=(nearest, farthest * 1.02),
        ylim=(None, 1.5),
    )
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_minor_formatter(NullFormatter())
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g} %"))
    missed = int(found.wrong()[found.outside].sum())
    axes.set_title(
        f"{missed} of {int(found.outside.sum()):,} recursions outside the band are misclassified\n"
        "(open marks: none, upper end of the 95 % interval)",
        fontsize=11,
    )
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    tidy(axes)
    return figure


def rates_figure(found: Decisions) -> Figure:
    """Measured growth rates at the edges of the band against those of the characteristic roots.

    Left: rates of some loops of each optimizer; filled marks grow, open ones die out. Right: the
    distribution of measured over predicted rate of all scalar loops.

    Parameters
    ----------
    found : Decisions
    """
    figure = Figure(figsize=(11.0, 4.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    scalar = ~found.matrix
    predicted, ratios = found.edge_rates[scalar], found.edge_ratios[scalar]
    optimizer = found.optimizer[scalar]
    limits = np.abs(predicted).min() / 1.5, np.abs(predicted).max() * 1.5
    left.plot(limits, limits, color="0.45", lw=1.2, label="equal")
    for place, (name, cls) in enumerate(CATALOGUE.items()):
        rows = np.flatnonzero(optimizer == name)[
            :: max(1, int((optimizer == name).sum()) // _DRAWN)
        ]
        colour, _, marker = look(place)
        for side, face in ((0, "none"), (1, colour)):
            left.plot(
                np.abs(predicted[rows, side]),
                np.abs(predicted[rows, side]) * ratios[rows, side],
                marker,
                color=colour,
                mfc=face,
                ms=4,
                mew=0.7,
                alpha=0.8,
                label=cls.title if side else None,
            )
    left.set(
        xscale="log",
        yscale="log",
        xlabel=r"predicted rate $|\ln|z_{\max}||$ (nats an update)",
        ylabel=r"measured rate of $|w|$ (nats an update)",
        xlim=limits,
        ylim=limits,
    )
    left.set_title(
        f"Growth (filled) and decay (open) {100 * found.band:g} % from the threshold", fontsize=11
    )
    left.legend(frameon=False, fontsize=9)

    bins = np.linspace(0.9, 1.1, 61)
    for side, colour, style, name in (
        (1, _MATRIX, "-", "growth, above the threshold"),
        (0, _SCALAR, "--", "decay, below the threshold"),
    ):
        values = ratios[:, side][np.isfinite(ratios[:, side])]
        clipped = np.clip(values, bins[0], bins[-1])
        right.hist(clipped, bins, histtype="step", color=colour, ls=style, lw=1.6, label=name)
    right.set(
        yscale="log",
        xlabel="measured / predicted rate (the outermost bins hold all beyond)",
        ylabel=f"loops, of {len(ratios):,}",
    )
    right.set_title("Their ratio", fontsize=11)
    right.legend(frameon=False, fontsize=9, loc="upper left")
    for axes in (left, right):
        tidy(axes)
    return figure
