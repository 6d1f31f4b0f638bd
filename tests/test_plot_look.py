"""Pictures are legible at column width and on a slide, and need no colour to be read."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from itertools import combinations, pairwise

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import IdentityTransform

import delaystability as ds
import delaystability.plot as plot
from delaystability.plot.labels import described, described_delay, plain_number
from delaystability.plot.style import COLOURS, DASHES, MARKERS, SIZES, STABLE, UNSTABLE, look

LOG = ds.MeasuredDelay.from_log(np.random.default_rng(0).poisson(6, 300))
DATA = plot.Measurements(
    "learning rate × sharpness", list("abcdefg"), np.geomspace(0.1, 9, 7), np.geomspace(0.1, 9, 7)
)
PICTURES = {
    "map": lambda **size: plot.stability_map(ds.HeavyBall(0.9), sharpness=20.0, **size),
    "momentum": lambda **size: plot.momentum_map(
        ds.ShiftedMomentum(0.9), 4, np.linspace(0, 0.95, 20), **size
    ),
    "roots": lambda **size: plot.root_locus(ds.ShiftedMomentum(0.9), 4, **size),
    "rule": lambda **size: plot.adjustment_rule(**size),
    "shares": lambda **size: plot.partly_fresh(**size),
    "sequences": lambda **size: plot.any_sequence(**size),
    "undecided": lambda **size: plot.any_sequence(ds.HeavyBall(0.5), [2, 4, 8], **size),
    "outer": lambda **size: plot.outer_loops(rate=0.7, **size),
    "oscillations": lambda **size: plot.oscillations(**size),
    "floor": lambda **size: plot.oscillations(loss=True, **size),
    "speed": lambda **size: plot.speed([1, 4, 32], **size),
    "condition": lambda **size: plot.speed(4, [10, 1e4], share=False, **size),
    "batches": lambda **size: plot.batch_edge(ds.HeavyBall(0.9), **size),
    "escape": lambda **size: plot.escape(ds.HeavyBall(0.9), **size),
    "histogram": lambda **size: plot.staleness_histogram(LOG, **size),
    "implied": lambda **size: plot.implied_thresholds(ds.HeavyBall(0.9), LOG, **size),
    "measured": lambda **size: plot.measured(DATA, **size),
}


# Of two colours and of many lines, small and large: the quick tests.
QUICK = {("roots", "column"), ("histogram", "slide"), ("measured", "column")}


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((name, size), marks=() if (name, size) in QUICK else pytest.mark.slow)
        for name in PICTURES
        for size in ("column", "slide")
    ],
)
def picture(request) -> tuple[Axes, str]:
    name, size = request.param
    axes = PICTURES[name](size=size)
    axes.figure.set_dpi(100)
    FigureCanvasAgg(axes.figure).draw()
    return axes, size


def words(figure: Figure) -> Iterator[Text]:
    """Every text that is seen; labels of ticks beyond the limits are not drawn."""
    beyond = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
            margin = 1e-9 * (high - low)
            beyond |= {
                label
                for tick in ticks
                for label in (tick.label1, tick.label2)
                if not low - margin <= tick.get_loc() <= high + margin
            }
    for text in figure.findobj(Text):
        if text.get_visible() and text.get_text().strip() and text not in beyond:
            yield text


def collisions(figure: Figure) -> list[tuple[str, str]]:
    boxes = [(text.get_text(), text.get_window_extent().padded(-1)) for text in words(figure)]
    return [(a, b) for (a, one), (b, two) in combinations(boxes, 2) if one.overlaps(two)]


@pytest.mark.quick(1)
def test_no_text_overlaps_another(picture):
    axes, _ = picture
    assert len(list(words(axes.figure))) > 8
    assert collisions(axes.figure) == []


@pytest.mark.slow
def test_the_test_of_overlaps_sees_one():
    axes = plot.escape(ds.SGD(), [0, 1])
    FigureCanvasAgg(axes.figure).draw()
    assert collisions(axes.figure) == []
    corner = axes.get_legend().get_texts()[0].get_window_extent().p0
    axes.figure.text(*corner, "delay 0", transform=IdentityTransform())
    FigureCanvasAgg(axes.figure).draw()
    assert ("delay 0", "delay 0") in collisions(axes.figure)


@pytest.mark.quick(2)
def test_all_text_is_inside_the_figure(picture):
    axes, _ = picture
    whole = axes.figure.bbox
    for text in words(axes.figure):
        box = text.get_window_extent()
        assert box.x0 >= whole.x0 - 1 and box.x1 <= whole.x1 + 1, text.get_text()
        assert box.y0 >= whole.y0 - 1 and box.y1 <= whole.y1 + 1, text.get_text()


def test_text_is_no_smaller_than_seven_points_at_column_width(picture):
    axes, size = picture
    width, _, points = SIZES[size]
    assert axes.figure.get_figwidth() == width
    sizes = [text.get_fontsize() for text in words(axes.figure)]
    assert min(sizes) >= 0.8 * points - 1e-9
    assert SIZES["column"][0] <= 3.3 and 0.8 * SIZES["column"][2] > 6.3


def test_a_legend_hides_no_mark_or_line(picture):
    axes, _ = picture
    legend = axes.get_legend()
    if legend is None:
        return
    box = legend.get_window_extent()
    for line in axes.get_lines():
        points = line.get_transform().transform(np.column_stack(line.get_data()))
        dense = np.concatenate([np.linspace(a, b, 50) for a, b in pairwise(points)] or [points])
        hidden = (dense > box.p0).all(axis=1) & (dense < box.p1).all(axis=1)
        assert not hidden.any(), line.get_label()


def test_axes_are_labelled_and_titled(picture):
    axes, _ = picture
    assert axes.get_xlabel()
    assert axes.get_title()
    assert axes.get_ylabel() or next(iter(axes.get_yticklabels())).get_text()


# Colours


def lab(colours: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of linear RGB, D65."""
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    xyz = colours @ to_xyz.T / to_xyz.sum(axis=1)
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = f.T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)


