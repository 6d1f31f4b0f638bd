"""Expressions as text: read back equal, by a whitelist, and never evaluated."""

from __future__ import annotations

import pytest
from sympy import Float, Function, Rational, Symbol, cos, gamma, limit, oo, pi, sin, srepr
from sympy import Limit as LimitOf

from delaystability.printing.expression_text import expression_from_text, expression_to_text
from delaystability.theory.registry import named, names
from delaystability.theory.symbols import m, ordered_product, ordered_sum, tau, theta


def _formulas(proof):
    yield from (value for value in proof.theorem.given.values() if not isinstance(value, str))
    yield from (step.claim for step in proof.steps if step.claim is not None)


@pytest.mark.parametrize("name", names())
@pytest.mark.quick(30)
def test_every_formula_of_the_theory_is_read_back_equal(name):
    formulas = list(_formulas(named(name)))
    assert formulas
    for formula in formulas:
        read = expression_from_text(expression_to_text(formula))
        assert read == formula
        assert srepr(read, order="none") == srepr(formula, order="none")


def test_the_order_of_terms_is_kept():
    written = ordered_sum(tau, ordered_product(m, 1 - theta, 3), -m, tau)
    read = expression_from_text(expression_to_text(written))
    assert read.args == written.args


def test_numbers_symbols_and_functions_are_read():
    for expression in (
        Rational(-3, 7),
        Float("0.1", 40),
        Symbol("x"),
        Symbol("a_*", positive=True),
        Function("X")(theta),
        LimitOf(sin(theta) / theta, theta, 0),
        pi * cos(tau * theta),
        oo,
    ):
        assert expression_from_text(expression_to_text(expression)) == expression
    # A limit is read, not taken.
    assert expression_from_text(srepr(LimitOf(1 / tau, tau, oo))) != limit(1 / tau, tau, oo)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "open('x')",
        "Symbol('x').__class__",
        "(lambda: 1)()",
        "[Integer(1) for _ in (1,)]",
        "Add(Integer(1), 2)",
        "Add('x', Integer(1))",
        "Integer('1')",
        "Integer(Integer(1))",
        "Symbol(Symbol('x'))",
        "Symbol('x', commutative=False)",
        "Symbol('x', real=__import__('os'))",
        "Symbol('x', **{})",
        "Add(*(Integer(1),))",
        "Function('f', nargs=1)(Integer(1))",
        "sympify('x')",
        "Lambda(Symbol('x'), Integer(1))",
        "Integer(1) + Integer(2)",
        "sin(Symbol('x'), evaluate=True)",
        "'x'",
        "1",
        "Add(",
        "",
        "-" * 5000 + "1",
        "Add(" * 5000 + ")" * 5000,
        "x" * 300_000,
        "Pow(Integer(2))",
    ],
)
def test_what_is_not_on_the_list_is_refused(text):
    with pytest.raises(ValueError):
        expression_from_text(text)


def test_nothing_large_is_computed_while_reading():
    # Evaluated, this would have a billion digits.
    text = "Pow(Integer(10), Integer(1000000000))"
    assert srepr(expression_from_text(text)) == text


def test_what_cannot_be_read_back_is_not_written():
    with pytest.raises(ValueError, match="an assumption must be one of"):
        expression_to_text(sin(Symbol("x", prime=True)))
    with pytest.raises(ValueError, match="may name only"):
        expression_to_text(gamma(m))
