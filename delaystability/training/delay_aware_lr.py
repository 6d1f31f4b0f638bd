"""A learning-rate scheduler that follows the measured delays of a run."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any
from weakref import ref

import torch
from torch import Tensor

from delaystability.model.arguments import (
    checked_count,
    checked_optimizer,
    one_delay,
    scalar_optimizer,
)
from delaystability.model.delays import Delay, as_delay, delay_array
from delaystability.model.loop import at_any_delay
from delaystability.model.optimizer import Optimizer
from delaystability.model.recognised import adaptive_type
from delaystability.training.delay_rule import DelayRule
from delaystability.training.delay_window import DelaySource, DelayWindow, new_delays
from delaystability.training.parameter_group import (
    group_optimizer,
    is_linear,
    late_optimizer,
    unwrapped,
)
from delaystability.training.rate_factors import SCHEDULER, RateFactors
from delaystability.training.scheduler_state import checked_scheduler_state
from delaystability.training.weak_note import leave_note

__all__ = ["DelayAwareLR"]

_ARGUMENTS = {"optimizer", "_inner", "_own", "_rule", "_initial", "_source", "_moment", "_goal"}
_ARGUMENTS |= {"_preconditioner", "_late_optimizer"}
_NO_STATE = _ARGUMENTS | {"_knows", "_beginning", "_handles", "_windows", "_rates"}


class DelayAwareLR(torch.optim.lr_scheduler.LRScheduler):
    """Multiply the learning rate as the delays ask for: to train well, or to keep the minima.

    With ``goal="train"`` it follows `recommend_learning_rate` as the delays change, for every torch
    optimizer: a measured rule of thumb. With ``goal="same-minima"``, the default, the accessible
    minima stay those of another delay, for linear filters; this is a theorem, and not how to train
    best. With the last ``window`` delays as a distribution D the rate of a parameter group is::

        lr = (what the other schedulers say) * a*(optimizer, D) / a*(optimizer, reference_delay)

    or, to train, with the factor f of the recommendation in the place of the threshold a*. A
    minimum is accessible while its sharpness is below a*/lr; `adjust_learning_rate` is the same
    rule for delays that are known beforehand. Source: Giladi, Nacson, Hoffer, Soudry, ICLR 2020,
    arXiv:1909.12340.

    The delays are given to `step`, or read from ``source``, from a `DelayedOptimizer` or from what
    `delayed` returns, where each group has its own and a fixed one is known before its first step;
    the scheduler may be made before the queue.

    Parameters
    ----------
    torch_optimizer : torch.optim.Optimizer
        Its learning rates were tuned for ``reference_delay``. It is ``scheduler.optimizer``.
    optimizer : Optimizer, optional
        What the run does with a gradient. Else that of a `DelayedOptimizer`, or recognised from
        ``torch.optim.SGD``, or EMA momentum for Adam and AdamW with ``preconditioner="frozen"``.
    reference_delay : int or delay object
        The delay that the learning rates were tuned for: 0 for a synchronous recipe.
    reference_optimizer : Optimizer, by default the same
        The optimizer that they were tuned with.
    source : DelaySource, optional
        Any object whose ``delays`` (a sequence, or a function that returns one) grows by one for
        each applied gradient, such as a running parameter server.
    window : int, at least 1
        How many of the last delays count. Where they vary, one above 700 counts as 700, as the
        threshold hardly depends on how late rare gradients are; but if more than one in fifty
        is longer, all count as the longest.
    every : int, at least 1
        After how many new delays the threshold is computed again; earlier in a young run, whenever
        the number of delays has doubled, or for a replay is four times as large. A replay takes
        a tenth of a second to a few seconds, the mean 5 to 70 ms, and hardly any time if all
        delays are the same. A
        momentum that a schedule moves in between counts as it would at the fixed mean delay.
    initial_delay : int or delay object, optional
        What is assumed before any delay is known. By default the learning rate is left alone until
        then.
    moment : "replay", "mean", "mean-square" or None
        "replay" keeps the order of the delays, as `replay_threshold`. Workers that share cores come
        in bursts, and there the mean of independent delays was up to 3.7 times too high (experiment
        ``parameter-server``). The others take the delays as independent: see `stability_threshold`.
    last_epoch : int
        As for every scheduler of torch.
    preconditioner : "frozen", optional
        Needed to keep the minima of every optimizer but ``torch.optim.SGD`` and
        `DelayedOptimizer`, also if ``optimizer`` is given. The rule is a theorem about linear
        filters: for Adam and its kind it holds while the preconditioner is frozen, and one that
        moves does not need it. Told delay 4 under AdamW, it divided the rate by 143, and the run
        learnt nothing. "frozen" says that the preconditioner does not move, or that there is none,
        as in a plain SGD of another package.
    goal : "same-minima" or "train"
        "train" takes an optimizer that is not known to be linear for one with a preconditioner that
        moves, and divides its rate by ``(1 + delay)**0.8``. Measured sharpness is not followed: on
        networks, riding the edge did worse than measuring nothing.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what is described here, if the minima are to be kept of an optimizer
        that may have a preconditioner that moves, or if the table of the optimizer depends on the
        delay, as that of shifted momentum: give ``LinearOptimizer({W: m}, {0: 1})`` for W buffers.

    Notes
    -----
    Step it once for each update or less often, after the other schedulers. Its factor is on the
    learning rates from its own ``step()`` (at the latest from the next update) to the end of
    ``optimizer.step()``; in between, the other schedulers see the learning rates that they know, so
    that all of torch's compose exactly. Stepped behind it, or where no update took place, a rate
    may have been multiplied (``ExponentialLR``) or written anew (``OneCycleLR``): whichever gives
    the rate nearer to the last one is assumed, which is wrong only if the schedule itself jumps
    by about the factor or more there.
    """

    def __init__(
        self,
        torch_optimizer: torch.optim.Optimizer,
        optimizer: Optimizer | None = None,
        reference_delay: int | Delay = 0,
        *,
        reference_optimizer: Optimizer | None = None,
        source: DelaySource | None = None,
        window: int = 1000,
        every: int = 1000,
        initial_delay: int | Delay | None = None,
        moment: str | None = "replay",
        last_epoch: int = -1,
        preconditioner: str | None = None,
        goal: str = "same-minima",
    ) -> None:
        window, every = checked_count("window", window, 1), checked_count("every", every, 1)
        if preconditioner not in (None, "frozen"):
            raise ValueError(f"preconditioner must be 'frozen' or None; got {preconditioner!r}")
        if source is not None and not hasattr(source, "delays"):
            raise TypeError(f"source must have `delays`; got {source!r}")
        for name, rule in (("optimizer", optimizer), ("reference_optimizer", reference_optimizer)):
            if rule is not None:
                scalar_optimizer(checked_optimizer(rule, name), name)
        self._inner = unwrapped(torch_optimizer)
        self._own = optimizer
        tuned_for = one_delay("reference_delay", reference_delay)
        self._rule = DelayRule(
            goal, moment, reference_optimizer, tuned_for, adaptive_type(self._inner)
        )
        self._source, self._moment, self._goal = source, moment, goal
        self._preconditioner = preconditioner
        self._initial = None
        if initial_delay is not None:
            self._initial = one_delay("initial_delay", initial_delay)
        self._knows = "source" if source is not None else ""
        self._late_optimizer: Any = None
        self._finds_queue(torch_optimizer)
        self._windows = [DelayWindow(window, every, growth=4 if moment == "replay" else 2)]
        self._factors: list[float] = []
        self._looks: list[tuple[float, int, float] | None] = []
        self._rates = RateFactors(torch_optimizer)
        self._refuse_tables_that_depend_on_the_delay()
        self._hook()
        super().__init__(torch_optimizer, last_epoch)

    @property
    def factors(self) -> list[float]:
        """Factors by which the learning rates of the groups are multiplied."""
        return list(self._factors)

    def step(self, epoch: int | None = None, *, delay: Any = None) -> None:
        """Take note of new delays and set the learning rates.

        Parameters
        ----------
        epoch : int, optional
            As for every scheduler of torch, where it is deprecated.
        delay : int or sequence of int, optional
            The delays of the gradients that were applied since the last call, if neither a source
            nor a `DelayedOptimizer` knows them.

        Raises
        ------
        ValueError, TypeError
            If the delays are not integers >= 0, or known already.
        """
        self._note(delay)
        self._update_factors()
        super().step(epoch)

    def get_lr(self) -> list[float | Tensor]:
        """Multiply the learning rates of the other schedulers by the factors.

        Returns
        -------
        list of float or Tensor
        """
        bases = self._rates.bases()
        if self._beginning:
            return bases
        self._follow_new_groups()
        # Here, as SequentialLR asks for the rates without a step.
        self._rates.written(bases, self._factors)
        return [base * factor for base, factor in zip(bases, self._factors, strict=True)]

    def rates_in_use(self) -> AbstractContextManager[None]:
        """Show the learning rates of updates in the optimizer, inside a ``with`` statement.

        Returns
        -------
        context manager
            Afterwards they are as the other schedulers know them.
        """
        self._follow_new_groups()
        return self._rates.shown(self._factors)

    def _initial_step(self) -> None:
        # Schedulers that are made after this one must find the learning rates as they were given.
        self._beginning = True
        super()._initial_step()
        self._beginning = False

    def state_dict(self) -> dict[str, Any]:
        """Save plain data: the last delays, the factors, and all that a torch scheduler keeps.

        Returns
        -------
        dict
        """
        return {key: value for key, value in self.__dict__.items() if key not in _NO_STATE} | {
            "windows": [window.state_dict() for window in self._windows],
            "rates": self._rates.state_dict(),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load what `state_dict` returned, into a scheduler made with the same arguments.

        Parameters
        ----------
        state_dict : dict

        Raises
        ------
        ValueError
            If an entry is missing, unknown, or has a value that is not allowed. Nothing is changed
            then.
        """
        state = checked_scheduler_state(state_dict, self.state_dict())
        windows = [self._windows[0].empty() for _ in state["windows"]]
        for window, saved in zip(windows, state.pop("windows"), strict=True):
            window.load_state_dict(saved)
        rates = RateFactors(self.optimizer)
        rates.load_state_dict(state.pop("rates"))
        # Only now, as nothing below can be refused.
        self._windows, self._rates = windows, rates
        super().load_state_dict(state)

    def __getstate__(self) -> dict[str, Any]:
        """All but the hooks, which belong to one optimizer."""
        return {key: value for key, value in self.__dict__.items() if key != "_handles"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore a copy, and hook it to its own optimizer."""
        self.__dict__.update(state)
        self._hook()

    def _hook(self) -> None:
        # The optimizer must not keep a scheduler alive that everybody else has dropped.
        scheduler = ref(self)

        def put_on(*_: Any) -> None:
            alive = scheduler()
            if alive is not None:
                alive._follow_new_groups()
                alive._rates.put_on(alive._factors)

        def take_off(*_: Any) -> None:
            alive = scheduler()
            if alive is not None:
                alive._rates.take_off()

        self._handles = (
            self._inner.register_step_pre_hook(put_on),
            self._inner.register_step_post_hook(take_off),
        )

        leave_note(self._inner, SCHEDULER, self)

    def _finds_queue(self, torch_optimizer: Any) -> bool:
        """Whether one that knows the delays is found now; it may be made after the scheduler."""
        if self._knows:
            return False
        self._late_optimizer = late_optimizer(torch_optimizer)
        if self._late_optimizer is not None:
            self._knows = type(self._late_optimizer).__name__
        return bool(self._knows)

    def _note(self, delay: Any) -> None:
        """Append the new delays to the windows."""
        self._finds_queue(self._inner)
        if delay is not None and self._knows:
            raise ValueError(f"delay must not be given: the {self._knows} knows it; got {delay!r}")
        if self._source is not None:
            self._windows[0].add(new_delays(self._source, self._windows[0].count))
        elif (late := self._late_optimizer) is not None:
            self._add_windows()
            for k, window in enumerate(self._windows):
                window.add(late.applied_delays(k, window.count).tolist())
        elif delay is not None:
            self._windows[0].add(delay_array(delay).ravel().tolist())

    def _add_windows(self) -> None:
        """One for each group of a `DelayedOptimizer`; else there is just one."""
        if (late := self._late_optimizer) is not None:
            missing = len(late.param_groups) - len(self._windows)
            self._windows += [self._windows[0].empty() for _ in range(missing)]

    def _follow_new_groups(self) -> None:
        if len(self._factors) != len(self._inner.param_groups) or self._finds_queue(self._inner):
            self._update_factors()

    def _update_factors(self) -> None:
        self._add_windows()
        groups = len(self._inner.param_groups)
        self._looks += [None] * (groups - len(self._looks))
        self._factors = [self._factor(k) for k in range(groups)]
        for window in self._windows:
            if window.due:
                window.seen()

    def _factor(self, k: int) -> float:
        """The factor of a group: that of the last look, unless its delays should be looked at.

        Only a changed momentum is followed in between, by the factors for the fixed mean delay.
        """
        optimizer, declared = self._optimizer_of(k), self._declared_delay(k)
        if declared is not None:
            return self._rule.factor(optimizer, declared, "declared")
        window, look = self._windows[min(k, len(self._windows) - 1)], self._looks[k]
        if look is not None and not window.due:
            factor, mean, fixed = look
            now = self._rule.fixed_factor(optimizer, mean)
            return factor if now == fixed else factor * now / fixed
        # A rule without a threshold needs no shorter delays.
        delay = window.log if optimizer is None else window.delay
        label: Any = window.sequence if self._moment == "replay" else window.histogram
        if delay is None:
            if self._initial is None:
                return 1.0
            delay, label = self._initial, "initial"
        factor, mean = self._rule.factor(optimizer, delay, label), round(delay.mean)
        self._looks[k] = (factor, mean, self._rule.fixed_factor(optimizer, mean))
        return factor

    def _declared_delay(self, k: int) -> Delay | None:
        """The delay of a group of a `DelayedOptimizer`, if it is fixed."""
        if (late := self._late_optimizer) is None:
            return None
        declared = as_delay(late.param_groups[k]["delay"])
        return declared if declared.is_fixed else None

    def _optimizer_of(self, k: int) -> Optimizer | None:
        """What a group does with a gradient; None if its preconditioner moves."""
        group = self._inner.param_groups[k]
        frozen = self._preconditioner == "frozen"
        if not frozen and not is_linear(self._inner, group):
            name = type(self._inner).__name__
            if self._goal == "same-minima":
                raise ValueError(_refusal(name))
            if self._own is not None:
                raise ValueError(
                    f"optimizer must be left out for {name} with goal='train', whose rule looks "
                    "at the delay alone, unless preconditioner='frozen' says that it is a linear "
                    f"filter; got {self._own!r}"
                )
            return None
        if self._own is not None:
            return self._own
        return scalar_optimizer(group_optimizer(self._inner, group, preconditioned=frozen))

    def _refuse_tables_that_depend_on_the_delay(self) -> None:
        for k in range(len(self._inner.param_groups)):
            optimizer = self._optimizer_of(k)
            if optimizer is not None and self._declared_delay(k) is None:
                at_any_delay(optimizer, optimizer.coefficients)
            self._rule.reference(optimizer)


def _refusal(name: str) -> str:
    return (
        f"preconditioner must be 'frozen' to keep the accessible minima with {name}, if that is "
        "meant; got None: the rule is about linear filters, and for a preconditioner that moves it "
        "divides the learning rate far too much (by 143 at delay 4 for an AdamW that then learnt "
        "nothing). Give goal='train' instead, which divides it by (1 + delay)**0.8"
    )
