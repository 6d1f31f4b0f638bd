"""The edge of stability under delay: a network stops sharpening where its delay says.

Full-batch training makes a network sharper until ``lr * sharpness`` reaches the stability threshold
of its optimizer and delay; there it stays (Cohen et al., ICLR 2021, arXiv:2103.00065, without
delay). Every run here gets ``lr = threshold / target_sharpness`` from one fixed target, starts
below it, and is trained for the same gradient-flow time ``updates * effective learning rate``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from math import ceil
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from delaystability.optimizers import SGD
from delaystability.validation.checkpoint import load_checkpoint, save_checkpoint
from delaystability.validation.data import digits
from delaystability.validation.dense import DenseProblem
from delaystability.validation.device import checked_device, checked_dtype
from delaystability.validation.edge_course import Course, begin, measure
from delaystability.validation.edge_result import EdgeResult, EdgeRun
from delaystability.validation.edge_settings import (
    DEFAULT,
    DEFAULT_SETTINGS,
    QUICK,
    QUICK_SETTINGS,
    Configuration,
    Setting,
)
from delaystability.validation.network import Network
from delaystability.validation.provenance import provenance
from delaystability.validation.training import Replica, Rules, advance, initial_state

__all__ = [
    "DEFAULT",
    "DEFAULT_SETTINGS",
    "QUICK",
    "QUICK_SETTINGS",
    "Configuration",
    "Setting",
    "checked_training",
    "run_edge",
]

_SAVE_EVERY = 5  # measurements between two checkpoints


Progress = Callable[[float, str], None]


def checked_training(device: str, dtype: str, seed: int) -> tuple[torch.device, torch.dtype]:
    """The device and number type of a training, or a clear error about one of the arguments.

    Raises
    ------
    ValueError
        For a device that is not there, a dtype other than float64 and float32, or a seed that is
        not an integer >= 0.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ValueError(f"seed must be an integer >= 0; got {seed!r}")
    return checked_device(device), checked_dtype(dtype)


def run_edge(
    settings: Sequence[Setting] | None = None,
    *,
    configuration: Configuration = DEFAULT,
    device: str = "cpu",
    dtype: str = "float64",
    seed: int = 0,
    checkpoint: str | Path | None = None,
    progress: Progress | None = None,
) -> EdgeResult:
    """Train all settings at once and measure where their sharpness stays.

    Parameters
    ----------
    settings : sequence of Setting, optional
        `QUICK_SETTINGS` for the configuration `QUICK`, otherwise `DEFAULT_SETTINGS`.
    configuration : Configuration
    device : str
        ``"cpu"``, ``"cuda"`` or ``"cuda:<index>"``.
    dtype : str
        ``"float64"`` or ``"float32"``.
    seed : int, at least 0
        Decides the images, the initial parameters and the start of the eigenvalue iteration.
    checkpoint : str or Path, optional
        File, in an existing folder, that the run is saved to and continued from: with the same
        result as without a break, on the same machine with the same number of threads.
    progress : callable, optional
        Called with the share done, 0 to 1, and a message after each measurement.

    Raises
    ------
    ValueError, TypeError
        For an argument that is not what is described here, a checkpoint of another experiment, or
        a target sharpness that is not above the initial one.
    """
    began = time.perf_counter()
    chosen, torch_dtype = checked_training(device, dtype, seed)
    if settings is None:
        settings = QUICK_SETTINGS if configuration == QUICK else DEFAULT_SETTINGS
    if not settings or not all(isinstance(setting, Setting) for setting in settings):
        raise ValueError(f"settings must be one or more Setting objects; got {settings!r}")

    everyone = (*settings, Setting(SGD(), 0))
    targets = [configuration.target_sharpness] * len(settings)
    targets.append(configuration.free_factor * configuration.target_sharpness)
    replicas = [
        Replica(setting.optimizer, setting.delay, setting.threshold / target)
        for setting, target in zip(everyone, targets, strict=True)
    ]
    updates = _updates(replicas, everyone, configuration)
    rules = Rules.pack(replicas, device=chosen, dtype=torch_dtype)
    network = Network((64, *configuration.hidden, 10))
    problem = DenseProblem.from_arrays(
        network, *digits(configuration.images, seed), device=chosen, dtype=torch_dtype
    )
    identity = {
        "replicas": repr(replicas),
        "configuration": repr(configuration),
        "device": str(chosen),
        "dtype": dtype,
        "seed": seed,
    }
    path = None if checkpoint is None else Path(checkpoint)
    saved = None if path is None else load_checkpoint(path, identity, chosen)
    if saved is None:
        start = configuration.initial_scale * network.initial_parameters(seed)
        parameters = torch.tensor(start, device=chosen, dtype=torch_dtype).repeat(len(replicas), 1)
        course = begin(problem, configuration, initial_state(rules, parameters), seed)
    else:
        course = Course.from_dict(saved)

    spent, last = course.seconds, configuration.measurements
    for done in range(len(course.sharpness), last + 1):
        planned = updates[done] - updates[done - 1]
        state = advance(problem.gradient, rules, course.state, planned.tolist())
        course = measure(problem, configuration, course, state, seed)
        course = replace(course, seconds=spent + time.perf_counter() - began)
        if path is not None and (done % _SAVE_EVERY == 0 or done == last):
            save_checkpoint(path, identity, course.to_dict())
        if progress is not None:
            progress(done / last, _message(course, replicas[:-1], settings))
    runs = _runs(course, replicas, everyone, updates, seed, str(chosen), dtype)
    return EdgeResult(
        runs=runs[:-1],
        free=replace(runs[-1], setting=f"Free: {runs[-1].setting}", wrong_thresholds={}),
        configuration={**asdict(configuration), "seed": seed},
        provenance=provenance(device, dtype),
        seconds=course.seconds,
    )


