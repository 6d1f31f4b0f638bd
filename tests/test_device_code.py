"""What runs on a GPU, run without one: meta tensors stand for those of a device.

They have shapes and types and no numbers. Whoever wants a number from one would wait for the
device, and an operation with tensors of two devices would fail there: both are seen here.
"""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import delaystability as ds
from delaystability.validation.curvature import hessian_extremes
from delaystability.validation.dense import DenseProblem
from delaystability.validation.network import Network
from delaystability.validation.schedule import Batches
from delaystability.validation.training import Replica, Rules, advance, initial_state

SIZES, SAMPLES = (6, 5, 3), 12
_UPLOADS = (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)


class Device(TorchDispatchMode):
    """Counts the numbers that are read of meta tensors, and refuses mixed devices."""

    def __init__(self, answer=0):
        super().__init__()
        self.answer, self.reads = answer, 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        # A tensor of the host without dimensions is a number, which travels with the call.
        places = {tensor.device.type for tensor in tensors if tensor.dim() > 0}
        reads = function is torch.ops.aten._local_scalar_dense.default
        if reads and tensors[0].device.type == "meta":
            self.reads += 1
            return True if tensors[0].dtype is torch.bool else self.answer
        assert len(places) < 2 or function in _UPLOADS, f"{function} on two devices"
        return function(*args, **(kwargs or {}))

    def __enter__(self):
        self._before = torch.Tensor.tolist

        def tolist(tensor):
            if tensor.device.type != "meta":
                return self._before(tensor)
            self.reads += 1
            kind = np.dtype(str(tensor.dtype).removeprefix("torch."))
            # All replicas are alive.
            return np.full(tuple(tensor.shape), kind == np.dtype(bool), dtype=kind).tolist()

        torch.Tensor.tolist = tolist
        return super().__enter__()

    def __exit__(self, *error):
        torch.Tensor.tolist = self._before
        return super().__exit__(*error)


def problem(device):
    random = np.random.default_rng(0)
    inputs, labels = random.standard_normal((SAMPLES, SIZES[0])), random.integers(3, size=SAMPLES)
    targets = np.eye(3)[labels]
    return DenseProblem.from_arrays(
        Network(SIZES), inputs, targets, loss="cross-entropy", device=device, dtype=torch.float32
    )


def moved(record):
    """A frozen record with its tensors on the device."""
    tensors = {
        field.name: getattr(record, field.name).to("meta")
        for field in fields(record)
        if isinstance(getattr(record, field.name), torch.Tensor)
    }
    return replace(record, **tensors)


def reads_of_a_run(steps, delay, optimizer, batches):
    replicas = [Replica(optimizer, delay, 0.01, seed) for seed in range(3)]
    rules = Rules.pack(replicas, dtype=torch.float32)
    start = torch.zeros(3, problem("cpu").parameter_count)
    state = initial_state(rules, start)
    device = Device()
    with device:
        final = advance(problem("meta").gradient, moved(rules), moved(state), [steps] * 3, batches)
    assert final.parameters.device.type == "meta"
    return device.reads


@pytest.mark.quick(1)
@pytest.mark.parametrize("batches", [None, Batches(SAMPLES, 4)], ids=["full", "mini-batches"])
@pytest.mark.parametrize("delay", [0, 5, ds.GeometricDelay(0.5)], ids=repr)
@pytest.mark.parametrize("optimizer", [ds.SGD(), ds.HeavyBall(0.9), ds.Nesterov(0.9)], ids=repr)
def test_the_engine_waits_for_the_device_a_few_times_a_block_and_never_in_a_step(
    optimizer, delay, batches
):
    short, long = (reads_of_a_run(steps, delay, optimizer, batches) for steps in (2, 40))
    assert short == long <= 8


@pytest.mark.slow
def test_a_wait_in_every_step_would_be_seen():
    original = DenseProblem.gradient

    def waiting(self, parameters, *samples):
        float(parameters.sum())
        return original(self, parameters, *samples)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DenseProblem, "gradient", waiting)
        counts = [reads_of_a_run(steps, 5, ds.HeavyBall(0.9), None) for steps in (2, 200)]
    assert counts[1] - counts[0] == 198


def test_an_operation_on_two_devices_would_be_seen():
    here, there = torch.ones(3), torch.ones(3, device="meta")
    with Device(), pytest.raises((AssertionError, RuntimeError)):
        there.index_select(0, here.to(torch.int64))
    with Device():
        assert here.to("meta").device.type == "meta"
        assert (there * torch.tensor(2.0)).shape == (3,)


def test_the_curvature_of_replicas_waits_for_the_device_a_few_times_a_product():
    chosen = problem("meta")
    size = chosen.parameter_count
    parameters = torch.empty(3, size, device="meta")
    reads = []
    for most in (3, 5, 7):
        device = Device(answer=size)
        with device:
            found = hessian_extremes(chosen, parameters, max_products=most, tolerance=1e-9)
        assert found.largest.products == most and found.largest.values.device.type == "meta"
        reads.append(device.reads)
    # All replicas look exhausted to it, which asks once more for each product.
    assert reads[2] - reads[1] == reads[1] - reads[0] <= 2 * 3


@pytest.mark.parametrize("delay", [0, 4])
@pytest.mark.parametrize(
    "make",
    [
        lambda p, delay: ds.DelayedOptimizer(p, 0.1, ds.HeavyBall(0.9), delay),
        lambda p, delay: ds.delayed(torch.optim.SGD(p, 0.1, momentum=0.9), delay),
        lambda p, delay: ds.delayed(torch.optim.AdamW(p, 0.1, fused=False), delay),
    ],
    ids=["DelayedOptimizer", "SGD", "AdamW"],
)
def test_a_step_never_waits_for_the_device(make, delay):
    model = nn.Linear(4, 2, device="meta")
    optimizer, device = make(model.parameters(), delay), Device()
    for _ in range(7):
        optimizer.zero_grad()
        for parameter in model.parameters():
            parameter.grad = torch.empty_like(parameter)
        with device:
            optimizer.step()
    assert device.reads == 0
