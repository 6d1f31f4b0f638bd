"""When noise in the curvature makes the second moment grow, although the mean decays."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

import mpmath
from sympy import Basic, Eq, Expr, Function, Rational, Sum, Symbol, oo, sqrt

from delaystability.model.catalogue import SGD, HeavyBall
from delaystability.theory.checks import Cited, Deduced, Identity
from delaystability.theory.derivation import Proof, Step, Theorem
from delaystability.theory.loop import Loop
from delaystability.theory.moments import (
    evaluate_sequences,
    inverse_variance,
    iterate_coefficients,
    response,
    run,
)
from delaystability.theory.statement import Statement
from delaystability.theory.symbols import (
    a,
    curvature,
    eta,
    kappa,
    ordered_product,
    ordered_sum,
    t,
    tau,
    w,
)

__all__ = ["AMPLIFIED", "mean_square"]

AMPLIFIED = Symbol("N", nonnegative=True)
"""The loop's own noise, once around."""

_r, _mu, _xi, _M, _h = (Function(name) for name in ("r", "mu", "xi", "M", "h"))
_s = Symbol("s", integer=True)
_k = Symbol("k", integer=True)


def mean_square() -> Proof:
    """The criterion of the mean square for any optimizer, by the renewal equation."""
    criterion = Eq(
        AMPLIFIED, ordered_product(kappa, a**2, Sum(_r(_k) ** 2, (_k, 1, oo))), evaluate=False
    )
    theorem = Theorem(
        name="mean-square",
        title="Noisy curvature: the criterion of the mean square",
        statement=Statement("identity", criterion),
        text=(
            "Let the gradient that update {t} applies be {gradient} with the curvature {noisy}, "
            "where {xi} has mean 0 and variance 1 and is independent of the {earlier} with "
            "{before} and of the start. Let {r} be the iterate {k} updates after a single gradient "
            "was changed by {kick}, in the loop with constant curvature and all else at zero. The "
            "loop is mean-square stable, that is, {second} tends to zero from every start, exactly "
            "if it is stable with constant curvature and {below}, where {display:criterion}"
        ),
        sources=("feller1968",),
        given={
            "t": t,
            "gradient": r"h_t w_{t-\tau}",
            "noisy": Eq(_h(t), _noisy_curvature(), evaluate=False),
            "xi": _xi(t),
            "earlier": _xi(_s),
            "before": _s < t,
            "r": _r(_k),
            "k": _k,
            "kick": -1 / eta,
            "second": r"M_t = E[w_t^2]",
            "below": AMPLIFIED < 1,
            "criterion": criterion,
        },
    )
    return Proof(theorem, _steps(criterion))


def _noisy_curvature() -> Expr:
    return ordered_sum(curvature, ordered_product(curvature, sqrt(kappa), _xi(t)))


def _steps(criterion: Basic) -> tuple[Step, ...]:
    delayed = w(t - tau)
    noise = ordered_sum(_h(t), -curvature)
    past = ordered_product(_r(t - _s), _xi(_s), w(_s - tau))
    squares = ordered_product(_r(t - _s) ** 2, _M(_s - tau))
    return (
        Step(
            label="noise",
            text=(
                "What the noise adds to the gradient {gradient} is, in units of {unit} and with "
                "the gain {gain},"
            ),
            claim=Eq(
                ordered_product(-eta, noise, delayed),
                -ordered_product(a, sqrt(kappa), _xi(t), delayed),
                evaluate=False,
            ),
            check=Identity({_h(t): _noisy_curvature(), a: eta * curvature}),
            given={
                "gradient": curvature * delayed,
                "unit": -1 / eta,
                "gain": Eq(a, eta * curvature, evaluate=False),
            },
        ),
        Step(
            label="superposition",
            text=(
                "The loop is linear: {w} is the iterate {mu} of the loop with constant curvature "
                "from the same start, plus the responses to all earlier terms {ref:noise}. Such a "
                "term passes the filter of the optimizer and the loop like any other change of a "
                "gradient. Hence"
            ),
            claim=Eq(
                w(t),
                ordered_sum(_mu(t), -ordered_product(a, sqrt(kappa), Sum(past, (_s, 0, t - 1)))),
                evaluate=False,
            ),
            check=Deduced(("noise",), evaluate_sequences(_histories())),
            given={"w": w(t), "mu": _mu(t)},
        ),
        Step(
            label="renewal",
            text=(
                "The factor {xi} is independent of {delayed}, of all earlier terms and of {mu}. "
                "The terms are therefore uncorrelated, with the variances {variance}, and the "
                "second moment obeys a renewal equation:"
            ),
            claim=Eq(
                _M(t),
                ordered_sum(
                    _mu(t) ** 2, ordered_product(kappa, a**2, Sum(squares, (_s, 0, t - 1)))
                ),
                evaluate=False,
            ),
            check=Deduced(("superposition",), evaluate_sequences(_moments())),
            given={
                "xi": _xi(_s),
                "delayed": w(_s - tau),
                "mu": _mu(t),
                "variance": ordered_product(kappa, a**2, squares),
            },
        ),
        Step(
            label="renewal-theorem",
            text=(
                "Consider a renewal equation with a nonnegative kernel that decays geometrically "
                "and has the sum {N}, started by nonnegative terms, not all zero, with a finite "
                "sum. By the renewal theorem {cite:feller1968} its solution tends to zero if "
                "{below}, to a positive limit if {equal} and to infinity if {above}, in the last "
                "two cases along the multiples of the period if the kernel has one."
            ),
            claim=None,
            check=Cited("feller1968", "chapter XIII, section 10: the renewal theorem"),
            given={
                "N": AMPLIFIED,
                "below": AMPLIFIED < 1,
                "equal": Eq(AMPLIFIED, 1, evaluate=False),
                "above": AMPLIFIED > 1,
            },
        ),
        Step(
            label="conclusion",
            text=(
                "If the loop with constant curvature is not stable, {mu} does not tend to zero "
                "from some start, and {larger} by {ref:renewal}. If it is stable, {mu} and {r} "
                "decay geometrically; the starting terms of {ref:renewal}, which are {square} and "
                "those with {early}, have a finite sum, and the kernel has the sum below. The "
                "renewal theorem decides."
            ),
            claim=criterion,
            check=Deduced(("renewal", "renewal-theorem"), trial=_borderline),
            given={
                "mu": _mu(t),
                "larger": _M(t) >= _mu(t) ** 2,
                "r": _r(t),
                "square": _mu(t) ** 2,
                "early": _s < tau,
            },
        ),
    )


