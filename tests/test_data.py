import pickle
import struct

import numpy as np
import pytest
import torchvision
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits

from data import get_dataset
from ranks import numerical_rank
from tests.conftest import IMAGE_SETS

RNG = np.random.default_rng(0)


def write_mnist(root, name, train=40, test=20, side=28):
    """Write random images with labels 3, 4, ..., 9, 0, 1, ... in MNIST's format; return {split: (images, labels)}."""
    folder = root / name / "raw"
    folder.mkdir(parents=True)
    written = {}
    for split, count in {"train": train, "t10k": test}.items():
        images, labels = RNG.integers(256, size=(count, side, side), dtype=np.uint8), (np.arange(count) + 3) % 10
        header = struct.pack(">4i", 0x0803, count, side, side)
        (folder / f"{split}-images-idx3-ubyte").write_bytes(header + images.tobytes())
        header = struct.pack(">2i", 0x0801, count)
        (folder / f"{split}-labels-idx1-ubyte").write_bytes(header + labels.astype(np.uint8).tobytes())
        written[split] = images, labels
    return written


def write_cifar(root, each=8):
    """Write random images in CIFAR-10's format, planes of red, green and blue, row by row."""
    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    names = [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]
    images, labels = RNG.integers(256, size=(6 * each, 3, 32, 32), dtype=np.uint8), np.arange(6 * each) % 10
    for i, name in enumerate(names):
        part = slice(i * each, (i + 1) * each)
        content = {"data": images[part].reshape(each, -1), "labels": labels[part].tolist()}
        (folder / name).write_bytes(pickle.dumps(content))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": [str(i) for i in range(10)]}))
    return images, labels


@pytest.fixture
def unchecked(monkeypatch):
    """Files that a test writes cannot have CIFAR-10's MD5 sums."""
    monkeypatch.setattr(torchvision.datasets.cifar, "check_integrity", lambda *_: True)


def test_digits_are_the_default_and_have_rank_25():
    data = get_dataset("digits", 50, 20, 25, 10)
    assert [part.shape for part in data] == [(50, 25), (50, 10), (20, 25), (20, 10)]
    assert all(type(part) is np.ndarray and part.dtype == np.float64 for part in data)
    assert all(part.min() >= 0 and part.max() <= 1 for part in data)
    found = numerical_rank(data.x_train.T @ data.x_train)
    assert found.rank == 25
    assert found.gap > 1e8


def test_digits_at_their_own_size_are_untouched_and_split_at_1437():
    data, digits = get_dataset("digits", 1437, 360, 64, 10), load_digits()
    assert_array_equal(np.concatenate([data.x_train, data.x_test]), digits.data / 16)
    assert_array_equal(np.concatenate([data.y_train, data.y_test]), np.eye(10)[digits.target])


def triangle_filter(size, small):
    """Return the (small, size) matrix of anti-aliased bilinear interpolation: a triangle as wide as two new pixels."""
    scale = size / small
    centers, pixels = (np.arange(small) + 0.5) * scale, np.arange(size) + 0.5
    weights = np.maximum(0, 1 - abs(pixels - centers[:, None]) / scale)
    return weights / weights.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("side", [3, 5, 7])
def test_shrinking_is_antialiased_bilinear_in_float64(side):
    filter_ = triangle_filter(8, side)
    expected = np.einsum("ai,nij,bj->nab", filter_, load_digits().images[:6] / 16, filter_).reshape(6, -1)
    assert_allclose(get_dataset("digits", 6, 0, side**2, 10).x_train, expected, atol=1e-14)


@pytest.mark.parametrize("name", ["MNIST", "FashionMNIST"])
@pytest.mark.parametrize("classes", [1, 2, 5, 10])
def test_classes_are_selected_before_they_are_encoded_in_both_splits(name, classes, tmp_path, monkeypatch):
    written = write_mnist(tmp_path, name)
    monkeypatch.setenv("HESSIAN_DATA", str(tmp_path))
    data = get_dataset(name, 6, 3, 784, classes)
    for x, y, (images, labels) in [
        (data.x_train, data.y_train, written["train"]),
        (data.x_test, data.y_test, written["t10k"]),
    ]:
        chosen = np.flatnonzero(labels < max(2, classes))[: len(x)]
        assert_array_equal(x, images[chosen].reshape(len(x), -1) / 255)
        expected = np.eye(classes)[labels[chosen]] if classes > 1 else np.where(labels[chosen] == 1, 1.0, -1.0)[:, None]
        assert_array_equal(y, expected)


