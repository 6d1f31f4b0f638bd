"""A kernel for every optimizer that has none of its own, from its tables in symbols.

Which threshold it is follows from the shape of the tables, as in the numerics: one pole and one
zero, one pole alone, or a pole at the lag of the loop. Other tables have no kernel.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from delaystability.model.optimizer import Optimizer

if TYPE_CHECKING:
    from sympy import Expr

__all__ = ["NoKernelError", "kernel_source", "threshold_function"]

_LARGEST_POWER = 8
_WIDEST_FORMULA = 70
_FUNCTIONS = ("sqrt", "sin", "cos", "tan", "atan", "tanh", "exp", "log")


class NoKernelError(ValueError):
    """An optimizer whose threshold cannot be written in the dialect; the message says why."""


def threshold_function(name: str) -> str:
    """The kernel of the optimizer of the catalogue with this name."""
    return f"{name.replace('-', '_')}_threshold"


def kernel_source(optimizer: type[Optimizer]) -> str:
    """The function of the dialect that computes the threshold of an optimizer of this class.

    Raises
    ------
    NoKernelError
        If the tables are of another shape, or hold functions that the dialect does not have.
    """
    from sympy import Integer, Symbol, factor

    delay = Symbol("delay", real=True)
    names = optimizer.parameter_names()
    optional = [name for name in names if _is_delay_by_default(optimizer, name)]
    symbols = {
        name: Symbol(f"given_{name}" if name in optional else name, real=True) for name in names
    }
    feedback, feedforward = optimizer(**symbols).coefficients(delay)
    a, b = _added(feedback), _added(feedforward)
    if len(a) > 1 or not set(b) <= {0, 1}:
        raise NoKernelError(
            "its tables have more than one earlier update, or gradients beyond the last but one"
        )
    lag, pole = next(iter(a.items()), (Integer(1), Integer(0)))
    at_one = factor(sum(b.values(), Integer(0)))
    lines = []
    if lag == 1 and set(b) == {0}:
        value = "heavy_ball_gain(pole, delay)"
    elif lag == 1:
        slope = (b.get(0, Integer(0)) - b.get(1, Integer(0))) / at_one
        value = "pole_zero_gain(pole, slope, excess, delay)"
        lines = [
            f"slope = {dialect(_quotient(slope, delay))}",
            f"excess = {dialect(_quotient(2 * delay + 1 - slope, delay))}",
        ]
    elif lag == delay + 1 and set(b) == {0}:
        value = "shifted_momentum_gain(pole, delay)"
    else:
        raise NoKernelError("its earlier update is neither the last nor that of the last gradient")
    required = [name for name in names if name not in optional]
    head = ", ".join(
        [f"{name}: float" for name in (*required, "delay")]
        + [f"{name}: float | None = None" for name in optional]
    )
    body = [
        *(f"given_{name} = delay if {name} is None else {name}" for name in optional),
        *(line for name in names for line in _refusal(name, str(symbols[name]))),
        *_refusal("delay", "delay"),
        f"pole = {dialect(pole)}",
        *(() if pole in symbols.values() else _refusal("feedback", "pole")),
        *lines,
        *_divided(value, at_one),
    ]
    documentation = _documentation(optimizer)
    text = [f"def {threshold_function(optimizer.name)}({head}) -> float:", *documentation, *body]
    return "\n".join([text[0], *(f"    {line}" if line else "" for line in text[1:])]) + "\n"


def _is_delay_by_default(optimizer: type[Optimizer], name: str) -> bool:
    """Whether the parameter may be None, and is then the delay."""
    if name in optimizer.required_parameters() or getattr(optimizer, name) is not None:
        return False
    from sympy import Symbol

    delay = Symbol("delay", real=True)
    whole = optimizer.example(**{name: delay}).coefficients(delay)
    if optimizer.example().coefficients(delay) != whole:
        raise NoKernelError(f"{name} may be None, and is not the delay then")
    return True


def _added(terms: Iterable[Any]) -> dict[Any, Expr]:
    """A table by lag, without coefficients that are zero."""
    from sympy import Integer, simplify, sympify

    found: dict[Any, Expr] = {}
    for lag, value in terms:
        key = sympify(lag)
        found[key] = found.get(key, Integer(0)) + sympify(value, rational=True)
    simplified = {lag: simplify(value) for lag, value in found.items()}
    return {lag: value for lag, value in simplified.items() if value != 0}


def _quotient(expression: Expr, delay: Expr) -> Expr:
    """The expression as one fraction, in which nearly equal multiples of the delay are one term."""
    from sympy import collect, expand, factor, fraction, together

    top, bottom = fraction(factor(together(expression)))
    sign = -1 if bottom.could_extract_minus_sign() else 1
    return collect(expand(sign * top), delay, factor) / factor(sign * bottom)


def _divided(value: str, at_one: Expr) -> list[str]:
    """The threshold of a unit sum of gradient weights by theirs; 0 where nothing is stable."""
    if at_one == 1:
        return [f"return {value}"]
    if at_one.is_positive:
        return [f"return {value} / {dialect(at_one)}"]
    return [
        f"total = {dialect(at_one)}",
        "starts_stable = total > 0.0",
        "divisor = total if starts_stable else 1.0",
        f"return {value} / divisor if starts_stable else 0.0",
    ]


def _refusal(argument: str, value: str) -> list[str]:
    """The lines that refuse what an argument must not be."""
    check, allowed = {
        "delay": ("is_delay", "a whole number from 0 to 2^53"),
        "momentum": ("is_momentum", "strictly between -1 and 1"),
        "feedback": ("is_momentum", "strictly between -1 and 1"),
    }.get(argument, ("is_moderate", "between -2^53 and 2^53"))
    message = f"{argument} must be {allowed}; got {{{value}}}"
    return [f"if not {check}({value}):", f'    raise ValueError(f"{message}")']


def _documentation(optimizer: type[Optimizer]) -> list[str]:
    from sympy import Symbol

    names = optimizer.parameter_names()
    symbols = {name: Symbol(name, real=True) for name in names}
    tables = optimizer(**symbols).coefficients(Symbol("delay", integer=True))
    terms = [
        _term(value, series, lag)
        for series, table in zip("ug", tables, strict=True)
        for lag, value in table
    ]
    formula, *more = _folded(["u[t] =", *_joined(terms)])
    return [
        f'"""Largest stable learning rate times sharpness of {_in_a_sentence(optimizer.title)}.',
        "",
        "The update is",
        "",
        f"    {formula}",
        *(f"      {line}" for line in more),
        '"""',
    ]


