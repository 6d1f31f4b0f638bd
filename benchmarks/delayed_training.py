"""A small network trained with late gradients by four optimizers, each tuned with as many runs.

Run with ``python -m benchmarks.delayed_training``: prints the table of docs/how_fast.md. Digits of
scikit-learn, 64-32-10 with tanh, cross-entropy, 300 updates with batches of 100. Every optimizer
has 24 settings: learning rates that are shares of the stable one at a sharpness of 2.5, times four
momenta, or condition numbers for the best optimizer. The setting of least final loss on seed 0 is
run again on seeds 1 to 5.
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

import numpy as np
import torch
from sklearn.datasets import load_digits

import delaystability as ds

UPDATES, SHARPNESS, SEEDS = 300, 2.5, range(1, 6)
SHARES = (2.0, 1.0, 0.5, 0.25, 0.12, 0.06)
MOMENTA = (0.5, 0.9, 0.98, 0.996)
CONDITIONS = (10.0, 100.0, 1e3, 1e4)
DELAYS, BATCH = (4, 16), 100

Setting = tuple[ds.Optimizer, float]


def settings(delay: int) -> Iterator[tuple[str, list[Setting]]]:
    """The optimizers by name, each with its 24 settings of optimizer and learning rate."""

    def rates(optimizer: ds.Optimizer, shares: tuple[float, ...] = SHARES) -> list[Setting]:
        stable = ds.max_learning_rate(SHARPNESS, optimizer, delay)
        return [(optimizer, stable * share) for share in shares]

    yield "SGD", rates(ds.SGD(), tuple(np.geomspace(SHARES[0], SHARES[-1], 24)))
    yield "heavy ball", [s for m in MOMENTA for s in rates(ds.HeavyBall(m))]
    yield "horizon = delay", [s for m in MOMENTA for s in rates(ds.WeightPrediction(m))]
    yield (
        "best",
        [s for k in CONDITIONS for s in rates(ds.best_optimizer(delay, k).optimizer)],
    )


def final_loss(setting: Setting, delay: int, seed: int) -> float:
    """The loss on all digits after training; infinity where it diverged."""
    optimizer, lr = setting
    images, digits = load_digits(return_X_y=True)
    inputs, labels = torch.tensor(images / 16), torch.tensor(digits)
    torch.manual_seed(seed)
    model = torch.nn.Sequential(
        torch.nn.Linear(64, 32), torch.nn.Tanh(), torch.nn.Linear(32, 10)
    ).double()
    late = ds.DelayedOptimizer(model.parameters(), lr=lr, optimizer=optimizer, delay=delay)
    loss_of, batches = torch.nn.CrossEntropyLoss(), torch.Generator().manual_seed(seed)
    for _ in range(UPDATES):
        rows = torch.randint(len(inputs), (BATCH,), generator=batches)
        loss = loss_of(model(inputs[rows]), labels[rows])
        if not loss < 1e3:
            return float("inf")
        late.zero_grad()
        loss.backward()
        late.step()
    with torch.no_grad():
        return float(loss_of(model(inputs), labels))


def main() -> None:
    """Tune, run again, and print one line for each optimizer."""
    torch.set_num_threads(1)
    print("| delay | optimizer | setting | lr | final loss: median (least, largest) |")
    print("|---|---|---|---|---|")
    for delay in DELAYS:
        for name, tried in settings(delay):
            losses = [final_loss(setting, delay, 0) for setting in tried]
            best = tried[int(np.argmin(losses))]
            found = [final_loss(best, delay, seed) for seed in SEEDS]
            chosen = ", ".join(f"{k} {v:.4g}" for k, v in best[0].parameters.items() if v)
            print(
                f"| {delay} | {name} | {chosen or '-'} | {best[1]:.3g} "
                f"| {median(found):.4f} ({min(found):.4f}, {max(found):.4f}) |",
                flush=True,
            )


if __name__ == "__main__":
    main()
