"""Delayed training of many replicas at once; the update rule is the coefficient table itself.

For each replica, with its own optimizer, delay, learning rate and samples::

    g_t     = gradient(w_{t-delay_t}; batch_t)                  w_{t-delay} = w_0 for t < delay
    u_t     = sum_j feedback_j u_{t-j} + sum_k feedforward_k g_{t-k}         zero before time 0
    w_{t+1} = w_t - learning_rate_t u_t                      rises over the warm-up, then stays

Past iterates, updates and gradients lie in ring buffers, see `ring`; each replica reads them at its
own lags and keeps its own clock, so that replicas may take different numbers of steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from delaystability.model.delay_schedule import delay_sequence
from delaystability.validation.replica import Replica as Replica
from delaystability.validation.replica import Rows, Rules
from delaystability.validation.ring import Ring
from delaystability.validation.schedule import Batches, batch_rows

__all__ = ["Gradient", "Replica", "Rules", "State", "advance", "freeze", "initial_state"]

Gradient = Callable[..., Tensor]
"""From parameters (r, P), and with batches also their samples (r, B), to gradients (r, P)."""

_BLOCK = 1024  # steps whose ring rows are computed together, before the inner loop
_BLOCK_SAMPLES = 2**21  # sample indices that are held at a time


@dataclass(frozen=True)
class State(Rows):
    """Everything that the next step needs.

    Attributes
    ----------
    clock : integer tensor of shape (R,), updates done
    alive : boolean tensor of shape (R,), false once diverged
    parameters : tensor of shape (R, P)
    iterates, updates, gradients : tensors of shape (R, length, P), the ring buffers
    """

    clock: Tensor
    alive: Tensor
    parameters: Tensor
    iterates: Tensor
    updates: Tensor
    gradients: Tensor


def initial_state(rules: Rules, parameters: Tensor) -> State:
    """The state at time 0: every past iterate is the initial one, every past update zero.

    Parameters
    ----------
    rules : Rules
    parameters : tensor of shape (R, P)
    """
    replicas, size = parameters.shape
    if replicas != len(rules.longest_delay):
        raise ValueError(f"parameters must have {len(rules.longest_delay)} rows; got {replicas}")

    def ring(lags: Tensor) -> Tensor:
        length = int(lags.max()) + 1 if lags.numel() else 1
        return parameters.new_zeros(replicas, length, size)

    return State(
        torch.zeros_like(rules.longest_delay),
        torch.ones_like(rules.longest_delay, dtype=torch.bool),
        parameters.clone(),
        ring(rules.longest_delay) + parameters[:, None],
        ring(rules.feedback_lags),
        ring(rules.feedforward_lags),
    )


def advance(
    gradient: Gradient,
    rules: Rules,
    state: State,
    steps: Sequence[int],
    batches: Batches | None = None,
) -> State:
    """Train replica r for ``steps[r]`` updates; replicas that are not alive take none.

    Replicas are sorted by their steps, so that the batch shrinks as they finish.

    Parameters
    ----------
    gradient : Gradient
        For any number r of replicas: ``gradient(parameters)``, or ``gradient(parameters, samples)``
        with batches.
    rules, state : of the same R replicas
    steps : R integers, at least 0
    batches : Batches, optional
        Each update uses its own samples; without it, all of them.

    Returns
    -------
    State
        A new one; the old one is left as it was.
    """
    count = len(rules.longest_delay)
    if len(steps) != count or any(number < 0 for number in steps):
        raise ValueError(f"steps must be {count} integers >= 0; got {steps!r}")
    alive = state.alive.tolist()
    wanted = [int(number) if lives else 0 for number, lives in zip(steps, alive, strict=True)]
    order = sorted(range(len(wanted)), key=lambda row: -wanted[row])
    chosen = torch.tensor(order, device=state.clock.device)
    sorted_rules, sorted_state = rules.rows(chosen), state.rows(chosen)
    longest = _BLOCK
    if batches is not None:
        longest = max(1, min(_BLOCK, _BLOCK_SAMPLES // (count * batches.size)))
    done = 0
    with torch.no_grad():
        for active in range(len(order), 0, -1):
            target = wanted[order[active - 1]]
            while done < target:
                block = min(longest, target - done)
                _run(gradient, sorted_rules, sorted_state, active, block, batches)
                done += block
    # Where the order was right, it needs no second copy.
    return sorted_state if order == sorted(order) else sorted_state.rows(torch.argsort(chosen))


def freeze(state: State, diverged: Tensor) -> State:
    """Mark replicas (boolean tensor of shape (R,)) as diverged: they are not trained any more."""
    return replace(state, alive=state.alive & ~diverged)


def _run(
    gradient: Gradient,
    rules: Rules,
    state: State,
    active: int,
    steps: int,
    batches: Batches | None,
) -> None:
    """Advance the first ``active`` replicas by ``steps``, in place."""
    parameters, clock = state.parameters[:active], state.clock[:active]
    starts = clock.tolist()
    times = clock + torch.arange(steps, device=clock.device)[:, None]
    iterates, updates, gradients = (
        Ring(ring[:active], starts, times)
        for ring in (state.iterates, state.updates, state.gradients)
    )
    stale_rows = iterates.rows(_delays(rules, starts, steps))
    stale = torch.empty_like(parameters)
    feedback = updates.terms(rules.feedback[:active], rules.feedback_lags[:active])
    feedforward = gradients.terms(rules.feedforward[:active], rules.feedforward_lags[:active])
    samples: list[tuple[Tensor, ...]] = [()] * steps
    if batches is not None:
        drawn = torch.from_numpy(batch_rows(batches, rules.seeds[:active], starts, steps))
        samples = [(rows,) for rows in drawn.to(clock.device)]
    remembers_gradients = state.gradients.shape[1] > 1
    # Without memory of gradients all feedforward terms have the lag 0.
    at_once = rules.feedforward[:active].sum(dim=1, keepdim=True) * (not remembers_gradients)
    rates = _rates(rules, starts, times)
    for step in range(steps):
        iterates.write(step, parameters)
        torch.index_select(iterates.flat, 0, stale_rows[step], out=stale)
        fresh = gradient(stale, *samples[step])
        update = torch.mul(fresh, at_once, out=updates.place(step))
        if remembers_gradients:
            gradients.write(step, fresh)
            for coefficient, read in feedforward:
                update.addcmul_(coefficient, read(step))
        for coefficient, read in feedback:
            update.addcmul_(coefficient, read(step))
        updates.write(step, update)
        parameters.addcmul_(rates[step], update, value=-1)
    clock += steps


def _rates(rules: Rules, starts: Sequence[int], times: Tensor) -> Sequence[Tensor]:
    """The learning rates (r, 1) of each of the next updates."""
    active, full = len(starts), rules.learning_rate[: len(starts)]
    warm_up = rules.warm_up[:active]
    if all(start >= length for start, length in zip(starts, warm_up.tolist(), strict=True)):
        return [full] * len(times)
    shares = ((times + 1) / warm_up.clamp(min=1)).clamp(max=1)
    return list(shares.to(full)[..., None] * full)


def _delays(rules: Rules, starts: Sequence[int], steps: int) -> Tensor:
    """The delays of the next updates of the first ``len(starts)`` replicas, (steps or 1, r)."""
    delays, device = rules.delays[: len(starts)], rules.longest_delay.device
    if all(delay.is_fixed for delay in delays):
        return rules.longest_delay[: len(starts)][None]
    columns = [
        delay_sequence(delay, seed, start, steps)
        for delay, seed, start in zip(delays, rules.seeds, starts, strict=False)
    ]
    return torch.from_numpy(np.stack(columns, axis=1)).to(device)