def _in_a_sentence(title: str) -> str:
    return title if title[:2].isupper() else title[0].lower() + title[1:]


def _term(value: Any, series: str, lag: Any) -> str:
    from sympy import Add, sympify

    value = sympify(value)
    terms = str(value).replace("**", "^").replace("*", " ")
    factor = f"({terms})" if isinstance(value, Add) else terms
    place = "t" if lag == 0 else f"t-{lag}" if sympify(lag).is_Atom else f"t-({lag})"
    return f"{series}[{place}]" if value == 1 else f"{factor} {series}[{place}]"


def _joined(terms: list[str]) -> list[str]:
    signs = [f"- {term[1:]}" if term.startswith("-") else f"+ {term}" for term in terms]
    return [terms[0], *signs[1:]]


def _folded(terms: list[str]) -> list[str]:
    lines = [terms[0]]
    for term in terms[1:]:
        if len(lines[-1]) + len(term) > _WIDEST_FORMULA:
            lines.append(term)
        else:
            lines[-1] += f" {term}"
    return lines


def dialect(expression: Expr) -> str:
    """The expression as text of the dialect.

    Raises
    ------
    NoKernelError
        For a function that the dialect does not have.
    """
    from sympy import Add, Function, Mul, Pow, Rational, Symbol, fraction

    match expression:
        case Symbol():
            return expression.name
        case Rational(p=top, q=bottom):
            return f"{float(top)}" if bottom == 1 else f"({float(top)} / {float(bottom)})"
        case Add(args=terms):
            first, *rest = sorted(terms, key=lambda term: term.could_extract_minus_sign())
            signed = (
                f" - {dialect(-term)}" if term.could_extract_minus_sign() else f" + {dialect(term)}"
                for term in rest
            )
            return f"({dialect(first)}{''.join(signed)})"
        case Pow(base=base, exp=power) if power.is_Integer and 0 < power <= _LARGEST_POWER:
            return f"({' * '.join([dialect(base)] * int(power))})"
        case Pow(base=base, exp=power) if power == Rational(1, 2):
            return f"sqrt({dialect(base)})"
        case Mul() | Pow():
            top, bottom = fraction(expression)
            if bottom != 1:
                return f"({dialect(top)} / {dialect(bottom)})"
            if isinstance(expression, Mul):
                return f"({' * '.join(map(dialect, expression.args))})"
        case Function(func=function, args=(argument,)) if function.__name__ in _FUNCTIONS:
            return f"{function.__name__}({dialect(argument)})"
    raise NoKernelError(f"its tables hold {expression}, which the exported languages do not have")
