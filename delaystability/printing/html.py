"""Theorems and proofs as HTML with MathML, which browsers set without any script."""

from __future__ import annotations

import html as escaping
import re
from collections.abc import Sequence

from latex2mathml.converter import convert
from sympy import Basic

from delaystability.printing.bibliography import REFERENCES
from delaystability.printing.formal import lemmas_in_rocq
from delaystability.printing.formula import formula_latex
from delaystability.printing.typography import inline, tidy
from delaystability.theory.derivation import CheckedProof, Step, StepResult
from delaystability.theory.prose import Style, fill, punctuation_before
from delaystability.theory.registry import named, result_name

__all__ = ["mathml", "prior_art_html", "proof_html", "reference_html", "statement_html"]


_THIN_SPACE = '<mspace width="0.17em"/>'
_NAMES = "<mi>(?:sin|cos|tan|cot|log|exp|arctan|arg)</mi>"
# A function's name, with its power if it has one: MathML leaves no space beside it.
_FUNCTION = re.compile(rf"(<msup>{_NAMES}<mrow>.*?</mrow></msup>|{_NAMES}(?!<mrow>))")


# What MathML spaces and aligns otherwise than LaTeX: slashes, bars, and the columns of cases.
_SET_AS_IN_LATEX = (
    ("<mo>&#x0002F;</mo>", '<mo lspace="0" rspace="0">&#x0002F;</mo>'),
    ('<mo stretchy="false">&#x0007C;', '<mo stretchy="false" lspace="0" rspace="0">&#x0007C;'),
    ('columnalign="left"', 'style="text-align:left"'),
)


def mathml(latex: str, display: str) -> str:
    """A formula in LaTeX as MathML; ``display`` is ``"inline"`` or ``"block"``."""
    # Fixed sizes of brackets have no counterpart in MathML, where brackets grow by themselves.
    latex = re.sub(r"\\[bB]igg?[lr]|\\!", "", latex)
    latex = re.sub(r"([\^_])([A-Za-z0-9])", r"\1{\2}", latex)
    markup = str(convert(latex, display=display))
    for written, meant in _SET_AS_IN_LATEX:
        markup = markup.replace(written, meant)
    return _FUNCTION.sub(rf"{_THIN_SPACE}\1{_THIN_SPACE}", markup)


def _inline(expression: Basic | str) -> str:
    return mathml(inline(formula_latex(expression)), "inline")


def _block(expression: Basic | str, mark: str) -> str:
    return mathml(f"{tidy(formula_latex(expression))}{mark}", "block")


def _style(steps: Sequence[Step]) -> Style:
    numbers = {step.label: number for number, step in enumerate(steps, 1)}
    return Style(
        inline=_inline,
        display=lambda expression, mark: f"</p>{_block(expression, mark)}<p>",
        reference=lambda label: f"({numbers[label]})",
        theorem=_other,
        cite=lambda key: f'<a href="#{key}">[{key}]</a>',
        plain=lambda text: escaping.escape(text, quote=False),
    )


def _other(name: str, opening: bool) -> str:
    title = escaping.escape(named(name).theorem.title, quote=True)
    return f'<a href="#{name}" title="{title}">{result_name(name)}</a>'


def statement_html(entry: CheckedProof) -> str:
    """The theorem in paragraphs."""
    theorem = entry.theorem
    return f"<p>{fill(theorem.text, theorem.given, _style(entry.steps))}</p>"


def prior_art_html(entry: CheckedProof) -> str:
    """What was known before, as a paragraph, or nothing."""
    text = entry.theorem.prior_art
    return f"<p><i>Prior art.</i> {fill(text, {}, _style(entry.steps))}</p>" if text else ""


def proof_html(entry: CheckedProof) -> str:
    """The steps as a list, each with its status."""
    style = _style(entry.steps)
    status = {result.label: result for result in entry.report.results}
    following = [*(step.text for step in entry.steps[1:]), ""]
    rows = (
        _step(step, status[step.label], style, punctuation_before(text))
        for step, text in zip(entry.steps, following, strict=True)
    )
    return '<ol class="proof">' + "".join(rows) + "</ol>"


def _step(step: Step, result: StepResult, style: Style, mark: str) -> str:
    label, status, detail = result
    claim = _block(step.claim, mark) if step.claim is not None else ""
    title = escaping.escape(detail, quote=True)
    lemmas = f' <code class="rocq">{lemmas_in_rocq(step)}</code>' if step.rocq else ""
    return (
        f'<li data-step="{label}"><span class="status {status.value}" title="{title}">'
        f"{status.value}</span>{lemmas}<p>{fill(step.text, step.given, style)}</p>{claim}</li>"
    )


def reference_html(keys: list[str]) -> str:
    """The references as a list."""
    rows = (f'<li id="{key}">[{key}] {escaping.escape(REFERENCES[key])}</li>' for key in keys)
    return '<ul class="references">' + "".join(rows) + "</ul>"
