"""Every theorem against the numerics: neither imports the other, so that agreement is evidence."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from sympy import Rational

import delaystability as ds
from delaystability.printing.derivation import all_derivations
from delaystability.questions.outer_gains import MergedReplicas, eager_threshold
from delaystability.theory.symbolic_loop import symbolic

TRIED = 12
ROUNDING = 1e-12
"""Both sides are sums of a few products and elementary functions, each within some eps."""


def _optimizer(name: str, values: dict[str, float]):
    symbols = {key: str(value) for key, value in symbolic(ds.CATALOGUE[name]).parameters.items()}
    return ds.CATALOGUE[name](**{key: values[symbol] for key, symbol in symbols.items()})


def _delay(values: dict[str, float]) -> int:
    return int(values["tau"])


def _threshold(name, values):
    return ds.stability_threshold(_optimizer(name, values), _delay(values))


def _mean_square_threshold(name, values):
    return ds.stability_threshold(
        _optimizer(name, values), _delay(values), curvature_noise=values["kappa"]
    )


def _batch_edge(name, values):
    return ds.batch_sharpness_edge(_optimizer(name, values), _delay(values), values["kappa"])


def _noise_amplification(name, values):
    return ds.stationary_variance(_optimizer(name, values), _delay(values), values["a"])


def _fastest(index):
    return lambda name, values: ds.fastest_gain(_optimizer(name, values), _delay(values))[index]


def _escape_slope(name, values):
    optimizer, delay, step = _optimizer(name, values), _delay(values), 1e-5
    threshold = ds.stability_threshold(optimizer, delay)
    rates = [ds.escape_rate(optimizer, delay, threshold * (1 + k * step)) for k in (-1, 1)]
    return (rates[1] - rates[0]) / (2 * step)


def _any_sequence_threshold(name, values):
    return ds.stability_threshold(_optimizer(name, values), ds.BoundedDelay(_delay(values)))


def _outer_threshold(_, values):
    if "n" in values:
        return eager_threshold(ds.SGD(), int(values["n"])) / values["h_K"]
    merged = MergedReplicas(ds.SGD(), values["beta"])
    return merged.threshold(1 - values["r_1"], 1 - values["r_2"])


def _mixed_read_threshold(_, values):
    read = ds.MixedRead.partly_fresh(values["l"], _delay(values))
    return ds.stability_threshold(ds.SGD(), read)


MEASURED = {
    "threshold": _threshold,
    "first-threshold": _threshold,
    "any-sequence-threshold": _any_sequence_threshold,
    "outer-threshold": _outer_threshold,
    "decayed-threshold": lambda _, values: ds.stability_threshold(
        ds.SGD(), _delay(values), decay=values["c"]
    ),
    "mixed-read-threshold": _mixed_read_threshold,
    "mostly-fresh-threshold": _mixed_read_threshold,
    # Always an even delay, or always an odd one, is the worst sequence.
    "any-delays-threshold": lambda _, values: min(
        _mixed_read_threshold(_, {**values, "tau": delay}) for delay in range(4)
    ),
    "mean-square-threshold": _mean_square_threshold,
    "batch-sharpness-edge": _batch_edge,
    "noise-amplification": _noise_amplification,
    "fastest-gain": _fastest(0),
    "fastest-rate": _fastest(1),
    "escape-slope": _escape_slope,
}
"""How the numerics find each quantity, for the parameters m, tau, ... of a point."""

LOOSE = {"fastest-gain": 1e-6, "fastest-rate": 1e-6, "escape-slope": 1e-6}
"""A minimum is flat to the root of eps, and so is a difference quotient's error."""


def _random_points(statement, count, seed=20):
    random = np.random.default_rng(seed)
    fixed = {c.lhs: c.rhs for c in statement.domain if type(c).__name__ == "Equality"}
    points = []
    for _ in range(400 * count):
        point = {symbol: _random_value(symbol, random) for symbol in statement.parameters}
        point |= {symbol: value for symbol, value in fixed.items() if symbol in point}
        if statement.holds_in_domain(point):
            points.append(point)
        if len(points) == count:
            return points
    raise AssertionError(f"only {len(points)} points in the domain {statement.domain}")


