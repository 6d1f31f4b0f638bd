"""Pictures on matplotlib axes: stability maps, roots, rules, oscillations, speed, staleness.

Every function draws on the ``axes`` that it is given, in the style that is set there, or on a new
figure of its own, and returns the axes. ``axes.figure`` is the figure; `save` writes it.

    axes = ds.plot.stability_map(ds.HeavyBall(0.9), size="slide")
    ds.plot.save(axes, "map.pdf")

Needs matplotlib, which comes with ``pip install 'delaystability[plot]'``. Pyplot is not
loaded, so that nothing opens a window.
"""

from __future__ import annotations

from importlib.util import find_spec

from delaystability.model.extras import install_command

if find_spec("matplotlib") is None:
    raise ImportError(
        f"pictures need matplotlib, which is not installed: {install_command('plot')}"
    )

from delaystability.plot.any_sequence import any_sequence as any_sequence
from delaystability.plot.batch_edge import batch_edge as batch_edge
from delaystability.plot.escape import escape as escape
from delaystability.plot.escape import read_rates as read_rates
from delaystability.plot.measurements import Measurements as Measurements
from delaystability.plot.measurements import measured as measured
from delaystability.plot.mixed_reads import partly_fresh as partly_fresh
from delaystability.plot.oscillations import oscillations as oscillations
from delaystability.plot.outer_loops import outer_loops as outer_loops
from delaystability.plot.roots import root_locus as root_locus
from delaystability.plot.rule import adjustment_rule as adjustment_rule
from delaystability.plot.speed import speed as speed
from delaystability.plot.stability_map import momentum_map as momentum_map
from delaystability.plot.stability_map import stability_map as stability_map
from delaystability.plot.staleness import implied_thresholds as implied_thresholds
from delaystability.plot.staleness import staleness_histogram as staleness_histogram
from delaystability.plot.style import save as save
from delaystability.plot.style import sheet as sheet

__all__ = [
    "Measurements",
    "adjustment_rule",
    "any_sequence",
    "batch_edge",
    "escape",
    "implied_thresholds",
    "measured",
    "momentum_map",
    "oscillations",
    "outer_loops",
    "partly_fresh",
    "read_rates",
    "root_locus",
    "save",
    "sheet",
    "speed",
    "stability_map",
    "staleness_histogram",
]
