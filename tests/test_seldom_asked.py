"""Questions and arguments that come seldom: the answer by another way, or a clear refusal."""

from __future__ import annotations

from fractions import Fraction
from math import exp

import numpy as np
import pytest

import delaystability as ds
from delaystability.model.delays import as_log
from delaystability.model.rational_function import RationalFunction
from tests.helpers import EPS


def _dense_radius(optimizer, delay: int, gain: float) -> float:
    """The largest root of ``(1 - a(z)) (z - 1) z^d + gain b(z)``, with its powers cleared."""
    tables = ds.Loop(optimizer, delay).tables()
    total = np.zeros(1 + max(1 + max(tables.feedback, default=0), 1 + delay + max(tables.b)))
    for lag, value in {0: 1.0, **{j: -c for j, c in tables.feedback.items()}}.items():
        total[lag] += value
        total[lag + 1] -= value
    for lag, value in tables.b.items():
        total[1 + delay + lag] += gain * value
    return float(np.abs(np.roots(total)).max())


@pytest.mark.parametrize("optimizer", [ds.SGD(), ds.Nesterov(0.9)], ids=lambda o: o.name)
@pytest.mark.parametrize("delay", [0, 2])
@pytest.mark.parametrize("curvature", [0.5, 2.0, 2.5])
def test_the_mean_of_an_outer_loop_whose_inner_steps_overshoot_is_that_of_its_roots(
    optimizer, delay, curvature
):
    # Of two inner steps with eta = 1 the outer gradient is 1 - (1 - h)^2: 0.75, 0 and -1.25.
    loop = ds.OuterLoop(optimizer, 1.0, 2, delay=delay)
    gain = 0.05 * (1 - (1 - curvature) ** 2)
    # A double root moves by the square root of the rounding.
    assert loop.spectral_radius(0.05, curvature) == pytest.approx(
        max(_dense_radius(optimizer, delay, gain), 1.0 if gain == 0 else 0.0), abs=EPS**0.5
    )
    assert (loop.spectral_radius(0.05, curvature) >= 1) == (gain <= 0)


def test_the_least_threshold_of_merged_replicas_is_found_beyond_one_over_the_inner_rate():
    loop = ds.OuterLoop(ds.SGD(), 1.0, 4, sync_delay=1, alpha=0.5)
    found = loop.max_outer_learning_rate(1.8)
    tried = [loop.threshold(curvature) for curvature in np.linspace(0.01, 1.8, 30)]
    assert min(tried) * (1 - 1e-6) <= found <= min(tried) * (1 + 4 * EPS)
    # Beyond 1 it is another one: that is where the sign of what is left of an error turns.
    assert found < loop.max_outer_learning_rate(1.0)


@pytest.mark.parametrize(("delay", "condition"), [(2, 1.5), (3, 3.9)])
def test_for_small_condition_numbers_sgd_reaches_what_is_found_or_less(delay, condition):
    best = ds.best_optimizer(delay, condition)
    assert best.known == "reached"
    gains = np.geomspace(best.gain / condition, best.gain, 50)
    slowest = max(ds.escape_rate(best.optimizer, delay, float(gain)) for gain in gains)
    assert exp(slowest) <= best.rate * (1 + 1e-6)
    # SGD alone is no faster, at whichever learning rate.
    for gain in np.linspace(0.05, 0.95, 30) * ds.stability_threshold(ds.SGD(), delay):
        ends = float(gain), float(gain) / condition
        assert max(ds.escape_rate(ds.SGD(), delay, end) for end in ends) >= -best.nats * (1 + 1e-9)


def test_the_longest_delay_under_decay_is_tried_one_by_one():
    lr, sharpness, decay = 0.1, 2.0, 0.05
    found = ds.max_delay(lr, sharpness, ds.HeavyBall(0.5), decay=decay)
    stable = [
        ds.is_stable(lr, sharpness, ds.HeavyBall(0.5), delay, decay=decay)
        for delay in range(found + 3)
    ]
    assert stable == [delay <= found for delay in range(found + 3)]


def test_a_bound_of_zero_is_no_delay_and_a_log_is_its_numbers():
    none = ds.BoundedDelay(0)
    assert none.generating_function(0.3) == 1 and none.mean == 0
    assert none.probability(0) == 1 and none.probability(1) == 0
    log, same, other = (ds.MeasuredDelay(given) for given in ([1, 2, 0], [1, 2, 0], [2, 1, 0]))
    assert log == same and log != other and log != [1, 2, 0]
    assert len({log, same, other}) == 2
    with pytest.raises(TypeError, match="sequence must be a log of delays, which has an order"):
        as_log(ds.GeometricDelay(0.5))


