"""Pipelines: the largest stable learning rate where each stage has a delay of its own.

The parameters lie in P stages, stage i with the delay ``delays[i]``::

    w_{t+1} = w_t - lr diag(rates) C g_t

PipeDream with weight stashing computes all of g_t at an iterate whose stages have different ages;
an optimizer may also apply the gradient of each parameter group late, each by its own delay. Both
have the same roots, and so the same thresholds. Learning rates are in the raw convention of
``torch.optim.SGD``.

Theorems ``pipeline`` and ``pipeline-bound`` of the theory: a pipeline at a root looks like one
scalar loop whose delay is random, with the stages' share of the curvature as probabilities.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from delaystability.model.arguments import checked_optimizer, positive
from delaystability.model.catalogue import SGD, EMAMomentum, HeavyBall
from delaystability.model.delays import delay_array
from delaystability.model.optimizer import Optimizer
from delaystability.model.pipelines import PipelineSchedule
from delaystability.questions.bounds import stability_threshold

if TYPE_CHECKING:
    from delaystability.numerics.stages.stage_filter import StageFilter
    from delaystability.numerics.stages.stage_loop import StageLoop

__all__ = [
    "safe_stage_learning_rate",
    "stage_sharpness",
    "stage_spectral_radius",
    "stage_threshold",
]

Array = NDArray[np.float64]
Delays = PipelineSchedule | Sequence[int]
Hessian = ArrayLike | Callable[[Array], ArrayLike]


def stage_threshold(
    hessian: Hessian,
    optimizer: Optimizer,
    delays: Delays,
    *,
    sizes: Sequence[int] | None = None,
    rates: ArrayLike | None = None,
    tolerance: float = 1e-3,
) -> float:
    """Find the largest stable learning rate of a pipeline whose Hessian is known.

    The smallest lr > 0 for which ``det((z - 1) I + lr H diag(rates_i z^-delay_i C_i(z)))`` has a
    root on the unit circle, beside those at z = 1 of directions without curvature.

    Parameters
    ----------
    hessian : symmetric array of shape (n, n), or callable from vectors (n,) to its products
        Without negative eigenvalues. The parameters are ordered by their stages. An array of
        some hundred parameters takes seconds; a larger model gives its products.
    optimizer : Optimizer
        Its table may depend on the delay: then each stage has its own.
    delays : PipelineSchedule, or sequence of P int of at least 0
    sizes : sequence of P int of sum n, optional
        The number of parameters of each stage; one each by default.
    rates : sequence of P positive numbers, optional
        Factors of the stages' learning rates, 1 by default.
    tolerance : float, above 0
        With products only: the relative change of the answer at which larger spaces of leading
        eigenvectors are not tried any more.

    Returns
    -------
    float
        In the raw convention of ``torch.optim.SGD``.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what is described here, a pole of the optimizer lies outside the unit
        circle, or the Hessian has a negative eigenvalue: there every learning rate is unstable.
    ArithmeticError
        If a check by the eigenvalues of the companion matrix contradicts the answer.

    References
    ----------
    Theorem ``pipeline``.
    """
    from delaystability.numerics.stages import stage_threshold as numerics

    accuracy = _one_number("tolerance", tolerance)
    if callable(hessian):
        from delaystability.numerics.stages.stage_products import threshold_from_products

        filters = _filters(optimizer, delays, rates)
        if sizes is None:
            raise ValueError("sizes must be given where hessian is a callable; got None")
        parts = _sizes(sizes, len(filters), None)
        product = _product(hessian, sum(parts))
        found = threshold_from_products(product, filters, parts, tolerance=accuracy)
        return float(found.learning_rate)
    return float(numerics.stage_threshold(_loop(hessian, optimizer, delays, sizes, rates))[0])


def stage_spectral_radius(
    lr: float,
    hessian: ArrayLike,
    optimizer: Optimizer,
    delays: Delays,
    *,
    sizes: Sequence[int] | None = None,
    rates: ArrayLike | None = None,
) -> float:
    """Find the factor by which one update shrinks or grows a perturbation of a pipeline.

    Directions without curvature, which have the root 1 and do not move, are left out.

    Parameters
    ----------
    lr : number, positive
    hessian : symmetric array of shape (n, n)
    optimizer, delays, sizes, rates : see `stage_threshold`

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError
        As `stage_threshold`, or if the companion matrix had more than 2000 rows, the eigenvalues of
        which take seconds.

    References
    ----------
    Theorem ``pipeline``.
    """
    rate = _one_number("lr", lr)
    return _loop(hessian, optimizer, delays, sizes, rates).spectral_radius(rate)


def stage_sharpness(hessian: ArrayLike, sizes: Sequence[int]) -> Array:
    """Find the sharpness of each stage: the largest eigenvalue of its block of the Hessian, (P,).

    Parameters
    ----------
    hessian : symmetric array of shape (n, n)
    sizes : sequence of P int of sum n

    Returns
    -------
    array of shape (P,)
        In units of 1/lr.

    Raises
    ------
    TypeError, ValueError
        If the Hessian is not symmetric and finite or ``sizes`` do not fit.
    """
    from delaystability.numerics.stages.stage_loop import stage_sharpness as numerics

    matrix = _symmetric(hessian)
    return numerics(matrix, _sizes(sizes, None, len(matrix)))


def safe_stage_learning_rate(
    sharpness: float,
    optimizer: Optimizer,
    delays: Delays,
    *,
    stage_sharpness: ArrayLike | None = None,
    rates: ArrayLike | None = None,
    tolerance: float = 1e-4,
) -> float:
    """Find the largest learning rate that is stable for every Hessian with these sharpnesses.

    Every smaller learning rate is stable for each symmetric Hessian without negative eigenvalues
    whose sharpness is at most ``sharpness`` and whose diagonal blocks have at most
    ``stage_sharpness``; just above the answer, some such Hessian is unstable.

    For SGD, heavy ball and EMA momentum with ``momentum >= 0``, without ``stage_sharpness`` and
    ``rates``, it is a*(longest delay) / sharpness (theorem ``pipeline-bound``). Otherwise
    it is the least learning rate over all angles theta and weights q with
    ``1 - e^(i theta) = lr sum_i q_i rates_i e^(-i delay_i theta) C_i(e^(i theta))``,
    ``0 <= q_i <= stage_sharpness_i`` and ``sum_i q_i <= sharpness``: a linear program for each
    angle, and branch and bound over the angles with Lipschitz bounds in between.

    Parameters
    ----------
    sharpness : number, positive
        The largest eigenvalue of the Hessian, or more.
    optimizer, delays, rates : see `stage_threshold`
    stage_sharpness : sequence of P numbers of at least 0, optional
        The largest eigenvalue of each stage's diagonal block, or more; see `stage_sharpness`.
        None is above ``sharpness``, and they sum to it or more, as for any such Hessian.
    tolerance : float, between 1e-9 and 0.1
        The answer is at most this much (relative) below the exact one, and never above it but for
        rounding. Where the least learning rate hardly depends on theta, a small tolerance is not
        reached; the answer is safe all the same.

    Returns
    -------
    float
        In the raw convention of ``torch.optim.SGD``.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what is described here.

    References
    ----------
    Theorem ``pipeline-bound``.
    """
    from delaystability.numerics.stages.stage_bound import safe_rate

    total = _one_number("sharpness", sharpness)
    filters = _filters(optimizer, delays, rates)
    accuracy = _one_number("tolerance", tolerance)
    if not 1e-9 <= accuracy <= 0.1:
        raise ValueError(f"tolerance must be between 1e-9 and 0.1; got {tolerance!r}")
    if stage_sharpness is None and rates is None and _has_theorem(optimizer):
        longest = max(entry.delay for entry in filters)
        return float(stability_threshold(optimizer, longest)) / total
    largest = np.full(len(filters), total)
    if stage_sharpness is not None:
        largest = _stage_values("stage_sharpness", stage_sharpness, len(filters))
        if np.any(largest > total * (1 + 1e-9)):
            raise ValueError(
                f"stage_sharpness must be at most the sharpness, {total:g}, of the whole Hessian; "
                f"got {stage_sharpness!r}"
            )
        if largest.sum() < total * (1 - 1e-9):
            raise ValueError(
                f"stage_sharpness must sum to the sharpness, {total:g}, or more, as blocks of a "
                f"Hessian do; got the sum {largest.sum():g}"
            )
    # In units of the sharpness, far from overflow.
    return safe_rate(filters, largest / total, 1.0, accuracy) / total


def _one_number(argument: str, value: Any) -> float:
    checked = positive(argument, value)
    if checked.ndim:
        raise TypeError(f"{argument} must be one number; got {value!r}")
    return float(checked)


def _has_theorem(optimizer: Optimizer) -> bool:
    plain = isinstance(optimizer, SGD)
    return plain or (isinstance(optimizer, (HeavyBall, EMAMomentum)) and optimizer.momentum >= 0)


def _filters(optimizer: Any, delays: Any, rates: Any) -> tuple[StageFilter, ...]:
    from delaystability.numerics.stages.stage_filter import StageFilter

    checked_optimizer(optimizer)
    for name, value in optimizer.parameters.items():
        if np.ndim(value):
            raise TypeError(f"{name} must be one number for a pipeline; got {value!r}")
    entries = delays.delays if isinstance(delays, PipelineSchedule) else delays
    lags = delay_array(entries, "delays")
    if lags.ndim != 1 or not lags.size:
        raise ValueError(
            f"delays must be a PipelineSchedule or one integer >= 0 for each stage; got {delays!r}"
        )
    factors = np.ones(lags.size) if rates is None else _stage_values("rates", rates, lags.size)
    if np.any(factors <= 0):
        raise ValueError(f"rates must be positive; got {rates!r}")
    pairs = zip(lags.tolist(), factors.tolist(), strict=True)
    return tuple(StageFilter.of(optimizer, lag, factor) for lag, factor in pairs)


def _stage_values(argument: str, values: Any, stages: int) -> Array:
    from delaystability.model.arguments import nonnegative

    checked = nonnegative(argument, values)
    if checked.shape != (stages,):
        raise ValueError(
            f"{argument} must have one number for each of the {stages} stages; got {values!r}"
        )
    return checked


def _sizes(sizes: Any, stages: int | None, count: int | None) -> tuple[int, ...]:
    if sizes is None:
        if stages != count:
            raise ValueError(
                f"sizes must be given unless each of the {stages} stages has one parameter; "
                f"hessian has {count}"
            )
        return (1,) * (stages or 0)
    try:
        parts = np.asarray(sizes)
    except ValueError as error:
        raise TypeError(f"sizes must be positive integers; got {sizes!r}") from error
    if parts.ndim != 1 or parts.dtype.kind not in "iu" or not parts.size or np.any(parts < 1):
        raise ValueError(f"sizes must be positive integers, one for each stage; got {sizes!r}")
    if stages is not None and parts.size != stages:
        raise ValueError(f"sizes must have one entry for each of the {stages} delays; got {sizes}")
    if count is not None and parts.sum() != count:
        raise ValueError(f"sizes must sum to the {count} rows of hessian; got {sizes!r}")
    return tuple(parts.tolist())


def _symmetric(hessian: Any) -> Array:
    allowed = "a symmetric matrix of finite numbers"
    try:
        matrix = np.asarray(hessian, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f"hessian must be {allowed}; got {type(hessian).__name__}") from error
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size:
        raise ValueError(f"hessian must be {allowed}; got the shape {matrix.shape}")
    if not np.isfinite(matrix).all():
        raise ValueError(f"hessian must be {allowed}; some entries are not finite")
    difference = np.abs(matrix - matrix.T).max()
    if difference > 1e-8 * np.abs(matrix).max():
        raise ValueError(f"hessian must be {allowed}; H - H^T has an entry {difference:.3g}")
    half: Array = (matrix + matrix.T) / 2
    return half


def _product(hessian: Callable[[Array], ArrayLike], count: int) -> Callable[[Array], Array]:
    def product(vector: Array) -> Array:
        image = np.asarray(hessian(np.ravel(vector)), dtype=np.float64)
        if image.shape != (count,):
            raise ValueError(
                f"hessian must return a vector of the {count} parameters that sizes sum to; "
                f"got the shape {image.shape}"
            )
        if not np.isfinite(image).all():
            raise ValueError("hessian must return finite numbers; got some that are not")
        return image

    return product


def _loop(hessian: Any, optimizer: Any, delays: Any, sizes: Any, rates: Any) -> StageLoop:
    from delaystability.numerics.stages.stage_loop import stage_loop

    filters, matrix = _filters(optimizer, delays, rates), _symmetric(hessian)
    return stage_loop(matrix, filters, _sizes(sizes, len(filters), len(matrix)))
