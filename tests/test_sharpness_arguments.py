"""The arguments of `sharpness` that are refused by name, and errors in low precision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("torch")

import torch

import delaystability as ds


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"groups": 3}, TypeError, "groups must be a dict or list of parameters; got 3"),
        ({"groups": [3]}, TypeError, r"groups\[0\] must be a module, or hold tensors; got 3"),
        ({"params": None}, TypeError, "params must be a module, or hold tensors; got None"),
        ({"basis_device": "nowhere"}, ValueError, "basis_device must be a device of torch"),
    ],
)
def test_what_is_no_parameter_or_device_is_refused_by_name(arguments, error, message):
    weight = torch.ones(3, requires_grad=True)
    given: dict[str, Any] = {"params": weight} | arguments
    with pytest.raises(error, match=message):
        ds.sharpness(lambda: weight.square().sum(), **given)


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        (None, TypeError, "model must be a module, or hold tensors; got NoneType"),
        ("optimizer", TypeError, "model must be a module, or hold tensors; got SGD"),
        ([torch.ones(3)], ValueError, "model must hold all parameters of torch_optimizer"),
    ],
)
def test_a_monitor_of_what_is_no_model_is_refused_by_name(model, error, message):
    weight = torch.ones(3, requires_grad=True)
    optimizer = torch.optim.SGD([weight], 0.1)
    with pytest.raises(error, match=message):
        ds.StabilityMonitor(optimizer if model == "optimizer" else model, optimizer)
    assert ds.StabilityMonitor([weight], optimizer).history == []


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [0.0137, 11.3, 870.0])
def test_errors_count_the_precision_of_the_parameters(dtype, scale):
    weight = torch.zeros(5, dtype=dtype, requires_grad=True)
    factors = torch.tensor([0.25, 0.5, 0.625, 0.75, 1.0], dtype=torch.float64) * scale

    def loss() -> Any:
        return (0.5 * factors.to(dtype) * weight * weight).sum()

    found = ds.sharpness(loss, weight, 2)
    for value, error, exact in zip(found.values, found.errors, (scale, 0.75 * scale), strict=True):
        assert abs(value - exact) <= error
    assert found.errors[0] <= 2 * torch.finfo(dtype).eps * scale + 1e-6 * scale


def _half_precise_loss(
    weight: torch.Tensor, habit: str, factors: torch.Tensor
) -> Callable[[], Any]:
    def one() -> torch.Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return torch.nn.functional.linear(factors, weight).float().square().sum() / 2

    return {"one": one, "list": lambda: [one(), one()], "iterator": lambda: iter([one(), one()])}[
        habit
    ]


@pytest.mark.parametrize("habit", ["one", "list", "iterator"])
def test_errors_count_the_precision_of_a_loss_under_autocast(habit):
    generator = torch.Generator().manual_seed(2)
    factors = torch.randn(30, 6, generator=generator)
    weight = torch.randn(1, 6, generator=generator).requires_grad_()
    found = ds.sharpness(_half_precise_loss(weight, habit, factors), weight, tolerance=0.01)
    exact = float(torch.linalg.eigvalsh(factors.double().T @ factors.double())[-1])
    assert 1e-4 * exact < abs(float(found) - exact) <= found.errors[0]
    assert found.errors[0] <= 1.2 * torch.finfo(torch.bfloat16).eps * exact


def test_a_sharpness_is_complete_only_to_the_digits_of_its_loss():
    factors, weight = torch.eye(6), torch.ones(1, 6, requires_grad=True)
    loss = _half_precise_loss(weight, "one", factors)
    assert not ds.sharpness(loss, weight, tolerance=1e-3).complete
    assert ds.sharpness(loss, weight, tolerance=1e-2).complete


def test_a_loss_that_is_no_number_has_no_complete_sharpness():
    weight = torch.ones(3, requires_grad=True)
    assert not ds.sharpness(lambda: weight.square().sum() * torch.nan, weight).complete
    assert ds.sharpness(lambda: weight.square().sum(), weight).complete


def test_a_record_reads_without_its_vectors():
    weight = torch.ones(3, requires_grad=True)
    assert "vectors" not in repr(ds.sharpness(lambda: weight.square().sum(), weight))
