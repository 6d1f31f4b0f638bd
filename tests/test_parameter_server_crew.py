"""How a crew of workers is started, waited for, given up and ended; its processes are threads."""

from __future__ import annotations

import os
import signal
import socket
import threading
from contextlib import suppress
from types import SimpleNamespace

import pytest

pytest.importorskip("torch")

import torch

import delaystability as ds
from delaystability.server import roster, worker, worker_pool
from delaystability.server.channel import FramedSocket
from delaystability.server.ledger import faults
from delaystability.server.messages import Kind, Message
from delaystability.server.refusals import Refusals
from delaystability.server.run import WorkersGoneError
from delaystability.server.transport import Arrival, WorkerLink
from delaystability.server.worker import READY, compute, layout_of, work_in_a_process
from delaystability.server.worker_pool import WorkerPool
from tests.parameter_server_tasks import START, Regression, crew_of_threads, delivered

TASK = Regression(None)


class Process:
    """A process that is a thread: it says ``first``, and computes if that is what is due.

    Attributes
    ----------
    all : list of Process
        Every one that was made in this test.
    said : mapping from number to bytes
        What a process says first that is not ready.
    stubborn : set of int
        Those that go on when they are told to end.
    """

    all: list[Process]
    said: dict[int, bytes]
    stubborn: set[int]

    def __init__(self, target, args, daemon):
        assert target is work_in_a_process and daemon
        self.number, self.pid, self.killed = len(self.all), None, False
        self.stream, self.tasks, self.dtype, self.parent = args
        self.over = threading.Event()
        self.all.append(self)

    def start(self):
        self.pid = 1 + self.number
        # As a new process has its own.
        self.stream = self.stream.dup()
        self.thread = threading.Thread(target=self.work)
        self.thread.start()

    def work(self):
        with self.stream:
            channel, first = FramedSocket(self.stream), self.said.get(self.number, READY)
            if first:
                channel.send(first)
            if first == READY:
                compute(WorkerLink(channel, layout_of(self.tasks, self.dtype)), self.tasks)
        if self.number in self.stubborn:
            self.over.wait(10)

    def is_alive(self):
        return self.thread.is_alive()

    def join(self, seconds=None):
        # Nobody waits for one that goes on until it is killed.
        if self.killed or self.number not in self.stubborn:
            self.thread.join(seconds)

    def kill(self):
        self.killed = True
        self.over.set()
        with suppress(OSError):
            self.stream.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def processes(monkeypatch):
    """Those that were started instead of real ones, none of which is left at the end."""
    Process.all, Process.said, Process.stubborn = [], {}, set()
    context = SimpleNamespace(Process=Process)
    monkeypatch.setattr(worker_pool.multiprocessing, "get_context", {"spawn": context}.__getitem__)
    yield Process.all
    for process in Process.all:
        process.over.set()
        if process.pid is not None:
            process.thread.join(10)
            assert not process.is_alive()


def test_a_crew_that_was_launched_trains_and_ends_by_itself(processes):
    with WorkerPool.launch([TASK], 3) as pool:
        assert [process.parent for process in processes] == [os.getpid()] * 3
        assert pool.workers == 3 and pool.processes == tuple(processes)
        run = pool.run(START, ds.HeavyBall(0.5), 0.01, 60)
        assert faults(run.entries) == [] and run.lost == ()
        found = delivered(ds.HeavyBall(0.5), run.entries, TASK, 0.01)
        assert (found - run.weights).norm() <= 1e-12
    assert not any(process.is_alive() or process.killed for process in processes)


@pytest.mark.parametrize("method", ["spawn", "loky"])
def test_a_start_method_that_new_processes_do_not_know_is_replaced(processes, monkeypatch, method):
    module, chosen = worker_pool.multiprocessing, []
    monkeypatch.setattr(module, "get_start_method", lambda: method)
    monkeypatch.setattr(module, "set_start_method", lambda name, force: chosen.append(name))
    WorkerPool.launch([TASK], 1).close()
    assert chosen == ([] if method == "spawn" else ["spawn"])