def _random_value(symbol, random):
    if symbol.is_integer:
        return int(random.integers(0, 40))
    # Binary fractions, which the numerics take without rounding.
    whole = (
        int(random.integers(1, 2**20))
        if symbol.is_nonnegative
        else random.integers(-(2**20), 2**20)
    )
    scale = 2**19 if symbol.is_nonnegative else 2**20
    return Rational(int(whole), scale)


def _measured(statement, point):
    values = {str(symbol): float(value) for symbol, value in point.items()}
    # A parameter that the formula does not name, but the optimizer has.
    return float(MEASURED[statement.quantity](statement.optimizer, {"m": 0.4, **values}))


def _disagreements(statement, points):
    tolerance = LOOSE.get(statement.quantity, ROUNDING)
    wrong = []
    for point in points:
        formula, found = float(statement.value(point, 20)), _measured(statement, point)
        difference = (formula - found) / abs(found)
        holds = {
            "exact": abs(difference) <= tolerance,
            "sufficient": difference <= tolerance,
            "necessary": difference >= -tolerance,
        }
        if not holds[statement.kind]:
            wrong.append((point, formula, found))
    return wrong


def _stated(quantity):
    """What theorems say of this quantity, by their names."""
    found = {d.name: d.theorem.statement for d in all_derivations()}
    return {
        name: statement
        for name, statement in found.items()
        if statement.quantity == quantity and statement.kind != "asymptotic"
    }


@pytest.mark.slow
@pytest.mark.parametrize("quantity", MEASURED)
def test_every_theorem_agrees_with_the_numerics_on_random_points(quantity):
    stated = _stated(quantity)
    assert stated
    for name, statement in stated.items():
        assert _disagreements(statement, _random_points(statement, TRIED)) == [], name


def _is_noticed(statement):
    """Whether a theorem that is spoiled disagrees with the numerics."""
    relation = statement.relation
    # A bound is spoiled to its wrong side, by more than it is loose.
    factors = {"exact": Rational(1001, 1000), "sufficient": 4, "necessary": Rational(1, 4)}
    spoiled_side = relation.rhs * factors[statement.kind]
    wrong = relation.func(relation.lhs, spoiled_side, evaluate=False)
    spoiled = replace(statement, relation=wrong)
    return bool(_disagreements(spoiled, _random_points(statement, 3)))


@pytest.mark.parametrize("name", ["sgd", "sgd-upper-bound", "sgd-lower-bound", "heavy-ball"])
def test_a_theorem_that_is_wrong_is_noticed(name):
    assert _is_noticed(ds.derive(name).theorem.statement)


@pytest.mark.slow
@pytest.mark.parametrize("quantity", MEASURED)
def test_every_theorem_that_is_wrong_is_noticed(quantity):
    for name, statement in _stated(quantity).items():
        assert _is_noticed(statement), name


def _outside_certificates(statement):
    """Points at which the exact threshold is not the certified one."""
    outside = []
    for point in _random_points(statement, 3, seed=7):
        values = {str(s): Fraction(str(v)) for s, v in point.items()}
        values.setdefault("m", Fraction(2, 5))
        certificate = ds.certify(_optimizer(statement.optimizer, values), int(values["tau"]), 20)
        with mpmath.workdps(40):
            value = mpmath.mpf(statement.value(point, 30))
            slack = mpmath.mpf("1e-28") * value
            lower, upper = (
                mpmath.mpf(end.numerator) / end.denominator
                for end in (certificate.lower, certificate.upper)
            )
            if not lower - slack <= value <= upper + slack:
                outside.append(point)
    return outside


@pytest.mark.parametrize("name", ["sgd", "heavy-ball"])
def test_an_exact_threshold_lies_in_its_certificates(name):
    assert _outside_certificates(ds.derive(name).theorem.statement) == []


@pytest.mark.slow
def test_every_exact_threshold_lies_in_its_certificates():
    exact = [
        statement
        for statement in _stated("threshold").values()
        if statement.kind == "exact" and statement.optimizer in ds.CATALOGUE
    ]
    assert len(exact) >= 22
    assert [found for statement in exact for found in _outside_certificates(statement)] == []
