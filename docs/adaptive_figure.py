"""The figure of the page about adaptive optimizers: predicted swings, and runs.

Run with ``python docs/adaptive_figure.py``; it writes ``docs/adaptive_optimizers.png``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import delaystability as ds
from delaystability.plot.style import tidy

HERE = Path(__file__).parent
DELAYS = (0, 1, 2, 4, 8, 16)
# Colour and mark: told apart by each of them alone. The palette is Okabe and Ito's.
SERIES: tuple[tuple[Any, str, str, str], ...] = (
    (ds.Muon(), "Muon", "#D55E00", "^"),
    (ds.Adam(), "Adam", "#0072B2", "o"),
    (ds.SignSGD(), "signSGD", "#009E73", "s"),
    (ds.Lion(), "Lion", "#CC79A7", "v"),
    (ds.RMSProp(0.999), "RMSProp", "#000000", "D"),
)


def steps_of(optimizer: Any, gradients: list[Any]) -> Any:
    """A generator of steps for gradients that are sent to it, with a learning rate of 1."""
    feedback, feedforward = optimizer.momentum_filter.coefficients(0)
    (momentum,) = [value for _, value in feedback] or [0.0]
    table = dict(feedforward)
    update = before = square = np.zeros_like(gradients[0])
    kept, count = optimizer.second_moment_kept, 0
    step = None
    while True:
        gradient = yield step
        count += 1
        update = momentum * update + table[0] * gradient + table.get(1, 0.0) * before
        before = gradient
        if not kept:
            step = np.sign(update)
        else:
            square = kept * square + (1 - kept) * gradient**2
            step = update / np.sqrt(square / (1 - kept**count))


def measured(optimizer: Any, delay: int, updates: int = 16_000) -> float:
    """The root mean square over the last half of runs from random starts."""
    weight = np.random.default_rng(0).uniform(-4, 4, 50)
    places, squares = [weight] * (delay + 1), []
    steps = steps_of(optimizer, places)
    next(steps)
    for t in range(updates):
        places.append(places[-1] - steps.send(places[-1 - delay]))
        if t > updates // 2:
            squares.append(float(np.mean(places[-1] ** 2)))
    return float(np.sqrt(np.mean(squares)))


def figure() -> Figure:
    """Lines of the predictions and marks of the runs."""
    drawn = Figure(figsize=(7.2, 4.1), layout="constrained")
    axes = drawn.add_subplot()
    for optimizer, title, colour, mark in SERIES:
        found = [ds.oscillation(1.0, optimizer, delay) for delay in DELAYS]
        places = np.array(DELAYS) + 1
        axes.plot(places, [one.rms for one in found], "-", color=colour, lw=1.4, label=title)
        for one, delay in zip(found, DELAYS, strict=True):
            face = "white" if one.status == "undecided" else colour
            axes.plot(delay + 1, measured(optimizer, delay), mark, color=colour, mfc=face, ms=6)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks([delay + 1 for delay in DELAYS], [str(delay) for delay in DELAYS])
    axes.minorticks_off()
    axes.set_xlabel("delay (updates)")
    axes.set_ylabel("root mean square / learning rate")
    tidy(axes)
    axes.legend(frameon=False)
    return drawn


def main() -> None:
    """Write the figure."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    figure().savefig(folder / "adaptive_optimizers.png", dpi=150, metadata={"Software": None})


if __name__ == "__main__":
    main()
