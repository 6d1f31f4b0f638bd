"""The figure of the noise experiment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from delaystability.plot.charts import BLACK, BLUE, RED, finish, mark, panels, plain_ticks
from delaystability.questions.bounds import stability_threshold

__all__ = ["noise_figure"]


def noise_figure(found: Sequence[Any]) -> Figure:
    """Thresholds of the mean square against the size of mini-batches, one panel for each loop.

    The curve of one direction is drawn from kappa(B) = kappa(1) / B for every B. Marks are medians
    over the repeats with 95 % intervals; the last one has the full batch, without noise.

    Parameters
    ----------
    found : sequence of NoisyLoop
    """
    loops: dict[str, list[Any]] = {}
    # One optimizer a column: wider figures are too small on a phone.
    for cell in sorted(found, key=lambda cell: cell.delay):
        loops.setdefault(cell.loop, []).append(cell)
    columns = min(2, len(loops))
    rows = -(-len(loops) // columns)
    figure, drawn = panels(3.4 * columns, 2.7 * rows + 0.9, columns, rows, sharex=True)
    for axes in drawn[len(loops) :]:
        axes.set_visible(False)
    for place, (axes, (title, cells)) in enumerate(zip(drawn, loops.items(), strict=False)):
        noisy = [cell for cell in cells if cell.batch is not None]
        sizes = np.array([cell.batch for cell in noisy], dtype=np.float64)
        first, last = noisy[0], 2 * sizes[-1]
        dense = np.geomspace(sizes[0], sizes[-1], 60)
        one = [
            stability_threshold(first.update_rule, first.delay, curvature_noise=kappa)
            for kappa in first.kappa * sizes[0] / dense
        ]
        every = [cell.all_directions for cell in noisy]
        quiet = "without noise: a*(delay)"
        axes.axhline(first.mean_threshold, color="0.5", lw=1.0, ls=":", label=quiet)
        axes.plot(dense, one, "--", color=BLUE, lw=1.3, label="predicted, one direction (κ)")
        axes.plot(sizes, every, "-", color=BLACK, lw=1.3, label="predicted, all directions")
        for cell in cells:
            mark(
                axes,
                last if cell.batch is None else cell.batch,
                cell.interval,
                fmt="o",
                color=RED,
                mfc="white" if cell.batch is None else RED,
                ms=5.5,
                capsize=3,
                label="measured" if cell is cells[0] else None,
            )
        axes.set(xscale="log", yscale="log")
        axes.set_title(title, fontsize=10.5)
        axes.xaxis.set_minor_locator(NullLocator())
        ticks = [*sizes.astype(int).tolist(), int(last)]
        axes.set_xticks(ticks, [*(str(size) for size in ticks[:-1]), "full"])
        plain_ticks(axes.yaxis, (1, 1.5, 2, 3, 5, 7))
        if place % columns == 0:
            axes.set_ylabel("learning rate × sharpness")
        if place + columns >= len(loops):
            axes.set_xlabel("samples in a mini-batch")
    return finish(figure, *drawn[: len(loops)], ncols=2, fontsize=9)
