"""The settings and the configuration of the edge-of-stability experiment."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

import numpy as np

from delaystability.bounds import stability_threshold
from delaystability.delays import FixedDelay
from delaystability.optimizers import SGD, HeavyBall, Optimizer, ShiftedMomentum

__all__ = ["DEFAULT", "DEFAULT_SETTINGS", "QUICK", "QUICK_SETTINGS", "Configuration", "Setting"]


@dataclass(frozen=True)
class Setting:
    """An optimizer and a delay whose edge is measured.

    Parameters
    ----------
    optimizer : Optimizer with scalar parameters and a stable learning rate
    delay : int, at least 0, in updates
    """

    optimizer: Optimizer
    delay: int

    def __post_init__(self) -> None:
        if not isinstance(self.optimizer, Optimizer):
            raise TypeError(f"optimizer must be an Optimizer; got {self.optimizer!r}")
        object.__setattr__(self, "delay", FixedDelay(self.delay).delay)
        if np.ndim(stability_threshold(self.optimizer, self.delay)) or not self.threshold > 0:
            raise ValueError(
                "optimizer must have scalar parameters and a positive stability threshold; "
                f"got {self.optimizer!r}"
            )

    @property
    def title(self) -> str:
        """For example ``Heavy ball (momentum 0.9), delay 4``."""
        own = ", ".join(f"{name} {value}" for name, value in self.optimizer.parameters.items())
        return f"{self.optimizer.title}{f' ({own})' if own else ''}, delay {self.delay}"

    @property
    def threshold(self) -> float:
        """The stability threshold a* of ``lr * sharpness``."""
        return float(stability_threshold(self.optimizer, self.delay))

    @property
    def steady_gain(self) -> float:
        """Update divided by gradient when the gradient is constant: 1 / (1 - momentum)."""
        table = self.optimizer.coefficients(self.delay)
        forward = sum(float(term.coefficient) for term in table.feedforward)
        return forward / (1 - sum(float(term.coefficient) for term in table.feedback))

    @property
    def wrong_thresholds(self) -> dict[str, float]:
        """Thresholds that must not explain the run, by title.

        Those of delays that are a quarter (at least 1) too short or too long, of no delay, and
        of SGD with the same delay and effective learning rate; each only if it differs from the
        true threshold by a fifth or more, so that an experiment can tell them apart.
        """
        off = max(1, self.delay // 4)
        delays = sorted(delay for delay in {0, self.delay - off, self.delay + off} if delay >= 0)
        wrong = {
            f"delay {delay}": float(stability_threshold(self.optimizer, delay)) for delay in delays
        }
        wrong["SGD"] = float(stability_threshold(SGD(), self.delay)) / self.steady_gain
        return {
            title: threshold
            for title, threshold in wrong.items()
            if threshold > 0 and not 1 / 1.2 < threshold / self.threshold < 1.2
        }


@dataclass(frozen=True)
class Configuration:
    """The problem and the lengths that all runs share.

    Parameters
    ----------
    images : int
        Size of the training set.
    hidden : tuple of int
        Widths of the hidden layers.
    initial_scale : float
        Factor on the initial weights; small ones start flat.
    target_sharpness : float
        Every learning rate is its threshold divided by this. Must exceed the initial sharpness.
    flow_time : float
        Training length: each run does ``ceil(flow_time / effective learning rate)`` updates.
    measurements : int, at least 3
        Evenly spaced over each run, besides the one at its start.
    free_factor : int
        The free run's learning rate is this many times smaller than the threshold asks for.
    loss_bound : float
        A run diverged when its loss is above this many times its initial loss.
    tolerance : float
        Residual bound of the sharpness, relative to its size.
    """

    images: int = 500
    hidden: tuple[int, ...] = (32, 32)
    initial_scale: float = 0.5
    target_sharpness: float = 5.0
    flow_time: float = 1000.0
    measurements: int = 90
    free_factor: int = 4
    loss_bound: float = 1000.0
    tolerance: float = 1e-3

    def __post_init__(self) -> None:
        if not self.hidden or any(width < 1 for width in self.hidden):
            raise ValueError(f"hidden must be positive integers, at least one; got {self.hidden!r}")
        if self.measurements < 3:
            raise ValueError(f"measurements must be an integer >= 3; got {self.measurements!r}")
        for name in ("initial_scale", "target_sharpness", "flow_time", "loss_bound", "tolerance"):
            value = getattr(self, name)
            if not (isfinite(value) and value > 0):
                raise ValueError(f"{name} must be a number > 0; got {value!r}")
        if not self.loss_bound > 1:
            raise ValueError(f"loss_bound must be a number > 1; got {self.loss_bound!r}")
        if self.free_factor < 2:
            raise ValueError(f"free_factor must be an integer >= 2; got {self.free_factor!r}")


DEFAULT = Configuration()
"""The full experiment: a 64-32-32-10 network on 500 digits."""

DEFAULT_SETTINGS = (
    *(Setting(SGD(), delay) for delay in (0, 1, 4, 8)),
    Setting(HeavyBall(0.9), 4),
    Setting(ShiftedMomentum(0.9), 4),
)

QUICK = Configuration(
    images=300, hidden=(24, 24), target_sharpness=4.0, flow_time=400.0, measurements=45
)
"""A few seconds, for tests and a first look."""

QUICK_SETTINGS = (Setting(SGD(), 0), Setting(SGD(), 4))
