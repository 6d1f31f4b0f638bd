"""Delayed SGD: its threshold for every delay, simple bounds of it, and its law for long delays."""

from __future__ import annotations

from sympy import Rational, Symbol

from delaystability.model.catalogue import SGD
from delaystability.theory.confirm import grid
from delaystability.theory.general_steps import polynomial_steps
from delaystability.theory.proofs.elementary_steps import (
    ANGLE_OF_ROOT,
    DEFICIT,
    MODULUS,
    OUTSIDE,
    distance_from_one,
)
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

_CHI = {"chi(z)": lambda loop: loop.polynomial}
_x = Symbol("x", nonnegative=True)
_POINTS = [{"x": Rational(k, 4)} for k in (1, 2, 4, 7, 12, 20)]
_DELAYS = grid(("0",), (0, 1, 2, 3, 5, 8, 13))

sgd = theorem(
    "sgd",
    "SGD",
    states("threshold", f"a_* = {FORMULA}", SGD),
    r"""SGD with delay $tau$ is stable exactly for gains \(0 < a < a_*\), where {statement} The root
    that reaches the unit circle first has the angle $theta = pi/(2 tau + 1)$.""",
    polynomial_steps("sgd"),
    step(
        "polar",
        OUTSIDE + """ With $f(x, v) := x sin((tau + 1) v) - sin(tau v)$, the polynomial is""",
        "chi(x exp(I v)) = x^tau (x cos((tau + 1) v) - cos(tau v)) + a + I x^tau f(x, v)",
        _CHI,
        rocq="Loop.threshold_intro Sgd.sgd_polar",
    ),
    step(
        "imaginary",
        r"""Let \(0 < v < \pi/(2\tau + 1)\). Then $sin((tau + 1) v)$ is positive, so that $f(x, v)$
        is at least $f(1, v)$, which is positive. There is no root of such an angle:""",
        "f(1, v) = 2 cos((tau + 1/2) v) sin(v/2)",
        rocq="Sgd.sgd_imaginary_positive",
    ),
    step(
        "half-line",
        "Nor is there one for $v = 0$, where the polynomial is at least $a$, which is positive:",
        "chi(x) = x^tau (x - 1) + a",
        _CHI,
        rocq="Sgd.sgd_stable_side",
    ),
    step(
        "modulus",
        """At a root of another angle the imaginary part vanishes, and the real part without $a$ is
        $-a$. The square of the gain is therefore""",
        "(x^tau (x cos((tau + 1) v) - cos(tau v)))^2 + (x^tau f(x, v))^2"
        " = x^(2 tau) (x^2 + 1 - 2 x cos(v))",
        rocq="Trigonometry.modulus_squared",
    ),
    distance_from_one(
        r"""which is at least $4 sin(v/2)^2$, as \(x \ge 1\). Below $a_*$ there is no root on or
        outside the circle, because $sin(v/2)$ increases up to $v = pi$:"""
    ),
    step(
        "undelayed",
        r"""Now let \(a \ge a_*\). Without delay $a_*$ is 2, and the root is $1 - a$, at most
        $-1$:""",
        "chi(1 - a) = 0",
        {"chi(z)": lambda loop: loop.polynomial.subs(tau, 0)},
        rocq="Sgd.sgd_unstable_side",
    ),
    step(
        "branch",
        r"""Let \(\tau \ge 1\) and \(\pi/(2\tau + 1) \le v < \pi/(\tau + 1)\). By {ref:imaginary},
        $f(1, v)$ is not positive, and it is 0 at the first angle. As $sin((tau + 1) v)$ is
        positive, $f(x, v)$ increases with $x$ and vanishes at one \(x \ge 1\), which depends
        continuously on $v$. At the last angle it is negative for every $x$, so that this modulus
        grows beyond all bounds:""",
        "f(x, pi/(tau + 1)) = -sin(pi/(tau + 1))",
        rocq="Branch.branch",
    ),
    step(
        "gain",
        """With this modulus $z$ is a root for the gain $x^(tau + 1) sin(v)/sin(tau v)$. For where
        $f(x, v)$ vanishes, the real part without $a$ is minus this gain:""",
        "x^tau (x cos((tau + 1) v) - cos(tau v)) sin(tau v)"
        " = x^tau f(x, v) cos(tau v) - x^(tau + 1) sin(v)",
        rocq="Trigonometry.real_part_from_imaginary",
    ),
    step(
        "start",
        r"""It depends continuously on $v$. It begins with $a_*$, where $x = 1$, by the equation
        below, and grows beyond all bounds, because $sin(v)$ does not fall and \(\sin\tau v \le
        1\). By the intermediate value theorem every gain from $a_*$ on has a root that is not
        inside:""",
        "sin(pi/(2 tau + 1)) = 2 sin(pi/(2 (2 tau + 1))) sin(tau pi/(2 tau + 1))",
        rocq="Sgd.sgd_unstable_side",
    ),
    step(
        "not-positive",
        r"""At a gain $-b$, \(b \ge 0\), the polynomial is $-b$ at 1 and not negative at $1 + b$, so
        that it has a root from 1 on:""",
        "chi(1 + b, -b) = b ((1 + b)^tau - 1)",
        {"chi(z, a)": lambda loop: loop.polynomial},
        rocq="Loop.real_root",
    ),
    conclusion(
        """All roots lie inside the unit circle exactly for the positive gains below""",
        grid(("0",), range(12)),
        rocq="Sgd.sgd_is_threshold Theorems.sgd",
    ),
    sources=("giladi2020",),
    prior_art="""The threshold is that of a population model {cite:levin1976}. With a decay of the
    present weights, {cite:clark1976} gave a sufficient condition and {cite:kuruklis1994} the region
    of stability; for training it was derived by {cite:giladi2020}. New are the proof, which needs
    no continuity of roots and stands in Rocq too, and the bounds.""",
    symbols=(MODULUS, ANGLE_OF_ROOT, DEFICIT),
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
