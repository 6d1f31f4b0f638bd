"""The table of questions on the page of mixed reads is complete, and says what happens."""

from __future__ import annotations

import inspect
import re
import warnings

import numpy as np
import pytest
import torch

import delaystability as ds
from tests.small_training import quadratic
from tests.test_docs_examples import ROOT

PAGE = (ROOT / "docs" / "mixed_reads.md").read_text(encoding="utf-8")
TABLE = PAGE.partition("## Which question takes what")[2].partition("\n## ")[0]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in TABLE.splitlines()
    if line.startswith("| `")
]
SAID = {
    name: {"decay": decay, "MixedRead": read, "BoundedDelay": bound}
    for names, decay, read, bound in ROWS
    for name in re.findall(r"`(\w+)`", names)
}
NOT_QUESTIONS = {"BestOptimizer", "Certificate", "FixedDelay", "Loop", "BoundedDelay"}
NOT_QUESTIONS |= {"BoundedDelayThreshold", "MeasuredDelay"}
DELAYS = {"MixedRead": ds.MixedRead({0: 0.25, 2: 0.75}), "BoundedDelay": ds.BoundedDelay(2)}
HEAVY = ds.HeavyBall(0.5)
HESSIAN = np.array([[1.0, 0.2], [0.2, 0.5]])


def stepped():
    weight, loss = quadratic([1.0], [1.0])
    optimizer = torch.optim.AdamW([weight], 1e-3)
    loss().backward()
    optimizer.step()
    return optimizer


def monitored(delay):
    weight, loss = quadratic([2.0, 1.0], [1.0, 1.0])
    monitor = ds.StabilityMonitor([weight], torch.optim.SGD([weight], 0.01), HEAVY, delay)
    return monitor.read(loss).threshold


def followed(delay):
    weight, _ = quadratic([1.0], [1.0])
    return ds.DelayAwareLR(torch.optim.SGD([weight], 0.01), HEAVY, 1, initial_delay=delay).factors


def queued(delay):
    return ds.delayed(torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], 0.1), delay)


ASK = {
    "stability_threshold": lambda d, **k: ds.stability_threshold(HEAVY, d, **k),
    "max_learning_rate": lambda d, **k: ds.max_learning_rate(1.0, HEAVY, d, **k),
    "max_sharpness": lambda d, **k: ds.max_sharpness(0.1, HEAVY, d, **k),
    "is_stable": lambda d, **k: ds.is_stable(0.1, 1.0, HEAVY, d, **k),
    "adjust_learning_rate": lambda d, **k: ds.adjust_learning_rate(0.1, HEAVY, 2, d, **k),
    "bounded_delay_threshold": lambda d, **k: ds.bounded_delay_threshold(HEAVY, d, **k).sufficient,
    "stable_gains": lambda d, **k: ds.stable_gains(HEAVY, d, **k),
    "crossings": lambda d, **k: ds.crossings(HEAVY, d, **k).gains,
    "spectral_radius": lambda d, **k: ds.spectral_radius(HEAVY, d, 0.1, **k),
    "escape_rate": lambda d, **k: ds.escape_rate(HEAVY, d, 0.1, **k),
    "fastest_gain": lambda d, **k: ds.fastest_gain(HEAVY, d, **k),
    "max_momentum": lambda d, **k: ds.max_momentum(0.01, 1.0, "heavy-ball", d, **k),
    "stationary_variance": lambda d, **k: ds.stationary_variance(HEAVY, d, 0.1, **k),
    "almost_sure_threshold": lambda d, **k: (
        ds.almost_sure_threshold(HEAVY, d, updates=1000, **k).value
    ),
    "batch_sharpness_edge": lambda d, **k: ds.batch_sharpness_edge(HEAVY, d, 0.5, **k),
    "mean_square_learning_rate": lambda d, **k: ds.mean_square_learning_rate(
        [HESSIAN, 1.5 * HESSIAN], HEAVY, d, **k
    ),
    "certify": lambda d, **k: float(ds.certify(HEAVY, d, 12, **k).lower),
    "derive": lambda d, **k: float(ds.derive(HEAVY, d, **k).theorem.statement.relation.rhs.evalf()),
    "max_delay": lambda _, **k: ds.max_delay(0.1, 1.0, HEAVY, **k),
    "replay_threshold": lambda d, **k: ds.replay_threshold(HEAVY, d, **k),
    "replay_gains": lambda d, **k: ds.replay_gains(HEAVY, d, **k),
    "oscillation": lambda d: ds.oscillation(0.1, ds.Adam(), d).rms,
    "recommend_learning_rate": lambda d: float(ds.recommend_learning_rate(0.1, HEAVY, d)),
    "probe_learning_rates": lambda d: float(
        ds.probe_learning_rates(lambda _, n: np.linspace(1, 0.5, n), 0.1, HEAVY, d, updates=100)
    ),
    "loss_floor": lambda d: ds.loss_floor(stepped(), d),
    "final_learning_rate": lambda d: ds.final_learning_rate(0.1, stepped(), d),
    "StabilityMonitor": monitored,
    "DelayAwareLR": followed,
    "DelayedOptimizer": lambda d: ds.DelayedOptimizer(
        [torch.nn.Parameter(torch.ones(2))], 0.1, HEAVY, d
    ),
    "delayed": queued,
    "OuterLoop": lambda d: ds.OuterLoop(HEAVY, delay=d).threshold(),
    "stage_threshold": lambda d: ds.stage_threshold(HESSIAN, HEAVY, [d, d]),
    "stage_spectral_radius": lambda d: ds.stage_spectral_radius(0.1, HESSIAN, HEAVY, [d, d]),
    "safe_stage_learning_rate": lambda d: ds.safe_stage_learning_rate(1.0, HEAVY, [d, d]),
    "best_optimizer": lambda d: ds.best_optimizer(d, 100.0),
}


