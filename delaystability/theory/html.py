"""Derivations as HTML with MathML, which browsers set without any script."""

from __future__ import annotations

import html as escaping
import re

from latex2mathml.converter import convert
from sympy import Basic

from delaystability.theory.derivation import Derivation, Report, Step, StepResult
from delaystability.theory.formula import formula_latex
from delaystability.theory.prose import Style, fill
from delaystability.theory.references import REFERENCES

__all__ = ["proof_html", "reference_html", "statement_html"]


_THIN_SPACE = '<mspace width="0.17em"/>'
_NAMES = "<mi>(?:sin|cos|tan|log|arg)</mi>"
# A function's name, with its power if it has one: MathML leaves no space beside it.
_FUNCTION = re.compile(rf"(<msup>{_NAMES}<mrow>.*?</mrow></msup>|{_NAMES}(?!<mrow>))")


def _math(expression: Basic | str, display: str) -> str:
    # Fixed sizes of brackets have no counterpart in MathML, where brackets grow by themselves.
    latex = re.sub(r"\\bigl|\\bigr", "", formula_latex(expression))
    return _FUNCTION.sub(rf"{_THIN_SPACE}\1{_THIN_SPACE}", str(convert(latex, display=display)))


def _style(derivation: Derivation) -> Style:
    numbers = {step.label: number for number, step in enumerate(derivation.steps, 1)}
    return Style(
        inline=lambda expression: _math(expression, "inline"),
        display=lambda expression: f"</p>{_math(expression, 'block')}<p>",
        reference=lambda label: f"({numbers[label]})",
        lemma=lambda: '<a href="#delayed-loop">the lemma on crossings</a>',
        theorem=lambda key: f'<a href="#{key}">the theorem on {key.replace("-", " ")}</a>',
        cite=lambda key: f'<a href="#{key}">[{key}]</a>',
    )


def statement_html(derivation: Derivation) -> str:
    """The theorem in paragraphs."""
    theorem = derivation.theorem
    return f"<p>{fill(theorem.text, theorem.given, _style(derivation))}</p>"


def proof_html(derivation: Derivation, report: Report) -> str:
    """The steps as a list, each with its status."""
    style = _style(derivation)
    status = {result.label: result for result in report.results}
    rows = (_step(step, status[step.label], style) for step in derivation.steps)
    return '<ol class="proof">' + "".join(rows) + "</ol>"


def _step(step: Step, result: StepResult, style: Style) -> str:
    label, status, detail = result
    claim = _math(step.claim, "block") if step.claim is not None else ""
    title = escaping.escape(detail, quote=True)
    return (
        f'<li data-step="{label}"><span class="status {status.value}" title="{title}">'
        f"{status.value}</span><p>{fill(step.text, step.given, style)}</p>{claim}</li>"
    )


def reference_html(keys: list[str]) -> str:
    """The references as a list."""
    rows = (f'<li id="{key}">[{key}] {escaping.escape(REFERENCES[key])}</li>' for key in keys)
    return '<ul class="references">' + "".join(rows) + "</ul>"
