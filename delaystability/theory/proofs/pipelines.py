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
    symbols,
    sympify,
    together,
)
from sympy.core.relational import GreaterThan

from delaystability.model.catalogue import SGD, HeavyBall, Nesterov, Optimizer, ShiftedMomentum
from delaystability.theory.moments import written_out
from delaystability.theory.symbols import a, curvature, eta, z
from delaystability.theory.vocabulary import Chapter, conclusion, deduced, states, step, theorem

CHAPTER = Chapter("pipelines", "Pipelines")

_k, _n = symbols("k n", integer=True, nonnegative=True)
_NEAR = mpmath.mpf("1e-9")


def _number(entry: Any) -> Any:
    return mpmath.mpmathify(sympify(entry).evalf(40))


def _member(entries: tuple[Any, ...], place: Expr) -> Any:
    return sympify(entries[int(place)])


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
            "C": self.responses,
            "e": self.energies,
            "p": tuple(rate * energy / gain for energy in self.energies),
        }
        for name, entries in members.items():
            written = written.replace(Function(name), partial(_member, entries))
        return mpmath.mpmathify(sympify(written).evalf(30))


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


@cache
def _samples() -> tuple[_Mode, ...]:
    half = Rational(1, 2)
    wide = Matrix([[1, half], [-half, 2], [Rational(1, 3), 1], [1, -1]])
    cases = (
        (wide, (0, 0, 1, 2), (3, 1, 0), SGD(), Rational(1, 5)),
        (wide, (0, 1, 1, 2), (0, 2, 1), HeavyBall(half), Rational(1, 3)),
        (wide[:3, :], (0, 1, 2), (2, 0, 1), Nesterov(half), Rational(1, 4)),
        (wide[:, :1], (0, 1, 2, 2), (1, 2, 0), ShiftedMomentum(half), half),
        (wide, (0, 2, 2, 1), (1, 0, 2), SGD(), Rational(1, 7)),
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


pipeline = theorem(
    "pipeline",
    "Pipelines: a random delay in disguise",
    states("identity", "1 - z = a sum(p(k) C(k), k, 0, n)"),
    r"""Let the parameters lie in the stages \(k = 0, \dots, n\). Let a gradient that goes as
    \(z^t\) change those of stage $k$ by $C(k)$ times \(-\eta\) of it in an update (with a delay
    \(\tau_k\) and a filter, \(C_k = z^{-\tau_k} B_k(z)/A_k(z)\)). Let the Hessian \(H\) be
    symmetric without negative eigenvalues, the largest of them $h$. Every root \(z \ne 1\) of the
    pipeline solves {statement} with probabilities $p(k)$ and a gain \(0 < a \le \eta h\).
    Conversely, for all probabilities and $a = eta h$ some such Hessian has every root of this
    equation. It is that of one parameter whose delay is random, in the mean: the pipeline is stable
    for every Hessian of sharpness at most $h$ exactly if the scalar loop is stable for all
    probabilities and all gains up to $eta h$. Directions without curvature have the root 1 and do
    not move.""",
    step(
        "models",
        r"""Let the iterates be \(w_t = z^t x\). A stage that applies its gradient late makes the
        update \(\eta\, C H w_t\); one that computes it at its own late iterate, as PipeDream does
        with weight stashing, \(\eta\, H C\, w_t\), with \(C\) the diagonal matrix of the $C(k)$. If
        \(x\) solves the equation of the latter, \(y = C x\) solves that of the former, with the
        same $z$; likewise if only the delays act before \(H\), and the filters after it. By
        components, and with $g(k)$ for those of \(H C x\),""",
        "C(k) ((z - 1) x(k) + eta g(k)) = (z - 1) y(k) + eta C(k) g(k)",
        {"y(k)": "C(k) x(k)"},
    ),
    deduced(
        "rayleigh",
        r"""Let \(H = Z Z^T\) and \((z - 1) x + \eta H C x = 0\) for \(z \ne 1\). Then
        \(v = Z^T C x\) is not zero, since \(H C x = Z v\) is not, and multiplication by \(Z^T C\)
        gives \((z - 1) v + \eta Z^T C Z v = 0\). Let the vector have length 1, and let $e(k)$ be
        the squared length of stage $k$ of \(Z v\). The product with the conjugate of the vector
        is""",
        "1 - z = eta sum(C(k) e(k), k, 0, n)",
        (),
        _on_roots,
    ),
    deduced(
        "sharpness",
        r"""The squared length of \(Z v\) is at most the largest eigenvalue of \(Z^T Z\), which has
        the eigenvalues of \(H\) but for zeros:""",
        "h >= sum(e(k), k, 0, n)",
        (),
        _on_roots,
    ),
    deduced(
        "probabilities",
        r"""Let \(a = \eta \sum_k e_k\), which is not zero because $z$ is not 1, and
        \(p_k = \eta e_k / a\). These are not negative, and""",
        "sum(p(k), k, 0, n) = 1",
        ("rayleigh",),
        _on_roots,
    ),
    step(
        "converse",
        r"""Conversely, give each stage one parameter, let \(x_k^2 = p_k\), and let \(H\) have the
        components \(h\, x_j x_k\): it has the eigenvalue $h$ and else zeros. With
        \(D = \sum_j p_j C_j\), the components of \((z - 1) x + \eta H C x\) are""",
        "(z - 1) x(k) + eta h x(k) D = x(k) ((z - 1) + eta h D)",
    ),
    conclusion(
        r"""In {ref:rayleigh}, \(\eta e_k\) is \(a p_k\), and \(a \le \eta h\) by {ref:sharpness}.
        By {ref:converse} each solution of the equation below with $a = eta h$ is a root. By
        {ref:models} it does not matter where the delays act.""",
        _on_roots,
    ),
    symbols=(Symbol("D"), _k, _n),
    prior_art="""Stages with different delays were analysed one at a time {cite:yang2019}, and by
    experiment {cite:kosson2020}. The reduction to a random delay was not found elsewhere.""",
)
