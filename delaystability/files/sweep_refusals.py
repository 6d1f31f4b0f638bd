"""Why the file of a sweep is refused: damaged, of others, in use, or on a full disk."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

__all__ = [
    "APPLICATION",
    "StoreError",
    "count_trials",
    "damaged",
    "of_another_kind",
    "refusal",
    "refuse_foreign",
    "unwritten",
]

APPLICATION = 0x64656C61
"""``dela``, in the file's header."""

_JOURNAL = bytes.fromhex("d9d505f920a163d7")  # how a rollback journal of SQLite begins


class StoreError(RuntimeError):
    """The file of a sweep could not be written, as on a full disk; what is finished is kept."""


def count_trials(path: str | Path) -> int:
    """How many finished trials are in the file of a sweep; 0 where there is no such file."""
    with suppress(sqlite3.Error, ValueError):
        if Path(path).is_file():
            with closing(sqlite3.connect(path, timeout=1, isolation_level=None)) as connection:
                return int(connection.execute("SELECT count(*) FROM trials").fetchone()[0])
    return 0


def damaged(file: Path, error: Exception) -> ValueError:
    """The refusal of a file that is not as it was written."""
    return ValueError(
        f"path must be an undamaged file; got {file}, of which {count_trials(file)} trials can be "
        f"read, but {error}: move it away, and the same command runs all trials again"
    )


def refuse_foreign(file: Path) -> None:
    """Refuse what is not the file of a sweep, and what SQLite would take for its own and delete.

    Nothing is opened by SQLite for it, which would write a little already.
    """
    if file.is_symlink():
        raise ValueError(
            f"path must not be a link; got {file}, which leads to {os.readlink(file)}: move it away"
        )
    if file.exists() and not file.is_file():
        raise ValueError(f"path must be a file; got {file}, which is not one: move it away")
    _refuse_neighbours(file)
    if file.exists() and not file.with_name(f"{file.name}-journal").exists():
        with open(file, "rb") as opened:
            header = opened.read(100)
        if header and not header.startswith(b"SQLite format 3\0"):
            raise no_database(file)
        if header and int.from_bytes(header[68:72], "big") != APPLICATION:
            raise of_another_kind(file)


def _refuse_neighbours(file: Path) -> None:
    for ending in ("-journal", "-wal", "-shm"):
        beside = file.with_name(file.name + ending)
        if not os.path.lexists(beside):
            continue
        known = ending == "-journal" and not beside.is_symlink() and beside.is_file()
        if known:
            with open(beside, "rb") as opened:
                start = opened.read(len(_JOURNAL))
            # A kill may come before its first bytes are written.
            known = start in (b"", bytes(len(start)), _JOURNAL)
        if not known:
            raise ValueError(
                f"path must have no file of others beside it; got {beside}: move it away"
            )


def of_another_kind(file: Path) -> ValueError:
    """The refusal of another program's database."""
    return ValueError(
        f"path must be the file of a sweep; got {file}, a database of another kind: move it away"
    )


def no_database(file: Path) -> ValueError:
    """The refusal of a file that is not a database."""
    return ValueError(
        f"path must be the file of a sweep; got {file}, which is not a database: move it away"
    )


def refusal(file: Path, error: sqlite3.Error) -> ValueError | StoreError:
    """What an error of SQLite means for the file of a sweep."""
    code = getattr(error, "sqlite_errorcode", None)
    kind = None if code is None else code & 0xFF
    if kind in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return ValueError(f"path must not be in use: another process writes to {file}")
    if kind == sqlite3.SQLITE_NOTADB:
        return no_database(file)
    if kind == sqlite3.SQLITE_CORRUPT:
        return damaged(file, error)
    if kind in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
        return StoreError(unwritten(file, error))
    return ValueError(f"path must be a file that can be written; got {file}: {error}")


def unwritten(file: Path, error: sqlite3.Error) -> str:
    """What is kept when the file could not be written."""
    return (
        f"{file} could not be written: {error}; the {count_trials(file)} finished trials in it are "
        "kept: make room, and run the same command again to go on"
    )
