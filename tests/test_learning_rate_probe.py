"""Probes of learning rates: what is tried, what is chosen, and that a bad choice is seen."""

from __future__ import annotations

import json
from math import ceil, inf, nan

import numpy as np
import pytest

import delaystability as ds
from delaystability.questions.learning_rate_probe import probe_updates
from delaystability.questions.learning_rate_search import (
    MOST_PROBES,
    Measured,
    first_rates,
    search_rates,
)


def loss_of(curvature: float, delay: int):
    """The loop as its formula says it: w[t + 1] = w[t] - lr * curvature * w[t - delay]."""

    def train(lr: float, updates: int) -> list[float]:
        w = [1.0] * (delay + 1)
        for _ in range(updates):
            w.append(w[-1] - lr * curvature * w[-1 - delay])
        return [curvature * x * x / 2 for x in w[delay:-1]]

    return train


# The search --------------------------------------------------------------------------------------


def valley(best: float, width: float):
    """A probe whose loss is a parabola in log2 rate from 0 at the best, 1 before training."""
    return lambda rate: Measured(1.0, (np.log2(rate / best) / width) ** 2)


@pytest.mark.parametrize("place", np.linspace(-4.5, 3, 31))
@pytest.mark.parametrize("width", [1.0, 2.0, 5.0])
def test_the_best_rate_of_a_valley_is_found_wherever_it_is(place: float, width: float) -> None:
    middle, highest = 0.125, 1.0
    probe = valley(middle * 2**place, width)
    found = search_rates(probe, middle, highest)
    best = min(found, key=lambda rate: found[rate].after)
    # The nearest of rates that are a factor of the root of 3 apart, if nothing else.
    assert abs(np.log2(best / middle) - place) <= np.log2(3) / 4 + 1e-9
    assert max(found) <= highest and len(found) <= MOST_PROBES
    assert list(found) == sorted(found) and set(first_rates(middle, highest)) <= set(found)


def test_a_search_with_three_rates_alone_would_miss_that() -> None:
    probe = valley(0.125 / 2**5, 1.0)
    three = {rate: probe(rate) for rate in first_rates(0.125, 1.0)}
    assert min(measured.after for measured in three.values()) > 0.1


def test_needles_are_bisected_twice_and_flat_valleys_once() -> None:
    for width, halves in ((10.0, (-2, -1, 0, 1, 2)), (0.5, (-2, -1, -0.5, 0, 0.5, 1, 2))):
        found = search_rates(valley(0.125, width), 0.125, 1.0)
        assert list(found) == pytest.approx([0.125 * 3 ** (k / 2) for k in halves])
    # Both rates beside a needle look alike.
    found = search_rates(valley(0.125 * 3**0.5, 1.0), 0.125, 1.0)
    assert min(measured.after for measured in found.values()) < 1e-9


@pytest.mark.parametrize("mean", [1, 4, 16, 200])
def test_the_first_rates_are_multiples_of_lr_over_one_plus_delay_and_none_is_above_lr(
    mean: int,
) -> None:
    seen: list[float] = []

    def train(lr, updates):
        seen.append(lr)
        return [1.0] * updates

    ds.probe_learning_rates(train, 0.1, ds.HeavyBall(0.9), mean, 40)
    assert seen == pytest.approx(sorted({min(0.1, k * 0.1 / (1 + mean)) for k in (1 / 3, 1, 3)}))


@pytest.mark.parametrize("down", [1, 4, 40])
def test_what_diverges_is_left_below(down: int) -> None:
    edge = 0.02 / 3**down
    found = search_rates(lambda rate: Measured(2.0, inf if rate > edge else 1.0), 0.02, 1.0)
    finite = [rate for rate, measured in found.items() if measured.after < inf]
    assert len(found) <= MOST_PROBES and bool(finite) is (down <= 6)


