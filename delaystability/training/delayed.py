"""A queue of gradients in front of any torch optimizer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.optim.optimizer import _global_optimizer_post_hooks, _global_optimizer_pre_hooks

from delaystability.model.arguments import checked_count
from delaystability.model.delays import Delay
from delaystability.model.pipelines import PipelineSchedule
from delaystability.training.delayed_state import (
    DELAY,
    SEED,
    WARMUP,
    checked_delayed_state,
    with_queues,
)
from delaystability.training.due_times import DueTimes, checked_delay, checked_warmup
from delaystability.training.gradient_cohort import Arrival
from delaystability.training.group_delays import common_delay, group_delays
from delaystability.training.inner_optimizer import checked_inner, load_inner, put_in_front
from delaystability.training.late_gradients import Arrivals, LateGradients
from delaystability.training.lent_gradients import LentGradients
from delaystability.training.probing_step import is_probing_step
from delaystability.training.saved_state import on_one_line
from delaystability.training.scalars import checked_device, checked_dtype

__all__ = ["Delayed", "delayed"]

_GLOBAL_HOOKS = (_global_optimizer_pre_hooks, _global_optimizer_post_hooks)


def delayed(
    torch_optimizer: torch.optim.Optimizer,
    delay: int | Delay | PipelineSchedule | list[Any] | tuple[Any, ...] = 4,
    *,
    warmup: str = "hold",
    seed: int = 0,
    queue_dtype: torch.dtype | None = None,
    queue_device: torch.device | str | None = None,
) -> Delayed:
    """Train with any torch optimizer, whose gradients are applied late.

    ::

        optimizer = ds.delayed(torch.optim.AdamW(model.parameters(), 1e-3), delay=4)

    At step t the fresh gradient g_t, taken at w_t, enters a queue, and the optimizer makes its step
    with the one of ``delay_t`` steps ago, ``g_{t-delay_t}``. Its moments, its bias corrections and
    its weight decay act then, on the present weights.

    Parameters
    ----------
    torch_optimizer : torch.optim.Optimizer
        Any that makes one update from the gradients in ``parameter.grad``: of torch (not LBFGS,
        which calls the loss several times an update), or of another package.
    delay : int, delay object, pipeline schedule, or list with one for each parameter group
        In steps, 0 to 100,000. A random delay is drawn for each step; one without a largest value
        is cut where 1e-12 of it is left; a measured one is replayed in its order and repeated at
        its end. The stages of a schedule such as ``ds.PipeDream(8)`` are the groups in their order.
        A group's own entry ``"delay"`` counts before one delay for all, unless an earlier queue
        left it there.
    warmup : "hold" or "wait"
        What is done while the gradient that is due is older than the first one. "hold": the first
        gradient, that of w_0, is applied in each of these steps. "wait": in the first steps, as
        many as the longest delay of a group, nothing is applied; then delay_0, delay_1, ... follow.
        That is the convention of a server with round-robin workers, which begin with different
        batches at w_0.
    seed : int, at least 0
        Decides random delays. Groups with the same delay draw the same delays.
    queue_dtype : torch.dtype, optional
        In which real gradients wait, such as ``torch.bfloat16``, for half the memory.
    queue_device : torch.device or str, optional
        Where they wait, such as ``"cpu"``.

    Returns
    -------
    Delayed
        A ``torch.optim.Optimizer`` for schedulers, GradScaler and trainers. ``.optimizer`` is the
        given one, with which it shares ``param_groups`` and ``state``.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what is described here, or the optimizer is delayed already.

    Notes
    -----
    Memory: one gradient for each step of the longest delay. It is kept by reference where nobody
    writes into it, which is watched, else as a copy. A parameter without a gradient is skipped, and
    its queue does not move; neither does it in a step that ``torch.amp.GradScaler`` skips.

    References
    ----------
    N. Giladi et al., At stability's edge, ICLR 2020, arXiv:1909.12340.
    """
    return Delayed(
        torch_optimizer,
        delay,
        warmup=warmup,
        seed=seed,
        queue_dtype=queue_dtype,
        queue_device=queue_device,
    )


class Delayed(torch.optim.Optimizer):
    """Keep a queue of gradients in front of a torch optimizer; `delayed` makes one.

    Parameters
    ----------
    torch_optimizer, delay, warmup, seed, queue_dtype, queue_device
        See `delayed`.

    Attributes
    ----------
    optimizer : torch.optim.Optimizer
        The inner one, which makes the updates. Its groups have the entries ``delay``,
        ``delay_warmup`` and ``delay_seed``.
    """

    optimizer: torch.optim.Optimizer
    _default: dict[str, Any]
    _late: LateGradients

    def __init__(
        self,
        torch_optimizer: torch.optim.Optimizer,
        delay: Any = 4,
        *,
        warmup: str = "hold",
        seed: int = 0,
        queue_dtype: torch.dtype | None = None,
        queue_device: torch.device | str | None = None,
    ) -> None:
        inner = checked_inner(torch_optimizer)
        delays = group_delays(delay, inner.param_groups)
        device = None if queue_device is None else checked_device("queue_device", queue_device)
        settings = {WARMUP: checked_warmup(warmup), SEED: checked_count("seed", seed, 0)}
        for group, own in zip(inner.param_groups, delays, strict=True):
            group.update(settings | {DELAY: own})
        self.__setstate__(
            {
                "optimizer": inner,
                "_default": settings | common_delay(delay),
                "_late": LateGradients(checked_dtype("queue_dtype", queue_dtype), device),
            }
        )

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """Parameter groups of the inner optimizer: the list itself."""
        return self.optimizer.param_groups

    @param_groups.setter
    def param_groups(self, groups: list[dict[str, Any]]) -> None:
        self.optimizer.param_groups = groups

    @property
    def state(self) -> Any:
        """State of the inner optimizer: the dict itself, without the queues."""
        return self.optimizer.state

    @state.setter
    def state(self, state: Any) -> None:
        self.optimizer.state = state

    @property
    def defaults(self) -> dict[str, Any]:  # type: ignore[override]
        """Defaults of the inner optimizer."""
        return self.optimizer.defaults

    def __getstate__(self) -> dict[str, Any]:
        """All but what is worked out anew: hooks, drawn delays, and which gradients are shared."""
        kept = ("optimizer", "_default", "_late")
        return {name: self.__dict__[name] for name in kept}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore from a copy or a pickle."""
        super().__setstate__(state)
        put_in_front(self.optimizer, self)
        self._times: dict[int, DueTimes] = {}
        self._lent = LentGradients()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.optimizer!r})"

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group of parameters to the inner optimizer.

        Parameters
        ----------
        param_group : dict
            ``params``, arguments of the inner optimizer, and ``delay``, which may be left out if
            all groups were given one delay.

        Raises
        ------
        TypeError, ValueError
            As for `delayed` and the inner optimizer.
        """
        if isinstance(param_group, dict):
            self._complete(param_group)
        self.optimizer.add_param_group(param_group)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Reset the gradients of all parameters; those in the queue stay as they are.

        Parameters
        ----------
        set_to_none : bool
            Whether to drop them, or to fill them with zeros in place.
        """
        if not set_to_none:
            self._late.copy_shared()
        self._late.free()
        self.optimizer.zero_grad(set_to_none=set_to_none)

    @torch.compiler.disable(recursive=False)  # type: ignore[no-untyped-call,untyped-decorator]
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Queue the fresh gradients and let the optimizer make a step with those that are due.

        Afterwards each ``parameter.grad`` is the fresh gradient again.

        Parameters
        ----------
        closure : callable, optional
            Evaluates the model again, once, and returns the loss.

        Returns
        -------
        float or None
            What the closure returned.

        Raises
        ------
        ValueError
            If a group's delay was changed to one that needs a queue of another length.
        RuntimeError
            If a gradient in the queue was seen to be written into, or the step is captured in a
            CUDA graph. Writes that torch does not count, as by ``.data``, are seen by samples.
        """
        hooks = (self._optimizer_step_pre_hooks, self._optimizer_step_post_hooks)
        profiled = torch.autograd.profiler._is_profiler_enabled
        if not (profiled or any(hooks) or any(_GLOBAL_HOOKS)):
            return self._step(closure)
        return self._step_with_hooks(*(() if closure is None else (closure,)))

    # The optimizer inside has a record of its own for the profiler, and torch's takes long.
    step.hooked = True

    # The inner step is still compiled, if that is asked for.
    @torch.compiler.disable(recursive=False)  # type: ignore[no-untyped-call,untyped-decorator]
    def _step(self, closure: Callable[[], float] | None = None) -> float | None:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        probing = is_probing_step(self.optimizer)
        arrivals = self._exchange()
        if probing:
            # Its state, queues too, is there afterwards, and nothing waits in them.
            arrivals.put_back()
            self.optimizer.step()
            return loss
        try:
            if not arrivals.waiting:
                self.optimizer.step()
        finally:
            arrivals.put_back()
        if arrivals.late:
            self._enter(arrivals.late)
        for cohort in arrivals.prompt:
            cohort.enter([])
        return loss

    _step_with_hooks = torch.optim.Optimizer.profile_hook_step(_step)

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
        steps = self._late.steps(self.param_groups[group]["params"])
        return self._times_of(group).applied(steps, start)

    def state_dict(self) -> dict[str, Any]:
        """Save the state as plain data, which ``torch.load(weights_only=True)`` reads.

        Returns
        -------
        dict
            That of the inner optimizer; the entries of the queues are ``delayed_step``,
            ``delayed_gradient_0``, ... of each parameter, and ``delay`` of a group is a dict.
        """
        for pre_hook in self._optimizer_state_dict_pre_hooks.values():
            pre_hook(self)
        state_dict = with_queues(self.optimizer.state_dict(), self.param_groups, self._late.queues)
        for post_hook in self._optimizer_state_dict_post_hooks.values():
            state_dict = post_hook(self, state_dict) or state_dict
        return state_dict

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a state; training goes on as if it had not been interrupted, bit for bit.

        Parameters
        ----------
        state_dict : dict
            From `state_dict`. Its delays replace the present ones.

        Raises
        ------
        ValueError
            If its groups differ, it is of another optimizer, or a field has a value that is not
            allowed: delays, clocks, and the number, shape and type of the queued gradients.
            Nothing is changed then.
        """
        state_dict = dict(state_dict) if isinstance(state_dict, dict) else state_dict
        for pre_hook in self._optimizer_load_state_dict_pre_hooks.values():
            state_dict = pre_hook(self, state_dict) or state_dict
        loaded = on_one_line(
            lambda: checked_delayed_state(
                state_dict, self.param_groups, lambda group: _times(group).longest, self._late.dtype
            )
        )
        on_one_line(lambda: load_inner(self.optimizer, loaded.inner))
        self._late.load(loaded.queues)
        self.__setstate__({})
        for post_hook in self._optimizer_load_state_dict_post_hooks.values():
            post_hook(self)

    def _complete(self, group: dict[str, Any]) -> None:
        """Give a new group the entries it lacks."""
        entries = self._default | {k: v for k, v in group.items() if k in (DELAY, WARMUP, SEED)}
        if DELAY not in entries:
            raise ValueError(
                "param_group must have the entry 'delay', as every group was given its own; got "
                f"none for group {len(self.param_groups)}"
            )
        group.update(entries | {DELAY: checked_delay(entries[DELAY])})

    def _times_of(self, index: int) -> DueTimes:
        """The due times of a group, made again if its entries were changed."""
        group, known = self.optimizer.param_groups[index], self._times.get(index)
        if DELAY not in group or WARMUP not in group or SEED not in group:
            self._complete(group)
        if known is None or not known.are_of(group[DELAY], group[SEED], group[WARMUP]):
            group[DELAY] = checked_delay(group[DELAY])
            known = self._times[index] = _times(group)
        return known

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def _exchange(self) -> Arrivals:
        """Put the gradients that are due in the place of the fresh ones."""
        groups = enumerate(self.optimizer.param_groups)
        arrivals = self._late.arrivals([(one["params"], self._times_of(k)) for k, one in groups])
        try:
            for arrival in arrivals.late:
                due = arrival.due
                if due is not None and (arrival.again or arrival.cohort.references.repeats):
                    due = self._lent.lend(due)
                arrival.put(due)
        except BaseException:
            arrivals.put_back()
            raise
        return arrivals

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def _enter(self, arrivals: list[Arrival]) -> None:
        """Queue the fresh gradients."""
        if self._lent.lent:
            self._lent.take_back()
        for arrival in arrivals:
            self._late.enter(arrival)


def _times(group: Mapping[str, Any]) -> DueTimes:
    return DueTimes(group[DELAY], group[SEED], group[WARMUP])
