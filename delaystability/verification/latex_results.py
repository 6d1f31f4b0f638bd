"""The verdict, the experiments and the certified thresholds of the report in LaTeX."""

from __future__ import annotations

import re
import unicodedata

from delaystability.printing.bibliography import latex_escaped
from delaystability.validation.verdict import Outcome
from delaystability.verification.contents import (
    BANNER,
    Contents,
    ExperimentPart,
    Picture,
    TrainedRow,
    enclosure,
    known,
)
from delaystability.verification.thresholds import ThresholdRow

__all__ = ["PACKAGES", "latex_text", "results", "verdict"]

PACKAGES = r"""\usepackage{graphicx,xcolor}
\definecolor{good}{HTML}{00694F}
\definecolor{bad}{HTML}{A12000}
\definecolor{open}{HTML}{8A5A00}
\newcommand{\undecided}[1]{\leavevmode{\small\sffamily\color{open}#1}}
\newcommand{\known}[1]{\leavevmode{\small\sffamily\color{good}#1}}
\makeatletter
% A figure that stays where it is: floats and tables over several pages do not go together.
\newenvironment{shown}{\par\addvspace{8pt}\noindent
  \begin{minipage}{\linewidth}\centering\def\@captype{figure}}{\end{minipage}\par\addvspace{8pt}}
\makeatother
\newcommand{\failed}[1]{\leavevmode{\small\sffamily\bfseries\color{bad}#1}}
"""

_SYMBOLS = {
    "×": r"\times",
    "√": r"\surd",
    "∝": r"\propto",
    "≤": r"\le",
    "≥": r"\ge",
    "≈": r"\approx",
    "∞": r"\infty",
    "−": "-",
    "±": r"\pm",
    "·": r"\cdot",
    "→": r"\to",
    "<": "<",
    ">": ">",
    "|": "|",
    "²": "^2",
    "³": "^3",
}
_TEXT = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}


def latex_text(text: str) -> str:
    """Any plain text as LaTeX. A symbol that is not foreseen stands there by its Unicode name."""
    return "".join(map(_character, text))


def _character(character: str) -> str:
    if character in _SYMBOLS:
        return f"${_SYMBOLS[character]}$"
    if character in _TEXT:
        return _TEXT[character]
    named = unicodedata.name(character, hex(ord(character)))
    greek = re.fullmatch(r"GREEK (SMALL|CAPITAL) LETTER (\w+)", named)
    if greek:
        letter = greek[2].lower().replace("lamda", "lambda")
        return rf"$\{letter if greek[1] == 'SMALL' else letter.capitalize()}$"
    escaped = latex_escaped(character)
    if escaped != character or ord(character) < 256:  # Latin letters are read as UTF-8
        return escaped
    return f"[{named.lower()}]"


def _code(text: str) -> str:
    # Two hyphens would become a dash.
    return rf"\texttt{{{latex_text(text).replace('--', '-{}-')}}}"


def _known(holds: bool, good: str, bad: str) -> str:
    return rf"\known{{{good}}}" if holds else rf"\failed{{{bad}}}"


def _outcome(outcome: Outcome) -> str:
    macro = {Outcome.HOLDS: "known", Outcome.UNDECIDED: "undecided"}.get(outcome, "failed")
    return rf"\{macro}{{{known(outcome)}}}"


