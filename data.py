"""Small image data sets as float64 arrays: classes selected, targets encoded, images shrunk.

Downloads go to the folder that the environment variable HESSIAN_DATA names, or else to `downloads` in `home()`.
"""

import math
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import platformdirs

import checks


class Dataset(NamedTuple):
    """Training and test data, NumPy float64."""

    x_train: np.ndarray  # (n_train, dim)
    y_train: np.ndarray  # (n_train, K)
    x_test: np.ndarray  # (n_test, dim)
    y_test: np.ndarray  # (n_test, K)


def get_dataset(name, n_train, n_test, dim, classes, seed=0):
    """Return the first `n_train` training and `n_test` test samples of the first `classes` classes.

    Training and test images go through the same steps:

    1. Keep the images of the first `classes` classes, and of these the first n.
    2. Encode the labels as targets.
    3. Turn the pixels, 0..255 (digits: 0..16), into float64 in [0, 1].
    4. Reduce colour to one channel by its luma 0.299 R + 0.587 G + 0.114 B.
    5. Shrink to sqrt(dim) x sqrt(dim) pixels by bilinear interpolation with anti-aliasing.
    6. Flatten row by row.

    Nothing is centred or scaled otherwise.

    Args:
        name: 'digits', 'MNIST', 'FashionMNIST', 'CIFAR10' (also called 'CIFAR') or 'gaussian'. The digits are
            scikit-learn's 1797 images of 8 x 8 and need no download: the first 1437 are for training, the last 360 for
            testing. torchvision downloads 'MNIST', 'FashionMNIST' (28 x 28) and 'CIFAR10' (32 x 32) once. 'gaussian'
            is a mixture of `classes` unit Gaussians in R^dim (two for classes = 1) with standard normal means.
        n_train: number of training samples.
        n_test: number of test samples, 0 for none.
        dim: number of inputs d. For images it is a perfect square.
        classes: 2 to 10 (or more, for 'gaussian') for one-hot targets of that width; 1 for the first two classes as -1
            and +1 on one output.
        seed: of the Gaussian mixture. The images do not depend on it.

    Returns:
        Dataset of float64 arrays.

    Raises:
        TypeError: for a number that is not an integer.
        ValueError: for an unknown name, a `dim` that is not a perfect square or larger than the images, or more samples
            or classes than there are.
        MemoryError: if the Gaussian samples would not fit in memory.
        RuntimeError: if a download fails or its files are damaged.

    Example:
        >>> from data import get_dataset
        >>> data = get_dataset("digits", n_train=50, n_test=20, dim=25, classes=10)
        >>> data.x_train.shape, data.y_train.shape, data.x_test.shape
        ((50, 25), (50, 10), (20, 25))
        >>> data.y_train[3].tolist()  # the fourth image is a 3
        [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    """
    load = checks.choice("dataset", _ALIASES.get(name, name) if isinstance(name, str) else name, DATASETS)
    wanted = {"train": checks.integer("n_train", n_train), "test": checks.integer("n_test", n_test, minimum=0)}
    dim, classes = checks.integer("dim", dim), checks.integer("classes", classes)
    if load is None:
        splits = _gaussian(wanted, dim, max(classes, 2), checks.integer("seed", seed, minimum=0))
    else:
        if classes > 10:
            raise ValueError(f"{name} has 10 classes, got classes={classes}; choose 2 to 10, or 1 for -1/+1 targets")
        if math.isqrt(dim) ** 2 != dim:
            near = math.isqrt(dim) ** 2, (math.isqrt(dim) + 1) ** 2
            raise ValueError(f"dim={dim} is not a perfect square, and images are square; try {near[0]} or {near[1]}")
        splits = [_select(name, split, load(split == "train"), n, dim, classes) for split, n in wanted.items()]
    (x_train, y_train), (x_test, y_test) = [(inputs, _encode(labels, classes)) for inputs, labels in splits]
    return Dataset(x_train, y_train, x_test, y_test)


def home():
    """Return the folder that holds `downloads` and `results`.

    In a checkout of this project, and so in an editable install, it is the checkout itself. In any other install it is
    a folder of the user's, such as ~/.local/share/hessian-rank on Linux.
    """
    here = Path(__file__).parent
    return here if (here / "pyproject.toml").exists() else platformdirs.user_data_path("hessian-rank")


def _downloads():
    """Return the folder of downloads. Not every shell puts the user's home in the place of a leading ~."""
    return Path(os.path.expanduser(os.environ.get("HESSIAN_DATA") or home() / "downloads"))


