"""How fast a delayed run can be: the limit, and the fastest look-ahead at delay 1."""

from __future__ import annotations

from typing import Any

import mpmath
from sympy import Basic, Eq, Integer, Rational, Symbol, symbols
from sympy.core.relational import GreaterThan

from delaystability.theory.proofs.speed import CHAPTER
from delaystability.theory.statement import Statement
from delaystability.theory.symbols import t, tau
from delaystability.theory.trial_points import Point
from delaystability.theory.vocabulary import (
    cited,
    conclusion,
    decided,
    deduced,
    evaluated,
    positive,
    states,
    step,
    theorem,
)

__all__ = ["CHAPTER"]

_S = Symbol("s", positive=True)
_ROOT_OF_CONDITION = (Integer(2), Integer(3), Rational(9, 2), Integer(10))


def _moduli(coefficients: list[Any]) -> list[Any]:
    """The moduli of the roots; those at zero, which mpmath finds slowly, are left out."""
    while not coefficients[-1]:
        coefficients.pop()
    with mpmath.workdps(40):
        values = [mpmath.mpmathify(entry) for entry in coefficients]
        return [abs(x) for x in mpmath.polyroots(values, maxsteps=800, extraprec=400)]


def _degrees(claim: Basic | None) -> tuple[int, str]:
    """The claimed bound against the degrees of iterates that use every gradient at once."""
    if not isinstance(claim, Eq):
        return 0, f"an equation is needed, not {claim}"
    for delay in (0, 1, 2, 5):
        degree = [0]
        for update in range(25):
            degree.append(max(degree[-1], 1 + degree[max(update - delay, 0)]))
        for update in range(1, 26):
            if claim.rhs.subs({tau: delay, t: update}) != degree[update]:
                return 25, f"{claim} does not hold after {update} updates at delay {delay}"
    return 25, ""


def _attained(statement: Statement, point: Point) -> str:
    """The claimed rate against Chebyshev's bound and the roots of interleaved heavy balls."""
    delay, root, degree = point[tau], point[_S], 10**12
    with mpmath.workdps(60):
        rate, of_one = mpmath.mpmathify(statement.value(point)), mpmath.mpf(1) / (delay + 1)
        y = mpmath.mpmathify((root + 1) / (root - 1))
        bound = (2 / (y**degree + y**-degree)) ** (of_one / degree)
        momentum = ((root - 1) / (root + 1)) ** 2
        for gain in (Rational(1, 7), Rational(1, 2), Rational(6, 7)):
            low, high = 4 / (root + 1) ** 2, 4 * root**2 / (root + 1) ** 2
            # A quadratic in the power delay + 1 of a root.
            entries = [1, low + gain * (high - low) - 1 - momentum, momentum]
            found = max(_moduli(entries)) ** of_one
            close = max(abs(found / rate - 1), abs(bound / rate - 1)) * (delay + 1)
            if not close < mpmath.mpf("1e-9"):
                return f"the rate is not {rate}: {found}, {bound}"
    return ""


