"""A torch optimizer whose gradients arrive late: any settings becomes a delayed one by one line."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from delaystability.model.arguments import checked_count
from delaystability.model.catalogue import HeavyBall, Optimizer
from delaystability.model.delays import Delay, as_delay
from delaystability.training.gradient_queue import (
    queue_of,
    refuse_graph_capture,
    ring_row,
    separate_rows,
)
from delaystability.training.gradient_references import GradientReferences
from delaystability.training.group_settings import GroupSettings, checked_settings, with_momentum
from delaystability.training.optimizer_state import checked_optimizer_state
from delaystability.training.plain_data import plain_delay
from delaystability.training.probing_step import is_probing_step
from delaystability.training.scalars import unless_on_device
from delaystability.training.tensor_lists import AllAtOnce, OneByOne

__all__ = ["DelayedOptimizer"]


class DelayedOptimizer(torch.optim.Optimizer):
    """Train with any optimizer of the catalogue, whose gradients are applied late.

    At step t the fresh gradient g_t, taken at w_t, enters a queue, and the one of ``delay_t`` steps
    ago leaves it (`weight_decay` and `maximize` act when it is applied)::

        x_t     = g_{t-delay_t} + weight_decay w_t
        u_t     = sum_j feedback_j u_{t-j} + sum_k feedforward_k x_{t-k}
        w_{t+1} = w_t - lr u_t

    At delay 0 this is ``torch.optim.SGD`` in all its modes: bit for bit with no momentum and with
    heavy ball, else to rounding. Its ``dampening`` d is ``LinearOptimizer({1: m}, {0: 1 - d})``
    with ``first_update="undamped"``.

    Parameters
    ----------
    params : iterable of tensors, named tensors or parameter groups
        A group may have its own value of every argument below, as the stages of a pipeline do.
    lr : float or tensor of one element, at least 0, in the raw convention of ``torch.optim.SGD``
    optimizer : Optimizer with one number for each parameter
        Its momentum, if it has one, is also the group's entry ``"momentum"``, which schedulers such
        as ``OneCycleLR`` may change.
    delay : int, 0 to 100,000, or delay object
        In steps. A random delay is drawn for each step; one without a largest value is cut where
        1e-12 of it is left; a measured one is replayed in its order and repeated at its end.
    weight_decay : float, at least 0
        Times the present weights, not the late ones: a server has no others.
    warmup : "hold" or "wait"
        What is done while the gradient that is due is older than the first one. "hold" is the
        convention of the theory, w_{t-delay} = w_0 for t < delay: the first gradient, that of w_0,
        is applied in each of these steps. "wait": in the first steps, as many as the longest delay,
        nothing is applied and the filter does not move; then delay_0, delay_1, ... follow.
    maximize : bool
    seed : int, at least 0
        Decides random delays. Groups with the same delay and seed draw the same delays.
    foreach : bool, optional
        Whether tensors are updated together or one after the other; by default together except on
        a CPU, as torch does. Equal bits, except that torch's batched operations round the momentum
        to the type of bfloat16 and float16 parameters.
    first_update : "filtered" or "undamped"
        "undamped" makes the first update the first gradient itself, as torch's dampening does; for
        optimizers that use gradients at lag 0 only.

    Raises
    ------
    ValueError, TypeError
        If an argument is not what is described here, or if the table of the optimizer depends on a
        delay that is not fixed.

    Notes
    -----
    Memory: one copy of the parameters for each step of the longest delay, and one for each lag of
    the optimizer (one for heavy ball, none for SGD). ``state[p]`` holds ``step`` (the gradients
    that came in), ``gradient_k`` and ``filter_k`` (rings, with the row ``step mod length``). A
    gradient is kept by reference where nobody writes into it, which is watched, else as a copy.

    A parameter without a gradient is skipped, and its queue does not move. A step that
    ``torch.amp.GradScaler`` skips moves no queue.

    References
    ----------
    N. Giladi et al., At stability's edge, ICLR 2020, arXiv:1909.12340.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor,
        optimizer: Optimizer = HeavyBall(0.9),  # noqa: B008
        delay: int | Delay = 4,
        *,
        weight_decay: float = 0.0,
        warmup: str = "hold",
        maximize: bool = False,
        seed: int = 0,
        foreach: bool | None = None,
        first_update: str = "filtered",
    ) -> None:
        defaults: dict[str, Any] = {
            "lr": lr,
            "optimizer": optimizer,
            "delay": delay,
            "weight_decay": weight_decay,
            "warmup": warmup,
            "maximize": maximize,
            "seed": seed,
            "foreach": foreach,
            "first_update": first_update,
        }
        defaults |= checked_settings(defaults)
        self._settings: list[GroupSettings] = []
        self._references: dict[Tensor, GradientReferences] = {}
        super().__init__(params, defaults)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group of parameters, with its own settings or the optimizer's.

        Parameters
        ----------
        param_group : dict
            ``params``, and any argument of the class by its name.

        Raises
        ------
        ValueError, TypeError
            As for the class.
        """
        if isinstance(param_group, dict):
            known = {k: param_group.get(k, value) for k, value in self.defaults.items()}
            checked = checked_settings(known)
            if param_group.get("momentum") is not None:
                checked |= with_momentum(checked["optimizer"], param_group["momentum"])
            param_group |= checked
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        if "momentum" not in group["optimizer"].parameters:
            group.pop("momentum", None)
        self._settings.append(GroupSettings.of(group))

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore from a copy, a pickle or a state_dict."""
        super().__setstate__(state)
        self._settings = [GroupSettings.of(group) for group in self.param_groups]
        self._references = {}
        for queue in self.state.values():
            separate_rows(queue)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Reset the gradients of all parameters; those in the queue stay as they are.

        Parameters
        ----------
        set_to_none : bool
            Whether to drop them, or to fill them with zeros in place.
        """
        if not set_to_none:
            for parameter, references in self._references.items():
                queue = self.state[parameter]
                copies = references.copy_shared((name, [queue[name]]) for name in queue)
                queue |= {name: copy for name, (copy,) in copies.items()}
        super().zero_grad(set_to_none)

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Queue the fresh gradients and apply those that are due.

        Under ``torch.compile`` it runs as it is, and causes no compilation at each step.

        Parameters
        ----------
        closure : callable, optional
            Evaluates the model again and returns the loss.

        Returns
        -------
        float or None
            What the closure returned.

        Raises
        ------
        TypeError
            For a sparse gradient.
        ValueError
            If a group's delay or optimizer was changed to one that needs a queue or memory of
            another length.
        RuntimeError
            If a gradient in the queue was written into, or the step is captured in a CUDA graph.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        probing = is_probing_step(self)
        for index, group in enumerate(self.param_groups):
            settings = self._current(index)
            for lane in self._lanes(group, settings):
                if not probing:
                    _advance(lane, group, settings)
        return loss

    def applied_delays(self, group: int = 0, start: int = 0) -> NDArray[np.int64]:
        """List the delays of the gradients that were applied to a group, in order.

        During the warm-up "hold" a gradient is at most as old as the run.

        Parameters
        ----------
        group : int
            The index in ``param_groups``.
        start : int, at least 0
            The first update that is asked for.

        Returns
        -------
        integer array

        Raises
        ------
        ValueError
            If ``start`` is not an integer >= 0.
        """
        start = checked_count("start", start, 0)
        times = self._current(group).times
        states = (self.state.get(p, {}) for p in self.param_groups[group]["params"])
        steps = max((state.get("step", 0) for state in states), default=0)
        return times.applied(steps, start)

    def state_dict(self) -> dict[str, Any]:
        """Save the state as plain data, which ``torch.load(weights_only=True)`` reads.

        Returns
        -------
        dict
            As for every torch optimizer; ``optimizer`` and ``delay`` of a group are dicts.
        """
        state = super().state_dict()
        for group in state["param_groups"]:
            group["optimizer"] = group["optimizer"].to_dict()
            group["delay"] = plain_delay(as_delay(group["delay"]))
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a state; training goes on as if it had not been interrupted, bit for bit.

        Parameters
        ----------
        state_dict : dict
            From `state_dict`. Its optimizers and delays replace the present ones.

        Raises
        ------
        ValueError
            If its groups differ, it is not of a DelayedOptimizer, or a field has a value that is
            not allowed: settings, clocks, and the number, shape and type of the queued gradients.
            Nothing is changed then.
        """
        super().load_state_dict(checked_optimizer_state(state_dict, self.param_groups))

    def _current(self, index: int) -> GroupSettings:
        """The settings of a group, made again if its entries were changed."""
        group, settings = self.param_groups[index], self._settings[index]
        if settings.is_of(group):
            return settings
        changed = GroupSettings.of(group, settings)
        if changed.lengths != settings.lengths and any(p in self.state for p in group["params"]):
            raise ValueError(
                "param_groups[{}] must keep its longest delay ({}) and the longest lag of its "
                "optimizer ({}) once it has taken a step; got {} and {}".format(
                    index, *settings.lengths, *changed.lengths
                )
            )
        self._settings[index] = changed
        return changed

    def _lanes(self, group: dict[str, Any], settings: GroupSettings) -> Iterable[_Lane]:
        """The parameters that have a gradient, together where they have seen equally many."""
        lanes: dict[Any, _Lane] = {}
        for parameter in group["params"]:
            gradient = parameter.grad
            if gradient is None:
                continue
            if gradient.layout is not torch.strided:
                raise TypeError(
                    f"gradients must be dense for a DelayedOptimizer; got {gradient.layout}: "
                    "construct embeddings with sparse=False"
                )
            state = self.state[parameter]
            if not state:
                state |= queue_of(parameter, *settings.lengths)
            references = self._references.get(parameter)
            if references is None:
                references = self._references[parameter] = GradientReferences()
            references.arrived([gradient])
            key = (state["step"], parameter.device, parameter.dtype)
            lane = lanes.get(key)
            if lane is None:
                refuse_graph_capture(gradient)
                lane = lanes[key] = _Lane(state["step"], [], [], [], [])
            lane.parameters.append(parameter)
            lane.gradients.append(gradient)
            lane.states.append(state)
            lane.references.append(references)
        return lanes.values()


