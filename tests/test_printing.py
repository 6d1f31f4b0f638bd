"""Derivations in print: LaTeX that compiles, Markdown, text and HTML, the same every time."""

from __future__ import annotations

import html as escaping
import os
import re
import subprocess
import sys
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

import delaystability as ds
from delaystability.printing.article import article
from delaystability.printing.collection import collected, counted, entries
from delaystability.printing.formal import formal_proof
from delaystability.printing.html import proof_html, statement_html
from delaystability.printing.latex import display_formula, fragment, inline_formula
from delaystability.printing.markdown import markdown
from delaystability.printing.text import plain
from delaystability.printing.theory_page import theory_page
from delaystability.theory import checks
from delaystability.theory.checks import Check
from delaystability.theory.prose import Style, fill, punctuation_before
from delaystability.theory.references import LITERATURE
from delaystability.theory.registry import checked, checked_proof, named, names, parts
from tests.printed import all_checked, compiled, needs_latex, overfull
from tests.theorems import each

NAMES = names()
FEW = ("sgd-lower-bound", "ema-momentum")


def _wrong_sgd():
    derivation = ds.derive("sgd")
    claim = derivation.step("modulus").claim
    return derivation.with_step("modulus", claim=claim.func(claim.lhs, 2, evaluate=False))


@pytest.mark.slow
def test_the_article_has_definitions_theorems_proofs_labels_and_references():
    text = article(all_checked())
    assert text.count(r"\begin{definition}") == 2
    kinds = [entry.theorem.kind for entry in all_checked()]
    for kind in ("theorem", "lemma", "corollary", "remark", "example"):
        assert text.count(rf"\begin{{{kind}}}") == kinds.count(kind)
    assert text.count(r"\begin{proof}") == len(NAMES)
    for part in parts():
        assert rf"\section{{{part.title}}}" in text
    labels = re.findall(r"\\label\{([^}]*)\}", text)
    assert len(labels) == len(set(labels))
    used = set(re.findall(r"\\(?:eqref|ref|[cC]ref)\{([^}]*)\}", text))
    assert {f"thm:{name}" for name in NAMES} <= used <= set(labels)
    cited = {key.strip() for c in re.findall(r"\\cite\{([^}]*)\}", text) for key in c.split(",")}
    assert cited == set(re.findall(r"\\bibitem\{([^}]*)\}", text))
    assert cited == set(LITERATURE)


@pytest.mark.slow
def test_the_opening_counts_theorems_and_steps():
    told = entries(collected(all_checked()))
    sentence = counted(told)
    assert sentence in article(all_checked())
    exact = sum(entry.status == "exact" for entry in told)
    steps = sum(len(entry.report.results) for entry in all_checked())
    theorems, corollaries = (
        [entry.theorem.kind for entry in told].count(kind) for kind in ("theorem", "corollary")
    )
    assert f"{theorems} theorems" in sentence
    assert f"{corollaries} corollaries" in sentence
    assert f"{exact} are exact" in sentence
    assert f"{steps} steps" in sentence
    assert "FAILED" not in sentence


@pytest.mark.slow
def test_the_opening_counts_what_stays_in_words():
    def in_words(names):
        results = [result for name in names for result in checked(name).report.results]
        return sum(result.status.value in ("deduced", "cited") for result in results)

    formal = [name for name in NAMES if formal_proof(named(name).theorem)]
    others = [name for name in NAMES if name not in formal]
    sentence = counted(all_checked())
    assert f"Of the {len(NAMES)} statements, {len(formal)} are proved" in sentence
    assert f"what stays in words is {in_words(others)} inferences" in sentence
    assert f"the other {len(others)}." in sentence
    # It is no constant: without a formal proof all inferences of these stay in words.
    few = [checked(name) for name in ("heavy-ball-monotone-angle", "sine-ratio")]
    number = in_words(["heavy-ball-monotone-angle", "sine-ratio"])
    assert f"What stays in words is {number} inferences." in counted(few)


@pytest.mark.quick(3)
@pytest.mark.parametrize("name", each(NAMES))
def test_every_claim_is_printed_and_every_status_is_named(name):
    entry = checked(name)
    text = fragment(entry)
    stated, _, proof = text.partition(r"\begin{proof}")
    for step in entry.steps:
        if step.claim is not None:
            shown = display_formula(step.claim), inline_formula(step.claim).strip("$")
            held = stated if rf"\eqref{{eq:{name}}}" in proof else ""
            body = re.sub(r" ?[.,;:]?\s*\\end\{", r"\\end{", proof + held)
            assert any(re.sub(r"\s*\\end\{", r"\\end{", formula) in body for formula in shown)
    assert re.findall(r"\\status\{([^}]*)\}", stated) == [entry.status]
    marks = [set(mark.split(", ")) for mark in re.findall(r"\\status\{([^}]*)\}", proof)]
    assert set().union(*marks) == {result.status.value for result in entry.report.results}
    assert all(
        left or right for left, right in re.findall(r"(?s)\\begin\{equation(\*?)\}(.)", text)
    )


