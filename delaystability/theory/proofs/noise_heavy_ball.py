"""Heavy ball without delay: stationary variance, and the mean square under curvature noise."""

from __future__ import annotations

from functools import partial
from typing import Any

from mpmath import fdot, mpmathify
from sympy import Eq, Expr, Function, Integer, Rational, Symbol

from delaystability.model.catalogue import HeavyBall
from delaystability.theory.checks import Deduced, Identity
from delaystability.theory.derivation import Proof, Step, Theorem
from delaystability.theory.domains import ANY_MOMENTUM
from delaystability.theory.loop import Loop
from delaystability.theory.moments import (
    confirm_mean_square,
    evaluate_sequences,
    iterate_coefficients,
    response,
)
from delaystability.theory.proofs.mean_square import AMPLIFIED
from delaystability.theory.proofs.mean_square_sgd import SECOND_THRESHOLD
from delaystability.theory.proofs.noise_sgd import AMPLIFICATION, covariance_of
from delaystability.theory.statement import Statement
from delaystability.theory.symbols import (
    a,
    kappa,
    m,
    ordered_product,
    ordered_quotient,
    ordered_sum,
    t,
    tau,
    w,
)

__all__ = ["mean_square_heavy_ball_delay_0", "noise_amplification_heavy_ball_delay_0"]

_AMPLIFICATION = "noise-amplification-heavy-ball-delay-0"
_gamma, _xi = Function("gamma"), Function("xi")
_k = Symbol("k", integer=True, nonnegative=True)
_weight = 1 + m - a
_zero = Eq(tau, 0, evaluate=False)


def _distance() -> Expr:
    return ordered_sum(ordered_product(2, 1 + m), -a)


def _formula() -> Expr:
    """(1 + m)/(a (1 - m) (2 (1 + m) - a))."""
    return ordered_quotient(1 + m, ordered_product(a, 1 - m, _distance()))


def noise_amplification_heavy_ball_delay_0() -> Proof:
    """The stationary variance of heavy ball without delay."""
    formula = Eq(AMPLIFICATION, _formula(), evaluate=False)
    theorem = Theorem(
        name=_AMPLIFICATION,
        title="Stationary variance of heavy ball without delay",
        statement=Statement(
            "noise-amplification",
            formula,
            HeavyBall.name,
            (Eq(tau, 0), *ANY_MOMENTUM, a < 2 * (1 + m)),
        ),
        text=(
            "Let {domain} and {zero}, and let {gain} be stable. If white noise of variance 1 is "
            "added to every gradient, the iterate of heavy ball has, in units of the squared "
            "learning rate, the stationary variance {display:formula}"
        ),
        sources=(),
        given={
            "domain": "-1 < m < 1",
            "zero": _zero,
            "gain": "0 < a < 2(1 + m)",
            "formula": formula,
        },
    )
    return Proof(theorem, _variance_steps(formula))


def _variance_steps(formula: Eq) -> tuple[Step, ...]:
    recurrence = ordered_sum(ordered_product(_weight, _gamma(_k)), -m * _gamma(_k - 1))
    variance = ordered_sum(
        _gamma(0), -ordered_product(_weight, _gamma(1)), ordered_product(m, _gamma(2))
    )
    neighbour = _weight / (1 + m) * _gamma(0)
    return (
        Step(
            label="covariance",
            text=(
                "In the units of the learning rate the loop is {loop}. It is stable by "
                "{theorem:heavy-ball}, so that it has a stationary state, with the covariances "
                "{gamma}, the same for {k} and {minus}. The noise {noise} is uncorrelated with "
                "{past} for {nonnegative}. Multiplication by {past} and expectation give, for "
                "{nonnegative},"
            ),
            claim=Eq(_gamma(_k + 1), recurrence, evaluate=False),
            check=Deduced((), evaluate_sequences(_cases((0, 1, 4))), theorems=(HeavyBall.name,)),
            given={
                "loop": Eq(
                    w(t + 1),
                    ordered_sum(ordered_product(_weight, w(t)), -m * w(t - 1), _xi(t)),
                    evaluate=False,
                ),
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
                "Multiplication by {next}, whose correlation with the noise is the variance of the "
                "noise, gives"
            ),
            claim=Eq(variance, 1, evaluate=False),
            check=Deduced((), evaluate_sequences(_cases((0,))), theorems=(HeavyBall.name,)),
            given={"next": w(t + 1)},
        ),
        Step(
            label="scale",
            text=(
                "By {ref:covariance} for {zero} and {one}, {first} and {second}. The left side of "
                "{ref:variance} is then"
            ),
            claim=Eq(
                variance,
                ordered_product(
                    ordered_quotient(ordered_product(a, 1 - m, _distance()), 1 + m), _gamma(0)
                ),
                evaluate=False,
            ),
            check=Identity({_gamma(1): neighbour, _gamma(2): _weight * neighbour - m * _gamma(0)}),
            given={
                "zero": Eq(_k, 0, evaluate=False),
                "one": Eq(_k, 1, evaluate=False),
                "first": Eq(
                    ordered_product(1 + m, _gamma(1)),
                    ordered_product(_weight, _gamma(0)),
                    evaluate=False,
                ),
                "second": Eq(_gamma(2), recurrence.subs(_k, 1), evaluate=False),
            },
        ),
        Step(
            label="conclusion",
            text="By {ref:variance} this is 1, so that the variance {gamma} is",
            claim=formula,
            check=Deduced(
                ("covariance", "variance", "scale"),
                evaluate_sequences(
                    [
                        ({**point, AMPLIFICATION: fdot(kicks, kicks)}, {})
                        for point, kicks in _responses()
                    ]
                ),
            ),
            given={"gamma": _gamma(0)},
        ),
    )


