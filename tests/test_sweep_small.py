"""Sweeps without a process of their own: what is told, forgotten, and asked of other packages."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import contextmanager, nullcontext
from threading import Timer
from types import SimpleNamespace

import joblib
import pytest
from joblib.parallel import get_active_backend

from delaystability.validation.sweeps import backends
from delaystability.validation.sweeps import run as run_module
from delaystability.validation.sweeps.run import SweepError, run_sweep
from delaystability.validation.sweeps.store import Store
from tests.sweep_of_a_map import describe, plan, table, work


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_progress_tells_shares_chunks_failures_and_the_time_left(workers, tmp_path, monkeypatch):
    told, known = [], []
    monkeypatch.setattr(run_module, "median", lambda seconds: known.append(len(seconds)) or 120.0)
    with Store.open(tmp_path / "a.sqlite", describe(5)) as store:
        run_sweep(plan(5)[:2], work, store, backend="sequential")
        with pytest.raises(SweepError, match="1 of 5 chunks failed"):
            run_sweep(
                plan(5)[:3] + plan(5, bad=[3])[3:],
                work,
                store,
                backend="sequential",
                workers=workers,
                progress=lambda share, message: told.append((share, message)),
            )

    # Two minutes a chunk, by as many workers as have something to do.
    def left(chunks):
        seconds = 120 * chunks / min(workers, chunks)
        return f"about {seconds / 60:.0f} min left"

    assert told == [
        (0.4, f"2 of 5 chunks, {left(3)}"),
        (0.6, f"3 of 5 chunks, {left(2)}"),
        (0.8, f"3 of 5 chunks, 1 failed, {left(1)}"),
        (1.0, "4 of 5 chunks, 1 failed"),
    ]
    # Of the chunks of an earlier call and of this one, as they end.
    assert known[-3:] == [2, 3, 3]


def test_what_is_forgotten_is_run_again_and_leaves_no_chunk_behind(tmp_path):
    path, chunks = tmp_path / "a.sqlite", plan(3)
    with Store.open(path, describe(3)) as store:
        run_sweep(chunks, work, store, backend="sequential")
        before = table(path)
        assert len(store.seconds()) == 3
        # Both trials of the first chunk, and one of the second.
        store.forget([trial.key for trial in chunks[0].trials] + [chunks[1].trials[0].key])
        assert len(table(path)) == 3 and len(store.seconds()) == 2
        report = run_sweep(chunks, work, store, backend="sequential")
        assert (report.chunks, report.trials, report.trials_before) == (3, 6, 3)
        assert len(store.seconds()) == 4
    assert table(path) == before


def test_processes_of_this_machine_compute_with_one_thread_each():
    with backends._loky(3):
        backend, _ = get_active_backend()
        assert backend.inner_max_num_threads == 1
    assert get_active_backend()[0].inner_max_num_threads != 1


def test_one_worker_is_the_calling_process_and_two_are_a_pool(monkeypatch):
    pools = []

    def pool(**options):
        pools.append(options["n_jobs"])
        return lambda tasks: [function(*arguments) for function, arguments, _ in tasks]

    monkeypatch.setattr(joblib, "Parallel", pool)
    for workers, used, threads in ((1, [], [1, 7]), (2, [2], [1])):
        chosen = []
        torch = SimpleNamespace(get_num_threads=lambda: 7, set_num_threads=chosen.append)
        monkeypatch.setitem(sys.modules, "torch", torch)
        (attempt,) = backends.attempts(plan(1), work, "loky", workers)
        assert attempt.error == "" and len(attempt.results) == 2
        assert pools == used
        # The calling process gets its threads back; a process of the pool does nothing else.
        assert chosen == threads


def test_a_reader_delays_a_commit_and_does_not_refuse_it(tmp_path):
    path, (chunk,) = tmp_path / "a.sqlite", plan(1)
    with Store.open(path, describe(1)) as store:
        reader = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM trials").fetchone() == (0,)
        released = Timer(0.1, lambda: reader.execute("COMMIT"))
        released.start()
        store.add(chunk, ["{}", "{}"], 1.0)
        released.join()
        reader.close()
        assert len(store.finished()) == 2


@pytest.fixture(name="dask")
def dask_fixture(monkeypatch):
    """Dask as it is asked: what is made is written down, nothing is started."""
    made = []

    @contextmanager
    def context(name, *arguments, **options):
        made.append((name, arguments, options))
        yield name
        made.append((f"end of {name}",))

    def no_client():
        raise ValueError("No global client found")

    def config(backend):
        made.append((f"joblib with {backend}",))
        return nullcontext()

    distributed = SimpleNamespace(
        Client=lambda *a, **o: context("client", *a, **o),
        LocalCluster=lambda *a, **o: context("cluster", *a, **o),
        get_client=no_client,
    )
    settings = {}
    fake = SimpleNamespace(config=SimpleNamespace(get=settings.get))
    monkeypatch.setitem(sys.modules, "dask", fake)
    monkeypatch.setitem(sys.modules, "distributed", distributed)
    monkeypatch.setattr(joblib, "parallel_config", config)
    return distributed, settings, made


def test_without_a_client_dask_gets_a_cluster_of_single_threads(dask):
    _, _, made = dask
    with backends._dask(3):
        pass
    options = {"n_workers": 3, "threads_per_worker": 1, "dashboard_address": None}
    begun = [("cluster", (), options), ("client", ("cluster",), {}), ("joblib with dask",)]
    assert made == [*begun, ("end of client",), ("end of cluster",)]


def test_a_scheduler_that_is_named_or_a_client_that_is_there_is_used(dask):
    distributed, settings, made = dask
    settings["scheduler-address"] = "tcp://somewhere:8786"
    with backends._dask(3):
        pass
    assert made[0] == ("client", ("tcp://somewhere:8786",), {})
    made.clear()
    distributed.get_client = lambda: "there"
    with backends._dask(3):
        pass
    assert made == [("joblib with dask",)]
