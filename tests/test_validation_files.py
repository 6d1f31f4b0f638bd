"""Files in the formats of MNIST and CIFAR: found, read as meant, and refused if damaged."""

from __future__ import annotations

import gzip
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

from delaystability.validation.data import load_dataset
from delaystability.validation.dataset import Dataset
from delaystability.validation.idx import read_idx
from delaystability.validation.plain_pickle import read_plain_pickle

EPS = np.finfo(float).eps


def _images(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


# IDX files.


def _idx(array: np.ndarray, code: int = 0x08) -> bytes:
    """The format as its description has it."""
    head = bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


def _write_mnist(folder: Path, suffix: str = "", dot: str = "-") -> dict[str, np.ndarray]:
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(1)
    arrays = {
        f"train-images{dot}idx3-ubyte": _images(30, 6, 5),
        f"train-labels{dot}idx1-ubyte": random.permutation(np.arange(30) % 10).astype(np.uint8),
        f"t10k-images{dot}idx3-ubyte": _images(12, 6, 5, seed=2),
        f"t10k-labels{dot}idx1-ubyte": random.integers(0, 10, 12, dtype=np.uint8),
    }
    for name, array in arrays.items():
        data = _idx(array)
        (folder / (name + suffix)).write_bytes(gzip.compress(data) if suffix else data)
    return arrays


@pytest.mark.parametrize(
    ("code", "dtype"),
    [(0x08, "u1"), (0x09, "i1"), (0x0B, "i2"), (0x0C, "i4"), (0x0D, "f4"), (0x0E, "f8")],
)
def test_every_number_type_of_idx_is_read(tmp_path: Path, code: int, dtype: str) -> None:
    array = (np.random.default_rng(0).standard_normal((3, 4, 2)) * 50).astype(dtype)
    for data in (_idx(array, code), gzip.compress(_idx(array, code))):
        (tmp_path / "some").write_bytes(data)
        found = read_idx(tmp_path / "some")
        assert found.dtype == np.dtype(dtype) and np.array_equal(found, array)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: b"", "must be an IDX file"),
        (lambda data: b"PK" + data[2:], "must be an IDX file"),
        (lambda data: data[:2] + b"\x07" + data[3:], "must be an IDX file"),
        (lambda data: data[:3] + b"\0" + data[4:], "must be an IDX file"),
        (lambda data: data[:9], "whole IDX file.* lacks 7 bytes"),
        (lambda data: data[:-1], "whole IDX file.* lacks 1 bytes"),
        (lambda data: data + b"\0", "is longer"),
        # A header that asks for 2^96 bytes must not be believed.
        (lambda data: data[:4] + b"\xff" * 12 + data[16:], "whole IDX file"),
    ],
)
def test_a_damaged_idx_file_is_refused(tmp_path: Path, damage: Any, message: str) -> None:
    data = damage(_idx(_images(4, 3, 2)))
    for written in (data, gzip.compress(data)):
        (tmp_path / "some").write_bytes(written)
        with pytest.raises(ValueError, match=message):
            read_idx(tmp_path / "some")


def test_a_damaged_gzip_file_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    whole = gzip.compress(_idx(_images(40, 30, 20)))
    for data in (whole[:-5], whole[:200], whole[:100] + b"\0" * 50 + whole[150:]):
        (tmp_path / "some").write_bytes(data)
        with pytest.raises(ValueError, match="path must be a readable IDX file; got"):
            read_idx(tmp_path / "some")
    with pytest.raises(ValueError, match="path must be a readable IDX file; got"):
        read_idx(tmp_path / "none")


@pytest.mark.parametrize("below", [".", "MNIST/raw"])
@pytest.mark.parametrize(("suffix", "dot"), [("", "-"), (".gz", "-"), ("", ".")])
def test_a_folder_of_mnist_files_is_found(
    tmp_path: Path, below: str, suffix: str, dot: str
) -> None:
    arrays = list(_write_mnist(tmp_path / below, suffix, dot).values())
    found = load_dataset(tmp_path, seed=5)
    assert found.inputs.shape == (30, 1, 6, 5) and found.targets.shape == (30, 10)
    order = np.random.default_rng([5, 0]).permutation(30)
    mean = arrays[0].astype(float).mean(axis=0)
    deviation = (arrays[0] - mean).std()
    assert np.allclose(found.inputs[:, 0], (arrays[0][order] - mean) / deviation, atol=1e-12)
    assert np.array_equal(found.labels, arrays[1][order])
    tested = np.random.default_rng([5, 1]).permutation(12)
    assert found.test_inputs is not None
    assert np.allclose(found.test_inputs[:, 0], (arrays[2][tested] - mean) / deviation, atol=1e-12)
    assert np.array_equal(found.test_labels, arrays[3][tested])
    assert "IDX" in found.source


