"""Derivations as users get them: a theorem with its proof, which checks itself once and prints."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from delaystability.model.catalogue import Optimizer
from delaystability.model.loop import Loop
from delaystability.printing.article import article
from delaystability.printing.formal import FormalProof, evidence, formal_proof
from delaystability.printing.latex import fragment as theorem_and_proof
from delaystability.printing.markdown import markdown
from delaystability.printing.text import plain
from delaystability.theory.derivation import CheckedProof, Proof, Report
from delaystability.theory.proof_of import proof_of
from delaystability.theory.registry import checked_proof, named, names

__all__ = ["Derivation", "all_derivations", "derive"]


@dataclass(frozen=True)
class Derivation(Proof):
    """Prove a theorem by the steps that lead to it.

    The last step, labelled "conclusion", claims the relation of the theorem's statement.
    ``check()`` runs every check, once; ``latex()``, ``markdown()`` and ``text()`` print it.

    Attributes
    ----------
    theorem : Theorem
    steps : tuple of Step
    """

    @cached_property
    def _checked(self) -> CheckedProof:
        return checked_proof(self)

    def check(self) -> Report:
        """Check every step; a deduction whose premise failed or is missing fails with it.

        The check of the whole fails too if its last step does not claim what the theorem states.
        It runs once: printing, the status and further calls use the same report.

        Returns
        -------
        Report
        """
        return self._checked.report

    def status(self) -> str:
        """Status of the theorem, computed from its steps.

        Returns
        -------
        str
            What the statement is when it is proved ("exact", "sufficient", "necessary" or
            "asymptotic"), or "tested", or "failed".
        """
        return self._checked.status

    def evidence(self) -> str:
        """How the theorem is known, as far as that was checked.

        Returns
        -------
        str
            "formal" or "formal in part", by the kernel of Rocq; "algebra", where every formula is
            exact or deduced from such and the inferences are in words; "tested"; or "failed".

        Examples
        --------
        >>> import delaystability as ds
        >>> ds.derive("sgd-upper-bound").evidence()
        'formal'
        """
        return evidence(self._checked)

    def formal(self) -> FormalProof | None:
        """Proof in Rocq of exactly what the theorem states, which its kernel checked.

        Returns
        -------
        FormalProof or None
            Where it stands and which axioms are behind it; None if there is no such proof, or if
            the statement has changed since.

        Examples
        --------
        >>> import delaystability as ds
        >>> ds.derive("sgd").formal().file
        'formal/Theorems.v'
        """
        return formal_proof(self.theorem)

    def latex(self, *, fragment: bool = False) -> str:
        r"""Theorem and proof in LaTeX.

        Parameters
        ----------
        fragment : bool
            Whether it is to be read by ``\input`` after ``macros.tex``; else it is an article that
            compiles by itself.

        Returns
        -------
        str
        """
        return theorem_and_proof(self._checked) if fragment else article((self._checked,))

    def markdown(self) -> str:
        """Theorem and proof in Markdown.

        Returns
        -------
        str
            With mathematics between dollars.
        """
        return markdown(self._checked)

    def _repr_markdown_(self) -> str:
        return self.markdown()

    def text(self) -> str:
        """Theorem and proof as plain text.

        Returns
        -------
        str
            With two-dimensional formulas in Unicode.
        """
        return plain(self._checked)


@cache
def _named(name: str) -> Derivation:
    proof = named(name)
    return Derivation(proof.theorem, proof.steps)


def derive(
    optimizer: str | type[Optimizer] | Optimizer | Loop,
    delay: Any = None,
    *,
    decay: Any = 0,
    coupled: bool = False,
) -> Derivation:
    """Find a theorem with its checked steps; for an optimizer, that on its stability threshold.

    Parameters
    ----------
    optimizer : str, Optimizer or its class, or Loop
        The name of a theorem, as `all_derivations` lists them. An optimizer of the catalogue
        stands for its family: the theorem holds for symbolic momentum and every delay. For a
        LinearOptimizer the same machinery runs on its own tables, in which a float is read as the
        decimal number that it displays.
    delay : int, FixedDelay or MixedRead, optional
        With a delay, the theorem is about this optimizer with its numbers, at this delay only: its
        threshold as an algebraic number and all its stable gains, with a complete proof, whatever
        its coefficients are. These must be rational; a float is read as above.
    decay : number >= 0 or symbol
        Learning rate times weight decay. With a delay it must be a rational number. Without, SGD
        has its theorem, for every decay below 1; for other optimizers the threshold as the
        smallest crossing is derived and tried, with this decay or the symbol.
    coupled : bool
        Whether the decay goes through the optimizer, as in ``torch.optim.SGD``.

    Returns
    -------
    Derivation
        ``.steps``, ``.check()``, ``.latex()``, ``.markdown()``, ``.text()``

    Raises
    ------
    ValueError, TypeError
        For an unknown name or anything that is not an optimizer; with a delay, for a coefficient
        that is not rational, or one delay that is not an integer of moderate size.

    Examples
    --------
    >>> import delaystability as ds
    >>> ds.derive(ds.HeavyBall(0.9), delay=2).theorem.statement.relation
    Eq(a_*, -19/20 + sqrt(401)/20)
    >>> ds.derive(ds.HeavyBall(0.9), 2, decay=0.1, coupled=True).theorem.statement.relation
    Eq(a_*, -9/10 + sqrt(91)/10)
    """
    proof = proof_of(optimizer, delay, decay, coupled)
    if proof.name in names() and proof is named(proof.name):
        return _named(proof.name)
    return Derivation(proof.theorem, proof.steps)


def all_derivations() -> tuple[Derivation, ...]:
    """Every theorem of the registry, in its order.

    Returns
    -------
    tuple of Derivation
    """
    return tuple(map(_named, names()))
