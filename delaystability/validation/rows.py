"""How an experiment declares its plan and its trials: fields that are also what its file explains.

A `Plan` says what is done in each size, a `Row` is one trial with its settings and results::

    @dataclass(frozen=True, kw_only=True)
    class Growth(Plan):
        delays: tuple[int, ...] = planned("in updates", quick=(0, 1), default=(0, 1, 4, 16))

    @dataclass(frozen=True, kw_only=True, eq=False)
    class Run(Row):
        plan: Growth
        delay: int = setting("in updates")
        rate: float = result("growth, in nats an update")
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, Self, TypeVar, get_type_hints

import numpy as np
from numpy.typing import NDArray

from delaystability.files.trials import FinishedTrial, Trial
from delaystability.model.catalogue import CATALOGUE, Optimizer

__all__ = [
    "SIZES",
    "Array",
    "Plan",
    "Row",
    "Table",
    "column",
    "grouped",
    "has_momentum",
    "planned",
    "result",
    "setting",
    "sizes_of",
]

SIZES = ("quick", "default")
"""Seconds, and minutes."""

Array = NDArray[np.float64]

_Plan = TypeVar("_Plan", bound="Plan")
_Found = TypeVar("_Found")
_Key = TypeVar("_Key", bound=Hashable)


def planned(text: str, *value: Any, shared: bool = True, **values: Any) -> Any:
    """Declare a part of a plan: what it means, and its value, or one for each of `SIZES`.

    Parameters
    ----------
    text : str
    value : at most one, for all sizes
    shared : bool
        Whether all trials share it, so that it belongs to the sweep.
    **values
        ``quick`` and ``default``.
    """
    by_size = dict.fromkeys(SIZES, *value) if value else values
    if tuple(by_size) != SIZES:
        raise ValueError(f"values must be those of {', '.join(SIZES)}; got {', '.join(by_size)}")
    return field(metadata={"text": text, "values": by_size, "shared": shared})


def setting(text: str) -> Any:
    """Declare what tells one trial from another."""
    return field(metadata={"text": text, "column": "setting"})


def result(text: str) -> Any:
    """Declare what a trial finds; None as long as it has not been run."""
    return field(default=None, metadata={"text": text, "column": "result"})


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is done in a sweep, and where.

    Attributes
    ----------
    size : str, one of `SIZES`
    seed : int
        Decides everything random.
    device, dtype : str
    data, data_content : str
        Where the images are, and their fingerprint; empty for an experiment without.
    """

    size: str = ""
    seed: int = 0
    device: str = "cpu"
    dtype: str = "float64"
    data: str = ""
    data_content: str = ""

    @classmethod
    def of(cls, common: Mapping[str, Any]) -> Self:
        """Read the plan of a trial from what all trials share."""
        found: dict[str, Any] = {}
        for entry in fields(cls):
            if not entry.metadata.get("shared", True):
                found[entry.name] = None
            elif entry.name in common:
                found[entry.name] = _tuples(common[entry.name])
        return cls(**found)

    @property
    def common(self) -> dict[str, Any]:
        """What all trials of the sweep share, as plain data."""
        found = {
            entry.name: getattr(self, entry.name)
            for entry in fields(self)
            if entry.metadata.get("shared", True)
        }
        return {
            name: value
            for name, value in found.items()
            if value or name not in ("data", "data_content")
        }


def sizes_of(plan: type[_Plan]) -> dict[str, _Plan]:
    """Make the plan of each size from the values that its fields declare."""
    own = {
        entry.name: entry.metadata["values"] for entry in fields(plan) if "values" in entry.metadata
    }
    return {size: plan(**{name: values[size] for name, values in own.items()}) for size in SIZES}


@dataclass(frozen=True, kw_only=True, eq=False)
class Row:
    """One trial: its plan, its settings and what it found.

    Numbers that are not finite are None in a file; here a ``float`` or an `Array` has NaN there.
    """

    plan: Any

    @classmethod
    def of(cls, trial: Trial | FinishedTrial) -> Self:
        """Read the trial of a file, or one that is to be run."""
        found = trial.settings | (trial.result if isinstance(trial, FinishedTrial) else {})
        own: Any = cls
        kinds = _kinds(own)
        values = {name: _value(found[name], kinds[name]) for name in cls.columns() if name in found}
        return cls(plan=cls.plan_type().of(trial.common), **values)

    @classmethod
    def plan_type(cls) -> type[Plan]:
        """What its plan is."""
        own: Any = cls
        kind: type[Plan] = _kinds(own)["plan"]
        return kind

    @classmethod
    def all_of(cls, trials: Iterable[Trial | FinishedTrial]) -> list[Self]:
        """Read every trial, in their order."""
        return [cls.of(trial) for trial in trials]

    @classmethod
    def columns(cls, kind: str | None = None) -> dict[str, str]:
        """What each setting and each result means, with its unit.

        Parameters
        ----------
        kind : "setting" or "result", optional
            Only these.
        """
        return {
            entry.name: f"{entry.metadata['text']} ({entry.metadata['column']})"
            for entry in fields(cls)
            if entry.metadata.get("column", "") and kind in (None, entry.metadata["column"])
        }

    @property
    def update_rule(self) -> Optimizer:
        """The optimizer, whose momentum is a setting, or that of the plan for all that have one."""
        own: Any = self
        momentum = own.momentum if hasattr(self, "momentum") else self.plan.momentum
        return CATALOGUE[own.optimizer].example(momentum=momentum)

    @property
    def title(self) -> str:
        """For example ``Heavy ball 0.9``."""
        momentum = self.update_rule.parameters.get("momentum")
        return (
            self.update_rule.title if momentum is None else f"{self.update_rule.title} {momentum:g}"
        )


def has_momentum(name: str) -> bool:
    """Whether the optimizer of the catalogue has a momentum."""
    return "momentum" in CATALOGUE[name].parameter_names()


@dataclass(frozen=True, eq=False)
class Table:
    """Trials that can be asked for those with some attributes.

    Attributes
    ----------
    rows : tuple of Row
    """

    rows: tuple[Any, ...]

    def where(self, **wanted: Any) -> Self:
        """Keep the rows with these attributes."""
        return type(self)(
            tuple(
                row
                for row in self.rows
                if all(getattr(row, name) == value for name, value in wanted.items())
            )
        )

    def values(self, name: str) -> list[Any]:
        """List the different values of an attribute in order, None before all others."""
        found = {getattr(row, name) for row in self.rows}
        return sorted(found, key=lambda value: (value is not None, value))


def column(rows: Iterable[Any], name: str) -> Any:
    """Collect an attribute of every row in an array of shape (rows, ...)."""
    return np.array([getattr(row, name) for row in rows])


def grouped(rows: Iterable[_Found], key: Callable[[_Found], _Key]) -> dict[_Key, list[_Found]]:
    """Group rows by what ``key`` says of them, in the order in which they come."""
    groups: dict[_Key, list[_Found]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return groups


@cache
def _kinds(cls: Any) -> dict[str, Any]:
    return get_type_hints(cls)


def _value(value: Any, kind: Any) -> Any:
    """Read a value of a file as its field declares it."""
    if kind is float and value is None:
        return float("nan")
    if kind == Array:
        return np.array(value, dtype=np.float64)
    return _tuples(value)


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
