"""Random delays: the mean of the iterate obeys the loop with E[z^-delay] in place of z^-tau."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import product
from typing import Any

from sympy import Basic, Eq, Expr, Function, Integer, Rational, Sum, Symbol, sympify

from delaystability.model.catalogue import SGD, HeavyBall, Nesterov, Optimizer
from delaystability.theory.checks import Deduced, Identity
from delaystability.theory.derivation import Proof, Step, Theorem
from delaystability.theory.loop import Loop
from delaystability.theory.moments import evaluate_sequences, written_out
from delaystability.theory.statement import Statement
from delaystability.theory.symbols import (
    a,
    alpha,
    curvature,
    ordered_product,
    ordered_quotient,
    ordered_sum,
    t,
    w,
    z,
)

__all__ = ["RANDOM_DELAY", "random_delay_mean"]

RANDOM_DELAY = "random-delay-mean"

_g, _P = Function("g"), Function("P")
_A, _B, _D = (Function(name)(z) for name in "ABD")
_k = Symbol("k", integer=True, nonnegative=True)
_n = Symbol("n", integer=True, nonnegative=True)


def random_delay_mean() -> Proof:
    """The characteristic equation of the mean, for any optimizer and any bounded random delay."""
    generating = Sum(ordered_product(_P(_k), z**-_k), (_k, 0, _n))
    residual = ordered_sum(ordered_product(z - 1, _A), ordered_product(a, _B, _D))
    needed = ordered_quotient(ordered_product(1 - z, _A), ordered_product(_B, generating))
    relation = Eq(alpha(z), needed, evaluate=False)
    theorem = Theorem(
        name=RANDOM_DELAY,
        title="The mean of the iterate under random delays",
        statement=Statement("identity", relation),
        text=(
            "Let the delay of every update be {k} with probability {P}, for {range}, independently "
            "of the start and of all earlier delays. The mean of the iterate obeys the delayed "
            "loop with {D} in place of {power}: it is stable exactly if all roots of {equation} "
            "lie in {inside}. A point {z} is a root for the gain {a} exactly if {gain}, where "
            "{display:relation} Only the probabilities enter: whether gradients overtake each "
            "other, or are computed at the same iterate, does not matter for the mean."
        ),
        sources=(),
        given={
            "k": _k,
            "P": _P(_k),
            "range": r"0 \le k \le n",
            "D": Eq(_D, generating, evaluate=False),
            "power": r"z^{-\tau}",
            "equation": Eq(residual, 0, evaluate=False),
            "inside": "|z| < 1",
            "z": z,
            "a": a,
            "gain": Eq(alpha(z), a, evaluate=False),
            "relation": relation,
        },
    )
    expected = Sum(_P(_k) * w(t - _k), (_k, 0, _n))
    powers = ordered_product(curvature, generating, z**t)
    steps = (
        Step(
            label="expected-gradient",
            text=(
                "The iterates up to {w} depend on the delays of the updates before {t} only, and "
                "so are independent of the delay of update {t}. By the law of total expectation, "
                "and with {g} and {w} for the expectations of gradient and iterate from here on,"
            ),
            claim=Eq(_g(t), ordered_product(curvature, expected), evaluate=False),
            check=Deduced((), evaluate_sequences(_expectations())),
            given={"w": w(t), "t": t, "g": _g(t)},
        ),
        Step(
            label="powers",
            text=(
                "The rule of the optimizer is linear, with coefficients that do not depend on the "
                "delays, so that the expectations obey it too. For {power} the gradient "
                "{ref:expected-gradient} is {z} times a constant:"
            ),
            claim=Eq(_g(t), powers, evaluate=False),
            check=Deduced(("expected-gradient",), _powers),
            given={"power": Eq(w(t), z**t, evaluate=False), "z": z**t},
        ),
        Step(
            label="gain-of-root",
            text=(
                "A fixed delay has {fixed} times the same power. Hence {D} replaces {old} in the "
                "characteristic equation, which becomes {equation}. Solving it for the gain,"
            ),
            claim=Eq(
                alpha(z),
                ordered_quotient(ordered_product(1 - z, _A), ordered_product(_B, _D)),
                evaluate=False,
            ),
            check=Identity({alpha(z): a - residual / (_B * _D)}),
            given={
                "fixed": r"h z^{-\tau}",
                "D": _D,
                "old": r"z^{-\tau}",
                "equation": Eq(residual, 0, evaluate=False),
            },
        ),
        Step(
            label="conclusion",
            text=(
                "The expectations thus obey a linear recurrence of finite order, whose solutions "
                "all decay exactly if its roots lie in {inside}. With the sum in {ref:powers} for "
                "{D}, {ref:gain-of-root} is"
            ),
            claim=relation,
            check=Deduced(("powers", "gain-of-root"), trial=_from_powers),
            given={"inside": "|z| < 1", "D": _D},
        ),
    )
    return Proof(theorem, steps)


_PROBABILITIES = (Rational(1, 2), Rational(1, 3), Rational(1, 6))


def _mean_run(
    optimizer: Optimizer,
    gain: Any,
    past: Callable[[int], tuple[Any, Any, Any]],
    updates: int,
) -> tuple[list[Any], list[Any]]:
    """The expected iterates and gradients, exactly, from all sequences of delays.

    Learning rate 1 and curvature ``gain``; ``past`` gives iterate, update and gradient up to 0.
    """
    table = optimizer.coefficients(0)
    means, gradients = [Integer(0)] * (updates + 1), [Integer(0)] * updates
    for delays in product(range(len(_PROBABILITIES)), repeat=updates):
        weight = Integer(1)
        w_at = {-n: past(-n)[0] for n in range(5)}
        u_at = {-n: past(-n)[1] for n in range(1, 5)}
        g_at = {-n: past(-n)[2] for n in range(1, 5)}
        for now, delay in enumerate(delays):
            weight *= _PROBABILITIES[delay]
            g_at[now] = gain * w_at[now - delay]
            u_at[now] = sum(sympify(c) * u_at[now - lag] for lag, c in table.feedback) + sum(
                sympify(c) * g_at[now - lag] for lag, c in table.feedforward
            )
            w_at[now + 1] = w_at[now] - u_at[now]
        means = [mean + weight * w_at[n] for n, mean in enumerate(means)]
        gradients = [mean + weight * g_at[n] for n, mean in enumerate(gradients)]
    return means, gradients


def _rest(_: int) -> tuple[Any, Any, Any]:
    return Integer(1), Integer(0), Integer(0)


def _member(values: Sequence[Any], n: Expr) -> Any:
    """A member of a sequence that keeps its first value before the start."""
    return values[max(int(n), 0)]


def _expectations() -> list[Any]:
    """Expected gradients and iterates over all sequences of delays, from rest at w = 1."""
    cases: list[tuple[Mapping[Expr, Any], Any]] = []
    gain = Rational(2, 3)
    for optimizer in (SGD(), HeavyBall(Rational(1, 2))):
        means, gradients = _mean_run(optimizer, gain, _rest, 4)
        sequences = {
            _g: partial(_member, gradients),
            w: partial(_member, means),
            _P: partial(_member, _PROBABILITIES),
        }
        cases += [({t: now, curvature: gain, _n: 2}, sequences) for now in range(4)]
    return cases


def _powers(claim: Basic | None) -> tuple[int, str]:
    """The expected gradient for w_t = z^t, written out."""
    cases = []
    for now in (-1, 0, 3):
        point = {t: now, z: Rational(3, 4), curvature: 2, _n: 2}
        gradient = 2 * sum(p * point[z] ** (now - k) for k, p in enumerate(_PROBABILITIES))
        constant = [gradient] * 4
        sequences = {_g: partial(_member, constant), _P: partial(_member, _PROBABILITIES)}
        cases.append((point, sequences))
    return evaluate_sequences(cases)(claim)


def _from_powers(claim: Basic | None) -> tuple[int, str]:
    """From a history of powers z^t, the expected iterates must go on as powers, exactly."""
    if not isinstance(claim, Eq):
        return 0, f"an equation is needed, not {claim}"
    half = Rational(1, 2)
    points = [
        (optimizer, value)
        for optimizer in (SGD(), HeavyBall(half), Nesterov(half))
        for value in (Rational(3, 4), Rational(-5, 4))
    ]
    for optimizer, root in points:
        loop = Loop(optimizer)
        written = claim.rhs.subs({_A: loop.pole_part, _B: loop.zero_part, _n: 2})
        written = written.replace(Sum, written_out).replace(_P, partial(_member, _PROBABILITIES))
        gain = written.subs(z, root)
        mean = sum(p * root**-k for k, p in enumerate(_PROBABILITIES))

        def past(n: int, root: Any = root, gain: Any = gain, mean: Any = mean) -> Any:
            return root**n, (1 - root) * root**n, gain * mean * root**n

        means, _ = _mean_run(optimizer, gain, past, 3)
        if means != [root**n for n in range(4)]:
            return len(points), f"{gain} is not the gain of {root} for {optimizer}"
    return len(points), ""
