"""Torch's adaptive optimizers: their thresholds when frozen, and the hum when they are not."""

from __future__ import annotations

import copy
import math
from collections import deque
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
import torch
from torch import nn

import delaystability as ds
from delaystability.model.frozen_filters import ADAPTIVE
from delaystability.training import adaptive_optimizers
from delaystability.training.adaptive_optimizers import adaptive_filter
from delaystability.training.preconditioner import present_preconditioner
from delaystability.training.reading import Status
from delaystability.training.stability_monitor import StabilityMonitor
from tests.small_training import DOUBLE

ROOTS = (0.5, 1.0, 2.0, 0.8)  # of the frozen second moments
SIZE = len(ROOTS)
BETA2 = 1 - 1e-9


def hessian(size=SIZE, seed=0):
    turn = np.linalg.qr(np.random.default_rng(seed).standard_normal((size, size)))[0]
    return torch.tensor(turn @ np.diag(np.geomspace(30, 300, size)) @ turn.T)


def adam(parameters, lr, **options):
    return torch.optim.Adam(parameters, lr, betas=(0.8, BETA2), eps=0.01, **options)


def nadam(decay):
    return lambda parameters, lr: torch.optim.NAdam(
        parameters, lr, betas=(0.8, BETA2), momentum_decay=decay
    )


# The optimizer, what its state is to be, and its step.
KINDS = {
    "Adam": (adam, "exp_avg_sq", 10**6),
    "AMSGrad": (lambda p, lr: adam(p, lr, amsgrad=True), "max_exp_avg_sq", 10**6),
    "AdamW": (lambda p, lr: torch.optim.AdamW(p, lr, (0.9, BETA2), weight_decay=0), None, 10**6),
    "Adamax": (lambda p, lr: torch.optim.Adamax(p, lr, (0.8, BETA2)), "exp_inf", 10**6),
    "NAdam": (nadam(0.004), "exp_avg_sq", 10**6),
    "NAdam, early": (nadam(1e-9), "exp_avg_sq", 10**6),
    "RAdam": (lambda p, lr: torch.optim.RAdam(p, lr, (0.8, 1 - 1e-6)), "exp_avg_sq", 10**5),
    "RMSprop": (lambda p, lr: torch.optim.RMSprop(p, lr, BETA2), "square_avg", 100),
    "RMSprop, momentum": (
        lambda p, lr: torch.optim.RMSprop(p, lr, BETA2, momentum=0.7, eps=0.1),
        "square_avg",
        100,
    ),
    "RMSprop, centered": (
        lambda p, lr: torch.optim.RMSprop(p, lr, BETA2, centered=True),
        "square_avg",
        100,
    ),
    "Adagrad": (lambda p, lr: torch.optim.Adagrad(p, lr, lr_decay=1e-9), "sum", 10**6),
    "Adagrad, late": (lambda p, lr: torch.optim.Adagrad(p, lr, lr_decay=1e-3), "sum", 10**6),
    "Adafactor": (
        lambda p, lr: torch.optim.Adafactor(
            p, lr, eps=(None, 1), beta2_decay=-9, weight_decay=0, d=1e9
        ),
        "variance",
        100,
    ),
}


def with_frozen_moments(kind, lr, shape=(SIZE,)):
    """A parameter and its optimizer, with second moments that hardly move from now on."""
    make, name, step = KINDS[kind]
    weight = torch.nn.Parameter(torch.zeros(shape, dtype=DOUBLE))
    optimizer = make([weight], lr)
    weight.grad = torch.zeros_like(weight)
    optimizer.step()
    state = optimizer.state[weight]
    squares = torch.tensor(ROOTS, dtype=DOUBLE).square().reshape(shape)
    state["step"] = torch.full_like(state["step"], float(step))
    # Adam and its kind divide by this.
    beta2 = optimizer.param_groups[0].get("betas", (0, 0))[1]
    if name == "variance" and len(shape) == 2:
        state["row_var"] = squares.mean(1, keepdim=True)
        state["col_var"] = squares.mean(0, keepdim=True)
    elif name == "exp_inf":
        state[name] = squares.sqrt()
    else:
        state[name or "exp_avg_sq"] = squares * (1 - beta2**step)
    if "mu_product" in state:
        state["mu_product"].zero_()
    return weight, optimizer


