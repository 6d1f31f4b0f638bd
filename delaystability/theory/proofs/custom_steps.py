"""The steps for one optimizer at one delay: from cosines to polynomials, crossings and counts."""

from __future__ import annotations

from collections.abc import Sequence

from sympy import (
    Basic,
    Derivative,
    Eq,
    Expr,
    Function,
    I,
    Integer,
    Piecewise,
    Poly,
    Rational,
    StrictLessThan,
    Symbol,
    Tuple,
    cos,
    exp,
    pi,
    sin,
)

from delaystability.theory.checks import Deduced, Identity
from delaystability.theory.derivation import Step
from delaystability.theory.general_steps import SPEED, X, Y
from delaystability.theory.proofs.custom_boundary import Boundary, Gain, x
from delaystability.theory.proofs.custom_checks import (
    COUNT,
    OUTSIDE,
    Eliminated,
    PositiveCrossings,
    confirm_counts,
)
from delaystability.theory.prose import LEMMA
from delaystability.theory.symbols import (
    a,
    alpha,
    half_cosine,
    half_sine,
    ordered_product,
    ordered_quotient,
    ordered_sum,
    tau,
    theta,
    z,
)

__all__ = ["boundary_steps", "counting_step", "crossing_steps", "in_order", "listed"]

_R, _S, _G = (Function(name)(x) for name in ("R", "S", "G"))
_N = Symbol("n", integer=True)


def in_order(polynomial: Poly) -> Expr:
    """The polynomial, printed from its highest power downwards."""
    symbol = polynomial.gen
    terms = [value * symbol**power for (power,), value in polynomial.terms()]
    return ordered_sum(*terms) if len(terms) > 1 else terms[0]


def listed(name: str, items: Sequence[Basic | str], given: dict[str, Basic | str]) -> str:
    """The fields of a text for several items: ``{name0}, {name1} and {name2}``."""
    fields = []
    for number, item in enumerate(items):
        given[f"{name}{number}"] = item
        fields.append(f"{{{name}{number}}}")
    return fields[0] if len(fields) == 1 else f"{', '.join(fields[:-1])} and {fields[-1]}"


def _scaled(factor: Expr, *factors: Expr) -> Expr:
    kept = [*([factor] if factor != 1 else []), *factors]
    return ordered_product(*kept) if len(kept) > 1 else kept[0]


def boundary_steps(boundary: Boundary) -> tuple[Step, ...]:
    """X, Y and |B|^2 as polynomials in x = cos(theta), and the gain of a crossing."""
    loop, delay = boundary.loop, boundary.delay
    even, odd = (part.subs(tau, delay) for part in (loop.cosine_part, loop.sine_part))
    even_wave, odd_wave = boundary.waves
    kinds, third, fourth = _kinds(boundary)
    steps = [
        Step(
            label="cosine-polynomial",
            text=(
                f"Let {{x}}. The Chebyshev polynomials of the {kinds[0]} kind, {{third}}, make "
                "{ref:cosine-part} the product {product}, where"
            ),
            claim=Eq(_R, in_order(boundary.even), evaluate=False),
            check=Identity({_R: even / (boundary.scale * even_wave), x: cos(theta)}),
            given={
                "x": Eq(x, cos(theta), evaluate=False),
                "third": third,
                "product": Eq(X, _scaled(boundary.scale, even_wave, _R), evaluate=False),
            },
        ),
        Step(
            label="sine-polynomial",
            text=(
                f"Those of the {kinds[1]} kind, {{fourth}}, make {{ref:sine-part}} the product "
                "{product}, where"
            ),
            claim=Eq(_S, in_order(boundary.odd), evaluate=False),
            check=Identity({_S: odd / (boundary.scale * odd_wave), x: cos(theta)}),
            given={
                "fourth": fourth,
                "product": Eq(Y, _scaled(boundary.scale, odd_wave, _S), evaluate=False),
            },
        ),
    ]
    if boundary.zero_squared.degree() > 0:
        squared = loop.zero_modulus_squared
        steps.append(
            Step(
                label="zero-polynomial",
                text=(
                    "and those of the first kind, {first}, make the factor of {alpha} in "
                    "{ref:crossing} the product {product}, where"
                ),
                claim=Eq(_G, in_order(boundary.zero_squared), evaluate=False),
                check=Identity({_G: squared / boundary.zero_scale, x: cos(theta)}),
                given={
                    "first": Eq(Function("T_n")(x), cos(_N * theta), evaluate=False),
                    "alpha": alpha(exp(I * theta)),
                    "product": _scaled(boundary.zero_scale, _G),
                },
            )
        )
    return (*steps, _gain_step(boundary))


