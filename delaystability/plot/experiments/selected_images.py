"""Figures of the selection experiment on images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from delaystability.plot.charts import BLUE, GREEN, RED, finish, mark, panels, plain_ticks

__all__ = ["images_figure"]

_RULES = {
    "adjusted": (BLUE, "o", "adjusted by the rule"),
    "kept": (RED, "s", "kept"),
    "inverse": (GREEN, "^", "divided by 1 + delay"),
}
_ROWS = (
    ("error_rate", 100.0, "test error (%)"),
    ("loss", 1.0, "training loss"),
    ("sharpness", 1.0, "final sharpness"),
)


def images_figure(runs: Any, titles: Mapping[Any, str]) -> Figure:
    """Test error, training loss and sharpness against the delay, a column for each optimizer.

    Marks are medians over the starts with 95 % intervals, of runs that did not diverge.

    Parameters
    ----------
    runs : ImageRuns
        Of one network and batch.
    titles : mapping from each series to its title
    """
    series = runs.by_series()
    columns = len(series)
    figure, drawn = panels(
        max(5.0, 3.1 * columns + 0.8), 8.0, columns, len(_ROWS), sharex=True, sharey="row"
    )
    for column, (key, own) in enumerate(series.items()):
        delays = own.values("delay")
        for row, (name, factor, label) in enumerate(_ROWS):
            axes = drawn[row * columns + column]
            for place, (rule, (colour, marker, told)) in enumerate(_RULES.items()):
                label_once: str | None = told
                for delay in delays:
                    cell = own.where(rule=rule, delay=delay, diverged=False).rows
                    middle = _middle(cell, name, factor)
                    if middle is None:
                        continue
                    at = (delay + 1.0) * (1 + 0.08 * (place - 1))
                    style: dict[str, Any] = {"fmt": marker, "color": colour, "ms": 5, "lw": 1.0}
                    mark(axes, at, middle, mfc="white", label=label_once, **style)
                    label_once = None
            axes.set_xscale("log")
            axes.set_xticks([delay + 1.0 for delay in delays], [str(delay) for delay in delays])
            axes.minorticks_off()
            if name != "error_rate":
                axes.set_yscale("log")
                plain_ticks(axes.yaxis, (1, 2, 5))
            if column == 0:
                axes.set_ylabel(label)
        drawn[column].set_title(titles[key].replace(", ", ",\n"), fontsize=10)
        drawn[(len(_ROWS) - 1) * columns + column].set_xlabel("delay (updates)")
    return finish(figure, *drawn, ncols=3 if columns > 1 else 2)


def _middle(cell: Any, name: str, factor: float) -> Any:
    from delaystability.numerics.statistics import median_of

    values = [factor * getattr(run, name) for run in cell]
    return median_of(values) if values else None
