r"""Formulas of LaTeX on one line of Unicode, such as ``u_t = (w_t - w_(t + 1))/η``."""

from __future__ import annotations

import re

from sympy.printing.pretty.pretty_symbology import greek_unicode

from delaystability.printing.typography import Node, inline, parse

__all__ = ["unicode_line"]

_SYMBOLS = {
    **{name.replace("lamda", "lambda"): letter for name, letter in greek_unicode.items()},
    "varepsilon": "ε",
    "varphi": "φ",
    "ell": "ℓ",
    "infty": "∞",
    "sum": "Σ",
    "int": "∫",
    "le": "≤",
    "leq": "≤",
    "ge": "≥",
    "geq": "≥",
    "ne": "≠",
    "neq": "≠",
    "sim": "~",
    "in": "∈",
    "notin": "∉",
    "to": "→",
    "cdot": "·",
    "times": "×",
    "pm": "±",
    "approx": "≈",
    **dict.fromkeys(("dots", "ldots", "cdots"), "…"),
    "lvert": "|",
    "rvert": "|",
    "lfloor": "⌊",
    "rfloor": "⌋",
    "quad": " ",
    "qquad": " ",
    **dict.fromkeys(("left", "right", "bigl", "bigr", "Bigl", "Bigr"), ""),
    **dict.fromkeys(("limits", "displaystyle"), ""),
}
_FRACTIONS = {r"\frac", r"\tfrac", r"\dfrac"}
_WORDS = {r"\text", r"\operatorname", r"\mathrm", r"\mathbb", r"\mathit"}

_TIDY = (
    (r" {2,}", " "),
    (r"(?<=[(\[]) | (?=[)\],.;])", ""),
    # No blank between a function and what belongs to it, nor after a leading minus sign.
    (r"\b(arctan|arcsin|arccos|sin|cos|tan|cot|log|exp|lim|min|max) (?=[(^_])", r"\1"),
    (r"(^|[(=<>≤≥,/] ?)- (?=\S)", r"\1-"),
)


def unicode_line(latex: str) -> str:
    """The formula in Unicode on one line, with brackets where LaTeX has braces."""
    text = _text(parse(inline(latex)))
    for pattern, replacement in _TIDY:
        text = re.sub(pattern, replacement, text)
    return text.strip()


def _text(nodes: list[Node]) -> str:
    parts: list[str] = []
    rest = iter(nodes)
    for node in rest:
        if isinstance(node, list):
            parts.append(_text(node))
        elif node in _FRACTIONS:
            above, below = _argument(next(rest, "")), _argument(next(rest, ""))
            parts.append(f"{_bracketed(above)}/{_bracketed(below)}")
        elif node == r"\sqrt":
            parts.append("√" + _bracketed(_argument(next(rest, "")), r"[^\W_]"))
        elif node in ("^", "_"):
            script = _argument(next((n for n in rest if n != " "), ""))
            parts.append(f"{node}{_bracketed(script)}")
        elif node in _WORDS:
            parts.append(_argument(next(rest, "")))
        elif node.startswith("\\"):
            parts.append(_command(node[1:]))
        else:
            parts.append(node)
    return "".join(parts)


def _argument(node: Node) -> str:
    return _text(node if isinstance(node, list) else [node]).strip()


def _bracketed(text: str, plain: str = r"-?[^\W_]+(?:_\w+)?'?|\*|[+-]") -> str:
    """The text, in brackets unless it is one number or symbol."""
    return text if re.fullmatch(plain, text) else f"({text})"


def _command(name: str) -> str:
    if name in _SYMBOLS:
        return _SYMBOLS[name]
    if name.isalpha():
        return f"{name} "
    return name if name in "{}" else " "
