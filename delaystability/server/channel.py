"""Frames of bytes between two processes: a socket pair that is inherited, or sealed sockets.

One socket of a pair is the server's, the other is inherited by a worker: there is no address.
Whatever has an address is sealed: a tag under a key of this very connection, which both ends made
from the secret of the run, says of every frame that it is the next one, unaltered, from the other
end.
"""

from __future__ import annotations

import hmac
import socket
import struct
from collections.abc import Callable
from typing import Protocol

__all__ = ["GONE", "Channel", "FramedSocket", "SealedSocket"]

GONE = (EOFError, OSError)
"""What `Channel.send` and `Channel.receive` raise where the other end is gone."""

_LENGTH = struct.Struct("<Q")
_TAG_BYTES = 32
_TOGETHER = 1 << 16  # bytes up to which a copy is cheaper than a second call

Part = bytes | bytearray | memoryview


class Channel(Protocol):
    """Whole frames, in order. Its two ends are used by one thread each, but for `shut`."""

    def send(self, *parts: Part) -> None:
        """Send a frame, given in parts of bytes."""
        ...

    def receive(self, longest: int) -> memoryview:
        """The next frame, which can be written to; a connection with a longer one is given up."""
        ...

    def shut(self) -> None:
        """End the connection; a thread that waits in it wakes up."""
        ...

    def close(self) -> None:
        """Free it."""
        ...


class FramedSocket:
    """A stream socket; each frame has its length in front. Numbers are not copied on their way.

    Parameters
    ----------
    stream : socket
    """

    def __init__(self, stream: socket.socket) -> None:
        self._stream = stream

    def send(self, *parts: Part) -> None:
        """See `Channel`."""
        length = sum(len(part) for part in parts)
        if length <= _TOGETHER:
            self._stream.sendall(b"".join((_LENGTH.pack(length), *parts)))
            return
        self._stream.sendall(_LENGTH.pack(length))
        for part in parts:
            self._stream.sendall(part)

    def receive(self, longest: int) -> memoryview:
        """See `Channel`."""
        (length,) = _LENGTH.unpack(self._exactly(_LENGTH.size))
        if length > longest:
            raise OSError(f"a message must have at most {longest} bytes; got {length}")
        return self._exactly(length)

    def limit(self, seconds: float | None) -> None:
        """Give up what takes longer than this from now on."""
        self._stream.settimeout(seconds)

    def shut(self) -> None:
        """See `Channel`."""
        # Closing would not wake up a thread that reads, and might free the number for another file.
        self._stream.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """See `Channel`."""
        self._stream.close()

    def _exactly(self, length: int) -> memoryview:
        room = memoryview(bytearray(length))
        left = room
        while left:
            count = self._stream.recv_into(left, 0, socket.MSG_WAITALL)
            if not count:
                raise EOFError("its connection has ended")
            left = left[count:]
        return room


class SealedSocket(FramedSocket):
    """A socket whose frames bear a tag: HMAC-SHA256 over their number and their bytes.

    Each direction has a key of its own, so that a frame can neither be sent again nor sent back.
    A frame with a wrong tag is dropped, and told.

    Parameters
    ----------
    stream : socket
    key : bytes
        Of this connection alone.
    server : bool
        Which end it is.
    dropped : function of a text, called for each frame that is dropped
    """

    def __init__(
        self, stream: socket.socket, key: bytes, server: bool, dropped: Callable[[str], None]
    ) -> None:
        super().__init__(stream)
        names = (b"from the server", b"from the worker")
        own, other = names if server else names[::-1]
        self._own = hmac.digest(key, own, "sha256")
        self._other = hmac.digest(key, other, "sha256")
        self._sent = self._received = 0
        self.dropped = dropped

    def send(self, *parts: Part) -> None:
        """See `Channel`."""
        super().send(_tag(self._own, self._sent, *parts), *parts)
        self._sent += 1

    def receive(self, longest: int) -> memoryview:
        """See `Channel`."""
        while True:
            sealed = super().receive(longest + _TAG_BYTES)
            tag, frame = sealed[:_TAG_BYTES], sealed[_TAG_BYTES:]
            if hmac.compare_digest(tag, _tag(self._other, self._received, frame)):
                self._received += 1
                return frame
            self.dropped("a message without the tag of this run, or one that was sent before")


def _tag(key: bytes, number: int, *parts: Part) -> bytes:
    found = hmac.new(key, struct.pack("<q", number), "sha256")
    for part in parts:
        found.update(part)
    return found.digest()
