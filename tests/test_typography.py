"""Formulas as a typographer sets them: brackets, slashes, line breaks, and lines of Unicode."""

from __future__ import annotations

import re
import subprocess
from functools import cache

import pytest

from delaystability.printing.domain import domain_latex
from delaystability.printing.formula import formula_latex, formula_text
from delaystability.printing.line_breaks import broken, width
from delaystability.printing.typography import inline, parse, tidy, written
from delaystability.printing.unicode_text import unicode_line
from delaystability.theory.registry import all_proofs
from delaystability.theory.symbols import m, ordered_quotient, ordered_sum, tau
from tests.printed import needs_latex


@cache
def formulas():
    """The LaTeX of every formula of the registry."""
    return sorted(
        {
            formula_latex(formula)
            for proof in all_proofs()
            for step in proof.steps
            for formula in (step.claim, *step.given.values())
            if formula is not None
        }
    )


@pytest.mark.parametrize(
    ("latex", "displayed", "running"),
    [
        (r"\left(1 - m\right)^{2}", "(1 - m)^{2}", "(1 - m)^{2}"),
        (r"Y(\frac{\pi}{\tau})", r"Y\!\left(\frac{\pi}{\tau}\right)", r"Y(\pi/\tau)"),
        (r"2 \sin\frac{\theta}{2} x", r"2 \sin\frac{\theta}{2} x", r"2 \sin(\theta/2) x"),
        (r"\frac{a + b}{2 c}", r"\frac{a + b}{2 c}", "(a + b)/(2 c)"),
        (r"\frac{a}{b} c", r"\frac{a}{b} c", r"\frac{a}{b} c"),
        (r"\frac{1}{2} + x", r"\frac{1}{2} + x", r"\tfrac{1}{2} + x"),
        (r"\frac{1}{m \left(1 + m\right)}", r"\frac{1}{m (1 + m)}", "1/(m (1 + m))"),
        (r"\frac{z}{\alpha(z)}", r"\frac{z}{\alpha(z)}", r"z/\alpha(z)"),
        (r"e^{\frac{1}{2}}", "e^{1/2}", "e^{1/2}"),
        (r"(0, \pi]", r"(0, \pi]", r"(0, \pi]"),
        (r"\cos\bigl((\tau)\theta\bigr)",) + (r"\cos\bigl((\tau)\theta\bigr)",) * 2,
        (r"\frac{1 - \frac{m}{z}}{b}", r"\frac{1 - m/z}{b}", "(1 - m/z)/b"),
    ],
)
def test_brackets_fit_and_fractions_suit_their_place(latex, displayed, running):
    assert tidy(latex) == displayed
    assert inline(latex) == running


@pytest.mark.slow
def test_all_formulas_keep_their_tokens():
    def skeleton(latex):
        return re.sub(r"\\left|\\right|\\!|\\mathrm|[{}\s]", "", latex).replace(r"\max", "max")

    for latex in formulas():
        assert written(parse(latex)).split() == latex.split()
        assert tidy(tidy(latex)) == tidy(latex)
        if r"\frac" not in latex:
            assert skeleton(tidy(latex)) == skeleton(latex)


def test_braces_that_do_not_match_are_refused():
    for wrong in ("{a", "a}", r"\frac{1}{2"):
        with pytest.raises(ValueError, match="braces do not match"):
            tidy(wrong)


def test_wide_formulas_are_broken_at_relations_and_signs():
    assert broken("a = b + c", 40) == "a = b + c"
    lines = broken("a = b + c - d", 5).splitlines()
    assert lines[0] == r"\begin{aligned}"
    assert lines[1].startswith("a & = b")
    assert all(line.startswith(r"& \quad {} ") for line in lines[2:-1])
    assert "= - b" in " ".join(broken("aaaaaa = - b + c", 6).split())
    nested = broken(r"a = (b + c) (d + e)", 7)
    assert nested.count(r"\\") == 1
    whole = r"a = \frac{b + c + d + e + f}{g}"
    assert broken(whole, 5) == whole


@pytest.mark.slow
@needs_latex
def test_estimated_widths_are_those_of_tex(tmp_path):
    displayed = [tidy(latex) for latex in formulas()]
    rows = [
        rf"\settowidth{{\wide}}{{$\displaystyle {formula}$}}\typeout{{W{number}=\the\wide}}"
        for number, formula in enumerate(displayed)
    ]
    (tmp_path / "widths.tex").write_text(
        "\\documentclass{article}\\usepackage{amsmath}\\begin{document}\\newlength\\wide\n"
        + "\n".join(rows)
        + "\n\\end{document}"
    )
    run = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "widths"], cwd=tmp_path, capture_output=True
    )
    found = re.findall(r"W(\d+)=([\d.]+)pt", run.stdout.decode(errors="replace"))
    assert len(found) == len(displayed)
    for number, points in found:
        ems = float(points) / 10
        assert abs(width(displayed[int(number)]) - ems) < 1 + 0.12 * ems, displayed[int(number)]


@pytest.mark.slow
def test_lines_of_unicode():
    assert unicode_line(r"u_{t} = \frac{w_{t} - w_{t + 1}}{\eta}") == "u_t = (w_t - w_(t + 1))/η"
    assert unicode_line(r"\sin^{2}\frac{\theta}{2} \ge - m") == "sin^2(θ/2) ≥ -m"
    assert unicode_line(r"\sqrt{1 + c^{2}}") == "√(1 + c^2)"
    assert unicode_line(r"z \notin \{0, 1\}") == "z ∉ {0, 1}"
    assert unicode_line(r"\lim_{\tau \to \infty} \tau a_{*} = 2") == "lim_(τ → ∞) τ a_* = 2"
    for latex in formulas():
        assert "\\" not in unicode_line(latex)


@pytest.mark.slow
def test_terms_in_text_are_in_the_order_of_the_latex():
    total = ordered_sum(1, -2 * m, m**2)
    assert formula_text(total, inline=True) == "1 - 2 m + m^2"
    assert formula_text(total, inline=False).splitlines()[-1].strip() == "1 - 2⋅m + m"
    assert formula_latex(ordered_quotient(1, 1 + m)) == r"\frac{1}{1 + m}"
    assert not any("+ -" in latex or "+  -" in latex for latex in formulas())


def test_domains_are_chains():
    assert domain_latex((m > -1, m < 1)) == ("-1 < m < 1",)
    assert domain_latex((m >= 0, m < 1, tau >= 1)) == (r"0 \le m < 1", r"\tau \ge 1")
    assert domain_latex(()) == ()
