"""Which learning rate to use when gradients arrive late, and why."""

from __future__ import annotations

from typing import Any

from delaystability.model.arguments import one_delay, positive, single
from delaystability.model.catalogue import SGD
from delaystability.model.delays import Delay
from delaystability.model.pipelines import PipelineSchedule
from delaystability.model.recognised import Recognised, adaptive_type, recognised
from delaystability.questions.learning_rate_rules import (
    ADAPTIVE_EXPONENT,
    RECOMMENDED,
    RULES,
    DelayedSetting,
)
from delaystability.questions.recommendation import Alternative, Recommendation, checked_goal

__all__ = ["recommend_learning_rate"]

Explained = tuple[str, tuple[Alternative, ...]]
"""A reason and the alternatives."""

_SILENT_RATIO = 0.35


def recommend_learning_rate(
    lr: Any, optimizer: Any, delay: Any, *, sharpness: Any = None, goal: str = "train"
) -> Recommendation:
    """Recommend a learning rate for late gradients, for a recipe that was tuned without delay.

    With the goal "train", a rate that lost little validation loss on networks, by rules that
    measure nothing. For SGD, with momentum or without, and every other linear filter it is ``lr``
    times ``0.35 a_eff(delay)``, never above ``lr``, where ``a_eff = a* B(1)/A(1)`` is the threshold
    for the effective rate: ``a*/(1 - momentum)`` for heavy ball. Where ``a_eff(0)`` is below that
    of SGD, 2, as for negative momentum, the factor is ``0.35 a_eff(delay) / (a_eff(0) / 2)``, which
    was not measured; below a mean delay of 1 the rate goes over into ``lr``. For Adam and its kind
    it is ``lr / (1 + delay)**0.8``, for Muon ``lr / sqrt(1 + delay)``. All are rules of thumb with
    measured losses, no theorems. Where a part of the run may be tried first, `probe_learning_rates`
    chooses better.

    With the goal "same-minima", the rate that keeps the accessible minima: the paper's rule
    ``lr a*(delay) / a*(0)``, a theorem, which assumes a run at its edge of stability. With a
    measured sharpness S the rate only has to fall to ``a*(delay) / S``, and never rises.

    Parameters
    ----------
    lr : number, positive
        Learning rate that was tuned without delay, raw as in ``torch.optim.SGD``.
    optimizer : Optimizer, Adam or torch.optim.Optimizer
        One of the catalogue or a `LinearOptimizer`; or that of the run, maybe wrapped: SGD, Adam,
        AdamW, NAdam, RAdam, Adamax, RMSprop, Adagrad, Adadelta, Adafactor, Muon or a
        `DelayedOptimizer`. Parameter groups that differ get one common factor, the smallest.
    delay : int or delay object
        A rule about a number takes the mean of a random delay. The threshold of a random delay is
        that of the mean square, and a `MeasuredDelay` is replayed in its order.
    sharpness : number, positive, optional
        Measured in the run without delay, for Adam and AdamW of the preconditioned Hessian, for
        example by a `StabilityMonitor`. With the goal "train" it changes the reason and the
        alternatives alone: on networks, useful rates were often above the edge at the sharpness
        measured before.
    goal : "train" or "same-minima"

    Returns
    -------
    Recommendation
        With ``learning_rate`` (also ``float(...)``), ``factor``, ``reason`` and ``alternatives``.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what is described here, no learning rate is stable at the delay, or
        the accessible minima are asked for with an optimizer that has no threshold.

    References
    ----------
    N. Giladi et al., At stability's edge, ICLR 2020, arXiv:1909.12340, for "same-minima".
    Theorem ``adjustment``.

    Examples
    --------
    >>> import delaystability as ds
    >>> round(float(ds.recommend_learning_rate(0.1, ds.HeavyBall(0.9), 8)), 6)
    0.00488
    >>> round(float(ds.recommend_learning_rate(0.003, ds.Adam(), 4)), 6)
    0.000828
    """
    rate = single("lr", positive("lr", lr))
    if isinstance(delay, PipelineSchedule):
        raise TypeError(
            f"delay must be that of one stage of the pipeline; got {delay!r}: ask for each of "
            "schedule.delays, or follow them with "
            "ds.DelayAwareLR(ds.delayed(optimizer, schedule), goal='train')"
        )
    late = one_delay("delay", delay)
    measured = None if sharpness is None else single("sharpness", positive("sharpness", sharpness))
    known = recognised(optimizer)
    if checked_goal(goal) == "same-minima":
        _refuse_adaptive(known)
    if known.adaptive:
        return _adaptive(rate, known, late, measured, RECOMMENDED[adaptive_type(optimizer)])
    settings = [DelayedSetting(rate, one, late, measured) for one in known.filters]
    if goal == "train":
        rule, explained = RECOMMENDED["linear"], _trained
    else:
        rule = "same-minima" if measured is None else "measured-minimum"
        explained = _same_minima
    # One factor for all parameter groups: that of the one that tolerates least.
    setting = min(settings, key=RULES[rule])
    reason, alternatives = explained(setting, settings, known)
    return _recommendation(setting, goal, rule, reason, alternatives)


