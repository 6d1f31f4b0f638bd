"""The doctor sees what is missing, says what that disables, and fails only with the core."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import metadata

import pytest
from typer.testing import CliRunner

import delaystability as ds
from delaystability.cli import app
from delaystability.questions import bounds
from delaystability.verification import installation as doctor


def run(*arguments: str):
    result = CliRunner().invoke(app, ["doctor", *arguments], env={"COLUMNS": "120"})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.fixture
def without(monkeypatch):
    """Make a package look as if it were not installed, or as another version."""

    def hide(name: str, version: str | None = None) -> None:
        real = metadata.version

        def installed(wanted: str) -> str:
            if wanted != name:
                return real(wanted)
            if version is None:
                raise metadata.PackageNotFoundError(wanted)
            return version

        monkeypatch.setattr(metadata, "version", installed)

    return hide


@pytest.mark.slow
def test_a_sound_installation_passes():
    result = run("--json")
    data = json.loads(result.stdout)
    assert result.exit_code == 0
    assert data["ok"] is True
    assert data["version"] == ds.__version__
    assert [check["name"] for check in data["checks"]] == ["threshold", "certificate", "derivation"]
    core = {entry["name"]: entry for entry in data["core"]}
    assert {"numpy", "scipy", "sympy", "mpmath", "python-flint", "typer", "rich"} <= set(core)
    assert core["numpy"]["installed"] == metadata.version("numpy")
    assert core["numpy"]["lowest"] == "1.26"
    assert all(entry["state"] == "ok" for entry in data["core"])
    assert data["devices"]["cpu_cores"] >= 1
    text = run().stdout
    assert "the core works" in text
    assert "--install-completion" in text


@pytest.mark.slow
def test_a_missing_optional_package_says_what_it_disables(without):
    without("matplotlib")
    result = run()
    assert result.exit_code == 0
    (line,) = [line for line in result.stdout.splitlines() if line.strip().startswith("matplotlib")]
    assert "missing" in line
    assert "without it no: pictures" in line
    assert "pip install 'delaystability[validation]'" in result.stdout
    (entry,) = [
        entry
        for entry in json.loads(run("--json").stdout)["optional"]
        if entry["name"] == "matplotlib"
    ]
    assert entry["state"] == "missing"
    assert entry["installed"] is None


@pytest.mark.slow
def test_a_package_that_is_too_old_is_named(without):
    without("sympy", "1.12.1")
    data = json.loads(run("--json").stdout)
    (entry,) = [entry for entry in data["core"] if entry["name"] == "sympy"]
    assert (entry["state"], entry["lowest"], entry["installed"]) == ("too old", "1.13", "1.12.1")
    assert "pip install 'sympy>=1.13'" in run().stdout


@pytest.mark.slow
def test_a_wrong_core_fails_and_says_where(monkeypatch):
    right = bounds.stability_threshold
    monkeypatch.setattr(bounds, "stability_threshold", lambda *a, **k: right(*a, **k) * 1.0000001)
    result = run("--json")
    assert result.exit_code == 1
    checks = {check["name"]: check for check in json.loads(result.stdout)["checks"]}
    assert not checks["threshold"]["ok"]
    assert "heavy ball 0.9 with delay 1" in checks["threshold"]["detail"]
    assert not checks["certificate"]["ok"]
    assert checks["derivation"]["ok"]
    text = run()
    assert text.exit_code == 1
    assert "the core is broken" in text.stdout


@pytest.mark.slow
def test_a_core_package_that_does_not_load_fails():
    code = (
        "import sys; sys.modules['flint'] = None\n"
        "from delaystability.verification.installation import self_checks\n"
        "print([(check.name, check.ok, 'flint' in check.detail) for check in self_checks()][:2])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[('threshold', True, False), ('certificate', False, True)]"


@pytest.mark.slow
def test_a_broken_torch_is_reported_and_the_core_still_works(monkeypatch):
    monkeypatch.setattr(doctor, "find_spec", lambda name: object())
    monkeypatch.setitem(sys.modules, "torch", None)
    found = doctor.diagnose()
    assert found.ok
    assert "torch does not work" in found.devices["error"]
    monkeypatch.setattr(doctor, "find_spec", lambda name: None)
    assert set(doctor.diagnose().devices) == {"cpu_cores"}


def test_requirements_are_read_with_their_extras():
    lines = [
        "numpy>=1.26",
        "Typing_Extensions",
        'torch>=2.4 ; extra == "validation"',
        "torch>=2.4; extra == 'lightning'",
        'pytest>=8 ; extra == "dev"',
        'delaystability[validation]; extra == "all"',
        'dask[distributed]>=2024.8; extra == "dask"',
    ]
    core, optional = doctor._packages(lines)
    assert [(entry.name, entry.lowest) for entry in core] == [
        ("numpy", "1.26"),
        ("typing-extensions", None),
    ]
    found = {entry.name: entry for entry in optional}
    assert found["torch"].extras == ("validation", "lightning")
    assert found["dask"].lowest == "2024.8"
    assert "pytest" not in found
    assert "delaystability" not in found
    assert found["ray"].extras == ()


@pytest.mark.parametrize(
    ("installed", "lowest", "state"),
    [
        ("1.26.0", "1.26", "ok"),
        ("2.13.0+cpu", "2.4", "ok"),
        ("1.9", "1.10", "too old"),
        ("2.0rc1", "2.0", "ok"),
        ("3.1", None, "ok"),
        (None, "1", "missing"),
    ],
)
def test_versions_are_compared_by_number(installed, lowest, state):
    assert doctor.Package("x", lowest, installed).state == state


def test_looking_at_the_command_loads_nothing_heavy():
    code = (
        "import sys, delaystability.cli\n"
        "heavy = ('torch', 'matplotlib', 'sympy', 'scipy', 'flint')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
