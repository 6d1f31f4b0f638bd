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

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, NamedTuple

import numpy as np

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
    "Term",
    "optimizer_from_name",
]


class Term(NamedTuple):
    """One entry of a table: ``coefficient`` multiplies the value ``lag`` updates ago."""

    lag: Any
    coefficient: Any


class Coefficients(NamedTuple):
    """The two tables of a linear optimizer, each a tuple of `Term`."""

    feedback: tuple[Term, ...]
    feedforward: tuple[Term, ...]


class Optimizer(ABC):
    """A linear optimizer, given by its coefficient tables.

    Subclasses are frozen data classes with a ``name`` (for command lines and tables) and a
    ``title`` (for prose), and implement `coefficients`.
    """

    name: ClassVar[str]
    title: ClassVar[str]

    @abstractmethod
    def coefficients(self, delay: Any) -> Coefficients:
        """The tables for a loop with this ``delay`` (updates between reading and applying)."""

    @property
    def parameters(self) -> dict[str, Any]:
        """The optimizer's own parameters by name, for example ``{"momentum": 0.9}``."""
        return {entry.name: getattr(self, entry.name) for entry in fields(self)}  # type: ignore[arg-type]


def _checked_momentum(momentum: Any) -> Any:
    """The momentum, a list as an array; refused unless strictly inside (-1, 1) or symbolic."""
    allowed = "a number, array or symbolic expression with -1 < momentum < 1"
    if isinstance(momentum, (str, bytes, bool, complex)) or momentum is None:
        raise TypeError(f"momentum must be {allowed}; got {momentum!r}")
    if getattr(momentum, "free_symbols", None):
        return momentum
    try:
        if isinstance(momentum, (list, tuple)):
            momentum = np.asarray(momentum, dtype=np.float64)
        inside = abs(momentum) < 1
        inside = bool(inside.all() if hasattr(inside, "all") else inside)
    except (TypeError, ValueError) as error:
        raise TypeError(f"momentum must be {allowed}; got {momentum!r}") from error
    if not inside:
        raise ValueError(f"momentum must be {allowed}; got {momentum!r}")
    return momentum


@dataclass(frozen=True)
class SGD(Optimizer):
    """Stochastic gradient descent without memory: ``u_t = g_t``.

    The asynchronous SGD of Giladi et al. (ICLR 2020, arXiv:1909.12340);
    ``torch.optim.SGD(momentum=0)`` at delay 0.
    """

    name: ClassVar[str] = "sgd"
    title: ClassVar[str] = "SGD"

    def coefficients(self, delay: Any) -> Coefficients:
        return Coefficients((), (Term(0, 1),))


@dataclass(frozen=True)
class HeavyBall(Optimizer):
    """Heavy-ball momentum: ``u_t = momentum u_{t-1} + g_t``.

    Polyak (1964); ``torch.optim.SGD(momentum=momentum)``, dampening 0. At a constant gradient
    its effective learning rate is ``lr / (1 - momentum)``.

    Parameters
    ----------
    momentum : number, array or expression in (-1, 1)
    """

    momentum: Any
    name: ClassVar[str] = "heavy-ball"
    title: ClassVar[str] = "Heavy ball"

    def __post_init__(self) -> None:
        object.__setattr__(self, "momentum", _checked_momentum(self.momentum))

    def coefficients(self, delay: Any) -> Coefficients:
        return Coefficients((Term(1, self.momentum),), (Term(0, 1),))


@dataclass(frozen=True)
class EMAMomentum(Optimizer):
    """Exponential-moving-average momentum: ``u_t = momentum u_{t-1} + (1 - momentum) g_t``.

    ``torch.optim.SGD(momentum=momentum, dampening=momentum)``; the first moment of Adam without
    bias correction. Its threshold is heavy ball's divided by ``1 - momentum``.

    Parameters
    ----------
    momentum : number, array or expression in (-1, 1)
    """

    momentum: Any
    name: ClassVar[str] = "ema-momentum"
    title: ClassVar[str] = "EMA momentum"

    def __post_init__(self) -> None:
        object.__setattr__(self, "momentum", _checked_momentum(self.momentum))

    def coefficients(self, delay: Any) -> Coefficients:
        return Coefficients((Term(1, self.momentum),), (Term(0, 1 - self.momentum),))


@dataclass(frozen=True)
class Nesterov(Optimizer):
    """Nesterov momentum: ``u_t = momentum u_{t-1} + (1 + momentum) g_t - momentum g_{t-1}``.

    ``torch.optim.SGD(momentum=momentum, nesterov=True)``, whose step is
    ``g_t + momentum v_t`` with ``v_t = momentum v_{t-1} + g_t``.

    Parameters
    ----------
    momentum : number, array or expression in (-1, 1)
    """

    momentum: Any
    name: ClassVar[str] = "nesterov"
    title: ClassVar[str] = "Nesterov momentum"

    def __post_init__(self) -> None:
        object.__setattr__(self, "momentum", _checked_momentum(self.momentum))

    def coefficients(self, delay: Any) -> Coefficients:
        m = self.momentum
        return Coefficients((Term(1, m),), (Term(0, 1 + m), Term(1, -m)))


