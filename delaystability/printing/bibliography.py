r"""Works of the literature as sentences, for ``thebibliography`` and for BibTeX."""

from __future__ import annotations

from collections.abc import Callable

from delaystability.theory.references import LITERATURE, Reference

__all__ = ["REFERENCES", "bibtex", "latex_escaped", "latex_sentence", "sentence"]

_LATEX = {
    "&": r"\&",
    "%": r"\%",
    "#": r"\#",
    "_": r"\_",
    "–": "--",
    "“": "``",
    "”": "''",
    "’": "'",
    "O(1/k²)": "$O(1/k^2)$",
    "τ": r"$\tau$",
    "ℓ": r"$\ell$",
}


def latex_escaped(text: str) -> str:
    """Plain text as LaTeX; accented letters stay as they are, in UTF-8."""
    for plain, latex in _LATEX.items():
        text = text.replace(plain, latex)
    return text


def sentence(work: Reference) -> str:
    """The reference in plain sentences."""
    return _sentences(work, "{}", str)


def latex_sentence(work: Reference) -> str:
    r"""The reference after ``\bibitem{key}``, with what it appeared in, or a book, slanted."""
    return _sentences(work, r"\emph{{{}}}", latex_escaped)


def _sentences(work: Reference, slanted: str, escaped: Callable[[str], str]) -> str:
    title = escaped(work.title)
    if work.kind == "book":
        title = slanted.format(title)
    end = "" if title[-1] in "?!" else "."
    sentences = [f"{escaped(', '.join(work.authors))}.", f"{title}{end}"]
    sentences.append(f"{_where(work, slanted, escaped)}{work.year}.")
    if work.eprint and work.kind != "misc":
        sentences.append(f"arXiv:{work.eprint}.")
    return " ".join(sentences)


def _where(work: Reference, slanted: str, escaped: Callable[[str], str]) -> str:
    """What it appeared in, with a comma, ready for the year."""
    if work.kind == "misc":
        return f"arXiv:{work.eprint}, "
    if work.kind == "book":
        edition = f"{work.edition} edition, " if work.edition else ""
        volume = f"volume {work.volume}, " if work.volume else ""
        return escaped(f"{edition[:1].upper()}{edition[1:]}{volume}{work.publisher}, ")
    if work.kind == "inproceedings":
        place = f"In {slanted.format(escaped(work.booktitle))}"
        pages = f", pages {work.pages}" if work.pages else ""
    else:
        issue = f"({work.number})" if work.number else ""
        place = slanted.format(escaped(work.journal))
        place += f", {work.volume}{issue}" if work.volume else ""
        pages = f":{work.pages}" if work.pages else ""
    return f"{place}{escaped(pages)}, "


def bibtex(key: str, work: Reference) -> str:
    """The entry of a ``.bib`` file; double braces keep the capitals of the title."""
    fields = {
        "author": latex_escaped(" and ".join(work.authors)),
        "title": f"{{{latex_escaped(work.title)}}}",
        "journal": latex_escaped(work.journal),
        "booktitle": latex_escaped(work.booktitle),
        "publisher": latex_escaped(work.publisher),
        "edition": work.edition,
        "volume": work.volume,
        "number": work.number,
        "pages": latex_escaped(work.pages),
        "year": str(work.year),
        "eprint": work.eprint,
        "archiveprefix": "arXiv" if work.eprint else "",
        "note": f"arXiv:{work.eprint}" if work.eprint else "",
    }
    rows = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
    return "\n".join([f"@{work.kind}{{{key},", *rows, "}"])


REFERENCES: dict[str, str] = {key: sentence(work) for key, work in LITERATURE.items()}
"""Key to reference, as a plain sentence."""