def _least(rule: str, settings: list[DelayedSetting]) -> float:
    """The rate of a rule for parameter groups that get one common factor."""
    return min(RULES[rule](setting) for setting in settings)


def _refuse_adaptive(known: Recognised) -> None:
    if known.adaptive:
        raise ValueError(
            f"goal must be 'train' for {known.title}; got 'same-minima': its preconditioner tunes "
            "itself, so that no fixed set of minima is accessible. With a preconditioner that is "
            "frozen, give the filter that is left, for example ds.EMAMomentum(0.9), and the "
            "sharpness of the preconditioned Hessian"
        )


def _trained(
    setting: DelayedSetting, settings: list[DelayedSetting], known: Recognised
) -> Explained:
    rate = RULES[RECOMMENDED["linear"]](setting)
    before, after = setting.undelayed_effective_threshold, setting.effective_threshold
    reason = f"{known.title}: gradients are late by {_shown(setting.delay)}"
    if rate == setting.learning_rate:
        reason += ", too little for the rate to fall."
    else:
        reason += (
            f", and the threshold of the effective rate times sharpness goes from {before:.4g} to "
            f"{after:.4g}. The rate is multiplied by {rate / setting.learning_rate:.4g}, by a rule "
            "that measures nothing: of 19 networks that were trained with it one diverged, and in "
            "short runs with long delays it was too small. It does not keep the set of accessible "
            "minima."
        )
    if setting.sharpness is not None:
        reason += " " + _at_sharpness(settings, rate)
    return reason, _alternatives_of_linear(settings)


def _at_sharpness(settings: list[DelayedSetting], rate: float) -> str:
    """Where the rate is at the measured sharpness, which does not change it."""
    gain = float(settings[0].sharpness or 0)
    before = max(one.learning_rate * gain / one.undelayed_threshold for one in settings)
    after = max(rate * gain / one.threshold for one in settings)
    said = (
        f"At the measured sharpness {gain:.4g} the run without delay was at {before:.3g} of its "
        f"edge of stability, and the recommended rate is at {after:.3g} of the new one"
    )
    if after > 1:
        said += (
            ": it starts beyond the edge, where runs either flatten, which did no harm on "
            "networks, or diverge; watch the first updates"
        )
    return said + "."


def _alternatives_of_linear(settings: list[DelayedSetting]) -> tuple[Alternative, ...]:
    entries = []
    inverse = _least("inverse-delay", settings)
    if inverse > _least(RECOMMENDED["linear"], settings):
        slow = "the loss falls smoothly but too slowly, as in short runs"
        entries.append(Alternative("inverse-delay", inverse, slow))
    entries += [
        Alternative(
            "same-minima",
            _least("same-minima", settings),
            "the run without delay was at its edge of stability, as plain SGD often is, and should "
            "find the same minima (goal='same-minima')",
        )
    ]
    if settings[0].sharpness is not None:
        entries.append(
            Alternative(
                "measured-edge",
                _least("measured-edge", settings),
                "the run with late gradients stays as sharp as measured: its edge there, with a "
                "fifth in reserve",
            )
        )
    return tuple(entries)


