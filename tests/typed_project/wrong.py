"""Mistakes: each line that says so is an error for mypy and for pyright, and no other line is."""

from __future__ import annotations

import numpy as np

import delaystability as ds
from delaystability import stabilty_threshold  # error

threshold = ds.stability_treshold(ds.SGD(), 4)  # error
optimizer = ds.HeavyBal(0.9)  # error
momentum = ds.HeavyBall(momentun=0.9)  # error
text: str = ds.stability_threshold(ds.SGD(), 4)  # error
single: float = ds.stability_threshold(ds.SGD(), np.arange(3))  # error
several = ds.stability_threshold(ds.SGD(), 4).shape  # error
name = ds.stability_threshold("sgd", 4)  # error
written = ds.stability_threshold(ds.SGD(), "4")  # error
fraction = ds.stability_threshold(ds.SGD(), 4.5)  # error
unknown = ds.stability_threshold(ds.SGD(), 4, noise=0.1)  # error
switched = ds.max_learning_rate(ds.SGD(), 20.0, 4)  # error
number: int = ds.is_stable(0.1, 2.0, ds.SGD(), np.arange(3))  # error
lazy = ds.certify(ds.SGD(), 3).lowest  # error
proof = ds.derive("sgd").latexx()  # error
misspelt = stabilty_threshold
mean = ds.MeasuredDelay([0, 1]).average  # error
