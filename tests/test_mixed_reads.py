"""Mixtures of reads of either sign: the law, every question about it, and the closed form."""

from __future__ import annotations

import pickle
from fractions import Fraction

import mpmath
import numpy as np
import pytest

import delaystability as ds
from tests.exact_oracle import exact_stable_set, parts_of_loop, stable

WINDOWED = ds.LinearOptimizer(
    {1: Fraction(3, 5), 2: Fraction(-1, 4)}, {0: Fraction(1), 2: Fraction(1, 2)}
)


def mixture(random, longest=9):
    """Weights in sixteenths, up to 2.5 each, that sum to 1."""
    lags = random.choice(longest, size=random.integers(2, 6), replace=False)
    weights = [Fraction(int(value), 16) for value in random.integers(-40, 41, size=lags.size - 1)]
    weights.append(1 - sum(weights))
    return {int(lag): weight for lag, weight in zip(lags, weights, strict=True) if weight}


def optimizer_of(random):
    momentum = Fraction(int(random.integers(-9, 10)), 10)
    choices = (ds.SGD(), ds.HeavyBall(momentum), ds.Nesterov(abs(momentum)), WINDOWED)
    return choices[random.integers(4)]


def close(found, expected, tolerance):
    return abs(Fraction(found) - expected) <= Fraction(tolerance) * expected


def check_mixtures(random, cases):
    """Thresholds, gains and radii against exact polynomials; how many sets have several parts."""
    windows = 0
    for optimizer, weights in cases:
        read = ds.MixedRead(weights)
        p, q = parts_of_loop(optimizer, weights)
        expected = exact_stable_set(p, q)
        found = ds.stable_gains(optimizer, read)
        assert len(found) == len(expected), (optimizer, weights)
        for (low, high), (first, last) in zip(found, expected, strict=True):
            assert low == first == 0 or close(low, first, 1e-13)
            assert high == last is None or close(high, last, 1e-13)
        threshold = ds.stability_threshold(optimizer, read)
        assert close(threshold, expected[0][1], 1e-13)
        windows += len(found) > 1
        gain = Fraction(float(threshold * random.uniform(0.1, 2)))
        if read.maximum:
            radius = ds.spectral_radius(optimizer, read, float(gain))
            row = [u + gain * v for u, v in zip(p[::-1], q[::-1], strict=True)]
            moduli = np.abs(np.roots(np.array(row, dtype=float)))
            assert radius == pytest.approx(moduli.max(), abs=1e-6)
            assert (radius < 1) == stable(p, q, gain)
    return windows


@pytest.mark.parametrize("count", [15, pytest.param(100, marks=pytest.mark.slow)])
def test_random_signed_mixtures_are_those_of_exact_polynomials(count):
    random = np.random.default_rng(count)
    check_mixtures(random, [(optimizer_of(random), mixture(random)) for _ in range(count)])


def test_some_mixtures_are_stable_in_several_intervals():
    sixteenths = ({0: 23, 7: -7}, {8: -35, 6: -39, 0: 90}, {8: -32, 2: -4, 0: 52})
    optimizers = (ds.HeavyBall(Fraction(1, 2)), WINDOWED, ds.Nesterov(Fraction(9, 10)))
    weights = [{k: Fraction(v, 16) for k, v in table.items()} for table in sixteenths]
    cases = list(zip(optimizers, weights, strict=True))
    assert check_mixtures(np.random.default_rng(0), cases) == 3


def long_mixtures(count):
    """Signed weights at up to 40 lags up to 400, and a share of the threshold."""
    random = np.random.default_rng(7)
    for _ in range(count):
        longest, size = int(random.integers(20, 400)), int(random.integers(3, 40))
        lags = random.choice(longest, size=size, replace=False)
        values = random.normal(size=size - 1) * random.choice([0.1, 1, 5])
        weights = dict(zip(lags[:-1].tolist(), values.tolist(), strict=True))
        weights[int(lags[-1])] = 1 - sum(weights.values())
        yield ds.MixedRead(weights), float(random.uniform(0.3, 2))


@pytest.mark.slow
def test_long_mixtures_are_those_of_the_eigenvalues():
    # The sixteenth has its largest root far from where its branches start.
    for read, share in list(long_mixtures(16))[10:]:
        threshold = ds.stability_threshold(ds.SGD(), read)

        def largest(gain, read=read):
            row = np.zeros(2 + int(read.maximum))
            row[0], row[1] = 1, -1
            for lag, weight in read.weights.items():
                row[lag + 1] += gain * weight
            return np.abs(np.roots(row)).max()

        assert largest(threshold * (1 - 1e-7)) < 1 < largest(threshold * (1 + 1e-7))
        gain = share * threshold
        assert ds.spectral_radius(ds.SGD(), read, gain) == pytest.approx(largest(gain), abs=1e-10)


