"""How many small faults in the package the fast tests notice.

    python -m tests.tools.mutation --each 40 --output docs/benchmarks/mutation.md

A mutant is a module with one small fault: an operator exchanged, a constant changed, a condition
negated, a refusal or a call left out. For each part of the package a seeded sample is drawn from
all mutants of its modules; each is written into a copy of the tree, where the fast tests of that
part run, those that name the module first. A mutant is killed if a test fails or the time is out.
Survivors are listed: some change nothing that can be observed, the others are holes in the tests.

With `--coverage FILE` a mutant meets only the tests that execute its statement, ten times faster:
FILE is made by coverage.py first if it is not there, and is good for the tree that it was made of.
"""

from __future__ import annotations

import argparse
import ast
import copy
import fnmatch
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from scipy.stats import binomtest

from tests.tools.executed import SETTINGS, Executed

ROOT = Path(__file__).parents[2]
LEAST_SECONDS = 60.0
"""No mutant gets less time than this, nor than six times what the tests take without a fault."""
LONGEST_TEST = 60
"""Seconds after which a test, which takes one without a fault, is taken for hanging."""


@dataclass(frozen=True)
class Part:
    """Modules, as patterns below the package, and the test files about them, as words."""

    name: str
    modules: tuple[str, ...]
    tests: str

    def files(self) -> list[str]:
        """The modules, relative to the tree."""
        package = ROOT / "delaystability"
        found = sorted(str(path.relative_to(ROOT)) for path in package.rglob("*.py"))
        patterns = [f"delaystability/{pattern}" for pattern in self.modules]
        return [name for name in found if any(fnmatch.fnmatch(name, p) for p in patterns)]

    def test_files(self) -> list[str]:
        """The test files, relative to the tree."""
        found = (ROOT.glob(f"tests/test_{word}.py") for word in self.tests.split())
        return sorted({str(path.relative_to(ROOT)) for paths in found for path in paths})


PARTS = (
    Part(
        "bounds",
        ("questions/*.py", "model/*.py", "model/delay_log/*.py"),
        "adamax adaptive_optimizers advice any_sequence bad_inputs batch_sharpness "
        "best_optimizer bounds custom_optimizer decay_everywhere delay_laws delay_log* "
        "delays displayed dynamics inverse labels laws_* learning_rate_probe longest_delay loop "
        "minibatch* mixed_reads number_types odd_arguments optimizers oscillation* "
        "outer_loop pipelines random_delays recommendation* seldom_asked sign_oscillation "
        "small_cases spectra stage_* which_takes_what",
    ),
    Part(
        "numerics",
        ("numerics/*.py", "numerics/*/*.py"),
        "any_sequence batch_sharpness best_optimizer borders certificate* crossings "
        "decay_everywhere delay_scan dynamics exact_roots inverse kernels last_resorts "
        "laws_* long_filters longest_delay loop minibatch* mixed_reads noise_peaks "
        "noise_theorems number_types odd_arguments oscillation* outer_loop plain_twins "
        "plot_oscillations_and_speed pole_zero_extremes properties random_delays "
        "replay* second_moment seldom_taken_ways sharpness short_radius "
        "sign_oscillation small_cases "
        "spectra stage_* table_rows thick_restart threshold",
    ),
    Part(
        "training",
        ("training/*.py",),
        "adamax adaptive_optimizers advice delay_aware_lr delayed* distributed_* "
        "learning_rate_probe loss_floor monitor_leaves_no_trace probing_steps "
        "rates_in_use saved_states scheduler_before_queue sharpness* stability_monitor "
        "thick_restart training_*",
    ),
    Part(
        "parameter server",
        ("server/*.py",),
        "parameter_server*",
    ),
    Part(
        "sweeps",
        ("validation/sweeps/*.py",),
        "sweep*",
    ),
)


@dataclass(frozen=True)
class Mutant:
    """One fault: the line it is in, what stood there, and which one of its module it is."""

    file: str
    line: int
    fault: str
    number: int

    @property
    def source(self) -> str:
        """The whole module with the fault."""
        tree = ast.parse((ROOT / self.file).read_text())
        parent, field, index, _, fault = list(_changes(tree))[self.number]
        _put(parent, field, index, fault)
        return ast.unparse(ast.fix_missing_locations(tree))


_EXCHANGED = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult, ast.Pow: ast.Mult,
}  # fmt: skip


