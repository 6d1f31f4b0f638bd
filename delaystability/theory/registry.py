"""All theorems, in the order in which a paper would tell them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, partial
from importlib import import_module

from delaystability.model.catalogue import CATALOGUE
from delaystability.theory.derivation import CheckedProof, Proof
from delaystability.theory.proofs.any_optimizer import any_optimizer
from delaystability.theory.symbolic_loop import symbolic
from delaystability.theory.vocabulary import Chapter, Entry

__all__ = [
    "CHAPTERS",
    "Part",
    "all_proofs",
    "checked",
    "checked_proof",
    "named",
    "names",
    "parts",
    "status_of",
]


@dataclass(frozen=True)
class Part:
    """A section of the theory: its title and, by name, what builds each of its proofs."""

    label: str
    title: str
    theorems: Mapping[str, Callable[[], Proof]]


CHAPTERS = (
    "crossings",
    "sgd",
    "any_sequence",
    "heavy_ball",
    "heavy_ball_delays",
    "heavy_ball_bounds",
    "heavy_ball_limits",
    "shifted_momentum",
    "nesterov",
    "adaptive",
    "oscillation",
    "effective_rates",
    "adjustment",
    "noise",
    "mean_square",
    "batch_edge",
    "random_delays",
    "geometric_delays",
    "mixed_reads",
    "pipelines",
    "pipeline_bound",
    "outer_loops",
    "outer_workers",
    "speed",
    "speed_limit",
)
"""The files of theorems, as a paper would tell them; those of one chapter follow each other."""


@cache
def _told() -> tuple[Part, ...]:
    """The parts with written theorems: all that stand in a file and not in an earlier one."""
    found: dict[Chapter, dict[str, Callable[[], Proof]]] = {}
    known: dict[str, Entry] = {}
    for file in CHAPTERS:
        module = import_module(f"delaystability.theory.proofs.{file}")
        chapter = found.setdefault(module.CHAPTER, {})
        for entry in vars(module).values():
            if isinstance(entry, Entry) and known.setdefault(entry.name, entry) is not entry:
                raise ValueError(f"theorem {entry.name!r} must be written once")
            if isinstance(entry, Entry) and all(entry.name not in part for part in found.values()):
                chapter[entry.name] = entry.read
    return tuple(Part(chapter.label, chapter.title, read) for chapter, read in found.items())


def parts() -> tuple[Part, ...]:
    """All parts; the last one holds the optimizers of the catalogue without a written proof."""
    told = _told()
    proved = {name for part in told for name in part.theorems}
    others = {name: partial(_general, name) for name in CATALOGUE if name not in proved}
    return (*told, Part("others", "Other optimizers", others)) if others else told


def _general(name: str) -> Proof:
    return any_optimizer(symbolic(CATALOGUE[name]), name, CATALOGUE[name].title)


def names() -> tuple[str, ...]:
    """The names of all theorems, in order."""
    return tuple(name for part in parts() for name in part.theorems)


@cache
def named(name: str) -> Proof:
    """The proof of this name.

    Raises
    ------
    ValueError
        If there is no theorem of this name.
    """
    for part in parts():
        if name in part.theorems:
            return part.theorems[name]()
    near = get_close_matches(name, names(), n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"theorem must be one of {', '.join(names())}; got {name!r}{hint}")


def all_proofs() -> tuple[Proof, ...]:
    """Every proof, in order."""
    return tuple(map(named, names()))


@cache
def checked(name: str) -> CheckedProof:
    """The proof of this name with the outcome of its steps, from one check in this process."""
    return CheckedProof.of(named(name), status_of)


def checked_proof(proof: Proof) -> CheckedProof:
    """The proof, checked: once in this process if it is the registry's, else now."""
    if proof.name in names():
        known = named(proof.name)
        if proof.theorem is known.theorem and proof.steps is known.steps:
            return checked(proof.name)
    return CheckedProof.of(proof, status_of)


def status_of(name: str) -> str:
    """The status of the theorem of this name, or "unknown" if there is none."""
    return checked(name).status if name in names() else "unknown"
