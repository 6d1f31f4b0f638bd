"""Processes of torchrun find each other, and a stranger finds nothing that answers it."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

pytest.importorskip("torch")

from delaystability.server import joining
from delaystability.server.channel import GONE
from delaystability.server.joining import (
    SECRET_VARIABLE,
    Meeting,
    meeting_of,
)
from delaystability.server.private_folder import (
    PrivateFolder,
    is_private,
    remove_dead_folders,
)
from delaystability.server.worker_pool import _interrupts_blocked

SECRET = "s" * 32
LOCAL = {"RANK": "0", "WORLD_SIZE": "3", "LOCAL_WORLD_SIZE": "3", "TORCHELASTIC_RUN_ID": "x"}
SPREAD = LOCAL | {"LOCAL_WORLD_SIZE": "1", SECRET_VARIABLE: SECRET}


@pytest.fixture(autouse=True)
def temporary(tmp_path_factory, monkeypatch) -> Iterator[Path]:
    """A short folder for temporary files: the path of a socket has at most 107 bytes."""
    folder = tmp_path_factory.mktemp("t")
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    yield folder
    assert not list(folder.glob("delaystability-server-*/secret"))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def meetings(environment: dict[str, str], address: str | None) -> list[Meeting]:
    return [
        meeting_of(environment | {"RANK": str(rank)}, address)
        for rank in range(int(environment["WORLD_SIZE"]))
    ]


def together(server: Meeting, workers: list[Meeting], dropped: list[tuple[int, str]]):
    """The server's channels and the workers', made at the same time."""
    with ThreadPoolExecutor() as pool:
        accepted = pool.submit(server.accept, 20.0, lambda *what: dropped.append(what))
        joined = [pool.submit(worker.connect, 20.0) for worker in workers]
        return accepted.result(), [each.result() for each in joined]


@pytest.mark.parametrize("several", [False, True])
def test_server_and_workers_meet(several, temporary):
    address = f"127.0.0.1:{free_port()}" if several else None
    server, *workers = meetings(SPREAD if several else LOCAL, address)
    dropped: list[tuple[int, str]] = []
    channels, ends = together(server, workers, dropped)
    for number, (channel, end) in enumerate(zip(channels, ends, strict=True)):
        channel.send(b"weights %d" % number)
        end.send(b"gradient %d" % number)
        assert end.receive(100) == b"weights %d" % number
        assert channel.receive(100) == b"gradient %d" % number
    if several:
        # Nobody is listened to any more.
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(server.address)
    else:
        assert is_private(server.folder.path)
        server.folder.remove()
    for each in (*channels, *ends):
        each.shut()
        each.close()
    assert dropped == [] and list(temporary.iterdir()) == []


def test_strangers_are_refused_while_workers_join(caplog):
    port = free_port()
    server, *workers = meetings(SPREAD, f"127.0.0.1:{port}")
    silent: list[socket.socket] = []

    def connected() -> socket.socket:
        for _ in range(200):
            with suppress(OSError):
                return socket.create_connection(("127.0.0.1", port), timeout=5)
            time.sleep(0.02)
        raise AssertionError("nothing listens")

    with caplog.at_level(logging.WARNING), ThreadPoolExecutor() as pool:
        accepted = pool.submit(server.accept, 20.0, lambda *_: None)
        # One says nothing, one noise, one a length of 2 GB, one knows another secret.
        silent.append(connected())
        for noise in (b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 8, b"\1" + bytes(8), bytes(500)):
            with connected() as stranger:
                assert len(stranger.recv(40)) == 40  # a random number, and no more
                stranger.sendall(noise)
        liar = meeting_of(SPREAD | {"RANK": "1", SECRET_VARIABLE: "t" * 32}, f"127.0.0.1:{port}")
        with pytest.raises((*GONE, ValueError)):
            liar._connected()
        too_many = meeting_of(SPREAD | {"RANK": "7", "WORLD_SIZE": "9"}, f"127.0.0.1:{port}")
        with pytest.raises((*GONE, ValueError)):
            too_many._connected()
        assert not accepted.done()
        began = time.monotonic()
        ends = [worker.connect(20.0) for worker in workers]
        channels = accepted.result()
        assert time.monotonic() - began < 2
    said = " ".join(record.getMessage() for record in caplog.records)
    assert "a connection from 127.0.0.1 was refused: it does not know the secret" in said
    assert "was refused: there is no worker 6" in said and SECRET not in said
    channels[1].send(b"weights")
    assert ends[1].receive(100) == b"weights"
    for each in (*channels, *ends, *silent):
        each.close()
    # The thread that greets the silent one ends with it.
    deadline = time.monotonic() + 10
    while [thread for thread in threading.enumerate() if "_welcome" in thread.name]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_stranger_who_was_refused_takes_no_place(monkeypatch):
    monkeypatch.setattr(joining, "_MOST_AT_ONCE", 1)
    port = free_port()
    server, *workers = meetings(SPREAD, f"127.0.0.1:{port}")
    with ThreadPoolExecutor() as pool:
        accepted = pool.submit(server.accept, 10.0, lambda *_: None)
        liar = meeting_of(SPREAD | {"RANK": "1", SECRET_VARIABLE: "t" * 32}, f"127.0.0.1:{port}")
        with pytest.raises(ValueError, match="server must be reached within 0.2 s; got"):
            liar.connect(0.2)
        ends = [worker.connect(10.0) for worker in workers]
        for each in (*accepted.result(), *ends):
            each.close()


class Relay:
    """A machine in the middle, which hears all that a worker says to the server."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.heard = b""
        self._target = target
        threading.Thread(target=self._carry, daemon=True).start()

    def _carry(self) -> None:
        with (
            self._listener,
            self._listener.accept()[0] as worker,
            socket.create_connection(self._target) as server,
        ):
            back = threading.Thread(target=self._copy, args=(server, worker, False))
            back.start()
            self._copy(worker, server, True)
            back.join()

    def _copy(self, source: socket.socket, target: socket.socket, listen: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self.heard += data if listen else b""
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


@pytest.mark.slow
def test_a_greeting_that_was_heard_opens_nothing_later(caplog):
    port = free_port()
    server, _, other = meetings(SPREAD, f"127.0.0.1:{port}")
    with caplog.at_level(logging.WARNING), ThreadPoolExecutor() as pool:
        accepted = pool.submit(server.accept, 20.0, lambda *_: None)
        time.sleep(0.2)
        relay = Relay(("127.0.0.1", port))
        end = meeting_of(SPREAD | {"RANK": "1"}, relay.address).connect(20.0)
        assert len(relay.heard) == 8 + 72
        with socket.create_connection(("127.0.0.1", port), timeout=5) as stranger:
            assert len(stranger.recv(40)) == 40
            stranger.sendall(relay.heard)
            assert stranger.recv(100) == b""
        assert not accepted.done()
        last = other.connect(20.0)
        channels = accepted.result()
        end.send(b"gradient")
        assert channels[0].receive(100) == b"gradient"
        for each in (*channels, end, last):
            each.shut()
            each.close()
    assert "it does not know the secret" in caplog.text


@pytest.mark.slow
def test_a_server_that_does_not_know_the_secret_gets_nothing():
    port = free_port()
    got = []

    def pretend() -> None:
        with socket.create_server(("127.0.0.1", port)) as listener:
            taken, _ = listener.accept()
            with taken:
                taken.sendall(b"\x20" + bytes(7) + bytes(32))
                got.append(taken.recv(1000))
                taken.sendall(b"\x20" + bytes(7) + bytes(32))

    thread = threading.Thread(target=pretend)
    thread.start()
    with pytest.raises(ValueError, match="server must be reached within 0.5 s; got"):
        meeting_of(SPREAD | {"RANK": "1"}, f"127.0.0.1:{port}").connect(0.5)
    thread.join()
    assert SECRET.encode() not in got[0]


@pytest.mark.slow
@pytest.mark.parametrize("several", [False, True])
def test_missing_workers_are_named_and_nothing_is_left(several, temporary):
    address = f"127.0.0.1:{free_port()}" if several else None
    server, worker, _ = meetings(SPREAD if several else LOCAL, address)
    with ThreadPoolExecutor() as pool:
        accepted = pool.submit(server.accept, 0.4, lambda *_: None)
        end = worker.connect(20.0)
        with pytest.raises(ValueError, match=r"must join within 0.4 s; got none as \[1\]"):
            accepted.result()
        end.close()
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "address", "message"),
    [
        ({"RANK": "x"}, None, "must be that of torchrun"),
        ({"WORLD_SIZE": "1"}, None, "must start a server and a worker or more; it started 1"),
        ({"LOCAL_WORLD_SIZE": "1"}, None, "address must be HOST:PORT of the server where"),
        ({SECRET_VARIABLE: ""}, "127.0.0.1:1", "must be set to the same 32 random characters"),
        ({SECRET_VARIABLE: "s" * 31}, "127.0.0.1:1", "got 31"),
        ({}, "127.0.0.1", "address must be HOST:PORT; got '127.0.0.1'"),
        ({}, "127.0.0.1:70000", "address must be HOST:PORT"),
        ({}, "0.0.0.0:80", "must be one address of one machine; got '0.0.0.0:80'"),
        ({}, "[::]:80", "must be one address of one machine"),
        ({}, ":80", "address must be HOST:PORT; got ':80'"),
    ],
)
def test_bad_environments_are_refused(change, address, message):
    with pytest.raises(ValueError, match=message):
        meeting_of(LOCAL | {SECRET_VARIABLE: SECRET} | change, address)
    with pytest.raises(ValueError, match="must be that of torchrun; got no 'RANK'"):
        meeting_of({}, address)


