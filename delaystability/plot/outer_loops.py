"""Which outer learning rates are stable, direction by direction, where outer steps are late."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from delaystability.model.arguments import positive, single
from delaystability.plot.style import canvas, check_told_apart, legend_below, line, tidy
from delaystability.questions.outer_loop import OuterLoop

__all__ = ["outer_loops"]


def outer_loops(
    loops: Mapping[str, OuterLoop] | None = None,
    curvatures: Any = None,
    *,
    rate: float | None = None,
    axes: Axes | None = None,
    size: str = "column",
) -> Axes:
    """Draw the largest stable outer learning rate over the curvature of a direction.

    Parameters
    ----------
    loops : mapping from label to OuterLoop, up to seven
        By default DiLoCo's, Nesterov 0.9 after 100 inner steps with a learning rate of 0.01, on
        time and one, two and four outer steps late.
    curvatures : array of shape (n,), positive
        80 by default, from where inner steps hardly move to where one of them reaches the minimum.
    rate : number, positive, optional
        An outer learning rate to mark: a loop is stable where its line is above.
    axes : Axes, optional
    size : "column", "page" or "slide", for a figure of its own

    Returns
    -------
    Axes
        Its lines are those of the loops, in order, and the marked rate.

    Raises
    ------
    ValueError, TypeError
        For bad arguments.
    """
    if not (loops is None or isinstance(loops, Mapping)):
        raise TypeError(f"loops must be a mapping from label to OuterLoop; got {loops!r}")
    chosen = _as_in_diloco() if loops is None else dict(loops)
    check_told_apart("loops", chosen)
    for loop in chosen.values():
        if not isinstance(loop, OuterLoop):
            raise TypeError(f"loops must hold OuterLoop objects; got {loop!r}")
    given = _curvatures(list(chosen.values())) if curvatures is None else curvatures
    values = np.unique(positive("curvatures", given))
    edges = [np.asarray(loop.threshold(values)) for loop in chosen.values()]
    if not any(np.any((edge > 0) & np.isfinite(edge)) for edge in edges):
        raise ValueError("curvatures must have an entry at which a loop has a threshold to draw")
    marked = None if rate is None else single("rate", positive("rate", rate))
    with canvas(axes, size, height=1.15) as drawn:
        for number, (label, edge) in enumerate(zip(chosen, edges, strict=True)):
            above = np.where(edge > 0, edge, np.nan)
            drawn.plot(values, above, **line(number, values.size, 8), label=label)
        if marked is not None:
            label = f"outer learning rate {marked:g}"
            drawn.axhline(marked, color="0.55", lw=1, zorder=1, label=label)
        drawn.set(xscale="log", yscale="log", xlabel="curvature of the direction")
        drawn.set(ylabel="outer learning rate", title="Largest stable outer learning rate")
        legend_below(drawn)
        tidy(drawn)
    return drawn


def _as_in_diloco() -> dict[str, OuterLoop]:
    late = {"on time": 0, "late by 1": 1, "late by 2": 2, "late by 4": 4}
    inner: dict[str, Any] = {"inner_learning_rate": 0.01, "inner_steps": 100}
    return {label: OuterLoop(**inner, delay=delay) for label, delay in late.items()}


def _curvatures(loops: list[OuterLoop]) -> Any:
    inner = [(loop.inner_learning_rate or 1.0, loop.inner_steps or 100) for loop in loops]
    return np.geomspace(
        min(0.02 / (rate * steps) for rate, steps in inner), 1 / max(rate for rate, _ in inner), 80
    )
