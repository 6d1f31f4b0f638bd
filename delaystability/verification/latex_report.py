"""The report in LaTeX: the verdict and the experiments before the article with all proofs."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from importlib.resources import files

from jinja2 import Environment, StrictUndefined

from delaystability.printing.article import article, tex_source
from delaystability.printing.bibliography import latex_escaped
from delaystability.validation.verdict import Outcome
from delaystability.verification.contents import BANNER, Contents, contents, enclosure, known
from delaystability.verification.verification import Verification

__all__ = ["latex_text", "report_tex"]

_TITLE = (
    r"Which minima can a delayed optimizer stay in?"
    r"\\[1ex] \large predicted, certified, measured"
)

_SYMBOLS = {
    "×": r"\times",
    "√": r"\surd",
    "∝": r"\propto",
    "≤": r"\le",
    "≥": r"\ge",
    "≈": r"\approx",
    "∞": r"\infty",
    "−": "-",
    "±": r"\pm",
    "·": r"\cdot",
    "→": r"\to",
    "<": "<",
    ">": ">",
    "|": "|",
    "²": "^2",
    "³": "^3",
}
_TEXT = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}


def latex_text(text: str) -> str:
    """Any plain text as LaTeX. A symbol that is not foreseen stands there by its Unicode name."""
    return "".join(map(_character, text))


def _character(character: str) -> str:
    if character in _SYMBOLS:
        return f"${_SYMBOLS[character]}$"
    if character in _TEXT:
        return _TEXT[character]
    named = unicodedata.name(character, hex(ord(character)))
    greek = re.fullmatch(r"GREEK (SMALL|CAPITAL) LETTER (\w+)", named)
    if greek:
        letter = greek[2].lower().replace("lamda", "lambda")
        return rf"$\{letter if greek[1] == 'SMALL' else letter.capitalize()}$"
    escaped = latex_escaped(character)
    if escaped != character or ord(character) < 256:  # Latin letters are read as UTF-8
        return escaped
    return f"[{named.lower()}]"


def report_tex(found: Verification) -> str:
    """LaTeX of the whole report, in the look of the article of the derivations.

    A predicted number refers to its theorem, whose proof follows in the same document.
    """
    shown = contents(found)
    return article(
        found.theorems,
        packages=_source("report_preamble.tex"),
        setting=_results(shown, tex_source("setting")),
        title=_TITLE,
        date=shown.provenance["date"][:10],
    )


def _source(name: str) -> str:
    return files("delaystability.verification").joinpath(name).read_text("utf-8")


def _results(shown: Contents, setting: str) -> str:
    """The verdict, the setting of the theory, the experiments and the certified thresholds."""
    environment = Environment(
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<<",
        variable_end_string=">>",
        comment_start_string="<#",
        comment_end_string="#>",
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    environment.filters |= {
        "significant": lambda value, digits=6: f"{value:.{digits}g}",
        "enclosure": enclosure,
        "text": latex_text,
        "code": _code,
        "breakable": _breakable,
        "cell": lambda text: _breakable(latex_text(text)),
        "counts": _counts,
        "known": _known,
        "outcome": _outcome,
    }
    template = environment.from_string(_source("report.tex"))
    found = shown.found
    return template.render(it=shown, found=found, banner=BANNER[found.outcome], setting=setting)


def _code(text: str) -> str:
    # Two hyphens would become a dash.
    return rf"\texttt{{{latex_text(text).replace('--', '-{}-')}}}"


def _breakable(text: str) -> str:
    """Long numbers and names may break anywhere sensible, as a ragged paragraph."""
    parts = re.sub(r"(\d{12})(?=\d)|(?<=\d)(?=\[)", r"\1\\allowbreak{}", text)
    return rf"\raggedright\arraybackslash {parts}"


def _counts(found: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {word}" for word, count in found.items() if count)


def _known(holds: bool, good: str, bad: str) -> str:
    return rf"\known{{{good}}}" if holds else rf"\failed{{{bad}}}"


def _outcome(outcome: Outcome) -> str:
    macro = {Outcome.HOLDS: "known", Outcome.UNDECIDED: "undecided"}.get(outcome, "failed")
    return rf"\{macro}{{{known(outcome)}}}"