_CHANGED = (ast.Compare, ast.BinOp, ast.BoolOp, ast.UnaryOp, ast.Constant, ast.If, ast.Expr)


def _faults(node: ast.AST) -> Iterator[ast.AST]:
    """The node with one fault, each way there is."""
    if not isinstance(node, _CHANGED):
        return
    changed = copy.deepcopy(node)
    match changed:
        case ast.Compare(ops=[operator, *_]) if type(operator) in _EXCHANGED:
            changed.ops[0] = _EXCHANGED[type(operator)]()
            yield changed
        case ast.BinOp() | ast.BoolOp() if type(changed.op) in _EXCHANGED:
            changed.op = _EXCHANGED[type(changed.op)]()
            yield changed
        case ast.UnaryOp(op=ast.Not() | ast.USub()):
            yield changed.operand
        case ast.Constant(value=bool(value)):
            changed.value = not value
            yield changed
        case ast.Constant(value=int(value) | float(value)):
            changed.value = value + 1 if isinstance(value, int) else 1.5 * value + (not value)
            yield changed
        case ast.If(body=[ast.Raise()]):
            changed.test = ast.Constant(False)
            yield changed
        case ast.Expr(value=ast.Call()):
            yield ast.Pass()


def _skipped(node: ast.AST) -> bool:
    """Annotations, messages and what only type checkers read."""
    if isinstance(node, ast.JoinedStr):
        return True
    if isinstance(node, ast.If):
        return ast.unparse(node.test) == "TYPE_CHECKING"
    return isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"


def _places(node: ast.AST) -> Iterator[tuple[ast.AST, str, int | None, ast.AST]]:
    """Every child of every node: the parent, its field and the place in it."""
    if _skipped(node):
        return
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list"):
            continue
        for index, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(child, ast.AST):
                yield node, field, index, child
                yield from _places(child)


def _changes(tree: ast.AST) -> Iterator[tuple[ast.AST, str, int | None, ast.AST, ast.AST]]:
    """Every fault: the place as in `_places`, what stands there, and what is put there instead."""
    for parent, field, index, child in list(_places(tree)):
        for fault in _faults(child):
            yield parent, field, index, child, fault


def mutants(file: str) -> list[Mutant]:
    """All mutants of one module, in the order of its lines."""
    found = []
    changes = _changes(ast.parse((ROOT / file).read_text()))
    for number, (_, _, _, child, fault) in enumerate(changes):
        words = f"{ast.unparse(child).splitlines()[0]} -> {ast.unparse(fault).splitlines()[0]}"
        found.append(Mutant(file, child.lineno, words, number))
    return sorted(found, key=lambda mutant: mutant.line)


def _put(parent: ast.AST, field: str, index: int | None, child: ast.AST) -> None:
    if index is None:
        setattr(parent, field, child)
    else:
        getattr(parent, field)[index] = child


def tree_copy(folder: Path) -> Path:
    """What the tests need of the checkout, in a folder of its own."""
    copied = folder / "tree"
    ignored = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", "report", "_build")
    shutil.copytree(ROOT, copied, ignore=ignored)
    return copied


