"""Notes on a torch optimizer about what belongs to it."""

from __future__ import annotations

from typing import Any
from weakref import ref

import torch

__all__ = ["leave_note", "noted"]


class _Note:
    """Remember an object, and keep it neither alive nor in a pickle."""

    def __init__(self, about: Any = None) -> None:
        self.about = (lambda: None) if about is None else ref(about)

    def __reduce__(self) -> tuple[type[_Note], tuple[()]]:
        return _Note, ()


def leave_note(inner: torch.optim.Optimizer, name: str, about: Any) -> None:
    """Let an optimizer know an object, for those who know the optimizer alone."""
    setattr(inner, f"_delaystability_{name}", _Note(about))


def noted(inner: torch.optim.Optimizer, name: str) -> Any:
    """Find the object that a note is about; None without a note, or if it is gone."""
    note = getattr(inner, f"_delaystability_{name}", None)
    return None if note is None else note.about()
