"""Pictures of outer loops, oscillations, speed and batches show what the library says."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from matplotlib.axes import Axes
from matplotlib.figure import Figure

import delaystability as ds
import delaystability.plot as plot
from delaystability.numerics.replay.adaptive_runs import simulated_rms
from tests.test_plot import line


def values(axes: Axes, gid: str) -> list[np.ndarray]:
    """The heights of all lines with this name, in order."""
    return [np.asarray(one.get_ydata()) for one in axes.get_lines() if one.get_gid() == gid]


# Outer loops


@pytest.mark.slow
def test_lines_of_outer_loops_are_their_thresholds():
    loops = {
        "late": ds.OuterLoop(ds.Nesterov(0.9), 0.01, 100, delay=1),
        "merged": ds.OuterLoop(ds.SGD(), 0.01, 100, sync_delay=20, alpha=0.5),
        "eager": ds.OuterLoop(eager=True, workers=4),
    }
    curvatures = np.array([0.1, 1.0, 30.0])
    axes = plot.outer_loops(loops, curvatures, rate=0.7)
    for number, loop in enumerate(loops.values()):
        places, heights = line(axes, number)
        assert np.array_equal(places, curvatures)
        assert np.array_equal(heights, loop.threshold(curvatures))
    assert list(line(axes, 3)[1]) == [0.7, 0.7]
    # The marked rate is below a line exactly where the loop is stable in that direction.
    below = line(axes, 0)[1] > 0.7
    radii = loops["late"].spectral_radius(0.7, curvatures)
    assert list(below) == [True, False, False] == list(radii < 1)


@pytest.mark.slow
def test_where_no_outer_learning_rate_is_stable_nothing_is_drawn():
    grows = ds.OuterLoop(ds.SGD(), 0.01, 100)
    axes = plot.outer_loops({"grows": grows}, [1.0, 250.0])
    assert list(np.isnan(line(axes)[1])) == [False, True]


def test_the_default_is_diloco_on_time_and_late():
    axes = plot.outer_loops(axes=Figure().subplots())
    ends = [line(axes, number)[1][-1] for number in range(4)]
    late = [ds.OuterLoop(delay=delay).threshold() for delay in (0, 1, 2, 4)]
    np.testing.assert_allclose(ends, late, rtol=1e-12)


# Oscillations


@pytest.mark.slow
def test_a_picture_of_oscillations_says_how_far_it_is():
    told = []
    chosen = [ds.SignSGD(), ds.Lion()]
    plot.oscillations(chosen, [1], progress=lambda *one: told.append(one))
    assert told == [(0.5, "signSGD"), (1.0, "Lion")]


def test_lines_and_marks_of_oscillations_are_the_predictions():
    chosen, delays = [ds.Adam(), ds.SignSGD()], [0, 1, 5]
    known = np.array([[ds.oscillation(1.0, one, lag).rms for lag in delays] for one in chosen])
    axes = plot.oscillations(chosen, delays)
    assert np.array_equal(values(axes, "predicted"), known)
    # Adam without delay bursts.
    assert [list(one) for one in values(axes, "undecided")] == [[known[0, 0]], []]
    assert np.array_equal(values(axes, "decided")[0], known[0, 1:])
    floor = values(plot.oscillations(chosen, delays, loss=True), "predicted")
    told = [[ds.oscillation(1.0, one, lag, curvature=1.0).loss for lag in delays] for one in chosen]
    np.testing.assert_allclose(floor, told, rtol=1e-15)


@pytest.mark.slow
def test_the_marks_of_runs_lie_on_the_lines():
    axes = plot.oscillations(starts=50)
    marks, lines = values(axes, "decided"), values(axes, "predicted")
    for drawn, predicted, hollow in zip(marks, lines, values(axes, "undecided"), strict=True):
        np.testing.assert_allclose(drawn, predicted[len(hollow) :], rtol=0.1)
    # RMSProp's runs from afar may end at the minimum without delay.
    assert [len(one) for one in values(axes, "undecided")] == [1, 1, 0, 0, 0]
    # Where runs burst, the mark is above the line: it is the run's, not the prediction's.
    assert values(axes, "undecided")[0][0] > 1.02 * lines[0][0]


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", [ds.Adam(0.9, 0.99), ds.Adam(0.0, 0.9), ds.RMSProp(0.99)])
@pytest.mark.parametrize("delay", [0, 3])
def test_simulated_runs_are_those_of_torch(optimizer, delay):
    torch = pytest.importorskip("torch")
    from tests.late_gradients import step_late

    start = np.random.default_rng(0).uniform(-4, 4, 5)
    weight = torch.nn.Parameter(torch.tensor(start))
    # The simulation corrects the start of RMSProp, too: Adam without momentum.
    betas = (getattr(optimizer, "beta1", 0.0), optimizer.second_moment_kept)
    made = torch.optim.Adam([weight], lr=1.0, betas=betas, eps=1e-300)
    past, places = [], []
    for step in range(60):
        # What torch does about the start of the first moment, the learning rate undoes.
        made.param_groups[0]["lr"] = 1 - betas[0] ** (step + 1)
        weight.grad = weight.detach().clone()
        step_late(made, past, delay)
        places.append(weight.detach().numpy().copy())
    known = np.sqrt(np.mean(np.square(places[30:])))
    found = simulated_rms(optimizer, delay, starts=5, updates=60)
    assert found == pytest.approx(known, rel=1e-9)
    assert simulated_rms(optimizer, delay + 1, starts=5, updates=60) != pytest.approx(
        known, rel=1e-3
    )


# Speed


@pytest.fixture(scope="module")
def shares() -> Axes:
    return plot.speed([1, 4], 100)


@pytest.mark.slow
def test_the_first_line_of_speed_is_the_best_optimizer(shares):
    best = [ds.best_optimizer(delay, 100) for delay in (1, 4)]
    assert list(line(shares)[1]) == [one.share for one in best]
    rates = plot.speed(4, [10.0, 100.0], share=False, optimizers=[ds.SGD])
    best = [ds.best_optimizer(4, k) for k in (10, 100)]
    assert list(line(rates)[1]) == [one.nats for one in best]
    assert list(line(rates, 2)[1]) == [one.limit_nats for one in best]


@pytest.mark.slow
def test_no_setting_is_faster_than_the_best_and_none_is_far_from_its_optimum(shares):
    best, *others = [line(shares, number)[1] for number in range(5)]
    assert all(np.all(other > 0) and np.all(other < best) for other in others)
    # SGD at delay 1: the double root of the slow end meets the pair of the fast one.
    from scipy.optimize import brentq

    def unequal(gain: float) -> float:
        return ds.escape_rate(ds.SGD(), 1, gain) - ds.escape_rate(ds.SGD(), 1, gain / 100)

    nats = -ds.escape_rate(ds.SGD(), 1, brentq(unequal, 0.25, 0.9999))
    limit = ds.best_optimizer(1, 100).limit_nats
    assert others[0][0] == pytest.approx(nats / limit, rel=2e-3)
    assert others[0][0] <= nats / limit * (1 + 1e-12)


@pytest.mark.slow
def test_random_settings_are_no_faster_than_the_drawn_ones(shares):
    random = np.random.default_rng(2)
    limit = ds.best_optimizer(4, 100).limit_nats
    for number, family in ((2, ds.HeavyBall), (3, ds.ShiftedMomentum), (4, ds.WeightPrediction)):
        momenta = 1 - 10 ** random.uniform(-3, 0, (200, 1))
        gains = ds.stability_threshold(family(momenta), 4) * random.uniform(0.05, 1, (200, 1))
        ends = gains * np.array([0.01, 1.0])
        nats = -ds.escape_rate(family(momenta), 4, ends).max(axis=-1)
        drawn = line(shares, number)[1][1]
        # The grid is fine enough to be within a hundredth of any of them, and some come near.
        assert nats.max() / limit < 1.01 * drawn
        assert nats.max() / limit > 0.8 * drawn


# Batches


@pytest.mark.slow
def test_lines_of_batches_are_the_edge_and_end_on_the_plateau():
    noise = np.array([1e-6, 1.0, 1e9])
    axes = plot.batch_edge(ds.HeavyBall(0.9), [0, 4], noise)
    assert line(axes)[1] == pytest.approx([0.2, 0.2])
    for number, delay in ((1, 0), (2, 4)):
        drawn = line(axes, number)[1]
        known = ds.batch_sharpness_edge(ds.HeavyBall(0.9), delay, noise)
        np.testing.assert_allclose(drawn, known, rtol=1e-12)
        assert drawn[-1] == pytest.approx(0.2, rel=1e-6)
        full = ds.stability_threshold(ds.HeavyBall(0.9), delay)
        assert drawn[0] == pytest.approx(full, rel=1e-3)
    assert abs(line(axes, 1)[1][0] / line(axes, 2)[1][0] - 1) > 1


# Every sequence


@pytest.mark.slow
def test_what_is_not_decided_about_sequences_is_grey():
    told = []
    axes = plot.any_sequence(ds.HeavyBall(0.5), [2, 4], progress=lambda *one: told.append(one))
    assert told == [(0.5, "delay 2"), (1.0, "delay 4")]
    (band,) = axes.collections
    known = [ds.bounded_delay_threshold(ds.HeavyBall(0.5), delay) for delay in (2, 4)]
    fixed = ds.stability_threshold(ds.HeavyBall(0.5), [2, 4])
    corners = band.get_paths()[0].vertices[:, 1]
    for entry, unit in zip(known, fixed, strict=True):
        for side in (entry.sufficient, entry.necessary):
            assert np.min(np.abs(corners - side / unit)) < 1e-12
    assert not plot.any_sequence(ds.SGD(), [2, 4]).collections


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plot.outer_loops({}), "loops must be 1 to 7 loops; got 0"),
        (lambda: plot.outer_loops({"a": ds.SGD()}), "loops must hold OuterLoop objects"),
        (lambda: plot.outer_loops([ds.OuterLoop(ds.SGD())]), "loops must be a mapping"),
        (
            lambda: plot.outer_loops({"a": ds.OuterLoop(ds.SGD(), 0.01, 10)}, [250.0]),
            "curvatures must have an entry at which a loop has a threshold",
        ),
        (lambda: plot.oscillations([ds.Adam()], []), "delays must have an entry"),
        # Without its tables it is SGD under another name.
        (lambda: plot.speed([1, 2], optimizers=[ds.LinearOptimizer]), "optimizers must be up to 5"),
        (lambda: plot.batch_edge(noise=[]), "noise must have an entry"),
        (
            lambda: plot.batch_edge(ds.LinearOptimizer({1: 0.5}, {0: 1, 1: -1})),
            "optimizer must have gains that are stable",
        ),
        (
            lambda: plot.batch_edge(ds.LinearOptimizer({1: 2.5}, {0: 1})),
            "optimizer must have gains that are stable",
        ),
        (lambda: plot.outer_loops(rate=0), "rate must be positive"),
        (lambda: plot.outer_loops(curvatures=[-1.0]), "curvatures must be positive"),
        (lambda: plot.oscillations([]), "optimizers must be 1 to 7 optimizers; got 0"),
        (lambda: plot.oscillations([ds.SGD()]), "optimizers must hold adaptive or sign"),
        (lambda: plot.oscillations(delays=[-1]), "delays must be"),
        (lambda: plot.oscillations(starts=1001), "starts must be"),
        (lambda: plot.speed([0, 1]), "delays must be integers >= 1"),
        (lambda: plot.speed(1, 100), "condition_numbers must be a single number beside several"),
        (lambda: plot.speed([1, 2], [10, 100]), "condition_numbers must be a single number"),
        (lambda: plot.speed([1, 2], 1.0), "condition_number must be from 1.01"),
        (lambda: plot.speed([1, 2], optimizers=[ds.SGD()]), "optimizers must be up to 5"),
        (lambda: plot.speed([1, 2], optimizers=[ds.Adam]), "optimizers must be up to 5"),
        (lambda: plot.batch_edge(delays=range(8)), "delays must be 1 to 7 delays; got 8"),
        (lambda: plot.batch_edge(noise=[0.0]), "noise must be positive"),
        (lambda: plot.batch_edge("sgd"), "optimizer must be an optimizer"),
        (lambda: plot.batch_edge(size="poster"), "size must be one of column"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()
