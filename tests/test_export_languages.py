"""Exported code compiles without warnings, passes its own test, and agrees with the package.

A language whose compiler is missing is skipped by name.
"""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import delaystability as ds
from delaystability.translation.export import export, source_code
from delaystability.translation.languages import LANGUAGES
from delaystability.translation.samples import certified_samples
from delaystability.translation.table_kernels import threshold_function
from tests.export_drivers import (
    C_DRIVER,
    CPP_DRIVER,
    FORTRAN_DRIVER,
    JAVASCRIPT_DRIVER,
    JAX_DRIVER,
    JULIA_DRIVER,
    RUST_DRIVER,
)
from tests.exports import one_bounds_file_fixture as one_bounds_file_fixture
from tests.test_translation import (
    NAMES,
    cases,
    float_thresholds,
    load,
    ordinary_arguments,
    worst_error,
)

DRIVEN = [
    "sgd",
    "heavy-ball",
    "ema-momentum",
    "nesterov",
    "shifted-momentum",
    "spike-compensation",
    "weight-prediction",
]
"""The optimizers that the drivers call by their numbers."""
COUNT = 150
"""Points for each of the seven optimizers."""
SAMPLES = 4
TOLERANCE = 1e-13
REFUSED = [
    ("sgd", (-1.0,)),
    ("sgd", (0.5,)),
    ("heavy-ball", (1.0, 4.0)),
    ("heavy-ball", (float("nan"), 4.0)),
    ("ema-momentum", (0.5, float("inf"))),
    ("nesterov", (-1.0, 4.0)),
    ("nesterov", (0.5, float("nan"))),
    ("shifted-momentum", (0.5, 2.0**54)),
    ("spike-compensation", (1.5, 4.0)),
    ("weight-prediction", (0.5, 4.0, float("inf"))),
    ("weight-prediction", (0.5, -4.0, 1.0)),
]

# For each language: the tool, the commands for the test and for the driver, the driver.
TOOLS = {
    "c": (
        "gcc",
        "gcc -std=c99 -O2 -Wall -Wextra -Wpedantic -Werror delaystability.c {0} -lm -o {1}",
        ("driver.c", C_DRIVER),
    ),
    "cpp": (
        "g++",
        "g++ -std=c++17 -O1 -Wall -Wextra -Wpedantic -Werror {0} -o {1}",
        ("driver.cpp", CPP_DRIVER),
    ),
    "rust": ("rustc", "rustc -D warnings -O {0} -o {1}", ("driver.rs", RUST_DRIVER)),
    "fortran": (
        "gfortran",
        "gfortran -std=f2008 -O2 -Wall -Wextra -Werror delaystability.f90 {0} -o {1}",
        ("driver.f90", FORTRAN_DRIVER),
    ),
    "javascript": ("node", "", ("driver.mjs", JAVASCRIPT_DRIVER)),
    "julia": ("julia", "", ("driver.jl", JULIA_DRIVER)),
}
RAISES = {"cpp", "javascript", "julia"}


def run(command: list[str], folder: Path, **options) -> subprocess.CompletedProcess:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, **options)


def built(language: str, folder: Path, source: str) -> list[str]:
    """The command that runs a source file, which is compiled before if it has to be."""
    tool, compile_with, _ = TOOLS[language]
    if not compile_with:
        return [tool, source]
    program = Path(source).stem
    compiled = run(compile_with.format(source, program).split(), folder)
    assert compiled.returncode == 0 and not compiled.stderr, compiled.stderr
    return [str(folder / program)]


pytestmark = pytest.mark.usefixtures("one_bounds_file")


@pytest.fixture(scope="module")
def points() -> tuple[list[tuple[int, tuple[float, ...]]], np.ndarray]:
    """A thousand calls, and what the package says to them."""
    calls, values = [], []
    for kind, name in enumerate(DRIVEN):
        arguments = cases(name, COUNT, seed=11)
        calls += [(kind, case) for case in arguments]
        values += list(float_thresholds(name, arguments))
    return calls, np.array(values)


def line(kind: int, arguments: tuple[float, ...]) -> str:
    """A call as a line for a driver: kind, momentum, delay, horizon."""
    momentum, delay, horizon = (0.0, *arguments, 0.0)[:3] if kind == 0 else (*arguments, 0.0)[:3]
    if DRIVEN[kind] == "weight-prediction" and len(arguments) == 2:
        horizon = delay
    return f"{kind} {momentum!r} {delay!r} {horizon!r}"


