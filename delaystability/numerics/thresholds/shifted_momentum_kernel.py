"""The first crossing of shifted momentum, for floats and arrays here and for exported languages.

By half angles, with u = tan(theta/4), r = (1 - m)/(1 + m) and turns = 2 delay + 1, it solves

    turns atan(u) = atan(q),   q^2 = (r + u^2)/(1 + r u^2)

which is as well conditioned for m near 1 and -1 as between. There w = z^(delay + 1) satisfies
w = m + |A| exp(i (pi + theta)/2) and |w| = 1, so that |A| is the positive root of a quadratic, and
the gain is 2 sin(theta/2) |A|.

The file is in the dialect that `translation.reading` reads. Sums and products are formed in place
where they can be: fewer blocks of an array then travel through the cache.
"""

from __future__ import annotations

from numpy import arctan as atan
from numpy import sqrt

from delaystability.numerics.tables.where import anywhere, where


def shifted_momentum_tangent(turns: float, ratio: float) -> float:
    """The root u of turns atan(u) = atan(q)."""
    # Within 0.4 %, then 2e-9, then rounding.
    start = shifted_momentum_start(turns, ratio)
    near = shifted_momentum_halley_step(start, turns, ratio)
    return shifted_momentum_newton_step(near, turns, ratio)


def shifted_momentum_start(turns: float, ratio: float) -> float:
    """The root u to 0.4 %: one fixed-point step from a u^2 that is exact as r -> 0 and r -> inf."""
    # cot(pi/(2 turns + 2))^2 by the first terms of its series: the limit of 1/u^2 as r -> inf.
    guess = 0.6366197723675814 * (turns + 1.0)
    guess *= guess
    guess -= 0.6666666666666666
    guess *= ratio
    guess += turns * turns
    guess -= 1.0
    guess = ratio / guess
    u = ratio + guess
    guess *= ratio
    guess += 1.0
    u /= guess
    u = atan(sqrt(u))
    u /= turns
    # tan by two terms of its series.
    square = u * u
    square /= 3.0
    square += 1.0
    u *= square
    return u


def shifted_momentum_halley_step(u: float, turns: float, ratio: float) -> float:
    """One step of Halley's method for turns atan(u) - atan(q(u)) = 0."""
    square = u * u
    top = ratio + square
    bottom = ratio * square
    bottom += 1.0
    offset = shifted_momentum_phase(u, turns, top / bottom)
    top *= bottom
    # The derivative is (turns - pull) / (1 + u^2).
    pull = shifted_momentum_pull(u, ratio, top)
    slope = turns - pull
    # Minus half of the second derivative times (1 + u^2)^2 / slope.
    pull *= ratio / 2.0
    pull /= top
    pull /= u
    pull *= (1.0 - square * square) * (1.0 + square)
    pull /= slope
    pull += u
    pull *= offset
    slope += pull
    square += 1.0
    offset *= square
    offset /= slope
    return u - offset


def shifted_momentum_newton_step(u: float, turns: float, ratio: float) -> float:
    """One step of Newton's method for the same."""
    square = u * u
    bottom = ratio * square
    bottom += 1.0
    top = ratio + square
    offset = shifted_momentum_phase(u, turns, top / bottom)
    top *= bottom
    slope = turns - shifted_momentum_pull(u, ratio, top)
    square += 1.0
    offset *= square
    offset /= slope
    return u - offset


def shifted_momentum_phase(u: float, turns: float, square: float) -> float:
    """The difference turns atan(u) - atan(q), where square = q^2."""
    offset = atan(u)
    offset *= turns
    offset -= atan(sqrt(square))
    return offset


def shifted_momentum_pull(u: float, ratio: float, product: float) -> float:
    """The derivative of atan(q) times 1 + u^2, where product = (r + u^2)(1 + r u^2)."""
    pull = (1.0 - ratio) / sqrt(product)
    pull *= u
    return pull


def shifted_momentum_crossing(momentum: float, u: float) -> float:
    """The gain at u."""
    sine = u * u
    sine += 1.0
    sine = u / sine
    sine *= 2.0
    # |A| = m s + sqrt((1 - m^2) + m^2 s^2); for m < 0 by the other root of the quadratic.
    along = momentum * sine
    complement = (1.0 - momentum) * (1.0 + momentum)
    root = along * along
    root += complement
    root = sqrt(root)
    modulus = root + along
    negative = momentum < 0.0
    if anywhere(negative):
        modulus = where(negative, complement / (root - along), modulus)
    modulus *= sine
    modulus *= 2.0
    return modulus
