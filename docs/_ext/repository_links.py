"""Links that are right on GitHub, made right on the site too.

``theory.md`` is one long page on GitHub and a page for each part here, the README is the start
page, and the explorer is linked to as it is.
"""

from __future__ import annotations

import re

from sphinx.application import Sphinx

__all__ = ["setup", "site_links"]

_THEOREM = re.compile(r"\]\((?:\.\./)*theory\.md#(theorem-[\w-]+)\)")
_THEORY = re.compile(r"\]\(((?:\.\./)*)theory\.md\)")
_README = re.compile(r"\]\((?:\.\./)+README\.md\)")
_PAGE = re.compile(r"\[([^\]]+)\]\(((?:\.\./)*explorer/index\.html)\)")


def site_links(docname: str, text: str) -> str:
    """The text of a page with its links to the repository turned into links of the site."""
    up = "../" * docname.count("/")
    text = _THEOREM.sub(r"](#\1)", text)
    text = _THEORY.sub(r"](\1theory/index.md)", text)
    text = _README.sub(f"]({up}index.md)", text)
    # Doctest wants a blank line after the last output; a reader does not.
    text = re.sub(r"\n\n```(?=\n|$)", "\n```", text)
    return _PAGE.sub(r'<a href="\2">\1</a>', text)


def _read(app: Sphinx, docname: str, content: list[str]) -> None:
    content[0] = site_links(docname, content[0])


def setup(app: Sphinx) -> dict[str, bool]:
    """Change the links when a page is read."""
    app.connect("source-read", _read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
