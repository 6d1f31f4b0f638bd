"""The bounds as data for other programs: every theorem, with certified thresholds beside it."""

from __future__ import annotations

from typing import Any

import delaystability
from delaystability.printing.bounds_json import bounds_data
from delaystability.theory.derivation import CheckedProof
from delaystability.verification.thresholds import ThresholdRow

__all__ = ["certified_bounds_data"]


def certified_bounds_data(
    theorems: tuple[CheckedProof, ...], rows: tuple[ThresholdRow, ...]
) -> dict[str, Any]:
    """The plain data of `bounds_data`, with the certified thresholds of every optimizer."""
    data = bounds_data(theorems, delaystability.__version__)
    for theorem in data["theorems"]:
        theorem["certified"] = [row.to_dict() for row in rows if row.name == theorem["name"]]
    return data
