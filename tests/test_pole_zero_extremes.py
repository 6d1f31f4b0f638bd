"""One pole and one zero at the ends of the floats: momentum near -1 and 1, delays up to 2**53.

The reference bisects the gain. On the circle, with X = tan(theta/2)^2, the gain of a crossing is
below g on at most two intervals of X, between the roots of a quadratic; the phase takes its
extremes over them at their ends and at the roots of another quadratic. A crossing has a gain below
g exactly if a multiple of 2 pi lies between these extremes. Nothing is solved for the angle, and
no crossing is chosen.
"""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from scipy.optimize import brentq

import delaystability as ds
from delaystability.model.optimizer import Coefficients, Term
from delaystability.numerics.thresholds.pole_zero_threshold import pole_zero_threshold
from delaystability.numerics.thresholds.threshold import threshold_array
from tests.helpers import EPS, threshold_by_roots

LONGEST = 2**53
LOWEST, HIGHEST = -1 + 2**-53, 1 - 2**-53

# Beyond x = 1/4, up to 1/17 remains of n atan(x) - atan(s x) where s is near n, and both are off by
# an eps or two: some 30 eps. On 28,000 random extremes the worst error was 30 eps.
TOLERANCE = 64 * EPS

REPORTED = [
    (ds.WeightPrediction(-0.999999999, 21.0), 848657),
    (ds.WeightPrediction(-0.9999999999774901), 233993),
    (ds.WeightPrediction(LOWEST), 10**9),
    (ds.WeightPrediction(LOWEST), LONGEST - 1),
    (ds.WeightPrediction(0.5), LONGEST),
    (ds.WeightPrediction(0.0), LONGEST),
    (ds.WeightPrediction(0.5, 1e8), LONGEST),
    (ds.WeightPrediction(0.5, 1e15), LONGEST),
    (ds.SpikeCompensation(1 - 1e-12), LONGEST),
]
MOMENTA = [LOWEST, -1 + 1e-12, -1 + 1e-7, -0.5, 0.0, 1 - 1e-7, 1 - 1e-12, HIGHEST]
DELAYS = [0, 1, 2, 10**6, 10**6 + 1, 10**9, LONGEST - 1, LONGEST]
PREDICTIONS = [
    # Slopes near n, near 1/n, and a zero near the pole: on both sides of each cancellation.
    (ds.WeightPrediction(1 - 1e-9, 1000 * (1 + 1e-12)), 1000),
    (ds.WeightPrediction(1 - 1e-9, 1000 * (1 - 1e-12)), 1000),
    (ds.WeightPrediction(-1 + 1e-9, -0.5 + 0.25 / 1000), 1000),
    (ds.WeightPrediction(-1 + 1e-9, -0.5 + 2.5e-10), 3),
    (ds.WeightPrediction(-1 + 1e-9, -0.5 + 2.5e-10 * (1 + 1e-6)), 3),
    (ds.WeightPrediction(-1 + 1e-9, -0.5), 1000),
    (ds.WeightPrediction(HIGHEST, -0.5), 4),
    (ds.WeightPrediction(0.5, -1e15), LONGEST),
    (ds.WeightPrediction(-0.5, 1e60), LONGEST - 1),
    (ds.WeightPrediction(-1e-17, -1e60), 3),
    (ds.Nesterov(-0.5 + 2**-54), 10**9),
    (ds.Nesterov(np.nextafter(-0.5, -1)), 10**9 + 1),
]


def exact_tables(optimizer, delay):
    """The momentum, b0 and b1 for the exact binary parameters, in mpmath's numbers."""
    m = mpmath.mpf(float(optimizer.momentum))
    if optimizer.name == "spike-compensation":
        power = m**delay
        total = (1 - power) / (1 - m)
        return m, power + total, -total * m
    if optimizer.name == "nesterov":
        return m, 1 + m, -m
    horizon = mpmath.mpf(delay if optimizer.horizon is None else optimizer.horizon)
    return m, 1 + horizon, -horizon


def positive_roots(c0, c1, c2):
    """The positive X with c0 + c1 X + c2 X^2 = 0, in order."""
    if c2 == 0:
        return [-c0 / c1] if c0 * c1 < 0 else []
    discriminant = c1 * c1 - 4 * c0 * c2
    if discriminant < 0:
        return []
    q = -(c1 + mpmath.sqrt(discriminant) * (1 if c1 >= 0 else -1)) / 2
    return sorted(x for x in [q / c2, *([c0 / q] if q else [])] if x > 0)


