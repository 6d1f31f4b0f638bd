"""The sources that the site links to, as pages of it: every test and class has a place there.

On GitHub a link to ``../tests/test_x.py`` opens the file; here it opens the page made of it. Each
documented object gets a link to its source.
"""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from inspect import getsourcefile, isclass, isroutine, unwrap
from itertools import pairwise
from pathlib import Path
from typing import Any

from docutils import nodes
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer
from sphinx import addnodes
from sphinx.application import Sphinx

__all__ = ["setup", "shown"]

_FILE = r"(?:tests|delaystability|benchmarks)/[\w/]+"
_LINK = re.compile(rf"\[`?([^\]`]+)`?\]\((?:\.\./)+({_FILE})\.py\)")


def shown(source: str) -> str:
    """The source as HTML, cut where a function, class or method begins, with its name as place."""
    lines = source.splitlines(keepends=True)
    starts = {_first_line(node): name for node, name in _defined(ast.parse(source))}
    parts = []
    for begin, end in pairwise(dict.fromkeys([0, *sorted(starts), len(lines)])):
        code = highlight("".join(lines[begin:end]), PythonLexer(stripnl=False), HtmlFormatter())
        place = f' id="{starts[begin]}"' if begin in starts else ""
        parts.append(f"<section{place}>{code}</section>")
    return f'<div class="source">{"".join(parts)}</div>'


def _first_line(node: Any) -> int:
    return min(part.lineno for part in (node, *node.decorator_list)) - 1


def _defined(tree: ast.AST, prefix: str = "") -> Iterator[tuple[Any, str]]:
    for node in getattr(tree, "body", []):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node, prefix + node.name
        if isinstance(node, ast.ClassDef):
            yield from _defined(node, f"{prefix}{node.name}.")


def _read(app: Sphinx, docname: str, content: list[str]) -> None:
    """Links to files of the repository become links to their pages."""
    up = "../" * docname.count("/")
    wanted = _wanted(app)

    def linked(match: re.Match[str]) -> str:
        text, path = match.groups()
        wanted.add(path)
        place = f"#{text}" if re.fullmatch(r"test_\w+", text) else ""
        # A long name may be broken where a word ends.
        words = text.replace("_", "_<wbr>")
        code = f"<code>{words}</code>" if "`" in match[0] else text
        return f'<a class="reference internal" href="{up}source/{path}.html{place}">{code}</a>'

    content[0] = _LINK.sub(linked, content[0])


def _wanted(app: Sphinx) -> set[str]:
    """The files that have a page, kept with the environment between builds."""
    if not hasattr(app.env, "source_pages"):
        app.env.source_pages = set()  # type: ignore[attr-defined]
    return app.env.source_pages  # type: ignore[attr-defined,no-any-return]


def _to_source(app: Sphinx, doctree: nodes.document) -> None:
    up = "../" * app.env.docname.count("/")
    root = Path(app.srcdir).parent
    for signature in doctree.findall(addnodes.desc_signature):
        found = _source_of(signature.get("module"), signature.get("fullname"))
        if found is None:
            continue
        file, name = found
        path = str(file.relative_to(root).with_suffix(""))
        _wanted(app).add(path)
        address = f"{up}source/{path}.html#{name}"
        signature += nodes.reference(
            "", "source", internal=False, refuri=address, classes=["to-source"]
        )


def _source_of(module: str | None, fullname: str | None) -> tuple[Path, str] | None:
    """The file that defines this object, and its name there."""
    if not module or not fullname:
        return None
    found: Any = importlib.import_module(module)
    for part in fullname.split("."):
        found = getattr(found, part, None)
    found = getattr(found, "fget", found)
    if not (isclass(found) or isroutine(found)):
        return None
    file = getsourcefile(unwrap(found))
    return (Path(file), found.__qualname__) if file else None


def _pages(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    root = Path(app.srcdir).parent
    for path in sorted(_wanted(app)):
        title = f"{path}.py"
        body = f"<h1>{title}</h1>{shown((root / title).read_text(encoding='utf-8'))}"
        yield f"source/{path}", {"title": title, "body": body}, "page.html"


def setup(app: Sphinx) -> dict[str, bool]:
    """Find what is linked to, and add the pages when all others are known."""
    app.connect("source-read", _read)
    app.connect("doctree-read", _to_source)
    app.connect("html-collect-pages", _pages)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
