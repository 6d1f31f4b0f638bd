"""A server's checkpoint: written whole or not at all, with the lengths of the log files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

__all__ = ["CHECKPOINT", "load_checkpoint", "save_checkpoint"]

CHECKPOINT = "checkpoint.pt"
"""File name."""


def save_checkpoint(folder: Path, state: dict[str, Any], sizes: dict[str, int]) -> None:
    """Replace the checkpoint in the folder in one step.

    Parameters
    ----------
    folder : Path
    state : dict of tensors, numbers and texts
    sizes : dict
        Bytes of each log file that belong to it; they are on the disk already.
    """
    unfinished = folder / f"{CHECKPOINT}.part"
    with open(unfinished, "wb") as file:
        torch.save({"state": state, "sizes": sizes}, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(unfinished, folder / CHECKPOINT)


def load_checkpoint(folder: Path) -> tuple[dict[str, Any], dict[str, int]] | None:
    """State and sizes of the checkpoint in the folder, or None if there is none.

    Raises
    ------
    ValueError
        If the file is no checkpoint.
    """
    path = folder / CHECKPOINT
    if not path.exists():
        return None
    try:
        found = torch.load(path, weights_only=True)
        return found["state"], found["sizes"]
    except Exception as error:
        raise ValueError(f"folder must hold a readable checkpoint; got {path}: {error}") from error
