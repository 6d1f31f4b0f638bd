"""The questions that a user asks, vectorised over NumPy arrays."""

from __future__ import annotations

from typing import Any

from delaystability.numerics.threshold import threshold_array


def stability_threshold(optimizer, delay):
    v = threshold_array(optimizer, delay)
    return v if v.ndim else float(v)
