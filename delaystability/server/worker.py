"""A worker: fetch weights, compute a gradient, send it, until told to stop."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import torch

from delaystability.server.channel import GONE, FramedSocket
from delaystability.server.messages import Kind
from delaystability.server.orphan_watchdog import end_with
from delaystability.server.task import Task
from delaystability.server.transport import (
    Layout,
    ServerGoneError,
    WorkerLink,
)

__all__ = ["READY", "compute", "layout_of", "work_in_a_process"]

READY = b"ready"
"""The first frame of a worker that inherited a socket."""


def layout_of(tasks: Sequence[Task], dtype: torch.dtype) -> Layout:
    """The layout of the messages about these tasks."""
    return Layout(tuple(task.parameter_count for task in tasks), dtype)


def compute(link: WorkerLink, tasks: Sequence[Task]) -> None:
    """Pull, compute, push. Returns when told to stop, or when the server is gone."""
    with suppress(ServerGoneError):
        while (given := link.pull()).kind is not Kind.STOP:
            if given.pause:
                time.sleep(given.pause / 1e9)
            gradient = tasks[given.task].gradient(given.values, given.worker, given.sequence)
            values = gradient.to("cpu", given.values.dtype)
            link.push(replace(given, kind=Kind.GRADIENT, values=values))


def work_in_a_process(
    stream: socket.socket, tasks: Sequence[Task], dtype: torch.dtype, parent: int
) -> None:
    """The main function of a worker process on the server's machine."""
    # An interrupt at the terminal reaches every process: the server alone decides what follows.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with(parent)
    torch.set_num_threads(1)
    channel = FramedSocket(stream)
    try:
        channel.send(READY)
    except GONE:
        return
    compute(WorkerLink(channel, layout_of(tasks, dtype)), tasks)
