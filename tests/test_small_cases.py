"""Small cases of what slow tests do at length, each beside a twin that reads like the formula."""

from __future__ import annotations

import re
from copy import deepcopy
from fractions import Fraction
from itertools import product
from math import comb, log, sqrt
from types import SimpleNamespace

import numpy as np
import pytest

import delaystability as ds
from delaystability.model.pipelines import PipeDream
from delaystability.model.rational_function import RationalFunction
from delaystability.numerics.crossings.crossings import filter_threshold, stable_intervals
from delaystability.numerics.crossings.long_filter import LongFilter
from delaystability.numerics.crossings.phase_rows import PhaseRows
from delaystability.numerics.exact.exact_loop import exact_loop
from delaystability.numerics.moments import direction_moments
from delaystability.numerics.moments.direction_moments import _Walk
from delaystability.numerics.moments.law_on_panels import law_on_panels
from delaystability.numerics.replay import replayed_mean_square
from delaystability.numerics.replay.floquet import FloquetGrowth
from delaystability.numerics.replay.periodic_loop import periodic_loop, reduced_period
from delaystability.numerics.replay.replayed_mean_square import (
    first_growing_gain,
    mean_square_logarithms,
)
from delaystability.numerics.replay.simulation import SimulatedThreshold, almost_sure_threshold
from delaystability.numerics.roots.root_search import searched_root
from delaystability.numerics.roots.spectrum import _trusted
from delaystability.numerics.stages import stage_products, stage_threshold
from delaystability.numerics.stages.stage_products import compressed_hessian
from delaystability.numerics.statistics import median_interval, share_interval
from delaystability.numerics.tables.characteristic import characteristic_coefficients
from delaystability.numerics.tables.loop_filter import optimizer_tables
from delaystability.numerics.tables.split_loop import split_loop
from delaystability.numerics.tables.table_rows import TableRows
from tests.monodromy_oracle import slow_rate


def _replayed(optimizer, log_):
    delay = ds.MeasuredDelay(np.array(log_))
    return periodic_loop(reduced_period(delay), [optimizer_tables(optimizer, delay)])


# Delay laws and tables.


def test_a_long_law_on_equal_panels_is_its_sum_at_each_angle():
    chances = np.random.default_rng(0).dirichlet(np.full(260, 0.1))
    angles = (np.arange(12)[:, None] + np.array([0.1, 0.5, 0.9])) * np.pi / 12
    values, spread = law_on_panels(ds.RandomDelay(chances), angles)
    expected = (chances * np.exp(-1j * angles[..., None] * np.arange(260))).sum(axis=-1)
    assert np.allclose(values, expected, rtol=0, atol=1e-13)
    # 1 - |D|^2 = sum of p_j p_k (1 - cos((j - k) theta)), which loses no digits at small angles.
    apart = np.subtract.outer(np.arange(260), np.arange(260))
    pairs = 2 * np.sin(angles[..., None, None] * apart / 2) ** 2 * np.outer(chances, chances)
    assert np.allclose(spread, pairs.sum(axis=(-2, -1)), rtol=1e-10, atol=0)


class _Scaled(ds.GeometricDelay):
    """The same law, whose fraction is written with a common factor: 3 (1 - r) / (3 - 3 r/z)."""

    def generating_function(self, z):
        return 3 * (1 - self.ratio) / (3 - 3 * self.ratio / z)


def test_tables_of_a_fraction_do_not_depend_on_how_it_is_written():
    ratio = Fraction(2, 3)
    tables = ds.GeometricDelay(ratio).rational_tables()
    assert tables == ({0: Fraction(1, 3)}, {0: 1, 1: Fraction(-2, 3)})
    assert _Scaled(ratio).rational_tables() == tables


