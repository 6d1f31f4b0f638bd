"""Languages whose blocks are enclosed in braces."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from delaystability.translation.languages.language import Language
from delaystability.translation.languages.text import commented, folded, indented, wrapped
from delaystability.translation.program import (
    Assign,
    Default,
    Function,
    Not,
    Repeat,
    Require,
    Return,
)

__all__ = ["Braces"]


class Braces(Language):
    """C, C++, JavaScript and Rust but for their vocabulary."""

    loop: ClassVar[str]
    """The head of a loop, a format string of the count."""
    test_of: ClassVar[str] = "if ({0})"
    """The head of a condition."""
    argument_entry = "@param {name} {text}"
    """Documentation tags for what a function returns, and what it does with other arguments."""

    def comment_lines(self, text: str) -> list[str]:
        return commented("//", wrapped(text))

    def block_comment(self, lines: Sequence[str]) -> list[str]:
        """A comment for documentation."""
        return ["/**", *commented(" *", lines), " */"]

    def assign(self, node: Assign) -> str:
        start = f"{self.declared(node)} " if node.first else ""
        return f"{start}{self.change(node)};"

    def declared(self, node: Assign) -> str:
        """What precedes the name of a new variable."""
        return ("" if node.changes else "const ") + ("bool" if node.is_truth else "double")

    def default(self, node: Default) -> list[str]:
        return [f"const double {node.name} = {node.parameter}.value_or({node.fallback});"]

    def require(self, node: Require) -> list[str]:
        head = self.test_of.format(self.expression(Not(node.condition)))
        return [f"{head} {{", *indented([self.refusal(node)]), "}"]

    @abstractmethod
    def refusal(self, node: Require) -> str:
        """The statement that ends a function whose argument is refused."""

    def repeat(self, node: Repeat) -> list[str]:
        return [f"{self.loop.format(node.count)} {{", *self.body(node.body), "}"]

    def give_back(self, node: Return) -> str:
        return f"{super().give_back(node)};"

    def defined(self, head: str, function: Function) -> list[str]:
        """A function from its head and its body."""
        return folded([f"{head} {{", *self.body(function.body), "}"])

    def described(self, function: Function) -> list[str]:
        """The documentation of a function, with a tag for each argument of a public one."""
        return self.block_comment(self.documented(function))
