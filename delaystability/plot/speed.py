"""How near to the limit of all linear methods the fastest setting of each optimizer comes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, PercentFormatter
from numpy.typing import NDArray

from delaystability.model.catalogue import (
    SGD,
    HeavyBall,
    LinearOptimizer,
    Optimizer,
    ShiftedMomentum,
    WeightPrediction,
)
from delaystability.model.delays import delay_array
from delaystability.plot.labels import plain_number
from delaystability.plot.style import COLOURS, canvas, legend_below, look, tidy
from delaystability.questions.best_optimizer import BestOptimizer, best_optimizer
from delaystability.questions.fastest_setting import fastest_setting

__all__ = ["speed"]

_FAMILIES = (SGD, HeavyBall, ShiftedMomentum, WeightPrediction)


def speed(
    delays: Any = (1, 2, 4, 8, 16, 32),
    condition_numbers: Any = 100.0,
    *,
    optimizers: Sequence[type[Optimizer]] = _FAMILIES,
    share: bool = True,
    axes: Axes | None = None,
    size: str = "column",
) -> Axes:
    """Draw how fast the best setting of each optimizer is, over the delay or condition number.

    Parameters
    ----------
    delays : int or integer array of shape (n,), at least 1
    condition_numbers : number or array of shape (n,)
        Largest over smallest curvature. One of the two is a single number; the other is the axis.
    optimizers : sequence of classes of the catalogue with a momentum at most, up to five
        Each with the fastest of 24 momenta and 24 learning rates, and again around that one.
        Weight prediction looks ahead as far as the delay.
    share : bool
        Draw the part of the limit that is reached, in nats, in place of the nats an update.
    axes : Axes, optional
    size : "column", "page" or "slide", for a figure of its own

    Returns
    -------
    Axes
        Its lines are `best_optimizer`, the optimizers, in order, and, without ``share``, the limit.

    Raises
    ------
    ValueError, TypeError
        For bad arguments.
    """
    lags = np.unique(delay_array(delays, "delays"))
    numbers = np.unique(np.asarray(condition_numbers, dtype=np.float64))
    if not lags.size or lags[0] < 1:
        raise ValueError(f"delays must be integers >= 1; got {delays!r}")
    if not numbers.size >= 1 or (lags.size > 1) == (numbers.size > 1):
        raise ValueError(
            "condition_numbers must be a single number beside several delays, and several beside "
            f"one; got {condition_numbers!r}"
        )
    families = tuple(optimizers)
    if len(families) > len(COLOURS) - 2 or not all(_is_tuned(family) for family in families):
        raise ValueError(f"optimizers must be up to 5 of the catalogue's classes; got {families!r}")
    over_delays = lags.size > 1
    found = [best_optimizer(int(lag), float(k)) for lag in lags for k in numbers]
    unit = np.array([best.limit_nats if share else 1.0 for best in found])
    places = lags if over_delays else numbers
    series = [("best_optimizer", np.array([best.nats for best in found]))]
    series += [(_label(family), np.array([_fastest(family, best) for best in found]))
               for family in families]  # fmt: skip
    if not share:
        series.append(("limit of linear methods", np.array([one.limit_nats for one in found])))
    with canvas(axes, size, height=1.15) as drawn:
        for number, (label, nats) in enumerate(series):
            colour, dashes, marker = look(number)
            # SGD and heavy ball coincide: the first one is wide, and seen below the other.
            width = 2.5 if label == SGD.title else 1.0
            (line,) = drawn.plot(places, nats / unit, color=colour, ls=dashes, marker=marker)
            line.set(label=label, linewidth=width * line.get_linewidth())
            line.set_markersize(np.sqrt(width) * line.get_markersize())
        _scales(drawn, over_delays, share, places)
        fixed = f"condition number {numbers[0]:g}" if over_delays else f"delay {lags[0]}"
        drawn.set_title(f"Speed of the best settings: {fixed}")
        legend_below(drawn)
        tidy(drawn)
    return drawn


def _scales(drawn: Axes, over_delays: bool, share: bool, places: NDArray[Any]) -> None:
    drawn.set(xscale="log", xlabel="delay (updates)" if over_delays else "condition number")
    if over_delays:
        drawn.set_xticks(places, [str(place) for place in places])
        drawn.xaxis.set_minor_formatter(NullFormatter())
        drawn.xaxis.set_minor_locator(LogLocator(subs=()))
    else:
        drawn.xaxis.set_major_formatter(FuncFormatter(lambda value, _: plain_number(value)))
    if share:
        drawn.set_ylim(0)
        drawn.set_ylabel("share of the limit")
        drawn.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    else:
        drawn.set(yscale="log", ylabel="nats an update")


def _is_tuned(family: Any) -> bool:
    """Whether its momentum is all that there is to choose."""
    return (
        isinstance(family, type)
        and issubclass(family, Optimizer)
        and family is not LinearOptimizer
        and family.required_parameters() in ((), ("momentum",))
    )


def _label(family: type[Optimizer]) -> str:
    return "horizon = delay" if family is WeightPrediction else family.title


def _fastest(family: type[Optimizer], best: BestOptimizer) -> float:
    return fastest_setting(family, best.delay, best.condition_number).nats
