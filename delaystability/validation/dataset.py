"""Arrays to train and to test on, with where they come from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Dataset"]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Training and test samples; images have the shape (channels, height, width).

    Parameters
    ----------
    inputs : float64 array of shape (samples, ...)
    targets : float64 array of shape (samples, outputs)
        One-hot for classes, otherwise what the outputs should be.
    labels : int64 array of shape (samples,) or None
        Classes from 0 to outputs - 1; None where there are none.
    test_inputs : float64 array of shape (test samples, ...) or None
        Prepared as the training inputs were, with statistics of these alone.
    test_labels : int64 array of shape (test samples,) or None
        Given exactly if ``test_inputs`` are.
    name : str
    source : str
        Whom to cite.

    Raises
    ------
    TypeError
        For arrays of another type.
    ValueError
        For shapes that do not fit, values that are not finite, or labels outside their range.
    """

    inputs: NDArray[np.float64]
    targets: NDArray[np.float64]
    labels: NDArray[np.int64] | None
    test_inputs: NDArray[np.float64] | None
    test_labels: NDArray[np.int64] | None
    name: str
    source: str

    def __post_init__(self) -> None:
        _check_array("inputs", self.inputs, np.float64)
        _check_array("targets", self.targets, np.float64)
        samples = len(self.inputs)
        if self.inputs.ndim < 2 or not self.inputs.size:
            raise ValueError(
                f"inputs must have the shape (samples, ...), not empty; got {self.inputs.shape}"
            )
        if self.targets.ndim != 2 or len(self.targets) != samples or not self.targets.size:
            raise ValueError(
                f"targets must have the shape ({samples}, outputs); got {self.targets.shape}"
            )
        if (self.test_inputs is None) != (self.test_labels is None):
            raise ValueError("test_inputs and test_labels must both be given or both be None")
        _check_labels("labels", self.labels, samples, self.outputs)
        if self.test_inputs is not None:
            _check_array("test_inputs", self.test_inputs, np.float64)
            if self.test_inputs.shape[1:] != self.inputs.shape[1:]:
                raise ValueError(
                    f"test_inputs must have samples of the shape {self.inputs.shape[1:]}; "
                    f"got {self.test_inputs.shape[1:]}"
                )
            _check_labels("test_labels", self.test_labels, len(self.test_inputs), self.outputs)

    @property
    def samples(self) -> int:
        """The number of training samples."""
        return len(self.inputs)

    @property
    def outputs(self) -> int:
        """The number of classes, or of real targets."""
        return self.targets.shape[1]

    def flat(self) -> Dataset:
        """The same with inputs of the shape (samples, features), for fully connected networks."""
        test = self.test_inputs
        return replace(
            self,
            inputs=self.inputs.reshape(self.samples, -1),
            test_inputs=None if test is None else test.reshape(len(test), -1),
        )

    def fingerprint(self) -> str:
        """SHA-256 of all values and shapes, in hexadecimal: the same for the same data anywhere."""
        digest = hashlib.sha256()
        for array in (self.inputs, self.targets, self.labels, self.test_inputs, self.test_labels):
            if array is None:
                digest.update(b"none")
                continue
            digest.update(repr(array.shape).encode())
            digest.update(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes())
        return digest.hexdigest()


def _check_array(argument: str, array: Any, dtype: type[np.generic]) -> None:
    if not isinstance(array, np.ndarray) or array.dtype != dtype:
        found = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
        raise TypeError(f"{argument} must be a NumPy array of {np.dtype(dtype)}; got {found}")
    if not np.isfinite(array).all():
        raise ValueError(f"{argument} must be finite numbers")


def _check_labels(argument: str, labels: Any, samples: int, classes: int) -> None:
    if labels is None:
        return
    _check_array(argument, labels, np.int64)
    if labels.shape != (samples,):
        raise ValueError(f"{argument} must have the shape ({samples},); got {labels.shape}")
    if samples and not (labels.min() >= 0 and labels.max() < classes):
        raise ValueError(
            f"{argument} must be from 0 to {classes - 1}; got {labels.min()} to {labels.max()}"
        )
