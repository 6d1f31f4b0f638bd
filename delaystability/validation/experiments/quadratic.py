"""Thresholds against 10^5 simulated quadratics: below they die out, above they grow.

For every optimizer of the catalogue, random momenta and delays, the recursion of the coefficient
tables runs at gains on both sides of the threshold a*, and is classified by its growth.

A finite run cannot decide arbitrarily close to a*. By the spectrum a perturbation changes by the
factor |z_max| an update, hence at least tenfold over the second half of a run of L updates if
``L >= 2 ln 10 / |ln|z_max||``. For each loop L is chosen so that this holds at both edges of a
stated band ``|gain / a* - 1| < band``. Next to a* the rate ln|z_max| is s (gain / a* - 1) with a
slope s of about 0.7 / delay for SGD: runs of L updates decide distances above ``2 ln 10 / (L s)``.
Outside the band no recursion may be misclassified; inside nothing is claimed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from delaystability.model.catalogue import CATALOGUE, Optimizer
from delaystability.numerics.statistics import share_of
from delaystability.questions.bounds import stability_threshold
from delaystability.validation import rows
from delaystability.validation.device import checked_device, checked_dtype
from delaystability.validation.experiment import Experiment
from delaystability.validation.quadratic_recursion import (
    Recursion,
    growth,
    log_radius,
    whole_run,
)
from delaystability.validation.rows import Array, planned, result, setting
from delaystability.validation.verdict import Finding, Verdict, everywhere, mostly, ratio_finding

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["EXPERIMENT", "WRONG", "Plan", "Quadratic", "judge"]

WRONG = 0.2
"""Share by which the thresholds of the negative control are off."""

_FARTHEST = 0.5  # of a*, on either side
_LONGEST = 2**23  # updates; reached by no loop of the plans below


@dataclass(frozen=True, kw_only=True)
class Plan(rows.Plan):
    """How many recursions, and of what kind: each loop runs at eight gains outside the band."""

    delays: tuple[int, ...] = planned(
        "of the scalar recursions", quick=(0, 1, 2, 5), default=tuple(range(33))
    )
    matrix_delays: tuple[int, ...] = planned(
        "of the matrix recursions", quick=(1, 4), default=(0, 1, 2, 4, 8, 16, 32)
    )
    loops: int = planned("momenta for each optimizer and delay", quick=12, default=56)
    matrix_loops: int = planned("the same of the matrices", quick=6, default=20)
    momentum: float = planned(
        "momenta are uniform between minus this and this", quick=0.8, default=0.9
    )
    band: float = planned(
        "relative distance from a* within which nothing is claimed", quick=0.05, default=0.02
    )
    dimension: int = planned("of the matrices", 4)


@dataclass(frozen=True, kw_only=True, eq=False)
class Quadratic(rows.Row):
    """One loop at D gains."""

    plan: Plan
    kind: str = setting("scalar or matrix recursion")
    optimizer: str = setting("name in the catalogue")
    momentum: float | None = setting("the optimizer's momentum, null for SGD")
    delay: int = setting("in updates")
    distances: Array = setting(
        "gain / a* - 1 of each recursion; the gain is learning rate times largest curvature"
    )
    seed: int = setting("of the start, and of the matrix")
    threshold: float = result("a*, the predicted largest stable gain")
    updates: int = result("length of each run")
    edge_rates: Array = result(
        "ln|z_max| at the gains a* (1 - band) and a* (1 + band), in nats an update, from the roots "
        "of the characteristic polynomial"
    )
    rates: Array = result(
        "measured growth of |w| at each distance, in nats an update, over the second half of the "
        "run; null if w became zero"
    )

    @property
    def outside(self) -> NDArray[np.bool_]:
        """Whether each recursion lies outside the band or on its edge, shape (D,)."""
        return np.abs(self.distances) >= self.plan.band

    def wrong(self, factor: float = 1.0) -> NDArray[np.bool_]:
        """Whether a threshold that is this factor times the predicted one misclassifies, (D,)."""
        return (self.rates > 0) != (1 + self.distances > factor)

    @property
    def edge_ratios(self) -> Array:
        """Measured over predicted growth rate at the two edges of the band, shape (2,)."""
        band = self.plan.band
        measured = [self.rates[self.distances == side * band][0] for side in (-1, 1)]
        return np.array(measured) / self.edge_rates


def settings(plan: Plan) -> Iterator[list[dict[str, Any]]]:
    """Plan all loops of one kind, optimizer and delay together."""
    for kind, delays in (("scalar", plan.delays), ("matrix", plan.matrix_delays)):
        for name in CATALOGUE:
            for delay in delays:
                yield list(_loops(plan, kind, name, delay))


def _loops(plan: Plan, kind: str, name: str, delay: int) -> Iterator[dict[str, Any]]:
    content = (plan.seed, kind == "matrix", list(CATALOGUE).index(name), delay)
    random = np.random.default_rng([int(entry) for entry in content])
    for _ in range(plan.loops if kind == "scalar" else plan.matrix_loops):
        share = random.uniform(-1, 1) if rows.has_momentum(name) else None
        momentum = None if share is None else _short(share * plan.momentum)
        sides = []
        for _ in range(2):
            outside = np.exp(random.uniform(log(plan.band), log(_FARTHEST), 3))
            inside = plan.band * np.exp(random.uniform(log(0.05), 0))
            sides.append([_short(distance) for distance in sorted([inside, *outside])])
        below, above = sides
        yield {
            "kind": kind,
            "optimizer": name,
            "momentum": momentum,
            "delay": delay,
            "distances": sorted(
                [*(-distance for distance in below), -plan.band, plan.band, *above]
            ),
            "seed": int(random.integers(2**53)),
        }


def _short(value: float) -> float:
    """Six digits, which are as random as sixteen and easier to read."""
    return float(f"{value:.6g}")


def run(loops: Sequence[Quadratic]) -> list[dict[str, Any]]:
    """Measure the growth rates of the loops of one kind, optimizer and delay."""
    plan, delay = loops[0].plan, loops[0].delay
    device, dtype = checked_device(plan.device), checked_dtype(plan.dtype)
    dimension = plan.dimension if loops[0].kind == "matrix" else 1
    distances = rows.column(loops, "distances")
    count, each = distances.shape

    optimizer = _optimizer(loops, 1)
    threshold = np.broadcast_to(stability_threshold(optimizer, delay), count)
    recursion = Recursion.of(optimizer, delay, count)
    edges = np.array(
        [log_radius(recursion, threshold * (1 + side * plan.band)) for side in (-1, 1)]
    )
    with np.errstate(divide="ignore"):
        needed = 2 * log(10) / np.abs(edges).min(axis=0)
    updates = whole_run(np.minimum(needed, _LONGEST))

    gains = threshold[:, None] * (1 + distances)
    parts = [
        _start_and_matrix(loop.seed, delay, dimension, gain)
        for loop, gain in zip(loops, gains, strict=True)
    ]
    start, hessian = (
        torch.tensor(np.concatenate(arrays, axis=-1), device=device, dtype=dtype)
        for arrays in zip(*parts, strict=True)
    )
    rates = growth(
        Recursion.of(_optimizer(loops, each), delay, count * each),
        hessian,
        start,
        np.repeat(updates, each),
    ).reshape(count, each)
    return [
        {
            "threshold": threshold[row],
            "updates": updates[row],
            "edge_rates": edges[:, row],
            "rates": rates[row],
        }
        for row in range(count)
    ]


def _optimizer(loops: Sequence[Quadratic], each: int) -> Optimizer:
    """The optimizer with every loop's momentum, ``each`` times."""
    momenta = np.repeat(rows.column(loops, "momentum"), each)
    return CATALOGUE[loops[0].optimizer].example(momentum=momenta)


