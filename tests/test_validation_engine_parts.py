"""The gradient of the networks and the rings of the engine, against formulas and lists."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from torch.utils._python_dispatch import TorchDispatchMode

import delaystability as ds
from delaystability.validation.dense import DenseProblem
from delaystability.validation.network import Network
from delaystability.validation.ring import Ring
from delaystability.validation.schedule import Batches, batch_rows
from delaystability.validation.training import Replica, Rules, advance, initial_state

SIZES, SAMPLES, REPLICAS = (6, 5, 4, 3), 12, 5


def problem(loss: str, dtype: torch.dtype, scale: float = 1.0) -> DenseProblem:
    random = np.random.default_rng(0)
    inputs = scale * random.standard_normal((SAMPLES, SIZES[0]))
    targets = np.eye(SIZES[-1])[random.integers(SIZES[-1], size=SAMPLES)]
    return DenseProblem.from_arrays(Network(SIZES), inputs, targets, loss=loss, dtype=dtype)


def parameters(replicas: int, dtype: torch.dtype) -> torch.Tensor:
    starts = [Network(SIZES).initial_parameters(seed) for seed in range(replicas)]
    return torch.tensor(np.stack(starts), dtype=dtype)


def plain_gradient(
    found: DenseProblem, weights: torch.Tensor, chosen: torch.Tensor
) -> torch.Tensor:
    """The loss of one network as it is written down, one sample after the other, and autograd."""
    point, losses = weights.double().clone().requires_grad_(), []
    for sample in chosen.tolist():
        signal, start = found.rows[sample].double(), 0
        for depth, (a, b) in enumerate(pairwise(SIZES), start=1):
            matrix = point[start : start + a * b].view(b, a)
            signal = matrix @ signal + point[start + a * b : start + (a + 1) * b]
            if depth < len(SIZES) - 1:
                signal = torch.tanh(signal)
            start += (a + 1) * b
        target = found.targets[:, sample].double()
        if found.loss_name == "squared":
            losses.append(((signal - target) ** 2).sum() / 2)
        else:
            losses.append(-(target * torch.log_softmax(signal, 0)).sum())
    (gradient,) = torch.autograd.grad(torch.stack(losses).mean(), point)
    return gradient


@pytest.mark.quick(4)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("loss", ["squared", "cross-entropy"])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0])  # 30: most of the network is saturated
def test_the_pass_is_the_gradient_of_the_plain_loss(loss, dtype, scale, monkeypatch):
    from delaystability.validation import dense

    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    monkeypatch.setattr(dense, "_IN_CACHE", 2 * sum(SIZES) * 4)  # two replicas, two, and one
    tried, weights = problem(loss, dtype, scale), parameters(REPLICAS, dtype)
    batch = torch.tensor(np.random.default_rng(1).integers(SAMPLES, size=(REPLICAS, 4)))
    for chosen, rows in ((batch, batch), (None, torch.arange(SAMPLES).expand(REPLICAS, -1))):
        found = tried.gradient(weights, chosen)
        wanted = torch.stack(
            [plain_gradient(tried, *pair) for pair in zip(weights, rows, strict=True)]
        )
        # Sums of about 50 products as large as the largest signal, in another order.
        size = max(float(wanted.abs().max()), scale)
        assert (found - wanted).abs().max() <= 100 * torch.finfo(dtype).eps * size


def test_parameters_that_are_differentiated_elsewhere_are_taken():
    tried = problem("squared", torch.float64)
    weights = parameters(2, torch.float64)
    assert torch.equal(tried.gradient(weights.clone().requires_grad_()), tried.gradient(weights))


@pytest.mark.parametrize("starts", [(3, 3, 3), (4, 0, 4), (5, 2, 0)])  # 5, 2 meet in a length of 3
def test_a_ring_gives_back_what_was_written_some_updates_ago(starts):
    length, size, steps = 3, 2, 8
    lags = torch.tensor([[1, 2], [1, 0], [1, 2]])
    random = torch.Generator().manual_seed(0)
    values = torch.randn(steps, 3, size, generator=random)
    before = torch.randn(3, length, size, generator=random)
    times = torch.tensor(starts) + torch.arange(steps)[:, None]
    buffer = before.clone()
    ring = Ring(buffer, starts, times)
    terms, rows = ring.terms(torch.ones(3, 2), lags), ring.rows(lags[:, 1])
    past = [
        {start - lag: before[r, (start - lag) % length] for lag in range(1, length + 1)}
        for r, start in enumerate(starts)
    ]
    for step in range(steps):
        placed = step % 2 == 0
        entry = torch.mul(values[step], 1, out=ring.place(step)) if placed else values[step]
        ring.write(step, entry)
        for r, start in enumerate(starts):
            past[r][start + step] = values[step, r]
            for term, (_, read) in enumerate(terms):
                wanted = past[r][start + step - int(lags[r, term])]
                assert torch.equal(read(step)[r], wanted)
            assert torch.equal(ring.flat[rows[step, r]], past[r][start + step - int(lags[r, 1])])
    for r, start in enumerate(starts):
        for lag in range(1, length + 1):
            slot = (start + steps - lag) % length
            assert torch.equal(buffer[r, slot], past[r][start + steps - lag])


class Counted(TorchDispatchMode):
    """Counts operations by their name."""

    def __init__(self):
        super().__init__()
        self.calls = Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.calls[function.overloadpacket.__name__] += 1
        return function(*args, **(kwargs or {}))


def calls_of_a_run(clocks: tuple[int, int], steps: int = 50) -> Counter:
    tried = problem("cross-entropy", torch.float32)
    replicas = [Replica(ds.HeavyBall(0.9), delay, 0.01, delay) for delay in (0, 3)]
    rules = Rules.pack(replicas, dtype=torch.float32)
    state = initial_state(rules, parameters(2, torch.float32))
    batches = Batches(SAMPLES, 4)
    state = advance(tried.gradient, rules, state, clocks, batches)
    with Counted() as counted:
        advance(tried.gradient, rules, state, [steps] * 2, batches)
    return counted.calls


def test_a_step_of_replicas_with_one_clock_copies_no_rows_and_takes_no_tanh():
    common, apart = calls_of_a_run((6, 6)), calls_of_a_run((6, 5))
    assert not common["index_copy_"] and apart["index_copy_"] == 2 * 50
    assert not common["tanh"] and common["sigmoid_"] == 2 * 50
    assert not common["cat"]


@pytest.mark.parametrize("order", ["epochs", "independent"])
@pytest.mark.parametrize("start", [0, 1, 2, 5, 254, 257])
def test_samples_are_those_of_their_epoch_wherever_a_run_begins(order, start):
    batches, seeds, steps = Batches(11, 4, order), (3, 8), 9
    found = batch_rows(batches, seeds, (start, start + 1), steps)
    whole = 2 if order == "epochs" else 256
    for place, seed in enumerate(seeds):
        for step in range(steps):
            part, within = divmod(start + place + step, whole)
            random = np.random.default_rng([seed, 2, part])
            drawn = random.permutation(11) if order == "epochs" else random.integers(11, size=1024)
            assert found[step, place].tolist() == drawn[4 * within : 4 * within + 4].tolist()
