"""The figure of the page "How fast a delayed run can be": shares of the limit against the delay.

Run with ``python docs/speed_figure.py``: writes ``docs/how_fast.png``. Each optimizer but the best
has the fastest of 60 momenta and 48 learning rates.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.ticker import FixedLocator, NullFormatter, PercentFormatter, ScalarFormatter

import delaystability as ds
from delaystability.plot.style import legend_below

CONDITION = 100.0
DELAYS = (1, 2, 4, 8, 16, 32)
MOMENTA = (0.0, *(1 - np.geomspace(5e-4, 1, 59)))


def tuned(family: type[ds.Optimizer], delay: int) -> float:
    """The nats an update of the slowest curvature, with the best momentum and learning rate."""
    best = 0.0
    for momentum in MOMENTA[:1] if family is ds.SGD else MOMENTA:
        optimizer = family.example(momentum=float(momentum))
        gains = ds.stability_threshold(optimizer, delay) * np.linspace(0.05, 0.99, 48)
        ends = ds.escape_rate(optimizer, delay, [gains / CONDITION, gains])
        best = max(best, float(-ends.max(axis=0).min()))
    return best


def main() -> None:
    """Compute the shares and draw them."""
    families = (
        (ds.WeightPrediction, "weight prediction over the delay", "-."),
        (ds.ShiftedMomentum, "shifted momentum", ":"),
        (ds.SGD, "SGD", "-"),
        (ds.HeavyBall, "heavy ball", "--"),
    )
    found = [ds.best_optimizer(delay, CONDITION) for delay in DELAYS]
    with ds.plot.sheet(columns=1) as (axes,):
        axes.plot(DELAYS, [best.share for best in found], "o-", label="best_optimizer")
        for family, label, dashes in families:
            shares = [tuned(family, best.delay) / best.limit_nats for best in found]
            # The two that coincide: one wide, one dashed above it.
            width = 4.0 if family is ds.SGD else 1.5
            axes.plot(DELAYS, shares, dashes, marker=".", lw=width, label=label)
            print(label, [round(share, 3) for share in shares], flush=True)
        axes.set(xlabel="delay", ylabel="share of the limit", xscale="log", ylim=(0, 0.6))
        axes.xaxis.set_major_locator(FixedLocator(DELAYS))
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        legend_below(axes)
    ds.plot.save(axes, Path(__file__).parent / "how_fast.png")


if __name__ == "__main__":
    main()
