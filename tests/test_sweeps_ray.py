"""A sweep on a real local Ray cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("joblib")

from delaystability.validation.sweeps.run import run_sweep
from delaystability.validation.sweeps.store import Store
from tests.sweep_of_a_map import describe, plan, table, work

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Ray's own, about its resources
def test_a_ray_cluster_gives_the_same_table_as_this_process(tmp_path):
    ray = pytest.importorskip("ray")
    with Store.open(tmp_path / "here.sqlite", describe(9)) as store:
        run_sweep(plan(9), work, store, backend="sequential")
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        runtime_env={"env_vars": {"PYTHONPATH": str(ROOT)}},
    )
    try:
        with Store.open(tmp_path / "ray.sqlite", describe(9)) as store:
            report = run_sweep(plan(9), work, store, backend="ray", workers=2)
    finally:
        ray.shutdown()
    assert (report.chunks, report.trials) == (9, 18)
    assert table(tmp_path / "ray.sqlite") == table(tmp_path / "here.sqlite")
