"""Adam, whose preconditioner tunes itself: it is no linear filter, and has no threshold."""

from __future__ import annotations

from dataclasses import dataclass, fields
from numbers import Real
from typing import Any, ClassVar

from delaystability.model.catalogue import SGD, EMAMomentum
from delaystability.model.optimizer import Optimizer

__all__ = ["Adam", "wrong_optimizer"]


@dataclass(frozen=True)
class Adam:
    """Train with Adam, which divides each coordinate by the size of its own recent gradients.

    ``u_t = m_t / sqrt(v_t)`` with ``m_t = beta1 m_{t-1} + (1 - beta1) g_t`` and
    ``v_t = beta2 v_{t-1} + (1 - beta2) g_t^2``. The division depends on the gradients: this is no
    linear filter of them, and no threshold of ``lr * sharpness`` decides about it. Ask
    `recommend_learning_rate`, or, for a preconditioner that is frozen, take `momentum_filter` with
    the sharpness of the preconditioned Hessian.

    Parameters
    ----------
    beta1, beta2 : number in [0, 1)
        As in ``torch.optim.Adam`` and ``AdamW``.

    Raises
    ------
    TypeError, ValueError
        If one of them is anything else.

    References
    ----------
    D. P. Kingma, J. Ba, Adam: a method for stochastic optimization, ICLR 2015, arXiv:1412.6980.
    Theorem ``adam-frozen``.
    """

    beta1: float = 0.9
    beta2: float = 0.999
    name: ClassVar[str] = "adam"
    title: ClassVar[str] = "Adam"

    def __post_init__(self) -> None:
        for entry in fields(self):
            checked = _checked_beta(entry.name, getattr(self, entry.name))
            object.__setattr__(self, entry.name, checked)

    @property
    def momentum_filter(self) -> Optimizer:
        """What is left while the preconditioner is frozen: EMA momentum, or SGD for beta1 = 0."""
        return EMAMomentum(self.beta1) if self.beta1 else SGD()

    def to_dict(self) -> dict[str, Any]:
        """Write name and parameters as plain data.

        Returns
        -------
        dict
            ``name``, ``beta1`` and ``beta2``.
        """
        return {"name": self.name, "beta1": self.beta1, "beta2": self.beta2}


def _checked_beta(argument: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{argument} must be a number with 0 <= {argument} < 1; got {value!r}")
    # Rounded first: a fraction may be below 1 and its float not.
    number = float(value)
    if not 0 <= number < 1:
        raise ValueError(f"{argument} must be a number with 0 <= {argument} < 1; got {value!r}")
    return number


def wrong_optimizer(argument: str, optimizer: Any) -> TypeError:
    """Say why this is no linear optimizer, and what to ask instead.

    Parameters
    ----------
    argument : str
        Its name in the message.
    optimizer : object
    """
    if isinstance(optimizer, Adam):
        return TypeError(
            f"{argument} must be a linear filter of its gradients, which {optimizer!r} is not: its "
            "preconditioner tunes itself, and no threshold decides. Ask "
            "ds.recommend_learning_rate(lr, optimizer, delay); or, with the preconditioner frozen, "
            f"ask about ds.{optimizer.momentum_filter!r} and the sharpness of the preconditioned "
            "Hessian"
        )
    return TypeError(
        f"{argument} must be an optimizer such as ds.SGD() or ds.HeavyBall(0.9); got {optimizer!r}"
    )