def _kinds(boundary: Boundary) -> tuple[tuple[str, str], Eq, Eq]:
    """Which Chebyshev polynomials X and Y have, and how they are defined."""
    if boundary.loop.decays:
        kinds, names = ("second", "first"), ("U_n", "T_n")
        values = sin((_N + 1) * theta) / sin(theta), cos(_N * theta)
    else:
        kinds, names = ("third", "fourth"), ("V_n", "W_n")
        angle = (_N + Rational(1, 2)) * theta
        values = cos(angle) / half_cosine, sin(angle) / half_sine
    defined = (
        Eq(Function(name)(x), value, evaluate=False)
        for name, value in zip(names, values, strict=True)
    )
    return (kinds, *defined)


def _gain_step(boundary: Boundary) -> Step:
    loop = boundary.loop
    odd, decays = loop.sine_part.subs(tau, boundary.delay), loop.decays
    above = (_S,) if decays else (ordered_sum(1, -x), _S)
    product = above[0] if decays else ordered_product(*above)
    half = "{half}, where {last}," if not decays else "{half} and {none}, where {last} and {one},"
    moving = boundary.zero_squared.degree() > 0
    quotient = (ordered_quotient(product, _G),) if moving else above
    return Step(
        label="gain",
        text=(
            "A root {circle} belongs to a gain exactly if {ref:crossing} is real: for {open} this "
            f"means {{even}}, and for {half} it always holds. "
            f"{'' if decays else 'With {square} the'}{'The' if decays else ''} gain is"
        ),
        claim=Eq(a, _scaled(boundary.scale / boundary.zero_scale, *quotient), evaluate=False),
        check=Identity(
            {
                a: (1 if decays else 2 * half_sine) * odd / loop.zero_modulus_squared,
                _S: boundary.odd.as_expr().subs(x, cos(theta)),
                _G: boundary.zero_squared.as_expr().subs(x, cos(theta)),
                x: cos(theta),
            }
        ),
        given={
            "circle": Eq(z, exp(I * theta), evaluate=False),
            "open": r"0 < \theta < \pi",
            "even": Eq(_R, 0, evaluate=False),
            "half": Eq(theta, pi, evaluate=False),
            "last": Eq(x, -1, evaluate=False),
            "none": Eq(theta, 0, evaluate=False),
            "one": Eq(x, 1, evaluate=False),
            "square": Eq(2 * half_sine**2, 1 - x, evaluate=False),
        },
    )


def crossing_steps(boundary: Boundary) -> tuple[Step, ...]:
    """All crossings of positive gain, their directions, and the smallest gain."""
    count = sum(len(gain.crossings) for gain in boundary.gains)
    points = [crossing.point.root for gain in boundary.gains for crossing in gain.crossings]
    names = _points(count)
    ends_given: dict[str, Basic | str] = {}
    ends = listed("end", [*map(Integer, boundary.ends)], ends_given).replace(" and ", " or ")
    if count > 1:
        there = f"There are {count}, in the order of their gains:"
        claim = Eq(Tuple(*names), Tuple(*points), evaluate=False)
    elif count == 1:
        there, claim = "There is one:", Eq(names[0], points[0], evaluate=False)
    else:
        there, claim = "Their number is", Eq(COUNT, 0, evaluate=False)
    listing = Step(
        label="crossings",
        text=(
            f"A crossing of positive gain is a root of {{R}} in {{open}}, or {ends}, at which "
            f"{{S}} is positive. Sturm's method counts and isolates them. {there}"
        ),
        claim=claim,
        check=PositiveCrossings(boundary),
        given={"R": _R, "S": _S, "open": "(-1, 1)", **ends_given},
    )
    if not count:
        return (listing,)
    first = boundary.gains[0]
    steps = [listing]
    ends_here = boundary.outside[0] == 0 and first.root is not None
    if ends_here and first.crossings[0].point.degree > 1:
        steps.append(_elimination_step(boundary, first))
    return (*steps, *_direction_steps(boundary))


def _points(count: int) -> list[Symbol]:
    return [Symbol(f"x_{number}", real=True) for number in range(1, count + 1)]


def _elimination_step(boundary: Boundary, first: Gain) -> Step:
    point, root = first.crossings[0].point, first.root
    if root is None:
        raise ValueError("the gain must have a minimal polynomial")
    equation = Eq(_R, 0, evaluate=False)
    source = "{equation}"
    if boundary.even.degree() > point.degree:
        equation = Eq(in_order(point.polynomial), 0, evaluate=False)
        source = "{equation}, the factor of {R} that vanishes at {x1},"
    return Step(
        label="gain-polynomial",
        text=(
            "The smallest gain is that of {x1}. The resultant eliminates {x} from {ref:gain} and "
            f"{source} and shows that this gain is a root of"
        ),
        claim=Eq(Function("q")(a), in_order(root.polynomial), evaluate=False),
        check=Eliminated(boundary, point),
        given={"x1": "x_1", "R": _R, "equation": equation, "x": x},
    )


