"""What goes over a channel: frames, tags, and a thousand pieces of garbage in between."""

from __future__ import annotations

import logging
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from socket import socketpair

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from delaystability.server.channel import GONE, FramedSocket, SealedSocket
from delaystability.server.messages import (
    HEADER_BYTES,
    Header,
    Kind,
    Message,
    encode,
    read_values,
)
from delaystability.server.refusals import MOST_IN_A_ROW, Refusals
from delaystability.server.transport import Arrival, Layout, ServerLink

LAYOUT = Layout((5, 2), torch.float64)
VALUES = torch.linspace(-1, 1, 5, dtype=torch.float64)
GIVEN = Message(Kind.WEIGHTS, 3, 0, 41, 2**40, 0, 0, VALUES)
ANSWER = replace(GIVEN, kind=Kind.GRADIENT, values=2 * VALUES)
KEY = b"k" * 32


def encoded(message: Message, room: int = LAYOUT.room) -> bytearray:
    """The frame as it arrives."""
    return bytearray(b"".join(encode(message, room)))


# Frames


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_a_message_comes_out_as_it_went_in(dtype):
    sent = replace(ANSWER, worker=2, task=1, pause=10**10, values=VALUES[:2].to(dtype))
    frame = encoded(sent, 100)
    assert len(frame) == HEADER_BYTES + 2 * dtype.itemsize
    got = Layout((5, 2), dtype).decode(frame, Header.read(frame))
    assert vars(got) | {"values": None} == vars(sent) | {"values": None}
    assert torch.equal(got.values, sent.values) and got.values.dtype == dtype
    stop = encoded(Message(Kind.STOP, 0, 1, 0, 0, 0, 0, torch.empty(0)), 100)
    assert LAYOUT.decode(stop, Header.read(stop)).kind is Kind.STOP


def test_numbers_of_another_shape_or_dtype_are_refused():
    for values, message in (
        (torch.zeros(4), "must have 5 numbers in one dimension; got 4 in 1"),
        (torch.zeros(5, 1), "got 5 in 2"),
        (torch.zeros(500), "got 500 in 1"),
        (torch.zeros(5), "must have numbers of torch.float64; got torch.float32"),
    ):
        frame = encoded(replace(ANSWER, values=values), LAYOUT.room)
        assert len(frame) <= HEADER_BYTES + LAYOUT.room
        with pytest.raises(ValueError, match=message):
            LAYOUT.decode(frame, Header.read(frame))
    frame = encoded(ANSWER, 40)[:-1]
    with pytest.raises(ValueError, match="must have 40 bytes of numbers; got 39"):
        read_values(frame, Header.read(frame), 5, torch.float64)
    with pytest.raises(ValueError, match="must hold floats; got torch.int64"):
        encoded(replace(ANSWER, values=torch.zeros(5, dtype=torch.int64)), 40)
    frame = encoded(replace(ANSWER, task=7), 40)
    with pytest.raises(ValueError, match="must name a task below 2; got 7"):
        LAYOUT.decode(frame, Header.read(frame))


def test_what_is_no_message_is_refused():
    frame = encoded(ANSWER)
    for place, value, message in (
        (0, 0, "one of this protocol; it begins with 0x0"),
        (1, 9, "of a known kind and dtype; got 9 and 0"),
        (8, 4, "of a known kind and dtype; got 2 and 4"),
        (4, -1, "must have numbers >= 0 in its header"),
    ):
        wrong = frame.copy()
        struct.pack_into("<q", wrong, 8 * place, value)
        with pytest.raises(ValueError, match=message):
            Header.read(wrong)
    with pytest.raises(ValueError, match="must have 88 bytes or more; got 0"):
        Header.read(bytearray())


# Sealed sockets


@contextmanager
def sealed(
    other_key: bytes = KEY, side: bool = False
) -> Iterator[tuple[SealedSocket, SealedSocket, FramedSocket, list[str]]]:
    """A server's end, a worker's end, the wire below the latter, and what the server dropped."""
    own, theirs = socketpair()
    dropped: list[str] = []
    with own, theirs:
        server = SealedSocket(own, KEY, True, dropped.append)
        yield server, SealedSocket(theirs, other_key, side, print), FramedSocket(theirs), dropped


