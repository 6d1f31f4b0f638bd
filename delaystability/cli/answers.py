"""What a command that computes answers with: one table or row of JSON for each combination."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import wraps
from itertools import product
from math import prod
from typing import Any, get_args

from delaystability.cli.optimizer_options import parameter_names, with_parameters
from delaystability.cli.optimizers import shared
from delaystability.cli.options import INTEGERS, NUMBERS, Json, option, takes
from delaystability.cli.several import MOST_ROWS, expanded, is_several, parts
from delaystability.cli.terminal import (
    RefusedError,
    clear_errors,
    print_json,
    print_rows,
    print_values,
    warnings_in_one_line,
)

__all__ = ["Answer", "answering"]

_OPTIMIZER = "optimizer"


@dataclass(frozen=True)
class Answer:
    """Answer one question.

    Attributes
    ----------
    title : str
        Of the table.
    values : mapping
        What was asked and what was found, for JSON.
    shown : mapping, optional
        The same for the table, where it differs.
    """

    title: str
    values: Mapping[str, Any]
    shown: Mapping[str, Any] | None = None


def answering(command: Callable[..., Answer]) -> Callable[..., None]:
    """The command for a terminal: with lists and ranges, ``--json``, and errors in one line.

    Its options of `NUMBERS` and `INTEGERS` may be lists and ranges, its optimizer a list: the
    command is asked for every combination. One answer is one object of JSON, several are a list.
    """
    inner = with_parameters(command)
    shown = inspect.signature(inner).parameters
    lists = [name for name, argument in shown.items() if _takes_lists(argument)]

    @wraps(inner)
    def run(*, as_json: bool, **given: Any) -> None:
        with clear_errors(), warnings_in_one_line():
            texts = {name: given[name] for name in lists if given[name] is not None}
            several = any(_is_several(name, text) for name, text in texts.items())
            answers = [inner(**given | chosen) for chosen in _combinations(texts)]
            if as_json:
                rows = [dict(answer.values) for answer in answers]
                print_json(rows if several else rows[0])
            elif several:
                print_rows([answer.shown or answer.values for answer in answers], answers[0].title)
            else:
                print_values(answers[0].shown or answers[0].values, answers[0].title)

    takes(run, *shown.values(), option("as_json", Json, False))
    return run


def _takes_lists(argument: inspect.Parameter) -> bool:
    about = get_args(argument.annotation)[1:]
    return argument.name.startswith(_OPTIMIZER) or any(
        getattr(entry, "metavar", None) in (INTEGERS, NUMBERS) for entry in about
    )


def _is_several(name: str, text: str) -> bool:
    return len(parts(text)) > 1 if name.startswith(_OPTIMIZER) else is_several(text)


def _combinations(texts: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Every combination of the entries of lists; the last one changes first."""
    lists = {
        name: parts(text) if name.startswith(_OPTIMIZER) else expanded(name.replace("_", "-"), text)
        for name, text in texts.items()
    }
    rows = prod(map(len, lists.values()))
    if rows > MOST_ROWS:
        raise RefusedError(f"lists and ranges must make at most {MOST_ROWS} rows; got {rows}")
    for entries in product(*lists.values()):
        chosen = dict(zip(lists, entries, strict=True))
        yield _with_shared_parameters(chosen, lists)


def _with_shared_parameters(
    chosen: dict[str, Any], lists: Mapping[str, list[str]]
) -> dict[str, Any]:
    """Among several optimizers SGD may stand beside one with a momentum; alone, it refuses one."""
    name = next((name for name in lists if name.startswith(_OPTIMIZER)), None)
    if name is None or len(lists[name]) == 1:
        return chosen
    given = {k: text for k, text in chosen.items() if k in parameter_names(adaptive=True)}
    known = {k for other in lists[name] for k in shared(other, given)}
    own = shared(chosen[name], given)
    return {k: text if k not in known or k in own else None for k, text in chosen.items()}
