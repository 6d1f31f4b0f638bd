"""Mixed reads and weight decay: gradients partly fresh, and weights that shrink at once."""

from __future__ import annotations

from sympy import Integer, Rational, Symbol

from delaystability.theory.symbols import DECAY, tau
from delaystability.theory.vocabulary import (
    Chapter,
    conclusion,
    corollary,
    root,
    states,
    step,
    theorem,
)

__all__ = ["decay", "share"]

CHAPTER = Chapter("mixed-reads", "Mixed reads and weight decay")

share = Symbol("l", real=True)
"""The share of the present weights in the point at which a gradient is taken."""

decay = DECAY
"""Learning rate times weight decay."""

_r, _x, _X = Symbol("y", positive=True), Symbol("x", nonnegative=True), Symbol("y", real=True)
_ANGLE = root("theta", "sin((tau + 1) theta) = (1 - c) sin(tau theta)")
_HALF_ANGLE = root("theta", "(1 - l) cos((tau + 1/2) theta) + l cos(theta/2) = 0")
_DECAYS = [
    {tau: Integer(d), decay: Rational(c)}
    for d in (0, 1, 2, 5, 12)
    for c in ("0", "1/100", "1/3", "9/10")
]
_SHARES = [
    {tau: Integer(d), share: Rational(value)}
    for d in (1, 2, 5, 12)
    for value in ("-3", "-1/4", "0", "1/5", "49/100")
]
_FRESH = [{share: Rational(value)} for value in ("51/100", "3/4", "1", "5/4", "4")]


weight_decay = theorem(
    "weight-decay",
    "SGD with weight decay",
    states(
        "decayed-threshold",
        "a_* = sqrt(1 + (1 - c)^2 - 2 (1 - c) cos(theta))",
        domain=("c >= 0", "c < 1"),
        roots=[_ANGLE],
    ),
    r"""Let the weights decay at once, by the factor $1 - c$ in every update with
    \(0 \le c < 1\), while gradients are $tau$ updates late:
    \(w_{t+1} = (1 - c) w_t - a w_{t-\tau}\). Let $theta$ be the smallest root in
    \((0, \pi]\) of $$angle: sin((tau + 1) theta) = (1 - c) sin(tau theta)$$ The loop is stable
    exactly for gains \(0 < a < a_*\), where {statement} Without momentum it does not matter
    whether the decay goes through the optimizer.""",
    step(
        "outside",
        r"""A root $z$ has \(z^\tau (z - 1 + c) = -a\). Write it as \(z = y e^{i\theta}\), with
        \(0 \le \theta \le \pi\), and suppose \(y \ge 1\). Then \(a \ge |z - 1 + c|\), and
        this distance is at least that from \(e^{i\theta}\), since neither factor on the right is
        negative:""",
        """y^2 - 2 y (1 - c) cos(theta) - (1 - 2 (1 - c) cos(theta)) = (y - 1) (y + 1 - 2 (1
        - c) cos(theta))""",
    ),
    step(
        "distance",
        """The square of the distance from the circle, $f(x) := 1 + (1 - c)^2 - 2 (1 - c)
        cos(x)$, does not fall as the angle $x$ grows to $pi$, because""",
        "f'(x) = 2 (1 - c) sin(x)",
    ),
    step(
        "imaginary-part",
        r"""A gain below \(a_*\) therefore needs a smaller angle than $theta$ is. But the imaginary
        part of \(z^\tau (z - 1 + c)\) is a power of $y$ times
        $y sin((tau + 1) x) - (1 - c) sin(tau x)$, as on the circle, where it is""",
        """cos(tau x) sin(x) + sin(tau x) (cos(x) - 1 + c) = sin((tau + 1) x) - (1 - c)
        sin(tau x)""",
    ),
    step(
        "end",
        r"""For \(\tau \ge 1\) this is positive next to $x = 0$ and negative at
        \(x = \pi/(\tau + 1)\), by the value below. So $theta$ is smaller than that, the first
        sine is positive up to there, and a factor \(y \ge 1\) before it makes the sum no smaller:
        there is no root with a smaller angle, nor one with $x = 0$, where the left side of the
        equation is not negative. For $tau = 0$ the root is $1 - c - a$.""",
        "sin((tau + 1) pi/(tau + 1)) - (1 - c) sin(tau pi/(tau + 1)) = -(1 - c) sin(pi/(tau + 1))",
    ),
    step(
        "branch",
        r"""Now let \(\theta \le x < \pi/(\tau + 1)\) and \(y = (1 - c) \sin(\tau x)/\sin((\tau
        + 1) x)\). Then \(y e^{ix}\) is a root for the gain \(y^\tau (1 - c) \sin x/\sin((\tau
        + 1) x)\), since its distance from $1 - c$ has the real part""",
        "sin(tau x) cos(x) - sin((tau + 1) x) = -sin(x) cos(tau x)",
    ),
    step(
        "branch-outside",
        r"""and the imaginary part $sin(tau x) sin(x)$, both over \(\sin((\tau + 1) x)/(1 -
        c)\). The quotient of sines grows, as the derivative has the numerator below, and
        \(|\sin n x| < n \sin x\). So \(y \ge 1\), and the gain runs from \(a_*\) to infinity:""",
        """tau cos(tau x) sin((tau + 1) x) - (tau + 1) sin(tau x) cos((tau + 1) x) = ((2 tau + 1)
        sin(x) - sin((2 tau + 1) x))/2""",
    ),
    conclusion(
        r"""Below \(a_*\) no root has a modulus of 1 or more, by {ref:outside} to {ref:end}, and
        from \(a_*\) on one does, by {ref:branch} and {ref:branch-outside}. Hence the stable gains
        end at""",
        _DECAYS,
    ),
    sources=("kuruklis1994", "loshchilov2019"),
    symbols=(decay, _r, _x),
    prior_art="""The region of stability of this difference equation is known {cite:kuruklis1994}; a
    sufficient condition is older {cite:clark1976}. Decoupled decay is due to
    {cite:loshchilov2019}.""",
)

