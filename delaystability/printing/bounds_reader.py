"""Theorems from the JSON of a bounds file: every field is checked, nothing is evaluated."""

from __future__ import annotations

from typing import Any, Self

from sympy import Basic, Eq, Symbol
from sympy.core.relational import Relational

from delaystability.files.field import Field
from delaystability.files.json_data import data_from_json
from delaystability.printing.expression_text import expression_from_text
from delaystability.theory.derivation import Theorem
from delaystability.theory.statement import QUANTITIES, Root, Statement

__all__ = ["FORMAT", "theorems_from_json"]

FORMAT = 1
"""The version of the layout; it grows when readers must change."""

_LONGEST_TEXT = 2**24  # characters; the file of all theorems has some 300,000
_LONGEST_FIELD = 2**18  # characters of one formula or paragraph
_MOST_ENTRIES = 1000  # of one list
_MOST_FORMULAS = 20_000
_KINDS = ("theorem", "lemma", "corollary", "remark", "example")


def theorems_from_json(text: str) -> tuple[Theorem, ...]:
    """The theorems of a bounds file, equal to those that were written.

    The status is not read: it is what the check of the derivation says, never what a file says.
    Formulas are read by a whitelist of constructors; nothing is evaluated.

    Parameters
    ----------
    text : str
        What ``json.dumps(bounds_data(...))`` wrote.

    Raises
    ------
    ValueError
        If the text is not JSON, has another format, or a field is missing or malformed, or holds a
        formula outside the whitelist or beyond its limits: the message names the field.
    """
    data = _Field(data_from_json(text, "a bounds file", _LONGEST_TEXT))
    data.entry("format").integer(FORMAT, FORMAT)
    if text.count('"srepr"') > _MOST_FORMULAS:
        raise ValueError(f"text must have at most {_MOST_FORMULAS} formulas")
    theorems = tuple(map(_theorem, data.entry("theorems").list()))
    names = [theorem.name for theorem in theorems]
    if len(set(names)) < len(names):
        raise ValueError("theorems must have different names")
    return theorems


class _Field(Field):
    """A value in the file, perhaps a formula."""

    def string(self) -> str:
        """A name or a paragraph."""
        return self.text(_LONGEST_FIELD)

    def list(self) -> list[Self]:
        """The entries of a list."""
        return self.entries(0, _MOST_ENTRIES)

    def formula(self) -> Any:
        """An expression, or the text of a formula that has no other form."""
        if not isinstance(self.value, dict):
            raise self.wrong("a formula")
        if "srepr" not in self.value:
            return self.entry("latex").string()
        field = self.entry("srepr")
        text = field.string()
        try:
            return expression_from_text(text)
        except ValueError as error:
            raise ValueError(f"{field.path} must be a formula: {error}") from error

    def formula_of(self, kind: type[Basic]) -> Any:
        """A formula of this kind."""
        found = self.formula()
        if not isinstance(found, kind):
            raise self.wrong(f"a formula of the kind {kind.__name__}")
        return found


def _theorem(field: _Field) -> Theorem:
    given = field.entry("given").names(_MOST_ENTRIES, _LONGEST_FIELD)
    return Theorem(
        name=field.entry("name").string(),
        title=field.entry("title").string(),
        statement=_statement(field.entry("statement")),
        text=field.entry("text").string(),
        sources=tuple(entry.string() for entry in field.entry("sources").list()),
        given={name: value.formula() for name, value in given.items()},
        kind=field.entry("kind").one_of(_KINDS),
        of=field.entry("of").string() if "of" in field.value else "",
        prior_art=field.entry("prior_art").string() if "prior_art" in field.value else "",
    )


def _statement(field: _Field) -> Statement:
    return Statement(
        quantity=field.entry("quantity").one_of(tuple(QUANTITIES)),
        relation=field.entry("relation").formula_of(Relational),
        optimizer=field.entry("optimizer").string(),
        domain=tuple(entry.formula_of(Basic) for entry in field.entry("domain").list()),
        roots=tuple(map(_root, field.entry("roots").list())),
        definitions=tuple(map(_definition, field.entry("definitions").list())),
    )


def _root(field: _Field) -> Root:
    minimized = field.entry("minimized")
    return Root(
        field.entry("symbol").formula_of(Symbol),
        field.entry("equation").formula_of(Eq),
        field.entry("upper").formula_of(Basic),
        None if minimized.value is None else minimized.formula_of(Basic),
    )


def _definition(field: _Field) -> tuple[Any, Any]:
    symbol, meaning = field.entries(2, 2)
    return symbol.formula_of(Basic), meaning.formula_of(Basic)