@pytest.fixture(scope="module", params=TOOLS)
def exported(request, tmp_path_factory, one_bounds_file) -> tuple[str, Path]:
    language = request.param
    tool = TOOLS[language][0]
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed: exported {language} is not run")
    folder = tmp_path_factory.mktemp(language)
    export(language, folder, samples=SAMPLES)
    return language, folder


@pytest.mark.slow
def test_the_exported_test_passes_and_sees_a_spoiled_value(exported):
    language, folder = exported
    name = LANGUAGES[language].test_file
    command = built(language, folder, name)
    passed = run(command, folder)
    assert (passed.returncode, passed.stdout.split()[-1]) == (0, "ok"), passed.stdout
    text = (folder / name).read_text()
    (sample,) = certified_samples("heavy-ball", 1)
    value = repr(sample.value)
    assert text.count(value) == 1
    spoiled = f"spoiled_{name}"
    (folder / spoiled).write_text(text.replace(value, repr(sample.value * (1 + 1e-12))))
    failed = run(built(language, folder, spoiled), folder)
    assert failed.returncode == 1
    assert "ok" not in failed.stdout.split()


@pytest.mark.slow
def test_a_part_compiles_alone(exported, tmp_path):
    language, _ = exported
    export(language, tmp_path, "sgd", samples=1)
    name = LANGUAGES[language].test_file
    assert run(built(language, tmp_path, name), tmp_path).stdout.split() == ["ok"]


@pytest.mark.slow
def test_a_thousand_points(exported, points):
    language, folder = exported
    name, text = TOOLS[language][2]
    (folder / name).write_text(text)
    calls, expected = points
    refused = [(DRIVEN.index(optimizer), arguments) for optimizer, arguments in REFUSED]
    given = "\n".join(line(*call) for call in [*calls, *refused]) + "\n"
    answers = run(built(language, folder, name), folder, input=given)
    assert answers.returncode == 0, answers.stderr
    lines = answers.stdout.splitlines()
    assert worst_error([float(x) for x in lines[: len(calls)]], expected) < TOLERANCE
    for (_, arguments), answer in zip(REFUSED, lines[len(calls) :], strict=False):
        if language in RAISES:
            assert answer.startswith(("delay must be", "momentum must be", "horizon must be"))
            shown = float(answer.partition("; got ")[2])
            assert any(np.isclose(shown, value, equal_nan=True) for value in arguments)
        else:
            assert answer.strip().lower() == "nan"
    if language == "javascript":
        wrong = lines[len(calls) + len(REFUSED) :]
        assert len(wrong) == 5
        assert all(text.startswith("momentum must be strictly") for text in wrong)


@pytest.mark.slow
@pytest.mark.parametrize("language", ["python", "torch"])
def test_the_exported_test_in_python(language, tmp_path):
    if language == "torch":
        pytest.importorskip("torch")
    # The functions of torch are slow one number at a time; whole tensors come below.
    export(language, tmp_path, samples=SAMPLES if language == "python" else 1)
    name = LANGUAGES[language].test_file
    passed = run([sys.executable, "-W", "error", name], tmp_path)
    assert (passed.returncode, passed.stdout) == (0, "ok\n"), passed.stdout + passed.stderr
    if language == "torch":
        return
    text = (tmp_path / name).read_text()
    (tmp_path / name).write_text(text.replace("3.80000", "3.80001", 1))
    failed = run([sys.executable, name], tmp_path)
    assert failed.returncode == 1 and "heavy_ball_threshold(0.9, 0.0) is" in failed.stdout


@pytest.mark.slow
def test_the_exported_test_sees_what_is_not_refused(tmp_path):
    source, test, *_ = export("python", tmp_path, "heavy-ball", samples=1)
    source.write_text(source.read_text().replace("floor(x) >= x", "True"))
    failed = run([sys.executable, test.name], tmp_path)
    assert failed.returncode == 1 and "(0.5, 2.5) is" in failed.stdout


