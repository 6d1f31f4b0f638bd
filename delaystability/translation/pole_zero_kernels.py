"""The kernels of one pole and one zero, in the dialect of `kernels`.

The update is u[t] = m u[t-1] + b g[t] + c g[t-1] with b + c = 1, and its slope is b - c.

Notation: m is the momentum, theta the angle at which a root of the delayed loop reaches the unit
circle, u = tan(theta/2), r = (1 - m)/(1 + m) and n = 2 delay + 1. A gain puts a root there exactly
if F(u) = n atan(u) - atan(slope u) - atan(r/u) is a whole number of turns.
"""

from __future__ import annotations

from math import atan, floor, sqrt

from delaystability.numerics.thresholds.kernel_numbers import (
    PI,
    SMALLEST,
    is_even,
    without_derivative,
)

FULL_TURN = 6.283185307179586
NO_CROSSING = 1e300
FIRST_TANGENT = 1e-20
LAST_TANGENT = 1e20


def pole_zero_gain(momentum: float, slope: float, excess: float, delay: float) -> float:
    """Threshold of the update m u[t-1] + b g[t] + c g[t-1] with b + c = 1 and the slope b - c.

    A root of the delayed loop lies on the unit circle, at an angle theta, where the phase
    F(u) = n atan(u) - atan(slope u) - atan(r/u) is a whole number of turns, with u = tan(theta/2),
    n = 2 delay + 1 and r = (1 - m)/(1 + m). Between the turning points of F and of the gain, only
    one such crossing can be the first. The excess is n - slope, free of rounding.
    """
    turns = 2.0 * delay + 1.0
    ratio = (1.0 - momentum) / (1.0 + momentum)
    # u^2 at the turning point of the gain, and at the two of F.
    steep = slope / (1.0 + momentum)
    bend = 1.0 + 4.0 * momentum * steep * steep
    peak = turning_point(1.0 + sqrt(max(1.0 - ratio * ratio * bend, 0.0)), -bend)
    a = slope * (slope * (turns + ratio) - 1.0)
    b = slope * (turns * slope - 1.0) * ratio * ratio + (1.0 + slope * slope) * ratio + excess
    c = ratio * (1.0 + ratio * excess)
    discriminant = b * b - 4.0 * a * c
    root = sqrt(max(discriminant, 0.0))
    both = 0.5 * ((-root if b >= 0.0 else root) - b)
    divisor = both if discriminant >= 0.0 else 0.0
    one = turning_point(divisor, a)
    other = turning_point(c, divisor)
    lower = min(one, other)
    upper = max(one, other)
    # The root z = -1 has a positive gain if the slope has the sign of (-1)^delay.
    opposite = slope if is_even(delay) else -slope
    exists = opposite > SMALLEST
    at_minus_one = 2.0 * (1.0 + momentum) / (opposite if exists else 1.0)
    gain = at_minus_one if exists else NO_CROSSING
    # The crossings between the turning points, which are in order.
    first = min(peak, lower)
    low = min(first, FIRST_TANGENT)
    high = first
    middle = max(lower, min(peak, upper))
    last = max(peak, upper)
    for _ in range(4):
        gain = min(gain, first_crossing(momentum, slope, excess, delay, low, high))
        low = high
        high = middle
        middle = last
        last = max(last, LAST_TANGENT)
    return gain


def turning_point(above: float, below: float) -> float:
    """The u with u^2 = above / below, or the last one if there is none."""
    found = above * below > 0.0
    square = (above if found else 1.0) / (below if found else 1.0)
    tangent = sqrt(square) if found else LAST_TANGENT
    return max(min(tangent, LAST_TANGENT), FIRST_TANGENT)


