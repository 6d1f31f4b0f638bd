"""How optimizers and numbers are written in pictures."""

from __future__ import annotations

import numpy as np

from delaystability.model.catalogue import Optimizer
from delaystability.model.delays import as_delay, random_law

__all__ = ["described", "described_delay", "plain_number"]


def described(optimizer: Optimizer, *, momentum: bool = True) -> str:
    """Its title in the middle of a sentence, with its momentum: "heavy ball 0.9"."""
    title = optimizer.title
    # An abbreviation such as SGD keeps its capitals.
    words = title if title[:2].isupper() else title[0].lower() + title[1:]
    value = optimizer.parameters.get("momentum")
    return words if value is None or not momentum or np.ndim(value) else f"{words} {value:g}"


def described_delay(delay: object) -> str:
    """The words "delay 4", or the mean of a random delay."""
    law = random_law(delay)
    return (
        f"delay {as_delay(delay).minimum}" if law is None else f"mean delay {float(law.mean):.3g}"
    )


def plain_number(value: float) -> str:
    """A number without exponent where it is short enough, and with a power of ten elsewhere."""
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        return f"{value:g}"
    exponent = int(np.floor(np.log10(abs(value)) + 1e-12))
    factor = value / 10.0**exponent
    power = f"10^{{{exponent}}}"
    return f"${power}$" if abs(factor - 1) < 1e-9 else rf"${factor:g}\times{power}$"
