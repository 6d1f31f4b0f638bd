"""How fast a run leaves a minimum that has become unstable."""

from __future__ import annotations

from typing import Any

import mpmath
from sympy import (
    Abs,
    Basic,
    Eq,
    Expr,
    Function,
    I,
    Integer,
    Limit,
    Rational,
    Symbol,
    cot,
    exp,
    log,
    oo,
    pi,
    sin,
)

from delaystability.model.catalogue import SGD, HeavyBall
from delaystability.theory.checks import Cited, Deduced, Identity, LimitValue
from delaystability.theory.confirm import largest_root
from delaystability.theory.derivation import Proof, Step, Theorem
from delaystability.theory.loop import Loop
from delaystability.theory.moments import iterate_coefficients, run
from delaystability.theory.prose import LEMMA
from delaystability.theory.statement import Statement
from delaystability.theory.symbols import (
    a,
    ordered_product,
    ordered_quotient,
    ordered_sum,
    t,
    tau,
    theta,
    w,
    z,
)
from delaystability.theory.trials import approaches

__all__ = ["escape_rate", "sgd_escape_slope", "sgd_escape_slope_long_delay"]

_ESCAPE_RATE, _SLOPE = "escape-rate", "sgd-escape-slope"
_rate = Symbol("lambda", real=True)
_largest = Symbol("z_max", nonzero=True)
_slope = Symbol("s", positive=True)
_psi = Symbol("psi", real=True)
_n = Symbol("n", integer=True, positive=True)
_rho = Function("rho")


def escape_rate() -> Proof:
    """A perturbation grows as |z_max|^t, for any optimizer."""
    rate = Eq(_rate, log(Abs(_largest)), evaluate=False)
    theorem = Theorem(
        name=_ESCAPE_RATE,
        title="The escape rate",
        statement=Statement("escape-rate", rate),
        text=(
            "Let {largest} be a root of largest modulus of a delayed loop. From every start "
            "outside a proper subspace, the superior limit of {growth} is {display:rate} A "
            "perturbation of the minimum grows, or shrinks, as {power} until the loss is no longer "
            "quadratic."
        ),
        sources=("elaydi2005",),
        given={
            "largest": _largest,
            "growth": r"t^{-1} \log |w_t|",
            "rate": rate,
            "power": Abs(_largest) ** t,
        },
    )
    kernel = exp(I * _psi * (_n - 1) / 2)
    steps = (
        Step(
            label="modes",
            text=(
                "The iterates obey a linear recurrence with the roots of the loop, and {w} is a "
                "sum over the roots {z} of terms {term} with polynomials {P} of a degree less than "
                "the multiplicity of the root {cite:elaydi2005}; their coefficients are linear "
                "functions of the start, and take all values."
            ),
            claim=None,
            check=Cited("elaydi2005", "section 2.3: linear equations with constant coefficients"),
            given={
                "w": w(t),
                "z": r"z_i",
                "term": r"P_i(t) z_i^t",
                "P": r"P_i",
            },
        ),
        Step(
            label="averages",
            text=(
                "Different roots of the same modulus do not cancel for long: for their differences "
                "of angle {psi}, between 0 and {turn}, the geometric sum {geometric} stays bounded "
                "as {n} grows, being"
            ),
            claim=Eq(
                ordered_quotient(
                    ordered_sum(1, -exp(I * _psi * _n)), ordered_sum(1, -exp(I * _psi))
                ),
                ordered_product(kernel, ordered_quotient(sin(_n * _psi / 2), sin(_psi / 2))),
                evaluate=False,
            ),
            check=Identity(),
            given={
                "psi": _psi,
                "turn": 2 * pi,
                "n": _n,
                "geometric": r"\sum_{t < n} e^{i \psi t}",
            },
        ),
        Step(
            label="conclusion",
            text=(
                "Outside the subspace of starts for which all coefficients of the roots of largest "
                "modulus vanish, divide {w} by {growth} with the highest power {d} that occurs "
                "with these roots. What remains, up to terms that vanish, is {sum} with different "
                "angles and not all {c} zero. By {ref:averages} the average of its squared modulus "
                "over {n} updates tends to {positive}. It is bounded and does not tend to zero, "
                "and the growth of {w} is that of {growth}:"
            ),
            claim=rate,
            check=Deduced(("modes", "averages"), _by_running),
            given={
                "w": w(t),
                "growth": r"t^d |z_{max}|^t",
                "d": Symbol("d"),
                "sum": r"\sum_i c_i e^{i \psi_i t}",
                "c": r"c_i",
                "n": _n,
                "positive": r"\sum_i |c_i|^2 > 0",
            },
        ),
    )
    return Proof(theorem, steps)