def test_a_product_of_more_than_a_million_terms_is_refused():
    one = Fraction(1)
    wide = RationalFunction(dict.fromkeys(range(1025), one), {0: one})
    tall = RationalFunction({k * 2000: one for k in range(1024)}, {0: one})
    with pytest.raises(ValueError, match="a rational function has 1025 and 1024 terms to multiply"):
        wide * tall
    short = RationalFunction(dict.fromkeys(range(20), one), {0: one})
    assert len((short * tall).numerator) == 20 * 1024


@pytest.mark.parametrize("momentum", [0.0, 0.99])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_filter_of_a_long_table_is_that_of_a_short_one(momentum, sign):
    b = np.random.default_rng(2).dirichlet(np.full(12, 0.3))
    a = np.array([1.0, -momentum, 0.3 if sign < 0 else 0.0])
    b[-1] *= sign
    tables = TableRows.of(np.arange(3.0), a), TableRows.of(np.arange(12.0), b)
    found = LongFilter(PhaseRows.one(*tables, 2), 0)
    assert found.threshold() == pytest.approx(filter_threshold(a, b, 2), rel=1e-9)
    ends = np.array(stable_intervals(a, b, 2))
    assert np.array(found.stable_intervals()) == pytest.approx(ends, rel=1e-11)


def _decayed_radius(momentum, chances, decay, coupled, gain):
    """Largest root in z: polynomials in 1/z, where decay acts on what the optimizer reads, or not.

    z^-1 times (z - 1) A + (decay + gain D) B, or times (z - 1 + decay) A + gain D B; here B = 1.
    """
    a = np.array([1.0, -momentum])
    whole = np.zeros(len(chances) + 2)
    whole[:3] += np.convolve([1.0, -1.0 if coupled else decay - 1.0], a)
    whole[1] += decay if coupled else 0.0
    whole[1 : 1 + len(chances)] += gain * chances
    return np.abs(np.roots(whole)).max()


@pytest.mark.parametrize("coupled", [True, False])
@pytest.mark.parametrize("lags", [3, 90])
def test_a_loop_with_decay_leaves_the_circle_at_its_threshold(lags, coupled):
    chances = np.random.default_rng(lags).dirichlet(np.full(lags, 0.2))
    loop = ds.Loop(ds.HeavyBall(0.6), ds.RandomDelay(chances), 0.05, coupled=coupled)
    found = ds.stability_threshold(loop, moment="mean")
    for side, outside in ((1 - 1e-7, False), (1 + 1e-7, True)):
        radius = _decayed_radius(0.6, chances, 0.05, coupled, found * side)
        assert (radius > 1) == outside
    # A threshold is the first: nothing below leaves.
    below = found * np.linspace(0.02, 0.98, 25)
    assert all(_decayed_radius(0.6, chances, 0.05, coupled, gain) < 1 for gain in below)


# Roots.


@pytest.mark.quick(5)
@pytest.mark.parametrize("gain", [1e-4, 0.05, 1.5])
@pytest.mark.parametrize(
    "optimizer",
    [ds.SGD(), ds.HeavyBall(0.9), ds.ShiftedMomentum(0.5), ds.LinearOptimizer({2: -0.6}, {0: 1.0})],
    ids=repr,
)
def test_the_searched_root_is_the_largest_of_the_polynomial(optimizer, gain):
    delay = 12
    loop = split_loop(optimizer, np.array([delay]), np.array([gain]))
    moduli = np.abs(np.roots(characteristic_coefficients(optimizer, delay, gain)))
    exact = exact_loop(optimizer, delay, gain)
    assert np.exp(searched_root(loop, exact).real) == pytest.approx(moduli.max(), rel=1e-11)
    assert np.exp(searched_root(None, exact).real) == pytest.approx(moduli.max(), rel=1e-11)


