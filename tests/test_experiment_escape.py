"""Growth rates next to a minimum, and the experiment on escape from minima."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("joblib")
pytest.importorskip("matplotlib")


import delaystability as ds
from delaystability.files.trials import FinishedTrial, canonical
from delaystability.validation.experiment import Verdict
from delaystability.validation.experiments import escape, load_experiment
from delaystability.validation.experiments.escape import EXPERIMENT, wrong_delay
from delaystability.validation.perturbed_runs import (
    START,
    Site,
    crossing,
    growth,
    levels,
    log_distances,
    trained_minimum,
)
from delaystability.validation.training import Replica
from tests.finished import drawn, finished, judged

SIZES = EXPERIMENT.sizes

HIDDEN, IMAGES = 12, 24
TINY = replace(
    SIZES["quick"],
    hidden=HIDDEN,
    images=IMAGES,
    minima=1,
    optimizers=("sgd", "nesterov"),
    delays=(0, 1, 2),
)


@pytest.fixture(scope="module")
def site() -> Site:
    return trained_minimum(HIDDEN, IMAGES, 0, "cpu", "float64")


@pytest.fixture(scope="module")
def trials() -> list[FinishedTrial]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SIZES, "quick", TINY)
        return finished(EXPERIMENT, EXPERIMENT.chunks("quick", 0, "cpu", "float64"))


# Next to a minimum ------------------------------------------------------------------------------


def twin_distances(site: Site, optimizer: ds.Optimizer, delay: int, lr: float, updates: int):
    """The delayed loop as it is written in the formula."""
    point = site.minimum.parameters
    feedback, feedforward = optimizer.coefficients(delay)
    w, g, u = {0: point + START * site.minimum.direction}, {}, {}
    for t in range(updates):
        g[t] = site.problem.gradient(w[max(0, t - delay)][None])[0]
        u[t] = sum(value * g[t - lag] for lag, value in feedforward if t >= lag)
        u[t] = u[t] + sum(value * u[t - lag] for lag, value in feedback if t >= lag)
        w[t + 1] = w[t] - lr * u[t]
    return np.array([float((w[t] - point).norm()) for t in range(updates)])


@pytest.mark.quick(2)
@pytest.mark.parametrize("optimizer", [ds.SGD(), ds.Nesterov(0.6), ds.ShiftedMomentum(0.6)])
@pytest.mark.parametrize("delay", [0, 3])
def test_distances_are_those_of_the_plain_loop(
    site: Site, optimizer: ds.Optimizer, delay: int
) -> None:
    rates = ds.stability_threshold(optimizer, delay) / site.minimum.sharpness * np.array([0.9, 1.1])
    replicas = [Replica(optimizer, delay, rate) for rate in rates]
    found = log_distances(site, replicas, 50)
    for column, rate in zip(found.T, rates, strict=True):
        wanted = np.log(twin_distances(site, optimizer, delay, rate, 50))
        # A rescaled run stays where the loss is quadratic; the twin does not.
        near = np.maximum.accumulate(np.abs(wanted - np.log(START))) < 4
        assert near.sum() > 5
        np.testing.assert_allclose(column[near], wanted[near], atol=1e-4)


@pytest.mark.slow
def test_rescaling_lets_runs_go_on_at_their_rate(site: Site) -> None:
    gains = np.array([1.0, 1.6, 2.5])
    replicas = [Replica(ds.SGD(), 0, gain / site.minimum.sharpness) for gain in gains[1:]]
    found = log_distances(site, replicas, 300)
    for column, gain in zip(found.T, gains[1:], strict=True):
        # Over 100 nats: without rescaling the distance would be rounded away or overflow.
        np.testing.assert_allclose(
            np.diff(column), np.log(abs(1 - gain)), atol=1e-3 * abs(np.log(abs(1 - gain)))
        )


def test_runs_end_where_they_leave_or_arrive(site: Site) -> None:
    replicas = [Replica(ds.SGD(), 0, gain / site.minimum.sharpness) for gain in (0.5, 1.99, 2.5)]
    found = log_distances(site, replicas, 100, stop=1000)
    lengths = np.isfinite(found).sum(axis=0)
    # 2^-t passes 1/1000 at t = 10, for the fourth time at t = 13; 1.5^t passes 1000 at t = 18.
    assert lengths.tolist() == [13, 100, 18]
    assert np.isnan(found[18:, 2]).all() and np.nanmax(found) <= np.log(1000 * START)


def test_a_single_precision_minimum_is_refused() -> None:
    with pytest.raises(ValueError, match="dtype must be float64"):
        trained_minimum(HIDDEN, IMAGES, 0, "cpu", "float32")
    with pytest.raises(ValueError, match="dtype must be float64"):
        EXPERIMENT.chunks("quick", 0, "cpu", "float32")


@pytest.mark.parametrize("rate", [-0.3, -1e-4, 0.02, 0.7])
def test_the_growth_of_an_exponential_is_exact(rate: float) -> None:
    for updates in (6, 7, 50, 333):
        found, uncertainty = growth(rate * np.arange(updates) - 13)
        assert found == pytest.approx(rate, rel=1e-9) and uncertainty == pytest.approx(0, abs=1e-9)


def test_the_growth_of_an_oscillation_is_that_of_its_envelope() -> None:
    time = np.arange(2000)
    for rate in (-2e-3, 1e-4, 2e-3):
        logs = rate * time + np.log(np.abs(np.cos(0.05 * time + 0.3)))
        found, uncertainty = growth(logs)
        assert found == pytest.approx(rate, abs=1e-6) and uncertainty < 1e-6


def test_the_growth_of_what_hardly_ran_is_unknown() -> None:
    assert np.isnan(growth([1.0, 2.0, np.nan, np.nan, np.nan, np.nan, np.nan])).all()
    with pytest.raises(ValueError, match="more than 3 rows"):
        levels(np.zeros(3), 3)


def test_a_crossing_is_interpolated() -> None:
    assert crossing([1, 2, 4], [-1, -0.5, 1.5]) == pytest.approx(2.5)
    assert crossing([1, 2, 4], [-1, np.nan, 1]) == pytest.approx(2.5)
    assert np.isnan(crossing([1, 2], [-1, -2])) and np.isnan(crossing([1, 2], [1, 2]))


# The experiment ---------------------------------------------------------------------------------


def test_the_plan_is_the_same_for_the_same_arguments() -> None:
    plan = EXPERIMENT.chunks("default", 3, "cpu", "float64")
    again = EXPERIMENT.chunks("default", 3, "cpu", "float64")
    assert [chunk.key for chunk in plan] == [chunk.key for chunk in again]
    assert len(plan) == 3 * 7 * len(ds.CATALOGUE) and all(len(chunk.trials) == 1 for chunk in plan)
    assert [wrong_delay(delay) for delay in (0, 1, 2, 32)] == [1, 0, 1, 16]
    assert load_experiment("escape") is escape.EXPERIMENT


@pytest.mark.slow
def test_a_network_confirms_every_line(trials: list[FinishedTrial]) -> None:
    verdict = judged(EXPERIMENT, trials)
    assert not any(line.fails for line in verdict.lines), verdict.lines
    assert verdict.summary["cells"] == 6
    for cell in EXPERIMENT.rows(trials):
        assert cell.bracket[0] < cell.critical < cell.bracket[1]
    assert set(trials[0].settings) | set(trials[0].result) == set(EXPERIMENT.row.columns())


def _with(trials: list[FinishedTrial], **factors: float) -> Verdict:
    """The verdict on results some of whose numbers are multiplied."""
    changed = [
        FinishedTrial(
            trial.trial,
            canonical(
                {
                    name: np.multiply(value, factors[name]) if name in factors else value
                    for name, value in trial.result.items()
                }
            ),
        )
        for trial in trials
    ]
    return judged(EXPERIMENT, changed)


def test_wrong_predictions_fail(trials: list[FinishedTrial]) -> None:
    high = _with(trials, threshold=1.06)
    assert [not line.fails for line in high.lines[:2]] == [False, False]
    rates = _with(trials, predicted_rates=1.03)
    assert [not line.fails for line in rates.lines] == [True, True, True, False, True]
    # Had the control's threshold been right, the control would have failed.
    results = [trial.result for trial in trials]
    same = [
        FinishedTrial(t.trial, canonical({**r, "wrong_threshold": r["threshold"]}))
        for t, r in zip(trials, results, strict=True)
    ]
    assert [not line.fails for line in judged(EXPERIMENT, same).lines] == [
        True,
        True,
        True,
        True,
        False,
    ]


def test_runs_that_never_cross_count_as_misses(trials: list[FinishedTrial]) -> None:
    results = [{**trial.result, "critical": None, "bracket": [None, None]} for trial in trials]
    lost = [FinishedTrial(t.trial, canonical(r)) for t, r in zip(trials, results, strict=True)]
    verdict = judged(EXPERIMENT, lost)
    assert not verdict.holds and verdict.lines[0].fails
    assert verdict.lines[0].statistics["value"] == 0


def test_the_figures_have_axes_with_units(trials: list[FinishedTrial]) -> None:
    figures = drawn(EXPERIMENT, trials)
    assert set(figures) == {"critical", "rates"}
    for figure in figures.values():
        figure.canvas.draw()
        assert all(axes.get_ylabel() for axes in figure.axes)
        assert "update" in figure.axes[-1].get_xlabel() and figure.axes[0].get_legend()


# Other data -------------------------------------------------------------------------------------


def _mnist_like(folder):
    """Four files in the IDX format with random images of 6 by 6 pixels."""
    random = np.random.default_rng(0)
    for part, count in (("train", 60), ("t10k", 20)):
        for kind, array in (
            ("images-idx3-ubyte", random.integers(0, 256, (count, 6, 6))),
            ("labels-idx1-ubyte", random.integers(0, 10, count)),
        ):
            head = bytes([0, 0, 8, array.ndim])
            head += b"".join(size.to_bytes(4, "big") for size in array.shape)
            (folder / f"{part}-{kind}").write_bytes(head + array.astype(np.uint8).tobytes())
    return folder


def test_local_images_take_the_place_of_the_digits(tmp_path, monkeypatch):
    monkeypatch.setitem(SIZES, "quick", replace(TINY, optimizers=("sgd",), delays=(2,)))
    (chunk,) = EXPERIMENT.chunks("quick", 0, "cpu", "float64", data=_mnist_like(tmp_path))
    (digits,) = EXPERIMENT.chunks("quick", 0, "cpu", "float64")
    assert chunk.trials[0].key != digits.trials[0].key
    (result,) = EXPERIMENT.results(chunk)
    site = trained_minimum(
        HIDDEN, IMAGES, chunk.trials[0].settings["minimum_seed"], "cpu", "float64", str(tmp_path)
    )
    assert site.problem.network.sizes[0] == 36
    assert result["sharpness"] == site.minimum.sharpness
    assert result["threshold"] == ds.stability_threshold(ds.SGD(), 2)


def test_a_folder_without_images_is_refused(tmp_path):
    with pytest.raises(ValueError, match="data must be a folder"):
        EXPERIMENT.chunks("quick", 0, "cpu", "float64", data=tmp_path)
