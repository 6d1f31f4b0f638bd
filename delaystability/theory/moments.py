"""Second moments of a loop, for trials: responses, and the moments of a noisy state, by mpmath.

For optimizers whose table ``feedforward`` is {0: 1}, so that a gradient enters one update only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import mpmath
from sympy import (
    Basic,
    Equality,
    Expr,
    Function,
    Poly,
    Rational,
    Sum,
    Symbol,
    lambdify,
    nan,
    oo,
    sympify,
)
from sympy.core.function import AppliedUndef
from sympy.core.relational import GreaterThan, LessThan

from delaystability.theory.statement import Root, Statement
from delaystability.theory.symbolic_loop import SymbolicLoop
from delaystability.theory.symbols import a, kappa, tau, z
from delaystability.theory.trials import Trial

__all__ = [
    "confirm_mean_square",
    "evaluate_sequences",
    "inverse_variance",
    "iterate_coefficients",
    "response",
    "run",
    "summed",
    "written_out",
]

_MARGIN = mpmath.mpf("1e-6")


def iterate_coefficients(loop: SymbolicLoop, point: Mapping[Expr, Any], gain: Any) -> list[Any]:
    """The c_k of ``w_{t+1} = sum_k c_k w_{t-k}`` at a point; exact where point and gain are."""
    leading, *others = Poly(loop.polynomial.subs(point), z).all_coeffs()
    values = [(-entry / leading).subs(a, gain) for entry in others]
    return [value if value.is_Rational else mpmath.mpf(value.evalf(30)) for value in values]


def run(coefficients: Sequence[Any], history: Sequence[Any], kicks: Sequence[Any]) -> list[Any]:
    """The iterates after a history, the last one first, where kicks are added to the updates."""
    iterates = list(history)
    for kick in kicks:
        following = sum(c * w for c, w in zip(coefficients, iterates, strict=False)) + kick
        iterates.insert(0, following)
    return iterates[: len(kicks)][::-1]


def response(coefficients: Sequence[Any], count: int) -> list[Any]:
    """The iterates 1, 2, ... updates after a kick of 1, without history."""
    return run(coefficients, [0] * len(coefficients), [1] + [0] * (count - 1))


def inverse_variance(coefficients: Sequence[Any], delay: int, strength: Any) -> Any:
    """One over the stationary E w^2 under kicks of variance 1, from the moments of the state.

    The state of the last n iterates has the companion matrix of the coefficients; each update adds
    a kick of conditional variance ``strength w_{t-delay}^2``. The result is negative above the
    threshold of the mean square, where the equations have a solution that is no variance.
    """
    size = len(coefficients)
    companion = mpmath.matrix(size, size)
    for k, value in enumerate(coefficients):
        companion[0, k] = mpmath.mpmathify(value)
    for k in range(1, size):
        companion[k, k - 1] = 1
    system = mpmath.eye(size * size)
    for i in range(size):
        for j in range(size):
            for k in range(size):
                for m in range(size):
                    system[size * i + j, size * k + m] -= companion[i, k] * companion[j, m]
    system[0, size * delay + delay] -= strength
    unit = mpmath.matrix(size * size, 1)
    unit[0] = 1
    return 1 / mpmath.lu_solve(system, unit)[0]


def confirm_mean_square(
    loop: SymbolicLoop, points: Iterable[Mapping[Expr, Any]], roots: tuple[Root, ...] = ()
) -> Trial:
    """A trial of a relation between the mean-square threshold and a formula.

    By the moments of the state: at the formula times 1 - 1e-6 the variance must be finite, and
    times 1 + 1e-6 it must not, as far as the relation says so.
    """
    chosen = list(points)

    def trial(claim: Basic | None) -> tuple[int, str]:
        if not isinstance(claim, (Equality, GreaterThan, LessThan)) or not claim.lhs.is_Symbol:
            return 0, f"a relation between the threshold and a formula is needed, not {claim}"
        statement = Statement("mean-square-threshold", claim, roots=roots)
        for point in chosen:
            formula = statement.value({s: v for s, v in point.items() if isinstance(s, Symbol)})

            def inverse(gain: Any, point: Mapping[Expr, Any] = point) -> Any:
                coefficients = iterate_coefficients(loop, point, gain)
                return inverse_variance(coefficients, point[tau], point[kappa] * gain**2)

            if not isinstance(claim, LessThan) and not inverse(formula * (1 - _MARGIN)) > 0:
                return len(chosen), f"{formula} is no threshold at {point}: unstable below"
            if not isinstance(claim, GreaterThan) and not inverse(formula * (1 + _MARGIN)) < 0:
                return len(chosen), f"{formula} is no threshold at {point}: stable above"
        return len(chosen), ""

    return trial


def evaluate_sequences(
    cases: Iterable[tuple[Mapping[Expr, Any], Mapping[Any, Callable[..., Any]]]],
) -> Trial:
    """A trial of an equation between members of sequences, by their values.

    Parameters
    ----------
    cases : pairs of the values of the symbols and, by function, the members of its sequence
        A sum is written out; an infinite one is cut where the members vanish to rounding.
    """
    chosen = list(cases)

    def trial(claim: Basic | None) -> tuple[int, str]:
        if not isinstance(claim, Equality):
            return 0, f"an equation is needed, not {claim}"
        for point, sequences in chosen:
            sides = []
            for side in (claim.lhs, claim.rhs):
                value = side.subs(point).replace(Sum, written_out)
                for function, member in sequences.items():
                    value = value.replace(function, member)
                sides.append(mpmath.mpf(sympify(value).evalf(30)))
            if abs(sides[0] - sides[1]) > mpmath.mpf("1e-12") * max(1, *map(abs, sides)):
                return len(chosen), f"{claim} does not hold at {point}: {sides}"
        return len(chosen), ""

    return trial


def summed(name: str, members: Sequence[Any]) -> Callable[..., Any]:
    """What a sum from 1 to infinity is, by the members of a sequence of this name that vanishes.

    It is no number if something else is summed.
    """

    def total(term: Expr, limits: tuple[Symbol, Any, Any]) -> Any:
        index, *ends = limits
        member, sequence = Symbol(name), Function(name)(index)
        written = term.xreplace({sequence: member})
        if ends != [1, oo] or written.atoms(AppliedUndef) or written.free_symbols - {index, member}:
            return nan
        placed = lambdify([index, member], written, "mpmath")
        return sum(placed(k, value) for k, value in enumerate(members, 1))

    return total


_LAST = 100


def written_out(summand: Expr, limits: tuple[Symbol, Any, Any]) -> Expr:
    """A sum with its terms one by one; an infinite one ends after many."""
    index, first, last = limits
    members = range(int(first), int(min(last, _LAST)) + 1)
    return sum((summand.subs(index, k) for k in members), Rational(0))