@pytest.mark.parametrize("delay", [3, 40, 301])
@pytest.mark.parametrize(
    "optimizer",
    [ds.SGD(), ds.HeavyBall(0.9), ds.Nesterov(-0.5), ds.LinearOptimizer({1: 0.5, 2: -0.3})],
    ids=repr,
)
def test_every_crossing_is_a_root_on_the_circle(optimizer, delay):
    found = ds.crossings(optimizer, delay)
    table = optimizer.coefficients(delay)
    # Each angle solves (z - 1) A + gain z^-delay B = 0 with its gain, up to rounding.
    z = np.exp(1j * found.angles)
    a = 1 - sum(value * z ** -float(lag) for lag, value in table.feedback)
    b = sum(value * z ** -float(lag) for lag, value in table.feedforward)
    terms = (z - 1) * a, found.gains * z ** -float(delay) * b
    assert np.abs(sum(terms)) / np.abs(terms[0]) == pytest.approx(0, abs=1e-12 * (delay + 1))
    # A crossing for every turn of the phase, each at an angle of its own.
    assert found.gains.size > delay // 2 - 2
    assert np.all(np.diff(np.sort(found.angles)) > 1e-6)


@pytest.mark.parametrize("gain", [0.01, 0.05, 0.3])
def test_a_root_is_trusted_only_where_no_other_is_beyond_it(gain):
    delay = 6
    loop = split_loop(ds.SGD(), np.array([delay]), np.array([gain]))
    roots = np.roots(characteristic_coefficients(ds.SGD(), delay, gain))
    roots = roots[np.argsort(-np.abs(roots))]
    upper = np.log(roots[roots.imag >= 0].astype(complex))
    assert _trusted(loop, upper[None, :1], 20) == pytest.approx(upper[:1], rel=1e-10)
    # At a small gain it is one real root that is missing, beyond it a pair.
    for first in range(1, len(upper)):
        assert np.isnan(_trusted(loop, upper[None, first : first + 1], 20)).all()


# Replayed logs.


@pytest.mark.parametrize("optimizer", [ds.SGD(), ds.HeavyBall(0.5), ds.Nesterov(0.8)], ids=repr)
@pytest.mark.parametrize("delays", [[0, 40, 3], [2, 0, 1, 1, 3]])
def test_the_growth_of_a_replayed_log_is_that_of_its_monodromy(optimizer, delays):
    growth = FloquetGrowth(_replayed(optimizer, delays))
    for gain in (0.01, 0.08, 0.4):
        rate = slow_rate(optimizer, delays, gain) / len(delays)
        assert growth.rate(gain) == pytest.approx(rate, abs=1e-10)
        # A rough rate is within its promise.
        assert growth.rate_and_sign(gain, rough=True)[0] == pytest.approx(rate, abs=0.02)


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_the_mean_square_of_a_replay_is_the_mean_over_all_curvatures(momentum):
    delays, noise, gain, steps = [0, 2, 1], 0.3, 0.4, 8
    total = 0.0
    # Curvatures 1 + sqrt(noise) and 1 - sqrt(noise), one as likely as the other.
    for signs in product((-1, 1), repeat=steps):
        iterates, update = [1.0], 0.0
        for step, sign in enumerate(signs):
            read = iterates[max(0, step - delays[step % 3])]
            update = momentum * update + gain * (1 + sign * sqrt(noise)) * read
            iterates.append(iterates[-1] - update)
        total += iterates[-1] ** 2
    loop = _replayed(ds.HeavyBall(momentum) if momentum else ds.SGD(), delays)
    found = mean_square_logarithms(loop, noise, [gain, 2 * gain], passes=3)
    assert found.shape == (9, 2)
    assert found[steps - 1, 0] == pytest.approx(log(total / 2**steps) / 2, abs=1e-12)


def test_long_replays_of_the_mean_square_are_scaled_without_a_trace():
    loop = _replayed(ds.SGD(), [0])
    gains, noise = np.array([0.01, 0.7, 3.0]), 0.2
    # Synchronous: each update multiplies the mean square by (1 - a)^2 + noise a^2.
    factor = (1 - gains) ** 2 + noise * gains**2
    found = mean_square_logarithms(loop, noise, gains, passes=400)
    updates = np.arange(1, 401)[:, None]
    assert found == pytest.approx(updates * np.log(factor) / 2, rel=1e-9)


