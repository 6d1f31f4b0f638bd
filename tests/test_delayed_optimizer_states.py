"""States and settings of the delayed optimizer: which are taken, and which refused by name."""

from __future__ import annotations

import io

import numpy as np
import pytest

pytest.importorskip("torch")
import torch
from torch import nn

import delaystability as ds
from delaystability.training.delayed_optimizer import DelayedOptimizer

M = 0.9


def _made(**settings):
    parameter = nn.Parameter(torch.ones(2))
    optimizer = DelayedOptimizer([parameter], **({"lr": 0.1} | settings))
    return parameter, optimizer


def _updates(parameter, optimizer, count):
    for _ in range(count):
        parameter.grad = parameter.detach().clone()
        optimizer.step()


def test_the_state_of_another_optimizer_is_refused_with_what_is_missing():
    parameter, optimizer = _made()
    other = torch.optim.SGD([parameter], 0.1, momentum=0.9)
    _updates(parameter, other, 2)
    with pytest.raises(ValueError, match=r"state_dict must come from a DelayedOptimizer.*delay"):
        optimizer.load_state_dict(other.state_dict())
    # One's own is taken, again and again.
    for _ in range(2):
        optimizer.load_state_dict(optimizer.state_dict())


def test_a_delay_that_was_set_as_an_integer_is_saved_as_one():
    parameter, optimizer = _made(delay=4)
    optimizer.param_groups[0]["delay"] = 4
    saved = optimizer.state_dict()
    assert saved["param_groups"][0]["delay"] == {"kind": "fixed", "delay": 4}
    _updates(parameter, optimizer, 3)
    assert list(optimizer.applied_delays()) == [0, 1, 2]


def test_updates_before_the_first_one_are_refused():
    parameter, optimizer = _made(delay=1)
    _updates(parameter, optimizer, 3)
    assert list(optimizer.applied_delays(0, np.int64(1))) == [1, 1]
    for wrong in (-1, 1.5):
        with pytest.raises(ValueError, match="start must be an integer >= 0"):
            optimizer.applied_delays(0, wrong)


def test_numbers_of_numpy_are_numbers_and_saved_as_those_of_python():
    settings = {"lr": np.float32(0.5), "weight_decay": np.float64(0.25), "seed": np.int64(3)}
    parameter, optimizer = _made(**settings, delay=ds.RandomDelay([0.5, 0.5]))
    plain = _made(lr=0.5, weight_decay=0.25, seed=3, delay=ds.RandomDelay([0.5, 0.5]))
    _updates(parameter, optimizer, 9)
    _updates(*plain, 9)
    assert torch.equal(parameter, plain[0])
    file = io.BytesIO()
    torch.save(optimizer.state_dict(), file)
    file.seek(0)
    group = torch.load(file, weights_only=True)["param_groups"][0]
    assert [type(group[name]) for name in settings] == [float, float, int]
    with pytest.raises(ValueError, match="seed must be an integer"):
        _made(seed=np.float64(3.0))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"lr": -0.1}, ValueError, "lr must be a finite number >= 0; got -0.1"),
        ({"lr": float("nan")}, ValueError, "lr must be"),
        ({"lr": "1e-3"}, TypeError, "^lr must be one number; got '1e-3'"),
        ({"lr": None}, TypeError, "^lr must be one number"),
        ({"lr": [0.1]}, TypeError, "^lr must be one number"),
        ({"lr": True}, TypeError, "^lr must be one number"),
        ({"weight_decay": None}, TypeError, "^weight_decay must be one number"),
        ({"lr": torch.ones(2)}, ValueError, "lr must be a number or a tensor of one element"),
        ({"weight_decay": -1.0}, ValueError, "weight_decay must be"),
        ({"seed": -1}, ValueError, "seed must be an integer >= 0"),
        ({"seed": True}, ValueError, "seed must be"),
        ({"warmup": "none"}, ValueError, "warmup must be one of"),
        ({"first_update": "none"}, ValueError, "first_update must be one of"),
        ({"delay": -1}, ValueError, "delay must be"),
        ({"delay": 1.5}, ValueError, "delay must be"),
        ({"delay": 10**12}, ValueError, "delay must be at most 100000"),
        ({"delay": [1, 2]}, TypeError, "delay must be"),
        ({"delay": ds.MeasuredDelay.from_log([[1, 2], [3, 4]])}, ValueError, "one worker"),
        ({"optimizer": 0.9}, TypeError, "optimizer must be an optimizer"),
        ({"optimizer": ds.HeavyBall([0.1, 0.2])}, TypeError, "momentum must be one number"),
        (
            {"optimizer": ds.Nesterov(M), "first_update": "undamped"},
            ValueError,
            "first_update must be 'filtered'",
        ),
    ],
)
def test_bad_arguments_are_refused_by_name(arguments, error, message):
    with pytest.raises(error, match=message):
        DelayedOptimizer([nn.Parameter(torch.ones(1))], **({"lr": 0.1} | arguments))
    delayed = DelayedOptimizer([nn.Parameter(torch.ones(1))], 0.1)
    with pytest.raises(error, match=message):
        delayed.add_param_group({"params": [nn.Parameter(torch.ones(1))], **arguments})
    assert len(delayed.param_groups) == 1


def test_no_parameters_and_unknown_states_are_refused():
    with pytest.raises(ValueError, match="empty parameter list"):
        DelayedOptimizer([], 0.1)
    with pytest.raises(TypeError, match="iterable of Tensors"):
        DelayedOptimizer(torch.ones(1), 0.1)
    delayed = DelayedOptimizer([nn.Parameter(torch.ones(1))], 0.1)
    state = delayed.state_dict()
    with pytest.raises(ValueError, match="different number of parameter groups"):
        delayed.load_state_dict(state | {"param_groups": state["param_groups"] * 2})
    groups = [state["param_groups"][0] | {"optimizer": {"name": "unknown"}}]
    with pytest.raises(ValueError, match="optimizer must be one of"):
        delayed.load_state_dict(state | {"param_groups": groups})
