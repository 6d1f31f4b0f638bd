r"""The symbols of the theory as macros, so that a paper can change the notation in one place."""

from __future__ import annotations

import re

__all__ = ["in_notation"]

_MACROS = {
    "a_*": r"\threshold",
    "a_{*}": r"\threshold",
    r"\tau": r"\delay",
    r"\eta": r"\learningrate",
    "h": r"\curvature",
    "a": r"\gain",
    "m": r"\momentum",
}
# The threshold, words in a formula, commands, and letters.
_TOKEN = re.compile(
    r"a_(?:\{\*\}|\*)|\\(?:text|operatorname|mathrm|begin|end)\s*\{[^}]*\}|\\[A-Za-z]+|[A-Za-z]+"
)


def in_notation(latex: str) -> str:
    r"""The formula with ``\delay`` for the delay and so on, as ``macros.tex`` defines them."""

    def named(match: re.Match[str]) -> str:
        macro = _MACROS.get(match[0], match[0])
        letter_follows = latex[match.end() : match.end() + 1].isalpha()
        return f"{macro} " if letter_follows and macro != match[0] else macro

    return _TOKEN.sub(named, latex)
