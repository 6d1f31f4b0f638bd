"""The delayed loop of one optimizer in symbols, read off its coefficient tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sympy import (
    Eq,
    Expr,
    I,
    Integer,
    Rational,
    Symbol,
    cos,
    exp,
    expand,
    factor,
    powsimp,
    simplify,
    sin,
    sympify,
)

from delaystability.model.loop import Loop
from delaystability.model.optimizer import Optimizer
from delaystability.theory.symbols import (
    a,
    curvature,
    eta,
    ordered_product,
    ordered_quotient,
    ordered_sum,
    tau,
    theta,
    w,
    z,
)
from delaystability.theory.symbols import t as time

__all__ = ["SymbolicLoop", "symbolic"]

_Table = tuple[tuple[Expr, Expr], ...]


def symbolic(optimizer: type[Optimizer]) -> Optimizer:
    """The optimizer with a real symbol for each parameter: momentum is m."""
    from dataclasses import fields

    names = {"momentum": "m", "horizon": "T"}
    values = {
        entry.name: Symbol(names.get(entry.name, entry.name), real=True)
        for entry in fields(optimizer)  # type: ignore[arg-type]
    }
    return optimizer(**values)


@dataclass(frozen=True)
class SymbolicLoop(Loop):
    """The loop at the symbolic delay tau, with its recurrence and characteristic equation in SymPy.

    With ``A(z) = 1 - sum_j feedback_j z^-j``, ``B(z) = sum_k feedforward_k z^-k`` and the gain a,
    the characteristic equation is ``(z - 1) A(z) + a z^-tau B(z) = 0``.
    """

    delay: Any = tau

    @property
    def feedback(self) -> _Table:
        """The feedback table in SymPy: pairs (lag, coefficient)."""
        return tuple((lag, -value) for lag, value in self.a_table[1:])

    @property
    def feedforward(self) -> _Table:
        """The feedforward table in SymPy: pairs (lag, coefficient)."""
        return _sympified(self.tables().b)

    @property
    def a_table(self) -> _Table:
        """A(z) as pairs (lag, coefficient): 1 and minus the feedback."""
        return _sympified(self.tables().a)

    @property
    def pole_part(self) -> Expr:
        """A(z)."""
        return sympify(sum(value * z ** (-lag) for lag, value in self.a_table))

    @property
    def zero_part(self) -> Expr:
        """B(z)."""
        return sympify(sum(value * z ** (-lag) for lag, value in self.feedforward))

    def update_rule(self, update: object, gradient: object) -> Eq:
        """The definition of u_t from earlier updates and gradients, given as functions of time."""
        terms = [value * update(time - lag) for lag, value in self.feedback]  # type: ignore[operator]
        terms += [value * gradient(time - lag) for lag, value in self.feedforward]  # type: ignore[operator]
        return Eq(update(time), sum(terms), evaluate=False)  # type: ignore[operator]

    @property
    def recurrence(self) -> Eq:
        """The recurrence of the iterates alone, near a minimum at 0."""
        terms = [
            ordered_product(value, ordered_sum(w(time + 1 - lag), -w(time - lag)))
            for lag, value in self.feedback
        ]
        terms += [-a * value * w(time - lag - tau) for lag, value in self.feedforward]
        return Eq(w(time + 1), ordered_sum(w(time), *terms), evaluate=False)

    @property
    def recurrence_remainder(self) -> Expr:
        """What the two sides of the recurrence differ by, from the definition of the updates."""

        def update(n: Expr) -> Expr:
            return (w(n) - w(n + 1)) / eta

        rule = self.update_rule(update, lambda n: curvature * w(n - tau))
        return -eta * (rule.lhs - rule.rhs)

    @property
    def clearing_power(self) -> Expr:
        """The power of z that turns the characteristic equation into a polynomial."""
        lags = [lag - tau if lag.has(tau) else lag for lag, _ in self.feedback]
        lags += [lag for lag, _ in self.feedforward]
        return tau + max(lags, key=lambda lag: int(lag))

    @property
    def memory_factor(self) -> Expr:
        """The characteristic polynomial at gain zero, divided by z - 1: the optimizer's memory."""
        lags = (lag for lag, _ in self.feedback)
        shift = max(lags, key=lambda lag: (lag.has(tau), int(lag.subs(tau, 0))), default=Integer(0))
        rest = self.clearing_power - shift
        pole = powsimp(expand(self.pole_part * z**shift))
        factors = [factor for factor in (z**rest, pole) if factor != 1]
        return ordered_product(*factors)

    @property
    def polynomial(self) -> Expr:
        """The characteristic polynomial, with its part free of the gain in factors."""
        drive = sum(
            value * z ** (self.clearing_power - tau - lag) for lag, value in self.feedforward
        )
        free = ordered_product(z - 1, *self.memory_factor.as_ordered_factors())
        return ordered_sum(free, ordered_product(a, drive) if drive != 1 else a)

    @property
    def polynomial_from_recurrence(self) -> Expr:
        """The characteristic polynomial from w_t = z^t in the recurrence, independently."""
        difference = self.recurrence.lhs - self.recurrence.rhs
        powers = difference.replace(w, lambda n: z ** (n - time))
        return expand(powers * z**self.clearing_power)

    @property
    def gain_of_root(self) -> Expr:
        """alpha(z): the gain, perhaps complex, for which z is a root."""
        pole = self.pole_part
        numerator = ordered_product(1 - z, z**tau, *([] if pole == 1 else [pole]))
        zero = self.zero_part
        return numerator if zero == 1 else ordered_quotient(numerator, zero)

    @property
    def cosine_part(self) -> Expr:
        """X(theta) = Re(exp(i theta (tau + 1/2)) A conj(B)) on z = exp(i theta)."""
        return self._circular(cos)

    @property
    def sine_part(self) -> Expr:
        """Y(theta) = Im(exp(i theta (tau + 1/2)) A conj(B)) on z = exp(i theta)."""
        return self._circular(sin)

    def _circular(self, function: object) -> Expr:
        common, zeros = Integer(1), self.feedforward
        if len(zeros) == 1:
            common, zeros = zeros[0][1], ((zeros[0][0], Integer(1)),)
        weights: dict[Expr, Expr] = {}
        for j, a_value in self.a_table:
            for k, b_value in zeros:
                turns = tau + Rational(1, 2) - j + k
                weights[turns] = weights.get(turns, Integer(0)) + a_value * b_value
        total = sum(factor(value) * function(turns * theta) for turns, value in weights.items())  # type: ignore[operator]
        return sympify(total) if common == 1 else ordered_product(common, total)

    @property
    def zero_modulus_squared(self) -> Expr:
        """|B|^2 on the circle."""
        return _modulus_squared(self.feedforward)

    def on_circle(self, expression: Expr) -> Expr:
        """The expression at z = exp(i theta)."""
        return expression.subs(z, exp(I * theta))

    @property
    def root_speed(self) -> Expr:
        """S(z) = z alpha'(z)/alpha(z): a root moves by dz/z = (da/a)/S."""
        pole, zero = self.pole_part, self.zero_part
        return z / (z - 1) + tau + z * pole.diff(z) / pole - z * zero.diff(z) / zero


def _sympified(table: Mapping[Any, Any]) -> _Table:
    return tuple((sympify(lag), sympify(value)) for lag, value in table.items())


def _modulus_squared(table: _Table) -> Expr:
    if len(table) == 1:
        return table[0][1] ** 2
    weights: dict[Expr, Expr] = {}
    for j, left in table:
        for k, right in table:
            turns = j - k
            turns = -turns if turns.could_extract_minus_sign() else turns
            weights[turns] = weights.get(turns, Integer(0)) + left * right
    return sympify(sum(simplify(value) * cos(turns * theta) for turns, value in weights.items()))
