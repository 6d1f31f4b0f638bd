"""Delayed SGD: its threshold for every delay, simple bounds of it, and its law for long delays."""

from __future__ import annotations

from sympy import Rational, Symbol

from delaystability.model.catalogue import SGD
from delaystability.theory.confirm import grid
from delaystability.theory.domains import nonnegative
from delaystability.theory.general_steps import general_steps
from delaystability.theory.proofs.crossing_steps import direction
from delaystability.theory.symbols import tau
from delaystability.theory.vocabulary import (
    Chapter,
    conclusion,
    corollary,
    deduced,
    evaluated,
    limit,
    states,
    step,
    theorem,
)

__all__ = ["LOWER", "UPPER"]

CHAPTER = Chapter("sgd", "SGD")

FORMULA = "2 sin(pi/(2 (2 tau + 1)))"
"""The threshold of SGD."""

UPPER = "pi/(2 tau + 1)"
LOWER = f"{UPPER} - pi^3/(24 (2 tau + 1)^3)"

_x = Symbol("x", nonnegative=True)
_POINTS = [{"x": Rational(k, 4)} for k in (1, 2, 4, 7, 12, 20)]
_DELAYS = grid(("0",), (0, 1, 2, 3, 5, 8, 13))

sgd = theorem(
    "sgd",
    "SGD",
    states("threshold", f"a_* = {FORMULA}", SGD),
    r"""SGD with delay $tau$ is stable exactly for gains \(0 < a < a_*\), where {statement} The root
    that reaches the unit circle first has the angle $theta = pi/(2 tau + 1)$.""",
    general_steps,
    step(
        "modulus",
        """At a crossing $X(theta)$ vanishes and $Y(theta)$ is positive. Hence $Y(theta)$ is 1
        there, and the gain is $a = 2 sin(theta/2)$, which increases with $theta$:""",
        "X(theta)^2 + Y(theta)^2 = 1",
    ),
    step(
        "first-crossing",
        """The cosine $X(theta)$ has its first zero at $theta = pi/(2 tau + 1)$, and there the sine
        is positive, so that this is the crossing of smallest gain:""",
        "Y(pi/(2 tau + 1)) = 1",
    ),
    direction("tau + 1/2", ({tau: nonnegative},)),
    conclusion(
        """All roots lie inside the unit circle for small gains by {ref:small-gain}, and every
        crossing is outward by {ref:speed-sign}. By {lemma} the stable gains are exactly those
        below""",
        grid(("0",), range(12)),
    ),
    sources=("giladi2020",),
    prior_art="""The threshold is that of a population model {cite:levin1976}. With a decay of the
    present weights, {cite:clark1976} gave a sufficient condition and {cite:kuruklis1994} the region
    of stability; for training it was derived by {cite:giladi2020}. New are the proof without
    continuity of roots in Rocq, and the bounds.""",
)

_SINE_BELOW_ITS_ANGLE = (
    step("surplus-start", "Let $f(x) := x - sin(x)$. Then", "f(0) = 0"),
    step("surplus-slope", "and its derivative is a square:", "f'(x) = 2 sin(x/2)^2"),
    deduced(
        "sine",
        r"Hence $f(x)$ does not fall, and for every \(x \ge 0\)",
        "x >= sin(x)",
        ("surplus-start", "surplus-slope"),
        evaluated(_POINTS),
    ),
)

sgd_upper_bound = corollary(
    "sgd-upper-bound",
    "SGD: an upper bound",
    states("threshold", f"a_* <= {UPPER}", SGD),
    """The threshold of SGD with delay $tau$ satisfies {statement} At any greater gain the loop is
    unstable: the learning rate has to fall as one over the delay. The bound is at worst 58 percent
    high, without delay, and 4.8 percent with.""",
    *_SINE_BELOW_ITS_ANGLE,
    conclusion(
        f"""The threshold is ${FORMULA}$ by {{theorem:sgd}}. By {{ref:sine}} at
        $x = pi/(4 tau + 2)$, it is at most twice this angle:""",
        _DELAYS,
    ),
    symbols=(_x,),
    of="sgd",
)

sgd_lower_bound = corollary(
    "sgd-lower-bound",
    "SGD: a lower bound",
    states("threshold", f"a_* >= {LOWER}", SGD),
    """The threshold of SGD with delay $tau$ satisfies {statement} Every positive gain up to this
    bound is stable. The bound is $1 - pi^2/(24 (2 tau + 1)^2)$ times the upper one of
    {theorem:sgd-upper-bound}. It is at worst 7.6 percent low, without delay, and 0.07 percent
    with.""",
    *_SINE_BELOW_ITS_ANGLE,
    step("deficit-start", "Now let $f_1(x) := sin(x) - x + x^3/6$. Again", "f_1(0) = 0"),
    step("deficit-slope", "and its derivative is", "f_1'(x) = x^2/2 - 2 sin(x/2)^2"),
    deduced(
        "sine-above",
        r"""By {ref:sine} at $x/2$, the subtracted term is at most the other one. Hence $f_1(x)$
        does not fall, and for every \(x \ge 0\)""",
        "sin(x) >= x - x^3/6",
        ("sine", "deficit-start", "deficit-slope"),
        evaluated(_POINTS),
    ),
    conclusion(
        f"""The threshold is ${FORMULA}$ by {{theorem:sgd}}. By {{ref:sine-above}} at
        $x = pi/(4 tau + 2)$, it is at least""",
        _DELAYS,
    ),
    symbols=(_x,),
    of="sgd",
)

sgd_long_delay = corollary(
    "sgd-long-delay",
    "SGD: long delays",
    states("threshold", "lim((2 tau + 1) a_*(tau), tau, oo) = pi", SGD),
    """The threshold $a_*(tau)$ of SGD with delay $tau$ satisfies {statement} The product is never
    above its limit, and for every delay
    $$remainder: pi - (2 tau + 1) a_*(tau) <= pi^3/(24 (2 tau + 1)^2)$$""",
    step(
        "above",
        "The upper bound of {theorem:sgd-upper-bound}, times $2 tau + 1$, is constant:",
        f"(2 tau + 1) ({UPPER}) = pi",
    ),
    step(
        "below",
        "The lower one of {theorem:sgd-lower-bound}, times $2 tau + 1$, is",
        f"(2 tau + 1) ({LOWER}) = pi - pi^3/(24 (2 tau + 1)^2)",
    ),
    limit(
        "below-limit",
        "which tends to the same value:",
        "lim(pi - pi^3/(24 (2 tau + 1)^2), tau, oo) = pi",
    ),
    conclusion(
        """The threshold lies between the two bounds, so that the remainder is at most the
        subtracted term of {ref:below}, and""",
        evaluated([{}], {"a_*(tau)": FORMULA}),
    ),
    sources=("giladi2020",),
    of="sgd",
)
