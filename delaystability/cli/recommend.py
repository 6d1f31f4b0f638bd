"""The learning rate to use when gradients arrive late."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from delaystability.cli.completion import trained_optimizer_names
from delaystability.cli.optimizer_options import (
    Parameters,
    described,
    number,
    trained_optimizer_of,
    with_parameters,
)
from delaystability.cli.options import CATALOGUE_NAMES, Columns, Json, delay_or_log
from delaystability.cli.terminal import RefusedError, clear_errors, print_values
from delaystability.questions.learning_rate_advice import recommend_learning_rate
from delaystability.questions.recommendation import Recommendation

__all__ = ["recommend"]


@with_parameters
def recommend(
    learning_rate: Annotated[
        str, typer.Option("--learning-rate", "--lr", help="The rate that was tuned without delay.")
    ],
    optimizer: Annotated[
        str,
        typer.Option(
            help=f"One of: {CATALOGUE_NAMES}, adam (also for its kind, such as AdamW).",
            autocompletion=trained_optimizer_names,
        ),
    ],
    parameters: Parameters,
    beta1: Annotated[str | None, typer.Option(help="Of Adam: 0.9 by default.")] = None,
    beta2: Annotated[str | None, typer.Option(help="Of Adam: 0.999 by default.")] = None,
    delay: Annotated[str | None, typer.Option(help="Updates between reading and applying.")] = None,
    delay_log: Annotated[
        Path | None,
        typer.Option(help="A file of measured delays (CSV, also .gz) instead of --delay."),
    ] = None,
    column: Columns = None,
    goal: Annotated[
        str,
        typer.Option(help="train: lose least. same-minima: keep the accessible minima."),
    ] = "train",
    sharpness: Annotated[
        str | None, typer.Option(help="Measured in the run without delay.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Recommend a learning rate for late gradients, for a recipe tuned without delay.

    By default a rate that lost little on networks, with the reason and the alternatives.
    """
    with clear_errors():
        betas = {"beta1": beta1, "beta2": beta2}
        chosen = trained_optimizer_of(optimizer, parameters, betas)
        if delay is None and delay_log is None:
            raise RefusedError("delay or delay-log must be given; got neither")
        late, about_delay = delay_or_log(delay, delay_log, column)
        measured = None if sharpness is None else number("sharpness", sharpness)
        rate = number("learning-rate", learning_rate)
        found = recommend_learning_rate(rate, chosen, late, sharpness=measured, goal=goal)
        values: dict[str, Any] = {**described(chosen), **about_delay, "lr": rate}
        if measured is not None:
            values["sharpness"] = measured
        values |= found.to_dict() if as_json else _in_lines(found)
        print_values(values, as_json, "Recommended learning rate")


def _in_lines(found: Recommendation) -> dict[str, Any]:
    values = {**found.to_dict(), "factor": found.factor}
    del values["alternatives"]
    for entry in found.alternatives:
        values[f"or {entry.rule}"] = f"{entry.learning_rate:.12g}: better when {entry.better_when}"
    return values
