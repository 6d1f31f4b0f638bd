"""From an optimizer, or its name, to its derivation."""

from __future__ import annotations

from sympy import nsimplify

from delaystability.optimizers import LinearOptimizer, Optimizer
from delaystability.theory.derivation import Derivation
from delaystability.theory.proofs.any_optimizer import any_optimizer
from delaystability.theory.registry import named, names

__all__ = ["all_derivations", "derive"]


def derive(optimizer: str | type[Optimizer] | Optimizer) -> Derivation:
    """A theorem with its checked steps; for an optimizer, the one on its stability threshold.

    Parameters
    ----------
    optimizer : str, Optimizer or its class
        The name of a theorem, as `all_derivations` lists them. An optimizer of the catalogue
        stands for its family: the theorem holds for symbolic momentum and every delay. For a
        LinearOptimizer the same machinery runs on its own tables, in which a float is read as the
        decimal number that it displays.

    Returns
    -------
    Derivation
        ``.steps``, ``.check()``, ``.latex()``, ``.markdown()``, ``.text()``

    Raises
    ------
    ValueError, TypeError
        For an unknown name or anything that is not an optimizer.
    """
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


def all_derivations() -> tuple[Derivation, ...]:
    """Every theorem of the registry, in its order."""
    return tuple(named(name) for name in names())


def _exact(optimizer: LinearOptimizer) -> LinearOptimizer:
    def rational(value: object) -> object:
        return nsimplify(str(value), rational=True) if isinstance(value, float) else value

    return LinearOptimizer(
        {lag: rational(value) for lag, value in optimizer.feedback.items()},
        {lag: rational(value) for lag, value in optimizer.feedforward.items()},
    )
