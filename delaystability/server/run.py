"""The result of a run, and its files while it goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from torch import Tensor

from delaystability.server.checkpoint import load_checkpoint, save_checkpoint
from delaystability.server.entries import Entry
from delaystability.server.ledger import (
    LEDGER,
    Ledger,
    check_extents,
    ledger_lines,
)
from delaystability.server.server import ParameterServer

__all__ = ["Observer", "Record", "Run", "WorkersGoneError"]

Observer = Callable[[ParameterServer], bool | None]
"""Called after each update; true ends the run."""


class WorkersGoneError(RuntimeError):
    """No worker is left, or none answers. What was applied so far is kept in the files."""


@dataclass(frozen=True, eq=False)
class Run:
    """Keep what a run left: its weights, and which gradients were applied.

    Attributes
    ----------
    weights : tensor of shape (P,)
    entries : sequence of Entry
        One for each update.
    lost : tuple of int
        Workers that died in the run, did not answer within the deadline, or sent nothing but what
        had to be refused. A run that lost one is not a run of so many workers: its delays are those
        of fewer.
    seconds : float, wall time
    refused : int
        Messages and gradients that were refused.
    """

    weights: Tensor
    entries: Sequence[Entry]
    lost: tuple[int, ...]
    seconds: float
    refused: int = 0

    @property
    def delays(self) -> list[int]:
        """Staleness of each applied gradient."""
        return [entry.staleness for entry in self.entries]


class Record:
    """Write the files of a run, if it has a folder."""

    def __init__(
        self, server: ParameterServer, folder: Path | None, ledger: Ledger | None, every: int
    ) -> None:
        self._server, self._folder, self._ledger, self._every = server, folder, ledger, every

    @classmethod
    def opened(cls, server: ParameterServer, folder: str | Path | None, every: int) -> Self:
        """New files, or those of the run in the folder from its checkpoint on.

        Raises
        ------
        ValueError
            If checkpoint and log files do not belong together, or to this server.
        """
        if folder is None:
            return cls(server, None, None, every)
        path = Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        found = load_checkpoint(path)
        if found is None:
            record = cls(server, path, Ledger(path), every)
            # From here on the same command goes on, whenever the server is killed.
            record._save()
            return record
        state, extents = found
        # All of it is checked before anything is cut off.
        check_extents(path, extents)
        server.load(state, ledger_lines(path / LEDGER, extents[LEDGER].size))
        return cls(server, path, Ledger(path, extents), every)

    def updated(self) -> None:
        """Record the server's last update."""
        if self._ledger is None:
            return
        self._ledger.add(self._server.entries[-1])
        if self._server.version % self._every == 0:
            self._save()

    def close(self) -> None:
        """Save, and close the files."""
        if self._ledger is not None:
            self._save()
            self._ledger.close()

    def _save(self) -> None:
        # The log first: a checkpoint must not speak of lines that are not on the disk.
        if self._folder is not None and self._ledger is not None:
            save_checkpoint(self._folder, self._server.state(), self._ledger.sync())
