"""The report as a PDF: it compiles, says what failed, and its absence is said."""

from __future__ import annotations

import re
import shutil

import pytest
from typer.testing import CliRunner

import delaystability as ds
from delaystability.cli import app
from delaystability.files.output_files import MANIFEST, write_files
from delaystability.verification import job, pdf
from delaystability.verification.latex_report import latex_text, report_tex
from delaystability.verification.pdf import PdfError, write_pdf
from tests.printed import latex, needs_latex, overfull
from tests.verified import failing, shrink_the_job


@pytest.fixture
def found(finished_job):
    folder, result, _ = finished_job
    return folder, result


@pytest.fixture(name="printed", scope="module")
def printed_fixture(finished_job, tmp_path_factory):
    """A copy of the job with its PDF, and what the last run of LaTeX has left in its folder."""
    root, scratch = (tmp_path_factory.mktemp(name) for name in ("report", "scratch"))
    folder, result, _ = finished_job
    shutil.copytree(folder, root, dirs_exist_ok=True)
    run = pdf._pdflatex

    def kept(root, where):
        run(root, where)
        shutil.copytree(where, scratch, dirs_exist_ok=True)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pdf, "_pdflatex", kept)
        write_pdf(result, root)
    return root, scratch


@pytest.fixture
def one_run(monkeypatch):
    """Whether it compiles shows in one run; its references are those of the whole report."""
    monkeypatch.setattr(pdf, "_RUNS", 1)


@pytest.mark.slow
@needs_latex
def test_the_pdf_is_written_and_the_page_links_to_it(found, printed, tmp_path):
    folder, result = found
    assert 'href="report.pdf"' not in (folder / "index.html").read_text(encoding="utf-8")
    shutil.copytree(printed[0], tmp_path / "report")
    assert (tmp_path / "report/report.pdf").read_bytes().startswith(b"%PDF")
    job.write_page(result, tmp_path / "report")
    assert 'href="report.pdf"' in (tmp_path / "report/index.html").read_text(encoding="utf-8")
    # No auxiliary file is left.
    assert {p.name for p in (tmp_path / "report").iterdir()} == {
        *job.FILES,
        *job.PRINTED,
        job.FOLDER,
        MANIFEST,
    }


@pytest.mark.slow
@needs_latex
def test_the_latex_has_no_undefined_reference_and_no_line_that_sticks_out(printed, tmp_path):
    root, scratch = printed
    log = (scratch / "report.log").read_text(encoding="latin-1")
    assert "Output written on" in log
    assert "undefined" not in log.lower()
    # A third of an em: what TeX calls overfull, and nobody sees.
    assert max(overfull(log), default=0) < 4
    # The control: a reference to a theorem that is not told, among those that are known.
    shutil.copytree(root, tmp_path, dirs_exist_ok=True)
    shutil.copytree(scratch, tmp_path, dirs_exist_ok=True)
    text = (tmp_path / "report.tex").read_text(encoding="utf-8")
    (tmp_path / "report.tex").write_text(
        text.replace(r"\cref{thm:sgd}", r"\cref{thm:nothing}", 1), encoding="utf-8"
    )
    log = latex(tmp_path, "pdflatex", name="report")
    assert re.findall(r"Reference `(\S+)'", log) == ["thm:nothing"]


@pytest.mark.slow
@needs_latex
@pytest.mark.usefixtures("one_run")
def test_the_failed_report_compiles_too(found, tmp_path):
    folder, result = found
    shutil.copytree(folder / job.FOLDER, tmp_path / job.FOLDER)
    assert write_pdf(failing(result), tmp_path).exists()


@pytest.mark.slow
def test_the_latex_says_what_failed(found):
    _, result = found
    good, wrong = report_tex(result), report_tex(failing(result))
    for said in ("Some checks failed: 2.", r"\failed{disagrees}", r"\failed{not seen}"):
        assert said in wrong
        assert said not in good
    assert "No check failed, but some are undecided." in good
    for row in result.thresholds:
        assert f"{row.relative_error * 2**52:.2f} & " in good


@pytest.mark.parametrize(
    ("text", "latex_of_it"),
    [
        ("50 % & more_ #1", r"50 \% \& more\_ \#1"),
        ("a < b", "a $<$ b"),
        ("lr × h ≤ 2/π", r"lr $\times$ h $\le$ 2/$\pi$"),
        ("κ, Δ", r"$\kappa$, $\Delta$"),
        ("{x}~^\\", r"\{x\}\textasciitilde{}\textasciicircum{}\textbackslash{}"),
        ("Müller", "Müller"),
        ("☃", "[snowman]"),
    ],
)
def test_any_text_becomes_latex(text, latex_of_it):
    assert latex_text(text) == latex_of_it


@needs_latex
def test_any_text_compiles(tmp_path):
    text = latex_text("".join(map(chr, range(32, 127))) + "×√∝≤≥≈∞−±·→²³πκτΔ“é”–☃")
    (tmp_path / "article.tex").write_text(
        rf"\documentclass{{article}}\usepackage[utf8]{{inputenc}}\begin{{document}}{text}"
        r"\end{document}",
        encoding="utf-8",
    )
    latex(tmp_path, "pdflatex")


@needs_latex
def test_what_latex_refuses_is_an_error_with_its_message(found, tmp_path, monkeypatch):
    _, result = found
    monkeypatch.setattr(pdf, "report_tex", lambda found: r"\documentclass{article}\nothing")
    with pytest.raises(PdfError, match="refused report.tex: ! Undefined control sequence"):
        write_pdf(result, tmp_path)
    assert not (tmp_path / "report.pdf").exists()


@pytest.fixture
def smallest_job(monkeypatch):
    shrink_the_job(monkeypatch, ds.derive("sgd"))


@pytest.mark.slow
def test_without_latex_the_page_is_written_and_the_command_says_so(
    smallest_job, monkeypatch, tmp_path
):
    monkeypatch.setattr(pdf.shutil, "which", lambda program: None)
    # What an earlier job has printed would contradict the page.
    write_files(tmp_path, {"report.pdf": "old"})
    result = CliRunner().invoke(app, ["verify", "--quick", "--pdf", "-o", str(tmp_path)])
    assert result.exit_code == 2, result.output
    said = result.stderr.replace("\n", " ")
    assert "there will be no report.pdf: pdflatex is missing" in said
    assert "report.pdf was not written: pdflatex is missing: install" in said
    assert "Every check holds" in result.stdout
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "Every check holds." in page
    assert "report.pdf" not in page
    assert not (tmp_path / "report.pdf").exists()


@pytest.mark.slow
@needs_latex
@pytest.mark.usefixtures("one_run")
def test_with_latex_the_command_writes_the_pdf(smallest_job, tmp_path):
    result = CliRunner().invoke(app, ["verify", "--quick", "--pdf", "-o", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert "report.pdf" in result.stdout
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
