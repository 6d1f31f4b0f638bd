"""Pages of Markdown about experiments that were run, from the files that they wrote.

Run with ``python -m delaystability.validation.results_page FOLDER``: reads FOLDER/NAME/NAME.json,
and FOLDER/NAME/remarks.md where somebody has found out why a statement does not hold, and writes
FOLDER/README.md, a table, and FOLDER/NAME/README.md, the page of each experiment.
With ``summary`` after it: prints what `delaystability.validation.committed` reads, as JSON.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from delaystability.files.summaries import read_summary
from delaystability.validation.experiments import EXPERIMENTS, load_experiment

__all__ = ["results_pages", "results_summary"]

_WRITTEN = "<!-- Written by delaystability.validation.results_page; a test compares it. -->"

_HEAD = f"""{_WRITTEN}

# Experiments

What trained networks and simulated loops did, against what the theory says. Each has a page, with
its figures and every statement that was decided. A statement that does not hold stands there as it
came out; *undecided* is one whose interval is wider than what is required, or which has fewer cases
than it takes to tell it from chance (six, if all of them have to agree). Every experiment is one
command of minutes, `delaystability validate NAME`; with `--quick` it takes seconds.
"""


def results_pages(folder: Path) -> dict[str, str]:
    """The table of all experiments, README.md, and the page of each, NAME/README.md.

    Parameters
    ----------
    folder : Path
        With one folder for each experiment, which holds NAME.json and its figures.

    Raises
    ------
    ValueError
        If there is no such file.
    """
    results = _results(folder)
    pages = {f"{found['experiment']}/README.md": _page(found, folder) for found in results}
    return {"README.md": _index(results), **pages}


def results_summary(folder: Path) -> list[dict[str, Any]]:
    """What the experiments in a folder found, in short: plain data for the report.

    Raises
    ------
    ValueError
        As by `results_pages`.
    """
    return [
        {
            "experiment": found["experiment"],
            "size": found["settings"]["size"],
            "date": found["provenance"]["date"][:10],
            "trials": found["trials"],
            "statements": len(found["verdict"]["lines"]),
            **{
                word: [
                    line["statement"]
                    for line in found["verdict"]["lines"]
                    if line["outcome"] == word
                ]
                for word in ("fails", "undecided")
            },
        }
        for found in _results(folder)
    ]


def _results(folder: Path) -> list[dict[str, Any]]:
    files = sorted(folder.glob("*/*.json"))
    if not files:
        raise ValueError(f"folder must hold NAME/NAME.json of experiments; none are in {folder}")
    return [read_summary(path) for path in files]


def _index(results: list[dict[str, Any]]) -> str:
    rows = [
        _cells(
            [
                f"[{found['experiment']}]({found['experiment']}/README.md)",
                _outcome(found),
                found["title"],
            ]
        )
        for found in results
    ]
    return "\n".join(
        [
            _HEAD,
            "| experiment | statements that hold | what is predicted |",
            "|---|---|---|",
            *rows,
            "",
            "```{toctree}",
            ":hidden:",
            "",
            *(f"{found['experiment']}/README" for found in results),
            "```",
            "",
        ]
    )


def _outcome(found: dict[str, Any]) -> str:
    counts = {word: len(_with(found, word)) for word in ("holds", "fails", "undecided", "invalid")}
    labels = {"fails": "fail" if counts["fails"] > 1 else "fails"}
    rest = "".join(
        f", {count} {labels.get(word, word)}"
        for word, count in counts.items()
        if count and word != "holds"
    )
    return f"{counts['holds']} of {sum(counts.values())}{rest}"


def _with(found: dict[str, Any], *outcomes: str) -> list[dict[str, Any]]:
    return [line for line in found["verdict"]["lines"] if line["outcome"] in outcomes]


def _page(found: dict[str, Any], folder: Path) -> str:
    """Question, prediction, figure, result and verdict; what else there is opens at a click."""
    name = found["experiment"]
    remarks = folder / name / "remarks.md"
    known = load_experiment(name) if name in EXPERIMENTS else None
    figures = [
        _figure(file, known.caption(file) if known else found["title"])
        for file in found["files"]
        if file.endswith(".png")
    ]
    first = found["verdict"]["lines"][0]
    parts = [
        _WRITTEN,
        f"# {name}",
        *([f"**Question.** {known.question}"] if known and known.question else []),
        f"**Prediction.** {prose(found['title'])}.",
        *figures[:1],
        f"**Result.** {prose(first['statement'])}: {prose(first['measured'])}.",
        f"**Verdict.** Statements that hold: {_outcome(found)}.",
        "\n".join(map(_line, _with(found, "fails", "invalid"))),
        *([remarks.read_text(encoding="utf-8").strip()] if remarks.is_file() else []),
        *(
            _folded(f"What {word} ({len(lines)})", ["\n".join(map(_line, lines))] if lines else [])
            for word, lines in (
                ("is undecided", _with(found, "undecided")),
                ("holds", _with(found, "holds")),
            )
        ),
        _folded("More figures", figures[1:]),
        _folded("Tables", [*map(_table, found["verdict"]["summary"].get("tables", []))]),
        _folded("How it was run", [_origin(found)]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _figure(file: str, caption: str) -> str:
    return f"[![{file}]({file})]({file})\n\n*{prose(caption)}*"


def _line(line: dict[str, Any]) -> str:
    """A statement, with what was found and what it needed."""
    outcome = line["outcome"]
    told = f"**{outcome}**: " if outcome in ("fails", "invalid") else ""
    few = outcome == "undecided" and line["count"] < line["needed"]
    cases = f" Cases: {line['count']}, of {line['needed']} that it takes." if few else ""
    statement, measured, required = (prose(line[k]) for k in ("statement", "measured", "required"))
    return f"- {told}{statement}. *Found:* {measured}. *Required:* {required}.{cases}"


def _folded(summary: str, parts: list[str]) -> str:
    inside = "\n\n".join(parts)
    return f"<details><summary>{summary}</summary>\n\n{inside}\n\n</details>" if parts else ""


def _origin(found: dict[str, Any]) -> str:
    origin = found["provenance"]
    packages = ("delaystability", "torch", "numpy")
    versions = ", ".join(f"{package} {origin['versions'][package]}" for package in packages)
    settings = ", ".join(f"{key} {value}" for key, value in found["settings"].items() if value)
    return (
        f"{found['trials']} trials; {settings}; {origin['device_name']}, {versions}, "
        f"commit `{(origin['commit'] or 'unknown')[:12]}`, {origin['date']}."
    )


def _table(table: dict[str, Any]) -> str:
    columns = table["columns"]
    lines = [_cells(columns), "|---" * len(columns) + "|", *map(_cells, table["rows"])]
    return f"{table['title']}:\n\n" + "\n".join(lines)


def _cells(cells: list[str]) -> str:
    # A bar would end the cell.
    safe = (cell.replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(safe)} |"


def prose(text: str) -> str:
    """The text with what Markdown would take for markup escaped."""
    return re.sub(r"([\\`*_<>\[\]|])", r"\\\1", text)


if __name__ == "__main__":
    place = Path(sys.argv[1])
    if sys.argv[2:] == ["summary"]:
        print(json.dumps(results_summary(place), indent=1))
    else:
        for name, text in results_pages(place).items():
            (place / name).write_text(text, encoding="utf-8")