_LOOPS = ((Loop(SGD()), 1), (Loop(HeavyBall(Rational(1, 2))), 0))
_UPDATES = 4
_GAIN, _NOISE = Rational(1, 3), Rational(1, 4)


def _noisy_runs(
    loop: Loop, delay: int
) -> tuple[list[Any], list[tuple[tuple[int, ...], list[Any]]]]:
    """Responses, and every run in which each xi is 1 or -1, from w = 1 at all times up to 0."""
    coefficients = iterate_coefficients(loop, {tau: delay}, _GAIN)
    runs = []
    for signs in product((1, -1), repeat=_UPDATES):
        iterates = [Rational(1)] * (len(coefficients) + delay)
        for sign in signs:
            kick = -_GAIN * sqrt(_NOISE) * sign * iterates[delay]
            iterates.insert(0, run(coefficients, iterates, [kick])[0])
        runs.append((signs, iterates[: _UPDATES + 1][::-1]))
    return response(coefficients, _UPDATES), runs


def _at(values: list[Any]) -> Any:
    """A member of a sequence that keeps its first value before the start."""
    return lambda n: values[max(int(n), 0)]


def _cases(loop: Loop, delay: int) -> Any:
    kicks, runs = _noisy_runs(loop, delay)
    coefficients = iterate_coefficients(loop, {tau: delay}, _GAIN)
    quiet = [Rational(1), *run(coefficients, [Rational(1)] * len(coefficients), [0] * _UPDATES)]
    values: Mapping[Expr, Any] = {t: _UPDATES, tau: delay, a: _GAIN, kappa: _NOISE}
    return values, {_r: lambda n: kicks[int(n) - 1], _mu: _at(quiet)}, runs


def _histories() -> list[Any]:
    """Runs of both loops, update by update."""
    cases = []
    for loop, delay in _LOOPS:
        values, shared, runs = _cases(loop, delay)
        for signs, iterates in runs[::3]:
            cases.append((values, {**shared, _xi: _at([*signs]), w: _at(iterates)}))
    return cases


def _moments() -> list[Any]:
    """Second moments over all runs of both loops, exactly."""
    cases = []
    for loop, delay in _LOOPS:
        values, shared, runs = _cases(loop, delay)
        squares = [sum(path[n] ** 2 for _, path in runs) / len(runs) for n in range(_UPDATES + 1)]
        cases += [({**values, t: n}, {**shared, _M: _at(squares)}) for n in range(1, _UPDATES + 1)]
    return cases


def _borderline(claim: Basic | None) -> tuple[int, str]:
    """Where the claimed N is 1, the moments of the state must have no stationary solution."""
    if not isinstance(claim, Eq):
        return 0, f"an equation is needed, not {claim}"
    points = [(SGD(), 2, "1/5"), (SGD(), 4, "1/7"), (HeavyBall(Rational(1, 2)), 1, "1/4")]
    for optimizer, delay, value in points:
        gain = Rational(value)
        coefficients = iterate_coefficients(Loop(optimizer), {tau: delay}, gain)
        total = sum(mpmath.mpmathify(entry) ** 2 for entry in response(coefficients, 400))
        claimed = claim.rhs.replace(Sum, lambda *_, total=total: total).subs(a, gain)
        offset = claimed.subs(kappa, 0)
        noise = mpmath.mpmathify((1 - offset) / (claimed.subs(kappa, 1) - offset))
        inverse = inverse_variance(coefficients, delay, noise * mpmath.mpmathify(gain) ** 2)
        if not abs(inverse * total) < mpmath.mpf("1e-9"):
            return len(points), f"a finite variance at N = 1: {optimizer}, delay {delay}"
    return len(points), ""
