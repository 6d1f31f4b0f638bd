"""Logs of delays: reading them from text files, arrays and tables, and checking them."""

from __future__ import annotations

from delaystability.delay_log.entries import LARGEST_DELAY, checked_log
from delaystability.delay_log.tables import log_array

__all__ = ["LARGEST_DELAY", "checked_log", "log_array"]
