"""Mini-batch noise at minima that fit every sample: the mean-square threshold under delay.

At such a minimum the gradient of every sample vanishes, so that mini-batches make the curvature
noisy and add no other noise: the model of the mean-square theory. Independent batches of B samples
have the curvature noise ``kappa(B)`` along the sharpest direction. Predicted:

    one direction      ``stability_threshold(..., curvature_noise=kappa)``
    all directions     `delaystability.mean_square_learning_rate`

Measured: the growth of the mean training loss (near the minimum a square of the displacement) over
populations of replicas that differ in the order of their data, see `resampling`. A mean square is
dominated by rare replicas that grow much; few replicas of a long run never see them. Hence each
population is resampled every few updates: replicas are copied in proportion to their loss and
rescaled, and the growth of the mean is the product of its growths between. The learning rate of a
population follows its growth until it has settled where there is none. That estimates the mean
square itself (C. Giardina, J. Kurchan, L. Peliti, Phys. Rev. Lett. 96, 120603 (2006),
doi:10.1103/PhysRevLett.96.120603).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from delaystability.numerics.statistics import Interval, median_of, share_of
from delaystability.questions.bounds import stability_threshold
from delaystability.questions.minibatches import mean_square_learning_rate
from delaystability.validation import rows
from delaystability.validation.curvature_noise import curvature_noise, sample_curvatures
from delaystability.validation.experiment import Experiment
from delaystability.validation.mean_square_runs import quiet_threshold, settled_thresholds
from delaystability.validation.perturbed_runs import trained_minimum
from delaystability.validation.rows import Array, planned, result, setting
from delaystability.validation.sample_jacobian import sample_jacobian
from delaystability.validation.verdict import Finding, Verdict, everywhere

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["BAND", "EXPERIMENT", "NoisyLoop", "Plan", "judge"]

BAND = 0.1
"""A threshold counts as predicted within this share."""

_COARSE = (0.04, 1.3)  # of the one-direction prediction: the first grid
_QUIET = 8  # without noise runs may be longer by this factor, and cost little
_BOTH = (("sgd", None), ("heavy-ball", 0.9))


@dataclass(frozen=True, kw_only=True)
class Plan(rows.Plan):
    """Which minima and loops, and the size of the populations.

    A run has ``updates`` updates, times 3/2 + 3 delay/8 or 1/(2 (1 - momentum)), if that is more,
    and without noise 8 times as many where it takes so many.
    """

    hidden: int = planned("of the network 64-hidden-10", quick=8, default=12)
    images: int = planned("of its data", quick=8, default=24)
    minima: int = planned("each from its own start and images", 1)
    rules: tuple[tuple[str, float | None], ...] = planned(
        "optimizer, and momentum or None", quick=_BOTH[:1], default=_BOTH
    )
    delays: tuple[int, ...] = planned("in updates", quick=(0, 1), default=(0, 1, 4))
    batches: tuple[int | None, ...] = planned(
        "samples in a mini-batch, drawn with replacement; None for all samples, without noise",
        quick=(1, 4, None),
        default=(1, 2, 4, 8, 16, None),
    )
    coarse: int = planned(
        "learning rates on the first grid, which finds about where growth sets in",
        quick=8,
        default=10,
    )
    replicas: int = planned("in a population", quick=32, default=96)
    repeats: int = planned(
        "populations whose learning rate settles; six or more give 95 % intervals", 6
    )
    updates: int = planned("of a run, see above", quick=100, default=200)


@dataclass(frozen=True, kw_only=True, eq=False)
class NoisyLoop(rows.Row):
    """One loop and batch at one minimum."""

    plan: Plan
    optimizer: str = setting("name in the catalogue")
    momentum: float | None = setting("the optimizer's momentum, null for SGD")
    delay: int = setting("in updates")
    batch: int | None = setting("samples in a mini-batch, drawn with replacement; null for all")
    minimum_seed: int = setting("of the start and the images of the minimum")
    seed: int = setting("of the order of the data")
    sharpness: float = result("S, the largest Hessian eigenvalue at the minimum")
    trace: float = result("the sum of all Hessian eigenvalues at the minimum")
    kappa: float = result(
        "variance of a mini-batch's curvature along the sharpest direction over its squared mean"
    )
    mean_threshold: float = result("a* without noise")
    one_direction: float = result(
        "predicted mean-square threshold of learning rate times S from kappa"
    )
    all_directions: float = result(
        "predicted mean-square threshold of learning rate times S from the second moments in all "
        "directions"
    )
    measured: Array = result(
        "learning rate times S where the growth of the mean square changes its sign, one for each "
        "repeat; null if it has not settled"
    )
    coarse_gains: Array = result("learning rate times S on the first grid")
    coarse_rates: Array = result("growth of the mean square there, in nats an update")
    gains: Array = result(
        "learning rate times S at which each repeat has settled; without noise, on the last grid"
    )
    rates: Array = result("growth of the mean square there, in nats an update")
    updates: int = result("length of the runs")

    @property
    def loop(self) -> str:
        """For example ``Heavy ball 0.9, delay 4``."""
        return f"{self.title}, delay {self.delay}"

    @property
    def interval(self) -> Interval:
        """The median over the repeats that found a threshold."""
        return median_of(self.measured)


def settings(plan: Plan) -> Iterator[list[dict[str, Any]]]:
    """Plan each minimum, loop and batch by itself, the longest delays first."""
    random = np.random.default_rng(plan.seed)
    seeds = random.integers(2**31, size=plan.minima)
    for delay in sorted(plan.delays, reverse=True):
        for start in seeds:
            for name, momentum in plan.rules:
                for batch in plan.batches:
                    yield [
                        {
                            "optimizer": name,
                            "momentum": momentum,
                            "delay": delay,
                            "batch": batch,
                            "minimum_seed": int(start),
                            "seed": int(random.integers(2**31)),
                        }
                    ]


def run(loops: Sequence[NoisyLoop]) -> list[dict[str, Any]]:
    """Predict and measure the mean-square threshold of a minimum, loop and batch."""
    return [_thresholds(loop) for loop in loops]


def _thresholds(loop: NoisyLoop) -> dict[str, Any]:
    plan, rule, delay, batch = loop.plan, loop.update_rule, loop.delay, loop.batch
    site = trained_minimum(
        plan.hidden, plan.images, loop.minimum_seed, plan.device, plan.dtype, plan.data
    )
    minimum, jacobian = site.minimum, sample_jacobian(site)
    mean = float(stability_threshold(rule, delay))
    kappa, every = 0.0, mean
    if batch is not None:
        samples = sample_curvatures(site.problem, minimum.parameters[None], minimum.direction[None])
        kappa = float(curvature_noise(samples, batch))
        every = minimum.sharpness * mean_square_learning_rate(
            jacobian, rule, delay, batch_size=batch, factored=True
        )
    one = float(stability_threshold(rule, delay, curvature_noise=kappa))

    longer = max(1.5 + 0.375 * delay, 0.5 / (1 - (loop.momentum or 0.0)))
    updates = round(plan.updates * longer) * (_QUIET if batch is None else 1)
    coarse = one * np.geomspace(*_COARSE, plan.coarse)
    if batch is None:
        found = quiet_threshold(site, rule, delay, coarse, updates)
    else:
        found = settled_thresholds(
            site, rule, delay, batch, coarse,
            repeats=plan.repeats, replicas=plan.replicas, updates=updates, seed=loop.seed,
        )  # fmt: skip
    return {
        "sharpness": minimum.sharpness,
        "trace": float((jacobian**2).sum() / len(jacobian)),
        "kappa": kappa,
        "mean_threshold": mean,
        "one_direction": one,
        "all_directions": every,
        "coarse_gains": coarse,
        **asdict(found),
        "updates": updates,
    }


def judge(loops: Sequence[NoisyLoop]) -> Verdict:
    """Second moments in all directions predict every threshold; one direction is too high."""
    found = in_order(loops)
    noisy = [loop for loop in found if loop.batch is not None]
    lines = [
        _all_directions(noisy),
        _full([loop for loop in found if loop.batch is None]),
        _one_direction(noisy),
    ]
    smallest = [loop for loop in noisy if loop.batch == noisy[0].batch]
    for name, attribute in (
        ("the threshold of the mean", "mean_threshold"),
        ("the model of one direction", "one_direction"),
    ):
        lines.append(_control(name, smallest, _ratios(smallest, attribute)))
    table = [
        {
            "loop": loop.loop,
            "batch": loop.batch,
            "kappa": loop.kappa,
            "mean_threshold": loop.mean_threshold,
            "one_direction": loop.one_direction,
            "all_directions": loop.all_directions,
            "measured": loop.interval.to_dict(),
        }
        for loop in found
    ]
    summary = {
        "trace_over_sharpness": float(np.median([loop.trace / loop.sharpness for loop in found])),
        "one_direction_within_band": _reach(noisy),
        "table": table,
    }
    return Verdict(tuple(lines), summary)


def in_order(loops: Sequence[NoisyLoop]) -> list[NoisyLoop]:
    """Sort loops: without momentum first, then by delay and batch, the full one last."""

    def place(loop: NoisyLoop) -> tuple[Any, ...]:
        batch = np.inf if loop.batch is None else loop.batch
        return loop.momentum is not None, loop.delay, batch

    return sorted(loops, key=place)


def _ratios(loops: Sequence[NoisyLoop], attribute: str) -> Array:
    """Measured over predicted threshold of each loop and batch."""
    return np.array([loop.interval.value / getattr(loop, attribute) for loop in loops])


def _all_directions(noisy: Sequence[NoisyLoop]) -> Finding:
    ratios = _ratios(noisy, "all_directions")
    near = np.abs(ratios - 1) <= BAND
    within, middle = share_of(near), median_of(ratios)
    missing = np.isnan([loop.measured for loop in noisy]).sum()
    farthest = int(np.nanargmax(np.abs(ratios - 1)))
    return Finding(
        "With mini-batches the mean square grows from the threshold on that second moments in all "
        "directions predict",
        f"within {100 * BAND:g} % in {within.text('.3g', 100, ' %')} of the cells; median of "
        f"measured / predicted {middle.text()}; farthest {ratios[farthest]:.3g} "
        f"({noisy[farthest].loop}, batch {noisy[farthest].batch}); {missing} repeats found none",
        f"the median over the repeats within {100 * BAND:g} % in every cell",
        everywhere(near),
        {"within": within.to_dict(), "ratio": middle.to_dict()},
    )


def _full(quiet: Sequence[NoisyLoop]) -> Finding:
    ratios = _ratios(quiet, "mean_threshold").tolist()
    worst = max(ratios, key=lambda ratio: abs(ratio - 1))
    return Finding(
        "Without noise the loss grows from the threshold of the mean on",
        f"measured / predicted farthest from 1: {worst:.4f}, of {len(ratios)} loops",
        "within 3 % for every loop",
        everywhere([abs(ratio - 1) <= 0.03 for ratio in ratios]),
        {"ratios": ratios},
    )


def _one_direction(noisy: Sequence[NoisyLoop]) -> Finding:
    """The scalar model leaves out noise into other directions: it can only be too high."""
    values = _ratios(noisy, "one_direction")
    reach = ", ".join(f"{title}: {text}" for title, text in _reach(noisy).items())
    close = share_of(np.abs(values - 1) <= BAND)
    ends = {
        f"{loop.loop}, batch {loop.batch}": loop.interval.high / loop.one_direction
        for loop in noisy
    }
    return Finding(
        "The model of one direction, with kappa along the sharpest one, gives an upper bound on "
        "the threshold: it leaves out the noise into the other directions",
        f"measured / predicted from {np.nanmin(values):.3g} to {np.nanmax(values):.3g}; within "
        f"{100 * BAND:g} % in {close.text('.3g', 100, ' %')} of the cells ({reach})",
        f"at most {1 + BAND:g} in every cell",
        everywhere(values <= 1 + BAND),
        {"within": close.to_dict(), "upper_ends": ends},
    )


def _control(name: str, smallest: Sequence[NoisyLoop], ratios: Array) -> Finding:
    # One number a loop: fewer than six have no 95 % interval.
    return Finding(
        f"Control: {name} does not explain mini-batches of {smallest[0].batch}",
        f"measured / predicted at most {max(ratios):.3g} in {len(ratios)} loops",
        f"below {1 - BAND:g} for every loop",
        everywhere(ratios < 1 - BAND),
        {"ratios": ratios.tolist()},
    )


def _reach(noisy: Sequence[NoisyLoop]) -> dict[str, str]:
    """From which batch on the model of one direction is within the band, by loop."""
    reach = {}
    for title, cells in rows.grouped(noisy, lambda loop: loop.loop).items():
        wrong = np.flatnonzero(~(np.abs(_ratios(cells, "one_direction") - 1) <= BAND))
        first = wrong[-1] + 1 if wrong.size else 0
        reach[title] = f"from batches of {cells[first].batch}" if first < len(cells) else "never"
    return reach


def figures(loops: Sequence[NoisyLoop]) -> dict[str, Figure]:
    """Thresholds against the size of mini-batches."""
    from delaystability.plot.experiments.noise import noise_figure

    return {"thresholds": noise_figure(in_order(loops))}


EXPERIMENT = Experiment(
    name="noise",
    question="By how much does the noise of mini-batches lower the largest stable learning rate?",
    title="Mini-batch noise lowers the threshold of the mean square as predicted",
    row=NoisyLoop,
    settings=settings,
    run=run,
    judge=judge,
    figures=figures,
    captions={
        "thresholds": "Thresholds against the samples in a mini-batch. Marks are measured; the "
        "solid line counts the noise in all directions, the dashed one in the sharpest alone.",
    },
    version=3,
    takes_data=True,
    double=True,
)
