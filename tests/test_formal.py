"""The proofs in Rocq: statements printed from the registry, and the record of what was checked."""

from __future__ import annotations

import importlib.util
import json
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from sympy import Rational

from delaystability.printing.rocq import rocq_name, rocq_statement
from delaystability.theory.registry import named, names

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
PROVED = {rocq_name(name): name for name in names() if rocq_name(name) in RECORD["theorems"]}


def test_statements_are_what_the_registry_prints():
    theorems = (FORMAL / "Theorems.v").read_text()
    assert (FORMAL / "Statements.v").read_text() == print_statements.statements_text(theorems)
    assert len(PROVED) == len(RECORD["theorems"]) >= 11


def test_recorded_hashes_are_those_of_the_committed_sources():
    stated = check.statements((FORMAL / "Statements.v").read_text())
    recorded = {name: entry["statement_sha256"] for name, entry in RECORD["theorems"].items()}
    assert recorded == {name: check.statement_hash(text) for name, text in stated.items()}
    assert RECORD["proof_sha256"] == check.proof_hash()


@pytest.mark.parametrize("name", sorted(PROVED))
def test_a_changed_formula_has_another_hash(name):
    statement = named(PROVED[name]).theorem.statement
    relation = statement.relation
    factor = 1 + Rational(1, 10**9)
    changed = replace(statement, relation=relation.func(relation.lhs, factor * relation.rhs))
    recorded = RECORD["theorems"][name]["statement_sha256"]
    assert check.statement_hash(rocq_statement(statement)) == recorded
    assert check.statement_hash(rocq_statement(changed)) != recorded


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