@pytest.mark.slow
def test_a_failed_step_says_so_in_print():
    wrong = _wrong_sgd()
    text = wrong.latex()
    assert "The check of this step failed" in text
    assert r"\status{failed}" in text
    assert "FAILED" in article((*all_checked(), checked_proof(wrong)))
    assert r"\let\qedsymbol\relax" in wrong.latex(fragment=True)
    assert r"\let\qedsymbol\relax" not in fragment(checked("sgd"))
    assert "[failed; Trigonometry.v: modulus_squared]" in wrong.text()
    assert "*failed.*" in wrong.markdown()
    assert 'class="status failed"' in proof_html(checked_proof(wrong))


@pytest.mark.slow
def test_a_conclusion_that_is_not_the_statement_is_seen_in_print():
    claim = ds.derive("sgd").step("distance").claim
    wrong = ds.derive("sgd").with_step("conclusion", claim=claim)
    assert "does not conclude what is stated" in wrong.latex(fragment=True)
    assert "does not conclude what is stated" in wrong.markdown()


@pytest.mark.slow
def test_what_is_only_tested_is_not_called_a_proof():
    step = ds.derive("sgd").with_step("modulus", check=checks.Tested(lambda claim: (7, "")))
    tested = checked_proof(step)
    assert tested.status == "tested"
    text = fragment(tested)
    assert r"\begin{proof}[Derivation]\let\qedsymbol\relax" in text
    assert "**Derivation.**" in markdown(tested)
    assert "**Proof.**" in markdown(checked("sgd"))


@pytest.mark.slow
def test_only_what_is_needed_is_told_with_a_theorem():
    told = {entry.name for entry in entries(collected([checked("shifted-momentum")]))}
    assert told == {"shifted-momentum", "heavy-ball"}
    text = ds.derive("shifted-momentum").latex()
    assert "The results on one page" not in text
    assert text.index(r"\label{thm:heavy-ball}") < text.index(r"\label{thm:shifted-momentum}")


@pytest.mark.slow
def test_printing_is_the_same_from_run_to_run():
    program = (
        "import hashlib; from delaystability.printing.article import article;"
        "from delaystability.printing.theory_page import theory_page;"
        "from delaystability.theory.registry import checked;"
        f"chosen = [checked(name) for name in {FEW}];"
        "text = article(chosen) + theory_page(chosen);"
        "print(hashlib.sha256(text.encode()).hexdigest())"
    )
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


@pytest.mark.slow
@needs_latex
def test_the_article_compiles_without_error_overfull_line_or_undefined_reference(tmp_path):
    log = compiled(article(all_checked()), tmp_path)
    assert all(width <= 5 for width in overfull(log)), overfull(log)
    assert "undefined" not in log
    assert "multiply" not in log
    assert (tmp_path / "article.pdf").stat().st_size > 50_000


@pytest.mark.slow
@needs_latex
@pytest.mark.parametrize("name", ["sgd-lower-bound", "delayed-loop"])
def test_a_single_derivation_compiles_with_all_that_it_needs(name, tmp_path):
    log = compiled(ds.derive(name).latex(), tmp_path)
    assert "undefined" not in log
    assert not overfull(log)


@pytest.mark.slow
@needs_latex
def test_errors_in_the_latex_are_noticed(tmp_path):
    text = article([checked("ema-momentum")])
    with pytest.raises(AssertionError):
        compiled(text.replace(r"\begin{proof}", r"\begin{prof}", 1), tmp_path)
    unknown = text.replace(r"\cref{thm:heavy-ball}", r"\cref{thm:no-such}")
    assert unknown != text
    assert "undefined" in compiled(unknown, tmp_path)
    wide = text.replace(r"\end{document}", r"\noindent\rule{500pt}{1pt}\end{document}")
    assert overfull(compiled(wide, tmp_path))


@pytest.mark.slow
def test_a_fragment_has_no_preamble():
    text = ds.derive("sgd").latex(fragment=True)
    assert r"\documentclass" not in text
    assert r"\section" not in text
    assert r"\label{thm:sgd}" in text


@pytest.mark.slow
@pytest.mark.parametrize("name", each(NAMES))
def test_text_and_markdown_hold_every_step(name):
    entry = checked(name)
    text, marked = plain(entry), markdown(entry)
    for number in range(1, len(entry.steps) + 1):
        assert f"({number}) [" in text
        assert f"({number}) *" in marked
    assert "\\" not in text
    assert max(map(len, text.splitlines())) < 140
    assert all(line == line.rstrip() for line in text.splitlines())
    assert marked.count("$$") % 2 == 0
    assert "{" not in re.sub(r"\$[^$]*\$", "", marked.replace("$$", "$"))


