"""What a stability monitor read at one update, and the verdict in plain words."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from delaystability.model.displayed import Displayed
from delaystability.training.hum import Hum

__all__ = ["Reading", "Status", "judge"]

_FREE = 0.35  # ratios of Adam below which most delayed runs were seen to lose less than 5 %
_FELT = 0.01  # of the threshold: what a change of the decay may come to before it is said
_MODEL = "along the sharpest direction (quadratic model)"


class Status(StrEnum):
    """Name the verdict; its text begins the message."""

    FAR = "far from the edge"
    LIMITED = "limited by stability"
    BEYOND = "beyond the edge"
    TUNING = "held by its preconditioner"
    UNDECIDED = "undecided"
    DIVERGED = "diverged"


_NAMES_A_RATE = (Status.FAR, Status.BEYOND)


@dataclass(frozen=True)
class Reading(Displayed):
    """Compare a run with its stability threshold at one update.

    Attributes
    ----------
    step : int
        The update that it was made after.
    loss : float
    sharpness, error : float
        The largest eigenvalue of the loss's Hessian, and the residual norm that bounds its error
        (an eigenvalue lies within it), but for the rounding of products in half precision or under
        autocast, which was up to 0.6 % on twenty small networks. Where groups differ in their
        learning rates, of the Hessian scaled by ``sqrt(lr / learning_rate)`` on both sides; with a
        preconditioner, by its
        ``-1/2``-th power too.
    learning_rate : float
        The largest of the groups.
    threshold : float
        The largest stable ``learning_rate * sharpness`` with the run's optimizer, delay and weight
        decay; the smallest of the groups'.
    ratio : float
        ``learning_rate * sharpness / threshold``: 1 is the edge. With a preconditioner that moves
        it is the test whether the delay costs anything: of 131 runs below 0.35, 124 had a loss
        within 5 % of that without delay, and those near 1 were seen to hum.
    interval : (float, float)
        The ratio at ``sharpness - error`` and at ``sharpness + error``.
    status : Status
        With a preconditioner that moves, TUNING instead of LIMITED and BEYOND: Adam was seen to
        settle where the ratio is near 1, and to train well there.
    message : str
        The verdict in one line.
    doubling_steps : float or None
        Beyond the edge: updates until oscillation along the sharpest direction has doubled the
        loss, ``log(1 + 2 loss sharpness / slope^2) / (2 rate)``, with ``slope`` the gradient's
        component along it (so that ``|slope| / sharpness`` is the present amplitude) and ``rate``
        the escape rate. In the quadratic model, for its envelope; None where it says nothing.
    tenfold_steps : float or None
        Beyond the edge: updates in which a perturbation along the sharpest direction grows
        tenfold, ``log(10) / rate``: a property of the loop alone.
    smallest, smallest_error : float or None
        The smallest eigenvalue, where it was asked for.
    products : int
        Hessian products spent; each costs about two gradients.
    hum : float or None
        With a preconditioner that moves: the root mean square, in each coordinate, of the
        oscillation that it sustains once the ratio is near 1, ``learning_rate / threshold``. None
        for linear optimizers, and where the preconditioner never shrinks.
    loss_floor : float or None
        What the hum adds to the loss, at most, in the quadratic model (with gradient noise, if the
        threshold is at most 2):
        ``learning_rate / (2 threshold) sum_i sqrt(v_i)``, with the second moments ``v`` that the
        optimizer keeps. None where it keeps none for each coordinate.
    """

    step: int
    loss: float
    sharpness: float
    error: float
    learning_rate: float
    threshold: float
    ratio: float
    interval: tuple[float, float]
    status: Status
    message: str
    doubling_steps: float | None = None
    tenfold_steps: float | None = None
    smallest: float | None = None
    smallest_error: float | None = None
    products: int = 0
    hum: float | None = None
    loss_floor: float | None = None

    def _rows(self) -> list[dict[str, Any]]:
        return [self.as_dict()]

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers and strings by name; the interval as ``ratio_low`` and ``ratio_high``."""
        values = asdict(self)
        low, high = values.pop("interval")
        values["status"] = self.status.value
        return {**values, "ratio_low": low, "ratio_high": high}

    def metrics(self, prefix: str = "stability/") -> dict[str, float]:
        """Numbers for an experiment logger, such as ``stability/ratio``."""
        names = ("ratio", "sharpness", "error", "threshold", "smallest", "hum", "loss_floor")
        values = {name: getattr(self, name) for name in names}
        return {f"{prefix}{name}": value for name, value in values.items() if value is not None}


