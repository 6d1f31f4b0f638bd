"""One page of Markdown about experiments that were run, from the files that they wrote.

Run with ``python -m delaystability.validation.results_page FOLDER``: reads FOLDER/NAME/NAME.json,
and FOLDER/NAME/remarks.md where somebody has found out why a statement does not hold.
With ``summary`` after it: what `delaystability.validation.committed` reads, as JSON.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from delaystability.files.summaries import read_summary

__all__ = ["results_page", "results_summary"]

_HEAD = """<!-- Written by delaystability.validation.results_page; a test compares it. -->

# Experiments

What trained networks and simulated loops did, against what the theory says. A statement that does
not hold stands here as it came out; *undecided* is one whose interval is wider than what is
required, or which has fewer cases than it takes to tell it from chance (six, if all of them have to
agree). Every experiment is one command, `delaystability validate NAME`; with `--quick` it takes
seconds, with `--full` hours.
"""


def results_page(folder: Path) -> str:
    """The page: a table of all experiments, then the findings and figures of each.

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
    rows = [
        f"| [{found['experiment']}](#{found['experiment']}) | {found['title']} | {found['trials']} "
        f"| {_outcome(found)} |"
        for found in results
    ]
    index = ["| experiment | what | trials | statements that hold |", "|---|---|---|---|", *rows]
    return "\n".join([_HEAD, *index, "", *(_section(found, folder) for found in results)])


def results_summary(folder: Path) -> list[dict[str, Any]]:
    """What the experiments in a folder found, in short: plain data for the report.

    Raises
    ------
    ValueError
        As by `results_page`.
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


def _outcome(found: dict[str, Any]) -> str:
    lines = found["verdict"]["lines"]
    undecided = sum(line["outcome"] == "undecided" for line in lines)
    told = f", {undecided} undecided" if undecided else ""
    return f"{sum(line['outcome'] == 'holds' for line in lines)} of {len(lines)}{told}"


def _section(found: dict[str, Any], folder: Path) -> str:
    name, origin = found["experiment"], found["provenance"]
    remarks = folder / name / "remarks.md"
    figures = [file for file in found["files"] if file.endswith(".png")]
    packages = ("delaystability", "torch", "numpy")
    versions = ", ".join(f"{package} {origin['versions'][package]}" for package in packages)
    settings = ", ".join(f"{key} {value}" for key, value in found["settings"].items() if value)
    lines = [
        f"## {name}",
        f"{found['title']}.",
        *(f"![{name}: {file}]({name}/{file})" for file in figures),
        "\n".join(
            [
                "| statement | measured | required | |",
                "|---|---|---|---|",
                *(_row(line) for line in found["verdict"]["lines"]),
            ]
        ),
        *([_remarks(remarks)] if remarks.is_file() else []),
        *map(_table, found["verdict"]["summary"].get("tables", [])),
        f"{found['trials']} trials; {settings}; {origin['device_name']}, {versions}, "
        f"commit `{(origin['commit'] or 'unknown')[:12]}`, {origin['date']}.",
    ]
    return "\n\n".join(lines) + "\n"


def _remarks(path: Path) -> str:
    """The remarks, with their figures, which lie beside them, as seen from the page."""
    text = path.read_text(encoding="utf-8").strip()
    return re.sub(r"(!\[[^]]*\]\()", rf"\1{path.parent.name}/", text)


def _row(line: dict[str, Any]) -> str:
    outcome = line["outcome"]
    told = outcome if outcome == "holds" else f"**{outcome}**"
    if outcome == "undecided" and line["count"] < line["needed"]:
        told += f" (n = {line['count']}, needs {line['needed']})"
    return _cells([line["statement"], line["measured"], line["required"], told])


def _table(table: dict[str, Any]) -> str:
    columns = table["columns"]
    lines = [_cells(columns), "|---" * len(columns) + "|", *map(_cells, table["rows"])]
    return f"{table['title']}:\n\n" + "\n".join(lines)


def _cells(cells: list[str]) -> str:
    # A bar would end the cell.
    safe = (cell.replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(safe)} |"


if __name__ == "__main__":
    place = Path(sys.argv[1])
    if sys.argv[2:] == ["summary"]:
        print(json.dumps(results_summary(place), indent=1))
    else:
        sys.stdout.write(results_page(place))
