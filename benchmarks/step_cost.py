"""Time of a step of ``ds.delayed`` against the same optimizer without a queue.

Copies of one network are trained on real backward passes with tiny batches, so that the gradients
are fresh, as in practice: with the optimizer itself, with the bare queue (a deque of references to
gradients, without any check, which is the floor: memory that is some steps old is no longer in the
caches), and with ``ds.delayed``. They take turns step by step; what is reported is the median time
of the optimizer itself, and the medians of the ratios to it, step by step. On a CPU the time is
that of the process, which other load disturbs less.

Run with ``python -m benchmarks.step_cost [--large] [--device cuda]``.
"""

from __future__ import annotations

import argparse
from collections import deque
from collections.abc import Callable
from itertools import pairwise
from statistics import median
from time import perf_counter, process_time
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

import delaystability as ds

__all__ = ["StepCost", "measure_step_cost", "step_cost_lines"]

Make = Callable[[Any], Any]

OPTIMIZERS: dict[str, Make] = {
    "SGD": lambda p: torch.optim.SGD(p, 1e-4),
    "SGD, momentum 0.9": lambda p: torch.optim.SGD(p, 1e-4, momentum=0.9),
    "AdamW": lambda p: torch.optim.AdamW(p, 1e-4),
    "AdamW, fused": lambda p: torch.optim.AdamW(p, 1e-4, fused=True),
}
DELAYS = (0, 8)
STEPS, SETTLED = 200, 20


class StepCost(NamedTuple):
    """One line of the table; times in seconds."""

    network: str
    parameters: int
    tensors: int
    optimizer: str
    delay: int
    seconds: float
    bare: float
    delayed: float


def measure_step_cost(large: bool = False, device: str = "cpu") -> list[StepCost]:
    """Medians for a transformer and a small multilayer perceptron of 1 million parameters.

    Parameters
    ----------
    large : bool
        Whether they have 10 million instead.
    device : str
    """
    width, hidden = (448, 2900) if large else (138, 768)
    networks = {"transformer": lambda: _transformer(width), "MLP": lambda: _mlp(hidden)}
    return [
        _measured(name, network, optimizer, delay, torch.device(device))
        for name, network in networks.items()
        for optimizer in OPTIMIZERS
        for delay in DELAYS
    ]


def _transformer(width: int) -> nn.Module:
    """Four encoder layers between an embedding and a linear layer: 52 tensors."""
    layer = nn.TransformerEncoderLayer(width, 2, 4 * width, 0.0, batch_first=True)
    encoder = nn.TransformerEncoder(layer, 4, enable_nested_tensor=False)
    return nn.Sequential(nn.Embedding(256, width), encoder, nn.Linear(width, 256))


def _mlp(hidden: int) -> nn.Module:
    """Three linear layers: 6 tensors."""
    sizes = (256, hidden, hidden, 256)
    layers = [part for a, b in pairwise(sizes) for part in (nn.Linear(a, b), nn.Tanh())]
    return nn.Sequential(*layers[:-1])


def _measured(
    name: str, network: Callable[[], nn.Module], optimizer: str, delay: int, device: torch.device
) -> StepCost:
    make = OPTIMIZERS[optimizer]
    makes: list[Make] = [
        make,
        lambda parameters: _BareQueue(make(parameters), delay),
        lambda parameters: ds.delayed(make(parameters), delay),
    ]
    runs = [_Run(network, one, device) for one in makes]
    times = []
    for step in range(STEPS):
        turn = step % len(runs)
        row = {k: runs[k].step() for k in (*range(turn, len(runs)), *range(turn))}
        times.append([row[k] for k in range(len(runs))])
    times = times[SETTLED:]
    sizes = [parameter.numel() for parameter in runs[0].model.parameters()]
    ratios = [median(row[k] / row[0] for row in times) for k in (1, 2)]
    seconds = median(row[0] for row in times)
    return StepCost(name, sum(sizes), len(sizes), optimizer, delay, seconds, *ratios)


class _BareQueue:
    """The optimizer with the gradients of so many steps ago, by reference and without checks."""

    def __init__(self, optimizer: torch.optim.Optimizer, delay: int) -> None:
        self._optimizer, self._delay = optimizer, delay
        self._past = deque[list[Tensor | None]]()
        self._parameters = [p for group in optimizer.param_groups for p in group["params"]]

    def zero_grad(self) -> None:
        """Free what was applied, as the optimizer would free it."""
        if len(self._past) > self._delay:
            self._past.popleft()
        self._optimizer.zero_grad()

    def step(self) -> None:
        """Make a step with the gradients that are due."""
        fresh = [parameter.grad for parameter in self._parameters]
        self._past.append(fresh)
        for parameter, gradient in zip(self._parameters, self._past[0], strict=True):
            parameter.grad = gradient
        self._optimizer.step()
        for parameter, gradient in zip(self._parameters, fresh, strict=True):
            parameter.grad = gradient


class _Run:
    """One network with its optimizer."""

    def __init__(self, network: Callable[[], nn.Module], make: Make, device: torch.device) -> None:
        torch.manual_seed(0)
        self.model = network().to(device)
        self.optimizer = make(self.model.parameters())
        self._inputs = self._batch(device)
        self._on_cpu = device.type == "cpu"

    def step(self) -> float:
        """Train once; the seconds of the optimizer's step."""
        self.optimizer.zero_grad()
        self.model(self._inputs).square().mean().backward()
        start = self._now()
        self.optimizer.step()
        return self._now() - start

    def _now(self) -> float:
        if self._on_cpu:
            return process_time()
        torch.cuda.synchronize()
        return perf_counter()

    def _batch(self, device: torch.device) -> Tensor:
        first = next(self.model.children())
        if isinstance(first, nn.Embedding):
            return torch.arange(8, device=device).reshape(1, 8)
        return torch.randn(2, first.in_features, device=device)  # type: ignore[call-overload,no-any-return]


def step_cost_lines(found: list[StepCost]) -> list[str]:
    """The results as a table of Markdown."""
    head = ["network", "parameters", "tensors", "optimizer", "delay", "step", "bare", "delayed"]
    rows = [
        [
            row.network,
            f"{row.parameters:,}",
            str(row.tensors),
            row.optimizer,
            str(row.delay),
            f"{1e6 * row.seconds:.0f} µs",
            f"{row.bare:.3f}",
            f"{row.delayed:.3f}",
        ]
        for row in found
    ]
    return ["| " + " | ".join(line) + " |" for line in (head, ["---"] * len(head), *rows)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", action="store_true", help="10 million parameters")
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    print("\n".join(step_cost_lines(measure_step_cost(given.large, given.device))))
