"""The oscillation that an adaptive optimizer sustains under delay, and what it costs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from delaystability.training.adaptive_optimizers import diagonals
from delaystability.training.parameter_group import ParameterGroup, unwrapped

__all__ = ["Hum", "expected_hum"]


@dataclass(frozen=True)
class Hum:
    """Keep the size of a sustained oscillation.

    Attributes
    ----------
    amplitude : float
        Its root mean square in each coordinate; the largest of the groups'.
    loss_floor : float or None
        What it adds to the loss at most, in the quadratic model.
    """

    amplitude: float
    loss_floor: float | None = None


def expected_hum(
    torch_optimizer: Any, groups: Sequence[ParameterGroup], thresholds: Sequence[float]
) -> Hum | None:
    """Find the oscillation in which an adaptive optimizer settles without gradient noise.

    A preconditioner whose second moment forgets shrinks until the loop is at its threshold: then
    each coordinate has the root mean square ``lr / threshold``, and the loss lies above its minimum
    by ``lr / (2 threshold) sum_i sqrt(v_i)``, if it is quadratic, ``v`` being the second moments
    that the optimizer keeps. The moments of mini-batches hold the gradients' noise too. In one
    direction the sum bounds its share of the loss as well where the threshold is at most 2. Adamax
    keeps the largest gradients and not their mean squares: for it the size is that of the largest
    excursion, root two times as large, and the bound of the loss is twice what it is.

    Parameters
    ----------
    torch_optimizer : torch.optim.Optimizer
        One of torch's adaptive ones, that has made an update.
    groups : sequence of ParameterGroup
    thresholds : sequence of float
        Of ``lr * preconditioned sharpness``, one for each group.

    Returns
    -------
    Hum or None
        None where the second moment never falls, as that of Adagrad and AMSGrad: then oscillations
        die out. Without a floor where the moments are not kept coordinate by coordinate.
    """
    amplitude, floor, bounded = 0.0, 0.0, True
    each = iter(diagonals(unwrapped(torch_optimizer)))
    for group, threshold in zip(groups, thresholds, strict=True):
        for _ in group.parameters:
            _, diagonal = next(each)
            if diagonal is None:  # never updated
                continue
            if not diagonal.forgets:
                return None
            factor = diagonal.factor * threshold
            size = group.learning_rate / factor if factor > 0 else math.inf
            amplitude = max(amplitude, size)
            bounded = bounded and diagonal.in_coordinates and math.isfinite(size)
            if bounded:
                floor += size * _number(diagonal.root.sum()) / 2
    return Hum(amplitude, floor if bounded else None) if math.isfinite(amplitude) else None


def _number(total: Tensor) -> float:
    """The value of a sum, over all processes if the tensor is sharded."""
    whole = getattr(total, "full_tensor", None)
    return float(total if whole is None else whole())
