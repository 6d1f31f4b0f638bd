"""Filling the templates of theorems and steps: formulas, cross-references and citations."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sympy import Basic

__all__ = ["LEMMA", "Style", "capitalised", "fields_of", "fill", "mentioned", "punctuation_before"]

_FIELD = re.compile(r"\{([A-Za-z0-9_-]+(?::[A-Za-z0-9_-]+)?)\}")

LEMMA = "delayed-loop"
"""The name of the lemma that {lemma} refers to."""

_COMMA = {"and", "as", "for", "from", "hence", "if", "in", "or", "so", "that", "where", "which"}
_COMMA |= {"with", "while", "until", "unless", "whose", "but", "likewise"}
"""Words before which a displayed formula ends with a comma, if they go on with its sentence."""


@dataclass(frozen=True)
class Style:
    """How one output format writes formulas, displays, references and citations.

    Attributes
    ----------
    inline : callable of an expression
    display : callable of an expression and the punctuation that follows it
    reference : callable of a step's label
    theorem : callable of a theorem's name, and whether a sentence begins there
    cite : callable of the key of a reference
    plain : callable of the text between the fields
    """

    inline: Callable[[Basic | str], str]
    display: Callable[[Basic | str, str], str]
    reference: Callable[[str], str]
    theorem: Callable[[str, bool], str]
    cite: Callable[[str], str]
    plain: Callable[[str], str] = str


def fill(text: str, given: Mapping[str, Basic | str], style: Style) -> str:
    """The text with every {field} written out.

    Raises
    ------
    ValueError
        If a field names no formula of ``given``.
    """
    parts, position = [], 0
    for match in _FIELD.finditer(text):
        before = text[position : match.start()]
        parts.append(style.plain(before))
        position = match.end()
        if match[1].startswith("display:"):
            mark = punctuation_before(text[position:])
            parts.append(style.display(_formula(match[1][8:], given), mark))
            position += len(mark) if text[position:].startswith(mark) else 0
        else:
            parts.append(_written(match[1], _opens_sentence(text[: match.start()]), given, style))
    return "".join(parts) + style.plain(text[position:])


def _written(field: str, opening: bool, given: Mapping[str, Basic | str], style: Style) -> str:
    kind, _, key = field.rpartition(":")
    if kind == "ref":
        return style.reference(key)
    if kind == "theorem":
        return style.theorem(key, opening)
    if kind == "cite":
        return style.cite(key)
    if key == "lemma" and key not in given:
        return style.theorem(LEMMA, opening)
    return style.inline(_formula(key, given))


def _formula(key: str, given: Mapping[str, Basic | str]) -> Basic | str:
    if key not in given:
        raise ValueError(f"text needs the formula {key!r}; given are {sorted(given)}")
    return given[key]


def _opens_sentence(before: str) -> bool:
    return not before.strip() or before.rstrip()[-1] in ".:?!"


def punctuation_before(following: str) -> str:
    """What a displayed formula ends with, from the text that follows it."""
    following = following.lstrip()
    if not following:
        return "."
    if following[0] in ".,;:":
        return following[0]
    if following[0].islower():
        return "," if re.split(r"\W", following, maxsplit=1)[0] in _COMMA else ""
    return "."


def fields_of(text: str) -> list[str]:
    """The fields of a text, without their braces."""
    return [match[1] for match in _FIELD.finditer(text)]


def mentioned(text: str, given: Mapping[str, Basic | str]) -> set[str]:
    """The names of the theorems that a text refers to."""
    fields = fields_of(text)
    names = {field.removeprefix("theorem:") for field in fields if field.startswith("theorem:")}
    return names | ({LEMMA} if "lemma" in fields and "lemma" not in given else set())


def capitalised(text: str, opening: bool) -> str:
    """The text, with a capital letter where it opens a sentence."""
    return text[:1].upper() + text[1:] if opening else text
