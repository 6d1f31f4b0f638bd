"""Thresholds and growth of loops whose weights decay as those of torch's optimizers do."""

import delaystability as ds
from delaystability.numerics.moments.decayed_loop import decayed_growth

__all__ = ["growth_rate", "threshold_with_decay"]


def threshold_with_decay(optimizer, delay, shrinkage, *, decoupled=False, **settings):
    """The threshold of a loop whose weights decay as torch's do."""
    loop = ds.Loop(optimizer, delay, shrinkage, coupled=not decoupled)
    return ds.stability_threshold(loop, **settings)


def growth_rate(optimizer, delay, gain, shrinkage=0.0, *, decoupled=False):
    """Growth in nats an update."""
    return decayed_growth(ds.Loop(optimizer, delay, shrinkage, coupled=not decoupled), gain)
