"""How a server and its workers end: kills, interrupts, restarts, and the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("psutil")

import psutil

import delaystability as ds
from delaystability.server.checkpoint import load_checkpoint
from delaystability.server.ledger import (
    DELAYS,
    LEDGER,
    faults,
    read_ledger,
)
from delaystability.server.run import WorkersGoneError
from delaystability.server.worker_pool import WorkerPool
from tests.parameter_server_tasks import START, Regression, delivered

pytestmark = pytest.mark.slow

FULL = Regression(None)
MODULE = "delaystability.validation.parameter_server"


def test_without_workers_a_run_ends_with_a_clear_error_and_keeps_its_files(tmp_path):
    with WorkerPool.launch([FULL], 2) as pool:

        def kill_all(server):
            if server.version == 100:
                for process in pool.processes:
                    os.kill(process.pid, signal.SIGKILL)

        began = time.monotonic()
        with pytest.raises(
            WorkersGoneError, match=r"no worker is left after 1\d\d of 5000 updates"
        ):
            pool.run(START, ds.SGD(), 0.01, 5000, folder=tmp_path, observe=kill_all)
        assert time.monotonic() - began < 30
        entries = read_ledger(tmp_path / LEDGER)
        assert 100 <= len(entries) <= 102 and faults(entries) == []
        with pytest.raises(WorkersGoneError, match="no worker is left"):
            pool.run(START, ds.SGD(), 0.01, 10)
    # A new pool goes on with the same folder.
    with WorkerPool.launch([FULL], 2) as pool:
        run = pool.run(START, ds.SGD(), 0.01, 300, folder=tmp_path)
        assert list(run.entries[: len(entries)]) == entries and len(run.entries) == 300
        assert faults(run.entries) == []
        found = delivered(ds.SGD(), run.entries, FULL, 0.01)
        assert (found - run.weights).norm() <= 1e-12
        # A worker that hangs is not dead: the others go on, and without any the run ends.
        os.kill(pool.processes[0].pid, signal.SIGSTOP)
        run = pool.run(START, ds.SGD(), 0.01, 200, patience=0.5)
        assert {entry.worker for entry in run.entries[2:]} == {1}
        os.kill(pool.processes[1].pid, signal.SIGSTOP)
        with pytest.raises(WorkersGoneError, match=r"no worker has answered for 0.5 s"):
            pool.run(START, ds.SGD(), 0.01, 200, patience=0.5)
    assert not any(process.is_alive() for process in pool.processes)
    assert not [thread for thread in threading.enumerate() if "_talk" in thread.name]


# The command line


def started(folder: Path, *options: str, **more: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", MODULE, str(folder), "--workers", "2", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **more,
    )


def wait_for(condition, what: str, seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited too long for {what}"
        time.sleep(0.05)


def has_checkpoint(folder: Path) -> bool:
    """Whether one was written after the first, of no updates."""
    found = load_checkpoint(folder)
    return found is not None and found[0]["version"] > 0


def workers_of(server: subprocess.Popen[str]) -> list[psutil.Process]:
    found = psutil.Process(server.pid).children(recursive=True)
    return [process for process in found if "resource_tracker" not in " ".join(process.cmdline())]


def test_a_killed_server_leaves_no_orphans_and_goes_on_from_its_checkpoint(tmp_path):
    options = ("--optimizer", "shifted-momentum", "--lr", "0.002", "--checkpoint-every", "50")
    # Slow enough to be killed in the middle, and in the middle of a pause.
    server = started(tmp_path, *options, "--updates", "4000", "--slow", "0:0.02", "--slow", "1:2")
    wait_for(lambda: has_checkpoint(tmp_path), "a checkpoint")
    workers = workers_of(server)
    assert len(workers) == 2
    server.kill()
    server.communicate()
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert not alive
    found = load_checkpoint(tmp_path)
    assert found is not None
    kept = found[0]["version"]
    before = read_ledger(tmp_path / LEDGER)[:kept]
    # What a killed server had not brought to the disk is cut off.
    with open(tmp_path / LEDGER, "a") as file:
        file.write("999,0,9")
    assert kept > 0
    again = started(tmp_path, *options, "--updates", str(kept + 200))
    out, err = again.communicate(timeout=240)
    assert again.returncode == 0, err
    entries = read_ledger(tmp_path / LEDGER)
    assert json.loads(out)["updates"] == len(entries) == kept + 200
    assert entries[:kept] == before and len(before) == kept and faults(entries) == []
    delays = ds.MeasuredDelay.from_log(tmp_path / DELAYS).sequence.tolist()
    assert delays == [entry.staleness for entry in entries]


def test_an_interrupt_ends_cleanly_with_all_files(tmp_path):
    server = started(tmp_path, "--updates", "1000000", "--checkpoint-every", "100")
    wait_for(lambda: has_checkpoint(tmp_path), "a checkpoint")
    workers = workers_of(server)
    # As a terminal does: to all processes of the group.
    os.killpg(server.pid, signal.SIGINT)
    _, err = server.communicate(timeout=60)
    assert server.returncode == 130, err
    assert "the same command goes on from the checkpoint" in err and "Traceback" not in err
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert not alive
    entries, found = read_ledger(tmp_path / LEDGER), load_checkpoint(tmp_path)
    assert found is not None and found[0]["version"] == len(entries) and faults(entries) == []


def test_the_same_program_runs_under_torchrun(tmp_path):
    launch = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "3",
    ]
    run = subprocess.run(
        [*launch, "-m", MODULE, str(tmp_path), "--updates", "300", "--optimizer", "heavy-ball"],
        capture_output=True,
        text=True,
        timeout=240,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert run.returncode == 0, run.stderr
    entries = read_ledger(tmp_path / LEDGER)
    assert json.loads(run.stdout)["updates"] == len(entries) == 300 and faults(entries) == []
    assert {entry.worker for entry in entries} == {0, 1}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--slow", "1"], "slow must be WORKER:SECONDS; got '1'"),
        (["--lr", "-1"], "learning_rate must be a number > 0; got -1.0"),
        (["--workers", "0"], "workers must be an integer >= 1; got 0"),
    ],
)
def test_bad_options_are_refused_in_one_line(options, message, tmp_path, capsys):
    from delaystability.validation.parameter_server import main

    assert main([str(tmp_path), "--workers", "1", *options]) == 2
    assert capsys.readouterr().err == f"error: {message}\n"
