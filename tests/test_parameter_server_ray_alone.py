"""The server as a Ray actor, without Ray: threads of this process do what is asked of it."""

from __future__ import annotations

import sys
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event, Lock
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

import delaystability as ds
from delaystability.server import ray_adapter
from delaystability.server.ledger import faults
from delaystability.server.ray_adapter import ServerActor, train_with_ray
from tests.parameter_server_tasks import START, Faulty, Regression, delivered


class CrashedError(Exception):
    """A worker's process has ended."""


class Actor:
    """An object that does one thing at a time, and gives its answers as Ray does."""

    def __init__(self, made):
        self.made, self.lock = made, Lock()

    def __getattr__(self, name):
        def remote(*arguments):
            with self.lock:
                return getattr(self.made, name)(*arguments)

        return SimpleNamespace(remote=remote)


@pytest.fixture
def ray(monkeypatch):
    """A package of which `train_with_ray` can use what it uses of Ray."""
    with ThreadPoolExecutor(8) as pool:

        def remote(**options):
            assert options.pop("num_cpus") == 0 and options in ({}, {"max_retries": 0})

            def decorated(target):
                if isinstance(target, type):
                    return SimpleNamespace(remote=lambda *given: Actor(target(*given)))
                return SimpleNamespace(remote=lambda *given: pool.submit(target, *given))

            return decorated

        package = SimpleNamespace(
            get=lambda given: given.result() if isinstance(given, Future) else given,
            remote=remote,
            exceptions=SimpleNamespace(WorkerCrashedError=CrashedError),
        )
        monkeypatch.setitem(sys.modules, "ray", package)
        monkeypatch.setattr(ray_adapter, "find_spec", {"ray": package}.__getitem__)
        package.threads = []
        monkeypatch.setattr(torch, "set_num_threads", package.threads.append)
        yield package


def test_an_actor_hands_out_weights_and_applies_gradients_until_there_are_enough():
    actor = ServerActor(np.array([1.0, 2.0]), ds.SGD(), 0.5, 2)
    assert actor.pull(0)[:2] == actor.pull(1)[:2] == (0, 0)
    assert actor.push(0, 0, 0, np.array([2.0, 0.0])) == 0
    assert actor.push(0, 0, 0, np.array([2.0, 0.0])) is None  # the same once more
    sequence, version, weights = actor.pull(0)
    assert (sequence, version, weights.tolist()) == (1, 1, [0.0, 2.0])
    # It was computed before the first was applied.
    assert actor.push(1, 0, 0, np.array([0.0, 4.0])) == 1
    assert actor.pull(0) is None and actor.push(0, 1, 1, np.array([1.0, 1.0])) is None
    weights, rows, aside, refused = actor.result()
    assert (weights.tolist(), aside, refused) == ([0.0, 0.0], [], 1)
    assert len(rows) == 2


def test_an_actor_sets_aside_who_sends_nothing_but_what_is_no_gradient():
    actor = ServerActor(np.array([1.0, 2.0]), ds.SGD(), 0.5, 100)
    wrong, good = np.array([np.nan, 0.0]), np.array([0.0, 0.0])

    def push(gradient):
        sequence, version, _ = actor.pull(3)
        return actor.push(3, sequence, version, gradient)

    # One that is good begins the count anew.
    assert [push(wrong) for _ in range(9)] == [None] * 9
    assert push(good) == 0
    assert [push(wrong) for _ in range(10)] == [None] * 10
    assert actor.pull(3) is None and actor.pull(2) is not None
    assert actor.result()[2:] == ([3], 19)


@pytest.mark.parametrize("optimizer", [ds.SGD(), ds.ShiftedMomentum(0.6)], ids=lambda o: o.name)
def test_workers_of_ray_train_as_the_ledger_says(ray, optimizer):
    task = Regression(2, 3)
    run = train_with_ray(task, START, optimizer, 0.01, 60, workers=3)
    assert len(run.entries) == 60 and faults(run.entries) == []
    assert (run.lost, run.refused) == ((), 0) and run.seconds > 0
    assert ray.threads == [1] * 3  # of each worker
    assert (delivered(optimizer, run.entries, task, 0.01) - run.weights).norm() <= 1e-12
    assert (delivered(optimizer, run.entries, Regression(2, 4), 0.01) - run.weights).norm() > 1e-3


class Crashing(Regression):
    """A regression at which the process of worker 1 ends, before the others have done anything."""

    gone = Event()

    def gradient(self, weights, worker, sequence):
        if worker == 1:
            self.gone.set()
            raise CrashedError
        assert self.gone.wait(30)
        return super().gradient(weights, worker, sequence)


def test_a_worker_of_ray_that_crashes_is_lost_and_the_run_goes_on(ray):
    run = train_with_ray(Crashing(None), START, ds.SGD(), 0.01, 40, workers=3)
    assert run.lost == (1,) and len(run.entries) == 40
    assert {entry.worker for entry in run.entries} <= {0, 2}


def test_a_worker_of_ray_that_sends_nothing_of_use_is_set_aside(ray):
    run = train_with_ray(Faulty(None, worker=0, period=1), START, ds.SGD(), 0.01, 40, workers=1)
    assert (run.lost, run.refused, len(run.entries)) == ((0,), 10, 0)


def test_the_number_of_workers_is_checked_and_ray_is_needed(ray, monkeypatch):
    with pytest.raises(ValueError, match="workers must be an integer >= 1; got 0"):
        train_with_ray(Regression(None), START, ds.SGD(), 0.01, 10, workers=0)
    monkeypatch.setattr(ray_adapter, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="not installed: pip install ray"):
        train_with_ray(Regression(None), START, ds.SGD(), 0.01, 10, workers=1)
