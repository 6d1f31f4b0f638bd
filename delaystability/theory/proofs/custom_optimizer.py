"""A custom optimizer at one delay: its threshold as an algebraic number, and all stable gains."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from sympy import Basic, Eq, Function, Integer, Rational

from delaystability.theory.checks import Deduced
from delaystability.theory.decimals import decimal
from delaystability.theory.derivation import Proof, Step, Theorem
from delaystability.theory.fixed_delay import at_delay
from delaystability.theory.general_steps import general_steps
from delaystability.theory.proofs.custom_boundary import Boundary, Gain
from delaystability.theory.proofs.custom_checks import OUTSIDE, confirm_gain
from delaystability.theory.proofs.custom_steps import (
    boundary_steps,
    counting_step,
    crossing_steps,
    in_order,
    listed,
)
from delaystability.theory.proofs.custom_unstable import unstable_steps
from delaystability.theory.reading import Reading
from delaystability.theory.real_root import RealRoot
from delaystability.theory.statement import Statement
from delaystability.theory.symbols import (
    DECAY,
    THRESHOLD,
    eta,
    ordered_product,
    ordered_sum,
    t,
    tau,
    u,
    w,
)

__all__ = ["custom_optimizer"]

_SHARED = ("recurrence", "polynomial", "cosine-part", "sine-part", "crossing")
_ORDINALS = ("", "second ", "third ", "fourth ", "fifth ", "sixth ", "seventh ", "eighth ")


def custom_optimizer(boundary: Boundary, name: str, title: str) -> Proof:
    """The threshold of an optimizer at one delay, and the proof for it.

    Parameters
    ----------
    boundary : Boundary
    name, title : str
        The name of the optimizer in the catalogue, and what the theorem is about.
    """
    return _CustomOptimizer(boundary, name, title).derivation


@dataclass(frozen=True)
class _CustomOptimizer:
    boundary: Boundary
    name: str
    title: str

    @cached_property
    def first(self) -> Gain | None:
        """The gain at which stability ends for the first time, if small gains are stable."""
        stable = self.boundary.stable
        return stable[0][1] if stable and stable[0][0] is None else None

    @cached_property
    def relation(self) -> Eq:
        number = Integer(0) if self.first is None else self.first.number
        return Eq(THRESHOLD, number, evaluate=False)

    @property
    def derivation(self) -> Proof:
        boundary = self.boundary
        general = tuple(
            at_delay(step, boundary.delay)
            for step in Reading(boundary.loop).steps(general_steps(boundary.loop))
            if step.label in _SHARED
        )
        if boundary.never_stable:
            steps = unstable_steps(boundary, general, self.relation)
        else:
            crossings = crossing_steps(boundary)
            steps = (*general, *boundary_steps(boundary), *crossings, counting_step(boundary))
            steps = (*steps, self._conclusion({step.label for step in crossings}))
        return Proof(self._theorem(), steps)

    def _theorem(self) -> Theorem:
        delay = Eq(tau, self.boundary.delay, evaluate=False)
        given: dict[str, Basic | str] = {
            "update": self._update_rule(),
            "delay": delay,
            "threshold": self.relation,
        }
        claimed, loop = self._in_words(given), self.boundary.loop
        name, decays = f"{self.name}-delay-{self.boundary.delay}", ""
        domain: tuple[Basic, ...] = (delay,)
        quantity = "decayed-threshold" if loop.decays else "threshold"
        if loop.decays:
            name, domain = f"{name}-decay", (delay, Eq(DECAY, loop.decay, evaluate=False))
            given |= {"decay": loop.decay}
            decays = "The weights decay by {decay} in every update, through the optimizer. "
        if loop.decays and not loop.coupled:
            applied = ordered_sum(ordered_product(loop.kept, w(t)), -ordered_product(eta, u(t)))
            given |= {"applied": Eq(w(t + 1), applied, evaluate=False)}
            decays = "The weights decay by {decay} in every update, past the optimizer: {applied}. "
        return Theorem(
            name=name,
            title=self.title,
            statement=Statement(quantity, self.relation, self.name, domain=domain),
            text="Consider with delay {delay} the optimizer {display:update} " + decays + claimed,
            sources=("giladi2020", "marden1966"),
            given=given,
        )

    def _update_rule(self) -> Eq:
        """The definition of the update, earlier updates first and then gradients."""
        loop, gradient = self.boundary.loop, Function("g")
        terms = [value * u(t - lag) for lag, value in loop.feedback]
        terms += [value * gradient(t - lag) for lag, value in loop.feedforward]
        terms += [value / eta * w(t - lag) for lag, value in loop.decayed_table]
        total = ordered_sum(*terms) if len(terms) > 1 else terms[0]
        return Eq(u(t), total, evaluate=False)

    def _in_words(self, given: dict[str, Basic | str]) -> str:
        intervals = [_interval(*ends) for ends in self.boundary.stable]
        if not intervals:
            return "It is stable at no gain: {display:threshold}"
        if self.first is None:
            stable = listed("stable", intervals, given)
            return (
                "It is stable at no small gain: {display:threshold} The stable gains are exactly "
                f"those with {stable}."
            )
        intervals[0] = "0 < a < a_*"
        stable = listed("stable", intervals, given)
        text = f"It is stable exactly for gains {stable}, where {{display:threshold}}"
        root = self.first.root
        if root is None:
            given["degree"] = Integer(self.first.crossings[0].point.degree)
            return f"{text} This is an algebraic number of degree at most {{degree}}."
        if root.degree == 1:
            return text
        given["decimals"] = root.root
        given["polynomial"] = Eq(in_order(root.polynomial), 0, evaluate=False)
        this = "This is" if root.root == root.number else "This number, {decimals}, is"
        return f"{text} {this} {_rank(root)} of {{display:polynomial}}"

    def _conclusion(self, found: set[str]) -> Step:
        premises = ["roots-outside"]
        given: dict[str, Basic | str] = {"none": Eq(OUTSIDE, 0, evaluate=False), "first": "x_1"}
        text = "The loop is stable exactly where {none}. By {ref:roots-outside} "
        if self.first is None:
            text += f"this is so for no {'small ' if self.boundary.stable else ''}gain:"
        elif "gain-polynomial" in found and self.first.root is not None:
            premises.append("gain-polynomial")
            text += (
                "this is so below the gain of {first}, which is "
                f"{_rank(self.first.root)} of {{ref:gain-polynomial}}:"
            )
        else:
            premises.append("gain")
            text += "this is so below the gain of {first}, given by {ref:gain}:"
        return Step(
            label="conclusion",
            text=text,
            claim=self.relation,
            check=Deduced(tuple(premises), confirm_gain(self.boundary)),
            given=given,
        )


def _rank(root: RealRoot) -> str:
    """Which of the positive roots of its polynomial a root is, in words."""
    negative = int(root.polynomial.count_roots(None, 0))
    if root.polynomial.count_roots() == negative + 1:
        return "the only positive root"
    return f"the {_ORDINALS[root.index - negative]}smallest positive root"


def _interval(low: Gain | None, high: Gain) -> str:
    start = "0" if low is None else _written(low)
    return f"{start} < a < {_written(high)}"


def _written(gain: Gain) -> str:
    number = gain.number
    return str(number) if isinstance(number, Rational) else rf"{decimal(number, 10)}\ldots"
