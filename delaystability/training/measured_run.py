"""Curvature of a run in the coordinates of its optimizer, from all processes that take part."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from delaystability.training.distributed_model import as_one_model, device_of, processes_of
from delaystability.training.hessian import Curvature, measure_curvature
from delaystability.training.joint_measurement import JointMeasurement
from delaystability.training.parameter_group import ParameterGroup, unwrapped
from delaystability.training.preconditioner import roots_of_scales, with_preconditioned_decay
from delaystability.training.side_effect_free import side_effect_free

__all__ = ["measure_run"]


def measure_run(
    loss: Callable[[], Any],
    groups: list[ParameterGroup],
    *,
    module: nn.Module | None,
    torch_optimizer: Any,
    preconditioner: Callable[[Any], Iterable[Tensor]] | None,
    process_group: Any,
    **options: Any,
) -> tuple[Curvature, list[ParameterGroup]]:
    """Measure the curvature of a loss, and list the groups with the decay that counts.

    Parameters
    ----------
    loss : callable without arguments
        See `measure_curvature`; of this process.
    groups : list of ParameterGroup
    module, torch_optimizer, preconditioner, process_group
        As of `StabilityMonitor`.
    **options
        Of `measure_curvature`.

    Raises
    ------
    TypeError, ValueError, RuntimeError
        As `StabilityMonitor.read`.
    """
    parameters = [parameter for group in groups for parameter in group.parameters]
    largest = max(group.learning_rate for group in groups)
    processes = processes_of(module, parameters, process_group)
    with (
        torch.inference_mode(False),
        JointMeasurement(processes, device_of(parameters[0])) as joint,
        side_effect_free(module, parameters, unwrapped(torch_optimizer)),
        as_one_model(module, joint) as whole,
    ):
        groups = [replace(g, parameters=tuple(map(whole, g.parameters))) for g in groups]
        diagonals = None
        if preconditioner is not None:
            diagonals = [whole(diagonal) for diagonal in preconditioner(torch_optimizer)]
            if len(diagonals) != len(parameters):
                raise ValueError(
                    f"preconditioner must return {len(parameters)} tensors, one for each "
                    f"parameter; got {len(diagonals)}"
                )
        scales = roots_of_scales(groups, largest, diagonals)
        if not any(group.weight_decay and group.loop.coupled for group in groups):
            diagonals = None  # of no use for the decay: a copy of the parameters less
        found = measure_curvature(
            loss,
            [parameter for group in groups for parameter in group.parameters],
            scales=scales,
            joint=joint,
            **options,
        )
        if diagonals is not None:
            size = sum(parameter.numel() for parameter in parameters)
            direction = joint.whole(found.direction[None], size)[0]
            groups = with_preconditioned_decay(groups, diagonals, direction)
    return found, groups
