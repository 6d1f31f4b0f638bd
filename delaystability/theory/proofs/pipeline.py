"""Pipelines: stages with delays of their own look like one loop whose delay is random."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import mpmath
from sympy import (
    Basic,
    Eq,
    Expr,
    Function,
    Matrix,
    Poly,
    Rational,
    Sum,
    Symbol,
    eye,
    fraction,
    sympify,
    together,
)
from sympy.core.relational import GreaterThan

from delaystability.model.catalogue import SGD, HeavyBall, Nesterov, Optimizer, ShiftedMomentum
from delaystability.theory.checks import Deduced, Identity
from delaystability.theory.derivation import Proof, Step, Theorem
from delaystability.theory.moments import written_out
from delaystability.theory.statement import Statement
from delaystability.theory.symbols import a, curvature, eta, ordered_product, ordered_sum, z

__all__ = ["PIPELINE", "pipeline"]

PIPELINE = "pipeline"

_k = Symbol("k", integer=True, nonnegative=True)
_n = Symbol("n", integer=True, nonnegative=True)
_D = Symbol("D")
_c, _E, _P, _g, _s, _x, _y = (Function(name) for name in ("c", "E", "P", "g", "s", "x", "y"))


def _sum(term: Expr) -> Expr:
    return Sum(term, (_k, 0, _n))


def pipeline() -> Proof:
    """Every root of a pipeline is a root of a scalar loop with a random delay, and conversely."""
    relation = Eq(1 - z, ordered_product(a, _sum(ordered_product(_P(_k), _c(_k)))), evaluate=False)
    theorem = Theorem(
        name=PIPELINE,
        title="Pipelines: a random delay in disguise",
        statement=Statement("identity", relation),
        text=(
            "Let the parameters lie in the stages {range}. Let a gradient that goes as {power} "
            "change those of stage {k} by {c} times {minus_eta} of it in an update (with a delay "
            "{tau} and a filter, {filter}). Let the Hessian {H} be symmetric "
            "without negative eigenvalues, the largest of them {h}. Every root {other} of the "
            "pipeline solves {display:relation} with probabilities {P} and a gain {gain}. "
            "Conversely, for all probabilities and {equal} some such Hessian has every root of "
            "this equation. It is that of one parameter whose delay is random, in the mean: the "
            "pipeline is stable for every Hessian of sharpness at most {h} exactly if the scalar "
            "loop is stable for all probabilities and all gains up to {equal_gain}. Directions "
            "without curvature have the root 1 and do not move."
        ),
        sources=(),
        given={
            "range": r"k = 0, \dots, n",
            "power": "z^t",
            "k": _k,
            "c": _c(_k),
            "minus_eta": r"-\eta",
            "tau": r"\tau_k",
            "filter": r"c_k = z^{-\tau_k} B_k(z)/A_k(z)",
            "H": "H",
            "h": curvature,
            "other": r"z \ne 1",
            "relation": relation,
            "P": _P(_k),
            "gain": r"0 < a \le \eta h",
            "equal": Eq(a, eta * curvature, evaluate=False),
            "equal_gain": eta * curvature,
        },
    )
    return Proof(theorem, (*_forward(), *_backward(), _conclusion(relation)))


def _forward() -> tuple[Step, ...]:
    weights = _sum(ordered_product(_c(_k), _E(_k)))
    return (
        Step(
            label="models",
            text=(
                "Let the iterates be {power}. A stage that applies its gradient late makes the "
                "update {late}; one that computes it at its own late iterate, as PipeDream does "
                "with weight stashing, {early}, with {c} the diagonal matrix of the {ck}. If {x} "
                "solves the equation of the latter, {y} solves that of the former, with the same "
                "{z}; likewise if only the delays act before {H}, and the filters after it. By "
                "components, and with {g} for those of {Hcx},"
            ),
            claim=Eq(
                ordered_product(
                    _c(_k),
                    ordered_sum(ordered_product(z - 1, _x(_k)), ordered_product(eta, _g(_k))),
                ),
                ordered_sum(ordered_product(z - 1, _y(_k)), ordered_product(eta, _c(_k), _g(_k))),
                evaluate=False,
            ),
            check=Identity({_y(_k): _c(_k) * _x(_k)}),
            given={
                "power": r"w_t = z^t x",
                "late": r"\eta\, c H w_t",
                "early": r"\eta\, H c\, w_t",
                "c": "c",
                "ck": _c(_k),
                "x": "x",
                "y": "y = c x",
                "z": z,
                "g": _g(_k),
                "Hcx": "H c x",
                "H": "H",
            },
        ),
        Step(
            label="rayleigh",
            text=(
                "Let {root} and {equation} for {other}. Then {v} is not zero, since {Hcx} is not, "
                "and multiplication by {left} gives {reduced}. Let the vector have length 1, and "
                "let {E} be the squared length of stage {k} of {Sv}. The product with the "
                "conjugate of the vector is"
            ),
            claim=Eq(1 - z, ordered_product(eta, weights), evaluate=False),
            check=Deduced((), _on_roots),
            given={
                "root": "H = S S^T",
                "equation": r"(z - 1) x + \eta H c x = 0",
                "other": r"z \ne 1",
                "v": "v = S^T c x",
                "Hcx": "H c x = S v",
                "left": "S^T c",
                "reduced": r"(z - 1) v + \eta S^T c S v = 0",
                "E": _E(_k),
                "k": _k,
                "Sv": "S v",
            },
        ),
        Step(
            label="sharpness",
            text=(
                "The squared length of {Sv} is at most the largest eigenvalue of {gram}, which "
                "has the eigenvalues of {H} but for zeros:"
            ),
            claim=GreaterThan(curvature, _sum(_E(_k)), evaluate=False),
            check=Deduced((), _on_roots),
            given={"Sv": "S v", "gram": "S^T S", "H": "H"},
        ),
        Step(
            label="probabilities",
            text=(
                "Let {a}, which is not zero because {z} is not 1, and {P}. These are not negative, "
                "and"
            ),
            claim=Eq(_sum(_P(_k)), 1, evaluate=False),
            check=Deduced(("rayleigh",), _on_roots),
            given={
                "a": r"a = \eta \sum_k E_k",
                "z": z,
                "P": r"P_k = \eta E_k / a",
            },
        ),
    )


def _backward() -> tuple[Step, ...]:
    return (
        Step(
            label="converse",
            text=(
                "Conversely, give each stage one parameter, let {s}, and let {H} have the "
                "components {components}: it has the eigenvalue {h} and else zeros. With {D}, the "
                "components of {equation} at {x} are"
            ),
            claim=Eq(
                ordered_sum(
                    ordered_product(z - 1, _s(_k)),
                    ordered_product(eta, curvature, _s(_k), _D),
                ),
                ordered_product(_s(_k), ordered_sum(z - 1, ordered_product(eta, curvature, _D))),
                evaluate=False,
            ),
            check=Identity(),
            given={
                "s": r"s_k^2 = P_k",
                "H": "H",
                "components": r"h\, s_j s_k",
                "h": curvature,
                "D": r"D = \sum_j P_j c_j",
                "equation": r"(z - 1) x + \eta H c x",
                "x": "x = s",
            },
        ),
    )


def _conclusion(relation: Eq) -> Step:
    return Step(
        label="conclusion",
        text=(
            "In {ref:rayleigh}, {E} is {share}, and {gain} by {ref:sharpness}. By {ref:converse} "
            "each solution of the equation below with {equal} is a root. By {ref:models} it does "
            "not matter where the delays act."
        ),
        claim=relation,
        check=Deduced(
            ("models", "rayleigh", "sharpness", "probabilities", "converse"), trial=_on_roots
        ),
        given={
            "E": r"\eta E_k",
            "share": r"a P_k",
            "gain": r"a \le \eta h",
            "equal": Eq(a, eta * curvature, evaluate=False),
        },
    )


# Trials: small pipelines, whose roots come from the determinant.


@dataclass(frozen=True)
class _Mode:
    """A root of a pipeline with what the claims speak of."""

    values: Mapping[Expr, Any]
    responses: tuple[Any, ...]
    energies: tuple[Any, ...]

    def value(self, side: Expr) -> Any:
        """One side of a claim."""
        rate, gain = self.values[eta], self.values[a]
        written = sympify(side).subs(self.values).replace(Sum, written_out)
        members = {
            _c: self.responses,
            _E: self.energies,
            _P: tuple(rate * energy / gain for energy in self.energies),
        }
        for function, entries in members.items():
            written = written.replace(function, partial(_member, entries))
        return mpmath.mpmathify(sympify(written).evalf(30))


def _member(entries: tuple[Any, ...], place: Expr) -> Any:
    return sympify(entries[int(place)])


def _modes(
    root: Matrix, stages: tuple[int, ...], delays: tuple[int, ...], rule: Optimizer, rate: Any
) -> Iterator[_Mode]:
    """The roots of det((z - 1) I + rate H c) for H = root root^T, with their vectors."""
    tables = [rule.coefficients(delay) for delay in delays]
    poles = [sympify(1 - sum(v * z**-lag for lag, v in e.feedback)) for e in tables]
    zeros = [sympify(sum(v * z**-lag for lag, v in e.feedforward)) for e in tables]
    parts = zip(delays, zeros, poles, strict=True)
    filters = [z**-delay * zero / pole for delay, zero, pole in parts]
    spread = Matrix.diag(*(filters[stage] for stage in stages))
    whole = (z - 1) * eye(len(stages)) + rate * root * root.T * spread
    numerator = fraction(together(whole.det(method="berkowitz")))[0]
    coefficients = [_number(entry) for entry in Poly(numerator, z).sqf_part().all_coeffs()]
    rows = [[_number(entry) for entry in root.row(row)] for row in range(root.rows)]
    squares = (root.T * root).eigenvals()
    for value in mpmath.polyroots(coefficients, maxsteps=500, extraprec=400):
        at = {z: sympify(value)}
        # Neither directions without curvature, nor what the clearing of fractions added.
        if min(abs(value - 1), abs(value)) < _NEAR:
            continue
        if any(abs(_number(pole.subs(at))) < _NEAR for pole in poles):
            continue
        found = tuple(_number(entry.subs(at)) for entry in filters)
        reduced = (value - 1) * mpmath.eye(root.cols)
        for row, stage in zip(rows, stages, strict=True):
            column = mpmath.matrix(row)
            reduced += _number(rate) * found[stage] * column * column.T
        _, sizes, right = mpmath.svd_c(reduced)
        vector = right[root.cols - 1, :].H
        if sizes[root.cols - 1] > _NEAR * sizes[0]:
            continue
        energies = [mpmath.mpf(0)] * len(delays)
        for row, stage in zip(rows, stages, strict=True):
            energies[stage] += abs((mpmath.matrix([row]) * vector)[0]) ** 2
        yield _Mode(
            {
                z: sympify(value),
                eta: sympify(rate),
                a: sympify(_number(rate) * sum(energies)),
                curvature: sympify(max(_number(entry) for entry in squares)),
                _n: len(delays) - 1,
            },
            found,
            tuple(energies),
        )


_NEAR = mpmath.mpf("1e-9")


def _number(entry: Any) -> Any:
    return mpmath.mpmathify(sympify(entry).evalf(40))


@cache
def _samples() -> tuple[_Mode, ...]:
    half = Rational(1, 2)
    wide = Matrix([[1, half], [-half, 2], [Rational(1, 3), 1], [1, -1]])
    cases = (
        (wide, (0, 0, 1, 2), (3, 1, 0), SGD(), Rational(1, 5)),
        (wide, (0, 1, 1, 2), (0, 2, 1), HeavyBall(half), Rational(1, 3)),
        (wide[:3, :], (0, 1, 2), (2, 0, 1), Nesterov(half), Rational(1, 4)),
        (wide[:, :1], (0, 1, 2, 2), (1, 2, 0), ShiftedMomentum(half), half),
    )
    with mpmath.workdps(40):
        return tuple(mode for case in cases for mode in _modes(*case))


def _on_roots(claim: Basic | None) -> tuple[int, str]:
    """The claim at all roots of small pipelines, with the weights of their vectors."""
    if not isinstance(claim, (Eq, GreaterThan)):
        return 0, f"a relation is needed, not {claim}"
    modes = _samples()
    for mode in modes:
        left, right = mode.value(claim.lhs), mode.value(claim.rhs)
        rounding = mpmath.mpf("1e-12") * (1 + abs(left) + abs(right))
        holds = abs(left - right) <= rounding if isinstance(claim, Eq) else left >= right - rounding
        if not holds:
            return len(modes), f"{claim} does not hold at {mode.values}: {left}, {right}"
    return len(modes), ""
