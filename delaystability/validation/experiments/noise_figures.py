"""The picture of the noise experiment, drawn without pyplot's global state."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from delaystability.questions.bounds import stability_threshold
from delaystability.validation.experiments.noise_verdict import Cell, Thresholds
from delaystability.validation.experiments.rule import rule_of

__all__ = ["noise_figure"]

# Okabe and Ito's palette, told apart with every common colour vision.
_MEASURED, _EVERY, _ONE = "#D55E00", "#000000", "#0072B2"


def noise_figure(found: Thresholds) -> Figure:
    """Thresholds of the mean square against the size of mini-batches, one panel for each loop.

    The curve of one direction is drawn from kappa(B) = kappa(1) / B for every B. Marks are medians
    over the repeats with 95 % intervals; the last one has the full batch, without noise.

    Parameters
    ----------
    found : Thresholds
    """
    loops: dict[tuple[str, float | None, int], list[Cell]] = {}
    for cell in found.cells:
        loops.setdefault(cell.loop, []).append(cell)
    columns = min(3, max(2, len({cell.delay for cell in found.cells})))
    rows = -(-len(loops) // columns)
    figure = Figure(figsize=(3.7 * columns + 0.6, 3.3 * rows + 0.9), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True)
    for place, axes in enumerate(panels.flat):
        if place >= len(loops):
            axes.set_visible(False)
            continue
        cells = list(loops.values())[place]
        noisy = [cell for cell in cells if cell.batch is not None]
        sizes = np.array([cell.batch for cell in noisy], dtype=np.float64)
        last = 2 * sizes[-1]
        first = noisy[0]
        optimizer = rule_of(first.optimizer, first.momentum)
        dense = np.geomspace(sizes[0], sizes[-1], 60)
        kappa = first.kappa * sizes[0] / dense
        one = [stability_threshold(optimizer, first.delay, curvature_noise=k) for k in kappa]
        axes.axhline(first.mean, color="0.5", lw=1.0, ls=":", label="without noise: a*(delay)")
        axes.plot(dense, one, "--", color=_ONE, lw=1.3, label="predicted, one direction (κ)")
        axes.plot(
            sizes, [cell.all_directions for cell in noisy], "-", color=_EVERY, lw=1.3,
            label="predicted, all directions",
        )  # fmt: skip
        for cell in cells:
            interval = cell.interval
            if not np.isfinite(interval.value):
                continue
            ends = [interval.value - interval.low, interval.high - interval.value]
            bars = np.maximum(np.nan_to_num(ends, nan=0.0), 0.0)[:, None]
            axes.errorbar(
                last if cell.batch is None else cell.batch, interval.value, bars, fmt="o",
                color=_MEASURED, mfc="white" if cell.batch is None else _MEASURED, ms=5.5,
                capsize=3, label="measured" if cell is cells[0] else None,
            )  # fmt: skip
        axes.set(xscale="log", yscale="log")
        axes.set_title(first.title, fontsize=10.5)
        axes.xaxis.set_minor_locator(NullLocator())
        ticks = [*sizes.astype(int).tolist(), int(last)]
        axes.set_xticks(ticks, [*(str(size) for size in ticks[:-1]), "full"])
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.spines["top"].set_visible(False)
        axes.spines["right"].set_visible(False)
        axes.grid(alpha=0.25, lw=0.6)
        if place % columns == 0:
            axes.set_ylabel("learning rate × sharpness")
        if place + columns >= len(loops):
            axes.set_xlabel("samples in a mini-batch")
    handles, labels = panels.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    return figure
