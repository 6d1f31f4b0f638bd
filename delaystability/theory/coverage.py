"""That charts cover a domain: boxes of ranges, and the images of the parameters of the charts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any

from sympy import Expr, Integer, Symbol, cos, fraction, oo, simplify, together
from sympy import Poly as Polynomial

from delaystability.theory.signs import sign_of

__all__ = ["Range", "gap_between"]

Chart = Mapping[Expr, Expr]


@dataclass(frozen=True)
class Range:
    """The numbers between two ends, each of which may belong to it; they may name other symbols."""

    low: Any
    high: Any
    low_in: bool = True
    high_in: bool = True

    def holds(self, part: Range) -> bool:
        """Whether another range lies inside, if its ends can be compared."""
        return _reaches(self.low, self.low_in, part.low, part.low_in, 1) and _reaches(
            self.high, self.high_in, part.high, part.high_in, -1
        )


Box = Mapping[Expr, Range]


def _reaches(outer: Any, outer_in: bool, inner: Any, inner_in: bool, side: int) -> bool:
    if outer == inner:
        return outer_in or not inner_in
    return bool((side * (inner - outer)).is_positive)


def gap_between(domain: Iterable[Box], charts: Sequence[Chart]) -> str:
    """A part of a domain that no chart covers, in words, or "".

    Each variable of a chart must be a fraction that is linear in a parameter of its own; with
    several charts the ends of all ranges must be numbers, and every cell between them is looked at.
    """
    images = [_image(chart) for chart in charts]
    for box in domain:
        whole = {variable: _assumed(variable) for image in images if image for variable in image}
        whole |= box
        for cell in _cells(whole, [image for image in images if image]):
            if not any(image and _inside(cell, image) for image in images):
                parts = (f"{variable} in {_told(part)}" for variable, part in cell.items())
                return ", ".join(parts) or "anything"
    return ""


def _inside(cell: Box, image: Box) -> bool:
    """Whether a cell lies in the image of a chart; what the chart leaves free is everywhere."""
    return all(
        (image[variable] if variable in image else _assumed(variable)).holds(part)
        for variable, part in cell.items()
    )


def _assumed(variable: Expr) -> Range:
    """Where a variable lies by what it is."""
    if isinstance(variable, cos):
        return Range(Integer(-1), Integer(1))
    if variable.is_positive:
        return Range(Integer(0), oo, low_in=False, high_in=False)
    low = Integer(0) if variable.is_nonnegative else -oo
    return Range(low, oo, low != -oo, high_in=False)


def _image(chart: Chart) -> Box | None:
    """The ranges of the variables of a chart; None if they are not found."""
    known: set[Symbol] = set()
    found: dict[Expr, Range] = {}
    for variable, value in sorted(chart.items(), key=lambda entry: len(entry[1].free_symbols)):
        own = value.free_symbols - known
        known |= own
        if len(own) > 1:
            return None
        reached = _values(value, own.pop()) if own else Range(value, value)
        if reached is None or (not value.free_symbols <= known):
            return None
        found[variable] = Range(
            _named(reached.low, chart), _named(reached.high, chart), reached.low_in, reached.high_in
        )
    return found


def _values(value: Expr, own: Symbol) -> Range | None:
    """The values of (a s + b)/(c s + d) for all positive, or nonnegative, s."""
    above, below = (Polynomial(part, own) for part in fraction(together(value)))
    if max(above.degree(), below.degree()) > 1 or not own.is_nonnegative:
        return None
    a, b, c, d = above.nth(1), above.nth(0), below.nth(1), below.nth(0)
    # Without a pole, and with a slope of one sign.
    if not sign_of(below.as_expr(), True) or d == 0:
        return None
    slope = sign_of(a * d - b * c, True)
    if not slope:
        return None
    first, last = b / d, slope * oo if c == 0 else a / c
    closed = not own.is_positive
    if slope > 0:
        return Range(first, last, closed, high_in=False)
    return Range(last, first, low_in=False, high_in=closed)


def _named(end: Any, chart: Chart) -> Any:
    """An end that is the value of a variable of the chart as that variable."""
    if end in (oo, -oo) or not end.free_symbols:
        return end
    for variable, value in chart.items():
        if simplify(value - end) == 0:
            return variable
    return end


def _cells(whole: Box, images: Iterable[Box]) -> Iterator[dict[Expr, Range]]:
    """The parts of a box between the ends of all images."""
    pieces = [list(_pieces(variable, part, images)) for variable, part in whole.items()]
    for chosen in product(*pieces):
        yield dict(zip(whole, chosen, strict=True))


def _pieces(variable: Expr, part: Range, images: Iterable[Box]) -> Iterator[Range]:
    reached = [image[variable] for image in images if variable in image]
    ends = {end for piece in (part, *reached) for end in (piece.low, piece.high)}
    if any(end.free_symbols for end in ends):
        yield part
        return
    order = sorted(ends)
    points = [Range(end, end) for end in order if end not in (oo, -oo)]
    between = [Range(low, high, False, False) for low, high in pairwise(order)]
    for piece in (*points, *between):
        if part.holds(piece) and not (variable.is_integer and _no_integer(piece)):
            yield piece


def _no_integer(piece: Range) -> bool:
    if piece.low == piece.high:
        return not piece.low.is_integer
    return bool(piece.high - piece.low <= 1 and piece.low.is_integer and piece.high.is_integer)


def _told(part: Range) -> str:
    left, right = "[" if part.low_in else "(", "]" if part.high_in else ")"
    return f"{left}{part.low}, {part.high}{right}"
