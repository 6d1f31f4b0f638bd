"""Models whose training is spread over processes, taken as one model on each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from delaystability.training.hessian_product import is_sharded, refuse_sharded
from delaystability.training.joint_measurement import JointMeasurement, Processes
from delaystability.training.side_effect_free import is_fully_sharded, reshard

__all__ = ["as_one_model", "device_of", "processes_of"]

_SYNCHRONISATION = (
    "require_backward_grad_sync",
    "require_forward_param_sync",
    "find_unused_parameters",
    "static_graph",
)


def processes_of(
    module: nn.Module | None, parameters: Sequence[Tensor], process_group: Any = None
) -> Processes:
    """Find the processes whose mean gradient trains a model.

    Parameters
    ----------
    module : Module, optional
        Within it ``DistributedDataParallel`` and ``fully_shard`` are seen.
    parameters : sequence of tensors
    process_group : ProcessGroup, optional
        By default the one that is seen; without any, this process alone.

    Raises
    ------
    TypeError
        For parameters that are sharded, unless the module is given and that was done by
        ``fully_shard``; for ``FullyShardedDataParallel``; if ``process_group`` is no such group.
    ValueError
        If parts of the model have different groups, or this process is not in the group, or
        batch normalisation is synchronised.
    """
    modules = [] if module is None else list(module.modules())
    own = [parameter for part in modules for parameter in part._parameters.values()]
    sharded = [parameter for parameter in own if parameter is not None and is_sharded(parameter)]
    if any(type(part).__name__ == "FullyShardedDataParallel" for part in modules):
        raise TypeError(
            "model must not be wrapped by FullyShardedDataParallel, whose parameters cannot be "
            "differentiated twice; got one that is: use fully_shard"
        )
    meshes = _meshes(sharded, modules)
    if not meshes:
        refuse_sharded(parameters)
    groups = {part.process_group for part in modules if isinstance(part, DistributedDataParallel)}
    if len(groups) + len(meshes) > 1 or (meshes and process_group is not None):
        raise ValueError(
            "model must be trained by one group of processes; got "
            f"{len(groups)} of DistributedDataParallel, {len(meshes)} of fully_shard"
            + (" and process_group" if process_group is not None else "")
        )
    if meshes:
        processes = Processes(tuple(meshes[0].get_all_groups()))
    else:
        found = groups.pop() if process_group is None and groups else process_group
        processes = Processes() if found is None else Processes((_checked_group(found),))
    if processes.count > 1 and any(
        isinstance(part, nn.SyncBatchNorm) and part.training for part in modules
    ):
        raise ValueError(
            "model must not have SyncBatchNorm in training mode, through which each process's loss "
            "depends on the others' data; got one: take readings in evaluation mode"
        )
    return processes


def device_of(parameter: Any) -> torch.device:
    """Find where a parameter is computed with, which is not where FSDP2 may keep it."""
    if not is_sharded(parameter):
        found: torch.device = parameter.device
        return found
    kind = parameter.device_mesh.device_type
    return parameter.device if parameter.device.type == kind else torch.device(kind)


@contextmanager
def as_one_model(
    module: nn.Module | None, joint: JointMeasurement
) -> Iterator[Callable[[Tensor], Tensor]]:
    """Let a module of ``DistributedDataParallel`` or ``fully_shard`` be an ordinary one.

    Within it gradients are not averaged, buffers are those that the next forward pass would use,
    and parameters that are sharded are whole: plain tensors in the module's own precision, one
    more copy of the whole model on each process. The function that it yields turns a sharded
    parameter, or any other DTensor, into the whole one.

    Hooks of ``fully_shard`` are taken out, and put back by `side_effect_free`, within which this
    must be called.
    """
    modules = [] if module is None else list(module.modules())
    gathered: dict[int, Tensor] = {}

    def whole(tensor: Tensor) -> Tensor:
        if not is_sharded(tensor):
            return tensor
        if id(tensor) in gathered:
            return gathered[id(tensor)]
        return joint.collective(lambda: _full(tensor))

    reshard(modules)
    with ExitStack() as stack:
        for part in modules:
            if isinstance(part, DistributedDataParallel):
                _share_buffers(part, joint)
                known = {name: getattr(part, name) for name in _SYNCHRONISATION}
                stack.callback(vars(part).update, known)
                vars(part).update(dict.fromkeys(known, False))
            _remove_sharding_hooks(part)
        for part in modules:
            for name, parameter in list(part._parameters.items()):
                if parameter is not None and is_sharded(parameter):
                    if id(parameter) not in gathered:
                        full = nn.Parameter(whole(parameter), parameter.requires_grad)
                        gathered[id(parameter)] = full
                    stack.callback(_set_parameter, part, name, parameter)
                    _set_parameter(part, name, gathered[id(parameter)])
        yield whole


def _meshes(sharded: Sequence[Any], modules: Sequence[nn.Module]) -> list[Any]:
    """The different meshes of sharded parameters, all of which are those of ``fully_shard``."""
    if sharded and not any(is_fully_sharded(part) for part in modules):
        refuse_sharded(sharded)
    for parameter in sharded:
        *others, last = parameter.placements
        if not (last.is_shard() and all(other.is_replicate() for other in others)):
            raise TypeError(
                "parameters must be sharded by fully_shard alone, not by tensor parallelism too; "
                f"got placements {tuple(parameter.placements)}"
            )
    meshes: list[Any] = []
    for parameter in sharded:
        if parameter.device_mesh not in meshes:
            meshes.append(parameter.device_mesh)
    return meshes


def _checked_group(process_group: Any) -> Any:
    if not (dist.is_available() and isinstance(process_group, dist.ProcessGroup)):
        allowed = "a process group, such as torch.distributed.group.WORLD"
        if dist.is_available() and process_group is dist.GroupMember.NON_GROUP_MEMBER:
            raise ValueError(f"process_group must be {allowed}, of this process; it is not in it")
        raise TypeError(f"process_group must be {allowed}; got {type(process_group).__name__}")
    return process_group


def _share_buffers(wrapper: DistributedDataParallel, joint: JointMeasurement) -> None:
    """Give all processes the first one's buffers, as the wrapper's next forward pass would."""
    if not wrapper.will_sync_module_buffers():  # type: ignore[no-untyped-call]
        return
    first = dist.get_global_rank(wrapper.process_group, 0)
    for name, buffer in wrapper.module.named_buffers():
        if name not in wrapper.parameters_to_ignore:
            joint.collective(partial(dist.broadcast, buffer, first, wrapper.process_group))


def _remove_sharding_hooks(part: nn.Module) -> None:
    for table in (part._forward_pre_hooks, part._forward_hooks):
        for key, hook in list(table.items()):
            if getattr(hook, "__module__", "").startswith(
                ("torch.distributed.fsdp.", "torch.distributed._composable.fsdp.")
            ):
                del table[key]


def _set_parameter(part: nn.Module, name: str, parameter: Any) -> None:
    if type(part).__setattr__ is nn.Module.__setattr__:
        part._parameters[name] = parameter
    else:  # recurrent layers keep a second list of their weights
        setattr(part, name, parameter)


def _full(tensor: Any) -> Tensor:
    """The whole of a DTensor, on the device of its mesh."""
    full: Tensor = tensor.detach().to(device_of(tensor)).full_tensor()
    return full
