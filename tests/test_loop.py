"""The loop object: its equation in every number type, and the thresholds of decaying weights."""

from __future__ import annotations

import pickle
from copy import deepcopy
from dataclasses import FrozenInstanceError
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

import delaystability as ds

WINDOWED = ds.LinearOptimizer({1: 0.94, 2: -0.495}, {0: 0.74, 1: -0.27, 2: 0.29})


def polynomial(loop, gain):
    """The slow twin: z^n times the characteristic function, written out, highest power first."""
    feedback, feedforward = loop.optimizer.coefficients(loop.lag)
    pmf = loop.delay.pmf
    size = 3 + max(pmf) + max(lag for lag, _ in (*feedback, *feedforward))
    a, b, total = np.zeros(size), np.zeros(size), np.zeros(size)
    a[0] = 1
    for lag, value in feedback:
        a[lag] -= value
    for lag, value in feedforward:
        b[lag] += value
    total += a
    total[1:] += (-a + loop.decay * (b if loop.coupled else a))[:-1]
    for delay, probability in pmf.items():
        total[delay + 1 :] += gain * float(probability) * b[: size - delay - 1]
    return total


def radius(loop, gain):
    return np.abs(np.roots(polynomial(loop, gain))).max()


@pytest.mark.parametrize("coupled", [False, True])
@pytest.mark.parametrize("delay", [0, 3, ds.RandomDelay([0.25, 0, 0.75]), ds.GeometricDelay(0.5)])
@pytest.mark.parametrize("optimizer", [ds.SGD(), ds.Nesterov(0.75), WINDOWED])
def test_the_characteristic_function_vanishes_at_the_roots(optimizer, delay, coupled):
    loop = ds.Loop(optimizer, delay, 0.125, coupled)
    if not isinstance(delay, ds.GeometricDelay):
        for root in np.roots(polynomial(loop, 0.3)):
            # Roots near 0 are poles of z^-1 in rounding.
            if abs(root) > 0.2:
                assert abs(loop.characteristic(root, 0.3)) < 1e-9
                assert abs(loop.characteristic(1.05 * root, 0.3)) > 1e-4
    exact = loop.characteristic(Fraction(3, 2), Fraction(1, 4))
    assert isinstance(exact, (Fraction, float))
    assert float(exact) == pytest.approx(loop.characteristic(1.5, 0.25), rel=1e-14)


def test_a_loop_is_symbolic_where_its_parts_are():
    from sympy import Symbol, expand, symbols

    z, a, m, c = symbols("z a m c")
    tau = Symbol("tau", integer=True)
    loop = ds.Loop(ds.HeavyBall(0.5), tau, c)
    assert loop.fixed
    assert loop.lag == tau
    found = loop.characteristic(z, a)
    assert expand(found - (z - 1 + c) * (1 - 0.5 / z) - a * z**-tau) == 0
    assert m not in found.free_symbols


def test_a_loop_is_frozen_and_takes_only_what_it_says():
    loop = ds.Loop(ds.SGD(), 2)
    assert loop == ds.Loop(ds.SGD(), ds.FixedDelay(2), 0)
    with pytest.raises(FrozenInstanceError):
        loop.decay = 1
    for arguments, error, message in (
        (("sgd", 1), TypeError, "optimizer must be an optimizer"),
        ((ds.SGD(), -1), ValueError, "delay must be"),
        ((ds.SGD(), 1, -0.1), ValueError, "decay must be a number >= 0"),
        ((ds.SGD(), 1, np.nan), ValueError, "decay must be a number >= 0"),
        ((ds.SGD(), 1, "0.1"), TypeError, "decay must be a number >= 0"),
        ((ds.SGD(), 1, [0.1]), TypeError, "decay must be a number >= 0"),
        ((ds.SGD(), 1, np.True_), TypeError, "decay must be a number >= 0"),
        ((ds.SGD(), 1, Decimal("NaN")), ValueError, "decay must be a number >= 0"),
        ((ds.SGD(), 1, 0.1, 1), TypeError, "coupled must be True or False"),
    ):
        with pytest.raises(error, match=message):
            ds.Loop(*arguments)


