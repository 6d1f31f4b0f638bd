"""Batched Lanczos against dense eigenvalues, with operators made to mislead it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from delaystability.numerics.lanczos import extreme_eigenvalues, largest_eigenvalues, mixed_start
from delaystability.validation.curvature import hessian_extremes
from delaystability.validation.dense import DenseProblem
from delaystability.validation.network import Network

EPS = torch.finfo(torch.float64).eps


def _random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.tensor(np.random.default_rng(seed).standard_normal(shape))


def _product(matrices: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda vectors: torch.bmm(matrices, vectors.unsqueeze(-1)).squeeze(-1)


def _diagonals(*rows: list[float]) -> torch.Tensor:
    return torch.diag_embed(torch.tensor(rows, dtype=torch.float64))


def _dense_hessian(problem: DenseProblem, parameters: torch.Tensor) -> torch.Tensor:
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
    problem = DenseProblem.from_arrays(network, _random(20, 5).numpy(), _random(20, 3).numpy())
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


# Several eigenvalues of each end.


def _symmetric(replicas: int, size: int, seed: int = 0) -> torch.Tensor:
    matrices = _random(replicas, size, size, seed=seed)
    return matrices + matrices.mT


@pytest.mark.parametrize(("largest", "smallest"), [(3, 0), (0, 3), (1, 1), (4, 2)])
def test_both_ends_of_the_spectrum_are_found(largest: int, smallest: int) -> None:
    matrices = _symmetric(4, 50)
    wanted, vectors = torch.linalg.eigh(matrices)
    found = extreme_eigenvalues(
        _product(matrices),
        _random(4, 50, seed=1),
        largest=largest,
        smallest=smallest,
        tolerance=1e-9,
    )
    scale = wanted.abs().amax(dim=1, keepdim=True)
    ends = (
        (found.largest, wanted.flip(1)[:, :largest], vectors.flip(2)[:, :, :largest]),
        (found.smallest, wanted[:, :smallest], vectors[:, :, :smallest]),
    )
    for pairs, values, exact in ends:
        assert pairs.values.shape == values.shape == pairs.errors.shape
        # Residuals of 1e-9 leave values with an error of their square over a gap, of about 1e-3.
        assert ((pairs.values - values).abs() <= 1e-13 * scale).all()
        assert (pairs.errors <= 1e-9 * scale).all()
        overlap = (pairs.vectors * exact.mT).sum(dim=2).abs()
        assert (overlap > 1 - 1e-9).all()


@pytest.mark.parametrize("products", [4, 7, 12])
def test_every_error_bound_is_the_residual_before_convergence(products: int) -> None:
    matrices = _symmetric(3, 30)
    found = extreme_eigenvalues(
        _product(matrices),
        _random(3, 30, seed=2),
        largest=2,
        smallest=2,
        max_products=products,
    )
    for pairs in (found.largest, found.smallest):
        assert pairs.products == products
        for place in range(2):
            vectors, values = pairs.vectors[:, place], pairs.values[:, place]
            residual = _product(matrices)(vectors) - values[:, None] * vectors
            bound = pairs.errors[:, place]
            assert torch.allclose(residual.norm(dim=1), bound, rtol=1e-9, atol=100 * EPS)
            distance = (torch.linalg.eigvalsh(matrices) - values[:, None]).abs().amin(dim=1)
            assert (distance <= bound * (1 + 1e-9)).all() and (bound > 1e-6).all()


def test_the_whole_spectrum_of_a_small_operator_comes_from_either_end() -> None:
    matrices = _symmetric(2, 5)
    found = extreme_eigenvalues(_product(matrices), _random(2, 5, seed=1), largest=5, smallest=5)
    wanted = torch.linalg.eigvalsh(matrices)
    assert (found.smallest.values - wanted).abs().max() < 100 * EPS * wanted.abs().max()
    assert torch.equal(found.largest.values, found.smallest.values.flip(1))


def test_multiple_eigenvalues_are_found_once_the_space_is_exhausted() -> None:
    # The space of any start has 2 dimensions here; the rest needs new directions.
    matrices = _diagonals([5.0, 5.0, 5.0, 1.0, 1.0, 1.0], [2.0] * 6, [0.0] * 6)
    found = extreme_eigenvalues(
        _product(matrices), _random(3, 6), largest=4, smallest=1, tolerance=1e-10
    )
    wanted = torch.tensor([[5.0, 5, 5, 1], [2] * 4, [0] * 4], dtype=torch.float64)
    assert (found.largest.values - wanted).abs().max() < 100 * EPS
    assert found.smallest.values[:, 0].tolist() == pytest.approx([1, 2, 0], abs=100 * EPS)
    gram = found.largest.vectors @ found.largest.vectors.mT
    assert (gram - torch.eye(4, dtype=torch.float64)).abs().max() < 1e-10


@pytest.mark.slow
def test_hundreds_of_products_keep_the_basis_orthogonal() -> None:
    # Far apart eigenvalues converge at once; without reorthogonalisation copies of them appear.
    values = torch.cat([torch.tensor([1e3, 1e2]), torch.linspace(0, 1, 298)]).double()
    found = extreme_eigenvalues(
        lambda vectors: values * vectors,
        _random(1, 300),
        largest=3,
        tolerance=1e-16,
        max_products=200,
    )
    assert found.largest.products == 200
    assert (found.largest.values[0, :2] - values[:2]).abs().max() < 1e3 * 100 * EPS
    assert float(found.largest.values[0, 2]) <= 1 + 1e3 * 10 * EPS


def test_other_replicas_and_a_missing_one_change_nothing() -> None:
    matrices = _symmetric(3, 20)
    matrices[1, 3, 3] = torch.nan
    start = _random(3, 20, seed=5)
    together = extreme_eigenvalues(
        _product(matrices), start, largest=2, smallest=2, tolerance=1e-12
    )
    assert together.largest.values[1].isnan().all() and together.smallest.errors[1].isnan().all()
    for row in (0, 2):
        alone = extreme_eigenvalues(
            _product(matrices[row : row + 1]),
            start[row : row + 1],
            largest=2,
            smallest=2,
            tolerance=1e-12,
        )
        assert torch.allclose(alone.largest.values[0], together.largest.values[row], rtol=1e-12)
        assert torch.allclose(alone.smallest.values[0], together.smallest.values[row], rtol=1e-12)


def test_single_precision_has_honest_bounds() -> None:
    matrices = _symmetric(2, 40)
    wanted = torch.linalg.eigvalsh(matrices)
    single = extreme_eigenvalues(
        _product(matrices.float()), _random(2, 40, seed=1).float(), largest=1, smallest=1
    )
    assert single.largest.values.dtype == torch.float32
    for pairs, exact in ((single.largest, wanted[:, -1]), (single.smallest, wanted[:, 0])):
        # Besides the bound: rounding of 40 products of size 10.
        assert ((pairs.values[:, 0] - exact).abs() <= pairs.errors[:, 0] + 1e-5).all()


# Hessians of networks.


def _problem(samples: int = 30) -> DenseProblem:
    network = Network((6, 5, 3))
    return DenseProblem.from_arrays(
        network, _random(samples, 6).numpy(), _random(samples, 3).numpy()
    )


def _spectra(problem: DenseProblem, parameters: torch.Tensor) -> torch.Tensor:
    return torch.stack(
        [torch.linalg.eigvalsh(_dense_hessian(problem, point)) for point in parameters]
    )


@pytest.mark.quick(1)
@pytest.mark.parametrize("together", [1, 2, 5, 100])
def test_hessian_extremes_are_those_of_dense_hessians(together: int) -> None:
    problem = _problem()
    parameters = _random(5, problem.parameter_count, seed=3)
    found = hessian_extremes(
        problem, parameters, largest=3, smallest=2, tolerance=1e-8, together=together
    )
    wanted = _spectra(problem, parameters)
    scale = wanted.abs().amax(dim=1, keepdim=True)
    assert ((found.largest.values - wanted.flip(1)[:, :3]).abs() <= 1e-10 * scale).all()
    assert ((found.smallest.values - wanted[:, :2]).abs() <= 1e-10 * scale).all()
    assert (wanted[:, 0] < 0).all()  # the smallest is not the one nearest to zero
    assert (found.largest.errors <= 1e-8 * scale).all()
    assert found.largest.vectors.shape == (5, 3, problem.parameter_count)


def test_a_seed_and_a_start_decide_the_iteration() -> None:
    problem = _problem()
    parameters = _random(2, problem.parameter_count, seed=3)
    one, same, other = (hessian_extremes(problem, parameters, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one.largest.vectors, same.largest.vectors)
    assert not torch.equal(one.largest.vectors, other.largest.vectors)
    warm = hessian_extremes(problem, parameters, start=one.largest.vectors[:, 0])
    assert warm.largest.products < one.largest.products


def test_scipy_finds_the_same_largest_eigenvalues() -> None:
    from scipy.sparse.linalg import LinearOperator, eigsh

    problem = _problem()
    parameters = _random(1, problem.parameter_count, seed=3)
    product = problem.hessian_product(parameters)
    size = problem.parameter_count
    operator = LinearOperator(
        (size, size), lambda v: product(torch.tensor(v).reshape(1, -1))[0].numpy(), dtype=float
    )
    wanted = eigsh(operator, k=3, which="LA", v0=np.ones(size), return_eigenvectors=False)
    found = hessian_extremes(problem, parameters, largest=3, tolerance=1e-10)
    assert found.largest.values[0].tolist() == pytest.approx(sorted(wanted)[::-1], rel=1e-12)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
def test_curvlinops_finds_the_same_largest_eigenvalue() -> None:
    curvlinops = pytest.importorskip("curvlinops")
    from scipy.sparse.linalg import eigsh

    from delaystability.validation.data import digits_dataset
    from delaystability.validation.module_problem import ModuleProblem
    from delaystability.validation.modules import MLP

    data = digits_dataset(50)
    problem = ModuleProblem(MLP((64, 8, 10)), data)
    parameters = torch.tensor(problem.initial_parameters(0))
    module = problem.module_with(parameters)
    operator = curvlinops.HessianLinearOperator(
        module,
        torch.nn.MSELoss(),
        list(module.parameters()),
        [(torch.tensor(data.inputs), torch.tensor(data.targets))],
        check_deterministic=False,
    ).to_scipy(dtype=np.float64)
    wanted = eigsh(operator, k=1, which="LA", tol=1e-10, return_eigenvectors=False)
    found = hessian_extremes(problem, parameters[None], tolerance=1e-8)
    # torch's mean is over samples and outputs, without the half.
    assert float(found.largest.values) == pytest.approx(5 * float(wanted[0]), rel=1e-10)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"largest": -1}, "largest must be an integer from 0 to 4; got -1"),
        ({"smallest": 5}, "smallest must be an integer from 0 to 4; got 5"),
        ({"largest": 1.0}, "largest must be an integer from 0 to 4; got 1.0"),
        ({"largest": 0}, "largest or smallest must be at least 1; got 0 for both"),
        ({"largest": 2, "smallest": 1, "max_products": 2}, "max_products must be an integer >= 3"),
        ({"tolerance": float("nan")}, "tolerance must be a number > 0; got nan"),
    ],
)
def test_wrong_numbers_of_eigenvalues_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        extreme_eigenvalues(_product(_symmetric(1, 4)), _random(1, 4), **options)


def test_wrong_arguments_of_hessian_extremes_are_refused() -> None:
    problem = _problem()
    parameters = _random(2, problem.parameter_count)
    with pytest.raises(ValueError, match="together must be an integer >= 1; got 0"):
        hessian_extremes(problem, parameters, together=0)
    with pytest.raises(ValueError, match="seed must be an integer >= 0; got -1"):
        hessian_extremes(problem, parameters, seed=-1)
    with pytest.raises(ValueError, match=r"start must have the shape \(2, 53\); got \(1, 53\)"):
        hessian_extremes(problem, parameters, start=parameters[:1])
