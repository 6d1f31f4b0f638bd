"""No thread of the parameter server keeps its process alive; a process ends with its parent."""

from __future__ import annotations

import os
import socket
import threading
import time

import pytest

pytest.importorskip("torch")

from delaystability.server import orphan_watchdog
from delaystability.server.joining import _Door, _listener


def test_a_process_ends_when_its_parent_is_another(monkeypatch):
    parents, ended, begun = iter([7, 7, 7, 1]), [], []

    class Thread(threading.Thread):
        def start(self) -> None:
            begun.append(self)

    monkeypatch.setattr(orphan_watchdog.threading, "Thread", Thread)
    monkeypatch.setattr(os, "getppid", lambda: next(parents))
    monkeypatch.setattr(os, "_exit", ended.append)
    monkeypatch.setattr(time, "sleep", lambda seconds: ended.append("slept"))
    orphan_watchdog.end_with(7)
    (watch,) = begun
    assert watch.daemon and ended == []
    watch.run()
    assert ended == ["slept"] * 3 + [1]


def test_a_stranger_who_says_nothing_keeps_no_process_alive(tmp_path):
    listener = _listener(str(tmp_path / "door"))
    door = _Door(listener, b"secret" * 6, 2)
    before = set(threading.enumerate())
    with listener, socket.socket(socket.AF_UNIX) as silent:
        silent.connect(str(tmp_path / "door"))
        door.open()
        (welcome,) = set(threading.enumerate()) - before
        assert welcome.is_alive() and welcome.daemon
        assert door.arrived.empty()
        silent.close()
        welcome.join(20)
    assert not welcome.is_alive() and door.arrived.empty()
    # The place of the stranger is free again.
    assert all(door._free.acquire(blocking=False) for _ in range(2))
