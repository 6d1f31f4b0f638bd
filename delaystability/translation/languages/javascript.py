"""JavaScript: one module without dependencies; refused arguments throw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from delaystability.translation.languages.braces import Braces
from delaystability.translation.languages.language import Refusal, Sample
from delaystability.translation.languages.text import indented, joined
from delaystability.translation.program import Assign, Default, Function, Require
from delaystability.translation.reading import MATHEMATICS

__all__ = ["JavaScript"]

_CHECKS = """\
let failures = 0;

function fail(call, values, problem) {
    console.log(`${call.name}(${values.join(", ")}) ${problem}`);
    failures += 1;
}

for (const [call, values, certified] of samples) {
    const found = call(...values);
    if (!(Math.abs(found - certified) <= 1e-13 * certified)) {
        fail(call, values, `is ${found}, not ${certified}`);
    }
}
for (const [call, values] of refusals) {
    try {
        fail(call, values, `is ${call(...values)}, not refused`);
    } catch (error) {
        if (!(error instanceof RangeError)) {
            throw error;
        }
    }
}
if (failures === 0) {
    console.log("ok");
}
process.exitCode = failures > 0 ? 1 : 0;"""


class JavaScript(Braces):
    """JavaScript."""

    name = "javascript"
    title = "JavaScript"
    test_file = "delaystability_test.mjs"
    commands = ("node delaystability_test.mjs",)
    outcome = (
        "@returns {number} the number described",
        "@throws {RangeError} if an argument is not allowed",
    )
    loop = "for (let i = 0; i < {0}; i += 1)"
    functions: ClassVar[Mapping[str, str]] = {
        name: f"Math.{name}({{0}})" for name in MATHEMATICS
    } | {"min": "Math.min({0}, {1})", "max": "Math.max({0}, {1})"}

    def variable(self, name: str) -> str:
        first, *rest = name.split("_")
        return first + "".join(word.capitalize() for word in rest)

    def function_name(self, name: str) -> str:
        return self.variable(name)

    def declared(self, node: Assign) -> str:
        return "let" if node.changes else "const"

    def default(self, node: Default) -> list[str]:
        name, given, fallback = map(self.variable, (node.name, node.parameter, node.fallback))
        return [f"const {name} = {given} ?? {fallback};"]

    def refusal(self, node: Require) -> str:
        argument, value = self.variable(node.argument), self.variable(node.value)
        return f"throw new RangeError(`{argument} must be {node.allowed}; got ${{{value}}}`);"

    def described(self, function: Function) -> list[str]:
        lines = super().described(function)
        optional = {entry.name for entry in function.parameters if entry.optional}
        for name in [self.variable(entry.name) for entry in function.parameters]:
            tag = f"[{name}]" if name in optional else name
            lines = [line.replace(f"@param {name} ", f"@param {{number}} {tag} ") for line in lines]
        return lines

    def definition(self, function: Function) -> list[str]:
        """A function with its documentation."""
        parameters = ", ".join(self.variable(entry.name) for entry in function.parameters)
        export = "export " if function.public else ""
        head = f"{export}function {self.function_name(function.name)}({parameters})"
        lines = self.defined(head, function)
        if function.name in self.program.checks:
            # A string or null would otherwise be taken as a number.
            lines = [line.replace("return ", 'return typeof x === "number" && ') for line in lines]
        return [*self.described(function), *lines]

    def sources(self) -> dict[str, str]:
        constants = [
            f"const {constant.name} = {self.number(constant.value)};"
            for constant in self.program.constants
        ]
        text = joined(
            self.block_comment(self.notice),
            constants,
            *(self.definition(function) for function in self.program.functions),
        )
        return {"delaystability.mjs": text}

    def test(self, samples: Sequence[Sample], refusals: Sequence[Refusal]) -> str:
        def row(entry: Sample | Refusal, *more: str) -> str:
            values = f"[{self.values_text(entry)}]"
            return f"[{', '.join([self.function_name(entry.function), values, *more])}],"

        names = [f"{self.function_name(function.name)}," for function in self.public]
        return joined(
            self.block_comment(self.notice),
            ["import {", *indented(names), '} from "./delaystability.mjs";'],
            [
                "const samples = [",
                *indented([row(one, self.number(one.value)) for one in samples]),
                "];",
                "const refusals = [",
                *indented([row(one) for one in refusals]),
                "];",
            ],
            [_CHECKS],
        )

    def example(self, call: str) -> str:
        name = call.partition("(")[0]
        return f'import {{ {name} }} from "./delaystability.mjs";\n\nconst largest = {call};'
