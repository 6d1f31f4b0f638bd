"""All theorems as one article that pdflatex compiles by itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from importlib.resources import files

from delaystability.printing.bibliography import latex_escaped, latex_sentence
from delaystability.printing.collection import Chapter, collected, counted, entries
from delaystability.printing.domain import domain_latex
from delaystability.printing.formal import known_as
from delaystability.printing.formula import formula_latex
from delaystability.printing.latex import fragment, inline_formula
from delaystability.printing.line_breaks import width
from delaystability.printing.typography import inline
from delaystability.theory.derivation import CheckedProof
from delaystability.theory.references import LITERATURE

__all__ = ["article", "cited_keys", "document", "tex_source"]

_WIDEST = 15.3
"""The width, in ems, of the widest claim in the table of theorems."""

_WIDEST_DOMAIN = 6.2
"""The same for a condition of the domain."""


def article(
    given: Sequence[CheckedProof],
    *,
    packages: str = "",
    setting: str | None = None,
    title: str = "",
    date: str = "",
) -> str:
    """One self-contained article: definitions, a table, theorems with proofs, references.

    Theorems that the given ones need are told too. The text is the same from run to run.

    Parameters
    ----------
    given : sequence of CheckedProof
    packages : str
        More of the preamble.
    setting : str, optional
        What comes before the theorems, instead of the definitions alone.
    title, date : str
        As in `document`.
    """
    chapters = collected(given)
    setting = setting or tex_source("setting")
    told = {entry.name: fragment(entry) for entry in entries(chapters)}
    return document(
        chapters,
        [entry.name for entry in given],
        macros=packages + tex_source("macros"),
        setting=setting,
        theorem=lambda entry: told[entry.name],
        bibliography=_listed_references(cited_keys(setting, *told.values())),
        title=title,
        date=date,
    )


def _listed_references(keys: Sequence[str]) -> str:
    """The references in LaTeX, for an article without a BibTeX file."""
    items = "\n".join(rf"\bibitem{{{key}}} {latex_sentence(LITERATURE[key])}" for key in keys)
    return f"\\begin{{thebibliography}}{{{len(keys)}}}\n{items}\n\\end{{thebibliography}}"


def tex_source(name: str) -> str:
    """One of the files ``preamble``, ``macros`` and ``setting`` of the package."""
    return files("delaystability.printing").joinpath("tex", f"{name}.tex").read_text("utf-8")


def cited_keys(*texts: str) -> list[str]:
    """The keys of the references that the texts cite, in alphabetical order."""
    groups = re.findall(r"\\cite\{([^}]*)\}", "\n".join(texts))
    return sorted({key.strip() for group in groups for key in group.split(",")})


def document(
    chapters: Sequence[Chapter],
    names: Sequence[str],
    *,
    macros: str,
    setting: str,
    theorem: Callable[[CheckedProof], str],
    bibliography: str,
    title: str = "",
    date: str = "",
) -> str:
    """The article from its parts, each of them LaTeX or a command that reads it from a file.

    Parameters
    ----------
    chapters : the theorems that it tells
    names : the theorems that it is about
    macros, setting, bibliography : str
    theorem : callable that returns the LaTeX of a theorem
    title : LaTeX; unless given, of the theory, or of the theorem if it is about one alone
    date : LaTeX
    """
    told = entries(chapters)
    chosen = [entry for entry in told if entry.name in names]
    single = chosen[0] if len(chosen) == 1 and len(names) == 1 else None
    lines = [
        tex_source("preamble") + macros,
        rf"\title{{{title or _title(single)}}}",
        r"\author{Derived and checked by \texttt{delaystability}}",
        rf"\date{{{date}}}",
        "",
        r"\begin{document}",
        r"\maketitle",
        "" if single else _abstract(told),
        setting,
        "" if single else _table(chapters),
    ]
    for chapter in chapters:
        lines.append(rf"\section{{{latex_escaped(chapter.title)}}}\label{{sec:{chapter.label}}}")
        lines += [f"\n{theorem(entry)}" for entry in chapter.entries]
    return "\n".join([*lines, bibliography, r"\end{document}", ""])


def _title(single: CheckedProof | None) -> str:
    if single is None:
        return "Stability thresholds of delayed optimizers"
    title = latex_escaped(single.theorem.title)
    return title + r"\\[1ex] \large a theorem on delayed optimizers, with its proof"


def _abstract(told: Sequence[CheckedProof]) -> str:
    return "\n".join(
        [
            r"\begin{abstract}",
            "A training run that applies gradients of earlier iterates can stay near a minimum "
            "only if the curvature there is below a threshold, which depends on the optimizer, "
            "its delay and the learning rate. We derive these thresholds, bounds and limits of "
            "them, and rules that keep the accessible minima. " + counted(told),
            r"\end{abstract}",
            "",
        ]
    )


def _table(chapters: Sequence[Chapter]) -> str:
    rows = []
    for chapter in chapters:
        title = rf"\emph{{{latex_escaped(chapter.title)}}}"
        rows.append(rf"\noalign{{\vskip 3pt}}\multicolumn{{5}}{{@{{}}l}}{{{title}}} \\*[2pt]")
        rows += map(_row, chapter.entries)
    head = r"& Result & Claim & Domain & Status \\[2pt] \hline \noalign{\vskip 3pt}"
    return "\n".join(
        [
            r"\section{The results at a glance}\label{sec:results}",
            r"Where the claim of a result is too wide for the table, its equation is named. An "
            r"angle or another symbol that a claim does not explain is defined in its theorem. An "
            r"empty domain stands for every delay and all values of the parameters.",
            r"{\small\setlength{\tabcolsep}{4pt}",
            r"\begin{longtable}{@{}p{8mm}>{\raggedright}p{39mm}>{\raggedright}p{54mm}"
            r">{\raggedright}p{23mm}p{17mm}@{}}",
            head,
            r"\endhead",
            *rows,
            r"\end{longtable}}",
            "",
        ]
    )


def _row(entry: CheckedProof) -> str:
    statement = entry.theorem.statement
    claim = inline_formula(statement.relation)
    if width(inline(formula_latex(statement.relation))) > _WIDEST or r"\begin" in claim:
        claim = rf"see \eqref{{eq:{entry.name}}}"
    conditions = domain_latex(statement.domain)
    domain = ", ".join(rf"\mbox{{{inline_formula(part)}}}" for part in conditions)
    if any(width(inline(part)) > _WIDEST_DOMAIN for part in conditions):
        domain = "see there"
    title = latex_escaped(entry.theorem.title)
    return (
        rf"\ref{{thm:{entry.name}}} & {title} & {claim} & {domain} & {known_as(entry)} "
        rf"\\[2pt]"
    )
