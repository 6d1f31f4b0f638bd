"""The one file of a sweep: an SQLite database that explains itself and survives a kill.

Every finished chunk is one transaction. The rollback journal, not the write-ahead log, is used: all
that is recorded is then in the one file, and what a kill leaves half done is undone at the next
opening.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from delaystability.files.sweep_file import COMMIT_WAIT, LAYOUT, header, sha256, sound_trials
from delaystability.files.sweep_refusals import (
    APPLICATION,
    StoreError,
    of_another_kind,
    refusal,
    refuse_foreign,
    unwritten,
)
from delaystability.files.trials import Chunk, canonical

__all__ = ["Description", "Store"]

_SCHEMA = """
CREATE TABLE readme (name TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE experiment (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE provenance (session INTEGER PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE chunks (
    number INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, trials INTEGER NOT NULL,
    seconds REAL NOT NULL, finished TEXT NOT NULL,
    session INTEGER NOT NULL REFERENCES provenance (session));
CREATE TABLE trials (
    key TEXT PRIMARY KEY, chunk INTEGER NOT NULL REFERENCES chunks (number),
    settings TEXT NOT NULL, result TEXT NOT NULL, sha256 TEXT NOT NULL);
"""

_README = {
    "file": "An SQLite database with the trials of one experiment of delaystability. Settings and "
    "results are JSON: SELECT json_extract(settings, '$.delay') FROM trials.",
    "experiment": "What all trials share. value: JSON. name: 'experiment', 'title', 'version' (of "
    "the meaning of settings and results), 'common' (settings of all trials), 'planned_trials'.",
    "provenance": "One row for each time the sweep was started or resumed. value: JSON with the "
    "versions, the hardware, the commit and the UTC time.",
    "chunks": "Trials that were run together, in the order in which they were finished. key: "
    "SHA-256 of the trials' keys. trials: how many. seconds: wall time in the worker. finished: "
    "UTC, ISO 8601. session: the row of provenance.",
    "trials": "One row for each finished trial. key: SHA-256 of experiment, version, common "
    "settings and the trial's settings, one to a line. chunk: the number in chunks. settings, "
    "result: JSON with sorted names; null stands for a number that is not finite. sha256: of the "
    "result, so that a damaged one is noticed.",
}


@dataclass(frozen=True)
class Description:
    """What the file says about its experiment.

    Parameters
    ----------
    experiment, title : str
        Name for command lines; title for prose.
    version : int
        Of the meaning of settings and results.
    common : mapping of plain data
        The settings that all trials share.
    planned_trials : int
    columns : mapping from name to text
        What each setting and result means, with its unit.
    provenance : mapping of plain data
        What this session computes with.
    """

    experiment: str
    title: str
    version: int
    common: Mapping[str, Any]
    planned_trials: int
    columns: Mapping[str, str] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)


class Store:
    """The file of a sweep, open for writing: by one process at a time, while others may read.

    Made by `Store.open`; a context manager that closes the file.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path, session: int) -> None:
        self._connection, self._session = connection, session
        self.path = path

    @staticmethod
    def open(path: str | Path, description: Description) -> Store:
        """Open the file of this sweep, or make it.

        Raises
        ------
        ValueError
            If the folder is missing, another process writes to the file, it is damaged or a link,
            or it is not the file of a sweep with this experiment, version and settings.
        StoreError
            If it cannot be written, such as on a full disk.
        """
        file = Path(path)
        if not file.parent.is_dir():
            raise ValueError(f"path must be in an existing folder; got {file}")
        refuse_foreign(file)
        connection = None
        try:
            # No waiting: the sweep that holds the file may take days.
            connection = sqlite3.connect(file, timeout=0, isolation_level=None)
            connection.execute("PRAGMA synchronous=EXTRA")
            connection.execute("BEGIN IMMEDIATE")
            if _is_empty(connection, file):
                _make(connection, description)
            _check(connection, file, description)
            sound_trials(connection, file)
            session = connection.execute(
                "INSERT INTO provenance (value) VALUES (?)", [canonical(description.provenance)]
            ).lastrowid
            _commit(connection)
        except BaseException as error:
            if connection is not None:
                connection.close()
            if isinstance(error, sqlite3.Error):
                raise refusal(file, error) from error
            raise
        return Store(connection, file, session or 0)

    def finished(self) -> dict[str, str]:
        """The result, as canonical JSON, of each finished trial by its key.

        Raises
        ------
        ValueError
            If a trial is damaged.
        """
        found = sound_trials(self._connection, self.path)
        return {trial.trial.key: trial.result_json for trial in found}

    def forget(self, keys: Iterable[str]) -> None:
        """Remove trials, so that they are run again."""
        with self._writing():
            for key in keys:
                self._connection.execute("DELETE FROM trials WHERE key = ?", [key])
                self._connection.execute(
                    "DELETE FROM chunks WHERE number NOT IN (SELECT chunk FROM trials)"
                )

    def seconds(self) -> list[float]:
        """Wall time of each finished chunk, in the order in which they were finished."""
        rows = self._connection.execute("SELECT seconds FROM chunks ORDER BY number")
        return [seconds for (seconds,) in rows]

    def add(self, chunk: Chunk, results: Sequence[str], seconds: float) -> None:
        """Record a finished chunk in one transaction.

        Parameters
        ----------
        chunk : Chunk
        results : canonical JSON of each trial's result, in their order
        seconds : float, wall time

        Raises
        ------
        ValueError
            If there is not one result for each trial, or a trial is recorded already.
        StoreError
            If the file cannot be written; the chunk is then not in it.
        """
        if len(results) != len(chunk.trials):
            raise ValueError(
                f"results must hold one for each of {len(chunk.trials)} trials; got {len(results)}"
            )
        now = datetime.now(UTC).isoformat(timespec="seconds")
        try:
            with self._writing():
                number = self._connection.execute(
                    "INSERT INTO chunks (key, trials, seconds, finished, session) "
                    "VALUES (?, ?, ?, ?, ?)",
                    [chunk.key, len(chunk.trials), seconds, now, self._session],
                ).lastrowid
                self._connection.executemany(
                    "INSERT INTO trials VALUES (?, ?, ?, ?, ?)",
                    [
                        (trial.key, number, trial.settings_json, result, sha256(result))
                        for trial, result in zip(chunk.trials, results, strict=True)
                    ],
                )
        except sqlite3.IntegrityError as error:
            raise ValueError(
                f"chunk must hold trials that are not in {self.path} yet; "
                f"got one with {chunk.trials[0].settings_json}"
            ) from error

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction, in the file as a whole or not at all."""
        try:
            yield
            _commit(self._connection)
        except BaseException as error:
            with suppress(sqlite3.Error):
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                self._connection.execute("BEGIN IMMEDIATE")
            if isinstance(error, sqlite3.Error) and not isinstance(error, sqlite3.IntegrityError):
                raise StoreError(unwritten(self.path, error)) from error
            raise

    def close(self) -> None:
        """Close the file and let others write to it."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _commit(connection: sqlite3.Connection) -> None:
    """End the transaction and begin the next, so that no other process can begin one for long."""
    connection.execute(f"PRAGMA busy_timeout={COMMIT_WAIT}")
    connection.execute("COMMIT")
    connection.execute("BEGIN IMMEDIATE")


def _is_empty(connection: sqlite3.Connection, file: Path) -> bool:
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if not tables and application:
        raise of_another_kind(file)
    return not tables


def _make(connection: sqlite3.Connection, description: Description) -> None:
    """The tables, with everything but trials; one transaction with what the caller adds."""
    for statement in _SCHEMA.split(";"):
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id={APPLICATION}")
    connection.execute(f"PRAGMA user_version={LAYOUT}")
    columns = {f"trials: {name}": text for name, text in description.columns.items()}
    connection.executemany("INSERT INTO readme VALUES (?, ?)", [*(_README | columns).items()])
    header = {
        "experiment": description.experiment,
        "title": description.title,
        "version": description.version,
        "common": description.common,
        "planned_trials": description.planned_trials,
    }
    rows = [(name, canonical(value, exact=True)) for name, value in header.items()]
    connection.executemany("INSERT INTO experiment VALUES (?, ?)", rows)


def _check(connection: sqlite3.Connection, file: Path, description: Description) -> None:
    """Refuse the file of another sweep, and say what is different."""
    names = ("experiment", "version", "planned_trials", "common")
    there, here = header(connection, file), vars(description)
    found, wanted = (
        json.loads(canonical({name: header[name] for name in names})) for header in (there, here)
    )
    found |= found.pop("common")
    wanted |= wanted.pop("common")
    told = "; ".join(
        f"{name} is {found.get(name)!r} there and {wanted.get(name)!r} here"
        for name in wanted | found
        if found.get(name) != wanted.get(name)
    )
    if told:
        raise ValueError(
            f"path must be the file of the same sweep: choose another folder or remove {file}, "
            f"where {told}"
        )
