"""Inverse questions: the fastest gain, the longest delay, the largest momentum."""

from __future__ import annotations

from dataclasses import dataclass
from time import process_time

import numpy as np
import pytest

import delaystability as ds
from delaystability.numerics.roots.fastest import _faster_gains
from delaystability.numerics.tables.split_loop import split_loop
from delaystability.numerics.thresholds.inverse import largest_momenta
from tests.helpers import EPS, WITH_MOMENTUM, make

RESONANT = ds.LinearOptimizer({1: 1.6, 2: -0.9}, {0: 1.0})


def _resonant_filter(random):
    radius, angle = random.uniform(0.6, 0.98), random.uniform(0.2, 2.9)
    zeros = {0: 1.0, 1: float(random.uniform(-0.9, 0.9))}
    if random.random() < 0.4:
        zeros = {0: float(random.uniform(0.3, 1)), 1: float(random.uniform(-1, 1)), 2: 0.2}
    return ds.LinearOptimizer({1: float(2 * radius * np.cos(angle)), 2: float(-(radius**2))}, zeros)


def _delays_by_trial(optimizer, gain, longest):
    """The number of delays that are stable from 0 on, less one."""
    for delay in range(longest):
        if not gain < ds.stability_threshold(optimizer, delay):
            return delay - 1
    raise AssertionError("all delays that were tried are stable")


@pytest.mark.slow
def test_the_longest_delay_of_any_filter_is_the_one_found_by_trial():
    random = np.random.default_rng(2)
    again = 0
    for _ in range(5):
        optimizer = _resonant_filter(random)
        thresholds = np.array([ds.stability_threshold(optimizer, d) for d in range(30)])
        if thresholds[0] <= 0:
            continue
        for gain in np.exp(random.uniform(*np.log([thresholds.min(), thresholds.max()]), 6)):
            expected = _delays_by_trial(optimizer, gain, 31)
            assert ds.max_delay(gain, 1.0, optimizer) == expected
            again += bool(np.any(gain < thresholds[expected + 1 :]))
    # Loops that are stable again at longer delays were among them.
    assert again > 2


@pytest.mark.slow
def test_a_resonance_beyond_4096_is_found():
    # A narrow band of angles is above the gain's level at few delays only: the first of them.
    radius, angle = 1 - 3e-6, 1.1
    optimizer = ds.LinearOptimizer(
        {1: float(2 * radius * np.cos(angle)), 2: float(-(radius**2))}, {0: 1.0}
    )
    z = np.exp(1j * np.linspace(angle - 1e-5, angle + 1e-5, 20001))
    level = np.abs((z - 1) * (1 - 2 * radius * np.cos(angle) / z + radius**2 / z**2)).min()
    gain = float(level * (1 + 1e-7))
    delay = ds.max_delay(gain, 1.0, optimizer)
    assert delay > 4096
    assert ds.is_stable(gain, 1.0, optimizer, delay)
    assert not ds.is_stable(gain, 1.0, optimizer, delay + 1)
    assert ds.is_stable(gain, 1.0, optimizer, [delay - 1, delay + 2, 2 * delay]).all()
    random = np.random.default_rng(0)
    assert ds.is_stable(gain, 1.0, optimizer, random.integers(0, delay, 200)).all()


@pytest.mark.parametrize("name", ["sgd", *WITH_MOMENTUM])
def test_what_is_unstable_at_one_delay_is_unstable_at_every_longer_one(name):
    momenta = np.array([0.0, 0.3, 0.9, 0.999])
    if name in ("heavy-ball", "ema-momentum", "shifted-momentum"):
        momenta = np.append(momenta, [-0.2, -0.9, -0.999])
    for m in momenta:
        thresholds = ds.stability_threshold(make(name, m), np.arange(600))
        # Below the threshold of delay 0, the delays of a gain have no gap.
        capped = np.minimum(thresholds, thresholds[0])
        assert np.all(np.diff(capped) <= 4 * EPS * capped[1:])


