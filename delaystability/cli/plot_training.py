"""Pictures of how training goes: outer loops, oscillations, speed, and noise of batches."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import typer

from delaystability.cli.completion import trained_optimizer_names
from delaystability.cli.optimizer_options import Parameters
from delaystability.cli.optimizer_text import read_optimizer
from delaystability.cli.optimizers import any_optimizer_of, number
from delaystability.cli.options import NUMBERS, integer
from delaystability.cli.pictures import (
    OptimizerOption,
    delays_of,
    delays_option,
    optional_number,
    ordinary_optimizer,
    two_panels,
)
from delaystability.cli.plot import plot
from delaystability.cli.several import expanded, parts
from delaystability.cli.terminal import RefusedError, progress_bars
from delaystability.model.adaptive import AdaptiveOptimizer
from delaystability.model.recognised_adaptive import ADAPTIVE

__all__ = ["plot"]


@plot.command()
def outer(
    drawing: Any,
    size: str,
    parameters: Parameters,
    optimizer: OptimizerOption = "nesterov",
    delay: Annotated[list[str] | None, delays_option("0,1,2,4", "The outer steps of delay")] = None,
    inner_learning_rate: Annotated[
        str, typer.Option(metavar="NUMBER", help="The learning rate of inner steps.")
    ] = "0.01",
    inner_steps: Annotated[
        str, typer.Option(metavar="INTEGER", help="The number of inner steps of a round.")
    ] = "100",
    outer_learning_rate: Annotated[
        str | None, typer.Option(metavar="NUMBER", help="The outer learning rate to mark.")
    ] = None,
) -> Any:
    """Show which outer learning rates are stable in which directions, if outer steps are late."""
    from delaystability.questions.outer_loop import OuterLoop

    chosen = ordinary_optimizer(optimizer, parameters)
    inner = number("inner-learning-rate", inner_learning_rate)
    steps = integer("inner-steps", inner_steps)
    lags = delays_of(delay, [0, 1, 2, 4])
    loops = {
        "on time" if not lag else f"late by {lag}": OuterLoop(chosen, inner, steps, delay=lag)
        for lag in lags
    }
    rate = optional_number("outer-learning-rate", outer_learning_rate)
    return drawing.outer_loops(loops, rate=rate, size=size)


@plot.command()
def oscillation(
    drawing: Any,
    size: str,
    optimizer: Annotated[
        list[str] | None,
        typer.Option(
            metavar="OPTIMIZER",
            help=f"One of {', '.join(ADAPTIVE)}, adamw, or an object such as 'Adam(0.9, 0.99)'; "
            "several with commas between.",
            autocompletion=trained_optimizer_names,
        ),
    ] = None,
    delay: Annotated[list[str] | None, delays_option("0,1,2,4,8,16")] = None,
    starts: Annotated[
        str,
        typer.Option(metavar="INTEGER", help="The number of simulated runs to mark, as their rms."),
    ] = "0",
) -> Any:
    """Show how far weights swing with adaptive and sign optimizers, and what it costs."""
    names = dict.fromkeys(name for text in optimizer or () for name in parts(text))
    chosen = [*map(_adaptive, names)]
    lags = delays_of(delay, [0, 1, 2, 4, 8, 16])
    count = integer("starts", starts)
    with two_panels(drawing, size) as panels, progress_bars() as progress:
        for axes, loss in zip(panels, (False, True), strict=True):
            told = partial(progress, "loss" if loss else "rms") if count else None
            drawing.oscillations(
                chosen or None, lags, loss=loss, starts=count, axes=axes, progress=told
            )
        panels[1].set_title("")
        panels[0].get_legend().remove()
    return panels[0]


def _adaptive(text: str) -> AdaptiveOptimizer:
    if read_optimizer(text).name not in ADAPTIVE:
        raise RefusedError(f"optimizer must be one of {', '.join(ADAPTIVE)}; got {text!r}")
    chosen = any_optimizer_of(text, {})
    assert isinstance(chosen, AdaptiveOptimizer)
    return chosen


@plot.command()
def speed(
    drawing: Any,
    size: str,
    delay: Annotated[list[str] | None, delays_option("1,2,4,8,16,32")] = None,
    condition_number: Annotated[
        list[str] | None,
        typer.Option(
            metavar=NUMBERS,
            help="The condition number, 100 by default; a list or range beside one delay.",
        ),
    ] = None,
    nats: Annotated[
        bool, typer.Option("--nats", help="Show nats an update in place of the share of the limit.")
    ] = False,
) -> Any:
    """Show how fast the best setting of each optimizer is, beside the limit of linear methods."""
    lags = delays_of(delay, [1, 2, 4, 8, 16, 32])
    given = [t for one in condition_number or ["100"] for t in expanded("condition-number", one)]
    numbers = [*dict.fromkeys(number("condition-number", text) for text in given)]
    return drawing.speed(lags, numbers, share=not nats, size=size)


@plot.command()
def batches(
    drawing: Any,
    size: str,
    parameters: Parameters,
    optimizer: OptimizerOption = "sgd",
    delay: Annotated[list[str] | None, delays_option("0,1,4,16")] = None,
) -> Any:
    """Show the batch sharpness at which small batches, and not the delay, limit the rate."""
    lags = delays_of(delay, [0, 1, 4, 16])
    return drawing.batch_edge(ordinary_optimizer(optimizer, parameters), lags, size=size)