def growth(kind, delay, lr, shape=(SIZE,)):
    """Nats an update of a tiny perturbation, by the torch optimizer itself with late gradients."""
    weight, optimizer = with_frozen_moments(kind, lr, shape)
    matrix = hessian()
    generator = torch.Generator().manual_seed(1)
    weight.data = 1e-100 * torch.randn(shape, generator=generator, dtype=DOUBLE)
    queue = deque()
    sizes = []
    for _ in range(900):
        queue.append((matrix @ weight.detach().flatten()).reshape(shape))
        weight.grad = queue.popleft() if len(queue) > delay else torch.zeros_like(weight)
        optimizer.step()
        sizes.append(float(weight.detach().norm()))
    first, last = max(sizes[300:400]), max(sizes[-100:])
    return math.log(last / first) / 500


@pytest.mark.quick(1)
@pytest.mark.parametrize("delay", [0, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_a_frozen_optimizer_of_torch_has_the_threshold_that_the_monitor_says(kind, delay):
    lr = 1e-4
    weight, optimizer = with_frozen_moments(kind, lr)
    matrix = hessian()
    weight.data += 1e-12
    monitor = StabilityMonitor(
        [weight], optimizer, delay=delay, preconditioner="auto", moving=False, tolerance=1e-9
    )
    reading = monitor.read(lambda: weight @ matrix @ weight / 2)
    edge = lr / reading.ratio
    assert growth(kind, delay, 0.95 * edge) < -1e-4
    assert growth(kind, delay, 1.05 * edge) > 1e-4


@pytest.mark.quick(1)
@pytest.mark.parametrize("delay", [0, 3])
def test_the_factored_moments_of_adafactor_are_those_of_its_next_step(delay):
    lr, shape = 1e-4, (2, 2)
    weight, optimizer = with_frozen_moments("Adafactor", lr, shape)
    monitor = StabilityMonitor(
        [weight], optimizer, delay=delay, preconditioner="auto", moving=False, tolerance=1e-9
    )
    reading = monitor.read(lambda: weight.flatten() @ hessian() @ weight.flatten() / 2)
    edge = lr / reading.ratio
    assert growth("Adafactor", delay, 0.95 * edge, shape) < -1e-4
    assert growth("Adafactor", delay, 1.05 * edge, shape) > 1e-4


def test_filters_that_are_left_are_those_of_the_catalogue():
    def left(kind):
        _, optimizer = with_frozen_moments(kind, 1e-4)
        return adaptive_filter(optimizer, optimizer.param_groups[0])

    assert left("Adam") == left("RAdam") == ds.EMAMomentum(0.8)
    assert left("RMSprop") == left("Adagrad") == left("Adafactor") == ds.SGD()
    assert left("RMSprop, momentum") == ds.HeavyBall(0.7)
    # Late in a run NAdam is Nesterov's momentum, scaled.
    late, nesterov = left("NAdam"), ds.Nesterov(0.8)
    for delay in (0, 1, 5):
        scaled = ds.stability_threshold(late, delay) * (1 - 0.8)
        assert scaled == pytest.approx(ds.stability_threshold(nesterov, delay), rel=1e-12)
    # Negative control: early it is not.
    early = ds.stability_threshold(left("NAdam, early"), 1) * (1 - 0.8)
    assert abs(early / ds.stability_threshold(nesterov, 1) - 1) > 0.1


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (torch.optim.Muon, "its steps have one size"),
        (torch.optim.Rprop, "signs of the gradients"),
        (torch.optim.Adadelta, "the steps before"),
        (torch.optim.SparseAdam, "only the rows"),
        (torch.optim.LBFGS, "not diagonal"),
    ],
)
def test_what_has_no_frozen_preconditioner_is_refused_with_the_reason(kind, reason):
    weight = torch.nn.Parameter(torch.ones(2, 2))
    optimizer = kind([weight])
    for preconditioner in (None, "auto"):
        with pytest.raises(TypeError, match=f"no preconditioner that could.*frozen: .*{reason}"):
            StabilityMonitor([weight], optimizer, preconditioner=preconditioner)
    with pytest.raises(TypeError, match="must be one of torch's adaptive ones"):
        present_preconditioner(optimizer)


