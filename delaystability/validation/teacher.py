"""A synthetic task: inputs drawn from a normal law, targets computed by a random network."""

from __future__ import annotations

from itertools import pairwise
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from delaystability.model.arguments import checked_count
from delaystability.validation.dataset import Dataset

__all__ = ["teacher"]


def teacher(
    samples: int,
    *,
    features: int = 16,
    hidden: tuple[int, ...] = (16,),
    outputs: int = 4,
    noise: float = 0.0,
    labelled: bool = True,
    test_samples: int = 1000,
    seed: int = 0,
) -> Dataset:
    """Data whose law is known: a tanh network with random weights is the teacher.

    With standard normal inputs x and weights W of variance 1 / (columns of W)::

        t(x) = W_last tanh(... tanh(W_1 x))
        y    = t(x) + noise * standard normal

    The target is y itself, or the class in which y is largest. The teacher, the training inputs,
    their noise and the test set are drawn apart: more samples keep the teacher and the first ones.

    Parameters
    ----------
    samples : int, at least 2
    features, outputs : int, at least 1
    hidden : tuple of int
        Widths of the teacher's hidden layers; none for a linear teacher.
    noise : float, at least 0
        Standard deviation of the noise on each output, whose own is about 0.6 with hidden layers;
        test labels are free of it.
    labelled : bool
        Classes with one-hot targets and a test set, rather than real targets and none.
    test_samples : int, at least 1
    seed : int, at least 0

    Raises
    ------
    ValueError
        For an argument outside its range.
    """
    checked_count("samples", samples, 2)
    for argument, value in (
        ("features", features),
        ("outputs", outputs),
        ("test_samples", test_samples),
        *(("hidden", width) for width in hidden),
    ):
        checked_count(argument, value, 1)
    checked_count("seed", seed, 0)
    if not (isfinite(noise) and noise >= 0):
        raise ValueError(f"noise must be a number >= 0; got {noise!r}")
    for_weights, for_inputs, for_noise, for_test = np.random.default_rng(seed).spawn(4)
    weights = [
        for_weights.standard_normal((out, into)) / into**0.5
        for into, out in pairwise((features, *hidden, outputs))
    ]
    inputs = for_inputs.standard_normal((samples, features))
    targets = _outputs(weights, inputs) + noise * for_noise.standard_normal((samples, outputs))
    if not labelled:
        return Dataset(inputs, targets, None, None, None, "teacher", _SOURCE)
    labels = targets.argmax(axis=1)
    test_inputs = for_test.standard_normal((test_samples, features))
    return Dataset(
        inputs=inputs,
        targets=np.eye(outputs)[labels],
        labels=labels,
        test_inputs=test_inputs,
        test_labels=_outputs(weights, test_inputs).argmax(axis=1),
        name="teacher",
        source=_SOURCE,
    )


_SOURCE = "Synthetic: a random tanh network labels normal inputs"


def _outputs(
    weights: list[NDArray[np.float64]], inputs: NDArray[np.float64]
) -> NDArray[np.float64]:
    signal = inputs @ weights[0].T
    for matrix in weights[1:]:
        signal = np.tanh(signal) @ matrix.T
    return signal
