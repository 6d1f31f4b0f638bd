"""What the noise of mini-batches allows: learning rates, and the sharpness of batches."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from delaystability.model.arguments import asked_loop, checked_count, nonnegative, scalar_or_array
from delaystability.model.delays import random_law
from delaystability.model.labelled import keeps_labels
from delaystability.model.loop import Loop
from delaystability.model.optimizer import Optimizer
from delaystability.questions.bounds import stability_threshold

__all__ = ["batch_sharpness_edge", "mean_square_learning_rate"]

_MOST_ENTRIES = 2**27
_MOST_MODES = 1500
_LARGEST_NOISE = 1e12
_ASYMMETRY = 1e-6
"""Of the largest entry: Hessians in single precision are symmetric to about this."""


def mean_square_learning_rate(
    hessians: ArrayLike,
    optimizer: Optimizer | Loop,
    delay: Any = None,
    *,
    batch_size: int = 1,
    factored: bool = False,
    replacement: bool = True,
    decay: Any = 0.0,
    coupled: bool = False,
) -> float:
    """Find the largest learning rate at which mini-batches let the mean square die out, everywhere.

    Where `max_learning_rate` with ``curvature_noise`` looks along the sharpest direction only, this
    answer has the noise of all directions and what it does to each other: on networks it was 0.16
    to 1.0 of the other. Near the minimum a batch has the Hessian H_B, drawn anew for each update.
    With H the mean and Q(M) = E[(H_B - H) M (H_B - H)], the second moment dies out exactly if H is
    stable in the mean and M -> Q(Gamma o M) has a spectral radius below 1, where Gamma_ij is the
    mean of G_i conj(G_j) over the unit circle and
    G_i(z) = lr B(z) / ((z - 1) A(z) + lr h_i z^-delay B(z)); weights that decay change (z - 1) A
    as in `Loop`.

    Parameters
    ----------
    hessians : array of shape (samples, P, P), or (samples, outputs, P) if ``factored``
        Symmetric Hessians of single samples, or of fixed batches that are drawn with equal
        probability. A single one may be indefinite; their mean may not.
    optimizer : Optimizer with numbers as parameters, or Loop
    delay : int or delay object; left out beside a Loop
        Random delays are drawn independently for each update.
    batch_size : int, at least 1
        How many of the samples a batch averages.
    factored : bool
        Whether ``hessians`` holds factors J instead, sample i having the Hessian J_i^T J_i: the
        Jacobian of its outputs for half the squared error at a minimum that fits all samples. Far
        cheaper where P is large.
    replacement : bool
        Whether a batch may draw a sample more than once. Without, noise is smaller by the factor
        (samples - batch_size)/(samples - 1).
    decay, coupled : see `stability_threshold`; one number, the same at every learning rate

    Returns
    -------
    float
        The learning rate as in ``torch.optim.SGD``; 0 if even small ones are unstable. Bounds of
        the spectral radius show, to rounding, that the second moment dies out at 1 - 1e-8 of it and
        grows at 1 + 1e-8 of it.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what is described here; the mean Hessian has a negative eigenvalue or
        is zero, or samples act on a direction in which it is; or there are more than 2**27 entries
        or 1,500 directions.
    ArithmeticError
        If those bounds do not show it.

    Notes
    -----
    The spectral radius need not grow with the learning rate. It is followed upwards in steps of
    half the radius within which it is analytic, and its maxima between are refined: a peak narrower
    than that would be missed. The threshold of the sharpest direction alone, with its own variance
    as the curvature noise, is an upper bound of this one where all Gamma_ij are positive: then the
    map is, after a change of scale, symmetric, and no diagonal entry exceeds its spectral radius.
    Each of some 20 to 50 steps costs about 50 products of
    ``samples P^3``, or ``samples outputs k^2 + k^3`` if factored, with k <= samples outputs the
    number of directions that are not flat.

    References
    ----------
    M. G. Krein, M. A. Rutman, Linear operators leaving invariant a cone in a Banach space, Uspekhi
    Matematicheskikh Nauk 3 (1948), 3-95. Theorem ``mean-square`` with a single direction.
    """
    from delaystability.numerics.moments.direction_moments import DirectionMoments
    from delaystability.numerics.moments.sampled_curvature import FactoredCurvature, FullCurvature
    from delaystability.numerics.tables.loop_filter import decay_through, with_one_read

    loop = asked_loop(optimizer, delay, decay, coupled).single()
    one, law = with_one_read(loop.optimizer, loop.delay)
    # Decay goes through the filter of present gradients, not through a mixture.
    way = loop.shrinkage if one is loop.optimizer else decay_through(loop)
    shrinkage = way._replace(amount=float(loop.decay))
    values = _checked_hessians(hessians, factored=factored)
    samples = len(values)
    batch = checked_count("batch_size", batch_size, 1, None if replacement else samples)
    share = 1.0 if replacement else (samples - batch) / max(1, samples - 1)
    # Learning rates are in units of 1/scale, so that no square overflows.
    scale = float(np.abs(values).max())
    if factored:
        curvature: Any = FactoredCurvature(values / scale)
        scale = scale**2
    else:
        curvature = FullCurvature(values / scale)
    moments = DirectionMoments(curvature, one, law, share / batch, shrinkage)
    return moments.learning_rate() / scale


@keeps_labels
def batch_sharpness_edge(
    optimizer: Optimizer | Loop,
    delay: Any,
    noise: ArrayLike,
    *,
    decay: ArrayLike = 0.0,
    coupled: bool = False,
) -> Any:
    """Find the learning rate times batch sharpness at which the mean square stops dying out.

    Along one direction a batch has the curvature h_B, drawn anew for each update, with the mean h
    and the variance ``noise h^2``. Its batch sharpness E[h_B^2]/E[h_B] = h (1 + noise) is what a
    gradient of the batch meets. At the edge, the learning rate times it is
    ``a* (1 + noise)``, where a* is the threshold of `stability_threshold` with this noise.
    Without noise this is the threshold of full batches, 2 (1 + m) for heavy ball without delay.
    For small batches it tends to 2 A(1)/B(1), which is 2 (1 - m) for heavy ball, whatever the
    delay, but not where weights decay.

    Parameters
    ----------
    optimizer, delay : see `stability_threshold`; beside a Loop, None for the delay
    noise : number or array, 0 to 1e12
        The variance of the curvature over its squared mean; for independent samples, that of one
        sample over the batch size.
    decay, coupled : see `stability_threshold`

    Returns
    -------
    float, or array of the common shape
        Without a unit.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what is described here.

    References
    ----------
    A. Andreyev, P. Beneventano, Edge of stochastic stability, arXiv:2412.20553 (2024): batch
    sharpness at 2/lr for SGD without delay.
    Theorems ``batch-edge-sgd`` and ``batch-edge-small-batches``.

    Examples
    --------
    >>> import delaystability as ds
    >>> [round(ds.batch_sharpness_edge(ds.SGD(), 4, noise), 3) for noise in (0, 1, 100, 1e9)]
    [0.347, 0.57, 1.85, 2.0]
    """
    values = nonnegative("noise", noise)
    if np.any(values > _LARGEST_NOISE):
        raise ValueError(f"noise must be at most 1e12; got {values.max()}")
    law = random_law(asked_loop(optimizer, delay, decay, coupled).delay)
    if law is not None and law.varies and not law.has_probabilities:
        raise TypeError(f"delay must have probabilities here; got {law!r}")
    edge = stability_threshold(
        optimizer,
        delay,
        curvature_noise=values,
        moment="mean-square",
        decay=decay,
        coupled=coupled,
    )
    return scalar_or_array(np.asarray(edge * (1 + values)))


def _checked_hessians(hessians: ArrayLike, *, factored: bool) -> NDArray[np.float64]:
    shape = "(samples, outputs, P)" if factored else "(samples, P, P)"
    try:
        given = np.asarray(hessians)
    except Exception as error:
        raise TypeError(f"hessians must be an array of shape {shape}; got {hessians!r}") from error
    if given.dtype.kind not in "iuf":
        raise TypeError(f"hessians must be an array of real numbers; got the type {given.dtype}")
    if given.ndim != 3 or not given.size or (not factored and given.shape[1] != given.shape[2]):
        raise ValueError(f"hessians must have the shape {shape}; got {given.shape}")
    if given.size > _MOST_ENTRIES:
        raise ValueError(
            f"hessians must have at most 2**27 entries; got {given.size}: use fewer samples or, "
            "with factored=True, Jacobians"
        )
    samples, rows, size = given.shape
    modes = min(samples * rows, size) if factored else size
    if modes > _MOST_MODES:
        raise ValueError(
            f"hessians must act on at most {_MOST_MODES} directions; got up to {modes}: use fewer "
            "samples"
        )
    if isinstance(hessians, np.ma.MaskedArray) and hessians.mask.any():
        raise ValueError("hessians must have no masked entries")
    values = given.astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError("hessians must be finite; got NaN or infinity")
    largest = float(np.abs(values).max())
    if largest == 0:
        raise ValueError("hessians must have a mean that is not zero")
    if not factored:
        turned = values.transpose(0, 2, 1)
        uneven = float(np.abs(values - turned).max())
        if uneven > _ASYMMETRY * largest:
            raise ValueError(
                f"hessians must be symmetric; got entries that differ by {uneven:.6g} from their "
                "mirror images"
            )
        values = (values + turned) / 2
    return values
