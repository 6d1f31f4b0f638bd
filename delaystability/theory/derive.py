"""From an optimizer, or its name, to its derivation."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from sympy import nsimplify

from delaystability.optimizers import CATALOGUE, LinearOptimizer, Optimizer
from delaystability.theory.derivation import Derivation
from delaystability.theory.loop import symbolic
from delaystability.theory.proofs.any_optimizer import any_optimizer
from delaystability.theory.proofs.delayed_loop import delayed_loop
from delaystability.theory.proofs.ema_momentum import ema_momentum
from delaystability.theory.proofs.heavy_ball import heavy_ball
from delaystability.theory.proofs.nesterov import nesterov
from delaystability.theory.proofs.sgd import sgd
from delaystability.theory.proofs.shifted_momentum import shifted_momentum
from delaystability.theory.prose import LEMMA

__all__ = ["all_derivations", "derive"]

_COMPLETE: dict[str, Callable[[], Derivation]] = {
    LEMMA: delayed_loop,
    "sgd": sgd,
    "heavy-ball": heavy_ball,
    "ema-momentum": ema_momentum,
    "nesterov": nesterov,
    "shifted-momentum": shifted_momentum,
}


@cache
def _named(name: str) -> Derivation:
    if name in _COMPLETE:
        return _COMPLETE[name]()
    return any_optimizer(symbolic(CATALOGUE[name]), name, CATALOGUE[name].title)


def derive(optimizer: str | type[Optimizer] | Optimizer) -> Derivation:
    """The theorem on an optimizer's stability threshold, with checked steps.

    Parameters
    ----------
    optimizer : str, Optimizer or its class
        A name of the catalogue or "delayed-loop", the lemma that all theorems share. An optimizer
        of the catalogue stands for its family: the theorem holds for symbolic momentum and every
        delay. For a LinearOptimizer the same machinery runs on its own tables, in which a float
        is read as the decimal number that it displays.

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
        if optimizer not in {**_COMPLETE, **CATALOGUE}:
            names = ", ".join([*CATALOGUE, LEMMA])
            raise ValueError(f"optimizer must be one of {names}; got {optimizer!r}")
        return _named(optimizer)
    if isinstance(optimizer, Optimizer) or (
        isinstance(optimizer, type) and issubclass(optimizer, Optimizer)
    ):
        if optimizer is LinearOptimizer:
            raise TypeError("optimizer must be an instance of LinearOptimizer, with its tables")
        return _named(optimizer.name)
    raise TypeError(f"optimizer must be a name, an optimizer or its class; got {optimizer!r}")


def all_derivations() -> tuple[Derivation, ...]:
    """The lemma and the theorems of the whole catalogue, in its order."""
    return (derive(LEMMA), *(derive(name) for name in CATALOGUE))


def _exact(optimizer: LinearOptimizer) -> LinearOptimizer:
    def rational(value: object) -> object:
        return nsimplify(str(value), rational=True) if isinstance(value, float) else value

    return LinearOptimizer(
        {lag: rational(value) for lag, value in optimizer.feedback.items()},
        {lag: rational(value) for lag, value in optimizer.feedforward.items()},
    )
