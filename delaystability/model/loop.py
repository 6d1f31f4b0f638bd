"""The loop that decides stability: an optimizer, a delay, and the decay of present weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, NamedTuple, TypeVar

import numpy as np

from delaystability.model.adaptive import wrong_optimizer
from delaystability.model.delays import Delay, as_delay, random_law, shown
from delaystability.model.optimizer import Optimizer
from delaystability.model.parameters import without_decimals

__all__ = [
    "NO_DECAY",
    "Decay",
    "Loop",
    "LoopTables",
    "at_any_delay",
    "checked_decay",
    "depends_on_delay",
    "loop_tables",
]

T = TypeVar("T")
_DELAYS = (1, 2, 3, 10, 1000, 10**6)
"""Tables that depend on the delay differ from those at delay 0 at one of these."""


class LoopTables(NamedTuple):
    """A(z) and B(z) as mappings from lag to coefficient; terms of equal lag are added.

    Attributes
    ----------
    a : dict, with 1 at lag 0
    b : dict
    """

    a: dict[Any, Any]
    b: dict[Any, Any]

    @property
    def feedback(self) -> dict[Any, Any]:
        """Weights of earlier updates by lag: A without its 1, negated."""
        return {lag: -value for lag, value in self.a.items() if lag}

    @property
    def steady(self) -> float:
        """The update over the gradient, where the gradient is constant."""
        return float(sum(self.b.values()) / sum(self.a.values()))

    @property
    def mean_lag(self) -> float:
        """Mean age of the gradients in an update, where the gradient is constant."""
        b, a = (
            sum(lag * value for lag, value in table.items()) / sum(table.values())
            for table in (self.b, self.a)
        )
        return float(b - a)

    def converted(self, number: Callable[[Any], Any]) -> LoopTables:
        """Convert each coefficient, for example to `float`, and each lag to an int."""
        a, b = ({int(lag): number(value) for lag, value in table.items()} for table in self)
        return LoopTables(a, b)

    def without_zeros(self) -> LoopTables:
        """Leave out coefficients that are zero."""
        a, b = ({lag: value for lag, value in table.items() if value} for table in self)
        return LoopTables(a, b)


class Decay(NamedTuple):
    """How present weights decay: by ``amount`` times a table, that of A or of B.

    Attributes
    ----------
    amount : number or array
        Learning rate times weight decay.
    coupled : bool
        Whether it goes through the optimizer's filter.
    through : mapping, optional
        The table, where it is neither: B times the denominator of a random delay.
    """

    amount: Any = 0
    coupled: bool = False
    through: Mapping[int, Any] | None = None

    def __bool__(self) -> bool:
        plain = type(self.amount) in (float, int)
        return bool(self.amount if plain else np.any(self.amount))

    def table(self, a: Mapping[Any, Any], b: Mapping[Any, Any]) -> dict[Any, Any]:
        """What decay adds to the part of the loop that is not late, from the tables A and B."""
        if not self:
            return {}
        chosen = self.through or (b if self.coupled else a)
        return {lag: self.amount * value for lag, value in chosen.items()}


NO_DECAY = Decay()


@dataclass(frozen=True)
class Loop:
    """Describe delayed training near a minimum, as one object that every question can be asked of.

    With the gain (learning rate times curvature), an iterate and its update follow

        u_t     = sum_j feedback_j u_{t-j} + sum_k feedforward_k gain w_{t-delay-k}
        w_{t+1} = (1 - decay) w_t - u_t,

    so that the roots of ``(z - 1 + decay) A(z) + gain B(z) E[z^-delay] = 0`` decide. With
    ``coupled=True`` the decay goes through the optimizer's filter together with the gradient, as in
    ``torch.optim.SGD``: ``(z - 1) A(z) + decay B(z) + gain B(z) E[z^-delay] = 0``. In both cases
    the decay acts on present weights, while gradients are late.

    Parameters
    ----------
    optimizer : Optimizer
        Its parameters may be floats, fractions, balls or expressions.
    delay : int, delay law or expression, at least 0
    decay : number, at least 0
        Learning rate times weight decay. A ``Decimal`` is taken as the fraction that it is.
    coupled : bool

    Raises
    ------
    TypeError, ValueError
        If an argument is not what is described here.

    Examples
    --------
    >>> import delaystability as ds
    >>> round(ds.stability_threshold(ds.Loop(ds.SGD(), 1)), 12)
    1.0
    >>> round(ds.stability_threshold(ds.Loop(ds.SGD(), 0, decay=0.1)), 12)
    1.9

    References
    ----------
    Theorem ``delayed-loop``. Decay that is decoupled: I. Loshchilov, F. Hutter, Decoupled weight
    decay regularization, ICLR 2019, arXiv:1711.05101.
    """

    optimizer: Optimizer
    delay: Any
    decay: Any = 0
    coupled: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.optimizer, Optimizer):
            raise wrong_optimizer("optimizer", self.optimizer)
        if not _is_symbolic(self.delay):
            object.__setattr__(self, "delay", as_delay(self.delay))
        if not _is_symbolic(self.decay):
            object.__setattr__(self, "decay", checked_decay(self.decay))
        if not isinstance(self.coupled, bool):
            raise TypeError(f"coupled must be True or False; got {self.coupled!r}")

    @property
    def fixed(self) -> bool:
        """Whether every gradient is late by the same number of updates."""
        return random_law(self.delay) is None

    @property
    def is_replayed(self) -> bool:
        """Whether the delays are a log, which has an order."""
        return getattr(self.delay, "sequence", None) is not None

    @property
    def shrinkage(self) -> Decay:
        """The decay and the way that it takes."""
        return Decay(self.decay, self.coupled)

    @property
    def lag(self) -> Any:
        """Part of the delay that is certain: the delay itself if it is fixed."""
        return self.delay.minimum if isinstance(self.delay, Delay) else self.delay

    def tables(self) -> LoopTables:
        """Give A(z) and B(z), in the number type of the optimizer's parameters.

        Returns
        -------
        LoopTables

        Raises
        ------
        ValueError
            If the tables depend on a delay that is random.
        """
        return loop_tables(self.optimizer, self.delay)

    def characteristic(self, z: Any, gain: Any) -> Any:
        """Evaluate the characteristic function at z, zero at the roots that decide stability.

        Parameters
        ----------
        z : number, array, ball or expression, not 0
        gain : number or expression
            Learning rate times curvature.

        Returns
        -------
        number, array or expression
        """
        tables = self.tables()
        a, b = (sum(value * z ** (-lag) for lag, value in table.items()) for table in tables)
        free = (z - 1) * a + self.decay * (b if self.coupled else a)
        return free + gain * b * self._late(z)

    def _late(self, z: Any) -> Any:
        if self.fixed:
            return z ** (-self.lag)
        return self.delay.generating_function(z)


def loop_tables(optimizer: Optimizer, delay: Any) -> LoopTables:
    """A(z) and B(z) of an optimizer at a delay; see `Loop.tables`."""
    if random_law(delay) is not None:
        return at_any_delay(optimizer, lambda lag: _tables(optimizer, lag))
    return _tables(optimizer, delay.minimum if isinstance(delay, Delay) else delay)


def at_any_delay(optimizer: Optimizer, tables: Callable[[int], T]) -> T:
    """Return the tables at delay 0; refuse them if those at other delays differ.

    Raises
    ------
    ValueError
        If the tables depend on the delay.
    """
    if depends_on_delay(tables):
        raise ValueError(
            "optimizer must have coefficients that do not depend on the delay where the delay "
            f"varies; got {optimizer!r}, defined for a fixed delay only: give the table that the "
            "run uses, for momentum m with W buffers LinearOptimizer({W: m}, {0: 1})"
        )
    return tables(0)


def depends_on_delay(tables: Callable[[int], Any]) -> bool:
    """Tell whether tables, such as ``optimizer.coefficients``, differ from delay to delay."""
    found = tables(0)
    return any(tables(lag) != found for lag in _DELAYS)


def _tables(optimizer: Optimizer, delay: Any) -> LoopTables:
    feedback, feedforward = optimizer.coefficients(delay)
    a: dict[Any, Any] = {0: 1}
    b: dict[Any, Any] = {}
    for lag, value in feedback:
        a[lag] = a[lag] - value if lag in a else -value
    for lag, value in feedforward:
        b[lag] = b[lag] + value if lag in b else value
    return LoopTables(a, b)


def _is_symbolic(value: Any) -> bool:
    return bool(getattr(value, "free_symbols", None))


def checked_decay(decay: Any, argument: str = "decay") -> Any:
    """Return the decay; refuse it unless it is one finite number >= 0."""
    allowed = "a number >= 0: the learning rate times the weight decay"
    try:
        if isinstance(decay, (str, bytes, bool, np.bool_, complex)) or np.ndim(decay):
            raise TypeError("no single number")
        good = isfinite(decay) and decay >= 0
    except OverflowError:
        good = False
    except (TypeError, ValueError) as error:
        raise TypeError(f"{argument} must be {allowed}; got {decay!r}") from error
    if not good:
        raise ValueError(f"{argument} must be {allowed}; got {shown(decay)}")
    return decay.item() if isinstance(decay, np.ndarray) else without_decimals(decay)
