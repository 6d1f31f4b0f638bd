"""The IDX format of MNIST and of the data sets made like it, plain or compressed by gzip.

A file is a big-endian header (two zero bytes, a code of the number type, the number of dimensions,
each dimension in four bytes) and then the numbers, the last index running fastest.
"""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from delaystability.validation.images import LabelledImages

__all__ = ["find_idx", "read_idx"]

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_GZIP = b"\x1f\x8b"
_CHUNK = 1 << 20

_SOURCE = (
    "IDX files in the form of MNIST: Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, Gradient-based "
    "learning applied to document recognition, Proceedings of the IEEE 86 (1998) 2278-2324"
)


def read_idx(path: str | Path) -> NDArray[np.generic]:
    """The array in an IDX file.

    Compression is recognised by the content, not by the name.

    Raises
    ------
    ValueError
        If the file cannot be read, is no IDX file, is cut short, or goes on after its numbers.
    """
    place = Path(path)
    try:
        with place.open("rb") as plain:
            compressed = plain.read(2) == _GZIP
            plain.seek(0)
            if not compressed:
                return _read(plain, place)
            with gzip.GzipFile(fileobj=plain) as stream:
                return _read(stream, place)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"path must be a readable IDX file; got {place}: {error}") from error


def find_idx(folder: Path) -> LabelledImages | None:
    """The images in a folder with the four files of MNIST, or None without a first one.

    The files are ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte`` and the same with
    ``t10k``; with or without ``.gz``, and with a dot before ``idx`` as well.

    Raises
    ------
    ValueError
        If one of the other three is missing, or they do not fit each other.
    """
    if _place(folder, "train-images", 3) is None:
        return None
    pixels, labels = _pair(folder, "train")
    test_pixels, test_labels = _pair(folder, "t10k")
    if pixels.shape[1:] != test_pixels.shape[1:]:
        raise ValueError(
            f"folder must hold test images of the shape {pixels.shape[1:]}; "
            f"got {test_pixels.shape[1:]} in {folder}"
        )
    return LabelledImages(
        pixels=pixels[:, None],
        labels=labels,
        test_pixels=test_pixels[:, None],
        test_labels=test_labels,
        classes=1 + int(max(labels.max(), test_labels.max())),
        name="idx-images",
        source=_SOURCE,
    )


def _read(stream: IO[bytes] | gzip.GzipFile, place: Path) -> NDArray[np.generic]:
    head = stream.read(4)
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in _TYPES or not head[3]:
        raise ValueError(f"path must be an IDX file; got {place}, which starts with {head.hex()!r}")
    shape = tuple(int(size) for size in np.frombuffer(_exactly(stream, 4 * head[3], place), ">u4"))
    dtype = np.dtype(_TYPES[head[2]])
    data = _exactly(stream, math.prod(shape) * dtype.itemsize, place)
    if stream.read(1):
        raise ValueError(f"path must be an IDX file of the shape {shape}; {place} is longer")
    return np.frombuffer(data, dtype).astype(dtype.newbyteorder("=")).reshape(shape)


def _exactly(stream: IO[bytes] | gzip.GzipFile, size: int, place: Path) -> bytes:
    """As many bytes, a piece at a time: a wrong header must not ask for all memory at once."""
    pieces, missing = [], size
    while missing:
        piece = stream.read(min(missing, _CHUNK))
        if not piece:
            raise ValueError(f"path must be a whole IDX file; {place} lacks {missing} bytes")
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces)


def _place(folder: Path, kind: str, dimensions: int) -> Path | None:
    names = [f"{kind}{dot}idx{dimensions}-ubyte{suffix}" for dot in "-." for suffix in ("", ".gz")]
    found = [folder / name for name in names if (folder / name).is_file()]
    return found[0] if found else None


def _pair(folder: Path, part: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    arrays = []
    for kind, dimensions in ((f"{part}-images", 3), (f"{part}-labels", 1)):
        place = _place(folder, kind, dimensions)
        if place is None:
            raise ValueError(
                f"folder must hold {kind}-idx{dimensions}-ubyte, plain or .gz; not in {folder}"
            )
        array = read_idx(place)
        if array.ndim != dimensions or array.dtype != np.uint8 or not array.size:
            raise ValueError(
                f"{place.name} must hold bytes in {dimensions} dimensions; "
                f"got {array.dtype} of the shape {array.shape}"
            )
        arrays.append(array)
    pixels, labels = arrays
    if len(pixels) != len(labels):
        raise ValueError(
            f"folder must hold as many {part} labels as images; "
            f"got {len(labels)} and {len(pixels)} in {folder}"
        )
    return pixels.astype(np.uint8, copy=False), labels.astype(np.int64)
