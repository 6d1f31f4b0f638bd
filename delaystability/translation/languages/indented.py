"""Python and its array libraries."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

from delaystability.translation.languages.language import CHOICE, Language, Refusal, Sample
from delaystability.translation.languages.text import WIDTH, commented, indented, joined, wrapped
from delaystability.translation.program import Assign, Choice, Default, Function, Repeat

__all__ = ["Indented"]

_CHECKS = """\
failures = 0
for call, values, certified in SAMPLES:
    found = float(call(*values))
    if not abs(found - certified) <= 1e-13 * certified:
        print(f"{call.__name__}{values} is {found!r}, not {certified!r}")
        failures += 1"""
_END = """\
if failures:
    sys.exit(1)
print("ok")"""


class Indented(Language):
    """Python but for how it refuses, repeats and chooses."""

    module: ClassVar[str]
    """The name of the module, other than that of the package which writes it."""
    kind: ClassVar[str]
    """What arguments are called in the documentation."""
    set_up: ClassVar[Sequence[str]] = ()
    """What the test does before it imports the module."""
    refused: ClassVar[str]
    """The part of the test that goes on to the next refusal if ``call(*values)`` is refused."""
    logic: ClassVar[Mapping[str, str]] = {"and": "and", "or": "or", "not": "not "}

    def function_name(self, name: str) -> str:
        return f"_{name}" if name in self.private else name

    def choice(self, node: Choice) -> tuple[str, int]:
        then, condition, otherwise = (
            self.expression(part, CHOICE + 1)
            for part in (node.then, node.condition, node.otherwise)
        )
        return f"{then} if {condition} else {otherwise}", CHOICE

    def comment_lines(self, text: str) -> list[str]:
        return commented("#", wrapped(text))

    def assign(self, node: Assign) -> str:
        return self.change(node)

    def default(self, node: Default) -> list[str]:
        name = node.parameter
        return [f"{node.name} = {node.fallback} if {name} is None else {name}"]

    def repeat(self, node: Repeat) -> list[str]:
        return [f"for _ in range({node.count}):", *self.body(node.body)]

    def docstring(self, function: Function, outcome: Sequence[str]) -> list[str]:
        """The docstring of a function, with sections for a public one."""
        first, *rest = self.description(function)
        lines = [f'"""{first}', *rest]
        if function.public:
            lines += ["", "Parameters", "----------"]
            for name, text in self.arguments(function):
                lines += [
                    f"{name} : {self.kind}",
                    *indented(wrapped(f"{text[0].upper()}{text[1:]}.")),
                ]
            lines += ["", *outcome]
        elif not rest and len(first) <= WIDTH - 10:
            return [f'"""{first}"""']
        return [*lines, '"""']

    @abstractmethod
    def definition(self, function: Function) -> list[str]:
        """A function with its documentation."""

    @abstractmethod
    def imports(self) -> list[str]:
        """What comes between the documentation of the module and its constants."""

    def sources(self) -> dict[str, str]:
        first, *rest = self.notice
        names = [f'"{function.name}",' for function in self.public]
        text = joined(
            [f'"""{first}', *rest, '"""', "", *self.imports()]
            + ["", "__all__ = [", *indented(names), "]", ""]
            + [f"{entry.name} = {self.number(entry.value)}" for entry in self.program.constants],
            *(self.definition(function) for function in self.program.functions),
            gap=2,
        )
        return {f"{self.module}.py": text}

    def test(self, samples: Sequence[Sample], refusals: Sequence[Refusal]) -> str:
        def values(entry: Sample | Refusal) -> str:
            comma = "," if len(entry.arguments) == 1 else ""
            return f"({self.values_text(entry)}{comma})"

        names = [f"{function.name}," for function in self.public]
        imports = [f"from {self.module} import (", *indented(names), ")"]
        rows = [f"({s.function}, {values(s)}, {self.number(s.value)})," for s in samples]
        refused = [f"({s.function}, {values(s)})," for s in refusals]
        first, *rest = self.notice
        return joined(
            [f'"""{first}', *rest, '"""'],
            ["import sys", *self.set_up],
            imports,
            ["SAMPLES = [", *indented(rows), "]", "REFUSALS = [", *indented(refused), "]"],
            [
                _CHECKS,
                "for call, values in REFUSALS:",
                *indented(self.refused.splitlines()),
                '    print(f"{call.__name__}{values} is {found!r}, not refused")',
                "    failures += 1",
                _END,
            ],
        )

    def example(self, call: str) -> str:
        return f"from {self.module} import {call.partition('(')[0]}\n\nlargest = {call}"
