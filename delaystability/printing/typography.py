r"""LaTeX formulas as a typographer sets them: brackets that fit, slashed fractions in running text.

All functions take and return LaTeX without dollars.
"""

from __future__ import annotations

import re
from collections.abc import Container
from typing import Literal

__all__ = ["Node", "inline", "parse", "tidy", "written"]

Node = str | list["Node"]
"""A token, or the content of a pair of braces."""

Place = Literal["display", "rows", "running", "raised"]
"""Where a formula stands: in a display, in its cases, in running text, or in an exponent."""

_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|\s+|\d+|.", re.DOTALL)
_FUNCTIONS = {r"\sin", r"\cos", r"\tan", r"\cot", r"\log", r"\exp"}
_TALL = {r"\frac", r"\dfrac", r"\sum", r"\sqrt", r"\begin", r"\int", r"\lim", r"\binom"}
_SIZES = {r"\bigl", r"\bigr", r"\Bigl", r"\Bigr"}
_OPENING, _CLOSING = {"(", "["}, {")", "]"}
_BRACKETS = _OPENING | _CLOSING
_ENDS = {"+", "-", "=", "<", ">", ")", "]", ",", ".", ";", "&", r"\right", r"\\"}
_ENDS |= {
    r"\le",
    r"\ge",
    r"\leq",
    r"\geq",
    r"\neq",
    r"\to",
    r"\notin",
    r"\quad",
    r"\qquad",
    r"\in",
    r"\rbrace",
    r"\}",
    r"\bigr",
}


def parse(latex: str) -> list[Node]:
    """The tokens, with a list for every pair of braces; white space is one blank.

    Raises
    ------
    ValueError
        If braces do not match.
    """
    stack: list[list[Node]] = [[]]
    for token in _TOKEN.findall(latex):
        if token == "{":
            stack.append([])
        elif token == "}":
            group = stack.pop()
            if not stack:
                raise ValueError(f"braces do not match in {latex!r}")
            stack[-1].append(group)
        else:
            stack[-1].append(" " if token.isspace() else token)
    if len(stack) != 1:
        raise ValueError(f"braces do not match in {latex!r}")
    return stack[0]


def written(nodes: list[Node]) -> str:
    """The LaTeX of the nodes."""
    parts: list[str] = []
    for node in nodes:
        text = "{" + written(node) + "}" if isinstance(node, list) else node
        if parts and text[:1].isalpha() and re.fullmatch(r"\\[A-Za-z]+", parts[-1]):
            parts.append(" ")
        parts.append(text)
    return "".join(parts)


def _is(node: Node, tokens: Container[str]) -> bool:
    return isinstance(node, str) and node in tokens


def tidy(latex: str) -> str:
    """The formula with brackets as tall as what they hold, and slashed fractions in exponents."""
    return written(_fitted(_slashed(_unfitted(_parsed(latex)), "display")))


def inline(latex: str) -> str:
    r"""The formula for running text: as `tidy`, and ``a/b`` for fractions where that is clear."""
    nodes = _parsed(latex.replace(r"\limits", ""))
    return written(_fitted(_slashed(_unfitted(nodes), "running")))


def _parsed(latex: str) -> list[Node]:
    """The tokens, with words in indices set upright."""
    latex = re.sub(r"_\{(max|min)\}", r"_{\\\1}", latex)
    return parse(re.sub(r"_\{([A-Z]{2,})\}", r"_{\\mathrm{\1}}", latex))


def _unfitted(nodes: list[Node]) -> list[Node]:
    r"""Without ``\left`` and ``\right`` at brackets that `_fitted` puts where they are needed."""
    result: list[Node] = []
    for position, node in enumerate(nodes):
        following = nodes[position + 1] if position + 1 < len(nodes) else ""
        if node in (r"\left", r"\right") and _is(following, _BRACKETS):
            continue
        if node == " " and result and result[-1] == " ":
            continue
        result.append(_unfitted(node) if isinstance(node, list) else node)
    return result


