"""How fast delayed SGD can be: the smallest spectral radius, and the gain that attains it."""

from __future__ import annotations

from typing import Any

import mpmath
from sympy import Basic, Derivative, Eq, Expr, Function, Integer, Poly, Rational, Symbol
from sympy.core.relational import GreaterThan

from delaystability.model.catalogue import SGD
from delaystability.theory.checks import Cited, Deduced, Identity
from delaystability.theory.derivation import Proof, Step, Theorem
from delaystability.theory.loop import Loop
from delaystability.theory.statement import Statement
from delaystability.theory.symbols import (
    a,
    ordered_product,
    ordered_quotient,
    ordered_sum,
    p,
    tau,
    z,
)

__all__ = ["sgd_fastest_gain", "sgd_fastest_rate"]

_RATE, _GAIN = Symbol("rho_1", nonnegative=True), Symbol("a_1", positive=True)
_rho, _y = Function("rho"), Symbol("y")
_best_rate = tau / (tau + 1)
_best_gain = ordered_quotient(tau**tau, (tau + 1) ** (tau + 1))
_FASTEST_RATE = "sgd-fastest-rate"


def _polynomial(at: Expr) -> Expr:
    return Loop(SGD()).polynomial.subs(z, at)


def sgd_fastest_rate() -> Proof:
    """The smallest spectral radius of delayed SGD over all gains."""
    rate = Eq(_RATE, _best_rate, evaluate=False)
    theorem = Theorem(
        name=_FASTEST_RATE,
        title="The fastest rate of SGD",
        statement=Statement("fastest-rate", rate, SGD.name),
        text=(
            "Let {rho} be the largest modulus of the roots of SGD with delay {tau} at the gain "
            "{a}: an update shrinks a perturbation by this factor, on average over many updates. "
            "Its smallest value over all gains is {display:rate} For long delays a perturbation "
            "thus needs at least about {tau} updates to shrink by the factor {e}."
        ),
        sources=("marden1966",),
        given={
            "rho": _rho(a),
            "tau": tau,
            "a": a,
            "rate": rate,
            "e": "e",
        },
    )
    scaled = ordered_product(tau / (tau + 1), _y)
    bracket = ordered_sum(
        ordered_product(tau, _y ** (tau + 1)), -ordered_product(tau + 1, _y**tau), 1
    )
    total = ordered_quotient(ordered_sum(_y**tau, -1), ordered_sum(_y, -1))
    steps = (
        Step(
            label="slope",
            text="The characteristic polynomial is {p}. Its derivative is",
            claim=Eq(
                Derivative(p(z), z),
                ordered_product(z ** (tau - 1), ordered_sum(ordered_product(tau + 1, z), -tau)),
                evaluate=False,
            ),
            check=Identity({p(z): _polynomial(z)}),
            given={"p": Eq(p(z), _polynomial(z), evaluate=False)},
        ),
        Step(
            label="gauss-lucas",
            text=(
                "The zeros of the derivative of a polynomial lie in the convex hull of its own "
                "zeros, by the theorem of Gauss and Lucas {cite:marden1966}."
            ),
            claim=None,
            check=Cited("marden1966", "Theorem (6,1), of Gauss and Lucas"),
        ),
        Step(
            label="lower",
            text=(
                "The number {rate} is a zero of {ref:slope} if {delayed}, and so lies in the hull "
                "of the roots, at every gain. The hull lies in the disc around 0 that holds the "
                "roots. Hence, for {none} too,"
            ),
            claim=GreaterThan(_rho(a), _best_rate, evaluate=False),
            check=Deduced(("slope", "gauss-lucas"), _bounded_below),
            given={
                "rate": _best_rate,
                "delayed": r"\tau \ge 1",
                "none": Eq(tau, 0, evaluate=False),
            },
        ),
        Step(
            label="scaled",
            text="At the gain {gain}, with the unit of {z} changed to {rate},",
            claim=Eq(p(scaled), ordered_product(_best_gain, bracket), evaluate=False),
            check=Identity({p(scaled): _polynomial(scaled).subs(a, _best_gain)}),
            given={
                "gain": Eq(a, _best_gain, evaluate=False),
                "z": z,
                "rate": _best_rate,
            },
        ),
        Step(
            label="factor",
            text="The last factor vanishes at {one}:",
            claim=Eq(
                bracket,
                ordered_product(
                    ordered_sum(_y, -1), ordered_sum(ordered_product(tau, _y**tau), -total)
                ),
                evaluate=False,
            ),
            check=Identity(),
            given={"one": Eq(_y, 1, evaluate=False)},
        ),
        Step(
            label="conclusion",
            text=(
                "The quotient in {ref:factor} is the sum of the {tau} powers {powers}. If "
                "{outside}, each of them is smaller in modulus than {power} and all together than "
                "{all}, so that the second factor does not vanish. By {ref:scaled} all roots at "
                "this gain then have a modulus of at most {rate}, and the bound {ref:lower} is "
                "attained:"
            ),
            claim=rate,
            check=Deduced(("lower", "scaled", "factor"), _attained),
            given={
                "tau": tau,
                "powers": r"1, y, \dots, y^{\tau - 1}",
                "outside": "|y| > 1",
                "power": _y**tau,
                "all": ordered_product(tau, _y**tau),
                "rate": _best_rate,
            },
        ),
    )
    return Proof(theorem, steps)


