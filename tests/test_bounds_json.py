"""Theorems as JSON: read back equal, with sample values that other tools can check against."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import mpmath
import pytest
from sympy import Rational

import delaystability as ds
from delaystability.printing.bounds_json import FORMAT, bounds_data, theorems_from_json
from delaystability.printing.derivation import all_derivations
from delaystability.theory import registry
from delaystability.theory.sample_points import sample_points
from tests.theorems import QUICK, each

STEP_STATUSES = {"proved", "deduced", "cited", "tested"}
NAMES = registry.names()


@cache
def written(names: tuple[str, ...] = NAMES) -> str:
    return json.dumps(bounds_data([registry.checked(name) for name in names], ds.__version__))


@cache
def data_with(name: str) -> dict[str, Any]:
    """What is written of some theorems, or of all, with this one among them; not to be changed."""
    return json.loads(written(QUICK if name in QUICK else NAMES))


@pytest.mark.slow
def test_json_is_read_back_into_the_same_theorems():
    read = theorems_from_json(written())
    assert tuple(theorem.name for theorem in read) == NAMES
    for theorem, derivation in zip(read, all_derivations(), strict=True):
        assert theorem == derivation.theorem


@pytest.mark.slow
def test_a_changed_formula_is_another_theorem():
    data = json.loads(written(QUICK))
    entry = next(entry for entry in data["theorems"] if entry["name"] == "sgd")
    relation = entry["statement"]["relation"]
    relation["srepr"] = relation["srepr"].replace("Integer(2)", "Integer(3)", 1)
    (changed,) = theorems_from_json(json.dumps({**data, "theorems": [entry]}))
    assert changed != ds.derive("sgd").theorem


@pytest.mark.parametrize("name", each(NAMES))
def test_every_theorem_has_status_source_domain_and_three_forms_of_its_formula(name):
    data = data_with(name)
    entry = next(entry for entry in data["theorems"] if entry["name"] == name)
    assert entry["status"] in {"exact", "sufficient", "necessary", "asymptotic", "tested"}
    # A result without a source is derived here for the first time, as far as we know.
    assert set(entry["sources"]) <= set(data["references"])
    statement = entry["statement"]
    assert statement["quantity"] in data["quantities"]
    for formula in (statement["relation"], *statement["domain"]):
        assert set(formula) == {"srepr", "infix", "latex"}
    assert all(step["status"] in STEP_STATUSES for step in entry["steps"])


@pytest.mark.parametrize("name", each(NAMES))
def test_sample_values_have_thirty_digits_and_are_reached_with_more(name):
    data = data_with(name)
    entry = next(entry for entry in data["theorems"] if entry["name"] == name)
    statement = ds.derive(name).theorem.statement
    if statement.quantity == "identity":
        assert entry["samples"] == []
        return
    assert entry["samples"]
    symbols = {str(symbol): symbol for symbol in statement.parameters}
    for sample in entry["samples"][:3]:
        point = {symbols[key]: Rational(value) for key, value in sample["point"].items()}
        with mpmath.workdps(60):
            precise = statement.value(point, 50)
            error = abs(mpmath.mpf(sample["value"]) - precise)
            assert error <= mpmath.mpf("1e-29") * abs(precise)


@pytest.mark.slow
def test_sample_points_lie_in_the_domain_and_vary():
    for derivation in all_derivations():
        statement = derivation.theorem.statement
        if statement.quantity == "identity":
            continue
        points = sample_points(statement)
        assert points
        assert all(statement.holds_in_domain(point) for point in points)
        for symbol in statement.parameters:
            free = [c for c in statement.domain if getattr(c, "lhs", None) == symbol]
            if not any(type(c).__name__ == "Equality" for c in free):
                assert len({point[symbol] for point in points}) > 1


def test_a_point_outside_the_domain_or_incomplete_is_refused():
    statement = ds.derive("heavy-ball").theorem.statement
    m, tau = statement.parameters
    with pytest.raises(ValueError, match="point must satisfy"):
        statement.value({m: Rational(3, 2), tau: 1})
    with pytest.raises(ValueError, match="point must give m"):
        statement.value({tau: 1})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"format": 99, "theorems": []}',
        json.dumps({"format": FORMAT, "theorems": [{"name": "x"}]}),
        json.dumps({"format": FORMAT, "theorems": [3]}),
    ],
)
def test_what_is_no_bounds_file_is_refused(text):
    with pytest.raises(ValueError):
        theorems_from_json(text)


def test_code_in_a_bounds_file_is_not_run(tmp_path):
    trace = tmp_path / "trace"
    data = json.loads(written(QUICK))
    entry = data["theorems"][1]
    entry["statement"]["relation"]["srepr"] = f"open({str(trace)!r}, 'w')"
    with pytest.raises(ValueError, match="may name only"):
        theorems_from_json(json.dumps({**data, "theorems": [entry]}))
    assert not trace.exists()