def test_the_first_growing_gain_of_a_constant_log_is_the_mean_square_threshold(monkeypatch):
    monkeypatch.setattr(replayed_mean_square, "_FEWEST_UPDATES", 300)
    for delay, noise in ((0, 0.5), (2, 0.3)):
        expected = ds.stability_threshold(ds.SGD(), delay, curvature_noise=noise)
        loop = _replayed(ds.SGD(), [delay])
        assert first_growing_gain(loop, noise, 1.4 * expected) == pytest.approx(expected, rel=0.01)
    with pytest.raises(ArithmeticError, match="no gain up to .* grows when the delays are repl"):
        first_growing_gain(loop, noise, 1e-3 * expected)


def test_a_run_without_a_stable_gain_is_not_simulated():
    found = almost_sure_threshold(ds.LinearOptimizer({}, {0: -1.0}), 2, 0.1, seed=5)
    assert found == SimulatedThreshold(0.0, 0.0, 20_000, 5)


@pytest.mark.parametrize("place", np.linspace(1.0, 9.0, 12))
def test_a_hump_of_the_second_moment_is_climbed_wherever_it_lies(place):
    """The logarithm of the radius is -0.3 + 0.32 exp(-((rate - place)/width)^2)."""
    walk, width, step = object.__new__(_Walk), 0.5, 0.6
    walk._mean = 10.0
    walk._moments = SimpleNamespace(first_order=lambda: 1.0)
    radius = step / direction_moments._STEP
    walk._at = lambda rate, _=0: (
        -0.3 + 0.32 * np.exp(-(((rate - place) / width) ** 2)),
        radius,
    )
    walk._check = lambda rate: None
    # The hump is above 0 for a quarter of a step, which the samples pass over.
    assert walk.first_crossing() == pytest.approx(place - width * sqrt(log(0.32 / 0.3)), rel=1e-9)


# Pipelines.


