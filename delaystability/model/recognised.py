"""What an optimizer does with a gradient, told by its class: ours, or one of torch's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from delaystability.model.adaptive import Adam, AdaptiveOptimizer
from delaystability.model.arguments import checked_optimizer, scalar_optimizer
from delaystability.model.catalogue import SGD, EMAMomentum, HeavyBall, LinearOptimizer, Nesterov
from delaystability.model.frozen_filters import ADAPTIVE, first_moment
from delaystability.model.optimizer import Optimizer
from delaystability.model.sign_optimizers import SignOptimizer

__all__ = [
    "Recognised",
    "adaptive_type",
    "innermost",
    "is_adaptive_by_name",
    "linear_filter",
    "recognised",
    "unwrapping",
]


class Recognised(NamedTuple):
    """Tell what an optimizer does with a gradient.

    Attributes
    ----------
    title : str
        For prose.
    adaptive : bool
        Whether its preconditioner moves, so that it is no linear filter.
    filters : tuple of Optimizer
        What it does in its parameter groups, each only once; if it is adaptive, what it does while
        the preconditioner is frozen, and empty where that is not known.
    """

    title: str
    adaptive: bool
    filters: tuple[Optimizer, ...]


def is_adaptive_by_name(optimizer: Any) -> bool:
    """Tell whether an optimizer is called as one of torch's with a preconditioner that moves.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        Without wrappers; of torch or of another package.
    """
    return any(cls.__name__ in ADAPTIVE for cls in type(optimizer).__mro__)


def adaptive_type(optimizer: Any) -> str:
    """Tell "orthogonal" for Muon, which makes its update orthogonal, from "adaptive" for others.

    Parameters
    ----------
    optimizer : Adam or torch.optim.Optimizer
    """
    names = {cls.__name__ for cls in type(innermost(optimizer)).__mro__}
    return "orthogonal" if "Muon" in names else "adaptive"


def recognised(optimizer: Any) -> Recognised:
    """Recognise an optimizer of the catalogue, `Adam`, or a torch optimizer, maybe wrapped.

    Torch is not loaded: its optimizers are known by the names of their classes, and so are those
    with a preconditioner in other packages, such as another Adafactor.

    Parameters
    ----------
    optimizer : Optimizer, Adam or torch.optim.Optimizer

    Raises
    ------
    TypeError
        If it is none of them, or none that is known.
    """
    if isinstance(optimizer, Optimizer):
        one = scalar_optimizer(checked_optimizer(optimizer))
        return Recognised(_title(one), False, (one,))
    if isinstance(optimizer, SignOptimizer):
        return Recognised(optimizer.title, True, ())
    if isinstance(optimizer, AdaptiveOptimizer):
        return Recognised(optimizer.title, True, (optimizer.momentum_filter,))
    inner = innermost(optimizer)
    kind = type(inner).__name__
    if not hasattr(inner, "param_groups"):
        raise TypeError(
            "optimizer must be an optimizer such as ds.HeavyBall(0.9) or ds.Adam(), or a torch "
            f"optimizer; got {optimizer!r}"
        )
    groups = inner.param_groups
    if is_adaptive_by_name(inner):
        # Another package's Adam may treat its first moment in another way.
        known = any(ADAPTIVE.get(name) is first_moment for name in _names_in_torch(inner))
        betas = [float(group["betas"][0]) for group in groups] if known else []
        return Recognised(kind, True, _distinct(Adam(beta).momentum_filter for beta in betas))
    filters = [linear_filter(inner, group) for group in groups]
    if None in filters:
        raise TypeError(
            f"optimizer must be one that is known, which {_full_name(inner)} is not: if it scales "
            "its coordinates by itself, give ds.Adam() in its place; if it is a linear filter of "
            "its gradients, give that, for example ds.HeavyBall(0.9)"
        )
    found = _distinct(scalar_optimizer(checked_optimizer(one)) for one in filters)
    return Recognised(" and ".join(_title(one) for one in found), False, found)


def innermost(optimizer: Any) -> Any:
    """Find the torch optimizer inside wrappers such as those of Accelerate and Lightning."""
    *_, inner = unwrapping(optimizer)
    return inner


def unwrapping(optimizer: Any) -> Iterator[Any]:
    """Iterate over the wrappers from the outside inwards, and the optimizer inside at last."""
    yield optimizer
    while hasattr(getattr(optimizer, "optimizer", None), "param_groups"):
        optimizer = optimizer.optimizer
        yield optimizer


def linear_filter(inner: Any, group: Mapping[str, Any]) -> Optimizer | None:
    """Tell which linear filter a torch optimizer is for one of its groups; None if it is not known.

    Parameters
    ----------
    inner : torch.optim.Optimizer
    group : mapping
        Of its ``param_groups``. Its present momentum counts.
    """
    own = group.get("optimizer")
    if isinstance(own, Optimizer):
        # A scheduler may have moved the group's momentum, which counts from the next update on.
        moved = group.get("momentum") if "momentum" in own.parameters else None
        return own if moved is None else replace(own, momentum=float(moved))  # type: ignore[type-var]
    if "SGD" not in _names_in_torch(inner):
        return None
    momentum, dampening = float(group["momentum"]), float(group["dampening"])
    if not momentum:
        return SGD()
    if group["nesterov"]:
        return Nesterov(momentum)
    if not dampening:
        return HeavyBall(momentum)
    if dampening == momentum:
        return EMAMomentum(momentum)
    return LinearOptimizer({1: momentum}, {0: 1 - dampening})


def _distinct(filters: Iterable[Optimizer]) -> tuple[Optimizer, ...]:
    # Those with tables have no hash.
    found: list[Optimizer] = []
    for one in filters:
        if one not in found:
            found.append(one)
    return tuple(found)


def _names_in_torch(inner: Any) -> set[str]:
    """The classes of torch.optim that it is an instance of."""
    return {cls.__name__ for cls in type(inner).__mro__ if cls.__module__.startswith("torch.optim")}


def _full_name(inner: Any) -> str:
    return f"{type(inner).__module__}.{type(inner).__qualname__}"


def _title(optimizer: Optimizer) -> str:
    numbers = (f"{name} {value}" for name, value in optimizer.parameters.items() if value)
    return ", ".join([optimizer.title, *numbers])