def test_cifar_is_reduced_to_luma_upright(tmp_path, monkeypatch, unchecked):
    images, labels = write_cifar(tmp_path)
    monkeypatch.setenv("HESSIAN_DATA", str(tmp_path))
    luma = np.tensordot([0.299, 0.587, 0.114], images / 255, axes=(0, 1)).reshape(48, -1)
    for name in ("CIFAR10", "CIFAR"):
        data = get_dataset(name, 40, 8, 1024, 10)
        # torchvision rounds the weights of red, green and blue to 0.2989, 0.587 and 0.114
        assert_allclose(np.concatenate([data.x_train, data.x_test]), luma, atol=1.1e-4)
        assert_array_equal(np.concatenate([data.y_train, data.y_test]), np.eye(10)[labels])


@pytest.mark.parametrize("name", IMAGE_SETS)
def test_real_images(name, image_sets):
    data = get_dataset(name, 50, 20, 25, 10)
    assert [part.shape for part in data] == [(50, 25), (50, 10), (20, 25), (20, 10)]
    assert numerical_rank(data.x_train.T @ data.x_train).rank == 25
    assert 0 <= data.x_train.min() < data.x_train.max() <= 1
    assert_array_equal(data.y_train.sum(axis=1), np.ones(50))
    assert not np.array_equal(data.x_train[:20], data.x_test)


@pytest.mark.parametrize(("classes", "columns"), [(1, 1), (2, 2), (4, 4)])
def test_gaussian_mixture(classes, columns):
    data = get_dataset("gaussian", 4000, 3000, 3, classes, seed=5)
    assert [part.shape for part in data] == [(4000, 3), (4000, columns), (3000, 3), (3000, columns)]
    train, test = ([x[(y == row).all(axis=1)] for row in np.unique(y, axis=0)] for x, y in (data[:2], data[2:]))
    for ours, theirs in zip(train, test, strict=True):  # one mean per class, the same in both splits; unit variance
        assert_allclose(ours.mean(axis=0), theirs.mean(axis=0), atol=5 * np.sqrt(1 / len(ours) + 1 / len(theirs)))
        assert_allclose(np.cov(ours.T), np.eye(3), atol=5 * np.sqrt(2 / len(ours)))
    assert abs(train[0].mean(axis=0) - train[1].mean(axis=0)).max() > 0.3
    # Independent noise: nothing of the training split comes again, in the test split or in another class.
    assert len(np.unique(np.concatenate([data.x_train, data.x_test])[:, 0])) == 7000
    centred = [part[:700] - part.mean(axis=0) for part in train[:2]]
    assert abs(np.corrcoef(centred[0][:, 0], centred[1][:, 0])[0, 1]) < 5 / np.sqrt(700)
    again = get_dataset("gaussian", 4000, 3000, 3, classes, seed=5)
    assert all(map(np.array_equal, data, again))
    assert not np.array_equal(data.x_train, get_dataset("gaussian", 4000, 0, 3, classes, seed=6).x_train)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("ImageNet", 50, 1, 25, 10), ValueError, "unknown dataset 'ImageNet'; choose one of 'digits', 'MNIST', "),
        (("digits", 50, 1, 30, 10), ValueError, "dim=30 is not a perfect square, .* try 25 or 36"),
        (("digits", 50, 1, 81, 10), ValueError, "dim=81 is larger than the images of digits, 8 x 8; choose dim <= 64"),
        (("digits", 1438, 1, 25, 10), ValueError, "n_train=1438 is more than the 1437 train images that digits has"),
        (("digits", 50, 361, 25, 10), ValueError, "n_test=361 is more than the 360 test images"),
        (("digits", 400, 1, 25, 2), ValueError, r"n_train=400 is more than the \d+ train .* of the 2 classes chosen"),
        (("digits", 50, 1, 25, 11), ValueError, "digits has 10 classes, got classes=11; choose 2 to 10"),
        (("digits", 50, 1, 25, 0), ValueError, "classes must be at least 1, got 0"),
        (("digits", 0, 1, 25, 10), ValueError, "n_train must be at least 1, got 0"),
        (("digits", "50", 1, 25, 10), TypeError, "n_train must be an integer, got '50'"),
        (("digits", 50, 1, 25.0, 10), TypeError, "dim must be an integer, got 25.0"),
        ((["digits"], 50, 1, 25, 10), ValueError, r"unknown dataset \['digits'\]; choose one of 'digits'"),
        ((None, 50, 1, 25, 10), ValueError, "unknown dataset None; choose one of 'digits'"),
        (("gaussian", 10**30, 1, 25, 10), ValueError, r"n_train must be below 2\^63"),
        (("gaussian", 10**15, 1, 25, 10), MemoryError, r"\d+ means and samples of 25 inputs .* a smaller n_train"),
        (("gaussian", 50, 10**15, 25, 10), MemoryError, r"\d+ means and samples of 25 inputs .* n_test"),
        (("gaussian", 50, 1, 10**15, 10), MemoryError, r"61 means and samples of 10{15} inputs .* GB are free"),
        (("gaussian", 50, 1, 25, 10**15), MemoryError, r"and 10{15} targets take .* or classes"),
    ],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, tuple) else "",
)
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        get_dataset(*arguments)


