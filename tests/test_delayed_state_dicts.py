"""What is no state of a delayed torch optimizer is refused in one line, and changes nothing."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

import torch

import delaystability as ds


def _optimizer():
    parameter = torch.nn.Parameter(torch.ones(2))
    optimizer = ds.delayed(torch.optim.SGD([parameter], 0.1, momentum=0.5), delay=2)
    for _ in range(4):
        parameter.grad = parameter.detach().clone()
        optimizer.step()
    return optimizer


@pytest.mark.parametrize(
    "wrong",
    [{}, {"state": {}}, {"param_groups": []}, [], ["state", "param_groups"], None, "state"],
    ids=repr,
)
def test_a_state_without_its_two_entries_is_refused(wrong):
    optimizer = _optimizer()
    before = optimizer.state_dict()
    with pytest.raises(
        ValueError, match="state_dict must be a dict with the entries state and par"
    ):
        optimizer.load_state_dict(wrong)
    after = optimizer.state_dict()
    assert repr(after) == repr(before)


def test_its_own_state_is_taken():
    optimizer = _optimizer()
    state = optimizer.state_dict()
    optimizer.load_state_dict(state)
    assert repr(optimizer.state_dict()) == repr(state)
