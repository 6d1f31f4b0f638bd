"""A server's checkpoint: written whole or not at all, with how far the log files belong to it.

The file is one of ``torch.save`` with a last line, the SHA-256 of what is before it: a file that
was altered, on a disk or by hand, is refused before it is read.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from delaystability.server.ledger import Extent

__all__ = ["CHECKPOINT", "load_checkpoint", "save_checkpoint"]

CHECKPOINT = "checkpoint.pt"
"""File name."""

_LAST_LINE = b"\nsha256:"
_HEX = 64


def save_checkpoint(folder: Path, state: Mapping[str, Any], extents: Mapping[str, Extent]) -> None:
    """Replace the checkpoint in the folder in one step. Only its owner can read it.

    Parameters
    ----------
    folder : Path
    state : mapping to tensors, numbers and strings
    extents : mapping from file name to Extent
        How far each log file belongs to it; that much is on the disk already.
    """
    written = io.BytesIO()
    plain = {name: tuple(extent) for name, extent in extents.items()}
    torch.save({"state": dict(state), "extents": plain}, written)
    body = written.getvalue()
    unfinished = folder / f"{CHECKPOINT}.part"
    unfinished.unlink(missing_ok=True)
    with open(unfinished, "xb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        file.write(body + _LAST_LINE + hashlib.sha256(body).hexdigest().encode())
        file.flush()
        os.fsync(file.fileno())
    os.replace(unfinished, folder / CHECKPOINT)


def load_checkpoint(folder: Path) -> tuple[dict[str, Any], dict[str, Extent]] | None:
    """State and extents of the checkpoint in the folder, or None if there is none.

    Raises
    ------
    ValueError
        If the file is no checkpoint, or was altered.
    """
    path = folder / CHECKPOINT
    if not os.path.lexists(path):
        return None
    try:
        whole = path.read_bytes()
        body, mark, digest = whole.rpartition(_LAST_LINE)
        if not mark or digest != hashlib.sha256(body).hexdigest().encode():
            raise ValueError("its last line is not the SHA-256 of what is before it")
        found = torch.load(io.BytesIO(body), weights_only=True)
        extents = {name: _extent(found["extents"][name]) for name in found["extents"]}
        return dict(found["state"]), extents
    except Exception as error:
        why = (str(error).strip() or repr(error)).splitlines()[0]
        raise ValueError(
            f"folder must hold a readable checkpoint; got {str(path)!r}: {why}"
        ) from error


def _extent(pair: Any) -> Extent:
    size, digest = pair
    good = isinstance(size, int) and size >= 0 and isinstance(digest, str) and len(digest) == _HEX
    if not good:
        raise ValueError(f"a log file must have a size and a SHA-256; got {pair!r}")
    return Extent(size, digest)
