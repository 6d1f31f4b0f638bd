"""How delayed SGD amplifies white noise: the stationary variance in closed form."""

from __future__ import annotations

from functools import partial
from typing import Any

from mpmath import fdot, mpmathify
from sympy import Eq, Expr, Function, Integer, Ne, Rational, Symbol, asin, cos, cot, pi, sin

from delaystability.model.catalogue import SGD
from delaystability.theory.checks import Deduced, Identity
from delaystability.theory.derivation import Proof, Step, Theorem
from delaystability.theory.loop import Loop
from delaystability.theory.moments import evaluate_sequences, iterate_coefficients, response
from delaystability.theory.statement import Statement
from delaystability.theory.symbols import (
    a,
    ordered_product,
    ordered_quotient,
    ordered_sum,
    phi,
    t,
    tau,
    w,
)

__all__ = [
    "AMPLIFICATION",
    "NOISE_AMPLIFICATION",
    "amplification_formula",
    "covariance_of",
    "distance",
    "noise_amplification_delay_0",
    "noise_amplification_sgd",
]

NOISE_AMPLIFICATION = "noise-amplification-sgd"

AMPLIFICATION = Symbol("G", positive=True)
"""Stationary variance of the iterate under noise of variance 1."""

_gamma, _xi = Function("gamma"), Function("xi")
_k = Symbol("k", integer=True, nonnegative=True)
_beta, _c = Symbol("beta", real=True), Symbol("c", real=True)
_half = phi / 2
_gain = ordered_product(2, sin(_half))
_stable = 2 * sin(pi / (2 * (2 * tau + 1)))


def distance() -> Expr:
    """(pi - (2 tau + 1) phi)/4, which vanishes at the threshold of the mean."""
    return ordered_quotient(ordered_sum(pi, -ordered_product(2 * tau + 1, phi)), Integer(4))


def amplification_formula() -> Expr:
    """cot((pi - (2 tau + 1) phi)/4)/(2 sin(phi)) with a = 2 sin(phi/2)."""
    return ordered_quotient(cot(distance()), ordered_product(2, sin(phi)))


def noise_amplification_sgd() -> Proof:
    """The stationary variance of delayed SGD, for every delay and stable gain."""
    formula = Eq(AMPLIFICATION, amplification_formula(), evaluate=False)
    theorem = Theorem(
        name=NOISE_AMPLIFICATION,
        title="Stationary variance of SGD",
        statement=Statement(
            "noise-amplification",
            formula,
            SGD.name,
            (a < _stable,),
            definitions=((phi, 2 * asin(a / 2)),),
        ),
        text=(
            "Let SGD with delay {tau} have a stable gain {gain} with {range}, and let white noise "
            "of variance 1 be added to every gradient. In units of the squared learning rate, the "
            "iterate has the stationary variance {display:formula} It grows without bound as {phi} "
            "tends to {end}, the threshold of stability."
        ),
        sources=(),
        given={
            "tau": tau,
            "gain": Eq(a, _gain, evaluate=False),
            "range": r"0 < \phi < \pi/(2\tau + 1)",
            "formula": formula,
            "phi": phi,
            "end": pi / (2 * tau + 1),
        },
    )
    return Proof(theorem, (*_covariance(), *_wave(), _conclusion(formula)))


