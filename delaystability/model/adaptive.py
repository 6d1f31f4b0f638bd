"""Optimizers whose preconditioner tunes itself: no linear filters, and without a threshold."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, fields
from numbers import Real
from typing import Any, ClassVar

from delaystability.model.catalogue import SGD, EMAMomentum, HeavyBall, LinearOptimizer
from delaystability.model.optimizer import Optimizer

__all__ = ["Adam", "AdaptiveOptimizer", "NAdam", "RMSProp", "wrong_optimizer"]


@dataclass(frozen=True)
class AdaptiveOptimizer(ABC):
    """Describe an optimizer whose steps are a filter of gradients over their own recent size.

    Subclasses are frozen data classes; their fields are numbers in [0, 1).
    """

    name: ClassVar[str]
    title: ClassVar[str]

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            if not isinstance(entry.default, bool):
                object.__setattr__(self, entry.name, _checked_share(entry.name, value))
            elif not isinstance(value, bool):
                raise TypeError(f"{entry.name} must be True or False; got {value!r}")

    @property
    @abstractmethod
    def momentum_filter(self) -> Optimizer:
        """The linear filter that gradients go through."""

    @property
    def second_moment_kept(self) -> float:
        """The share of the second moment that stays at an update; 0 without a second moment."""
        return float(getattr(self, "beta2", 0.0))

    def to_dict(self) -> dict[str, Any]:
        """Write name and parameters as plain data.

        Returns
        -------
        dict
            ``name``, and the parameters by their names.
        """
        return {"name": self.name, **asdict(self)}


@dataclass(frozen=True)
class Adam(AdaptiveOptimizer):
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

    @property
    def momentum_filter(self) -> Optimizer:
        """What is left while the preconditioner is frozen: EMA momentum, or SGD for beta1 = 0."""
        return EMAMomentum(self.beta1) if self.beta1 else SGD()


@dataclass(frozen=True)
class NAdam(AdaptiveOptimizer):
    """Train with NAdam: Adam with the gradient of now in its first moment once more.

    ``u_t = (beta1 m_t + (1 - beta1) g_t) / sqrt(v_t)`` with the moments of `Adam`: late in a run of
    ``torch.optim.NAdam``, whose weights move over its first thousands of updates.

    Parameters
    ----------
    beta1, beta2 : number in [0, 1)

    Raises
    ------
    TypeError, ValueError
        If one of them is anything else.

    References
    ----------
    T. Dozat, Incorporating Nesterov momentum into Adam, ICLR workshop 2016.
    """

    beta1: float = 0.9
    beta2: float = 0.999
    name: ClassVar[str] = "nadam"
    title: ClassVar[str] = "NAdam"

    @property
    def momentum_filter(self) -> Optimizer:
        """What is left while the preconditioner is frozen: Nesterov's filter, scaled."""
        m = self.beta1
        tables = {0: (1 - m) * (1 + m), 1: -(1 - m) * m}
        return LinearOptimizer({1: m}, tables) if m else SGD()


@dataclass(frozen=True)
class RMSProp(AdaptiveOptimizer):
    """Train with RMSProp, which divides each gradient by the root of its recent mean square.

    As ``torch.optim.RMSprop``, not centered: ``u_t = momentum u_{t-1} + g_t / sqrt(v_t)`` with
    ``v_t = alpha v_{t-1} + (1 - alpha) g_t^2``.

    Parameters
    ----------
    alpha, momentum : number in [0, 1)

    Raises
    ------
    TypeError, ValueError
        If one of them is anything else.

    References
    ----------
    T. Tieleman, G. Hinton, Lecture 6.5, Neural networks for machine learning, Coursera 2012.
    """

    alpha: float = 0.99
    momentum: float = 0.0
    name: ClassVar[str] = "rmsprop"
    title: ClassVar[str] = "RMSProp"

    @property
    def second_moment_kept(self) -> float:
        """The share of the second moment that stays at an update."""
        return self.alpha

    @property
    def momentum_filter(self) -> Optimizer:
        """What is left while the preconditioner is frozen: heavy ball, or SGD without momentum."""
        return HeavyBall(self.momentum) if self.momentum else SGD()


def _checked_share(argument: str, value: Any) -> float:
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
    if isinstance(optimizer, AdaptiveOptimizer):
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
