"""The catalogue: one table, any number type, clear errors."""

from __future__ import annotations

from fractions import Fraction

import flint
import numpy as np
import pytest
import sympy
import torch

import delaystability as ds
from delaystability.model.catalogue import optimizer_from_dict, optimizer_from_name
from delaystability.theory.symbolic_loop import symbolic
from tests.helpers import CHECKED_MOMENTUM, EPS

TABLES = {
    "sgd": ([], [(0, 1)]),
    "heavy-ball": ([(1, "m")], [(0, 1)]),
    "ema-momentum": ([(1, "m")], [(0, "1-m")]),
    "nesterov": ([(1, "m")], [(0, "1+m"), (1, "-m")]),
    "shifted-momentum": ([("delay+1", "m")], [(0, 1)]),
    "spike-compensation": (
        [(1, "m")],
        [(0, "m**delay + (1-m**delay)/(1-m)"), (1, "-m*(1-m**delay)/(1-m)")],
    ),
    "weight-prediction": ([(1, "m")], [(0, "1+delay"), (1, "-delay")]),
}


@pytest.mark.quick(65)
@pytest.mark.parametrize("name", list(TABLES))
@pytest.mark.parametrize(
    "momentum",
    [
        0.9,
        Fraction(9, 10),
        sympy.Symbol("m"),
        flint.fmpq(9, 10),
        np.array([0.1, 0.9]),
        torch.tensor([0.1, 0.9]),
    ],
    ids=["float", "Fraction", "symbol", "fmpq", "array", "tensor"],
)
@pytest.mark.parametrize("delay", [3, sympy.Symbol("tau")], ids=["int", "symbol"])
def test_tables_work_in_every_number_type(name, momentum, delay):
    if name == "spike-compensation" and isinstance(delay, sympy.Basic):
        # Its table holds momentum^delay, and a symbolic power needs a symbolic base.
        momentum = sympy.Symbol("m")
    optimizer = ds.CATALOGUE[name]() if name == "sgd" else ds.CATALOGUE[name](momentum)

    def meaning(entry):
        return eval(entry, {"m": momentum, "delay": delay}) if isinstance(entry, str) else entry

    def same(left, right):
        if any(isinstance(side, (float, np.ndarray, torch.Tensor)) for side in (left, right)):
            # Geometric sums of floats are taken without cancellation: equal to rounding.
            return np.allclose(np.asarray(left), np.asarray(right), rtol=1e-6)
        return (
            bool(sympy.simplify(left - right) == 0)
            if hasattr(left, "free_symbols")
            else (bool(left == right))
        )

    for table, expected in zip(optimizer.coefficients(delay), TABLES[name], strict=True):
        assert len(table) == len(expected)
        for (lag, value), (lag_text, value_text) in zip(table, expected, strict=True):
            assert same(lag, meaning(lag_text))
            assert same(value, meaning(value_text))
            if value_text == "m" or value_text == "1-m":
                assert type(value) is type(momentum) or isinstance(momentum, sympy.Symbol)


CONVERSIONS = {
    "float": float,
    "Fraction": Fraction,
    "SymPy": lambda value: sympy.Rational(value.numerator, value.denominator),
    "fmpq": lambda value: flint.fmpq(value.numerator, value.denominator),
    "array": lambda value: np.array([float(value)]),
    "tensor": lambda value: torch.tensor([float(value)], dtype=torch.float64),
}


@pytest.mark.quick(54)
@pytest.mark.parametrize("name", list(ds.CATALOGUE))
@pytest.mark.parametrize("convert", CONVERSIONS.values(), ids=CONVERSIONS)
@pytest.mark.parametrize("delay", [0, 3])
def test_every_class_has_the_tables_of_its_symbols_in_every_number_type(name, convert, delay):
    symbols = symbolic(ds.CATALOGUE[name]).parameters
    values = {key: Fraction(2 * k + 3, 2 * k + 5) for k, key in enumerate(symbols)}
    tables = ds.CATALOGUE[name](**{k: convert(v) for k, v in values.items()}).coefficients(delay)
    points = {symbols[key]: CONVERSIONS["SymPy"](value) for key, value in values.items()}
    expected = ds.CATALOGUE[name](**symbols).coefficients(delay)
    for table, table_in_symbols in zip(tables, expected, strict=True):
        assert [lag for lag, _ in table] == [lag for lag, _ in table_in_symbols]
        for (_, value), (_, formula) in zip(table, table_in_symbols, strict=True):
            wanted = sympy.sympify(formula).subs(points)
            if isinstance(value, (float, np.ndarray, torch.Tensor)):
                assert np.asarray(value).item() == pytest.approx(float(wanted), rel=1e-14)
            else:
                assert Fraction(str(value)) == Fraction(str(wanted))


@pytest.mark.parametrize("momentum", [1, 1.0, -1.0, 2, float("nan"), float("inf"), Fraction(3, 2)])
@pytest.mark.parametrize("name", CHECKED_MOMENTUM)
def test_momentum_outside_the_unit_interval_is_refused(name, momentum):
    with pytest.raises(ValueError, match="momentum must be .* -1 < momentum < 1; got"):
        ds.CATALOGUE[name].example(momentum=momentum)


@pytest.mark.parametrize(
    "momentum", [np.array([0.5, 1.0]), np.array([np.nan]), torch.tensor([2.0])]
)
def test_one_bad_momentum_in_an_array_is_refused(momentum):
    with pytest.raises(ValueError, match="momentum"):
        ds.HeavyBall(momentum)


