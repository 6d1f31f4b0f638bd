"""The first words on a connection: both ends prove that they know the secret, and neither says it.

The server sends a random number, the worker its own with a proof, the server its proof. The key of
the connection comes from the secret and both numbers, so that no word of another connection fits.
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
    """The stream, whose words must come within `TURN` until the greeting is over."""
    if stream.family != socket.AF_UNIX:
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    stream.settimeout(TURN)
    return stream


def _proof(secret: bytes, who: bytes, *words: bytes) -> bytes:
    return hmac.digest(secret, who + b"".join(words), "sha256")


def greet(stream: socket.socket, secret: bytes, worker: int) -> bytes:
    """The worker's side of the greeting; the key of the connection."""
    channel = FramedSocket(stream)
    theirs = bytes(channel.receive(_NONCE))
    own, number = secrets.token_bytes(_NONCE), struct.pack("<q", worker)
    words = (theirs, own, number)
    channel.send(_HELLO.pack(worker, own, _proof(secret, b"worker", *words)))
    if not hmac.compare_digest(channel.receive(_TAG), _proof(secret, b"server", *words)):
        raise ValueError("what answers does not know the secret")
    channel.limit(None)
    return _proof(secret, b"key", *words)


def greeted(stream: socket.socket, secret: bytes, workers: int) -> tuple[int, bytes]:
    """The server's side: the worker's number and the key of the connection."""
    channel, own = FramedSocket(stream), secrets.token_bytes(_NONCE)
    channel.send(own)
    hello = channel.receive(_HELLO.size)
    if len(hello) != _HELLO.size:
        raise ValueError("it does not speak this protocol")
    worker, theirs, proof = _HELLO.unpack(hello)
    words = (own, theirs, struct.pack("<q", worker))
    if not hmac.compare_digest(proof, _proof(secret, b"worker", *words)):
        raise ValueError("it does not know the secret")
    if worker not in range(workers):
        raise ValueError(f"there is no worker {worker}")
    channel.send(_proof(secret, b"server", *words))
    channel.limit(None)
    return worker, _proof(secret, b"key", *words)
