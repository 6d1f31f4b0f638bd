"""Reading what an experiment found: its JSON file, with the verdict and its statistics."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["read_summary", "readable"]


@contextmanager
def readable(path: str | Path) -> Iterator[None]:
    """Refuse the file of an experiment in whose content something is missing or of another kind."""
    try:
        yield
    except (LookupError, TypeError, AttributeError, ArithmeticError) as error:
        raise ValueError(
            f"path must be the file of an experiment; got {str(path)!r}, in which something is "
            f"missing or wrong: {error!r}"
        ) from error


def read_summary(path: str | Path) -> dict[str, Any]:
    """Read the JSON file of an experiment; every line of its verdict has an outcome.

    Raises
    ------
    ValueError
        If the file cannot be read, or is not the summary of an experiment.
    """
    file = Path(path)
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(found["experiment"], str):
            raise TypeError("the name of the experiment is not a string")
        for line in found["verdict"]["lines"]:
            # Files of earlier versions only say whether it holds.
            line.setdefault("outcome", "holds" if line.get("holds") else "fails")
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        reasons: dict[type[Exception], str] = {
            FileNotFoundError: ": there is no such file",
            IsADirectoryError: ", a folder",
        }
        why = reasons.get(type(error), "")
        raise ValueError(f"path must be the JSON file of an experiment; got {file}{why}") from error
    return dict(found)
