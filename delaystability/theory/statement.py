"""What a theorem claims, as data: a relation, its domain, and the roots that it names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import mpmath
from sympy import And, Basic, Eq, Expr, Float, Limit, Symbol, chebyshevu, lambdify, pi, sympify
from sympy.core.relational import GreaterThan, LessThan, Relational

from delaystability.theory.confirm import first_root, smallest_crossing
from delaystability.theory.symbols import tau

__all__ = ["QUANTITIES", "Root", "Statement"]

QUANTITIES: dict[str, str] = {
    "threshold": "a_*: the loop is stable exactly for gains (learning rate times curvature) "
    "between 0 and a_*",
    "first-threshold": "a_*, where the first interval of stable gains ends: the loop is stable for "
    "all gains between 0 and a_*, and not at a_*; greater ones may be stable again",
    "any-sequence-threshold": "the same for the loop with a delay that changes from update to "
    "update: it is stable for every sequence of delays from 0 to tau",
    "decayed-threshold": "the same for weights that decay at once, for SGD by the factor 1 - c in "
    "every update; c is the learning rate times the weight decay",
    "mixed-read-threshold": "the same for SGD whose gradients are those of a mixture of weights, a "
    "share l of them present and the rest late",
    "mostly-fresh-threshold": "the same where more than half of the mixture is present",
    "any-delays-threshold": "the same for such a mixture, where the rest is late by any sequence "
    "of bounded delays, and the loop must be stable for all of them",
    "mean-square-threshold": "the same for the mean square, where the curvature of every update is "
    "random and independent, with variance kappa times its squared mean",
    "batch-sharpness-edge": "the learning rate times the batch sharpness E[h_B^2]/E[h_B] at this "
    "threshold of the mean square, h_B being the curvature of an update",
    "mean-threshold-geometric": "the same for the mean of the iterate, where the delay of every "
    "update is random and independent, and is k with probability (1 - q) q^k",
    "mean-square-threshold-geometric": "the same for the mean square of the iterate, with delays "
    "that are random and independent, and k with probability (1 - q) q^k",
    "noise-amplification": "the stationary variance of the iterate over the squared learning rate, "
    "under white noise of variance 1 that is added to every gradient",
    "effective-threshold-ratio": "the largest stable effective learning rate, lr/(1 - momentum), "
    "over that of SGD with the same delay, in the limit of momentum 1",
    "fastest-gain": "the gain at which a perturbation dies out fastest",
    "fastest-rate": "the factor by which a perturbation shrinks in an update, at the fastest gain",
    "speed-limit": "the factor an update below which no first-order method shrinks the "
    "perturbations of all curvatures of a range, its gradients being this late",
    "range-rate": "the factor by which an update shrinks the slowest perturbation of a range of "
    "curvatures, at the best choice of all parameters",
    "escape-rate": "the growth of log |w_t| in an update, on average over many updates",
    "escape-slope": "the derivative of log |z_max| by log a at the threshold: a gain of "
    "(1 + epsilon) a_* makes a perturbation grow by about epsilon times it in an update",
    "adjusted-learning-rate": "the learning rate that keeps the accessible minima under a new "
    "delay or optimizer",
    "outer-threshold": "gamma_1: the outer loop is stable exactly for outer learning rates between "
    "0 and gamma_1",
    "identity": "a formula that other theorems use",
}
"""What the left side of a relation stands for, in words."""


_GUARD = 15
"""Digits beyond those that are asked for."""


@dataclass(frozen=True)
class Root:
    """A symbol defined as a root of an equation in (0, upper].

    It is the smallest root; the difference of the two sides is positive near 0 and changes its sign
    there. With ``minimized``, it is the root at which that expression is positive and smallest.
    """

    symbol: Symbol
    equation: Eq
    upper: Expr = pi
    minimized: Expr | None = None

    def solve(self, point: Mapping[Symbol, Any]) -> Any:
        """The root, where a point gives all other symbols, to mpmath's working precision."""
        digits = mpmath.mp.dps
        if self.minimized is not None:
            difference = (self.equation.lhs - self.equation.rhs).subs(point)
            return smallest_crossing(difference, self.minimized.subs(point))[0]
        upper = mpmath.mpf(self.upper.subs(point).evalf(digits))
        # The roots of an angle equation are about pi/delay apart; an end that depends on the delay
        # leaves few of them.
        pieces = 64 if self.upper.has(tau) else max(64, 8 * (int(point.get(tau, 0)) + 1))
        return first_root(self._difference(point), upper, pieces)

    def _difference(self, point: Mapping[Symbol, Any]) -> Callable[[Any], Any]:
        """The left side minus the right one, as a function of the symbol."""
        difference = self.equation.lhs - self.equation.rhs
        if not difference.has(chebyshevu):
            function: Callable[[Any], Any] = lambdify(self.symbol, difference.subs(point), "mpmath")
            return function
        # With numbers for the degrees SymPy would write the polynomials out.
        known = [symbol for symbol in point if difference.has(symbol)]
        of_all = lambdify([self.symbol, *known], difference, _NUMBERS)
        numbers = [_number(point[symbol]) for symbol in known]
        return lambda value: of_all(value, *numbers)


