"""Outer learning rates of local SGD, federated averaging and DiLoCo."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from delaystability.cli.answers import Answer, answering
from delaystability.cli.optimizer_options import Parameters
from delaystability.cli.optimizers import described, number, optimizer_of
from delaystability.cli.options import INTEGERS, NUMBERS, OptimizerName, integer
from delaystability.cli.terminal import RefusedError
from delaystability.model.arguments import positive

__all__ = ["outer"]


@answering
def outer(
    optimizer: OptimizerName,
    parameters: Parameters,
    inner_learning_rate: Annotated[
        str | None,
        typer.Option(metavar=NUMBERS, help="The learning rate of plain inner gradient descent."),
    ] = None,
    inner_steps: Annotated[
        str | None, typer.Option(metavar=INTEGERS, help="The number of inner steps of a round.")
    ] = None,
    sharpness: Annotated[
        str | None,
        typer.Option(metavar=NUMBERS, help="The largest curvature, needed beside inner steps."),
    ] = None,
    delay: Annotated[
        str,
        typer.Option(
            metavar=INTEGERS,
            help="The number of outer steps by which gradients are late: one, a list 0,1,2, or a "
            "range 0:8 with both ends.",
        ),
    ] = "0",
    sync_delay: Annotated[
        str,
        typer.Option(
            metavar=INTEGERS, help="The number of inner steps that replicas go on while they wait."
        ),
    ] = "0",
    alpha: Annotated[
        str,
        typer.Option(metavar=NUMBERS, help="The share of themselves that replicas keep then."),
    ] = "0",
    workers: Annotated[
        str | None,
        typer.Option(
            metavar=INTEGERS,
            help="The number of replicas, needed beside eager and delayed-nesterov; it matters "
            "there only.",
        ),
    ] = None,
    eager: Annotated[
        bool,
        typer.Option(
            "--eager", help="A replica's gradient is fresh, those of others one outer step late."
        ),
    ] = False,
    delayed_nesterov: Annotated[
        bool,
        typer.Option(
            "--delayed-nesterov", help="Workers take turns, and the momentum moves once in a turn."
        ),
    ] = False,
    outer_learning_rate: Annotated[
        str | None,
        typer.Option(metavar=NUMBERS, help="A rate, to say also whether it is stable."),
    ] = None,
) -> Answer:
    """Find the largest stable outer learning rate of local SGD or DiLoCo with late outer steps.

    Without inner steps it is for an inner optimizer that reaches the minimum in every round.
    """
    from delaystability.questions.outer_loop import OuterLoop

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
        "workers": 1 if workers is None else integer("workers", workers),
        "eager": eager,
        "delayed_nesterov": delayed_nesterov,
    }
    loop = OuterLoop(chosen, **inner, **late)
    if workers is None and (eager or delayed_nesterov):
        way = "eager" if eager else "delayed-nesterov"
        raise RefusedError(f"workers must be given beside {way}; got none")
    if inner and sharpness is None:
        raise RefusedError("sharpness must be given beside inner-steps; got none")
    if sharpness is not None and not inner:
        raise RefusedError(f"sharpness must be given beside inner-steps only; got {sharpness!r}")
    sharp = None if sharpness is None else number("sharpness", sharpness)
    edge = loop.max_outer_learning_rate(sharp)
    given = {name: value for name, value in late.items() if value or name == "delay"}
    values: dict[str, Any] = {**described(chosen), **inner, **given}
    if sharp is not None:
        values["sharpness"] = sharp
    values["max_outer_learning_rate"] = edge
    if outer_learning_rate is not None:
        rate = number("outer-learning-rate", outer_learning_rate)
        positive("outer_learning_rate", rate)
        values |= {"outer_learning_rate": rate, "stable": rate < edge}
    return Answer("Largest stable outer learning rate", values)
