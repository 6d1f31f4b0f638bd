"""Every question takes every law of delays, and none asks of which class it is."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
import torch

import delaystability as ds
from delaystability import plot
from tests.delay_laws import ConstantDelay, NegativeBinomialDelay
from tests.small_training import quadratic

mpl.use("Agg")

ROOT = Path(ds.__file__).parent

# Every entry point


def _axes_numbers(axes: Any) -> list[float]:
    """What a picture shows: the points of its lines and the sizes of its bars."""
    shown = [np.asarray(line.get_xydata(), dtype=float).ravel() for line in axes.lines]
    shown += [np.array([bar.get_x(), bar.get_width(), bar.get_height()]) for bar in axes.patches]
    return [float(value) for value in np.concatenate([*shown, np.zeros(1)])]


def _crossings(optimizer: ds.Optimizer, delay: Any) -> list[float]:
    found = ds.crossings(optimizer, delay)
    return [*found.gains, *found.angles, *found.leaving]


def _certificate(optimizer: ds.Optimizer, delay: Any) -> list[float]:
    found = ds.certify(optimizer, delay, digits=15)
    assert found.verify()
    return [float(found.lower), float(found.upper)]


def _trained(optimizer: ds.Optimizer, delay: Any) -> list[float]:
    """The expected growth of a quadratic loss, from the law that a saved optimizer has."""
    weight, loss = quadratic([1.0], [1.0])
    late = ds.DelayedOptimizer([weight], 1e-3, optimizer, delay)
    loss().backward()
    late.step()
    again = ds.DelayedOptimizer([weight], 1e-3, optimizer, 0)
    with pytest.raises(ValueError, match=r"gradient|rows|queue"):
        again.load_state_dict(late.state_dict() | {"state": {0: {"step": 1}}})
    again = ds.DelayedOptimizer([weight], 1e-3, optimizer, delay)
    again.load_state_dict(late.state_dict())
    law = again.param_groups[0]["delay"]
    assert law == delay
    return [float(law.mean), len(again.state[weight])]


def _queued(_: ds.Optimizer, delay: Any) -> list[float]:
    """The mean and the longest delay of the law that a saved queue has."""
    weight, loss = quadratic([1.0], [1.0])
    late = ds.delayed(torch.optim.Adam([weight], 1e-3), delay)
    loss().backward()
    late.step()
    again = ds.delayed(torch.optim.Adam([weight], 1e-3), delay)
    again.load_state_dict(late.state_dict())
    law = again.param_groups[0]["delay"]
    assert law == delay
    return [float(law.mean), sum("gradient" in name for name in late.state_dict()["state"][0])]


def _monitored(optimizer: ds.Optimizer, delay: Any) -> list[float]:
    weight, loss = quadratic([2.0, 1.0], [1.0, 1.0])
    reading = ds.StabilityMonitor(
        [weight], torch.optim.SGD([weight], 0.01), optimizer, delay, moment="mean"
    ).read(loss)
    return [reading.ratio, reading.threshold]


def _followed(optimizer: ds.Optimizer, delay: Any) -> list[float]:
    weight, _ = quadratic([1.0], [1.0])
    scheduler = ds.DelayAwareLR(
        torch.optim.SGD([weight], 0.01), optimizer, delay, initial_delay=delay, moment="mean"
    )
    other = ds.DelayAwareLR(torch.optim.SGD([weight], 0.01), optimizer, delay, moment="mean-square")
    weight.grad = torch.zeros_like(weight)
    other.optimizer.step()
    other.step(delay=[3])
    return [*scheduler.factors, *other.factors]


def _stepped(delay: Any, ask: Callable[[Any, Any], Any]) -> Any:
    """What is asked of an AdamW that has made a step."""
    weight, loss = quadratic([1.0], [1.0])
    optimizer = torch.optim.AdamW([weight], 1e-3)
    loss().backward()
    optimizer.step()
    return ask(optimizer, delay)


_HESSIANS = np.array([np.diag([1.0, 2.0]) * (1 + 0.1 * k) for k in range(4)])

ENTRY_POINTS: dict[str, Callable[[ds.Optimizer, Any], Any]] = {
    "stability_threshold": lambda o, d: [
        ds.stability_threshold(o, d, moment="mean"),
        ds.stability_threshold(o, d, moment="mean-square"),
        ds.stability_threshold(o, d, moment="mean-square", curvature_noise=0.3),
    ],
    "max_learning_rate": lambda o, d: ds.max_learning_rate([2.0, 20.0], o, d, moment="mean"),
    "max_sharpness": lambda o, d: ds.max_sharpness(0.1, o, d, moment="mean-square"),
    "max_momentum": lambda _, d: ds.max_momentum([0.01, 0.05], 1.0, "heavy-ball", d),
    "is_stable": lambda o, d: ds.is_stable(0.01, [0.1, 1.0, 20.0], o, d, moment="mean"),
    "adjust_learning_rate": lambda o, d: [
        ds.adjust_learning_rate(1.0, o, d, d, new_optimizer=ds.SGD(), moment="mean", sharpness=9.0),
        ds.adjust_learning_rate(1.0, ds.SGD(), 1, d, o, moment="mean", sharpness=9.0),
    ],
    "recommend_learning_rate": lambda o, d: [
        float(ds.recommend_learning_rate(1.0, o, d)),
        float(ds.recommend_learning_rate(1.0, ds.Adam(), d)),
    ],
    "stable_gains": lambda o, d: np.ravel(ds.stable_gains(o, d)),
    "crossings": _crossings,
    "spectral_radius": lambda o, d: ds.spectral_radius(o, d, [0.001, 0.01, 0.1]),
    "escape_rate": lambda o, d: ds.escape_rate(o, d, [0.001, 0.01], prove=True),
    "fastest_gain": lambda o, d: ds.fastest_gain(o, d),
    "stationary_variance": lambda o, d: ds.stationary_variance(o, d, 1e-3, curvature_noise=0.1),
    "batch_sharpness_edge": lambda o, d: ds.batch_sharpness_edge(o, d, [0.0, 0.3]),
    "mean_square_learning_rate": lambda o, d: ds.mean_square_learning_rate(_HESSIANS, o, d),
    "certify": _certificate,
    "Loop": lambda o, d: [
        ds.stability_threshold(ds.Loop(o, d, 1e-3), moment="mean"),
        ds.stability_threshold(ds.Loop(o, d, 1e-3), moment="mean-square", curvature_noise=0.2),
        abs(ds.Loop(o, d).characteristic(1.0 + 0.5j, 0.1)),
    ],
    "OuterLoop": lambda o, d: ds.OuterLoop(o, delay=d).spectral_radius(0.01),
    "probe_learning_rates": lambda o, d: float(
        ds.probe_learning_rates(lambda lr, n: np.full(n, lr), 0.1, o, d, 1000)
    ),
    "DelayedOptimizer": _trained,
    "delayed": _queued,
    "DelayAwareLR": _followed,
    "StabilityMonitor": _monitored,
    "plot.staleness_histogram": lambda _, d: _axes_numbers(plot.staleness_histogram(d)),
    "plot.implied_thresholds": lambda o, d: _axes_numbers(plot.implied_thresholds(o, d)),
    "plot.momentum_map": lambda _, d: _axes_numbers(
        plot.momentum_map(ds.HeavyBall(0.5), d, [0.1, 0.5, 0.9])
    ),
    "plot.root_locus": lambda o, d: _axes_numbers(plot.root_locus(o, d, largest_gain=0.1)),
}

SAMPLED = {"almost_sure_threshold"}
"""Compared by their standard errors, as each law draws its own delays."""

FIXED_ONLY: dict[str, Callable[[Any], Any]] = {
    "derive": lambda d: ds.derive(ds.SGD(), d).text(),
    "best_optimizer": lambda d: ds.best_optimizer(d, 100.0),
    "oscillation": lambda d: ds.oscillation(1e-3, ds.Adam(), d),
    "loss_floor": lambda d: _stepped(d, ds.loss_floor),
    "final_learning_rate": lambda d: _stepped(
        d, lambda o, late: ds.final_learning_rate(1, o, late)
    ),
}
"""Statements about one delay: random ones are refused with a message that names them."""

NO_QUESTION = {"BestOptimizer", "Certificate", "FixedDelay"}


def _taking_a_delay() -> set[str]:
    """Every public name whose signature has a delay, but for arrays of the delays of stages."""
    found = set()
    for module, prefix in ((ds, ""), (plot, "plot.")):
        for name in module.__all__:
            entry = getattr(module, name)
            if not callable(entry) or (inspect.isclass(entry) and issubclass(entry, Exception)):
                continue
            parameters = inspect.signature(entry).parameters
            if {"delay", "new_delay", "reference_delay", "initial_delay"} & set(parameters):
                found.add(prefix + name)
    return found


def test_the_list_of_entry_points_is_complete():
    listed = {*ENTRY_POINTS, *SAMPLED, *FIXED_ONLY, *NO_QUESTION}
    assert listed == _taking_a_delay() - {"plot.adjustment_rule"}
    # Its reference is one integer, the origin of an axis of delays.
    assert inspect.signature(plot.adjustment_rule).parameters["reference_delay"].annotation == "int"


@pytest.mark.filterwarnings("ignore::delaystability.LearningRateWarning")
@pytest.mark.parametrize("optimizer", [ds.SGD(), ds.HeavyBall(0.5)], ids=repr)
@pytest.mark.parametrize("name", ENTRY_POINTS)
@pytest.mark.quick(4)
def test_a_negative_binomial_law_of_one_step_is_the_geometric_one_everywhere(name, optimizer):
    ask = ENTRY_POINTS[name]
    found = np.asarray(ask(optimizer, NegativeBinomialDelay(1, 0.75)), dtype=float)
    expected = np.asarray(ask(optimizer, ds.GeometricDelay(0.75)), dtype=float)
    # Another order of the same sums, and probabilities by another algorithm.
    assert found == pytest.approx(expected, rel=1e-12, abs=1e-15)
    assert np.all(np.isfinite(found))


def test_a_wrong_formula_is_noticed():
    class WrongDelay(NegativeBinomialDelay):
        def generating_function(self, z):
            return (1 - self.ratio) / (1 - self.ratio * (1 + 1e-9) / z)

    ask = ENTRY_POINTS["stability_threshold"]
    found, expected = ask(ds.SGD(), WrongDelay(1, 0.75)), ask(ds.SGD(), ds.GeometricDelay(0.75))
    assert found != pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", FIXED_ONLY)
@pytest.mark.parametrize("law", [ds.GeometricDelay(0.5), NegativeBinomialDelay(2, 0.5)], ids=repr)
def test_what_is_about_one_delay_refuses_every_law_alike(name, law):
    with pytest.raises(TypeError, match=f"delay must be.*{re.escape(repr(law))}"):
        FIXED_ONLY[name](law)


_WANT_LAWS = {"Loop", "DelayedOptimizer", "delayed"}


@pytest.mark.parametrize("name", [*ENTRY_POINTS, *FIXED_ONLY])
@pytest.mark.quick(3)
def test_a_fixed_law_of_six_methods_is_its_integer(name):
    if name.startswith(("plot.stale", "plot.impl")):
        expected_delay: Any = ds.FixedDelay(3)
    else:
        expected_delay = ds.FixedDelay(3) if name in _WANT_LAWS else 3
    if name in FIXED_ONLY:
        found, expected = (FIXED_ONLY[name](d) for d in (ConstantDelay(3), expected_delay))
        assert str(found) == str(expected)
        return
    if name == "DelayedOptimizer":
        assert ENTRY_POINTS[name](ds.SGD(), ConstantDelay(3))[0] == 3
        return
    found, expected = (ENTRY_POINTS[name](ds.SGD(), d) for d in (ConstantDelay(3), expected_delay))
    assert np.asarray(found, dtype=float) == pytest.approx(np.asarray(expected, dtype=float))


# Nobody asks of which class a law is


def _class_tests(source: str) -> list[str]:
    """The calls of isinstance or issubclass that name a class of laws."""
    laws = {name for name in dir(ds) if inspect.isclass(getattr(ds, name))}
    laws = {name for name in laws if issubclass(getattr(ds, name), ds.Delay)}
    found = []
    for node in ast.walk(ast.parse(source)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
            continue
        if node.func.id in {"isinstance", "issubclass"}:
            words = set(re.findall(r"\w+", ast.unparse(node.args[1])))
            if words & laws:
                found.append(ast.unparse(node))
        if node.func.id == "type" and "elay" in ast.unparse(node.args[0]):
            found.append(ast.unparse(node))
    return found


@pytest.mark.slow
def test_no_caller_asks_of_which_class_a_law_is():
    for path in ROOT.rglob("*.py"):
        if path.relative_to(ROOT).parts[0] != "model":
            found = _class_tests(path.read_text(encoding="utf-8"))
            # Of a number, whether it is a plain integer: the common call is the fastest.
            assert [test for test in found if test != "type(delay)"] == [], path


def test_a_question_about_the_class_is_noticed():
    for source in (
        "isinstance(delay, GeometricDelay)",
        "x = [isinstance(as_delay(d), (ds.FixedDelay, int)) for d in y]",
        "issubclass(type(law), Delay)",
    ):
        assert _class_tests(source)
    assert not _class_tests("isinstance(optimizer, DelayedOptimizer)")
