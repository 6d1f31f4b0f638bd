"""Delayed SGD: stable exactly up to 2 sin(pi / (2 (2 tau + 1))), for every delay."""

from __future__ import annotations

from sympy import Eq, Function, Integer, Rational, pi, sin

from delaystability.model.catalogue import SGD
from delaystability.theory.checks import Deduced, Identity
from delaystability.theory.confirm import grid
from delaystability.theory.derivation import Proof, Step, Theorem
from delaystability.theory.domains import nonnegative
from delaystability.theory.general_steps import (
    SHARED,
    THRESHOLD,
    X,
    direction_steps,
    general_steps,
    modulus_step,
)
from delaystability.theory.loop import Loop
from delaystability.theory.prose import LEMMA
from delaystability.theory.statement import Statement
from delaystability.theory.symbols import a, half_sine, ordered_product, tau, theta
from delaystability.theory.trials import confirm_threshold

__all__ = ["sgd"]


def sgd() -> Proof:
    """The threshold of delayed SGD, with the complete argument for every delay."""
    loop = Loop(SGD())
    first = pi / (2 * tau + 1)
    formula = ordered_product(2, sin(pi / (2 * (2 * tau + 1))))
    threshold = Eq(THRESHOLD, formula, evaluate=False)
    theorem = Theorem(
        name=SGD.name,
        title="SGD",
        statement=Statement("threshold", threshold, SGD.name),
        text=(
            "SGD with delay {tau} is stable exactly for gains {stable}, where {display:threshold} "
            "The root that reaches the unit circle first has the angle {first}."
        ),
        sources=("giladi2020",),
        given={
            "tau": tau,
            "stable": "0 < a < a_*",
            "threshold": threshold,
            "first": Eq(theta, first, evaluate=False),
        },
    )
    at_first = Function("Y")(first)
    return Proof(
        theorem,
        (
            *general_steps(loop),
            modulus_step(
                loop,
                Integer(1),
                "At a crossing {X} vanishes and {Y} is positive. Hence {Y} is 1 there, and the "
                "gain is {gain}, which increases with {theta}:",
                gain=Eq(a, 2 * half_sine, evaluate=False),
                theta=theta,
            ),
            Step(
                label="first-crossing",
                text=(
                    "The cosine {X} has its first zero at {first}, and there the sine is positive, "
                    "so that this is the crossing of smallest gain:"
                ),
                claim=Eq(at_first, 1, evaluate=False),
                check=Identity({at_first: loop.sine_part.subs(theta, first)}),
                given={"X": X, "first": Eq(theta, first, evaluate=False)},
            ),
            *direction_steps(loop, tau + Rational(1, 2), ({tau: nonnegative},)),
            Step(
                label="conclusion",
                text=(
                    "All roots lie inside the unit circle for small gains by {ref:small-gain}, and "
                    "every crossing is outward by {ref:speed-sign}. By {lemma} the stable gains "
                    "are exactly those below"
                ),
                claim=threshold,
                check=Deduced(
                    premises=(*SHARED, "modulus", "first-crossing", "speed", "speed-sign"),
                    theorems=(LEMMA,),
                    trial=confirm_threshold(loop, grid(("0",), range(12))),
                ),
            ),
        ),
    )
