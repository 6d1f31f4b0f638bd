"""Outer learning rates of local SGD, federated averaging and DiLoCo."""

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
from delaystability.cli.options import Json, OptimizerName, integer
from delaystability.cli.terminal import clear_errors, print_values
from delaystability.model.arguments import positive

__all__ = ["outer"]


@with_parameters
def outer(
    optimizer: OptimizerName,
    parameters: Parameters,
    inner_learning_rate: Annotated[
        str | None, typer.Option(help="Of plain inner gradient descent.")
    ] = None,
    inner_steps: Annotated[str | None, typer.Option(help="Inner steps of a round.")] = None,
    sharpness: Annotated[
        str | None, typer.Option(help="Largest curvature; needed beside inner steps.")
    ] = None,
    delay: Annotated[str, typer.Option(help="Outer steps by which gradients are late.")] = "0",
    sync_delay: Annotated[
        str, typer.Option(help="Inner steps that replicas go on while they wait.")
    ] = "0",
    alpha: Annotated[str, typer.Option(help="Share that replicas keep of themselves then.")] = "0",
    workers: Annotated[str, typer.Option(help="Number of replicas.")] = "1",
    eager: Annotated[
        bool, typer.Option("--eager", help="Own gradient fresh, the others' one outer step late.")
    ] = False,
    delayed_nesterov: Annotated[
        bool,
        typer.Option("--delayed-nesterov", help="Workers in turns, momentum once in a turn."),
    ] = False,
    outer_learning_rate: Annotated[
        str | None, typer.Option(help="Also say whether this one is stable.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Find the largest stable outer learning rate of local SGD or DiLoCo with late outer steps.

    Without inner steps, for an inner optimizer that reaches the minimum in every round.
    """
    from delaystability.questions.outer_loop import OuterLoop

    with clear_errors():
        chosen = optimizer_of(optimizer, parameters)
        inner: dict[str, Any] = {}
        if inner_learning_rate is not None:
            inner["inner_learning_rate"] = number("inner-learning-rate", inner_learning_rate)
        if inner_steps is not None:
            inner["inner_steps"] = integer("inner-steps", inner_steps)
        late: dict[str, Any] = {
            "delay": integer("delay", delay),
            "sync_delay": integer("sync-delay", sync_delay),
            "alpha": number("alpha", alpha),
            "workers": integer("workers", workers),
            "eager": eager,
            "delayed_nesterov": delayed_nesterov,
        }
        loop = OuterLoop(chosen, **inner, **late)
        sharp = None if sharpness is None else number("sharpness", sharpness)
        edge = loop.max_outer_learning_rate(sharp)
        given = {name: value for name, value in late.items() if value}
        values: dict[str, Any] = {**described(chosen), **inner, **given}
        if sharp is not None:
            values["sharpness"] = sharp
        values["max_outer_learning_rate"] = edge
        if outer_learning_rate is not None:
            rate = number("outer-learning-rate", outer_learning_rate)
            positive("outer_learning_rate", rate)
            values |= {"outer_learning_rate": rate, "stable": rate < edge}
        print_values(values, as_json, "Largest stable outer learning rate")