def _by_running(claim: Basic | None) -> tuple[int, str]:
    """The growth of a pair of complex roots, from three iterates each at the end of a run."""
    if not isinstance(claim, Eq):
        return 0, f"an equation is needed, not {claim}"
    points = [(SGD(), 1, "11/10"), (SGD(), 4, "1/2"), (HeavyBall(Rational(1, 2)), 3, "1/3")]
    for optimizer, delay, value in points:
        loop, gain = Loop(optimizer), Rational(value)
        coefficients = iterate_coefficients(loop, {tau: delay}, mpmath.mpmathify(gain))
        iterates = run(coefficients, [1] + [0] * len(coefficients), [0] * 240)
        # For one pair of roots, this determinant grows exactly as the square of the modulus.
        pairs = zip(iterates, iterates[1:], iterates[2:], strict=False)
        growth = [middle**2 - first * last for first, middle, last in pairs]
        found = mpmath.log(growth[-1] / growth[-2]) / 2
        modulus = largest_root(loop, {tau: delay}, mpmath.mpmathify(gain))
        expected = mpmath.mpmathify(claim.rhs.subs(_largest, modulus).evalf(20))
        if not abs(found - expected) < mpmath.mpf("1e-9"):
            return len(points), f"{found} is not {expected} for {optimizer}, delay {delay}"
    return len(points), ""


def _slope_formula() -> Expr:
    turns = ordered_sum(2 * tau, 1)
    half = cot(pi / (2 * (2 * tau + 1)))
    return ordered_quotient(ordered_product(2, turns), ordered_sum(turns**2, half**2))


def sgd_escape_slope() -> Proof:
    """How the escape rate of SGD leaves zero at the threshold."""
    slope = Eq(_slope, _slope_formula(), evaluate=False)
    angle = pi / (2 * tau + 1)
    theorem = Theorem(
        name=_SLOPE,
        title="The escape rate of SGD near the threshold",
        statement=Statement("escape-slope", slope, SGD.name),
        text=(
            "Let {rate} be the escape rate, {theorem:escape-rate}, of SGD with delay {tau}. At the "
            "threshold, {threshold}, it leaves zero with the derivative {derivative}, where "
            "{display:slope} At the gain {gain} a perturbation grows by the factor {factor} in an "
            "update, to first order in {epsilon}."
        ),
        sources=(),
        given={
            "rate": _rate,
            "tau": tau,
            "threshold": Eq(a, Symbol("a_*"), evaluate=False),
            "derivative": r"s = d\lambda / d \log a",
            "slope": slope,
            "gain": r"(1 + \varepsilon) a_*",
            "factor": r"1 + s \varepsilon",
            "epsilon": r"\varepsilon",
        },
    )
    log_derivative = Function("S")(z)
    real, imaginary = tau + Rational(1, 2), -cot(theta / 2) / 2
    part = {"x": Symbol("x", real=True), "y": Symbol("y", real=True)}
    at_angle = {part["x"]: real, part["y"]: imaginary.subs(theta, angle)}
    steps = (
        Step(
            label="log-derivative",
            text=(
                "By {lemma}, the logarithm of the modulus of a root has the derivative {pace} by "
                "that of the gain, where {value} is the value of {S} at the root. On the unit "
                "circle this is"
            ),
            claim=Eq(
                log_derivative,
                ordered_sum(tau, Rational(1, 2), -ordered_product(I / 2, cot(theta / 2))),
                evaluate=False,
            ),
            check=Identity({log_derivative: Loop(SGD()).on_circle(Loop(SGD()).root_speed)}),
            given={
                "pace": ordered_quotient(part["x"], part["x"] ** 2 + part["y"] ** 2),
                "value": part["x"] + I * part["y"],
                "S": Eq(log_derivative, ordered_sum(z / (z - 1), tau), evaluate=False),
            },
        ),
        Step(
            label="pace",
            text=(
                "By {theorem:sgd} the first roots to reach the circle have the angles {angle}. "
                "There,"
            ),
            claim=Eq(
                ordered_quotient(part["x"], part["x"] ** 2 + part["y"] ** 2),
                _slope_formula(),
                evaluate=False,
            ),
            check=Identity(at_angle),
            given={"angle": r"\pm\pi/(2\tau + 1)"},
        ),
        Step(
            label="conclusion",
            text="No other root is on the circle at the threshold. Near it, these have the largest "
            "modulus, and the derivative of its logarithm is",
            claim=slope,
            check=Deduced(
                ("log-derivative", "pace"),
                _by_differences,
                theorems=(LEMMA, SGD.name, _ESCAPE_RATE),
            ),
        ),
    )
    return Proof(theorem, steps)


