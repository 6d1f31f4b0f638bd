"""Sweeps: every trial once, whatever happens to the processes."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import json
import os
import random
import signal
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("joblib")
pytest.importorskip("threadpoolctl")

from threadpoolctl import threadpool_info, threadpool_limits

from delaystability.files.json_data import plain
from delaystability.files.sweep_file import read_trials
from delaystability.files.trials import Chunk, Trial, canonical
from delaystability.validation.sweeps import backends
from delaystability.validation.sweeps.run import SweepError, run_sweep
from delaystability.validation.sweeps.store import Store
from tests.sweep_of_a_map import (
    describe,
    gone,
    growing_work,
    logged,
    plan,
    running,
    table,
    within,
    work,
)

# What a trial is ------------------------------------------------------------------------------


def test_a_trial_is_known_by_its_content() -> None:
    first = Chunk.of("a", 1, {"x": 1, "y": 2.0}, [{"m": 0.9, "delay": 4}]).trials[0]
    again = Chunk.of("a", 1, {"y": 2.0, "x": 1}, [{"delay": np.int64(4), "m": np.float64(0.9)}])
    assert first == again.trials[0] and first.key == again.trials[0].key
    assert first.settings == {"delay": 4, "m": 0.9} and first.common == {"x": 1, "y": 2.0}
    others = [
        Chunk.of("b", 1, {"x": 1, "y": 2.0}, [{"m": 0.9, "delay": 4}]),
        Chunk.of("a", 2, {"x": 1, "y": 2.0}, [{"m": 0.9, "delay": 4}]),
        Chunk.of("a", 1, {"x": 1, "y": 2.5}, [{"m": 0.9, "delay": 4}]),
        Chunk.of("a", 1, {"x": 1, "y": 2.0}, [{"m": 0.9, "delay": 5}]),
        Chunk.of("a", 1, {"x": 1, "y": 2.0}, [{"m": 0.9, "delay": 4, "more": None}]),
    ]
    assert len({first.key, *(chunk.trials[0].key for chunk in others)}) == 6


def test_the_key_is_the_sha_256_of_four_lines() -> None:
    trial = Trial("edge", 3, canonical({"seed": 1}), canonical({"delay": 2}))
    text = 'edge\n3\n{"seed":1}\n{"delay":2}'
    assert trial.key == hashlib.sha256(text.encode()).hexdigest()


def test_numbers_read_back_and_results_lose_only_what_is_not_finite() -> None:
    values = {"a": 0.1 + 0.2, "b": np.float32(0.1), "c": (1, np.arange(2)), "d": float("nan")}
    back = json.loads(canonical(values))
    assert back == {"a": 0.1 + 0.2, "b": float(np.float32(0.1)), "c": [1, [0, 1]], "d": None}
    assert plain({"x": [np.float64("inf"), True, None, "text"]}) == {
        "x": [None, True, None, "text"]
    }


@pytest.mark.parametrize(
    ("settings", "error", "told"),
    [
        ({"x": float("nan")}, ValueError, "finite"),
        ({"x": {1: 2}}, TypeError, "names"),
        ({"x": object()}, TypeError, "type object"),
        ([1], TypeError, "mapping"),
    ],
)
def test_settings_that_are_not_plain_data_are_refused(
    settings: Any, error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        Chunk.of("a", 1, {}, [settings])


def test_a_chunk_has_trials_of_one_sweep() -> None:
    one, two = (Chunk.of("a", 1, {"x": x}, [{"m": 1}]).trials for x in (1, 2))
    with pytest.raises(ValueError, match="one sweep"):
        Chunk((*one, *two))
    with pytest.raises(ValueError, match="at least one"):
        Chunk(())


@pytest.mark.parametrize(
    ("backend", "cure"), [("dask", r"'dask\[distributed\]'"), ("ray", "'ray'")]
)
def test_a_backend_whose_package_is_missing_names_its_cure(
    monkeypatch: pytest.MonkeyPatch, backend: str, cure: str
) -> None:
    monkeypatch.setattr(backends, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=f"backend '{backend}' needs .*pip install {cure}"):
        backends.checked_backend(backend)


# Running --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_every_backend_gives_the_same_table(tmp_path: Path) -> None:
    for backend in ("sequential", "loky"):
        with Store.open(tmp_path / f"{backend}.sqlite", describe(8)) as store:
            report = run_sweep(plan(8), work, store, backend=backend, workers=2)
        assert (report.chunks, report.trials, report.trials_before) == (8, 16, 0)
        assert 0 < report.seconds < 300
    tables = [table(tmp_path / f"{name}.sqlite") for name in ("sequential", "loky")]
    assert len(tables[0]) == 16 and tables[0] == tables[1]
    trial = read_trials(tmp_path / "loky.sqlite")[0]
    value = trial.settings["start"]
    for _ in range(trial.common["steps"]):
        value = 3.9 * value * (1 - value)
    assert trial.result == {"end": value}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_a_dask_cluster_of_two_processes_gives_the_same_table(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed", reason="needs dask[distributed]")
    with Store.open(tmp_path / "loky.sqlite", describe(12)) as store:
        run_sweep(plan(12, 0.01), work, store, backend="loky", workers=2)
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
        Store.open(tmp_path / "dask.sqlite", describe(12)) as store,
    ):
        assert len(client.scheduler_info()["workers"]) == 2
        run_sweep(plan(12, 0.01), work, store, backend="dask")
    assert table(tmp_path / "dask.sqlite") == table(tmp_path / "loky.sqlite")


def test_ray_gets_its_chunks_in_portions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Ray is not installed for tests: threads stand in for its processes, behind its own door.
    import joblib
    from joblib._parallel_backends import ThreadingBackend

    class Stand(ThreadingBackend):
        supports_return_generator = False

    def register_ray() -> None:
        joblib.register_parallel_backend("ray", Stand)

    monkeypatch.setitem(
        sys.modules, "ray", SimpleNamespace(__spec__=importlib.util.find_spec("json"))
    )
    monkeypatch.setitem(sys.modules, "ray.util", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "ray.util.joblib", SimpleNamespace(register_ray=register_ray))
    shares: list[float] = []
    with Store.open(tmp_path / "ray.sqlite", describe(20)) as store:
        run_sweep(
            plan(20),
            work,
            store,
            backend="ray",
            workers=2,
            progress=lambda share, message: shares.append(share),
        )
    assert len(table(tmp_path / "ray.sqlite")) == 40 and len(shares) == 21


def test_a_backend_that_is_not_installed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whether or not it is installed here.
    monkeypatch.setattr("delaystability.validation.sweeps.backends.find_spec", lambda name: None)
    with (
        Store.open(tmp_path / "a.sqlite", describe(1)) as store,
        pytest.raises(ValueError, match="'ray'.*pip install"),
    ):
        run_sweep(plan(1), work, store, backend="ray")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"backend": "spark"}, "backend must be one of loky, dask, ray, sequential; got 'spark'"),
        ({"workers": 0}, "workers must be an integer >= 1"),
        ({"workers": True}, "workers must be an integer >= 1"),
    ],
)
def test_wrong_arguments_are_refused(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    with (
        Store.open(tmp_path / "a.sqlite", describe(1)) as store,
        pytest.raises(ValueError, match=told),
    ):
        run_sweep(plan(1), work, store, **changes)


def test_a_plan_with_a_trial_twice_or_without_any_is_refused(tmp_path: Path) -> None:
    with Store.open(tmp_path / "a.sqlite", describe(1)) as store:
        with pytest.raises(ValueError, match="each trial once; got 2 times"):
            run_sweep([*plan(1), *plan(1)], work, store)
        with pytest.raises(ValueError, match="at least one chunk"):
            run_sweep([], work, store)


@pytest.mark.quick(1)
@pytest.mark.parametrize("backend", ["sequential", "loky"])
def test_a_chunk_that_raises_is_named_and_the_others_go_on(tmp_path: Path, backend: str) -> None:
    path = tmp_path / "a.sqlite"
    broken = plan(6, bad=(1, 4))
    with Store.open(path, describe(6)) as store:
        with pytest.raises(SweepError, match="2 of 6 chunks failed") as caught:
            run_sweep(broken, work, store, backend=backend, workers=2)
        failures = sorted(caught.value.failures, key=lambda failure: broken.index(failure.chunk))
        assert [failure.chunk for failure in failures] == [broken[1], broken[4]]
        assert "the map left its domain" in failures[0].error
        assert broken[1].trials[0].settings_json in str(caught.value)
        assert len(store.finished()) == 8
    assert len(table(path)) == 8


@pytest.mark.parametrize(("count", "end"), [(5, None), (6, "- and 1 more"), (9, "- and 4 more")])
def test_at_most_five_failed_chunks_are_named(tmp_path: Path, count: int, end: str | None) -> None:
    with (
        Store.open(tmp_path / "a.sqlite", describe(count)) as store,
        pytest.raises(SweepError) as caught,
    ):
        run_sweep(plan(count, bad=range(count)), work, store, backend="sequential")
    named = [line for line in str(caught.value).splitlines() if line.startswith("- ")]
    assert sum("the map left its domain" in line for line in named) == 5
    assert named[5:] == ([end] if end else [])


def test_work_must_return_one_result_for_each_trial(tmp_path: Path) -> None:
    with (
        Store.open(tmp_path / "a.sqlite", describe(1)) as store,
        pytest.raises(SweepError, match="one result for each of 2 trials; got 1"),
    ):
        run_sweep(plan(1), lambda chunk: [{}], store, backend="sequential")


@pytest.mark.slow
def test_a_worker_that_dies_ends_the_sweep_with_what_is_finished(tmp_path: Path) -> None:
    def dies(chunk: Chunk) -> list[dict[str, Any]]:
        if chunk == last:
            time.sleep(0.5)
            os._exit(1)
        return [{}, {}]

    last = plan(6)[-1]
    with (
        Store.open(tmp_path / "a.sqlite", describe(6)) as store,
        pytest.raises(SweepError, match="backend 'loky' broke down"),
    ):
        run_sweep(plan(6), dies, store, backend="loky", workers=2)
    assert len(table(tmp_path / "a.sqlite")) == 10


@pytest.mark.slow
def test_progress_tells_the_share_and_the_time_left(tmp_path: Path) -> None:
    told: list[tuple[float, str]] = []
    with Store.open(tmp_path / "a.sqlite", describe(4)) as store:
        run_sweep(
            plan(4, pause=0.25),
            work,
            store,
            backend="sequential",
            workers=1,
            progress=lambda share, message: told.append((share, message)),
        )
    assert [share for share, _ in told] == [0, 0.25, 0.5, 0.75, 1]
    assert told[0][1] == "0 of 4 chunks" and told[-1][1] == "4 of 4 chunks"
    assert told[2][1] == "2 of 4 chunks, about 1 s left"


def test_chunks_run_with_one_thread_and_the_callers_threads_come_back(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    seen: list[int] = []

    def work(chunk: Chunk) -> list[dict[str, Any]]:
        seen.append(torch.get_num_threads())
        assert {pool["num_threads"] for pool in threadpool_info()} == {1}
        return [{}, {}]

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with Store.open(tmp_path / "a.sqlite", describe(1)) as store, threadpool_limits(2):
            run_sweep(plan(1), work, store, backend="sequential")
        assert seen == [1] and torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


# Interruptions --------------------------------------------------------------------------------


def test_only_what_is_missing_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log, path = tmp_path / "log", tmp_path / "a.sqlite"
    monkeypatch.setenv("WORK_LOG", str(log))
    chunks = plan(6)
    with Store.open(path, describe(6)) as store:
        run_sweep(chunks[:2], work, store, backend="sequential")
        # Another division into chunks: half of one of them is there already.
        merged = Chunk((chunks[1].trials[1], *chunks[2].trials))
        report = run_sweep([*chunks[:1], merged], work, store, backend="sequential")
        assert (report.trials, report.trials_before) == (5, 3)
    with Store.open(path, describe(6)) as store:
        run_sweep(chunks, work, store, backend="sequential")
    done = [key for key, _ in logged(log)]
    assert sorted(done) == sorted(trial.key for chunk in chunks for trial in chunk.trials)


@pytest.mark.slow
@pytest.mark.parametrize(("backend", "kills"), [("sequential", 12), ("loky", 8)])
def test_kills_lose_and_repeat_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: str, kills: int
) -> None:
    """SIGKILL at random moments: in the middle of trials, of writing, of opening the file."""
    # Trials so slow that the kills come before the end on the fastest machine.
    count, pause, path = 150, 0.03, tmp_path / "killed.sqlite"
    moments = random.Random(5)
    recorded: set[str] = set()
    for kill in range(kills):
        log = tmp_path / f"log{kill}"
        monkeypatch.setenv("WORK_LOG", str(log))
        with running(path, count, pause, backend) as process:
            # Three kills in ten come before or while the file is opened, the others later.
            early = kill % 3 == 2
            assert early or within(60, log.exists)
            time.sleep(moments.uniform(0, 0.3))
            assert process.poll() is None, "the sweep must be longer than this test needs"
        assert process.returncode == -signal.SIGKILL
        tried = {key for key, _ in logged(log)}
        assert not tried & recorded, "a recorded trial was run again"
        if path.exists() and path.stat().st_size:
            now = {key for key, *_ in table(path)}
            assert recorded <= now, "a recorded trial was lost"
            recorded = now
    assert 0 < len(recorded) < 2 * count
    workers = {worker for kill in range(kills) for _, worker in logged(tmp_path / f"log{kill}")}
    assert within(20, lambda: all(gone(worker) for worker in workers))
    monkeypatch.delenv("WORK_LOG")
    with running(path, count, pause, backend) as process:
        assert process.communicate() == ("open\n", "") and process.returncode == 0
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    undisturbed = [
        (trial.key, trial.settings_json, canonical(result))
        for chunk in plan(count, pause)
        for trial, result in zip(chunk.trials, work(chunk), strict=True)
    ]
    assert table(path) == sorted(undisturbed)


@pytest.mark.slow
def test_a_kill_while_the_file_is_made_leaves_one_that_can_be_used(tmp_path: Path) -> None:
    moments = random.Random(7)
    for kill in range(3):
        path = tmp_path / f"{kill}.sqlite"
        with running(path, 5, 1.0, "sequential") as process:
            assert within(60, path.exists)
            time.sleep(moments.uniform(0, 0.05))
        assert process.returncode == -signal.SIGKILL
        with Store.open(path, describe(5)) as store:
            run_sweep(plan(5), work, store, backend="sequential")
        assert len(table(path)) == 10


@pytest.mark.slow
def test_ctrl_c_keeps_what_is_finished(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    with running(path, 400, 0.02, "loky") as process:
        assert process.stdout.readline() == "open\n"
        assert within(60, lambda: len(table(path)) >= 20)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert "KeyboardInterrupt" in errors and 20 <= len(table(path)) < 800


@pytest.mark.slow
def test_workers_whose_memory_grows_are_replaced_without_an_error(tmp_path: Path) -> None:
    # Warnings are errors here: loky's own would end the thread that waits for the workers.
    with Store.open(tmp_path / "map.sqlite", describe(8)) as store:
        run_sweep(plan(8), growing_work, store, backend="loky", workers=2)
        assert len(store.finished()) == 16
