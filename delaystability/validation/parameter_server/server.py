"""The server's weights, and the two methods by which workers reach them: pull and push.

There is no transport in here: the same object serves Gloo, a Ray actor and a test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from torch import Tensor

from delaystability.optimizer import Optimizer
from delaystability.validation.parameter_server.ledger import Entry
from delaystability.validation.parameter_server.update_rule import UpdateRule

__all__ = ["ParameterServer", "Reading"]


@dataclass(frozen=True, eq=False)
class Reading:
    """What a worker gets.

    Attributes
    ----------
    sequence : int, the number that its gradient will have among the worker's own
    version : int, updates applied so far
    weights : tensor of shape (P,), a copy
    """

    sequence: int
    version: int
    weights: Tensor


class ParameterServer:
    """Weights to which gradients are applied as they arrive.

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
    delays : list of int
        The staleness of every applied gradient, in order; it grows by one an update.
    entries : list of Entry
        The ledger, one entry an update.

    Raises
    ------
    ValueError
        For weights that are no vector, a learning rate that is not positive, or an optimizer whose
        table depends on the delay.
    """

    def __init__(self, weights: Tensor, optimizer: Optimizer, learning_rate: float) -> None:
        if weights.dim() != 1 or not weights.dtype.is_floating_point:
            raise ValueError(
                f"weights must be a vector of floats; got the shape {tuple(weights.shape)} of "
                f"{weights.dtype}"
            )
        if not (isfinite(learning_rate) and learning_rate > 0):
            raise ValueError(f"learning_rate must be a number > 0; got {learning_rate!r}")
        self.weights = weights.detach().cpu().clone()
        self.learning_rate = float(learning_rate)
        self.optimizer = optimizer
        self.delays: list[int] = []
        self.entries: list[Entry] = []
        self._rule = UpdateRule(optimizer, len(weights), weights.dtype)
        self._sequences: dict[int, int] = {}
        self._handed: dict[int, int] = {}

    @property
    def version(self) -> int:
        """Updates applied so far."""
        return len(self.delays)

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
            If it does not answer the worker's last reading (one that was pushed before, for
            example), or has another shape. Nothing is applied then.
        """
        wanted = (self._sequences.get(worker, 0), self._handed.get(worker))
        if (sequence, version) != wanted:
            raise ValueError(
                f"push must answer the last pull of worker {worker}, (sequence, version) = "
                f"{wanted}; got {(sequence, version)}"
            )
        if gradient.shape != self.weights.shape:
            raise ValueError(
                f"gradient must have the shape {tuple(self.weights.shape)}; "
                f"got {tuple(gradient.shape)}"
            )
        staleness = self.version - version
        update = self._rule.update(gradient.to(self.weights), worker)
        self.weights.add_(update, alpha=-self.learning_rate)
        self.entries.append(Entry(self.version, worker, sequence, version, staleness))
        self.delays.append(staleness)
        self._sequences[worker] = sequence + 1
        del self._handed[worker]
        return staleness

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

    def load(self, state: Mapping[str, Any], entries: list[Entry]) -> None:
        """Go on from a `state` and the ledger up to it.

        Raises
        ------
        ValueError
            If they are of another run.
        """
        for name, own in (
            ("optimizer", repr(self.optimizer)),
            ("learning_rate", self.learning_rate),
        ):
            if state[name] != own:
                raise ValueError(
                    f"{name} must be that of the checkpoint, {state[name]!r}; got {own!r}"
                )
        if state["weights"].shape != self.weights.shape or len(entries) != state["version"]:
            raise ValueError(
                f"checkpoint must have {len(self.weights)} weights and a ledger of "
                f"{state['version']} updates; got {len(state['weights'])} and {len(entries)}"
            )
        self.weights = state["weights"].clone()
        self.entries = list(entries)
        self.delays = [entry.staleness for entry in entries]
        self._sequences = dict(state["sequences"])
        self._handed = {}
        self._rule.load(state["rule"])
