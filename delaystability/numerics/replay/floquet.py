"""The growth rate of a periodic loop at a gain: its dominant Floquet multiplier.

A few orthonormal states are carried over a period, again and again, until the multiplier settles.
"""

from __future__ import annotations

from math import exp, inf, log
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from delaystability.numerics.replay.block_solver import block_solver
from delaystability.numerics.replay.live_loop import LiveLoop
from delaystability.numerics.replay.loop_states import carried, orthonormal
from delaystability.numerics.replay.periodic_loop import PeriodicLoop

__all__ = ["FloquetGrowth", "Growth", "LiveGrowth"]

Array = NDArray[np.float64]

_WHOLE, _SMALL = 32, 2048  # Up to this reach, and updates times reach, all directions are carried.
_TURN, _SEPARATE = 2, 8  # reaches of a turn; those after which few directions are left
_DIRECTIONS, _FEW = 8, 3
_PASSES, _WHOLE_PASSES = 4, 200  # until the multiplier settles
_KRYLOV, _RESTARTS = 48, 10  # directions, and how often they are begun anew
_DENSE = 512  # Up to this reach all multipliers are computed where a few do not settle.
_LONG = 500_000  # updates of a turn times reach, from which on scans are coarse
_START = 50.0  # nats: more than an unfortunate start costs within a turn
_RUN_IN = 1024  # updates before a turn, a quarter of it at most, which align the states
_ROUGHLY = 0.01
_SETTLED = 1e-10  # of the logarithm of the multiplier of a turn
_RESIDUAL = 1e-12  # of a multiplier and its direction


class Growth(Protocol):
    """Growth rates of one loop at any gain.

    Attributes
    ----------
    period : int
        Updates after which multipliers are taken.
    short : bool
        Whether all directions are carried, so that a rate is cheap and scans can be fine.
    long : bool
        Whether a rate is so expensive that scans have to be coarse.
    """

    period: int
    short: bool
    long: bool

    def rate(self, gain: float) -> float:
        """``ln |largest multiplier|`` over the updates of its period; -inf where it vanishes."""

    def rate_and_sign(self, gain: float, *, rough: bool = False) -> tuple[float, int]:
        """The rate, and the sign of the largest multiplier: 0 where it is not real.

        A rough rate may be off where multipliers are close to each other in size.
        """


class LiveGrowth:
    """Growth from all multipliers, of a short period that reaches so far that many are alike.

    See `Growth`.
    """

    short, long = False, True

    def __init__(self, live: LiveLoop) -> None:
        self.period, self._live = live.period, live

    def rate(self, gain: float) -> float:
        """See `Growth`."""
        return self.rate_and_sign(gain)[0]

    def rate_and_sign(self, gain: float, *, rough: bool = False) -> tuple[float, int]:
        """See `Growth`; no rate is rough."""
        found = self._live.multipliers(np.array([gain]))
        first = found.scaled[0, np.abs(found.scaled[0]).argmax()]
        sign = int(np.sign(first.real)) if first.imag == 0 else 0
        return float(found.growth[0]) / self.period, sign


class FloquetGrowth:
    """Growth from a few directions; a gain starts from those of the last one. See `Growth`.

    Attributes
    ----------
    period : int
        Updates of a turn: an odd number of periods of the loop.
    """

    def __init__(self, loop: PeriodicLoop) -> None:
        self.short = loop.reach <= _WHOLE and loop.period * loop.reach <= _SMALL
        # Directions part from each other while an iterate is in reach, not while a period lasts. An
        # odd number of periods keeps the sign of a multiplier.
        turns = 1 if self.short else -(-_TURN * loop.reach // loop.period) // 2 * 2 + 1
        self.period, self.reach = turns * loop.period, loop.reach
        self.long = self.period * self.reach > _LONG
        self._solver = block_solver(loop.repeated(turns) if turns > 1 else loop)
        count = min(self.reach, _FEW if self.period > _SEPARATE * self.reach else _DIRECTIONS)
        generator = np.random.default_rng(0)
        self._states: Array = orthonormal(generator.standard_normal((self.reach, count)))[0]

    def rate(self, gain: float) -> float:
        """See `Growth`."""
        return self.rate_and_sign(gain)[0]

    def rate_and_sign(self, gain: float, *, rough: bool = False) -> tuple[float, int]:
        """See `Growth`."""
        before, found, sign = inf, -inf, 0
        states = np.eye(self.reach) if self.short else self._states
        if not self.short:
            begin = self.period - min(_RUN_IN, self.period // 4)
            states = carried(self._solver, states, gain, begin, self.period)[0]
        for _ in range(_WHOLE_PASSES if self.short else _PASSES):
            after, triangle, scale = carried(self._solver, states, gain, 0, self.period)
            values, vectors = np.linalg.eig((states.T @ after) @ triangle)
            place = np.argmax(np.abs(values))
            first, vector = values[place], vectors[:, place]
            largest = float(abs(first))
            sign = int(np.sign(first.real)) if first.imag == 0 else 0
            found = log(largest) + scale if largest > 0 else -inf
            if found == -inf or (rough and abs(found) > _START):
                break
            away = np.linalg.norm(after @ (triangle @ vector) - first * (states @ vector))
            if away <= (_ROUGHLY**2 if rough else _RESIDUAL) * largest:
                break
            size = abs(found) if rough else max(1.0, abs(found))
            if abs(found - before) <= (_ROUGHLY**2 if rough else _SETTLED) * size:
                break
            states, before = after, found
        else:
            if not self.short:
                found, sign = self._by_arnoldi(states, gain, found, rough)
        if np.isfinite(found):
            self._states = after[:, : self._states.shape[1]]
        return found / self.period, sign

    def _by_arnoldi(
        self, states: Array, gain: float, near: float, rough: bool
    ) -> tuple[float, int]:
        """The same from a Krylov space, where too many multipliers are of nearly one size."""
        from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigs

        def turn(state: Array) -> Array:
            after, factor, scale = carried(self._solver, state.reshape(-1, 1), gain, 0, self.period)
            return np.asarray(after[:, 0] * (factor[0, 0] * exp(scale - near)))

        try:
            values = eigs(
                LinearOperator((self.reach, self.reach), matvec=turn, dtype=np.float64),
                k=2,
                ncv=min(self.reach, _KRYLOV),
                maxiter=_RESTARTS,
                v0=states.sum(axis=1),
                tol=_ROUGHLY**2 if rough else _RESIDUAL,
                return_eigenvectors=False,
            )
        except ArpackNoConvergence as error:
            if self.reach > _DENSE:
                raise ArithmeticError(
                    f"the growth rate of the replayed delays does not settle at the gain {gain}"
                ) from error
            after, triangle, near = carried(self._solver, np.eye(self.reach), gain, 0, self.period)
            values = np.linalg.eigvals(after @ triangle)
        first = values[np.argmax(np.abs(values))]
        if first == 0:
            return -inf, 0
        return log(abs(first)) + near, int(np.sign(first.real)) if first.imag == 0 else 0