def test_the_cure_is_named_and_the_empty_state_refused():
    weight = torch.nn.Parameter(torch.ones(2))
    kinds = (torch.optim.NAdam, torch.optim.RMSprop, torch.optim.Adagrad, torch.optim.Adamax)
    for kind in kinds:
        optimizer = kind([weight])
        with pytest.raises(TypeError, match="give preconditioner='auto'"):
            StabilityMonitor([weight], optimizer)
        monitor = StabilityMonitor([weight], optimizer, preconditioner="auto")
        with pytest.raises(ValueError, match="torch_optimizer must have made an update"):
            monitor.read(lambda: weight.square().sum())
    with pytest.raises(ValueError, match="preconditioner must be None, 'auto', 'adam' or"):
        StabilityMonitor([weight], torch.optim.Adam([weight]), preconditioner="Adam")


def test_one_list_names_the_adaptive_optimizers_of_torch():
    adaptive = set(ADAPTIVE)
    formulas = set(adaptive_optimizers._DIAGONALS)
    assert formulas < adaptive
    assert adaptive - formulas < set(adaptive_optimizers._WITHOUT)
    # What is left of torch's has no moving preconditioner, and is no optimizer on its own.
    known = adaptive | {"SGD", "ASGD", "LBFGS", "Rprop", "Optimizer"}
    assert {name for name in dir(torch.optim) if isinstance(getattr(torch.optim, name), type)} == (
        known
    )


def test_an_adaptive_optimizer_of_another_package_is_told_what_it_is():
    class Adafactor(torch.optim.Optimizer):
        """Of another package."""

    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = Adafactor([weight], {"lr": 0.1})
    with pytest.raises(TypeError, match=r"ds\.EMAMomentum\(0\.9\), with a callable as precond"):
        StabilityMonitor([weight], optimizer)
    # Negative control: one with a name that says nothing.
    optimizer = type("Other", (torch.optim.Optimizer,), {})([weight], {"lr": 0.1})
    with pytest.raises(TypeError, match=r"for example optimizer=ds\.HeavyBall\(0\.9\); it is"):
        StabilityMonitor([weight], optimizer)


# The hum


def hummed(optimizer, weight, curvatures, delay, updates):
    """Root mean square of each coordinate, and the mean loss, of the last third of a run."""
    queue, squares, count = deque(), torch.zeros_like(weight.data), 0
    for t in range(updates):
        queue.append(curvatures * weight.detach())
        if len(queue) > delay:
            weight.grad = queue.popleft()
            optimizer.step()
        if t > 2 * updates // 3:
            squares, count = squares + weight.detach().square(), count + 1
    squares /= count
    return squares.sqrt(), float((curvatures * squares).sum() / 2)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["AdamW", "RMSprop", "NAdam"])
def test_the_hum_of_a_delayed_run_is_what_the_reading_says(kind):
    delay, lr = 4, 1e-3
    curvatures = torch.tensor(np.geomspace(0.1, 100, 10))
    weight = torch.nn.Parameter(0.1 * torch.ones(10, dtype=DOUBLE))
    make = {
        "AdamW": lambda p: torch.optim.AdamW(p, lr, weight_decay=0),
        "RMSprop": lambda p: torch.optim.RMSprop(p, lr, alpha=0.999),
        "NAdam": lambda p: torch.optim.NAdam(p, lr),
    }[kind]
    optimizer = make([weight])
    rms, loss = hummed(optimizer, weight, curvatures, delay, 20_000)
    monitor = StabilityMonitor([weight], optimizer, delay=delay, preconditioner="auto")
    reading = monitor.read(lambda: (curvatures * weight.square()).sum() / 2)
    assert rms.tolist() == pytest.approx([reading.hum] * 10, rel=0.05)
    assert reading.loss_floor == pytest.approx(loss, rel=0.05)
    assert reading.status in (Status.TUNING, Status.UNDECIDED)
    # Negative control: the hum of another delay is another.
    other = StabilityMonitor([weight], optimizer, delay=delay + 1, preconditioner="auto")
    assert other.read(lambda: (curvatures * weight.square()).sum() / 2).hum > 1.15 * reading.hum


