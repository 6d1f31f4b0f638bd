"""Any linear optimizer: its polynomial, its crossings, and the threshold as the smallest one."""

from __future__ import annotations

from random import Random
from typing import Any

import mpmath
from sympy import Basic, Eq, Expr, Function, Integer, Rational, Symbol, cos, expand, sin

from delaystability.model.optimizer import LinearOptimizer, Optimizer
from delaystability.theory.checks import Deduced, Outcome, Status
from delaystability.theory.confirm import smallest_gain
from delaystability.theory.derivation import Proof, Step, Theorem
from delaystability.theory.gain_loops import gain_loop
from delaystability.theory.general_steps import SHARED, X, Y, general_steps
from delaystability.theory.prose import LEMMA
from delaystability.theory.reading import Reading
from delaystability.theory.sides import MARGIN, fraction
from delaystability.theory.statement import Root, Statement
from delaystability.theory.symbolic_loop import SymbolicLoop
from delaystability.theory.symbols import (
    DECAY,
    THRESHOLD,
    half_cosine,
    half_sine,
    ordered_product,
    tau,
    theta,
)
from delaystability.theory.vocabulary import Draft, step

__all__ = ["any_optimizer"]

_SAMPLES = (Rational(-1, 2), Rational(1, 3), Rational(9, 10))
_DELAYS = range(5)
_LONGEST, _DRAWN = 6000, 6
_DECAY = Rational(1, 20)
_x, _n = Symbol("x", real=True), Symbol("n", integer=True)


def any_optimizer(
    optimizer: Optimizer, name: str, title: str, decay: Any = 0, *, coupled: bool = False
) -> Proof:
    """The first threshold of an optimizer as its smallest crossing.

    The direction of the crossings is not decided here: gains above it may be stable again. Beside
    decay, that all of them are unstable is tested on a grid.
    """
    loop, meaning = _abbreviated(optimizer, decay, coupled)
    gain = loop.sine_part / loop.zero_modulus_squared
    if not loop.decays:
        gain = ordered_product(2, half_sine, gain)
    threshold = Eq(THRESHOLD, gain, evaluate=False)
    given: dict[str, Basic | str] = {
        "theta": theta,
        "interval": r"0 < \theta \le \pi",
        "angle": Eq(loop.cosine_part, 0, evaluate=False),
        "Y": Y,
        "Ypositive": r"Y(\theta) > 0",
        "tau": tau,
        "stable": "0 < a < a_*",
        "end": "a = a_*",
        "threshold": threshold,
    }
    defined = {
        f"coefficient-{k}": Eq(*pair, evaluate=False) for k, pair in enumerate(meaning.items())
    }
    prelude = f"Write {' and '.join(f'{{{key}}}' for key in defined)}. " if defined else ""
    given |= defined
    if loop.decays:
        name, title = f"{name}-decay", f"{title} with weight decay"
        given |= {"c": decay, "Bpositive": "B(1) > 0"}
        prelude += (
            f"Let the weights decay by {{c}} in every update, "
            f"{'through' if loop.coupled else 'past'} the optimizer. "
        )
    theorem = Theorem(
        name=name,
        title=title,
        statement=Statement(
            "decayed-threshold" if loop.decays else "first-threshold",
            threshold,
            optimizer.name,
            roots=(Root(theta, Eq(loop.cosine_part, 0, evaluate=False), minimized=gain),),
            definitions=tuple(meaning.items()),
        ),
        text=prelude
        + (
            "Suppose that all poles of the optimizer lie inside the unit circle and that small "
            f"gains are stable{', with {Bpositive}' if loop.decays else ''}. "
            "Among the angles with {interval} that solve {display:angle} and at "
            "which {Y} below is positive, let {theta} be the one that makes the following gain "
            "smallest. Then the optimizer is stable with delay {tau} for all gains {stable} and "
            "not for {end}, where {display:threshold}"
            f"{'' if loop.decays else ' Greater gains may be stable again.'}"
        ),
        sources=("giladi2020",),
        given=given,
    )
    return Proof(
        theorem,
        (
            *Reading(loop, (_x, _n, DECAY)).steps((*general_steps(loop), _polynomial_step(loop))),
            Step(
                label="conclusion",
                text=(
                    "A root on the unit circle at a positive gain has {X} and {Ypositive}. By "
                    "{ref:boundary-polynomial} there are finitely many such angles. By {lemma} the "
                    "roots depend continuously on the gain: below the smallest of these gains none "
                    "leaves the unit circle, and at it one lies there:"
                ),
                claim=threshold,
                check=(_SmallestCrossing if loop.decays else Deduced)(
                    (*SHARED, "boundary-polynomial"), _trial(optimizer, decay, coupled), (LEMMA,)
                ),
                given={"X": Eq(X, 0, evaluate=False), "Ypositive": r"Y(\theta) > 0"},
                refers=frozenset({"ref:boundary-polynomial", LEMMA}),
            ),
        ),
    )


