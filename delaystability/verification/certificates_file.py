"""Every certificate of the report as data, so that anyone can check it again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import delaystability
from delaystability.numerics.certificate import Certificate
from delaystability.validation.experiment import ExperimentResult
from delaystability.verification.contents import certificate_key, trained_rows
from delaystability.verification.thresholds import ThresholdRow

__all__ = ["certificates_data"]


def certificates_data(
    rows: tuple[ThresholdRow, ...], experiments: tuple[ExperimentResult, ...] = ()
) -> dict[str, Any]:
    """The certificates of the grid, and those of the trained networks, by name.

    An entry is what `delaystability.Certificate.from_json` reads, after ``json.dumps``; its
    ``verify()`` proves both ends again.
    """
    grid = {certificate_key(r.name, r.momentum, r.delay): r.certificate for r in rows}
    trained = {row.key: row.certificate for row in trained_rows(experiments)}
    return {
        "package": "delaystability",
        "version": delaystability.__version__,
        "certificates": _plain(grid),
        "trained_networks": _plain(trained),
    }


def _plain(certificates: Mapping[str, Certificate]) -> dict[str, Any]:
    return {key: entry.to_dict() for key, entry in certificates.items()}
