"""Torch modules as problems: against plain loops over modules, and against the dense networks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from torch import nn

from delaystability.validation.dataset import Dataset
from delaystability.validation.dense import DenseProblem
from delaystability.validation.module_problem import ModuleProblem
from delaystability.validation.modules import MLP, SmallConvNet, SmallResidualNet
from delaystability.validation.network import Network

EPS = torch.finfo(torch.float64).eps
MODULES = {
    "tanh": lambda: MLP((64, 5, 3)),
    "relu": lambda: SmallConvNet(1, 8, 3, width=1, activation="relu"),
    "convolution": lambda: SmallConvNet(1, 8, 3, width=2),
    "residual": lambda: SmallResidualNet(1, 8, 3, width=2, blocks=2),
}


def _data(samples: int = 9, tests: int = 13, shape: tuple[int, ...] = (1, 8, 8)) -> Dataset:
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, samples)
    return Dataset(
        random.standard_normal((samples, *shape)),
        np.eye(3)[labels],
        labels,
        random.standard_normal((tests, *shape)),
        random.integers(0, 3, tests),
        "random",
        "here",
    )


def _start(problem: ModuleProblem, replicas: int) -> torch.Tensor:
    return torch.tensor(np.stack([problem.initial_parameters(seed) for seed in range(replicas)]))


def _plain_losses(module: nn.Module, loss: str, inputs: Any, targets: Any) -> torch.Tensor:
    """One sample after the other, with torch's own losses."""
    losses = []
    for x, y in zip(torch.tensor(inputs), torch.tensor(targets), strict=True):
        output = module(x[None])[0]
        if loss == "squared":
            losses.append(nn.functional.mse_loss(output, y, reduction="sum") / 2)
        else:
            losses.append(nn.functional.cross_entropy(output, y.argmax()))
    return torch.stack(losses)


@pytest.mark.quick(6)
@pytest.mark.parametrize("loss", ["squared", "cross-entropy"])
@pytest.mark.parametrize("name", MODULES)
def test_losses_gradients_and_errors_are_those_of_each_module_alone(name: str, loss: str) -> None:
    data = _data()
    problem = ModuleProblem(MODULES[name](), data, loss)
    parameters = _start(problem, 3)
    batch = torch.tensor([[0, 1, 2], [8, 8, 3], [4, 0, 4]])
    assert problem.samples == 9 and problem.parameter_count == parameters.shape[1]
    found = {
        "all": (problem.sample_losses(parameters), problem.gradient(parameters)),
        "batch": (problem.sample_losses(parameters, batch), problem.gradient(parameters, batch)),
    }
    errors = problem.error_rate(parameters)
    for row in range(3):
        module = problem.module_with(parameters[row])
        for key, chosen in (("all", range(9)), ("batch", batch[row].tolist())):
            rows = list(chosen)
            losses = _plain_losses(module, loss, data.inputs[rows], data.targets[rows])
            grads = torch.autograd.grad(losses.mean(), list(module.parameters()))
            gradient = torch.cat([part.flatten() for part in grads])
            # Sums of up to some hundred products of size 1, in another order.
            assert (found[key][0][row] - losses).abs().max() <= 200 * EPS * losses.max()
            assert (found[key][1][row] - gradient).abs().max() <= 500 * EPS * gradient.abs().max()
        guesses = [int(module(torch.tensor(x[None])).argmax()) for x in data.test_inputs]  # type: ignore[union-attr]
        assert float(errors[row]) == pytest.approx(np.mean(guesses != data.test_labels))


@pytest.mark.parametrize("loss", ["squared", "cross-entropy"])
def test_the_module_twin_of_a_dense_network_is_that_network(loss: str) -> None:
    data = _data()
    flat = data.flat()
    dense = DenseProblem.from_arrays(
        Network((64, 5, 3)),
        flat.inputs,
        flat.targets,
        loss=loss,
        test_inputs=flat.test_inputs,
        test_labels=flat.test_labels,
    )
    problem = ModuleProblem(MLP((64, 5, 3)), data, loss)
    assert np.array_equal(problem.initial_parameters(4), dense.initial_parameters(4))
    parameters, batch = _start(problem, 4), torch.tensor([[0, 1], [2, 3], [4, 4], [8, 7]])
    vectors = torch.tensor(np.random.default_rng(1).standard_normal(parameters.shape))
    assert torch.equal(problem.error_rate(parameters), dense.error_rate(parameters))
    for chosen in (None, batch):
        pairs = [
            (getattr(problem, name)(parameters, chosen), getattr(dense, name)(parameters, chosen))
            for name in ("loss", "sample_losses", "gradient")
        ]
        pairs.append(
            tuple(p.hessian_product(parameters, chosen)(vectors) for p in (problem, dense))  # type: ignore[arg-type]
        )
        for found, wanted in pairs:
            assert (found - wanted).abs().max() <= 1000 * EPS * wanted.abs().max()


