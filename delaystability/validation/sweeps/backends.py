"""Where chunks are computed: in this process, in others by loky, or on a Dask or Ray cluster."""

from __future__ import annotations

import os
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import joblib
from threadpoolctl import threadpool_limits

from delaystability.files.trials import Chunk, canonical
from delaystability.model.arguments import checked_count
from delaystability.server.orphan_watchdog import end_with

__all__ = ["BACKENDS", "Attempt", "Work", "attempts", "checked_backend", "checked_workers"]

BACKENDS = ("loky", "dask", "ray", "sequential")
"""Allowed names: processes of this machine, a Dask or a Ray cluster, the calling process."""

_RAY_PORTION = 4  # chunks for each worker between two writes to the store


Work = Callable[[Chunk], Sequence[Mapping[str, Any]]]
"""A function at the top level of a module: the result of each trial of the chunk, in order."""


@dataclass(frozen=True)
class Attempt:
    """What became of one chunk.

    Attributes
    ----------
    place : int
        Of the chunk in the list.
    results : tuple of str
        Canonical JSON of each trial's result; empty if the chunk raised.
    error : str
        The traceback; empty if the chunk did not raise.
    seconds : float, wall time
    """

    place: int
    results: tuple[str, ...]
    error: str
    seconds: float


def checked_workers(workers: int | None) -> int:
    """The number of processes, by default that of the available cores.

    Raises
    ------
    ValueError
        Unless it is an integer >= 1 or None.
    """
    if workers is None:
        return int(joblib.cpu_count())
    return checked_count("workers", workers, 1)


def checked_backend(backend: str) -> str:
    """The backend's name.

    Raises
    ------
    ValueError
        If it is unknown, or its packages are not installed.
    """
    if backend not in BACKENDS:
        raise ValueError(f"backend must be one of {', '.join(BACKENDS)}; got {backend!r}")
    for package, module in (("dask", "distributed"), ("ray", "ray")):
        if backend == package and find_spec(module) is None:
            extra = "dask[distributed]" if package == "dask" else "ray"
            raise ValueError(
                f"backend {package!r} needs a package that is not installed: pip install '{extra}'"
            )
    return backend


def attempts(
    chunks: Sequence[Chunk], work: Work, backend: str, workers: int
) -> Generator[Attempt, None, None]:
    """Attempt every chunk; yields in the order in which they end.

    Parameters
    ----------
    chunks : sequence of Chunk
    work : Work
    backend, workers : as checked by `checked_backend` and `checked_workers`
    """
    if backend == "sequential" or (backend == "loky" and workers == 1):
        with _one_thread():
            for place, chunk in enumerate(chunks):
                yield _attempt(work, place, chunk)
        return
    tasks = [joblib.delayed(_attempt_in_worker)(work, place, c) for place, c in enumerate(chunks)]
    with _BACKENDS[backend](workers):
        if backend == "ray":
            # Its joblib backend hands results back only all at once: in small portions, then.
            size = _RAY_PORTION * workers
            for start in range(0, len(tasks), size):
                yield from joblib.Parallel(n_jobs=workers)(tasks[start : start + size])
        else:
            yield from joblib.Parallel(
                n_jobs=workers, return_as="generator_unordered", batch_size=1
            )(tasks)


def _attempt(work: Work, place: int, chunk: Chunk) -> Attempt:
    began = time.perf_counter()
    results: tuple[str, ...] = ()
    error = ""
    try:
        results = tuple(canonical(result) for result in work(chunk))
        if len(results) != len(chunk.trials):
            raise ValueError(
                f"work must return one result for each of {len(chunk.trials)} trials; "
                f"got {len(results)}"
            )
    except Exception:
        results, error = (), traceback.format_exc()
    return Attempt(place, results, error, time.perf_counter() - began)


def _attempt_in_worker(work: Work, place: int, chunk: Chunk) -> Attempt:
    # Not undone: another thread of this worker may be computing.
    threadpool_limits(1)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)
    return _attempt(work, place, chunk)


@contextmanager
def _one_thread() -> Iterator[None]:
    """One thread for NumPy's and torch's own parallel loops, until the block ends."""
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch is not None else 0
    with threadpool_limits(1):
        if torch is not None:
            torch.set_num_threads(1)
        try:
            yield
        finally:
            if torch is not None:
                torch.set_num_threads(before)


@contextmanager
def _loky(workers: int) -> Iterator[None]:
    with warnings.catch_warnings():
        # loky replaces a worker whose memory has grown, and goes on. As an error, its warning would
        # end the thread that waits for all others.
        warnings.filterwarnings("ignore", message="A worker stopped while", category=UserWarning)
        with joblib.parallel_config(
            backend="loky",
            # For a library that the work loads later, which reads its number of threads then.
            inner_max_num_threads=1,
            initializer=end_with,
            initargs=(os.getpid(),),
        ):
            yield


@contextmanager
def _dask(workers: int) -> Iterator[None]:
    # The client that is there, the scheduler that Dask's settings name, or a cluster made here.
    import dask
    from distributed import Client, LocalCluster, get_client

    try:
        client = get_client()
    except ValueError:
        client = None
    with ExitStack() as opened:
        if client is None:
            address = dask.config.get("scheduler-address", None)
            cluster = address or opened.enter_context(
                LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None)
            )
            opened.enter_context(Client(cluster))
        with joblib.parallel_config(backend="dask"):
            yield


@contextmanager
def _ray(workers: int) -> Iterator[None]:
    from ray.util.joblib import register_ray

    register_ray()
    with joblib.parallel_config(backend="ray"):
        yield


_BACKENDS: dict[str, Callable[[int], AbstractContextManager[Any]]] = {
    "loky": _loky,
    "dask": _dask,
    "ray": _ray,
}
