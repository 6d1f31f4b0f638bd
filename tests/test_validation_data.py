"""The bundled digits: shapes, standardisation, seeds and refusals."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn")

from delaystability.validation.data import DIGITS_IMAGES, digits


def test_digits_are_standardised_and_one_hot() -> None:
    inputs, targets = digits(300, seed=1)
    assert inputs.shape == (300, 64) and targets.shape == (300, 10)
    # Rounding of a mean over 300 numbers of size 1.
    assert np.abs(inputs.mean(axis=0)).max() < 300 * np.finfo(float).eps
    assert inputs.std() == pytest.approx(1, rel=1e-12)
    assert set(np.unique(targets)) == {0.0, 1.0}
    assert (targets.sum(axis=1) == 1).all() and (targets.sum(axis=0) > 10).all()


def test_a_seed_decides_the_images() -> None:
    first, again, other = digits(50, seed=3)[0], digits(50, seed=3)[0], digits(50, seed=4)[0]
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_no_image_is_drawn_twice() -> None:
    inputs, targets = digits(DIGITS_IMAGES, seed=0)
    assert len(np.unique(np.hstack([inputs, targets]), axis=0)) == DIGITS_IMAGES


@pytest.mark.parametrize("images", [1, 0, -5, DIGITS_IMAGES + 1, 2.5, True])
def test_a_wrong_number_of_images_is_refused(images: object) -> None:
    with pytest.raises(ValueError, match="images must be an integer from 2 to 1797; got"):
        digits(images, seed=0)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", [-1, 0.5, None, True])
def test_a_wrong_seed_is_refused(seed: object) -> None:
    with pytest.raises(ValueError, match="seed must be an integer >= 0; got"):
        digits(10, seed)  # type: ignore[arg-type]
