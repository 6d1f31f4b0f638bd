"""A synthetic task: inputs drawn from a normal law, labelled by a random network."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from delaystability.model.arguments import checked_count
from delaystability.validation.dataset import Dataset

__all__ = ["teacher"]

_FEATURES, _HIDDEN, _CLASSES = 16, 16, 4


def teacher(samples: int, *, test_samples: int = 1000, seed: int = 0) -> Dataset:
    """Data whose law is known: a tanh network with random weights is the teacher.

    With 16 standard normal inputs x and weights W of variance 1 / (columns of W), the label is the
    class in which this is largest, one of four::

        t(x) = W_2 tanh(W_1 x)

    The teacher, the training inputs and the test set are drawn apart: more samples keep the teacher
    and the first ones.

    Parameters
    ----------
    samples : int, at least 2
    test_samples : int, at least 1
    seed : int, at least 0

    Raises
    ------
    ValueError
        For an argument outside its range.
    """
    checked_count("samples", samples, 2)
    checked_count("test_samples", test_samples, 1)
    checked_count("seed", seed, 0)
    # The third stream is that of a noise which there was once.
    for_weights, for_inputs, _, for_test = np.random.default_rng(seed).spawn(4)
    first = for_weights.standard_normal((_HIDDEN, _FEATURES)) / _FEATURES**0.5
    second = for_weights.standard_normal((_CLASSES, _HIDDEN)) / _HIDDEN**0.5

    def labels_of(inputs: NDArray[np.float64]) -> NDArray[np.int64]:
        return (np.tanh(inputs @ first.T) @ second.T).argmax(axis=1)

    inputs = for_inputs.standard_normal((samples, _FEATURES))
    test_inputs = for_test.standard_normal((test_samples, _FEATURES))
    labels = labels_of(inputs)
    return Dataset(
        inputs=inputs,
        targets=np.eye(_CLASSES)[labels],
        labels=labels,
        test_inputs=test_inputs,
        test_labels=labels_of(test_inputs),
        name="teacher",
        source="Synthetic: a random tanh network labels normal inputs",
    )
