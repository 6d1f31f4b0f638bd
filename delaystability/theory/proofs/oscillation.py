"""Adaptive and sign optimizers under delay: they oscillate, and by how much."""

from __future__ import annotations

from itertools import product
from typing import Any

import mpmath
from sympy import (
    Basic,
    Eq,
    Float,
    Function,
    Integer,
    Matrix,
    Rational,
    Symbol,
    diag,
    eye,
    lambdify,
    sqrt,
    symbols,
)

from delaystability.theory.symbols import t, tau, theta
from delaystability.theory.vocabulary import (
    Chapter,
    conclusion,
    corollary,
    evaluated,
    states,
    step,
    theorem,
)

CHAPTER = Chapter("oscillation", "Adaptive and sign optimizers: oscillations")

_nu, _c, _y = symbols("nu b y", positive=True)
_b = Symbol("beta_1", nonnegative=True)
_R, _L = symbols("R lambda", real=True)
_n, _k = symbols("n k", integer=True)
_q, _v = Function("x")(t), Function("v")(t)
_H, _X, _P, _Y = symbols("H X P Y", commutative=False)
_SLOPE = "-(nu (exp(2 R) - 1)/2)^2"

adaptive_cycle = theorem(
    "adaptive-cycle",
    "Adam along one direction, averaged: it settles at its threshold",
    states(
        "identity",
        "nu (exp(2 R) - 1)/2 (lambda - nu (exp(2 R) - 1)/2) - lambda nu (exp(2 R) - 1)/2"
        f" = {_SLOPE}",
        domain=("nu > 0",),
    ),
    r"""Along a direction of curvature $h$, an optimizer divides its filtered, late gradients by the
    root of a second moment that keeps the share \(1 - \nu\) of itself at each update. Let \(\nu\)
    be small, so that the second moment follows the mean over a cycle, and let only the leading mode
    of the filter's loop be looked at: it grows by \(\lambda(y)\) an update at the gain \(a = a_*
    e^y\), where \(\lambda\) rises and has the sign of \(y\). With $R$ the logarithm of the root
    mean square over \(\eta/a\), the averaged equations are \(y' = -\nu (e^{2R} - 1)/2\) and \(R' =
    \lambda(y) + y'\). Every solution tends to \(y = R = 0\): a cycle at the threshold, of root mean
    square \(\eta/a_*\), whatever $h$ is. For along solutions \(\Lambda = \nu (e^{2R}/2 - R)/2 +
    \int_0^y \lambda\) does not rise: with \(\lambda\) at \(y\), its derivative is {statement}
    That the recursion follows its averaged equations is not proved here; it was seen, with a
    difference of the order of \(\nu\).""",
    step(
        "gain",
        r"""The gain is \(a = \eta h/\sqrt v\), and the second moment $v(t)$ follows the mean square
        $x(t)$ of the gradient, \(v' = \nu (x - v)\), so that the logarithm of the gain moves by""",
        "diff(-log(v(t))/2, t) = -(nu (x(t)/v(t) - 1)/2)",
        # The premise, that v follows x.
        remainder=-(_v.diff(t) - _nu * (_q - _v)) / (2 * _v),
    ),
    step(
        "ratio",
        r"""where \(x/v = (h\,\mathrm{rms})^2/(\eta h/a)^2 = e^{2R}\). The logarithm of the root
        mean square grows by \(\lambda(y)\), that of the gain by \(y'\), and $R$ by their sum. In
        \(\Lambda\) the derivatives of its two parts are""",
        "diff(nu (exp(2 R)/2 - R)/2, R) = nu (exp(2 R) - 1)/2",
    ),
    step(
        "descent",
        r"""and \(\lambda(y)\). Times \(R' = \lambda - \nu (e^{2R} - 1)/2\) and
        \(y' = -\nu (e^{2R} - 1)/2\), they add up to""",
        "nu (exp(2 R) - 1)/2 (lambda - nu (exp(2 R) - 1)/2) + lambda (-(nu (exp(2 R) - 1)/2))"
        f" = {_SLOPE}",
    ),
    conclusion(
        r"""\(\Lambda\) does not rise, and its integral is not negative, so that $R$ stays bounded.
        While \(y > 0\) is large, so is \(\Lambda\), as \(\lambda\) increases; while \(y < 0\), the
        logarithm \(R - y\) of the amplitude falls, and bounds \(y\) from below with $R$. By
        LaSalle's principle solutions tend to where \(\Lambda\) rests, \(R = 0\) for good, and
        there \(\lambda(y) = R' = 0\):""",
        evaluated(
            {"nu": nu, "R": Rational(r, 4), "lambda": Rational(size, 8)}
            for nu, r, size in product((Rational(1, 1000), Rational(1, 8)), (-3, 1), (-1, 2))
        ),
    ),
    symbols=(_nu, _R, _L),
    sources=("bock2022", "cohen2024", "kingma2015"),
    prior_art="""That Adam has cycles is known without delay {cite:bock2022}, and that adaptive
    methods settle at an edge of stability from experiments {cite:cohen2022} and averaged equations
    {cite:cohen2024}. The cycle under delay was not found elsewhere.""",
)


