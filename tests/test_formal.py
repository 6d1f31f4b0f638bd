"""The proofs in Rocq: statements printed from the registry, and the record of what was checked."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from sympy import Rational

import delaystability as ds
from delaystability.printing.formal import formal_proof, known_as, part_of
from delaystability.printing.rocq import NotInRocqError, rocq_name, rocq_statement
from delaystability.theory.registry import checked, named, names
from delaystability.theory.symbols import m

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
PROVED = {
    rocq_name(name): statement
    for name, statement in print_statements.known_statements().items()
    if rocq_name(name) in RECORD["theorems"]
}


def _changed(statement):
    """The statement with a formula that is off by 1e-9, to the side on which it is false."""
    relation = statement.relation
    factor = 1 + (-1 if relation.rel_op == "<=" else 1) * Rational(1, 10**9)
    return replace(statement, relation=relation.func(relation.lhs, factor * relation.rhs))


def test_statements_are_what_the_registry_prints():
    theorems = (FORMAL / "Theorems.v").read_text()
    assert (FORMAL / "Statements.v").read_text() == print_statements.statements_text(theorems)
    assert len(PROVED) == len(RECORD["theorems"]) >= 20


def test_recorded_hashes_are_those_of_the_committed_sources():
    stated = check.statements((FORMAL / "Statements.v").read_text())
    recorded = {name: entry["statement_sha256"] for name, entry in RECORD["theorems"].items()}
    assert recorded == {name: check.statement_hash(text) for name, text in stated.items()}
    assert RECORD["proof_sha256"] == check.proof_hash()


@pytest.mark.parametrize("name", sorted(PROVED))
def test_a_changed_formula_has_another_hash(name):
    recorded = RECORD["theorems"][name]["statement_sha256"]
    assert check.statement_hash(rocq_statement(PROVED[name])) == recorded
    assert check.statement_hash(rocq_statement(_changed(PROVED[name]))) != recorded


def test_a_theorem_is_formal_exactly_while_it_states_what_was_proved():
    formal = {rocq_name(name) for name in names() if formal_proof(named(name).theorem)}
    assert formal | {"shifted_momentum_from_0"} == set(RECORD["theorems"])
    theorem = named("sgd").theorem
    assert formal_proof(replace(theorem, statement=_changed(theorem.statement))) is None
    wider = replace(named("nesterov").theorem.statement, domain=(m > -1, m < 1))
    assert formal_proof(replace(named("nesterov").theorem, statement=wider)) is None
    assert formal_proof(named("mean-square-sgd").theorem) is None
    shifted = named("shifted-momentum").theorem
    assert formal_proof(shifted) is None and part_of(shifted).name == "shifted_momentum_from_0"


def test_the_mark_is_printed_and_the_line_is_that_of_the_proof():
    assert known_as(checked("sgd")) == "exact, formal"
    assert known_as(checked("shifted-momentum")) == "exact, formal in part"
    assert known_as(checked("mean-square-sgd")) == "exact"
    assert "(exact, formal)" in ds.derive("sgd").markdown()
    proof = ds.derive("heavy-ball").formal()
    line = (FORMAL.parent / proof.file).read_text().splitlines()[proof.line - 1]
    assert line == "Theorem heavy_ball : heavy_ball_statement."


def test_what_rocq_does_not_define_is_not_printed():
    for name in ("mean-square-sgd", "spike-compensation", "heavy-ball-algebraic"):
        with pytest.raises(NotInRocqError):
            rocq_statement(named(name).theorem.statement)


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


_WIDER = {
    "heavy_ball": ("m > -1", "m >= -1"),
    "heavy_ball_delay_1": ("m < 1", "m <= 1"),
    "nesterov": ("m < 1", "m <= 1"),
}
"""Conditions made weaker by a point at which the theorem is false."""


def _variants(name):
    """The statement of a theorem, changed: each variant is false."""
    yield rocq_statement(_changed(PROVED[name]))
    if name in _WIDER:
        yield rocq_statement(PROVED[name]).replace(*_WIDER[name])


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
def test_no_proof_is_one_of_a_false_variant(compiled):
    start = (compiled / "Statements.v").read_text().partition("Definition")[0]
    lines = [start, "From DelayStability Require Theorems."]
    for name in PROVED:
        lines.append(f"Definition {name}_stated : Prop :=\n{rocq_statement(PROVED[name])}")
        lines.append(f"Check (Theorems.{name} : {name}_stated).")
        for number, text in enumerate(_variants(name)):
            variant = f"{name}_false_{number}"
            assert text != rocq_statement(PROVED[name])
            lines.append(f"Definition {variant} : Prop :=\n{text}")
            lines.append(f"Fail Check (Theorems.{name} : {variant}).")
    file = compiled / "Variants.v"
    file.write_text("\n".join(lines) + "\n")
    check.coqc(file, compiled)
    file.write_text("\n".join(lines).replace("Fail Check", "Check") + "\n")
    with pytest.raises(check.RefusedError, match="does not compile"):
        check.coqc(file, compiled)


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
