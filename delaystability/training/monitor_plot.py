"""The picture of a stability monitor."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from delaystability.plot.style import COLOURS, tidy
from delaystability.training.reading import Reading, Status

__all__ = ["plot_readings"]

_MARKS = {
    Status.FAR: ("o", COLOURS[1]),
    Status.LIMITED: ("s", COLOURS[2]),
    Status.BEYOND: ("^", COLOURS[5]),
    Status.TUNING: ("v", COLOURS[3]),
    Status.UNDECIDED: ("D", COLOURS[4]),
}


def plot_readings(
    history: Sequence[Reading], bands: tuple[float, float], axes: Axes | None = None
) -> Axes:
    """Draw ``lr * sharpness / threshold`` against the update, with error bars and the bands.

    Parameters
    ----------
    history : sequence of Reading
        Those without finite numbers are left out.
    bands : (float, float)
        Shaded: where a run counts as limited by stability.
    axes : Axes, optional
        A new figure unless given.
    """
    if axes is None:
        import matplotlib.pyplot as plt

        axes = plt.subplots(figsize=(5.5, 3.4), layout="constrained")[1]
    shown = [reading for reading in history if np.isfinite([*reading.interval]).all()]
    steps = [reading.step for reading in shown]
    ratios = np.array([reading.ratio for reading in shown])
    axes.axhspan(*bands, color="0.9", lw=0, zorder=0)
    axes.axhline(1.0, color=COLOURS[0], lw=1, zorder=1)
    axes.plot(steps, ratios, color="0.6", lw=0.8, zorder=2)
    for status, (marker, colour) in _MARKS.items():
        chosen = [k for k, reading in enumerate(shown) if reading.status is status]
        if chosen:
            low = [shown[k].ratio - shown[k].interval[0] for k in chosen]
            high = [shown[k].interval[1] - shown[k].ratio for k in chosen]
            axes.errorbar(
                [steps[k] for k in chosen],
                ratios[chosen],
                yerr=[low, high],
                fmt=marker,
                ms=4,
                color=colour,
                elinewidth=0.8,
                label=_label(status, shown[chosen[-1]].hum),
            )
    if shown:
        axes.legend(frameon=False, loc="best")
    axes.set_ylim(bottom=min(0.0, float(ratios.min(initial=0.0)) * 1.05))
    axes.set_xlabel("update")
    axes.set_ylabel("lr × sharpness / threshold")
    tidy(axes)
    return axes


def _label(status: Status, hum: float | None) -> str:
    sized = status is Status.TUNING and hum is not None
    return f"{status.value} (hum {hum:.2g})" if sized else status.value