def test_a_server_and_one_worker_are_enough():
    small = LOCAL | {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "RANK": "1"}
    meeting = meeting_of(small)
    assert (meeting.rank, meeting.size, meeting.address) == (1, 2, None)


def test_the_server_listens_at_its_address_only():
    other = Meeting(0, 2, ("192.0.2.1", free_port()), PrivateFolder("x"), SECRET.encode())
    with pytest.raises(ValueError, match="address must be one of this machine; got"):
        other.accept(1.0, lambda *_: None)


def test_interrupts_reach_this_process_again_once_the_workers_are_started():
    with _interrupts_blocked():
        assert signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


# Private folders


HOLD = """
import sys, time
from delaystability.server.private_folder import PrivateFolder
import tempfile; tempfile.tempdir = sys.argv[1]
folder = PrivateFolder("dead"); folder.make()
(folder.path / "secret").write_bytes(b"x"); print(folder.path, flush=True); time.sleep(600)
"""


def test_the_folder_of_a_killed_server_is_removed_and_nothing_else(temporary):
    held = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(temporary)], stdout=subprocess.PIPE, text=True
    )
    assert held.stdout is not None
    path = Path(held.stdout.readline().strip())
    own = PrivateFolder("alive")
    own.make()
    assert remove_dead_folders() == [] and path.exists()
    held.kill()
    held.communicate()
    marker = json.loads((path / "server.json").read_text())
    # What looks like a folder of ours, and is not quite one.
    foreign = {
        "file": marker,
        "open": marker,
        "other-boot": marker | {"boot": "another"},
        "other-machine": marker | {"namespace": "pid:[1]"},
        "no-start": marker | {"started": None},
        "no-pid": {key: value for key, value in marker.items() if key != "pid"},
        "list": [1],
        "negative-pid": marker | {"pid": -1},
        "pid-in-words": marker | {"pid": "1"},
    }
    for name, content in foreign.items():
        folder = temporary / f"delaystability-server-{os.getuid()}-{name}"
        folder.mkdir(mode=0o755 if name == "open" else 0o700)
        (folder / "server.json").write_text(json.dumps(content))
    (temporary / f"delaystability-server-{os.getuid()}-file" / "thesis.tex").write_text("mine")
    kept = temporary / "kept"
    kept.mkdir()
    link = temporary / f"delaystability-server-{os.getuid()}-link"
    link.symlink_to(kept, target_is_directory=True)
    (kept / "server.json").write_text(json.dumps(marker))
    before = sorted(temporary.rglob("*"))
    assert remove_dead_folders() == [path]
    gone = {path, *(path / name for name in ("server.json", "secret"))}
    assert sorted(temporary.rglob("*")) == [each for each in before if each not in gone]
    own.remove()
    assert not own.path.exists()