def test_a_subset_is_the_beginning_of_the_whole(tmp_path: Path) -> None:
    _write_mnist(tmp_path)
    part, whole = load_dataset(tmp_path, samples=10, test_samples=3), load_dataset(str(tmp_path))
    assert whole.labels is not None and whole.test_labels is not None
    assert np.array_equal(part.labels, whole.labels[:10])
    assert np.array_equal(part.test_labels, whole.test_labels[:3])
    assert np.abs(part.inputs.mean(axis=0)).max() < 20 * EPS  # its own statistics
    with pytest.raises(ValueError, match=r"^samples must be an integer from 1 to 30; got 31"):
        load_dataset(tmp_path, samples=31)
    with pytest.raises(ValueError, match="test_samples must be an integer from 1 to 12; got 0"):
        load_dataset(tmp_path, test_samples=0)
    with pytest.raises(ValueError, match="all chosen ones are the same"):
        load_dataset(tmp_path, samples=1)


def test_mnist_files_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    _write_mnist(tmp_path)
    labels = tmp_path / "train-labels-idx1-ubyte"
    labels.write_bytes(_idx(np.zeros(29, np.uint8)))
    with pytest.raises(ValueError, match="as many train labels as images; got 29 and 30"):
        load_dataset(tmp_path)
    labels.write_bytes(_idx(np.zeros(30, np.int32), 0x0C))
    with pytest.raises(ValueError, match="train-labels-idx1-ubyte must hold bytes in 1 dim"):
        load_dataset(tmp_path)
    labels.unlink()
    with pytest.raises(ValueError, match="folder must hold train-labels-idx1-ubyte, plain or .gz"):
        load_dataset(tmp_path)
    _write_mnist(tmp_path)
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(_idx(_images(12, 6, 4)))
    with pytest.raises(ValueError, match=r"test images of the shape \(6, 5\); got \(6, 4\)"):
        load_dataset(tmp_path)


# CIFAR files.

CIFAR_10 = [*(f"data_batch_{part}" for part in range(1, 6)), "test_batch"]


def _cifar(name: str, images: int = 3) -> tuple[np.ndarray, list[int]]:
    """Pixels (images, 3072) and labels of a made-up file."""
    seed = [ord(letter) for letter in name]
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 256, (images, 3072), dtype=np.uint8)
    return pixels, random.integers(0, 10, images).tolist()


def _write_binary(folder: Path, names: list[str], coarse: bool = False) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        pixels, labels = _cifar(name)
        records = [
            (bytes([19]) if coarse else b"") + bytes([label]) + row.tobytes()
            for row, label in zip(pixels, labels, strict=True)
        ]
        (folder / f"{name}.bin").write_bytes(b"".join(records))


def _python_2_pickle(values: dict[str, Any]) -> bytes:
    """What Python 2 wrote, opcode by opcode: its text was bytes."""

    def text(value: bytes) -> bytes:
        return b"T" + struct.pack("<i", len(value)) + value

    def number(value: int) -> bytes:
        return b"J" + struct.pack("<i", value)

    def array(value: np.ndarray) -> bytes:
        rows, columns = value.shape
        made = b"cnumpy.core.multiarray\n_reconstruct\n" + (
            b"(cnumpy\nndarray\n(" + number(0) + b"t" + text(b"b") + b"tR"
        )
        kind = b"cnumpy\ndtype\n(" + text(b"u1") + number(0) + number(1) + b"tR"
        kind += b"(" + number(3) + text(b"|") + b"NNN" + number(-1) + number(-1) + number(0) + b"tb"
        shape = b"(" + number(rows) + number(columns) + b"t"
        return made + b"(" + number(1) + shape + kind + b"I00\n" + text(value.tobytes()) + b"tb"

    def any_value(value: Any) -> bytes:
        if isinstance(value, np.ndarray):
            return array(value)
        if isinstance(value, list):
            return b"](" + b"".join(map(any_value, value)) + b"e"
        return number(value) if isinstance(value, int) else text(value)

    entries = b"".join(text(key.encode()) + any_value(value) for key, value in values.items())
    return b"\x80\x02}(" + entries + b"u."


