"""Values of the closed forms, from the equations that define them, in many digits.

No kernel is asked: an angle is bracketed between two values of opposite sign, and no formula has to
avoid cancellation.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from functools import cache
from typing import Any

from delaystability.translation.languages.language import Sample

__all__ = ["closed_form_samples", "closed_form_value"]

_DIGITS = 80
_HALVINGS = 120
"""Of a bracket: an angle is known to 36 digits, and intervals may be short."""
_DELAYS = (0.0, 1.0, 2.0, 7.0, 8.0, 1000.0)
_SHARES = (-3.0, -0.25, 0.25, 0.4375, 0.5, 0.625, 0.96875, 1.0, 1.0625, 2.0)
_DECAYS = (0.0, 0.0078125, 0.25, 0.875)
_MOMENTA = (0.5, 0.9375)
_NOISES = (0.0, 0.125, 1.0, 1024.0)
_CONDITIONS = (4.0, 100.0, 1e6)
_BETAS = ((0.0, 0.9990234375), (0.5, 0.5), (0.875, 0.9990234375), (0.9375, 0.99993896484375))
_INNER = ((0.001953125, 500.0), (1.0, 3.0), (1.5, 10.0), (1.75, 3.0), (2.0, 2.0))


def closed_form_samples(functions: Container[str]) -> tuple[Sample, ...]:
    """Samples of those of these functions that are closed forms; the others are left out.

    Parameters
    ----------
    functions : container of str
        Their names.
    """
    return tuple(
        Sample(function, arguments, closed_form_value(function, arguments))
        for function, arguments in _calls()
        if function in functions
    )


@cache
def closed_form_value(function: str, arguments: tuple[float, ...]) -> float:
    """The value of a closed form.

    Parameters
    ----------
    function : str
        Its name.
    arguments : tuple of float
    """
    from mpmath import mp

    with mp.workdps(_DIGITS):
        return float(_EQUATIONS[function](*map(mp.mpf, arguments)))


def _calls() -> Iterator[tuple[str, tuple[float, ...]]]:
    for delay in _DELAYS:
        yield from (("mixed_read_threshold", (share, delay)) for share in _SHARES)
        for decay in _DECAYS:
            yield "decayed_sgd_threshold", (decay, delay)
            for momentum in _MOMENTA:
                yield "decayed_heavy_ball_threshold", (momentum, decay, delay)
        for noise in _NOISES:
            yield "noisy_sgd_threshold", (delay, noise)
            yield "sgd_batch_sharpness_edge", (delay, noise)
        yield from (("speed_limit", (condition, delay)) for condition in _CONDITIONS)
        yield "signsgd_oscillation", (0.125, delay)
        for momentum, kept in _BETAS:
            yield "adam_oscillation", (0.125, momentum, kept, delay)
            yield "rmsprop_oscillation", (0.125, kept, momentum, delay)
    yield from (("mostly_fresh_threshold", (share,)) for share in _SHARES if share >= 0.5)
    for condition in _CONDITIONS:
        yield from ((f"fastest_{name}", (condition,)) for name in ("rate", "momentum", "horizon"))
        yield "fastest_learning_rate", (4.0, condition)
    yield "adaptive_loss_floor", (0.125, 0.5, 32.0)
    yield "decay_updates", (0.125, 0.015625, 0.9375)
    yield "decay_updates", (0.125, 0.25, 0.9375)
    for inner, steps in _INNER:
        for function in ("outer_threshold", "max_outer_learning_rate"):
            yield function, (inner / 4, 4.0, steps, 0.25)


def _root(function: Callable[[Any], Any], low: Any, high: Any) -> Any:
    """The root between two arguments, next to which the signs differ."""
    from mpmath import mp

    margin = (high - low) * mp.mpf(2) ** -_HALVINGS
    left, right = low + margin, high - margin
    rises = function(right) > 0
    if (function(left) > 0) == rises:
        raise ArithmeticError(f"no root is bracketed between {low} and {high}")
    for _ in range(_HALVINGS):
        middle = (left + right) / 2
        left, right = (left, middle) if (function(middle) > 0) == rises else (middle, right)
    return left


def _mixed_read(share: Any, delay: Any) -> Any:
    """By the sum of cosines, or the root z = -1 where that is first; see the kernel."""
    from mpmath import cos, pi, sin

    if delay == 0 or share == 0.5:
        return 2
    late, other = 1 - share, 2 / (2 * share - 1)
    at_minus_one = other if delay % 2 else 2
    if share > 0.5 and (at_minus_one <= min(2, other) or share >= (2 * delay + 1) * abs(late)):
        return at_minus_one

    def equation(theta: Any) -> Any:
        return late * cos((delay + 0.5) * theta) + share * cos(theta / 2)

    end = pi / (delay + 1)
    theta = _root(equation, 0, end) if share < 0.5 else _root(equation, pi - end, pi)
    return sin(theta) / (late * sin(delay * theta))


def _decayed(momentum: Any, decay: Any, delay: Any) -> Any:
    """By the phase of (z - 1 + decay)(z - momentum) z^(delay - 1), which passes pi once."""
    from mpmath import arg, expj, pi

    kept = 1 - decay
    if delay == 0:
        return (1 + kept) * (1 + momentum)

    def phase(theta: Any) -> Any:
        z = expj(theta)
        return arg(z - kept) + arg(z - momentum) + (delay - 1) * theta - pi

    z = expj(_root(phase, 0, pi))
    return abs(z - kept) * abs(z - momentum)


def _noisy(delay: Any, noise: Any) -> Any:
    """By the tangents of two angles; 2/(1 + noise) without delay."""
    from mpmath import pi, sin, tan

    turns = 2 * delay + 1
    if delay == 0 or noise == 0:
        return 2 * sin(pi / (2 * turns)) / (1 + noise)
    half = _root(lambda x: tan(pi / 4 - turns * x / 2) - noise * tan(x), 0, pi / (2 * turns))
    return 2 * sin(half)


def _cycle(kept: Any, momentum: Any, filtered: Any, delay: Any) -> Any:
    """The rms over the learning rate: 1/a*, times the next order where there is one."""
    from mpmath import arg, conj, expj, pi

    if delay == 0:
        return 1 / (2 + 2 * momentum)

    def phase(theta: Any) -> Any:
        z = expj(theta)
        return arg(z - 1) + arg(z - momentum) + (delay - 1) * theta - pi

    z = expj(_root(phase, 0, pi))
    leading = 1 / (abs(z - 1) * abs(z - momentum))
    if (1 - kept) * (delay + 1 / (1 - momentum)) > 0.5:
        return leading
    response = 1 / (1 - filtered / z)
    ripple = conj(response) / (4 * response * (1 - z**-2))
    slope = 1j * (1 / (1 - 1 / z) + delay + momentum / (z - momentum))
    order = ripple.imag * slope.real / slope.imag - ripple.real
    return leading * max(1 + (1 - kept) * order, 0)


def _outer(inner: Any, steps: Any, threshold: Any, *, up_to: bool) -> Any:
    if up_to and steps % 2 == 0 and 1 < inner < 2:
        return threshold
    gain = 1 - (1 - inner) ** int(steps)
    return threshold / gain if gain > 0 else 0


def _limit(condition: Any, delay: Any) -> Any:
    root = condition**0.5
    return ((root - 1) / (root + 1)) ** (1 / (delay + 1))


def _log(value: Any) -> Any:
    from mpmath import log

    return log(value)


def _rate(condition: Any) -> Any:
    return 1 - 1 / (2 * condition**0.5)


def _gain(condition: Any) -> Any:
    return (2 * condition - 1) / (8 * condition)


_EQUATIONS: dict[str, Callable[..., Any]] = {
    "mixed_read_threshold": _mixed_read,
    "mostly_fresh_threshold": lambda share: min(2, 2 / (2 * share - 1)) if share > 0.5 else 2,
    "decayed_sgd_threshold": lambda decay, delay: _decayed(0, decay, delay),
    "decayed_heavy_ball_threshold": _decayed,
    "noisy_sgd_threshold": _noisy,
    "sgd_batch_sharpness_edge": lambda delay, noise: _noisy(delay, noise) * (1 + noise),
    "speed_limit": _limit,
    "adam_oscillation": lambda lr, beta1, beta2, delay: (
        lr * (1 - beta1) * _cycle(beta2, beta1, beta1, delay)
    ),
    "rmsprop_oscillation": lambda lr, alpha, momentum, delay: (
        lr * _cycle(alpha, momentum, 0, delay)
    ),
    "signsgd_oscillation": lambda lr, delay: lr * ((delay**2 + delay + 1) / 3) ** 0.5,
    "adaptive_loss_floor": lambda lr, threshold, roots: lr * roots / (2 * threshold),
    "decay_updates": lambda lr, final, kept: 4 * max(_log(lr / final), 0) / (1 - kept),
    "outer_threshold": lambda curvature, rate, steps, threshold: _outer(
        rate * curvature, steps, threshold, up_to=False
    ),
    "max_outer_learning_rate": lambda sharpness, rate, steps, threshold: _outer(
        rate * sharpness, steps, threshold, up_to=True
    ),
    "fastest_rate": _rate,
    "fastest_momentum": lambda condition: 1 - 1 / condition**0.5 + 1 / (2 * condition),
    "fastest_horizon": lambda condition: _rate(condition) ** 2 / (2 * _gain(condition)),
    "fastest_learning_rate": lambda sharpness, condition: _gain(condition) / sharpness,
}