def test_a_mixed_read_is_written_and_read_with_its_weights():
    read = ds.MixedRead.partly_fresh(Fraction(1, 4), 4)
    assert read.to_dict() == {"kind": read.kind, "weights": {0: Fraction(1, 4), 4: Fraction(3, 4)}}
    # What is left of the mass beyond the last lag of a read is none.
    assert [read.horizon(mass) for mass in (0.5, 0.8, 1.0)] == [4, 0, 0]
    law = ds.RandomDelay([0.25, 0.25, 0.5])
    assert [law.horizon(mass) for mass in (0.4, 0.6, 1.0)] == [2, 1, 0]


def test_a_rational_of_flint_is_a_momentum_below_one():
    flint = pytest.importorskip("flint")
    for numerator in (9, -9):
        assert ds.HeavyBall(flint.fmpq(numerator, 10)).momentum == flint.fmpq(numerator, 10)
    for numerator in (10, 11, -10):
        with pytest.raises(ValueError, match="-1 < momentum < 1"):
            ds.HeavyBall(flint.fmpq(numerator, 10))


def test_zero_has_no_reciprocal():
    zero = RationalFunction({}, {0: Fraction(1)})
    with pytest.raises(ZeroDivisionError, match="the rational function is zero"):
        1 / zero


class Opaque:
    """Cannot be made an array."""

    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("no")


def _far() -> ds.LinearOptimizer:
    return ds.LinearOptimizer({2: 0.5}, {0: 1.0})


REFUSED = [
    (lambda: ds.MixedRead.partly_fresh(0.5, [1, 2]), TypeError, "delay must be one integer >= 0"),
    (lambda: ds.LinearOptimizer({1: None}, {0: 1}), ValueError, "feedback must be .* got None"),
    (lambda: ds.LinearOptimizer({1: "1"}, {0: 1}), ValueError, "feedback must be .* got '1'"),
    (lambda: ds.OuterLoop(_far()).simulate(0.5), ValueError, "lags of at most 1 to be run"),
    (
        lambda: ds.max_delay(1e-17, 1.0, ds.SGD(), every_sequence=True),
        ValueError,
        r"stable at every delay up to 2\*\*52",
    ),
    (
        lambda: ds.max_delay(0.1, 1.0, ds.SGD(), every_sequence=1),
        TypeError,
        "every_sequence must be True or False; got 1",
    ),
    (
        lambda: ds.max_momentum(0.1, 1.0, "heavy-ball", [1, 2]),
        TypeError,
        r"delay must be one integer >= 0 or a law; got \[1, 2\]",
    ),
    (lambda: ds.max_momentum(0.1, 1.0, ds.Adam(), 1), TypeError, "optimizer must"),
    (lambda: ds.fastest_gain(ds.SGD(), [1, 2]), TypeError, r"delay must be one integer >= 0; got"),
    (
        lambda: ds.batch_sharpness_edge(ds.SGD(), ds.BoundedDelay(2), 0.1),
        TypeError,
        "delay must have probabilities here; got BoundedDelay",
    ),
    (
        lambda: ds.mean_square_learning_rate(Opaque(), ds.SGD(), 1),
        TypeError,
        "hessians must be an array of shape",
    ),
    (
        lambda: ds.mean_square_learning_rate(
            np.ma.MaskedArray(np.ones((2, 1, 1)), mask=[[[True]], [[False]]]), ds.SGD(), 1
        ),
        ValueError,
        "hessians must have no masked entries",
    ),
    (
        lambda: ds.replay_threshold(ds.Loop(ds.SGD(), as_log([1, 0])), [1, 0]),
        TypeError,
        "sequence must be left out beside a Loop",
    ),
    (
        lambda: ds.replay_threshold(ds.Loop(ds.SGD(), 1)),
        TypeError,
        "optimizer must be a Loop with a measured delay",
    ),
    (
        lambda: ds.stage_sharpness(np.eye(3), [[1], [1, 1]]),
        TypeError,
        "sizes must be positive integers",
    ),
]


@pytest.mark.parametrize(("ask", "error", "message"), REFUSED)
def test_what_cannot_be_answered_is_refused_by_name(ask, error, message):
    with pytest.raises(error, match=message):
        ask()


def test_an_outer_loop_keeps_plain_numbers_so_that_equal_ones_are_one():
    numbers = {"inner_learning_rate": 0.5, "inner_steps": 4, "sync_delay": 1, "alpha": 0.25}
    given = {name: np.asarray(value)[()] for name, value in numbers.items()}
    loop = ds.OuterLoop(ds.SGD(), workers=np.int64(3), **given)
    for name, value in (numbers | {"workers": 3}).items():
        assert getattr(loop, name) == value and type(getattr(loop, name)) is type(value)
    assert len({loop, ds.OuterLoop(ds.SGD(), workers=3, **numbers)}) == 1
