"""The pictures show what was measured."""

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

import delaystability as ds
from delaystability.validation.edge import Configuration, Setting, run_edge
from delaystability.validation.edge_result import EdgeResult
from delaystability.validation.figures import edge_figure, predicted_measured_figure


@pytest.fixture(scope="module")
def result() -> EdgeResult:
    settings = (
        Setting(ds.SGD(), 0),
        Setting(ds.SGD(), 2),
        Setting(ds.HeavyBall(0.8), 1),
        Setting(ds.LinearOptimizer(feedforward={0: 0.5, 1: 0.5}), 1),
    )
    configuration = Configuration(
        images=40, hidden=(6, 6), target_sharpness=8.0, flow_time=10.0, measurements=6
    )
    return run_edge(settings, configuration=configuration)


def test_each_run_has_a_panel_with_its_ratio_and_its_loss(result: EdgeResult) -> None:
    figure = edge_figure(result)
    drawn = [line.get_ydata() for axes in figure.axes for line in axes.get_lines()]
    for run in result.runs:
        assert any(np.array_equal(values, run.ratio) for values in drawn)
        assert any(np.array_equal(values, run.loss) for values in drawn)
    visible = [axes for axes in figure.axes if axes.get_visible() and axes.get_title()]
    assert [axes.get_title().splitlines()[0] for axes in visible] == [
        run.setting for run in result.runs
    ]


def test_trained_networks_are_drawn_on_the_threshold_curves(result: EdgeResult) -> None:
    left, right = predicted_measured_figure(result).axes
    drawn = [np.asarray(line.get_ydata()) for line in left.get_lines()]
    curve = ds.stability_threshold(ds.SGD(), np.arange(11))
    marks = [run.learning_rate * run.median_sharpness for run in result.runs[:2]]
    assert any(np.array_equal(values, curve) for values in drawn)
    assert any(np.array_equal(values, marks) for values in drawn)
    sharpness = [np.asarray(line.get_ydata()) for line in right.get_lines()]
    assert any(np.array_equal(values, result.free.sharpness) for values in sharpness)


def test_a_diverged_run_can_be_drawn(result: EdgeResult) -> None:
    missing = result.runs[0].sharpness.copy()
    missing[3:] = np.nan
    run = replace(result.runs[0], sharpness=missing, loss=missing, diverged=True)
    broken = replace(result, runs=(run, *result.runs[1:]))
    figure = edge_figure(broken)
    assert "diverged" in figure.axes[0].get_title()
    for drawn in (figure, predicted_measured_figure(broken)):
        buffer = io.BytesIO()
        drawn.savefig(buffer, format="png")
        assert buffer.getvalue().startswith(b"\x89PNG")


def test_figures_do_not_load_pyplot() -> None:
    code = (
        "import sys, delaystability.validation.figures\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