decay_raises = corollary(
    "weight-decay-raises",
    "Decay raises the threshold under delay",
    states(
        "decayed-threshold",
        "a_* >= max(c, 2 sin(pi/(2 (2 tau + 1))))",
        domain=("tau >= 1", "c >= 0", "c < 1"),
    ),
    r"""For every delay \(\tau \ge 1\) the threshold of SGD does not fall as the weight decay
    grows from 0 to 1, so that it is at least that without; and no delay takes it below the decay:
    {statement} For $tau = 1$ it is 1
    whatever the decay, for \(\tau \ge 2\) it grows strictly, to the limit 1. Without delay it
    falls, as $2 - c$. The bound is at worst 42 percent low, for long delays.""",
    step(
        "angle-grows",
        r"""The equation of the angle says that \(\sin(\tau x)/\sin((\tau + 1) x)\), which grows
        with $x$ by {theorem:weight-decay}, is \(1/(1 - c)\): the angle grows with $c$. At
        $c = 0$ it is $pi/(2 tau + 1)$, where both sines are the same:""",
        "sin((tau + 1) x) - sin(tau x) = 2 cos((tau + 1/2) x) sin(x/2)",
    ),
    step(
        "gain",
        r"""The imaginary part of the characteristic equation at the crossing,
        \(\sin x = a \sin(\tau x)\), gives the gain $f(x) := sin(x)/sin(tau x)$. Its derivative,
        times the square of the denominator, is""",
        """cos(x) sin(tau x) - tau sin(x) cos(tau x) = ((tau + 1) sin((tau - 1) x) - (tau - 1)
        sin((tau + 1) x))/2""",
    ),
    step(
        "decay",
        r"""No point of the circle is nearer to $1 - c$ than $c$: the square of the
        threshold of {theorem:weight-decay} exceeds that of $c$ by""",
        "1 + (1 - c)^2 - 2 (1 - c) cos(x) - c^2 = 2 (1 - c) (1 - cos(x))",
    ),
    conclusion(
        r"""On \((0, \pi/(\tau + 1))\) the quotient \(\sin(n x)/n\) falls as \(n\) grows, so that
        {ref:gain} is positive for \(\tau \ge 2\), and zero for $tau = 1$. With
        {ref:angle-grows} the threshold is at least that of {theorem:sgd}, and with {ref:decay}""",
        [point for point in _DECAYS if point[tau] > 0],
    ),
    symbols=(decay, _x),
    of="weight-decay",
)

