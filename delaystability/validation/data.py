"""Data by name or from a folder; the digits bundled with scikit-learn need no download."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from delaystability.model.arguments import checked_count
from delaystability.validation.cifar import find_cifar
from delaystability.validation.dataset import Dataset
from delaystability.validation.idx import find_idx
from delaystability.validation.images import LabelledImages, standardised

__all__ = [
    "DIGITS_IMAGES",
    "FASHION",
    "data_settings",
    "digits_dataset",
    "installed_images",
    "load_dataset",
]

DIGITS_IMAGES = 1797
"""The number of images in the digits data set."""

FASHION = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package ``dataset-fashion-mnist`` puts its files."""

_DIGITS_SOURCE = (
    "E. Alpaydin, C. Kaynak, Optical recognition of handwritten digits (1998), "
    "UCI Machine Learning Repository, doi:10.24432/C50P49"
)

# Where the data sets' own archives and torchvision put their files below a folder.
_FOLDERS = (
    ".",
    "MNIST/raw",
    "cifar-10-batches-bin",
    "cifar-10-batches-py",
    "cifar-100-binary",
    "cifar-100-python",
)


def digits_dataset(
    samples: int | None = None, test_samples: int | None = None, seed: int = 0
) -> Dataset:
    """Random digits as images (1, 8, 8), standardised: some to train on, others to test on.

    Each pixel is centred; then all are divided by one common standard deviation of those to train
    on.

    Parameters
    ----------
    samples : int, 2 to 1796, optional
        1500 unless given.
    test_samples : int, at least 1, optional
        All that are left unless given.
    seed : int, at least 0
        Decides the subsets and their order.

    Raises
    ------
    ValueError
        For a number outside its range.

    References
    ----------
    E. Alpaydin and C. Kaynak, Optical recognition of handwritten digits (1998), UCI Machine
    Learning Repository, doi:10.24432/C50P49.
    """
    checked_count("seed", seed, 0)
    chosen = checked_count("samples", 1500 if samples is None else samples, 2, DIGITS_IMAGES - 1)
    left = DIGITS_IMAGES - chosen
    tested = checked_count("test_samples", left if test_samples is None else test_samples, 1, left)
    pixels, classes = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(DIGITS_IMAGES)[: chosen + tested]
    images, labels = pixels[order].reshape(-1, 1, 8, 8), classes[order].astype(np.int64)
    inputs, test_inputs = standardised(images[:chosen], images[chosen:])
    return Dataset(
        inputs=inputs,
        targets=np.eye(10)[labels[:chosen]],
        labels=labels[:chosen],
        test_inputs=test_inputs,
        test_labels=labels[chosen:],
        name="digits",
        source=_DIGITS_SOURCE,
    )


def load_dataset(
    name_or_path: str | Path,
    *,
    samples: int | None = None,
    test_samples: int | None = None,
    seed: int = 0,
) -> Dataset:
    """A data set by its name, or what lies in a folder.

    Parameters
    ----------
    name_or_path : str or Path
        ``"digits"``, ``"fashion-mnist"`` for the files of Debian's package
        ``dataset-fashion-mnist``, or a folder with the files of MNIST (IDX, plain or .gz),
        CIFAR-10 or CIFAR-100 (binary or Python version), unpacked, in itself or where their
        archives or torchvision put them. A folder of one of these names is given as ``./digits``.
    samples, test_samples : int, optional
        Random subsets of this size; all that there are unless given (1500 digits to train on).
    seed : int, at least 0
        Decides the subsets and their order.

    Returns
    -------
    Dataset
        Images have the shape (channels, height, width); see `Dataset.flat`.

    Raises
    ------
    ValueError
        For an unknown name, a folder without such files or with two data sets, files that are not
        what they should be, or numbers that are not there.
    """
    checked_count("seed", seed, 0)
    if name_or_path == "fashion-mnist":
        if not FASHION.is_dir():
            raise ValueError(
                "data must be installed: 'fashion-mnist' is Debian's package dataset-fashion-mnist,"
                f" whose folder is {FASHION}; for files elsewhere give their folder"
            )
        return _find(FASHION).dataset(samples, test_samples, seed)
    if name_or_path == "digits":
        return digits_dataset(samples, test_samples, seed)
    return _find(Path(name_or_path)).dataset(samples, test_samples, seed)


def _find(folder: Path) -> LabelledImages:
    if not folder.is_dir():
        raise ValueError(
            "data must be 'digits', 'fashion-mnist' or an existing folder with the "
            f"files of MNIST or CIFAR; got {str(folder)!r}"
        )
    found = [
        images
        for name in _FOLDERS
        if (folder / name).is_dir()
        for images in (find_idx(folder / name), find_cifar(folder / name))
        if images is not None
    ]
    names = list(dict.fromkeys(images.name for images in found))
    if not found:
        raise ValueError(
            "data must be a folder with the unpacked files of MNIST (IDX), CIFAR-10 or CIFAR-100; "
            f"none are in {folder}"
        )
    if len(names) > 1:
        raise ValueError(f"data must be a folder with one data set; {folder} holds {names}")
    return found[0]


def installed_images() -> str:
    """Name the images that are installed: Fashion-MNIST, or else the digits."""
    return "fashion-mnist" if FASHION.is_dir() else "digits"


def data_settings(data: str | Path | None, images: int) -> dict[str, str]:
    """What names the data in the settings of a sweep: where they are, and what is in them."""
    if data is None:
        return {"data": "digits"}
    content = load_dataset(data, samples=images, seed=0).fingerprint()
    return {"data": str(data), "data_content": content}
