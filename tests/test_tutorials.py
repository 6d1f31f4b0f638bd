"""What the tutorials say beside their examples, which `test_docs_examples` runs."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import delaystability as ds
from tests.test_docs_examples import ROOT, blocks, python_failures

TUTORIALS = sorted((ROOT / "docs" / "tutorials").glob("*.md"))
PAGES = [page for page in TUTORIALS if page.stem != "index"]
LOG = ROOT / "docs" / "tutorials" / "staleness_log.md"


def counted_staleness(pulls, pushes, workers):
    """By a server that counts: the updates now, less those when the worker's weights were read."""
    read_at, delays = {0.0: 0}, []
    for update, (pull, push) in enumerate(zip(pulls, pushes, strict=True)):
        delays.append(update - read_at[pull])
        # The worker pulls again in the moment of its push, after the update.
        read_at[push] = update + 1
    assert len(read_at) == len(pushes) + 1
    assert sum(pull == 0 for pull in pulls) == workers
    return delays


def times(text):
    """The simulated pulls and pushes of the page about logs."""
    session: dict[str, object] = {}
    exec(next(block.text for block in blocks(text) if block.language == "python"), session)
    return session["pulls"], session["pushes"]


def test_the_line_that_makes_delays_of_times_counts_updates():
    text = LOG.read_text(encoding="utf-8")
    assert 'np.arange(len(pushes)) - np.searchsorted(pushes, pulls, side="right")' in text
    pulls, pushes = times(text)
    counted = counted_staleness(pulls, pushes, workers=8)
    found = {
        side: np.arange(len(pushes)) - np.searchsorted(pushes, pulls, side=side)
        for side in ("left", "right")
    }
    np.testing.assert_array_equal(found["right"], counted)
    # A pull in the moment of a push sees that update: the other side is one too old.
    assert (found["left"] > counted).mean() > 0.9


def test_workers_that_take_turns_have_one_less_than_there_are():
    pulls, pushes = np.maximum(np.arange(40) - 7, 0), np.arange(1, 41)
    delays = np.arange(40) - np.searchsorted(pushes, pulls, side="right")
    assert (delays[8:] == 7).all()


@pytest.mark.slow
def test_a_group_of_a_pipeline_takes_its_own_learning_rate():
    torch = pytest.importorskip("torch")
    schedule = ds.PipeDream(3)
    hessian = np.array([[3.0, 1.0, 0.5], [1.0, 2.0, 0.3], [0.5, 0.3, 1.0]])
    rates = [1 / (delay + 1) for delay in schedule.delays]
    critical = ds.stage_threshold(hessian, ds.SGD(), schedule, rates=rates)

    def size_after(lr, factors, updates=2000):
        weights = [torch.nn.Parameter(torch.ones(1, dtype=torch.float64)) for _ in rates]
        groups = [
            {"params": [weight], "lr": lr * factor, "delay": delay}
            for weight, factor, delay in zip(weights, factors, schedule.delays, strict=True)
        ]
        optimizer = ds.DelayedOptimizer(groups, lr, ds.SGD())
        matrix = torch.tensor(hessian)
        for _ in range(updates):
            optimizer.zero_grad()
            vector = torch.cat(weights)
            (vector @ matrix @ vector / 2).backward()
            optimizer.step()
        return float(torch.cat(weights).detach().abs().max())

    assert size_after(0.97 * critical, rates) < 1e-3
    assert size_after(1.03 * critical, rates) > 1e3
    # With equal learning rates the same one is far too large.
    assert size_after(0.97 * critical, [1.0] * 3, updates=200) > 1e3


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_each_tutorial_ends_with_what_to_do_when_it_does_not_fit(page):
    last = re.split(r"^## ", page.read_text(encoding="utf-8"), flags=re.M)[-1]
    assert last.startswith("If it does not fit\n")
    assert "../limits.md" in last
    assert "../how_to_choose.md" in last


def test_the_index_lists_every_tutorial():
    index = (ROOT / "docs" / "tutorials" / "index.md").read_text(encoding="utf-8")
    known = {"going_asynchronous", "outer_loop", "pipeline", "staleness_log"}
    assert {page.stem for page in PAGES} == known
    for page in PAGES:
        assert f"]({page.name})" in index
        assert re.search(rf"^{page.stem}$", index, flags=re.M)


@pytest.mark.slow
def test_a_wrong_threshold_in_a_tutorial_is_noticed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # Up to the thresholds, which leaves the training out.
    text = LOG.read_text(encoding="utf-8").split("## Try it")[0]
    assert python_failures(text) == []
    wrong = text.replace("longest delay      0.037", "longest delay      0.038")
    assert wrong != text
    assert len(python_failures(wrong)) == 1
    assert Path("staleness.png").stat().st_size > 10_000
