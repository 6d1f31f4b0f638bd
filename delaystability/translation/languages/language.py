"""What all languages share: expressions by precedence, statements one by one, documentation."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from delaystability.translation.languages.text import hanging, indented, wrapped
from delaystability.translation.program import (
    Assign,
    Call,
    Choice,
    Combine,
    Compare,
    Constant,
    Default,
    Expression,
    Function,
    Negative,
    Not,
    Number,
    Operation,
    Program,
    Repeat,
    Require,
    Return,
    Statement,
    Variable,
)

__all__ = ["MEANINGS", "Language", "Refusal", "Sample"]

CHOICE, COMBINE, COMPARE, ADD, MULTIPLY, NEGATIVE, ATOM = range(7)
"""How tightly expressions bind; parentheses enclose those that bind too little."""

MEANINGS = {
    "momentum": "momentum of the optimizer",
    "delay": "updates between reading the weights and applying their gradient",
    "horizon": "updates that are predicted ahead",
    "lr": "learning rate",
    "sharpness": "largest eigenvalue of the Hessian at the minimum",
    "threshold": "largest stable learning rate times sharpness",
    "old_threshold": "threshold of the settings that lr was chosen for",
    "new_threshold": "threshold of the new settings",
    "share": "share of each gradient that is taken at the present weights",
    "decay": "learning rate times weight decay",
    "noise": "variance of the curvature of mini-batches over its squared mean",
    "beta1": "share of the first moment that stays at an update",
    "beta2": "share of the second moment that stays at an update",
    "alpha": "share of the second moment that stays at an update",
    "root_sum": "sum over the weights of the square roots of their second moments",
    "final_lr": "learning rate at the end",
    "curvature": "eigenvalue of the Hessian",
    "inner_lr": "learning rate of the inner steps",
    "steps": "inner steps between two outer ones",
    "condition_number": "largest over smallest curvature of the directions that shall converge",
}
"""What each argument of a public function is; the kernel says what it must be."""


_NOT_RUN = (
    "Nobody has run this code: there was no {0} where it was written, and the tests of the package "
    "only count its blocks. Run the test before you rely on it."
)


@dataclass(frozen=True)
class Sample:
    """A call of a public function and its value, rounded from a certified one."""

    function: str
    arguments: tuple[float, ...]
    value: float


@dataclass(frozen=True)
class Refusal:
    """A call of a public function that must be refused."""

    function: str
    arguments: tuple[float, ...]


class Language(ABC):
    """A program in one language, its test, and the commands that run the test.

    Parameters
    ----------
    program : Program
        What is to be written.
    notice : sequence of str
        The paragraphs of the first comment of every file.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    test_file: ClassVar[str]
    commands: ClassVar[Sequence[str]]
    """Shell commands that compile the test and run it."""
    functions: ClassVar[Mapping[str, str]] = {}
    """How functions of the dialect are called where they have another name, as format strings."""
    logic: ClassVar[Mapping[str, str]] = {"and": "&&", "or": "||", "not": "!"}
    """How logical operators are written."""
    remark: ClassVar[Sequence[str]] = ()
    """Paragraphs on what is special in this language."""
    argument_entry: ClassVar[str] = "{name}: {text}"
    """An argument in the documentation of a function."""
    outcome: ClassVar[Sequence[str]] = ()
    """What the documentation of a public function says after its arguments."""
    has_been_run: ClassVar[bool] = True
    """Whether this package's tests run the exported code; if not, its files say so."""
    optional: ClassVar[str] = "the delay by default"
    """What an optional argument is if it is not given."""
    differentiates: ClassVar[bool] = False
    """Whether derivatives can be taken."""
    negative_level: ClassVar[int] = NEGATIVE
    """How tightly a minus sign binds."""
    operand_level: ClassVar[int] = COMPARE
    """How tightly operands of "and" and "or" must bind to need no parentheses."""

    def __init__(self, program: Program, notice: Sequence[str]) -> None:
        self.program = program if self.differentiates else program.without("without_derivative")
        self.notice = [line for text in notice for line in (*wrapped(text), "")][:-1]
        self.public = [function for function in self.program.functions if function.public]
        self.private = frozenset(f.name for f in self.program.functions if not f.public)

    @classmethod
    def remarks(cls) -> tuple[str, ...]:
        """What is special in this language, and whether its code was ever run."""
        return tuple(cls.remark) if cls.has_been_run else (*cls.remark, _NOT_RUN.format(cls.title))

    @abstractmethod
    def sources(self) -> dict[str, str]:
        """The text of each source file by its name."""

    @abstractmethod
    def test(self, samples: Sequence[Sample], refusals: Sequence[Refusal]) -> str:
        """The text of a program that prints "ok", or fails with exit status 1."""

    @abstractmethod
    def example(self, call: str) -> str:
        """How to call a function."""

    # Names

    def variable(self, name: str) -> str:
        """The name of a parameter or variable."""
        return name

    def function_name(self, name: str) -> str:
        """The name under which a function is called."""
        return name

    def constant(self, name: str) -> str:
        """The name of a constant where it is used."""
        return name

    def prose(self, text: str) -> str:
        """The text with the names of functions and parameters as they are in this language."""
        names = {function.name: self.function_name for function in self.program.functions}
        for function in self.program.functions:
            names |= {parameter.name: self.variable for parameter in function.parameters}
        pattern = "|".join(rf"\b{name}\b" for name in names if "_" in name)
        if not pattern:
            return text
        return re.sub(pattern, lambda found: names[found[0]](found[0]), text)

    # Expressions

    def number(self, value: float) -> str:
        """A literal."""
        return repr(value).replace("e+", "e")

    def expression(self, node: Expression, level: int = CHOICE) -> str:
        """The expression, in parentheses if it binds less tightly than ``level``."""
        text, own = self.unwrapped(node)
        return text if own >= level else f"({text})"

    def unwrapped(self, node: Expression) -> tuple[str, int]:
        """The expression without parentheses around it, and how tightly it binds."""
        match node:
            case Number(value):
                return self.number(value), ATOM
            case Variable(name):
                return self.variable(name), ATOM
            case Constant(name):
                return self.constant(name), ATOM
            case Negative(operand):
                return f"-{self.expression(operand, NEGATIVE)}", self.negative_level
            case Operation(operator, left, right):
                level = ADD if operator in "+-" else MULTIPLY
                sides = self.expression(left, level), self.expression(right, level + 1)
                return f" {operator} ".join(sides), level
            case Compare(operator, left, right):
                sides = self.expression(left, ADD), self.expression(right, ADD)
                return f" {operator} ".join(sides), COMPARE
            case Combine(operator, left, right):
                # Nobody has to know whether "and" binds more tightly than "or".
                same = isinstance(left, Combine) and left.operator == operator
                sides = (
                    self.expression(left, COMBINE if same else self.operand_level),
                    self.expression(right, self.operand_level),
                )
                return f" {self.logic[operator]} ".join(sides), COMBINE
            case Not(operand):
                return f"{self.logic['not']}{self.expression(operand, ATOM)}", COMPARE
            case Choice():
                return self.choice(node)
            case Call(name, arguments):
                return self.call(name, arguments), ATOM

    def choice(self, node: Choice) -> tuple[str, int]:
        """A conditional expression, and how tightly it binds."""
        condition = self.expression(node.condition, COMBINE)
        then, otherwise = (self.expression(side, COMBINE) for side in (node.then, node.otherwise))
        return f"{condition} ? {then} : {otherwise}", CHOICE

    def call(self, name: str, arguments: Sequence[Expression]) -> str:
        """A call of a function of the dialect or of the program."""
        given = [self.expression(argument) for argument in arguments]
        if name in self.functions:
            return self.functions[name].format(*given)
        return f"{self.function_name(name)}({', '.join(given)})"

    # Statements

    def body(self, statements: Sequence[Statement], depth: int = 1) -> list[str]:
        """The lines of statements, with their comments."""
        lines: list[str] = []
        for node in statements:
            comment = self.comment_lines(self.prose(node.comment)) if node.comment else []
            lines += indented([*comment, *self.statement(node)], depth)
        return lines

    def statement(self, node: Statement) -> list[str]:
        """The lines of one statement."""
        match node:
            case Assign():
                return [self.assign(node)]
            case Default():
                return self.default(node)
            case Require():
                return self.require(node)
            case Repeat():
                return self.repeat(node)
            case Return():
                return [self.give_back(node)]

    @abstractmethod
    def comment_lines(self, text: str) -> list[str]:
        """A comment between statements."""

    @abstractmethod
    def assign(self, node: Assign) -> str:
        """An assignment, and a declaration where it is the first."""

    def change(self, node: Assign) -> str:
        """An assignment in short where it changes a variable by one operation."""
        match node.value:
            case Operation(operator, Variable(name), right) if name == node.name:
                value = self.expression(right, MULTIPLY if operator in "+-" else ADD)
                return f"{self.variable(name)} {operator}= {value}"
        return f"{self.variable(node.name)} = {self.expression(node.value)}"

    @abstractmethod
    def default(self, node: Default) -> list[str]:
        """A variable for an optional parameter."""

    @abstractmethod
    def require(self, node: Require) -> list[str]:
        """The refusal of an argument."""

    @abstractmethod
    def repeat(self, node: Repeat) -> list[str]:
        """A loop."""

    def give_back(self, node: Return) -> str:
        """The last line of a function."""
        return f"return {self.expression(node.value)}"

    # Documentation

    def description(self, function: Function) -> list[str]:
        """The lines of the documentation, but for the arguments."""
        lines = wrapped(self.prose(function.documentation.summary))
        for text, is_formula in function.documentation.paragraphs:
            text = self.prose(text)
            lines += ["", *(self.formula(text.splitlines()) if is_formula else wrapped(text))]
        return lines

    def documented(self, function: Function) -> list[str]:
        """The lines of the documentation, with an entry for each argument of a public one."""
        lines = self.description(function)
        if function.public:
            lines.append("")
            for name, text in self.arguments(function):
                lines += hanging(self.argument_entry.format(name=name, text=text))
            lines += self.outcome
        return lines

    def formula(self, lines: Sequence[str]) -> list[str]:
        """Formulas in the documentation."""
        return indented(lines)

    def arguments(self, function: Function) -> list[tuple[str, str]]:
        """Each argument of a public function, with what it is and must be."""
        allowed = {node.argument: node.allowed for node in function.requirements}
        described = []
        for entry in function.parameters:
            default = f", {self.optional}" if entry.optional else ""
            meaning = MEANINGS.get(entry.name, f"{entry.name} of the optimizer")
            text = f"{meaning}, {allowed[entry.name]}{default}"
            described.append((self.variable(entry.name), self.prose(text)))
        return described

    # Tests

    def values_text(self, entry: Sample | Refusal) -> str:
        """The arguments of a call, as source code."""
        return ", ".join(self.number(value) for value in entry.arguments)

    def call_text(self, entry: Sample | Refusal) -> str:
        """A call, as source code."""
        return f"{self.function_name(entry.function)}({self.values_text(entry)})"

    def example_of(self, function: str, arguments: tuple[float, ...]) -> str:
        """How to call a function with these arguments."""
        return self.example(self.call_text(Refusal(function, arguments)))
