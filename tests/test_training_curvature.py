"""The sharpness of any torch loss: right within its bound."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")
import torch
from torch import nn

from delaystability.training.hessian import measure_curvature
from delaystability.training.stability_monitor import StabilityMonitor
from tests.helpers import EPS
from tests.live_memory import LiveMemory
from tests.small_training import DOUBLE, dense_hessian, small_net, small_problem


@pytest.mark.parametrize("tolerance", [0.1, 0.01, 1e-6])
def test_sharpness_and_smallest_eigenvalue_are_right_within_their_bounds(tolerance):
    net, loss, (inputs, targets) = small_problem()
    values = torch.linalg.eigvalsh(
        dense_hessian(net, lambda outputs: (outputs - targets).square().mean(), inputs)
    )
    found = measure_curvature(
        loss, list(net.parameters()), smallest=True, tolerance=tolerance, max_products=66
    )
    rounding = 100 * EPS * float(values.abs().max())
    assert abs(found.sharpness - values[-1]) <= found.error + rounding
    assert abs(found.smallest - values[0]) <= found.smallest_error + rounding
    assert found.error <= tolerance * float(values.abs().max())
    # Negative control: the bound is not so wide that the next eigenvalue would pass too.
    assert abs(found.sharpness - values[-2]) > found.error


def test_the_slope_is_the_gradient_along_the_sharpest_direction():
    net, loss, _ = small_problem()
    found = measure_curvature(loss, list(net.parameters()), tolerance=1e-6)
    gradients = torch.autograd.grad(loss(), list(net.parameters()))
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    assert found.slope == pytest.approx(float(flat @ found.direction), rel=1e-12)


def test_one_loss_a_list_and_a_generator_of_batches_give_the_same_reading():
    net, _, (inputs, targets) = small_problem()
    parameters = list(net.parameters())

    def parts():
        return (
            (net(inputs[k : k + 10]) - targets[k : k + 10]).square().mean()
            for k in range(0, 40, 10)
        )

    whole = measure_curvature(lambda: (net(inputs) - targets).square().mean(), parameters)
    for several in (lambda: list(parts()), parts):
        found = measure_curvature(several, parameters)
        assert found.loss == pytest.approx(whole.loss, rel=1e-12)
        assert found.sharpness == pytest.approx(whole.sharpness, rel=1e-9)
        assert found.slope == pytest.approx(whole.slope, rel=1e-6)
    one_batch = measure_curvature(lambda: next(parts()), parameters)
    assert abs(one_batch.sharpness / whole.sharpness - 1) > 0.01


def test_a_generator_with_dropout_draws_the_same_mask_for_each_product():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(5, 16), nn.Dropout(0.5), nn.Tanh(), nn.Linear(16, 3)).double()
    inputs = torch.randn(40, 5, dtype=DOUBLE)

    def losses():
        yield net(inputs).square().mean()

    torch.manual_seed(1)
    found = measure_curvature(losses, list(net.parameters()), tolerance=1e-6)
    torch.manual_seed(1)
    kept = measure_curvature(lambda: list(losses()), list(net.parameters()), tolerance=1e-6)
    assert found.sharpness == pytest.approx(kept.sharpness, rel=1e-6)


def test_a_generator_that_changes_its_batches_is_refused():
    net, _, (inputs, targets) = small_problem()
    calls = []

    def losses():
        calls.append(None)
        rows = slice(0, 10 * len(calls))
        yield (net(inputs[rows]) - targets[rows]).square().mean()

    with pytest.raises(ValueError, match="the same losses each time"):
        measure_curvature(losses, list(net.parameters()))


def test_a_warm_start_spends_fewer_products():
    net = small_net(20, 30, 30, 10)
    inputs, targets = torch.randn(100, 20, dtype=DOUBLE), torch.randn(100, 10, dtype=DOUBLE)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
    monitor = StabilityMonitor(net, optimizer)
    for _ in range(2):
        monitor.read(lambda: (net(inputs) - targets).square().mean())
    cold, warm = (reading.products for reading in monitor.history)
    assert warm < cold <= 40
    assert warm <= 8


def test_parameters_without_curvature_or_use_count_as_flat():
    used, linear, unused = (nn.Parameter(torch.ones(2, dtype=DOUBLE)) for _ in range(3))
    found = measure_curvature(
        lambda: used.square().sum() * 3 + linear.sum(), [used, linear, unused], max_products=6
    )
    assert found.sharpness == pytest.approx(6, rel=1e-12)
    flat = measure_curvature(lambda: linear.sum(), [linear])
    assert (flat.sharpness, flat.error) == (0, 0)


def test_float32_and_half_precision_parameters_are_measured_in_float32():
    weight = nn.Parameter(torch.tensor([1.0, 1.0], dtype=torch.bfloat16))
    found = measure_curvature(lambda: (weight * weight)[0] * 2 + (weight * weight)[1], [weight])
    assert found.direction.dtype == torch.float32
    assert found.sharpness == pytest.approx(4, rel=2**-7)


@pytest.mark.slow
@pytest.mark.parametrize("layer", ["attention", "lstm"])
def test_layers_with_fused_kernels_can_be_measured(layer):
    torch.manual_seed(0)
    net = nn.MultiheadAttention(8, 2, batch_first=True) if layer == "attention" else nn.LSTM(8, 8)
    inputs = torch.randn(3, 4, 8)

    def loss():
        arguments = (inputs, inputs, inputs) if layer == "attention" else (inputs,)
        return net(*arguments)[0].square().mean()

    monitor = StabilityMonitor(net, torch.optim.SGD(net.parameters(), lr=0.1))
    assert monitor.read(loss).sharpness > 0


@pytest.mark.slow
def test_a_reading_of_a_large_network_holds_few_copies_of_it():
    sizes = (1500, 1500, 1500)  # vectors of 18 MB, of which seven are held
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(*sizes[:2]), nn.Tanh(), nn.Linear(*sizes[1:]))
    inputs, targets = torch.randn(4, 1500), torch.randn(4, 1500)
    count = sum(parameter.numel() for parameter in net.parameters())
    peaks = {}
    for held in ("seven", "all"):
        with pytest.MonkeyPatch.context() as patch:
            if held == "all":
                patch.setattr("delaystability.training.hessian.held_vectors", lambda *_: None)
            monitor = StabilityMonitor(net, torch.optim.SGD(net.parameters(), 0.1), max_products=17)
            with LiveMemory() as memory:
                monitor.read(lambda: (net(inputs) - targets).square().mean())
            peaks[held] = memory.peak / (4 * count)
    assert peaks["seven"] <= 14
    # Negative control.
    assert peaks["all"] > 30


def test_the_vectors_can_be_held_on_another_device():
    net, loss, _ = small_problem()
    parameters = list(net.parameters())
    here = measure_curvature(loss, parameters)
    there = measure_curvature(loss, parameters, basis_device="cpu")
    assert there.sharpness == here.sharpness and there.direction.device.type == "cpu"
    optimizer = torch.optim.SGD(parameters, 0.1)
    monitor = StabilityMonitor(net, optimizer, basis_device="cpu")
    readings = [monitor.read(loss) for _ in range(2)]
    assert readings[0].sharpness == here.sharpness
    # The bases of devices that cannot multiply have to fail.
    with pytest.raises((NotImplementedError, RuntimeError)):
        StabilityMonitor(net, optimizer, basis_device="meta").read(loss)
