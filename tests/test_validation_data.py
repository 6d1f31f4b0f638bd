"""Data sets: the digits, what every data set must be, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

from delaystability.validation.data import DIGITS_IMAGES, digits_dataset, load_dataset
from delaystability.validation.dataset import Dataset

EPS = np.finfo(float).eps


# The digits.


def test_digits_are_standardised_and_one_hot() -> None:
    found = digits_dataset(300, 1, seed=1)
    inputs, targets = found.flat().inputs, found.targets
    assert inputs.shape == (300, 64) and targets.shape == (300, 10)
    # Rounding of a mean over 300 numbers of size 1.
    assert np.abs(inputs.mean(axis=0)).max() < 300 * EPS
    assert inputs.std() == pytest.approx(1, rel=1e-12)
    assert set(np.unique(targets)) == {0.0, 1.0}
    assert (targets.sum(axis=1) == 1).all() and (targets.sum(axis=0) > 10).all()


def test_a_seed_decides_the_images() -> None:
    first, again, other = (digits_dataset(50, seed=seed).inputs for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_no_image_is_drawn_twice() -> None:
    found = digits_dataset(DIGITS_IMAGES - 1)
    assert found.test_inputs is not None
    images = np.concatenate([found.inputs, found.test_inputs]).reshape(DIGITS_IMAGES, 64)
    assert len(np.unique(images, axis=0)) == DIGITS_IMAGES


@pytest.mark.parametrize("seed", [-1, 0.5, None, True])
def test_a_wrong_seed_is_refused(seed: object) -> None:
    with pytest.raises(ValueError, match="seed must be an integer >= 0; got"):
        digits_dataset(10, seed=seed)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="seed must be an integer >= 0; got"):
        load_dataset("digits", seed=seed)  # type: ignore[arg-type]


def test_the_data_set_trains_on_some_digits_and_tests_on_others() -> None:
    from sklearn.datasets import load_digits

    found = digits_dataset(400, 300, seed=2)
    assert found.inputs.shape == (400, 1, 8, 8)
    assert np.array_equal(found.targets.argmax(axis=1), found.labels)
    # As they would be written down: the test images are others, with the training statistics.
    pixels, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(2).permutation(DIGITS_IMAGES)
    mean = pixels[order[:400]].mean(axis=0)
    deviation = (pixels[order[:400]] - mean).std()
    assert np.array_equal(found.flat().inputs, (pixels[order[:400]] - mean) / deviation)
    assert np.array_equal(found.labels, labels[order[:400]])
    wanted = (pixels[order[400:700]] - mean) / deviation
    assert found.test_inputs is not None and found.test_labels is not None
    assert np.array_equal(found.flat().test_inputs, wanted)
    assert np.array_equal(found.test_labels, labels[order[400:700]])
    assert np.abs(found.test_inputs.mean(axis=0)).max() > 0.01


def test_all_digits_are_used_unless_told_otherwise() -> None:
    found = load_dataset("digits")
    assert found.samples == 1500 and found.outputs == 10 and found.name == "digits"
    assert found.test_labels is not None and len(found.test_labels) == 297
    with pytest.raises(ValueError, match="samples must be an integer from 2 to 1796; got 1797"):
        load_dataset("digits", samples=1797)
    with pytest.raises(ValueError, match="test_samples must be an integer from 1 to 97; got 98"):
        load_dataset("digits", samples=1700, test_samples=98)


# Any data set.


def _small(**changes: Any) -> Dataset:
    values: dict[str, Any] = {
        "inputs": np.ones((4, 3)),
        "targets": np.eye(2)[[0, 1, 0, 1]],
        "labels": np.array([0, 1, 0, 1]),
        "test_inputs": np.zeros((2, 3)),
        "test_labels": np.array([1, 0]),
        "name": "small",
        "source": "here",
    }
    return Dataset(**(values | changes))


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"inputs": np.ones((4, 3), np.float32)}, TypeError, "inputs must be a NumPy array of fl"),
        ({"inputs": [[1.0]]}, TypeError, "inputs must be .*; got list"),
        ({"inputs": np.full((4, 3), np.nan)}, ValueError, "inputs must be finite"),
        ({"inputs": np.ones(4)}, ValueError, r"inputs must have the shape \(samples, ...\)"),
        ({"inputs": np.ones((0, 3))}, ValueError, "not empty"),
        ({"targets": np.ones((3, 2))}, ValueError, r"targets must have the shape \(4, outputs\)"),
        ({"targets": np.ones(4)}, ValueError, r"targets must have the shape \(4, outputs\)"),
        ({"labels": np.array([0.0, 1, 0, 1])}, TypeError, "labels must be a NumPy array of int64"),
        ({"labels": np.array([0, 1, 0])}, ValueError, r"labels must have the shape \(4,\)"),
        ({"labels": np.array([0, 1, 0, 2])}, ValueError, "labels must be from 0 to 1; got 0 to 2"),
        ({"test_inputs": np.ones((2, 4))}, ValueError, "test_inputs must have samples of the shap"),
        ({"test_labels": np.array([-1, 0])}, ValueError, "test_labels must be from 0 to 1; got -1"),
        ({"test_labels": None}, ValueError, "must both be given or both be None"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        _small(**changes)


def test_a_fingerprint_tells_values_apart_and_nothing_else() -> None:
    data = _small()
    assert data.fingerprint() == _small().fingerprint()
    assert data.fingerprint() == replace(data, name="other").fingerprint()
    strided = np.ones((4, 6))[:, ::2]
    assert data.fingerprint() == _small(inputs=strided).fingerprint()
    changed = [
        _small(inputs=np.ones((4, 3)) + EPS),
        _small(targets=np.eye(2)[[1, 0, 0, 1]]),
        _small(test_labels=np.array([0, 0])),
        _small(labels=None),
        _small(inputs=np.ones((4, 1, 3)), test_inputs=np.zeros((2, 1, 3))),
    ]
    assert len({entry.fingerprint() for entry in (data, *changed)}) == 6


# Names.


@pytest.mark.parametrize("name", ["mnist", "no/such/folder"])
def test_an_unknown_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="data must be 'digits', 'fashion-mnist' or an"):
        load_dataset(name)
