"""The critical outer learning rate of torchft's own DiLoCo, against the prediction of `OuterLoop`.

Two processes (gloo, on this machine) minimise one quadratic with torchft's ``DiLoCo``. Its outer
optimizers are ``ds.delayed(torch.optim.SGD(momentum=0.9, nesterov=True))`` with outer steps that
are 0, 1 and 2 late, one for each fragment of the model. A fragment holds one parameter for each of
nine outer learning rates around the predicted one, so that one run measures all: the logarithm of
each distance grows or falls, and the rate at which it does neither is the critical one.

The statement, written down before the run (after a trial of 20 rounds, to see that it works): each
critical rate is within 5 % of the prediction.

Then networks on digits, half of the images for each process, 48 inner steps of AdamW in a round,
all else as in `benchmarks.outer_network`: three seeds of twelve networks (delays 0, 1, 2; 0.5,
0.75, 1.5 and 2 times the threshold by the rule c = 1), each a fragment. The statement, written down
before: at least 90 % of the 36 fall on the predicted side.

    pip install torchft
    python -m benchmarks.outer_torchft [--rounds 150] [--network-rounds 60]
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
from sklearn.datasets import load_digits

import delaystability as ds
from benchmarks.measure import provenance
from benchmarks.outer_network import FACTORS as NETWORK_FACTORS
from benchmarks.outer_network import judged

__all__ = ["critical_rates", "measure_torchft", "networks"]

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


class _Quadratic:
    """All fragments on one quadratic; what is kept of a round are the outer weights."""

    inner_steps = INNER_STEPS

    def __init__(self) -> None:
        self.model = torch.nn.ModuleList(_Fragment() for _ in DELAYS)
        self.inner = torch.optim.SGD(self.model.parameters(), lr=INNER_RATE)
        self.outer = [_outer(part, delay) for part, delay in zip(self.model, DELAYS, strict=True)]

    def loss(self) -> torch.Tensor:
        squares = [weight.square().sum() for weight in self.model.parameters()]
        return CURVATURE / 2 * torch.stack(squares).sum()

    def kept(self, fragments: Any) -> list[list[float]]:
        return [[float(v) for v in part.original_parameters.values()] for part in fragments]


class _Networks:
    """Twelve networks on digits; what is kept of a round are the sizes of their outer gradients."""

    inner_steps = 48

    def __init__(self, seed: int, number: int) -> None:
        torch.manual_seed(seed)
        settings = [(delay, factor) for delay in DELAYS for factor in NETWORK_FACTORS]
        self.model = torch.nn.ModuleList(
            torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.Tanh(), torch.nn.Linear(32, 10))
            for _ in settings
        )
        self.inner = torch.optim.AdamW(self.model.parameters(), lr=3e-3, weight_decay=0.01)
        self.sizes = [0.0] * len(settings)
        self.outer = []
        for place, (delay, factor) in enumerate(settings):
            lr = factor * ds.OuterLoop(ds.Nesterov(0.9), delay=delay).threshold()
            parameters = self.model[place].parameters()
            plain = torch.optim.SGD(parameters, lr=lr, momentum=0.9, nesterov=True)
            outer = ds.delayed(plain, delay)
            outer.register_step_pre_hook(lambda found, *_, place=place: self._note(place, found))
            self.outer.append(outer)
        images, labels = load_digits(return_X_y=True)
        self.images = torch.tensor(images[number::2] / 16, dtype=torch.float32)
        self.labels = torch.tensor(labels[number::2])
        self.generator = torch.Generator().manual_seed(1000 * seed + number)

    def _note(self, place: int, outer: Any) -> None:
        gradients = [p.grad.flatten() for group in outer.param_groups for p in group["params"]]
        self.sizes[place] = float(torch.cat(gradients).norm())

    def loss(self) -> torch.Tensor:
        losses = []
        for network in self.model:
            rows = torch.randint(0, len(self.labels), (32,), generator=self.generator)
            scores = network(self.images[rows])
            losses.append(torch.nn.functional.cross_entropy(scores, self.labels[rows]))
        return torch.stack(losses).sum()

    def kept(self, fragments: Any) -> list[float]:
        return list(self.sizes)


def _replica(number: int, lighthouse: str, rounds: int, seed: int | None, answers: Any) -> None:
    from torch.distributed import TCPStore
    from torchft import Manager, ProcessGroupGloo
    from torchft.local_sgd import DiLoCo

    torch.set_num_threads(1)
    store = TCPStore("localhost", 0, is_master=True, wait_for_workers=False)
    task = _Quadratic() if seed is None else _Networks(seed, number)
    manager = Manager(
        pg=ProcessGroupGloo(timeout=_WAIT), min_replica_size=2, use_async_quorum=False,
        load_state_dict=task.model.load_state_dict, state_dict=task.model.state_dict,
        replica_id=f"replica_{number}", store_addr="localhost", store_port=store.port,
        rank=0, world_size=1, lighthouse_addr=lighthouse,
        timeout=_WAIT, quorum_timeout=_WAIT, connect_timeout=_WAIT,
    )  # fmt: skip
    history = []
    # Fragments are averaged in turn, each once in a round.
    with DiLoCo(
        manager, list(task.model), task.inner, task.outer, sync_every=task.inner_steps
    ) as diloco:
        for _ in range(rounds):
            for _ in range(task.inner_steps):
                task.inner.zero_grad()
                task.loss().backward()
                task.inner.step()
            history.append(task.kept(diloco._fragments))
    answers.put((number, history))
    manager.shutdown()


def measure_torchft(rounds: int, seed: int | None = None) -> NDArray[np.float64]:
    """The history of a run of both processes, the first axis of which are the rounds.

    For the quadratic, without a seed, the distances of the outer iterates from the minimum (rounds,
    delays, factors); with a seed the sizes of the networks' outer gradients (rounds, networks).
    """
    from torchft.coordination import LighthouseServer

    server = LighthouseServer(bind="[::]:0", min_replicas=2, join_timeout_ms=5000)
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    processes = [
        context.Process(target=_replica, args=(number, server.address(), rounds, seed, answers))
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


def networks(rounds: int, seeds: int = 3) -> dict[str, Any]:
    """On which side of the predicted threshold each network falls."""
    stable = np.array([judged(measure_torchft(rounds, seed)) for seed in range(seeds)])
    predicted_stable = np.tile(np.array(NETWORK_FACTORS) < 1, len(DELAYS))
    right = stable == predicted_stable
    return {
        "rounds": rounds,
        "runs": int(right.size),
        "on the predicted side": int(right.sum()),
        "right, by delay and factor": right.sum(0).reshape(len(DELAYS), -1).tolist(),
        "holds": bool(right.mean() >= 0.9),
    }


def main(rounds: int, network_rounds: int) -> dict[str, Any]:
    """Run it and print the file."""
    factors = critical_rates(measure_torchft(rounds))
    rows = [
        {"late by": delay, "predicted": predicted(delay), "measured over predicted": float(factor)}
        for delay, factor in zip(DELAYS, factors, strict=True)
    ]
    result = {
        "provenance": provenance() | {"torchft": version("torchft"), "torch": torch.__version__},
        "quadratic": {
            "rounds": rounds,
            "allowed": ALLOWED,
            "rows": rows,
            "holds": bool(np.all(np.abs(factors - 1) <= ALLOWED)),
        },
        "networks": networks(network_rounds),
    }
    print(json.dumps(result, indent=2))
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=150)
    parser.add_argument("--network-rounds", type=int, default=60)
    options = parser.parse_args()
    found = main(options.rounds, options.network_rounds)
    RESULT.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
