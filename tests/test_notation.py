"""One meaning for each letter: the table of the page on notation, against every formula."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from sympy import Basic, Symbol, chebyshevu
from sympy.core.function import AppliedUndef

from delaystability.theory.derivation import Proof
from delaystability.theory.registry import all_proofs

PAGE = Path(__file__).parent.parent / "docs" / "notation.md"


@cache
def proofs() -> Mapping[str, Proof]:
    """Every proof of the registry, by name."""
    return {proof.name: proof for proof in all_proofs()}


def table() -> dict[str, frozenset[str]]:
    """Where each letter is used, by its name in formulas; empty for everywhere."""
    text = PAGE.read_text(encoding="utf-8")
    section = text[text.index("## Letters of the theory") : text.index("Auxiliary letters")]
    found: dict[str, frozenset[str]] = {}
    for row in re.findall(r"^\| \$.*\|$", section, flags=re.MULTILINE):
        _, letters, meaning, where = (cell.strip() for cell in row.strip("|").split("|"))
        assert meaning
        names = frozenset(re.findall(r"`([\w-]+)`", where))
        assert names or where == "everywhere"
        for letter in re.findall(r"`([^`]+)`", letters):
            assert letter not in found, f"{letter} has two meanings"
            found[letter] = names
    return found


def auxiliary() -> set[str]:
    """The letters that mean what a proof says."""
    text = PAGE.read_text(encoding="utf-8")
    paragraph = text[text.index("Auxiliary letters") : text.index("## Words")]
    return set(re.findall(r"`(\w)`", paragraph))


def _letters(expressions: Iterable[object]) -> set[str]:
    found: set[str] = set()
    for expression in expressions:
        if isinstance(expression, Basic):
            found |= {str(symbol) for symbol in expression.atoms(Symbol)}
            functions = expression.atoms(AppliedUndef)
            found |= {function.func.__name__.rstrip("'") for function in functions}
            found |= {"U"} if expression.has(chebyshevu) else set()
    return found - {"+", "-"}  # the side of a limit


def letters(proof: Proof) -> set[str]:
    """The letters of the statement and of all steps."""
    stated = proof.theorem.statement
    whole = [stated.relation, *stated.domain, *proof.theorem.given.values()]
    whole += [part for root in stated.roots for part in (root.symbol, root.equation)]
    whole += [part for pair in stated.definitions for part in pair]
    for step in proof.steps:
        whole += [step.claim, *step.given.values()]
    return _letters(whole)


def faults(told: Mapping[str, Proof]) -> list[str]:
    """Letters without a meaning, with one that is another's, or that are nowhere used."""
    known, free = table(), auxiliary()
    used: dict[str, set[str]] = {letter: set() for letter in known}
    wrong = []
    for name, proof in told.items():
        place = proof.theorem.of or name
        for letter in letters(proof):
            if letter in known:
                used[letter].add(place)
                if known[letter] and place not in known[letter]:
                    wrong.append(f"{letter} has another meaning in {name}")
            elif letter.split("_")[0] not in free:
                wrong.append(f"{letter} of {name} has no meaning")
    for letter, places in known.items():
        wrong += [f"{letter} is not used in {place}" for place in places - used[letter]]
        wrong += [f"{letter} is used nowhere"] * (not used[letter])
    return wrong


@pytest.mark.slow
def test_every_letter_has_one_meaning():
    assert not faults(proofs())


def test_an_auxiliary_letter_has_no_meaning_of_its_own():
    assert not auxiliary() & {letter.split("_")[0] for letter in table() if "_" not in letter}
    assert {"x", "y", "k", "n"} <= auxiliary()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("letter", "fault"),
    [
        ("kappa", "kappa has another meaning in sgd"),
        ("a_ms", "a_ms has another meaning in sgd"),
        ("omega", "omega of sgd has no meaning"),
        ("kappa_7", "kappa_7 of sgd has no meaning"),
    ],
)
def test_a_letter_with_another_meaning_is_noticed(letter, fault):
    theorem = proofs()["sgd"].theorem
    changed = replace(theorem, given={**theorem.given, "more": Symbol(letter)})
    assert faults({**proofs(), "sgd": replace(proofs()["sgd"], theorem=changed)}) == [fault]


@pytest.mark.slow
def test_a_letter_that_is_not_used_where_the_table_says_is_noticed():
    without = {name: proof for name, proof in proofs().items() if name != "mixed-read"}
    assert "l is not used in mixed-read" in faults(without)
