"""Text files of delays, read as a stream: plain or gzip, with or without a header."""

from __future__ import annotations

import csv
import gzip
import re
import warnings
import zlib
from array import array
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from os import fspath
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from delaystability.model.delay_log.entries import ALLOWED, LARGEST_DELAY, refuse_counters, shown
from delaystability.model.delay_log.tables import Request, ambiguous, chosen_columns

__all__ = ["read_log"]

_CHUNK = 1 << 20  # bytes that are held at a time; no line of a log is as long
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_ENOUGH = 20  # rows from which columns can tell that they are ages
_WORKERS = 3  # two columns may be the number of a worker and a delay, of two workers in turn
_SEPARATORS = (";", "\t", ",")
_INTEGER = re.compile(r"\+?([0-9]{1,40})(?:\.0*)?")
_NUMBER = re.compile(
    r"[+-]?(?:[0-9]{1,40}\.?[0-9]{0,40}|\.[0-9]{1,40})(?:[eE][+-]?[0-9]{1,3})?"
    r"|[+-]?(?:nan|inf|infinity)",
    re.IGNORECASE,
)
_MISSING = frozenset(
    ("nan", "na", "n/a", "none", "null", "nil", "inf", "infinity", "true", "false")
)


def read_log(path: Any, request: Request = None) -> NDArray[np.int64]:
    """Read the delays in a text file, of shape (updates,) or (updates, workers).

    Parameters
    ----------
    path : str or path
        Lines of numbers, separated by ``;``, tabs, commas or white space, with or without a header,
        plain or compressed by gzip; lines that start with ``#`` and empty ones are skipped. It is
        read in pieces: beside the delays themselves, little memory is needed.
    request : tuple of names and numbers from 1, "all" or None
        The columns that hold delays; None where there is one column. Without a request, three or
        more columns without a header are those of workers only if every entry tells: the age of a
        worker's last gradient grows by one in each update until a new gradient comes.

    Raises
    ------
    ValueError
        If the file cannot be read, its columns are ambiguous, or a line holds anything else.
    """
    reader = _Reader(request)
    try:
        with open(path, "rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            with gzip.GzipFile(fileobj=raw) if packed else nullcontext(raw) as file:
                for chunk in _chunks(file):
                    reader.read(chunk)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error  # the name is said already
        raise ValueError(
            f"log must be a readable text file; got {fspath(path)!r}: {reason}"
        ) from error
    return reader.delays()


def _chunks(file: IO[bytes] | gzip.GzipFile) -> Iterator[bytes]:
    """The file in pieces of whole lines, all of which end with one line feed."""
    rest, first = b"", True
    while data := file.read(_CHUNK):
        if first:
            data, first = data.removeprefix(_BYTE_ORDER_MARK), False
        rest += data
        # A carriage return at the end may be half of a line end.
        held = rest[-1:] if rest.endswith(b"\r") else b""
        text = rest[: len(rest) - len(held)]
        if b"\r" in text:
            text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        end = text.rfind(b"\n") + 1
        if end:
            yield text[:end]
        rest = text[end:] + held
        if len(rest) > _CHUNK:
            raise ValueError(f"log must hold {ALLOWED}; got a line of more than {_CHUNK} bytes")
    if rest.strip():
        yield rest.replace(b"\r", b"\n") + b"\n"


@dataclass
class _Reader:
    """What is known of a file so far: its layout, from its first lines, and its delays."""

    request: Request
    lines: int = 0
    rows: int = 0
    separator: str | None = None
    width: int = 0
    header: str | None = None
    refusal: ValueError | None = None
    where: list[int] = field(default_factory=list)
    values: Any = field(default_factory=lambda: array("q"))

    def read(self, chunk: bytes) -> None:
        """Take a piece of the file, which ends with a line feed."""
        found = _plain_numbers(chunk, self.separator, self.width) if self.width else None
        if found is None:
            self._read_lines(chunk)
            return
        self.values.frombytes(found[:, self.where].tobytes())
        self.rows += len(found)
        self.lines += len(found)

    def delays(self) -> NDArray[np.int64]:
        """All delays of the file, checked."""
        if not self.values:
            raise ValueError(f"log must hold {ALLOWED}; got nothing")
        values = np.frombuffer(self.values, dtype=np.int64)
        if len(self.where) > 1:
            values = values.reshape(-1, len(self.where))
        if self.refusal and not _are_ages(values):
            raise self.refusal
        refuse_counters(values, "log")
        return values

    def _read_lines(self, chunk: bytes) -> None:
        for line in chunk.decode("utf-8").split("\n")[:-1]:
            self.lines += 1
            text = line.strip()
            if not text or text.startswith("#"):
                continue
            if self.width == 0 and self._takes_header(line):
                continue
            fields = self._fields(line)
            if self.width == 0:
                self._settle(fields, line)
            if len(fields) != self.width:
                raise ValueError(
                    f"log must hold {ALLOWED}; its rows differ in length: got {shown(line)} in "
                    f"line {self.lines} after rows of length {self.width}"
                )
            self.rows += 1
            self.values.extend(self._delay(fields[k], line) for k in self.where)
            if self.refusal and self.rows == _ENOUGH:
                self._refuse_if_no_ages()

    def _refuse_if_no_ages(self) -> None:
        """Where the first rows already tell, the rest of a long file need not be read."""
        first = np.array(self.values).reshape(-1, self.width)
        if self.refusal and np.any(np.diff(first, axis=0) > 1):
            raise self.refusal

    def _takes_header(self, line: str) -> bool:
        """Whether the line is the header, which no other line is before the first numbers."""
        fields = _split(line, _separator(line))
        if self.header is not None or not _names(fields):
            return False
        self.header = line
        return True

    def _settle(self, fields: list[str], line: str) -> None:
        """The layout, from the first line of numbers and the header before it."""
        self.separator = _separator(line)
        self.width = len(fields)
        names: list[Any] = list(range(self.width))
        if self.header is not None:
            separator = _separator(self.header)
            names = [self.header.strip()] if self.width == 1 else _split(self.header, separator)
            if self.width == 1 and separator is None:
                names = [self.header.strip().strip('"')]
            if len(names) != self.width or (separator != self.separator and self.width > 1):
                raise ValueError(
                    f"log must hold {ALLOWED}; its rows differ in length: got {shown(line)} in "
                    f"line {self.lines} under the header {shown(self.header)}"
                )
        source = f"{shown(line)} in line {self.lines}"
        if self.request is None and self.header is None and self.width >= _WORKERS:
            self.refusal = ambiguous(names, False, source)
            self.where = names
        else:
            self.where = chosen_columns(names, self.header is not None, self.request, source)

    def _fields(self, line: str) -> list[str]:
        return _split(line, self.separator if self.width else _separator(line))

    def _delay(self, field: str, line: str) -> int:
        if (found := _INTEGER.fullmatch(field)) and (value := int(found[1])) <= LARGEST_DELAY:
            return value
        if _NUMBER.fullmatch(field) is None:
            raise ValueError(
                f"log must hold {ALLOWED}; got {shown(line)} in line {self.lines}: delete it, or "
                "start it with #"
            )
        number = float(field)
        if found is None and 0 <= number < LARGEST_DELAY and number == int(number):
            return int(number)
        place = f"row {self.rows} (line {self.lines})"
        if found or abs(number) >= LARGEST_DELAY:
            place = f"{place}, beyond 2**53"
        raise ValueError(f"log must hold {ALLOWED}; got {field if found else number} in {place}")


def _separator(line: str) -> str | None:
    return next((mark for mark in _SEPARATORS if mark in line.strip()), None)


def _split(line: str, separator: str | None) -> list[str]:
    if separator is None:
        fields = line.split()
    elif '"' in line:
        fields = next(csv.reader([line], delimiter=separator, skipinitialspace=True))
    else:
        fields = line.split(separator)
    return [field.strip() for field in fields]


def _names(fields: list[str]) -> bool:
    """Whether these are names of columns: none looks like a number or a missing value."""
    if not any(fields):
        return False
    return all(
        not field or ((field[0].isalpha() or field[0] in "_\"'") and field.lower() not in _MISSING)
        for field in fields
    )


def _are_ages(values: NDArray[np.int64]) -> bool:
    """Whether each column is the age of a worker's last gradient: one more, or a new gradient."""
    steps = np.diff(values, axis=0)
    grows, falls = np.any(steps == 1, axis=0), np.any(steps < 0, axis=0)
    return len(values) >= _ENOUGH and bool(np.all(steps <= 1) and np.all(grows & falls))


def _plain_numbers(chunk: bytes, separator: str | None, width: int) -> NDArray[np.int64] | None:
    """The rows of a piece that holds nothing but whole numbers, or None where it holds more."""
    mark = (separator or "\n").encode()
    odd = chunk.translate(None, b"0123456789\n" + mark)
    if odd.translate(None, b".+eE-") or (width > 1 and separator is None):
        return None
    if width > 1:
        letters = np.frombuffer(chunk, dtype=np.uint8)
        marks = letters[(letters == mark[0]) | (letters == 10)]
        if marks.size % width:
            return None
        marks = marks.reshape(-1, width)
        if np.any(marks[:, :-1] != mark[0]) or np.any(marks[:, -1] != 10):
            return None
        chunk = chunk.replace(mark, b"\n")
    with warnings.catch_warnings():
        # A field that is no number: the slow way says which.
        warnings.simplefilter("error")
        try:
            found = np.fromstring(chunk, dtype=np.float64 if odd else np.int64, sep="\n")
        except (DeprecationWarning, ValueError):
            return None
    if len(found) != chunk.count(b"\n") or (odd and not np.all(found == np.floor(found))):
        return None
    # From 2**53 on, a float may mean another integer.
    if found.size and not (found.min() >= 0 and found.max() < LARGEST_DELAY):
        return None
    return found.astype(np.int64, copy=False).reshape(-1, width)
