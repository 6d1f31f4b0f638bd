"""The design holds: import directions, a light import, short files, no forbidden words."""

from __future__ import annotations

import ast
import graphlib
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import delaystability as ds

PACKAGE = Path(ds.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

# What each room may import of the package, besides itself.
ALLOWED: dict[str, set[str]] = {
    "model": set(),
    "files": set(),
    "numerics": {"model", "files"},
    "theory": {"model"},
    "printing": {"model", "files", "theory"},
    "questions": {"model", "numerics"},
    "plot": {"model", "files", "numerics", "questions"},
    "translation": {"model", "files", "numerics", "theory", "printing"},
    "training": {"model", "files", "numerics", "questions", "plot"},
    "server": {"model"},
    "validation": {"model", "files", "numerics", "questions", "plot", "training", "server"},
    "verification": {
        "model",
        "files",
        "numerics",
        "theory",
        "printing",
        "questions",
        "plot",
        "validation",
    },
    "cli": {
        "model",
        "files",
        "numerics",
        "theory",
        "printing",
        "questions",
        "plot",
        "translation",
        "validation",
        "verification",
    },
}


def _part(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@cache
def _read(path: Path) -> tuple[str, ast.Module]:
    """A file of the package, read once."""
    text = path.read_text(encoding="utf-8")
    return text, ast.parse(text)


def _imported_parts(path: Path, tree: ast.Module | None = None) -> set[str]:
    parts = set()
    for node in ast.walk(tree or ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"relative import in {path}"
            names = [node.module]
            if node.module == "delaystability":
                names = [f"delaystability.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        parts |= {n.split(".")[1] for n in names if n.startswith("delaystability.")}
    return parts - {"__version__"}


def test_imports_go_downwards():
    surplus = {}
    for path in MODULES:
        part = _part(path)
        if part not in ("__init__", "__main__"):
            surplus[str(path)] = _imported_parts(path, _read(path)[1]) - ALLOWED[part] - {part}
    assert len(surplus) > 400
    assert {path: imported for path, imported in surplus.items() if imported} == {}


# The rooms inside numerics, from the ground up: each may import those before it, and lanczos.
NUMERICS = (
    "tables",
    "exact",
    "crossings",
    "thresholds",
    "roots",
    "moments",
    "stages",
    "replay",
    "certificates",
)


def _rooms_above(text: str, room: str) -> set[str]:
    found = re.findall(r"from delaystability\.numerics\.(\w+)", text)
    return {name for name in found if name in NUMERICS[NUMERICS.index(room) + 1 :]}


@pytest.mark.parametrize("room", NUMERICS)
def test_imports_inside_numerics_go_downwards(room):
    files = list((PACKAGE / "numerics" / room).glob("*.py"))
    assert len(files) > 3
    for path in files:
        assert not _rooms_above(path.read_text(encoding="utf-8"), room), path


def test_numerics_has_no_file_outside_its_rooms_and_its_direction_test_sees_one():
    loose = {path.stem for path in (PACKAGE / "numerics").glob("*.py")}
    assert loose == {"__init__", "lanczos", "statistics", "top_eigenvalues"} & loose
    wrong = "from delaystability.numerics.replay.floquet import FloquetGrowth\n"
    assert _rooms_above(wrong, "tables") == {"replay"}


def test_the_direction_test_sees_validation_in_training(tmp_path):
    wrong = tmp_path / "wrong.py"
    wrong.write_text("def f():\n    from delaystability.validation.schedule import Batches\n")
    assert _imported_parts(wrong) - ALLOWED["training"] - {"training"} == {"validation"}


def test_the_direction_test_sees_a_forbidden_import(tmp_path):
    wrong = tmp_path / "wrong.py"
    wrong.write_text("from delaystability.numerics.thresholds.threshold import threshold_array\n")
    assert _imported_parts(wrong) - ALLOWED["theory"] - {"theory"} == {"numerics"}


def _imports(package: Path) -> dict[str, set[str]]:
    """The files that each file imports, wherever in it: lazily, by name, and for types too.

    The front of the package, which loads everything when it is used, is left out.
    """
    paths = {
        ".".join(path.relative_to(package.parent).with_suffix("").parts): path
        for path in package.rglob("*.py")
    }
    modules = {name.removesuffix(".__init__"): path for name, path in paths.items()}
    front = package.name
    graph = {}
    for module, path in modules.items():
        found = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                inner = {f"{node.module}.{alias.name}" for alias in node.names}
                found |= (inner & modules.keys()) or {node.module}
            elif isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                # A module that is loaded by its name; a name that is put together may be any.
                start = node.value
                inner = {other for other in modules if other.startswith(start)}
                found |= inner if start.startswith(f"{front}.") and start[-1] == "." else {start}
        if module != front:
            graph[module] = (found & modules.keys()) - {module, front}
    return graph


def _circle(graph: dict[str, set[str]]) -> list[str]:
    """The nodes of a circle, or nothing."""
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


@pytest.mark.slow
def test_no_file_imports_itself_through_others():
    graph = _imports(PACKAGE)
    assert len(graph) == len(MODULES) - 1
    assert sum(map(len, graph.values())) > len(graph)
    assert _circle(graph) == []


def test_no_room_may_import_itself_through_others():
    assert _circle(ALLOWED) == []


@pytest.mark.parametrize(
    "back",
    [
        "from delaystability.theory.registry import named",
        "def lazily():\n    from delaystability.theory import registry",
        "if TYPE_CHECKING:\n    from delaystability.theory.registry import Part",
        "import delaystability.theory.registry",
        "registry = import_module('delaystability.theory.registry')",
        "registry = import_module(f'delaystability.theory.{name}')",
    ],
)
def test_the_circle_test_sees_lazy_imports_and_those_by_name_and_for_types(tmp_path, back):
    room = tmp_path / "delaystability" / "theory"
    room.mkdir(parents=True)
    (room.parent / "__init__.py").write_text("from delaystability.theory.checks import Check\n")
    (room / "__init__.py").write_text("")
    (room / "registry.py").write_text("from delaystability.theory.checks import Check\n")
    (room / "checks.py").write_text("")
    assert _circle(_imports(room.parent)) == []
    (room / "checks.py").write_text(f"{back}\n")
    circle = _circle(_imports(room.parent))
    assert set(circle) == {"delaystability.theory.checks", "delaystability.theory.registry"}


def test_files_are_short_and_say_what_they_are():
    assert [str(path) for path in MODULES if len(_read(path)[0].splitlines()) > 400] == []
    assert [str(path) for path in MODULES if not ast.get_docstring(_read(path)[1])] == []


def _python(program: str, *options: str) -> str:
    # Where Python is told to write no bytecode, an import would be timed with its compilation.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    run = subprocess.run(
        [sys.executable, *options, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    return run.stdout.strip()


def test_import_loads_no_heavy_package():
    heavy = ("sympy", "scipy", "torch", "matplotlib", "mpmath", "flint", "typer", "rich", "sklearn")
    loaded = _python(
        f"import sys, delaystability;print([name for name in {heavy!r} if name in sys.modules])"
    )
    assert loaded == "[]"


def test_threshold_of_the_catalogue_loads_no_heavy_package():
    loaded = _python(
        "import sys, delaystability as ds; ds.stability_threshold(ds.Nesterov(.9), [1, 2]);"
        "print([name for name in ('sympy', 'scipy', 'torch') if name in sys.modules])"
    )
    assert loaded == "[]"


def test_import_costs_at_most_one_and_a_half_times_numpy(tmp_path):
    # Both in one process, NumPy first: what the package adds must be at most half of it.
    program = (
        "import time; t = time.process_time(); import numpy; n = time.process_time() - t;"
        "t = time.process_time(); import delaystability; d = time.process_time() - t;"
        "print((n + d) / n)"
    )
    # The first run writes the bytecode; of the others one that no other load disturbs is enough.
    cache = ("-X", f"pycache_prefix={tmp_path}")
    assert any(float(_python(program, *cache)) <= 1.5 for _ in range(7))


def test_public_names_are_there_and_documented():
    for name in ds.__all__:
        assert getattr(ds, name) is not None
        assert name in dir(ds)
        if name != "CATALOGUE":
            assert getattr(ds, name).__doc__
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        ds.nothing  # noqa: B018
