"""Certified values of the thresholds: what an exported program must give, and what it must refuse.

No kernel is asked: each value is the middle of an enclosure of relative width 1e-30 that
`certificate.certify` has proved for the binary momentum, rounded to the nearest float.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

from delaystability.model.catalogue import CATALOGUE, Optimizer, optimizer_from_name
from delaystability.numerics.certificates.certificate import certify
from delaystability.translation.languages.language import MEANINGS, Refusal, Sample
from delaystability.translation.table_kernels import threshold_function

__all__ = ["certified_samples", "example_call", "refusals", "rule_samples"]

_DIGITS = 30
_CASES = [
    (0.9, 4),
    (0.9, 0),
    (-0.5, 2),
    (0.0, 1),
    (0.99, 32),
    (1 - 1e-9, 5),
    (-0.9, 7),
    (0.9, 10**6),
    (-0.999, 8),
    (0.5, 3),
    (-0.25, 0),
    (0.75, 100),
]
"""Momenta and delays: everyday ones first, and each special case of the formulas."""
_HORIZONS = [None, 0.5, None, -1.0, 40.0, 15.0, 3.0]
_BOUNDS = (0, 1, 2, 8, 100, 10**6)
_LONGEST = {"spike-compensation": 60, "shifted-momentum": 1000}
"""The longest delays that are proved fast: exact powers of the momentum, poles of high order."""


def _cases(count: int) -> Iterator[tuple[float, int]]:
    """The cases above, then evenly spread ones."""
    yield from _CASES[:count]
    for number in range(len(_CASES), count):
        spread = number * 0.618033988749895 % 1
        yield round(2 * spread - 1, 6) or 0.5, number * number % 71


@cache
def certified_samples(optimizer: str, count: int) -> tuple[Sample, ...]:
    """Samples of the threshold of an optimizer.

    Parameters
    ----------
    optimizer : str
        Its name in the catalogue.
    count : int, at least 1
    """
    found = {}
    for number, (momentum, delay) in enumerate(_cases(count)):
        delay = min(delay, _LONGEST.get(optimizer, delay))
        own = _parameters(CATALOGUE[optimizer], number, momentum)
        certificate = certify(optimizer_from_name(optimizer, **own), delay, _DIGITS)
        value = float((certificate.lower + certificate.upper) / 2)
        arguments = _arguments(CATALOGUE[optimizer], own, delay)
        sample = Sample(threshold_function(optimizer), arguments, value)
        found[sample.arguments] = sample
    return tuple(found.values())


def _parameters(optimizer: type[Optimizer], number: int, momentum: float) -> dict[str, float]:
    """The parameters of a sample; one that is the delay by default is left out now and then."""
    own: dict[str, float] = {}
    ordinary = optimizer.example().parameters
    for name in optimizer.parameter_names():
        if name == "momentum":
            own[name] = momentum
        elif ordinary[name] is not None:
            own[name] = ordinary[name] if number % 2 else ordinary[name] / 2
        elif (horizon := _HORIZONS[number % len(_HORIZONS)]) is not None:
            own[name] = horizon
    return own


def _arguments(
    optimizer: type[Optimizer], own: dict[str, float], delay: float
) -> tuple[float, ...]:
    """The arguments of a kernel: the delay precedes what is the delay by default."""
    ordinary = optimizer.example().parameters
    early = [value for name, value in own.items() if ordinary[name] is not None]
    late = [value for name, value in own.items() if ordinary[name] is None]
    return (*early, float(delay), *late)


def example_call(optimizer: str) -> tuple[float, ...]:
    """Ordinary arguments of the kernel of an optimizer of the catalogue."""
    ordinary = CATALOGUE[optimizer].example().parameters
    given = {name: value for name, value in ordinary.items() if value is not None}
    return _arguments(CATALOGUE[optimizer], given, 4)


def _any_sequence(delay: int) -> float:
    """The root of the quadratic equation to 40 digits; see ``any_sequence`` in the theory."""
    from mpmath import mp

    with mp.workdps(40):
        plateau = (2 * delay + 1) // 3
        updates = delay + 1 + plateau
        if not plateau:
            return 2.0
        square = mp.mpf(updates) ** 2 - 4 * plateau * (plateau + 1)
        return float((updates - mp.sqrt(square)) / (plateau * (plateau + 1)))


def rule_samples() -> tuple[Sample, ...]:
    """The learning-rate rule at arguments for which floats are exact, and sequences of delays."""
    return (
        Sample("max_learning_rate", (4.0, 2.0), 0.5),
        Sample("max_sharpness", (0.25, 2.0), 8.0),
        Sample("adjust_learning_rate", (0.5, 2.0, 0.25), 0.0625),
        *(Sample("any_sequence_threshold", (float(d),), _any_sequence(d)) for d in _BOUNDS),
    )


_ALLOWED = {
    "momentum": 0.5,
    "delay": 4.0,
    "horizon": 2.0,
    "share": 0.75,
    "decay": 0.1,
    "condition_number": 100.0,
    "steps": 10.0,
}
_REFUSED = {
    "momentum": [1.0, -1.5],
    "delay": [-1.0, 2.5],
    "horizon": [1e300],
    "share": [1e300],
    "decay": [1.0, -0.5],
    "noise": [-1.0],
    "condition_number": [1.0],
    "beta1": [1.0],
    "beta2": [1.0],
    "alpha": [-0.5],
    "curvature": [0.0, 3.0],
    "steps": [0.0, 2.5],
}


def refusals(function: str, parameters: Sequence[str]) -> tuple[Refusal, ...]:
    """Calls of a function with one argument that is not allowed."""
    allowed = [_ALLOWED.get(name, 1.0 if name in MEANINGS else 0.5) for name in parameters]
    found = []
    for place, name in enumerate(parameters):
        for value in _REFUSED.get(name, [0.0] if name in MEANINGS else [1e300]):
            arguments = (*allowed[:place], value, *allowed[place + 1 :])
            found.append(Refusal(function, arguments))
    return tuple(found)
