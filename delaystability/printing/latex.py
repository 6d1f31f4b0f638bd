r"""A theorem and its proof in LaTeX, to stand in an article or to \input into another."""

from __future__ import annotations

import re

from sympy import Basic

from delaystability.printing.bibliography import latex_escaped
from delaystability.printing.domain import domain_latex
from delaystability.printing.formal import PARTS, formal_proof, lemmas_in_rocq, proved_in
from delaystability.printing.formula import formula_latex
from delaystability.printing.line_breaks import broken, width
from delaystability.printing.notation import in_notation
from delaystability.printing.typography import inline, tidy
from delaystability.theory.checks import Status
from delaystability.theory.derivation import CheckedProof, Proof, Step
from delaystability.theory.prose import Style, fill, punctuation_before

__all__ = ["display_formula", "fragment", "inline_formula"]

_LINE = 35.0
"""The width of a displayed formula beside its number, in ems."""

_UNBROKEN = 9.0
"""The width, in ems, from which a formula in running text may break before a root or bracket."""

_SHORT = 17.0
"""The width, in ems, up to which a claim of a short proof stays in the text."""


def inline_formula(expression: Basic | str) -> str:
    """A formula in running text, between dollars."""
    formula = inline(formula_latex(expression))
    if width(formula) > _UNBROKEN:
        formula = re.sub(r" (?=\\sqrt|\\left)", r" \\allowbreak", formula)
    return f"${in_notation(formula)}$"


def display_formula(expression: Basic | str) -> str:
    """A formula for a display, on several lines where it is wider than the page."""
    formula = broken(tidy(formula_latex(expression)), _LINE)
    if r"\dfrac" in formula:
        formula = formula.replace(r"\\", r"\\[2.4ex]")
    return in_notation(formula)


def fragment(entry: CheckedProof) -> str:
    """Theorem and proof, with labels such as ``thm:heavy-ball`` and ``eq:heavy-ball:modulus``.

    It needs the packages amsmath, amsthm and cleveref and the macros of ``macros.tex``.
    """
    style = _style(entry)
    return _statement(entry, style) + _proof(entry, style) + _prior_art(entry, style)


def _style(entry: CheckedProof) -> Style:
    name, theorem = entry.name, entry.theorem
    keys = {formula_latex(value): key for key, value in theorem.given.items()}

    def display(expression: Basic | str, mark: str) -> str:
        relation = expression == theorem.statement.relation
        suffix = "" if relation else f":statement-{keys[formula_latex(expression)]}"
        return "\n" + _equation(display_formula(expression), mark, f"eq:{name}{suffix}")

    return Style(
        inline=inline_formula,
        display=display,
        reference=lambda label: rf"\eqref{{eq:{name}:{label}}}",
        theorem=lambda key, opening: rf"\{'C' if opening else 'c'}ref{{thm:{key}}}",
        cite=lambda key: rf"\cite{{{key}}}",
        plain=_plain,
    )


def _plain(text: str) -> str:
    """Prose, with a proper minus sign before numbers."""
    return re.sub(r"(?<![\w-])-(?=\d)", "$-$", latex_escaped(text))


def _equation(body: str, mark: str, label: str = "") -> str:
    within = re.search(r"\s*\\end\{(?:cases|aligned)\}$", body)
    if within and mark[:1] in ".,;:":
        body = f"{body[: within.start()]} {mark[:1]}{within[0]}"
        mark = mark[1:]
    body = f"{body} {mark}".rstrip()
    if not label:
        return f"\\begin{{equation*}}\n{body}\n\\end{{equation*}}\n"
    return f"\\begin{{equation}}\\label{{{label}}}\n{body}\n\\end{{equation}}\n"


def _statement(entry: CheckedProof, style: Style) -> str:
    theorem = entry.theorem
    text = fill(theorem.text, theorem.given, style)
    sources = rf" {{\cite{{{', '.join(theorem.sources)}}}}}" if theorem.sources else ""
    return "\n".join(
        [
            rf"\begin{{{theorem.kind}}}[{latex_escaped(theorem.title)}{sources}]",
            rf"\label{{thm:{entry.name}}}\status{{{entry.status}}}",
            _tied(text),
            rf"\end{{{theorem.kind}}}",
            "",
        ]
    )


def _proof(entry: CheckedProof, style: Style) -> str:
    start = (
        "\\begin{proof}" if entry.complete else "\\begin{proof}[Derivation]\\let\\qedsymbol\\relax"
    )
    text = "".join(_paragraph(steps, entry, style) for steps in _paragraphs(entry.proof)).rstrip()
    if len(entry.report.results) > len(entry.steps):
        text += "\n\n\\textbf{The last step does not conclude what is stated.}"
    found = proved_in(entry.theorem)
    if found:
        name = found.name.replace("_", r"\_\allowbreak ")
        where = "" if formal_proof(entry.theorem) else f", for ${_part_domain(entry)}$"
        text += (
            f"\n\nProved in Rocq too{where}: \\texttt{{{name}}}, {found.file} line {found.line}."
        )
    return f"{start}\n{text}\n\\end{{proof}}\n"


