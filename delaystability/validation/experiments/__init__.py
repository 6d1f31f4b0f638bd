"""The experiments, one file each: its name on the command line is that of its file."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from delaystability.validation.experiment import Experiment

__all__ = ["EXPERIMENTS", "load_experiment"]

EXPERIMENTS = tuple(sorted(found.name.replace("_", "-") for found in iter_modules(__path__)))
"""Their names; a file is loaded when its experiment is asked for."""


def load_experiment(name: str) -> Experiment:
    """Load the experiment of this name.

    Raises
    ------
    ValueError
        For an unknown name.
    """
    if name not in EXPERIMENTS:
        raise ValueError(f"experiment must be one of {', '.join(EXPERIMENTS)}; got {name!r}")
    experiment: Experiment = import_module(f"{__name__}.{name.replace('-', '_')}").EXPERIMENT
    return experiment
