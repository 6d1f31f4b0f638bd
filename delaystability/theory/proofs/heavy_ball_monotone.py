"""Heavy ball: a function of the angle that increases, on which the explicit bounds rest."""

from __future__ import annotations

import mpmath
from sympy import (
    Basic,
    Eq,
    Expr,
    Float,
    Function,
    Integer,
    Integral,
    Mul,
    Rational,
    Symbol,
    cos,
    cot,
    lambdify,
    pi,
    sin,
)

from delaystability.theory.checks import Deduced, Identity
from delaystability.theory.derivation import Proof, Step, Theorem
from delaystability.theory.statement import Statement
from delaystability.theory.symbols import ordered_product, ordered_sum, phi, tau

__all__ = ["cotangent_function", "heavy_ball_monotone_angle", "turns"]

_F, _N, _b = Function("F"), Function("N"), Function("b")
_s = Symbol("s", real=True)


def turns(angle: Expr) -> Expr:
    """2 tau angle, printed in this order where the angle is a symbol."""
    return ordered_product(2, tau, angle) if angle.is_Symbol else 2 * tau * angle


def cotangent_function(angle: Expr) -> Expr:
    """F = cot(angle)^2 - 2 tau cot(2 tau angle) cot(angle)."""
    return ordered_sum(cot(angle) ** 2, -ordered_product(2, tau, cot(angle), cot(turns(angle))))


def _numerator(angle: Expr) -> Expr:
    """N = sin(angle)^3 sin(2 tau angle)^2 F'(angle)."""
    turned = turns(angle)
    return ordered_sum(
        ordered_product(4, tau**2, sin(angle) ** 2, cos(angle)),
        ordered_product(2, tau, sin(angle), sin(turned), cos(turned)),
        -ordered_product(2, sin(turned) ** 2, cos(angle)),
    )


def _bracket(angle: Expr) -> Expr:
    turned = turns(angle)
    return ordered_sum(
        ordered_product(cos(angle), sin(turned)),
        -ordered_product(2, tau, sin(angle), cos(turned)),
    )


def _by_quadrature(claim: Basic | None) -> tuple[int, str]:
    """Both sides of the claim at points of the interval, with the integral by quadrature."""
    if not isinstance(claim, Eq):
        return 0, f"an equation is needed, not {claim}"
    left = claim.lhs.subs(_F(phi), cotangent_function(phi)).doit()
    (integral,) = claim.rhs.atoms(Integral)
    points = [(2, Rational(1, 3)), (2, Rational(1)), (5, Rational(9, 10))]
    for delay, share in points:
        point = {tau: delay, phi: share * pi / (4 * delay)}
        integrand = lambdify(_s, integral.function.subs(point), "mpmath")
        area = mpmath.quad(integrand, [0, mpmath.mpf(point[phi].evalf(20))])
        right = claim.rhs.xreplace({integral: Float(area)}).subs(point)
        error = mpmath.mpf((left.subs(point) / right - 1).evalf(20))
        if not abs(error) <= mpmath.mpf("1e-9"):
            return len(points), f"{claim} does not hold at {point}: relative error {error}"
    return len(points), ""