def test_sealed_frames_arrive_and_nothing_else_does():
    with sealed() as (server, worker, wire, dropped):
        for number in range(3):
            worker.send(b"frame %d" % number)
            assert server.receive(100) == b"frame %d" % number
            server.send(b"answer")
            assert worker.receive(100) == b"answer"
        for garbage in (b"", b"x", bytes(32), bytes(90)):
            wire.send(garbage)
        worker.send(b"good")
        assert server.receive(100) == b"good" and len(dropped) == 4


def test_a_frame_that_is_repeated_altered_or_sent_back_is_dropped():
    with sealed() as (server, worker, wire, dropped):
        server.send(b"weights")
        caught = wire.receive(100)
        wire.send(caught)  # back to its sender
        worker.send(b"gradient")
        assert server.receive(100) == b"gradient" and len(dropped) == 1
    with sealed() as (server, worker, wire, dropped):
        records: list[bytes] = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(FramedSocket, "send", lambda _, *parts: records.append(b"".join(parts)))
            worker.send(b"first")
        # Before it has arrived: afterwards its number alone would be refused.
        bits = range(0, 8 * len(records[0]), 7)
        for bit in bits:
            altered = bytearray(records[0])
            altered[bit // 8] ^= 1 << bit % 8
            wire.send(bytes(altered))
        wire.send(records[0])
        assert server.receive(100) == b"first" and len(dropped) == len(bits)
        wire.send(records[0])
        worker.send(b"second")
        assert server.receive(100) == b"second" and len(dropped) == len(bits) + 1


@pytest.mark.parametrize(("key", "side"), [(b"j" * 32, False), (KEY, True)])
def test_another_key_or_the_other_direction_opens_nothing(key, side):
    with sealed(key, side) as (server, worker, _, dropped):
        worker.send(b"gradient")
        worker.close()
        with pytest.raises(EOFError):
            server.receive(100)
        assert len(dropped) == 1


# The server among garbage


class Served:
    """A server's link to workers whose ends this test has in its hands."""

    def __init__(self, workers: int = 1) -> None:
        pairs = [socketpair() for _ in range(workers)]
        self.wires = [FramedSocket(theirs) for _, theirs in pairs]
        self.raw = [theirs for _, theirs in pairs]
        self.refusals = Refusals()
        self.link = ServerLink([FramedSocket(own) for own, _ in pairs], LAYOUT, self.refusals)

    def __enter__(self) -> Served:
        return self

    def __exit__(self, *_: object) -> None:
        assert self.link.close(2.0)
        for wire in self.wires:
            wire.close()

    def arrival(self) -> Arrival:
        found = self.link.receive(2.0)
        assert found is not None
        return found


def garbage(random: np.random.Generator) -> bytes:
    """Noise, a true answer with a few bytes altered in its header, or one of its beginnings."""
    frame = encoded(ANSWER)
    kind = random.integers(3)
    if kind == 0:
        return random.bytes(int(random.integers(HEADER_BYTES + 41)))
    if kind == 1:
        return bytes(frame[: int(random.integers(HEADER_BYTES))])
    for place in random.integers(56, size=random.integers(1, 5)):
        frame[place] ^= int(random.integers(1, 256))
    return bytes(frame)


def test_a_header_is_eleven_integers_that_begin_with_the_mark():
    """Other versions must read it: mark, kind, what it is about, pause, dtype, shape."""
    given = struct.unpack("<11q", encoded(replace(GIVEN, pause=7))[:HEADER_BYTES])
    assert given[0].to_bytes(8, "big") == b"delay.02"
    assert given[1:] == (1, 3, 0, 41, 2**40, 0, 7, 0, 1, 5)
    assert struct.unpack("<11q", encoded(ANSWER)[:HEADER_BYTES])[1] == 2
    halved = replace(GIVEN, kind=Kind.STOP, values=VALUES[:0].half())
    assert struct.unpack("<11q", encoded(halved)[:HEADER_BYTES])[1::7] == (3, 2)


def test_a_server_that_ends_waits_for_an_answer_and_gives_up_who_is_silent():
    served = Served(2)
    for worker in range(2):
        served.link.send(replace(GIVEN, worker=worker))
        served.wires[worker].receive(1000)
    frame = encoded(ANSWER)
    late = threading.Timer(0.05, lambda: served.wires[0].send(frame))
    late.start()
    began = time.monotonic()
    assert served.link.close(0.5)
    assert 0.5 <= time.monotonic() - began < 5
    first, second = served.arrival(), served.arrival()
    assert first.worker == 0 and torch.equal(first.message.values, ANSWER.values)
    assert second.worker == 1 and second.gone
    assert served.link.receive(0) is None
    for wire in served.wires:
        wire.close()


def test_a_thousand_pieces_of_garbage_before_each_answer_change_nothing(caplog):
    random = np.random.default_rng(0)
    with Served() as served, caplog.at_level(logging.WARNING):
        for number in range(4):
            served.link.send(replace(GIVEN, sequence=number))
            served.wires[0].receive(1000)
            for _ in range(250):
                served.wires[0].send(garbage(random))
            served.wires[0].send(encoded(replace(ANSWER, sequence=number), 40))
            arrival = served.arrival()
            assert arrival.message is not None and arrival.message.sequence == number
            assert torch.equal(arrival.message.values, ANSWER.values)
        # An altered byte may be put back by the next one, but hardly ever.
        assert 990 <= served.refusals.total <= 1000
    # It is logged with the worker's number, and the log does not grow with what a stranger sends.
    said = [record.getMessage() for record in caplog.records]
    assert 1 <= len(said) <= 10 and all(text.startswith("worker 0: refused: ") for text in said)


def test_an_answer_to_something_else_is_dropped_and_a_bad_one_reported():
    with Served(2) as served:
        served.link.send(GIVEN)
        served.wires[0].receive(1000)
        for change in (
            {"generation": 2},
            {"worker": 1},
            {"sequence": 40},
            {"version": 2**40 + 1},
            {"task": 1},
            {"kind": Kind.WEIGHTS},
        ):
            served.wires[0].send(encoded(replace(ANSWER, **change), 40))
        served.wires[0].send(encoded(replace(ANSWER, values=VALUES[:3]), 40))
        arrival = served.arrival()
        assert served.refusals.total == 6
        assert arrival.message is None and not arrival.gone
        assert arrival.error == "message must have 5 numbers in one dimension; got 3 in 1"


@pytest.mark.slow
def test_raw_noise_on_the_wire_costs_its_worker_at_most():
    random = np.random.default_rng(1)
    for _ in range(100):
        with Served(2) as served:
            for worker, wire in enumerate(served.wires):
                served.link.send(replace(GIVEN, worker=worker))
                wire.receive(1000)
            # Below the framing: a length that is too long, or of more than ever comes.
            with suppress(*GONE):
                served.raw[0].sendall(random.bytes(int(random.integers(1, 200))))
            served.wires[1].send(encoded(replace(ANSWER, worker=1), 40))
            arrivals = [served.arrival()]
            if arrivals[0].worker == 0:
                assert arrivals[0].gone
                arrivals.append(served.arrival())
            assert arrivals[-1].worker == 1 and arrivals[-1].message is not None
            began = time.monotonic()
            served.link.give_up(0)
        assert time.monotonic() - began < 2
    assert not [thread for thread in threading.enumerate() if "_talk" in thread.name]


def test_refusals_in_a_row_are_counted_for_each_worker():
    refusals = Refusals()
    for _ in range(MOST_IN_A_ROW - 1):
        assert not refusals.add_gradient(0, "nan") and not refusals.add_gradient(1, "nan")
    refusals.applied(1)
    assert refusals.add_gradient(0, "nan") and not refusals.add_gradient(1, "nan")
    refusals.start()
    assert not refusals.add_gradient(0, "nan")
    assert refusals.total == 2 * MOST_IN_A_ROW + 1
