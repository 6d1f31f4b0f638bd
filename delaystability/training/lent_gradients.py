"""Gradients that an optimizer uses while they are still needed: it must not change them."""

from __future__ import annotations

from operator import attrgetter

import torch
from torch import Tensor

__all__ = ["LentGradients"]

_WATCHED = 3
"""Steps in which the optimizer gets copies, until it is seen that it leaves them alone."""

_version = attrgetter("_version")


class LentGradients:
    """Lend gradients to an optimizer that are due once more: themselves, or copies.

    Some packages add the weight decay to ``parameter.grad`` in place, many of them by its
    ``.data``, whose writes are not counted. If the optimizer does, it gets copies for good; so it
    does on a device, where numbers cannot be compared without waiting.

    Attributes
    ----------
    lent : list
        What the optimizer has in this step: what it was given, with versions, and the gradients.
    """

    def __init__(self) -> None:
        self._trust = 0
        self.lent: list[tuple[list[Tensor], list[int], list[Tensor]]] = []

    def lend(self, gradients: list[Tensor]) -> list[Tensor]:
        """Return the gradients for one step."""
        trusted = self._trust >= _WATCHED
        given = gradients if trusted else [gradient.clone() for gradient in gradients]
        self.lent.append((given, list(map(_version, given)), gradients))
        return given

    def take_back(self) -> None:
        """Look after the step whether the optimizer wrote into what it was lent.

        Raises
        ------
        RuntimeError
            If it did for the first time, and had no copies any more.
        """
        lent, self.lent = self.lent, []
        if not lent or self._trust < 0:
            return
        counted = any(list(map(_version, given)) != versions for given, versions, _ in lent)
        if counted and self._trust >= _WATCHED:
            raise RuntimeError(
                "torch_optimizer must write into its gradients in its first steps or never; it "
                "has begun to, and changed one that is due once more"
            )
        if self._trust < _WATCHED:
            unchanged = not counted and all(
                all(map(_are_equal, given, gradients)) for given, _, gradients in lent
            )
            self._trust = self._trust + 1 if unchanged else -1


def _are_equal(given: Tensor, gradient: Tensor) -> bool:
    """Whether they are seen to be equal, without waiting for a device."""
    dense = type(given) is Tensor and given.layout is torch.strided
    return dense and given.device.type == "cpu" and torch.equal(given, gradient)
