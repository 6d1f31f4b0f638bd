"""The server as a Ray actor, on a real local Ray cluster."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

pytest.importorskip("torch")

import delaystability as ds
from delaystability.server.ledger import faults, worker_time_left
from delaystability.server.ray_adapter import train_with_ray
from tests.parameter_server_tasks import START, Regression, delivered


@pytest.fixture(scope="module")
def cluster():
    ray = pytest.importorskip("ray")
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Ray's own, about its resources
@pytest.mark.parametrize("optimizer", [ds.SGD(), ds.ShiftedMomentum(0.6)], ids=lambda o: o.name)
def test_a_ray_actor_is_the_same_server(cluster, optimizer):
    task = Regression(2, 3)
    run = train_with_ray(task, START, optimizer, 0.01, 200, workers=3)
    assert len(run.entries) == 200 and faults(run.entries) == [] and run.lost == ()
    held = sum(run.delays) + worker_time_left(run.entries, 3)
    # Workers that have not begun yet, or read late, make delays shorter, never longer.
    assert 0 < sum(run.delays) <= held <= 2 * 200
    assert (delivered(optimizer, run.entries, task, 0.01) - run.weights).norm() <= 1e-12
    assert (delivered(optimizer, run.entries, Regression(2, 4), 0.01) - run.weights).norm() > 1e-3


@pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed")
def test_the_number_of_workers_is_checked():
    with pytest.raises(ValueError, match="workers must be an integer >= 1; got 0"):
        train_with_ray(Regression(None), START, ds.SGD(), 0.01, 10, workers=0)
