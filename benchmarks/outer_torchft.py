"""The critical outer learning rate of torchft's own DiLoCo, against the prediction of `OuterLoop`.

Two processes (gloo, on this machine) minimise one quadratic with torchft's ``DiLoCo``. Its outer
optimizers are ``ds.delayed(torch.optim.SGD(momentum=0.9, nesterov=True))`` with outer steps that
are 0, 1 and 2 late, one for each fragment of the model. A fragment holds one parameter for each of
nine outer learning rates around the predicted one, so that one run measures all: the logarithm of
each distance grows or falls, and the rate at which it does neither is the critical one.

The statement, written down before the run (after a trial of 20 rounds, to see that it works): each
critical rate is within 5 % of the prediction.

    pip install torchft
    python -m benchmarks.outer_torchft [--rounds 150]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import delaystability as ds
from benchmarks.measure import provenance

__all__ = ["critical_rates", "measure_torchft"]

RESULT = Path(__file__).parents[1] / "docs" / "benchmarks" / "outer_torchft.json"
DELAYS = (0, 1, 2)
FACTORS = np.linspace(0.88, 1.12, 9)
CURVATURE, INNER_RATE, INNER_STEPS = 2.0, 0.1, 6
ALLOWED = 0.05
_WAIT = timedelta(seconds=60)


def predicted(delay: int) -> float:
    """The threshold of the outer learning rate, from the package."""
    loop = ds.OuterLoop(
        ds.Nesterov(0.9), delay=delay, inner_learning_rate=INNER_RATE, inner_steps=INNER_STEPS
    )
    return float(loop.threshold(CURVATURE))


class _Fragment(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        starts = [torch.nn.Parameter(torch.ones(1, dtype=torch.float64)) for _ in FACTORS]
        self.weights = torch.nn.ParameterList(starts)


def _outer(fragment: _Fragment, delay: int) -> Any:
    groups = [
        {"params": [weight], "lr": predicted(delay) * factor}
        for weight, factor in zip(fragment.weights, FACTORS, strict=True)
    ]
    return ds.delayed(torch.optim.SGD(groups, lr=1.0, momentum=0.9, nesterov=True), delay)


def _replica(number: int, lighthouse: str, rounds: int, answers: Any) -> None:
    from torch.distributed import TCPStore
    from torchft import Manager, ProcessGroupGloo
    from torchft.local_sgd import DiLoCo

    torch.set_num_threads(1)
    store = TCPStore("localhost", 0, is_master=True, wait_for_workers=False)
    model = torch.nn.ModuleList(_Fragment() for _ in DELAYS)
    inner = torch.optim.SGD(model.parameters(), lr=INNER_RATE)
    outer = [_outer(part, delay) for part, delay in zip(model, DELAYS, strict=True)]
    manager = Manager(
        pg=ProcessGroupGloo(timeout=_WAIT), min_replica_size=2, use_async_quorum=False,
        load_state_dict=model.load_state_dict, state_dict=model.state_dict,
        replica_id=f"replica_{number}", store_addr="localhost", store_port=store.port,
        rank=0, world_size=1, lighthouse_addr=lighthouse,
        timeout=_WAIT, quorum_timeout=_WAIT, connect_timeout=_WAIT,
    )  # fmt: skip
    history = []
    # A fragment is averaged every INNER_STEPS steps, in turn.
    with DiLoCo(manager, list(model), inner, outer, sync_every=INNER_STEPS) as diloco:
        for _ in range(rounds):
            for _ in range(INNER_STEPS):
                inner.zero_grad()
                (CURVATURE / 2 * sum(w.square().sum() for w in model.parameters())).backward()
                inner.step()
            kept = [list(part.original_parameters.values()) for part in diloco._fragments]
            history.append([[float(value) for value in values] for values in kept])
    answers.put((number, history))
    manager.shutdown()


def measure_torchft(rounds: int) -> NDArray[np.float64]:
    """The distances of the outer iterates from the minimum: rounds, delays, factors."""
    from torchft.coordination import LighthouseServer

    server = LighthouseServer(bind="[::]:0", min_replicas=2, join_timeout_ms=5000)
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    processes = [
        context.Process(target=_replica, args=(number, server.address(), rounds, answers))
        for number in range(2)
    ]
    for process in processes:
        process.start()
    found = dict(answers.get(timeout=3600) for _ in processes)
    for process in processes:
        process.join()
    server.shutdown()
    if not np.array_equal(found[0], found[1]):
        raise RuntimeError("the two replicas hold different weights")
    return np.array(found[0])


def critical_rates(history: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each delay the factor at which distances neither grow nor fall, by interpolation.

    The growth is the slope of a line through the logarithm of the norm of each window of 12 rounds,
    over the second half.
    """
    rounds = len(history)
    window = 12
    norms = np.array(
        [
            np.linalg.norm(history[start : start + window], axis=0)
            for start in range(rounds // 2, rounds - window)
        ]
    )
    times = np.arange(len(norms))
    slopes = np.polyfit(times, np.log(norms).reshape(len(norms), -1), 1)[0].reshape(norms.shape[1:])
    return np.array([np.interp(0.0, row, FACTORS, left=np.nan, right=np.nan) for row in slopes])


def main(rounds: int) -> dict[str, Any]:
    """Run it, print a table and write the file."""
    factors = critical_rates(measure_torchft(rounds))
    rows = [
        {"late by": delay, "predicted": predicted(delay), "measured over predicted": float(factor)}
        for delay, factor in zip(DELAYS, factors, strict=True)
    ]
    result = {
        "provenance": provenance() | {"torchft": version("torchft"), "torch": torch.__version__},
        "rounds": rounds,
        "allowed": ALLOWED,
        "rows": rows,
        "holds": bool(np.all(np.abs(factors - 1) <= ALLOWED)),
    }
    print(json.dumps(result, indent=2))
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=150)
    found = main(parser.parse_args().rounds)
    RESULT.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
