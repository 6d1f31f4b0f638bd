"""Replicas, and their coefficient tables packed into tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from math import isfinite
from typing import Self

import torch
from torch import Tensor

from delaystability.model.arguments import checked_count
from delaystability.model.catalogue import Optimizer
from delaystability.model.delay_schedule import longest_delay
from delaystability.model.delays import Delay, as_delay
from delaystability.model.loop import Loop, LoopTables

__all__ = ["Replica", "Rows", "Rules"]


@dataclass(frozen=True)
class Replica:
    """How one replica is trained.

    Parameters
    ----------
    optimizer : Optimizer with numbers as coefficients
    delay : int, at least 0, in updates, or Delay
        A random delay is drawn anew for each update; a measured one is replayed in its order.
    learning_rate : float, above 0, in the raw convention of ``torch.optim.SGD``
    seed : int, at least 0
        Decides the replica's random delays and the order of its data.
    warm_up : int, at least 0
        Updates over which the learning rate rises linearly from nothing.

    Raises
    ------
    ValueError
        If an argument is not what is described here, or if the table of the optimizer depends on a
        delay that is not fixed.
    """

    optimizer: Optimizer
    delay: int | Delay
    learning_rate: float
    seed: int = 0
    warm_up: int = 0

    def __post_init__(self) -> None:
        delay = as_delay(self.delay)
        object.__setattr__(self, "delay", delay.minimum if delay.is_fixed else delay)
        if not (isfinite(self.learning_rate) and self.learning_rate > 0):
            raise ValueError(f"learning_rate must be a number > 0; got {self.learning_rate!r}")
        object.__setattr__(self, "seed", checked_count("seed", self.seed, 0))
        object.__setattr__(self, "warm_up", checked_count("warm_up", self.warm_up, 0))
        if delay.sequence is not None and delay.sequence.ndim > 1:
            raise ValueError("delay must be a log of one worker per update to train networks")
        self.tables()

    @property
    def longest_delay(self) -> int:
        """The longest delay of any update."""
        return longest_delay(as_delay(self.delay))

    def tables(self) -> LoopTables:
        """The tables of the optimizer, in floats."""
        return Loop(self.optimizer, self.delay).tables().converted(float)


class Rows:
    """Row-wise selection for frozen data classes whose fields have R rows: tensors and tuples."""

    def rows(self, chosen: Tensor) -> Self:
        """The same for the chosen replicas, in the chosen order (a copy)."""
        index = chosen.tolist()
        picked = {}
        for entry in fields(self):  # type: ignore[arg-type]
            value = getattr(self, entry.name)
            picked[entry.name] = (
                value.index_select(0, chosen)
                if isinstance(value, Tensor)
                else tuple(value[row] for row in index)
            )
        return replace(self, **picked)  # type: ignore[type-var]


@dataclass(frozen=True)
class Rules(Rows):
    """The replicas' coefficient tables, padded with zero coefficients to equal length.

    Attributes
    ----------
    learning_rate : tensor of shape (R, 1)
    warm_up, longest_delay : integer tensors of shape (R,)
    feedback_lags, feedforward_lags : integer tensors of shapes (R, J) and (R, K)
    feedback, feedforward : tensors of shapes (R, J) and (R, K)
    delays, seeds : tuples of length R
    """

    learning_rate: Tensor
    warm_up: Tensor
    longest_delay: Tensor
    feedback_lags: Tensor
    feedback: Tensor
    feedforward_lags: Tensor
    feedforward: Tensor
    delays: tuple[Delay, ...]
    seeds: tuple[int, ...]

    @staticmethod
    def pack(
        replicas: Sequence[Replica],
        *,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float64,
    ) -> Rules:
        """Pack the table of each replica."""
        if not replicas:
            raise ValueError("replicas must hold at least one replica; got none")
        tables = [replica.tables() for replica in replicas]
        rates = [[float(replica.learning_rate)] for replica in replicas]
        return Rules(
            torch.tensor(rates, device=device, dtype=dtype),
            torch.tensor([replica.warm_up for replica in replicas], device=device),
            torch.tensor([replica.longest_delay for replica in replicas], device=device),
            *_padded([table.feedback for table in tables], 1, device, dtype),
            *_padded([table.b for table in tables], 0, device, dtype),
            tuple(as_delay(replica.delay) for replica in replicas),
            tuple(replica.seed for replica in replicas),
        )


def _padded(
    tables: Sequence[dict[int, float]], lag: int, device: str | torch.device, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Lags and coefficients, each of shape (R, longest table), filled with ``lag`` and zero."""
    longest = max(len(table) for table in tables)
    lags = [[*table, *[lag] * (longest - len(table))] for table in tables]
    values = [[*table.values(), *[0.0] * (longest - len(table))] for table in tables]
    shape = (len(tables), longest)
    return (
        torch.tensor(lags, device=device, dtype=torch.int64).reshape(shape),
        torch.tensor(values, device=device, dtype=dtype).reshape(shape),
    )
