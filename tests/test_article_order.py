"""The order of the article: numbered results, what belongs to them, and one page of them all."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

import delaystability as ds
from delaystability.printing import latex
from delaystability.printing.article import article
from delaystability.printing.bounds_json import bounds_data
from delaystability.printing.collection import needs
from delaystability.printing.formal import proved_in
from delaystability.printing.html import prior_art_html
from delaystability.printing.markdown import markdown
from delaystability.printing.text import plain
from delaystability.printing.theory_page import theory_page
from delaystability.theory import registry
from delaystability.theory.derivation import Proof
from delaystability.theory.proofs import sgd
from delaystability.theory.registry import all_proofs, named, names, numbered, result_name
from tests.printed import all_checked, compiled, needs_latex

NUMBERED = ("theorem", "lemma")
UNDER = ("corollary", "remark", "example")


@pytest.fixture(name="proofs", scope="module")
def proofs_fixture() -> dict[str, Proof]:
    """Every proof by its name."""
    return {proof.name: proof for proof in all_proofs()}


def rests_on(name: str, proofs: dict[str, Proof]) -> set[str]:
    """All that the proof rests on, directly or not."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        for other in proofs[waiting.pop()].requires:
            if other not in found:
                found.add(other)
                waiting.append(other)
    return found


def forward_references(proofs: dict[str, Proof]) -> list[tuple[str, str]]:
    """Which results rest on, or refer to, later ones."""
    place = {name: k for k, name in enumerate(names())}
    return [(n, o) for n in names() for o in needs(proofs[n]) if place[o] > place[n]]


def test_about_35_results_are_numbered_and_the_others_belong_to_them(proofs):
    kinds = [proof.theorem.kind for proof in proofs.values()]
    assert 30 <= sum(kind in NUMBERED for kind in kinds) <= 40
    assert set(kinds) == {*NUMBERED, *UNDER}
    for proof in proofs.values():
        assert (proof.theorem.kind in UNDER) == bool(proof.theorem.of)


def test_what_belongs_to_a_result_follows_it_and_has_a_number_under_it(proofs):
    number, last = numbered(), ""
    for name in names():
        of = proofs[name].theorem.of
        if of:
            assert of == last
            assert re.fullmatch(rf"{number[of]}\.\d+", number[name])
        else:
            last = name
    assert len(set(number.values())) == len(names())
    assert [number[n] for n in ("delayed-loop", "sgd", "sgd-upper-bound")] == ["1", "2", "2.1"]
    assert result_name("sgd-upper-bound") == "Corollary 2.1"
    assert result_name("no-such") == ""


def test_no_result_rests_on_a_later_one(proofs):
    assert not forward_references(proofs)


def test_a_result_that_rests_on_a_later_one_would_be_seen(proofs):
    text = "{theorem:adam-two-cycle}"
    wrong = replace(proofs["sgd"], theorem=replace(proofs["sgd"].theorem, text=text))
    assert forward_references({**proofs, "sgd": wrong}) == [("sgd", "adam-two-cycle")]


@pytest.mark.parametrize("kind", ["corollary", "example"])
def test_corollaries_and_examples_rest_on_what_they_belong_to(kind, proofs):
    chosen = [proof for proof in proofs.values() if proof.theorem.kind == kind]
    assert chosen
    for proof in chosen:
        assert proof.theorem.of in rests_on(proof.name, proofs), proof.name


def test_what_belongs_to_nothing_or_to_a_corollary_is_refused(monkeypatch):
    for of in ("no-such", "sgd-upper-bound"):
        moved = replace(sgd.sgd_long_delay, of=of)
        monkeypatch.setattr(sgd, "sgd_long_delay", moved)
        registry._entries.cache_clear()
        with pytest.raises(ValueError, match=f"'sgd-long-delay' must be of.*got '{of}'"):
            registry.parts()
    registry._entries.cache_clear()
    with pytest.raises(ValueError, match="of must fit"):
        replace(sgd.sgd, of="delayed-loop")
    with pytest.raises(ValueError, match="of must fit"):
        replace(sgd.sgd_long_delay, of="")


@pytest.mark.slow
def test_json_tells_number_and_place():
    told = [registry.checked(name) for name in ("sgd", "sgd-upper-bound")]
    found = [(t["number"], t["kind"], t["of"]) for t in bounds_data(told, "0")["theorems"]]
    assert found == [("2", "theorem", ""), ("2.1", "corollary", "sgd")]


@pytest.mark.slow
def test_the_page_of_theory_tells_formula_domain_status_and_line_of_every_result():
    page = theory_page(all_checked())
    first = page.index("## The results at a glance"), page.index("### Corollaries")
    rows = [r for r in page[slice(*first)].splitlines() if re.match(r"\| \d", r)]
    main = [entry for entry in all_checked() if not entry.theorem.of]
    assert len(rows) == len(main)
    for row, entry in zip(rows, main, strict=True):
        number, title, claim, _, status, rocq = (cell.strip() for cell in row.split("|")[1:-1])
        assert number == numbered()[entry.name]
        assert f"#theorem-{entry.name}" in title
        assert claim.startswith("$")
        assert status.split(",")[0] == entry.status
        proof = proved_in(entry.theorem)
        assert rocq == (f"[line {proof.line}](../{proof.file}#L{proof.line})" if proof else "")


@pytest.mark.slow
@needs_latex
def test_the_numbered_results_stand_on_one_page_with_the_numbers_of_the_registry(tmp_path):
    text = article(all_checked())
    compiled(text, tmp_path)
    aux = (tmp_path / "article.aux").read_text(encoding="utf-8")
    labels = dict(re.findall(r"\\newlabel\{thm:([\w-]+)\}\{\{([\d.]+)\}", aux))
    assert labels == dict(numbered())
    table = text[text.index(r"\label{sec:results}") : text.index(r"\restoregeometry")]
    main = [entry for entry in all_checked() if not entry.theorem.of]
    for entry in main:
        row = next(r for r in table.split(r"\ref{thm:")[1:] if r.startswith(f"{entry.name}}}"))
        proof = proved_in(entry.theorem)
        assert f"& {entry.status} &" in row
        assert not proof or str(proof.line) in row.rsplit("&", 1)[1]
    # The section begins on the page before the next one: its table has no second page.
    pages = dict(re.findall(r"\\newlabel\{sec:([\w-]+)\}\{\{[\w.]+\}\{(\d+)\}", aux))
    following = registry.parts()[0].label
    assert int(pages[following]) == int(pages["results"]) + 1


def test_a_corollary_alone_is_told_with_what_it_belongs_to():
    assert "delayed-loop" in needs(named("adjustment"))
    assert ds.derive("adjustment").theorem.of == "delayed-loop"


def test_every_numbered_result_says_what_was_known_before(proofs):
    for proof in proofs.values():
        if proof.theorem.of:
            continue
        text = proof.theorem.prior_art
        refers = "{cite:" in text or "{theorem:" in text
        assert refers or "found elsewhere" in text or "textbook" in text or "exercise" in text


@pytest.mark.parametrize(
    ("printed", "words"),
    [
        (latex.fragment, r"\emph{Prior art.} The threshold is that of a population model"),
        (markdown, "*Prior art.* The threshold is that of a population model [levin1976]."),
        (plain, "Prior art. The threshold is that of a population model [levin1976]."),
        (prior_art_html, "<i>Prior art.</i> The threshold is that of a population model"),
    ],
)
def test_prior_art_is_printed_with_its_theorem_and_nowhere_else(printed, words):
    assert words in printed(registry.checked("sgd"))
    assert "Prior art" not in printed(registry.checked("sgd-upper-bound"))
