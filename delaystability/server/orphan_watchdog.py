"""Processes that end with the one that started them, which a kill does not tell them."""

from __future__ import annotations

import os
import threading
import time

__all__ = ["end_with"]

_WATCH_EVERY = 0.5  # seconds between two looks at the parent process


def end_with(parent: int) -> None:
    """End this process when the one that started it is gone, whatever it is doing then.

    Parameters
    ----------
    parent : int
        Its process number.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_WATCH_EVERY)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
