"""Probes of learning rates: what is tried, what is chosen, and that a bad choice is seen."""

from __future__ import annotations

import json
from itertools import pairwise
from math import inf, nan

import numpy as np
import pytest

import delaystability as ds
from delaystability.questions.learning_rate_probe import probe_updates, probed_rates

OPTIMIZERS = [ds.SGD(), ds.HeavyBall(0.9), ds.Nesterov(0.9), ds.EMAMomentum(0.5), ds.Adam()]


def loss_of(curvature: float, delay: int):
    """The loop as its formula says it: w[t + 1] = w[t] - lr * curvature * w[t - delay]."""

    def train(lr: float, updates: int) -> list[float]:
        w = [1.0] * (delay + 1)
        for _ in range(updates):
            w.append(w[-1] - lr * curvature * w[-1 - delay])
        return [curvature * x * x / 2 for x in w[delay:-1]]

    return train


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("delay", [0, 1, 4, 16, 200, ds.RandomDelay({0: 0.5, 8: 0.5})])
def test_the_rates_are_the_recommended_one_and_multiples_of_lr_over_one_plus_delay(
    optimizer, delay
):
    found = probed_rates(0.1, optimizer, delay)
    mean = delay if isinstance(delay, int) else float(delay.mean)
    wanted = {float(ds.recommend_learning_rate(0.1, optimizer, delay))}
    wanted |= {min(0.1, k * 0.1 / (1 + mean)) for k in (1, 3)}
    assert set(found) <= wanted and found[0] == min(wanted)
    assert all(a * 1.1 < b for a, b in pairwise(found))
    # Every rate of the rule is tried, or one up to a tenth below it.
    assert all(any(one <= rate <= 1.1 * one for one in found) for rate in wanted)
    if not delay:
        assert found == (0.1,)


@pytest.mark.parametrize("curvature", [0.05, 0.3, 1.0, 3.0, 8.0])
def test_the_best_probe_is_chosen_whatever_the_curvature(curvature):
    train = loss_of(curvature, 4)
    found = ds.probe_learning_rates(train, 1.0, ds.SGD(), 4, 400, rates=[0.02, 0.1, 0.5])
    tails = [float(np.mean(train(rate, 100)[75:])) for rate in (0.02, 0.1, 0.5)]
    assert [probe.loss for probe in found.probes] == pytest.approx(tails, rel=1e-14)
    assert float(found) == (0.02, 0.1, 0.5)[int(np.argmin(tails))]
    assert found.rule == "probe" and found.updates == 300 and found.factor == float(found)
    assert {entry.learning_rate for entry in found.alternatives} == {0.02, 0.1, 0.5} - {
        float(found)
    }


def test_flat_and_sharp_minima_get_different_rates_where_a_rule_gives_one():
    flat, sharp = (
        float(ds.probe_learning_rates(loss_of(h, 16), 1.0, ds.SGD(), 16, 400)) for h in (0.2, 1.5)
    )
    fixed = float(ds.recommend_learning_rate(1.0, ds.SGD(), 16))
    assert sharp == fixed and flat == pytest.approx(3 / 17)