def _start_and_matrix(seed: int, delay: int, size: int, gains: Array) -> tuple[Array, Array]:
    """A loop's random past (delay + 1, size, D), and its matrices (size, size, D).

    The matrices have one random orthogonal basis; their eigenvalues are the gain and random shares
    of it, from 0.2 to 0.9.
    """
    random = np.random.default_rng(seed)
    start = random.standard_normal((delay + 1, size, 1)) * np.ones(len(gains))
    basis, _ = np.linalg.qr(random.standard_normal((size, size)))
    shares = np.concatenate([[1.0], random.uniform(0.2, 0.9, size - 1)])
    return start, (basis * shares @ basis.T)[..., None] * gains


def judge(loops: Sequence[Quadratic]) -> Verdict:
    """No misclassification outside the band, the right growth rates, and a control that fails."""
    kinds = {kind: [loop for loop in loops if loop.kind == kind] for kind in ("scalar", "matrix")}
    within = np.concatenate([~loop.wrong()[~loop.outside] for loop in loops])
    recursions = sum(loop.distances.size for loop in loops)
    return Verdict(
        (
            *(_none_wrong(kind, some) for kind, some in kinds.items()),
            ratio_finding(
                "At the edges of the band a perturbation grows or dies at the rate ln|z_max| of "
                "the characteristic roots",
                rows.column(kinds["scalar"], "edge_ratios"),
                0.99,
                1.01,
            ),
            _control(loops, 1 + WRONG, "high"),
            _control(loops, 1 - WRONG, "low"),
        ),
        {
            "recursions": recursions,
            "loops": len(loops),
            "updates": sum(loop.updates * loop.distances.size for loop in loops),
            "band": loops[0].plan.band,
            "classified_rightly_inside_the_band": share_of(within).to_dict(),
        },
    )


