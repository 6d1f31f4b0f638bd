"""Rust: one module of the standard library alone; refused arguments give NaN."""

from __future__ import annotations

import math
from collections.abc import Sequence

from delaystability.translation.languages.braces import Braces
from delaystability.translation.languages.language import ATOM, CHOICE, Refusal, Sample
from delaystability.translation.languages.text import commented, folded, indented, joined
from delaystability.translation.program import (
    Assign,
    Choice,
    Default,
    Expression,
    Function,
    Number,
    Require,
    Return,
)
from delaystability.translation.reading import MATHEMATICS

__all__ = ["Rust"]

_NAMED = {math.pi: "std::f64::consts::PI", math.tau: "std::f64::consts::TAU"}
_METHODS = {"log": "ln", "log1p": "ln_1p", "expm1": "exp_m1"}
_CHECKS = """\
mod delaystability;

use delaystability::*;

macro_rules! check {
    ($failures:ident, $call:expr, $certified:expr) => {
        let (found, certified): (f64, f64) = ($call, $certified);
        if !((found - certified).abs() <= 1e-13 * certified) {
            println!("{} is {}, not {}", stringify!($call), found, certified);
            $failures += 1;
        }
    };
}

macro_rules! refused {
    ($failures:ident, $call:expr) => {
        if !$call.is_nan() {
            println!("{} is not NaN", stringify!($call));
            $failures += 1;
        }
    };
}"""


class Rust(Braces):
    """Rust."""

    name = "rust"
    title = "Rust"
    test_file = "delaystability_test.rs"
    commands = ("rustc -O delaystability_test.rs", "./delaystability_test")
    loop = "for _ in 0..{0}"
    test_of = "if {0}"
    argument_entry = "* `{name}`: {text}"
    outcome = ("", "NaN if an argument is not allowed.")

    def declared(self, node: Assign) -> str:
        return "let mut" if node.changes else "let"

    def default(self, node: Default) -> list[str]:
        return [f"let {node.name} = {node.parameter}.unwrap_or({node.fallback});"]

    def refusal(self, node: Require) -> str:
        return "return f64::NAN;"

    def give_back(self, node: Return) -> str:
        return self.expression(node.value)

    def choice(self, node: Choice) -> tuple[str, int]:
        condition, then, otherwise = (
            self.expression(part) for part in (node.condition, node.then, node.otherwise)
        )
        return f"if {condition} {{ {then} }} else {{ {otherwise} }}", CHOICE

    def call(self, name: str, arguments: Sequence[Expression]) -> str:
        if name not in MATHEMATICS:
            return super().call(name, arguments)
        receiver, *others = arguments
        values = ", ".join(self.expression(argument) for argument in others)
        method = _METHODS.get(name, name)
        kind = "_f64" if isinstance(receiver, Number) else ""
        return f"{self.expression(receiver, ATOM)}{kind}.{method}({values})"

    def formula(self, lines: Sequence[str]) -> list[str]:
        return ["```text", *lines, "```"]

    def described(self, function: Function) -> list[str]:
        return commented("///", self.documented(function))

    def definition(self, function: Function) -> list[str]:
        """A function with its documentation."""
        parameters = ", ".join(
            f"{entry.name}: {'Option<f64>' if entry.optional else 'f64'}"
            for entry in function.parameters
        )
        visible = "pub " if function.public else ""
        kind = "bool" if function.returns_truth else "f64"
        head = f"{visible}fn {function.name}({parameters}) -> {kind}"
        return [*self.described(function), *self.defined(head, function)]

    def sources(self) -> dict[str, str]:
        constants = [
            f"const {constant.name}: f64 = "
            f"{_NAMED.get(constant.value) or self.number(constant.value)};"
            for constant in self.program.constants
        ]
        text = joined(
            commented("//!", self.notice),
            constants,
            *(self.definition(function) for function in self.program.functions),
        )
        return {"delaystability.rs": text}

    def values_text(self, entry: Sample | Refusal) -> str:
        (parameters,) = (f.parameters for f in self.public if f.name == entry.function)
        values: list[str] = []
        for number, parameter in enumerate(parameters):
            given = number < len(entry.arguments)
            value = self.number(entry.arguments[number]) if given else "None"
            values.append(f"Some({value})" if parameter.optional and given else value)
        return ", ".join(values)

    def test(self, samples: Sequence[Sample], refusals: Sequence[Refusal]) -> str:
        lines = [
            "let mut failures = 0;",
            *(
                f"check!(failures, {self.call_text(one)}, {self.number(one.value)});"
                for one in samples
            ),
            *(f"refused!(failures, {self.call_text(one)});" for one in refusals),
            "if failures > 0 {",
            *indented(["std::process::exit(1);"]),
            "}",
            'println!("ok");',
        ]
        main = ["fn main() {", *folded(indented(lines)), "}"]
        return joined(commented("//!", self.notice), [_CHECKS], main)

    def example(self, call: str) -> str:
        return f"mod delaystability;\n\nlet largest = delaystability::{call};"
