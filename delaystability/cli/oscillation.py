"""How far weights swing with an optimizer that does not come to rest."""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated, Any

import typer

from delaystability.cli.completion import oscillating_optimizer_names
from delaystability.cli.optimizer_options import (
    Parameters,
    described,
    number,
    optimizer_of,
    with_parameters,
)
from delaystability.cli.options import CATALOGUE_NAMES, Json, integer
from delaystability.cli.terminal import RefusedError, clear_errors, print_values
from delaystability.model.adaptive import AdaptiveOptimizer
from delaystability.model.catalogue import CATALOGUE, Optimizer
from delaystability.model.recognised_adaptive import ADAPTIVE

__all__ = ["oscillation"]

_NAMES = f"{', '.join(ADAPTIVE)}, or, with --clip, {CATALOGUE_NAMES}"


@with_parameters
def oscillation(
    optimizer: Annotated[
        str,
        typer.Argument(
            help=f"One of: {_NAMES}.",
            show_default=False,
            autocompletion=oscillating_optimizer_names,
        ),
    ],
    lr: Annotated[str, typer.Option(help="The learning rate.")],
    parameters: Parameters,
    delay: Annotated[str, typer.Option(help="Updates between reading and applying.")] = "0",
    beta1: Annotated[str | None, typer.Option(help="Of Adam, NAdam and Lion.")] = None,
    beta2: Annotated[str | None, typer.Option(help="Of Adam, NAdam and Lion.")] = None,
    alpha: Annotated[str | None, typer.Option(help="Of RMSProp: 0.99 by default.")] = None,
    curvature: Annotated[
        str | None, typer.Option(help="Of the loss, along the direction; also gives its cost.")
    ] = None,
    eps: Annotated[str | None, typer.Option(help="Of Adam's kind; 0 by default.")] = None,
    noise: Annotated[
        str | None, typer.Option(help="Standard deviation of the gradient's noise.")
    ] = None,
    weight_decay: Annotated[str | None, typer.Option(help="As in AdamW.")] = None,
    minimum: Annotated[
        str | None, typer.Option(help="The weight at the minimum, which decay pulls from.")
    ] = None,
    clip: Annotated[
        str | None, typer.Option(help="The norm at which gradients are clipped.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Predict how far a weight swings with AdamW, RMSProp, Lion, Muon or clipped momentum.

    The rms and the period, how they are known, and with a curvature what it adds to the loss.
    """
    from delaystability.questions.oscillation import oscillation as predicted

    with clear_errors():
        own = {"beta1": beta1, "beta2": beta2, "alpha": alpha}
        given = {**parameters, **{name: text for name, text in own.items() if text is not None}}
        chosen = _optimizer(optimizer, given)
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
        told = found.to_dict()
        if not as_json:
            told["half_periods"] = ", ".join(map(str, found.half_periods)) or None
            told = {name: value for name, value in told.items() if value is not None}
        print_values(values | told, as_json, "Oscillation around a minimum")


def _optimizer(name: str, given: Parameters) -> Optimizer | AdaptiveOptimizer:
    if name in CATALOGUE:
        return optimizer_of(name, given)
    if name not in ADAPTIVE:
        names = ", ".join((*ADAPTIVE, *CATALOGUE))
        raise RefusedError(f"optimizer must be one of {names}; got {name!r}")
    known = [entry.name for entry in fields(ADAPTIVE[name])]
    surplus = [argument for argument in given if argument not in known]
    if surplus:
        raise RefusedError(f"optimizer {name!r} has no parameter {', '.join(surplus)}")
    return ADAPTIVE[name](**{argument: number(argument, text) for argument, text in given.items()})