def test_hessian_products_of_a_convolution_are_those_of_the_dense_hessian() -> None:
    problem = ModuleProblem(MODULES["convolution"](), _data())
    parameters = _start(problem, 2)
    vectors = torch.tensor(np.random.default_rng(1).standard_normal(parameters.shape))
    found = problem.hessian_product(parameters)(vectors)
    for row in range(2):
        jacobian = torch.func.jacrev(torch.func.jacrev(lambda point: problem.loss(point[None])[0]))(
            parameters[row]
        )
        wanted = jacobian @ vectors[row]
        assert (found[row] - wanted).abs().max() <= 1000 * EPS * wanted.abs().max()


def test_a_replica_does_not_see_the_others() -> None:
    problem = ModuleProblem(MODULES["residual"](), _data())
    parameters = _start(problem, 3)
    changed = parameters.clone()
    changed[1] = torch.nan
    before, after = problem.gradient(parameters), problem.gradient(changed)
    assert torch.equal(before[[0, 2]], after[[0, 2]]) and after[1].isnan().any()


def test_the_users_module_and_the_random_state_are_left_alone() -> None:
    module = nn.Sequential(MLP((64, 5, 3)), nn.Dropout(0.5), nn.BatchNorm1d(3)).eval()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    state = torch.random.get_rng_state()
    problem = ModuleProblem(module, _data())
    problem.gradient(_start(problem, 2))
    problem.module_with(problem.parameters_of_module() + 1)
    after = module.state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
    assert next(module.parameters()).dtype == torch.float32
    assert torch.equal(state, torch.random.get_rng_state())


def test_parameters_go_into_a_module_and_come_out_again() -> None:
    problem = ModuleProblem(MODULES["residual"](), _data())
    parameters = _start(problem, 1)[0]
    module = problem.module_with(parameters)
    assert torch.equal(nn.utils.parameters_to_vector(module.parameters()), parameters)
    again = ModuleProblem(module, _data())
    assert torch.equal(again.parameters_of_module(), parameters)


def test_initial_parameters_have_the_stated_scale() -> None:
    module = nn.Sequential(
        nn.Conv2d(5, 40, 3), nn.GroupNorm(4, 40), nn.Flatten(), nn.Linear(40 * 36, 3)
    )
    problem = ModuleProblem(module, _data(shape=(5, 8, 8)))
    start = problem.module_with(torch.tensor(problem.initial_parameters(0)))
    for layer, inputs in ((start[0], 5 * 9), (start[3], 40 * 36)):
        # Standard error of a variance from n normal numbers: sqrt(2 / n); five of them.
        near = 5 * (2 / layer.weight.numel()) ** 0.5
        assert float(layer.weight.detach().var()) * inputs == pytest.approx(1, abs=near)
        assert not layer.bias.any()
    assert (start[1].weight == 1).all() and not start[1].bias.any()
    first, again, other = (problem.initial_parameters(seed) for seed in (0, 0, 1))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_frozen_parameters_are_not_trained() -> None:
    module = MLP((64, 5, 3))
    module[1].weight.requires_grad_(False)
    problem = ModuleProblem(module, _data())
    assert problem.parameter_count == 5 + 3 * 6
    found = problem.module_with(torch.zeros(problem.parameter_count, dtype=torch.float64))
    assert torch.equal(found[1].weight, module[1].weight.double())
    assert not found[3].weight.any()
    with pytest.raises(ValueError, match="must have parameters that require a gradient"):
        ModuleProblem(module.requires_grad_(False), _data())


def test_without_test_samples_the_error_rate_is_missing() -> None:
    data = _data()
    real = Dataset(data.inputs, data.targets - 0.3, None, None, None, "real", "here")
    problem = ModuleProblem(MODULES["tanh"](), real)
    assert problem.error_rate(_start(problem, 2)).isnan().all()
    with pytest.raises(
        ValueError, match="sum to 1 in each row for the cross-entropy; those of 're"
    ):
        ModuleProblem(MODULES["tanh"](), real, "cross-entropy")


def test_many_test_samples_are_counted_once() -> None:
    data = _data(tests=1203)
    problem = ModuleProblem(MODULES["tanh"](), data)
    parameters = _start(problem, 2)
    for row, rate in enumerate(problem.error_rate(parameters)):
        outputs = problem.module_with(parameters[row])(torch.tensor(data.test_inputs))
        wrong = outputs.argmax(dim=1) != torch.tensor(data.test_labels)
        assert float(rate) == float(wrong.sum()) / 1203


