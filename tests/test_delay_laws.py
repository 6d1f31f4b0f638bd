"""A law of delays is six methods that agree with each other; one formula serves all numbers."""

from __future__ import annotations

from fractions import Fraction
from math import exp, inf, isinf
from typing import Any

import flint
import mpmath
import numpy as np
import pytest
import sympy

import delaystability as ds
from delaystability.model.circle_value import CircleValue, minus_one
from delaystability.model.delay_data import delay_from_dict, delay_to_dict
from delaystability.model.delay_schedule import delay_sequence, longest_delay
from delaystability.model.rational_function import Z
from tests.delay_laws import LAWS, ConstantDelay, NegativeBinomialDelay, PoissonDelay, ShiftedDelay
from tests.helpers import EPS

each_law = pytest.mark.parametrize("law", LAWS, ids=repr)


# The six methods agree with each other


@each_law
def test_the_generating_function_and_the_mean_are_those_of_the_probabilities(law):
    lags = np.arange(400)
    chances = np.asarray(law.probability(lags), dtype=float)
    assert chances.sum() == pytest.approx(1, abs=64 * EPS)
    assert float(law.mean) == pytest.approx((lags * chances).sum(), rel=64 * EPS)
    for z in (1.25 * np.exp(0.7j), np.exp(-2j)):
        assert law.generating_function(z) == pytest.approx((chances * z**-lags).sum(), abs=1e-13)
    assert [float(law.probability(k)) for k in (0, 3, 4)] == chances[[0, 3, 4]].tolist()
    assert law.probability(-1) == 0
    assert not np.any(law.probability(np.array([-2, -1])))


@each_law
@pytest.mark.parametrize("mass", [0.9, 0.5, 1e-3, 1e-9])
def test_the_horizon_is_the_least_delay_beyond_which_this_mass_is_left(law, mass):
    horizon = law.horizon(mass)
    chances = np.asarray(law.probability(np.arange(1000)), dtype=float)

    def left(delay: float) -> float:
        return float(chances[int(delay) + 1 :].sum())

    assert left(horizon) <= mass * (1 + 1e-6)
    assert horizon == 0 or left(horizon - 1) > mass * (1 - 1e-6)


@each_law
def test_the_least_and_the_largest_delay_are_the_first_and_last_of_the_table(law):
    chances = np.asarray(law.probability(np.arange(1000)), dtype=float)
    possible = np.flatnonzero(chances)
    assert law.minimum == possible[0]
    assert law.horizon(0) == law.maximum
    assert isinf(law.maximum) or law.maximum == possible[-1]
    assert law.is_fixed == (len(possible) == 1)
    if isinf(law.maximum):
        with pytest.raises(ValueError, match="infinitely many delays"):
            _ = law.pmf


@each_law
def test_samples_have_the_probabilities_of_the_law(law):
    drawn = law.sample(np.random.default_rng(5), 20_000)
    assert drawn.shape == (20_000,)
    for lag in range(law.minimum, law.minimum + 4):
        # Five standard errors of a share.
        chance = float(law.probability(lag))
        assert abs((drawn == lag).mean() - chance) <= 5 * np.sqrt(0.25 / 20_000)
    sequence = delay_sequence(law, 1, 0, 3000)
    assert sequence.max() <= longest_delay(law)
    assert np.array_equal(delay_sequence(law, 1, 100, 50), sequence[100:150])


@each_law
def test_a_law_comes_back_from_its_plain_data(law):
    assert delay_from_dict(delay_to_dict(law)).kind == law.kind
    assert delay_from_dict(delay_to_dict(law), type(law)) == law


def test_laws_are_written_as_they_always_were():
    assert delay_to_dict(ds.FixedDelay(4)) == {"kind": "fixed", "delay": 4}
    assert delay_to_dict(ds.GeometricDelay(Fraction(3, 4))) == {
        "kind": "geometric",
        "ratio": (3, 4),
    }
    assert delay_to_dict(ds.RandomDelay([0.25, 0.75])) == {
        "kind": "random",
        "pmf": {0: 0.25, 1: 0.75},
    }
    assert delay_to_dict(ds.MeasuredDelay([1, 2]))["kind"] == "measured"
    old = {"kind": "random", "pmf": {1: (1, 3), 4: (2, 3)}}
    assert delay_from_dict(old) == ds.RandomDelay({1: Fraction(1, 3), 4: Fraction(2, 3)})


