"""C++17: one header in a namespace; refused arguments throw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from delaystability.translation.languages.braces import Braces
from delaystability.translation.languages.language import Refusal, Sample
from delaystability.translation.languages.text import indented, joined
from delaystability.translation.program import Function, Require

__all__ = ["Cpp"]

_REFUSED = """\
inline std::invalid_argument refused(const char* argument, const char* allowed, double value) {
    std::ostringstream message;
    message.precision(15);
    message << argument << " must be " << allowed << "; got " << value;
    return std::invalid_argument(message.str());
}"""
_CHECKS = """\
#include "delaystability.hpp"

#include <cmath>
#include <cstdio>
#include <stdexcept>

using namespace delaystability;

static int failures = 0;

static void check(const char* call, double found, double certified) {
    if (!(std::fabs(found - certified) <= 1e-13 * certified)) {
        std::printf("%s is %.17g, not %.17g\\n", call, found, certified);
        ++failures;
    }
}

static void check_refused(const char* text, double (*call)()) {
    try {
        std::printf("%s is %.17g, not refused\\n", text, call());
        ++failures;
    } catch (const std::invalid_argument&) {
    }
}

#define CHECK(call, certified) check(#call, call, certified)
#define REFUSED(call) check_refused(#call, [] { return call; })"""


class Cpp(Braces):
    """C++."""

    name = "cpp"
    title = "C++"
    test_file = "delaystability_test.cpp"
    commands = (
        "c++ -std=c++17 -O2 delaystability_test.cpp -o delaystability_test",
        "./delaystability_test",
    )
    outcome = (
        "@return the number described",
        "@throws std::invalid_argument if an argument is not allowed",
    )
    loop = "for (int i = 0; i < {0}; ++i)"
    inside = True
    functions: ClassVar[Mapping[str, str]] = {
        **{name: f"std::{name}({{0}})" for name in ("sqrt", "sin", "cos", "tan", "atan", "tanh")},
        **{name: f"std::{name}({{0}})" for name in ("exp", "log", "log1p", "expm1", "floor")},
        "abs": "std::fabs({0})",
        "min": "std::fmin({0}, {1})",
        "max": "std::fmax({0}, {1})",
    }

    def constant(self, name: str) -> str:
        return name if self.inside else f"detail::{name}"

    def function_name(self, name: str) -> str:
        return f"detail::{name}" if name in self.private and not self.inside else name

    def refusal(self, node: Require) -> str:
        return f'throw detail::refused("{node.argument}", "{node.allowed}", {node.value});'

    def definition(self, function: Function) -> list[str]:
        """A function with its documentation; those of the inner namespace see each other."""
        self.inside = not function.public
        parameters = ", ".join(
            f"std::optional<double> {entry.name} = std::nullopt"
            if entry.optional
            else f"double {entry.name}"
            for entry in function.parameters
        )
        kind = "bool" if function.returns_truth else "double"
        head = f"inline {kind} {function.name}({parameters})"
        return [*self.described(function), *self.defined(head, function)]

    def sources(self) -> dict[str, str]:
        constants = [
            f"constexpr double {constant.name} = {self.number(constant.value)};"
            for constant in self.program.constants
        ]
        private = [f for f in self.program.functions if not f.public]
        includes = ("cmath", "optional", "sstream", "stdexcept")
        header = joined(
            self.block_comment(self.notice),
            ["#ifndef DELAYSTABILITY_HPP", "#define DELAYSTABILITY_HPP"],
            [f"#include <{name}>" for name in includes],
            ["namespace delaystability {"],
            ["namespace detail {"],
            constants,
            *(self.definition(function) for function in private),
            [_REFUSED],
            ["}  // namespace detail"],
            *(self.definition(function) for function in self.public),
            ["}  // namespace delaystability"],
            ["#endif"],
        )
        return {"delaystability.hpp": header}

    def test(self, samples: Sequence[Sample], refusals: Sequence[Refusal]) -> str:
        lines = [
            *(f"CHECK({self.call_text(one)}, {self.number(one.value)});" for one in samples),
            *(f"REFUSED({self.call_text(one)});" for one in refusals),
            "if (failures == 0) {",
            '    std::puts("ok");',
            "}",
            "return failures > 0;",
        ]
        main = ["int main() {", *indented(lines), "}"]
        return joined(self.block_comment(self.notice), [_CHECKS], main)

    def example(self, call: str) -> str:
        return f'#include "delaystability.hpp"\n\nconst double largest = delaystability::{call};'