def test_a_worker_that_does_not_end_is_killed_and_the_others_are_not(processes):
    Process.stubborn.add(1)
    with WorkerPool.launch([TASK], 3) as pool:
        pool.run(START, ds.SGD(), 0.01, 10)
    assert [process.killed for process in processes] == [False, True, False]


@pytest.mark.parametrize("first", [b"", b"steady", b"r"])
def test_a_worker_that_does_not_get_ready_is_named_and_the_others_end(processes, first):
    Process.said[1] = first
    Process.stubborn.update((0, 1))
    with pytest.raises(WorkersGoneError, match="worker 1 has ended, or hangs, before its first"):
        WorkerPool.launch([TASK], 3)
    # There is nothing to wait for: all are killed that have not ended.
    assert [process.killed for process in processes[:2]] == [True, True]
    for process in processes:
        process.join(10)
        assert not process.is_alive()


def test_a_crew_needs_a_worker_and_a_task(processes):
    with pytest.raises(ValueError, match="workers must be an integer >= 1; got 0"):
        WorkerPool.launch([TASK], 0)
    with pytest.raises(ValueError, match="tasks must hold at least one task; got none"):
        WorkerPool.launch([], 1)
    assert processes == []


def test_a_worker_process_leaves_interrupts_to_the_server_and_ends_with_it(monkeypatch):
    done = []
    signals = SimpleNamespace(
        signal=lambda *given: done.append(given), SIGINT=signal.SIGINT, SIG_IGN=signal.SIG_IGN
    )
    monkeypatch.setattr(worker, "signal", signals)
    monkeypatch.setattr(worker, "end_with", lambda parent: done.append(parent))
    monkeypatch.setattr(torch, "set_num_threads", lambda count: done.append(f"{count} thread"))
    own, theirs = socket.socketpair()

    def work():
        with theirs:  # as at the end of a process
            work_in_a_process(theirs, [TASK], torch.float64, 123)

    thread = threading.Thread(target=work)
    thread.start()
    channel = FramedSocket(own)
    assert channel.receive(len(READY)) == READY
    with WorkerPool([channel], [TASK], torch.float64, Refusals()) as pool:
        assert len(pool.run(START, ds.SGD(), 0.01, 5).entries) == 5
    thread.join(10)
    assert not thread.is_alive()
    assert done == [(signal.SIGINT, signal.SIG_IGN), 123, "1 thread"]
    # One whose server is gone before it is ready ends in silence.
    own, theirs = socket.socketpair()
    own.close()
    work()


def test_of_the_processes_of_torchrun_the_first_is_the_server_and_the_others_work(monkeypatch):
    own, theirs = socket.socketpair()
    removed, threads = [], []
    folder = SimpleNamespace(remove=lambda: removed.append(True))

    def meeting(environment, address):
        assert environment is os.environ
        rank = 0 if address == "rank 0" else 1
        return SimpleNamespace(
            rank=rank,
            address=None,
            folder=folder,
            accept=lambda seconds, dropped: [FramedSocket(own)],
            connect=lambda seconds: FramedSocket(theirs),
        )

    monkeypatch.setattr(worker_pool, "meeting_of", meeting)
    monkeypatch.setattr(torch, "set_num_threads", threads.append)
    found = []

    def work():
        found.append(WorkerPool.from_environment([TASK], address="rank 1"))
        theirs.close()

    thread = threading.Thread(target=work)
    thread.start()
    with WorkerPool.from_environment([TASK], address="rank 0") as pool:
        run = pool.run(START, ds.SGD(), 0.01, 20)
        assert removed == []
    thread.join(10)
    assert len(run.entries) == 20
    assert found == [None] and threads == [1, 1] and removed == [True]


class Link:
    """A link to workers that are not there, which keeps what it is told to do."""

    def __init__(self):
        self.arrivals, self.sent, self.given_up = [], [], []

    def receive(self, timeout):
        return self.arrivals.pop(0) if self.arrivals else None

    def send(self, message):
        self.sent.append(message)

    def give_up(self, number):
        self.given_up.append(number)