speed_limit = theorem(
    "speed-limit",
    "The limit of speed under delay",
    states(
        "speed-limit",
        "rho_0 = ((s - 1)/(s + 1))^(1/(tau + 1))",
        domain=("s > 1",),
    ),
    r"""Let the curvatures fill an interval whose ends have the ratio $s^2$, the condition
    number, and let a first-order method start at rest and change the iterate in each update by any
    linear combination of the gradients that have arrived, those at iterates at least $tau$ updates
    old. On average over many updates, it cannot shrink the perturbations of all curvatures by a
    smaller factor an update than {statement} Heavy balls attain it, $tau + 1$ of them
    interleaved.""",
    deduced(
        "degree",
        r"""After $t$ updates the iterate is a polynomial of the curvature times the start,
        with the value 1 at curvature 0. An update raises its degree to at most one more than
        that of the iterate $tau$ updates before, all iterates up to the start having degree 0.
        By induction the degree after \(t \ge 1\) updates is at most $f(t)$, and it is that
        where all gradients are used:""",
        "f(t) = floor((t + tau)/(tau + 1))",
        (),
        _degrees,
    ),
    cited(
        "chebyshev",
        r"""Of all polynomials of degree \(n\) with the value 1 at 0, a shifted Chebyshev
        polynomial has the smallest maximum modulus on the interval {cite:mason2003}. The
        maximum is \(1/T_n(x)\), where $x = (s^2 + 1)/(s^2 - 1)$ is the place of 0 when the
        interval is moved to \([-1, 1]\).""",
        "mason2003",
        "section 3.3: minimax polynomials; section 1.4: growth outside the interval",
    ),
    step(
        "place",
        "With $y := (s + 1)/(s - 1)$, this $x$ is",
        "(s^2 + 1)/(s^2 - 1) = (y + 1/y)/2",
    ),
    deduced(
        "growth",
        r"""Hence \(T_n(x) = (y^n + y^{-n})/2 \le y^n\), since $y > 1$. With {ref:degree}, some
        perturbation is after $t$ updates at least \(y^{-f(t)}\) times as large as at the
        start, and \(f(t)/t\) tends to $1/(tau + 1)$. The factor of an update is at least""",
        "(1/y)^(1/(tau + 1)) = ((s - 1)/(s + 1))^(1/(tau + 1))",
        ("degree", "chebyshev", "place"),
        evaluated(
            [{"tau": d, "s": s} for d in (0, 1, 3) for s in ("3/2", "4", "90")],
            {"y": "(s + 1)/(s - 1)"},
        ),
    ),
    step(
        "interleaved",
        r"""Now let every update continue the iterate of $tau + 1$ updates before, by heavy
        ball with the momentum $m = ((s - 1)/(s + 1))^2$ and its gradient, which has just
        arrived. With \(Z = z^{\tau + 1}\) the roots obey \(Z^2 - (1 + m - a) Z + m = 0\) at
        the gain $a$. The discriminant is""",
        "(1 + m - a)^2 - 4 m = (a - 4/(s + 1)^2) (a - 4 s^2/(s + 1)^2)",
        {"m": "((s - 1)/(s + 1))^2"},
    ),
    conclusion(
        r"""The two zeros in {ref:interleaved} have the ratio $s^2$: with the gain $4
        s^2/(s + 1)^2$ at the largest curvature, the discriminant is nowhere positive, and
        \(|Z|^2 = m\) for all curvatures, by which the bound {ref:growth} is attained:""",
        decided(_attained),
    ),
    sources=("mason2003", "polyak1964"),
    symbols=(Symbol("rho_0", positive=True), _S, *symbols("x y", positive=True)),
    prior_art="""Without delay the limit is classical {cite:nemirovsky1992}; its order under delay
    is known {cite:arjevani2020}. The exact value under delay was not found elsewhere.""",
)


def _cubic(root: Any, gain: Any, momentum: Any, horizon: Any) -> list[Any]:
    """Coefficients of p at this share of the largest gain."""
    return [1, -1 - momentum, momentum + gain * (1 + horizon), -gain * horizon]


def _slowest(root: Any, gain: Any, momentum: Any, horizon: Any) -> Any:
    """The largest modulus at nine gains of the range."""
    gains = [gain * (1 + (root**2 - 1) * Rational(k, 8)) / root**2 for k in range(9)]
    return max(max(_moduli(_cubic(root, each, momentum, horizon))) for each in gains)


def _fastest_of_all(claim: Basic | None) -> tuple[int, str]:
    """The claimed rate against the stated choice, and 18 others near it and far from it."""
    if not isinstance(claim, (Eq, GreaterThan)):
        return 0, f"an equation is needed, not {claim}"
    for root in _ROOT_OF_CONDITION:
        rate = claim.rhs.subs(_S, root)
        gain, true = (2 * root**2 - 1) / (8 * root**2), 1 - 1 / (2 * root)
        best = (root, gain, 1 - 1 / root + 1 / (2 * root**2), true**2 / (2 * gain))
        tried = [_slowest(*best)]
        for sign in (1, -1):
            for size in (Rational(1, 50), Rational(1, 3), Rational(3, 2)):
                for place in (1, 2, 3):
                    other = list(best)
                    other[place] *= 1 + sign * size
                    if other[1] > 0 and abs(other[2]) < 1:
                        tried.append(_slowest(*other))
        if not abs(min(tried) - mpmath.mpmathify(rate)) < mpmath.mpf("1e-12"):
            return len(_ROOT_OF_CONDITION), f"the rate is not {rate} at {root}: {min(tried)}"
    return len(_ROOT_OF_CONDITION), ""


