"""All theorems, in the order in which a paper would tell them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial

from delaystability.optimizers import CATALOGUE
from delaystability.theory.derivation import Derivation
from delaystability.theory.loop import symbolic
from delaystability.theory.proofs.any_optimizer import any_optimizer
from delaystability.theory.proofs.delayed_loop import delayed_loop
from delaystability.theory.proofs.ema_momentum import ema_momentum
from delaystability.theory.proofs.heavy_ball import heavy_ball
from delaystability.theory.proofs.nesterov import nesterov
from delaystability.theory.proofs.sgd import sgd
from delaystability.theory.proofs.shifted_momentum import shifted_momentum

__all__ = ["PARTS", "Part", "named", "names", "outcome", "parts"]


@dataclass(frozen=True)
class Part:
    """A section of the theory: its title and, by name, what builds each of its derivations."""

    label: str
    title: str
    theorems: Mapping[str, Callable[[], Derivation]]


PARTS: tuple[Part, ...] = (
    Part("crossings", "Crossings of the unit circle", {"delayed-loop": delayed_loop}),
    Part("sgd", "SGD", {"sgd": sgd}),
    Part("heavy-ball", "Heavy ball", {"heavy-ball": heavy_ball}),
    Part("shifted-momentum", "Shifted momentum", {"shifted-momentum": shifted_momentum}),
    Part("nesterov", "Nesterov momentum", {"nesterov": nesterov}),
    Part("ema-momentum", "EMA momentum and Adam", {"ema-momentum": ema_momentum}),
)
"""The parts with theorems of their own."""


def parts() -> tuple[Part, ...]:
    """All parts; the last one holds the optimizers of the catalogue without an own proof."""
    proved = {name for part in PARTS for name in part.theorems}
    others = {name: partial(_general, name) for name in CATALOGUE if name not in proved}
    return (*PARTS, Part("others", "Other optimizers", others)) if others else PARTS


def _general(name: str) -> Derivation:
    return any_optimizer(symbolic(CATALOGUE[name]), name, CATALOGUE[name].title)


def names() -> tuple[str, ...]:
    """The names of all theorems, in order."""
    return tuple(name for part in parts() for name in part.theorems)


@cache
def named(name: str) -> Derivation:
    """The derivation of this name.

    Raises
    ------
    ValueError
        If there is no theorem of this name.
    """
    for part in parts():
        if name in part.theorems:
            return part.theorems[name]()
    raise ValueError(f"theorem must be one of {', '.join(names())}; got {name!r}")


@cache
def outcome(name: str) -> tuple[int, str]:
    """How many steps of this theorem fail, and its status; an unknown name is one failure."""
    if name not in names():
        return 1, "unknown"
    derivation = named(name)
    report = derivation.check()
    return report.failed, derivation.status_from(report)
