"""The rule by which a scheduler follows the delays: from delays to factors on learning rates."""

from __future__ import annotations

from typing import Any

from delaystability.model.catalogue import SGD
from delaystability.model.delays import Delay, FixedDelay
from delaystability.model.optimizer import Optimizer
from delaystability.questions.learning_rate_rules import RECOMMENDED, RULES, DelayedSetting
from delaystability.questions.recommendation import checked_goal

__all__ = ["MOMENTS", "DelayRule"]

MOMENTS = ("replay", "mean", "mean-square", None)
_REMEMBERED = 100


class DelayRule:
    """Compute the factors that a goal asks for, and remember what took time.

    A factor is the quotient of a quantity at the delay and at the reference delay. For the goal
    "same-minima" this is the threshold; for "train" it is the recommended learning rate.

    Parameters
    ----------
    goal : "same-minima" or "train"
    moment : "replay", "mean", "mean-square" or None
        Of thresholds of random delays; see `DelayAwareLR`.
    reference_optimizer : Optimizer or None
        None: the same.
    reference_delay : Delay
        That the learning rates were tuned for.
    adaptive : str
        The type of an optimizer with a preconditioner that moves; see `adaptive_type`.

    Raises
    ------
    ValueError
        If the goal or the moment is anything else, or the goal "train" is given another optimizer.
    """

    def __init__(
        self,
        goal: str,
        moment: str | None,
        reference_optimizer: Optimizer | None,
        reference_delay: Delay,
        adaptive: str = "adaptive",
    ) -> None:
        if moment not in MOMENTS:
            allowed = "'replay', 'mean', 'mean-square' or None"
            raise ValueError(f"moment must be {allowed}; got {moment!r}")
        self._trains = checked_goal(goal) == "train"
        if self._trains and reference_optimizer is not None:
            raise ValueError(
                "reference_optimizer must be left out with goal='train', which is about one "
                f"optimizer; got {reference_optimizer!r}"
            )
        self._moment = moment
        self._reference = (reference_optimizer, reference_delay)
        self._adaptive = RECOMMENDED[adaptive]
        self._values: dict[Any, float] = {}

    def factor(self, optimizer: Optimizer | None, delay: Delay, label: Any) -> float:
        """Compute the factor at a delay.

        Parameters
        ----------
        optimizer : Optimizer or None
            None for one with a preconditioner that moves.
        delay : Delay
        label
            Tells it from other random delays, for the memory.
        """
        return self._value(optimizer, delay, label) / self.reference(optimizer)

    def fixed_factor(self, optimizer: Optimizer | None, mean: int) -> float:
        """Compute the factor if the delay, and that of the reference, were fixed at their means."""
        reference, delay = self._reference
        below = FixedDelay(round(delay.mean))
        return self._value(optimizer, FixedDelay(mean), "fixed") / self._value(
            reference or optimizer, below, "fixed"
        )

    def reference(self, optimizer: Optimizer | None) -> float:
        """Compute the quantity at the reference delay."""
        reference, delay = self._reference
        return self._value(reference or optimizer, delay, "reference")

    def _value(self, optimizer: Optimizer | None, delay: Delay, label: Any) -> float:
        """The quantity, remembered by the optimizer and the label of the delay."""
        key = (repr(optimizer), delay.minimum if delay.is_fixed else label)
        if key not in self._values:
            if len(self._values) >= _REMEMBERED:
                self._values.clear()
            self._values[key] = self._computed(optimizer, delay)
        return self._values[key]

    def _computed(self, optimizer: Optimizer | None, delay: Delay) -> float:
        if optimizer is None:
            # Its rule looks at the delay alone.
            return RULES[self._adaptive](DelayedSetting(1.0, SGD(), delay))
        moment = self._moment
        if moment == "replay" and delay.sequence is None and not self._trains:
            moment = "mean"
        setting = DelayedSetting(1.0, optimizer, delay, moment=moment)
        return RULES[RECOMMENDED["linear"]](setting) if self._trains else setting.threshold
