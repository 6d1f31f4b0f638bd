"""What type checkers see; written by tests/tools/public_stub.py."""

# A scalar is not an array, which the overloads tell by their order.
# mypy: disable-error-code="overload-overlap"

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Protocol, overload

import numpy as np
from numpy.typing import NDArray

from delaystability import plot as plot
from delaystability.model.adaptive import Adam as Adam
from delaystability.model.adaptive import NAdam as NAdam
from delaystability.model.adaptive import RMSProp as RMSProp
from delaystability.model.bounded_delay import BoundedDelay as BoundedDelay
from delaystability.model.catalogue import CATALOGUE as CATALOGUE
from delaystability.model.catalogue import SGD as SGD
from delaystability.model.catalogue import EMAMomentum as EMAMomentum
from delaystability.model.catalogue import HeavyBall as HeavyBall
from delaystability.model.catalogue import LinearOptimizer as LinearOptimizer
from delaystability.model.catalogue import Nesterov as Nesterov
from delaystability.model.catalogue import Optimizer as Optimizer
from delaystability.model.catalogue import ShiftedMomentum as ShiftedMomentum
from delaystability.model.catalogue import SpikeCompensation as SpikeCompensation
from delaystability.model.catalogue import WeightPrediction as WeightPrediction
from delaystability.model.delays import Delay as Delay
from delaystability.model.delays import FixedDelay as FixedDelay
from delaystability.model.delays import GeometricDelay as GeometricDelay
from delaystability.model.delays import MeasuredDelay as MeasuredDelay
from delaystability.model.delays import RandomDelay as RandomDelay
from delaystability.model.loop import Loop as Loop
from delaystability.model.mixed_read import MixedRead as MixedRead
from delaystability.model.pipelines import GPipe as GPipe
from delaystability.model.pipelines import PipeDream as PipeDream
from delaystability.model.pipelines import PipeDream2BW as PipeDream2BW
from delaystability.model.pipelines import PipelinedBackpropagation as PipelinedBackpropagation
from delaystability.model.pipelines import PipelineSchedule as PipelineSchedule
from delaystability.model.sign_optimizers import Lion as Lion
from delaystability.model.sign_optimizers import Muon as Muon
from delaystability.model.sign_optimizers import SignSGD as SignSGD
from delaystability.numerics.certificates.certificate import Certificate as Certificate
from delaystability.numerics.certificates.certificate import certify as certify
from delaystability.numerics.exact.intervals import UndecidedError as UndecidedError
from delaystability.printing.derivation import Derivation as Derivation
from delaystability.printing.derivation import all_derivations as all_derivations
from delaystability.printing.derivation import derive as derive
from delaystability.questions.any_sequence import BoundedDelayThreshold as BoundedDelayThreshold
from delaystability.questions.any_sequence import bounded_delay_threshold as bounded_delay_threshold
from delaystability.questions.best_optimizer import BestOptimizer as BestOptimizer
from delaystability.questions.best_optimizer import best_optimizer as best_optimizer
from delaystability.questions.bounds import LearningRateWarning as LearningRateWarning
from delaystability.questions.bounds import StabilityWarning as StabilityWarning
from delaystability.questions.dynamics import almost_sure_threshold as almost_sure_threshold
from delaystability.questions.dynamics import crossings as crossings
from delaystability.questions.dynamics import fastest_gain as fastest_gain
from delaystability.questions.dynamics import replay_gains as replay_gains
from delaystability.questions.dynamics import replay_threshold as replay_threshold
from delaystability.questions.dynamics import stable_gains as stable_gains
from delaystability.questions.dynamics import stationary_variance as stationary_variance
from delaystability.questions.learning_rate_advice import (
    recommend_learning_rate as recommend_learning_rate,
)
from delaystability.questions.learning_rate_probe import (
    ProbedRecommendation as ProbedRecommendation,
)
from delaystability.questions.learning_rate_probe import (
    probe_learning_rates as probe_learning_rates,
)
from delaystability.questions.minibatches import (
    mean_square_learning_rate as mean_square_learning_rate,
)
from delaystability.questions.oscillation import oscillation as oscillation
from delaystability.questions.outer_loop import OuterLoop as OuterLoop
from delaystability.questions.recommendation import Recommendation as Recommendation
from delaystability.questions.stages import safe_stage_learning_rate as safe_stage_learning_rate
from delaystability.questions.stages import stage_sharpness as stage_sharpness
from delaystability.questions.stages import stage_spectral_radius as stage_spectral_radius
from delaystability.questions.stages import stage_threshold as stage_threshold
from delaystability.training.delay_aware_lr import DelayAwareLR as DelayAwareLR
from delaystability.training.delayed import delayed as delayed
from delaystability.training.delayed_optimizer import DelayedOptimizer as DelayedOptimizer
from delaystability.training.loss_floor import final_learning_rate as final_learning_rate
from delaystability.training.loss_floor import loss_floor as loss_floor
from delaystability.training.sharpness import sharpness as sharpness
from delaystability.training.stability_monitor import StabilityMonitor as StabilityMonitor
from delaystability.translation.export import export as export

