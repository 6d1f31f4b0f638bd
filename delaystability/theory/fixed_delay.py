"""Steps that hold for every delay, written out for one of them."""

from __future__ import annotations

from dataclasses import replace

from sympy import Add, Basic, Integer, Mul
from sympy.core.relational import Relational

from delaystability.theory.checks import Identity
from delaystability.theory.derivation import Step
from delaystability.theory.symbols import tau

__all__ = ["at_delay", "with_delay"]


def with_delay(expression: Basic, delay: int) -> Basic:
    """The expression with a number for tau; what was written in some order keeps it."""
    if expression == tau:
        return Integer(delay)
    if not expression.has(tau):
        return expression
    args = [with_delay(entry, delay) for entry in expression.args]
    if isinstance(expression, Relational):
        return expression.func(*args, evaluate=False)
    as_written = isinstance(expression, (Add, Mul)) and (
        expression.func(*expression.args).args != expression.args
    )
    if not as_written:
        return expression.func(*args)
    kept = [entry for entry in args if entry != expression.func.identity]
    return expression.func(*kept, evaluate=len(kept) < 2)


def at_delay(step: Step, delay: int) -> Step:
    """The step with a number for tau: its claim, its text, and its check, an identity."""
    check = step.check
    if not isinstance(check, Identity) or step.claim is None:
        raise TypeError(f"step {step.label!r} must claim an identity")
    return replace(
        step,
        claim=with_delay(step.claim, delay),
        check=Identity(
            {key.subs(tau, delay): value.subs(tau, delay) for key, value in check.where.items()},
            check.remainder.subs(tau, delay),
        ),
        given={
            key: value if isinstance(value, str) else with_delay(value, delay)
            for key, value in step.given.items()
        },
    )
