"""Pipeline schedules: the delay of each stage, in updates.

A pipeline of P stages keeps the parameters of stage i (counted from 0 at the input) on its own
device. The gradient of a batch is computed at iterates that are ``delays[i]`` updates old in stage
i when it is applied::

    g_t = grad f(w_0(t - delays[0]), ..., w_{P-1}(t - delays[P-1]))

A schedule is consistent if the forward and the backward pass of a batch use the same weights in
each stage. Where they do not, ``delays`` are those of the forward pass. Near a minimum with zero
residuals (squared loss) the backward weights matter in second order only, because they multiply
the residuals.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from operator import index
from typing import Any, ClassVar

__all__ = [
    "SCHEDULES",
    "GPipe",
    "PipeDream",
    "PipeDream2BW",
    "PipelineSchedule",
    "PipelinedBackpropagation",
    "schedule_from_name",
]

_MOST_STAGES = 1000  # time and memory of the safe rate grow with the square


@dataclass(frozen=True)
class PipelineSchedule(ABC):
    """Describe the schedule of a pipeline by the delay of each stage.

    Parameters
    ----------
    stages : int, at least 1

    Raises
    ------
    TypeError, ValueError
        If ``stages`` is not an integer of at least 1.
    """

    stages: int
    name: ClassVar[str]
    title: ClassVar[str]
    consistent: ClassVar[bool]

    def __post_init__(self) -> None:
        allowed = f"an integer from 1 to {_MOST_STAGES}"
        try:
            if isinstance(self.stages, bool):
                raise TypeError("no count")
            count = index(self.stages)
        except TypeError as error:
            raise TypeError(f"stages must be {allowed}; got {self.stages!r}") from error
        if not 1 <= count <= _MOST_STAGES:
            raise ValueError(f"stages must be {allowed}; got {self.stages!r}")
        object.__setattr__(self, "stages", count)

    @property
    @abstractmethod
    def delays(self) -> tuple[int, ...]:
        """Delay of each stage in updates, from the input to the output."""

    @property
    def maximum(self) -> int:
        """Longest delay of any stage, in updates."""
        return max(self.delays)


@dataclass(frozen=True)
class PipeDream(PipelineSchedule):
    """Run one forward, one backward (1F1B) with weight stashing: delays ``P - 1 - i``.

    Each stage keeps the weights of the forward pass for the backward pass of the same batch, so
    that both agree in a stage, but not between stages. With ``vertical_sync`` all stages use the
    version of the input stage, and every delay is ``P - 1``.

    Parameters
    ----------
    stages : int, at least 1
    vertical_sync : bool

    Raises
    ------
    TypeError, ValueError
        If ``stages`` is not an integer of at least 1, or ``vertical_sync`` is not a bool.

    References
    ----------
    D. Narayanan et al., PipeDream: generalized pipeline parallelism for DNN training, SOSP 2019.
    """

    vertical_sync: bool = False
    name: ClassVar[str] = "pipedream"
    title: ClassVar[str] = "PipeDream (1F1B, weight stashing)"
    consistent: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.vertical_sync, bool):
            raise TypeError(f"vertical_sync must be True or False; got {self.vertical_sync!r}")

    @property
    def delays(self) -> tuple[int, ...]:
        """``(P-1, ..., 1, 0)``, or ``P - 1`` in every stage with ``vertical_sync``."""
        last = self.stages - 1
        return tuple(last if self.vertical_sync else last - i for i in range(self.stages))


@dataclass(frozen=True)
class PipeDream2BW(PipelineSchedule):
    """Keep two versions of the weights (double buffering): delay 1 in every stage.

    ``w_{t+1} = w_t - lr grad f(w_{t-1})`` with gradients accumulated over at least P
    micro-batches, and two weight versions in memory.

    Parameters
    ----------
    stages : int, at least 1

    Raises
    ------
    TypeError, ValueError
        If ``stages`` is not an integer of at least 1.

    References
    ----------
    D. Narayanan et al., Memory-efficient pipeline-parallel DNN training, ICML 2021,
    arXiv:2006.09503.
    """

    name: ClassVar[str] = "pipedream-2bw"
    title: ClassVar[str] = "PipeDream-2BW"
    consistent: ClassVar[bool] = True

    @property
    def delays(self) -> tuple[int, ...]:
        """``(1, ..., 1)``; ``(0,)`` for a single stage, which has nothing to wait for."""
        return (1,) * self.stages if self.stages > 1 else (0,)


@dataclass(frozen=True)
class GPipe(PipelineSchedule):
    """Flush the pipeline after each batch: every delay is 0, as in synchronous training.

    PipeDream-Flush (1F1B with a flush) has the same delays.

    Parameters
    ----------
    stages : int, at least 1

    Raises
    ------
    TypeError, ValueError
        If ``stages`` is not an integer of at least 1.

    References
    ----------
    Y. Huang et al., GPipe: efficient training of giant neural networks using pipeline parallelism,
    NeurIPS 2019, arXiv:1811.06965.
    """

    name: ClassVar[str] = "gpipe"
    title: ClassVar[str] = "GPipe (flush)"
    consistent: ClassVar[bool] = True

    @property
    def delays(self) -> tuple[int, ...]:
        """``(0, ..., 0)``."""
        return (0,) * self.stages


@dataclass(frozen=True)
class PipelinedBackpropagation(PipelineSchedule):
    """Update after each sample, by pipelined backpropagation: delays ``2 (P - 1 - i)``.

    Without weight stashing the backward pass uses the newest weights, so that forward and
    backward pass are not consistent.

    Parameters
    ----------
    stages : int, at least 1

    Raises
    ------
    TypeError, ValueError
        If ``stages`` is not an integer of at least 1.

    References
    ----------
    A. Petrowski et al., Performance analysis of a pipelined backpropagation parallel algorithm,
    IEEE Transactions on Neural Networks 4, 1993.
    A. Kosson et al., 2020, arXiv:2003.11666.
    """

    name: ClassVar[str] = "pipelined-backpropagation"
    title: ClassVar[str] = "Pipelined backpropagation"
    consistent: ClassVar[bool] = False

    @property
    def delays(self) -> tuple[int, ...]:
        """``(2(P-1), ..., 2, 0)``."""
        return tuple(2 * (self.stages - 1 - i) for i in range(self.stages))


SCHEDULES: dict[str, type[PipelineSchedule]] = {
    cls.name: cls for cls in (PipeDream, PipeDream2BW, GPipe, PipelinedBackpropagation)
}
"""The named schedules: name on the command line -> class."""


def schedule_from_name(name: str, stages: Any) -> PipelineSchedule:
    """Make the schedule called ``name`` with this number of stages.

    Raises
    ------
    ValueError
        For an unknown name or a wrong number of stages.
    """
    if name not in SCHEDULES:
        raise ValueError(
            f"schedule must be one of {', '.join(SCHEDULES)}; got {name!r} (1F1B with a "
            "flush, as in Megatron and DeepSpeed, is gpipe)"
        )
    return SCHEDULES[name](stages)
