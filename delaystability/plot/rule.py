"""The adjustment rule: the learning rate that keeps the accessible minima, against the delay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from numpy.typing import NDArray

from delaystability.model.arguments import checked_optimizer, positive
from delaystability.model.catalogue import SGD, HeavyBall, Optimizer, ShiftedMomentum
from delaystability.model.delays import delay_array
from delaystability.model.optimizer import steady_gain
from delaystability.plot.labels import plain_number
from delaystability.plot.style import canvas, check_told_apart, legend_below, line, tidy
from delaystability.questions.bounds import stability_threshold

__all__ = ["adjustment_rule"]

Array = NDArray[np.float64]
_FEW = 12


def adjustment_rule(
    optimizers: Sequence[Optimizer] | None = None,
    delays: Any = None,
    *,
    lr: float = 1.0,
    reference: Optimizer | None = None,
    reference_delay: int = 0,
    effective: bool = False,
    axes: Axes | None = None,
    size: str = "column",
) -> Axes:
    """The learning rate that keeps the accessible minima of a reference run.

    ``lr a*(optimizer, delay) / a*(reference, reference_delay)``, and the law of long delays: the
    same with ``pi / (2 delay)`` for the first threshold, that of delayed SGD as the delay grows.

    Parameters
    ----------
    optimizers : sequence of Optimizer, up to seven
        By default SGD, heavy ball 0.9 and shifted momentum 0.9.
    delays : integer array of shape (n,); about 40 from 0 to 256 by default
    lr : number, positive
        Learning rate of the reference run; with 1, the axis is in units of it.
    reference, reference_delay : Optimizer and int
        The reference run, by default the first of the optimizers at delay 0.
    effective : bool
        Draw ``lr B(1)/A(1)``, which is lr / (1 - momentum) for heavy ball, in place of the raw
        learning rate of ``torch.optim.SGD``. The reference stays what it is.
    axes : Axes, optional
    size : "column", "page" or "slide", for a figure of its own

    Returns
    -------
    Axes
        Its lines are those of the optimizers, in order, and the law.

    Raises
    ------
    ValueError, TypeError
        For bad arguments.
    """
    default = (SGD(), HeavyBall(0.9), ShiftedMomentum(0.9))
    chosen = default if optimizers is None else tuple(optimizers)
    check_told_apart("optimizers", chosen)
    for optimizer in chosen:
        checked_optimizer(optimizer, "optimizers")
    standard = np.unique(np.geomspace(1, 257, 60).round().astype(int)) - 1
    lags = np.unique(delay_array(standard if delays is None else delays))
    base = chosen[0] if reference is None else checked_optimizer(reference, "reference")
    rate = float(positive("lr", lr))

    edge = stability_threshold(base, reference_delay)

    def adjusted(optimizer: Optimizer) -> Array:
        new = rate * (stability_threshold(optimizer, lags) / edge)
        gain = [steady_gain(optimizer, int(lag)) for lag in lags] if effective else 1.0
        return np.asarray(new * np.asarray(gain))

    with canvas(axes, size, height=1.2) as drawn:
        for number, optimizer in enumerate(chosen):
            drawn.plot(
                lags + 1,
                adjusted(optimizer),
                **line(number, lags.size) | {"markevery": _spaced(lags)},
                mec="white",
                mew=0.3 * matplotlib.rcParams["lines.linewidth"],
                label=_short(optimizer),
            )
        long = lags[lags >= max(2, lags[-1] // 16)]
        # A run of SGD whose threshold is 1 has the learning rate 1/a* of the reference run.
        unit = rate * (stability_threshold(SGD(), 1) / edge)
        drawn.plot(
            long + 1,
            unit * np.pi / (2 * long),
            color="0.55",
            lw=2.2 * matplotlib.rcParams["lines.linewidth"],
            alpha=0.6,
            zorder=1,
            label="π/(2 delay): SGD, long delays",
        )
        drawn.set(xscale="log", yscale="log", xlabel="delay + 1 (updates)")
        kind = "effective" if effective else "raw"
        drawn.set_ylabel(f"{kind} learning rate" + (" / reference" if rate == 1 else ""))
        drawn.xaxis.set_major_locator(LogLocator(base=2, numticks=20))
        drawn.xaxis.set_minor_formatter(NullFormatter())
        drawn.xaxis.set_minor_locator(LogLocator(base=2, subs=(1.0,)))
        drawn.yaxis.set_minor_formatter(NullFormatter())
        for axis in (drawn.xaxis, drawn.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda value, _: plain_number(value)))
        drawn.set_title("Learning rate for the same minima")
        legend_below(drawn)
        tidy(drawn)
    return drawn


def _short(optimizer: Optimizer) -> str:
    momentum = optimizer.parameters.get("momentum")
    return optimizer.title + ("" if momentum is None else f" {momentum:g}")


def _spaced(lags: NDArray[np.int64]) -> list[int]:
    """About a dozen places for marks, evenly spaced on the logarithmic axis."""
    targets = np.geomspace(lags[0] + 1, lags[-1] + 1, _FEW)
    return sorted({int(np.argmin(np.abs(np.log((lags + 1) / target)))) for target in targets})
