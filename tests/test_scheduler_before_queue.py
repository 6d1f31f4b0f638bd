"""A scheduler that is made before the queue in front of its optimizer finds it."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

pytest.importorskip("torch")

import torch
from torch import nn

import delaystability as ds

LAW = ds.RandomDelay([0.0, 0.5, 0.5])


def _parts(first: bool, delay: Any, **settings: Any) -> tuple[Any, Any, list[float]]:
    """A queue, a scheduler that was made before or behind it, and a list of the rates used."""
    inner = torch.optim.AdamW([nn.Parameter(torch.ones(3))], 0.1)
    if first:
        scheduler = ds.DelayAwareLR(inner, goal="train", **settings)
        late = ds.delayed(inner, delay)
    else:
        late = ds.delayed(inner, delay)
        scheduler = ds.DelayAwareLR(late, goal="train", **settings)
    used: list[float] = []
    inner.register_step_pre_hook(lambda *_: used.append(inner.param_groups[0]["lr"]))
    return late, scheduler, used


def _train(late: Any, scheduler: Any, steps: int = 6) -> None:
    for _ in range(steps):
        for parameter in late.param_groups[0]["params"]:
            parameter.grad = torch.ones(3)
        late.step()
        scheduler.step()


@pytest.mark.parametrize("delay", [0, 4, LAW], ids=repr)
def test_a_queue_that_is_made_behind_its_scheduler_is_found(delay):
    found = []
    for first in (True, False):
        late, scheduler, used = _parts(first, delay)
        _train(late, scheduler)
        found.append((scheduler.factors, used))
    assert found[0] == found[1]
    assert (found[0][0] == [1.0]) == (delay == 0)


def test_the_scheduler_keeps_a_queue_neither_in_a_pickle_nor_alive():
    late, scheduler, _ = _parts(True, 4)
    again = pickle.loads(pickle.dumps(late.optimizer))
    assert torch.equal(again.param_groups[0]["params"][0], torch.ones(3))
    inner = late.optimizer
    assert copy.deepcopy(inner).param_groups[0]["lr"] == inner.param_groups[0]["lr"]
    del late  # the inner optimizer goes on alone, without a delay
    inner.param_groups[0]["params"][0].grad = torch.ones(3)
    inner.step()
    scheduler.step()
    assert scheduler.factors == [1.0]


def test_a_copy_of_a_queue_is_the_one_that_its_own_optimizer_knows():
    late, _, _ = _parts(True, 4)
    twin = copy.deepcopy(late)
    twin.param_groups[0]["delay"] = ds.FixedDelay(2)
    factors = []
    for one in (late, twin):
        scheduler = ds.DelayAwareLR(one.optimizer, goal="train")
        factors += scheduler.factors
    assert factors == pytest.approx([5**-0.8, 3**-0.8])


def test_delays_that_a_queue_knows_are_not_given():
    late, scheduler, _ = _parts(True, 4)
    _train(late, scheduler, 1)
    with pytest.raises(ValueError, match="delay must not be given: the Delayed knows it; got 3"):
        scheduler.step(delay=3)


def test_a_source_counts_before_a_queue():
    class Source:
        delays: list[int] = [1] * 8

    late, scheduler, _ = _parts(True, 4, source=Source())
    _train(late, scheduler)
    assert scheduler.factors == pytest.approx([2**-0.8])
