"""First messages on a connection: both ends prove that they know the secret; neither says it.

The server sends a random number, the worker its own with a proof, the server its proof. The key of
the connection comes from the secret and both numbers, so that messages of others do not fit.
"""

from __future__ import annotations

import hmac
import secrets
import socket
import struct

from delaystability.server.channel import FramedSocket

__all__ = ["TURN", "greet", "greeted", "wrapped"]

TURN = 5.0
"""Seconds that each word of the greeting may take."""

_NONCE, _TAG = 32, 32
_HELLO = struct.Struct(f"<q{_NONCE}s{_TAG}s")


def wrapped(stream: socket.socket) -> socket.socket:
    """The stream, whose messages must come within `TURN` until the greeting is over."""
    if stream.family != socket.AF_UNIX:
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    stream.settimeout(TURN)
    return stream


def _proof(secret: bytes, who: bytes, *parts: bytes) -> bytes:
    return hmac.digest(secret, who + b"".join(parts), "sha256")


def greet(stream: socket.socket, secret: bytes, worker: int) -> bytes:
    """The worker's side of the greeting; the key of the connection."""
    channel = FramedSocket(stream)
    theirs = bytes(channel.receive(_NONCE))
    own, number = secrets.token_bytes(_NONCE), struct.pack("<q", worker)
    parts = (theirs, own, number)
    channel.send(_HELLO.pack(worker, own, _proof(secret, b"worker", *parts)))
    if not hmac.compare_digest(channel.receive(_TAG), _proof(secret, b"server", *parts)):
        raise ValueError("the process that answers does not know the secret")
    channel.limit(None)
    return _proof(secret, b"key", *parts)


def greeted(stream: socket.socket, secret: bytes, workers: int) -> tuple[int, bytes]:
    """The server's side: the worker's number and the key of the connection."""
    channel, own = FramedSocket(stream), secrets.token_bytes(_NONCE)
    channel.send(own)
    hello = channel.receive(_HELLO.size)
    if len(hello) != _HELLO.size:
        raise ValueError("it does not speak this protocol")
    worker, theirs, proof = _HELLO.unpack(hello)
    parts = (own, theirs, struct.pack("<q", worker))
    if not hmac.compare_digest(proof, _proof(secret, b"worker", *parts)):
        raise ValueError("it does not know the secret")
    if worker not in range(workers):
        raise ValueError(f"there is no worker {worker}")
    channel.send(_proof(secret, b"server", *parts))
    channel.limit(None)
    return worker, _proof(secret, b"key", *parts)
