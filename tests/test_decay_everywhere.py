"""Weight decay in every question: against exact polynomials, eigenvalues, moments and runs."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
import pytest

import delaystability as ds
from tests.exact_oracle import crossing_gains, exact_stable_set, parts_of_loop
from tests.test_mixed_reads import close, mixture, optimizer_of, simulated_variance

LAW = ds.RandomDelay([0.25, 0.25, 0.5])
OPTIMIZERS = (
    ds.SGD(),
    ds.HeavyBall(0.75),
    ds.Nesterov(0.5),
    ds.LinearOptimizer({1: 0.5}, {1: 1.0}),
)


def moduli(loop, gain):
    """The moduli of all roots, by a companion matrix of the polynomial written out."""
    weights = {loop.lag: 1} if loop.fixed else loop.delay.tables()[0]
    p, q = parts_of_loop(loop.optimizer, weights, loop.decay, coupled=loop.coupled)
    row = [float(u + Fraction(gain) * v) for u, v in zip(p[::-1], q[::-1], strict=True)]
    return np.abs(np.roots(row))


def closed_form(decay, delay):
    """The threshold of SGD, read off the theorem, in forty digits."""
    with mpmath.workdps(40):
        kept = 1 - mpmath.mpf(decay)
        if delay == 0:
            return 1 + kept

        def angle(theta):
            return mpmath.sin((delay + 1) * theta) - kept * mpmath.sin(delay * theta)

        ends = (mpmath.pi / (2 * delay + 1) * (1 - mpmath.mpf(10) ** -30), mpmath.pi / (delay + 1))
        theta = mpmath.findroot(angle, ends, solver="anderson", tol=1e-70)
        return mpmath.sqrt(1 + kept**2 - 2 * kept * mpmath.cos(theta))


def check_closed_form(seed, count):
    random = np.random.default_rng(seed)
    for _ in range(count):
        decay, delay = float(10 ** random.uniform(-6, -0.01)), int(10 ** random.uniform(0, 3) - 1)
        found = ds.stability_threshold(ds.SGD(), delay, decay=decay)
        expected = closed_form(decay, delay)
        assert abs(found - expected) <= 1e-12 * expected
        assert found == ds.stability_threshold(ds.SGD(), delay, decay=decay, coupled=True)
        # Decay raises the threshold under delay, but for delay 1, and lowers it without.
        plain = ds.stability_threshold(ds.SGD(), delay)
        assert (found > plain * (1 + 1e-12)) == (delay > 1)
        assert (found < plain * (1 - 1e-12)) == (delay == 0)


def test_the_closed_form_of_sgd():
    check_closed_form(0, 60)


@pytest.mark.slow
def test_the_closed_form_of_sgd_at_many_points():
    check_closed_form(1, 400)


def test_under_delay_decay_lowers_no_threshold_of_momentum():
    momenta, delays = np.array([0.1, 0.6, 0.99])[:, None], np.array([1, 2, 4, 20])
    for family in (ds.HeavyBall, ds.Nesterov, ds.EMAMomentum):
        plain = ds.stability_threshold(family(momenta), delays)
        for decay, coupled in ((1e-4, False), (0.01, True), (0.1, False), (0.1, True)):
            found = ds.stability_threshold(family(momenta), delays, decay=decay, coupled=coupled)
            assert np.all(found > plain * (1 - 1e-9))
        # Negative control: without delay it does.
        without = ds.stability_threshold(family(0.6), 0)
        assert ds.stability_threshold(family(0.6), 0, decay=0.1) < without * (1 - 1e-3)


def check_stable_sets(random, count):
    for _ in range(count):
        weights, optimizer = mixture(random, 7), optimizer_of(random)
        decay, coupled = Fraction(int(random.integers(1, 40)), 100), bool(random.integers(2))
        settings = {"decay": decay, "coupled": coupled}
        expected = exact_stable_set(*parts_of_loop(optimizer, weights, **settings))
        found = ds.stable_gains(optimizer, ds.MixedRead(weights), **settings)
        assert len(found) == len(expected), (optimizer, weights, settings)
        for (low, high), (first, last) in zip(found, expected, strict=True):
            assert low == first == 0 or close(low, first, 1e-13)
            assert high == last is None or close(high, last, 1e-13)
        threshold = ds.stability_threshold(optimizer, ds.MixedRead(weights), **settings)
        exact = expected[0][1] if expected and expected[0][0] == 0 else 0
        assert threshold == exact or close(threshold, exact, 1e-13)


@pytest.mark.parametrize("count", [15, pytest.param(120, marks=pytest.mark.slow)])
def test_stable_sets_with_decay_are_those_of_exact_polynomials(count):
    check_stable_sets(np.random.default_rng(count), count)


@pytest.mark.parametrize("coupled", [False, True])
@pytest.mark.parametrize("delay", [0, 1, 6, 30, LAW, ds.MixedRead({0: -0.5, 3: 1.5})])
@pytest.mark.quick(1)
def test_radii_and_rates_are_those_of_the_eigenvalues(delay, coupled):
    for optimizer in OPTIMIZERS:
        for decay in (1e-3, 0.05, 0.4):
            loop = ds.Loop(optimizer, delay, decay, coupled)
            settings = {"decay": decay, "coupled": coupled}
            gains = np.array([0.3, 0.9, 1.2]) * ds.stability_threshold(loop, moment="mean")
            found = ds.spectral_radius(optimizer, delay, gains, **settings)
            for gain, radius in zip(gains, found, strict=True):
                assert radius == pytest.approx(moduli(loop, gain).max(), rel=1e-7)
                assert ds.spectral_radius(loop, None, gain) == pytest.approx(radius, rel=1e-12)
                assert ds.spectral_radius(loop, None, gain, prove=True) > 0
                assert ds.escape_rate(loop, None, gain) == pytest.approx(np.log(radius), rel=1e-9)
            # Negative control: without decay they are others. At delay 1 SGD has one pair.
            if delay == 6:
                assert list(found) != pytest.approx(ds.spectral_radius(optimizer, delay, gains))


def test_radii_with_decay_do_not_cost_more_at_long_delays():
    for coupled in (False, True):
        for optimizer in (ds.SGD(), ds.HeavyBall(0.9)):
            settings = {"decay": 1e-6, "coupled": coupled}
            threshold = ds.stability_threshold(optimizer, 10**6, **settings)
            rates = ds.escape_rate(
                optimizer, 10**6, threshold * np.array([0.999, 1.001]), **settings
            )
            assert rates[0] < 0 < rates[1]


@pytest.mark.slow
@pytest.mark.parametrize("coupled", [False, True])
def test_the_fastest_gain_with_decay_is_the_best_of_a_fine_grid(coupled):
    for optimizer in OPTIMIZERS[:3]:
        for delay in (0, 1, 5, LAW):
            settings = {"decay": 0.03, "coupled": coupled}
            gain, radius = ds.fastest_gain(optimizer, delay, **settings)
            loop = ds.Loop(optimizer, delay, **settings)
            threshold = ds.stability_threshold(loop, moment="mean")
            grid = [moduli(loop, g).max() for g in np.linspace(0, threshold, 400)]
            assert radius <= min(grid) + 1e-6
            assert moduli(loop, gain).max() == pytest.approx(radius, abs=1e-5)


def test_crossings_with_decay_are_all_there():
    for optimizer in OPTIMIZERS:
        for delay, coupled in ((0, True), (4, False), (9, True)):
            found = ds.crossings(optimizer, delay, decay=0.125, coupled=coupled)
            p, q = parts_of_loop(optimizer, {delay: 1}, 0.125, coupled=coupled)
            assert found.gains == pytest.approx([float(g) for g in crossing_gains(p, q)], rel=1e-12)


@pytest.mark.slow
def test_inverse_questions_with_decay_end_where_the_threshold_is_the_gain():
    for optimizer, coupled in ((ds.SGD(), False), (ds.HeavyBall(0.9), True)):
        settings = {"decay": 0.01, "coupled": coupled}
        longest = ds.max_delay(0.1, [0.5, 1.0], optimizer, **settings)
        for gain, last in zip((0.05, 0.1), longest, strict=True):
            thresholds = ds.stability_threshold(optimizer, np.arange(last + 2), **settings)
            assert np.all(gain < thresholds[:-1])
            assert gain >= thresholds[-1]
    with pytest.raises(ValueError, match="stable at every delay up to 1024"):
        ds.max_delay(0.005, 1.0, ds.SGD(), decay=0.01)
    for delay, coupled in ((2, False), (5, True), (LAW, True)):
        settings = {"decay": 0.02, "coupled": coupled}
        largest = ds.max_momentum(0.05, 1.0, "heavy-ball", delay, **settings)
        edge = ds.stability_threshold(ds.HeavyBall(largest), delay, moment="mean", **settings)
        assert edge == pytest.approx(0.05, rel=1e-9)
        assert largest != pytest.approx(ds.max_momentum(0.05, 1.0, "heavy-ball", delay), rel=1e-6)


@pytest.mark.parametrize("coupled", [False, True])
def test_the_variance_with_decay_is_that_of_its_moments(coupled):
    for optimizer, read in (
        (ds.SGD(), ds.MixedRead({2: 1})),
        (ds.Nesterov(0.5), ds.MixedRead({1: 1})),
        (ds.HeavyBall(0.5), ds.MixedRead({0: -0.25, 3: 1.25})),
    ):
        for noise in (0.0, 0.3):
            settings = {"decay": 0.05, "coupled": coupled}
            gain = 0.3 * ds.stability_threshold(optimizer, read, **settings)
            found = ds.stationary_variance(optimizer, read, gain, curvature_noise=noise, **settings)
            expected = simulated_variance(optimizer, read, gain, noise, **settings)
            assert found == pytest.approx(expected, rel=1e-9)
    with pytest.raises(ValueError, match="mean loop is stable"):
        ds.stationary_variance(ds.SGD(), 2, 1.9, decay=0.05)


def test_logs_and_simulations_with_decay():
    log, settings = [0, 3, 1, 2], {"decay": 0.1, "coupled": True}
    loop = ds.Loop(ds.HeavyBall(0.5), ds.MeasuredDelay(log), **settings)
    assert ds.replay_threshold(ds.HeavyBall(0.5), log, **settings) == ds.replay_threshold(loop)
    assert list(ds.replay_gains(ds.HeavyBall(0.5), log, **settings)) == list(ds.replay_gains(loop))
    assert ds.replay_threshold(ds.HeavyBall(0.5), log) != ds.replay_threshold(loop)
    found = ds.almost_sure_threshold(ds.SGD(), 2, decay=0.3, updates=2000)
    assert found.value == pytest.approx(ds.stability_threshold(ds.SGD(), 2, decay=0.3), rel=1e-2)


def test_decay_is_one_keyword_and_broadcasts():
    decays, delays = np.array([0.0, 0.1, 0.2]), np.array([[0], [4]])
    table = ds.stability_threshold(ds.HeavyBall(0.5), delays, decay=decays)
    assert table.shape == (2, 3)
    for row, delay in enumerate(delays.flat):
        for column, decay in enumerate(decays):
            one = ds.stability_threshold(ds.HeavyBall(0.5), int(delay), decay=float(decay))
            assert table[row, column] == one
            loop = ds.Loop(ds.HeavyBall(0.5), int(delay), float(decay))
            assert one == ds.stability_threshold(loop)
    radii = [ds.spectral_radius(ds.SGD(), 4, 0.1, decay=float(decay)) for decay in decays]
    assert ds.spectral_radius(ds.SGD(), 4, 0.1, decay=decays) == pytest.approx(radii, rel=1e-14)
    settings = {"decay": 0.1, "coupled": True}
    edge = ds.stability_threshold(ds.HeavyBall(0.5), 3, **settings)
    assert ds.max_learning_rate(2.0, ds.HeavyBall(0.5), 3, **settings) == edge / 2
    assert ds.max_sharpness(2.0, ds.HeavyBall(0.5), 3, **settings) == edge / 2
    assert ds.is_stable(edge / 2, 1.99, ds.HeavyBall(0.5), 3, **settings)
    assert not ds.is_stable(edge / 2, 2.01, ds.HeavyBall(0.5), 3, **settings)
    rate = ds.adjust_learning_rate(0.1, ds.HeavyBall(0.5), 3, 5, new_decay=0.2, **settings)
    later = ds.stability_threshold(ds.HeavyBall(0.5), 5, decay=0.2, coupled=True)
    assert rate == pytest.approx(0.1 * later / edge)
    loop = ds.Loop(ds.HeavyBall(0.5), 3, 0.1, coupled=True)
    assert ds.adjust_learning_rate(0.1, loop, None, 5, new_decay=0.2) == rate


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"decay": -0.1}, ValueError, "decay must be a number >= 0"),
        ({"decay": "a"}, TypeError, "decay must be a number >= 0"),
        ({"decay": [0.1, -0.1]}, ValueError, "decay must be >= 0 and finite; got -0.1"),
        ({"decay": 0.1, "coupled": 1}, TypeError, "coupled must be True or False"),
    ],
)
def test_decays_that_are_none_are_refused(settings, error, message):
    for ask in (
        lambda: ds.stability_threshold(ds.SGD(), 2, **settings),
        lambda: ds.spectral_radius(ds.SGD(), 2, 0.1, **settings),
        lambda: ds.stable_gains(ds.SGD(), 2, **settings),
    ):
        with pytest.raises(error, match=message):
            ask()


def test_a_loop_has_its_decay_and_one_question_takes_one():
    loop = ds.Loop(ds.SGD(), 2, 0.1)
    with pytest.raises(TypeError, match="decay must be left out beside a Loop"):
        ds.stability_threshold(loop, decay=0.1)
    with pytest.raises(TypeError, match="coupled must be left out beside a Loop"):
        ds.spectral_radius(loop, None, 0.1, coupled=True)
    with pytest.raises(TypeError, match="decay must be one number"):
        ds.stable_gains(ds.SGD(), 2, decay=[0.1, 0.2])
    with pytest.raises(TypeError, match="decay must be one number"):
        ds.fastest_gain(ds.SGD(), 2, decay=[0.1, 0.2])


@pytest.mark.parametrize(("decay", "stable"), [(0.2, True), (0.3, False)])
def test_a_decay_that_the_filter_makes_unstable_leaves_no_gain_stable(decay, stable):
    momentum, horizon = -0.254, 2.63
    optimizer = ds.WeightPrediction(momentum, horizon)
    found = ds.stability_threshold(optimizer, 24, decay=decay, coupled=True)
    # Without curvature: (z - 1)(z - m) + decay ((1 + T) z - T).
    alone = np.roots([1, decay * (1 + horizon) - 1 - momentum, momentum - decay * horizon])
    assert (abs(alone).max() < 1) == stable == (found > 0)
