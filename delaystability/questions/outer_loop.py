"""Outer loops: local SGD, federated averaging and DiLoCo, with outer steps that arrive late.

Replicas take many inner steps from shared parameters; how far they moved is the gradient of an
outer optimizer, whose loop decides which outer learning rates are stable.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from delaystability.model.arguments import (
    checked_count,
    checked_optimizer,
    nonnegative,
    one_delay,
    positive,
    scalar_optimizer,
    scalar_or_array,
    single,
)
from delaystability.model.catalogue import Nesterov, Optimizer
from delaystability.model.labelled import keeps_labels
from delaystability.model.outer_algorithms import ALGORITHMS, OuterSetting
from delaystability.questions.outer_gains import (
    MergedReplicas,
    difference_radius,
    eager_law,
    eager_threshold,
    inner_loss,
    late_threshold,
    mapped,
    mean_radius,
    one_number,
    turns_radius,
    turns_threshold,
)

__all__ = ["OuterLoop"]

Array = NDArray[np.float64]

_MOST_STEPS, _MOST_ROUNDS, _MOST_STEPS_RUN = 10**9, 100_000, 10**8
_AS_IN_DILOCO = Nesterov(0.9)
_MOST_WORKERS, _MOST_MOMENTUM_WORKERS = 1000, 16


@dataclass(frozen=True)
class OuterLoop:
    """Describe two nested loops: inner steps of replicas, and the outer steps that join them.

    At a curvature h, K inner steps of gradient descent with the learning rate eta multiply a
    perturbation by ``(1 - eta h)^K``. The outer gradient, parameters before minus parameters after,
    is c times the perturbation, with ``c = 1 - (1 - eta h)^K``: the outer optimizer runs in a loop
    with the gain ``outer learning rate * c``. With one of the following, outer steps are late:

    - ``delay``: all outer gradients are applied that many outer steps late;
    - ``sync_delay`` and ``alpha``: replicas go on for that many inner steps while they wait, then
      take ``alpha`` of themselves and ``1 - alpha`` of the outer parameters (Streaming DiLoCo);
    - ``eager``: a replica averages its own fresh gradient and those of the others, one outer step
      late;
    - ``delayed_nesterov``: workers take turns, each gradient is ``workers - 1`` outer steps late,
      ``1/workers`` of it is applied at once, and the momentum once in ``workers`` steps.

    Parameters
    ----------
    optimizer : Optimizer with scalar parameters
        The outer one, ``Nesterov(0.9)`` by default, as in DiLoCo. ``SGD()`` averages.
    inner_learning_rate : float, positive, optional
        Of plain inner gradient descent. Left out for an inner optimizer that reaches the minimum
        within a round, as AdamW nearly does in hundreds of steps: then c = 1 at every curvature.
    inner_steps : int, at least 1; left out together with ``inner_learning_rate``
    delay : int or delay object, in outer steps
        Of a random delay, the mean decides.
    sync_delay : int, at least 0 and below ``inner_steps``
    alpha : float, 0 <= alpha < 1
    workers : int, from 1 to 1000, and to 16 for ``delayed_nesterov``
        Replicas. Without ``eager`` and ``delayed_nesterov`` the answers do not depend on it.
    eager, delayed_nesterov : bool

    Raises
    ------
    TypeError, ValueError
        If an argument is not what is described here, or two of the ways to be late are combined.

    Examples
    --------
    The usual outer learning rate of DiLoCo, 0.7, is stable if outer steps are on time, and not if
    they arrive one outer step late:

    >>> import delaystability as ds
    >>> round(ds.OuterLoop(ds.Nesterov(0.9)).threshold(), 4)
    1.3571
    >>> round(ds.OuterLoop(ds.Nesterov(0.9), delay=1).threshold(), 4)
    0.2531

    References
    ----------
    A. Douillard et al., DiLoCo, arXiv:2311.08105 (2023), and Streaming DiLoCo, arXiv:2501.18512
    (2025); S. Kale et al., Eager updates, arXiv:2502.12996 (2025); B. Liu et al., Asynchronous
    Local-SGD, arXiv:2401.09135 (2024). Theorems ``outer-late``, ``outer-merge``, ``outer-eager``
    and ``delayed-nesterov``.
    """

    optimizer: Optimizer = _AS_IN_DILOCO
    inner_learning_rate: float | None = None
    inner_steps: int | None = None
    delay: Any = 0
    sync_delay: int = 0
    alpha: float = 0.0
    workers: int = 1
    eager: bool = False
    delayed_nesterov: bool = False

    def __post_init__(self) -> None:
        scalar_optimizer(checked_optimizer(self.optimizer))
        self._check_inner()
        law = one_delay("delay", self.delay)
        for name in ("eager", "delayed_nesterov"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"{name} must be True or False; got {getattr(self, name)!r}")
        most = _MOST_MOMENTUM_WORKERS if self.delayed_nesterov else _MOST_WORKERS
        object.__setattr__(self, "workers", checked_count("workers", self.workers, 1, most))
        late = {
            "delay": law.maximum > 0,
            "sync_delay or alpha": bool(self.sync_delay or self.alpha),
            "eager": self.eager,
            "delayed_nesterov": self.delayed_nesterov,
        }
        if len(given := [name for name, is_given in late.items() if is_given]) > 1:
            raise ValueError(f"{given[1]} must not be given beside {given[0]}; got both")
        if self.delayed_nesterov and not isinstance(self.optimizer, Nesterov):
            optimizer = self.optimizer
            raise ValueError(f"optimizer must be a Nesterov to delay its momentum; got {optimizer}")

    def _check_inner(self) -> None:
        if self.inner_learning_rate is not None:
            rate = one_number("inner_learning_rate", self.inner_learning_rate)
            object.__setattr__(self, "inner_learning_rate", rate)
        if (self.inner_learning_rate is None) != (self.inner_steps is None):
            raise ValueError(
                "inner_steps must be given together with inner_learning_rate; got "
                f"{self.inner_steps!r} and {self.inner_learning_rate!r}"
            )
        most = None
        if self.inner_steps is not None:
            steps = checked_count("inner_steps", self.inner_steps, 1, _MOST_STEPS)
            object.__setattr__(self, "inner_steps", steps)
            most = steps - 1
        late = checked_count("sync_delay", self.sync_delay, 0, most)
        object.__setattr__(self, "sync_delay", late)
        alpha = single("alpha", nonnegative("alpha", self.alpha))
        if alpha >= 1:
            raise ValueError(f"alpha must be a number with 0 <= alpha < 1; got {self.alpha!r}")
        object.__setattr__(self, "alpha", alpha)

    @keeps_labels
    def outer_curvature(self, curvature: ArrayLike | None = None) -> Any:
        """Compute c, the outer gradient over the perturbation: the curvature of the outer loop.

        Parameters
        ----------
        curvature : number or array, positive; needed where inner steps are given

        Returns
        -------
        float, or array of its shape
            ``1 - (1 - eta h)^K``; with a ``sync_delay`` d and ``alpha = 0``, the last d inner steps
            are thrown away, and it is ``1 - (1 - eta h)^(K - d)``. With another ``alpha`` it is
            that of a perturbation that stays as it is.

        Raises
        ------
        TypeError, ValueError
            If the curvature is not what is described here.
        """
        p_loss, q_loss = self._losses(curvature)
        if not self._merges:
            return scalar_or_array(p_loss)
        alpha = self.alpha
        return scalar_or_array(
            ((1 - alpha) * p_loss + alpha * q_loss) / (1 - alpha + alpha * q_loss)
        )

    @keeps_labels
    def threshold(self, curvature: ArrayLike | None = None) -> Any:
        """Find the largest outer learning rate below which all are stable at this curvature.

        Parameters
        ----------
        curvature : number or array, positive; needed where inner steps are given
            An eigenvalue of the Hessian.

        Returns
        -------
        float, or array of its shape
            0 where no outer learning rate brings the perturbation back, as where an even number of
            inner steps makes it grow.

        Raises
        ------
        TypeError, ValueError
            If the curvature is not what is described here.
        """
        if self._merges:
            merged = MergedReplicas(self.optimizer, self.alpha)
            return mapped(merged.threshold, *self._losses(curvature))
        return self._over(np.asarray(self.outer_curvature(curvature)))

    @keeps_labels
    def max_outer_learning_rate(self, sharpness: ArrayLike | None = None) -> Any:
        """Find the largest outer learning rate that is stable at every curvature up to this one.

        Where the loop depends on the gain alone, the largest c decides. It is the one at the
        sharpness h, but for an even number of inner steps with ``eta h > 1``, where it is 1. With
        ``alpha``, the least threshold over the curvatures is searched, and then counted: on cells
        of angle and curvature it is proved that at no curvature a root is on the circle for any
        outer learning rate up to 1 - 1e-6 of the answer (1 - 1e-2 where the minimum is flat).

        Parameters
        ----------
        sharpness : number or array, positive; needed where inner steps are given
            The largest eigenvalue of the Hessian.

        Returns
        -------
        float, or array of its shape
            0 if at some of these curvatures none is stable.

        Raises
        ------
        TypeError, ValueError
            If the sharpness is not what is described here.
        ArithmeticError
            If the count does not decide.
        """
        if self.inner_steps is None:
            return self.threshold(sharpness)
        inner = self._inner(sharpness)
        if self._merges:
            merged = MergedReplicas(self.optimizer, self.alpha)
            steps = self.inner_steps, self._kept_steps
            return mapped(merged.worst, inner, *steps)
        largest = np.asarray(self.outer_curvature(sharpness))
        if not self._kept_steps % 2:
            largest = np.where(inner < 1, largest, np.where(inner < 2, 1.0, 0.0))
        return self._over(largest)

    @keeps_labels
    def spectral_radius(
        self, outer_learning_rate: ArrayLike, curvature: ArrayLike | None = None
    ) -> Any:
        """Find the factor by which one outer step shrinks or grows a perturbation of the mean.

        Differences between replicas are another matter: see `replica_radius`.

        Parameters
        ----------
        outer_learning_rate : number or array, positive
        curvature : number or array, positive; needed where inner steps are given

        Returns
        -------
        float, or array of the common shape
            The largest root modulus; with ``delayed_nesterov``, of one gradient, not of a block.

        Raises
        ------
        TypeError, ValueError
            If an argument is not what is described here.
        """
        return self._each(self._mean_radius, outer_learning_rate, curvature)

    @keeps_labels
    def replica_radius(
        self, outer_learning_rate: ArrayLike, curvature: ArrayLike | None = None
    ) -> Any:
        """Find the factor by which one outer step shrinks or grows differences between replicas.

        Parameters
        ----------
        outer_learning_rate : number or array, positive
        curvature : number or array, positive; needed where inner steps are given

        Returns
        -------
        float, or array of the common shape
            0 where all replicas start each round at the same parameters, ``alpha |1 - eta h|^K``
            where they keep ``alpha`` of themselves. With ``eager`` and several workers it is at
            least 1, exactly: an offset between replicas never heals.

        Raises
        ------
        TypeError, ValueError
            If an argument is not what is described here.
        """
        return self._each(self._replica_radius, outer_learning_rate, curvature)

    def simulate(
        self, outer_learning_rate: float, curvature: float | None = None, *, rounds: int = 100
    ) -> Array:
        """Run the algorithm itself, step by step, from a distance of 1 from the minimum.

        Parameters
        ----------
        outer_learning_rate : number, positive
        curvature : number, positive; needed where inner steps are given
        rounds : int, from 1 to 100,000, fewer where they are long: some minutes at most
            With ``delayed_nesterov``, a round is one gradient of each worker.

        Returns
        -------
        array of shape (rounds + 1,)
            The outer parameters after each round; with ``eager``, their mean over the replicas.

        Raises
        ------
        TypeError, ValueError
            If an argument is not what is described here, the delay is random, or the optimizer has
            lags above 1.
        """
        rate = one_number("outer_learning_rate", outer_learning_rate)
        late = one_delay("delay", self.delay)
        if not late.is_fixed:
            raise ValueError(f"delay must be fixed to be run; got {self.delay!r}")
        inner: tuple[Any, Any, Any] = (1.0, 1.0, 1 + self.sync_delay)
        if self.inner_steps is not None:
            height = single("curvature", self._checked(curvature))
            inner = height, self.inner_learning_rate, self.inner_steps
        cost = self.workers * (inner[2] + self.workers + late.minimum)
        count = checked_count("rounds", rounds, 1, min(_MOST_ROUNDS, _MOST_STEPS_RUN // cost))
        counts = self.workers, late.minimum, self.sync_delay
        setting = OuterSetting(self.optimizer, rate, *inner, *counts, alpha=self.alpha)
        used = self.eager, self.delayed_nesterov, bool(self.sync_delay or self.alpha), True
        names = ("eager", "delayed_nesterov", "merged", "late")
        return ALGORITHMS[names[used.index(True)]].run(setting, count)

    def _each(self, radius: Callable[..., float], rate: Any, curvature: Any) -> Any:
        full = np.broadcast_arrays(positive("outer_learning_rate", rate), *self._losses(curvature))
        if not np.isfinite(full[2]).all():
            raise ValueError(f"curvature must leave (1 - eta h)^K a float; got {curvature!r}")
        return mapped(radius, *full)

    def _mean_radius(self, rate: float, p_loss: float, q_loss: float) -> float:
        if self._merges:
            return MergedReplicas(self.optimizer, self.alpha).radius(p_loss, q_loss, rate)
        if self.delayed_nesterov:
            return turns_radius(self.optimizer, self.workers, rate * p_loss)
        law = eager_law(self.workers) if self._is_eager else self.delay
        return mean_radius(self.optimizer, law, rate * p_loss)

    def _replica_radius(self, rate: float, p_loss: float, q_loss: float) -> float:
        if self._is_eager:
            return difference_radius(self.optimizer, self.workers, rate * p_loss)
        return abs(self.alpha * (1 - q_loss))

    @property
    def _merges(self) -> bool:
        return bool(self.alpha) and self.inner_steps is not None

    @property
    def _kept_steps(self) -> int:
        """Inner steps that the outer gradient sees where replicas keep nothing of themselves."""
        return (self.inner_steps or 0) - self.sync_delay

    @property
    def _is_eager(self) -> bool:
        return self.eager and self.workers > 1

    def _checked(self, curvature: Any) -> Array:
        if curvature is None:
            raise TypeError("curvature must be given where inner_steps are; got None")
        return positive("curvature", curvature)

    def _inner(self, curvature: Any) -> Array:
        return (self.inner_learning_rate or 0.0) * self._checked(curvature)

    def _losses(self, curvature: Any) -> tuple[Array, Array]:
        """1 - (1 - eta h)^n, for the inner steps after a merge and for all of them."""
        if self.inner_steps is None:
            shape = () if curvature is None else self._checked(curvature).shape
            return np.ones(shape), np.ones(shape)
        inner = self._inner(curvature)
        return inner_loss(inner, self._kept_steps), inner_loss(inner, self.inner_steps)

    def _over(self, gain: Array) -> Any:
        """The threshold of the loop over the gain of learning rate 1; 0 unless it is positive."""
        with np.errstate(over="ignore"):
            return scalar_or_array(self._gain_threshold() / np.where(gain > 0, gain, np.inf))

    def _gain_threshold(self) -> float:
        if self.delayed_nesterov:
            return turns_threshold(self.optimizer, self.workers)
        if self._is_eager:
            return eager_threshold(self.optimizer, self.workers)
        return late_threshold(self.optimizer, self.delay)
