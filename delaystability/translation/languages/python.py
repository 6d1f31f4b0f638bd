"""Python: one module of the standard library alone; refused arguments raise."""

from __future__ import annotations

from delaystability.translation.languages.indented import Indented
from delaystability.translation.languages.text import folded, indented
from delaystability.translation.program import Function, Not, Require
from delaystability.translation.reading import MATHEMATICS

__all__ = ["Python"]


class Python(Indented):
    """Python."""

    name = "python"
    title = "Python"
    test_file = "delaystability_python_test.py"
    commands = ("python delaystability_python_test.py",)
    kind = "float"
    module = "delaystability_python"
    refused = "try:\n    found = call(*values)\nexcept ValueError:\n    continue"

    def require(self, node: Require) -> list[str]:
        message = f'f"{node.argument} must be {node.allowed}; got {{{node.value}!r}}"'
        return [
            f"if {self.expression(Not(node.condition))}:",
            *indented([f"raise ValueError({message})"]),
        ]

    def definition(self, function: Function) -> list[str]:
        kind = "bool" if function.returns_truth else "float"
        parameters = ", ".join(
            f"{entry.name}: float | None = None" if entry.optional else f"{entry.name}: float"
            for entry in function.parameters
        )
        name = self.function_name(function.name)
        head = folded([f"def {name}({parameters}) -> {kind}:"], depth=1)
        lines = folded(self.body(function.body), depth=1)
        if function.name in self.program.checks:
            # A string would otherwise be refused without naming the argument.
            lines = [line.replace("return ", "return isinstance(x, Real) and ") for line in lines]
        outcome = "If an argument is not allowed."
        documentation = self.docstring(
            function, ["Raises", "------", "ValueError", f"    {outcome}"]
        )
        return [*head, *indented(documentation), *lines]

    def imports(self) -> list[str]:
        builtin = {"abs", "min", "max"}
        used = sorted((self.program.calls & set(MATHEMATICS)) - builtin)
        return [
            "from __future__ import annotations",
            "",
            f"from math import {', '.join(used)}",
            "from numbers import Real",
        ]
