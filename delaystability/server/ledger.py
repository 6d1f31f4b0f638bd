"""The log of delays and the ledger beside it: one line an update, and what they prove.

``delays.txt`` has one integer a line, as ``MeasuredDelay.from_log`` reads it. ``ledger.csv`` says
of every update whose gradient it was, its number among the worker's own, and which weights it was
computed at.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, NamedTuple

from delaystability.server.entries import Entry

__all__ = [
    "DELAYS",
    "LEDGER",
    "Entry",
    "Extent",
    "Ledger",
    "check_extents",
    "faults",
    "ledger_lines",
    "read_ledger",
    "worker_time_left",
]

DELAYS, LEDGER = "delays.txt", "ledger.csv"
"""File names."""

_TITLES = {
    DELAYS: "# staleness of each applied gradient, in updates, in the order of application\n",
    LEDGER: "# update,worker,sequence,version,staleness\n",
}
_LINE = re.compile(r"(\d{1,18}),(\d{1,9}),(\d{1,18}),(\d{1,18}),(\d{1,18})", flags=re.ASCII)
_BLOCK = 1 << 20


class Extent(NamedTuple):
    """How far a file belongs to a checkpoint.

    Attributes
    ----------
    size : int, bytes from its beginning
    sha256 : str, of these bytes
    """

    size: int
    sha256: str


class Ledger:
    """Write the two files of a run in a folder, open for appending.

    Parameters
    ----------
    folder : Path
        Exists.
    extents : mapping from file name to Extent, optional
        Where to go on, from `sync`: what lies beyond is cut off. New files otherwise.

    Raises
    ------
    ValueError
        If a file is not the one that belongs to its extent: shorter, or altered; or if there shall
        be new files and one is there. Nothing is changed then.
    """

    def __init__(self, folder: Path, extents: Mapping[str, Extent] | None = None) -> None:
        paths = {name: folder / name for name in _TITLES}
        if extents is None:
            self._hashes = {name: hashlib.sha256() for name in _TITLES}
            for path in paths.values():
                _refuse_to_overwrite(path)
        else:
            self._hashes = check_extents(folder, extents)
        self._files: dict[str, IO[bytes]] = {}
        for name, path in paths.items():
            self._files[name] = open(path, "ab", opener=_no_link)  # noqa: SIM115
            self._files[name].truncate(0 if extents is None else extents[name].size)
            self._files[name].seek(0, os.SEEK_END)
            if extents is None:
                self._write(name, _TITLES[name])

    def add(self, entry: Entry) -> None:
        """Append one update."""
        self._write(DELAYS, f"{entry.staleness}\n")
        self._write(LEDGER, "{},{},{},{},{}\n".format(*entry))

    def sync(self) -> dict[str, Extent]:
        """Bring everything to the disk; how far the files go."""
        extents = {}
        for name, file in self._files.items():
            file.flush()
            os.fsync(file.fileno())
            extents[name] = Extent(file.tell(), self._hashes[name].hexdigest())
        return extents

    def close(self) -> None:
        """Flush and close both files."""
        for file in self._files.values():
            file.close()

    def _write(self, name: str, text: str) -> None:
        line = text.encode()
        self._files[name].write(line)
        self._hashes[name].update(line)


def _no_link(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


def _refuse_to_overwrite(path: Path) -> None:
    """A file with nothing but its title, of a server that was killed at once, holds nothing."""
    if not os.path.lexists(path):
        return
    title = _TITLES[path.name].encode()
    if path.is_symlink() or path.stat().st_size > len(title) or path.read_bytes() != title:
        raise ValueError(
            f"folder must hold a checkpoint beside its ledger, or neither; got {str(path)!r} alone:"
            " move it away, or choose another folder"
        )


def check_extents(folder: Path, extents: Mapping[str, Extent]) -> dict[str, hashlib._Hash]:
    """The states of the hashes where the files of a checkpoint end.

    Raises
    ------
    ValueError
        If a file is not the one that belongs to its extent: shorter, altered, or missing.
    """
    if set(extents) != set(_TITLES):
        raise ValueError(f"checkpoint must name {DELAYS} and {LEDGER}; got {sorted(extents)}")
    return {name: _hash_of(folder / name, extents[name]) for name in _TITLES}


def _hash_of(path: Path, extent: Extent) -> hashlib._Hash:
    """The state of the hash after so many bytes, if they are the right ones."""
    found, left = hashlib.sha256(), extent.size
    try:
        with open(path, "rb") as file:
            while left and (block := file.read(min(left, _BLOCK))):
                found.update(block)
                left -= len(block)
    except OSError as error:
        raise ValueError(f"ledger must be a readable file; got {str(path)!r}: {error}") from error
    if left:
        raise ValueError(
            f"ledger must be as long as its checkpoint says, {extent.size} bytes or more; got "
            f"{extent.size - left} in {str(path)!r}"
        )
    if found.hexdigest() != extent.sha256:
        raise ValueError(
            f"ledger must be the one of its checkpoint; got {str(path)!r}, which belongs to "
            "another run or was altered"
        )
    return found


def ledger_lines(path: str | Path, size: int | None = None) -> Iterator[Entry]:
    """Read the entries of a ledger file, one after the other; see `read_ledger`."""
    try:
        with open(path, "rb") as file:
            left = os.fstat(file.fileno()).st_size if size is None else size
            for number, line in enumerate(file, 1):
                part, left = line[:left], left - len(line)
                if not part:
                    return
                if not part.startswith(b"#"):
                    yield _entry_of(part, number)
    except OSError as error:
        raise ValueError(f"ledger must be a readable file; got {str(path)!r}: {error}") from error


def _entry_of(line: bytes, number: int) -> Entry:
    text = line.decode("utf-8", errors="replace").rstrip("\r\n")
    if (found := _LINE.fullmatch(text)) is None:
        shown = text if len(text) <= 80 else f"{text[:80]}..."
        raise ValueError(f"ledger must hold five integers >= 0 a line; got {shown!r} in {number}")
    return Entry(*map(int, found.groups()))


def read_ledger(path: str | Path, size: int | None = None) -> list[Entry]:
    """Read the entries of a ledger file.

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
    return list(ledger_lines(path, size))


def faults(entries: Iterable[Entry]) -> list[str]:
    """List what is wrong with a ledger: empty if no gradient was lost or counted twice.

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


def worker_time_left(entries: Iterable[Entry], workers: int) -> int:
    """Updates since each worker's last one, or since the start, summed over all workers.

    While each of W workers always holds one gradient, each update is either counted in the
    staleness of a gradient of each other worker or still held by it. Exactly, for T updates::

        sum of staleness + worker_time_left = (W - 1) T

    so that the mean staleness tends to W - 1.
    """
    last, count = dict.fromkeys(range(workers), -1), 0
    for entry in entries:
        last[entry.worker] = entry.update
        count += 1
    return sum(count - 1 - update for update in last.values())
