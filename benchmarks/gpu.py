"""Everything that needs a GPU, in one command and within nine minutes: ``make gpu``.

The same numbers on the device as on the host, the speed of the engine, of `DelayedOptimizer`, of
``ds.delayed`` and of a reading of the sharpness, then one cell of the experiments ``edge`` and
``selection`` (on Fashion-MNIST, where it is found). Each part is written down when it is done, and
one that fails or has no time left is named with the reason.

Run with ``python -m benchmarks.gpu [--device cuda] [--output FILE] [--minutes 9] [--small]``.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import monotonic, perf_counter
from typing import Any

import numpy as np
import torch
from torch import nn

import delaystability as ds
from benchmarks.delayed_optimizer import measure_delayed_optimizer
from benchmarks.measure import provenance
from benchmarks.step_cost import measure_step_cost
from benchmarks.training import measure_training
from delaystability.validation.data import FASHION
from delaystability.validation.dense import DenseProblem
from delaystability.validation.device import checked_device, device_name
from delaystability.validation.network import Network
from delaystability.validation.training import Replica, Rules, advance, initial_state

__all__ = ["measure_gpu"]

RESULT = Path(__file__).parents[1] / "docs" / "benchmarks" / "gpu.json"
EXPERIMENTS = ("edge", "selection")


def measure_gpu(
    device: str, output: Path, *, minutes: float = 9.0, small: bool = False
) -> dict[str, Any]:
    """Measure one part after the other, and write the file anew after each.

    Raises
    ------
    ValueError
        If there is no such device.
    """
    chosen, began = checked_device(device), monotonic()
    replicas = (64,) if small else (64, 1024, 16384)
    parts: dict[str, Callable[[float], Any]] = {
        "the same numbers as on the host": lambda _: agreement(chosen),
        "engine": lambda _: measure_training(device, replicas),
        "DelayedOptimizer": lambda _: measure_delayed_optimizer(device),
        "delayed": lambda _: [
            row._asdict() for row in measure_step_cost(large=not small, device=device)
        ],
        "sharpness": lambda _: sharpness_reading(chosen, 256 if small else 2048),
        **{name: (lambda left, name=name: experiment(name, device, left)) for name in EXPERIMENTS},
    }
    versions = {"python": platform.python_version(), "torch": torch.__version__}
    result: dict[str, Any] = {
        "provenance": provenance() | {"device": device_name(chosen), "versions": versions},
        "parts": {},
    }
    for name, measure in parts.items():
        left = 60 * minutes - (monotonic() - began)
        start = perf_counter()
        try:
            found = measure(left) if left > 0 else {"left out": "no time was left"}
        except Exception as error:  # the other parts are worth having
            found = {"failed": f"{type(error).__name__}: {error}"}
        result["parts"][name] = {"seconds": perf_counter() - start, "found": found}
        output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
        print(f"{name}: {perf_counter() - start:.0f} s", flush=True)
    return result


def agreement(device: torch.device, steps: int = 200) -> dict[str, float]:
    """The largest difference between runs on the device and on the host, in double precision."""
    random = np.random.default_rng(0)
    inputs, labels = random.standard_normal((40, 6)), random.integers(3, size=40)
    finals = []
    for place in (torch.device("cpu"), device):
        problem = DenseProblem.from_arrays(
            Network((6, 5, 3)), inputs, np.eye(3)[labels], loss="cross-entropy", device=place
        )
        chosen = [Replica(ds.Nesterov(0.9), delay, 0.01, delay) for delay in range(8)]
        rules = Rules.pack(chosen, device=place)
        start = torch.tensor(
            np.stack([problem.initial_parameters(seed) for seed in range(8)]), device=place
        )
        state = advance(problem.gradient, rules, initial_state(rules, start), [steps] * 8)
        finals.append(state.parameters.cpu())
    difference = float((finals[0] - finals[1]).abs().max())
    # Rounding differs by the order of sums, and 200 stable updates do not amplify it much.
    return {"largest difference": difference, "allowed": 1e-9, "holds": difference <= 1e-9}


def sharpness_reading(device: torch.device, width: int) -> dict[str, float]:
    """Seconds, products and memory of one reading (4 width^2 and some parameters)."""
    torch.manual_seed(0)
    model = nn.Sequential(
        *(layer for _ in range(4) for layer in (nn.Linear(width, width), nn.Tanh())),
        nn.Linear(width, 10),
    ).to(device)
    inputs = torch.randn(256, width, device=device)
    labels = torch.randint(0, 10, (256,), device=device)
    parameters = list(model.parameters())
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    began = perf_counter()
    found = ds.sharpness(
        lambda: nn.functional.cross_entropy(model(inputs), labels), parameters, tolerance=1e-3
    )
    seconds = perf_counter() - began
    count = sum(p.numel() for p in parameters)
    peak = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else float("nan")
    return {
        "parameters": count,
        "seconds": seconds,
        "sharpness": float(found),
        "copies at the peak": peak / (4 * count),
    }


def experiment(name: str, device: str, seconds: float) -> dict[str, Any]:
    """The verdict of a small run of an experiment, on Fashion-MNIST where its package is."""
    data = ["--data", str(FASHION)] if FASHION.is_dir() else []
    command = [sys.executable, "-m", "delaystability", "validate", name, "--quick", "--json"]
    with tempfile.TemporaryDirectory() as folder:
        options = ["--device", device, "--workers", "1", "-o", folder, *data]
        done = subprocess.run(
            [*command, *options], capture_output=True, text=True, timeout=seconds, check=False
        )
    if done.returncode not in (0, 1):
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return {"data": "Fashion-MNIST" if data else "digits", "result": json.loads(done.stdout)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--output", type=Path, default=RESULT)
    parser.add_argument("--minutes", type=float, default=9.0)
    parser.add_argument("--small", action="store_true")
    options = parser.parse_args()
    try:
        measure_gpu(options.device, options.output, minutes=options.minutes, small=options.small)
    except ValueError as error:
        parser.exit(2, f"{error}\n")
