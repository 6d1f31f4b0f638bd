"""Real data that needs no download: the digits bundled with scikit-learn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

__all__ = ["DIGITS_IMAGES", "digits"]

DIGITS_IMAGES = 1797
"""The number of images in the data set."""


def digits(images: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A random subset of the 8x8 digits, standardised, with one-hot targets.

    Each pixel is centred; then all are divided by one common standard deviation, so that pixels
    that are always blank stay zero instead of being divided by nothing.

    Parameters
    ----------
    images : int, 2 to 1797
        Size of the subset, drawn without replacement.
    seed : int, at least 0
        Decides the subset and its order.

    Returns
    -------
    inputs : array of shape (images, 64), mean 0 in each column and overall variance 1
    targets : array of shape (images, 10), one 1 in each row

    Raises
    ------
    ValueError
        For a number of images or a seed outside its range.

    Notes
    -----
    Optical recognition of handwritten digits, E. Alpaydin and C. Kaynak (1998), UCI Machine
    Learning Repository, doi:10.24432/C50P49.
    """
    if isinstance(images, bool) or not isinstance(images, int) or not 2 <= images <= DIGITS_IMAGES:
        raise ValueError(f"images must be an integer from 2 to {DIGITS_IMAGES}; got {images!r}")
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ValueError(f"seed must be an integer >= 0; got {seed!r}")
    pixels, labels = load_digits(return_X_y=True)
    chosen = np.random.default_rng(seed).permutation(DIGITS_IMAGES)[:images]
    centred = pixels[chosen] - pixels[chosen].mean(axis=0)
    return centred / centred.std(), np.eye(10)[labels[chosen]]
