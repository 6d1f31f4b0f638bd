"""The problem of most experiments: a tanh network on digits, or on other images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from delaystability.validation.data import load_dataset
from delaystability.validation.dense import DenseProblem
from delaystability.validation.device import checked_device, checked_dtype
from delaystability.validation.network import Network

__all__ = ["digits_problem"]

_FEATURES = 64  # of a digit


def digits_problem(
    hidden: Sequence[int],
    images: int,
    seed: int,
    device: str,
    dtype: str,
    *,
    test_images: int = 1,
    data: str = "",
) -> DenseProblem:
    """Make the network pixels-hidden-classes on digits or on other images.

    Larger images are scaled down to the length of a digit, so that networks start as sharp.

    Parameters
    ----------
    hidden : sequence of int
        Neurons of each hidden layer.
    images, test_images : int
        To train and to test on.
    seed : int
        Of their choice.
    device : "cpu", "cuda" or "cuda:<index>"
    dtype : "float64" or "float32"
    data : str
        Name or folder, see `load_dataset`; the digits unless given.
    """
    found = load_dataset(data or "digits", samples=images, test_samples=test_images, seed=seed)
    found = found.flat()
    features = found.inputs.shape[1]
    if features != _FEATURES:
        scale = (_FEATURES / features) ** 0.5
        test = None if found.test_inputs is None else scale * found.test_inputs
        found = replace(found, inputs=scale * found.inputs, test_inputs=test)
    return DenseProblem.from_arrays(
        Network((features, *hidden, found.outputs)),
        found.inputs,
        found.targets,
        test_inputs=found.test_inputs,
        test_labels=found.test_labels,
        device=checked_device(device),
        dtype=checked_dtype(dtype),
    )
