"""The explorer, read out of the real page in Chromium, gives the numbers of Python."""

from __future__ import annotations

import ast
import importlib.util
import re
import shutil
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import delaystability as ds
from delaystability.translation.export import source_code
from delaystability.translation.table_kernels import threshold_function
from tests.explorer_page import FOLDER
from tests.explorer_page import browser_fixture as browser_fixture
from tests.explorer_page import visit_fixture as visit_fixture

# Here the number is asked for, not advice.
pytestmark = pytest.mark.filterwarnings("ignore::delaystability.LearningRateWarning")

ANSWERS = ["threshold", "max-learning-rate", "adjusted", "effective"]
TOLERANCE = 1e-12
"""What the page promises; the thresholds of both sides are accurate to about 1e-13."""
ROOT_TOLERANCE = 1e-11
"""Roots at random gains are simple: polynomials of degree up to 258, whose roots have condition
numbers up to about 1e4, are solved to 1e4 units of 2e-16 on either side."""
DOUBLE_ROOT_TOLERANCE = 1e-7
"""A double root moves by the square root of a perturbation, sqrt(2e-16), times a few."""


def listed_optimizers() -> list[str]:
    """The optimizers of the catalogue on the page."""
    text = (FOLDER / "delaystability.js").read_text(encoding="utf-8")
    return re.findall(r'^    "([a-z-]+)": \{$', text, flags=re.MULTILINE)


LISTED = listed_optimizers()


# Puts texts into the controls as a person would, waits for the frame, and reads the page.
READ = """async (settings) => {
    const found = [];
    for (const texts of settings) {
        for (const [name, text] of Object.entries(texts)) {
            if (name === "mode") {
                document.querySelector(`input[value=${text}]`).checked = true;
            } else {
                document.getElementById(name).value = text;
            }
        }
        document.getElementById("lr").dispatchEvent(new Event("input", { bubbles: true }));
        await new Promise(requestAnimationFrame);
        const values = { ...document.getElementById("verdict").dataset };
        for (const output of document.querySelectorAll("output[data-value]")) {
            values[output.id] = output.dataset.value;
        }
        values.python = document.getElementById("python-text").textContent;
        values.detail = document.getElementById("verdict-detail").textContent;
        found.push(values);
    }
    return found;
}"""


