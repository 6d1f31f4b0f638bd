"""What a law of delays is: six methods, from which everything else follows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from math import fsum, inf
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["Delay", "values_of_table"]

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]
Table = dict[int, Any]

_HIGHEST_ORDER = 64
_LEFT_OUT = 1e-16
"""Of the probability, where a table has to end: about what floats round away."""
_LONGEST_TABLE = 2**22
_BLOCK = 2**21  # numbers of a matrix of angles and delays


class Delay(ABC):
    """Tell how late gradients are: a fixed delay, a random one, or a log of measured ones.

    A custom law of delays is a frozen data class derived from this one, with the six methods
    ``probability``, ``generating_function``, ``mean``, ``horizon``, ``sample`` and ``to_dict``.
    Random delays are independent from update to update.
    """

    sequence: NDArray[np.int64] | None = None
    """The delays in their order, where it is known: those of a log."""

    has_probabilities: ClassVar[bool] = True
    """Whether this is a law; a set of sequences has no probabilities."""

    kind: ClassVar[str]
    """The name of the law in files: by default that of its class, as in "negative-binomial"."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "kind" not in vars(cls):
            name = cls.__name__.removesuffix("Delay")
            cls.kind = "".join(f"-{c.lower()}" if c.isupper() else c for c in name).lstrip("-")

    @abstractmethod
    def probability(self, delay: Any) -> Any:
        """Compute the probability of a delay, 0 if it is impossible.

        Parameters
        ----------
        delay : int, or integer array

        Returns
        -------
        number between 0 and 1, or array of the same shape
            Exact where the parameters of the law are.
        """

    @abstractmethod
    def generating_function(self, z: Any) -> Any:
        """Compute ``E[z^-delay]``, the factor that a random delay puts into the mean of the loop.

        A formula of sums, products, quotients and whole powers of z is asked for tables of a filter
        and for values of many digits, too. Any other formula, such as an exponential, may raise a
        TypeError for a z that is no number: then the probabilities are used, up to a delay beyond
        which 1e-16 is left.

        Parameters
        ----------
        z : number, array or expression
            Of modulus 1 or more: complex numbers and arrays, fractions, symbols, balls.

        Returns
        -------
        like z
        """

    @property
    @abstractmethod
    def mean(self) -> Any:
        """Expected delay, a fraction if the parameters of the law are."""

    @abstractmethod
    def horizon(self, mass: float) -> float:
        """Find the least delay beyond which at most this mass is left.

        Parameters
        ----------
        mass : float between 0 and 1
            A probability.

        Returns
        -------
        int, or infinity
            For the mass 0 the largest possible delay.
        """

    @abstractmethod
    def sample(self, generator: np.random.Generator, n: int) -> NDArray[np.int64]:
        """Draw independent delays.

        Parameters
        ----------
        generator : numpy.random.Generator
        n : int
            How many.

        Returns
        -------
        integer array of shape (n,)
        """

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Write the parameters of the law as plain data, by the names that its class takes.

        Returns
        -------
        dict
            With ``"kind": self.kind``, and one entry for each parameter.
        """

    @property
    def maximum(self) -> float:
        """Largest possible delay, infinite if there is none."""
        last = self.horizon(0)
        return int(last) if last < inf else inf

    @property
    def minimum(self) -> int:
        """Smallest possible delay.

        Raises
        ------
        ValueError
            If none up to 2**22 is possible: such a law must define `minimum`.
        """
        # Half of the mass lies up to here.
        last = int(self.horizon(0.5))
        if self.probability(last) == 1:
            return last
        for lags in _blocks(min(last, _LONGEST_TABLE)):
            possible = np.flatnonzero(np.asarray(self.probability(lags)) > 0)
            if possible.size:
                return int(lags[possible[0]])
        raise ValueError(
            f"delay must be possible below {_LONGEST_TABLE}, or define `minimum`; got {self!r}"
        )

    @property
    def is_fixed(self) -> bool:
        """Whether only one delay is possible."""
        return self.minimum == self.maximum

    @property
    def varies(self) -> bool:
        """Whether delays differ from update to update; a mixture of reads is always the same."""
        return not self.is_fixed

    @property
    def pmf(self) -> Table:
        """Every possible delay, in increasing order, with its positive probability.

        Raises
        ------
        ValueError
            If there are infinitely many, or too many to list.
        """
        name = type(self).__name__
        if self.maximum == inf:
            raise ValueError(
                f"a {name} has infinitely many delays: use probability(delay) up to horizon(mass)"
            )
        return self.table(0)

    def table(self, mass: float) -> Table:
        """List the possible delays up to ``horizon(mass)`` with their probabilities.

        Parameters
        ----------
        mass : float between 0 and 1
            The probability of the delays that may be left out.

        Returns
        -------
        dict
            From delays, in increasing order, to positive probabilities.

        Raises
        ------
        ValueError
            If the horizon lies beyond 2**22.
        """
        last = self.horizon(mass)
        if not last <= _LONGEST_TABLE:
            raise ValueError(
                f"delay must have a table of at most {_LONGEST_TABLE} delays; got {self!r}, of "
                f"which more than {mass:g} is beyond"
            )
        found: Table = {}
        for lags in _blocks(int(last)):
            chances = np.asarray(self.probability(lags)).tolist()
            found |= {
                lag: chance
                for lag, chance in zip(lags.tolist(), chances, strict=True)
                if chance > 0
            }
        return found

    def rational_tables(self, highest_order: int = _HIGHEST_ORDER) -> tuple[Table, Table] | None:
        """Write ``E[z^-delay]`` as an exact fraction of two tables over lags, 1 at z = 1.

        Parameters
        ----------
        highest_order : int
            Of the polynomials, 64 by default: exact arithmetic takes long beyond.

        Returns
        -------
        numerator, denominator : dict from lag to Fraction
            None where the formula is not a fraction of polynomials up to that order.
        """
        # Few laws need it, and it takes time to load.
        from delaystability.model.rational_function import RationalFunction, Z

        found = self._formula(Z)
        if not isinstance(found, RationalFunction) or not sum(found.denominator.values()):
            return None
        numerator, denominator = found.numerator, found.denominator
        first, last = min(denominator), max(denominator)
        order = max(last - first, max(numerator) - min(numerator))
        if order > highest_order:
            return None
        lead, total = denominator[first], sum(numerator.values()) / sum(denominator.values())
        return (
            {lag - first: value / (lead * total) for lag, value in sorted(numerator.items())},
            {lag - first: value / lead for lag, value in sorted(denominator.items())},
        )

    def tables(self, highest_order: int = _HIGHEST_ORDER) -> tuple[Table, Table]:
        """Write ``E[z^-delay]`` as a fraction of two tables over lags.

        Parameters
        ----------
        highest_order : int
            Of a fraction, 64 by default.

        Returns
        -------
        numerator, denominator : dict
            The probabilities over 1 where there is a largest delay; else what the formula says; and
            where that is no fraction, the probabilities without the last 1e-16, divided by their
            sum.

        Raises
        ------
        ValueError
            If a table would be too long.
        """
        if self.maximum < inf:
            return self.pmf, {0: 1}
        return self.rational_tables(highest_order) or (self._cut_table(), {0: 1})

    def on_circle(self, angles: Array) -> tuple[Complex, Array]:
        """Compute ``D = E[z^-delay]`` and ``1 - |D|^2`` at z = exp(i angle), accurate near z = 1.

        Parameters
        ----------
        angles : array

        Returns
        -------
        complex array, array
            The second is the part of the delay that is random: 0 if it is fixed.
        """
        from delaystability.model.circle_value import CircleValue

        if self.maximum == inf:
            found = self._formula(CircleValue.variable(angles))
            if isinstance(found, CircleValue):
                scale = float(found.at_one)
                return np.exp(-1j * found.lag * angles) * (found.total / scale), _spread(
                    found.excess / scale
                )
        pmf = self.pmf if self.maximum < inf else self._cut_table()
        return values_of_table(pmf, angles)

    def _formula(self, z: Any) -> Any:
        try:
            return self.generating_function(z)
        except (TypeError, ValueError, AttributeError, ArithmeticError):
            return None

    def _cut_table(self) -> Table:
        table = {lag: float(chance) for lag, chance in self.table(_LEFT_OUT).items()}
        total = fsum(table.values())
        return {lag: chance / total for lag, chance in table.items()}


def _blocks(last: int) -> Iterator[NDArray[np.int64]]:
    """0 to ``last`` in blocks that grow."""
    first, size = 0, 256
    while first <= last:
        yield np.arange(first, min(first + size, last + 1))
        first, size = first + size, min(2 * size, 2**18)


def values_of_table(pmf: Table, angles: Array) -> tuple[Complex, Array]:
    """``D = sum_k pmf_k z^-k`` and ``1 - |D|^2`` at z = exp(i angle), for entries that sum to 1."""
    from delaystability.model.circle_sums import CircleSums
    from delaystability.model.circle_value import minus_one

    lags = np.array(sorted(pmf), dtype=np.float64)
    chances = np.array([float(pmf[lag]) for lag in sorted(pmf)])
    # Around its mean, the delay turns the least, and little is lost in 1 - |D|^2.
    centre = np.round(lags @ chances)
    lags -= centre
    flat = angles.ravel()
    if CircleSums.worthwhile(lags):
        excess = CircleSums.of(lags, chances[None]).at(flat)[0]
    else:
        rows = max(1, _BLOCK // lags.size)
        parts = [minus_one(lags, flat[k : k + rows]) @ chances for k in range(0, flat.size, rows)]
        excess = np.concatenate([np.zeros(0, dtype=np.complex128), *parts])
    excess = excess.reshape(angles.shape)
    return np.exp(-1j * centre * angles) * (1 + excess), _spread(excess)


def _spread(excess: Complex) -> Array:
    return np.maximum(-2 * excess.real - np.abs(excess) ** 2, 0)
