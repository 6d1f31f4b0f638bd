"""Array libraries: all entries are computed, those of refused arguments are NaN."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from delaystability.translation.languages.indented import Indented
from delaystability.translation.languages.language import ATOM, COMPARE, NEGATIVE
from delaystability.translation.languages.text import folded, indented
from delaystability.translation.program import Assign, Choice, Function, Require, Return

__all__ = ["Arrays"]

_OUTCOME = "Of the common shape; NaN where an argument is not allowed."


class Arrays(Indented):
    """JAX and PyTorch but for their vocabulary."""

    differentiates = True
    logic: ClassVar[Mapping[str, str]] = {"and": "&", "or": "|", "not": "~"}
    # In Python & and | bind more tightly than comparisons.
    operand_level = NEGATIVE
    refused = "found = float(call(*values))\nif found != found:\n    continue"
    prefix: ClassVar[str]
    """The name of the library in the code."""
    elementwise: ClassVar[str]
    """The definition of the decorator of public functions."""
    unchanging: ClassVar[str]
    """What ``without_derivative`` returns."""

    def choice(self, node: Choice) -> tuple[str, int]:
        values = (self.expression(part) for part in (node.condition, node.then, node.otherwise))
        return f"{self.prefix}.where({', '.join(values)})", ATOM

    def assign(self, node: Assign) -> str:
        # Never in place: derivatives need the tensor as it was.
        return f"{node.name} = {self.expression(node.value)}"

    def require(self, node: Require) -> list[str]:
        """Nothing: the answer is replaced in the end."""
        return []

    def definition(self, function: Function) -> list[str]:
        parameters = ", ".join(
            f"{entry.name}=None" if entry.optional else entry.name for entry in function.parameters
        )
        *statements, last = function.body
        assert isinstance(last, Return)
        if function.name == "without_derivative":
            code = [f"return {self.unchanging}"]
        else:
            code = [*self.body(statements, 0), *self.body([last], 0)]
        if function.public:
            conditions = [
                self.expression(node.condition, COMPARE) for node in function.requirements
            ]
            value = self.expression(last.value)
            allowed = " & ".join(conditions)
            code[-1:] = [
                # Long lines are broken in brackets alone.
                f"allowed = ({allowed})" if len(conditions) > 3 else f"allowed = {allowed}",
                f"return {self.prefix}.where(allowed, {value}, {self.prefix}.nan)",
            ]
        outcome = ["Returns", "-------", self.kind.split()[-1], f"    {_OUTCOME}"]
        lines = [
            *(["@_elementwise"] if function.public else []),
            f"def {self.function_name(function.name)}({parameters}):",
            *indented(self.docstring(function, outcome)),
            *indented(code),
        ]
        return folded(lines, depth=1)

    def sources(self) -> dict[str, str]:
        ((name, text),) = super().sources().items()
        mark = "\n\n\ndef "
        start, end = text.split(mark, 1)
        return {name: f"{start}\n\n\n{self.elementwise}{mark}{end}"}
