"""DiLoCo on digits with late outer steps, and on which side of the threshold each run falls.

Run with ``python -m benchmarks.outer_network``: writes ``outer_network.md`` into docs/benchmarks.
Four workers have a quarter of the digits each and train with AdamW; their outer gradients arrive
late. The prediction is the rule c = 1: stable exactly below ``ds.OuterLoop(...).threshold()``. It
uses nothing of the network, of its data or of the inner optimizer.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

import delaystability as ds
from benchmarks.measure import provenance

__all__ = ["Run", "judged", "page", "runs", "trained"]

WORKERS, STEPS, ROUNDS, BATCH, WIDTH = 4, 50, 100, 32, 32
RATE, DECAY = 3e-3, 0.01
FACTORS = (0.5, 0.75, 1.5, 2.0)
SHRUNK = 1 / 3
"""Of the outer gradients in the first quarter: those of a stable run are smaller in the last."""


@dataclass(frozen=True)
class Run:
    """One run: the outer optimizer, how late it is, and its learning rate over the threshold."""

    momentum: float
    delay: int
    eager: bool
    factor: float
    seed: int

    @property
    def loop(self) -> ds.OuterLoop:
        """What predicts."""
        late: dict[str, Any] = {"eager": True} if self.eager else {"delay": self.delay}
        return ds.OuterLoop(ds.Nesterov(self.momentum), workers=WORKERS, **late)

    @property
    def outer_learning_rate(self) -> float:
        """The factor times the threshold."""
        return self.factor * self.loop.threshold()


def runs(seed: int = 0) -> list[Run]:
    """All 60: momenta 0, 0.5 and 0.9, on time, 1, 2 or 4 rounds late, or eager."""
    kinds = [(0, False), (1, False), (2, False), (4, False), (1, True)]
    chosen = product((0.0, 0.5, 0.9), kinds, FACTORS)
    return [
        Run(momentum, delay, eager, factor, seed + number)
        for number, (momentum, (delay, eager), factor) in enumerate(chosen)
    ]


def trained(chosen: list[Run], rounds: int = ROUNDS) -> Any:
    """Train all runs side by side: losses and sizes of outer gradients, of shape (rounds, runs)."""
    import torch

    generator = np.random.default_rng([run.seed for run in chosen])
    inputs, targets = _shards()
    shared = _starts(chosen)
    count = len(chosen)
    replicas = [_repeated(p).requires_grad_() for p in shared]
    inner = torch.optim.AdamW(replicas, lr=RATE, weight_decay=DECAY)
    momentum = _column([run.momentum for run in chosen])
    rate = _column([run.outer_learning_rate for run in chosen])
    # Eager replicas have outer parameters of their own; all others have equal copies.
    outer = [_repeated(p) for p in shared]
    buffers = [torch.zeros_like(p) for p in outer]
    history: list[list[Any]] = []
    losses, sizes = [], []
    for _ in range(rounds):
        for p, start in zip(replicas, outer, strict=True):
            p.data.copy_(start)
        total = torch.zeros(count)
        for _ in range(STEPS):
            batch = torch.from_numpy(
                generator.integers(0, inputs.shape[1], (count, WORKERS, BATCH))
            )
            loss = _losses(replicas, inputs, targets, batch)
            inner.zero_grad()
            loss.sum().backward()
            inner.step()
            total += loss.detach().mean(1) / STEPS
        moved = [start - p.detach() for start, p in zip(outer, replicas, strict=True)]
        history.append(moved)
        late = [_late(history, chosen, part) for part in range(len(outer))]
        for part, gradient in enumerate(late):
            buffers[part] = momentum * buffers[part] + gradient
            outer[part] = outer[part] - rate * (gradient + momentum * buffers[part])
        history = history[-5:]
        mean = [p.mean(1).flatten(1) for p in moved]
        sizes.append(torch.cat(mean, 1).norm(dim=1).numpy())
        losses.append(total.numpy())
    return np.array(losses), np.array(sizes)


def _late(history: list[list[Any]], chosen: list[Run], part: int) -> Any:
    """The outer gradient that each replica applies now; nothing has arrived at first."""
    import torch

    found = torch.zeros_like(history[-1][part])
    for number, run in enumerate(chosen):
        if len(history) <= run.delay:
            if run.eager:
                found[number] = history[-1][part][number] / WORKERS
            continue
        then = history[-1 - run.delay][part][number]
        mean = then.mean(0, keepdim=True)
        found[number] = mean
        if run.eager:
            found[number] += (history[-1][part][number] - then) / WORKERS
    return found


def _column(values: list[float]) -> Any:
    import torch

    return torch.tensor(values).reshape(-1, 1, 1, 1)


def _repeated(parameter: Any) -> Any:
    return parameter[:, None].repeat(1, WORKERS, 1, 1).clone()


def _shards() -> tuple[Any, Any]:
    """Images (workers, images, 64) and labels (workers, images)."""
    import torch
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    each = len(images) // WORKERS
    inputs = torch.tensor(images[: each * WORKERS] / 16, dtype=torch.float32)
    return inputs.reshape(each, WORKERS, 64).transpose(0, 1), torch.tensor(
        labels[: each * WORKERS]
    ).reshape(each, WORKERS).T


def _starts(chosen: list[Run]) -> list[Any]:
    """Parameters of each run, of shape (runs, rows, columns)."""
    import torch

    found = []
    for run in chosen:
        generator = torch.Generator().manual_seed(run.seed)
        found.append(
            [
                torch.randn(rows, columns, generator=generator) * scale
                for rows, columns, scale in (
                    (64, WIDTH, 64**-0.5),
                    (1, WIDTH, 0.0),
                    (WIDTH, 10, WIDTH**-0.5),
                    (1, 10, 0.0),
                )
            ]
        )
    return [torch.stack(part) for part in zip(*found, strict=True)]


def _losses(parameters: list[Any], inputs: Any, targets: Any, batch: Any) -> Any:
    """The cross entropy of each replica on its own mini-batch, of shape (runs, workers)."""
    import torch

    workers = torch.arange(WORKERS)[None, :, None]
    seen, wanted = inputs[workers, batch], targets[workers, batch]
    first, bias, second, offset = parameters
    hidden = torch.tanh(seen @ first + bias)
    # Classes before images: a softmax over a short last axis is slow.
    scores = (hidden @ second + offset).transpose(-1, -2).contiguous().log_softmax(-2)
    return -scores.gather(-2, wanted[..., None, :]).mean((-1, -2))


def judged(sizes: np.ndarray) -> np.ndarray:
    """Which runs are stable, by the sizes of their outer gradients, of shape (rounds, runs)."""
    quarter = len(sizes) // 4
    return sizes[-quarter:].mean(0) < SHRUNK * sizes[:quarter].mean(0)


def page(chosen: list[Run], losses: np.ndarray, sizes: np.ndarray, source: dict[str, Any]) -> str:
    """The table as Markdown."""
    quarter = len(sizes) // 4
    shares = sizes[-quarter:].mean(0) / sizes[:quarter].mean(0)
    stable = judged(sizes)
    right = [found == (run.factor < 1) for run, found in zip(chosen, stable, strict=True)]
    about = (
        "Written by `python -m benchmarks.outer_network`. A 64-32-10 tanh network on digits; four"
        f" workers, each with a quarter of the images, take {STEPS} inner steps of AdamW (learning"
        f" rate {RATE}, mini-batches of {BATCH}) in each of {ROUNDS} rounds, from scratch. The"
        " prediction is the rule c = 1 of [`OuterLoop`](../api/outer_loops.md), made before: stable"
        " exactly below its threshold. Nothing of the network enters. A run is called stable if its"
        " outer gradients are in the last quarter on average less than"
        f" {SHRUNK:.0%} of those in the first. That share, the rounds and the factors were chosen"
        " after trials with other seeds."
    )
    # Without delay the same rule would call nearly all of the late runs stable.
    delayed = [number for number, run in enumerate(chosen) if run.eager or run.delay]
    on_time = [ds.OuterLoop(ds.Nesterov(chosen[number].momentum)).threshold() for number in delayed]
    control = [
        stable[number] == (chosen[number].outer_learning_rate < edge)
        for number, edge in zip(delayed, on_time, strict=True)
    ]
    names = (
        "outer momentum",
        "late by",
        "outer learning rate",
        "over the threshold",
        "last loss",
        "outer gradients, last over first quarter",
        "stable",
        "as predicted",
    )
    lines = [
        "# Late outer steps on a network",
        "",
        about,
        "",
        f"**{sum(right)} of {len(right)} runs fall on the predicted side.** Control: the threshold"
        f" of outer steps on time predicts {sum(control)} of the {len(control)} late runs.",
        "",
        f"{source['date']}, commit `{source['commit']}`, {source['machine']}.",
        "",
        f"| {' | '.join(names)} |",
        f"|{'---|' * len(names)}",
    ]
    for number, run in enumerate(chosen):
        late = "eager" if run.eager else str(run.delay)
        lines.append(
            f"| {run.momentum} | {late} | {run.outer_learning_rate:.4f} | {run.factor} |"
            f" {losses[-quarter:, number].mean():.3g} | {shares[number]:.2f} |"
            f" {'yes' if stable[number] else 'no'} | {'yes' if right[number] else '**no**'} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run all and write the page."""
    import torch

    torch.set_num_threads(1)
    chosen = runs()
    losses, sizes = trained(chosen)
    folder = Path(ds.__file__).parent.parent / "docs" / "benchmarks"
    text = page(chosen, losses, sizes, provenance())
    (folder / "outer_network.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
