"""The experiments by name; a module is loaded when its experiment is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from delaystability.validation.experiment import Experiment

__all__ = ["EXPERIMENTS", "load_experiment"]

EXPERIMENTS: dict[str, str] = {
    "edge": "delaystability.validation.experiments.edge",
    "quadratic": "delaystability.validation.experiments.quadratic",
    "escape": "delaystability.validation.experiments.escape",
    "random-delay": "delaystability.validation.experiments.random_delay",
    "selection": "delaystability.validation.experiments.selection",
    "momentum": "delaystability.validation.experiments.momentum",
    "noise": "delaystability.validation.experiments.noise",
    "pipeline": "delaystability.validation.experiments.pipeline",
    "parameter-server": "delaystability.validation.experiments.parameter_server",
}
"""Name on the command line -> module that defines ``EXPERIMENT``."""


def load_experiment(name: str) -> Experiment:
    """The experiment of this name.

    Raises
    ------
    ValueError
        For an unknown name.
    """
    if name not in EXPERIMENTS:
        raise ValueError(f"experiment must be one of {', '.join(EXPERIMENTS)}; got {name!r}")
    experiment: Experiment = import_module(EXPERIMENTS[name]).EXPERIMENT
    return experiment