_NEXT = "-(1 + cot(theta) cot(theta/2)/(2 tau + 1))/8"


def _perturbed(claim: Basic | None) -> tuple[int, str]:
    """The claim's right side against the first harmonic's balance, solved for a small nu."""
    if not isinstance(claim, Eq):
        return 0, f"an equation is needed, not {claim}"
    delays, nu = (1, 2, 5, 14, 100, 10**4), mpmath.mpf("1e-20")
    for delay in delays:
        with mpmath.workdps(80):
            first = mpmath.pi / (2 * delay + 1)

            def gain(angle: Any, strength: Any, delay: int = delay) -> Any:
                z = mpmath.expj(angle)
                ripple = strength / (4 * (1 - z**-2))
                return -(z - 1) * z**delay / (1 - ripple)

            angle = mpmath.findroot(lambda angle: mpmath.im(gain(angle, nu)), first)
            measured = (mpmath.re(gain(first, 0)) / mpmath.re(gain(angle, nu)) - 1) / nu
        point = {tau: delay, theta: Float(first, 40)}
        said = mpmath.mpf(claim.rhs.subs(point).evalf(30))
        if abs(said - measured) > mpmath.mpf("1e-9") * abs(said):
            return len(delays), f"{claim} does not hold at delay {delay}: {measured}"
    return len(delays), ""


adaptive_next_order = corollary(
    "adaptive-next-order",
    "RMSProp along one direction: the next order",
    states("identity", f"R_1 = {_NEXT}", domain=("tau >= 1",)),
    r"""In the setting of {theorem:adaptive-cycle} for RMSProp without momentum, with delay
    \(\tau \ge 1\), let \(\theta = \pi/(2\tau + 1)\), the angle of {theorem:sgd}. To the next order
    the root mean square is \((\eta/a_*)(1 + R_1\nu)\) with {statement} Here the first harmonic is
    balanced as a Fourier series in \(\nu\) says; that the series converges is not proved.""",
    step(
        "ripple",
        r"""Under the cycle \(\cos\theta t\) the second moment ripples at twice the
        frequency: relative to its mean by the real part of \(\nu e^{2 i \theta t}/(1 -
        e^{-2 i \theta})\). Its root in the denominator takes half of it, and half of that
        falls on the first harmonic, whose gain is multiplied by \(1 - \nu b\) with""",
        "b = 1/8 - I cot(theta)/8",
        {"b": "1/(4 (1 - exp(-2 I theta)))"},
    ),
    step(
        "slope",
        r"""The balance of the first harmonic reads \(a (1 - \nu b) = \alpha(e^{i\theta})\) with
        \(\alpha(z) = -(z - 1) z^\tau\), where $a$ is one over the root mean square in units of
        \(\eta\). Along the circle \(\log \alpha\) has the derivative""",
        "e = cot(theta/2)/2 + I (tau + 1/2)",
        {"e": "I (tau + 1/(1 - exp(-I theta)))"},
    ),
    step(
        "real",
        r"""The angle moves by \(\nu\) times \(-\mathrm{Im}\,b/\mathrm{Im}\,e\), so that \(\log a\)
        remains real, and \(\log a\) by \(\nu\) times
        \(\mathrm{Re}\,b - \mathrm{Im}\,b\,\mathrm{Re}\,e/\mathrm{Im}\,e\), the negative of""",
        f"-cot(theta)/8 (cot(theta/2)/2)/(tau + 1/2) - 1/8 = {_NEXT}",
    ),
    conclusion("This is the correction of the root mean square:", _perturbed),
    symbols=(Symbol("R_1", real=True), *symbols("b e")),
    of="adaptive-cycle",
)