def verdict(shown: Contents) -> str:
    """What was derived, certified and trained, and by what."""
    found, provenance, settings = shown.found, shown.provenance, shown.settings
    statuses = ", ".join(f"{count} {word}" for word, count in shown.statuses.items())
    steps = ", ".join(f"{count} {word}" for word, count in shown.steps.items() if count)
    versions = ", ".join(f"{k} {v or 'not installed'}" for k, v in provenance["versions"].items())
    rows = [
        (
            "Derived",
            rf"{shown.theorems} theorems: {statuses}. "
            rf"{sum(shown.steps.values())} steps: {steps}.",
            r"\cref{sec:results}",
        ),
        (
            "Certified",
            rf"{shown.agreeing} of {len(found.thresholds)} thresholds agree with theorem and "
            rf"certificate; the enclosures are at most $10^{{-{shown.digits}}}$ wide. Largest "
            rf"error in double precision: {shown.largest_error:.2g} units in the last place.",
            r"\cref{sec:certified}",
        ),
        (
            "Trained",
            rf"{len(shown.statements)} statements: {shown.counted}, in {shown.trials} "
            r"trained networks and simulated loops.",
            r"\cref{sec:measured}",
        ),
    ]
    facts = [
        ("made by", rf"{_code(shown.command)} in {found.seconds:.3g} s"),
        (
            "device",
            latex_text(
                f"{provenance['device']} ({provenance['device_name']}), {provenance['dtype']}, "
                f"{provenance['threads']} threads; {provenance['platform']}"
            ),
        ),
        ("versions", latex_text(versions)),
        ("commit", latex_text(provenance["commit"] or "not run from a checkout")),
        ("seed", str(settings["seed"])),
    ]
    lines = [
        r"\section*{Verdict}",
        _banner(shown),
        r"\begin{center}\small\begin{tabular}{@{}lp{104mm}l@{}}",
        *(
            rf"\textbf{{{what}}} & {_breakable(said)} & {where} \\[3pt]"
            for what, said, where in rows
        ),
        r"\end{tabular}\end{center}",
        r"\begin{center}\footnotesize\begin{tabular}{@{}lp{128mm}@{}}",
        *(rf"{name} & {_breakable(value)} \\" for name, value in facts),
        r"\end{tabular}\end{center}",
    ]
    return "\n".join(lines)


def _banner(shown: Contents) -> str:
    said = latex_text(f" {shown.banner} {shown.committed}")
    if shown.found.ok:
        colour = "good" if shown.found.outcome is Outcome.HOLDS else "open"
        banner = BANNER[shown.found.outcome]
        return rf"\noindent\textbf{{\color{{{colour}}}{banner}.}}{said}"
    failures = (*shown.found.failures, *shown.found.invalid)
    items = "\n".join(rf"\item {_breakable(latex_text(f))}" for f in failures)
    return (
        rf"\noindent{{\Large\bfseries\color{{bad}}{BANNER[shown.found.outcome]}: "
        rf"{len(failures)}.}}{said}"
        "\n{\\small\\color{bad}\\begin{itemize}\n" + items + "\n\\end{itemize}}"
    )


def _breakable(text: str) -> str:
    """Long numbers and names may break anywhere sensible, as a ragged paragraph."""
    parts = re.sub(r"(\d{12})(?=\d)|(?<=\d)(?=\[)", r"\1\\allowbreak{}", text)
    return rf"\raggedright\arraybackslash {parts}"


def results(shown: Contents) -> str:
    """The sections on experiments and on certified thresholds."""
    return "\n".join(
        [
            r"\section{Predicted, certified, measured}\label{sec:measured}",
            r"Trials support a statement; they do not prove it. A statement that holds in all that "
            r"was asked of it is \known{seen}. Every trial, with its settings, is in "
            r"\texttt{experiments/} beside this document.",
            *map(_experiment, shown.experiments, [shown] * len(shown.experiments)),
            _certified(shown),
        ]
    )


