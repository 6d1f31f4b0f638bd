"""Which learning rate to use when gradients arrive late, from short runs at a few of them."""

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
from delaystability.questions.learning_rate_search import Measured, search_rates
from delaystability.questions.recommendation import Alternative, Recommendation

__all__ = ["Probe", "ProbedRecommendation", "probe_learning_rates", "probe_updates"]

_SHARE, _PERIODS = 0.25, 5
"""The length of a probe: of the updates of the run, and of its slowest oscillation at the edge."""
_JUDGED, _JUDGED_OF_WHOLE = 0.25, 1 / 16
"""The last part of a probe, which is judged, and that of a whole run, whose end is what counts."""
_LONGEST = 4096  # delay, in updates: crossings of longer ones take a while


@dataclass(frozen=True)
class Probe:
    """Hold what a short run at a learning rate came to.

    Attributes
    ----------
    learning_rate : float
    loss : float
        Mean over the last quarter of the probe, or the last sixteenth if it is the whole run;
        infinite if one of these losses is no number.
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


def probe_updates(updates: int, optimizer: Any, delay: Any) -> int:
    """The length of a probe: a quarter of the run, or five oscillations at the edge of stability.

    The longer of both, but no more than the run. A rate that is too large shows itself only after
    some periods of the oscillation, which long delays make long.

    Parameters
    ----------
    updates : int
        Of the whole run.
    optimizer, delay
        As for `probe_learning_rates`.
    """
    # The period comes from a root, so that a whole number may be just above itself.
    oscillations = ceil(_PERIODS * _period(optimizer, delay) - 1e-6)
    return min(updates, max(ceil(_SHARE * updates), oscillations))


def probe_learning_rates(
    train: Callable[[float, int], ArrayLike],
    lr: Any,
    optimizer: Any,
    delay: Any,
    updates: int,
    *,
    rates: Sequence[Any] | None = None,
) -> ProbedRecommendation:
    """Choose a learning rate for late gradients by short runs at a few of them.

    No rule of rate, optimizer and delay alone serves every network: how far below its edge of
    stability the run without delay was decides, and nothing says so but a run with late gradients.
    So ``lr / (1 + delay)`` is tried, with a third of it and three times it; while the best is the
    smallest or the largest of them, the next one on its side; then those between the best and its
    neighbours, once or twice. None is above ``lr``, and there are nine at most. The
    one with the least training loss at the end of its probe is chosen. It is a measured rule of
    thumb, no theorem: the experiment ``probe`` says what it costs and how much it gains.

    A probe is a quarter of the run, but at least five periods of the oscillation at the edge of
    stability: shorter ones choose rates that fail later. Where that is the whole run, the run at
    the chosen rate is among the probes.

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
        To be tried instead, all of them.

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
    That short runs tell rates apart: K. Jamieson, A. Talwalkar, Non-stochastic best arm
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
    [0.022, 0.038, 0.067, 0.115, 0.2, 0.6]
    >>> round(float(chosen), 3)
    0.115
    """
    if not callable(train):
        raise TypeError(f"train must be a function (learning rate, updates); got {train!r}")
    rate = single("lr", positive("lr", lr))
    whole, late = checked_count("updates", updates, 4), one_delay("delay", delay)
    length = probe_updates(whole, optimizer, late)

    def probe(one: float) -> Measured:
        return _measured(train(one, length), length, whole)

    if rates is not None:
        found = {one: probe(one) for one in _checked_rates(rates)}
    elif not late.mean:
        return _recommendation(rate, rate, "Nothing is late, so nothing was probed.", (), 0)
    else:
        found = search_rates(probe, rate / (1 + float(late.mean)), rate)
    probes = tuple(Probe(one, measured.after) for one, measured in found.items())
    best = min(probes, key=lambda one: one.loss)
    if not isfinite(best.loss):
        raise ValueError(
            f"train must return finite losses for one of the rates {_shown(list(found))} at least; "
            f"got none at the end of {length} updates"
        )
    reason = _reason(probes, best, length, whole)
    if best is probes[0] and len(probes) > 1:
        reason += " It is the smallest of them: one below may be better still (``rates=``)."
    elif best is probes[-1] and best.learning_rate < rate:
        reason += " It is the largest of them: one above may be better still (``rates=``)."
    if (period := _period(optimizer, late)) > length:
        reason += (
            f" At the edge of stability a run oscillates with a period of {period:.0f} updates, "
            "which is longer than the run: a longer one may fail at a rate that looked good."
        )
    return _recommendation(rate, best.learning_rate, reason, probes, len(probes) * length)


def _reason(probes: Sequence[Probe], best: Probe, length: int, whole: int) -> str:
    told = ", ".join(f"{one.learning_rate:.4g}: {one.loss:.4g}" for one in probes)
    tried = f"tried for {length} updates with late gradients"
    if length == whole:
        tried = f"tried for the whole run of {length} updates"
    end = "what is best at the start need not be at the end"
    if length == whole:
        end = "other mini-batches may want another rate"
    return (
        f"Of {len(probes)} rates, each {tried}, {best.learning_rate:.4g} had the least mean loss "
        f"at its end ({told}). It is measured, no proof: {end}."
    )


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
    """Updates in a period of the oscillation that sets in at the edge; 0 where it is not known.

    Of a random delay it is that of its mean, rounded.
    """
    late, known = one_delay("delay", delay), recognised(optimizer)
    if known.adaptive:
        return 0.0
    steps = round(float(late.mean))
    if steps > _LONGEST:
        return 4.0 * steps + 2  # that of SGD, which momentum hardly changes there
    return max(_slowest(one, steps) for one in known.filters)


def _slowest(optimizer: Optimizer, delay: int) -> float:
    found = crossings(optimizer, delay)
    angles = found.angles[found.leaving > 0]
    return 2 * pi / float(angles[0]) if len(angles) else 0.0


def _measured(losses: ArrayLike, length: int, whole: int) -> Measured:
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
    judged = _JUDGED if length < whole else _JUDGED_OF_WHOLE
    last = found[length - ceil(judged * length) :]
    return Measured(float(found[0]), float(last.mean()) if np.isfinite(last).all() else inf)


def _checked_rates(rates: Sequence[Any]) -> tuple[float, ...]:
    if not np.iterable(rates):
        raise TypeError(f"rates must be a sequence of learning rates; got {rates!r}")
    found = sorted({single("rates", positive("rates", one)) for one in rates})
    if not found:
        raise ValueError("rates must hold at least one learning rate; got none")
    return tuple(found)


def _shown(rates: Sequence[float]) -> str:
    return ", ".join(f"{rate:.4g}" for rate in rates)
