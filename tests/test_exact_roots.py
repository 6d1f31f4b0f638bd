"""Roots, signs and counts that are decided exactly, against floats and against SymPy."""

from __future__ import annotations

from itertools import count

import numpy as np
import pytest
from sympy import QQ, CRootOf, Eq, Function, Piecewise, Poly, Rational, Symbol, Tuple, floor, sqrt

from delaystability.printing.formula import formula_latex, formula_text
from delaystability.theory.decimals import decimal, with_decimals
from delaystability.theory.real_root import (
    RealRoot,
    cauchy_index,
    real_roots,
    simplest_between,
)
from delaystability.theory.unit_disc import all_roots_inside, roots_outside

x, a = Symbol("x"), Symbol("a")


def _polynomial(coefficients) -> Poly:
    return Poly(list(map(int, coefficients)), x, domain=QQ)


# Roots outside the unit circle.


@pytest.mark.slow
def test_the_number_of_roots_outside_agrees_with_floats():
    random = np.random.default_rng(1)
    undecided = 0
    for _ in range(400):
        coefficients = random.integers(-9, 10, size=random.integers(1, 9))
        if not coefficients[0]:
            continue
        moduli = np.abs(np.roots(coefficients))
        found = roots_outside(_polynomial(coefficients))
        if found is None:
            undecided += 1
            assert np.any(np.abs(moduli - 1) < 1e-6)
        else:
            assert found == np.count_nonzero(moduli > 1)
            assert all_roots_inside(_polynomial(coefficients)) == (found == 0)
    assert undecided < 40


@pytest.mark.parametrize(
    ("coefficients", "expected"),
    [
        ([7], 0),
        ([1, 0, 0, 0], 0),
        ([1, -2], 1),
        ([1, -1], None),
        ([1, 1], None),
        ([1, 0, 1], None),
        ([1, 0, 0, 0, 1], None),
        # The product of the roots is 1, where the rule of Schur and Cohn breaks down.
        ([2, -5, 2], 1),
        ([2, -5, 2, 0], 1),
        # Double roots inside, and a pair on the circle beside one outside.
        ([4, -4, 1], 0),
        ([1, -3, 3, -2], None),
    ],
)
def test_roots_on_the_circle_and_other_special_places(coefficients, expected):
    assert roots_outside(_polynomial(coefficients)) is expected or (
        roots_outside(_polynomial(coefficients)) == expected
    )


# Real algebraic numbers.


@pytest.mark.slow
def test_roots_know_their_signs_and_images():
    tiny = Rational(1, 10**50)
    random = np.random.default_rng(2)
    for _ in range(60):
        polynomial = _polynomial(random.integers(-5, 6, size=random.integers(2, 6)) * 2 + 1)
        other = _polynomial(random.integers(-5, 6, size=random.integers(1, 5)))
        for root in real_roots(polynomial):
            low, high = root.enclosure(30)
            assert low - tiny <= root.number.evalf(60) <= high + tiny
            assert high - low <= Rational(1, 10**30)
            value = other.as_expr().subs(x, root.number).evalf(30)
            assert root.sign(other) == np.sign(float(value)) or abs(value) < 1e-25
            if root.sign(other):
                image = root.image_root(polynomial.diff(), other, a)
                quotient = (polynomial.diff() / other).subs(x, root.number).evalf(30)
                assert abs(image.number.evalf(30) - quotient) < 1e-20 * (1 + abs(quotient))


def test_a_root_is_found_again_in_its_number():
    for polynomial in (_polynomial([1, 0, -3, 1]), _polynomial([1000, 0, -30, 1])):
        for root in real_roots(polynomial):
            assert RealRoot.of(root.root, x) == root
            negative = RealRoot.of(-3 * root.root, x)
            assert negative is not None
            assert abs(negative.number.evalf(20) + 3 * root.number.evalf(20)) < 1e-15
    assert RealRoot.of(Rational(2, 3), x).number == Rational(2, 3)
    assert RealRoot.of(sqrt(2), x) is None
    assert RealRoot.of(CRootOf(x**5 - x - 1, 0) + 1, x) is None


def test_sturms_method_counts_signs_without_isolating_a_root():
    random = np.random.default_rng(3)
    ends = Rational(-1003, 1000), Rational(997, 1001)
    for _ in range(40):
        polynomial = _polynomial(random.integers(-5, 6, size=random.integers(2, 6)) * 2 + 1)
        if random.integers(2):
            polynomial = polynomial * polynomial
        other = _polynomial(random.integers(-5, 6, size=random.integers(1, 5)))
        roots = [root for root in real_roots(polynomial) if ends[0] < root.number < ends[1]]
        assert cauchy_index(polynomial, other, ends) == sum(root.sign(other) for root in roots)


def test_the_simplest_number_between_two_others():
    random = np.random.default_rng(4)
    for _ in range(100):
        low = Rational(int(random.integers(0, 40)), int(random.integers(1, 12)))
        high = low + Rational(int(random.integers(1, 40)), int(random.integers(1, 60)))
        found = simplest_between(low, high)
        assert low < found < high
        smallest = next(q for q in count(1) if Rational(floor(low * q) + 1, q) < high)
        assert found.q == smallest


# Their decimals.


def test_decimals_are_cut_off_and_not_rounded():
    assert decimal(sqrt(2), 5) == "1.4142"
    assert decimal(Rational(2, 3), 4) == "0.6666"
    assert decimal(-Rational(2, 3) / 1000, 4) == "-0.0006666"
    assert decimal(Rational(123456), 3) == "123456"
    assert decimal(CRootOf(x**5 - x - 1, 0)) == "1.16730397826141"


def test_only_numbers_without_a_short_form_become_decimals():
    root = CRootOf(x**5 - x - 1, 0)
    assert formula_latex(Eq(a, 2 * root + 1)) == r"a = 3.33460795652283{\ldots}"
    assert formula_text(Eq(a, root), inline=False) == "a = 1.16730397826141…"
    assert formula_latex(Eq(a, sqrt(2))) == r"a = \sqrt{2}"
    assert "1.16730…" in str(with_decimals(Tuple(root, a), "…"))
    steps = Piecewise((0, a < root), (1, True), evaluate=False)
    assert r"a < 1.16730397826141{\ldots}" in formula_latex(steps)
    assert with_decimals(a + 1, "…") == a + 1


def test_long_polynomials_take_several_lines():
    terms = [(-1) ** k * 12345678901 * a**k for k in range(12, -1, -1)]
    total = sum(terms[1:], start=terms[0])
    for equation in (Eq(Function("q")(a), total), Eq(total, 0, evaluate=False)):
        text = formula_text(equation, inline=False)
        assert max(map(len, text.splitlines())) <= 80
        assert text.count("12345678901") == 13
    short = Eq(Function("q")(a), a**2 + 1)
    assert formula_text(short, inline=False) == "            2\nq(a) = 1 + a "
