"""A copy of the project, in which a page's example is carried out."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
_LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "shared", "*.egg-info", "_build")


def copied_tree(folder: Path) -> Path:
    """The project without caches and build outputs, copied into a new folder."""
    return Path(shutil.copytree(ROOT, folder / "tree", ignore=_LEFT_OUT))


def python_block(page: str, number: int) -> str:
    """A block of Python of a page in the documentation."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)[number]


def replaced_in(file: Path, old: str, new: str) -> None:
    """Change a file where ``old`` stands, which must be there once."""
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {file.name}"
    file.write_text(text.replace(old, new), encoding="utf-8")


def ran(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Python in the copy, which imports the copied package, and keeps its bytecode there."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=tree,
        capture_output=True,
        text=True,
        env={**environment, "PYTHONPATH": str(tree), "COLUMNS": "80"},
    )


def passes(tree: Path, *arguments: str) -> bool:
    """Whether tests pass in the copy; at least one must be selected."""
    return not ran(
        tree, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", *arguments
    ).returncode
