"""Lines of source code: comments, files, and lines that are too long."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

__all__ = ["WIDTH", "commented", "folded", "hanging", "indented", "joined", "wrapped"]

WIDTH = 96


def wrapped(text: str, width: int = WIDTH - 8) -> list[str]:
    """Prose as lines."""
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)


def hanging(text: str) -> list[str]:
    """Prose as lines of which all but the first are indented."""
    first, *rest = wrapped(text, WIDTH - 12)
    return [first, *indented(rest)]


def indented(lines: Sequence[str], depth: int = 1) -> list[str]:
    """The lines four columns for each ``depth`` to the right."""
    return [textwrap.indent(line, "    " * depth) for line in lines]


def commented(prefix: str, lines: Sequence[str]) -> list[str]:
    """The lines behind a comment sign."""
    return [f"{prefix} {line}".rstrip() for line in lines]


def joined(*blocks: Sequence[str], gap: int = 1) -> str:
    """A file: blocks of lines, with ``gap`` empty lines between them."""
    return ("\n" * (gap + 1)).join("\n".join(block) for block in blocks if block) + "\n"


def folded(lines: Sequence[str], ending: str = "", *, depth: int = 0) -> list[str]:
    """The lines of code, those that are too long broken where the fewest brackets are open.

    Parameters
    ----------
    lines : sequence of str
    ending : str
        What marks a line that goes on.
    depth : int
        How many brackets must be open at a break.
    """
    result = []
    for line in lines:
        rest, indent = line.lstrip(), line[: len(line) - len(line.lstrip())]
        while len(indent + rest) > WIDTH:
            place = _best_break(rest, WIDTH - len(indent) - len(ending), depth)
            if not place:
                break
            result.append(indent + rest[:place] + ending)
            rest = f"    {rest[place + 1 :]}"
        result.append(indent + rest)
    return result


def _best_break(line: str, width: int, fewest: int) -> int:
    """Where to break: in as few brackets as possible, best after a comma, worst after an "="."""
    best, least, depth, quoted = 0, (99, 0), 0, ""
    for place, sign in enumerate(line[:width]):
        before = line[place - 1]
        if quoted or sign in "\"'`":
            quoted = "" if sign == quoted else quoted or sign
        elif sign in "([{":
            depth += 1
        elif sign in ")]}":
            depth -= 1
        elif sign == " " and place and depth >= fewest and before in ",+-*/<>=&|?:":
            after_sign = before in "=>" and line[place - 2] in " -"
            cost = (98, 0) if after_sign else (depth, before != ",")
            if cost <= least:
                best, least = place, cost
    return best