def weights(number, pause=0):
    return Message(Kind.WEIGHTS, 1, number, 0, 0, 0, pause, START)


def answer(number, error="", gone=False):
    return Arrival(number, None, error, gone)


def test_who_does_not_answer_in_time_is_gone_and_what_comes_later_is_not_heard(monkeypatch):
    clock = SimpleNamespace(now=100.0, monotonic=lambda: clock.now)
    monkeypatch.setattr(roster, "time", clock)
    link = Link()
    crew = roster.Roster(link, 4)
    for number, pause in ((0, 0), (1, 0), (2, 1_500_000_000)):
        crew.give(weights(number, pause), 2.0)
    assert crew.busy == {0, 1, 2} and crew.left == [0, 1, 2, 3]
    link.arrivals = [answer(0)]
    assert crew.receive(0.1).worker == 0
    clock.now = 101.75
    assert crew.receive(0.1) is None
    assert crew.busy == {1, 2} and crew.gone == {}
    clock.now = 102.0
    assert crew.receive(0.1) is None
    assert crew.gone == {1: "no answer within 2 s"} and link.given_up == [1]
    # Its gradient comes after all; and the pause of another was no part of its deadline.
    link.arrivals = [answer(1)]
    assert crew.receive(0.1) is None
    clock.now = 103.4
    assert crew.receive(0.1) is None and crew.busy == {2}
    # One that answers at the last moment is not lost.
    clock.now, link.arrivals = 103.6, [answer(2)]
    assert crew.receive(0.1).worker == 2
    assert crew.left == [0, 2, 3] and crew.busy == set()


def test_a_crew_that_is_stopped_hears_it_once_unless_it_is_busy_or_gone(monkeypatch):
    clock = SimpleNamespace(now=0.0, monotonic=lambda: clock.now)
    monkeypatch.setattr(roster, "time", clock)
    link = Link()
    crew = roster.Roster(link, 4)
    for number in (0, 1):
        crew.give(weights(number), 60.0)
    link.arrivals = [answer(1, "its connection has ended", gone=True)]
    assert crew.receive(0.1).error == "its connection has ended"
    assert crew.gone == {1: "its connection has ended"} and crew.busy == {0}
    crew.stop(range(4))
    assert [(sent.kind, sent.worker) for sent in link.sent[2:]] == [(Kind.STOP, 2), (Kind.STOP, 3)]
    # What is still computed is taken in, and dropped; no longer than that is waited.
    link.arrivals = [answer(0), answer(2)]
    crew.settle(1.0)
    assert crew.busy == set() and len(link.arrivals) == 1


class Held(Regression):
    """A regression whose gradients wait for an event, those of some workers."""

    def __init__(self, *held):
        super().__init__(None)
        object.__setattr__(self, "event", threading.Event())
        object.__setattr__(self, "held", held)

    def gradient(self, weights, worker, sequence):
        assert worker not in self.held or self.event.wait(10)
        return super().gradient(weights, worker, sequence)


def test_a_run_that_nobody_answers_ends_with_the_patience():
    task = Held(0, 1)
    with crew_of_threads([task], 2) as pool:
        with pytest.raises(
            WorkersGoneError, match=r"no worker has answered for 0.02 s, after 0 of"
        ):
            pool.run(START, ds.SGD(), 0.01, 10, patience=0.02)
        task.event.set()
        assert pool.run(START, ds.SGD(), 0.01, 10).lost == ()


def test_a_worker_that_is_busy_at_the_end_is_told_to_end_once_it_has_answered(processes):
    task = Held(1)
    with WorkerPool.launch([task], 2) as pool:
        run = pool.run(START, ds.SGD(), 0.01, 10, patience=0.02)
        assert {entry.worker for entry in run.entries} == {0}
        task.event.set()
    assert not any(process.is_alive() or process.killed for process in processes)
