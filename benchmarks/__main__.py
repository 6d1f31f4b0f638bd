"""Run with ``python -m benchmarks``: writes benchmarks.json and README.md into docs/benchmarks."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.curvature import measure_curvature
from benchmarks.delayed_optimizer import measure_delayed_optimizer
from benchmarks.measure import measure
from benchmarks.page import page
from benchmarks.training import measure_training

folder = Path(__file__).parent.parent / "docs" / "benchmarks"
folder.mkdir(parents=True, exist_ok=True)
results = measure() | {
    "training": measure_training(),
    "curvature": measure_curvature(),
    "delayed_optimizer": measure_delayed_optimizer(),
}
(folder / "benchmarks.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
(folder / "README.md").write_text(page(results), encoding="utf-8")
print(page(results))
