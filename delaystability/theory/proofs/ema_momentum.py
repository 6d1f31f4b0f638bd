"""EMA momentum: heavy ball with the gain scaled by 1 - m."""

from __future__ import annotations

from sympy import Eq, Function

from delaystability.optimizers import EMAMomentum, HeavyBall
from delaystability.theory.checks import ByTheorem, Deduced, Identity
from delaystability.theory.confirm import confirm_threshold, grid
from delaystability.theory.derivation import Derivation, Step, Theorem
from delaystability.theory.general_steps import THRESHOLD, general_steps
from delaystability.theory.loop import Loop
from delaystability.theory.proofs.heavy_ball import (
    boundary_angle,
    heavy_ball,
    threshold_formula,
)
from delaystability.theory.symbols import a, m, ordered_product, tau, theta, z

__all__ = ["ema_momentum"]


def ema_momentum() -> Derivation:
    """The threshold of EMA momentum, from that of heavy ball."""
    loop, heavy = Loop(EMAMomentum(m)), Loop(HeavyBall(m))
    own, other = Function("p")(z, a), Function("p_HB")(z, (1 - m) * a)
    threshold = Eq(
        THRESHOLD,
        ordered_product(1 / (1 - m), threshold_formula()),
        evaluate=False,
    )
    theorem = Theorem(
        name=EMAMomentum.name,
        title="EMA momentum",
        text=(
            "Let {domain}, and let {theta} be the smallest root in {interval} of {display:angle} "
            "EMA momentum with delay {tau} is stable exactly for gains {stable}, where "
            "{display:threshold} This is the threshold of heavy ball, divided by {factor}. It is "
            "also the threshold of Adam with a frozen preconditioner {cite:kingma2015}, for the "
            "sharpness of the preconditioned Hessian."
        ),
        sources=("giladi2020",),
        given={
            "domain": "-1 < m < 1",
            "theta": theta,
            "interval": r"(0, \pi]",
            "angle": boundary_angle(),
            "tau": tau,
            "stable": "0 < a < a_*",
            "threshold": threshold,
            "factor": 1 - m,
        },
    )
    return Derivation(
        theorem,
        (
            *general_steps(loop),
            Step(
                label="scaling",
                text=(
                    "The characteristic polynomial is that of heavy ball, {heavy}, at the gain "
                    "{scaled}:"
                ),
                claim=Eq(own, other, evaluate=False),
                check=Identity(
                    {own: loop.polynomial, other: heavy.polynomial.subs(a, (1 - m) * a)}
                ),
                given={"heavy": "p_{HB}", "scaled": ordered_product(1 - m, a)},
            ),
            Step(
                label="heavy-ball",
                text="The stable gains of heavy ball are known from {theorem:heavy-ball}.",
                claim=None,
                check=ByTheorem("heavy-ball", _heavy_ball_outcome),
            ),
            Step(
                label="conclusion",
                text="Division by {factor}, which is positive, gives",
                claim=threshold,
                check=Deduced(
                    premises=("scaling", "heavy-ball"),
                    trial=confirm_threshold(loop, grid(("-9/10", "1/3", "9/10"))),
                ),
                given={"factor": 1 - m},
            ),
        ),
        requires=("heavy-ball",),
    )


def _heavy_ball_outcome() -> tuple[int, str]:
    derivation = heavy_ball()
    report = derivation.check()
    return report.failed, derivation.status_from(report)
