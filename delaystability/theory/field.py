"""Deciding identities: expressions in angles become rational functions in free symbols.

With exp(i theta / 2), exp(i tau theta / 2), z^tau, ... as independent symbols, an identity of
rational functions holds for every angle and every delay as soon as its numerator expands to zero.
The test is one-sided: what it accepts is proved; what it rejects may still hold.
"""

from __future__ import annotations

from math import lcm

from sympy import (
    Add,
    Derivative,
    Dummy,
    Expr,
    I,
    Integer,
    Mul,
    Pow,
    apart,
    cancel,
    cos,
    cot,
    exp,
    expand,
    expand_power_base,
    factor,
    fraction,
    pi,
    sin,
    sqrt,
    tan,
    together,
)
from sympy.core.function import AppliedUndef

from delaystability.theory.symbols import tau

__all__ = ["is_identically_zero", "rational_form"]

_CIRCULAR = (sin, cos, tan, cot, exp)
_HALF_TURNS = pi * tau


def _angle_terms(angle: Expr) -> list[tuple[Expr, Expr]]:
    """The angle as a sum of rational multiples (multiple, atom) of angles like theta, tau theta."""
    angle = cancel(angle)
    separated = apart(angle, tau) if fraction(angle)[1].has(tau) else expand(angle)
    return [factor(term).as_coeff_Mul(rational=True) for term in Add.make_args(separated)]


def _angle_of(function: Expr) -> Expr:
    return function.args[0] / I if isinstance(function, exp) else function.args[0]


def rational_form(expression: Expr) -> Expr:
    """The expression as a rational function of independent symbols.

    Every sine, cosine, tangent and exponential of an imaginary angle, and every power with a
    symbolic exponent, is written in generators exp(i atom / n) and base^atom.

    Raises
    ------
    ValueError
        If an angle holds a multiple of pi other than a multiple of pi/4.
    """
    expression = _with_powers_of_turns(expression)
    functions = [entry for entry in expression.atoms(*_CIRCULAR) if entry.args[0].free_symbols]
    denominators: dict[Expr, int] = {}
    for function in functions:
        for multiple, atom in _angle_terms(_angle_of(function)):
            denominators[atom] = lcm(denominators.get(atom, 1), int(multiple.q))
    generators = {atom: Dummy(f"e_{atom}") for atom in denominators if atom != pi}
    replacements = {}
    for function in functions:
        turn = _turn(_angle_of(function), denominators, generators)
        sign = _sign(_angle_of(function))
        replacements[function] = {
            sin: sign * (turn - 1 / turn) / (2 * I),
            cos: sign * (turn + 1 / turn) / 2,
            tan: (turn - 1 / turn) / (I * (turn + 1 / turn)),
            cot: I * (turn + 1 / turn) / (turn - 1 / turn),
            exp: sign * turn,
        }[function.func]
    return _without_symbolic_powers(expression.xreplace(replacements))


def _turn(angle: Expr, denominators: dict[Expr, int], generators: dict[Expr, Dummy]) -> Expr:
    """exp(i angle) in the generators."""
    result = 1
    for multiple, atom in _angle_terms(angle):
        if atom == pi:
            if (4 * multiple).q != 1:
                raise ValueError(f"angle must hold a multiple of pi/4 only; got {multiple} pi")
            quarters, eighth = divmod(int(4 * multiple), 2)
            result *= I**quarters * ((1 + I) / sqrt(2)) ** eighth
        elif atom == 1 and multiple == 0:
            continue
        elif atom == _HALF_TURNS and multiple.is_integer:
            continue  # see `_sign`
        else:
            result *= generators[atom] ** int(multiple * denominators[atom])
    return result


def _with_powers_of_turns(expression: Expr) -> Expr:
    """Powers of x exp(i angle) as x^n exp(i n angle), where n is a whole number."""
    powers = [entry for entry in expression.atoms(Pow) if entry.exp.is_integer and entry.has(exp)]
    return expression.xreplace({entry: expand_power_base(entry) for entry in powers})


def _sign(angle: Expr) -> Expr:
    """What the half turns in an angle, one for each update of delay, make of exp(i angle)."""
    turns = [multiple for multiple, atom in _angle_terms(angle) if atom == _HALF_TURNS]
    return (-1) ** tau if turns and turns[0].is_integer and turns[0] % 2 else Integer(1)


def _without_symbolic_powers(expression: Expr) -> Expr:
    powers = [entry for entry in expression.atoms(Pow) if entry.exp.free_symbols]
    generators: dict[tuple[Expr, Expr], Dummy] = {}
    replacements = {}
    for power in powers:
        result = 1
        for base, order in _base_factors(power):
            for multiple, atom in _angle_terms(order * power.exp):
                if atom == 1:
                    result *= base**multiple
                else:
                    key = (base, atom)
                    result *= generators.setdefault(key, Dummy(f"{base}^{atom}")) ** multiple
        replacements[power] = result
    return expression.xreplace(replacements)


def _base_factors(power: Expr) -> list[tuple[Expr, Expr]]:
    """The factors of the base with their orders; the base as a whole if that may change a root."""
    if not power.exp.is_integer:
        return [(power.base, Integer(1))]
    factors = (factor.as_base_exp() for factor in Mul.make_args(power.base))
    return [(base, n) if n.is_Integer else (base**n, Integer(1)) for base, n in factors]


def is_identically_zero(expression: Expr) -> bool:
    """Whether the expression is proved to vanish for all values of its symbols.

    False means only that this test does not prove it.
    """
    for kind in (Derivative, AppliedUndef):
        expression = expression.xreplace({e: Dummy(str(e)) for e in expression.atoms(kind)})
    numerator, _ = fraction(together(rational_form(expression)))
    return bool(expand(numerator) == 0)
