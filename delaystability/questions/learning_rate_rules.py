"""Rules that turn a learning rate tuned without delay into one for late gradients.

Each is a function of a `DelayedSetting`. `RULES` names them all: which of them helps is measured by
the experiment ``advice``, and `recommend_learning_rate` uses those in `RECOMMENDED`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import fsum, sqrt
from sys import float_info

from delaystability.model.delays import Delay
from delaystability.model.optimizer import Optimizer, steady_gain
from delaystability.questions.bounds import stability_threshold
from delaystability.questions.dynamics import replay_threshold

__all__ = [
    "ADAPTIVE_EXPONENT",
    "EFFECTIVE_SHARE",
    "MEASURED_SHARE",
    "RECOMMENDED",
    "RULES",
    "DelayedSetting",
]

EFFECTIVE_SHARE = 0.35
"""Of the effective threshold, for SGD and its momentum: the best of those tried on networks."""
ADAPTIVE_EXPONENT = 0.8
"""Of one plus the delay, for Adam and its kind: the best of those tried on networks."""
MEASURED_SHARE = 0.8
"""Of the largest stable rate at a measured sharpness: the rest is kept in reserve."""


@dataclass(frozen=True)
class DelayedSetting:
    """Describe the run that a rule is asked about.

    Parameters
    ----------
    learning_rate : float
        Tuned without delay, raw as in ``torch.optim.SGD``.
    optimizer : Optimizer
        A linear filter; for Adam what it is while its preconditioner is frozen.
    delay : Delay
        Of the run with late gradients.
    sharpness : float, optional
        Measured in the run without delay; with Adam of the preconditioned Hessian.
    moment : "replay", "mean", "mean-square" or None
        Of the threshold of a random delay: "replay" keeps the order of a log, and takes the mean
        square of other random delays; for the others see `stability_threshold`.
    """

    learning_rate: float
    optimizer: Optimizer
    delay: Delay
    sharpness: float | None = None
    moment: str | None = "replay"

    @property
    def mean_delay(self) -> float:
        """Expected delay."""
        return float(self.delay.mean)

    @cached_property
    def threshold(self) -> float:
        """Largest stable gain at the delay."""
        replays = self.moment == "replay"
        if replays and self.delay.sequence is not None:
            return self._checked(replay_threshold(self.optimizer, self.delay))
        moment = "mean-square" if replays else self.moment
        found = stability_threshold(self.optimizer, self.delay, moment=moment)
        return self._checked(float(found))

    @cached_property
    def undelayed_threshold(self) -> float:
        """Largest stable gain at delay 0."""
        return self._checked(float(stability_threshold(self.optimizer, 0)))

    def _checked(self, threshold: float) -> float:
        if threshold <= 0:
            raise ValueError(
                "optimizer must have a stable learning rate with and without the delay; got "
                f"{self.optimizer!r} and {self.delay!r}"
            )
        return threshold

    @property
    def effective_threshold(self) -> float:
        """The threshold for the effective rate: times B(1)/A(1), so a*/(1 - m) for heavy ball."""
        return self.threshold * self._steady_gain(self._lag)

    @property
    def undelayed_effective_threshold(self) -> float:
        """The effective threshold at delay 0."""
        return self.undelayed_threshold * self._steady_gain(0)

    @property
    def integrates(self) -> bool:
        """Whether updates grow while the gradient is constant: there is no effective rate."""
        return any(_sums_to_one(self.optimizer, lag) for lag in {0, self._lag})

    @property
    def _lag(self) -> int:
        return self.delay.minimum if self.delay.is_fixed else 0

    def _steady_gain(self, lag: int) -> float:
        if self.integrates:
            raise ValueError(
                "optimizer must have an effective learning rate, of which this rule is a part; the "
                f"feedback of {self.optimizer!r} sums to 1, so that its updates grow while the "
                "gradient is constant. Ask with goal='same-minima'"
            )
        return steady_gain(self.optimizer, lag)


def _sums_to_one(optimizer: Optimizer, lag: int) -> bool:
    """Whether the feedback coefficients do, but for their rounding and that of their sum."""
    feedback = [float(term.coefficient) for term in optimizer.coefficients(lag).feedback]
    size = 1 + sum(map(abs, feedback))
    return abs(1 - fsum(feedback)) <= len(feedback) * size * float_info.epsilon


def keep(setting: DelayedSetting) -> float:
    """Keep the rate: ``lr``."""
    return setting.learning_rate


def inverse_delay(setting: DelayedSetting) -> float:
    """``lr / (1 + delay)``, with the mean of a random delay."""
    return setting.learning_rate / (1 + setting.mean_delay)


def inverse_square_root(setting: DelayedSetting) -> float:
    """``lr / sqrt(1 + delay)``, with the mean of a random delay."""
    return setting.learning_rate / sqrt(1 + setting.mean_delay)


def inverse_power(setting: DelayedSetting) -> float:
    """``lr / (1 + delay)**0.8``, with the mean of a random delay."""
    return setting.learning_rate / (1 + setting.mean_delay) ** ADAPTIVE_EXPONENT


def same_minima(setting: DelayedSetting) -> float:
    """The paper's rule, ``lr a*(delay) / a*(0)``."""
    return setting.learning_rate * (setting.threshold / setting.undelayed_threshold)