def test_single_precision_agrees_with_double() -> None:
    single = ModuleProblem(MODULES["convolution"](), _data(), dtype=torch.float32)
    double = ModuleProblem(MODULES["convolution"](), _data())
    parameters = _start(double, 2)
    found, wanted = single.gradient(parameters.float()), double.gradient(parameters)
    assert single.dtype == found.dtype == torch.float32 and single.device.type == "cpu"
    assert (found - wanted).abs().max() <= 200 * torch.finfo(torch.float32).eps * wanted.abs().max()


class _Counting(nn.Module):
    """Remembers its calls in a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = MLP((64, 3))
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return self.inner(inputs)


class _Branching(nn.Module):
    """Chooses its path by a value of its parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = MLP((64, 3))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.inner(inputs) if float(self.inner[1].weight[0, 0]) > 0 else inputs[:, 0, 0, :3]


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (
            nn.Sequential(MLP((64, 3)), nn.Dropout()),
            r"not draw random numbers; call module.eval\(\)",
        ),
        (
            nn.Sequential(MLP((64, 3)), nn.BatchNorm1d(3)),
            "not change its buffers;.* 1.running_mean",
        ),
        (_Counting(), "must not change its buffers;.* changed: calls"),
        (
            nn.Sequential(MLP((64, 3)), nn.BatchNorm1d(3, track_running_stats=False)),
            "treat each sample apart from the others",
        ),
        (nn.Sequential(MLP((64, 3)), nn.Softmax(dim=0)), "treat each sample apart from the others"),
        (_Branching(), "must run under torch.func.vmap"),
        (MLP((64, 4)), r"must return the shape \(B, 3\); got \(4, 4\)"),
        (MLP((63, 3)), r"must take inputs of the shape \(B, 1, 8, 8\); it answers: mat1"),
        (nn.LSTM(8, 3), "must take inputs of the shape|must return the shape"),
        (nn.Sequential(nn.Flatten(), nn.Softmax(dim=1)), "must return the shape"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_modules_that_cannot_be_replicated_are_refused(module: nn.Module, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ModuleProblem(module, _data())


def test_the_refused_modules_are_welcome_in_evaluation_mode() -> None:
    for module in (
        nn.Sequential(MLP((64, 3)), nn.Dropout()),
        nn.Sequential(MLP((64, 3)), nn.BatchNorm1d(3)),
    ):
        problem = ModuleProblem(module.eval(), _data())
        assert torch.isfinite(problem.gradient(_start(problem, 2))).all()


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(TypeError, match=r"module must be a torch.nn.Module; got int"):
        ModuleProblem(3, _data())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="dataset must be a Dataset; got ndarray"):
        ModuleProblem(MLP((64, 3)), np.ones((3, 64)))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="loss must be one of squared, cross-entropy; got 'hinge'"):
        ModuleProblem(MLP((64, 3)), _data(), "hinge")


@pytest.mark.parametrize(("channels", "side"), [(1, 8), (1, 28), (3, 32)])
@pytest.mark.parametrize("network", [SmallConvNet, SmallResidualNet])
def test_image_networks_fit_digits_mnist_and_cifar(network: Any, channels: int, side: int) -> None:
    module = network(channels, side, outputs=7)
    assert module(torch.ones(2, channels, side, side)).shape == (2, 7)
    assert sum(part.numel() for part in module.parameters()) < 25_000


@pytest.mark.slow
def test_deep_residual_networks_keep_the_size_of_their_signals() -> None:
    def size(blocks: int, scale: float | None = None) -> float:
        module = SmallResidualNet(1, 8, 3, blocks=blocks, activation="identity")
        module.scale = module.scale if scale is None else scale
        problem = ModuleProblem(module, _data(40))
        networks = [problem.module_with(parameters) for parameters in _start(problem, 4)]
        with torch.no_grad():
            outputs = [network(torch.tensor(_data(40).inputs)) for network in networks]
        return float(torch.stack(outputs).std())

    # Each branch adds its variance: (1 + 1/16)^16 against 2, and 2^16 with branches of full size.
    assert size(16) < 3 * size(1)
    assert size(16, scale=1.0) > 20 * size(1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MLP((3,)), r"sizes must be two or more positive integers; got \(3,\)"),
        (
            lambda: SmallConvNet(activation="sine"),
            "activation must be one of tanh, relu, identity; got 'sine'",
        ),
        (lambda: SmallConvNet(outputs=0), "outputs must be an integer >= 1; got 0"),
        (lambda: SmallConvNet(side=3), "side must be an integer >= 4; got 3"),
        (lambda: SmallConvNet(width=0), "width must be an integer >= 1; got 0"),
        (lambda: SmallResidualNet(side=7), "side must be an integer >= 8; got 7"),
        (lambda: SmallResidualNet(blocks=0), "blocks must be an integer >= 1; got 0"),
    ],
)
def test_wrong_sizes_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