def test_only_the_last_quarter_of_a_probe_counts_and_what_diverged_is_never_chosen():
    def train(lr, updates):
        losses = np.full(updates, 5.0)
        losses[-updates // 4 :] = 1.0 if lr < 0.5 else 2.0
        if lr < 0.5:
            losses[: updates // 4] = 1e9
        if lr > 2:
            losses[-1] = nan
        return losses

    found = ds.probe_learning_rates(train, 1.0, ds.SGD(), 1, 80, rates=[4.0, 0.1, 1.0])
    assert [(p.learning_rate, p.loss) for p in found.probes] == [(0.1, 1.0), (1.0, 2.0), (4.0, inf)]
    assert float(found) == 0.1
    assert [entry.learning_rate for entry in found.alternatives] == [1.0], "4.0 is no alternative"
    with pytest.raises(
        ValueError, match="train must return finite losses for one of the rates 4, 5"
    ):
        ds.probe_learning_rates(train, 1.0, ds.SGD(), 1, 80, rates=[4.0, 5.0])


def test_of_equal_probes_the_smaller_rate_is_chosen():
    found = ds.probe_learning_rates(lambda lr, n: [1.0] * n, 1.0, ds.SGD(), 9, 40)
    assert float(found) == min(probe.learning_rate for probe in found.probes)


def test_one_rate_is_not_probed():
    def never(lr, updates):
        raise AssertionError

    found = ds.probe_learning_rates(never, 0.1, ds.HeavyBall(0.9), 0, 100)
    assert (float(found), found.probes, found.updates) == (0.1, (), 0)


@pytest.mark.parametrize(("updates", "length"), [(4, 1), (5, 2), (500, 125), (10**9, 25 * 10**7)])
def test_a_probe_is_a_quarter_of_the_run(updates, length):
    assert probe_updates(updates) == length


def test_the_record_says_what_was_measured():
    found = ds.probe_learning_rates(loss_of(1.0, 4), 1.0, ds.SGD(), 4, 200)
    assert isinstance(found, ds.Recommendation)
    plain = json.loads(json.dumps(found.to_dict()))
    assert plain["rule"] == "probe" and plain["updates"] == 150
    assert [entry["learning_rate"] for entry in plain["probes"]] == [
        probe.learning_rate for probe in found.probes
    ]
    for probe in found.probes:
        assert f"{probe.learning_rate:.4g}: {probe.loss:.4g}" in found.reason
    assert str(found).startswith(f"learning rate {float(found):.6g} (goal train)")


@pytest.mark.parametrize(
    ("rates", "end"), [([0.02, 0.1, 0.5], ""), ([0.1, 0.5], "smallest"), ([0.02, 0.1], "largest")]
)
def test_the_reason_says_where_the_best_probe_is_at_an_end(rates, end):
    # Of these rates 0.1 is the best one.
    for tuned, ends in ((1.0, end), (0.1, "" if end == "largest" else end)):
        found = ds.probe_learning_rates(loss_of(1.0, 4), tuned, ds.SGD(), 4, 400, rates=rates)
        assert float(found) == 0.1
        for word, other in (("smallest", "below"), ("largest", "above")):
            told = f"It is the {word} of them: one {other} may be better still"
            assert (told in found.reason) is (word == ends), "none is above the tuned rate"


@pytest.mark.parametrize("delay", [1, 4, 16])
def test_the_reason_says_where_a_probe_is_too_short_to_see_the_oscillation(delay):
    # At the threshold of SGD the root is at the angle pi / (2 delay + 1).
    period = 4 * delay + 2
    for length, short in ((period - 1, True), (period + 1, False)):
        found = ds.probe_learning_rates(
            loss_of(1.0, delay), 1.0, ds.SGD(), delay, 4 * length, rates=[0.01, 0.02]
        )
        assert found.updates == 2 * length
        assert (f"a period of {period} updates" in found.reason) is short
    adaptive = ds.probe_learning_rates(loss_of(1.0, delay), 0.1, ds.Adam(), delay, 4)
    assert "period" not in adaptive.reason, "no threshold decides there"


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"train": 3}, TypeError, "train must be a function"),
        ({"train": lambda lr, n: [1.0] * (n - 1)}, ValueError, "train must return one loss"),
        ({"train": lambda lr, n: 1.0}, ValueError, "train must return one loss"),
        ({"train": lambda lr, n: None}, ValueError, "train must return one loss"),
        ({"train": lambda lr, n: ["x"] * n}, TypeError, "train must return an array"),
        ({"updates": 3}, ValueError, "updates"),
        ({"updates": 4.5}, ValueError, "updates"),
        ({"lr": 0}, ValueError, "lr"),
        ({"delay": -1}, ValueError, "delay"),
        ({"rates": []}, ValueError, "rates must hold"),
        ({"rates": [0.1, -1]}, ValueError, "rates must be positive"),
        ({"rates": 0.1}, TypeError, "rates must be a sequence"),
    ],
)
def test_bad_arguments_are_named(change, error, said):
    good = {
        "train": lambda lr, n: [1.0] * n,
        "lr": 0.1,
        "optimizer": ds.SGD(),
        "delay": 2,
        "updates": 40,
    }
    with pytest.raises(error, match=said):
        ds.probe_learning_rates(**(good | change))
