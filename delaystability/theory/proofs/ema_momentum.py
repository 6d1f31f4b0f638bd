"""EMA momentum: heavy ball with the gain scaled by 1 - m."""

from __future__ import annotations

from sympy import Eq, Function

from delaystability.model.catalogue import EMAMomentum, HeavyBall
from delaystability.theory.checks import Deduced, Identity
from delaystability.theory.confirm import grid
from delaystability.theory.derivation import Proof, Step, Theorem
from delaystability.theory.domains import ANY_MOMENTUM
from delaystability.theory.general_steps import SHARED, THRESHOLD, general_steps
from delaystability.theory.loop import Loop
from delaystability.theory.proofs.heavy_ball import (
    boundary_angle,
    threshold_formula,
)
from delaystability.theory.statement import Root, Statement
from delaystability.theory.symbols import a, m, ordered_product, tau, theta, z
from delaystability.theory.trials import confirm_threshold

__all__ = ["ema_momentum"]


def ema_momentum() -> Proof:
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
        statement=Statement(
            "threshold",
            threshold,
            EMAMomentum.name,
            ANY_MOMENTUM,
            (Root(theta, boundary_angle()),),
        ),
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
    return Proof(
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
                label="conclusion",
                text=(
                    "The stable gains of heavy ball are known from {theorem:heavy-ball}. Division "
                    "by {factor}, which is positive, gives"
                ),
                claim=threshold,
                check=Deduced(
                    premises=(*SHARED, "scaling"),
                    theorems=(HeavyBall.name,),
                    trial=confirm_threshold(
                        loop, grid(("-9/10", "1/3", "9/10")), (Root(theta, boundary_angle()),)
                    ),
                ),
                given={"factor": 1 - m},
            ),
        ),
    )