@pytest.mark.parametrize("name", IMAGE_SETS)
def test_a_failed_download_names_the_dataset_the_folder_and_a_way_on(name, tmp_path, monkeypatch, offline):
    monkeypatch.setenv("HESSIAN_DATA", str(tmp_path))
    with pytest.raises(
        RuntimeError, match=rf"{name} could not be had in {tmp_path}.*dataset='digits' needs no download"
    ):
        get_dataset(name, 50, 1, 25, 10)


@pytest.mark.parametrize("name", IMAGE_SETS)
def test_a_corrupted_download_is_refused(name, tmp_path, monkeypatch, server):
    monkeypatch.setenv("HESSIAN_DATA", str(tmp_path))
    with pytest.raises(RuntimeError, match=f"{name} could not be had .* corrupted"):
        get_dataset(name, 50, 1, 25, 10)


def test_files_cut_short_are_refused(tmp_path, monkeypatch, offline):
    write_mnist(tmp_path, "MNIST")
    images = tmp_path / "MNIST" / "raw" / "train-images-idx3-ubyte"
    images.write_bytes(images.read_bytes()[:-1000])
    monkeypatch.setenv("HESSIAN_DATA", str(tmp_path))
    own = tmp_path / "MNIST"  # not the folder of all data sets
    with pytest.raises(RuntimeError, match=rf"MNIST could not .* in {own} are damaged, delete the folder first\. "):
        get_dataset("MNIST", 10, 0, 25, 10)


def test_files_with_a_wrong_checksum_are_refused(tmp_path, monkeypatch, offline):
    write_cifar(tmp_path)
    monkeypatch.setenv("HESSIAN_DATA", str(tmp_path))
    own, archive = tmp_path / "cifar-10-batches-py", "cifar-10-python.tar.gz"
    message = f"CIFAR10 could not be had .* in {own} are damaged, delete the folder first, and {archive} beside it"
    with pytest.raises(RuntimeError, match=message):
        get_dataset("CIFAR10", 10, 0, 25, 10)


def test_the_folder_of_downloads_may_be_in_the_users_home(tmp_path, monkeypatch):
    write_mnist(tmp_path / "images", "MNIST")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HESSIAN_DATA", "~/images")
    assert get_dataset("MNIST", 6, 0, 784, 10).x_train.shape == (6, 784)
    assert not (tmp_path / "~").exists()


def test_images_without_labels_are_refused(tmp_path, monkeypatch, offline):
    write_mnist(tmp_path, "MNIST")
    labels = tmp_path / "MNIST" / "raw" / "train-labels-idx1-ubyte"
    labels.write_bytes(struct.pack(">2i", 0x0801, 30) + bytes(30))
    monkeypatch.setenv("HESSIAN_DATA", str(tmp_path))
    with pytest.raises(RuntimeError, match="40 images but 30 labels"):
        get_dataset("MNIST", 10, 0, 25, 10)
