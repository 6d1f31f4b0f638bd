"""Second moments decided at a point: stationary variances in rational and in ball arithmetic."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from flint import arb, ctx, fmpq, fmpq_mat
from sympy import QQ, Poly, Symbol

from delaystability.theory.gain_loops import gain_loop
from delaystability.theory.sides import by_sides, claimed_value
from delaystability.theory.statement import Statement
from delaystability.theory.symbols import a, kappa, m, tau
from delaystability.theory.trial_points import Point, as_fraction, only_parameter
from delaystability.theory.unit_disc import all_roots_inside

__all__ = ["geometric_edge", "heavy_ball_variance", "mean_square_edge", "sgd_variance", "variance"]

_BITS = 384
_CLOSE = Fraction(1, 10**20)
"""A claimed variance is within this of the true one, relatively; it is computed to 45 digits."""


def sgd_variance(gain: Fraction, delay: int) -> Any:
    """The stationary variance of SGD under noise of variance 1, as a ball.

    The covariances obey gamma(k + 1) = gamma(k) - gain gamma(|delay - k|) for k >= 0: two of them,
    at lags with the sum delay + 1, lead to their outer neighbours. The scale follows from
    2 gain gamma(delay) - gain^2 gamma(0) = 1.
    """
    step = _ball(gain)
    low, high = arb(1), arb(1) if delay % 2 else 1 - step
    for _ in range((delay + 1) // 2):
        low, high = low + step * high, high - step * (low + step * high)
    # Lags 0 and delay + 1, and hence delay.
    last = high + step * low
    return low / (2 * step * last - step**2 * low)


def heavy_ball_variance(gain: Fraction, momentum: Fraction) -> Any:
    """The same for heavy ball without delay, from its three equations of Yule and Walker."""
    first = 1 + momentum - gain
    system = fmpq_mat(
        [
            [fmpq(1), -_rational(first), _rational(momentum)],
            [-_rational(first), _rational(1 + momentum), fmpq(0)],
            [_rational(momentum), -_rational(first), fmpq(1)],
        ]
    )
    return arb(system.solve(fmpq_mat([[fmpq(1)], [fmpq(0)], [fmpq(0)]]))[0, 0])


def _rational(value: Fraction) -> fmpq:
    return fmpq(value.numerator, value.denominator)


def _ball(value: Fraction) -> Any:
    return arb(_rational(value))


def _of(statement: Statement, point: Point, gain: Fraction) -> Any:
    """The variance of the statement's optimizer at a gain that is stable."""
    delay = int(point[tau])
    if statement.optimizer == "sgd":
        return sgd_variance(gain, delay)
    if statement.optimizer == "heavy-ball" and delay == 0:
        return heavy_ball_variance(gain, as_fraction(point[m]))
    raise ValueError(f"variances are known for sgd, and heavy-ball without delay; got {statement}")


def variance(statement: Statement, point: Point) -> str:
    """Decide a stationary variance at a point."""
    gain = as_fraction(point[a])
    unstable = gain_loop(statement.optimizer, point).stable_up_to(gain)
    if unstable:
        return unstable
    said, old = claimed_value(statement, point), ctx.prec
    ctx.prec = _BITS
    try:
        found = _of(statement, point, gain)
        wrong = abs(found / _ball(said) - 1) if said else arb(1)
        return (
            "" if wrong < _ball(_CLOSE) else f"the variance is {found.str(20)}, not {float(said)}"
        )
    finally:
        ctx.prec = old


def mean_square_edge(statement: Statement, point: Point) -> str:
    """Decide a threshold of the mean square, or the batch sharpness at it, at a point.

    A gain is stable exactly if it is in the mean and its noise, once around the loop, is below 1.
    """
    noise = as_fraction(point[kappa])
    unit = 1 + noise if statement.quantity == "batch-sharpness-edge" else Fraction(1)
    loop = gain_loop(statement.optimizer, point)

    def around(gain: Fraction) -> Any:
        return _ball(noise) * _ball(gain) ** 2 * _of(statement, point, gain)

    def decide(_: Point, low: Fraction, high: Fraction) -> str:
        low, high, old = low / unit, high / unit, ctx.prec
        ctx.prec = _BITS
        try:
            if low:
                unstable = loop.stable_up_to(low)
                if unstable or not around(low) < 1:
                    return unstable or f"the second moment grows at the gain {float(low)}"
            if low < high and loop.stable_up_to(high):
                return loop.ends_between(low, high)
            if low < high and not around(high) > 1:
                return f"the second moment shrinks at the gain {float(high)}"
            return ""
        finally:
            ctx.prec = old

    return by_sides(statement, point, decide)


def geometric_edge(statement: Statement, point: Point) -> str:
    """Decide the threshold of the mean square under geometric delays, by its exact moments."""
    q = only_parameter(statement, point)

    def decide(_: Point, low: Fraction, high: Fraction) -> str:
        if low and not _moments_shrink(q, low):
            return f"the second moment grows at the gain {float(low)}"
        if low < high and _moments_shrink(q, high):
            return f"the second moment shrinks at the gain {float(high)}"
        return ""

    return by_sides(statement, point, decide)


def _moments_shrink(q: Fraction, gain: Fraction) -> bool:
    """Whether E w^2, E w mu, E mu^2 and E s decay: s is the square of what an update reads.

    An update reads the iterate of the last one with probability q, else the newest, whose mean
    given the past is mu.
    """
    p = 1 - q
    one, none = Fraction(1), Fraction(0)
    square = [one, -2 * gain, none, gain**2]
    mixed = [none, one, -gain, none]
    rows = [
        square,
        [q * x + p * y for x, y in zip(mixed, square, strict=True)],
        [
            q**2 * e + 2 * q * p * x + p**2 * y
            for e, x, y in zip([none, none, one, none], mixed, square, strict=True)
        ],
        [q * e + p * y for e, y in zip([none, none, none, one], square, strict=True)],
    ]
    matrix = fmpq_mat([[_rational(entry) for entry in row] for row in rows])
    found = [QQ(int(entry.p), int(entry.q)) for entry in matrix.charpoly().coeffs()]
    return all_roots_inside(Poly(found[::-1], Symbol("z"), domain=QQ))
