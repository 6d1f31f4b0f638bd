"""All theorems as one article that pdflatex compiles by itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from importlib.resources import files

from delaystability.printing.bibliography import latex_escaped, latex_sentence
from delaystability.printing.collection import Chapter, collected, counted, entries
from delaystability.printing.latex import fragment
from delaystability.printing.results_table import other_results, results_page
from delaystability.theory.derivation import CheckedProof
from delaystability.theory.references import LITERATURE

__all__ = ["article", "cited_keys", "document", "tex_source"]


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
        "" if single else results_page(chapters),
    ]
    for chapter in chapters:
        lines.append(rf"\section{{{latex_escaped(chapter.title)}}}\label{{sec:{chapter.label}}}")
        lines += [f"\n{theorem(entry)}" for entry in chapter.entries]
    lines.append("" if single else other_results(chapters))
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