def judge(
    *,
    step: int,
    loss: float,
    sharpness: float,
    error: float,
    slope: float,
    learning_rate: float,
    threshold: float,
    growth: Callable[[float], float | None],
    bands: tuple[float, float],
    decay: float = 0.0,
    remark: str = "",
    moving: bool = False,
    hum: Hum | None = None,
    smallest: float | None = None,
    smallest_error: float | None = None,
    products: int = 0,
) -> Reading:
    """Make the reading of these measurements.

    Parameters
    ----------
    step, loss, sharpness, error, learning_rate, threshold, smallest, smallest_error, products
        See `Reading`.
    slope : float
        The gradient's component along the sharpest direction.
    growth : map from a gain to the growth rate in nats an update, or None
        Asked beyond the edge only.
    bands : (float, float)
        Ratios below the first are far from the edge, above the second beyond it.
    decay : float
        The largest ``lr * weight_decay`` of the loops, which the threshold depends on.
    remark : str
        Added to the message.
    moving : bool
        Whether a preconditioner moves along: then no ratio is an alarm.
    hum : Hum, optional
        The oscillation that it sustains.
    """

    def ratio_at(curvature: float) -> float:
        gain = learning_rate * curvature
        if threshold > 0:
            return gain / threshold
        return math.copysign(math.inf, gain) if gain else 0.0

    ratio = ratio_at(sharpness)
    interval = (ratio_at(sharpness - error), ratio_at(sharpness + error))
    finite = all(math.isfinite(value) for value in (loss, sharpness, error))
    ends = {_status(end, bands, moving) for end in interval}
    status = Status.DIVERGED if not finite else ends.pop() if len(ends) == 1 else Status.UNDECIDED
    doubling = tenfold = None
    if status is Status.BEYOND:
        rate = growth(learning_rate * sharpness)
        if rate is not None and rate > 0:
            tenfold = math.log(10) / rate
            if loss > 0 and slope != 0:
                # Not log1p(x / slope^2): the square of a small slope underflows.
                doubling = _half_log(math.sqrt(2 * loss * sharpness) / abs(slope)) / rate
    if moving and status in (Status.FAR, Status.TUNING):
        message = _moving_message(status, ratio, loss, hum)
    else:
        message = _message(status, ratio, interval, learning_rate, doubling, tenfold, bands)
        # At the learning rate that the message names the decay is another one, and the threshold.
        if status in _NAMES_A_RATE and ratio > 0 and decay * abs(1 / ratio - 1) > _FELT * threshold:
            message += ", if lr * weight_decay stays as it is"
    return Reading(
        step,
        loss,
        sharpness,
        error,
        learning_rate,
        threshold,
        ratio,
        interval,
        status,
        f"{message} ({remark})" if remark else message,
        doubling,
        tenfold,
        smallest,
        smallest_error,
        products,
        None if hum is None else hum.amplitude,
        None if hum is None else hum.loss_floor,
    )


def _half_log(quotient: float) -> float:
    """``log(1 + quotient^2) / 2``."""
    return math.log(math.hypot(1.0, quotient))


def _status(ratio: float, bands: tuple[float, float], moving: bool) -> Status:
    if ratio < bands[0]:
        return Status.FAR
    if moving:
        return Status.TUNING
    return Status.BEYOND if ratio > bands[1] else Status.LIMITED


def _message(
    status: Status,
    ratio: float,
    interval: tuple[float, float],
    learning_rate: float,
    doubling: float | None,
    tenfold: float | None,
    bands: tuple[float, float],
) -> str:
    share = f"lr * sharpness is {ratio:.3g} of its threshold"
    if status is Status.DIVERGED:
        return f"{status}: the loss or its curvature is not a finite number"
    if status is Status.UNDECIDED:
        low, high = interval
        limit = bands[0] if low < bands[0] <= high else bands[1]
        return (
            f"{status}: lr * sharpness is between {low:.4g} and {high:.4g} of its threshold, on "
            f"both sides of {limit:g}; a smaller tolerance or more products would tell"
        )
    if status is Status.FAR:
        room = f", stable up to {1 / ratio:.3g} times this learning rate" if ratio > 0 else ""
        return f"{status}: {share}{room}"
    if status is Status.LIMITED:
        return f"{status}: {share}; a smaller learning rate can reach sharper minima"
    when = ""
    if doubling is not None:
        when = f" and double in {_steps(doubling)} {_MODEL}"
    elif tenfold is not None:
        when = f", growing tenfold in {_steps(tenfold)} {_MODEL}"
    stable = f"; stable below a learning rate of {learning_rate / ratio:.3g}"
    return f"{status}: loss will oscillate{when}; {share}{stable}"


def _moving_message(status: Status, ratio: float, loss: float, hum: Hum | None) -> str:
    share = f"{status}: lr * preconditioned sharpness is {ratio:.3g} of the threshold for a "
    share += "preconditioner that does not move"
    if status is Status.FAR:
        return share + ("; most runs this far from it lost less than 5 %" if ratio < _FREE else "")
    share += "; one that moves settles near 1; "
    if hum is None:
        return share + "no alarm"
    size = f"but a hum of about {hum.amplitude:.2g} (rms) in each coordinate, "
    floor = hum.loss_floor
    if floor is not None and floor >= loss:
        share += "the ratio alone is no alarm, "
        size += f"worth up to the whole loss of {loss:.3g} (quadratic model), "
    else:
        share += "no alarm, "
        if floor is not None:
            size += f"worth at most {floor:.2g} of the loss of {loss:.3g} (quadratic model), "
    return share + size + "which a smaller learning rate reduces"


def _steps(count: float) -> str:
    whole = max(1, math.ceil(count))
    return f"{whole} step" if whole == 1 else f"{whole} steps"
