"""Theorems as plain data for JSON: formulas, domains, status, sources, sample values.

`bounds_reader` reads them back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mpmath
from sympy import Basic

from delaystability.printing.bibliography import REFERENCES
from delaystability.printing.bounds_reader import FORMAT, theorems_from_json
from delaystability.printing.expression_text import expression_to_text
from delaystability.printing.formal import formal_proof
from delaystability.printing.formula import formula_latex
from delaystability.theory.derivation import CheckedProof, Theorem
from delaystability.theory.registry import number_of
from delaystability.theory.sample_points import sample_points
from delaystability.theory.statement import QUANTITIES, Statement

__all__ = ["FORMAT", "bounds_data", "theorems_from_json"]

_DIGITS = 30
_CONVENTION = (
    "Gains are learning rate times curvature, with the raw learning rate of torch.optim.SGD "
    "(dampening 0); m is the momentum, tau the delay in updates (0 is synchronous)."
)


def bounds_data(told: Sequence[CheckedProof], version: str) -> dict[str, Any]:
    """Plain data for JSON: every theorem with its statement, status, steps and sample values.

    Parameters
    ----------
    told : sequence of CheckedProof
    version : str
        Of the package that writes it.

    Returns
    -------
    dict
        ``theorems`` is a list of dictionaries. Every formula has the forms ``srepr`` (read back by
        `theorems_from_json`), ``infix`` and ``latex``. A sample is a point and the value of the
        formula there, to 30 digits.
    """
    return {
        "package": "delaystability",
        "version": version,
        "format": FORMAT,
        "convention": _CONVENTION,
        "quantities": QUANTITIES,
        "theorems": [_theorem_data(entry) for entry in told],
        "references": dict(REFERENCES),
    }


def _theorem_data(entry: CheckedProof) -> dict[str, Any]:
    theorem = entry.theorem
    rocq = {step.label: list(step.rocq) for step in entry.steps}
    return {
        "name": theorem.name,
        "title": theorem.title,
        "kind": theorem.kind,
        "number": number_of(theorem.name),
        "of": theorem.of,
        "status": entry.status,
        "formal": _formal_data(theorem),
        "sources": list(theorem.sources),
        "requires": list(entry.proof.requires),
        "statement": _statement_data(theorem.statement),
        "text": theorem.text,
        "prior_art": theorem.prior_art,
        "given": {name: _formula_data(value) for name, value in theorem.given.items()},
        "steps": [
            {
                "label": result.label,
                "status": result.status.value,
                "detail": result.detail,
                "rocq": rocq.get(result.label, []),
            }
            for result in entry.report.results
        ],
        "samples": _samples(theorem.statement),
    }


def _formal_data(theorem: Theorem) -> dict[str, Any] | None:
    proof = formal_proof(theorem)
    if proof is None:
        return None
    return {"file": proof.file, "line": proof.line, "sha256": proof.statement_sha256}


def _formula_data(formula: Basic | str) -> dict[str, str]:
    if isinstance(formula, str):
        return {"latex": formula}
    return {
        "srepr": expression_to_text(formula),
        "infix": str(formula),
        "latex": formula_latex(formula),
    }


def _statement_data(statement: Statement) -> dict[str, Any]:
    return {
        "quantity": statement.quantity,
        "optimizer": statement.optimizer,
        "relation": _formula_data(statement.relation),
        "domain": [_formula_data(condition) for condition in statement.domain],
        "roots": [
            {
                "symbol": _formula_data(root.symbol),
                "equation": _formula_data(root.equation),
                "upper": _formula_data(root.upper),
                "minimized": _formula_data(root.minimized) if root.minimized is not None else None,
            }
            for root in statement.roots
        ],
        "definitions": [[_formula_data(entry) for entry in pair] for pair in statement.definitions],
    }


def _samples(statement: Statement) -> list[dict[str, Any]]:
    if statement.quantity == "identity" or not isinstance(statement.formula, Basic):
        return []
    return [
        {
            "point": {str(symbol): str(value) for symbol, value in point.items()},
            "value": mpmath.nstr(statement.value(point, _DIGITS), _DIGITS),
        }
        for point in sample_points(statement)
    ]
