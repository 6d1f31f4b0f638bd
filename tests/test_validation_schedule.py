"""Which iterate and which samples an update uses: plain loops, parameter servers, seeds."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

import delaystability as ds
from delaystability.model.delay_schedule import delay_sequence, longest_delay
from delaystability.model.delays import as_delay
from delaystability.validation.dense import DenseProblem
from delaystability.validation.network import Network
from delaystability.validation.schedule import Batches, batch_rows
from delaystability.validation.training import Replica, Rules, advance, initial_state

EPS = torch.finfo(torch.float64).eps
NETWORK = Network((6, 5, 3))
SAMPLES = 40
DELAYS = [
    3,
    ds.RandomDelay([0.2, 0.3, 0, 0.5]),
    ds.GeometricDelay(0.6),
    ds.MeasuredDelay.from_log([3, 0, 2, 2, 5, 1, 0]),
]


def _problem(loss: str = "cross-entropy") -> DenseProblem:
    random = np.random.default_rng(3)
    labels = random.integers(0, 3, SAMPLES)
    return DenseProblem.from_arrays(
        NETWORK, random.standard_normal((SAMPLES, 6)), np.eye(3)[labels], loss=loss
    )


def _one_gradient(problem, weights, rows):
    """The gradient of one replica on these samples, by autograd, sample after sample."""
    point = weights[None].clone().requires_grad_()
    losses = problem.sample_losses(point)[0]
    loss = sum(losses[row] for row in rows.tolist()) / len(rows)
    return torch.autograd.grad(loss, point)[0][0]


@pytest.mark.parametrize("order", ["epochs", "independent"])
def test_every_replica_follows_its_own_plain_loop_with_its_own_delays_and_samples(order):
    problem, batches, steps = _problem(), Batches(SAMPLES, 7, order), 25
    replicas = [Replica(ds.HeavyBall(0.8), delay, 0.05, seed) for seed, delay in enumerate(DELAYS)]
    rules = Rules.pack(replicas)
    start = torch.tensor(np.stack([NETWORK.initial_parameters(seed) for seed in range(4)]))
    state = advance(
        problem.gradient, rules, initial_state(rules, start), [steps] * len(replicas), batches
    )
    for row, replica in enumerate(replicas):
        delays = delay_sequence(as_delay(replica.delay), replica.seed, 0, steps)
        samples = batch_rows(batches, [replica.seed], [0], steps)[:, 0]
        weights, update = [start[row]], torch.zeros_like(start[row])
        for t in range(steps):
            stale = weights[max(0, t - int(delays[t]))]
            update = 0.8 * update + _one_gradient(problem, stale, samples[t])
            weights.append(weights[-1] - replica.learning_rate * update)
        # 25 stable steps, each rounding sums of some ten numbers.
        assert (state.parameters[row] - weights[-1]).norm() <= 1000 * EPS * weights[-1].norm()
        assert (weights[-1] - start[row]).norm() > 0.05


# A parameter server as it runs: workers in turn push what they computed on what they had fetched.


@dataclass
class _Server:
    """One momentum buffer for the server, or (shifted momentum) one for each worker."""

    weights: torch.Tensor
    workers: int
    momentum: float
    rate: float
    own_buffers: bool
    fetched: list[torch.Tensor] = field(default_factory=list)
    buffers: list[torch.Tensor] = field(default_factory=list)

    def __post_init__(self):
        self.fetched = [self.weights.clone() for _ in range(self.workers)]
        count = self.workers if self.own_buffers else 1
        self.buffers = [torch.zeros_like(self.weights) for _ in range(count)]

    def turn(self, worker, gradient_at):
        gradient = gradient_at(self.fetched[worker])
        place = worker if self.own_buffers else 0
        self.buffers[place] = self.momentum * self.buffers[place] + gradient
        self.weights = self.weights - self.rate * self.buffers[place]
        self.fetched[worker] = self.weights.clone()


@pytest.mark.parametrize("workers", [1, 2, 5, 9])
@pytest.mark.parametrize("own_buffers", [False, True])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.quick(4)
def test_a_round_robin_parameter_server_is_the_delayed_loop(workers, own_buffers, momentum):
    problem, batches, rate = _problem("squared"), Batches(SAMPLES, 8), 0.01
    start = torch.tensor(NETWORK.initial_parameters(1))
    optimizer = ds.ShiftedMomentum(momentum) if own_buffers else ds.HeavyBall(momentum)
    rules = Rules.pack([Replica(optimizer, workers - 1, rate, seed=5)])
    state = initial_state(rules, start[None])
    server = _Server(start, workers, momentum, rate, own_buffers)
    samples = torch.from_numpy(batch_rows(batches, [5], [0], 60)[:, 0])
    for t in range(60):
        state = advance(problem.gradient, rules, state, [1], batches)
        server.turn(
            t % workers,
            lambda weights, rows=samples[t]: problem.gradient(weights[None], rows[None])[0],
        )
        assert (state.parameters[0] - server.weights).abs().max() <= 1e-12


def test_another_number_of_workers_is_another_run():
    problem, rate = _problem("squared"), 0.05
    start = torch.tensor(NETWORK.initial_parameters(1))
    rules = Rules.pack([Replica(ds.SGD(), 3, rate)])
    state = advance(problem.gradient, rules, initial_state(rules, start[None]), [60])
    server = _Server(start, 5, 0.0, rate, own_buffers=False)
    for t in range(60):
        server.turn(t % 5, lambda weights: problem.gradient(weights[None])[0])
    assert (state.parameters[0] - server.weights).abs().max() > 1e-4


# Seeds, blocks and epochs.


@pytest.mark.parametrize("delay", DELAYS[1:], ids=str)
def test_a_delay_sequence_is_the_same_however_it_is_cut(delay):
    whole = delay_sequence(delay, 7, 0, 1000)
    parts = [delay_sequence(delay, 7, start, 125) for start in range(0, 1000, 125)]
    assert np.array_equal(whole, np.concatenate(parts))
    assert whole.min() >= delay.minimum
    assert whole.max() <= longest_delay(delay)


def test_random_delays_have_their_probabilities():
    for delay in DELAYS[1:3]:
        drawn = delay_sequence(delay, 1, 0, 40_000)
        for value in range(4):
            share, chance = np.mean(drawn == value), float(delay.probability(value))
            # Five standard errors of a share.
            assert abs(share - chance) <= 5 * np.sqrt(0.25 / 40_000)


def test_a_log_is_replayed_in_its_order():
    log = [3, 0, 2, 2, 5, 1, 0]
    assert delay_sequence(DELAYS[3], 0, 5, 9).tolist() == [1, 0, *log]


@pytest.mark.parametrize("order", ["epochs", "independent"])
def test_batches_are_the_same_however_they_are_cut(order):
    batches = Batches(SAMPLES, 9, order)
    whole = batch_rows(batches, [1, 2], [0, 3], 30)
    assert whole.shape == (30, 2, 9)
    parts = [batch_rows(batches, [1, 2], [k, 3 + k], 6) for k in range(0, 30, 6)]
    assert np.array_equal(whole, np.concatenate(parts))
    assert not np.array_equal(whole[:, 0], whole[:, 1])


def test_an_epoch_uses_every_sample_once_and_the_next_another_order():
    batches = Batches(SAMPLES, 8)
    rows = batch_rows(batches, [4], [0], 10)[:, 0]
    for epoch in (rows[:5], rows[5:]):
        assert sorted(epoch.ravel()) == list(range(SAMPLES))
    assert not np.array_equal(rows[:5], rows[5:])


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Batches(40, 41), "size must be an integer from 1 to 40; got 41"),
        (lambda: Batches(40, 0), "size must be"),
        (lambda: Batches(40, 4, "sorted"), "order must be one of epochs, independent"),
        (
            lambda: Replica(ds.ShiftedMomentum(0.9), ds.GeometricDelay(0.5), 0.1),
            "optimizer must have coefficients that do not depend on the delay",
        ),
        (
            lambda: Replica(ds.SGD(), ds.MeasuredDelay.from_log([[1, 2], [2, 1]]), 0.1),
            "delay must be a log of one worker",
        ),
        (lambda: Replica(ds.SGD(), 0, 0.1, seed=-1), "seed must be an integer >= 0"),
    ],
)
def test_what_cannot_be_trained_is_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()
