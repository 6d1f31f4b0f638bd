"""Learning rates that keep the accessible minima while delay or optimizer change."""

from __future__ import annotations

import mpmath
from sympy import Basic, Eq, Function, Integer, Rational, symbols
from sympy.core.relational import Relational

from delaystability.model.catalogue import SGD
from delaystability.theory.gain_loops import gain_loop
from delaystability.theory.proofs import heavy_ball, sgd, shifted_momentum
from delaystability.theory.sides import MARGIN, fraction
from delaystability.theory.symbols import m, tau
from delaystability.theory.trials import evaluate_relation
from delaystability.theory.vocabulary import (
    Chapter,
    conclusion,
    evaluated,
    remark,
    states,
    step,
)
from delaystability.theory.written_formula import read_formula

CHAPTER = Chapter("adjustment", "Rules that keep the accessible minima")

_S, _a_1, _a_2, _eta_0, _eta_1, _eta_2 = symbols("S a_1 a_2 eta_0 eta_1 eta_2", positive=True)
_POINTS = [{"tau": Integer(k), "eta_0": Rational(1, 3)} for k in (0, 1, 2, 5, 40, 2000, 10**4)]


def _same_minima(claim: Basic | None) -> tuple[int, str]:
    """A minimum just below the old bound is stable under both optimizers, one above under none."""
    if not isinstance(claim, Eq) or claim.lhs != _eta_2:
        return 0, f"an equation for {_eta_2} is needed, not {claim}"
    nine = {m: Rational(9, 10)}
    settings = [
        (sgd.sgd, {tau: Integer(0)}),
        (heavy_ball.heavy_ball, {tau: Integer(0), **nine}),
        (shifted_momentum.shifted_momentum, {tau: Integer(2), **nine}),
        (sgd.sgd, {tau: Integer(5)}),
        (heavy_ball.heavy_ball, {tau: Integer(10**4), **nine}),
    ]
    statements = [entry.read().theorem.statement for entry, _ in settings]
    (first, *_), (_, start), rate = statements, settings[0], Rational(1, 10)
    with mpmath.workdps(40):
        sharpness = first.value(start) / mpmath.mpmathify(rate)
        for statement, (_, point) in zip(statements, settings, strict=True):
            values = {_eta_1: rate, _a_1: first.value(start), _a_2: statement.value(point)}
            edge = fraction(mpmath.mpf(claim.rhs.subs(values).evalf(35)) * sharpness)
            loop = gain_loop(statement.optimizer, point)
            failure = loop.ends_between(edge * (1 - MARGIN), edge * (1 + MARGIN))
            if failure:
                return len(settings), f"other minima are accessible at {point}: {failure}"
    return len(settings), ""


adjustment = remark(
    "adjustment",
    "The rule for the learning rate",
    states("adjusted-learning-rate", "eta_2 = eta_1 (a_2/a_1)"),
    """Let an optimizer with some delay have the threshold $a_1$ and run with the learning rate
    $eta_1$. Let another optimizer, or the same with another delay or momentum, have the threshold
    $a_2$. Exactly the same minima are accessible to it with the learning rate {statement}""",
    step(
        "before",
        """A minimum is accessible before the change exactly if its sharpness is below $h$, the one
        whose gain is the threshold:""",
        "eta_1 h = a_1",
        {"h": "a_1/eta_1"},
    ),
    step(
        "after",
        "With the learning rate $eta_2 = eta_1 (a_2/a_1)$, the same sharpness has the gain",
        "eta_2 h = a_2",
        {"h": "a_1/eta_1", "eta_2": "eta_1 (a_2/a_1)"},
    ),
    conclusion(
        """This is the threshold after the change: the same sharpness bounds the accessible minima.
        The bound falls strictly as the learning rate grows, so that no other learning rate keeps
        it:""",
        _same_minima,
    ),
    sources=("giladi2020",),
    symbols=(_S, _a_1, _a_2, _eta_1, _eta_2),
    of="delayed-loop",
)

