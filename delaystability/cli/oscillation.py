"""How far weights swing with an optimizer that does not come to rest."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from delaystability.cli.answers import Answer, answering
from delaystability.cli.optimizer_options import AllParameters
from delaystability.cli.optimizers import any_optimizer_of, described, number
from delaystability.cli.options import NUMBERS, AnyOptimizerName, Delay, LearningRate, integer
from delaystability.cli.terminal import RefusedError

__all__ = ["oscillation"]


@answering
def oscillation(
    optimizer: AnyOptimizerName,
    lr: LearningRate,
    parameters: AllParameters,
    delay: Delay = "0",
    curvature: Annotated[
        str | None,
        typer.Option(
            metavar=NUMBERS,
            help="The curvature of the loss along the direction; it also gives the cost.",
        ),
    ] = None,
    eps: Annotated[
        str | None,
        typer.Option(metavar=NUMBERS, help="The epsilon of Adam and its kind; 0 by default."),
    ] = None,
    noise: Annotated[
        str | None,
        typer.Option(metavar=NUMBERS, help="The standard deviation of the gradient's noise."),
    ] = None,
    weight_decay: Annotated[
        str | None,
        typer.Option(metavar=NUMBERS, help="The decay of the weights, as in AdamW."),
    ] = None,
    minimum: Annotated[
        str | None,
        typer.Option(
            metavar=NUMBERS, help="The weight at the minimum, from which decay pulls it away."
        ),
    ] = None,
    clip: Annotated[
        str | None,
        typer.Option(
            metavar=NUMBERS,
            help="The norm at which gradients are clipped; linear optimizers need it.",
        ),
    ] = None,
) -> Answer:
    """Predict how far a weight swings with AdamW, RMSProp, Lion, Muon or clipped momentum.

    It prints the rms and the period, how they are known, and with a curvature what the swing adds
    to the loss.
    """
    from delaystability.questions.oscillation import oscillation as predicted

    chosen = any_optimizer_of(optimizer, parameters)
    if minimum is not None and weight_decay is None:
        raise RefusedError(f"minimum must be given beside weight-decay only; got {minimum!r}")
    written = {
        "curvature": curvature,
        "eps": eps,
        "noise": noise,
        "weight_decay": weight_decay,
        "minimum": minimum,
        "clip": clip,
    }
    options = {
        name: number(name.replace("_", "-"), text)
        for name, text in written.items()
        if text is not None
    }
    rate, lag = number("lr", lr), integer("delay", delay)
    found = predicted(rate, chosen, lag, **options)
    values: dict[str, Any] = {**described(chosen), "delay": lag, "lr": rate, **options}
    shown = found.to_dict()
    shown["half_periods"] = ", ".join(map(str, found.half_periods)) or None
    shown = {name: value for name, value in shown.items() if value is not None}
    return Answer("Oscillation around a minimum", values | found.to_dict(), values | shown)
