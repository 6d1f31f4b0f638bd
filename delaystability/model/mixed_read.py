"""Gradients at a mixture of iterates: delay compensation, discrepancy, partial freshness."""

from __future__ import annotations

from dataclasses import dataclass
from math import fsum
from typing import Any, ClassVar, NoReturn

import numpy as np
from numpy.typing import NDArray

from delaystability.model.delay_law import Delay, values_of_table
from delaystability.model.delays import delay_array
from delaystability.model.frozen_table import FrozenTable
from delaystability.model.tabulated_delay import times
from delaystability.model.unit_table import is_real, plain_number, unit_table

__all__ = ["MixedRead", "mixed_read_of"]

_WEIGHTS = "weights of the reads 0, 1, 2, ... updates late that sum to 1, or such a mapping"


@dataclass(frozen=True, init=False)
class MixedRead(Delay):
    """Take the gradient of every update at a fixed mixture of earlier iterates.

    The gradient of update t is that of ``sum_k weights_k w_{t-k}``, with weights of either sign
    that sum to 1: some parameters or terms of it are fresh and others late (weights between 0 and
    1), the gradient is corrected for the delay with the Hessian, in part or too much
    (``{0: share, delay: 1 - share}``), or forward and backward pass use different weights, as in
    PipeMare (``{delay_forward: 1 + share, delay_backward: -share}``, or its reverse). Nothing is
    random: in the loop, ``D(z) = sum_k weights_k z^-k`` stands where one delay has ``z^-delay``.

    Parameters
    ----------
    weights : sequence of the weights of w_t, w_{t-1}, w_{t-2}, ..., or mapping lag -> weight
        The index of a Series of pandas is the lag. Finite. Fractions are kept and must sum to
        exactly 1; floats must do so within rounding (8 units of 1e-16 of their moduli for each
        term, at most 1e-9) and are divided by their sum.

    Raises
    ------
    TypeError, ValueError
        If ``weights`` is anything else.

    Examples
    --------
    >>> import delaystability as ds
    >>> half_corrected = ds.MixedRead({0: 0.25, 4: 0.75})
    >>> ds.stability_threshold(ds.SGD(), half_corrected) > ds.stability_threshold(ds.SGD(), 4)
    True

    References
    ----------
    Theorems ``mixed-read``, ``mostly-fresh-read``. B. Yang et al., PipeMare: Asynchronous pipeline
    parallel DNN training, arXiv:1910.05124. S. Zheng et al., Asynchronous stochastic gradient
    descent with delay compensation, ICML 2017, arXiv:1609.08326.
    """

    _weights: FrozenTable

    kind: ClassVar[str] = "mixed-read"
    has_probabilities: ClassVar[bool] = False

    def __init__(self, weights: Any) -> None:
        table = unit_table("weights", weights, _WEIGHTS, signed=True, lag="lag")
        object.__setattr__(self, "_weights", FrozenTable(table))

    @classmethod
    def partly_fresh(cls, share: Any, delay: int) -> MixedRead:
        """Read a share of the present weights, and the rest late.

        Parameters
        ----------
        share : number
            Of the present weights; negative for an extrapolation backwards, above 1 for one
            forwards.
        delay : int, at least 0
            In updates, of the rest.

        Returns
        -------
        MixedRead

        Raises
        ------
        TypeError, ValueError
            If an argument is not what is described here.

        Examples
        --------
        >>> import delaystability as ds
        >>> ds.MixedRead.partly_fresh(0.25, 4)
        MixedRead({0: 0.25, 4: 0.75})
        """
        if not is_real(share):
            error = ValueError if isinstance(share, (float, np.floating)) else TypeError
            raise error(f"share must be one finite number; got {share!r}")
        lags = delay_array(delay)
        if lags.ndim:
            raise TypeError(f"delay must be one integer >= 0; got {delay!r}")
        share = plain_number(share)
        return cls({0: share, int(lags): 1 - share} if lags else {0: 1})

    def __repr__(self) -> str:
        return f"MixedRead({dict(self._weights)})"

    @property
    def weights(self) -> dict[int, Any]:
        """Every lag that is read, in increasing order, with its weight, which is not 0."""
        return dict(self._weights)

    @property
    def varies(self) -> bool:
        """False: every update reads the same mixture."""
        return False

    @property
    def mean(self) -> Any:
        """The sum of lags times weights: as much delay as slow changes of the iterate meet."""
        terms = [lag * weight for lag, weight in self._weights.items()]
        return fsum(terms) if any(isinstance(term, float) for term in terms) else sum(terms)

    @property
    def minimum(self) -> int:
        """The first lag that is read."""
        return min(self._weights)

    @property
    def maximum(self) -> float:
        """The last lag that is read."""
        return max(self._weights)

    def generating_function(self, z: Any) -> Any:
        """Compute ``D(z) = sum_k weights_k z^-k``, of modulus 1 or not.

        Parameters
        ----------
        z : number, array or expression, not 0

        Returns
        -------
        like z
        """
        return sum(times(weight, z**-lag) for lag, weight in self._weights.items())

    def tables(self, highest_order: int = 64) -> tuple[dict[int, Any], dict[int, Any]]:
        return self.weights, {0: 1}

    def on_circle(
        self, angles: NDArray[np.float64]
    ) -> tuple[NDArray[np.complex128], NDArray[np.float64]]:
        return values_of_table(self._weights, angles)[0], np.zeros(np.shape(angles))

    def horizon(self, mass: float) -> float:
        left: Any = 0
        for lag, weight in reversed(self._weights.items()):
            left += abs(weight)
            if left > mass:
                return lag
        return 0

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "weights": self.weights}

    @property
    def pmf(self) -> dict[int, Any]:
        """Refused unless one lag is read: weights are no probabilities."""
        return {self.minimum: 1} if self.is_fixed else self._refuse()

    def probability(self, delay: Any) -> Any:
        return np.equal(delay, self.minimum) * 1.0 if self.is_fixed else self._refuse()

    def sample(self, generator: np.random.Generator, n: int) -> NDArray[np.int64]:
        return np.full(n, self.minimum) if self.is_fixed else self._refuse()

    def _refuse(self) -> NoReturn:
        raise ValueError(
            "delay must be one delay or a law of probabilities here, from which delays are drawn; "
            f"got {self!r}, whose weights are read at once"
        )


def mixed_read_of(law: object) -> MixedRead | None:
    """Return the mixture, if a law of delays is one: it is read at once, and never drawn."""
    return law if isinstance(law, MixedRead) else None
