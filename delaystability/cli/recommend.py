"""The learning rate to use when gradients arrive late."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from delaystability.cli.answers import Answer, answering
from delaystability.cli.optimizer_options import AllParameters
from delaystability.cli.optimizers import any_optimizer_of, described, number
from delaystability.cli.options import (
    INTEGERS,
    NUMBERS,
    AnyOptimizerName,
    Columns,
    DelayLog,
    delay_or_log,
)
from delaystability.cli.terminal import RefusedError
from delaystability.questions.learning_rate_advice import recommend_learning_rate
from delaystability.questions.recommendation import Recommendation

__all__ = ["recommend"]


@answering
def recommend(
    optimizer: AnyOptimizerName,
    lr: Annotated[
        str,
        typer.Option(
            "--lr",
            "--learning-rate",
            metavar=NUMBERS,
            help="The learning rate that was tuned without delay.",
        ),
    ],
    parameters: AllParameters,
    delay: Annotated[
        str | None,
        typer.Option(
            metavar=INTEGERS,
            help="The number of updates between reading and applying: one, a list 0,4,8, or a "
            "range 0:64 or 0:64:8 with both ends.",
        ),
    ] = None,
    delay_log: DelayLog = None,
    column: Columns = None,
    goal: Annotated[
        str,
        typer.Option(
            metavar="GOAL",
            help="What is wanted: train, to lose least, or same-minima, to keep the accessible "
            "minima.",
        ),
    ] = "train",
    sharpness: Annotated[
        str | None,
        typer.Option(
            metavar=NUMBERS, help="The sharpness that was measured in the run without delay."
        ),
    ] = None,
) -> Answer:
    """Recommend a learning rate for late gradients, for a recipe tuned without delay.

    By default it is a rate that lost little on networks, with the reason and the alternatives.
    """
    chosen = any_optimizer_of(optimizer, parameters)
    if delay is None and delay_log is None:
        raise RefusedError("delay or delay-log must be given; got neither")
    late, about_delay = delay_or_log(delay, delay_log, column)
    measured = None if sharpness is None else number("sharpness", sharpness)
    rate = number("learning-rate", lr)
    found = recommend_learning_rate(rate, chosen, late, sharpness=measured, goal=goal)
    values: dict[str, Any] = {**described(chosen), **about_delay, "lr": rate}
    if measured is not None:
        values["sharpness"] = measured
    return Answer("Recommended learning rate", values | found.to_dict(), values | _in_lines(found))


def _in_lines(found: Recommendation) -> dict[str, Any]:
    values = {**found.to_dict(), "factor": found.factor}
    del values["alternatives"]
    for entry in found.alternatives:
        values[f"or {entry.rule}"] = f"{entry.learning_rate:.12g}: better when {entry.better_when}"
    return values
