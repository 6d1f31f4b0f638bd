"""The catalogue: every optimizer written down once, as two short tables of coefficients.

A linear optimizer turns gradients ``g`` into updates ``u`` with learning rate ``lr``::

    u_t     = sum_j feedback_j u_{t-j} + sum_k feedforward_k g_{t-k}       j >= 1, k >= 0
    w_{t+1} = w_t - lr u_t,        g_t = grad f(w_{t-delay})

``optimizer.coefficients(delay)`` returns the tables. The coefficients may be floats, fractions,
SymPy expressions, balls, NumPy arrays or tensors: nothing here looks at their type. Symbolic
theory, numerics and training all read these same tables, so a new optimizer is one new class here.

Every table is in the raw learning-rate convention of ``torch.optim.SGD``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from delaystability.model.optimizer import Coefficients, LinearOptimizer, Optimizer, Term
from delaystability.model.parameters import HORIZON, MOMENTUM

__all__ = [
    "CATALOGUE",
    "Coefficients",
    "EMAMomentum",
    "HeavyBall",
    "LinearOptimizer",
    "Nesterov",
    "Optimizer",
    "SGD",
    "ShiftedMomentum",
    "SpikeCompensation",
    "Term",
    "WeightPrediction",
    "optimizer_from_dict",
    "optimizer_from_name",
]


@dataclass(frozen=True)
class SGD(Optimizer):
    """Train with stochastic gradient descent, without memory: ``u_t = g_t``.

    ``torch.optim.SGD(momentum=0)`` at delay 0, asynchronous SGD beyond.

    References
    ----------
    N. Giladi et al., At stability's edge, ICLR 2020, arXiv:1909.12340.
    Theorem ``sgd``.
    """

    name: ClassVar[str] = "sgd"
    title: ClassVar[str] = "SGD"

    def coefficients(self, delay: Any) -> Coefficients:
        return Coefficients((), (Term(0, 1),))


@dataclass(frozen=True)
class HeavyBall(Optimizer):
    """Train with heavy-ball momentum: ``u_t = momentum u_{t-1} + g_t``.

    ``torch.optim.SGD(momentum=momentum)``, dampening 0. At a constant gradient its effective
    learning rate is ``lr / (1 - momentum)``.

    Parameters
    ----------
    momentum : number, array or expression in (-1, 1)

    Raises
    ------
    TypeError, ValueError
        If the momentum is anything else.

    References
    ----------
    B. T. Polyak, Some methods of speeding up the convergence of iteration methods, USSR
    Computational Mathematics and Mathematical Physics 4 (1964), 1-17. Theorem ``heavy-ball``.
    """

    momentum: Any = field(metadata=MOMENTUM)
    name: ClassVar[str] = "heavy-ball"
    title: ClassVar[str] = "Heavy ball"

    def coefficients(self, delay: Any) -> Coefficients:
        return Coefficients((Term(1, self.momentum),), (Term(0, 1),))


@dataclass(frozen=True)
class EMAMomentum(Optimizer):
    """Train with an exponential moving average: ``u_t = momentum u_{t-1} + (1 - momentum) g_t``.

    ``torch.optim.SGD(momentum=momentum, dampening=momentum)``; the first moment of Adam without
    bias correction. Its threshold is heavy ball's divided by ``1 - momentum``.

    Parameters
    ----------
    momentum : number, array or expression in (-1, 1)

    Raises
    ------
    TypeError, ValueError
        If the momentum is anything else.

    References
    ----------
    D. P. Kingma, J. Ba, Adam: a method for stochastic optimization, ICLR 2015, arXiv:1412.6980.
    Theorem ``ema-momentum``.
    """

    momentum: Any = field(metadata=MOMENTUM)
    name: ClassVar[str] = "ema-momentum"
    title: ClassVar[str] = "EMA momentum"

    def coefficients(self, delay: Any) -> Coefficients:
        return Coefficients((Term(1, self.momentum),), (Term(0, 1 - self.momentum),))


@dataclass(frozen=True)
class Nesterov(Optimizer):
    """Train with Nesterov momentum: ``u_t = g_t + momentum v_t``, ``v_t = momentum v_{t-1} + g_t``.

    ``torch.optim.SGD(momentum=momentum, nesterov=True)``. As a filter of gradients alone,
    ``u_t = momentum u_{t-1} + (1 + momentum) g_t - momentum g_{t-1}``.

    Parameters
    ----------
    momentum : number, array or expression in (-1, 1)

    Raises
    ------
    TypeError, ValueError
        If the momentum is anything else.

    References
    ----------
    Yu. E. Nesterov, Doklady Akademii Nauk SSSR 269 (1983), 543-547; in this form I. Sutskever et
    al., On the importance of initialization and momentum in deep learning, ICML 2013. Theorem
    ``nesterov``.
    """

    momentum: Any = field(metadata=MOMENTUM)
    name: ClassVar[str] = "nesterov"
    title: ClassVar[str] = "Nesterov momentum"

    def coefficients(self, delay: Any) -> Coefficients:
        m = self.momentum
        return Coefficients((Term(1, m),), (Term(0, 1 + m), Term(1, -m)))


@dataclass(frozen=True)
class ShiftedMomentum(Optimizer):
    """Train with shifted momentum: ``u_t = momentum u_{t-delay-1} + g_t``.

    Each of ``delay + 1`` round-robin workers has its own momentum buffer: the modification of
    momentum for asynchronous training of Giladi et al.

    Parameters
    ----------
    momentum : number, array or expression in (-1, 1)

    Raises
    ------
    TypeError, ValueError
        If the momentum is anything else.

    References
    ----------
    N. Giladi et al., At stability's edge, ICLR 2020, arXiv:1909.12340.
    Theorem ``shifted-momentum``.
    """

    momentum: Any = field(metadata=MOMENTUM)
    name: ClassVar[str] = "shifted-momentum"
    title: ClassVar[str] = "Shifted momentum"

    def coefficients(self, delay: Any) -> Coefficients:
        return Coefficients((Term(delay + 1, self.momentum),), (Term(0, 1),))


def _power_and_sum(momentum: Any, delay: Any) -> tuple[Any, Any]:
    """m^delay and 1 + m + ... + m^(delay-1) = (1 - m^delay)/(1 - m), in any number type."""
    power = momentum**delay
    total = (1 - power) / (1 - momentum)
    symbolic = bool(getattr(delay, "free_symbols", None))
    if isinstance(momentum, (float, np.ndarray)) and not symbolic:
        # As m approaches 1, 1 - m^delay cancels; its logarithm does not.
        near_one = np.asarray(momentum) > 0.5
        safe = np.where(near_one, momentum, 0.75)
        total = np.where(near_one, -np.expm1(delay * np.log1p(safe - 1)) / (1 - safe), total)
    return power, total


@dataclass(frozen=True)
class SpikeCompensation(Optimizer):
    """Train with spike compensation: ``u_t = p v_t + q g_t``, ``v_t = momentum v_{t-1} + g_t``.

    With p = momentum^delay and q = (1 - p)/(1 - momentum), a late gradient gets at once the
    weight that it would have gathered, and keeps its total weight 1/(1 - momentum).

    Parameters
    ----------
    momentum : number, array or expression in (-1, 1)

    Raises
    ------
    TypeError, ValueError
        If the momentum is anything else.

    References
    ----------
    A. Kosson, V. Chiley, A. Venigalla, J. Hestness, U. Köster, Pipelined backpropagation at scale,
    arXiv:2003.11666 (2020). Theorem ``spike-compensation``.
    """

    momentum: Any = field(metadata=MOMENTUM)
    name: ClassVar[str] = "spike-compensation"
    title: ClassVar[str] = "Spike compensation"

    def coefficients(self, delay: Any) -> Coefficients:
        power, total = _power_and_sum(self.momentum, delay)
        return Coefficients(
            (Term(1, self.momentum),), (Term(0, power + total), Term(1, -total * self.momentum))
        )


@dataclass(frozen=True)
class WeightPrediction(Optimizer):
    """Train with heavy ball and linear weight prediction: gradients at ``w + T (w_t - w_{t-1})``.

    ``u_t = momentum u_{t-1} + (1 + T) g_t - T g_{t-1}``, where ``g`` are gradients at the late
    iterates themselves.

    Parameters
    ----------
    momentum : number, array or expression in (-1, 1)
    horizon : number, array or expression, optional
        The number of updates T that is predicted ahead; the delay by default.

    Raises
    ------
    TypeError, ValueError
        If the momentum or the horizon is anything else.

    References
    ----------
    A. Kosson, V. Chiley, A. Venigalla, J. Hestness, U. Köster, Pipelined backpropagation at scale,
    arXiv:2003.11666 (2020). Theorem ``weight-prediction``.
    """

    momentum: Any = field(metadata=MOMENTUM)
    horizon: Any = field(default=None, metadata=HORIZON)
    name: ClassVar[str] = "weight-prediction"
    title: ClassVar[str] = "Weight prediction"

    def coefficients(self, delay: Any) -> Coefficients:
        horizon = delay if self.horizon is None else self.horizon
        return Coefficients((Term(1, self.momentum),), (Term(0, 1 + horizon), Term(1, -horizon)))


CATALOGUE: dict[str, type[Optimizer]] = {
    cls.name: cls
    for cls in (
        SGD,
        HeavyBall,
        EMAMomentum,
        Nesterov,
        ShiftedMomentum,
        SpikeCompensation,
        WeightPrediction,
    )
}
"""The named optimizers: name on the command line -> class."""


def optimizer_from_name(name: str, **parameters: Any) -> Optimizer:
    """Make the catalogue's optimizer called ``name`` with these parameters.

    Raises
    ------
    ValueError
        For an unknown name, a missing parameter or one that the optimizer does not have.
    """
    if name not in CATALOGUE:
        from difflib import get_close_matches

        near = get_close_matches(str(name), CATALOGUE, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"optimizer must be one of {', '.join(CATALOGUE)}; got {name!r}{hint}")
    cls = CATALOGUE[name]
    missing = [entry for entry in cls.required_parameters() if entry not in parameters]
    surplus = [entry for entry in parameters if entry not in cls.parameter_names()]
    if missing:
        raise ValueError(f"optimizer {name!r} needs {', '.join(missing)}")
    if surplus:
        raise ValueError(f"optimizer {name!r} has no parameter {', '.join(surplus)}")
    return cls(**parameters)


def optimizer_from_dict(data: Mapping[str, Any], *custom: type[Optimizer]) -> Optimizer:
    """Read the optimizer that `Optimizer.to_dict` wrote.

    Parameters
    ----------
    data : mapping
        The ``name`` and the parameters.
    *custom : type of Optimizer
        Classes beside those of the catalogue, which come first, and `LinearOptimizer`.

    Raises
    ------
    ValueError
        For an unknown name, a missing parameter or one that the optimizer does not have.
    """
    parameters = dict(data)
    name = parameters.pop("name", None)
    known: tuple[type[Optimizer], ...] = (*custom, LinearOptimizer)
    others = {cls.name: cls for cls in known}
    if name in CATALOGUE or name not in others:
        return optimizer_from_name(name, **parameters)
    try:
        return others[name](**parameters)
    except TypeError as error:
        raise ValueError(f"parameters must be those of {name!r}: {error}") from error