def _stationary(size: int) -> dict[str, Any]:
    """Numbers of a stationary oscillation with alternating signs, for b = 2/3."""
    signs, c = Matrix([(-1) ** k for k in range(size)]), Rational(2, 3)
    preconditioner = diag(*(Rational(k + 2, k + 1) * size for k in range(size)))
    # What is subtracted has the signs in its kernel.
    hessian = preconditioner / c - (eye(size) - signs * signs.T / size) / 7
    scatter = c**2 * signs * signs.T
    squares = (hessian * scatter * hessian).diagonal()
    return {"L": (hessian * scatter).trace() / 2, "P_tr": sum(map(sqrt, squares)), "b": c}


adaptive_stationarity = theorem(
    "adaptive-stationarity",
    "Adam in many directions: the price of the oscillation",
    states("identity", "L = b P_tr/2"),
    r"""Let the Hessian \(H\) be symmetric, \(Z\) the mean of \(x x^T\) over an oscillation around
    the minimum, \(v\) the diagonal of \(H Z H\), the mean squares of gradients, \(P\) the
    diagonal matrix of \(\sqrt{v_i} > 0\), $P_tr$ its trace, and \(b = \eta/a_*\), with the
    threshold $a_*$ of the filter. Call \(Z\) stationary if all of it oscillates at the threshold,
    \(H Z = b^{-1} P Z\), and nothing grows: the largest eigenvalue of \(P^{-1/2} H P^{-1/2}\)
    is at most \(1/b\). This is so exactly if \(Z_{ii} = b^2\) in every coordinate and \(Z\)
    maximises \(\mathrm{tr}(HZ)\) over all positive semidefinite matrices with this diagonal:
    stationarity is the condition of Karush, Kuhn and Tucker for the semidefinite program of the
    maximum cut {cite:goemans1995}. The mean loss \(L = \tfrac12 \mathrm{tr}(HZ)\) above the
    minimum is then {statement} which an optimizer can read off its own second moments. That
    runs in many dimensions go there is not proved; it was seen.""",
    step(
        "balance",
        r"""Multiplied by \(H\) from the right, \(H Z = b^{-1} P Z\) becomes, with its transpose
        \(Z H = b^{-1} Z P\), an equation between \(Z_1 = H Z H\) and \(Z_2 = P Z P\),""",
        "Z_1 = Z_2/b^2",
        {"Z_1": _H * _X * _H, "Z_2": _P * _X * _P},
        remainder=(_H * _X - _P * _X / _c) * _H + _P * (_X * _H - _X * _P / _c) / _c,
    ),
    step(
        "dual",
        r"""On its diagonal, \(v_i = v_i Z_{ii}/b^2\), so that \(Z_{ii} = b^2\). Let \(Z_6\) be any
        positive semidefinite matrix with the diagonal \(b^2\). For \(Z_3 = H Z_6\), \(Z_4 = P Z_6\)
        and \(Z_5 = (b^{-1} P - H) Z_6\)""",
        "Z_3 = Z_4/b - Z_5",
        {"Z_3": _H * _Y, "Z_4": _P * _Y, "Z_5": (_P / _c - _H) * _Y},
    ),
    step(
        "complementary",
        r"""The trace of \(Z_4/b\) is $b P_tr$, and that of \(Z_5\) is not negative, as both its
        factors are positive semidefinite. For \(Z_6 = Z\) it vanishes:""",
        "Z_5 = 0",
        {"Z_5": (_P / _c - _H) * _X},
        remainder=-(_H * _X - _P * _X / _c),
    ),
    conclusion(
        r"""So no \(\mathrm{tr}(H Z_6)\) exceeds \(\mathrm{tr}(HZ) = b P_{tr}\). Conversely, an
        optimal \(Z\) has by duality a diagonal matrix \(P\) with {ref:complementary} and with
        \(b^{-1} P - H\) positive semidefinite; by {ref:balance} its squares are the
        \(v_i\), and \(Z\) is stationary. Half of the trace is""",
        evaluated([_stationary(size) for size in (2, 3, 4)]),
    ),
    symbols=(_c, *symbols("L P_tr", positive=True), *symbols("Z_1 Z_2 Z_3 Z_4 Z_5")),
    sources=("cohen2024", "goemans1995"),
    prior_art="""That RMSProp settles at a preconditioner of least trace is known {cite:cohen2024},
    and so is the semidefinite program {cite:goemans1995}. The loss that the oscillation costs,
    under delay, was not found elsewhere.""",
)

