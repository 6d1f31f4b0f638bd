"""The critical outer rate is read off distances, and a wrong prediction is noticed."""

import numpy as np
import pytest

import delaystability as ds
from benchmarks.outer_torchft import DELAYS, FACTORS, critical_rates, predicted


def distances(delay, rate, rounds=150):
    """Late outer steps with Nesterov momentum on one direction: torchft's algorithm, as a loop."""
    kept = 1 - (1 - 0.1 * 2.0) ** 6
    weight, velocity, seen = 1.0, 0.0, []
    weights = []
    for _ in range(rounds):
        seen.append(kept * weight)
        gradient = seen[-1 - delay] if len(seen) > delay else seen[0]
        velocity = 0.9 * velocity + gradient
        weight -= rate * (gradient + 0.9 * velocity)
        weights.append(weight)
    return np.array(weights)


def history(scale):
    rows = [
        [distances(delay, scale * predicted(delay) * factor) for factor in FACTORS]
        for delay in DELAYS
    ]
    return np.array(rows).transpose(2, 0, 1)


def test_the_critical_rate_of_the_algorithm_is_the_predicted_one():
    assert critical_rates(history(1.0)) == pytest.approx(np.ones(3), abs=0.01)


def test_a_prediction_that_is_off_by_six_percent_is_noticed():
    assert critical_rates(history(1.06)) == pytest.approx(np.full(3, 1 / 1.06), abs=0.01)


def test_the_prediction_is_the_threshold_over_what_inner_steps_take_away():
    for delay in DELAYS:
        edge = ds.stability_threshold(ds.Nesterov(0.9), delay) / (1 - 0.8**6)
        assert predicted(delay) == pytest.approx(edge, rel=1e-12)
