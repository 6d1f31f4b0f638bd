"""Links inside the built site are followed: a dead one is a warning, and so fails a strict build.

Run on its own with ``python docs/_ext/dead_links.py FOLDER``.
"""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from sphinx.application import Sphinx

__all__ = ["dead_links", "fetched", "setup"]

_LINKS = {"a": "href", "link": "href", "img": "src", "script": "src", "iframe": "src"}
_LOADED = {"link", "img", "script", "iframe", "source", "video", "audio", "object", "embed"}


class _Page(HTMLParser):
    """The links of a page, as pairs of tag and address, and the places that one can link to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[tuple[str, str]] = []
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note its id and its address."""
        values = dict(attrs)
        self.places |= {value for key in ("id", "name") if (value := values.get(key))}
        address = values.get(_LINKS.get(tag, "src"))
        if address:
            self.links.append((tag, address))


def _pages(folder: Path) -> dict[Path, _Page]:
    paths = sorted(path.resolve() for path in folder.rglob("*.html"))
    return {path: _Page(path.read_text(encoding="utf-8")) for path in paths}


def dead_links(folder: Path) -> list[str]:
    """What is dead: "page: address" for each link to a missing file or place of this folder."""
    pages = _pages(folder)
    dead = []
    for path, page in pages.items():
        for _, address in dict.fromkeys(page.links):
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            place = unquote(parts.fragment)
            known = target in pages and place in pages[target].places
            # An empty fragment, or "top", is the beginning of a page.
            if not target.is_file() or not (place in ("", "top") or known):
                dead.append(f"{path.relative_to(folder.resolve())}: {address}")
    return dead


def fetched(folder: Path) -> list[str]:
    """What a browser would load from the network: "page: address" for each."""
    return [
        f"{path.relative_to(folder.resolve())}: {address}"
        for path, page in _pages(folder).items()
        for tag, address in dict.fromkeys(page.links)
        if tag in _LOADED and urlsplit(address).netloc
    ]


def _check(app: Sphinx, error: Exception | None) -> None:
    from sphinx.util.logging import getLogger

    if error is not None or app.builder.format != "html":
        return
    logger = getLogger(__name__)
    for found in dead_links(Path(app.outdir)):
        logger.warning("dead link in %s", found)
    for found in fetched(Path(app.outdir)):
        logger.warning("fetched from the network in %s", found)


def setup(app: Sphinx) -> dict[str, bool]:
    """Check when all is written."""
    app.connect("build-finished", _check, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    found = [*dead_links(folder), *fetched(folder)]
    sys.exit("\n".join(found) or 0)
