"""Whether the words of a step name what its data say: earlier steps, theorems, sources, formulas.

No program reads the inference that the words make. But a text that was put in place of another, or
one whose step, lemma or reference is another than that of its check, is noticed.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from delaystability.theory.checks import Cited, Deduced
from delaystability.theory.concluded import Concluded
from delaystability.theory.prose import fields_of, mentioned

__all__ = ["references", "wording_fault"]

_KINDS = ("ref:", "theorem:", "cite:")


def references(text: str) -> frozenset[str]:
    """The steps and theorems that a text refers to."""
    return frozenset({*mentioned(text, {}), *(f for f in fields_of(text) if f.startswith("ref:"))})


def wording_fault(step: Any, before: Collection[str], named: Collection[str] = ()) -> str:
    """Why the words of a step are not those of its data, or "".

    Parameters
    ----------
    step : Step
    before : labels of the steps before it, in order
    named : theorems that the words before it refer to, on all of which a conclusion rests
    """
    fields = fields_of(step.text)
    unknown = {f[4:] for f in fields if f.startswith("ref:")} - set(before)
    if unknown:
        return f"its words refer to {sorted(unknown)}, which do not come before it"
    shown = {f.removeprefix("display:") for f in fields if not f.startswith(_KINDS)} - {"lemma"}
    if step.refers is not None and shown != set(step.given) - {"lemma"}:
        return f"its words show other formulas than {sorted(step.given)}"
    if step.refers is not None and references(step.text) != step.refers:
        return f"its words do not refer to {sorted(step.refers)}"
    if isinstance(step.check, Deduced):
        others = {f[4:] for f in fields if f.startswith("ref:")} - set(step.check.premises)
        if others:
            return f"its words rest on {sorted(others)}, which are no premises"
        if not mentioned(step.text, {}) <= set(step.check.theorems):
            return f"its words rest on theorems beyond {sorted(step.check.theorems)}"
    if isinstance(step.check, Concluded):
        theorems = {*named, *mentioned(step.text, {})}
        if step.check.premises != tuple(before) or set(step.check.theorems) != theorems:
            return "it must rest on all steps before it, in order, and on the theorems they name"
    if isinstance(step.check, Cited) and f"cite:{step.check.key}" not in fields:
        return f"its words do not cite {step.check.key}"
    return ""
