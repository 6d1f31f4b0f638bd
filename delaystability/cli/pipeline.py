"""Safe learning rates of pipelines."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from delaystability.cli.optimizer_options import (
    Parameters,
    described,
    number,
    optimizer_of,
    with_parameters,
)
from delaystability.cli.options import (
    CATALOGUE_NAMES,
    Json,
    integer,
)
from delaystability.cli.terminal import clear_errors, print_values
from delaystability.model.pipelines import SCHEDULES, schedule_from_name
from delaystability.questions import bounds
from delaystability.questions.stages import safe_stage_learning_rate

__all__ = ["pipeline"]


@with_parameters
def pipeline(
    stages: Annotated[str, typer.Option(help="Number of stages, at least 1.")],
    optimizer: Annotated[
        str,
        typer.Option(help=f"One of: {CATALOGUE_NAMES}."),
    ],
    sharpness: Annotated[str, typer.Option(help="Largest eigenvalue of the Hessian.")],
    parameters: Parameters,
    schedule: Annotated[
        str,
        typer.Option(
            help=f"One of: {', '.join(SCHEDULES)}. 1F1B with a flush (Megatron, DeepSpeed): gpipe."
        ),
    ] = "pipedream",
    stage_sharpness: Annotated[
        str | None,
        typer.Option(
            help="Largest eigenvalues of the stages' diagonal blocks, with commas between."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Find learning rates that are stable for every Hessian of a pipeline, and without delays."""
    with clear_errors():
        chosen = optimizer_of(optimizer, parameters)
        plan = schedule_from_name(schedule, integer("stages", stages))
        largest = number("sharpness", sharpness)
        values: dict[str, Any] = {
            "schedule": plan.name,
            "stages": plan.stages,
            "delays": list(plan.delays),
            **described(chosen),
            "sharpness": largest,
            "safe_learning_rate": safe_stage_learning_rate(largest, chosen, plan),
        }
        if stage_sharpness is not None:
            blocks = [number("stage-sharpness", entry) for entry in stage_sharpness.split(",")]
            values["stage_sharpness"] = blocks
            values["safe_learning_rate_with_stage_sharpness"] = safe_stage_learning_rate(
                largest, chosen, plan, stage_sharpness=blocks
            )
        values["learning_rate_without_delays"] = bounds.max_learning_rate(largest, chosen, 0)
        print_values(values, as_json, "Largest safe learning rates of a pipeline")
