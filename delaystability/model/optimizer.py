"""What an optimizer is: two short tables of coefficients; a custom one is written down here.

`catalogue` holds the named ones.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, replace
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np

from delaystability.model.frozen_table import FrozenTable
from delaystability.model.parameters import NUMBER, without_decimals

__all__ = [
    "Coefficients",
    "LinearOptimizer",
    "Optimizer",
    "Term",
    "scalar_optimizers",
    "steady_gain",
]


class Term(NamedTuple):
    """Weigh the value ``lag`` updates ago with ``coefficient``: one entry of a table.

    Attributes
    ----------
    lag : int
    coefficient : number, array or expression
    """

    lag: Any
    coefficient: Any


class Coefficients(NamedTuple):
    """Describe a linear optimizer by its two tables.

    Attributes
    ----------
    feedback : tuple of Term, with lags of at least 1
        Weights of earlier updates.
    feedforward : tuple of Term, with lags of at least 0
        Weights of gradients.
    """

    feedback: tuple[Term, ...]
    feedforward: tuple[Term, ...]


class Optimizer(ABC):
    """Describe a linear optimizer by its coefficient tables.

    ``u_t = sum_j feedback_j u_{t-j} + sum_k feedforward_k g_{t-k}``, ``w_{t+1} = w_t - lr u_t``.
    Subclasses are frozen data classes with a ``name`` (for command lines and tables) and a
    ``title`` (for prose), and implement `coefficients`. Their fields are the parameters; one whose
    metadata says what it may be (``model.parameters.MOMENTUM``, ``NUMBER``) is checked.
    """

    name: ClassVar[str]
    title: ClassVar[str]

    def __post_init__(self) -> None:
        for entry in _fields(type(self)):
            value = getattr(self, entry.name)
            if "domain" in entry.metadata and not (value is None and entry.default is None):
                checked = entry.metadata["domain"].checked(entry.name, value)
                object.__setattr__(self, entry.name, checked)

    @abstractmethod
    def coefficients(self, delay: Any) -> Coefficients:
        """Give the tables for a loop with this delay.

        Parameters
        ----------
        delay : int, integer array or expression, at least 0
            Updates between reading and applying. Many optimizers do not look at it.

        Returns
        -------
        Coefficients
            ``feedback`` and ``feedforward``, in the raw learning-rate convention.
        """

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters by name, for example ``{"momentum": 0.9}``."""
        # Asked several times for every threshold: without the tuple of names in between.
        return {entry.name: getattr(self, entry.name) for entry in fields(self)}  # type: ignore[arg-type]

    @classmethod
    def parameter_names(cls) -> tuple[str, ...]:
        """Name the parameters: the fields of the class.

        Returns
        -------
        tuple of str
            In their order.
        """
        return tuple(entry.name for entry in _fields(cls))

    @classmethod
    def required_parameters(cls) -> tuple[str, ...]:
        """Name the parameters without a default.

        Returns
        -------
        tuple of str
            In their order.
        """
        return tuple(entry.name for entry in _fields(cls) if _is_required(entry))

    @classmethod
    def example(cls, **parameters: Any) -> Self:
        """Make an optimizer with ordinary numbers, and with those of these parameters that it has.

        A required parameter that is not given is the example of its domain, or 0.5.

        Parameters
        ----------
        **parameters : number, array or expression
            Those that the class does not have are left out: SGD has no momentum.

        Returns
        -------
        Optimizer
            Of this class.
        """
        ordinary = {
            entry.name: entry.metadata.get("domain", NUMBER["domain"]).example
            for entry in _fields(cls)
            if _is_required(entry)
        }
        given = {name: parameters[name] for name in cls.parameter_names() if name in parameters}
        return cls(**ordinary | given)

    def to_dict(self) -> dict[str, Any]:
        """Write name and parameters as plain data, which `catalogue.optimizer_from_dict` reads.

        Returns
        -------
        dict
            ``name``, then the parameters in their order.
        """
        plain = {
            name: dict(value) if isinstance(value, Mapping) else value
            for name, value in self.parameters.items()
        }
        return {"name": self.name, **plain}


def _fields(optimizer: type[Optimizer]) -> tuple[Field[Any], ...]:
    return fields(optimizer)  # type: ignore[arg-type]


def _is_required(entry: Field[Any]) -> bool:
    return entry.default is MISSING and entry.default_factory is MISSING


def scalar_optimizers(
    optimizer: Optimizer, *arrays: Any
) -> tuple[tuple[int, ...], Iterator[tuple[tuple[int, ...], Optimizer, list[Any]]]]:
    """List the optimizer with one number for each parameter, broadcast with other arrays.

    Returns
    -------
    shape : tuple of int
        The common shape of the parameters and the arrays.
    entries : iterator of (index, optimizer, entries of the arrays at that index)
    """
    # Fractions and numbers of other libraries stay as they are: next to 1 a float would spoil them.
    parameters = {
        name: np.asarray(value, dtype=np.float64)
        for name, value in optimizer.parameters.items()
        if isinstance(value, (int, float, np.generic, np.ndarray))
    }
    full = np.broadcast_arrays(*arrays, *parameters.values())
    shape = full[0].shape

    def entries() -> Iterator[tuple[tuple[int, ...], Optimizer, list[Any]]]:
        for index in np.ndindex(shape):
            values = [array[index] for array in full]
            own = (float(value) for value in values[len(arrays) :])
            changes = dict(zip(parameters, own, strict=True))
            one = replace(optimizer, **changes) if changes else optimizer  # type: ignore[type-var]
            yield index, one, values[: len(arrays)]

    return shape, entries()


def steady_gain(optimizer: Optimizer, delay: int) -> float:
    """Update divided by gradient while the gradient is constant, B(1)/A(1): 1 / (1 - momentum).

    The effective learning rate is the learning rate times this.

    Parameters
    ----------
    optimizer : Optimizer with one number for each parameter
    delay : int, at least 0, in updates
    """
    table = optimizer.coefficients(delay)
    forward = sum(float(term.coefficient) for term in table.feedforward)
    return forward / (1 - sum(float(term.coefficient) for term in table.feedback))


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
        lag if getattr(lag, "free_symbols", None) else lag.__index__(): without_decimals(value)
        for lag, value in table.items()
    }


@dataclass(frozen=True)
class LinearOptimizer(Optimizer):
    """Use any linear optimizer, given by its two tables.

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
        for name, first_lag in (("feedback", 1), ("feedforward", 0)):
            table = _checked_table(name, getattr(self, name), first_lag)
            object.__setattr__(self, name, FrozenTable(table))
        if not self.feedforward:
            raise ValueError("feedforward must have at least one coefficient; got an empty mapping")

    def coefficients(self, delay: Any) -> Coefficients:
        return Coefficients(
            tuple(Term(lag, value) for lag, value in self.feedback.items()),
            tuple(Term(lag, value) for lag, value in self.feedforward.items()),
        )
