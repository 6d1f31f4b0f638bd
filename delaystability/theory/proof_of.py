"""From an optimizer, or the name of a theorem, to its proof."""

from __future__ import annotations

from typing import Any

from sympy import nsimplify

from delaystability.model.adaptive import AdaptiveOptimizer, wrong_optimizer
from delaystability.model.catalogue import LinearOptimizer, Optimizer
from delaystability.theory.derivation import Proof
from delaystability.theory.exact_tables import (
    exact_optimizer,
    mixed_tables,
    one_delay,
    rational_read,
    rational_tables,
)
from delaystability.theory.proofs.any_optimizer import any_optimizer
from delaystability.theory.proofs.custom_optimizer import custom_optimizer
from delaystability.theory.registry import named

__all__ = ["proof_of"]


def proof_of(optimizer: str | type[Optimizer] | Optimizer, delay: Any = None) -> Proof:
    """The proof that `delaystability.derive` prints; its arguments are described there."""
    if isinstance(optimizer, AdaptiveOptimizer):
        raise wrong_optimizer("optimizer", optimizer)
    if delay is not None:
        return _at_delay(optimizer, delay)
    if isinstance(optimizer, LinearOptimizer):
        return any_optimizer(_exact(optimizer), optimizer.name, optimizer.title)
    if isinstance(optimizer, str):
        return named(optimizer)
    if isinstance(optimizer, Optimizer) or (
        isinstance(optimizer, type) and issubclass(optimizer, Optimizer)
    ):
        if optimizer is LinearOptimizer:
            raise TypeError("optimizer must be an instance of LinearOptimizer, with its tables")
        return named(optimizer.name)
    raise TypeError(f"optimizer must be a name, an optimizer or its class; got {optimizer!r}")


def _at_delay(optimizer: Any, delay: Any) -> Proof:
    if not isinstance(optimizer, Optimizer):
        raise TypeError(
            "optimizer must be one with numbers, such as ds.HeavyBall(0.9), where a delay is "
            f"given; got {optimizer!r}"
        )
    exact, read = exact_optimizer(optimizer), rational_read(delay)
    lag = 0 if read else one_delay(delay)
    numbers = [f"delay {lag}"]
    if read:
        shares = (f"{weight} of the weights {lag} late" for lag, weight in read.items())
        numbers = [f"gradients at {' plus '.join(shares)}"]
    if not isinstance(exact, LinearOptimizer):
        named_values = ((k, v) for k, v in exact.parameters.items() if v is not None)
        numbers = [*(f"{name} {value}" for name, value in named_values), *numbers]
    listed = " and ".join([", ".join(numbers[:-1]), numbers[-1]] if numbers[1:] else numbers)
    title = f"{optimizer.title} with {listed}"
    tables = mixed_tables(exact, read) if read else rational_tables(exact, lag)
    return custom_optimizer(tables, lag, optimizer.name, title)


def _exact(optimizer: LinearOptimizer) -> LinearOptimizer:
    def rational(value: object) -> object:
        return nsimplify(str(value), rational=True) if isinstance(value, float) else value

    return LinearOptimizer(
        {lag: rational(value) for lag, value in optimizer.feedback.items()},
        {lag: rational(value) for lag, value in optimizer.feedforward.items()},
    )