# The choice --------------------------------------------------------------------------------------


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
    for curvature, (low, high) in {0.2: (0.1, 1.0), 1.5: (0.01, 0.06), 40.0: (1e-4, 2e-3)}.items():
        found = ds.probe_learning_rates(loss_of(curvature, 16), 1.0, ds.SGD(), 16, 4000)
        # The loop of SGD is fastest at 1 / (e delay) or a little above, and unstable at pi / 33.
        assert low <= float(found) <= high
        assert 0.01 < float(found) * curvature < np.pi / 33


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
    assert len(found.probes) == 3, "where all are equal there is nothing to go down for"


def test_nothing_is_probed_where_nothing_is_late():
    def never(lr, updates):
        raise AssertionError

    found = ds.probe_learning_rates(never, 0.1, ds.HeavyBall(0.9), 0, 100)
    assert (float(found), found.probes, found.updates) == (0.1, (), 0)


@pytest.mark.parametrize(("updates", "length"), [(4, 1), (5, 2), (500, 125), (10**9, 25 * 10**7)])
def test_a_probe_is_a_quarter_of_the_run_where_no_oscillation_is_known(updates, length):
    assert probe_updates(updates, ds.Adam(), 16) == length


@pytest.mark.parametrize("delay", [1, 4, 16, 200])
def test_a_probe_holds_five_periods_of_the_oscillation_at_the_edge(delay):
    # At the threshold of SGD the root is at the angle pi / (2 delay + 1).
    wanted = 5 * (4 * delay + 2)
    for updates in (wanted - 1, wanted, 2 * wanted, 4 * wanted, 8 * wanted):
        found = probe_updates(updates, ds.SGD(), delay)
        assert found == min(updates, max(ceil(updates / 4), wanted))
    # With momentum it is slower, and a random delay has that of its mean.
    assert probe_updates(10**6, ds.HeavyBall(0.9), delay) == 250_000
    assert probe_updates(wanted + 1, ds.HeavyBall(0.9), delay) == wanted + 1
    uniform = ds.RandomDelay(dict.fromkeys(range(2 * delay + 1), 1 / (2 * delay + 1)))
    assert probe_updates(2 * wanted, ds.SGD(), uniform) == wanted


def test_the_period_of_a_long_delay_is_that_of_sgd():
    # The formula takes over where the roots are no longer asked for.
    for optimizer in (ds.SGD(), ds.HeavyBall(0.9)):
        below, above = (probe_updates(10**5, optimizer, delay) for delay in (4096, 4097))
        assert above / below == pytest.approx(1, abs=0.003)


def test_a_whole_run_is_judged_by_its_end():
    def train(lr, updates):
        losses = np.full(updates, 2.0)
        losses[-updates // 16 :] = 0.5 if lr < 0.5 else 1.0
        losses[-updates // 4 : -updates // 16] = 9.0 if lr < 0.5 else 1.0
        return losses

    whole = ds.probe_learning_rates(train, 1.0, ds.SGD(), 4, 64, rates=[0.1, 1.0])
    part = ds.probe_learning_rates(train, 1.0, ds.SGD(), 4, 640, rates=[0.1, 1.0])
    assert (float(whole), whole.updates, float(part), part.updates) == (0.1, 128, 1.0, 320)
    assert "tried for the whole run of 64 updates" in whole.reason


def test_the_record_says_what_was_measured():
    found = ds.probe_learning_rates(loss_of(1.0, 4), 1.0, ds.SGD(), 4, 200)
    assert isinstance(found, ds.Recommendation)
    plain = json.loads(json.dumps(found.to_dict()))
    assert plain["rule"] == "probe" and plain["updates"] == 90 * len(found.probes)
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
def test_the_reason_says_where_a_run_is_too_short_to_see_the_oscillation(delay):
    period = 4 * delay + 2
    for length, short in ((period - 1, True), (period + 1, False)):
        found = ds.probe_learning_rates(
            loss_of(1.0, delay), 1.0, ds.SGD(), delay, length, rates=[0.01, 0.02]
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
