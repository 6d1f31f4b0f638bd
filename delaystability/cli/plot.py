"""Pictures: ``delaystability plot map``, ``roots``, ``rule``, ``escape`` and others."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from delaystability.cli.completion import optimizer_names
from delaystability.cli.optimizer_options import Parameters
from delaystability.cli.optimizers import number, shared
from delaystability.cli.options import (
    CATALOGUE_NAMES,
    Columns,
    Noise,
    integer,
    measured_delay,
)
from delaystability.cli.pictures import (
    LongestDelay,
    OptimizerOption,
    Sharpness,
    delay_of,
    delays_of,
    delays_option,
    optional_number,
    ordinary_optimizer,
    plot,
    two_panels,
)
from delaystability.cli.several import parts
from delaystability.cli.terminal import RefusedError, progress_bars
from delaystability.model.arguments import positive

__all__ = ["plot"]

_LONGEST = 1_000_000
"""Delay of maps and sequences, which beyond it would take minutes."""


@plot.command("map")
def map_(
    drawing: Any,
    size: str,
    parameters: Parameters,
    optimizer: OptimizerOption = "sgd",
    over: Annotated[
        str, typer.Option(metavar="AXIS", help="The horizontal axis: delay or momentum.")
    ] = "delay",
    delay: Annotated[
        str | None,
        typer.Option(
            metavar="INTEGER",
            help="The delay of the marked run, 0 by default; with --over momentum of all runs, "
            "then 4 by default.",
        ),
    ] = None,
    longest_delay: Annotated[
        str | None,
        typer.Option(metavar="INTEGER", help="The end of the delay axis, 32 by default."),
    ] = None,
    lr: Annotated[
        str | None,
        typer.Option(
            "--lr",
            "--learning-rate",
            metavar="NUMBER",
            help="The learning rate of a run that is marked.",
        ),
    ] = None,
    sharpness: Sharpness = None,
) -> Any:
    """Show which learning rates are stable over delay or momentum, and how fast runs settle."""
    rate, curvature = optional_number("lr", lr), optional_number("sharpness", sharpness)
    if rate is not None:
        positive("lr", rate)
    chosen = ordinary_optimizer(optimizer, parameters)
    style: dict[str, Any] = {"sharpness": curvature, "size": size}
    if over not in ("delay", "momentum"):
        raise RefusedError(f"over must be delay or momentum; got {over!r}")
    if over == "momentum":
        if longest_delay is not None:
            raise RefusedError("longest-delay must be given with --over delay only")
        if rate is not None:
            style["run"] = (chosen.parameters.get("momentum", 0.0), rate)
        elif "momentum" in parameters:
            raise RefusedError("momentum must be given beside lr only, whose run it marks")
        lag = integer("delay", "4" if delay is None else delay)
        return drawing.momentum_map(chosen, lag, **style)
    last = integer("longest-delay", "32" if longest_delay is None else longest_delay, 1, _LONGEST)
    lag = integer("delay", "0" if delay is None else delay, 0, _LONGEST)
    if delay is not None and rate is None:
        raise RefusedError("delay must be given beside lr, whose run it marks, or --over momentum")
    if rate is not None:
        style["run"] = (lag, rate)
        last = max(last, lag)
    delays = np.unique(np.linspace(0, last, min(last, 128) + 1).round().astype(int))
    return drawing.stability_map(chosen, delays, **style)


@plot.command()
def roots(
    drawing: Any,
    size: str,
    parameters: Parameters,
    optimizer: OptimizerOption = "sgd",
    delay: Annotated[
        str,
        typer.Option(metavar="INTEGER", help="The number of updates between reading and applying."),
    ] = "4",
    largest_gain: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER", help="The lr * sharpness up to which the roots are followed."
        ),
    ] = None,
) -> Any:
    """Show where the roots of the characteristic polynomial go as the learning rate grows."""
    return drawing.root_locus(
        ordinary_optimizer(optimizer, parameters),
        integer("delay", delay),
        largest_gain=optional_number("largest-gain", largest_gain),
        size=size,
    )


@plot.command()
def rule(
    drawing: Any,
    size: str,
    parameters: Parameters,
    optimizer: Annotated[
        list[str] | None,
        typer.Option(
            metavar="OPTIMIZER",
            help=f"One of {CATALOGUE_NAMES}, or an object such as 'HeavyBall(0.9)'; several with "
            "commas between, of which the first is the reference.",
            autocompletion=optimizer_names,
        ),
    ] = None,
    lr: Annotated[
        str,
        typer.Option(
            "--lr",
            "--learning-rate",
            metavar="NUMBER",
            help="The learning rate of the reference without delay.",
        ),
    ] = "1",
    longest_delay: LongestDelay = "256",
) -> Any:
    """Show learning rates that keep the accessible minima as the delay grows, raw and effective."""
    names = [name for text in optimizer or () for name in parts(text)]
    names = [*dict.fromkeys(names)] or ["sgd", "heavy-ball", "shifted-momentum"]
    # SGD may be drawn among others with a momentum; alone, it refuses one.
    known = {argument for name in names for argument in shared(name, parameters)}
    surplus = {k: text for k, text in parameters.items() if k not in known}
    chosen = [ordinary_optimizer(name, {**shared(name, parameters), **surplus}) for name in names]
    last = delay_of("longest-delay", longest_delay, 2)
    delays = np.unique(np.geomspace(1, last + 1, 60).round().astype(int)) - 1
    with two_panels(drawing, size) as panels:
        for axes, effective in zip(panels, (False, True), strict=True):
            drawing.adjustment_rule(
                chosen, delays, lr=number("lr", lr), effective=effective, axes=axes
            )
        panels[1].set_title("")
        panels[0].get_legend().remove()
    return panels[0]


@plot.command()
def shares(
    drawing: Any,
    size: str,
    parameters: Parameters,
    optimizer: OptimizerOption = "sgd",
    delay: Annotated[list[str] | None, delays_option("1,4,16")] = None,
) -> Any:
    """Show what a share of fresh weights in every gradient is worth."""
    lags = delays_of(delay, [1, 4, 16])
    return drawing.partly_fresh(ordinary_optimizer(optimizer, parameters), lags, size=size)


@plot.command()
def sequences(
    drawing: Any,
    size: str,
    parameters: Parameters,
    optimizer: OptimizerOption = "sgd",
    longest_delay: LongestDelay = "32",
) -> Any:
    """Show what is stable for every sequence of delays up to a longest one."""
    last = integer("longest-delay", longest_delay, 1, _LONGEST)
    delays = np.unique(np.linspace(1, last, min(last, 32)).round().astype(int))
    chosen = ordinary_optimizer(optimizer, parameters)
    with progress_bars() as progress:
        return drawing.any_sequence(
            chosen, delays, size=size, progress=partial(progress, "sequences")
        )


@plot.command()
def escape(
    drawing: Any,
    size: str,
    parameters: Parameters,
    optimizer: OptimizerOption = "sgd",
    delay: Annotated[list[str] | None, delays_option("0,1,4,16")] = None,
    measured: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The SQLite file of `validate escape`, to add its runs."),
    ] = None,
) -> Any:
    """Show how fast a run leaves a minimum above the largest stable learning rate."""
    chosen = ordinary_optimizer(optimizer, parameters)
    runs = None if measured is None else drawing.read_rates(measured, chosen)
    lags = delays_of(delay, list(runs)[:7] if runs else [0, 1, 4, 16])
    shown = {lag: values for lag, values in (runs or {}).items() if lag in lags}
    if runs and not shown:
        measured_lags = ", ".join(map(str, runs))
        raise RefusedError(f"delay must be one of those in measured, {measured_lags}; got {lags}")
    return drawing.escape(chosen, lags, measured=shown or None, size=size)


@plot.command()
def histogram(
    drawing: Any,
    size: str,
    log: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="A file of measured delays (CSV, also .gz).", show_default=False
        ),
    ],
    parameters: Parameters,
    column: Columns = None,
    optimizer: OptimizerOption = "sgd",
    sharpness: Sharpness = None,
    curvature_noise: Noise = "0",
) -> Any:
    """Show measured delays, and the largest stable learning rates that they imply."""
    delay = measured_delay(log, column)
    with two_panels(drawing, size) as panels:
        drawing.staleness_histogram(delay, axes=panels[0])
        drawing.implied_thresholds(
            ordinary_optimizer(optimizer, parameters),
            delay,
            sharpness=optional_number("sharpness", sharpness),
            curvature_noise=number("curvature-noise", curvature_noise),
            axes=panels[1],
        )
    return panels[0]


@plot.command()
def measured(
    drawing: Any,
    size: str,
    results: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="The .json of the experiment edge or momentum, or the .sqlite of escape, "
            "momentum or noise.",
            show_default=False,
        ),
    ],
    ratio: Annotated[bool, typer.Option("--ratio", help="Show measured over predicted.")] = False,
) -> Any:
    """Compare what an experiment measured with what was predicted."""
    return drawing.measured(results, ratio=ratio, size=size)
