"""Thresholds, and learning rates that keep the accessible minima."""

from __future__ import annotations

from functools import partial
from math import isfinite
from pathlib import Path
from typing import Annotated, Any

import typer

from delaystability.cli.completion import optimizer_names
from delaystability.cli.optimizer_options import (
    Parameters,
    described,
    number,
    optimizer_of,
    shared,
    with_parameters,
)
from delaystability.cli.options import (
    CATALOGUE_NAMES,
    Columns,
    Coupled,
    Decay,
    Json,
    Noise,
    OptimizerName,
    delay_or_log,
    integer,
)
from delaystability.cli.terminal import (
    RefusedError,
    clear_errors,
    print_values,
    warnings_in_one_line,
)
from delaystability.model.arguments import positive
from delaystability.model.bounded_delay import BoundedDelay
from delaystability.model.catalogue import Optimizer
from delaystability.model.delays import Delay, MeasuredDelay
from delaystability.model.loop import Loop
from delaystability.model.mixed_read import MixedRead
from delaystability.questions import bounds

__all__ = ["adjust", "threshold"]


def _decayed(decay: str, coupled: bool) -> dict[str, Any]:
    """What a question is told of weight decay; nothing where there is none."""
    amount = number("decay", decay)
    return {"decay": amount, "coupled": coupled} if amount or coupled else {}


def _partly_fresh(delay: int | MeasuredDelay, share: str | None) -> int | Delay:
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

    longest = integer("bounded-delay", bounded_delay)
    found = bounded_delay_threshold(Loop(optimizer, BoundedDelay(longest), **decayed))
    return {
        "longest_delay": longest,
        "threshold": found.sufficient,
        "known_by": found.method,
        "threshold_of_the_worst_sequence_found": found.necessary,
        "threshold_of_the_longest_delay": bounds.stability_threshold(optimizer, longest, **decayed),
    }


@with_parameters
def threshold(
    optimizer: OptimizerName,
    parameters: Parameters,
    delay: Annotated[
        str | None, typer.Option(help="Updates between reading and applying; 0 by default.")
    ] = None,
    lr: Annotated[str | None, typer.Option(help="Also print the sharpest stable minimum.")] = None,
    sharpness: Annotated[
        str | None, typer.Option(help="Also print the largest stable learning rate.")
    ] = None,
    curvature_noise: Noise = "0",
    decay: Decay = "0",
    coupled: Coupled = False,
    fresh_share: Annotated[
        str | None,
        typer.Option(
            help="Share of the present weights in the point at which a gradient is taken."
        ),
    ] = None,
    delay_log: Annotated[
        Path | None,
        typer.Option(help="A file of measured delays (CSV, also .gz) instead of --delay."),
    ] = None,
    column: Columns = None,
    bounded_delay: Annotated[
        str | None,
        typer.Option(help="Every sequence of delays up to this one, instead of --delay."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Find the largest stable gain: learning rate times sharpness.

    A log of delays is replayed in its order; beside it, the threshold of independent delays with
    its frequencies, in the mean and in the mean square, and those of two single delays. With
    --bounded-delay the threshold is safe for every sequence of delays up to a longest one.
    """
    with clear_errors():
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
        if lr is not None:
            values["lr"] = number("lr", lr)
            values["max_sharpness"] = edge / float(positive("lr", values["lr"]))
        if sharpness is not None:
            values["sharpness"] = number("sharpness", sharpness)
            checked = float(positive("sharpness", values["sharpness"]))
            values["max_learning_rate"] = edge / checked
        if lr is not None and sharpness is not None:
            values["stable"] = values["lr"] * values["sharpness"] < edge
        print_values(values, as_json, "Stability threshold of lr * sharpness")


@with_parameters
def adjust(
    optimizer: Annotated[
        str, typer.Option(help=f"One of: {CATALOGUE_NAMES}.", autocompletion=optimizer_names)
    ],
    lr: Annotated[str, typer.Option(help="Learning rate used with the old delay.")],
    delay: Annotated[str, typer.Option(help="The old delay.")],
    new_delay: Annotated[str, typer.Option(help="The new delay.")],
    parameters: Parameters,
    new_parameters: Parameters,
    new_optimizer: Annotated[
        str | None,
        typer.Option(
            help="The new optimizer; the same by default.", autocompletion=optimizer_names
        ),
    ] = None,
    curvature_noise: Noise = "0",
    decay: Decay = "0",
    new_decay: Annotated[
        str | None, typer.Option(help="With the new delay; the same by default.")
    ] = None,
    coupled: Coupled = False,
    sharpness: Annotated[
        str | None,
        typer.Option(help="Sharpness in the old run: the rate falls only as far as it needs."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Find the learning rate that keeps the accessible minima under a new delay or optimizer.

    It assumes a run at its edge of stability, unless --sharpness says where it was.
    """
    with clear_errors(), warnings_in_one_line():
        before = optimizer_of(optimizer, parameters)
        name = new_optimizer or optimizer
        after = optimizer_of(name, {**shared(name, parameters), **new_parameters})
        old, new = integer("delay", delay), integer("new-delay", new_delay)
        old_lr, noise = number("lr", lr), number("curvature-noise", curvature_noise)
        measured = None if sharpness is None else number("sharpness", sharpness)
        decayed = _decayed(decay, coupled)
        later = None if new_decay is None else number("new-decay", new_decay)
        values: dict[str, Any] = {
            **described(before),
            "delay": old,
            "lr": old_lr,
            **decayed,
            **{f"new_{key}": value for key, value in described(after).items()},
            "new_delay": new,
            **({} if later is None else {"new_decay": later}),
            "new_lr": bounds.adjust_learning_rate(
                old_lr,
                before,
                old,
                new,
                after,
                curvature_noise=noise,
                sharpness=measured,
                new_decay=later,
                **decayed,
            ),
            "max_sharpness": bounds.max_sharpness(
                old_lr, before, old, curvature_noise=noise, **decayed
            ),
        }
        if measured is None:
            print_values(values, as_json, "Learning rate for the same accessible minima")
            return
        values["sharpness"] = measured
        print_values(values, as_json, "Learning rate for minima of this sharpness")
