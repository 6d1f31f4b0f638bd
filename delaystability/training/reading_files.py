"""Readings of a stability monitor as a table, as CSV and as JSON."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from os import PathLike

from delaystability.files.json_data import plain
from delaystability.training.reading import Reading

__all__ = ["readings_csv", "readings_json", "readings_table"]

_COLUMNS = ("step", "loss", "sharpness", "error", "learning rate", "ratio")
_HUM = ("hum", "loss floor")  # where a preconditioner moves


def readings_table(history: Sequence[Reading]) -> str:
    """List readings as lines of plain text."""
    hums = any(reading.hum is not None for reading in history)
    head = (*_COLUMNS, *(_HUM if hums else ()), "status")
    rows = [head, *(_row(reading, hums) for reading in history)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if k == len(row) - 1 else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def readings_csv(history: Sequence[Reading], path: str | PathLike[str]) -> None:
    """Write readings as a CSV file with a header."""
    rows = [reading.as_dict() for reading in history]
    names = list(rows[0]) if rows else ["step"]
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)


def readings_json(history: Sequence[Reading], path: str | PathLike[str] | None) -> str:
    """Write readings as JSON, to a file as well if one is given."""
    text = json.dumps([plain(reading.as_dict()) for reading in history], indent=1, allow_nan=False)
    if path is not None:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text + "\n")
    return text


def _row(reading: Reading, hums: bool) -> tuple[str, ...]:
    numbers = [reading.loss, reading.sharpness, reading.error, reading.learning_rate, reading.ratio]
    more = [reading.hum, reading.loss_floor] if hums else []
    cells = ("-" if number is None else f"{number:.4g}" for number in [*numbers, *more])
    return (str(reading.step), *cells, reading.status.value)
