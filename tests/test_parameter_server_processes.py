"""Real worker processes: delays, replays, generations, kills."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

import delaystability as ds
from delaystability.server.ledger import (
    DELAYS,
    LEDGER,
    faults,
    read_ledger,
    worker_time_left,
)
from delaystability.server.worker_pool import WorkerPool
from delaystability.validation.training import Replica, Rules, advance, initial_state
from tests.parameter_server_tasks import START, Regression, delivered

CROWD = 11


pytestmark = pytest.mark.slow

FULL = Regression(None)
NOISY = [Regression(2, seed) for seed in range(9)]


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool]:
    """Eleven workers for all tests of this file; most use three of them."""
    with WorkerPool.launch([FULL, *NOISY], CROWD) as made:
        yield made
    assert not any(process.is_alive() for process in made.processes)


@pytest.mark.parametrize("optimizer", [ds.SGD(), ds.HeavyBall(0.5)], ids=lambda o: o.name)
def test_the_batched_simulator_replays_a_run_from_its_log(pool, optimizer, tmp_path):
    run = pool.run(START, optimizer, 0.02, 400, workers=3, folder=tmp_path)
    log = ds.MeasuredDelay.from_log(tmp_path / DELAYS)
    assert log.sequence.tolist() == run.delays and len(run.delays) == 400

    def gradient(points):
        return torch.stack([FULL.gradient(point, 0, 0) for point in points])

    def simulated(delay):
        rules = Rules.pack([Replica(optimizer, delay, 0.02)])
        return advance(gradient, rules, initial_state(rules, START[None]), [400]).parameters[0]

    assert (simulated(log) - run.weights).norm() <= 1e-12
    # The same delays the other way round are another run.
    assert (simulated(ds.MeasuredDelay(log.sequence[::-1])) - run.weights).norm() > 1e-12


@pytest.mark.parametrize("optimizer", [ds.SGD(), ds.ShiftedMomentum(0.6)], ids=lambda o: o.name)
def test_the_ledger_replays_mini_batches_and_buffers_of_workers(pool, optimizer):
    run = pool.run(START, optimizer, 0.01, 300, workers=3, task=1)
    found = delivered(optimizer, run.entries, NOISY[0], 0.01)
    assert (found - run.weights).norm() <= 1e-12
    assert (delivered(optimizer, run.entries, NOISY[1], 0.01) - run.weights).norm() > 1e-3


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_the_mean_delay_is_one_less_than_the_number_of_workers(pool, workers):
    run = pool.run(START, ds.SGD(), 0.01, 500, workers=workers)
    assert faults(run.entries) == []
    left = worker_time_left(run.entries, workers)
    assert sum(run.delays) + left == (workers - 1) * 500
    assert {entry.worker for entry in run.entries} == set(range(workers))


def test_a_slowed_worker_has_long_delays_and_few_updates(pool):
    run = pool.run(START, ds.SGD(), 0.01, 300, workers=3, pauses={1: 0.03})
    own = {worker: [e.staleness for e in run.entries if e.worker == worker] for worker in range(3)}
    assert len(own[1]) < min(len(own[0]), len(own[2]))
    assert np.mean(own[1]) > max(np.mean(own[0]), np.mean(own[2]))
    assert sum(run.delays) + worker_time_left(run.entries, 3) == 2 * 300


def test_gradients_of_an_earlier_run_are_dropped(pool):
    first = pool.run(START, ds.SGD(), 0.01, 100, workers=2, pauses={1: 1.0}, patience=0.01)
    assert {entry.worker for entry in first.entries} == {0}
    # Worker 1 still computes for the first run; its answer comes in the middle of this one.
    second = pool.run(START, ds.SGD(), 0.02, 3000, workers=2, pauses={0: 0.001})
    assert faults(second.entries) == []
    of_late = [entry for entry in second.entries if entry.worker == 1]
    assert of_late and of_late[0].sequence == 0 and of_late[0].version > 0
    found = delivered(ds.SGD(), second.entries, FULL, 0.02)
    assert (found - second.weights).norm() <= 1e-12


def test_the_server_shows_its_delays_while_it_runs(pool):
    seen = []

    def watch(server):
        seen.append((len(server.delays), server.version))
        return server.version == 50

    run = pool.run(START, ds.SGD(), 0.01, 1000, workers=3, observe=watch)
    assert seen == [(n, n) for n in range(1, 51)] and len(run.entries) == 50


def test_bad_arguments_are_refused_and_the_crew_goes_on(pool, tmp_path):
    for change, message in (
        ({"updates": 0}, "updates must be an integer >= 1; got 0"),
        ({"workers": 12}, "workers must be an integer from 1 to 11; got 12"),
        ({"pauses": {11: 1.0}}, "pauses must map workers 0 to 10 to seconds, 0 to 3600; got 11"),
        ({"pauses": {0: -1.0}}, "got 0: -1.0"),
        ({"learning_rate": -1.0}, "learning_rate must be a number > 0"),
        ({"optimizer": ds.SpikeCompensation(0.9)}, "do not depend on the delay"),
        ({"checkpoint_every": 0}, "checkpoint_every must be an integer >= 1; got 0"),
    ):
        arguments = {"optimizer": ds.SGD(), "learning_rate": 0.1, "updates": 10} | change
        with pytest.raises(ValueError, match=message):
            pool.run(START, **arguments)
    with pytest.raises(ValueError, match="workers must be an integer >= 1; got 0"):
        WorkerPool.launch([FULL], 0)
    with pytest.raises(ValueError, match="tasks must hold at least one task"):
        WorkerPool.launch([], 1)
    assert len(pool.run(START, ds.SGD(), 0.01, 20, workers=2).entries) == 20


def test_ten_kills_lose_no_gradient_and_leave_the_loss_where_it_is(pool, tmp_path):
    """The last test of the pool: one worker is left."""
    updates, lr = 6000, 0.01
    calm = [pool.run(START, ds.SGD(), lr, updates // 4, task=1 + k) for k in range(8)]
    losses = [NOISY[k].loss(run.weights) for k, run in enumerate(calm)]
    victims = np.random.default_rng(4).permutation(CROWD)[:10].tolist()
    pending = list(victims)

    def kill(server):
        if pending and server.version % 300 == 150:
            os.kill(pool.processes[pending.pop()].pid, signal.SIGKILL)

    run = pool.run(START, ds.SGD(), lr, updates, task=9, folder=tmp_path, observe=kill)
    assert not pending and set(run.lost) == set(victims)
    assert len(run.entries) == updates and faults(run.entries) == []
    assert read_ledger(tmp_path / LEDGER) == list(run.entries)
    assert ds.MeasuredDelay.from_log(tmp_path / DELAYS).sequence.tolist() == run.delays
    # The dead hold a gradient for ever: nothing else is missing.
    left = worker_time_left(run.entries, CROWD)
    assert sum(run.delays) + left == (CROWD - 1) * updates
    assert (delivered(ds.SGD(), run.entries, NOISY[8], lr) - run.weights).norm() <= 1e-12
    # Eight undisturbed runs: with seven degrees of freedom 5 standard deviations are 0.2 %.
    spread = np.std(losses, ddof=1)
    assert abs(NOISY[8].loss(run.weights) - np.mean(losses)) <= 5 * spread
    # Unless that spread were so large that anything would do.
    assert NOISY[8].loss(START) - np.mean(losses) > 20 * spread
