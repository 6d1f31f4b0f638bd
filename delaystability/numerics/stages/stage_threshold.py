"""The largest stable learning rate of a pipeline with a known Hessian.

On the circle, ``z = exp(i theta)``, a root at the learning rate lr is an eigenvalue of
``i exp(-i theta/2) S^T c S`` that equals ``2 sin(theta/2) / lr``. All eigenvalues are followed over
theta; where one crosses the positive axis lies a crossing, and the least of their learning rates is
the threshold: for small ones all roots lie inside.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, linear_sum_assignment
from scipy.sparse.linalg import eigs

from delaystability.numerics.stages.stage_bound import safe_rate
from delaystability.numerics.stages.stage_filter import responses
from delaystability.numerics.stages.stage_loop import StageLoop

__all__ = ["StageThreshold", "stage_threshold"]

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]
_TURN = 0.05  # relative change of the responses between neighbouring angles
_TOGETHER = 16  # angles
_SWEPT = 40  # coordinates
_FEW_ROWS = 64  # of which all eigenvalues take less time than one
_WIDTH = 0.003  # relative, of the first interval around a crossing
_CHECKED_ROWS = 400  # of the companion matrix: larger ones take seconds
_MARGIN = 1e-5


class StageThreshold(NamedTuple):
    """The largest stable learning rate, and the angle of the root that leaves the circle."""

    learning_rate: float
    angle: float


def stage_threshold(loop: StageLoop, *, refinements: int = 2) -> StageThreshold:
    """Find the largest learning rate below which all are stable.

    A loop of many coordinates is swept on its leading eigenvectors, and the crossing found there is
    followed to the whole loop. Checked by the eigenvalues of the companion matrix just below and
    just above, and at three smaller learning rates, where that matrix is small enough; if a check
    fails, the whole loop is swept with a quarter of the spacing.

    Raises
    ------
    ArithmeticError
        If the checks still fail.
    """
    for attempt in range(refinements + 1):
        found = _swept(loop, _TURN / 4**attempt) if attempt else _from_leading(loop)
        if found is not None and _checked(loop, found.learning_rate):
            return found
    raise ArithmeticError("the eigenvalues could not be followed around the unit circle")


def _from_leading(loop: StageLoop) -> StageThreshold | None:
    """The threshold from a sweep of a small space that holds all eigenvectors of enough weight."""
    eigenvectors = max(2, _SWEPT // len(loop.filters))
    while eigenvectors * len(loop.filters) < loop.products.shape[1]:
        swept = loop.leading(eigenvectors)
        found = _swept(swept, _TURN)
        if found is None:
            return None
        enough = _enough_eigenvectors(loop, found.learning_rate)
        if enough <= eigenvectors:
            return _followed(loop, found)
        eigenvectors = max(enough, 2 * eigenvectors)
    return _swept(loop, _TURN)


def _enough_eigenvectors(loop: StageLoop, lr: float) -> int:
    """The number of eigenvectors of which a mode with a root on the circle below lr has a part.

    The curvature of such a mode is at least that of the worst case at this learning rate: it
    cannot lie among the eigenvectors of smaller eigenvalues alone.
    """
    total = loop.sharpness
    safe = safe_rate(loop.filters, np.full(len(loop.filters), total), total, 1e-3)
    values = np.linalg.eigvalsh(loop.products.sum(axis=0))
    return int((values >= total * safe / lr).sum())


def _followed(loop: StageLoop, near: StageThreshold) -> StageThreshold | None:
    """The crossing of this loop next to one of a similar loop; None if there is none near it."""

    def eigenvalue(angle: float) -> complex:
        return _nearest(loop, angle, 2 * np.sin(near.angle / 2) / near.learning_rate)

    width = _WIDTH
    while width < 0.3:
        low, high = near.angle * (1 - width), near.angle * (1 + width)
        if eigenvalue(low).imag * eigenvalue(high).imag < 0:
            angle = float(brentq(lambda value: eigenvalue(value).imag, low, high, rtol=1e-13))
            real = eigenvalue(angle).real
            return StageThreshold(2 * np.sin(angle / 2) / real, min(angle, np.pi))
        width *= 3
    return None


def _swept(loop: StageLoop, turn: float) -> StageThreshold | None:
    """The crossing of least learning rate, from a sweep with this spacing."""
    angles = _angles(loop, turn)
    sizes = np.abs(responses(loop.filters, angles)).max(axis=0)
    # No crossing at an angle or beyond has a smaller learning rate.
    floor = 2 * np.sin(np.minimum(angles, np.pi) / 2) / (1.001 * loop.sharpness * sizes)
    floor = np.minimum.accumulate(floor[::-1])[::-1]
    best: StageThreshold | None = None
    before: Complex = np.empty(0, dtype=complex)
    for first in range(0, len(angles), _TOGETHER):
        if best is not None and floor[max(first - 1, 0)] > best.learning_rate:
            break
        part = angles[first : first + _TOGETHER]
        crossed: list[_Crossed] = []
        for place, values in enumerate(np.linalg.eigvals(loop.turned(part)), start=first):
            if before.size:
                values = _matched(before, values)
                crossed += _crossed(angles[place - 1 : place + 1], before, values)
            before = values
        best = _least(loop, crossed, best)
    return best


def _angles(loop: StageLoop, turn: float) -> Array:
    """Angles in (0, pi], and one beyond, between which no response changes by more than a share.

    Their spacing follows the fastest relative change of the stages' responses.
    """
    longest = max(entry.delay + len(entry.zero_table) for entry in loop.filters)
    fine = np.union1d(
        np.geomspace(1e-9, np.pi, 4000), np.linspace(0.0, np.pi, 64 * (longest + 1) + 1)[1:]
    )
    turned = responses(loop.filters, fine)
    change = np.abs(np.diff(turned) / turned[:, :-1]).max(axis=0)
    travelled = np.concatenate([[0.0], np.cumsum(change)])
    count = int(np.ceil(travelled[-1] / turn)) + 1
    angles = np.interp(np.linspace(0.0, travelled[-1], count), travelled, fine)
    # Beyond pi everything is conjugate, so that a crossing at pi is a change of sign, too.
    step = min(1e-4, (np.pi - angles[-2]) / 2)
    return np.append(angles[:-1], [np.pi - step, np.pi + step])


def _matched(before: Complex, values: Complex) -> Complex:
    """The eigenvalues in the order of their nearest ones at the angle before."""
    _, order = linear_sum_assignment(np.abs(before[:, None] - values[None, :]))
    return values[order]


class _Crossed(NamedTuple):
    """An eigenvalue that changes sides between two angles, and about the learning rate there."""

    learning_rate: float
    angles: Array
    left: complex
    right: complex


def _crossed(angles: Array, before: Complex, after: Complex) -> list[_Crossed]:
    """The eigenvalues that cross the positive axis between two angles."""
    changed = (before.imag * after.imag < 0) & (np.maximum(before.real, after.real) > 0)
    found = []
    for left, right in zip(before[changed], after[changed], strict=True):
        share = left.imag / (left.imag - right.imag)
        real = left.real + share * (right.real - left.real)
        middle = np.sin(min(angles[0] + share * (angles[1] - angles[0]), np.pi) / 2)
        if real > 0:
            found.append(_Crossed(2 * middle / real, angles, left, right))
    return found


def _least(
    loop: StageLoop, crossed: list[_Crossed], best: StageThreshold | None
) -> StageThreshold | None:
    """The best crossing so far and of these, of which the least promising are not refined."""
    for each in sorted(crossed, key=lambda each: each.learning_rate):
        if best is not None and each.learning_rate > 1.2 * best.learning_rate:
            break
        found = _refined(loop, each)
        if found is not None and (best is None or found.learning_rate < best.learning_rate):
            best = found
    return best


def _refined(loop: StageLoop, crossed: _Crossed) -> StageThreshold | None:
    """The crossing between two angles, by Brent's method on the eigenvalue's imaginary part."""
    _, angles, left, right = crossed

    def near(angle: float) -> complex:
        if angle in angles:
            return left if angle == angles[0] else right
        share = (angle - angles[0]) / (angles[1] - angles[0])
        return _nearest(loop, angle, left + share * (right - left))

    angle = float(brentq(lambda value: near(value).imag, *angles, xtol=1e-14, rtol=1e-14))
    real = near(angle).real
    return StageThreshold(2 * np.sin(angle / 2) / real, min(angle, np.pi)) if real > 0 else None


def _nearest(loop: StageLoop, angle: float, wanted: complex) -> complex:
    """The eigenvalue at this angle that is nearest to a number."""
    turned = loop.turned(np.array([angle]))[0]
    if len(turned) < _FEW_ROWS:
        values = np.linalg.eigvals(turned)
        return complex(values[np.argmin(np.abs(values - wanted))])
    # The shift must not be an eigenvalue itself; the start makes the digits the same each time.
    shift = wanted * (1 + 1e-10)
    start = np.ones(len(turned), dtype=complex)
    return complex(eigs(turned, k=1, sigma=shift, v0=start, return_eigenvectors=False)[0])


def _checked(loop: StageLoop, lr: float) -> bool:
    memory = 2 + max(entry.delay + len(entry.zero_table) for entry in loop.filters)
    if memory * loop.products.shape[1] > _CHECKED_ROWS:
        return True
    below = all(loop.spectral_radius(lr * share) < 1 for share in (0.25, 0.5, 0.8, 1 - _MARGIN))
    return below and loop.spectral_radius(lr * (1 + _MARGIN)) > 1
