"""Full disks, damaged files, killed workers and signals: one line, nothing lost, and it goes on."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("joblib")
pytest.importorskip("threadpoolctl")

from delaystability.files.sweep_file import read_trials
from delaystability.files.sweep_refusals import StoreError, count_trials
from delaystability.files.trials import Chunk
from delaystability.validation import rows
from delaystability.validation.sweeps.run import SweepError, run_sweep
from delaystability.validation.sweeps.store import Store
from tests.sweep_of_a_map import describe, gone, plan, table, within, work

ROOT = Path(__file__).parent.parent


def test_every_commit_waits_for_the_disk(tmp_path: Path) -> None:
    """A store that does not (synchronous=OFF) loses trials when the power fails."""
    with Store.open(tmp_path / "a.sqlite", describe(1)) as store:
        (extra,) = store._connection.execute("PRAGMA synchronous").fetchone()
        (journal,) = store._connection.execute("PRAGMA journal_mode").fetchone()
    assert (extra, journal) == (3, "delete")


# A full disk ----------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 300 kB, where this user may mount one."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(place)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs the right to mount a file system")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def long_work(chunk: Chunk) -> list[dict[str, Any]]:
    return [result | {"text": "x" * 5000} for result in work(chunk)]


def test_a_sweep_on_a_full_disk_says_what_is_kept_and_goes_on(small_disk: Path) -> None:
    path, chunks = small_disk / "a.sqlite", plan(40)
    with (
        pytest.raises(StoreError, match=r"finished trials in it are kept: make room, and run the"),
        Store.open(path, describe(40)) as store,
    ):
        run_sweep(chunks, long_work, store, backend="sequential")
    kept = {trial.trial.key for trial in read_trials(path)}
    assert 20 < len(kept) < 80
    # Not even the file's own start fits any more.
    (small_disk / "fill").write_bytes(b"x")
    with suppress(OSError), open(small_disk / "fill", "wb") as filled:
        while True:
            filled.write(bytes(512))
            filled.flush()
    with pytest.raises(StoreError, match="could not be written"):
        Store.open(small_disk / "b.sqlite", describe(40))
    (small_disk / "fill").unlink()
    subprocess.run(["mount", "-o", "remount,size=4m", str(small_disk)], check=True)
    with Store.open(path, describe(40)) as store:
        report = run_sweep(chunks, long_work, store, backend="sequential")
    assert report.trials_before == len(kept) and len(table(path)) == 80


@pytest.mark.slow
def test_a_file_that_may_not_grow_is_a_full_disk_too(tmp_path: Path) -> None:
    """The same without rights: a limit on the size of files."""
    code = f"""
import resource, signal, sys
sys.path.insert(0, {str(ROOT)!r})
from tests.test_sweep_damage import *
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = Store.open(sys.argv[1], describe(40))
resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))
try:
    run_sweep(plan(40), long_work, store, backend="sequential")
except StoreError as error:
    print(error)
