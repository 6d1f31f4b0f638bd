"""Mini-batches and weight decay: E[A (x) A] written out, and one direction."""

from __future__ import annotations

import numpy as np
import pytest

import delaystability as ds

DECAYS = [(0.05, False), (0.05, True), (0.4, False)]
READ = ds.MixedRead({0: -0.25, 2: 1.25})


def samples(count, size, seed):
    """Positive definite Hessians."""
    half = np.random.default_rng(seed).standard_normal((count, 2, size))
    return half.transpose(0, 2, 1) @ half


def step_matrix(loop, hessian, rate, late):
    """One update of (w_t, w_{t-1}, ..., u_{t-1}, u_{t-2}, ...), each a vector, as it is written.

    The gradient is read at the mixture ``late``, weights by lag; what decays is present.
    """
    feedback, feedforward = loop.optimizer.coefficients(0)
    size, decay = len(hessian), float(loop.decay)
    iterates = 1 + max(late) + max(lag for lag, _ in feedforward)
    updates = max((lag for lag, _ in feedback), default=1)
    identity = np.eye(size)
    matrix = np.zeros((iterates + updates, iterates + updates, size, size))
    update = np.zeros((iterates + updates, size, size))
    for lag, value in feedback:
        update[iterates + lag - 1] += value * identity
    for lag, value in feedforward:
        for read, weight in late.items():
            update[lag + read] += rate * value * weight * hessian
        if loop.coupled:
            update[lag] += decay * value * identity
    matrix[0] = -update
    matrix[0, 0] += (1 if loop.coupled else 1 - decay) * identity
    for row in range(1, iterates):
        matrix[row, row - 1] = identity
    matrix[iterates] = update
    for row in range(iterates + 1, iterates + updates):
        matrix[row, row - 1] = identity
    return matrix.transpose(0, 2, 1, 3).reshape(2 * [(iterates + updates) * size])


def kronecker_radius(hessians, loop, rate):
    """The spectral radius of E[A (x) A], the delay and the sample drawn for every update."""
    law = loop.delay
    reads = [({lag: 1}, p) for lag, p in law.pmf.items()] if law.varies else []
    reads = reads or [(law.weights if isinstance(law, ds.MixedRead) else {law.minimum: 1}, 1)]
    longest = max(lag for late, _ in reads for lag in late)
    whole = 0
    for late, probability in reads:
        for hessian in hessians:
            matrix = step_matrix(loop, hessian, rate, {longest: 0} | dict(late))
            whole = whole + float(probability) * np.kron(matrix, matrix) / len(hessians)
    return float(np.abs(np.linalg.eigvals(whole)).max())


@pytest.mark.parametrize(("decay", "coupled"), DECAYS)
@pytest.mark.parametrize(
    ("optimizer", "delay"),
    [
        (ds.SGD(), 2),
        (ds.HeavyBall(0.6), 1),
        (ds.Nesterov(0.5), 0),
        (ds.SGD(), ds.RandomDelay([0.3, 0.5, 0.2])),
        (ds.HeavyBall(0.3), ds.RandomDelay([0.5, 0.5])),
        (ds.HeavyBall(0.5), READ),
    ],
)
@pytest.mark.quick(2)
def test_the_threshold_with_decay_is_that_of_the_kronecker_matrix(optimizer, delay, decay, coupled):
    hessians = samples(3, 2, seed=7)
    loop = ds.Loop(optimizer, delay, decay, coupled)
    rate = ds.mean_square_learning_rate(hessians, loop)
    assert rate == ds.mean_square_learning_rate(
        hessians, optimizer, delay, decay=decay, coupled=coupled
    )
    assert kronecker_radius(hessians, loop, rate * (1 - 1e-8)) < 1
    assert kronecker_radius(hessians, loop, rate * (1 + 1e-8)) > 1
    for share in np.linspace(0.05, 0.95, 7):
        assert kronecker_radius(hessians, loop, rate * share) < 1
    # Negative control: without decay, or with it the other way, the answer is another.
    assert rate != pytest.approx(ds.mean_square_learning_rate(hessians, optimizer, delay), rel=1e-6)
    if not isinstance(optimizer, ds.SGD):
        other = ds.Loop(optimizer, delay, decay, not coupled)
        assert rate != pytest.approx(ds.mean_square_learning_rate(hessians, other), rel=1e-6)


@pytest.mark.quick(1)
@pytest.mark.parametrize(("decay", "coupled"), DECAYS)
@pytest.mark.parametrize("delay", [0, 4, ds.RandomDelay([0.2, 0.3, 0.5]), READ])
def test_a_single_direction_with_decay_is_the_scalar_theory(delay, decay, coupled):
    settings = {"decay": decay, "coupled": coupled}
    for optimizer in (ds.SGD(), ds.HeavyBall(0.75)):
        hessians = [[[3 - 3 * 0.5]], [[3 + 3 * 0.5]]]
        found = ds.mean_square_learning_rate(hessians, optimizer, delay, **settings)
        expected = ds.max_learning_rate(
            3.0, optimizer, delay, curvature_noise=0.25, moment="mean-square", **settings
        )
        assert found == pytest.approx(expected, rel=1e-9)
        edge = ds.batch_sharpness_edge(optimizer, delay, 0.25, **settings)
        assert edge == pytest.approx(3 * 1.25 * expected, rel=1e-12)
        assert ds.batch_sharpness_edge(ds.Loop(optimizer, delay, **settings), None, 0.25) == edge


def test_a_decay_that_is_none_is_refused():
    for ask in (
        lambda **more: ds.mean_square_learning_rate([[[1.0]]], ds.SGD(), 1, **more),
        lambda **more: ds.batch_sharpness_edge(ds.SGD(), 1, 0.5, **more),
    ):
        with pytest.raises(ValueError, match="decay must be a number >= 0"):
            ask(decay=-1.0)
        with pytest.raises(TypeError, match="coupled must be True or False"):
            ask(coupled=1)
    with pytest.raises(TypeError, match="decay must be one number"):
        ds.mean_square_learning_rate([[[1.0]]], ds.SGD(), 1, decay=[0.1, 0.2])
    # Weights that a decay of 3 throws about are stable at no learning rate.
    assert ds.mean_square_learning_rate([[[1.0]]], ds.SGD(), 2, decay=3) == 0