def first_crossing(
    momentum: float, slope: float, excess: float, delay: float, low: float, high: float
) -> float:
    """Smallest gain of the crossings from low to high, where F and the gain are monotone.

    They are those of pole_zero_gain; a bisection and Newton's method find the crossing.
    """
    ends_at_minus_one = high >= LAST_TANGENT
    at_low = phase_beyond(momentum, slope, excess, delay, 0.0, low) / FULL_TURN
    inner = phase_beyond(momentum, slope, excess, delay, 0.0, high) / FULL_TURN
    at_high = turns_at_minus_one(slope, delay) if ends_at_minus_one else inner
    # The crossing nearest to the end of smaller gain, at a whole number of turns.
    growing = gain_at(momentum, slope, low) <= gain_at(momentum, slope, high)
    upwards = at_high > at_low if growing else at_high < at_low
    direction = 1.0 if upwards else -1.0
    from_turns = without_derivative(direction * (at_low if growing else at_high))
    to_turns = direction * (at_high if growing else at_low)
    ceiling = -floor(-from_turns)
    # That at z = -1 itself is not one of these.
    at_end = ends_at_minus_one and not growing and ceiling <= from_turns
    whole = ceiling + 1.0 if at_end else ceiling
    is_open = ends_at_minus_one and growing
    reached = low < high and (whole < to_turns if is_open else whole <= to_turns)
    goal = direction * whole
    rising = 1.0 if at_high > at_low else -1.0
    left = without_derivative(low)
    right = without_derivative(high)
    for _ in range(24):
        middle = sqrt(left * right)
        phase = phase_beyond(momentum, slope, excess, delay, goal, middle)
        beyond = rising * phase > 0.0
        left = left if beyond else middle
        right = middle if beyond else right
    u = sqrt(left * right)
    for _ in range(3):
        phase = phase_beyond(momentum, slope, excess, delay, goal, u)
        rate = phase_rate(momentum, slope, excess, delay, u)
        newton = u - phase / (rate if abs(rate) > SMALLEST else 1.0)
        u = max(left, min(newton, right))
    return gain_at(momentum, slope, u) if reached else NO_CROSSING


def gain_at(momentum: float, slope: float, u: float) -> float:
    """The gain of the root at u, where there is one."""
    below = 1.0 - momentum
    above = (1.0 + momentum) * u
    steep = slope * u
    pole = below * below + above * above
    return 2.0 * u * sqrt(pole / ((1.0 + u * u) * (1.0 + steep * steep)))


def phase_beyond(
    momentum: float, slope: float, excess: float, delay: float, goal: float, u: float
) -> float:
    """F of pole_zero_gain less a goal in turns, in a form that does not cancel."""
    turns = 2.0 * delay + 1.0
    ratio = (1.0 - momentum) / (1.0 + momentum)
    steep = slope * u
    slow = u <= 0.25 and abs(steep) <= 0.25
    within = u if slow else 0.0
    curved = beyond_atan(slope * within) - turns * beyond_atan(within)
    series = excess * within + curved
    plain = turns * atan(u) - atan(steep)
    from_one = (series if slow else plain) - FULL_TURN * goal
    # atan(x) = pi/2 - atan(1/x) beyond u = 1, and beyond slope u = 1 too.
    side = side_of(slope)
    inverse = atan(1.0 / max(abs(steep), 1.0))
    rest = side * inverse if abs(steep) > 1.0 else 0.5 * PI * side - atan(steep)
    ahead = FULL_TURN * (turns_at_minus_one(slope, delay) - goal)
    from_minus_one = ahead + (rest - turns * atan(1.0 / u))
    return (from_one if u <= 1.0 else from_minus_one) - atan(ratio / u)


def phase_rate(momentum: float, slope: float, excess: float, delay: float, u: float) -> float:
    """The derivative of F of pole_zero_gain."""
    ratio = (1.0 - momentum) / (1.0 + momentum)
    square = u * u
    steep = slope * u
    turns = 2.0 * delay + 1.0
    top = excess + slope * (turns * slope - 1.0) * square
    return top / ((1.0 + square) * (1.0 + steep * steep)) + ratio / (ratio * ratio + square)


def turns_at_minus_one(slope: float, delay: float) -> float:
    """F of pole_zero_gain at infinity in turns, a multiple of 1/4."""
    return 0.5 * delay + 0.25 * (1.0 - side_of(slope))


def side_of(slope: float) -> float:
    """The sign of the slope: -1, 0 or 1."""
    return (1.0 if slope > 0.0 else 0.0) - (1.0 if slope < 0.0 else 0.0)


def beyond_atan(x: float) -> float:
    """The difference x - atan(x) for |x| <= 1/4, by its series."""
    square = x * x
    odd = 25.0
    total = 0.0
    for _ in range(12):
        total = square * (1.0 / odd - total)
        odd = odd - 2.0
    return x * total