def two_reads(share, delay):
    """The closed form of SGD, read off the theorem, in forty digits."""
    with mpmath.workdps(40):
        share, half = mpmath.mpf(share), mpmath.mpf(1) / 2

        def angle(theta):
            return (1 - share) * mpmath.cos((delay + half) * theta) + share * mpmath.cos(theta / 2)

        # It falls from 1 to a negative number, by the quotient of the two cosines.
        theta = mpmath.findroot(angle, (0, mpmath.pi / (delay + 1)), solver="anderson", tol=1e-70)
        return mpmath.sin(theta) / ((1 - share) * mpmath.sin(delay * theta))


def check_two_reads(seed, count):
    random = np.random.default_rng(seed)
    for _ in range(count):
        share = Fraction(float(0.5 - 10 ** random.uniform(-4, 1)))
        delay = int(10 ** random.uniform(0, 1.7))
        found = ds.stability_threshold(ds.SGD(), ds.MixedRead.partly_fresh(share, delay))
        assert abs(found - two_reads(share.numerator / mpmath.mpf(share.denominator), delay)) <= (
            1e-12 * found
        )


@pytest.mark.slow
def test_the_closed_form_of_two_reads():
    check_two_reads(0, 60)
    # Negative control: the wrong root of the equation of the angle is far off.
    assert two_reads(mpmath.mpf("0.25"), 4) != pytest.approx(two_reads(mpmath.mpf("0.2"), 4))


@pytest.mark.slow
def test_the_closed_form_of_two_reads_at_many_points():
    check_two_reads(1, 300)


def test_a_mixture_with_one_read_is_that_delay_and_fractions_stay():
    for optimizer in (ds.SGD(), ds.HeavyBall(0.9), ds.ShiftedMomentum(0.5)):
        assert ds.stability_threshold(optimizer, ds.MixedRead({3: 1})) == ds.stability_threshold(
            optimizer, 3
        )
    read = ds.MixedRead([Fraction(1, 3), 0, Fraction(2, 3)])
    assert read.weights == {0: Fraction(1, 3), 2: Fraction(2, 3)}
    assert read.mean == Fraction(4, 3)
    assert (read.minimum, read.maximum, read.varies, read.is_fixed) == (0, 2, False, False)
    assert read == ds.MixedRead({2: Fraction(2, 3), 0: Fraction(1, 3)})
    assert pickle.loads(pickle.dumps(read)) == read
    assert len({read, ds.MixedRead([Fraction(1, 3), 0, Fraction(2, 3)])}) == 1
    assert read.generating_function(Fraction(2)) == Fraction(1, 2)
    assert ds.MixedRead.partly_fresh(0.25, 4) == ds.MixedRead({0: 0.25, 4: 0.75})
    assert ds.MixedRead.partly_fresh(0.25, 0) == ds.MixedRead([1])
    assert ds.MixedRead({0: -1.5, 2: 2.5}).horizon(0.5) == 2
    assert ds.MixedRead({0: -1.5, 2: 2.5}).horizon(3) == 0


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: ds.MixedRead(0.5), TypeError, "weights must be weights of the reads"),
        (lambda: ds.MixedRead("ab"), TypeError, "weights must be"),
        (lambda: ds.MixedRead([0.5, 0.4]), ValueError, "got the sum 0.9"),
        (lambda: ds.MixedRead([Fraction(1, 2)]), ValueError, "got the sum 1/2"),
        (lambda: ds.MixedRead([]), ValueError, "got the sum 0"),
        (lambda: ds.MixedRead({-1: 1}), ValueError, "got the lag -1"),
        (lambda: ds.MixedRead({0: np.nan}), ValueError, "got nan for lag 0"),
        (lambda: ds.MixedRead({0: 1e308, 1: 1e308}), ValueError, "got the sum inf"),
        # What rounding could explain at this size is no sum of 1.
        (lambda: ds.MixedRead({0: 1e15, 1: -1e15}), ValueError, "got the sum 0.0"),
        (lambda: ds.MixedRead.partly_fresh("a", 2), TypeError, "share must be one finite number"),
        (lambda: ds.MixedRead.partly_fresh(np.inf, 2), ValueError, "share must be one finite"),
        (lambda: ds.MixedRead.partly_fresh(0.1, -2), ValueError, "delay must be an integer >= 0"),
    ],
)
def test_weights_that_are_none_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


READ = ds.MixedRead({0: -0.25, 2: 0.5, 5: 0.75})


def linear(optimizer, read=READ):
    """The same loop, its mixture in a table by hand: numbers without delay."""
    feedback, feedforward = optimizer.coefficients(0)
    mixed = {}
    for lag, value in feedforward:
        for late, weight in read.weights.items():
            mixed[lag + late] = mixed.get(lag + late, 0) + value * weight
    return ds.LinearOptimizer(dict(feedback), mixed)


