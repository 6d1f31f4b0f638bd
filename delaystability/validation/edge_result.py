"""What the edge-of-stability experiment measured, and the verdict that follows from it.

The verdict is computed from the measurements whenever it is asked for: a run whose threshold is
replaced by a wrong one (`dataclasses.replace`) is judged anew, and must fail.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delaystability.validation.provenance import Provenance

__all__ = ["BAND", "FREE_SHARPNESS", "EdgeResult", "EdgeRun"]

BAND = (0.9, 1.1)
"""A run is at the edge if its median ratio lies in this band, and in no other threshold's."""

FREE_SHARPNESS = 1.25
"""What the free run's sharpness must reach, as a multiple of the target sharpness."""

Array = NDArray[np.float64]


def _plain(value: Any) -> Any:
    """Arrays as lists and non-finite numbers as None, for JSON."""
    if isinstance(value, np.ndarray):
        return [_plain(entry) for entry in value.tolist()]
    if isinstance(value, dict):
        return {name: _plain(entry) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


@dataclass(frozen=True, eq=False)
class EdgeRun:
    """One training run with its optimizer, delay and learning rate.

    Attributes
    ----------
    setting, optimizer : str
        Title of the setting; name of the optimizer in the catalogue.
    parameters : dict
        The optimizer's own, such as ``{"momentum": 0.9}``.
    delay : int, in updates
    learning_rate, effective_learning_rate : float
        Raw, and times the optimizer's gain at a constant gradient (``lr / (1 - momentum)``).
    threshold : float
        The stability threshold a* that the run is judged by.
    updates : integer array of shape (M,)
        Updates done at each measurement.
    loss, sharpness, sharpness_error : arrays of shape (M,)
        Training loss; largest Hessian eigenvalue and its residual bound. NaN after divergence.
    wrong_thresholds : dict
        Thresholds of other delays and of SGD, by title: judged by these, the run must fail.
    diverged : bool
    seed : int
    device, dtype : str
    seconds : float
        Wall time of the batch of runs that this one was trained in.
    """

    setting: str
    optimizer: str
    parameters: dict[str, Any]
    delay: int
    learning_rate: float
    effective_learning_rate: float
    threshold: float
    updates: NDArray[np.int64]
    loss: Array
    sharpness: Array
    sharpness_error: Array
    wrong_thresholds: dict[str, float]
    diverged: bool
    seed: int
    device: str
    dtype: str
    seconds: float

    @property
    def ratio(self) -> Array:
        """``learning_rate * sharpness / threshold``, shape (M,); 1 is the edge of stability."""
        return self.learning_rate * self.sharpness / self.threshold

    @property
    def critical_sharpness(self) -> float:
        """The predicted sharpness at the edge, ``threshold / learning_rate``."""
        return self.threshold / self.learning_rate

    @property
    def initial_sharpness(self) -> float:
        """Sharpness before the first update."""
        return float(self.sharpness[0])

    @property
    def last_third(self) -> slice:
        """The measurements that the median is taken over."""
        return slice(len(self.updates) - len(self.updates) // 3, None)

    @property
    def median_sharpness(self) -> float:
        """Median over the last third of the run; NaN if it diverged."""
        return float(np.median(self.sharpness[self.last_third]))

    @property
    def median(self) -> float:
        """Median ratio over the last third of the run; NaN if it diverged."""
        return float(np.median(self.ratio[self.last_third]))

    @property
    def controls(self) -> dict[str, float]:
        """The median ratio that each wrong threshold would give, by title."""
        return {
            title: self.learning_rate * self.median_sharpness / threshold
            for title, threshold in self.wrong_thresholds.items()
        }

    @property
    def at_edge(self) -> bool:
        """Whether the run rose from below the band into it, and no wrong threshold explains it."""
        low, high = BAND
        return bool(
            not self.diverged
            and self.ratio[0] < low
            and low <= self.median <= high
            and not any(low <= control <= high for control in self.controls.values())
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; missing numbers are None."""
        derived = (
            "ratio",
            "critical_sharpness",
            "initial_sharpness",
            "median_sharpness",
            "median",
            "controls",
            "at_edge",
        )
        return {
            name: _plain(value)
            for name, value in [
                *vars(self).items(),
                *((name, getattr(self, name)) for name in derived),
            ]
        }


@dataclass(frozen=True, eq=False)
class EdgeResult:
    """All runs of the experiment, what produced them, and the verdict.

    Attributes
    ----------
    runs : tuple of EdgeRun
        One for each setting; all have the same critical sharpness.
    free : EdgeRun
        The negative control, SGD without delay at a learning rate that leaves its sharpness free:
        it must pass the sharpness at which the others stay.
    configuration : dict
    provenance : Provenance
    seconds : float, wall time
    """

    runs: tuple[EdgeRun, ...]
    free: EdgeRun
    configuration: dict[str, Any]
    provenance: Provenance
    seconds: float

    @property
    def free_passes(self) -> bool:
        """Whether the free run became clearly sharper than every predicted edge."""
        edge = max(run.critical_sharpness for run in self.runs)
        return bool(self.free.median_sharpness >= FREE_SHARPNESS * edge)

    @property
    def verdict(self) -> bool:
        """Whether every run is at its predicted edge, and the free run went past it."""
        return self.free_passes and all(run.at_edge for run in self.runs)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "verdict": self.verdict,
            "free_passes": self.free_passes,
            "runs": [run.to_dict() for run in self.runs],
            "free": self.free.to_dict(),
            "configuration": _plain(self.configuration),
            "provenance": self.provenance.to_dict(),
            "seconds": self.seconds,
        }

    def to_json(self) -> str:
        """`to_dict` as strict JSON text."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False)
