"""The longest delay that a gain tolerates, against the thresholds of all delays one by one."""

from __future__ import annotations

import numpy as np
import pytest

import delaystability as ds


def _by_trial(thresholds: np.ndarray, gain: float) -> int:
    """The last delay before the first whose threshold the gain reaches."""
    return int(np.flatnonzero(~(gain < thresholds))[0]) - 1


# Without an argument; with one from delay 2 on; from 92 on; from 20,001 on; resonant ones.
FILTERS = {
    "horizon": ds.WeightPrediction(-0.5),
    "pole": ds.LinearOptimizer({1: 0.5}, {0: 1.0}),
    "zero": ds.LinearOptimizer({1: 0.5}, {0: 1.0, 1: -0.989}),
    "zero-near-one": ds.LinearOptimizer({1: 0.5}, {0: 1.0, 1: -0.99995}),
    "resonance": ds.LinearOptimizer({1: 1.6, 2: -0.9}, {0: 1.0}),
    "resonance-and-zero": ds.LinearOptimizer({1: 1.2, 2: -0.95}, {0: 1.0, 1: -0.7}),
}


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.quick(4)
def test_every_longest_delay_is_the_one_found_by_trial(name):
    optimizer = FILTERS[name]
    thresholds = ds.stability_threshold(optimizer, np.arange(300))
    # The threshold of a delay is the least gain for which it is too long. Delays are tried in
    # blocks that end at 16, 48, 112 and 240.
    ends = (16, 48, 112, 240)
    gains = thresholds[[0, 1, 2, *(end + k for end in ends for k in (-1, 0, 1))]]
    # Thresholds of few and of many delays are computed in two ways: their last digits differ.
    gains *= 1 + 1e-12
    expected = [_by_trial(thresholds, gain) for gain in gains]
    assert len(set(expected)) > 4
    assert ds.max_delay(gains, 1.0, optimizer).tolist() == expected


@pytest.mark.parametrize("name", ["horizon", "zero-near-one"])
@pytest.mark.parametrize("delay", [4095, 4096, 4097, 9000])
def test_long_delays_are_tried_as_well_as_short_ones(name, delay):
    optimizer = FILTERS[name]
    thresholds = ds.stability_threshold(optimizer, np.arange(delay + 1))
    gain = float(thresholds[delay])
    expected = _by_trial(thresholds, gain)
    assert expected > 4000
    assert ds.max_delay(gain, 1.0, optimizer) == expected


def test_a_narrow_resonance_is_found_at_the_first_of_few_delays():
    # A narrow band of angles is above the gain's level at few delays only: the first of them.
    radius, angle = 1 - 3e-6, 1.1
    feedback = {1: float(2 * radius * np.cos(angle)), 2: float(-(radius**2))}
    optimizer = ds.LinearOptimizer(feedback, {0: 1.0})
    z = np.exp(1j * np.linspace(angle - 1e-5, angle + 1e-5, 20001))
    gain = float(np.abs((z - 1) * (1 - feedback[1] / z - feedback[2] / z**2)).min() * (1 + 1e-7))
    delay = ds.max_delay(gain, 1.0, optimizer)
    assert delay > 5000
    around = np.r_[np.arange(0, delay, delay // 20), delay - 2 : delay + 5]
    stable = ds.is_stable(gain, 1.0, optimizer, around)
    assert around[~stable].tolist() == [delay + 1]
