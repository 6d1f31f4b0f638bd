"""Delayed SGD: simple bounds of the threshold from both sides, and its law for long delays."""

from __future__ import annotations

from sympy import Derivative, Eq, Expr, Function, Limit, Rational, Symbol, oo, pi, sin

from delaystability.model.catalogue import SGD
from delaystability.theory.checks import Deduced, Identity, LimitValue
from delaystability.theory.confirm import grid
from delaystability.theory.derivation import Proof, Step, Theorem
from delaystability.theory.general_steps import THRESHOLD
from delaystability.theory.loop import Loop
from delaystability.theory.statement import Statement
from delaystability.theory.symbols import ordered_product, ordered_quotient, ordered_sum, tau
from delaystability.theory.trials import confirm_threshold, evaluate_relation

__all__ = ["LOWER", "UPPER", "sgd_long_delay", "sgd_lower_bound", "sgd_upper_bound"]

_x = Symbol("x", nonnegative=True)
_ODD = 2 * tau + 1
_POINTS = [{_x: Rational(k, 4)} for k in (1, 2, 4, 7, 12, 20)]

UPPER = ordered_quotient(pi, _ODD)
"""pi/(2 tau + 1)."""

LOWER = ordered_sum(UPPER, -ordered_quotient(pi**3, ordered_product(24, _ODD**3)))
"""pi/(2 tau + 1) - pi^3/(24 (2 tau + 1)^3)."""


def sgd_upper_bound() -> Proof:
    """The threshold is at most pi/(2 tau + 1)."""
    bound = THRESHOLD <= UPPER
    return Proof(
        Theorem(
            name="sgd-upper-bound",
            title="SGD: an upper bound",
            statement=Statement("threshold", bound, SGD.name),
            text=(
                "The threshold of SGD with delay {tau} satisfies {display:bound} At any greater "
                "gain the loop is unstable: the learning rate has to fall as one over the delay."
            ),
            sources=(),
            given={"tau": tau, "bound": bound},
            kind="corollary",
        ),
        (
            *_sine_below_its_angle(),
            Step(
                label="conclusion",
                text=(
                    "The threshold is {formula} by {theorem:sgd}. By {ref:sine} at {x}, it is at "
                    "most twice this angle:"
                ),
                claim=bound,
                check=_concluded("sine"),
                given=_at_threshold(),
            ),
        ),
    )


def sgd_lower_bound() -> Proof:
    """The threshold is at least pi/(2 tau + 1) - pi^3/(24 (2 tau + 1)^3)."""
    bound = THRESHOLD >= LOWER
    deficit = Function("d")
    excess = ordered_sum(sin(_x), -_x, _x**3 / 6)
    slope = Derivative(deficit(_x), _x)
    return Proof(
        Theorem(
            name="sgd-lower-bound",
            title="SGD: a lower bound",
            statement=Statement("threshold", bound, SGD.name),
            text=(
                "The threshold of SGD with delay {tau} satisfies {display:bound} Every positive "
                "gain up to this bound is stable. The bound is {factor} times the upper one of "
                "{theorem:sgd-upper-bound}."
            ),
            sources=(),
            given={
                "tau": tau,
                "bound": bound,
                "factor": ordered_sum(1, -ordered_quotient(pi**2, ordered_product(24, _ODD**2))),
            },
            kind="corollary",
        ),
        (
            *_sine_below_its_angle(),
            Step(
                label="deficit-start",
                text="Now let {d}. Again",
                claim=Eq(deficit(0), 0, evaluate=False),
                check=Identity({deficit(0): excess.subs(_x, 0)}),
                given={"d": Eq(deficit(_x), excess, evaluate=False)},
            ),
            Step(
                label="deficit-slope",
                text="and its derivative is",
                claim=Eq(
                    slope,
                    ordered_sum(_x**2 / 2, -ordered_product(2, sin(_x / 2) ** 2)),
                    evaluate=False,
                ),
                check=Identity({slope: excess.doit().diff(_x)}),
            ),
            Step(
                label="sine-above",
                text=(
                    "By {ref:sine} at {half}, the subtracted term is at most the other one. Hence "
                    "{d} does not fall, and for every {range}"
                ),
                claim=sin(_x) >= ordered_sum(_x, -(_x**3) / 6),
                check=Deduced(
                    ("sine", "deficit-start", "deficit-slope"), evaluate_relation(_POINTS)
                ),
                given={"half": _x / 2, "d": deficit(_x), "range": r"x \ge 0"},
            ),
            Step(
                label="conclusion",
                text=(
                    "The threshold is {formula} by {theorem:sgd}. By {ref:sine-above} at {x}, it "
                    "is at least"
                ),
                claim=bound,
                check=_concluded("sine-above"),
                given=_at_threshold(),
            ),
        ),
    )


