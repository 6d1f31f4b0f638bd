"""What the tests of printing share: every theorem, checked, and runs of LaTeX."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from delaystability.theory.registry import all_proofs, checked_proof


def _has_latex():
    if any(shutil.which(program) is None for program in ("pdflatex", "bibtex", "kpsewhich")):
        return False
    return subprocess.run(["kpsewhich", "cleveref.sty"], capture_output=True).returncode == 0


needs_latex = pytest.mark.skipif(not _has_latex(), reason="pdflatex, bibtex or cleveref is missing")


def all_checked():
    """Every theorem of the registry, checked once."""
    return tuple(map(checked_proof, all_proofs()))


def latex(folder, *programs, name="article"):
    """The output of the last run; a run that fails is an assertion error."""
    for program in programs:
        options = ["-interaction=nonstopmode", "-halt-on-error"] if program == "pdflatex" else []
        run = subprocess.run(
            [program, *options, name], cwd=folder, capture_output=True, check=False
        )
        output = run.stdout.decode(errors="replace")
        assert run.returncode == 0, output[-3000:]
    return output


def compiled(text, folder):
    """The log of the second run of pdflatex."""
    (folder / "article.tex").write_text(text, encoding="utf-8")
    return latex(folder, "pdflatex", "pdflatex")


def overfull(log):
    """By how many points lines are too wide."""
    return [float(width) for width in re.findall(r"Overfull \\hbox \(([\d.]+)pt", log)]
