"""From an optimizer, or the name of a theorem, to its proof."""

from __future__ import annotations

from typing import Any

from sympy import nsimplify

from delaystability.model.adaptive import AdaptiveOptimizer, wrong_optimizer
from delaystability.model.catalogue import CATALOGUE, SGD, LinearOptimizer, Optimizer
from delaystability.model.loop import Loop, checked_decay
from delaystability.theory.derivation import Proof
from delaystability.theory.exact_tables import (
    exact_optimizer,
    mixed_tables,
    one_delay,
    rational_number,
    rational_read,
    rational_tables,
    summed,
)
from delaystability.theory.proofs.any_optimizer import any_optimizer
from delaystability.theory.proofs.custom_boundary import Boundary
from delaystability.theory.proofs.custom_optimizer import custom_optimizer
from delaystability.theory.registry import named
from delaystability.theory.symbolic_loop import symbolic

__all__ = ["proof_of"]


def proof_of(
    optimizer: str | type[Optimizer] | Optimizer | Loop,
    delay: Any = None,
    decay: Any = 0,
    coupled: bool = False,
) -> Proof:
    """The proof that `delaystability.derive` prints; its arguments are described there."""
    if isinstance(optimizer, AdaptiveOptimizer):
        raise wrong_optimizer("optimizer", optimizer)
    if not isinstance(coupled, bool):
        raise TypeError(f"coupled must be True or False; got {coupled!r}")
    if isinstance(optimizer, Loop):
        given = {"delay": delay, "decay": decay or None, "coupled": coupled or None}
        for name, value in given.items():
            if value is not None:
                raise TypeError(f"{name} must be left out beside a Loop; got {value!r}")
        loop = optimizer
        optimizer, delay, decay, coupled = loop.optimizer, loop.delay, loop.decay, loop.coupled
    if not getattr(decay, "free_symbols", None):
        decay = checked_decay(decay)
    if delay is not None:
        return _at_delay(optimizer, delay, decay, coupled)
    if decay != 0:
        return _decayed(optimizer, decay, coupled)
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


def _decayed(optimizer: Any, decay: Any, coupled: bool) -> Proof:
    """At every delay: the theorem on SGD, or the smallest crossing of another optimizer."""
    if isinstance(optimizer, str):
        optimizer = CATALOGUE.get(optimizer, optimizer)
    custom = isinstance(optimizer, LinearOptimizer)
    kind: Any = optimizer if isinstance(optimizer, type) else type(optimizer)
    if not custom and (not issubclass(kind, Optimizer) or kind is LinearOptimizer):
        raise TypeError(
            "optimizer must be one of the catalogue, its class or its name, or a LinearOptimizer, "
            f"where weights decay; got {optimizer!r}"
        )
    symbolic_decay = bool(getattr(decay, "free_symbols", None))
    if not symbolic_decay:
        decay = rational_number(decay, "decay")
    if kind is SGD and (symbolic_decay or decay < 1):
        return named("weight-decay")
    exact = _exact(optimizer) if custom else symbolic(kind)
    return any_optimizer(exact, kind.name, kind.title, decay, coupled=coupled)


def _at_delay(optimizer: Any, delay: Any, decay: Any, coupled: bool) -> Proof:
    if not isinstance(optimizer, Optimizer):
        raise TypeError(
            "optimizer must be one with numbers, such as ds.HeavyBall(0.9), where a delay is "
            f"given; got {optimizer!r}"
        )
    exact, read = exact_optimizer(optimizer), rational_read(delay)
    amount = rational_number(decay, "decay")
    lag = 0 if read else one_delay(delay)
    numbers = [f"delay {lag}"]
    if read:
        shares = (f"{weight} of the weights {lag} late" for lag, weight in read.items())
        numbers = [f"gradients at {' plus '.join(shares)}"]
    if amount:
        numbers.append(f"{'coupled ' if coupled else ''}decay {amount}")
    if not isinstance(exact, LinearOptimizer):
        named_values = ((k, v) for k, v in exact.parameters.items() if v is not None)
        numbers = [*(f"{name} {value}" for name, value in named_values), *numbers]
    listed = " and ".join([", ".join(numbers[:-1]), numbers[-1]] if numbers[1:] else numbers)
    title = f"{optimizer.title} with {listed}"
    tables = mixed_tables(exact, read) if read else rational_tables(exact, lag)
    present = tuple(summed(exact.coefficients(lag).feedforward).items())
    boundary = Boundary(tables, lag, amount, coupled and bool(amount), present)
    return custom_optimizer(boundary, optimizer.name, title)


def _exact(optimizer: LinearOptimizer) -> LinearOptimizer:
    def rational(value: object) -> object:
        return nsimplify(str(value), rational=True) if isinstance(value, float) else value

    return LinearOptimizer(
        {lag: rational(value) for lag, value in optimizer.feedback.items()},
        {lag: rational(value) for lag, value in optimizer.feedforward.items()},
    )
