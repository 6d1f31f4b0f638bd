"""The files for a paper: they compile there, and the references are BibTeX entries."""

from __future__ import annotations

import re

import pytest

from delaystability.printing.article import article, tex_source
from delaystability.printing.bibliography import (
    REFERENCES,
    bibtex,
    latex_escaped,
    latex_sentence,
    sentence,
)
from delaystability.printing.latex_bundle import write_latex_bundle
from delaystability.printing.notation import in_notation
from delaystability.theory.references import LITERATURE, Reference
from delaystability.theory.registry import checked, names
from tests.printed import all_checked, compiled, latex, needs_latex, overfull

_PAPER = r"""\documentclass[twocolumn]{article}
\usepackage{amsmath,amsthm,cleveref}
\newtheorem{theorem}{Satz}
\input{macros}
\renewcommand{\momentum}{\beta}
\renewcommand{\status}[1]{}
\begin{document}
\appendix
\input{theorems/delayed-loop}
\input{theorems/sgd}
As \cref{thm:sgd} and \eqref{eq:sgd} say.
\bibliographystyle{plain}
\bibliography{references}
\end{document}
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle")
    return folder, write_latex_bundle(folder, all_checked())


def test_the_bundle_has_a_file_for_every_theorem_and_says_how_to_use_it(bundle):
    folder, paths = bundle
    told = {path.stem for path in paths if path.parent.name == "theorems"}
    assert told == set(names())
    assert {path.name for path in paths if path.parent == folder} == {
        "article.tex",
        "macros.tex",
        "setting.tex",
        "references.bib",
    }
    for path in paths:
        assert path.is_file()
    for name in names():
        text = (folder / "theorems" / f"{name}.tex").read_text()
        head = text[: text.index("\n\n")]
        assert all(line.startswith("%") for line in head.splitlines())
        assert max(map(len, head.splitlines())) <= 96
        assert rf"\input{{theorems/{name}}}" in head
        assert r"\documentclass" not in text
        referred = set(re.findall(r"\\[cC]ref\{thm:([^}]*)\}", text))
        assert all(other in head for other in referred - {name})


def test_macros_and_setting_have_one_source(bundle):
    folder, _ = bundle
    macros, setting = tex_source("macros"), tex_source("setting")
    assert (folder / "macros.tex").read_text() == macros
    assert (folder / "setting.tex").read_text().endswith(setting)
    text = article([checked("sgd")])
    assert macros in text
    assert setting in text


@pytest.mark.slow
def test_the_bundle_of_one_theorem_holds_what_it_needs_and_no_more(tmp_path):
    paths = write_latex_bundle(tmp_path, [checked("heavy-ball-lower-bound")])
    told = {path.stem for path in paths if path.parent.name == "theorems"}
    needed = {"heavy-ball", "heavy-ball-delay-0", "heavy-ball-monotone-angle"}
    assert told == needed | {"heavy-ball-lower-bound"}
    entries = re.findall(r"@\w+\{(\w+),", (tmp_path / "references.bib").read_text())
    assert "giladi2020" in entries
    assert len(entries) < len(LITERATURE)


@pytest.mark.slow
@needs_latex
def test_the_article_of_the_bundle_compiles_with_bibtex(bundle):
    folder, _ = bundle
    latex(folder, "pdflatex", "bibtex")
    assert "Warning" not in (folder / "article.blg").read_text(errors="replace")
    log = latex(folder, "pdflatex", "pdflatex")
    assert "undefined" not in log
    assert all(width <= 5 for width in overfull(log)), overfull(log)


@needs_latex
def test_theorems_stand_in_a_paper_with_its_own_environments_and_notation(bundle):
    folder, _ = bundle
    (folder / "paper.tex").write_text(_PAPER)
    log = latex(folder, "pdflatex", "bibtex", "pdflatex", "pdflatex", name="paper")
    assert "undefined" not in log
    assert "multiply" not in log


@needs_latex
def test_a_missing_file_reference_or_theorem_is_noticed(bundle):
    folder, _ = bundle
    paper = folder / "broken.tex"
    paper.write_text(_PAPER.replace(r"\input{theorems/sgd}", ""))
    assert "undefined" in latex(folder, "pdflatex", "pdflatex", name="broken")
    paper.write_text(_PAPER.replace(r"\input{macros}", ""))
    with pytest.raises(AssertionError):
        latex(folder, "pdflatex", name="broken")
    paper.write_text(_PAPER.replace("{references}", "{macros}"))
    latex(folder, "pdflatex", name="broken")
    with pytest.raises(AssertionError):
        latex(folder, "bibtex", name="broken")


@pytest.mark.slow
@needs_latex
def test_every_reference_is_an_entry_that_bibtex_reads(tmp_path):
    entries = "\n\n".join(bibtex(key, entry) for key, entry in LITERATURE.items())
    (tmp_path / "references.bib").write_text(entries)
    (tmp_path / "article.tex").write_text(
        r"\documentclass{article}\begin{document}\nocite{*}\bibliographystyle{plain}"
        r"\bibliography{references}\end{document}"
    )
    latex(tmp_path, "pdflatex", "bibtex")
    assert "Warning" not in (tmp_path / "article.blg").read_text(errors="replace")
    listed = (tmp_path / "article.bbl").read_text()
    assert listed.count(r"\bibitem") == len(LITERATURE)
    assert "undefined" not in latex(tmp_path, "pdflatex", "pdflatex").lower()


@pytest.mark.slow
@needs_latex
def test_every_reference_can_be_printed_by_itself(tmp_path):
    items = "\n".join(
        rf"\bibitem{{{key}}} {latex_sentence(entry)}" for key, entry in LITERATURE.items()
    )
    document = r"\documentclass{article}\begin{document}\begin{thebibliography}{9}"
    compiled(f"{document}{items}\\end{{thebibliography}}\\end{{document}}", tmp_path)


def test_references_are_sentences_in_plain_text():
    assert list(REFERENCES) == list(LITERATURE)
    for key, text in REFERENCES.items():
        entry = LITERATURE[key]
        assert text.startswith(entry.authors[0])
        assert str(entry.year) in text
        assert text.endswith(".")
        assert "\\" not in text
        assert key == latex_escaped(key)


def test_a_reference_says_where_it_appeared():
    with pytest.raises(ValueError, match="kind 'article' needs where it appeared"):
        Reference("article", ("A. Author",), "Title", 2020)
    with pytest.raises(ValueError, match="number '7' needs a volume"):
        Reference("article", ("A. Author",), "Title", 2020, journal="Journal", number="7")
    with pytest.raises(ValueError, match="kind must be one of"):
        Reference("talk", ("A. Author",), "Title", 2020)
    entry = Reference(
        "misc", ("A. Author", "B. Other"), "On 100 % of it", 2021, eprint="2101.00001"
    )
    assert sentence(entry) == "A. Author, B. Other. On 100 % of it. arXiv:2101.00001, 2021."
    assert "author = {A. Author and B. Other}" in bibtex("author2021", entry)
    assert r"100 \% of it" in latex_sentence(entry)


def test_the_notation_is_changed_in_one_place():
    assert in_notation(r"a_* = 2 m h \tau + \eta") == (
        r"\threshold = 2 \momentum \curvature \delay + \learningrate"
    )
    assert in_notation(r"a_{*} e^{a} \text{ a m } \max a_1 \alpha") == (
        r"\threshold e^{\gain} \text{ a m } \max \gain_1 \alpha"
    )
    assert in_notation("am ah") == "am ah"
    macros = tex_source("macros")
    for name in ("delay", "learningrate", "curvature", "gain", "threshold", "momentum"):
        assert rf"\newcommand{{\{name}}}" in macros


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="folder must be a writable folder"):
        write_latex_bundle(tmp_path / "file", [checked("sgd")])
