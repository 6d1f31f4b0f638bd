"""Reading the file of a sweep: every trial as it was written, or a refusal."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from delaystability.files.sweep_refusals import APPLICATION, damaged, of_another_kind, refusal
from delaystability.files.trials import FinishedTrial, Trial, canonical

__all__ = ["COMMIT_WAIT", "LAYOUT", "header", "read_trials", "sha256", "sound_trials"]

LAYOUT = 2
"""Of the tables that are written; those of layout 1, which has no hashes of results, are read."""

COMMIT_WAIT = 60_000
"""Milliseconds for which a commit and a reader wait for each other."""


def read_trials(path: str | Path) -> tuple[FinishedTrial, ...]:
    """All finished trials of a file, ordered by their keys; also while a sweep writes to it.

    Raises
    ------
    ValueError
        If it is not the file of a sweep.
    """
    file = Path(path)
    if not file.is_file():
        why = f"{file} is a folder" if file.is_dir() else f"there is no {file}"
        raise ValueError(f"path must be an existing file; {why}")
    try:
        with closing(
            sqlite3.connect(file, timeout=COMMIT_WAIT / 1000, isolation_level=None)
        ) as connection:
            return sound_trials(connection, file, layouts=(1, LAYOUT))
    except sqlite3.Error as error:
        raise refusal(file, error) from error


def sound_trials(
    connection: sqlite3.Connection, file: Path, layouts: tuple[int, ...] = (LAYOUT,)
) -> tuple[FinishedTrial, ...]:
    """All trials, ordered by their keys; refused unless everything is as it was written.

    Raises
    ------
    ValueError
        For a damaged file, or one that is not of these layouts.
    """
    found = header(connection, file, layouts)
    try:
        (sound,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        if sound != "ok":
            raise ValueError(" ".join(str(sound).split()))
        (layout,) = connection.execute("PRAGMA user_version").fetchone()
        digests = "sha256" if layout > 1 else "NULL"
        common = canonical(found["common"])
        trials = []
        # All at once: a cursor that an error leaves open would keep its lock.
        rows = connection.execute(
            f"SELECT key, settings, result, {digests} FROM trials ORDER BY key"
        )
        for key, settings, result, digest in rows.fetchall():
            trial = Trial(found["experiment"], found["version"], common, settings)
            if trial.key != key or (layout > 1 and sha256(result) != digest):
                raise ValueError(f"the trial {str(key)[:12]!r} is not what was written")
            trials.append(FinishedTrial(trial, result))
    except (ValueError, TypeError, KeyError, AttributeError, sqlite3.Error) as error:
        raise damaged(file, error) from error
    return tuple(trials)


def header(
    connection: sqlite3.Connection, file: Path, layouts: tuple[int, ...] = (LAYOUT,)
) -> dict[str, Any]:
    """Read what all trials share: the table ``experiment`` of a file of these layouts.

    Raises
    ------
    ValueError
        For the file of another program or layout, or a damaged one.
    """
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (layout,) = connection.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION:
        raise of_another_kind(file)
    if layout not in layouts:
        raise ValueError(
            f"path must be a file of layout {LAYOUT}; got {file}, which has layout {layout}"
        )
    try:
        rows = connection.execute("SELECT name, value FROM experiment").fetchall()
        found = {name: json.loads(value) for name, value in rows}
        if not isinstance(found["common"], dict) or not isinstance(found["experiment"], str):
            raise TypeError("its table 'experiment' is not what was written")
    except (ValueError, TypeError, KeyError, sqlite3.Error) as error:
        raise damaged(file, error) from error
    return found


def sha256(text: str) -> str:
    """The hash of a result, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()
