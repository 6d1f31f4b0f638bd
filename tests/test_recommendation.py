"""The recommended learning rate: its rules, what it refuses, and what it says."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

import delaystability as ds
from delaystability.questions.learning_rate_rules import RECOMMENDED, RULES, DelayedSetting
from tests.helpers import EPS, make

FILTERS = [
    ds.SGD(),
    ds.HeavyBall(0.1),
    ds.HeavyBall(0.5),
    ds.HeavyBall(0.9),
    ds.HeavyBall(0.999),
    ds.EMAMomentum(0.9),
    ds.Nesterov(0.9),
    ds.ShiftedMomentum(0.9),
    ds.SpikeCompensation(0.9),
    ds.WeightPrediction(0.9),
    ds.LinearOptimizer({1: 0.5, 2: 0.25}, {0: 1.0}),
    ds.LinearOptimizer({1: Fraction(9, 10)}, {0: Fraction(1, 10)}),
]
LOG = ds.MeasuredDelay([3, 2, 4, 3, 5, 3, 3, 2])


def _rate(*arguments, **options):
    return float(ds.recommend_learning_rate(*arguments, **options))


# The rule for linear filters


def _update_at_constant_gradient(optimizer, delay):
    """A slow twin of B(1)/A(1): the update after many updates with the gradient 1."""
    feedback, feedforward = optimizer.coefficients(delay)
    updates: list[float] = []
    for t in range(4000):
        late = (float(c) * updates[t - lag] for lag, c in feedback if t >= lag)
        updates.append(sum(late) + sum(float(c) for lag, c in feedforward if t >= lag))
    return updates[-1]


@pytest.mark.quick(26)
@pytest.mark.parametrize("optimizer", [f for f in FILTERS if f != ds.HeavyBall(0.999)], ids=str)
@pytest.mark.parametrize("delay", [1, 4, 16])
def test_the_rate_is_a_share_of_the_effective_threshold(optimizer, delay):
    effective = ds.stability_threshold(optimizer, delay)
    effective *= _update_at_constant_gradient(optimizer, delay)
    expected = 0.1 * min(1.0, 0.35 * effective)
    # 4000 updates leave less than rounding; the sum of the twin rounds 4000 times.
    assert _rate(0.1, optimizer, delay) == pytest.approx(expected, rel=4000 * EPS)


def test_momentum_counts_as_its_effective_rate():
    for momentum in (0.1, 0.5, 0.9, 0.999):
        effective = ds.stability_threshold(ds.HeavyBall(momentum), 8) / (1 - momentum)
        expected = 0.1 * 0.35 * effective
        assert _rate(0.1, ds.HeavyBall(momentum), 8) == pytest.approx(expected, rel=8 * EPS)
        # EMA momentum is the same filter with its rate multiplied by 1 - momentum.
        assert _rate(0.1, ds.EMAMomentum(momentum), 8) == pytest.approx(expected, rel=64 * EPS)


def test_heavy_ball_is_not_divided_by_hundreds():
    recommended = ds.recommend_learning_rate(0.1, ds.HeavyBall(0.9), 8)
    assert recommended.factor == pytest.approx(0.048797, rel=1e-4)
    assert recommended.learning_rate == float(recommended) == pytest.approx(0.1 / 20.49, rel=1e-3)
    # The rule of the paper divides by 273, and stands beside it under its name.
    slower, paper = recommended.alternatives
    assert (slower.rule, slower.learning_rate) == ("inverse-delay", pytest.approx(0.1 / 9))
    assert paper.rule == "same-minima"
    assert 0.1 / paper.learning_rate == pytest.approx(272.6, rel=1e-3)


@pytest.mark.quick(9)
@pytest.mark.parametrize("optimizer", [*FILTERS, ds.Adam(), ds.Adam(0, 0.9)], ids=str)
def test_without_delay_the_rate_stays_and_with_delay_it_never_rises(optimizer):
    assert _rate(0.1, optimizer, 0) == 0.1
    rates = [_rate(0.1, optimizer, delay) for delay in range(24)]
    assert all(late <= early for early, late in pairwise(rates))
    assert rates[-1] < 0.1


@pytest.mark.parametrize("optimizer", [ds.SGD(), ds.HeavyBall(0.1), ds.HeavyBall(0.9), ds.Adam()])
def test_a_delay_that_is_hardly_ever_there_hardly_changes_the_rate(optimizer):
    rates = [
        _rate(0.1, optimizer, ds.RandomDelay([1 - share, share])) for share in (1e-9, 1e-6, 1e-3)
    ]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] == pytest.approx(0.1, rel=1e-8)
    assert rates[2] == pytest.approx(0.1, rel=1e-2)


def test_between_no_delay_and_one_update_the_divisor_grows():
    # SGD: a_eff(0) = 2, so that the divisor is 2 without delay and 1/0.35 from a mean of 1 on.
    for share in (0.25, 0.5, 0.75):
        law = ds.RandomDelay([1 - share, share])
        threshold = ds.stability_threshold(ds.SGD(), law, moment="mean-square")
        expected = threshold / (2 + (1 / 0.35 - 2) * share)
        assert _rate(1.0, ds.SGD(), law) == pytest.approx(expected, rel=4 * EPS)


def test_a_random_delay_counts_with_its_mean_square_and_a_log_in_its_order():
    law, optimizer = ds.GeometricDelay(0.8), ds.HeavyBall(0.9)
    expected = ds.stability_threshold(optimizer, law, moment="mean-square") / 0.1 * 0.35
    assert _rate(1.0, optimizer, law) == pytest.approx(expected, rel=16 * EPS)
    # The mean of SGD with geometric delays is stable for larger gains than without delay.
    assert ds.stability_threshold(ds.SGD(), law, moment="mean") > 17
    assert _rate(1.0, ds.SGD(), law) < 0.25
    replayed = ds.replay_threshold(optimizer, LOG) / 0.1 * 0.35
    assert _rate(1.0, optimizer, LOG) == pytest.approx(replayed, rel=16 * EPS)
    assert "3.125 updates in the mean of the log" in _reason(1.0, optimizer, LOG)


def test_a_log_with_one_delay_is_that_delay():
    for optimizer in (ds.HeavyBall(0.9), ds.Adam()):
        fixed = _rate(0.1, optimizer, 3)
        for delay in (ds.FixedDelay(3), ds.MeasuredDelay([3] * 9), ds.RandomDelay({3: 1})):
            assert _rate(0.1, optimizer, delay) == pytest.approx(fixed, rel=1e-9)


# The rule for Adam and its kind


@pytest.mark.parametrize("delay", [0, 1, 4, 16, 1000])
def test_adam_follows_a_power_of_the_delay(delay):
    for optimizer in (ds.Adam(), ds.Adam(0.0, 0.99)):
        expected = 0.003 / (1 + delay) ** 0.8
        assert _rate(0.003, optimizer, delay) == pytest.approx(expected, rel=2 * EPS)
    law = ds.RandomDelay([0.5, 0, 0.5])
    assert _rate(0.003, ds.Adam(), law) == _rate(0.003, ds.Adam(), 1)


def test_the_momentum_of_adam_is_what_stays_of_it():
    assert ds.Adam().momentum_filter == ds.EMAMomentum(0.9)
    assert ds.Adam(0.0).momentum_filter == ds.SGD()
    assert ds.Adam(0.8, 0.99).to_dict() == {"name": "adam", "beta1": 0.8, "beta2": 0.99}
    assert "adam" not in ds.CATALOGUE


@pytest.mark.parametrize("argument", ["beta1", "beta2"])
def test_betas_are_checked_as_torch_checks_them(argument):
    for good in (0, 0.5, Fraction(9, 10), np.float32(0.5), 1 - 2**-53):
        assert getattr(ds.Adam(**{argument: good}), argument) == float(good)
    for wrong in (1, -0.1, 1.5, math.nan, math.inf, Fraction(10**20 - 1, 10**20)):
        with pytest.raises(ValueError, match=f"{argument} must be a number with 0 <= {argument}"):
            ds.Adam(**{argument: wrong})
    for odd in ("0.9", None, True, [0.9], 0.9j):
        with pytest.raises(TypeError, match=f"{argument} must be a number"):
            ds.Adam(**{argument: odd})


ASKED = {
    "stability_threshold": lambda o: ds.stability_threshold(o, 4),
    "max_learning_rate": lambda o: ds.max_learning_rate(1.0, o, 4),
    "max_sharpness": lambda o: ds.max_sharpness(1.0, o, 4),
    "is_stable": lambda o: ds.is_stable(1.0, 1.0, o, 4),
    "adjust_learning_rate": lambda o: ds.adjust_learning_rate(1.0, o, 1, 4),
    "adjust_learning_rate, new": lambda o: ds.adjust_learning_rate(1.0, ds.SGD(), 1, 4, o),
    "stable_gains": lambda o: ds.stable_gains(o, 4),
    "crossings": lambda o: ds.crossings(o, 4),
    "spectral_radius": lambda o: ds.spectral_radius(o, 4, 0.1),
    "escape_rate": lambda o: ds.escape_rate(o, 4, 0.1),
    "fastest_gain": lambda o: ds.fastest_gain(o, 4),
    "max_delay": lambda o: ds.max_delay(0.1, 1.0, o),
    "max_momentum": lambda o: ds.max_momentum(0.1, 1.0, o, 4),
    "stationary_variance": lambda o: ds.stationary_variance(o, 4, 0.1),
    "almost_sure_threshold": lambda o: ds.almost_sure_threshold(o, 4),
    "replay_threshold": lambda o: ds.replay_threshold(o, [1, 2, 3]),
    "replay_gains": lambda o: ds.replay_gains(o, [1, 2, 3]),
    "batch_sharpness_edge": lambda o: ds.batch_sharpness_edge(o, 4, 0.1),
    "mean_square_learning_rate": lambda o: ds.mean_square_learning_rate([[[1.0]]], o, 4),
    "stage_threshold": lambda o: ds.stage_threshold(np.eye(2), o, [1, 0]),
    "safe_stage_learning_rate": lambda o: ds.safe_stage_learning_rate(1.0, o, [1, 0]),
    "stage_spectral_radius": lambda o: ds.stage_spectral_radius(0.1, np.eye(2), o, [1, 0]),
    "certify": lambda o: ds.certify(o, 4),
    "derive": lambda o: ds.derive(o),
    "derive at a delay": lambda o: ds.derive(o, 4),
    "Loop": lambda o: ds.Loop(o, 4),
}


@pytest.mark.quick(11)
@pytest.mark.parametrize("name", ASKED)
def test_every_question_about_thresholds_refuses_adam_and_says_what_to_ask(name):
    with pytest.raises(TypeError, match=r"optimizer must be a linear filter") as refused:
        ASKED[name](ds.Adam(0.8))
    assert "ds.recommend_learning_rate" in str(refused.value)
    assert "ds.EMAMomentum(momentum=0.8)" in str(refused.value)
    # What the message says to ask is answered.
    ASKED[name](ds.HeavyBall(0.5) if "mean_square" in name else ds.EMAMomentum(Fraction(4, 5)))


# The other goal, and what was measured


def test_the_same_minima_are_kept_by_the_rule_of_the_paper():
    for optimizer in FILTERS[:-1]:
        for delay in (1, 8):
            expected = ds.stability_threshold(optimizer, delay)
            expected *= 0.1 / ds.stability_threshold(optimizer, 0)
            found = ds.recommend_learning_rate(0.1, optimizer, delay, goal="same-minima")
            assert float(found) == pytest.approx(expected, rel=8 * EPS)
            assert found.rule == found.goal == "same-minima"
            assert "goal='train'" in found.reason
            assert [entry.rule for entry in found.alternatives] == ["effective-threshold"]


@pytest.mark.parametrize(
    ("sharpness", "said"),
    [
        (0.1, "at 0.00263 of its edge, and its rate is stable there under the delay too: it stays"),
        (2.34, "at 0.0616 of its edge: the rate only has to fall to 0.005958"),
        (60.0, "at 1.58 of its edge, so at or beyond it: the rate has to fall to 0.0002324"),
    ],
)
def test_with_a_measured_sharpness_the_rate_only_falls_as_far_as_that_minimum_needs(
    sharpness, said
):
    momentum = ds.HeavyBall(0.9)
    found = ds.recommend_learning_rate(0.1, momentum, 8, sharpness=sharpness, goal="same-minima")
    assert float(found) == min(0.1, ds.max_learning_rate(sharpness, momentum, 8))
    assert float(found) == ds.adjust_learning_rate(0.1, momentum, 0, 8, sharpness=sharpness)
    assert said in found.reason
    assert found.rule == "measured-minimum"
    paper = ds.recommend_learning_rate(0.1, momentum, 8, goal="same-minima")
    assert found.alternatives[1].rule == paper.rule == "same-minima"
    assert found.alternatives[1].learning_rate == float(paper)


def test_a_measured_sharpness_never_changes_the_rate_to_train_with():
    for optimizer in (*FILTERS, ds.Adam()):
        plain = _rate(0.1, optimizer, 4)
        for sharpness in (1e-9, 1.0, 1e9):
            assert _rate(0.1, optimizer, 4, sharpness=sharpness) == plain


def test_a_measured_sharpness_warns_and_adds_an_alternative():
    momentum = ds.HeavyBall(0.9)
    calm = ds.recommend_learning_rate(0.1, momentum, 8, sharpness=1.0)
    sharp = ds.recommend_learning_rate(0.1, momentum, 8, sharpness=20.0)
    assert "beyond the edge" not in calm.reason
    assert "starts beyond the edge" in sharp.reason
    for found, sharpness in ((calm, 1.0), (sharp, 20.0)):
        edge = found.alternatives[-1]
        assert edge.rule == "measured-edge"
        reserve = 0.8 * ds.max_learning_rate(sharpness, momentum, 8)
        assert edge.learning_rate == pytest.approx(min(0.1, reserve), rel=4 * EPS)


def test_adam_has_a_one_line_test_for_a_measured_sharpness():
    edge = ds.stability_threshold(ds.EMAMomentum(0.9), 4) / 0.003
    quiet = ds.recommend_learning_rate(0.003, ds.Adam(), 4, sharpness=0.3 * edge)
    loud = ds.recommend_learning_rate(0.003, ds.Adam(), 4, sharpness=0.9 * edge)
    assert "would be 0.3 of the threshold" in quiet.reason
    assert quiet.alternatives[0].rule == "keep"
    assert quiet.alternatives[0].learning_rate == 0.003
    assert "up to 0.35, at the old rate, most delayed runs lost under 5 %" in quiet.reason
    assert "most delayed runs" not in loud.reason
    assert "would be 0.9 of the threshold" in loud.reason
    assert "keep" not in {entry.rule for entry in loud.alternatives}


# Refusals


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"lr": 0.0}, ValueError, "lr must be positive"),
        ({"lr": [0.1, 0.2]}, TypeError, "lr must be one number"),
        ({"lr": "fast"}, TypeError, "lr must be"),
        ({"optimizer": None}, TypeError, r"optimizer must be an optimizer such as .* ds.Adam\(\)"),
        ({"optimizer": "adam"}, TypeError, "optimizer must be"),
        ({"optimizer": ds.HeavyBall([0.5, 0.9])}, ValueError, "one number as momentum"),
        (
            {"optimizer": ds.LinearOptimizer({}, {0: -1})},
            ValueError,
            "optimizer must have a stable",
        ),
        ({"delay": -1}, ValueError, "delay must be"),
        ({"delay": 0.5}, ValueError, "delay must be"),
        ({"delay": [1, 2]}, TypeError, r"delay must be one integer.*ds.MeasuredDelay\(log\)"),
        ({"delay": ds.PipeDream(3)}, TypeError, "delay must be that of one stage.*goal='train'"),
        ({"delay": None}, TypeError, "delay must be"),
        ({"sharpness": 0.0}, ValueError, "sharpness must be positive"),
        ({"sharpness": [1.0]}, TypeError, "sharpness must be one number"),
        ({"goal": "best"}, ValueError, "goal must be 'train' or 'same-minima'; got 'best'"),
        ({"goal": None}, ValueError, "goal must be"),
        (
            {"goal": "same-minima", "optimizer": ds.Adam()},
            ValueError,
            r"goal must be 'train' for Adam.*ds.EMAMomentum",
        ),
    ],
)
def test_what_is_refused_is_named(change, error, message):
    good = {"lr": 0.1, "optimizer": ds.HeavyBall(0.9), "delay": 8}
    assert float(ds.recommend_learning_rate(**good)) > 0
    with pytest.raises(error, match=message):
        ds.recommend_learning_rate(**good | change)


def test_a_random_delay_refuses_tables_that_depend_on_it():
    with pytest.raises(ValueError, match="optimizer must have coefficients that do not depend"):
        ds.recommend_learning_rate(0.1, ds.ShiftedMomentum(0.9), ds.GeometricDelay(0.5))


# The record


def _reason(*arguments, **options):
    return ds.recommend_learning_rate(*arguments, **options).reason


def test_the_record_is_plain_data_and_reads_well():
    found = ds.recommend_learning_rate(0.1, ds.HeavyBall(0.9), 8, sharpness=2.34)
    data = json.loads(json.dumps(found.to_dict()))
    assert data["learning_rate"] == float(found)
    assert [entry["rule"] for entry in data["alternatives"]] == [
        "inverse-delay",
        "same-minima",
        "measured-edge",
    ]
    lines = str(found).splitlines()
    assert lines[0] == "learning rate 0.0048797 (goal train)"
    assert lines[1] == found.reason
    assert lines[3].startswith("or 0.000366895 (same-minima): better when")
    with pytest.raises(AttributeError):
        found.learning_rate = 1.0
    assert "Heavy ball, momentum 0.9" in found.reason
    assert "from 38 to 0.1394" in found.reason
    assert "too little for the rate to fall" in _reason(0.1, ds.SGD(), 0)
    assert "(1 + 4)**0.8 = 3.624" in _reason(0.1, ds.Adam(), 4)


# The rules


def test_every_rule_is_what_its_name_says():
    tau, lr, sharpness = 4, 0.1, 20.0
    optimizer = ds.EMAMomentum(0.9)
    setting = DelayedSetting(lr, optimizer, ds.FixedDelay(tau), sharpness)
    edge, start = (ds.stability_threshold(optimizer, delay) for delay in (tau, 0))
    expected = {
        "keep": lr,
        "inverse-delay": lr / 5,
        "inverse-square-root": lr / math.sqrt(5),
        "inverse-power": lr / 5**0.8,
        "same-minima": lr * edge / start,
        "measured-minimum": min(lr, edge / sharpness),
        "effective-threshold": 0.35 * lr * edge,
        "measured-edge": min(lr, 0.8 * edge / sharpness),
        "root-of-threshold": lr * math.sqrt(edge / 2),
        "constant-amplitude": lr * edge,
    }
    assert set(RULES) == set(expected) > set(RECOMMENDED.values())
    for name, rule in RULES.items():
        assert rule(setting) == pytest.approx(expected[name], rel=8 * EPS), name
    unmeasured = DelayedSetting(lr, optimizer, ds.FixedDelay(tau))
    for name in RULES:
        if name.startswith("measured"):
            with pytest.raises(ValueError, match="sharpness must be given"):
                RULES[name](unmeasured)
        else:
            assert RULES[name](unmeasured) == RULES[name](setting)


@pytest.mark.parametrize("name", ds.CATALOGUE)
def test_every_optimizer_of_the_catalogue_gets_a_recommendation(name):
    found = ds.recommend_learning_rate(0.1, make(name, 0.9), 4)
    assert 0 < float(found) < 0.1
    assert found.rule == "effective-threshold"


def test_a_recommendation_needs_no_torch():
    program = (
        "import sys, delaystability as ds;"
        "ds.recommend_learning_rate(.1, ds.HeavyBall(.9), 8);"
        "ds.recommend_learning_rate(.1, ds.Adam(), 8); print('torch' in sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "False"
