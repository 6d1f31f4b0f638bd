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
    u,
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
    the characteristic equation is ``F(z) + a z^-tau B(z) = 0``. Without decay c, F is (z - 1) A;
    with it, (z - 1 + c) A, or (z - 1) A + c B where it goes through the optimizer. If B holds a
    mixture of reads, that decay goes through ``present``, the feedforward table without it.
    """

    delay: Any = tau
    present: _Table | None = None

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

    @property
    def decays(self) -> bool:
        """Whether weights decay."""
        return bool(self.decay != 0)

    @property
    def kept(self) -> Expr:
        """The part of a weight that decay past the optimizer leaves in an update."""
        return sympify(1 if self.coupled else 1 - self.decay)

    @property
    def through(self) -> Expr:
        """The decay that goes through the optimizer."""
        return sympify(self.decay if self.coupled else 0)

    @property
    def free_part(self) -> Expr:
        """F(z), what the weights do without gradients."""
        decayed = sum(value * z ** (-lag) for lag, value in self.decayed_table)
        return sympify((z - self.kept) * self.pole_part + decayed)

    @property
    def decayed_table(self) -> _Table:
        """What decays through the optimizer, as pairs (lag, coefficient)."""
        if not self.through:
            return ()
        present = self.feedforward if self.present is None else self.present
        return tuple((lag, self.through * value) for lag, value in present)

    @property
    def free_table(self) -> _Table:
        """F(z)/z as pairs (lag, coefficient)."""
        table: dict[Expr, Expr] = {}
        terms = [(lag, value) for lag, value in self.a_table]
        terms += [(lag + 1, -self.kept * value) for lag, value in self.a_table]
        terms += [(lag + 1, value) for lag, value in self.decayed_table]
        for lag, value in terms:
            table[lag] = table.get(lag, Integer(0)) + value
        return tuple((lag, value) for lag, value in table.items() if value != 0)

    @property
    def update_of_iterates(self) -> Eq:
        """The update, from two iterates."""
        return Eq(u(time), (self.kept * w(time) - w(time + 1)) / eta, evaluate=False)

    def update_rule(self, update: object, gradient: object) -> Eq:
        """The definition of u_t from earlier updates and gradients, given as functions of time."""
        terms = [value * update(time - lag) for lag, value in self.feedback]  # type: ignore[operator]
        terms += [value * gradient(time - lag) for lag, value in self.feedforward]  # type: ignore[operator]
        terms += [value / eta * w(time - lag) for lag, value in self.decayed_table]
        return Eq(update(time), sum(terms), evaluate=False)  # type: ignore[operator]

    @property
    def recurrence(self) -> Eq:
        """The recurrence of the iterates alone, near a minimum at 0."""
        terms = [
            ordered_product(
                value, ordered_sum(w(time + 1 - lag), -_times(self.kept, w(time - lag)))
            )
            for lag, value in self.feedback
        ]
        terms += [-a * value * w(time - lag - tau) for lag, value in self.feedforward]
        terms += [-value * w(time - lag) for lag, value in self.decayed_table]
        return Eq(w(time + 1), ordered_sum(_times(self.kept, w(time)), *terms), evaluate=False)

    @property
    def recurrence_remainder(self) -> Expr:
        """What the two sides of the recurrence differ by, from the definition of the updates."""

        def update(n: Expr) -> Expr:
            return (self.kept * w(n) - w(n + 1)) / eta

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
        """The characteristic polynomial at gain zero, divided by z - 1: the optimizer's memory.

        Of decay, only that past the optimizer is divided off.
        """
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
        late = ordered_product(a, drive) if drive != 1 else a
        return ordered_sum(*self._free_terms, late)

    @property
    def free_polynomial(self) -> Expr:
        """The characteristic polynomial at gain zero, in factors."""
        terms = self._free_terms
        return ordered_sum(*terms) if len(terms) > 1 else terms[0]

    @property
    def _free_terms(self) -> list[Expr]:
        terms = [ordered_product(z - self.kept, *self.memory_factor.as_ordered_factors())]
        powers = [value * z ** (self.clearing_power - lag) for lag, value in self.decayed_table]
        return [*terms, sum(powers)] if powers else terms

    @property
    def polynomial_from_recurrence(self) -> Expr:
        """The characteristic polynomial from w_t = z^t in the recurrence, independently."""
        difference = self.recurrence.lhs - self.recurrence.rhs
        powers = difference.replace(w, lambda n: z ** (n - time))
        return expand(powers * z**self.clearing_power)

    @property
    def gain_of_root(self) -> Expr:
        """alpha(z): the gain, perhaps complex, for which z is a root."""
        pole, zero = self.pole_part, self.zero_part
        if self.through:
            free = self.free_part
            return ordered_product(-1, z**tau, free if zero == 1 else ordered_quotient(free, zero))
        numerator = ordered_product(self.kept - z, z**tau, *([] if pole == 1 else [pole]))
        return numerator if zero == 1 else ordered_quotient(numerator, zero)

    @property
    def cosine_part(self) -> Expr:
        """X(theta) = Re(exp(i theta (tau + 1/2)) A conj(B)) on z = exp(i theta).

        With decay, that of -i exp(i theta tau) F conj(B).
        """
        return self._circular(sin if self.decays else cos)

    @property
    def sine_part(self) -> Expr:
        """Y(theta) = Im(exp(i theta (tau + 1/2)) A conj(B)) on z = exp(i theta).

        With decay, that of -i exp(i theta tau) F conj(B).
        """
        return -self._circular(cos) if self.decays else self._circular(sin)

    @property
    def turned(self) -> Expr:
        """The product whose real part is X and whose imaginary part is Y."""
        on_circle, conjugate = exp(I * theta), exp(-I * theta)
        zero = self.zero_part.subs(z, conjugate)
        if self.decays:
            return -I * exp(I * theta * tau) * self.free_part.subs(z, on_circle) * zero
        turn = exp(I * theta * (tau + Rational(1, 2)))
        return turn * self.pole_part.subs(z, on_circle) * zero

    def _circular(self, function: object) -> Expr:
        common, zeros = Integer(1), self.feedforward
        first = self.free_table if self.decays else self.a_table
        start = tau + (Integer(1) if self.decays else Rational(1, 2))
        if len(zeros) == 1:
            common, zeros = zeros[0][1], ((zeros[0][0], Integer(1)),)
        weights: dict[Expr, Expr] = {}
        for j, a_value in first:
            for k, b_value in zeros:
                turns = start - j + k
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
        if self.decays:
            free = self.free_part
            return z * free.diff(z) / free + tau - z * zero.diff(z) / zero
        return z / (z - 1) + tau + z * pole.diff(z) / pole - z * zero.diff(z) / zero


def _times(factor: Expr, term: Expr) -> Expr:
    return term if factor == 1 else ordered_product(factor, term)


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