def test_the_longest_delay_of_a_filter_takes_milliseconds():
    seconds = []
    for _ in range(5):
        start = process_time()
        assert ds.max_delay(0.01, 1.0, RESONANT) == 47
        assert ds.max_delay(1e-10, 1.0, RESONANT) == 4712388980
        seconds.append(process_time() - start)
    print(f"two answers in {min(seconds):.4f} s")
    assert min(seconds) < 1.0


def test_no_answer_without_an_argument():
    with pytest.raises(ValueError, match="stable up to delay 65536; for WeightPrediction"):
        ds.max_delay(1e-6, 1.0, ds.WeightPrediction(-0.5))
    with pytest.raises(ValueError, match="stable at every delay up to 2\\*\\*52"):
        ds.max_delay(1e-18, 1.0, RESONANT)


@pytest.mark.slow
def test_many_gains_at_once_are_those_of_single_calls():
    gains = np.geomspace(1e-9, 1, 200)
    for optimizer in (ds.SGD(), ds.HeavyBall(0.9), ds.WeightPrediction(0.5)):
        single = [ds.max_delay(gain, 1.0, optimizer) for gain in gains[::40]]
        assert ds.max_delay(gains, 1.0, optimizer)[::40].tolist() == single


def test_the_largest_momentum_reaches_the_last_float_below_one():
    # At delay 1 the threshold of heavy ball is 1 - m.
    for gain in (0.25, 1e-6, 1e-13, 2.0**-52):
        m = ds.max_momentum(gain, 1.0, "heavy-ball", 1)
        assert 1 - m == pytest.approx(gain, rel=1e-15, abs=1.5 * EPS)
        assert ds.is_stable(gain, 1.0, ds.HeavyBall(m), 1)
        assert not ds.is_stable(gain, 1.0, ds.HeavyBall(np.nextafter(m, 1)), 1)
    assert ds.max_momentum(1e-17, 1.0, "heavy-ball", 1) == 1.0


def test_a_dip_between_the_points_of_the_grid_is_found():
    # A threshold that dips to 1e-3 within 1e-9 of one momentum, wide enough to be seen to fall.
    def threshold(m):
        return 1e-3 + np.minimum(np.abs(m - 0.61234567), 0.5)

    found = largest_momenta(threshold, np.array([0.9e-3, 1.1e-3, 0.2]))
    assert found[0] == 1.0
    assert found[1] == pytest.approx(0.61234567 - 1e-4, abs=1e-12)
    assert found[2] == pytest.approx(0.61234567 - 0.199, abs=1e-12)


@pytest.mark.parametrize("name", WITH_MOMENTUM)
@pytest.mark.parametrize("delay", [0, 1, 3, 20])
@pytest.mark.quick(4)
def test_every_smaller_momentum_is_stable(name, delay):
    random = np.random.default_rng(delay)
    for gain in ds.stability_threshold(make(name, 0.0), delay) * random.uniform(0.01, 1, 4):
        largest = ds.max_momentum(gain, 1.0, make(name, 0.5), delay)
        if ds.CATALOGUE[name].required_parameters() == ("momentum",):
            assert largest == ds.max_momentum(gain, 1.0, name, delay)
        below = largest * random.uniform(0, 1, 500)
        assert np.all(gain < ds.stability_threshold(make(name, below), delay))
        if largest < 1:
            above = np.nextafter(largest, 1)
            assert not gain < ds.stability_threshold(make(name, above), delay)


@pytest.mark.slow
def test_the_fastest_gain_next_to_momentum_one():
    # At delay 0 two roots meet at (1 - sqrt(m))^2; a delay changes that by (1 - m) or so.
    gain, radius = ds.fastest_gain(ds.HeavyBall(0.999999), 1)
    assert gain == pytest.approx(2.5e-13, rel=1e-5)
    assert radius == pytest.approx(1 - 5e-7, abs=1e-12)
    gain, _ = ds.fastest_gain(ds.HeavyBall(1 - 1e-9), 0)
    assert gain == pytest.approx(2.5e-19, rel=1e-6)
    assert ds.fastest_gain(ds.HeavyBall(0.9), 0)[0] == pytest.approx((1 - 0.9**0.5) ** 2, rel=1e-12)


