"""A monitor of the stability of a run, for plain training groups."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from os import PathLike
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from delaystability.model.arguments import checked_count, checked_optimizer, one_delay
from delaystability.model.displayed import Displayed
from delaystability.model.optimizer import Optimizer
from delaystability.training.distributed_model import processes_of
from delaystability.training.hum import Hum, expected_hum
from delaystability.training.measured_run import measure_run
from delaystability.training.parameter_group import (
    ParameterGroup,
    is_linear,
    parameter_groups,
    unwrapped,
)
from delaystability.training.preconditioner import checked_preconditioner, is_of_the_optimizer
from delaystability.training.rate_factors import rates_in_use
from delaystability.training.reading import Reading, judge
from delaystability.training.reading_files import readings_csv, readings_json, readings_table
from delaystability.training.replays import RememberedReplays
from delaystability.training.scalars import one_number
from delaystability.training.side_effect_free import reshard

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["StabilityMonitor"]


class StabilityMonitor(Displayed):
    """Tell every few updates how far a run is from its stability threshold.

    ::

        monitor = StabilityMonitor(model, torch_optimizer, delay=4, every=100)
        for inputs, targets in batches:
            ...                                       # backward, step
            reading = monitor.step(lambda: loss_function(model(inputs), targets))
            if reading:
                print(reading.message)

    A reading measures the sharpness of the closure's loss at the current parameters by Lanczos
    iteration on exact Hessian products and compares ``lr * sharpness`` with the threshold of the
    optimizer and the delay. It leaves gradients, random numbers, and the module's buffers and modes
    as they are. The threshold is about the loss that is trained on as a whole: the sharpness
    of one mini-batch is usually larger.

    Parameters
    ----------
    model : Module, or iterable of parameters
        Give the module if it has buffers, such as those of batch normalisation.
    torch_optimizer : torch.optim.Optimizer
        Read anew for each reading, so that schedules of learning rate and momentum count, and the
        factor of a `DelayAwareLR`, wherever in the loop the reading is made.
    optimizer : Optimizer, optional
        Else what a `DelayedOptimizer` says, or what ``torch.optim.SGD`` is by its momentum,
        dampening and nesterov; anything else must be given.
    delay : int or delay object, optional
        Else what a `DelayedOptimizer` says, or 0. A measured delay is replayed in its order, as a
        `DelayedOptimizer` does, unless a moment or curvature noise is given. That takes a second or
        two, and again where a schedule moves the momentum, or the learning rate with weight decay.
    every : int, at least 1
        Updates from one reading to the next.
    preconditioner : "auto", "adam" or callable, optional
        Adaptive optimizers are refused without it. "auto" is that of torch's Adam, AdamW, NAdam,
        RAdam, RMSprop, Adagrad or Adafactor, "adam" that of the first two alone. A callable takes
        the torch optimizer and returns positive tensors P, one for each of its parameters that
        require a gradient. ``P^-1/2 H P^-1/2`` is measured, as if P were constant.
    moving : bool, optional
        Whether the optimizer has a preconditioner that moves. Then a ratio of 1 or more is no
        alarm, and its status ``TUNING``: Adam tunes its preconditioner until the ratio is near 1,
        and the reading says how large an oscillation that sustains, and what it costs.
        By default no for ``torch.optim.SGD`` and `DelayedOptimizer` without ``preconditioner``,
        and yes for anything else; give False for one that is frozen, or a linear optimizer of
        another package.
    near, beyond : float, 0 < near <= beyond
        Ratios below ``near`` are far from the edge, above ``beyond`` beyond it. Networks that train
        at their edge were seen to hover around 1.00 to 1.07, from 0.93 after a burst of oscillation
        to 1.13 before one; beyond 1.2 the first burst is near.
    tolerance : float, above 0
        Of the sharpness, relative to the Hessian's size. Well below ``beyond - near``.
    max_products : int, at least 2
        Hessian products for one reading, at most; each costs about two gradients.
    smallest : bool
        Whether the smallest eigenvalue is wanted too.
    curvature_noise, moment
        See `delaystability.stability_threshold`.
    seed : int, at least 0
        Of the starts of the iteration.
    basis_device : device, optional
        Where the vectors of the iteration are held: with "cpu" only the products are made on the
        parameters' device, which then needs seven copies of them less.
    process_group : ProcessGroup, optional
        Whose processes average their gradients. By default that of the ``DistributedDataParallel``
        or ``fully_shard`` in ``model``; without them, this process alone.

    Attributes
    ----------
    history : list of Reading

    Raises
    ------
    TypeError, ValueError
        For bad arguments, an optimizer that is not recognised, or parameters that are sharded over
        processes otherwise than by ``fully_shard``.

    Notes
    -----
    *Cost.* In two small networks on a CPU, a reading cost about as much as 10 updates where it
    could start from the one before (2 to 4 Hessian products); the first one needed 13 to 28
    products. Memory: the graph of the loss, and at most 16 copies of the parameters, themselves
    included; more only where 64 MiB hold more of the iteration's vectors than seven.

    *Several processes.* Each gives the loss of its own batch; all read the same: the sharpness of
    the mean of these losses, as their mean gradient is that of the run. All of them must call
    `step`, and an error on one is raised on all. They share the vectors of the iteration out among
    themselves. A model of ``fully_shard`` is put together on each of them for a reading, in its
    parameters' own precision: that takes seven copies of the whole model.

    *Weight decay* counts in the threshold, not in the sharpness: it acts on the current weights,
    not on late ones (see `delaystability.Loop`). That of Adam (not of AdamW) goes
    through the preconditioner, and counts to first order, as it acts along the sharpest direction.

    *Groups with different learning rates* (or preconditioners) are measured together, exactly:
    ``lr H`` has the eigenvalues of ``S H S`` with ``S = sqrt(lr)``.

    *Groups with different delays* get the smallest of the groups' thresholds. Where the Hessian has
    no negative eigenvalue, each root of the joint loop is one of a scalar loop with no larger gain
    whose delay is some mixture of the groups' (the numerical range). For SGD and heavy ball with
    momentum >= 0 no mixture crosses the unit circle before the longest delay does: the
    verdict is safe, and may be pessimistic. For other optimizers, and for groups with different
    optimizers, the smallest threshold is a guess; so it is for decays that differ, unless the
    threshold is monotone in the decay between them.

    References
    ----------
    N. Giladi et al., At stability's edge, ICLR 2020, arXiv:1909.12340.
    """

    def __init__(
        self,
        model: nn.Module | Iterable[Tensor],
        torch_optimizer: Any,
        optimizer: Optimizer | None = None,
        delay: Any = None,
        *,
        every: int = 100,
        preconditioner: str | Callable[[Any], Iterable[Tensor]] | None = None,
        near: float = 0.9,
        beyond: float = 1.2,
        tolerance: float = 0.01,
        max_products: int = 60,
        smallest: bool = False,
        curvature_noise: float = 0.0,
        moment: str | None = None,
        seed: int = 0,
        moving: bool | None = None,
        basis_device: torch.device | str | None = None,
        process_group: Any = None,
    ) -> None:
        self.every = checked_count("every", every, 1)
        self.bands = low, high = one_number("near", near), one_number("beyond", beyond)
        if not (0 < low <= high < math.inf):
            raise ValueError(
                f"near and beyond must be numbers with 0 < near <= beyond; got {near!r}, {beyond!r}"
            )
        self.tolerance = one_number("tolerance", tolerance)
        if not 0 < self.tolerance < 1:
            raise ValueError(f"tolerance must be a number between 0 and 1; got {tolerance!r}")
        self.max_products = checked_count("max_products", max_products, 2)
        self.smallest = bool(smallest)
        self.seed = checked_count("seed", seed, 0)
        self.history: list[Reading] = []
        self._optimizer = None if optimizer is None else checked_optimizer(optimizer)
        self._delay = None if delay is None else one_delay("delay", delay)
        self._noise = (one_number("curvature_noise", curvature_noise), moment)
        self._replays = RememberedReplays()
        self._preconditioner = checked_preconditioner(preconditioner)
        self._module = model if isinstance(model, nn.Module) else None
        self._torch_optimizer = torch_optimizer
        self._basis_device = None if basis_device is None else torch.device(basis_device)
        self._process_group = process_group
        self._moving = moving if moving is None else bool(moving)
        self._calls = 0
        self._direction: Tensor | None = None
        self._known: tuple[Any, list[float]] | None = None
        if self._module is not None:
            reshard(list(self._module.modules()))
        given = model.parameters() if isinstance(model, nn.Module) else model
        if not isinstance(given, Iterable):
            raise TypeError(f"model must be a module, or hold tensors; got {type(model).__name__}")
        known = {id(parameter) for parameter in given}
        groups = self._groups()
        if not all(id(p) in known for group in groups for p in group.parameters):
            raise ValueError("model must hold all parameters of torch_optimizer; some are missing")
        processes_of(self._module, [p for g in groups for p in g.parameters], process_group)
        self._threshold(groups)

    def step(self, loss: Callable[[], Any], step: int | None = None) -> Reading | None:
        """Count one update; at the first one, and ``every`` updates later, make a reading.

        Parameters
        ----------
        loss : callable without arguments
            Returns the loss without calling backward: a tensor of one number; a list of such
            tensors, whose mean is meant; or a generator of them, which saves memory as it is called
            anew for each Hessian product (the same batches each time). Called only for a reading.
        step : int, optional
            The number of the update, if the loop counts itself: readings where it is a multiple of
            ``every``.

        Returns
        -------
        Reading, or None between readings

        Raises
        ------
        TypeError, ValueError, RuntimeError
            As `read`.
        """
        _checked_closure(loss)
        number = self._calls if step is None else checked_count("step", step, 0)
        self._calls = number + 1
        return None if number % self.every else self.read(loss, number)

    def read(self, loss: Callable[[], Any], step: int | None = None) -> Reading:
        """Make a reading now.

        Parameters
        ----------
        loss, step : as in `step`

        Returns
        -------
        Reading

        Raises
        ------
        TypeError, ValueError
            If ``loss`` is not a closure, or does not return a loss; if gradients are sparse.
        RuntimeError
            If the loss cannot be differentiated twice, or the reading failed on another process.
        """
        _checked_closure(loss)
        number = self._calls if step is None else checked_count("step", step, 0)
        with rates_in_use(self._torch_optimizer):
            return self._reading(loss, number, self._groups())

    def _reading(
        self, loss: Callable[[], Any], number: int, groups: list[ParameterGroup]
    ) -> Reading:
        found, groups = measure_run(
            loss,
            groups,
            module=self._module,
            torch_optimizer=self._torch_optimizer,
            preconditioner=self._preconditioner,
            process_group=self._process_group,
            start=self._direction,
            smallest=self.smallest,
            tolerance=self.tolerance,
            max_products=self.max_products,
            seed=self.seed + len(self.history),
            basis_device=self._basis_device,
        )
        largest = max(group.learning_rate for group in groups)
        threshold, worst = self._threshold(groups)
        reading = judge(
            step=number,
            loss=found.loss,
            sharpness=found.sharpness,
            error=found.error,
            slope=found.slope,
            learning_rate=largest,
            threshold=threshold,
            growth=lambda gain: worst.growth(gain, *self._noise),
            bands=self.bands,
            decay=max(group.loop.decay for group in groups),
            remark=_remark(groups),
            moving=self._moves(),
            hum=self._hum(groups, largest, threshold),
            smallest=found.smallest,
            smallest_error=found.smallest_error,
            products=found.products,
        )
        self._direction = found.direction
        self.history.append(reading)
        return reading

    def _rows(self) -> list[dict[str, Any]]:
        return [reading.as_dict() for reading in self.history]

    def table(self) -> str:
        """List the readings as lines of plain text.

        Returns
        -------
        str
        """
        return readings_table(self.history)

    def to_csv(self, path: str | PathLike[str]) -> None:
        """Write the readings as a CSV file with a header.

        Parameters
        ----------
        path : path of the file
        """
        readings_csv(self.history, path)

    def to_json(self, path: str | PathLike[str] | None = None) -> str:
        """Write the readings as JSON; what is not a finite number is null.

        Parameters
        ----------
        path : path of a file, optional
            A file to which the text is written as well.

        Returns
        -------
        str
        """
        return readings_json(self.history, path)

    def plot(self, axes: Axes | None = None) -> Axes:
        """Draw ``lr * sharpness / threshold`` against the update, with the bands.

        Parameters
        ----------
        axes : matplotlib axes, optional
            By default of a new figure.

        Returns
        -------
        matplotlib axes
        """
        from delaystability.training.monitor_plot import plot_readings

        return plot_readings(self.history, self.bands, axes)

    def _groups(self) -> list[ParameterGroup]:
        return parameter_groups(
            self._torch_optimizer,
            self._optimizer,
            self._delay,
            preconditioned=self._preconditioner is not None,
        )

    def _moves(self) -> bool:
        """Whether a preconditioner moves along, for all that is known."""
        if self._moving is not None:
            return self._moving
        inner = unwrapped(self._torch_optimizer)
        known = all(is_linear(inner, group) for group in inner.param_groups)
        return self._preconditioner is not None or not known

    def _hum(self, groups: list[ParameterGroup], largest: float, threshold: float) -> Hum | None:
        """The oscillation that a moving preconditioner sustains."""
        if not self._moves():
            return None
        if self._known is not None and is_of_the_optimizer(self._preconditioner):
            return expected_hum(self._torch_optimizer, groups, self._known[1])
        return Hum(largest / threshold) if threshold > 0 else None

    def _threshold(self, groups: list[ParameterGroup]) -> tuple[float, ParameterGroup]:
        """The smallest threshold of the groups, and that group."""
        setting = [group.loop for group in groups]
        if self._known is None or self._known[0] != setting:
            each = [group.threshold(*self._noise, replay=self._replays) for group in groups]
            self._known = (setting, each)
        values = self._known[1]
        place = min(range(len(values)), key=values.__getitem__)
        return values[place], groups[place]


def _checked_closure(loss: Any) -> None:
    if not callable(loss):
        raise TypeError(
            "loss must be a callable that returns the loss, such as lambda: criterion(model(x), y);"
            f" got {type(loss).__name__}"
        )


def _remark(groups: list[ParameterGroup]) -> str:
    if not all(group.loop.delay == groups[0].loop.delay for group in groups):
        return "the groups' delays differ: the smallest threshold is taken"
    if any(group.loop.optimizer != groups[0].loop.optimizer for group in groups):
        return "the groups' optimizers differ: the smallest threshold is taken"
    return ""
