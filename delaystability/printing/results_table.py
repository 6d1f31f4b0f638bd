"""The results as a table in LaTeX: the numbered ones on one page, what belongs to them after it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from delaystability.printing.bibliography import latex_escaped
from delaystability.printing.collection import Chapter
from delaystability.printing.domain import domain_latex
from delaystability.printing.formal import formal_proof, proved_in
from delaystability.printing.formula import formula_latex
from delaystability.printing.latex import inline_formula
from delaystability.printing.line_breaks import broken, width
from delaystability.printing.notation import in_notation
from delaystability.printing.typography import inline
from delaystability.theory.derivation import CheckedProof

__all__ = ["other_results", "results_page"]

_CLAIM = 22.5
"""The width, in ems, of the column of claims; what is wider is set on several lines."""

_WIDEST = 15.3
"""The width, in ems, of the widest claim in the table of corollaries, remarks and examples."""

_WIDEST_DOMAIN = 8.5
"""The same for a condition of the domain, in both tables."""

_PAGE = r"""\newgeometry{hmargin=9mm,top=9mm,bottom=14mm}
\section{The results on one page}\label{sec:results}
{\footnotesize\noindent Every theorem and lemma: what it claims, where (for every delay and all
parameters, if nothing is said), how it is known, and, in the last column, the line of
\texttt{formal/Theorems.v} on which its proof in Rocq begins (with a star: on a part of the domain).
Symbols that a claim does not explain are defined in its theorem. \Cref{sec:others} lists what
belongs to them.\par}
\vspace{0.8ex}
{\scriptsize\setlength{\tabcolsep}{2pt}\renewcommand{\arraystretch}{0.94}\noindent
\begin{tabular}{@{}l@{~}>{\raggedright}p{42mm}l>{\raggedright}p{21mm}>{\raggedright}p{15mm}r@{}}
\hline
& Result & Claim & Domain & Status & Rocq \\ \hline
ROWS
\hline
\end{tabular}}
\restoregeometry
"""

_OTHERS = r"""\appendix
\section{Corollaries, remarks and examples}\label{sec:others}
Where the claim of a result is too wide for the table, its equation is named. The last column is as
in \cref{sec:results}.

{\small\setlength{\tabcolsep}{3.5pt}
\begin{longtable}{@{}p{8mm}>{\raggedright}p{36mm}>{\raggedright}p{50.5mm}>{\raggedright}p{22mm}p{17mm}r@{}}
& Result & Claim & Domain & Status & Rocq \\[2pt] \hline \noalign{\vskip 3pt}
\endhead
ROWS
\end{longtable}}
"""


def results_page(chapters: Sequence[Chapter]) -> str:
    """The theorems and lemmas, on a page of their own."""
    rows = [_row(entry) for entry in _entries(chapters) if not entry.theorem.of]
    return _PAGE.replace("ROWS", "\n".join(rows))


def other_results(chapters: Sequence[Chapter]) -> str:
    """The corollaries, remarks and examples, or nothing if there are none."""
    rows = [_other(entry) for entry in _entries(chapters) if entry.theorem.of]
    return _OTHERS.replace("ROWS", "\n".join(rows)) if rows else ""


def _entries(chapters: Iterable[Chapter]) -> Iterable[CheckedProof]:
    return (entry for chapter in chapters for entry in chapter.entries)


def _row(entry: CheckedProof) -> str:
    theorem = entry.theorem
    lines = broken(inline(formula_latex(theorem.statement.relation)), _CLAIM)
    lines = lines.replace(r"\begin{cases}", r"\left\{\begin{array}{@{}l@{\ \ }l@{}}")
    lines = lines.replace(r"\end{cases}", r"\end{array}\right.")
    return (
        rf"\ref{{thm:{entry.name}}} & {latex_escaped(theorem.title)} & ${in_notation(lines)}$ & "
        rf"{_domain(entry)} & {entry.status} & {_line(entry)} \\"
    )


def _other(entry: CheckedProof) -> str:
    statement = entry.theorem.statement
    claim = inline_formula(statement.relation)
    if width(inline(formula_latex(statement.relation))) > _WIDEST or r"\begin" in claim:
        claim = rf"see \eqref{{eq:{entry.name}}}"
    return (
        rf"\ref{{thm:{entry.name}}} & {latex_escaped(entry.theorem.title)} & {claim} & "
        rf"{_domain(entry)} & {entry.status} & {_line(entry)} \\[2pt]"
    )


def _line(entry: CheckedProof) -> str:
    """The line on which its proof in Rocq begins, and a star if that is on a part of the domain."""
    proof = proved_in(entry.theorem)
    star = "" if formal_proof(entry.theorem) else "*"
    return f"{proof.line}{star}" if proof else ""


def _domain(entry: CheckedProof) -> str:
    conditions = domain_latex(entry.theorem.statement.domain)
    if any(width(inline(part)) > _WIDEST_DOMAIN for part in conditions):
        return "see there"
    return ", ".join(rf"\mbox{{{inline_formula(part)}}}" for part in conditions)
