"""How far a weight swings where an optimizer does not come to rest, and how it is known."""

from __future__ import annotations

from math import inf, pi, sqrt
from typing import Any

from delaystability.model.arguments import (
    finite,
    nonnegative,
    one_delay,
    positive,
    single,
)
from delaystability.model.delays import random_law
from delaystability.model.loop import Loop
from delaystability.model.mixed_read import MixedRead, mixed_read_of
from delaystability.model.optimizer import Optimizer
from delaystability.model.recognised import recognised
from delaystability.model.recognised_adaptive import AdaptiveSettings, adaptive_settings
from delaystability.model.sign_optimizers import SignOptimizer
from delaystability.numerics.moments.second_moment import stationary_variance
from delaystability.numerics.thresholds.sign_cycles import clipped_share
from delaystability.questions.adaptive_oscillation import adaptive_oscillation, threshold_and_angle
from delaystability.questions.oscillation_record import Oscillation, OscillationSetting
from delaystability.questions.sign_oscillation import sign_oscillation

__all__ = ["oscillation"]


def oscillation(
    lr: Any,
    optimizer: Any,
    delay: Any,
    *,
    curvature: Any = None,
    eps: Any = None,
    noise: Any = 0.0,
    weight_decay: Any = None,
    minimum: Any = 0.0,
    clip: Any = None,
) -> Oscillation:
    """Predict the oscillation in which a weight settles, in place of coming to rest.

    Adam and its kind tune their own preconditioner until the loop is at its threshold ``a*``. Along
    one direction the weight then swings with rms ``lr / a*``, whatever its curvature h:

    - to the next order in ``1 - beta2``, ``rms = (lr / a*) (1 + C (1 - beta2))``;
    - with eps, ``rms = lr / a* - eps / h``, or nothing where that is negative;
    - with gradient noise of standard deviation sigma, the gain a is below the threshold, where
      ``lr h / a = eps + sigma sqrt(1 + Phi(a))`` with ``Phi(a) = a^2`` `stationary_variance`, and
      ``rms = sigma sqrt(Phi(a)) / h``;
    - decay of weights, as in AdamW, moves the mean by ``-weight_decay minimum lr / a*``.

    SignSGD, Lion and Muon swing in triangles of N steps of lr down and N up, with
    ``rms^2 = lr^2 ((N^2 + 2)/12 + offset^2)``. Momentum and SGD oscillate beyond their threshold
    where gradients are clipped.

    Parameters
    ----------
    lr : number, positive
    optimizer : Adam, NAdam, RMSProp, SignSGD, Lion, Muon, Optimizer or torch.optim.Optimizer
        Of torch, also wrapped: Adam, AdamW, RAdam, NAdam, RMSprop, Muon and SGD. Muon's rms is that
        of a singular value.
    delay : int or MixedRead
        The same for all gradients: where delays vary, an oscillation is no cycle, and nothing is
        known of its size. SignSGD, Lion and Muon take no mixture.
    curvature : number, positive, optional
        Of the loss along the direction. For Adam's kind, eps, noise and the loss need it; for
        linear optimizers everything does.
    eps : number, at least 0, optional
        That of the torch optimizer, else 0.
    noise : number, at least 0
        Standard deviation of the gradient's noise, which is white.
    weight_decay : number, at least 0, optional
        As in AdamW; that of the torch optimizer, else 0.
    minimum : number
        The weight at the minimum of the loss, which the decay pulls towards 0.
    clip : number, positive, optional
        The norm at which gradients are clipped, for linear optimizers.

    Returns
    -------
    Oscillation
        With ``rms``, ``peak``, ``period``, ``offset``, ``loss``, ``gain``, ``status``, ``reason``.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what is described here, or it does nothing with this optimizer; if a
        linear optimizer is beyond its threshold without a clip, and so diverges.

    References
    ----------
    Theorems ``adaptive-cycle``, ``adaptive-next-order``, ``adam-two-cycle`` and ``sign-cycle``.
    Without delay: S. Bock, M. Weiss, Non-convergence and limit cycles in the Adam optimizer, 2022,
    arXiv:2210.02070; J. M. Cohen et al., Understanding optimization in deep learning with central
    flows, 2024, arXiv:2410.24206. Late relays: J. Sieber, Dynamics of delayed relay systems,
    Nonlinearity 19 (2006), 2489-2527.

    Examples
    --------
    >>> import delaystability as ds
    >>> found = ds.oscillation(0.001, ds.Adam(), 4)
    >>> round(found.rms, 6), round(found.period, 1), found.status
    (0.003773, 41.5, 'asymptotic')
    >>> ds.oscillation(0.001, ds.SignSGD(), 4).half_periods
    (9,)
    """
    rate = single("lr", positive("lr", lr))
    late = _late(delay)
    settings = adaptive_settings(optimizer)
    known = settings or AdaptiveSettings(optimizer)
    setting = OscillationSetting(
        rate,
        late,
        None if curvature is None else single("curvature", positive("curvature", curvature)),
        _given("eps", eps, known.epsilon if curvature is not None else 0.0),
        _given("noise", noise, 0.0),
        rate * _given("weight_decay", weight_decay, known.weight_decay),
        single("minimum", finite("minimum", minimum)),
    )
    largest = None if clip is None else single("clip", positive("clip", clip))
    surplus = {"eps": eps, "weight_decay": weight_decay, "minimum": minimum}
    if settings is None:
        _refuse(surplus, "be left out for a linear optimizer")
        return _linear(setting, _filter_of(optimizer), largest)
    title = settings.optimizer.title
    _refuse({"clip": clip}, f"be left out for {title}, whose steps do not grow with gradients")
    if isinstance(settings.optimizer, SignOptimizer):
        _refuse(surplus | {"noise": noise}, f"be left out for {title}")
        if mixed_read_of(late) is not None:
            raise TypeError(
                f"delay must be one integer for {title}, whose triangles no mixture was worked out "
                f"for; got {late!r}"
            )
        return sign_oscillation(setting, settings.optimizer)
    if curvature is None:
        _refuse({"eps": eps, "noise": noise}, "come with a curvature")
    return adaptive_oscillation(setting, settings.optimizer)