def _polynomial_step(loop: SymbolicLoop) -> Draft:
    """X as cos(theta/2) times a polynomial in x = cos(theta), for every delay at once.

    Beside decay, as sin(theta) times one.
    """
    if loop.decays:
        return _decayed_polynomial_step(loop)
    third, meaning = Function("V"), {}

    def polynomial(angle: Expr) -> Expr:
        term = third(expand(angle / theta) - Rational(1, 2), _x)
        meaning[term] = cos(angle) / half_cosine
        return term

    value = ordered_product(half_cosine, loop.cosine_part.replace(cos, polynomial))
    return step(
        "boundary-polynomial",
        """With $x = cos(theta)$ and the Chebyshev polynomials of the third kind,
        $V(n, x) = cos((n + 1/2) theta)/cos(theta/2)$ for every integer $n$, {ref:cosine-part} is
        but for one factor a polynomial in $x$:""",
        Eq(X, value, evaluate=False),
        meaning,
    )


def _decayed_polynomial_step(loop: SymbolicLoop) -> Draft:
    second, meaning = Function("U"), {}

    def polynomial(angle: Expr) -> Expr:
        term = second(expand(angle / theta) - 1, _x)
        meaning[term] = sin(angle) / sin(theta)
        return term

    value = ordered_product(sin(theta), loop.cosine_part.replace(sin, polynomial))
    return step(
        "boundary-polynomial",
        """With $x = cos(theta)$ and the Chebyshev polynomials of the second kind,
        $U(n, x) = sin((n + 1) theta)/sin(theta)$ for every integer $n$, {ref:cosine-part} is
        but for one factor a polynomial in $x$:""",
        Eq(X, value, evaluate=False),
        meaning,
    )


class _SmallestCrossing(Deduced):
    """A deduction for all gains below, of which the instability above is tested only."""

    def __call__(self, claim: Basic | None) -> Outcome:
        count, failure = self.trial(claim)
        if failure or not count:
            return Outcome(Status.FAILED, failure or "no point was tried")
        detail = f"both sides tested at {count} points, delays to {_LONGEST}"
        return Outcome(Status.TESTED, detail)


def _abbreviated(
    optimizer: Optimizer, decay: Any, coupled: bool
) -> tuple[SymbolicLoop, dict[Expr, Expr]]:
    """The loop with a symbol for each coefficient that depends on the delay, and its meaning."""
    loop, meaning = SymbolicLoop(optimizer), {}
    tables: list[dict[Expr, Expr]] = []
    for letter, table in (("A", loop.feedback), ("B", loop.feedforward)):
        short = {}
        for lag, value in table:
            short[lag] = Symbol(f"{letter}_{lag}", real=True) if value.has(tau) else value
            if value.has(tau):
                meaning[short[lag]] = value
        tables.append(short)
    return SymbolicLoop(LinearOptimizer(*tables), decay=decay, coupled=coupled), meaning


def _points(symbols: list[Symbol]) -> list[dict[Symbol, Any]]:
    """Short delays with all samples, and random points with delays to the longest."""
    random = Random(0)
    samples = _SAMPLES if symbols else (Integer(0),)
    points = [{tau: Integer(d), **dict.fromkeys(symbols, s)} for d in _DELAYS for s in samples]
    for delay in (_LONGEST, *(int(_LONGEST ** random.random()) for _ in range(_DRAWN - 1))):
        values = {symbol: Rational(random.randrange(-999, 1000), 1000) for symbol in symbols}
        points.append({tau: Integer(delay), **values})
    return points


def _trial(optimizer: Optimizer, decay: Any, coupled: bool) -> Any:
    """The smallest crossing at points, and both sides of it by ball arithmetic.

    Where the poles are not inside the circle or small gains unstable, nothing is claimed.
    """
    short, meaning = _abbreviated(optimizer, decay, coupled)
    loop = SymbolicLoop(optimizer, decay=decay, coupled=coupled)
    decays: set[Basic] = getattr(loop.decay, "free_symbols", set())
    values = [value for _, value in (*loop.a_table, *loop.feedforward)]
    symbols = sorted({s for value in values for s in value.free_symbols} - {tau}, key=str)

    def trial(claim: Basic | None) -> tuple[int, str]:
        if not isinstance(claim, Eq):
            return 0, f"a threshold needs an equation, not {claim}"
        tried = 0
        for point in _points(symbols):
            point |= dict.fromkeys(decays, _DECAY)
            tables = gain_loop(loop, point)
            if tables.unstable_start():
                continue
            # Powers of the delay have too many digits to be written out.
            known = point | {s: value.subs(point).evalf(50) for s, value in meaning.items()}
            with mpmath.workdps(30):
                smallest = smallest_gain(short.cosine_part.subs(known), claim.rhs.subs(known))
            if smallest is None:
                return tried, f"no crossing of positive gain at {point}"
            found = fraction(smallest)
            failure = tables.ends_between(found * (1 - MARGIN), found * (1 + MARGIN))
            if failure:
                return tried, f"{smallest} is no threshold at {point}: {failure}"
            tried += 1
        return tried, ""

    return trial
