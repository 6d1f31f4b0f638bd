"""The theory's pages, written from the registry of theorems before the sources are read.

One page for each part of the theory, an index and the references. Every derivation is checked while
the page is written, so a status on it is that of this build; a failed check fails the build.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

from delaystability.printing.bibliography import REFERENCES
from delaystability.printing.collection import Chapter, collected, counted, entries
from delaystability.printing.formal import known_as, proved_in
from delaystability.printing.html import (
    prior_art_html,
    proof_html,
    reference_html,
    statement_html,
)
from delaystability.printing.markdown import claim_markdown
from delaystability.theory.derivation import CheckedProof
from delaystability.theory.registry import checked, names, number_of, result_name

__all__ = ["pages", "setup"]

_INTRODUCTION = r"""# The theory

An optimizer with learning rate $\eta$ applies gradients that were computed $\tau$ updates earlier.
Near a minimum whose Hessian has the eigenvalue $h$, all depends on the *gain* $a = \eta h$: the
loop is stable if all roots of its characteristic equation lie inside the unit circle. Where the
stable gains are $0 < a < a_\ast$, the *threshold* $a_\ast$ decides which minima the run can stay
in: those of *sharpness* (largest eigenvalue) below $a_\ast/\eta$. The learning rate is that of
`torch.optim.SGD`, and $m$ is the momentum; [all symbols](../notation.md) have a page.
"""

_LEGEND = """
## How a theorem is known

| status | meaning |
|---|---|
| {exact} | an equation |
| {sufficient} | a bound below which every gain is stable |
| {necessary} | a bound above which no gain is |
| {asymptotic} | a limit |
| {tested} | some step was only tried on a grid: not proved |

Proofs are lists of steps, and each step says how it is known: {proved} by exact algebra, for every
delay at once; {deduced} in words from steps and theorems that are checked themselves, and confirmed
numerically besides; {cited} from the literature; or {tested} on a grid only.

The same theory as one LaTeX article: `delaystability derive all --format latex -o article.tex`.

## The results at a glance

A theorem or lemma has a number, and what belongs to it a number under it: 4.2 is the second
corollary, remark or example of the fourth result. The last column is the line of
[`formal/Theorems.v`](../formal.md) on which a proof begins that a kernel has checked.
"""
_STATUSES = (
    *("exact", "sufficient", "necessary", "asymptotic", "tested"),
    *("proved", "deduced", "cited"),
)


def _badge(status: str) -> str:
    return f'<span class="status {status}">{status}</span>'


def pages(chapters: tuple[Chapter, ...]) -> dict[str, str]:
    """The Markdown of each page, by its name: one a chapter, ``index`` and ``references``."""
    told = entries(chapters)
    place = {entry.name: chapter.label for chapter in chapters for entry in chapter.entries}
    written = {chapter.label: _chapter(chapter, place) for chapter in chapters}
    written["index"] = _index(chapters, counted(told))
    written["references"] = f"# References\n\n{reference_html(sorted(REFERENCES))}\n"
    return written


def _index(chapters: tuple[Chapter, ...], count: str) -> str:
    legend = _LEGEND.format(**{status: _badge(status) for status in _STATUSES})
    rows = []
    for chapter in chapters:
        rows += [f"\n### [{chapter.title}]({chapter.label}.md)\n"]
        rows += [
            "```{rst-class} theorems\n```\n",
            "| | result | claim | | Rocq |",
            "|---|---|---|---|---|",
        ]
        rows += map(_row, chapter.entries)
    listed = "\n".join([chapter.label for chapter in chapters] + ["references"])
    contents = f"```{{toctree}}\n:hidden:\n\n{listed}\n```"
    return "\n".join([_INTRODUCTION, count, legend, *rows, "", contents, ""])


def _row(entry: CheckedProof) -> str:
    claim, domain = claim_markdown(entry.theorem.statement)
    where = f"; {domain}" if domain else ""
    title = f"[{entry.theorem.title}](#theorem-{entry.name})"
    proof = proved_in(entry.theorem)
    cells = (
        number_of(entry.name),
        title,
        f"{claim}{where}",
        _badge(entry.status),
        f"{proof.line}" if proof else "",
    )
    return f"| {' | '.join(cells)} |"


def _chapter(chapter: Chapter, place: dict[str, str]) -> str:
    theorems = [_theorem(entry, place) for entry in chapter.entries]
    return "\n\n".join([f"# {chapter.title}", *theorems, ""])


def _theorem(entry: CheckedProof, place: dict[str, str]) -> str:
    theorem = entry.theorem
    steps = entry.report.summary().split(": ", 1)[1]
    noun = "Proof" if entry.complete else "Derivation"
    sources = ", ".join(f'<a href="references.html#{key}">[{key}]</a>' for key in theorem.sources)
    parts = [
        f"(theorem-{entry.name})=\n## {theorem.title}\n",
        f'<div class="theorem"><p class="head"><b>{result_name(entry.name)}</b> '
        f'{_badge(entry.status)}{_formal(entry)} <code>ds.derive("{entry.name}")</code>'
        f"{f' <span>{sources}</span>' if sources else ''}</p>"
        f"{_linked(statement_html(entry) + prior_art_html(entry), place)}</div>\n",
        f"<details><summary>{noun}: {steps}</summary>{_linked(proof_html(entry), place)}</details>",
    ]
    return "\n".join(re.sub(r"\n\s*\n", "\n", part) if "<" in part[:1] else part for part in parts)


def _formal(entry: CheckedProof) -> str:
    """Where its proof in Rocq stands, if it has one."""
    proof = proved_in(entry.theorem)
    if not proof:
        return ""
    words = known_as(entry).removeprefix(f"{entry.status}, ")
    return f" <span>{words}: <code>{proof.file}</code>, line {proof.line}</span>"


def _linked(text: str, place: dict[str, str]) -> str:
    """The links of one page made links between the pages."""

    def target(match: re.Match[str]) -> str:
        name = match[1]
        page = f"{place[name]}.html#theorem-{name}" if name in place else f"references.html#{name}"
        return f'href="{page}"'

    return re.sub(r"\s*\n\s*", " ", re.sub(r'href="#([^"]+)"', target, text))


def _link_theorems(
    app: Sphinx, what: str, name: str, found: Any, options: Any, lines: list[str]
) -> None:
    """The theorems that a docstring names among its references become links to them."""
    known = names()

    def linked(match: re.Match[str]) -> str:
        return f":ref:`{match[1]} <theorem-{match[1]}>`" if match[1] in known else match[0]

    start = next((i for i, line in enumerate(lines) if "rubric:: References" in line), len(lines))
    for i in range(start, len(lines)):
        lines[i] = re.sub(r"``([\w-]+)``", linked, lines[i])


def _write(app: Sphinx) -> None:
    folder = Path(app.srcdir) / "theory"
    folder.mkdir(exist_ok=True)
    chapters = collected([checked(name) for name in names()])
    failed = [entry.name for entry in entries(chapters) if entry.status == "failed"]
    if failed:
        raise ExtensionError(f"the checks of these theorems fail: {', '.join(failed)}")
    written = pages(chapters)
    for stale in set(folder.glob("*.md")) - {folder / f"{name}.md" for name in written}:
        stale.unlink()
    for name, text in written.items():
        path = folder / f"{name}.md"
        # An unchanged page keeps its date, and is not read again.
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Write the pages as soon as the builder is there, and link docstrings to them."""
    app.connect("builder-inited", _write)
    # After napoleon, which makes the sections.
    app.connect("autodoc-process-docstring", _link_theorems, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
