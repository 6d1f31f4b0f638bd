"""Certified thresholds: a rational interval whose ends are proved stable and unstable."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from decimal import Decimal, localcontext
from fractions import Fraction
from math import log2
from typing import Any

import mpmath
import numpy as np

from delaystability.delays import Delay, delay_array
from delaystability.numerics.characteristic import table_polynomial
from delaystability.numerics.circle_proof import CircleProof, Table
from delaystability.numerics.crossings import filter_threshold
from delaystability.numerics.loop_filter import loop_filter
from delaystability.numerics.precise_threshold import largest_root_modulus, precise_threshold
from delaystability.numerics.schur_cohn import is_schur_stable
from delaystability.numerics.threshold import threshold_array
from delaystability.optimizers import Optimizer

__all__ = ["Certificate", "certify", "exact_optimizer"]

_LARGEST_EXACT_DEGREE = 256
_LARGEST_EXACT_SIZE = 40_000
_LARGEST_ROOT_FINDING_DEGREE = 24
_LONG = 8192  # bits from which rationals are written in hexadecimal


@dataclass(frozen=True)
class Certificate:
    """A proved enclosure ``lower < threshold < upper`` of a stability threshold.

    Every gain in (0, lower] is proved stable: by ball arithmetic no such gain has a root on the
    unit circle, and ``lower`` itself is stable by the test named in ``method``. The gain ``upper``
    is proved unstable by the same test. All numbers are exact rationals.

    Attributes
    ----------
    optimizer, parameters : what was certified, in words
    a, b : the exact tables A(z) = sum a_j z^-j and B(z) = sum b_k z^-k, as pairs (lag, value)
    delay : int
    digits : the relative width is at most 10**-digits
    lower, upper : Fraction, learning rate times curvature
    method : "integer Schur-Cohn test" or "winding number in ball arithmetic"
    root_moduli : largest root modulus at lower and upper by 50-digit root finding, for degrees up
        to 24; a check by another route, not part of the proof
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

    @property
    def degree(self) -> int:
        """Degree of the characteristic polynomial."""
        return 1 + max(max(lag for lag, _ in self.a), self.delay + max(lag for lag, _ in self.b))

    def verify(self) -> bool:
        """Prove both ends again from the stored rationals alone.

        Returns
        -------
        bool
            False if a claim is refuted.

        Raises
        ------
        UndecidedError
            If an end lies too close to the threshold for the working precision.
        """
        narrow = self.upper - self.lower <= self.lower * Fraction(1, 10**self.digits)
        if not (0 < self.lower < self.upper and narrow):
            return False
        proof = CircleProof(self.a, self.b, self.delay, self._precision())
        if self.method == "integer Schur-Cohn test":
            ends = [is_schur_stable(self._polynomial(gain)) for gain in (self.lower, self.upper)]
        else:
            ends = [proof.roots_outside(gain) == 0 for gain in (self.lower, self.upper)]
        return ends == [True, False] and proof.no_crossing_up_to(self.lower)

    def to_json(self) -> str:
        """The certificate as JSON text.

        Returns
        -------
        str
            Rationals are strings such as "1/3", or "0x1/0x3" where they are very long.
        """
        values = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        for table in ("a", "b"):
            values[table] = [[lag, _rational_text(value)] for lag, value in values[table]]
        values |= {"lower": _rational_text(self.lower), "upper": _rational_text(self.upper)}
        return json.dumps(values, indent=2)

    @classmethod
    def from_json(cls, text: str) -> Certificate:
        """The certificate written by `to_json`; nothing is proved before `verify`.

        Parameters
        ----------
        text : str

        Returns
        -------
        Certificate

        Raises
        ------
        TypeError, ValueError, KeyError
            If the text is not JSON, or an entry is missing.
        """
        values = json.loads(text)
        for table in ("a", "b"):
            values[table] = tuple((lag, _fraction(value)) for lag, value in values[table])
        values |= {"lower": _fraction(values["lower"]), "upper": _fraction(values["upper"])}
        if values["root_moduli"] is not None:
            values["root_moduli"] = tuple(values["root_moduli"])
        return cls(**values)

    def decimal(self, end: Fraction) -> str:
        """An end as a decimal number, with as many digits as both ends need; nothing is rounded.

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

    def __str__(self) -> str:
        return f"{self.decimal(self.lower)} < threshold < {self.decimal(self.upper)}"

    def _polynomial(self, gain: Fraction) -> list[Fraction]:
        return table_polynomial(self.a, self.b, self.delay, gain)

    def _precision(self) -> int:
        # Twice the digits of the width, and room for roots that reach the circle slowly.
        return 128 + int(2 * (self.digits * log2(10) + log2(2 + self.delay)))


def exact_optimizer(optimizer: Optimizer) -> Optimizer:
    """The same optimizer with rational parameters; a float is taken as the binary number it is.

    Raises
    ------
    TypeError
        If a parameter is an array or a symbol.
    """

    def rational(name: str, value: Any) -> Fraction:
        if isinstance(value, np.generic):
            value = value.item()
        if not isinstance(value, (int, float, Fraction)):
            raise TypeError(f"{name} must be one rational number or float; got {value!r}")
        return Fraction(value)

    return _converted(optimizer, rational)


def _converted(optimizer: Optimizer, convert: Callable[[str, Any], Any]) -> Optimizer:
    """The optimizer with ``convert(name, number)`` for each number among its parameters."""

    def entry(name: str, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {lag: entry(name, number) for lag, number in value.items()}
        return None if value is None else convert(name, value)

    values = {name: entry(name, value) for name, value in optimizer.parameters.items()}
    return replace(optimizer, **values)  # type: ignore[type-var]


def _rational_text(value: Any) -> str:
    """A rational as text: Python refuses to write decimal integers of thousands of digits."""
    exact = Fraction(value)
    if max(exact.numerator.bit_length(), exact.denominator.bit_length()) < _LONG:
        return str(exact)
    return f"{exact.numerator:#x}/{exact.denominator:#x}"


def _fraction(text: str) -> Fraction:
    if "0x" not in text:
        return Fraction(text)
    numerator, denominator = text.split("/")
    return Fraction(int(numerator, 16), int(denominator, 16))


def certify(optimizer: Optimizer, delay: Any, digits: int = 30) -> Certificate:
    """Enclose a stability threshold between a proved stable and a proved unstable gain.

    Parameters
    ----------
    optimizer : Optimizer with scalar parameters
        A float parameter is taken as the binary number that it is; pass ``Fraction("0.9")`` for
        nine tenths.
    delay : int or delay object
        For a random delay, the threshold of the mean is certified.
    digits : int, 1 to 1000
        The relative width of the enclosure is at most 10**-digits.

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
    """
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"optimizer must be an optimizer such as ds.SGD(); got {optimizer!r}")
    if isinstance(digits, bool) or not isinstance(digits, int) or not 1 <= digits <= 1000:
        raise ValueError(f"digits must be an integer from 1 to 1000; got {digits!r}")
    exact = exact_optimizer(optimizer)
    a, b, lag, (threshold, angle) = _mean_loop(exact, delay)
    if not 0 < threshold < np.inf:
        raise ValueError(f"optimizer has no threshold to certify at delay {delay}; got {threshold}")
    centre = precise_threshold(a, b, lag, angle, digits + 5)
    # Three units in the last place of the enclosure make its relative width.
    unit = Fraction(10) ** (np.floor(np.log10(threshold)).astype(int).item() - digits - 1)
    nearest = round(centre / unit)
    certificate = Certificate(
        optimizer=exact.name,
        parameters=_described(exact, delay),
        a=a,
        b=b,
        delay=lag,
        digits=digits,
        lower=(nearest - 1) * unit,
        upper=(nearest + 1) * unit,
        method="integer Schur-Cohn test",
    )
    degree = certificate.degree
    bits = max(value.denominator.bit_length() for _, value in (*a, *b))
    if degree > _LARGEST_EXACT_DEGREE or degree * bits > _LARGEST_EXACT_SIZE:
        certificate = replace(certificate, method="winding number in ball arithmetic")
    if not certificate.verify():
        raise ArithmeticError(f"the computed ends of the threshold near {threshold} are refuted")
    if degree <= _LARGEST_ROOT_FINDING_DEGREE:
        certificate = replace(certificate, root_moduli=_root_moduli(certificate))
    return certificate


def _root_moduli(certificate: Certificate) -> tuple[str, str]:
    digits = max(50, 2 * certificate.digits)
    lower, upper = (
        largest_root_modulus(certificate._polynomial(gain), digits)
        for gain in (certificate.lower, certificate.upper)
    )
    if not lower < 1 < upper:
        raise ArithmeticError(f"root finding contradicts the proof: moduli {lower} and {upper}")
    return mpmath.nstr(lower, digits), mpmath.nstr(upper, digits)


def _described(optimizer: Optimizer, delay: Any) -> dict[str, str]:
    own = {name: _text(value) for name, value in optimizer.parameters.items() if value is not None}
    random = isinstance(delay, Delay) and delay.minimum != delay.maximum
    return own | ({"delay distribution": repr(delay)} if random else {})


def _mean_loop(optimizer: Optimizer, delay: Any) -> tuple[Table, Table, int, tuple[float, float]]:
    """The exact tables and fixed delay of the mean loop, with its float threshold and angle."""
    floats = _converted(optimizer, lambda _, number: float(number))
    if isinstance(delay, Delay) and delay.minimum != delay.maximum:
        approximate = filter_threshold(*loop_filter(floats, delay))
        a, b = _sparse_tables(optimizer, 0)
        numerator, denominator = (
            tuple((lag, Fraction(value)) for lag, value in enumerate(table.tolist()) if value)
            for table in delay.generating_function()
        )
        # Float probabilities sum to 1 within rounding only; exactly so after this division.
        masses = [sum((v for _, v in table), Fraction(0)) for table in (numerator, denominator)]
        total = masses[0] / masses[1]
        shifted = tuple((lag - delay.minimum, value / total) for lag, value in numerator)
        return _product(a, denominator), _product(b, shifted), delay.minimum, approximate
    delays = delay_array(delay.minimum if isinstance(delay, Delay) else delay)
    if delays.ndim:
        raise TypeError(f"delay must be one integer >= 0; got {delay!r}")
    lag = int(delays)
    threshold, angle = threshold_array(floats, lag)
    return *_sparse_tables(optimizer, lag), lag, (float(threshold), float(angle))


def _product(left: Table, right: Table) -> Table:
    product: dict[int, Fraction] = {}
    for j, u in left:
        for k, v in right:
            product[j + k] = product.get(j + k, Fraction(0)) + u * v
    return tuple(sorted((lag, value) for lag, value in product.items() if value))


def _sparse_tables(optimizer: Optimizer, delay: int) -> tuple[Table, Table]:
    feedback, feedforward = optimizer.coefficients(delay)
    a = ((0, Fraction(1)), *((int(lag), -Fraction(value)) for lag, value in feedback if value))
    b = tuple((int(lag), Fraction(value)) for lag, value in feedforward if value)
    return a, b


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{lag}: {entry}" for lag, entry in value.items())
    return str(value)
