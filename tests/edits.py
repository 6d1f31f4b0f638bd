"""Random edits of a text file, as a hostile or clumsy hand would make them."""

from __future__ import annotations

import re

import numpy as np

__all__ = ["edited"]

_TOKENS = re.compile(r"-?[0-9]+|[A-Za-z_]+|\S")
_INSERTS = (
    *("0", "-1", "1e999999999", "1/0", "9" * 5000, "10000000000000", "NaN", "null", "true", '"'),
    *("[", "]", "{", "}", ",", ":", "(", ")", "[" * 2000, "\x00", "\u0663", "\u2028", "3.5", "x"),
)


def edited(text: str, random: np.random.Generator) -> str:
    """The text with one to three changes of a character, a token, a piece or a line."""
    for _ in range(int(random.integers(1, 4))):
        text = _once(text, random)
    return text


def _once(text: str, random: np.random.Generator) -> str:
    kind = int(random.integers(0, 7))
    place = int(random.integers(0, len(text) + 1))
    if kind == 0:
        return text[:place] + chr(int(random.integers(32, 127))) + text[place + 1 :]
    if kind == 1:
        return text[:place] + text[place + int(random.integers(1, 20)) :]
    if kind == 2:
        return text[:place] + str(random.choice(_INSERTS)) + text[place:]
    if kind == 3:
        lines = text.split("\n")
        first, second = (int(random.integers(0, len(lines))) for _ in "12")
        lines[first], lines[second] = lines[second], lines[first]
        return "\n".join(lines)
    tokens = list(_TOKENS.finditer(text))
    if not tokens:
        return text + "0"
    token, other = (tokens[int(random.integers(0, len(tokens)))] for _ in "12")
    word = (str(random.choice(_INSERTS)), other[0], "")[kind - 4]
    return text[: token.start()] + word + text[token.end() :]
