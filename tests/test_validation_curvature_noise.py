"""Curvatures of single samples against dense Hessians, and their noise against every batch."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

import delaystability as ds
from delaystability.validation.curvature import hessian_extremes
from delaystability.validation.curvature_noise import curvature_noise, sample_curvatures
from delaystability.validation.dataset import Dataset
from delaystability.validation.dense import DenseProblem
from delaystability.validation.module_problem import ModuleProblem
from delaystability.validation.modules import SmallConvNet, SmallResidualNet
from delaystability.validation.network import Network
from delaystability.validation.problem import Problem

EPS = torch.finfo(torch.float64).eps


def _dense(loss: str = "squared", samples: int = 7) -> Problem:
    random = np.random.default_rng(0)
    targets = np.eye(3)[random.integers(0, 3, samples)]
    return DenseProblem.from_arrays(
        Network((5, 4, 3)), random.standard_normal((samples, 5)), targets, loss=loss
    )


def _module(network: Any) -> Problem:
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 5)
    images = random.standard_normal((5, 1, 8, 8))
    data = Dataset(images, np.eye(3)[labels], labels, None, None, "random", "here")
    return ModuleProblem(network, data, "cross-entropy")


PROBLEMS = {
    "squared": _dense,
    "cross-entropy": lambda: _dense("cross-entropy"),
    "relu": lambda: _module(SmallConvNet(1, 8, 3, width=1, activation="relu")),
    "convolution": lambda: _module(SmallConvNet(1, 8, 3, width=1)),
    "residual": lambda: _module(SmallResidualNet(1, 8, 3, width=1, blocks=1, activation="tanh")),
}


def _start(problem: Problem, replicas: int = 2) -> torch.Tensor:
    return torch.tensor(np.stack([problem.initial_parameters(seed) for seed in range(replicas)]))


def _sample_hessian(problem: Problem, parameters: torch.Tensor, sample: int) -> torch.Tensor:
    """The whole matrix of second derivatives of one sample's loss, row by row."""
    point = parameters.clone().requires_grad_()
    loss = problem.sample_losses(point[None])[0, sample]
    (gradient,) = torch.autograd.grad(loss, point, create_graph=True)
    rows = [torch.autograd.grad(entry, point, retain_graph=True)[0] for entry in gradient]
    return torch.stack(rows)


@pytest.mark.slow
@pytest.mark.parametrize("name", PROBLEMS)
def test_curvatures_are_those_of_the_dense_hessian_of_each_sample(name: str) -> None:
    problem = PROBLEMS[name]()
    parameters = _start(problem)
    top = hessian_extremes(problem, parameters, tolerance=1e-8).largest
    directions = top.vectors[:, 0]
    found = sample_curvatures(problem, parameters, directions)
    assert found.shape == (2, problem.samples)
    for row in range(2):
        wanted = torch.stack(
            [
                directions[row] @ _sample_hessian(problem, parameters[row], i) @ directions[row]
                for i in range(problem.samples)
            ]
        )
        # Different orders of differentiation, each with sums over some hundred terms.
        assert (found[row] - wanted).abs().max() <= 2000 * EPS * wanted.abs().max()
        assert found[row].std() > 0.05 * found[row].mean()
    assert torch.allclose(found.mean(dim=1), top.values[:, 0], rtol=1e-12)


def test_nothing_is_left_in_a_graph() -> None:
    problem = _dense()
    parameters = _start(problem).requires_grad_()
    assert not sample_curvatures(problem, parameters, torch.ones_like(parameters)).requires_grad


@pytest.mark.parametrize("batch", [1, 2, 3, 5])
def test_the_noise_is_the_variance_over_every_possible_batch(batch: int) -> None:
    curvatures = torch.tensor(np.random.default_rng(0).uniform(0.2, 3, (2, 5)))
    chosen = torch.tensor(list(product(range(5), repeat=batch)))
    means = curvatures[:, chosen].mean(dim=2)
    wanted = means.var(dim=1, correction=0) / means.mean(dim=1).square()
    found = curvature_noise(curvatures, batch)
    assert (found - wanted).abs().max() <= 1000 * EPS
    assert found[0] > 1e-3


def test_one_sample_has_no_noise() -> None:
    assert float(curvature_noise(torch.tensor([[2.0]]), 1)) == 0


def test_it_is_the_noise_of_batches_drawn_from_the_problem() -> None:
    problem = _dense(samples=40)
    parameters = _start(problem, 1)
    top = hessian_extremes(problem, parameters, tolerance=1e-8).largest
    direction = top.vectors[:, 0]
    noise = float(curvature_noise(sample_curvatures(problem, parameters, direction), 8)[0])
    random = np.random.default_rng(1)
    draws = 3000
    batches = torch.tensor(random.integers(0, 40, (draws, 8)))
    many = parameters.expand(draws, -1)
    products = problem.hessian_product(many, batches)(direction.expand(draws, -1))
    curvatures = (products * direction).sum(dim=1) / top.values[0, 0]
    # Standard error of the variance of nearly normal numbers: sqrt(2 / draws); five of them.
    assert float(curvatures.var()) == pytest.approx(noise, rel=5 * (2 / draws) ** 0.5)
    assert float(curvatures.mean()) == pytest.approx(1, abs=5 * (noise / draws) ** 0.5)


def test_the_theory_takes_it_as_its_curvature_noise() -> None:
    problem = _dense()
    parameters = _start(problem, 1)
    top = hessian_extremes(problem, parameters).largest
    noise = float(curvature_noise(sample_curvatures(problem, parameters, top.vectors[:, 0]), 4)[0])
    threshold = ds.stability_threshold(ds.SGD(), 0, curvature_noise=noise, moment="mean-square")
    assert threshold == pytest.approx(2 / (1 + noise), rel=1e-9)


@pytest.mark.parametrize("batch", [0, -1, 1.5, True])
def test_a_wrong_batch_is_refused(batch: Any) -> None:
    with pytest.raises(ValueError, match="batch must be an integer >= 1; got"):
        curvature_noise(torch.ones(1, 3), batch)


def test_wrong_arguments_are_refused() -> None:
    problem = _dense()
    parameters = _start(problem)
    with pytest.raises(ValueError, match=r"vectors must have the shape \(2, 39\); got \(1, 39\)"):
        sample_curvatures(problem, parameters, parameters[:1])
