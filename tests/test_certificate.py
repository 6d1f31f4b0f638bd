"""Exact tests and certificates: they prove what is true and refuse what is not."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import delaystability as ds
from delaystability.numerics.certificates.precise_threshold import largest_root_modulus
from delaystability.numerics.exact.circle_proof import CircleProof
from delaystability.numerics.exact.intervals import UndecidedError
from delaystability.numerics.exact.schur_cohn import is_schur_stable
from delaystability.numerics.tables.characteristic import characteristic_coefficients
from tests.helpers import WITH_MOMENTUM, largest_root, make, precise_reference

NINE_TENTHS = Fraction(9, 10)


def test_schur_cohn_decides_polynomials_with_known_roots():
    half, double = Fraction(1, 2), Fraction(2)
    assert is_schur_stable([1])
    assert is_schur_stable([3, 1])
    assert is_schur_stable([1, -2 * half, half**2])
    assert not is_schur_stable([1, -double])
    assert not is_schur_stable([1, -1])  # on the circle
    assert not is_schur_stable([1, 0, 1])  # a pair on the circle
    assert is_schur_stable([1, 0, 0])  # roots at zero
    assert not is_schur_stable([0, 1, -2])  # a leading zero is no root


def test_schur_cohn_sees_a_distance_that_floats_cannot():
    tiny = Fraction(1, 10**40)
    assert is_schur_stable([1, -(1 - tiny)])
    assert not is_schur_stable([1, -(1 + tiny)])


def test_schur_cohn_refuses_floats_and_zero():
    with pytest.raises(TypeError, match="coefficients must be int or Fraction; got 0.5"):
        is_schur_stable([1, 0.5])
    with pytest.raises(ValueError, match="not all be zero"):
        is_schur_stable([0, 0])


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(-20, 20), min_size=2, max_size=9).filter(lambda c: c[0] != 0))
def test_schur_cohn_agrees_with_numpy_roots(coefficients):
    largest = np.abs(np.roots(coefficients)).max(initial=0.0)
    # Multiple roots are found to the root of machine epsilon only: stay clear of the circle.
    if abs(largest - 1) > 1e-2:
        assert is_schur_stable(coefficients) == (largest < 1)


def _tables(optimizer, delay):
    feedback, feedforward = optimizer.coefficients(delay)
    a = ((0, Fraction(1)), *((lag, -Fraction(value)) for lag, value in feedback))
    return a, tuple((lag, Fraction(value)) for lag, value in feedforward)


@pytest.mark.parametrize("name", ["sgd", *WITH_MOMENTUM])
@pytest.mark.parametrize("delay", [0, 1, 4, 9])
def test_winding_number_counts_the_roots_outside(name, delay):
    optimizer = make(name, NINE_TENTHS)
    a, b = _tables(optimizer, delay)
    proof = CircleProof(a, b, delay, 100)
    threshold = ds.stability_threshold(make(name, 0.9), delay)
    for factor in (0.5, 0.99, 1.01, 3.0, 40.0):
        gain = Fraction(threshold * factor)
        coefficients = characteristic_coefficients(optimizer, delay, gain)
        moduli = np.abs(np.roots(np.array(coefficients, dtype=float)))
        assert proof.roots_outside(gain) == np.count_nonzero(moduli > 1)


def test_no_crossing_is_proved_below_the_threshold_and_refused_above():
    a, b = _tables(ds.HeavyBall(NINE_TENTHS), 4)
    proof = CircleProof(a, b, 4, 120)
    threshold = Fraction(ds.stability_threshold(ds.HeavyBall(0.9), 4))
    assert proof.no_crossing_up_to(threshold * (1 - Fraction(1, 10**12)))
    with pytest.raises(UndecidedError):
        proof.no_crossing_up_to(threshold * (1 + Fraction(1, 10**12)))


@pytest.mark.parametrize("name", ["sgd", *WITH_MOMENTUM])
@pytest.mark.parametrize("m", ["9/10", "-9/10", "1/2"])
@pytest.mark.parametrize("delay", [0, 1, 2, 5, 16])
@pytest.mark.quick(30)
def test_certificates_enclose_the_fast_threshold(name, m, delay):
    momentum = Fraction(m)
    certificate = ds.certify(make(name, momentum), delay, 30)
    assert certificate.upper - certificate.lower <= certificate.lower * Fraction(1, 10**30)
    found = Fraction(ds.stability_threshold(make(name, float(momentum)), delay))
    middle = (certificate.lower + certificate.upper) / 2
    # The float momentum is off by half an ulp, which 1 - |m| magnifies up to tenfold.
    assert abs(found - middle) <= 40 * Fraction(2) ** -52 * middle
    lower, upper = (Fraction(modulus) for modulus in certificate.root_moduli)
    assert lower < 1 < upper


def test_long_delays_are_certified_by_winding_number():
    certificate = ds.certify(ds.HeavyBall(NINE_TENTHS), 400, 25)
    assert certificate.method == "winding number in ball arithmetic"
    assert certificate.root_moduli is None
    assert certificate.verify()
    assert not replace(certificate, upper=certificate.lower * (1 - Fraction(1, 10**26))).verify()


@pytest.mark.parametrize("momentum", [Fraction(9, 10), Fraction(-9, 10)])
def test_both_exact_methods_agree(momentum):
    certificate = ds.certify(ds.HeavyBall(momentum), 20, 25)
    assert certificate.method == "integer Schur-Cohn test"
    assert replace(certificate, method="winding number in ball arithmetic").verify()


def test_wrong_certificates_are_refused():
    good = ds.certify(ds.Nesterov(NINE_TENTHS), 7, 20)
    width = good.upper - good.lower
    assert good.verify()
    shifted_up = replace(good, lower=good.lower + 3 * width, upper=good.upper + 3 * width)
    shifted_down = replace(good, lower=good.lower - 3 * width, upper=good.upper - 3 * width)
    assert not shifted_up.verify()
    assert not shifted_down.verify()
    assert not replace(good, lower=good.upper, upper=good.lower).verify()
    assert not replace(good, lower=-good.lower).verify()
    assert not replace(good, digits=40).verify()  # wider than it says
    assert not replace(good, delay=8).verify()
    assert not replace(good, b=((0, Fraction(1)),)).verify()


REENTRANT = ds.LinearOptimizer(
    {1: Fraction(94, 100), 2: Fraction(-55, 100)},
    {0: Fraction(74, 100), 1: Fraction(-27, 100), 2: Fraction(29, 100)},
)
"""Stable for gains below 1.306, unstable up to about 1.6, stable again up to about 3.8."""


def test_a_second_stable_interval_does_not_pass_for_the_threshold():
    def stable(gain):
        return is_schur_stable(characteristic_coefficients(REENTRANT, 0, Fraction(gain)))

    assert [stable(gain) for gain in ("1.2", "1.4", "3", "4")] == [True, False, True, False]
    certificate = ds.certify(REENTRANT, 0, 12)
    assert Fraction("1.30") < certificate.lower < certificate.upper < Fraction("1.31")
    low, high = Fraction(3), Fraction(4)
    while high - low > low / 10**13:
        middle = (low + high) / 2
        low, high = (middle, high) if stable(middle) else (low, middle)
    # Its ends are stable and unstable, yet gains below it are not all stable.
    with pytest.raises(UndecidedError):
        replace(certificate, lower=low, upper=high).verify()


@pytest.mark.parametrize(
    "delay",
    [
        ds.RandomDelay([Fraction(1, 5), Fraction(3, 10), Fraction(1, 2)]),
        ds.RandomDelay({2: 0.25, 5: 0.75}),
        ds.GeometricDelay(Fraction(7, 8)),
        ds.MeasuredDelay.from_log([0, 1, 2, 3, 3, 2, 4]),
    ],
    ids=["fractions", "floats", "geometric", "measured"],
)
@pytest.mark.parametrize("name", ["sgd", "nesterov"])
def test_the_mean_of_a_random_delay_is_certified(name, delay):
    certificate = ds.certify(make(name, Fraction(1, 2)), delay, 20)
    found = ds.stability_threshold(make(name, 0.5), delay, moment="mean")
    middle = (certificate.lower + certificate.upper) / 2
    assert found == pytest.approx(float(middle), rel=1e-12)
    assert "delay distribution" in certificate.parameters
    assert ds.Certificate.from_json(certificate.to_json()).verify()


def test_a_geometric_delay_is_ema_momentum():
    # Its threshold 2 (1 + q)/(1 - q) is rational: 30 for q = 7/8.
    certificate = ds.certify(ds.SGD(), ds.GeometricDelay(Fraction(7, 8)), 25)
    assert certificate.lower < 30 < certificate.upper


def test_a_long_certificate_is_as_cheap_as_a_short_one():
    import time

    def seconds(delay):
        begin = time.process_time()
        ds.certify(ds.HeavyBall(NINE_TENTHS), delay, 50)
        return time.process_time() - begin

    seconds(300)
    assert min(seconds(30_000) for _ in range(3)) < 4 * min(seconds(300) for _ in range(3))


@pytest.mark.slow
def test_certificates_contain_the_70_digit_threshold():
    random = np.random.default_rng(3)
    for name in ("sgd", "heavy-ball", "ema-momentum", "shifted-momentum"):
        for _ in range(6):
            m, delay = float(random.uniform(-0.95, 0.999)), int(random.integers(0, 90))
            certificate = ds.certify(make(name, m), delay, 50)
            with mpmath.workdps(90):
                exact = precise_reference(name, m, delay)
                lower, upper = (
                    mpmath.mpf(end.numerator) / end.denominator
                    for end in (certificate.lower, certificate.upper)
                )
                assert lower < exact < upper
                assert (upper - lower) / lower <= mpmath.mpf(10) ** -50


def test_a_certificate_survives_json():
    certificate = ds.certify(ds.ShiftedMomentum(NINE_TENTHS), 3, 40)
    text = certificate.to_json()
    assert ds.Certificate.from_json(text) == certificate
    assert ds.Certificate.from_json(text).verify()
    data = json.loads(text)
    assert Fraction(data["lower"]) < Fraction(data["upper"])
    data["lower"] = data["upper"]
    assert not ds.Certificate.from_json(json.dumps(data)).verify()


def test_rationals_of_thousands_of_digits_are_written_and_read():
    # 0.9 as a float is a fraction over 2^53; its power 1024 has 16,000 digits.
    certificate = ds.certify(ds.SpikeCompensation(0.9), 1024, digits=12)
    text = certificate.to_json()
    assert "0x" in text
    assert ds.Certificate.from_json(text) == certificate
    assert ds.Certificate.from_json(text).verify()


def test_a_float_is_certified_as_the_binary_number_it_is():
    certificate = ds.certify(ds.HeavyBall(0.9), 1, 30)
    exact = 1 - Fraction(0.9)
    assert certificate.lower < exact < certificate.upper
    assert not certificate.lower < Fraction(1, 10) < certificate.upper


def test_root_finding_in_50_digits_brackets_the_threshold():
    optimizer = ds.HeavyBall(NINE_TENTHS)
    certificate = ds.certify(optimizer, 6, 30)
    for gain, outside in ((certificate.lower, False), (certificate.upper, True)):
        coefficients = [Fraction(c) for c in characteristic_coefficients(optimizer, 6, gain)]
        modulus = largest_root_modulus(coefficients, 50)
        assert (modulus > 1) == outside
        assert float(modulus) == pytest.approx(largest_root(ds.HeavyBall(0.9), 6, float(gain)))


@pytest.mark.parametrize("digits", [0, -1, 1001, 1.5, "30", True])
def test_bad_digits_are_refused(digits):
    with pytest.raises(ValueError, match="digits must be an integer from 1 to 1000; got"):
        ds.certify(ds.SGD(), 1, digits)


def test_what_cannot_be_certified_is_refused():
    with pytest.raises(TypeError, match="delay must be one integer >= 0; got"):
        ds.certify(ds.SGD(), [1, 2])
    with pytest.raises(TypeError, match="momentum must be one rational number or float"):
        ds.certify(ds.HeavyBall(np.array([0.5, 0.6])), 1)
    with pytest.raises(ValueError, match="no threshold to certify at delay 0"):
        ds.certify(ds.LinearOptimizer({}, {0: -1}), 0)
    with pytest.raises(TypeError, match="optimizer must be"):
        ds.certify("sgd", 1)


def test_certificates_print_as_an_enclosure():
    text = str(ds.certify(ds.SGD(), 1, 10))
    lower, upper = text.split(" < threshold < ")
    assert float(lower) < 1 < float(upper)


@pytest.mark.parametrize("scale", [1e-250, 1e-160, 1e160, 1e250])
def test_certificates_do_not_depend_on_the_scale_of_the_filter(scale):
    table = {0: 1.0, 1: 0.25, 3: -0.125}
    scaled = ds.LinearOptimizer({1: 0.5}, {lag: scale * value for lag, value in table.items()})
    plain = ds.certify(ds.LinearOptimizer({1: 0.5}, table), 2, 30)
    found = ds.certify(scaled, 2, 15)
    # Each coefficient of the scaled table is rounded once.
    assert float(found.lower * Fraction(scale) / plain.lower) == pytest.approx(1, rel=1e-14)
    assert found.verify()