def _covariance() -> tuple[Step, ...]:
    now, later, earlier = _gamma(_k), _gamma(_k + 1), _gamma(_k - 1)
    mirrored = _gamma(tau - _k)
    return (
        Step(
            label="covariance",
            text=(
                "In the units of the learning rate the loop is {loop}. It is stable by "
                "{theorem:sgd}, so that it has a stationary state, with the covariances {gamma}, "
                "the same for {k} and {minus}. The noise {noise} is uncorrelated with {past} for "
                "{nonnegative}. Multiplication by {past} and expectation give, for {nonnegative},"
            ),
            claim=Eq(later, ordered_sum(now, -a * mirrored), evaluate=False),
            check=Deduced((), evaluate_sequences(_cases((0, 1, 3))), theorems=(SGD.name,)),
            given={
                "loop": Eq(w(t + 1), ordered_sum(w(t), -a * w(t - tau), _xi(t)), evaluate=False),
                "gamma": r"\gamma_k = E[w_t w_{t-k}]",
                "k": _k,
                "minus": -_k,
                "noise": _xi(t),
                "past": w(t - _k),
                "nonnegative": r"k \ge 0",
            },
        ),
        Step(
            label="variance",
            text=(
                "The variances of {next} and {now} are equal. Squaring the loop and taking the "
                "expectation leave"
            ),
            claim=Eq(_variance_form(), 1, evaluate=False),
            check=Deduced((), evaluate_sequences(_cases((0,))), theorems=(SGD.name,)),
            given={"next": w(t + 1), "now": w(t)},
        ),
        Step(
            label="second-difference",
            text=(
                "For {inside}, {ref:covariance} holds for {k}, for {before}, and for the mirrored "
                "index {mirror}. The three together are a recurrence of second order:"
            ),
            claim=Eq(ordered_sum(later, earlier), (2 - a**2) * now, evaluate=False),
            check=Identity({later: now - a * mirrored, earlier: now + a * (mirrored - a * now)}),
            given={
                "inside": r"1 \le k \le \tau",
                "k": _k,
                "before": _k - 1,
                "mirror": tau - _k,
            },
        ),
    )


def _wave() -> tuple[Step, ...]:
    return (
        Step(
            label="frequency",
            text="With {gain} its coefficient is",
            claim=Eq(ordered_sum(2, -(a**2)), 2 * cos(phi), evaluate=False),
            check=Identity({a: _gain}),
            given={"gain": Eq(a, _gain, evaluate=False)},
        ),
        Step(
            label="wave",
            text=(
                "Since {range}, the solutions of {ref:second-difference} are the waves {wave} with "
                "constants {c} and {beta}, for {indices}:"
            ),
            claim=Eq(
                ordered_sum(
                    cos(ordered_sum(ordered_product(_k + 1, phi), -_beta), evaluate=False),
                    cos(ordered_sum(ordered_product(_k - 1, phi), -_beta), evaluate=False),
                ),
                ordered_product(
                    2, cos(phi), cos(ordered_sum(ordered_product(_k, phi), -_beta), evaluate=False)
                ),
                evaluate=False,
            ),
            check=Identity(),
            given={
                "range": r"0 < \phi < \pi",
                "wave": r"\gamma_k = c \cos(k\phi - \beta)",
                "c": _c,
                "beta": _beta,
                "indices": r"0 \le k \le \tau + 1",
            },
        ),
        Step(
            label="first-difference",
            text=(
                "The first equation, {zero} in {ref:covariance}, says that the left side below "
                "vanishes. Now {nonzero}, because {ref:variance} is not zero, and the cosine on "
                "the right is positive, its angle being between 0 and {quarter}. Hence the last "
                "sine vanishes, and we may take {beta}, as any other choice only changes the sign "
                "of {c}:"
            ),
            claim=Eq(
                ordered_sum(_gamma(1), -_gamma(0), ordered_product(a, _gamma(tau))),
                ordered_product(
                    4,
                    _c,
                    sin(_half),
                    cos(
                        ordered_quotient(
                            ordered_sum(pi, -ordered_product(2 * tau - 1, phi)), Integer(4)
                        )
                    ),
                    sin(ordered_sum(_beta, distance())),
                ),
                evaluate=False,
            ),
            check=Identity(
                {
                    _gamma(1): _c * cos(phi - _beta),
                    _gamma(0): _c * cos(_beta),
                    _gamma(tau): _c * cos(tau * phi - _beta),
                    a: _gain,
                }
            ),
            given={
                "zero": Eq(_k, 0, evaluate=False),
                "nonzero": Ne(_c, 0),
                "quarter": pi / 2,
                "beta": Eq(_beta, -distance(), evaluate=False),
                "c": _c,
            },
        ),
        Step(
            label="scale",
            text="With this {beta}, the left side of {ref:variance} is",
            claim=Eq(
                _variance_form(),
                -ordered_product(2, _c, sin(phi), sin(_beta)),
                evaluate=False,
            ),
            check=Identity(
                {
                    _gamma(0): _c * cos(distance()),
                    _gamma(tau): _c * cos(tau * phi + distance()),
                    a: _gain,
                    _beta: -distance(),
                }
            ),
            given={"beta": _beta},
        ),
    )


