"""How fast a delayed run can be, and with which momentum, horizon and learning rate."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from delaystability.cli.optimizer_options import number
from delaystability.cli.options import Json, integer
from delaystability.cli.terminal import clear_errors, print_values

__all__ = ["best_optimizer"]


def best_optimizer(
    delay: Annotated[str, typer.Option(help="Updates between reading and applying.")],
    condition_number: Annotated[
        str, typer.Option(help="Largest over smallest curvature of the directions that matter.")
    ],
    sharpness: Annotated[
        str | None, typer.Option(help="Largest curvature; also print the learning rate.")
    ] = None,
    tolerated_noise: Annotated[
        bool,
        typer.Option("--tolerated-noise", help="Also print how noisy the curvature may be."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Find the optimizer that converges fastest under a delay, and how far from the limit it is."""
    from delaystability.questions.best_optimizer import best_optimizer as fastest

    with clear_errors():
        best = fastest(integer("delay", delay), number("condition-number", condition_number))
        data = best.to_dict()
        values: dict[str, Any] = {"optimizer": data.pop("name"), **data}
        if sharpness is not None:
            values["sharpness"] = number("sharpness", sharpness)
            values["learning_rate"] = best.learning_rate(values["sharpness"])
        if tolerated_noise:
            values["tolerated_curvature_noise"] = best.tolerated_curvature_noise()
        print_values(values, as_json, "Fastest optimizer")
