"""A queue in front of an optimizer in real trainers, behind schedulers, scalers and compilers."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

import pytest

pytest.importorskip("torch")

import torch
from torch import Tensor, nn

import delaystability as ds
from delaystability.training.delayed_optimizer import DelayedOptimizer
from delaystability.training.parameter_group import parameter_groups
from tests.late_gradients import step_late

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_OFFLINE", "1")

DELAY, STEPS = 3, 12


def _module(name: str) -> Any:
    """The module, or a skip; a torchvision that does not fit torch raises a RuntimeError."""
    try:
        return import_module(name)
    except (ImportError, RuntimeError) as error:
        pytest.skip(f"{name} cannot be imported: {error}")


def _net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 2))


def _data() -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(0)
    inputs = torch.randn(8 * STEPS, 6, generator=random)
    return inputs, inputs @ torch.randn(6, 2, generator=random)


def _loss(net: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    return (net(inputs) - targets).square().mean()


def _adamw(net: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.AdamW(net.parameters(), 0.01, weight_decay=0.1)


def _batches() -> list[tuple[Tensor, Tensor]]:
    inputs, targets = (part.split(8) for part in _data())
    return list(zip(inputs, targets, strict=True))


def _by_list(
    schedule: Any = None, delay: int = DELAY, clip: float | None = None, epochs: int = 1
) -> Tensor:
    """So many steps in a plain loop, with a list of gradients."""
    net, past = _net(), []
    optimizer = _adamw(net)
    scheduler = schedule(optimizer) if schedule else None
    for inputs, targets in _batches()[: STEPS // epochs] * epochs:
        optimizer.zero_grad()
        _loss(net, inputs, targets).backward()
        if clip is not None:
            nn.utils.clip_grad_norm_(net.parameters(), clip)
        step_late(optimizer, past, delay)
        if scheduler is not None:
            scheduler.step()
    return _vector(net)


def _vector(net: nn.Module) -> Tensor:
    return nn.utils.parameters_to_vector(net.parameters()).detach()


SCHEDULES: dict[str, Any] = {
    "one-cycle": lambda o: torch.optim.lr_scheduler.OneCycleLR(o, 0.02, total_steps=STEPS + 1),
    "cosine": lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, STEPS),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedulers_move_rates_and_betas_of_the_inner_optimizer(name):
    net = _net()
    optimizer = ds.delayed(_adamw(net), DELAY)
    scheduler = SCHEDULES[name](optimizer)
    betas = []
    for inputs, targets in _batches():
        optimizer.zero_grad()
        _loss(net, inputs, targets).backward()
        optimizer.step()
        scheduler.step()
        betas.append(optimizer.optimizer.param_groups[0]["betas"][0])
    assert torch.equal(_vector(net), _by_list(SCHEDULES[name]))
    assert (len(set(betas)) > 1) == (name == "one-cycle")
    assert not torch.equal(_vector(net), _by_list(SCHEDULES[name], DELAY - 1))


def test_a_step_that_the_grad_scaler_skips_moves_no_queue():
    parameter, twin = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(3))
    optimizer = ds.delayed(torch.optim.AdamW([parameter], 0.1), 2)
    other = ds.delayed(torch.optim.AdamW([twin], 0.1), 2)
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    for t in range(8):
        optimizer.zero_grad()
        factor = torch.inf if t == 3 else float(t)
        scaler.scale((parameter * factor).sum()).backward()
        before = parameter.detach().clone()
        scaler.step(optimizer)
        scaler.update()
        if t == 3:
            assert torch.equal(parameter, before)
            continue
        other.zero_grad()
        (twin * factor).sum().backward()
        other.step()
    assert torch.equal(parameter, twin)
    assert optimizer.applied_delays().tolist() == [0, 1, 2, 2, 2, 2, 2]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
@pytest.mark.parametrize("kind", ["delayed", "DelayedOptimizer"])
def test_a_compiled_step_is_compiled_once(kind):
    torch._dynamo.reset()
    compiled = []

    def backend(graph: Any, _: Any) -> Any:
        compiled.append(graph)
        return graph.forward

    net = _net()
    if kind == "delayed":
        optimizer: Any = ds.delayed(_adamw(net), DELAY)
    else:
        optimizer = DelayedOptimizer(net.parameters(), 0.01, delay=DELAY)
    step = torch.compile(optimizer.step, backend=backend)
    counts = []
    for inputs, targets in _batches():
        optimizer.zero_grad()
        _loss(net, inputs, targets).backward()
        step()
        counts.append(len(compiled))
    assert counts == [1 if kind == "delayed" else 0] * STEPS
    if kind == "delayed":
        # Compiled kernels round otherwise: measured 1e-6.
        torch.testing.assert_close(_vector(net), _by_list(), rtol=0, atol=1e-4)
    torch._dynamo.reset()


@pytest.mark.slow
@pytest.mark.parametrize("accumulated", [1, 2])
def test_accelerate(tmp_path, accumulated):
    accelerate = _module("accelerate")

    def parts() -> Any:
        accelerate.state.AcceleratorState._reset_state(True)
        # A Trainer of another test may have left its last batch there, at which every step counts.
        accelerate.state.GradientState._reset_state()
        accelerator = accelerate.Accelerator(cpu=True, gradient_accumulation_steps=accumulated)
        net = _net()
        optimizer = ds.delayed(_adamw(net), DELAY)
        net, optimizer = accelerator.prepare(net, optimizer)
        return accelerator, net, optimizer

    def train(accelerator: Any, net: nn.Module, optimizer: Any, batches: Any) -> None:
        for inputs, targets in batches:
            for part in zip(inputs.chunk(accumulated), targets.chunk(accumulated), strict=True):
                with accelerator.accumulate(net):
                    accelerator.backward(_loss(net, *part))
                    optimizer.step()
                    optimizer.zero_grad()

    batches = _batches()
    accelerator, net, optimizer = parts()
    train(accelerator, net, optimizer, batches[:5])
    accelerator.save_state(tmp_path, safe_serialization=False)
    accelerator, net, optimizer = parts()
    accelerator.load_state(tmp_path)
    train(accelerator, net, optimizer, batches[5:])
    # Halves of a batch add up in another order.
    torch.testing.assert_close(
        _vector(net), _by_list(), rtol=0, atol=0 if accumulated == 1 else 1e-4
    )
    scheduler = ds.DelayAwareLR(optimizer, goal="train")
    assert scheduler.factors == [pytest.approx((1 + DELAY) ** -0.8)]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_lightning(tmp_path):
    lightning = _module("lightning.pytorch")

    class Tiny(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = _net()

        def training_step(self, batch: Any, batch_idx: int) -> Tensor:
            return _loss(self.net, *batch)

        def configure_optimizers(self) -> Any:
            optimizer = ds.delayed(_adamw(self.net), DELAY)
            scheduler = SCHEDULES["cosine"](optimizer)
            return [optimizer], [{"scheduler": scheduler, "interval": "step"}]

    saved = lightning.callbacks.ModelCheckpoint(tmp_path, save_on_train_epoch_end=True)

    def fit(epochs: int, **options: Any) -> nn.Module:
        module = Tiny()
        trainer = lightning.Trainer(
            max_epochs=epochs,
            accelerator="cpu",
            logger=False,
            default_root_dir=tmp_path,
            callbacks=[saved],
            enable_progress_bar=False,
            enable_model_summary=False,
            gradient_clip_val=0.5,
        )
        inputs, targets = _data()
        dataset = torch.utils.data.TensorDataset(inputs[: 4 * STEPS], targets[: 4 * STEPS])
        trainer.fit(module, torch.utils.data.DataLoader(dataset, batch_size=8), **options)
        return module.net

    fit(1)
    net = fit(2, ckpt_path=saved.best_model_path)
    assert torch.equal(_vector(net), _by_list(SCHEDULES["cosine"], clip=0.5, epochs=2))


class _Regression(nn.Module):
    """A model as the Trainer wants it."""

    def __init__(self) -> None:
        super().__init__()
        self.net = _net()

    def forward(self, inputs: Tensor, labels: Tensor) -> dict[str, Tensor]:
        return {"loss": _loss(self.net, inputs, labels)}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_hugging_face_trainer(tmp_path):
    transformers = _module("transformers")
    _module("accelerate")
    _module("transformers.trainer")

    class InOrder(transformers.Trainer):
        def _get_train_sampler(self, *_: Any) -> Any:
            return torch.utils.data.SequentialSampler(self.train_dataset)

    def train(steps: int, **options: Any) -> nn.Module:
        model = _Regression()
        arguments = transformers.TrainingArguments(
            output_dir=str(tmp_path),
            max_steps=steps,
            per_device_train_batch_size=8,
            save_steps=5,
            report_to=[],
            disable_tqdm=True,
            use_cpu=True,
            max_grad_norm=0.5,
        )
        optimizer = ds.delayed(_adamw(model.net), DELAY)
        rows = [{"inputs": x, "labels": y} for x, y in zip(*_data(), strict=True)]
        trainer = InOrder(
            model=model,
            args=arguments,
            train_dataset=rows,
            optimizers=(optimizer, SCHEDULES["cosine"](optimizer)),
        )
        trainer.train(**options)
        return model

    train(5)
    model = train(STEPS, resume_from_checkpoint=str(tmp_path / "checkpoint-5"))
    expected = _by_list(SCHEDULES["cosine"], clip=0.5)
    torch.testing.assert_close(_vector(model), expected, rtol=0, atol=1e-6)
    assert not torch.allclose(expected, _by_list(SCHEDULES["cosine"], 0, clip=0.5), atol=1e-4)


def _stages() -> list[dict[str, Any]]:
    return [{"params": [nn.Parameter(torch.ones(2))]} for _ in range(3)]


def test_a_pipeline_with_adamw_is_known_to_the_scheduler_and_to_the_monitor():
    optimizer = ds.delayed(torch.optim.AdamW(_stages(), 0.1), ds.PipeDream(3))
    loops = [group.loop for group in parameter_groups(optimizer, preconditioned=True)]
    assert [loop.delay for loop in loops] == [ds.FixedDelay(lag) for lag in (2, 1, 0)]
    with pytest.raises(ValueError, match="preconditioner must be 'frozen'"):
        ds.DelayAwareLR(optimizer)
    scheduler = ds.DelayAwareLR(optimizer, goal="train")
    assert scheduler.factors == pytest.approx([(1 + lag) ** -0.8 for lag in (2, 1, 0)])
    rates = []
    optimizer.optimizer.register_step_pre_hook(
        lambda inner, *_: rates.append([group["lr"] for group in inner.param_groups])
    )
    for _ in range(2):
        for group in optimizer.param_groups:
            group["params"][0].grad = torch.ones(2)
        optimizer.step()
        scheduler.step()
    assert rates[1] == pytest.approx([0.1 * factor for factor in scheduler.factors])
    with pytest.raises(ValueError, match="the Delayed knows it"):
        scheduler.step(delay=3)


@pytest.mark.parametrize("delay", [4, ds.GeometricDelay(0.7)], ids=repr)
def test_the_scheduler_reads_the_delays_of_sgd_behind_a_queue(delay):
    found = []
    for queue in (True, False):
        parameter = nn.Parameter(torch.ones(2))
        if queue:
            optimizer: Any = ds.delayed(torch.optim.SGD([parameter], 0.1, momentum=0.9), delay)
        else:
            optimizer = DelayedOptimizer([parameter], 0.1, ds.HeavyBall(0.9), delay)
        scheduler = ds.DelayAwareLR(optimizer, every=20, moment="mean")
        for _ in range(40):
            parameter.grad = torch.ones(2)
            optimizer.step()
            scheduler.step()
        found.append((scheduler.factors, parameter.detach()))
    assert found[0][0] == found[1][0]
    assert found[0][0][0] < 1
    assert torch.equal(found[0][1], found[1][1])
