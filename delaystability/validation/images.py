"""Labelled images as they lie in a file, and standardised data sets drawn from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from delaystability.model.arguments import checked_count
from delaystability.validation.dataset import Dataset

__all__ = ["LabelledImages", "standardised"]


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """A training and a test set of images.

    Parameters
    ----------
    pixels : uint8 array of shape (images, channels, height, width)
    labels : int64 array of shape (images,)
    test_pixels, test_labels : the same of the test set
    classes : int
    name, source : str
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    test_pixels: NDArray[np.uint8]
    test_labels: NDArray[np.int64]
    classes: int
    name: str
    source: str

    def dataset(self, samples: int | None, test_samples: int | None, seed: int) -> Dataset:
        """Random subsets of both sets, standardised by the training subset.

        Parameters
        ----------
        samples, test_samples : int or None
            Drawn without replacement; None for all.
        seed : int, at least 0
            Decides the subsets and their order, of the test set apart from the training set.

        Raises
        ------
        ValueError
            For a number that is not there.
        """
        chosen = _subset("samples", samples, len(self.pixels), [seed, 0])
        tested = _subset("test_samples", test_samples, len(self.test_pixels), [seed, 1])
        inputs, test_inputs = standardised(self.pixels[chosen], self.test_pixels[tested])
        labels = self.labels[chosen]
        return Dataset(
            inputs=inputs,
            targets=np.eye(self.classes)[labels],
            labels=labels,
            test_inputs=test_inputs,
            test_labels=self.test_labels[tested],
            name=self.name,
            source=self.source,
        )


def standardised(
    training: NDArray[np.uint8] | NDArray[np.float64], test: NDArray[np.uint8] | NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both sets less the training mean of each pixel, over one common standard deviation.

    One standard deviation for all, so that pixels that are always blank stay zero instead of
    being divided by nothing. The test set has no say in the statistics.

    Raises
    ------
    ValueError
        If all training images are the same.
    """
    mean = training.mean(axis=0, dtype=np.float64)
    centred = training - mean
    deviation = float(centred.std())
    if not deviation > 0:
        raise ValueError("samples must hold images that differ; all chosen ones are the same")
    centred /= deviation
    return centred, (test - mean) / deviation


def _subset(argument: str, count: int | None, there: int, seed: list[int]) -> NDArray[np.int64]:
    order = np.random.default_rng(seed).permutation(there)
    return order if count is None else order[: checked_count(argument, count, 1, there)]
