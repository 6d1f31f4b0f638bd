"""Reading what experiments leave: one summary as JSON, and every trial in an SQLite file."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

__all__ = ["stored_trials", "summary"]

Trials = list[tuple[dict[str, Any], dict[str, Any]]]


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
            rows = connection.execute("SELECT settings, result FROM trials").fetchall()
        trials = [(json.loads(settings), json.loads(result)) for settings, result in rows]
        return json.loads(about["experiment"]), json.loads(about["common"]), trials
    except (sqlite3.DatabaseError, KeyError, json.JSONDecodeError) as error:
        raise ValueError(f"path must be the SQLite file of an experiment; got {file}") from error


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
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"path must be the JSON file of an experiment; got {file}") from error
