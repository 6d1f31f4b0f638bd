"""The picture of the certified thresholds."""

from __future__ import annotations

import io
import re

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from delaystability.model.catalogue import CATALOGUE
from delaystability.plot.style import look
from delaystability.questions.bounds import stability_threshold
from delaystability.verification.thresholds import ThresholdRow

__all__ = ["certified_figure", "svg"]

_MOMENTUM = 0.9


def certified_figure(rows: tuple[ThresholdRow, ...]) -> Figure:
    """Thresholds against delay: the float kernel as lines, certified enclosures as marks.

    Parameters
    ----------
    rows : tuple of ThresholdRow
        Those with the momentum 0.9, or without any, are drawn.
    """
    figure = Figure(figsize=(7.2, 5.2), layout="constrained")
    axes = figure.subplots()
    longest = max(row.delay for row in rows)
    delays = np.unique(np.geomspace(1, longest + 1, 120).astype(int) - 1)
    for place, name in enumerate(CATALOGUE):
        chosen = [row for row in rows if row.name == name and row.momentum in (None, _MOMENTUM)]
        if not chosen:
            continue
        parameters = {} if chosen[0].momentum is None else {"momentum": _MOMENTUM}
        optimizer = CATALOGUE[name].example(**parameters)
        colour, dashes, marker = look(place)
        axes.plot(
            delays + 1,
            stability_threshold(optimizer, delays),
            color=colour,
            ls=dashes,
            lw=1.4,
        )
        axes.plot(
            [row.delay + 1 for row in chosen],
            [float(row.certificate.lower) for row in chosen],
            marker,
            color=colour,
            ms=6,
            mec="white",
            label=f"{optimizer.title}{f', momentum {_MOMENTUM:g}' if parameters else ''}",
        )
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="delay + 1 (updates)",
        ylabel=r"largest stable learning rate $\times$ sharpness",
    )
    axes.grid(True, which="major", color="0.9", lw=0.6)
    axes.legend(frameon=False, fontsize=9)
    return figure


def svg(figure: Figure) -> str:
    """The figure as an <svg> element that scales with the page, the same from run to run."""
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "delaystability"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    return re.sub(r'<svg ([^>]*?)height="[^"]*"([^>]*?)width="[^"]*"', r"<svg \1\2", text, count=1)