def nearest(colours, matrix: np.ndarray) -> float:
    """The smallest distance of two of the colours, seen through a matrix on linear RGB."""
    values = np.array([to_rgb(colour) for colour in colours])
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    seen = lab(np.clip(linear @ matrix.T, 0, 1))
    return min(float(np.linalg.norm(a - b)) for a, b in combinations(seen, 2))


# Machado, Oliveira, Fernandes (2009), severity 1.
DEUTERANOPIA = np.array(
    [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ]
)
PROTANOPIA = np.array(
    [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ]
)


@pytest.mark.parametrize("matrix", [np.eye(3), DEUTERANOPIA, PROTANOPIA])
def test_colours_stay_apart_with_colour_blindness(matrix):
    # Two colours 10 apart in L*a*b* are told apart side by side; 2.3 is just noticeable.
    assert nearest(COLOURS, matrix) > 10
    assert nearest([*STABLE, *UNSTABLE], matrix) > 10


def test_the_test_of_colours_sees_red_and_green():
    red_and_green = ("#8C6D00", "#5E8000")
    assert nearest(red_and_green, np.eye(3)) > 25
    assert nearest(red_and_green, DEUTERANOPIA) < 10


@pytest.mark.slow
def test_the_series_are_told_apart_without_colour():
    assert len(set(map(str, DASHES))) == len(set(MARKERS)) == len(COLOURS)
    grey = [(str(dashes), marker) for _, dashes, marker in map(look, range(len(ds.CATALOGUE)))]
    assert len(set(grey)) == len(grey)
    assert len({look(number)[1:] for number in range(49)}) == 49
    axes = plot.escape(ds.SGD(), [0, 1, 2, 3])
    assert len({line.get_linestyle() + str(line._dash_pattern) for line in axes.get_lines()}) == 4
    assert {text.get_text() for text in plot.stability_map(ds.SGD(), [0, 1]).texts} == {
        "stable",
        "unstable",
    }


# Files


@pytest.mark.slow
def test_every_format_is_written_and_repeats_itself(tmp_path):
    pictures = [plot.escape(ds.SGD(), [0, 1]) for _ in range(2)]
    for suffix, start in ((".png", b"\x89PNG"), (".pdf", b"%PDF"), (".svg", b"<?xml")):
        first, second = (
            plot.save(picture, tmp_path / f"{name}{suffix}").read_bytes()
            for name, picture in zip("ab", pictures, strict=True)
        )
        assert first.startswith(start)
        assert first == second
    svg = (tmp_path / "a.svg").read_text()
    assert "<path" in svg and "<image" not in svg
    for wrong in ("picture", "picture.jpg"):
        with pytest.raises(ValueError, match=r"must end in .pdf, .png, .svg; got"):
            plot.save(Figure(), tmp_path / wrong)


def test_pictures_are_drawn_on_given_axes_in_their_style():
    left, right = Figure().subplots(1, 2)
    assert plot.adjustment_rule(axes=left) is left
    assert plot.staleness_histogram(LOG, axes=right) is right
    assert left.figure is right.figure
    assert left.title.get_fontsize() == 12  # matplotlib's own


@pytest.mark.slow
def test_neither_pyplot_nor_the_style_of_the_user_is_touched(tmp_path):
    code = (
        "import sys, matplotlib, delaystability as ds, delaystability.plot as plot\n"
        "before = matplotlib.rcParams.copy()\n"
        "plot.save(plot.root_locus(ds.SGD(), 2), sys.argv[1])\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
        "assert matplotlib.rcParams.copy() == before\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "roots.png")], check=True)


def test_words_are_those_of_the_field():
    assert described(ds.SGD()) == "SGD"
    assert described(ds.EMAMomentum(0.5)) == "EMA momentum 0.5"
    assert described(ds.HeavyBall(0.9)) == "heavy ball 0.9"
    assert described(ds.HeavyBall(0.9), momentum=False) == "heavy ball"
    assert described_delay(4) == described_delay(ds.FixedDelay(4)) == "delay 4"
    assert described_delay(ds.MeasuredDelay.from_log([1, 2])) == "mean delay 1.5"
    assert [plain_number(value) for value in (0, 0.001, 20, 1e-4, 2e5)] == [
        "0",
        "0.001",
        "20",
        "$10^{-4}$",
        r"$2\times10^{5}$",
    ]
