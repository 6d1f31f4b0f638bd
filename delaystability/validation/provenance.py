"""What produced a result: versions, hardware, commit and time."""

from __future__ import annotations

import platform
import subprocess
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

import delaystability
from delaystability.validation.device import checked_device, checked_dtype, device_name

__all__ = ["Provenance", "git_commit", "provenance"]

_PACKAGES = ("torch", "numpy", "scipy", "sympy", "scikit-learn", "matplotlib")


@dataclass(frozen=True)
class Provenance:
    """Where a result comes from.

    Attributes
    ----------
    versions : dict
        Of python, delaystability and its libraries; None for one that is not installed.
    device, device_name, dtype : str
    threads : int
        CPU threads that torch uses within one operation.
    commit : str or None
        Git commit of the package's checkout, with ``-dirty`` after it if files were changed;
        None outside a checkout.
    date : str
        UTC, ISO 8601.
    platform : str
    """

    versions: dict[str, str | None]
    device: str
    device_name: str
    dtype: str
    threads: int
    commit: str | None
    date: str
    platform: str

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)


def provenance(device: str = "cpu", dtype: str = "float64") -> Provenance:
    """The provenance of a result computed now, on this device in this precision.

    Raises
    ------
    ValueError
        For an unknown device or dtype.
    """
    chosen = checked_device(device)
    checked_dtype(dtype)
    versions: dict[str, str | None] = {
        "python": platform.python_version(),
        "delaystability": delaystability.__version__,
    }
    versions |= {package: _installed(package) for package in _PACKAGES}
    versions["torch"] = str(torch.__version__)  # with the build, which a wheel may leave out
    return Provenance(
        versions=versions,
        device=str(chosen),
        device_name=device_name(chosen),
        dtype=dtype,
        threads=torch.get_num_threads(),
        commit=git_commit(Path(delaystability.__file__).parent),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        platform=platform.platform(),
    )


def git_commit(folder: Path) -> str | None:
    """The commit checked out around this folder, or None if there is none or no git."""
    described = _git(folder, "rev-parse", "HEAD")
    if not described:
        return None
    # A package installed below some other project's checkout is not that project's commit.
    if _git(folder, "ls-files", "--", ".") == "":
        return None
    return described + ("-dirty" if _git(folder, "status", "--porcelain", "--", ".") else "")


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
