"""Nothing of others is written over or deleted: one rule for all that writes files."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from typer.testing import CliRunner

from delaystability.cli import app
from delaystability.files.output_files import (
    MANIFEST,
    checked_file,
    checked_folder,
    move_file,
    remove_files,
    replace_file,
    write_files,
)


def contents(folder: Path) -> dict[str, bytes | str]:
    """Everything below a folder: files with their bytes, links with their targets."""
    return {
        str(path.relative_to(folder)): os.readlink(path) if path.is_symlink() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


# The rule -------------------------------------------------------------------------------------


def test_own_output_is_written_over_and_what_was_changed_since_is_not(tmp_path: Path) -> None:
    write_files(tmp_path, {"a.txt": "one", "in/b.txt": b"two"})
    write_files(tmp_path, {"a.txt": "three", "in/b.txt": b"two"})
    assert (tmp_path / "a.txt").read_text() == "three"
    assert set(contents(tmp_path)) == {"a.txt", "in/b.txt", MANIFEST, f"in/{MANIFEST}"}
    (tmp_path / "a.txt").write_text("my notes")
    before = contents(tmp_path)
    for refused in (
        lambda: checked_file("output", tmp_path / "a.txt"),
        lambda: checked_folder("folder", tmp_path, ["a.txt"]),
        lambda: write_files(tmp_path, {"a.txt": "four", "c.txt": "new"}),
    ):
        with pytest.raises(ValueError, match="changed since delaystability wrote it.*a.txt.*move"):
            refused()
        assert contents(tmp_path) == before
    remove_files(tmp_path, ["a.txt", "c.txt"])
    assert contents(tmp_path) == before
    # Put back, it is own output again.
    (tmp_path / "a.txt").write_text("three")
    write_files(tmp_path, {"a.txt": "four"})
    remove_files(tmp_path, ["a.txt"])
    assert set(contents(tmp_path)) == {"in/b.txt", f"in/{MANIFEST}"}


def test_the_list_is_read_by_sha256sum(tmp_path: Path) -> None:
    write_files(tmp_path, {"a.txt": "one", "with two  spaces": "two", "été": "three"})
    command = ["sha256sum", "--check", "--strict", MANIFEST]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "a.txt").write_text("two")
    assert subprocess.run(command, cwd=tmp_path, capture_output=True).returncode == 1


@pytest.mark.parametrize("kind", ["file", "link", "dangling", "folder", "pipe", "hard link"])
def test_whatever_others_put_there_stays(tmp_path: Path, kind: str) -> None:
    place, other = tmp_path / "out" / "a.txt", tmp_path / "precious"
    place.parent.mkdir()
    other.write_text("precious")
    make = {
        "file": lambda: place.write_text("precious"),
        "link": lambda: place.symlink_to(other),
        "dangling": lambda: place.symlink_to(tmp_path / "nothing"),
        "folder": place.mkdir,
        "pipe": lambda: os.mkfifo(place),
        "hard link": lambda: place.hardlink_to(other),
    }
    make[kind]()
    before = os.lstat(place)
    for refused in (
        lambda: checked_file("output", place),
        lambda: checked_folder("folder", place.parent, ["a.txt"]),
        lambda: write_files(place.parent, {"a.txt": "new"}),
    ):
        with pytest.raises(ValueError, match=r"(output|folder) must .*a\.txt.*: move it away"):
            refused()
    remove_files(place.parent, ["a.txt"])
    after = os.lstat(place)
    assert (after.st_ino, after.st_mode, after.st_mtime_ns) == (
        before.st_ino,
        before.st_mode,
        before.st_mtime_ns,
    )
    assert other.read_text() == "precious" and not (tmp_path / "nothing").exists()


def test_a_link_to_own_output_is_not_followed_either(tmp_path: Path) -> None:
    write_files(tmp_path, {"a.txt": "one"})
    (tmp_path / "a.txt").rename(tmp_path / "b.txt")
    (tmp_path / "a.txt").symlink_to("b.txt")
    with pytest.raises(ValueError, match="must not be a link"):
        write_files(tmp_path, {"a.txt": "two"})
    with pytest.raises(ValueError, match="must not be a link"):
        replace_file(tmp_path / "a.txt", b"two")
    assert (tmp_path / "b.txt").read_text() == "one"


def test_folders_that_are_links_are_refused_with_their_target(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with pytest.raises(ValueError, match="not a link.*leads to 'real': name that folder"):
        checked_folder("folder", tmp_path / "link")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "in").symlink_to(tmp_path / "real")
    with pytest.raises(ValueError, match="must hold a folder or nothing at"):
        checked_folder("folder", tmp_path / "out", ["in/a.txt"])
    with pytest.raises(ValueError, match="not a link"):
        write_files(tmp_path / "out", {"in/a.txt": "one"})
    assert not contents(tmp_path / "real")


def test_a_list_that_is_none_is_refused_and_stays(tmp_path: Path) -> None:
    for text in ("my own notes\n", "", "# Written by delaystability\nno hash\n"):
        (tmp_path / MANIFEST).write_text(text)
        with pytest.raises(ValueError, match="must be the list of what delaystability wrote"):
            checked_file("output", tmp_path / "a.txt")
        with pytest.raises(ValueError, match="must be the list"):
            write_files(tmp_path, {"a.txt": "one"})
        assert contents(tmp_path) == {MANIFEST: text.encode()}
    (tmp_path / MANIFEST).unlink()
    (tmp_path / MANIFEST).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match="must be the list"):
        write_files(tmp_path, {"a.txt": "one"})
    assert not (tmp_path / "elsewhere").exists()


def test_a_file_moves_only_to_a_free_place(tmp_path: Path) -> None:
    write_files(tmp_path / "from", {"a.txt": "one", "b.txt": "two"})
    for name in ("a.txt", "b.txt"):
        move_file(tmp_path / "from" / name, tmp_path / "to" / name)
    write_files(tmp_path / "to", {"a.txt": "three"})
    (tmp_path / "to" / "b.txt").write_text("mine")
    write_files(tmp_path, {"b.txt": "new"})
    with pytest.raises(ValueError, match="changed since"):
        move_file(tmp_path / "b.txt", tmp_path / "to" / "b.txt")
    assert (tmp_path / "to" / "b.txt").read_text() == "mine" and (tmp_path / "b.txt").exists()


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that nobody can write")
def test_a_folder_that_nobody_can_write_is_refused_although_it_is_there() -> None:
    place = f"/proc/{os.getpid()}"  # not "self", which is a link
    for refused in (
        lambda: checked_folder("folder", place),
        lambda: checked_file("output", f"{place}/a.txt"),
    ):
        with pytest.raises(ValueError, match="must be a writable folder"):
            refused()
    with pytest.raises(ValueError, match="make '.*nowhere' first"):
        checked_file("output", "nowhere/a.txt")


def test_a_kill_between_two_steps_leaves_files_that_are_still_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stop before the first rename, the second, and so on: the next call must go through."""
    replace, steps = os.replace, 0

    def stop_at(last: int) -> None:
        done = 0

        def counted(source: str, target: Path) -> None:
            nonlocal done, steps
            done += 1
            steps = max(steps, done)
            if done == last:
                raise SystemExit
            replace(source, target)

        monkeypatch.setattr(os, "replace", counted)

    files = {"a.txt": "one", "b.txt": "two"}
    for last in range(1, 6):
        write_files(tmp_path, dict.fromkeys(files, f"before {last}"))
        stop_at(last)
        with suppress(SystemExit):
            write_files(tmp_path, files)
        monkeypatch.undo()
        for name, text in files.items():
            assert (tmp_path / name).read_text() in (text, f"before {last}")
        write_files(tmp_path, files)
        assert set(contents(tmp_path)) == {*files, MANIFEST}
    assert steps == 4, "two files, and the list twice"


