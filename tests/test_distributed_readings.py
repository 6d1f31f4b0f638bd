"""Readings of one model that several processes train are those of their mean loss."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
import torch
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel

import delaystability as ds
from delaystability.training.parameter_group import unwrapped
from tests.process_group_tasks import (
    CASES,
    Run,
    batches,
    data,
    everything,
    made,
    readings,
    together,
)

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parent.parent


def _dense(run: Run) -> tuple[float, float]:
    """Both ends of the spectrum of ``S H S`` of the whole batch, from all entries of H."""
    named = dict(run.net.named_parameters())
    sizes = [parameter.numel() for parameter in named.values()]
    inputs, labels = run.batch

    def loss(flat):
        parts = torch.split(flat, sizes)
        values = {n: v.view_as(p) for (n, p), v in zip(named.items(), parts, strict=True)}
        output = functional_call(run.net, values, (inputs,))
        return torch.nn.functional.cross_entropy(output, labels)

    flat = torch.cat([parameter.detach().flatten() for parameter in named.values()])
    with sdpa_kernel(SDPBackend.MATH):
        hessian = torch.autograd.functional.hessian(loss, flat)
    rates = {id(p): group["lr"] for group in run.optimizer.param_groups for p in group["params"]}
    scales = []
    for parameter in named.values():
        scale = torch.full_like(parameter, rates[id(parameter)] / max(rates.values()))
        state = unwrapped(run.optimizer).state.get(parameter, {})
        squares = state.get("square_avg")
        if "exp_avg_sq" in state:
            squares = state["exp_avg_sq"] / (1 - 0.999 ** float(state["step"]))
        if squares is not None:
            scale = scale / (squares.sqrt() + 1e-8)
        scales.append(scale.detach().flatten())
    roots = torch.cat(scales).sqrt()
    values = torch.linalg.eigvalsh(roots[:, None] * hessian * roots)
    return float(values[-1]), float(values[0])


@pytest.fixture(scope="module")
def alone():
    """The readings of one process on the joined batch, checked with dense Hessians."""
    found = []
    for net, optimizer in CASES:
        run = Run(made(net), optimizer, data(), smallest=True)
        first = run.numbers()
        run.train(1)
        second = run.numbers()
        assert second[1:3] == pytest.approx(_dense(run), rel=1e-7, abs=1e-9)
        found.append([first, second])
    return found


@pytest.fixture(scope="module")
def two():
    """What each of two processes found."""
    return together(everything, 2)


def test_readings_are_those_of_one_process_on_the_joined_batch(two, alone):
    first, second = (process["readings"] for process in two)
    assert first == second
    assert np.abs(np.array(first) / np.array(2 * alone) - 1).max() < 1e-7


def test_readings_on_grids_of_processes_and_of_empty_shards(alone):
    ranks = together(readings, 4, ["FSDP2", "HSDP"], CASES[:1])
    assert ranks[1:] == ranks[:-1]
    assert np.abs(np.array(ranks[0]) / np.array(2 * alone[:1]) - 1).max() < 1e-7


def test_a_part_of_the_batch_has_another_sharpness(alone):
    # Negative control.
    own = Run(made("plain"), "heavy ball", tuple(part[::2] for part in data()))
    assert abs(own.numbers()[1] / alone[0][0][1] - 1) > 1e-2


def test_an_error_on_one_process_ends_the_reading_on_all(two):
    names = ["KeyError", "KeyboardInterrupt", "OutOfMemoryError", "ValueError", "ArithmeticError"]
    for first, second in zip(*(process["failures"] for process in two), strict=True):
        assert [name for name, _, _ in second] == names
        for name, message, _ in first:
            assert name == "FailedElsewhereError"
            assert "failed on rank 1 of 2" in message
        assert all(works for _, _, works in first + second)


def test_a_loss_that_is_not_a_number_on_one_process_is_so_on_all(two):
    assert [process["diverged"] for process in two] == ["diverged", "diverged"]


def test_training_over_processes_is_bit_equal_with_and_without_readings(two):
    for process in two:
        for with_readings, without in process["states"]:
            assert with_readings == without


def test_groups_buffers_and_uneven_batches(two):
    first, second = (process["other ways"] for process in two)
    net = made("plain")
    inputs, labels = data()
    loss = torch.nn.functional.cross_entropy

    def mean(rank):
        every = [loss(net(inputs[rows]), labels[rows]) for rows in batches(rank)]
        return torch.stack(every).mean()

    def read(closure):
        monitor = ds.StabilityMonitor(net, torch.optim.SGD(net.parameters(), 0.1), tolerance=1e-7)
        return monitor.read(closure).sharpness

    both = read(lambda: (mean(0) + mean(1)) / 2)
    assert first["group"] == second["group"] == pytest.approx(both, rel=1e-7)
    # Negative controls: the losses of the processes differ, and so do their buffers.
    for rank, found in enumerate((first, second)):
        assert found["alone"] == pytest.approx(read(lambda rank=rank: mean(rank)), rel=1e-7)
    assert abs(first["alone"] / second["alone"] - 1) > 1e-2
    assert not torch.equal(*(found["state"]["0.1.running_mean"] for found in (first, second)))
    net.load_state_dict(first["state"])
    assert first["buffers"] == second["buffers"]
    assert first["buffers"] == pytest.approx(read(lambda: loss(net(inputs), labels)), rel=1e-7)
    for found in (first, second):
        assert found["1 parameters"] == pytest.approx((2, 2), rel=1e-6)
        assert found["2 parameters"] == pytest.approx((1, 1), rel=1e-6)


def test_the_example_of_the_page_runs(tmp_path):
    page = (ROOT / "docs" / "api" / "training.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, flags=re.S)
    (example,) = (block for block in blocks if "init_process_group" in block)
    (tmp_path / "example.py").write_text(example, encoding="utf-8")
    options = ["--standalone", "--nproc-per-node", "2", "example.py"]
    run = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", *options],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        timeout=120,
    )
    lines = run.stdout.splitlines()
    assert len(lines) == 3 and all("edge" in line for line in lines), run.stdout + run.stderr