def _variance_form() -> Expr:
    return ordered_sum(ordered_product(2, a, _gamma(tau)), -ordered_product(a**2, _gamma(0)))


def _conclusion(formula: Eq) -> Step:
    return Step(
        label="conclusion",
        text=(
            "By {ref:variance} and {ref:scale}, {c}, where {beta} lies between {low} and 0. The "
            "variance {variance} is"
        ),
        claim=formula,
        check=Deduced(
            (
                "covariance",
                "variance",
                "second-difference",
                "frequency",
                "wave",
                "first-difference",
                "scale",
            ),
            evaluate_sequences(
                [
                    ({AMPLIFICATION: fdot(kicks, kicks), phi: 2 * asin(gain / 2), tau: delay}, {})
                    for delay, gain, kicks in _responses()
                ]
            ),
        ),
        given={
            "c": Eq(_c, -1 / ordered_product(2, sin(phi), sin(_beta)), evaluate=False),
            "beta": _beta,
            "low": -pi / 4,
            "variance": Eq(_gamma(0), _c * cos(_beta), evaluate=False),
        },
    )


def noise_amplification_delay_0() -> Proof:
    """Without delay: 1/(a (2 - a))."""
    value = ordered_quotient(Integer(1), ordered_product(a, 2 - a))
    formula = Eq(AMPLIFICATION, value, evaluate=False)
    general = ordered_quotient(
        cot(ordered_quotient(ordered_sum(pi, -phi), Integer(4))), ordered_product(2, sin(phi))
    )
    theorem = Theorem(
        name=f"{NOISE_AMPLIFICATION}-delay-0",
        title="Stationary variance of SGD without delay",
        statement=Statement("noise-amplification", formula, SGD.name, (Eq(tau, 0), a < 2)),
        text=(
            "For synchronous SGD, {zero}, with a gain {range}, the stationary variance under white "
            "noise of variance 1 is, in units of the squared learning rate, {display:formula}"
        ),
        sources=(),
        given={"zero": Eq(tau, 0, evaluate=False), "range": "0 < a < 2", "formula": formula},
        kind="corollary",
    )
    steps = (
        Step(
            label="value",
            text="With {gain}, the variance without delay can be written without angles:",
            claim=Eq(general, value, evaluate=False),
            check=Identity({a: _gain}),
            given={"gain": Eq(a, _gain, evaluate=False)},
        ),
        Step(
            label="conclusion",
            text="At {zero}, the left side of {ref:value} is the stationary variance in "
            "{theorem:noise-amplification-sgd}, and so",
            claim=formula,
            check=Deduced(
                ("value",),
                evaluate_sequences(
                    [
                        ({AMPLIFICATION: fdot(kicks, kicks), a: gain}, {})
                        for _, gain, kicks in _responses((0,))
                    ]
                ),
                theorems=(NOISE_AMPLIFICATION,),
            ),
            given={"zero": Eq(tau, 0, evaluate=False)},
        ),
    )
    return Proof(theorem, steps)


_STABLE = ((0, "1/2"), (0, "3/2"), (1, "1/3"), (2, "2/5"), (3, "1/8"), (5, "1/12"))


def _responses(delays: tuple[int, ...] = (0, 1, 2, 3, 5)) -> list[tuple[int, Any, list[Any]]]:
    """The response to a kick, until it vanishes to rounding, for a few delays and gains."""
    cases = []
    for delay, value in _STABLE:
        if delay in delays:
            gain = Rational(value)
            coefficients = iterate_coefficients(Loop(SGD()), {tau: delay}, mpmathify(gain))
            cases.append((delay, gain, response(coefficients, 300)))
    return cases


def _cases(lags: tuple[int, ...]) -> list[Any]:
    """Covariances as sums over the response."""
    return [
        ({tau: delay, a: gain, _k: lag}, {_gamma: partial(covariance_of, kicks)})
        for delay, gain, kicks in _responses()
        for lag in lags
    ]


def covariance_of(kicks: list[Any], lag: Expr) -> Any:
    """The stationary covariance at this lag under noise of variance 1, from the response."""
    return fdot(kicks, kicks[abs(int(lag)) :])