def test_decimals_are_the_fractions_that_they_are():
    exact, decimal = Fraction(3, 20), Decimal("0.15")
    loop = ds.Loop(ds.HeavyBall(decimal), 2, decay=decimal)
    assert loop == ds.Loop(ds.HeavyBall(exact), 2, decay=exact)
    assert isinstance(loop.decay, Fraction)
    # A Decimal neither adds to a float nor multiplies one.
    assert loop.characteristic(0.5 + 0.5j, 0.1) == pytest.approx(
        ds.Loop(ds.HeavyBall(0.15), 2, decay=0.15).characteristic(0.5 + 0.5j, 0.1), rel=1e-14
    )
    linear = ds.LinearOptimizer({1: decimal}, {0: Decimal(1)})
    assert linear.feedback == {1: exact}
    assert ds.certify(linear, 2, 5).lower == ds.certify(ds.HeavyBall(exact), 2, 5).lower


@pytest.mark.parametrize(
    "make_one",
    [
        lambda: ds.LinearOptimizer({1: 0.5, 3: Fraction(1, 8)}, {0: 1, 2: 0.25}),
        lambda: ds.RandomDelay({1: Fraction(1, 2), 4: Fraction(1, 2)}),
        lambda: ds.Loop(ds.LinearOptimizer({1: 0.5}), ds.RandomDelay([0.5, 0.5]), 0.1),
    ],
)
def test_equal_objects_have_one_hash_and_survive_copies(make_one):
    one = make_one()
    assert len({one, make_one(), deepcopy(one), pickle.loads(pickle.dumps(one))}) == 1


def test_the_tables_of_an_optimizer_do_not_change():
    optimizer = ds.LinearOptimizer({1: 0.5})
    for change in (
        lambda table: table.update({1: 0.4}),
        lambda table: table.__setitem__(1, 0.4),
        lambda table: table.pop(1),
        lambda table: table.clear(),
        lambda table: table.setdefault(2, 0.4),
        lambda table: table.__ior__({1: 0.4}),
    ):
        with pytest.raises(TypeError, match="table must not be changed"):
            change(optimizer.feedback)
    assert optimizer.feedback == {1: 0.5}
    # What is written out is plain data.
    assert type(optimizer.to_dict()["feedback"]) is dict


def test_a_question_takes_a_loop_in_place_of_optimizer_and_delay():
    for delay in (0, 7, ds.RandomDelay([0.5, 0.5])):
        loop = ds.Loop(ds.HeavyBall(0.9), delay)
        expected = ds.stability_threshold(ds.HeavyBall(0.9), delay, moment="mean")
        assert ds.stability_threshold(loop, moment="mean") == expected
        assert ds.max_learning_rate(2.0, loop, moment="mean") == expected / 2
        assert ds.stable_gains(loop) == ds.stable_gains(ds.HeavyBall(0.9), delay)
    assert ds.is_stable(0.1, 1.0, ds.Loop(ds.SGD(), 3)) is True
    with pytest.raises(TypeError, match="delay must be left out beside a Loop"):
        ds.stability_threshold(ds.Loop(ds.SGD(), 1), 2)
    with pytest.raises(TypeError, match="delay must be an integer >= 0 or a law"):
        ds.stability_threshold(ds.SGD())
    with pytest.raises(ValueError, match="do not depend on the delay"):
        ds.Loop(ds.ShiftedMomentum(0.5), ds.RandomDelay([0.5, 0.5])).tables()


def _random_loop(random, widest):
    poles = random.uniform(0.1, 0.98, 2) * np.exp(1j * random.uniform(0, np.pi))
    a = np.real(np.poly([poles[0], np.conj(poles[0])]))
    optimizer = ds.LinearOptimizer(
        {1: float(-a[1]), 2: float(-a[2])}, {0: 1.0, 1: float(random.uniform(-0.9, 0.9))}
    )
    masses = random.dirichlet(np.ones(random.integers(1, widest)))
    delay = ds.RandomDelay({int(k): float(p) for k, p in enumerate(masses)})
    return ds.Loop(optimizer, delay, float(10 ** random.uniform(-5, -0.3)), random.random() < 0.5)


@pytest.mark.parametrize(
    ("widest", "count"), [(8, 15), pytest.param(100, 60, marks=pytest.mark.slow)]
)
def test_thresholds_of_decaying_weights_are_those_of_the_roots(widest, count):
    random, beyond = np.random.default_rng(widest), 0
    for _ in range(count):
        loop = _random_loop(random, widest)
        found = ds.stability_threshold(loop, moment="mean")
        # A root crosses at the answer: next to it, moduli are off by their condition alone.
        assert abs(radius(loop, found) - 1) < 1e-7
        below = found * np.linspace(0.001, 0.999, 25)
        assert all(radius(loop, gain) < 1 for gain in below)
        plain = ds.stability_threshold(loop.optimizer, loop.delay, moment="mean")
        beyond += abs(plain - found) > 1e-3 * found
    # Negative control: the decay matters in many of them.
    assert beyond > count / 5


