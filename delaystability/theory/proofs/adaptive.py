"""EMA momentum, and Adam with a frozen preconditioner: heavy ball in other coordinates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import mpmath
from sympy import Basic, Eq, Function, Integer, Rational, symbols

from delaystability.model.catalogue import EMAMomentum, HeavyBall
from delaystability.theory.confirm import grid
from delaystability.theory.domains import ANY_MOMENTUM, USUAL_MOMENTUM
from delaystability.theory.general_steps import polynomial_steps
from delaystability.theory.proofs.heavy_ball import AT_ANGLE, GAIN, first_crossing
from delaystability.theory.statement import Statement
from delaystability.theory.symbolic_loop import SymbolicLoop
from delaystability.theory.symbols import THRESHOLD, curvature, eta, m, t, tau
from delaystability.theory.trials import evaluate_relation
from delaystability.theory.vocabulary import (
    Chapter,
    Draft,
    conclusion,
    corollary,
    example,
    states,
    step,
)

CHAPTER = Chapter("ema-momentum", "EMA momentum and Adam")

_R, _H, _q = symbols("Z H y", commutative=False)
_x, _b = (Function(name, commutative=False) for name in "xb")


def _first_moment(loop: SymbolicLoop) -> Iterator[Draft]:
    # The premise that q is an eigenvector: this row vanishes.
    eigenvector = _q * _R**-1 * _H * _R**-1 - curvature * _q
    moment = m * _b(t - 1) + (1 - m) * _H * _x(t - tau)
    yield step(
        "moment",
        r"""Near the minimum the gradient is \(H x_{t-\tau}\), with the symmetric Hessian
        \(H\). Adam keeps the first moment \(b_t = m b_{t-1} + (1 - m) H x_{t-\tau}\) and moves by
        \(x_{t+1} - x_t = -\eta P^{-1} b_t\). As \(P\) is symmetric and positive definite, it has a
        symmetric root \(Z = P^{1/2}\), and \(Z^{-1} H Z^{-1}\) has an orthonormal basis of
        eigenvectors, written as rows \(y\). For each of them let \(w_t = y Z x_t\) and
        \(u_t = y Z^{-1} b_t\). Multiplied by \(Z\) from the right, \(y Z^{-1} H Z^{-1} = h y\)
        becomes \(y Z^{-1} H = h y Z\), and the rule for the first moment becomes""",
        "u(t) = m u(t - 1) + (1 - m) h w(t - tau)",
        {
            "u(t)": _q * _R**-1 * moment,
            "u(t - 1)": _q * _R**-1 * _b(t - 1),
            "w(t - tau)": _q * _R * _x(t - tau),
        },
        remainder=(1 - m) * eigenvector * _R * _x(t - tau),
    )


def _two_dimensional(claim: Basic | None) -> tuple[int, str]:
    """The claim against the eigenvalues of Adam's own recurrence, in two dimensions."""
    if not isinstance(claim, Eq) or claim.lhs != THRESHOLD:
        return 0, f"an equation for the threshold is needed, not {claim}"
    statement = Statement("threshold", claim, roots=adam_frozen.read().theorem.statement.roots)
    points = [(0, "9/10"), (1, "0"), (1, "1/2"), (2, "9/10")]
    for delay, momentum in points:
        value = statement.value({tau: Integer(delay), m: Rational(momentum)})
        # The preconditioned Hessian below has the largest eigenvalue 2.
        radii = [
            _spectral_radius(delay, mpmath.mpf(Rational(momentum).evalf(20)), value / 2 * factor)
            for factor in (1 - mpmath.mpf("1e-6"), 1 + mpmath.mpf("1e-6"))
        ]
        if not radii[0] < 1 < radii[1]:
            return len(points), f"{value} is no threshold at delay {delay}, {momentum}: {radii}"
    return len(points), ""


def _spectral_radius(delay: int, momentum: Any, rate: Any) -> Any:
    """Of the state (x_t, ..., x_(t - delay), b_(t - 1)), for a Hessian that is not diagonal."""
    half = mpmath.diag([2, 3])
    turn = mpmath.matrix([[3, 4], [-4, 3]]) / 5
    hessian = half * turn * mpmath.diag([2, 1]) * turn.T * half
    size = 2 * (delay + 2)
    transition = mpmath.zeros(size)
    moment = mpmath.zeros(2, size)
    for i in range(2):
        transition[i, i] = 1
        moment[i, size - 2 + i] = momentum
        for j in range(2):
            moment[i, 2 * delay + j] = (1 - momentum) * hessian[i, j]
    for k in range(2, size - 2):
        transition[k, k - 2] = 1
    for i in range(2):
        for k in range(size):
            transition[size - 2 + i, k] = moment[i, k]
            transition[i, k] -= rate * moment[i, k] / half[i, i] ** 2
    return max(abs(value) for value in mpmath.eig(transition, left=False, right=False))


def _to_30_digits(claim: Basic | None) -> tuple[int, str]:
    point = {tau: Integer(4), m: Rational(9, 10)}
    value = adam_frozen.read().theorem.statement.value(point, 30)
    return evaluate_relation([point], {THRESHOLD: value})(claim)


