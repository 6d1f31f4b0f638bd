"""Ledger and checkpoint on the disk: they belong together, or nothing goes on, nothing is lost."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

import delaystability as ds
from delaystability.server.checkpoint import (
    CHECKPOINT,
    load_checkpoint,
    save_checkpoint,
)
from delaystability.server.ledger import DELAYS, LEDGER, read_ledger
from delaystability.server.run import Record
from delaystability.server.server import ParameterServer

START = torch.linspace(1.0, 2.0, 5, dtype=torch.float64)
FILES = (DELAYS, LEDGER, CHECKPOINT)
OPTIMIZER = ds.Nesterov(0.5)


def fresh(optimizer: ds.Optimizer = OPTIMIZER, lr: float = 0.05) -> ParameterServer:
    return ParameterServer(START, optimizer, lr)


def updated(server: ParameterServer, record: Record, updates: int, workers: int = 3) -> None:
    """So many updates, of workers in a mixed order."""
    order = np.random.default_rng(updates).integers(workers, size=updates).tolist()
    held = {worker: server.pull(worker) for worker in sorted(set(order))}
    for worker in order:
        given = held[worker]
        server.push(worker, given.sequence, given.version, 0.5 * given.weights)
        record.updated()
        held[worker] = server.pull(worker)


def trained(folder: Path, updates: int = 40, **arguments: Any) -> ParameterServer:
    server = fresh(**arguments)
    record = Record.opened(server, folder, 1000)
    updated(server, record, updates)
    record.close()
    return server


def killed(record: Record) -> None:
    """What its updates since the last checkpoint leave: lines in the log."""
    assert record._ledger is not None
    record._ledger.close()


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


# Checkpoints


def test_checkpoints_are_written_while_the_run_goes_on(tmp_path):
    server = fresh()
    record = Record.opened(server, tmp_path, 10)
    seen = []
    for _ in range(25):
        updated(server, record, 1)
        found = load_checkpoint(tmp_path)
        assert found is not None
        seen.append(found[0]["version"])
    killed(record)
    # What is not closed was killed: the next one goes on from the last multiple of ten.
    assert seen == [0] * 9 + [10] * 10 + [20] * 6
    again = fresh()
    Record.opened(again, tmp_path, 10).close()
    assert again.version == 20 and again.entries == server.entries[:20]
    assert len(read_ledger(tmp_path / LEDGER)) == 20


def test_a_checkpoint_is_for_its_owner_alone_and_follows_no_link(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / f"{CHECKPOINT}.part").symlink_to(victim)
    (folder / LEDGER).symlink_to(victim)
    with pytest.raises(ValueError, match="must hold a checkpoint beside its ledger, or neither"):
        trained(folder)
    (folder / LEDGER).unlink()
    trained(folder)
    assert stat.S_IMODE((folder / CHECKPOINT).stat().st_mode) == 0o600
    assert victim.read_text() == "precious" and sorted(contents(folder)) == sorted(FILES)


class Hostile:
    """Unpickled, it writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str, str]]:
        return open, (str(self.path), "w")


def test_a_hostile_checkpoint_is_not_executed(tmp_path):
    mark = tmp_path / "executed"
    written = io.BytesIO()
    torch.save({"state": {"weights": Hostile(mark)}, "extents": {}}, written)
    body = written.getvalue()
    # Whoever makes such a file can make its last line, too.
    last = b"\nsha256:" + hashlib.sha256(body).hexdigest().encode()
    (tmp_path / CHECKPOINT).write_bytes(body + last)
    with pytest.raises(ValueError, match="must hold a readable checkpoint"):
        load_checkpoint(tmp_path)
    assert not mark.exists()
    # The file would have been, where it is trusted.
    torch.load(io.BytesIO(body), weights_only=False)["state"]["weights"].close()
    assert mark.exists()


def _with(**changes: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda state: state | changes


NAN = torch.full((5,), float("nan"), dtype=torch.float64)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: {k: v for k, v in s.items() if k != "rule"}, "the fields of a server.*rule"),
        (_with(more=1), "the fields of a server.*more"),
        (_with(version=-7), "ledger of -7 updates; got 5 and 40"),
        (_with(version=10**18), "updates; got 5 and 40"),
        (_with(version="40"), "updates; got 5 and 40"),
        (_with(weights="evil"), "must have 5 weights"),
        (_with(weights=START[None]), "must have 5 weights.*got 1 x 5 and 40"),
        (_with(weights=NAN), "must have finite weights"),
        (_with(weights=START.float()), "must have finite weights of shape .* torch.float64"),
        (_with(learning_rate=float("nan")), "learning_rate must be that of the checkpoint"),
        (_with(optimizer=None), "optimizer must be that of the checkpoint, None"),
        (_with(sequences={0: 40}), "must count the gradients of its ledger"),
        (_with(sequences=None), "must count the gradients of its ledger"),
        (_with(rule=None), "must have the state of an optimizer"),
        (_with(rule={"updates": {}, "gradients": [NAN]}), "must have finite gradients"),
        (_with(rule={"updates": {}, "gradients": [START] * 3}), "at most 2 gradients; got 3"),
        (_with(rule={"updates": {0: [START[:2]]}, "gradients": []}), "must have finite updates"),
        (_with(rule={"updates": {-1: []}, "gradients": []}), "worker must be an integer >= 0"),
        (_with(rule={"updates": {0: 3}, "gradients": []}), "must have the state of an optimizer"),
    ],
)
def test_a_state_that_is_none_is_refused_and_names_its_field(change, message, tmp_path):
    trained(tmp_path)
    found = load_checkpoint(tmp_path)
    assert found is not None
    save_checkpoint(tmp_path, change(found[0]), found[1])
    before = contents(tmp_path)
    server = fresh()
    with pytest.raises(ValueError, match=message):
        Record.opened(server, tmp_path, 10)
    assert contents(tmp_path) == before and server.version == 0
    assert torch.equal(server.weights, START)


