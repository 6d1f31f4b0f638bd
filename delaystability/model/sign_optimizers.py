"""Optimizers whose steps have one size, whatever that of the gradients."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass
from typing import ClassVar

from delaystability.model.adaptive import AdaptiveOptimizer
from delaystability.model.catalogue import SGD, EMAMomentum, LinearOptimizer
from delaystability.model.optimizer import Optimizer

__all__ = ["Lion", "Muon", "SignOptimizer", "SignSGD"]


@dataclass(frozen=True)
class SignOptimizer(AdaptiveOptimizer, ABC):
    """Describe an optimizer that moves by ``lr sign(filtered gradient)``."""

    @property
    def second_moment_kept(self) -> float:
        """Nothing: there is no second moment."""
        return 0.0


@dataclass(frozen=True)
class SignSGD(SignOptimizer):
    """Train with the signs of gradients: ``w_{t+1} = w_t - lr sign(m_t)``.

    ``m_t = momentum m_{t-1} + (1 - momentum) g_t``, also known as Signum where there is momentum.

    Parameters
    ----------
    momentum : number in [0, 1)

    Raises
    ------
    TypeError, ValueError
        If it is anything else.

    References
    ----------
    J. Bernstein et al., signSGD: compressed optimisation for non-convex problems, ICML 2018,
    arXiv:1802.04434. Theorem ``sign-cycle``.
    """

    momentum: float = 0.0
    name: ClassVar[str] = "signsgd"
    title: ClassVar[str] = "signSGD"

    @property
    def momentum_filter(self) -> Optimizer:
        """The filter whose sign is taken: EMA momentum, or SGD without momentum."""
        return EMAMomentum(self.momentum) if self.momentum else SGD()


@dataclass(frozen=True)
class Lion(SignOptimizer):
    """Train with Lion: the sign of a gradient mixed with the average of those before.

    ``w_{t+1} = w_t - lr sign(beta1 m_{t-1} + (1 - beta1) g_t)`` with
    ``m_t = beta2 m_{t-1} + (1 - beta2) g_t``.

    Parameters
    ----------
    beta1, beta2 : number in [0, 1)

    Raises
    ------
    TypeError, ValueError
        If one of them is anything else.

    References
    ----------
    X. Chen et al., Symbolic discovery of optimization algorithms, NeurIPS 2023, arXiv:2302.06675.
    """

    beta1: float = 0.9
    beta2: float = 0.99
    name: ClassVar[str] = "lion"
    title: ClassVar[str] = "Lion"

    @property
    def momentum_filter(self) -> Optimizer:
        """The filter whose sign is taken."""
        feedback = {1: self.beta2} if self.beta2 else {}
        return LinearOptimizer(feedback, {0: 1 - self.beta1, 1: self.beta1 - self.beta2})


@dataclass(frozen=True)
class Muon(SignOptimizer):
    """Train with Muon, which sets the singular values of a matrix of momentum to one.

    The size of its step is ``lr`` along each singular direction, where it takes a sign; that of
    torch sets them to 0.7 to 1.2, which scales the step. Its momentum is an average,
    ``m_t = momentum m_{t-1} + (1 - momentum) g_t``, and with ``nesterov`` the matrix is
    ``momentum m_t + (1 - momentum) g_t``.

    Parameters
    ----------
    momentum : number in [0, 1)
    nesterov : bool

    Raises
    ------
    TypeError, ValueError
        If one of them is anything else.

    References
    ----------
    K. Jordan et al., Muon: an optimizer for hidden layers in neural networks, 2024.
    """

    momentum: float = 0.95
    nesterov: bool = True
    name: ClassVar[str] = "muon"
    title: ClassVar[str] = "Muon"

    @property
    def momentum_filter(self) -> Optimizer:
        """The filter whose sign is taken, in each singular direction."""
        m = self.momentum
        if not m:
            return SGD()
        if not self.nesterov:
            return EMAMomentum(m)
        return LinearOptimizer({1: m}, {0: (1 - m) * (1 + m), 1: -(1 - m) * m})
