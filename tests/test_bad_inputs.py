"""Tens of thousands of random inputs: an error that names the argument, or a right answer."""

from __future__ import annotations

import random
import warnings
from fractions import Fraction

import numpy as np
import pytest

import delaystability as ds
from tests.helpers import CHECKED_MOMENTUM

# Ordinary values stand among the odd ones, so that each odd one is met in any position.
NUMBERS = [0.5, 1, 2.0, 20, 1e-3, Fraction(1, 3), np.float32(0.25), np.int16(3)]
ODD = [
    0,
    -1,
    -0.5,
    1.5,
    float("nan"),
    float("inf"),
    -float("inf"),
    1e308,
    1e-308,
    5e-324,
    10**30,
    -(10**30),
    True,
    None,
    "",
    "0.5",
    b"1",
    1j,
    [],
    [0.5],
    [1, -1],
    [[1], [2, 3]],
    ["a"],
    {},
    {0: 1},
    set(),
    object(),
    np.array([]),
    np.array([0.5, np.nan]),
    np.array([1, 2], dtype=object),
    np.array("x"),
    np.datetime64("2020-01-01"),
    Fraction(-7, 3),
    Fraction(10**40, 3),
    range(3),
    lambda: 1,
]
NAMES = {
    "lr": "lr",
    "sharpness": "sharpness",
    "delay": "delay",
    "new_delay": "delay",
    "momentum": "momentum",
    "gain": "gain",
    "optimizer": "optimizer",
    "curvature_noise": "curvature_noise",
    "moment": "moment",
}
OPTIMIZERS = [ds.SGD(), ds.HeavyBall(0.9), ds.Nesterov(0.5), ds.ShiftedMomentum(-0.3)]


def _value(source: random.Random, odd: float = 0.5):
    return source.choice(ODD if source.random() < odd else NUMBERS)


def _attempt(source: random.Random):
    """One call with random arguments: its names, and the call."""
    kind = source.randrange(8)
    momentum, delay = _value(source), _value(source)
    lr, sharpness = _value(source), _value(source)
    optimizer = source.choice([*OPTIMIZERS, *ODD]) if source.random() < 0.2 else OPTIMIZERS[0]
    if source.random() < 0.5:
        optimizer = source.choice(OPTIMIZERS)
    if kind == 0:
        # The numbers after it are the same whatever the catalogue holds.
        cls = ds.CATALOGUE[CHECKED_MOMENTUM[source.randrange(10**6) % len(CHECKED_MOMENTUM)]]
        return {"momentum", "delay", "optimizer"}, lambda: ds.stability_threshold(
            cls.example(momentum=momentum), source.choice([0, 1, 4])
        )
    if kind == 1:
        return {"delay", "optimizer"}, lambda: ds.stability_threshold(optimizer, delay)
    if kind == 2:
        return {"sharpness", "delay", "optimizer"}, lambda: ds.max_learning_rate(
            sharpness, optimizer, source.choice([1, delay])
        )
    if kind == 3:
        return {"lr", "delay", "optimizer"}, lambda: ds.max_sharpness(lr, optimizer, 2)
    if kind == 4:
        return {"lr", "sharpness", "optimizer"}, lambda: ds.is_stable(lr, sharpness, optimizer, 3)
    if kind == 5:
        return {"lr", "delay", "optimizer"}, lambda: ds.adjust_learning_rate(
            lr, optimizer, 0, delay
        )
    if kind == 6:
        return {"gain", "delay", "optimizer"}, lambda: ds.spectral_radius(optimizer, 2, lr)
    moment = source.choice(["mean", "mean-square", None, *ODD[:4], "other"])
    return {"moment", "curvature_noise", "delay", "optimizer"}, lambda: ds.stability_threshold(
        optimizer, 1, moment=moment, curvature_noise=source.choice([0, 0.0, delay])
    )


def _is_right(answer) -> bool:
    """Thresholds, rates and radii are numbers that are not negative and not NaN."""
    values = np.asarray(answer)
    return values.dtype.kind in "bif" and bool(np.all(values >= 0))


@pytest.mark.parametrize("count", [1_500, pytest.param(40_000, marks=pytest.mark.slow)])
def test_random_inputs_get_an_error_that_names_the_argument_or_a_right_answer(count):
    source = random.Random(20261122)
    refused = answered = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Here the number is asked for, not advice.
        warnings.simplefilter("ignore", ds.LearningRateWarning)
        for _ in range(count):
            names, call = _attempt(source)
            try:
                answer = call()
            except (ValueError, TypeError) as error:
                message = str(error)
                shapes = "shape mismatch" in message or "could not be broadcast" in message
                assert shapes or any(NAMES[name] in message for name in names), message
                assert "got" in message or shapes, message
                refused += 1
            else:
                assert _is_right(answer), (names, answer)
                answered += 1
    assert refused > count / 4
    assert answered > count / 10


def test_the_check_of_answers_can_fail():
    assert not _is_right(float("nan"))
    assert not _is_right(-1.0)
    assert not _is_right("0.5")
    with pytest.raises(AssertionError):
        assert any(name in "something else failed" for name in NAMES)
