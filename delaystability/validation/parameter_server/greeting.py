"""The first words on a connection: both ends prove that they know the secret, and neither says it.

The server sends a random number, the worker its own with a proof, the server its proof. The key of
the connection comes from the secret and both numbers, so that no word of another connection fits.
"""

from __future__ import annotations

import hmac
import os
import secrets
import socket
import struct
from multiprocessing.connection import Connection

__all__ = ["TURN", "greet", "greeted", "wrapped"]

TURN = 5.0
"""Seconds that each word of the greeting may take."""

_NONCE, _TAG = 32, 32
_HELLO = struct.Struct(f"<q{_NONCE}s{_TAG}s")


def wrapped(found: socket.socket) -> Connection:
    """A connection whose words come within `TURN` until `_unlimited`."""
    found.setblocking(True)
    if found.family != socket.AF_UNIX:
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    _limit(found, TURN)
    return Connection(found.detach())


def _limit(found: socket.socket, seconds: float) -> None:
    whole = int(seconds)
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        limit = struct.pack("ll", whole, round(1e6 * (seconds - whole)))
        found.setsockopt(socket.SOL_SOCKET, option, limit)


def _unlimited(connection: Connection) -> None:
    with socket.socket(fileno=os.dup(connection.fileno())) as found:
        _limit(found, 0.0)


def _proof(secret: bytes, who: bytes, *words: bytes) -> bytes:
    return hmac.digest(secret, who + b"".join(words), "sha256")


def greet(connection: Connection, secret: bytes, worker: int) -> bytes:
    """The worker's side of the greeting; the key of the connection."""
    theirs = connection.recv_bytes(_NONCE)
    own, number = secrets.token_bytes(_NONCE), struct.pack("<q", worker)
    words = (theirs, own, number)
    connection.send_bytes(_HELLO.pack(worker, own, _proof(secret, b"worker", *words)))
    if not hmac.compare_digest(connection.recv_bytes(_TAG), _proof(secret, b"server", *words)):
        raise ValueError("what answers does not know the secret")
    _unlimited(connection)
    return _proof(secret, b"key", *words)


def greeted(connection: Connection, secret: bytes, workers: int) -> tuple[int, bytes]:
    """The server's side: the worker's number and the key of the connection."""
    own = secrets.token_bytes(_NONCE)
    connection.send_bytes(own)
    hello = connection.recv_bytes(_HELLO.size)
    if len(hello) != _HELLO.size:
        raise ValueError("it does not speak this protocol")
    worker, theirs, proof = _HELLO.unpack(hello)
    words = (own, theirs, struct.pack("<q", worker))
    if not hmac.compare_digest(proof, _proof(secret, b"worker", *words)):
        raise ValueError("it does not know the secret")
    if worker not in range(workers):
        raise ValueError(f"there is no worker {worker}")
    connection.send_bytes(_proof(secret, b"server", *words))
    _unlimited(connection)
    return worker, _proof(secret, b"key", *words)
