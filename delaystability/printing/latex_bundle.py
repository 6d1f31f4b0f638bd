r"""The theorems as files for a paper: macros, one file for each theorem, BibTeX entries."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

from delaystability.files.output_files import checked_folder, write_files
from delaystability.printing.article import cited_keys, document, tex_source
from delaystability.printing.bibliography import bibtex
from delaystability.printing.collection import collected, entries, needs, with_needs
from delaystability.printing.latex import fragment
from delaystability.theory.derivation import CheckedProof, Proof
from delaystability.theory.references import LITERATURE

__all__ = ["checked_latex_bundle", "write_latex_bundle"]

_SETTING_HEAD = r"""% The setting: what a delayed optimizer, its gain and its threshold are.
% Preamble: \usepackage{amsmath,amsthm}, \usepackage{cleveref}, \input{macros}.
% References: references.bib.

"""

_BIBLIOGRAPHY = "\\bibliographystyle{plain}\n\\bibliography{references}"


def write_latex_bundle(folder: str | Path, given: Sequence[CheckedProof]) -> tuple[Path, ...]:
    r"""Write the theorems and all that they need as LaTeX files to \input, and return their paths.

    Parameters
    ----------
    folder : str or Path
        It gets ``article.tex``, which holds everything together, ``macros.tex``, ``setting.tex``,
        ``theorems/NAME.tex`` and ``references.bib``. Compile the article there by pdflatex,
        bibtex, and pdflatex twice.
    given : sequence of CheckedProof

    Raises
    ------
    ValueError
        If the folder cannot be made or written to, or holds files of these names that this package
        did not write or that were changed since.
    """
    checked_latex_bundle(folder, [entry.proof for entry in given])
    chapters = collected(given)
    told = entries(chapters)
    setting = _SETTING_HEAD + tex_source("setting")
    theorems = {f"theorems/{entry.name}.tex": _with_head(entry) for entry in told}
    article = document(
        chapters,
        [entry.name for entry in given],
        macros="\\input{macros}",
        setting="\\input{setting}",
        theorem=lambda entry: f"\\input{{theorems/{entry.name}}}",
        bibliography=_BIBLIOGRAPHY,
    )
    keys = cited_keys(setting, *theorems.values())
    files = {
        "article.tex": article,
        "macros.tex": tex_source("macros"),
        "setting.tex": setting,
        **theorems,
        "references.bib": "\n\n".join(bibtex(key, LITERATURE[key]) for key in keys) + "\n",
    }
    return write_files(folder, files)


def checked_latex_bundle(folder: str | Path, proofs: Sequence[Proof]) -> Path:
    """The folder, in which the bundle of these theorems may be written; refused before any work.

    Raises
    ------
    ValueError
        As by `write_latex_bundle`.
    """
    names = ["article.tex", "macros.tex", "setting.tex", "references.bib"]
    names += [f"theorems/{name}.tex" for name in with_needs(proofs)]
    return checked_folder("folder", folder, names)


def _with_head(entry: CheckedProof) -> str:
    r"""Theorem and proof, and before them how to \input them."""
    body = fragment(entry)
    others = ", ".join(sorted(needs(entry.proof)))
    lines = [
        f"{entry.theorem.title} ({entry.status}), with proof.",
        rf"Label: thm:{entry.name}. Equations: eq:{entry.name} and eq:{entry.name}:STEP.",
        r"Preamble: \usepackage{amsmath,amsthm}, \usepackage{cleveref}, \input{macros}.",
        rf"Then \input{{theorems/{entry.name}}}, for example in an appendix.",
        f"It refers to: {others}." if others else "It refers to no other theorem.",
        f"It cites, from references.bib: {', '.join(cited_keys(body)) or 'nothing'}.",
    ]
    head = [
        wrapped
        for line in lines
        for wrapped in textwrap.wrap(
            line, 96, initial_indent="% ", subsequent_indent="%   ", break_on_hyphens=False
        )
    ]
    return "\n".join([*head, "", body])