@dataclass(frozen=True)
class _Lane:
    """Parameters with equal clocks: lists of equal length."""

    step: int
    parameters: list[Tensor]
    gradients: list[Tensor]
    states: list[dict[str, Any]]
    references: list[GradientReferences]

    def late_gradients(self, row: str) -> list[Tensor]:
        """Those of a row of the queues."""
        pairs = zip(self.states, self.references, strict=True)
        return [references.due([state[row]], row)[0] for state, references in pairs]

    def enter(self, row: str) -> None:
        """Put the fresh gradients into a row of the queues."""
        entering = zip(self.states, self.references, self.gradients, strict=True)
        for state, references, gradient in entering:
            [state[row]] = references.kept([gradient], row)

    def ring(self, name: str, length: int) -> Callable[[int], list[Tensor]]:
        """From a time to the tensors of that row of the ring."""

        def row(time: int) -> list[Tensor]:
            key = ring_row(name, time, length)
            return [state[key] for state in self.states]

        return row


def _advance(lane: _Lane, group: dict[str, Any], settings: GroupSettings) -> None:
    """One step of parameters with equal clocks."""
    together = group["foreach"]
    if together is None:
        together = lane.parameters[0].device.type != "cpu"
    lists = AllAtOnce() if together else OneByOne()
    time, parameters, times = lane.step, lane.parameters, settings.times
    due = times.due(time)
    if due >= 0:
        applied = lane.gradients
        if due < time:
            applied = lane.late_gradients(ring_row("gradient", due, times.longest))
        if group["maximize"]:
            applied = lists.scaled(applied, -1.0)
        decay = unless_on_device(group["weight_decay"])
        if isinstance(decay, Tensor) or decay:
            applied = lists.added(applied, parameters, decay)
        filtered, factor = settings.rule.update(
            applied,
            times.update(time),
            lane.ring("filter", settings.rule.memory),
            lists,
            undamped=group["first_update"] == "undamped",
        )
        if factor:
            lists.add_(parameters, filtered, -unless_on_device(group["lr"]) * factor)
    if times.longest:
        # Only now, as this row may be the one that was due.
        lane.enter(ring_row("gradient", time, times.longest))
    for state in lane.states:
        state["step"] = time + 1
