"""Random runs of delayed torch optimizers against lists of gradients: the same bits or an error."""

from __future__ import annotations

import copy
import random
from typing import Any

import pytest

pytest.importorskip("torch")

import torch
from torch import Tensor, nn

import delaystability as ds
from delaystability.model.delay_schedule import delay_sequence, longest_delay
from delaystability.model.delays import as_delay

DELAYS: list[Any] = [
    0,
    1,
    2,
    5,
    ds.RandomDelay([0.2, 0.0, 0.3, 0.5]),
    ds.GeometricDelay(0.3),
    ds.MeasuredDelay.from_log([3, 0, 1, 2, 2]),
]


class _Careless(torch.optim.SGD):
    """Writes into its gradients."""

    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.grad.mul_(1.5).add_(parameter.detach(), alpha=0.1)
        super().step(closure)


INNER: list[Any] = [
    lambda groups: torch.optim.SGD(groups, 0.1, momentum=0.9),
    lambda groups: torch.optim.Adam(groups, 0.1),
    lambda groups: torch.optim.RMSprop(groups, 0.01),
    lambda groups: _Careless(groups, 0.05),
]


class _ByLists:
    """Every gradient in a list for each parameter; the one that is due is looked up."""

    def __init__(self, inner: Any, delays: list[Any], warmup: str) -> None:
        self.inner, self.warmup = inner, warmup
        self.laws = [as_delay(delay) for delay in delays]
        self.past: dict[nn.Parameter, list[Tensor]] = {}

    def step(self, fresh: dict[nn.Parameter, Tensor | None]) -> None:
        for group, law in zip(self.inner.param_groups, self.laws, strict=True):
            for parameter in group["params"]:
                parameter.grad = None
                if fresh[parameter] is not None:
                    past = self.past.setdefault(parameter, [])
                    past.append(fresh[parameter].clone())
                    due = self._due(len(past) - 1, law)
                    parameter.grad = None if due is None else past[due].clone()
        self.inner.step()

    def _due(self, time: int, law: Any) -> int | None:
        update = time - (longest_delay(law) if self.warmup == "wait" else 0)
        return None if update < 0 else max(0, time - int(delay_sequence(law, 0, update, 1)[0]))


def _groups() -> list[dict[str, Any]]:
    parameters = [nn.Parameter(torch.ones(shape)) for shape in ((2, 2), (3,), (0,), ())]
    return [{"params": parameters[:2]}, {"params": parameters[2:]}]


def _parameters(optimizer: Any) -> list[nn.Parameter]:
    return [p for group in optimizer.param_groups for p in group["params"]]


def _bring(choose: random.Random, parameter: nn.Parameter, habit: str, value: Tensor) -> None:
    """Put a gradient in place, as a training loop of this habit does."""
    if habit == "mixed":
        habit = choose.choice(["new", "in place", "behind the count", "the last"])
    gradient = parameter.grad
    if habit == "the last" and gradient is not None:
        value.copy_(gradient)
    elif habit in ("new", "the last") or gradient is None:
        parameter.grad = value.clone()
    elif habit == "in place":
        gradient.copy_(value)
    else:
        gradient.data.copy_(value)


def run(seed: int) -> str:
    """One random run; tell how it ended."""
    choose = random.Random(seed)
    delays = [choose.choice(DELAYS) for _ in range(2)]
    warmup, make = choose.choice(["hold", "wait"]), choose.choice(INNER)
    habit = choose.choice(["new", "new", "in place", "behind the count", "the last", "mixed"])
    optimizer: Any = ds.delayed(make(_groups()), delays, warmup=warmup)
    twin = _ByLists(make(_groups()), delays, warmup)
    for t in range(choose.randint(5, 25)):
        if habit != "mixed" and choose.random() < 0.2:
            optimizer.zero_grad(set_to_none=choose.random() < 0.5)
        fresh: dict[nn.Parameter, Tensor | None] = {}
        pairs = list(zip(_parameters(optimizer), _parameters(twin.inner), strict=True))
        for number, (parameter, other) in enumerate(pairs):
            random_numbers = torch.Generator().manual_seed(1000 * t + number)
            value = torch.randn(parameter.shape, generator=random_numbers)
            if choose.random() < 0.1:
                parameter.grad = fresh[other] = None
            else:
                _bring(choose, parameter, habit, value)
                fresh[other] = value
        try:
            optimizer.step()
        except RuntimeError as error:
            if "must not be written into after the step" not in str(error):
                raise
            return "refused"
        twin.step(fresh)
        for parameter, other in pairs:
            assert torch.equal(parameter, other), (seed, t)
            if fresh[other] is None:
                assert parameter.grad is None
            elif not isinstance(twin.inner, _Careless):  # which writes into it without delay
                assert torch.equal(parameter.grad, fresh[other])
        if choose.random() < 0.1:
            optimizer = copy.deepcopy(optimizer)
        if choose.random() < 0.1:
            state = optimizer.state_dict()
            again: Any = ds.delayed(make(_groups()), 3)
            for parameter, other in pairs_of(again, optimizer):
                parameter.data.copy_(other.data)
            again.load_state_dict(state)
            optimizer = again
    return habit


def pairs_of(one: Any, other: Any) -> list[tuple[nn.Parameter, nn.Parameter]]:
    return list(zip(_parameters(one), _parameters(other), strict=True))


@pytest.mark.slow
def test_random_runs_have_the_bits_of_lists_or_end_with_an_error():
    ends = [run(seed) for seed in range(60)]
    assert {"new", "in place", "behind the count", "the last"} <= set(ends)
    # Only who changes habits may be refused.
    assert ends.count("refused") < 15