def _direction_steps(boundary: Boundary) -> tuple[Step, Step]:
    loop, delay = boundary.loop, boundary.delay
    even, odd = (part.subs(tau, delay) for part in (loop.cosine_part, loop.sine_part))
    on_circle = loop.on_circle(loop.root_speed).subs(tau, delay)
    slopes = Derivative(X, theta), Derivative(Y, theta)
    slope, decays = Derivative(_R, x), loop.decays
    first, rest = (1 - x**2, -x) if decays else (ordered_sum(1, x), Rational(1, 2))
    return (
        Step(
            label="speed",
            text=(
                "For the direction of the crossings, {lemma} needs the real part {sigma} of "
                "{speed} on the circle, which solves"
            ),
            claim=Eq(
                ordered_product(ordered_sum(X**2, Y**2), SPEED),
                ordered_sum(ordered_product(X, slopes[1]), -ordered_product(Y, slopes[0])),
                evaluate=False,
            ),
            check=Identity(
                {
                    SPEED: (on_circle + on_circle.subs(I, -I)) / 2,
                    slopes[0]: even.diff(theta),
                    slopes[1]: odd.diff(theta),
                    X: even,
                    Y: odd,
                }
            ),
            given={"sigma": SPEED, "speed": z * alpha(z).diff(z) / alpha(z)},
        ),
        Step(
            label="direction",
            text="Where {X} vanishes it is therefore {ratio}, and in terms of {x}",
            claim=Eq(
                SPEED,
                ordered_quotient(
                    ordered_sum(
                        ordered_product(first, slope),
                        ordered_product(rest, _R),
                    ),
                    _S,
                ),
                evaluate=False,
            ),
            check=Identity(
                {
                    SPEED: -even.diff(theta) / odd,
                    slope: boundary.even.diff().as_expr().subs(x, cos(theta)),
                    _R: boundary.even.as_expr().subs(x, cos(theta)),
                    _S: boundary.odd.as_expr().subs(x, cos(theta)),
                    x: cos(theta),
                }
            ),
            given={"X": X, "ratio": r"-X'(\theta)/Y(\theta)", "x": x},
        ),
    )


def counting_step(boundary: Boundary) -> Step:
    """The number of roots outside the unit circle at every gain that is not a crossing's."""
    given: dict[str, Basic | str] = {"N": OUTSIDE}
    samples = listed("sample", boundary.samples, given)
    premises = ["recurrence", "polynomial", "cosine-part", "sine-part", "crossing"]
    premises += ["cosine-polynomial", "sine-polynomial", "gain", "crossings"]
    if boundary.zero_squared.degree() > 0:
        premises.append("zero-polynomial")
    text = "By {lemma} the number {N} of roots outside the unit circle "
    if boundary.loop.decays:
        given["free"] = ordered_quotient(boundary.loop.free_part, ordered_sum(z, -1))
        text = text.replace("{lemma}", "{lemma}, read with {free} for {A},")
        given["A"] = Function("A")(z)
    how = (
        "no root lies on the circle, and those outside are counted exactly, by Sturm's method "
        "after a map of the disc to a half-plane {cite:marden1966}"
    )
    if not boundary.gains:
        text += f"is the same for all gains. At {samples} {how}:"
        claim = Eq(OUTSIDE, boundary.outside[0], evaluate=False)
    else:
        premises += ["speed", "direction"]
        text += (
            f"changes at the gains of the crossings only. {_directions(boundary, given)} At the "
            f"gains {samples}, one in each interval between crossings, {how}. Apart from the gains "
            "of the crossings,"
        )
        rows = [
            (Integer(outside), StrictLessThan(a, gain.number, evaluate=False))
            for outside, gain in zip(boundary.outside, boundary.gains, strict=False)
        ]
        last = (Integer(boundary.outside[-1]), True)
        claim = Eq(OUTSIDE, Piecewise(*rows, last, evaluate=False), evaluate=False)
    return Step(
        label="roots-outside",
        text=text,
        claim=claim,
        check=Deduced(tuple(premises), confirm_counts(boundary), (LEMMA,)),
        given=given,
    )


def _directions(boundary: Boundary, given: dict[str, Basic | str]) -> str:
    """Which crossings are outward and which inward, in words."""
    crossings = [crossing for gain in boundary.gains for crossing in gain.crossings]
    named = list(zip(crossings, _points(len(crossings)), strict=True))
    given["minus"] = Integer(-1)
    sentences = []
    for sign, how in ((1, "leave"), (-1, "enter"), (0, "")):
        some = [point for crossing, point in named if crossing.direction == sign]
        if not some:
            continue
        fields = listed(f"direction{sign + 1}", some, given)
        if len(some) == len(crossings) > 1:
            fields = "each of them"
        if sign == 0:
            sentences.append(f"At {fields} {{ref:direction}} vanishes, and the count decides.")
        else:
            what = "positive" if sign > 0 else "negative"
            sentences.append(f"Roots {how} at {fields}, where {{ref:direction}} is {what}.")
    return " ".join(sentences)
