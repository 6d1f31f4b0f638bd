"""Derivations as Markdown, with mathematics between dollars."""

from __future__ import annotations

import re

from delaystability.theory.derivation import Derivation, Report, Step
from delaystability.theory.formula import formula_latex
from delaystability.theory.prose import LEMMA, Style, fill
from delaystability.theory.references import REFERENCES

__all__ = ["markdown"]


def markdown(derivation: Derivation, report: Report | None = None) -> str:
    """Theorem, numbered steps with their status, and references."""
    numbers = {step.label: number for number, step in enumerate(derivation.steps, 1)}
    style = Style(
        inline=lambda expression: f"${formula_latex(expression)}$",
        display=lambda expression: f"\n\n$$\n{formula_latex(expression)}\n$$\n\n",
        reference=lambda label: f"({numbers[label]})",
        lemma=lambda: f"the lemma `{LEMMA}`",
        theorem=lambda key: f"the theorem `{key}`",
        cite=lambda key: f"[{key}]",
    )
    report = report or derivation.check()
    theorem = derivation.theorem
    status = {result.label: result.status.value for result in report.results}
    kind = theorem.kind.capitalize()
    parts = [
        f"## {theorem.title}",
        f"**{kind}** ({derivation.status_from(report)}).",
        fill(theorem.text, theorem.given, style).strip(),
        "**Proof.**",
        *(_step(step, numbers, status, style) for step in derivation.steps),
    ]
    text = "\n\n".join(parts)
    keys = sorted({*theorem.sources, *re.findall(r"\[([a-z]+\d{4})\]", text)})
    parts += ["**References**", "\n".join(f"- [{key}] {REFERENCES[key]}" for key in keys)]
    return re.sub(r"\n{3,}", "\n\n", re.sub(r"\n +", "\n", "\n\n".join(parts))) + "\n"


def _step(step: Step, numbers: dict[str, int], status: dict[str, str], style: Style) -> str:
    number, text = numbers[step.label], fill(step.text, step.given, style)
    line = f"({number}) *{status[step.label]}.* {text}"
    return line if step.claim is None else f"{line}\n\n$$\n{formula_latex(step.claim)}\n$$"
