"""The callbacks for Lightning and the Hugging Face Trainer, called as those call them.

The frameworks take seconds to import. Here two empty base classes are imported in their place, and
trainers have only what the callbacks use; `test_training_adapters.py` runs the real ones.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from importlib.util import find_spec, module_from_spec
from math import pi, sin
from types import ModuleType, SimpleNamespace

import pytest

pytest.importorskip("torch")
import torch
from torch import Tensor, nn

from tests.helpers import EPS

INPUTS, TARGETS = torch.randn(2, 12, 3, generator=torch.Generator().manual_seed(0))


class Callback:
    """The base class of a framework's callbacks."""


def adapter(monkeypatch, name, **classes):
    """The module of this name in `delaystability.training`, on top of these classes."""
    package, *_ = name.split(".")
    for part in (package, f"{package}.pytorch"):
        module = ModuleType(part)
        vars(module).update(classes)
        monkeypatch.setitem(sys.modules, part, module)
    spec = find_spec(f"delaystability.training.{name}")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def lightning(monkeypatch):
    return adapter(
        monkeypatch, "lightning", Callback=Callback, LightningModule=nn.Module, Trainer=object
    )


@pytest.fixture
def transformers(monkeypatch):
    return adapter(monkeypatch, "transformers", TrainerCallback=Callback, Trainer=object)


class Logger:
    """Keeps what it is told."""

    def __init__(self):
        self.rows = []

    def log_metrics(self, metrics, step):
        self.rows.append((step, dict(metrics)))


class Module(nn.Module):
    """A linear model as Lightning's modules are, which logs each of its losses."""

    automatic_optimization = True

    def __init__(self, output=lambda loss: loss):
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Linear(3, 3)
        self.output = output
        self.logged, self.seen = [], []

    def log(self, name, value):
        self.logged.append(name)

    log_dict = log

    def training_step(self, batch, batch_idx):
        self.seen.append(batch_idx)
        loss = (self.net(batch[0]) - batch[1]).square().mean()
        self.log("loss", loss)
        self.log_dict("losses", loss)
        return self.output(loss)


class Strategy:
    """Moves batches, and counts how many."""

    model = None

    def __init__(self):
        self.moved = 0

    def batch_to_device(self, batch, dataloader_idx):
        assert dataloader_idx == 0
        self.moved += 1
        return batch


class Precision:
    """Counts the losses that are computed within it."""

    entered = 0

    @contextmanager
    def train_step_context(self):
        self.entered += 1
        yield


def lightning_trainer(module, **changes):
    sgd = torch.optim.SGD(module.parameters(), lr=0.1)
    state = {
        "global_step": 0,
        "optimizers": [sgd],
        "strategy": Strategy(),
        "precision_plugin": Precision(),
        "loggers": [Logger(), Logger()],
        "is_global_zero": True,
        "callback_metrics": {},
    }
    return SimpleNamespace(**state | changes)


def train(callback, trainer, module, batches=8, updates_every=1):
    """Batches as Lightning's loop gives them to a callback, with an update every few."""
    callback.on_train_start(trainer, module)
    for index in range(batches):
        trainer.global_step += (index + 1) % updates_every == 0
        callback.on_train_batch_end(trainer, module, None, (INPUTS, TARGETS), index)


def test_lightning_gets_a_reading_of_every_fourth_update_in_all_its_loggers(lightning):
    module = Module()
    trainer = lightning_trainer(module)
    callback = lightning.StabilityCallback(every=2, delay=2)
    assert callback.monitor is None
    train(callback, trainer, module, updates_every=2)
    history = callback.monitor.history
    assert [reading.step for reading in history] == [2, 4]
    expected = [(reading.step, reading.metrics()) for reading in history]
    assert [logger.rows for logger in trainer.loggers] == [expected] * 2
    assert {name: value.item() for name, value in trainer.callback_metrics.items()} == (
        history[-1].metrics()
    )
    assert history[0].threshold == pytest.approx(2 * sin(pi / 10), rel=4 * EPS)
    # The batch that was just trained on, once for each reading.
    assert module.seen == [3, 7]
    assert trainer.precision_plugin.entered == 2
    assert trainer.strategy.moved == 0


def test_lightning_readings_go_to_the_loggers_of_the_first_process_alone(lightning):
    module = Module()
    trainer = lightning_trainer(module, is_global_zero=False)
    train(lightning.StabilityCallback(every=4), trainer, module)
    assert [logger.rows for logger in trainer.loggers] == [[], []]
    assert "stability/ratio" in trainer.callback_metrics


def test_a_lightning_module_logs_nothing_during_a_reading_and_all_afterwards(lightning):
    module = Module()
    module.log = kept = lambda name, value: module.logged.append(f"own {name}")
    train(lightning.StabilityCallback(every=1), lightning_trainer(module), module)
    assert module.logged == []
    assert vars(module)["log"] is kept
    assert "log_dict" not in vars(module)
    module.training_step((INPUTS, TARGETS), 0)
    assert module.logged == ["own loss", "losses"]