ema_momentum = corollary(
    "ema-momentum",
    "EMA momentum",
    states(
        "threshold",
        f"a_* = 1/(1 - m) {first_crossing(GAIN)}",
        EMAMomentum,
        ANY_MOMENTUM,
        [AT_ANGLE],
    ),
    r"""Let \(-1 < m < 1\), and let $theta$ be the smallest root in \((0, \pi]\) of
    $$angle: cos((tau + 1/2) theta) = m cos((tau - 1/2) theta)$$ EMA momentum with delay $tau$ is
    stable exactly for gains \(0 < a < a_*\), where {statement} This is the threshold of heavy ball,
    divided by $1 - m$. It is also the threshold of Adam with a frozen preconditioner
    {cite:kingma2015}, for the sharpness of the preconditioned Hessian.""",
    polynomial_steps("ema_momentum"),
    step(
        "scaling",
        r"""The characteristic polynomial is that of heavy ball, \(\chi_{HB}\), at the gain
        $(1 - m) a$:""",
        "chi(z, a) = chi_HB(z, a (1 - m))",
        {
            "chi(z, a)": lambda loop: loop.polynomial,
            "chi_HB(z, a)": lambda _: SymbolicLoop(HeavyBall(m)).polynomial,
        },
        rocq="Ema.threshold_scaled Ema.ema_is_heavy_ball",
    ),
    conclusion(
        """The stable gains of heavy ball are known from {theorem:heavy-ball}. Division by $1 - m$,
        which is positive, gives""",
        grid(("-9/10", "1/3", "9/10")),
        rocq="Ema.ema_is_threshold Theorems.ema_momentum",
    ),
    sources=("giladi2020",),
    of="heavy-ball",
)

adam_frozen = corollary(
    "adam-frozen",
    "Adam with a frozen preconditioner",
    states("threshold", f"a_* = {GAIN}/(1 - m)", EMAMomentum, USUAL_MOMENTUM, [AT_ANGLE]),
    r"""Consider Adam with \(\beta_1 = m\), \(0 \le m < 1\), near a minimum with a positive definite
    Hessian \(H\), after its bias corrections have died out and its preconditioner \(P\), the
    diagonal matrix of the roots of the second moments plus the small positive constant, has become
    constant. Let $theta$ be the smallest root in \((0, \pi]\) of $$angle: cos((tau + 1/2) theta) =
    m cos((tau - 1/2) theta)$$ With delay $tau$, Adam is stable exactly if the learning rate times
    the largest eigenvalue of the preconditioned Hessian \(P^{-1/2} H P^{-1/2}\) is below
    {statement} This is the threshold of EMA momentum.""",
    _first_moment,
    step(
        "update",
        "and the rule for the iterate",
        "w(t + 1) - w(t) = -eta u(t)",
        {
            "w(t + 1)": _q * _R * (_x(t) - eta * _R**-2 * _b(t)),
            "w(t)": _q * _R * _x(t),
            "u(t)": _q * _R**-1 * _b(t),
        },
    ),
    conclusion(
        r"""This is the delayed loop of EMA momentum with curvature $h$. Adam is stable exactly if
        this loop is for every eigenvalue $h$. These are positive, because \(H\) is positive
        definite, so that by {theorem:ema-momentum} it is so exactly if it is for the largest. A
        singular \(H\) would leave a root at 1, and a negative eigenvalue one outside. For
        \(m \ge 0\) the minimum there is its first term, and the threshold is""",
        _two_dimensional,
    ),
    sources=("kingma2015",),
    of="heavy-ball",
)

adam_frozen_delay_0 = example(
    "adam-frozen-delay-0",
    "Adam with a frozen preconditioner: no delay",
    states(
        "threshold", "a_* = 2 (1 + m)/(1 - m)", EMAMomentum, domain=(*USUAL_MOMENTUM, "tau = 0")
    ),
    r"""In the setting of {theorem:adam-frozen} without delay, the threshold is {statement} For the
    usual \(\beta_1 = 0.9\) it is 38.""",
    step(
        "angle",
        "For $tau = 0$ the equation of the angle in {theorem:adam-frozen} asks for zeros of",
        "X(theta) = (1 - m) cos(theta/2)",
        {"X(theta)": lambda _: SymbolicLoop(HeavyBall(m)).cosine_part.subs(tau, 0)},
    ),
    step(
        "square",
        r"The only one in \((0, \pi]\) is $theta = pi$, where the square of the threshold is",
        "4 ((1 - m)^2 + 4 m)/(1 - m)^2 = 4 (1 + m)^2/(1 - m)^2",
    ),
    step(
        "usual",
        "Its positive root is, for the usual $m = 9/10$,",
        "a_* = 38",
        {"a_*": "2 (1 + 9/10)/(1 - 9/10)"},
    ),
    conclusion("and in general", grid(("0", "1/4", "1/2", "3/4", "9/10", "99/100"), (0,))),
    sources=("kingma2015",),
    of="heavy-ball",
)

adam_frozen_delay_4 = example(
    "adam-frozen-delay-4",
    "Adam with a frozen preconditioner: delay 4",
    states("identity", "floor(100000 a_*) = 26497", EMAMomentum, domain=("m = 9/10", "tau = 4")),
    r"""In the setting of {theorem:adam-frozen} with \(\beta_1 = 0.9\) and delay 4, the threshold
    begins with the digits \(0.26497\): {statement} Without delay it is 38, by
    {theorem:adam-frozen-delay-0}.""",
    conclusion("Evaluation of {theorem:adam-frozen} to 30 digits gives", _to_30_digits),
    sources=("kingma2015",),
    of="heavy-ball",
)