@pytest.mark.parametrize("delay", [0, 1, 4])
@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
def test_the_price_includes_gradient_noise_where_the_threshold_is_at_most_two(momentum, delay):
    # Gradients h x with noise of variance s^2 have the second moment v = s^2 (1 + noise), where
    # noise = a^2 stationary_variance(a) = (h x / s)^2 at the gain a = lr h / sqrt(v). So the mean
    # loss h x^2 / 2 is lr sqrt(v) / 2 times noise / (a (1 + noise)).
    optimizer = ds.EMAMomentum(momentum) if momentum else ds.SGD()
    threshold = ds.stability_threshold(optimizer, delay)
    gains = np.r_[1e-4, 0.1, 0.3, 0.5, 0.7, 0.9, 0.999] * threshold
    noise = gains**2 * [ds.stationary_variance(optimizer, delay, gain) for gain in gains]
    prices = noise / (gains * (1 + noise))
    assert prices.max() <= max(1 / threshold, 0.5) * (1 + 1e-9)
    # Negative control: above 2, as without delay, noise costs more than the hum.
    assert (prices.max() > 1.5 / threshold) == (threshold > 2)


def test_what_never_shrinks_has_no_hum():
    weight = torch.nn.Parameter(torch.ones(3, dtype=DOUBLE))
    for optimizer in (
        torch.optim.Adagrad([weight], 0.1),
        torch.optim.Adam([weight], 0.1, amsgrad=True),
    ):
        weight.square().sum().backward()
        optimizer.step()
        monitor = StabilityMonitor([weight], optimizer, delay=8, preconditioner="auto")
        optimizer.param_groups[0]["lr"] = 100.0
        reading = monitor.read(lambda: weight.square().sum())
        assert (reading.status, reading.hum, reading.loss_floor) == (Status.TUNING, None, None)
        assert "hum" not in reading.message


def test_groups_have_their_own_hum_and_never_updated_parameters_none():
    first, second, unused = (torch.nn.Parameter(torch.ones(2, dtype=DOUBLE)) for _ in range(3))
    optimizer = torch.optim.Adam(
        [{"params": [first, unused], "lr": 0.1}, {"params": [second], "lr": 0.2}]
    )
    (first.square().sum() + 3 * second.square().sum()).backward()
    optimizer.step()
    monitor = StabilityMonitor([first, second, unused], optimizer, delay=4, preconditioner="adam")
    reading = monitor.read(lambda: first.square().sum() + 3 * second.square().sum())
    threshold = ds.stability_threshold(ds.EMAMomentum(0.9), 4)
    # After one update, the roots of the second moments are the gradients of then: 2 and 6.
    assert reading.hum == pytest.approx(0.2 / threshold, rel=1e-12)
    floor = 0.1 / (2 * threshold) * 2 * 2 + 0.2 / (2 * threshold) * 2 * 6
    assert reading.loss_floor == pytest.approx(floor, rel=1e-6)
    assert reading.as_dict()["loss_floor"] == reading.loss_floor
    assert reading.metrics()["stability/hum"] == reading.hum
    assert monitor.table().splitlines()[0].split()[-4:] == ["hum", "loss", "floor", "status"]


def test_the_price_of_a_hum_is_left_out_where_it_says_nothing():
    weight = torch.nn.Parameter(torch.ones(50, dtype=DOUBLE))
    optimizer = torch.optim.Adam([weight], 0.1)
    (100 * weight.square().sum()).backward()
    optimizer.step()
    monitor = StabilityMonitor([weight], optimizer, delay=4, preconditioner="adam")

    def message(scale, lr):
        optimizer.param_groups[0]["lr"] = lr
        return monitor.read(lambda: 100 * weight.square().sum() + scale).message

    assert "worth at most" not in message(0.0, 5.0)
    assert "worth at most" in message(1e6, 5.0)
    assert "a hum of about" in message(0.0, 5.0)
    # Then the ratio alone is no alarm, and the hum may be.
    for scale, whole in ((0.0, True), (1e6, False)):
        said = message(scale, 5.0)
        assert ("the ratio alone is no alarm" in said) == ("worth up to the whole loss" in said)
        assert ("worth up to the whole loss" in said) == whole


