"""The hum of Adamax, whose preconditioner follows the largest gradients."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from delaystability.training.reading import Status
from delaystability.training.stability_monitor import StabilityMonitor
from tests.small_training import DOUBLE
from tests.test_adaptive_optimizers import hummed


@pytest.mark.slow
@pytest.mark.parametrize("delay", [1, 4])
def test_the_reading_of_adamax_bounds_its_hum_and_price(delay):
    curvatures = torch.tensor(np.geomspace(0.1, 100, 10))
    weight = torch.nn.Parameter(0.1 * torch.ones(10, dtype=DOUBLE))
    optimizer = torch.optim.Adamax([weight], 1e-3)
    rms, loss = hummed(optimizer, weight, curvatures, delay, 12_000)
    monitor = StabilityMonitor([weight], optimizer, delay=delay, preconditioner="auto")
    reading = monitor.read(lambda: (curvatures * weight.square()).sum() / 2)
    # It takes the height of a sine for its root mean square.
    assert (rms / reading.hum).tolist() == pytest.approx([0.5**0.5] * 10, rel=0.03)
    assert loss / reading.loss_floor == pytest.approx(0.5, rel=0.05)
    assert reading.status in (Status.TUNING, Status.UNDECIDED)