sign_cycle = theorem(
    "sign-cycle",
    "Signs: the triangle",
    states(
        "identity",
        "(sum((k - n/2 + y)^2, k, 0, n) + sum((k - n/2 + y)^2, k, 1, n - 1))/(2 n)"
        " = (n^2 + 2)/12 + y^2",
        domain=("n >= 1",),
    ),
    r"""An optimizer that moves by \(\eta\) times the sign of its filtered, late gradient may go
    down \(n\) steps and up again, around a mean of \(y\) steps. In units of \(\eta\) its mean
    square is {statement} It sustains itself exactly if the filtered, late triangle without offset
    is above $f(1)$ times \(|y|\) while the weight goes down, $f(1)$ being the filter's
    response to a constant. SignSGD with delay $tau$ and without momentum does so for
    \(n = 2\tau + 1\) and \(|y| < 1/2\); over offsets spread evenly its mean square is
    $$mean: ((2 tau + 1)^2 + 2)/12 + 1/12 = (tau^2 + tau + 1)/3$$""",
    step(
        "down",
        "The squares of the $n + 1$ places on the way up are",
        "sum((k - n/2 + y)^2, k, 0, n) = (n + 1) (n (n + 2)/12 + y^2)",
    ),
    step(
        "up",
        "and those of the $n - 1$ places between the ends, on the way down,",
        "sum((k - n/2 + y)^2, k, 1, n - 1) = (n - 1) (n (n - 2)/12 + y^2)",
    ),
    step(
        "mean",
        r"""SignSGD sees the triangle \(\tau\) updates late. For \(n = 2\tau + 1\) its steps down
        see the places from \(\tau\) updates before the peak to \(\tau\) after it, which are at
        least \(n/2 - \tau = 1/2\) above the mean. Over \(|y| < 1/2\) the mean of
        \(y^2\) is 1/12, and that of the square""",
        "((2 tau + 1)^2 + 2)/12 + 1/12 = (tau^2 + tau + 1)/3",
    ),
    conclusion(
        "The mean over the $2 n$ places of a period is by {ref:down} and {ref:up}",
        evaluated({"n": Integer(n), "y": Rational(d, 7)} for n, d in product((1, 2, 5, 9), (1, 3))),
    ),
    symbols=(_n, _k, _y),
    sources=("sieber2006",),
    prior_art="""The method is that of {cite:bernstein2018}. Delayed relays have such cycles in
    continuous time {cite:sieber2006}; they were not found elsewhere for optimizers.""",
)

_SECOND, _FIRST, _ZEROTH = "3 nu - 2 - beta_1", "1 + 2 beta_1 - nu + beta_1 nu", "beta_1 (1 - nu)"