def _python_3_pickle(values: dict[str, Any]) -> bytes:
    return pickle.dumps(values, protocol=4)


def _write_python(
    folder: Path, names: list[str], write: Any = _python_2_pickle, key: str = "labels"
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        pixels, labels = _cifar(name)
        values = {"batch_label": b"some", "data": pixels, key: labels, "filenames": [b"a", b"b"]}
        (folder / name).write_bytes(write(values))


def _check_cifar(found: Dataset, names: list[str], classes: int) -> None:
    parts = [_cifar(name) for name in names]
    pixels = np.concatenate([part[0] for part in parts[:-1]]).reshape(-1, 3, 32, 32)
    labels = np.concatenate([part[1] for part in parts[:-1]])
    order = np.random.default_rng([0, 0]).permutation(len(labels))
    assert found.inputs.shape == (len(labels), 3, 32, 32)
    assert found.outputs == classes and np.array_equal(found.labels, labels[order])
    mean = pixels.astype(float).mean(axis=0)
    deviation = (pixels - mean).std()
    assert np.allclose(found.inputs, (pixels[order] - mean) / deviation, atol=1e-12)
    tested = np.random.default_rng([0, 1]).permutation(3)
    assert np.array_equal(found.test_labels, np.array(parts[-1][1])[tested])
    assert "Krizhevsky" in found.source


@pytest.mark.parametrize("below", [".", "cifar-10-batches-bin"])
def test_binary_cifar_10_is_found(tmp_path: Path, below: str) -> None:
    _write_binary(tmp_path / below, CIFAR_10)
    found = load_dataset(tmp_path)
    assert found.name == "cifar-10"
    _check_cifar(found, CIFAR_10, 10)


def test_binary_cifar_100_takes_the_fine_labels(tmp_path: Path) -> None:
    _write_binary(tmp_path / "cifar-100-binary", ["train", "test"], coarse=True)
    found = load_dataset(tmp_path)
    assert found.name == "cifar-100"
    _check_cifar(found, ["train", "test"], 100)


@pytest.mark.parametrize("write", [_python_2_pickle, _python_3_pickle])
def test_pickled_cifar_is_found(tmp_path: Path, write: Any) -> None:
    _write_python(tmp_path / "cifar-10-batches-py", CIFAR_10, write)
    _check_cifar(load_dataset(tmp_path), CIFAR_10, 10)
    _write_python(tmp_path / "other", ["train", "test"], write, "fine_labels")
    _check_cifar(load_dataset(tmp_path / "other"), ["train", "test"], 100)


def test_wrong_cifar_files_are_refused(tmp_path: Path) -> None:
    _write_binary(tmp_path, CIFAR_10)
    first = tmp_path / "data_batch_1.bin"
    first.write_bytes(first.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"data_batch_1.bin must hold records of 3073 bytes"):
        load_dataset(tmp_path)
    first.write_bytes(bytes([10]) + bytes(3072))
    with pytest.raises(ValueError, match="labels from 0 to 9; got 10 to 10"):
        load_dataset(tmp_path)
    (tmp_path / "data_batch_3.bin").unlink()
    with pytest.raises(ValueError, match="folder must hold data_batch_3.bin too"):
        load_dataset(tmp_path)
    _write_binary(tmp_path, ["train", "test"], coarse=True)
    with pytest.raises(ValueError, match="one data set; got CIFAR-10 and CIFAR-100"):
        load_dataset(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "must hold a dict; got list"),
        ({"labels": [1]}, "must hold the key 'data'"),
        ({"data": _cifar("a")[0], "fine_labels": [1, 2, 3]}, "must hold the key 'labels'"),
        ({"data": _images(3, 5), "labels": [1, 2, 3]}, r"data of the shape \(images, 3072\)"),
        ({"data": b"text", "labels": [1, 2, 3]}, r"data of the shape \(images, 3072\)"),
        ({"data": _cifar("a")[0], "labels": [1, 2]}, "one label for each image; got 2 for 3"),
        ({"data": _cifar("a")[0], "labels": [1, 2, 2**70]}, "labels from 0 to 9; got 1 to 11805"),
        ({"data": _cifar("a")[0], "labels": [1, -2, 3]}, "labels from 0 to 9; got -2 to 3"),
        ({"data": _cifar("a")[0], "labels": [1, 2.0, 3]}, "labels as a list of integers"),
        ({"data": _cifar("a")[0], "labels": (1, 2, 3)}, "a tuple is not allowed here"),
    ],
)
def test_a_pickle_without_images_is_refused(tmp_path: Path, content: Any, message: str) -> None:
    _write_python(tmp_path, CIFAR_10)
    (tmp_path / "data_batch_1").write_bytes(pickle.dumps(content, protocol=4))
    with pytest.raises(ValueError, match=message):
        load_dataset(tmp_path)


