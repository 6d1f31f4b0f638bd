"""Points of a statement's domain, drawn by a seed: long delays and the edges of the domain too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from itertools import product
from math import log
from random import Random
from typing import Any

from sympy import Eq, Integer, Rational, S, Symbol, oo
from sympy.core.relational import (
    GreaterThan,
    LessThan,
    Relational,
    StrictGreaterThan,
    StrictLessThan,
)

from delaystability.theory.coverage import Range
from delaystability.theory.statement import Statement
from delaystability.theory.symbols import tau

__all__ = [
    "LONGEST",
    "Point",
    "as_fraction",
    "corner_points",
    "longest_delay",
    "only_parameter",
    "stated_ranges",
    "trial_points",
]

Point = dict[Symbol, Any]

LONGEST = 10**4
"""The longest delay of a trial."""

_SMALL = (0, 1, 2, 3)
_LOW, _HIGH = 0, 9
"""The kinds of places at an end that belongs to the domain."""

_HIGHEST, _FIRST = 10, (-1, -2, -3, -4)
"""Those of corners: at the upper end or next to it, and the first whole numbers."""

_CLOSEST = 6
"""Points next to an end are up to 10^-6 of the range away from it."""
_MOST_TRIES = 400


def trial_points(
    statement: Statement,
    count: int,
    seed: int = 0,
    longest: int = LONGEST,
    also: Iterable[Symbol] = (),
) -> list[Point]:
    """Up to ``count`` different points at which the statement is to be tried.

    A point gives its parameters, and what is asked for ``also``.

    A parameter that the domain fixes has that value. The others are drawn between the ends that
    the domain and their assumptions give them: inside, close to an end, and at an end that belongs
    to the domain; delays are spread over all orders of magnitude.
    """
    random, found = Random(seed), dict[tuple[Any, ...], Point]()
    decks = {symbol: random.sample(range(10), 10) for symbol in _free(statement, also)}
    for tries in range(_MOST_TRIES * count):
        # Ten points take every kind of place once; where the domain forbids it, another kind.
        turn = len(found) if tries < 10 * (len(found) + 1) else random.randrange(10)
        kinds = {symbol: deck[turn % 10] for symbol, deck in decks.items()}
        point = _drawn(statement, random, kinds, longest)
        if point is not None:
            found.setdefault(tuple(point.values()), point)
        if len(found) == count or (point is not None and not decks):
            break
    return list(found.values())


def corner_points(
    statement: Statement, seed: int = 0, longest: int = LONGEST, also: Iterable[Symbol] = ()
) -> list[Point]:
    """Points at which all parameters lie at an end of the domain, or next to one that is not in it.

    A whole number takes its first four values.
    """
    free, random = _free(statement, also), Random(seed)
    found = dict[tuple[Any, ...], Point]()
    sides = [_FIRST if symbol.is_integer else (_LOW, _HIGHEST) for symbol in free]
    for kinds in product(*sides) if len(free) > 1 else ():
        point = _drawn(statement, random, dict(zip(free, kinds, strict=True)), longest)
        if point is not None:
            found.setdefault(tuple(point.values()), point)
    return list(found.values())


def longest_delay(points: list[Point]) -> int:
    """The longest delay of some points; 0 if they name none."""
    return max((int(point[tau]) for point in points if tau in point), default=0)


def _free(statement: Statement, also: Iterable[Symbol]) -> list[Symbol]:
    fixed = {entry.lhs for entry in statement.domain if isinstance(entry, Eq)}
    return sorted({*statement.parameters, *also} - fixed, key=str)


def _drawn(
    statement: Statement, random: Random, kinds: Mapping[Symbol, int], longest: int
) -> Point | None:
    """A point, or None if what was drawn lies outside the domain."""
    point: Point = {e.lhs: e.rhs for e in statement.domain if isinstance(e, Eq) and e.lhs.is_Symbol}
    for symbol in _in_order(statement, kinds):
        low, high = _ends(symbol, statement, point)
        if symbol.is_integer:
            point[symbol] = _whole(random, kinds[symbol], low, high, longest)
        else:
            point[symbol] = _real(random, kinds[symbol], low, high)
    return point if statement.holds_in_domain(point) else None


def _in_order(statement: Statement, free: Iterable[Symbol]) -> list[Symbol]:
    """The parameters to draw: one whose ends depend on others comes after them."""
    return sorted(free, key=lambda symbol: (len(_needed(symbol, statement)), str(symbol)))


def _needed(symbol: Symbol, statement: Statement) -> set[Symbol]:
    sides = [side for _, side, _ in _conditions(symbol, statement)]
    return set().union(*(side.free_symbols for side in sides))


def _conditions(symbol: Symbol, statement: Statement) -> Iterator[tuple[str, Any, bool]]:
    """What the domain compares the symbol with: from above or below, with what, and strictly."""
    for entry in statement.domain:
        if not isinstance(entry, Relational) or isinstance(entry, Eq) or symbol not in entry.args:
            continue
        other = entry.rhs if entry.lhs == symbol else entry.lhs
        below = isinstance(entry, (GreaterThan, StrictGreaterThan)) == (entry.lhs == symbol)
        strict = isinstance(entry, (StrictGreaterThan, StrictLessThan))
        if below or isinstance(entry, (LessThan, StrictLessThan, GreaterThan, StrictGreaterThan)):
            yield ("low" if below else "high"), other, strict


def _ends(symbol: Symbol, statement: Statement, point: Point) -> tuple[Any, Any]:
    """The lower and the upper end, each with whether it belongs to the domain."""
    lows: list[tuple[Any, bool]] = [(-oo, False)]
    if symbol.is_nonnegative:
        lows.append((S.Zero, not symbol.is_positive))
    highs: list[tuple[Any, bool]] = [(oo, False)]
    for kind, side, strict in _conditions(symbol, statement):
        value = side.subs(point)
        if value.free_symbols:
            continue
        if not value.is_Rational:
            value = Rational(str(value.evalf(30)))
        (lows if kind == "low" else highs).append((value, not strict))
    # Of two ends at the same place the strict one counts.
    return max(lows, key=lambda e: (e[0], not e[1])), min(highs, key=lambda e: (e[0], e[1]))


def _whole(random: Random, kind: int, low: Any, high: Any, longest: int) -> Integer:
    first = 0 if low[0] == -oo else int(low[0] // 1) + (low[0] != low[0] // 1 or not low[1])
    last = longest if high[0] == oo else min(longest, int(high[0]))
    if kind < 0:
        value = first - kind - 1
    elif kind < 3:
        value = first + random.choice(_SMALL)
    elif kind < 5:
        value = last - random.choice((0, 1))
    else:
        value = first + int(2 ** random.uniform(0, log(last - first + 2, 2))) - 1
    return Integer(max(first, min(last, value)))


def _real(random: Random, kind: int, low: Any, high: Any) -> Rational:
    """A rational number between the ends, of few digits except next to an end."""
    share = Rational(random.randrange(1, 10**4), 10**4)
    close = Rational(random.randrange(10, 100), 10) / 10 ** random.randrange(2, _CLOSEST + 1)
    if low[0] == -oo and high[0] == oo:
        return (share - Rational(1, 2)) * 10 ** random.randrange(3)
    if low[0] == -oo or high[0] == oo:
        end, sign = (low, 1) if high[0] == oo else (high, -1)
        if kind == 0 and end[1]:
            return end[0]
        size = close if kind < 4 else share * 10 ** random.randrange(3)
        return end[0] + sign * size
    width = high[0] - low[0]
    if kind in (_LOW, _HIGH, _HIGHEST) and (low, high)[kind > 0][1]:
        return (low, high)[kind > 0][0]
    if kind == 1 and low[0] < 0 < high[0]:
        return S.Zero
    if kind < 4:
        return low[0] + close * width / 10
    if kind < 7 or kind == _HIGHEST:
        return high[0] - close * width / 10
    return low[0] + share * width


def stated_ranges(statement: Statement, symbols: Iterable[Any]) -> dict[Any, Range]:
    """Where the domain of a statement lets its parameters lie, each on its own.

    An end that another parameter sets is that parameter, unless it sets an end of that one itself.
    """
    found, stated = {}, {symbol for c in statement.domain for symbol in c.free_symbols}
    for symbol in sorted(stated & set(symbols), key=str):
        fixed = [c.rhs for c in statement.domain if isinstance(c, Eq) and c.lhs == symbol]
        if fixed:
            found[symbol] = Range(fixed[0], fixed[0])
            continue
        low, high = _ends(symbol, statement, {})
        for kind, side, strict in _conditions(symbol, statement):
            if kind == "low" and side.is_Symbol:
                low = (side, not strict)
            elif kind == "high" and side.is_Symbol:
                # Below another parameter, and so below that one's own upper end.
                high = _ends(side, statement, {})[1]
        found[symbol] = Range(low[0], high[0], low[1], high[1])
    return found


def only_parameter(statement: Statement, point: Point) -> Fraction:
    """The value of the only parameter besides the delay, and besides what is defined by others."""
    known = {tau, *(symbol for symbol, _ in statement.definitions)}
    (value,) = (value for symbol, value in point.items() if symbol not in known)
    return as_fraction(value)


def as_fraction(value: Any) -> Fraction:
    """A rational number of SymPy as one of Python."""
    return Fraction(int(value.p), int(value.q))
