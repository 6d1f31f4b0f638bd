"""The exact slow twin of the crossings: the polynomial whose roots they are, and Schur-Cohn.

On the unit circle a gain puts a root of P + gain Q at z exactly if P conj(Q) is real and not
positive. Im(P conj(Q))/sin(theta) is a polynomial in x = cos(theta), written down here with exact
coefficients; FLINT isolates its real roots. Nothing is a phase, no cell and no pole is used.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from math import lcm

import numpy as np
from flint import acb, ctx, fmpz_poly

from delaystability.numerics.exact.schur_cohn import is_schur_stable

Dense = list[Fraction]


def parts(feedback: dict, feedforward: dict, delay: int) -> tuple[Dense, Dense]:
    """P and Q of one degree, lowest power of z first, from an optimizer's tables."""
    a = {0: Fraction(1)} | {lag: -Fraction(value) for lag, value in feedback.items()}
    b = {lag + delay: Fraction(value) for lag, value in feedforward.items()}
    degree = 1 + max(*a, *b)
    p, q = [Fraction(0)] * (degree + 1), [Fraction(0)] * (degree + 1)
    for lag, value in a.items():
        p[degree - lag] += value
        p[degree - lag - 1] -= value
    for lag, value in b.items():
        q[degree - lag - 1] += value
    return p, q


def stable(p: Dense, q: Dense, gain: Fraction) -> bool:
    """Whether all roots of P + gain Q are inside the circle, in integers."""
    return is_schur_stable([u + gain * v for u, v in zip(p[::-1], q[::-1], strict=True)])


def crossing_gains(p: Dense, q: Dense, bits: int = 400) -> list[Fraction]:
    """All positive gains with a root on the circle, in order, to far more than 1e-30."""
    unit = lcm(*(value.denominator for value in (*p, *q)))
    up, uq = ([int(value * unit) for value in part] for part in (p, q))
    # The coefficient of sin(m theta) is the m-th of the product with the reversal, less the -m-th.
    product = (fmpz_poly(up) * fmpz_poly(uq[::-1])).coeffs()
    centre = len(p) - 1
    product += [0] * (2 * centre + 1 - len(product))
    polynomial = fmpz_poly([0])
    for m in range(1, centre + 1):
        weight = product[centre + m] - product[centre - m]
        polynomial += weight * fmpz_poly.chebyshev_u(m - 1)
    gains = []
    with ctx.workprec(bits):
        values = [part(fmpz_poly([0])[0] - 1) for part in (fmpz_poly(up), fmpz_poly(uq))]
        if values[1]:
            gains.append(-Fraction(int(values[0]), int(values[1])))
        roots = polynomial.complex_roots() if polynomial.degree() > 0 else []
        for root, _ in roots:
            if not (root.imag.is_zero() and abs(root.real) < 1):
                continue
            z = acb(root.real, (1 - root.real * root.real).sqrt())
            numerator, denominator = (_value(part, z) for part in (up, uq))
            if abs(denominator) > 2**-150 * max(map(abs, uq)):
                gain = -(numerator / denominator).real
                # A pole on the circle is there at gain zero, to the last of these bits.
                if abs(numerator) > 2**-150 * max(map(abs, up)):
                    mantissa, exponent = gain.mid().man_exp()
                    gains.append(Fraction(int(mantissa)) * Fraction(2) ** int(exponent))
    found: list[Fraction] = []
    for gain in sorted(gain for gain in gains if gain > 0):
        # Two angles may share a gain, which is computed twice.
        if not found or gain - found[-1] > gain / 2**200:
            found.append(gain)
    return found


def _value(coefficients: list[int], z: acb) -> acb:
    total = acb(0)
    for value in coefficients[::-1]:
        total = total * z + value
    return total


def exact_stable_set(p: Dense, q: Dense) -> list[tuple[Fraction, Fraction | None]]:
    """The stable intervals of gain between neighbouring crossings; None for no upper end."""
    ends: list = [Fraction(0), *crossing_gains(p, q), None]
    found = []
    for low, high in pairwise(ends):
        inside = (low + high) / 2 if high is not None else 2 * low + 1
        # A middle of few digits is as good, and far faster to decide.
        short = Fraction(float(inside)) if 0 < float(inside) < np.inf else inside
        if not (low < short and (high is None or short < high)):
            short = inside
        if (high is None or low < high) and stable(p, q, short):
            found.append((low, high))
    return found


def exact_threshold(p: Dense, q: Dense) -> Fraction | None:
    """The first end of the stable set if it begins at 0; None if every gain is stable."""
    found = exact_stable_set(p, q)
    return found[0][1] if found and found[0][0] == 0 else Fraction(0)


def parts_of_loop(optimizer, weights: dict, decay=0, *, coupled: bool = False):
    """P and Q where gradients are read at a mixture of iterates, and present weights decay."""
    feedback, feedforward = optimizer.coefficients(0)
    a, b, mixed = {0: Fraction(1)}, {}, {}
    for lag, value in feedback:
        a[lag] = a.get(lag, 0) - Fraction(value)
    for lag, value in feedforward:
        b[lag] = b.get(lag, 0) + Fraction(value)
        for late, weight in weights.items():
            mixed[lag + late] = mixed.get(lag + late, 0) + Fraction(value) * Fraction(weight)
    degree = 1 + max(*a, *b, *mixed)
    p, q = [Fraction(0)] * (degree + 1), [Fraction(0)] * (degree + 1)
    for lag, value in a.items():
        p[degree - lag] += value
        p[degree - lag - 1] -= value
    for lag, value in (b if coupled else a).items():
        p[degree - lag - 1] += Fraction(decay) * value
    for lag, value in mixed.items():
        q[degree - lag - 1] += value
    return p, q
