"""Many updates of a loop in one step: a block of them is one triangular system for the iterates.

The system is banded where the loop reaches a few iterates back, and sparse where it reaches far.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from delaystability.numerics.replay.periodic_loop import PeriodicLoop

__all__ = ["BandedSolver", "BlockSolver", "SparseSolver", "block_solver"]

Array = NDArray[np.float64]

_WIDEST_BAND = 200  # A sparse system costs as much as this many diagonals.


class BlockSolver(Protocol):
    """Solves blocks of updates of one loop."""

    period: int
    reach: int

    def solve(self, states: Array, gain: float, begin: int, end: int) -> Array:
        """The iterates after some updates of the period.

        Parameters
        ----------
        states : array of shape (reach, count)
            The iterates before, the latest last.
        gain : float
        begin, end : int
            The updates, within one period.

        Returns
        -------
        array of shape (reach + end - begin, count)
            The states and the new iterates.
        """


def block_solver(loop: PeriodicLoop) -> BlockSolver:
    """The solver that suits a loop's reach."""
    return BandedSolver(loop) if loop.reach <= _WIDEST_BAND else SparseSolver(loop)


class BandedSolver:
    """By LAPACK, from diagonals that are stored."""

    def __init__(self, loop: PeriodicLoop) -> None:
        self.period, self.reach = loop.period, loop.reach
        # Row r belongs to the iterate r - reach: minus the coefficients with which it acts later.
        self._tables = np.zeros((2, loop.reach + loop.period, loop.reach + 1))
        for term in loop.terms:
            columns = loop.reach + term.times - term.lags - 1
            self._tables[int(term.reads), columns, term.lags + 1] -= term.coefficients
        # An entry that acts within the states themselves is not part of the system.
        self._inside = np.add.outer(np.arange(self.reach), np.arange(self.reach + 1)) < self.reach

    def solve(self, states: Array, gain: float, begin: int, end: int) -> Array:
        """See `BlockSolver`."""
        from scipy.linalg.lapack import dtbtrs

        reach = self.reach
        band = gain * self._tables[1, begin : end + reach]
        band += self._tables[0, begin : end + reach]
        band[:reach][self._inside] = 0.0
        right = np.zeros((reach + end - begin, states.shape[1]), order="F")
        right[:reach] = states
        solved: Array = dtbtrs(band.T, right, uplo="L", diag="U", overwrite_b=1)[0]
        return solved


class SparseSolver:
    """By SuperLU, from the coefficients that are not zero."""

    def __init__(self, loop: PeriodicLoop) -> None:
        from scipy.sparse import coo_array

        self.period, self.reach = loop.period, loop.reach
        shape = (loop.period, loop.reach + loop.period)

        def matrix(reads: bool) -> Any:
            terms = [term for term in loop.terms if term.reads == reads]
            times = np.concatenate([term.times for term in terms])
            lags = np.concatenate([term.lags for term in terms])
            values = np.concatenate([term.coefficients for term in terms])
            return coo_array((-values, (times, loop.reach + times - lags - 1)), shape).tocsr()

        self._present, self._read = matrix(reads=False), matrix(reads=True)

    def solve(self, states: Array, gain: float, begin: int, end: int) -> Array:
        """See `BlockSolver`."""
        from scipy.sparse import eye_array
        from scipy.sparse.linalg import splu

        reach, count = self.reach, end - begin
        both = (self._present[begin:end] + gain * self._read[begin:end])[:, begin : end + reach]
        system = (both[:, reach:] + eye_array(count)).tocsc()
        # Unit lower triangular: without pivots or another order it is its own factor.
        factor = splu(
            system,
            permc_spec="NATURAL",
            diag_pivot_thresh=0.0,
            options={"Equil": False, "SymmetricMode": True},
        )
        new = factor.solve(np.ascontiguousarray(-(both[:, :reach] @ states)))
        return np.concatenate([states, new])
