r"""Formulas that are wider than a line, broken at relations and signs.

Widths are estimated in ems of Computer Modern, to about a tenth: enough to decide on a break.
"""

from __future__ import annotations

import re

from delaystability.printing.typography import Node, parse, written

__all__ = ["broken", "width"]

_RELATIONS = {"=", "<", ">", r"\le", r"\ge", r"\to", r"\in", r"\notin"}
_SIGNS = {"+", "-"}
_OPENING, _CLOSING = {"(", "["}, {")", "]"}
_WIDTHS = {
    **dict.fromkeys(_RELATIONS, 1.33),
    **dict.fromkeys(_SIGNS, 1.22),
    **dict.fromkeys((r"\sin", r"\log", r"\lim", r"\exp"), 1.35),
    **dict.fromkeys((r"\cos", r"\tan", r"\cot", r"\arg"), 1.5),
    **dict.fromkeys((r"\min", r"\max"), 1.7),
    **dict.fromkeys((r"\arctan", r"\arcsin", r"\arccos"), 2.9),
    **dict.fromkeys(("(", ")", "[", "]", "|", "'", "/", r"\lvert", r"\rvert"), 0.39),
    **dict.fromkeys((",", ".", ";", ":", "i", "j", "l"), 0.33),
    **dict.fromkeys((r"\left", r"\right"), 0.4),
    r"\,": 0.17,
    r"\quad": 1.0,
    r"\qquad": 2.0,
    **dict.fromkeys((r"\sum", r"\int"), 1.6),
    **dict.fromkeys(("m", "w"), 0.8),
    **dict.fromkeys((r"\infty", r"\dots", r"\cdots"), 1.1),
}
_LIMITS = {r"\sum", r"\lim"}
_NOTHING = {r"\!", r"\bigl", r"\bigr", r"\displaystyle", " ", "^", "_", "&", "{}"}


def width(latex: str) -> float:
    """The estimated width in ems."""
    return _width(parse(latex))


def _width(nodes: list[Node], *, small: bool = False) -> float:
    environment = next((i for i, node in enumerate(nodes) if node == r"\begin"), None)
    if environment is not None:
        return _with_environment(nodes, environment)
    total = 0.0
    position = 0
    while position < len(nodes):
        node = nodes[position]
        above, below = (_group(nodes, place) for place in (position + 1, position + 2))
        if node in (r"\frac", r"\tfrac", r"\dfrac"):
            total += max(_width(above), _width(below)) * (0.7 if node == r"\tfrac" else 1) + 0.3
            position += 2
        elif node == r"\sqrt":
            total += 0.85 + _width(above)
            position += 1
        elif node in (r"\text", r"\operatorname", r"\mathrm", r"\mathit"):
            total += 0.5 * len(written(above)) + 0.17
            position += 1
        elif node in ("^", "_"):
            scripts, position = _scripts(nodes, position)
            total += scripts
        else:
            total += _width(node) if isinstance(node, list) else _token_width(node, small)
        position += 1
    return total


def _scripts(nodes: list[Node], start: int) -> tuple[float, int]:
    """What an index and a power, one above the other, add to the width, and where they end."""
    widest, position = 0.0, start
    while position < len(nodes) and nodes[position] in ("^", "_"):
        widest = max(widest, 0.7 * _width(_group(nodes, position + 1), small=True) + 0.05)
        position += 2
    before = nodes[start - 1] if start else ""
    if isinstance(before, str) and before in _LIMITS:
        # Those of a sum stand above and below it.
        widest = max(0.0, widest - _WIDTHS[before])
    return widest, position - 1


def _group(nodes: list[Node], position: int) -> list[Node]:
    """The braced group at this place, a single token as a group, or nothing after the end."""
    if position >= len(nodes):
        return []
    node = nodes[position]
    return node if isinstance(node, list) else [node]


def _token_width(token: str, small: bool) -> float:
    if token in _NOTHING:
        return 0.0
    if token.isdigit():
        return 0.5 * len(token)
    if small and token in _RELATIONS | _SIGNS:
        return 0.78
    return _WIDTHS.get(token, 0.75 if token.isupper() else 0.55)


def _with_environment(nodes: list[Node], start: int) -> float:
    """Cases and the like: what stands before and after, and the widest row."""
    end = max(i for i, node in enumerate(nodes) if node == r"\end")
    rows = re.split(r"\\\\", written(nodes[start + 2 : end]))
    outside = _width([*nodes[:start], *nodes[end + 2 :]])
    return outside + 1.5 + max(_width(parse(row)) for row in rows)


def broken(latex: str, limit: float) -> str:
    r"""The formula on one line if it is no wider than ``limit`` ems, else in ``aligned`` lines.

    Lines begin with a relation or a sign. Where there is none outside brackets, the widest pair of
    plain brackets is opened.
    """
    nodes = parse(latex)
    if _width(nodes) <= limit or r"\begin" in nodes:
        return latex
    for depth in (0, 1, 2):
        pieces = _pieces(nodes, depth)
        if len(pieces) > 1:
            lines = _lines(pieces, limit)
            if len(lines) > 1 and max(map(_width, lines)) <= limit:
                break
    else:
        return latex
    head, first = _head(lines[0])
    rows = [f"{written(head).strip()} & {written(first).strip()}".strip()]
    for line in lines[1:]:
        indent = "" if head and line[0] in _RELATIONS else r"\quad {} "
        rows.append(f"& {indent}{written(line).strip()}")
    body = " \\\\\n".join(rows)
    return f"\\begin{{aligned}}\n{body}\n\\end{{aligned}}"


def _head(line: list[Node]) -> tuple[list[Node], list[Node]]:
    """The first line before its first relation, if it has one, and the rest."""
    for position, node in enumerate(line):
        if isinstance(node, str) and node in _RELATIONS:
            return line[:position], line[position:]
    return [], line


def _pieces(nodes: list[Node], allowed: int) -> list[list[Node]]:
    """Cut before relations, and before binary signs, in at most ``allowed`` plain brackets."""
    pieces: list[list[Node]] = [[]]
    depth = fixed = 0
    last: Node = "="
    for node in nodes:
        if isinstance(node, str):
            if node in _OPENING:
                depth += 1
            elif node in _CLOSING:
                depth -= 1
            fixed += (node == r"\left") - (node == r"\right")
            binary = node in _SIGNS and not (isinstance(last, str) and last in _BEFORE_UNARY)
            relation = node in _RELATIONS and depth == 0 and any(n != " " for n in pieces[-1])
            if fixed == 0 and (relation or (binary and depth <= allowed)):
                pieces.append([])
        pieces[-1].append(node)
        last = node if node != " " else last
    return pieces


_BEFORE_UNARY = _RELATIONS | _OPENING | _SIGNS | {",", "&"}


def _lines(pieces: list[list[Node]], limit: float) -> list[list[Node]]:
    """As many pieces on a line as fit, and as even as that allows."""
    lines: list[list[Node]] = [pieces[0]]
    for piece in pieces[1:]:
        if _width([*lines[-1], *piece]) <= limit:
            lines[-1] = [*lines[-1], *piece]
        else:
            lines.append(piece)
    return lines