def _select(name, split, loaded, n, dim, classes):
    """Return the first n images of the classes as rows, (n, dim), and their labels, (n,)."""
    images, labels, white = loaded
    side = images.shape[-1]
    if dim > side**2:
        raise ValueError(f"dim={dim} is larger than the images of {name}, {side} x {side}; choose dim <= {side**2}")
    chosen = np.flatnonzero(labels < max(classes, 2))
    if n > len(chosen):
        raise ValueError(
            f"n_{split}={n} is more than the {len(chosen)} {split} images that {name} has of the {max(classes, 2)} "
            f"classes chosen; choose n_{split} <= {len(chosen)}"
        )
    return _shrink(images[chosen[:n]], white, math.isqrt(dim)).reshape(n, dim), labels[chosen[:n]]


# The imports stand where they are needed: together they take three seconds, and many a network takes less.


def _shrink(images, white, side):
    """Return images (n, C, h, w) with pixels in 0..white as float64 (n, 1, side, side) in [0, 1]."""
    import torch

    pixels = torch.from_numpy(images).to(torch.float64) / white
    if pixels.shape[1] == 3:
        from torchvision.transforms.v2.functional import rgb_to_grayscale

        pixels = rgb_to_grayscale(pixels)
    if len(pixels) and pixels.shape[2:] != (side, side):
        pixels = torch.nn.functional.interpolate(pixels, (side, side), mode="bilinear", antialias=True)
    return pixels.numpy()


def _encode(labels, classes):
    """Return one-hot targets (n, classes), or -1/+1 of shape (n, 1) for classes = 1."""
    return np.eye(classes)[labels] if classes > 1 else 2.0 * labels[:, None] - 1.0


def _digits(train):
    """Return images (n, C, h, w), labels (n,), and the value of a white pixel: what every loader returns."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    part = slice(None, 1437) if train else slice(1437, None)
    return digits.images[part, None], digits.target[part], 16


def _torchvision(name, own, archive=None):
    """Return the loader of one of torchvision's data sets, which has a folder of its own and may keep an archive."""

    def load(train):
        import torchvision

        folder = _downloads()
        source = getattr(torchvision.datasets, name)
        try:
            try:
                dataset = source(folder, train=train)
            except RuntimeError:  # not there yet, or its checksum is wrong
                dataset = source(folder, train=train, download=True)
            images, labels = np.asarray(dataset.data), np.asarray(dataset.targets)
            if len(images) != len(labels):
                raise ValueError(f"{len(images)} images but {len(labels)} labels")
        except Exception as error:
            beside = f", and {archive} beside it" if archive else ""
            raise RuntimeError(
                f"{name} could not be had in {folder}: {error!r}. Check the connection and run again; if the files in "
                f"{folder / own} are damaged, delete the folder first{beside}. dataset='digits' "
                "needs no download"
            ) from error
        return (images.transpose(0, 3, 1, 2) if images.ndim == 4 else images[:, None]), labels, 255

    return load


def _gaussian(wanted, dim, classes, seed):
    """Return, for each split, x_i = mean of class (i mod classes) + standard normal, and the labels."""
    rows = classes + sum(wanted.values())
    checks.memory(
        8 * 3 * rows * (dim + classes),  # a sum and its two terms at a time; the targets are as many rows
        f"{rows} means and samples of {dim} inputs and {classes} targets take {8e-9 * rows * (dim + classes):.1f} GB, "
        "and three times as much while they are drawn",
        "Choose a smaller n_train, n_test, dim or classes",
    )
    means_key, *split_keys = np.random.SeedSequence(seed).spawn(1 + len(wanted))
    means = np.random.default_rng(means_key).standard_normal((classes, dim))
    labels = [np.arange(n) % classes for n in wanted.values()]
    return [
        (means[ids] + np.random.default_rng(key).standard_normal((len(ids), dim)), ids)
        for ids, key in zip(labels, split_keys, strict=True)
    ]


DATASETS = {
    "digits": _digits,
    "MNIST": _torchvision("MNIST", "MNIST"),
    "FashionMNIST": _torchvision("FashionMNIST", "FashionMNIST"),
    "CIFAR10": _torchvision("CIFAR10", "cifar-10-batches-py", "cifar-10-python.tar.gz"),
    "gaussian": None,
}
_ALIASES = {"CIFAR": "CIFAR10"}  # the name in the paper's notebook
