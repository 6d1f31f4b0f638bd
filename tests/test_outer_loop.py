"""Outer loops: the equations against the algorithms themselves, and the worst curvature."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from flint import fmpq

import delaystability as ds
from benchmarks import outer_network
from delaystability.model.outer_algorithms import ALGORITHMS, OuterSetting
from delaystability.numerics.crossings.merged_replicas import MergedCurve
from delaystability.numerics.replay.delayed_momentum import block_coefficients
from delaystability.theory.checks import Status
from delaystability.theory.registry import checked, named, status_of
from tests.helpers import EPS
from tests.test_cli import printed_json, run
from tests.test_docs_examples import ROOT

THEOREMS = (
    "outer-late",
    "outer-merge",
    "outer-eager",
    "outer-eager-offsets",
    "outer-eager-sgd",
    "outer-merge-sgd",
    "delayed-nesterov",
)


def _drawn(mode, rng):
    """A curvature, and a loop with inner learning rate 1."""
    curvature = float(rng.uniform(0.01, 1.9) if rng.random() < 0.5 else 10 ** rng.uniform(-3, 0))
    steps, momentum = int(rng.integers(1, 12)), float(rng.uniform(0, 0.97))
    kinds = (ds.Nesterov(momentum), ds.SGD(), ds.HeavyBall(momentum))
    late = {
        "late": {"delay": int(rng.integers(0, 9))},
        "merged": {
            "sync_delay": int(rng.integers(0, steps)),
            "alpha": float(rng.choice([0, rng.uniform(0, 0.95)])),
        },
        "eager": {"eager": True},
        "delayed_nesterov": {"delayed_nesterov": True},
    }[mode]
    optimizer = kinds[0 if mode == "delayed_nesterov" else int(rng.integers(3))]
    workers = int(rng.integers(1, 7))
    return curvature, ds.OuterLoop(optimizer, 1.0, steps, workers=workers, **late)


def _setting(loop, curvature, rate):
    return OuterSetting(
        loop.optimizer,
        rate,
        curvature,
        loop.inner_learning_rate,
        loop.inner_steps,
        loop.workers,
        loop.delay,
        loop.sync_delay,
        loop.alpha,
    )


def _moduli(mode, setting):
    """Of the eigenvalues of a round of the algorithm, the largest first."""
    return np.sort(np.abs(np.linalg.eigvals(ALGORITHMS[mode].matrix(setting))))[::-1]


def disagreement(mode, rng):
    """The relative error of the growth of a round, and whether the threshold is one."""
    curvature, loop = _drawn(mode, rng)
    threshold = loop.threshold(curvature)
    rate = threshold * float(rng.uniform(0.1, 2)) if threshold else 0.5
    setting = _setting(loop, curvature, rate)
    growth = loop.spectral_radius(rate, curvature)
    assert growth < 1 or rate >= threshold
    if mode == "delayed_nesterov":
        growth **= loop.workers
    if loop.workers > 1:
        growth = max(growth, loop.replica_radius(rate, curvature))
    error = abs(_moduli(mode, setting)[0] / growth - 1)
    if threshold == 0:
        lowest = _moduli(mode, replace(setting, outer_learning_rate=1e-4))
        return error, lowest[0] >= 1 - 1e-12
    below, above = (
        _moduli(mode, replace(setting, outer_learning_rate=threshold * factor))
        for factor in (1 - 1e-6, 1 + 1e-6)
    )
    # Eager replicas keep their offsets: one root at 1 for each difference.
    at_one = loop.workers - 1 if mode == "eager" else 0
    held = (np.abs(below[:at_one] - 1) < 1e-9).all() and (below[at_one:] < 1 - 1e-10).all()
    return error, bool(held and above[0] > 1 + 1e-10)


@pytest.mark.parametrize("mode", ALGORITHMS)
@pytest.mark.parametrize("settings", [25, pytest.param(200, marks=pytest.mark.slow)])
def test_equations_agree_with_the_algorithms_on_both_sides_of_each_threshold(mode, settings):
    rng = np.random.default_rng(1)
    found = [disagreement(mode, rng) for _ in range(settings)]
    # Roots that nearly meet lose half of their digits as eigenvalues.
    assert max(error for error, _ in found) < 1e-7
    assert all(both_sides for _, both_sides in found)


@pytest.mark.parametrize("mode", ALGORITHMS)
def test_the_comparison_sees_an_equation_that_is_one_percent_off(mode, monkeypatch):
    threshold = ds.OuterLoop.threshold
    monkeypatch.setattr(ds.OuterLoop, "threshold", lambda loop, h: 1.01 * threshold(loop, h))
    rng = np.random.default_rng(1)
    assert not all(disagreement(mode, rng)[1] for _ in range(25))


@pytest.mark.quick(1)
@pytest.mark.parametrize("mode", ALGORITHMS)
def test_runs_of_the_algorithm_grow_just_above_the_threshold_only(mode):
    late = {"late": {"delay": 2}, "merged": {"sync_delay": 3, "alpha": 0.5}}
    more = late.get(mode, {mode: True, "workers": 3})
    loop = ds.OuterLoop(ds.Nesterov(0.8), 0.1, 10, **more)
    threshold = loop.threshold(1.0)
    for factor, grows in ((0.97, False), (1.03, True)):
        run = loop.simulate(factor * threshold, 1.0, rounds=2000)
        assert (np.abs(run[-50:]).max() > np.abs(run[:50]).max()) == grows


# Known values.


@pytest.mark.parametrize(
    ("delay", "expected"), [(0, 1.357), (1, 0.2531), (2, 0.0807), (3, 0.0464), (7, 0.0176)]
)
def test_late_diloco_is_the_loop_with_gain_lr_times_c(delay, expected):
    loop = ds.OuterLoop(ds.Nesterov(0.9), delay=delay)
    assert loop.threshold() == ds.stability_threshold(ds.Nesterov(0.9), delay)
    assert loop.threshold() == pytest.approx(expected, abs=5e-4 if delay == 0 else 5e-5)
    inner = ds.OuterLoop(ds.Nesterov(0.9), 0.01, 50, delay=delay)
    assert inner.threshold(2.0) == pytest.approx(loop.threshold() / (1 - 0.98**50), rel=8 * EPS)


def test_the_usual_outer_rate_is_unstable_one_step_late_where_c_is_above_a_third():
    loop = ds.OuterLoop(ds.Nesterov(0.9), delay=1)
    assert loop.threshold() / 0.7 == pytest.approx(0.3616, abs=1e-4)


@pytest.mark.parametrize(
    ("workers", "eager", "delayed"), [(2, 0.774, 1.1254), (4, 0.418, 0.7589), (8, 0.322, 0.5666)]
)
def test_eager_updates_and_delayed_nesterov(workers, eager, delayed):
    loop = ds.OuterLoop(ds.Nesterov(0.9), eager=True, workers=workers)
    assert loop.threshold() / 0.995 == pytest.approx(eager, abs=1e-3)
    late = ds.OuterLoop(ds.Nesterov(0.9), delayed_nesterov=True, workers=workers)
    assert late.threshold() == pytest.approx(delayed, abs=5e-5)


def test_delayed_nesterov_without_momentum_is_late_sgd():
    for workers in (1, 2, 5, 12):
        loop = ds.OuterLoop(ds.Nesterov(0.0), delayed_nesterov=True, workers=workers)
        expected = workers * ds.stability_threshold(ds.SGD(), workers - 1)
        assert loop.threshold() == pytest.approx(expected, rel=8 * EPS)


def test_with_nothing_kept_the_last_inner_steps_are_thrown_away():
    loop = ds.OuterLoop(ds.Nesterov(0.9), 0.02, 40, sync_delay=15)
    on_time = ds.OuterLoop(ds.Nesterov(0.9), 0.02, 25)
    assert loop.threshold([0.1, 3.0]).tolist() == on_time.threshold([0.1, 3.0]).tolist()


@pytest.mark.parametrize("points", [30, pytest.param(300, marks=pytest.mark.slow)])
def test_merging_raises_the_threshold_by_a_closed_form(points):
    # Proved for SGD (outer-merge-sgd); for momentum of 0 to 1 seen here.
    rng = np.random.default_rng(3)
    for _ in range(points):
        steps, momentum = int(rng.integers(1, 60)), float(rng.uniform(0, 0.99))
        late, alpha = int(rng.integers(0, steps)), float(rng.uniform(0.01, 0.99))
        inner = float(rng.uniform(0.001, 1))
        p, q = (1 - inner) ** (steps - late), (1 - inner) ** steps
        factor = (1 + alpha * q) / (1 - (1 - alpha) * p + alpha * q)
        for optimizer in (ds.SGD(), ds.HeavyBall(momentum), ds.Nesterov(momentum)):
            loop = ds.OuterLoop(optimizer, 1.0, steps, sync_delay=late, alpha=alpha)
            expected = factor * ds.stability_threshold(optimizer, 0)
            assert loop.threshold(inner) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("workers", [2, 3, 4, 10, 1000])
def test_eager_averaging_has_a_closed_form(workers):
    loop = ds.OuterLoop(ds.SGD(), eager=True, workers=workers)
    assert loop.threshold() == pytest.approx(workers / (workers - 1), rel=4 * EPS)


def test_c_has_its_own_digits_where_it_is_small():
    loop = ds.OuterLoop(inner_learning_rate=1e-12, inner_steps=3)
    rate = Fraction(1e-12)
    exact = 1 - (1 - rate) ** 3
    assert loop.outer_curvature(1.0) == pytest.approx(float(exact), rel=4 * EPS)
    turned = ds.OuterLoop(inner_learning_rate=1.0, inner_steps=2)
    near = Fraction(2 - 1e-12)
    assert turned.outer_curvature(2 - 1e-12) == pytest.approx(
        float(1 - (1 - near) ** 2), rel=4 * EPS
    )


# Differences between replicas.


@pytest.mark.slow
def test_an_offset_between_eager_replicas_never_heals():
    loop = ds.OuterLoop(ds.Nesterov(0.9), 0.1, 8, eager=True, workers=3)
    assert loop.replica_radius(0.3, 1.0) == 1.0
    setting = _setting(loop, 1.0, 0.3)
    state = ALGORITHMS["eager"].start(setting)
    state[:3, 0] = 1.5, 1.0, 0.5
    for _ in range(3000):
        state = ALGORITHMS["eager"].round(setting, state)
    assert abs(state[:3].mean()) < 1e-12
    assert np.ptp(state[:3]) > 0.1


def test_differences_of_merged_replicas_shrink_by_alpha_r_to_the_k():
    loop = ds.OuterLoop(ds.SGD(), 0.1, 8, sync_delay=2, alpha=0.5, workers=2)
    assert loop.replica_radius(0.3, 1.0) == pytest.approx(0.5 * 0.9**8, rel=8 * EPS)
    assert ds.OuterLoop(ds.SGD(), 0.1, 8, delay=1).replica_radius(0.3, 1.0) == 0


@pytest.mark.quick(1)
@pytest.mark.parametrize(
    "late", [{"delay": 2}, {"sync_delay": 1, "alpha": 0.5}, {"eager": True, "workers": 3}]
)
def test_arrays_give_what_their_entries_give(late):
    loop = ds.OuterLoop(ds.HeavyBall(0.5), 0.3, 4, **late)
    rates, curvatures = [[0.1], [0.4]], [0.5, 2.0, 5.0]
    for answer in (loop.spectral_radius, loop.replica_radius):
        found = answer(rates, curvatures)
        assert found.tolist() == [[answer(r, h) for h in curvatures] for r in (0.1, 0.4)]
        assert type(answer(0.1, 2.0)) is float
    for question in (loop.threshold, loop.max_outer_learning_rate, loop.outer_curvature):
        assert question(curvatures).tolist() == [question(h) for h in curvatures]
        assert type(question(2.0)) is float


# The worst curvature.


@pytest.mark.parametrize(("steps", "sharpness"), [(4, 0.7), (4, 1.6), (5, 1.6), (4, 2.1), (5, 2.4)])
def test_the_largest_rate_is_the_least_threshold_of_all_curvatures(steps, sharpness):
    for more in ({"delay": 1}, {"eager": True, "workers": 3}, {"sync_delay": 1}):
        loop = ds.OuterLoop(ds.HeavyBall(0.5), 1.0, steps, **more)
        curvatures = np.append(np.linspace(0.001, sharpness, 2001), min(1.0, sharpness))
        least = loop.threshold(curvatures).min()
        assert loop.max_outer_learning_rate(sharpness) == pytest.approx(least, rel=8 * EPS)


def _merged_loop(rng):
    steps, momentum = int(rng.integers(1, 40)), float(rng.uniform(0, 0.97))
    kinds = (ds.Nesterov(momentum), ds.SGD(), ds.HeavyBall(momentum))
    return ds.OuterLoop(
        kinds[int(rng.integers(3))],
        1.0,
        steps,
        sync_delay=int(rng.integers(0, steps)),
        alpha=float(rng.uniform(0.02, 0.95)),
    )


@pytest.mark.parametrize("settings", [1, pytest.param(8, marks=pytest.mark.slow)])
def test_no_curvature_is_worse_than_the_worst_of_merged_replicas(settings):
    rng = np.random.default_rng(5)
    for _ in range(settings):
        loop, sharpness = _merged_loop(rng), float(rng.uniform(0.05, 2.1))
        grid = np.concatenate([np.geomspace(1e-4, 1, 30), np.linspace(0.02, 1, 50)]) * sharpness
        least = loop.threshold(grid).min()
        found = loop.max_outer_learning_rate(sharpness)
        # The least is searched to nine digits; a grid finds it only where it is at an end.
        assert found <= least * (1 + 1e-8)
        assert found >= 0.99 * least


@pytest.mark.slow
def test_the_worst_curvature_may_lie_inside():
    loop = ds.OuterLoop(ds.HeavyBall(0.12766734133405655), 1.0, 20, sync_delay=17, alpha=0.636)
    found = loop.max_outer_learning_rate(1.987)
    assert found == pytest.approx(loop.threshold(np.linspace(1.93, 1.96, 100)).min(), rel=1e-6)
    assert found < 0.99 * loop.threshold(1.987)


@pytest.mark.slow
def test_the_count_sees_a_rate_that_is_too_large():
    loop = ds.OuterLoop(ds.Nesterov(0.9), 1.0, 10, sync_delay=4, alpha=0.5)
    least = loop.max_outer_learning_rate(0.8)
    a, b = np.array([1.0, -0.9]), np.array([1.9, -0.9])
    curve = MergedCurve(a, b, 0.5, 10 / 6, (1.0, 1.0), 0.2**6, 1.0)
    assert curve.undecided(least * (1 - 1e-5)) is None
    assert curve.undecided(least * (1 + 1e-5)) is not None


def test_the_block_polynomial_is_that_of_the_algorithm():
    # That has one more eigenvalue, 0: the last read is the server itself.
    loop = ds.OuterLoop(ds.Nesterov(0.5), 1.0, 1, delayed_nesterov=True, workers=4)
    matrix = ALGORITHMS["delayed_nesterov"].matrix(_setting(loop, 0.25, 1.0))
    powers = block_coefficients(Fraction(1, 2), 4)
    values = [power(fmpq(1, 16)) for power in reversed(powers)]
    expected = [int(value.p) / int(value.q) for value in values]
    assert np.poly(matrix) == pytest.approx([*expected, 0.0], abs=64 * EPS)


# Theorems.


@pytest.mark.slow
@pytest.mark.parametrize("name", THEOREMS)
def test_the_theorems_of_outer_loops_are_exact(name):
    assert status_of(name) == "exact"
    assert checked(name).report.failed == 0


@pytest.mark.parametrize("name", THEOREMS)
def test_a_conclusion_that_is_off_by_a_thousandth_fails(name):
    proof = named(name)
    claim = proof.theorem.statement.relation
    wrong = claim.func(claim.lhs, claim.rhs * 1.001 + 1e-6, evaluate=False)
    assert proof.step("conclusion").check(wrong).status is Status.FAILED


# The command.


@pytest.mark.slow
def test_the_command_prints_the_number_of_the_library():
    command = "outer nesterov --momentum 0.9 --delay 1 --outer-learning-rate 0.7"
    data = printed_json(*command.split())
    assert data["max_outer_learning_rate"] == ds.OuterLoop(delay=1).threshold()
    assert data["stable"] is False
    inner = "outer sgd --inner-learning-rate 0.1 --inner-steps 8 --sync-delay 2 --alpha 0.5"
    loop = ds.OuterLoop(ds.SGD(), 0.1, 8, sync_delay=2, alpha=0.5)
    data = printed_json(*inner.split(), "--sharpness", "3")
    assert data["max_outer_learning_rate"] == loop.max_outer_learning_rate(3.0)
    data = printed_json("outer", "nesterov", "--momentum", "0.5", "--eager", "--workers", "4")
    expected = ds.OuterLoop(ds.Nesterov(0.5), eager=True, workers=4).threshold()
    assert data["max_outer_learning_rate"] == expected


def test_the_command_refuses_in_one_line():
    refused = run("outer", "sgd", "--delayed-nesterov")
    assert refused.exit_code == 2
    assert "optimizer must be a Nesterov" in refused.output


# Arguments.


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"optimizer": 3}, "optimizer must be an optimizer"),
        ({"optimizer": ds.HeavyBall([0.1, 0.2])}, "optimizer must have one number"),
        ({"inner_steps": 3}, "inner_steps must be given together with inner_learning_rate"),
        ({"inner_learning_rate": -1, "inner_steps": 3}, "inner_learning_rate must be positive"),
        ({"inner_learning_rate": 0.1, "inner_steps": 0}, "inner_steps must be an integer"),
        ({"inner_learning_rate": 0.1, "inner_steps": 3, "sync_delay": 3}, "sync_delay must be"),
        ({"delay": -1}, "delay must be"),
        ({"delay": [1, 2]}, "delay must be one integer"),
        ({"alpha": 1.0}, "alpha must be"),
        ({"alpha": -0.1}, "alpha must be >= 0"),
        ({"workers": 0}, "workers must be an integer from 1 to 1000"),
        ({"workers": 17, "delayed_nesterov": True}, "workers must be an integer from 1 to 16"),
        ({"eager": 1}, "eager must be True or False"),
        ({"eager": True, "delay": 1}, "eager must not be given beside delay"),
        ({"optimizer": ds.SGD(), "delayed_nesterov": True}, "optimizer must be a Nesterov"),
    ],
)
def test_wrong_arguments_are_refused_in_one_line(arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        ds.OuterLoop(**arguments)


def test_wrong_questions_are_refused_in_one_line():
    loop = ds.OuterLoop(inner_learning_rate=0.1, inner_steps=5)
    with pytest.raises(TypeError, match="curvature must be given where inner_steps are"):
        loop.threshold()
    with pytest.raises(TypeError, match="curvature must be given"):
        loop.max_outer_learning_rate()
    with pytest.raises(ValueError, match="curvature must be positive"):
        loop.threshold(-1.0)
    with pytest.raises(TypeError, match="curvature must be one number"):
        loop.simulate(0.1, [1.0, 2.0])
    with pytest.raises(ValueError, match="outer_learning_rate must be positive"):
        loop.spectral_radius(0.0, 1.0)
    with pytest.raises(ValueError, match="rounds must be an integer from 1 to 100000"):
        loop.simulate(0.1, 1.0, rounds=0)
    with pytest.raises(ValueError, match="rounds must be an integer from 1 to"):
        ds.OuterLoop(inner_learning_rate=0.1, inner_steps=10**6).simulate(0.1, 1.0, rounds=101)
    with pytest.raises(ValueError, match="rounds must be an integer from 1 to"):
        ds.OuterLoop(delay=10**6).simulate(0.1, rounds=1000)
    with pytest.raises(ValueError, match="curvature must leave"):
        loop.spectral_radius(0.1, 1e300)
    with pytest.raises(ValueError, match="delay must be fixed"):
        ds.OuterLoop(delay=ds.RandomDelay([0.5, 0.5])).simulate(0.1)


# Networks.


def test_the_committed_table_of_networks_is_what_was_predicted():
    text = (ROOT / "docs" / "benchmarks" / "outer_network.md").read_text(encoding="utf-8")
    right, count = map(int, re.search(r"\*\*(\d+) of (\d+) runs", text).groups())
    table = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| 0")]
    assert count == len(table) == len(outer_network.runs()) == 60
    assert right == sum(row[-1] == "yes" for row in table) >= 57
    for case, row in zip(outer_network.runs(), table, strict=True):
        assert row[2] == f"{case.outer_learning_rate:.4f}"
        stable = float(row[5]) < outer_network.SHRUNK
        assert row[6] == ("yes" if stable else "no")
        assert row[7].strip("*") == ("yes" if stable == (case.factor < 1) else "no")


@pytest.mark.slow
def test_a_network_falls_on_the_predicted_side():
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    chosen = [outer_network.Run(0.0, 1, False, factor, 7) for factor in (0.75, 2.0)]
    losses, sizes = outer_network.trained(chosen, rounds=40)
    assert losses[-1, 0] < 0.1 < 1 < losses[-1, 1]
    assert sizes[-10:, 0].mean() < 0.3 * sizes[:5, 0].mean()
    assert sizes[-10:, 1].mean() > 0.5 * sizes[:5, 1].mean()


def test_a_run_is_stable_where_its_outer_gradients_shrink():
    sizes = np.stack([np.geomspace(1, 1e-2, 40), np.ones(40)], axis=1)
    assert outer_network.judged(sizes).tolist() == [True, False]


def test_random_outer_delays_are_warned_of_in_words_that_apply():
    loop = ds.OuterLoop(ds.Nesterov(0.9), delay=ds.RandomDelay({0: 0.9, 8: 0.1}))
    with pytest.warns(ds.StabilityWarning, match="this is the threshold of the mean") as caught:
        found = loop.threshold()
    # An outer loop has no argument `moment`, and the line is the user's.
    assert "moment=" not in str(caught[0].message)
    assert caught[0].filename == __file__
    expected = ds.stability_threshold(loop.optimizer, loop.delay, moment="mean")
    assert found == expected
    for quiet in (3, ds.BoundedDelay(2)):
        late = ds.OuterLoop(ds.SGD(), delay=quiet)
        assert late.threshold() == ds.stability_threshold(ds.SGD(), quiet)
