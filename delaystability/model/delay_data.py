"""Laws of delays as plain data, and back: the one way in which they are written to files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from inspect import signature
from typing import Any

from delaystability.model.delays import Delay

__all__ = ["delay_from_dict", "delay_to_dict"]


def delay_to_dict(delay: Delay) -> dict[str, Any]:
    """Write the kind of a law and its parameters; a fraction as a pair of integers.

    Raises
    ------
    TypeError
        If `Delay.to_dict` does not name a parameter that the class needs.
    """
    parameters = delay.to_dict()
    names = list(signature(type(delay)).parameters)
    missing = [name for name in names if name not in parameters]
    if missing:
        raise TypeError(
            f"delay must have a to_dict() with an entry for each of its parameters; got {delay!r}, "
            f"without {', '.join(missing)}"
        )
    return {"kind": delay.kind} | {name: _plain(parameters[name]) for name in names}


def delay_from_dict(data: Mapping[str, Any], known: type[Delay] | None = None) -> Delay:
    """Read the law that `delay_to_dict` or `Delay.to_dict` described.

    Parameters
    ----------
    data : mapping
        The ``"kind"`` of the law, and its parameters by name.
    known : class of a law, optional
        Taken before others of the same kind.

    Raises
    ------
    ValueError, TypeError
        For an unknown kind, or parameters that the class refuses.
    """
    classes: dict[str, type[Delay]] = {cls.kind: cls for cls in _laws()}
    if known is not None:
        classes[known.kind] = known
    kind = data["kind"]
    if kind not in classes:
        raise ValueError(
            f"delay must be of one of the kinds {', '.join(sorted(classes))}; got {kind!r}: "
            "import the module of a custom law first"
        )
    parameters = {name: _read(value) for name, value in data.items() if name != "kind"}
    return classes[kind](**parameters)


def _laws(below: Any = Delay) -> Iterator[type[Delay]]:
    """All classes below this one that can be made, in the order of their definition."""
    for law in below.__subclasses__():
        if not law.__abstractmethods__:
            yield law
        yield from _laws(law)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, Fraction):
        return value.numerator, value.denominator
    # A pair is a fraction, so that a parameter with several entries is a list.
    return [_plain(entry) for entry in value] if isinstance(value, (list, tuple)) else value


def _read(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _read(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_read(entry) for entry in value]
    return Fraction(*value) if isinstance(value, tuple) else value
