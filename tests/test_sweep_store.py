"""The file of a sweep: one writer, many readers, nothing half done, and it explains itself."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("joblib")
pytest.importorskip("threadpoolctl")

from delaystability.files.sweep_file import read_trials
from delaystability.files.sweep_refusals import count_trials
from delaystability.files.trials import Chunk
from delaystability.validation.sweeps.run import run_sweep
from delaystability.validation.sweeps.store import Description, Store
from tests.sweep_of_a_map import describe, plan, running, table, within, work


@pytest.mark.slow
def test_a_second_process_is_refused_and_a_reader_is_not(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    with running(path, 400, 0.02, "sequential") as process:
        assert process.stdout.readline() == "open\n"
        with pytest.raises(ValueError, match="another process writes to"):
            Store.open(path, describe(400))
        assert within(60, lambda: len(read_trials(path)) >= 20)
        assert process.poll() is None
    with Store.open(path, describe(400)) as store:
        assert len(store.finished()) >= 20


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda d: Description("other", d.title, 1, d.common, 4), "experiment is 'map' there"),
        (lambda d: Description("map", d.title, 2, d.common, 4), "version is 1 there and 2 here"),
        (lambda d: Description("map", d.title, 1, {**d.common, "seed": 4}, 4), "seed is 3 there"),
        (lambda d: Description("map", d.title, 1, {"steps": 500}, 4), "seed is 3 there and None"),
        (lambda d: Description("map", d.title, 1, d.common, 5), "planned_trials is 4 there and 5"),
    ],
)
def test_the_file_of_another_sweep_is_refused(
    tmp_path: Path,
    change: Callable[[Description], Description],
    told: str,
) -> None:
    path = tmp_path / "a.sqlite"
    Store.open(path, describe(2)).close()
    with pytest.raises(ValueError, match=told):
        Store.open(path, change(describe(2)))
    Store.open(path, describe(2)).close()


def test_files_of_another_kind_are_refused_and_left_alone(tmp_path: Path) -> None:
    text, other = tmp_path / "a.txt", tmp_path / "b.sqlite"
    text.write_text("Not a database, but a letter that is longer than any header. " * 20)
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE mine (x)")
    connection.close()
    for path, told in ((text, "not a database"), (other, "another kind")):
        content = path.read_bytes()
        with pytest.raises(ValueError, match=told):
            Store.open(path, describe(1))
        with pytest.raises(ValueError, match=told):
            read_trials(path)
        assert path.read_bytes() == content
    with pytest.raises(ValueError, match="existing folder"):
        Store.open(tmp_path / "no" / "a.sqlite", describe(1))
    with pytest.raises(ValueError, match="existing file"):
        read_trials(tmp_path / "c.sqlite")


def test_a_file_of_another_layout_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    Store.open(path, describe(1)).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    content = path.read_bytes()
    with pytest.raises(ValueError, match="which has layout 99"):
        Store.open(path, describe(1))
    assert path.read_bytes() == content


def test_a_chunk_is_recorded_whole_or_not_at_all(tmp_path: Path) -> None:
    first, second = plan(2)
    with Store.open(tmp_path / "a.sqlite", describe(2)) as store:
        store.add(first, ["{}", "{}"], 0.1)
        with pytest.raises(ValueError, match="not in"):
            store.add(Chunk((second.trials[0], first.trials[0])), ["{}", "{}"], 0.1)
        with pytest.raises(ValueError, match="one for each of 2 trials; got 1"):
            store.add(second, ["{}"], 0.1)
        assert store.finished().keys() == {trial.key for trial in first.trials}
        store.add(second, ["{}", "{}"], 0.2)
        assert store.seconds() == [0.1, 0.2]
    assert len(table(tmp_path / "a.sqlite")) == 4


def test_finished_trials_are_counted_in_any_file(tmp_path: Path) -> None:
    with Store.open(tmp_path / "a.sqlite", describe(2)) as store:
        store.add(plan(2)[1], ["{}", "{}"], 0.1)
    (tmp_path / "text").write_text("no sweep")
    assert [count_trials(tmp_path / name) for name in ("a.sqlite", "text", "none")] == [2, 0, 0]


def test_the_file_explains_itself(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    with Store.open(path, describe(2)) as store:
        run_sweep(plan(2), work, store, backend="sequential")
    Store.open(path, describe(2)).close()
    connection = sqlite3.connect(path)
    readme = dict(connection.execute("SELECT name, text FROM readme"))
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    header = dict(connection.execute("SELECT name, value FROM experiment"))
    sessions = connection.execute("SELECT value FROM provenance").fetchall()
    columns = {
        column
        for name in ("chunks", "trials", "provenance", "experiment")
        for _, column, *_ in connection.execute(f"PRAGMA table_info({name})")
    }
    connection.close()
    tables = {name for (name,) in tables}
    assert tables == {"readme", "experiment", "provenance", "chunks", "trials"}
    assert tables - {"readme"} <= readme.keys() and readme["trials: start"] == "first value"
    assert all(column in " ".join(readme.values()) for column in columns)
    assert json.loads(header["experiment"]) == "map"
    assert json.loads(header["common"]) == {"seed": 3, "steps": 500}
    assert sessions == [('{"by":"me"}',)] * 2


def test_importing_sweeps_loads_no_torch() -> None:
    code = "import sys, delaystability.validation.sweeps.run; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