def test_no_fastest_gain_without_a_stable_one():
    for optimizer in (ds.LinearOptimizer({}, {0: -1.0}), ds.LinearOptimizer({1: 1.5}, {0: 1.0})):
        with pytest.raises(ValueError, match="optimizer must be stable at small gains"):
            ds.fastest_gain(optimizer, 2)


@pytest.mark.parametrize("delay", [300, 10**6])
@pytest.mark.slow
def test_the_fastest_gain_of_a_long_delay_is_fast(delay):
    start = process_time()
    gain, radius = ds.fastest_gain(ds.SGD(), delay)
    assert process_time() - start < 2
    closed_form = np.exp(delay * np.log1p(-1 / (delay + 1))) / (delay + 1)
    assert gain == pytest.approx(closed_form, rel=1e-12)
    assert radius == pytest.approx(delay / (delay + 1), abs=1e-7 / delay)


@pytest.mark.slow
def test_no_gain_of_a_dense_grid_is_faster():
    random = np.random.default_rng(5)
    for _ in range(12):
        name = str(random.choice(["filter", *WITH_MOMENTUM]))
        optimizer = (
            _resonant_filter(random) if name == "filter" else make(name, random.uniform(-0.9, 0.99))
        )
        delay = int(random.integers(0, 25))
        threshold = ds.stability_threshold(optimizer, delay)
        if not 0 < threshold < np.inf:
            continue
        gain, radius = ds.fastest_gain(optimizer, delay)
        assert 0 < gain < threshold
        assert ds.spectral_radius(optimizer, delay, gain) == pytest.approx(radius, abs=1e-12)
        gains = np.r_[np.geomspace(1e-7, 0.999, 300), np.linspace(0.003, 0.999, 300)] * threshold
        assert ds.spectral_radius(optimizer, delay, gains).min() > radius - 1e-7 / (delay + 1)


def test_the_check_of_the_fastest_gain_notices_a_faster_one():
    tau = 20
    loop = split_loop(ds.SGD(), np.array([tau]), np.ones(1))
    best = np.log(tau / (tau + 1))
    threshold = ds.stability_threshold(ds.SGD(), tau)
    low, high = _faster_gains(ds.SGD(), loop, best + 0.1 / tau, threshold)
    (gain,) = low[(low < tau**tau / (tau + 1) ** (tau + 1))]
    assert gain < tau**tau / (tau + 1) ** (tau + 1) < high[0]
    assert not _faster_gains(ds.SGD(), loop, best - 1e-7 / tau, threshold)[0].size


def test_every_public_call_has_its_largest_arguments_or_a_reason():
    from benchmarks.limits import CASES, WITHOUT_NUMBERS

    names = {case.name for case in CASES}
    errors = {
        name
        for name in ds.__all__
        if isinstance(getattr(ds, name), type) and issubclass(getattr(ds, name), BaseException)
    }
    # A new public function is listed in benchmarks.limits, with its largest arguments.
    assert names | set(WITHOUT_NUMBERS) | errors == set(ds.__all__)
    assert not names & set(WITHOUT_NUMBERS)


@pytest.mark.slow
def test_calls_are_measured_in_processes_and_told_by_what_they_take():
    from benchmarks.limits import Case, measured, page

    fast = Case("SGD", "none", "ds.SGD()")
    refused = Case("max_delay", "nothing", "ds.max_delay(-1., 1., ds.SGD())")
    rows = [(case, measured(case)) for case in (fast, refused)]
    assert rows[0][1]["end"] == "answers"
    assert rows[1][1]["end"].startswith("ValueError: lr must be positive")
    slow = {"seconds": 11.0, "mebibytes": 1.0, "end": "answers"}
    source = {"date": "today", "commit": "none", "machine": "any"}
    assert "2 of 3 calls are within the goal; over it: SGD." in page([*rows, (fast, slow)], source)


