"""Theorems on noise, random delays and speed: the same numbers as the numerics, and their field."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sympy
from sympy import Integer, Rational, Symbol, cos, pi, sin, tan

import delaystability as ds
from delaystability.printing.derivation import derive
from delaystability.theory.checks import Status
from delaystability.theory.field import is_identically_zero
from delaystability.theory.moments import confirm_mean_square, inverse_variance
from delaystability.theory.proofs.geometric_delays import ratio
from delaystability.theory.symbols import a, kappa, m, tau, theta, z


def _value(name, point):
    return float(derive(name).theorem.statement.value(point, 25))


# The field knows the angle pi/4, and powers of quotients.


@pytest.mark.parametrize(
    "identity",
    [
        tan(pi / 4 - theta) * tan(pi / 4 + theta) - 1,
        cos(theta - pi / 4) - (cos(theta) + sin(theta)) / sympy.sqrt(2),
        sin(3 * pi / 4 + tau * theta) - cos(tau * theta + pi / 4),
        (z / (tau + 1)) ** (tau + 2) - z ** (tau + 2) / (tau + 1) ** (tau + 2),
    ],
    ids=str,
)
def test_identities_with_quarter_turns_and_powers_of_quotients(identity):
    assert is_identically_zero(identity)
    assert not is_identically_zero(identity + Rational(1, 10**20))


def test_a_power_is_split_for_integer_exponents_only():
    x = Symbol("x")
    assert not is_identically_zero((x * z) ** theta - x**theta * z**theta)


def test_other_multiples_of_pi_are_refused():
    with pytest.raises(ValueError, match=r"multiple of pi/4 only; got 1/3 pi"):
        is_identically_zero(sin(theta + pi / 3))


# Agreement with the numerics.


@pytest.mark.quick(10)
@pytest.mark.parametrize("delay", [0, 1, 4, 30])
@pytest.mark.parametrize("noise", ["0", "1/50", "1/2", "1", "7", "2000"])
def test_the_mean_square_threshold_and_its_bounds(delay, noise):
    point = {tau: Integer(delay), kappa: Rational(noise)}
    found = ds.stability_threshold(
        ds.SGD(), delay, curvature_noise=float(point[kappa]), moment="mean-square"
    )
    assert _value("mean-square-sgd", point) == pytest.approx(found, rel=1e-12)
    assert _value("mean-square-sgd-lower", point) <= found * (1 + 1e-12)
    if point[kappa] <= 1:
        assert _value("mean-square-sgd-upper", point) >= found * (1 - 1e-12)
    if point[kappa] == 1:
        assert _value("mean-square-sgd-unit-noise", point) == pytest.approx(found, rel=1e-12)
    if delay == 0:
        assert _value("mean-square-sgd-delay-0", point) == pytest.approx(found, rel=1e-12)


@pytest.mark.parametrize("delay", [0, 1, 5, 20])
@pytest.mark.parametrize("part", ["1/1000", "1/3", "9/10"])
def test_the_stationary_variance_of_sgd(delay, part):
    gain = Rational(part) * Rational(ds.stability_threshold(ds.SGD(), delay))
    found = ds.stationary_variance(ds.SGD(), delay, float(gain))
    point = {tau: Integer(delay), a: gain}
    assert _value("noise-amplification-sgd", point) == pytest.approx(found, rel=1e-12)
    if delay == 0:
        value = _value("noise-amplification-sgd-delay-0", point)
        assert value == pytest.approx(found, rel=1e-12)


@pytest.mark.parametrize("momentum", ["-1/2", "1/3", "9/10"])
@pytest.mark.parametrize("noise", ["1/4", "3"])
def test_heavy_ball_without_delay(momentum, noise):
    optimizer = ds.HeavyBall(float(Rational(momentum)))
    point = {tau: Integer(0), m: Rational(momentum), kappa: Rational(noise), a: Rational(1, 3)}
    found = ds.stability_threshold(
        optimizer, 0, curvature_noise=float(point[kappa]), moment="mean-square"
    )
    assert _value("mean-square-heavy-ball-delay-0", point) == pytest.approx(found, rel=1e-12)
    variance = ds.stationary_variance(optimizer, 0, float(point[a]))
    value = _value("noise-amplification-heavy-ball-delay-0", point)
    assert value == pytest.approx(variance, rel=1e-12)


@pytest.mark.parametrize("q", ["0", "1/10", "1/2", "7/8", "999/1000"])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_geometric_delays(q):
    point, delay = {ratio: Rational(q)}, ds.GeometricDelay(float(Rational(q)))
    for name, moment in (
        ("geometric-delay", "mean"),
        ("geometric-delay-mean-square", "mean-square"),
    ):
        found = ds.stability_threshold(ds.SGD(), delay, moment=moment)
        assert _value(name, point) == pytest.approx(found, rel=1e-11)


@pytest.mark.parametrize("delay", [0, 1, 4, 12])
def test_the_fastest_rate_and_the_escape_rate(delay):
    point = {tau: Integer(delay)}
    gain = _value("sgd-fastest-gain", point)
    rate = _value("sgd-fastest-rate", point)
    # The root is double: rounding of the gain moves it by a square root.
    assert ds.spectral_radius(ds.SGD(), delay, gain) == pytest.approx(rate, abs=1e-6)
    for factor in (0.9, 1.1):
        assert ds.spectral_radius(ds.SGD(), delay, factor * gain) > rate
    excess = 1e-4
    threshold = ds.stability_threshold(ds.SGD(), delay)
    measured = ds.escape_rate(ds.SGD(), delay, threshold * (1 + excess)) / excess
    assert _value("sgd-escape-slope", point) == pytest.approx(measured, rel=1e-3)


# The trial by the moments of the state can fail.


def test_the_moments_of_synchronous_sgd():
    assert inverse_variance([0.5], 0, 0) == pytest.approx(0.75)
    assert inverse_variance([0.5], 0, 1) < 0


def test_a_wrong_mean_square_threshold_is_caught():
    derivation = derive("mean-square-sgd-delay-0")
    statement, check = derivation.theorem.statement, derivation.step("conclusion").check
    assert check.on(statement).status is not Status.FAILED
    for factor in (Rational(999999, 10**6), Rational(1000001, 10**6)):
        relation = statement.relation
        wrong = sympy.Eq(relation.lhs, relation.rhs * factor**2, evaluate=False)
        result = check.on(replace(statement, relation=wrong))
        assert result.status is Status.FAILED and " gain " in result.detail
    assert confirm_mean_square(None, [])(None)[0] == 0
