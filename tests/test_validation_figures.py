"""The pictures of the edge experiment show what was measured, in a look that needs no colour."""

from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")

from matplotlib.axes import Axes
from matplotlib.figure import Figure

import delaystability as ds
from delaystability.model.optimizer import steady_gain
from delaystability.plot.experiments.edge import courses_figure, thresholds_figure
from delaystability.plot.style import COLOURS, DASHES, MARKERS, tidy
from delaystability.validation.experiments.edge import BAND, EXPERIMENT, Cell, EdgeRun
from delaystability.validation.sharpening import late

SIZES = EXPERIMENT.sizes


def run(optimizer: ds.Optimizer, delay: int, seed: int, target: float) -> EdgeRun:
    """A run that rises to its edge and hovers there, as noisy as its seed says."""
    threshold = float(ds.stability_threshold(optimizer, delay))
    random = np.random.default_rng([seed, delay])
    sharpness = target * np.minimum(1, np.linspace(0.4, 2, 31)) * random.normal(1, 0.02, 31)
    return EdgeRun(
        plan=SIZES["quick"],
        optimizer=optimizer.name,
        momentum=optimizer.parameters.get("momentum"),
        delay=delay,
        seed=seed,
        free=False,
        begin="settled",
        lead_in=0,
        target_sharpness=target,
        threshold=threshold,
        learning_rate=threshold / target,
        steady_gain=steady_gain(optimizer, delay),
        updates=300 * (delay + 1),
        loss=np.geomspace(1, 1e-3, 31),
        sharpness=sharpness,
        diverged=False,
    )


@pytest.fixture(scope="module")
def cells() -> list[Cell]:
    return [
        Cell(tuple(run(optimizer, delay, seed, 5.0) for seed in range(3)))
        for optimizer in (ds.SGD(), ds.HeavyBall(0.9), ds.ShiftedMomentum(0.9))
        for delay in (0, 2, 8)
    ]


@pytest.fixture(scope="module")
def free() -> tuple[EdgeRun, ...]:
    return (run(ds.SGD(), 0, 0, 20.0),)


def drawn(axes: Axes) -> list[np.ndarray]:
    return [np.asarray(line.get_ydata()) for line in axes.get_lines()]


def png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def test_trained_networks_are_drawn_on_the_threshold_curves(cells: list[Cell]) -> None:
    above, below = thresholds_figure(cells, BAND).axes
    delays = np.arange(9)
    for optimizer, own in ((ds.SGD(), cells[:3]), (ds.HeavyBall(0.9), cells[3:6])):
        gain = steady_gain(optimizer, 3)
        curve = ds.stability_threshold(optimizer, delays) * gain
        marks = [
            np.median([run.learning_rate * gain * late(run.sharpness) for run in cell.runs])
            for cell in own
        ]
        assert any(len(values) == 9 and np.allclose(values, curve) for values in drawn(above))
        assert any(len(values) == 3 and np.allclose(values, marks) for values in drawn(above))
        ratios = [cell.settled.interval.value for cell in own]
        assert any(len(values) == 3 and np.allclose(values, ratios) for values in drawn(below))
    assert "9 of 9 at the edge" in below.get_title()


def test_each_delay_has_a_panel_with_the_course_of_each_optimizer(
    cells: list[Cell], free: tuple[EdgeRun, ...]
) -> None:
    panels = courses_figure(cells, free, BAND).axes
    assert [axes.get_title() for axes in panels] == ["delay 0", "delay 2", "delay 8", ""]
    for axes, delay in zip(panels, (0, 2, 8), strict=False):
        for cell in cells:
            course = any(
                np.array_equal(values, cell.runs[0].sharpness / cell.runs[0].edge)
                for values in drawn(axes)
            )
            assert course == (cell.runs[0].delay == delay)
    assert any(np.array_equal(values, free[0].sharpness / 5.0) for values in drawn(panels[0]))
    labels = [text.get_text() for text in panels[-1].get_legend().get_texts()]
    assert labels[:4] == ["SGD", "Heavy ball", "Shifted momentum", "free run (delay 0)"]


@pytest.mark.slow
def test_a_diverged_run_can_be_drawn(cells: list[Cell], free: tuple[EdgeRun, ...]) -> None:
    sharpness = cells[0].runs[0].sharpness.copy()
    sharpness[3:] = np.nan
    broken = replace(cells[0].runs[0], sharpness=sharpness, diverged=True)
    some = [Cell((broken,)), *cells[1:]]
    alone = [Cell((broken,))]
    for chosen in (some, alone):
        for figure in (thresholds_figure(chosen, BAND), courses_figure(chosen, free, BAND)):
            assert png(figure).startswith(b"\x89PNG")


def test_the_series_are_told_apart_without_colour() -> None:
    assert len(COLOURS) == len(DASHES) == len(MARKERS)
    assert len(set(MARKERS)) == len(MARKERS)
    assert len(set(COLOURS)) == len(COLOURS)


def test_tidy_leaves_two_spines() -> None:
    axes = Figure().subplots()
    tidy(axes)
    assert [name for name, spine in axes.spines.items() if spine.get_visible()] == [
        "left",
        "bottom",
    ]


@pytest.mark.slow
def test_figures_do_not_load_pyplot() -> None:
    code = (
        "import sys, delaystability.plot.experiments.edge\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
