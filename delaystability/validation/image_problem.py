"""Small convolutional networks on images, through the engine as plain modules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from torch import nn

from delaystability.validation.data import load_dataset
from delaystability.validation.dataset import Dataset
from delaystability.validation.device import checked_device, checked_dtype
from delaystability.validation.module_problem import ModuleProblem
from delaystability.validation.modules import SmallConvNet, SmallResidualNet

__all__ = ["NETWORKS", "image_problem", "small_images"]

_SIDE = 16  # pixels; larger images are averaged down, so that a run takes seconds
_WIDTH = 4

NETWORKS: dict[str, Callable[[int, int, int], nn.Module]] = {
    "conv": lambda channels, side, classes: SmallConvNet(channels, side, classes, _WIDTH, "tanh"),
    "residual": lambda channels, side, classes: SmallResidualNet(
        channels, side, classes, _WIDTH, 1, "tanh", stride=2 if side > 8 else 1
    ),
}
"""Networks by name, from channels, side and classes of the images."""


def image_problem(
    network: str, data: str, images: int, tested: int, seed: int, device: str, dtype: str
) -> ModuleProblem:
    """Make a network with the cross-entropy on images of at most 16 by 16 pixels.

    Parameters
    ----------
    network : one of `NETWORKS`
    data : str
        Name or folder, see `load_dataset`.
    images, tested : int
        To train and to test on; all that there are if these are more.
    seed : int
        Of their choice.
    device : "cpu", "cuda" or "cuda:<index>"
    dtype : "float64" or "float32"
    """
    found = small_images(data, images, tested, seed)
    channels, side = found.inputs.shape[1:3]
    return ModuleProblem(
        NETWORKS[network](channels, side, found.outputs),
        found,
        "cross-entropy",
        device=checked_device(device),
        dtype=checked_dtype(dtype),
    )


@lru_cache(maxsize=2)
def small_images(data: str, images: int, tested: int, seed: int) -> Dataset:
    """Load images, averaged over squares of two by two pixels until they are small enough.

    Parameters
    ----------
    data, images, tested, seed
        See `image_problem`.
    """
    # Of the digits there are few: those that are not trained on are tested on.
    few = data == "digits"
    found = load_dataset(data, samples=images, test_samples=None if few else tested, seed=seed)
    assert found.test_inputs is not None
    inputs, test_inputs = found.inputs, found.test_inputs
    while inputs.shape[-1] > _SIDE:
        inputs, test_inputs = _halved(inputs), _halved(test_inputs)
    deviation = float(inputs.std())
    return replace(found, inputs=inputs / deviation, test_inputs=test_inputs / deviation)


def _halved(images: NDArray[np.float64]) -> NDArray[np.float64]:
    count, channels, height, width = images.shape
    even = images[:, :, : height // 2 * 2, : width // 2 * 2]
    squares = even.reshape(count, channels, height // 2, 2, width // 2, 2)
    return np.asarray(squares.mean(axis=(3, 5)))
