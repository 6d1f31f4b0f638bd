"""Steps that the theorems on thresholds share: angles separated, and crossings outward."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sympy import I

from delaystability.theory.coverage import Range
from delaystability.theory.symbolic_loop import SymbolicLoop
from delaystability.theory.vocabulary import Draft, positive, step

__all__ = ["direction", "forms"]


def direction(
    speed: str,
    charts: Any,
    where: str = "at every angle",
    over: Sequence[Mapping[Any, Range]] = ({},),
) -> Callable[[SymbolicLoop], tuple[Draft, Draft]]:
    """sigma(theta) = Re S(exp(i theta)) in closed form, and that it is positive on the charts."""

    def steps(loop: SymbolicLoop) -> tuple[Draft, Draft]:
        on_circle = loop.on_circle(loop.root_speed)
        real_part = (on_circle + on_circle.subs(I, -I)) / 2
        return (
            step(
                "speed",
                "For the direction of the crossings, {lemma} needs the real part of "
                "$z alpha'(z)/alpha(z)$ on the circle:",
                f"sigma(theta) = {speed}",
                {"sigma(theta)": real_part},
            ),
            positive(
                "speed-sign",
                f"It is positive {where}, so that every crossing is outward:",
                "sigma(theta) > 0",
                charts,
                {"sigma(theta)": speed},
                over,
            ),
        )

    return steps


def forms(cosine_form: str, sine_form: str, angles: str) -> tuple[Draft, Draft]:
    """X and Y by the addition theorems, in the two angles that the argument follows."""
    return (
        step(
            "cosine-form",
            rf"The addition theorems separate the angles \({angles}\):",
            f"X(theta) = {cosine_form}",
        ),
        step("sine-form", "and likewise", f"Y(theta) = {sine_form}"),
    )
