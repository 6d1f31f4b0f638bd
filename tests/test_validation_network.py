"""The batch of networks against one plain torch module, autograd and the dense Hessian."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from delaystability.validation.dense import DenseProblem
from delaystability.validation.network import Network

EPS = torch.finfo(torch.float64).eps
NETWORK = Network((5, 4, 3, 2))


def _problem(images: int = 11) -> DenseProblem:
    random = np.random.default_rng(0)
    return DenseProblem.from_arrays(
        NETWORK, random.standard_normal((images, 5)), random.standard_normal((images, 2))
    )


def _parameters(replicas: int) -> torch.Tensor:
    return torch.tensor(np.stack([NETWORK.initial_parameters(seed) for seed in range(replicas)]))


def _module(parameters: torch.Tensor) -> torch.nn.Sequential:
    """One replica as an ordinary torch module."""
    layers: list[torch.nn.Module] = []
    for inputs, outputs in ((5, 4), (4, 3), (3, 2)):
        layers += [torch.nn.Linear(inputs, outputs, dtype=torch.float64), torch.nn.Tanh()]
    module = torch.nn.Sequential(*layers[:-1])
    torch.nn.utils.vector_to_parameters(parameters, module.parameters())
    return module


def _dense_hessian(problem: DenseProblem, parameters: torch.Tensor) -> torch.Tensor:
    point = parameters.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(problem.loss(point[None])[0], point, create_graph=True)
    rows = [torch.autograd.grad(entry, point, retain_graph=True)[0] for entry in gradient]
    return torch.stack(rows)


def test_loss_and_gradient_are_those_of_a_torch_module() -> None:
    problem, parameters = _problem(), _parameters(3)
    losses, gradients = problem.loss(parameters), problem.gradient(parameters)
    for row in range(3):
        module = _module(parameters[row])
        residual = module(problem.rows) - problem.targets.T
        loss = residual.square().sum() / (2 * problem.samples)
        wanted = torch.cat(
            [g.flatten() for g in torch.autograd.grad(loss, list(module.parameters()))]
        )
        # Sums of about 50 products of size 1, in another order.
        assert abs(losses[row] - loss) <= 50 * EPS * loss
        assert (gradients[row] - wanted).abs().max() <= 50 * EPS * wanted.abs().max()


def test_the_hand_written_gradient_is_the_gradient_of_the_loss() -> None:
    problem, parameters = _problem(), _parameters(4).requires_grad_()
    (wanted,) = torch.autograd.grad(problem.loss(parameters).sum(), parameters)
    found = problem.gradient(parameters.detach())
    assert (found - wanted).abs().max() <= 50 * EPS * wanted.abs().max()


def test_hessian_products_are_those_of_each_replicas_dense_hessian() -> None:
    problem, parameters = _problem(), _parameters(3)
    product = problem.hessian_product(parameters)
    vectors = torch.tensor(np.random.default_rng(1).standard_normal(parameters.shape))
    found, again = product(vectors), product(vectors)
    assert torch.equal(found, again)
    for row in range(3):
        hessian = _dense_hessian(problem, parameters[row])
        wanted = hessian @ vectors[row]
        # Two different orders of differentiation, each with sums over 50 terms.
        assert (found[row] - wanted).abs().max() <= 500 * EPS * wanted.abs().max()


def test_a_replica_does_not_see_the_others() -> None:
    problem, parameters = _problem(), _parameters(3)
    changed = parameters.clone()
    changed[1] = torch.nan
    before, after = problem.gradient(parameters), problem.gradient(changed)
    assert torch.equal(before[[0, 2]], after[[0, 2]])
    assert after[1].isnan().any()


def test_single_precision_agrees_with_double() -> None:
    random = np.random.default_rng(0)
    inputs, targets = random.standard_normal((11, 5)), random.standard_normal((11, 2))
    single = DenseProblem.from_arrays(NETWORK, inputs, targets, dtype=torch.float32)
    double = DenseProblem.from_arrays(NETWORK, inputs, targets)
    parameters = _parameters(2)
    found, wanted = single.gradient(parameters.float()), double.gradient(parameters)
    assert found.dtype == torch.float32
    assert (found - wanted).abs().max() <= 50 * torch.finfo(torch.float32).eps * wanted.abs().max()


def test_initial_parameters_have_the_stated_scale() -> None:
    network = Network((400, 300, 10))
    parameters = torch.tensor(network.initial_parameters(0))[None]
    assert parameters.shape == (1, network.parameter_count)
    for weights, biases in network.layers(parameters):
        inputs = weights.shape[2]
        # Standard error of a variance from n normal numbers: sqrt(2 / n); five of them.
        assert float(weights.var()) * inputs == pytest.approx(
            1, abs=5 * (2 / weights.numel()) ** 0.5
        )
        assert not biases.any()


@pytest.mark.parametrize("sizes", [(), (3,), (3, 0, 2)])
def test_wrong_sizes_are_refused(sizes: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="sizes must be two or more positive integers"):
        Network(sizes)


def test_arrays_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"inputs must have the shape \(7, 5\)"):
        DenseProblem.from_arrays(NETWORK, np.ones((7, 6)), np.ones((7, 2)))
    with pytest.raises(ValueError, match=r"targets must have the shape \(7, 2\)"):
        DenseProblem.from_arrays(NETWORK, np.ones((7, 5)), np.ones((6, 2)))


@pytest.mark.parametrize("batched", [False, True])
def test_replicas_taken_in_parts_get_the_same_gradients(
    monkeypatch: pytest.MonkeyPatch, batched: bool
) -> None:
    from delaystability.validation import dense

    problem, parameters = _problem(), _parameters(7)
    batch = torch.randint(0, problem.samples, (7, 4)) if batched else None
    whole = problem.gradient(parameters, batch)
    # Room for the activations of three replicas.
    size = problem.samples if batch is None else 4
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    monkeypatch.setattr(dense, "_IN_CACHE", 3 * size * sum(NETWORK.sizes))
    parts = problem.gradient(parameters, batch)
    assert (parts - whole).abs().max() <= 50 * EPS * whole.abs().max()
