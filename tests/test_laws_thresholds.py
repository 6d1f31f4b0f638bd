"""Thresholds and runs under a custom law of delays, against tables, filters and plain loops."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import sympy
import torch

import delaystability as ds
from delaystability.model.delay_schedule import delay_sequence, longest_delay
from delaystability.numerics.moments.second_moment import noise_amplification
from delaystability.validation.training import Replica, Rules, advance, initial_state
from tests.delay_laws import NegativeBinomialDelay, PoissonDelay
from tests.helpers import EPS
from tests.small_training import quadratic


@pytest.mark.parametrize("optimizer", [ds.SGD(), ds.HeavyBall(0.9)], ids=repr)
def test_two_steps_are_their_long_table(optimizer):
    law = NegativeBinomialDelay(2, 0.75)
    table = ds.RandomDelay(_normalised(law))
    for moment in ("mean", "mean-square"):
        found = ds.stability_threshold(optimizer, law, moment=moment)
        assert found == pytest.approx(
            ds.stability_threshold(optimizer, table, moment=moment), rel=1e-11
        )
    gain = 0.5 * ds.stability_threshold(optimizer, law, moment="mean-square")
    assert noise_amplification(optimizer, law, gain, 0.1) == pytest.approx(
        noise_amplification(optimizer, table, gain, 0.1), rel=1e-11
    )
    assert ds.stationary_variance(optimizer, law, gain) == pytest.approx(
        ds.stationary_variance(optimizer, table, gain), rel=1e-11
    )


def _normalised(law: ds.Delay) -> dict[int, float]:
    table = law.table(1e-16)
    total = sum(table.values())
    return {lag: chance / total for lag, chance in table.items()}


@pytest.mark.parametrize("ratio", [0.5, 0.75, 0.999, 1 - 2.0**-30])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_steps_in_a_row_are_filters_in_a_row(n, ratio):
    """The same loop as an optimizer without delay: its tables are powers of a polynomial."""
    r = Fraction(ratio)
    powers = sympy.Poly((1 - sympy.Rational(r) * sympy.Symbol("x")) ** n).all_coeffs()[::-1]
    feedback = {k: -Fraction(int(c.p), int(c.q)) for k, c in enumerate(powers) if k}
    filters = ds.LinearOptimizer(feedback, {0: (1 - r) ** n})
    found = ds.stability_threshold(ds.SGD(), NegativeBinomialDelay(n, ratio), moment="mean")
    assert found == pytest.approx(ds.stability_threshold(filters, 0), rel=4 * EPS)


def test_a_law_that_is_no_fraction_is_its_table_and_has_no_certificate():
    law = PoissonDelay(3.0)
    table = ds.RandomDelay(_normalised(law))
    for moment in ("mean", "mean-square"):
        assert ds.stability_threshold(ds.SGD(), law, moment=moment) == pytest.approx(
            ds.stability_threshold(ds.SGD(), table, moment=moment), rel=1e-12
        )
    with pytest.raises(ValueError, match=r"certificate.*PoissonDelay.*RandomDelay of its table"):
        ds.certify(ds.SGD(), law)
    # Against the formula: D = exp(3 (1/z - 1)), and the loop z - 1 + gain D.
    gain = ds.stability_threshold(ds.SGD(), law, moment="mean")
    (angle,) = ds.crossings(ds.SGD(), law).angles[:1]
    z = np.exp(1j * angle)
    assert abs(z - 1 + gain * np.exp(3 * (1 / z - 1))) < 1e-13


def test_laws_that_are_too_long_are_refused_in_their_own_name():
    with pytest.raises(ValueError, match="delay must"):
        ds.stability_threshold(ds.SGD(), PoissonDelay(1e9), moment="mean")
    with pytest.raises(ValueError, match="delay must"):
        ds.stability_threshold(ds.SGD(), NegativeBinomialDelay(80, 1 - 1e-6), moment="mean")
    with pytest.raises(ValueError, match="delay must span at most 64"):
        ds.fastest_gain(ds.SGD(), ds.RandomDelay(np.full(100, 0.01)))


def test_almost_sure_thresholds_of_equal_laws_agree_within_their_errors():
    one, other = (
        ds.almost_sure_threshold(ds.SGD(), law, updates=4000)
        for law in (ds.GeometricDelay(0.5), NegativeBinomialDelay(1, 0.5))
    )
    error = np.hypot(one.standard_error, other.standard_error)
    assert abs(one.value - other.value) < 4 * error
    assert one.value != other.value


# Training


def test_an_optimizer_with_a_law_of_its_own_goes_on_bit_for_bit(tmp_path):
    law = NegativeBinomialDelay(2, 0.5)

    def run(interrupted: bool) -> torch.Tensor:
        weight, loss = quadratic([1.0, 0.5], [1.0, -1.0])
        optimizer = ds.DelayedOptimizer([weight], 0.05, ds.HeavyBall(0.5), law, seed=3)
        for step in range(60):
            if interrupted and step == 30:
                torch.save(optimizer.state_dict(), tmp_path / "state")
                optimizer = ds.DelayedOptimizer([weight], 0.05, ds.HeavyBall(0.5), law, seed=3)
                optimizer.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
            optimizer.zero_grad()
            loss().backward()
            optimizer.step()
        applied = optimizer.applied_delays()
        expected = delay_sequence(law, 3, 0, 60)
        assert np.array_equal(applied, np.minimum(expected, np.arange(60)))
        return weight.detach()

    assert torch.equal(run(interrupted=True), run(interrupted=False))


def test_the_engine_trains_with_a_law_of_its_own():
    law, steps, rate = NegativeBinomialDelay(2, 0.5), 50, 0.1
    curvature = torch.tensor([[1.0, 0.3]], dtype=torch.float64)
    rules = Rules.pack([Replica(ds.SGD(), law, rate, seed=4)])
    start = torch.ones(1, 2, dtype=torch.float64)
    begin = initial_state(rules, start)
    state = advance(lambda weights: curvature * weights, rules, begin, [steps])
    weights = [start[0]]
    for t, delay in enumerate(delay_sequence(law, 4, 0, steps)):
        weights.append(weights[-1] - rate * curvature[0] * weights[max(0, t - int(delay))])
    assert torch.allclose(state.parameters[0], weights[-1], rtol=100 * EPS, atol=0)


def test_the_geometric_queue_is_as_long_as_in_older_states():
    # States that were saved before must fit: ceil(log(1e-12) / log(ratio)) rows.
    assert [longest_delay(ds.GeometricDelay(r)) for r in (0, 0.1, 0.5, 0.875)] == [0, 12, 40, 207]