_SMALL = "rho^2 - m - b + b_1 (1 + m)/rho^2 - b_1^2/rho^4"
_LARGE = "rho^2 - m - s^2 b + s^2 b_1 (1 + m)/rho^2 - s^4 b_1^2/rho^4"
_FIRST = {"b": "e_2 rho + (1 - rho) (rho - m) + y_1", "b_1": "e_2 rho^2"}
_CHOSEN = {"e_1": "1/(2 s)", "e_2": "1/(2 s^2)", "e": "0", "y_1": "0"}
_POINTS = [
    {"rho": rho, "m": m, "b": b, "b_1": c, "s": s}
    for rho, m, b, c, s in (
        ("19/20", "181/200", "7/1000", "361/80000", "10"),
        ("9/10", "9/10", "1/50", "1/100", "2"),
        ("4/5", "1/2", "1/7", "1/20", "3"),
    )
]

fastest_look_ahead_delay_1 = theorem(
    "fastest-look-ahead-delay-1",
    "The fastest look-ahead at delay 1",
    states("range-rate", "rho_1 = 1 - 1/(2 s)", domain=("s >= 2",)),
    r"""Let the delay be 1, and let the curvatures fill an interval whose ends have the ratio
    $s^2$, at least 4. Over all momenta \(-1 < m < 1\), horizons $T$ and learning rates, heavy
    ball with linear weight prediction shrinks the perturbations of all curvatures by at best the
    factor {statement} an update. It is attained by $m = 1 - 1/s + 1/(2 s^2)$, at the
    largest curvature the gain $(2 s^2 - 1)/(8 s^2)$, and $T$ equal to $(1 - 1/(2 s))^2$
    over twice this gain.""",
    step(
        "products",
        r"""At the gain $a$ the polynomial is \(\chi(z) = (z - 1)(z - m) z + b z - b_1\) with $b = a
        (1 + T)$ and $b_1 = a T$. Let $rho > 0$ and let $x$, $y$, $v$ be its roots over $rho$.
        Written in their symmetric functions, \((1 - x y)(1 - x v)(1 - y v)\) is the left side below
        over $rho^2$,""",
        f"{_SMALL} = rho^2 (1 - x y) (1 - x v) (1 - y v)",
        {
            "m": "rho (x + y + v) - 1",
            "b": "rho^2 (x y + x v + y v) - rho (x + y + v) + 1",
            "b_1": "rho^3 x y v",
        },
    ),
    deduced(
        "needed",
        r"""If no root exceeds $rho$ in modulus, this is not negative: of three real roots no
        product of two exceeds $rho^2$, and for a pair $x$, $y$ of conjugates the left side is
        \((1 - |x|^2) |1 - x v|^2\). Nor is $chi(rho)$ negative, nor \(|b_1|\) above $rho^3$. At
        the largest curvature, where $b$ and $b_1$ are $s^2$ times as large as at the smallest,
        the same holds. Let $y_1 = chi(rho)/rho$ and $e_2 = b_1/rho^2$ at the smallest. Then""",
        "b - (e_2 rho + (1 - rho) (rho - m)) = y_1",
        ("products",),
        evaluated(
            _POINTS,
            {"y_1": "((rho - 1) (rho - m) rho + b rho - b_1)/rho", "e_2": "b_1/rho^2"},
        ),
    ),
    step(
        "smallest",
        """At the smallest curvature the left side of {ref:products} is then""",
        f"{_SMALL} = (rho - e_2) (e_2 - (1 + m - 2 rho)) - y_1",
        _FIRST,
    ),
    step(
        "largest",
        r"""As \(s^2 |b_1| \le \rho^3\), $e_2 < rho$, and $e = e_2 - (1 + m - 2 rho)$ is not
        negative. At the largest curvature, with $rho = 1 - e_1$,""",
        f"{_LARGE} = (s^2 - 1) (e_2 - s^2 e_2^2 - e_1^2) + e (1 - s^2 e_1 - s^2 e_2) - s^2 y_1",
        {
            "b": "e_2 (1 - e_1) + e_1 (1 - e_1 - m) + y_1",
            "b_1": "e_2 (1 - e_1)^2",
            "rho": "1 - e_1",
            "e": "e_2 - 1 - m + 2 (1 - e_1)",
        },
    ),
    step(
        "square",
        r"""This is not negative, and neither is $y_1$. If \(1 - s^2 e_1 - s^2 e_2 \le 0\), it
        follows that $e_1^2$ is at most the left side below, and so \(e_1 \le 1/(2 s)\):""",
        "e_2 - s^2 e_2^2 = 1/(4 s^2) - (s e_2 - 1/(2 s))^2",
    ),
    step(
        "other-case",
        r"""If not, $e$ may be replaced by the upper bound $2 (1 - e_1) + e_2$, since $m > -1$, and
        what results must not be negative. It falls with $e_1$, both factors of the product being
        nonnegative. Were \(e_1 \ge 1/(2 s)\), it would be at most its value at $e_1 = 1/(2 s)$,
        which is""",
        """(s^2 - 1) (e_2 - s^2 e_2^2 - e_1^2) + (2 (1 - e_1) + e_2) (1 - s^2 e_1 - s^2 e_2) =
        -(s - 5/2 + 5/(4 s) - 5/(16 s^2)) - s^4 (e_2 + (2 s - 1)/(4
        s^3))^2""",
        {"e_1": "1/(2 s)"},
    ),
    positive(
        "sign",
        "But the first bracket on the right is positive where $s >= 2$:",
        "s - 5/2 + 5/(4 s) - 5/(16 s^2) > 0",
        ({_S: 2 + Symbol("n", nonnegative=True)},),
    ),
    step(
        "choice",
        r"""So \(e_1 \le 1/(2 s)\) in both cases. With $e_1 = 1/(2 s)$, $e_2 = 1/(2 s^2)$ and
        $y_1 = e = 0$, which is the choice of the theorem, the left side of {ref:products} vanishes
        at the smallest curvature, by {ref:smallest}, and at the largest, by""",
        "(s^2 - 1) (e_2 - s^2 e_2^2 - e_1^2) + e (1 - s^2 e_1 - s^2 e_2) - s^2 y_1 = 0",
        _CHOSEN,
    ),
    step(
        "between",
        r"""Between, $b$ and $b_1$ are $k$ times as large as at the smallest, and the left side is
        $f(k) := rho^2 - m - k b + k b_1 (1 + m)/rho^2 - k^2 b_1^2/rho^4$, a concave function, and
        hence positive:""",
        "f''(k) = -2 b_1^2/rho^4",
    ),
    step(
        "margin",
        r"""There \(\chi(\rho) > 0\), being linear in $k$ and zero at the smallest curvature, and
        \(\chi(-\rho) < 0\). The product of the roots is positive and at most, at the largest
        curvature, half of $rho^2$, which is less than $rho^3$:""",
        "rho^3 - s^2 b_1 = rho^2 (rho - 1/2)",
        {"b_1": "rho^2/(2 s^2)"},
    ),
    conclusion(
        r"""So no root exceeds $rho$ in modulus between. Of a pair of conjugates and a real
        root, the real one lies between $-rho$ and $rho$ by the signs in {ref:margin}, and the
        pair then inside by {ref:products}. Of three real ones, those signs leave none or two
        beyond $rho$, and none or two beyond $-rho$. With two beyond on one side,
        {ref:products} needs the third times one of them to exceed $rho^2$, too, and then the
        product of all exceeds $rho^3$. The fastest rate is""",
        _fastest_of_all,
    ),
    symbols=(
        _S,
        Symbol("rho_1", positive=True),
        Symbol("rho", positive=True),
        *symbols("b b_1 e_1 e e_2 k y_1 T v x y", real=True),
    ),
    prior_art="""Linear weight prediction is due to {cite:kosson2020}. The best of its parameters
    under delay was not found elsewhere.""",
)