def _late(delay: Any) -> int | MixedRead:
    """The one delay, or a mixture of reads; what varies is refused."""
    law = random_law(delay)
    if law is None:
        return int(one_delay("delay", delay).minimum)
    mixture = mixed_read_of(law)
    if mixture is None:
        raise TypeError(
            "delay must be one integer, the same for all gradients, or a MixedRead: where delays "
            f"vary, an oscillation is no cycle, and its size is not known; got {delay!r}"
        )
    return mixture


def _given(argument: str, value: Any, otherwise: float) -> float:
    return otherwise if value is None else single(argument, nonnegative(argument, value))


def _refuse(arguments: dict[str, Any], rule: str) -> None:
    for argument, value in arguments.items():
        if value is not None and value != 0:
            raise ValueError(f"{argument} must {rule}; got {value!r}")


def _filter_of(optimizer: Any) -> Optimizer:
    known = recognised(optimizer)
    if known.adaptive or len(known.filters) != 1:
        raise TypeError(
            "optimizer must be one whose oscillation is known, with the same filter in all "
            f"parameter groups; got {known.title}"
        )
    return known.filters[0]


def _linear(setting: OscillationSetting, optimizer: Optimizer, clip: float | None) -> Oscillation:
    if setting.curvature is None:
        raise ValueError("curvature must be given for a linear optimizer; got None")
    threshold, angle = threshold_and_angle(Loop(optimizer, setting.delay))
    gain = setting.lr * setting.curvature
    said = f"{optimizer.title}, at the gain {gain:.6g} with the threshold {threshold:.6g}"
    if gain < threshold:
        rms = 0.0
        if setting.noise:
            variance = stationary_variance(optimizer, setting.delay, gain)
            rms = setting.lr * setting.noise * sqrt(variance)
        return Oscillation(
            rms,
            inf if rms else 0.0,
            inf,
            0.0,
            setting.loss(rms),
            gain,
            (),
            "exact" if clip is None or not rms else "approximate",
            f"{said}: {'gradient noise moves it' if rms else 'nothing oscillates'}.",
        )
    if clip is None:
        raise ValueError(
            f"clip must be given beyond the threshold {threshold:.6g}, where the run diverges "
            f"without; got None at the gain {gain:.6g}"
        )
    _refuse({"noise": setting.noise}, "be 0 beyond the threshold")
    if angle == pi:
        # Of a cycle of two updates, every value is clipped.
        rms = peak = setting.lr * clip / threshold / setting.seen_of_cycle(angle)
        plain = setting.delay == 0 and not optimizer.coefficients(0).feedback
        status = "approximate" if plain else "undecided"
        how = "it alternates by its clipped step" + ("" if plain else ", or in longer cycles")
    else:
        seen = setting.seen_of_cycle(angle)
        peak = clip / setting.curvature / seen / clipped_share(threshold / gain)
        rms, status = peak / sqrt(2), "approximate"
        how = "it oscillates as far as its first harmonic is at the threshold, within about a tenth"
    return Oscillation(
        rms,
        peak,
        2 * pi / angle,
        0.0,
        setting.loss(rms),
        threshold,
        (),
        status,
        f"{said}: clipped, {how}.",
    )
