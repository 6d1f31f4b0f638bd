"""How processes that torchrun started find each other, and nobody else finds them.

On one machine they meet at a socket in a private folder, with a secret that lies there too. On
several, the server listens at the one address that it is given, and everyone has the secret from
the environment. Both ends prove that they know it before anything else is said, and each
connection has a key of its own.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import SimpleQueue

from delaystability.server.channel import GONE, SealedSocket
from delaystability.server.greeting import TURN, greet, greeted, wrapped
from delaystability.server.private_folder import (
    SOCKET,
    PrivateFolder,
    is_private,
    remove_dead_folders,
)

__all__ = ["SECRET_VARIABLE", "Meeting", "meeting_of"]

SECRET_VARIABLE = "DELAYSTABILITY_SECRET"
"""Environment variable; the same text on every machine."""

_SHORTEST = 32  # characters: 128 random bits in hexadecimal
_MOST_AT_ONCE = 64  # connections that have not proved themselves yet
_AGAIN = 0.1  # seconds between two attempts to reach the server

_LOG = logging.getLogger("delaystability.server")


@dataclass(frozen=True)
class Meeting:
    """Where server and workers meet.

    Attributes
    ----------
    rank : int, 0 for the server
    size : int, of all processes
    address : pair of host and port, or None on one machine
    folder : PrivateFolder, used on one machine
    secret : bytes, empty on one machine, where it lies in the folder
    """

    rank: int
    size: int
    address: tuple[str, int] | None
    folder: PrivateFolder
    secret: bytes

    def accept(self, seconds: float, dropped: Callable[[int, str], None]) -> list[SealedSocket]:
        """The server's channels to all workers, in their order.

        Parameters
        ----------
        seconds : float
            That they have to join.
        dropped : function of worker and text
            Told of what comes to a channel and is not from its worker.

        Raises
        ------
        ValueError
            If the address cannot be bound, or a worker does not join.
        """
        remove_dead_folders()
        if self.address is not None:
            with _listener(self.address) as listener:
                return _joined(listener, self.secret, self.size - 1, seconds, dropped)
        self.folder.make()
        try:
            secret = self.folder.write_secret()
            with _listener(str(self.folder.path / SOCKET)) as listener:
                return _joined(listener, secret, self.size - 1, seconds, dropped)
        except BaseException:
            self.folder.remove()
            raise

    def connect(self, seconds: float) -> SealedSocket:
        """A worker's channel to the server, for which it waits.

        Raises
        ------
        ValueError
            If there is none in time that knows the secret.
        """
        end = time.monotonic() + seconds
        while True:
            try:
                return self._connected()
            except (*GONE, ValueError) as error:
                if time.monotonic() > end:
                    raise ValueError(
                        f"server must be reached within {seconds:g} s; got {error}"
                    ) from error
            time.sleep(_AGAIN)

    def _connected(self) -> SealedSocket:
        secret, place = self.secret, self.address
        if place is None:
            if not is_private(self.folder.path):
                raise ValueError(f"there is no private folder {str(self.folder.path)!r}")
            secret = self.folder.read_secret()
            connection = wrapped(_unix_connection(self.folder.path / SOCKET))
        else:
            connection = wrapped(socket.create_connection(place, timeout=TURN))
        try:
            key = greet(connection, secret, self.rank - 1)
        except BaseException:
            connection.close()
            raise
        return SealedSocket(connection, key, False, lambda why: _LOG.warning("refused: %s", why))


def meeting_of(environment: Mapping[str, str], address: str | None = None) -> Meeting:
    """Where the processes of torchrun meet.

    Parameters
    ----------
    environment : mapping
        With the variables that torchrun sets.
    address : str, optional
        ``HOST:PORT`` of the server; needed where they run on several machines.

    Raises
    ------
    ValueError
        If a variable, the address or the secret is missing or not what it must be.
    """
    try:
        rank, size, local = (
            int(environment[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")
        )
    except (KeyError, ValueError) as error:
        raise ValueError(f"environment must be that of torchrun; got no {error}") from None
    if size < 2:
        raise ValueError(f"torchrun must start a server and a worker or more; it started {size}")
    if not hasattr(os, "getuid"):
        raise ValueError("torchrun needs a system with Unix sockets here")
    names = ("TORCHELASTIC_RUN_ID", "TORCHELASTIC_RESTART_COUNT", "MASTER_ADDR", "MASTER_PORT")
    folder = PrivateFolder("\n".join(environment.get(name, "") for name in names))
    if address is None:
        if local != size:
            raise ValueError(
                "address must be HOST:PORT of the server where processes run on several machines; "
                "got none"
            )
        return Meeting(rank, size, None, folder, b"")
    secret = environment.get(SECRET_VARIABLE, "")
    if len(secret) < _SHORTEST:
        raise ValueError(
            f"{SECRET_VARIABLE} must be set to the same {_SHORTEST} random characters or more on "
            f"every machine; got {len(secret)}"
        )
    return Meeting(rank, size, _host_and_port(address), folder, secret.encode())


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"address must be HOST:PORT; got {address!r}")
    host = host.strip("[]")
    if host in ("0.0.0.0", "::"):
        raise ValueError(f"address must be one address of one machine; got {address!r}")
    return host, int(port)


def _listener(place: tuple[str, int] | str) -> socket.socket:
    ipv6 = isinstance(place, tuple) and ":" in place[0]
    listener = socket.socket(
        socket.AF_UNIX if isinstance(place, str) else socket.AF_INET6 if ipv6 else socket.AF_INET
    )
    try:
        if isinstance(place, tuple):
            # The port of a server that has just ended is free, for the same command to go on.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
        listener.listen(_MOST_AT_ONCE)
    except OSError as error:
        listener.close()
        raise ValueError(f"address must be one of this machine; got {place}: {error}") from error
    return listener


def _unix_connection(path: Path) -> socket.socket:
    found = socket.socket(socket.AF_UNIX)
    try:
        found.connect(str(path))
    except BaseException:
        found.close()
        raise
    return found


class _Door:
    """Greets whoever comes, each in a thread of its own, so that nobody is kept waiting."""

    def __init__(self, listener: socket.socket, secret: bytes, workers: int) -> None:
        self._listener, self._secret, self._workers = listener, secret, workers
        self._free = threading.BoundedSemaphore(_MOST_AT_ONCE)
        self.arrived: SimpleQueue[tuple[int, bytes, socket.socket]] = SimpleQueue()
        listener.settimeout(_AGAIN)

    def open(self) -> None:
        """Let the next one in, if there is one."""
        try:
            stream, peer = self._listener.accept()
        except TimeoutError:
            return
        if not self._free.acquire(blocking=False):
            stream.close()
            return
        who = f" from {peer[0]}" if peer else ""
        threading.Thread(target=self._welcome, args=(wrapped(stream), who), daemon=True).start()

    def _welcome(self, stream: socket.socket, who: str) -> None:
        try:
            self.arrived.put((*greeted(stream, self._secret, self._workers), stream))
        except (*GONE, ValueError) as error:
            _LOG.warning("a connection%s was refused: %s", who, error)
            stream.close()
        finally:
            self._free.release()


def _joined(
    listener: socket.socket,
    secret: bytes,
    workers: int,
    seconds: float,
    dropped: Callable[[int, str], None],
) -> list[SealedSocket]:
    """The channels of all workers, once they are there; nobody is listened to after that."""
    found: dict[int, SealedSocket] = {}
    door, end = _Door(listener, secret, workers), time.monotonic() + seconds
    try:
        while len(found) < workers:
            if time.monotonic() > end:
                missing = sorted(set(range(workers)) - set(found))
                raise ValueError(f"workers must join within {seconds:g} s; got none as {missing}")
            door.open()
            while not door.arrived.empty():
                worker, key, stream = door.arrived.get()
                if worker in found:
                    # The worker itself, which gave up a connection that was not answered in time.
                    found.pop(worker).close()
                found[worker] = SealedSocket(stream, key, True, partial(dropped, worker))
    except BaseException:
        for channel in found.values():
            channel.close()
        raise
    return [found[worker] for worker in range(workers)]
