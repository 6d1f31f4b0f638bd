"""Theorems and derivations in a notebook: displays that MathJax sets without any package."""

from __future__ import annotations

from sympy import Eq

from delaystability.theory.derivation import Derivation, Theorem
from delaystability.theory.formula import formula_latex
from delaystability.theory.summary import domain_latex
from delaystability.theory.typography import tidy

__all__ = ["derivation_displays", "theorem_displays"]


def theorem_displays(theorem: Theorem) -> str:
    """What the theorem claims, with its domain, and the equations of the symbols in it."""
    statement = theorem.statement
    claim = [formula_latex(statement.relation), *domain_latex(statement.domain)]
    rows = [r" \qquad ".join(claim)]
    rows += [formula_latex(Eq(*pair, evaluate=False)) for pair in statement.definitions]
    rows += [
        rf"{formula_latex(root.equation)} \qquad 0 < {formula_latex(root.symbol)} "
        rf"\le {formula_latex(root.upper)}"
        for root in statement.roots
    ]
    return "\n\n".join(map(_display, rows))


def derivation_displays(derivation: Derivation) -> str:
    """The theorem, and the claims of its steps with their numbers and how they are known."""
    status = {result.label: result.status.value for result in derivation.check().results}
    rows = [
        rf"{formula_latex(step.claim)} \qquad \text{{({number}, {status[step.label]})}}"
        for number, step in enumerate(derivation.steps, 1)
        if step.claim is not None
    ]
    return "\n\n".join([theorem_displays(derivation.theorem), *map(_display, rows)])


def _display(latex: str) -> str:
    return f"$$\n{tidy(latex)}\n$$"
