"""Delays as plain data (dicts, numbers, tensors), and back.

``torch.load(weights_only=True)`` reads nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from delaystability.model import delay_data
from delaystability.model.delays import Delay, as_delay

__all__ = ["plain_delay", "read_delay"]


def plain_delay(delay: Delay) -> dict[str, Any]:
    """Write the kind of the delay and its numbers; a log as a tensor, fractions as pairs."""
    return {
        name: torch.tensor(value) if isinstance(value, np.ndarray) else value
        for name, value in delay_data.delay_to_dict(delay).items()
    }


def read_delay(data: Any, current: Delay) -> Delay:
    """Read the delay written by `plain_delay`; ``current`` itself if that is the one.

    A table of floats is normalised when it is made, so that it may differ from its copy by a
    rounding: hence the delay that is already there is preferred.
    """
    if not isinstance(data, Mapping):
        return as_delay(data)
    parameters = {
        name: value.cpu().numpy() if isinstance(value, torch.Tensor) else value
        for name, value in data.items()
    }
    arrays = any(isinstance(value, np.ndarray) for value in parameters.values())
    if not arrays and parameters == delay_data.delay_to_dict(current):
        return current
    return delay_data.delay_from_dict(parameters, type(current))
