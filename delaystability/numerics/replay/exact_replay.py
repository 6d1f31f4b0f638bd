"""The stable gains of a short log, exactly.

The monodromy matrix M(a) of a period, on the iterates that are live, is a product of steps that are
affine and of rank one in the gain a, so the coefficients of its characteristic polynomial p(z, a)
have degree <= period in a; `stable_parameters` decides where its roots lie inside the circle.
"""

from __future__ import annotations

from fractions import Fraction

from flint import fmpq, fmpq_mat

from delaystability.numerics.exact.rational_polynomial import polynomial_through
from delaystability.numerics.exact.stable_parameters import stable_parameters
from delaystability.numerics.replay.live_loop import LiveLoop

__all__ = ["exact_stable_gains"]


def exact_stable_gains(loop: LiveLoop) -> tuple[tuple[float, float], ...]:
    """All open intervals of stable positive gains, each end rounded to a float.

    Parameters
    ----------
    loop : LiveLoop with Fractions
    """
    updates = [
        [(lag, _exact(present), _exact(read)) for lag, present, read in update]
        for update in loop.updates()
    ]
    values = [_characteristic(updates, loop.ages, gain) for gain in range(loop.period + 1)]
    return stable_parameters(
        [polynomial_through([row[power] for row in values]) for power in range(loop.size + 1)]
    )


def _characteristic(
    updates: list[list[tuple[int, fmpq, fmpq]]], ages: list[int], gain: int
) -> list[fmpq]:
    """Coefficients of p(z, gain), lowest power of z first."""
    # Each iterate as a combination of those that are live at the beginning.
    past = {-age: [fmpq(int(age == other)) for other in ages] for age in ages}
    for time, update in enumerate(updates):
        used = [(present + gain * read, past[time - lag]) for lag, present, read in update]
        past[time + 1] = [
            sum((factor * row[j] for factor, row in used if factor), fmpq(0))
            for j in range(len(ages))
        ]
    rows = [past[len(updates) - age] for age in ages]
    polynomial = fmpq_mat(len(ages), len(ages), [value for row in rows for value in row]).charpoly()
    return [polynomial[power] for power in range(len(ages) + 1)]


def _exact(value: Fraction | int) -> fmpq:
    return fmpq(value.numerator, value.denominator)
