"""The states of a loop, carried over its updates without overflow."""

from __future__ import annotations

from itertools import pairwise
from math import inf, log

import numpy as np
from numpy.typing import NDArray

from delaystability.numerics.replay.block_solver import BlockSolver

__all__ = ["LONGEST_BLOCK", "carried", "logarithms", "orthonormal", "parts_growth", "solved_block"]

Array = NDArray[np.float64]

LONGEST_BLOCK = 2048
_VANISHING = 32  # A state that is exactly zero after so few updates did not underflow.
_SIZES = 1e-200, 1e200  # within which a block may end


def carried(
    solver: BlockSolver, states: Array, gain: float, begin: int, end: int
) -> tuple[Array, Array, float]:
    """Orthonormal states after some updates.

    After each block of updates the states are made orthonormal again, which keeps the second
    direction apart from the first.

    Parameters
    ----------
    solver : BlockSolver
    states : array of shape (reach, count), the latest iterate last
    gain : float
    begin, end : int, the updates

    Returns
    -------
    states : array of shape (reach, count)
    triangle : array of shape (count, count)
    logarithm : float
        ``exp(logarithm) states @ triangle`` is what became of the given states.
    """
    triangle, scale = np.eye(states.shape[1]), 0.0
    length = LONGEST_BLOCK
    while begin < end:
        solved, length = solved_block(solver, states, gain, begin, min(begin + length, end))
        begin += len(solved) - solver.reach
        states, factor = orthonormal(solved[-solver.reach :])
        triangle = factor @ triangle
        size = float(np.abs(triangle).max())
        if size:
            triangle, scale = triangle / size, scale + log(size)
    return states, triangle, scale


def orthonormal(states: Array) -> tuple[Array, Array]:
    """The factors Q and R: what `numpy.linalg.qr` does, which costs more than a short block."""
    from scipy.linalg.lapack import dgeqrf, dorgqr

    packed, reflectors, _, _ = dgeqrf(states)
    count = states.shape[1]
    triangle = packed[:count] * np.tri(count).T
    return dorgqr(packed, reflectors)[0], triangle


def solved_block(
    solver: BlockSolver, states: Array, gain: float, begin: int, end: int
) -> tuple[Array, int]:
    """A block that neither overflows nor vanishes, and how long the next one may be."""
    full = True
    while True:
        solved = solver.solve(states, gain, begin, end)
        size = np.abs(solved[-solver.reach :]).max()
        # A product with an infinite iterate may be zero or not a number.
        fits = _SIZES[0] < size < _SIZES[1] and np.isfinite(solved).all()
        count = end - begin
        if fits or count == 1 or (size == 0 and count <= _VANISHING):
            return solved, LONGEST_BLOCK if fits and full else count
        end, full = begin + count // 2, False


def parts_growth(solver: BlockSolver, gain: float, edges: NDArray[np.int64]) -> Array:
    """Growth of the state over consecutive parts of a run that begins with equal iterates.

    Parameters
    ----------
    solver : BlockSolver
    gain : float
    edges : increasing integer array of shape (parts + 1,)
        The updates at which a part begins and the last one ends.

    Returns
    -------
    array of shape (parts,), nats; -inf from where the state is exactly zero
    """
    state = np.full((solver.reach, 1), solver.reach**-0.5)
    found = np.full(len(edges) - 1, -inf)
    for part, (begin, end) in enumerate(pairwise(edges.tolist())):
        state, factor, scale = carried(solver, state, gain, begin, end)
        if not factor[0, 0]:
            break
        found[part] = log(abs(factor[0, 0])) + scale
    return found


def logarithms(solver: BlockSolver, gain: float) -> Array:
    """``ln |w|`` after each update of one period, from iterates that were 1.

    Returns
    -------
    array of shape (period,); -inf where an iterate is exactly zero
    """
    reach, state, scale = solver.reach, np.ones((solver.reach, 1)), 0.0
    found = np.empty(solver.period)
    begin, length = 0, LONGEST_BLOCK
    while begin < solver.period:
        end = min(begin + length, solver.period)
        solved, length = solved_block(solver, state, gain, begin, end)
        end = begin + len(solved) - reach
        with np.errstate(divide="ignore"):
            found[begin:end] = np.log(np.abs(solved[reach:, 0])) + scale
        state = solved[-reach:]
        size = float(np.abs(state).max())
        if size:
            state, scale = state / size, scale + log(size)
        begin = end
    return found