def _by_differences(claim: Basic | None) -> tuple[int, str]:
    """The claimed slope against a difference quotient of the largest modulus."""
    if not isinstance(claim, Eq):
        return 0, f"an equation is needed, not {claim}"
    delays, step = (0, 1, 2, 5, 9), mpmath.mpf("1e-5")
    for delay in delays:
        threshold = 2 * mpmath.sin(mpmath.pi / (2 * (2 * delay + 1)))
        moduli = [
            largest_root(Loop(SGD()), {tau: Integer(delay)}, threshold * (1 + sign * step))
            for sign in (-1, 1)
        ]
        found = mpmath.log(moduli[1] / moduli[0]) / (2 * step)
        claimed = mpmath.mpmathify(claim.rhs.subs(tau, delay).evalf(20))
        if not abs(found - claimed) < mpmath.mpf("1e-6"):
            return len(delays), f"{claimed} is not the slope {found} at delay {delay}"
    return len(delays), ""


def sgd_escape_slope_long_delay() -> Proof:
    """For long delays: 1/(1 + 4/pi^2) = 0.71 over the delay."""
    scaled = Limit(ordered_product(tau, _slope), tau, oo)
    value = ordered_quotient(Integer(1), ordered_sum(1, 4 / pi**2))
    law = Eq(scaled, value, evaluate=False)
    theorem = Theorem(
        name=f"{_SLOPE}-long-delay",
        title="Escape under long delays",
        statement=Statement("escape-slope", law, SGD.name),
        text=(
            "For long delays the slope {s} of {theorem:sgd-escape-slope} satisfies {display:law} A "
            "gain of {gain} makes a perturbation grow by about {growth} in an update, or by "
            "{delayed} in as many updates as the delay has."
        ),
        sources=(),
        given={
            "s": _slope,
            "law": law,
            "gain": r"(1 + \varepsilon) a_*",
            "growth": r"0.71\, \varepsilon/\tau",
            "delayed": r"0.71\, \varepsilon",
        },
        kind="corollary",
    )
    steps = (
        Step(
            label="limit",
            text="The formula in {theorem:sgd-escape-slope} has the limit",
            claim=Eq(Limit(ordered_product(tau, _slope_formula()), tau, oo), value, evaluate=False),
            check=LimitValue(),
        ),
        Step(
            label="conclusion",
            text="Hence",
            claim=law,
            check=Deduced(("limit",), approaches(scaled, _far_values), theorems=(_SLOPE,)),
        ),
    )
    return Proof(theorem, steps)


def _far_values() -> list[Any]:
    """The slope times the delay at long delays, from the root on the unit circle."""
    values = []
    for delay in (10**5, 10**6):
        root = mpmath.expjpi(mpmath.mpf(1) / (2 * delay + 1))
        values.append(delay * (1 / (root / (root - 1) + delay)).real)
    return values
