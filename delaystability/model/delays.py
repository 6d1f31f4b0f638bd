"""Delays: the number of updates between reading an iterate and applying its gradient.

``delay = 0`` is synchronous training; ``N`` round-robin workers have ``delay = N - 1``. Random
delays are independent from update to update; a measured delay is replayed from a log.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, inf, log
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from delaystability.model.delay_law import Delay
from delaystability.model.delay_log.entries import (
    LARGEST_DELAY,
    checked_log,
    counted,
    integers_of_objects,
    shown,
    unmasked,
)
from delaystability.model.frozen_table import FrozenTable
from delaystability.model.tabulated_delay import TabulatedDelay, times
from delaystability.model.unit_table import is_real, plain_number, unit_table

__all__ = [
    "LARGEST_DELAY",
    "Delay",
    "FixedDelay",
    "GeometricDelay",
    "MeasuredDelay",
    "RandomDelay",
    "as_delay",
    "as_log",
    "delay_array",
    "law_or_log",
    "random_law",
    "shown",
    "unmasked",
]

_PMF = "probabilities >= 0 of the delays 0, 1, 2, ... that sum to 1, or such a mapping"


@dataclass(frozen=True)
class FixedDelay(TabulatedDelay):
    """Apply every gradient ``delay`` updates after its iterate was read.

    Its generating function is ``E[z^-delay] = z^-delay``.

    Parameters
    ----------
    delay : int, 0 to 2**53

    Raises
    ------
    TypeError, ValueError
        If the delay is anything else.

    References
    ----------
    N. Giladi et al., At stability's edge, ICLR 2020, arXiv:1909.12340.
    """

    delay: int

    def __post_init__(self) -> None:
        values = delay_array(self.delay)
        if values.ndim:
            raise TypeError(f"delay must be a single integer >= 0; got {shown(self.delay)}")
        object.__setattr__(self, "delay", int(values))

    @property
    def pmf(self) -> dict[int, Any]:
        """``{delay: 1}``."""
        return {self.delay: 1}

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "delay": self.delay}


@dataclass(frozen=True, init=False)
class RandomDelay(TabulatedDelay):
    """Draw an independent delay for each update from a table of probabilities.

    Its generating function is ``E[z^-delay] = sum_k pmf_k z^-k``.

    Parameters
    ----------
    pmf : sequence of probabilities of the delays 0, 1, 2, ..., or mapping delay -> probability
        The index of a Series of pandas is the delay. Finite, at least 0. Fractions are kept and
        must sum to exactly 1; floats must do so within rounding (8 units of 1e-16 for each term)
        and are divided by their sum.

    Raises
    ------
    ValueError, TypeError
        If ``pmf`` is anything else.

    References
    ----------
    Theorem ``random-delay-mean``.
    """

    _pmf: FrozenTable

    def __init__(self, pmf: Any) -> None:
        object.__setattr__(self, "_pmf", FrozenTable(unit_table("pmf", pmf, _PMF)))

    def __repr__(self) -> str:
        return f"RandomDelay({self._pmf})"

    @property
    def pmf(self) -> dict[int, Any]:
        """Every possible delay, in increasing order, with its positive probability."""
        return dict(self._pmf)

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "pmf": self.pmf}


@dataclass(frozen=True)
class GeometricDelay(Delay):
    """Draw independent delays with ``P(delay = k) = (1 - ratio) ratio^k`` for every k >= 0.

    Its generating function is ``(1 - ratio) / (1 - ratio z^-1)``, its mean ratio / (1 - ratio).

    Parameters
    ----------
    ratio : number, 0 <= ratio < 1

    Raises
    ------
    TypeError, ValueError
        If the ratio is anything else.

    References
    ----------
    Theorems ``geometric-delay`` and ``geometric-delay-mean-square``.
    """

    ratio: Any

    def __post_init__(self) -> None:
        if not (is_real(self.ratio) and 0 <= self.ratio < 1):
            error = ValueError if is_real(self.ratio) else TypeError
            raise error(f"ratio must be one number with 0 <= ratio < 1; got {self.ratio!r}")
        object.__setattr__(self, "ratio", plain_number(self.ratio))

    def probability(self, delay: Any) -> Any:
        if not np.ndim(delay):
            return (1 - self.ratio) * self.ratio**delay if delay >= 0 else 0
        if isinstance(self.ratio, float):
            lags = np.asarray(delay)
            return np.where(lags < 0, 0.0, (1 - self.ratio) * self.ratio ** np.maximum(lags, 0))
        chances = [self.probability(int(lag)) for lag in np.ravel(delay)]
        return np.array(chances, dtype=object).reshape(np.shape(delay))

    def generating_function(self, z: Any) -> Any:
        return times(1 - self.ratio, 1 / (1 - times(self.ratio, 1 / z)))

    @property
    def mean(self) -> Any:
        """``ratio / (1 - ratio)``."""
        return self.ratio / (1 - self.ratio)

    @property
    def minimum(self) -> int:
        """Zero."""
        return 0

    def horizon(self, mass: float) -> float:
        if mass >= 1 or not self.ratio:
            return 0
        # What is left beyond k is ratio^(k + 1).
        step = log(self.ratio) or float(self.ratio - 1)
        return max(0, ceil(log(mass) / step) - 1) if mass > 0 else inf

    def sample(self, generator: np.random.Generator, n: int) -> NDArray[np.int64]:
        if not self.ratio:
            return np.zeros(n, dtype=np.int64)
        return generator.geometric(float(1 - self.ratio), n) - 1

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "ratio": self.ratio}


@dataclass(frozen=True, eq=False)
class MeasuredDelay(TabulatedDelay):
    """Use delays measured in a run, in order; the frequencies in the log are the probabilities.

    Parameters
    ----------
    sequence : integer array of shape (updates,) or (updates, workers)
        With several workers, each update applies the mean of their gradients.

    Raises
    ------
    ValueError, TypeError
        If the sequence is empty or an entry is not an integer >= 0.
    """

    sequence: NDArray[np.int64] = field()
    _pmf: dict[int, Any] = field(init=False, repr=False)

    if TYPE_CHECKING:  # what is given becomes an array

        def __init__(self, sequence: ArrayLike) -> None: ...

    def __post_init__(self) -> None:
        sequence = checked_log(self.sequence, "sequence")
        sequence.flags.writeable = False
        object.__setattr__(self, "sequence", sequence)
        pairs = zip(*(a.tolist() for a in counted(sequence)), strict=True)
        pmf = {delay: Fraction(count, sequence.size) for delay, count in pairs}
        object.__setattr__(self, "_pmf", pmf)

    @classmethod
    def from_log(cls, log: Any, *, column: Any = None, columns: Any = None) -> MeasuredDelay:
        """Read measured delays from a text file, an array, or a series or data frame.

        Parameters
        ----------
        log : path, array of shape (updates,) or (updates, workers), series or data frame
            A text file has one line for each update. Columns may be separated by ``;``, tabs,
            commas or white space, and may have a header; lines that start with ``#`` and empty ones
            are skipped; a file that is compressed by gzip is unpacked. It is read as a stream.
            A masked or missing entry is refused, as leaving it out would shift all later ones.
        column : str or int, optional
            The column that holds the delays: its name, or its number counted from 1. Needed where
            a file or data frame has several columns.
        columns : sequence of str or int, or "all", optional
            Several workers' columns, one for each worker whose gradients an update averages.

        Returns
        -------
        MeasuredDelay

        Raises
        ------
        ValueError, TypeError
            If the file cannot be read, it is not clear which column holds the delays, or the log
            is empty, ragged, or has an entry that is not an integer from 0 to 2**53: the message
            names the row (counted from 1) and the value. Also for a column that numbers the rows.

        Examples
        --------
        >>> import delaystability as ds
        >>> ds.MeasuredDelay.from_log([[0, 3], [1, 2]], column=2).sequence.tolist()
        [3, 2]
        """
        from delaystability.model.delay_log.tables import log_array, requested

        request = requested(column, columns)
        if isinstance(log, (str, PathLike)):
            from delaystability.model.delay_log.text_file import read_log

            return cls(read_log(log, request))
        return cls(checked_log(log_array(log, request), "log"))

    @property
    def pmf(self) -> dict[int, Any]:
        """Frequency of every delay in the log, as exact fractions."""
        return dict(self._pmf)

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "sequence": self.sequence}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, MeasuredDelay):
            return NotImplemented
        return np.array_equal(self.sequence, other.sequence)

    def __hash__(self) -> int:
        return hash((self.sequence.shape, self.sequence.tobytes()))


def as_delay(delay: Any) -> Delay:
    """Return the delay object itself, or a `FixedDelay` from one integer."""
    return delay if isinstance(delay, Delay) else FixedDelay(delay)


def as_log(delays: Any) -> MeasuredDelay:
    """Return the log itself, or one from integers in their order; a law has no order."""
    if isinstance(delays, MeasuredDelay):
        return delays
    if isinstance(delays, Delay) and getattr(delays, "sequence", None) is None:
        raise TypeError(f"sequence must be a log of delays, which has an order; got {delays!r}")
    return MeasuredDelay(delays)


def law_or_log(delay: Any) -> Delay:
    """Return the delay object itself, or what `MeasuredDelay.from_log` reads."""
    return delay if isinstance(delay, Delay) else MeasuredDelay.from_log(delay)


def random_law(delay: Any) -> Delay | None:
    """Return the law if it has several delays; None for one delay, and for an integer or array."""
    return delay if isinstance(delay, Delay) and not delay.is_fixed else None


def delay_array(
    delay: Any,
    argument: str = "delay",
    allowed: str = "an integer >= 0, an integer array or a FixedDelay",
) -> NDArray[np.int64]:
    """Return the delay as an array of int64, or raise a clear error.

    Parameters
    ----------
    delay : int, integer array or fixed delay
    argument, allowed : str
        Its name in messages, and what they say that it may be.

    Raises
    ------
    ValueError
        For a negative, fractional, infinite or missing (NaN) delay, or one beyond 2**53.
    TypeError
        For anything that is not a number.
    """
    if isinstance(delay, Delay) and delay.is_fixed:
        return np.asarray(delay.minimum, dtype=np.int64)
    try:
        values = np.asarray(unmasked(argument, delay))
        if values.dtype.kind == "O":
            values = integers_of_objects(values)
    except ValueError:
        if isinstance(delay, np.ma.MaskedArray):
            raise
        raise TypeError(f"{argument} must be {allowed}; got {shown(delay)}") from None
    except Exception as error:
        raise TypeError(f"{argument} must be {allowed}; got {shown(delay)}") from error
    if values.dtype.kind == "f":
        # The shortest floats cannot hold the bounds that follow.
        values = values.astype(np.promote_types(values.dtype, np.float64))
    if values.dtype.kind not in "iuf":
        raise TypeError(f"{argument} must be {allowed}; got {shown(delay)}")
    wrong = ~np.isfinite(values) | (values < 0) | (values != np.floor(values))
    if np.any(wrong):
        given = np.asarray(delay, dtype=object)[wrong].flat[0]
        raise ValueError(f"{argument} must be {allowed}; got {shown(given)}")
    if np.any(values > LARGEST_DELAY):
        given = np.asarray(delay, dtype=object)[values > LARGEST_DELAY].flat[0]
        raise ValueError(f"{argument} must be {allowed}, at most 2**53; got {shown(given)}")
    return values.astype(np.int64)
