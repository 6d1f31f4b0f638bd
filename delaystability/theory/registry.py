"""All theorems, in the order in which a paper would tell them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, partial

from delaystability.model.catalogue import CATALOGUE
from delaystability.theory.derivation import CheckedProof, Proof
from delaystability.theory.loop import symbolic
from delaystability.theory.proofs.adam import (
    adam_frozen,
    adam_frozen_delay_0,
    adam_frozen_delay_4,
)
from delaystability.theory.proofs.adjustment import (
    adjustment,
    adjustment_sgd,
    adjustment_sgd_lower,
    adjustment_sgd_upper,
)
from delaystability.theory.proofs.any_optimizer import any_optimizer
from delaystability.theory.proofs.delayed_loop import delayed_loop
from delaystability.theory.proofs.effective_heavy_ball import (
    effective_heavy_ball,
    effective_heavy_ball_lower,
    effective_heavy_ball_ratio,
    effective_heavy_ball_upper,
)
from delaystability.theory.proofs.effective_rate import sine_ratio
from delaystability.theory.proofs.effective_shifted import (
    effective_shifted,
    effective_shifted_lower,
    effective_shifted_ratio,
    effective_shifted_upper,
)
from delaystability.theory.proofs.ema_momentum import ema_momentum
from delaystability.theory.proofs.escape import (
    escape_rate,
    sgd_escape_slope,
    sgd_escape_slope_long_delay,
)
from delaystability.theory.proofs.fastest_rate import sgd_fastest_gain, sgd_fastest_rate
from delaystability.theory.proofs.geometric_delay import geometric_delay
from delaystability.theory.proofs.geometric_mean_square import (
    geometric_delay_long,
    geometric_delay_mean_square,
)
from delaystability.theory.proofs.heavy_ball import heavy_ball
from delaystability.theory.proofs.heavy_ball_bounds import (
    heavy_ball_lower_bound,
    heavy_ball_upper_bound,
)
from delaystability.theory.proofs.heavy_ball_delays import (
    heavy_ball_delay_0,
    heavy_ball_delay_1,
    heavy_ball_delay_2,
    heavy_ball_even_delay,
)
from delaystability.theory.proofs.heavy_ball_forms import (
    heavy_ball_algebraic,
    heavy_ball_parametric,
    heavy_ball_quotient,
)
from delaystability.theory.proofs.heavy_ball_limits import (
    heavy_ball_long_delay,
    heavy_ball_long_delay_rate,
    heavy_ball_momentum_one,
    heavy_ball_momentum_one_rate,
)
from delaystability.theory.proofs.heavy_ball_monotone import heavy_ball_monotone_angle
from delaystability.theory.proofs.heavy_ball_tangent import heavy_ball_tangent
from delaystability.theory.proofs.mean_square import mean_square
from delaystability.theory.proofs.mean_square_bounds import (
    mean_square_sgd_long_delay,
    mean_square_sgd_lower,
    mean_square_sgd_upper,
)
from delaystability.theory.proofs.mean_square_sgd import (
    mean_square_sgd,
    mean_square_sgd_delay_0,
    mean_square_sgd_unit_noise,
)
from delaystability.theory.proofs.nesterov import nesterov
from delaystability.theory.proofs.nesterov_forms import nesterov_algebraic, nesterov_delay_0
from delaystability.theory.proofs.noise_heavy_ball import (
    mean_square_heavy_ball_delay_0,
    noise_amplification_heavy_ball_delay_0,
)
from delaystability.theory.proofs.noise_sgd import (
    noise_amplification_delay_0,
    noise_amplification_sgd,
)
from delaystability.theory.proofs.pipeline import pipeline
from delaystability.theory.proofs.pipeline_bound import pipeline_bound
from delaystability.theory.proofs.random_delay import random_delay_mean
from delaystability.theory.proofs.sgd import sgd
from delaystability.theory.proofs.sgd_bounds import (
    sgd_long_delay,
    sgd_lower_bound,
    sgd_upper_bound,
)
from delaystability.theory.proofs.shifted_forms import (
    shifted_momentum_delay_0,
    shifted_momentum_delay_1,
    shifted_momentum_momentum_one,
    shifted_momentum_parametric,
)
from delaystability.theory.proofs.shifted_momentum import shifted_momentum

__all__ = [
    "PARTS",
    "Part",
    "all_proofs",
    "checked",
    "checked_proof",
    "named",
    "names",
    "parts",
    "status_of",
]


@dataclass(frozen=True)
class Part:
    """A section of the theory: its title and, by name, what builds each of its proofs."""

    label: str
    title: str
    theorems: Mapping[str, Callable[[], Proof]]


PARTS: tuple[Part, ...] = (
    Part("crossings", "Crossings of the unit circle", {"delayed-loop": delayed_loop}),
    Part(
        "sgd",
        "SGD",
        {
            "sgd": sgd,
            "sgd-upper-bound": sgd_upper_bound,
            "sgd-lower-bound": sgd_lower_bound,
            "sgd-long-delay": sgd_long_delay,
        },
    ),
    Part(
        "heavy-ball",
        "Heavy ball",
        {
            "heavy-ball": heavy_ball,
            "heavy-ball-parametric": heavy_ball_parametric,
            "heavy-ball-quotient": heavy_ball_quotient,
            "heavy-ball-algebraic": heavy_ball_algebraic,
            "heavy-ball-delay-0": heavy_ball_delay_0,
            "heavy-ball-delay-1": heavy_ball_delay_1,
            "heavy-ball-delay-2": heavy_ball_delay_2,
            "heavy-ball-even-delay": heavy_ball_even_delay,
            "heavy-ball-monotone-angle": heavy_ball_monotone_angle,
            "heavy-ball-tangent": heavy_ball_tangent,
            "heavy-ball-lower-bound": heavy_ball_lower_bound,
            "heavy-ball-upper-bound": heavy_ball_upper_bound,
            "heavy-ball-momentum-one": heavy_ball_momentum_one,
            "heavy-ball-momentum-one-rate": heavy_ball_momentum_one_rate,
            "heavy-ball-long-delay": heavy_ball_long_delay,
            "heavy-ball-long-delay-rate": heavy_ball_long_delay_rate,
        },
    ),
    Part(
        "shifted-momentum",
        "Shifted momentum",
        {
            "shifted-momentum": shifted_momentum,
            "shifted-momentum-parametric": shifted_momentum_parametric,
            "shifted-momentum-delay-0": shifted_momentum_delay_0,
            "shifted-momentum-delay-1": shifted_momentum_delay_1,
            "shifted-momentum-momentum-one": shifted_momentum_momentum_one,
        },
    ),
    Part(
        "nesterov",
        "Nesterov momentum",
        {
            "nesterov": nesterov,
            "nesterov-delay-0": nesterov_delay_0,
            "nesterov-algebraic": nesterov_algebraic,
        },
    ),
    Part(
        "ema-momentum",
        "EMA momentum and Adam",
        {
            "ema-momentum": ema_momentum,
            "adam-frozen": adam_frozen,
            "adam-frozen-delay-0": adam_frozen_delay_0,
            "adam-frozen-delay-4": adam_frozen_delay_4,
        },
    ),
    Part(
        "momentum",
        "When momentum helps under delay",
        {
            "sine-ratio": sine_ratio,
            "effective-heavy-ball": effective_heavy_ball,
            "effective-heavy-ball-upper": effective_heavy_ball_upper,
            "effective-heavy-ball-lower": effective_heavy_ball_lower,
            "effective-heavy-ball-ratio": effective_heavy_ball_ratio,
            "effective-shifted": effective_shifted,
            "effective-shifted-lower": effective_shifted_lower,
            "effective-shifted-upper": effective_shifted_upper,
            "effective-shifted-ratio": effective_shifted_ratio,
        },
    ),
    Part(
        "adjustment",
        "Rules that keep the accessible minima",
        {
            "adjustment": adjustment,
            "adjustment-sgd": adjustment_sgd,
            "adjustment-sgd-upper": adjustment_sgd_upper,
            "adjustment-sgd-lower": adjustment_sgd_lower,
        },
    ),
    Part(
        "noise",
        "Noisy curvature and stationary variance",
        {
            "mean-square": mean_square,
            "noise-amplification-sgd": noise_amplification_sgd,
            "noise-amplification-sgd-delay-0": noise_amplification_delay_0,
            "mean-square-sgd": mean_square_sgd,
            "mean-square-sgd-delay-0": mean_square_sgd_delay_0,
            "mean-square-sgd-unit-noise": mean_square_sgd_unit_noise,
            "mean-square-sgd-lower": mean_square_sgd_lower,
            "mean-square-sgd-upper": mean_square_sgd_upper,
            "mean-square-sgd-long-delay": mean_square_sgd_long_delay,
            "noise-amplification-heavy-ball-delay-0": noise_amplification_heavy_ball_delay_0,
            "mean-square-heavy-ball-delay-0": mean_square_heavy_ball_delay_0,
        },
    ),
    Part(
        "random-delay",
        "Random delays",
        {
            "random-delay-mean": random_delay_mean,
            "geometric-delay": geometric_delay,
            "geometric-delay-mean-square": geometric_delay_mean_square,
            "geometric-delay-long": geometric_delay_long,
        },
    ),
    Part(
        "pipelines",
        "Pipelines",
        {
            "pipeline": pipeline,
            "pipeline-bound": pipeline_bound,
        },
    ),
    Part(
        "speed",
        "How fast",
        {
            "sgd-fastest-rate": sgd_fastest_rate,
            "sgd-fastest-gain": sgd_fastest_gain,
            "escape-rate": escape_rate,
            "sgd-escape-slope": sgd_escape_slope,
            "sgd-escape-slope-long-delay": sgd_escape_slope_long_delay,
        },
    ),
)
"""The parts with theorems of their own."""


def parts() -> tuple[Part, ...]:
    """All parts; the last one holds the optimizers of the catalogue without an own proof."""
    proved = {name for part in PARTS for name in part.theorems}
    others = {name: partial(_general, name) for name in CATALOGUE if name not in proved}
    return (*PARTS, Part("others", "Other optimizers", others)) if others else PARTS


def _general(name: str) -> Proof:
    return any_optimizer(symbolic(CATALOGUE[name]), name, CATALOGUE[name].title)


def names() -> tuple[str, ...]:
    """The names of all theorems, in order."""
    return tuple(name for part in parts() for name in part.theorems)


@cache
def named(name: str) -> Proof:
    """The proof of this name.

    Raises
    ------
    ValueError
        If there is no theorem of this name.
    """
    for part in parts():
        if name in part.theorems:
            return part.theorems[name]()
    near = get_close_matches(name, names(), n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"theorem must be one of {', '.join(names())}; got {name!r}{hint}")


def all_proofs() -> tuple[Proof, ...]:
    """Every proof, in order."""
    return tuple(map(named, names()))


@cache
def checked(name: str) -> CheckedProof:
    """The proof of this name with the outcome of its steps, from one check in this process."""
    return CheckedProof.of(named(name), status_of)


def checked_proof(proof: Proof) -> CheckedProof:
    """The proof, checked: once in this process if it is the registry's, else now."""
    if proof.name in names():
        known = named(proof.name)
        if proof.theorem is known.theorem and proof.steps is known.steps:
            return checked(proof.name)
    return CheckedProof.of(proof, status_of)


def status_of(name: str) -> str:
    """The status of the theorem of this name, or "unknown" if there is none."""
    return checked(name).status if name in names() else "unknown"
