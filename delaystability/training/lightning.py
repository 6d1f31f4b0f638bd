"""The stability monitor as a callback of Lightning's ``Trainer``.

Needs the package ``lightning``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from delaystability.training.reading import Reading
from delaystability.training.stability_monitor import StabilityMonitor

try:
    from lightning.pytorch import Callback, LightningModule, Trainer
except ImportError as error:
    raise ImportError(
        "delaystability.training.lightning needs lightning: pip install lightning"
    ) from error

__all__ = ["StabilityCallback"]

_LOGGING = ("log", "log_dict")


class StabilityCallback(Callback):
    """Make a reading every few updates and log it, as ``stability/ratio`` and so on.

    ::

        trainer = lightning.Trainer(callbacks=[StabilityCallback(every=100, delay=4)])

    The numbers go to all of the trainer's loggers and to its ``callback_metrics``. Readings are
    made after the updates whose number (``trainer.global_step``) is a multiple of ``every``. With
    several processes they are of the mean of all processes' losses, with the strategy ``"ddp"`` and
    with ``fully_shard``; a module of the strategy ``"fsdp"`` is refused.

    Parameters
    ----------
    batches : iterable of batches, optional
        Measure the mean loss of these, one at a time: a fixed list, or a DataLoader that does not
        shuffle. By default the batch that was just trained on, whose sharpness is usually larger
        than that of the whole loss.
    loss : callable, optional
        ``loss(module, batch)``, a tensor. By default the module's ``training_step`` with its
        logging muted; metrics that it updates by itself do see the batch once more.
    optimizer_index : int
        Which of the module's optimizers.
    **options
        Of `StabilityMonitor`: every, optimizer, delay, preconditioner, near, beyond, ...

    Attributes
    ----------
    monitor : StabilityMonitor or None
        From the start of training on; with ``history``, ``table()`` and so on.
    """

    def __init__(
        self,
        batches: Iterable[Any] | None = None,
        *,
        loss: Callable[[Any, Any], Tensor] | None = None,
        optimizer_index: int = 0,
        **options: Any,
    ) -> None:
        self.monitor: StabilityMonitor | None = None
        self._batches = batches
        self._loss = loss
        self._index = optimizer_index
        self._options = options
        self._last = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Make the monitor, which refuses an unknown optimizer here and not in mid-run."""
        if self._loss is None and not pl_module.automatic_optimization:
            raise ValueError(
                "loss must be given for a module with manual optimization: its training_step "
                "makes updates"
            )
        torch_optimizer = trainer.optimizers[self._index]
        wrapper = trainer.strategy.model
        model = wrapper if isinstance(wrapper, DistributedDataParallel) else pl_module
        self.monitor = StabilityMonitor(model, torch_optimizer, **self._options)
        self._last = trainer.global_step

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Make a reading if one is due."""
        number = trainer.global_step
        if self.monitor is None or number == self._last:
            return
        self._last = number

        def losses() -> Iterator[Tensor]:
            if self._batches is None:
                yield self._value(trainer, pl_module, batch, batch_idx)
                return
            for index, given in enumerate(self._batches):
                moved = trainer.strategy.batch_to_device(given, dataloader_idx=0)
                yield self._value(trainer, pl_module, moved, index)

        # One loss keeps its graph; several are differentiated anew, one at a time.
        closure = losses if self._batches is not None else lambda: list(losses())
        reading = self.monitor.step(closure, number)
        if reading is not None:
            self._record(trainer, reading)

    def _value(
        self, trainer: Trainer, module: LightningModule, batch: Any, batch_idx: int
    ) -> Tensor:
        with trainer.precision_plugin.train_step_context():
            if self._loss is not None:
                return self._loss(module, batch)
            with _muted(module):
                output = module.training_step(batch, batch_idx)
        if isinstance(output, dict):
            output = output["loss"]
        if not isinstance(output, Tensor):
            raise TypeError(
                f"training_step must return the loss, or else give loss; got {output!r}"
            )
        return output

    @staticmethod
    def _record(trainer: Trainer, reading: Reading) -> None:
        values = reading.metrics()
        for logger in trainer.loggers if trainer.is_global_zero else ():
            logger.log_metrics(values, step=trainer.global_step)
        trainer.callback_metrics.update(
            {name: torch.tensor(value, dtype=torch.float64) for name, value in values.items()}
        )


@contextmanager
def _muted(module: LightningModule) -> Iterator[None]:
    """Let the module's own logging do nothing."""
    hidden = {name: vars(module)[name] for name in _LOGGING if name in vars(module)}
    vars(module).update({name: lambda *_, **__: None for name in _LOGGING})
    try:
        yield
    finally:
        for name in _LOGGING:
            del vars(module)[name]
        vars(module).update(hidden)
