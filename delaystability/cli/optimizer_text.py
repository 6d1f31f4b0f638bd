"""An optimizer as written on the command line: a name, or an object such as ``HeavyBall(0.9)``."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from delaystability.cli.terminal import RefusedError
from delaystability.model.catalogue import CATALOGUE, LinearOptimizer
from delaystability.model.recognised_adaptive import ADAPTIVE

__all__ = ["WrittenOptimizer", "read_optimizer"]

_LONGEST_TEXT = 2_000
_CALL = re.compile(r"(?:\w+\.)*([\w-]+)\s*(?:\((.*)\))?", re.S)
# Weights that decay by themselves do not change what Adam does with a gradient.
_ALIASES = {"adamw": "adam", "AdamW": "adam", "RMSprop": "rmsprop"}


@dataclass(frozen=True)
class WrittenOptimizer:
    """Keep what was written for an optimizer, before anything is made of it.

    Attributes
    ----------
    name : str
        Of the class if there is one, else as written.
    written : str
        The name as it was written.
    parameters : mapping
        Numbers as text, or a table of them by lag.
    """

    name: str
    written: str
    parameters: Mapping[str, Any]


def read_optimizer(text: str, argument: str = "optimizer") -> WrittenOptimizer:
    """Read a name, or an object whose arguments are numbers or tables of numbers.

    Raises
    ------
    RefusedError
        If the text is neither, or has an argument that the class does not have.
    """
    match = _CALL.fullmatch(text.strip()) if len(text) <= _LONGEST_TEXT else None
    if match is None:
        raise _refusal(argument, text)
    written, arguments = match.groups()
    by_class = {cls.__name__: name for name, cls in _known().items()}
    name = _ALIASES.get(written, by_class.get(written, written))
    if arguments is None:
        return WrittenOptimizer(name, written, {})
    if name not in _known():
        raise RefusedError(
            f"{argument} must be an object of one of {', '.join(by_class)}; got {text!r}"
        )
    found = dict(_arguments(_known()[name], arguments, _refusal(argument, text)))
    return WrittenOptimizer(name, written, found)


def _known() -> dict[str, type[Any]]:
    """All classes by the names that the command line and JSON have for them."""
    return {LinearOptimizer.name: LinearOptimizer, **ADAPTIVE, **CATALOGUE}


def _refusal(argument: str, text: str) -> RefusedError:
    return RefusedError(
        f"{argument} must be a name or an object such as 'HeavyBall(0.9)'; got {text[:60]!r}"
    )


def _arguments(cls: type[Any], arguments: str, refusal: RefusedError) -> Iterator[tuple[str, Any]]:
    """The arguments of a call by their names, numbers as they are written."""
    source = f"f({arguments})"
    try:
        call = ast.parse(source, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise refusal from None
    names = [*inspect.signature(cls).parameters]
    # Of 'f(1)(2)' and 'f(1).g(2)' the last call is another one.
    alone = isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
    if not isinstance(call, ast.Call) or not alone:
        raise refusal
    if len(call.args) > len(names):
        raise RefusedError(
            f"optimizer {cls.__name__} must have at most the parameters {', '.join(names)}; got "
            f"{len(call.args)}"
        )
    given = [*zip(names, call.args, strict=False)]
    for entry in call.keywords:
        if entry.arg not in names:
            raise RefusedError(
                f"optimizer {cls.__name__} has no parameter {entry.arg}: it has "
                f"{', '.join(names) or 'none'}"
            )
        if entry.arg in dict(given):
            raise RefusedError(f"{entry.arg} must be given once; got it twice")
        given.append((entry.arg, entry.value))
    for name, node in given:
        yield name, _value(node, source, refusal)


def _value(node: ast.expr, source: str, refusal: RefusedError) -> Any:
    """A number as it is written, or a table of them by lag."""
    if isinstance(node, ast.Dict):
        values = [_value(value, source, refusal) for value in node.values]
        try:
            lags = [ast.literal_eval(key) if key is not None else None for key in node.keys]
            table = dict(zip(lags, values, strict=True))
        except (ValueError, TypeError):
            raise refusal from None
        if len(table) < len(lags):
            twice = next(lag for lag in lags if lags.count(lag) > 1)
            raise RefusedError(
                f"a table of an optimizer must have each lag once; got {twice} twice"
            )
        return table
    return ast.get_source_segment(source, node) or ""