def sgd_long_delay() -> Proof:
    """The threshold times 2 tau + 1 tends to pi."""
    threshold = Function("a_*")(tau)
    law = Eq(Limit(ordered_product(_ODD, threshold), tau, oo), pi, evaluate=False)
    shortfall = ordered_quotient(pi**3, ordered_product(24, _ODD**2))
    below = ordered_sum(pi, -shortfall)
    explicit = ordered_product(2, sin(pi / (2 * _ODD)))
    return Proof(
        Theorem(
            name="sgd-long-delay",
            title="SGD: long delays",
            statement=Statement("threshold", law, SGD.name),
            text=(
                "The threshold {threshold} of SGD with delay {tau} satisfies {display:law} The "
                "product is never above its limit, and for every delay {display:remainder}"
            ),
            sources=("giladi2020",),
            given={
                "threshold": threshold,
                "tau": tau,
                "law": law,
                "remainder": ordered_sum(pi, -ordered_product(_ODD, threshold)) <= shortfall,
            },
            kind="corollary",
        ),
        (
            Step(
                label="above",
                text="The upper bound of {theorem:sgd-upper-bound}, times {odd}, is constant:",
                claim=Eq(ordered_product(_ODD, UPPER), pi, evaluate=False),
                check=Identity(),
                given={"odd": _ODD},
            ),
            Step(
                label="below",
                text="The lower one of {theorem:sgd-lower-bound}, times {odd}, is",
                claim=Eq(ordered_product(_ODD, LOWER), below, evaluate=False),
                check=Identity(),
                given={"odd": _ODD},
            ),
            Step(
                label="below-limit",
                text="which tends to the same value:",
                claim=Eq(Limit(below, tau, oo), pi, evaluate=False),
                check=LimitValue(),
            ),
            Step(
                label="conclusion",
                text=(
                    "The threshold lies between the two bounds, so that the remainder is at most "
                    "the subtracted term of {ref:below}, and"
                ),
                claim=law,
                check=Deduced(
                    ("above", "below", "below-limit"),
                    evaluate_relation([{}], {threshold: explicit}),
                    theorems=("sgd-upper-bound", "sgd-lower-bound"),
                ),
            ),
        ),
    )


def _sine_below_its_angle() -> tuple[Step, ...]:
    surplus = Function("f")
    difference = ordered_sum(_x, -sin(_x))
    slope = Derivative(surplus(_x), _x)
    return (
        Step(
            label="surplus-start",
            text="Let {f}. Then",
            claim=Eq(surplus(0), 0, evaluate=False),
            check=Identity({surplus(0): difference.subs(_x, 0)}),
            given={"f": Eq(surplus(_x), difference, evaluate=False)},
        ),
        Step(
            label="surplus-slope",
            text="and its derivative is a square:",
            claim=Eq(slope, ordered_product(2, sin(_x / 2) ** 2), evaluate=False),
            check=Identity({slope: difference.doit().diff(_x)}),
        ),
        Step(
            label="sine",
            text="Hence {f} does not fall, and for every {range}",
            claim=_x >= sin(_x),
            check=Deduced(("surplus-start", "surplus-slope"), evaluate_relation(_POINTS)),
            given={"f": surplus(_x), "range": r"x \ge 0"},
        ),
    )


def _at_threshold() -> dict[str, Expr]:
    angle = pi / (2 * _ODD)
    return {
        "formula": ordered_product(2, sin(angle)),
        "x": Eq(_x, angle, evaluate=False),
    }


def _concluded(premise: str) -> Deduced:
    points = grid(("0",), (0, 1, 2, 3, 5, 8, 13))
    return Deduced((premise,), confirm_threshold(Loop(SGD()), points), theorems=(SGD.name,))
