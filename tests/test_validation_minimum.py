"""Minima of known sharpness: the gradient vanishes, and the curvature is the dense Hessian's."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from delaystability.validation.dense import DenseProblem
from delaystability.validation.minimum import find_minimum
from delaystability.validation.network import Network

NETWORK = Network((5, 8, 2))


def _problem(samples: int = 12, loss: str = "squared") -> DenseProblem:
    random = np.random.default_rng(0)
    inputs, targets = random.standard_normal((samples, 5)), random.standard_normal((samples, 2))
    return DenseProblem.from_arrays(NETWORK, inputs, targets, loss=loss)


def test_the_gradient_vanishes_and_the_sharpness_is_that_of_the_dense_hessian() -> None:
    problem = _problem()
    start = torch.tensor(NETWORK.initial_parameters(3))
    minimum = find_minimum(problem, start)
    assert minimum.gradient_norm <= 1e-10
    assert minimum.loss <= 1e-20
    hessian = torch.autograd.functional.hessian(
        lambda point: problem.loss(point[None])[0], minimum.parameters
    )
    values, vectors = torch.linalg.eigh(hessian)
    assert minimum.sharpness == pytest.approx(float(values[-1]), rel=1e-9)
    # At an interpolating minimum no curvature is negative.
    assert float(values[0]) > -1e-9 * minimum.sharpness
    assert abs(float(minimum.direction @ vectors[:, -1])) == pytest.approx(1, abs=1e-6)


def test_another_start_leads_to_another_minimum() -> None:
    problem = _problem()
    found = [find_minimum(problem, torch.tensor(NETWORK.initial_parameters(k))) for k in (1, 2)]
    assert abs(found[0].sharpness / found[1].sharpness - 1) > 0.01


def test_what_has_no_such_minimum_is_refused() -> None:
    start = torch.tensor(NETWORK.initial_parameters(0))
    with pytest.raises(ValueError, match="problem must have the squared loss"):
        find_minimum(_problem(loss="cross-entropy"), start)
    with pytest.raises(ValueError, match="tolerance must be reachable"):
        find_minimum(_problem(), start, tolerance=1e-10, max_iterations=1)
