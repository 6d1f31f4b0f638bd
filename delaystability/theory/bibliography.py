r"""A work of the literature as data, written as a sentence, for ``thebibliography`` or BibTeX."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Reference", "latex_escaped"]

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


@dataclass(frozen=True)
class Reference:
    """One work. A field that it does not have is empty.

    Attributes
    ----------
    kind : "article", "inproceedings", "book" or "misc", as in BibTeX
    authors : tuple of names, each with the family name last
    title : str, without the full stop
    year : int
    journal, booktitle, publisher, edition, volume, number, pages : str
        A range of pages has an en dash; an edition is a word such as "Second".
    eprint : the number in arXiv, such as "1909.12340"
    """

    kind: str
    authors: tuple[str, ...]
    title: str
    year: int
    journal: str = ""
    booktitle: str = ""
    publisher: str = ""
    edition: str = ""
    volume: str = ""
    number: str = ""
    pages: str = ""
    eprint: str = ""

    def __post_init__(self) -> None:
        host = {"article": self.journal, "inproceedings": self.booktitle, "book": self.publisher}
        if self.kind not in (*host, "misc"):
            raise ValueError(f"kind must be one of {[*host, 'misc']}; got {self.kind!r}")
        if not host.get(self.kind, self.eprint):
            raise ValueError(f"a reference of kind {self.kind!r} needs where it appeared")

    @property
    def text(self) -> str:
        """The reference in plain sentences."""
        return self._sentences("{}", lambda text: text)

    @property
    def latex(self) -> str:
        r"""The reference after ``\bibitem{key}``, with what it appeared in, or a book, slanted."""
        return self._sentences(r"\emph{{{}}}", latex_escaped)

    def _sentences(self, slanted: str, escaped: Callable[[str], str]) -> str:
        title = escaped(self.title)
        if self.kind == "book":
            title = slanted.format(title)
        end = "" if title[-1] in "?!" else "."
        sentences = [f"{escaped(', '.join(self.authors))}.", f"{title}{end}"]
        sentences.append(f"{self._where(slanted, escaped)}{self.year}.")
        if self.eprint and self.kind != "misc":
            sentences.append(f"arXiv:{self.eprint}.")
        return " ".join(sentences)

    def _where(self, slanted: str, escaped: Callable[[str], str]) -> str:
        """What it appeared in, with a comma, ready for the year."""
        if self.kind == "misc":
            return f"arXiv:{self.eprint}, "
        if self.kind == "book":
            edition = f"{self.edition} edition, " if self.edition else ""
            volume = f"volume {self.volume}, " if self.volume else ""
            return escaped(f"{edition[:1].upper()}{edition[1:]}{volume}{self.publisher}, ")
        if self.kind == "inproceedings":
            place = f"In {slanted.format(escaped(self.booktitle))}"
            pages = f", pages {self.pages}" if self.pages else ""
        else:
            issue = f"({self.number})" if self.number else ""
            place = slanted.format(escaped(self.journal))
            place += f", {self.volume}{issue}" if self.volume else ""
            pages = f":{self.pages}" if self.pages else ""
        return f"{place}{escaped(pages)}, "

    def bibtex(self, key: str) -> str:
        """The entry of a ``.bib`` file; double braces keep the capitals of the title."""
        fields = {
            "author": latex_escaped(" and ".join(self.authors)),
            "title": f"{{{latex_escaped(self.title)}}}",
            "journal": latex_escaped(self.journal),
            "booktitle": latex_escaped(self.booktitle),
            "publisher": latex_escaped(self.publisher),
            "edition": self.edition,
            "volume": self.volume,
            "number": self.number,
            "pages": latex_escaped(self.pages),
            "year": str(self.year),
            "eprint": self.eprint,
            "archiveprefix": "arXiv" if self.eprint else "",
            "note": f"arXiv:{self.eprint}" if self.eprint else "",
        }
        rows = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
        return "\n".join([f"@{self.kind}{{{key},", *rows, "}"])