mixed_read = theorem(
    "mixed-read",
    "Gradients that are partly fresh",
    states(
        "mixed-read-threshold",
        "a_* = sin(theta)/((1 - l) sin(tau theta))",
        domain=("l < 1/2", "tau >= 1"),
        roots=[_HALF_ANGLE],
    ),
    r"""Let every gradient be taken at the mixture of a share \(l < 1/2\) of the present weights
    and the rest from \(\tau \ge 1\) updates ago: a gradient that is corrected for the delay by
    the Hessian, in part, or for \(l < 0\) one of which too much is late. Let $theta$ be the
    smallest root in \((0, \pi]\) of
    $$angle: (1 - l) cos((tau + 1/2) theta) + l cos(theta/2) = 0$$ SGD is stable exactly for gains
    \(0 < a < a_*\), where {statement} The equation of the angle is that
    of {theorem:shifted-momentum} with $m = -l/(1 - l)$.""",
    step(
        "angle-equation",
        r"""A root on the circle has the real part \(\cos\theta - 1 + a ((1 - l) \cos \tau\theta
        + l) = 0\) and the imaginary part \(\sin\theta - a (1 - l) \sin \tau\theta = 0\) of its
        equation. Without $a$ they are""",
        """(cos(theta) - 1) (1 - l) sin(tau theta) + sin(theta) ((1 - l) cos(tau theta) + l) = 2
        sin(theta/2) ((1 - l) cos((tau + 1/2) theta) + l cos(theta/2))""",
    ),
    step(
        "end",
        r"""The last factor is 1 at $theta = 0$, and at \(\pi/(\tau + 1)\) it is negative for
        \(l < 1/2\): it has a root between, where \(\sin \tau\theta\) is positive, and so is
        the gain.""",
        """(1 - l) cos[(tau + 1/2) pi/(tau + 1)] + l cos[pi/(2 (tau + 1))] = (2 l - 1) cos[pi/(2
        (tau + 1))]""",
    ),
    step(
        "gain-of-angle",
        r"""Squares instead, with $y = 1 - cos(theta)$, leave no delay. At every crossing, of
        whatever delay, the difference below vanishes:""",
        """(y - a l)^2 + (2 y - y^2) - a^2 (1 - l)^2 = 2 y (1 - a l) - a^2 (1 - 2 l)""",
    ),
    step(
        "grows",
        r"""Hence \(a l < 1\), and $y$ is half of $f(a) := a^2 (1 - 2 l)/(1 - a l)$, which grows
        with the gain. The crossing of smallest angle is the one of smallest gain:""",
        "f'(a) = a (1 - 2 l) (2 - a l)/(1 - a l)^2",
    ),
    step(
        "speed",
        r"""At a crossing \((1 - l) z^{-\tau} = (1 - z)/a - l\), so that
        \(S(z) = (z + \tau (z - 1 + a l))/(z - 1)\). Times \(|z - 1|^2 = 2 y\), its real part is
        positive, because \(a l < 1\):""",
        """(cos(theta) + tau (cos(theta) - 1 + a l)) (cos(theta) - 1) + (1 + tau) sin(theta)^2 = (1
        - cos(theta)) (1 + tau (2 - a l))""",
    ),
    conclusion(
        r"""For small gains the root next to 1 is about $1 - a$ and all others are next to 0: all
        are inside. Every crossing is outward by {ref:speed}. By {lemma}, for the tables $1$ and
        \((1 - l) z^{-\tau} + l\) without delay, the stable gains are those below the first
        crossing, which by {ref:grows} and {ref:end} is at""",
        _SHARES,
    ),
    sources=("zheng2017", "yang2019"),
    symbols=(share, _X),
    prior_art="""Gradients corrected for their delay are those of {cite:zheng2017}, gradients of
    which too much is late those of {cite:yang2019}. The threshold for every share was not found
    elsewhere.""",
)

mostly_fresh = theorem(
    "mostly-fresh-read",
    "The rule of one half: gradients that are mostly fresh tolerate every delay",
    states("any-delays-threshold", "a_* = min(2, 2/(2 l - 1))", domain=("l > 1/2",)),
    r"""Let every gradient be taken at the mixture of a share \(l > 1/2\) of the present weights
    and the rest from earlier ones, late by any sequence of bounded delays. SGD is stable for every
    such sequence exactly for gains \(0 < a < a_*\), where {statement} For \(1/2 < l \le 1\) this
    is 2, as without delay: more than half of a delay need not be corrected.""",
    step(
        "small",
        r"""The next iterate is \((1 - a l) w_t - a (1 - l) w_{t-d_t}\), at most
        \(|1 - a l| + a |1 - l|\) times the largest of the last ones. If \(a l \le 1\), this
        factor is below 1; for \(l \le 1\) it is""",
        "(1 - a l) + a (1 - l) = 1 - a (2 l - 1)",
    ),
    step("small-beyond", r"and for \(l > 1\)", "(1 - a l) - a (1 - l) = 1 - a"),
    step("large", r"If \(a l > 1\), it is for \(l \le 1\)", "(a l - 1) + a (1 - l) = a - 1"),
    step(
        "large-beyond",
        r"""and for \(l > 1\). Both are below 1 for gains below the two entries:""",
        "(a l - 1) - a (1 - l) = a (2 l - 1) - 1",
    ),
    step(
        "even",
        r"""At the first, $a = 2$, with even delays only, \(w_t = (-1)^t\) goes on for ever, since
        \(w_{t-d} = w_t\) and""",
        "(1 - 2 l) - 2 (1 - l) = -1",
    ),
    step(
        "odd",
        r"at the second with odd delays only, since \(w_{t-d} = -w_t\) and",
        "(1 - 2 l/(2 l - 1)) + 2 (1 - l)/(2 l - 1) = -1",
    ),
    conclusion(
        r"""A factor below 1 in front of the largest of the last iterates, one more than the longest
        delay, makes that largest one shrink in every such time. So the gains that are stable for
        every sequence end at""",
        _FRESH,
    ),
    symbols=(share,),
    prior_art="The argument is a contraction. The rule was not found elsewhere.",
)