def columns(arguments: list[tuple[float, ...]]) -> list[np.ndarray]:
    """The arguments of many calls, each as one array; a missing horizon is the delay."""
    longest = max(map(len, arguments))
    return list(np.array([(*case, *case[-1:])[:longest] for case in arguments]).T)


@pytest.fixture(scope="module")
def in_torch(tmp_path_factory):
    pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("torch")
    for name, text in source_code("torch").items():
        (folder / name).write_text(text)
    return load(folder / "delaystability_torch.py")


@pytest.mark.quick(3)
@pytest.mark.parametrize("name", NAMES)
def test_torch_agrees_and_differentiates(in_torch, name):
    torch = importlib.import_module("torch")
    function = getattr(in_torch, threshold_function(name))
    arguments = cases(name, COUNT, seed=12)
    values = [torch.tensor(column) for column in columns(arguments)]
    assert worst_error(function(*values), float_thresholds(name, arguments)) < TOLERANCE
    if "momentum" not in ds.CATALOGUE[name].parameter_names():
        return
    # Derivatives, also where formulas change: no nan, and the slope of the package's thresholds.
    momenta = [0.0, -0.45, 0.3, 0.9, 0.999, -0.95]
    delays = [0.0, 1.0, 2.0, 7.0, 40.0]
    grid = np.array([(m, d) for m in momenta for d in delays]).T
    momentum = torch.tensor(grid[0], requires_grad=True)
    place = ds.CATALOGUE[name].parameter_names().index("momentum")
    others = ordinary_arguments(name, 0.5)
    arguments = [*others[:place], momentum, *others[place + 1 :], torch.tensor(grid[1])]
    (slope,) = torch.autograd.grad(function(*arguments).sum(), momentum)
    step = 1e-6
    high, low = (
        float_thresholds(name, [(*ordinary_arguments(name, m + sign * step), d) for m, d in grid.T])
        for sign in (1, -1)
    )
    expected = (high - low) / (2 * step)
    assert np.allclose(slope.numpy(), expected, rtol=2e-5, atol=1e-8)


@pytest.mark.slow
def test_torch_refuses_with_nan_and_broadcasts(in_torch):
    torch = importlib.import_module("torch")
    momenta, delays = torch.tensor([0.9, 1.0, -0.5]), torch.tensor([[4], [-1]])
    found = in_torch.heavy_ball_threshold(momenta, delays)
    assert found.dtype == torch.float64 and found.shape == (2, 3)
    assert torch.isnan(found).tolist() == [[False, True, False], [True, True, True]]
    assert float(in_torch.sgd_threshold(delay=1)) == pytest.approx(1.0)
    horizon = in_torch.weight_prediction_threshold(0.9, 4, horizon=None)
    assert float(horizon) == float(in_torch.weight_prediction_threshold(0.9, 4, 4))
    for optimizer, arguments in REFUSED:
        assert torch.isnan(getattr(in_torch, threshold_function(optimizer))(*arguments))


@pytest.mark.slow
def test_jax(tmp_path):
    pytest.importorskip("jax", reason="jax is not installed: exported jax is not run")
    export("jax", tmp_path, samples=1)
    passed = run([sys.executable, LANGUAGES["jax"].test_file], tmp_path)
    assert (passed.returncode, passed.stdout) == (0, "ok\n"), passed.stderr
    (tmp_path / "driver.py").write_text(JAX_DRIVER)
    arguments = {name: cases(name, COUNT, seed=13) for name in NAMES}
    given = {
        threshold_function(name): [list(column) for column in columns(own)]
        for name, own in arguments.items()
    }
    answers = run([sys.executable, "driver.py"], tmp_path, input=json.dumps(given))
    assert answers.returncode == 0, answers.stderr
    found = json.loads(answers.stdout)
    for name, own in arguments.items():
        values, slopes = found[threshold_function(name)]
        assert worst_error(values, float_thresholds(name, own)) < TOLERANCE
        if slopes:
            grid = [(0.0, 2.0), (-0.5, 1.0), (0.9, 0.0), (0.9, 7.0), (-0.3, 4.0)]
            high, low = (
                float_thresholds(name, [(m + sign * 1e-6, d) for m, d in grid]) for sign in (1, -1)
            )
            assert np.allclose(slopes, (high - low) / 2e-6, rtol=2e-5, atol=1e-8)
