"""Factors of the Hessians of single samples at a minimum that fits them all."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from delaystability.validation.perturbed_runs import Site

__all__ = ["sample_jacobian"]


def sample_jacobian(site: Site) -> NDArray[np.float64]:
    """Derivatives of the outputs by the parameters: (samples, outputs, P).

    With vanishing residuals the Hessian of a sample's squared loss is the product of its factor
    with itself.

    Parameters
    ----------
    site : Site
    """

    def outputs(point: torch.Tensor) -> torch.Tensor:
        return site.problem.outputs(point[None])[0].T

    jacobian = torch.func.jacrev(outputs)(site.minimum.parameters)
    return np.asarray(jacobian.cpu().double().numpy())
