"""Every public call at its largest legal arguments: time, memory, and how it ends.

Run with ``python -m benchmarks.limits``: writes ``largest_arguments.md`` into docs/benchmarks. Each
call has a process of its own, which is stopped after half a minute.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import delaystability as ds
from benchmarks.measure import provenance

__all__ = ["CASES", "WITHOUT_NUMBERS", "Case", "measured", "page"]

SECONDS, MEBIBYTES = 10.0, 1024.0
"""What no call may take without progress or a refusal."""
_STOP = 30.0
_PREFIX = """
import json, resource, sys, time, warnings
import numpy as np
import delaystability as ds
warnings.simplefilter("ignore")
"""
_SUFFIX = """
def resident():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before, start = resident(), time.perf_counter()
try:
    call()
    end = "answers"
except (ValueError, TypeError, ArithmeticError) as error:
    end = f"{type(error).__name__}: {error}"
seconds = time.perf_counter() - start
print(json.dumps({"seconds": seconds, "mebibytes": resident() - before, "end": end}))
"""

WITHOUT_NUMBERS = {
    "BestOptimizer": "what best_optimizer returns",
    "CATALOGUE": "a mapping",
    "BoundedDelayThreshold": "what bounded_delay_threshold returns",
    "Certificate": "what certify returns",
    "Delay": "abstract",
    "DelayAwareLR": "on tensors: see README",
    "DelayedOptimizer": "on tensors: see README",
    "delayed": "on tensors: see README",
    "final_learning_rate": "on tensors: see docs/adaptive_optimizers.md",
    "loss_floor": "on tensors: see docs/adaptive_optimizers.md",
    "Derivation": "what derive returns",
    "Optimizer": "abstract",
    "PipelineSchedule": "abstract",
    "ProbedRecommendation": "what probe_learning_rates returns",
    "Recommendation": "what recommend_learning_rate returns",
    "StabilityMonitor": "on tensors: see README",
    "plot": "a module",
    "sharpness": "on tensors: see docs/api/training.md",
}
"""Public names, besides exceptions and warnings, that are not called with numbers."""


@dataclass(frozen=True)
class Case:
    """A call: the public name, its arguments in words, what is made before, and the call itself."""

    name: str
    arguments: str
    call: str
    before: str = ""
    shows_progress: bool = False


_MOMENTA = "momenta = np.linspace(0, 1 - 1e-9, 10**6)"
_GRID = "delays = np.arange(10**6)"
_TWO_LAGS = "two = ds.LinearOptimizer({1: .94, 2: -.55}, {0: .74, 1: -.27, 2: .29})"
_LAW = "law = ds.RandomDelay(np.full(4096, 1 / 4096))"
_LOG = "log = np.random.default_rng(0).integers(0, 33, 10**5)"
_HESSIAN = "half = np.random.default_rng(0).normal(size=(256, 256)); hessian = half @ half.T / 256"

CASES = (
    Case("Adam", "betas next to 1", "ds.Adam(1 - 2**-53, 1 - 2**-53)"),
    *(
        Case(name, "10^6 momenta", f"ds.{name}(momenta)", _MOMENTA)
        for name in (
            "HeavyBall",
            "EMAMomentum",
            "Nesterov",
            "ShiftedMomentum",
            "SpikeCompensation",
            "WeightPrediction",
        )
    ),
    Case("SGD", "none", "ds.SGD()"),
    Case("LinearOptimizer", "10^5 lags", "ds.LinearOptimizer({k: .1 for k in range(1, 10**5)})"),
    Case(
        "Loop",
        "delay 2^53, 10^5 lags",
        "ds.Loop(many, 2**53, 0.1).tables()",
        "many = ds.LinearOptimizer({k: .1 for k in range(1, 10**5)})",
    ),
    Case("FixedDelay", "2^53", "ds.FixedDelay(2**53)"),
    Case("BoundedDelay", "1,258,290", "ds.BoundedDelay(1_258_290).extremal_log()"),
    Case(
        "bounded_delay_threshold",
        "heavy ball, every sequence to 126",
        "ds.bounded_delay_threshold(ds.HeavyBall(.9), 126)",
    ),
    Case("RandomDelay", "10^6 probabilities", "ds.RandomDelay(np.full(10**6, 1e-6))"),
    Case("MixedRead", "10^6 weights", "ds.MixedRead(np.full(10**6, 1e-6))"),
    Case("GeometricDelay", "1 - 2^-53", "ds.GeometricDelay(1 - 2**-53)"),
    Case(
        "MeasuredDelay",
        "10^7 entries",
        "ds.MeasuredDelay(log)",
        "log = np.random.default_rng(0).integers(0, 33, 10**7)",
    ),
    *(
        Case(name, "1000 stages", f"ds.{name}(1000).delays")
        for name in ("GPipe", "PipeDream", "PipeDream2BW", "PipelinedBackpropagation")
    ),
    Case(
        "stability_threshold",
        "10^6 momenta, delay 10^9",
        "ds.stability_threshold(ds.Nesterov(momenta), 10**9)",
        _MOMENTA,
    ),
    Case(
        "stability_threshold",
        "two lags, every sequence to 10^6",
        "ds.stability_threshold(two, ds.BoundedDelay(10**6))",
        _TWO_LAGS,
    ),
    Case(
        "stability_threshold",
        "two lags, 10^5 delays",
        "ds.stability_threshold(two, np.arange(10**5))",
        _TWO_LAGS,
    ),
    Case(
        "stability_threshold",
        "two lags, delay 2^53",
        "ds.stability_threshold(two, 2**53)",
        _TWO_LAGS,
    ),
    Case(
        "stability_threshold",
        "uniform law to 4095, mean",
        "ds.stability_threshold(ds.HeavyBall(.9), law, moment='mean')",
        _LAW,
    ),
    Case(
        "stability_threshold",
        "uniform law to 4095, mean square",
        "ds.stability_threshold(ds.HeavyBall(.9), law)",
        _LAW,
    ),
    Case(
        "stability_threshold",
        "log of 1000 ones and a delay 10^9",
        "ds.stability_threshold(ds.SGD(), ds.MeasuredDelay([1] * 1000 + [10**9]))",
    ),
    Case(
        "stability_threshold",
        "4096 mixed reads of both signs",
        "ds.stability_threshold(ds.HeavyBall(.9), read)",
        "weights = np.random.default_rng(0).normal(size=4096); "
        "read = ds.MixedRead(np.append(weights, 1 - weights.sum()))",
    ),
    Case(
        "stability_threshold",
        "weight decay, delay 2^53",
        "ds.stability_threshold(ds.HeavyBall(.9), 2**53, decay=1e-9, coupled=True)",
    ),
    Case(
        "spectral_radius",
        "weight decay, 30,000 gains, delay 10^6",
        "ds.spectral_radius(ds.HeavyBall(.9), 10**6, np.geomspace(1e-12, 1, 30_000), decay=1e-9)",
    ),
    Case(
        "mean_square_learning_rate",
        "32 Hessians of 64 parameters",
        "ds.mean_square_learning_rate(hessians, ds.HeavyBall(.9), 16)",
        "half = np.random.default_rng(0).normal(size=(32, 8, 64)); "
        "hessians = half.transpose(0, 2, 1) @ half",
    ),
    Case(
        "max_learning_rate",
        "10^6 delays",
        "ds.max_learning_rate(1e-300, ds.HeavyBall(.9), delays)",
        _GRID,
    ),
    Case(
        "max_sharpness", "10^6 delays", "ds.max_sharpness(1e300, ds.HeavyBall(.9), delays)", _GRID
    ),
    Case("is_stable", "10^6 delays", "ds.is_stable(1., 1., ds.HeavyBall(.9), delays)", _GRID),
    Case(
        "adjust_learning_rate",
        "10^6 new delays",
        "ds.adjust_learning_rate(.1, ds.HeavyBall(.9), 0, delays)",
        _GRID,
    ),
    Case(
        "recommend_learning_rate",
        "delay 2^53",
        "ds.recommend_learning_rate(.1, ds.HeavyBall(.9), 2**53)",
    ),
    Case(
        "recommend_learning_rate",
        "uniform law to 4095",
        "ds.recommend_learning_rate(.1, ds.HeavyBall(.9), law)",
        _LAW,
    ),
    Case(
        "OuterLoop",
        "10^6 curvatures, 10^9 inner steps, delay 2^53",
        "ds.OuterLoop(ds.Nesterov(.9), 1e-9, 10**9, delay=2**53).threshold(curvatures)",
        "curvatures = np.geomspace(1e-6, 1, 10**6)",
    ),
    Case(
        "OuterLoop",
        "delayed Nesterov, 16 workers",
        "ds.OuterLoop(ds.Nesterov(.9), delayed_nesterov=True, workers=16).threshold()",
    ),
    Case(
        "OuterLoop",
        "merged replicas, 10^9 inner steps, worst curvature",
        "ds.OuterLoop(ds.Nesterov(.9), 1e-9, 10**9, sync_delay=10**8, alpha=.5)"
        ".max_outer_learning_rate(1.)",
    ),
    Case("NAdam", "betas next to 1", "ds.NAdam(1 - 2**-53, 1 - 2**-53)"),
    Case("RMSProp", "next to 1", "ds.RMSProp(1 - 2**-53, 1 - 2**-53)"),
    Case("SignSGD", "momentum next to 1", "ds.SignSGD(1 - 2**-53)"),
    Case("Lion", "betas next to 1", "ds.Lion(1 - 2**-53, 1 - 2**-53)"),
    Case("Muon", "momentum next to 1", "ds.Muon(1 - 2**-53)"),
    Case("oscillation", "Adam, delay 2^52", "ds.oscillation(.1, ds.Adam(), 2**52)"),
    Case(
        "oscillation",
        "Adam with decay and noise, delay 19,000",
        "ds.oscillation(.1, ds.Adam(), 19_000, curvature=1., noise=1., weight_decay=.1)",
    ),
    Case("oscillation", "Lion, delay 1900", "ds.oscillation(.1, ds.Lion(), 1900)"),
    Case("oscillation", "signSGD, delay 2^52", "ds.oscillation(.1, ds.SignSGD(), 2**52)"),
    Case("stable_gains", "two lags, delay 10^5", "ds.stable_gains(two, 10**5)", _TWO_LAGS),
    Case("stable_gains", "SGD, delay 10^7", "ds.stable_gains(ds.SGD(), 10**7)"),
    Case("stable_gains", "uniform law to 4095", "ds.stable_gains(ds.SGD(), law)", _LAW),
    Case("crossings", "uniform law to 4095", "ds.crossings(ds.HeavyBall(.9), law)", _LAW),
    Case("crossings", "SGD, delay 10^7", "ds.crossings(ds.SGD(), 10**7)"),
    Case("crossings", "SGD, delay 2^53", "ds.crossings(ds.SGD(), 2**53)"),
    Case("spectral_radius", "delay 2^53", "ds.spectral_radius(ds.HeavyBall(.9), 2**53, 1e-17)"),
    Case(
        "spectral_radius",
        "30,000 gains, delay 10^6",
        "ds.spectral_radius(ds.HeavyBall(.9), 10**6, np.geomspace(1e-12, 1, 30_000))",
    ),
    Case(
        "spectral_radius",
        "30,000 gains, two lags, delay 10^6",
        "ds.spectral_radius(two, 10**6, np.geomspace(1e-12, 1, 30_000))",
        _TWO_LAGS,
    ),
    Case(
        "spectral_radius",
        "a lag of 5000, delay 10^5",
        "ds.spectral_radius(ds.LinearOptimizer({5000: .5}), 10**5, 1e-6)",
    ),
    Case(
        "spectral_radius",
        "uniform law to 4095",
        "ds.spectral_radius(ds.HeavyBall(.9), law, 1e-4)",
        _LAW,
    ),
    Case("escape_rate", "proved, delay 10^9", "ds.escape_rate(ds.SGD(), 10**9, 1., prove=True)"),
    Case("fastest_gain", "delay 10^9", "ds.fastest_gain(ds.HeavyBall(.999), 10**9)"),
    Case(
        "fastest_gain",
        "weight prediction, delay 10^9",
        "ds.fastest_gain(ds.WeightPrediction(.9), 10**9)",
    ),
    Case(
        "probe_learning_rates",
        "10^6 updates, delay 4096",
        "ds.probe_learning_rates(lambda lr, n: np.full(n, lr), .1, ds.HeavyBall(.9), 4096, 10**6)",
    ),
    Case("best_optimizer", "delay 100,000, condition 10^12", "ds.best_optimizer(100_000, 1e12)"),
    Case("best_optimizer", "delay 100,000, condition 1.01", "ds.best_optimizer(100_000, 1.01)"),
    Case(
        "best_optimizer",
        "its tolerated noise at delay 100,000",
        "ds.best_optimizer(100_000, 1e12).tolerated_curvature_noise()",
    ),
    Case(
        "batch_sharpness_edge",
        "30 noises, delay 1000",
        "ds.batch_sharpness_edge(ds.HeavyBall(.9), 1000, np.geomspace(1e-9, 1e12, 30))",
    ),
    Case(
        "max_delay",
        "10^5 gains",
        "ds.max_delay(np.geomspace(1e-9, 1, 10**5), 1., ds.HeavyBall(.9))",
    ),
    Case("max_delay", "two lags, gain 10^-14", "ds.max_delay(1e-14, 1., two)", _TWO_LAGS),
    Case(
        "max_delay",
        "300 gains of two lags",
        "ds.max_delay(np.geomspace(1e-9, 1, 300), 1., two)",
        _TWO_LAGS,
    ),
    Case(
        "max_momentum",
        "10^4 gains, delay 10^9",
        "ds.max_momentum(np.geomspace(1e-15, 1e-8, 10**4), 1., 'nesterov', 10**9)",
    ),
    Case(
        "stationary_variance",
        "delay 10^9",
        "ds.stationary_variance(ds.HeavyBall(.9), 10**9, 1e-12)",
    ),
    Case(
        "almost_sure_threshold",
        "10^5 updates, delay 1000",
        "ds.almost_sure_threshold(ds.HeavyBall(.9), 1000, curvature_noise=.1, updates=10**5)",
    ),
    Case("replay_gains", "10^5 entries", "ds.replay_gains(ds.HeavyBall(.9), log)", _LOG),
    Case("replay_threshold", "10^5 entries", "ds.replay_threshold(ds.HeavyBall(.9), log)", _LOG),
    Case("certify", "delay 10^9, 30 digits", "ds.certify(ds.HeavyBall(.9), 10**9)"),
    Case("certify", "delay 250, 1000 digits", "ds.certify(ds.HeavyBall(.9), 250, digits=1000)"),
    Case("derive", "two lags, delay 64", "ds.derive(two, 64)", _TWO_LAGS),
    Case("all_derivations", "all", "list(ds.all_derivations())"),
    Case(
        "export",
        "all optimizers, 1000 samples",
        "ds.export('c', tempfile.mkdtemp(), samples=1000)",
        "import tempfile",
        shows_progress=True,
    ),
    Case(
        "stage_threshold",
        "256 weights, 16 stages",
        "ds.stage_threshold(hessian, ds.HeavyBall(.9), ds.PipeDream(16), sizes=[16] * 16)",
        _HESSIAN,
    ),
    Case(
        "stage_spectral_radius",
        "256 weights, 16 stages",
        "ds.stage_spectral_radius(.01, hessian, ds.SGD(), ds.PipeDream(16), sizes=[16] * 16)",
        _HESSIAN,
    ),
    Case(
        "stage_spectral_radius",
        "124 weights, 16 stages",
        "ds.stage_spectral_radius(.01, hessian[:124, :124], ds.SGD(), ds.PipeDream(16), "
        "sizes=[8] * 15 + [4])",
        _HESSIAN,
    ),
    Case(
        "stage_sharpness",
        "256 weights, 16 stages",
        "ds.stage_sharpness(hessian, [16] * 16)",
        _HESSIAN,
    ),
    Case(
        "safe_stage_learning_rate",
        "1000 stages",
        "ds.safe_stage_learning_rate(1., ds.HeavyBall(.9), ds.PipeDream(1000))",
    ),
    Case(
        "safe_stage_learning_rate",
        "64 stages with their sharpness",
        "ds.safe_stage_learning_rate(1., ds.Nesterov(.9), ds.PipeDream(64), "
        "stage_sharpness=np.full(64, .1))",
    ),
)


def measured(case: Case) -> dict[str, Any]:
    """Seconds, mebibytes beyond those before the call, and how it ended."""
    program = f"{_PREFIX}\n{case.before}\ndef call():\n    return {case.call}\n{_SUFFIX}"
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    try:
        run = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            timeout=_STOP,
            env=environment,
        )
    except subprocess.TimeoutExpired:
        return {"seconds": _STOP, "mebibytes": float("nan"), "end": "stopped after half a minute"}
    if run.returncode:
        last = (run.stderr.strip().splitlines() or [f"status {run.returncode}"])[-1]
        return {"seconds": float("nan"), "mebibytes": float("nan"), "end": f"fails: {last}"}
    return json.loads(run.stdout.splitlines()[-1])


def page(rows: list[tuple[Case, dict[str, Any]]], source: dict[str, Any]) -> str:
    """The table as Markdown."""
    over = [case.name for case, row in rows if not _within(case, row)]
    lines = [
        "# Every public call at its largest arguments",
        "",
        "Written by `python -m benchmarks.limits`: each call in a process of its own, one thread;"
        " memory is what the call added to the peak. The goal is at most 10 seconds and 1 GiB, or"
        " a refusal, or a bar that shows the progress. Arrays have no largest size: theirs are"
        " chosen, and they cost their size times the cost of an entry. Names that are not called"
        " with numbers are left out.",
        "",
        f"{source['date']}, commit `{source['commit']}`, {source['machine']}.",
        "",
        f"{len(rows) - len(over)} of {len(rows)} calls are within the goal"
        + (f"; over it: {', '.join(sorted(set(over)))}." if over else "."),
        "",
        "| call | arguments | seconds | MiB | end |",
        "| --- | --- | --- | --- | --- |",
    ]
    for case, row in rows:
        end = row["end"].replace("|", "/") + (", shows a bar" if case.shows_progress else "")
        end = end if len(end) <= 90 else end[:87] + "..."
        mark = "" if _within(case, row) else " **over**"
        lines.append(
            f"| `{case.name}` | {case.arguments} | {row['seconds']:.3g}{mark} |"
            f" {row['mebibytes']:.0f} | {end} |"
        )
    return "\n".join(lines) + "\n"


def _within(case: Case, row: dict[str, Any]) -> bool:
    if case.shows_progress:
        return not row["end"].startswith("fails")
    return bool(row["seconds"] <= SECONDS and row["mebibytes"] <= MEBIBYTES)


def main() -> None:
    """Measure all cases and write the page."""
    rows = []
    for case in CASES:
        rows.append((case, measured(case)))
        print(f"{case.name}, {case.arguments}: {rows[-1][1]}", flush=True)
    folder = Path(ds.__file__).parent.parent / "docs" / "benchmarks"
    (folder / "largest_arguments.md").write_text(page(rows, provenance()), encoding="utf-8")


if __name__ == "__main__":
    main()
