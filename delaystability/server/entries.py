"""The updates of a run in memory: twenty bytes each."""

from __future__ import annotations

from abc import abstractmethod
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar, overload

__all__ = ["Delays", "Entries", "Entry"]

T = TypeVar("T")


class Entry(NamedTuple):
    """Say which gradient an update applied.

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


class _Computed(Sequence[T]):
    """A sequence whose values are computed when they are asked for."""

    @abstractmethod
    def _value(self, number: int) -> T: ...

    @overload
    def __getitem__(self, index: int) -> T: ...

    @overload
    def __getitem__(self, index: slice) -> list[T]: ...

    def __getitem__(self, index: int | slice) -> T | list[T]:
        numbers = range(len(self))[index]
        if isinstance(numbers, range):
            return [self._value(number) for number in numbers]
        return self._value(numbers)

    def __iter__(self) -> Iterator[T]:
        return (self._value(number) for number in range(len(self)))

    def __eq__(self, other: Any) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    def __repr__(self) -> str:
        more = f" and {len(self) - 5} more" if len(self) > 5 else ""
        return f"{type(self).__name__}({self[:5]}{more})"

    __hash__ = None  # type: ignore[assignment]


class Delays(_Computed[int]):
    """Staleness of each entry, in order; it grows as they do.

    Parameters
    ----------
    versions : array of int
    """

    def __init__(self, versions: array[int]) -> None:
        self._versions = versions

    def __len__(self) -> int:
        return len(self._versions)

    def _value(self, number: int) -> int:
        return number - self._versions[number]


class Entries(_Computed[Entry]):
    """A sequence of `Entry` that is appended to, and else not changed.

    Parameters
    ----------
    entries : iterable of Entry, optional

    Raises
    ------
    ValueError
        For an entry whose number or staleness is not what its place says.
    """

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._workers, self._sequences, self._versions = array("i"), array("q"), array("q")
        self.delays = Delays(self._versions)
        for entry in entries:
            self.append(entry)

    def append(self, entry: Entry) -> None:
        """Add the next entry."""
        number = len(self)
        if entry.update != number or entry.staleness != number - entry.version:
            raise ValueError(
                f"ledger must go on with update {number} and its staleness; got {tuple(entry)}"
            )
        # All three or none: a number that is too long for the first is refused before the others.
        values = (
            array("i", (entry.worker,)),
            array("q", (entry.sequence,)),
            array("q", (entry.version,)),
        )
        for column, value in zip(self._columns, values, strict=True):
            column.extend(value)

    @property
    def _columns(self) -> tuple[array[int], array[int], array[int]]:
        return self._workers, self._sequences, self._versions

    def __len__(self) -> int:
        return len(self._versions)

    def _value(self, number: int) -> Entry:
        version = self._versions[number]
        return Entry(
            number, self._workers[number], self._sequences[number], version, number - version
        )
