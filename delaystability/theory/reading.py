"""Reading what a theorem has written: its formulas, and what its notation means, into SymPy."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from sympy import Basic, Derivative, Expr, Function, Symbol
from sympy.core.function import AppliedUndef

from delaystability.model.catalogue import Optimizer
from delaystability.theory.checks import Check
from delaystability.theory.concluded import Concluded, Decider
from delaystability.theory.deciders import decider_of
from delaystability.theory.derivation import Step
from delaystability.theory.moments import confirm_mean_square
from delaystability.theory.prose import mentioned
from delaystability.theory.statement import Root, Statement
from delaystability.theory.symbolic_loop import SymbolicLoop, symbolic
from delaystability.theory.symbols import theta
from delaystability.theory.trials import Trial, approaches, confirm_threshold, evaluate_relation
from delaystability.theory.wording import references
from delaystability.theory.written_formula import Reader

__all__ = [
    "Claim",
    "Decided",
    "Draft",
    "Evaluation",
    "Formula",
    "Meaning",
    "Near",
    "ProofPart",
    "Reading",
]

Formula: TypeAlias = str | Basic
Meaning: TypeAlias = Mapping[Any, Any]
"""From notation to its meaning, perhaps by the loop; ``f(x)`` has it at every argument."""

_FORMULAS = re.compile(r"\$\$([\w-]+): (.+?)\$\$|\$(.+?)\$|\\\((.+?)\\\)", re.DOTALL)


@dataclass(frozen=True)
class Claim:
    """What a theorem states, as written."""

    quantity: str
    relation: Formula
    optimizer: type[Optimizer] | None = None
    domain: tuple[Formula, ...] = ()
    roots: tuple[tuple[Formula, Formula, Formula, Formula | None], ...] = ()
    definitions: Mapping[str, Formula] = field(default_factory=dict)


@dataclass(frozen=True)
class Draft:
    """A step as written; ``reason`` makes its check when the whole theorem is read.

    ``rocq`` names the lemmas that prove the same, "Sgd.sgd_polar" for one in formal/Sgd.v.
    """

    label: str
    text: str
    claim: Formula | None
    reason: Callable[[Reading, Basic | None, Sequence[Step]], Check]
    given: Mapping[str, Basic] = field(default_factory=dict)
    rocq: tuple[str, ...] = ()


ProofPart: TypeAlias = Draft | Step | Callable[[SymbolicLoop], Iterable["ProofPart"]]
"""A step, or what makes some of them for the loop of the optimizer."""


@dataclass(frozen=True)
class Evaluation:
    """A trial by evaluation, as written."""

    points: tuple[Meaning, ...]
    where: Meaning


@dataclass(frozen=True)
class Decided:
    """A trial at points of the domain, by the whole statement."""

    decide: Decider
    trial: Trial | None = None


@dataclass(frozen=True)
class Near:
    """A trial of a limit, as written."""

    values: Callable[[], Iterable[Any]]


class Reading:
    """Reads what one theorem has written, with its symbols and the loop of its optimizer."""

    statement: Statement

    def __init__(
        self,
        loop: SymbolicLoop | None,
        symbols: Iterable[Symbol] = (),
        where: Meaning | None = None,
    ) -> None:
        self.named: set[str] = set()
        self.loop = loop
        self._where = where or {}
        self._defined: dict[Expr, Expr] = {}
        self._reader = Reader(symbols)

    @classmethod
    def of(cls, claim: Claim, symbols: Iterable[Symbol], where: Meaning) -> Reading:
        """Of a theorem, with the loop of its optimizer and its statement."""
        optimizer = claim.optimizer
        loop = None if optimizer is None else SymbolicLoop(symbolic(optimizer))
        reading = cls(loop, symbols, where)
        reading.statement = reading._stated(claim)
        return reading

    def formula(self, written: Any) -> Any:
        """A formula, which may be SymPy's already."""
        return self._reader.read(written) if isinstance(written, str) else written

    def _stated(self, claim: Claim) -> Statement:
        return Statement(
            claim.quantity,
            self.formula(claim.relation),
            claim.optimizer.name if claim.optimizer else "",
            tuple(map(self.formula, claim.domain)),
            tuple(Root(*map(self.formula, written)) for written in claim.roots),
            tuple((self.formula(s), self.formula(v)) for s, v in claim.definitions.items()),
        )

    def prose(self, text: str) -> tuple[str, dict[str, Basic | str]]:
        """The text with fields for its formulas, and what these hold; what it defines is noted."""
        self.named |= mentioned(text, {})
        given: dict[str, Basic | str] = {}

        def field_of(match: re.Match[str]) -> str:
            name, displayed, inline, latex = match.groups()
            written = displayed or inline
            value: Any = latex.strip() if latex else self.formula(written.replace(":=", "="))
            if written and ":=" in written:
                self._defined[value.lhs] = value.rhs.subs(self._defined)
            key = name or next((k for k, v in given.items() if v == value), str(len(given) + 1))
            given[key] = value
            return f"{{display:{key}}}" if name else f"{{{key}}}"

        return _FORMULAS.sub(field_of, " ".join(text.split())), given

    def steps(self, proof: Iterable[ProofPart]) -> list[Step]:
        """The steps, each with its check."""
        found: list[Step] = []
        waiting = list(proof)
        while waiting:
            part = waiting.pop(0)
            if isinstance(part, Step):
                found.append(part)
            elif isinstance(part, Draft):
                found.append(self._step(part, found))
            else:
                waiting = [*part(self.loop), *waiting]  # type: ignore[arg-type]
        return found

    def _step(self, draft: Draft, before: Sequence[Step]) -> Step:
        claim = self.formula(draft.claim)
        if draft.label == "conclusion":
            claim = self.statement.relation
        text, given = self.prose(draft.text)
        check = draft.reason(self, claim, tuple(before))
        shown = {**given, **draft.given}
        return Step(draft.label, text, claim, check, shown, references(text), draft.rocq)

    def meaning(self, claim: Basic | None, where: Meaning) -> dict[Expr, Expr]:
        """What the notation in a claim means; a function of symbols is meant at all arguments."""
        read = {self.formula(k): self._value(v) for k, v in {**self._where, **where}.items()}
        numbers = {key: value for key, value in read.items() if key.is_Symbol and value.is_number}
        known = {k: v.subs(numbers) for k, v in self._defined.items() if k not in read}
        read = {**known, **{key: value.subs(known) for key, value in read.items()}}
        applied = claim.atoms(AppliedUndef) if claim is not None else set()
        read |= self._circle_parts(read, {entry.func for entry in applied})
        for key, value in list(read.items()):
            if isinstance(key, AppliedUndef) and all(entry.is_Symbol for entry in key.args):
                others = {entry for entry in applied if _same(entry, key)} - set(read)
                read |= {entry: _at(key, value, entry) for entry in others}
        slopes = claim.atoms(Derivative) if claim is not None else set()
        return read | {d: read[d.expr].doit().diff(*d.variables) for d in slopes if d.expr in read}

    def _value(self, written: Any) -> Any:
        known = isinstance(written, str | Basic)
        return self.formula(written) if known else written(self.loop)

    def _circle_parts(self, read: Meaning, used: set[Any]) -> dict[Expr, Expr]:
        """X and Y of the loop, at the numbers that symbols stand for, unless they mean others."""
        if self.loop is None:
            return {}
        numbers = {key: value for key, value in read.items() if value.is_number}
        new = used - {getattr(key, "func", None) for key in read}
        parts = {"X": "cosine_part", "Y": "sine_part"}
        return {
            Function(name)(theta): getattr(self.loop, part).subs(numbers)
            for name, part in parts.items()
            if Function(name) in new
        }

    def trial(self, given: Any, claim: Basic | None) -> Trial:
        """A trial as it is, by evaluation, or, of points, by the loop."""
        if isinstance(given, Near):
            return approaches(self.statement.relation.lhs, given.values)
        if isinstance(given, Evaluation):
            points = [self._point(point) for point in given.points]
            return evaluate_relation(points, self.meaning(claim, given.where))
        if callable(given):
            return given
        if self.loop is None:
            raise ValueError("a theorem without an optimizer must have a trial of its own")
        points = [self._point(point) for point in given]
        if self.statement.quantity == "mean-square-threshold":
            return confirm_mean_square(self.loop, points, self.statement.roots)
        return confirm_threshold(self.loop, points, self.statement.roots)

    def concluded(self, given: Any, claim: Basic | None, before: tuple[str, ...]) -> Concluded:
        """The check of the conclusion, with a trial as for `trial` and by the statement itself."""
        names, decide = tuple(sorted(self.named)), decider_of(self.statement)
        if isinstance(given, Decided):
            also = given.trial or _untried
            return Concluded(before, also, names, self.statement, given.decide)
        by_points = not (callable(given) or isinstance(given, (Near, Evaluation)))
        points = tuple(self._point(point) for point in given) if by_points and decide else ()
        trial = _untried if points else self.trial(given, claim)
        return Concluded(before, trial, names, self.statement, decide, points)

    def _point(self, written: Meaning) -> dict[Expr, Any]:
        """A point, and the values there of what the statement defines."""
        point = {self.formula(symbol): self.formula(value) for symbol, value in written.items()}
        return {**{s: v.subs(point) for s, v in self.statement.definitions}, **point}


def _untried(_: Basic | None) -> tuple[int, str]:
    """The trial of a conclusion whose points are decided on its statement."""
    return 0, ""


def _same(applied: AppliedUndef, key: AppliedUndef) -> bool:
    """Whether it is the function of the key or a derivative of it."""
    name = applied.func.__name__.rstrip("'")
    return name == key.func.__name__ and len(applied.args) == len(key.args)


def _at(key: AppliedUndef, value: Expr, applied: AppliedUndef) -> Expr:
    """The function that ``key = value`` defines, or its derivative, at other arguments."""
    primes = applied.func.__name__.count("'")
    if primes:
        value = value.doit().diff(key.args[0], primes)
    return value.subs(dict(zip(key.args, applied.args, strict=True)), simultaneous=True)
