"""The figure of the start page: predicted lines, certified points, trained networks.

Run with ``python docs/start_figure.py``; it reads ``docs/validation/edge/edge.json`` and writes
``docs/start-light.svg`` and ``docs/start-dark.svg``.
"""

from __future__ import annotations

import json
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

import delaystability as ds
from delaystability.plot.style import tidy

HERE = Path(__file__).parent
MOMENTUM = Fraction(9, 10)
# Colour, dashes and mark: told apart by each of them alone. The palette is Okabe and Ito's.
SERIES = (
    (ds.ShiftedMomentum, "Shifted momentum 0.9", ("#CC79A7", "#CC79A7"), "--", "v"),
    (ds.SGD, "SGD", ("#000000", "#f2f2f2"), "-", "o"),
    (ds.HeavyBall, "Heavy ball 0.9", ("#0072B2", "#56B4E9"), "-.", "s"),
)
INK = ("#1a1a1a", "#e6e6e6")
PAPER = ("#ffffff", "#131416")


def measured(name: str) -> list[dict[str, Any]]:
    """What the edge experiment found for this optimizer, one entry a delay."""
    found = json.loads((HERE / "validation" / "edge" / "edge.json").read_text(encoding="utf-8"))
    cells = [c for line in found["verdict"]["lines"] for c in line["statistics"].get("cells", [])]
    return [cell for cell in cells if cell["optimizer"] == name]


def certified(optimizer: ds.Optimizer, delay: int) -> float:
    """The middle of an enclosure of 20 digits: in the figure, its width is nothing."""
    certificate = ds.certify(optimizer, delay, 20)
    return float((certificate.lower + certificate.upper) / 2)


def figure(dark: int) -> Figure:
    """The figure, for light (0) or dark (1) pages."""
    drawn = Figure(figsize=(7.2, 4.1), layout="constrained", facecolor="none")
    axes = drawn.add_subplot()
    axes.set_facecolor("none")
    delays = np.arange(0, 65)
    for family, title, colours, dashes, mark in SERIES:
        optimizer = family() if family is ds.SGD else family(MOMENTUM)
        # The effective learning rate lr / (1 - momentum) is what a constant gradient meets.
        scale = 1.0 if family is ds.SGD else float(1 / (1 - MOMENTUM))
        floats = family() if family is ds.SGD else family(float(MOMENTUM))
        line = scale * ds.stability_threshold(floats, delays)
        axes.plot(delays + 1, line, dashes, color=colours[dark], lw=1.6, zorder=2, label=title)
        points = [0, 1, 2, 4, 8, 16, 32, 64]
        proved = [scale * certified(optimizer, delay) for delay in points]
        axes.plot(
            [delay + 1 for delay in points], proved, "+", color=colours[dark], ms=15, mew=1.1,
            zorder=3,
        )  # fmt: skip
        cells = [cell for cell in measured(family.name) if not cell["diverged"]]
        values = np.array([[c["ratio"][k] for k in ("value", "low", "high")] for c in cells])
        values *= scale * np.array([[cell["threshold"]] for cell in cells])
        axes.errorbar(
            [cell["delay"] + 1 for cell in cells], values[:, 0],
            yerr=np.abs(values[:, 1:] - values[:, :1]).T, fmt=mark, color=colours[dark],
            mec=PAPER[dark], mew=0.9, ms=7.5, capsize=2.5, lw=1.2, zorder=4,
        )  # fmt: skip
    _labelled(axes, dark)
    return drawn


def _labelled(axes: Any, dark: int) -> None:
    ink = INK[dark]
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks([1, 2, 3, 5, 9, 17, 33, 65], ["0", "1", "2", "4", "8", "16", "32", "64"])
    axes.minorticks_off()
    axes.set_yticks([0.03, 0.1, 0.3, 1, 3, 10, 30], ["0.03", "0.1", "0.3", "1", "3", "10", "30"])
    axes.set_xlabel("delay (updates)", color=ink)
    axes.set_ylabel("effective learning rate × sharpness", color=ink)
    tidy(axes)
    axes.tick_params(colors=ink, length=0)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(ink)
    (kinds,) = (
        [
            axes.plot([], [], "-", color=ink, lw=1.6, label="predicted")[0],
            axes.plot([], [], "+", color=ink, ms=13, mew=1.1, label="certified, 20 digits")[0],
            axes.errorbar(
                [], [], yerr=[], fmt="D", color=ink, mec=PAPER[dark], ms=7, capsize=2.5,
                label="trained networks",
            ),
        ],
    )  # fmt: skip
    lines = [entry for entry in axes.lines if entry.get_label() in {row[1] for row in SERIES}]
    style = {"frameon": False, "labelcolor": ink, "handlelength": 2.6}
    first = axes.legend(handles=lines, loc="lower left", **style)
    axes.add_artist(first)
    axes.legend(handles=kinds, loc="upper right", **style)


def main() -> None:
    """Write both figures; the same input gives the same bytes."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    with mpl.rc_context({"svg.hashsalt": "start", "font.size": 10}):
        for dark, name in enumerate(("light", "dark")):
            figure(dark).savefig(
                folder / f"start-{name}.svg", transparent=True, metadata={"Date": None}
            )


if __name__ == "__main__":
    main()