@pytest.mark.quick(24)
@pytest.mark.parametrize("name", each(NAMES))
def test_markdown_formulas_survive_any_reader_of_markdown(name):
    text = markdown(checked(name))
    formulas = re.findall(r"\$\$\n(.*?)\n\$\$|\$([^$\n]+)\$", text, re.DOTALL)
    assert formulas
    page = MarkdownIt("commonmark").enable("table").render(text)
    words = escaping.unescape(re.sub(r"<[^>]*>", "", page))
    for display, inline in formulas:
        formula = display or inline
        assert formula in words
        assert not re.search(r"\\[^A-Za-z ]|\\[bB]igg?[lr]|[|*]", formula)
    # A display stands between blank lines.
    assert not re.search(r"[^\n]\n\$\$\n[^$]*\n\$\$\n\n", text)


def test_a_careless_formula_would_not_survive():
    page = MarkdownIt("commonmark").render(r"the set $\{a_*, b_*\}$")
    assert r"\{a_*, b_*\}" not in re.sub(r"<[^>]*>", "", page)


@pytest.mark.slow
def test_the_page_of_all_theorems_links_what_it_holds():
    text = theory_page(all_checked())
    anchors = re.findall(r'<a id="([^"]*)"></a>', text)
    assert anchors == [f"theorem-{name}" for name in NAMES]
    assert set(re.findall(r"\(#([^)]*)\)", text)) == set(anchors)
    assert text.count("<details>") == text.count("</details>") == len(NAMES)
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert all(line.count("|") == 7 for line in tables)
    assert all(f"- [{key}] " in text for key in LITERATURE)


@pytest.mark.slow
def test_the_committed_page_is_up_to_date():
    page = Path(__file__).parent.parent / "docs" / "theory.md"
    assert page.read_text(encoding="utf-8") == theory_page(all_checked()), (
        "write it again: python -m delaystability.printing.theory_page > docs/theory.md"
    )


class _Balance(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.formulas, self.targets = [], 0, []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.formulas += tag == "math"
        self.targets += [value[1:] for key, value in attrs if key == "href"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("name", each(NAMES))
def test_html_is_well_formed_and_holds_every_step(name):
    entry = checked(name)
    parser = _Balance()
    parser.feed(statement_html(entry) + proof_html(entry))
    assert not parser.open
    assert parser.formulas >= len([step for step in entry.steps if step.claim is not None])
    assert set(parser.targets) <= {*NAMES, *LITERATURE}


def test_a_template_with_an_unknown_name_is_refused():
    style = Style(str, lambda formula, mark: mark, str, lambda key, opening: key, str)
    with pytest.raises(ValueError, match="text needs the formula 'missing'"):
        fill("a {missing} one", {}, style)


def test_displays_end_as_the_sentence_asks():
    assert punctuation_before(" where {x} is") == ","
    assert punctuation_before("and its") == ","
    assert punctuation_before(" The root") == "."
    assert punctuation_before("holds for all") == ""
    assert punctuation_before("") == "."
    style = Style(
        str, lambda formula, mark: f"<{formula}{mark}>", str, lambda key, opening: key, str
    )
    assert fill("Let {display:x}. Then", {"x": "y"}, style) == "Let <y.> Then"


def test_references_to_theorems_begin_sentences_with_a_capital():
    style = Style(str, lambda formula, mark: mark, str, lambda key, opening: str(opening), str)
    assert fill("By {lemma}. {theorem:sgd} says", {}, style) == "By False. True says"


@pytest.mark.parametrize("name", ["sgd", "sgd-lower-bound"])
def test_a_notebook_shows_a_derivation_in_markdown(name):
    derivation = ds.derive(name)
    assert derivation._repr_markdown_() == derivation.markdown() == markdown(checked(name))


@dataclass(frozen=True)
class _Counted(Check):
    """A check that counts how often it is carried out."""

    check: Check
    runs: list

    def __call__(self, claim):
        self.runs.append(claim)
        return self.check(claim)


@pytest.mark.slow
def test_a_derivation_is_checked_once_however_often_it_is_printed():
    runs = []
    counted_check = _Counted(ds.derive("sgd").step("modulus").check, runs)
    derivation = ds.derive("sgd").with_step("modulus", check=counted_check)
    assert not runs
    assert derivation.check() is derivation.check()
    assert derivation.status() == "exact"
    for printed in (derivation.markdown(), derivation.text(), derivation.latex()):
        assert printed
    assert derivation.latex(fragment=True) and derivation._repr_markdown_()
    assert len(runs) == 1
    # The same derivation built again is another object, and is checked again.
    assert replace(derivation).check().ok and len(runs) == 2


@pytest.mark.slow
def test_a_derivation_of_the_registry_shares_its_check_with_the_pages():
    assert ds.derive("sgd").check() is checked("sgd").report
    assert ds.derive(ds.SGD).check() is checked("sgd").report
    spoiled = _wrong_sgd()
    assert spoiled.check() is not checked("sgd").report and not spoiled.check().ok
