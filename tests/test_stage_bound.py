"""Learning rates that are safe for every Hessian of known sharpness."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linprog

import delaystability as ds
from delaystability.model.pipelines import PipeDream, PipeDream2BW
from delaystability.numerics.stages.stage_bound import safe_rate, smallest_rate_at
from delaystability.numerics.stages.stage_filter import StageFilter
from delaystability.questions.stages import (
    safe_stage_learning_rate,
    stage_sharpness,
    stage_threshold,
)

OPTIMIZERS = [
    ds.SGD(),
    ds.HeavyBall(0.9),
    ds.HeavyBall(-0.6),
    ds.EMAMomentum(0.9),
    ds.Nesterov(0.9),
    ds.ShiftedMomentum(0.9),
    ds.SpikeCompensation(0.9),
    ds.WeightPrediction(0.9),
]
TOLERANCE = 1e-4


def linear_program(filters, angle, largest, total):
    """The least learning rate at an angle, as the linear program says: variables t = 1/lr and q."""
    transfer = np.array([entry.response(np.array([angle]))[0] for entry in filters])
    found = linprog(
        c=[-1.0, *[0.0] * len(filters)],
        A_eq=[[2 * np.sin(angle / 2), *-transfer.real], [0.0, *transfer.imag]],
        b_eq=[0.0, 0.0],
        A_ub=[[0.0, *[1.0] * len(filters)]],
        b_ub=[total],
        bounds=[(0, None), *((0, limit) for limit in largest)],
    )
    return 1 / found.x[0] if found.x[0] > 1e-12 else np.inf


@pytest.mark.quick(5)
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_the_weights_solve_the_linear_program(optimizer):
    random = np.random.default_rng(3)
    for _ in range(6):
        delays = random.integers(0, 6, size=4)
        filters = tuple(StageFilter.of(optimizer, int(delay)) for delay in delays)
        largest = random.uniform(0.1, 1.0, size=4)
        angle = random.uniform(0.2, np.pi)
        found = float(smallest_rate_at(filters, np.array([angle]), largest, 1.2)[0])
        wanted = linear_program(filters, angle, largest, 1.2)
        if np.isinf(wanted):
            assert found > 1e6
        else:
            # Both solvers stop at a relative accuracy of about 1e-9.
            assert found == pytest.approx(wanted, rel=1e-7)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
@pytest.mark.slow
def test_no_angle_of_a_fine_grid_allows_a_root_below_the_bound(optimizer):
    filters = tuple(StageFilter.of(optimizer, delay) for delay in (5, 3, 0))
    largest = np.array([0.3, 0.5, 0.6])
    safe = safe_rate(filters, largest, 1.0)
    grid = smallest_rate_at(filters, np.linspace(1e-3, np.pi, 30_001), largest, 1.0)
    # A grid finds roots only near the least one: it is above the bound, and close to it.
    assert safe <= grid.min() <= safe * 1.001


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_the_change_of_a_response_is_bounded(optimizer):
    random = np.random.default_rng(4)
    entry = StageFilter.of(optimizer, 4)
    angle, half = random.uniform(0, np.pi, 200), 0.02
    bound = entry.variation(angle, half)
    for shift in np.linspace(-half, half, 9):
        change = np.abs(entry.response(angle + shift) - entry.response(angle))
        assert (change <= bound * (1 + 1e-12)).all()
    # Negative control: a tenth of the bound is exceeded.
    assert (np.abs(entry.response(angle + half) - entry.response(angle)) > 0.1 * bound).any()


@pytest.mark.parametrize("optimizer", OPTIMIZERS[:2] + OPTIMIZERS[3:], ids=repr)
@pytest.mark.quick(1)
def test_the_longest_delay_is_the_worst_case(optimizer):
    for delays in ((3, 2, 1, 0), (0, 5), (1, 1, 7)):
        worst = ds.stability_threshold(optimizer, max(delays))
        filters = tuple(StageFilter.of(optimizer, delay) for delay in delays)
        found = safe_rate(filters, np.ones(len(delays)), 1.0)
        assert worst * (1 - 2 * TOLERANCE) <= found <= worst * (1 + 1e-10)
        assert safe_stage_learning_rate(2.0, optimizer, delays) == pytest.approx(
            worst / 2, rel=2 * TOLERANCE
        )


@pytest.mark.slow
def test_a_smaller_tolerance_gives_a_larger_safe_rate():
    filters = tuple(StageFilter.of(ds.HeavyBall(0.9), delay) for delay in (4, 1, 0))
    found = [safe_rate(filters, np.array([0.4, 0.4, 0.4]), 1.0, t) for t in (1e-2, 1e-4, 1e-6)]
    assert found[0] <= found[1] <= found[2] <= found[0] * 1.02
    assert found[2] <= found[1] * (1 + 1.1e-4)


@pytest.mark.slow
def test_a_flat_least_rate_is_bounded_without_endless_halving():
    # With the delays 0 and 1 of SGD, the product of two conjugate roots is the weight of delay 1.
    filters = tuple(StageFilter.of(ds.SGD(), delay) for delay in (0, 1))
    flat = smallest_rate_at(filters, np.linspace(1.06, 1.3, 7), np.array([0.4, 0.8]), 1.2)
    np.testing.assert_allclose(flat, 1 / 0.8, rtol=1e-9)
    found = safe_rate(filters, np.array([0.4, 0.8]), 1.2, 1e-9)
    assert 1 / 0.8 * (1 - 1e-3) < found <= 1 / 0.8


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_no_random_hessian_is_unstable_below_the_bounds(optimizer):
    random = np.random.default_rng(12)
    ratios = []
    for _ in range(4):
        sizes = tuple(int(size) for size in random.integers(1, 4, size=random.integers(1, 5)))
        delays = tuple(int(delay) for delay in random.integers(0, 7, size=len(sizes)))
        root = random.standard_normal((sum(sizes), random.integers(1, sum(sizes) + 1)))
        hessian = root @ root.T
        sharpness = np.linalg.eigvalsh(hessian)[-1]
        exact = stage_threshold(hessian, optimizer, delays, sizes=sizes)
        safe = safe_stage_learning_rate(
            sharpness, optimizer, delays, stage_sharpness=stage_sharpness(hessian, sizes)
        )
        uniform = safe_stage_learning_rate(sharpness, optimizer, delays)
        assert uniform * (1 - 2 * TOLERANCE) <= safe <= exact * (1 + 1e-9)
        ratios.append(uniform / exact)
    # Negative control: the bound is not safe by being zero, nor is it always exact.
    assert 0 < min(ratios) < 0.95


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
@pytest.mark.quick(1)
def test_a_hessian_of_rank_one_attains_the_bound(optimizer):
    delays, largest, total = (4, 2, 0), np.array([0.3, 0.5, 0.6]), 1.0
    filters = tuple(StageFilter.of(optimizer, delay) for delay in delays)
    safe = safe_rate(filters, largest, total)
    angles = np.linspace(1e-3, np.pi, 40_001)
    worst = float(angles[np.argmin(smallest_rate_at(filters, angles, largest, total))])
    transfer = np.array([entry.response(np.array([worst]))[0] for entry in filters])
    weights = linprog(
        c=-transfer.real,
        A_eq=[transfer.imag],
        b_eq=[0.0],
        A_ub=[np.ones(3)],
        b_ub=[total],
        bounds=[(0, limit) for limit in largest],
    ).x
    side = np.sqrt(weights)
    found = stage_threshold(np.outer(side, side), optimizer, delays)
    # The angle is the nearest one of a grid.
    assert safe * (1 - 1e-9) <= found <= safe * 1.001


def test_every_gain_below_the_bound_is_stable_not_only_the_crossing():
    optimizer, delays, weights = ds.SGD(), (3, 1, 0), np.array([0.2, 0.5, 0.3])
    delay = ds.RandomDelay({3: 0.2, 1: 0.5, 0: 0.3})
    side = np.sqrt(weights)
    found = stage_threshold(np.outer(side, side), optimizer, delays)
    # The pipeline of rank one is the loop of one parameter with a random delay, in the mean.
    mean = ds.stability_threshold(optimizer, delay, moment="mean")
    assert found == pytest.approx(mean, rel=1e-9)
    assert mean > ds.stability_threshold(optimizer, 3)


def test_known_sharpness_of_the_stages_allows_more():
    uniform = safe_stage_learning_rate(20.0, ds.HeavyBall(0.9), PipeDream(8))
    blocks = safe_stage_learning_rate(
        20.0, ds.HeavyBall(0.9), PipeDream(8), stage_sharpness=[4.0] * 8
    )
    loose = safe_stage_learning_rate(
        20.0, ds.HeavyBall(0.9), PipeDream(8), stage_sharpness=[20.0] * 8
    )
    assert blocks > 1.2 * uniform
    assert loose == pytest.approx(uniform, rel=2 * TOLERANCE)


def test_one_delay_for_all_stages_needs_no_stage_sharpness():
    given = {"stage_sharpness": [1.0, 2.0, 2.5]}
    found = safe_stage_learning_rate(3.0, ds.SGD(), PipeDream2BW(3), **given)
    assert found == pytest.approx(ds.max_learning_rate(3.0, ds.SGD(), 1), rel=2 * TOLERANCE)


def test_learning_rates_of_stages_enter_the_bound():
    slower = safe_stage_learning_rate(1.0, ds.SGD(), (3, 0), rates=[0.25, 1.0])
    alone = [ds.max_learning_rate(0.25, ds.SGD(), 3), ds.max_learning_rate(1.0, ds.SGD(), 0)]
    assert ds.max_learning_rate(1.0, ds.SGD(), 3) < slower <= min(alone) * (1 + 1e-9)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"sharpness": 0.0}, ValueError, "sharpness must be positive"),
        ({"sharpness": [1.0, 2.0]}, TypeError, "sharpness must be one number"),
        ({"stage_sharpness": [1.0]}, ValueError, "stage_sharpness must have one number"),
        ({"stage_sharpness": [-1.0, 1.0]}, ValueError, "stage_sharpness must be >= 0"),
        ({"stage_sharpness": [0.0, 0.0]}, ValueError, "stage_sharpness must sum to the sharpness"),
        ({"stage_sharpness": [1.5, 0.5]}, ValueError, "stage_sharpness must be at most"),
        ({"tolerance": 0.5}, ValueError, "tolerance must be between"),
        ({"delays": ()}, ValueError, "delays must be a PipelineSchedule"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(changes, error, message):
    arguments = {"sharpness": 1.0, "optimizer": ds.SGD(), "delays": (1, 0), **changes}
    with pytest.raises(error, match=message):
        safe_stage_learning_rate(**arguments)