def _updates(
    replicas: Sequence[Replica], settings: Sequence[Setting], configuration: Configuration
) -> NDArray[np.int64]:
    """Updates done at each measurement, (measurements + 1, R): equal gradient-flow times."""
    total = [
        ceil(configuration.flow_time / (replica.learning_rate * setting.steady_gain))
        for replica, setting in zip(replicas, settings, strict=True)
    ]
    parts = np.arange(configuration.measurements + 1)[:, None]
    return parts * np.array(total, dtype=np.int64) // configuration.measurements


def _message(course: Course, replicas: Sequence[Replica], settings: Sequence[Setting]) -> str:
    latest = course.sharpness[-1].tolist()
    ratios = [
        replica.learning_rate * sharpness / setting.threshold
        for replica, sharpness, setting in zip(replicas, latest, settings, strict=False)
    ]
    return "lr * sharpness / threshold: " + " ".join(f"{ratio:.3f}" for ratio in ratios)


def _runs(
    course: Course,
    replicas: Sequence[Replica],
    settings: Sequence[Setting],
    updates: NDArray[np.int64],
    seed: int,
    device: str,
    dtype: str,
) -> tuple[EdgeRun, ...]:
    loss, sharpness, error = (
        values.detach().cpu().double().numpy()
        for values in (course.loss, course.sharpness, course.sharpness_error)
    )
    alive = course.state.alive.tolist()
    return tuple(
        EdgeRun(
            setting=setting.title,
            optimizer=setting.optimizer.name,
            parameters=setting.optimizer.parameters,
            delay=setting.delay,
            learning_rate=replica.learning_rate,
            effective_learning_rate=replica.learning_rate * setting.steady_gain,
            threshold=setting.threshold,
            updates=updates[:, row],
            loss=loss[:, row],
            sharpness=sharpness[:, row],
            sharpness_error=error[:, row],
            wrong_thresholds=setting.wrong_thresholds,
            diverged=not alive[row],
            seed=seed,
            device=device,
            dtype=dtype,
            seconds=course.seconds,
        )
        for row, (replica, setting) in enumerate(zip(replicas, settings, strict=True))
    )
