r"""The words in which a theorem is written: what it states, and the steps of its proof, as data.

A text holds formulas between dollars, ``$theta = pi/(2 tau + 1)$``, read by `read_formula`; a
displayed one, ``$$angle: cos(theta) = m$$``, has a name; ``\(0 < a < a_*\)`` is LaTeX already. With
``$f(x) := x - sin(x)$`` the steps from there on know what f is, at every argument.
``{statement}`` displays what the theorem states; {ref:label}, {theorem:name}, {lemma} and
{cite:key} refer to steps, theorems and the literature.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sympy import Basic, Expr, S, Symbol, pi

from delaystability.model.catalogue import Optimizer
from delaystability.theory.checks import Check, Cited, Deduced, Identity, LimitValue, Positive
from delaystability.theory.concluded import Decider
from delaystability.theory.coverage import Range
from delaystability.theory.derivation import Proof, Step, Theorem
from delaystability.theory.moments import evaluate_sequences
from delaystability.theory.prose import mentioned
from delaystability.theory.reading import (
    Claim,
    Decided,
    Draft,
    Evaluation,
    Formula,
    Meaning,
    Near,
    ProofPart,
    Reading,
)
from delaystability.theory.trial_points import stated_ranges
from delaystability.theory.trials import Trial

__all__ = [
    "Chapter",
    "Draft",
    "Entry",
    "cited",
    "conclusion",
    "corollary",
    "decided",
    "deduced",
    "evaluated",
    "example",
    "lemma",
    "limit",
    "near",
    "positive",
    "remark",
    "root",
    "sequences",
    "states",
    "step",
    "theorem",
]


@dataclass(frozen=True)
class Chapter:
    """A section of the theory: its label in file names and its title."""

    label: str
    title: str


@dataclass(frozen=True)
class Entry:
    """A theorem as written; ``read`` makes SymPy of it."""

    name: str
    title: str
    claim: Claim
    text: str
    proof: tuple[ProofPart, ...]
    sources: tuple[str, ...] = ()
    symbols: tuple[Symbol, ...] = ()
    where: Meaning = field(default_factory=dict)
    kind: str = "theorem"
    of: str = ""
    prior_art: str = ""

    def __post_init__(self) -> None:
        if (self.kind in ("theorem", "lemma")) == bool(self.of):
            rule = "only corollaries, remarks and examples are of a theorem or lemma, and all are"
            raise ValueError(f"of must fit: {rule}; got the {self.kind} {self.name!r} {self.of!r}")

    def read(self) -> Proof:
        """The theorem with the steps of its proof."""
        reading = Reading.of(self.claim, self.symbols, self.where)
        text, given = reading.prose(self.text)
        if "{statement}" in text:
            text = text.replace("{statement}", "{display:statement}")
            given["statement"] = reading.statement.relation
        stated = Theorem(
            self.name,
            self.title,
            reading.statement,
            text,
            self.sources,
            given,
            self.kind,
            self.of,
            " ".join(self.prior_art.split()),
        )
        return Proof(stated, tuple(reading.steps(self.proof)))


def states(
    quantity: str,
    relation: Formula,
    optimizer: type[Optimizer] | None = None,
    domain: Sequence[Formula] = (),
    roots: Sequence[tuple[Formula, Formula, Formula, Formula | None]] = (),
    definitions: Mapping[str, Formula] | None = None,
) -> Claim:
    """The statement of a theorem; see `delaystability.theory.statement.Statement`."""
    return Claim(quantity, relation, optimizer, tuple(domain), tuple(roots), definitions or {})


def root(
    symbol: str, equation: Formula, upper: Formula = pi, minimized: Formula | None = None
) -> tuple[Formula, Formula, Formula, Formula | None]:
    """A symbol that is the root of an equation; see `delaystability.theory.statement.Root`."""
    return symbol, equation, upper, minimized


def theorem(
    name: str,
    title: str,
    claim: Claim,
    text: str,
    *proof: ProofPart,
    **more: Any,
) -> Entry:
    """A theorem, with ``sources``, ``prior_art``, ``symbols``, and what notation means, ``where``.

    Theorems and lemmas have the numbers of the article. A corollary, remark or example is one
    ``of`` a theorem or lemma: it stands after it and has a number under its number.
    """
    return Entry(name, title, claim, " ".join(text.split()), proof, **more)


def lemma(name: str, title: str, claim: Claim, text: str, *proof: ProofPart, **more: Any) -> Entry:
    """A lemma: as `theorem`."""
    return theorem(name, title, claim, text, *proof, kind="lemma", **more)


def corollary(
    name: str, title: str, claim: Claim, text: str, *proof: ProofPart, **more: Any
) -> Entry:
    """A corollary: as `theorem`, and ``of`` one."""
    return theorem(name, title, claim, text, *proof, kind="corollary", **more)


def remark(name: str, title: str, claim: Claim, text: str, *proof: ProofPart, **more: Any) -> Entry:
    """A remark, which says in other words what is known already: as `theorem`, and ``of`` one."""
    return theorem(name, title, claim, text, *proof, kind="remark", **more)


def example(
    name: str, title: str, claim: Claim, text: str, *proof: ProofPart, **more: Any
) -> Entry:
    """An example, a special case: as `theorem`, and ``of`` one."""
    return theorem(name, title, claim, text, *proof, kind="example", **more)


def step(
    label: str,
    text: str,
    claim: Formula,
    where: Meaning | None = None,
    remainder: Expr = S.Zero,
    rocq: str = "",
    **given: Basic,
) -> Draft:
    """A step that is an identity, see `Identity`; in it X and Y are those of the loop.

    What is computed rather than written stands in ``given``: {name} in the text is its formula.
    ``rocq`` names the lemmas that prove the same in formal/, "Sgd.sgd_polar Sgd.sgd_angle".
    """

    def reason(reading: Reading, claim: Basic | None, _: Sequence[Step]) -> Check:
        return Identity(reading.meaning(claim, where or {}), remainder)

    return Draft(label, text, claim, reason, given, tuple(rocq.split()))


def limit(label: str, text: str, claim: Formula, where: Meaning | None = None) -> Draft:
    """A step that is a limit."""
    return Draft(label, text, claim, lambda r, c, _: LimitValue(r.meaning(c, where or {})))


def positive(
    label: str,
    text: str,
    claim: Formula,
    charts: Any,
    where: Meaning | None = None,
    over: Sequence[Mapping[Any, Range]] = ({},),
    rocq: str = "",
) -> Draft:
    """A step that is an inequality, on charts of its domain; see `Positive` and, on Rocq, `step`.

    The domain is that of the statement, where its symbols occur; ``over`` says where others lie,
    in boxes that make up the domain together.
    """

    def reason(reading: Reading, claim: Basic | None, _: Sequence[Step]) -> Check:
        symbols = {symbol for chart in charts for symbol in chart}
        stated = stated_ranges(reading.statement, symbols)
        return Positive(
            tuple(charts), reading.meaning(claim, where or {}), tuple({**stated, **b} for b in over)
        )

    return Draft(label, text, claim, reason, rocq=tuple(rocq.split()))


def cited(label: str, text: str, key: str, place: str) -> Draft:
    """A step in words that is known from the literature."""
    return Draft(label, text, None, lambda *_: Cited(key, place))


def deduced(label: str, text: str, claim: Formula, premises: Sequence[str], trial: Any) -> Draft:
    """A step that follows in words from others, and from the theorems that its text names."""

    def reason(reading: Reading, claim: Basic | None, _: Sequence[Step]) -> Check:
        names = mentioned(text, {})
        return Deduced(tuple(premises), reading.trial(trial, claim), tuple(sorted(names)))

    return Draft(label, text, claim, reason)


def conclusion(text: str, trial: Any, rocq: str = "") -> Draft:
    """The last step: it claims the statement, from all steps, and all theorems named so far.

    ``trial`` is a `Trial`, `evaluated`, or the points at which the loop confirms the threshold.
    """

    def reason(reading: Reading, claim: Basic | None, before: Sequence[Step]) -> Check:
        labels = tuple(entry.label for entry in before)
        return reading.concluded(trial, claim, labels)

    return Draft("conclusion", text, None, reason, rocq=tuple(rocq.split()))


def evaluated(points: Iterable[Meaning], where: Meaning | None = None) -> Evaluation:
    """A trial of a claim by its two sides at points, with notation as in `step`."""
    return Evaluation(tuple(points), where or {})


def decided(decide: Decider, trial: Trial | None = None) -> Decided:
    """A trial of a conclusion at points of its domain, by the whole statement; see `Concluded`.

    ``trial`` tries the relation besides, at points of its own.
    """
    return Decided(decide, trial)


def near(values: Callable[[], Iterable[Any]]) -> Near:
    """A trial of a limit by numbers near it; see `approaches`."""
    return Near(values)


def sequences(cases: Callable[[], Iterable[Any]]) -> Trial:
    """A trial of an equation between members of sequences; see `evaluate_sequences`."""
    return lambda claim: evaluate_sequences(cases())(claim)
