"""A queue beneath DistributedDataParallel, whose buckets are used again, and beneath FSDP2."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import torch
from torch import Tensor, distributed, nn

import delaystability as ds
from tests.late_gradients import step_late

DELAY = 3


@pytest.fixture
def group(tmp_path: Path) -> Iterator[None]:
    distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1
    )
    yield
    distributed.destroy_process_group()


def _net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 2))


def _trained(model: nn.Module, step: Any) -> None:
    for t in range(14):
        model.zero_grad()
        inputs = torch.randn(5, 6, generator=torch.Generator().manual_seed(t))
        model(inputs).square().mean().backward()
        step()


def _expected() -> list[Tensor]:
    net, past = _net(), []
    inner = torch.optim.AdamW(net.parameters(), 0.01)
    _trained(net, lambda: step_late(inner, past, DELAY))
    return [parameter.detach() for parameter in net.parameters()]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("megabytes", [25, 1e-6], ids=["one bucket", "a bucket for each parameter"])
def test_buckets_of_data_parallel_training_are_copied(group, megabytes):
    net = _net()
    model = nn.parallel.DistributedDataParallel(
        net, gradient_as_bucket_view=True, bucket_cap_mb=megabytes
    )
    optimizer = ds.delayed(torch.optim.AdamW(net.parameters(), 0.01), DELAY)
    _trained(model, optimizer.step)
    assert all(map(torch.equal, net.parameters(), _expected()))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("half", [False, True])
def test_sharded_gradients_wait_as_they_are(group, half):
    from torch.distributed.fsdp import fully_shard

    net = _net()
    for part in (net[0], net[2], net):
        fully_shard(part)
    dtype = torch.bfloat16 if half else None
    inner = torch.optim.AdamW(net.parameters(), 0.01)
    optimizer = ds.delayed(inner, DELAY, queue_dtype=dtype)
    _trained(net, optimizer.step)
    found: list[Any] = [parameter.full_tensor() for parameter in net.parameters()]
    row = optimizer.state_dict()["state"][0]["delayed_gradient_0"]
    assert isinstance(row, distributed.tensor.DTensor)
    assert row.dtype == (dtype or torch.float32)
    # A gradient that is rounded moves AdamW by less than a step of 0.01.
    for one, other in zip(found, _expected(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0.02 if half else 0)
