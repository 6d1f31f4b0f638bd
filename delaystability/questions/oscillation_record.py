"""The oscillation in which an optimizer settles, as a record."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import isfinite, pi
from typing import Any

import numpy as np

from delaystability.model.displayed import Displayed
from delaystability.model.mixed_read import mixed_read_of

__all__ = ["STATUSES", "Oscillation", "OscillationSetting"]

STATUSES = {
    "exact": "a cycle of the recursion itself",
    "asymptotic": "the leading orders in 1 - beta2, where that is small",
    "approximate": "no theorem: measured on runs",
    "undecided": "outside of what was derived or measured; the numbers are those of a cycle that "
    "the run does not keep to",
}
"""How an oscillation is known."""


@dataclass(frozen=True)
class Oscillation(Displayed):
    """Keep how a weight oscillates around a minimum.

    Attributes
    ----------
    rms : float
        Root mean square around its mean.
    peak : float
        The largest distance from its mean; infinite under gradient noise.
    period : float
        In updates; infinite where nothing oscillates, or noise alone moves the weight.
    offset : float
        Of its mean from the minimum.
    loss : float or None
        What it adds to the loss on average; None where no curvature was given.
    gain : float or None
        Where the preconditioner settles: learning rate times curvature over preconditioner. None
        for optimizers that step by a sign.
    half_periods : tuple of int
        Those of the cycles of an optimizer that steps by a sign.
    status : str
        One of exact, asymptotic, approximate or undecided.
    reason : str
    """

    rms: float
    peak: float
    period: float
    offset: float
    loss: float | None
    gain: float | None
    half_periods: tuple[int, ...]
    status: str
    reason: str

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise ValueError(f"status must be one of {[*STATUSES]}; got {self.status!r}")

    @property
    def frequency(self) -> float:
        """Radians an update; 0 where nothing oscillates."""
        return 2 * pi / self.period

    def __str__(self) -> str:
        period = f", period {self.period:.4g} updates" if isfinite(self.period) else ""
        return f"rms {self.rms:.4g}{period} ({self.status})\n{self.reason}"

    def to_dict(self) -> dict[str, Any]:
        """Write the record as plain data; what is infinite is None.

        Returns
        -------
        dict
        """
        data = asdict(self) | {"half_periods": list(self.half_periods)}
        infinite = {key: None for key in ("peak", "period") if not isfinite(data[key])}
        return data | infinite


@dataclass(frozen=True)
class OscillationSetting:
    """Keep the arguments of `delaystability.oscillation`, checked.

    Attributes
    ----------
    lr : float
    delay : int or MixedRead
    curvature : float or None
    epsilon, noise : float
    decay : float
        Learning rate times weight decay.
    minimum : float
    """

    lr: float
    delay: Any
    curvature: float | None
    epsilon: float
    noise: float
    decay: float
    minimum: float

    def seen_of_cycle(self, angle: float) -> float:
        """The modulus of the read at this frequency: of a late weight 1."""
        mixture = mixed_read_of(self.delay)
        if mixture is None:
            return 1.0
        return float(abs(mixture.generating_function(np.exp(1j * angle))))

    @property
    def longest(self) -> int:
        """The largest lag that is read."""
        return int(getattr(self.delay, "maximum", self.delay))

    @property
    def scale(self) -> float:
        """The curvature, or 1 where none is given: then nothing depends on it."""
        return self.curvature or 1.0

    def loss(self, rms: float, offset: float = 0.0) -> float | None:
        """The mean of the quadratic loss over its minimum."""
        return self.curvature and self.curvature * (rms**2 + offset**2) / 2