def test_a_full_disk_leaves_everything_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(tmp_path, {"a.txt": "one", "b.txt": "two"})
    before, write = contents(tmp_path), os.write

    def full(file: int, data: bytes) -> int:
        if len(data) == 1:
            raise OSError(28, "No space left on device")
        return write(file, data[:1])

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*a\.txt'"):
        write_files(tmp_path, {"a.txt": "more", "b.txt": "and more"})
    assert contents(tmp_path) == before


# Every command and every option that writes ----------------------------------------------------


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200"})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stderr


LOG = "0\n1\n2\n3\n3\n2\n4\n"
FILES = {
    "derive": ("derive sgd -o OUT", "sgd.txt"),
    **{
        f"plot {name}": (f"plot {name} {options}-o OUT", "a.png")
        for name, options in {
            "map": "--longest-delay 4 ",
            "roots": "--delay 1 ",
            "rule": "--longest-delay 4 ",
            "escape": "--delay 1 ",
            "histogram": "LOG ",
            "measured": "EDGE ",
        }.items()
    },
}
FOLDERS = {
    "derive --kit": ("derive sgd --kit OUT", ["article.tex", "theorems/sgd.tex"]),
    "export": (
        "export --language c --optimizer sgd --theorems -o OUT",
        ["README.md", "bounds.json"],
    ),
    "export, two languages": (
        "export --language c --language python --optimizer sgd -o OUT",
        ["c/README.md", "python/README.md"],
    ),
    "validate": (
        "validate quadratic --quick -o OUT",
        ["quadratic.json", "quadratic.sqlite", "quadratic-rates.png", "quadratic.sqlite-journal"],
    ),
    "verify": (
        "verify --quick -o OUT",
        [
            "index.html",
            "derivations.tex",
            "report.pdf",
            "runs.json",
            "experiments/edge.sqlite",
            "experiments/quadratic.json",
            "experiments/edge-courses.png",
            "unfinished/edge.json",
            "unfinished/edge.sqlite",
        ],
    ),
}
EDGE = Path(__file__).parent.parent / "docs" / "validation" / "edge" / "edge.json"


