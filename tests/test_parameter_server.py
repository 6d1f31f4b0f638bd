"""The parameter server without processes: messages, ledger, checkpoints, updates, pull, push."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

import delaystability as ds
from delaystability.server.checkpoint import (
    CHECKPOINT,
    load_checkpoint,
    save_checkpoint,
)
from delaystability.server.ledger import (
    DELAYS,
    LEDGER,
    Entry,
    Extent,
    Ledger,
    faults,
    read_ledger,
    worker_time_left,
)
from delaystability.server.server import ParameterServer
from delaystability.server.update_rule import checked_rule
from delaystability.validation.problem_task import ProblemTask, sample_rows
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
        with pytest.raises(ValueError, match="do not depend on the delay where the delay varies"):
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


def test_a_gradient_of_another_version_is_not_applied():
    server = ParameterServer(START, ds.SGD(), 0.1)
    given = server.pull(0)
    other = server.pull(1)
    server.push(1, other.sequence, other.version, other.weights)
    before = server.weights.clone()
    for sequence, version, message in (
        (0, 1, r"\(0, 0\); got \(0, 1\)$"),  # there is such a version, but not in its hands
        (0, 2, r"got \(0, 2\): there are 1 updates so far"),
        (1, 0, r"got \(1, 0\)$"),
        (0, -1, "version must be an integer >= 0; got -1"),
        (0, 0.0, "version must be an integer >= 0; got 0.0"),
        (False, 0, "sequence must be an integer >= 0; got False"),
    ):
        with pytest.raises(ValueError, match=message):
            server.push(0, sequence, version, given.weights)
    with pytest.raises(ValueError, match=r"got \(0, 0\): that gradient was applied before"):
        server.push(1, other.sequence, other.version, other.weights)
    # Whoever pulls again has only the later weights.
    server.pull(0)
    with pytest.raises(ValueError, match=r"\(0, 1\); got \(0, 0\)"):
        server.push(0, given.sequence, given.version, given.weights)
    assert torch.equal(server.weights, before) and server.version == 1
    assert server.push(0, 0, 1, given.weights) == 0


@pytest.mark.parametrize("optimizer", [ds.SGD(), ds.HeavyBall(0.9)], ids=lambda o: o.name)
def test_numbers_that_are_no_gradient_leave_no_trace(optimizer):
    server, twin = (ParameterServer(START, optimizer, 0.1) for _ in range(2))
    given = server.pull(0)
    for wrong, message in (
        (torch.tensor([1.0, float("nan"), 0, 0, float("inf")]).double(), "finite; got 2 of 5"),
        (torch.full((5,), -float("inf"), dtype=torch.float64), "finite; got 5 of 5"),
        (START.float(), "gradient must be of torch.float64; got torch.float32"),
        (START.to(torch.int64), "got torch.int64"),
        (START.to(torch.complex128), "got torch.complex128"),
        (START[None], r"shape \(5,\); got \(1, 5\)"),
        (START[:0], r"shape \(5,\); got \(0,\)"),
    ):
        with pytest.raises(ValueError, match=message):
            server.push(0, given.sequence, given.version, wrong)
    with pytest.raises(TypeError, match="gradient must be a tensor; got a list"):
        server.push(0, given.sequence, given.version, START.tolist())
    twin.pull(0)
    for each in (server, twin):
        each.push(0, 0, 0, START)
        each.pull(0)
        each.push(0, 1, 1, START)
    assert torch.equal(server.weights, twin.weights) and server.entries == twin.entries


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
        ({"weights": torch.tensor([1.0, float("nan")])}, "weights must be finite"),
        ({"learning_rate": 0.0}, "learning_rate must be a number > 0; got 0.0"),
        ({"learning_rate": float("nan")}, "learning_rate must be a number > 0; got nan"),
    ],
)
def test_bad_servers_are_refused(change, message):
    arguments = {"weights": START, "optimizer": ds.SGD(), "learning_rate": 0.1} | change
    with pytest.raises(ValueError, match=message):
        ParameterServer(**arguments)


# The ledger


def test_entries_are_a_sequence_that_only_grows():
    entries = served(ds.SGD(), random_order(3, 40)).entries
    plain = [Entry(*entry) for entry in entries]
    assert entries == plain and plain == entries and len(entries) == 40
    assert entries != plain[:-1] and entries != [*plain[:-1], plain[0]] and entries != 3
    assert entries[7] == plain[7] and entries[-1] == plain[-1] and entries[5:9] == plain[5:9]
    assert entries.delays == [entry.staleness for entry in plain]
    assert entries.delays[-8:] == [entry.staleness for entry in plain[-8:]]
    assert list(entries.delays) == entries.delays[:] and entries.delays[3] == plain[3].staleness
    assert repr(entries).endswith("and 35 more)") and repr(entries.delays).endswith("35 more)")
    for wrong in (plain[0], plain[-1], Entry(40, 0, 0, 40, 1), Entry(40, 2**40, 0, 40, 0)):
        with pytest.raises((ValueError, OverflowError)):
            entries.append(wrong)
    with pytest.raises(IndexError):
        entries[40]
    assert entries == plain
    entries.append(Entry(40, 0, 9, 38, 2))
    assert entries[-1] == Entry(40, 0, 9, 38, 2) and entries.delays[-1] == 2


@pytest.mark.slow
def test_updates_take_little_memory(tmp_path):
    import psutil

    updates = 100_000
    memory = psutil.Process().memory_info
    server, ledger = ParameterServer(START, ds.SGD(), 1e-9), Ledger(tmp_path)
    before = memory().rss
    for _ in range(updates):
        given = server.pull(0)
        server.push(0, given.sequence, given.version, given.weights)
        ledger.add(server.entries[-1])
    ledger.close()
    # 50 bytes an update at most; lists of entries and delays took 210.
    assert len(server.delays) == updates and memory().rss - before < 50 * updates


@pytest.mark.parametrize("workers", [1, 2, 7])
def test_delays_add_up_to_one_gradient_in_flight_for_each_other_worker(workers):
    entries = list(served(ds.SGD(), random_order(workers, 200)).entries)
    held = sum(entry.staleness for entry in entries) + worker_time_left(entries, workers)
    assert held == (workers - 1) * 200
    # A staleness that is wrong by one is seen.
    entries[50] = entries[50]._replace(staleness=entries[50].staleness + 1)
    held = sum(entry.staleness for entry in entries) + worker_time_left(entries, workers)
    assert held != (workers - 1) * 200


def test_a_sound_ledger_has_no_faults_and_every_fault_is_named():
    entries = list(served(ds.SGD(), random_order(3, 30)).entries)
    assert faults(entries) == []
    assert "missing" in faults([*entries[:7], *entries[8:]])[0]
    twice = [*entries[:8], entries[7]._replace(update=8, staleness=8 - entries[7].version)]
    assert any("counted twice" in text for text in faults(twice))
    lost = [*entries[:7], entries[7]._replace(sequence=entries[7].sequence + 1)]
    assert any("lost before it" in text for text in faults(lost))
    early = [*entries[:10], entries[10]._replace(version=11, staleness=-1)]
    assert any("cannot have read version 11" in text for text in faults(early))
    # Each worker has read after its last gradient was applied: what it held before is void.
    first, later = entries[0], next(e for e in entries[1:] if e.worker == entries[0].worker)
    old = later._replace(version=first.update, staleness=later.update - first.update)
    held = [old if entry is later else entry for entry in entries]
    assert faults(held) == [
        f"update {old.update}: worker {old.worker} cannot have read version {first.update}"
    ]
    fits = later._replace(version=first.update + 1, staleness=later.update - first.update - 1)
    assert faults([fits if entry is later else entry for entry in entries]) == []
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
    extents = {DELAYS: Extent(1, 64 * "a"), LEDGER: Extent(2, 64 * "b")}
    save_checkpoint(tmp_path, whole.state(), extents)
    entries = list(whole.entries)
    served(optimizer, second, server=whole)
    found = load_checkpoint(tmp_path)
    assert found is not None and found[1] == extents
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
