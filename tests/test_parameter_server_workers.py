"""Workers that misbehave: what they send is refused and counted; who is silent is lost."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("psutil")

import psutil
import torch

import delaystability as ds
from delaystability.server.checkpoint import load_checkpoint
from delaystability.server.ledger import LEDGER, faults, read_ledger
from delaystability.server.run import WorkersGoneError
from delaystability.server.worker_pool import WorkerPool
from tests.parameter_server_tasks import (
    SIZE,
    START,
    Faulty,
    Regression,
    crew_of_threads,
    delivered,
)

GOOD = Regression(None)
KINDS = ("nan", "infinite", "short", "long", "matrix", "scalar", "empty")
TASKS = [GOOD, *(Faulty(None, kind=kind) for kind in KINDS), Faulty(None, period=1)]


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool]:
    with crew_of_threads(TASKS, 3) as made:
        yield made
        assert made.gone == set()


@pytest.mark.quick(2)
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_gradient_is_refused_and_the_run_goes_on(pool, kind, caplog):
    with caplog.at_level(logging.WARNING):
        run = pool.run(START, ds.HeavyBall(0.5), 0.01, 300, task=1 + KINDS.index(kind))
    assert len(run.entries) == 300 and faults(run.entries) == [] and run.lost == ()
    assert {entry.worker for entry in run.entries} == {0, 1, 2}
    # A third of a third, give or take; nothing of it was applied.
    assert 5 < run.refused < 150
    found = delivered(ds.HeavyBall(0.5), run.entries, GOOD, 0.01)
    assert (found - run.weights).norm() <= 1e-12
    said = [record.getMessage() for record in caplog.records]
    assert said and all(text.startswith("worker 1: refused: ") for text in said)
    assert pool.run(START, ds.SGD(), 0.01, 50).refused == 0


def test_a_worker_that_sends_nothing_else_is_set_aside_for_the_run(pool):
    run = pool.run(START, ds.SGD(), 0.01, 300, task=len(TASKS) - 1)
    assert run.lost == (1,) and run.refused == 10
    assert {entry.worker for entry in run.entries} == {0, 2} and len(run.entries) == 300
    again = pool.run(START, ds.SGD(), 0.01, 100)
    assert again.lost == () and {entry.worker for entry in again.entries} == {0, 1, 2}


def test_a_run_that_has_diverged_ends_with_the_reason(pool):
    reason = r"\(worker 0: 10 refused in a row: gradient must be finite; got 6 of 6 numbers"
    with pytest.raises(WorkersGoneError, match=rf"left after \d+ of 100000 updates {reason}"):
        pool.run(START, ds.SGD(), 1e200, 100_000)
    assert pool.run(START, ds.SGD(), 0.01, 100).lost == ()


class Waiting(Regression):
    """A regression of which worker 1 waits for an event before its gradient number 20."""

    def __init__(self) -> None:
        super().__init__(None)
        object.__setattr__(self, "event", threading.Event())

    def gradient(self, weights: torch.Tensor, worker: int, sequence: int) -> torch.Tensor:
        if worker == 1 and sequence == 20:
            assert self.event.wait(30)
        return super().gradient(weights, worker, sequence)


@pytest.mark.slow
def test_a_silent_worker_is_lost_after_the_deadline_and_not_before():
    task = Waiting()
    with crew_of_threads([task, GOOD], 3) as pool:
        early = pool.run(START, ds.SGD(), 0.01, 500, deadline=30, patience=0.05)
        assert early.lost == () and pool.gone == set() and len(early.entries) == 500
        assert len([entry for entry in early.entries if entry.worker == 1]) == 20
        task.event.set()
        again = pool.run(START, ds.SGD(), 0.01, 100, task=1)
        assert again.lost == () and faults(again.entries) == []
        task.event.clear()
        began = time.monotonic()
        run = pool.run(START, ds.SGD(), 0.01, 500, deadline=0.3)
        # It was waited for at the end, as long as it still could have answered.
        assert run.lost == (1,) and pool.gone == {1} and 0.3 <= time.monotonic() - began < 3
        task.event.set()
        later = pool.run(START, ds.SGD(), 0.01, 100, task=1)
        assert later.lost == () and {entry.worker for entry in later.entries} == {0, 2}


@pytest.mark.slow
def test_the_wait_that_was_asked_for_does_not_count(pool):
    run = pool.run(START, ds.SGD(), 0.01, 12, deadline=0.2, pauses={0: 0.3, 1: 0.05, 2: 0.05})
    assert run.lost == () and pool.gone == set()


def test_a_run_goes_on_from_its_folder(pool, tmp_path):
    first = pool.run(START, ds.HeavyBall(0.5), 0.01, 120, folder=tmp_path, checkpoint_every=50)
    assert read_ledger(tmp_path / LEDGER) == first.entries
    seen = []

    def end(server):
        seen.append(server.version)
        return server.version == 200

    second = pool.run(START, ds.HeavyBall(0.5), 0.01, 300, folder=tmp_path, observe=end)
    assert seen == list(range(121, 201)) and second.entries[:120] == list(first.entries)
    assert faults(second.entries) == []
    found = delivered(ds.HeavyBall(0.5), second.entries, GOOD, 0.01)
    assert (found - second.weights).norm() <= 1e-12
    # Done already: nothing more happens.
    assert pool.run(START, ds.HeavyBall(0.5), 0.01, 200, folder=tmp_path).entries == second.entries


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_signals_to_end_leave_a_checkpoint_of_everything(pool, name, tmp_path):
    number = getattr(signal, name)
    before = signal.getsignal(number)

    def send(server):
        if server.version == 33:
            os.kill(os.getpid(), number)

    with pytest.raises(KeyboardInterrupt):
        pool.run(START, ds.SGD(), 0.01, 10**6, folder=tmp_path, observe=send)
    assert signal.getsignal(number) == before
    found = load_checkpoint(tmp_path)
    entries = read_ledger(tmp_path / LEDGER)
    assert found is not None and found[0]["version"] == len(entries) >= 33


# Processes


@pytest.mark.slow
def test_a_stopped_worker_is_lost_after_the_deadline():
    with WorkerPool.launch([GOOD], 3) as pool:
        stopped = pool.processes[1].pid

        def stop(server):
            if server.version == 50:
                os.kill(stopped, signal.SIGSTOP)

        began = time.monotonic()
        run = pool.run(START, ds.SGD(), 0.01, 400, observe=stop, deadline=1.5, pauses={0: 0.01})
        # It was waited for at the end, as long as it still could have answered.
        assert run.lost == (1,) and pool.gone == {1} and 1.5 < time.monotonic() - began < 15
        assert len(run.entries) == 400 and faults(run.entries) == []
        # What it sends when it is let go comes too late for ever, and it ends.
        os.kill(stopped, signal.SIGCONT)
        later = pool.run(START, ds.SGD(), 0.01, 100)
        assert later.lost == () and {entry.worker for entry in later.entries} == {0, 2}
        pool.processes[1].join(10)
        assert not pool.processes[1].is_alive()


@pytest.mark.slow
def test_a_slow_worker_is_not_lost_and_a_stopped_one_is_killed_at_the_end():
    with WorkerPool.launch([GOOD], 2) as pool:
        run = pool.run(START, ds.SGD(), 0.01, 20, deadline=1.0, pauses={0: 1.2, 1: 0.1})
        assert run.lost == () and {entry.worker for entry in run.entries} == {0, 1}
        os.kill(pool.processes[0].pid, signal.SIGSTOP)
        os.kill(pool.processes[1].pid, signal.SIGSTOP)
        with pytest.raises(
            WorkersGoneError, match=r"left after 0 of 9 .*worker 0: no answer withi"
        ):
            pool.run(START, ds.SGD(), 0.01, 9, deadline=0.5)
        began = time.monotonic()
    assert time.monotonic() - began < 3
    assert not any(process.is_alive() for process in pool.processes)


class Unloadable:
    """It comes out of its pickle as an error."""

    parameter_count = SIZE

    def __reduce__(self):
        return int, ("no number",)


@pytest.mark.slow
def test_workers_that_cannot_start_are_reported():
    with pytest.raises(WorkersGoneError, match="worker 0 has ended, or hangs, before its first"):
        WorkerPool.launch([Unloadable()], 2)


@pytest.mark.parametrize("name", ["deadline", "patience"])
@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_deadlines_are_checked(pool, name, value):
    with pytest.raises(ValueError, match=f"{name} must be a number of seconds > 0; got {value}"):
        pool.run(START, ds.SGD(), 0.01, 10, **{name: value})


def _addresses(pid: int) -> set[Any]:
    """The sockets of a process that listen, or have a name."""
    process = psutil.Process(pid)
    listening = {s for s in process.net_connections("all") if s.status == psutil.CONN_LISTEN}
    return listening | {s for s in process.net_connections("unix") if s.laddr}


def test_an_address_is_noticed():
    before = _addresses(os.getpid())
    with socket.create_server(("127.0.0.1", 0)):
        assert len(_addresses(os.getpid()) - before) == 1


@pytest.mark.slow
def test_weights_and_gradients_go_through_no_file_and_no_address(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    # Other tests of this process may have left some behind.
    before = _addresses(os.getpid())
    with WorkerPool.launch([GOOD], 2) as pool:
        pool.run(START, ds.SGD(), 0.01, 20)
        assert _addresses(os.getpid()) == before
        assert not any(_addresses(process.pid) for process in pool.processes)
        assert list(tmp_path.iterdir()) == []
