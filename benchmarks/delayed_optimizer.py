"""Step time and memory of `DelayedOptimizer` against ``torch.optim.SGD``, and of `DelayAwareLR`.

A tanh network 256-1024-512-400-10 (1.0 million parameters), momentum 0.9, ``foreach``, single
precision. Timed is ``optimizer.step()`` inside a training loop with mini-batches of 128: the
gradients are fresh, and everything else has passed through the caches in between, as in practice.
Beside it, steps alone, back to back on the same gradients: there torch's 12 MB stay in a large
cache, and a queue of 32 MB does not.

Run with ``python -m benchmarks.delayed_optimizer [--device cuda]``.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from itertools import pairwise
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import delaystability as ds
from delaystability.training.delay_aware_lr import DelayAwareLR
from delaystability.training.delayed_optimizer import DelayedOptimizer
from delaystability.validation.device import checked_device, device_name

__all__ = ["delayed_optimizer_lines", "measure_delayed_optimizer"]

SIZES = (256, 1024, 512, 400, 10)
BATCH, DELAY, MOMENTUM = 128, 8, 0.9
ROUNDS, STEPS, SETTLED = 5, 15, 5
GOAL = 1.5

Make = Callable[[Any], torch.optim.Optimizer]


def measure_delayed_optimizer(device: str = "cpu") -> dict[str, Any]:
    """Seconds of a step of each, their ratios, copies of the parameters, cost of a new factor."""
    chosen = checked_device(device)
    torch.set_num_threads(os.cpu_count() or 1)
    rows = {
        "torch.optim.SGD": _sgd,
        **{f"DelayedOptimizer, delay {delay}": _delayed(delay) for delay in (0, 1, DELAY)},
    }
    runs = {name: _Run(make, chosen) for name, make in rows.items()}
    # Alternating, so that all see the same load of the machine; the best of each counts.
    for _ in range(ROUNDS):
        for run in runs.values():
            run.train(STEPS)
    for _ in range(ROUNDS):
        for run in runs.values():
            run.step_alone(STEPS)
    torch_run = runs["torch.optim.SGD"]
    return {
        "device": device_name(chosen),
        "threads": torch.get_num_threads(),
        "parameters": torch_run.parameters,
        "goal": GOAL,
        "rows": [
            {
                "optimizer": name,
                "seconds": min(run.times),
                "ratio": min(run.times) / min(torch_run.times),
                "ratio_alone": min(run.alone) / min(torch_run.alone),
                "state_copies": run.state_copies(),
            }
            for name, run in runs.items()
        ],
        "iteration_seconds": min(torch_run.iterations),
        "scheduler": _scheduler_rows(),
    }


def _sgd(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=1e-3, momentum=MOMENTUM, foreach=True)


def _delayed(delay: int) -> Make:
    return lambda parameters: DelayedOptimizer(
        parameters, 1e-3, ds.HeavyBall(MOMENTUM), delay, foreach=True
    )


class _Run:
    """One network with its optimizer, and the times that its steps took."""

    def __init__(self, make: Make, device: torch.device) -> None:
        torch.manual_seed(0)
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(SIZES):
            layers += [nn.Linear(inputs, outputs), nn.Tanh()]
        self.model = nn.Sequential(*layers[:-1]).to(device)
        self.optimizer = make(self.model.parameters())
        self.inputs = torch.randn(BATCH, SIZES[0], device=device)
        self.labels = torch.randint(0, SIZES[-1], (BATCH,), device=device)
        self.parameters = sum(p.numel() for p in self.model.parameters())
        self.times: list[float] = []
        self.iterations: list[float] = []
        self.alone: list[float] = []
        self._wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None

    def train(self, steps: int) -> None:
        """So many updates; the first few of a turn are not counted."""
        for step in range(steps):
            began = perf_counter()
            self.optimizer.zero_grad()
            nn.functional.cross_entropy(self.model(self.inputs), self.labels).backward()
            self._wait()
            start = perf_counter()
            self.optimizer.step()
            self._wait()
            end = perf_counter()
            if step >= SETTLED:
                self.times.append(end - start)
                self.iterations.append(end - began)

    def step_alone(self, steps: int) -> None:
        """So many steps with nothing in between."""
        for step in range(steps):
            self._wait()
            start = perf_counter()
            self.optimizer.step()
            self._wait()
            if step >= DELAY:
                self.alone.append(perf_counter() - start)

    def state_copies(self) -> float:
        """Bytes of all tensors that the optimizer keeps, in copies of the parameters."""
        kept = sum(
            value.untyped_storage().nbytes()
            for state in self.optimizer.state.values()
            for value in state.values()
            if isinstance(value, Tensor)
        )
        return kept / sum(p.untyped_storage().nbytes() for p in self.model.parameters())


def _scheduler_rows() -> list[dict[str, Any]]:
    """What `DelayAwareLR.step` costs when it looks at its delays again, and when it does not."""
    random = np.random.default_rng(0)
    rows = []
    for moment in ("replay", "mean"):
        for longest in (4, 16):
            optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], 0.1, momentum=MOMENTUM)
            scheduler = DelayAwareLR(optimizer, moment=moment)
            optimizer.step()
            looks, others = [], []
            for _ in range(3):
                delays = np.minimum(random.poisson(longest / 2, 1000), longest)
                start = perf_counter()
                scheduler.step(delay=delays)
                middle = perf_counter()
                scheduler.step()
                looks.append(middle - start)
                others.append(perf_counter() - middle)
            rows.append(
                {
                    "moment": moment,
                    "longest_delay": longest,
                    "look": min(looks),
                    "step": min(others),
                }
            )
    return rows


def delayed_optimizer_lines(found: dict[str, Any]) -> list[str]:
    """The results as paragraphs and tables of Markdown."""
    head = ["optimizer", "step", "times torch", "alone", "copies kept"]
    rows = [
        [
            row["optimizer"],
            f"{1e3 * row['seconds']:.2f} ms",
            f"{row['ratio']:.2f}",
            f"{row['ratio_alone']:.2f}",
            f"{row['state_copies']:.0f}",
        ]
        for row in found["rows"]
    ]
    looks = ", ".join(
        f"{1e3 * row['look']:.0f} ms ({row['moment']}, delays up to {row['longest_delay']})"
        for row in found["scheduler"]
    )
    return [
        f"`DelayedOptimizer` on a network of {found['parameters']:,} parameters, momentum"
        f" {MOMENTUM}, single precision, {found['threads']} threads: the time of"
        f" `optimizer.step()` in a training loop (one iteration with `torch.optim.SGD`:"
        f" {1e3 * found['iteration_seconds']:.1f} ms). The goal is at most {found['goal']} times"
        f" torch's at delay {DELAY}. *Alone*: steps back to back, where torch's tensors stay in a"
        " large cache and the queue does not. Copies of the parameters are what the optimizer"
        " keeps: the delay and one for the momentum.",
        _table(head, rows),
        f"`DelayAwareLR.step` computes its threshold anew every 1000 delays: {looks}; else it takes"
        f" {1e6 * max(row['step'] for row in found['scheduler']):.0f} µs.",
    ]


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    results = measure_delayed_optimizer(parser.parse_args().device)
    print(json.dumps(results, indent=2))
    print("\n\n".join(delayed_optimizer_lines(results)))
