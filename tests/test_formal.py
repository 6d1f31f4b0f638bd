"""The proofs in Rocq: statements printed from the registry, and the record of what was checked."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from sympy import Piecewise, Rational, chebyshevu

import delaystability as ds
from delaystability.printing import formal
from delaystability.printing.formal import formal_proof, known_as, known_by, part_of
from delaystability.printing.rocq import (
    NotInRocqError,
    rocq_expression,
    rocq_name,
    rocq_statement,
)
from delaystability.theory.registry import checked, named, names
from delaystability.theory.statement import Statement
from delaystability.theory.symbols import m, tau

FORMAL = Path(__file__).parents[1] / "formal"


def _script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"formal_{name}", FORMAL / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


check = _script("check")
print_statements = _script("print_statements")
RECORD = json.loads((FORMAL / "verified.json").read_text())
off_by_a_little = print_statements.off_by_a_little


@cache
def proved() -> dict[str, Statement]:
    """What the proofs state, as the registry has it, by the name in Rocq."""
    known = print_statements.known_statements().items()
    return {rocq_name(n): s for n, s in known if rocq_name(n) in RECORD["theorems"]}


@cache
def all_variants() -> dict[str, tuple[str, str, str]]:
    """The printed variants: what each is a variant of, in words, and as Rocq reads it."""
    return {
        variant: (rocq_name(name), words, text)
        for name, statement in print_statements.known_statements().items()
        if rocq_name(name) in proved()
        for variant, words, text in print_statements.variants(name, statement)
    }


def test_statements_are_what_the_registry_prints():
    theorems = (FORMAL / "Theorems.v").read_text()
    assert (FORMAL / "Statements.v").read_text() == print_statements.statements_text(theorems)
    assert (FORMAL / "Variants.v").read_text() == print_statements.variants_text(theorems)
    assert len(proved()) == len(RECORD["theorems"]) >= 42


def test_recorded_hashes_are_those_of_the_committed_sources():
    stated = check.statements((FORMAL / "Statements.v").read_text())
    recorded = {name: entry["statement_sha256"] for name, entry in RECORD["theorems"].items()}
    assert recorded == {name: check.statement_hash(text) for name, text in stated.items()}
    assert RECORD["proof_sha256"] == check.proof_hash()


@pytest.mark.parametrize("name", sorted(RECORD["theorems"]))
def test_a_changed_formula_has_another_hash(name):
    recorded = RECORD["theorems"][name]["statement_sha256"]
    assert check.statement_hash(rocq_statement(proved()[name])) == recorded
    assert check.statement_hash(rocq_statement(off_by_a_little(proved()[name]))) != recorded


def test_a_theorem_is_formal_exactly_while_it_states_what_was_proved():
    found = {rocq_name(name) for name in names() if formal_proof(named(name).theorem)}
    assert found == set(RECORD["theorems"])
    theorem = named("sgd").theorem
    assert formal_proof(replace(theorem, statement=off_by_a_little(theorem.statement))) is None
    wider = replace(named("nesterov").theorem.statement, domain=(m > -1, m < 1))
    assert formal_proof(replace(named("nesterov").theorem, statement=wider)) is None
    assert formal_proof(named("mean-square-sgd").theorem) is None


def test_a_theorem_that_is_proved_on_a_part_of_its_domain_says_so(monkeypatch):
    theorem = named("nesterov").theorem
    wider = replace(theorem.statement, domain=(m > -1, m < 1))
    entry = SimpleNamespace(status="exact", theorem=replace(theorem, statement=wider))
    assert known_as(entry) == "exact"
    monkeypatch.setattr(formal, "PARTS", {"nesterov": ("nesterov", (m >= 0, m < 1))})
    assert known_as(entry) == "exact, formal in part"
    assert part_of(entry.theorem).name == "nesterov"


@pytest.mark.slow
def test_the_mark_is_printed_and_the_line_is_that_of_the_proof():
    assert known_as(checked("sgd")) == "exact, formal"
    assert known_as(checked("shifted-momentum")) == "exact, formal"
    assert known_as(checked("mean-square-sgd")) == "exact"
    assert "(exact, formal)" in ds.derive("sgd").markdown()
    assert known_by(checked("shifted-momentum")) == "exact, formal"
    assert known_by(checked("mean-square-sgd")) == "exact, algebra"
    assert ds.derive("mean-square-sgd").evidence() == "algebra"
    proof = ds.derive("heavy-ball").formal()
    line = (FORMAL.parent / proof.file).read_text().splitlines()[proof.line - 1]
    assert line == "Theorem heavy_ball : heavy_ball_statement."


def test_what_rocq_does_not_define_is_not_printed():
    for name in ("mean-square-sgd", "spike-compensation", "nesterov-algebraic"):
        with pytest.raises(NotInRocqError):
            rocq_statement(named(name).theorem.statement)


def test_cases_and_polynomials_are_printed_as_they_are_meant():
    below = Piecewise((m, m < Rational(-1, 2)), (1, True))
    assert rocq_expression(below) == "if Rlt_dec m (- (1 / 2)) then m else 1"
    assert rocq_expression(chebyshevu(tau - 2, m)) == "chebyshev_U (Z.of_nat tau - 2) m"
    assert rocq_expression(chebyshevu(tau + 1, m)) == "chebyshev_U (Z.of_nat tau + 1) m"
    weak = Piecewise((m, m <= Rational(-1, 2)), (1, True))
    three = Piecewise((m, m < 0), (2, m < 1), (1, True))
    for expression in (weak, three, chebyshevu(2 * tau, m)):
        with pytest.raises(NotInRocqError, match="must be"):
            rocq_expression(expression)


def test_every_axiom_is_one_of_the_reals():
    used = {axiom for entry in RECORD["theorems"].values() for axiom in entry["axioms"]}
    assert used == set(RECORD["axioms"]) <= set(check.AXIOMS)


@pytest.mark.parametrize(
    "line",
    [
        "Admitted.",
        "Proof. admit. Admitted.",
        "Axiom magic : forall P : Prop, P.",
        "Parameter magic : False.",
        "Conjecture magic : False.",
        "Unset Guard Checking.",
        "Unset Universe Checking.",
    ],
)
def test_a_source_that_assumes_is_refused(tmp_path, line):
    source = tmp_path / "Wrong.v"
    source.write_text(f"(* fine (* nested *) *)\n{line}\n")
    with pytest.raises(check.RefusedError, match=r"Wrong\.v says"):
        check.refuse_forbidden([source])
    source.write_text(f"(* {line} *)\nLemma fine : True. Proof. exact I. Qed.\n")
    check.refuse_forbidden([source])


def test_every_sign_of_a_statement_has_a_variant():
    for name, statement in proved().items():
        text = rocq_statement(statement)
        _, _, conclusion = text.rpartition("->")
        kinds = [
            variant.removeprefix(name) for variant, of in all_variants().items() if of[0] == name
        ]
        closed = sum("_closed_" in kind for kind in kinds)
        strict = sum("_strict_" in kind for kind in kinds)
        assert closed == len(re.findall(r" [<>] ", text))
        assert strict == len(re.findall(r" [<>]= ", conclusion))
        assert "_factor" in kinds
        assert any("_moved_" in kind for kind in kinds) == ("INR tau >= 1" in text)
    assert all(text != rocq_statement(proved()[of]) for of, _, text in all_variants().values())


def test_every_variant_is_decided_by_a_proof():
    variants = check.decided()
    assert variants == RECORD["variants"]
    assert sum(map(len, variants.values())) == len(all_variants())
    assert not [name for name in variants["true"] if name.endswith("_factor")]
    assert not variants["in_words"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Lemma sgd_factor_false", "Lemma sgd_false_factor", r"not: \['sgd_factor'\]"),
        ("sgd_factor_false : ~ sgd_factor.", "sgd_factor_false : sgd_factor.", "must decide"),
        ("sgd_factor_false : ~ sgd_factor.", "sgd_factor_false : ~ False.", "must decide"),
        ("Lemma sgd_factor_false", "Lemma sgd_upper_bound_factor_false : ~ ", "once each|decide"),
    ],
)
def test_a_variant_that_is_not_decided_is_refused(tmp_path, old, new, message):
    for file in (FORMAL / "Variants.v", *FORMAL.glob("Sharpness*.v")):
        shutil.copy(file, tmp_path)
    text = (FORMAL / "SharpnessSgd.v").read_text()
    assert old in text
    (tmp_path / "SharpnessSgd.v").write_text(text.replace(old, new))
    with pytest.raises(check.RefusedError, match=message):
        check.decided(tmp_path)


def test_a_variant_that_two_chapters_decide_is_refused(tmp_path):
    for file in (FORMAL / "Variants.v", *FORMAL.glob("Sharpness*.v")):
        shutil.copy(file, tmp_path)
    assert check.decided(tmp_path) == RECORD["variants"]
    with (tmp_path / "SharpnessForms.v").open("a") as chapter:
        chapter.write("\nLemma sgd_factor_false : ~ sgd_factor.\n")
    with pytest.raises(check.RefusedError, match=r"once each.*\['sgd_factor'\]"):
        check.decided(tmp_path)


def test_for_every_loop_stable_means_that_every_run_tends_to_zero(tmp_path):
    assert check.meanings() == RECORD["stable_means"] and len(RECORD["stable_means"]) >= 5
    for name in ("Loop.v", "Recursion.v"):
        text = (FORMAL / name).read_text()
        (tmp_path / name).write_text(text.replace("Theorem nesterov_stable", "Theorem stable"))
    with pytest.raises(check.RefusedError, match=r"no meaning of stable for .*nesterov"):
        check.meanings(tmp_path)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """A folder in which everything was compiled once."""
    if shutil.which("coqc") is None:
        pytest.skip("Rocq is not installed")
    folder = tmp_path_factory.mktemp("rocq")
    check.compile_all(folder)
    return folder


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_proof_is_one_of_a_variant(compiled):
    lines = ["From DelayStability Require Variants Theorems."]
    lines += [
        f"Fail Check (Theorems.{of} : Variants.{variant})."
        for variant, (of, _, _) in all_variants().items()
    ]
    file = compiled / "Refused.v"
    file.write_text("\n".join(lines) + "\n")
    check.coqc(file, compiled)
    file.write_text("\n".join(lines).replace("Fail Check", "Check") + "\n")
    with pytest.raises(check.RefusedError, match="does not compile"):
        check.coqc(file, compiled)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_kernel_decides_the_variants_and_refuses_the_opposite(compiled, tmp_path):
    assert check.audited_variants(compiled) == RECORD["variants"]
    folder = Path(shutil.copytree(compiled, tmp_path / "rocq"))
    text = (folder / "SharpnessSgd.v").read_text()
    wrong = text.replace("sgd_factor_false : ~ sgd_factor.", "sgd_factor_true : sgd_factor.")
    (folder / "SharpnessSgd.v").write_text(wrong)
    with pytest.raises(check.RefusedError, match=r"Audit\.v does not compile"):
        check.audited_variants(folder)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_proof_that_rests_on_another_axiom_is_refused(compiled, tmp_path):
    folder = Path(shutil.copytree(compiled, tmp_path / "rocq"))
    text = (folder / "Statements.v").read_text()
    start, stated = text.partition("Definition")[0], check.statements(text)["sgd"]
    (folder / "Statements.v").write_text(f"{start}Definition sgd_statement : Prop :=\n{stated}\n")
    (folder / "Theorems.v").write_text(
        "From DelayStability Require Import Statements.\nAxiom magic : sgd_statement.\n"
        "Theorem sgd : sgd_statement.\nProof. exact magic. Qed.\n"
    )
    for name in ("Statements.v", "Theorems.v"):
        check.coqc(folder / name, folder)
    with pytest.raises(check.RefusedError, match=r"sgd rests on .*magic, which is no axiom"):
        list(check.audited(folder))
