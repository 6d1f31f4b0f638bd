"""What type checkers see: a user's project is right, and its mistakes are found."""

from __future__ import annotations

import importlib.util
import json
import re
import runpy
import shutil
import subprocess
import sys
import typing
from pathlib import Path

import numpy as np
import pytest

import delaystability as ds
from tests.tools.public_stub import PACKAGE, STUB, stub

ROOT = PACKAGE.parent
PROJECT = Path(__file__).parent / "typed_project"
# Large packages on which nothing here depends.
_SKIPPED = ("torch", "scipy", "sympy", "mpmath", "flint", "lightning", "transformers", "matplotlib")


def expected() -> dict[str, set[int]]:
    """The lines that say of themselves that they are mistakes."""
    lines = (PROJECT / "wrong.py").read_text(encoding="utf-8").splitlines()
    wrong = {number for number, line in enumerate(lines, 1) if line.endswith("# error")}
    return {"right.py": set(), "wrong.py": wrong}


@pytest.fixture
def project(tmp_path):
    """The project in a folder of its own, with the package beside it and not in it."""
    for file in PROJECT.glob("*.py"):
        shutil.copy(file, tmp_path)
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / "delaystability").symlink_to(PACKAGE)
    return tmp_path


def errors_by_mypy(project):
    skipped = "".join(f"[mypy-{name}.*]\nfollow_imports = skip\n" for name in _SKIPPED)
    (project / "mypy.ini").write_text(
        "[mypy]\nstrict = true\nfollow_imports = silent\nmypy_path = packages\n" + skipped
    )
    command = [sys.executable, "-m", "mypy", "--no-error-summary", "right.py", "wrong.py"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True)
    found: dict[str, set[int]] = {"right.py": set(), "wrong.py": set()}
    for file, line in re.findall(r"^(\w+\.py):(\d+): error", done.stdout, flags=re.M):
        found[file].add(int(line))
    assert done.returncode == 1, done.stdout + done.stderr
    return found, done.stdout


def errors_by_pyright(project):
    settings = {
        "include": ["right.py", "wrong.py"],
        "extraPaths": ["packages"],
        "typeCheckingMode": "strict",
        "pythonVersion": "3.11",
    }
    (project / "pyrightconfig.json").write_text(json.dumps(settings))
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True)
    assert done.returncode == 1, done.stdout + done.stderr
    found: dict[str, set[int]] = {"right.py": set(), "wrong.py": set()}
    for entry in json.loads(done.stdout)["generalDiagnostics"]:
        # What is unknown follows from an error in the same file, and is none of its own.
        if entry["severity"] == "error" and "Unknown" not in entry.get("rule", ""):
            found[Path(entry["file"]).name].add(entry["range"]["start"]["line"] + 1)
    return found, done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("checker", "errors"), [("mypy", errors_by_mypy), ("pyright", errors_by_pyright)]
)
def test_a_users_project_is_right_and_its_mistakes_are_found(checker, errors, project):
    if importlib.util.find_spec(checker) is None:
        pytest.skip(f"{checker} is missing")
    found, said = errors(project)
    assert found == expected(), said[-3000:]
    assert len(found["wrong.py"]) >= 15


def test_what_the_types_promise_is_what_comes(monkeypatch):
    """Each `assert_type` of the right project, asked of the value."""
    kinds = []

    def checked(value, kind):
        kinds.append(kind)
        origin = getattr(kind, "__origin__", kind)
        assert isinstance(value, origin), (value, kind)
        if origin is np.ndarray:
            assert value.dtype == kind.__args__[1].__args__[0], (value, kind)
        elif origin is not list:
            assert type(value) is kind, (value, kind)

    monkeypatch.setattr(typing, "assert_type", checked)
    runpy.run_path(str(PROJECT / "right.py"))
    assert len(kinds) > 20


def test_the_stub_is_current_and_has_every_public_name():
    assert STUB.read_text(encoding="utf-8") == stub(), "run: python -m tests.tools.public_stub"
    text = stub()
    for name in ds.__all__:
        assert re.search(rf"({name} as {name},?$|^def {name}\()", text, flags=re.M), name
    assert "__getattr__" not in text
    assert text.count("@overload") >= 20 and (PACKAGE / "py.typed").is_file()
