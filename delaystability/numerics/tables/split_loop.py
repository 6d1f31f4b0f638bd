"""A loop with a fixed delay as two short tables and one long delay between them, for many loops.

    f(z) = near(z) + z^-delay far(z),  near = (z - 1) A(z) + S(z),  far = (z - 1) L(z) + gain B(z)

S is what the decay of weights adds: a multiple of A or of B, and else 0. The terms of A that are as
late as the delay (those of shifted momentum) are in L. What is found
from the two tables costs the same at every delay. Near z = 1 the tables are summed as their value
there plus a remainder, so that nothing cancels. All arrays have the loops along the first axis.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delaystability.model.catalogue import Optimizer
from delaystability.model.loop import NO_DECAY, Decay

__all__ = ["SplitLoop", "Terms", "split_loop"]

Array = NDArray[np.float64]
Complex = NDArray[np.complexfloating[Any, Any]]
_SHORT = 64
"""Lags up to here belong to the near table, and to the far one if they follow the delay."""


@dataclass(frozen=True, eq=False)
class Terms:
    """Sums over j of values_j z^-j, one for each loop.

    Attributes
    ----------
    lags : integer array of shape (terms,)
    values : array of shape (loops, terms)
    at_one : array of shape (loops, 1), the sums at z = 1
    """

    lags: NDArray[np.int64]
    values: Array
    at_one: Array

    @classmethod
    def of(cls, table: dict[int, Array], loops: int) -> Terms:
        """From a mapping of lags to one coefficient for each loop."""
        lags = np.array(sorted(table), dtype=np.int64)
        values = np.zeros((loops, lags.size))
        for column, lag in enumerate(lags):
            values[:, column] = table[int(lag)]
        return cls(lags, values, _compensated_sum(values)[:, None])

    def at(self, zeta: Complex) -> Complex:
        """The sums at z = exp(zeta), of the shape of zeta: (loops, points)."""
        total = np.asarray(self.at_one + np.zeros_like(zeta))
        for lag, value in zip(self.lags, self.values.T, strict=True):
            if lag:
                total += value[:, None] * np.expm1(-lag * zeta)
        return total

    def slope(self, zeta: Complex) -> Complex:
        """The derivatives by zeta."""
        total = np.zeros_like(zeta)
        for lag, value in zip(self.lags, self.values.T, strict=True):
            if lag:
                total -= lag * value[:, None] * np.exp(-lag * zeta)
        return total

    def size(self, zeta: Complex) -> Array:
        """What the rounding errors of `at` are relative to: the sum of the moduli it adds."""
        total = np.abs(self.at_one) + np.zeros(zeta.shape)
        for lag, value in zip(self.lags, self.values.T, strict=True):
            if lag:
                total += np.abs(value[:, None] * np.expm1(-lag * zeta))
        return total

    def dense(self) -> Array:
        """Coefficients over the lags 0, 1, 2, ..., of shape (loops, largest lag + 1)."""
        table = np.zeros((len(self.values), int(self.lags[-1]) + 1 if self.lags.size else 1))
        table[:, self.lags] = self.values
        return table

    def rows(self, index: Any) -> Terms:
        """The same for some of the loops."""
        return Terms(self.lags, self.values[index], self.at_one[index])


@dataclass(frozen=True, eq=False)
class SplitLoop:
    """Many loops of one pair of lag patterns.

    Attributes
    ----------
    pole, late, zero : Terms
        A, L and gain B.
    delay : array of shape (loops, 1)
    still : Terms
        S, without any where no weights decay.
    """

    pole: Terms
    late: Terms
    zero: Terms
    delay: Array
    still: Terms

    def near(self, zeta: Complex) -> Complex:
        """(z - 1) A + S."""
        near = np.expm1(zeta) * self.pole.at(zeta)
        return np.asarray(near + self.still.at(zeta) if self.decays else near)

    @property
    def decays(self) -> bool:
        """Whether weights decay."""
        return bool(self.still.lags.size)

    def near_terms(self) -> Array:
        """Near as coefficients over the lags -1, 0, 1, ..., of shape (loops, lags)."""
        pole, still = self.pole.dense(), self.still.dense()
        total = np.zeros((len(pole), 1 + max(pole.shape[1], still.shape[1])))
        total[:, : pole.shape[1]] += pole
        total[:, 1 : 1 + pole.shape[1]] -= pole
        total[:, 1 : 1 + still.shape[1]] += still
        return total

    def far(self, zeta: Complex) -> Complex:
        """(z - 1) L + gain B."""
        if not self.late.lags.size:
            return self.zero.at(zeta)
        return np.asarray(np.expm1(zeta) * self.late.at(zeta) + self.zero.at(zeta))

    def slope(self, zeta: Complex) -> Complex:
        """The derivative of log(near) + delay zeta - log(far): of log gain where L is empty."""
        near = self.near_slope(zeta)
        return np.asarray(near + self.delay - self.far_slope(zeta) / self.far(zeta))

    def near_slope(self, zeta: Complex) -> Complex:
        """The derivative of log(near) by zeta."""
        if not self.decays:
            near = np.exp(zeta) / np.expm1(zeta) + self.pole.slope(zeta) / self.pole.at(zeta)
            return np.asarray(near)
        slope = np.exp(zeta) * self.pole.at(zeta) + np.expm1(zeta) * self.pole.slope(zeta)
        return np.asarray((slope + self.still.slope(zeta)) / self.near(zeta))

    def near_size(self, zeta: Complex) -> Array:
        """What the rounding errors of near are relative to, over near."""
        if not self.decays:
            return np.asarray(self.pole.size(zeta) / np.abs(self.pole.at(zeta)))
        size = np.abs(np.expm1(zeta)) * self.pole.size(zeta) + self.still.size(zeta)
        return np.asarray(size / np.abs(self.near(zeta)))

    def far_slope(self, zeta: Complex) -> Complex:
        """The derivative of far by zeta."""
        slope = self.zero.slope(zeta)
        if self.late.lags.size:
            slope = slope + np.exp(zeta) * self.late.at(zeta)
            slope = slope + np.expm1(zeta) * self.late.slope(zeta)
        return np.asarray(slope)

    def mismatch(self, zeta: Complex) -> Complex:
        """log(-near/far) + delay zeta, zero at a root; its imaginary part in (-pi, pi]."""
        # The moduli apart: their quotient may overflow.
        near, far = self.near(zeta), self.far(zeta)
        real = np.log(np.abs(near)) - np.log(np.abs(far)) + self.delay * zeta.real
        turn = np.angle(-near) - np.angle(far) + self.delay * zeta.imag
        return np.asarray(real + 1j * (np.mod(turn + np.pi, 2 * np.pi) - np.pi))

    def rounding(self, zeta: Complex) -> Array:
        """A bound on the rounding error of `mismatch` near a root."""
        far = self.zero.size(zeta)
        if self.late.lags.size:
            far = far + np.abs(np.expm1(zeta)) * self.late.size(zeta)
        # exp(zeta) and the logarithms are wrong by an ulp or so, as are delay times zeta.
        terms = self.near_size(zeta) + far / np.abs(self.far(zeta))
        turns = self.delay * np.abs(zeta)
        logarithms = np.abs(np.log(np.abs(self.near(zeta)))) + np.abs(np.log(np.abs(far)))
        return np.asarray(np.finfo(np.float64).eps * (4 * terms + turns + logarithms + 8))

    def far_terms(self) -> tuple[Array, int]:
        """Far as coefficients, of shape (loops, lags), and the lag of the first of them."""
        zero = self.zero.dense()
        if not self.late.lags.size:
            return zero, 0
        late = self.late.dense()
        total = np.zeros((len(zero), max(zero.shape[1], late.shape[1]) + 1))
        total[:, 1 : 1 + zero.shape[1]] += zero
        total[:, 1 : 1 + late.shape[1]] -= late
        total[:, : late.shape[1]] += late
        return total, -1

    def rows(self, index: Any) -> SplitLoop:
        """Some of the loops."""
        pole, late, zero, still = (
            table.rows(index) for table in (self.pole, self.late, self.zero, self.still)
        )
        return SplitLoop(pole, late, zero, self.delay[index], still)

    @property
    def degree(self) -> int:
        """The largest degree of the characteristic polynomials."""
        late = int(max(self.zero.lags[-1], self.late.lags[-1] if self.late.lags.size else 0))
        early = int(max(self.pole.lags[-1], self.still.lags[-1] if self.decays else 0))
        return 1 + max(early, int(self.delay.max(initial=0)) + late)


def split_loop(
    optimizer: Optimizer, delay: Any, gain: Array, decay: Decay = NO_DECAY
) -> SplitLoop | None:
    """The loops of an optimizer at delays and gains of one shape (loops,).

    Parameters
    ----------
    optimizer : Optimizer with numbers, or arrays of the shape (loops,), as parameters
    delay : integer array of shape (loops,)
    gain : array of shape (loops,)
    decay : Decay
        Its amount a number, or an array of shape (loops,).

    Returns
    -------
    SplitLoop or None
        None if a lag is neither short nor close to the delay, or those that are close to it decay.
    """
    loops = len(gain)
    single = int(delay[0]) if loops == 1 else delay
    feedback, feedforward = optimizer.coefficients(single)
    pole: dict[int, Array] = {0: np.ones(loops)}
    late: dict[int, Array] = {}
    zero: dict[int, Array] = {}
    for lag, value in feedback:
        offset = _constant(np.asarray(lag) - single) if np.ndim(lag) or lag > _SHORT else None
        table, place = (pole, lag) if offset is None else (late, offset)
        if np.ndim(place) or (place > _SHORT):
            return None
        _add(table, int(place), -np.asarray(value, dtype=np.float64), loops)
    for lag, value in feedforward:
        if np.ndim(lag) or lag > _SHORT:
            return None
        _add(zero, int(lag), np.asarray(value, dtype=np.float64), loops)
    if late and (min(late) < 0 or (decay and not decay.coupled)):
        return None
    still = {lag: value + np.zeros(loops) for lag, value in decay.table(pole, zero).items()}
    forward, column = Terms.of(zero, loops), gain[:, None]
    return SplitLoop(
        Terms.of(pole, loops),
        Terms.of(late, loops),
        replace(forward, values=forward.values * column, at_one=forward.at_one * column),
        np.asarray(delay, dtype=np.float64)[:, None],
        Terms.of(still, loops),
    )


def _constant(offset: Any) -> int | None:
    """The one value of an array, or None."""
    values = np.unique(offset)
    return int(values[0]) if values.size == 1 else None


def _add(table: dict[int, Array], lag: int, value: Array, loops: int) -> None:
    table[lag] = table.get(lag, np.zeros(loops)) + np.broadcast_to(value, (loops,))


def _compensated_sum(values: Array) -> Array:
    """Sums of rows, rounded about once (Neumaier)."""
    total, lost = np.zeros(len(values)), np.zeros(len(values))
    for column in values.T:
        added = total + column
        larger = np.abs(total) >= np.abs(column)
        lost += np.where(larger, (total - added) + column, (column - added) + total)
        total = added
    return total + lost
