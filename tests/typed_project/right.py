"""A project that uses the package: type checkers find nothing to complain about.

It is checked, and run too: what the types promise is what comes.
"""

from __future__ import annotations

from typing import assert_type

import numpy as np
from numpy.typing import NDArray

import delaystability as ds

momentum = ds.HeavyBall(momentum=0.9)
delays = np.arange(4)

assert_type(ds.stability_threshold(momentum, 4), float)
assert_type(ds.stability_threshold(momentum, ds.GeometricDelay(0.5), moment="mean"), float)
assert_type(ds.stability_threshold(ds.Loop(ds.SGD(), 4)), float)
assert_type(ds.stability_threshold(momentum, delay=delays), NDArray[np.float64])
assert_type(ds.stability_threshold(momentum, delay=[0, 4, 8]), NDArray[np.float64])
assert_type(ds.stability_threshold(momentum, 4, curvature_noise=np.ones(3)), NDArray[np.float64])
assert_type(ds.stability_threshold(momentum, np.int64(4), decay=np.float32(0.1)), float)
assert_type(ds.max_learning_rate(20, ds.SGD(), 4), float)
assert_type(ds.max_learning_rate([10.0, 20.0], ds.SGD(), 4), NDArray[np.float64])
assert_type(ds.max_sharpness(0.1, ds.SGD(), 4), float)
assert_type(ds.is_stable(0.1, 2.0, ds.SGD(), 4), bool)
assert_type(ds.is_stable(0.1, 2.0, ds.SGD(), delays), NDArray[np.bool_])
assert_type(ds.max_delay(0.1, 2.0, ds.SGD()), int)
assert_type(ds.max_delay(0.1, np.ones(2), ds.SGD()), NDArray[np.int64])
assert_type(ds.max_momentum(0.1, 2.0, "heavy-ball", 1), float)
assert_type(ds.adjust_learning_rate(0.1, ds.SGD(), 0, 1), float)
assert_type(ds.adjust_learning_rate(0.1, ds.SGD(), 0, delays), NDArray[np.float64])
assert_type(ds.spectral_radius(ds.SGD(), 4, 0.1), float)
assert_type(ds.escape_rate(ds.SGD(), 4, np.full(2, 0.1)), NDArray[np.float64])
assert_type(ds.stationary_variance(ds.SGD(), 4, 0.1), float)
assert_type(ds.stable_gains(ds.SGD(), 4), list[tuple[float, float]])


def rate(sharpness: float, delay: int) -> float:
    """A function of the user's, which wants a float."""
    return ds.max_learning_rate(sharpness, ds.SGD(), delay) / 2


rate(20.0, 4)
certificate: ds.Certificate = ds.certify(ds.SGD(), 3)
proof: ds.Derivation = ds.derive("sgd")
advice: ds.Recommendation = ds.recommend_learning_rate(0.1, ds.Adam(), 4)
swing: float | None = ds.oscillation(0.001, ds.Adam(), 4).rms
laws: list[ds.Delay] = [
    ds.MeasuredDelay([0, 1, 2]),
    ds.MeasuredDelay(delays),
    ds.RandomDelay({0: 0.5, 1: 0.5}),
    ds.FixedDelay(4),
    ds.BoundedDelay(4),
    ds.MixedRead({0: 0.25, 4: 0.75}),
]
rates = [ds.max_learning_rate(20.0, ds.SGD(), law, moment="mean") for law in laws[:4]]
assert_type(rates, list[float])
