"""The callbacks for Lightning and the Hugging Face Trainer, run in the real trainers."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module

import pytest

pytest.importorskip("torch")
import torch
from torch import nn

import delaystability as ds
from delaystability.training.reading import Status

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_OFFLINE", "1")


def _module(name):
    """The module, or a skip that says what is missing.

    Beside the CPU build of torch, torchvision may be installed and yet fail when it is imported,
    with a RuntimeError, and both frameworks import it where they find it.
    """
    try:
        return import_module(name)
    except (ImportError, RuntimeError) as error:
        pytest.skip(f"{name} cannot be imported: {error}")


@pytest.fixture(scope="module")
def lightning():
    return _module("lightning.pytorch")


@pytest.fixture(scope="module")
def transformers():
    package = _module("transformers")
    _module("accelerate")
    _module("transformers.trainer")
    return package


def data(seed=0):
    random = torch.Generator().manual_seed(seed)
    inputs = torch.randn(32, 6, generator=random)
    return inputs, inputs @ torch.randn(6, 2, generator=random)


# Lightning


def lightning_parts(lightning, optimizer=None):
    """A tiny module with dropout and batch normalisation, and its data."""

    class Tiny(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.net = nn.Sequential(
                nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(0.2), nn.Linear(8, 2)
            )
            self.calls = 0

        def training_step(self, batch, batch_idx):
            self.calls += 1
            inputs, targets = batch
            loss = (self.net(inputs) - targets).square().mean()
            self.log("train_loss", loss, on_step=True, on_epoch=True)
            return {"loss": loss}

        def configure_optimizers(self):
            if optimizer is not None:
                return optimizer(self.parameters())
            return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)

    dataset = torch.utils.data.TensorDataset(*data())
    return Tiny(), torch.utils.data.DataLoader(dataset, batch_size=8)


def fit(lightning, tmp_path, callbacks, optimizer=None, **options):
    module, loader = lightning_parts(lightning, optimizer)
    logger = recorder()
    trainer = lightning.Trainer(
        max_steps=10,
        accelerator="cpu",
        logger=logger,
        callbacks=callbacks,
        default_root_dir=tmp_path,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        log_every_n_steps=1,
        **options,
    )
    trainer.fit(module, loader)
    return module, trainer, logger.rows


def recorder():
    """A logger of the framework that keeps what it is told."""
    base = import_module("lightning.pytorch.loggers.logger").Logger

    class Recording(base):
        name, version = "recording", 0

        def __init__(self):
            super().__init__()
            self.rows = []

        def log_metrics(self, metrics, step=None):
            self.rows.append((step, dict(metrics)))

        def log_hyperparams(self, *arguments, **options):
            pass

    return Recording()


# What the framework says about itself, and about loaders without workers on large machines.
LIGHTNING_WARNINGS = [
    r"ignore:`isinstance\(treespec, LeafSpec\)` is deprecated:FutureWarning",
    "ignore:The 'train_dataloader' does not have many workers:UserWarning",
]


def with_warnings(filters):
    def mark(function):
        for text in filters:
            function = pytest.mark.filterwarnings(text)(function)
        return function

    return mark


@pytest.mark.slow
@with_warnings(LIGHTNING_WARNINGS)
def test_lightning_logs_the_readings_of_a_real_run(lightning, tmp_path):
    from delaystability.training.lightning import StabilityCallback

    callback = StabilityCallback(every=4, delay=2)
    _, trainer, rows = fit(lightning, tmp_path, [callback])
    history = callback.monitor.history
    assert [reading.step for reading in history] == [4, 8]
    logged = [(step, row) for step, row in rows if "stability/ratio" in row]
    assert logged == [(reading.step, reading.metrics()) for reading in history]
    assert float(trainer.callback_metrics["stability/ratio"]) == history[-1].ratio
    assert history[0].threshold == ds.stability_threshold(ds.HeavyBall(0.9), 2)


@with_warnings(LIGHTNING_WARNINGS)
@pytest.mark.slow
def test_lightning_trains_bit_equal_with_and_without_the_callback(lightning, tmp_path):
    from delaystability.training.lightning import StabilityCallback

    class Careless(lightning.Callback):
        """The negative control: evaluates the loss as it comes."""

        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            pl_module.training_step(batch, batch_idx)

    def run(callbacks):
        module, _, rows = fit(lightning, tmp_path, callbacks)
        own = [(s, {k: v for k, v in row.items() if "train_loss" in k}) for s, row in rows]
        return list(module.state_dict().values()), [entry for entry in own if entry[1]]

    plain, watched, careless = run([]), run([StabilityCallback(every=2)]), run([Careless()])
    assert all(torch.equal(a, b) for a, b in zip(plain[0], watched[0], strict=True))
    assert plain[1] == watched[1]
    assert len(plain[1]) > 5
    assert not all(torch.equal(a, b) for a, b in zip(plain[0], careless[0], strict=True))


@with_warnings(LIGHTNING_WARNINGS)
@pytest.mark.slow
def test_lightning_measures_given_batches_and_losses_after_updates_only(lightning, tmp_path):
    from delaystability.training.lightning import StabilityCallback

    inputs, targets = data()
    halves = [(inputs[:16], targets[:16]), (inputs[16:], targets[16:])]
    seen = []

    def loss(module, batch):
        seen.append(len(batch[0]))
        return (module.net(batch[0]) - batch[1]).square().mean()

    callback = StabilityCallback(halves, loss=loss, every=2, max_products=5)
    # Two batches for each update: max_steps counts updates.
    fit(lightning, tmp_path, [callback], accumulate_grad_batches=2)
    assert [reading.step for reading in callback.monitor.history] == [2, 4, 6, 8, 10]
    assert set(seen) == {16}
    assert len(seen) >= 2 * 2 * 5


@pytest.mark.slow
@with_warnings(LIGHTNING_WARNINGS)
def test_lightning_needs_a_preconditioner_for_adam(lightning, tmp_path):
    from delaystability.training.lightning import StabilityCallback

    def adam(parameters):
        return torch.optim.AdamW(parameters, lr=0.01)

    with pytest.raises(TypeError, match="preconditioner='adam'"):
        fit(lightning, tmp_path, [StabilityCallback(every=5)], adam)
    callback = StabilityCallback(every=5, preconditioner="adam")
    fit(lightning, tmp_path, [callback], adam)
    assert [reading.threshold for reading in callback.monitor.history] == pytest.approx(
        [38] * 2, rel=1e-3
    )


@pytest.mark.slow
@with_warnings(LIGHTNING_WARNINGS)
def test_lightning_with_manual_optimization_needs_a_loss(lightning, tmp_path):
    from delaystability.training.lightning import StabilityCallback

    module, loader = lightning_parts(lightning)
    module.automatic_optimization = False
    trainer = lightning.Trainer(
        max_steps=2,
        accelerator="cpu",
        logger=False,
        callbacks=[StabilityCallback()],
        default_root_dir=tmp_path,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    with pytest.raises(ValueError, match="manual optimization"):
        trainer.fit(module, loader)


# Hugging Face


class Regression(nn.Module):
    """A model as the Trainer wants it: keyword arguments in, a dictionary with the loss out."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Dropout(0.2), nn.Linear(8, 2))

    def forward(self, inputs, labels):
        outputs = self.net(inputs)
        return {"loss": (outputs - labels).square().mean(), "logits": outputs}


