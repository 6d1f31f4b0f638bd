"""Packages that only some installations have, and what installs them."""

from __future__ import annotations

__all__ = ["install_command", "missing_packages"]


def install_command(extra: str) -> str:
    """The command that installs an extra of this package."""
    return f"pip install 'delaystability[{extra}]'"


def missing_packages(what: str, *packages: str) -> str:
    """Say what needs packages that are missing, and which command installs them."""
    return f"{what} needs {', '.join(packages)}: {install_command('validation')}"
