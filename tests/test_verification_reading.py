"""The report as it is read: what stands in the open, on a phone too, and what opens at a click."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from markupsafe import escape

from delaystability.cli.training import _show_verified
from delaystability.verification.page import page
from tests.explorer_page import chromium
from tests.verified import failing

FOLDED = re.compile(r"<details.*?</details>", re.DOTALL)


@pytest.fixture
def found(finished_job):
    return finished_job[1]


def parts(text: str) -> list[str]:
    """The part of the page about each experiment, without what opens at a click."""
    text = text[: text.index('<h2 id="theorems"')]
    return [FOLDED.sub("", part) for part in text.split('<h3 id="experiment-')[1:]]


def test_an_experiment_states_question_prediction_result_and_verdict_with_one_figure(found):
    shown = parts(page(found))
    assert len(shown) == len(found.experiments) == 2
    for part, result in zip(shown, found.experiments, strict=True):
        first = result.verdict.lines[0]
        said = (
            f"<dt>question</dt><dd>{escape(result.experiment.question)}</dd>",
            f"<dt>prediction</dt><dd>{escape(result.experiment.title)}.</dd>",
            f"<dt>result</dt><dd>{escape(first.statement)}: {escape(first.measured)}.</dd>",
            f"<dt>verdict</dt><dd>Of {len(result.verdict.lines)} statements",
            f"</b> {escape(result.experiment.caption(result.figures[0].name))} <a",
        )
        places = [part.index(text) for text in said]
        assert places == sorted(places)
        assert part.count("<img") == part.count("<figcaption") == 1
        assert "<table" not in part


def test_what_fails_needs_no_click(found):
    edge, quadratic = parts(page(failing(found)))
    assert edge.count("<tr class=bad") == 1 and "<table" not in quadratic
    assert edge.count("What does not hold:") == 1


def test_verify_prints_one_line_for_an_experiment_and_tables_for_what_fails(found, capsys):
    def printed(result):
        _show_verified(result, Path("report"), ("index.html",))
        return capsys.readouterr().out

    good, bad = printed(found), printed(failing(found))
    for name in ("theorems", "certificates", "edge", "quadratic"):
        assert len(re.findall(rf"^  {name} +\d+ ", good, re.MULTILINE)) == 1
    assert re.search(r"^  theorems +8 hold, none fails, \d{3} steps$", good, re.MULTILINE)
    # Twelve lines, of which the published results may take more than one.
    assert len(good.splitlines()) <= 12 and "required" not in good
    # A table of the one statement that fails, and not of those that hold or are undecided.
    assert bad.count("measured") == 1 and bad.count("fails (") == 1
    assert "undecided (" not in bad and "holds (" not in bad
    assert "  edge              6 statements: 1 fail, 5 undecided" in bad


@pytest.mark.slow
@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_wider_than_the_window_open_or_closed(found, width, tmp_path):
    sync_api = pytest.importorskip("playwright.sync_api")
    path = chromium()
    file = tmp_path / "index.html"
    file.write_text(page(found), encoding="utf-8")
    wide = tmp_path / "wide.html"
    wide.write_text(page(found).replace("</body>", "<pre style='width:1400px'>x</pre></body>"))
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": width, "height": 800})

        def overflow(address):
            tab.goto(address.as_uri())
            seen = []
            for _ in range(2):
                seen.append(tab.evaluate("document.documentElement.scrollWidth - innerWidth"))
                tab.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
            return seen

        assert overflow(file) == [0, 0]
        assert min(overflow(wide)) > 0
        browser.close()
