"""Factors on the learning rates of a torch optimizer, which can be taken off again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import log
from typing import Any

import torch
from torch import Tensor

from delaystability.model.recognised import innermost
from delaystability.training.saved_state import (
    checked_entries,
    checked_flag,
    checked_list,
    saved_factor,
    saved_rate,
)
from delaystability.training.weak_note import noted

__all__ = ["SCHEDULER", "RateFactors", "rates_in_use"]

SCHEDULER = "scheduler"
"""The name of the note by which an optimizer knows the scheduler that multiplies its rates."""


@contextmanager
def rates_in_use(torch_optimizer: Any) -> Iterator[None]:
    """Show the learning rates of updates in the groups, and leave them as they were.

    A `DelayAwareLR` takes its factors off after each update, for the other schedulers.

    Parameters
    ----------
    torch_optimizer : torch.optim.Optimizer
        Also wrapped.
    """
    scheduler = noted(innermost(torch_optimizer), SCHEDULER)
    if scheduler is None:
        yield
    else:
        with scheduler.rates_in_use():
            yield


class RateFactors:
    """Learning rates as schedulers know them (bases) and as the optimizer uses them (with factors).

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
    """

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self._optimizer = optimizer
        self._on = False
        self._bases: list[Any] = []
        self._written: list[Any] = []
        self._factors: list[float] = []

    @property
    def on(self) -> bool:
        """Whether the factors are on."""
        return self._on

    def bases(self) -> list[float | Tensor]:
        """The learning rates without factors.

        A rate that was changed while its factor was on was either multiplied or written anew: the
        reading that is nearer to the last base counts.
        """
        rates = [_copy(group["lr"]) for group in self._optimizer.param_groups]
        if not self._on:
            return rates
        count = len(self._written)
        return [self._base(k, rate) if k < count else rate for k, rate in enumerate(rates)]

    def _base(self, k: int, rate: Any) -> Any:
        base, factor, now = self._bases[k], self._factors[k], float(rate)
        if now == float(self._written[k]):
            return _copy(base)
        if now <= 0 or base <= 0:
            return rate
        moved = log(now / float(base))
        return rate if abs(moved) < abs(moved - log(factor)) else rate / factor

    def written(self, bases: list[float | Tensor], factors: Sequence[float]) -> None:
        """Remember that the learning rates are these bases times these factors from now on."""
        self._bases, self._factors = bases, list(factors)
        self._written = [base * factor for base, factor in zip(bases, factors, strict=True)]
        self._on = True

    def put_on(self, factors: Sequence[float]) -> None:
        """Multiply the learning rates that are not multiplied already."""
        bases = self.bases()
        self._write([base * factor for base, factor in zip(bases, factors, strict=True)])
        self.written(bases, factors)

    def take_off(self) -> None:
        """Set the learning rates to their bases."""
        self._write(self.bases())
        self._on = False

    @contextmanager
    def shown(self, factors: Sequence[float]) -> Iterator[None]:
        """Have the factors on for a while; afterwards all is as it was."""
        rates = [_copy(group["lr"]) for group in self._optimizer.param_groups]
        before = self._on, self._bases, self._written, self._factors
        self.put_on(factors)
        try:
            yield
        finally:
            self._write(rates)
            self._on, self._bases, self._written, self._factors = before

    def _write(self, rates: Sequence[Any]) -> None:
        for group, rate in zip(self._optimizer.param_groups, rates, strict=True):
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(float(rate))
            else:
                group["lr"] = rate

    def state_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "on": self._on,
            "bases": [_copy(base) for base in self._bases],
            "written": [_copy(rate) for rate in self._written],
            "factors": list(self._factors),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Load what `state_dict` returned.

        Raises
        ------
        ValueError
            If it is something else; then nothing is changed.
        """
        checked_entries("rates", state, ("on", "bases", "written", "factors"))
        on = checked_flag("on of rates", state["on"])
        bases = checked_list("bases of rates", state["bases"])
        written = checked_list("written of rates", state["written"], len(bases))
        factors = checked_list("factors of rates", state["factors"], len(bases))
        for name, rates in (("bases", bases), ("written", written)):
            for rate in rates:
                saved_rate(f"a rate in {name}", rate)
        self._factors = [saved_factor("a factor of rates", factor) for factor in factors]
        self._on, self._bases, self._written = on, bases, written


def _copy(rate: Any) -> Any:
    return rate.clone() if isinstance(rate, Tensor) else rate
