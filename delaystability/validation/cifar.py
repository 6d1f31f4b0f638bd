"""CIFAR-10 and CIFAR-100 as their authors distribute them: the binary and the Python version.

Binary: records of one label byte (two for CIFAR-100, coarse and fine) and 3,072 bytes, the red,
green and blue plane of 32 x 32 pixels. Python: pickles of a dict that holds the same bytes as an
array (images, 3072) and the labels as a list; see `delaystability.validation.plain_pickle`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delaystability.validation.images import LabelledImages
from delaystability.validation.plain_pickle import read_plain_pickle

__all__ = ["find_cifar"]

_SOURCE = "A. Krizhevsky, Learning multiple layers of features from tiny images (2009)"
_PIXELS = 3 * 32 * 32

Part = tuple[NDArray[np.uint8], NDArray[np.int64]]


@dataclass(frozen=True)
class _Kind:
    """One of the two data sets: its classes, its files without their ending, and its labels."""

    name: str
    classes: int
    training: tuple[str, ...]
    test: str
    label_bytes: int
    label_key: str


_KINDS = (
    _Kind(
        "cifar-10",
        10,
        tuple(f"data_batch_{part}" for part in range(1, 6)),
        "test_batch",
        label_bytes=1,
        label_key="labels",
    ),
    _Kind("cifar-100", 100, ("train",), "test", label_bytes=2, label_key="fine_labels"),
)


def find_cifar(folder: Path) -> LabelledImages | None:
    """The images in a folder with the files of CIFAR-10 or CIFAR-100, or None without a first one.

    The binary version goes before the Python version where both are there.

    Raises
    ------
    ValueError
        If both data sets are there, a file is missing, or one is not what it should be.
    """
    readers: tuple[tuple[str, Callable[[Path, _Kind], Part]], ...] = (
        (".bin", _binary),
        ("", _pickled),
    )
    found = {
        kind: [
            (end, read) for end, read in readers if (folder / (kind.training[0] + end)).is_file()
        ]
        for kind in _KINDS
    }
    kinds = [kind for kind in _KINDS if found[kind]]
    if not kinds:
        return None
    if len(kinds) > 1:
        raise ValueError(f"folder must hold one data set; got CIFAR-10 and CIFAR-100 in {folder}")
    (kind,) = kinds
    ending, read = found[kind][0]
    missing = [
        name + ending
        for name in (*kind.training, kind.test)
        if not (folder / (name + ending)).is_file()
    ]
    if missing:
        raise ValueError(f"folder must hold {', '.join(missing)} too; not in {folder}")
    parts = [read(folder / (name + ending), kind) for name in kind.training]
    test_pixels, test_labels = read(folder / (kind.test + ending), kind)
    return LabelledImages(
        pixels=np.concatenate([pixels for pixels, _ in parts]),
        labels=np.concatenate([labels for _, labels in parts]),
        test_pixels=test_pixels,
        test_labels=test_labels,
        classes=kind.classes,
        name=kind.name,
        source=_SOURCE,
    )


def _binary(place: Path, kind: _Kind) -> Part:
    record = kind.label_bytes + _PIXELS
    try:
        data = np.frombuffer(place.read_bytes(), np.uint8)
    except OSError as error:
        raise ValueError(f"folder must hold readable files; got {place}: {error}") from error
    if not data.size or data.size % record:
        raise ValueError(
            f"{place.name} must hold records of {record} bytes; got {data.size} bytes in all"
        )
    records = data.reshape(-1, record)
    labels = records[:, kind.label_bytes - 1].astype(np.int64)
    _check_labels(place, kind, int(labels.min()), int(labels.max()))
    return _planes(records[:, kind.label_bytes :]), labels


def _pickled(place: Path, kind: _Kind) -> Part:
    content = read_plain_pickle(place)
    if not isinstance(content, dict):
        raise ValueError(f"{place.name} must hold a dict; got {type(content).__name__}")
    # Python 2 wrote the keys as bytes.
    entries: dict[Any, Any] = {
        key.decode("ascii", "replace") if isinstance(key, bytes) else key: value
        for key, value in content.items()
    }
    for key in ("data", kind.label_key):
        if key not in entries:
            raise ValueError(
                f"{place.name} must hold the key {key!r}; got {sorted(map(str, entries))}"
            )
    pixels, labels = entries["data"], entries[kind.label_key]
    if not (
        isinstance(pixels, np.ndarray)
        and pixels.dtype == np.uint8
        and pixels.ndim == 2
        and pixels.shape[1] == _PIXELS
        and len(pixels)
    ):
        raise ValueError(f"{place.name} must hold data of the shape (images, {_PIXELS}) in bytes")
    if not isinstance(labels, list) or not all(type(label) is int for label in labels):
        raise ValueError(f"{place.name} must hold {kind.label_key} as a list of integers")
    if len(labels) != len(pixels):
        raise ValueError(
            f"{place.name} must hold one label for each image; "
            f"got {len(labels)} for {len(pixels)} images"
        )
    _check_labels(place, kind, min(labels), max(labels))
    return _planes(pixels), np.array(labels, dtype=np.int64)


def _planes(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return pixels.reshape(-1, 3, 32, 32)


def _check_labels(place: Path, kind: _Kind, least: int, most: int) -> None:
    if least < 0 or most >= kind.classes:
        raise ValueError(
            f"{place.name} must hold labels from 0 to {kind.classes - 1}; got {least} to {most}"
        )
