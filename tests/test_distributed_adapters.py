"""Callbacks of Lightning and the Hugging Face Trainer read the mean loss of two processes."""

from __future__ import annotations

import os

import pytest

pytest.importorskip("torch")
import torch
from torch import nn

import delaystability as ds
from tests.process_group_tasks import together

pytestmark = pytest.mark.slow
ROWS = 8


def _net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 1)).double()


def _data():
    inputs = torch.randn(2 * ROWS, 4, generator=torch.Generator().manual_seed(1)).double()
    return inputs, inputs.prod(dim=1)


def _started_by_torchrun(rank, count):
    names = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_RANK")
    values = (rank, rank, count, count, 0)
    os.environ |= dict(zip(names, map(str, values), strict=True))
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0", "TORCHELASTIC_RUN_ID": "test"}


def _lightning(rank, count):
    _started_by_torchrun(rank, count)
    import lightning.pytorch as lightning

    from delaystability.training.lightning import StabilityCallback

    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = _net()

        def training_step(self, batch, index):
            inputs, targets = batch
            return (self.net(inputs)[:, 0] - targets).square().mean()

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), 0.1)

    mine = slice(rank * ROWS, (rank + 1) * ROWS)
    callback = StabilityCallback([[part[mine] for part in _data()]], every=1, tolerance=1e-7)
    rows = torch.utils.data.TensorDataset(*_data())
    quiet = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")
    trainer = lightning.Trainer(
        accelerator="cpu",
        strategy="ddp",
        devices=count,
        max_steps=1,
        callbacks=[callback],
        **dict.fromkeys(quiet, False),
    )
    module = Module()
    trainer.fit(module, torch.utils.data.DataLoader(rows, batch_size=ROWS))
    return callback.monitor.history[-1].sharpness, module.net.state_dict()


def _transformers(rank, count):
    _started_by_torchrun(rank, count)
    from transformers import Trainer, TrainingArguments

    from delaystability.training.transformers import StabilityCallback

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = _net()

        def forward(self, inputs, labels):
            return {"loss": (self.net(inputs)[:, 0] - labels).square().mean()}

    model = Model()
    inputs, labels = _data()
    mine = slice(rank * ROWS, (rank + 1) * ROWS)
    trainer = Trainer(
        model,
        TrainingArguments(
            max_steps=1, use_cpu=True, report_to=[], save_strategy="no", disable_tqdm=True
        ),
        train_dataset=[{"inputs": x, "labels": y} for x, y in zip(inputs, labels, strict=True)],
        optimizers=(torch.optim.SGD(model.parameters(), 0.1), None),
    )
    batch = {"inputs": inputs[mine], "labels": labels[mine]}
    callback = StabilityCallback(trainer, [batch], every=1, tolerance=1e-7)
    trainer.add_callback(callback)
    trainer.train()
    return callback.monitor.history[-1].sharpness, model.net.state_dict()


@pytest.mark.parametrize(
    ("package", "task"), [("lightning", _lightning), ("transformers", _transformers)]
)
def test_callbacks_read_the_mean_loss_of_all_processes(package, task):
    pytest.importorskip(package)
    (first, state), (second, _) = together(task, 2)
    net = _net()
    net.load_state_dict(state)
    inputs, targets = _data()
    both, own = (
        float(
            ds.sharpness((net(inputs[:n])[:, 0] - targets[:n]).square().mean(), net, tolerance=1e-6)
        )
        for n in (2 * ROWS, ROWS)
    )
    assert first == second == pytest.approx(both, rel=1e-5)
    assert abs(own / both - 1) > 1e-2  # negative control
