"""The bounds as data for other programs: formulas, status, sources and sample values."""

from __future__ import annotations

from typing import Any

from sympy import Eq, srepr

import delaystability
from delaystability.theory.derivation import Derivation, Report
from delaystability.theory.formula import formula_latex
from delaystability.theory.references import REFERENCES
from delaystability.verification.thresholds import ThresholdRow

__all__ = ["bounds_data"]


def bounds_data(
    derivations: tuple[Derivation, ...],
    reports: tuple[Report, ...],
    rows: tuple[ThresholdRow, ...],
) -> dict[str, Any]:
    """Plain data for JSON: every theorem with its formula, steps and certified sample values."""
    return {
        "package": "delaystability",
        "version": delaystability.__version__,
        "convention": "gain = learning rate * curvature, in the raw learning rate of "
        "torch.optim.SGD; theta is the smallest root in (0, pi] of the angle equation; "
        "m is the momentum, tau the delay",
        "theorems": [
            _theorem(derivation, report, [row for row in rows if row.name == derivation.name])
            for derivation, report in zip(derivations, reports, strict=True)
        ],
        "references": REFERENCES,
    }


def _theorem(derivation: Derivation, report: Report, rows: list[ThresholdRow]) -> dict[str, Any]:
    theorem = derivation.theorem
    data: dict[str, Any] = {
        "name": derivation.name,
        "title": theorem.title,
        "kind": theorem.kind,
        "status": derivation.status_from(report),
        "sources": list(theorem.sources),
        "steps": [
            {"label": result.label, "status": result.status.value, "detail": result.detail}
            for result in report.results
        ],
    }
    for key, name in (
        ("domain", "domain"),
        ("angle", "angle_equation"),
        ("threshold", "threshold"),
    ):
        value = theorem.given.get(key)
        if isinstance(value, str):
            data[name] = value
        elif isinstance(value, Eq):
            formula = value if name == "angle_equation" else value.rhs
            data[name] = {
                "latex": formula_latex(formula),
                "infix": str(formula),
                "srepr": srepr(formula),
            }
    data["samples"] = [row.to_dict() for row in rows]
    return data