def sgd_fastest_gain() -> Proof:
    """The only gain at which the fastest rate is attained."""
    gain = Eq(_GAIN, _best_gain, evaluate=False)
    theorem = Theorem(
        name="sgd-fastest-gain",
        title="The fastest gain of SGD",
        statement=Statement("fastest-gain", gain, SGD.name),
        text=(
            "SGD with delay {tau} attains its fastest rate, {theorem:sgd-fastest-rate}, at one "
            "gain only, {display:gain} which is 1 without delay. For {delayed} the root {root} is "
            "double there."
        ),
        sources=("marden1966",),
        given={
            "tau": tau,
            "gain": gain,
            "delayed": r"\tau \ge 1",
            "root": Eq(z, _best_rate, evaluate=False),
        },
        kind="corollary",
    )
    at_best, slope = p(_best_rate), Function("p'")(_best_rate)
    steps = (
        Step(
            label="slope",
            text="The number {rate} is a zero of the derivative of the characteristic polynomial:",
            claim=Eq(slope, 0, evaluate=False),
            check=Identity({slope: _polynomial(z).diff(z).subs(z, _best_rate)}),
            given={"rate": _best_rate},
        ),
        Step(
            label="value",
            text="The characteristic polynomial itself has there the value",
            claim=Eq(at_best, ordered_sum(a, -_best_gain), evaluate=False),
            check=Identity({at_best: _polynomial(_best_rate)}),
        ),
        Step(
            label="conclusion",
            text=(
                "Let {delayed}, and let all roots lie in the disc {disc}. By {ref:slope} and the "
                "theorem of Gauss and Lucas {cite:marden1966}, {rate} lies in their convex hull. "
                "It is an extreme point of the disc, and so one of the roots. By {ref:value} this "
                "fixes the gain, at which the root is double. For {none} the only root is {root}, "
                "and vanishes at {one}. In all cases"
            ),
            claim=gain,
            check=Deduced(("slope", "value"), _attained_at, theorems=(_FASTEST_RATE,)),
            given={
                "delayed": r"\tau \ge 1",
                "disc": r"|z| \le \tau/(\tau + 1)",
                "rate": _best_rate,
                "none": Eq(tau, 0, evaluate=False),
                "root": Eq(z, 1 - a, evaluate=False),
                "one": Eq(a, 1, evaluate=False),
            },
        ),
    )
    return Proof(theorem, steps)


_DELAYS = (0, 1, 2, 3, 6)


def _radius(delay: int, gain: Any) -> Any:
    """The spectral radius of SGD, to about half of 40 digits at a double root."""
    with mpmath.workdps(40):
        polynomial = Poly(_polynomial(z).subs({tau: delay, a: gain}), z)
        coefficients = [mpmath.mpmathify(c) for c in polynomial.all_coeffs()]
        return max(map(abs, mpmath.polyroots(coefficients, maxsteps=400, extraprec=200)))


def _bounded_below(claim: Basic | None) -> tuple[int, str]:
    """The claimed bound against the spectral radius at a few gains."""
    if not isinstance(claim, GreaterThan) or claim.lhs != _rho(a):
        return 0, f"a lower bound of the spectral radius is needed, not {claim}"
    points = [(delay, Rational(k, 20 * (delay + 1))) for delay in _DELAYS for k in (3, 9, 21)]
    for delay, gain in points:
        bound = mpmath.mpmathify(claim.rhs.subs(tau, delay))
        if not _radius(delay, gain) > bound:
            return len(points), f"the radius is below {bound} at delay {delay}, gain {gain}"
    return len(points), ""


def _attained(claim: Basic | None) -> tuple[int, str]:
    """The claimed rate against the spectral radius at the fastest gain."""
    if not isinstance(claim, Eq):
        return 0, f"an equation is needed, not {claim}"
    for delay in _DELAYS:
        rate = mpmath.mpmathify(claim.rhs.subs(tau, delay))
        if not abs(_radius(delay, _best_gain.subs(tau, delay)) - rate) < mpmath.mpf("1e-12"):
            return len(_DELAYS), f"the rate is not {rate} at delay {delay}"
    return len(_DELAYS), ""


def _attained_at(claim: Basic | None) -> tuple[int, str]:
    """The spectral radius at the claimed gain against the fastest rate."""
    if not isinstance(claim, Eq):
        return 0, f"an equation is needed, not {claim}"
    for delay in _DELAYS:
        gain = claim.rhs.subs(tau, Integer(delay))
        rate = mpmath.mpf(delay) / (delay + 1)
        if not abs(_radius(delay, gain) - rate) < mpmath.mpf("1e-12"):
            return len(_DELAYS), f"the rate is not attained at {gain} for delay {delay}"
    return len(_DELAYS), ""
