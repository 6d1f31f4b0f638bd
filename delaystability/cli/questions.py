"""Thresholds, and learning rates that keep the accessible minima."""

from __future__ import annotations

from functools import partial
from math import isfinite
from typing import Annotated, Any

import typer

from delaystability.cli.answers import Answer, answering
from delaystability.cli.completion import optimizer_names
from delaystability.cli.optimizer_options import Parameters
from delaystability.cli.optimizers import described, number, optimizer_of, shared
from delaystability.cli.options import (
    INTEGERS,
    NUMBERS,
    Columns,
    Coupled,
    Decay,
    DelayLog,
    Noise,
    OptimizerName,
    delay_or_log,
    integer,
    written_decay,
)
from delaystability.cli.terminal import RefusedError
from delaystability.model.arguments import positive
from delaystability.model.bounded_delay import BoundedDelay
from delaystability.model.catalogue import Optimizer
from delaystability.model.delays import Delay as DelayLaw
from delaystability.model.delays import MeasuredDelay
from delaystability.model.loop import Loop
from delaystability.model.mixed_read import MixedRead
from delaystability.questions import bounds

__all__ = ["adjust", "threshold"]


def _decayed(decay: str | None, coupled: bool) -> dict[str, Any]:
    """What a question is told of weight decay; nothing where there is none."""
    amount = number("decay", written_decay(decay, coupled))
    return {"decay": amount, "coupled": coupled} if amount or coupled else {}


def _partly_fresh(delay: int | MeasuredDelay, share: str | None) -> int | DelayLaw:
    if share is None:
        return delay
    if not isinstance(delay, int):
        raise RefusedError("fresh-share must not be given beside delay-log; got both")
    value = number("fresh-share", share)
    if not isfinite(value):
        raise RefusedError(f"fresh-share must be a finite number; got {share!r}")
    return MixedRead.partly_fresh(value, delay)


def _log_thresholds(
    optimizer: Optimizer, delay: MeasuredDelay, noise: float, decayed: dict[str, Any]
) -> dict[str, Any]:
    """Thresholds of a log: in its order, and as simpler models of it would have it."""
    from delaystability.questions.dynamics import replay_threshold

    threshold: Any = partial(bounds.stability_threshold, **decayed)
    return {
        "replayed_threshold": replay_threshold(optimizer, delay, **decayed),
        "mean_threshold_of_independent_delays": threshold(
            optimizer, delay, moment="mean", curvature_noise=noise
        ),
        "mean_square_threshold_of_independent_delays": threshold(
            optimizer, delay, moment="mean-square", curvature_noise=noise
        ),
        "threshold_of_the_rounded_mean_delay": threshold(optimizer, round(float(delay.mean))),
        "threshold_of_the_longest_delay": threshold(optimizer, int(delay.maximum)),
    }


def _for_every_sequence(
    optimizer: Optimizer, bounded_delay: str, decayed: dict[str, Any]
) -> dict[str, Any]:
    """What is known of the threshold for every sequence of delays up to this one."""
    from delaystability.questions.any_sequence import bounded_delay_threshold

    longest = integer("bounded-delay", bounded_delay, 0)
    found = bounded_delay_threshold(Loop(optimizer, BoundedDelay(longest), **decayed))
    return {
        "longest_delay": longest,
        "threshold": found.sufficient,
        "known_by": found.method,
        "threshold_of_the_worst_sequence_found": found.necessary,
        "threshold_of_the_longest_delay": bounds.stability_threshold(optimizer, longest, **decayed),
    }


