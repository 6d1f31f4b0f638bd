"""From Python source to `Program`: anything outside the dialect is refused with its line."""

from __future__ import annotations

import ast
import keyword
from dataclasses import replace
from typing import Any, NoReturn, cast

from delaystability.translation.program import (
    Assign,
    Call,
    Choice,
    Combine,
    Compare,
    Constant,
    Default,
    Documentation,
    Expression,
    Function,
    Negative,
    Not,
    Number,
    Operation,
    Parameter,
    Program,
    Repeat,
    Require,
    Return,
    Statement,
    Variable,
    rebuilt,
)

__all__ = ["MATHEMATICS", "DialectError", "read_program"]

MATHEMATICS = dict.fromkeys(["sqrt", "sin", "cos", "tan", "atan", "tanh", "exp", "log"], 1)
MATHEMATICS |= {"log1p": 1, "expm1": 1, "floor": 1, "abs": 1, "min": 2, "max": 2}
"""The functions of the dialect, with their numbers of arguments."""
_ON_ARRAYS = {"minimum": "min", "maximum": "max"}
_PRECISIONS = ("single", "double")
"""They save time on arrays, and are left out elsewhere: more digits never harm."""
_OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.And: "and",
    ast.Or: "or",
}


class DialectError(ValueError):
    """A construct that cannot be translated."""


def read_program(*sources: str) -> Program:
    """The program in these sources, in the order in which functions call each other.

    Raises
    ------
    DialectError
        If a text has a construct outside the dialect; the message names line and construct.
    """
    reader = _Reader()
    for source in sources:
        reader.read(source)
    return Program(tuple(reader.in_order()))


def _refuse(node: ast.AST, reason: str) -> NoReturn:
    line = getattr(node, "lineno", 1)
    raise DialectError(f"line {line}: {reason}; got {ast.unparse(node)!r}")


class _Reader:
    def __init__(self) -> None:
        self.constants: dict[str, Constant] = {}
        self.signatures: dict[str, tuple[int, bool]] = {}
        self.functions: dict[str, Function] = {}

    def read(self, source: str) -> None:
        tree = ast.parse(source)
        definitions = []
        for node in tree.body:
            match node:
                case ast.Expr(value=ast.Constant(value=str())) | ast.ImportFrom():
                    continue
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=float(x))):
                    self.constants[name] = Constant(name, x)
                case ast.FunctionDef():
                    definitions.append(node)
                    truth = isinstance(node.returns, ast.Name) and node.returns.id == "bool"
                    self.signatures[node.name] = len(node.args.args), truth
                case _:
                    _refuse(node, "only imports, float constants and functions belong outside")
        lines = source.splitlines()
        for node in definitions:
            self.functions[node.name] = _Body(self, node, lines).function()

    def in_order(self) -> list[Function]:
        """Each function after those that it calls, else as written."""
        done: dict[str, Function] = {}

        def visit(name: str, callers: tuple[str, ...]) -> None:
            if name in callers:
                raise DialectError(f"functions must not call themselves; got {name!r}")
            if name not in done and name in self.functions:
                for other in sorted(Program((self.functions[name],)).calls):
                    visit(other, (*callers, name))
                done[name] = self.functions[name]

        for name in self.functions:
            visit(name, ())
        return list(done.values())