def _same_minima(
    setting: DelayedSetting, settings: list[DelayedSetting], known: Recognised
) -> Explained:
    before, after = setting.undelayed_threshold, setting.threshold
    start = (
        f"{known.title}: gradients are late by {_shown(setting.delay)}, and the threshold of "
        f"lr * sharpness goes from {before:.4g} to {after:.4g}. "
    )
    if setting.sharpness is None:
        reason = start + (
            "The rate follows it, so that the same minima stay accessible. That assumes that the "
            "run without delay was at its edge of stability; if it was far below, as most with "
            "momentum are, this rate is too small to train well: give the measured sharpness, or "
            "ask with goal='train'."
        )
    else:
        reason = start + _with_measured_ratio(setting)
    rule, entries = RECOMMENDED["linear"], []
    if not any(one.integrates for one in settings):
        counts = "the loss is what counts (goal='train')"
        entries.append(Alternative(rule, _least(rule, settings), counts))
    if setting.sharpness is not None:
        entries.append(
            Alternative(
                "same-minima",
                _least("same-minima", settings),
                "minima sharper than the measured one must stay accessible too",
            )
        )
    return reason, tuple(entries)


def _with_measured_ratio(setting: DelayedSetting) -> str:
    gain = float(setting.sharpness or 0)
    ratio = setting.learning_rate * gain / setting.undelayed_threshold
    needed = setting.threshold / gain
    said = f"At the measured sharpness {gain:.4g} the run was at {ratio:.3g} of its edge"
    if needed >= setting.learning_rate:
        return said + ", and its rate is stable there under the delay too: it stays."
    if ratio < 1:
        return said + f": the rate only has to fall to {needed:.4g}, where that minimum is stable."
    return said + (
        f", so at or beyond it: the rate has to fall to {needed:.4g} to be stable there. A peak "
        "of the sharpness is no minimum; a high percentile after the start is the better measure."
    )


def _adaptive(
    rate: float, known: Recognised, delay: Delay, sharpness: float | None, name: str
) -> Recommendation:
    # The rules for adaptive optimizers look at the delay alone.
    setting = DelayedSetting(rate, SGD(), delay, sharpness)
    exponent, network = (ADAPTIVE_EXPONENT, "AdamW") if name == "inverse-power" else (0.5, "Muon")
    divisor = (1 + setting.mean_delay) ** exponent
    reason = (
        f"{known.title} tunes its own preconditioner, so no threshold decides. Gradients are late "
        f"by {_shown(delay)}; the rate is divided by (1 + "
        f"{setting.mean_delay:.4g})**{exponent:g} = {divisor:.4g}: of the rules that "
        f"measure nothing, this one lost least on networks with {network}."
    )
    slower = "inverse-square-root" if name == "inverse-power" else "keep"
    entries = [
        Alternative(slower, RULES[slower](setting), "the loss falls smoothly but too slowly"),
        Alternative(
            "inverse-delay", RULES["inverse-delay"](setting), "the loss spikes or stays noisy"
        ),
    ]
    if sharpness is not None:
        ratio = _ratio(rate, known, delay, sharpness)
        reason += " " + _said_of_ratio(known, ratio)
        if ratio is not None and ratio <= _SILENT_RATIO:
            entries.insert(0, Alternative("keep", rate, "the ratio stays that small"))
    return _recommendation(setting, "train", name, reason, tuple(entries))


def _ratio(rate: float, known: Recognised, delay: Delay, sharpness: float) -> float | None:
    """The gain at the old rate over the threshold with a frozen preconditioner, at the worst."""
    settings = [DelayedSetting(rate, one, delay) for one in known.filters]
    return max((rate * sharpness / setting.threshold for setting in settings), default=None)


def _said_of_ratio(known: Recognised, ratio: float | None) -> str:
    if ratio is None:
        return (
            "The measured sharpness is left out, as it is not known which linear filter "
            f"{known.title} is while its preconditioner is frozen."
        )
    said = (
        "At the measured sharpness of the preconditioned Hessian, lr times it would be "
        f"{ratio:.3g} of the threshold with a frozen preconditioner"
    )
    if ratio <= _SILENT_RATIO:
        return said + f": up to {_SILENT_RATIO}, at the old rate, most delayed runs lost under 5 %."
    return said + ": the delay costs loss at the old rate, more with this ratio."


def _recommendation(
    setting: DelayedSetting,
    goal: str,
    rule: str,
    reason: str,
    alternatives: tuple[Alternative, ...],
) -> Recommendation:
    rate = RULES[rule](setting)
    return Recommendation(rate, rate / setting.learning_rate, goal, rule, reason, alternatives)


def _shown(delay: Delay) -> str:
    if delay.is_fixed:
        return f"{delay.minimum} update{'' if delay.minimum == 1 else 's'}"
    kind = "in the mean of the log" if delay.sequence is not None else "in the mean"
    return f"{float(delay.mean):.4g} updates {kind}"
