"""Gradients that an optimizer uses while they are still needed: it must not change them."""

from __future__ import annotations

from torch import Tensor

__all__ = ["LentGradients"]

_WATCHED = 3
"""Steps in which the optimizer gets copies, until it is seen that it leaves them alone."""


class LentGradients:
    """Lend gradients to an optimizer that are due once more: themselves, or copies.

    Some packages add the weight decay to ``parameter.grad`` in place. If the optimizer does,
    it gets copies for good.
    """

    def __init__(self) -> None:
        self._trust = 0
        self._lent: list[tuple[Tensor, int]] = []

    def lend(self, gradient: Tensor) -> Tensor:
        """Return the gradient for one step."""
        given = gradient if self._trust >= _WATCHED else gradient.clone()
        self._lent.append((given, given._version))
        return given

    def take_back(self) -> None:
        """Look after the step whether the optimizer wrote into what it was lent.

        Raises
        ------
        RuntimeError
            If it did for the first time, and had no copies any more.
        """
        lent, self._lent = self._lent, []
        written = any(given._version != version for given, version in lent)
        if written and self._trust >= _WATCHED:
            raise RuntimeError(
                "torch_optimizer must write into its gradients in its first steps or never; it "
                "has begun to, and changed one that is due once more"
            )
        if written:
            self._trust = -1
        elif lent and self._trust >= 0:
            self._trust += 1