class Reference:
    """Whether a crossing has a gain of at most g; all in the precision around."""

    def __init__(self, optimizer, delay):
        m, b0, b1 = exact_tables(optimizer, delay)
        self.p, self.q = b0 + b1, b0 - b1
        self.near, self.far = (1 - m) ** 2, (1 + m) ** 2
        n, s, r = 2 * delay + 1, self.q / self.p, (1 - m) / (1 + m)
        self.numbers = n, s, r
        side = mpmath.sign(s)
        self.last = mpmath.pi / 2 * (n - side)
        self.ends_with_a_root = side != 0 and (n - side) % 4 == 0
        turns = positive_roots(
            n * r**2 - s * r**2 + r,
            n + n * (s * r) ** 2 - s - s * r**2 + r + r * s**2,
            n * s**2 - s + r * s**2,
        )
        self.extremes = [(x, self.phase(x)) for x in turns]

    def phase(self, square):
        n, s, r = self.numbers
        u = mpmath.sqrt(square)
        return n * mpmath.atan(u) - mpmath.atan(s * u) - mpmath.atan(r / u)

    def crossed(self, gain):
        bounds = positive_roots(
            -((gain * self.p) ** 2),
            4 * self.near - gain**2 * (self.p**2 + self.q**2),
            4 * self.far - (gain * self.q) ** 2,
        )
        bounds = [mpmath.mpf(0), *bounds, mpmath.inf]
        # Below g at X = 0, from there on by turns above and below it.
        for low, high in zip(bounds[::2], bounds[1::2], strict=False):
            if high == mpmath.inf and self.ends_with_a_root:
                return True
            values = [phase for x, phase in self.extremes if low < x < high]
            values.append(self.phase(low) if low else -mpmath.pi / 2)
            values.append(self.last if high == mpmath.inf else self.phase(high))
            turns = [value / (2 * mpmath.pi) for value in values]
            if mpmath.floor(max(turns)) >= mpmath.ceil(min(turns)):
                return True
        return False


def exact_threshold(optimizer, delay):
    """The threshold in 60 digits, by bisection between 1e-80 and 1e4."""
    # Up to 17 digits of the phase and 60 of the tables cancel.
    with mpmath.workdps(160):
        crossed = Reference(optimizer, delay).crossed
        low, high = mpmath.mpf(10) ** -80, mpmath.mpf(10) ** 4
        assert not crossed(low)
        assert crossed(high)
        while high / low - 1 > mpmath.mpf(10) ** -60:
            middle = mpmath.sqrt(low * high)
            low, high = (low, middle) if crossed(middle) else (middle, high)
        return low


def check(optimizer, delay):
    found = ds.stability_threshold(optimizer, delay)
    with mpmath.workdps(60):
        error = float(mpmath.mpf(found) / exact_threshold(optimizer, delay) - 1)
    assert abs(error) <= TOLERANCE, (error / EPS, optimizer, delay)


