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
from delaystability.cli.terminal import RefusedError, clear_errors
from delaystability.files.output_files import checked_file as writable
from delaystability.files.output_files import write_files
from delaystability.model.arguments import positive
from delaystability.model.catalogue import CATALOGUE, Optimizer

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


def _output(name: str) -> Any:
    return typer.Option("--output", "-o", help=f"File to write: {name}.png, .pdf or .svg.")


def _drawing(output: Path) -> Any:
    """The package's pictures, once the name of the file is known to be good."""
    try:
        import delaystability.plot as drawing
        from delaystability.plot.style import checked_file
    except ImportError as error:
        raise RefusedError(str(error)) from None
    checked_file(output)
    writable("output", output)
    return drawing


def _write(picture: Any, output: Path) -> None:
    from delaystability.plot.style import picture_bytes

    write_files(output.parent, {output.name: picture_bytes(picture, output)})
    print(output)


def _optimizer(name: str, parameters: Parameters) -> Optimizer:
    """The optimizer; what it needs and is not given has an ordinary value, such as momentum 0.9."""
    if name not in CATALOGUE:
        return optimizer_of(name, parameters)
    ordinary = CATALOGUE[name].example()
    needed = {key: str(getattr(ordinary, key)) for key in ordinary.required_parameters()}
    return optimizer_of(name, {**needed, **parameters})


def _optional(argument: str, text: str | None) -> float | None:
    return None if text is None else number(argument, text)


def _two_panels(drawing: Any, size: str) -> Any:
    """One above the other where the sheet is narrow, and else side by side."""
    if size == "column":
        return drawing.sheet(1, 2, size=size, height=1.0)
    return drawing.sheet(2, 1, size=size, text=0.66, width=0.5)


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
    output: Annotated[Path, _output("map")] = Path("map.png"),
) -> None:
    """Show which learning rates are stable over delay or momentum, and how fast runs settle."""
    with clear_errors():
        drawing = _drawing(output)
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
        _write(axes, output)


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
    output: Annotated[Path, _output("roots")] = Path("roots.png"),
) -> None:
    """Show where the roots of the characteristic polynomial go as the learning rate grows."""
    with clear_errors():
        drawing = _drawing(output)
        axes = drawing.root_locus(
            _optimizer(optimizer, parameters),
            integer("delay", delay),
            largest_gain=_optional("largest-gain", largest_gain),
            size=size,
        )
        _write(axes, output)


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
    output: Annotated[Path, _output("rule")] = Path("rule.png"),
) -> None:
    """Show learning rates that keep the accessible minima as the delay grows, raw and effective."""
    with clear_errors():
        drawing = _drawing(output)
        names = optimizer or ["sgd", "heavy-ball", "shifted-momentum"]
        # SGD may be drawn among others with a momentum; alone, it refuses one.
        known = {argument for name in names for argument in shared(name, parameters)}
        surplus = {k: text for k, text in parameters.items() if k not in known}
        chosen = [_optimizer(name, {**shared(name, parameters), **surplus}) for name in names]
        last = integer("longest-delay", longest_delay)
        if last < 2:
            raise RefusedError(f"longest-delay must be an integer >= 2; got {last}")
        delays = np.unique(np.geomspace(1, last + 1, 60).round().astype(int)) - 1
        with _two_panels(drawing, size) as panels:
            for axes, effective in zip(panels, (False, True), strict=True):
                drawing.adjustment_rule(
                    chosen, delays, lr=number("lr", lr), effective=effective, axes=axes
                )
            panels[1].set_title("")
            panels[0].get_legend().remove()
        _write(panels[0], output)


@plot.command()
@with_parameters
def shares(
    parameters: Parameters,
    optimizer: OptimizerOption = "sgd",
    delay: Annotated[
        list[str] | None, typer.Option(help="1, 4 and 16 by default; several times for several.")
    ] = None,
    size: Size = "column",
    output: Annotated[Path, _output("shares")] = Path("shares.png"),
) -> None:
    """Show what a share of fresh weights in every gradient is worth."""
    with clear_errors():
        drawing = _drawing(output)
        lags = [integer("delay", text) for text in delay or ["1", "4", "16"]]
        axes = drawing.partly_fresh(_optimizer(optimizer, parameters), lags, size=size)
        _write(axes, output)


@plot.command()
@with_parameters
def sequences(
    parameters: Parameters,
    optimizer: OptimizerOption = "sgd",
    longest_delay: Annotated[str, typer.Option(help="End of the delay axis.")] = "32",
    size: Size = "column",
    output: Annotated[Path, _output("sequences")] = Path("sequences.png"),
) -> None:
    """Show what is stable for every sequence of delays up to a longest one."""
    with clear_errors():
        drawing = _drawing(output)
        last = integer("longest-delay", longest_delay)
        if last < 1:
            raise RefusedError(f"longest-delay must be an integer >= 1; got {last}")
        delays = np.unique(np.linspace(1, last, min(last, 32)).round().astype(int))
        axes = drawing.any_sequence(_optimizer(optimizer, parameters), delays, size=size)
        _write(axes, output)


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
    output: Annotated[Path, _output("escape")] = Path("escape.png"),
) -> None:
    """Show how fast a run leaves a minimum above the largest stable learning rate."""
    with clear_errors():
        drawing = _drawing(output)
        chosen = _optimizer(optimizer, parameters)
        runs = None if measured is None else drawing.read_rates(measured, chosen)
        lags = [integer("delay", text) for text in delay or []]
        lags = lags or (list(runs)[:7] if runs else [0, 1, 4, 16])
        shown = {lag: values for lag, values in (runs or {}).items() if lag in lags}
        axes = drawing.escape(chosen, lags, measured=shown or None, size=size)
        _write(axes, output)


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
    output: Annotated[Path, _output("histogram")] = Path("histogram.png"),
) -> None:
    """Show measured delays, and the largest stable learning rates that they imply."""
    with clear_errors():
        drawing = _drawing(output)
        delay = measured_delay(log, column)
        with _two_panels(drawing, size) as panels:
            drawing.staleness_histogram(delay, axes=panels[0])
            drawing.implied_thresholds(
                _optimizer(optimizer, parameters),
                delay,
                sharpness=_optional("sharpness", sharpness),
                curvature_noise=number("curvature-noise", curvature_noise),
                axes=panels[1],
            )
        _write(panels[0], output)


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
    output: Annotated[Path, _output("measured")] = Path("measured.png"),
) -> None:
    """Compare what an experiment measured with what was predicted."""
    with clear_errors():
        drawing = _drawing(output)
        _write(drawing.measured(results, ratio=ratio, size=size), output)
