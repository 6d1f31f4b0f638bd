r"""Train with real worker processes from the command line.

On one machine, ``python -m delaystability.validation.parameter_server FOLDER --workers 4``. On
several, the same under torchrun: rank 0 is the server, every other rank a worker::

    export DELAYSTABILITY_SECRET=...   # the same random text on both
    torchrun --nnodes 2 --nproc-per-node 4 --rdzv-backend c10d --rdzv-endpoint HOST:PORT \
        -m delaystability.validation.parameter_server FOLDER --address HOST:ANOTHER_PORT

FOLDER gets delays.txt, ledger.csv and checkpoint.pt. The same command goes on from the checkpoint.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence

from delaystability.model.catalogue import CATALOGUE
from delaystability.server.joining import SECRET_VARIABLE
from delaystability.server.run import WorkersGoneError
from delaystability.server.worker_pool import WorkerPool
from delaystability.validation.worker_problems import PROBLEMS, place


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m delaystability.validation.parameter_server",
        description="Train with real asynchronous worker processes.",
    )
    parser.add_argument("folder", help="for log, ledger and checkpoint")
    parser.add_argument("--workers", type=int, default=4, help="not under torchrun")
    parser.add_argument("--problem", choices=PROBLEMS, default="least-squares")
    parser.add_argument("--optimizer", choices=tuple(CATALOGUE), default="sgd")
    parser.add_argument("--momentum", type=float, default=0.9)
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--updates", type=int, default=1000)
    parser.add_argument("--checkpoint-every", type=int, default=1000, help="updates")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--slow",
        action="append",
        default=[],
        metavar="WORKER:SECONDS",
        help="the worker waits so long before each gradient; may be repeated",
    )
    parser.add_argument(
        "--deadline",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="a worker that takes longer for a gradient is lost",
    )
    parser.add_argument(
        "--address",
        metavar="HOST:PORT",
        help="where the server listens, under torchrun on several machines; on a trusted network "
        f"only, with the same {SECRET_VARIABLE} in the environment of all of them",
    )
    return parser.parse_args(argv)


def _pauses(texts: Sequence[str]) -> dict[int, float]:
    try:
        pairs = [text.split(":") for text in texts]
        return {int(worker): float(seconds) for worker, seconds in pairs}
    except ValueError:
        raise ValueError(f"slow must be WORKER:SECONDS; got {' '.join(texts)!r}") from None


def main(argv: Sequence[str] | None = None) -> int:
    """Train, and print one line of JSON. Returns the exit status."""
    given = _arguments(argv)
    try:
        pauses = _pauses(given.slow)
        optimizer = CATALOGUE[given.optimizer].example(momentum=given.momentum)
        site = place(given.problem, given.seed)
        if "TORCHELASTIC_RUN_ID" in os.environ:
            pool = WorkerPool.from_environment([site.task], address=given.address)
        elif given.address is not None:
            raise ValueError(f"address is for torchrun; got {given.address!r} without it")
        else:
            pool = WorkerPool.launch([site.task], given.workers)
        if pool is None:
            return 0
        with pool:
            run = pool.run(
                site.start,
                optimizer,
                given.lr,
                given.updates,
                pauses=pauses,
                folder=given.folder,
                checkpoint_every=given.checkpoint_every,
                deadline=given.deadline,
            )
    except (ValueError, OSError, WorkersGoneError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted: the same command goes on from the checkpoint", file=sys.stderr)
        return 130
    found = {
        "updates": len(run.entries),
        "mean_delay": sum(run.delays) / len(run.delays),
        "longest_delay": max(run.delays),
        "lost_workers": list(run.lost),
        "refused": run.refused,
        "log_distance": site.log_distance(run.weights),
        "seconds": run.seconds,
    }
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
