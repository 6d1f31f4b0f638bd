"""SGD under every sequence of delays up to a bound: the sharp threshold, both halves proved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from random import Random
from typing import Any

from sympy import Basic, Eq, Integer, Rational, Symbol
from sympy.core.relational import GreaterThan, LessThan

from delaystability.model.catalogue import SGD
from delaystability.theory.proofs.sgd import CHAPTER
from delaystability.theory.statement import Statement
from delaystability.theory.symbols import THRESHOLD, tau
from delaystability.theory.trials import evaluate_relation
from delaystability.theory.vocabulary import (
    conclusion,
    corollary,
    deduced,
    states,
    step,
    theorem,
)

__all__ = ["CHAPTER"]

_J = Symbol("J", integer=True, nonnegative=True)
_n = Symbol("n", integer=True, nonnegative=True)
_i = Symbol("i", integer=True)
_b = Symbol("b", positive=True)
_x = Symbol("x", positive=True)
_share, _NEXT = Symbol("y", nonnegative=True), Symbol("y_1", positive=True)
_UPDATES = "tau + 1 + J"
_ROOT = f"sqrt(({_UPDATES})^2 - 4 J (J + 1))"
_DELAYS = (0, 1, 2, 3, 5, 8)


def _run(gain: Any, delays: Sequence[int], history: Sequence[Any]) -> list[Any]:
    """The iterates of delayed SGD, from its definition."""
    iterates = list(history)
    for delay in delays:
        iterates.append(iterates[-1] - gain * iterates[-1 - delay])
    return iterates


def _extremal(delay: int) -> list[int]:
    plateau = (2 * delay + 1) // 3
    return [min(k, delay) for k in range(delay + 1 + plateau)]


@cache
def _swings() -> tuple[tuple[dict[Symbol, Any], Any], ...]:
    """Every swing of some runs: the point, and the maximum that follows over the one before."""
    random, found = Random(0), []
    for delay in (1, 2, 3, 5):
        gains = [Rational(3, 2 * delay + 1) * Rational(k, 8) for k in (5, 7, 8, 9)]
        for gain in gains:
            chance = [random.randint(0, delay) for _ in range(12 * delay)]
            for delays in (_extremal(delay) * 4, chance):
                iterates = _run(gain, delays, [Integer(1)] * (delay + 1))
                found += [(point | {tau: delay, _b: gain}, top)
                          for point, top in _turns(iterates, delay)]  # fmt: skip
    return tuple(found)


def _turns(iterates: Sequence[Any], delay: int) -> Iterator[tuple[dict[Symbol, Any], Any]]:
    for k in range(2 * delay, len(iterates) - 1):
        sign = 1 if iterates[k + 1] > 0 else -1
        if iterates[k + 1] == 0 or sign * iterates[k] > 0:
            continue
        before = max(abs(value) for value in iterates[k - 2 * delay : k + 1])
        top = 0
        for value in iterates[k + 1 :]:
            if sign * value <= 0:
                break
            top = max(top, sign * value)
        if before:
            yield {_share: -sign * iterates[k] / before}, top / before


def _bounds_swings(claim: Basic | None) -> tuple[int, str]:
    """The claimed bound against the swings of runs, for every n."""
    if not isinstance(claim, LessThan) or claim.lhs != _NEXT:
        return 0, f"an upper bound of the next maximum is needed, not {claim}"
    for point, top in _swings():
        for n in range(point[tau] + 2):
            bound = claim.rhs.subs({**point, _n: n})
            if not top <= bound:
                return len(_swings()), f"a swing to {top} is above {bound} at {point}, n = {n}"
    return len(_swings()), ""


def _sharp(claim: Basic | None) -> tuple[int, str]:
    """The extremal sequence shrinks just below the claim and grows just above; no other grows."""
    if not isinstance(claim, Eq) or claim.lhs != THRESHOLD:
        return 0, f"an equation for the threshold is needed, not {claim}"
    definitions = any_sequence_sgd.read().theorem.statement.definitions
    statement = Statement("any-sequence-threshold", claim, definitions=definitions)
    for delay in _DELAYS:
        value = statement.value({tau: Integer(delay)})
        below, above = (
            abs(_run(value * (1 + k), _extremal(delay), [1] * (delay + 1))[-1])
            for k in (-1e-6, 1e-6)
        )
        if not below < 1 < above:
            return len(_DELAYS), f"{value} is not sharp at delay {delay}: {below}, {above}"
        size = _greedy(float(value) * 0.99, delay)
        if not size < 0.1:
            return len(_DELAYS), f"an adversary keeps {size} below {value} at delay {delay}"
    return len(_DELAYS), ""


def _bounds_threshold(claim: Basic | None) -> tuple[int, str]:
    """The claimed bound against the threshold of every sequence."""
    if not isinstance(claim, (GreaterThan, LessThan)) or claim.lhs != THRESHOLD:
        return 0, f"a bound of the threshold is needed, not {claim}"
    stated = any_sequence_sgd.read().theorem.statement
    value = stated.formula.subs(dict(stated.definitions))
    points = [{tau: Integer(delay)} for delay in (*range(12), 100, 10**6)]
    return evaluate_relation(points, {THRESHOLD: value})(claim)


def _greedy(gain: float, delay: int) -> float:
    """What is left where every update reads what makes the next iterate the largest, or lowest."""
    iterates = [1.0] * (delay + 1)
    for k in range(600 * (delay + 1)):
        falling = k // (delay + 1 + (2 * delay + 1) // 3) % 2 == 0
        window = iterates[-1 - delay :]
        iterates.append(iterates[-1] - gain * (max(window) if falling else min(window)))
    return max(map(abs, iterates[-4 * delay - 4 :]))


any_sequence_sgd = theorem(
    "any-sequence-sgd",
    "SGD: every sequence of delays",
    states(
        "any-sequence-threshold",
        f"a_* = 4/({_UPDATES} + {_ROOT})",
        SGD,
        definitions={"J": "floor((2 tau + 1)/3)"},
    ),
    r"""Let the delays \(d_t\) be any sequence with \(0 \le d_t \le \tau\), and
    $J = floor((2 tau + 1)/3)$. SGD, \(w_{t+1} = w_t - a w_{t-d_t}\), is stable for every such
    sequence exactly for gains \(0 < a < a_*\), where {statement} This is $3/(2 tau + 1)$ where 3
    divides $2 tau + 1$. For \(\tau \ge 2\) it is below the threshold of the fixed delay $tau$,
    {theorem:sgd}: the longest delay is not the worst case. The worst sequence has the delays
    \(0, 1, \dots, \tau\), then $J$ further updates with the delay $tau$, and so on. A bound of this
    kind that is not sharp is known {cite:erbe1995}; see also {cite:berezansky2009}.""",
    deduced(
        "swing",
        r"""Let the iterate turn from \(w_k \le 0\) to \(w_{k+1} > 0\), let \(v\) be the largest
        \(|w|\) from \(k - 2\tau\) to \(k\), and \(y = -w_k/v\). Let \(b \ge a\). A step moves by at
        most \(a v \le b v\), so that \(w_{k-i} \ge -v \min(1, y + b i)\) for
        \(0 \le i \le \tau\). While the iterate is positive, it grows only by reading one that is
        not, from \(k - i\) with some \(i \ge 0\), and update \(k + j\) reads none older than
        \(k + j - \tau\): so \(i \le \tau - j\). Up to the next maximum \(y_1 v\) it gains at most
        \(b v \min(1, y + b (\tau - j))\) in the updates \(j = 0, \dots, \tau\), and nothing later.
        With \(y + b i\) for the minimum at \(i < n\), and 1 at the others, for every
        \(0 \le n \le \tau + 1\)""",
        "y_1 <= b (n y + b n (n - 1)/2 + tau + 1 - n) - y",
        (),
        _bounds_swings,
    ),
    step(
        "average",
        r"""Let $f_1(n) := b (n y + b n (n - 1)/2 + tau + 1 - n) - y$ be this bound, and
        $f(x) := (tau + 1 + J) x - J (J + 1) x^2/2 - 1$. Where \(b J \le 1 \le b (J + 1)\), two of
        the bounds have an average that does not depend on $y$, with weights that are not negative
        and have the sum 1:""",
        "(J + 1 - 1/b) f_1(J) + (1/b - J) f_1(J + 1) = f(b)",
    ),
    step(
        "square",
        "Let $f_2(x) := J (J + 1) x^2/2 - (tau + 1 + J) x + 2$. Then",
        "f(x) = 1 - f_2(x)",
    ),
    step("start", "This parabola is positive at 0,", "f_2(0) = 2"),
    step(
        "lower-end",
        r"and at the following place, as \(3 (J + 1) > 2 \tau + 1\):",
        "f_2(1/(J + 1)) = (3 (J + 1) - (2 tau + 1))/(2 (J + 1))",
    ),
    step(
        "upper-end",
        r"but not at this one, for \(J \ge 1\), as \(3 J \le 2 \tau + 1\):",
        "f_2(1/J) = (3 J - (2 tau + 1))/(2 J)",
    ),
    step(
        "root",
        r"""Its roots have the product $4/(J (J + 1))$ and the sum
        $2 (tau + 1 + J)/(J (J + 1))$. The smaller one is the formula of the statement, which is
        the root also where the parabola is a line, for $tau = 0$:""",
        f"f_2(4/({_UPDATES} + {_ROOT})) = 0",
    ),
    step(
        "extremal",
        r"""Let now \(w_n = 1\), with the delays of the extremal sequence. The first $tau + 1$
        updates all read this iterate, and the next ones read \(1 - a, 1 - 2a, \dots, 1 - J a\).
        After them all the iterate is""",
        "1 - (tau + 1) a - a sum(1 - i a, i, 1, J) = -f(a)",
    ),
    conclusion(
        r"""First let \(0 < a < a_*\). By {ref:start}, {ref:lower-end} and {ref:upper-end} the
        smaller root lies in \((1/(J + 1), 1/J]\), or above 1 for $J = 0$. Choose $b$ below it,
        above $a$ and \(1/(J + 1)\): $f_2(b)$ is positive, and $f(b)$ is below 1 by {ref:square}.
        As no bound of {ref:swing} is exceeded, neither is their average {ref:average}: each swing
        reaches at most $f(b)$ times the largest iterate of the last $2 tau$ updates before it, and
        with the sign reversed likewise. Hence everything after a turn is at most $f(b)$ times what
        was before it. Where there are infinitely many turns the iterate tends to 0; else it
        is monotone from some update on, and its limit is 0, as the steps have a finite sum. As this
        holds for each of the sequences, which the delays choose among finitely many matrices,
        the decay is exponential, at one rate for all of them. From the threshold on, the next turn
        of the extremal sequence begins with reading the iterate that {ref:extremal} ends with, and
        reads none before it, so that \(w\) is multiplied by $-f(a)$ in each turn. At $a_*$ this
        is $-1$, by {ref:square} and {ref:root}, and the run does not decay. Above $a_*$ it grows
        while $f_2(a)$ is negative, at least up to the midpoint of the roots, and for $tau = 0$ for
        ever. As \(3 J \le 2 \tau + 1\) and \(\pi (J + 1)/3 < \tau + 1 + J\) for \(\tau \ge 1\),
        that midpoint is above $pi/(2 tau + 1)$, from where on the fixed delay $tau$ is unstable, by
        {theorem:sgd-upper-bound}. The threshold is""",
        _sharp,
    ),
    sources=("erbe1995", "berezansky2009"),
    symbols=(_J, _n, _i, _b, _x, _share, _NEXT),
    prior_art="""For delays that vary, a sufficient condition is known since {cite:yorke1970} in
    continuous time, with 3/2 as its constant, and for difference equations {cite:erbe1995},
    {cite:berezansky2009}. The largest gain for each bound of the delays, and that it is sharp, was
    not found elsewhere.""",
)


any_sequence_sgd_upper_bound = corollary(
    "any-sequence-sgd-upper-bound",
    "SGD: an upper bound for every sequence",
    states("any-sequence-threshold", "a_* <= 3/(2 tau + 1)", SGD),
    r"""The threshold of SGD for every sequence of delays up to $tau$, {theorem:any-sequence-sgd},
    satisfies {statement} It is equal where 3 divides $2 tau + 1$. A fixed delay tolerates up to
    $pi$ in place of 3, by {theorem:sgd-long-delay}. The bound is at worst 50 percent high, without
    delay, and 2.5 percent with.""",
    step(
        "value",
        r"""Let $f_2(x) := J (J + 1) x^2/2 - (tau + 1 + J) x + 2$ with $J = floor((2 tau + 1)/3)$.
        The threshold is its smaller root. Let $e := 2 tau + 1 - 3 J$, the remainder 0, 1 or 2.
        Then""",
        "2 (2 tau + 1)^2 f_2(3/(2 tau + 1)) = -e (3 - e)",
        {"e": "2 tau + 1 - 3 J"},
    ),
    conclusion(
        """This is not positive, and vanishes for $e = 0$ only. The parabola is positive below its
        smaller root. Hence that root is at most""",
        _bounds_threshold,
    ),
    symbols=(_J, _x, Symbol("e", integer=True)),
    of="any-sequence-sgd",
)

any_sequence_sgd_lower_bound = corollary(
    "any-sequence-sgd-lower-bound",
    "SGD: a lower bound for every sequence",
    states("any-sequence-threshold", "a_* >= 3/(tau + 1/2 + sqrt((tau + 1/2)^2 + 3/4))", SGD),
    r"""The threshold of SGD for every sequence of delays up to $tau$ satisfies {statement} With the
    upper bound {theorem:any-sequence-sgd-upper-bound} it is $3/(2 tau + 1)$ up to a relative error
    below \(3/(4 (2 \tau + 1)^2)\), and its ratio to the threshold of the fixed delay $tau$ tends to
    $3/pi$. The bound is at worst 7.2 percent low, for $tau = 1$.""",
    step(
        "square",
        r"""Let $f(x) := (tau + 1 + J) x - J (J + 1) x^2/2 - 1$ with $J = floor((2 tau + 1)/3)$, and
        $b(x) := (tau + 1/2) x + x^2/8 - 1/2$. They differ by a square:""",
        "f(x) = b(x) - (1 - (J + 1/2) x)^2/2",
    ),
    step(
        "root",
        "The greater of the two increases for positive $x$, and is 1 at",
        "b(3/(tau + 1/2 + sqrt((tau + 1/2)^2 + 3/4))) = 1",
    ),
    conclusion(
        r"""At the threshold \(f(a_*)\) is 1, by {theorem:any-sequence-sgd}, so that \(b(a_*)\) is
        at least 1 by {ref:square}. Hence the threshold is at least the root {ref:root}:""",
        _bounds_threshold,
    ),
    symbols=(_J, _x),
    of="any-sequence-sgd",
)
