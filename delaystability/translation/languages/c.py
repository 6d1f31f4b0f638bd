"""C99: a header and a source file without state; refused arguments give NAN."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from delaystability.translation.languages.braces import Braces
from delaystability.translation.languages.language import Refusal, Sample
from delaystability.translation.languages.text import folded, indented, joined, wrapped
from delaystability.translation.program import Default, Function, Require

__all__ = ["C"]

_OPENED = '#ifdef __cplusplus\nextern "C" {\n#endif'
_CLOSED = "#ifdef __cplusplus\n}\n#endif"
_CHECKS = """\
#include "delaystability.h"

#include <math.h>
#include <stdio.h>

static int failures = 0;

static void check(const char *call, double found, double certified) {
    if (!(fabs(found - certified) <= 1e-13 * certified)) {
        printf("%s is %.17g, not %.17g\\n", call, found, certified);
        ++failures;
    }
}

static void check_refused(const char *call, double found) {
    if (!isnan(found)) {
        printf("%s is %.17g, not NAN\\n", call, found);
        ++failures;
    }
}

#define CHECK(call, certified) check(#call, call, certified)
#define REFUSED(call) check_refused(#call, call)"""


class C(Braces):
    """C."""

    name = "c"
    title = "C"
    test_file = "delaystability_test.c"
    commands = (
        "cc -std=c99 -O2 delaystability.c delaystability_test.c -lm -o delaystability_test",
        "./delaystability_test",
    )
    outcome = ("@return the number described, or NAN if an argument is not allowed",)
    loop = "for (int i = 0; i < {0}; ++i)"
    optional = "usually the delay"
    functions: ClassVar[Mapping[str, str]] = {
        "abs": "fabs({0})",
        "min": "fmin({0}, {1})",
        "max": "fmax({0}, {1})",
    }

    def comment_lines(self, text: str) -> list[str]:
        lines = wrapped(text, 84)
        starts = ["/*", *["  "] * (len(lines) - 1)]
        return [
            f"{start} {line}" + (" */" if line is lines[-1] else "")
            for start, line in zip(starts, lines, strict=True)
        ]

    def default(self, node: Default) -> list[str]:
        return [f"const double {node.name} = {node.parameter};"]

    def refusal(self, node: Require) -> str:
        return "return NAN;"

    def head(self, function: Function) -> str:
        """Type, name and parameters."""
        parameters = ", ".join(f"double {entry.name}" for entry in function.parameters)
        kind = "bool" if function.returns_truth else "double"
        return f"{kind} {function.name}({parameters})"

    def sources(self) -> dict[str, str]:
        notice = self.block_comment(self.notice)
        prototypes = [[*self.described(f), *folded([f"{self.head(f)};"])] for f in self.public]
        header = joined(
            notice,
            ["#ifndef DELAYSTABILITY_H", "#define DELAYSTABILITY_H"],
            [_OPENED],
            *prototypes,
            [_CLOSED],
            ["#endif"],
        )
        constants = [
            f"static const double {constant.name} = {self.number(constant.value)};"
            for constant in self.program.constants
        ]
        source = joined(
            notice,
            ['#include "delaystability.h"', "", "#include <math.h>", "#include <stdbool.h>"],
            constants,
            *(self.definition(function) for function in self.program.functions),
        )
        return {"delaystability.h": header, "delaystability.c": source}

    def definition(self, function: Function) -> list[str]:
        """A function of the source file; the public ones are documented in the header."""
        if function.public:
            return self.defined(self.head(function), function)
        return [*self.described(function), *self.defined(f"static {self.head(function)}", function)]

    def values_text(self, entry: Sample | Refusal) -> str:
        # There are no defaults: that of the horizon is the delay, which precedes it.
        names = next(f.parameters for f in self.public if f.name == entry.function)
        missing = entry.arguments[-1:] * (len(names) - len(entry.arguments))
        return ", ".join(self.number(value) for value in entry.arguments + missing)

    def test(self, samples: Sequence[Sample], refusals: Sequence[Refusal]) -> str:
        lines = [
            *(f"CHECK({self.call_text(one)}, {self.number(one.value)});" for one in samples),
            *(f"REFUSED({self.call_text(one)});" for one in refusals),
            "if (failures == 0) {",
            '    puts("ok");',
            "}",
            "return failures > 0;",
        ]
        main = ["int main(void) {", *indented(lines), "}"]
        return joined(self.block_comment(self.notice), [_CHECKS], main)

    def example(self, call: str) -> str:
        return f'#include "delaystability.h"\n\nconst double largest = {call};'
