"""Frames of bytes between two processes: a pipe that is inherited, or a socket with sealed frames.

A pipe belongs to the server and to the one worker that inherited it: it has no address. Whatever
has an address is sealed: a tag under a key of this very connection, which both ends made from the
secret of the run, says of every frame that it is the next one, unaltered, from the other end.
"""

from __future__ import annotations

import hmac
import os
import socket
import struct
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Protocol

__all__ = ["GONE", "Channel", "Pipe", "SealedSocket"]

GONE = (EOFError, OSError)
"""What `Channel.send` and `Channel.receive` raise where the other end is gone."""

_TAG_BYTES = 32


class Channel(Protocol):
    """Whole frames, in order. Its two ends are used by one thread each, but for `shut`."""

    def send(self, frame: bytes) -> None:
        """Send a frame."""
        ...

    def receive(self, longest: int) -> bytes:
        """The next frame; a connection with a longer one is given up."""
        ...

    def shut(self) -> None:
        """End the connection; a thread that waits in it wakes up."""
        ...

    def close(self) -> None:
        """Free it."""
        ...


class Pipe:
    """One end of a `multiprocessing.Pipe`.

    Parameters
    ----------
    connection : Connection
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def send(self, frame: bytes) -> None:
        """See `Channel`."""
        self._connection.send_bytes(frame)

    def receive(self, longest: int) -> bytes:
        """See `Channel`."""
        return self._connection.recv_bytes(longest)

    def shut(self) -> None:
        """See `Channel`."""
        # Closing would not wake up a thread that reads, and might free the number for another file.
        with socket.socket(fileno=os.dup(self._connection.fileno())) as own:
            own.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """See `Channel`."""
        self._connection.close()


class SealedSocket(Pipe):
    """A socket whose frames bear a tag: HMAC-SHA256 over their number and their bytes.

    Each direction has a key of its own, so that a frame can neither be sent again nor sent back.
    A frame with a wrong tag is dropped, and told.

    Parameters
    ----------
    connection : Connection
    key : bytes
        Of this connection alone.
    server : bool
        Which end it is.
    dropped : function of a text, called for each frame that is dropped
    """

    def __init__(
        self, connection: Connection, key: bytes, server: bool, dropped: Callable[[str], None]
    ) -> None:
        super().__init__(connection)
        names = (b"from the server", b"from the worker")
        own, other = names if server else names[::-1]
        self._own = hmac.digest(key, own, "sha256")
        self._other = hmac.digest(key, other, "sha256")
        self._sent = self._received = 0
        self.dropped = dropped

    def send(self, frame: bytes) -> None:
        """See `Channel`."""
        super().send(_tag(self._own, self._sent, frame) + frame)
        self._sent += 1

    def receive(self, longest: int) -> bytes:
        """See `Channel`."""
        while True:
            sealed = super().receive(longest + _TAG_BYTES)
            tag, frame = sealed[:_TAG_BYTES], sealed[_TAG_BYTES:]
            if hmac.compare_digest(tag, _tag(self._other, self._received, frame)):
                self._received += 1
                return frame
            self.dropped("a message without the tag of this run, or one that was sent before")


def _tag(key: bytes, number: int, frame: bytes) -> bytes:
    return hmac.digest(key, struct.pack("<q", number) + frame, "sha256")