def _fitted(nodes: list[Node]) -> list[Node]:
    r"""With ``\left`` and ``\right`` at brackets around what is tall."""
    result: list[Node] = []
    position = 0
    while position < len(nodes):
        node = nodes[position]
        sized = bool(result) and _is(result[-1], _SIZES)
        end = _closing(nodes, position) if _is(node, _OPENING) and not sized else None
        if end is None:
            result.append(_fitted(node) if isinstance(node, list) else node)
            position += 1
            continue
        content = _fitted(nodes[position + 1 : end])
        if _tall(content):
            # TeX sets such brackets apart; those of a function belong to its name.
            called = bool(result) and isinstance(result[-1], str) and result[-1][-1:].isalpha()
            result += [r"\!"] if called else []
            result += [r"\left", node, *content, r"\right", nodes[end]]
        else:
            result += [node, *content, nodes[end]]
        position = end + 1
    return result


def _closing(nodes: list[Node], start: int) -> int | None:
    """Where the bracket that opens at ``start`` closes, if it does on the same level of braces.

    An interval may close with the other kind of bracket.
    """
    depth = 0
    for position in range(start, len(nodes)):
        if _is(nodes[position], _OPENING):
            depth += 1
        elif _is(nodes[position], _CLOSING):
            depth -= 1
            if depth == 0:
                return position
    return None


def _tall(nodes: list[Node]) -> bool:
    """Whether plain brackets are too low; exponents and small fractions do not count."""
    raised = False
    for node in nodes:
        if isinstance(node, str):
            if node in _TALL:
                return True
            raised = node in ("^", "_") or (raised and node == " ")
        else:
            if not raised and _tall(node):
                return True
            raised = False
    return False


def _slashed(nodes: list[Node], place: Place) -> list[Node]:
    """With fractions as quotients on one line, as far as the place asks for it."""
    result: list[Node] = []
    position = rows = 0
    while position < len(nodes):
        node = nodes[position]
        here: Place = "rows" if rows > 0 and place == "display" else place
        if isinstance(node, list):
            raised = next((n for n in reversed(result) if n != " "), "") in ("^", "_")
            result.append(_slashed(node, "raised" if raised else here))
        elif node == r"\frac" and position + 2 < len(nodes):
            inside: Place = "raised" if place == "raised" else "running"
            parts = [
                _slashed(part if isinstance(part, list) else [part], inside)
                for part in nodes[position + 1 : position + 3]
            ]
            position += 2
            following = next((n for n in nodes[position + 1 :] if n != " "), "")
            result += _quotient(parts[0], parts[1], result, following, here)
        else:
            rows += (node == r"\begin") - (node == r"\end")
            result.append(node)
        position += 1
    return result


def _quotient(
    above: list[Node], below: list[Node], before: list[Node], following: Node, place: Place
) -> list[Node]:
    """The fraction on one line where the place asks for it and that is not misread."""
    quotient = [*_factor(above, several=True), "/", *_factor(below, several=False)]
    if _after_function(before) and place != "display":
        return ["(", *quotient, ")"]
    numbers = all(re.fullmatch(r"\d+", written(part)) for part in (above, below))
    if numbers and place in ("rows", "running"):
        return [r"\tfrac", above, below]
    if place in ("display", "rows"):
        return [r"\frac" if place == "display" else r"\dfrac", above, below]
    if following == "" or _is(following, _ENDS):
        return quotient
    return [r"\frac", above, below]


def _after_function(before: list[Node]) -> bool:
    """Whether the argument of a sine or the like follows, perhaps after its power."""
    nodes = [node for node in before if node != " "]
    if len(nodes) >= 3 and nodes[-2] == "^":
        nodes = nodes[:-2]
    return bool(nodes) and _is(nodes[-1], _FUNCTIONS)


def _factor(nodes: list[Node], *, several: bool) -> list[Node]:
    """The nodes, in brackets where a slash beside them would be misread."""
    depth = factors = 0
    last: Node = ""
    for position, node in enumerate(nodes):
        if _is(node, _OPENING):
            # Brackets directly after a letter hold the argument of a function.
            before = nodes[position - 1] if position else ""
            factors += depth == 0 and not (isinstance(before, str) and before[-1:].isalpha())
            depth += 1
        elif _is(node, _CLOSING):
            depth -= 1
        elif depth == 0 and node != " ":
            if node in ("+", "-") and last != "":
                return ["(", *nodes, ")"]
            factors += node not in ("^", "_", "'", "-") and last not in ("^", "_")
        last = node if node != " " else last
    first = next((node for node in nodes if node != " "), "")
    if _is(first, _FUNCTIONS) and sum(_is(node, _FUNCTIONS) for node in nodes) == 1:
        return nodes
    return nodes if several or factors <= 1 else ["(", *nodes, ")"]
