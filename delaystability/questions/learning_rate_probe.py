"""Which learning rate to use when gradients arrive late, from a short run at each of three."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, inf, isfinite, pi
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from delaystability.model.arguments import checked_count, one_delay, positive, single
from delaystability.model.optimizer import Optimizer
from delaystability.model.recognised import recognised
from delaystability.questions.dynamics import crossings
from delaystability.questions.learning_rate_advice import recommend_learning_rate
from delaystability.questions.recommendation import Alternative, Recommendation

__all__ = [
    "PROBED_MULTIPLES",
    "PROBE_SHARE",
    "Probe",
    "ProbedRecommendation",
    "probe_learning_rates",
    "probe_updates",
    "probed_rates",
]

PROBED_MULTIPLES = (1.0, 3.0)
"""Of ``lr / (1 + delay)``: tried beside the recommended rate, none above ``lr``."""
PROBE_SHARE = 0.25
"""Of the updates of the run: the length of a probe."""
_JUDGED_SHARE = 0.25
_SAME = 1.1
_LONGEST = 4096  # delay, in updates: crossings of longer ones take a while


@dataclass(frozen=True)
class Probe:
    """Hold what a short run at a learning rate came to.

    Attributes
    ----------
    learning_rate : float
    loss : float
        Mean over the last quarter of the probe; infinite if one of these losses is no number.
    """

    learning_rate: float
    loss: float


@dataclass(frozen=True)
class ProbedRecommendation(Recommendation):
    """Hold the learning rate whose probe had the least loss, and the other probes.

    Attributes
    ----------
    learning_rate, factor, goal, rule, reason, alternatives
        As of a `Recommendation`; the rule is ``probe``.
    probes : tuple of Probe
        From the smallest rate to the largest; empty if there was one rate alone.
    updates : int
        Of all probes together: what they cost.

    References
    ----------
    K. Jamieson, A. Talwalkar, Non-stochastic best arm identification and hyperparameter
    optimization, AISTATS 2016, arXiv:1502.07943.
    """

    probes: tuple[Probe, ...]
    updates: int

    def to_dict(self) -> dict[str, Any]:
        """Write the record as plain data.

        Returns
        -------
        dict
        """
        entries = [{"learning_rate": one.learning_rate, "loss": one.loss} for one in self.probes]
        return super().to_dict() | {"probes": entries}


def probe_updates(updates: int) -> int:
    """The length of a probe for a run of so many updates: a quarter, rounded up."""
    return ceil(PROBE_SHARE * updates)


def probed_rates(lr: Any, optimizer: Any, delay: Any) -> tuple[float, ...]:
    """The learning rates that are worth a probe, from the smallest to the largest.

    The recommended one, ``lr / (1 + delay)`` and ``3 lr / (1 + delay)``, none above ``lr``; of two
    that are within a tenth of each other, the smaller one.

    Parameters
    ----------
    lr, optimizer, delay
        As for `recommend_learning_rate`.
    """
    recommended = float(recommend_learning_rate(lr, optimizer, delay))
    rate, mean = float(lr), float(one_delay("delay", delay).mean)
    found: list[float] = []
    for one in sorted({recommended, *(min(rate, k * rate / (1 + mean)) for k in PROBED_MULTIPLES)}):
        if not found or one > _SAME * found[-1]:
            found.append(one)
    return tuple(found)


def probe_learning_rates(
    train: Callable[[float, int], ArrayLike],
    lr: Any,
    optimizer: Any,
    delay: Any,
    updates: int,
    *,
    rates: Sequence[Any] | None = None,
) -> ProbedRecommendation:
    """Choose a learning rate for late gradients by a quarter of the run at each of three.

    No rule of rate, optimizer and delay alone serves every network: how far below its edge of
    stability the run without delay was decides, and nothing says so but a run with late gradients.
    So each of `probed_rates` is tried, and the one with the least mean training loss over the last
    quarter of its probe is chosen. It is a measured rule of thumb, no theorem: the experiment
    ``probe`` says what it costs and how much it gains. The probes cost ``len(rates)`` quarters of a
    run, one less if the best one is continued. A probe that is shorter than one period of the
    oscillation at the edge of stability cannot see it, and the reason says so.

    Parameters
    ----------
    train : function (learning rate, updates) -> array (updates,)
        Trains for so many updates with the late gradients and the schedule of the whole run, from
        the same start with the same mini-batches in each call. Returns the loss at each update,
        numbers that are not finite if it diverged.
    lr : number, positive
        Learning rate that was tuned without delay.
    optimizer : Optimizer, Adam or torch.optim.Optimizer
        As for `recommend_learning_rate`; measured for SGD with momentum and without.
    delay : int or delay object
    updates : int, at least 4
        Of the whole run.
    rates : sequence of numbers, positive, optional
        To be tried in the place of `probed_rates`.

    Returns
    -------
    ProbedRecommendation
        ``float(...)`` is the learning rate.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what is described here, ``train`` does not return one loss for each
        update, or no probe ends with finite losses.

    References
    ----------
    One step of successive halving: K. Jamieson, A. Talwalkar, Non-stochastic best arm
    identification and hyperparameter optimization, AISTATS 2016, arXiv:1502.07943.

    Examples
    --------
    A quadratic of curvature 1, whose edge with delay 4 is at 0.347; without delay it was tuned to
    converge in one step.

    >>> import delaystability as ds
    >>> def train(lr, updates):
    ...     w = [1.0] * 5
    ...     for _ in range(updates):
    ...         w.append(w[-1] - lr * w[-5])
    ...     return [x * x / 2 for x in w[4:-1]]
    >>> chosen = ds.probe_learning_rates(train, 1.0, ds.SGD(), delay=4, updates=200)
    >>> [round(probe.learning_rate, 3) for probe in chosen.probes]
    [0.122, 0.2, 0.6]
    >>> round(float(chosen), 3)
    0.122
    """
    if not callable(train):
        raise TypeError(f"train must be a function (learning rate, updates); got {train!r}")
    rate = single("lr", positive("lr", lr))
    length = probe_updates(checked_count("updates", updates, 4))
    tried = probed_rates(rate, optimizer, delay)
    if rates is not None:
        tried = _checked_rates(rates)
    if len(tried) == 1:
        only = "There is one rate to try, so nothing was probed."
        return _recommendation(rate, tried[0], only, (), 0)
    probes = tuple(Probe(one, _judged(train(one, length), length)) for one in tried)
    best = min(probes, key=lambda probe: probe.loss)
    if not isfinite(best.loss):
        raise ValueError(
            f"train must return finite losses for one of the rates {_shown(tried)} at least; got "
            f"none in the last quarter of {length} updates"
        )
    told = ", ".join(f"{probe.learning_rate:.4g}: {probe.loss:.4g}" for probe in probes)
    reason = (
        f"Of {len(probes)} rates, each tried for {length} updates with late gradients, this one "
        f"had the least mean loss over the last quarter ({told}). It is measured, no proof: what "
        "is best at the start need not be at the end."
    )
    if best is probes[0]:
        reason += " It is the smallest of them: one below may be better still (``rates=``)."
    elif best is probes[-1] and best.learning_rate < rate:
        reason += " It is the largest of them: one above may be better still (``rates=``)."
    period = _period(optimizer, delay)
    if period > length:
        reason += (
            f" At the edge of stability a run oscillates with a period of {period:.0f} updates: "
            "these probes were too short to see it, so that a rate may fail that looked good."
        )
    return _recommendation(rate, best.learning_rate, reason, probes, len(probes) * length)


def _recommendation(
    rate: float, chosen: float, reason: str, probes: tuple[Probe, ...], updates: int
) -> ProbedRecommendation:
    others = tuple(
        Alternative("probe", one.learning_rate, _better_when(one, chosen))
        for one in probes
        if one.learning_rate != chosen and isfinite(one.loss)
    )
    return ProbedRecommendation(
        chosen, chosen / rate, "train", "probe", reason, others, probes, updates
    )


def _better_when(probe: Probe, chosen: float) -> str:
    if probe.learning_rate < chosen:
        return f"the run becomes unstable later (its probe had the loss {probe.loss:.4g})"
    return f"the run recovers from its start (its probe had the loss {probe.loss:.4g})"


def _period(optimizer: Any, delay: Any) -> float:
    """Updates in a period of the oscillation that sets in at the edge; 0 where it is not known."""
    late, known = one_delay("delay", delay), recognised(optimizer)
    if known.adaptive or not late.is_fixed or late.minimum > _LONGEST:
        return 0.0
    return max(_slowest(one, late.minimum) for one in known.filters)


def _slowest(optimizer: Optimizer, delay: int) -> float:
    found = crossings(optimizer, delay)
    angles = found.angles[found.leaving > 0]
    return 2 * pi / float(angles[0]) if len(angles) else 0.0


def _judged(losses: ArrayLike, length: int) -> float:
    try:
        found = np.asarray(losses, dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError(
            f"train must return an array of {length} losses; got {type(losses).__name__}"
        ) from None
    if found.shape != (length,):
        raise ValueError(
            f"train must return one loss for each of {length} updates; got an array of shape "
            f"{found.shape}"
        )
    last = found[length - ceil(_JUDGED_SHARE * length) :]
    return float(last.mean()) if np.isfinite(last).all() else inf


def _checked_rates(rates: Sequence[Any]) -> tuple[float, ...]:
    if not np.iterable(rates):
        raise TypeError(f"rates must be a sequence of learning rates; got {rates!r}")
    found = sorted({single("rates", positive("rates", one)) for one in rates})
    if not found:
        raise ValueError("rates must hold at least one learning rate; got none")
    return tuple(found)


def _shown(rates: Sequence[float]) -> str:
    return ", ".join(f"{rate:.4g}" for rate in rates)
