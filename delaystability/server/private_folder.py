"""A folder in which processes of one user on one machine meet, and that nobody else can enter."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import stat
import tempfile
from pathlib import Path
from typing import Any

__all__ = ["SECRET", "SOCKET", "PrivateFolder", "is_private", "remove_dead_folders"]

SOCKET, SECRET = "socket", "secret"
"""File names."""

_PREFIX = "delaystability-server-"
_SECRET_BYTES = 32
_MARKER = "server.json"
_FILES = {SOCKET, SECRET, _MARKER}


class PrivateFolder:
    """The folder of a name, the same for all processes of this user on this machine.

    Parameters
    ----------
    name : str
        Of the run, as long as you like.

    Attributes
    ----------
    path : Path
    """

    def __init__(self, name: str) -> None:
        digest = hashlib.sha256(name.encode()).hexdigest()[:16]
        self.path = Path(tempfile.gettempdir()) / f"{_PREFIX}{os.getuid()}-{digest}"

    def make(self) -> None:
        """Make it, for this process to be known by.

        Raises
        ------
        ValueError
            If it is there already: another server has it, or somebody else.
        """
        try:
            self.path.mkdir(mode=0o700)
        except FileExistsError:
            raise ValueError(
                f"folder must be free for this server; got {str(self.path)!r}, which another server"
                " uses"
            ) from None
        (self.path / _MARKER).write_text(json.dumps(_this_process(os.getpid())))

    def write_secret(self) -> bytes:
        """A new secret, which lies in the folder from now on."""
        secret = secrets.token_bytes(_SECRET_BYTES)
        with open(self.path / SECRET, "xb", opener=_for_the_owner) as file:
            file.write(secret)
        return secret

    def read_secret(self) -> bytes:
        """The secret of the server that made the folder.

        Raises
        ------
        ValueError
            If it is not there yet.
        """
        secret = (self.path / SECRET).read_bytes()
        if len(secret) != _SECRET_BYTES:
            raise ValueError("the secret is not written yet")
        return secret

    def remove(self) -> None:
        """Remove it."""
        _remove(self.path)


def _for_the_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def is_private(path: Path) -> bool:
    """Whether it is a folder, no link, of this user, that nobody else can enter."""
    try:
        found = path.lstat()
    except OSError:
        return False
    return (
        stat.S_ISDIR(found.st_mode)
        and found.st_uid == os.getuid()
        and not stat.S_IMODE(found.st_mode) & 0o077
    )


def remove_dead_folders() -> list[Path]:
    """Remove the folders of this user's servers that were killed, and nothing else.

    A folder is one of them if it has the name and the rights of one, a marker with the number and
    the start time of a process of this boot and this process namespace that runs no more, and no
    file that no server makes.

    Returns
    -------
    list of Path
        Those that were removed.
    """
    if not hasattr(os, "getuid"):
        return []
    pattern = f"{_PREFIX}{os.getuid()}-*"
    dead = [path for path in Path(tempfile.gettempdir()).glob(pattern) if _is_dead(path)]
    return [path for path in dead if _remove(path)]


def _is_dead(path: Path) -> bool:
    if not is_private(path):
        return False
    try:
        if {entry.name for entry in path.iterdir()} - _FILES:
            return False
        marked = json.loads((path / _MARKER).read_text())
        pid = marked["pid"]
        if not isinstance(pid, int) or pid <= 0:
            return False
        now = _this_process(pid)
    except (OSError, ValueError, KeyError, TypeError):
        return False
    here = {"boot", "namespace"}
    if any(marked.get(name) != now[name] or now[name] is None for name in here):
        return False
    return bool(marked.get("started") is not None and marked["started"] != now["started"])


def _this_process(pid: int) -> dict[str, Any]:
    """What tells a process from every other one, as far as the system says it."""
    return {
        "pid": pid,
        "started": _text(Path(f"/proc/{pid}/stat"), start_time=True),
        "boot": _text(Path("/proc/sys/kernel/random/boot_id")),
        "namespace": os.readlink("/proc/self/ns/pid")
        if os.path.exists("/proc/self/ns/pid")
        else None,
    }


def _text(path: Path, start_time: bool = False) -> str | None:
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    # The name of the program, in parentheses, may hold anything; the start time is number 22.
    return text.rpartition(")")[2].split()[19] if start_time else text


def _remove(path: Path) -> bool:
    try:
        for name in _FILES:
            (path / name).unlink(missing_ok=True)
        path.rmdir()
    except OSError:
        return False
    return True
