"""The parameter server without processes: messages, ledger, checkpoints, updates, pull, push."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

import delaystability as ds
from delaystability.validation.parameter_server.checkpoint import (
    CHECKPOINT,
    load_checkpoint,
    save_checkpoint,
)
from delaystability.validation.parameter_server.ledger import (
    DELAYS,
    LEDGER,
    Entry,
    Ledger,
    faults,
    read_ledger,
    worker_time_left,
)
from delaystability.validation.parameter_server.messages import (
    HEADER_BYTES,
    Kind,
    Message,
    buffer,
    decode,
    encode,
)
from delaystability.validation.parameter_server.server import ParameterServer
from delaystability.validation.parameter_server.tasks import ProblemTask, sample_rows
from delaystability.validation.parameter_server.update_rule import checked_rule
from tests.helpers import EPS

SIZE = 5
HESSIAN = torch.diag(torch.linspace(0.2, 1.0, SIZE, dtype=torch.float64))
START = torch.linspace(1.0, 2.0, SIZE, dtype=torch.float64)


def served(
    optimizer: ds.Optimizer,
    order: list[int],
    lr: float = 0.05,
    server: ParameterServer | None = None,
) -> ParameterServer:
    """Workers push in this order, each what it computed at what it had pulled."""
    server = ParameterServer(START, optimizer, lr) if server is None else server
    held = {worker: server.pull(worker) for worker in sorted(set(order))}
    for worker in order:
        given = held[worker]
        server.push(worker, given.sequence, given.version, HESSIAN @ given.weights)
        held[worker] = server.pull(worker)
    return server


def random_order(workers: int, updates: int, seed: int = 0) -> list[int]:
    random = np.random.default_rng(seed)
    return [*range(workers), *random.integers(workers, size=updates - workers).tolist()]


# Messages


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_message_comes_out_as_it_went_in(dtype):
    room = buffer(7, dtype)
    values = torch.linspace(-1, 1, 5, dtype=dtype)
    sent = Message(Kind.GRADIENT, 3, 2, 41, 2**40, 1, 10**10, values)
    got = decode(encode(sent, room).clone(), (7, 5), dtype)
    assert vars(got) | {"values": None} == vars(sent) | {"values": None}
    assert torch.equal(got.values, values) and got.values.dtype == dtype
    assert len(room) == HEADER_BYTES + 7 * dtype.itemsize


def test_what_is_no_message_is_refused():
    room = buffer(3, torch.float64)
    with pytest.raises(
        ValueError, match="must hold a message of this protocol; it begins with 0x0"
    ):
        decode(room, (3,), torch.float64)
    message = Message(Kind.WEIGHTS, 0, 0, 0, 0, 0, 0, torch.zeros(4, dtype=torch.float64))
    with pytest.raises(ValueError, match="at most 24 bytes of numbers; got 32"):
        encode(message, room)


# Updates


def replayed(optimizer: ds.Optimizer, entries: list[Entry], lr: float) -> torch.Tensor:
    """What the ledger says, word for word, on plain lists of all iterates and updates."""
    own = isinstance(optimizer, ds.ShiftedMomentum)
    weights, gradients, updates = [START], [], []
    table = optimizer.coefficients(0)
    last: dict[int, torch.Tensor] = {}
    for entry in entries:
        gradients.append(HESSIAN @ weights[entry.version])
        if own:
            update = optimizer.momentum * last.get(entry.worker, 0 * START) + gradients[-1]
            last[entry.worker] = update
        else:
            update = sum(c * gradients[-1 - k] for k, c in table.feedforward if k < len(gradients))
            update += sum((c * updates[-j] for j, c in table.feedback if j <= len(updates)), 0)
        updates.append(update)
        weights.append(weights[-1] - lr * update)
    return weights[-1]


OPTIMIZERS = [
    ds.SGD(),
    ds.HeavyBall(0.9),
    ds.EMAMomentum(0.7),
    ds.Nesterov(0.5),
    ds.ShiftedMomentum(0.8),
    ds.WeightPrediction(0.5, 2.0),
    ds.LinearOptimizer({1: 0.3, 3: 0.2}, {0: 1.0, 2: -0.4}),
]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: o.name)
def test_the_server_does_what_its_ledger_says(optimizer):
    server = served(optimizer, random_order(4, 80))
    # 80 updates, each rounding a few numbers of the size of the start.
    assert (server.weights - replayed(optimizer, server.entries, 0.05)).norm() <= 1000 * EPS
    other = served(optimizer, random_order(4, 80, seed=1))
    assert (other.weights - server.weights).norm() > 1e-6


@pytest.mark.parametrize("momentum", [0.0, 0.8])
def test_buffers_of_workers_are_feedback_at_the_delay_of_the_update_plus_one(momentum):
    server = served(ds.ShiftedMomentum(momentum), random_order(4, 80, seed=2))
    weights, updates = [START], []
    for t, delay in enumerate(server.delays):
        past = updates[t - delay - 1] if t > delay else 0 * START
        updates.append(momentum * past + HESSIAN @ weights[t - delay])
        weights.append(weights[-1] - 0.05 * updates[-1])
    assert (server.weights - weights[-1]).norm() <= 1000 * EPS
    fixed = served(ds.HeavyBall(momentum), random_order(4, 80, seed=2))
    assert bool((server.weights - fixed.weights).norm() > 1e-6) == (momentum > 0)


def test_workers_in_turn_are_the_fixed_delay():
    server = served(ds.SGD(), [*range(5)] * 20)
    assert server.delays[4:] == [4] * 96 and server.delays[:4] == [0, 1, 2, 3]


def test_optimizers_that_must_know_the_next_delay_are_refused():
    for optimizer in (ds.SpikeCompensation(0.9), ds.WeightPrediction(0.9)):
        with pytest.raises(
            ValueError, match="must have the same table for every delay, or be shif"
        ):
            checked_rule(optimizer)
    assert checked_rule(ds.ShiftedMomentum(0.9)) == ds.ShiftedMomentum(0.9)


# Pull and push


def test_a_gradient_is_applied_once():
    server = ParameterServer(START, ds.SGD(), 0.1)
    given = server.pull(0)
    assert server.push(0, given.sequence, given.version, given.weights) == 0
    before = server.weights.clone()
    with pytest.raises(ValueError, match=r"last pull of worker 0.*\(1, None\); got \(0, 0\)"):
        server.push(0, given.sequence, given.version, given.weights)
    again = server.pull(0)
    with pytest.raises(ValueError, match="must answer the last pull of worker 3"):
        server.push(3, again.sequence, again.version, again.weights)
    with pytest.raises(ValueError, match=r"shape \(5,\); got \(2,\)"):
        server.push(0, again.sequence, again.version, again.weights[:2])
    assert torch.equal(server.weights, before) and server.delays == [0]
    assert server.push(0, again.sequence, again.version, again.weights) == 0


def test_what_was_handed_out_does_not_change_later():
    server = ParameterServer(START, ds.SGD(), 0.1)
    first, second = server.pull(0), server.pull(1)
    server.push(0, first.sequence, first.version, first.weights)
    assert torch.equal(second.weights, START) and not torch.equal(server.weights, START)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": torch.zeros(2, 2)}, r"weights must be a vector.*\(2, 2\)"),
        ({"weights": torch.zeros(2, dtype=torch.int64)}, "weights must be a vector of floats"),
        ({"learning_rate": 0.0}, "learning_rate must be a number > 0; got 0.0"),
        ({"learning_rate": float("nan")}, "learning_rate must be a number > 0; got nan"),
    ],
)
def test_bad_servers_are_refused(change, message):
    arguments = {"weights": START, "optimizer": ds.SGD(), "learning_rate": 0.1} | change
    with pytest.raises(ValueError, match=message):
        ParameterServer(**arguments)


# The ledger


@pytest.mark.parametrize("workers", [1, 2, 7])
def test_delays_add_up_to_one_gradient_in_flight_for_each_other_worker(workers):
    entries = served(ds.SGD(), random_order(workers, 200)).entries
    held = sum(entry.staleness for entry in entries) + worker_time_left(entries, workers)
    assert held == (workers - 1) * 200
    # A staleness that is wrong by one is seen.
    entries[50] = entries[50]._replace(staleness=entries[50].staleness + 1)
    held = sum(entry.staleness for entry in entries) + worker_time_left(entries, workers)
    assert held != (workers - 1) * 200


def test_a_sound_ledger_has_no_faults_and_every_fault_is_named():
    entries = served(ds.SGD(), random_order(3, 30)).entries
    assert faults(entries) == []
    assert "missing" in faults([*entries[:7], *entries[8:]])[0]
    twice = [*entries[:8], entries[7]._replace(update=8, staleness=8 - entries[7].version)]
    assert any("counted twice" in text for text in faults(twice))
    lost = [*entries[:7], entries[7]._replace(sequence=entries[7].sequence + 1)]
    assert any("lost before it" in text for text in faults(lost))
    early = [*entries[:10], entries[10]._replace(version=11, staleness=-1)]
    assert any("cannot have read version 11" in text for text in faults(early))
    wrong = [*entries[:10], entries[10]._replace(staleness=99)]
    assert any("staleness is not 99" in text for text in faults(wrong))


def test_the_log_is_what_measured_delay_reads(tmp_path):
    server, ledger = served(ds.SGD(), random_order(4, 50)), Ledger(tmp_path)
    for entry in server.entries:
        ledger.add(entry)
    ledger.close()
    assert ds.MeasuredDelay.from_log(tmp_path / DELAYS).sequence.tolist() == server.delays
    assert read_ledger(tmp_path / LEDGER) == server.entries


def test_a_ledger_goes_on_where_it_was_synchronised(tmp_path):
    entries = served(ds.SGD(), random_order(4, 50)).entries
    first = Ledger(tmp_path)
    for entry in entries[:20]:
        first.add(entry)
    sizes = first.sync()
    for entry in entries[30:40]:
        first.add(entry)
    first.close()
    second = Ledger(tmp_path, sizes)
    for entry in entries[20:]:
        second.add(entry)
    second.close()
    assert read_ledger(tmp_path / LEDGER) == entries


def test_unreadable_ledgers_are_refused(tmp_path):
    with pytest.raises(ValueError, match="ledger must be a readable file"):
        read_ledger(tmp_path / LEDGER)
    (tmp_path / LEDGER).write_text("# title\n0,0,0,0,0\n1,0,1\n")
    with pytest.raises(ValueError, match="five integers >= 0 a line; got '1,0,1' in 3"):
        read_ledger(tmp_path / LEDGER)


# Checkpoints


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: o.name)
def test_a_server_goes_on_from_its_checkpoint_bit_for_bit(optimizer, tmp_path):
    first, second = random_order(3, 40), random_order(3, 30, seed=1)
    whole = served(optimizer, first)
    save_checkpoint(tmp_path, whole.state(), {DELAYS: 1, LEDGER: 2})
    entries = list(whole.entries)
    served(optimizer, second, server=whole)
    found = load_checkpoint(tmp_path)
    assert found is not None and found[1] == {DELAYS: 1, LEDGER: 2}
    other = ParameterServer(0 * START, optimizer, 0.05)
    other.load(found[0], entries)
    served(optimizer, second, server=other)
    assert torch.equal(other.weights, whole.weights) and other.entries == whole.entries
    fresh = served(optimizer, second)
    assert not torch.equal(fresh.weights, whole.weights)


def test_checkpoints_of_other_runs_are_refused(tmp_path):
    assert load_checkpoint(tmp_path) is None
    server = served(ds.SGD(), [0, 1, 0])
    save_checkpoint(tmp_path, server.state(), {})
    found = load_checkpoint(tmp_path)
    assert found is not None
    for other, message in (
        (ParameterServer(START, ds.HeavyBall(0.9), 0.05), r"optimizer must be.*'SGD\(\)'; got"),
        (ParameterServer(START, ds.SGD(), 0.1), "learning_rate must be.*0.05; got 0.1"),
        (
            ParameterServer(START[:2], ds.SGD(), 0.05),
            "must have 2 weights.*of 3 updates; got 5 and 3",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            other.load(found[0], server.entries)
    with pytest.raises(ValueError, match="a ledger of 3 updates; got 5 and 2"):
        ParameterServer(START, ds.SGD(), 0.05).load(found[0], server.entries[:2])
    (tmp_path / CHECKPOINT).write_bytes(b"torn")
    with pytest.raises(ValueError, match="must hold a readable checkpoint"):
        load_checkpoint(tmp_path)
    assert [path.name for path in Path(tmp_path).iterdir()] == [CHECKPOINT]


# Tasks


def test_samples_are_drawn_anew_for_each_gradient_of_each_worker():
    drawn = {
        (worker, sequence): sample_rows(5, worker, sequence, 1000, 8).tolist()
        for worker, sequence in itertools.product(range(3), range(3))
    }
    assert len({tuple(rows) for rows in drawn.values()}) == 9
    assert drawn[1, 2] == sample_rows(5, 1, 2, 1000, 8).tolist()


def test_a_problem_task_is_the_gradient_of_the_problem():
    from delaystability.validation.dense import DenseProblem
    from delaystability.validation.network import Network

    random = np.random.default_rng(0)
    network = Network((3, 4, 2))
    problem = DenseProblem.from_arrays(
        network, random.standard_normal((12, 3)), random.standard_normal((12, 2))
    )
    weights = torch.tensor(network.initial_parameters(0))
    whole = ProblemTask(problem).gradient(weights, 0, 0)
    assert torch.equal(whole, problem.gradient(weights[None])[0])
    rows = torch.from_numpy(sample_rows(7, 2, 3, 12, 4))
    some = ProblemTask(problem, batch=4, seed=7).gradient(weights, 2, 3)
    assert torch.equal(some, problem.gradient(weights[None], rows[None])[0])
    assert not torch.equal(some, whole)
    with pytest.raises(ValueError, match="batch must be an integer from 1 to 12; got 13"):
        ProblemTask(problem, batch=13)
