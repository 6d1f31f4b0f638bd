"""Filling the templates of theorems and steps: formulas, cross-references and citations."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sympy import Basic

__all__ = ["LEMMA", "Style", "fill"]

_FIELD = re.compile(r"\{([A-Za-z0-9_-]+(?::[A-Za-z0-9_-]+)?)\}")

LEMMA = "delayed-loop"
"""The name of the lemma that {lemma} refers to."""


@dataclass(frozen=True)
class Style:
    """How one output format writes formulas, displays, references and citations."""

    inline: Callable[[Basic | str], str]
    display: Callable[[Basic | str], str]
    reference: Callable[[str], str]
    lemma: Callable[[], str]
    theorem: Callable[[str], str]
    cite: Callable[[str], str]


def fill(text: str, given: Mapping[str, Basic | str], style: Style) -> str:
    """The text with every {field} written out.

    Raises
    ------
    ValueError
        If a field names no formula of ``given``.
    """

    def written(match: re.Match[str]) -> str:
        kind, _, key = match[1].rpartition(":")
        if kind == "ref":
            return style.reference(key)
        if kind == "theorem":
            return style.theorem(key)
        if kind == "cite":
            return style.cite(key)
        if key == "lemma" and key not in given:
            return style.lemma()
        if key not in given:
            raise ValueError(f"text needs the formula {key!r}; given are {sorted(given)}")
        return style.display(given[key]) if kind == "display" else style.inline(given[key])

    return _FIELD.sub(written, text)