__version__: str
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

class _Array(Protocol):
    def __array__(self) -> NDArray[Any]: ...

_Number = float | np.floating[Any] | np.integer[Any] | Fraction
_Numbers = _Array | Sequence[_Number] | Sequence[Sequence[_Number]]
_Delay = int | np.integer[Any] | Delay
_Delays = _Array | Sequence[int] | Sequence[Sequence[int]]

@overload
def adjust_learning_rate(
    lr: _Number,
    optimizer: Optimizer | Loop,
    delay: _Delay,
    new_delay: _Delay,
    new_optimizer: Optimizer | None = ...,
    *,
    curvature_noise: _Number = ...,
    new_curvature_noise: _Number | None = ...,
    moment: str | None = ...,
    sharpness: _Number | None = ...,
    decay: _Number = ...,
    new_decay: _Number | None = ...,
    coupled: bool = ...,
) -> float: ...
@overload
def adjust_learning_rate(
    lr: _Number | _Numbers,
    optimizer: Optimizer | Loop,
    delay: _Delay | _Delays,
    new_delay: _Delay | _Delays,
    new_optimizer: Optimizer | None = ...,
    *,
    curvature_noise: _Number | _Numbers = ...,
    new_curvature_noise: _Number | _Numbers | None = ...,
    moment: str | None = ...,
    sharpness: _Number | _Numbers | None = ...,
    decay: _Number | _Numbers = ...,
    new_decay: _Number | _Numbers | None = ...,
    coupled: bool = ...,
) -> NDArray[np.float64]: ...
@overload
def batch_sharpness_edge(
    optimizer: Optimizer | Loop,
    delay: _Delay,
    noise: _Number,
    *,
    decay: _Number = ...,
    coupled: bool = ...,
) -> float: ...
@overload
def batch_sharpness_edge(
    optimizer: Optimizer | Loop,
    delay: _Delay | _Delays,
    noise: _Number | _Numbers,
    *,
    decay: _Number | _Numbers = ...,
    coupled: bool = ...,
) -> NDArray[np.float64]: ...
@overload
def escape_rate(
    optimizer: Optimizer | Loop,
    delay: _Delay,
    gain: _Number,
    *,
    prove: bool = ...,
    decay: _Number = ...,
    coupled: bool = ...,
) -> float: ...
@overload
def escape_rate(
    optimizer: Optimizer | Loop,
    delay: _Delay | _Delays,
    gain: _Number | _Numbers,
    *,
    prove: bool = ...,
    decay: _Number | _Numbers = ...,
    coupled: bool = ...,
) -> NDArray[np.float64]: ...
@overload
def is_stable(
    lr: _Number,
    sharpness: _Number,
    optimizer: Optimizer | Loop,
    delay: _Delay | None = ...,
    *,
    curvature_noise: _Number = ...,
    moment: str | None = ...,
    decay: _Number = ...,
    coupled: bool = ...,
) -> bool: ...
@overload
def is_stable(
    lr: _Number | _Numbers,
    sharpness: _Number | _Numbers,
    optimizer: Optimizer | Loop,
    delay: _Delay | _Delays | None = ...,
    *,
    curvature_noise: _Number | _Numbers = ...,
    moment: str | None = ...,
    decay: _Number | _Numbers = ...,
    coupled: bool = ...,
) -> NDArray[np.bool_]: ...
@overload
def max_delay(
    lr: _Number,
    sharpness: _Number,
    optimizer: Optimizer,
    *,
    decay: float = ...,
    coupled: bool = ...,
    every_sequence: bool = ...,
) -> int: ...
@overload
def max_delay(
    lr: _Number | _Numbers,
    sharpness: _Number | _Numbers,
    optimizer: Optimizer,
    *,
    decay: float = ...,
    coupled: bool = ...,
    every_sequence: bool = ...,
) -> NDArray[np.int64]: ...
@overload
def max_learning_rate(
    sharpness: _Number,
    optimizer: Optimizer | Loop,
    delay: _Delay | None = ...,
    *,
    curvature_noise: _Number = ...,
    moment: str | None = ...,
    decay: _Number = ...,
    coupled: bool = ...,
) -> float: ...
@overload
def max_learning_rate(
    sharpness: _Number | _Numbers,
    optimizer: Optimizer | Loop,
    delay: _Delay | _Delays | None = ...,
    *,
    curvature_noise: _Number | _Numbers = ...,
    moment: str | None = ...,
    decay: _Number | _Numbers = ...,
    coupled: bool = ...,
) -> NDArray[np.float64]: ...
@overload
def max_momentum(
    lr: _Number,
    sharpness: _Number,
    optimizer: str | Optimizer,
    delay: _Delay,
    *,
    decay: float = ...,
    coupled: bool = ...,
) -> float: ...
@overload
def max_momentum(
    lr: _Number | _Numbers,
    sharpness: _Number | _Numbers,
    optimizer: str | Optimizer,
    delay: _Delay | _Delays,
    *,
    decay: float = ...,
    coupled: bool = ...,
) -> NDArray[np.float64]: ...
@overload
def max_sharpness(
    lr: _Number,
    optimizer: Optimizer | Loop,
    delay: _Delay | None = ...,
    *,
    curvature_noise: _Number = ...,
    moment: str | None = ...,
    decay: _Number = ...,
    coupled: bool = ...,
) -> float: ...
@overload
def max_sharpness(
    lr: _Number | _Numbers,
    optimizer: Optimizer | Loop,
    delay: _Delay | _Delays | None = ...,
    *,
    curvature_noise: _Number | _Numbers = ...,
    moment: str | None = ...,
    decay: _Number | _Numbers = ...,
    coupled: bool = ...,
) -> NDArray[np.float64]: ...
@overload
def spectral_radius(
    optimizer: Optimizer | Loop,
    delay: _Delay,
    gain: _Number,
    *,
    prove: bool = ...,
    decay: _Number = ...,
    coupled: bool = ...,
) -> float: ...
@overload
def spectral_radius(
    optimizer: Optimizer | Loop,
    delay: _Delay | _Delays,
    gain: _Number | _Numbers,
    *,
    prove: bool = ...,
    decay: _Number | _Numbers = ...,
    coupled: bool = ...,
) -> NDArray[np.float64]: ...
@overload
def stability_threshold(
    optimizer: Optimizer | Loop,
    delay: _Delay | None = ...,
    *,
    curvature_noise: _Number = ...,
    moment: str | None = ...,
    decay: _Number = ...,
    coupled: bool = ...,
) -> float: ...
@overload
def stability_threshold(
    optimizer: Optimizer | Loop,
    delay: _Delay | _Delays | None = ...,
    *,
    curvature_noise: _Number | _Numbers = ...,
    moment: str | None = ...,
    decay: _Number | _Numbers = ...,
    coupled: bool = ...,
) -> NDArray[np.float64]: ...
