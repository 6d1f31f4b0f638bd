r"""The threshold of SGD under every sequence of delays up to a bound, in closed form.

With J = floor((2 tau + 1)/3), it is the smaller root of
``(tau + 1 + J) a - J (J + 1) a^2 / 2 = 2``.
"""

from __future__ import annotations

from math import sqrt

from delaystability.model.loop import Loop

__all__ = ["any_sequence_threshold", "gain_scale"]


def any_sequence_threshold(max_delay: int) -> float:
    """Every gain below it is stable for every sequence; above it the extremal log grows.

    Parameters
    ----------
    max_delay : int, at least 0
        Python's integers: nothing is rounded under the root.
    """
    plateau = (2 * max_delay + 1) // 3
    updates = max_delay + 1 + plateau
    # The other form of the smaller root cancels.
    return 4 / (updates + sqrt(updates * updates - 4 * plateau * (plateau + 1)))


def gain_scale(loop: Loop) -> float | None:
    """B, where the loop is that of SGD with its gradient times a positive B; else None."""
    if loop.decay:
        return None
    tables = loop.tables().converted(float).without_zeros()
    lone = set(tables.a) == {0} and set(tables.b) == {0}
    return tables.b[0] if lone and tables.b[0] > 0 else None