def rows_of_data():
    inputs, targets = data()
    return [{"inputs": x, "labels": y} for x, y in zip(inputs, targets, strict=True)]


def hf_trainer(transformers, tmp_path, model, dataset, **options):
    arguments = transformers.TrainingArguments(
        output_dir=str(tmp_path),
        max_steps=10,
        per_device_train_batch_size=8,
        learning_rate=0.01,
        logging_steps=1,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        use_cpu=True,
        seed=0,
    )
    return transformers.Trainer(model=model, args=arguments, train_dataset=dataset, **options)


def run_hf(transformers, tmp_path, add=None, **options):
    model, rows = Regression(), rows_of_data()
    sgd = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    constant = torch.optim.lr_scheduler.LambdaLR(sgd, lambda _: 1.0)
    trainer = hf_trainer(transformers, tmp_path, model, rows, optimizers=(sgd, constant))
    callback = add(trainer, [trainer.data_collator(rows)], **options) if add else None
    if callback is not None:
        trainer.add_callback(callback)
    trainer.train()
    return model, trainer, callback


@pytest.mark.slow
def test_hugging_face_logs_the_readings_of_a_real_run(transformers, tmp_path):
    from delaystability.training.transformers import StabilityCallback

    _, trainer, callback = run_hf(transformers, tmp_path, StabilityCallback, every=4, delay=2)
    history = callback.monitor.history
    assert [reading.step for reading in history] == [4, 8]
    logged = [row for row in trainer.state.log_history if "stability/ratio" in row]
    assert [row["step"] for row in logged] == [4, 8]
    for row, reading in zip(logged, history, strict=True):
        assert {name: row[name] for name in reading.metrics()} == reading.metrics()
    assert history[0].threshold == ds.stability_threshold(ds.HeavyBall(0.9), 2)


