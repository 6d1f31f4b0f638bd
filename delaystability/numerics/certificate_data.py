"""Certificates as plain data for JSON, and back: every field is checked before it is used."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from delaystability.files.json_data import data_from_json
from delaystability.model.delays import LARGEST_DELAY, shown
from delaystability.numerics.circle_proof import Table
from delaystability.numerics.rational_text import (
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
_OPTIONAL = ("root_moduli",)
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
    for name in ("a", "b"):
        data[name] = [[lag, rational_text(Fraction(value))] for lag, value in values[name]]
    data |= {end: rational_text(Fraction(values[end])) for end in ("lower", "upper")}
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
    missing = [name for name in _FIELDS if name not in data]
    surplus = [name for name in data if name not in (*_FIELDS, *_OPTIONAL)]
    if missing:
        raise ValueError(f"{missing[0]} must be given; it is missing")
    if surplus:
        raise ValueError(f"{shown(surplus[0])} must not be given: a certificate has no such field")
    return {
        "optimizer": _name(data["optimizer"]),
        "parameters": _parameters(data["parameters"]),
        "a": _table("a", data["a"]),
        "b": _table("b", data["b"]),
        "delay": _whole("delay", data["delay"], 0, LARGEST_DELAY),
        "digits": _whole("digits", data["digits"], 1, MOST_DIGITS),
        "lower": _end("lower", data["lower"]),
        "upper": _end("upper", data["upper"]),
        "method": _method(data["method"]),
        "root_moduli": _moduli(data.get("root_moduli")),
    }


def _name(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_NAME:
        raise ValueError(f"optimizer must be a name; got {shown(value)}")
    return value


def _parameters(value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping) or len(value) > _MOST_PARAMETERS:
        raise ValueError(f"parameters must be a mapping of names to text; got {shown(value)}")
    for name, text in value.items():
        if not isinstance(name, str) or len(name) > _LONGEST_NAME:
            raise ValueError(f"parameters must have short names; got {shown(name)}")
        if not isinstance(text, str) or len(text) > _LONGEST_PARAMETER:
            raise ValueError(f"parameters[{name!r}] must be text; got {shown(text)}")
    return dict(value)


def _whole(argument: str, value: Any, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise ValueError(
            f"{argument} must be an integer from {least} to {most}; got {shown(value)}"
        )
    return value


def _table(name: str, value: Any) -> Table:
    if not isinstance(value, (list, tuple)) or not 0 < len(value) <= MOST_LAGS:
        raise ValueError(
            f"{name} must be a list of 1 to {MOST_LAGS} pairs [lag, rational]; got {shown(value)}"
        )
    table: dict[int, Fraction] = {}
    for pair in value:
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise ValueError(f"{name} must hold pairs [lag, rational]; got {shown(pair)}")
        lag = _whole(f"the lag in {name}", pair[0], 0, LARGEST_LAG)
        if lag in table:
            raise ValueError(f"{name} must have each lag once; got {lag} twice")
        table[lag] = rational_from_text(f"{name} at lag {lag}", pair[1])
    return tuple(table.items())


def _end(name: str, value: Any) -> Fraction:
    end = rational_from_text(name, value, _LARGEST_END_BITS)
    if end <= 0:
        raise ValueError(f"{name} must be positive; got {shown(value)}")
    return end


def _method(value: Any) -> str:
    if value not in METHODS:
        raise ValueError(f"method must be one of {' and '.join(METHODS)}; got {shown(value)}")
    return str(value)


def _moduli(value: Any) -> tuple[str, str] | None:
    if value is None:
        return None
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise ValueError(f"root_moduli must be two numbers as text; got {shown(value)}")
    for text in value:
        allowed = isinstance(text, str) and len(text) <= _LONGEST_MODULUS
        digits = text.replace(".", "", 1) if allowed else ""
        if not (digits.isascii() and digits.isdigit()):
            raise ValueError(f"root_moduli must be decimal numbers as text; got {shown(text)}")
    return value[0], value[1]
