"""Julia: a module of the base language alone; refused arguments throw."""

from __future__ import annotations

from collections.abc import Sequence

from delaystability.translation.languages.language import Language, Refusal, Sample
from delaystability.translation.languages.text import (
    commented,
    folded,
    hanging,
    indented,
    joined,
    wrapped,
)
from delaystability.translation.program import Assign, Default, Function, Repeat, Require

__all__ = ["Julia"]


class Julia(Language):
    """Julia."""

    name = "julia"
    title = "Julia"
    test_file = "delaystability_test.jl"
    has_been_run = False
    remark = ("Functions take numbers; a dot applies them to arrays.",)
    commands = ("julia delaystability_test.jl",)

    def comment_lines(self, text: str) -> list[str]:
        return commented("#", wrapped(text))

    def assign(self, node: Assign) -> str:
        return f"{node.name} = {self.expression(node.value)}"

    def default(self, node: Default) -> list[str]:
        return [f"{node.name} = {node.parameter}"]

    def require(self, node: Require) -> list[str]:
        error = f'DomainError({node.value}, "{node.argument} must be {node.allowed}")'
        return [f"{self.expression(node.condition)} ||", *indented([f"throw({error})"])]

    def repeat(self, node: Repeat) -> list[str]:
        return [f"for _ in 1:{node.count}", *self.body(node.body), "end"]

    def definition(self, function: Function) -> list[str]:
        """A function with its documentation; the public ones take all real numbers."""
        plain = ", ".join(entry.name for entry in function.parameters)
        documentation = self.description(function)
        if not function.public:
            head = f"function {function.name}({plain})"
            return [
                *commented("#", documentation),
                *folded([head, *self.body(function.body), "end"]),
            ]
        entries = [
            line
            for name, text in self.arguments(function)
            for line in hanging(f"- `{name}`: {text}")
        ]
        fallbacks = {n.parameter: n.fallback for n in function.body if isinstance(n, Default)}

        def signature(kind: str) -> str:
            typed = (
                f"{name}::{kind}" + (f" = {fallbacks[name]}" if name in fallbacks else "")
                for name in (entry.name for entry in function.parameters)
            )
            return f"{function.name}({', '.join(typed)})"

        converted = ", ".join(f"Float64({entry.name})" for entry in function.parameters)
        optional = f"{', '.join(e.name for e in function.parameters if not e.optional)}"
        shown = optional + "".join(f"[, {e.name}]" for e in function.parameters if e.optional)
        return [
            '"""',
            f"    {function.name}({shown})",
            "",
            *documentation,
            "",
            *entries,
            "",
            "Throws a `DomainError` if an argument is not allowed.",
            '"""',
            *folded([f"function {signature('Float64')}", *self.body(function.body), "end"]),
            "",
            *folded([f"{signature('Real')} =", f"    {function.name}({converted})"]),
        ]

    def sources(self) -> dict[str, str]:
        names = ",\n    ".join(function.name for function in self.public)
        constants = [
            f"const {constant.name} = {self.number(constant.value)}"
            for constant in self.program.constants
        ]
        text = joined(
            commented("#", self.notice),
            ["module delaystability"],
            [f"export {names}"],
            constants,
            *(self.definition(function) for function in self.program.functions),
            ["end"],
        )
        return {"delaystability.jl": text}

    def test(self, samples: Sequence[Sample], refusals: Sequence[Refusal]) -> str:
        lines = [
            *(
                f"@test isapprox({self.call_text(one)}, {self.number(one.value)}; rtol = 1e-13)"
                for one in samples
            ),
            *(f"@test_throws DomainError {self.call_text(one)}" for one in refusals),
        ]
        return joined(
            commented("#", self.notice),
            ['include("delaystability.jl")', "", "using Test", "using .delaystability"],
            ['@testset "delaystability" begin', *folded(indented(lines)), "end"],
            ['println("ok")'],
        )

    def example(self, call: str) -> str:
        return f'include("delaystability.jl")\nusing .delaystability\n\nlargest = {call}'
