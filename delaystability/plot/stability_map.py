"""Stability maps: which learning rates are stable, and how fast, over delay or momentum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import matplotlib
import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import ArrayLike, NDArray

from delaystability.model.arguments import checked_optimizer, positive
from delaystability.model.catalogue import Optimizer
from delaystability.model.delays import delay_array
from delaystability.numerics.tables.loop_filter import loop_filter
from delaystability.plot.labels import described, described_delay, plain_number
from delaystability.plot.radius import rates
from delaystability.plot.style import STABLE, UNSTABLE, canvas
from delaystability.questions.bounds import stability_threshold

__all__ = ["momentum_map", "stability_map"]

Array = NDArray[np.float64]
_ROWS = 240
_LEVELS = np.array([1 / 3, 1 / 10, 1 / 30])


def stability_map(
    optimizer: Optimizer,
    delays: Any = None,
    *,
    learning_rates: tuple[float, float] | None = None,
    sharpness: float | None = None,
    run: tuple[float, float] | None = None,
    axes: Axes | None = None,
    size: str = "column",
) -> Axes:
    """Stability over delay and learning rate.

    The line is the largest stable learning rate a*(optimizer, delay)/sharpness; the shades are the
    rate ln|z_max| at which a perturbation of the minimum shrinks (below 0) or grows.

    Parameters
    ----------
    optimizer : Optimizer with scalar parameters
    delays : integer array of shape (n,), n >= 2; 0 to 32 by default
    learning_rates : (lowest, highest), positive, optional
        By default around the thresholds.
    sharpness : number, optional
        Curvature of the minimum; without it the axis is learning rate times sharpness.
    run : (delay, learning rate), optional
        A run to mark with a star, in the units of the axes.
    axes : Axes, optional
    size : "column", "page" or "slide", for a figure of its own

    Returns
    -------
    Axes
        Its first line is the threshold.

    Raises
    ------
    ValueError, TypeError
        For bad optimizers, delays, rates, axes or sizes.
    """
    checked_optimizer(optimizer)
    lags = np.unique(delay_array(np.arange(33) if delays is None else delays))
    if lags.size < 2:
        raise ValueError(f"delays must hold at least two different delays; got {delays!r}")
    loops: list[tuple[Optimizer, Any]] = [(optimizer, int(lag)) for lag in lags]
    with canvas(axes, size) as drawn:
        _draw(drawn, lags.astype(float), loops, learning_rates, sharpness, run, steps=True)
        drawn.set_xlabel("delay (updates)")
        drawn.xaxis.set_major_locator(MaxNLocator(integer=True))
        drawn.set_title(f"Stability of {described(optimizer)}")
    return drawn


def momentum_map(
    optimizer: Optimizer,
    delay: Any,
    momenta: ArrayLike | None = None,
    *,
    learning_rates: tuple[float, float] | None = None,
    sharpness: float | None = None,
    run: tuple[float, float] | None = None,
    axes: Axes | None = None,
    size: str = "column",
) -> Axes:
    """Stability over momentum and raw learning rate; see `stability_map`.

    Parameters
    ----------
    optimizer : Optimizer with a momentum, which the map varies
    delay : int or delay object
        With a random delay, the stability of the mean.
    momenta : array of shape (n,), n >= 2, in (-1, 1); 0 to 0.98 by default
    learning_rates, sharpness, axes, size : see `stability_map`
    run : (momentum, learning rate), optional

    Returns
    -------
    Axes

    Raises
    ------
    ValueError, TypeError
        For bad arguments, or an optimizer without momentum.
    """
    if "momentum" not in checked_optimizer(optimizer).parameters:
        raise ValueError(f"optimizer must have a momentum; got {optimizer!r}")
    values = np.unique(np.linspace(0, 0.98, 197) if momenta is None else np.asarray(momenta, float))
    if values.size < 2:
        raise ValueError(f"momenta must hold at least two different momenta; got {momenta!r}")
    family: Any = optimizer
    loops = [(replace(family, momentum=float(value)), delay) for value in values]
    with canvas(axes, size) as drawn:
        _draw(drawn, values, loops, learning_rates, sharpness, run, steps=False)
        drawn.set_xlabel("momentum")
        drawn.set_ylabel(f"raw {drawn.get_ylabel()}")
        name = described(optimizer, momentum=False)
        drawn.set_title(f"Stability of {name}, {described_delay(delay)}")
    return drawn


def _draw(
    axes: Axes,
    places: Array,
    loops: Sequence[tuple[Optimizer, Any]],
    learning_rates: tuple[float, float] | None,
    sharpness: float | None,
    run: tuple[float, float] | None,
    *,
    steps: bool,
) -> None:
    """The map over these places; with ``steps``, one column for each."""
    scale = 1.0 if sharpness is None else float(positive("sharpness", sharpness))
    thresholds = np.array([stability_threshold(*loop, moment="mean") for loop in loops])
    low, high = _range(thresholds / scale, learning_rates)
    if run is not None and learning_rates is None:
        low, high = min(low, _run_rate(run) / 2), max(high, 2 * _run_rate(run))
    heights = np.geomspace(low, high, _ROWS)
    grid = np.stack([rates(*loop_filter(*loop), heights * scale) for loop in loops], axis=1)
    across, ends, seen = places, places[[0, -1]], grid
    if steps:
        # Nothing lies between two delays: each has a column of its own.
        outer = 1.5 * places[[0, -1]] - 0.5 * places[[1, -2]]
        sides = np.concatenate([outer[:1], (places[1:] + places[:-1]) / 2, outer[1:]])
        across, ends, seen = np.repeat(sides, 2)[1:-1], outer, np.repeat(grid, 2, axis=1)
    bounds = _bounds(grid)
    colours = ListedColormap([*STABLE, *UNSTABLE])
    filled = axes.contourf(
        across, heights, seen, bounds, cmap=colours, norm=BoundaryNorm(bounds, colours.N)
    )
    thickness = matplotlib.rcParams["lines.linewidth"]
    axes.contour(
        across,
        heights,
        seen,
        bounds[[1, 2, 3, 5, 6, 7]],
        colors="white",
        linewidths=0.4 * thickness,
        linestyles="-",
    )
    axes.plot(
        places,
        thresholds / scale,
        color="black",
        lw=1.4 * thickness,
        drawstyle="steps-mid" if steps else "default",
    )
    if run is not None:
        star: dict[str, Any] = {"ms": 2.4 * matplotlib.rcParams["lines.markersize"], "mec": "black"}
        axes.plot(run[0], _run_rate(run), "*", mfc="white", clip_on=False, zorder=4, **star)
    axes.set(yscale="log", xlim=ends, ylim=(low, high))
    axes.set_ylabel(
        "learning rate × sharpness"
        if sharpness is None
        else f"learning rate (sharpness {plain_number(scale)})"
    )
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0,)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: plain_number(value)))
    axes.yaxis.set_minor_formatter(NullFormatter())
    halo = [patheffects.withStroke(linewidth=2 * thickness, foreground="white", alpha=0.85)]
    for height, word, side in ((0.03, "stable", "bottom"), (0.96, "unstable", "top")):
        axes.text(
            0.96,
            height,
            word,
            transform=axes.transAxes,
            ha="right",
            va=side,
            style="italic",
            path_effects=halo,
        )
    figure: Any = axes.figure
    bar = figure.colorbar(filled, ax=axes, ticks=bounds[1:-1], pad=0.02, aspect=24)
    bar.ax.set_yticklabels([_fraction(bound) for bound in bounds[1:-1]])
    bar.ax.minorticks_off()
    bar.ax.tick_params(length=0)
    bar.outline.set_visible(False)
    bar.set_label("growth rate (nats/update)")
    bar.ax.axhline(0, color="black", lw=1.4 * thickness)


def _run_rate(run: tuple[float, float]) -> float:
    if len(run) != 2:
        raise ValueError(f"run must be a pair (delay or momentum, learning rate); got {run!r}")
    return float(positive("run", run[1]))


def _range(thresholds: Array, learning_rates: tuple[float, float] | None) -> tuple[float, float]:
    """From a fifth of the smallest threshold to 2.5 times the largest, or what was asked for."""
    if learning_rates is None:
        usable = thresholds[np.isfinite(thresholds) & (thresholds > 0)]
        if not usable.size:
            raise ValueError("no learning rate is stable: give learning_rates to draw a map")
        return float(usable.min()) / 5, float(usable.max()) * 2.5
    given = positive("learning_rates", learning_rates)
    if given.shape != (2,) or given[0] >= given[1]:
        raise ValueError(f"learning_rates must be (lowest, highest); got {learning_rates!r}")
    return float(given[0]), float(given[1])


def _bounds(grid: Array) -> Array:
    """Edges of four bands on each side of zero, the outermost beyond every rate."""
    below = min(float(grid.min()), -1.0) - 1e-9
    above = max(float(grid.max()), 1.0) + 1e-9
    return np.concatenate([[below], -_LEVELS, [0.0], _LEVELS[::-1], [above]])


def _fraction(rate: float) -> str:
    """A rate such as 1/30: the perturbation changes by a factor e in 30 updates."""
    return "0" if not rate else f"{'−' if rate < 0 else '+'}1/{round(1 / abs(rate))}"
