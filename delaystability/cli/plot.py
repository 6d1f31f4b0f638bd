"""Pictures: ``delaystability plot map``, ``roots``, ``rule``, ``escape`` and others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from delaystability.cli.optimizer_options import (
    Parameters,
    number,
    optimizer_of,
    shared,
    with_parameters,
)
from delaystability.cli.options import (
    CATALOGUE_NAMES,
    Columns,
    Noise,
    integer,
    measured_delay,
)
from delaystability.cli.picture_file import drawing_for, output_option, two_panels, write_picture
from delaystability.cli.terminal import RefusedError, clear_errors
from delaystability.model.arguments import positive
from delaystability.model.catalogue import CATALOGUE, Optimizer
from delaystability.model.recognised_adaptive import ADAPTIVE

__all__ = ["plot"]

plot = typer.Typer(
    help="Draw a picture into a .png, .pdf or .svg file.",
    no_args_is_help=True,
    add_completion=False,
)

OptimizerOption = Annotated[str, typer.Option(help=f"One of: {CATALOGUE_NAMES}.")]
Sharpness = Annotated[
    str | None, typer.Option(help="Show learning rates for a minimum of this sharpness.")
]
Size = Annotated[str, typer.Option(help="column (3.3 in), page (6.8 in) or slide (10 in).")]


def _optimizer(name: str, parameters: Parameters) -> Optimizer:
    """The optimizer; what it needs and is not given has an ordinary value, such as momentum 0.9."""
    if name not in CATALOGUE:
        return optimizer_of(name, parameters)
    ordinary = CATALOGUE[name].example()
    needed = {key: str(getattr(ordinary, key)) for key in ordinary.required_parameters()}
    return optimizer_of(name, {**needed, **parameters})


def _optional(argument: str, text: str | None) -> float | None:
    return None if text is None else number(argument, text)


@plot.command("map")
@with_parameters
def map_(
    parameters: Parameters,
    optimizer: OptimizerOption = "sgd",
    over: Annotated[str, typer.Option(help="The horizontal axis: delay or momentum.")] = "delay",
    delay: Annotated[
        str | None,
        typer.Option(help="Delay of the marked run; with --over momentum, of all runs (then 4)."),
    ] = None,
    longest_delay: Annotated[str, typer.Option(help="End of the delay axis.")] = "32",
    lr: Annotated[str | None, typer.Option(help="Mark a run with this learning rate.")] = None,
    sharpness: Sharpness = None,
    size: Size = "column",
    output: Annotated[Path, output_option("map")] = Path("map.png"),
) -> None:
    """Show which learning rates are stable over delay or momentum, and how fast runs settle."""
    with clear_errors():
        drawing = drawing_for(output)
        rate, curvature = _optional("lr", lr), _optional("sharpness", sharpness)
        if rate is not None:
            positive("lr", rate)
        chosen = _optimizer(optimizer, parameters)
        style: dict[str, Any] = {"sharpness": curvature, "size": size}
        if over == "momentum":
            if rate is not None:
                style["run"] = (chosen.parameters.get("momentum", 0.0), rate)
            lag = integer("delay", "4" if delay is None else delay)
            axes = drawing.momentum_map(chosen, lag, **style)
        elif over == "delay":
            last, lag = integer("longest-delay", longest_delay), integer("delay", delay or "0")
            if rate is not None:
                style["run"] = (lag, rate)
                last = max(last, lag)
            if last < 1:
                raise RefusedError(f"longest-delay must be an integer >= 1; got {last}")
            delays = np.unique(np.linspace(0, last, min(last, 128) + 1).round().astype(int))
            axes = drawing.stability_map(chosen, delays, **style)
        else:
            raise RefusedError(f"over must be delay or momentum; got {over!r}")
        write_picture(axes, output)


@plot.command()
@with_parameters
def roots(
    parameters: Parameters,
    optimizer: OptimizerOption = "sgd",
    delay: Annotated[str, typer.Option(help="Updates between reading and applying.")] = "4",
    largest_gain: Annotated[
        str | None, typer.Option(help="Follow the roots up to this lr * sharpness.")
    ] = None,
    size: Size = "column",
    output: Annotated[Path, output_option("roots")] = Path("roots.png"),
) -> None:
    """Show where the roots of the characteristic polynomial go as the learning rate grows."""
    with clear_errors():
        drawing = drawing_for(output)
        axes = drawing.root_locus(
            _optimizer(optimizer, parameters),
            integer("delay", delay),
            largest_gain=_optional("largest-gain", largest_gain),
            size=size,
        )
        write_picture(axes, output)


@plot.command()
@with_parameters
def rule(
    parameters: Parameters,
    optimizer: Annotated[
        list[str] | None,
        typer.Option(help=f"One of: {CATALOGUE_NAMES}. The first is the reference."),
    ] = None,
    lr: Annotated[str, typer.Option(help="Learning rate of the reference without delay.")] = "1",
    longest_delay: Annotated[str, typer.Option(help="End of the delay axis.")] = "256",
    size: Size = "column",
    output: Annotated[Path, output_option("rule")] = Path("rule.png"),
) -> None:
    """Show learning rates that keep the accessible minima as the delay grows, raw and effective."""
    with clear_errors():
        drawing = drawing_for(output)
        names = optimizer or ["sgd", "heavy-ball", "shifted-momentum"]
        # SGD may be drawn among others with a momentum; alone, it refuses one.
        known = {argument for name in names for argument in shared(name, parameters)}
        surplus = {k: text for k, text in parameters.items() if k not in known}
        chosen = [_optimizer(name, {**shared(name, parameters), **surplus}) for name in names]
        last = integer("longest-delay", longest_delay)
        if last < 2:
            raise RefusedError(f"longest-delay must be an integer >= 2; got {last}")
        delays = np.unique(np.geomspace(1, last + 1, 60).round().astype(int)) - 1
        with two_panels(drawing, size) as panels:
            for axes, effective in zip(panels, (False, True), strict=True):
                drawing.adjustment_rule(
                    chosen, delays, lr=number("lr", lr), effective=effective, axes=axes
                )
            panels[1].set_title("")
            panels[0].get_legend().remove()
        write_picture(panels[0], output)


@plot.command()
@with_parameters
def shares(
    parameters: Parameters,
    optimizer: OptimizerOption = "sgd",
    delay: Annotated[
        list[str] | None, typer.Option(help="1, 4 and 16 by default; several times for several.")
    ] = None,
    size: Size = "column",
    output: Annotated[Path, output_option("shares")] = Path("shares.png"),
) -> None:
    """Show what a share of fresh weights in every gradient is worth."""
    with clear_errors():
        drawing = drawing_for(output)
        lags = [integer("delay", text) for text in delay or ["1", "4", "16"]]
        axes = drawing.partly_fresh(_optimizer(optimizer, parameters), lags, size=size)
        write_picture(axes, output)


@plot.command()
@with_parameters
def sequences(
    parameters: Parameters,
    optimizer: OptimizerOption = "sgd",
    longest_delay: Annotated[str, typer.Option(help="End of the delay axis.")] = "32",
    size: Size = "column",
    output: Annotated[Path, output_option("sequences")] = Path("sequences.png"),
) -> None:
    """Show what is stable for every sequence of delays up to a longest one."""
    with clear_errors():
        drawing = drawing_for(output)
        last = integer("longest-delay", longest_delay)
        if last < 1:
            raise RefusedError(f"longest-delay must be an integer >= 1; got {last}")
        delays = np.unique(np.linspace(1, last, min(last, 32)).round().astype(int))
        axes = drawing.any_sequence(_optimizer(optimizer, parameters), delays, size=size)
        write_picture(axes, output)


@plot.command()
@with_parameters
def outer(
    parameters: Parameters,
    optimizer: OptimizerOption = "nesterov",
    delay: Annotated[
        list[str] | None,
        typer.Option(help="Outer steps; 0, 1, 2 and 4 by default; several times for several."),
    ] = None,
    inner_learning_rate: Annotated[str, typer.Option(help="Of inner steps.")] = "0.01",
    inner_steps: Annotated[str, typer.Option(help="Inner steps of a round.")] = "100",
    outer_learning_rate: Annotated[str | None, typer.Option(help="Mark this one.")] = None,
    size: Size = "column",
    output: Annotated[Path, output_option("outer")] = Path("outer.png"),
) -> None:
    """Show which outer learning rates are stable in which directions, if outer steps are late."""
    from delaystability.questions.outer_loop import OuterLoop

    with clear_errors():
        drawing = drawing_for(output)
        chosen = _optimizer(optimizer, parameters)
        inner = number("inner-learning-rate", inner_learning_rate)
        steps = integer("inner-steps", inner_steps)
        lags = [integer("delay", text) for text in delay or ["0", "1", "2", "4"]]
        loops = {
            "on time" if not lag else f"late by {lag}": OuterLoop(chosen, inner, steps, delay=lag)
            for lag in lags
        }
        rate = _optional("outer-learning-rate", outer_learning_rate)
        write_picture(drawing.outer_loops(loops, rate=rate, size=size), output)


@plot.command()
def oscillation(
    optimizer: Annotated[
        list[str] | None,
        typer.Option(help=f"One of: {', '.join(ADAPTIVE)}; several times for several."),
    ] = None,
    delay: Annotated[
        list[str] | None,
        typer.Option(help="0, 1, 2, 4, 8 and 16 by default; several times for several."),
    ] = None,
    starts: Annotated[str, typer.Option(help="Mark so many simulated runs, as their rms.")] = "0",
    size: Size = "column",
    output: Annotated[Path, output_option("oscillation")] = Path("oscillation.png"),
) -> None:
    """Show how far weights swing with adaptive and sign optimizers, and what it costs."""
    with clear_errors():
        drawing = drawing_for(output)
        if unknown := [name for name in optimizer or [] if name not in ADAPTIVE]:
            raise RefusedError(
                f"optimizer must be one of {', '.join(ADAPTIVE)}; got {unknown[0]!r}"
            )
        chosen = [ADAPTIVE[name]() for name in optimizer] if optimizer else None
        lags = [integer("delay", text) for text in delay or ["0", "1", "2", "4", "8", "16"]]
        count = integer("starts", starts)
        with two_panels(drawing, size) as panels:
            for axes, loss in zip(panels, (False, True), strict=True):
                drawing.oscillations(chosen, lags, loss=loss, starts=count, axes=axes)
            panels[1].set_title("")
            panels[0].get_legend().remove()
        write_picture(panels[0], output)


@plot.command()
def speed(
    delay: Annotated[
        list[str] | None,
        typer.Option(help="1, 2, 4, 8, 16 and 32 by default; several times for several."),
    ] = None,
    condition_number: Annotated[
        list[str] | None,
        typer.Option(help="100 by default; several times for several, beside one delay."),
    ] = None,
    nats: Annotated[
        bool, typer.Option("--nats", help="Nats an update in place of the share of the limit.")
    ] = False,
    size: Size = "column",
    output: Annotated[Path, output_option("speed")] = Path("speed.png"),
) -> None:
    """Show how fast the best setting of each optimizer is, beside the limit of all methods."""
    with clear_errors():
        drawing = drawing_for(output)
        lags = [integer("delay", text) for text in delay or ["1", "2", "4", "8", "16", "32"]]
        numbers = [number("condition-number", text) for text in condition_number or ["100"]]
        write_picture(drawing.speed(lags, numbers, share=not nats, size=size), output)


@plot.command()
@with_parameters
def batches(
    parameters: Parameters,
    optimizer: OptimizerOption = "sgd",
    delay: Annotated[
        list[str] | None, typer.Option(help="0, 1, 4 and 16 by default; several times for several.")
    ] = None,
    size: Size = "column",
    output: Annotated[Path, output_option("batches")] = Path("batches.png"),
) -> None:
    """Show the batch sharpness at which small batches, and not the delay, limit the rate."""
    with clear_errors():
        drawing = drawing_for(output)
        lags = [integer("delay", text) for text in delay or ["0", "1", "4", "16"]]
        axes = drawing.batch_edge(_optimizer(optimizer, parameters), lags, size=size)
        write_picture(axes, output)


@plot.command()
@with_parameters
def escape(
    parameters: Parameters,
    optimizer: OptimizerOption = "sgd",
    delay: Annotated[
        list[str] | None, typer.Option(help="0, 1, 4 and 16 by default; several times for several.")
    ] = None,
    measured: Annotated[
        Path | None, typer.Option(help="The SQLite file of `validate escape`: adds its runs.")
    ] = None,
    size: Size = "column",
    output: Annotated[Path, output_option("escape")] = Path("escape.png"),
) -> None:
    """Show how fast a run leaves a minimum above the largest stable learning rate."""
    with clear_errors():
        drawing = drawing_for(output)
        chosen = _optimizer(optimizer, parameters)
        runs = None if measured is None else drawing.read_rates(measured, chosen)
        lags = [integer("delay", text) for text in delay or []]
        lags = lags or (list(runs)[:7] if runs else [0, 1, 4, 16])
        shown = {lag: values for lag, values in (runs or {}).items() if lag in lags}
        axes = drawing.escape(chosen, lags, measured=shown or None, size=size)
        write_picture(axes, output)


@plot.command()
@with_parameters
def histogram(
    log: Annotated[
        Path, typer.Argument(help="A file of measured delays (CSV, also .gz).", show_default=False)
    ],
    parameters: Parameters,
    column: Columns = None,
    optimizer: OptimizerOption = "sgd",
    sharpness: Sharpness = None,
    curvature_noise: Noise = "0",
    size: Size = "column",
    output: Annotated[Path, output_option("histogram")] = Path("histogram.png"),
) -> None:
    """Show measured delays, and the largest stable learning rates that they imply."""
    with clear_errors():
        drawing = drawing_for(output)
        delay = measured_delay(log, column)
        with two_panels(drawing, size) as panels:
            drawing.staleness_histogram(delay, axes=panels[0])
            drawing.implied_thresholds(
                _optimizer(optimizer, parameters),
                delay,
                sharpness=_optional("sharpness", sharpness),
                curvature_noise=number("curvature-noise", curvature_noise),
                axes=panels[1],
            )
        write_picture(panels[0], output)


@plot.command()
def measured(
    results: Annotated[
        Path,
        typer.Argument(
            help="The .json of the experiment edge or momentum, or the .sqlite of escape, "
            "momentum or noise.",
            show_default=False,
        ),
    ],
    ratio: Annotated[bool, typer.Option("--ratio", help="Measured over predicted.")] = False,
    size: Size = "column",
    output: Annotated[Path, output_option("measured")] = Path("measured.png"),
) -> None:
    """Compare what an experiment measured with what was predicted."""
    with clear_errors():
        drawing = drawing_for(output)
        write_picture(drawing.measured(results, ratio=ratio, size=size), output)
