"""Folders with made-up images in the format of MNIST."""

from __future__ import annotations

from pathlib import Path

import numpy as np

__all__ = ["idx_folder"]


def idx_folder(folder: Path, images: int = 60, side: int = 28) -> Path:
    """Write made-up images of two classes: a bright upper and a bright lower half."""
    random = np.random.default_rng(0)
    folder.mkdir(exist_ok=True)
    for part in ("train", "t10k"):
        labels = random.integers(2, size=images).astype(np.uint8)
        pixels = random.integers(60, size=(images, side, side)).astype(np.uint8)
        for image, label in zip(pixels, labels, strict=True):
            image[label * side // 2 : (label + 1) * side // 2] += 150
        for name, array in (
            (f"{part}-images-idx3-ubyte", pixels),
            (f"{part}-labels-idx1-ubyte", labels),
        ):
            head = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
            (folder / name).write_bytes(head + array.tobytes())
    return folder
