"""Exact rationals and tables of them as text, and back: within limits, and in one way only.

Read and written by FLINT, as Python refuses decimal integers of thousands of digits.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from flint import fmpz

from delaystability.model.delays import LARGEST_DELAY, shown
from delaystability.numerics.exact.circle_proof import Table

__all__ = [
    "LARGEST_BITS",
    "LARGEST_LAG",
    "MOST_LAGS",
    "rational_from_text",
    "rational_text",
    "table_from_text",
    "table_text",
]

LARGEST_BITS = 2**18
"""Of a numerator or denominator: beyond, an operation with fractions takes seconds."""

MOST_LAGS = 2**13
"""Entries of a table: a proof for a law of 2**12 delays takes some ten seconds."""

LARGEST_LAG = LARGEST_DELAY + 1
"""Of a table: shifted momentum looks back delay + 1 updates."""

_LONG = 8192  # bits from which rationals are written in hexadecimal, which is shorter and quick
_DECIMAL = re.compile(r"(-?[0-9]+)(?:/([0-9]+))?", re.ASCII)
_HEXADECIMAL = re.compile(r"(-?)0x([0-9a-f]+)/0x([0-9a-f]+)", re.ASCII)
_LONGEST = LARGEST_BITS // 2  # characters: two numbers of a quarter of the bits in hexadecimal


def rational_text(value: Fraction) -> str:
    """A rational as text, "1/3", or "0x1/0x3" where it is very long."""
    if max(value.numerator.bit_length(), value.denominator.bit_length()) >= _LONG:
        return f"{value.numerator:#x}/{value.denominator:#x}"
    numerator = str(fmpz(value.numerator))
    return numerator if value.denominator == 1 else f"{numerator}/{fmpz(value.denominator)}"


def rational_from_text(argument: str, text: Any, largest_bits: int = LARGEST_BITS) -> Fraction:
    """The rational that `rational_text` wrote.

    Raises
    ------
    ValueError
        If it is anything else, has a denominator of zero, or a part of more bits than allowed.
    """
    allowed = 'a rational number as text, such as "1/3" or "0x1/0x3"'
    if not isinstance(text, str) or len(text) > _LONGEST + 16:
        raise ValueError(f"{argument} must be {allowed}, not too long; got {shown(text)}")
    if found := _DECIMAL.fullmatch(text):
        numerator, denominator = int(fmpz(found[1])), int(fmpz(found[2] or 1))
    elif found := _HEXADECIMAL.fullmatch(text):
        numerator, denominator = int(found[1] + found[2], 16), int(found[3], 16)
    else:
        raise ValueError(f"{argument} must be {allowed}; got {shown(text)}")
    if denominator == 0:
        raise ValueError(f"{argument} must be {allowed}; got the denominator 0")
    bits = max(numerator.bit_length(), denominator.bit_length())
    if bits > largest_bits:
        raise ValueError(f"{argument} must have at most {largest_bits} bits; got {bits}")
    return Fraction(numerator, denominator)


def table_text(table: Iterable[tuple[int, Fraction]]) -> str:
    """A table as text, "0: 1/5, 2: 4/5"."""
    return ", ".join(f"{lag}: {rational_text(value)}" for lag, value in table)


def table_from_text(argument: str, text: Any, first: int) -> Table:
    """The table that `table_text` wrote, of lags from ``first`` on.

    Raises
    ------
    ValueError
        If it is anything else, too long, or has a lag twice.
    """
    allowed = 'a table as text, such as "0: 1/5, 2: 4/5"'
    if not isinstance(text, str):
        raise ValueError(f"{argument} must be {allowed}; got {shown(text)}")
    entries = text.split(", ") if text else []
    if len(entries) > MOST_LAGS:
        raise ValueError(f"{argument} must have at most {MOST_LAGS} lags; got {len(entries)}")
    table: dict[int, Fraction] = {}
    for entry in entries:
        word, colon, value = entry.partition(": ")
        if not colon or not (word.isascii() and word.isdigit() and len(word) <= 16):
            raise ValueError(f"{argument} must be {allowed}; got the entry {shown(entry)}")
        lag = int(word)
        if lag in table or not first <= lag <= LARGEST_LAG:
            raise ValueError(f"{argument} must be {allowed}; got the lag {lag} twice or too large")
        table[lag] = rational_from_text(f"{argument} at lag {lag}", value)
    return tuple(table.items())