adjustment_sgd = remark(
    "adjustment-sgd",
    "The rule for SGD",
    states("adjusted-learning-rate", "eta(tau) = eta_0 sin(pi/(4 tau + 2))", SGD),
    """SGD with delay $tau$ has the same accessible minima as SGD without delay and with the
    learning rate $eta_0$ exactly if its learning rate is {statement}""",
    step(
        "quotient",
        "With the thresholds of {theorem:sgd},",
        "a_*(tau)/a_*(0) = sin(pi/(4 tau + 2))",
        {"a_*(tau)": sgd.FORMULA},
    ),
    conclusion(
        "By {theorem:adjustment} this is the factor of the learning rate:",
        evaluated(_POINTS, {"eta(tau)": f"eta_0 ({sgd.FORMULA})/2"}),
    ),
    sources=("giladi2020",),
    symbols=(_eta_0,),
    of="sgd",
)


def _of_rate(claim: Basic | None) -> tuple[int, str]:
    """A trial of a relation whose left side is the learning rate of the rule."""
    rate = Function("eta")(tau)
    if not isinstance(claim, Relational) or claim.lhs != rate:
        return 0, f"a relation of {rate} is needed, not {claim}"
    points = [{tau: point["tau"], _eta_0: point["eta_0"]} for point in _POINTS]
    return evaluate_relation(points, {rate: _eta_0 * read_formula(sgd.FORMULA) / 2})(claim)


_RATE = step(
    "rate",
    "The learning rate of {theorem:adjustment-sgd} is, by {theorem:sgd},",
    "eta(tau) = (eta_0/2) a_*(tau)",
    {"eta(tau)": f"eta_0 ({sgd.FORMULA})/2", "a_*(tau)": sgd.FORMULA},
)

adjustment_sgd_upper = remark(
    "adjustment-sgd-upper",
    "The rule for SGD: an upper bound",
    states("adjusted-learning-rate", "eta(tau) <= pi eta_0/(2 (2 tau + 1))", SGD),
    """Let $eta(tau)$ be the learning rate of {theorem:adjustment-sgd}. It satisfies {statement} A
    learning rate above this bound makes minima inaccessible that were accessible without delay.""",
    _RATE,
    step(
        "bound",
        """The bound $b(tau) := pi/(2 tau + 1)$ of {theorem:sgd-upper-bound}, times the same factor,
        is""",
        "(eta_0/2) b(tau) = pi eta_0/(2 (2 tau + 1))",
    ),
    conclusion("Hence", _of_rate),
    sources=("giladi2020",),
    symbols=(_eta_0,),
    of="sgd",
)

adjustment_sgd_lower = remark(
    "adjustment-sgd-lower",
    "The rule for SGD: a lower bound",
    states(
        "adjusted-learning-rate",
        "eta(tau) >= (1 - pi^2/(24 (2 tau + 1)^2)) (pi eta_0/(2 (2 tau + 1)))",
        SGD,
    ),
    """Let $eta(tau)$ be the learning rate of {theorem:adjustment-sgd}. It satisfies {statement}
    Every learning rate up to this bound keeps all minima accessible that were accessible without
    delay. The last factor is the bound of {theorem:adjustment-sgd-upper}: for long delays the
    learning rate has to fall as one over the delay, neither faster nor slower.""",
    _RATE,
    step(
        "bound",
        """The bound $b(tau) := pi/(2 tau + 1) - pi^3/(24 (2 tau + 1)^3)$ of
        {theorem:sgd-lower-bound}, times the same factor, is""",
        "(eta_0/2) b(tau) = (1 - pi^2/(24 (2 tau + 1)^2)) (pi eta_0/(2 (2 tau + 1)))",
    ),
    conclusion("Hence", _of_rate),
    sources=("giladi2020",),
    symbols=(_eta_0,),
    of="sgd",
)
