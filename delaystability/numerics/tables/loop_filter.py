"""The mean loop of an optimizer and any delay, as one filter and one fixed delay.

A random delay enters the mean of the loop only through its generating function
``E[z^-delay] = z^-minimum N(z)/Q(z)``, so

    (z - 1) A + gain B E[z^-delay] = 0   has the roots of   (z - 1) A Q + gain z^-minimum B N

and every routine for a filter with a fixed delay answers for random delays too.
"""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np

from delaystability.model.catalogue import LinearOptimizer, Optimizer
from delaystability.model.delays import Delay, as_delay
from delaystability.model.loop import Decay, Loop, LoopTables, at_any_delay, loop_tables
from delaystability.numerics.tables.exact_tables import (
    exact_number,
    exact_tables,
    plain_optimizer,
    single_tables,
)
from delaystability.numerics.tables.table_rows import LARGEST_SPAN

__all__ = [
    "decay_through",
    "loop_filter",
    "loop_parts",
    "mean_loop",
    "optimizer_tables",
    "with_one_read",
]

Tables = tuple[dict[int, float], dict[int, float]]
_LONGEST_DENSE = 2**22
_LONGEST_EXACT = 64
"""See `crossings.LARGEST_EXACT_SPAN`; longer tables are scanned in floats anyway."""


def loop_filter(optimizer: Optimizer, delay: Any, *, exact: bool = False) -> tuple[Any, Any, int]:
    """Tables A and B and the fixed delay of the mean loop.

    Parameters
    ----------
    optimizer : Optimizer with scalar coefficients
    delay : int or Delay
    exact : bool
        Whether short tables are to be fractions, in arrays of objects: nothing is rounded then.

    Returns
    -------
    a, b : arrays of shape (number of lags,)
        Coefficients over the lags 0, 1, 2, ...; ``a[0]`` is 1.
    fixed_delay : int
        The smallest possible delay; the rest of the delay is part of ``a`` and ``b``.

    Raises
    ------
    ValueError
        If the optimizer's tables depend on the delay and the delay is random, or if the possible
        delays, or the lags of the optimizer at a random delay, span more than 65,536 updates.
    """
    a, b, law, minimum = loop_parts(optimizer, delay, exact=exact)
    if law is None:
        return a, b, minimum
    return np.convolve(a, law[1]), np.convolve(b, law[0]), minimum


def mean_loop(optimizer: Optimizer, delay: Delay) -> tuple[LinearOptimizer, int]:
    """An optimizer and a fixed delay whose loop is the mean of the loop with a random delay."""
    a, b, minimum = loop_filter(optimizer, delay, exact=True)
    feedback = {lag: -value for lag, value in enumerate(a.tolist()) if lag and value}
    return LinearOptimizer(feedback, {k: v for k, v in enumerate(b.tolist()) if v}), minimum


def decay_through(loop: Loop) -> Decay:
    """How weights decay in the mean loop: through B itself, where the delay is random."""
    if not (loop.decay and loop.coupled):
        return loop.shrinkage
    _, b, law, _ = loop_parts(loop.optimizer, loop.delay, exact=True)
    table = np.convolve(b, law[1]) if law else b
    return loop.shrinkage._replace(through=dict(enumerate(table.tolist())))


def with_one_read(optimizer: Optimizer, delay: Delay) -> tuple[Optimizer, Delay]:
    """The same loop with its mixture of reads, if it has one, in the optimizer.

    Gradients see the same noise then: scalar filters commute.
    """
    if delay.varies or delay.is_fixed:
        return optimizer, delay
    mixed, minimum = mean_loop(optimizer, delay)
    return mixed, as_delay(minimum)


def loop_parts(
    optimizer: Optimizer, delay: Any, *, exact: bool = False
) -> tuple[Any, Any, tuple[Any, Any] | None, int]:
    """A and B, N and Q of a random delay (None for a fixed one), and the fixed part of the delay.

    See `loop_filter`.
    """
    delay = as_delay(delay)
    minimum = delay.minimum
    fixed = minimum == delay.maximum
    if delay.maximum < inf:
        _check_span(minimum, delay.maximum)
    feedback, feedforward = optimizer_tables(optimizer, delay)
    longest = max([*feedback, *feedforward, 0])
    law = delay.tables()
    short = longest + _span(law, minimum)
    if short > _LONGEST_EXACT and max(law[1]) > 1:
        # Floats lose the digits of a long denominator next to z = 1; those of a table they keep.
        law = delay.tables(highest_order=1)
        short = longest + _span(law, minimum)
        _check_span(minimum, max(law[0]))
    exact = exact and short <= _LONGEST_EXACT
    _check_lags(optimizer, (feedback, feedforward))
    own = exact_tables(optimizer, minimum) if exact else (feedback, feedforward)
    a = _dense({0: 1} | {lag: -value for lag, value in own[0].items()}, exact)
    b = _dense(own[1], exact)
    if fixed:
        return a, b, None, minimum
    number = exact_number if exact else float
    numerator, denominator = ({k: number(v) for k, v in table.items()} for table in law)
    numerator = {lag - minimum: value for lag, value in numerator.items()}
    return a, b, (_dense(numerator, exact), _dense(denominator, exact)), minimum


def _span(law: tuple[dict[int, Any], dict[int, Any]], minimum: int) -> int:
    return max(max(law[0]) - minimum, max(law[1]))


def _check_span(minimum: int, maximum: float) -> None:
    if maximum - minimum > LARGEST_SPAN:
        raise ValueError(
            f"delay must span at most {LARGEST_SPAN} updates from the least to the largest; got "
            f"{minimum} to {maximum:.0f}"
        )


def _check_lags(optimizer: Optimizer, tables: Any) -> None:
    """Refuse tables that would be long, but for one pole at the lag of the loop."""
    last = max((lag for table in tables for lag in table), default=0)
    spans = [max(table) - min(table) for table in tables if table]
    if last <= _LONGEST_DENSE and max(spans, default=0) <= LARGEST_SPAN:
        return
    at_zero = max((int(lag) for terms in optimizer.coefficients(0) for lag, _ in terms), default=0)
    if at_zero < last:
        raise ValueError(
            f"delay must keep the lags of {optimizer.name} up to {_LONGEST_DENSE} here; got lag "
            f"{last}"
        )
    raise ValueError(f"optimizer must have lags of at most {LARGEST_SPAN}; got {last}")


def optimizer_tables(optimizer: Optimizer, delay: Delay) -> Tables:
    """The feedback and feedforward tables as mappings from lag to float, without zeros.

    Raises
    ------
    ValueError
        If the tables depend on the delay and the delay is random.
    TypeError
        If a coefficient is not a single number.
    """
    plain = plain_optimizer(optimizer)[0]

    def tables(lag: int) -> LoopTables:
        return single_tables(loop_tables(plain, lag), float)

    fixed = delay.minimum == delay.maximum
    found = tables(delay.minimum) if fixed else at_any_delay(optimizer, tables)
    return found.feedback, found.b


def _dense(table: dict[int, Any], exact: bool) -> Any:
    dense = np.zeros(1 + max(table, default=0), dtype=object if exact else np.float64)
    for lag, value in table.items():
        dense[lag] = value
    return dense
