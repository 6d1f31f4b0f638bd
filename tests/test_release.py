"""What is released says the same everywhere, is complete, and completes in a shell."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
import warnings
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version
from typer.testing import CliRunner

import delaystability as ds
from delaystability.cli import app
from delaystability.cli.completion import (
    experiment_names,
    language_names,
    optimizer_names,
    theorem_names,
    trained_optimizer_names,
)

ROOT = Path(ds.__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]


def text_of(name):
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_version_is_the_same_everywhere():
    assert Version(ds.__version__)
    assert re.search(r"^version: (.*)$", text_of("CITATION.cff"), re.M)[1] == ds.__version__
    assert re.search(r"^## ([\d.]+)", text_of("CHANGELOG.md"), re.M)[1] == ds.__version__
    assert CliRunner().invoke(app, ["--version"]).stdout == f"delaystability {ds.__version__}\n"


@pytest.mark.slow
def test_the_package_runs_as_a_module():
    run = subprocess.run(
        [sys.executable, "-m", "delaystability", "--version"], capture_output=True, text=True
    )
    assert run.stdout == f"delaystability {ds.__version__}\n"


def test_the_citation_names_the_software_and_its_paper():
    text = text_of("CITATION.cff")
    assert "cff-version: 1.2.0" in text
    assert f"license: {PROJECT['license']}" in text
    assert "1909.12340" in text


_CITED = {"cff-version", "message", "title", "authors"}  # what a file of version 1.2.0 must have
_MAY_CITE = _CITED | {
    *("abstract", "commit", "contact", "date-released", "doi", "identifiers", "keywords"),
    *("license", "license-url", "preferred-citation", "references", "repository"),
    *("repository-artifact", "repository-code", "type", "url", "version"),
}
_MUST_REFER = {"authors", "title", "type"}


def _wrong_in_citation(text):
    """What the schema of version 1.2.0 would refuse: fields missing, unknown, twice, or no date."""
    fields = re.findall(r"^([a-z-]+):", text, re.M)
    wrong = [*(_CITED - set(fields)), *(set(fields) - _MAY_CITE)]
    wrong += [field for field in fields if fields.count(field) > 1]
    _, _, references = text.partition("\nreferences:\n")
    for entry in re.split(r"^  - ", references, flags=re.M)[1:]:
        wrong += _MUST_REFER - set(re.findall(r"^(?:    )?([a-z-]+):", entry, re.M))
    dates = re.findall(r"^date-released: (.*)$", text, re.M)
    return wrong + [date for date in dates if not re.fullmatch(r"\d{4}-\d\d-\d\d", date)]


def test_the_citation_has_the_fields_of_its_format():
    assert _wrong_in_citation(text_of("CITATION.cff")) == []


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        ("message:", "massage:"),
        ("date-released: 2", "date-released: x"),
        ("\nauthors:", "\ntype: software\nauthors:"),
        ("    title: >-", "    tilte: >-"),
        ("type: conference-paper\n    ", ""),
    ],
)
def test_a_citation_without_them_is_seen(written, instead):
    text = text_of("CITATION.cff")
    assert written in text
    assert _wrong_in_citation(text.replace(written, instead, 1))


def test_what_needs_an_absent_package_says_what_to_install(monkeypatch):
    monkeypatch.delitem(vars(ds), "sharpness", raising=False)
    monkeypatch.setitem(ds._LOADED_WHEN_USED, "sharpness", "torch_that_is_absent")
    with pytest.raises(ModuleNotFoundError, match="sharpness needs torch_that_is_absent") as found:
        getattr(ds, "sharpness")  # noqa: B009
    assert "pip install 'delaystability[validation]'" in str(found.value)
    assert found.value.name == "torch_that_is_absent"


def test_a_module_of_the_package_that_is_absent_is_not_called_an_extra(monkeypatch):
    monkeypatch.delitem(vars(ds), "sharpness", raising=False)
    monkeypatch.setitem(ds._LOADED_WHEN_USED, "sharpness", "delaystability.absent")
    with pytest.raises(ModuleNotFoundError, match="No module named 'delaystability.absent'"):
        getattr(ds, "sharpness")  # noqa: B009


def test_the_package_is_marked_as_typed_and_holds_its_templates():
    package = Path(ds.__file__).parent
    for name in (
        "py.typed",
        *(f"printing/tex/{part}.tex" for part in ("preamble", "macros", "setting")),
        *(f"verification/{name}" for name in ("page.html", "page.css")),
        *(f"verification/{name}.tex" for name in ("report", "report_preamble")),
    ):
        assert (package / name).is_file()


ALL = [*PROJECT["dependencies"], *(line for extra in EXTRAS.values() for line in extra)]


@pytest.mark.parametrize("line", dict.fromkeys(ALL))
def test_every_dependency_has_a_lowest_version_that_the_pinned_one_meets(line):
    requirement = Requirement(line)
    if requirement.name == PROJECT["name"]:  # an extra that holds another
        return
    specifiers = list(requirement.specifier)
    assert [one.operator for one in specifiers] == [">="], f"{line}: nothing but a lowest version"
    pins = dict(
        re.findall(
            r"^([\w.-]+)==(\S+)$", text_of("constraints.txt").lower().replace("_", "-"), re.M
        )
    )
    name = requirement.name.lower().replace("_", "-")
    assert name in pins, f"{name} is not pinned in constraints.txt"
    assert Version(pins[name]) in requirement.specifier


def pins_of(text):
    """Names and versions of a file of requirements, names as an index compares them."""
    found = re.findall(r"^([\w.-]+)==([^\s;]+)", text, re.M)
    return {name.lower().replace("_", "-"): version for name, version in found}


def test_the_locked_packages_are_those_of_the_constraints_with_hashes():
    pinned = pins_of(text_of("constraints.txt"))
    # Its builds differ from one index to another.
    assert pinned.pop("torch")
    locked = text_of("locked.txt")
    assert pins_of(locked) == pinned
    entries = re.split(r"^(?=[\w.-]+==)", locked, flags=re.M)[1:]
    assert len(entries) == len(pinned)
    for entry in entries:
        assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", entry), entry
    # The control: another version, and a package that was left out.
    assert pins_of(locked.replace("idna==", "idna==9")) != pinned
    assert pins_of(locked.replace("\nidna==", "\n# ")) != pinned


def test_the_classifiers_name_python_versions_that_are_allowed():
    named = re.findall(r"Python :: (3\.\d+)", " ".join(PROJECT["classifiers"]))
    assert named
    assert all(Version(one) in SpecifierSet(PROJECT["requires-python"]) for one in named)


@pytest.mark.slow
def test_no_source_file_warns_when_it_is_compiled():
    # Newer versions of Python turn such warnings into errors.
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for path in sorted(Path(ds.__file__).parent.rglob("*.py")):
            compile(path.read_text(encoding="utf-8"), str(path), "exec")
        with pytest.raises((SyntaxError, SyntaxWarning, DeprecationWarning)):
            compile("x = '\\d'", "the control", "exec")


@pytest.mark.parametrize("missing", ["torch", "sklearn", "jinja2"])
@pytest.mark.parametrize("command", [["verify"], ["validate", "edge"]])
def test_a_missing_extra_is_named_with_what_installs_it(command, missing, monkeypatch, tmp_path):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == missing else find(name)
    )
    monkeypatch.chdir(tmp_path)
    run = CliRunner().invoke(app, command)
    assert run.exit_code == 2
    package = {"sklearn": "scikit-learn"}.get(missing, missing)
    said = run.stderr.replace("\n", " ")
    assert f"this needs {package}: pip install 'delaystability[validation]'" in said
    assert not list(tmp_path.iterdir())


def test_names_are_completed():
    assert optimizer_names("s") == ["sgd", "shifted-momentum", "spike-compensation"]
    assert trained_optimizer_names("ad") == ["adam", "adamw"]
    assert "sgd-lower-bound" in theorem_names("sgd-l")
    assert "all" in theorem_names("a")
    assert language_names("ju") == ["julia"]
    assert experiment_names("ed") == ["edge"]
    for names in (
        optimizer_names,
        trained_optimizer_names,
        theorem_names,
        language_names,
        experiment_names,
    ):
        assert names("no-such-name") == []


@pytest.fixture
def command(tmp_path):
    """A folder with the command ``delaystability``, as an installation makes it."""
    script = tmp_path / "delaystability"
    script.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(ROOT)!r})\n"
        "from delaystability.cli import main\nsys.argv[0] = 'delaystability'\nmain()\n",
        encoding="utf-8",
    )
    script.chmod(0o755)
    return tmp_path


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is missing")
@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("delaystability thr", {"threshold"}),
        ("delaystability threshold sh", {"shifted-momentum"}),
        ("delaystability adjust --new-optimizer ne", {"nesterov"}),
        ("delaystability validate es", {"escape"}),
        ("delaystability threshold zz", set()),
    ],
)
@pytest.mark.slow
def test_bash_completes_the_command(command, line, wanted):
    words = line.split()
    program = (
        'eval "$(_DELAYSTABILITY_COMPLETE=source_bash delaystability)"; '
        "complete -p delaystability >/dev/null || exit 3; "
        f"COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; "
        "_delaystability_completion delaystability; printf '%s\\n' \"${COMPREPLY[@]}\""
    )
    environment = {**os.environ, "PATH": f"{command}:{os.environ['PATH']}"}
    run = subprocess.run(["bash", "-c", program], capture_output=True, text=True, env=environment)
    assert run.returncode == 0, run.stderr
    assert set(run.stdout.split()) == wanted


def test_what_the_guide_for_contributors_names_exists():
    text = text_of("CONTRIBUTING.md")
    targets = re.findall(r"^([\w-]+):", text_of("Makefile"), re.M)
    for target in re.findall(r"\bmake ([a-z]+)", text):
        assert target in targets
    package = Path(ds.__file__).parent
    paths = [path for path in re.findall(r"`([\w./-]+)`", text) if "/" in path or "." in path]
    assert len(paths) > 15
    places = [ROOT, *(package / part for part in ("", "validation", "translation"))]
    for path in paths:
        if not path.startswith(("torch.", "derivation.")):
            assert any((place / path).exists() for place in places), path


@pytest.mark.parametrize(
    "path", sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.md")), ids=lambda path: path.stem
)
def test_an_issue_template_has_a_name_and_says_what_it_is_for(path):
    head = re.match(r"---\n(.*?)\n---\n\n\*\*", path.read_text(encoding="utf-8"), re.S)
    assert head is not None
    assert set(re.findall(r"^(\w+): \S", head[1], re.M)) == {"name", "about", "labels"}


def test_the_commands_that_the_templates_ask_for_exist():
    commands = {command.callback.__name__ for command in app.registered_commands}
    for path in (ROOT / ".github").rglob("*.md"):
        for name in re.findall(r"`delaystability (\w+)`", path.read_text(encoding="utf-8")):
            assert name in commands


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is missing")
@pytest.mark.parametrize("path", sorted((ROOT / ".ci").iterdir()), ids=lambda path: path.name)
def test_the_scripts_of_ci_can_be_read_and_run(path):
    assert os.access(path, os.X_OK)
    assert subprocess.run(["bash", "-n", str(path)]).returncode == 0
