"""Text that every installation has, as integers from 0 to 31."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

__all__ = ["ALPHABET", "characters", "dataset_descriptions", "python_topics"]

ALPHABET = "abcdefghijklmnopqrstuvwxyz \n.,0*"
"""What text is reduced to: 0 stands for every digit, * for every other character."""


def python_topics() -> str:
    """The topics of Python's ``help()``: the reference of the language.

    They come with Python (Python Software Foundation License), and differ between its versions.
    """
    topics: dict[str, str] = import_module("pydoc_data.topics").topics
    return _joined(topics)


def dataset_descriptions() -> str:
    """The descriptions of data sets that come with scikit-learn (BSD licence)."""
    folder = files("sklearn.datasets.descr")
    texts = {
        file.name: file.read_text("utf-8")
        for file in folder.iterdir()
        if file.name.endswith(".rst")
    }
    return _joined(texts)


def characters(text: str) -> NDArray[np.int64]:
    """Write text in the `ALPHABET`, in small letters; each character is its place there."""
    places = {letter: place for place, letter in enumerate(ALPHABET)}
    other, digit = places["*"], places["0"]
    found = [
        digit if letter.isdigit() else places.get(letter, other) if letter != "*" else other
        for letter in text.lower()
    ]
    return np.array(found, dtype=np.int64)


def _joined(texts: Mapping[str, str]) -> str:
    """All paragraphs, each once; neighbouring texts have nothing in common."""
    names = sorted(texts)
    order = np.random.default_rng(0).permutation(len(names))
    paragraphs = (part for place in order for part in texts[names[place]].split("\n\n"))
    return "\n".join(dict.fromkeys(paragraphs))
