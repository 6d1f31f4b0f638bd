"""Thresholds with a proof: between a stable and an unstable rational gain."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

import typer

from delaystability.cli.answers import Answer, answering
from delaystability.cli.optimizer_options import Parameters
from delaystability.cli.optimizers import described, exact_decimal, optimizer_of
from delaystability.cli.options import (
    INTEGERS,
    Coupled,
    Decay,
    Delay,
    OptimizerName,
    integer,
    written_decay,
)

__all__ = ["certify"]


@answering
def certify(
    optimizer: OptimizerName,
    parameters: Parameters,
    delay: Delay = "0",
    digits: Annotated[
        str,
        typer.Option(
            metavar=INTEGERS,
            help="The number of digits, 1 to 1000: the relative width is 10**-digits.",
        ),
    ] = "30",
    decay: Decay = None,
    coupled: Coupled = False,
) -> Answer:
    """Enclose the threshold between a proved stable and a proved unstable rational gain."""
    from delaystability.numerics.certificates.certificate import certify as certified

    chosen = optimizer_of(optimizer, parameters, exact=True)
    found = certified(
        chosen,
        integer("delay", delay),
        integer("digits", digits),
        decay=exact_decimal("decay", written_decay(decay, coupled)),
        coupled=coupled,
    )
    shown = {
        **described(chosen),
        "delay": found.delay,
        **({"decay": str(found.decay), "coupled": found.coupled} if found.decay else {}),
        "proved_stable": found.decimal(found.lower),
        "proved_unstable": found.decimal(found.upper),
        "method": found.method,
    }
    if found.root_moduli is not None:
        shown["largest_root"] = " and ".join(map(_distance_from_one, found.root_moduli))
    return Answer("Certified threshold of lr * sharpness", found.to_dict(), shown)


def _distance_from_one(modulus: str) -> str:
    difference = Decimal(modulus) - 1
    return f"1 {'-' if difference < 0 else '+'} {abs(difference):.2e}"