@pytest.mark.slow
@pytest.mark.parametrize("delay", [1, 2, 5, 12])
def test_the_reference_agrees_with_root_finding(delay):
    for optimizer in (
        ds.Nesterov(-0.9),
        ds.SpikeCompensation(0.7),
        ds.WeightPrediction(-0.8),
        ds.WeightPrediction(0.3, -2.5),
        ds.WeightPrediction(-0.95, 3.0),
    ):
        expected = threshold_by_roots(optimizer, delay)
        assert float(exact_threshold(optimizer, delay)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(("optimizer", "delay"), REPORTED + PREDICTIONS)
def test_reported_and_cancelling_cases_are_within_64_eps_of_60_digits(optimizer, delay):
    check(optimizer, delay)


@pytest.mark.slow
@pytest.mark.parametrize("cls", [ds.Nesterov, ds.SpikeCompensation, ds.WeightPrediction])
def test_extreme_momenta_and_delays_are_within_64_eps_of_60_digits(cls):
    for index, m in enumerate(MOMENTA):
        # Every momentum meets half of the delays, and every delay half of the momenta.
        for delay in DELAYS[index % 2 :: 2]:
            check(cls(m), delay)


@pytest.mark.slow
def test_random_extremes_are_within_64_eps():
    random = np.random.default_rng(11)
    for _ in range(150):
        m = float(np.clip(random.choice([-1, 1]) * (1 - 10 ** random.uniform(-16, 0)), LOWEST, 1))
        delay = int(10 ** random.uniform(0, 15.9))
        turns, ratio = 2 * delay + 1, (1 - m) / (1 + m)
        slopes = turns, 1 / turns, 1 / ratio, 1 / (turns + ratio), 10 ** random.uniform(-16, 18)
        horizon = (random.choice(slopes) * (1 + 10 ** random.uniform(-16, 0)) - 1) / 2
        optimizer = ds.WeightPrediction(m, float(random.choice([horizon, -1 - horizon])))
        found = ds.stability_threshold(optimizer, delay)
        with mpmath.workdps(100):
            crossed = Reference(optimizer, delay).crossed
            assert not crossed(mpmath.mpf(found) * (1 - TOLERANCE)), (optimizer, delay)
            assert crossed(mpmath.mpf(found) * (1 + TOLERANCE)), (optimizer, delay)


def test_a_phase_measured_from_z_1_would_not_reach_it():
    # The control: near z = -1 the float n atan(u) leaves an error of eps n in the phase.
    m, delay = -0.9999999999774901, 233993
    optimizer = ds.WeightPrediction(m)
    n, slope, ratio = 2 * delay + 1, 1 + 2 * delay, (1 - m) / (1 + m)

    def phase(u):
        return n * np.arctan(u) - np.arctan(slope * u) - np.arctan(ratio / u)

    near = 1 / np.tan((np.pi - threshold_array(optimizer, delay)[1]) / 2)
    goal = 2 * np.pi * np.round(phase(near) / (2 * np.pi))
    u = brentq(lambda u: phase(u) - goal, near * (1 - 1e-4), near * (1 + 1e-4), rtol=4 * EPS)
    gain = 2 * u * np.hypot(1 - m, (1 + m) * u) / (np.hypot(1, u) * np.hypot(1, slope * u))
    assert abs(float(gain / exact_threshold(optimizer, delay)) - 1) > 1e3 * TOLERANCE


def test_a_rounded_delay_plus_1_would_not_reach_it():
    delay, m = float(LONGEST), np.array([0.5])
    assert delay + 1 == delay
    assert pole_zero_threshold(np.array([delay]), m, 1 + delay, -delay)[0] == 0
    assert ds.stability_threshold(ds.WeightPrediction(0.0), LONGEST) == pytest.approx(
        1.0454753265257287e-16, rel=TOLERANCE
    )


@pytest.mark.parametrize("cls", [ds.Nesterov, ds.SpikeCompensation, ds.WeightPrediction])
def test_blocks_with_the_longest_delays_equal_single_answers(cls):
    delays = np.array([0, 7, 10**9, 2**52 - 1, 2**52, LONGEST - 1, LONGEST])
    momenta = np.array([[LOWEST], [-0.3], [0.0], [0.9], [HIGHEST]])
    found = ds.stability_threshold(cls(momenta), delays)
    for i, m in enumerate(momenta[:, 0]):
        for j, delay in enumerate(delays):
            assert found[i, j] == ds.stability_threshold(cls(float(m)), int(delay))


def test_an_optimizer_of_ones_own_may_use_any_function_of_a_long_delay():
    class Rooted(ds.WeightPrediction):
        def coefficients(self, delay):
            ahead = np.sqrt(delay)
            m = self.momentum
            return Coefficients((Term(1, m),), (Term(0, 1 + ahead), Term(1, -ahead)))

    expected = ds.stability_threshold(ds.WeightPrediction(-0.5, 2.0**26), 2**52)
    assert ds.stability_threshold(Rooted(-0.5), 2**52) == pytest.approx(expected, rel=TOLERANCE)


def test_only_the_root_at_minus_one_has_the_angle_pi():
    at_minus_one, angle = threshold_array(ds.WeightPrediction(-0.5), 4)
    assert (at_minus_one, angle) == (1 / 9, np.pi)
    # A complex pair, at an angle that rounds to pi.
    _, angle = threshold_array(ds.WeightPrediction(LOWEST), LONGEST - 1)
    assert np.pi - 1e-15 < angle < np.pi
