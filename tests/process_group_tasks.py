"""Small trainings that one or several processes do, and their readings."""

from __future__ import annotations

import contextlib
import datetime
import itertools
import math
import os
import pickle
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.nn.parallel import DistributedDataParallel

import delaystability as ds
from delaystability.training import hessian

CLASSES, LENGTH, SAMPLES = 3, 4, 24


def together(task: Callable[..., Any], count: int, *arguments: Any, limit: float = 60) -> list[Any]:
    """What ``task(rank, count, *arguments)`` returns on each process of a group of so many."""
    with tempfile.TemporaryDirectory() as folder:
        torch.multiprocessing.spawn(
            _member, (task, count, folder, arguments, limit), nprocs=count, join=True
        )
        return [pickle.loads(Path(folder, str(rank)).read_bytes()) for rank in range(count)]


def _member(
    rank: int, task: Callable[..., Any], count: int, folder: str, arguments: Any, limit: float
) -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo",
        init_method=f"file://{folder}/store",
        rank=rank,
        world_size=count,
        timeout=datetime.timedelta(seconds=limit),
    )
    answer = task(rank, count, *arguments)
    Path(folder, str(rank)).write_bytes(pickle.dumps(answer))
    dist.barrier()
    os._exit(0)  # the end of Python now and then aborts in a thread of gloo


class Tied(nn.Module):
    """A transformer whose embedding is also its head."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(CLASSES, 4)
        self.body = nn.TransformerEncoderLayer(4, 2, 6, dropout=0.0, batch_first=True)
        self.head = nn.Linear(4, CLASSES, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(self.body(self.embedding(inputs.abs().long() % CLASSES)).mean(1))


class Recurrent(nn.Module):
    """An LSTM and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.LSTM(1, 4, batch_first=True)
        self.head = nn.Linear(4, CLASSES)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(self.body(inputs[:, :, None])[0][:, -1])


def _plain() -> nn.Module:
    layers = nn.Sequential(nn.Linear(LENGTH, 5), nn.BatchNorm1d(5), nn.Tanh())
    return nn.Sequential(layers, nn.Linear(5, CLASSES)).eval()


def _by_layer(net: nn.Module) -> torch.optim.Optimizer:
    parameters = [p for p in net.parameters() if p.requires_grad]
    return torch.optim.SGD(
        [{"params": [p], "lr": 0.02 * (k + 1)} for k, p in enumerate(parameters)], 0.1
    )


OPTIMIZERS: dict[str, tuple[Callable[[nn.Module], Any], str | None]] = {
    "heavy ball": (lambda net: torch.optim.SGD(net.parameters(), 0.1, momentum=0.9), None),
    "by layer": (_by_layer, None),
    "AdamW": (lambda net: torch.optim.AdamW(net.parameters(), 0.01), "adam"),
    "Adam": (lambda net: torch.optim.Adam(net.parameters(), 0.01, weight_decay=0.1), "adam"),
    "RMSprop": (lambda net: torch.optim.RMSprop(net.parameters(), 0.01, momentum=0.9), "auto"),
    "late": (lambda net: ds.DelayedOptimizer(net.parameters(), 0.01, delay=2), None),
    "late AdamW": (lambda net: ds.delayed(OPTIMIZERS["AdamW"][0](net), delay=2), "adam"),
}
NETS: dict[str, Callable[[], nn.Module]] = {"plain": _plain, "tied": Tied, "recurrent": Recurrent}
CASES = [
    ("plain", "heavy ball"),
    ("plain", "Adam"),
    ("tied", "AdamW"),
    ("recurrent", "by layer"),
    ("plain", "RMSprop"),
    ("plain", "late"),
    ("plain", "late AdamW"),
]


def made(name: str) -> nn.Module:
    """A net in double precision, the same each time."""
    torch.manual_seed(0)
    return NETS[name]().double()


