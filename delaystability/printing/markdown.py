r"""Theorems and proofs as Markdown, with mathematics between dollars.

It is written to be read by GitHub, by Jupyter and by others that know dollars: displays stand
between blank lines, and formulas hold no backslash before a sign of punctuation, no asterisk and no
bar, which Markdown or its tables would take for their own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from sympy import Basic

from delaystability.printing.bibliography import REFERENCES
from delaystability.printing.domain import domain_latex
from delaystability.printing.formal import known_by, lemmas_in_rocq
from delaystability.printing.formula import formula_latex
from delaystability.printing.line_breaks import width
from delaystability.printing.typography import inline, tidy
from delaystability.theory.derivation import CheckedProof
from delaystability.theory.prose import Style, capitalised, fill, punctuation_before
from delaystability.theory.registry import named, result_name
from delaystability.theory.statement import Statement

__all__ = [
    "cited_in",
    "claim_markdown",
    "inline_markdown",
    "markdown",
    "prior_art_markdown",
    "proof_markdown",
    "references_markdown",
    "statement_markdown",
]

_WIDEST = 24.0
"""The width, in ems, of the widest claim in a table."""

Linked = Callable[[str, bool], str]
"""How to refer to another theorem, from its name and whether a sentence begins there."""

_SAFE = (
    (r"\\[bB]igg?[lr]", ""),
    (r"\\[!,;:]", " "),
    (r"\\\{", r"\\lbrace "),
    (r"\\\}", r"\\rbrace "),
    (r"\\\\", r"\\cr "),
    (r"\|([^|]*)\|", r"\\lvert \1 \\rvert "),
    (r"\*", r"\\ast "),
    (r" {2,}", " "),
    (r" ([)\]])", r"\1"),
    # A line that begins with a sign and a blank would be an item of a list.
    (r"^([-+]) ", r"\1"),
)


def _named(name: str, opening: bool) -> str:
    return capitalised(f"the {named(name).theorem.kind} `{name}`", opening)


def _safe(latex: str) -> str:
    for pattern, replacement in _SAFE:
        latex = re.sub(pattern, replacement, latex)
    return latex.strip()


def inline_markdown(expression: Basic | str) -> str:
    """A formula in running text."""
    return f"${_safe(inline(formula_latex(expression)))}$"


def _display(expression: Basic | str, mark: str) -> str:
    formula = _safe(tidy(formula_latex(expression)))
    return f"\n\n$$\n{formula}{' ' if mark else ''}{mark}\n$$\n\n"


def _style(numbers: dict[str, int], linked: Linked) -> Style:
    return Style(
        inline=inline_markdown,
        display=_display,
        reference=lambda label: f"({numbers[label]})",
        theorem=linked,
        cite=lambda key: f"[{key}]",
    )


def _clean(parts: Iterable[str]) -> str:
    text = re.sub(r" *\n *", "\n", "\n\n".join(parts))
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def statement_markdown(entry: CheckedProof, linked: Linked = _named) -> str:
    """The theorem after its kind and, in brackets, its status."""
    theorem = entry.theorem
    head = f"**{result_name(entry.name) or theorem.kind.capitalize()}** ({known_by(entry)})."
    return _clean([f"{head} {fill(theorem.text, theorem.given, _style({}, linked))}"])


def prior_art_markdown(entry: CheckedProof, linked: Linked = _named) -> list[str]:
    """What was known before, as a paragraph, or none."""
    text = entry.theorem.prior_art
    return [_clean([f"*Prior art.* {fill(text, {}, _style({}, linked))}"])] if text else []


def claim_markdown(statement: Statement, *, everything: bool = False) -> tuple[str, str]:
    """For a table: what is claimed, unless it is too wide and not ``everything`` is to be told."""
    formula = inline(formula_latex(statement.relation))
    shown = everything or (width(formula) <= _WIDEST and r"\begin" not in formula)
    claim = inline_markdown(statement.relation) if shown else "see there"
    return claim, ", ".join(map(inline_markdown, domain_latex(statement.domain)))


def proof_markdown(entry: CheckedProof, linked: Linked = _named) -> str:
    """The numbered steps, each with the word that says how it is known."""
    steps = entry.steps
    style = _style({step.label: number for number, step in enumerate(steps, 1)}, linked)
    status = {result.label: result.status.value for result in entry.report.results}
    parts = []
    for number, (step, following) in enumerate(zip(steps, [*steps[1:], None], strict=True), 1):
        lemmas = f"[`{lemmas_in_rocq(step)}`] " if step.rocq else ""
        text = fill(step.text, step.given, style)
        parts.append(f"({number}) *{status[step.label]}.* {lemmas}{text}")
        if step.claim is not None:
            mark = punctuation_before(following.text if following is not None else "")
            parts.append(_display(step.claim, mark))
    if len(entry.report.results) > len(steps):
        parts.append("**The last step does not conclude what is stated.**")
    return _clean(parts)


def cited_in(text: str, *more: str) -> list[str]:
    """The keys of the references that the text cites, and ``more``, in alphabetical order."""
    return sorted({*more, *re.findall(r"\[([a-z]+\d{4})\]", text)})


def references_markdown(keys: Iterable[str]) -> str:
    """The references as a list."""
    return "\n".join(f"- [{key}] {REFERENCES[key]}" for key in keys)


def markdown(entry: CheckedProof) -> str:
    """Theorem, proof and references."""
    text = _clean(
        [
            f"## {entry.theorem.title}",
            statement_markdown(entry),
            *prior_art_markdown(entry),
            "**Proof.**" if entry.complete else "**Derivation.**",
            proof_markdown(entry),
        ]
    )
    keys = cited_in(text, *entry.theorem.sources)
    return _clean([text, "**References**", references_markdown(keys)]) + "\n"
