"""A sweep of a map whose results differ in every bit of their input; also a program of its own."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from delaystability.files.trials import Chunk
from delaystability.validation.sweeps.run import run_sweep
from delaystability.validation.sweeps.store import Description, Store

COMMON = {"steps": 500, "seed": 3}


def plan(count: int, pause: float = 0.0, bad: Sequence[int] = ()) -> list[Chunk]:
    """Chunks of two trials each; those whose number is in ``bad`` raise."""
    return [
        Chunk.of(
            "map",
            1,
            COMMON,
            [
                {"start": (2 * i + j + 1) / (2 * count + 2), "bad": i in bad, "pause": pause}
                for j in range(2)
            ],
        )
        for i in range(count)
    ]


def describe(count: int) -> Description:
    columns = {"start": "first value"}
    return Description("map", "A map", 1, COMMON, 2 * count, columns, {"by": "me"})


_KEPT: list[bytearray] = []


def growing_work(chunk: Chunk) -> list[dict[str, Any]]:
    """The same work, in a process that keeps 200 MB more after each chunk."""
    _KEPT.append(bytearray(os.urandom(1) * 200_000_000))
    # loky looks at the memory of a worker once a second.
    time.sleep(1.1)
    return work(chunk)


def work(chunk: Chunk) -> list[dict[str, Any]]:
    results = []
    for trial in chunk.trials:
        if "WORK_LOG" in os.environ:
            with open(os.environ["WORK_LOG"], "a") as log:
                log.write(f"{trial.key} {os.getpid()}\n")
        settings = trial.settings
        time.sleep(settings["pause"])
        if settings["bad"]:
            raise ArithmeticError("the map left its domain")
        value = settings["start"]
        for _ in range(trial.common["steps"]):
            value = 3.9 * value * (1 - value)
        results.append({"end": value})
    return results


def table(path: Path) -> list[tuple[str, ...]]:
    """All trials of a file that is sound, by plain SQL."""
    connection = sqlite3.connect(path, timeout=60)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return list(connection.execute("SELECT key, settings, result FROM trials ORDER BY key"))
    finally:
        connection.close()


def logged(log: Path) -> list[tuple[str, int]]:
    """Key and process of each trial that was begun."""
    lines = log.read_text().splitlines() if log.exists() else []
    return [(key, int(process)) for key, process in (line.split() for line in lines)]


def gone(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    """Whether it becomes true in this time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


@contextmanager
def running(path: Path, count: int, pause: float, backend: str) -> Iterator[Any]:
    """The sweep in a process of its own, which is gone at the end."""
    root = str(Path(__file__).parents[1])
    found = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    with subprocess.Popen(
        [sys.executable, __file__, str(path), str(count), str(pause), backend],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # The process shall find the package even where it is not installed.
        env={**os.environ, "PYTHONPATH": os.pathsep.join(found)},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


if __name__ == "__main__":
    # A shell starts jobs in the background with this signal ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    where, many, slow, how = sys.argv[1:]
    with Store.open(where, describe(int(many))) as opened:
        print("open", flush=True)
        run_sweep(plan(int(many), float(slow)), work, opened, backend=how, workers=2)
