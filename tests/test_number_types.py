"""Numbers of other types as parameters and delays: read exactly, or refused by name."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy

import delaystability as ds
from tests.helpers import EPS

NUMBERS = [
    np.float16(0.9),
    np.float32(0.9),
    Fraction(9, 10),
    sympy.Rational(9, 10),
    sympy.Float("0.9"),
    mpmath.mpf("0.9"),
]


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: type(number).__name__)
def test_every_number_type_gives_the_threshold_of_its_float(number):
    near = {"rel": 8 * EPS}
    for cls in (ds.HeavyBall, ds.EMAMomentum, ds.Nesterov, ds.SpikeCompensation):
        plain, given = cls(float(number)), cls(number)
        for delay in (0, 3, 100):
            expected = ds.stability_threshold(plain, delay)
            assert ds.stability_threshold(given, delay) == pytest.approx(expected, **near)
        assert ds.stable_gains(given, 3)[0][1] == pytest.approx(
            ds.stability_threshold(plain, 3), rel=1e-12
        )
    two = ds.LinearOptimizer({1: number, 2: -number}, {0: number, 1: -number / 2})
    floats = ds.LinearOptimizer(
        {1: float(number), 2: -float(number)}, {0: float(number), 1: -float(number) / 2}
    )
    found = ds.stability_threshold(two, [0, 3])
    assert found == pytest.approx(ds.stability_threshold(floats, [0, 3]), rel=1e-3)


def test_fractions_next_to_one_keep_their_digits_in_every_branch():
    gap = Fraction(1, 10**12)
    for momentum in (1 - gap, sympy.Integer(1) - sympy.Rational(1, 10**12)):
        heavy = ds.HeavyBall(momentum)
        half = ds.RandomDelay([0.5, 0.5])
        assert ds.stability_threshold(heavy, 1) == pytest.approx(1e-12, rel=1e-11)
        assert ds.stability_threshold(heavy, [1, 1])[1] == pytest.approx(1e-12, rel=1e-11)
        assert ds.stable_gains(heavy, 1)[0][1] == pytest.approx(1e-12, rel=1e-11)
        assert ds.stability_threshold(heavy, half, moment="mean") == pytest.approx(2e-12, rel=1e-9)
    array = ds.HeavyBall(np.array([1 - gap, Fraction(1, 2)], dtype=object))
    assert ds.stability_threshold(array, 1) == pytest.approx([1e-12, 0.5], rel=1e-11)


def test_delays_of_any_integer_type_are_read_and_masked_ones_refused():
    expected = ds.stability_threshold(ds.SGD(), [1, 2])
    for delays in (
        np.array([1, 2], dtype=object),
        np.array([1, 2], dtype=np.float16),
        np.array([np.int8(1), 2], dtype=object),
        np.ma.array([1, 2]),
    ):
        assert np.array_equal(ds.stability_threshold(ds.SGD(), delays), expected)
    masked = np.ma.array([1, 2], mask=[False, True])
    for call, name in (
        (lambda: ds.stability_threshold(ds.SGD(), masked), "delay"),
        (lambda: ds.stability_threshold(ds.HeavyBall(masked / 4), 1), "momentum"),
        (lambda: ds.max_learning_rate(masked, ds.SGD(), 1), "sharpness"),
    ):
        with pytest.raises(ValueError, match=f"^{name} must .*masked"):
            call()
    for wrong in ([1, 2.5], [1, True], [1, "2"]):
        with pytest.raises(TypeError, match="^delay must be"):
            ds.stability_threshold(ds.SGD(), np.array(wrong, dtype=object))
    with pytest.raises(ValueError, match=r"^delay must be .*2\*\*53"):
        ds.stability_threshold(ds.SGD(), np.array([1, 2**70], dtype=object))