# Pickles that must not run.


class _Call:
    """Pickles as a call of this function with these arguments."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def test_plain_pickles_are_read_as_pickle_reads_them(tmp_path: Path) -> None:
    values = {"data": _images(4, 6), "labels": [1, 2], "name": b"x"}
    fortran = {"data": np.asfortranarray(_images(4, 6)), "whole": _images(2, 3, 4)}
    for number, data in enumerate(
        (_python_2_pickle(values), _python_3_pickle(values), _python_3_pickle(fortran))
    ):
        path = tmp_path / str(number)
        path.write_bytes(data)
        found, wanted = read_plain_pickle(path), pickle.loads(data, encoding="bytes")
        assert found.keys() == wanted.keys()
        for key, value in wanted.items():
            assert type(found[key]) is type(value) and np.array_equal(found[key], value)


def _hostile(marker: Path) -> dict[str, bytes]:
    import builtins
    import codecs
    import os

    touch = f"open({str(marker)!r}, 'w')"
    good = _python_2_pickle({"data": _images(2, 3)})
    calls = {
        "a shell": _Call(os.system, f"touch {marker}"),
        "eval": _Call(builtins.eval, touch),
        "an import": _Call(builtins.__import__, "os"),
        "a codec": _Call(codecs.encode, "text", "latin1"),
        "getattr": _Call(builtins.getattr, b"", "join"),
        "a path": Path("somewhere"),
        "a complex number": 1j,
        "an object array": np.array([_Call(builtins.eval, touch)]),
        "a float array": np.ones(3),
        "a numpy number": np.uint8(3),
        "a class": _Call(dict),
    }
    byte_codes = {
        "numpy's own file reader": b"cnumpy\nload\n(X\x01\x00\x00\x00atR.",
        "a wrong array class": b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\ndtype\nNNtR.",
        "an array of no state": b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nNNtR.",
        "the state of a class": b"cnumpy\ndtype\n}X\x01\x00\x00\x00ab.",
        "a made stand-in": b"cnumpy\ndtype\n)\x81.",
        "an unmade array": b"cnumpy.core.multiarray\n_reconstruct\n)\x81.",
        "attributes of a list": b"]}X\x01\x00\x00\x00aK\x01sb.",
        "an outside object": b"X\x01\x00\x00\x00aQ.",
        "an inner name": b"\x80\x04\x8c\x05numpy\x8c\x0edtype.__init__\x93.",
        "a dict in a dict": pickle.dumps({"data": {"data": 1}}),
        "a list in itself": b"](h\x00e.".replace(b"](", b"]q\x00("),
        "nothing": b"",
        "no pickle": b"\x93NUMPY",
        "half a pickle": good[: len(good) // 2],
        "an array with too few bytes": good.replace(
            b"J" + struct.pack("<i", 3) + b"t", b"J" + struct.pack("<i", 4) + b"t"
        ),
        "a negative shape": good.replace(
            b"J" + struct.pack("<i", 3) + b"t", b"J" + struct.pack("<i", -3) + b"t"
        ),
    }
    return {name: pickle.dumps(call, protocol=4) for name, call in calls.items()} | byte_codes


def test_pickles_that_ask_for_anything_else_are_refused_and_do_nothing(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    hostile = _hostile(marker)
    path = tmp_path / "data"
    for name, data in hostile.items():
        path.write_bytes(data)
        with pytest.raises(ValueError, match="path must be a pickle of plain values"):
            pytest.fail(f"{name} was read as {read_plain_pickle(path)!r}")
        assert not marker.exists(), name
    # The marker would be there had they run: the ordinary reader does as they ask.
    pickle.loads(hostile["eval"]).close()
    assert marker.exists()


# Folders.


def test_an_empty_folder_and_one_with_two_data_sets_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="data must be a folder with the unpacked files of MNIST"):
        load_dataset(tmp_path)
    _write_mnist(tmp_path / "MNIST/raw")
    _write_binary(tmp_path / "cifar-10-batches-bin", CIFAR_10)
    with pytest.raises(ValueError, match=r"one data set; .* holds \['idx-images', 'cifar-10'\]"):
        load_dataset(tmp_path)
