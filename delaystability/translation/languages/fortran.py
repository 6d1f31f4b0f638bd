"""Fortran 2008: a module of elemental functions; refused arguments give NaN."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from delaystability.translation.languages.language import ADD, ATOM, Language, Refusal, Sample
from delaystability.translation.languages.text import commented, folded, hanging, indented, joined
from delaystability.translation.program import (
    Assign,
    Choice,
    Default,
    Function,
    Not,
    Repeat,
    Require,
    Return,
    parts,
)

__all__ = ["Fortran"]

_FLOOR = """\
    !> The largest whole number that is not above x.
    elemental function rounded_down(x) result(answer)
        real(dp), intent(in) :: x
        real(dp) :: answer
        answer = aint(x)
        if (answer > x) answer = answer - 1.0_dp
    end function"""
_LOG1P = """\
    !> The logarithm of 1 + x, with the digits of x where it is small.
    elemental function log_of_one_and(x) result(answer)
        real(dp), intent(in) :: x
        real(dp) :: answer
        answer = 2.0_dp * atanh(x / (2.0_dp + x))
        if (abs(x) > 0.25_dp) answer = log(1.0_dp + x)
    end function"""
_CHECKS = """\
contains

    subroutine check(found, certified, call_text)
        real(dp), intent(in) :: found, certified
        character(*), intent(in) :: call_text
        if (.not. abs(found - certified) <= 1e-13_dp * certified) then
            print *, call_text, ' is ', found, ', not ', certified
            failures = failures + 1
        end if
    end subroutine

    subroutine check_refused(found, call_text)
        real(dp), intent(in) :: found
        character(*), intent(in) :: call_text
        if (.not. ieee_is_nan(found)) then
            print *, call_text, ' is ', found, ', not NaN'
            failures = failures + 1
        end if
    end subroutine

end program"""


class Fortran(Language):
    """Fortran."""

    name = "fortran"
    title = "Fortran"
    test_file = "delaystability_test.f90"
    commands = (
        "gfortran -O2 delaystability.f90 delaystability_test.f90 -o delaystability_test",
        "./delaystability_test",
    )
    remark = ("Functions are elemental: arrays of one shape are arguments, too.",)
    functions: ClassVar[Mapping[str, str]] = {
        "floor": "rounded_down({0})",
        "log1p": "log_of_one_and({0})",
        "expm1": "((1.0_dp + exp({0})) * tanh(0.5_dp * ({0})))",
    }
    outcome = ("", "NaN if an argument is not allowed.")
    logic: ClassVar[Mapping[str, str]] = {"and": ".and.", "or": ".or.", "not": ".not. "}
    negative_level = ADD

    def number(self, value: float) -> str:
        return f"{super().number(value)}_dp"

    def choice(self, node: Choice) -> tuple[str, int]:
        values = (self.expression(part) for part in (node.then, node.otherwise, node.condition))
        return f"merge({', '.join(values)})", ATOM

    def comment_lines(self, text: str) -> list[str]:
        return commented("!", hanging(text))

    def assign(self, node: Assign) -> str:
        return f"{node.name} = {self.expression(node.value)}"

    def default(self, node: Default) -> list[str]:
        given = f"if (present({node.parameter})) {node.name} = {node.parameter}"
        return [f"{node.name} = {node.fallback}", given]

    def require(self, node: Require) -> list[str]:
        return [
            f"if ({self.expression(Not(node.condition))}) then",
            *indented(["answer = ieee_value(answer, ieee_quiet_nan)", "return"]),
            "end if",
        ]

    def repeat(self, node: Repeat) -> list[str]:
        return [f"do i = 1, {node.count}", *self.body(node.body), "end do"]

    def give_back(self, node: Return) -> str:
        return f"answer = {self.expression(node.value)}"

    def definition(self, function: Function) -> list[str]:
        """A function with its documentation and the declarations of its variables."""
        documentation = self.documented(function)
        names = ", ".join(entry.name for entry in function.parameters)
        kind = "logical" if function.returns_truth else "real(dp)"
        head = f"elemental function {function.name}({names}) result(answer)"
        code = [*self.declarations(function, kind), *self.body(function.body, 0)]
        return [
            *indented([*commented("!>", documentation[:1]), *commented("!!", documentation[1:])]),
            *folded(indented([head, *indented(code), "end function"]), " &"),
        ]

    def declarations(self, function: Function, kind: str) -> list[str]:
        """Arguments, result and variables."""
        required, optional = (
            ", ".join(entry.name for entry in function.parameters if entry.optional is wanted)
            for wanted in (False, True)
        )
        lines = [f"real(dp), intent(in) :: {required}"]
        if optional:
            lines.append(f"real(dp), intent(in), optional :: {optional}")
        made = [node for node in parts(function.body) if isinstance(node, (Assign, Default))]
        numbers = [node.name for node in made if isinstance(node, Default) or not node.is_truth]
        truths = [node.name for node in made if isinstance(node, Assign) and node.is_truth]
        lines.append(f"{kind} :: answer")
        lines += _declared("real(dp)", numbers) + _declared("logical", truths)
        loops = any(isinstance(node, Repeat) for node in function.body)
        return [*lines, *(["integer :: i"] if loops else [])]

    def sources(self) -> dict[str, str]:
        constants = [
            f"real(dp), parameter :: {constant.name} = {self.number(constant.value)}"
            for constant in self.program.constants
        ]
        head = [
            "use, intrinsic :: iso_fortran_env, only: dp => real64",
            "use, intrinsic :: ieee_arithmetic, only: ieee_value, ieee_quiet_nan",
            "implicit none",
            "private",
            *(f"public :: {function.name}" for function in self.public),
        ]
        helpers = {"floor": _FLOOR, "log1p": _LOG1P}
        text = joined(
            commented("!", self.notice),
            ["module delaystability", *indented(head)],
            indented(constants),
            ["contains"],
            *([text] for name, text in helpers.items() if name in self.program.calls),
            *(self.definition(function) for function in self.program.functions),
            ["end module"],
        )
        return {"delaystability.f90": text}

    def test(self, samples: Sequence[Sample], refusals: Sequence[Refusal]) -> str:
        def called(*values: str) -> str:
            # The longest comes last, where a line can be broken before it.
            return ", ".join([*values, f"'{values[0].replace('_dp', '')}'"])

        lines = [
            "use, intrinsic :: iso_fortran_env, only: dp => real64",
            "use, intrinsic :: ieee_arithmetic, only: ieee_is_nan",
            "use delaystability",
            "implicit none",
            "integer :: failures = 0",
            *(
                f"call check({called(self.call_text(one), self.number(one.value))})"
                for one in samples
            ),
            *(f"call check_refused({called(self.call_text(one))})" for one in refusals),
            "if (failures > 0) stop 1",
            "print '(a)', 'ok'",
        ]
        # A line that goes on may close a bracket that was opened before.
        main = ["program delaystability_test", *folded(indented(lines), " &", depth=-1)]
        return joined(commented("!", self.notice), main, [_CHECKS])

    def example(self, call: str) -> str:
        return f"use delaystability\n...\nlargest = {call}"


def _declared(kind: str, names: Sequence[str]) -> list[str]:
    """Declarations, a few names to the line."""
    distinct = list(dict.fromkeys(names))
    groups = [distinct[start : start + 6] for start in range(0, len(distinct), 6)]
    return [f"{kind} :: {', '.join(group)}" for group in groups]
