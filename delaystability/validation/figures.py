"""The look that the experiments' pictures share."""

from __future__ import annotations

from matplotlib.axes import Axes

__all__ = ["COLOURS", "DASHES", "MARKERS", "tidy"]

COLOURS = ("#000000", "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9")
"""Okabe and Ito's palette, told apart with every common colour vision."""

DASHES = ("-", "-", "--", "-.", ":", "--", "-.")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
"""Told apart without any colour."""


def tidy(axes: Axes) -> None:
    """No frame above and on the right, and a faint grid."""
    axes.spines["top"].set_visible(False)
    axes.spines["right"].set_visible(False)
    axes.grid(alpha=0.25, lw=0.6)
