"""The report as a PDF, by LaTeX where it is at hand."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from delaystability.files.output_files import write_files
from delaystability.verification.figures import certified_figure
from delaystability.verification.latex_report import report_tex
from delaystability.verification.verification import Verification

__all__ = ["PdfError", "missing_for_pdf", "write_pdf"]

_RUNS = 3  # the references of the second move the page breaks of longtable


class PdfError(RuntimeError):
    """LaTeX is missing, or has refused the report; the message says which."""


def missing_for_pdf() -> str | None:
    """What of LaTeX is missing on this machine for `write_pdf`; None if nothing is."""
    if shutil.which("pdflatex") is None:
        return "pdflatex is missing: install a LaTeX distribution, such as TeX Live"
    if shutil.which("kpsewhich") is not None:
        for package in ("cleveref", "longtable", "graphicx", "xcolor"):
            found = subprocess.run(["kpsewhich", f"{package}.sty"], capture_output=True)
            if found.returncode != 0:
                return f"the LaTeX package {package} is missing"
    return None


def write_pdf(found: Verification, folder: str | Path) -> Path:
    """Write report.tex, its figure of the certified thresholds, and report.pdf.

    Parameters
    ----------
    found : Verification
    folder : str or Path
        The folder of the report, with the figures of the experiments where they were written.

    Returns
    -------
    Path
        Of report.pdf.

    Raises
    ------
    PdfError
        If LaTeX is missing or refuses the text; report.tex stays.
    ValueError
        If files of these names are there that this package did not write.
    """
    root = Path(folder).absolute()
    drawn = io.BytesIO()
    certified_figure(found.thresholds).savefig(drawn, format="pdf", metadata={"CreationDate": None})
    write_files(
        root, {"certified-thresholds.pdf": drawn.getvalue(), "report.tex": report_tex(found)}
    )
    missing = missing_for_pdf()
    if missing is not None:
        raise PdfError(missing)
    with tempfile.TemporaryDirectory() as scratch:
        for _ in range(_RUNS):
            _pdflatex(root, scratch)
        printed = (Path(scratch) / "report.pdf").read_bytes()
    return write_files(root, {"report.pdf": printed})[0]


def _pdflatex(root: Path, scratch: str) -> None:
    options = ["-interaction=nonstopmode", "-halt-on-error", f"-output-directory={scratch}"]
    run = subprocess.run(
        ["pdflatex", *options, "report.tex"],
        cwd=root,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    if run.returncode != 0:
        log = run.stdout.decode(errors="replace")
        wrong = re.search(r"^! .*(?:\n.*){0,3}", log, flags=re.M)
        said = wrong[0] if wrong else log[-500:]
        raise PdfError(f"pdflatex refused report.tex: {said.strip()}")