def test_lightning_measures_given_batches_with_a_given_loss(lightning):
    def loss(model, batch):
        return 3 * (model.net(batch[0]) - batch[1]).square().mean()

    halves = [(INPUTS[:6], TARGETS[:6]), (INPUTS[6:], TARGETS[6:])]
    found = []
    for options in ({}, {"loss": loss}):
        module = Module()
        trainer = lightning_trainer(module)
        callback = lightning.StabilityCallback(halves, every=8, **options)
        train(callback, trainer, module)
        assert trainer.strategy.moved == trainer.precision_plugin.entered >= 4
        assert set(module.seen) == (set() if options else {0, 1})
        found.append(callback.monitor.history[0])
    assert found[1].loss == pytest.approx(3 * found[0].loss, rel=1e-6)
    assert found[0].loss == pytest.approx(
        (Module().net(INPUTS) - TARGETS).square().mean().item(), rel=1e-6
    )


def test_lightning_measures_for_the_optimizer_that_was_asked_for(lightning):
    module = Module()
    optimizers = [torch.optim.SGD(module.parameters(), lr=lr) for lr in (0.1, 0.3)]
    trainer = lightning_trainer(module, optimizers=optimizers)
    rates = []
    for options in ({}, {"optimizer_index": 1}):
        callback = lightning.StabilityCallback(every=1, **options)
        callback.on_train_start(trainer, module)
        trainer.global_step += 1
        callback.on_train_batch_end(trainer, module, None, (INPUTS, TARGETS), 0)
        rates.append(callback.monitor.history[0].learning_rate)
    assert rates == [0.1, 0.3]


@pytest.mark.parametrize("output", [lambda _: None, lambda _: {"loss": 1.0}, Tensor.item])
def test_a_training_step_without_a_loss_is_refused(lightning, output):
    module = Module(output)
    with pytest.raises(TypeError, match="training_step must return the loss, or else give loss"):
        train(lightning.StabilityCallback(every=1), lightning_trainer(module), module)
    # A dictionary with the loss, or a loss that is given, is enough.
    module = Module(lambda loss: {"loss": loss})
    train(lightning.StabilityCallback(every=1), lightning_trainer(module), module)


def test_a_lightning_module_with_manual_optimization_needs_a_loss(lightning):
    module = Module()
    module.automatic_optimization = False
    trainer = lightning_trainer(module)
    with pytest.raises(ValueError, match="loss must be given for a module with manual"):
        lightning.StabilityCallback().on_train_start(trainer, module)
    lightning.StabilityCallback(loss=lambda *_: None).on_train_start(trainer, module)


# Hugging Face


class HuggingFaceTrainer:
    """What a callback of Hugging Face uses of its trainer."""

    def __init__(self, model):
        self.model_wrapped = model
        self.rows, self.entered = [], 0
        self.control = SimpleNamespace(should_log=False)

    def log(self, row):
        self.rows.append(dict(row))
        self.control.should_log = None  # as the default flow of the real one does

    def _prepare_inputs(self, batch):
        return dict(batch)

    @contextmanager
    def compute_loss_context_manager(self):
        self.entered += 1
        yield

    def compute_loss(self, model, inputs):
        return (model(inputs["x"]) - inputs["y"]).square().mean()


@pytest.mark.parametrize("scale", [None, 2.0])
@pytest.mark.parametrize("should_log", [False, True])
def test_hugging_face_gets_a_reading_of_every_third_update(transformers, scale, should_log):
    def loss(model, inputs):
        return scale * (model(inputs["x"]) - inputs["y"]).square().mean()

    torch.manual_seed(0)
    model = nn.Linear(3, 3)
    trainer = HuggingFaceTrainer(model)
    trainer.control.should_log = should_log
    batches = [{"x": INPUTS[:6], "y": TARGETS[:6]}, {"x": INPUTS[6:], "y": TARGETS[6:]}]
    options = {} if scale is None else {"loss": loss}
    callback = transformers.StabilityCallback(trainer, batches, every=3, delay=2, **options)
    sgd = torch.optim.SGD(model.parameters(), lr=0.1)
    callback.on_step_end(None, SimpleNamespace(global_step=3), trainer.control, model=model)
    assert callback.monitor is None
    callback.on_train_begin(None, None, trainer.control, model=model, optimizer=sgd)
    for step in range(1, 8):
        state = SimpleNamespace(global_step=step)
        callback.on_step_end(None, state, trainer.control, model=model)
    history = callback.monitor.history
    assert [reading.step for reading in history] == [3, 6]
    assert trainer.rows == [reading.metrics() for reading in history]
    assert trainer.control.should_log is should_log
    assert trainer.entered >= 8
    whole = (model(INPUTS) - TARGETS).square().mean().item()
    assert history[0].loss == pytest.approx((scale or 1) * whole, rel=1e-6)


@pytest.mark.parametrize("name", ["lightning", "transformers"])
def test_an_adapter_without_its_framework_says_what_to_install(monkeypatch, name):
    with pytest.raises(ImportError, match=f"needs {name}.*: pip install {name}"):
        adapter(monkeypatch, name)