def test_windows_of_decaying_weights_have_a_root_on_the_circle_at_every_end():
    loop = ds.Loop(WINDOWED, 0, 0.01)
    intervals = ds.stable_gains(loop)
    ends = [end for pair in intervals for end in pair if 0 < end < np.inf]
    assert ends
    for end in ends:
        assert abs(radius(loop, end) - 1) < 1e-9
    for low, high in intervals:
        assert radius(loop, (low + high) / 2) < 1
        assert radius(loop, 1.001 * high) > 1
    wide = ds.Loop(ds.SGD(), ds.RandomDelay(np.full(100, 0.01)), 0.01)
    with pytest.raises(ValueError, match="at most 64 lags"):
        ds.stable_gains(wide)


def test_the_threshold_with_decay_is_flat_in_the_delay_and_tends_to_that_without():
    for delay in (10, 10**6, 10**9):
        # Decoupled SGD far beyond 1/decay: the gain that matters is the decay itself.
        found = ds.stability_threshold(ds.Loop(ds.SGD(), delay, 0.25))
        assert found == pytest.approx(0.25, rel=20 / delay)
        tiny = ds.stability_threshold(ds.Loop(ds.HeavyBall(0.9), delay, 1e-30))
        assert tiny == pytest.approx(ds.stability_threshold(ds.HeavyBall(0.9), delay), rel=1e-12)


def test_a_decay_that_destabilizes_by_itself_leaves_no_gain():
    assert ds.stability_threshold(ds.Loop(ds.SGD(), 16, 2.5)) == 0
    assert ds.stable_gains(ds.Loop(ds.SGD(), 16, 2.5)) == []


@pytest.mark.quick(2)
@pytest.mark.parametrize("delay", [0, 3, ds.RandomDelay([0.25, 0.25, 0.5])])
def test_a_root_that_leaves_through_one_ends_the_stable_gains(delay):
    """Decay moves the root z = 1 inside; a filter with B(1) < 0 drives it out again."""
    loop = ds.Loop(ds.LinearOptimizer({1: 0.5}, {0: 1.0, 1: -1.5}), delay, decay=0.125)
    # (decay A(1) + gain B(1)) is the characteristic function at z = 1.
    assert ds.stability_threshold(loop, moment="mean") == pytest.approx(0.125, rel=1e-12)
    assert ds.stable_gains(loop)[0] == pytest.approx((0.0, 0.125), rel=1e-12)
    assert ds.stability_threshold(loop, curvature_noise=0.5) <= 0.125
    assert radius(loop, 0.1249) < 1 < radius(loop, 0.1251)


def test_a_root_that_enters_through_one_begins_the_stable_gains():
    """A filter with a pole outside, and A(1) < 0, that the gain makes stable."""
    loop = ds.Loop(ds.LinearOptimizer({1: 1.25}, {0: 1.0}), 0, decay=0.5)
    # At z = 1: 0.5 (1 - 1.25) + gain; at z = -1: -1.5 (1 + 1.25) + gain.
    (low, high), *rest = ds.stable_gains(loop)
    assert (low, high, rest) == (pytest.approx(0.125), pytest.approx(3.375), [])
    assert ds.stability_threshold(loop) == 0
    assert radius(loop, 0.1) > 1 > radius(loop, 1.0)
    assert radius(loop, 3.4) > 1


@pytest.mark.quick(3)
@pytest.mark.parametrize("seed", range(4))
def test_stable_gains_of_loops_that_decay_are_those_of_the_polynomial(seed):
    """Filters of either sign: the slow twin says on which side each gain is."""
    random = np.random.default_rng(seed)
    for _ in range(8):
        table = {lag: float(value) for lag, value in enumerate(random.normal(size=3))}
        delay = ds.RandomDelay([0.25, 0.5, 0.25]) if random.random() < 0.5 else 2
        optimizer = ds.LinearOptimizer({1: float(random.uniform(-0.8, 0.8))}, table)
        coupled = bool(random.random() < 0.5)
        loop = ds.Loop(optimizer, delay, float(random.choice([0.001, 0.1, 1.0])), coupled)
        stable = ds.stable_gains(loop)
        for gain in 10 ** random.uniform(-5, 1, size=20):
            if abs(radius(loop, gain) - 1) > 1e-9:
                assert (radius(loop, gain) < 1) == any(low < gain < high for low, high in stable)