class _Body:
    """One function: what is known about its variables while its statements are read."""

    def __init__(self, reader: _Reader, node: ast.FunctionDef, lines: list[str]) -> None:
        self.reader, self.node, self.lines = reader, node, lines
        self.truths: dict[str, bool] = {}
        self.own: set[str] = set()
        """Variables that no other name refers to: in arrays, these may change in place."""
        self.changed: set[str] = set()

    def function(self) -> Function:
        node = self.node
        text = ast.get_docstring(node)
        if text is None or node.decorator_list or node.args.kwonlyargs or node.args.vararg:
            _refuse(node, "functions have a docstring and plain parameters")
        parameters = self._parameters()
        # The docstring is no statement.
        body = tuple(
            self._statement(statement)
            for outer in node.body[1:]
            for statement in self._saving_no_time(outer)
        )
        if not body or not isinstance(body[-1], Return):
            _refuse(node, "functions end with return")
        if any(isinstance(statement, Return) for statement in body[:-1]):
            _refuse(node, "functions return at their end only")
        _, truth = self.reader.signatures[node.name]
        return Function(node.name, parameters, truth, documentation(text), self._marked(body))

    def _marked(self, body: tuple[Statement, ...]) -> tuple[Statement, ...]:
        """The statements, with those variables marked that change after they are made."""

        def marked(node: Any) -> Any:
            known = isinstance(node, Assign) and node.name in self.changed
            return replace(node, changes=True) if known else node

        return cast("tuple[Statement, ...]", rebuilt(body, marked))

    def _parameters(self) -> tuple[Parameter, ...]:
        found = []
        optional = len(self.node.args.args) - len(self.node.args.defaults)
        for number, argument in enumerate(self.node.args.args):
            annotation = ast.unparse(argument.annotation) if argument.annotation else ""
            expected = "float" if number < optional else "float | None"
            if annotation != expected:
                _refuse(argument, f"parameters are annotated as {expected}")
            self._checked_name(argument, argument.arg)
            found.append(Parameter(argument.arg, number >= optional))
            if number < optional:
                self.truths[argument.arg] = False
        return tuple(found)

    def _checked_name(self, node: ast.AST, name: str) -> None:
        plain = name.isascii() and name.islower() and not name.startswith("_")
        if not plain or keyword.iskeyword(name) or name in self.reader.signatures:
            _refuse(node, "variables have plain names in lower case, unlike any function")
        if name.upper() in self.reader.constants or name in MATHEMATICS:
            _refuse(node, "a variable differs from constants and functions in more than case")

    def _comment(self, node: ast.stmt) -> str:
        found: list[str] = []
        for line in reversed(self.lines[: node.lineno - 1]):
            if not line.strip().startswith("# "):
                break
            found.insert(0, line.strip()[2:])
        return " ".join(found)

    def _saving_no_time(self, node: ast.stmt) -> list[ast.stmt]:
        """The statements below ``if anywhere(condition)``, which choose by this very condition."""
        match node:
            case ast.If(
                test=ast.Call(func=ast.Name(id="anywhere"), args=[condition], keywords=[]),
                body=body,
                orelse=[],
            ):
                for statement in body:
                    match statement:
                        case ast.Assign(
                            value=ast.Call(func=ast.Name(id="where"), args=[first, *_])
                        ) if ast.dump(first) == ast.dump(condition):
                            continue
                    _refuse(statement, "below anywhere(condition) belongs where(condition, ...)")
                return body
        return [node]

    def _statement(self, node: ast.stmt) -> Statement:
        comment = self._comment(node)
        match node:
            case ast.AugAssign(target=ast.Name(id=name), op=operator, value=value):
                if name not in self.own:
                    _refuse(node, "only what was computed here changes in place")
                changed = ast.BinOp(left=ast.Name(id=name), op=operator, right=value)
                whole = ast.Assign(targets=[ast.Name(id=name)], value=changed)
                return self._assign(ast.copy_location(whole, node), {})
            case ast.Assign(
                targets=[ast.Name(id=name)],
                value=ast.IfExp(
                    test=ast.Compare(
                        left=ast.Name(id=parameter),
                        ops=[ast.Is()],
                        comparators=[ast.Constant(value=None)],
                    ),
                    body=ast.Name(id=fallback),
                    orelse=ast.Name(id=given),
                ),
            ) if given == parameter:
                self._checked_name(node, name)
                self.truths[name] = False
                return Default(name, parameter, fallback, comment)
            case ast.Assign():
                return self._assign(node, {})
            case ast.If(test=ast.UnaryOp(op=ast.Not(), operand=condition), body=[ast.Raise()]):
                return self._require(node, self._typed(condition, True))
            case ast.For(
                target=ast.Name(id="_"),
                iter=ast.Call(func=ast.Name(id="range"), args=[ast.Constant(value=int(count))]),
                orelse=[],
            ):
                before = dict(self.truths)
                body = tuple(self._assign(statement, before) for statement in node.body)
                state = dict.fromkeys(entry.name for entry in body if entry.name in before)
                # What was made inside the loop ends with it.
                self.truths = before
                return Repeat(count, body, tuple(state), comment)
            case ast.Return(value=ast.expr() as value):
                _, truth = self.reader.signatures[self.node.name]
                return Return(self._typed(value, truth), comment)
        _refuse(node, "this statement is not part of the dialect")

    def _assign(self, node: ast.stmt, before: dict[str, bool]) -> Assign:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                self._checked_name(node, name)
            case _:
                _refuse(node, "only assignments to one variable belong here")
        if name in {argument.arg for argument in self.node.args.args}:
            _refuse(node, "parameters keep their values")
        expression, truth = self._expression(value)
        self.own -= {name, *([value.id] if isinstance(value, ast.Name) else [])}
        if not isinstance(value, ast.Name):
            self.own.add(name)
        first = name not in self.truths
        if not first and self.truths[name] != truth:
            _refuse(node, "a variable is either a number or a truth value")
        self.truths[name] = truth
        if not first:
            self.changed.add(name)
        return Assign(name, expression, first, False, truth, self._comment(node))

    def _require(self, node: ast.If, condition: Expression) -> Require:
        match node:
            case ast.If(
                body=[
                    ast.Raise(
                        exc=ast.Call(
                            func=ast.Name(id="ValueError"),
                            args=[
                                ast.JoinedStr(
                                    values=[
                                        ast.Constant(value=str(text)),
                                        ast.FormattedValue(value=ast.Name(id=value)),
                                    ]
                                )
                            ],
                        )
                    )
                ],
                orelse=[],
            ):
                argument, must, rest = text.partition(" must be ")
                allowed, got, nothing = rest.partition("; got ")
                if must and got and not nothing:
                    return Require(condition, argument, allowed, value, self._comment(node))
        _refuse(node, "a refusal reads ValueError(f'ARGUMENT must be ALLOWED; got {value}')")

    def _typed(self, node: ast.expr, truth: bool) -> Expression:
        expression, found = self._expression(node)
        if found != truth:
            _refuse(node, f"a {'truth value' if truth else 'number'} belongs here")
        return expression

    def _expression(self, node: ast.expr) -> tuple[Expression, bool]:
        """The expression, and whether it is a truth value."""
        match node:
            case ast.Constant(value=float(value)):
                return Number(value), False
            case ast.Constant():
                _refuse(node, "literals are floats, such as 2.0")
            case ast.Name(id=name) if name in self.truths:
                return Variable(name), self.truths[name]
            case ast.Name(id=name) if name in self.reader.constants:
                return self.reader.constants[name], False
            case ast.Name():
                _refuse(node, "variables are assigned before they are used")
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return Negative(self._typed(operand, False)), False
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return Not(self._typed(operand, True)), True
            case ast.BinOp(op=operator) if type(operator) in _OPERATORS:
                left, right = (self._typed(side, False) for side in (node.left, node.right))
                return Operation(_OPERATORS[type(operator)], left, right), False
            case ast.Compare(ops=[operator], comparators=[side]) if type(operator) in _OPERATORS:
                left, right = (self._typed(value, False) for value in (node.left, side))
                return Compare(_OPERATORS[type(operator)], left, right), True
            case ast.BoolOp(op=joint, values=values):
                whole, *rest = (self._typed(value, True) for value in values)
                for part in rest:
                    whole = Combine(_OPERATORS[type(joint)], whole, part)
                return whole, True
            case ast.IfExp(test=test, body=body, orelse=otherwise):
                then, truth = self._expression(body)
                return Choice(self._typed(test, True), then, self._typed(otherwise, truth)), truth
            case ast.Call(func=ast.Name(id=name), args=[argument]) if name in _PRECISIONS:
                return self._typed(argument, False), False
            case ast.Call(func=ast.Name(id="where"), args=[test, then, ast.Name(id=other)]):
                if other not in self.own:
                    _refuse(node, "where changes its last argument, which must be computed here")
                chosen = self._typed(test, True), self._typed(then, False)
                return Choice(*chosen, self._typed(node.args[2], False)), False
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
                return self._call(node, _ON_ARRAYS.get(name, name), arguments)
        _refuse(node, "this expression is not part of the dialect")

    def _call(
        self, node: ast.Call, name: str, arguments: list[ast.expr]
    ) -> tuple[Expression, bool]:
        kernels_here = {kernel: count for kernel, (count, _) in self.reader.signatures.items()}
        count = (MATHEMATICS | kernels_here).get(name)
        if count is None:
            _refuse(node, f"functions are kernels and {', '.join(MATHEMATICS)}")
        if len(arguments) != count:
            _refuse(node, f"{name} takes {count} arguments")
        values = tuple(self._typed(argument, False) for argument in arguments)
        _, truth = self.reader.signatures.get(name, (count, False))
        return Call(name, values), truth


def documentation(text: str) -> Documentation:
    """A docstring in its parts; indented paragraphs are formulas."""
    summary, *blocks = text.split("\n\n")
    paragraphs = []
    for block in blocks:
        formula = block.startswith("    ")
        lines = [line.strip() for line in block.splitlines()]
        paragraphs.append(("\n".join(lines) if formula else " ".join(lines), formula))
    return Documentation(" ".join(summary.split()), tuple(paragraphs))
