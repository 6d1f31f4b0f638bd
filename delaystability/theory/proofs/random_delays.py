"""Random delays: the mean of the iterate obeys the loop with E[z^-delay] in place of z^-tau."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import product
from typing import Any

from sympy import Basic, Eq, Expr, Function, Integer, Rational, Sum, symbols, sympify

from delaystability.model.catalogue import SGD, HeavyBall, Nesterov, Optimizer
from delaystability.theory.moments import evaluate_sequences, written_out
from delaystability.theory.symbolic_loop import SymbolicLoop
from delaystability.theory.symbols import curvature, t, w, z
from delaystability.theory.vocabulary import (
    Chapter,
    conclusion,
    deduced,
    sequences,
    states,
    step,
    theorem,
)

CHAPTER = Chapter("random-delay", "Random delays")

_k, _n = symbols("k n", integer=True, nonnegative=True)
_PROBABILITIES = (Rational(1, 2), Rational(1, 3), Rational(1, 6))


def _mean_run(
    optimizer: Optimizer, gain: Any, past: Callable[[int], tuple[Any, Any, Any]], updates: int
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


@sequences
def _expectations() -> list[Any]:
    """Expected gradients and iterates over all sequences of delays, from rest at w = 1."""
    cases: list[tuple[Mapping[Expr, Any], Any]] = []
    gain = Rational(2, 3)
    for optimizer in (SGD(), HeavyBall(Rational(1, 2))):
        means, gradients = _mean_run(optimizer, gain, _rest, 4)
        sequences = {
            Function("g"): partial(_member, gradients),
            w: partial(_member, means),
            Function("p"): partial(_member, _PROBABILITIES),
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
        sequences = {
            Function("g"): partial(_member, constant),
            Function("p"): partial(_member, _PROBABILITIES),
        }
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
        loop = SymbolicLoop(optimizer)
        written = claim.rhs.subs(
            {Function("A")(z): loop.pole_part, Function("B")(z): loop.zero_part, _n: 2}
        )
        written = written.replace(Sum, written_out).replace(
            Function("p"), partial(_member, _PROBABILITIES)
        )
        gain = written.subs(z, root)
        mean = sum(p * root**-k for k, p in enumerate(_PROBABILITIES))

        def past(n: int, root: Any = root, gain: Any = gain, mean: Any = mean) -> Any:
            return root**n, (1 - root) * root**n, gain * mean * root**n

        means, _ = _mean_run(optimizer, gain, past, 3)
        if means != [root**n for n in range(4)]:
            return len(points), f"{gain} is not the gain of {root} for {optimizer}"
    return len(points), ""


random_delay_mean = theorem(
    "random-delay-mean",
    "The mean of the iterate under random delays",
    states("identity", "alpha(z) = (1 - z) A(z)/(B(z) sum(p(k) z^(-k), k, 0, n))"),
    r"""Let the delay of every update be $k$ with probability $p(k)$, for \(0 \le k \le n\),
    independently of the start and of all earlier delays. The mean of the iterate obeys the delayed
    loop with $D(z) = sum(p(k) z^(-k), k, 0, n)$ in place of \(z^{-\tau}\): it is stable exactly if
    all roots of $(z - 1) A(z) + a B(z) D(z) = 0$ lie in \(|z| < 1\). A point $z$ is a root for the
    gain $a$ exactly if $alpha(z) = a$, where {statement} Only the probabilities enter: whether
    gradients overtake each other, or are computed at the same iterate, does not matter for the
    mean.""",
    deduced(
        "expected-gradient",
        """The iterates up to $w(t)$ depend on the delays of the updates before $t$ only, and so are
        independent of the delay of update $t$. By the law of total expectation, and with $g(t)$ and
        $w(t)$ for the expectations of gradient and iterate from here on,""",
        "g(t) = h sum(p(k) w(t - k), k, 0, n)",
        (),
        _expectations,
    ),
    deduced(
        "powers",
        """The rule of the optimizer is linear, with coefficients that do not depend on the delays,
        so that the expectations obey it too. For $w(t) = z^t$ the gradient {ref:expected-gradient}
        is $z^t$ times a constant:""",
        "g(t) = h sum(p(k) z^(-k), k, 0, n) z^t",
        ("expected-gradient",),
        _powers,
    ),
    step(
        "gain-of-root",
        r"""A fixed delay has \(h z^{-\tau}\) times the same power. Hence $D(z)$ replaces
        \(z^{-\tau}\) in the characteristic equation, which becomes
        $(z - 1) A(z) + a B(z) D(z) = 0$. Solving it for the gain,""",
        "alpha(z) = (1 - z) A(z)/(B(z) D(z))",
        {"alpha(z)": "a - ((z - 1) A(z) + a B(z) D(z))/(B(z) D(z))"},
    ),
    conclusion(
        r"""The expectations thus obey a linear recurrence of finite order, whose solutions all
        decay exactly if its roots lie in \(|z| < 1\). With the sum in {ref:powers} for $D(z)$,
        {ref:gain-of-root} is""",
        _from_powers,
    ),
    symbols=(_k, _n),
    prior_art="""For the mean of asynchronous SGD it is known {cite:mitliagkas2016}, with momentum
    as the special case of geometric delays.""",
)
