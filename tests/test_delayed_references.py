"""Which gradients a queue keeps as they are, and which it copies."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

import torch
from torch import Tensor

from delaystability.training.gradient_references import GradientReferences

STEPS = 9


def _kept_as_they_are(disturbed=lambda step, gradients: None) -> list[bool]:
    """Of each step, whether the queue keeps its gradients without a copy."""
    references, gradients, found = GradientReferences(), [], []
    for step in range(STEPS):
        fresh = [torch.full((3,), step + 1.0), torch.full((), step + 1.0)]
        gradients.append(disturbed(step, gradients) or fresh)
        references.arrived(gradients[-1])
        kept = references.kept(gradients[-1], step)
        shared = [ours is theirs for ours, theirs in zip(kept, gradients[-1], strict=True)]
        assert len(set(shared)) == 1
        found.append(shared[0])
        for ours, theirs in zip(kept, gradients[-1], strict=True):
            assert torch.equal(ours.to_dense(), theirs.to_dense())
    return found


def _written(when: int, which: int):
    """At that step, those of an earlier one are written into, as torch counts."""

    def disturbed(step: int, gradients: list[list[Tensor]]) -> None:
        if step == when:
            gradients[which][1].zero_()

    return disturbed


def _instead(when: int, gradient: Tensor):
    """At that step another gradient comes."""
    return lambda step, _: [gradient, torch.ones(())] if step == when else None


def test_gradients_are_kept_as_they_are_after_three_steps_that_left_them_alone():
    assert _kept_as_they_are() == [step >= 3 for step in range(STEPS)]


@pytest.mark.parametrize("which", [0, 1])
def test_gradients_are_copied_for_good_once_an_early_one_was_written_into(which):
    assert not any(_kept_as_they_are(_written(which + 1, which)))
    # Those of the first step, and not of the step before.
    assert not any(_kept_as_they_are(_written(2, 0)))


@pytest.mark.parametrize("when", [0, 2, 3, 6])
@pytest.mark.parametrize(
    "gradient",
    [torch.ones(6)[:3], torch.ones(3, requires_grad=True), torch.ones(3).to_sparse()],
    ids=["view", "with a graph", "sparse"],
)
def test_gradients_are_copied_for_good_once_one_has_no_memory_of_its_own(gradient, when):
    assert _kept_as_they_are(_instead(when, gradient)) == [
        3 <= step < when for step in range(STEPS)
    ]
