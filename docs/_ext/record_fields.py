"""The attributes of a record are what it is made of: they are listed like parameters.

A class that documents parameters besides has attributes of its own, which stay what they are.
"""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx

__all__ = ["setup"]


def _as_parameters(
    app: Sphinx, what: str, name: str, found: Any, options: Any, lines: list[str]
) -> None:
    if "Parameters" in lines:
        return
    for i, line in enumerate(lines[:-1]):
        if line == "Attributes" and lines[i + 1].startswith("---"):
            lines[i : i + 2] = ["Parameters", "----------"]


def setup(app: Sphinx) -> dict[str, bool]:
    """Rename the section before napoleon reads it."""
    app.connect("autodoc-process-docstring", _as_parameters, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