def failure(
    tree: Path,
    tests: list[str],
    seconds: float,
    *,
    compiled: bool = True,
    under: tuple[str, ...] = (),
) -> str | None:
    """What the fast tests say against this tree within the time: a test's name, or None."""
    command = [sys.executable, *under, "-m", "pytest", "-x", "-q", "-n", "0", "-m", "not slow"]
    environment = os.environ | {"PYTHONPATH": str(tree)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    if compiled:
        # Nothing is written beside a fault; what was compiled without one is read.
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
    limit = f"--timeout={LONGEST_TEST}"
    process = subprocess.Popen(
        [*command, "-p", "no:cacheprovider", limit, *tests],
        cwd=tree,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        return "out of time"
    finally:
        # A test's own processes end with it.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    # 5: of these files there are only slow tests.
    if process.returncode in (0, 5):
        return None
    found = re.search(r"^(?:FAILED|ERROR) (\S+)", said, re.MULTILINE)
    return found[1] if found else f"exit status {process.returncode}"


def stages(mutant: Mutant, tests: list[str]) -> list[list[str]]:
    """First the test files that name the module, then the others."""
    path = Path(mutant.file)
    word = re.compile(rf"\b{path.parent.name if path.stem == '__init__' else path.stem}\b")
    near = [test for test in tests if word.search((ROOT / test).read_text())]
    return [stage for stage in (near, [test for test in tests if test not in near]) if stage]


def measured(file: Path, tree: Path, parts: list[Part]) -> Executed:
    """Which fast tests of these parts execute which statements, from the file or written to it.

    Raises
    ------
    RuntimeError
        If the tests fail without a fault.
    """
    if not file.exists():
        settings, data = tree.parent / "coverage.ini", tree.parent / "coverage"
        settings.write_text(SETTINGS.format(data))
        under = ("-m", "coverage", "run", f"--rcfile={settings}")
        tests = sorted({test for part in parts for test in part.test_files()})
        if against := failure(tree, tests, 1800, compiled=False, under=under):
            raise RuntimeError(f"the tests fail without a fault: {against}")
        shutil.copy(data, file)
    return Executed.read(file)


def survivors(
    chosen: list[Mutant], part: Part, trees: list[Path], executed: Executed | None = None
) -> list[Mutant]:
    """The mutants that no test notices.

    Raises
    ------
    RuntimeError
        If the tests fail without a fault: then nothing would be shown.
    """
    tests, start = part.test_files(), time.monotonic()
    for tree in trees if executed is None else ():
        if against := failure(tree, tests, 1800, compiled=False):
            raise RuntimeError(f"the tests of {part.name} fail without a fault: {against}")
    seconds = max(LEAST_SECONDS, 6 * (time.monotonic() - start)) if executed is None else 1800
    free: SimpleQueue[Path] = SimpleQueue()
    for tree in trees:
        free.put(tree)

    def survives(mutant: Mutant) -> bool:
        tree = free.get()
        file = tree / mutant.file
        original = file.read_text()
        try:
            file.write_text(mutant.source)
            if executed is None:
                meets = stages(mutant, tests)
            else:
                meets = [executed.tests(mutant.file, mutant.line, original)]
            said = (failure(tree, stage, seconds) for stage in meets if stage)
            against = next(filter(None, said), None)
        finally:
            file.write_text(original)
            free.put(tree)
        words = f"killed by {against}:" if against else "SURVIVES"
        print(f"{words} {mutant.file}:{mutant.line} {mutant.fault}", flush=True)
        return against is None

    with ThreadPoolExecutor(len(trees)) as pool:
        return [m for m, alive in zip(chosen, pool.map(survives, chosen), strict=True) if alive]


def page(rows: list[tuple[str, int, int, list[Mutant]]], each: int, seed: int) -> str:
    """The score as Markdown."""
    git = ["git", "rev-parse", "--short", "HEAD"]
    said = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=False).stdout
    lines = [
        "# Mutation score",
        "",
        f"`python -m tests.tools.mutation --each {each} --seed {seed}`, at commit"
        f" {said.strip() or 'unknown'}: small faults, drawn at random, and how many of them the"
        " fast tests notice. The interval is Wilson's, at 95 %.",
        "",
        "| part | mutants in all | tried | killed | share | interval |",
        "|---|---|---|---|---|---|",
    ]
    for name, size, tried, alive in rows:
        killed = tried - len(alive)
        low, high = binomtest(killed, tried).proportion_ci(0.95, "wilson")
        lines.append(
            f"| {name} | {size} | {tried} | {killed} | {killed / tried:.0%} "
            f"| {low:.0%} to {high:.0%} |"
        )
    lines += ["", "## Survivors", ""]
    for _, _, _, alive in rows:
        lines += [f"- `{m.file}` line {m.line}: `{m.fault}`" for m in alive]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Draw, run, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--each", type=int, default=40, help="mutants tried for each part")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--part", action="append", help="only this part; may be repeated")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--coverage", type=Path, help="which test executes what; made if missing")
    parser.add_argument("--output", type=Path, help="the page to write; printed by default")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        trees = [tree_copy(Path(folder) / str(number)) for number in range(options.workers)]
        parts = [part for part in PARTS if not options.part or part.name in options.part]
        executed = measured(options.coverage, trees[0], parts) if options.coverage else None
        for part in parts:
            everything = [mutant for file in part.files() for mutant in mutants(file)]
            draw = random.Random(f"{options.seed} {part.name}")
            chosen = draw.sample(everything, min(options.each, len(everything)))
            print(f"{part.name}: {len(chosen)} of {len(everything)} mutants", flush=True)
            alive = survivors(chosen, part, trees, executed)
            rows.append((part.name, len(everything), len(chosen), alive))
    text = page(rows, options.each, options.seed)
    if options.output:
        options.output.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
