"""What the shell completes: the names that an argument can take."""

from __future__ import annotations

from collections.abc import Iterable

from delaystability.model.catalogue import CATALOGUE
from delaystability.model.recognised_adaptive import ADAPTIVE

__all__ = [
    "experiment_names",
    "language_names",
    "optimizer_names",
    "theorem_names",
    "trained_optimizer_names",
]


def optimizer_names(incomplete: str) -> list[str]:
    """The optimizers of the catalogue that begin like this."""
    return _beginning(incomplete, CATALOGUE)


def trained_optimizer_names(incomplete: str) -> list[str]:
    """The optimizers to train with that begin like this: the adaptive ones and the catalogue's."""
    return _beginning(incomplete, (*ADAPTIVE, "adamw", *CATALOGUE))


def theorem_names(incomplete: str) -> list[str]:
    """The theorems that begin like this, and ``all``; loads SymPy."""
    from delaystability.theory.registry import names

    return _beginning(incomplete, (*names(), "all"))


def language_names(incomplete: str) -> list[str]:
    """The languages of `export` that begin like this, and ``all``."""
    from delaystability.translation.languages import LANGUAGES

    return _beginning(incomplete, (*LANGUAGES, "all"))


def experiment_names(incomplete: str) -> list[str]:
    """The experiments that begin like this, and ``list``."""
    from delaystability.validation.experiments import EXPERIMENTS

    return _beginning(incomplete, (*EXPERIMENTS, "list"))


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
