"""Derivations in print: LaTeX that compiles, Markdown, text and HTML, the same every time."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

import delaystability as ds
from delaystability.theory.derive import all_derivations
from delaystability.theory.formula import formula_latex
from delaystability.theory.html import proof_html, statement_html
from delaystability.theory.latex import article, section
from delaystability.theory.prose import Style, fill
from delaystability.theory.references import REFERENCES

NAMES = [derivation.name for derivation in all_derivations()]


def test_the_article_has_definitions_theorems_proofs_labels_and_references():
    text = article(all_derivations())
    assert text.count(r"\begin{definition}") == 2
    kinds = [derivation.theorem.kind for derivation in all_derivations()]
    for kind in ("theorem", "lemma", "corollary"):
        assert text.count(rf"\begin{{{kind}}}") == kinds.count(kind)
    assert text.count(r"\begin{proof}") == len(NAMES)
    labels = re.findall(r"\\label\{([^}]*)\}", text)
    assert len(labels) == len(set(labels))
    used = set(re.findall(r"\\(?:eq)?ref\{([^}]*)\}", text))
    assert used
    assert used <= set(labels)
    cited = {key.strip() for c in re.findall(r"\\cite\{([^}]*)\}", text) for key in c.split(",")}
    assert cited == set(re.findall(r"\\bibitem\{([^}]*)\}", text))
    assert cited == set(REFERENCES)


def test_every_claim_is_printed_and_every_status_is_named():
    for derivation in all_derivations():
        text = section(derivation)
        for step in derivation.steps:
            if step.claim is not None:
                assert formula_latex(step.claim) in text
        marks = re.findall(r"\\status\{(\w+)\}", text)
        assert marks == [result.status.value for result in derivation.check().results]


def test_a_failed_step_says_so_in_print():
    derivation = ds.derive("sgd")
    claim = derivation.step("modulus").claim
    wrong = derivation.with_step("modulus", claim=claim.func(claim.lhs, 2, evaluate=False))
    assert "The check of this step failed" in wrong.latex()
    assert r"\status{failed}" in wrong.latex()
    assert "[failed]" in wrong.text()
    assert "*failed.*" in wrong.markdown()


def test_printing_is_the_same_from_run_to_run():
    program = (
        "import hashlib; from delaystability.theory.latex import article;"
        "from delaystability.theory.derive import all_derivations as d;"
        "print(hashlib.sha256(article(d()).encode()).hexdigest())"
    )
    import os
    import sys

    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def _compile(text: str, folder) -> str:
    (folder / "article.tex").write_text(text, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "article.tex"]
    for _ in range(2):
        run = subprocess.run(command, cwd=folder, capture_output=True, check=False)
        log = run.stdout.decode(errors="replace")
        assert run.returncode == 0, log[-3000:]
    return log


needs_latex = pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is missing")


@needs_latex
def test_the_article_compiles_without_error_overfull_line_or_undefined_reference(tmp_path):
    log = _compile(article(all_derivations()), tmp_path)
    overfull = [float(width) for width in re.findall(r"Overfull \\hbox \(([\d.]+)pt", log)]
    assert all(width <= 20 for width in overfull), overfull
    assert "undefined" not in log
    assert (tmp_path / "article.pdf").stat().st_size > 50_000


@needs_latex
@pytest.mark.parametrize("name", ["ema-momentum", "delayed-loop"])
def test_a_single_derivation_compiles_with_all_that_it_needs(name, tmp_path):
    log = _compile(ds.derive(name).latex(), tmp_path)
    assert "undefined" not in log


@needs_latex
def test_an_error_in_the_latex_is_noticed(tmp_path):
    with pytest.raises(AssertionError):
        _compile(article(all_derivations()).replace(r"\begin{proof}", r"\begin{prof}", 1), tmp_path)


def test_a_fragment_has_no_preamble():
    fragment = ds.derive("sgd").latex(fragment=True)
    assert r"\documentclass" not in fragment
    assert r"\label{thm:sgd}" in fragment


@pytest.mark.parametrize("name", NAMES)
def test_text_and_markdown_hold_every_step(name):
    derivation = ds.derive(name)
    text, markdown = derivation.text(), derivation.markdown()
    for number in range(1, len(derivation.steps) + 1):
        assert f"({number}) [" in text
        assert f"({number}) *" in markdown
    assert "\\" not in text.replace("\\{", "")
    assert max(map(len, text.splitlines())) < 140
    assert markdown.count("$$") % 2 == 0
    assert "{" not in re.sub(r"\$[^$]*\$", "", markdown.replace("$$", "$"))


@pytest.mark.parametrize("name", NAMES)
def test_html_is_well_formed_and_holds_every_step(name):
    from html.parser import HTMLParser

    class Balance(HTMLParser):
        def __init__(self):
            super().__init__()
            self.open, self.formulas = [], 0

        def handle_starttag(self, tag, attrs):
            self.open.append(tag)
            self.formulas += tag == "math"

        def handle_endtag(self, tag):
            assert self.open.pop() == tag

    derivation = ds.derive(name)
    parser = Balance()
    parser.feed(statement_html(derivation) + proof_html(derivation, derivation.check()))
    assert not parser.open
    assert parser.formulas > len(derivation.steps)


def test_a_template_with_an_unknown_name_is_refused():
    style = Style(str, str, str, str, str, str)
    with pytest.raises(ValueError, match="text needs the formula 'missing'"):
        fill("a {missing} one", {}, style)
