"""Thresholds of pipelines against eigenvalues of plain block companion matrices."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest
import sympy

import delaystability as ds
from delaystability.model.pipelines import PipeDream, PipelinedBackpropagation
from delaystability.numerics.stages.stage_products import compressed_hessian
from delaystability.questions.stages import stage_sharpness, stage_spectral_radius, stage_threshold

OPTIMIZERS = [
    ds.SGD(),
    ds.HeavyBall(0.9),
    ds.HeavyBall(-0.5),
    ds.Nesterov(0.8),
    ds.ShiftedMomentum(0.9),
    ds.SpikeCompensation(0.9),
    ds.WeightPrediction(0.7),
    ds.LinearOptimizer({1: 0.3, 2: -0.4}, {0: 1.0, 3: 0.2}),
]


def random_hessian(random, sizes, rank=None):
    """A random Hessian with eigenvalues of different size."""
    count = sum(sizes)
    rank = count if rank is None else rank
    root = random.standard_normal((count, rank)) * np.exp(random.standard_normal(rank))
    return root @ root.T


def step_by_step(hessian, optimizer, delays, sizes, lr, columns):
    """The matrix of one update of the plain loop, whose columns are the updates of unit states.

    With ``columns`` each stage reads its own late iterate, else it applies its gradient late. The
    state holds past iterates, gradients and updates; every one of them is written as a loop.
    """
    count, longest = sum(sizes), max(delays)
    tables = [optimizer.coefficients(delay) for delay in delays]
    reach = longest + max(int(t.lag) for part in tables for t in part.feedforward) + 1
    memory = max([int(t.lag) for part in tables for t in part.feedback] + [1])
    stage = np.repeat(np.arange(len(sizes)), sizes)
    width = 1 + longest + reach + memory
    matrix = np.empty((width * count, width * count))
    for place, unit in enumerate(np.eye(width * count)):
        parts = unit.reshape(width, count)
        w = deque(parts[: 1 + longest])
        g = deque(parts[1 + longest : 1 + longest + reach])
        u = deque(parts[1 + longest + reach :])
        read = np.array([w[delays[stage[k]] if columns else 0][k] for k in range(count)])
        g.appendleft(hessian @ read)
        update = np.zeros(count)
        for k in range(count):
            late = 0 if columns else delays[stage[k]]
            feedback, feedforward = tables[stage[k]]
            update[k] = sum(value * g[late + lag][k] for lag, value in feedforward)
            update[k] += sum(value * u[lag - 1][k] for lag, value in feedback)
        u.appendleft(update)
        w.appendleft(w[0] - lr * update)
        kept = [*list(w)[: 1 + longest], *list(g)[:reach], *list(u)[:memory]]
        matrix[:, place] = np.concatenate(kept)
    return matrix


def plain_radius(hessian, optimizer, delays, sizes, lr, columns=True):
    """The largest modulus of the roots but those at 1, one for each direction without curvature."""
    roots = np.linalg.eigvals(step_by_step(hessian, optimizer, delays, sizes, lr, columns))
    flat = len(hessian) - np.linalg.matrix_rank(hessian)
    order = np.argsort(np.abs(roots - 1))
    return np.abs(roots[order[flat:]]).max()


def plain_threshold(hessian, optimizer, delays, sizes):
    """The first unstable learning rate of a fine march, bisected."""
    top = np.linalg.eigvalsh(hessian)[-1]
    march = np.geomspace(1e-3, 30, 80) / top
    radii = (plain_radius(hessian, optimizer, delays, sizes, lr) for lr in march)
    first = next(k for k, radius in enumerate(radii) if radius > 1)
    low, high = march[first - 1], march[first]
    for _ in range(30):
        middle = (low + high) / 2
        stable = plain_radius(hessian, optimizer, delays, sizes, middle) < 1
        low, high = (middle, high) if stable else (low, middle)
    return low


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
@pytest.mark.quick(1)
def test_the_threshold_is_that_of_the_plain_loop(optimizer):
    random = np.random.default_rng(5)
    for sizes, delays in (((1, 2), (2, 0)), ((2, 1, 1), (0, 3, 1))):
        hessian = random_hessian(random, sizes)
        found = stage_threshold(hessian, optimizer, delays, sizes=sizes)
        wanted = plain_threshold(hessian, optimizer, delays, sizes)
        # The bisection ends 1e-9 of the march's step from the edge.
        assert found == pytest.approx(wanted, rel=1e-7)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_both_kinds_of_delay_and_the_reduced_loop_have_the_same_radius(optimizer):
    random = np.random.default_rng(6)
    sizes, delays = (2, 1, 2), (2, 0, 1)
    hessian = random_hessian(random, sizes, rank=3)
    edge = stage_threshold(hessian, optimizer, delays, sizes=sizes)
    for lr in (0.9 * edge, 1.2 * edge):
        radius = stage_spectral_radius(lr, hessian, optimizer, delays, sizes=sizes)
        for columns in (True, False):
            # Multiple roots at 0 and 1 are rounded to the root of eps.
            plain = plain_radius(hessian, optimizer, delays, sizes, lr, columns)
            assert plain == pytest.approx(radius, rel=1e-6)
    # Negative control: other delays have another radius.
    other = stage_spectral_radius(1.2 * edge, hessian, optimizer, delays[::-1], sizes=sizes)
    assert abs(other / radius - 1) > 1e-3


def test_the_radius_is_that_of_the_exact_determinant():
    hessian = sympy.Matrix([[3, 1, 0], [1, 2, 1], [0, 1, 2]])
    z, lr, delays = sympy.Symbol("z"), sympy.Rational(1, 5), (2, 1, 0)
    late = sympy.diag(*(z**-delay for delay in delays))
    determinant = sympy.factor(((z - 1) * sympy.eye(3) + lr * hessian * late).det())
    coefficients = sympy.Poly(sympy.fraction(determinant)[0], z).all_coeffs()
    radius = np.abs(np.roots([float(value) for value in coefficients])).max()
    found = stage_spectral_radius(0.2, np.array(hessian, dtype=float), ds.SGD(), delays)
    assert found == pytest.approx(radius, rel=1e-10)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_one_delay_in_every_stage_is_the_scalar_theory(optimizer):
    hessian = random_hessian(np.random.default_rng(7), (2, 3))
    top = np.linalg.eigvalsh(hessian)[-1]
    for delay in (0, 1, 5):
        found = stage_threshold(hessian, optimizer, (delay, delay), sizes=(2, 3))
        assert found * top == pytest.approx(ds.stability_threshold(optimizer, delay), rel=1e-10)


def test_stages_that_do_not_interact_lose_stability_one_by_one():
    values, delays = np.array([1.0, 5.0, 2.0]), (4, 0, 2)
    scalar = [ds.max_learning_rate(h, ds.SGD(), tau) for h, tau in zip(values, delays, strict=True)]
    found = stage_threshold(np.diag(values), ds.SGD(), delays)
    assert found == pytest.approx(min(scalar), rel=1e-10)


def test_rates_scale_the_stages():
    random, rates = np.random.default_rng(8), np.array([0.5, 2.0])
    hessian = random_hessian(random, (1, 1))
    scale = np.sqrt(np.diag(rates))
    found = stage_threshold(hessian, ds.HeavyBall(0.5), (1, 3), rates=rates)
    wanted = stage_threshold(scale @ hessian @ scale, ds.HeavyBall(0.5), (1, 3))
    assert found == pytest.approx(wanted, rel=1e-10)
    assert abs(found / stage_threshold(hessian, ds.HeavyBall(0.5), (1, 3)) - 1) > 0.01


@pytest.mark.slow
def test_a_large_hessian_is_decided_by_its_leading_eigenvectors():
    random, sizes = np.random.default_rng(9), (160, 200, 140)
    root = random.standard_normal((500, 120)) * np.exp(-np.arange(120) / 15)
    hessian = root @ root.T
    delays = PipeDream(3)
    exact = stage_threshold(hessian, ds.HeavyBall(0.9), delays, sizes=sizes)
    products = stage_threshold(
        lambda vector: hessian @ vector, ds.HeavyBall(0.9), delays, sizes=sizes, tolerance=1e-4
    )
    assert products == pytest.approx(exact, rel=1e-4)
    # Negative control: one eigenvector alone is not enough.
    small, kept = compressed_hessian(lambda vector: hessian @ vector, sizes, 1)
    poor = stage_threshold(small, ds.HeavyBall(0.9), delays, sizes=kept)
    assert abs(poor / exact - 1) > 4e-4


def test_small_products_are_the_dense_answer():
    hessian = random_hessian(np.random.default_rng(10), (3, 3))
    answers = [
        stage_threshold(given, ds.SGD(), PipelinedBackpropagation(2), sizes=(3, 3))
        for given in (hessian, lambda vector: hessian @ vector)
    ]
    assert answers[0] == pytest.approx(answers[1], rel=1e-12)


def test_the_sharpness_of_stages_is_that_of_the_diagonal_blocks():
    hessian = random_hessian(np.random.default_rng(11), (2, 3))
    found = stage_sharpness(hessian, (2, 3))
    wanted = [np.linalg.norm(hessian[:2, :2], 2), np.linalg.norm(hessian[2:, 2:], 2)]
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"hessian": -np.eye(2)}, ValueError, "hessian must have no negative eigenvalue"),
        ({"hessian": np.zeros((2, 2))}, ValueError, "hessian must not vanish"),
        ({"hessian": np.ones((2, 3))}, ValueError, "hessian must be a symmetric .* shape"),
        ({"hessian": [[1, 2], [0, 1]]}, ValueError, "hessian must be a symmetric .* H - H"),
        ({"hessian": [[1, np.nan], [0, 1]]}, ValueError, "some entries are not finite"),
        ({"hessian": "H"}, TypeError, "hessian must be a symmetric"),
        ({"optimizer": "sgd"}, TypeError, "optimizer must be an optimizer"),
        ({"optimizer": ds.HeavyBall([0.5, 0.9])}, TypeError, "momentum must be one number"),
        (
            {"optimizer": ds.LinearOptimizer({1: 1.5})},
            ValueError,
            "optimizer must have its poles inside",
        ),
        (
            {"optimizer": ds.LinearOptimizer({}, {0: -1.0})},
            ValueError,
            "optimizer must have a positive sum",
        ),
        ({"delays": (1,)}, ValueError, "sizes must be given unless"),
        ({"delays": 3}, ValueError, "delays must be a PipelineSchedule or one"),
        ({"delays": (1, -1)}, ValueError, "delays must be"),
        ({"sizes": (1, 2)}, ValueError, "sizes must sum to the 2 rows"),
        ({"sizes": (2,)}, ValueError, "sizes must have one entry for each of the 2"),
        ({"sizes": (2, 0)}, ValueError, "sizes must be positive integers"),
        ({"rates": (1, 0)}, ValueError, "rates must be positive"),
        ({"rates": (1,)}, ValueError, "rates must have one number for each"),
        ({"hessian": lambda v: v}, ValueError, "sizes must be given where hessian is a callable"),
        (
            {"hessian": lambda v: v[:1], "sizes": (1, 1)},
            ValueError,
            "hessian must return a vector of the 2",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(changes, error, message):
    arguments = {"hessian": np.eye(2), "optimizer": ds.SGD(), "delays": (1, 0), **changes}
    with pytest.raises(error, match=message):
        stage_threshold(**arguments)