"""
    path = tmp_path / "a.sqlite"
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    kept = len(table(path))
    assert 0 < kept < 80
    assert f"the {kept} finished trials in it are kept" in done.stdout, done.stdout + done.stderr


# Damage ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "a.sqlite"
    with Store.open(path, describe(30)) as store:
        run_sweep(plan(30), work, store, backend="sequential")
    return path


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE trials SET result = replace(result, '0.', '1.') WHERE rowid = 3",
        "UPDATE trials SET result = '{\"end\":0.5}' WHERE rowid = 3",
        "UPDATE trials SET settings = replace(settings, 'false', 'true') WHERE rowid = 3",
        "UPDATE trials SET key = replace(key, 'a', 'b') WHERE rowid = 3",
        "UPDATE trials SET result = x'ff' WHERE rowid = 3",
        "UPDATE trials SET sha256 = '' WHERE rowid = 3",
        "UPDATE experiment SET value = '{' WHERE name = 'common'",
        "UPDATE experiment SET value = '[]' WHERE name = 'common'",
        "UPDATE experiment SET value = '7' WHERE name = 'experiment'",
        "DELETE FROM experiment WHERE name = 'common'",
        "DROP TABLE trials",
        "DROP TABLE experiment",
    ],
)
def test_a_tampered_file_is_refused_with_what_is_kept(
    statement: str, whole: Path, tmp_path: Path
) -> None:
    path = tmp_path / "a.sqlite"
    shutil.copy(whole, path)
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()
    before = path.read_bytes()
    for opened in (lambda: Store.open(path, describe(30)), lambda: read_trials(path)):
        with pytest.raises(ValueError, match=r"undamaged file.* trials can be read.*move it away"):
            opened()
    assert path.read_bytes() == before


def test_a_damaged_index_is_noticed_although_every_trial_is_whole(
    whole: Path, tmp_path: Path
) -> None:
    """Each key is in the file twice, in the table and in its index: a change of either counts."""
    content, key = whole.read_bytes(), read_trials(whole)[7].trial.key.encode()
    changed = b"0" + key[1:] if key[:1] != b"0" else b"1" + key[1:]
    places = [place for place in range(len(content)) if content.startswith(key, place)]
    assert len(places) == 2
    for place in places:
        path = tmp_path / "a.sqlite"
        path.write_bytes(content[:place] + changed + content[place + len(key) :])
        with pytest.raises(ValueError, match="undamaged file"):
            read_trials(path)


def test_a_journal_of_others_is_not_deleted(whole: Path, tmp_path: Path) -> None:
    """SQLite would take each of these for its own, and delete it."""
    for ending in ("-journal", "-wal", "-shm"):
        beside = tmp_path / f"a.sqlite{ending}"
        beside.write_text("my journal of the year")
        for there in (False, True):
            if there:
                shutil.copy(whole, tmp_path / "a.sqlite")
            with pytest.raises(ValueError, match="no file of others beside it.*move it away"):
                Store.open(tmp_path / "a.sqlite", describe(30))
            assert beside.read_text() == "my journal of the year"
        beside.unlink()
        (tmp_path / "a.sqlite").unlink()


def damaged(content: bytes, random: random.Random) -> bytes:
    """One edit: bits flipped, a range zeroed, cut off, doubled or exchanged."""
    data, place = bytearray(content), random.randrange(len(content))
    size = random.choice([1, 1, 1, 8, 100, 5000])
    kind = random.choice(["flip", "flip", "flip", "zero", "noise", "cut", "double", "drop"])
    if kind == "flip":
        for _ in range(random.choice([1, 1, 10])):
            data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    elif kind == "zero":
        data[place : place + size] = bytes(len(data[place : place + size]))
    elif kind == "noise":
        data[place : place + size] = random.randbytes(len(data[place : place + size]))
    elif kind == "cut":
        del data[place:]
    elif kind == "double":
        data[place:place] = data[place : place + size]
    else:
        del data[place : place + size]
    return bytes(data)


def _attempt(opened: Callable[[], Any]) -> Any:
    """What comes out within two seconds: a result, or the refusal, which is one line."""
    began = time.perf_counter()
    try:
        found = opened()
    except ValueError as error:
        found = error
    assert time.perf_counter() - began < 2, found
    assert "\n" not in str(found) or not isinstance(found, ValueError)
    return found


def edits_of_a_database(whole: Path, path: Path, seed: int, count: int) -> tuple[int, int]:
    """How many edits are refused and how many harmless; anything else is an error."""
    content, found = whole.read_bytes(), random.Random(seed)
    true = read_trials(whole)
    readers: list[tuple[Callable[[], Any], Any]] = [
        (lambda: read_trials(path), true),
        (lambda: _resumed(path), {trial.trial.key: trial.result_json for trial in true}),
    ]
    refused = 0
    for _ in range(count):
        edited = damaged(content, found)
        for opened, wanted in readers:
            path.write_bytes(edited)
            result = _attempt(opened)
            refused += isinstance(result, ValueError)
            assert isinstance(result, ValueError) or _part(result, wanted), edited
            for ending in ("-journal", "-wal", "-shm"):
                path.with_name(path.name + ending).unlink(missing_ok=True)
    return refused, 2 * count - refused


def _resumed(path: Path) -> dict[str, str]:
    with Store.open(path, describe(30)) as store:
        return store.finished()


def _part(result: Any, whole: Any) -> bool:
    """Whether only true trials are there; what is missing is computed again."""
    if isinstance(whole, dict):
        return set(result.items()) <= set(whole.items())
    return all(entry in whole for entry in result)


def test_random_edits_of_a_database_are_refused_or_harmless(whole: Path, tmp_path: Path) -> None:
    refused, harmless = edits_of_a_database(whole, tmp_path / "a.sqlite", 1, 60)
    assert refused > 25 and harmless > 5


def edits_of_a_result(path: Path, seed: int, count: int) -> tuple[int, int]:
    """The same for the JSON file of an experiment, which is drawn."""
    from delaystability import plot

    source = ROOT / "docs" / "validation" / "edge" / "edge.json"
    content, found = source.read_bytes(), random.Random(seed)
    refused = 0
    for _ in range(count):
        path.write_bytes(damaged(content, found))
        result = _attempt(lambda: plot.Measurements.from_file(path))
        refused += isinstance(result, ValueError)
    return refused, count - refused


def test_random_edits_of_a_result_are_refused_or_harmless(tmp_path: Path) -> None:
    refused, harmless = edits_of_a_result(tmp_path / "edge.json", 1, 60)
    assert refused > 10 and harmless > 3


@pytest.mark.parametrize(
    "content", ["[]", "{}", "[" * 100_000, '{"experiment": "edge", "verdict": 7}', "\x00", "null"]
)
def test_results_of_another_shape_are_refused_in_one_line(content: str, tmp_path: Path) -> None:
    from delaystability import plot

    (tmp_path / "edge.json").write_text(content)
    with pytest.raises(ValueError, match="path must be the"):
        plot.Measurements.from_file(tmp_path / "edge.json")


# Workers and signals --------------------------------------------------------------------------


@pytest.mark.slow
def test_a_killed_worker_says_what_is_kept_in_one_line(tmp_path: Path) -> None:
    def dies(chunk: Chunk) -> list[dict[str, Any]]:
        if chunk == last:
            time.sleep(0.5)
            os.kill(os.getpid(), signal.SIGKILL)
        return work(chunk)

    last = plan(6)[-1]
    path = tmp_path / "a.sqlite"
    with (
        Store.open(path, describe(6)) as store,
        pytest.raises(SweepError, match="10 finished trials are kept in .*run the same") as caught,
    ):
        run_sweep(plan(6), dies, store, backend="loky", workers=2)
    assert "\n" not in str(caught.value)
    with Store.open(path, describe(6)) as store:
        assert run_sweep(plan(6), work, store, backend="loky", workers=2).trials_before == 10


COMMAND = f"""
import signal, sys
# A shell starts jobs in the background with this signal ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path.insert(0, {str(ROOT)!r})
from delaystability.cli import main
from delaystability.validation import experiments
from tests.test_sweep_damage import slow_experiment
experiments.load_experiment = lambda name: slow_experiment()
main()
"""


@dataclass(frozen=True, kw_only=True, eq=False)
class Start(rows.Row):
    plan: rows.Plan
    start: float = rows.setting("first value")
    end: float = rows.result("last value")


def slow_experiment() -> Any:
    from matplotlib.figure import Figure

    from delaystability.validation.experiment import Experiment
    from delaystability.validation.verdict import Finding, Verdict, all_of

    def run(starts: Sequence[Start]) -> list[dict[str, float]]:
        time.sleep(0.05 * len(starts))
        return [{"end": 3.9 * each.start * (1 - each.start)} for each in starts]

    def figures(starts: Sequence[Start]) -> dict[str, Figure]:
        # Noise, of which a picture takes some hundred kilobytes.
        figure = Figure()
        figure.figimage([[random.random() for _ in range(480)] for _ in range(360)])
        return {"noise": figure}

    return Experiment(
        name="map",
        title="A map",
        row=Start,
        sizes=rows.sizes_of(rows.Plan),
        settings=lambda plan: [
            [{"start": (2 * i + j + 1) / 122} for j in range(2)] for i in range(60)
        ],
        run=run,
        judge=lambda starts: Verdict((Finding("so", "1", "1", all_of(0, len(starts))),)),
        figures=figures,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "backend"), [("SIGTERM", "loky"), ("SIGHUP", "sequential"), ("SIGINT", "sequential")]
)
def test_a_signal_ends_in_one_line_and_the_same_command_goes_on(
    name: str, backend: str, tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    path, number = tmp_path / "map.sqlite", getattr(signal, name)
    command = [sys.executable, "-c", COMMAND, "validate", "map", "-o", str(tmp_path)]
    command += ["--backend", backend, "--workers", "2"]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Under nohup the tests ignore SIGHUP, and what they start would, too.
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
    ) as run:
        assert within(60, lambda: count_trials(path) >= 10)
        run.send_signal(number)
        output, errors = run.communicate(timeout=30)
    assert run.returncode == 128 + number
    kept = len(table(path))
    line = errors.strip().splitlines()[-1]
    assert line == (
        f"error: interrupted by {name}; {kept} finished trials are kept in {tmp_path}: run the "
        "same command again to go on"
    ), errors
    assert "Traceback" not in errors + output and 10 <= kept < 120
    assert within(20, lambda: gone(run.pid))
    if name == "SIGTERM":
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert "1 statements: 1 hold" in done.stdout and len(table(path)) == 120
        assert json.loads((tmp_path / "map.json").read_text())["trials_before"] == kept


@pytest.mark.slow
def test_a_full_disk_at_the_end_keeps_the_trials(small_disk: Path) -> None:
    pytest.importorskip("torch")
    subprocess.run(["mount", "-o", "remount,size=150k", str(small_disk)], check=True)
    command = [sys.executable, "-c", COMMAND, "validate", "map", "-o", str(small_disk)]
    command += ["--backend", "sequential"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    line = done.stderr.strip().splitlines()[-1]
    kept = count_trials(small_disk / "map.sqlite")
    assert f"{kept} finished trials" in line and "run the same command again to go on" in line
    subprocess.run(["mount", "-o", "remount,size=4m", str(small_disk)], check=True)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads((small_disk / "map.json").read_text())["trials_before"] == kept
