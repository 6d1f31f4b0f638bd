"""The parts of the site that are written by programs: theory, sources, reference, first figure."""

from __future__ import annotations

import json
import re
import sys

import numpy as np
import pytest

import delaystability as ds
from delaystability.printing.collection import Chapter, collected
from delaystability.theory.registry import checked, checked_proof, named
from tests.test_docs_examples import ROOT

sys.path.append(str(ROOT / "docs" / "_ext"))
sys.path.append(str(ROOT / "docs"))

import short_names
import source_pages
import start_figure
import theory_pages
from repository_links import site_links


@pytest.fixture(scope="module")
def written() -> dict[str, str]:
    """The pages of three theorems, and of those that they need."""
    names = ("sgd", "sgd-lower-bound", "sgd-escape-slope")
    return theory_pages.pages(collected([checked(name) for name in names]))


def test_each_part_of_the_theory_has_a_page_with_its_theorems(written):
    assert {"index", "references", "crossings", "speed", "sgd"} <= set(written)
    page = written["sgd"]
    assert page.startswith("# SGD\n")
    for name in ("sgd", "sgd-lower-bound", "sgd-upper-bound"):
        assert f"(theorem-{name})=\n" in page
        assert f"[{named(name).theorem.title}](#theorem-{name})" in written["index"]


def test_every_step_of_a_proof_is_on_its_page_with_its_status(written):
    steps = re.findall(r'data-step="([\w-]+)"><span class="status (\w+)"', written["sgd"])
    expected = [
        (result.label, result.status.value)
        for name in ("sgd", "sgd-upper-bound", "sgd-lower-bound")
        for result in checked(name).report.results
    ]
    assert steps == expected
    assert written["sgd"].count("<details>") == written["sgd"].count("</details>") == 3


def test_formulas_are_mathml_and_links_go_from_page_to_page(written):
    html = "".join(re.findall(r"<(?:div|details)\b.*", written["sgd"]))
    assert "<math" in html and "$" not in html
    assert 'href="crossings.html#theorem-delayed-loop"' in written["speed"]
    assert 'href="references.html#giladi2020"' in html
    assert 'id="giladi2020"' in written["references"]
    assert 'href="#' not in html


@pytest.mark.slow
def test_a_status_on_the_page_is_that_of_the_check():
    broken = named("sgd").with_step(
        "conclusion", claim=named("sgd-upper-bound").step("conclusion").claim
    )
    entry = checked_proof(broken)
    page = theory_pages.pages((Chapter("sgd", "SGD", (entry,)),))["sgd"]
    assert '<span class="status failed">failed</span>' in page
    assert "<summary>Derivation:" in page


@pytest.mark.parametrize(
    ("docname", "link", "site"),
    [
        ("limits", "[a](theory.md#theorem-sgd)", "[a](#theorem-sgd)"),
        ("limits", "[a](theory.md)", "[a](theory/index.md)"),
        ("validation/README", "[a](../theory.md)", "[a](../theory/index.md)"),
        ("limits", "[a](../README.md)", "[a](index.md)"),
        ("validation/README", "[a](../../README.md)", "[a](../index.md)"),
        ("index", "[a](explorer/index.html)", '<a href="explorer/index.html">a</a>'),
        ("index", "[a](notation.md)", "[a](notation.md)"),
    ],
)
def test_links_of_github_become_links_of_the_site(docname, link, site):
    assert site_links(docname, link) == site


def test_each_function_and_method_has_a_place_on_the_page_of_its_source():
    source = (
        "import x\n\n\n@x.y(\n    1\n)\ndef test_a():\n    pass\n\n\n"
        "class B:\n    def c(self):\n        pass\n"
    )
    html = source_pages.shown(source)
    assert re.findall(r'<section id="([\w.]+)"', html) == ["test_a", "B", "B.c"]
    decorated = html.split('<section id="test_a">')[1].split("</section>")[0]
    assert "@x" in decorated
    # Nothing is lost: the text of the page is the source.
    text = re.sub(r"<[^>]+>", "", html).replace("&quot;", '"').replace("&#39;", "'")
    assert text.split() == source.split()


def test_every_public_name_is_in_the_reference_once():
    pages = [path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "api").glob("*.md")]
    text = "\n".join(pages)
    listed = re.findall(r"^\.\. (?:auto\w+|data):: ([\w.]+)", text, flags=re.M)
    whole = set(re.findall(r"^\.\. automodule:: ([\w.]+)$", text, flags=re.M))
    names = [entry.rsplit(".", 1)[-1] for entry in listed]
    for name in ds.__all__:
        home = getattr(getattr(ds, name), "__module__", "")
        inside = home in whole or name in ("plot",)
        assert names.count(name) == 1 or inside, name


@pytest.mark.slow
def test_short_names_are_those_of_the_package():
    known = short_names._defined(ROOT)
    assert {"is_stable", "MeasuredDelay", "bounds_json"} <= known
    assert "no_such_function" not in known


@pytest.mark.slow
def test_the_first_figure_shows_lines_certificates_and_networks():
    drawn = start_figure.figure(0)
    (axes,) = drawn.axes
    cells = json.loads((ROOT / "docs/validation/edge/edge.json").read_text(encoding="utf-8"))
    assert cells["experiment"] == "edge"
    for family, title, *_ in start_figure.SERIES:
        line = next(entry for entry in axes.lines if entry.get_label() == title)
        optimizer = family() if family is ds.SGD else family(0.9)
        scale = 1 if family is ds.SGD else 10
        delays = np.asarray(line.get_xdata()) - 1
        expected = scale * ds.stability_threshold(optimizer, delays)
        np.testing.assert_allclose(line.get_ydata(), expected, rtol=1e-12)
        # A certificate of 20 digits is the same float, but for the scale's rounding.
        exact = start_figure.certified(
            family() if family is ds.SGD else family(start_figure.MOMENTUM), 8
        )
        np.testing.assert_allclose(scale * exact, expected[8], rtol=1e-13)
        measured = start_figure.measured(family.name)
        assert len(measured) == 7
        marks = [c for c in axes.containers if len(c.lines[0].get_xdata()) > 1]
        assert len(marks) == 3


def test_both_first_figures_are_there_and_small():
    for name in ("light", "dark"):
        text = (ROOT / "docs" / f"start-{name}.svg").read_text(encoding="utf-8")
        assert "</svg>" in text
        assert len(text) < 100_000
