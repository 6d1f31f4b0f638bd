"""Lanczos iteration that holds few vectors: against dense eigenvalues, and one that holds all."""

from __future__ import annotations

import threading

import numpy as np
import pytest

pytest.importorskip("torch")
import torch

from delaystability.numerics.lanczos import extreme_eigenvalues
from tests.helpers import EPS
from tests.live_memory import LiveMemory

SIZE = 300


def rotated(values, seed=0):
    """A symmetric matrix (1, P, P) with these eigenvalues."""
    noise = np.random.default_rng(seed).standard_normal((len(values), len(values)))
    turn = np.linalg.qr(noise)[0]
    return torch.tensor(turn * np.asarray(values) @ turn.T)[None]


def product_with(matrices):
    return lambda vectors: torch.bmm(matrices, vectors.unsqueeze(-1)).squeeze(-1)


def drawn(*shape, seed=1):
    return torch.tensor(np.random.default_rng(seed).standard_normal(shape))


BULK = np.linspace(-1, 1, SIZE)
SPECTRA = {
    "a gap of a thousandth": np.r_[BULK[:-1], 1.001],
    "five values in a thousandth": np.r_[BULK[:-5], 1.5 + 1e-3 * np.linspace(0, 1, 5)],
    "three equal values at the top": np.r_[BULK[:-3], [2.0] * 3],
    "negative values alone": -np.logspace(-2, 2, SIZE),
    "one negative value far below": np.r_[-10.0, BULK[1:-1], 1.5],
    "six decades": np.logspace(-6, 0, SIZE),
    "one value": np.full(SIZE, 3.0),
    "few values": np.repeat([-1.0, 0.0, 4.0], SIZE // 3),
}


@pytest.mark.quick(6)
@pytest.mark.parametrize("tolerance", [1e-2, 1e-3])
@pytest.mark.parametrize("basis_size", [6, 8])
@pytest.mark.parametrize("values", SPECTRA.values(), ids=SPECTRA)
def test_both_ends_are_found_with_few_vectors(values, basis_size, tolerance):
    product, start = product_with(rotated(values)), drawn(1, SIZE)
    options = {"tolerance": tolerance, "max_products": 120, "basis_size": basis_size}
    both = extreme_eigenvalues(product, start, smallest=1, **options)
    alone = extreme_eigenvalues(product, start, **options)
    scale = np.abs(values).max()
    ends = ((both.largest, values.max()), (both.smallest, values.min()))
    for pairs, end in (*ends, (alone.largest, values.max())):
        error = float(pairs.errors)
        assert error <= tolerance * scale
        assert abs(float(pairs.values) - end) <= error + 100 * EPS * scale


@pytest.mark.parametrize("products", [7, 9, 12, 20, 33])
def test_the_bound_is_the_residual_after_any_number_of_restarts(products):
    matrices = torch.cat([rotated(BULK, seed=seed) for seed in range(3)])
    found = extreme_eigenvalues(
        product_with(matrices),
        drawn(3, SIZE),
        largest=2,
        smallest=1,
        max_products=products,
        basis_size=7,
        tolerance=1e-12,
    )
    for pairs in (found.largest, found.smallest):
        assert pairs.products == products
        for place in range(pairs.values.shape[1]):
            vectors, values = pairs.vectors[:, place], pairs.values[:, place]
            residual = product_with(matrices)(vectors) - values[:, None] * vectors
            bound = pairs.errors[:, place]
            assert torch.allclose(residual.norm(dim=1), bound, rtol=1e-9, atol=100 * EPS)
            assert (bound > 1e-6).all()


def test_a_restart_costs_few_products_and_memory_of_the_vectors_it_holds():
    values = torch.tensor(np.r_[np.linspace(-1, 1, 10**5), 2.0])
    start = drawn(1, len(values))
    counts, peaks = {}, {}
    for basis_size in (6, 8, None):
        with LiveMemory() as memory:
            found = extreme_eigenvalues(
                lambda vectors: values * vectors,
                start,
                tolerance=1e-8,
                max_products=100,
                basis_size=basis_size,
            ).largest
        counts[basis_size] = found.products
        peaks[basis_size] = memory.peak / (values.numel() * 8)
        assert float(found.values) == pytest.approx(2, abs=1e-12)
    assert counts[8] <= counts[6] <= 1.5 * counts[None]
    # Besides the basis: the start, an image, and what of it is new or a third of some vectors.
    assert peaks[6] <= 6 + 3.5
    assert peaks[8] <= 8 + 3.5
    # Negative control: all vectors are many more.
    assert peaks[None] > 20


def test_a_replica_that_is_not_finite_is_missing_after_a_restart_too():
    matrices = torch.cat([rotated(BULK), rotated(BULK)])
    calls = []

    def product(vectors):
        calls.append(None)
        images = product_with(matrices)(vectors)
        if len(calls) == 4:
            images[1, 0] = torch.nan
        return images

    found = extreme_eigenvalues(
        product, drawn(2, SIZE), tolerance=1e-3, max_products=200, basis_size=6
    ).largest
    assert found.products > 12
    assert float(found.values[0]) == pytest.approx(1, abs=1e-3)
    assert found.values[1].isnan() and found.errors[1].isnan()


@pytest.mark.quick(1)
@pytest.mark.parametrize("shift", [0.0, -10.0])
@pytest.mark.parametrize("basis_size", [6, None])
def test_deflated_vectors_never_come_back(shift, basis_size):
    # Below zero a direction that was projected out would show as the largest value, 0.
    matrices = rotated(BULK + shift)
    values, vectors = torch.linalg.eigh(matrices)
    top = vectors[:, :, -3:].mT
    options = {"tolerance": 1e-10, "max_products": 3000, "basis_size": basis_size}
    start = drawn(1, SIZE)
    found = extreme_eigenvalues(product_with(matrices), start, deflated=top, **options).largest
    assert float(found.values) == pytest.approx(float(values[0, -4]), abs=1e-11)
    assert (found.vectors @ top.mT).abs().max() < 1e-13
    # Negative control.
    whole = extreme_eigenvalues(product_with(matrices), start, **options).largest
    assert float(whole.values) == pytest.approx(float(values[0, -1]), abs=1e-11)


@pytest.mark.slow
def test_parts_of_vectors_on_several_processes_give_what_the_whole_gives():
    values = torch.tensor(np.r_[np.linspace(-1, 1, SIZE - 1), 1.5])
    start, deflated = drawn(1, SIZE), torch.eye(SIZE).double()[None, -1:]
    options = {"smallest": 1, "tolerance": 1e-8, "max_products": 400, "basis_size": 6}
    whole = extreme_eigenvalues(lambda v: values * v, start, deflated=deflated, **options)
    columns = [slice(0, 40), slice(40, 40), slice(40, SIZE)]  # one process holds none
    barrier, numbers, found = threading.Barrier(3, timeout=30), [None] * 3, [None] * 3

    def process(rank):
        def reduce(part):
            numbers[rank] = part
            barrier.wait()
            total = torch.stack([number.clone() for number in numbers]).sum(dim=0)
            barrier.wait()
            return total

        mine = columns[rank]
        found[rank] = extreme_eigenvalues(
            lambda v: values[mine] * v,
            start[:, mine],
            deflated=deflated[:, :, mine],
            reduce=reduce,
            **options,
        )

    threads = [threading.Thread(target=process, args=(rank,)) for rank in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for end in ("largest", "smallest"):
        parts, joined = [getattr(part, end) for part in found], getattr(whole, end)
        for part in parts:
            assert part.products == joined.products
            assert torch.allclose(part.values, joined.values, rtol=0, atol=100 * EPS)
        together = torch.cat([part.vectors for part in parts], dim=2)
        assert torch.allclose(together, joined.vectors, rtol=0, atol=1e-9)


def test_a_tiny_operator_in_single_precision_is_no_zero():
    values = (1e-25 * torch.linspace(0, 1, SIZE)).float()
    found = extreme_eigenvalues(lambda v: values * v, drawn(1, SIZE).float(), basis_size=6)
    assert float(found.largest.values) == pytest.approx(1e-25, rel=1e-3)


@pytest.mark.parametrize("basis_size", [3, 0, 2.5])
def test_a_basis_that_is_too_small_is_refused(basis_size):
    with pytest.raises(ValueError, match="basis_size must be an integer >= 4; got"):
        extreme_eigenvalues(
            product_with(rotated(BULK)), drawn(1, SIZE), largest=2, basis_size=basis_size
        )