@pytest.mark.slow
def test_every_question_about_a_mixture_is_that_about_its_table():
    for optimizer in (ds.SGD(), ds.Nesterov(0.75)):
        table = linear(optimizer)
        assert ds.stability_threshold(optimizer, READ) == pytest.approx(
            ds.stability_threshold(table, 0), rel=1e-13
        )
        assert ds.max_learning_rate(2, optimizer, READ) == pytest.approx(
            ds.max_learning_rate(2, table, 0), rel=1e-13
        )
        assert ds.fastest_gain(optimizer, READ) == pytest.approx(
            ds.fastest_gain(table, 0), rel=1e-6
        )
        assert ds.crossings(optimizer, READ).gains == pytest.approx(
            ds.crossings(table, 0).gains, rel=1e-12
        )
        noisy = {"curvature_noise": 0.25}
        assert ds.stability_threshold(optimizer, READ, **noisy) == pytest.approx(
            ds.stability_threshold(table, 0, **noisy), rel=1e-9
        )
        certificate = ds.certify(optimizer, READ, 15)
        assert certificate.lower < Fraction(ds.stability_threshold(optimizer, READ)) * (1 + 10**-9)
        assert certificate.verify()
        # Nothing is random, so that nothing is rare, and both moments agree.
        assert ds.stability_threshold(optimizer, READ, moment="mean-square") == (
            ds.stability_threshold(optimizer, READ)
        )
    momenta = np.array([0.25, 0.75])
    both = ds.stability_threshold(ds.HeavyBall(momenta), READ)
    assert list(both) == [ds.stability_threshold(ds.HeavyBall(m), READ) for m in momenta]
    rate = ds.adjust_learning_rate(0.1, ds.SGD(), 5, READ)
    ratio = ds.stability_threshold(ds.SGD(), READ) / ds.stability_threshold(ds.SGD(), 5)
    assert rate == pytest.approx(0.1 * ratio)
    largest = ds.max_momentum(0.01, 1.0, "heavy-ball", READ)
    assert ds.stability_threshold(ds.HeavyBall(largest), READ) == pytest.approx(0.01, rel=1e-9)
    with pytest.raises(ValueError, match="do not depend on the delay"):
        ds.stability_threshold(ds.ShiftedMomentum(0.5), READ)


@pytest.mark.slow
def test_every_entry_point_takes_a_mixture_or_says_why_not():
    """The questions of the laws of delays: as about its table, or refused in one line."""
    from tests.test_laws_everywhere import ENTRY_POINTS

    draws = {"DelayedOptimizer", "delayed", "plot.staleness_histogram"}
    # They put another optimizer into the loop, take the delay itself, or see noise elsewhere.
    others = {"max_momentum", "adjust_learning_rate", "recommend_learning_rate", "DelayAwareLR"}
    others |= {"probe_learning_rates"}
    others |= {"plot.momentum_map", "plot.implied_thresholds", "stationary_variance"}
    for name, ask in ENTRY_POINTS.items():
        if name in draws:
            with pytest.raises(ValueError, match="delay must be one delay"):
                ask(ds.HeavyBall(0.5), READ)
            continue
        found = np.ravel(np.asarray(ask(ds.HeavyBall(0.5), READ), dtype=float))
        assert np.isfinite(found).all()
        if name not in others:
            expected = np.ravel(np.asarray(ask(linear(ds.HeavyBall(0.5)), 0), dtype=float))
            assert found == pytest.approx(expected, rel=1e-9), name


@pytest.mark.slow
def test_a_mixture_with_numbers_has_a_derivation():
    for optimizer, weights in (
        (ds.SGD(), {0: Fraction(1, 4), 2: Fraction(3, 4)}),
        (ds.HeavyBall(Fraction(1, 2)), {0: Fraction(-1, 4), 1: Fraction(5, 4)}),
    ):
        derivation = ds.derive(optimizer, ds.MixedRead(weights))
        assert derivation.status() == "exact"
        found = float(derivation.theorem.statement.relation.rhs.evalf(20))
        assert found == pytest.approx(
            ds.stability_threshold(optimizer, ds.MixedRead(weights)), rel=1e-14
        )
    with pytest.raises(TypeError, match="a FixedDelay or a MixedRead"):
        ds.derive(ds.SGD(), ds.RandomDelay([0.5, 0.5]))


