"""A stranger on the server's machine: another user, who tries all doors while a run goes on.

Run as root in a network namespace of its own; prints one line of JSON.
"""

from __future__ import annotations

import ctypes
import encodings.idna  # noqa: F401  (a stranger may not be able to import it)
import fcntl
import json
import os
import re
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

NOBODY = 65534
WORKERS = 2
MODULE = "delaystability.validation.parameter_server"
_PIDFD_OPEN, _PIDFD_GETFD = 434, 438
_NOISE = (
    b"",
    b"GET / HTTP/1.1\r\n\r\n",
    bytes(64),
    b"\xff" * 64,
    struct.pack("<q", 1) + bytes(200),
)


# The stranger


def _listening() -> Iterator[Callable[[], socket.socket]]:
    """What opens a connection to each socket of this namespace that listens."""
    for table, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        for line in Path(f"/proc/self/net/{table}").read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == "0A":
                port = int(words[1].rpartition(":")[2], 16)
                host = "127.0.0.1" if family == socket.AF_INET else "::1"
                yield lambda where=(host, port): socket.create_connection(where, timeout=0.2)
    for line in Path("/proc/self/net/unix").read_text().splitlines()[1:]:
        words = line.split()
        if len(words) == 8 and int(words[3], 16) & 0x10000:
            yield lambda name=words[7]: _unix(name.replace("@", "\0"))


def _unix(name: str) -> socket.socket:
    found = socket.socket(socket.AF_UNIX)
    found.settimeout(0.2)
    found.connect(name)
    return found


def _knock(opened: Callable[[], socket.socket], got: dict[str, Any]) -> None:
    for noise in _NOISE:
        with suppress(OSError), opened() as door:
            got["doors"] += 1
            for _ in range(2):
                with suppress(TimeoutError):
                    got["heard"] += door.recv(1 << 16).hex()
                door.sendall(noise)


def _files(folder: Path, got: dict[str, Any]) -> None:
    for path in folder.rglob("*"):
        with suppress(OSError):
            got["read"].add(path.name) if path.is_file() and path.read_bytes() else None
        with suppress(OSError), open(path, "r+b"):
            got["harmed"].add(f"may write {path.name}")


def _process(pid: int, got: dict[str, Any]) -> None:
    for name in ("mem", "environ", "fd", "map_files"):
        with suppress(OSError):
            where = f"/proc/{pid}/{name}"
            os.listdir(where) if os.path.isdir(where) else open(where, "rb").close()
            got["harmed"].add(f"may see {name}")
    with suppress(OSError):
        os.kill(pid, 0)
        got["harmed"].add("may send signals")
    system = ctypes.CDLL(None).syscall
    door = system(_PIDFD_OPEN, pid, 0)
    if door >= 0:
        if any(system(_PIDFD_GETFD, door, number, 0) >= 0 for number in range(3, 64)):
            got["harmed"].add("may take a socket")
        os.close(door)


def _attack(server: int, victims: Callable[[], list[int]], folder: Path) -> dict[str, Any]:
    """All of it, again and again, until the server has ended."""
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    got: dict[str, Any] = {"rounds": 0, "doors": 0, "heard": "", "read": set(), "harmed": set()}
    while _exists(server):
        for opened in _listening():
            _knock(opened, got)
        _files(folder, got)
        for pid in victims():
            _process(pid, got)
        got["rounds"] += 1
        time.sleep(0.02)
    return got | {"read": sorted(got["read"]), "harmed": sorted(got["harmed"])}


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


# What it attacks


def _ranks(folder: Path, address: tuple[str, ...]) -> list[subprocess.Popen[str]]:
    """The processes that torchrun would start: on one machine, or as if on several."""
    several = {"LOCAL_WORLD_SIZE": "1"} if address else {}
    common = {"WORLD_SIZE": f"{WORKERS + 1}", "LOCAL_WORLD_SIZE": f"{WORKERS + 1}"} | several
    names = {"TORCHELASTIC_RUN_ID": folder.parent.name, "DELAYSTABILITY_SECRET": "s" * 40}
    return [
        _started(folder, *address, environment=common | names | {"RANK": str(rank)})
        for rank in range(WORKERS + 1)
    ]


def _started(
    folder: Path, *options: str, environment: dict[str, str] | None = None
) -> subprocess.Popen[str]:
    under_torchrun = {} if environment is None else {"TORCHELASTIC_RUN_ID": "x"}
    return subprocess.Popen(
        [sys.executable, "-m", MODULE, str(folder), "--updates", "1000", "--lr", "0.001", *options],
        env={**os.environ, "TMPDIR": str(folder.parent), **under_torchrun, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _careless(folder: Path) -> subprocess.Popen[str]:
    """A control: a server that anybody can talk to, and files that anybody can write."""
    folder.mkdir()
    (folder / "checkpoint.pt").write_text("weights")
    (folder / "checkpoint.pt").chmod(0o666)
    program = (
        "import socket, time\n"
        "listener = socket.create_server(('127.0.0.1', 0)); listener.settimeout(0.1)\n"
        "end = time.monotonic() + 2\n"
        "while time.monotonic() < end:\n"
        "    try:\n"
        "        with listener.accept()[0] as door: door.sendall(b'weights')\n"
        "    except OSError: pass\n"
        "print('{}')"
    )
    return subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def _loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", 0x49))


def _children(pid: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            after = path.read_text().rpartition(")")[2].split()
            if int(after[1]) == pid:
                found.append(int(path.parent.name))
    return found


def main(mode: str) -> dict[str, Any]:
    """What the stranger got, and what the server printed."""
    _loopback_up()
    with tempfile.TemporaryDirectory(prefix="attack-") as made:
        Path(made).chmod(0o755)
        folder = Path(made) / "run"
        if mode == "pairs":
            processes = [_started(folder, "--workers", str(WORKERS))]
        elif mode == "control":
            processes = [_careless(folder)]
        else:
            address = ("--address", "127.0.0.1:29123") if mode == "address" else ()
            processes = _ranks(folder, address)
        server = processes[0].pid
        ours = [process.pid for process in processes]
        read, write = os.pipe()
        stranger = os.fork()
        if not stranger:
            try:
                got = _attack(server, lambda: [*ours, *_children(server)], Path(made))
                with open(write, "w") as file:
                    json.dump(got, file)
            finally:
                os._exit(0)
        os.close(write)
        answers: list[str] = []
        # The stranger's answer may be longer than its pipe holds.
        with open(read) as file:
            reader = threading.Thread(target=lambda: answers.append(file.read()))
            reader.start()
            out, err = processes[0].communicate(timeout=120)
            for process in processes[1:]:
                process.communicate(timeout=30)
            reader.join(60)
        os.waitpid(stranger, 0)
        return {
            "status": processes[0].returncode,
            "run": json.loads(out or "null"),
            "said": err,
            "got": json.loads(answers[0]),
            "left": sorted(path.name for path in Path(made).iterdir()),
            "entries": _ledger(folder),
        }


def _ledger(folder: Path) -> list[list[int]]:
    path = folder / "ledger.csv"
    if not path.exists():
        return []
    lines = re.findall(r"^[\d,]+$", path.read_text(), flags=re.M)
    return [[int(word) for word in line.split(",")] for line in lines]


if __name__ == "__main__":
    began = time.monotonic()
    found = main(sys.argv[1])
    print(json.dumps(found | {"seconds": time.monotonic() - began}))
