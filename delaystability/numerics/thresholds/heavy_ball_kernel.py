"""The first crossing of heavy ball, for floats and arrays here and for every exported language.

With u = tan(theta/2), r = (1 - m)/(1 + m) and turns = 2 delay, the crossing of smallest gain
between z = 1 and z = -1 is the one root of turns atan(u) = atan(r/u).

The file is in the dialect that `translation.reading` reads. Sums and products are formed in place
where they can be: fewer blocks of an array then travel through the cache.
"""

from __future__ import annotations

from numpy import arctan as atan
from numpy import minimum, sqrt

from delaystability.numerics.tables.where import double, single


def heavy_ball_tangent(turns: float, ratio: float) -> float:
    """The root u of turns atan(u) = atan(ratio/u)."""
    # One step of third order takes a relative error of 1e-5 below that of rounding.
    return heavy_ball_step(heavy_ball_start(turns, ratio), turns, ratio)


def heavy_ball_start(turns: float, ratio: float) -> float:
    """The root u to 1e-5, from 1/u^2 - turns/r as a rational function of y = turns r.

    Its limits are (turns^2 - 1)/3 as y -> 0 and cot(pi/(2 turns))^2 as y -> infinity, the latter by
    its series in 1/turns. The other coefficients were fitted to the smallest largest error in u.
    No power leaves the range of single precision, which is enough for that.
    """
    n = single(turns)
    r = single(ratio)
    y = minimum(n * r, 1e18)
    square = n * n
    inverse = 1.0 / square
    rise = 0.0702519 * inverse
    rise += 0.16449340668482264
    rise *= inverse
    rise -= 0.3333333333333333
    rise += 0.07195140123601779 * square
    bottom = 4.60588 * inverse
    bottom += 4.858172
    bottom += y
    bottom *= y
    bottom += 7.697865 * inverse
    bottom += 7.280192
    inverse *= 1.414464
    inverse += 2.231439
    inverse += y
    inverse *= y
    inverse /= bottom
    inverse *= rise
    square -= 1.0
    square *= 0.3333333333333333
    square += inverse
    square += n / r
    return double(1.0 / sqrt(square))


def heavy_ball_step(u: float, turns: float, ratio: float) -> float:
    """One step of Halley's method for turns atan(u) - atan(r/u) = 0."""
    square = u * u
    pole = ratio * ratio
    pole += square
    far = 1.0 / pole
    square += 1.0
    near = 1.0 / square
    offset = atan(u)
    offset *= turns
    offset -= atan(ratio / u)
    # u (turns near^2 + r far^2) is minus half of the second derivative.
    weighed = turns * near
    slope = ratio * far
    near *= weighed
    far *= slope
    slope += weighed
    near += far
    near *= u
    near *= offset
    near /= slope
    slope += near
    offset /= slope
    return u - offset


def heavy_ball_crossing(momentum: float, u: float) -> float:
    """The gain at u: no nearby numbers are subtracted."""
    square = u * u
    pole = 1.0 + momentum
    pole *= pole
    pole *= square
    below = 1.0 - momentum
    below *= below
    pole += below
    gain = sqrt(pole)
    gain *= u
    square += 1.0
    gain /= square
    gain *= 2.0
    return gain
