"""What is easily lost in the training tools: clocks, queues and rates in unusual order."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

import torch
from torch import nn

import delaystability as ds
from delaystability.training.rate_factors import RateFactors
from delaystability.training.tensor_lists import AllAtOnce, OneByOne

M = 0.9


def _trained(skips: list[set[int]], together: bool, foreach: bool) -> list[torch.Tensor]:
    """Parameters after 9 updates; each has no gradient in the updates that it skips."""
    parameters = [nn.Parameter(torch.tensor([1.0 + k])) for k in range(len(skips))]
    groups = [parameters] if together else [[parameter] for parameter in parameters]
    optimizers = [ds.DelayedOptimizer(g, 0.1, ds.HeavyBall(M), 2, foreach=foreach) for g in groups]
    for update in range(9):
        for parameter, skipped in zip(parameters, skips, strict=True):
            # Another gradient at each update, so that no age is mistaken for another.
            fresh = (update + 1.0) ** 2 * parameter.detach()
            parameter.grad = None if update in skipped else fresh
        for optimizer in optimizers:
            optimizer.step()
    return [parameter.detach() for parameter in parameters]


@pytest.mark.parametrize("foreach", [False, True])
@pytest.mark.parametrize("skips", [[set(), {0}], [{0, 1}, set(), {3}], [{2}, {0, 5}, {8}]])
def test_parameters_of_different_clocks_are_trained_each_by_its_own(skips, foreach):
    together = _trained(skips, True, foreach)
    alone = _trained(skips, False, foreach)
    assert all(torch.equal(a, b) for a, b in zip(together, alone, strict=True))
    # Negative control: the clocks differ, so that one clock for all would be seen.
    one_clock = _trained([set()] * len(skips), True, foreach)
    assert any(not torch.equal(a, b) for a, b in zip(together, one_clock, strict=True))


@pytest.mark.parametrize(
    "change",
    [
        {"delay": 3},
        {"delay": 1},
        {"delay": ds.RandomDelay([0.5, 0.0, 0.0, 0.5])},
        {"optimizer": ds.LinearOptimizer({2: -0.25}, {0: 1.0}), "momentum": None},
        {"optimizer": ds.SGD(), "momentum": None},
    ],
)
def test_a_queue_of_another_length_is_refused_once_it_has_moved(change):
    parameter = nn.Parameter(torch.ones(1))
    optimizer = ds.DelayedOptimizer([parameter], 0.1, ds.HeavyBall(M), 2)
    before_the_first = ds.DelayedOptimizer([nn.Parameter(torch.ones(1))], 0.1, ds.HeavyBall(M), 2)
    before_the_first.param_groups[0].update(change)
    before_the_first.step()
    parameter.grad = torch.ones(1)
    optimizer.step()
    weight = parameter.detach().clone()
    optimizer.param_groups[0].update(change)
    with pytest.raises(ValueError, match=r"param_groups\[0\] must keep its longest delay \(2\)"):
        optimizer.step()
    assert torch.equal(parameter, weight)
    # A delay of the same length is taken.
    optimizer.param_groups[0].update({"delay": ds.RandomDelay([0.5, 0.0, 0.5])})
    optimizer.param_groups[0].update({"optimizer": ds.HeavyBall(0.5), "momentum": 0.5})
    optimizer.step()


@pytest.mark.parametrize("delays", [[4] * 8, [3, 2, 4, 3, 5, 3, 3, 2]])
def test_a_changed_momentum_counts_between_two_looks(delays):
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1))], 0.1, momentum=M)
    scheduler = ds.DelayAwareLR(optimizer, moment="mean", every=1000)
    optimizer.step()
    scheduler.step(delay=delays)
    looked = scheduler.factors[0]
    optimizer.param_groups[0]["momentum"] = 0.5
    optimizer.step()
    # One more delay is no reason for a look: the factor moves with the momentum alone.
    scheduler.step(delay=delays[0])
    mean = round(sum(delays) / len(delays))

    def fixed(momentum: float) -> float:
        optimizer = ds.HeavyBall(momentum)
        return ds.stability_threshold(optimizer, mean) / ds.stability_threshold(optimizer, 0)

    expected = looked * fixed(0.5) / fixed(M)
    assert scheduler.factors[0] == pytest.approx(expected, rel=1e-14)
    # Negative control: a momentum that did not count would leave a factor that is far off.
    assert expected > 3 * looked


@pytest.mark.parametrize(
    ("base", "changed"), [(0.0, 0.2), (0.0, 0.0), (0.1, 0.0), (-0.1, 0.2), (0.1, -0.2)]
)
def test_a_rate_that_is_or_was_not_positive_is_taken_as_it_is_written(base, changed):
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1))], 0.1)
    group = optimizer.param_groups[0]
    group["lr"] = base
    rates = RateFactors(optimizer)
    rates.put_on([0.25])
    assert group["lr"] == 0.25 * base
    # No quotient of rates says whether it was multiplied or written anew.
    group["lr"] = changed
    unchanged = changed == 0.25 * base
    assert rates.bases() == [base if unchanged else changed]
    rates.take_off()
    assert group["lr"] == (base if unchanged else changed)


@pytest.mark.parametrize("lists", [AllAtOnce(), OneByOne()], ids=lambda lists: type(lists).__name__)
@pytest.mark.parametrize("factor", [-0.5, torch.tensor(-0.5)], ids=["number", "tensor"])
def test_lists_of_tensors_are_added_and_scaled_entry_by_entry(lists, factor):
    left, right = [torch.tensor([1.0, 2.0]), torch.tensor(3.0)], [torch.ones(2), torch.tensor(8.0)]

    def numbers(tensors):
        return [tensor.tolist() for tensor in tensors]

    assert numbers(lists.added(left, right, factor)) == [[0.5, 1.5], -1.0]
    assert numbers(lists.scaled(right, factor)) == [[-0.5, -0.5], -4.0]
    assert numbers(left) == [[1.0, 2.0], 3.0] and numbers(right) == [[1.0, 1.0], 8.0]
    lists.add_(left, right, factor)
    assert numbers(left) == [[0.5, 1.5], -1.0] and numbers(right) == [[1.0, 1.0], 8.0]
    lists.scale_(left, 2.0)
    assert numbers(left) == [[1.0, 3.0], -2.0]
    lists.copy_(left, right)
    assert numbers(left) == numbers(right) and left[0] is not right[0]
