"""Recommendations for parameter groups that differ much, and for filters without a steady gain."""

from __future__ import annotations

import pytest

import delaystability as ds


@pytest.mark.parametrize("momenta", [(0.5, 0.99), (0.99, 0.5)])
@pytest.mark.parametrize("sharpness", [None, 30.0])
def test_alternatives_are_one_common_factor_too(momenta, sharpness):
    torch = pytest.importorskip("torch")
    groups = [{"params": [torch.nn.Parameter(torch.ones(2))], "momentum": m} for m in momenta]
    optimizer = torch.optim.SGD(groups, 0.1)
    for goal in ("train", "same-minima"):
        common, *each = (
            ds.recommend_learning_rate(0.1, one, 1, sharpness=sharpness, goal=goal).alternatives
            for one in (optimizer, *map(ds.HeavyBall, momenta))
        )
        for k, entry in enumerate(common):
            assert entry.learning_rate == min(own[k].learning_rate for own in each)


def test_the_group_that_is_furthest_beyond_its_edge_is_the_one_that_is_told():
    torch = pytest.importorskip("torch")
    groups = [{"params": [torch.nn.Parameter(torch.ones(2))], "momentum": m} for m in (0.5, 0.99)]
    found = ds.recommend_learning_rate(0.1, torch.optim.SGD(groups, 0.1), 1, sharpness=30.0)
    edge = ds.stability_threshold(ds.HeavyBall(0.99), 1)
    share = found.learning_rate * 30 / edge
    assert share > 50
    assert f"the recommended rate is at {share:.3g} of the new one" in found.reason


INTEGRATING = [
    ds.LinearOptimizer({1: 1.0}, {0: 1, 1: -0.9}),
    ds.LinearOptimizer({1: 1.4, 2: -0.4}, {0: 1, 1: -0.95}),  # in floats the sum is below 1
]


@pytest.mark.parametrize("optimizer", INTEGRATING, ids=repr)
def test_a_filter_whose_updates_grow_has_no_effective_rate_but_minima(optimizer):
    before, after = (float(ds.stability_threshold(optimizer, delay)) for delay in (0, 1))
    found = ds.recommend_learning_rate(0.1, optimizer, 1, goal="same-minima")
    assert float(found) == pytest.approx(0.1 * after / before)
    assert found.alternatives == ()
    for delay in (0, 1):
        with pytest.raises(ValueError, match="optimizer must have an effective learning rate"):
            ds.recommend_learning_rate(0.1, optimizer, delay)


@pytest.mark.parametrize("optimizer", [ds.HeavyBall(-0.9), ds.LinearOptimizer({}, {0: 1, 1: -0.9})])
def test_a_filter_whose_edge_is_low_without_delay_is_taken_relative_to_it(optimizer):
    # The paper's rule leaves such rates as they are; the recommendation asks for SGD's share.
    kept = ds.adjust_learning_rate(1.0, optimizer, 0, 2)
    advice = ds.recommend_learning_rate(1.0, optimizer, 2)
    assert float(advice) == pytest.approx(min(1.0, 0.7 * kept), rel=1e-12)
    assert float(ds.recommend_learning_rate(1.0, optimizer, 0)) == 1.0
