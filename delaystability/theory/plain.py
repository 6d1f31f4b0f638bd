"""Derivations as plain text: prose on lines of 88 characters, formulas in two dimensions."""

from __future__ import annotations

import textwrap

from sympy import Basic

from delaystability.theory.derivation import Derivation, Report
from delaystability.theory.formula import formula_text
from delaystability.theory.prose import Style, capitalised, fill
from delaystability.theory.references import REFERENCES
from delaystability.theory.registry import named

__all__ = ["plain"]

_WIDTH = 88


def plain(derivation: Derivation, report: Report | None = None) -> str:
    """Theorem and numbered steps, each with the way in which it is known."""
    numbers = {step.label: number for number, step in enumerate(derivation.steps, 1)}
    style = Style(
        inline=lambda expression: formula_text(expression, inline=True),
        display=lambda expression, _: f"\n\n{_shifted(expression)}\n\n",
        reference=lambda label: f"({numbers[label]})",
        theorem=_other,
        cite=lambda key: f"[{key}]",
    )
    report = report or derivation.check()
    theorem = derivation.theorem
    heading = f"{theorem.title} ({theorem.kind}, {derivation.status_from(report)})"
    lines = [heading, "=" * len(heading), "", _wrapped(fill(theorem.text, theorem.given, style))]
    for step, result in zip(derivation.steps, report.results, strict=False):
        text = fill(step.text, step.given, style)
        lines += ["", _wrapped(f"({numbers[step.label]}) [{result.status.value}] {text}")]
        if step.claim is not None:
            lines += ["", _shifted(step.claim)]
    lines += ["", report.summary(), ""]
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
