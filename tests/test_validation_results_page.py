"""The pages of results are made from the files that the experiments wrote."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from delaystability.validation.committed import Committed, committed_results, committed_text
from delaystability.validation.experiments import load_experiment
from delaystability.validation.results_page import prose, results_pages, results_summary

FOLDER = Path(__file__).parent.parent / "docs" / "validation"
RESULTS = sorted(FOLDER.glob("*/*.json"))
FOLDED = re.compile(r"<details>.*?</details>", re.DOTALL)


def escape() -> dict:
    return json.loads((FOLDER / "escape" / "escape.json").read_text(encoding="utf-8"))


def page(folder: Path, found: dict) -> str:
    """The page of one experiment from a changed file."""
    (folder / "escape").mkdir(exist_ok=True)
    (folder / "escape" / "escape.json").write_text(json.dumps(found), encoding="utf-8")
    return results_pages(folder)["escape/README.md"]


def test_the_committed_pages_are_up_to_date():
    for name, text in results_pages(FOLDER).items():
        assert (FOLDER / name).read_text(encoding="utf-8") == text, (
            f"{name}: python -m delaystability.validation.results_page docs/validation"
        )


def test_the_table_has_one_line_for_each_experiment_and_leads_to_its_page():
    text = results_pages(FOLDER)["README.md"]
    rows = re.findall(r"^\| \[([\w-]+)\]\(([\w-]+)/README\.md\) \|", text, re.MULTILINE)
    assert rows == [(path.stem, path.stem) for path in RESULTS]
    assert text.count("\n| ") == len(rows) + 1
    assert all(f"\n{name}/README\n" in text for name, _ in rows)


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_a_page_states_question_prediction_result_and_verdict_with_one_figure(path):
    found, experiment = json.loads(path.read_text(encoding="utf-8")), load_experiment(path.stem)
    text = results_pages(FOLDER)[f"{path.stem}/README.md"]
    shown = FOLDED.sub("", text)
    places = [
        shown.index(part)
        for part in (
            f"**Question.** {experiment.question}",
            f"**Prediction.** {prose(experiment.title)}.",
            f"**Result.** {prose(found['verdict']['lines'][0]['statement'])}",
            "**Verdict.** Statements that hold:",
        )
    ]
    assert places == sorted(places)
    assert experiment.question.endswith("?")
    figures = [file for file in found["files"] if file.endswith(".png")]
    # Those of remarks stand beside the experiment's own.
    remarks = path.parent / "remarks.md"
    told = remarks.read_text(encoding="utf-8").count("](") if remarks.is_file() else 0
    assert shown.count("[![") == 1 and shown.count("](") <= 2 + told
    for file in figures:
        assert f"[![{file}]({file})]({file})\n\n*" in text
        assert experiment.caption(file) in experiment.captions.values(), file
        assert prose(experiment.caption(file)) in text
    for link in re.findall(r"\]\((?!#)([^)]+)\)", text):
        assert (path.parent / link).exists(), link
    for line in found["verdict"]["lines"]:
        # What fails needs no click.
        assert prose(line["statement"]) in (shown if line["outcome"] == "fails" else text)
    assert shown.count("**fails**") == sum(
        line["outcome"] == "fails" for line in found["verdict"]["lines"]
    )


def test_a_changed_result_changes_its_page_and_the_table(tmp_path):
    found = escape()
    for outcome in ("holds", "fails", "undecided"):
        found["verdict"]["lines"][0]["outcome"] = outcome
        text = page(tmp_path, found)
        assert ("**fails**" in text) == (outcome == "fails")
        assert ("<summary>What is undecided (1)</summary>" in text) == (outcome == "undecided")
        entry = Committed(**results_summary(tmp_path)[0])
        assert entry.holds == 5 - (outcome != "holds")
        told = "5 of 5" if outcome == "holds" else f"4 of 5, 1 {outcome}"
        assert f"| {told} | Runs leave" in results_pages(tmp_path)["README.md"]
    for line in found["verdict"]["lines"]:  # a file of an earlier version
        del line["outcome"]
    found["verdict"]["lines"][0]["holds"] = False
    assert page(tmp_path, found).count("**fails**") == 1


def test_remarks_on_an_experiment_stand_below_what_fails(tmp_path):
    found = escape()
    found["verdict"]["lines"][1]["outcome"] = "fails"
    without = page(tmp_path, found)
    (tmp_path / "escape" / "remarks.md").write_text("\nWhy it is so.\n\n![a](a.png)\n")
    text = page(tmp_path, found)
    assert text.replace("Why it is so.\n\n![a](a.png)\n\n", "") == without
    assert text.index("**fails**") < text.index("Why it is so.") < text.index("147 trials;")


def unexplained(path: Path) -> list[str]:
    """The statements that do not hold, if nobody says why or that it is not known."""
    lines = json.loads(path.read_text(encoding="utf-8"))["verdict"]["lines"]
    remarks = path.parent / "remarks.md"
    # A sentence or more; that it fits is for a reader to judge.
    if remarks.is_file() and len(remarks.read_text(encoding="utf-8").split()) > 20:
        return []
    return [line["statement"] for line in lines if line["outcome"] != "holds"]


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_what_does_not_hold_has_remarks_on_its_page(path, tmp_path):
    assert not unexplained(path)
    found = json.loads(path.read_text(encoding="utf-8"))
    found["verdict"]["lines"][0]["outcome"] = "undecided"
    alone = tmp_path / path.name
    alone.write_text(json.dumps(found), encoding="utf-8")
    assert found["verdict"]["lines"][0]["statement"] in unexplained(alone), "control: no remarks"


def test_the_published_results_that_are_packaged_are_those_of_the_page():
    packaged = [vars(entry) for entry in committed_results()]
    there = [
        {**entry, "fails": tuple(entry["fails"]), "undecided": tuple(entry["undecided"])}
        for entry in results_summary(FOLDER)
    ]
    assert packaged == there, "python -m delaystability.validation.results_page FOLDER summary"
    text = committed_text()
    # What fails or is undecided is counted, with the experiment.
    open_ends = [entry for entry in committed_results() if entry.holds < entry.statements]
    for entry in open_ends:
        told = (
            f"{entry.experiment} {entry.holds} of {entry.statements} hold, {len(entry.fails)} fail"
        )
        assert told in text
    assert any(entry.fails for entry in open_ends)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match="folder must hold"):
        results_pages(tmp_path)


def test_a_table_in_the_summary_stands_on_the_page(tmp_path):
    found = escape()
    table = {"title": "What it costs", "columns": ["a|b", "c"], "rows": [["1", "2"], ["3", "4"]]}
    found["verdict"]["summary"]["tables"] = [table]
    text = page(tmp_path, found)
    assert "What it costs:\n\n| a\\|b | c |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n" in text


def test_nothing_in_a_statement_is_taken_for_markup(tmp_path):
    found = escape()
    found["verdict"]["lines"][0]["statement"] = "lr a*(delay) / a*(0) <b> of |z|_max [n]"
    assert r"lr a\*(delay) / a\*(0) \<b\> of \|z\|\_max \[n\]" in page(tmp_path, found)


def test_what_is_known_counts_the_statements_of_an_experiment_as_its_result_does():
    text = " ".join((FOLDER.parent / "what_is_known.md").read_text(encoding="utf-8").split())
    counted = {}
    for name, said in re.findall(r"- `([a-z-]+)`[:,] (.*?)(?= - `|$)", text):
        found = re.search(r"(\d+) of (\d+) statements hold", said)
        every = re.search(r"All (\d+) statements hold", said)
        if found or every:
            counted[name] = found.groups() if found else every.groups() * 2
    assert {"advice", "adaptive", "edge", "probe"} <= set(counted)
    for name, (holding, number) in counted.items():
        result = json.loads((FOLDER / name / f"{name}.json").read_text(encoding="utf-8"))
        outcomes = result["verdict"]["outcomes"]
        assert (int(holding), int(number)) == (outcomes["holds"], sum(outcomes.values())), name


def test_what_is_said_of_noise_in_one_direction_is_what_was_measured():
    result = json.loads((FOLDER / "noise" / "noise.json").read_text(encoding="utf-8"))
    rows = result["verdict"]["summary"]["table"]
    shares = [row["measured"]["value"] / row["one_direction"] for row in rows]
    said = f"{min(shares):.2f} to {max(shares):.1f}"
    root = FOLDER.parent.parent
    sources = [*root.glob("docs/*.md"), *root.glob("docs/tutorials/*.md")]
    sources += root.glob("delaystability/questions/*.py")
    texts = [" ".join(path.read_text(encoding="utf-8").split()) for path in sources]
    told = [found for text in texts for found in re.findall(r"0\.\d\d to 1\.0 of", text)]
    assert len(told) >= 7
    assert set(told) == {f"{said} of"}