def simulated_variance(optimizer, read, gain, noise, decay=0.0, coupled=False):
    """Second moments of the iterate as the fixed point of the loop's own state, in a matrix."""
    feedback, feedforward = optimizer.coefficients(0)
    reach = 1 + max(read.weights) + max(lag for lag, _ in feedforward)
    # The state: w_t, w_{t-1}, ..., then u_{t-1}, u_{t-2}, ..., then noisy gradients g_{t-1}, ...
    size = 3 * reach
    step, kick = np.zeros((size, size)), np.zeros(size)
    seen = np.zeros(size)
    for lag, weight in read.weights.items():
        seen[lag] += float(weight)
    update, into = np.zeros(size), 0.0
    for lag, value in feedback:
        update[reach + lag - 1] += float(value)
    for lag, value in feedforward:
        if lag == 0:
            update += float(value) * gain * seen
            into += float(value)
            update[0] += float(value) * decay * coupled
        else:
            update[2 * reach + lag - 1] += float(value)
            update[lag] += float(value) * decay * coupled
    step[0] = -update
    step[0, 0] += 1 - decay * (not coupled)
    step[reach] = update
    step[2 * reach] = gain * seen
    kick[0], kick[reach], kick[2 * reach] = -into, into, 1.0
    for block in range(3):
        for k in range(1, reach):
            step[block * reach + k, block * reach + k - 1] = 1
    one = np.eye(size * size) - np.kron(step, step)
    one -= noise * gain**2 * np.outer(np.kron(kick, kick), np.kron(seen, seen))
    return np.linalg.solve(one, np.kron(kick, kick))[0]


@pytest.mark.parametrize("optimizer", [ds.SGD(), ds.Nesterov(0.5)])
def test_the_variance_under_a_mixture_is_that_of_its_moments(optimizer):
    read = ds.MixedRead({0: -0.25, 1: 0.5, 3: 0.75})
    gain = 0.3 * ds.stability_threshold(optimizer, read)
    for noise in (0.0, 0.2):
        found = ds.stationary_variance(optimizer, read, gain, curvature_noise=noise)
        assert found == pytest.approx(simulated_variance(optimizer, read, gain, noise), rel=1e-9)
    # A table of the same loop reads the same, but its noise passes through the mixture.
    other = ds.stationary_variance(linear(optimizer, read), 0, gain)
    assert other != pytest.approx(simulated_variance(optimizer, read, gain, 0.0), rel=1e-4)


def test_what_draws_delays_refuses_weights():
    for ask in (
        lambda: READ.sample(np.random.default_rng(0), 3),
        lambda: READ.pmf,
        lambda: READ.probability(2),
    ):
        with pytest.raises(ValueError, match="law of probabilities here"):
            ask()
    torch = pytest.importorskip("torch")
    weights = [torch.nn.Parameter(torch.ones(2))]
    with pytest.raises(ValueError, match="not gradients at a mixture of weights"):
        ds.delayed(torch.optim.SGD(weights, 0.1), delay=READ)
    with pytest.raises(ValueError, match="not gradients at a mixture of weights"):
        ds.DelayedOptimizer(weights, 0.1, ds.SGD(), delay=READ)


@pytest.mark.slow
def test_a_run_of_the_mixture_itself_is_on_the_predicted_side():
    random = np.random.default_rng(3)
    for _ in range(10):
        weights = mixture(random)
        read = ds.MixedRead(weights)
        threshold = ds.stability_threshold(ds.HeavyBall(0.5), read)
        for share, grows in ((0.97, False), (1.03, True)):
            iterates, update = [1.0] * 10, 0.0
            for _ in range(6000):
                gradient = sum(float(w) * iterates[-1 - lag] for lag, w in weights.items())
                update = 0.5 * update + share * threshold * gradient
                iterates.append(iterates[-1] - update)
                if abs(iterates[-1]) > 1e6:
                    break
            assert (max(map(abs, iterates[-20:])) > 1) == grows


@pytest.mark.slow
def test_mostly_fresh_reads_are_stable_for_every_sequence_of_delays():
    """Sharp, also beyond a share of 1, where the gradient is extrapolated forwards."""
    random = np.random.default_rng(4)
    for share in (0.55, 0.8, 1.0, 1.5):
        edge = min(2, 2 / (2 * share - 1))
        for gain, grows in ((0.995 * edge, False), (1.005 * edge, True)):
            # At random, and what is worst: always even delays, or always odd ones.
            for delays in ([0], [1], [2], random.integers(0, 8, 500)):
                iterates = list(np.cos(np.pi * np.arange(8)))
                for t in range(20_000):
                    late = iterates[-1 - delays[t % len(delays)]]
                    new = iterates[-1] - gain * (share * iterates[-1] + (1 - share) * late)
                    iterates = [*iterates[1:], new]
                    if abs(new) > 1e6:
                        break
                if not grows:
                    assert abs(iterates[-1]) < 1e-3
                elif len(delays) == 1 and delays[0] % 2 == (share > 1):
                    assert abs(iterates[-1]) > 1
