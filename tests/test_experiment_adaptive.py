"""The experiment on adaptive optimizers: measured on quadratics, judged on made-up runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("joblib")
pytest.importorskip("matplotlib")

import torch
from torch import Tensor, nn

import delaystability as ds
from delaystability.files.trials import Chunk
from delaystability.validation.adaptive_findings import FREE, compared
from delaystability.validation.adaptive_networks import (
    ADAPTIVE_OPTIMIZERS,
    NETWORKS,
    MatrixConvolution,
    Training,
    begin_training,
)
from delaystability.validation.experiments import adaptive, load_experiment
from delaystability.validation.experiments.adaptive import (
    EXPERIMENT,
    FULL,
    MINI,
    AdaptiveRun,
    matrix_swings,
)
from delaystability.validation.swings import (
    Swing,
    block_lengths,
    mean_square_swing,
    watch_mean,
    watch_swing,
)
from delaystability.validation.task_data import TaskData
from delaystability.validation.verdict import Outcome
from tests.finished import drawn, finished, judged
from tests.helpers import EPS

SIZES = EXPERIMENT.sizes

H, F, U = Outcome.HOLDS, Outcome.FAILS, Outcome.UNDECIDED


# Measurements ------------------------------------------------------------------------------------


def test_a_swing_is_found_beside_a_slow_course() -> None:
    time = np.arange(300.0)
    slow = np.stack([1 + 0.01 * time - 1e-5 * time**2, -0.02 * time], axis=1)
    course = slow + np.sin(2 * np.pi * time / 30)[:, None] * [0.5, 2.0]
    found = mean_square_swing(course)
    # A parabola takes a small part of ten periods.
    np.testing.assert_allclose(found, [0.125, 2.0], rtol=0.02)
    assert (found < [0.125, 2.0]).all()
    # 300 numbers of size up to 6, each rounded a few times.
    assert mean_square_swing(slow).max() < (1000 * EPS) ** 2
    assert course.var(axis=0).max() > 2.5, "control: the slow course counts in a plain variance"


@pytest.mark.parametrize(
    ("updates", "period", "expected"),
    [(400, 20, [100] * 4), (400, 98.15, [400]), (400, 60, [200, 200]), (50, 99, [50])],
)
def test_blocks_hold_three_periods(updates: int, period: float, expected: list[int]) -> None:
    assert block_lengths(updates, period) == expected


class Quadratic(nn.Module):
    """Weights whose loss is half of the curvatures times their squares."""

    def __init__(self, curvatures: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones_like(curvatures))
        self.curvatures = curvatures

    def forward(self) -> Tensor:
        return (self.curvatures * self.weight.square()).sum() / 2


def quadratic(optimizer: str, delay: int, rate: float) -> tuple[Training, Quadratic]:
    model = Quadratic(torch.logspace(-1, 1, 12, dtype=torch.float64))
    weights = [model.weight]
    built = (
        torch.optim.AdamW(weights, lr=rate, betas=(0.9, 0.99), weight_decay=0.0)
        if optimizer == "adamw"
        else torch.optim.RMSprop(weights, lr=rate, alpha=0.99)
    )
    nothing = TaskData(*(torch.zeros(1),) * 4, 1)
    return Training(model, (ds.delayed(built, delay),), (model.weight,), nothing), model


def settled(optimizer: str, delay: int, rate: float = 0.003) -> tuple[Swing, Quadratic]:
    training, model = quadratic(optimizer, delay, rate)
    for _ in range(2000):
        training.update(model())
    period = ds.oscillation(rate, ADAPTIVE_OPTIMIZERS[optimizer], delay).period
    return watch_swing(training, model, 600, period), model


@pytest.mark.parametrize("delay", [1, 4])
@pytest.mark.parametrize("optimizer", ["adamw", "rmsprop"])
@pytest.mark.slow
def test_on_a_quadratic_everything_is_as_predicted(optimizer: str, delay: int) -> None:
    found, model = settled(optimizer, delay)
    kind = ADAPTIVE_OPTIMIZERS[optimizer]
    predicted = ds.oscillation(0.003, kind, delay).rms
    # beta2 is 0.99: the next order is a few percent.
    np.testing.assert_allclose(np.sqrt(found.mean_squares), predicted, rtol=0.06)
    trace = float((model.curvatures * torch.from_numpy(found.mean_squares)).sum() / 2)
    # The parabola takes a part of a few periods.
    assert found.cost == pytest.approx(trace, rel=0.04)
    assert found.cost == pytest.approx(found.floor, rel=0.06)
    threshold = float(ds.stability_threshold(kind.momentum_filter, delay))
    assert 0.95 < found.middle_gain / threshold < 1.25
    # A quadratic has the same Hessian everywhere, and the preconditioner is the same.
    assert found.gain == pytest.approx(found.middle_gain, rel=0.02)
    other = ds.oscillation(0.003, kind, 4 * delay).rms
    assert np.sqrt(found.mean_squares).max() < 0.8 * other, "control: that of another delay"


def test_watching_does_not_change_the_run() -> None:
    watched, plain = (begin_training("mlp", "adamw", 2, 0.002, 5) for _ in range(2))
    samples = watched.draw((32,), 7)
    watch_swing(watched, lambda: watched.smoothed(samples), 40, 10.0)
    for _ in range(40):
        plain.update(plain.smoothed(samples))
    for one, two in zip(watched.model.parameters(), plain.model.parameters(), strict=True):
        assert torch.equal(one, two)


def test_the_swing_of_a_matrix_is_that_of_a_singular_value() -> None:
    tall = nn.Parameter(torch.zeros(8, 2))
    square = nn.Parameter(torch.zeros(3, 3))
    nothing = TaskData(*(torch.zeros(1),) * 4, 1)
    training = Training(nn.Module(), (), (tall, square), nothing)
    # Every singular value swings with rms 0.1; that of the tall one twice as far by its shape.
    columns, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(8, 2)))
    parts = [(2 * 0.1 * columns) ** 2, (0.1 * np.eye(3)) ** 2]
    found = matrix_swings(training, np.concatenate([part.ravel() for part in parts]))
    np.testing.assert_allclose(found, [0.1, 0.1], rtol=10 * EPS)


# Networks ----------------------------------------------------------------------------------------


def test_a_convolution_whose_weight_is_a_matrix_is_one() -> None:
    torch.manual_seed(0)
    layer, images = MatrixConvolution(2, 5), torch.randn(3, 2, 8, 8)
    kernels = layer.weight.detach().reshape(5, 2, 3, 3)
    expected = nn.functional.conv2d(images, kernels, stride=2, padding=1)
    assert layer.weight.shape == (5, 18) and torch.equal(layer(images), expected)


@pytest.mark.parametrize("network", NETWORKS)
def test_muon_trains_matrices_and_adamw_the_rest(network: str) -> None:
    training = begin_training(network, "muon", 3, 0.01, 0)
    names = {id(weight): name for name, weight in training.model.named_parameters()}
    matrices = {names[id(weight)] for weight in training.watched}
    expected = {
        "mlp": {"1.weight", "3.weight"},
        "conv": {"0.weight", "2.weight", "5.weight"},
        "transformer": {
            f"blocks.0.{part}"
            for part in (
                "self_attn.in_proj_weight",
                "self_attn.out_proj.weight",
                "linear1.weight",
                "linear2.weight",
            )
        },
    }
    assert matrices == expected[network]
    trained = [
        {names[id(weight)] for group in one.param_groups for weight in group["params"]}
        for one in training.optimizers
    ]
    assert trained[0] == matrices and set.union(*trained) == set(names.values())
    assert len(trained) == 2 and not trained[0] & trained[1]
    assert {one.param_groups[0]["lr"] for one in training.optimizers} == {0.01, 0.001}


def test_gradients_arrive_late() -> None:
    """The first update of delay 2 that differs is the second: until then w_0's gradient counts."""
    runs = {delay: begin_training("mlp", "rmsprop", delay, 0.01, 1) for delay in (0, 2)}
    samples = runs[0].draw((16,), 0)
    same = []
    for _ in range(3):
        for run in runs.values():
            run.update(run.loss(samples))
        first, late = (list(run.model.parameters()) for run in runs.values())
        same.append(all(torch.equal(*pair) for pair in zip(first, late, strict=True)))
    assert same == [True, False, False]


