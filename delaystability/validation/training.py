"""Delayed training of many replicas at once; the update rule is the coefficient table itself.

For each replica, with its own optimizer, delay and learning rate::

    g_t     = gradient(w_{t-delay})                               w_{t-delay} = w_0 for t < delay
    u_t     = sum_j feedback_j u_{t-j} + sum_k feedforward_k g_{t-k}         zero before time 0
    w_{t+1} = w_t - learning_rate u_t

Past iterates, updates and gradients lie in ring buffers with the rows (replica, time mod length);
each replica reads them at its own lags and keeps its own clock, so that replicas may take
different numbers of steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from math import isfinite
from typing import Self

import torch
from torch import Tensor

from delaystability.delays import FixedDelay
from delaystability.optimizers import Optimizer, Term

__all__ = ["Replica", "Rules", "State", "advance", "freeze", "initial_state"]

_BLOCK = 1024  # steps whose ring rows are computed together, before the inner loop


@dataclass(frozen=True)
class Replica:
    """How one replica is trained.

    Parameters
    ----------
    optimizer : Optimizer with numbers as coefficients
    delay : int, at least 0, in updates
    learning_rate : float, above 0, in the raw convention of ``torch.optim.SGD``
    """

    optimizer: Optimizer
    delay: int
    learning_rate: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "delay", FixedDelay(self.delay).delay)
        if not (isfinite(self.learning_rate) and self.learning_rate > 0):
            raise ValueError(f"learning_rate must be a number > 0; got {self.learning_rate!r}")


class _Rows:
    """Row-wise selection for frozen data classes whose fields are tensors of R rows."""

    def rows(self, chosen: Tensor) -> Self:
        """The same for the chosen replicas, in the chosen order (a copy)."""
        picked = {
            entry.name: getattr(self, entry.name).index_select(0, chosen)
            for entry in fields(self)  # type: ignore[arg-type]
        }
        return replace(self, **picked)  # type: ignore[type-var]


@dataclass(frozen=True)
class Rules(_Rows):
    """The replicas' coefficient tables, padded with zero coefficients to equal length.

    Attributes
    ----------
    learning_rate : tensor of shape (R, 1)
    delay : integer tensor of shape (R,)
    feedback_lags, feedforward_lags : integer tensors of shapes (R, J) and (R, K)
    feedback, feedforward : tensors of shapes (R, J) and (R, K)
    """

    learning_rate: Tensor
    delay: Tensor
    feedback_lags: Tensor
    feedback: Tensor
    feedforward_lags: Tensor
    feedforward: Tensor

    @staticmethod
    def pack(
        replicas: Sequence[Replica],
        *,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float64,
    ) -> Rules:
        """Pack each replica's ``optimizer.coefficients(delay)``."""
        if not replicas:
            raise ValueError("replicas must hold at least one replica; got none")
        tables = [replica.optimizer.coefficients(replica.delay) for replica in replicas]
        rates = [[float(replica.learning_rate)] for replica in replicas]
        return Rules(
            torch.tensor(rates, device=device, dtype=dtype),
            torch.tensor([replica.delay for replica in replicas], device=device),
            *_padded([table.feedback for table in tables], 1, device, dtype),
            *_padded([table.feedforward for table in tables], 0, device, dtype),
        )


@dataclass(frozen=True)
class State(_Rows):
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
    if replicas != len(rules.delay):
        raise ValueError(f"parameters must have {len(rules.delay)} rows; got {replicas}")

    def ring(lags: Tensor) -> Tensor:
        length = int(lags.max()) + 1 if lags.numel() else 1
        return parameters.new_zeros(replicas, length, size)

    return State(
        torch.zeros_like(rules.delay),
        torch.ones_like(rules.delay, dtype=torch.bool),
        parameters.clone(),
        ring(rules.delay) + parameters[:, None],
        ring(rules.feedback_lags),
        ring(rules.feedforward_lags),
    )