def arguments_of(name):
    return set(inspect.signature(getattr(ds, name)).parameters)


def test_the_table_names_every_public_function_that_takes_a_delay():
    delays = {"delay", "delays", "max_delay", "initial_delay", "sequence"}
    found = {"max_delay"}
    for name in ds.__all__:
        entry = getattr(ds, name)
        if name in NOT_QUESTIONS or not callable(entry) or name.endswith(("Warning", "Error")):
            continue
        found |= {name} if delays & arguments_of(name) else set()
    assert set(SAID) == found == set(ASK)


@pytest.mark.quick(2)
@pytest.mark.parametrize("kind", DELAYS)
@pytest.mark.parametrize("name", sorted(ASK))
def test_each_answers_or_refuses_in_one_line_as_the_table_says(name, kind):
    said = SAID[name][kind]
    assert said.startswith(("yes", "no", "asks"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if not said.startswith("no"):
            assert np.isfinite(np.asarray(ASK[name](DELAYS[kind]), dtype=float)).all()
            return
        with pytest.raises((TypeError, ValueError)) as refusal:
            ASK[name](DELAYS[kind])
    message = str(refusal.value)
    assert kind in message and "\n" not in message and " must " in message


@pytest.mark.quick(2)
@pytest.mark.parametrize("name", sorted(ASK))
def test_each_takes_a_decay_where_the_table_says_so(name):
    assert ({"decay", "coupled"} <= arguments_of(name)) == (SAID[name]["decay"] == "yes")
    if SAID[name]["decay"] != "yes":
        return
    delay = [0, 2, 1] if name.startswith("replay") else 2
    # Negative control: with decay, and with it through momentum, the answer is another.
    answers = [
        np.asarray(ASK[name](delay, **settings), dtype=float)
        for settings in ({}, {"decay": 0.05}, {"decay": 0.05, "coupled": True})
    ]
    assert all(np.isfinite(answer).all() for answer in answers)
    if name not in ("is_stable", "adjust_learning_rate"):
        assert not np.allclose(answers[0], answers[1], rtol=1e-6)
        assert name == "max_delay" or not np.allclose(answers[1], answers[2], rtol=1e-6)
