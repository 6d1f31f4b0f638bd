"""What a slow check found, kept in the user's cache until the files that it rests on change."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from delaystability.files.json_data import data_from_json
from delaystability.files.output_files import replace_file

__all__ = ["content_key", "recall", "remember"]

_LONGEST_TEXT = 2**22
_LAYOUT = 1
"""Grows when the layout of what is kept changes."""


def content_key(files: Iterable[Path], *others: str) -> str:
    """The SHA-256 of the names and contents of files, and of other texts such as versions."""
    digest = hashlib.sha256(repr((_LAYOUT, *others)).encode())
    for file in sorted(files):
        data = file.read_bytes()
        digest.update(f"{file.name} {len(data)}\n".encode() + data)
    return digest.hexdigest()


def recall(name: str, key: str) -> Any:
    """What was kept under this name for this key, or None; a damaged file counts as none."""
    with contextlib.suppress(OSError, ValueError):
        text = (_folder() / f"{name}.json").read_text(encoding="utf-8")
        data = data_from_json(text, "remembered data", _LONGEST_TEXT)
        if isinstance(data, dict) and data.get("key") == key:
            return data.get("found")
    return None


def remember(name: str, key: str, found: Any) -> None:
    """Keep plain data; where nothing can be written, nothing is kept."""
    with contextlib.suppress(OSError, ValueError):
        folder = _folder()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        text = json.dumps({"key": key, "found": found})
        replace_file(folder / f"{name}.json", text.encode())


def _folder() -> Path:
    chosen = os.environ.get("DELAYSTABILITY_CACHE")
    if chosen:
        return Path(chosen)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "delaystability" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "delaystability"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "delaystability"
