"""Phase and gain along the unit circle in floats, from poles and zeros that are known exactly.

For a root of modulus rho and angle phi, and delta = theta - phi,

    1 - rho exp(-i delta) = (1 - rho) + 2 rho sin(delta/2)^2 + i rho sin(delta)

has no difference of nearby numbers but delta: next to z = 1 nothing cancels, whatever the
multiplicity of a pole. Where a root is so near that the rounding of delta counts, the error bound
says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import arb
from numpy.typing import NDArray

from delaystability.numerics.crossings.bracketed_newton import bracketed_newton
from delaystability.numerics.crossings.circle_cells import CircleCells
from delaystability.numerics.exact.exact_filter import ball

__all__ = ["FactoredPhase", "Local", "float_parts", "relative_error"]

Array = NDArray[np.float64]
_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class Local:
    """Phase less delay theta, gain, their slopes (of the gain, of its logarithm), error bounds.

    The error of the gain is relative.
    """

    phase: Array
    slope: Array
    gain: Array
    log_slope: Array
    phase_error: Array
    gain_error: Array


@dataclass(frozen=True, eq=False)
class FactoredPhase:
    """Arrays of shape (number of roots, 1), for each root of A or B."""

    gap: Array
    """1 - rho, for the reciprocal root where it is outside."""
    angle: Array
    turn_weight: Array
    size_weight: Array
    turns: float
    half_turns: float
    unit: tuple[float, int]
    """The factor of the gain, as a float and a power of two."""

    @classmethod
    def from_cells(cls, cells: CircleCells) -> FactoredPhase:
        """The same phase and gain as those of the exact cells."""
        filter_ = cells.filter_
        rows = []
        leads = [abs(int(p[p.degree()])) for p in (filter_.a, filter_.b)]
        unit = arb(leads[0]) / leads[1] / ball(abs(filter_.factor))
        for roots, sign in ((filter_.poles, 1), (filter_.zeros, -1)):
            for root in roots:
                weight = sign * root.multiplicity
                modulus = abs(root.value)
                if root.side > 0:
                    unit *= modulus**weight
                    modulus = 1 / modulus
                gap = arb(0) if root.side == 0 else 1 - modulus
                rows.append((float(gap), float(root.value.arg()), -weight * root.side, weight))
        columns = np.array(rows, dtype=np.float64).reshape(len(rows), 4).T[:, :, None]
        gap, angle, turn_weight, size_weight = columns
        turns, half_turns = cells.linear_part()
        return cls(gap, angle, turn_weight, size_weight, turns, half_turns, float_parts(unit))

    def at(self, theta: Array) -> Local:
        """Values at angles in (0, pi), before any pole on the circle is passed."""
        rho = 1 - self.gap
        delta = theta - self.angle
        sine = np.sin(delta / 2)
        square = sine * sine
        cosine_part = 2 * sine * np.cos(delta / 2)
        distance = self.gap * self.gap + 4 * rho * square
        argument = np.arctan2(rho * cosine_part, self.gap + 2 * rho * square)
        with np.errstate(divide="ignore", invalid="ignore"):
            turn = rho * (self.gap - 2 * square) / distance
            size = np.prod(distance ** (self.size_weight / 2), axis=0)
            grows = rho * cosine_part / distance
            lost = _EPS * (2 + (theta + np.abs(self.angle)) / np.sqrt(distance))
        half = theta / 2
        # At a root on the circle, where an error says nothing, it is NaN.
        with np.errstate(divide="ignore", invalid="ignore"):
            return Local(
                phase=self.turns * theta
                + np.pi * self.half_turns
                + (self.turn_weight * argument).sum(axis=0),
                slope=self.turns + (self.turn_weight * turn).sum(axis=0),
                gain=np.ldexp(2 * np.sin(half) * size * self.unit[0], self.unit[1]),
                log_slope=0.5 / np.tan(half) + (self.size_weight * grows).sum(axis=0),
                phase_error=4 * _EPS + (np.abs(self.turn_weight) * lost).sum(axis=0),
                gain_error=8 * _EPS + (np.abs(self.size_weight) * lost).sum(axis=0),
            )

    def solve(
        self, delay: Array, goal: Array, ends: tuple[float, float], direction: int
    ) -> tuple[Array, Array, Array]:
        """Angle, gain and relative error of each crossing inside a cell of monotone phase.

        Parameters
        ----------
        delay, goal : arrays of shape (n,)
            The phase with this delay is to be the goal.
        ends : tuple of float
            The angles between which it is.
        direction : int
            1 if the phase rises, -1 if it falls.
        """
        low, high = (np.full(goal.shape, end) for end in ends)

        def offset(theta: Array, index: NDArray[np.intp]) -> tuple[Array, Array]:
            here = self.at(theta)
            value = here.phase + delay[index] * theta - goal[index]
            return direction * value, direction * (here.slope + delay[index])

        values = [offset(end, np.arange(goal.size))[0] for end in (np.maximum(low, 1e-300), high)]
        share = np.clip(values[0] / (values[0] - values[1]), 0.01 / (1 + delay), 0.99)
        theta = bracketed_newton(offset, low, high, low + share * (high - low))
        here = self.at(theta)
        return theta, here.gain, relative_error(here, theta, here.slope + delay)


def float_parts(value: arb) -> tuple[float, int]:
    """A positive number of any size as a float in [1/2, 1) and a power of two."""
    mantissa, exponent = (int(part) for part in value.mid().man_exp())
    bits = mantissa.bit_length()
    return mantissa / 2**bits, exponent + bits


def relative_error(local: Local, theta: Array, slope: Array) -> Array:
    """A bound of the relative error of a gain whose angle solves the phase of that slope."""
    shift: Any = (local.phase_error + _EPS * np.abs(slope) * theta) / np.abs(slope)
    return np.asarray(np.abs(local.log_slope) * shift + local.gain_error)
