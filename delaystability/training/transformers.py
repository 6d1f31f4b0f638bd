"""The stability monitor as a callback of Hugging Face's ``Trainer``.

Needs the packages ``transformers`` and ``accelerate``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from delaystability.training.stability_monitor import StabilityMonitor

try:
    from transformers import Trainer, TrainerCallback
except ImportError as error:
    raise ImportError(
        "delaystability.training.transformers needs transformers and accelerate: "
        "pip install transformers accelerate"
    ) from error

__all__ = ["StabilityCallback"]


class StabilityCallback(TrainerCallback):
    """Make a reading every few updates and log it, as ``stability/ratio`` and so on.

    ::

        trainer.add_callback(
            StabilityCallback(trainer, batches, every=100, preconditioner="adam")
        )

    The trainer's own optimizer is AdamW unless it was given another: then its preconditioner is
    needed. The numbers go through ``trainer.log`` to its ``log_history`` and all its reporters.
    Readings are made after the updates whose number (``global_step``) is a multiple of ``every``.
    With several processes they are of the mean of all processes' losses, under
    ``DistributedDataParallel`` and FSDP of version 2; version 1 is refused.

    Parameters
    ----------
    trainer : Trainer
    batches : iterable of batches
        The mean loss of these is measured, one at a time. A fixed list, made for example by the
        trainer's ``data_collator``: the trainer does not show its callbacks the current batch.
    loss : callable, optional
        ``loss(model, batch)``, a tensor. By default the trainer's ``compute_loss``.
    **options
        Of `StabilityMonitor`: every, optimizer, delay, preconditioner, near, beyond, ...

    Attributes
    ----------
    monitor : StabilityMonitor or None
        From the start of training on; with ``history``, ``table()`` and so on.
    """

    def __init__(
        self,
        trainer: Trainer,
        batches: Iterable[Any],
        *,
        loss: Callable[[Any, Any], Tensor] | None = None,
        **options: Any,
    ) -> None:
        self.monitor: StabilityMonitor | None = None
        self._trainer = trainer
        self._batches = batches
        self._loss = loss
        self._options = options

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Make the monitor, which refuses an unknown optimizer here and not in mid-run."""
        wrapper = self._trainer.model_wrapped
        model = wrapper if isinstance(wrapper, DistributedDataParallel) else kwargs["model"]
        self.monitor = StabilityMonitor(model, kwargs["optimizer"], **self._options)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Make a reading if one is due."""
        if self.monitor is None:
            return
        model = kwargs["model"]
        reading = self.monitor.step(lambda: self._losses(model), state.global_step)
        if reading is not None:
            wanted = control.should_log
            self._trainer.log(reading.metrics())
            # The trainer believes that this was its own log of the step.
            control.should_log = wanted

    def _losses(self, model: Any) -> Iterator[Tensor]:
        for batch in self._batches:
            yield self._value(model, batch)

    def _value(self, model: Any, batch: Any) -> Tensor:
        # Moves the batch to the device, and into new mappings, as training does.
        inputs = self._trainer._prepare_inputs(batch)
        with self._trainer.compute_loss_context_manager():
            if self._loss is not None:
                return self._loss(model, inputs)
            value: Tensor = self._trainer.compute_loss(model, inputs)
            return value
