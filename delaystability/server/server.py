"""The server's weights, and the two methods by which workers reach them: pull and push.

There is no transport in here: the same object serves processes, a Ray actor and a test.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

import torch
from torch import Tensor

from delaystability.model.arguments import checked_count
from delaystability.model.optimizer import Optimizer
from delaystability.server.entries import Entries, Entry
from delaystability.server.ledger import faults
from delaystability.server.update_rule import UpdateRule, checked_numbers

__all__ = ["ParameterServer", "Reading"]


@dataclass(frozen=True, eq=False)
class Reading:
    """Give a worker the latest weights, and the number of its next gradient.

    Attributes
    ----------
    sequence : int, the number that its gradient will have among those of this worker
    version : int, updates applied so far
    weights : tensor of shape (P,), a copy
    """

    sequence: int
    version: int
    weights: Tensor


class ParameterServer:
    """Keep weights, and apply gradients to them as they arrive.

    ``w_{t+1} = w_t - learning_rate u_t`` with u_t from the gradient that arrives as number t,
    which was computed at ``w_{version}``; its staleness is ``t - version``.

    Parameters
    ----------
    weights : tensor of shape (P,)
    optimizer : Optimizer
        With the same table for every delay, or shifted momentum (a buffer for each worker).
    learning_rate : float, above 0
        In the raw convention of ``torch.optim.SGD``; may be set between updates.

    Attributes
    ----------
    weights : tensor of shape (P,), the latest
    version : int, updates applied
    delays : sequence of int
        The staleness of every applied gradient, in order; it grows by one an update.
    entries : sequence of Entry
        The ledger, one entry of twenty bytes an update.

    Raises
    ------
    ValueError
        For weights that are no vector of finite floats, a learning rate that is not positive, or
        an optimizer whose table depends on the delay.
    """

    def __init__(self, weights: Tensor, optimizer: Optimizer, learning_rate: float) -> None:
        if weights.dim() != 1 or not weights.dtype.is_floating_point:
            raise ValueError(
                f"weights must be a vector of floats; got the shape {tuple(weights.shape)} of "
                f"{weights.dtype}"
            )
        if not bool(torch.isfinite(weights).all()):
            raise ValueError("weights must be finite; got some that are not")
        if not (isfinite(learning_rate) and learning_rate > 0):
            raise ValueError(f"learning_rate must be a number > 0; got {learning_rate!r}")
        self.weights = weights.detach().cpu().clone()
        self.learning_rate = float(learning_rate)
        self.optimizer = optimizer
        self._rule = UpdateRule(optimizer, len(weights), weights.dtype)
        self._start(Entries(), {})

    def _start(self, entries: Entries, sequences: Mapping[int, int]) -> None:
        self.entries, self.delays = entries, entries.delays
        self._sequences, self._handed = dict(sequences), dict[int, int]()

    @property
    def version(self) -> int:
        """Updates applied so far."""
        return len(self.entries)

    def pull(self, worker: int) -> Reading:
        """Hand the latest weights to a worker; what it was handed before is void."""
        self._handed[worker] = self.version
        return Reading(self._sequences.get(worker, 0), self.version, self.weights.clone())

    def push(self, worker: int, sequence: int, version: int, gradient: Tensor) -> int:
        """Apply a gradient once.

        Parameters
        ----------
        worker, sequence, version : int
            As they were in the worker's last reading.
        gradient : tensor of shape (P,)

        Returns
        -------
        int
            Its staleness: the updates between the weights it was computed at and those it is
            applied to.

        Raises
        ------
        ValueError
            If it does not answer the worker's last reading (one that was pushed before, or a
            version that is still to come, for example), or has another shape or dtype, or a number
            that is not finite. Nothing is applied then.
        TypeError
            If the gradient is not a tensor.
        """
        self._check_reading(worker, sequence, version)
        self._check_gradient(gradient)
        staleness = self.version - version
        update = self._rule.update(gradient.detach().cpu(), worker)
        self.weights.add_(update, alpha=-self.learning_rate)
        self.entries.append(Entry(self.version, worker, sequence, version, staleness))
        self._sequences[worker] = sequence + 1
        del self._handed[worker]
        return staleness

    def _check_reading(self, worker: int, sequence: int, version: int) -> None:
        for name, value in (("worker", worker), ("sequence", sequence), ("version", version)):
            checked_count(name, value, 0)
        wanted = (self._sequences.get(worker, 0), self._handed.get(worker))
        if (sequence, version) == wanted:
            return
        if sequence < wanted[0]:
            why = ": that gradient was applied before"
        elif version > self.version:
            why = f": there are {self.version} updates so far"
        else:
            why = ""
        raise ValueError(
            f"push must answer the last pull of worker {worker}, (sequence, version) = "
            f"{wanted}; got {(sequence, version)}{why}"
        )

    def _check_gradient(self, gradient: Tensor) -> None:
        if not isinstance(gradient, Tensor):
            raise TypeError(f"gradient must be a tensor; got a {type(gradient).__name__}")
        if gradient.shape != self.weights.shape:
            raise ValueError(
                f"gradient must have the shape {tuple(self.weights.shape)}; "
                f"got {tuple(gradient.shape)}"
            )
        if gradient.dtype != self.weights.dtype:
            raise ValueError(f"gradient must be of {self.weights.dtype}; got {gradient.dtype}")
        finite = torch.isfinite(gradient)
        if not bool(finite.all()):
            wrong = int((~finite).sum())
            raise ValueError(
                f"gradient must be finite; got {wrong} of {gradient.numel()} numbers that are not"
            )

    def state(self) -> dict[str, Any]:
        """Everything but the ledger that a restarted server needs, for ``torch.save``."""
        return {
            "weights": self.weights,
            "learning_rate": self.learning_rate,
            "optimizer": repr(self.optimizer),
            "version": self.version,
            "sequences": dict(self._sequences),
            "rule": self._rule.state(),
        }

    def load(self, state: Mapping[str, Any], entries: Iterable[Entry]) -> None:
        """Go on from a `state` and the ledger up to it.

        Raises
        ------
        ValueError
            If they are of another run, or do not belong together. Nothing is changed then.
        """
        if missing := set(self.state()) ^ set(state):
            raise ValueError(f"checkpoint must have the fields of a server; {missing} do not fit")
        for name, own in (
            ("optimizer", repr(self.optimizer)),
            ("learning_rate", self.learning_rate),
        ):
            if state[name] != own:
                raise ValueError(
                    f"{name} must be that of the checkpoint, {state[name]!r}; got {own!r}"
                )
        known = Entries(entries)
        weights, version = state["weights"], state["version"]
        shape = tuple(getattr(weights, "shape", ()))
        if shape != self.weights.shape or len(known) != version:
            raise ValueError(
                f"checkpoint must have {len(self.weights)} weights and a ledger of "
                f"{version} updates; got {' x '.join(map(str, shape))} and {len(known)}"
            )
        checked_numbers("weights", weights, self.weights)
        if wrong := faults(known):
            raise ValueError(f"ledger must be that of the checkpoint; {wrong[0]}")
        sequences = dict(Counter(entry.worker for entry in known))
        if state["sequences"] != sequences:
            raise ValueError(
                f"checkpoint must count the gradients of its ledger, {sequences}; "
                f"got {state['sequences']!r}"
            )
        self._rule.load(state["rule"])
        self.weights = weights.clone()
        self._start(known, sequences)