def _experiment(part: ExperimentPart, shown: Contents) -> str:
    rows = [
        rf"{row.number} & {_cell(row.finding.statement)} & {_cell(row.finding.measured)} & "
        rf"{_cell(row.finding.required)} & "
        rf"\raggedright\arraybackslash {_outcome(row.finding.outcome)} "
        rf"{row.finding.evidence} \\ \noalign{{\vskip 3pt}}"
        for row in part.statements
    ]
    size, trials = part.result.settings["size"], part.result.sweep.trials
    return "\n".join(
        [
            rf"\subsection{{{latex_text(part.result.experiment.title)}}}"
            rf"\label{{sec:experiment-{part.name}}}",
            rf"{_outcome(part.result.verdict.outcome)} in {trials} trials of {size} size, "
            rf"{part.result.seconds:.3g} s. Trials: {_code(part.result.database.name)}; "
            rf"statistics and provenance: {_code(part.result.report.name)}; again: "
            rf"{_code(part.command)}.",
            _trained(part.trained, shown) if part.trained else "",
            r"{\footnotesize\setlength{\tabcolsep}{4pt}",
            r"\begin{longtable}{@{}rp{50mm}p{40mm}p{31mm}p{20mm}@{}}",
            r"& Statement & found & required & \\[2pt] \hline \noalign{\vskip 3pt} \endhead",
            *rows,
            r"\end{longtable}}",
            *map(_picture, part.pictures),
        ]
    )


def _cell(text: str) -> str:
    return _breakable(latex_text(text))


def _trained(rows: tuple[TrainedRow, ...], shown: Contents) -> str:
    lines = []
    for row in rows:
        theorem = rf"\cref{{thm:{row.name}}}" if row.name in shown.theorem_names else ""
        mark = _known(row.at_edge, "at the edge", "misses")
        lines.append(
            rf"{_cell(row.setting)} & {row.predicted:.6g} & {theorem} & "
            rf"{_breakable(enclosure(row.certificate))} & {row.measured:.4g} & "
            rf"{row.ratio['value']:.3f} & "
            rf"{row.ratio['low']:.3f}--{row.ratio['high']:.3f} & {mark} "
            r"\\ \noalign{\vskip 3pt}"
        )
    return "\n".join(
        [
            r"{\footnotesize\setlength{\tabcolsep}{3.5pt}",
            r"\begin{longtable}{@{}p{21mm}rlp{24mm}rrll@{}}",
            r"Trained with & $a_*$ & by & certified & measured & ratio & 95\,\% interval & "
            r"\\[2pt] \hline \noalign{\vskip 3pt} \endhead",
            *lines,
            r"\end{longtable}}",
        ]
    )


def _picture(picture: Picture) -> str:
    return "\n".join(
        [
            r"\begin{shown}",
            rf"\includegraphics[width=\linewidth,height=0.42\textheight,keepaspectratio]"
            rf"{{experiments/{picture.path.name}}}",
            rf"\caption{{{latex_text(picture.title)}. "
            rf"File {_code(picture.path.name)}.}}",
            r"\end{shown}",
        ]
    )


def _certified(shown: Contents) -> str:
    rows = map(_certified_row, shown.found.thresholds)
    return "\n".join(
        [
            r"\section{Certified thresholds}\label{sec:certified}",
            r"Both ends of an enclosure are decided in exact or ball arithmetic, and no smaller "
            r"gain has a root on the unit circle. The exact ends are in "
            r"\texttt{certificates.json}. The error is that of the double-precision "
            r"threshold, in units of $2^{-52}$.",
            r"\begin{shown}",
            r"\includegraphics[width=0.86\linewidth]{certified-thresholds.pdf}",
            r"\caption{Lines: the fast kernel, in double precision. Marks: certified enclosures, "
            r"far narrower than the marks.}",
            r"\end{shown}",
            r"{\scriptsize\setlength{\tabcolsep}{4pt}",
            r"\begin{longtable}{@{}lrrp{66mm}rl@{}}",
            r"optimizer & momentum & delay & certified enclosure & error & \\[2pt] \hline "
            r"\noalign{\vskip 3pt} \endhead",
            *rows,
            r"\end{longtable}}",
        ]
    )


def _certified_row(row: ThresholdRow) -> str:
    momentum = "" if row.momentum is None else f"${row.momentum}$"
    mark = _known(row.ok, "certified", "disagrees")
    return (
        rf"{row.name} & {momentum} & {row.delay} & {_breakable(enclosure(row.certificate))} & "
        rf"{row.relative_error * 2.0**52:.2f} & {mark} \\"
    )
