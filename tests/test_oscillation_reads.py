"""Oscillations where gradients are read at a mixture of weights; those of varying delays."""

from __future__ import annotations

from collections import deque
from math import log, pi

import numpy as np
import pytest

import delaystability as ds
from delaystability.model.loop import Loop
from delaystability.numerics.moments.adaptive_cycle import nats_on_the_way

READS = [{0: 0.25, 3: 0.75}, {1: 1.5, 4: -0.5}, {0: -0.3, 2: 1.3}]


def adaptive_run(
    optimizer, lr, read, *, updates, curvature=1.0, start=1e-3, noise=0.0, dtype=float
):
    """A run of the algorithm itself, its gradients taken at the mixture; the last half of it."""
    random = np.random.default_rng(0)
    kept = dtype(optimizer.second_moment_kept)
    divides_first = isinstance(optimizer, ds.RMSProp)
    momentum = dtype(optimizer.momentum if divides_first else optimizer.beta1)
    weight, update, square = dtype(start), dtype(0), dtype(curvature * start) ** 2
    history, seen = deque([weight] * (1 + max(read)), maxlen=1 + max(read)), []
    for _ in range(updates):
        late = sum(share * history[-1 - lag] for lag, share in read.items())
        gradient = dtype(curvature) * late + dtype(noise * random.standard_normal())
        square = kept * square + (1 - kept) * gradient * gradient
        if divides_first:
            update = momentum * update + gradient / np.sqrt(square)
            weight = weight - dtype(lr) * update
        else:
            update = momentum * update + (1 - momentum) * gradient
            weight = weight - dtype(lr) * update / np.sqrt(square)
        history.append(weight)
        seen.append(weight)
    return np.array(seen[updates // 2 :])


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize(
    "optimizer", [ds.Adam(0.9, 0.97), ds.Adam(0.5, 0.99), ds.RMSProp(0.97), ds.RMSProp(0.97, 0.5)]
)
def test_the_oscillation_under_a_mixture_is_that_of_runs(optimizer, read):
    found = ds.oscillation(1e-3, optimizer, ds.MixedRead(read))
    run = adaptive_run(optimizer, 1e-3, read, updates=4000)
    assert found.status == "asymptotic"
    assert run.std() == pytest.approx(found.rms, rel=8e-3)
    assert abs(run).max() == pytest.approx(found.peak, rel=0.02)
    assert found.gain == pytest.approx(
        ds.stability_threshold(optimizer.momentum_filter, ds.MixedRead(read)), rel=0.2
    )
    # Negative control: as far as the gradients see it, it is another.
    angle = 2 * pi / found.period
    seen = abs(ds.MixedRead(read).generating_function(np.exp(1j * angle)))
    assert abs(seen - 1) > 0.01
    assert run.std() != pytest.approx(found.rms * seen, rel=8e-3)


def test_a_mixture_with_one_read_is_that_delay():
    for optimizer in (ds.Adam(), ds.RMSProp(0.99, 0.5)):
        for settings in (
            {},
            {"curvature": 2.0, "noise": 0.05},
            {"weight_decay": 0.1, "minimum": 1},
        ):
            one = ds.oscillation(1e-3, optimizer, ds.MixedRead({3: 1}), **settings)
            same = ds.oscillation(1e-3, optimizer, 3, **settings)
            assert one.rms == pytest.approx(same.rms, rel=1e-9)
            assert one.status == same.status


@pytest.mark.slow
def test_noise_under_a_mixture_moves_the_weight_as_far_as_in_runs():
    for read, noise in (({0: 0.25, 3: 0.75}, 0.05), ({0: -0.8, 3: 1.8}, 0.2)):
        found = ds.oscillation(
            1e-3, ds.Adam(0.9, 0.999), ds.MixedRead(read), curvature=2.0, noise=noise
        )
        run = adaptive_run(
            ds.Adam(0.9, 0.999), 1e-3, read, curvature=2.0, noise=noise, updates=200_000
        )
        assert run.std() == pytest.approx(found.rms, rel=0.05)


def test_clipped_gradients_of_a_mixture_oscillate_as_far_as_in_runs():
    for read in ({0: 0.25, 3: 0.75}, {1: 1.5, 4: -0.5}):
        gain = 1.5 * ds.stability_threshold(ds.SGD(), ds.MixedRead(read))
        found = ds.oscillation(0.1, ds.SGD(), ds.MixedRead(read), curvature=gain / 0.1, clip=1.0)
        history = deque([1e-3] * 5, maxlen=5)
        seen = []
        for _ in range(4000):
            late = sum(share * history[-1 - lag] for lag, share in read.items())
            history.append(history[-1] - 0.1 * float(np.clip(gain / 0.1 * late, -1, 1)))
            seen.append(history[-1])
        assert np.std(seen[2000:]) == pytest.approx(found.rms, rel=0.15)


@pytest.mark.parametrize("optimizer", [ds.Adam(), ds.SignSGD(), ds.SGD()])
@pytest.mark.parametrize(
    "delay", [ds.RandomDelay([0.5, 0.5]), ds.GeometricDelay(0.5), ds.BoundedDelay(3)]
)
def test_what_varies_is_refused_with_a_reason(optimizer, delay):
    with pytest.raises(TypeError, match="where delays vary, an oscillation is no cycle"):
        ds.oscillation(0.1, optimizer, delay, curvature=1.0)


def test_steps_by_a_sign_take_no_mixture():
    with pytest.raises(TypeError, match="delay must be one integer for signSGD"):
        ds.oscillation(0.1, ds.SignSGD(), ds.MixedRead({0: 0.5, 2: 0.5}))


@pytest.mark.parametrize("kept", [0.9, 0.95, 0.99])
def test_a_run_from_afar_shrinks_as_far_as_it_is_said(kept):
    """RMSProp without delay passes the gain 1, at which the weight is next to nothing."""
    nats = nats_on_the_way(Loop(ds.SGD(), 0), 2.0) / (1 - kept)
    assert nats == pytest.approx(pi**2 / 2 / (1 - kept), rel=0.02)
    weight, square, least = 1.0, 0.0, 1.0
    for _ in range(int(40 / (1 - kept)) + 4000):
        square = kept * square + (1 - kept) * weight * weight
        weight -= 1e-3 * weight / square**0.5
        least = min(least, abs(weight))
    assert -log(least) == pytest.approx(nats, rel=0.03)
    assert abs(weight) == pytest.approx(0.5e-3, rel=1e-6)


def test_a_cycle_that_floats_may_end_is_not_said_to_be_exact():
    found = ds.oscillation(1e-3, ds.RMSProp(0.9), 0)
    assert found.status == "exact"
    lost = ds.oscillation(1e-3, ds.RMSProp(0.99), 0)
    assert lost.status == "undecided"
    assert "what floats do not hold" in lost.reason
    # In 32 bits the one comes to its cycle, the other to the minimum.
    for kept, size in ((0.9, 0.5e-3), (0.99, 0.0)):
        run = adaptive_run(
            ds.RMSProp(kept), 1e-3, {0: 1}, start=1.0, updates=8000, dtype=np.float32
        )
        assert abs(run[-1]) == pytest.approx(size, rel=1e-3, abs=1e-30)
