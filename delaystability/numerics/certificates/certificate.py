"""Certified thresholds: a rational interval whose ends are proved stable and unstable."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from decimal import Decimal, localcontext
from fractions import Fraction
from math import log2
from typing import Any

import mpmath
import numpy as np

from delaystability.model.arguments import asked_loop
from delaystability.model.catalogue import Optimizer
from delaystability.model.delays import random_law
from delaystability.model.displayed import Displayed
from delaystability.model.loop import Decay, Loop
from delaystability.numerics.certificates.certificate_data import (
    METHODS,
    MOST_DIGITS,
    data_from_text,
    data_from_values,
    values_from_data,
)
from delaystability.numerics.certificates.named_loop import loop_from_labels, named_loop
from delaystability.numerics.certificates.precise_threshold import (
    largest_root_modulus,
    precise_threshold,
)
from delaystability.numerics.crossings.crossings import filter_threshold
from delaystability.numerics.exact.circle_proof import CircleProof, Table
from delaystability.numerics.exact.exact_optimizer import converted, exact_optimizer
from delaystability.numerics.exact.schur_cohn import is_schur_stable
from delaystability.numerics.tables.characteristic import table_polynomial
from delaystability.numerics.tables.exact_tables import exact_number
from delaystability.numerics.tables.loop_filter import loop_filter
from delaystability.numerics.thresholds.threshold import threshold_array

__all__ = ["Certificate", "certify"]

_SCHUR_COHN, _WINDING = METHODS
_LARGEST_EXACT_DEGREE = 256
_LARGEST_EXACT_SIZE = 40_000  # degree times bits, for which integers take a second or two
_CHOSEN_EXACT_SIZE = 10_000  # beyond, the winding number is far cheaper
_LARGEST_ROOT_FINDING_DEGREE = 24


@dataclass(frozen=True)
class Certificate(Displayed):
    """Keep a proved enclosure ``lower < threshold < upper`` of a stability threshold.

    Every gain in (0, lower] is proved stable: by ball arithmetic no such gain has a root on the
    unit circle, and ``lower`` itself is stable by the test named in ``method``. The gain ``upper``
    is proved unstable by the same test. All numbers are exact rationals.

    Attributes
    ----------
    optimizer, parameters : what was certified, as labels from which `verify` builds the tables; an
        optimizer that is not in the catalogue is called "linear", with its tables as parameters
    a, b : the exact tables A(z) = sum a_j z^-j and B(z) = sum b_k z^-k, as pairs (lag, value)
    delay : int
    digits : the relative width is at most 10**-digits
    lower, upper : Fraction, learning rate times curvature
    method : "integer Schur-Cohn test" or "winding number in ball arithmetic"
    root_moduli : largest root modulus at lower and upper by root finding with at least 50 digits,
        for degrees up to 24; a check by another route, not part of the proof
    decay : Fraction, learning rate times weight decay
    coupled : whether the decay goes through the optimizer's filter
    still : the exact table that decay adds to (z - 1) A(z); empty without
    """

    optimizer: str
    parameters: dict[str, str]
    a: Table
    b: Table
    delay: int
    digits: int
    lower: Fraction
    upper: Fraction
    method: str
    root_moduli: tuple[str, str] | None = None
    decay: Fraction = Fraction(0)
    coupled: bool = False
    still: Table = ()

    @property
    def degree(self) -> int:
        """Degree of the characteristic polynomial."""
        early = max(lag for lag, _ in (*self.a, *self.still))
        return 1 + max(early, self.delay + max(lag for lag, _ in self.b))

    def verify(self) -> bool:
        """Prove again all that the certificate claims.

        The tables are built anew from the optimizer's name, its parameters, the delay and the
        decay; both ends are proved from these tables; root moduli are computed again.

        Returns
        -------
        bool
            False if a claim is refuted, a field is malformed, or the polynomial is far too long for
            the method.

        Raises
        ------
        UndecidedError
            If an end lies too close to the threshold for the working precision, or a gain below
            ``lower`` has a root on the circle.
        """
        try:
            read = Certificate.from_dict(self.to_dict())
            decay = Decay(read.decay, read.coupled)
            loop = loop_from_labels(read.optimizer, read.parameters, read.delay, decay)
        except (AttributeError, TypeError, ValueError):
            return False
        pairs = ((read.a, loop.a), (read.b, loop.b), (read.still, loop.still))
        same = all(dict(said) == dict(built) for said, built in pairs)
        return same and read._is_narrow() and read._ends_hold() and read._moduli_hold()

    def _is_narrow(self) -> bool:
        width = self.upper - self.lower
        return 0 < width <= self.lower * Fraction(1, 10**self.digits)

    def _ends_hold(self) -> bool:
        proof = CircleProof.of(self.a, self.b, self.delay, self._precision(), self.still)
        if self.method == _SCHUR_COHN:
            if not self._fits_schur_cohn(_LARGEST_EXACT_SIZE):
                return False
            ends = [is_schur_stable(self._polynomial(gain)) for gain in (self.lower, self.upper)]
        else:
            ends = [proof.roots_outside(gain) == 0 for gain in (self.lower, self.upper)]
        return ends == [True, False] and proof.no_crossing_up_to(self.lower)

    def _moduli_hold(self) -> bool:
        if self.root_moduli is None:
            return True
        if self.degree > _LARGEST_ROOT_FINDING_DEGREE:
            return False
        # Two units in the last place: versions of this package may round it differently.
        unit = Fraction(1, 10 ** (self._modulus_digits() - 1)) / 5
        return all(
            abs(Fraction(said) - Fraction(found)) <= unit
            for said, found in zip(self.root_moduli, self._moduli(), strict=True)
        )

    def _moduli(self) -> tuple[str, str]:
        digits = self._modulus_digits()
        lower, upper = (
            largest_root_modulus(self._polynomial(gain), digits)
            for gain in (self.lower, self.upper)
        )
        if not lower < 1 < upper:
            raise ArithmeticError(f"root finding contradicts the proof: moduli {lower} and {upper}")
        return mpmath.nstr(lower, digits), mpmath.nstr(upper, digits)

    def _modulus_digits(self) -> int:
        return max(50, 2 * self.digits)

    def to_dict(self) -> dict[str, Any]:
        """Write the certificate as plain data, such as JSON holds.

        Returns
        -------
        dict
            Rationals are strings such as "1/3", or "0x1/0x3" where they are very long.
        """
        return data_from_values({entry.name: getattr(self, entry.name) for entry in fields(self)})

    def to_json(self) -> str:
        """Write the certificate as JSON text.

        Returns
        -------
        str
            Rationals are strings such as "1/3", or "0x1/0x3" where they are very long.
        """
        return json.dumps(self.to_dict(), indent=2)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Certificate:
        """Read the certificate written by `to_dict`; nothing is proved before `verify`.

        Parameters
        ----------
        data : mapping
            At most 1,000 digits, a delay up to 2**53, tables of at most 8,192 lags, and
            rationals of at most 2**18 bits.

        Returns
        -------
        Certificate

        Raises
        ------
        ValueError
            If a field is missing, unknown or malformed: the message names it.
        """
        return cls(**values_from_data(data))

    @classmethod
    def from_json(cls, text: str) -> Certificate:
        """Read the certificate written by `to_json`; nothing is proved before `verify`.

        Parameters
        ----------
        text : str

        Returns
        -------
        Certificate

        Raises
        ------
        ValueError
            If the text is not JSON, or a field is missing, unknown or malformed.
        """
        return cls.from_dict(data_from_text(text))

    def decimal(self, end: Fraction) -> str:
        """Write an end as a decimal number, exactly, with as many digits as both ends need.

        Parameters
        ----------
        end : Fraction
            ``lower`` or ``upper``.

        Returns
        -------
        str
        """
        with localcontext(prec=4 * self.digits + 50):
            ends = [Decimal(e.numerator) / Decimal(e.denominator) for e in (self.lower, self.upper)]
            digits = max(-int(e.normalize().as_tuple().exponent) for e in ends)
            return f"{Decimal(end.numerator) / Decimal(end.denominator):.{max(digits, 0)}f}"

    def _rows(self) -> list[dict[str, Any]]:
        decay = {"decay": str(self.decay), "coupled": self.coupled} if self.decay else {}
        return [
            {
                "optimizer": self.optimizer,
                **dict(self.parameters),
                "delay": self.delay,
                **decay,
                "proved_stable": self.decimal(self.lower),
                "proved_unstable": self.decimal(self.upper),
                "method": self.method,
            }
        ]

    def __str__(self) -> str:
        return f"{self.decimal(self.lower)} < threshold < {self.decimal(self.upper)}"

    def _polynomial(self, gain: Fraction) -> list[Fraction]:
        return table_polynomial(self.a, self.b, self.delay, gain, self.still)

    def _fits_schur_cohn(self, size: int) -> bool:
        """Whether integers of this size at most decide the ends."""
        values = [value for _, value in (*self.a, *self.b, *self.still)]
        bits = max(value.denominator.bit_length() for value in (*values, self.lower, self.upper))
        degree = self.degree
        return degree <= _LARGEST_EXACT_DEGREE and degree * bits <= size

    def _precision(self) -> int:
        # Twice the digits of the width, and room for roots that reach the circle slowly.
        bits = 128 + int(2 * (self.digits * log2(10) + log2(2 + self.delay)))
        # A small decay decides within as small an angle of z = 1.
        small = self.decay.denominator.bit_length() - self.decay.numerator.bit_length()
        return bits + 2 * max(0, small) if self.decay else bits


def certify(
    optimizer: Optimizer | Loop,
    delay: Any = None,
    digits: int = 30,
    *,
    decay: Any = 0,
    coupled: bool = False,
) -> Certificate:
    """Enclose a stability threshold between a proved stable and a proved unstable gain.

    Parameters
    ----------
    optimizer : Optimizer with scalar parameters, or Loop
        A float parameter is taken as the binary number that it is; pass ``Fraction("0.9")`` for
        nine tenths.
    delay : int or delay object; left out beside a Loop
        For a random delay, the threshold of the mean is certified.
    digits : int, 1 to 1000
        The relative width of the enclosure is at most 10**-digits.
    decay, coupled : see `stability_threshold`; one number, a float as above

    Returns
    -------
    Certificate
        Already verified. Its lower end is a safe gain, proved for every smaller gain too.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what is described here, or there is no threshold to enclose (no gain
        is stable, or none unstable).
    UndecidedError
        If the proof does not succeed; no weaker certificate is returned.
    ArithmeticError
        If the proof refutes what was computed: then there is a fault in this package.

    Notes
    -----
    The ends are tested exactly (Schur-Cohn in integers) up to degree 256, unless the rationals are
    very long, and by a winding number in ball arithmetic beyond, at a cost that hardly grows with
    the delay.

    References
    ----------
    M. Marden, Geometry of Polynomials, 2nd edition, American Mathematical Society 1966. Theorem
    ``delayed-loop``.

    Examples
    --------
    >>> import delaystability as ds
    >>> print(ds.certify(ds.SGD(), 1, 12))
    0.9999999999999 < threshold < 1.0000000000001
    >>> print(ds.certify(ds.HeavyBall(0.9), 4, 12, decay=0.01, coupled=True))
    0.027132614309870 < threshold < 0.027132614309872
    """
    if isinstance(digits, bool) or not isinstance(digits, int) or not 1 <= digits <= MOST_DIGITS:
        raise ValueError(f"digits must be an integer from 1 to {MOST_DIGITS}; got {digits!r}")
    asked = asked_loop(optimizer, delay, decay, coupled)
    exact, delay = exact_optimizer(asked.optimizer), asked.delay
    amount = Fraction(0)
    if asked.decay:
        amount = exact_number(asked.single().decay)
    shrinkage = Decay(amount, asked.decay.coupled and amount > 0)
    threshold, angle = _float_threshold(exact, delay, shrinkage)
    if not 0 < threshold < np.inf:
        raise ValueError(f"optimizer has no threshold to certify at delay {delay}; got {threshold}")
    loop = named_loop(exact, delay, shrinkage)
    centre = precise_threshold(loop.a, loop.b, loop.delay, angle, digits + 5, loop.still)
    # Three units in the last place of the enclosure make its relative width.
    unit = Fraction(10) ** (np.floor(np.log10(threshold)).astype(int).item() - digits - 1)
    nearest = round(centre / unit)
    certificate = Certificate(
        optimizer=loop.optimizer,
        parameters=loop.parameters,
        a=loop.a,
        b=loop.b,
        delay=loop.delay,
        digits=digits,
        lower=(nearest - 1) * unit,
        upper=(nearest + 1) * unit,
        method=_SCHUR_COHN,
        decay=amount,
        coupled=shrinkage.coupled,
        still=loop.still,
    )
    if not certificate._fits_schur_cohn(_CHOSEN_EXACT_SIZE):
        certificate = replace(certificate, method=_WINDING)
    if not certificate.verify():
        raise ArithmeticError(f"the computed ends of the threshold near {threshold} are refuted")
    if certificate.degree <= _LARGEST_ROOT_FINDING_DEGREE:
        certificate = replace(certificate, root_moduli=certificate._moduli())
    return certificate


def _float_threshold(optimizer: Optimizer, delay: Any, decay: Decay) -> tuple[float, float]:
    """The threshold of the mean loop in floating point, with the angle of its crossing."""
    if decay:
        from delaystability.numerics.moments.decayed_loop import decayed_threshold_and_angle

        return decayed_threshold_and_angle(Loop(optimizer, delay, *decay[:2]))
    floats = converted(optimizer, lambda _, number: float(number))
    law = random_law(delay)
    if law is not None:
        return filter_threshold(*loop_filter(floats, law, exact=True))
    threshold, angle = threshold_array(floats, delay)
    if np.ndim(threshold):
        raise TypeError(f"delay must be one integer >= 0; got {delay!r}")
    return float(threshold), float(angle)
