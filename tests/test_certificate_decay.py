"""Certificates of loops whose weights decay: against exact polynomials, and forged ones."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import delaystability as ds
from delaystability.numerics.exact.circle_proof import CircleProof
from delaystability.numerics.exact.intervals import UndecidedError
from tests.exact_oracle import exact_threshold, parts_of_loop
from tests.test_decay_everywhere import closed_form
from tests.test_mixed_reads import mixture, optimizer_of

SCHUR_COHN, WINDING = "integer Schur-Cohn test", "winding number in ball arithmetic"
GOOD = ds.certify(ds.HeavyBall(Fraction(9, 10)), 4, 20, decay=Fraction(1, 100), coupled=True)


def check_random_loops(random, count):
    """Certified ends beside the threshold of exact polynomials, proved in both ways."""
    tried = 0
    for _ in range(count):
        weights, optimizer = mixture(random, 7), optimizer_of(random)
        decay, coupled = Fraction(int(random.integers(1, 60)), 100), bool(random.integers(2))
        settings = {"decay": decay, "coupled": coupled}
        threshold = exact_threshold(*parts_of_loop(optimizer, weights, **settings))
        if not threshold:
            with pytest.raises(ValueError, match="no threshold to certify"):
                ds.certify(optimizer, ds.MixedRead(weights), 20, **settings)
            continue
        found = ds.certify(ds.Loop(optimizer, ds.MixedRead(weights), **settings), digits=20)
        assert found.lower < threshold < found.upper, (optimizer, weights, settings)
        assert found.upper - found.lower <= found.lower / 10**20
        assert (found.method, found.decay, found.coupled) == (SCHUR_COHN, decay, coupled)
        other = replace(found, method=WINDING, root_moduli=None)
        assert other.verify()
        # Negative controls: an end on the wrong side of the threshold.
        unit = found.upper - found.lower
        for proved in (found, other):
            wrong = replace(proved, root_moduli=None)
            assert not refuted(replace(wrong, lower=found.upper, upper=found.upper + unit))
            assert not refuted(replace(wrong, upper=found.lower, lower=found.lower - unit))
        tried += 1
    return tried


def refuted(certificate):
    """Whether it is proved all the same; an end on which nothing is decided is no proof."""
    try:
        return certificate.verify()
    except UndecidedError:
        return False


@pytest.mark.parametrize("count", [6, pytest.param(80, marks=pytest.mark.slow)])
def test_random_loops_with_decay_are_those_of_exact_polynomials(count):
    assert check_random_loops(np.random.default_rng(count), count) > count / 2


@pytest.mark.quick(10)
@pytest.mark.parametrize("decay", [Fraction(1, 10**18), Fraction(1, 3), 1, 1.25])
@pytest.mark.parametrize("delay", [0, 1, 30, 10**6])
def test_decays_of_every_size_and_long_delays(delay, decay):
    if decay == 1 and delay > 30:
        return  # All roots of w_{t+1} = -a w_{t - tau} reach the circle at once.
    found = ds.certify(ds.SGD(), delay, 15, decay=decay)
    assert found.verify()
    assert found.method == (WINDING if delay > 256 else SCHUR_COHN)
    if decay < 1:
        assert float(found.lower) == pytest.approx(
            float(closed_form(float(decay), delay)), rel=1e-12
        )
    elif decay == 1:
        assert found.lower < 1 < found.upper


@pytest.mark.quick(3)
@pytest.mark.parametrize(
    "delay", [ds.GeometricDelay(Fraction(3, 4)), ds.RandomDelay([0.25, 0.25, 0.5])]
)
@pytest.mark.parametrize("coupled", [False, True])
def test_the_mean_of_a_random_delay_with_decay(delay, coupled):
    settings = {"decay": 0.05, "coupled": coupled}
    for optimizer in (ds.SGD(), ds.HeavyBall(0.5), ds.Nesterov(0.75)):
        found = ds.certify(optimizer, delay, 20, **settings)
        expected = ds.stability_threshold(optimizer, delay, moment="mean", **settings)
        assert float(found.lower) == pytest.approx(expected, rel=1e-13)
        assert replace(found, method=WINDING).verify()
        assert ds.Certificate.from_json(found.to_json()) == found


def test_the_root_that_leaves_may_be_one_and_a_pole_may_lie_there():
    # A gradient that is subtracted: w grows at once, unless its decay outweighs that.
    backwards = ds.LinearOptimizer({}, {0: Fraction(-1, 2)})
    found = ds.certify(backwards, 3, 20, decay=Fraction(1, 4))
    assert found.lower < Fraction(1, 2) < found.upper
    assert replace(found, method=WINDING).verify()
    # Decay past an optimizer that remembers all: heavy ball with momentum 1 - decay.
    summing = ds.LinearOptimizer({1: 1}, {0: 1})
    found = ds.certify(summing, 2, 20, decay=Fraction(1, 4))
    same = ds.certify(ds.HeavyBall(Fraction(3, 4)), 2, 20)
    assert (found.lower, found.upper) == (same.lower, same.upper)
    assert replace(found, method=WINDING).verify()


CHANGES = {
    "another decay": {"decay": Fraction(1, 99)},
    "no decay": {"decay": Fraction(0)},
    "a negative decay": {"decay": Fraction(-1, 100)},
    "a decay in words": {"decay": "small"},
    "the other way": {"coupled": False},
    "a way in words": {"coupled": "yes"},
    "another table": {"still": ((0, Fraction(1, 99)),)},
    "no table": {"still": ()},
    "another decay with its table": {"decay": Fraction(1, 99), "still": ((0, Fraction(1, 99)),)},
    "the other way with its table": {
        "coupled": False,
        "still": ((0, Fraction(1, 100)), (1, Fraction(-9, 1000))),
    },
    "nothing on decay": {"decay": Fraction(0), "coupled": False, "still": ()},
    "forged moduli": {"root_moduli": ("0.5", "2.0")},
    "a longer delay": {"delay": 5},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_forged_decay_is_refused(change):
    assert GOOD.verify()
    assert not refuted(replace(GOOD, **change))
    assert not refuted(replace(GOOD, method=WINDING, **{"root_moduli": None} | change))


def test_certificates_without_decay_are_written_as_before():
    data = ds.certify(ds.SGD(), 2, 10, coupled=True).to_dict()
    assert {"decay", "coupled", "still"}.isdisjoint(data)
    assert ds.Certificate.from_dict(data).verify()
    assert ds.Certificate.from_json(GOOD.to_json()) == GOOD
    for name in ("decay", "coupled", "still"):
        partly = json.loads(GOOD.to_json())
        del partly[name]
        with pytest.raises(ValueError, match=f"{name} must be given"):
            ds.Certificate.from_dict(partly)


@pytest.mark.parametrize(
    ("ask", "error", "message"),
    [
        (lambda: ds.certify(ds.SGD(), 2, decay=-0.1), ValueError, "decay must be a number >= 0"),
        (lambda: ds.certify(ds.SGD(), 2, decay=[0.1]), TypeError, "decay must be one number"),
        (lambda: ds.certify(ds.SGD(), 2, decay=2), ValueError, "no threshold to certify at delay"),
        (lambda: ds.certify(ds.SGD(), [1, 2], decay=0.1), TypeError, "delay must be one integer"),
        (lambda: ds.certify(ds.SGD()), TypeError, "delay must be an integer"),
        (lambda: ds.certify(ds.Loop(ds.SGD(), 2), decay=0.1), TypeError, "beside a Loop"),
        (lambda: ds.certify(ds.SGD(), ds.BoundedDelay(2), decay=0.1), TypeError, "probabilities"),
    ],
)
def test_decays_that_cannot_be_certified_are_refused(ask, error, message):
    with pytest.raises(error, match=message):
        ask()


def test_a_gain_with_a_root_on_the_circle_is_not_decided():
    # SGD at delay 1 has the threshold 1 whatever the decay.
    proof = CircleProof.of(((0, Fraction(1)),), ((0, Fraction(1)),), 1, 200, ((0, Fraction(1, 3)),))
    assert proof.roots_outside(Fraction(99, 100)) == 0
    assert proof.roots_outside(Fraction(101, 100)) == 2
    for claim in (proof.no_crossing_up_to, proof.roots_outside):
        with pytest.raises(UndecidedError):
            claim(Fraction(1))
