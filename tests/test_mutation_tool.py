"""The tool that counts unnoticed faults: what it changes, and that it can tell the difference."""

import ast

import pytest

from tests.tools.executed import Executed
from tests.tools.mutation import PARTS, ROOT, failure, mutants, page, stages


@pytest.mark.slow
def test_each_mutant_is_one_small_fault_in_code_that_still_parses():
    file = "delaystability/model/arguments.py"
    found = mutants(file)
    original = ast.unparse(ast.parse((ROOT / file).read_text()))
    assert len(found) > 20
    for mutant in found[::5]:
        assert mutant.source != original and ast.parse(mutant.source)
        before, after = original.splitlines(), mutant.source.splitlines()
        assert sum(a != b for a, b in zip(before, after, strict=True)) == 1
    assert any(mutant.fault.endswith("if False:") for mutant in found)


@pytest.mark.slow
@pytest.mark.parametrize(("sum_", "told"), [("a + b", True), ("a - b", False)])
def test_a_fault_is_told_from_none(tmp_path, sum_, told):
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\nmarkers = ['slow: x']\n")
    (tmp_path / "added.py").write_text(f"def add(a, b):\n    return {sum_}\n")
    claim = "from added import add\n\ndef test_sum():\n    assert add(1, 2) == 3\n"
    (tmp_path / "test_added.py").write_text(claim)
    against = failure(tmp_path, ["test_added.py"], 60)
    assert against == (None if told else "test_added.py::test_sum")


def test_the_tests_that_name_a_module_run_first():
    mutant = mutants("delaystability/model/arguments.py")[0]
    tests = ["tests/test_bounds.py", "tests/test_mutation_tool.py"]
    assert stages(mutant, tests) == [tests[1:], tests[:1]]


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_every_part_has_modules_and_tests(part):
    assert all(list(ROOT.glob(f"delaystability/{pattern}")) for pattern in part.modules)
    assert all(list(ROOT.glob(f"tests/test_{word}.py")) for word in part.tests.split())


def test_the_page_tells_the_score_and_the_survivors():
    alive = mutants("delaystability/model/arguments.py")[:2]
    text = page([("bounds", 100, 8, alive)], each=8, seed=3)
    assert "| bounds | 100 | 8 | 6 | 75% | 41% to 93% |" in text
    assert "--each 8 --seed 3`, at commit" in text
    assert all(f"line {mutant.line}: `{mutant.fault}`" in text for mutant in alive)


MODULE = """
LIMIT = 3

@cache
def table():
    return LIMIT + 1

def clipped(x, low=0):
    if (
        x < low
    ):
        return low
    y = (x +
         LIMIT)
    return y
"""


def test_a_fault_meets_the_tests_that_execute_its_statement_and_no_others():
    far, near = "tests.test_bounds.test_far", "tests.test_mutation_tool.Group.test_near"
    contexts = {
        2: [""],
        4: [""],
        6: [far],
        8: [""],
        9: [near, far],
        12: [far],
        13: [near],
        15: [""],
    }
    file = "delaystability/mutation.py"
    executed = Executed({file: contexts})
    met = {line: executed.tests(file, line, MODULE) for line in range(2, 16)}
    ids = ["tests/test_mutation_tool.py::Group::test_near", "tests/test_bounds.py::test_far"]
    # The lines of a condition or a sum are one statement; the test that names the module is first.
    assert met[9] == met[10] == met[11] == ids
    assert (met[12], met[13], met[14]) == (ids[1:], ids[:1], ids[:1])
    # A constant, a default, and what is kept after its first call concern all tests of the module.
    assert met[2] == met[6] == met[8] == ids
    assert Executed({file: {13: [near]}}).tests(file, 12, MODULE) == []