def test_data_of_no_law_are_refused():
    with pytest.raises(ValueError, match="kind.*geometric.*got 'weibull'.*custom law"):
        delay_from_dict({"kind": "weibull", "shape": 2.0})
    with pytest.raises(TypeError, match="rate"):
        delay_from_dict({"kind": "geometric", "rate": 0.5})

    class ForgetfulDelay(NegativeBinomialDelay):
        def to_dict(self):
            return {"n": self.n}

    with pytest.raises(TypeError, match=r"to_dict\(\).*without ratio"):
        delay_to_dict(ForgetfulDelay(2, 0.5))


# One formula, any number type


@pytest.mark.parametrize("law", LAWS[:9] + LAWS[-2:], ids=repr)
def test_a_formula_takes_fractions_symbols_balls_and_arrays(law):
    z = sympy.Symbol("z")
    expected = complex(law.generating_function(1.25 + 0.5j))
    assert law.generating_function(np.array([1.25 + 0.5j, 2.0]))[0] == pytest.approx(expected)
    assert complex(law.generating_function(flint.acb(1.25, 0.5))) == pytest.approx(expected)
    assert complex(law.generating_function(mpmath.mpc(1.25, 0.5))) == pytest.approx(expected)
    symbolic = sympy.sympify(law.generating_function(z)).subs(z, 1.25 + 0.5 * sympy.I)
    assert complex(symbolic.evalf()) == pytest.approx(expected)
    numerator, denominator = (
        sum(value * (1.25 + 0.5j) ** -lag for lag, value in table.items())
        for table in law.rational_tables()
    )
    assert complex(numerator / denominator) == pytest.approx(expected, rel=1e-13)


def test_exact_parameters_give_exact_values():
    law = ds.GeometricDelay(Fraction(3, 4))
    assert law.generating_function(Fraction(3, 2)) == Fraction(1, 2)
    assert law.probability(2) == Fraction(9, 64)
    assert law.probability(np.array([0, 2])).tolist() == [Fraction(1, 4), Fraction(9, 64)]
    assert law.rational_tables() == (
        {0: Fraction(1, 4)},
        {0: Fraction(1), 1: Fraction(-3, 4)},
    )


def test_a_formula_writes_down_its_own_tables():
    numerator, denominator = NegativeBinomialDelay(2, 0.25).rational_tables()
    assert numerator == {0: Fraction(9, 16)}
    assert denominator == {0: 1, 1: Fraction(-1, 2), 2: Fraction(1, 16)}
    assert ShiftedDelay(1, 0.5, 7).rational_tables() == (
        {7: Fraction(1, 2)},
        {0: 1, 1: Fraction(-1, 2)},
    )
    assert PoissonDelay(2.0).rational_tables() is None
    assert NegativeBinomialDelay(65, 0.5).rational_tables() is None
    assert NegativeBinomialDelay(65, 0.5).tables()[1] == {0: 1}


@pytest.mark.parametrize("z", [Z, CircleValue.variable(np.array([0.1, 2.0]))], ids=["Z", "circle"])
def test_what_is_no_fraction_of_polynomials_is_refused(z):
    for formula in (
        lambda z: np.exp(z),
        lambda z: z**0.5,
        lambda z: z**1j,
        lambda z: 1.5j * z,
        lambda z: z + np.ones(2),
        lambda z: 2.0**z,
    ):
        with pytest.raises(TypeError):
            formula(z)


@pytest.mark.parametrize("random_seed", range(4))
def test_random_formulas_are_the_same_on_the_circle_and_in_their_tables(random_seed):
    random = np.random.default_rng(random_seed)
    angles = random.uniform(0, np.pi, 5)
    points = np.exp(1j * angles)

    def formula(z: Any) -> Any:
        r, s, p = (float(value) for value in ratios)
        first = (1 - r) / (1 - r / z)
        return p * first**2 / z**3 + (1 - p) * (1 - s) * z**-2 / (1 - s * z ** np.int64(-1))

    ratios = random.uniform(0.1, 0.9, 3)
    found, tables = formula(CircleValue.variable(angles)), formula(Z)
    direct = formula(points)
    assert points**-found.lag * found.total == pytest.approx(direct, rel=1e-13)
    parts = [
        sum(float(value) * points**-lag for lag, value in table.items())
        for table in (tables.numerator, tables.denominator)
    ]
    assert parts[0] / parts[1] == pytest.approx(direct, rel=1e-12)


# Values next to z = 1, against sixty digits


def _slow_values(law: Any, angle: float) -> tuple[mpmath.mpc, mpmath.mpf]:
    """D and 1 - |D|^2 by the formula as it is written, with the law's own binary numbers."""
    with mpmath.workdps(80):
        z = mpmath.expj(mpmath.mpf(angle))
        ratio = mpmath.mpf(law.ratio)
        value = ((1 - ratio) / (1 - ratio / z)) ** getattr(law, "n", 1)
        value *= z ** -getattr(law, "shift", 0)
        return value, 1 - abs(value) ** 2