@answering
def threshold(
    optimizer: OptimizerName,
    parameters: Parameters,
    delay: Annotated[
        str | None,
        typer.Option(
            metavar=INTEGERS,
            help="The number of updates between reading and applying: one, a list 0,4,8, or a "
            "range 0:64 or 0:64:8 with both ends; 0 by default.",
        ),
    ] = None,
    lr: Annotated[
        str | None,
        typer.Option(
            "--lr",
            "--learning-rate",
            metavar=NUMBERS,
            help="A learning rate: also print the sharpest minimum that is stable with it.",
        ),
    ] = None,
    sharpness: Annotated[
        str | None,
        typer.Option(
            metavar=NUMBERS, help="A sharpness: also print the largest stable learning rate."
        ),
    ] = None,
    curvature_noise: Noise = "0",
    decay: Decay = None,
    coupled: Coupled = False,
    fresh_share: Annotated[
        str | None,
        typer.Option(
            metavar=NUMBERS,
            help="The share of the present weights in the point at which a gradient is taken.",
        ),
    ] = None,
    delay_log: DelayLog = None,
    column: Columns = None,
    bounded_delay: Annotated[
        str | None,
        typer.Option(
            metavar=INTEGERS,
            help="The longest delay, for every sequence of delays up to it, instead of --delay.",
        ),
    ] = None,
) -> Answer:
    """Find the largest stable gain: learning rate times sharpness.

    A log of delays is replayed in its order, and compared with independent delays of the same
    frequencies, in the mean and in the mean square, and with two single delays. With
    --bounded-delay the threshold is safe for every sequence of delays up to a longest one.
    """
    chosen = optimizer_of(optimizer, parameters)
    noise = number("curvature-noise", curvature_noise)
    if bounded_delay is not None and (noise or delay or delay_log or column):
        raise RefusedError("bounded-delay must be given without delay, delay-log and noise")
    lag, about_delay = delay_or_log(delay, delay_log, column)
    values = {**described(chosen), **about_delay}
    if noise:
        values["curvature_noise"] = noise
    decayed = _decayed(decay, coupled)
    values |= decayed
    read = _partly_fresh(lag, fresh_share)
    if fresh_share is not None:
        values["fresh_share"] = number("fresh-share", fresh_share)
    if bounded_delay is not None:
        if fresh_share is not None:
            raise RefusedError("fresh-share must not be given beside bounded-delay; got both")
        found = _for_every_sequence(chosen, bounded_delay, decayed)
        values = {**described(chosen), **decayed, **found}
        edge = values["threshold"]
    elif isinstance(lag, int):
        edge = bounds.stability_threshold(chosen, read, curvature_noise=noise, **decayed)
        values["threshold"] = edge
        if noise:
            values["lr_times_batch_sharpness"] = edge * (1 + noise)
    else:
        values |= _log_thresholds(chosen, lag, noise, decayed)
        edge = values["replayed_threshold"]
        if noise:
            edge = min(edge, values["mean_square_threshold_of_independent_delays"])
    values |= _about_run(edge, lr, sharpness)
    return Answer("Stability threshold of lr * sharpness", values)


def _about_run(edge: float, lr: str | None, sharpness: str | None) -> dict[str, Any]:
    """What a threshold says about a learning rate, a sharpness, and a run with both."""
    values: dict[str, Any] = {}
    if lr is not None:
        values["lr"] = number("lr", lr)
        values["max_sharpness"] = edge / float(positive("lr", values["lr"]))
    if sharpness is not None:
        values["sharpness"] = number("sharpness", sharpness)
        values["max_learning_rate"] = edge / float(positive("sharpness", values["sharpness"]))
    if lr is not None and sharpness is not None:
        values["stable"] = values["lr"] * values["sharpness"] < edge
    return values


@answering
def adjust(
    optimizer: OptimizerName,
    lr: Annotated[
        str,
        typer.Option(
            "--lr", "--learning-rate", metavar=NUMBERS, help="The rate used with the old delay."
        ),
    ],
    new_delay: Annotated[str, typer.Option(metavar=INTEGERS, help="The new delay.")],
    parameters: Parameters,
    new_parameters: Parameters,
    delay: Annotated[str, typer.Option(metavar=INTEGERS, help="The old delay.")] = "0",
    new_optimizer: Annotated[
        str | None,
        typer.Option(
            metavar="OPTIMIZER",
            help="The new optimizer, a name or an object; the same as before by default.",
            autocompletion=optimizer_names,
        ),
    ] = None,
    curvature_noise: Noise = "0",
    decay: Decay = None,
    new_decay: Annotated[
        str | None,
        typer.Option(
            metavar=NUMBERS, help="The decay with the new delay; the same as before by default."
        ),
    ] = None,
    coupled: Coupled = False,
    sharpness: Annotated[
        str | None,
        typer.Option(
            metavar=NUMBERS,
            help="The sharpness in the old run: the rate falls only as far as it needs.",
        ),
    ] = None,
) -> Answer:
    """Find the learning rate that keeps the accessible minima under a new delay or optimizer.

    It assumes a run at its edge of stability, unless --sharpness says where it was.
    """
    before = optimizer_of(optimizer, parameters)
    if new_optimizer is None and not new_parameters:
        after = before
    elif new_optimizer is None:
        after = optimizer_of(before.name, {**before.parameters, **new_parameters})
    else:
        kept = shared(new_optimizer, {**before.parameters, **new_parameters})
        after = optimizer_of(new_optimizer, {**kept, **new_parameters}, argument="new-optimizer")
    old, new = integer("delay", delay), integer("new-delay", new_delay)
    old_lr, noise = number("lr", lr), number("curvature-noise", curvature_noise)
    measured = None if sharpness is None else number("sharpness", sharpness)
    later = None if new_decay is None else number("new-decay", new_decay)
    decayed = _decayed("0" if later is not None and decay is None else decay, coupled)
    told = {"curvature_noise": noise, **decayed}
    values: dict[str, Any] = {
        **described(before),
        "delay": old,
        "lr": old_lr,
        **decayed,
        **{f"new_{key}": value for key, value in described(after).items()},
        "new_delay": new,
        **({} if later is None else {"new_decay": later}),
        "new_lr": bounds.adjust_learning_rate(
            old_lr, before, old, new, after, sharpness=measured, new_decay=later, **told
        ),
        "max_sharpness": bounds.max_sharpness(old_lr, before, old, **told),
    }
    if measured is None:
        return Answer("Learning rate for the same accessible minima", values)
    values["sharpness"] = measured
    return Answer("Learning rate for minima of this sharpness", values)
