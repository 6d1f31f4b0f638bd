"""Frames of any size, in any parts, come out as they went in, and in their order."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

pytest.importorskip("torch")

from delaystability.server.channel import _TOGETHER, FramedSocket, SealedSocket

SIZES = (0, 1, 7, _TOGETHER - 32, _TOGETHER - 1, _TOGETHER, _TOGETHER + 1, 5 * _TOGETHER + 3)


def _cut(frame: bytes) -> list[list[bytes]]:
    """A frame in one, two and three parts."""
    middle = len(frame) // 3
    return [
        [frame],
        [frame[:middle], frame[middle:]],
        [frame[:middle], b"", memoryview(frame)[middle:]],
    ]


def _send_all(channel: FramedSocket, frames: list[list[bytes]]) -> None:
    for parts in frames:
        channel.send(*parts)


@pytest.fixture(name="ends", params=["framed", "sealed"])
def ends_fixture(request):
    said: list[str] = []
    own, theirs = socket.socketpair()
    with own, theirs:
        own.settimeout(20)
        theirs.settimeout(20)
        if request.param == "framed":
            yield FramedSocket(own), FramedSocket(theirs)
        else:
            key = b"k" * 32
            server = SealedSocket(own, key, True, said.append)
            yield server, SealedSocket(theirs, key, False, said.append)
    assert said == []


def test_frames_of_every_size_and_cut_arrive_whole(ends):
    frames = [bytes([k % 251 for k in range(size)]) for size in SIZES]
    sent = [(frame, parts) for frame in frames for parts in _cut(frame)]
    for one, other in (ends, ends[::-1]):
        with ThreadPoolExecutor(1) as pool:
            done = pool.submit(_send_all, one, [parts for _, parts in sent])
            for frame, _ in sent:
                found = other.receive(max(SIZES))
                assert bytes(found) == frame and not found.readonly
            done.result()


def test_a_frame_may_be_as_long_as_is_allowed_and_no_longer(ends):
    one, other = ends
    one.send(b"x" * 100)
    assert len(other.receive(100)) == 100
    one.send(b"x" * 101)
    with pytest.raises(OSError, match="a message must have at most .* bytes; got"):
        other.receive(100)


def test_an_end_that_is_shut_is_the_end_of_the_frames(ends):
    one, other = ends
    one.send(b"last")
    one.shut()
    assert bytes(other.receive(4)) == b"last"
    with pytest.raises(EOFError, match="its connection has ended"):
        other.receive(4)
