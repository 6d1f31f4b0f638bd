"""The experiment on arbitrary delays: its sequences, a trial by the plain loop, the verdict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("joblib")
pytest.importorskip("matplotlib")

import torch

import delaystability as ds
from delaystability.validation.delay_sequences import driven_sequence, tried_sequences
from delaystability.validation.experiments import load_experiment
from delaystability.validation.experiments.arbitrary_delay import (
    EXPERIMENT,
    KINDS,
    LateReads,
    judge,
)
from delaystability.validation.perturbed_runs import START, trained_minimum
from tests.finished import drawn, finished

SIZES = EXPERIMENT.sizes


def grown(optimizer: ds.Optimizer, gain: float, delays: np.ndarray) -> float:
    """How much larger the last swings are than the first ones, by the loop of one curvature."""
    momentum = float(optimizer.parameters.get("momentum", 0.0))
    w, u = [1.0] * 64, 0.0
    for delay in delays:
        u = momentum * u + gain * w[-1 - delay]
        w.append(w[-1] - u)
    quarter = len(delays) // 4
    size = np.abs(w[64:])
    return float(size[-quarter:].max() / size[:quarter].max())


# The sequences -----------------------------------------------------------------------------------


@pytest.mark.parametrize("longest", [1, 5, 16])
def test_driven_delays_leave_above_the_threshold_of_every_sequence(longest: int) -> None:
    edge = float(ds.stability_threshold(ds.SGD(), ds.BoundedDelay(longest)))
    random = np.random.default_rng(0)
    for share in (0.97, 1.03):
        delays = driven_sequence(ds.SGD(), share * edge, longest, 400 * (longest + 1), random)
        assert delays.min() >= 0 and delays.max() <= longest
        assert (grown(ds.SGD(), share * edge, delays) > 1) == (share > 1)
    # Negative control: random delays return at the same gain.
    drawn_ones = random.integers(longest + 1, size=400 * (longest + 1))
    assert longest == 1 or grown(ds.SGD(), 1.03 * edge, drawn_ones) < 1


def test_driven_delays_with_momentum_and_strays_stay_in_bounds() -> None:
    random = np.random.default_rng(1)
    optimizer = ds.Nesterov(0.9)
    delays = driven_sequence(optimizer, 1.0, 3, 3000, random, stray=0.3)
    assert set(delays.tolist()) == {0, 1, 2, 3}


def test_the_tried_sequences_are_of_all_kinds_and_differ() -> None:
    found = tried_sequences(ds.SGD(), 0.3, 4, 40, 200, 7)
    assert len(found) == 40
    assert all(log.min() >= 0 and log.max() <= 4 for log in found)
    listed = [log.tolist() for log in found]
    assert all([delay] in listed for delay in range(5))
    assert ds.BoundedDelay(4).extremal_log().sequence.tolist() in listed
    assert any(set(log) == {0, 4} and len(log) == 200 for log in listed)
    assert len({tuple(log) for log in listed}) >= 38
    again = tried_sequences(ds.SGD(), 0.3, 4, 40, 200, 7)
    assert all(np.array_equal(a, b) for a, b in zip(found, again, strict=True))


# A trial -----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_runs_by_the_extremal_log_leave_a_minimum_where_predicted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert load_experiment("arbitrary-delay") is EXPERIMENT
    tiny = replace(SIZES["quick"], minima=1, longest=(2,), tried=5)
    monkeypatch.setitem(SIZES, "quick", tiny)
    trials = finished(EXPERIMENT, EXPERIMENT.chunks("quick"))
    cells = {cell.kind: cell for cell in EXPERIMENT.rows(trials)}
    assert tuple(cells) == KINDS and set(drawn(EXPERIMENT, trials)) == {"critical"}
    worst = cells["worst"]
    edge = float(ds.stability_threshold(ds.SGD(), ds.BoundedDelay(2)))
    assert worst.necessary == pytest.approx(edge) and worst.critical == pytest.approx(
        edge, rel=0.01
    )
    assert cells["longest"].critical == pytest.approx(worst.fixed, rel=0.01)
    assert (cells["below"].rates < 0).all() and cells["below"].rates.size == 6
    assert (cells["above"].rates > 0).any() and np.isnan(cells["above"].critical)

    site = trained_minimum(tiny.hidden, tiny.images, worst.minimum_seed, "cpu", "float64")
    log, point = ds.BoundedDelay(2).extremal_log().sequence, site.minimum.parameters
    for gain, rate in zip(worst.gains[[0, -1]], worst.rates[[0, -1]], strict=True):
        w = [point + START * site.minimum.direction] * 3
        lr, sizes = gain / worst.sharpness, []
        for t in range(worst.updates):
            late = w[-1 - log[t % len(log)]]
            w.append(w[-1] - lr * site.problem.gradient(late[None])[0])
            sizes.append(float((w[-1] - point).norm()))
            if not START / 900 < sizes[-1] < 900 * START:
                break
        assert isinstance(w[-1], torch.Tensor)
        third = len(sizes) // 3
        plain = np.log(max(sizes[-third:]) / max(sizes[third : 2 * third])) / third
        assert plain == pytest.approx(rate, rel=0.3) and (rate > 0) == (gain > edge)


# The verdict -------------------------------------------------------------------------------------


def made_up(change: Callable[[LateReads], dict[str, object]] = lambda cell: {}) -> list[LateReads]:
    """Trials that agree with the predictions, but for a change."""
    cells = []
    for longest in (2, 4):
        edge = float(ds.stability_threshold(ds.SGD(), ds.BoundedDelay(longest)))
        fixed = float(ds.stability_threshold(ds.SGD(), longest))
        critical = {"worst": edge, "longest": fixed, "random": 2 * fixed}
        for start in range(3):
            for kind in KINDS:
                cell = LateReads(
                    plan=SIZES["quick"],
                    optimizer="sgd",
                    momentum=None,
                    longest=longest,
                    kind=kind,
                    minimum_seed=start,
                    seed=0,
                    sufficient=edge,
                    necessary=edge,
                    fixed=fixed,
                    method="exact",
                    gains=np.array([0.9, 1.1]),
                    rates=np.array([-0.1, 0.1 if kind == "above" else -0.05]),
                    critical=critical.get(kind, float("nan")) * (1 + 1e-4 * start),
                )
                cells.append(replace(cell, **change(cell)))
    return cells


def failed(cells: list[LateReads]) -> list[str]:
    return [line.statement for line in judge(cells).lines if line.fails]


def test_the_verdict_holds_for_what_is_predicted() -> None:
    verdict = judge(made_up())
    assert verdict.holds, verdict.lines
    assert verdict.summary["tables"][0]["rows"][0][0] == "SGD, delays up to 2"


@pytest.mark.parametrize(
    ("kind", "change", "told"),
    [
        ("worst", lambda cell: {"critical": cell.fixed}, "extremal log leaves from"),
        ("worst", lambda cell: {"critical": cell.fixed}, "Control: the threshold of the longest"),
        ("longest", lambda cell: {"critical": 0.97 * cell.fixed}, "With the longest delay"),
        ("below", lambda cell: {"rates": np.array([-0.1, 0.01])}, "no sequence that is tried"),
        ("below", lambda cell: {"rates": np.array([-0.1, np.nan])}, "no sequence that is tried"),
        ("above", lambda cell: {"rates": np.array([-0.1, -0.1])}, "Control: 3 % above"),
        ("random", lambda cell: {"critical": 0.9 * cell.fixed}, "Random delays"),
    ],
)
def test_the_verdict_sees_what_is_not_so(
    kind: str, change: Callable[[LateReads], dict[str, object]], told: str
) -> None:
    found = failed(made_up(lambda cell: change(cell) if cell.kind == kind else {}))
    assert any(told in statement for statement in found), found
