"""The command ``delaystability``: thresholds, learning rates, derivations, certificates, checks."""

from __future__ import annotations

import sys
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from delaystability import __version__, bounds
from delaystability.arguments import positive
from delaystability.delays import MeasuredDelay
from delaystability.optimizers import CATALOGUE, Optimizer, optimizer_from_name
from delaystability.terminal import RefusedError, clear_errors, print_values, progress_bars

__all__ = ["app", "main"]

app = typer.Typer(
    help="Stability thresholds of neural-network training with delayed gradients.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
_NAMES = ", ".join(CATALOGUE)

OptimizerName = Annotated[str, typer.Argument(help=f"One of: {_NAMES}.", show_default=False)]
Momentum = Annotated[str | None, typer.Option(help="Momentum, between -1 and 1.")]
Noise = Annotated[
    str, typer.Option(help="Variance of the mini-batch curvature over its squared mean.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def _number(argument: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise RefusedError(f"{argument} must be a number; got {text!r}") from None


def _integer(argument: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise RefusedError(f"{argument} must be an integer >= 0; got {text!r}") from None


def _optimizer(name: str, momentum: str | None, *, exact: bool = False) -> Optimizer:
    parameters: dict[str, Any] = {}
    if momentum is not None:
        value = _number("momentum", momentum)
        # A decimal on the command line means the decimal number, not its binary neighbour.
        finite = abs(value) < float("inf")
        parameters["momentum"] = Fraction(momentum) if exact and finite else value
    return optimizer_from_name(name, **parameters)


def _described(optimizer: Optimizer) -> dict[str, Any]:
    return {"optimizer": optimizer.name, **optimizer.parameters}


def _measured(path: Path) -> MeasuredDelay:
    return MeasuredDelay.from_log(path)


def _delay_described(delay: Any) -> dict[str, Any]:
    if isinstance(delay, int):
        return {"delay": delay}
    return {"mean_delay": float(delay.mean), "longest_delay": int(delay.maximum)}


def _log_thresholds(optimizer: Optimizer, delay: MeasuredDelay, noise: float) -> dict[str, Any]:
    """The threshold of a measured delay, beside what simpler readings of the log would give."""
    threshold = bounds.stability_threshold
    return {
        "threshold": threshold(optimizer, delay, moment="mean", curvature_noise=noise),
        "mean_square_threshold": threshold(
            optimizer, delay, moment="mean-square", curvature_noise=noise
        ),
        "threshold_of_the_rounded_mean_delay": threshold(optimizer, round(float(delay.mean))),
        "threshold_of_the_longest_delay": threshold(optimizer, int(delay.maximum)),
    }


@app.callback(invoke_without_command=True)
def _global(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        print(f"delaystability {__version__}")
        raise typer.Exit


@app.command()
def threshold(
    optimizer: OptimizerName,
    momentum: Momentum = None,
    delay: Annotated[str, typer.Option(help="Updates between reading and applying.")] = "0",
    lr: Annotated[str | None, typer.Option(help="Also print the sharpest stable minimum.")] = None,
    sharpness: Annotated[
        str | None, typer.Option(help="Also print the largest stable learning rate.")
    ] = None,
    curvature_noise: Noise = "0",
    delay_log: Annotated[
        Path | None, typer.Option(help="Measured delays (CSV) instead of --delay.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Largest stable gain: learning rate times sharpness."""
    with clear_errors():
        chosen = _optimizer(optimizer, momentum)
        noise = _number("curvature-noise", curvature_noise)
        lag: Any = _integer("delay", delay) if delay_log is None else _measured(delay_log)
        values = {**_described(chosen), **_delay_described(lag)}
        if noise:
            values["curvature_noise"] = noise
        if delay_log is None:
            values["threshold"] = bounds.stability_threshold(chosen, lag, curvature_noise=noise)
        else:
            values |= _log_thresholds(chosen, lag, noise)
        if lr is not None:
            values["lr"] = _number("lr", lr)
            values["max_sharpness"] = values["threshold"] / float(positive("lr", values["lr"]))
        if sharpness is not None:
            values["sharpness"] = _number("sharpness", sharpness)
            checked = float(positive("sharpness", values["sharpness"]))
            values["max_learning_rate"] = values["threshold"] / checked
        if lr is not None and sharpness is not None:
            values["stable"] = values["lr"] * values["sharpness"] < values["threshold"]
        print_values(values, as_json, "Stability threshold of lr * sharpness")


@app.command()
def adjust(
    optimizer: Annotated[str, typer.Option(help=f"One of: {_NAMES}.")],
    lr: Annotated[str, typer.Option(help="Learning rate used with the old delay.")],
    delay: Annotated[str, typer.Option(help="The old delay.")],
    new_delay: Annotated[str, typer.Option(help="The new delay.")],
    momentum: Momentum = None,
    new_optimizer: Annotated[
        str | None, typer.Option(help="The new optimizer; the same by default.")
    ] = None,
    new_momentum: Annotated[
        str | None, typer.Option(help="The new momentum; the same by default.")
    ] = None,
    curvature_noise: Noise = "0",
    as_json: Json = False,
) -> None:
    """The learning rate that keeps the accessible minima under a new delay or optimizer."""
    with clear_errors():
        before = _optimizer(optimizer, momentum)
        name = new_optimizer or optimizer
        kept = momentum if name in CATALOGUE and CATALOGUE[name] is not CATALOGUE["sgd"] else None
        after = _optimizer(name, new_momentum if new_momentum is not None else kept)
        old, new = _integer("delay", delay), _integer("new-delay", new_delay)
        old_lr, noise = _number("lr", lr), _number("curvature-noise", curvature_noise)
        values: dict[str, Any] = {
            **_described(before),
            "delay": old,
            "lr": old_lr,
            **{f"new_{key}": value for key, value in _described(after).items()},
            "new_delay": new,
            "new_lr": bounds.adjust_learning_rate(
                old_lr, before, old, new, after, curvature_noise=noise
            ),
            "max_sharpness": bounds.max_sharpness(old_lr, before, old, curvature_noise=noise),
        }
        print_values(values, as_json, "Learning rate for the same accessible minima")


@app.command()
def derive(
    name: Annotated[
        str, typer.Argument(help=f"One of: {_NAMES}; delayed-loop; or all.", show_default=False)
    ],
    format_: Annotated[str, typer.Option("--format", help="latex, markdown or text.")] = "text",
    fragment: Annotated[
        bool, typer.Option("--fragment", help="LaTeX to \\input, without preamble.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; the screen by default.")
    ] = None,
) -> None:
    """Print a theorem with its proof, every step checked now. Exit status 1 if a step fails."""
    with clear_errors():
        if format_ not in ("latex", "markdown", "text"):
            raise RefusedError(f"format must be latex, markdown or text; got {format_!r}")
        from delaystability.theory import latex
        from delaystability.theory.derive import all_derivations
        from delaystability.theory.derive import derive as derivation_of
        from delaystability.theory.markdown import markdown
        from delaystability.theory.plain import plain

        derivations = all_derivations() if name == "all" else (derivation_of(name),)
        reports = [derivation.check() for derivation in derivations]
        if format_ == "latex":
            sections = map(latex.section, derivations, reports)
            text = "\n".join(sections) if fragment else latex.article(derivations, reports)
        else:
            text = "\n".join(
                map(markdown if format_ == "markdown" else plain, derivations, reports)
            )
        if output is None:
            sys.stdout.write(text)
        else:
            output.write_text(text, encoding="utf-8")
        failed = [report.name for report in reports if not report.ok]
    if failed:
        Console(stderr=True).print(f"[bold red]failed:[/] {', '.join(failed)}")
        raise typer.Exit(1)


@app.command()
def certify(
    optimizer: OptimizerName,
    momentum: Momentum = None,
    delay: Annotated[str, typer.Option(help="Updates between reading and applying.")] = "0",
    digits: Annotated[str, typer.Option(help="Relative width 10**-digits, 1 to 1000.")] = "30",
    as_json: Json = False,
) -> None:
    """Enclose the threshold between a proved stable and a proved unstable rational gain."""
    with clear_errors():
        from delaystability.numerics.certificate import certify as certified

        chosen = _optimizer(optimizer, momentum, exact=True)
        found = certified(chosen, _integer("delay", delay), _integer("digits", digits))
        if as_json:
            print(found.to_json())
            return
        values = {
            **_described(chosen),
            "delay": found.delay,
            "proved_stable": found.decimal(found.lower),
            "proved_unstable": found.decimal(found.upper),
            "method": found.method,
        }
        if found.root_moduli is not None:
            values["largest_root"] = " and ".join(
                _distance_from_one(modulus) for modulus in found.root_moduli
            )
        print_values(values, False, "Certified threshold of lr * sharpness")


def _distance_from_one(modulus: str) -> str:
    difference = Decimal(modulus) - 1
    return f"1 {'-' if difference < 0 else '+'} {abs(difference):.2e}"


def _needs_validation_extra() -> None:
    from importlib.util import find_spec

    needed = {"torch": "torch", "sklearn": "scikit-learn", "matplotlib": "matplotlib"}
    needed |= {"jinja2": "jinja2", "latex2mathml": "latex2mathml"}
    missing = [package for module, package in needed.items() if find_spec(module) is None]
    if missing:
        raise RefusedError(
            f"this needs {', '.join(missing)}: pip install 'delaystability[validation]'"
        )


Device = Annotated[str, typer.Option(help="cpu, cuda or cuda:<index>.")]
Seed = Annotated[str, typer.Option(help="Seed of data, weights and eigenvalue iterations.")]
Quick = Annotated[bool, typer.Option("--quick", help="Seconds instead of minutes.")]


@app.command()
def validate(
    experiment: Annotated[str, typer.Argument(help="edge: the edge of stability under delay.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for data and figures.")
    ] = Path("validation"),
    quick: Quick = False,
    device: Device = "cpu",
    dtype: Annotated[str, typer.Option(help="float64 or float32.")] = "float64",
    seed: Seed = "0",
) -> None:
    """Train networks and compare them with their predicted threshold. Exit status 1 on a miss."""
    with clear_errors():
        if experiment != "edge":
            raise RefusedError(f"experiment must be edge; got {experiment!r}")
        _needs_validation_extra()
        from delaystability.validation.edge import DEFAULT, QUICK, run_edge
        from delaystability.validation.figures import edge_figure, predicted_measured_figure
        from delaystability.verification.job import checked_folder

        folder = checked_folder(output)
        with progress_bars() as progress:
            result = run_edge(
                configuration=QUICK if quick else DEFAULT,
                device=device,
                dtype=dtype,
                seed=_integer("seed", seed),
                checkpoint=folder / "edge.checkpoint",
                progress=lambda share, message: progress("train", share, message),
            )
        (folder / "edge.json").write_text(result.to_json(), encoding="utf-8")
        edge_figure(result).savefig(folder / "edge.png", dpi=150)
        predicted_measured_figure(result).savefig(folder / "predicted_measured.png", dpi=150)
        (folder / "edge.checkpoint").unlink(missing_ok=True)
    Console(highlight=False).print(_edge_table(result))
    print(f"data and figures: {folder}")
    raise typer.Exit(0 if result.verdict else 1)


def _edge_table(result: Any) -> Table:
    table = Table(title="lr * sharpness over the last third of training", title_justify="left")
    table.add_column("trained with")
    for heading in ("predicted", "measured", "ratio", "at the edge"):
        table.add_column(heading, justify="right")
    for run in result.runs:
        table.add_row(
            run.setting,
            f"{run.threshold:.6g}",
            f"{run.learning_rate * run.median_sharpness:.4g}",
            f"{run.median:.3f}",
            "yes" if run.at_edge else "[bold red]no[/]",
        )
    return table


@app.command()
def verify(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the report.")] = Path(
        "report"
    ),
    quick: Quick = False,
    device: Device = "cpu",
    dtype: Annotated[str, typer.Option(help="float64 or float32.")] = "float64",
    seed: Seed = "0",
) -> None:
    """Derive and check every theorem, certify thresholds, train networks, write a report.

    Exit status 1 if any check fails. Interrupted, it continues its training when run again.
    """
    with clear_errors():
        _needs_validation_extra()
        from delaystability.verification.job import FILES
        from delaystability.verification.job import verify as verified

        with progress_bars() as progress:
            found = verified(
                output,
                quick=quick,
                device=device,
                dtype=dtype,
                seed=_integer("seed", seed),
                progress=progress,
            )
    console = Console(highlight=False)
    for report in found.reports:
        console.print(f"  {report.summary()}")
    agree = sum(row.ok for row in found.thresholds)
    console.print(f"  thresholds: {agree} of {len(found.thresholds)} agree with their certificate")
    console.print(_edge_table(found.edge))
    for failure in found.failures:
        console.print(f"[bold red]failed:[/] {escape(failure)}", soft_wrap=True)
    console.print(f"report: {output} ({', '.join(FILES)})", soft_wrap=True)
    verdict = "[bold green]every check holds[/]" if found.ok else "[bold red]some checks failed[/]"
    console.print(f"{verdict} ({found.seconds:.0f} s)")
    raise typer.Exit(0 if found.ok else 1)


def main() -> None:
    """Run the command line."""
    app()
