"""The data files of the report: theorems, certificates and statements, for other programs."""

from __future__ import annotations

from typing import Any

import delaystability
from delaystability.printing.bounds_json import bounds_data
from delaystability.theory.derivation import CheckedProof
from delaystability.validation.verdict import Outcome
from delaystability.verification.thresholds import ThresholdRow
from delaystability.verification.verification import Verification

__all__ = ["certificates_data", "certified_bounds_data", "runs_data"]


def certified_bounds_data(
    theorems: tuple[CheckedProof, ...], rows: tuple[ThresholdRow, ...]
) -> dict[str, Any]:
    """``bounds.json``: the theorems, each with the certified thresholds of its optimizer."""
    data = bounds_data(theorems, delaystability.__version__)
    for theorem in data["theorems"]:
        theorem["certified"] = [row.to_dict() for row in rows if row.name == theorem["name"]]
    return data


def certificates_data(found: Verification) -> dict[str, Any]:
    """``certificates.json``: the certificates of the grid and of the trained networks, by name.

    An entry is what `delaystability.Certificate.from_json` reads, after ``json.dumps``; its
    ``verify()`` proves both ends again.
    """
    trained = found.trained_certificates
    return {
        "package": "delaystability",
        "version": delaystability.__version__,
        "certificates": {row.key: row.certificate.to_dict() for row in found.thresholds},
        "trained_networks": {key: entry.to_dict() for key, entry in trained.items()},
    }


def runs_data(found: Verification) -> dict[str, Any]:
    """``runs.json``: every statement of the experiments, with its statistics and provenance."""
    return {
        "outcome": found.outcome.value,
        "outcomes": found.outcomes,
        "holds": found.outcome is Outcome.HOLDS,
        "provenance": found.experiments[0].provenance.to_dict(),
        "experiments": [result.to_dict() for result in found.experiments],
    }
