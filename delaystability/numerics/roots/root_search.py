"""The dominant root by bisection on the count of roots outside a circle, for long delays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from delaystability.numerics.crossings.circle_count import roots_outside
from delaystability.numerics.crossings.outside_count import count_outside
from delaystability.numerics.exact.exact_loop import ExactLoop
from delaystability.numerics.exact.intervals import UndecidedError
from delaystability.numerics.roots.loop_newton import newton
from delaystability.numerics.roots.radius_proof import prove_dominance
from delaystability.numerics.tables.split_loop import SplitLoop

__all__ = ["searched_root"]

Complex = NDArray[np.complexfloating[Any, Any]]
_BISECTIONS = 60
_LARGEST_COMPANION = 600
"""Up to here the eigenvalues of a companion matrix take less than a second."""
_SHARES = (1e-7, 1e-5, 1e-3, 0.3)


def searched_root(loop: SplitLoop | None, exact: ExactLoop) -> complex:
    """Find the logarithm of the dominant root, between a radius with roots beyond and one without.

    Raises
    ------
    ArithmeticError
        If no root is found that the counts allow.
    """
    if loop is None:
        return _sampled(exact)
    low, high = _bracket(loop)
    for step in range(_BISECTIONS):
        middle = (low + high) / 2
        counted = count_outside(loop, np.array([middle]))
        low, high = (middle, high) if counted.count[0] > 0 else (low, middle)
        if step < 8 or step % 8:
            continue
        angles = np.concatenate(
            [count_outside(loop, np.array([end])).angles[0] for end in (low, high)]
        )
        roots, settled = newton(loop, (middle + 1j * angles)[None, :])
        # Beside a pole outside the circle a root is the pole to all digits.
        starts = [complex(root) for root in np.append(roots[settled], _poles(loop))]
        starts = [root for root in starts if low - 1e-6 <= root.real <= high + 1e-6]
        # Two roots that nearly meet are on either side of where Newton's method stops.
        span = 1e-7 / (1 + exact.delay)
        starts = [root + shift for root in _few(starts) for shift in (0, span, span * 1j)]
        found = exact.polished(starts)
        if not found:
            continue
        best = max(found, key=lambda root: root.real)
        if _nothing_beyond(loop, exact, best):
            return complex(best.real, abs(best.imag))
    raise ArithmeticError(
        f"the dominant root between moduli exp({low}) and exp({high}) is unsettled"
    )


def _few(roots: list[complex]) -> list[complex]:
    """The six of largest modulus, without repetitions."""
    kept: list[complex] = []
    for root in sorted(roots, key=lambda root: -root.real):
        if all(abs(root - other) > 1e-13 * abs(root) for other in kept):
            kept.append(root)
    return kept[:6]


def _poles(loop: SplitLoop) -> Complex:
    near = loop.near_terms() if loop.decays else loop.pole.dense()
    poles = np.roots(near[0]).astype(complex)
    return np.asarray(np.log(poles[np.abs(poles) > 1e-3]))


def _nothing_beyond(loop: SplitLoop, exact: ExactLoop, root: complex) -> bool:
    """By a count in floats just beyond, where that is sure, else by a proof in balls."""
    # In units of the distance between neighbouring roots, far below any that matters.
    for share in (1e-11, 1e-10, 1e-9):
        beyond = root.real + share / (loop.delay[0, 0] + 1) + 1e-14 * abs(root)
        counted = count_outside(loop, np.array([beyond]))
        if counted.sure[0]:
            return bool(counted.count[0] == 0)
    try:
        prove_dominance(exact, root.real)
    except UndecidedError:
        return False
    return True


def _bracket(loop: SplitLoop) -> tuple[float, float]:
    """Values of log |z| with and without roots beyond."""
    span = float(loop.delay[0, 0]) + 1

    def outside(sigma: float) -> bool:
        return bool(count_outside(loop, np.array([sigma])).count[0] > 0)

    low = high = 0.0
    if outside(0.0):
        step = 0.1 / span
        while outside(high + step):
            low, high, step = high + step, high + step, 2 * step
        return low, high + step
    step = 0.1 / span
    while not outside(low - step):
        high, low, step = low - step, low - step, 2 * step
        if low < -700:
            raise ArithmeticError("no root was counted outside any circle")
    return low - step, high


def _sampled(exact: ExactLoop) -> complex:
    """For lags of several scales: all branches, and a count of the roots of the polynomial."""
    from delaystability.numerics.roots.branch_roots import branch_roots
    from delaystability.numerics.tables.filter_phase import FilterPhase

    tables = []
    for table in (exact.a, exact.b):
        dense = np.zeros(table[-1][0] + 1)
        for lag, value in table:
            dense[lag] = float(value)
        tables.append(dense)
    a, b = tables
    delay = exact.delay
    if exact.still:
        # What decays is read without delay: one table of both.
        still = [lag for lag, _ in exact.still]
        b = np.concatenate([np.zeros(delay), b, np.zeros(max(0, max(still) + 1 - delay - b.size))])
        b[still] += [float(value) for _, value in exact.still]
        delay = 0
    coefficients = np.zeros(1 + max(a.size, delay + b.size))
    coefficients[: a.size] += a
    coefficients[1 : a.size + 1] -= a
    coefficients[delay + 1 : delay + 1 + b.size] += b
    found = [complex(branch_roots(FilterPhase.from_tables(a, b, delay), 1.0)[0])]
    if exact.degree <= _LARGEST_COMPANION:
        # Far from a crossing a branch may have been followed to another root.
        found += [complex(root) for root in np.roots(coefficients)]
    root = max(found, key=abs)
    logarithm = complex(np.log(abs(root)), abs(np.angle(root)))
    lags = np.arange(coefficients.size)

    def outside(sigma: float) -> int:
        return roots_outside(coefficients * np.exp(-sigma * lags))

    for share in _SHARES:
        # In units of the distance between neighbouring roots.
        margin = share / exact.degree
        try:
            if outside(logarithm.real + margin) or not outside(logarithm.real - margin):
                break
        except ArithmeticError:
            continue
        return logarithm
    raise ArithmeticError(f"the number of roots beyond {abs(root)} is not the one expected")
