"""Delays as plain data (dicts, numbers, tensors), and back.

``torch.load(weights_only=True)`` reads nothing else.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import torch

from delaystability.model.delays import (
    Delay,
    FixedDelay,
    GeometricDelay,
    MeasuredDelay,
    RandomDelay,
)

__all__ = ["plain_delay", "read_delay"]


def plain_delay(delay: Delay) -> dict[str, Any]:
    """The kind of the delay and its numbers; a log as a tensor, fractions as pairs."""
    if isinstance(delay, FixedDelay):
        return {"kind": "fixed", "delay": delay.delay}
    if isinstance(delay, GeometricDelay):
        return {"kind": "geometric", "ratio": _plain(delay.ratio)}
    if isinstance(delay, MeasuredDelay):
        return {"kind": "measured", "sequence": torch.tensor(delay.sequence)}
    if isinstance(delay, RandomDelay):
        return {"kind": "random", "pmf": {k: _plain(value) for k, value in delay.pmf.items()}}
    raise TypeError(
        "delay must be an integer, FixedDelay, RandomDelay, GeometricDelay or MeasuredDelay; "
        f"got {delay!r}"
    )


def read_delay(data: Any, current: Delay) -> Delay:
    """The delay written by `plain_delay`; ``current`` itself if that is the one.

    A table of floats is normalised when it is made, so that it may differ from its copy by a
    rounding: hence the delay that is already there is preferred.
    """
    if isinstance(data, Delay):
        return data
    if data["kind"] == "measured":
        return MeasuredDelay(data["sequence"].cpu().numpy())
    if data == plain_delay(current):
        return current
    if data["kind"] == "fixed":
        return FixedDelay(data["delay"])
    if data["kind"] == "geometric":
        return GeometricDelay(_number(data["ratio"]))
    if data["kind"] == "random":
        return RandomDelay({k: _number(value) for k, value in data["pmf"].items()})
    raise ValueError(
        f"delay must be of a kind fixed, geometric, measured or random; got {data['kind']!r}"
    )


def _plain(value: Any) -> Any:
    exact = isinstance(value, Fraction)
    return (value.numerator, value.denominator) if exact else value


def _number(value: Any) -> Any:
    return Fraction(*value) if isinstance(value, (tuple, list)) else value
