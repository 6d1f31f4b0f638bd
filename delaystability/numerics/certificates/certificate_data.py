"""Certificates as plain data for JSON, and back: every field is checked before it is used."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from delaystability.files.field import Field
from delaystability.files.json_data import data_from_json
from delaystability.model.delays import LARGEST_DELAY, shown
from delaystability.numerics.exact.circle_proof import Table
from delaystability.numerics.exact.rational_text import (
    LARGEST_LAG,
    MOST_LAGS,
    rational_from_text,
    rational_text,
)

__all__ = ["METHODS", "MOST_DIGITS", "data_from_text", "data_from_values", "values_from_data"]

METHODS = ("integer Schur-Cohn test", "winding number in ball arithmetic")
"""How the ends of a certificate can be proved."""

MOST_DIGITS = 1000
"""A proof of as many digits takes a fraction of a second."""

_FIELDS = ("optimizer", "parameters", "a", "b", "delay", "digits", "lower", "upper", "method")
_DECAYS = ("decay", "coupled", "still")
_OPTIONAL = ("root_moduli", *_DECAYS)
# 1,000 digits of a number in the range of doubles, numerator and denominator.
_LARGEST_END_BITS = 2**13
_LONGEST_TEXT = 2**26  # characters: two tables with as many entries as allowed, of 1,000 digits
_MOST_PARAMETERS = 16
_LONGEST_NAME = 100
_LONGEST_PARAMETER = 2**25
_LONGEST_MODULUS = 2 * MOST_DIGITS + 20


def data_from_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a certificate as data that JSON holds; rationals are text."""
    data = dict(values)
    for name in ("a", "b", "still"):
        data[name] = [[lag, rational_text(Fraction(value))] for lag, value in values[name]]
    data |= {name: rational_text(Fraction(values[name])) for name in ("lower", "upper", "decay")}
    if not values["decay"]:
        # As it was written before there was decay.
        data = {name: value for name, value in data.items() if name not in _DECAYS}
    data["parameters"] = dict(values["parameters"])
    if values["root_moduli"] is not None:
        data["root_moduli"] = list(values["root_moduli"])
    return data


def data_from_text(text: Any) -> Any:
    """What the JSON of a certificate holds, as `values_from_data` reads it.

    Raises
    ------
    ValueError
        If the text is not JSON, too long or nested too deeply.
    """
    return data_from_json(text, "the JSON of a certificate", _LONGEST_TEXT)


def values_from_data(data: Any) -> dict[str, Any]:
    """The fields of a certificate from plain data, checked and converted.

    Raises
    ------
    ValueError
        If a field is missing, unknown, or not what it must be: the message names it.
    """
    if not isinstance(data, Mapping):
        raise ValueError(f"certificate must be a mapping of its fields; got {shown(data)}")
    file = Field(data)
    found = {name: file.entry(name) for name in _FIELDS}
    surplus = [name for name in data if name not in (*_FIELDS, *_OPTIONAL)]
    if surplus:
        raise ValueError(f"{shown(surplus[0])} must not be given: a certificate has no such field")
    parameters = found["parameters"].names(_MOST_PARAMETERS, _LONGEST_NAME)
    return {
        "optimizer": found["optimizer"].text(_LONGEST_NAME, least=1),
        "parameters": {name: one.text(_LONGEST_PARAMETER) for name, one in parameters.items()},
        "a": _table(found["a"]),
        "b": _table(found["b"]),
        "delay": found["delay"].integer(0, LARGEST_DELAY),
        "digits": found["digits"].integer(1, MOST_DIGITS),
        "lower": _positive(found["lower"]),
        "upper": _positive(found["upper"]),
        "method": found["method"].one_of(METHODS),
        "root_moduli": _moduli(Field(data.get("root_moduli"), "root_moduli")),
        **_decays(file, data),
    }


def _decays(file: Field, data: Mapping[str, Any]) -> dict[str, Any]:
    """The fields on decay: all of them, or none."""
    if not any(name in data for name in _DECAYS):
        return {}
    decay, coupled, still = (file.entry(name) for name in _DECAYS)
    return {
        "decay": _positive(decay),
        "coupled": coupled.flag(),
        "still": _table(still),
    }


def _table(field: Field) -> Table:
    table: dict[int, Fraction] = {}
    for pair in field.entries(1, MOST_LAGS):
        lag_field, value = pair.entries(2, 2)
        lag = lag_field.integer(0, LARGEST_LAG)
        if lag in table:
            raise ValueError(f"{field.path} must have each lag once; got {lag} twice")
        table[lag] = rational_from_text(value.path, value.value)
    return tuple(table.items())


def _positive(field: Field) -> Fraction:
    number = rational_from_text(field.path, field.value, _LARGEST_END_BITS)
    if number <= 0:
        raise field.wrong("positive")
    return number


def _moduli(field: Field) -> tuple[str, str] | None:
    if field.value is None:
        return None
    inside, outside = field.entries(2, 2)
    return _decimal(inside), _decimal(outside)


def _decimal(field: Field) -> str:
    digits = field.text(_LONGEST_MODULUS).replace(".", "", 1)
    if not (digits.isascii() and digits.isdigit()):
        raise field.wrong("a decimal number as text")
    return field.text(_LONGEST_MODULUS)
