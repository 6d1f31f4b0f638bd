"""Lists and ranges on the command line: ``0,4,8``, ``0:64``, ``0:64:8``."""

from __future__ import annotations

from decimal import ROUND_FLOOR, Context, Decimal, Inexact, InvalidOperation, Overflow

from delaystability.cli.terminal import RefusedError

__all__ = ["MOST_ROWS", "expanded", "is_several", "parts"]

MOST_ROWS = 10_000
"""Of one table."""

_LONGEST_TEXT = 10_000
# Decimals as written, so that the tenth of ten steps of 0.1 is 1, and of bounded length.
_DECIMAL = Context(prec=60, Emax=400, Emin=-400)
# A number that would be rounded is refused: it would not be the one that is written.
_EXACT = Context(prec=60, Emax=400, Emin=-400, traps=[Inexact, InvalidOperation, Overflow])


def is_several(text: str) -> bool:
    """Tell whether a text is a list or a range, even of one entry."""
    return any(":" in part for part in parts(text)) or len(parts(text)) > 1


def parts(text: str) -> list[str]:
    """What stands between the commas of a text, but for those inside brackets."""
    found, depth = [""], 0
    for sign in text:
        depth += (sign in "([{") - (sign in ")]}")
        if sign == "," and not depth:
            found.append("")
        else:
            found[-1] += sign
    return [part.strip() for part in found]


def expanded(argument: str, text: str) -> list[str]:
    """Every number of a list or range, as it would be written by itself.

    Raises
    ------
    RefusedError
        For an empty entry, a range that is none, or more than `MOST_ROWS` numbers.
    """
    if len(text) > _LONGEST_TEXT:
        raise RefusedError(f"{argument} must have at most {_LONGEST_TEXT} characters")
    found: list[str] = []
    for part in parts(text):
        if not part:
            raise RefusedError(f"{argument} must not have an empty entry; got {text!r}")
        found += _range(argument, part) if ":" in part else [part]
        if len(found) > MOST_ROWS:
            raise RefusedError(f"{argument} must be at most {MOST_ROWS} numbers; got {text!r}")
    return found


def _range(argument: str, text: str) -> list[str]:
    """The numbers of ``first:last`` or ``first:last:step``, both ends included."""
    try:
        first, last, step = _ends(text)
        length = _DECIMAL.divide(_DECIMAL.subtract(last, first), step)
        count = int(length.to_integral_value(ROUND_FLOOR)) + 1
        shown = range(min(count, MOST_ROWS))
        numbers = [_written(_EXACT.fma(step, Decimal(k), first)) for k in shown]
    except (ValueError, ArithmeticError):
        raise RefusedError(
            f"{argument} must be numbers, or a range first:last:step such as 0:64:8, both ends "
            f"included, of at most 60 digits; got {text!r}"
        ) from None
    if count < 1:
        raise RefusedError(f"{argument} must be a range that is not empty; got {text!r}")
    if count > MOST_ROWS:
        raise RefusedError(f"{argument} must be at most {MOST_ROWS} numbers; got {text!r}")
    return numbers


def _ends(text: str) -> list[Decimal]:
    """First, last and step; a step of 1 between whole numbers may be left out."""
    ends = [_EXACT.create_decimal(end.strip()) for end in text.split(":")]
    if not all(end.is_finite() for end in ends):
        raise ValueError(text)
    if len(ends) == 2 and all(end == end.to_integral_value() for end in ends):
        ends.append(Decimal(1))
    if len(ends) != 3:
        raise ValueError(text)
    return ends


def _written(value: Decimal) -> str:
    return str(int(value)) if value == value.to_integral_value() else str(value)