@pytest.mark.slow
def test_hugging_face_trains_bit_equal_with_and_without_the_callback(transformers, tmp_path):
    from delaystability.training.transformers import StabilityCallback

    class Careless(transformers.TrainerCallback):
        """The negative control: draws a random number."""

        def on_step_end(self, args, state, control, **kwargs):
            torch.rand(1)

    def run(add, **options):
        model, trainer, _ = run_hf(transformers, tmp_path, add, **options)
        losses = [row["loss"] for row in trainer.state.log_history if "loss" in row]
        return list(model.state_dict().values()), losses

    plain, watched = run(None), run(StabilityCallback, every=2)
    careless = run(lambda *_: Careless())
    assert all(torch.equal(a, b) for a, b in zip(plain[0], watched[0], strict=True))
    assert plain[1] == watched[1]
    assert len(plain[1]) == 10
    assert not all(torch.equal(a, b) for a, b in zip(plain[0], careless[0], strict=True))


@pytest.mark.slow
def test_hugging_face_measures_a_transformer_trained_by_its_own_adamw(transformers, tmp_path):
    from delaystability.training.transformers import StabilityCallback

    torch.manual_seed(0)
    model = transformers.GPT2LMHeadModel(
        transformers.GPT2Config(
            vocab_size=20,
            n_positions=16,
            n_embd=16,
            n_layer=1,
            n_head=2,
            bos_token_id=0,
            eos_token_id=0,
        )
    )
    tokens = torch.randint(20, (16, 8), generator=torch.Generator().manual_seed(0))
    rows = [{"input_ids": row, "labels": row} for row in tokens]
    trainer = hf_trainer(transformers, tmp_path, model, rows)
    batches = [trainer.data_collator(rows[:8]), trainer.data_collator(rows[8:])]
    trainer.add_callback(StabilityCallback(trainer, batches, every=10))
    with pytest.raises(TypeError, match="preconditioner='adam'"):
        trainer.train()
    trainer = hf_trainer(transformers, tmp_path, model, rows)
    callback = StabilityCallback(
        trainer, batches, every=5, preconditioner="adam", tolerance=0.05, max_products=20
    )
    trainer.add_callback(callback)
    trainer.train()
    (first, last) = callback.monitor.history
    assert first.threshold == pytest.approx(38, rel=1e-3)
    assert first.sharpness > 10 * first.error
    assert first.status is Status.FAR
    # The learning rate of the linear schedule has come to zero.
    assert last.ratio == 0


# Without the packages


@pytest.mark.slow
def test_without_the_frameworks_the_monitor_works_and_the_adapters_name_what_is_missing():
    program = """
import sys
import delaystability.training.stability_monitor
print([name for name in ("lightning", "transformers", "matplotlib") if name in sys.modules])
for name in ("lightning", "transformers"):
    sys.modules[name] = None
    try:
        __import__(f"delaystability.training.{name}")
    except ImportError as error:
        print(error)
"""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    loaded, *messages = run.stdout.splitlines()
    assert loaded == "[]"
    assert [message.split("pip install ")[1] for message in messages] == [
        "lightning",
        "transformers accelerate",
    ]
