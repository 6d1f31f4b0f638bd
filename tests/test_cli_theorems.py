"""The list of theorems at once, checked on request, and remembered until a source changes."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from delaystability.cli import theorems as command
from delaystability.files.remembered import content_key, recall, remember
from tests.test_cli import run


class Outcome:
    """What a check says, without its seconds."""

    status = "exact"

    def __init__(self, ok=True):
        self.report = self
        self.ok = ok


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DELAYSTABILITY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "theorems.json"


def rows(*options):
    found = run("theorems", "--json", *options)
    assert found.exit_code == 0, found.output
    return json.loads(found.stdout)


def checks(monkeypatch, outcome):
    """How often a theorem was checked, by a check that takes no time."""
    from delaystability.theory import registry

    asked = []
    monkeypatch.setattr(registry, "checked", lambda name: asked.append(name) or outcome(name))
    return asked


def test_the_list_is_there_without_a_check_and_says_so():
    from delaystability.theory.registry import named, names

    listed = rows()
    assert [row["name"] for row in listed] == list(names())
    assert {(row["status"], row["holds"]) for row in listed} == {(None, None)}
    for row in listed[::9]:
        assert row["title"] == named(row["name"]).theorem.title
    said = run("theorems").stdout
    assert "Not checked with these sources yet: --check does it." in said
    assert all(name in said for name in names())
    assert "status" not in said.splitlines()[2]


def test_the_list_loads_no_sympy_once_it_is_known(cache):
    rows()
    program = (
        "import sys\nfrom delaystability.cli import app\n"
        "app(['theorems'], standalone_mode=False)\n"
        "assert 'sympy' not in sys.modules and 'scipy' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)


def test_a_check_is_remembered_and_made_again_on_request(monkeypatch):
    asked = checks(monkeypatch, lambda name: Outcome())
    first = rows("--check")
    assert len(asked) == len(first) and {row["status"] for row in first} == {"exact"}
    assert rows("--check") == rows() == first
    assert len(asked) == len(first)
    assert "exact" in run("theorems").stdout
    rows("--again")
    assert len(asked) == 2 * len(first)


def test_a_changed_source_forgets_what_was_checked(monkeypatch, tmp_path):
    asked = checks(monkeypatch, lambda name: Outcome())
    count = len(rows("--check"))
    monkeypatch.setattr(command, "_version", lambda library: "another")
    assert {row["status"] for row in rows()} == {None}
    rows("--check")
    assert len(asked) == 2 * count

    source = tmp_path / "proof.py"
    source.write_text("x = 1\n")
    key = content_key([source])
    assert content_key([source]) == key != content_key([source], "sympy 2")
    source.write_text("x = 2\n")
    assert content_key([source]) != key


def test_a_failure_is_not_remembered_and_has_exit_status_1(monkeypatch):
    asked = checks(monkeypatch, lambda name: Outcome(ok=name != "sgd"))
    for _ in range(2):
        failed = run("theorems", "--check", "--json")
        assert failed.exit_code == 1
        assert [row["name"] for row in json.loads(failed.stdout) if not row["holds"]] == ["sgd"]
    assert len(asked) == 2 * len(json.loads(failed.stdout))
    assert {row["status"] for row in rows()} == {None}


@pytest.mark.quick(3)
@pytest.mark.parametrize(
    "damage",
    [
        lambda data: "{",
        lambda data: json.dumps({**data, "found": [3]}),
        lambda data: json.dumps({**data, "found": [{"name": "sgd", "status": "formal"}]}),
        lambda data: json.dumps({**data, "key": "0" * 64}),
        lambda data: json.dumps([data]),
        lambda data: json.dumps(
            {**data, "found": [row | {"status": "formal"} for row in data["found"]]}
        ),
    ],
)
def test_a_damaged_memory_counts_as_none(damage, cache):
    listed = rows()
    cache.write_text(damage(json.loads(cache.read_text())))
    assert rows() == listed


def test_without_a_place_to_write_nothing_is_remembered(monkeypatch, tmp_path):
    blocked = tmp_path / "file"
    blocked.touch()
    monkeypatch.setenv("DELAYSTABILITY_CACHE", str(blocked))
    remember("x", "key", [1])
    assert recall("x", "key") is None and blocked.read_text() == ""
    assert rows()


@pytest.mark.parametrize(
    ("platform", "variables", "place"),
    [
        ("linux", {"XDG_CACHE_HOME": "/c"}, "/c/delaystability"),
        ("darwin", {}, "/home/Library/Caches/delaystability"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/delaystability/Cache"),
        ("linux", {}, "/home/.cache/delaystability"),
    ],
)
def test_the_cache_is_where_the_system_has_it(platform, variables, place, monkeypatch):
    from pathlib import Path

    from delaystability.files import remembered

    for name in ("DELAYSTABILITY_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(Path, "home", lambda: Path("/home"))
    monkeypatch.setattr(sys, "platform", platform)
    assert remembered._folder().as_posix() == place


@pytest.mark.slow
def test_what_is_remembered_is_what_a_check_says():
    from delaystability.theory.registry import checked

    listed = {row["name"]: row for row in rows("--check")}
    for name in ("sgd", "delayed-loop", "adjustment", "speed-limit"):
        assert listed[name]["status"] == checked(name).status
    assert all(row["holds"] for row in listed.values())
