"""Pickles of plain values and byte arrays, read without running anything that they ask for.

A pickle is a program that may call any function it names. Here the only names that it may use are
those with which NumPy writes an array, and even these do not reach NumPy: they are answered by
stand-ins that collect the shape and the bytes, from which the array is then made by its own check.
"""

from __future__ import annotations

import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["read_plain_pickle"]

_PLAIN = (bytes, str, int, float, bool, type(None))
_ARRAY_CLASS = "numpy.ndarray"


def read_plain_pickle(path: str | Path) -> Any:
    """The content of a pickle of plain values: one dict, or what may be in it.

    Its entries may be bytes, text, numbers, None, lists of these, and uint8 arrays.
    Text that Python 2 wrote comes back as bytes.

    Raises
    ------
    ValueError
        If the file cannot be read, is no pickle, or asks for anything else.
    """
    place = Path(path)
    try:
        with place.open("rb") as stream:
            return _content(_PlainUnpickler(stream, encoding="bytes").load())
    except Exception as error:  # damaged pickles fail in any way
        raise ValueError(f"path must be a pickle of plain values; got {place}: {error}") from error


class _Type:
    """Stands for a NumPy dtype: its code, of which only one byte without a sign is allowed."""

    def __init__(self, *arguments: Any) -> None:
        if not arguments or arguments[0] not in ("u1", b"u1"):
            raise pickle.UnpicklingError(f"only arrays of uint8 are allowed, not {arguments!r:.60}")

    def __setstate__(self, state: Any) -> None:
        """Byte order and alignment say nothing about single bytes."""


class _Array:
    """Stands for a NumPy array until its state is known."""

    def __init__(self, *arguments: Any) -> None:
        if not arguments or arguments[0] != _ARRAY_CLASS:
            raise pickle.UnpicklingError("only plain NumPy arrays are allowed")
        self.values: NDArray[np.uint8] | None = None

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, fortran, data = state
        plain = isinstance(shape, tuple) and all(type(size) is int and size >= 0 for size in shape)
        if not (plain and isinstance(kind, _Type) and isinstance(data, bytes)):
            raise pickle.UnpicklingError("only arrays of bytes are allowed")
        if len(data) != math.prod(shape):
            raise pickle.UnpicklingError(f"{len(data)} bytes do not fill an array {shape}")
        flat = np.frombuffer(data, np.uint8)
        self.values = flat.reshape(shape, order="F" if fortran else "C")


_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _ARRAY_CLASS,
    ("numpy", "dtype"): _Type,
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
}


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """The stand-in for this name, or a refusal."""
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"the name {module}.{name} is not allowed")
        return _ALLOWED[module, name]


def _content(value: Any) -> Any:
    """A dict of entries, or one entry."""
    if type(value) is not dict:
        return _entry(value)
    return {_plain(key): _entry(entry) for key, entry in value.items()}


def _entry(value: Any) -> Any:
    """An array in place of its stand-in, a list of plain values, or one of them."""
    if isinstance(value, _Array):
        if value.values is None:
            raise pickle.UnpicklingError("an array without its bytes")
        return value.values
    return [_plain(entry) for entry in value] if type(value) is list else _plain(value)


def _plain(value: Any) -> Any:
    if type(value) not in _PLAIN:
        raise pickle.UnpicklingError(f"a {type(value).__name__} is not allowed here")
    return value
