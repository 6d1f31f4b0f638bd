"""All theorems on one page of Markdown, with an index and proofs that open at a click."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from delaystability.printing.collection import Chapter, collected, counted, entries
from delaystability.printing.formal import known_as, proved_in
from delaystability.printing.markdown import (
    cited_in,
    claim_markdown,
    prior_art_markdown,
    proof_markdown,
    references_markdown,
    statement_markdown,
)
from delaystability.theory.derivation import CheckedProof
from delaystability.theory.registry import checked, names, number_of, result_name

__all__ = ["theory_page"]

_HEAD = r"""<!-- Written by delaystability.printing.theory_page; a test compares it. -->

# The theorems

An optimizer with learning rate $\eta$ applies gradients that were computed $\tau$ updates earlier.
Near a minimum whose Hessian has the eigenvalue $h$, all depends on the *gain* $a = \eta h$: the
loop is stable if all roots of its characteristic equation lie inside the unit circle. Where the
stable gains are $0 < a < a_\ast$, the *threshold* $a_\ast$ decides which minima the run can stay
in: those of *sharpness* (largest eigenvalue) below $a_\ast/\eta$. The learning rate is that of
`torch.optim.SGD`, and $m$ is the momentum.

"""

_LEGEND = """
*Exact*: an equation. *Sufficient*: a bound below which every gain is stable. *Necessary*: a bound
above which none is. *Asymptotic*: a limit. *Formal*: proved in Rocq as well, with all inferences.
*Algebra*: every formula is exact or deduced from such, and the inferences are in words, which no
program checks. *Tested*: a step was tried on points but is not proved.
A theorem or lemma has a number, and a corollary, remark or example one under that of the result to
which it belongs. After each theorem and lemma stands what was known before, as far as a search of
the literature showed; how far a bound is off at worst was found on a grid of delays up to $10^5$.
In the proofs, a step is *proved* by exact algebra, for every delay at once; *deduced* in words from
steps and theorems that are checked themselves, and put to trial besides; *cited* from the
literature; or *tested* on a grid only. Where lemmas of `formal/` stand in brackets, Rocq proves the
same there, in the same order.

The same text as a LaTeX article: `delaystability derive all --format latex -o article.tex`.
"""


def theory_page(given: Sequence[CheckedProof]) -> str:
    """Index, theorems with their proofs, and references, as Markdown with HTML anchors.

    Theorems that the given ones need are told too. The text is the same from run to run.
    """
    chapters = collected(given)
    told = entries(chapters)
    body = "\n\n".join(_chapter(chapter) for chapter in chapters)
    sources = {key for entry in told for key in entry.theorem.sources}
    keys = cited_in(body, *sources)
    return "\n".join(
        [
            f"{_HEAD}{counted(told)}",
            _LEGEND,
            *_index(chapters),
            "",
            body,
            "",
            "## References",
            "",
            references_markdown(keys),
            "",
        ]
    )


def _index(chapters: Sequence[Chapter]) -> list[str]:
    told = entries(chapters)
    head = ["| | Result | Claim | Where | Status | Rocq |", "|---|---|---|---|---|---|"]
    numbered = [_row(entry) for entry in told if not entry.theorem.of]
    under = [_row(entry) for entry in told if entry.theorem.of]
    lines = ["## The results at a glance", "", *head, *numbered]
    if under:
        lines += ["", "### Corollaries, remarks and examples of them", "", *head, *under]
    return lines


def _row(entry: CheckedProof) -> str:
    theorem = entry.theorem
    claim, domain = claim_markdown(theorem.statement, everything=not theorem.of)
    title = f"[{theorem.title}](#theorem-{entry.name})"
    proof = proved_in(theorem)
    place = f"[line {proof.line}](../{proof.file}#L{proof.line})" if proof else ""
    cells = (number_of(entry.name), title, claim, domain, known_as(entry), place)
    return f"| {' | '.join(cells)} |"


def _chapter(chapter: Chapter) -> str:
    return "\n\n".join([f"## {chapter.title}", *map(_theorem, chapter.entries)])


def _theorem(entry: CheckedProof) -> str:
    theorem = entry.theorem
    steps = entry.report.summary().split(": ", 1)[1]
    noun = "Proof" if entry.complete else "Derivation"
    return "\n\n".join(
        [
            f'<a id="theorem-{entry.name}"></a>\n\n### {theorem.title}',
            statement_markdown(entry, _linked),
            *prior_art_markdown(entry, _linked),
            f"<details><summary>{noun}: {steps}</summary>",
            proof_markdown(entry, _linked),
            "</details>",
        ]
    )


def _linked(name: str, opening: bool) -> str:
    return f"[{result_name(name)}](#theorem-{name})"


if __name__ == "__main__":
    sys.stdout.write(theory_page([checked(name) for name in names()]))
