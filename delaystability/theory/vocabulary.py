r"""The words in which a theorem is written: what it states, and the steps of its proof, as data.

A text holds formulas between dollars, ``$theta = pi/(2 tau + 1)$``, read by `read_formula`; a
displayed one, ``$$angle: cos(theta) = m$$``, has a name; ``\(0 < a < a_*\)`` is LaTeX already. With
``$f(x) := x - sin(x)$`` the steps from there on know what f is, at every argument.
``{statement}`` displays what the theorem states; {ref:label}, {theorem:name}, {lemma} and
{cite:key} refer to steps, theorems and the literature.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from sympy import Basic, Derivative, Expr, Function, S, Symbol, pi
from sympy.core.function import AppliedUndef

from delaystability.model.catalogue import Optimizer
from delaystability.theory.checks import Check, Cited, Deduced, Identity, LimitValue, Positive
from delaystability.theory.derivation import Proof, Step, Theorem
from delaystability.theory.loop import Loop, symbolic
from delaystability.theory.moments import confirm_mean_square, evaluate_sequences
from delaystability.theory.prose import mentioned
from delaystability.theory.statement import Root, Statement
from delaystability.theory.symbols import theta
from delaystability.theory.trials import Trial, approaches, confirm_threshold, evaluate_relation
from delaystability.theory.written_formula import Reader

__all__ = [
    "Chapter",
    "Draft",
    "Entry",
    "cited",
    "conclusion",
    "corollary",
    "deduced",
    "evaluated",
    "lemma",
    "limit",
    "near",
    "positive",
    "root",
    "sequences",
    "states",
    "step",
    "theorem",
]

Formula: TypeAlias = str | Basic
Meaning: TypeAlias = Mapping[Any, Any]
"""From notation to its meaning, perhaps by the loop; ``f(x)`` has it at every argument."""

_FORMULAS = re.compile(r"\$\$([\w-]+): (.+?)\$\$|\$(.+?)\$|\\\((.+?)\\\)", re.DOTALL)


@dataclass(frozen=True)
class Chapter:
    """A section of the theory: its label in file names and its title."""

    label: str
    title: str


@dataclass(frozen=True)
class _Claim:
    """What a theorem states, as written."""

    quantity: str
    relation: Formula
    optimizer: type[Optimizer] | None = None
    domain: tuple[Formula, ...] = ()
    roots: tuple[tuple[Formula, Formula, Formula, Formula | None], ...] = ()
    definitions: Mapping[str, Formula] = field(default_factory=dict)


@dataclass(frozen=True)
class Draft:
    """A step as written; ``reason`` makes its check when the whole theorem is read."""

    label: str
    text: str
    claim: Formula | None
    reason: Callable[[_Reading, Basic | None, Sequence[Step]], Check]


ProofPart: TypeAlias = Draft | Step | Callable[[Loop], Iterable["ProofPart"]]
"""A step, or what makes some of them for the loop of the optimizer."""


@dataclass(frozen=True)
class Entry:
    """A theorem as written; ``read`` makes SymPy of it."""

    name: str
    title: str
    claim: _Claim
    text: str
    proof: tuple[ProofPart, ...]
    sources: tuple[str, ...] = ()
    symbols: tuple[Symbol, ...] = ()
    where: Meaning = field(default_factory=dict)
    kind: str = "theorem"

    def read(self) -> Proof:
        """The theorem with the steps of its proof."""
        reading = _Reading(self)
        text, given = reading.prose(self.text)
        if "{statement}" in text:
            text = text.replace("{statement}", "{display:statement}")
            given["statement"] = reading.statement.relation
        stated = Theorem(
            self.name, self.title, reading.statement, text, self.sources, given, self.kind
        )
        return Proof(stated, tuple(reading.steps(self.proof)))


def states(
    quantity: str,
    relation: Formula,
    optimizer: type[Optimizer] | None = None,
    domain: Sequence[Formula] = (),
    roots: Sequence[tuple[Formula, Formula, Formula, Formula | None]] = (),
    definitions: Mapping[str, Formula] | None = None,
) -> _Claim:
    """The statement of a theorem; see `delaystability.theory.statement.Statement`."""
    return _Claim(quantity, relation, optimizer, tuple(domain), tuple(roots), definitions or {})


def root(
    symbol: str, equation: Formula, upper: Formula = pi, minimized: Formula | None = None
) -> tuple[Formula, Formula, Formula, Formula | None]:
    """A symbol that is the root of an equation; see `delaystability.theory.statement.Root`."""
    return symbol, equation, upper, minimized


def theorem(
    name: str,
    title: str,
    claim: _Claim,
    text: str,
    *proof: ProofPart,
    **more: Any,
) -> Entry:
    """A theorem, with ``sources``, further ``symbols``, and the meaning of notation, ``where``."""
    return Entry(name, title, claim, " ".join(text.split()), proof, **more)


def lemma(name: str, title: str, claim: _Claim, text: str, *proof: ProofPart, **more: Any) -> Entry:
    """A lemma: as `theorem`."""
    return theorem(name, title, claim, text, *proof, kind="lemma", **more)


def corollary(
    name: str, title: str, claim: _Claim, text: str, *proof: ProofPart, **more: Any
) -> Entry:
    """A corollary: as `theorem`."""
    return theorem(name, title, claim, text, *proof, kind="corollary", **more)


def step(
    label: str,
    text: str,
    claim: Formula,
    where: Meaning | None = None,
    remainder: Expr = S.Zero,
) -> Draft:
    """A step that is an identity, see `Identity`; in it X and Y are those of the loop."""
    return Draft(label, text, claim, lambda r, c, _: Identity(r.meaning(c, where or {}), remainder))


def limit(label: str, text: str, claim: Formula, where: Meaning | None = None) -> Draft:
    """A step that is a limit."""
    return Draft(label, text, claim, lambda r, c, _: LimitValue(r.meaning(c, where or {})))


def positive(
    label: str, text: str, claim: Formula, charts: Any, where: Meaning | None = None
) -> Draft:
    """A step that is an inequality, on charts of its domain; see `Positive`."""
    return Draft(label, text, claim, lambda r, c, _: Positive(charts, r.meaning(c, where or {})))


def cited(label: str, text: str, key: str, place: str) -> Draft:
    """A step in words that is known from the literature."""
    return Draft(label, text, None, lambda *_: Cited(key, place))


def deduced(label: str, text: str, claim: Formula, premises: Sequence[str], trial: Any) -> Draft:
    """A step that follows in words from others, and from the theorems that its text names."""

    def reason(reading: _Reading, claim: Basic | None, _: Sequence[Step]) -> Check:
        names = mentioned(text, {})
        return Deduced(tuple(premises), reading.trial(trial, claim), tuple(sorted(names)))

    return Draft(label, text, claim, reason)


def conclusion(text: str, trial: Any) -> Draft:
    """The last step: it claims the statement, from all steps and all theorems that they name.

    ``trial`` is a `Trial`, `evaluated`, or the points at which the loop confirms the threshold.
    """

    def reason(reading: _Reading, claim: Basic | None, before: Sequence[Step]) -> Check:
        texts = (reading.text, *(entry.text for entry in before), text)
        names = set().union(*(mentioned(entry, {}) for entry in texts))
        labels = tuple(entry.label for entry in before)
        return Deduced(labels, reading.trial(trial, claim), tuple(sorted(names)))

    return Draft("conclusion", text, None, reason)


@dataclass(frozen=True)
class _Evaluation:
    """A trial by evaluation, as written."""

    points: tuple[Meaning, ...]
    where: Meaning


def evaluated(points: Iterable[Meaning], where: Meaning | None = None) -> _Evaluation:
    """A trial of a claim by its two sides at points, with notation as in `step`."""
    return _Evaluation(tuple(points), where or {})


@dataclass(frozen=True)
class _Near:
    """A trial of a limit, as written."""

    values: Callable[[], Iterable[Any]]


def near(values: Callable[[], Iterable[Any]]) -> _Near:
    """A trial of a limit by numbers near it; see `approaches`."""
    return _Near(values)


def sequences(cases: Callable[[], Iterable[Any]]) -> Trial:
    """A trial of an equation between members of sequences; see `evaluate_sequences`."""
    return lambda claim: evaluate_sequences(cases())(claim)


class _Reading:
    """Reads what one theorem has written, with its symbols and the loop of its optimizer."""

    def __init__(self, entry: Entry) -> None:
        self._entry = entry
        self.text = entry.text
        self._defined: dict[Expr, Expr] = {}
        self.reader = Reader(entry.symbols)
        optimizer = entry.claim.optimizer
        self.loop = None if optimizer is None else Loop(symbolic(optimizer))
        self.statement = self._stated(entry.claim)

    def formula(self, written: Any) -> Any:
        """A formula, which may be SymPy's already."""
        return self.reader.read(written) if isinstance(written, str) else written

    def _stated(self, claim: _Claim) -> Statement:
        return Statement(
            claim.quantity,
            self.formula(claim.relation),
            claim.optimizer.name if claim.optimizer else "",
            tuple(map(self.formula, claim.domain)),
            tuple(Root(*map(self.formula, written)) for written in claim.roots),
            tuple((self.formula(s), self.formula(v)) for s, v in claim.definitions.items()),
        )

    def prose(self, text: str) -> tuple[str, dict[str, Basic | str]]:
        """The text with fields for its formulas, and what they hold."""
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
        return Step(draft.label, text, claim, draft.reason(self, claim, tuple(before)), given)

    def meaning(self, claim: Basic | None, where: Meaning) -> dict[Expr, Expr]:
        """What the notation in a claim means; a function of symbols is meant at all arguments."""
        read = {self.formula(k): self._value(v) for k, v in {**self._entry.where, **where}.items()}
        known = {key: value for key, value in self._defined.items() if key not in read}
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
        return written(self.loop) if callable(written) else self.formula(written)

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
        if isinstance(given, _Near):
            return approaches(self.statement.relation.lhs, given.values)
        if isinstance(given, _Evaluation):
            points = [self._point(point) for point in given.points]
            return evaluate_relation(points, self.meaning(claim, given.where))
        if callable(given):
            return given
        if self.loop is None:
            raise ValueError(f"theorem {self._entry.name!r} must have a trial: it has no loop")
        points = [self._point(point) for point in given]
        if self.statement.quantity == "mean-square-threshold":
            return confirm_mean_square(self.loop, points, self.statement.roots)
        return confirm_threshold(self.loop, points, self.statement.roots)

    def _point(self, written: Meaning) -> dict[Expr, Any]:
        """A point, and the values there of what the statement defines."""
        point = {self.formula(symbol): self.formula(value) for symbol, value in written.items()}
        return {**{s: v.subs(point) for s, v in self.statement.definitions}, **point}


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