def heavy_ball_monotone_angle() -> Proof:
    """The function of the angle that is nearly constant, and increases."""
    function = Eq(_F(phi), cotangent_function(phi), evaluate=False)
    powers = (sin(phi) ** 3, sin(turns(phi)) ** 2)
    kernel = sin(3 * phi - 3 * _s)
    integral = Integral(ordered_product(kernel, sin(turns(_s)), _bracket(_s)), (_s, 0, phi))
    relation = Eq(
        ordered_product(3, _F(phi).diff(phi), *powers),
        ordered_product(16, tau**2 - 1, integral),
        evaluate=False,
    )
    domain = (tau >= 1, phi > 0, phi < pi / (4 * tau))
    theorem = Theorem(
        name="heavy-ball-monotone-angle",
        title="A function that increases with the angle",
        statement=Statement("identity", relation, domain=domain),
        text=(
            "Let {delayed} and {display:function} For {interval}, {display:relation} and the "
            "integrand is not negative. Hence {F} increases up to {quarter}; for {one} it is "
            "constant."
        ),
        sources=(),
        given={
            "delayed": r"\tau \ge 1",
            "function": function,
            "interval": r"0 < \phi < \pi/(4\tau)",
            "relation": relation,
            "F": _F(phi),
            "quarter": pi / (4 * tau),
            "one": Eq(tau, 1, evaluate=False),
        },
        kind="lemma",
    )
    boundary = ordered_sum(
        ordered_product(Rational(1, 3), kernel, _N(_s).diff(_s)),
        ordered_product(cos(3 * phi - 3 * _s), _N(_s)),
    )
    total = Function("J")
    explicit = boundary.subs(_N(_s), _numerator(_s)).doit()
    steps = (
        Step(
            label="derivative",
            text="Differentiation of {F} gives {N} as",
            claim=Eq(_N(phi), _numerator(phi), evaluate=False),
            check=Identity({_N(phi): Mul(*powers) * cotangent_function(phi).diff(phi)}),
            given={
                "F": _F(phi),
                "N": Eq(_N(phi), ordered_product(_F(phi).diff(phi), *powers), evaluate=False),
            },
        ),
        Step(
            label="oscillator",
            text="It moves like an oscillator under a force:",
            claim=Eq(
                ordered_sum(Function("N''")(phi), 9 * _N(phi)),
                ordered_product(16, tau**2 - 1, _b(phi), sin(turns(phi))),
                evaluate=False,
            ),
            check=Identity(
                {
                    Function("N''")(phi): _numerator(phi).diff(phi, 2),
                    _N(phi): _numerator(phi),
                    _b(phi): _bracket(phi),
                }
            ),
        ),
        Step(
            label="force",
            text=(
                "with {bracket}. The force is not negative for {interval}, since {b} is 0 at 0 and "
                "has a derivative that is not negative:"
            ),
            claim=Eq(
                _b(phi).diff(phi),
                ordered_product(4 * tau**2 - 1, sin(phi), sin(turns(phi))),
                evaluate=False,
            ),
            check=Identity({_b(phi): _bracket(phi)}),
            given={
                "bracket": Eq(_b(phi), _bracket(phi), evaluate=False),
                "b": _b(phi),
                "interval": r"0 \le \phi \le \pi/(4\tau)",
            },
        ),
        Step(
            label="variation",
            text="The force determines the motion. Let {J}. For every function {N},",
            claim=Eq(
                total(_s).diff(_s),
                ordered_product(
                    Rational(1, 3), kernel, ordered_sum(Function("N''")(_s), 9 * _N(_s))
                ),
                evaluate=False,
            ),
            check=Identity({total(_s): boundary, Function("N''")(_s): _N(_s).diff(_s, 2)}),
            given={"J": Eq(total(_s), boundary, evaluate=False), "N": _N(_s)},
        ),
        Step(
            label="end",
            text="At the end of the interval it is",
            claim=Eq(total(phi), _N(phi), evaluate=False),
            check=Identity({total(phi): explicit.subs(_s, phi), _N(phi): _numerator(phi)}),
        ),
        Step(
            label="beginning",
            text="and at the beginning, where {N} and its derivative vanish,",
            claim=Eq(total(0), 0, evaluate=False),
            check=Identity({total(Integer(0)): explicit.subs(_s, 0)}),
            given={"N": _N(_s)},
        ),
        Step(
            label="conclusion",
            text=(
                "The integral of {ref:variation} from 0 to {phi} is therefore {N}. With "
                "{ref:oscillator} this is the equation below. In the integrand {angle} lies "
                "between 0 and {pi}, so that its sine is not negative either."
            ),
            claim=relation,
            check=Deduced(
                premises=(
                    "derivative",
                    "oscillator",
                    "force",
                    "variation",
                    "end",
                    "beginning",
                ),
                trial=_by_quadrature,
            ),
            given={
                "phi": phi,
                "N": _N(phi),
                "angle": ordered_product(3, ordered_sum(phi, -_s)),
                "pi": pi,
            },
        ),
    )
    return Proof(theorem, steps)
