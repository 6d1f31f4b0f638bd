"""Thresholds of one filter at many delays at once, each against exact arithmetic."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import delaystability as ds
from delaystability.numerics.crossings.batch_scan import batch_thresholds
from tests.adversarial_tables import KINDS, adversarial_tables, tables_with_poles_on_the_circle
from tests.exact_oracle import exact_stable_set, parts

DELAYS = np.array([0, 1, 2, 3, 4, 5, 7, 8, 9, 12, 13, 16])


def _exact(feedback, feedforward, delay) -> float:
    """The end of the stable gains that begin at 0."""
    found = exact_stable_set(*parts(feedback, feedforward, int(delay)))
    if not (found and found[0][0] == 0):
        return 0.0
    return np.inf if found[0][1] is None else float(Fraction(found[0][1]))


def _agree(tables) -> None:
    for feedback, feedforward, _ in tables:
        found = ds.stability_threshold(ds.LinearOptimizer(feedback, feedforward), DELAYS)
        expected = [_exact(feedback, feedforward, delay) for delay in DELAYS]
        assert found == pytest.approx(expected, rel=1e-9), (feedback, feedforward)


def test_a_pole_on_the_circle_is_decided_for_each_delay_by_itself():
    _agree(tables_with_poles_on_the_circle(8, seed=11))


@pytest.mark.quick(2)
@pytest.mark.parametrize("kind", KINDS)
def test_adversarial_tables_agree_with_exact_arithmetic_at_many_delays(kind):
    _agree(adversarial_tables(kind, 2, seed=12))


def test_a_pole_pushed_out_at_some_delays_only_is_not_decided_by_the_first():
    # Poles at +i and -i: the gain pulls them in or pushes them out, depending on the delay.
    threshold = ds.stability_threshold(ds.LinearOptimizer({2: -1.0}, {0: 1.0, 1: -0.4}), DELAYS)
    assert np.any(threshold > 0) and np.any(threshold == 0)


def test_a_pole_clearly_outside_is_clear_and_leaves_no_gain():
    a = np.array([[1.0, -1.5], [1.0, -0.5], [1.0, 2.0]])
    threshold, _, clear = batch_thresholds(a, np.ones((3, 1)), np.array([4.0, 4.0, 0.0]))
    assert clear.tolist() == [True, True, True]
    assert (threshold == 0).tolist() == [True, False, True]
    # Neither on the circle, nor as near to it as rounding, anything is claimed.
    near = np.array([[1.0, -1.0], [1.0, 1.0], [1.0, -1.0 - 1e-12], [1.0, -1.0 + 1e-12]])
    assert not np.any(batch_thresholds(near, np.ones((4, 1)), np.full(4, 3.0))[2])
