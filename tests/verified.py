"""A small finished job, which the tests of the report share, and a smaller one for commands."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

import delaystability as ds
from delaystability.theory.registry import named
from delaystability.validation.verdict import Outcome
from delaystability.verification import job
from delaystability.verification.thresholds import Grid

EXPERIMENTS = ("edge", "quadratic")
THEOREMS = ("delayed-loop", *ds.CATALOGUE)


def small_job(folder, **arguments):
    """The quick job with two experiments and the theorems of the catalogue."""
    with pytest.MonkeyPatch.context() as patch:
        # The other derivations have tests of their own, and take minutes.
        patch.setattr(job, "all_proofs", lambda: tuple(map(named, THEOREMS)))
        patch.setattr(job, "QUICK_GRID", Grid((0, 4), (0.9,), 20))
        return job.verify(folder, quick=True, experiments=EXPERIMENTS, workers=1, **arguments)


def shrink_the_job(patch, derivation):
    """From now on the command runs on one derivation, few thresholds and one experiment."""
    patch.setattr(job, "all_proofs", lambda: (derivation,))
    patch.setattr(job, "EXPERIMENTS", ("quadratic",))
    patch.setattr(job, "QUICK_GRID", Grid((1,), (0.9,), 20))
    # One process: a pool of them has tests of its own.
    patch.setattr(job, "verify", partial(job.verify, workers=1))


def with_outcome(line, outcome):
    """The same statement with another outcome."""
    return replace(line, decision=replace(line.decision, outcome=outcome))


def failing(result):
    """The same result with one statement and one threshold that do not hold."""
    edge, quadratic = result.experiments
    line = with_outcome(edge.verdict.lines[0], Outcome.FAILS)
    verdict = replace(edge.verdict, lines=(line, *edge.verdict.lines[1:]))
    row = replace(result.thresholds[0], computed=result.thresholds[0].computed * 1.0001)
    return replace(
        result,
        experiments=(replace(edge, verdict=verdict), quadratic),
        thresholds=(row, *result.thresholds[1:]),
    )
