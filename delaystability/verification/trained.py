"""Where trained networks stop: predicted, certified, measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from delaystability.model.catalogue import CATALOGUE
from delaystability.model.optimizer import Optimizer
from delaystability.numerics.certificates.certificate import Certificate, certify
from delaystability.validation.experiment import ExperimentResult
from delaystability.verification.thresholds import certificate_key

__all__ = ["TrainedRow", "certified_cells", "statement_anchor", "trained_rows"]

_DIGITS = 10


@dataclass(frozen=True)
class TrainedRow:
    """Networks trained with one optimizer and delay: predicted, certified, measured.

    Attributes
    ----------
    name, momentum, delay, setting : the optimizer, and all three in words
    predicted : float
        The threshold, as the experiment took it from `delaystability.stability_threshold`.
    certificate : Certificate
    measured : float
        Learning rate times sharpness at which the runs stayed.
    ratio : mapping
        Measured / predicted, with its confidence interval.
    controls : str
        The same ratio under wrong thresholds.
    at_edge : bool
    statement : str
        The anchor of the statement with its measurement.
    """

    name: str
    momentum: float | None
    delay: int
    setting: str
    predicted: float
    certificate: Certificate
    measured: float
    ratio: dict[str, Any]
    controls: str
    at_edge: bool
    statement: str


def certified_cells(experiments: Sequence[ExperimentResult]) -> dict[str, Certificate]:
    """The certificates of the thresholds at which networks were trained, by name."""
    cells = {_key(cell): cell for result in experiments for _, cell in _cells(result)}
    return {key: certify(_optimizer(cell), cell["delay"], _DIGITS) for key, cell in cells.items()}


def trained_rows(
    result: ExperimentResult, certificates: Mapping[str, Certificate]
) -> tuple[TrainedRow, ...]:
    """What the edge experiment measured for each optimizer and delay."""
    return tuple(
        _row(cell, certificates[_key(cell)], statement_anchor(result, place))
        for place, cell in _cells(result)
    )


def statement_anchor(result: ExperimentResult, place: int) -> str:
    """The place of a statement of an experiment in the report."""
    return f"{result.experiment.name}-statement-{place}"


def _cells(result: ExperimentResult) -> Iterator[tuple[int, dict[str, Any]]]:
    """The cells that were trained, each with the number of its statement."""
    if result.experiment.name == "edge":
        for place, finding in enumerate(result.verdict.lines, 1):
            for cell in finding.statistics.get("cells", []):
                yield place, cell


def _key(cell: Mapping[str, Any]) -> str:
    return certificate_key(cell["optimizer"], cell["momentum"], cell["delay"])


def _optimizer(cell: Mapping[str, Any]) -> Optimizer:
    parameters = {} if cell["momentum"] is None else {"momentum": cell["momentum"]}
    return CATALOGUE[cell["optimizer"]].example(**parameters)


def _row(cell: Mapping[str, Any], certificate: Certificate, anchor: str) -> TrainedRow:
    momentum = "" if cell["momentum"] is None else f" (momentum {cell['momentum']:g})"
    controls = [
        f"{title}: {value:.2f}"
        for titles in cell["controls"].values()
        for title, value in titles.items()
    ]
    return TrainedRow(
        name=cell["optimizer"],
        momentum=cell["momentum"],
        delay=cell["delay"],
        setting=f"{_optimizer(cell).title}{momentum}, delay {cell['delay']}",
        predicted=cell["threshold"],
        certificate=certificate,
        measured=cell["ratio"]["value"] * cell["threshold"],
        ratio=cell["ratio"],
        controls=", ".join(controls),
        at_edge=cell["at_edge"],
        statement=anchor,
    )
