"""Two-dimensional text of long polynomials, on as many lines as they need."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

from sympy import Add, Basic, Eq, Expr, Symbol

__all__ = ["in_lines"]

_WIDEST = 100
_NOTHING = Symbol("")

Printed = Callable[[Basic], str]


def in_lines(expression: Basic, printed: Printed) -> str:
    """The expression, printed; an equation with a long polynomial on several lines.

    Parameters
    ----------
    expression : Basic
        Broken if it is an equation, one side of which is a long polynomial in one symbol.
    printed : callable
        Prints an expression with its terms in the order in which they are written.
    """
    text = printed(expression)
    if not isinstance(expression, Eq) or _width(text) <= _WIDEST:
        return text
    left, right = expression.args
    if _is_long(right):
        margin = _width(printed(left)) + 2
        first, *rest = _chunks(right, _WIDEST - margin - 1, printed)
        lines = [printed(Eq(left, _sum(first), evaluate=False))]
        lines += [_continued(chunk, margin, printed) for chunk in rest]
    elif _is_long(left):
        first, *rest, last = _chunks(left, _WIDEST, printed)
        lines = [printed(_sum(first)), *(_continued(chunk, 1, printed) for chunk in rest)]
        end = printed(Eq(_sum([_NOTHING, *last]), right, evaluate=False))
        lines.append(textwrap.indent(end, " "))
    else:
        return text
    return "\n".join(lines)


def _continued(chunk: list[Expr], margin: int, printed: Printed) -> str:
    """A line that begins with the sign of its first term."""
    return textwrap.indent(printed(_sum([_NOTHING, *chunk])), margin * " ")


def _is_long(side: Expr) -> bool:
    return (
        isinstance(side, Add)
        and len(side.args) > 2
        and len(side.free_symbols) == 1
        and bool(side.is_polynomial(*side.free_symbols))
    )


def _chunks(total: Add, width: int, printed: Printed) -> list[list[Expr]]:
    """The terms, as many in each chunk as fit."""
    chunks: list[list[Expr]] = [[]]
    for term in total.args:
        if chunks[-1] and _width(printed(_sum([*chunks[-1], term]))) > width:
            chunks.append([])
        chunks[-1].append(term)
    return chunks


def _sum(terms: list[Expr]) -> Expr:
    return Add(*terms, evaluate=False) if len(terms) > 1 else terms[0]


def _width(text: str) -> int:
    return max(map(len, text.splitlines()))