@dataclass(frozen=True)
class ShiftedMomentum(Optimizer):
    """Shifted momentum: ``u_t = momentum u_{t-delay-1} + g_t``.

    One momentum buffer for each of ``delay + 1`` round-robin workers: the modification of
    momentum for asynchronous training of Giladi et al. (ICLR 2020, arXiv:1909.12340).

    Parameters
    ----------
    momentum : number, array or expression in (-1, 1)
    """

    momentum: Any
    name: ClassVar[str] = "shifted-momentum"
    title: ClassVar[str] = "Shifted momentum"

    def __post_init__(self) -> None:
        object.__setattr__(self, "momentum", _checked_momentum(self.momentum))

    def coefficients(self, delay: Any) -> Coefficients:
        return Coefficients((Term(delay + 1, self.momentum),), (Term(0, 1),))


def _checked_table(argument: str, table: Mapping[Any, Any], first_lag: int) -> dict[Any, Any]:
    allowed = f"a mapping from integer lags >= {first_lag} to finite coefficients"
    if not isinstance(table, Mapping):
        raise TypeError(f"{argument} must be {allowed}; got {table!r}")
    for lag, coefficient in table.items():
        symbolic_lag = bool(getattr(lag, "free_symbols", None))
        if not symbolic_lag:
            integral = hasattr(lag, "__index__") and not isinstance(lag, bool)
            if not integral or lag.__index__() < first_lag:
                raise ValueError(f"{argument} must be {allowed}; got the lag {lag!r}")
        if getattr(coefficient, "free_symbols", None):
            continue
        try:
            finite = not isinstance(coefficient, (str, bool)) and bool(
                abs(coefficient) < float("inf")
            )
        except (TypeError, ValueError):
            finite = False
        if not finite or isinstance(coefficient, complex):
            raise ValueError(f"{argument} must be {allowed}; got {coefficient!r} at lag {lag!r}")
    return {
        lag if getattr(lag, "free_symbols", None) else lag.__index__(): value
        for lag, value in table.items()
    }


@dataclass(frozen=True)
class LinearOptimizer(Optimizer):
    """One's own linear optimizer, from its two tables.

    ``u_t = sum_j feedback[j] u_{t-j} + sum_k feedforward[k] g_{t-k}``

    Parameters
    ----------
    feedback : mapping from lag j >= 1 to coefficient; empty by default
    feedforward : mapping from lag k >= 0 to coefficient; ``{0: 1}`` by default

    Raises
    ------
    ValueError, TypeError
        For a lag that is too small or fractional, or a coefficient that is not a finite number.
    """

    feedback: Mapping[Any, Any] = field(default_factory=dict)
    feedforward: Mapping[Any, Any] = field(default_factory=lambda: {0: 1})
    name: ClassVar[str] = "linear"
    title: ClassVar[str] = "Linear optimizer"

    def __post_init__(self) -> None:
        object.__setattr__(self, "feedback", _checked_table("feedback", self.feedback, 1))
        object.__setattr__(self, "feedforward", _checked_table("feedforward", self.feedforward, 0))
        if not self.feedforward:
            raise ValueError("feedforward must have at least one coefficient; got an empty mapping")

    def coefficients(self, delay: Any) -> Coefficients:
        return Coefficients(
            tuple(Term(lag, value) for lag, value in self.feedback.items()),
            tuple(Term(lag, value) for lag, value in self.feedforward.items()),
        )


CATALOGUE: dict[str, type[Optimizer]] = {
    cls.name: cls for cls in (SGD, HeavyBall, EMAMomentum, Nesterov, ShiftedMomentum)
}
"""The named optimizers: name on the command line -> class."""


def optimizer_from_name(name: str, **parameters: Any) -> Optimizer:
    """The catalogue's optimizer called ``name`` with these parameters.

    Raises
    ------
    ValueError
        For an unknown name, a missing parameter or one that the optimizer does not have.
    """
    if name not in CATALOGUE:
        raise ValueError(f"optimizer must be one of {', '.join(CATALOGUE)}; got {name!r}")
    cls = CATALOGUE[name]
    wanted = [entry.name for entry in fields(cls)]  # type: ignore[arg-type]
    missing = [entry for entry in wanted if entry not in parameters]
    surplus = [entry for entry in parameters if entry not in wanted]
    if missing:
        raise ValueError(f"optimizer {name!r} needs {', '.join(missing)}")
    if surplus:
        raise ValueError(f"optimizer {name!r} has no parameter {', '.join(surplus)}")
    return cls(**parameters)
