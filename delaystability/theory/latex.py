r"""Derivations as LaTeX: one compilable article, or fragments to \input."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from sympy import Basic

from delaystability.theory.checks import Status
from delaystability.theory.derivation import Derivation, Report, Step
from delaystability.theory.formula import formula_latex
from delaystability.theory.prose import LEMMA, Style, fill
from delaystability.theory.references import REFERENCES

__all__ = ["article", "section"]

_PREAMBLE = r"""\documentclass[11pt,a4paper]{article}
\usepackage[utf8]{inputenc}
\usepackage[margin=28mm]{geometry}
\usepackage{amsmath,amssymb,amsthm}
\usepackage[hidelinks]{hyperref}
\newtheorem{theorem}{Theorem}
\newtheorem{lemma}[theorem]{Lemma}
\theoremstyle{definition}
\newtheorem{definition}[theorem]{Definition}
\theoremstyle{remark}
\newtheorem*{remark}{Remark}
\newcommand{\status}[1]{\marginpar{\raggedleft\normalfont\scriptsize\sffamily #1}}
\reversemarginpar
\allowdisplaybreaks
"""

_SETTING = r"""\section{Delayed optimizers as linear filters}\label{sec:setting}
Asynchronous training applies gradients that were computed at earlier iterates. We ask which
minima such a run can stay in, following \cite{giladi2020}.

\begin{definition}[Delayed loop]\label{def:delayed-loop}
A linear optimizer with delay $\tau \in \{0, 1, 2, \dots\}$ and learning rate $\eta > 0$ computes,
from the gradients $g_t = \nabla f(w_{t-\tau})$,
\begin{equation}\label{eq:delayed-loop}
u_t = \sum_{j \ge 1} \phi_j u_{t-j} + \sum_{k \ge 0} \psi_k g_{t-k}, \qquad
w_{t+1} = w_t - \eta u_t .
\end{equation}
Its tables of coefficients are $\phi$ (feedback) and $\psi$ (feedforward). The delay counts the
updates between reading an iterate and applying its gradient: $\tau = 0$ is synchronous training.
\end{definition}

\begin{definition}[Gain and stability]\label{def:gain}
Near a minimum the loss is quadratic, and along an eigenvector of its Hessian with eigenvalue
$h > 0$ the loop is scalar. Its \emph{gain} is $a = \eta h$. With
\begin{equation}\label{eq:filter}
A(z) = 1 - \sum_{j \ge 1} \phi_j z^{-j}, \qquad B(z) = \sum_{k \ge 0} \psi_k z^{-k},
\end{equation}
the powers $w_t = z^t$, $z \neq 0$, solve the loop exactly if $z$ is a \emph{root} of the
characteristic equation
\begin{equation}\label{eq:characteristic}
(z - 1) A(z) + a z^{-\tau} B(z) = 0 .
\end{equation}
The loop is \emph{stable} if all roots lie in $|z| < 1$. A gain for which a root lies on the unit
circle, and that root, are called a \emph{crossing}.
\end{definition}

The largest eigenvalue of the Hessian is the \emph{sharpness} of the minimum. If the stable gains
are $0 < a < a_*$, the minimum is accessible exactly if its sharpness is below $a_*/\eta$; to keep
the accessible minima while delay or optimizer change, scale the learning rate with $a_*$. Learning
rates are those of the update \eqref{eq:delayed-loop}, without normalisation by the momentum.

Each displayed formula of a proof was checked by exact algebra, for every delay at once, in the
field of rational functions in $e^{i\theta/2}$, $e^{i\tau\theta/2}$ and the parameters. A word in
the margin says how a step is known: \emph{proved} by such a check, \emph{cited} from the
literature, \emph{deduced} in words from the steps that it names and tried by root finding on a
grid, or \emph{tested} on a grid only.
"""


def _escaped(text: str) -> str:
    written = {"&": r"\&", "%": r"\%", "#": r"\#", "–": "--", "O(1/k²)": "$O(1/k^2)$"}
    for plain, latex in written.items():
        text = text.replace(plain, latex)
    return text


def _style(name: str) -> Style:
    def display(expression: Basic | str) -> str:
        return f"\n\\[\n{formula_latex(expression)} .\n\\]\n"

    return Style(
        inline=lambda expression: f"${formula_latex(expression)}$",
        display=display,
        reference=lambda label: rf"\eqref{{eq:{name}-{label}}}",
        lemma=lambda: rf"Lemma~\ref{{lem:{LEMMA}}}",
        theorem=lambda key: rf"Theorem~\ref{{thm:{key}}}",
        cite=lambda key: rf"\cite{{{key}}}",
    )


def section(derivation: Derivation, report: Report | None = None) -> str:
    """Theorem and proof as a section, with labels such as ``thm:heavy-ball``.

    Checks the derivation, unless its ``report`` is at hand.
    """
    theorem, name = derivation.theorem, derivation.name
    style = _style(name)
    report = report or derivation.check()
    sources = ", ".join(theorem.sources)
    prefix = {"lemma": "lem", "theorem": "thm"}[theorem.kind]
    lines = [
        rf"\section{{{_escaped(theorem.title)}}}\label{{sec:{name}}}",
        rf"\begin{{{theorem.kind}}}[{_escaped(theorem.title)} \cite{{{sources}}}]",
        rf"\label{{{prefix}:{name}}}",
        _joined(fill(theorem.text, theorem.given, style)),
        rf"\end{{{theorem.kind}}}",
        r"\begin{proof}",
        *_paragraphs(derivation.steps, report, style, name),
        r"\end{proof}",
    ]
    return "\n".join(lines) + "\n"


def _joined(text: str) -> str:
    """A display in mid-text starts no new paragraph."""
    return re.sub(r"\n\\\]\n *", "\n\\\\]\n", text).strip()


def _paragraphs(steps: Iterable[Step], report: Report, style: Style, name: str) -> Iterable[str]:
    status = {result.label: result.status for result in report.results}
    for step in steps:
        mark = rf"\status{{{status[step.label].value}}}"
        text = fill(step.text, step.given, style)
        if step.claim is None:
            yield f"{text}{mark}\n"
            continue
        yield (
            f"{text}{mark}\n"
            f"\\begin{{equation}}\\label{{eq:{name}-{step.label}}}\n"
            f"{formula_latex(step.claim)} .\n"
            f"\\end{{equation}}"
        )
        if status[step.label] is Status.FAILED:
            yield r"\textbf{The check of this step failed.}"


def article(derivations: Sequence[Derivation], reports: Sequence[Report] = ()) -> str:
    """One self-contained article: definitions, the common lemma, theorems, proofs, references.

    The text is the same from run to run. A derivation is checked, unless its report is given.
    """
    from delaystability.theory.derive import derive

    named = {derivation.name: derivation for derivation in derivations}
    required = {name for derivation in derivations for name in derivation.requires} | {LEMMA}
    missing = [derive(name) for name in sorted(required - set(named))]
    # The lemma comes first, then what others rest on.
    parts = sorted([*missing, *derivations], key=lambda derivation: derivation.name != LEMMA)
    known = {report.name: report for report in reports}
    body = "\n".join(section(part, known.get(part.name)) for part in parts)
    cited = sorted(set(re.findall(r"\\cite\{([^}]*)\}", _SETTING + body)))
    keys = sorted({key.strip() for entry in cited for key in entry.split(",")})
    bibliography = "\n".join(rf"\bibitem{{{key}}} {_escaped(REFERENCES[key])}" for key in keys)
    title = (
        "Stability thresholds of delayed optimizers"
        if len(parts) > 2
        else f"{parts[-1].theorem.title}: the stability threshold"
    )
    return "\n".join(
        [
            _PREAMBLE,
            rf"\title{{{title}}}",
            r"\author{Derived and checked by \texttt{delaystability}}",
            r"\date{}",
            r"\begin{document}",
            r"\maketitle",
            _SETTING,
            body,
            rf"\begin{{thebibliography}}{{{len(keys)}}}",
            bibliography,
            r"\end{thebibliography}",
            r"\end{document}",
            "",
        ]
    )
