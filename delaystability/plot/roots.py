"""The root locus: where the roots of the characteristic polynomial go as the gain grows."""

from __future__ import annotations

from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

from delaystability.model.arguments import checked_optimizer, positive
from delaystability.model.catalogue import Optimizer
from delaystability.numerics.tables.loop_filter import loop_filter
from delaystability.plot.labels import described, described_delay, plain_number
from delaystability.plot.radius import polynomial_parts, rates
from delaystability.plot.style import COLOURS, canvas, legend_below
from delaystability.questions.bounds import stability_threshold
from delaystability.questions.dynamics import crossings

__all__ = ["locus", "root_locus"]

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]
_STEPS = 100
_FARTHEST = 1.2
_MOVE = 0.02
_HALVINGS = 10
_LARGEST_DEGREE = 200
_BLACK, _BLUE, _ORANGE = COLOURS[0], COLOURS[1], COLOURS[5]


def locus(optimizer: Optimizer, delay: Any, gains: ArrayLike) -> Complex:
    """All roots of ``(z - 1) A(z) + gain z^-delay B(z) = 0``, each followed from gain to gain.

    Parameters
    ----------
    optimizer : Optimizer with scalar parameters
    delay : int or delay object
        With a random delay, the roots of the mean loop.
    gains : array of shape (n,), at least 0, in the order in which they are followed

    Returns
    -------
    complex array of shape (n, degree)
        A column is one root; neighbours are paired so that the roots move least in all.

    Raises
    ------
    ValueError
        If the degree of the polynomial is above 200.
    """
    free, forced = polynomial_parts(*loop_filter(checked_optimizer(optimizer), delay))
    degree = free.size - 1
    if degree > _LARGEST_DEGREE:
        raise ValueError(
            f"delay must give a polynomial of degree <= {_LARGEST_DEGREE}; got degree {degree}"
        )
    rows: list[Complex] = []
    for gain in np.asarray(gains, dtype=np.float64):
        roots = np.roots(free + gain * forced).astype(complex)
        # Roots at zero are dropped where the last coefficients vanish.
        roots = np.append(roots, np.zeros(degree - roots.size))
        if rows:
            distances = np.abs(rows[-1][:, None] - roots[None, :])
            roots = roots[linear_sum_assignment(distances)[1]]
        rows.append(roots)
    return np.array(rows)


def root_locus(
    optimizer: Optimizer,
    delay: Any,
    *,
    largest_gain: float | None = None,
    axes: Axes | None = None,
    size: str = "column",
) -> Axes:
    """The roots in the complex plane as learning rate times sharpness grows from 0.

    Solid while the gain is below the stability threshold, dashed beyond; marked are the roots at
    gain 0 and at the threshold, and the later crossings of the unit circle.

    Parameters
    ----------
    optimizer : Optimizer with scalar parameters
    delay : int or delay object
    largest_gain : number, optional
        By default about the gain at which a root has modulus 1.2.
    axes : Axes, optional
    size : "column", "page" or "slide", for a figure of its own

    Returns
    -------
    Axes

    Raises
    ------
    ValueError, TypeError
        For bad arguments, or a polynomial of degree above 200.
    """
    threshold = stability_threshold(checked_optimizer(optimizer), delay, moment="mean")
    if largest_gain is not None:
        last = float(positive("largest_gain", largest_gain))
    elif 0 < threshold < np.inf:
        last = 2.0 * threshold
        loop = loop_filter(optimizer, delay)
        while rates(*loop, np.array([last]))[0] < np.log(_FARTHEST) and last < 1e4 * threshold:
            last *= 1.25
    else:
        raise ValueError("largest_gain must be given where there is no stability threshold")
    found = crossings(optimizer, delay)
    gains = np.concatenate([np.geomspace(last * 1e-5, last, _STEPS), np.linspace(0, last, _STEPS)])
    gains = np.concatenate([gains, found.gains, [threshold]])
    gains, roots = _followed(optimizer, delay, np.unique(gains[gains <= last]))
    below, beyond = gains <= threshold, gains >= threshold
    with canvas(axes, size, height=1.5) as drawn:
        thickness = matplotlib.rcParams["lines.linewidth"]
        mark = matplotlib.rcParams["lines.markersize"]
        circle = np.exp(1j * np.linspace(0, 2 * np.pi, 361))
        drawn.plot(circle.real, circle.imag, color="0.55", lw=0.7 * thickness, gid="unit circle")
        for chosen, colour, dashes, name in (
            (beyond, _ORANGE, (0, (3, 1.2)), f"gain up to {plain_number(float(f'{last:.3g}'))}"),
            (below, _BLUE, "-", "gain below the threshold"),
        ):
            for column in roots[chosen].T:
                style: dict[str, Any] = {"color": colour, "ls": dashes, "label": name}
                drawn.plot(column.real, column.imag, lw=thickness, gid="locus", **style)
                name = "_"
        _marks(drawn, roots[0], "x", "gain 0", mark, mec="0.35", mew=0.9 * thickness)
        later = found.gains > threshold * (1 + 1e-9)
        at = np.exp(1j * found.angles[later & (found.gains <= last)])
        at = np.append(at, at.conj())
        if at.size:
            _marks(drawn, at, "o", "later crossings", mark, mfc="white", mec=_ORANGE, mew=thickness)
        if threshold <= last:
            shown = roots[int(np.flatnonzero(gains == threshold)[0])]
            name = f"at the threshold, {threshold:.4g}"
            _marks(drawn, shown, "o", name, mark, mfc=_BLACK, mec="white", mew=0.5 * thickness)
        reach = 1.12 * max(1.0, float(np.abs(np.append(roots.real, roots.imag)).max()))
        reach = min(reach, 1.6)
        drawn.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
        drawn.set(xlabel="real part of z", ylabel="imaginary part of z")
        ticks = [-1, -0.5, 0, 0.5, 1]
        drawn.set_xticks(ticks, [f"{tick:g}".replace("-", "−") for tick in ticks])
        drawn.set_yticks(ticks, [f"{tick:g}".replace("-", "−") for tick in ticks])
        drawn.grid(alpha=0.25)
        drawn.set_axisbelow(True)
        drawn.set_title(f"Roots of {described(optimizer)}, {described_delay(delay)}")
        _, labels = drawn.get_legend_handles_labels()
        legend_below(drawn, sorted(range(len(labels)), key=lambda place: _order(labels[place])))
    return drawn


def _followed(optimizer: Optimizer, delay: Any, gains: Array) -> tuple[Array, Complex]:
    """The locus with more gains where roots move fast, as they do where two of them meet."""
    roots = locus(optimizer, delay, gains)
    for _ in range(_HALVINGS):
        far = np.abs(np.diff(roots, axis=0)).max(axis=1) > _MOVE
        if not far.any():
            break
        gains = np.sort(np.append(gains, (gains[1:] + gains[:-1])[far] / 2))
        roots = locus(optimizer, delay, gains)
    return gains, roots


def _order(label: str) -> int:
    """The place of a legend's entry: in the order of the gain."""
    words = ("gain 0", "gain below", "at the threshold", "later", "gain up to")
    return next(place for place, word in enumerate(words) if label.startswith(word))


def _marks(axes: Axes, roots: Complex, marker: str, name: str, size: float, **style: Any) -> None:
    axes.plot(roots.real, roots.imag, marker, ms=size, label=name, gid=name, zorder=3, **style)
