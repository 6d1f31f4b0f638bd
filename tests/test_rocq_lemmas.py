"""The elementary proofs name the lemmas of formal/ that prove the same, in the same order."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

import delaystability as ds
from delaystability.printing.formal import lemmas_in_rocq
from delaystability.printing.html import proof_html
from delaystability.theory.derivation import Step
from delaystability.theory.registry import all_proofs, checked, named

FORMAL = Path(__file__).parents[1] / "formal"
ELEMENTARY = {
    "sgd": ("Sgd",),
    "heavy-ball": ("HeavyBall", "HeavyBallUnstable"),
    "ema-momentum": ("Ema",),
    "shifted-momentum": (
        "Shifted",
        "ShiftedUnstable",
        "ShiftedNegative",
        "ShiftedNegativeUnstable",
    ),
    "nesterov": ("Nesterov", "NesterovUnstable", "NesterovThreshold"),
}
"""The theorems whose proof is the one in Rocq, and the chapters that are about them alone."""


@cache
def stated(chapter: str) -> dict[str, int]:
    """What a file states or defines, with the line."""
    text = (FORMAL / f"{chapter}.v").read_text()
    found = re.finditer(r"^(?:Lemma|Theorem|Definition) (\w+)", text, flags=re.MULTILINE)
    return {match[1]: text[: match.start()].count("\n") + 1 for match in found}


def unknown(steps: Iterable[Step]) -> list[str]:
    """The lemmas that no file has."""
    lemmas = [lemma for step in steps for lemma in step.rocq]
    files = {path.stem for path in FORMAL.glob("*.v")}
    return [
        lemma
        for lemma in lemmas
        if lemma.partition(".")[0] not in files
        or lemma.partition(".")[2] not in stated(lemma.partition(".")[0])
    ]


def out_of_order(steps: Iterable[Step], chapters: tuple[str, ...]) -> list[str]:
    """The lemmas of these chapters that stand before one that was named earlier."""
    places = [
        (chapters.index(chapter), stated(chapter)[name], lemma)
        for step in steps
        for lemma in step.rocq
        for chapter, _, name in [lemma.partition(".")]
        if chapter in chapters
    ]
    return [
        lemma
        for number, (*place, lemma) in enumerate(places)
        if any(place < other[:-1] for other in map(list, places[:number]))
    ]


def test_every_lemma_that_a_step_names_is_in_its_file():
    assert not unknown(step for proof in all_proofs() for step in proof.steps)
    assert {proof.name for proof in all_proofs() if proof.steps[-1].rocq} == set(ELEMENTARY)


@pytest.mark.parametrize("name", ELEMENTARY)
def test_every_step_names_a_lemma_and_all_stand_in_the_order_of_the_file(name):
    steps = named(name).steps
    assert all(step.rocq for step in steps)
    assert not out_of_order(steps, ELEMENTARY[name])
    told = {lemma.partition(".")[0] for step in steps for lemma in step.rocq}
    assert told >= {*ELEMENTARY[name], "Recursion", "Loop", "Theorems"}


@pytest.mark.parametrize("name", ELEMENTARY)
def test_the_last_step_is_the_theorem_that_the_kernel_checked(name):
    last, theorem = named(name).steps[-1].rocq[-1], ds.derive(name).formal()
    assert last == f"Theorems.{theorem.name}"
    assert stated("Theorems")[theorem.name] == theorem.line


def test_a_lemma_of_another_name_file_or_place_is_noticed():
    steps = named("sgd").steps
    for wrong in ("Sgd.sgd_polars", "Sgdd.sgd_polar", "HeavyBall.sgd_polar", "sgd_polar"):
        changed = [replace(step, rocq=(wrong,)) if step.rocq else step for step in steps[2:3]]
        assert unknown(changed) == [wrong]
    assert out_of_order(steps[::-1], ("Sgd",))
    swapped = (*steps[:2], steps[3], steps[2], *steps[4:])
    assert out_of_order(swapped, ("Sgd",)) == ["Sgd.sgd_polar"]


def test_the_lemmas_of_a_step_are_named_with_their_files():
    step = named("sgd").step("polar")
    assert lemmas_in_rocq(step) == "Loop.v: threshold_intro; Sgd.v: sgd_polar"
    assert lemmas_in_rocq(replace(step, rocq=())) == ""


@pytest.mark.slow
def test_every_format_has_the_lemmas_beside_the_steps():
    derivation = ds.derive("sgd")
    assert "*proved.* [`Loop.v: threshold_intro; Sgd.v: sgd_polar`] Let" in derivation.markdown()
    latex = derivation.latex(fragment=True)
    assert (
        r"\status{proved}\rocq{Loop.v: threshold\_\allowbreak intro; Sgd.v: sgd\_\allowbreak polar}"
        in latex
    )
    below = ds.derive("shifted-momentum").latex(fragment=True)
    assert r"Shifted\allowbreak Negative\allowbreak Unstable.v: start\_\allowbreak gain" in below
    assert "[proved; Loop.v: threshold_intro; Sgd.v: sgd_polar]" in " ".join(
        derivation.text().split()
    )
    html = proof_html(checked("sgd"))
    assert '<code class="rocq">Loop.v: threshold_intro; Sgd.v: sgd_polar</code>' in html
    assert "\\rocq" not in ds.derive("sgd-upper-bound").latex(fragment=True)
