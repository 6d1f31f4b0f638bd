"""What the tests of printing share: every theorem with its report, and runs of LaTeX."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache

import pytest

from delaystability.theory import registry
from delaystability.theory.derive import all_derivations


def _has_latex():
    if any(shutil.which(program) is None for program in ("pdflatex", "bibtex", "kpsewhich")):
        return False
    return subprocess.run(["kpsewhich", "cleveref.sty"], capture_output=True).returncode == 0


needs_latex = pytest.mark.skipif(not _has_latex(), reason="pdflatex, bibtex or cleveref is missing")


@cache
def checked():
    """Every derivation of the registry, and their reports."""
    derivations = all_derivations()
    return derivations, tuple(registry.checked(derivation.name) for derivation in derivations)


def report_of(name):
    derivations, reports = checked()
    return next(r for d, r in zip(derivations, reports, strict=True) if d.name == name)


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