@pytest.mark.parametrize("momentum", ["0.9", None, True, 1j, ["a"], [[0.1], [0.2, 0.3]], object()])
def test_momentum_that_is_no_number_is_refused(momentum):
    with pytest.raises(TypeError, match="momentum must be"):
        ds.HeavyBall(momentum)


@pytest.mark.parametrize(
    ("feedback", "feedforward", "message"),
    [
        ({0: 0.5}, {0: 1}, "feedback must be .* got the lag 0"),
        ({1.5: 0.5}, {0: 1}, "got the lag 1.5"),
        ({True: 0.5}, {0: 1}, "got the lag True"),
        ({}, {-1: 1}, "feedforward must be .* got the lag -1"),
        ({1: float("nan")}, {0: 1}, "got nan at lag 1"),
        ({1: float("inf")}, {0: 1}, "got inf at lag 1"),
        ({1: "a"}, {0: 1}, "got 'a' at lag 1"),
        ({}, {}, "feedforward must have at least one coefficient"),
    ],
)
def test_own_tables_are_checked(feedback, feedforward, message):
    with pytest.raises(ValueError, match=message):
        ds.LinearOptimizer(feedback, feedforward)


def test_own_tables_must_be_mappings():
    with pytest.raises(TypeError, match="feedback must be a mapping"):
        ds.LinearOptimizer([0.5], {0: 1})


def test_own_tables_accept_numpy_lags_and_keep_their_values():
    own = ds.LinearOptimizer({np.int64(2): 0.5}, {0: Fraction(1, 3)})
    assert own.feedback == {2: 0.5}
    assert own.coefficients(7).feedforward == ((0, Fraction(1, 3)),)


def test_a_list_of_momenta_is_an_array():
    found = ds.stability_threshold(ds.HeavyBall([0.0, 0.9]), 1)
    assert np.array_equal(found, ds.stability_threshold(ds.HeavyBall(np.array([0.0, 0.9])), 1))
    with pytest.raises(ValueError, match="momentum"):
        ds.HeavyBall([0.0, 1.5])


def test_optimizers_are_frozen():
    with pytest.raises(AttributeError):
        ds.HeavyBall(0.9).momentum = 0.5


def test_optimizer_from_name_names_what_is_wrong():
    assert optimizer_from_name("nesterov", momentum=0.5) == ds.Nesterov(0.5)
    with pytest.raises(ValueError, match="must be one of sgd, heavy-ball.*got 'adam'"):
        optimizer_from_name("adam")
    with pytest.raises(ValueError, match="'heavy-ball' needs momentum"):
        optimizer_from_name("heavy-ball")
    with pytest.raises(ValueError, match="'sgd' has no parameter momentum"):
        optimizer_from_name("sgd", momentum=0.5)


@pytest.mark.parametrize("name", list(ds.CATALOGUE))
def test_an_optimizer_is_read_back_from_its_plain_data(name):
    optimizer = ds.CATALOGUE[name].example(momentum=Fraction(1, 3))
    assert optimizer_from_dict(optimizer.to_dict()) == optimizer
    custom = ds.LinearOptimizer({1: 0.5}, {0: 1.0})
    assert optimizer_from_dict(custom.to_dict()) == custom
    with pytest.raises(ValueError, match="has no parameter beta_9"):
        optimizer_from_dict({**optimizer.to_dict(), "beta_9": 1.0})
    with pytest.raises(ValueError, match="parameters must be those of 'linear'"):
        optimizer_from_dict({**custom.to_dict(), "momentum": 1.0})
    with pytest.raises(ValueError, match="must be one of sgd, .*; got None"):
        optimizer_from_dict({"momentum": 0.9})


def test_example_takes_what_an_optimizer_has_and_ordinary_values_for_the_rest():
    assert ds.SGD.example(momentum=0.3) == ds.SGD()
    assert ds.HeavyBall.example() == ds.HeavyBall(0.9)
    assert ds.WeightPrediction.example(horizon=2) == ds.WeightPrediction(0.9, 2)
    with pytest.raises(ValueError, match="momentum must be"):
        ds.HeavyBall.example(momentum=1.0)
    with pytest.raises(TypeError, match="horizon must be None"):
        ds.WeightPrediction(0.9, "far")
    with pytest.raises(ValueError, match="horizon must be .*; got inf"):
        ds.WeightPrediction(0.9, float("inf"))


def test_the_momentum_of_the_first_classes_is_checked():
    assert set(CHECKED_MOMENTUM) >= set(TABLES) - {"sgd"}


def test_catalogue_names_are_those_of_its_classes():
    # The tables above are written by hand; later classes have those of their symbols.
    assert list(ds.CATALOGUE)[: len(TABLES)] == list(TABLES)
    for name, cls in ds.CATALOGUE.items():
        assert cls.name == name
        assert cls.title
        assert cls.__doc__


@pytest.mark.parametrize("distance", [1e-3, 1e-9, 2.0**-40])
def test_spike_compensation_keeps_its_digits_next_to_momentum_one(distance):
    momentum, delay = 1 - distance, 100
    exact = ds.SpikeCompensation(Fraction(momentum)).coefficients(delay).feedforward
    found = ds.SpikeCompensation(momentum).coefficients(delay).feedforward
    for (_, value), (_, wanted) in zip(found, exact, strict=True):
        assert float(value) == pytest.approx(float(wanted), rel=64 * EPS)