def advance(
    gradient: Callable[[Tensor], Tensor], rules: Rules, state: State, steps: Sequence[int]
) -> State:
    """Train replica r for ``steps[r]`` updates; replicas that are not alive take none.

    Replicas are sorted by their steps, so that the batch shrinks as they finish.

    Parameters
    ----------
    gradient : map from tensors (r, P) to tensors (r, P), for any number r of replicas
    rules, state : of the same R replicas
    steps : R integers, at least 0

    Returns
    -------
    State
        A new one; the old one is left as it was.
    """
    if len(steps) != len(rules.delay) or any(count < 0 for count in steps):
        raise ValueError(f"steps must be {len(rules.delay)} integers >= 0; got {steps!r}")
    alive = state.alive.tolist()
    wanted = [int(count) if lives else 0 for count, lives in zip(steps, alive, strict=True)]
    order = sorted(range(len(wanted)), key=lambda row: -wanted[row])
    chosen = torch.tensor(order, device=state.clock.device)
    sorted_rules, sorted_state = rules.rows(chosen), state.rows(chosen)
    done = 0
    with torch.no_grad():
        for active in range(len(order), 0, -1):
            target = wanted[order[active - 1]]
            while done < target:
                block = min(_BLOCK, target - done)
                _run(gradient, sorted_rules, sorted_state, active, block)
                done += block
    return sorted_state.rows(torch.argsort(chosen))


def freeze(state: State, diverged: Tensor) -> State:
    """Mark replicas (boolean tensor of shape (R,)) as diverged: they are not trained any more."""
    return replace(state, alive=state.alive & ~diverged)


def _run(
    gradient: Callable[[Tensor], Tensor], rules: Rules, state: State, active: int, steps: int
) -> None:
    """Advance the first ``active`` replicas by ``steps``, in place."""
    parameters, rate = state.parameters[:active], rules.learning_rate[:active]
    clock = state.clock[:active]
    times = clock + torch.arange(steps, device=clock.device)[:, None]
    iterates, updates, gradients = (
        ring[:active].view(-1, ring.shape[-1])
        for ring in (state.iterates, state.updates, state.gradients)
    )
    iterate_rows = _ring_rows(times, state.iterates.shape[1])
    update_rows = _ring_rows(times, state.updates.shape[1])
    gradient_rows = _ring_rows(times, state.gradients.shape[1])
    stale_rows = _ring_rows(times - rules.delay[:active], state.iterates.shape[1])
    feedback = _terms(rules.feedback, rules.feedback_lags, times, state.updates.shape[1])
    feedforward = _terms(rules.feedforward, rules.feedforward_lags, times, state.gradients.shape[1])
    feedback_terms, feedforward_terms = list(feedback), list(feedforward)
    for step in range(steps):
        iterates.index_copy_(0, iterate_rows[step], parameters)
        stale = iterates.index_select(0, stale_rows[step])
        gradients.index_copy_(0, gradient_rows[step], gradient(stale))
        update = torch.zeros_like(parameters)
        for coefficient, rows in feedback_terms:
            update.addcmul_(coefficient, updates.index_select(0, rows[step]))
        for coefficient, rows in feedforward_terms:
            update.addcmul_(coefficient, gradients.index_select(0, rows[step]))
        updates.index_copy_(0, update_rows[step], update)
        parameters.addcmul_(rate, update, value=-1)
    clock += steps


def _ring_rows(times: Tensor, length: int) -> Tensor:
    """Row of each (step, replica) in a flattened ring of this length; times may be negative."""
    return torch.arange(times.shape[1], device=times.device) * length + times.remainder(length)


def _terms(
    coefficients: Tensor, lags: Tensor, times: Tensor, length: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Each term's coefficients (r, 1) and ring rows (steps, r)."""
    active = times.shape[1]
    for term in range(lags.shape[1]):
        yield coefficients[:active, term, None], _ring_rows(times - lags[:active, term], length)


def _padded(
    tables: Sequence[tuple[Term, ...]], lag: int, device: str | torch.device, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Lags and coefficients, each of shape (R, longest table), filled with ``lag`` and zero."""
    longest = max(len(table) for table in tables)
    filled = [(*table, *[Term(lag, 0.0)] * (longest - len(table))) for table in tables]
    lags = [[int(term.lag) for term in table] for table in filled]
    values = [[float(term.coefficient) for term in table] for table in filled]
    shape = (len(tables), longest)
    return (
        torch.tensor(lags, device=device, dtype=torch.int64).reshape(shape),
        torch.tensor(values, device=device, dtype=dtype).reshape(shape),
    )
