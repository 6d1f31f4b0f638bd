"""The problem of most experiments: a tanh network on digits."""

from __future__ import annotations

from collections.abc import Sequence

from delaystability.validation.data import digits_dataset
from delaystability.validation.dense import DenseProblem
from delaystability.validation.device import checked_device, checked_dtype
from delaystability.validation.network import Network

__all__ = ["digits_problem"]


def digits_problem(
    hidden: Sequence[int],
    images: int,
    seed: int,
    device: str,
    dtype: str,
    *,
    test_images: int = 1,
) -> DenseProblem:
    """Make the network 64-hidden-10 on digits.

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
    """
    data = digits_dataset(images, test_images, seed).flat()
    return DenseProblem.from_arrays(
        Network((64, *hidden, 10)),
        data.inputs,
        data.targets,
        test_inputs=data.test_inputs,
        test_labels=data.test_labels,
        device=checked_device(device),
        dtype=checked_dtype(dtype),
    )