def spread(net: nn.Module, how: str) -> nn.Module:
    """The net as data parallelism of this kind wraps it."""
    if how == "DDP":
        return DistributedDataParallel(net)
    from torch.distributed.fsdp import fully_shard

    count = dist.get_world_size()
    shape, names = ((2, count // 2), ("copy", "shard")) if how == "HSDP" else ((count,), ("shard",))
    mesh = init_device_mesh("cpu", shape, mesh_dim_names=names)
    first = next(net.children())
    # Parameters that are tied belong to one unit.
    if not isinstance(net, Tied):
        fully_shard(first, mesh=mesh)
    return fully_shard(net, mesh=mesh)


def data() -> tuple[Tensor, Tensor]:
    """The whole batch."""
    random = torch.Generator().manual_seed(1)
    inputs = 3 * torch.randn(SAMPLES, LENGTH, generator=random, dtype=torch.float64)
    return inputs, torch.randint(CLASSES, (SAMPLES,), generator=random)


def share(rank: int, count: int) -> tuple[Tensor, Tensor]:
    """This process's part of the batch."""
    inputs, labels = data()
    return inputs[rank::count], labels[rank::count]


class Run:
    """A net, its optimizer, its part of the data and its monitor."""

    def __init__(
        self, net: nn.Module, optimizer: str, batch: tuple[Tensor, Tensor], **options: Any
    ) -> None:
        make, preconditioner = OPTIMIZERS[optimizer]
        self.net, self.optimizer, self.batch = net, make(net), batch
        self.train(2)
        self.monitor = ds.StabilityMonitor(
            net, self.optimizer, preconditioner=preconditioner, tolerance=1e-7, **options
        )

    def loss(self) -> Tensor:
        inputs, labels = self.batch
        return nn.functional.cross_entropy(self.net(inputs), labels)

    def train(self, steps: int) -> None:
        for _ in range(steps):
            self.optimizer.zero_grad()
            self.loss().backward()
            self.optimizer.step()

    def numbers(self, loss: Callable[[], Any] | None = None) -> tuple[float, ...]:
        reading = self.monitor.read(loss or self.loss)
        return reading.loss, reading.sharpness, reading.smallest or math.nan, reading.threshold


def readings(
    rank: int, count: int, wrappers: list[str], cases: list[tuple[str, str]]
) -> list[list[tuple[float, ...]]]:
    """Two readings of each case under each wrapper, the second one started from the first."""
    found = []
    for how in wrappers:
        for net, optimizer in cases:
            run = Run(spread(made(net), how), optimizer, share(rank, count), smallest=True)
            first = run.numbers()
            run.train(1)
            found.append([first, run.numbers()])
    return found


def failures(rank: int, count: int, how: str, optimizer: str) -> list[tuple[str, str, bool]]:
    """What readings that fail on the second process raise here; and whether the next one works."""
    run = Run(spread(made("plain"), how), optimizer, share(rank, count))
    good = run.numbers()
    calls = itertools.count()

    def first_call() -> Tensor:
        raise KeyError("no batch")

    def interrupted() -> Tensor:
        run.loss().backward()
        raise KeyboardInterrupt

    def second_call() -> Iterator[Tensor]:
        if next(calls):
            raise torch.OutOfMemoryError("no room")
        yield run.loss()

    def no_loss() -> Tensor:
        return run.net(run.batch[0]).detach().sum()

    def solver(*_: Any, **__: Any) -> None:
        raise ArithmeticError("no digits")

    found = []
    for bad in (first_call, interrupted, second_call, no_loss, solver):
        seen = (type(None).__name__, "")
        with pytest.MonkeyPatch.context() as patch:
            if rank == 1 and bad is solver:
                patch.setattr(hessian, "extreme_eigenvalues", bad)
            try:
                run.numbers(bad if rank == 1 and bad is not solver else lambda: iter([run.loss()]))
            except BaseException as error:
                seen = (type(error).__name__, str(error))
        found.append((*seen, run.numbers()[:2] == pytest.approx(good[:2], rel=1e-6)))
    return found


def diverged(rank: int, count: int) -> str:
    """The verdict where the loss of one process is not a number."""
    run = Run(spread(made("plain"), "DDP"), "AdamW", share(rank, count))
    factor = math.nan if rank == 1 else 1.0
    return run.monitor.read(lambda: factor * run.loss()).status.value


def state_after(rank: int, count: int, how: str, read: bool) -> list[Any]:
    """All that a training leaves behind, with readings in between or without."""
    net = made("plain").train()
    if how in ("static_graph", "find_unused_parameters"):
        net = DistributedDataParallel(net, **{how: True})
    else:
        net = spread(net, how)
    make, preconditioner = OPTIMIZERS["AdamW"]
    optimizer, (inputs, labels) = make(net), share(rank, count)
    monitor = ds.StabilityMonitor(net, optimizer, preconditioner=preconditioner, max_products=3)
    torch.manual_seed(rank)

    def loss() -> Tensor:
        noisy = inputs + 0.1 * torch.randn_like(inputs)
        return nn.functional.cross_entropy(net(noisy), labels)

    def careless() -> Tensor:
        net.eval()
        loss().backward()
        raise ArithmeticError

    for number in range(4):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
        if read:
            assert monitor.step(loss, 0)
            if number == 1:
                with contextlib.suppress(ArithmeticError):
                    monitor.read(careless)
    tensors = [*net.parameters(), *(p.grad for p in net.parameters()), *net.buffers()]
    numbers = [getattr(t, "full_tensor", lambda t=t: t)().tolist() for t in tensors]
    kinds = [type(parameter).__name__ for parameter in net.parameters()]
    return [numbers, kinds, torch.rand(3).tolist(), sorted(net.state_dict())]


def other_ways(rank: int, count: int) -> dict[str, Any]:
    """Readings that are wanted in other ways; the wrapper's buffers are those of rank 0."""
    found: dict[str, Any] = {}
    # A bare module whose gradients are averaged by hand, and batches of different number and size.
    net = made("plain")
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    inputs, labels = data()

    def losses() -> Iterator[Tensor]:
        for rows in batches(rank):
            yield nn.functional.cross_entropy(net(inputs[rows]), labels[rows])

    for name, options in {"group": {"process_group": dist.group.WORLD}, "alone": {}}.items():
        monitor = ds.StabilityMonitor(net, optimizer, tolerance=1e-7, **options)
        found[name] = monitor.read(losses).sharpness
    # Buffers that differ: a forward pass under the wrapper takes those of the first process.
    run = Run(DistributedDataParallel(net.train()), "heavy ball", share(rank, count))
    net.eval()
    found["state"] = {name: value.clone() for name, value in net.state_dict().items()}
    found["buffers"] = run.numbers()[1]
    # Fewer parameters than processes, and a Hessian whose eigenvectors are any.
    for width in (1, 2):
        row = nn.Linear(width, 1, bias=False)
        point = torch.eye(width)[rank % width]
        monitor = ds.StabilityMonitor(
            DistributedDataParallel(row), torch.optim.SGD(row.parameters(), 0.1), smallest=True
        )
        reading = monitor.read(lambda row=row, point=point: row(point).square().sum())
        found[f"{width} parameters"] = (reading.sharpness, reading.smallest)
    return found


def batches(rank: int) -> list[slice]:
    """Rows of the batches of a process: three of them, or one."""
    return [slice(2), slice(2, 7), slice(7, 12)] if rank == 0 else [slice(12, 24)]


def everything(rank: int, count: int) -> dict[str, Any]:
    """What two processes do, which are started once."""
    wrappers = ("DDP", "static_graph", "find_unused_parameters", "FSDP2")
    cases = (("DDP", "heavy ball"), ("FSDP2", "AdamW"))
    return {
        "readings": readings(rank, count, ["DDP", "FSDP2"], CASES),
        "failures": [failures(rank, count, *case) for case in cases],
        "diverged": diverged(rank, count),
        "states": [[state_after(rank, count, how, read) for read in (1, 0)] for how in wrappers],
        "other ways": other_ways(rank, count),
    }