class Transformer(nn.Module):
    """Two blocks that predict the next character."""

    def __init__(self, characters, width=32, length=32):
        super().__init__()
        self.characters = nn.Embedding(characters, width)
        self.places = nn.Parameter(0.02 * torch.randn(length, width))
        block = nn.TransformerEncoderLayer(
            width, 4, 4 * width, dropout=0.0, batch_first=True, norm_first=True
        )
        self.blocks = nn.ModuleList([copy.deepcopy(block) for _ in range(2)])
        self.head = nn.Linear(width, characters)
        self.mask = nn.Transformer.generate_square_subsequent_mask(length)

    def forward(self, indices):
        states = self.characters(indices) + self.places
        for block in self.blocks:
            states = block(states, src_mask=self.mask)
        return self.head(states)


@pytest.mark.slow
@pytest.mark.parametrize("delay", [1, 4])
def test_a_delayed_adamw_run_that_learns_is_not_called_failing(delay):
    text = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    places = {character: place for place, character in enumerate(sorted(set(text)))}
    indices = torch.tensor([places[character] for character in text])
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    net, lr = Transformer(len(places)), 3e-3
    optimizer = ds.delayed(torch.optim.AdamW(net.parameters(), lr), delay)

    def loss(count=16):
        starts = torch.randint(len(indices) - 33, (count,), generator=generator)
        rows = torch.stack([indices[start : start + 33] for start in starts.tolist()])
        return nn.functional.cross_entropy(net(rows[:, :-1]).flatten(0, 1), rows[:, 1:].flatten())

    def read(**options):
        generator.manual_seed(1)
        monitor = StabilityMonitor(net, optimizer, preconditioner="auto", **options)
        return monitor.read(lambda: loss(48))

    readings, losses = [], []
    for t in range(1, 161):
        optimizer.zero_grad()
        value = loss()
        value.backward()
        optimizer.step()
        losses.append(value.item())
        if t % 80 == 0:
            state = generator.get_state()
            readings.append(read())
            generator.set_state(state)
    threshold = ds.stability_threshold(ds.EMAMomentum(0.9), delay)
    assert np.mean(losses[-10:]) < 0.8 * math.log(len(places))
    for reading in readings:
        assert reading.status is Status.TUNING and reading.ratio > 1
        assert "no alarm" in reading.message and "will oscillate" not in reading.message
        assert reading.hum == pytest.approx(lr / threshold, rel=1e-3)  # but for decay
        assert 0 < reading.loss_floor < reading.loss
        assert f"worth at most {reading.loss_floor:.2g} of the loss" in reading.message
        assert reading.products <= 30
    # Negative control: what the frozen threshold alone would say of this run.
    assert read(moving=False).message.startswith("beyond the edge: loss will oscillate")


@pytest.mark.parametrize("name", ["Adam", "AMSGrad", "RAdam"])
def test_the_preconditioner_of_the_first_steps_is_that_of_their_updates(name):
    """Without a first moment an update is ``lr g / P``; RAdam has no second moment at first."""
    weight = nn.Parameter(torch.tensor([1.0, -2.0, 0.5], dtype=DOUBLE))
    make = torch.optim.RAdam if name == "RAdam" else torch.optim.Adam
    options = {"amsgrad": True} if name == "AMSGrad" else {}
    optimizer = make([weight], 1e-3, betas=(0.0, 0.9), eps=1e-3, **options)
    diagonal = {"RAdam": adaptive_optimizers._radam}.get(name, adaptive_optimizers._adam)
    without = []
    for step in range(12):
        before, gradient = weight.detach().clone(), torch.tensor([3.0, -0.2, 1.0]) / (step + 1)
        weight.grad = gradient.to(DOUBLE)
        optimizer.step()
        found = diagonal(optimizer.param_groups[0], weight, optimizer.state[weight])
        # An update of 1e-3 of the weight has lost three digits.
        expected = 1e-3 * weight.grad / (before - weight.detach())
        assert torch.allclose(found.values, expected, rtol=1e-11, atol=0)
        assert found.forgets == (name == "Adam" or (name == "RAdam" and found.epsilon > 0))
        without.append(found.epsilon == 0)
    # RAdam's rule holds from its sixth step on for beta2 = 0.9.
    assert without == [name == "RAdam" and step < 5 for step in range(12)]
