"""Running a sweep: chunks go to worker processes, finished ones into the store.

A chunk is computed with one thread wherever it runs, so that its result does not depend on the
backend. The calling process alone writes to the store.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from statistics import median

from delaystability.files.sweep_refusals import count_trials
from delaystability.files.trials import Chunk
from delaystability.validation.sweeps.backends import (
    Attempt,
    Work,
    attempts,
    checked_backend,
    checked_workers,
)
from delaystability.validation.sweeps.store import Store

__all__ = ["Failure", "Progress", "SweepError", "SweepReport", "run_sweep"]

Progress = Callable[[float, str], None]
"""Called with the share done, 0 to 1, and a message."""

_SHOWN = 400  # characters of a failed chunk's content in the message
_NAMED = 5  # failed chunks named in the message


@dataclass(frozen=True)
class Failure:
    """A chunk that raised.

    Attributes
    ----------
    chunk : Chunk
    error : str
        The traceback.
    """

    chunk: Chunk
    error: str

    @property
    def text(self) -> str:
        """The error's last line, and what was run."""
        content = ", ".join(trial.settings_json for trial in self.chunk.trials)
        shown = content if len(content) <= _SHOWN else f"{content[:_SHOWN]}..."
        reason = self.error.strip().splitlines()[-1]
        return f"{reason}, in the chunk of {len(self.chunk.trials)} trials {shown}"


class SweepError(RuntimeError):
    """A sweep ended without all its trials; what is finished is kept.

    Attributes
    ----------
    failures : tuple of Failure
        The chunks that raised.
    """

    def __init__(self, message: str, failures: tuple[Failure, ...] = ()) -> None:
        super().__init__(message)
        self.failures = failures


@dataclass(frozen=True)
class SweepReport:
    """What a call of `run_sweep` did.

    Attributes
    ----------
    chunks, trials : int
        Of the whole sweep.
    trials_before : int
        Trials that were in the store already.
    seconds : float, wall time of this call
    """

    chunks: int
    trials: int
    trials_before: int
    seconds: float


def run_sweep(
    chunks: Sequence[Chunk],
    work: Work,
    store: Store,
    *,
    backend: str = "loky",
    workers: int | None = None,
    progress: Progress | None = None,
) -> SweepReport:
    """Run all trials that are not in the store, and record each chunk when it is finished.

    Parameters
    ----------
    chunks : sequence of Chunk
        Without a trial that is there twice. Of a chunk that is recorded in part only the rest is
        run.
    work : function at the top level of a module
        Takes a chunk and returns one result, a mapping of plain data, for each of its trials. Its
        module imports what it uses.
    store : Store
    backend : "loky", "dask", "ray" or "sequential"
        Processes of this machine, a Dask or Ray cluster, or the calling process. ``"dask"`` uses
        the client of this process, the scheduler of ``DASK_SCHEDULER_ADDRESS``, or a cluster made
        here.
    workers : int, optional
        Number of processes where they are made here; by default the number of cores.
    progress : callable, optional

    Raises
    ------
    ValueError
        For an argument that is not what is described here, or a backend that is not installed.
    SweepError
        At the end if some chunks raised, or when the backend broke down. Run it again to go on.
    """
    began = time.perf_counter()
    backend, workers = checked_backend(backend), checked_workers(workers)
    _check_unique(chunks)
    recorded = store.finished().keys()
    missing = [
        tuple(trial for trial in chunk.trials if trial.key not in recorded) for chunk in chunks
    ]
    pending = [Chunk(trials) for trials in missing if trials]
    trials = sum(len(chunk.trials) for chunk in chunks)
    failures: list[Failure] = []
    seconds = store.seconds()
    finished = len(chunks) - len(pending)

    def tell() -> None:
        if progress is not None:
            share = (finished + len(failures)) / len(chunks)
            left = len(chunks) - finished - len(failures)
            progress(share, _message(finished, len(chunks), left, len(failures), seconds, workers))

    tell()
    with closing(attempts(pending, work, backend, workers)) as ended:
        for attempt in _unless_broken(ended, backend, store):
            if attempt.error:
                failures.append(Failure(pending[attempt.place], attempt.error))
            else:
                store.add(pending[attempt.place], attempt.results, attempt.seconds)
                seconds.append(attempt.seconds)
                finished += 1
            tell()
    if failures:
        raise SweepError(_told(failures, len(chunks), store), tuple(failures))
    before = trials - sum(len(chunk.trials) for chunk in pending)
    return SweepReport(len(chunks), trials, before, time.perf_counter() - began)


def _unless_broken(ended: Iterator[Attempt], backend: str, store: Store) -> Iterator[Attempt]:
    """The same attempts; what the backend itself raises becomes a `SweepError`."""
    try:
        yield from ended
    except Exception as error:
        told = " ".join(f"{type(error).__name__}: {error}".split())
        raise SweepError(f"the backend {backend!r} broke down ({told}); {_kept(store)}") from error


def _kept(store: Store) -> str:
    return (
        f"{count_trials(store.path)} finished trials are kept in {store.path}: run the same "
        "command again to go on"
    )


def _check_unique(chunks: Sequence[Chunk]) -> None:
    if not chunks:
        raise ValueError("chunks must hold at least one chunk; got none")
    found = Counter(trial for chunk in chunks for trial in chunk.trials)
    trial, times = found.most_common(1)[0]
    if times > 1:
        raise ValueError(
            f"chunks must hold each trial once; got {times} times {trial.settings_json}"
        )


def _told(failures: Sequence[Failure], chunks: int, store: Store) -> str:
    lines = [f"- {failure.text}" for failure in failures[:_NAMED]]
    if len(failures) > _NAMED:
        lines.append(f"- and {len(failures) - _NAMED} more")
    return "\n".join(
        [f"{len(failures)} of {chunks} chunks failed; {_kept(store)}. What failed:", *lines]
    )


def _message(
    finished: int, chunks: int, left: int, failed: int, seconds: Sequence[float], workers: int
) -> str:
    parts = [f"{finished} of {chunks} chunks"]
    if failed:
        parts.append(f"{failed} failed")
    if left and seconds:
        parts.append(f"about {_duration(median(seconds) * left / min(workers, left))} left")
    return ", ".join(parts)


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
