"""The data of the tasks: tensors to train on and to test on, from what is installed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import log
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from delaystability.validation import text
from delaystability.validation.data import FASHION, load_dataset

__all__ = ["CONTEXT", "DATA", "FASHION", "TaskData", "task_data"]

CONTEXT = 32
"""Characters in a sequence of text."""

_TESTED = 512  # samples, at most


@dataclass(frozen=True, eq=False)
class TaskData:
    """Samples to train on and to test on.

    Attributes
    ----------
    inputs, labels, test_inputs, test_labels : tensors with a row for each sample
        Of text, both are integers (samples, length), the labels those of one place later.
    classes : int
    """

    inputs: Tensor
    labels: Tensor
    test_inputs: Tensor
    test_labels: Tensor
    classes: int

    @property
    def chance(self) -> float:
        """The loss of a model that gives all classes the same probability."""
        return log(self.classes)

    def to(self, device: str, dtype: torch.dtype) -> TaskData:
        """The same on a device, with inputs that are no integers in this precision."""
        inputs, tested = (
            rows.to(device, dtype if rows.is_floating_point() else None)
            for rows in (self.inputs, self.test_inputs)
        )
        labels, test_labels = self.labels.to(device), self.test_labels.to(device)
        return TaskData(inputs, labels, tested, test_labels, self.classes)

    def fingerprint(self) -> str:
        """Begin of the SHA-256 of all samples."""
        digest = hashlib.sha256()
        for rows in (self.inputs, self.labels, self.test_inputs, self.test_labels):
            digest.update(rows.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]


def _images(name: str | Path, samples: int) -> TaskData:
    found = load_dataset(name, samples=samples, test_samples=None if name == "digits" else _TESTED)
    assert found.labels is not None
    assert found.test_inputs is not None
    assert found.test_labels is not None
    return _of_arrays(
        found.inputs, found.labels, found.test_inputs, found.test_labels, found.outputs
    )


def _cancer() -> TaskData:
    from sklearn.datasets import load_breast_cancer

    features, labels = load_breast_cancer(return_X_y=True)
    return _of_table(features, labels, trained=400)


def _wine() -> TaskData:
    from sklearn.datasets import load_wine

    features, labels = load_wine(return_X_y=True)
    return _of_table(features, labels, trained=120)


def _of_table(features: NDArray[np.float64], labels: NDArray[np.int64], trained: int) -> TaskData:
    """Rows in a random order, scaled by those that are trained on."""
    order = np.random.default_rng(0).permutation(len(labels))
    features, labels = features[order], labels[order].astype(np.int64)
    features = (features - features[:trained].mean(axis=0)) / features[:trained].std(axis=0)
    classes = 1 + int(labels.max())
    return _of_arrays(
        features[:trained], labels[:trained], features[trained:], labels[trained:], classes
    )


def _of_arrays(
    inputs: NDArray[np.float64],
    labels: NDArray[np.int64],
    test_inputs: NDArray[np.float64],
    test_labels: NDArray[np.int64],
    classes: int,
) -> TaskData:
    return TaskData(
        torch.from_numpy(inputs),
        torch.from_numpy(labels),
        torch.from_numpy(test_inputs),
        torch.from_numpy(test_labels),
        classes,
    )


def _text(source: Callable[[], str]) -> TaskData:
    """Every sequence of nine tenths of the text to train on; of the rest, some to test on."""
    places = torch.from_numpy(text.characters(source()))
    split = len(places) * 9 // 10
    train = places[:split].unfold(0, CONTEXT + 1, 1)
    test = places[split:].unfold(0, CONTEXT + 1, CONTEXT)
    test = test[:: max(1, len(test) // 128)][:128]
    return TaskData(train[:, :-1], train[:, 1:], test[:, :-1], test[:, 1:], len(text.ALPHABET))


DATA: dict[str, Callable[[], TaskData]] = {
    "digits": lambda: _images("digits", 1200),
    "fashion-mnist": lambda: _images(FASHION, 6000),
    "breast-cancer": _cancer,
    "wine": _wine,
    "python-topics": lambda: _text(text.python_topics),
    "dataset-descriptions": lambda: _text(text.dataset_descriptions),
}
"""Where the data of each name come from."""


@lru_cache(maxsize=1)
def task_data(name: str) -> TaskData:
    """The data of this name."""
    return DATA[name]()