@pytest.mark.parametrize(
    "law",
    [
        ds.GeometricDelay(0.1),
        ds.GeometricDelay(1 - 2.0**-53),
        NegativeBinomialDelay(2, 0.75),
        NegativeBinomialDelay(5, 1 - 2.0**-40),
        NegativeBinomialDelay(64, 0.99),
        ShiftedDelay(2, 0.75, 1000),
        ShiftedDelay(1, 0.999999, 10**6),
    ],
    ids=repr,
)
def test_values_on_the_circle_keep_their_digits_next_to_one(law):
    angles = np.array([1e-200, 1e-17, 1e-12, 1e-8, 1e-6, 1e-3, 0.1, 1.0, 3.0, np.pi])
    values, spread = law.on_circle(angles)
    order = getattr(law, "n", 1)
    for angle, value, lost in zip(angles, values, spread, strict=True):
        exact, exact_loss = _slow_values(law, float(angle))
        # A power of n magnifies n times; the certain part turns by shift times an angle.
        turn = getattr(law, "shift", 0) * float(angle)
        error = abs(mpmath.mpmathify(complex(value)) - exact) / abs(exact)
        assert error <= (16 * order + 2 * turn) * EPS
        # 1 - |D|^2 is a difference of terms up to 1 + n ratio times as large.
        if float(exact_loss) > 1e-300:
            assert abs(float(lost) - exact_loss) <= 16 * order * (1 + order) * EPS * exact_loss


def test_the_direct_formula_loses_what_the_values_keep():
    law, angles = NegativeBinomialDelay(2, 1 - 2.0**-40), np.array([1e-6])
    exact = complex(_slow_values(law, 1e-6)[0])
    direct = law.generating_function(np.exp(1j * angles))[0]
    assert abs(exact - direct) > 1e-12 * abs(exact)
    assert abs(exact - law.on_circle(angles)[0][0]) < 1e-15 * abs(exact)


def test_a_law_may_choose_its_name_in_files():
    class Delayed(NegativeBinomialDelay):
        kind = "two queues"

    assert delay_to_dict(Delayed(2, 0.5))["kind"] == "two queues"
    assert delay_from_dict(delay_to_dict(Delayed(2, 0.5))) == Delayed(2, 0.5)
    assert [law.kind for law in LAWS[-3:]] == ["poisson", "constant", "shifted"]


def test_sparse_laws_have_sparse_tables():
    law = ds.RandomDelay({1: 0.5, 10**9: 0.5})
    assert law.table(0) == law.pmf
    assert law.table(0.5) == {1: 0.5}
    assert ConstantDelay(10**9).is_fixed
    with pytest.raises(ValueError, match="define `minimum`"):
        ds.stability_threshold(ds.SGD(), PoissonDelay(1e9), moment="mean")


def test_infinite_horizons_are_not_asked_for_tables():
    assert ds.GeometricDelay(1 - 2.0**-53).horizon(exp(-1)) == pytest.approx(2.0**53, rel=1e-12)
    assert ds.GeometricDelay(Fraction(10**20 - 1, 10**20)).horizon(exp(-1)) == pytest.approx(1e20)
    with pytest.raises(ValueError, match="at most 4194304 delays"):
        ds.GeometricDelay(1 - 1e-9).table(1e-3)
    assert ds.GeometricDelay(0.5).horizon(0) == inf


def test_far_lags_lose_no_digits_on_the_circle():
    angles, lags = np.array([1e-12, 3e-7, 0.7, np.pi]), np.array([1.0, 3.0, 2.0**28 + 1])
    found = minus_one(lags, angles)
    with mpmath.workdps(40):
        for i, angle in enumerate(angles):
            for k, lag in enumerate(lags):
                exact = mpmath.expm1(-1j * mpmath.mpf(angle) * mpmath.mpf(lag))
                # Sine, versed sine and what an angle has lost: a rounding or two each.
                assert abs(found[i, k] - exact) <= 4 * EPS * abs(exact), (angle, lag)
    # Negative control: the plain formula loses digits next to 1 and at far lags.
    plain = np.exp(-1j * angles[:, None] * lags) - 1
    assert abs(plain[1, 0] - found[1, 0]) > 1e-12 * abs(found[1, 0])
    assert abs(plain[2, 2] - found[2, 2]) > 1e-10
