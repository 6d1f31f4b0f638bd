"""Outer thresholds of averaging decided at a point: a round as a matrix of rational numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

from flint import fmpq, fmpq_mat
from sympy import QQ, Poly, Symbol

from delaystability.theory.sides import by_sides
from delaystability.theory.statement import Statement
from delaystability.theory.trial_points import Point, as_fraction
from delaystability.theory.unit_disc import all_roots_inside

__all__ = ["eager_edge", "merged_edge"]

Round = Callable[[Fraction], Sequence[Sequence[Fraction]]]
"""The matrix of a round: two rows, whose trace and determinant are linear in the learning rate."""

_TINY = Fraction(1, 10**40)


def _stable(of: Round, rate: Fraction) -> bool:
    matrix = fmpq_mat([[fmpq(v.numerator, v.denominator) for v in row] for row in of(rate)])
    found = [QQ(int(entry.p), int(entry.q)) for entry in matrix.charpoly().coeffs()]
    return all_roots_inside(Poly(found[::-1], Symbol("z"), domain=QQ))


def _ends_between(of: Round, low: Fraction, high: Fraction) -> str:
    """Empty if all rates up to one are stable and a greater one is not, else why not.

    A real quadratic is stable by inequalities that are linear in its coefficients, and so in the
    rate: what is stable between two stable rates is all.
    """
    for rate in (low * _TINY, low):
        if not _stable(of, rate):
            return f"a perturbation does not shrink at the rate {float(rate)}"
    return f"it shrinks at the rate {float(high)}" if _stable(of, high) else ""


def _values(point: Point) -> Mapping[str, Fraction]:
    return {str(symbol): as_fraction(value) for symbol, value in point.items()}


def merged_edge(statement: Statement, point: Point) -> str:
    """Decide that of replicas that go on while an outer step is under way.

    Shared parameters s and a replica y that is sent become s - gamma (s - y) and, by r_1 in the
    steps after it has merged and r_2 in all, beta r_2 y + (1 - beta) r_1 times the new s. The
    differences of replicas are multiplied by beta r_2.
    """
    known = _values(point)
    kept, own = known["beta"] * known["r_2"], (1 - known["beta"]) * known["r_1"]

    def rows(rate: Fraction) -> list[list[Fraction]]:
        return [[1 - rate, rate], [own * (1 - rate), kept + own * rate]]

    if not abs(kept) < 1:
        return "a difference between replicas does not shrink"
    return by_sides(statement, point, lambda _, low, high: _ends_between(rows, low, high))


def eager_edge(statement: Statement, point: Point) -> str:
    """Decide that of eager replicas, whose mean is to shrink and whose differences not to grow.

    A replica x moves by -gamma h_K/n times x and the last values of the others. The mean of all
    and its last value have one matrix, a difference of two and its last value another.
    """
    known = _values(point)
    count, outer = known["n"], known["h_K"]

    def mean(rate: Fraction) -> list[list[Fraction]]:
        share = rate * outer / count
        return [[1 - share, -share * (count - 1)], [Fraction(1), Fraction(0)]]

    def decide(_: Point, low: Fraction, high: Fraction) -> str:
        # A difference d becomes d - share (d - last d): it has the roots 1 and -share.
        if low * outer / count > 1:
            return f"differences between replicas grow at the rate {float(low)}"
        return _ends_between(mean, low, high)

    return by_sides(statement, point, decide)