def test_a_secret_is_read_and_written_by_its_owner_alone_and_never_in_part(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = PrivateFolder("secretive")
    folder.make()
    written = folder.write_secret()
    assert folder.read_secret() == written
    assert len(written) == 32
    secret = folder.path / "secret"
    assert secret.stat().st_mode & 0o777 == 0o600
    assert folder.path.stat().st_mode & 0o777 == 0o700
    with pytest.raises(FileExistsError):
        folder.write_secret()
    secret.write_bytes(written[:-1])
    with pytest.raises(ValueError, match="not written yet"):
        folder.read_secret()


@pytest.mark.slow
def test_a_folder_of_somebody_else_is_not_used(temporary):
    folder = PrivateFolder("taken")
    folder.path.mkdir(mode=0o777)
    folder.path.chmod(0o777)
    with pytest.raises(ValueError, match="folder must be free for this server; got"):
        folder.make()
    # A server of the same name that is alive keeps its folder.
    alive, _, _ = meetings(LOCAL | {"TORCHELASTIC_RUN_ID": "alive"}, None)
    alive.folder.make()
    (alive.folder.path / "secret").write_bytes(b"another")
    with pytest.raises(ValueError, match="folder must be free for this server; got"):
        alive.accept(1.0, lambda *_: None)
    assert (alive.folder.path / "secret").read_bytes() == b"another"
    with pytest.raises(ValueError, match="within 0.1 s; got the secret is not written yet"):
        meetings(LOCAL | {"TORCHELASTIC_RUN_ID": "alive"}, None)[1].connect(0.1)
    alive.folder.remove()
    server, worker, _ = meetings(LOCAL, None)
    server.folder.path.mkdir()
    server.folder.path.chmod(0o755)
    with pytest.raises(ValueError, match="there is no private folder"):
        worker.connect(0.3)
