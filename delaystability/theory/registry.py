"""All results in the order of a paper: numbered ones, each with what belongs to it under it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache, partial
from importlib import import_module

from delaystability.model.catalogue import CATALOGUE
from delaystability.theory.derivation import CheckedProof, Proof
from delaystability.theory.proofs.any_optimizer import any_optimizer
from delaystability.theory.prose import LEMMA
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
    "number_of",
    "numbered",
    "parts",
    "result_name",
    "status_of",
]


@dataclass(frozen=True)
class Part:
    """A section of the theory: its title and, by name, what builds each of its proofs.

    A theorem or lemma is followed by the corollaries, remarks and examples of it. Their titles are
    known without building them.
    """

    label: str
    title: str
    theorems: Mapping[str, Callable[[], Proof]]
    titles: Mapping[str, str]


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
    "effective_rates",
    "adjustment",
    "noise",
    "mean_square",
    "batch_edge",
    "random_delays",
    "geometric_delays",
    "mixed_reads",
    "mostly_fresh",
    "pipelines",
    "pipeline_bound",
    "outer_loops",
    "outer_workers",
    "speed",
    "speed_limit",
    "oscillation",
)
"""The files of theorems, as a paper would tell them; those of one chapter follow each other."""

_Read = Callable[[], Proof]


@dataclass(frozen=True)
class _Written:
    """An entry where it stands: its chapter, what it belongs to, its title, what builds it."""

    chapter: Chapter
    of: str
    title: str
    read: _Read


@cache
def _entries() -> Mapping[str, _Written]:
    """Everything that stands in a file and not in an earlier one, and the general theorem."""
    found: dict[str, _Written] = {}
    known: dict[str, Entry] = {}
    for file in CHAPTERS:
        module = import_module(f"delaystability.theory.proofs.{file}")
        for entry in vars(module).values():
            if not isinstance(entry, Entry):
                continue
            if known.setdefault(entry.name, entry) is not entry:
                raise ValueError(f"theorem {entry.name!r} must be written once")
            written = _Written(module.CHAPTER, entry.of, entry.title, entry.read)
            found.setdefault(entry.name, written)
    return found


def _with_general() -> Mapping[str, _Written]:
    """The entries, and the optimizers of the catalogue without a written proof."""
    written = _entries()
    place = written[LEMMA].chapter
    others = {
        name: _Written(place, LEMMA, CATALOGUE[name].title, partial(_general, name))
        for name in CATALOGUE
        if name not in written
    }
    return {**written, **others}


def parts() -> tuple[Part, ...]:
    """All parts, each with its theorems and lemmas and what belongs to them.

    Raises
    ------
    ValueError
        If an entry belongs to one that is not there or that belongs to another itself.
    """
    found = _with_general()
    for name, entry in found.items():
        if entry.of and (entry.of not in found or found[entry.of].of):
            raise ValueError(f"theorem {name!r} must be of a theorem or lemma; got {entry.of!r}")
    told: dict[Chapter, dict[str, _Read]] = {}
    for name, entry in found.items():
        if not entry.of:
            under = {key: other.read for key, other in found.items() if other.of == name}
            told.setdefault(entry.chapter, {}).update({name: entry.read, **under})
    return tuple(
        Part(chapter.label, chapter.title, read, {name: found[name].title for name in read})
        for chapter, read in told.items()
    )


def _general(name: str) -> Proof:
    proof = any_optimizer(symbolic(CATALOGUE[name]), name, CATALOGUE[name].title)
    return replace(proof, theorem=replace(proof.theorem, kind="corollary", of=LEMMA))


def numbered() -> Mapping[str, str]:
    """The numbers of all results: 4 of the fourth theorem or lemma, 4.2 of what is second under it.

    These are the numbers in the article that holds all of them.
    """
    found, numbers = _with_general(), dict[str, str]()
    main = under = 0
    for name in names():
        main, under = (main, under + 1) if found[name].of else (main + 1, 0)
        numbers[name] = f"{main}.{under}" if under else f"{main}"
    return numbers


def number_of(name: str) -> str:
    """The number of the result of this name, or "" if it is not in the registry."""
    return numbered().get(name, "")


def result_name(name: str) -> str:
    """What the article calls the result, such as "Theorem 4" or "Example 4.2", or ""."""
    number = number_of(name)
    return f"{named(name).theorem.kind.capitalize()} {number}" if number else ""


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
