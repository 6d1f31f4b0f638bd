"""Pipelines of trained networks: the runs, and what the experiment decides."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("joblib")
pytest.importorskip("matplotlib")

import torch

import delaystability as ds
from delaystability.files.trials import FinishedTrial, canonical
from delaystability.questions.stages import stage_sharpness
from delaystability.validation.experiments import load_experiment, pipeline
from delaystability.validation.experiments.pipeline import EXPERIMENT
from delaystability.validation.perturbed_runs import START
from delaystability.validation.staged_runs import (
    MODELS,
    StagedSite,
    hessian_times,
    log_gradients,
    sharpness_of_stages,
    staged_minimum,
)
from tests.finished import drawn, finished, judged

SIZES = EXPERIMENT.sizes

LAYERS, HIDDEN, IMAGES = 3, 6, 8
TINY = replace(SIZES["quick"], hidden=HIDDEN, images=IMAGES, optimizers=("sgd",))


@pytest.fixture(scope="module")
def site() -> StagedSite:
    return staged_minimum(LAYERS, HIDDEN, IMAGES, 0, "cpu", "float64")


@pytest.fixture(scope="module")
def trials() -> list[FinishedTrial]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SIZES, "quick", TINY)
        return finished(EXPERIMENT, EXPERIMENT.chunks("quick", 0, "cpu", "float64"))


def twin(site, optimizer, delays, lr, updates, stashed):
    """The pipeline as it is written in the formula."""
    point = site.minimum.parameters
    ends = np.cumsum(site.sizes)
    blocks = [slice(end - size, end) for end, size in zip(ends, site.sizes, strict=True)]
    w, g = {0: point + START * site.minimum.direction}, {}
    v: dict[int, torch.Tensor] = {-1: torch.zeros_like(point)}
    norms = []
    for t in range(updates):
        read = w[t].clone()
        if stashed:
            for block, delay in zip(blocks, delays, strict=True):
                read[block] = w[max(0, t - delay)][block]
        g[t] = site.problem.gradient(read[None])[0]
        norms.append(float(g[t].norm().log()))
        late = g[t].clone()
        if not stashed:
            for block, delay in zip(blocks, delays, strict=True):
                late[block] = g[max(0, t - delay)][block]
        v[t] = optimizer.momentum * v[t - 1] + late
        w[t + 1] = w[t] - lr * v[t]
    return np.array(norms)


@pytest.mark.parametrize("model", MODELS)
def test_the_runs_are_those_of_the_plain_loop(site, model):
    rule, delays, lr = ds.HeavyBall(0.5), (3, 1, 0), 0.1 / site.minimum.sharpness
    found = log_gradients(site, rule, delays, np.array([lr, 2 * lr]), 40, model=model)
    for column, rate in zip(found.T, (lr, 2 * lr), strict=True):
        wanted = twin(site, rule, delays, rate, 40, model == MODELS[0])
        # A relative rounding of 1e-16 / 1e-6 in each gradient.
        np.testing.assert_allclose(column, wanted, atol=1e-7)
    # Negative control: the two kinds of delay run differently.
    other = log_gradients(site, rule, delays, np.array([lr]), 40, model=MODELS[model == MODELS[0]])
    assert np.abs(other[:, 0] - found[:, 0]).max() > 1e-3


def test_an_unknown_kind_of_delay_is_refused(site):
    with pytest.raises(ValueError, match="model must be one of stashed weights"):
        log_gradients(site, ds.SGD(), (1, 0, 0), np.array([0.1]), 4, model="late")


def test_runs_end_where_they_leave_or_arrive(site):
    rates = np.array([0.01, 1.9, 3.0]) / site.minimum.sharpness
    found = log_gradients(site, ds.SGD(), (0, 0, 0), rates, 60)
    lengths = np.isfinite(found).sum(axis=0)
    # 2^t passes 1000 at t = 10, which is seen after the next eighth update.
    assert lengths[2] == 16 and lengths[0] == 60


@pytest.mark.slow
def test_the_sharpness_of_layers_is_that_of_the_whole_hessian(site):
    times = hessian_times(site)
    hessian = np.stack([times(unit) for unit in np.eye(len(site.minimum.parameters))])
    found = sharpness_of_stages(site)
    np.testing.assert_allclose(
        found, stage_sharpness((hessian + hessian.T) / 2, site.sizes), rtol=1e-6
    )
    assert sum(site.sizes) == len(hessian) == site.problem.parameter_count


def test_the_plan_is_the_same_for_the_same_arguments():
    plan, again = (EXPERIMENT.chunks("default", 3, "cpu", "float64") for _ in range(2))
    assert [chunk.key for chunk in plan] == [chunk.key for chunk in again]
    assert len(plan) == 3 * 2 * 2 * 4
    assert load_experiment("pipeline") is pipeline.EXPERIMENT
    with pytest.raises(ValueError, match="dtype must be float64"):
        EXPERIMENT.chunks("quick", 0, "cpu", "float32")


@pytest.mark.slow
def test_a_network_confirms_every_line(trials):
    verdict = judged(EXPERIMENT, trials)
    assert not any(line.fails for line in verdict.lines), verdict.lines
    assert set(trials[0].settings) | set(trials[0].result) == set(EXPERIMENT.row.columns())


def _with(trials, **changes):
    return judged(
        EXPERIMENT, [FinishedTrial(t.trial, canonical({**t.result, **changes})) for t in trials]
    )


def test_wrong_predictions_fail(trials):
    result = trials[0].result
    assert not _with(trials, exact=1.05 * result["exact"]).lines[0].holds
    apart = [result["critical"][0], 1.02 * result["critical"][1]]
    assert [not line.fails for line in _with(trials, critical=apart).lines[:2]] == [True, False]
    assert not _with(trials, safe=1.05 * result["exact"]).lines[2].holds
    assert not _with(trials, uniform=1.5 * result["safe"]).lines[3].holds
    # Had the reversed delays been right, or no different, the control would have failed.
    assert not _with(trials, reversed=result["exact"]).lines[4].holds
    shifted = {"reversed": 1.2 * result["exact"], "critical": [1.2 * result["exact"]] * 2}
    assert not _with(trials, **shifted).lines[4].holds


def test_runs_that_never_cross_count_as_misses(trials):
    lost = _with(trials, critical=[None, None])
    assert [not line.fails for line in lost.lines[:3]] == [False, False, False]


def test_the_figure_has_a_unit_and_a_line_for_each_network_and_optimizer(trials):
    (figure,) = drawn(EXPERIMENT, trials).values()
    figure.canvas.draw()
    assert "learning rate" in figure.axes[-1].get_xlabel()
    assert {"3 stages, SGD"} <= {label.get_text() for label in figure.axes[0].get_yticklabels()}
    assert [cell.layers for cell in EXPERIMENT.rows(trials)] == [3]
