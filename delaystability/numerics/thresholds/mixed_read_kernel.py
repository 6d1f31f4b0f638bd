"""SGD with partly fresh gradients, for floats here and for every exported language.

A share l of each gradient is taken at the present weights, and the rest is late by the delay:

    z^delay (z - 1 + a l) + a (1 - l) = 0

has a root exp(i theta) for the gain a, where |z - 1 + a l| = a |1 - l| says that
X = 1 - cos(theta) is a^2 (1 - 2 l)/(2 (1 - a l)).

For l < 1/2 the angle is that of shifted momentum with m = -l/(1 - l), so that r = 1/(1 - 2 l).

For l > 1/2 the points of the circle with such a gain lie next to -1. Let phi = pi - theta and psi
be the angle of z - 1 + a l. As a grows from the smaller to the larger one of 2 and 2/(2 l - 1), psi
falls from pi to 0, and phi is 0 at both ends. A root is there whenever psi - delay phi is a whole
number of turns, or, at the end where (-1)^delay fits, z = -1 is one. If that is the smaller end, it
is the threshold. Otherwise psi - delay phi falls from pi to 0, and the first root is where it is 0
for the first time. There phi, 1 and a |1 - l| belong to a triangle with the angles phi and
delay phi, so that (delay + 1) phi <= pi; and with n = 2 delay + 1

    sin(n phi/2)/sin(phi/2) = l/|1 - l|,        a = sin(phi)/(|1 - l| sin(delay phi)),

whose left side falls from n to 1 as phi grows to pi/(delay + 1): phi is the only solution, or, if
l/|1 - l| >= n, there is none and the larger end is the threshold.

The file is in the dialect that `translation.reading` reads.
"""

from __future__ import annotations

from math import cos, sin, sqrt

from delaystability.numerics.thresholds.kernel_numbers import (
    PI,
    SMALLEST,
    is_even,
    without_derivative,
)
from delaystability.numerics.thresholds.shifted_momentum_kernel import shifted_momentum_tangent


def mixed_read_gain(share: float, delay: float) -> float:
    """Threshold of SGD with a share of fresh gradients; it is 2 without delay."""
    late = max(delay, 1.0)
    excess = 2.0 * share - 1.0
    mostly = excess >= 0.0
    mostly_late = partly_fresh_gain(0.0 if mostly else share, -1.0 if mostly else excess, late)
    mostly_fresh = mostly_fresh_gain(share if mostly else 1.0, excess if mostly else 1.0, late)
    gain = mostly_fresh if mostly else mostly_late
    return gain if delay > 0.0 else 2.0


def partly_fresh_gain(share: float, excess: float, delay: float) -> float:
    """Threshold for a share below 1/2, where the excess 2 share - 1 is negative."""
    u = shifted_momentum_tangent(2.0 * delay + 1.0, -1.0 / excess)
    sine = 2.0 * u / (1.0 + u * u)
    along = share * sine
    root = sqrt(along * along - excess)
    # The same root of a quadratic, without a difference of nearby numbers.
    fresh = along >= 0.0
    divisor = root + (along if fresh else 0.0)
    return 2.0 * sine / divisor if fresh else 2.0 * sine * (root - along) / -excess


def mostly_fresh_gain(share: float, excess: float, delay: float) -> float:
    """Threshold for a share of at least 1/2, where the excess 2 share - 1 is not negative."""
    at_odd = 2.0 / max(excess, SMALLEST)
    at_minus_one = 2.0 if is_even(delay) else at_odd
    other = at_odd if is_even(delay) else 2.0
    rest = max(abs(1.0 - share), SMALLEST)
    # The quotient of sines less 1: l - |1 - l| is 2 l - 1 or 1.
    lead = min(excess, 1.0) / rest
    turns = 2.0 * delay + 1.0
    inside = at_minus_one > other and share < turns * rest
    first = between_ends(rest if inside else 0.5, lead if inside else 0.0, turns)
    return max(other, min(first, at_minus_one)) if inside else at_minus_one


def between_ends(rest: float, lead: float, turns: float) -> float:
    """The gain at the one solution of sin(turns x) = (1 + lead) sin(x), with x = phi/2.

    The unknown is q with (turns + 1 + q) x = pi, which says how near 1 the quotient of sines is;
    it is at least the lead.
    """
    q = sines_meet(lead, turns)
    x = PI / (turns + 1.0 + q)
    # The smaller one of two angles with the same sine.
    angle = min((turns - 1.0) * x, (2.0 + q) * x)
    return sin(2.0 * x) / (rest * sin(angle))


def sines_meet(lead: float, turns: float) -> float:
    """The unknown q of between_ends, bisected in its logarithm before Newton's method."""
    left = without_derivative(max(lead, SMALLEST))
    right = without_derivative(1e9 * turns)
    for _ in range(28):
        middle = sqrt(left) * sqrt(right)
        beyond = sine_surplus(lead, turns, middle) > 0.0
        left = left if beyond else middle
        right = middle if beyond else right
    q = sqrt(left) * sqrt(right)
    for _ in range(3):
        x = PI / (turns + 1.0 + q)
        slope = turns * cos((1.0 + q) * x) + (1.0 + lead) * cos(x)
        q = q - sine_surplus(lead, turns, q) * (turns + 1.0 + q) / (x * slope)
    return q


def sine_surplus(lead: float, turns: float, q: float) -> float:
    """The difference sin(turns x) - (1 + lead) sin(x), where (turns + 1 + q) x = pi."""
    x = PI / (turns + 1.0 + q)
    half = 0.5 * q * x
    near_one = 2.0 * cos(x + half) * sin(half) - lead * sin(x)
    # Next to z = -1 the angle turns x is small, and pi less it is rounded.
    angle = turns * x
    return sin(angle) - (1.0 + lead) * sin(x) if angle < 1.0 else near_one
