"""No link of the README and the docs is dead, on GitHub and in the site."""

from __future__ import annotations

import re
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.test_docs_examples import PAGES, ROOT, blocks

sys.path.append(str(ROOT / "docs" / "_ext"))

from dead_links import dead_links, fetched

_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
ALL = [*PAGES, ROOT / "docs" / "theory.md", *sorted(ROOT.glob("*.md"))]


def _prose(text: str) -> str:
    """The text without its blocks and inline code, in which brackets mean something else."""
    for block in blocks(text):
        text = text.replace(block.text, "")
    return re.sub(r"`[^`\n]*`(?!\])", "", text)


@cache
def _places(page: Path) -> set[str]:
    """The anchors of a page on GitHub: of its headings, and those set by hand."""
    text = page.read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.*)$", text, flags=re.M)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
    return {*plain, *re.findall(r'<a (?:id|name)="([^"]+)"', text)}


def dead_on_github(page: Path) -> list[str]:
    """The links of a page to missing files, or to missing places of a page."""
    dead = []
    for link in _LINK.findall(_prose(page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, place = link.partition("#")
        target = (page.parent / path) if path else page
        if not target.exists():
            dead.append(link)
        elif place and target.suffix == ".md":
            if place not in _places(target.resolve()):
                dead.append(link)
        elif place and not _has_line(target, place):
            dead.append(link)
    return dead


def _has_line(source: Path, place: str) -> bool:
    """Whether a place such as L42 is a line of a source file."""
    number = re.fullmatch(r"L(\d+)", place)
    lines = source.read_text(encoding="utf-8").count("\n") if number else 0
    return number is not None and 1 <= int(number[1]) <= lines


@pytest.mark.parametrize("page", dict.fromkeys(ALL), ids=lambda p: str(p.relative_to(ROOT)))
def test_links_of_the_page_are_alive_on_github(page):
    assert dead_on_github(page) == []


@pytest.mark.parametrize(
    "link", ["missing.md", "other.md#missing", "#missing", "folder/", "code.py#name"]
)
def test_a_dead_link_on_github_is_noticed(link, tmp_path):
    (tmp_path / "other.md").write_text("# There\n")
    (tmp_path / "code.py").write_text("")
    page = tmp_path / "page.md"
    page.write_text("# Here it *is*\n\n[a](other.md#there) [b](#here-it-is) [c](https://x.org/y)\n")
    assert dead_on_github(page) == []
    page.write_text(f"[dead]({link})")
    assert dead_on_github(page) == [link]


def test_a_line_of_a_source_file_is_alive_if_it_is_there(tmp_path):
    (tmp_path / "code.v").write_text("one\ntwo\n")
    page = tmp_path / "page.md"
    page.write_text("[a](code.v#L1) [b](code.v#L2) [c](code.v#L3) [d](code.v#L0) [e](code.v#two)")
    assert dead_on_github(page) == ["code.v#L3", "code.v#L0", "code.v#two"]


GOOD = (
    '<html><body><p id="here"><a href="other.html#there">a</a><a href="#here">b</a>'
    '<a href="folder/">c</a><a href="https://example.org/x">d</a><img src="a%20b.png"></p></body>'
)


@pytest.fixture
def site(tmp_path):
    """A small built site without a dead link."""
    (tmp_path / "index.html").write_text(GOOD)
    (tmp_path / "other.html").write_text('<h1 id="there">x</h1>')
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "index.html").write_text('<a href="../index.html#here">up</a>')
    (tmp_path / "a b.png").write_bytes(b"")
    return tmp_path


def test_a_site_without_dead_links_passes(site):
    assert dead_links(site) == []
    assert fetched(site) == []


@pytest.mark.parametrize(
    ("tag", "address"),
    [
        ("a href", "missing.html"),
        ("a href", "other.html#missing"),
        ("a href", "#missing"),
        ("a href", "folder/missing.html"),
        ("img src", "missing.png"),
        ("script src", "missing.js"),
        ("link href", "missing.css"),
    ],
)
def test_a_dead_link_in_the_site_is_noticed(site, tag, address):
    (site / "index.html").write_text(f'{GOOD}<{tag}="{address}">')
    assert dead_links(site) == [f"index.html: {address}"]


@pytest.mark.parametrize("tag", ["script src", "link href", "img src", "iframe src"])
def test_what_would_be_fetched_from_the_network_is_noticed(site, tag):
    for address in ("https://example.org/x", "//example.org/x"):
        (site / "index.html").write_text(f'{GOOD}<{tag}="{address}">')
        assert fetched(site) == [f"index.html: {address}"]
