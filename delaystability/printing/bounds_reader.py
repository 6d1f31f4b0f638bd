"""Theorems from the JSON of a bounds file: every field is checked, nothing is evaluated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sympy import Basic, Eq, Symbol
from sympy.core.relational import Relational

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
_KINDS = ("theorem", "lemma", "corollary")


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
    data = _Field("file", data_from_json(text, "a bounds file", _LONGEST_TEXT))
    found = data.entry("format").value
    if type(found) is not int or found != FORMAT:
        raise ValueError(f"format must be {FORMAT}; got {str(found)[:80]!r}")
    if text.count('"srepr"') > _MOST_FORMULAS:
        raise ValueError(f"text must have at most {_MOST_FORMULAS} formulas")
    theorems = tuple(map(_theorem, data.entry("theorems").entries()))
    names = [theorem.name for theorem in theorems]
    if len(set(names)) < len(names):
        raise ValueError("theorems must have different names")
    return theorems


class _Field:
    """A value in the file with the path to it, for messages."""

    def __init__(self, path: str, value: Any) -> None:
        self.path, self.value = path, value

    def entry(self, name: str) -> _Field:
        path = name if self.path == "file" else f"{self.path}.{name}"
        if not isinstance(self.value, dict):
            raise self.wrong("a mapping")
        if name not in self.value:
            raise ValueError(f"{path} must be given; it is missing")
        return _Field(path, self.value[name])

    def entries(self) -> list[_Field]:
        if not isinstance(self.value, list) or len(self.value) > _MOST_ENTRIES:
            raise self.wrong(f"a list of at most {_MOST_ENTRIES} entries")
        return [_Field(f"{self.path}[{k}]", value) for k, value in enumerate(self.value)]

    def named(self, read: Callable[[_Field], Any]) -> dict[str, Any]:
        if not isinstance(self.value, dict) or len(self.value) > _MOST_ENTRIES:
            raise self.wrong(f"a mapping of at most {_MOST_ENTRIES} names")
        return {name: read(self.entry(name)) for name in self.value}

    def text(self) -> str:
        if not isinstance(self.value, str) or len(self.value) > _LONGEST_FIELD:
            raise self.wrong(f"text of at most {_LONGEST_FIELD} characters")
        return self.value

    def formula(self) -> Any:
        """An expression, or the text of a formula that has no other form."""
        if not isinstance(self.value, dict):
            raise self.wrong("a formula")
        if "srepr" not in self.value:
            return self.entry("latex").text()
        field = self.entry("srepr")
        try:
            return expression_from_text(field.text())
        except ValueError as error:
            if str(error).startswith(field.path):
                raise
            raise ValueError(f"{field.path} must be a formula: {error}") from error

    def formula_of(self, kind: type[Basic]) -> Any:
        found = self.formula()
        if not isinstance(found, kind):
            raise self.wrong(f"a formula of the kind {kind.__name__}")
        return found

    def wrong(self, allowed: str) -> ValueError:
        shown = str(self.value)[:60] if isinstance(self.value, (str, int, float)) else ""
        what = f" {shown!r}" if shown else ""
        return ValueError(f"{self.path} must be {allowed}; got {type(self.value).__name__}{what}")


def _theorem(field: _Field) -> Theorem:
    kind = field.entry("kind")
    if kind.value not in _KINDS:
        raise kind.wrong(f"one of {', '.join(_KINDS)}")
    return Theorem(
        name=field.entry("name").text(),
        title=field.entry("title").text(),
        statement=_statement(field.entry("statement")),
        text=field.entry("text").text(),
        sources=tuple(entry.text() for entry in field.entry("sources").entries()),
        given=field.entry("given").named(_Field.formula),
        kind=kind.value,
    )


def _statement(field: _Field) -> Statement:
    quantity = field.entry("quantity")
    if not isinstance(quantity.value, str) or quantity.value not in QUANTITIES:
        raise quantity.wrong(f"one of {', '.join(QUANTITIES)}")
    return Statement(
        quantity=quantity.value,
        relation=field.entry("relation").formula_of(Relational),
        optimizer=field.entry("optimizer").text(),
        domain=tuple(entry.formula_of(Basic) for entry in field.entry("domain").entries()),
        roots=tuple(map(_root, field.entry("roots").entries())),
        definitions=tuple(map(_definition, field.entry("definitions").entries())),
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
    pair = field.entries()
    if len(pair) != 2:
        raise field.wrong("a pair of a symbol and its meaning")
    return pair[0].formula_of(Basic), pair[1].formula_of(Basic)
