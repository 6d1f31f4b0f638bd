"""The look that all pictures share: sizes, colours, line styles, and how they are saved."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence, Sized
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import ScaledTranslation

from delaystability.files.output_files import replace_file

__all__ = [
    "COLOURS",
    "Look",
    "check_told_apart",
    "line",
    "look",
    "DASHES",
    "MARKERS",
    "SIZES",
    "STABLE",
    "SUFFIXES",
    "UNSTABLE",
    "canvas",
    "checked_file",
    "legend_below",
    "picture_bytes",
    "save",
    "sheet",
    "tidy",
]

COLOURS = ("#000000", "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9")
"""Okabe and Ito's palette, told apart with every common colour vision."""

DASHES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (6, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
"""Told apart without any colour."""


class Look(NamedTuple):
    """How one series among several is drawn."""

    colour: str
    dashes: Any
    marker: str


def look(number: int) -> Look:
    """The look of a series by its number; the first 49 differ in dashes or marker."""
    turn, place = divmod(number, len(COLOURS))
    dashes = DASHES[(place + turn) % len(DASHES)]
    return Look(COLOURS[place], dashes, MARKERS[(place + 2 * turn) % len(MARKERS)])


def line(number: int, points: int, marks: int = 12) -> dict[str, Any]:
    """How `Axes.plot` draws a series of so many points: its look, with about so many marks."""
    colour, dashes, marker = look(number)
    every = max(1, points // marks)
    return {"color": colour, "ls": dashes, "marker": marker, "markevery": every}


def check_told_apart(argument: str, entries: Sized) -> None:
    """Refuse an argument without series, or with more than there are colours."""
    if not 1 <= len(entries) <= len(COLOURS):
        raise ValueError(f"{argument} must be 1 to {len(COLOURS)} {argument}; got {len(entries)}")


STABLE = ("#0B4F8A", "#3B83B8", "#7FB2D6", "#C6DDEF")
UNSTABLE = ("#FDE5CC", "#F9BC84", "#E5853F", "#B5520C")
"""From fast decay to slow, and from slow growth to fast: blue and orange, light next to zero."""

SIZES = {"column": (3.3, 2.6, 8.0), "page": (6.8, 4.4, 10.0), "slide": (10.0, 5.6, 18.0)}
"""Width and height in inches of one panel, and the size of the text in points."""

SUFFIXES = (".pdf", ".png", ".svg")


def _settings(size: str, panels: tuple[int, int], text: float) -> Any:
    if size not in SIZES:
        raise ValueError(f"size must be one of {', '.join(SIZES)}; got {size!r}")
    width, height, points = SIZES[size]
    points = points * text
    unit = points / 8
    columns, rows = panels
    return {
        "figure.figsize": (width * columns, height * rows),
        "figure.constrained_layout.use": True,
        "figure.dpi": 100,
        "font.size": points,
        "axes.titlesize": points,
        "axes.labelsize": points,
        "xtick.labelsize": 0.9 * points,
        "ytick.labelsize": 0.9 * points,
        "legend.fontsize": 0.875 * points,
        "legend.frameon": False,
        "lines.linewidth": 1.2 * unit,
        "lines.markersize": 4 * unit,
        "axes.linewidth": 0.6 * unit,
        "grid.linewidth": 0.4 * unit,
        "hatch.linewidth": 0.4 * unit,
        "patch.linewidth": 0.6 * unit,
        **{f"{axis}tick.major.width": 0.6 * unit for axis in "xy"},
        **{f"{axis}tick.minor.width": 0.4 * unit for axis in "xy"},
        **{f"{axis}tick.major.size": 2.8 * unit for axis in "xy"},
        **{f"{axis}tick.minor.size": 1.6 * unit for axis in "xy"},
    }


@contextmanager
def sheet(
    columns: int = 1,
    rows: int = 1,
    *,
    size: str = "column",
    text: float = 1.0,
    width: float = 1.0,
    height: float = 1.0,
) -> Iterator[list[Axes]]:
    """A new figure with panels to draw on, in a style that is legible at its size.

    Parameters
    ----------
    columns, rows : int
        Number of panels.
    size : "column" (3.3 in, 8 pt), "page" (6.8 in, 10 pt) or "slide" (10 in, 18 pt)
    text, width, height : float
        Size of the text and of a panel, in units of the size's own.

    Yields
    ------
    list of Axes
        Row by row.

    Raises
    ------
    ValueError
        For another size.
    """
    with matplotlib.rc_context(_settings(size, (columns, rows), text)):
        figure = Figure()
        figure.set_size_inches(figure.get_figwidth() * width, figure.get_figheight() * height)
        panels = list(figure.subplots(rows, columns, squeeze=False).flat)
        # Ticks are made when they are first asked for: here, while the style is set.
        for axes in panels:
            axes.tick_params()
            axes.get_xticklabels()
            axes.get_yticklabels()
        yield panels
        figure.draw_without_rendering()


@contextmanager
def canvas(axes: Axes | None, size: str, height: float = 1.0) -> Iterator[Axes]:
    """The axes that were given, or those of a new `sheet`."""
    if axes is not None:
        if not isinstance(axes, Axes):
            raise TypeError(f"axes must be matplotlib axes or None; got {axes!r}")
        yield axes
        return
    with sheet(size=size, height=height) as panels:
        yield panels[0]


def tidy(axes: Axes) -> None:
    """No frame above and on the right, and a faint grid."""
    axes.spines["top"].set_visible(False)
    axes.spines["right"].set_visible(False)
    axes.grid(alpha=0.25)


def legend_below(axes: Axes, order: Sequence[int] | None = None) -> None:
    """The legend in two columns below the axes, where it hides nothing; its entries in order."""
    handles, labels = axes.get_legend_handles_labels()
    places = range(len(labels)) if order is None else order
    figure: Any = axes.figure
    # Three lines of text below the axes, however high they are.
    down = ScaledTranslation(
        0, -3.2 * matplotlib.rcParams["font.size"] / 72, figure.dpi_scale_trans
    )
    axes.legend(
        [handles[place] for place in places],
        [labels[place] for place in places],
        loc="upper center",
        bbox_to_anchor=(0.45, 0),
        bbox_transform=axes.transAxes + down,
        ncols=2,
        handlelength=2.4,
        columnspacing=1.0,
        labelspacing=0.3,
        borderaxespad=0.0,
    )


def checked_file(path: str | Path) -> Path:
    """The path of a picture, refused unless it ends in .pdf, .png or .svg."""
    file = Path(path)
    if file.suffix.lower() not in SUFFIXES:
        raise ValueError(f"a picture must end in {', '.join(SUFFIXES)}; got {str(path)!r}")
    return file


def save(picture: Axes | Figure, path: str | Path, *, dpi: int = 300) -> Path:
    """Write a figure, or the figure of some axes; the same picture gives the same bytes.

    A file of this name is replaced, as by matplotlib, but whole or not at all; a link is refused.

    Parameters
    ----------
    picture : Axes or Figure
    path : path ending in .pdf or .svg (vector graphics) or .png
    dpi : int
        Dots per inch of a .png.

    Raises
    ------
    ValueError
        For another ending, or a link.
    OSError
        If the file cannot be written.
    """
    file = checked_file(path)
    replace_file(file, picture_bytes(picture, file, dpi=dpi))
    return file


def picture_bytes(picture: Axes | Figure, path: str | Path, *, dpi: int = 300) -> bytes:
    """What `save` writes to a file of this name."""
    file = checked_file(path)
    figure: Any = picture.figure if isinstance(picture, Axes) else picture
    kind = file.suffix.lower()[1:]
    # The date would make two equal pictures differ.
    metadata: dict[str, Any] = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}.get(kind, {})
    # TrueType fonts, as journals ask for.
    settings: Any = {"pdf.fonttype": 42, "svg.hashsalt": "delaystability"}
    with matplotlib.rc_context(settings):
        drawn = io.BytesIO()
        figure.savefig(drawn, format=kind, dpi=dpi, metadata=metadata)
    return drawn.getvalue()
