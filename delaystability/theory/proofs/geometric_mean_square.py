"""Geometric delays: the mean square, whose threshold falls where that of the mean grows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mpmath
from sympy import Basic, Eq, Expr, Function, Integer, Limit, Rational, Sum, Symbol, oo, sqrt

from delaystability.theory.checks import Deduced, Identity, LimitValue
from delaystability.theory.derivation import Proof, Step, Theorem
from delaystability.theory.proofs.geometric_delay import GEOMETRIC_DELAY, RATIO, ratio
from delaystability.theory.proofs.mean_square import AMPLIFIED
from delaystability.theory.proofs.mean_square_sgd import SECOND_THRESHOLD
from delaystability.theory.statement import Statement
from delaystability.theory.symbols import (
    a,
    ordered_product,
    ordered_quotient,
    ordered_sum,
    t,
    w,
)
from delaystability.theory.trials import approaches

__all__ = ["geometric_delay_mean_square", "geometric_delay_long"]

_NAME = f"{GEOMETRIC_DELAY}-mean-square"
_mean_delay = Symbol("d", nonnegative=True)
_j = Symbol("j", integer=True, nonnegative=True)
_mu, _d, _v, _E = (Function(name) for name in ("mu", "delta", "v", "E"))
_c = Function("c")
_other = 1 - ratio


def _formula() -> Expr:
    """4 (1 + 2 d)/(1 + sqrt(1 + 16 d (1 + d) (1 + 2 d))), d the mean delay."""
    d = _mean_delay
    root = sqrt(ordered_sum(1, ordered_product(16, d, 1 + d, 1 + 2 * d)))
    return ordered_quotient(ordered_product(4, 1 + 2 * d), ordered_sum(1, root))


def _amplified() -> Expr:
    below = ordered_sum(ordered_product(2, 1 + ratio), -ordered_product(1 - ratio, a))
    return ordered_quotient(ordered_product(2, ratio, a**2), ordered_product(1 - ratio, below))


def geometric_delay_mean_square() -> Proof:
    """The mean-square threshold of SGD under geometric delays."""
    threshold = Eq(SECOND_THRESHOLD, _formula(), evaluate=False)
    theorem = Theorem(
        name=_NAME,
        title="The mean square under geometric delays",
        statement=Statement(
            "mean-square-threshold-geometric",
            threshold,
            domain=RATIO,
            definitions=((_mean_delay, ratio / (1 - ratio)),),
        ),
        text=(
            "Let the delays be independent, with the probabilities {probability} of {delays}, and "
            "let {mean} be their mean. SGD is mean-square stable exactly for gains {stable}, where "
            "{display:threshold} The threshold of the mean, {theorem:geometric-delay}, is {other}: "
            "it grows with {d}, while this one falls. For {seven} they are 30 and 0.513."
        ),
        sources=(),
        given={
            "probability": ordered_product(1 - ratio, ratio**_j),
            "delays": r"j = 0, 1, 2, \dots",
            "mean": Eq(_mean_delay, ratio / (1 - ratio), evaluate=False),
            "stable": "0 < a < a_2",
            "threshold": threshold,
            "other": ordered_product(2, 1 + 2 * _mean_delay),
            "d": _mean_delay,
            "seven": Eq(_mean_delay, 7, evaluate=False),
        },
    )
    steps = (*_spread(), *_response(), *_threshold())
    conclusion = Step(
        label="conclusion",
        text=(
            "By {ref:amplified}, {N} grows with the gain from 0, and without bound towards the "
            "threshold of the mean if {positive}. It is 1 where the left side of {ref:root} "
            "vanishes, at the gain below, and smaller exactly below that gain. For {zero} it "
            "vanishes, and the threshold is that of the mean, 2:"
        ),
        claim=threshold,
        check=Deduced(("renewal", "amplified", "root"), _by_moments, theorems=(GEOMETRIC_DELAY,)),
        given={
            "N": AMPLIFIED,
            "positive": ratio > 0,
            "zero": Eq(ratio, 0, evaluate=False),
        },
    )
    return Proof(theorem, (*steps, conclusion))


def _spread() -> tuple[Step, ...]:
    second = Function("s")(t)
    now, mean, after = w(t + 1), _mu(t), _v(t + 1)
    return (
        Step(
            label="spread",
            text=(
                "Given the past, the iterate whose gradient update {t} applies is random, with "
                "some mean {mu}, second moment {s} and variance {v}. One update later {mu} and {s} "
                "have changed to {mean} and {square}, and so the variance to"
            ),
            claim=Eq(
                after,
                ordered_sum(
                    ordered_product(ratio, _v(t)),
                    ordered_product(ratio, 1 - ratio, (now - mean) ** 2),
                ),
                evaluate=False,
            ),
            check=Identity(
                {
                    after: ratio * second + _other * now**2 - (ratio * mean + _other * now) ** 2,
                    _v(t): second - mean**2,
                }
            ),
            given={
                "t": t,
                "mu": mean,
                "s": second,
                "v": Eq(_v(t), second - mean**2, evaluate=False),
                "mean": ordered_sum(ordered_product(ratio, mean), ordered_product(1 - ratio, now)),
                "square": ordered_sum(
                    ordered_product(ratio, second), ordered_product(1 - ratio, now**2)
                ),
            },
        ),
        Step(
            label="renewal",
            text=(
                "Thus {w} obeys the mean loop, {loop}, plus kicks with mean zero and the variance "
                "{variance} given the past, which are uncorrelated. By {ref:spread}, {v} is a "
                "nonnegative quadratic form in past iterates, and its expectation obeys a renewal "
                "equation, as the second moment does in {theorem:mean-square}. The loop is "
                "mean-square stable exactly if its mean is stable and the sum {N} of the kernel is "
                "less than 1, where {c} is what {v} is {j} updates after a single kick of 1 in the "
                "mean loop:"
            ),
            claim=Eq(AMPLIFIED, ordered_product(a**2, Sum(_c(_j), (_j, 1, oo))), evaluate=False),
            check=Deduced(("spread",), _against_moments, theorems=("mean-square",)),
            given={
                "w": w(t),
                "loop": Eq(w(t + 1), w(t) - a * mean, evaluate=False),
                "variance": ordered_product(a**2, _v(t)),
                "v": _v(t),
                "N": AMPLIFIED,
                "c": _c(_j),
                "j": _j,
            },
        ),
    )


def _response() -> tuple[Step, ...]:
    gap, mean = _d(_j), _mu(_j)
    weight = ordered_quotient(ordered_product(a, 1 + ratio), ordered_product(2, 1 - ratio))
    below = ordered_sum(ordered_product(2, 1 + ratio), -ordered_product(1 - ratio, a))
    loss = ordered_quotient(ordered_product(1 - ratio, below), Integer(2))
    next_gap = (ratio - a * (1 - ratio)) * gap - a * mean
    next_mean = mean + (1 - ratio) * gap

    def energy(gap: Expr, mean: Expr) -> Expr:
        return ordered_sum(gap**2, ordered_product(a, gap, mean), ordered_product(weight, mean**2))

    return (
        Step(
            label="gap",
            text=(
                "After such a kick let {mu} be the mean in {ref:spread}, {j} updates after the "
                "iterate before the kick, and let {gap} be the distance of the following iterate "
                "from it. Then {start}, {mean}, and the loop gives"
            ),
            claim=Eq(
                _d(_j + 1),
                ordered_sum(
                    ordered_product(ordered_sum(ratio, -ordered_product(a, 1 - ratio)), gap),
                    -a * mean,
                ),
                evaluate=False,
            ),
            check=Identity({_d(_j + 1): gap + mean - (1 + a) * next_mean}),
            given={
                "mu": mean,
                "j": _j,
                "gap": Eq(gap, ordered_sum(w(_j + 1), -mean), evaluate=False),
                "start": r"\delta_0 = 1, \; \mu_0 = 0",
                "mean": Eq(
                    _mu(_j + 1),
                    ordered_sum(mean, ordered_product(1 - ratio, gap)),
                    evaluate=False,
                ),
            },
        ),
        Step(
            label="energy",
            text="In every update the quadratic form {E} loses exactly",
            claim=Eq(
                ordered_sum(_E(_j), -_E(_j + 1)), ordered_product(loss, gap**2), evaluate=False
            ),
            check=Identity({_E(_j): energy(gap, mean), _E(_j + 1): energy(next_gap, next_mean)}),
            given={"E": Eq(_E(_j), energy(gap, mean), evaluate=False)},
        ),
        Step(
            label="amplified",
            text=(
                "If the mean loop is stable, {E} decays to zero, and summing {ref:energy} from "
                "{start} on gives the sum of the squares {squares}. Summing {ref:spread} gives "
                "{spread}. With both, {ref:renewal} is"
            ),
            claim=Eq(AMPLIFIED, _amplified(), evaluate=False),
            check=Deduced(("spread", "renewal", "gap", "energy"), _against_moments),
            given={
                "E": _E(_j),
                "start": Eq(_E(0), 1, evaluate=False),
                "squares": gap**2,
                "spread": Eq(
                    Sum(_c(_j), (_j, 1, oo)),
                    ordered_product(ratio, Sum(gap**2, (_j, 0, oo))),
                    evaluate=False,
                ),
            },
        ),
    )


def _threshold() -> tuple[Step, ...]:
    d = _mean_delay
    return (
        Step(
            label="root",
            text=(
                "In terms of the mean delay, {q}, the excess {excess} has the sign of the left "
                "side below, up to a factor that is positive below the threshold of the mean. At "
                "the gain {gain},"
            ),
            claim=Eq(
                ordered_sum(ordered_product(2, d, 1 + d, a**2), a, -ordered_product(2, 1 + 2 * d)),
                0,
                evaluate=False,
            ),
            check=Identity({a: _formula()}),
            given={
                "q": Eq(ratio, d / (1 + d), evaluate=False),
                "excess": AMPLIFIED - 1,
                "gain": Eq(a, _formula(), evaluate=False),
            },
        ),
    )


def _inverse_variance(q: Any, gain: Any) -> Any:
    """One over the stationary E w^2 under kicks of variance 1, from the moments of the state.

    Unknown are E w^2, E w mu, E mu^2 and the second moment E S of the iterate that is applied.
    """
    p = 1 - q
    # After the update: E w'^2, E w' mu.
    square = [1, -2 * gain, 0, gain**2]
    mixed = [0, 1, -gain, 0]
    rows = [
        square,
        [q * x + p * y for x, y in zip(mixed, square, strict=True)],
        [
            q**2 * e + 2 * q * p * x + p**2 * y
            for e, x, y in zip([0, 0, 1, 0], mixed, square, strict=True)
        ],
        [q * e + p * y for e, y in zip([0, 0, 0, 1], square, strict=True)],
    ]
    system = mpmath.eye(4) - mpmath.matrix(rows)
    return 1 / mpmath.lu_solve(system, mpmath.matrix([1, p, p**2, p]))[0]


def _kicked(q: Any, gain: Any) -> tuple[Any, Any]:
    """The sums of w_j^2 and of c_j over the mean loop after a kick of 1."""
    iterate, mean, spread = mpmath.mpf(1), mpmath.mpf(0), mpmath.mpf(0)
    squares = spreads = mpmath.mpf(0)
    for _ in range(400):
        spread = q * spread + q * (1 - q) * (iterate - mean) ** 2
        mean = q * mean + (1 - q) * iterate
        squares += iterate**2
        spreads += spread
        iterate -= gain * mean
    return squares, spreads


def _against_moments(claim: Basic | None) -> tuple[int, str]:
    """The claimed N against the stationary variance G/(1 - N) under noise."""
    if not isinstance(claim, Eq):
        return 0, f"an equation is needed, not {claim}"
    points = [("1/2", "1/2"), ("1/2", "3"), ("1/5", "1/10"), ("4/5", "2"), ("0", "1")]
    for q, gain in points:
        values: Mapping[Expr, Any] = {ratio: Rational(q), a: Rational(gain)}
        squares, spreads = _kicked(mpmath.mpmathify(values[ratio]), mpmath.mpmathify(values[a]))
        claimed = claim.rhs.replace(Sum, lambda *_, total=spreads: total).subs(values)
        inverse = _inverse_variance(*map(mpmath.mpmathify, values.values()))
        if not abs(1 - squares * inverse - mpmath.mpmathify(claimed)) < mpmath.mpf("1e-9"):
            return len(points), f"N is not {claimed} at {values}"
    return len(points), ""


def _by_moments(claim: Basic | None) -> tuple[int, str]:
    """The variance must be finite just below the claimed threshold, and not above."""
    if not isinstance(claim, Eq):
        return 0, f"an equation is needed, not {claim}"
    points = [Rational(value) for value in ("0", "1/10", "1/2", "7/8", "99/100")]
    for q in points:
        claimed = mpmath.mpmathify(claim.rhs.subs(_mean_delay, q / (1 - q)).evalf(30))
        margin = mpmath.mpf("1e-6")
        below, above = (
            _inverse_variance(mpmath.mpmathify(q), claimed * (1 + sign * margin))
            for sign in (-1, 1)
        )
        if not below > 0 > above:
            return len(points), f"{claimed} is no threshold at {q}"
    return len(points), ""


def geometric_delay_long() -> Proof:
    """The threshold falls with the square root of the mean delay."""
    scaled = Limit(ordered_product(sqrt(_mean_delay), SECOND_THRESHOLD), _mean_delay, oo)
    law = Eq(scaled, sqrt(2), evaluate=False)
    theorem = Theorem(
        name=f"{GEOMETRIC_DELAY}-long",
        title="Long geometric delays",
        statement=Statement("mean-square-threshold-geometric", law),
        text=(
            "Under geometric delays with the mean {d} the threshold of the mean square of SGD "
            "falls with the square root of {d}: {display:law} That of a fixed delay falls with the "
            "delay itself."
        ),
        sources=(),
        given={"d": _mean_delay, "law": law},
        kind="corollary",
    )
    steps = (
        Step(
            label="limit",
            text="The formula in {theorem:geometric-delay-mean-square} has the limit",
            claim=Eq(
                Limit(ordered_product(sqrt(_mean_delay), _formula()), _mean_delay, oo),
                sqrt(2),
                evaluate=False,
            ),
            check=LimitValue(),
        ),
        Step(
            label="conclusion",
            text="Hence",
            claim=law,
            check=Deduced(("limit",), approaches(scaled, _far_values), theorems=(_NAME,)),
        ),
    )
    return Proof(theorem, steps)


def _far_values() -> list[Any]:
    """The threshold times the square root of a long mean delay, by bisection on the moments."""
    delay = mpmath.mpf(10) ** 10
    low, high = mpmath.mpf(0), 10 / mpmath.sqrt(delay)
    with mpmath.workdps(40):
        for _ in range(40):
            middle = (low + high) / 2
            stable = _inverse_variance(delay / (1 + delay), middle) > 0
            low, high = (middle, high) if stable else (low, middle)
    return [mpmath.sqrt(delay) * low]
