"""Updates a second of the batched engine against a plain loop over one delayed model.

The plain loop keeps a deque of past weights and calls ``torch.optim.SGD``, as a careful script
would. Network 64-32-10 (tanh), cross-entropy, mini-batches of 128 of each replica's own, delays
0..32 mixed, single precision.

Run with ``python -m benchmarks.training [--device cuda]``.
"""

from __future__ import annotations

import argparse
import json
import os
from collections import deque
from itertools import pairwise
from resource import RUSAGE_SELF, getrusage
from time import perf_counter
from typing import Any

import numpy as np
import torch

import delaystability as ds
from delaystability.validation.dense import DenseProblem
from delaystability.validation.device import checked_device, device_name
from delaystability.validation.network import Network
from delaystability.validation.schedule import Batches
from delaystability.validation.training import Replica, Rules, advance, initial_state

__all__ = ["measure_training"]

SAMPLES, BATCH, LONGEST_DELAY = 1500, 128, 32
SIZES = (64, 32, 10)
REPEATS = 3


def measure_training(device: str = "cpu", replicas: tuple[int, ...] = (64, 256)) -> dict[str, Any]:
    """Updates a second of both, their ratio, the share of the matrix-product rate, peak memory."""
    chosen = checked_device(device)
    torch.set_num_threads(os.cpu_count() or 1)
    random = np.random.default_rng(0)
    inputs = random.standard_normal((SAMPLES, SIZES[0]))
    labels = random.integers(0, SIZES[-1], SAMPLES)
    problem = DenseProblem.from_arrays(
        Network(SIZES),
        inputs,
        np.eye(SIZES[-1])[labels],
        loss="cross-entropy",
        device=chosen,
        dtype=torch.float32,
    )
    rate = _matrix_product_rate(chosen)
    # Alternating, so that both see the same load of the machine; the best of each counts.
    plain = [_plain_rate(inputs, labels) for _ in range(REPEATS)]
    rows = []
    for count in replicas:
        best = max(_engine_rate(problem, count) for _ in range(REPEATS))
        plain.append(_plain_rate(inputs, labels))
        rows.append({"replicas": count, "updates_per_second": best})
    for row in rows:
        row["ratio_to_plain_loop"] = row["updates_per_second"] / max(plain)
        row["share_of_matrix_product_rate"] = row["updates_per_second"] * _operations() / rate
    peak = getrusage(RUSAGE_SELF).ru_maxrss / 2**10
    if chosen.type == "cuda":
        peak = torch.cuda.max_memory_allocated(chosen) / 2**20
    return {
        "device": device_name(chosen),
        "threads": torch.get_num_threads(),
        "plain_updates_per_second": max(plain),
        "matrix_product_rate": rate,
        "engine": rows,
        "peak_memory_mebibytes": peak,
    }


def _operations() -> float:
    """Floating-point operations of one update's products: forward, and twice that backward."""
    products = sum(a * b for a, b in pairwise(SIZES))
    # The first layer needs no derivative by its inputs.
    return 2.0 * BATCH * (3 * products - SIZES[0] * SIZES[1])


def _matrix_product_rate(device: torch.device, size: int = 2048, repeats: int = 5) -> float:
    left, right = (torch.randn(size, size, device=device) for _ in range(2))
    best = np.inf
    for _ in range(repeats):
        start = perf_counter()
        left @ right
        _wait(device)
        best = min(best, perf_counter() - start)
    return float(2 * size**3 / best)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _engine_rate(problem: DenseProblem, count: int, updates: int = 80_000) -> float:
    replicas = [Replica(ds.HeavyBall(0.9), r % (LONGEST_DELAY + 1), 1e-3, r) for r in range(count)]
    rules = Rules.pack(replicas, device=problem.device, dtype=problem.dtype)
    start = np.stack([problem.initial_parameters(seed) for seed in range(count)])
    parameters = torch.tensor(start, device=problem.device, dtype=problem.dtype)
    batches = Batches(SAMPLES, BATCH)
    state = advance(
        problem.gradient, rules, initial_state(rules, parameters), [10] * count, batches
    )
    steps = max(20, updates // count)
    _wait(problem.device)
    began = perf_counter()
    advance(problem.gradient, rules, state, [steps] * count, batches)
    _wait(problem.device)
    return count * steps / (perf_counter() - began)


def _plain_rate(inputs: Any, labels: Any, delay: int = 8, steps: int = 2000) -> float:
    """One model: gradients at weights that are ``delay`` updates old, one thread or two."""
    model = torch.nn.Sequential(
        torch.nn.Linear(SIZES[0], SIZES[1]), torch.nn.Tanh(), torch.nn.Linear(SIZES[1], SIZES[2])
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    features = torch.tensor(inputs, dtype=torch.float32)
    classes = torch.tensor(labels)
    parameters = list(model.parameters())
    past: deque[list[torch.Tensor]] = deque(maxlen=delay + 1)
    began = perf_counter()
    for _ in range(steps):
        rows = torch.randint(0, SAMPLES, (BATCH,))
        past.append([value.detach().clone() for value in parameters])
        _assign(parameters, past[0])
        loss = torch.nn.functional.cross_entropy(model(features[rows]), classes[rows])
        optimizer.zero_grad()
        loss.backward()
        _assign(parameters, past[-1])
        optimizer.step()
    return steps / (perf_counter() - began)


def _assign(parameters: list[torch.nn.Parameter], values: list[torch.Tensor]) -> None:
    with torch.no_grad():
        for parameter, value in zip(parameters, values, strict=True):
            parameter.copy_(value)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    sizes = (64, 256) if options.device == "cpu" else (64, 256, 1024, 4096, 16384)
    print(json.dumps(measure_training(options.device, sizes), indent=2))
