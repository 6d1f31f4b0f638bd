"""From an optimizer, or its name, to its derivation."""

from __future__ import annotations

from typing import Any

from sympy import nsimplify

from delaystability.model.catalogue import LinearOptimizer, Optimizer
from delaystability.theory.derivation import Derivation
from delaystability.theory.exact_tables import exact_optimizer, one_delay, rational_tables
from delaystability.theory.proofs.any_optimizer import any_optimizer
from delaystability.theory.proofs.own_optimizer import own_optimizer
from delaystability.theory.registry import named, names

__all__ = ["all_derivations", "derive"]


def derive(optimizer: str | type[Optimizer] | Optimizer, delay: Any = None) -> Derivation:
    """A theorem with its checked steps; for an optimizer, the one on its stability threshold.

    Parameters
    ----------
    optimizer : str, Optimizer or its class
        The name of a theorem, as `all_derivations` lists them. An optimizer of the catalogue
        stands for its family: the theorem holds for symbolic momentum and every delay. For a
        LinearOptimizer the same machinery runs on its own tables, in which a float is read as the
        decimal number that it displays.
    delay : int or FixedDelay, optional
        With a delay, the theorem is about this optimizer with its numbers, at this delay only: its
        threshold as an algebraic number and all its stable gains, with a complete proof, whatever
        its coefficients are. These must be rational; a float is read as above.

    Returns
    -------
    Derivation
        ``.steps``, ``.check()``, ``.latex()``, ``.markdown()``, ``.text()``

    Raises
    ------
    ValueError, TypeError
        For an unknown name or anything that is not an optimizer; with a delay, for a coefficient
        that is not rational, or one delay that is not an integer of moderate size.

    Examples
    --------
    >>> import delaystability as ds
    >>> ds.derive(ds.HeavyBall(0.9), delay=2).theorem.statement.relation
    Eq(a_*, -19/20 + sqrt(401)/20)
    """
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


def _at_delay(optimizer: Any, delay: Any) -> Derivation:
    if not isinstance(optimizer, Optimizer):
        raise TypeError(
            "optimizer must be one with numbers, such as ds.HeavyBall(0.9), where a delay is "
            f"given; got {optimizer!r}"
        )
    lag, exact = one_delay(delay), exact_optimizer(optimizer)
    numbers = [f"delay {lag}"]
    if not isinstance(exact, LinearOptimizer):
        own = [f"{name} {value}" for name, value in exact.parameters.items() if value is not None]
        numbers = [*own, *numbers]
    listed = " and ".join([", ".join(numbers[:-1]), numbers[-1]] if numbers[1:] else numbers)
    title = f"{optimizer.title} with {listed}"
    return own_optimizer(rational_tables(exact, lag), lag, optimizer.name, title)


def all_derivations() -> tuple[Derivation, ...]:
    """Every theorem of the registry, in its order.

    Returns
    -------
    tuple of Derivation
    """
    return tuple(named(name) for name in names())


def _exact(optimizer: LinearOptimizer) -> LinearOptimizer:
    def rational(value: object) -> object:
        return nsimplify(str(value), rational=True) if isinstance(value, float) else value

    return LinearOptimizer(
        {lag: rational(value) for lag, value in optimizer.feedback.items()},
        {lag: rational(value) for lag, value in optimizer.feedforward.items()},
    )