def command(text: str, tmp_path: Path, output: Path) -> list[str]:
    (tmp_path / "log.csv").write_text(LOG)
    words = {"OUT": str(output), "LOG": str(tmp_path / "log.csv"), "EDGE": str(EDGE)}
    return [words.get(word, word) for word in text.split()]


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kind", ["file", "link"])
def test_a_foreign_file_survives_every_command_that_writes_one(
    name: str, kind: str, tmp_path: Path
) -> None:
    text, file = FILES[name]
    output, other = tmp_path / "out" / file, tmp_path / "other"
    output.parent.mkdir()
    other.write_text("precious")
    if kind == "file":
        output.write_text("precious")
    else:
        output.symlink_to(other)
    before = contents(output.parent)
    code, errors = run(*command(text, tmp_path, output))
    assert code == 2 and len(errors.strip().splitlines()) == 1, errors
    assert "output must not be a" in errors and str(output) in errors and "move it away" in errors
    assert contents(output.parent) == before and other.read_text() == "precious"
    output.unlink()
    for _ in range(2):
        code, errors = run(*command(text, tmp_path, output))
        assert code == 0, errors


@pytest.mark.slow
@pytest.mark.parametrize("name", FOLDERS)
def test_foreign_files_survive_every_command_that_writes_a_folder(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused at once: no theorem is checked, and nothing is trained."""
    text, files = FOLDERS[name]
    for hook in ("theory.registry.checked_proof", "theory.registry.checked"):
        monkeypatch.setattr(f"delaystability.{hook}", pytest.fail)
    monkeypatch.setattr("delaystability.verification.job.checked_proof", pytest.fail)
    monkeypatch.setattr("delaystability.validation.experiment.run_sweep", pytest.fail)
    for file in files:
        for link in (False, True):
            output = tmp_path / f"{file} {link}".replace("/", " ")
            place, other = output / file, tmp_path / "other"
            place.parent.mkdir(parents=True)
            other.write_text("precious")
            if link:
                place.symlink_to(other)
            else:
                place.write_text("precious")
            before = contents(output)
            code, errors = run(*command(text, tmp_path, output))
            assert code == 2 and len(errors.strip().splitlines()) == 1, errors
            assert file.split("/")[-1] in errors and "move" in errors, errors
            assert contents(output) == before and other.read_text() == "precious"


@pytest.mark.quick(9)
@pytest.mark.parametrize("name", [*FILES, *FOLDERS])
def test_what_cannot_be_written_is_refused_at_once(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (FILES | FOLDERS)[name][0]
    for hook in ("theory.registry.checked_proof", "verification.job.checked_proof"):
        monkeypatch.setattr(f"delaystability.{hook}", pytest.fail)
    suffix = ".png" if "plot" in name else ""
    (tmp_path / "file").write_text("")
    code, errors = run(*command(text, tmp_path, tmp_path / "file" / f"out{suffix}"))
    assert code == 2 and len(errors.strip().splitlines()) == 1, errors
    assert "must be" in errors and (tmp_path / "file").read_text() == ""


@pytest.mark.slow
def test_a_picture_of_python_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    plot = pytest.importorskip("delaystability.plot")
    import delaystability as ds

    axes = plot.root_locus(ds.SGD(), 1)
    (tmp_path / "a.svg").write_text("an earlier one")
    assert plot.save(axes, tmp_path / "a.svg").read_bytes().startswith(b"<?xml")
    (tmp_path / "b.svg").symlink_to("a.svg")
    with pytest.raises(ValueError, match="must not be a link"):
        plot.save(axes, tmp_path / "b.svg")
    assert {path.name for path in tmp_path.iterdir()} == {"a.svg", "b.svg"}


@pytest.mark.slow
def test_two_commands_at_a_time_write_into_one_folder(tmp_path: Path) -> None:
    code = (
        "import sys; from delaystability.files.output_files import write_files\n"
        "folder, name = sys.argv[1:]\n"
        "for k in range(40): write_files(folder, {f'{name}{k}': 'x', name: str(k)})"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path), name]) for name in "abcd"
    ]
    assert [process.wait() for process in running] == [0] * 4
    names = {f"{name}{k}" for name in "abcd" for k in ["", *range(40)]}
    checked_folder("folder", tmp_path, names)
    assert set(contents(tmp_path)) == names | {MANIFEST}
