"""An operator whose products are neither too small nor too large for their squares."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["ScaledOperator"]

_LARGEST = 120  # exponent of a factor, which single precision still holds


class ScaledOperator:
    """Multiply the products of an operator by one power of two, so that the first is near one.

    An iteration takes norms of products, and the square of a number below 1e-22 or above 1e19 is
    no number of single precision.

    Parameters
    ----------
    product : map from tensors to tensors
    total : callable, optional
        Adds a number over all processes that hold a part of the vectors.

    Attributes
    ----------
    exponent : int
        Of the power; 0 until a product is neither zero nor infinite.
    """

    def __init__(
        self,
        product: Callable[[Tensor], Tensor],
        total: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self._product, self._total = product, total
        self._found = False
        self.exponent = 0

    def __call__(self, vector: Tensor) -> Tensor:
        """The scaled product."""
        image = self._product(vector)
        if not self._found:
            self._choose(image, vector)
        return image if not self.exponent else image * 2.0**self.exponent

    def unscaled(self, number: float) -> float:
        """An eigenvalue of the operator, or an error, from one of the scaled operator."""
        return math.ldexp(number, -self.exponent)

    def _choose(self, image: Tensor, vector: Tensor) -> None:
        # A process may hold no number of a vector shorter than the processes are many.
        held = (
            each.abs().amax() if each.numel() else each.new_zeros(()) for each in (image, vector)
        )
        sizes = torch.stack([*held]).double()
        if self._total is not None:
            sizes = self._total(sizes)
        largest, unit = sizes.tolist()
        if 0 < largest < math.inf and 0 < unit < math.inf:
            exponent = round(math.log2(unit) - math.log2(largest))
            self.exponent = max(-_LARGEST, min(_LARGEST, exponent))
            self._found = True
