"""Another user on the same machine reads nothing, and nothing of what it sends is applied."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import torch

import delaystability as ds
from delaystability.server.ledger import Entry, faults
from delaystability.validation.worker_problems import place
from tests.parameter_server_tasks import delivered

ATTACK = Path(__file__).with_name("parameter_server_attack.py")


def _isolated() -> bool:
    """Whether this process may have a network of its own and become another user."""
    if not hasattr(os, "geteuid") or os.geteuid() or shutil.which("unshare") is None:
        return False
    return not subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not _isolated(), reason="needs root, and a network namespace of its own"),
]


def attacked(mode: str) -> dict[str, Any]:
    """What a stranger got in a run in a network with a loopback only, and how the run ended."""
    run = subprocess.run(
        ["unshare", "-n", sys.executable, str(ATTACK), mode],
        capture_output=True,
        text=True,
        timeout=200,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert run.returncode == 0, run.stderr
    found: dict[str, Any] = json.loads(run.stdout)
    assert found["got"]["rounds"] > 5
    return found


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["pairs", "folder", "address"])
def test_a_stranger_reads_nothing_and_injects_nothing(mode):
    found = attacked(mode)
    got, run = found["got"], found["run"]
    assert found["status"] == 0, found["said"]
    # Where there is an address, whoever knocks hears random numbers; elsewhere there is no door.
    if mode == "address":
        heard = bytes.fromhex(got["heard"])
        assert got["doors"] > 0 and len(heard) <= 40 * got["doors"]
        assert "was refused" in found["said"] and "s" * 40 not in found["said"]
    else:
        assert got["doors"] == 0 and got["heard"] == "" and found["said"] == ""
    assert got["harmed"] == [] and set(got["read"]) <= {"delays.txt", "ledger.csv"}
    assert found["left"] == ["run"]
    # The run is what its ledger says, and the ledger is sound.
    entries = [Entry(*row) for row in found["entries"]]
    assert run["updates"] == len(entries) == 1000 and faults(entries) == []
    assert run["lost_workers"] == [] and run["refused"] == 0
    site = place("least-squares", 0)
    weights = delivered(ds.SGD(), entries, site.task, 0.001, site.start)
    assert run["log_distance"] == pytest.approx(site.log_distance(weights), abs=1e-9)
    assert torch.isfinite(weights).all()


@pytest.mark.slow
def test_the_stranger_gets_in_where_it_can():
    """The control: at a careless server it reads, and may write."""
    got = attacked("control")["got"]
    assert bytes.fromhex(got["heard"]).startswith(b"weights") and got["doors"] > 0
    assert got["read"] == ["checkpoint.pt"] and got["harmed"] == ["may write checkpoint.pt"]
