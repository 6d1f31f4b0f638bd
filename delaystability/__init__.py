"""Stability thresholds of neural-network training with delayed gradients.

>>> import delaystability as ds
>>> ds.stability_threshold(ds.SGD(), delay=1)
1.0

Importing this package loads NumPy only; SymPy, python-flint and torch are loaded when used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from delaystability.model.adaptive import Adam, NAdam, RMSProp
from delaystability.model.bounded_delay import BoundedDelay
from delaystability.model.catalogue import (
    CATALOGUE,
    SGD,
    EMAMomentum,
    HeavyBall,
    LinearOptimizer,
    Nesterov,
    Optimizer,
    ShiftedMomentum,
    SpikeCompensation,
    WeightPrediction,
)
from delaystability.model.delays import (
    Delay,
    FixedDelay,
    GeometricDelay,
    MeasuredDelay,
    RandomDelay,
)
from delaystability.model.extras import missing_packages
from delaystability.model.loop import Loop
from delaystability.model.mixed_read import MixedRead
from delaystability.model.sign_optimizers import Lion, Muon, SignSGD
from delaystability.questions.bounds import (
    LearningRateWarning,
    StabilityWarning,
    adjust_learning_rate,
    is_stable,
    max_learning_rate,
    max_sharpness,
    stability_threshold,
)
from delaystability.questions.dynamics import (
    almost_sure_threshold,
    crossings,
    escape_rate,
    fastest_gain,
    max_delay,
    max_momentum,
    replay_gains,
    replay_threshold,
    spectral_radius,
    stable_gains,
    stationary_variance,
)

if TYPE_CHECKING:
    from delaystability import plot
    from delaystability.model.pipelines import (
        GPipe,
        PipeDream,
        PipeDream2BW,
        PipelinedBackpropagation,
        PipelineSchedule,
    )
    from delaystability.numerics.certificates.certificate import Certificate, certify
    from delaystability.numerics.exact.intervals import UndecidedError
    from delaystability.printing.derivation import Derivation, all_derivations, derive
    from delaystability.questions.any_sequence import (
        BoundedDelayThreshold,
        bounded_delay_threshold,
    )
    from delaystability.questions.best_optimizer import BestOptimizer, best_optimizer
    from delaystability.questions.learning_rate_advice import recommend_learning_rate
    from delaystability.questions.learning_rate_probe import (
        ProbedRecommendation,
        probe_learning_rates,
    )
    from delaystability.questions.minibatches import (
        batch_sharpness_edge,
        mean_square_learning_rate,
    )
    from delaystability.questions.oscillation import oscillation
    from delaystability.questions.outer_loop import OuterLoop
    from delaystability.questions.recommendation import Recommendation
    from delaystability.questions.stages import (
        safe_stage_learning_rate,
        stage_sharpness,
        stage_spectral_radius,
        stage_threshold,
    )
    from delaystability.training.delay_aware_lr import DelayAwareLR
    from delaystability.training.delayed import delayed
    from delaystability.training.delayed_optimizer import DelayedOptimizer
    from delaystability.training.loss_floor import final_learning_rate, loss_floor
    from delaystability.training.sharpness import sharpness
    from delaystability.training.stability_monitor import StabilityMonitor
    from delaystability.translation.export import export

__version__ = "0.2.0"

__all__ = [
    "CATALOGUE",
    "SGD",
    "Adam",
    "BestOptimizer",
    "BoundedDelay",
    "BoundedDelayThreshold",
    "Certificate",
    "Delay",
    "DelayAwareLR",
    "DelayedOptimizer",
    "Derivation",
    "EMAMomentum",
    "FixedDelay",
    "GPipe",
    "GeometricDelay",
    "HeavyBall",
    "LearningRateWarning",
    "LinearOptimizer",
    "Lion",
    "Loop",
    "MeasuredDelay",
    "MixedRead",
    "Muon",
    "NAdam",
    "Nesterov",
    "Optimizer",
    "OuterLoop",
    "PipeDream",
    "PipeDream2BW",
    "PipelineSchedule",
    "PipelinedBackpropagation",
    "ProbedRecommendation",
    "RMSProp",
    "RandomDelay",
    "Recommendation",
    "ShiftedMomentum",
    "SignSGD",
    "SpikeCompensation",
    "StabilityMonitor",
    "StabilityWarning",
    "UndecidedError",
    "WeightPrediction",
    "adjust_learning_rate",
    "all_derivations",
    "almost_sure_threshold",
    "batch_sharpness_edge",
    "best_optimizer",
    "bounded_delay_threshold",
    "certify",
    "crossings",
    "delayed",
    "derive",
    "escape_rate",
    "export",
    "fastest_gain",
    "final_learning_rate",
    "is_stable",
    "loss_floor",
    "max_delay",
    "max_learning_rate",
    "max_momentum",
    "max_sharpness",
    "mean_square_learning_rate",
    "oscillation",
    "plot",
    "probe_learning_rates",
    "recommend_learning_rate",
    "replay_gains",
    "replay_threshold",
    "safe_stage_learning_rate",
    "sharpness",
    "spectral_radius",
    "stability_threshold",
    "stable_gains",
    "stage_sharpness",
    "stage_spectral_radius",
    "stage_threshold",
    "stationary_variance",
]

_LOADED_WHEN_USED = {
    "BoundedDelayThreshold": "delaystability.questions.any_sequence",
    "BestOptimizer": "delaystability.questions.best_optimizer",
    "Certificate": "delaystability.numerics.certificates.certificate",
    "DelayAwareLR": "delaystability.training.delay_aware_lr",
    "DelayedOptimizer": "delaystability.training.delayed_optimizer",
    "Derivation": "delaystability.printing.derivation",
    "GPipe": "delaystability.model.pipelines",
    "OuterLoop": "delaystability.questions.outer_loop",
    "PipeDream": "delaystability.model.pipelines",
    "PipeDream2BW": "delaystability.model.pipelines",
    "PipelineSchedule": "delaystability.model.pipelines",
    "PipelinedBackpropagation": "delaystability.model.pipelines",
    "ProbedRecommendation": "delaystability.questions.learning_rate_probe",
    "Recommendation": "delaystability.questions.recommendation",
    "StabilityMonitor": "delaystability.training.stability_monitor",
    "UndecidedError": "delaystability.numerics.exact.intervals",
    "all_derivations": "delaystability.printing.derivation",
    "bounded_delay_threshold": "delaystability.questions.any_sequence",
    "batch_sharpness_edge": "delaystability.questions.minibatches",
    "best_optimizer": "delaystability.questions.best_optimizer",
    "certify": "delaystability.numerics.certificates.certificate",
    "delayed": "delaystability.training.delayed",
    "derive": "delaystability.printing.derivation",
    "export": "delaystability.translation.export",
    "final_learning_rate": "delaystability.training.loss_floor",
    "loss_floor": "delaystability.training.loss_floor",
    "mean_square_learning_rate": "delaystability.questions.minibatches",
    "oscillation": "delaystability.questions.oscillation",
    "probe_learning_rates": "delaystability.questions.learning_rate_probe",
    "recommend_learning_rate": "delaystability.questions.learning_rate_advice",
    "safe_stage_learning_rate": "delaystability.questions.stages",
    "sharpness": "delaystability.training.sharpness",
    "stage_sharpness": "delaystability.questions.stages",
    "stage_spectral_radius": "delaystability.questions.stages",
    "stage_threshold": "delaystability.questions.stages",
}


def __getattr__(name: str) -> Any:
    if name == "plot":
        return import_module("delaystability.plot")
    added = {cls.__name__: cls for cls in CATALOGUE.values()}
    if name in added:
        return added[name]
    if name not in _LOADED_WHEN_USED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(_imported(name, _LOADED_WHEN_USED[name]), name)
    globals()[name] = value
    return value


def _imported(name: str, module: str) -> Any:
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == __name__:
            raise
        needed = missing_packages(f"{__name__}.{name}", error.name)
        raise ModuleNotFoundError(needed, name=error.name) from error


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