def random_settings(count: int, seed: int) -> list[dict[str, str]]:
    """Texts of the controls: every optimizer, delays to 10^6, logs and histograms."""
    random = np.random.default_rng(seed)
    names = LISTED
    free = ["sgd", "heavy-ball", "ema-momentum", "nesterov", "weight-prediction"]
    found = []
    for number in range(count):
        measured = number % 4 == 3
        name = free[number // 4 % len(free)] if measured else names[number % len(names)]
        near_one = float(1 - 10 ** random.uniform(-3, 0))
        momentum = near_one if number % 2 else float(random.uniform(-0.95, 0.95))
        long = int(10 ** random.uniform(2.5, 6))
        delay = [0, int(random.integers(1, 20)), int(random.integers(0, 257)), long][
            number // 7 % 4
        ]
        horizon = repr(round(float(random.uniform(-1, 20)), 3))
        other = names[int(random.integers(len(names)))]
        texts = {
            "optimizer": name,
            "momentum": repr(momentum),
            "horizon": horizon if measured or number % 3 == 0 else "",
            "mode": "measured" if measured else "fixed",
            "delay": str(delay),
            "data": _random_data(random, number // 4) if measured else "",
            "lr": repr(float(10 ** random.uniform(-6, 0))),
            "sharpness": repr(float(10 ** random.uniform(-1, 3))),
            "reference-lr": repr(float(10 ** random.uniform(-4, 0))),
            "reference-delay": str(int(random.integers(0, 5)) * (number % 2)),
            "reference-optimizer": "" if number % 3 else other,
            "reference-momentum": repr(float(random.uniform(-0.9, 0.99))),
        }
        found.append(texts)
    return found


def _random_data(random: Any, number: int) -> str:
    # Python's own answer takes seconds for each delay of several hundred updates.
    longest = [9, 20, 40, 80][number % 4]
    if number % 2:
        return " ".join(map(str, random.integers(0, longest + 1, int(random.integers(2, 30)))))
    delays = np.unique(random.integers(0, longest + 1, int(random.integers(2, 12))))
    counts = random.integers(1, 200, delays.size)
    return "\n".join(f"{delay}: {count}" for delay, count in zip(delays, counts, strict=True))


def python_setting(texts: dict[str, str]) -> tuple[ds.Optimizer, ds.Optimizer, Any]:
    """Optimizer, optimizer of the reference, and delay."""

    def optimizer(name: str, momentum: str) -> ds.Optimizer:
        own = {"momentum": float(momentum)}
        if texts["horizon"] and uses_horizon:
            own["horizon"] = float(texts["horizon"])
        return ds.CATALOGUE[name].example(**own)

    uses_horizon = texts["optimizer"] == "weight-prediction"
    one = optimizer(texts["optimizer"], texts["momentum"])
    other = texts["reference-optimizer"]
    reference = optimizer(other, texts["reference-momentum"]) if other else one
    if texts["mode"] == "fixed":
        return one, reference, int(texts["delay"])
    if ":" not in texts["data"]:
        return one, reference, ds.MeasuredDelay.from_log([int(w) for w in texts["data"].split()])
    pairs = [line.split(":") for line in texts["data"].splitlines()]
    total = sum(int(count) for _, count in pairs)
    shares = {int(delay): Fraction(int(count), total) for delay, count in pairs}
    return one, reference, ds.RandomDelay(shares)


def python_answers(texts: dict[str, str]) -> dict[str, Any]:
    """What the package says."""
    return _python_answers(tuple(texts.items()))


@cache
def _python_answers(items: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    texts = dict(items)
    optimizer, reference, delay = python_setting(texts)
    lr, sharpness = float(texts["lr"]), float(texts["sharpness"])
    before = float(texts["reference-lr"]), reference, int(texts["reference-delay"])
    feedback, feedforward = optimizer.coefficients(3)
    total = sum(value for _, value in feedforward) / (1 - sum(value for _, value in feedback))
    threshold = ds.stability_threshold(optimizer, delay, moment="mean")
    found = {"threshold": threshold, "effective": lr * total}
    if texts["mode"] == "fixed":
        return found | {
            "max-learning-rate": ds.max_learning_rate(sharpness, optimizer, delay),
            "adjusted": ds.adjust_learning_rate(*before, delay, optimizer),
            "stable": ds.is_stable(lr, sharpness, optimizer, delay),
        }
    # What the same functions do, without a second and third threshold of a long histogram.
    return found | {
        "max-learning-rate": threshold / sharpness,
        "adjusted": before[0] * (threshold / ds.stability_threshold(*before[1:])),
        "stable": lr * sharpness < threshold,
    }


def worst_error(settings: list[dict[str, str]], answers: list[dict[str, str]]) -> float:
    """The largest relative error of all numbers; infinite if a verdict is another one."""
    worst = 0.0
    for texts, found in zip(settings, answers, strict=True):
        expected = python_answers(texts)
        if found["stable"] != str(expected["stable"]).lower():
            return float("inf")
        errors = [abs(float(found[name]) / expected[name] - 1) for name in ANSWERS]
        worst = max(worst, *errors)
    return worst


@pytest.mark.slow
def test_200_random_settings_agree_with_python_to_1e_12(visit: Callable[..., Any]) -> None:
    settings = random_settings(200, seed=7)
    assert {texts["optimizer"] for texts in settings} == set(LISTED)
    assert sum(texts["mode"] == "measured" for texts in settings) == 50
    answers = visit().evaluate(READ, settings)
    assert worst_error(settings, answers) < TOLERANCE
    verdicts = [found["stable"] for found in answers]
    assert min(verdicts.count("true"), verdicts.count("false")) > 40


@pytest.mark.slow
def test_the_largest_root_agrees_with_python(visit: Callable[..., Any]) -> None:
    settings = [s for s in random_settings(120, seed=11) if s["mode"] == "fixed"]
    settings = [s for s in settings if int(s["delay"]) <= 256]
    near = np.random.default_rng(3).uniform(0.3, 3, len(settings))
    for texts, ratio in zip(settings, near, strict=True):
        optimizer, _, delay = python_setting(texts)
        threshold = ds.stability_threshold(optimizer, delay)
        texts["lr"] = repr(float(ratio * threshold / float(texts["sharpness"])))
    for texts, found in zip(settings, visit().evaluate(READ, settings), strict=True):
        optimizer, _, delay = python_setting(texts)
        radius = ds.spectral_radius(
            optimizer, delay, float(texts["lr"]) * float(texts["sharpness"])
        )
        assert float(found["radius"]) == pytest.approx(radius, rel=ROOT_TOLERANCE)
        # The named optimizers at a positive momentum are stable exactly below the edge.
        if float(texts["momentum"]) >= 0 and texts["optimizer"] in ("sgd", "heavy-ball"):
            assert (float(found["radius"]) < 1) == (found["stable"] == "true")


@pytest.mark.parametrize("delay", [1, 7, 64])
@pytest.mark.slow
def test_a_double_root_is_found_to_half_of_the_digits(
    visit: Callable[..., Any], delay: int
) -> None:
    fastest = Fraction(delay**delay, (delay + 1) ** (delay + 1))
    texts = {"optimizer": "sgd", "delay": str(delay), "lr": repr(float(fastest)), "sharpness": "1"}
    (found,) = visit().evaluate(READ, [texts])
    assert float(found["radius"]) == pytest.approx(delay / (delay + 1), rel=DOUBLE_ROOT_TOLERANCE)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("delaystability.js", "above = (1.0 + momentum)", "above = (1.00000000001 + momentum)"),
        ("measured_delay.js", "found.re > 0 ? (2 *", "found.re > 0 ? (2.00000000001 *"),
        ("answer.js", "stable: gain < threshold", "stable: gain > threshold"),
    ],
)
def test_a_perturbed_script_is_noticed(
    visit: Callable[..., Any], tmp_path: Path, file: str, old: str, new: str
) -> None:
    copy = shutil.copytree(FOLDER, tmp_path / "explorer")
    text = (copy / file).read_text(encoding="utf-8")
    assert old in text
    (copy / file).write_text(text.replace(old, new), encoding="utf-8")
    settings = random_settings(60, seed=7)
    assert worst_error(settings, visit(folder=copy).evaluate(READ, settings)) > TOLERANCE


@pytest.mark.slow
def test_the_python_lines_reproduce_their_numbers(visit: Callable[..., Any]) -> None:
    settings = random_settings(24, seed=5)
    for found in visit().evaluate(READ, settings):
        names: dict[str, Any] = {}
        compared = 0
        for line in found["python"].splitlines():
            code, _, value = line.partition("  # ")
            if not value:
                exec(code, names)
                continue
            answer, expected = eval(code, names), ast.literal_eval(value)
            tolerance = ROOT_TOLERANCE if "radius" in code else TOLERANCE
            assert answer == pytest.approx(expected, rel=tolerance)
            compared += 1
        assert compared >= 4


@pytest.mark.slow
def test_the_committed_script_is_a_fresh_export(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = importlib.util.spec_from_file_location("explorer_build", FOLDER / "build.py")
    assert spec is not None and spec.loader is not None
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    # One that was added since is listed after `make explorer`.
    assert (FOLDER / "delaystability.js").read_text(encoding="utf-8") == build.script(LISTED)
    monkeypatch.setattr("sys.argv", ["build.py", "--check"])
    other = tmp_path / "delaystability.js"
    monkeypatch.setattr(build, "TARGET", other)
    for old, new, status in [("sin", "sin", 0), ("Math.sin", "Math.cos", 1)]:
        other.write_text(build.script().replace(old, new), encoding="utf-8")
        assert build.main() == status
    assert "not a fresh export" in capsys.readouterr().out


# Nothing slow: a class that is added to the catalogue is to pass what `make quick` runs.
@pytest.mark.slow
def test_every_optimizer_with_a_kernel_is_on_the_page() -> None:
    (text,) = source_code("javascript").values()
    exported = {name for name in ds.CATALOGUE if threshold_function(name) in snake(text)}
    assert set(LISTED) == exported


def snake(text: str) -> str:
    """The text with names as they are in Python."""
    return re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", text)


def test_every_script_of_the_folder_is_on_the_page_and_none_from_elsewhere() -> None:
    text = (FOLDER / "index.html").read_text(encoding="utf-8")
    for path in FOLDER.glob("*.js"):
        assert f'<script src="{path.name}"></script>' in text
    assert 'src="http' not in text and "<link" in text and "@import" not in text
    styles = (FOLDER / "explorer.css").read_text(encoding="utf-8")
    assert "url(" not in styles and "@import" not in styles


def test_source_code_is_what_export_writes_for_known_languages_only() -> None:
    (text,) = source_code("javascript", "sgd").values()
    assert "sgdThreshold" in text and "nesterovThreshold" not in text
    with pytest.raises(ValueError, match="language must be one of .*; got 'cobol'"):
        source_code("cobol")
