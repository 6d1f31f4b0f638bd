"""How fast a delayed run can be, and with which momentum, horizon and learning rate."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from delaystability.cli.answers import Answer, answering
from delaystability.cli.optimizers import number
from delaystability.cli.options import NUMBERS, Delay, integer

__all__ = ["best_optimizer"]


@answering
def best_optimizer(
    condition_number: Annotated[
        str,
        typer.Option(
            metavar=NUMBERS,
            help="The largest over the smallest curvature of the directions that matter.",
        ),
    ],
    delay: Delay = "0",
    sharpness: Annotated[
        str | None,
        typer.Option(metavar=NUMBERS, help="The largest curvature: also print the learning rate."),
    ] = None,
    tolerated_noise: Annotated[
        bool,
        typer.Option("--tolerated-noise", help="Also print how noisy the curvature may be."),
    ] = False,
) -> Answer:
    """Find the optimizer that converges fastest under a delay, and how far from the limit it is."""
    from delaystability.questions.best_optimizer import best_optimizer as fastest

    best = fastest(integer("delay", delay), number("condition-number", condition_number))
    data = best.to_dict()
    values: dict[str, Any] = {"optimizer": data.pop("name"), **data}
    if sharpness is not None:
        values["sharpness"] = number("sharpness", sharpness)
        values["learning_rate"] = best.learning_rate(values["sharpness"])
    if tolerated_noise:
        values["tolerated_curvature_noise"] = best.tolerated_curvature_noise()
    return Answer("Fastest optimizer", values)
