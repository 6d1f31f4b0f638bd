"""The log of delays and the ledger beside it: one line an update, and what they prove.

``delays.txt`` has one integer a line, as ``MeasuredDelay.from_log`` reads it. ``ledger.csv`` says
of every update whose gradient it was, its number among the worker's own, and which weights it was
computed at.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, NamedTuple

__all__ = ["DELAYS", "LEDGER", "Entry", "Ledger", "faults", "read_ledger", "worker_time_left"]

DELAYS, LEDGER = "delays.txt", "ledger.csv"
"""File names."""

_TITLES = {
    DELAYS: "# staleness of each applied gradient, in updates, in the order of application\n",
    LEDGER: "# update,worker,sequence,version,staleness\n",
}


class Entry(NamedTuple):
    """One update.

    Attributes
    ----------
    update : int, its number, from 0
    worker : int, whose gradient it applied
    sequence : int, the number of the gradient among the worker's own, from 0
    version : int, updates that had been applied to the weights it was computed at
    staleness : int, ``update - version``
    """

    update: int
    worker: int
    sequence: int
    version: int
    staleness: int


class Ledger:
    """The two files of a run in a folder, open for appending.

    Parameters
    ----------
    folder : Path
        Exists.
    sizes : mapping from file name to bytes, optional
        Where to go on, from `sync`: what lies beyond is cut off. New files otherwise.
    """

    def __init__(self, folder: Path, sizes: Mapping[str, int] | None = None) -> None:
        self._files: dict[str, IO[str]] = {}
        for name, title in _TITLES.items():
            mode = "w" if sizes is None else "r+"
            file = open(folder / name, mode, encoding="utf-8", newline="")  # noqa: SIM115
            if sizes is None:
                file.write(title)
            else:
                file.truncate(sizes[name])
                file.seek(0, os.SEEK_END)
            self._files[name] = file

    def add(self, entry: Entry) -> None:
        """Append one update."""
        self._files[DELAYS].write(f"{entry.staleness}\n")
        self._files[LEDGER].write(",".join(map(str, entry)) + "\n")

    def sync(self) -> dict[str, int]:
        """Bring everything to the disk; the sizes of the files in bytes."""
        sizes = {}
        for name, file in self._files.items():
            file.flush()
            os.fsync(file.fileno())
            sizes[name] = os.fstat(file.fileno()).st_size
        return sizes

    def close(self) -> None:
        """Flush and close both files."""
        for file in self._files.values():
            file.close()


def read_ledger(path: str | Path, size: int | None = None) -> list[Entry]:
    """The entries of a ledger file.

    Parameters
    ----------
    path : str or Path
    size : int, optional
        Only its first so many bytes: a killed server may have left half a line behind them.

    Raises
    ------
    ValueError
        If the file cannot be read, or a line is no entry: the message names it.
    """
    try:
        lines = Path(path).read_bytes()[:size].decode("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"ledger must be a readable file; got {str(path)!r}: {error}") from error
    entries = []
    for number, line in enumerate(lines, 1):
        if line.startswith("#"):
            continue
        words = line.split(",")
        if len(words) != len(Entry._fields) or not all(word.isdecimal() for word in words):
            raise ValueError(
                f"ledger must hold five integers >= 0 a line; got {line!r} in {number}"
            )
        entries.append(Entry(*map(int, words)))
    return entries


def faults(entries: Sequence[Entry]) -> list[str]:
    """What is wrong with a ledger: empty if no gradient was lost or counted twice.

    Updates are numbered without a gap. The gradients of each worker are applied once each and in
    order, from number 0 on. Each was computed at weights that the worker can have read: not before
    its last gradient was applied, and not later than now. The staleness is what lies in between.
    """
    found = []
    last: dict[int, Entry] = {}
    for number, entry in enumerate(entries):
        before = last.get(entry.worker)
        if entry.update != number:
            found.append(f"update {number} is missing: the ledger goes on with {entry.update}")
        wanted = 0 if before is None else before.sequence + 1
        if entry.sequence != wanted:
            word = "counted twice" if entry.sequence < wanted else "lost before it"
            found.append(
                f"update {number}: gradient {entry.sequence} of worker {entry.worker}, where "
                f"{wanted} was due: a gradient was {word}"
            )
        earliest = 0 if before is None else before.update + 1
        if not earliest <= entry.version <= entry.update:
            found.append(
                f"update {number}: worker {entry.worker} cannot have read version {entry.version}"
            )
        if entry.staleness != entry.update - entry.version:
            found.append(f"update {number}: its staleness is not {entry.staleness}")
        last[entry.worker] = entry
    return found


def worker_time_left(entries: Sequence[Entry], workers: int) -> int:
    """Updates since each worker's last one, or since the start, summed over all workers.

    While each of W workers always holds one gradient, each update is either counted in the
    staleness of a gradient of each other worker or still held by it. Exactly, for T updates::

        sum of staleness + worker_time_left = (W - 1) T

    so that the mean staleness tends to W - 1.
    """
    last = dict.fromkeys(range(workers), -1)
    for entry in entries:
        last[entry.worker] = entry.update
    return sum(len(entries) - 1 - update for update in last.values())
