"""The exact loop of an optimizer and a delay: its rational tables, and the labels that name it.

The labels are enough to build the tables again: a certificate that says heavy ball with momentum
9/10 is about these tables and no others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import inf
from typing import Any

from delaystability.model.catalogue import (
    CATALOGUE,
    LinearOptimizer,
    Optimizer,
    optimizer_from_dict,
)
from delaystability.model.delays import Delay, delay_array, random_law
from delaystability.model.loop import NO_DECAY, Decay, at_any_delay, loop_tables
from delaystability.numerics.exact.circle_proof import Table
from delaystability.numerics.exact.rational_text import (
    LARGEST_BITS,
    MOST_LAGS,
    rational_from_text,
    rational_text,
    table_from_text,
    table_text,
)

__all__ = [
    "DISTRIBUTION",
    "NamedLoop",
    "named_loop",
    "loop_from_labels",
]

DISTRIBUTION = "delay distribution"
"""The parameter that holds E[z^-delay] of a random delay, over the part that is certain."""

_OVER = " over "
_PROBES = (512, 1024)


@dataclass(frozen=True)
class NamedLoop:
    """Exact tables A and B with a fixed delay, and the name and parameters that they follow from.

    The mean of a random delay is a longer table; the part of it that is certain is the delay.
    ``still`` is what decay adds to (z - 1) A.
    """

    optimizer: str
    parameters: dict[str, str]
    a: Table
    b: Table
    delay: int
    still: Table = ()


def named_loop(optimizer: Optimizer, delay: Any, decay: Decay = NO_DECAY) -> NamedLoop:
    """Build the loop of an optimizer with exact parameters.

    An optimizer that is not in the catalogue is named by its tables: as a `LinearOptimizer`.

    Parameters
    ----------
    optimizer : Optimizer, as `exact_optimizer` returns it
    delay : int or delay object
    decay : Decay, its amount a Fraction

    Raises
    ------
    TypeError, ValueError
        If the delay is not one delay, or the exact tables would not fit into any memory.
    """
    law = random_law(delay)
    lag = _one_delay(delay) if law is None else law.minimum
    if CATALOGUE.get(optimizer.name) is not type(optimizer):
        found = loop_tables(optimizer, lag if law is None else law)
        optimizer = LinearOptimizer(found.feedback, found.b)
    labels = {
        name: _text(value) for name, value in optimizer.parameters.items() if value is not None
    }
    if law is None:
        a, b = _tables(optimizer, lag)
        return NamedLoop(optimizer.name, labels, a, b, lag, _still(decay, a, b))
    tables = _distribution(law)
    labels[DISTRIBUTION] = _OVER.join(map(table_text, tables if tables[1] != _ONE else tables[:1]))
    return NamedLoop(optimizer.name, labels, *_mean_tables(optimizer, tables, lag, decay))


_ONE: Table = ((0, Fraction(1)),)


def loop_from_labels(
    name: str, parameters: Mapping[str, str], delay: int, decay: Decay = NO_DECAY
) -> NamedLoop:
    """Build the loop that a name and parameters describe.

    Raises
    ------
    ValueError
        If there is no optimizer of this name with these parameters, or a number cannot be read.
    """
    labels = dict(parameters)
    law = labels.pop(DISTRIBUTION, None)
    values = {key: _value(f"parameters[{key!r}]", text) for key, text in labels.items()}
    optimizer = optimizer_from_dict({**values, "name": name})
    if law is None:
        a, b = _tables(optimizer, delay)
        return NamedLoop(name, dict(parameters), a, b, delay, _still(decay, a, b))
    argument = f"parameters[{DISTRIBUTION!r}]"
    tables = [table_from_text(argument, text, 0) for text in law.split(_OVER)]
    if len(tables) > 2 or not tables[0] or not tables[-1]:
        raise ValueError(f"{argument} must be a table, or a table over a table")
    pair = (tables[0], tables[1] if len(tables) == 2 else _ONE)
    return NamedLoop(name, dict(parameters), *_mean_tables(optimizer, pair, delay, decay))


def _one_delay(delay: Any) -> int:
    lags = delay_array(delay)
    if lags.ndim:
        raise TypeError(f"delay must be one integer >= 0; got {delay!r}")
    return int(lags)


def _tables(optimizer: Optimizer, delay: int) -> tuple[Table, Table]:
    _refuse_huge(optimizer, delay)
    a, b = loop_tables(optimizer, delay).converted(Fraction)
    return _sorted(a), _sorted(b)


def _sorted(table: Mapping[int, Fraction]) -> Table:
    return tuple(sorted((lag, value) for lag, value in table.items() if value))


def _refuse_huge(optimizer: Optimizer, delay: int) -> None:
    """Powers of the momentum have digits for each update of the delay, which may be billions."""
    if delay <= _PROBES[1]:
        return
    short, long = (_bits(optimizer, probe) for probe in _PROBES)
    bits = long * delay // _PROBES[1]
    # Digits of the delay itself grow with its logarithm only.
    if long > 1.5 * short and bits > LARGEST_BITS:
        most = LARGEST_BITS * _PROBES[1] // long
        raise ValueError(
            f"delay must be at most {most} for exact coefficients of {optimizer.name} with these "
            f"parameters; got {delay}: its fractions would have about {bits} bits. A momentum "
            "with a short fraction, such as Fraction(9, 10), goes further"
        )


def _bits(optimizer: Optimizer, delay: int) -> int:
    values = [value for table in optimizer.coefficients(delay) for _, value in table]
    return max((Fraction(value).denominator.bit_length() for value in values), default=1)


def _distribution(delay: Delay) -> tuple[Table, Table]:
    """E[z^-delay] without its certain part, as a fraction of exact tables that is 1 at z = 1."""
    found = delay.tables() if delay.maximum < inf else delay.rational_tables()
    if found is None:
        raise ValueError(
            "delay must have a largest value or a generating function that is a fraction of short "
            f"polynomials for a certificate; got {delay!r}: certify a RandomDelay of its table"
        )
    numerator, denominator = (
        tuple((lag, Fraction(value)) for lag, value in table.items()) for table in found
    )
    # Float probabilities sum to 1 within rounding only; exactly so after this division.
    masses = [sum((value for _, value in table), Fraction(0)) for table in (numerator, denominator)]
    total = masses[0] / masses[1]
    return tuple((lag - delay.minimum, value / total) for lag, value in numerator), denominator


def _still(decay: Decay, a: Table, b: Table) -> Table:
    """What decays: the decay times A, or times the present gradients' B."""
    return _sorted(decay.table(dict(a), dict(b)))


def _mean_tables(
    optimizer: Optimizer, law: tuple[Table, Table], delay: int, decay: Decay
) -> tuple[Table, Table, int, Table]:
    most = max(map(len, law))
    if most > MOST_LAGS:
        raise ValueError(
            f"delay must have at most {MOST_LAGS} different values for a certificate; got {most}: "
            "leave out the rarest ones"
        )
    tables = at_any_delay(optimizer, lambda lag: loop_tables(optimizer, lag)).converted(Fraction)
    a, b = map(_sorted, tables)
    a, present = _product(a, law[1]), _product(b, law[1])
    return a, _product(b, law[0]), delay, _still(decay, a, present)


def _product(left: Table, right: Table) -> Table:
    product: dict[int, Fraction] = {}
    for j, u in left:
        for k, v in right:
            product[j + k] = product.get(j + k, Fraction(0)) + u * v
    return _sorted(product)


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return table_text([(lag, Fraction(entry)) for lag, entry in value.items()])
    return rational_text(Fraction(value))


def _value(argument: str, text: str) -> Any:
    if ":" in text or not text:
        return dict(table_from_text(argument, text, 0))
    return rational_from_text(argument, text)
