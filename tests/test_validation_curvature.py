"""Batched Lanczos against dense eigenvalues, with operators made to mislead it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from delaystability.validation.curvature import largest_eigenvalues, mixed_start
from delaystability.validation.network import Network, Regression

EPS = torch.finfo(torch.float64).eps


def _random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.tensor(np.random.default_rng(seed).standard_normal(shape))


def _product(matrices: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda vectors: torch.bmm(matrices, vectors.unsqueeze(-1)).squeeze(-1)


def _diagonals(*rows: list[float]) -> torch.Tensor:
    return torch.diag_embed(torch.tensor(rows, dtype=torch.float64))


def _dense_hessian(problem: Regression, parameters: torch.Tensor) -> torch.Tensor:
    point = parameters.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(problem.loss(point[None])[0], point, create_graph=True)
    rows = [torch.autograd.grad(entry, point, retain_graph=True)[0] for entry in gradient]
    return torch.stack(rows)


def test_a_strongly_negative_eigenvalue_does_not_hide_the_largest() -> None:
    found = largest_eigenvalues(_product(_diagonals([1.0, 0.5, -3.0])), _random(1, 3))
    assert float(found.values) == pytest.approx(1, abs=20 * EPS)
    assert float(found.errors) <= 1e-4 * 3


def test_each_replica_gets_its_own_eigenvalue_to_the_stated_accuracy() -> None:
    matrices = _random(5, 40, 40)
    matrices = (matrices + matrices.mT) * torch.logspace(-3, 3, 5, dtype=torch.float64)[
        :, None, None
    ]
    wanted, vectors = torch.linalg.eigh(matrices)
    found = largest_eigenvalues(_product(matrices), _random(5, 40, seed=1), tolerance=1e-8)
    assert found.products < 40
    scale = wanted.abs().amax(dim=1)
    assert ((found.values - wanted[:, -1]).abs() <= found.errors + 10 * EPS * scale).all()
    assert (found.errors <= 1e-8 * scale).all()
    overlap = (found.vectors * vectors[:, :, -1]).sum(dim=1).abs()
    assert (overlap > 1 - 1e-8).all()


@pytest.mark.parametrize("products", [1, 2, 5, 10])
def test_the_error_bound_holds_before_convergence(products: int) -> None:
    matrices = _random(6, 30, 30)
    matrices = matrices + matrices.mT
    found = largest_eigenvalues(_product(matrices), _random(6, 30, seed=2), max_products=products)
    assert found.products == products
    distance = (torch.linalg.eigvalsh(matrices) - found.values[:, None]).abs().amin(dim=1)
    assert (distance <= found.errors * (1 + 100 * EPS)).all()
    residual = _product(matrices)(found.vectors) - found.values[:, None] * found.vectors
    # The bound is the true residual, up to rounding in norms of 30 numbers.
    assert torch.allclose(residual.norm(dim=1), found.errors, rtol=1e-10, atol=0)


def test_it_is_the_networks_sharpness() -> None:
    network = Network((5, 4, 3))
    problem = Regression.from_arrays(network, _random(20, 5).numpy(), _random(20, 3).numpy())
    parameters = _random(3, network.parameter_count, seed=3)
    product = problem.hessian_product(parameters)
    found = largest_eigenvalues(product, _random(*parameters.shape, seed=4), tolerance=1e-9)
    for row in range(3):
        hessian = _dense_hessian(problem, parameters[row])
        spectrum = torch.linalg.eigvalsh(hessian)
        scale = spectrum.abs().max()
        assert (found.values[row] - spectrum[-1]).abs() <= found.errors[row] + 1000 * EPS * scale
        assert found.errors[row] <= 1e-9 * scale


def test_a_complete_small_space_does_not_invent_the_eigenvalue_zero() -> None:
    matrices = _diagonals([-1.0, -1.0, -2.0, -2.0], [4.0, 3.0, 2.0, 1.0])
    found = largest_eigenvalues(_product(matrices), _random(2, 4), tolerance=1e-12)
    assert found.values.tolist() == pytest.approx([-1, 4], abs=100 * EPS)
    assert (found.vectors.norm(dim=1) - 1).abs().max() < 10 * EPS


def test_the_zero_operator_has_eigenvalue_zero() -> None:
    found = largest_eigenvalues(lambda vectors: 0 * vectors, _random(2, 7))
    assert found.values.tolist() == [0, 0] and found.errors.tolist() == [0, 0]
    assert found.products == 1


def test_a_replica_that_is_not_finite_is_missing_and_leaves_the_others() -> None:
    matrices = _diagonals([1.0, 2.0, 3.0], [1.0, float("nan"), 1.0], [-1.0, -5.0, float("inf")])
    found = largest_eigenvalues(_product(matrices), _random(3, 3), tolerance=1e-10)
    assert float(found.values[0]) == pytest.approx(3, abs=100 * EPS)
    assert found.values[1:].isnan().all() and found.errors[1:].isnan().all()


def test_a_warm_start_saves_products() -> None:
    matrices = _random(2, 200, 200)
    matrices = matrices + matrices.mT
    cold = largest_eigenvalues(_product(matrices), _random(2, 200, seed=1))
    moved = matrices * 1.001
    start = mixed_start(cold.vectors, _random(2, 200, seed=2))
    warm = largest_eigenvalues(_product(moved), start)
    assert warm.products < cold.products
    assert torch.allclose(warm.values, 1.001 * cold.values, rtol=1e-4)


def test_the_noise_in_a_warm_start_finds_a_new_largest_direction() -> None:
    old = torch.zeros(1, 10, dtype=torch.float64)
    old[0, 0] = 1
    now = _product(_diagonals([1.0, 2.0] + [0.0] * 8))
    assert float(largest_eigenvalues(now, old).values) == 1
    mixed = mixed_start(old, _random(1, 10))
    assert float(largest_eigenvalues(now, mixed, tolerance=1e-8).values) == pytest.approx(2)


def test_wrong_arguments_are_refused() -> None:
    product = _product(_diagonals([1.0, 2.0]))
    with pytest.raises(ValueError, match="tolerance must be a number > 0"):
        largest_eigenvalues(product, _random(1, 2), tolerance=0)
    with pytest.raises(ValueError, match="max_products must be an integer >= 1"):
        largest_eigenvalues(product, _random(1, 2), max_products=0)
    with pytest.raises(ValueError, match="start must be a finite, nonzero vector"):
        largest_eigenvalues(product, torch.zeros(1, 2, dtype=torch.float64))
