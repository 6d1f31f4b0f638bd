"""Measurements of several processes together, which here are threads that exchange tensors."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

pytest.importorskip("torch")
import torch
import torch.distributed as dist
from torch import Tensor

from delaystability.training.hessian import Curvature, measure_curvature
from delaystability.training.joint_measurement import (
    FailedElsewhereError,
    JointMeasurement,
    Processes,
)
from tests.helpers import EPS

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Group:
    """Threads that add up tensors as the processes of a group do."""

    count: int
    barrier: threading.Barrier
    given: dict[int, Tensor] = field(default_factory=dict)
    exchanges: list[int] = field(default_factory=list)  # the ranks that began one


@dataclass(frozen=True)
class Member:
    """A group as one of its threads knows it."""

    group: Group
    rank: int

    def add_up(self, tensor: Tensor) -> None:
        group = self.group
        group.exchanges.append(self.rank)
        group.given[self.rank] = tensor.clone()
        group.barrier.wait()
        tensor.copy_(sum(group.given.values()))
        group.barrier.wait()


@pytest.fixture
def together(monkeypatch):
    """What ``task(joint, rank)`` gives, or raises, on each of so many threads."""
    monkeypatch.setattr(dist, "get_world_size", lambda member: member.group.count)
    monkeypatch.setattr(dist, "get_rank", lambda member: member.rank)
    monkeypatch.setattr(dist, "all_reduce", lambda tensor, group: group.add_up(tensor))

    def run(task, count):
        run.group = group = Group(count, threading.Barrier(count, timeout=10))

        def one(rank):
            try:
                with JointMeasurement(Processes((Member(group, rank),)), CPU) as joint:
                    return task(joint, rank)
            except (RuntimeError, ValueError) as error:
                return error

        with ThreadPoolExecutor(count) as pool:
            return list(pool.map(one, range(count)))

    return run


# Curvatures of each rank's loss, so far apart that a part alone has another power of two.
CURVATURES = torch.logspace(-6, 3, 7, dtype=torch.float64)
SLOPES = torch.linspace(1, 3, 7, dtype=torch.float64)


def curvature(weight: float, joint: JointMeasurement | None = None, **options) -> Curvature:
    """Of a quadratic loss that is not diagonal, with this weight on its curvature."""
    parameter = torch.ones(7, dtype=torch.float64, requires_grad=True)

    def loss():
        bent = (CURVATURES * parameter.square()).sum() + parameter.prod()
        return weight * bent / 2 + SLOPES @ parameter

    return measure_curvature(
        loss, [parameter], joint=joint, smallest=True, tolerance=1e-9, max_products=40, **options
    )


@pytest.mark.parametrize("weights", [(1.0, 3.0), (1.0, 2.0, 6.0)])
@pytest.mark.parametrize("scales", [None, [torch.arange(1.0, 8.0, dtype=torch.float64)]])
def test_processes_measure_the_mean_of_their_losses(together, weights, scales):
    count = len(weights)
    found = together(lambda joint, rank: curvature(weights[rank], joint, scales=scales), count)
    whole = curvature(sum(weights) / count, scales=scales)
    # Of at most 40 vectors, each orthogonal to the others up to rounding.
    rounding = 100 * EPS * whole.sharpness
    for each in found:
        assert each.loss == pytest.approx(whole.loss, rel=4 * EPS)
        assert abs(each.sharpness - whole.sharpness) <= each.error + whole.error + rounding
        assert abs(each.smallest - whole.smallest) <= (
            each.smallest_error + whole.smallest_error + rounding
        )
        assert max(each.error, each.smallest_error) <= 1e-9 * whole.sharpness
        assert abs(each.slope) == pytest.approx(abs(whole.slope), rel=1e-6)
    parts = [each.direction for each in found]
    assert [len(part) for part in parts] == [
        7 * (r + 1) // count - 7 * r // count for r in range(count)
    ]
    assert abs(float(torch.cat(parts) @ whole.direction)) == pytest.approx(1, abs=1e-12)
    # Negative control: one process alone has another sharpness.
    assert abs(curvature(weights[0], scales=scales).sharpness / whole.sharpness - 1) > 0.1


def test_an_error_on_one_thread_of_a_measurement_ends_it_on_all(together):
    def task(joint, rank):
        total = float(joint.total(torch.ones(1)))
        if rank == 1:
            raise ValueError("no more batches")
        return total, joint.total(torch.ones(1))

    first, second, third = together(task, 3)
    assert isinstance(second, ValueError)
    for other in (first, third):
        assert isinstance(other, FailedElsewhereError)
        assert "failed on rank 1 of 3" in str(other)
    # Two for the total, and one in which all learn of the error: nobody waits for another.
    assert Counter(together.group.exchanges) == {0: 3, 1: 3, 2: 3}


@pytest.mark.parametrize("error", [None, ValueError("no more batches")])
def test_an_error_at_the_end_of_a_measurement_is_learnt_by_all(together, error):
    def task(joint, rank):
        if rank == 0 and error:
            raise error
        return rank

    first, second = together(task, 2)
    assert first == (error or 0)
    assert second == 1 if error is None else isinstance(second, FailedElsewhereError)
    assert Counter(together.group.exchanges) == {0: 1, 1: 1}


def test_an_exchange_that_fails_is_followed_by_no_other(monkeypatch, together):
    def lost(tensor, group):
        group.group.exchanges.append(group.rank)
        raise RuntimeError("the connection is lost")

    monkeypatch.setattr(dist, "all_reduce", lost)
    for error in together(lambda joint, rank: joint.total(torch.ones(1)), 2):
        assert str(error) == "the connection is lost"
    assert Counter(together.group.exchanges) == {0: 1, 1: 1}


def test_rows_are_cut_and_put_together_by_rank(together):
    row = torch.arange(8.0).reshape(1, 8)

    def task(joint, rank):
        own = joint.own(row)
        return own.tolist(), joint.whole(own, 8).tolist(), joint.mean_part(rank * row).tolist()

    for rank, (own, whole, mean) in enumerate(together(task, 3)):
        part = slice(8 * rank // 3, 8 * (rank + 1) // 3)
        assert own == row[:, part].tolist()
        assert whole == row.tolist()
        assert mean == own


def test_a_grid_of_processes_is_counted_row_by_row(together):
    del together  # its group is what is asked
    rows, columns = (Group(count, threading.Barrier(count)) for count in (2, 3))
    grid = [Processes((Member(rows, r), Member(columns, c))) for r in range(2) for c in range(3)]
    assert [processes.rank for processes in grid] == list(range(6))
    assert {processes.count for processes in grid} == {6}
    assert (Processes().rank, Processes().count) == (0, 1)