# Belonging together


@pytest.mark.parametrize("name", [LEDGER, DELAYS])
def test_log_files_without_a_checkpoint_are_never_overwritten(name, tmp_path):
    trained(tmp_path)
    for other in FILES:
        if other != name:
            (tmp_path / other).unlink()
    before = contents(tmp_path)
    with pytest.raises(ValueError, match=f"folder must hold a checkpoint .*{name}' alone: move"):
        Record.opened(fresh(), tmp_path, 10)
    assert contents(tmp_path) == before
    # A server that was killed before its first checkpoint left a title, which says nothing.
    title = before[name].splitlines(keepends=True)[0]
    (tmp_path / name).write_bytes(title)
    Record.opened(fresh(), tmp_path, 10).close()
    assert contents(tmp_path)[name] == title


@pytest.mark.parametrize("name", [LEDGER, DELAYS])
def test_a_log_file_that_is_shorter_than_its_checkpoint_is_refused(name, tmp_path):
    trained(tmp_path)
    os.truncate(tmp_path / name, (tmp_path / name).stat().st_size - 3)
    before = contents(tmp_path)
    with pytest.raises(ValueError, match=r"as long as its checkpoint says, \d+ bytes or more; got"):
        Record.opened(fresh(), tmp_path, 10)
    assert contents(tmp_path) == before
    (tmp_path / name).unlink()
    with pytest.raises(ValueError, match="ledger must be a readable file"):
        Record.opened(fresh(), tmp_path, 10)


@pytest.mark.parametrize("name", FILES)
def test_files_of_another_run_are_refused(name, tmp_path):
    for folder, lr in (("one", 0.05), ("two", 0.04)):
        server = fresh(lr=lr)
        record = Record.opened(server, tmp_path / folder, 1000)
        updated(server, record, 40 if lr == 0.05 else 60)
        record.close()
    shutil.copy(tmp_path / "two" / name, tmp_path / "one" / name)
    before = contents(tmp_path / "one")
    message = "as long as its checkpoint says|one of its checkpoint; got .* belongs to another run"
    with pytest.raises(ValueError, match=message):
        Record.opened(fresh(lr=0.04 if name == CHECKPOINT else 0.05), tmp_path / "one", 10)
    assert contents(tmp_path / "one") == before


def test_a_refused_server_cuts_nothing_off(tmp_path):
    server = fresh()
    record = Record.opened(server, tmp_path, 30)
    updated(server, record, 40)
    killed(record)
    before = contents(tmp_path)
    with pytest.raises(ValueError, match="learning_rate must be that of the checkpoint, 0.05"):
        Record.opened(fresh(lr=0.01), tmp_path, 10)
    assert contents(tmp_path) == before
    Record.opened(server := fresh(), tmp_path, 10).close()
    assert server.version == 30 and len(read_ledger(tmp_path / LEDGER)) == 30


# Edits


def edited(random: np.random.Generator, content: bytes) -> bytes:
    """One edit: a bit, a byte more or less, a beginning, a block elsewhere, a block of zeros."""
    found = bytearray(content)
    place, other = sorted(random.integers(len(found), size=2).tolist())
    kind = random.integers(6)
    if kind == 0:
        found[place] ^= 1 << int(random.integers(8))
    elif kind == 1:
        del found[place]
    elif kind == 2:
        found.insert(place, int(random.integers(256)))
    elif kind == 3:
        del found[place:]
    elif kind == 4:
        found[place:place] = found[other : other + 9]
    else:
        found[place:other] = bytes(other - place)
    return bytes(found)


def survives_edits(folder: Path, count: int, seed: int) -> tuple[int, int]:
    """How many edits were refused with one line, and how many changed nothing that counts."""
    server = trained(folder / "whole")
    whole = contents(folder / "whole")
    # Behind what the checkpoint knows a killed server may have left anything.
    whole[LEDGER] += b"40,1,"
    random = np.random.default_rng(seed)
    refused = harmless = 0
    for _ in range(count):
        name = FILES[int(random.integers(3))]
        changed = whole | {name: edited(random, whole[name])}
        for path, content in changed.items():
            (folder / path).write_bytes(content)
        again, began = fresh(), time.monotonic()
        try:
            Record.opened(again, folder, 1000).close()
        except ValueError as error:
            said = str(error)
        else:
            said = ""
        if said:
            refused += 1
            assert "\n" not in said and again.version == 0
            assert all((folder / path).read_bytes() == changed[path] for path in FILES)
        else:
            harmless += 1
            assert torch.equal(again.weights, server.weights) and again.entries == server.entries
            assert read_ledger(folder / LEDGER) == server.entries
        assert time.monotonic() - began < 2
    return refused, harmless


@pytest.mark.parametrize(
    ("count", "seed"), [(150, 0), pytest.param(1000, 1, marks=pytest.mark.slow)]
)
def test_edits_of_files_are_refused_in_one_line_or_harmless(count, seed, tmp_path):
    refused, harmless = survives_edits(tmp_path, count, seed)
    assert refused > 0.8 * count and refused + harmless == count
