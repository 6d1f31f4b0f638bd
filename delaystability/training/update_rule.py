"""The tables of an optimizer with plain numbers, and how they turn gradients into an update.

The filter runs in its direct form II, whose only memory is one sequence ``v``::

    v_t = x_t + sum_j feedback_j v_{t-j}           x_t: the gradient that is applied
    u_t = sum_k feedforward_k v_{t-k}              zero before time 0

It has the transfer function feedforward / (1 - feedback) of the documented recurrence, and ``v`` is
the momentum buffer of ``torch.optim.SGD``: heavy ball takes the same operations in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from delaystability.model.arguments import checked_optimizer
from delaystability.model.catalogue import Optimizer
from delaystability.model.delays import Delay
from delaystability.model.loop import Loop
from delaystability.training.tensor_lists import TensorLists

__all__ = ["UpdateRule", "with_float_parameters"]


def with_float_parameters(optimizer: Any) -> Optimizer:
    """The optimizer with a float for each parameter, so that it is plain data.

    Raises
    ------
    TypeError
        If it is no `Optimizer`, or a parameter is an array or an expression.
    """
    checked_optimizer(optimizer)
    changes: dict[str, Any] = {}
    for name, value in optimizer.parameters.items():
        if isinstance(value, Mapping):
            table = {int(lag): _number(name, entry) for lag, entry in value.items()}
            changes[name] = table
        elif value is not None:
            changes[name] = _number(name, value)
    return replace(optimizer, **changes) if changes else optimizer


def _number(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} must be one number to train with it; got {value!r}") from error


@dataclass(frozen=True)
class UpdateRule:
    """The coefficient tables of an optimizer as pairs (lag, float).

    Attributes
    ----------
    feedback : tuple of (lag >= 1, coefficient)
    feedforward : tuple of (lag >= 1, coefficient)
    at_once : float
        The feedforward coefficient of lag 0.
    memory : int
        The longest lag: how many past values of ``v`` are kept.
    """

    feedback: tuple[tuple[int, float], ...]
    feedforward: tuple[tuple[int, float], ...]
    at_once: float
    memory: int
    _oldest: float | None

    @staticmethod
    def of(optimizer: Optimizer, delay: Delay) -> UpdateRule:
        """The rule for a loop with this delay.

        Raises
        ------
        ValueError
            If the tables depend on a delay that is not fixed, or are not finite.
        """
        tables = Loop(optimizer, delay).tables().converted(float)
        feedback, forward = tables.feedback, dict(tables.b)
        at_once = forward.pop(0, 0.0)
        memory = max((*feedback, *forward), default=0)
        return UpdateRule(
            tuple(feedback.items()),
            tuple(forward.items()),
            at_once,
            memory,
            feedback.get(memory),
        )

    @property
    def forgets_gradients(self) -> bool:
        """Whether the feedforward table has a coefficient at lag 0 only, and not zero."""
        return not self.feedforward and self.at_once != 0

    def update(
        self,
        applied: list[Tensor],
        time: int,
        past: Callable[[int], list[Tensor]],
        lists: TensorLists,
        *,
        undamped: bool = False,
    ) -> tuple[list[Tensor], float]:
        """Advance the filter by one gradient; the update is the returned tensors times the factor.

        Parameters
        ----------
        applied : list of tensors, one for each parameter, which are left as they are
        time : int
            How many gradients the filter has seen.
        past : callable
            From a time to the tensors of the ring that belong to it, ``memory`` times long.
        lists : TensorLists
        undamped : bool
            Whether the first update is the gradient itself, whatever ``at_once`` is.

        Returns
        -------
        tensors : list of tensors
            They may be those of ``applied`` or of the ring: read them at once.
        factor : float
        """
        if not self.memory:
            return applied, 1.0 if undamped and time == 0 else self.at_once
        late: list[Tensor] | None = None
        for lag, coefficient in self.feedforward:
            if time < lag:
                continue
            if late is None:
                late = lists.scaled(past(time - lag), coefficient)
            else:
                lists.add_(late, past(time - lag), coefficient)
        # The row of now holds v from `memory` updates ago, which is needed just once more.
        now, oldest = past(time), self._oldest
        if oldest is None or time < self.memory:
            lists.copy_(now, applied)
        else:
            lists.scale_(now, oldest)
            lists.add_(now, applied, 1.0)
        for lag, coefficient in self.feedback:
            if lag < self.memory and lag <= time:
                lists.add_(now, past(time - lag), coefficient)
        if undamped and time == 0:
            lists.scale_(now, 1.0 / self.at_once)
        if late is None:
            return now, self.at_once
        if self.at_once:
            lists.add_(late, now, self.at_once)
        return late, 1.0