def _two_cycles(claim: Basic | None) -> tuple[int, str]:
    """The sign of the claim's right side against the roots of the cubic."""
    if not isinstance(claim, Eq):
        return 0, f"an equation is needed, not {claim}"
    meaning = dict(adam_two_cycle.read().theorem.statement.definitions)
    sides = [lambdify((_b, _nu), side.subs(meaning), "mpmath") for side in claim.args]
    points = [
        (mpmath.mpf(b), mpmath.mpf(nu)) for b, nu in product((0, 0.1, 0.2, 0.9), (0.01, 0.2, 0.4))
    ]
    for b, nu in points:
        values = [mpmath.mpf(side(b, nu)) for side in sides]
        cubic = [1, 3 * nu - 2 - b, 1 + 2 * b - nu + b * nu, -b * (1 - nu)]
        largest = max(abs(root) for root in mpmath.polyroots(cubic, maxsteps=200, extraprec=200))
        if abs(values[0] - values[1]) > mpmath.mpf("1e-12") or (largest < 1) != (values[1] > 0):
            return len(points), f"{claim} does not decide at {b}, {nu}: {values}, {largest}"
    return len(points), ""


adam_two_cycle = theorem(
    "adam-two-cycle",
    "Adam without delay: when its cycle of two updates attracts",
    states(
        "identity",
        "1 - b_0^2 - (b_1 + b_2 b_0) = nu (beta_1 (3 - beta_1) nu - (6 beta_1 - 1 - beta_1^2))",
        domain=("beta_1 >= 0", "beta_1 < 1", "nu > 0", "nu < 1"),
        definitions={"b_2": _SECOND, "b_1": _FIRST, "b_0": _ZEROTH},
    ),
    rf"""Consider Adam without delay. With \(\nu = 1 - \beta_2\), let $b_2 := {_SECOND}$,
    $b_1 := {_FIRST}$ and $b_0 := {_ZEROTH}$. """
    r"""Along one direction it has the cycle
    \(x_t = (-1)^t \eta/a_*\), with \(a_* = 2 (1 + \beta_1)/(1 - \beta_1)\) and a second moment that
    is constant. It attracts what is near it exactly if
    \(\nu > (6\beta_1 - 1 - \beta_1^2)/(\beta_1 (3 - \beta_1))\), as the sign of {statement}
    decides: for \(\beta_1 \le 3 - 2\sqrt2\) always, for \(\beta_1 \ge 1/3\), and so for the usual
    0.9, never. Cycles of Adam without delay were found by {cite:bock2022}.""",
    step(
        "cubic",
        r"""In the frame that alternates, a disturbance \(y\) of the weight and one of the second
        moment make the first moment alternate with the filter
        \((1 - \beta_1) z/(z + \beta_1)\), and the second follows with \(2 \nu z/(z - 1 + \nu)\).
        Small disturbances therefore grow as powers of the roots of""",
        "(z + 1) (z + beta_1) (z - 1 + nu) - 2 (1 + beta_1) z (z - 1 + nu) + 2 nu z (z + beta_1)"
        " = z^3 + b_2 z^2 + b_1 z - b_0",
    ),
    step(
        "one",
        r"""All roots of this cubic are inside the unit circle exactly if it is positive at 1,
        negative at \(-1\), its last coefficient is below 1 in size, and the left side of the
        statement and the same with a plus are positive (the conditions of Jury). It is""",
        "1 + b_2 + b_1 - b_0 = 2 nu (1 + beta_1)",
    ),
    step(
        "minus-one",
        "at 1, and at $-1$, with its sign changed,",
        "1 - b_2 + b_1 + b_0 = 4 (1 - nu + beta_1)",
    ),
    step(
        "plus",
        "With the plus, the condition holds, since both factors are positive:",
        "1 - b_0^2 + (b_1 + b_2 b_0) = (2 - nu) (1 + 3 nu beta_1 - (1 - nu) beta_1^2)",
    ),
    conclusion("What is left decides:", _two_cycles),
    symbols=(_nu, _b, *symbols("b_2 b_1 b_0", real=True)),
    sources=("bock2022", "kingma2015"),
    prior_art="The cycle is known {cite:bock2022}. When it attracts was not found elsewhere.",
)
