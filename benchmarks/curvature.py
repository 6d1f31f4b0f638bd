"""The sharpness of many replicas at once against a loop over curvlinops and SciPy's eigsh.

Every replica is a 64-32-10 tanh network on 500 digits after some steps of gradient descent. All
methods get the same start and the same bound on the residual relative to the eigenvalue. Peers see
the same networks as ordinary torch modules; curvlinops is no dependency of the package.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from time import perf_counter, process_time
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import Tensor

from delaystability.validation.curvature import hessian_extremes
from delaystability.validation.data import digits_dataset
from delaystability.validation.dataset import Dataset
from delaystability.validation.dense import DenseProblem
from delaystability.validation.module_problem import ModuleProblem
from delaystability.validation.modules import MLP
from delaystability.validation.network import Network
from delaystability.validation.problem import Problem

__all__ = ["measure_curvature"]

TOLERANCES = (1e-5, 1e-3)
"""Residual norms over the eigenvalue; the eigenvalue itself is then far more accurate."""

_SIZES = (64, 32, 10)
_CURVLINOPS = "curvlinops-for-pytorch"


def measure_curvature(replicas: int = 64, samples: int = 500, steps: int = 100) -> dict[str, Any]:
    """Seconds, errors and products of each method for the largest Hessian eigenvalue.

    Parameters
    ----------
    replicas, samples : int
    steps : int
        Of gradient descent (learning rate 0.1) before the measurement.

    Returns
    -------
    dict
        ``rows``: for each method and tolerance the seconds on the clock and of the processor for
        all replicas, the largest error relative to a reference (the same to 1e-12), the largest
        residual bound where it reports one, the most products that a replica took, and the time
        over that of the first method at this tolerance.
    """
    data = digits_dataset(samples)
    flat = data.flat()
    dense = DenseProblem.from_arrays(Network(_SIZES), flat.inputs, flat.targets)
    module = ModuleProblem(MLP(_SIZES), data)
    parameters = torch.tensor(np.stack([dense.initial_parameters(s) for s in range(replicas)]))
    for _ in range(steps):
        parameters = parameters - 0.1 * dense.gradient(parameters)
    start = torch.from_numpy(np.random.default_rng(0).standard_normal(tuple(parameters.shape)))
    reference = _extremes(dense, parameters, start, 1e-12)["values"]

    methods: dict[str, tuple[int, Callable[[float], dict[str, Any]]]] = {
        "hessian_extremes, DenseProblem": (
            3,
            lambda tolerance: _extremes(dense, parameters, start, tolerance),
        ),
        "hessian_extremes, ModuleProblem": (
            3,
            lambda tolerance: _extremes(module, parameters, start, tolerance),
        ),
    }
    if _version(_CURVLINOPS) is None:
        print(f"{_CURVLINOPS} is not installed: left out")
    else:
        for basis in (8, None):
            methods[f"curvlinops and eigsh, ncv {basis or 'by default'}"] = (
                1,
                lambda tolerance, basis=basis: _peer(
                    module, flat, parameters, start, tolerance, basis
                ),
            )
    rows: list[dict[str, Any]] = []
    for tolerance in TOLERANCES:
        own = len(rows)
        for method, (repeats, call) in methods.items():
            clock, processor, found = _timed(lambda c=call, t=tolerance: c(t), repeats)
            rows.append(
                {
                    "tolerance": tolerance,
                    "method": method,
                    "seconds": clock,
                    "processor_seconds": processor,
                    "relative_error": float(np.abs(found["values"] / reference - 1).max()),
                    "residual_bound": found["residual_bound"],
                    "products": found["products"],
                }
            )
            for kind in ("seconds", "processor_seconds"):
                rows[-1][f"times_{kind}"] = rows[-1][kind] / rows[own][kind]
    return {
        "replicas": replicas,
        "parameters": dense.parameter_count,
        "samples": samples,
        "threads": torch.get_num_threads(),
        "versions": {name: _version(name) for name in ("torch", _CURVLINOPS, "scipy")},
        "rows": rows,
    }


def _extremes(
    problem: Problem, parameters: Tensor, start: Tensor, tolerance: float
) -> dict[str, Any]:
    found = hessian_extremes(problem, parameters, start=start, tolerance=tolerance).largest
    return {
        "values": found.values[:, 0].numpy(),
        "residual_bound": float((found.errors / found.values).max()),
        "products": found.products,
    }


def _peer(
    module: ModuleProblem,
    flat: Dataset,
    parameters: Tensor,
    start: Tensor,
    tolerance: float,
    basis: int | None,
) -> dict[str, Any]:
    """One operator and one eigsh for each replica, as the documentation of curvlinops does it."""
    from curvlinops import HessianLinearOperator

    inputs, targets = torch.tensor(flat.inputs), torch.tensor(flat.targets)
    # torch's mean is over samples and outputs, without the half.
    factor = targets.shape[1] / 2
    values, products = [], []
    for row in range(len(parameters)):
        network = module.module_with(parameters[row])
        operator = HessianLinearOperator(
            network,
            torch.nn.MSELoss(),
            list(network.parameters()),
            [(inputs, targets)],
            check_deterministic=False,
        ).to_scipy(dtype=np.float64)
        calls: list[int] = []

        def product(
            vector: NDArray[np.float64], operator: Any = operator, calls: Any = calls
        ) -> Any:
            calls.append(1)
            return operator @ vector

        found = eigsh(
            LinearOperator(operator.shape, matvec=product, dtype=np.float64),
            k=1,
            which="LA",
            tol=tolerance,
            ncv=basis,
            v0=start[row].numpy(),
            return_eigenvectors=False,
        )
        values.append(factor * float(found[0]))
        products.append(len(calls))
    return {"values": np.array(values), "residual_bound": None, "products": max(products)}


def _timed(call: Callable[[], dict[str, Any]], repeats: int) -> tuple[float, float, dict[str, Any]]:
    """The least times, on the clock and of the processor, of some calls, and the last result."""
    clock, processor, found = [], [], {}
    for _ in range(repeats):
        begun, worked = perf_counter(), process_time()
        found = call()
        clock.append(perf_counter() - begun)
        processor.append(process_time() - worked)
    return min(clock), min(processor), found


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


if __name__ == "__main__":
    print(json.dumps(measure_curvature(), indent=2))
