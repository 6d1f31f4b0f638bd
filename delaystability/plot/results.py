"""Reading what experiments leave: one summary as JSON, and every trial in an SQLite file."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

__all__ = ["Trials", "readable", "stored_trials", "summary"]

Trials = list[tuple[dict[str, Any], dict[str, Any]]]


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


def stored_trials(path: str | Path) -> tuple[str, dict[str, Any], Trials]:
    """The name of an experiment, its common settings, and settings and result of every trial.

    Raises
    ------
    ValueError
        If there is no such file, or it is not the SQLite file of an experiment.
    """
    file = Path(path)
    if not file.is_file():
        raise ValueError(f"path must be the SQLite file of an experiment; there is no {file}")
    try:
        # Read only: a sweep may be writing to it.
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            about = dict(connection.execute("SELECT name, value FROM experiment"))
            names = {row[1] for row in connection.execute("PRAGMA table_info(trials)")}
            # Files of earlier versions have no hashes of the results.
            hashes = "key, sha256" if "sha256" in names else "NULL, NULL"
            rows = connection.execute(f"SELECT settings, result, {hashes} FROM trials").fetchall()
        head = [json.loads(about["experiment"]), about.get("version"), about["common"]]
        damaged = sum(
            digest is not None and (_sha256(*head, settings), _sha256(result)) != (key, digest)
            for settings, result, key, digest in rows
        )
        if damaged:
            raise ValueError(f"{damaged} of its {len(rows)} trials are not what was written")
        trials = [(json.loads(settings), json.loads(result)) for settings, result, *_ in rows]
        return head[0], json.loads(about["common"]), trials
    except (sqlite3.Error, KeyError, ValueError, TypeError, AttributeError) as error:
        raise ValueError(
            f"path must be the SQLite file of an experiment; got {file}: {error}"
        ) from error


def _sha256(*lines: str) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def summary(path: str | Path) -> tuple[str, list[dict[str, Any]]]:
    """The name of an experiment and the lines of its verdict, from its JSON file.

    Raises
    ------
    ValueError
        If the file cannot be read, or is not the summary of an experiment.
    """
    file = Path(path)
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        return data["experiment"], data["verdict"]["lines"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise ValueError(f"path must be the JSON file of an experiment; got {file}") from error
