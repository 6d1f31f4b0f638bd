"""Figures of the experiment on quadratics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from numpy.typing import NDArray

from delaystability.model.catalogue import CATALOGUE
from delaystability.numerics.statistics import share_of
from delaystability.plot.charts import BLUE, GREEN, RED, WIDTH, finish, panels, series

__all__ = ["decisions_figure", "rates_figure"]

_INSIDE, _OUTSIDE = 3, 5  # bins on each side of the threshold, inside and outside the band
_DRAWN = 40  # marks for each optimizer

Array = NDArray[np.float64]


def decisions_figure(loops: Sequence[Any], off: float) -> Figure:
    """The share of misclassified recursions against their distance from the threshold.

    Bars are Wilson's 95 % intervals; where none is misclassified, an open mark shows the
    interval's upper end. Inside the band (shaded) nothing is claimed.

    Parameters
    ----------
    loops : sequence of Quadratic
    off : float
        Share by which the thresholds of the controls are off.
    """
    figure, (axes,) = panels(WIDTH, 5.0)
    band = loops[0].plan.band
    distances = np.abs(np.concatenate([loop.distances for loop in loops]))
    matrix = np.repeat([loop.kind == "matrix" for loop in loops], loops[0].distances.size)
    nearest, farthest = band / 20, float(distances.max())
    label = f"band to {100 * band:g} %: nothing claimed"
    axes.axvspan(nearest, band, color=GREEN, alpha=0.18, lw=0, label=label)
    edges = np.concatenate(
        [
            np.geomspace(nearest, band, _INSIDE + 1),
            np.geomspace(band, farthest, _OUTSIDE + 1)[1:],
        ]
    )
    edges[-1] *= 1 + 1e-9  # the last bin holds the farthest
    controls = f"control, {100 * off:g} % too"
    for rows, factor, colour, style, name in (
        (~matrix, 1.0, BLUE, "o-", f"scalar, {(~matrix).sum():,}"),
        (matrix, 1.0, RED, "s--", f"matrix, {matrix.sum():,}"),
        (slice(None), 1 + off, "0.2", "^:", f"{controls} high"),
        (slice(None), 1 - off, "0.55", "v-.", f"{controls} low"),
    ):
        wrong = np.concatenate([loop.wrong(factor) for loop in loops])[rows]
        _shares(axes, distances[rows], wrong, edges, style, color=colour, label=name)
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
    outside = distances >= band
    missed = int(np.concatenate([loop.wrong() for loop in loops])[outside].sum())
    axes.set_title(
        f"{missed} of {int(outside.sum()):,} recursions outside the band are misclassified\n"
        "(open marks: none, upper end of the 95 % interval)",
        fontsize=11,
    )
    return finish(figure, axes, ncols=2)


def _shares(
    axes: Axes,
    distances: Array,
    wrong: NDArray[np.bool_],
    edges: Array,
    style: str,
    **look: Any,
) -> None:
    """The share of what is wrong in each bin that is not empty."""
    places = np.digitize(distances, edges) - 1
    bins = np.unique(places[(places >= 0) & (places < len(edges) - 1)])
    shares = [share_of(wrong[places == k]) for k in bins]
    middles = np.sqrt(edges[bins] * edges[bins + 1])
    some = np.array([share.value > 0 for share in shares], dtype=bool)
    limits = np.array([[share.low, share.value or share.high, share.high] for share in shares])
    axes.plot(middles, limits[:, 1], style, lw=1.0, ms=6, mfc="white", **look)
    axes.errorbar(
        middles[some],
        limits[some, 1],
        np.abs(limits[some][:, [0, 2]] - limits[some, 1:2]).T,
        fmt=style[0],
        color=look["color"],
        ms=6,
        capsize=2.5,
    )


def rates_figure(loops: Sequence[Any]) -> Figure:
    """Measured growth rates at the edges of the band against those of the characteristic roots.

    Above: rates of some loops of each optimizer; filled marks grow, open ones die out. Below: the
    distribution of measured over predicted rate of all scalar loops.

    Parameters
    ----------
    loops : sequence of Quadratic
    """
    figure, (above, below) = panels(WIDTH, 9.6, 1, 2)
    scalar = [loop for loop in loops if loop.kind == "scalar"]
    predicted = np.array([loop.edge_rates for loop in scalar])
    ratios = np.array([loop.edge_ratios for loop in scalar])
    optimizer = np.array([loop.optimizer for loop in scalar])
    limits = np.abs(predicted).min() / 1.5, np.abs(predicted).max() * 1.5
    above.plot(limits, limits, color="0.45", lw=1.2, label="equal")
    for name, cls in CATALOGUE.items():
        rows = np.flatnonzero(optimizer == name)
        rows = rows[:: max(1, len(rows) // _DRAWN)]
        marks = {"ls": "none", "ms": 4, "mew": 0.7, "alpha": 0.8, **series(name)}
        for side, face in ((0, "none"), (1, marks["color"])):
            rates = np.abs(predicted[rows, side])
            label = cls.title if side else None
            above.plot(rates, rates * ratios[rows, side], mfc=face, label=label, **marks)
    above.set(
        xscale="log",
        yscale="log",
        xlabel=r"predicted rate $|\ln|z_{\max}||$ (nats an update)",
        ylabel=r"measured rate of $|w|$ (nats an update)",
        xlim=limits,
        ylim=limits,
    )
    band = 100 * loops[0].plan.band
    above.set_title(f"Growth (filled) and decay (open) {band:g} % from the threshold", fontsize=11)
    above.legend(frameon=False, fontsize=9)

    bins = np.linspace(0.9, 1.1, 61).tolist()
    for side, colour, style, name in (
        (1, RED, "-", "growth, above the threshold"),
        (0, BLUE, "--", "decay, below the threshold"),
    ):
        values = ratios[:, side][np.isfinite(ratios[:, side])]
        clipped = np.clip(values, bins[0], bins[-1])
        below.hist(clipped, bins, histtype="step", color=colour, ls=style, lw=1.6, label=name)
    below.set(
        yscale="log",
        xlabel="measured / predicted rate (the outermost bins hold all beyond)",
        ylabel=f"loops, of {len(ratios):,}",
    )
    below.set_title("Their ratio", fontsize=11)
    below.legend(frameon=False, fontsize=9, loc="upper left")
    return finish(figure, above, below)
