"""Sums along the unit circle, and what is said about their errors, against mpmath."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest
from numpy.typing import NDArray

from delaystability.numerics.tables.table_rows import TableRows

ARRAYS = np.random.default_rng(7)
TABLES = {
    "two far lags": ([0, 4095], [1.0, -1.0]),
    "three very far lags": ([0, 1, 65535], [0.3, 0.9, -1.2]),
    "a few lags": (range(40), ARRAYS.normal(size=40)),
    "a long law": (range(400), np.full(400, 1 / 400)),
    "a long table with a gap": ([0, *range(100, 400)], ARRAYS.normal(size=301)),
    "one heavy far lag": (range(500), [*np.full(499, 1e-30), 1.0]),
}
NEAR_ONE = 10.0 ** np.arange(-9, 0)


def slow_sums(table: TableRows, theta: float) -> tuple[Any, Any]:
    """The sum and z times its derivative with 40 digits, as they are written."""
    angle = mpmath.mpf(theta)
    terms = [
        (int(lag), mpmath.mpf(float(value)) * mpmath.expj(-int(lag) * angle))
        for lag, value in zip(table.lags, table.values[0], strict=True)
    ]
    return mpmath.fsum(term for _, term in terms), mpmath.fsum(-lag * term for lag, term in terms)


def errors(table: TableRows, theta: NDArray[np.float64]) -> tuple[NDArray[Any], NDArray[Any]]:
    """How far both sums of `at` are off."""
    with mpmath.workdps(40):
        exact = [slow_sums(table, angle) for angle in theta]
        return tuple(
            np.array([float(abs(mpmath.mpc(a) - b[k])) for a, b in zip(found, exact, strict=True)])
            for k, found in enumerate(table.at(theta, slope=True))
        )  # type: ignore[return-value]


@pytest.mark.quick(2)
@pytest.mark.parametrize("name", TABLES)
def test_sums_are_as_near_as_they_say(name: str) -> None:
    """Also where a lag times an angle is many turns, whose rounding is seen in the sum."""
    lags, values = TABLES[name]
    table = TableRows.of(np.array(lags, dtype=float), np.array(values))
    theta = np.concatenate([ARRAYS.uniform(0, np.pi, 12), NEAR_ONE, [3.0]])
    off, turned_off = errors(table, theta)
    claimed = table.error_at(theta)
    assert np.all(off <= claimed)
    moment = TableRows.of(table.lags, -table.lags * table.values)
    assert np.all(turned_off <= moment.error_at(theta))
    # What is said is not so much that it says nothing.
    assert np.all(claimed <= 1e-10 * table.size[0])


def test_a_claim_that_forgets_the_rounded_angle_would_be_caught() -> None:
    lags, values = TABLES["three very far lags"]
    table = TableRows.of(np.array(lags, dtype=float), np.array(values))
    off, _ = errors(table, np.linspace(1, 3, 12))
    assert np.any(off > table.error[0])


@pytest.mark.slow
def test_a_split_table_is_the_table_and_more_accurate() -> None:
    """The same terms at a time, once by two short rows of sines and once by a row of all."""
    lags, values = np.arange(400.0), np.full(400, 1 / 400)
    whole = TableRows.of(lags, values)
    pair = TableRows.of(lags, np.stack([values, values]))
    theta = np.concatenate([ARRAYS.uniform(0, np.pi, 12), NEAR_ONE])
    assert whole._long is not None and pair._long is None
    direct = pair.at(theta, np.zeros(theta.size, dtype=np.intp), slope=True)
    for mine, other in zip(whole.at(theta, slope=True), direct, strict=True):
        np.testing.assert_allclose(mine, other, rtol=0, atol=whole.span * 1e-13)
    assert errors(whole, theta)[0].max() < errors(pair, theta)[0].max()