def _part_domain(entry: CheckedProof) -> str:
    """The part of the domain on which it is proved in Rocq."""
    domain = next(domain for name, domain in PARTS.values() if name == entry.name)
    return in_notation(", ".join(domain_latex(domain)))


def _prior_art(entry: CheckedProof, style: Style) -> str:
    text = entry.theorem.prior_art
    return f"\n\\noindent\\emph{{Prior art.}} {fill(text, {}, style)}\n" if text else ""


def _paragraphs(proof: Proof) -> list[list[Step]]:
    """The steps by paragraph. One ends with a display, or before a step that opens a sentence."""
    paragraphs: list[list[Step]] = []
    running = False
    for step in proof.steps:
        if running and step.text[:1].islower():
            paragraphs[-1].append(step)
        else:
            paragraphs.append([step])
        running = step.claim is None or _stays_in_text(step, proof)
    return paragraphs


def _paragraph(steps: list[Step], entry: CheckedProof, style: Style) -> str:
    """The steps, with the words that say how they are known."""
    status = {result.label: result.status for result in entry.report.results}
    words = ", ".join(dict.fromkeys(status[step.label].value for step in steps))
    after = entry.steps.index(steps[-1]) + 1
    following = [*steps[1:], *entry.steps[after : after + 1]]
    texts = [
        _step(step, following[place].text if place < len(following) else "", entry, style)
        for place, step in enumerate(steps)
    ]
    if any(status[step.label] is Status.FAILED for step in steps):
        texts.append("\\textbf{The check of this step failed.}\n")
    ends_with_display = texts[-1].endswith("\\end{equation}\n")
    marks = rf"\status{{{words}}}{_lemmas(steps)}"
    return f"{marks}\n{''.join(texts)}" + ("" if ends_with_display else "\n\n")


def _lemmas(steps: list[Step]) -> str:
    """The lemmas in Rocq that prove the steps of a paragraph, for the other margin."""
    names = "; ".join(filter(None, map(lemmas_in_rocq, steps)))
    names = re.sub(r"(?<=[a-z])(?=[A-Z])", r"\\allowbreak ", names)
    names = names.replace("_", r"\_\allowbreak ")
    return rf"\rocq{{{names}}}" if names else ""


def _step(step: Step, following: str, entry: CheckedProof, style: Style) -> str:
    text = fill(step.text, step.given, style).strip()
    mark = punctuation_before(following)
    if step.claim is None:
        return f"{text}\n"
    if _stays_in_text(step, entry.proof):
        return f"{text}\n{inline_formula(step.claim)}{mark}\n"
    if _repeats(step, entry.proof):
        lead = "This proves " if text.endswith(".") else ""
        return rf"{text} {lead}\eqref{{eq:{entry.name}}}{mark}" + "\n"
    label = f"eq:{entry.name}:{step.label}"
    if step is entry.steps[-1]:
        label = "" if _displays_relation(entry.proof) else f"eq:{entry.name}"
        mark += r" \qedhere"
    return f"{_tied(text)}\n{_equation(display_formula(step.claim), mark, label)}"


def _tied(text: str) -> str:
    """The last word before a display stays with the one before, if it is short."""
    text = re.sub(r"\n +", "\n", text).strip()
    return re.sub(r"\s+(\w{1,4})\s*(\n\\begin\{equation|$)", r"~\1\2", text)


def _displays_relation(proof: Proof) -> bool:
    """Whether the theorem displays its relation, so that it has a number already."""
    theorem = proof.theorem
    shown = re.findall(r"\{display:([^}]*)\}", theorem.text)
    return any(theorem.given[key] == theorem.statement.relation for key in shown)


def _is_short(proof: Proof) -> bool:
    """Whether the proof is set in few lines."""
    return bool(proof.theorem.of) or len(proof.steps) <= 4


def _repeats(step: Step, proof: Proof) -> bool:
    """Whether a short proof ends with what its theorem displays already."""
    return (
        _is_short(proof)
        and step.claim == proof.theorem.statement.relation
        and _displays_relation(proof)
        and not _stays_in_text(step, proof)
    )


def _stays_in_text(step: Step, proof: Proof) -> bool:
    """Whether the proof and the claim are short and no other step refers to the claim."""
    if not _is_short(proof):
        return False
    field = f"{{ref:{step.label}}}"
    if any(field in other.text for other in proof.steps) or step.claim is None:
        return False
    if step.text.endswith("."):
        return False
    formula = inline(formula_latex(step.claim))
    return width(formula) <= _SHORT and r"\begin" not in formula