def _wrong_outside(loops: Sequence[Quadratic], factor: float = 1.0) -> NDArray[np.bool_]:
    """Whether each recursion outside the band is misclassified."""
    return np.concatenate([loop.wrong(factor)[loop.outside] for loop in loops])


def _none_wrong(kind: str, loops: Sequence[Quadratic]) -> Finding:
    wrong = _wrong_outside(loops)
    share, band = share_of(wrong), f"{100 * loops[0].plan.band:g} %"
    return Finding(
        f"Every {kind} recursion whose gain is {band} or more below the threshold dies out, every "
        f"one {band} or more above it grows",
        f"{wrong.sum()} of {wrong.size} misclassified: {share.text('.2g', 100, ' %')}",
        "none",
        everywhere(~wrong),
        share.to_dict(),
    )


def _control(loops: Sequence[Quadratic], factor: float, word: str) -> Finding:
    wrong = _wrong_outside(loops, factor)
    share = share_of(wrong)
    return Finding(
        f"Control: thresholds {100 * WRONG:g} % too {word} misclassify",
        f"{share.text('.3g', 100, ' %')} misclassified",
        "at least 10 %, with the whole interval",
        mostly(wrong, 0.1),
        share.to_dict(),
    )


def figures(loops: Sequence[Quadratic]) -> dict[str, Figure]:
    """Draw the share that grows against the gain; measured against predicted growth rates."""
    from delaystability.plot.experiments.quadratic import decisions_figure, rates_figure

    return {"decisions": decisions_figure(loops, WRONG), "rates": rates_figure(loops)}


EXPERIMENT = Experiment(
    name="quadratic",
    question="Does a simulated quadratic die out below the predicted threshold, and grow above it?",
    title="Simulated quadratics die out below the threshold and grow above it",
    row=Quadratic,
    settings=settings,
    run=run,
    judge=judge,
    figures=figures,
    captions={
        "decisions": "Share of recursions that are classified wrongly, against their distance "
        "from the threshold. In the band nothing is claimed; the grey controls have wrong "
        "thresholds.",
        "rates": "Growth and decay, measured against predicted: marks on the line agree. On the "
        "right, how often their ratio has each value.",
    },
)
