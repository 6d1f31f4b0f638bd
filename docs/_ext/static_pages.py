"""The explorer is a page of its own: it goes into the site as it is, with a fresh export."""

from __future__ import annotations

import runpy
import shutil
from pathlib import Path

from sphinx.application import Sphinx

__all__ = ["setup"]

_NOT_SHOWN = shutil.ignore_patterns("*.py", "*.md", "__pycache__")


def _copy(app: Sphinx, error: Exception | None) -> None:
    source = Path(app.srcdir) / "explorer"
    if error is None and app.builder.format == "html" and source.is_dir():
        place = Path(app.outdir) / "explorer"
        shutil.copytree(source, place, ignore=_NOT_SHOWN, dirs_exist_ok=True)
        script = runpy.run_path(str(source / "build.py"))["script"]()
        (place / "delaystability.js").write_text(script, encoding="utf-8", newline="\n")


def setup(app: Sphinx) -> dict[str, bool]:
    """Copy at the end, before links are checked."""
    app.connect("build-finished", _copy, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
