"""The command `plot`: every picture, every format, refusals in one line, no display needed."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys

import pytest
from typer.testing import CliRunner

pytest.importorskip("matplotlib")

import matplotlib.image
import numpy as np

import delaystability as ds
import delaystability.plot
from delaystability.cli import app
from delaystability.files.output_files import MANIFEST
from tests.test_plot import EDGE, escape_file

START = {".png": b"\x89PNG", ".pdf": b"%PDF", ".svg": b"<?xml"}


def run(*arguments: str):
    result = CliRunner().invoke(app, ["plot", *arguments], env={"COLUMNS": "200"})
    if result.exception is not None:
        assert isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("0\n1\n2\n3\n3\n2\n4\n", encoding="utf-8")
    return str(path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "suffix"),
    [
        ("map --longest-delay 4 --optimizer heavy-ball --sharpness 20 --lr 0.1 --delay 6", ".png"),
        ("map --over momentum --optimizer nesterov --delay 2 --lr 0.2 --momentum 0.5", ".svg"),
        ("roots --optimizer shifted-momentum --momentum 0.5 --delay 3", ".pdf"),
        ("rule --optimizer nesterov --optimizer sgd --lr 0.1 --longest-delay 16", ".svg"),
        ("escape --delay 0 --delay 2 --size slide", ".png"),
        ("shares --optimizer heavy-ball --momentum 0.5 --delay 2 --delay 3", ".svg"),
        ("sequences --optimizer heavy-ball --momentum 0.5 --longest-delay 2", ".svg"),
        ("outer --optimizer sgd --delay 0 --delay 2 --outer-learning-rate 0.7", ".svg"),
        ("oscillation --optimizer adam --optimizer lion --delay 1 --delay 4 --size page", ".png"),
        ("speed --delay 2 --condition-number 10 --condition-number 100 --nats", ".pdf"),
        ("batches --optimizer heavy-ball --momentum 0.5 --delay 2", ".png"),
        ("histogram LOG --optimizer heavy-ball --sharpness 3", ".pdf"),
        ("measured EDGE --ratio", ".png"),
        ("escape --optimizer heavy-ball --momentum 0.5 --measured ESCAPE", ".png"),
    ],
)
def test_each_picture_is_written_in_its_format(command, suffix, tmp_path, log):
    escapes = str(escape_file(tmp_path / "escape.sqlite")) if "ESCAPE" in command else ""
    words = {"LOG": log, "EDGE": str(EDGE), "ESCAPE": escapes}
    output = tmp_path / f"picture{suffix}"
    arguments = [words.get(word, word) for word in command.split()]
    result = run(*arguments, "-o", str(output))
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == str(output)
    assert output.read_bytes().startswith(START[suffix])
    if suffix == ".png":
        image = matplotlib.image.imread(output)[..., :3]
        ink = (image.min(axis=2) < 0.7).mean()
        assert 0.005 < ink < 0.95
        assert np.ptp(image) > 0.9


@pytest.mark.slow
def test_a_file_of_its_own_name_is_the_default(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("roots", "--delay", "1").stdout.strip() == "roots.png"
    assert (tmp_path / "roots.png").read_bytes().startswith(START[".png"])


@pytest.mark.quick(6)
@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("map -o map.jpg", "a picture must end in .pdf, .png, .svg; got 'map.jpg'"),
        ("map -o map", "a picture must end in .pdf, .png, .svg; got 'map'"),
        ("map -o /no/such/folder/map.png", "No such file or directory"),
        ("map --over lr", "over must be delay or momentum; got 'lr'"),
        ("map --over momentum", "optimizer must have a momentum"),
        ("map --optimizer adam", "optimizer must be one of sgd"),
        ("map --longest-delay 0", "longest-delay must be an integer from 1 to 1000000; got 0"),
        ("map --longest-delay 1000001", "longest-delay must be an integer from 1 to 1000000; got"),
        ("map --over momentum --longest-delay 8", "must be given with --over delay only"),
        (
            "map --over momentum --momentum 0.5 --optimizer nesterov",
            "momentum must be given beside lr",
        ),
        ("map --delay 3", "delay must be given beside lr, whose run it marks"),
        ("map --delay -1 --lr 0.1", "delay must be an integer from 0 to 1000000; got -1"),
        ("map --delay=", "delay must be an integer from 0 to 1000000; got ''"),
        ("map --lr fast", "lr must be a number; got 'fast'"),
        ("map --lr -1", "lr must be positive and finite; got -1.0"),
        ("map --size poster", "size must be one of column, page, slide; got 'poster'"),
        ("map --sharpness 0", "sharpness must be positive"),
        ("roots --delay many", "delay must be an integer >= 0; got 'many'"),
        ("roots --delay 1000", "degree <= 200; got degree 1001"),
        ("rule --lr 0", "lr must be positive"),
        ("rule --longest-delay 1", "longest-delay must be an integer >= 2; got 1"),
        ("rule --longest-delay 99999999999999999999", "at most 2**53; got 99999999999999999999"),
        ("sequences --longest-delay 1000001", "longest-delay must be an integer from 1 to"),
        ("escape --optimizer sgd --momentum 0.5", "'sgd' has no parameter momentum"),
        ("escape --measured /no/such.sqlite", "there is no /no/such.sqlite"),
        ("escape --measured /", "path must be an existing file; / is a folder"),
        ("outer --delay 1.5", "delay must be an integer >= 0; got '1.5'"),
        ("outer --inner-steps 0", "inner_steps must be"),
        ("outer --outer-learning-rate 0", "rate must be positive"),
        ("oscillation --optimizer sgd", "optimizer must be one of adam, nadam"),
        ("oscillation --starts -1", "starts must be an integer from 0 to 1000; got -1"),
        ("speed --delay 2", "condition_numbers must be a single number beside several"),
        ("speed --condition-number 1", "condition_number must be from 1.01"),
        ("batches --optimizer adam", "optimizer must be one of sgd"),
        ("histogram /no/such.csv", "/no/such.csv"),
        ("measured /no/such.json", "/no/such.json"),
    ],
)
def test_mistakes_get_one_clear_line(command, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run(*command.split())
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_delay_that_is_given_twice_is_drawn_once(tmp_path):
    once, twice = (tmp_path / name for name in ("once.svg", "twice.svg"))
    for delays, output in (("2,5", once), ("2,5,2:2", twice)):
        assert run("batches", "--delay", delays, "-o", str(output)).exit_code == 0
    assert once.read_bytes() == twice.read_bytes()


def test_without_matplotlib_the_message_says_what_to_install(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("delaystability.plot")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = run("map")
    assert result.exit_code == 2
    assert "pip install 'delaystability[plot]'" in result.stderr


@pytest.mark.slow
def test_no_display_is_needed(tmp_path):
    hidden = {name: value for name, value in os.environ.items() if "DISPLAY" not in name}
    command = [sys.executable, "-m", "delaystability", "plot", "roots", "-o", "roots.svg"]
    subprocess.run(command, check=True, cwd=tmp_path, env={**hidden, "MPLBACKEND": "TkAgg"})
    assert (tmp_path / "roots.svg").read_bytes().startswith(START[".svg"])


def test_the_help_of_the_command_names_every_picture():
    text = run("--help").stdout
    names = ("map", "roots", "rule", "outer", "oscillation", "speed", "batches", "measured")
    assert all(name in text for name in names)


PAGE = EDGE.parent.parent.parent / "plots.md"


@pytest.mark.slow
def test_the_page_shows_exactly_the_pictures_that_its_commands_write():
    text = PAGE.read_text(encoding="utf-8")
    commands = re.findall(r"^\$ delaystability plot (.*)$", text, flags=re.M)
    written = [command.split(" -o docs/")[1] for command in commands]
    assert written == re.findall(r"!\[[^]]*\]\(([^)]+)\)", text)
    assert len(written) == 15
    for command, picture in zip(commands, written, strict=True):
        assert (PAGE.parent / picture).read_bytes().startswith(START[".png"])
        name = command.split()[0]
        known = run(name, "--help").stdout
        assert all(option in known for option in re.findall(r"--[a-z-]+", command))


def test_the_commands_of_the_page_may_replace_its_pictures():
    lines = (PAGE.parent / "plots" / MANIFEST).read_text(encoding="utf-8").splitlines()[1:]
    listed = {name: digest for digest, name in (line.split("  ") for line in lines)}
    pictures = {path.name: path for path in (PAGE.parent / "plots").glob("*.png")}
    assert listed == {
        name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in pictures.items()
    }


@pytest.mark.slow
def test_the_python_on_the_page_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.S)
    assert len(blocks) == 2
    for block in blocks:
        exec(block, {"ds": ds})
    assert (tmp_path / "both.pdf").read_bytes().startswith(START[".pdf"])
