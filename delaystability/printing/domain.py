"""Where a theorem holds, in LaTeX: conditions on one symbol as a chain."""

from __future__ import annotations

from collections.abc import Sequence

from sympy import Basic, Eq, Mod, Symbol
from sympy.core.relational import GreaterThan, LessThan, Relational

from delaystability.printing.formula import formula_latex

__all__ = ["domain_latex"]


def domain_latex(conditions: Sequence[Basic]) -> tuple[str, ...]:
    """The conditions, those on one symbol as a chain such as ``-1 < m < 1``."""
    below: dict[Basic, str] = {}
    above: dict[Basic, str] = {}
    others = []
    for condition in conditions:
        if isinstance(condition, Eq) and isinstance(condition.lhs, Mod):
            parity = "even" if condition.rhs == 0 else "odd"
            others.append(rf"{formula_latex(condition.lhs.args[0])} \text{{ {parity}}}")
            continue
        if isinstance(condition, Relational) and not isinstance(condition, Eq):
            small, large = condition.lts, condition.gts
            sign = r"\le" if isinstance(condition, (GreaterThan, LessThan)) else "<"
            if isinstance(large, Symbol) and large not in below:
                below[large] = f"{formula_latex(small)} {sign}"
                continue
            if isinstance(small, Symbol) and small not in above:
                above[small] = f"{sign} {formula_latex(large)}"
                continue
        others.append(formula_latex(condition))
    chains = [_chain(symbol, below, above) for symbol in dict.fromkeys([*below, *above])]
    return (*chains, *others)


def _chain(symbol: Basic, below: dict[Basic, str], above: dict[Basic, str]) -> str:
    if symbol not in above:
        least, sign = below[symbol].rsplit(" ", 1)
        sign = r"\ge" if sign == r"\le" else ">"
        return f"{formula_latex(symbol)} {sign} {least}"
    return f"{below.get(symbol, '')} {formula_latex(symbol)} {above[symbol]}".strip()