def test_mini_batches_are_the_same_at_every_delay() -> None:
    one, two = (begin_training("mlp", "adamw", delay, 0.01, 1) for delay in (0, 4))
    assert torch.equal(one.draw((5, 8), 3), two.draw((5, 8), 3))
    assert not torch.equal(one.draw((5, 8), 3), one.draw((5, 8), 4))
    assert len(set(one.draw((500,), 3).tolist())) == 500
    batches, read = one.draw((30, 8), 3), one.draw((64,), 3)
    loss, floor, gain = watch_mean(one, batches, read, 10)
    plain, losses = begin_training("mlp", "adamw", 0, 0.01, 1), []
    for chosen in batches:
        value = plain.loss(chosen)
        losses.append(float(value.detach()))
        plain.update(value)
    assert loss == np.mean(losses[-10:]) and gain > 0 and floor > 0
    assert np.isnan(watch_mean(two, batches, None, 10)[2]), "late runs are not asked"


def test_adamw_is_trained_for_its_own_number_of_updates(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = replace(SIZES["quick"], updates=9, adamw_updates=12)
    done: dict[str, int] = {}
    update = Training.update

    def counted(training: Training, loss: Tensor) -> None:
        done[name] = done.get(name, 0) + 1
        update(training, loss)

    monkeypatch.setattr(Training, "update", counted)
    for (setting,) in adaptive.settings(replace(plan, rates=(), mini_repeats=0)):
        name = setting["optimizer"]
        adaptive.run([AdaptiveRun(plan=plan, **setting)])
    assert done == {"adamw": 12, "rmsprop": 9, "muon": 9}


# The verdict -------------------------------------------------------------------------------------


def made_up(
    swing: float = 0.95,
    cost: float = 0.9,
    gain: float = 1.2,
    loss: Callable[[float], float] = lambda r: 1.0 if r <= FREE else 1.0 + r,
    **plan: object,
) -> list[AdaptiveRun]:
    """Runs that are these times what is predicted, and whose losses depend on r."""
    planned = replace(SIZES["default"], size="default", **{"mini_repeats": 4, **plan})
    found = []
    for group in adaptive.settings(planned):
        for setting in group:
            run = AdaptiveRun(plan=planned, **setting)
            a = run.threshold(run.delay)
            muon = run.optimizer == "muon"
            # Of the run without delay: r is small at delay 1, and above 1 at delay 16.
            alone = {3e-4: 0.02, 2e-3: 0.1, 1e-2: 0.3}.get(run.rate, 1.0)
            if run.batch == MINI:
                measured = {
                    "loss": loss(alone / a) if run.delay else 1.0,
                    "gain": alone,
                    "cost": np.nan,
                    "swings": np.array([]),
                    "floor": np.nan,
                    "middle_gain": np.nan,
                }
            else:
                # Half as steep for each factor of the threshold: the landscape flattens.
                floor = np.nan if muon else 1e-3 / a
                measured = {
                    "loss": 0.5,
                    "gain": np.nan if muon else 2 * gain * a,
                    "cost": cost * (1e-3 / a),
                    "swings": swing * run.predicted_swing * np.linspace(0.8, 1.2, 5),
                    "floor": floor,
                    "middle_gain": np.nan if muon else gain * a,
                }
            found.append(replace(run, **measured))
    return found


def outcomes(runs: list[AdaptiveRun]) -> list[Outcome]:
    return [line.outcome for line in EXPERIMENT.judge(runs).lines]


LINES = {
    "swing": (0, 1, 2),
    "cost": (4, 5),
    "growth": (7, 8),
    "gain": (9, 10),
    "free": (12,),
    "heavy": (13, 14),
}


def test_runs_as_predicted_hold() -> None:
    runs = made_up()
    assert outcomes(runs) == [H] * 16
    assert {pair.costly for pair in compared([run for run in runs if run.batch == MINI])} == {
        True,
        False,
    }
    tables = EXPERIMENT.judge(runs).summary["tables"]
    assert len(tables[0]["rows"]) == 9 and tables[0]["rows"][0][:3] == ["AdamW", "1", "0.95"]
    assert tables[0]["rows"][6][3:6] == ["–"] * 3, "Muon has no floor"


@pytest.mark.parametrize(
    ("changed", "fails"),
    [
        ({"swing": 0.5}, LINES["swing"]),
        ({"swing": 1.5}, LINES["swing"]),
        ({"cost": 2.0}, LINES["cost"]),
        ({"cost": 0.3}, LINES["cost"]),
        ({"gain": 0.6}, LINES["gain"]),
        ({"gain": 2.0}, LINES["gain"]),
        ({"loss": lambda r: 1.5}, LINES["free"]),
        ({"loss": lambda r: 1.0}, LINES["heavy"]),
    ],
)
def test_what_is_not_as_predicted_fails(changed: dict[str, float], fails: tuple[int, ...]) -> None:
    found = outcomes(made_up(**changed))
    assert [found[place] for place in fails] == [F] * len(fails)
    controls = {3, 6, 11, 15}
    kept = set(range(16)) - controls - set(fails)
    assert {found[place] for place in kept} == {H}


def test_the_controls_can_fail() -> None:
    """Runs that know nothing of the delay are as another delay says."""
    runs = [
        replace(
            run,
            swings=np.full(5, run.swing_at(4)),
            floor=run.floor * 1e-3 / run.cost,
            cost=1e-3,
            middle_gain=1.2 * run.threshold(0),
        )
        for run in made_up(delays=(4, 5))
        if run.batch == FULL
    ]
    found = outcomes(runs)
    assert found[3] is not H and found[6] is not H and found[11] is F
    # A cost that grows faster than on a quadratic.
    steep = [
        replace(run, cost=run.threshold(run.delay) ** -3.0) if run.batch == FULL else run
        for run in made_up()
    ]
    assert outcomes(steep)[8] is F and outcomes(steep)[7] is F


def test_few_runs_decide_nothing() -> None:
    few = made_up(repeats=1, mini_repeats=1, networks=("mlp",), delays=(1, 4))
    assert F not in outcomes(few) and U in outcomes(few)
    assert set(outcomes([])) == {U}


def test_a_run_that_diverged_cost_something() -> None:
    runs = made_up(loss=lambda r: float("nan"))
    assert outcomes(runs)[12:15] == [F, H, H]


# The whole ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_an_experiment_runs_is_judged_and_drawn() -> None:
    assert load_experiment("adaptive") is EXPERIMENT
    small = replace(
        EXPERIMENT,
        sizes={"quick": replace(SIZES["quick"], updates=90, adamw_updates=90, mini_updates=30)},
    )
    trials = finished(small, small.chunks("quick"))
    assert len(trials) == 3 + 2 * 2 * 2
    verdict = judged(EXPERIMENT, trials)
    assert len(verdict.lines) == 15, "without text, one statement less"
    assert all(line.outcome is not Outcome.INVALID for line in verdict.lines)
    (figure,) = drawn(EXPERIMENT, trials).values()
    assert [axes.get_xscale() for axes in figure.axes] == ["log"] * 3
    assert len(figure.axes[1].lines) == 3, "two optimizers and equality; Muon has no floor"


def test_a_chunk_is_repeated_by_its_seed() -> None:
    plan = replace(SIZES["quick"], updates=30, adamw_updates=30, mini_updates=15)
    small = replace(EXPERIMENT, sizes={"quick": plan})
    mini: Chunk = small.chunks("quick")[-1]
    assert small.results(mini) == small.results(mini)
    first = small.rows(mini.trials)[0]
    assert first.batch == MINI and first.delay == 0