@dataclass(frozen=True)
class Statement:
    """A relation between a quantity and a formula, on a domain.

    Attributes
    ----------
    quantity : str
        A key of `QUANTITIES`: what the left side stands for.
    optimizer : str
        The name of the optimizer, as in the catalogue; empty if there is none.
    relation : relation of SymPy
        ``Eq(quantity, formula)``, ``quantity >= formula``, ``quantity <= formula``, or
        ``Eq(Limit(...), value)``.
    domain : tuple of relations
        What the symbols must satisfy beyond the assumptions that they carry.
    roots : tuple of Root
        Symbols of the formula that are defined by an equation; a later one may use an earlier one.
    definitions : tuple of pairs (symbol, expression)
        Notation of the formula and of the equations.
    """

    quantity: str
    relation: Relational
    optimizer: str = ""
    domain: tuple[Basic, ...] = ()
    roots: tuple[Root, ...] = ()
    definitions: tuple[tuple[Symbol, Expr], ...] = ()

    def __post_init__(self) -> None:
        if self.quantity not in QUANTITIES:
            raise ValueError(f"quantity must be one of {[*QUANTITIES]}; got {self.quantity!r}")

    @property
    def kind(self) -> str:
        """What a complete proof makes of it: exact, sufficient, necessary or asymptotic.

        A lower bound of a threshold is sufficient for stability, an upper bound necessary.
        """
        if isinstance(self.relation, GreaterThan):
            return "sufficient"
        if isinstance(self.relation, LessThan):
            return "necessary"
        return "asymptotic" if self.relation.has(Limit) else "exact"

    @property
    def formula(self) -> Expr:
        """The right side."""
        return self.relation.rhs

    @property
    def parameters(self) -> tuple[Symbol, ...]:
        """The free symbols that a point must give, in alphabetical order."""
        parts = [self.formula, *(root.equation for root in self.roots), *self.domain]
        parts += [meaning for _, meaning in self.definitions]
        defined = {root.symbol for root in self.roots} | {symbol for symbol, _ in self.definitions}
        return tuple(sorted(set().union(*(p.free_symbols for p in parts)) - defined, key=str))

    def holds_in_domain(self, point: Mapping[Symbol, Any]) -> bool:
        """Whether the parameters of a point lie in the domain."""
        return bool(And(*(condition.subs(point) for condition in self.domain)))

    def root_values(self, point: Mapping[Symbol, Any], digits: int = 30) -> dict[Symbol, Any]:
        """The point together with the values of the roots, to this number of digits."""
        values = dict(point)
        values |= {symbol: meaning.subs(values) for symbol, meaning in self.definitions}
        working = digits + _GUARD
        with mpmath.workdps(working):
            for root in self.roots:
                values[root.symbol] = Float(root.solve(values), working)
        return values

    def value(self, point: Mapping[Symbol, Any], digits: int = 30) -> Any:
        """The value of the formula at a point of the domain, as an mpmath number.

        Raises
        ------
        ValueError
            If the point lies outside the domain or leaves a parameter open.
        """
        missing = [str(symbol) for symbol in self.parameters if symbol not in point]
        if missing:
            raise ValueError(f"point must give {', '.join(missing)}; got {dict(point)}")
        if not self.holds_in_domain(point):
            raise ValueError(f"point must satisfy {self.domain}; got {dict(point)}")
        values = self.root_values(point, digits)
        working = digits + _GUARD
        with mpmath.workdps(working):
            if self.formula.has(chebyshevu):
                symbols = sorted(self.formula.free_symbols, key=str)
                formula = lambdify(symbols, self.formula, _NUMBERS)
                return mpmath.mpf(formula(*(_number(values[symbol]) for symbol in symbols)))
            return mpmath.mpf(self.formula.doit().subs(values).evalf(working))


def _second_kind(degree: Any, x: Any) -> Any:
    """The Chebyshev polynomial U of the second kind, by powers of the matrix of its recurrence."""
    degree, sign = int(degree), 1
    if degree < -1:
        degree, sign = -degree - 2, -1
    if degree == -1:
        return mpmath.mpf(0)
    first, second, bits = mpmath.mpf(1), 2 * x, bin(degree + 1)[3:]
    # The pair (U_(n-1), U_n) for the leading bits of the degree + 1, from n = 1.
    for bit in bits:
        first, second = first * (2 * second - 2 * x * first), second**2 - first**2
        if bit == "1":
            first, second = second, 2 * x * second - first
    return sign * first


def _number(value: Any) -> Any:
    """A value as a number of mpmath, or as an integer, which a degree must be."""
    known = sympify(value)
    return int(known) if known.is_Integer else mpmath.mpf(known.evalf(mpmath.mp.dps))


_NUMBERS: list[Any] = [{"chebyshevu": _second_kind}, "mpmath"]