@pytest.mark.slow
def test_the_fastest_gain_where_pairs_start_next_to_the_axis_or_moduli_nearly_touch():
    # A pair that crosses the level next to the real axis, and a band of angles found as one angle.
    gain, radius = ds.fastest_gain(ds.WeightPrediction(0.9998195458450844), 21)
    assert (
        ds.spectral_radius(ds.WeightPrediction(0.9998195458450844), 21, 6.2875e-6) > radius - 1e-9
    )
    assert gain > 1e-7
    shifted = ds.ShiftedMomentum(-0.7327255331164976)
    gain, radius = ds.fastest_gain(shifted, 20)
    nearby = ds.spectral_radius(shifted, 20, gain * np.linspace(0.98, 1.02, 201))
    assert nearby.min() > radius - 1e-8


@pytest.mark.slow
@pytest.mark.parametrize("feedforward", [{0: -1.0, 1: 1.9}, {0: -0.1, 1: 0.01, 2: 0.5}, {0: 1.0}])
@pytest.mark.parametrize("pole", [-0.5, 0.25])
def test_the_longest_delay_of_a_filter_that_begins_against_the_gradient(feedforward, pole):
    """A negative first coefficient: the argument of the table begins a turn away."""
    optimizer = ds.LinearOptimizer({1: pole}, feedforward)
    for gain in (0.02, 0.05, 0.1):
        assert ds.max_delay(gain, 1.0, optimizer) == _delays_by_trial(optimizer, gain, 400)


LAWS = [
    ds.RandomDelay([0.2, 0.0, 0.3, 0.5]),
    ds.GeometricDelay(0.7),
    ds.RandomDelay(np.random.default_rng(3).dirichlet(np.ones(50))),
    ds.MeasuredDelay([0, 3, 1, 1, 2]),
]


@pytest.mark.quick(2)
@pytest.mark.parametrize("name", ["heavy-ball", "ema-momentum", "nesterov"])
@pytest.mark.parametrize("law", LAWS, ids=["table", "geometric", "long", "log"])
def test_the_largest_momentum_of_a_law_is_where_its_threshold_meets_the_gain(name, law):
    def threshold(momentum):
        return ds.stability_threshold(make(name, float(momentum)), law, moment="mean")

    largest = threshold(0.0)
    if name == "ema-momentum" and law is LAWS[2]:
        with pytest.raises(ValueError, match="delay must have at most 32 lags where the gain of"):
            ds.max_momentum(0.1, 1.0, name, law)
        return
    for share in (0.1, 0.6, 0.95):
        m = ds.max_momentum(share * largest, 1.0, name, law)
        assert all(threshold(other) > share * largest for other in np.linspace(0, m, 8)[:-1])
        if m < 1:
            assert threshold(m) == pytest.approx(share * largest, rel=1e-9)
            assert threshold(m * (1 - 1e-7)) > share * largest > threshold(m * (1 + 1e-7))
    assert np.isnan(ds.max_momentum(1.001 * largest, 1.0, name, law))


def test_a_law_of_one_delay_has_the_largest_momentum_of_that_delay():
    law = ds.RandomDelay({2: 1 - 2**-40, 3: 2**-40})
    for name in ("heavy-ball", "nesterov"):
        assert ds.max_momentum(0.05, 1.0, name, law) == pytest.approx(
            ds.max_momentum(0.05, 1.0, name, 2), rel=1e-9
        )


def test_the_largest_momentum_of_a_law_refuses_what_is_not_linear_in_it():
    @dataclass(frozen=True)
    class Squared(ds.HeavyBall):
        """Heavy ball with a momentum that enters as its square."""

        def coefficients(self, delay):
            return ds.HeavyBall(self.momentum**2).coefficients(delay)

    with pytest.raises(ValueError, match="optimizer must have tables that are linear in the mom"):
        ds.max_momentum(0.1, 1.0, Squared(0.5), LAWS[0])
    with pytest.raises(ValueError, match="do not depend on the delay"):
        ds.max_momentum(0.1, 1.0, "shifted-momentum", LAWS[0])
