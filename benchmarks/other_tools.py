"""What other tools answer to the questions of this package: the figures of docs/comparison.md.

    pip install PEPit autolyap control slycot
    python -m benchmarks.other_tools

None of them is needed by anything else; one that is not installed is left out.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable

import numpy as np

import delaystability as ds

__all__ = ["autolyap_rate", "control_threshold", "pepit_growth"]


def control_threshold(delay: int, momentum: float, loop_gain: float, method: str) -> float:
    """The gain margin of python-control for heavy ball, times the gain that the loop was given."""
    import control

    denominator = np.polymul([1.0, -1.0], [1.0, -momentum])
    loop = control.tf([loop_gain, 0.0], [*denominator, *np.zeros(delay)], 1.0)
    return float(control.stability_margins(loop, method=method)[0]) * loop_gain


def pepit_growth(delay: int, gain: float, steps: int, quadratic: bool) -> float:
    """The largest distance to the minimum after some updates of SGD, over that at the start."""
    import PEPit.functions as functions
    from PEPit import PEP

    problem = PEP()
    if quadratic:
        loss = problem.declare_function(functions.SmoothStronglyConvexQuadraticFunction, mu=0, L=1)
    else:
        loss = problem.declare_function(functions.SmoothConvexFunction, L=1)
    minimum, start = loss.stationary_point(), problem.set_initial_point()
    problem.set_initial_condition((start - minimum) ** 2 <= 1)
    iterate, gradients = start, [loss.gradient(start)] * (delay + 1)
    for _ in range(steps):
        iterate = iterate - gain * gradients[-1 - delay]
        gradients.append(loss.gradient(iterate))
    problem.set_performance_metric((iterate - minimum) ** 2)
    return float(problem.solve(verbose=0)) ** 0.5


def autolyap_rate(delay: int, gain: float, curvature: float) -> float:
    """Factor an update of the squared distance, for losses with curvature from that to 1."""
    from autolyap import IterationIndependent, SolverOptions
    from autolyap.algorithms.algorithm import Algorithm
    from autolyap.problemclass import InclusionProblem, SmoothStronglyConvex

    class LateGradientDescent(Algorithm):
        def __init__(self) -> None:
            super().__init__(delay + 1, 1, [1], [1], [])

        def get_ABCD(self, k: int) -> tuple[np.ndarray, ...]:
            shift = np.eye(delay + 1, k=-1)
            shift[0, 0] = 1.0
            column, row = np.zeros((delay + 1, 1)), np.zeros((1, delay + 1))
            column[0, 0], row[0, delay] = -gain, 1.0
            return shift, column, row, np.zeros((1, 1))

    search, method = IterationIndependent.LinearConvergence, LateGradientDescent()
    problem = InclusionProblem([SmoothStronglyConvex(curvature, 1.0)])
    P, p, T, t = search.get_parameters_distance_to_solution(method, h=0)
    found = search.bisection_search_rho(
        problem, method, P, T, p=p, t=t, h=0, S_equals_T=True, s_equals_t=True, remove_C3=True,
        solver_options=SolverOptions(backend="cvxpy"), tol=1e-3,
    )  # fmt: skip
    return float(found["rho"]) if found["status"] == "feasible" else np.nan


def _line(name: str, ask: Callable[[], float], right: float) -> None:
    begin = time.perf_counter()
    try:
        answer = f"{ask():.12g}"
    except ImportError:
        answer = "not installed"
    print(f"{name:58} {answer:>20} (here {right:.12g})  {time.perf_counter() - begin:.2f} s")


def main() -> None:
    """Ask every tool what it can be asked, and print its answer beside that of this package."""
    warnings.filterwarnings("ignore")
    for delay in (4, 64, 200):
        right = float(ds.stability_threshold(ds.HeavyBall(0.9), delay))
        for loop_gain, method in ((1.0, "best"), (right / 1e3, "best"), (right / 1e3, "poly")):
            name = f"python-control, delay {delay}, loop gain {loop_gain:.1e}, {method!r}"
            _line(name, lambda: control_threshold(delay, 0.9, loop_gain, method), right)  # noqa: B023
    for quadratic in (True, False):
        for gain in (0.9, 0.99, 1.01):
            radius = float(ds.spectral_radius(ds.SGD(), 1, gain))
            name = f"PEPit, {'quadratic' if quadratic else 'convex'}, delay 1, gain {gain}"
            _line(name, lambda: pepit_growth(1, gain, 16, quadratic), radius)  # noqa: B023
    for delay, gain in ((1, 0.9), (1, 0.99), (4, 0.2)):
        slowest = max(ds.spectral_radius(ds.SGD(), delay, gain * h) ** 2 for h in (0.1, 1.0))
        name = f"AutoLyap, delay {delay}, gain {gain}, curvature 0.1 to 1"
        _line(name, lambda: autolyap_rate(delay, gain, 0.1), slowest)  # noqa: B023


if __name__ == "__main__":
    main()
