"""Safe learning rates of pipelines."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from delaystability.cli.answers import Answer, answering
from delaystability.cli.optimizer_options import Parameters
from delaystability.cli.optimizers import described, number, optimizer_of
from delaystability.cli.options import INTEGERS, NUMBERS, OptimizerName, integer
from delaystability.model.pipelines import SCHEDULES, schedule_from_name
from delaystability.questions import bounds
from delaystability.questions.stages import safe_stage_learning_rate

__all__ = ["pipeline"]


@answering
def pipeline(
    optimizer: OptimizerName,
    stages: Annotated[
        str, typer.Option(metavar=INTEGERS, help="The number of stages, at least 1.")
    ],
    sharpness: Annotated[
        str, typer.Option(metavar=NUMBERS, help="The largest eigenvalue of the Hessian.")
    ],
    parameters: Parameters,
    schedule: Annotated[
        str,
        typer.Option(
            metavar="SCHEDULE",
            help=f"One of {', '.join(SCHEDULES)}. 1F1B with a flush (Megatron, DeepSpeed) is "
            "gpipe.",
        ),
    ] = "pipedream",
    stage_sharpness: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help="The largest eigenvalues of the stages' diagonal blocks, with commas between.",
        ),
    ] = None,
) -> Answer:
    """Find learning rates that are stable for every Hessian of a pipeline, and without delays."""
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
    return Answer("Largest safe learning rates of a pipeline", values)