def _decaying_hessian(count):
    random = np.random.default_rng(9)
    root = random.standard_normal((count, count // 2)) * np.exp(-np.arange(count // 2) / 2)
    return root @ root.T


def test_a_large_hessian_is_decided_by_products_with_it(monkeypatch):
    monkeypatch.setattr(stage_products, "_DENSE", 0)
    hessian, sizes = _decaying_hessian(72), (30, 24, 18)
    given = {"optimizer": ds.HeavyBall(0.5), "delays": PipeDream(3), "sizes": sizes}
    exact = ds.stage_threshold(hessian, **given)
    found = ds.stage_threshold(lambda vector: hessian @ vector, **given, tolerance=1e-4)
    assert found == pytest.approx(exact, rel=1e-4)
    with pytest.raises(ArithmeticError, match="tolerance 1e-300 is not reached with 32"):
        ds.stage_threshold(lambda vector: hessian @ vector, **given, tolerance=1e-300)


def test_the_compressed_hessian_is_that_between_its_own_eigenvectors():
    hessian = _decaying_hessian(20)
    small, kept = compressed_hessian(lambda vector: hessian @ vector, (12, 8), 3)
    # Cut at the border of the stages, three vectors span at most six directions.
    assert kept == (3, 3) and np.array_equal(small, small.T)
    values = np.linalg.eigvalsh(hessian)[::-1][:3]
    assert np.linalg.eigvalsh(small)[::-1][:3] == pytest.approx(values, rel=1e-8)
    blocks = [np.linalg.eigvalsh(block)[-1] for block in (hessian[:12, :12], hessian[12:, 12:])]
    found = [np.linalg.eigvalsh(block)[-1] for block in (small[:3, :3], small[3:, 3:])]
    assert np.all(np.array(found) <= np.array(blocks) * (1 + 1e-12))


@pytest.mark.parametrize("optimizer", [ds.SGD(), ds.HeavyBall(0.8)], ids=repr)
def test_the_threshold_from_few_eigenvectors_is_that_of_the_whole_loop(optimizer, monkeypatch):
    hessian, sizes, delays = _decaying_hessian(12), (5, 7), (3, 0)
    whole = ds.stage_threshold(hessian, optimizer, delays, sizes=sizes)
    monkeypatch.setattr(stage_threshold, "_SWEPT", 4)
    assert ds.stage_threshold(hessian, optimizer, delays, sizes=sizes) == pytest.approx(
        whole, rel=1e-10
    )
    for side, above in ((1 - 1e-6, False), (1 + 1e-6, True)):
        radius = ds.stage_spectral_radius(whole * side, hessian, optimizer, delays, sizes=sizes)
        assert (radius > 1) == above


# Arguments.


@pytest.mark.parametrize("scale", [0.125, 1.0, 64.0])
def test_only_the_product_of_learning_rate_and_sharpness_counts(scale):
    """Powers of two, so that every product is the same float."""
    lr, sharpness, optimizer = 0.0625 * scale, 1.5 / scale, ds.HeavyBall(0.5)
    assert ds.max_delay(lr, sharpness, optimizer) == ds.max_delay(0.09375, 1.0, optimizer) > 2
    assert ds.max_momentum(lr, sharpness, "heavy-ball", 4) == pytest.approx(
        ds.max_momentum(0.09375, 1.0, "heavy-ball", 4), rel=1e-15
    )
    assert ds.is_stable(lr, sharpness, optimizer, [0, 4, 40]).tolist() == [True, True, False]
    threshold = ds.stability_threshold(optimizer, 4)
    assert ds.max_learning_rate(sharpness, optimizer, 4) * sharpness == threshold
    assert ds.max_sharpness(lr, optimizer, 4) * lr == threshold


# Certificates.


@pytest.mark.parametrize("change", [lambda entry: [*entry, entry[-1]], lambda entry: entry[:-1]])
def test_a_list_of_a_certificate_that_is_too_long_or_too_short_is_refused_by_its_place(change):
    data = ds.certify(ds.HeavyBall(0.5), 2, 10).to_dict()
    places = {"a[1]": ("a", 1), "b[0]": ("b", 0), "root_moduli": ("root_moduli", None)}
    for path, (name, index) in places.items():
        wrong = deepcopy(data)
        if index is None:
            wrong[name] = change(wrong[name])
        else:
            wrong[name][index] = change(wrong[name][index])
        with pytest.raises(ValueError, match=rf"^{re.escape(path)} must be a list of 2 entries"):
            ds.Certificate.from_dict(wrong)


# Statistics.


@pytest.mark.parametrize(("count", "level"), [(5, 0.95), (6, 0.95), (17, 0.95), (30, 0.8)])
def test_the_interval_of_a_median_leaves_out_as_much_as_it_may_on_either_side(count, level):
    values = np.random.default_rng(1).permutation(count) + 1.0
    # The most values that may lie below the interval: P(at most k - 1 below the median) <= tail.
    tails = np.cumsum([comb(count, k) for k in range(count)]) / 2**count
    left_out = int(np.count_nonzero(tails <= (1 - level) / 2))
    found = median_interval(values, level)
    assert (found.value, found.level, found.count) == ((count + 1) / 2, level, count)
    if left_out:
        assert (found.low, found.high) == (left_out, count + 1 - left_out)
    else:
        assert np.isnan(found.low) and np.isnan(found.high)


@pytest.mark.parametrize(("hits", "count"), [(0, 4), (4, 4), (7, 19), (1, 1)])
def test_the_interval_of_a_share_solves_the_equation_of_wilson(hits, count):
    found = share_interval(hits, count)
    assert found.value == hits / count
    z = 1.959963984540054
    ends = np.roots([count + z**2, -(2 * hits + z**2), hits**2 / count])
    assert [found.low, found.high] == pytest.approx(np.clip(np.sort(ends), 0, 1), abs=1e-12)