def effective_threshold(setting: DelayedSetting) -> float:
    """``min(lr, 0.35 lr a_eff(delay))``, with the effective threshold a_eff = a* B(1)/A(1).

    Where a_eff(0) is below that of SGD, 2, as for negative momentum, a_eff is taken relative to it:
    what is far from the edge of such a loop without delay need not fall further than SGD does.
    Where 0.35 a_eff(0) is below 1, a_eff is divided by a_eff(0) without delay, and the divisor
    grows to its value until the mean delay is 1: so the rate without delay is ``lr``, without a
    jump.
    """
    undelayed = setting.undelayed_effective_threshold
    divisor = min(1.0, undelayed / 2) / EFFECTIVE_SHARE
    start = min(divisor, undelayed)
    divisor = start + (divisor - start) * min(1.0, setting.mean_delay)
    return setting.learning_rate * min(1.0, setting.effective_threshold / divisor)


def measured_minimum(setting: DelayedSetting) -> float:
    """``min(lr, a*(delay) / S)``: stable at a minimum of the measured sharpness S."""
    return min(setting.learning_rate, setting.threshold / _measured(setting))


def measured_edge(setting: DelayedSetting) -> float:
    """``min(lr, 0.8 a*(delay) / S)``, with a fifth in reserve."""
    return min(setting.learning_rate, MEASURED_SHARE * setting.threshold / _measured(setting))


def _measured(setting: DelayedSetting) -> float:
    if setting.sharpness is None:
        raise ValueError("sharpness must be given for a rule that measures; got None")
    return setting.sharpness


def root_of_threshold(setting: DelayedSetting) -> float:
    """``min(lr, lr sqrt(a*(delay) / 2))``, for the first moment of Adam."""
    return setting.learning_rate * min(1.0, sqrt(setting.threshold / 2))


def constant_amplitude(setting: DelayedSetting) -> float:
    """``lr min(1, a*(delay))``: Adam's oscillation, lr/a*, is at most one step without delay."""
    return setting.learning_rate * min(1.0, setting.threshold)


RULES: dict[str, Callable[[DelayedSetting], float]] = {
    "keep": keep,
    "inverse-delay": inverse_delay,
    "inverse-square-root": inverse_square_root,
    "inverse-power": inverse_power,
    "same-minima": same_minima,
    "effective-threshold": effective_threshold,
    "measured-minimum": measured_minimum,
    "measured-edge": measured_edge,
    "root-of-threshold": root_of_threshold,
    "constant-amplitude": constant_amplitude,
}
"""Every rule by its name."""

RECOMMENDED = {
    "linear": "effective-threshold",
    "adaptive": "inverse-power",
    "orthogonal": "inverse-square-root",
}
"""What to train with, for each type of optimizer."""
