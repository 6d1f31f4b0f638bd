"""Saving an interrupted experiment: tensors and plain values in one file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

__all__ = ["load_checkpoint", "save_checkpoint"]


def save_checkpoint(
    path: Path, configuration: Mapping[str, Any], content: Mapping[str, Any]
) -> None:
    """Write the file so that an interruption leaves either the old one or the new one.

    Parameters
    ----------
    path : Path
        In an existing folder.
    configuration : mapping of plain values
        What must be the same when the experiment goes on.
    content : mapping of tensors and plain values
    """
    unfinished = path.with_name(path.name + ".part")
    torch.save({"configuration": dict(configuration), "content": dict(content)}, unfinished)
    os.replace(unfinished, path)


def load_checkpoint(
    path: Path, configuration: Mapping[str, Any], device: torch.device
) -> dict[str, Any] | None:
    """The saved content, or None if there is no file.

    Raises
    ------
    ValueError
        If the folder is missing, or the file is not a checkpoint or of another configuration.
    """
    if not path.parent.is_dir():
        raise ValueError(f"checkpoint must be in an existing folder; got {path}")
    if not path.exists():
        return None
    try:
        saved = torch.load(path, map_location=device, weights_only=True)
        found, content = saved["configuration"], saved["content"]
    except Exception as error:  # torch's reader fails in many ways on a file that is not its own
        raise ValueError(
            f"checkpoint must be a file written by this experiment; got {path}"
        ) from error
    different = sorted(
        name
        for name in configuration.keys() | found.keys()
        if configuration.get(name) != found.get(name)
    )
    if different:
        told = "; ".join(
            f"{name} is {found.get(name)!r} there and {configuration.get(name)!r} here"
            for name in different
        )
        raise ValueError(f"checkpoint must belong to the same configuration; in {path}, {told}")
    return dict(content)
