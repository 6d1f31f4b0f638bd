"""What single quotes in a docstring mean: an object by its short name, or a parameter.

Sphinx links full names, and short ones in the same module. Here a short name is enough wherever it
means one documented object; the name of a parameter of the object that is described, or of a part
of the package that is not documented, is set as code. Any other name is a mistake, and stays a
warning.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

__all__ = ["setup"]


def _resolve(
    app: Sphinx, env: BuildEnvironment, node: addnodes.pending_xref, contnode: nodes.Element
) -> Any:
    if node.get("refdomain") != "py" or node.get("reftype") not in ("obj", "exc"):
        return None
    name = node["reftarget"]
    domain = env.domains["py"]
    ends = [full for full in domain.objects if full.endswith(f".{name}")]  # type: ignore[attr-defined]
    if len(ends) == 1:
        return domain.resolve_xref(
            env, node["refdoc"], app.builder, node["reftype"], ends[0], node, contnode
        )
    known = name in _parameters(node) or name.split(".")[-1] in _defined(Path(app.srcdir).parent)
    return contnode if known else None


def _parameters(node: nodes.Node) -> set[str]:
    """The parameters of the objects that the node stands in."""
    found: set[str] = set()
    while (node := node.parent) is not None:
        if isinstance(node, addnodes.desc):
            for parameter in node.findall(addnodes.desc_parameter):
                found.add(parameter.astext().split("=")[0].split(":")[0].lstrip("*"))
    return found


@cache
def _defined(root: Path) -> frozenset[str]:
    """The names of all modules, functions and classes of the package."""
    names = set()
    for path in (root / "delaystability").rglob("*.py"):
        names.add(path.stem)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                names.add(node.name)
    return frozenset(names)


def setup(app: Sphinx) -> dict[str, bool]:
    """Help where a reference is missing."""
    app.connect("missing-reference", _resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
