"""Theorems and proofs as plain text: lines of 88 characters, formulas in two dimensions."""

from __future__ import annotations

import textwrap

from sympy import Basic

from delaystability.printing.bibliography import REFERENCES
from delaystability.printing.formal import known_by, lemmas_in_rocq
from delaystability.printing.formula import formula_text
from delaystability.theory.derivation import CheckedProof
from delaystability.theory.prose import Style, capitalised, fill
from delaystability.theory.registry import named, result_name

__all__ = ["plain"]

_WIDTH = 88


def plain(entry: CheckedProof) -> str:
    """Theorem and numbered steps, each with the way in which it is known."""
    numbers = {step.label: number for number, step in enumerate(entry.steps, 1)}
    style = Style(
        inline=lambda expression: formula_text(expression, inline=True),
        display=lambda expression, _: f"\n\n{_shifted(expression)}\n\n",
        reference=lambda label: f"({numbers[label]})",
        theorem=_other,
        cite=lambda key: f"[{key}]",
    )
    theorem = entry.theorem
    called = result_name(entry.name)
    heading = f"{theorem.title} ({called[:1].lower()}{called[1:]}, {known_by(entry)})"
    if not called:
        heading = f"{theorem.title} ({theorem.kind}, {known_by(entry)})"
    lines = [heading, "=" * len(heading), "", _wrapped(fill(theorem.text, theorem.given, style))]
    if theorem.prior_art:
        lines += ["", _wrapped(f"Prior art. {fill(theorem.prior_art, {}, style)}")]
    for step, result in zip(entry.steps, entry.report.results, strict=False):
        text = fill(step.text, step.given, style)
        known = "; ".join([result.status.value, *filter(None, [lemmas_in_rocq(step)])])
        lines += ["", _wrapped(f"({numbers[step.label]}) [{known}] {text}")]
        if step.claim is not None:
            lines += ["", _shifted(step.claim)]
    lines += ["", entry.report.summary(), ""]
    lines += [_wrapped(f"[{key}] {REFERENCES[key]}") for key in theorem.sources]
    return "\n".join(lines) + "\n"


def _other(name: str, opening: bool) -> str:
    return capitalised(f"the {named(name).theorem.kind} {name!r}", opening)


def _shifted(expression: Basic | str) -> str:
    lines = formula_text(expression, inline=False).splitlines()
    return textwrap.indent("\n".join(line.rstrip() for line in lines), "        ")


def _wrapped(text: str) -> str:
    """Every paragraph of prose filled; displayed formulas, which are indented, left alone."""
    paragraphs = text.split("\n\n")
    return "\n\n".join(
        part if part.startswith("    ") else textwrap.fill(part.strip(), _WIDTH)
        for part in paragraphs
        if part.strip()
    )
