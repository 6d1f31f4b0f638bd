"""Delays: integers of any type, or a clear error."""

from __future__ import annotations

import numpy as np
import pytest

import delaystability as ds
from delaystability.model.delay_schedule import delay_sequence, longest_delay
from delaystability.model.delays import delay_array


@pytest.mark.parametrize("delay", [4, np.int8(4), np.uint64(4), 4.0, ds.FixedDelay(4)])
def test_every_kind_of_integer_is_the_same_delay(delay):
    assert delay_array(delay) == 4
    assert ds.stability_threshold(ds.SGD(), delay) == ds.stability_threshold(ds.SGD(), 4)


@pytest.mark.parametrize(
    "delay", [-1, 1.5, float("nan"), float("inf"), [0, -3], [1.0, 2.5], 10**30]
)
def test_bad_delays_are_refused_with_their_value(delay):
    with pytest.raises(ValueError, match="delay must be an integer >= 0.*got"):
        ds.stability_threshold(ds.SGD(), delay)


@pytest.mark.parametrize(
    ("delay", "shown"),
    [
        (10**20, "100000000000000000000"),
        (-(10**20), "-100000000000000000000"),
        ([3, 10**20], "100000000000000000000"),
        (np.array([3, 2**60]), "1152921504606846976"),
        (np.uint64(2**63), "9223372036854775808"),
        ([1, 10**400], r"10+\.\.\. \(401 characters\)"),
        pytest.param(10**5000, "an integer of 16610 bits", id="digits that Python does not write"),
    ],
)
def test_refused_integers_are_shown_as_integers(delay, shown):
    for ask in (lambda: ds.stability_threshold(ds.SGD(), delay), lambda: ds.Loop(ds.SGD(), delay)):
        with pytest.raises(ValueError, match=f"got {shown}$"):
            ask()


@pytest.mark.parametrize("delay", ["4", None, True, 1j, object(), [[1], [1, 2]], ["a"]])
def test_delays_that_are_no_numbers_are_refused(delay):
    with pytest.raises(TypeError, match="delay must be an integer >= 0"):
        ds.stability_threshold(ds.SGD(), delay)


@pytest.mark.parametrize("ratio", [0.3, 0.5, 0.99])
def test_what_is_rarer_than_one_in_a_million_millions_counts_as_the_longest(ratio):
    longest = longest_delay(ds.GeometricDelay(ratio))
    # ratio^k of all delays are k or longer.
    assert ratio**longest <= 1e-12 < ratio ** (longest - 1)
    assert longest_delay(ds.RandomDelay([0.5, 0, 0.5])) == 2


def test_no_drawn_delay_is_beyond_the_longest():
    class Late(ds.GeometricDelay):
        def sample(self, generator, n):
            return np.full(n, 10**6)

    late = Late(0.5)
    assert (delay_sequence(late, 0, 10, 300) == longest_delay(late)).all()


def test_a_fixed_delay_is_one_integer():
    assert ds.FixedDelay(np.int32(3)) == ds.FixedDelay(3)
    with pytest.raises(TypeError, match="single integer"):
        ds.FixedDelay([1, 2])
    with pytest.raises(ValueError, match="got -2"):
        ds.FixedDelay(-2)
