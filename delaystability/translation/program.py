"""A program in the dialect as a tree: what is left of the kernels once Python is taken away.

Every expression is a 64-bit float or a truth value. `reading` makes the tree, `languages` print it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

__all__ = [
    "Assign",
    "Call",
    "Choice",
    "Combine",
    "Compare",
    "Constant",
    "Default",
    "Documentation",
    "Expression",
    "Function",
    "Negative",
    "Not",
    "Number",
    "Operation",
    "Parameter",
    "Program",
    "Repeat",
    "Require",
    "Return",
    "Statement",
    "Variable",
]


@dataclass(frozen=True)
class Number:
    """A literal."""

    value: float


@dataclass(frozen=True)
class Variable:
    """A parameter, or a variable that was assigned before."""

    name: str


@dataclass(frozen=True)
class Constant:
    """A named number of the whole program; ``value`` is what it means."""

    name: str
    value: float


@dataclass(frozen=True)
class Negative:
    """``-operand``."""

    operand: Expression


@dataclass(frozen=True)
class Operation:
    """``left operator right`` with an operator of ``+ - * /``."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True)
class Compare:
    """``left operator right`` with an operator of ``< <= > >=``."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True)
class Combine:
    """``left operator right`` with the operator ``and`` or ``or``."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True)
class Not:
    """``not operand``."""

    operand: Expression


@dataclass(frozen=True)
class Choice:
    """``then if condition else otherwise``; both sides may be evaluated."""

    condition: Expression
    then: Expression
    otherwise: Expression


@dataclass(frozen=True)
class Call:
    """A function of the dialect or of the program, applied to arguments."""

    function: str
    arguments: tuple[Expression, ...]


Expression = (
    Number | Variable | Constant | Negative | Operation | Compare | Combine | Not | Choice | Call
)


@dataclass(frozen=True)
class Assign:
    """``name = value``. ``first`` if it makes the variable, ``changes`` if it changes later."""

    name: str
    value: Expression
    first: bool
    changes: bool
    is_truth: bool
    comment: str = ""


@dataclass(frozen=True)
class Default:
    """``name``, the optional parameter, or ``fallback`` where it is not given."""

    name: str
    parameter: str
    fallback: str
    comment: str = ""


@dataclass(frozen=True)
class Require:
    """Refuse the call unless the condition holds: ``argument`` must be ``allowed``."""

    condition: Expression
    argument: str
    allowed: str
    value: str
    comment: str = ""


@dataclass(frozen=True)
class Repeat:
    """The body, ``count`` times; ``state`` are the variables that it hands on to the next time."""

    count: int
    body: tuple[Assign, ...]
    state: tuple[str, ...]
    comment: str = ""


@dataclass(frozen=True)
class Return:
    """The last statement of a function."""

    value: Expression
    comment: str = ""


Statement = Assign | Default | Require | Repeat | Return


@dataclass(frozen=True)
class Documentation:
    """A docstring: one sentence, then paragraphs; those that are formulas keep their lines."""

    summary: str
    paragraphs: tuple[tuple[str, bool], ...] = ()


@dataclass(frozen=True)
class Parameter:
    """An argument of a function, optional if the function says what it then is."""

    name: str
    optional: bool = False


@dataclass(frozen=True)
class Function:
    """A kernel; those that check their arguments are the public ones."""

    name: str
    parameters: tuple[Parameter, ...]
    returns_truth: bool
    documentation: Documentation
    body: tuple[Statement, ...]

    @property
    def public(self) -> bool:
        """Whether users call it."""
        return any(isinstance(statement, Require) for statement in self.body)

    @property
    def requirements(self) -> tuple[Require, ...]:
        """What its arguments must be."""
        return tuple(statement for statement in self.body if isinstance(statement, Require))


@dataclass(frozen=True)
class Program:
    """Functions, each after those that it calls."""

    functions: tuple[Function, ...]

    @property
    def constants(self) -> tuple[Constant, ...]:
        """The named numbers that are used, in order of their first use."""
        found = (node for node in parts(self.functions) if isinstance(node, Constant))
        return tuple(dict.fromkeys(found))

    @property
    def checks(self) -> frozenset[str]:
        """The functions that decide whether an argument is refused."""
        conditions = tuple(
            node.condition for node in parts(self.functions) if isinstance(node, Require)
        )
        return frozenset(node.function for node in parts(conditions) if isinstance(node, Call))

    @property
    def calls(self) -> frozenset[str]:
        """The functions that are called somewhere, those of the dialect too."""
        return frozenset(node.function for node in parts(self.functions) if isinstance(node, Call))

    def only(self, names: Iterable[str]) -> Program:
        """The functions with these names and all that they need."""
        needed = set(names)
        kept: list[Function] = []
        for function in reversed(self.functions):
            if function.name in needed:
                kept.append(function)
                needed |= {node.function for node in parts(function) if isinstance(node, Call)}
        return Program(tuple(reversed(kept)))

    def without(self, identity: str) -> Program:
        """The same program without a function that only returns its argument."""

        def unwrapped(node: Any) -> Any:
            return (
                node.arguments[0] if isinstance(node, Call) and node.function == identity else node
            )

        kept = (function for function in self.functions if function.name != identity)
        return Program(tuple(rebuilt(function, unwrapped) for function in kept))


def parts(node: Any) -> Iterator[Any]:
    """The nodes of a tree, each before its parts."""
    if isinstance(node, tuple):
        for entry in node:
            yield from parts(entry)
    elif hasattr(node, "__dataclass_fields__"):
        yield node
        for entry in fields(node):
            yield from parts(getattr(node, entry.name))


def rebuilt(node: Any, change: Callable[[Any], Any]) -> Any:
    """The tree with ``change`` applied to every node, inner nodes first."""
    if isinstance(node, tuple):
        return tuple(rebuilt(entry, change) for entry in node)
    if not hasattr(node, "__dataclass_fields__"):
        return node
    changes = {entry.name: rebuilt(getattr(node, entry.name), change) for entry in fields(node)}
    return change(replace(node, **changes))