def _responses() -> list[tuple[dict[Expr, Any], list[Any]]]:
    """The response to a kick for a few momenta and gains, until it vanishes to rounding."""
    found = []
    for momentum, gain in (("1/2", "1"), ("-1/3", "1/2"), ("3/4", "3"), ("0", "1/4")):
        point = {m: Rational(momentum), a: Rational(gain)}
        loop = Loop(HeavyBall(point[m]))
        coefficients = iterate_coefficients(loop, {tau: 0}, mpmathify(point[a]))
        found.append((point, response(coefficients, 300)))
    return found


def _cases(lags: tuple[int, ...]) -> list[Any]:
    return [
        ({**point, _k: lag}, {_gamma: partial(covariance_of, kicks)})
        for point, kicks in _responses()
        for lag in lags
    ]


def mean_square_heavy_ball_delay_0() -> Proof:
    """The mean-square threshold of heavy ball without delay."""
    value = ordered_quotient(
        ordered_product(2, 1 - m**2),
        ordered_sum(1, -m, ordered_product(kappa, 1 + m)),
    )
    threshold = Eq(SECOND_THRESHOLD, value, evaluate=False)
    amplified = ordered_quotient(
        ordered_product(kappa, a, 1 + m), ordered_product(1 - m, _distance())
    )
    theorem = Theorem(
        name="mean-square-heavy-ball-delay-0",
        title="Mean square of heavy ball without delay",
        statement=Statement(
            "mean-square-threshold", threshold, HeavyBall.name, (Eq(tau, 0), *ANY_MOMENTUM)
        ),
        text=(
            "Let {domain} and {zero}, and let the curvature of every update be random and "
            "independent, with {kappa} times its squared mean as variance. Heavy ball is "
            "mean-square stable exactly for gains {stable}, where {display:threshold}"
        ),
        sources=(),
        given={
            "domain": "-1 < m < 1",
            "zero": _zero,
            "kappa": kappa,
            "stable": "0 < a < a_2",
            "threshold": threshold,
        },
    )
    points = [
        {tau: Integer(0), m: Rational(momentum), kappa: Rational(noise)}
        for momentum in ("-3/4", "0", "1/2", "9/10")
        for noise in ("0", "1/3", "2")
    ]
    steps = (
        Step(
            label="amplified",
            text=(
                "By {theorem:mean-square}, a gain that is stable in the mean is mean-square stable "
                "exactly if {below}, where {N}. With the variance {G} of "
                "{theorem:noise-amplification-heavy-ball-delay-0},"
            ),
            claim=Eq(AMPLIFIED, amplified, evaluate=False),
            check=Identity({AMPLIFIED: kappa * a**2 * _formula()}),
            given={
                "below": AMPLIFIED < 1,
                "N": Eq(AMPLIFIED, ordered_product(kappa, a**2, AMPLIFICATION), evaluate=False),
                "G": AMPLIFICATION,
            },
        ),
        Step(
            label="excess",
            text=(
                "This grows with the gain, without bound towards the threshold of the mean, "
                "{mean}, if {noisy}. It is less than 1 exactly if the following is negative:"
            ),
            claim=Eq(
                ordered_product(1 - m, _distance(), ordered_sum(AMPLIFIED, -1)),
                ordered_sum(
                    ordered_product(ordered_sum(1, -m, ordered_product(kappa, 1 + m)), a),
                    -ordered_product(2, 1 - m**2),
                ),
                evaluate=False,
            ),
            check=Identity({AMPLIFIED: amplified}),
            given={"mean": ordered_product(2, 1 + m), "noisy": kappa > 0},
        ),
        Step(
            label="conclusion",
            text=(
                "Hence the gain must be less than the value below. Without noise this is the "
                "threshold of the mean, {theorem:heavy-ball}:"
            ),
            claim=threshold,
            check=Deduced(
                ("amplified", "excess"),
                confirm_mean_square(Loop(HeavyBall(m)), points),
                theorems=("mean-square", _AMPLIFICATION, HeavyBall.name),
            ),
        ),
    )
    return Proof(theorem, steps)
